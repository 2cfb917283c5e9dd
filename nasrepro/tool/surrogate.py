"""How probably a cell without a label is wanted, learnt from those with one.

A few labels are little for a generative model: of 5 % wanted among 300 labelled cells there are 15. So the labels of
the other cells are completed first, by regressors (ridge, kernel ridge, boosted trees) on features that every space
has. How well they do is measured on labelled cells held out in turn, and so are their errors: a cell is wanted as
probably as its prediction with such an error is. On pure noise every cell then is wanted as probably as any other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.optimize import nnls
from scipy.stats import mannwhitneyu, norm

from nasrepro.graphs import Graphs
from nasrepro.predictors.scaling import normal_scores
from nasrepro.seeding import numpy_stream
from nasrepro.tool.condition import Bound

_FOLDS = 5
_MOST_IN_KERNEL = 1_500  # labelled cells that kernel ridge learns from


def features(graphs: Graphs, classes: int) -> np.ndarray:
    """Describe cells: operations, which feeds which in one and two steps, degrees, depths; then every slot by itself.

    Args:
        graphs: the cells.
        classes: K, the number of node classes.

    Returns:
        float32, B x F; all but the slots do not depend on how the nodes are numbered.
    """
    mask = graphs.mask.numpy()
    one_hot = np.eye(classes, dtype=np.float32)[graphs.nodes.numpy()] * mask[..., None]
    edges = (graphs.adjacency().numpy() * mask[:, :, None] * mask[:, None]).astype(np.float32)
    depth = np.zeros(mask.shape, dtype=np.float32)
    paths = mask.astype(np.float64)
    for j in range(1, mask.shape[1]):
        depth[:, j] = (edges[:, :j, j] * (depth[:, :j] + 1)).max(1)
        paths[:, j] += (edges[:, :j, j] * paths[:, :j]).sum(1)
    by_node = np.stack([mask, edges.sum(1), edges.sum(2), depth, np.log1p(paths)], axis=1).astype(np.float32)
    columns = [by_node @ one_hot, by_node.sum(2), by_node.max(2)]  # sums by operation, and over all nodes
    if classes <= 16:
        fed = edges @ one_hot
        columns += [one_hot.transpose(0, 2, 1) @ fed, np.log1p(one_hot.transpose(0, 2, 1) @ (edges @ fed))]
    columns += [one_hot, graphs.pairs.numpy() * graphs.pair_mask.numpy()]
    return np.concatenate([column.reshape(len(mask), -1) for column in columns], axis=1, dtype=np.float32)


class Surrogate:
    """Learn which cells are wanted, from labels of some.

    Args:
        known: features of the labelled cells, float32, B x F.
        labels: of each of k metrics, float64, B x k.
        bounds: what is wanted of each, k.
        seed: of folds and regressors.

    Attributes:
        held_out: how probably each labelled cell is wanted, by models that did not see its label, float64, B.
        wanted: whether it is, bool, B.
        pvalues: of each condition, that held-out probabilities of wanted cells are no higher than of others.
    """

    def __init__(self, known: np.ndarray, labels: np.ndarray, bounds: Sequence[Bound], seed: int) -> None:
        varies = known.min(0) < known.max(0)
        self._varies, self._mean = varies, known[:, varies].mean(0)
        self._scale = known[:, varies].std(0)
        x = self._scaled(known)
        parts = [
            _Regressor(x, values if b.above else -values, b.cut if b.above else -b.cut, seed)
            for values, b in zip(labels.T, bounds, strict=True)
        ]
        self._parts = parts
        hits = [bound(values) for values, bound in zip(labels.T, bounds, strict=True)]
        self.wanted: np.ndarray = np.logical_and.reduce(hits)
        self.held_out: np.ndarray = np.prod([part.probability(part.held_out) for part in parts], axis=0)
        self.pvalues = [_pvalue(part.held_out, hit) for part, hit in zip(parts, hits, strict=True)]

    def __call__(self, cells: np.ndarray) -> np.ndarray:
        """Return how probably each cell meets all conditions, from its features (B x F), float64, B."""
        x = self._scaled(cells)
        found: np.ndarray = np.prod([part.probability(part.predict(x)) for part in self._parts], axis=0)
        return found

    def _scaled(self, cells: np.ndarray) -> np.ndarray:
        scaled: np.ndarray = (cells[:, self._varies] - self._mean) / self._scale
        return scaled


class _Regressor:
    """Normal scores of one metric, by a weighted mean of regressors; the weights are fitted to held-out predictions."""

    def __init__(self, x: np.ndarray, values: np.ndarray, cut: float, seed: int) -> None:
        y = normal_scores(values)
        below = (values < cut).sum()
        self._cut = float(norm.ppf(np.clip(below, 0.5, len(values) - 0.5) / len(values)))
        folds = numpy_stream(seed, "folds").permutation(len(y)) % _FOLDS
        predicted = np.zeros((len(_REGRESSORS), len(y)))
        for fold in range(_FOLDS):
            inside = folds == fold
            for k, make in enumerate(_REGRESSORS):
                predicted[k, inside] = make(seed).fit(x[~inside], y[~inside]).predict(x[inside])
        self._weights = nnls(predicted.T, y)[0]
        self.held_out = self._weights @ predicted
        self._spread = float(np.std(y - self.held_out)) or 1e-6
        self._models = [make(seed).fit(x, y) if w else None for make, w in zip(_REGRESSORS, self._weights, strict=True)]

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return the predicted normal scores of features (B x F), B."""
        total = np.zeros(len(x))
        for model, weight in zip(self._models, self._weights, strict=True):
            if model is not None:
                total += weight * model.predict(x)
        return total

    def probability(self, predicted: np.ndarray) -> np.ndarray:
        """Return how probably cells lie above the cut, of their predicted scores, B."""
        found: np.ndarray = norm.sf((self._cut - predicted) / self._spread)
        return found


class _KernelRidge:
    """Kernel ridge regression with a radial kernel, on at most `_MOST_IN_KERNEL` cells."""

    def __init__(self, alpha: float) -> None:
        from sklearn.kernel_ridge import KernelRidge

        self._model = KernelRidge(kernel="rbf", alpha=alpha)

    def fit(self, x: np.ndarray, y: np.ndarray) -> _KernelRidge:
        self._model.set_params(gamma=0.5 / x.shape[1])
        self._model.fit(x[:_MOST_IN_KERNEL], y[:_MOST_IN_KERNEL])
        return self

    def predict(self, x: np.ndarray) -> np.ndarray:
        found: np.ndarray = self._model.predict(x)
        return found


def _ridge(seed: int) -> Any:
    from sklearn.linear_model import RidgeCV

    return RidgeCV(np.logspace(0, 4, 9))


def _trees(seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(
        max_iter=150, learning_rate=0.08, max_leaf_nodes=12, max_features=0.3, early_stopping=False,
        random_state=seed % 2**32,
    )  # fmt: skip


_REGRESSORS: Sequence[Callable[[int], Any]] = (
    _ridge, _trees, lambda seed: _KernelRidge(0.03), lambda seed: _KernelRidge(0.5)
)  # fmt: skip


def _pvalue(scores: np.ndarray, wanted: np.ndarray) -> float:
    if wanted.all() or not wanted.any():
        return 1.0
    return float(mannwhitneyu(scores[wanted], scores[~wanted], alternative="greater").pvalue)
