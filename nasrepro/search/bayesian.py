"""Bayesian optimisation with the Gaussian process of scikit-learn.

Matern kernel (nu 5/2, one length scale) and noise on the one-hot adjacency encoding, hyper-parameters by marginal
likelihood at every fit, expected improvement (Jones et al., 1998) over the neighbours of the best
cells. Labels enter as the normal scores of their ranks, because the accuracies of broken cells lie too far away for a
Gaussian process.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy.stats import norm
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from nasrepro.encodings.adjacency import adjacency_encoding
from nasrepro.predictors.scaling import normal_scores
from nasrepro.search.defaults import BayesianConfig
from nasrepro.search.model_based import SurrogateSearch


class BayesianOptimisation(SurrogateSearch[BayesianConfig]):
    """Query the neighbours of the best cells that have the highest expected improvement."""

    name, defaults = "bo", BayesianConfig()

    def choose(self, count: int) -> list[Any]:
        """Return the candidates of the highest expected improvement."""
        candidates = self.unseen_neighbours(self.best(self.config.parents))
        if not candidates:
            return []
        kernel = ConstantKernel(1.0) * Matern(3.0, (0.1, 100.0), nu=2.5) + WhiteKernel(1e-2, (1e-6, 1.0))
        model = GaussianProcessRegressor(kernel, normalize_y=True)
        labels = normal_scores(self.values)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a hyper-parameter at its bound does no harm
            model.fit(self._features(self.archs), labels)
        mean, deviation = model.predict(self._features(candidates), return_std=True)
        gain = expected_improvement(mean, deviation, labels.max())
        return [candidates[k] for k in np.argsort(-gain, kind="stable")[:count]]

    def _features(self, archs: list[Any]) -> np.ndarray:
        return adjacency_encoding(self.space.encode(archs), len(self.space.node_classes)).numpy()


def expected_improvement(mean: np.ndarray, deviation: np.ndarray, best: float) -> np.ndarray:
    """Return E[max(f - best, 0)] of normal f with these means and standard deviations."""
    deviation = np.maximum(deviation, 1e-12)
    gain: np.ndarray = (mean - best) * norm.cdf((mean - best) / deviation)
    return gain + deviation * norm.pdf((mean - best) / deviation)
