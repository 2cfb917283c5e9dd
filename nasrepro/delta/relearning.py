"""A difference predictor that learns from the labels of its own search: the `retrain` variant of Delta-NAS.

The paper trains once, before the search. But a search reads labels of cells that are one edit apart, and any two of
them are one more pair, free of charge.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nasrepro.delta.pairs import DifferenceData
from nasrepro.delta.predictor import DifferencePredictor
from nasrepro.spaces.base import FiniteSpace
from nasrepro.spaces.fixed_code import fixed_code


class RelearntDifference:
    """Predict with a predictor that is trained anew whenever labels come in.

    Args:
        space: where to search; it needs a fixed-length code.
        data: the labelled pairs to begin with.
        first: the predictor trained on them.
        make: a new predictor, which is then trained on all pairs: those to begin with, and every two labelled cells
            that are one edit of the code apart.
    """

    def __init__(
        self,
        space: FiniteSpace[Any],
        data: DifferenceData,
        first: DifferencePredictor,
        make: Callable[[], DifferencePredictor],
    ) -> None:
        self._space, self._code, self._make = space, fixed_code(space), make
        self.data, self._predictor = data, first

    def gain_cells(self, base: np.ndarray, neighbour: np.ndarray) -> np.ndarray:
        """Return the predicted value of each neighbour less that of its base, float64, B."""
        return self._predictor.gain_cells(base, neighbour)

    def learn(self, rows: np.ndarray, values: np.ndarray) -> None:
        """Take in labels of cells, and train on all pairs that there are now."""
        if np.isin(rows, self.data.cells).all():
            return
        self.data = self._extended(rows, values)
        self._predictor = self._make()
        self._predictor.fit(self.data)

    def _extended(self, rows: np.ndarray, values: np.ndarray) -> DifferenceData:
        known = np.asarray(self.data.cells)
        new = ~np.isin(rows, known)
        cells = np.concatenate([known, rows[new]])
        number = np.full(self._space.size, -1)
        number[cells] = np.arange(len(cells))
        edits = self._code.edits(cells)
        others = np.where(edits >= 0, number[edits], -1)
        first, place = np.nonzero(others >= 0)
        pairs = np.stack([first, others[first, place]], axis=1)
        pairs = np.concatenate([self.data.ends, pairs[pairs[:, 0] != pairs[:, 1]]])
        _, once = np.unique(np.sort(pairs, axis=1), axis=0, return_index=True)
        return DifferenceData(cells, pairs[np.sort(once)], np.concatenate([self.data.labels, values[new]]))
