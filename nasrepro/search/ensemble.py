"""BANANAS' predictor: an ensemble of small feed-forward networks, trained side by side as one batch of matrices.

Backpropagation is written out in numpy, which is eight times as fast as torch for networks as small as these.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from nasrepro.search.defaults import EnsembleConfig

_FIRST_MOMENT, _SECOND_MOMENT, _EPSILON = 0.9, 0.999, 1e-8  # of Adam (Kingma and Ba, 2015)


class Ensemble:
    """E networks of rectified linear layers with one output.

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
