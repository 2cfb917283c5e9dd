"""DiNAS as a searcher: its candidates are guided samples of a trained diffusion model, in the order of their stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from nasrepro.diffusion.model import NoiseModel
from nasrepro.diffusion.sample import sample
from nasrepro.guidance import Guided
from nasrepro.search.base import Proposal
from nasrepro.spaces.base import SearchSpace


class DiNAS:
    """Propose the samples of the stream `seed` one after another; a graph that is no cell is proposed too, with its
    reason.

    Args:
        guided: the denoiser with its target classes and guidance scale.
        noise: the forward process that it was trained for.
        space: decodes graphs.
        seed: names the stream of samples.
        steps: reverse steps.
        device: where to sample.
    """

    name = "dinas"

    def __init__(
        self,
        guided: Guided,
        noise: NoiseModel,
        space: SearchSpace[Any],
        *,
        seed: int,
        steps: int,
        device: torch.device | str = "cpu",
    ) -> None:
        self._guided, self._noise, self._space = guided, noise, space
        self._seed, self._steps, self._device = seed, steps, device
        self._next = 0

    def ask(self, n: int) -> list[Proposal]:
        """Sample n graphs and decode them."""
        indices = range(self._next, self._next + n)
        self._next += n
        graphs = sample(self._guided, self._noise, indices, seed=self._seed, steps=self._steps, device=self._device)
        archs, reasons = self._space.decode_with_reasons(graphs)
        return [Proposal(arch, reason) for arch, reason in zip(archs, reasons, strict=True)]

    def tell(self, proposals: Sequence[Proposal], values: np.ndarray) -> None:
        """Learn nothing: all of DiNAS' labels were read in training."""
