"""DiNAS against the searches rerun, over all benchmarks: tests with correction, equivalence, critical differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from nasrepro.report.dinas import table_1_2 as search_tables
from nasrepro.report.dinas import table_3 as surrogate_tables
from nasrepro.report.dinas.table_1_2 import SEARCHER_NAMES
from nasrepro.report.drawing import Figure, render
from nasrepro.report.rendering import Column, Row, Table
from nasrepro.runs import records
from nasrepro.runs.claims import load_claims
from nasrepro.runs.plan import select
from nasrepro.runs.records import Run
from nasrepro.runs.statistics import critical_difference, equivalence, holm, mean_ranks, permutation

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

NAMES = {"dinas": "DiNAS", **SEARCHER_NAMES}
Values = dict[str, np.ndarray]  # best value of each run, by searcher


def best_values(committed: Sequence[Run]) -> dict[str, Values]:
    """Return the best value of every run, by benchmark (its title) and searcher, as far as there are records.

    Runs that found nothing are 0. Benchmarks on which DiNAS or the searches have not been run are left out.
    """
    parts = {spec.title: spec.part for spec in search_tables.TABLES.values()}
    parts |= {title: f"dinas.table3.{name}" for name, title in surrogate_tables.TITLES.items()}
    pairs = {title: (select(p, committed), select(f"{p}.searches", committed)) for title, p in parts.items()}
    return {title: _values(a) | _values(b) for title, (a, b) in pairs.items() if a is not None and b is not None}


def _values(run: Run) -> Values:
    """Return the best value of each run of DiNAS, or of the searches, whichever the record is of."""
    folder, record = run
    runs = records.load_table(folder, record, "runs.parquet")
    wanted = set(SEARCHER_NAMES) if record.experiment == "baselines" else {"dinas"}
    runs = runs[(runs["protocol"] == "paper") & runs["searcher"].isin(wanted)]
    return {str(s): part["best_valid"].to_numpy() for s, part in runs.groupby("searcher")}


def test_table(found: Mapping[str, Values]) -> Table:
    """Return the difference of DiNAS to each search on each benchmark, with p-values corrected within the benchmark."""
    columns = (
        Column("Benchmark"),
        Column("Search"),
        Column("DiNAS", numeric=True),
        Column("The search", numeric=True),
        Column("Difference, points", numeric=True),
        Column("p, Holm", numeric=True),
        Column("Reading"),
    )
    rows = []
    for title, values in found.items():
        others = [s for s in SEARCHER_NAMES if s in values]
        adjusted = holm([permutation(values["dinas"], values[s]) for s in others])
        for searcher, p in zip(others, adjusted, strict=True):
            a, b = values["dinas"].mean(), values[searcher].mean()
            said = "no difference shown" if p >= 0.05 else ("DiNAS ahead" if a > b else "the search ahead")
            cells = (title, NAMES[searcher], f"{a:.3f}", f"{b:.3f}", f"{a - b:+.3f}", _p(p), said)
            rows.append(Row(cells, "ours"))
    caption = (
        "Best value found per run, the paper's protocol, DiNAS against each search rerun: difference of means and the "
        "two-sided p-value of a permutation test of the runs, Holm-corrected over the searches of a benchmark. The "
        "runs of DiNAS share three trainings, which the test does not know: its p-values are too small rather than "
        "too large. The searches have read their queries; DiNAS has read all labels of the benchmark before."
    )
    return Table(columns, tuple(rows), caption)


def equivalence_table(found: Mapping[str, Values]) -> Table:
    """Return whether DiNAS' mean equals the printed one within the claim's tolerance, where the benchmark is the
    same."""
    columns = (
        Column("Benchmark"),
        Column("Printed mean, %", numeric=True),
        Column("Ours, %", numeric=True),
        Column("Margin, points", numeric=True),
        Column("p of a larger difference", numeric=True),
        Column("Runs", numeric=True),
    )
    claims, rows = {c.id: c for c in load_claims()}, []
    for spec in search_tables.TABLES.values():
        claim = claims.get(f"{spec.part}.val")
        if claim is None or spec.number == 1 or spec.title not in found:  # Table 1: by test accuracy, not the printed
            continue
        values = found[spec.title]["dinas"]
        p = equivalence(values, claim.printed, claim.tolerance)
        cells = (spec.title, f"{claim.printed:.2f}", f"{values.mean():.3f}", f"{claim.tolerance:.2f}", _p(p))
        rows.append(Row((*cells, f"{len(values)}"), "ours"))
    caption = (
        "Two one-sided t-tests (TOST) that the mean of best validation accuracies differs from the printed mean by "
        "less than the tolerance of its claim: a small p shows equivalence. The printed mean is taken as exact."
    )
    return Table(columns, tuple(rows), caption)


def rank_figure(found: Mapping[str, Values]) -> Figure | None:
    """Return the critical-difference diagram over benchmarks; None where there are fewer than three."""
    methods = [m for m in NAMES if all(m in values for values in found.values())]
    if len(found) < 3 or len(methods) < 3:
        return None
    scores = [[values[m].mean().round(6) for m in methods] for values in found.values()]
    ranks, width = mean_ranks(scores), critical_difference(len(methods), len(found))
    data = pd.DataFrame({"method": [NAMES[m] for m in methods], "mean_rank": ranks}).sort_values("mean_rank")
    groups = _groups(data["mean_rank"].to_numpy(), width)

    def draw(canvas: Canvas) -> None:
        axes = canvas.subplots()
        n = len(data)
        for k, (name, rank) in enumerate(data.itertuples(index=False)):
            axes.plot([rank, rank], [0, -1 - k], color="#6b7280", linewidth=0.8)
            axes.plot(rank, 0, "o", color="#0b3c6f")
            axes.annotate(f"{name}, {rank:.2f}", (rank, -1 - k), xytext=(4, 0), textcoords="offset points", va="center")
        for k, (low, high) in enumerate(groups):
            axes.plot([low - 0.05, high + 0.05], [0.45 + 0.3 * k] * 2, color="#111827", linewidth=3)
        axes.plot([1, 1 + width], [1.9, 1.9], color="#b3540f", linewidth=2)
        axes.annotate(f"critical difference {width:.2f}", (1 + width / 2, 2.0), ha="center", va="bottom")
        axes.set_xlim(0.6, len(methods) + 1.8)
        axes.set_ylim(-n - 0.7, 2.8)
        axes.set_xlabel("mean rank (1 = best)")
        axes.set_yticks([])
        for side in ("left", "right", "top"):
            axes.spines[side].set_visible(False)

    said = ", ".join(f"{name} {rank:.2f}" for name, rank in data.itertuples(index=False))
    alt = f"Critical-difference diagram, {len(found)} benchmarks, mean ranks: {said}. Critical difference {width:.2f}."
    return render(draw, (8.0, 3.8), alt, data)


def _groups(ranks: np.ndarray, width: float) -> list[tuple[float, float]]:
    """Return the maximal groups of methods (ranks increasing) that do not differ by the critical difference."""
    spans = [(float(r), float(ranks[ranks <= r + width].max())) for r in ranks]
    return [(a, b) for k, (a, b) in enumerate(spans) if b > a and not any(c <= a and b <= d for c, d in spans[:k])]


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
