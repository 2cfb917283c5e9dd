"""Conditions: what a wanted cell is, by bounds or ranks of measured metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nasrepro.benchmarks.base import Benchmark, Column
from nasrepro.errors import ParameterError, UnknownQuery, did_you_mean


@dataclass(frozen=True)
class Condition:
    """What is wanted of one metric; exactly one of the last three is given.

    Args:
        name: of the condition, e.g. `good`.
        metric: a metric of the benchmark, the string of a column, or a column; a metric of several columns needs one.
        at_least: smallest wanted value, in the metric's unit.
        at_most: largest wanted value, in the metric's unit.
        top: wanted share of the labelled cells, the best in the metric's sense, in (0, 1); of the shares that equal
            values allow, the nearest.

    Raises:
        ParameterError: none, or more than one, of the bounds is given, or `top` lies outside.
    """

    name: str
    metric: str | Column
    at_least: float | None = None
    at_most: float | None = None
    top: float | None = None

    def __post_init__(self) -> None:
        if sum(bound is not None for bound in (self.at_least, self.at_most, self.top)) != 1:
            raise ParameterError(f"The condition `{self.name}` needs one of at_least, at_most and top.")
        if self.top is not None and not 0 < self.top < 1:
            raise ParameterError(f"The condition `{self.name}` wants the top share in (0, 1), not {self.top}.")

    def column(self, benchmark: Benchmark[Any]) -> Column:
        """Return the column that the condition is about; `UnknownQuery` names what exists."""
        if isinstance(self.metric, Column):
            benchmark.check(self.metric)
            return self.metric
        columns = benchmark.columns()
        found = [c for c in columns if self.metric in (c.metric, str(c))]
        if len(found) == 1:
            return found[0]
        which = found or columns
        raise UnknownQuery(
            f"{benchmark.title} has {'several columns' if found else 'no column'} `{self.metric}`; say which of "
            f"{', '.join(f'`{c}`' for c in which[:20])}." + did_you_mean(self.metric, [c.metric for c in columns])
        )

    def bound(self, values: np.ndarray, higher_is_better: bool) -> Bound:
        """Return the condition with its cut point, from labels (float64, B) where it wants a share of them."""
        if self.at_least is not None:
            return Bound(float(self.at_least), True)
        if self.at_most is not None:
            return Bound(float(self.at_most), False)
        assert self.top is not None
        sign = -1 if higher_is_better else 1
        ranked, counts = np.unique(sign * values[~np.isnan(values)], return_counts=True)  # the best first
        nearest = np.abs(counts.cumsum() / counts.sum() - self.top).argmin()
        return Bound(sign * float(ranked[nearest]), higher_is_better)


@dataclass(frozen=True)
class Bound:
    """A cut point: whether values above it are wanted, or below; the cut itself is."""

    cut: float
    above: bool

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Return which values are wanted, bool; a missing one (NaN) is not."""
        wanted: np.ndarray = values >= self.cut if self.above else values <= self.cut
        return wanted

    def __str__(self) -> str:
        return f"{'>=' if self.above else '<='} {self.cut:.6g}"
