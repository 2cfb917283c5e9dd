"""The denoiser: a graph transformer that predicts the clean graph from a noisy one (DiNAS, section 4 and appendix A.4).

Its shapes have names in `denoiser_config`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nasrepro.diffusion.denoiser_config import DenoiserConfig
from nasrepro.diffusion.matrix_layer import FILM, MatrixLayer, mlp
from nasrepro.graphs import Graphs, pair_indices


class Logits(NamedTuple):
    """Unnormalised log-probabilities of the clean graph: nodes B x N x K, pairs B x P x 2."""

    nodes: Tensor
    pairs: Tensor


def sinusoids(positions: Tensor, channels: int) -> Tensor:
    """Return sine | cosine features of real positions (...) at geometric wavelengths from 2 pi to 2 pi 10^4, (...,
    channels)."""
    n = channels // 2
    rates = torch.exp(-torch.arange(n, device=positions.device, dtype=torch.float32) * (math.log(1e4) / max(n - 1, 1)))
    angles = positions.unsqueeze(-1).to(torch.float32) * rates
    return torch.cat([angles.sin(), angles.cos()], -1)


@lru_cache(maxsize=64)
def _positions(n: int, channels: int, device: torch.device) -> Tensor:
    with torch.inference_mode(False):  # kept for good: made while sampling, they must serve a training as well
        return sinusoids(torch.arange(n, device=device), channels)


class ClassEmbedding(nn.Module):
    """A two-layer network of the one-hot class. It has only K different outputs, so it runs on K rows and is looked
    up: (...) -> (..., out)."""

    def __init__(self, n_classes: int, hidden: int, out: int) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.empty(n_classes, hidden).uniform_(-1, 1))
        self.second = nn.Linear(hidden, out)

    def forward(self, classes: Tensor) -> Tensor:
        """Classes (...) -> features (..., out)."""
        return F.embedding(classes, F.relu(self.second(F.relu(self.first))))


class ConditionEmbedding(nn.Module):
    """An own two-layer network of the one-hot class for each of k conditions, summed over conditions; the null token
    is a class of its own.

    Classes are int64, B x k; class `n_classes[j]` is the null token of condition j.
    """

    def __init__(self, n_classes: Sequence[int], hidden: int, out: int) -> None:
        super().__init__()
        self.tables = nn.ParameterList(torch.empty(n + 1, hidden).uniform_(-1, 1) for n in n_classes)
        self.out = nn.ModuleList(nn.Linear(hidden, out) for _ in n_classes)

    def forward(self, classes: Tensor) -> Tensor:
        """Classes of k conditions (B, k) -> features (B, out)."""
        embedded = zip(classes.T, self.tables, self.out, strict=True)
        return torch.stack([F.embedding(of, out(F.relu(table))) for of, table, out in embedded]).sum(0)


class OneHotNetwork(nn.Module):
    """A two-layer network of a one-hot vector, as in the public code: class K is the zero vector, whose features the
    biases alone give.

    Args:
        n_classes: K.
        hidden: hidden units.
        out: outputs.
        rectified: whether the outputs pass a rectifier.
    """

    def __init__(self, n_classes: int, hidden: int, out: int, rectified: bool) -> None:
        super().__init__()
        self.first, self.second, self.rectified = nn.Linear(n_classes, hidden), nn.Linear(hidden, out), rectified

    def forward(self, classes: Tensor) -> Tensor:
        """Classes 0..K (...) -> features (..., out)."""
        one_hot = F.pad(self.first.weight.T, (0, 0, 0, 1)) + self.first.bias
        features = self.second(F.relu(one_hot))
        return F.embedding(classes, F.relu(features) if self.rectified else features)


class OneHotCondition(nn.Module):
    """The class embedding of the public code: for each condition a network for nodes, one for pairs and one for FiLM,
    side by side; conditions are summed."""

    def __init__(self, n_classes: Sequence[int], node_dim: int, pair_dim: int, film_hidden: int) -> None:
        super().__init__()
        shapes = ((node_dim, node_dim, False), (pair_dim, pair_dim, False), (film_hidden, FILM, True))
        self.parts = nn.ModuleList(nn.ModuleList(OneHotNetwork(n, *shape) for shape in shapes) for n in n_classes)

    def forward(self, classes: Tensor) -> Tensor:
        """Classes of k conditions (B, k) -> features (B, out)."""
        networks = zip(classes.T, self.parts, strict=True)
        features = [torch.cat([network(of) for network in cast(nn.ModuleList, part)], -1) for of, part in networks]
        return torch.stack(features).sum(0)


class GraphBlock(nn.Module):
    """A feed-forward block on all nodes of a graph at once; normalisation comes before it, and padding counts as zeros.

    Args:
        config: shape of the network.
        most_nodes: N of the largest graphs.
    """

    def __init__(self, config: DenoiserConfig, most_nodes: int) -> None:
        super().__init__()
        self.most_nodes, width = most_nodes, most_nodes * config.node_dim
        self.norm, self.mlp = nn.LayerNorm(config.node_dim), mlp(width, config.graph_hidden, width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Nodes x (B, N, C), whether they exist (B, N) -> what is added to them."""
        n = x.shape[1]
        known = F.pad(self.norm(x) * mask.unsqueeze(-1), (0, 0, 0, self.most_nodes - n))
        return self.mlp(known.flatten(1)).unflatten(1, (self.most_nodes, -1))[:, :n]


