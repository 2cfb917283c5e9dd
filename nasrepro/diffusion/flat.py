"""A denoiser for small graphs whose nodes have places of their own: a feed-forward network of all slots at once.

A graph transformer computes the same for every node and every pair, which pays where graphs are large or have no order.
The cells of a benchmark have few slots (a node or a pair of nodes each) in a fixed order, so a few products of whole
graphs say more in less time. What never occurs in a slot is given, not learnt: a slot that is the same in every graph
is not even read, as the edges of NAS-Bench-201 are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nasrepro.diffusion.denoiser import Denoiser, Logits, mlp, sinusoids
from nasrepro.diffusion.denoiser_config import DenoiserConfig
from nasrepro.graphs import Graphs


class Support(NamedTuple):
    """Which classes occur in each slot of some graphs, bool: nodes N x (K + 1), pairs P x 3; the last class is that the
    slot does not exist."""

    nodes: Tensor
    pairs: Tensor

    @classmethod
    def of(cls, graphs: Graphs, node_classes: int) -> Support:
        """Look through the graphs of a training set."""
        kinds = zip(_with_absence(graphs, node_classes), (node_classes + 1, 3), strict=True)
        return cls(*(torch.stack([(z == k).any(0) for k in range(n)], -1) for z, n in kinds))


class FlatDenoiser(nn.Module):
    """Maps noisy graphs, times and classes to the logits of the clean graphs, in residual feed-forward blocks.

    Args:
        config: shape of the network; `pairs` is `flat`.
        condition_classes: number of classes d_j of each of the k conditions (the null token not counted).
        support: what occurs in the slots of the training graphs; a class that does not is never predicted.
    """

    def __init__(self, config: DenoiserConfig, condition_classes: Sequence[int], support: Support) -> None:
        super().__init__()
        if config.residual or config.linear_inputs or not config.positions:
            raise ValueError("a flat network has neither residual nor linear_inputs, and knows the places of the slots")
        self.config, self.condition_classes = config, tuple(condition_classes)
        self.node_classes = support.nodes.shape[1] - 1
        self.nodes = _Slots(support.nodes, config.node_dim)
        self.pairs = _Slots(support.pairs, config.pair_dim)
        width = self.nodes.width + self.pairs.width
        self.conditions = nn.ParameterList(nn.Parameter(torch.randn(n + 1, width) / 2) for n in condition_classes)
        self.time = nn.Linear(config.node_dim, width) if config.time_input else None
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(config.layers))
        self.blocks = nn.ModuleList(mlp(width, config.graph_hidden, width) for _ in range(config.layers))
        self.norm, self.out = nn.LayerNorm(width), nn.Linear(width, self.nodes.outputs + self.pairs.outputs)

    def forward(self, graphs: Graphs, t: Tensor, classes: Tensor) -> Logits:
        """Predict the clean graphs; arguments as of `Denoiser.forward`."""
        nodes, pairs = _with_absence(graphs, self.node_classes)
        x = torch.cat([self.nodes(nodes), self.pairs(pairs)], -1)
        for j, table in enumerate(self.conditions):
            x = x + F.embedding(classes[:, j], table)
        if self.time is not None:
            x = x + self.time(sinusoids(1000 * t, self.config.node_dim))
        for norm, block in zip(self.norms, self.blocks, strict=True):
            x = x + block(norm(x))
        of_nodes, of_pairs = self.out(self.norm(x)).split([self.nodes.outputs, self.pairs.outputs], -1)
        return Logits(self.nodes.logits(of_nodes), self.pairs.logits(of_pairs))

    def graphs_per_pass(self, device: torch.device) -> int:
        """Return how many graphs a pass without gradients should hold."""
        return 1024


Network = Denoiser | FlatDenoiser


def network(config: DenoiserConfig, node_classes: int, condition_classes: Sequence[int], graphs: Graphs) -> Network:
    """Return an untrained network of a shape for graphs of K = `node_classes` operations.

    Args:
        config: its shape.
        node_classes: K.
        condition_classes: number of classes of each condition.
        graphs: those that it will learn: their largest size and, for a flat network, what occurs in their slots.
    """
    if config.pairs == "flat":
        return FlatDenoiser(config, condition_classes, Support.of(graphs, node_classes))
    return Denoiser(config, node_classes, condition_classes, graphs.n_nodes)


class _Slots(nn.Module):
    """Slots of one kind: features of those that vary, and logits of all.

    Args:
        support: which classes occur in each slot, and whether it may be absent, bool, S x (K + 1).
        channels: features of a slot.
    """

    support: Tensor
    blocked: Tensor
    varying: Tensor
    first: Tensor

    def __init__(self, support: Tensor, channels: int) -> None:
        super().__init__()
        self.register_buffer("support", support.float())  # as the weights beside it, of which there is an average
        support = support.bool()
        varying = (support.sum(1) > 1).nonzero()[:, 0]
        self.register_buffer("varying", varying, persistent=False)
        self.register_buffer("blocked", torch.where(support[:, :-1], 0.0, -1e9), persistent=False)
        n, k = len(varying), support.shape[1]
        self.register_buffer("first", k * torch.arange(n), persistent=False)
        self.features = nn.Parameter(torch.randn(n * k, channels) / 2)
        self.width, self.outputs, self.classes = n * channels, n * (k - 1), k - 1

    def forward(self, slots: Tensor) -> Tensor:
        """Classes of the slots, absence the last (B, S) -> features of those that vary, side by side (B, width)."""
        return F.embedding(slots[:, self.varying] + self.first, self.features).flatten(1)

    def logits(self, outputs: Tensor) -> Tensor:
        """Outputs of the network (B, `outputs`) -> logits of the classes of all slots (B, S, K)."""
        learnt = outputs.unflatten(1, (len(self.varying), self.classes))
        given = learnt.new_zeros(len(learnt), len(self.support), self.classes)
        return given.index_copy(1, self.varying, learnt) + self.blocked


def _with_absence(graphs: Graphs, node_classes: int) -> tuple[Tensor, Tensor]:
    """Return the classes of the nodes and pairs, those that do not exist in a class of their own."""
    nodes = torch.where(graphs.mask, graphs.nodes, node_classes)
    return nodes, torch.where(graphs.pair_mask, graphs.pairs, 2)
