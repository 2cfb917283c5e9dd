"""A Python function as a benchmark: its values are the labels of the cells of a space."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from nasrepro.benchmarks.base import MEAN, Benchmark, Column, Metric, Optimum, Result, by_name
from nasrepro.errors import ParameterError, UnknownQuery
from nasrepro.spaces.base import FiniteSpace, SearchSpace

A = TypeVar("A")


class FunctionBenchmark(Benchmark[A]):
    """The values of a function; it is called once for each architecture that is asked for.

    Args:
        function: architecture -> a number, or metric -> number; NaN where it cannot be measured.
        space: whose architectures.
        metrics: metric -> whether more of it is better.
        name: of the benchmark.

    Every metric has one column: data set `name`, split `model`, no epochs.
    """

    def __init__(
        self,
        function: Callable[[A], float | Mapping[str, float]],
        space: SearchSpace[Any],
        metrics: Mapping[str, bool] | None = None,
        name: str = "function",
    ) -> None:
        wanted = {"value": True} if metrics is None else metrics
        if not wanted:
            raise ParameterError("A function that measures nothing is no benchmark: name at least one metric.")
        self.name = self.title = name
        self.space, self._function = space, function
        self.metrics = by_name(Metric(metric, "", bool(up), metric) for metric, up in wanted.items())
        self._known: dict[str, tuple[A, dict[str, float]]] = {}

    def known_columns(self) -> tuple[Column, ...]:
        """Return the column of each metric."""
        return tuple(Column(self.name, metric, "model", 0, MEAN) for metric in self.metrics)

    def columns(self) -> list[Column]:
        """Return the column of each metric."""
        return list(self.known_columns())

    def query(self, arch: A, *, dataset: str, metric: str, split: str, epochs: int, seed: int | str) -> Result:
        """Return the value of one architecture; `UnknownQuery` where it is NaN."""
        column = Column(dataset, metric, split, epochs, seed)
        value = float(self.query_many([arch], column)[0])
        if np.isnan(value):
            raise UnknownQuery(f"{self.title} measured no {column} of {self.space.to_string(arch)}.")
        return Result(value, 1, None, self.name)

    def query_many(self, archs: Sequence[A] | np.ndarray, column: Column) -> np.ndarray:
        """Return the values of architectures, or of rows where the space is finite, float64, B."""
        self.check(column)
        if isinstance(archs, np.ndarray) and isinstance(self.space, FiniteSpace):
            archs = [self.space.from_index(int(row)) for row in archs]
        return np.array([self._values(arch)[column.metric] for arch in archs], dtype=np.float64)

    def optimum(self, column: Column) -> Optimum:
        """Return the best architecture that was asked for so far; `UnknownQuery` where there is none."""
        self.check(column)
        up = self.metrics[column.metric].higher_is_better
        found = [(v[column.metric], arch) for arch, v in self._known.values() if not np.isnan(v[column.metric])]
        if not found:
            raise UnknownQuery(f"{self.title} was asked for no architecture yet: nothing is known of its best.")
        value, arch = (max if up else min)(found, key=lambda pair: pair[0])
        return Optimum(self.space.to_string(arch), value)

    def table(self, columns: Sequence[Column] | None = None) -> pd.DataFrame:
        """Return the values of the architectures that were asked for so far."""
        wanted = self.columns() if columns is None else columns
        names = pd.Index([self.space.to_string(arch) for arch, _ in self._known.values()], name="arch")
        values = {str(c): [v[c.metric] for _, v in self._known.values()] for c in wanted}
        return pd.DataFrame(values, index=names, dtype=np.float64)

    def checksums(self, columns: Sequence[Column]) -> dict[str, str]:
        """Return nothing: there is no file."""
        return {}

    def _values(self, arch: A) -> dict[str, float]:
        key = self.space.key(arch)
        if key not in self._known:
            found = self._function(arch)
            values = dict(found) if isinstance(found, Mapping) else {next(iter(self.metrics)): found}
            if missing := self.metrics.keys() - values.keys():
                raise ParameterError(f"The function of {self.title} measured no {', '.join(sorted(missing))}.")
            self._known[key] = arch, {metric: float(values[metric]) for metric in self.metrics}
        return self._known[key][1]
