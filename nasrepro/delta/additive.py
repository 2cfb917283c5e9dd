r"""Additive difference predictors, F(a, b) = f(b) - f(a) with a potential f.

They are exactly antisymmetric, and additive along paths: chaining predictions from one architecture to another gives
the same on every path. With a Gaussian process for f, the kernel of two pairs is

$$ k((a, b), (c, d)) = K(a, c) - K(a, d) - K(b, c) + K(b, d), $$

and the level of f stays unknown. Under squared loss, fitting an additive predictor to all pairs of m labelled cells is
fitting f to the m labels up to a constant: for residuals r, sum_ij (r_i - r_j)^2 = 2 m sum_i (r_i - mean r)^2. So what
an additive predictor of differences can do, a predictor of accuracies with the same features does too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nasrepro.delta.pairs import DifferenceData
from nasrepro.delta.predictor import DifferencePredictor
from nasrepro.encodings.cells import Cells
from nasrepro.encodings.path_profile import path_profile
from nasrepro.predictors import Predictor
from nasrepro.predictors.regressors import BoostedTrees, GPPredictor
from nasrepro.predictors.scaling import normal_scores
from nasrepro.spaces.base import FiniteSpace, SearchSpace

Features = Callable[[Cells], np.ndarray]  # cells -> float32, B x F


class AdditiveDifference(DifferencePredictor):
    """F(a, b) = f(b) - f(a), with the mean of several potentials for f.

    Where all differences between labels are known, f is fitted to normal scores of the labels, and turned back: the low
    end of accuracies would rule the fit otherwise. Else labels are standardised within each group.

    Args:
        space: whose architectures.
        potentials: fitted to the same scores of labels.
        features: of cells.
    """

    def __init__(self, space: SearchSpace[Any], potentials: Sequence[Predictor], features: Features) -> None:
        super().__init__(space)
        self._features, self._potentials = features, potentials
        self._known: np.ndarray | None = None  # potential of each row of a finite space, NaN where not asked for yet

    def fit(self, data: DifferenceData) -> None:
        """Fit the potential; only differences within a connected component of the pairs count."""
        groups = data.groups()
        self._scale = Standard(data.labels, groups) if groups.any() else NormalScores(data.labels)
        features, scores = self._features(data.cells), self._scale.forward(data.labels)
        for potential in self._potentials:
            potential.fit(features, scores, groups)
        self._known = np.full(self.space.size, np.nan) if isinstance(self.space, FiniteSpace) else None

    def potential(self, cells: Cells) -> np.ndarray:
        """Return f, float64, B, in the unit of the labels; its level means something only where all differences between
        labels were known."""
        if self._known is None:
            return self._predict(cells)
        rows = np.asarray(cells, dtype=np.int64)
        new = np.unique(rows[np.isnan(self._known[rows])])
        if len(new):
            self._known[new] = self._predict(new)
        return self._known[rows]

    def gain_cells(self, base: Cells, neighbour: Cells) -> np.ndarray:
        """Return f(neighbour) - f(base)."""
        return self.potential(neighbour) - self.potential(base)

    def chained(self, cells: Cells, anchors: Cells, labels: np.ndarray) -> np.ndarray:
        """Return f, with the level that the anchors give it: every path leads to the same."""
        level: float = np.mean(labels - self.potential(anchors))
        return self.potential(cells) + level

    def _predict(self, cells: Cells) -> np.ndarray:
        features = self._features(cells)
        return self._scale.back(np.stack([f.predict(features) for f in self._potentials]).mean(0, dtype=np.float64))


class Standard:
    """Labels of mean 0 and standard deviation 1 within their groups."""

    def __init__(self, labels: np.ndarray, groups: np.ndarray) -> None:
        self._groups, sizes = groups, np.bincount(groups)
        self._means = np.bincount(groups, labels) / np.maximum(sizes, 1)
        inside = labels - self._means[groups]
        free = max(len(labels) - int((sizes > 0).sum()), 1)
        self._spread = float(np.sqrt((inside**2).sum() / free)) or 1.0

    def forward(self, labels: np.ndarray) -> np.ndarray:
        """Return scores of the labels given before."""
        return (labels - self._means[self._groups]) / self._spread

    def back(self, scores: np.ndarray) -> np.ndarray:
        """Return the labels of scores, up to the level."""
        return scores * self._spread


class NormalScores:
    """Labels as normal scores, (rank - 1/2) / B through the inverse normal distribution function; back by linear
    interpolation, and beyond the labels by the line through a tenth of them, so that order is kept."""

    def __init__(self, labels: np.ndarray) -> None:
        order = np.argsort(labels, kind="stable")
        self._scores = normal_scores(labels)
        self._x, first = np.unique(self._scores[order], return_index=True)
        self._y = labels[order][first]
        tail = max(len(self._x) // 10, 1)
        ends = ((0, tail), (-1 - tail, -1))
        steps = [(self._y[j] - self._y[i], self._x[j] - self._x[i]) for i, j in ends if len(self._x) > tail]
        self._slopes = [rise / run for rise, run in steps] or [1.0, 1.0]

    def forward(self, labels: np.ndarray) -> np.ndarray:
        """Return scores of the labels given before."""
        return self._scores

    def of(self, labels: np.ndarray) -> np.ndarray:
        """Return scores of any labels: by linear interpolation between the labels given before, and beyond them the
        score of the last."""
        return np.interp(labels, self._y, self._x)

    def back(self, scores: np.ndarray) -> np.ndarray:
        """Return the labels of scores."""
        inside = np.interp(scores, self._x, self._y)
        low, high = np.minimum(scores - self._x[0], 0), np.maximum(scores - self._x[-1], 0)
        return inside + low * self._slopes[0] + high * self._slopes[1]


def difference_trees(seed: int) -> BoostedTrees:
    """Return boosted trees as they are fitted where all differences between labels are known."""
    return BoostedTrees(seed, trees=400, depth=5, learning_rate=0.04, subsample=0.6, leaf=3)


def gp_difference(space: SearchSpace[Any], features: Features | None = None) -> AdditiveDifference:
    """Return a Gaussian process on differences, by default over the path profile of cells: for pairs of any scheme."""
    return AdditiveDifference(space, [GPPredictor()], features or path_profile(space))


def strong_difference(space: SearchSpace[Any], features: Features | None = None, seed: int = 0) -> AdditiveDifference:
    """Return the strongest additive predictor here, a Gaussian process averaged with trees: for `subset` pairs."""
    return AdditiveDifference(space, [GPPredictor(), difference_trees(seed)], features or path_profile(space))
