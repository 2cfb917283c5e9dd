"""DiNAS on a tabular benchmark with one condition, the accuracy (DiNAS, Tables 1 and 2)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from nasrepro.benchmarks.base import Column
from nasrepro.benchmarks.ledger import Ledger
from nasrepro.benchmarks.tabular import TabularBenchmark
from nasrepro.diffusion.guidance import percentile_discretiser
from nasrepro.experiments.dinas.generation import CONTROLS, Condition, Generation
from nasrepro.parameters.dinas import DinasParameters
from nasrepro.runs.protocols import DISTINCT, PAPER, TestLabels, run_rows, summary_rows
from nasrepro.runs.run import Outcome, RunContext


def one_condition(
    p: DinasParameters,
    context: RunContext,
    benchmark: TabularBenchmark[Any],
    column: Column,
    test: Column | None,
) -> Outcome:
    """Train on the classes of a column, sample, query; then the controls on the same budget.

    Args:
        p: parameters.
        context: of the run.
        benchmark: holds both columns.
        column: what is learnt and maximised.
        test: reported of the best cell of each run; None where there is no such column.
    """
    labels = context.ledger.open(benchmark, column, "dinas")

    def conditions(rows: np.ndarray) -> list[Condition]:
        discretiser = percentile_discretiser(labels, rows, [*p.lower_percentiles, p.percentile])
        return [Condition(labels, discretiser, discretiser.n_classes - 1)]

    task = Generation(p, context, benchmark, column, conditions)
    dinas, loss = task.dinas()
    cuts = task.conditions(0)[0].discretiser.cuts
    cut, known = cuts[-1], task.labelled(0)
    winners = known[context.ledger.open(benchmark, column, "top_class").read(known, "threshold") > cut]
    values = context.ledger.open(benchmark, column, "book").read(np.arange(benchmark.space.size), "report")
    trace = pd.concat([*dinas, *task.controls(winners, CONTROLS)], ignore_index=True)
    sampled = trace[trace.searcher == "dinas"]
    tested = _test_labels(context.ledger, benchmark, test)
    runs = pd.concat(
        [
            run_rows(trace, PAPER, p.queries, cut, tested),
            run_rows(sampled, DISTINCT, p.queries, cut, tested),
        ]
    )
    metrics = {
        "column": str(column),
        "cuts": list(cuts),
        "optimum": _optimum(benchmark, column, test, tested),
        "rows": summary_rows(runs, p.queries, context.ledger, task.reads()),
        "best_found": task.best_found(sampled, values, tested),
        "invalid": sampled.query("reason != ''").reason.value_counts().to_dict(),
        "speed": task.speed(loss, len(sampled)),
    }
    return Outcome(metrics, {"trace": trace, "runs": runs, "loss": loss}, task.seeds())


def _test_labels(ledger: Ledger, benchmark: TabularBenchmark[Any], test: Column | None) -> TestLabels | None:
    """Return an accounted look-up of test accuracies (reader, rows -> values), or None where there are none here."""
    if test is None or test not in benchmark.columns():
        return None
    return lambda reader, rows: ledger.open(benchmark, test, reader).read(rows, "report")


def _optimum(
    benchmark: TabularBenchmark[Any], column: Column, test: Column | None, tested: TestLabels | None
) -> dict[str, Any]:
    best = benchmark.optimum(column)
    row = np.array([benchmark.space.index(benchmark.arch(best.arch))])
    return {
        "valid": best.value,
        "arch": best.arch,
        "test_of_it": float(tested("book", row)[0]) if tested else None,
        "best_test": benchmark.optimum(test).value if tested and test else None,
    }
