"""What the settings of DiNAS do on NAS-Bench-201, CIFAR-10: one table per setting, a row per run (Table 8, and what the
paper leaves out).

A run belongs to an ablation when it differs from the base, a run of the graph transformer `default`, in the ablation's
parameters alone. The
settings, and what is said of each, are in `data/ablations.yml`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from string import Formatter
from typing import Any

import pandas as pd

from nasrepro.errors import NasreproError, ParameterError, did_you_mean
from nasrepro.files import paths
from nasrepro.files.storage import read_yaml
from nasrepro.parameters.base import ADDED, option
from nasrepro.report import verbs
from nasrepro.report.dinas import exact_denoiser, table_4
from nasrepro.report.drawing import Canvas, Figure, Look, draw_lines, render
from nasrepro.report.rendering import DATASET_NAMES, Table, number, runs_note, tabulate, text
from nasrepro.report.rows import not_run, search_row
from nasrepro.runs.plan import Shown, load_plan
from nasrepro.runs.records import Record

BASE = "dinas.ablations.base.cifar10"  # the run that is varied
_MODEL = ("guidance_scale", "denoiser", "epochs")  # what the table of all data sets varies
# how much was run, not how: notes say where trainings and runs differ; the distinct protocol is not shown
_AMOUNT = {"trainings", "runs", "most_draws"}

Line = dict[str, Any]  # a row of a search, with its `record`, all `labels` read and what was varied (`said`)


@dataclass(frozen=True)
class Ablation:
    """One setting that is varied, or the overview of all; `data/ablations.yml` explains the fields."""

    title: str
    parameters: Sequence[str] = ()
    text: str = ""
    reading: str = ""
    after: str = ""
    column: str = ""
    beside: Mapping[str, tuple[str, str]] = field(default_factory=dict)


def load_ablations() -> dict[str, Ablation]:
    """Return what `data/ablations.yml` says of the overview and of each setting."""
    return {name: Ablation(**entry) for name, entry in read_yaml(paths.data_dir() / "ablations.yml").items()}


def settings() -> dict[str, Ablation]:
    """Return the settings that are varied, by name."""
    return {name: ablation for name, ablation in load_ablations().items() if ablation.parameters}


# ---- tables and figures ----

_NUMBERS = (
    number("Best validation, %", "best_valid", 3),
    number("Median of the runs, %", "best_valid.median", 3),
    number("Its test, %", "test", 2),
    number("Valid samples, %", "validity.mean", 1, percent=True),
    number("Distinct valid cells", "distinct_valid", 1),
    number("In the wanted class, %", "in_top_class.mean", 1, percent=True),
    number("Runs without a cell", "failed"),
    number("Labels read in all", "labels.mean"),
)


def varied(name: str, runs: Shown) -> list[Record]:
    """Return the runs of an ablation, the base run among them, in the order of the varied values."""
    if (base := runs.record(BASE)) is None:
        return []
    rows = [r for r in runs.below(_below(name)).values() if r.parameters["denoiser"] != "paper"]
    if name == "public-code" and (other := runs.record("dinas.ablations.attention.matrix-channels")) is not None:
        rows.append(other)  # the network that its residual and its inputs are tried with
    names = settings()[name].parameters
    return sorted([base, *rows], key=lambda r: [_order({**ADDED, **r.parameters}.get(n)) for n in names])


def _order(value: Any) -> Any:
    return len(value) if isinstance(value, list) else value


def _below(name: str) -> str:
    return "dinas.table8" if name == "classes" else f"dinas.ablations.{name}"


def lines(name: str, runs: Shown) -> list[Line]:
    """Return the rows of an ablation."""
    ablation = settings()[name]
    return [line | {"said": _said(r, ablation)} for r in varied(name, runs) if (line := _line(r))]


def _line(record: Record | None, searcher: str = "dinas") -> Line:
    if record is None or not (row := search_row(record, searcher)):
        return {}
    labels = {k: v if v is None or k == "n" else row["before"] + v for k, v in row["labels_in_search"].items()}
    return row | {"record": record, "labels": labels, "optimum": record.metrics.get("optimum", {}).get("valid")}


def overview_table(runs: Shown) -> Table:
    """Return how much each setting changes: a row per ablation, the range of each number over its runs."""
    columns = (
        text("Setting", lambda item: item[0].title),
        text("Tried", lambda item: "; ".join(line["said"] for line in item[1])),
        number("Best validation, %", lambda item: _range(item[1], "best_valid", 2)),
        number("Valid samples, %", lambda item: _range(item[1], "validity", 1, 100)),
        number("Distinct valid cells", lambda item: _range(item[1], "distinct_valid", 0)),
        number("In the wanted class, %", lambda item: _range(item[1], "in_top_class", 1, 100)),
    )
    caption = (
        "What each setting changes on NAS-Bench-201, CIFAR-10, from the lowest to the highest mean over the runs of "
        "its page, all else as in the base run. A run without a valid sample has 0 as its best."
    )
    return tabulate(columns, _all_lines(runs), caption, name="ablations")


def _all_lines(runs: Shown) -> list[tuple[Ablation, list[Line]]]:
    return [(a, lines(name, runs)) for name, a in settings().items() if name != "dropout"]


def _range(found: Sequence[Line], name: str, digits: int, scale: float = 1.0) -> str:
    means = [scale * x[name]["mean"] for x in found if name != "in_top_class" or x["validity"]["mean"]]
    ends = [f"{end(means):.{digits}f}" for end in (min, max)] if means else ["not run"]
    return " to ".join(dict.fromkeys(ends))


def ablation_table(name: str, runs: Shown) -> Table:
    """Return the table of an ablation: a row per run, the base run marked."""
    ablation, base, known = settings()[name], _quoted(BASE, runs), lines(name, runs)
    marks = {r.key: " (yours)" for _, r in runs.yours.values()}
    caption = f"{ablation.title}: DiNAS on NAS-Bench-201, CIFAR-10, the paper's protocol"
    if base:
        record, p = base["record"], base["record"].parameters
        marks = {record.key: " (base)"} | marks
        caption += (
            f", {p['queries']} queries. Mean [95 % interval] over {base['trainings']} trainings x {base['runs']} runs "
            "unless a note says otherwise; a run without a valid sample scores 0. Wanted class: above percentile "
            f"{p['percentile']:g} of validation accuracy (200 epochs, mean over seeds). Profile `{record.profile}`, "
            f"device {record.environment.device}."
        )
    other = [x for x in known if x["times"] != base["times"]]
    notes = [f"Run `{x['record'].key}`: trainings x runs = {x['times']}." for x in other]
    notes += [*not_run(runs, BASE, f"{_below(name)}."), *runs_note(line["record"].key for line in known)]
    items = [line | {"said": line["said"] + marks.get(line["record"].key, "")} for line in known]
    items += _draws(known) if name == "labels" else ()
    columns = (text(ablation.column or ablation.title, "said"), *_NUMBERS)
    kind = {"dinas": "ours", "top_class": ""}
    return tabulate(columns, items, caption, notes, kind=lambda line: kind[line["searcher"]], name=f"ablation-{name}")


def _draws(known: Sequence[Line]) -> Iterator[Line]:
    """Yield what the labels alone give: the draw from the best of the labelled, the best of which is known."""
    for line in known:
        p = line["record"].parameters
        if p.get("labelled") and not p.get("wanted_share") and (row := _line(line["record"], "top_class")):
            said = f"uniform draw from the best 5 % of {p['labelled']:,}"
            yield row | {"said": said, "labels": {"mean": p["labelled"]}, "in_top_class": {"mean": None}}


_SETTINGS = (
    text("Data set", lambda line: DATASET_NAMES[line["record"].parameters["dataset"]]),
    number("Guidance scale", "record.parameters.guidance_scale", "g"),
    text("Denoiser", "record.parameters.denoiser"),
    number("Epochs", "record.parameters.epochs"),
    number("Steps", "record.parameters.reverse_steps"),
    number("Best validation, %", "best_valid", 3),
    number("Distinct valid cells", "distinct_valid.mean", 1),
    number("Valid samples, %", "validity.mean", 1, percent=True),
    number("In the wanted class, %", "in_top_class.mean", 1, percent=True),
    number("Runs", "times"),
)


def settings_table(runs: Shown) -> Table:
    """Return what guidance scale and denoiser do on all three data sets: a row per run."""
    base, free = runs.record(BASE), {*_MODEL, "dataset"} | _AMOUNT

    def fixed(record: Record) -> dict[str, Any]:
        return {k: v for k, v in {**ADDED, **record.parameters}.items() if k not in free}

    known = {**runs.below("dinas.table2"), **runs.below("dinas.ablations")}.values()
    found, order = [r for r in known if base and r.experiment == "nb201" and fixed(r) == fixed(base)], [*DATASET_NAMES]
    found.sort(key=lambda r: (order.index(r.parameters["dataset"]), r.parameters["denoiser"], _scale(r)))
    caption = (
        "DiNAS under other settings, the paper's protocol. Best validation accuracy as mean [95 % interval]; distinct "
        "cells per run; shares of all samples and of the valid samples; runs as trainings x runs."
    )
    notes = runs_note(r.key for r in found)
    return tabulate(_SETTINGS, map(_line, found), caption, notes, kind="", name="nb201-settings")


def _scale(record: Record) -> float:
    return float(record.parameters["guidance_scale"])


_LOOKS: dict[str, Look] = {
    name: (name, *look)
    for name, look in {
        "valid samples, %": ("#0b3c6f", "solid", "o"),
        "distinct valid cells, % of queries": ("#3d8bd4", "dashed", "s"),
        "valid samples in the wanted class, %": ("#b3540f", "dotted", "D"),
    }.items()
}


def curve(runs: Shown) -> Figure | None:
    """Return what the guidance scale does to validity, diversity and concentration; None for fewer than two runs."""
    rows = [
        (
            _scale(line["record"]),
            100 * line["validity"]["mean"],
            100 * line["distinct_valid"]["mean"] / line["queries"],
            100 * line["in_top_class"]["mean"],
        )
        for line in lines("guidance", runs)
    ]
    data = pd.DataFrame(rows, columns=["guidance_scale", *_LOOKS])
    if len(data) < 2:
        return None

    def draw(canvas: Canvas) -> None:
        axes = canvas.subplots()
        draw_lines(axes, data.melt("guidance_scale"), "guidance_scale", "value", "variable", _LOOKS)
        axes.set(xlabel="guidance scale γ", ylabel="%", ylim=(0, 104))
        canvas.legend(loc="outside lower center", ncols=1, frameon=False, handlelength=4)

    said = "; ".join(
        f"at scale {scale:g} {valid:.0f} % valid, {distinct:.0f} % distinct, {wanted:.0f} % of the valid in the wanted "
        "class"
        for scale, valid, distinct, wanted in rows
    )
    caption = "What the guidance scale does: validity, diversity and concentration."
    alt = f"Line chart against the guidance scale: {said}."
    return render(draw, (6.4, 4.4), alt, data).titled("guidance-scale", caption)


def _said(record: Record, ablation: Ablation) -> str:
    """Return the varied values of a run as text."""
    p = {**ADDED, **record.parameters}
    value = p[ablation.parameters[0]]
    if "residual" in ablation.parameters:
        choices = {
            "the noisy cell added to the output": p["residual"],
            "one-hot inputs": p["linear_inputs"],
            "times from 0": p["first_time"] == 0,
            "its schedule": p["noise_schedule"] == "public-code",
            "1 % of the cells held out": p["train_share"] < 1,
        }
        return f"{', '.join(name for name, made in choices.items() if made) or 'none'}; `{p['denoiser']}` network"
    match ablation.parameters[0]:
        case "lower_percentiles":
            cuts = [*value, p["percentile"]]
            return f"{len(cuts) + 1}, cuts at {', '.join(f'{c:g}' for c in cuts)}"
        case "labelled":
            favoured = ", wanted class favoured" if p["wanted_share"] else ""
            return f"{f'{value:,}' if value else 'all 15,625'}{favoured}"
        case "guide_on":
            return f"{value}, scale {p['guidance_scale']:g}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, int | float) else str(value)


# ---- a page ----


def shown(name: str | None, runs: Shown) -> Table:
    """Return the table of a page: the overview, or that of an ablation."""
    if name is None:
        return overview_table(runs)
    return table_4.dropout_table(runs) if name == "dropout" else ablation_table(name, runs)


def extra(name: str | None, runs: Shown) -> Table | Figure | None:
    """Return what an ablation shows beside its table: the curve of the guidance scale, exact probabilities."""
    return curve(runs) if name == "guidance" else exact_denoiser.exact_table(runs) if name == "steps" else None


def words(name: str | None, runs: Shown, strict: bool = True) -> dict[str, str]:
    """Return title and texts of a page, with their numbers, and the commands that make a run of it.

    Args:
        name: of the ablation, None for the overview.
        runs: from which the numbers come.
        strict: whether a quoted number that is not there, or a word that is not what the records say, is an error.

    Raises:
        ParameterError: there is no such ablation.
        NasreproError: a number is not there, or a word is not what the records say.
    """
    known = load_ablations()
    if name is not None and name not in known:
        hint = did_you_mean(name, known)
        raise ParameterError(f"There is no ablation `{name}`; there are {', '.join(known)}.{hint}")
    page, found = (
        (load_ablations()["overview"], _overview(runs)) if name is None else (known[name], numbers(name, runs))
    )
    fill = _Fill(strict)
    told = {n: fill.vformat(getattr(page, n), (), found) for n in ("title", "text", "reading", "after")}
    entry = next(p for p in load_plan() if p.id.startswith(_below(name or "guidance")))
    given = {"ablation": name, "experiment": entry.experiment} | entry.parameters
    options = " ".join(option(n, value) for n, value in given.items() if value is not None)
    return told | {"command": entry.command, "notebook": f"nasrepro notebook dinas/ablations out.ipynb {options}"}


class _Fill(Formatter):
    """Fills in numbers by their names, dots included; a word of comparison has the word that was read as its format."""

    def __init__(self, strict: bool) -> None:
        self._strict = strict

    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, str]:
        """Return the number of a name."""
        if self._strict and field_name not in kwargs:
            raise NasreproError(f"A text quotes `{field_name}`, which no record has.")
        return kwargs.get(field_name), field_name

    def format_field(self, value: Any, format_spec: str) -> str:
        """Return a number as text."""
        if isinstance(value, verbs.Verb) and self._strict and value != format_spec:
            raise NasreproError(f"A text says `{format_spec}`; by the records it is `{value}`: read it again.")
        return "not run" if value is None else value if isinstance(value, str) else format(value, format_spec)


def _overview(runs: Shown) -> dict[str, Any]:
    means = {a.title: [line["best_valid"]["mean"] for line in found] for a, found in _all_lines(runs)}
    moving = [title.lower() for title, of in means.items() if max(of, default=0.0) - min(of, default=0.0) > 0.05]
    pages = {name: f"ablations/{name}" for name in settings()} | {"classes": "table_8"}
    linked = (f"[{settings()[name].title.lower()}]({page}.ipynb)" for name, page in pages.items())
    return {"pages": ", ".join(linked), "moving": " and ".join(moving) or "none"}


def numbers(name: str, runs: Shown) -> dict[str, Any]:
    """Return what the texts of an ablation quote, None or missing without a record.

    Of each row, by what was varied, and of each of `beside`, `<row>.<field>` as a mean and `<row>.<field>.stands`:
    where it stands to the base run, or to its other one, `<row>.other`. `base` and `lowest` are rows, too.
    """
    known = [] if name == "dropout" else lines(name, runs)
    base, beside = _quoted(BASE, runs), settings()[name].beside
    pairs = {line["said"]: (line, base) for line in known}
    if known:
        pairs |= {"base": (base, base), "lowest": (min(known, key=lambda x: x["best_valid"]["mean"]), base)}
    pairs |= {said: (_quoted(part, runs), _quoted(other, runs)) for said, (part, other) in beside.items()}
    found: dict[str, Any] = exact_denoiser.numbers(runs) if name == "steps" else {}
    for said, (row, other) in pairs.items():
        for place, values in ((said, row), (f"{said}.other", other)):
            found |= {f"{place}.{k}": v["mean"] if isinstance(v, Mapping) else v for k, v in values.items()}
        both = [k for k, v in row.items() if isinstance(v, Mapping) and isinstance(other.get(k), Mapping)]
        found |= {f"{said}.{k}.stands": verbs.standing(row[k], other[k]) for k in both}
    return found


def _quoted(part: str, runs: Shown) -> Line:
    """Return the row of a part of the plan, or of a searcher in it (`<part> gp`); empty without one."""
    part, _, searcher = part.partition(" ")
    return _line(runs.record(part), searcher or "dinas")
