"""Figures 4 and 5 of Delta-NAS by training set: 100 labels, 1 % and 10 % of the space, Zen-scores and no label.

The paper speaks of the last three. Each is a record of `delta_search` with `methods=printed`; 100 labels are ours, and
the record of the figures. Delta-NAS as printed stands beside a plain predictor with as many labels, and beside random
search; how many of the paper's other lines are not behind it is counted as the paper counts, training free.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nasrepro.parameters.delta import OTHER_LINES
from nasrepro.report import verbs
from nasrepro.report.delta.figure_4_5 import BENCHMARKS, METHODS, PARTS, word
from nasrepro.report.rendering import NOT_RUN, Table, number, tabulate, text, with_interval
from nasrepro.report.rows import not_run, row_of
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


def _missing(benchmark: str, runs: Shown) -> list[str]:
    return not_run(runs, *(part_of(benchmark, name) for name in SETS))


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
        text("Trained on", "set"),
        text("Method", lambda row: METHODS[row["searcher"]]),
        number("Labels before the search", "labels"),
        number("Zen-scores", "zen"),
        number("Runs", "runs"),
        number("Best training cell, test %", lambda row: row.get("training_test", "" if "runs" in row else NOT_RUN), 3),
        *(number(f"Test accuracy at {c}, %", f"test_{c}", 3) for c in at),
        number(f"Population to the optimum at {at[-1]}, edits", f"population_distance_{at[-1]}", 2),
    )
    lines = [(SETS[name], record, method) for name, record in found.items() for method in (LITERAL, PLAIN)]
    lines += [("nothing", first, method) for method in OTHER_LINES]
    rows = [row for line in lines if (row := _row(*line)) is not None]
    caption = (
        f"{BENCHMARKS[benchmark]}: test accuracy by training set, counted as the paper counts: evaluations of the "
        "search, training free. Mean [95 % interval] over runs."
    )
    return tabulate(
        columns, rows, caption, _missing(benchmark, runs),
        kind=lambda row: "ours" if row["searcher"] == LITERAL else "", name=f"training-sets-{benchmark}-accuracy",
    )  # fmt: skip


def _row(title: str, record: Record | None, method: str) -> Mapping[str, Any] | None:
    """Return the row of a method with what it read; None where the record has none."""
    if record is None:
        return {"set": title, "searcher": method}
    if not (row := row_of(record, method, EVALUATIONS)):
        return None
    labels, zen = read_for_training(record, method)
    return row | {"set": title, "labels": labels, "zen": zen, "runs": record.parameters["runs"]}


_CLAIMS = (
    text("Trained on", "set"),
    number("Others as accurate", "as_accurate.mean"),
    number("Others as near", "as_close.mean"),
    number("Others as fast", "as_fast.mean"),
    number("Ahead of the best other, points", "accuracy_ahead", 3),
    number("From the nearest other, edits", "distance_ahead", 3),
    number("Ahead of random search", RANDOM),
    number("Ahead of the plain predictor", PLAIN),
)


def claims_table(benchmark: str, runs: Shown) -> Table:
    """Return what the paper says of its figures, by training set."""
    found = _records(benchmark, runs)
    caption = (
        f"{BENCHMARKS[benchmark]}: Delta-NAS as printed against the five other methods of the paper's figure; mean "
        "[95 % interval] over runs. Last two columns: points of test accuracy at the end, and p."
    )
    rows = [_claims(SETS[name], record) for name, record in found.items()]
    return tabulate(_CLAIMS, rows, caption, _missing(benchmark, runs), name=f"training-sets-{benchmark}-claims")


def _claims(title: str, record: Record | None) -> Mapping[str, Any]:
    if record is None:
        return {"set": title}
    against = {
        e["rival"]: f"{with_interval(e['ahead'], 3)}, p {e['p_holm']:.2g}" for e in record.metrics.get("against", ())
    }
    return dict.fromkeys((RANDOM, PLAIN), "not compared") | row_of(record, LITERAL, "claims") | against | {"set": title}


def numbers(runs: Shown, benchmark: str) -> dict[str, Any]:
    """Return what sentences quote of one benchmark, by `verbs.quoted` below `delta_search.<benchmark>.<set>`.

    Also `<method>.test` (at the end), and the words `nearer` (population over the curve, than that of the nearest other
    method) and `against.<rival>`; without a record they are left out.
    """
    found: dict[str, Any] = {}
    for name, record in _records(benchmark, runs).items():
        key = f"delta_search.{benchmark}.{name}"
        found |= verbs.quoted(key, record)
        if record is not None:
            rows = {row["searcher"]: row for row in record.metrics["rows"] if row["protocol"] == EVALUATIONS}
            last = f"test_{record.metrics['checkpoints'][-1]}"
            found |= verbs.quoted(key, {f"{method}.test": row[last] for method, row in rows.items()})
            ahead, words = found[f"{key}.{LITERAL}.claims.distance_ahead"], ("farther from", "as far from", "nearer to")
            found[f"{key}.nearer"] = verbs.standing(ahead, 0.0, words)
            found |= {f"{key}.against.{e['rival']}": word(e) for e in record.metrics.get("against", ())}
    return found
