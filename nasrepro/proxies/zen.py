"""Zen-score: how strongly the last feature map of a network with Gaussian weights answers to a small change of the
image (Lin et al., "Zen-NAS", ICCV 2021, section 3.3)."""

from __future__ import annotations

import copy
import math

import torch
from torch import nn

from nasrepro.proxies.networks import CellNetwork, initialise

PERTURBATION = 0.01  # standard deviation of the change; that of the image is 1
MOMENTUM = 0.1  # share of a batch in the running variances, whatever the network's own


@torch.no_grad()
def zen(
    network: CellNetwork,
    generator: torch.Generator,
    *,
    resolution: int = 32,
    batch_size: int = 16,
) -> float:
    """Return the Zen-score of a network, which is left as it is; its weights do not matter.

    The network gets standard normal weights, and sees `batch_size` images x of standard normal noise, and then
    x + 0.01 z with new noise z. The score is the logarithm of the mean over images of the L1 distance between the two
    last feature maps, plus, for each batch normalisation, the logarithm of its standard deviation (root of the running
    variance, averaged over channels), which undoes the normalisation.

    As in the authors' code, and in the scores of NAS-Bench-Suite-Zero, a running variance starts at 1 and moves by
    a tenth towards the variance of each of the two batches.

    -inf for a network whose features do not depend on the image.
    """
    network = copy.deepcopy(network).train()
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = MOMENTUM
    initialise(network, generator, gaussian=True)
    images, change = torch.randn(2, batch_size, 3, resolution, resolution, generator=generator)
    distance = network.features(images) - network.features(images + PERTURBATION * change)
    deviation = float(distance.abs().sum((1, 2, 3)).mean())
    return (math.log(deviation) if deviation > 0 else -math.inf) + sum(map(_log_deviation, norms))


def _log_deviation(norm: nn.BatchNorm2d) -> float:
    assert norm.running_var is not None
    return math.log(norm.running_var.mean().item()) / 2
