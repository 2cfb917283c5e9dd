"""DiNAS as a searcher: its candidates are guided samples of a trained diffusion model, in the order of their stream."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from nasrepro.diffusion.guidance import Guided
from nasrepro.diffusion.model import NoiseModel
from nasrepro.diffusion.sample import sample
from nasrepro.search.base import Proposal, Searcher
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


class CellPairs:
    """DiNAS on pairs of cells: candidates are a sample of one model with a sample of another (DiNAS, section 5.2).

    Args:
        normal: proposes the first cell of a pair.
        reduction: proposes the second.
        side: 1 pairs every sample with one of the other model. With more, `side` samples of each model are combined in
            all ways, so that `side`^2 candidates cost 2 `side` samples; one that is no cell spoils `side` candidates.
    """

    name = "dinas"

    def __init__(self, normal: Searcher, reduction: Searcher, side: int = 1) -> None:
        self._parts, self._side = (normal, reduction), side
        self._queue: deque[Proposal] = deque()

    def ask(self, n: int) -> list[Proposal]:
        """Return the next n pairs; what is wrong with one is the kind of its first cell that is none."""
        while len(self._queue) < n:
            blocks = -(-(n - len(self._queue)) // self._side**2)
            firsts, seconds = (part.ask(blocks * self._side) for part in self._parts)
            for start in range(0, len(firsts), self._side):
                block = slice(start, start + self._side)
                self._queue.extend(_pair(a, b) for a in firsts[block] for b in seconds[block])
        return [self._queue.popleft() for _ in range(n)]

    def tell(self, proposals: Sequence[Proposal], values: np.ndarray) -> None:
        """Learn nothing: all of DiNAS' labels were read in training."""


def _pair(normal: Proposal, reduction: Proposal) -> Proposal:
    for name, cell in (("normal", normal), ("reduction", reduction)):
        if cell.arch is None:
            return Proposal(None, f"{name} {cell.reason}")
    return Proposal((normal.arch, reduction.arch))
