"""arch2vec: the latent space of a graph autoencoder that never sees an accuracy (Yan et al., NeurIPS 2020, section 3).

Encoder: a graph isomorphism network on the undirected cell; each layer is MLP((1 + eps) x + sum of the neighbours' x),
batch normalisation and ReLU. Mean and log standard deviation of the latent of each node are linear in the last layer.
Decoder: operations by a linear layer and softmax, edges by the sigmoid of the inner product of two nodes' latents.
Loss: cross-entropies of both, and the Kullback-Leibler term divided by the number of nodes and cells, as in the public
code. The embedding of a cell is the mean of its nodes' latent means.

Published: four layers of 128 with MLPs of two layers, dropout 0.3 in the decoder, Adam at 1e-3, gradient norm 5,
batches of 32, ten epochs over 90 % of NAS-Bench-201, latent dimension 16. FLAN takes 32, and 16 for the DARTS spaces.
Ours: those, with larger batches and at most `cells` random cells; all nodes count in the loss, but padding.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, dropout, one_hot
from torch_geometric.nn import SimpleConv
from torch_geometric.utils import dense_to_sparse

from nasrepro.encodings.cells import node_mean
from nasrepro.graphs import Graphs
from nasrepro.seeding import derive


@dataclass(frozen=True)
class Arch2VecConfig:
    """Hyper-parameters; the defaults are those of the `laptop` profile.

    Attributes:
        latent: dimension of the embedding.
        hidden: width of a layer.
        layers: number of graph layers.
        dropout: of the decoder's input.
        epochs: passes over the cells.
        batch_size: cells of one step.
        learning_rate: of Adam.
        cells: most cells that are trained on.
    """

    latent: int = 32
    hidden: int = 128
    layers: int = 4
    dropout: float = 0.3
    epochs: int = 10
    batch_size: int = 64
    learning_rate: float = 1e-3
    cells: int = 15_625


class Arch2Vec(nn.Module):
    """The autoencoder; K node classes.

    Args:
        node_classes: K.
        config: hyper-parameters.
    """

    def __init__(self, node_classes: int, config: Arch2VecConfig) -> None:
        super().__init__()
        self.node_classes, self.config = node_classes, config
        sizes = [node_classes] + config.layers * [config.hidden]
        self.mlps = nn.ModuleList(
            nn.Sequential(nn.Linear(a, b), nn.BatchNorm1d(b), nn.ReLU(), nn.Linear(b, b)) for a, b in pairwise(sizes)
        )
        self.neighbours = SimpleConv(aggr="sum")
        self.norms = nn.ModuleList(nn.BatchNorm1d(config.hidden) for _ in range(config.layers))
        self.eps = nn.Parameter(torch.zeros(config.layers))
        self.mean = nn.Linear(config.hidden, config.latent)
        self.log_deviation = nn.Linear(config.hidden, config.latent)
        self.operations = nn.Linear(config.latent, node_classes)

    def encode(self, graphs: Graphs) -> tuple[Tensor, Tensor]:
        """Return mean and log standard deviation of each node's latent, B x N x latent each."""
        upper = graphs.adjacency()
        edges, _ = dense_to_sparse(upper + upper.transpose(1, 2))  # of the batch as one graph of B N nodes
        keep = graphs.mask.flatten()[:, None]
        x = one_hot(graphs.nodes.flatten(), self.node_classes).float() * keep
        for layer, (mlp, norm) in enumerate(zip(self.mlps, self.norms, strict=True)):
            x = norm(mlp((1 + self.eps[layer]) * x + self.neighbours(x, edges))).relu() * keep
        x = x.unflatten(0, graphs.nodes.shape)
        return self.mean(x), self.log_deviation(x)

    def loss(self, graphs: Graphs) -> Tensor:
        """Return the loss of a batch."""
        mean, log_deviation = self.encode(graphs)
        latent = mean + torch.randn_like(mean) * log_deviation.exp() if self.training else mean
        latent = dropout(latent, self.config.dropout, self.training)
        rows, columns = torch.triu_indices(graphs.n_nodes, graphs.n_nodes, offset=1)
        edges = (latent @ latent.transpose(1, 2))[:, rows, columns]
        real, pairs = graphs.mask, graphs.pair_mask
        nodes = cross_entropy(self.operations(latent)[real], graphs.nodes[real])
        links = binary_cross_entropy_with_logits(edges[pairs], graphs.pairs[pairs].float())
        divergence = -0.5 * (1 + 2 * log_deviation - mean**2 - (2 * log_deviation).exp()).sum(-1)
        return nodes + links + divergence[real].mean() / real.sum()

    def embed(self, graphs: Graphs) -> np.ndarray:
        """Return the embedding of each cell, float32, B x latent."""
        self.eval()
        return node_mean(lambda part: self.encode(part)[0], graphs)


def pretrain(graphs: Graphs, node_classes: int, config: Arch2VecConfig, seed: int) -> Arch2Vec:
    """Train the autoencoder on (at most `config.cells` random ones of) these cells; no label is read."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "arch2vec"))
        chosen = graphs[torch.randperm(len(graphs))[: config.cells]]
        model = Arch2Vec(node_classes, config).train()
        optimiser = torch.optim.Adam(model.parameters(), lr=config.learning_rate, fused=True)
        for _ in range(config.epochs):
            for batch in torch.randperm(len(chosen)).split(config.batch_size):
                loss = model.loss(chosen[batch])
                optimiser.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(model.parameters(), 5.0)
                optimiser.step()
    return model
