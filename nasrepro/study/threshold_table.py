"""What the percentile f decides on NAS-Bench-101: the finer the wanted class, the more the labels alone give."""

from __future__ import annotations

from collections.abc import Sequence

from nasrepro.parameters.base import ADDED
from nasrepro.study.claims import metric_row
from nasrepro.study.fragments import Run
from nasrepro.study.records import Record
from nasrepro.study.rendering import Column, Row, Table, runs_note, with_interval

_FREE = {"percentile", "trainings", "runs", "most_draws"}


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
    newest = by_percentile(candidates)
    rows = []
    for percentile, record in newest.items():
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
    notes = runs_note(record.key for record in newest.values())
    return Table(columns, tuple(rows), caption, notes)


def by_percentile(candidates: Sequence[Record]) -> dict[float, Record]:
    """Return the newest run of each percentile, in order, of those that have the most common other settings."""
    fitting = sorted(
        (r for r in candidates if r.experiment == "nb101" and r.profile == "laptop"), key=lambda r: r.created
    )
    settings = [_rest(record) for record in fitting]
    usual = max(settings, key=settings.count, default=None)
    newest = {r.parameters["percentile"]: r for r, rest in zip(fitting, settings, strict=True) if rest == usual}
    return dict(sorted(newest.items()))


def values(committed: Sequence[Run]) -> dict[str, float | int | str | None]:
    """Return the numbers that sentences quote: best values of 150 distinct queries, `threshold.<percentile>.<method>`,
    None without a record."""
    newest = by_percentile([record for _, record in committed])
    found: dict[str, float | int | str | None] = {}
    for percentile in (99.0, 99.9):
        record = newest.get(percentile)
        for searcher, protocol in (("dinas", "distinct"), ("top_class", "paper")):
            row = (metric_row(record, searcher, protocol) if record else None) or {}
            found[f"threshold.{percentile:g}.{searcher}"] = (row.get("best_valid") or {}).get("mean")
    return found


def _rest(record: Record) -> str:
    """Return everything but the percentile and the size of the run, as text."""
    return repr(sorted((k, v) for k, v in {**ADDED, **record.parameters}.items() if k not in _FREE))
