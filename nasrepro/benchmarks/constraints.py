"""Search under a constraint, e.g. latency on a device: which architectures satisfy it, and the best of them.

The table of costs and the table of labels may be different benchmarks of one space, as HW-NAS-Bench and NAS-Bench-201.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nasrepro.benchmarks.base import Column, Optimum
from nasrepro.benchmarks.tabular import TabularBenchmark
from nasrepro.errors import ParameterError, UnknownQuery


@dataclass(frozen=True)
class Constraint:
    """An upper bound on a column of `costs`; architectures without a value do not satisfy it.

    Attributes:
        costs: the benchmark that knows the cost.
        column: the cost, of a metric of which less is better.
        bound: the largest allowed cost, in the unit of the metric.
    """

    costs: TabularBenchmark[Any]
    column: Column
    bound: float

    def __post_init__(self) -> None:
        self.costs.check(self.column)
        if self.costs.metrics[self.column.metric].higher_is_better or not np.isfinite(self.bound):
            raise ParameterError(f"A constraint is a finite upper bound on a cost, not {self}.")

    def __str__(self) -> str:
        return f"{self.column.metric} <= {self.bound:g} {self.costs.metrics[self.column.metric].unit}"

    def satisfied(self, archs: Sequence[Any] | np.ndarray) -> np.ndarray:
        """Return whether each architecture (or row) satisfies the constraint, bool, B."""
        satisfied: np.ndarray = self.costs.query_many(archs, self.column) <= self.bound  # never true of NaN
        return satisfied

    def rows(self) -> np.ndarray:
        """Return the rows of all architectures that satisfy the constraint (int64), ascending."""
        return np.flatnonzero(self.satisfied(np.arange(self.costs.space.size)))

    def share(self) -> float:
        """Return the share of the space that satisfies the constraint, 0 to 1."""
        return len(self.rows()) / self.costs.space.size

    def ceiling(self, labels: TabularBenchmark[Any], column: Column) -> Optimum:
        """Return the best architecture of a labelled column under the constraint; of equal ones the first by published
        index. Raise `UnknownQuery` where no labelled architecture satisfies it."""
        if labels.space is not self.costs.space:
            raise ParameterError(f"{labels.title} and {self.costs.title} are not of one search space.")
        satisfied = self.satisfied(np.arange(labels.space.size))
        if not satisfied.any():
            lowest = self.costs.optimum(self.column).value
            raise UnknownQuery(f"No architecture satisfies {self}; the lowest cost is {lowest:g}.")
        return labels.optimum(column, satisfied)
