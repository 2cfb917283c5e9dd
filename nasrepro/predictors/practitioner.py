"""What a practitioner would use today on a table of features: a Gaussian process, and boosted trees.

Labels are replaced by the normal quantiles of their ranks, since accuracies have a long lower tail that would otherwise
decide the fit, and a ranking is all that is asked for. The quantiles are scaled to variance 1.
"""

from __future__ import annotations

import numpy as np

from nasrepro.predictors.gaussian_process import GaussianProcess
from nasrepro.predictors.scaling import normal_scores, unit_variance
from nasrepro.seeding import derive, numpy_stream

_STEPS = 40  # L-BFGS steps on the length scales
_MOST_CELLS = 500  # labelled cells that the length scales are fitted to; the process is conditioned on all


class GPPredictor:
    """A `Predictor`: the Gaussian process of `gaussian_process`."""

    def fit(self, features: np.ndarray, labels: np.ndarray, seed: int) -> None:
        """Learn from labels (B) of cells with these features (B x F)."""
        targets = unit_variance(normal_scores(labels))
        self._model = GaussianProcess(features.shape[1])
        part = numpy_stream(seed, "scales").permutation(len(labels))[:_MOST_CELLS]
        self._model.fit(features[part], targets[part], _STEPS)
        if len(part) < len(labels):
            self._model.fit(features, targets, 0)

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return the posterior mean for each cell (features B x F), B, in normal scores."""
        return self._model.mean(features)


class BoostedTrees:
    """A `Predictor`: gradient boosting of small regression trees (Friedman, 2001), on normal scores.

    Args:
        trees: how many.
        depth: of each tree.
        learning_rate: share of a tree that is added.
        subsample: share of the labelled cells that each tree sees.
    """

    def __init__(self, trees: int = 300, depth: int = 4, learning_rate: float = 0.05, subsample: float = 0.7) -> None:
        self._options = {
            "n_estimators": trees, "max_depth": depth, "learning_rate": learning_rate, "subsample": subsample
        }  # fmt: skip

    def fit(self, features: np.ndarray, labels: np.ndarray, seed: int) -> None:
        """Learn from labels (B) of cells with these features (B x F)."""
        from sklearn.ensemble import GradientBoostingRegressor

        self._model = GradientBoostingRegressor(
            max_features="sqrt", random_state=derive(seed, "trees") % 2**32, **self._options
        )
        self._model.fit(features, unit_variance(normal_scores(labels)))

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return the predicted normal score of each cell (features B x F), B."""
        predicted: np.ndarray = self._model.predict(features)
        return predicted
