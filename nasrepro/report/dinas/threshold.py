"""What the percentile f decides on NAS-Bench-101: the finer the wanted class, the more the labels alone give."""

from __future__ import annotations

from collections.abc import Sequence

from nasrepro.report.rendering import Column, Row, Table, runs_note, with_interval
from nasrepro.runs.claims import metric_row
from nasrepro.runs.plan import select
from nasrepro.runs.records import Record, Run


def threshold_table(candidates: Sequence[Record]) -> Table:
    """Return a row per percentile and method, from the runs of `nb101` that differ in the percentile alone."""
    columns = (
        Column("Percentile f", numeric=True),
        Column("Cells in the wanted class", numeric=True),
        Column("Method"),
        Column("Best value, %", numeric=True),
        Column("Median of the runs, %", numeric=True),
        Column("Distinct cells queried", numeric=True),
        Column("Valid samples, %", numeric=True),
        Column("Runs", numeric=True),
    )
    known = by_percentile(candidates)
    rows = []
    for percentile, record in known.items():
        for searcher, protocol, text in (
            ("dinas", "distinct", "DiNAS, distinct cells"),
            ("top_class", "paper", "Uniform draw from the labelled top class"),
        ):
            row = metric_row(record, searcher, protocol)
            if row is None:
                continue
            cells = (
                f"{percentile:g}",
                f"{round((1 - percentile / 100) * 423_624):,}",
                text,
                with_interval(row["best_valid"], 3),
                f"{row['best_valid']['median']:.3f}",
                with_interval(row["distinct_valid"], 1),
                f"{100 * row['validity']['mean']:.1f}",
                f"{row['trainings']} x {row['runs']}",
            )
            rows.append(Row(cells, "ours"))
    caption = (
        "NAS-Bench-101, 150 distinct queries: mean test accuracy of the best cell found, by the percentile above which "
        "a cell belongs to the wanted class. Mean [95 % interval] over trainings x runs."
    )
    notes = runs_note(record.key for record in known.values())
    return Table(columns, tuple(rows), caption, notes)


def by_percentile(candidates: Sequence[Record]) -> dict[float, Record]:
    """Return the run of each percentile, in order."""
    found = [select(part, candidates) for part in ("dinas.table1", "dinas.table1.finer-class")]
    return {r.parameters["percentile"]: r for r in found if r is not None}


def values(committed: Sequence[Run]) -> dict[str, float | int | str | None]:
    """Return the numbers that sentences quote: best values of 150 distinct queries, `threshold.<percentile>.<method>`,
    None without a record."""
    known = by_percentile([record for _, record in committed])
    found: dict[str, float | int | str | None] = {}
    for percentile in (99.0, 99.9):
        record = known.get(percentile)
        for searcher, protocol in (("dinas", "distinct"), ("top_class", "paper")):
            row = (metric_row(record, searcher, protocol) if record else None) or {}
            found[f"threshold.{percentile:g}.{searcher}"] = (row.get("best_valid") or {}).get("mean")
    return found
