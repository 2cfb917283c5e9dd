"""The forward noise and its posterior, in closed form (DiNAS, Eq. 1, 3 and 4).

A slot (a node, or a pair of nodes) holds one of K classes. The marginal kernel keeps a slot's class with probability
`keep` and otherwise redraws it from the marginal distribution m of the training data:

    Q(keep) = keep I + (1 - keep) 1 m'                                                              (Eq. 1)

Two such kernels compose to a third, Q(a) Q(b) = Q(a b), so everything between any two times s < t is known without a
product of matrices: with the cumulative keep-probability abar and a = abar_t / abar_s, the kernel from s to t is Q(a).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

_TINY = 1e-20  # keeps 0 / 0 out of states that the forward process cannot reach


def cosine_schedule(steps: int, offset: float = 0.008) -> Tensor:
    """Return the cumulative keep-probability abar_t for t = 0..T, float64, shape T + 1 (the schedule of Eq. 1, with s
    = `offset`).

    Normalised so that abar_0 is exactly 1: no noise at time 0. abar_T is exactly 0: the prior is the marginal
    distribution.
    """
    t = torch.arange(steps + 1, dtype=torch.float64) / steps
    keep = torch.cos(0.5 * math.pi * (t + offset) / (1 + offset)) ** 2
    keep = keep / keep[0]
    keep[-1] = 0.0
    return keep


def public_code_schedule(steps: int, offset: float = 0.008) -> Tensor:
    """Return abar_t for t = 0..T as the public code of DiNAS indexes it, float64, shape T + 1.

    Its cosine is taken on T + 2 points that are stretched over one step more, and turned into step sizes of at most
    .9999, whose products are indexed from the second point on: abar_0 < 1, so some noise is left at time 0, and abar_T
    > 0, so the prior is not quite where the forward process ends.
    """
    x = torch.arange(steps + 2, dtype=torch.float64) * (steps + 2) / (steps + 1)
    keep = torch.cos(0.5 * math.pi * (x / (steps + 2) + offset) / (1 + offset)) ** 2
    step = (keep[1:] / keep[:-1]).clamp_min(1e-4)
    return step.cumprod(0)


SCHEDULES = {"exact": cosine_schedule, "public-code": public_code_schedule}


def reverse_times(total: int, steps: int) -> list[int]:
    """Return `steps` + 1 times from T = `total` down to 0, as evenly spaced as integers can be."""
    if not 1 <= steps <= total:
        raise ValueError(f"reverse steps must lie in 1..{total}, not {steps}")
    return [round(total * (steps - i) / steps) for i in range(steps + 1)]


def transition(keep: float, marginal: Tensor) -> Tensor:
    """Return the K x K matrix Q(keep) of Eq. 1; row = class before, column = class after."""
    k = marginal.shape[0]
    return keep * torch.eye(k, dtype=marginal.dtype) + (1 - keep) * marginal.expand(k, k)


def categorical(probabilities: Tensor, uniform: Tensor) -> Tensor:
    """Draw classes by inverse CDF: probabilities (..., K), not necessarily normalised, uniform numbers (...) in [0,
    1) -> int64 (...)."""
    cdf = probabilities.cumsum(-1)
    return (cdf[..., :-1] <= (uniform * cdf[..., -1]).unsqueeze(-1)).sum(-1)


def diffuse(clean: Tensor, keep: Tensor, marginal: Tensor, generator: torch.Generator) -> Tensor:
    """Draw z_t ~ q(z_t | x_0): slots B x S of clean classes, keep-probability abar_t of each sample (B), marginal (K)
    -> B x S."""
    u = torch.rand(2, *clean.shape, generator=generator, device=clean.device)
    redrawn = categorical(marginal.to(u.dtype).expand(*clean.shape, -1), u[0])
    return torch.where(u[1] < keep.to(u.dtype).unsqueeze(-1), clean, redrawn)


def posterior(noisy: Tensor, prediction: Tensor, marginal: Tensor, keep_s: float, keep_t: float) -> Tensor:
    """Return p(z_s | z_t) = sum_k q(z_s | z_t, x_0 = k) prediction_k for any s < t (Eq. 3), up to a constant per slot.

    With a = abar_t / abar_s and i the class at time t,

        q(z_s = j | z_t = i, x_0 = k) = [a d_ij + (1 - a) m_i] [abar_s d_kj + (1 - abar_s) m_j] / [abar_t d_ki + (1 -
        abar_t) m_i],

    whose mixture over k needs only O(K) work per slot.

    Args:
        noisy: classes at time t, int64, (...).
        prediction: predicted probabilities of the clean class, (..., K).
        marginal: the distribution m, (K).
        keep_s: abar_s.
        keep_t: abar_t.

    Returns:
        Unnormalised probabilities, (..., K); they sum to 1 where the prediction does and state z_t can be reached.
    """
    one_hot = torch.eye(len(marginal), dtype=prediction.dtype, device=noisy.device)[noisy]
    m_i = marginal[noisy].unsqueeze(-1)
    weight = prediction / (keep_t * one_hot + (1 - keep_t) * m_i).clamp_min(_TINY)
    arrive = keep_s * weight + (1 - keep_s) * marginal * weight.sum(-1, keepdim=True)
    a = keep_t / keep_s
    return (a * one_hot + (1 - a) * m_i) * arrive


def class_marginal(classes: Tensor, n_classes: int, mask: Tensor | None = None) -> Tensor:
    """Return the relative frequency of each class over the slots that exist, float64, shape K."""
    counted = classes if mask is None else classes[mask]
    counts = torch.bincount(counted.flatten(), minlength=n_classes).to(torch.float64)
    return counts / counts.sum()
