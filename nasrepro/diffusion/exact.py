"""The denoiser that needs no training: exact posterior probabilities of a finite set of clean graphs.

If the clean graph is one of a known list, each as likely, then what a denoiser is trained to approximate (DiNAS, Eq. 2)
is known in closed form: the noise acts on every slot alone, so the likelihood of a noisy graph is a product over slots,
and Bayes' rule gives the weight of every graph of the list. What still goes wrong when one samples with these
probabilities is the sampler's: it draws all slots of a step independently.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from nasrepro.diffusion.model import NoiseModel
from nasrepro.graphs import Graphs


class ExactDenoiser:
    """Posterior probabilities of clean slots given noisy ones, under a uniform distribution over `clean`.

    Args:
        clean: the graphs that there are, W.
        noise: the forward process.

    A call takes noisy graphs (B) and their times as fractions of T (B, all equal) and returns the probabilities of the
    clean nodes (B x N x K) and pairs (B x P x 2), as `sample` expects of a predictor. Padding is class 0.
    """

    def __init__(self, clean: Graphs, noise: NoiseModel) -> None:
        if not len(clean):
            raise ValueError("an exact denoiser needs at least one clean graph")
        self._noise, self._sizes = noise, clean.mask.sum(1)
        self._slots = tuple(
            F.one_hot(classes * mask, len(marginal)).float() * mask.unsqueeze(-1)
            for classes, mask, marginal in self._parts(clean)
        )

    reads_time = True

    def __call__(self, graphs: Graphs, t: Tensor) -> tuple[Tensor, Tensor]:
        """Return the posterior probabilities of nodes and pairs."""
        weights = self.weights(graphs, round(float(t[0]) * self._noise.steps))
        found = []
        for slots in self._slots:
            probabilities = (weights @ slots.flatten(1)).unflatten(1, slots.shape[1:])
            probabilities[..., 0] += 1 - probabilities.sum(-1)  # padding of some of the clean graphs
            found.append(probabilities)
        nodes, pairs = found
        return nodes, pairs

    def weights(self, graphs: Graphs, time: int) -> Tensor:
        """Return the probability of every clean graph given each noisy one at a time in 0..T, float32, B x W.

        The likelihood of class j in a slot whose clean class is k is keep [j = k] + (1 - keep) m_j, so up to a factor
        that all clean graphs share it is 1 + keep / ((1 - keep) m_j) where j = k, and 1 elsewhere.
        """
        keep = min(float(self._noise.keep[time]), 1 - 1e-12)
        total = torch.zeros(len(graphs), len(self._sizes), dtype=torch.float32)
        for (noisy, mask, marginal), slots in zip(self._parts(graphs), self._slots, strict=True):
            gain = torch.log1p(keep / ((1 - keep) * marginal.double().clamp_min(1e-12))).float()
            seen = F.one_hot(noisy, len(marginal)) * gain * mask.unsqueeze(-1)
            total += seen.flatten(1) @ slots.flatten(1).T
        total[graphs.mask.sum(1)[:, None] != self._sizes] = -torch.inf  # the number of nodes is never noised
        return torch.nan_to_num(torch.softmax(total, 1), nan=1 / len(self._sizes))

    def _parts(self, graphs: Graphs) -> tuple[tuple[Tensor, Tensor, Tensor], ...]:
        """Return (classes, mask, marginal) of nodes and of pairs."""
        return (
            (graphs.nodes, graphs.mask, self._noise.node_marginal),
            (graphs.pairs, graphs.pair_mask, self._noise.pair_marginal),
        )
