"""Surrogates: a label of every architecture of a space, predicted from the labels of some, with cross-validated error.

The model is a Gaussian process (Rasmussen and Williams, 2006, algorithm 2.1) with the kernel

    k(x, x') = a (exp(-|x - x'|^2 / 2 l^2) + w x x'),    plus noise of variance a v,

on standardised features: the linear part carries trends beyond the training data, the other part the rest. l, w and v
are those of the largest marginal likelihood over a grid, on a random part of the training data; a has a closed form.

A prediction comes with its standard deviation and with its distance from the training data, in units of what is usual
among them. Beyond 1 it is an extrapolation, and neither the prediction nor its standard deviation should be trusted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.spatial.distance import cdist

from nasrepro.benchmarks.surrogates.validation import CrossValidation, Predict, figures, out_of_fold
from nasrepro.files.cached_tables import cached_table, fingerprint
from nasrepro.seeding import numpy_stream

LENGTHS = (0.7, 1.0, 1.5, 2.2, 3.3, 5.0)
LINEAR_WEIGHTS = (0.0, 0.1, 0.3, 1.0, 3.0)
NOISES = np.array([0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5])
LIKELIHOOD_ROWS = 300  # most training rows on which the kernel is chosen
NEAREST = 5  # training rows to which a distance is measured
USUAL = 0.99  # share of the training rows that lie within distance 1 of the others
_CHUNK = 4_096
_VERSION = 1


@dataclass(frozen=True)
class Kernel:
    """The kernel without its amplitude: length scale l, weight w of the linear part, noise v."""

    length: float
    linear: float
    noise: float

    def __call__(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Return the kernel of all pairs of rows, without noise."""
        return np.exp(cdist(a, b, "sqeuclidean") / (-2 * self.length**2)) + self.linear * (a @ b.T)


