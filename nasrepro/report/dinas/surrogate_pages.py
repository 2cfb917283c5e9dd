"""The generated parts of the pages on Tables 3, 6 (novelty) and 7 of DiNAS, and the numbers that their sentences
quote."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nasrepro.report.dinas import table_3 as shown
from nasrepro.report.dinas import table_7 as variety_tables
from nasrepro.report.dinas.table_1_2 import SEARCHER_NAMES
from nasrepro.report.fragments import Fragments, command, provenance, table
from nasrepro.runs.claims import metric_row
from nasrepro.runs.plan import planned, select
from nasrepro.runs.protocols import recorded_labels_before
from nasrepro.runs.records import Run

_TABLE7 = """nasrepro run nb301 -p protocol=single -p queries=192 -p cells=10000 --profile laptop
nasrepro run nb301 -p protocol=single -p queries=192 -p cells=1000 --profile laptop
nasrepro run nb301 -p protocol=single -p queries=192 -p cells=1000 -p epochs=400 --profile laptop
nasrepro run nb301 -p protocol=single -p queries=192 -p cells=100000 --profile laptop"""
_FIELDS = ("best_valid", "validity", "distinct_valid", "in_top_class")


def write(out: Fragments, committed: Sequence[Run]) -> None:
    """Write Table 3 by benchmark, the trials behind our setting, the error of the public code, Tables 6 and 7."""
    for benchmark in shown.TITLES:
        run = select(f"dinas.table3.{benchmark}", committed)
        parts = [table(f"table3-{benchmark}", shown.search_table(benchmark, committed))]
        if run is None:
            missing = "There is no committed record for this table yet. This makes one of your own:"
            parts += [missing, command(f"nasrepro run {benchmark} --profile laptop")]
        else:
            parts.append(provenance(run[1]))
        rerun = select(f"dinas.table3.{benchmark}.searches", committed)
        if rerun is None:
            again = planned(f"dinas.table3.{benchmark}.searches").command
            parts += ["The searches were not rerun with these queries yet:", command(again)]
        else:
            parts.append(provenance(rerun[1]))
        out.write(f"table3-{benchmark}", parts, [f"table-table3-{benchmark}"])
        trials = shown.scale_table(benchmark, committed)
        if trials.rows:
            out.write(f"scale-{benchmark}", [table(f"scale-{benchmark}", trials)], [f"table-scale-{benchmark}"])
        else:
            again = command(
                f"nasrepro run {benchmark} -p seed={shown.TRIAL_SEED} -p guidance_scale=1.5 --profile laptop"
            )
            out.write(f"scale-{benchmark}", [f"{shown.TITLES[benchmark]}: there are no committed trials.", again])
    run = select("dinas.table3.nb301", committed)
    content = [table("misreading", shown.misreading_table(run[1]))] if run else ["There is no committed record yet."]
    out.write("misreading", content, ["table-misreading"] if run else [])
    out.write("table7", [table("table7", variety_tables.size_table(committed)), command(_TABLE7)], ["table-table7"])
    out.write("novelty", [table("novelty", variety_tables.variety_table(committed))], ["table-novelty"])


def values(committed: Sequence[Run]) -> dict[str, float | int | str | None]:
    """Return the numbers that sentences quote, None without a record.

    `table3.<benchmark>.<searcher>.<field>`, the searches rerun under `rerun.<searcher>` at the queries of DiNAS;
    `table3.<benchmark>.best_label`, `.wanted_cells`, `.novelty`, `.scale`; `table3.nb301.more_labels.<field>` of the
    run with 100,000 labels; `misreading.<field>`.
    """
    found: dict[str, float | int | str | None] = {}
    for benchmark in shown.TITLES:
        run, prefix = select(f"dinas.table3.{benchmark}", committed), f"table3.{benchmark}"
        record = run[1] if run else None
        rerun = select(f"dinas.table3.{benchmark}.searches", committed)
        for searcher in ("dinas", "top_class"):
            row = (metric_row(record, searcher, "paper") if record else None) or {}
            found |= {f"{prefix}.{searcher}.{field}": _mean(row, field) for field in (*_FIELDS, "best_inside")}
            before = recorded_labels_before(record, row) if record and row else None
            found[f"{prefix}.{searcher}.labels_before_search"] = before
            found[f"{prefix}.{searcher}.failed_runs"] = row.get("failed_runs")
        for searcher in SEARCHER_NAMES:
            row = (metric_row(rerun[1], searcher, "paper") if rerun else None) or {}
            for field in ("best_valid", "best_inside"):
                found[f"{prefix}.rerun.{searcher}.{field}"] = _mean(row, field)
            found[f"{prefix}.rerun.{searcher}.extrapolated"] = row.get("extrapolated")
        metrics = record.metrics if record else {}
        found[f"{prefix}.best_label"] = metrics.get("best_label")
        found[f"{prefix}.wanted_cells"] = metrics.get("wanted_cells")
        found[f"{prefix}.novelty"] = metrics.get("novelty")
        found[f"{prefix}.scale"] = record.parameters["guidance_scale"] if record else None
        for field in ("training_s", "training_steps", "seconds_per_architecture"):
            found[f"{prefix}.speed.{field}"] = metrics.get("speed", {}).get(field)
        if benchmark == "nb301":
            more = select("dinas.table3.nb301.varied.cells", committed)
            row = (metric_row(more[1], "dinas", "paper") if more else None) or {}
            found |= {f"{prefix}.more_labels.{field}": _mean(row, field) for field in _FIELDS}
            misread = metrics.get("misreading") or {}
            for field in ("best_as_reported", "worth_of_it", "best_if_read_rightly", "change"):
                found[f"misreading.{field}"] = (misread.get(field) or {}).get("mean")
    return found


def _mean(row: dict[str, Any], field: str) -> float | None:
    mean: float | None = (row.get(field) or {}).get("mean")
    return mean
