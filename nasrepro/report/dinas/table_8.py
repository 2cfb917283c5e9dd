"""Table 8 of DiNAS: the number of classes d, printed beside ours."""

from __future__ import annotations

from typing import Any

from nasrepro.report import verbs
from nasrepro.report.rendering import Table, number, tabulate, text
from nasrepro.report.rows import not_run, search_row
from nasrepro.runs.plan import Shown
from nasrepro.runs.printed import printed

_PARTS = {2: "dinas.ablations.base.cifar10", **{d: f"dinas.table8.d{d}" for d in (3, 4, 5)}}
_COLUMNS = (
    number("Classes d", "classes"),
    text("Cuts at percentiles", lambda row: row["percentiles"].replace(" ", ", ")),
    number("Validation, printed", "valid", 2),
    number("Validation, ours", "ours.best_valid", 3),
    number("Median, ours", "ours.best_valid.median", 3),
    number("Test, printed", "test", 2),
    number("Test, ours", "ours.test", 2),
    number("Failed runs", "ours.failed"),
)


def class_table(runs: Shown) -> Table:
    """Return Table 8: a row per number of classes."""
    ours = _found(runs)
    rows = [entry | {"ours": ours[entry["classes"]]} for entry in printed("dinas_table8").to_dict("records")]
    caption = (
        "DiNAS, Table 8, NAS-Bench-201, CIFAR-10, 192 queries: accuracy in % after 200 epochs, mean over seeds. Ours: "
        "mean [95 % interval] over trainings and runs, and the median of the runs."
    )
    return tabulate(_COLUMNS, rows, caption, not_run(runs, *_PARTS.values()), name="table8")


def _found(runs: Shown) -> dict[int, dict[str, Any]]:
    """Return what the run with each number of classes found; empty without one."""
    return {classes: search_row(runs.record(part)) for classes, part in _PARTS.items()}


def numbers(runs: Shown) -> dict[str, Any]:
    """Return what sentences quote: `table8.d<classes>`, how the best validation accuracy stands to that of two classes,
    None without a record; `table8.failed`, the failed runs of all."""
    best = {classes: row.get("best_valid") for classes, row in _found(runs).items()}
    stand = {f"table8.d{classes}": verbs.standing(found, best[2]) for classes, found in best.items()}
    return stand | {"table8.failed": sum(row.get("failed_runs", 0) for row in _found(runs).values())}
