"""Many cells of a space at once: rows (int64) where the space is finite, else architectures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nasrepro.graphs import Graphs
from nasrepro.spaces.base import FiniteSpace, SearchSpace
from nasrepro.spaces.darts.space import CELL_NODES, NB301Space

Cells = np.ndarray | list[Any]
_CHUNK = 4_096  # cells embedded at a time


def take(cells: Cells, places: np.ndarray) -> Cells:
    """Return some of the cells."""
    return cells[places] if isinstance(cells, np.ndarray) else [cells[int(place)] for place in places]


def of_architectures(space: SearchSpace[Any], archs: list[Any]) -> Cells:
    """Return architectures as cells."""
    return space.rows(archs) if isinstance(space, FiniteSpace) else archs


def architectures(space: SearchSpace[Any], cells: Cells) -> list[Any]:
    """Return cells as architectures."""
    return [space.from_index(int(row)) for row in cells] if isinstance(space, FiniteSpace) else list(cells)


def encode(space: SearchSpace[Any], cells: Cells) -> Graphs:
    """Return the graph form of cells."""
    return space.encode_rows(np.asarray(cells)) if isinstance(space, FiniteSpace) else space.encode(list(cells))


def cell_graphs(space: SearchSpace[Any], graphs: Graphs) -> list[Graphs]:
    """Return the graph forms of the single cells of architectures, for encoders that read one cell at a time: two of
    the DARTS space (normal, reduction), else one."""
    if not isinstance(space, NB301Space):
        return [graphs]
    adjacency = graphs.adjacency()
    return [
        Graphs.from_adjacency(graphs.nodes[:, part], adjacency[:, part, part], graphs.mask[:, part])
        for part in (slice(None, CELL_NODES), slice(CELL_NODES, None))
    ]


@torch.no_grad()
def node_mean(encode: Callable[[Graphs], Tensor], graphs: Graphs) -> np.ndarray:
    """Return the embedding of each cell by a pre-trained encoder, the mean of its encoded nodes, float32, B x C.

    Args:
        encode: returns the encoded nodes of a batch, B x N x C.
        graphs: the cells.
    """
    parts = []
    for start in range(0, len(graphs), _CHUNK):
        part = graphs[start : start + _CHUNK]
        keep = part.mask[..., None]
        parts.append((encode(part) * keep).sum(1) / keep.sum(1))
    embedded: np.ndarray = torch.cat(parts).numpy()
    return embedded
