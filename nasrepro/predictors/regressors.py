"""What a practitioner would use today on a table of features: a Gaussian process, and boosted trees.

All are fitted to targets of variance 1. Accuracies have a long lower tail that would decide the fit, and a ranking is
all that is asked for: their normal scores (`scaling`) are better targets.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nasrepro.errors import ParameterError
from nasrepro.predictors.gaussian_process import GaussianProcess
from nasrepro.seeding import numpy_stream


class GPPredictor:
    """A `Predictor`: the Gaussian process of `gaussian_process`, conditioned on all labels.

    Args:
        steps: most L-BFGS steps on its length scales and noise.
        fit_on: labelled cells that these are fitted to.
        seed: decides which cells these are; None for the first ones.
    """

    def __init__(self, steps: int = 40, fit_on: int = 400, seed: int | None = None) -> None:
        self._steps, self._fit_on, self._seed = steps, fit_on, seed

    def fit(self, features: np.ndarray, targets: np.ndarray, groups: np.ndarray | None = None) -> None:
        """See `Predictor`."""
        part: Any = slice(self._fit_on)
        if self._seed is not None:
            part = numpy_stream(self._seed, "scales").permutation(len(targets))[part]
        self._model = GaussianProcess(features.shape[1])
        self._model.fit(features[part], targets[part], self._steps, None if groups is None else groups[part])
        if len(targets) > self._fit_on:
            self._model.fit(features, targets, 0, groups)

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return the posterior mean for each cell (features B x F), float32, B."""
        return self._model.mean(features)


class BoostedTrees:
    """A `Predictor`: gradient boosting of small regression trees (Friedman, 2001), of scikit-learn.

    Args:
        seed: of the cells and features that each tree sees.
        trees: how many.
        depth: of each tree.
        learning_rate: share of a tree that is added.
        subsample: share of the labelled cells that each tree sees.
        leaf: fewest cells of a leaf.
    """

    def __init__(
        self,
        seed: int = 0,
        trees: int = 300,
        depth: int = 4,
        learning_rate: float = 0.05,
        subsample: float = 0.7,
        leaf: int = 1,
    ) -> None:
        self._options: dict[str, Any] = {
            "n_estimators": trees, "max_depth": depth, "learning_rate": learning_rate, "subsample": subsample,
            "min_samples_leaf": leaf, "max_features": "sqrt", "random_state": seed % 2**32,
        }  # fmt: skip

    def fit(self, features: np.ndarray, targets: np.ndarray, groups: np.ndarray | None = None) -> None:
        """See `Predictor`; raise `ParameterError` for more than one group."""
        from sklearn.ensemble import GradientBoostingRegressor

        _refuse(groups)
        self._model = GradientBoostingRegressor(**self._options).fit(features, targets)

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return the predicted target of each cell (features B x F), B."""
        predicted: np.ndarray = self._model.predict(features)
        return predicted


class XGBoost:
    """A `Predictor`: regression trees boosted by XGBoost (Chen and Guestrin, KDD 2016), several times.

    Each member learns from a bootstrap sample of the labelled cells, so that their spread says how sure they are.

    Args:
        seed: of the samples, and of the features that each tree sees.
        members: E, of 200 trees each.
    """

    def __init__(self, seed: int = 0, members: int = 5) -> None:
        self._seed, self._members = seed, members

    def fit(self, features: np.ndarray, targets: np.ndarray, groups: np.ndarray | None = None) -> None:
        """See `Predictor`; raise `ParameterError` for more than one group."""
        from xgboost import XGBRegressor

        _refuse(groups)
        rng = numpy_stream(self._seed, "bootstrap")
        self._models = []
        for _ in range(self._members):
            drawn = rng.integers(len(targets), size=len(targets))
            model = XGBRegressor(
                n_estimators=200, max_depth=4, learning_rate=0.1, colsample_bynode=0.5,
                random_state=int(rng.integers(2**31)), n_jobs=1,
            )  # fmt: skip
            self._models.append(model.fit(features[drawn], targets[drawn]))

    def predict_members(self, features: np.ndarray) -> np.ndarray:
        """Return what each member predicts of each cell (features B x F), float32, E x B."""
        return np.stack([model.predict(features) for model in self._models])

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return the mean of the members for each cell (features B x F), float32, B."""
        mean: np.ndarray = self.predict_members(features).mean(0)
        return mean


def _refuse(groups: np.ndarray | None) -> None:
    if groups is not None and groups.any():
        raise ParameterError("Trees are fitted to labels, not to differences: take scheme=subset, or a GP alone.")
