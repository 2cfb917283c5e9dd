"""Cells as torch networks, in the skeletons in which the benchmarks trained them; one file per benchmark."""

from __future__ import annotations

import math
from importlib import import_module
from typing import Any

import torch
from torch import nn

from nasrepro.errors import UnknownQuery, did_you_mean
from nasrepro.proxies.networks.operations import CellNetwork

# name of the space -> module and class
NETWORKS = {
    "nb101": ("nb101", "NB101Network"),
    "nb201": ("nb201", "NB201Network"),
    "tnb101-micro": ("tnb101", "TNB101MicroNetwork"),
    "tnb101-macro": ("tnb101", "TNB101MacroNetwork"),
    "nb301": ("darts", "DARTSNetwork"),
}


def build(space: str, arch: Any, generator: torch.Generator | None = None, **options: Any) -> CellNetwork:
    """Return the network of an architecture, in training mode, its weights drawn from `generator` (on the CPU).

    Without a generator the network is on the device `meta`: it has shapes, which is enough for counting, but no
    weights. `options` are keyword arguments of the network's class, e.g. `n_classes`. No global random state is read
    or changed. Raise `UnknownQuery` when the space has no networks.
    """
    if space not in NETWORKS:
        raise UnknownQuery(
            f"There are no networks for the space `{space}`; there are for {', '.join(NETWORKS)}."
            + did_you_mean(space, NETWORKS)
        )
    module, name = NETWORKS[space]
    kind = getattr(import_module(f"nasrepro.proxies.networks.{module}"), name)
    with torch.device("meta"):
        network: CellNetwork = kind(arch, **options)
    if generator is not None:
        network.to_empty(device="cpu")
        initialise(network, generator)
    return network


@torch.no_grad()
def initialise(network: nn.Module, generator: torch.Generator, *, gaussian: bool = False) -> None:
    """Draw all weights of a network anew, and reset its normalisations.

    By default as PyTorch does: weights and biases uniform on +-1 / sqrt(fan in). With `gaussian`, weights are standard
    normal and biases zero (Lin et al., 2021).
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            bound = 1 / math.sqrt(module.weight[0].numel())
            for parameter in module.parameters(recurse=False):
                if not gaussian:
                    parameter.uniform_(-bound, bound, generator=generator)
                elif parameter is module.weight:
                    parameter.normal_(generator=generator)
                else:
                    parameter.zero_()
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()  # running statistics too
