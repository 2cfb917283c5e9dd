"""BANANAS (White et al., AAAI 2021, algorithm 1): Bayesian optimisation with a neural predictor on path encodings.

Candidates are mutants of the best cells; an ensemble of networks predicts them, and independent Thompson sampling (one
draw for every candidate from the normal distribution with the ensemble's mean and spread) orders them. The same with
bagged trees of XGBoost, on the features that trees are good at, is a search of its own.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np

from nasrepro.encodings.path import path_encoding
from nasrepro.encodings.tabular import tabular_features
from nasrepro.predictors.regressors import XGBoost
from nasrepro.predictors.scaling import standardised
from nasrepro.search.defaults import BananasConfig, EnsembleConfig
from nasrepro.search.model_based import SurrogateSearch
from nasrepro.search.mutation import new_mutants

_MOST_NODES_OF_PATHS = 32  # of all published spaces; beyond, paths are too many
_FIRST_MOMENT, _SECOND_MOMENT, _EPSILON = 0.9, 0.999, 1e-8  # of Adam (Kingma and Ba, 2015)


class Ensemble:
    """BANANAS' predictor: E small networks of rectified linear layers with one output, trained side by side as one
    batch of matrices. Backpropagation is written out in numpy, which is eight times as fast as torch for networks as
    small as these.

    Args:
        features: inputs of a network.
        rng: source of the first weights (He et al., 2015) and of the order of the labels.
        config: hyper-parameters.

    Attributes:
        parameters: all weights and biases, float32; `weights` (E x inputs x outputs) and `biases` (E x 1 x outputs) of
            each layer are views of it.
    """

    def __init__(self, features: int, rng: np.random.Generator, config: EnsembleConfig) -> None:
        self._config, self._rng = config, rng
        layers = list(pairwise([features, *[config.width] * config.layers, 1]))
        shapes = [(config.members, a, b) for a, b in layers] + [(config.members, 1, b) for _, b in layers]
        sizes = [math.prod(shape) for shape in shapes]
        self.parameters = np.zeros(sum(sizes), dtype=np.float32)
        self._gradient = np.zeros_like(self.parameters)
        views = [
            [part.reshape(shape) for part, shape in zip(np.split(flat, np.cumsum(sizes)[:-1]), shapes, strict=True)]
            for flat in (self.parameters, self._gradient)
        ]
        self.weights, self.biases = views[0][: len(layers)], views[0][len(layers) :]
        self._by_weight, self._by_bias = views[1][: len(layers)], views[1][len(layers) :]
        for weight in self.weights:
            weight[:] = rng.normal(0, math.sqrt(2 / weight.shape[1]), weight.shape)

    def fit(self, x: np.ndarray, y: np.ndarray) -> None:
        """Train on labels y (B, of mean 0 and variance 1) at features x (float32, B x F) by Adam on the mean absolute
        error; every network sees the labels in an order of its own."""
        config, y = self._config, y.astype(np.float32)
        first, second, step = np.zeros_like(self.parameters), np.zeros_like(self.parameters), 0
        for _ in range(config.epochs):
            orders = self._rng.permuted(np.tile(np.arange(len(x)), (config.members, 1)), axis=1)
            for start in range(0, len(x), config.batch):
                chosen = orders[:, start : start + config.batch]
                gradient = self.gradient(x[chosen], y[chosen])
                step += 1
                first += (1 - _FIRST_MOMENT) * (gradient - first)
                second += (1 - _SECOND_MOMENT) * (gradient * gradient - second)
                rate = config.learning_rate * math.sqrt(1 - _SECOND_MOMENT**step) / (1 - _FIRST_MOMENT**step)
                self.parameters -= rate * first / (np.sqrt(second) + _EPSILON)

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return the prediction of each network, float32, E x B, at features x (float32, B x F or E x B x F)."""
        return self._forward(x)[-1][:, :, 0]

    def gradient(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return the gradient of the sum over networks of the mean absolute error at x (E x B x F) and y (E x B) with
        respect to `parameters`."""
        outputs = self._forward(x)
        error = np.sign(outputs[-1] - y[:, :, None]) / np.float32(y.shape[1])
        for k in reversed(range(len(self.weights))):
            np.matmul(outputs[k].transpose(0, 2, 1), error, out=self._by_weight[k])
            error.sum(1, keepdims=True, out=self._by_bias[k])
            if k:
                error = error @ self.weights[k].transpose(0, 2, 1) * (outputs[k] > 0)
        return self._gradient

    def _forward(self, x: np.ndarray) -> list[np.ndarray]:
        """Return the input of each layer, and the output of the last."""
        outputs = [x]
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            outputs.append(np.maximum(outputs[-1] @ weight + bias, 0))
        return [*outputs, outputs[-1] @ self.weights[-1] + self.biases[-1]]


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
