"""Discretised conditions and classifier-free guidance (DiNAS, section 4.1-4.2, Eq. 5-6, Algorithms 1-2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from nasrepro.benchmarks.ledger import Labels
from nasrepro.diffusion.flat import Network
from nasrepro.diffusion.threads import on_threads
from nasrepro.graphs import Graphs


@dataclass(frozen=True)
class Discretiser:
    """Maps a real metric to classes 0..d-1 by d - 1 increasing cut points; class j holds the values in (cut_{j-1},
    cut_j].

    NaN (not measured) has no class: it becomes the null token d.
    """

    cuts: tuple[float, ...]

    def __post_init__(self) -> None:
        if list(self.cuts) != sorted(set(self.cuts)):
            raise ValueError(f"cut points must increase strictly, not {self.cuts}")

    @property
    def n_classes(self) -> int:
        """d, the null token not counted."""
        return len(self.cuts) + 1

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Return the class of each value, int64."""
        classes = np.searchsorted(self.cuts, values, side="left")
        return np.where(np.isnan(values), self.n_classes, classes).astype(np.int64)


def percentile_discretiser(
    labels: Labels, archs: np.ndarray | Sequence[Any], percentiles: Sequence[float]
) -> Discretiser:
    """Cut at percentiles of the labels of `archs` (DiNAS: above the 95th of all cells); the read of every label goes
    to the ledger."""
    values = labels.read(archs, "threshold")
    return Discretiser(tuple(float(v) for v in np.nanpercentile(values, list(percentiles))))


def threshold_discretiser(bound: float) -> Discretiser:
    """Cut at a given bound, e.g. a latency budget: class 0 is within it, class 1 above. Reads no label."""
    return Discretiser((float(bound),))


def read_classes(
    labels: Sequence[Labels],
    discretisers: Sequence[Discretiser],
    archs: np.ndarray | Sequence[Any],
    purpose: str,
) -> np.ndarray:
    """Return the class of each of k conditions for B architectures, int64, B x k; every label read goes to the ledger.

    Args:
        labels: the k columns.
        discretisers: the k discretisers.
        archs: which architectures, B (rows, where the space is finite).
        purpose: of the reads, e.g. `train`.
    """
    return np.stack([cut(read.read(archs, purpose)) for read, cut in zip(labels, discretisers, strict=True)], axis=1)


class Guided:
    """A denoiser with classifier-free guidance towards given classes.

    (1 - gamma) x null + gamma x conditional prediction, on logits as the public code does (its W is gamma - 1), or on
    probabilities as Algorithm 2 writes it (clipped at zero, because for gamma > 1 the combination can leave the
    simplex). gamma = 0 is the unconditional and gamma = 1 the conditional model; both then cost one pass. Otherwise
    both halves share one batched pass.

    Args:
        denoiser: the network.
        classes: wanted class of each condition, k integers.
        scale: gamma.
        on: what is combined.
    """

    def __init__(
        self,
        denoiser: Network,
        classes: Sequence[int],
        scale: float,
        on: Literal["logits", "probabilities"] = "logits",
    ) -> None:
        if len(classes) != len(denoiser.condition_classes):
            raise ValueError(f"the denoiser has {len(denoiser.condition_classes)} conditions, not {len(classes)}")
        self.denoiser, self.scale, self.on = denoiser, float(scale), on
        self.wanted, self.null = torch.tensor(tuple(classes)), torch.tensor(denoiser.condition_classes)

    @property
    def reads_time(self) -> bool:
        """Whether predictions depend on the time."""
        return self.denoiser.config.time_input

    def __call__(self, graphs: Graphs, t: Tensor) -> tuple[Tensor, Tensor]:
        """Return the guided probabilities of the clean graphs: nodes B x N x K, pairs B x P x 2."""
        size = self.denoiser.graphs_per_pass(graphs.nodes.device) // 2
        if len(graphs) <= size:
            return self._predict(graphs, t)
        parts = [slice(i, i + size) for i in range(0, len(graphs), size)]
        done = on_threads([partial(self._predict, graphs[part], t[part]) for part in parts])
        nodes, pairs = (torch.cat(z) for z in zip(*done, strict=True))
        return nodes, pairs

    def _predict(self, graphs: Graphs, t: Tensor) -> tuple[Tensor, Tensor]:
        b, device = len(graphs), graphs.nodes.device
        if self.scale in (0.0, 1.0):
            classes = (self.wanted if self.scale else self.null).to(device).expand(b, -1)
            nodes, pairs = self.denoiser(graphs, t, classes)
            return nodes.softmax(-1), pairs.softmax(-1)
        classes = torch.stack([self.wanted, self.null]).to(device).repeat_interleave(b, 0)
        both = self.denoiser(Graphs.cat([graphs, graphs]), torch.cat([t, t]), classes)
        nodes, pairs = (self._combine(z) for z in both)
        return nodes, pairs

    def _combine(self, both: Tensor) -> Tensor:
        conditional, null = both.chunk(2)
        if self.on == "logits":
            return torch.lerp(null, conditional, self.scale).softmax(-1)
        return torch.lerp(null.softmax(-1), conditional.softmax(-1), self.scale).clamp_min(0)
