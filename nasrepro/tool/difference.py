"""Delta-NAS on a benchmark of your own: how much better one cell is than another, learnt from pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nasrepro.benchmarks.base import Benchmark
from nasrepro.delta.network import MLPDifference
from nasrepro.delta.pairs import DifferenceData, draw_pairs
from nasrepro.encodings.cells import of_architectures
from nasrepro.seeding import derive, numpy_stream
from nasrepro.tool.condition import Condition
from nasrepro.tool.fit import read_labels


class Difference:
    """A predictor F(a, b) of how much larger the label of b is than that of a (Delta-NAS, section 4).

    Args:
        predictor: fitted to pairs.
        labels: number of labels that it was fitted to.
    """

    def __init__(self, predictor: MLPDifference, labels: int) -> None:
        self._predictor, self.labels = predictor, labels

    def gain(self, a: Sequence[Any], b: Sequence[Any]) -> np.ndarray:
        """Return the predicted label of each b minus that of each a, in the metric's unit, float64, B."""
        space = self._predictor.space
        ends = (of_architectures(space, list(archs)) for archs in (a, b))
        gains: np.ndarray = self._predictor.gain_cells(*ends)
        return gains


def difference(
    benchmark: Benchmark[Any],
    metric: str,
    *,
    labelled: int | float | Sequence[Any] | np.ndarray | None = None,
    seed: int = 0,
) -> Difference:
    """Fit a predictor of differences to all pairs of some labelled cells.

    Args:
        benchmark: gives space and labels.
        metric: see `Condition.metric`.
        labelled: which labels are read, as of `fit`.
        seed: of everything random.

    Raises:
        ParameterError, UnknownQuery: as `fit`.
    """
    cells, values = read_labels(benchmark, [Condition("difference", metric, top=0.5)], labelled, seed)
    rng = numpy_stream(seed, "pairs")
    pairs = draw_pairs(benchmark.space, cells, len(cells), rng, scheme="subset")
    predictor = MLPDifference(benchmark.space, seed=derive(seed, "difference") % 2**31)
    predictor.fit(DifferenceData(pairs.cells, pairs.ends, values[:, 0]))
    return Difference(predictor, len(cells))
