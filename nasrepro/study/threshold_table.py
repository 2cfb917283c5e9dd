"""What the percentile f decides on NAS-Bench-101: the finer the wanted class, the more the labels alone give."""

from __future__ import annotations

from collections.abc import Sequence

from nasrepro.study.claims import metric_row
from nasrepro.study.parameters import ADDED
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
    newest: dict[float, Record] = {}
    settings: dict[str, int] = {}
    fitting = [r for r in candidates if r.experiment == "nb101" and r.profile == "laptop"]
    for record in sorted(fitting, key=lambda r: r.created):
        settings[_rest(record)] = settings.get(_rest(record), 0) + 1
    usual = max(settings, key=lambda s: settings[s], default=None)
    for record in sorted(fitting, key=lambda r: r.created):
        if _rest(record) == usual:
            newest[record.parameters["percentile"]] = record
    rows = []
    for percentile, record in sorted(newest.items()):
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
    notes = runs_note(newest[percentile].key for percentile in sorted(newest))
    return Table(columns, tuple(rows), caption, notes)


def _rest(record: Record) -> str:
    """Return everything but the percentile and the size of the run, as text."""
    return repr(sorted((k, v) for k, v in {**ADDED, **record.parameters}.items() if k not in _FREE))
