"""The multi-layer perceptron that the networks of this study are built of."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import nn


def perceptron(sizes: Sequence[int], dropout: float = 0.0) -> nn.Sequential:
    """Return linear layers between so many neurons (inputs first), with ReLU, and dropout if any, between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        between = [nn.ReLU(), *([nn.Dropout(dropout)] if dropout else [])] if layers else []
        layers += [*between, nn.Linear(inputs, outputs)]
    return nn.Sequential(*layers)
