"""Figures 4 and 5 of Delta-NAS by training set: 100 labels, 1 % and 10 % of the space, Zen-scores and no label.

The paper speaks of the last three. Each is a record of `delta_search` with `methods=printed`; 100 labels are ours, and
the record of the figures. Delta-NAS as printed stands beside a plain predictor with as many labels, and beside random
search; how many of the paper's other lines are not behind it is counted as the paper counts, training free.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from operator import itemgetter
from typing import Any

from nasrepro.parameters.delta import OTHER_LINES
from nasrepro.report import verbs
from nasrepro.report.delta.figure_4_5 import BENCHMARKS, METHODS, PARTS, ZERO, word
from nasrepro.report.rendering import Table, number, tabulate, text, with_interval
from nasrepro.runs.claims import metric_row
from nasrepro.runs.plan import Shown, planned
from nasrepro.runs.records import Record

EVALUATIONS, LITERAL, PLAIN, RANDOM = "evaluations", "delta_literal", "plain_ranking", "random"
OURS = "100"  # the record of the figures, of all methods
SETS = {
    OURS: "100 labels (ours)",
    "1pct": "1 % of the space",
    "10pct": "10 % of the space",
    "zen": "Zen-scores, no label",
}


def part_of(benchmark: str, name: str) -> str:
    """Return the id of the plan's entry of a training set."""
    return PARTS[benchmark] if name == OURS else f"{PARTS[benchmark]}.{name}"


def _records(benchmark: str, runs: Shown) -> dict[str, Record | None]:
    return {name: runs.record(part_of(benchmark, name)) for name in SETS}


def _to_make(benchmark: str, found: Mapping[str, Record | None]) -> list[str]:
    missing = [f"`{planned(part_of(benchmark, name)).command}`" for name, record in found.items() if record is None]
    return [f"To make what was not run: {', '.join(missing)}."] if missing else []


def read_for_training(record: Record, method: str) -> tuple[float, float]:
    """Return how many labels, and how many Zen-scores, a run of a method read before its search, in the mean."""
    found = [c for c in record.labels if (c.reader, c.purpose) == (method, "train")]
    zen = sum(c.reads for c in found if "zen" in c.column)
    return (sum(c.reads for c in found) - zen) / record.parameters["runs"], zen / record.parameters["runs"]


def accuracy_table(benchmark: str, runs: Shown) -> Table:
    """Return the test accuracy of Delta-NAS as printed and of its controls by training set."""
    found = _records(benchmark, runs)
    first = next((record for record in found.values() if record is not None), None)
    at = first.metrics["checkpoints"] if first else [planned(PARTS[benchmark]).resolved["queries"]]
    columns = (
        *(text("Trained on", itemgetter("set")), text("Method", lambda row: METHODS[row["searcher"]])),
        *(number("Labels before the search", itemgetter("labels")), number("Zen-scores", itemgetter("zen"))),
        *(number("Runs", itemgetter("runs")), number("Best training cell, test %", itemgetter("training_test"), 3)),
        *(number(f"Test accuracy at {c}, %", itemgetter(f"test_{c}"), 3) for c in at),
        number(f"Population to the optimum at {at[-1]}, edits", itemgetter(f"population_distance_{at[-1]}"), 2),
    )
    lines = [(SETS[name], record, method) for name, record in found.items() for method in (LITERAL, PLAIN)]
    lines += [("nothing", first, method) for method in OTHER_LINES]
    rows = [row for line in lines if (row := _row(*line)) is not None]
    caption = (
        f"{BENCHMARKS[benchmark]}: test accuracy by training set, counted as the paper counts: evaluations of the "
        "search, training free. Mean [95 % interval] over runs."
    )
    return tabulate(
        columns, rows, caption, _to_make(benchmark, found),
        kind=lambda row: "ours" if row["searcher"] == LITERAL else "", name=f"training-sets-{benchmark}-accuracy",
    )  # fmt: skip


