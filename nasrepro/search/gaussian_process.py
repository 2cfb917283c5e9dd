"""What a practitioner would use today: a Gaussian process with one length scale per feature, on the whole space.

Features are counts of live operations and of which feeds which, convolution paths, and one-hot operations where the
place of an operation means something (`encodings.tabular`). Labels are stretched near the best one, y -> -log(best + c
- y), because only the differences there matter. Cells are chosen by upper confidence bound; within a batch every choice
is taken as an observation of its mean (GP-BUCB, Desautels et al., JMLR 2014), so that a batch spreads out. Where the
space can be enumerated, all its cells are candidates; elsewhere, the neighbours of the best.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from nasrepro.encodings.tabular import tabular_features
from nasrepro.predictors.gaussian_process import GaussianProcess
from nasrepro.predictors.scaling import standardised
from nasrepro.search.defaults import PractitionerConfig
from nasrepro.search.model_based import SurrogateSearch
from nasrepro.spaces.base import FiniteSpace, SearchSpace


class PractitionerGP(SurrogateSearch[PractitionerConfig]):
    """Query the cells of the highest upper confidence bounds of a Gaussian process.

    Args:
        space: where to search.
        rng: source of randomness.
        config: hyper-parameters.
    """

    name, defaults = "gp", PractitionerConfig()

    def __init__(
        self, space: SearchSpace[Any], rng: np.random.Generator, config: PractitionerConfig | None = None
    ) -> None:
        super().__init__(space, rng, config)
        self._features = tabular_features(space)
        self._model = GaussianProcess(len(self._features))
        self._steps = self.config.first_steps

    def choose(self, count: int) -> list[Any]:
        """Return the cells of the highest upper confidence bounds."""
        labels = standardised(log_distance(self.values, self.config.offset))
        self._model.fit(self._features(self.space.encode(self.archs)), labels, self._steps)
        self._steps = self.config.steps
        if isinstance(self.space, FiniteSpace):
            assert self._features.table is not None
            rows = self._choose(self._features.table, self.space.rows(self.tried), count)
            return [self.space.from_index(int(row)) for row in rows]
        candidates = self.unseen_neighbours(self.best(self.config.parents))
        if not candidates:
            return []
        features = self._features(self.space.encode(candidates))
        return [candidates[k] for k in self._choose(features, np.zeros(0, dtype=np.int64), count)]

    def _choose(self, features: np.ndarray, tried: np.ndarray, count: int) -> np.ndarray:
        """Return the rows of `features` to query, none of those `tried`."""
        mean, deviation = self._model.predict(features)
        bound = mean + self.config.confidence * deviation
        bound[tried] = -np.inf
        size = min(self.config.shortlist, len(bound) - len(tried))
        shortlist = np.argpartition(-bound, size - 1)[:size] if size else np.zeros(0, dtype=np.int64)
        order = spread_out(
            mean[shortlist],
            self._model.covariance(features[shortlist]),
            math.exp(self._model.log_noise),
            self.config.confidence,
            count,
        )
        return shortlist[order]


def log_distance(values: Sequence[float], offset: float) -> np.ndarray:
    """Return -log(best + c - y) with c the share `offset` of the distance from the median to the best value."""
    y = np.asarray(values, dtype=np.float64)
    c = offset * (y.max() - np.median(y))
    return -np.log(y.max() + (c or 1.0) - y)


def spread_out(mean: np.ndarray, covariance: np.ndarray, noise: float, confidence: float, count: int) -> list[int]:
    """Choose up to `count` different points one after another by upper confidence bound; each choice shrinks the
    variances as an observation of its mean would (and so leaves the means)."""
    covariance = covariance.copy()
    bound = np.empty_like(mean)
    chosen: list[int] = []
    while len(chosen) < min(count, len(mean)):
        np.sqrt(np.diag(covariance).clip(0), out=bound)
        bound = mean + confidence * bound
        bound[chosen] = -np.inf
        k = int(bound.argmax())
        chosen.append(k)
        covariance -= np.outer(covariance[k], covariance[k]) / (covariance[k, k] + noise)
    return chosen
