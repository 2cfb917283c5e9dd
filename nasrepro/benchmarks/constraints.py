"""Search under a constraint, e.g. latency on a device.

The table of costs and the table of labels may be different benchmarks of one space, as HW-NAS-Bench and NAS-Bench-201.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nasrepro.benchmarks.base import Column
from nasrepro.benchmarks.tabular import TabularBenchmark
from nasrepro.errors import ParameterError


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
