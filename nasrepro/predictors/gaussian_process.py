"""Gaussian process regression with an RBF kernel of one length scale per feature (automatic relevance determination).

Rasmussen and Williams (2006), algorithm 2.1 and equation 5.9. The hyper-parameters are those of the largest posterior
density under the priors of Hvarfner et al. (ICML 2024), which BoTorch uses too: they let length scales grow with the
number of features, so that a handful of labels can be fitted in dozens of dimensions.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.optimize import minimize

_SCALE_SPREAD = math.sqrt(3)  # log length scale ~ normal(sqrt(2) + log(D) / 2, sqrt(3))
_NOISE_LOCATION, _NOISE_SPREAD = -4.0, 1.0  # log noise variance ~ normal(-4, 1)
_NOISE_BOUNDS = (math.log(1e-4), 0.0)  # the lower one keeps float32 predictions sound
_LEVEL = 100.0  # prior variance of a group's level, labels having variance 1
_CHUNK = 16_384  # candidates predicted at a time


class GaussianProcess:
    """Zero mean, unit signal variance: give it standardised labels.

    Args:
        dimensions: D, number of features.

    Attributes:
        log_scales: logarithms of the length scales, D.
        log_noise: logarithm of the noise variance.
    """

    def __init__(self, dimensions: int) -> None:
        self._location = math.sqrt(2) + math.log(dimensions) / 2
        self.log_scales = np.full(dimensions, self._location)
        self.log_noise = _NOISE_LOCATION

    def fit(self, x: np.ndarray, y: np.ndarray, steps: int, groups: np.ndarray | None = None) -> None:
        """Condition on labels y (B) at features x (B x D).

        Args:
            x: features.
            y: labels of mean 0 and variance 1.
            steps: most L-BFGS steps on the hyper-parameters, from their present values; 0 keeps them.
            groups: number of each label's group (int, B), where the labels of a group share an unknown level that
                predictions leave out; None where there is no such level.
        """
        x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
        levels = _levels(groups)
        if steps:
            best = minimize(
                self.loss, np.append(self.log_scales, self.log_noise), (x, y, levels), "L-BFGS-B", jac=True,
                bounds=[(-3.0, 10.0)] * len(self.log_scales) + [_NOISE_BOUNDS], options={"maxiter": steps},
            )  # fmt: skip
            self.log_scales, self.log_noise = best.x[:-1], float(best.x[-1])
        scaled = x / np.exp(self.log_scales)
        covariance = _rbf(scaled, scaled) + math.exp(self.log_noise) * np.eye(len(x)) + levels
        lower, _ = factor = cho_factor(covariance, lower=True)
        self._x = scaled.astype(np.float32)
        self._weights = cho_solve(factor, y).astype(np.float32)
        self._whiten = solve_triangular(np.tril(lower), np.eye(len(x)), lower=True).T.astype(np.float32)

    def predict(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation of the noiseless function at features x (B x D), float32, B each."""
        mean, variance = np.empty(len(x), dtype=np.float32), np.empty(len(x), dtype=np.float32)
        for start in range(0, len(x), _CHUNK):
            part = slice(start, start + _CHUNK)
            cross = self._cross(x[part])
            mean[part] = cross @ self._weights
            variance[part] = 1 - np.square(cross @ self._whiten).sum(1)
        return mean, np.sqrt(variance.clip(1e-12))

    def mean(self, x: np.ndarray) -> np.ndarray:
        """Return the mean alone at features x (B x D), float32, B; cheaper than `predict`."""
        parts = [self._cross(x[start : start + _CHUNK]) @ self._weights for start in range(0, len(x), _CHUNK)]
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.float32)

    def covariance(self, x: np.ndarray) -> np.ndarray:
        """Return the posterior covariance of the noiseless function at features x (B x D), float32, B x B."""
        whitened = self._cross(x) @ self._whiten
        scaled = self._scaled(x)
        covariance: np.ndarray = _rbf(scaled, scaled) - whitened @ whitened.T
        return covariance

    def loss(
        self, parameters: np.ndarray, x: np.ndarray, y: np.ndarray, levels: np.ndarray | float = 0.0
    ) -> tuple[float, np.ndarray]:
        """Return the negative log posterior density of the hyper-parameters (log scales, log noise) up to a constant,
        and its gradient; `levels` is the covariance (B x B) of the levels of groups."""
        log_scales, noise = parameters[:-1], math.exp(parameters[-1])
        scaled = x / np.exp(log_scales)
        kernel = _rbf(scaled, scaled)
        factor = cho_factor(kernel + noise * np.eye(len(x)) + levels, lower=True)
        inverse = cho_solve(factor, np.eye(len(x)))
        weights = inverse @ y
        value = 0.5 * y @ weights + np.log(np.diag(factor[0])).sum()
        slope = inverse - np.outer(weights, weights)  # 2 d value / d covariance
        pull = slope * kernel
        # sum_ij pull_ij (x_i - x_j)^2 / 2 per feature, without the B x B x D differences
        by_scale = (pull.sum(1)[:, None] * scaled**2).sum(0) - ((pull @ scaled) * scaled).sum(0)
        by_noise = 0.5 * noise * np.trace(slope)
        # densities of the length scale and the noise themselves, not of their logarithms: hence the linear terms
        away, louder = (log_scales - self._location) / _SCALE_SPREAD, (parameters[-1] - _NOISE_LOCATION) / _NOISE_SPREAD
        value += (log_scales + away**2 / 2).sum() + parameters[-1] + louder**2 / 2
        gradient = np.append(by_scale + 1 + away / _SCALE_SPREAD, by_noise + 1 + louder / _NOISE_SPREAD)
        return float(value), gradient

    def _scaled(self, x: np.ndarray) -> np.ndarray:
        return x.astype(np.float32) / np.exp(self.log_scales).astype(np.float32)

    def _cross(self, x: np.ndarray) -> np.ndarray:
        return _rbf(self._scaled(x), self._x)


def _levels(groups: np.ndarray | None) -> np.ndarray | float:
    return 0.0 if groups is None else _LEVEL * (groups[:, None] == groups)


def _rbf(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return exp(-|a_i - b_j|^2 / 2) of scaled features."""
    exponent = a @ b.T
    exponent -= np.square(a).sum(1)[:, None] / 2
    exponent -= np.square(b).sum(1) / 2
    kernel: np.ndarray = np.exp(np.minimum(exponent, 0, out=exponent), out=exponent)
    return kernel
