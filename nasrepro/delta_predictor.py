"""Difference predictors F(a, b): how much more accurate b is than a (Delta-NAS, sections 4.1 and 4.2).

Two readings. `MLPDifference` is the paper's: a small network on the encoded pair, made antisymmetric, F(a, b) = -F(b,
a), by taking g(a, b) - g(b, a). `AdditiveDifference` is F(a, b) = f(b) - f(a) with a potential f: exactly antisymmetric
and additive along paths, so that chaining predictions from one architecture to another gives the same on every path.
With a Gaussian process for f, the kernel of two pairs is

$$ k((a, b), (c, d)) = K(a, c) - K(a, d) - K(b, c) + K(b, d), $$

and the level of f is unknown. Under squared loss, fitting an additive predictor to all pairs of m labelled cells is
fitting f to the m labels up to a constant: sum_ij ((r_i - r_j)^2) = 2 m sum_i (r_i - mean r)^2 for residuals r. So what
an additive predictor of differences can do, a predictor of accuracies with the same features does too.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from nasrepro.delta_data import DifferenceData, take
from nasrepro.encodings.difference import View, difference_encoding
from nasrepro.encodings.fixed_form import Cells
from nasrepro.predictors.gaussian_process import GaussianProcess
from nasrepro.spaces.base import FiniteSpace, SearchSpace

Features = Callable[[Cells], np.ndarray]  # cells -> B x F


class DifferencePredictor(ABC):
    """Predicts the label of one architecture minus that of another, in the unit of the labels.

    Args:
        space: whose architectures.
    """

    def __init__(self, space: SearchSpace[Any]) -> None:
        self.space = space

    @abstractmethod
    def fit(self, data: DifferenceData) -> None:
        """Learn from labelled pairs, from scratch."""

    @abstractmethod
    def gain_cells(self, base: Cells, neighbour: Cells) -> np.ndarray:
        """Return the predicted y(neighbour) - y(base) of cells (rows of a finite space, else architectures), float64,
        B."""

    def gain(self, base: Sequence[Any], neighbour: Sequence[Any]) -> np.ndarray:
        """Return the predicted y(neighbour) - y(base) of architectures, float64, B."""
        if isinstance(self.space, FiniteSpace):
            return self.gain_cells(self.space.rows(base), self.space.rows(neighbour))
        return self.gain_cells(list(base), list(neighbour))

    def gain_rows(self, base_rows: np.ndarray, neighbour_rows: np.ndarray) -> np.ndarray:
        """Return the predicted y(neighbour) - y(base) of rows (int64, B) of a finite space, float64, B."""
        return self.gain_cells(base_rows, neighbour_rows)


class Potential(Protocol):
    """A predictor of accuracy; its level need not mean anything."""

    def fit(self, features: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> None:
        """Learn from features (B x F) of cells, their labels (B), and which cells (of the same group, int, B) have a
        known difference."""

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return the potential at features (B x F), float64, B, in the unit of the labels."""


class AdditiveDifference(DifferencePredictor):
    """F(a, b) = f(b) - f(a).

    Args:
        space: whose architectures.
        features: of cells.
        potential: f.
    """

    def __init__(self, space: SearchSpace[Any], features: Features, potential: Potential) -> None:
        super().__init__(space)
        self._features, self._potential = features, potential
        self._known: np.ndarray | None = None  # potential of each row of a finite space, NaN where not asked for yet

    def fit(self, data: DifferenceData) -> None:
        """Fit the potential; only differences within a connected component of the pairs count."""
        self._potential.fit(self._features(data.cells), data.labels, data.groups())
        self._known = np.full(self.space.size, np.nan) if isinstance(self.space, FiniteSpace) else None

    def potential(self, cells: Cells) -> np.ndarray:
        """Return f, float64, B: the predicted difference from an architecture that nobody knows. Its ranking is what
        chaining predicted differences along any path from a labelled anchor gives."""
        if self._known is None:
            return self._potential.predict(self._features(cells))
        rows = np.asarray(cells, dtype=np.int64)
        new = np.unique(rows[np.isnan(self._known[rows])])
        if len(new):
            self._known[new] = self._potential.predict(self._features(new))
        return self._known[rows]

    def gain_cells(self, base: Cells, neighbour: Cells) -> np.ndarray:
        """Return f(neighbour) - f(base)."""
        return self.potential(neighbour) - self.potential(base)


