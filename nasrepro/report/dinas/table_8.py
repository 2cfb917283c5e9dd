"""Table 8 of DiNAS: the number of classes d, printed beside ours."""

from __future__ import annotations

from collections.abc import Sequence

from nasrepro.report.rendering import Column, Row, Table, runs_note, with_interval
from nasrepro.runs.claims import metric_row
from nasrepro.runs.plan import select
from nasrepro.runs.printed import printed
from nasrepro.runs.records import Record


def class_table(candidates: Sequence[Record]) -> Table:
    """Return Table 8: a row per number of classes."""
    columns = (
        Column("Classes d", numeric=True),
        Column("Cuts at percentiles"),
        Column("Validation, printed", numeric=True),
        Column("Validation, ours", numeric=True),
        Column("Median, ours", numeric=True),
        Column("Test, printed", numeric=True),
        Column("Test, ours", numeric=True),
        Column("Failed runs", numeric=True),
    )
    rows, keys = [], []
    for entry in printed("dinas_table8").to_dict("records"):
        d = int(entry["classes"])
        record = select(f"dinas.table8.d{d}" if d > 2 else "dinas.table2.cifar10", candidates)
        row = metric_row(record, "dinas", "paper") if record else None
        ours = ["not run"] * 4
        if record is not None and row is not None:
            keys.append(record.key)
            ours = [
                with_interval(row["best_valid"], 3),
                f"{row['best_valid']['median']:.3f}",
                with_interval(row["test"], 2) if row["test"] else "no test data",
                f"{row['failed_runs']} of {row['trainings'] * row['runs']}",
            ]
        cuts = entry["percentiles"].replace(" ", ", ")
        told = (f"{entry['classes']}", cuts, f"{entry['valid']:.2f}")
        rows.append(Row((*told, *ours[:2], f"{entry['test']:.2f}", *ours[2:]), "ours"))
    caption = (
        "DiNAS, Table 8, NAS-Bench-201, CIFAR-10, 192 queries: accuracy in %, validation of the best sample and test "
        "of that cell. Ours: mean [95 % interval] over trainings and runs, and the median of the runs; accuracies "
        "after 200 epochs, mean over seeds."
    )
    notes = runs_note(keys)
    return Table(columns, tuple(rows), caption, notes)
