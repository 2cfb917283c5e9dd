"""Forests of extremely randomised trees (Geurts, Ernst and Wehenkel, 2006) as arrays: grown by scikit-learn, kept
without it.

A surrogate may be such a forest where a Gaussian process (`surrogate`) is worse. scikit-learn stores a forest as a
pickle; here it is a table of nodes, which is safe to read and predicts without scikit-learn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nasrepro.benchmarks.surrogates.validation import Predict
from nasrepro.seeding import derive, numpy_stream

TREES = 40
LEAF = 2  # least number of training rows in a leaf
SHARE = 0.4  # of the features, tried at each split
FOLDS = 5
_CHUNK = 4_096


@dataclass(frozen=True)
class Forest:
    """T trees in one list of M nodes. A leaf is its own child.

    Attributes:
        roots: node of each tree at which it begins, int64, T.
        feature, threshold: a row goes left where `features[feature] <= threshold`, int64 and float64, M.
        left, right: child nodes, int64, M.
        value: mean label of the training rows of a node, float64, M.
    """

    roots: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return the mean over trees (float64, B) for features B x D."""
        return self._by_chunks(features).mean(axis=1)

    def spread(self, features: np.ndarray) -> np.ndarray:
        """Return the standard deviation over trees (float64, B)."""
        return self._by_chunks(features).std(axis=1)

    def by_tree(self, features: np.ndarray) -> np.ndarray:
        """Return the prediction of each tree (float64, B x T)."""
        x = np.asarray(features, dtype=np.float32)  # as scikit-learn compares
        rows = np.arange(len(x))[:, None]
        nodes = np.tile(self.roots, (len(x), 1))
        while True:
            below = np.where(x[rows, self.feature[nodes]] <= self.threshold[nodes], self.left[nodes], self.right[nodes])
            if np.array_equal(below, nodes):
                return self.value[nodes]
            nodes = below

    def to_frame(self) -> pd.DataFrame:
        """Return the nodes as a table."""
        columns = {name: getattr(self, name) for name in ("feature", "threshold", "left", "right", "value")}
        return pd.DataFrame({"root": np.isin(np.arange(len(self.value)), self.roots), **columns})

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> Forest:
        """Build from the table that `to_frame` makes."""
        columns = [frame[name].to_numpy() for name in ("feature", "threshold", "left", "right", "value")]
        return cls(np.flatnonzero(frame["root"].to_numpy()), *columns)

    def _by_chunks(self, features: np.ndarray) -> np.ndarray:
        starts = range(0, max(len(features), 1), _CHUNK)
        return np.concatenate([self.by_tree(features[start : start + _CHUNK]) for start in starts])


def grow(features: np.ndarray, targets: np.ndarray, *, seed: int = 0) -> Forest:
    """Return a forest grown on features n x D and targets n."""
    from sklearn.ensemble import ExtraTreesRegressor

    used = np.flatnonzero(features.std(axis=0) > 0)  # growing is several times as fast without the constant ones
    grown = ExtraTreesRegressor(
        TREES, min_samples_leaf=LEAF, max_features=SHARE, random_state=derive(seed, "forest") % 2**32
    ).fit(features[:, used], targets)
    parts: dict[str, list[np.ndarray]] = {name: [] for name in ("feature", "threshold", "left", "right", "value")}
    roots, start = [], 0
    for tree in (estimator.tree_ for estimator in grown.estimators_):
        own = np.arange(tree.node_count)
        leaf = tree.children_left < 0
        parts["feature"].append(used[np.where(leaf, 0, tree.feature)])
        parts["threshold"].append(tree.threshold)
        parts["left"].append(np.where(leaf, own, tree.children_left) + start)
        parts["right"].append(np.where(leaf, own, tree.children_right) + start)
        parts["value"].append(tree.value[:, 0, 0])
        roots.append(start)
        start += tree.node_count
    return Forest(np.array(roots), **{name: np.concatenate(arrays) for name, arrays in parts.items()})


def grower(seed: int = 0) -> Callable[[np.ndarray, np.ndarray], Predict]:
    """Return what fits a forest and predicts with it: the mean and the spread over its trees, 2 x B."""

    def fit(features: np.ndarray, targets: np.ndarray) -> Predict:
        forest = grow(features, targets, seed=seed)
        return lambda new: np.stack([forest.predict(new), forest.spread(new)])

    return fit


def fold_of_rows(count: int, *, seed: int = 0) -> np.ndarray:
    """Return a fold for each of `count` rows, at random and of nearly equal sizes; int64."""
    return numpy_stream(seed, "forest", "folds").permutation(count) % FOLDS


def calibration(errors: np.ndarray, spreads: np.ndarray) -> float:
    """Return the factor of the spreads such that 95 % of the errors lie within 1.96 times the products."""
    return float(np.quantile(np.abs(errors) / spreads, 0.95) / 1.96)


def coverage(errors: np.ndarray, spreads: np.ndarray, folds: np.ndarray) -> float:
    """Return the share of errors within 1.96 calibrated spreads, each fold calibrated on the others."""
    inside = [
        np.abs(errors[test]) < 1.96 * calibration(errors[~test], spreads[~test]) * spreads[test]
        for test in (folds == fold for fold in range(FOLDS))
    ]
    return float(np.concatenate(inside).mean())
