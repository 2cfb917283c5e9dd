"""Figures 4 and 5 of Delta-NAS by training set: 100 labels, 1 % and 10 % of the space, Zen-scores and no label.

The paper speaks of the last three. Each is a record of `delta_search` with `methods=printed`; 100 labels are ours, and
the record of the figures. Delta-NAS as printed stands beside a plain predictor with as many labels, and beside random
search; how many of the paper's other lines are not behind it is counted as the paper counts, training free.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nasrepro.parameters.delta import OTHER_LINES
from nasrepro.report.delta.figure_4_5 import BENCHMARKS, METHODS, PARTS
from nasrepro.report.fragments import Fragments, command, provenance, table
from nasrepro.report.rendering import Column, Row, Table, with_interval
from nasrepro.runs.claims import metric_row
from nasrepro.runs.plan import planned, select
from nasrepro.runs.records import Record, Run

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


def read_for_training(record: Record, method: str) -> tuple[float, float]:
    """Return how many labels, and how many Zen-scores, a run of a method read before its search, in the mean."""
    found = [c for c in record.labels if (c.reader, c.purpose) == (method, "train")]
    zen = sum(c.reads for c in found if "zen" in c.column)
    return (sum(c.reads for c in found) - zen) / record.parameters["runs"], zen / record.parameters["runs"]


def accuracy_table(shown: Mapping[str, Record]) -> Table:
    """Return the test accuracy of Delta-NAS as printed and of its controls by training set (set -> record)."""
    first = next(iter(shown.values()))
    last = first.metrics["checkpoints"][-1]
    columns = (
        *(Column("Trained on"), Column("Method"), Column("Labels before the search", numeric=True)),
        *(Column("Zen-scores", numeric=True), Column("Runs", numeric=True)),
        Column("Best training cell, test %", numeric=True),
        *(Column(f"Test accuracy at {c}, %", numeric=True) for c in first.metrics["checkpoints"]),
        Column(f"Population to the optimum at {last}, edits", numeric=True),
    )
    rows = []
    trained = [(name, record, method) for name, record in shown.items() for method in (LITERAL, PLAIN)]
    for name, record, method in [*trained, *(("", first, method) for method in OTHER_LINES)]:
        row = metric_row(record, method, EVALUATIONS)
        if row is None:
            continue
        labels, scores = read_for_training(record, method)
        best = row.get("training_test")
        cells = (
            *(SETS[name] if name else "nothing", METHODS[method]),
            *(f"{labels:,.0f}", f"{scores:,.0f}"),
            *(f"{record.parameters['runs']}", with_interval(best, 3) if best else ""),
            *(with_interval(row[f"test_{c}"], 3) for c in record.metrics["checkpoints"]),
            with_interval(row[f"population_distance_{last}"], 2),
        )
        rows.append(Row(cells, "ours" if method == LITERAL else ""))
    trees = [SETS[n] for n, r in shown.items() if metric_row(r, PLAIN, EVALUATIONS) and _by_trees(r)]
    instead = f"; at {' and '.join(trees)}, gradient-boosted trees" if trees else ""
    caption = (
        f"{BENCHMARKS[first.parameters['benchmark']][0]}: searches by training set, counted as the paper counts: "
        "evaluations of the search, training free. Mean [95 % interval] over runs. The best training cell is what the "
        "training labels hold without any search. A plain predictor is a Gaussian process fitted to the accuracies of "
        f"random cells{instead}; its best cells are evaluated one after the other."
    )
    return Table(columns, tuple(rows), caption)


def _by_trees(record: Record) -> bool:
    """Return whether the plain predictor was gradient-boosted trees (`delta_contestants.MOST_OF_GP`)."""
    return bool(record.parameters["training_labels"] > 5_000)


def claims_table(shown: Mapping[str, Record]) -> Table:
    """Return what the paper says of its figures, by training set (set -> record)."""
    columns = (
        *(Column("Trained on"), Column("Others as accurate", numeric=True), Column("Others as near", numeric=True)),
        *(Column("Others as fast", numeric=True), Column("Ahead of the best other, points", numeric=True)),
        *(Column("From the nearest other, edits", numeric=True), Column("Ahead of random search", numeric=True)),
        Column("Ahead of the plain predictor", numeric=True),
    )
    rows = []
    for name, record in shown.items():
        row = metric_row(record, LITERAL, "claims")
        assert row is not None
        counts = (f"{row[count]['mean']:.0f}" for count in ("as_accurate", "as_close", "as_fast"))
        aheads = (with_interval(row[f"{measure}_ahead"], 3) for measure in ("accuracy", "distance"))
        rows.append(Row((SETS[name], *counts, *aheads, *(_ahead(record, r) for r in (RANDOM, PLAIN))), "ours"))
    caption = (
        "Delta-NAS as printed against the five other methods of the paper's figure. The paper says that none of the "
        "five is as accurate at the end, as near to the optimum over the curve, or as fast to what evolution with SEP "
        "crossover has at the end: 0, 0 and 0, a positive lead in accuracy and a negative one in edits. A method that "
        "never reaches that level is as fast as nobody. Last two columns: points of test accuracy at the end; p of a "
        "two-sided Mann-Whitney test, Holm-adjusted over all rivals of the row."
    )
    return Table(columns, tuple(rows), caption)


def _against(record: Record, rival: str) -> dict[str, Any]:
    return next((e for e in record.metrics.get("against", ()) if e["rival"] == rival), {})


def _ahead(record: Record, rival: str) -> str:
    entry = _against(record, rival)
    return f"{with_interval(entry['ahead'], 3)}, p {entry['p_holm']:.2g}" if entry else "not compared"


def write(out: Fragments, committed: Sequence[Run]) -> None:
    """Write the parts of the pages on Figures 4 and 5 by training set: `training-sets-<benchmark>`."""
    for benchmark in BENCHMARKS:
        name = f"training-sets-{benchmark}"
        runs = {n: select(part_of(benchmark, n), committed) for n in SETS}
        shown = {n: run[1] for n, run in runs.items() if run is not None}
        parts, ids = [], []
        if shown:
            parts = [
                table(f"{name}-accuracy", accuracy_table(shown)),
                table(f"{name}-claims", claims_table(shown)),
                *(provenance(record) for n, record in shown.items() if n != OURS),
            ]
            ids = [f"table-{name}-accuracy", f"table-{name}-claims"]
        missing = [planned(part_of(benchmark, n)).command for n, run in runs.items() if run is None]
        if missing:
            parts += ["There is no committed record of some training sets yet. This makes them:"]
            parts.append(command("\n".join(missing)))
        out.write(name, parts, ids)


def values(committed: Sequence[Run]) -> dict[str, float | int | str | None]:
    """Return the numbers that the pages quote, None without a record: `delta_search.<benchmark>.<set>.` and one of
    `training_labels`, `runs`, `<method>.test.<statistic>` (at the end), `<method>.training_test.<statistic>` (the best
    training cell), `as_accurate`, `as_close`, `as_fast`, `accuracy_ahead.<statistic>`, `distance_ahead.<statistic>`,
    `against.<rival>.<statistic>` (of random search and the plain predictor) and `against.<rival>.p`."""
    out: dict[str, float | int | str | None] = {}
    for benchmark in BENCHMARKS:
        for name in SETS:
            run = select(part_of(benchmark, name), committed)
            record, key = run[1] if run else None, f"delta_search.{benchmark}.{name}"
            missing = "not measured" if record else None

            def put(key: str, found: Any, missing: str | None = missing) -> None:
                for statistic in ("mean", "low", "high"):
                    value = (found or {}).get(statistic)
                    out[f"{key}.{statistic}"] = missing if value is None else value

            for field in ("training_labels", "runs"):
                out[f"{key}.{field}"] = record.parameters[field] if record else None
            for method in (LITERAL, PLAIN, *OTHER_LINES):
                row = (metric_row(record, method, EVALUATIONS) if record else None) or {}
                put(f"{key}.{method}.test", row.get(f"test_{record.metrics['checkpoints'][-1]}") if record else None)
                put(f"{key}.{method}.training_test", row.get("training_test"))
            row = (metric_row(record, LITERAL, "claims") if record else None) or {}
            for field in ("as_accurate", "as_close", "as_fast"):
                out[f"{key}.{field}"] = row[field]["mean"] if row else None
            for field in ("accuracy_ahead", "distance_ahead"):
                put(f"{key}.{field}", row.get(field))
            for rival in (RANDOM, PLAIN):
                entry = _against(record, rival) if record else {}
                put(f"{key}.against.{rival}", entry.get("ahead"))
                out[f"{key}.against.{rival}.p"] = entry.get("p_holm", missing)
    return out
