"""How a network is trained, its schedules and its errors; the defaults are the recipe of Table 5 for ImageNet.

DiNAS (appendix A.5) trains with the pipeline of TE-NAS (Chen, Gong and Wang, ICLR 2021), which is that of DARTS with a
larger batch. The paper prints none of its settings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nasrepro.errors import ParameterError
from nasrepro.proxies.networks.darts import DARTSNetwork, Stem

MOBILE_LIMIT = 600_000_000  # multiply-adds of the mobile setting, images of 224 x 224


@dataclass(frozen=True)
class Recipe:
    """How to build and train a network.

    Attributes:
        channels, n_cells, stem: shape of the network, see `DARTSNetwork`.
        epochs: passes over the training images; the last, incomplete batch of a pass is left out.
        batch_size: images of one step, of all processes together.
        learning_rate: peak, reached after the warm-up; then cosine to zero.
        warmup_epochs: epochs in which the learning rate grows linearly.
        momentum, weight_decay: of stochastic gradient descent.
        label_smoothing: share of the label that is spread over all classes.
        auxiliary_weight: weight of the auxiliary head's loss, 0 for a network without that head.
        drop_path: probability of dropping a path in the last epoch; it grows linearly from 0.
        clip_norm: largest norm of the gradient, 0 for no clipping.
        precision: of the forward pass; `bfloat16` by autocast.
    """

    channels: int = 48
    n_cells: int = 14
    stem: Stem = "imagenet"
    epochs: int = 250
    batch_size: int = 1024
    learning_rate: float = 0.5
    warmup_epochs: int = 5
    momentum: float = 0.9
    weight_decay: float = 3e-5
    label_smoothing: float = 0.1
    auxiliary_weight: float = 0.4
    drop_path: float = 0.0
    clip_norm: float = 5.0
    precision: Literal["float32", "bfloat16"] = "float32"


def topk_wrong(logits: Tensor, labels: Tensor, k: int) -> Tensor:
    """Return whether each label is not among the k largest logits, bool, B. Ties count against the answer."""
    place = (logits >= logits.gather(1, labels[:, None])).sum(1)  # from 1, as the answer itself is counted
    return (place > k) | (place == 0)  # 0: not a number


class Objective(nn.Module):
    """A network with its training loss, so that one forward pass serves all processes (`DistributedDataParallel`)."""

    def __init__(self, network: DARTSNetwork, recipe: Recipe) -> None:
        super().__init__()
        self.network, self.recipe = network, recipe

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Return the mean loss: label-smoothed cross-entropy, and that of the auxiliary head with its weight."""
        r = self.recipe
        with torch.autocast(images.device.type, torch.bfloat16, enabled=r.precision == "bfloat16"):
            network = self.network
            outputs = network.forward_with_auxiliary(images) if r.auxiliary_weight else (network(images),)
        losses = [F.cross_entropy(out.float(), labels, label_smoothing=r.label_smoothing) for out in outputs]
        return losses[0] + r.auxiliary_weight * losses[1] if r.auxiliary_weight else losses[0]


def check_side(recipe: Recipe, side: int) -> None:
    """Raise `ParameterError` where the auxiliary head does not fit images of `side` x `side`."""
    fits = {"cifar": 32, "imagenet": 224}[recipe.stem]
    if recipe.auxiliary_weight and side != fits:
        raise ParameterError(
            f"The auxiliary head behind the stem `{recipe.stem}` reads images of {fits} x {fits}, not {side} x {side}. "
            f"Set auxiliary_weight=0 or side={fits}."
        )
