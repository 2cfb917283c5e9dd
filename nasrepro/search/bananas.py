"""BANANAS (White et al., AAAI 2021, algorithm 1): Bayesian optimisation with a neural predictor on path encodings.

Candidates are mutants of the best cells; an ensemble of networks predicts them, and independent Thompson sampling (one
draw for every candidate from the normal distribution with the ensemble's mean and spread) orders them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nasrepro.encodings.path import path_encoding
from nasrepro.predictors.scaling import standardised
from nasrepro.search.defaults import BANANAS_DEFAULTS, BananasConfig
from nasrepro.search.ensemble import Ensemble
from nasrepro.search.model_based import SurrogateSearch
from nasrepro.search.mutation import new_mutants
from nasrepro.spaces.base import SearchSpace


class BANANAS(SurrogateSearch):
    """Mutate the best cells, and query those of the highest Thompson samples.

    Args:
        space: where to search.
        rng: source of randomness.
        config: hyper-parameters.
    """

    name = "bananas"

    def __init__(
        self, space: SearchSpace[Any], rng: np.random.Generator, config: BananasConfig = BANANAS_DEFAULTS
    ) -> None:
        super().__init__(space, rng, config.initial, config.batch)
        self._config = config

    def choose(self, count: int) -> list[Any]:
        """Return the candidates of the highest Thompson samples."""
        config = self._config.candidates
        candidates = new_mutants(self.space, self.best(config.parents), self.rng, config, self.seen)
        if not candidates:
            return []
        bits = path_encoding(self.space.encode([*self.archs, *candidates]), self.space.node_classes)
        known, new = bits[: len(self.archs)], bits[len(self.archs) :]
        ensemble = Ensemble(bits.shape[1], self.rng, self._config.ensemble)
        ensemble.fit(known, standardised(self.values))
        predictions = ensemble.predict(new)
        samples = self.rng.normal(predictions.mean(0), predictions.std(0))
        return [candidates[k] for k in np.argsort(-samples)[:count]]