def _row(title: str, record: Record | None, method: str) -> Mapping[str, Any] | None:
    """Return the row of a method with what it read; None where the record has none."""
    if record is None:
        return defaultdict(lambda: "not run", set=title, searcher=method)
    if (row := metric_row(record, method, EVALUATIONS)) is None:
        return None
    labels, zen = read_for_training(record, method)
    read = {"set": title, "labels": labels, "zen": zen, "runs": record.parameters["runs"]}
    return {"training_test": "", **row, **read}


_CLAIMS = (
    text("Trained on", itemgetter("set")),
    number("Others as accurate", itemgetter("as_accurate")),
    number("Others as near", itemgetter("as_close")),
    number("Others as fast", itemgetter("as_fast")),
    number("Ahead of the best other, points", itemgetter("accuracy_ahead"), 3),
    number("From the nearest other, edits", itemgetter("distance_ahead"), 3),
    number("Ahead of random search", itemgetter(RANDOM)),
    number("Ahead of the plain predictor", itemgetter(PLAIN)),
)


def claims_table(benchmark: str, runs: Shown) -> Table:
    """Return what the paper says of its figures, by training set."""
    found = _records(benchmark, runs)
    caption = (
        f"{BENCHMARKS[benchmark]}: Delta-NAS as printed against the five other methods of the paper's figure; mean "
        "[95 % interval] over runs. Last two columns: points of test accuracy at the end, and p."
    )
    rows = [_claims(SETS[name], record) for name, record in found.items()]
    return tabulate(_CLAIMS, rows, caption, _to_make(benchmark, found), name=f"training-sets-{benchmark}-claims")


def _claims(title: str, record: Record | None) -> Mapping[str, Any]:
    if record is None:
        return defaultdict(lambda: "not run", set=title)
    against = {
        e["rival"]: f"{with_interval(e['ahead'], 3)}, p {e['p_holm']:.2g}" for e in record.metrics.get("against", ())
    }
    row = metric_row(record, LITERAL, "claims") or {}
    counts = {n: row[n]["mean"] for n in ("as_accurate", "as_close", "as_fast")}
    return {RANDOM: "not compared", PLAIN: "not compared", **row, **counts, **against, "set": title}


def numbers(runs: Shown, benchmark: str | None = None) -> dict[str, float | int | str | None]:
    """Return what sentences quote, of one benchmark or both: `delta_search.<benchmark>.<set>.` and one of `runs`,
    `<method>.test.<statistic>` (at the end), `<method>.training_test.<statistic>` (the best training cell),
    `<accuracy_ahead|distance_ahead>.<statistic>`, and the words `nearer` (population over the curve, than that of the
    nearest other method) and `against.<rival>`; without a record they are left out."""
    out: dict[str, float | int | str | None] = {}
    spaces = BENCHMARKS if benchmark is None else (benchmark,)
    found = {f"delta_search.{s}.{name}": record for s in spaces for name, record in _records(s, runs).items() if record}
    for key, record in found.items():
        out[f"{key}.runs"] = record.parameters["runs"]
        fields = {f"test_{record.metrics['checkpoints'][-1]}": "test", "training_test": "training_test"}
        for row in (row for row in record.metrics["rows"] if row["protocol"] == EVALUATIONS):
            summaries = {f"{row['searcher']}.{fields[n]}": row[n] for n in fields if n in row}
            out |= {f"{key}.{n}.{s}": v for n, summary in summaries.items() for s, v in summary.items()}
        claims = metric_row(record, LITERAL, "claims") or {}
        out |= {f"{key}.{n}.{s}": v for n in ("accuracy_ahead", "distance_ahead") for s, v in claims[n].items()}
        words = ("farther from", "as far from", "nearer to")
        out[f"{key}.nearer"] = verbs.standing(claims["distance_ahead"], ZERO, words)
        out |= {f"{key}.against.{e['rival']}": word(e) for e in record.metrics.get("against", ())}
    return out
