"""A space of your own: the cells that a table lists, whatever they are made of.

A cell is a directed acyclic graph with an operation on each node. Where the listed cells come from one larger space,
this one knows nothing of it: a graph that is not listed is refused (kind `unlisted`), well formed or not, because
nothing is known of it. `nasrepro.benchmarks.own` reads the table.

Isomorphic cells are one architecture, in the form in which it is listed first; whatever this module returns has that
form. Its row is its place in the list, isomorphic ones counted once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, permutations
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nasrepro.errors import InvalidArchitecture, did_you_mean
from nasrepro.spaces.base import INVALID, FiniteSpace
from nasrepro.spaces.canonical import canonical_order, topological_order

if TYPE_CHECKING:
    from nasrepro.graphs import Graphs

MAX_NODES = 12  # up to here the canonical form and the edit distance of every cell take less than a second

Edge = tuple[int, int]


class Cell(NamedTuple):
    """A cell of n nodes in topological order.

    Attributes:
        operations: name of the operation of each node.
        edges: pairs (source, target), source < target, ascending.
    """

    operations: tuple[str, ...]
    edges: tuple[Edge, ...]

    @property
    def adjacency(self) -> np.ndarray:
        """The adjacency matrix, int64, n x n, strictly upper triangular."""
        matrix = np.zeros((len(self.operations), len(self.operations)), dtype=np.int64)
        for edge in self.edges:
            matrix[edge] = 1
        return matrix


def check_form(cell: Any) -> None:
    """Raise `InvalidArchitecture` unless `cell` is a well-formed `Cell`; its kind is `nodes`, `operations` or
    `edges`."""
    if not isinstance(cell, Cell):
        raise InvalidArchitecture(f"A cell is a `nasrepro.spaces.own.Cell`, not {cell!r}.")
    operations, edges = cell
    if not isinstance(operations, tuple) or not 1 <= len(operations) <= MAX_NODES:
        raise InvalidArchitecture(f"A cell has a tuple of 1 to {MAX_NODES} operations, not {operations!r}.", "nodes")
    if not all(isinstance(name, str) and name for name in operations):
        raise InvalidArchitecture(f"The operations of a cell are names, not {operations!r}.", "operations")
    n = len(operations)
    known = set(combinations(range(n), 2))
    if not isinstance(edges, tuple) or not all(isinstance(edge, tuple) and edge in known for edge in edges):
        raise InvalidArchitecture(
            f"The edges of a cell of {n} nodes are a tuple of pairs i < j < {n}, its nodes in topological order, not "
            f"{edges!r}.",
            "edges",
        )
    if list(edges) != sorted(set(edges)):
        raise InvalidArchitecture(f"The edges of a cell are distinct and ascending: {edges!r}.", "edges")


class OwnSpace(FiniteSpace[Cell]):
    """The listed cells.

    Args:
        cells: at least one; isomorphic ones are merged.
        name: of the space.

    Raises:
        InvalidArchitecture: no cell, or one that is not well formed.
    """

    def __init__(self, cells: Iterable[Cell], name: str = "own") -> None:
        forms = list(cells)
        for cell in forms:
            check_form(cell)
        if not forms:
            raise InvalidArchitecture("A space of your own needs at least one cell.", "nodes")
        self.name, self.title = name, f"The space {name}"
        self.node_classes = tuple(sorted({op for cell in forms for op in cell.operations}))
        self.max_nodes = max(len(cell.operations) for cell in forms)
        self._class_of = {operation: k for k, operation in enumerate(self.node_classes)}
        self._by_key: dict[str, int] = {}
        self._by_form: dict[Cell, int] = {}
        self._cells: list[Cell] = []
        for cell in dict.fromkeys(forms):
            row = self._by_key.setdefault(to_string(self._canonical(cell)), len(self._cells))
            if row == len(self._cells):
                self._cells.append(cell)
            self._by_form[cell] = row
        self._keys = list(self._by_key)
        self._profiles = {_profile(cell) for cell in self._cells}
        self._near: dict[int, list[int]] = {}
        self.size = len(self._cells)

    def check(self, arch: Cell) -> None:
        """Raise `InvalidArchitecture` unless `arch` is isomorphic to a listed cell; its kind is `nodes`, `operations`,
        `edges` or `unlisted`."""
        self.index(arch)

    def index(self, arch: Cell) -> int:
        """Return the row of a cell; raises as `check`."""
        check_form(arch)
        row = self._find(arch)
        if row != INVALID:
            return row
        for name in arch.operations:
            if name not in self._class_of:
                raise InvalidArchitecture(
                    f"No listed cell has the operation {name!r}; there is {', '.join(self.node_classes)}."
                    + did_you_mean(name, self.node_classes),
                    "operations",
                )
        raise InvalidArchitecture(
            f"{to_string(arch)} is none of the {self.size:,} listed cells: nothing is known of it.", "unlisted"
        )

    def _at(self, row: int) -> Cell:
        return self._cells[row]

    def key(self, arch: Cell) -> str:
        """Return the string of the canonical form of a listed cell."""
        return self._keys[self.index(arch)]

    def neighbours(self, arch: Cell) -> list[Cell]:
        """Return the listed cells one edit away: another operation on one node, one edge more or less, or one node
        without edges more or less. A symmetric relation; a sparse list leaves cells without neighbours."""
        row = self.index(arch)
        if row not in self._near:
            found = {self._find(other) for other in _edited(self._cells[row], self.node_classes)}
            self._near[row] = sorted(found - {INVALID})
        return [self._cells[other] for other in self._near[row]]

    def mutate(self, arch: Cell, rng: np.random.Generator) -> Cell:
        """Draw one of the neighbours uniformly; `InvalidArchitecture` of kind `isolated` where there is none."""
        if not self.neighbours(arch):
            raise InvalidArchitecture(
                f"No listed cell is one edit away from {to_string(arch)}. Searches that mutate need a table that lists "
                "cells and their neighbours; random search does not.",
                "isolated",
            )
        return super().mutate(arch, rng)

    def distance(self, a: Cell, b: Cell) -> int:
        """Return the fewest edits of `neighbours` from `a` to `b` (exact), where what lies between need not be
        listed."""
        from nasrepro.spaces.graph_edit_distance import graph_edit_distance

        cells = [self._cells[self.index(cell)] for cell in (a, b)]
        (labels_a, adj_a), (labels_b, adj_b) = ((self._classes(cell), cell.adjacency) for cell in cells)
        return graph_edit_distance(labels_a, adj_a, labels_b, adj_b)

    def _encode(self, rows: np.ndarray) -> Graphs:
        from nasrepro.graphs import Graphs

        cells = [self._cells[row] for row in rows.tolist()]
        return Graphs.from_edges([(self._classes(cell), cell.edges) for cell in cells], self.max_nodes)

    def read(self, nodes: list[int], adjacency: np.ndarray) -> Cell:
        """Return the listed form of the cell of one graph; what is wrong is of kind `nodes`, `operations` or
        `unlisted`."""
        edges = tuple((i, j) for i, j in np.argwhere(adjacency).tolist())
        return self._cells[self.index(Cell(tuple(self.class_names(nodes)), edges))]

    def to_string(self, arch: Cell) -> str:
        """Return the listed form as JSON, e.g. `{"operations": ["input", "output"], "edges": [[0, 1]]}`."""
        return to_string(self._cells[self.index(arch)])

    def from_string(self, text: str) -> Cell:
        """Parse what `to_string` writes; raise `InvalidArchitecture` with the reason."""
        try:
            content = json.loads(text)
            cell = Cell(tuple(content["operations"]), tuple((i, j) for i, j in content["edges"]))
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidArchitecture(
                f'{text!r} is no cell; its form is {{"operations": ["input", "output"], "edges": [[0, 1]]}}.'
            ) from error
        return self._cells[self.index(cell)]

    def _find(self, cell: Cell) -> int:
        """Return the row of a well-formed cell, -1 where it is not listed."""
        row = self._by_form.get(cell, INVALID)
        if row == INVALID and _profile(cell) in self._profiles:
            return self._by_key.get(to_string(self._canonical(cell)), INVALID)
        return row

    def _canonical(self, cell: Cell) -> Cell:
        """Return the form that isomorphic cells share."""
        inputs: list[list[int]] = [[] for _ in cell.operations]
        for i, j in cell.edges:
            inputs[j].append(i)
        return _reordered(cell.operations, cell.edges, canonical_order(self._classes(cell), inputs))

    def _classes(self, cell: Cell) -> list[int]:
        return [self._class_of[operation] for operation in cell.operations]


def to_string(cell: Cell) -> str:
    """Return a cell as JSON."""
    return json.dumps({"operations": cell.operations, "edges": cell.edges}, ensure_ascii=False, default=int)


def _profile(cell: Cell) -> tuple[tuple[str, ...], int]:
    """Return what isomorphic cells have in common and most others do not; cheap."""
    return tuple(sorted(cell.operations)), len(cell.edges)


def _edited(cell: Cell, names: Sequence[str]) -> Iterator[Cell]:
    """Yield the cells one edit away, isomorphic ones perhaps more than once."""
    operations, edges = cell
    n = len(operations)
    for i, name in enumerate(operations):
        yield from (Cell((*operations[:i], other, *operations[i + 1 :]), edges) for other in names if other != name)
    for edge in edges:
        yield Cell(operations, tuple(kept for kept in edges if kept != edge))
    for i, j in permutations(range(n), 2):
        if (i, j) not in edges and (j, i) not in edges:
            more = (*edges, (i, j))
            order = list(range(n)) if i < j else topological_order([[a for a, b in more if b == k] for k in range(n)])
            if order is not None:
                yield _reordered(operations, more, order)
    for i in range(n):
        if n > 1 and all(i not in edge for edge in edges):
            yield _reordered(operations, edges, [k for k in range(n) if k != i])
    if n < MAX_NODES:
        yield from (Cell((*operations, name), edges) for name in names)


def _reordered(operations: Sequence[str], edges: Iterable[Edge], order: Sequence[int]) -> Cell:
    """Return the cell whose node k is node `order[k]`; nodes that the order leaves out have no edges."""
    place = {old: new for new, old in enumerate(order)}
    return Cell(tuple(operations[old] for old in order), tuple(sorted((place[i], place[j]) for i, j in edges)))
