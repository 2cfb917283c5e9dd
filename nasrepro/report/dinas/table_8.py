"""Table 8 of DiNAS: the number of classes d, printed beside ours."""

from __future__ import annotations

from typing import Any

from nasrepro.report import verbs
from nasrepro.report.dinas.table_4 import not_run
from nasrepro.report.rendering import Column, Table, number, tabulate, text
from nasrepro.runs.claims import metric_row
from nasrepro.runs.plan import Shown
from nasrepro.runs.printed import printed

_PARTS = {2: "dinas.table2.cifar10", **{d: f"dinas.table8.d{d}" for d in (3, 4, 5)}}


def _ours(heading: str, key: str, digits: int = 0) -> Column:
    return number(heading, lambda row: row.get(key, "not run"), digits)


_COLUMNS = (
    number("Classes d", lambda row: row["classes"]),
    text("Cuts at percentiles", lambda row: row["percentiles"].replace(" ", ", ")),
    number("Validation, printed", lambda row: row["valid"], 2),
    *(_ours("Validation, ours", "best_valid", 3), _ours("Median, ours", "median", 3)),
    number("Test, printed", lambda row: row["test"], 2),
    *(_ours("Test, ours", "our_test", 2), _ours("Failed runs", "failed")),
)


def class_table(runs: Shown) -> Table:
    """Return Table 8: a row per number of classes."""
    rows = [entry | _found(int(entry["classes"]), runs) for entry in printed("dinas_table8").to_dict("records")]
    caption = (
        "DiNAS, Table 8, NAS-Bench-201, CIFAR-10, 192 queries: accuracy in % after 200 epochs, mean over seeds. Ours: "
        "mean [95 % interval] over trainings and runs, and the median of the runs."
    )
    return tabulate(_COLUMNS, rows, caption, not_run(runs, *_PARTS.values()), name="table8")


def _found(classes: int, runs: Shown) -> dict[str, Any]:
    """Return what the run with a number of classes found; empty without one."""
    record = runs.record(_PARTS[classes])
    if record is None or (row := metric_row(record, "dinas", "paper")) is None:
        return {}
    best, failed = row["best_valid"], f"{row['failed_runs']} of {row['trainings'] * row['runs']}"
    told = {"best_valid": best, "median": best["median"], "our_test": row["test"] or "no test data"}
    return told | {"failed": failed, "failed_runs": row["failed_runs"]}


def numbers(runs: Shown) -> dict[str, float | int | str | None]:
    """Return what sentences quote: `table8.d<classes>`, how the best validation accuracy stands to that of two classes,
    None without a record; `table8.failed`, the failed runs of all."""
    rows = {d: _found(d, runs) for d in _PARTS}
    stand = {f"table8.d{d}": verbs.standing(rows[d].get("best_valid"), rows[2].get("best_valid")) for d in rows}
    return stand | {"table8.failed": sum(row.get("failed_runs", 0) for row in rows.values())}
