"""The cells of an architecture, one graph each: for encoders that read one cell at a time."""

from __future__ import annotations

from typing import Any

from nasrepro.graphs import Graphs
from nasrepro.spaces.base import SearchSpace
from nasrepro.spaces.darts.space import CELL_NODES, NB301Space


def cell_graphs(space: SearchSpace[Any], graphs: Graphs) -> list[Graphs]:
    """Return the graph forms of the cells of architectures: two of the DARTS space (normal, reduction), else one."""
    if not isinstance(space, NB301Space):
        return [graphs]
    adjacency = graphs.adjacency()
    return [
        Graphs.from_adjacency(graphs.nodes[:, part], adjacency[:, part, part], graphs.mask[:, part])
        for part in (slice(None, CELL_NODES), slice(CELL_NODES, None))
    ]
