"""What a number of reverse steps allows at best: samples of exact probabilities beside those of our networks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nasrepro.report import verbs
from nasrepro.report.dinas.table_4 import DEVICE_NAMES
from nasrepro.report.rendering import DATASET_NAMES, Table, number, runs_note, tabulate, text
from nasrepro.report.rows import not_run, row_of
from nasrepro.runs.plan import Shown, load_plan
from nasrepro.runs.records import Record

_COLUMNS = (
    text("Wanted class", "name"),
    number("Percentile", lambda line: line.get("percentile", ""), "g"),
    number("Cells in it", lambda line: line.get("size", "")),
    number("Reverse steps", "steps"),
    number("Valid, %", "valid", 1, percent=True),
    number(
        "In the bound, %", lambda line: "no bound" if line["feasible"] is None else line["feasible"], 1, percent=True
    ),
    number("Wanted, %", "wanted", 1, percent=True),
    number("Distinct wanted", lambda line: line.get("distinct_wanted", "not counted")),
)


def exact_table(runs: Shown) -> Table:
    """Return the run of each wanted class, the shares of our networks of the same class below it."""
    known = _by_class(runs)
    lines: list[dict[str, Any]] = []
    for name, record in known.items():
        told = {"name": name, "percentile": record.parameters["percentile"], "size": record.metrics["distinct_wanted"]}
        lines += [told | exact for exact in record.metrics["by_steps"]]
        lines += _networks(record.parameters, runs)
    samples = ", ".join(f"{n:,}" for n in sorted({record.parameters["samples"] for record in known.values()}))
    caption = (
        "Samples drawn with exact posterior probabilities of the wanted class, no network, no guidance, by the number "
        f"of reverse steps; {samples} samples each. Rows of networks: the samples of our guided runs. Shares are of "
        "all samples."
    )
    notes = [*not_run(runs, "dinas.exact."), *runs_note(record.key for record in known.values())]
    return tabulate(_COLUMNS, lines, caption, notes, kind=lambda x: "" if "size" in x else "ours", name="exact")


def numbers(runs: Shown) -> dict[str, Any]:
    """Return what sentences quote: `verbs.quoted` below `exact.<benchmark>`, and `exact.<benchmark>.<steps>.network`,
    whether the samples of our network are more often in the wanted class than those of exact probabilities."""
    found: dict[str, Any] = {}
    for record in _by_class(runs).values():
        exact = verbs.quoted(name := f"exact.{record.parameters['benchmark']}", record)
        found |= exact
        for line in _networks(record.parameters, runs):
            more = line["wanted"] > exact.get(f"{name}.by_steps.{line['steps']}", line)["wanted"]
            found[f"{name}.{line['steps']}.network"] = verbs.holds(more, "more often", "less often")
    return found


def _by_class(runs: Shown) -> dict[str, Record]:
    """Return the run of each wanted class, by its name."""
    found = {_class(record.parameters): record for record in runs.below("dinas.exact").values()}
    return dict(sorted(found.items()))


def _class(p: Mapping[str, Any]) -> str:
    if p["benchmark"] == "hw-nb201":
        return f"{DEVICE_NAMES[p['platform']]}, {p['latency']:g} ms"
    dataset = DATASET_NAMES.get(p["dataset"])
    names = {"nb201": f"NAS-Bench-201, {dataset}", "nb101": "NAS-Bench-101", "nb301": "NAS-Bench-301, normal cells"}
    return names[p["benchmark"]]


def _networks(p: Mapping[str, Any], runs: Shown) -> Iterator[dict[str, Any]]:
    """Yield what the networks behind our tables drew of the same class, guided; nothing of pairs of cells, whose shares
    say nothing of single ones."""
    parts = {
        "nb201": f"dinas.ablations.base.{p['dataset']}",
        "nb101": "dinas.table1",
        "hw-nb201": f"dinas.table4.{p['platform']}.{p['latency']:g}",
    }
    base = parts.get(p["benchmark"])
    known = [record for q in load_plan() if q.id == base and (record := runs.record(q.id)) is not None]
    if base == "dinas.ablations.base.cifar10":
        known += runs.below("dinas.ablations.steps").values()
    for record in sorted(known, key=lambda r: r.parameters["reverse_steps"]):
        row, q = row_of(record, "dinas"), record.parameters
        if row and q["percentile"] == p["percentile"]:
            feasible = row["feasibility"]["mean"] if "feasibility" in row else None
            valid = row["validity"]["mean"] if feasible is None else row["valid_share"]
            wanted_share = (valid if feasible is None else feasible) * row["in_top_class"]["mean"]
            shares = {"valid": valid, "feasible": feasible, "wanted": wanted_share}
            yield {"name": f"our network, scale {q['guidance_scale']:g}", "steps": q["reverse_steps"], **shares}
