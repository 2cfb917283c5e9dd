"""A DiGress layer: graph attention on an N x N matrix of pair features, with scores per channel or per head.

With scores per channel, every element-wise intermediate is a B x N x N x C tensor of megabytes. `ChannelAttention`
computes them, forwards and backwards, in tiles of a few graphs that stay in the processor's cache, with buffers used
again instead of fresh pages; the mathematics is unchanged (`tests/test_matrix_layer.py`).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from nasrepro.diffusion.denoiser_config import DenoiserConfig

FILM = 64  # features of the class embedding that scale the outputs of a DiGress layer

_tile = 2**18  # elements of a tile of scores: 1 MiB of float32
_generator: ContextVar[torch.Generator | None] = ContextVar("generator", default=None)  # of a thread; None: PyTorch's


@contextmanager
def dropout_generator(generator: torch.Generator) -> Iterator[None]:
    """Draw the masks of dropout in this thread from a generator of its own."""
    token = _generator.set(generator)
    try:
        yield
    finally:
        _generator.reset(token)


@contextmanager
def whole_batches() -> Iterator[None]:
    """Compute batches in one piece also on a CPU, e.g. to count the operations that a GPU would be given."""
    global _tile
    kept, _tile = _tile, sys.maxsize
    try:
        yield
    finally:
        _tile = kept


class MatrixLayer(nn.Module):
    """A DiGress layer: attention among nodes scaled and shifted by pair features, which updates the pairs too, then
    two feed-forward blocks.

    Normalisation comes after each block, and the class embedding y scales and shifts what attention returns (FiLM).
    """

    def __init__(self, config: DenoiserConfig, node_dim: int, pair_dim: int) -> None:
        super().__init__()
        self.heads, self.channelwise = config.heads, config.attention == "channel"
        scores = node_dim if self.channelwise else config.heads
        self.qkv = nn.Linear(node_dim, 3 * node_dim)
        self.pair_to_score = nn.Linear(pair_dim, 2 * scores)
        self.score_to_pair = nn.Linear(scores, pair_dim)
        self.out = nn.Linear(node_dim, node_dim)
        self.film_nodes, self.film_pairs = nn.Linear(FILM, 2 * node_dim), nn.Linear(FILM, 2 * scores)
        self.node_norms = nn.ModuleList(nn.LayerNorm(node_dim) for _ in range(2))
        self.pair_norms = nn.ModuleList(nn.LayerNorm(pair_dim) for _ in range(2))
        self.node_mlp = mlp(node_dim, config.node_hidden, node_dim, config.dropout)
        self.pair_mlp = mlp(pair_dim, config.pair_hidden, pair_dim, config.dropout)
        self.dropout = Dropout(config.dropout)

    def forward(self, x: Tensor, e: Tensor, y: Tensor, blocked: Tensor | None) -> tuple[Tensor, Tensor]:
        """Nodes x (B, N, C), pairs e (B, N, N, C'), class embedding y (B, 64), 0 or -inf per key (B, 1, N, 1; None =
        no padding) -> new nodes and pairs."""
        dx, de = self._attend(x, e, y, blocked)
        x, e = self.node_norms[0](x + self.dropout(dx)), self.pair_norms[0](e + self.dropout(de))
        return self.node_norms[1](x + self.node_mlp(x)), self.pair_norms[1](e + self.pair_mlp(e))

    def _attend(self, x: Tensor, e: Tensor, y: Tensor, blocked: Tensor | None) -> tuple[Tensor, Tensor]:
        q, k, v = self.qkv(x).chunk(3, -1)
        q = q / math.sqrt(x.shape[-1] // self.heads)
        pairs, film = self.pair_to_score(e), self.film_pairs(y)
        if self.channelwise:
            mixed, scores = cast(tuple[Tensor, Tensor], ChannelAttention.apply(q, k, v, pairs, film, blocked))
        else:
            mixed, scores = _head_attention(q, k, v, pairs, film, blocked, self.heads)
        return self.out(_film(mixed, self.film_nodes(y)[:, None])), self.score_to_pair(scores)


class ChannelAttention(torch.autograd.Function):
    """Attention with a score for every channel.

    For nodes i, j of a graph and each channel, with m, a the two halves of the pair features and s0, g the two halves
    of the FiLM parameters of the class,

        s_ij = q_i k_j (1 + m_ij) + a_ij,  mixed_i = sum_j softmax_j(s_ij + blocked_j) v_j,  f_ij = s0 + s_ij (1 + g).

    Inputs: q, k, v (B, N, C); pairs m | a (B, N, N, 2C); film s0 | g (B, 2C); blocked (B, 1, N, 1) or None. Returns
    mixed (B, N, C) and f (B, N, N, C).
    """

    @staticmethod
    def forward(
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, pairs: Tensor, film: Tensor, blocked: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Compute mixed and f, tile by tile."""
        b, n, c = q.shape
        scores = q.new_empty(b, n, n, c)
        f, mixed, kept = torch.empty_like(scores), torch.empty_like(q), any(ctx.needs_input_grad)
        weights = torch.empty_like(scores) if kept else scores
        shift, gain = (z[:, None, None] for z in (film[:, :c], film[:, c:] + 1))
        for tile, (work,) in _tiles(scores, 1):
            m, a = pairs[tile].chunk(2, -1)
            s, w = scores[tile], weights[tile]
            torch.mul(q[tile, :, None], k[tile, None], out=work)
            torch.add(work, a, out=s).addcmul_(work, m)
            torch.addcmul(shift[tile], s, gain[tile], out=f[tile])
            logits = s if blocked is None else torch.add(s, blocked[tile], out=work)
            torch.sub(logits, logits.amax(2, keepdim=True), out=w).exp_()
            w.div_(w.sum(2, keepdim=True))
            torch.sum(torch.mul(w, v[tile, None], out=work), 2, out=mixed[tile])
        ctx.save_for_backward(q, k, v, pairs, gain, scores, weights, mixed)
        return mixed, f

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Compute the gradients of q, k, v, pairs and film from those of mixed and f, tile by tile."""
        d_mixed, d_f = gradients
        q, k, v, pairs, gain, scores, weights, mixed = ctx.saved_tensors
        d_q, d_k, d_v, d_pairs = (torch.empty_like(z) for z in (q, k, v, pairs))
        d_film = q.new_empty(q.shape[0], 2 * q.shape[2])
        for tile, (work, d_s) in _tiles(scores, 2):
            (m, _), (d_m, d_a), (d_shift, d_gain) = (z[tile].chunk(2, -1) for z in (pairs, d_pairs, d_film))
            torch.sum(torch.mul(weights[tile], d_mixed[tile, :, None], out=work), 1, out=d_v[tile])
            torch.sub(v[tile, None], mixed[tile, :, None], out=d_s).mul_(work)  # through the softmax
            torch.sum(d_f[tile], (1, 2), out=d_shift)
            torch.sum(torch.mul(d_f[tile], scores[tile], out=work), (1, 2), out=d_gain)
            d_a.copy_(d_s.addcmul_(d_f[tile], gain[tile]))
            torch.mul(d_s, torch.mul(q[tile, :, None], k[tile, None], out=work), out=d_m)
            d_s.addcmul_(d_s, m)
            torch.sum(torch.mul(d_s, k[tile, None], out=work), 2, out=d_q[tile])
            torch.sum(d_s.mul_(q[tile, :, None]), 1, out=d_k[tile])
        return d_q, d_k, d_v, d_pairs, d_film, None


def _tiles(scores: Tensor, buffers: int) -> Iterator[tuple[slice, list[Tensor]]]:
    """Yield slices of the batch, each with work space of the slice's shape: small on a CPU, the whole batch on a
    GPU."""
    b = scores.shape[0]
    size = max(1, _tile // max(1, scores[0].numel())) if scores.device.type == "cpu" else b
    space = [scores.new_empty(min(size, b), *scores.shape[1:]) for _ in range(buffers)]
    for start in range(0, b, size):
        yield slice(start, start + size), [z[: min(size, b - start)] for z in space]


def _head_attention(
    q: Tensor, k: Tensor, v: Tensor, pairs: Tensor, film: Tensor, blocked: Tensor | None, heads: int
) -> tuple[Tensor, Tensor]:
    """Attention with a score for every head: arguments and result as `ChannelAttention`, with heads for the channels
    of the scores."""
    multiply, add = pairs.chunk(2, -1)
    q, k, v = (z.unflatten(-1, (heads, -1)) for z in (q, k, v))
    scores = torch.einsum("bihc,bjhc->bijh", q, k)
    scores = torch.addcmul(scores + add, scores, multiply)
    weights = (scores if blocked is None else scores + blocked).softmax(2)
    return torch.einsum("bijh,bjhc->bihc", weights, v).flatten(2), _film(scores, film[:, None, None])


def _film(values: Tensor, parameters: Tensor) -> Tensor:
    shift, gain = parameters.chunk(2, -1)
    return torch.addcmul(shift + values, values, gain)


class Dropout(nn.Module):
    """Dropout whose masks cost a quarter of PyTorch's: four decisions from each 64-bit random number, so p is rounded
    to 16 bits.

    Args:
        p: probability of a zero; what is left is divided by 1 - p, the rounded one.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.cut = round(p * 2**16)

    def forward(self, x: Tensor) -> Tensor:
        """Return x with elements dropped in training, x itself in evaluation."""
        if not self.training or not self.cut:
            return x
        words = torch.empty(-(-x.numel() // 4), dtype=torch.int64, device=x.device)
        words.random_(-(2**63), None, generator=_generator.get())
        kept = words.view(torch.int16)[: x.numel()].view(x.shape) >= self.cut - 2**15
        return x * kept.to(x.dtype).mul_(1 / (1 - self.cut / 2**16))


def mlp(inputs: int, hidden: int, outputs: int, dropout: float = 0.0) -> nn.Sequential:
    """Return a network of one hidden layer of rectified units, with dropout after either layer if there is any."""
    if not dropout:
        return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs))
    return nn.Sequential(
        nn.Linear(inputs, hidden), nn.ReLU(), Dropout(dropout), nn.Linear(hidden, outputs), Dropout(dropout)
    )
