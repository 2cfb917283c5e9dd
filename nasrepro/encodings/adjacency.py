"""The one-hot adjacency encoding (White et al., NeurIPS 2020): every node's operation, every possible edge."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from nasrepro.graphs import Graphs


def adjacency_encoding(graphs: Graphs, n_classes: int) -> Tensor:
    """Return one-hot node classes followed by edge bits, float32, B x (N K + P); all zero in padding."""
    nodes = one_hot(graphs.nodes, n_classes).to(torch.float32) * graphs.mask[:, :, None]
    edges = (graphs.pairs * graphs.pair_mask).to(torch.float32)
    return torch.cat([nodes.flatten(1), edges], dim=1)