class NodeLayer(nn.Module):
    """Head attention among nodes with an additive bias from the pairs, then a feed-forward block, then, if asked for,
    one on the whole graph; normalisation comes before each."""

    def __init__(self, config: DenoiserConfig, most_nodes: int) -> None:
        super().__init__()
        d = config.node_dim
        self.heads = config.heads
        self.norms = nn.ModuleList(nn.LayerNorm(d) for _ in range(2))
        self.qkv, self.out = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.mlp = mlp(d, config.node_hidden, d)
        self.whole = GraphBlock(config, most_nodes) if config.graph_hidden else None

    def forward(self, x: Tensor, bias: Tensor, mask: Tensor) -> Tensor:
        """Nodes x (B, N, C), bias of the scores (B, heads, N, N), whether nodes exist (B, N) -> new nodes."""
        q, k, v = self.qkv(self.norms[0](x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        x = x + self.out(F.scaled_dot_product_attention(q, k, v, attn_mask=bias).transpose(1, 2).flatten(2))
        x = x + self.mlp(self.norms[1](x))
        return x if self.whole is None else x + self.whole(x, mask)


class Denoiser(nn.Module):
    """Maps noisy graphs, times and classes to the logits of the clean graphs.

    Args:
        config: shape of the network.
        node_classes: K.
        condition_classes: number of classes d_j of each of the k conditions (the null token not counted).
        most_nodes: N of the largest graphs; only a network with `graph_hidden` has to know.

    Raises:
        ValueError: `graph_hidden` is set, and `most_nodes` is not; or `linear_inputs` with upper pairs.
    """

    def __init__(
        self, config: DenoiserConfig, node_classes: int, condition_classes: Sequence[int], most_nodes: int = 0
    ) -> None:
        super().__init__()
        if config.graph_hidden and not most_nodes:
            raise ValueError("a network that acts on whole graphs needs most_nodes, the size of the largest")
        if config.pairs == "flat":
            raise ValueError("a flat shape is for flat.FlatDenoiser")
        if config.linear_inputs and config.pairs != "full":
            raise ValueError("linear_inputs needs full pairs: upper pairs have no diagonal and no FiLM")
        self.config, self.node_classes, self.condition_classes = config, node_classes, tuple(condition_classes)
        d, p = config.node_dim, config.pair_dim
        self.splits = [d, p, FILM if config.pairs == "full" else 0]
        if config.linear_inputs:
            self.node_in: nn.Module = OneHotNetwork(node_classes, config.node_hidden, d, rectified=True)
            self.pair_in: nn.Module = OneHotNetwork(2, config.pair_hidden, p, rectified=True)
            self.condition: nn.Module = OneHotCondition(condition_classes, d, p, film_hidden=2 * FILM)
        else:
            self.node_in = ClassEmbedding(node_classes, config.node_hidden, d)
            self.pair_in = ClassEmbedding(2, config.pair_hidden, p)
            self.condition = ConditionEmbedding(condition_classes, config.node_hidden, sum(self.splits))
        self.time = nn.Linear(d, sum(self.splits)) if config.time_input else None
        full = config.pairs == "full"
        self.core = _MatrixCore(config, node_classes) if full else _NodeCore(config, node_classes, most_nodes)

    def forward(self, graphs: Graphs, t: Tensor, classes: Tensor) -> Logits:
        """Predict the clean graphs.

        Args:
            graphs: noisy graphs.
            t: time of each graph as a fraction of T, float, B (read only by networks with `time_input`).
            classes: class of each condition, int64, B x k; `condition_classes[j]` is the null token.
        """
        x, pairs = self.node_in(graphs.nodes), graphs.pairs
        if self.config.linear_inputs:  # one more pair, for the diagonal
            pairs = F.pad(pairs, (0, 1), value=2)
        e = self.pair_in(pairs)
        if self.config.positions:
            x = x + _positions(graphs.n_nodes, self.config.node_dim, x.device)
        c = self.condition(classes)
        if self.time is not None:
            c = c + self.time(sinusoids(1000 * t, self.config.node_dim))
        cx, ce, y = c.split(self.splits, -1)
        logits: Logits = self.core(x, e, cx.unsqueeze(1), ce.unsqueeze(1), y, graphs.mask)
        if not self.config.residual:
            return logits
        nodes = F.one_hot(graphs.nodes, self.node_classes).to(x.dtype)
        return Logits(logits.nodes + nodes, logits.pairs + F.one_hot(graphs.pairs, 2).to(x.dtype))

    def graphs_per_pass(self, device: torch.device) -> int:
        """Return how many graphs a pass without gradients should hold: on a CPU the N x N matrices of a DiGress network
        are fastest while they stay in its cache."""
        return 32 if self.config.pairs == "full" and device.type == "cpu" else 1024


class _MatrixCore(nn.Module):
    """Class embedding concatenated, DiGress layers, read-out with the two directions of a pair averaged."""

    def __init__(self, config: DenoiserConfig, node_classes: int) -> None:
        super().__init__()
        d, p = 2 * config.node_dim, 2 * config.pair_dim
        self.layers = nn.ModuleList(MatrixLayer(config, d, p) for _ in range(config.layers))
        self.node_out, self.pair_out = mlp(d, config.node_hidden, node_classes), mlp(p, config.pair_hidden, 2)

    def forward(self, x: Tensor, e: Tensor, cx: Tensor, ce: Tensor, y: Tensor, mask: Tensor) -> Logits:
        n = x.shape[1]
        x, e = torch.cat([x, cx.expand_as(x)], -1), _to_matrix(torch.cat([e, ce.expand_as(e)], -1), n)
        blocked = None
        if mask.device.type != "cpu" or not mask.all():  # on a GPU the question would wait for the device
            blocked = torch.zeros_like(mask, dtype=x.dtype).masked_fill(~mask, -1e9)[:, None, :, None]
        for layer in self.layers:
            x, e = layer(x, e, y, blocked)
        rows, columns = pair_indices(n, e.device)
        pairs = self.pair_out(e)
        return Logits(self.node_out(x), (pairs[:, rows, columns] + pairs[:, columns, rows]) / 2)


class _NodeCore(nn.Module):
    """Class embedding added, pairs read once as biases of all layers, node layers, pairs written once from their end
    nodes."""

    def __init__(self, config: DenoiserConfig, node_classes: int, most_nodes: int) -> None:
        super().__init__()
        d, p = config.node_dim, config.pair_dim
        self.heads = config.heads
        self.bias = nn.Linear(p, config.layers * config.heads)
        self.layers = nn.ModuleList(NodeLayer(config, most_nodes) for _ in range(config.layers))
        self.norm = nn.LayerNorm(d)
        self.ends = nn.Linear(d, 2 * p)
        self.node_out, self.pair_out = mlp(d, config.node_hidden, node_classes), mlp(p, config.pair_hidden, 2)

    def forward(self, x: Tensor, e: Tensor, cx: Tensor, ce: Tensor, y: Tensor, mask: Tensor) -> Logits:
        n = x.shape[1]
        x, e = x + cx, F.relu(e + ce)
        biases = _to_matrix(self.bias(e), n).permute(0, 3, 1, 2)
        biases = biases.masked_fill(~mask[:, None, None], -1e9)
        for layer, bias in zip(self.layers, biases.split(self.heads, 1), strict=True):
            x = layer(x, bias, mask)
        x = self.norm(x)
        first, second = self.ends(x).chunk(2, -1)
        rows, columns = pair_indices(n, x.device)
        return Logits(self.node_out(x), self.pair_out(F.relu(e + first[:, rows] + second[:, columns])))


def _to_matrix(pairs: Tensor, n: int) -> Tensor:
    """Features of pairs i < j (B, P, C) -> symmetric matrices (B, N, N, C); the diagonal is zero, or one more pair."""
    rows, columns = pair_indices(n, pairs.device)
    matrix = pairs.new_zeros(pairs.shape[0], n, n, pairs.shape[-1])
    matrix[:, rows, columns] = pairs[:, : len(rows)]
    matrix[:, columns, rows] = pairs[:, : len(rows)]
    if pairs.shape[1] > len(rows):
        matrix.diagonal(dim1=1, dim2=2).copy_(pairs[:, -1, :, None])
    return matrix
