"""BANANAS (White et al., AAAI 2021, algorithm 1): Bayesian optimisation with a neural predictor on path encodings.

Candidates are mutants of the best cells; an ensemble of networks predicts them, and independent Thompson sampling (one
draw for every candidate from the normal distribution with the ensemble's mean and spread) orders them. The same with
bagged trees of XGBoost, on the features that trees are good at, is a search of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nasrepro.encodings.path import path_encoding
from nasrepro.encodings.tabular import tabular_features
from nasrepro.predictors.regressors import XGBoost
from nasrepro.predictors.scaling import standardised
from nasrepro.search.defaults import BananasConfig
from nasrepro.search.ensemble import Ensemble
from nasrepro.search.model_based import SurrogateSearch
from nasrepro.search.mutation import new_mutants

_MOST_NODES_OF_PATHS = 32  # of all published spaces; beyond, paths are too many


class BANANAS(SurrogateSearch[BananasConfig]):
    """Mutate the best cells, and query those of the highest Thompson samples."""

    name, defaults = "bananas", BananasConfig()

    def choose(self, count: int) -> list[Any]:
        """Return the candidates of the highest Thompson samples."""
        parents, wanted, edits = self.best(self.config.parents), self.config.candidates, self.config.edits
        candidates = new_mutants(self.space, parents, self.rng, wanted, self.seen, edits)
        if not candidates:
            return []
        features, known = self.features([*self.archs, *candidates]), len(self.archs)
        predictions = self.predictions(features[:known], standardised(self.values), features[known:])
        samples = self.rng.normal(predictions.mean(0), predictions.std(0))
        return [candidates[k] for k in np.argsort(-samples)[:count]]

    def features(self, archs: list[Any]) -> np.ndarray:
        """Return the path encoding of cells, float32, B x F; of large ones, which have too many paths, the tabular
        features."""
        if self.space.max_nodes > _MOST_NODES_OF_PATHS:
            return tabular_features(self.space)(self.space.encode(archs))
        return path_encoding(self.space.encode(archs), self.space.node_classes)

    def predictions(self, known: np.ndarray, targets: np.ndarray, new: np.ndarray) -> np.ndarray:
        """Return what each member of an ensemble, fitted to targets (B) of known cells (B x F), predicts of new ones
        (C x F), E x C."""
        ensemble = Ensemble(known.shape[1], self.rng, self.config.ensemble)
        ensemble.fit(known, targets)
        return ensemble.predict(new)


class XGBoostBANANAS(BANANAS):
    """BANANAS with XGBoost's trees on tabular features in place of networks on paths; labels have the same scale."""

    name = "bananas_xgboost"

    def features(self, archs: list[Any]) -> np.ndarray:
        """Return the tabular features of cells, float32, B x F."""
        return tabular_features(self.space)(self.space.encode(archs))

    def predictions(self, known: np.ndarray, targets: np.ndarray, new: np.ndarray) -> np.ndarray:
        """See `BANANAS.predictions`."""
        ensemble = XGBoost(seed=int(self.rng.integers(2**32)))
        ensemble.fit(known, targets)
        return ensemble.predict_members(new)
