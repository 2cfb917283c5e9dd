"""The size of a network: parameters and multiply-adds."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


def parameters(network: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def flops(network: nn.Module, resolution: int = 32) -> int:
    """Return the multiply-adds of one image of `resolution` x `resolution` in convolutions and linear layers.

    A bias counts as one more. Normalisation, pooling and activations are left out, as in the counts of NAS-Bench-201.
    Nothing is computed: a copy of the network runs on the device `meta`.
    """
    total = 0

    def count(module: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        assert isinstance(module, nn.Conv2d | nn.Linear)
        total += output.numel() * (module.weight[0].numel() + (module.bias is not None))

    shadow = copy.deepcopy(network).to("meta").eval()
    for module in shadow.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(count)
    with torch.no_grad():
        shadow(torch.empty(1, 3, resolution, resolution, device="meta"))
    return total
