"""The paper's difference predictor: a multi-layer perceptron on the encoded pair (Delta-NAS, Figure 2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from nasrepro.delta.encoding import View, combine, difference_encoding
from nasrepro.delta.pairs import DifferenceData
from nasrepro.delta.predictor import DifferencePredictor, chain_edits
from nasrepro.encodings.cells import Cells
from nasrepro.encodings.perceptron import perceptron
from nasrepro.spaces.base import SearchSpace


@dataclass(frozen=True)
class MLPConfig:
    """Hyper-parameters of `MLPDifference`; the paper states none.

    Attributes:
        view: what the network sees of a pair; see `encodings.difference`.
        antisymmetric: F(a, b) = g(a, b) - g(b, a); else F = g.
        loss: `hinge` on pairs of pairs: of two, the one with the larger difference should have the larger prediction,
            by `margin` (predictions then have no unit); or `mse`, in standard deviations of the differences.
        width, layers: of the hidden layers.
        mirror: learn each pair in both directions.
        epochs, batch, learning_rate, weight_decay: of AdamW, the rate falling by a cosine.
        margin: of the hinge.
        epoch_pairs: pairs of an epoch, drawn anew each time where there are more.
        most_pairs: pairs that epochs are drawn from, a random part where there are more.
    """

    view: View = "base"
    antisymmetric: bool = True
    loss: Literal["mse", "hinge"] = "hinge"
    width: int = 128
    layers: int = 3
    mirror: bool = True
    epochs: int = 80
    batch: int = 128
    learning_rate: float = 1e-2
    weight_decay: float = 1e-3
    margin: float = 0.1
    epoch_pairs: int = 1_024
    most_pairs: int = 16_384


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
        rng = np.random.default_rng(self._seed)
        pairs = data.mirrored() if config.mirror and not config.antisymmetric else data
        if len(pairs) > config.most_pairs:
            some = rng.choice(len(pairs), size=config.most_pairs, replace=False)
            pairs = DifferenceData(pairs.cells, pairs.ends[some], pairs.labels)
        self._spread = float(np.sqrt((pairs.targets**2).mean())) or 1.0
        inputs = self._inputs(pairs.base, pairs.other)
        y = torch.from_numpy((pairs.targets / self._spread).astype(np.float32))
        self._network = _network(inputs[0].shape[1], config, torch.Generator().manual_seed(self._seed))
        _train(
            self._network, config, len(pairs), rng,
            lambda part: self._loss(self._forward([x[part] for x in inputs]), y[part]),
        )  # fmt: skip

    def gain_cells(self, base: Cells, neighbour: Cells) -> np.ndarray:
        """Return F(base, neighbour)."""
        return self._gain(self._inputs(base, neighbour)) if len(base) else np.zeros(0)

    def chained(self, cells: Cells, anchors: Cells, labels: np.ndarray) -> np.ndarray:
        """Return the mean over anchors of y(anchor) and the gains of single edits on the way to each cell.

        The places in which the two differ are changed one after the other, in their order; the networks in between need
        not be valid, and are encoded all the same.
        """
        return chain_edits(self.space, cells, anchors, labels, self._gain_of_vectors)

    def _gain_of_vectors(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        ends = self._directions(before, after)
        return self._gain([torch.from_numpy(combine(a, b, self._config.view)) for a, b in ends])

    @torch.no_grad()
    def _gain(self, inputs: Sequence[Tensor]) -> np.ndarray:
        gain: np.ndarray = self._forward(inputs).double().numpy() * self._spread
        return gain

    def _inputs(self, base: Cells, other: Cells) -> list[Tensor]:
        """Return the encodings that F needs: of the pair, and of the mirrored pair where it is antisymmetric."""
        ends = self._directions(base, other)
        return [torch.from_numpy(difference_encoding(self.space, a, b, self._config.view)) for a, b in ends]

    def _directions(self, a: Any, b: Any) -> list[tuple[Any, Any]]:
        return [(a, b), (b, a)] if self._config.antisymmetric else [(a, b)]

    def _forward(self, inputs: Sequence[Tensor]) -> Tensor:
        outputs = self._network(torch.cat(list(inputs)))[:, 0].chunk(len(inputs))
        return outputs[0] - outputs[1] if len(outputs) == 2 else outputs[0]

    def _loss(self, predicted: Tensor, y: Tensor) -> Tensor:
        if self._config.loss == "mse":
            return nn.functional.mse_loss(predicted, y)
        ahead = torch.sign(y[:, None] - y[None])
        behind = (self._config.margin - ahead * (predicted[:, None] - predicted[None])).clamp(min=0) * ahead.abs()
        return behind.sum() / ahead.abs().sum().clamp(min=1)


class NetworkPotential:
    """A `Predictor`: the same network on a single cell, fitted to accuracies; what a difference is compared with.

    Args:
        config: hyper-parameters, as far as they are not of pairs.
        seed: of the first weights and of the order of the cells.
    """

    def __init__(self, config: MLPConfig | None = None, seed: int = 0) -> None:
        self._config, self._seed = config or MLPConfig(), seed

    def fit(self, features: np.ndarray, targets: np.ndarray, groups: np.ndarray | None = None) -> None:
        """See `predictors.Predictor`; groups are not looked at."""
        self._network = _network(features.shape[1], self._config, torch.Generator().manual_seed(self._seed))
        y = torch.from_numpy(np.asarray(targets, dtype=np.float32))
        x = torch.from_numpy(features)
        _train(
            self._network, self._config, len(y), np.random.default_rng(self._seed),
            lambda part: nn.functional.mse_loss(self._network(x[part])[:, 0], y[part]),
        )  # fmt: skip

    def predict(self, features: np.ndarray) -> np.ndarray:
        """See `predictors.Predictor`."""
        with torch.no_grad():
            predicted: np.ndarray = self._network(torch.from_numpy(features))[:, 0].double().numpy()
        return predicted


def _train(
    network: nn.Module, config: MLPConfig, count: int, rng: np.random.Generator, loss_of: Callable[[np.ndarray], Tensor]
) -> None:
    """Train on `count` examples; `loss_of` returns the loss of a batch of them (int, b)."""
    optimiser = torch.optim.AdamW(network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    size = min(count, config.epoch_pairs)
    batches = -(-size // config.batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, config.epochs * batches)
    for _ in range(config.epochs):
        for part in np.array_split(rng.permutation(count)[:size], batches):
            optimiser.zero_grad(set_to_none=True)
            loss_of(part).backward()
            optimiser.step()
            schedule.step()


def _network(width: int, config: MLPConfig, generator: torch.Generator) -> nn.Sequential:
    network = perceptron([width, *[config.width] * config.layers, 1])
    for layer in network:
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu", generator=generator)
            nn.init.zeros_(layer.bias)
    return network