class GPPotential:
    """A Gaussian process on features; see `nasrepro.predictors.gaussian_process`.

    Args:
        steps: most L-BFGS steps on its length scales and noise.
        fit_on: labels that these are fitted on, the first ones; all labels are conditioned on.
        warp: learn normal scores of the labels instead of the labels, where all differences are known; predictions are
            turned back.
    """

    def __init__(self, steps: int = 40, fit_on: int = 400, warp: bool = True) -> None:
        self._steps, self._fit_on, self._warp = steps, fit_on, warp

    def fit(self, features: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> None:
        """See `Potential`."""
        one_group = bool((groups == groups[0]).all())
        self._scale = NormalScores(labels) if self._warp and one_group else Standard(labels, groups)
        y = self._scale.forward(labels)
        self._model = GaussianProcess(features.shape[1])
        some = slice(self._fit_on)
        self._model.fit(features[some], y[some], self._steps, groups[some])
        if len(y) > self._fit_on:
            self._model.fit(features, y, 0, groups)

    def predict(self, features: np.ndarray) -> np.ndarray:
        """See `Potential`."""
        return self._scale.back(self._model.predict(features)[0].astype(np.float64))


class Standard:
    """Labels of mean 0 and standard deviation 1 within their groups."""

    def __init__(self, labels: np.ndarray, groups: np.ndarray) -> None:
        self._groups, sizes = groups, np.bincount(groups)
        self._means = np.bincount(groups, labels) / np.maximum(sizes, 1)
        inside = labels - self._means[groups]
        free = max(len(labels) - int((sizes > 0).sum()), 1)
        self._spread = float(np.sqrt((inside**2).sum() / free)) or 1.0

    def forward(self, labels: np.ndarray) -> np.ndarray:
        """Return scores of the labels given before."""
        return (labels - self._means[self._groups]) / self._spread

    def back(self, scores: np.ndarray) -> np.ndarray:
        """Return the labels of scores, up to the level."""
        return scores * self._spread


class NormalScores:
    """Labels as normal scores, (rank - 1/2) / B through the inverse normal distribution function; back by linear
    interpolation, and beyond the labels by the line through a tenth of them, so that order is kept."""

    def __init__(self, labels: np.ndarray) -> None:
        from scipy.stats import norm, rankdata

        order = np.argsort(labels, kind="stable")
        self._scores = norm.ppf((rankdata(labels) - 0.5) / len(labels))
        self._x, first = np.unique(self._scores[order], return_index=True)
        self._y = labels[order][first]
        tail = max(len(self._x) // 10, 1)
        ends = ((0, tail), (-1 - tail, -1))
        steps = [(self._y[j] - self._y[i], self._x[j] - self._x[i]) for i, j in ends if len(self._x) > tail]
        self._slopes = [rise / run for rise, run in steps] or [1.0, 1.0]

    def forward(self, labels: np.ndarray) -> np.ndarray:
        """Return scores of the labels given before."""
        return self._scores

    def back(self, scores: np.ndarray) -> np.ndarray:
        """Return the labels of scores."""
        inside = np.interp(scores, self._x, self._y)
        low, high = np.minimum(scores - self._x[0], 0), np.maximum(scores - self._x[-1], 0)
        return inside + low * self._slopes[0] + high * self._slopes[1]


@dataclass(frozen=True)
class MLPConfig:
    """Hyper-parameters of `MLPDifference`; the paper states none.

    Attributes:
        view: what the network sees of a pair; see `encodings.difference`.
        antisymmetric: F(a, b) = g(a, b) - g(b, a); else F = g.
        loss: `mse`, or `hinge` on pairs of pairs: of two, the one with the larger difference should have the larger
            prediction, by `margin` standard deviations.
        width, layers: of the hidden layers.
        mirror: learn each pair in both directions.
        epochs, batch, learning_rate, weight_decay: of AdamW, the rate falling by a cosine.
        margin: of the hinge.
        most_pairs: pairs of an epoch, drawn anew each time where there are more.
    """

    view: View = "base"
    antisymmetric: bool = True
    loss: Literal["mse", "hinge"] = "mse"
    width: int = 128
    layers: int = 2
    mirror: bool = True
    epochs: int = 150
    batch: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    margin: float = 0.1
    most_pairs: int = 4_096


class MLPDifference(DifferencePredictor):
    """A multi-layer perceptron on the encoded pair.

    Args:
        space: whose architectures.
        config: hyper-parameters.
        seed: of the first weights and of the order of the pairs.
    """

    def __init__(self, space: SearchSpace[Any], config: MLPConfig | None = None, seed: int = 0) -> None:
        super().__init__(space)
        self._config, self._seed = config or MLPConfig(), seed

    def fit(self, data: DifferenceData) -> None:
        """Train on the pairs."""
        config = self._config
        generator = torch.Generator().manual_seed(self._seed)
        rng = np.random.default_rng(self._seed)
        pairs = data.mirrored() if config.mirror and not config.antisymmetric else data
        targets = pairs.targets
        self._spread = float(np.sqrt((targets**2).mean())) or 1.0
        size = min(len(pairs), config.most_pairs)
        fixed = self._inputs(pairs.base, pairs.other) if len(pairs) <= config.most_pairs else None
        y_all = torch.from_numpy((targets / self._spread).astype(np.float32))
        width = self._encode(pairs.base[:1], pairs.other[:1]).shape[1]
        self._network = _network(width, config, generator)
        optimiser = torch.optim.AdamW(
            self._network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        steps = config.epochs * -(-size // config.batch)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        for _ in range(config.epochs):
            order = rng.permutation(len(pairs))[:size]
            inputs, y = fixed, y_all[order]
            if inputs is None:
                part = DifferenceData(pairs.cells, pairs.ends[order], pairs.labels)
                inputs, order = self._inputs(part.base, part.other), np.arange(size)
            x = [i[order] for i in inputs]
            for start in range(0, size, config.batch):
                batch = slice(start, start + config.batch)
                loss = self._loss(self._forward([i[batch] for i in x]), y[batch])
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()
                schedule.step()

    def gain_cells(self, base: Cells, neighbour: Cells) -> np.ndarray:
        """Return F(base, neighbour)."""
        if len(base) == 0:
            return np.zeros(0)
        with torch.no_grad():
            gain: np.ndarray = self._forward(self._inputs(base, neighbour)).double().numpy() * self._spread
        return gain

    def _encode(self, base: Cells, other: Cells) -> Tensor:
        return torch.from_numpy(difference_encoding(self.space, base, other, self._config.view))

    def _inputs(self, base: Cells, other: Cells) -> list[Tensor]:
        """Return the encodings that F needs: of the pair, and of the mirrored pair where it is antisymmetric."""
        forth = [self._encode(base, other)]
        return [*forth, self._encode(other, base)] if self._config.antisymmetric else forth

    def _forward(self, inputs: Sequence[Tensor]) -> Tensor:
        outputs = self._network(torch.cat(list(inputs)))[:, 0].chunk(len(inputs))
        return outputs[0] - outputs[1] if len(outputs) == 2 else outputs[0]

    def _loss(self, predicted: Tensor, y: Tensor) -> Tensor:
        if self._config.loss == "mse":
            return nn.functional.mse_loss(predicted, y)
        ahead = torch.sign(y[:, None] - y[None])
        return (self._config.margin - ahead * (predicted[:, None] - predicted[None])).clamp(min=0)[ahead != 0].mean()


def _network(width: int, config: MLPConfig, generator: torch.Generator) -> nn.Sequential:
    sizes = [width, *[config.width] * config.layers]
    layers: list[nn.Module] = []
    for a, b in pairwise(sizes):
        layers += [nn.Linear(a, b), nn.ReLU()]
    network = nn.Sequential(*layers, nn.Linear(sizes[-1], 1))
    for layer in network:
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu", generator=generator)
            nn.init.zeros_(layer.bias)
    return network


class MeanDifference(DifferencePredictor):
    """The mean of the gains of several predictors, all fitted on the same pairs."""

    def __init__(self, members: Sequence[DifferencePredictor]) -> None:
        super().__init__(members[0].space)
        self.members = tuple(members)

    def fit(self, data: DifferenceData) -> None:
        """Fit every member."""
        for member in self.members:
            member.fit(data)

    def gain_cells(self, base: Cells, neighbour: Cells) -> np.ndarray:
        """Return the mean gain."""
        gains: np.ndarray = np.mean([m.gain_cells(base, neighbour) for m in self.members], axis=0)
        return gains


def chained(predictor: DifferencePredictor, cells: Cells, anchors: Cells, labels: np.ndarray) -> np.ndarray:
    """Return predicted labels (float64, B): the mean over labelled anchors of y(anchor) + F(anchor, cell).

    The difference is asked for in one step. For an additive predictor that is what chaining along any path of edits
    gives, and the ranking is that of its potential.
    """
    total = np.zeros(len(cells))
    for place, label in enumerate(labels):
        total += label + predictor.gain_cells(take(anchors, np.full(len(cells), place)), cells)
    return total / len(labels)


def cell_features(space: SearchSpace[Any]) -> Features:
    """Return the structural features of cells (see `encodings.tabular`), float32, B x F, as a function of cells."""
    from nasrepro.encodings.tabular import tabular_features

    features = tabular_features(space)

    def of(cells: Cells) -> np.ndarray:
        if features.table is not None:
            return features.table[np.asarray(cells, dtype=np.int64)]
        return features(space.encode(list(cells)))

    return of


def gp_difference(space: SearchSpace[Any], features: Features | None = None) -> AdditiveDifference:
    """Return the Gaussian process on differences over structural features, or those given."""
    return AdditiveDifference(space, features or cell_features(space), GPPotential())
