"""The difference code alone, without a network: the mean of what a code gained, and a weight for each of its places.

The mean has the smallest squared error that a predictor of the code alone can have on the pairs it was fitted to. That
is no bound on how well such a predictor ranks: means of ranks order one-edit pairs better than means of accuracies do,
and weights order architectures better than either (`experiments.code_alone`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nasrepro.delta.encoding import signed_difference
from nasrepro.delta.pairs import DifferenceData
from nasrepro.delta.predictor import DifferencePredictor, chain_edits
from nasrepro.encodings.aligned_form import fixed_form
from nasrepro.encodings.cells import Cells
from nasrepro.errors import ParameterError
from nasrepro.spaces.base import SearchSpace


class CodeMeans(DifferencePredictor):
    """F(a, b) = mean target of the pairs, in both directions, with the code of (a, b); 0 for a code never met."""

    def fit(self, data: DifferenceData) -> None:
        """Average the targets of each code."""
        pairs = data.mirrored()
        keys = _keys(signed_difference(self.space, pairs.base, pairs.other))
        self._keys, which = np.unique(keys, return_inverse=True)
        self._means = np.bincount(which, pairs.targets) / np.bincount(which)

    def gain_cells(self, base: Cells, neighbour: Cells) -> np.ndarray:
        """Return the mean of the code of each pair."""
        return self._mean(signed_difference(self.space, base, neighbour))

    def chained(self, cells: Cells, anchors: Cells, labels: np.ndarray) -> np.ndarray:
        """See `chain_edits`."""
        return chain_edits(self.space, cells, anchors, labels, lambda before, after: self._mean(after - before))

    def _mean(self, differences: np.ndarray) -> np.ndarray:
        keys = _keys(differences)
        place = np.searchsorted(self._keys, keys).clip(max=len(self._keys) - 1)
        return np.where(self._keys[place] == keys, self._means[place], 0.0)


class AdditiveCode(DifferencePredictor):
    """F(a, b) = w d, with d the signed difference of (a, b): ridge regression, for all pairs of labelled cells.

    Under squared loss all pairs of m cells say what the m labels say up to a constant (see `additive`), so w is fitted
    to labels and features less their means.

    Args:
        space: whose architectures.
        penalty: of the squared weights; a place is 0 or 1, and errors are summed over cells.
    """

    def __init__(self, space: SearchSpace[Any], penalty: float = 1.0) -> None:
        super().__init__(space)
        self._penalty = penalty

    def fit(self, data: DifferenceData) -> None:
        """Fit the weights; raise `ParameterError` unless all differences between labels are known."""
        if data.groups().any():
            raise ParameterError("Weights of places are fitted to labels, not to differences: take scheme=subset.")
        places = fixed_form(self.space).vectors(data.cells).astype(np.float64)
        places -= places.mean(0)
        inner = places.T @ places + self._penalty * np.eye(places.shape[1])
        self._weights: np.ndarray = np.linalg.solve(inner, places.T @ (data.labels - data.labels.mean()))

    def gain_cells(self, base: Cells, neighbour: Cells) -> np.ndarray:
        """Return the weighted code of each pair."""
        gain: np.ndarray = signed_difference(self.space, base, neighbour) @ self._weights
        return gain

    def chained(self, cells: Cells, anchors: Cells, labels: np.ndarray) -> np.ndarray:
        """See `chain_edits`; every path gives the same."""
        return chain_edits(self.space, cells, anchors, labels, lambda before, after: (after - before) @ self._weights)


def _keys(differences: np.ndarray) -> np.ndarray:
    """Return each difference as one sortable value."""
    rows = np.ascontiguousarray(differences.astype(np.int8))
    keys: np.ndarray = rows.view(np.dtype((np.void, rows.shape[1]))).ravel()
    return keys
