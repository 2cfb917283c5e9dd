"""Cells of four nodes with one operation on each of their six edges: what NAS-Bench-201 and the micro space of
TransNAS-Bench-101 have in common.

An architecture is a tuple of six operation ids in the order of the architecture string, that is the edges 0->1, 0->2,
1->2, 0->3, 1->3 and 2->3. For diffusion the operations become nodes (DiNAS, section 4.1): input, six operations in
string order, output. Node a is joined to node b where the edge of a ends in the cell node in which the edge of b
starts, so the adjacency is one constant matrix.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from nasrepro.errors import InvalidArchitecture
from nasrepro.spaces.base import FiniteSpace, SearchSpace, is_id

if TYPE_CHECKING:
    from nasrepro.graphs import Graphs

Arch = tuple[int, ...]

CELL_EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
GRAPH_EDGES = ((0, 1), (0, 2), (0, 4), (1, 3), (1, 5), (2, 6), (3, 6), (4, 7), (5, 7), (6, 7))
INPUT, OUTPUT = 1, 0  # node classes of the two terminals


class EdgeCellSpace(FiniteSpace[Arch]):
    """All cells with one of K operations on each edge; a subclass adds the native strings. Cells of the same function
    are different cells here.

    Attributes:
        operations: name of each operation, by id.
        node_classes: output, input and the operations in any order.
        base: K.
        place_values: what the operation ids count in a row, int64, 6.
    """

    operations: ClassVar[tuple[str, ...]]
    max_nodes = 8

    def __init__(self) -> None:
        self.base = len(self.operations)
        self.size = self.base**6
        self.place_values = self.base ** np.arange(5, -1, -1)

    def check(self, arch: Arch) -> None:
        """Raise `InvalidArchitecture` unless `arch` is a tuple of six operation ids."""
        if not isinstance(arch, tuple) or len(arch) != 6:
            raise InvalidArchitecture(f"A {self.title} cell is a tuple of six operation ids, not {arch!r}.")
        for edge, op in zip(CELL_EDGES, arch, strict=True):
            if not is_id(op, self.base):
                ids = ", ".join(f"{i} {name}" for i, name in enumerate(self.operations))
                raise InvalidArchitecture(f"Edge {edge[0]}->{edge[1]} has the operation id {op!r}; the ids are {ids}.")

    def index(self, arch: Arch) -> int:
        """Return the row of a cell: its six ids read as the digits of a number in base K, the edge 0->1 most
        significant.

        This is the package's own enumeration; a published index, where there is one, is the benchmark's
        `native_index`.
        """
        self.check(arch)
        row = 0
        for op in arch:
            row = self.base * row + int(op)
        return row

    def _at(self, row: int) -> Arch:
        return tuple(row // self.base**place % self.base for place in range(5, -1, -1))

    def key(self, arch: Arch) -> str:
        """Return the six digits of a cell: two cells share it only when they are the same cell."""
        self.check(arch)
        return "".join(map(str, arch))

    def from_key(self, key: str) -> Arch:
        """Return the cell of six digits; the inverse of `key`."""
        if not re.fullmatch(f"[0-{self.base - 1}]{{6}}", key):
            raise InvalidArchitecture(
                f"The key of a {self.title} cell is six digits 0-{self.base - 1} in string order, not {key!r}."
            )
        return tuple(map(int, key))

    def neighbours(self, arch: Arch) -> list[Arch]:
        """Return the 6 (K - 1) cells that differ from `arch` in the operation of one edge."""
        self.check(arch)
        return [(*arch[:k], op, *arch[k + 1 :]) for k in range(6) for op in range(self.base) if op != arch[k]]

    def distance(self, a: Arch, b: Arch) -> int:
        """Return the number of edges whose operations differ (Hamming distance), the fewest edits from `a` to `b`."""
        self.check(a)
        self.check(b)
        return sum(x != y for x, y in zip(a, b, strict=True))

    def _encode(self, rows: np.ndarray) -> Graphs:
        import torch

        from nasrepro.graphs import Graphs

        class_of = np.array([self.node_classes.index(name) for name in self.operations])
        nodes = np.full((len(rows), 8), INPUT)
        nodes[:, 1:7] = class_of[rows[:, None] // self.place_values % self.base]
        nodes[:, 7] = OUTPUT
        adjacency = torch.zeros(len(rows), 8, 8, dtype=torch.long)
        sources, targets = zip(*GRAPH_EDGES, strict=True)
        adjacency[:, sources, targets] = 1
        return Graphs.from_adjacency(torch.from_numpy(nodes), adjacency)

    def read(self, nodes: list[int], adjacency: np.ndarray) -> Arch:
        """Return the cell of one graph.

        What is wrong is of kind `nodes` (not 8 nodes), `edges` (not the constant edge set), `terminals` (the first node
        is not the input or the last not the output) or `operations` (a node between them is no operation), the first
        that applies.
        """
        if len(nodes) != 8:
            raise InvalidArchitecture(f"The graph has {len(nodes)} nodes; a {self.title} cell has 8.", "nodes")
        names = read_inner(self, nodes, adjacency, set(GRAPH_EDGES), self.operations)
        return tuple(map(self.operations.index, names))


def read_inner(
    space: SearchSpace[Arch],
    nodes: list[int],
    adjacency: np.ndarray,
    edges: Collection[tuple[int, int]],
    inner: Collection[str],
) -> list[str]:
    """Return the names between the terminals of a graph that has these edges and one of the classes `inner` there.

    Raise `InvalidArchitecture` of kind `edges`, `terminals` or `operations`, the first that applies.
    """
    found, wanted = set(map(tuple, np.argwhere(adjacency).tolist())), set(edges)
    if found != wanted:
        parts = [
            f"{what} {', '.join(f'{i}->{j}' for i, j in sorted(which))}"
            for what, which in (("missing", wanted - found), ("extra", found - wanted))
            if which
        ]
        raise InvalidArchitecture(f"The edges are not those of {space.name}: {'; '.join(parts)}.", "edges")
    names = space.class_names(nodes)
    for place, name, terminal in (("first", names[0], "input"), ("last", names[-1], "output")):
        if name != terminal:
            raise InvalidArchitecture(f"The {place} node is {name}, not {terminal}.", "terminals")
    for i, name in enumerate(names[1:-1], start=1):
        if name not in inner:
            raise InvalidArchitecture(f"Node {i} is {name}, not an operation ({', '.join(inner)}).", "operations")
    return names[1:-1]
