"""FLAN: a graph network whose layers average dense graph flow and graph attention (Akhauri and Abdelfattah, "Encodings
for prediction-based neural architecture search", 2024).

Operations have learnt embeddings o. With node features x, A[i, j] = 1 where j feeds i, and a gate g = sigmoid(W_o o):

- dense graph flow:  g * (A x W) + x W + b
- graph attention:   LayerNorm(g * softmax(leaky(a . (x_i W' * x_j W')) A) x W')

As in TA-GATES, the operations of a cell are refined: after a forward pass the output node's features flow back along
the reversed edges, and o moves by 0.1 of a function of (o, forward, backward features); then comes the next forward
pass (`steps` in all). The mean of the final features over all nodes but inputs, `none` and padding counted as zeros,
goes to an MLP that gives the score. Zero-cost proxies, if given, join it through an MLP of their own. The two cells of
the DARTS space share all layers, and a small MLP joins their features.

Published (public code): embeddings of 48, hidden 96, five layers of 128 in either direction, MLP of three times 200
with dropout 0.1, two passes. In its softmax, pairs without an edge have logit 0 and so keep a share; kept here. Its
transfer between spaces is not part of this study. What is shortened is in `FLANConfig`.

Messages are products of small dense matrices, so that several networks, each with its own cells, are trained in one
pass (`nasrepro.predictors.ranking_networks`). Message passing over lists of edges (torch-geometric) gives the same
layers, to which the tests hold these, but takes two to three times as long to train and five to predict.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from nasrepro.encodings.perceptron import perceptron
from nasrepro.encodings.structure import operation_kinds


@dataclass(frozen=True)
class FLANConfig:
    """Sizes; the defaults are those of the `laptop` profile, `PUBLISHED` those of the public code.

    Attributes:
        embedding: of an operation, and of a node at the start.
        hidden: width at the input of the first layer.
        width: of each graph layer.
        layers: in either direction.
        steps: forward passes.
        mlp: hidden layers of the score.
        dropout: of these.
    """

    embedding: int = 32
    hidden: int = 64
    width: int = 64
    layers: int = 3
    steps: int = 2
    mlp: tuple[int, ...] = (128, 128)
    dropout: float = 0.1


PUBLISHED = FLANConfig(48, 96, 128, 5, 2, (200, 200, 200))
_UPDATE = 0.1  # share of an update that an operation's embedding takes


class GraphLayer(nn.Module):
    """The mean of dense graph flow and graph attention."""

    def __init__(self, inputs: int, outputs: int, embedding: int) -> None:
        super().__init__()
        self.flow, self.flow_gate = nn.Linear(inputs, outputs, bias=False), nn.Linear(embedding, outputs)
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.value, self.value_gate = nn.Linear(inputs, outputs, bias=False), nn.Linear(embedding, outputs)
        self.attention = nn.Linear(outputs, 1, bias=False)
        self.norm = nn.LayerNorm(outputs)

    def forward(self, x: Tensor, reads: Tensor, operations: Tensor) -> Tensor:
        """Return new features (B x N x outputs); reads[b, i, j] = 1 where node j feeds node i."""
        flow, value = self.flow(x), self.value(x)
        flowed = self.flow_gate(operations).sigmoid() * (reads @ flow) + flow + self.bias
        logits = leaky_relu((value * self.attention.weight[0]) @ value.transpose(1, 2)) * reads
        attended = self.norm(self.value_gate(operations).sigmoid() * (logits.softmax(-1) @ value))
        return (flowed + attended) / 2


class FLAN(nn.Module):
    """The network: scores of architectures of one or two cells.

    Args:
        node_classes: names of the node classes of the space.
        config: sizes.
        cells: number of cells of an architecture.
        proxies: number of zero-cost proxies, 0 for none.
    """

    def __init__(self, node_classes: tuple[str, ...], config: FLANConfig, cells: int = 1, proxies: int = 0) -> None:
        super().__init__()
        c, kinds = config, operation_kinds(node_classes)
        self.config, self.cells = config, cells
        for kind in ("input", "output", "none"):
            self.register_buffer(f"is_{kind}", torch.tensor([k == kind for k in kinds]).float())
        self.operations = nn.Embedding(len(node_classes), c.embedding)
        self.start = nn.Embedding(2, c.embedding)  # of other nodes, of inputs
        self.lift = nn.Linear(c.embedding, c.hidden)
        self.layers = _layers(c.hidden, c)
        if c.steps > 1:
            self.turn = perceptron([c.width, c.width, c.width])
            self.back = _layers(c.width, c)
            self.update = perceptron([c.embedding + 2 * c.width, c.width, c.embedding])
        if cells > 1:
            self.join = perceptron([cells * c.width, c.width, c.width])
        if proxies:
            self.proxies = perceptron([proxies, c.width, c.width, c.embedding], c.dropout)
        self.score = perceptron([c.width + (c.embedding if proxies else 0), *c.mlp, 1], c.dropout)

    def forward(self, nodes: Tensor, adjacency: Tensor, mask: Tensor, proxies: Tensor | None = None) -> Tensor:
        """Return the score of each architecture, B.

        Args:
            nodes: classes, int64, B x C x N for C cells.
            adjacency: strictly upper triangular, float, B x C x N x N.
            mask: whether a node exists, float, B x C x N.
            proxies: zero-cost proxies, B x proxies, where the network was made for them.
        """
        nodes, reads, mask = nodes.flatten(0, 1), adjacency.flatten(0, 1).transpose(1, 2), mask.flatten(0, 1)
        is_input, is_output, is_none = (
            (getattr(self, f"is_{kind}")[nodes] * mask)[..., None] for kind in ("input", "output", "none")
        )
        operations = self.operations(nodes) * (1 - is_input)
        x = self.lift(self.start(is_input.squeeze(-1).long()))
        y = _run(self.layers, x, reads, operations)
        for _ in range(self.config.steps - 1):
            flowing = _run(self.back, self.turn(y) * is_output, reads.transpose(1, 2), operations)
            seen = torch.cat([operations.detach(), y.detach(), flowing], dim=-1)
            operations = operations + _UPDATE * self.update(seen)
            y = _run(self.layers, x, reads, operations)
        counted = mask[..., None] * (1 - is_input) * (1 - is_none)
        features = (y * counted).mean(1).unflatten(0, (-1, self.cells)).flatten(1)
        if self.cells > 1:
            features = self.join(features)
        if proxies is not None:
            features = torch.cat([features, self.proxies(proxies)], dim=-1)
        scores: Tensor = self.score(features).squeeze(-1)
        return scores


def _layers(inputs: int, config: FLANConfig) -> nn.ModuleList:
    sizes = [inputs] + config.layers * [config.width]
    return nn.ModuleList(GraphLayer(a, b, config.embedding) for a, b in pairwise(sizes))


def _run(layers: nn.ModuleList, x: Tensor, reads: Tensor, operations: Tensor) -> Tensor:
    for number, layer in enumerate(layers):
        x = layer(x, reads, operations)
        if number < len(layers) - 1:
            x = x.relu()
    return x
