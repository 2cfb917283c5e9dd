"""What the settings of DiNAS do on NAS-Bench-201, CIFAR-10: one table per setting, a row per run (Table 8, and what the
paper leaves out).

A run belongs to an ablation when it differs from the run behind Table 2 in the ablation's parameters alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from nasrepro.parameters.base import ADDED
from nasrepro.report.dinas import table_1_2 as search_tables
from nasrepro.report.drawing import Figure, render
from nasrepro.report.rendering import DATASET_NAMES, Column, Row, Table, runs_note, with_interval
from nasrepro.runs.claims import metric_row
from nasrepro.runs.plan import select, select_all
from nasrepro.runs.protocols import recorded_labels_before
from nasrepro.runs.records import Record

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

TABLE = "nb201-cifar10"  # the table whose run is varied
_MODEL = ("guidance_scale", "denoiser", "epochs")  # what the table of all data sets varies
# how much was run, not how: notes say where trainings and runs differ; the distinct protocol is not shown
_AMOUNT = {"trainings", "runs", "most_draws"}


@dataclass(frozen=True)
class Ablation:
    """One setting that is varied.

    Attributes:
        title: heads the table.
        parameters: names of the parameters that may differ from the base run.
        column: heads the column of their values.
        command: makes one more row.
    """

    title: str
    parameters: tuple[str, ...]
    column: str
    command: str


_RUN = "nasrepro run nb201 -p dataset=cifar10 -p most_draws=1"
ABLATIONS = {
    "guidance": Ablation(
        "Guidance scale", ("guidance_scale",), "Guidance scale", f"{_RUN} -p guidance_scale=1.5 --profile laptop"
    ),
    "steps": Ablation(
        "Reverse steps", ("reverse_steps",), "Reverse steps", f"{_RUN} -p reverse_steps=50 --profile laptop"
    ),
    "epsilon": Ablation(
        "Probability of the null token", ("epsilon",), "epsilon", f"{_RUN} -p epsilon=0.3 --profile laptop"
    ),
    "edge-weight": Ablation(
        "Weight of the edges in the loss", ("edge_weight",), "lambda", f"{_RUN} -p edge_weight=1 --profile laptop"
    ),
    "combine": Ablation(
        "Logits or probabilities",
        ("guide_on", "guidance_scale"),
        "Guidance combines",
        f"{_RUN} -p guide_on=probabilities --profile laptop",
    ),
    "time": Ablation("Time input", ("time_input",), "Time input", f"{_RUN} -p time_input=true --profile laptop"),
    "positions": Ablation("Positions", ("positions",), "Positions", f"{_RUN} -p positions=false --profile laptop"),
    "attention": Ablation(
        "Attention by channel, by head, or the whole graph",
        ("denoiser",),
        "Denoiser",
        f"{_RUN} -p denoiser=matrix-heads --profile laptop",
    ),
    "public-code": Ablation(
        "Choices of the public code",
        ("denoiser", "residual", "linear_inputs", "first_time", "noise_schedule", "train_share"),
        "What is as in the public code",
        f"{_RUN} -p trainings=1 -p first_time=0 --profile laptop",
    ),
    "share": Ablation(
        "Share of the wanted class in training",
        ("wanted_share",),
        "Share drawn from the wanted class",
        f"{_RUN} -p wanted_share=0.5 --profile laptop",
    ),
    "labels": Ablation(
        "Number of labels",
        ("labelled", "epochs", "wanted_share"),
        "Labels read in training",
        f"{_RUN} -p labelled=1500 -p epochs=208 --profile laptop",
    ),
    "classes": Ablation(
        "Number of classes",
        ("lower_percentiles",),
        "Classes d",
        f"{_RUN} -p lower_percentiles='[80]' --profile laptop",
    ),
}


def base_record(candidates: Sequence[Record]) -> Record | None:
    """Return the run that the ablations vary."""
    return search_tables.answering(TABLE, candidates)


def varied(name: str, candidates: Sequence[Record]) -> list[Record]:
    """Return the runs of an ablation, the base run among them, in the order of the varied values."""
    base = base_record(candidates)
    if base is None:
        return []
    may, below = ABLATIONS[name].parameters, "dinas.table8" if name == "classes" else f"dinas.ablations.{name}"
    rows = [r for r in select_all(below, candidates).values() if r.parameters["denoiser"] != "paper"]
    if name == "public-code" and (other := select("dinas.ablations.attention.matrix-channels", candidates)) is not None:
        rows.append(other)  # the network that its residual and its inputs are tried with
    return sorted([base, *rows], key=lambda r: _order(_values(r, may)))


def overview_table(candidates: Sequence[Record]) -> Table:
    """Return how much each setting changes: a row per ablation, the range of each number over its runs."""
    columns = (
        Column("Setting"),
        Column("Tried"),
        Column("Best validation, %", numeric=True),
        Column("Valid samples, %", numeric=True),
        Column("Distinct valid cells", numeric=True),
        Column("In the wanted class, %", numeric=True),
    )
    rows = []
    for name, ablation in ABLATIONS.items():
        known = [(r, row) for r in varied(name, candidates) if (row := metric_row(r, "dinas", "paper"))]
        numbers = (
            _range([row["best_valid"]["mean"] for _, row in known], 2),
            _range([100 * row["validity"]["mean"] for _, row in known], 1),
            _range([row["distinct_valid"]["mean"] for _, row in known], 0),
            _range([100 * row["in_top_class"]["mean"] for _, row in known if row["validity"]["mean"]], 1),
        )
        rows.append(Row((ablation.title, "; ".join(_said(r, ablation) for r, _ in known), *numbers), "ours"))
    caption = (
        "What each setting changes on NAS-Bench-201, CIFAR-10, from the lowest to the highest mean over the runs of "
        "its page, all else as behind Table 2. A run without a valid sample has 0 as its best."
    )
    return Table(columns, tuple(rows), caption)


def _range(values: Sequence[float], digits: int) -> str:
    low, high = (f"{end(values, default=0.0):.{digits}f}" for end in (min, max))
    return low if low == high else f"{low} to {high}"


def ablation_table(name: str, candidates: Sequence[Record]) -> Table:
    """Return the table of an ablation: a row per run, the base run marked."""
    ablation, base = ABLATIONS[name], base_record(candidates)
    columns = (
        Column(ablation.column),
        Column("Best validation, %", numeric=True),
        Column("Median of the runs, %", numeric=True),
        Column("Its test, %", numeric=True),
        Column("Valid samples, %", numeric=True),
        Column("Distinct valid cells", numeric=True),
        Column("In the wanted class, %", numeric=True),
        Column("Runs without a cell", numeric=True),
        Column("Labels read in all", numeric=True),
    )
    known = varied(name, candidates)
    rows = [_row(r, ablation, r is base) for r in known if metric_row(r, "dinas", "paper")]
    if name == "labels":
        rows += _label_only_rows(known)
    caption = f"{ablation.title}: DiNAS on NAS-Bench-201, CIFAR-10, the paper's protocol"
    if base is not None:
        p, row = base.parameters, metric_row(base, "dinas", "paper") or {}
        caption += (
            f", {p['queries']} queries. Mean [95 % interval] over {row['trainings']} trainings x {row['runs']} runs "
            "unless a note says otherwise; a run without a valid sample scores 0. Wanted class: above percentile "
            f"{p['percentile']:g} of validation accuracy (200 epochs, mean over seeds). Profile `{base.profile}`, "
            f"device {base.environment.device}."
        )
    return Table(columns, tuple(rows), caption, tuple(_notes(known, base)))


def settings_table(candidates: Sequence[Record]) -> Table:
    """Return what guidance scale and denoiser do on all three data sets: a row per run."""
    columns = (
        Column("Data set"),
        Column("Guidance scale", numeric=True),
        Column("Denoiser"),
        Column("Epochs", numeric=True),
        Column("Steps", numeric=True),
        Column("Best validation, %", numeric=True),
        Column("Distinct valid cells", numeric=True),
        Column("Valid samples, %", numeric=True),
        Column("In the wanted class, %", numeric=True),
        Column("Runs", numeric=True),
    )
    base, free = base_record(candidates), {*_MODEL, "dataset"}
    fixed, rows = _setting(base, free) if base else None, []
    for record in {**select_all("dinas.table2", candidates), **select_all("dinas.ablations", candidates)}.values():
        p, row = record.parameters, metric_row(record, "dinas", "paper")
        if row is None or record.experiment != "nb201" or _setting(record, free) != fixed:
            continue
        cells = (
            DATASET_NAMES[p["dataset"]],
            f"{p['guidance_scale']:g}",
            str(p["denoiser"]),
            f"{p['epochs']}",
            f"{p['reverse_steps']}",
            with_interval(row["best_valid"], 3),
            f"{row['distinct_valid']['mean']:.1f}",
            f"{100 * row['validity']['mean']:.1f}",
            f"{100 * row['in_top_class']['mean']:.1f}",
            f"{row['trainings']} x {row['runs']}",
        )
        order = (list(DATASET_NAMES).index(p["dataset"]), p["denoiser"], p["guidance_scale"])
        rows.append((order, Row(cells), record.key))
    caption = (
        "DiNAS under other settings, the paper's protocol. Best validation accuracy as mean [95 % interval]; distinct "
        "cells per run; shares of all samples and of the valid samples; runs as trainings x runs."
    )
    rows.sort(key=lambda entry: entry[0])
    return Table(columns, tuple(row for _, row, _ in rows), caption, runs_note(key for *_, key in rows))


def curve(candidates: Sequence[Record]) -> Figure:
    """Return what the guidance scale does to validity, diversity, concentration and the best cell found."""
    rows = []
    for record in varied("guidance", candidates):
        row = metric_row(record, "dinas", "paper")
        if row is not None:
            queries = record.parameters["queries"]
            rows.append(
                {
                    "guidance_scale": record.parameters["guidance_scale"],
                    "valid samples, %": 100 * row["validity"]["mean"],
                    "distinct valid cells, % of queries": 100 * row["distinct_valid"]["mean"] / queries,
                    "valid samples in the wanted class, %": 100 * row["in_top_class"]["mean"],
                    "best_validation_mean": row["best_valid"]["mean"],
                    "best_validation_median": row["best_valid"]["median"],
                }
            )
    data = pd.DataFrame(rows)

    def draw(canvas: Canvas) -> None:
        axes = canvas.subplots()
        lines = (("solid", "o", "#0b3c6f"), ((0, (5, 2)), "s", "#3d8bd4"), ((0, (1, 1.4)), "D", "#b3540f"))
        for column, (pattern, marker, colour) in zip(data.columns[1:4], lines, strict=True):
            axes.plot(
                data["guidance_scale"], data[column], label=column, linestyle=pattern, marker=marker, color=colour
            )
        axes.set_xlabel("guidance scale γ")
        axes.set_ylabel("%")
        axes.set_ylim(0, 104)
        canvas.legend(loc="outside lower center", ncols=1, frameon=False, handlelength=4)

    said = "; ".join(
        f"at scale {r['guidance_scale']:g} {r['valid samples, %']:.0f} % valid, "
        f"{r['distinct valid cells, % of queries']:.0f} % distinct, {r['valid samples in the wanted class, %']:.0f} % "
        "of the valid in the wanted class"
        for r in rows
    )
    return render(draw, (6.4, 4.4), f"Line chart against the guidance scale: {said}.", data)


def _setting(record: Record, free: set[str]) -> dict[str, Any]:
    """Return all parameters but the free ones; those that came later have their neutral value in earlier records."""
    given = {**ADDED, **record.parameters}
    return {k: v for k, v in given.items() if k not in free | _AMOUNT}


def _values(record: Record, names: Sequence[str]) -> tuple[Any, ...]:
    return tuple(record.parameters.get(n, ADDED.get(n)) for n in names)


def _order(values: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(len(v) if isinstance(v, list) else str(v) if isinstance(v, str) else v for v in values)


def _said(record: Record, ablation: Ablation) -> str:
    """Return the varied values of a run as text."""
    p = {**ADDED, **record.parameters}
    if ablation.parameters == ("lower_percentiles",):
        cuts = [*p["lower_percentiles"], p["percentile"]]
        return f"{len(cuts) + 1}, cuts at {', '.join(f'{c:g}' for c in cuts)}"
    if ablation.parameters[0] == "labelled":
        count = f"{p['labelled']:,}" if p["labelled"] else "all 15,625"
        return f"{count}{', wanted class favoured' if p['wanted_share'] else ''}"
    if ablation.parameters == ("guide_on", "guidance_scale"):
        return f"{p['guide_on']}, scale {p['guidance_scale']:g}"
    if "residual" in ablation.parameters:
        return _as_in_the_public_code(p)
    value = p[ablation.parameters[0]]
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else _number(value)


def _as_in_the_public_code(p: Mapping[str, Any]) -> str:
    """Return which choices of the public code a run makes, with its network."""
    said = {
        "the noisy cell added to the output": p["residual"],
        "one-hot inputs": p["linear_inputs"],
        "times from 0": p["first_time"] == 0,
        "its schedule": p["noise_schedule"] == "public-code",
        "1 % of the cells held out": p["train_share"] < 1,
    }
    choices = [name for name, made in said.items() if made]
    return f"{', '.join(choices) or 'none'}; `{p['denoiser']}` network"


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _row(record: Record, ablation: Ablation, is_base: bool) -> Row:
    row = metric_row(record, "dinas", "paper")
    assert row is not None
    labels = recorded_labels_before(record, row) + row["distinct_valid"]["mean"]
    cells = (
        _said(record, ablation) + (" (Table 2)" if is_base else ""),
        with_interval(row["best_valid"], 3),
        f"{row['best_valid']['median']:.3f}",
        with_interval(row["test"], 2) if row["test"] else "no test data",
        f"{100 * row['validity']['mean']:.1f}",
        with_interval(row["distinct_valid"], 1),
        f"{100 * row['in_top_class']['mean']:.1f}",
        f"{row['failed_runs']} of {row['trainings'] * row['runs']}",
        f"{labels:,.0f}",
    )
    return Row(cells, "ours")


def _label_only_rows(known: Sequence[Record]) -> list[Row]:
    """Return what the labels alone give: the draw from the best of the labelled, the best of which is known."""
    rows = []
    for record in known:
        m, row = record.parameters.get("labelled"), metric_row(record, "top_class", "paper")
        if not m or row is None or record.parameters.get("wanted_share"):
            continue
        cells = (
            f"uniform draw from the best 5 % of {m:,}",
            with_interval(row["best_valid"], 3),
            f"{row['best_valid']['median']:.3f}",
            with_interval(row["test"], 2) if row["test"] else "no test data",
            "100.0",
            with_interval(row["distinct_valid"], 1),
            "not measured",
            f"{row['failed_runs']} of {row['trainings'] * row['runs']}",
            f"{m:,}",
        )
        rows.append(Row(cells))
    return rows


def _notes(known: Sequence[Record], base: Record | None) -> list[str]:
    """Say which rows have another number of runs, and name the runs."""
    notes = []
    if base is not None:
        usual = metric_row(base, "dinas", "paper") or {}
        for record in known:
            row = metric_row(record, "dinas", "paper") or {}
            if (row.get("trainings"), row.get("runs")) != (usual.get("trainings"), usual.get("runs")):
                notes.append(f"Run `{record.key}`: trainings x runs = {row['trainings']} x {row['runs']}.")
    return [*notes, *runs_note(r.key for r in known)]
