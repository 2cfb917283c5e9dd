"""What a number of reverse steps allows at best: samples of exact probabilities beside those of our networks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nasrepro.report import verbs
from nasrepro.report.dinas.table_4 import DEVICE_NAMES
from nasrepro.report.rendering import DATASET_NAMES, Table, number, runs_note, tabulate, text
from nasrepro.runs.claims import metric_row
from nasrepro.runs.plan import Shown, find, load_plan
from nasrepro.runs.records import Record

Line = dict[str, Any]  # a row: name, steps, shares of all samples; percentile, size and distinct_wanted of exact ones

_COLUMNS = (
    text("Wanted class", lambda line: line["name"]),
    number("Percentile", lambda line: line.get("percentile", "")),
    number("Cells in it", lambda line: line.get("size", "")),
    number("Reverse steps", lambda line: line["steps"]),
    number("Valid, %", lambda line: line["valid"], 1, percent=True),
    number(
        "In the bound, %", lambda line: "no bound" if line["feasible"] is None else line["feasible"], 1, percent=True
    ),
    number("Wanted, %", lambda line: line["wanted"], 1, percent=True),
    number("Distinct wanted", lambda line: line.get("distinct_wanted", "not counted")),
)


def exact_table(runs: Shown) -> Table:
    """Return the run of each wanted class, the shares of our networks of the same class below it."""
    known = _by_class(runs)
    lines = [line for r in known.values() for line in (*_exact(r), *_networks(r.parameters, runs))]
    samples = ", ".join(f"{n:,}" for n in sorted({record.parameters["samples"] for record in known.values()}))
    caption = (
        "Samples drawn with exact posterior probabilities of the wanted class, no network, no guidance, by the number "
        f"of reverse steps; {samples} samples each. Rows of networks: the samples of our guided runs. Shares are of "
        "all samples."
    )
    notes = [*not_run(runs, "dinas.exact."), *runs_note(record.key for record in known.values())]
    return tabulate(_COLUMNS, lines, caption, notes, kind=lambda x: "" if "size" in x else "ours", name="exact")


def numbers(runs: Shown) -> dict[str, float | int | str | None]:
    """Return the numbers that sentences quote: shares of samples by benchmark and number of steps,
    `exact.<benchmark>.<steps>.<valid|feasible|wanted>`, and `exact.<benchmark>.<steps>.network`, whether the samples of
    our network are more often in the wanted class than those of exact probabilities."""
    found: dict[str, float | int | str | None] = {}
    for record in _by_class(runs).values():
        name, exact = f"exact.{record.parameters['benchmark']}", {line["steps"]: line for line in _exact(record)}
        found |= {f"{name}.{n}.{k}": x[k] for n, x in exact.items() for k in ("valid", "feasible", "wanted")}
        for line in _networks(record.parameters, runs):
            more = line["wanted"] > exact.get(line["steps"], line)["wanted"]
            found[f"{name}.{line['steps']}.network"] = verbs.holds(more, "more often", "less often")
    return found


def _by_class(runs: Shown) -> dict[str, Record]:
    """Return the run of each wanted class, by its name."""
    found = {_class(record.parameters): record for record in runs.below("dinas.exact").values()}
    return dict(sorted(found.items()))


def not_run(runs: Shown, *parts: str) -> list[str]:
    """Return a note for each run of parts of the plan without a record; a part that ends in a dot is what is below."""
    below = tuple(part for part in parts if part.endswith("."))
    wanted = [p for p in load_plan() if (p.id in parts or p.id.startswith(below)) and not p.recipe and not p.trial]
    missing = [p for p in wanted if p.id not in runs.yours and find(p, runs) is None]
    return [f"`{p.id}`: not run; to make it: `{p.command}`." for p in missing]


def _class(p: Mapping[str, Any]) -> str:
    if p["benchmark"] == "hw-nb201":
        return f"{DEVICE_NAMES[p['platform']]}, {p['latency']:g} ms"
    dataset = DATASET_NAMES.get(p["dataset"])
    names = {"nb201": f"NAS-Bench-201, {dataset}", "nb101": "NAS-Bench-101", "nb301": "NAS-Bench-301, normal cells"}
    return names[p["benchmark"]]


def _exact(record: Record) -> Iterator[Line]:
    p, size = record.parameters, record.metrics["distinct_wanted"]
    return (
        {**x, "name": _class(p), "percentile": f"{p['percentile']:g}", "size": size} for x in record.metrics["by_steps"]
    )


def _networks(p: Mapping[str, Any], runs: Shown) -> Iterator[Line]:
    """Yield what the networks behind our tables drew of the same class, guided; nothing of pairs of cells, whose shares
    say nothing of single ones."""
    parts = {
        "nb201": f"dinas.table2.{p['dataset']}",
        "nb101": "dinas.table1",
        "hw-nb201": f"dinas.table4.{p['platform']}.{p['latency']:g}",
    }
    base = parts.get(p["benchmark"])
    known = [record for q in load_plan() if q.id == base and (record := runs.record(q.id)) is not None]
    if base == "dinas.table2.cifar10":
        known += runs.below("dinas.ablations.steps").values()
    for record in sorted(known, key=lambda r: r.parameters["reverse_steps"]):
        row, q = metric_row(record, "dinas", "paper"), record.parameters
        if row is not None and q["percentile"] == p["percentile"]:
            feasible = row["feasibility"]["mean"] if "feasibility" in row else None
            valid = row["validity"]["mean"] if feasible is None else row["valid_share"]
            wanted_share = (valid if feasible is None else feasible) * row["in_top_class"]["mean"]
            shares = {"valid": valid, "feasible": feasible, "wanted": wanted_share}
            yield {"name": f"our network, scale {q['guidance_scale']:g}", "steps": q["reverse_steps"], **shares}
