"""Crossover of two cells: standard, and along a shortest edit path (SEP: Qiu and Miikkulainen, ICML 2023).

SEP finds a shortest list of edits from one parent to the other and makes a share of them in random order, so the child
lies between its parents: d(a, child) + d(child, b) = d(a, b). In NAS-Bench-101 the edits are those of the exact graph
edit distance (`spaces.edit_distance`), in NAS-Bench-201 changes of the slots in which the parents differ. Both kinds
of crossover are generators of children; a child that is no cell comes as None, so that the caller counts its trials.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from nasrepro.errors import InvalidArchitecture, UnknownQuery
from nasrepro.spaces.edge_cell import EdgeCellSpace
from nasrepro.spaces.fixed_code import fixed_code
from nasrepro.spaces.nb101.graph_edits import apply, edit_path, from_frame, shuffled, to_frame
from nasrepro.spaces.nb101.space import Cell, NB101Space


def standard_children(space: Any, a: Any, b: Any, rng: np.random.Generator) -> Iterator[Any | None]:
    """Yield children each of whose fields, in the fixed-length code, is that of `a` or of `b` by the toss of a coin."""
    code = fixed_code(space)
    first, second = code.of_rows(space.rows([a, b]))
    while True:
        row = int(code.to_rows(np.where(rng.random(len(first)) < 0.5, first, second)[None])[0])
        yield None if row < 0 else space.from_index(row)


def path_children(space: Any, a: Any, b: Any, rate: float, rng: np.random.Generator) -> Iterator[Any | None]:
    """Yield children on shortest edit paths: `a` after ceil(rate x d(a, b)) of the edits that lead to `b`, drawn anew
    for each child.

    A graph of NAS-Bench-101 with a vertex that is not used is no child: pruned, it would lie beside the path. Nothing
    is yielded where the parents are too near to have anything between them. `UnknownQuery` for a space without edit
    paths.
    """
    if isinstance(space, NB101Space):
        yield from _graph_children(space, a, b, rate, rng)
    elif isinstance(space, EdgeCellSpace):
        yield from _slot_children(a, b, rate, rng)
    else:
        raise UnknownQuery(f"There is no edit path in the space {space.name}; there is in nb101, nb201, tnb101-micro.")


def made_of(rate: float, edits: int) -> int:
    """Return ceil(rate x edits), of the rate as it is written: 0.28 x 25 is 7, though its floating point is above."""
    return math.ceil(round(rate * edits, 9))


def _slot_children(
    a: tuple[int, ...], b: tuple[int, ...], rate: float, rng: np.random.Generator
) -> Iterator[tuple[int, ...]]:
    differing = [k for k, (x, y) in enumerate(zip(a, b, strict=True)) if x != y]
    count = made_of(rate, len(differing))
    while 0 < count < len(differing):
        taken = set(rng.choice(differing, count, replace=False).tolist())
        yield tuple(y if k in taken else x for k, (x, y) in enumerate(zip(a, b, strict=True)))


def _graph_children(
    space: NB101Space, a: Cell, b: Cell, rate: float, rng: np.random.Generator
) -> Iterator[Cell | None]:
    path = edit_path(a.nodes, a.adjacency, b.nodes, b.adjacency)
    start, count = to_frame(a.nodes, a.adjacency), made_of(rate, len(path))
    while 0 < count < len(path):
        graph = start
        for edit in shuffled(path, rng)[:count]:
            graph = apply(edit, graph)
        try:
            operations, adjacency = from_frame(graph)
            edges = tuple((int(i), int(j)) for i, j in np.argwhere(adjacency))
            child = space.from_index(space.index(Cell(tuple(operations.tolist()), edges)))
        except InvalidArchitecture:
            child = None
        yield child
