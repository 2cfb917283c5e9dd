"""CATE: a transformer that reads two computationally similar cells and restores masked operations (Yan et al., ICML
2021, section 3).

Each cell is a sequence of operations; a node attends to itself and to the nodes it depends on, directly or not (section
3.2). The two encoded cells are then joined, and cross-attention blocks let each read the other; 20 % of the operations
of each are hidden, and the loss is the cross-entropy of what they were. A cell's partner is one of the K = 2 drawn from
the cells whose complexity differs by less than a bound (the public code of FLAN: 2 % of the largest). The embedding of
a cell is the mean of its encoded nodes, without masks and without a partner.

Published, in the pre-training scripts of FLAN: width 32 in both parts, K = 2, parameters or FLOPs as the complexity.
Depth, heads and epochs could not be read here; they are named below and small. Complexity here: the weights of the live
convolutions in units of a 1x1 one, which in NAS-Bench-201 is the number of parameters but for a constant.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from nasrepro.encodings.cells import node_mean
from nasrepro.encodings.structure import operation_kinds, structure_features
from nasrepro.graphs import Graphs
from nasrepro.seeding import derive, numpy_stream


@dataclass(frozen=True)
class CATEConfig:
    """Hyper-parameters; the defaults are those of the `laptop` profile.

    Attributes:
        width: dimension of a node, and of the embedding.
        layers: blocks that read one cell.
        cross_layers: blocks that read both.
        heads: of each attention.
        masked: share of operations that are hidden.
        partners: K, pairs per cell and epoch.
        similar: largest difference of complexity within a pair, as a share of the largest complexity.
        epochs: passes over the pairs.
        batch_size: pairs of one step.
        learning_rate: of AdamW.
        cells: most cells that are trained on.
    """

    width: int = 32
    layers: int = 3
    cross_layers: int = 2
    heads: int = 4
    masked: float = 0.2
    partners: int = 2
    similar: float = 0.02
    epochs: int = 4
    batch_size: int = 128
    learning_rate: float = 1e-3
    cells: int = 15_625


class CATE(nn.Module):
    """The two transformers; K node classes, of at most N nodes.

    Args:
        node_classes: K.
        max_nodes: N.
        config: hyper-parameters.
    """

    def __init__(self, node_classes: int, max_nodes: int, config: CATEConfig) -> None:
        super().__init__()
        self.config, self.mask_token = config, node_classes
        self.operations = nn.Embedding(node_classes + 1, config.width)
        self.places = nn.Embedding(max_nodes, config.width)
        self.cells = nn.Embedding(2, config.width)
        self.blocks = nn.ModuleList(self._block() for _ in range(config.layers))
        self.cross = nn.ModuleList(self._block() for _ in range(config.cross_layers))
        self.head = nn.Linear(config.width, node_classes)

    def _block(self) -> nn.TransformerEncoderLayer:
        c = self.config
        return nn.TransformerEncoderLayer(
            c.width, c.heads, 2 * c.width, dropout=0.1, activation="gelu", batch_first=True, norm_first=True
        )

    def encode(self, nodes: Tensor, forbidden: Tensor) -> Tensor:
        """Return the encoded nodes, B x N x width.

        Args:
            nodes: classes, or the mask token, B x N.
            forbidden: whether node i may not read node j, bool, B x N x N.
        """
        x = self.operations(nodes) + self.places.weight[: nodes.shape[1]]
        heads = forbidden.repeat_interleave(self.config.heads, dim=0)
        for block in self.blocks:
            x = block(x, src_mask=heads)
        return x

    def loss(self, first: Graphs, second: Graphs) -> Tensor:
        """Return the cross-entropy of the hidden operations of a batch of pairs."""
        encoded, hidden = [], []
        for which, graphs in enumerate((first, second)):
            hide = (torch.rand(graphs.nodes.shape) < self.config.masked) & graphs.mask
            nodes = torch.where(hide, self.mask_token, graphs.nodes)
            encoded.append(self.encode(nodes, _forbidden(graphs)) + self.cells.weight[which])
            hidden.append(hide)
        x, hide = torch.cat(encoded, dim=1), torch.cat(hidden, dim=1)
        padding = ~torch.cat([first.mask, second.mask], dim=1)
        for block in self.cross:
            x = block(x, src_key_padding_mask=padding)
        return cross_entropy(self.head(x[hide]), torch.cat([first.nodes, second.nodes], dim=1)[hide])

    def embed(self, graphs: Graphs) -> np.ndarray:
        """Return the embedding of each cell, float32, B x width."""
        self.eval()
        return node_mean(lambda part: self.encode(part.nodes, _forbidden(part)), graphs)


def _forbidden(graphs: Graphs) -> Tensor:
    """Return whether node i does not depend on node j and is not it, bool, B x N x N; padding reads itself alone."""
    reads = graphs.adjacency().bool().transpose(1, 2)
    reached = reads | torch.eye(graphs.n_nodes, dtype=torch.bool)
    length = 1
    while length < graphs.n_nodes:  # each squaring doubles the paths that are followed
        reached = (reached.float() @ reached.float()) > 0
        length *= 2
    return ~reached


def complexity(graphs: Graphs, node_classes: tuple[str, ...]) -> np.ndarray:
    """Return the weights of the live convolutions of each cell, in units of a 1x1 one, float32, B."""
    kernels = [re.search(r"(\d)x\1", name) for name in node_classes]
    weights = [
        int(kernel[1]) ** 2 if kernel and kind == "conv" else 0
        for kernel, kind in zip(kernels, operation_kinds(node_classes), strict=True)
    ]
    live = structure_features(graphs, node_classes)[:, : len(node_classes)].numpy()
    total: np.ndarray = live @ np.array(weights, dtype=np.float32)
    return total


def similar_pairs(complexities: np.ndarray, config: CATEConfig, rng: np.random.Generator) -> np.ndarray:
    """Return pairs of different cells (int64, P x 2) whose complexities (B) differ by at most the bound: for each cell
    `config.partners` random ones of those no more complex, fewer where there are fewer."""
    order = np.argsort(complexities, kind="stable")
    ascending = complexities[order]
    begin = np.searchsorted(ascending, ascending - config.similar * ascending[-1])
    place = np.repeat(np.arange(len(order)), config.partners)
    partner = rng.integers(begin[place], np.maximum(place, begin[place] + 1))
    pairs = np.unique(np.stack([place, partner], axis=1), axis=0)
    found: np.ndarray = order[pairs[pairs[:, 0] != pairs[:, 1]]]
    return found


def pretrain(graphs: Graphs, node_classes: tuple[str, ...], config: CATEConfig, seed: int) -> CATE:
    """Train on pairs of (at most `config.cells` random ones of) these cells; no label is read."""
    rng = numpy_stream(seed, "cate", "pairs")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "cate"))
        chosen = graphs[torch.randperm(len(graphs))[: config.cells]]
        complexities = complexity(chosen, node_classes)
        model = CATE(len(node_classes), graphs.n_nodes, config).train()
        optimiser = torch.optim.AdamW(model.parameters(), lr=config.learning_rate, fused=True)
        for _ in range(config.epochs):
            pairs = torch.from_numpy(rng.permutation(similar_pairs(complexities, config, rng)))
            for batch in pairs.split(config.batch_size):
                loss = model.loss(chosen[batch[:, 0]], chosen[batch[:, 1]])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
    return model