class Surrogate:
    """A Gaussian process, conditioned on labels.

    Args:
        features: of the training architectures, n x D.
        targets: their labels, n.
        groups: sizes of the groups of columns, summing up to D; every group weighs the same in a distance.
        kernel: None to choose it by marginal likelihood.
        seed: of the training rows on which it is chosen.
    """

    def __init__(
        self,
        features: np.ndarray,
        targets: np.ndarray,
        groups: Sequence[int],
        kernel: Kernel | None = None,
        seed: int = 0,
    ) -> None:
        self.features = np.asarray(features, dtype=np.float64)
        self.targets = np.asarray(targets, dtype=np.float64)
        spread = self.features.std(axis=0)
        self._centre = self.features.mean(axis=0)
        self._weights = np.where(spread > 1e-9, 1 / np.maximum(spread, 1e-9), 0) / np.sqrt(np.repeat(groups, groups))
        self._x = self._standardised(self.features)
        self._mean, self._sd = float(self.targets.mean()), float(self.targets.std())
        y = (self.targets - self._mean) / self._sd
        self.kernel = kernel or choose_kernel(self._x, y, seed)
        covariance = self.kernel(self._x, self._x)
        covariance[np.diag_indices(len(y))] += self.kernel.noise
        self._factor = cho_factor(covariance, lower=True)
        self._alpha = cho_solve(self._factor, y)
        self._amplitude = float(y @ self._alpha / len(y))

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return the predictions (float64, B) of architectures with these features (B x D)."""
        return self._by_chunks(features, lambda x: self.kernel(x, self._x) @ self._alpha) * self._sd + self._mean

    def std(self, features: np.ndarray) -> np.ndarray:
        """Return the standard deviations (float64, B) of labels about their predictions, noise included."""
        return self._by_chunks(features, self._relative_std) * np.sqrt(self._amplitude) * self._sd

    def distance(self, features: np.ndarray) -> np.ndarray:
        """Return the distances from the training data (float64, B).

        It is the mean distance to the `NEAREST` training rows, over that which the share `USUAL` of the training rows
        keep to the others.
        """
        return self._by_chunks(features, lambda x: _nearest(cdist(x, self._x))) / self._usual

    def _relative_std(self, x: np.ndarray) -> np.ndarray:
        explained = solve_triangular(self._factor[0], self.kernel(self._x, x), lower=True, check_finite=False)
        own = 1 + self.kernel.linear * (x**2).sum(1) + self.kernel.noise
        std: np.ndarray = np.sqrt(np.maximum(own - (explained**2).sum(0), self.kernel.noise))
        return std

    @cached_property
    def _usual(self) -> float:
        distances = cdist(self._x, self._x)
        np.fill_diagonal(distances, np.inf)
        return float(np.quantile(_nearest(distances), USUAL))

    def _standardised(self, features: np.ndarray) -> np.ndarray:
        return (np.asarray(features, dtype=np.float64) - self._centre) * self._weights

    def _by_chunks(self, features: np.ndarray, compute: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        x = self._standardised(features)
        parts = [compute(x[start : start + _CHUNK]) for start in range(0, len(x), _CHUNK)]
        return np.concatenate(parts) if parts else np.zeros(0)


def extrapolation(distance: float) -> str:
    """Return what the reader should know of a prediction at a distance from the training data; "" up to 1."""
    return (
        f"An extrapolation: {distance:.2f} times as far from the cells of the surrogate as 99 % of them are from each "
        "other."
        if distance > 1
        else ""
    )


def _nearest(distances: np.ndarray) -> np.ndarray:
    nearest: np.ndarray = np.partition(distances, NEAREST - 1, axis=1)[:, :NEAREST].mean(axis=1)
    return nearest


def choose_kernel(x: np.ndarray, y: np.ndarray, seed: int = 0) -> Kernel:
    """Return the kernel of the largest marginal likelihood over the grid, for standardised features and labels.

    With the amplitude at its best value, -2 log p(y) is n log(y' K^-1 y) + log |K| up to a constant (equation 5.8), and
    one eigendecomposition gives it for all noises.
    """
    rng = numpy_stream(seed, "surrogate", "kernel")
    rows = rng.permutation(len(y))[:LIKELIHOOD_ROWS]
    x, y = x[rows], y[rows]
    best, kernel = np.inf, None
    for length in LENGTHS:
        for linear in LINEAR_WEIGHTS:
            values, vectors = np.linalg.eigh(Kernel(length, linear, 0.0)(x, x))
            spectrum = np.maximum(values, 0) + NOISES[:, None]
            fit = ((vectors.T @ y) ** 2 / spectrum).sum(1)
            losses = len(y) * np.log(fit) + np.log(spectrum).sum(1)
            if losses.min() < best:
                best, kernel = losses.min(), Kernel(length, linear, float(NOISES[losses.argmin()]))
    assert kernel is not None
    return kernel


def folds_of_rows(count: int, *, folds: int = 3, repeats: int = 5, seed: int = 0) -> list[np.ndarray]:
    """Return the fold of each row (int64, n) for `repeats` random partitions into `folds` parts."""
    orders = [numpy_stream(seed, "surrogate", "folds", repeat).permutation(count) for repeat in range(repeats)]
    return [np.argsort(order) % folds for order in orders]


def cross_validate(
    features: np.ndarray, targets: np.ndarray, groups: Sequence[int], folds: Sequence[np.ndarray], seed: int = 0
) -> CrossValidation:
    """Measure a surrogate on labels that it has not seen; `folds` are those of `folds_of_rows`."""

    def fit(x: np.ndarray, y: np.ndarray) -> Predict:
        surrogate = Surrogate(x, y, groups, seed=seed)
        return lambda new: np.stack([surrogate.predict(new), surrogate.std(new)])

    found = [out_of_fold(fit, features, targets, fold) for fold in folds]
    covered = [np.abs(predicted - targets) < 1.96 * std for predicted, std in found]
    return figures(
        targets,
        [(fold, predicted) for fold, (predicted, _) in zip(folds, found, strict=True)],
        float(np.mean(covered)),
    )


def fitted(
    name: str, made_of: Sequence[object], features: np.ndarray, targets: np.ndarray, groups: Sequence[int]
) -> tuple[Surrogate, CrossValidation]:
    """Return a surrogate and its cross-validated figures, which are found once and kept in the cache.

    Args:
        name: readable beginning of the name of the cached table.
        made_of: everything that features and labels depend on: checksums of raw files, versions of code.
        features, targets, groups: as in `Surrogate`.
    """

    def findings() -> pd.DataFrame:
        kernel = Surrogate(features, targets, groups).kernel
        found = cross_validate(features, targets, groups, folds_of_rows(len(targets)))
        return pd.DataFrame([{**asdict(kernel), **asdict(found)}])

    made = fingerprint([_VERSION, *groups, *made_of])
    found = cached_table(f"{name}-surrogate", made, findings).to_dict("records")[0]
    kernel = Kernel(**{field.name: found[field.name] for field in fields(Kernel)})
    return Surrogate(features, targets, groups, kernel), CrossValidation.of(found)
