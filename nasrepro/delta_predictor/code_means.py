"""The difference code alone, and nothing learnt: what a code gained on average where it was met.

No predictor that sees the code only can have a smaller squared error on the pairs it was fitted to. Fitted to all pairs
of a space, it shows the ceiling of such predictors; to n pairs of each code, what n samples per code buy.
"""

from __future__ import annotations

import numpy as np

from nasrepro.delta_data import DifferenceData
from nasrepro.delta_predictor.base import DifferencePredictor, chain_edits
from nasrepro.encodings.difference import signed_difference
from nasrepro.encodings.fixed_form import Cells


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


def _keys(differences: np.ndarray) -> np.ndarray:
    """Return each difference as one sortable value."""
    rows = np.ascontiguousarray(differences.astype(np.int8))
    keys: np.ndarray = rows.view(np.dtype((np.void, rows.shape[1]))).ravel()
    return keys
