"""A benchmark that remembers what it said: for a surrogate that many methods ask about the same architectures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nasrepro.benchmarks.base import Benchmark, Column


class Remembered:
    """The labels of a benchmark whose space has no rows, each computed once; a ledger can be opened on it.

    Args:
        benchmark: answers.
        ahead: architectures whose labels are computed together, before the first answer: together is much faster, and
            the last digits of a prediction depend on what it is computed with.
    """

    def __init__(self, benchmark: Benchmark[Any], ahead: Sequence[Any]) -> None:
        self.space = benchmark.space
        self._benchmark, self._ahead = benchmark, ahead
        self._known: dict[Column, dict[str, float]] = {}

    def query_many(self, archs: Sequence[Any], column: Column) -> np.ndarray:
        """Return the labels of architectures, float64, B."""
        if column not in self._known:
            self._known[column] = {}
            self._learn(self._ahead, column)
        known, keys = self._known[column], [self.space.key(arch) for arch in archs]
        self._learn([arch for arch, key in zip(archs, keys, strict=True) if key not in known], column)
        return np.array([known[key] for key in keys], dtype=np.float64)

    def _learn(self, archs: Sequence[Any], column: Column) -> None:
        if len(archs):
            values = self._benchmark.query_many(archs, column)
            keys = map(self.space.key, archs)
            self._known[column] |= dict(zip(keys, values.tolist(), strict=True))
