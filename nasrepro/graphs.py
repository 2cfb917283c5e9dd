"""A batch of cells as tensors.

Shape letters used throughout the package: B batch, N nodes, K node (operation) classes, P = N (N - 1) / 2 node pairs
i < j, T diffusion steps.

A cell is a directed acyclic graph whose nodes are in topological order, so its adjacency matrix is strictly upper
triangular and one entry per pair i < j says everything. That is also why an undirected graph loses nothing here: the
direction of an edge is the node order (DiNAS, section 4.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from torch_geometric.data import Data


@lru_cache(maxsize=64)
def pair_indices(n: int, device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
    """Return the row and column (each of shape P) of the pairs i < j of n nodes, in row-major order."""
    with torch.inference_mode(False):  # kept for good: made while sampling, they must serve a training as well
        rows, columns = torch.triu_indices(n, n, offset=1, device=device)
    return rows, columns


@dataclass(frozen=True)
class Graphs:
    """A batch of B cells of at most N nodes.

    Attributes:
        nodes: operation class of each node, int64, B x N; 0 in padding.
        pairs: edge class of each pair i < j in row-major order (0 no edge, 1 edge), int64, B x P.
        mask: whether a node exists, bool, B x N; the nodes of a cell come first, padding last.
    """

    nodes: Tensor
    pairs: Tensor
    mask: Tensor

    def __post_init__(self) -> None:
        b, n = self.nodes.shape
        if self.pairs.shape != (b, n * (n - 1) // 2) or self.mask.shape != (b, n):
            raise ValueError(
                f"Graphs of nodes {tuple(self.nodes.shape)} need pairs {(b, n * (n - 1) // 2)} and mask {(b, n)}, "
                f"not {tuple(self.pairs.shape)} and {tuple(self.mask.shape)}"
            )

    @classmethod
    def from_adjacency(cls, nodes: Tensor, adjacency: Tensor, mask: Tensor | None = None) -> Graphs:
        """Build from operation classes (B x N) and strictly upper triangular adjacency matrices (B x N x N)."""
        if torch.tril(adjacency).any():
            raise ValueError("adjacency must be strictly upper triangular: nodes in topological order")
        rows, columns = pair_indices(nodes.shape[1], nodes.device)
        return cls(
            nodes.long(),
            adjacency[:, rows, columns].long(),
            torch.ones_like(nodes, dtype=torch.bool) if mask is None else mask,
        )

    @classmethod
    def from_edges(cls, cells: Sequence[tuple[Sequence[int], Iterable[tuple[int, int]]]], n_nodes: int) -> Graphs:
        """Build from the operation classes and the edges i < j of each cell, padded to `n_nodes`."""
        nodes = np.zeros((len(cells), n_nodes), dtype=np.int64)
        adjacency = np.zeros((len(cells), n_nodes, n_nodes), dtype=np.int64)
        for b, (classes, edges) in enumerate(cells):
            nodes[b, : len(classes)] = classes
            for i, j in edges:
                adjacency[b, i, j] = 1
        mask = np.arange(n_nodes) < np.array([len(classes) for classes, _ in cells], dtype=np.int64)[:, None]
        return cls.from_adjacency(torch.from_numpy(nodes), torch.from_numpy(adjacency), torch.from_numpy(mask))

    def __len__(self) -> int:
        return self.nodes.shape[0]

    @property
    def n_nodes(self) -> int:
        """N, padding included."""
        return self.nodes.shape[1]

    @property
    def pair_mask(self) -> Tensor:
        """Whether both ends of a pair exist, bool, B x P."""
        rows, columns = pair_indices(self.n_nodes, self.nodes.device)
        return self.mask[:, rows] & self.mask[:, columns]

    def adjacency(self) -> Tensor:
        """Return the directed adjacency matrices, int64, B x N x N, strictly upper triangular."""
        rows, columns = pair_indices(self.n_nodes, self.nodes.device)
        adjacency = self.nodes.new_zeros(len(self), self.n_nodes, self.n_nodes)
        adjacency[:, rows, columns] = self.pairs
        return adjacency

    def __getitem__(self, index: Tensor | slice) -> Graphs:
        return Graphs(self.nodes[index], self.pairs[index], self.mask[index])

    def to(self, device: torch.device | str) -> Graphs:
        """Return the same graphs on another device."""
        return Graphs(self.nodes.to(device), self.pairs.to(device), self.mask.to(device))

    @staticmethod
    def cat(parts: Sequence[Graphs]) -> Graphs:
        """Concatenate batches of the same N along the batch."""
        return Graphs(*(torch.cat([getattr(p, f) for p in parts]) for f in ("nodes", "pairs", "mask")))

    def to_pyg(self) -> list[Data]:
        """Return one torch-geometric `Data` per cell: `x` (operation classes, n) and `edge_index` (2 x edges,
        directed)."""
        from torch_geometric.data import Data

        return [
            Data(x=nodes[:n].clone(), edge_index=adjacency[:n, :n].nonzero().T.contiguous(), num_nodes=n)
            for n, nodes, adjacency in zip(self.mask.sum(1).tolist(), self.nodes, self.adjacency(), strict=True)
        ]

    @classmethod
    def from_pyg(cls, data: Sequence[Data], n_nodes: int | None = None) -> Graphs:
        """Build from torch-geometric `Data` objects as `to_pyg` makes them, padded to `n_nodes` (default: the
        largest)."""
        from torch_geometric.data import Batch
        from torch_geometric.utils import to_dense_adj, to_dense_batch

        batch = Batch.from_data_list(list(data))
        nodes, mask = to_dense_batch(batch.x, batch.batch, max_num_nodes=n_nodes)
        adjacency = to_dense_adj(batch.edge_index, batch.batch, max_num_nodes=n_nodes)
        return cls.from_adjacency(nodes, adjacency.clamp(max=1), mask)
