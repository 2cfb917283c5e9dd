"""Networks trained to rank cells, several at once.

The loss is the pairwise hinge of GATES and FLAN (Akhauri and Abdelfattah, 2024): for two cells i, j of a batch with
y_i > y_j, max(0, margin - (s_i - s_j)). It depends on the order of the labels alone. FLAN's public code takes at most
4 B pairs of a batch of B, AdamW, and a cosine to 1e-6; the defaults are its numbers. It reports the mean tau over the
last four epochs, where here the last weights count.

The networks of an ensemble (the trials of an experiment) are of one shape and do not know each other: each has its own
cells, batches and weights. They are trained in one batched pass, which on a CPU costs little more than one of them.

Shapes: E networks, M cells of which features are known, B cells of one batch.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state

from nasrepro.encodings.perceptron import perceptron
from nasrepro.predictors.scaling import standardised
from nasrepro.seeding import derive, numpy_stream

_PAIRS_PER_CELL = 4
_CHUNK = 1_024  # cells scored at a time


@dataclass(frozen=True)
class RankingConfig:
    """How networks are trained.

    Attributes:
        loss: `hinge`, or `mse` on standardised labels.
        margin: of the hinge.
        epochs: passes over the labelled cells.
        batch_size: B.
        learning_rate, final_learning_rate: ends of the cosine.
        weight_decay: of AdamW.
    """

    loss: Literal["hinge", "mse"] = "hinge"
    margin: float = 0.1
    epochs: int = 150
    batch_size: int = 8
    learning_rate: float = 1e-3
    final_learning_rate: float = 1e-6
    weight_decay: float = 1e-5


class RankingEnsemble:
    """Networks that score cells.

    Args:
        make: returns a network that maps a batch of inputs (one tensor per input, B x ...) to scores (B); it is called
            once per network, under that network's seed.
        config: how to train.
    """

    def __init__(self, make: Callable[[], nn.Module], config: RankingConfig) -> None:
        self._make, self._config = make, config

    def fit(self, inputs: Sequence[Tensor], cells: np.ndarray, labels: np.ndarray, seeds: Sequence[int]) -> None:
        """Train one network per seed.

        Args:
            inputs: what the networks read of each cell, each tensor M x ....
            cells: which cells each network is trained on, places in `inputs`, int, E x n.
            labels: their labels, E x n.
            seeds: of weights, batches and dropout, E.
        """
        config = self._config
        networks = []
        for seed in seeds:
            with _seeded(derive(seed, "weights")):
                networks.append(self._make())
        self._parameters, self._buffers = stack_module_state(networks)
        self._base = copy.deepcopy(networks[0]).to("meta").train()
        optimiser = torch.optim.AdamW(
            list(self._parameters.values()), config.learning_rate, weight_decay=config.weight_decay, fused=True
        )
        orders = [numpy_stream(seed, "batches") for seed in seeds]
        places, targets = torch.from_numpy(np.asarray(cells)), torch.from_numpy(standardised(labels)).float()
        n = targets.shape[1]
        with _seeded(derive(seeds[0], "dropout")):
            for epoch in range(config.epochs):
                for group in optimiser.param_groups:
                    group["lr"] = self._learning_rate(epoch)
                order = torch.from_numpy(np.stack([rng.permutation(n) for rng in orders]))
                for batch in order.split(config.batch_size, dim=1):
                    if batch.shape[1] < 2:  # no pair
                        continue
                    scores = self._scores([x[places.gather(1, batch)] for x in inputs])
                    loss = self._loss(scores, targets.gather(1, batch), orders[0])
                    optimiser.zero_grad()
                    loss.backward()
                    optimiser.step()
        self._base.eval()

    @torch.no_grad()
    def predict(self, inputs: Sequence[Tensor], cells: np.ndarray) -> np.ndarray:
        """Return the scores (float32, E x m) that each network gives to its own cells (places in `inputs`, E x m)."""
        places = torch.from_numpy(np.asarray(cells))
        parts = [self._scores([x[part] for x in inputs]) for part in places.split(_CHUNK, dim=1)]
        scores: np.ndarray = torch.cat(parts, dim=1).numpy()
        return scores

    def _scores(self, inputs: list[Tensor]) -> Tensor:
        """Return the scores (E x B) of inputs (each E x B x ...)."""

        def one(parameters: dict[str, Tensor], buffers: dict[str, Tensor], own: list[Tensor]) -> Tensor:
            scores: Tensor = functional_call(self._base, (parameters, buffers), tuple(own))
            return scores

        found: Tensor = torch.vmap(one, randomness="different")(self._parameters, self._buffers, inputs)
        return found

    def _loss(self, scores: Tensor, targets: Tensor, rng: np.random.Generator) -> Tensor:
        """Return the sum over networks of the mean loss of a batch (scores and targets E x B)."""
        if self._config.loss == "mse":
            return (scores - targets).square().mean(1).sum()
        first, second = _pairs(scores.shape[1], rng)
        order = torch.sign(targets[:, first] - targets[:, second])  # 0 for equal labels, which ask for nothing
        violation = (self._config.margin - order * (scores[:, first] - scores[:, second])).clamp(min=0)
        return (violation * order.abs()).mean(1).sum()

    def _learning_rate(self, epoch: int) -> float:
        top, end = self._config.learning_rate, self._config.final_learning_rate
        return end + (top - end) * (1 + math.cos(math.pi * epoch / self._config.epochs)) / 2


class MLP(nn.Sequential):
    """Hidden layers with ReLU, then one score; inputs B x F."""

    def __init__(self, features: int, hidden: Sequence[int] = (128, 128, 128)) -> None:
        super().__init__(*perceptron([features, *hidden, 1]), nn.Flatten(0))


def _pairs(size: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Return all pairs of a batch, or 4 B random ones where there are more."""
    first, second = torch.triu_indices(size, size, offset=1)
    most = _PAIRS_PER_CELL * size
    if len(first) > most:
        kept = torch.from_numpy(rng.permutation(len(first))[:most])
        first, second = first[kept], second[kept]
    return first, second


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Draw from torch's global generator under a seed, and leave its state as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
