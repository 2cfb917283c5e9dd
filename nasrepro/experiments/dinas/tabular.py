"""DiNAS on a tabular benchmark with one condition, the accuracy (DiNAS, Tables 1 and 2)."""

from __future__ import annotations

from typing import Any

import numpy as np

from nasrepro.benchmarks.base import Column
from nasrepro.benchmarks.ledger import Ledger
from nasrepro.benchmarks.tabular import TabularBenchmark
from nasrepro.experiments.dinas.generation import Found, Generation
from nasrepro.parameters.dinas import DinasParameters
from nasrepro.runs.protocols import TestLabels
from nasrepro.runs.run import Outcome, RunContext


def one_condition(
    p: DinasParameters, context: RunContext, benchmark: TabularBenchmark[Any], column: Column, test: Column
) -> Outcome:
    """Train on the classes of a column, sample, query; then the controls on the same budget.

    Args:
        p: parameters.
        context: of the run.
        benchmark: holds both columns.
        column: what is learnt and maximised.
        test: reported of the best cell of each run, where the benchmark has it here.
    """
    task = _Tabular(p, context, benchmark, column)
    task.tested, task.test = test_labels(context.ledger, benchmark, test), test
    return task.outcome()


class _Tabular(Generation):
    """Cells are ranked among all of the space; `test` is the column of test accuracies."""

    test: Column

    def winners(self) -> tuple[Any, np.ndarray]:
        everything = self.context.ledger.open(self.benchmark, self.column, "book")
        return super().winners()[0], everything.read(np.arange(self.space.size), "report")

    def findings(self, found: Found) -> dict[str, Any]:
        best = self.benchmark.optimum(self.column)
        row = np.array([self.space.index(self.benchmark.arch(best.arch))])
        optimum = {
            "valid": best.value,
            "arch": best.arch,
            "test_of_it": float(self.tested("book", row)[0]) if self.tested else None,
            "best_test": self.benchmark.optimum(self.test).value if self.tested else None,
        }
        return {"optimum": optimum}


def test_labels(ledger: Ledger, benchmark: TabularBenchmark[Any], test: Column | None) -> TestLabels | None:
    """Return an accounted look-up of test accuracies (reader, rows -> values), or None where there are none here."""
    if test is None or test not in benchmark.columns():
        return None
    return lambda reader, rows: ledger.open(benchmark, test, reader).read(rows, "report")
