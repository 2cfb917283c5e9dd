"""NAS-Bench-101 (Ying et al., ICML 2019): cells of 2 to 7 vertices and at most 9 edges, 423,624 up to isomorphism.

An architecture is a `Cell`: the operation of each vertex, and the edges; every vertex lies on a path from input to
output. Whatever this module returns is the one representative of its isomorphism class that the official data set
stores, so two cells from here are isomorphic exactly when they are equal. A cell written by hand may be any member of
its class.

The graph form is that of DiNAS (section 4.1): node classes as in `NODE_CLASSES`, graphs keep their own size and are
padded by the mask to 7 nodes. A generated graph is read as the official `ModelSpec` reads one: vertices that lie on no
path from the first to the last node are pruned, and what is left must have at most 9 edges.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nasrepro.errors import InvalidArchitecture, did_you_mean
from nasrepro.spaces.base import FiniteSpace
from nasrepro.spaces.nb101.enumeration import (
    DISCONNECTED,
    MAX_EDGES,
    MAX_NODES,
    SIZE,
    cells,
    classes,
    edge_bit,
    rows_of,
)
from nasrepro.spaces.nb101.neighbours import edit_count, neighbour_rows

if TYPE_CHECKING:
    from nasrepro.graphs import Graphs

NODE_CLASSES = ("input", "maxpool3x3", "conv1x1-bn-relu", "conv3x3-bn-relu", "output")
INPUT, OUTPUT = 0, 4
# The official labels of the operations (`nb101_enumeration.OPERATIONS`) run the other way round.
_FIRST_LABEL = 3


class Cell(NamedTuple):
    """A cell of n vertices in topological order.

    Attributes:
        nodes: class of each vertex (place in `NODE_CLASSES`); the first is the input, the last the output.
        edges: pairs (source, target), ascending.
    """

    nodes: tuple[int, ...]
    edges: tuple[tuple[int, int], ...]

    @property
    def adjacency(self) -> np.ndarray:
        """The adjacency matrix, int64, n x n, strictly upper triangular."""
        matrix = np.zeros((len(self.nodes), len(self.nodes)), dtype=np.int64)
        matrix[tuple(zip(*self.edges, strict=True))] = 1
        return matrix

    @property
    def operations(self) -> tuple[str, ...]:
        """The name of each vertex's operation, terminals included."""
        return tuple(NODE_CLASSES[c] for c in self.nodes)


class NB101Space(FiniteSpace[Cell]):
    """The 423,624 cells of NAS-Bench-101, numbered in ascending order of the official graph hash."""

    name = "nb101"
    title = "NAS-Bench-101"
    node_classes = NODE_CLASSES
    max_nodes = MAX_NODES
    size = SIZE

    def check(self, arch: Cell) -> None:
        """Raise `InvalidArchitecture` with the reason unless `arch` is a cell all of whose vertices are used."""
        _check_nodes(arch)
        _raw_form(len(arch.nodes), arch.edges)

    def index(self, arch: Cell) -> int:
        """Return the row of a cell: its place among all cells in ascending order of the official hash."""
        return int(self.rows([arch])[0])

    def _at(self, row: int) -> Cell:
        slot = int(cells().slots[row])
        which = bisect_right(_offsets(), slot) - 1
        n, edges = _class_form(which)
        return Cell(_nodes(n, slot - _offsets()[which]), edges)

    def rows(self, archs: Sequence[Cell]) -> np.ndarray:
        """Return the rows (int64, B) of many cells."""
        raws = np.zeros(len(archs), dtype=np.int64)
        operations = np.zeros((len(archs), MAX_NODES - 2), dtype=np.int64)
        for b, arch in enumerate(archs):
            _check_nodes(arch)
            raws[b] = _raw_form(len(arch.nodes), arch.edges)
            operations[b, : len(arch.nodes) - 2] = arch.nodes[1:-1]
        return rows_of(raws, np.where(operations, _FIRST_LABEL - operations, 0))

    def key(self, arch: Cell) -> str:
        """Return the official graph hash of a cell, 32 hex digits."""
        high, low = cells().hashes[self.index(arch)].tolist()
        return f"{high:016x}{low:016x}"

    def from_key(self, key: str) -> Cell:
        """Return the cell with an official graph hash; the inverse of `key`."""
        return self.from_index(int(self.rows_of_keys([key])[0]))

    def rows_of_keys(self, keys: Sequence[str]) -> np.ndarray:
        """Return the rows (int64, B) of official graph hashes; raise `InvalidArchitecture` for one of no cell."""
        try:
            halves = np.frombuffer(bytes.fromhex("".join(keys)), dtype=">u8").reshape(len(keys), 2).astype(np.uint64)
        except ValueError as error:
            raise InvalidArchitecture("The official hash of a NAS-Bench-101 cell has 32 hex digits.") from error
        known = cells().hashes
        rows = np.minimum(np.searchsorted(known[:, 0], halves[:, 0]), SIZE - 1)
        unknown = np.flatnonzero((known[rows] != halves).any(1))
        if len(unknown):
            raise InvalidArchitecture(f"`{keys[unknown[0]]}` is not the hash of a NAS-Bench-101 cell.")
        return rows

    def neighbours(self, arch: Cell) -> list[Cell]:
        """Return the cells one edit away: another operation on one vertex, or one edge removed or added, where vertices
        that are no longer used vanish and vertices may come into use; see `nb101_neighbours`. A symmetric relation."""
        return [self.from_index(row) for row in neighbour_rows(self.rows([arch])).tolist()]

    def mutate(self, arch: Cell, rng: np.random.Generator) -> Cell:
        """Draw one of the neighbours uniformly."""
        return self.from_index(int(rng.choice(neighbour_rows(self.rows([arch])))))

    def distance(self, a: Cell, b: Cell) -> int:
        """Return the fewest edits from `a` to `b`, each an edit of `neighbours`; at most a few, as one edge can carry
        much of a cell. See `graph_edit_distance` for the other notion."""
        first, second = self.rows([a, b]).tolist()
        return edit_count(first, second)

    def graph_edit_distance(self, a: Cell, b: Cell) -> int:
        """Return the fewest substitutions, insertions and deletions of interior vertices and edges that make `a`
        isomorphic to `b`, where the graphs on the way need not be cells; see `nasrepro.spaces.nb101.graph_edits`."""
        from nasrepro.spaces.nb101.graph_edits import edit_distance

        self.check(a)
        self.check(b)
        return edit_distance(a.nodes, a.adjacency, b.nodes, b.adjacency)

    def to_string(self, arch: Cell) -> str:
        """Return the operations in topological order, and the upper triangle of the adjacency matrix row by row:
        `input,conv3x3-bn-relu,output;101`."""
        self.check(arch)
        bits = arch.adjacency[np.triu_indices(len(arch.nodes), 1)]
        return f"{','.join(arch.operations)};{''.join(map(str, bits))}"

    def from_string(self, text: str) -> Cell:
        """Parse a native string, pruned as `from_matrix` does; raise `InvalidArchitecture` with the reason."""
        names, semicolon, bits = text.strip().partition(";")
        operations = names.split(",")
        n = len(operations)
        if not semicolon or len(bits) != n * (n - 1) // 2 or set(bits) - {"0", "1"}:
            raise InvalidArchitecture(
                f"{text!r} is no NAS-Bench-101 cell; its form is `input,conv3x3-bn-relu,output;101`: the operations, "
                "and a 0 or 1 for each pair of vertices, row by row."
            )
        matrix = np.zeros((n, n), dtype=np.int64)
        matrix[np.triu_indices(n, 1)] = [int(bit) for bit in bits]
        return self.from_matrix(matrix, operations)

    def from_matrix(self, matrix: Any, operations: Sequence[str]) -> Cell:
        """Return the cell of an official specification: an upper triangular adjacency matrix and names of operations.

        Vertices that lie on no path from the first to the last are pruned. `InvalidArchitecture` says by its kind what
        is wrong: `nodes`, `terminals`, `operations`, `disconnected`, or `edges` (over 9 after pruning, or backwards).
        """
        matrix = np.asarray(matrix)
        n = len(operations)
        if matrix.shape != (n, n) or not 2 <= n <= MAX_NODES:
            raise InvalidArchitecture(
                f"{n} operations and a matrix {matrix.shape} are no NAS-Bench-101 cell: it has 2 to 7 vertices and as "
                "many rows and columns.",
                "nodes",
            )
        for i, what in ((0, "input"), (n - 1, "output")):
            if operations[i] != what:
                raise InvalidArchitecture(f"Vertex {i} is {operations[i]}, not the {what}.", "terminals")
        inner = NODE_CLASSES[1:-1]
        for i, name in enumerate(operations[1:-1], start=1):
            if name not in inner:
                raise InvalidArchitecture(
                    f"Vertex {i} is {name}, not an operation ({', '.join(inner)}).{did_you_mean(name, inner)}",
                    "operations",
                )
        if np.tril(matrix).any() or not ((matrix == 0) | (matrix == 1)).all():
            raise InvalidArchitecture("The adjacency matrix must be of 0 and 1, strictly upper triangular.", "edges")
        raw = sum(1 << bit for i, j, bit in _raw_edges(n) if matrix[i, j])
        labels = np.zeros((1, MAX_NODES - 2), dtype=np.int64)
        labels[0, : n - 2] = [_FIRST_LABEL - NODE_CLASSES.index(name) for name in operations[1:-1]]
        row = int(rows_of(np.array([raw]), labels)[0])
        if row == DISCONNECTED:
            raise InvalidArchitecture("No path leads from the input to the output.", "disconnected")
        if row < 0:
            raise InvalidArchitecture(
                f"The graph has more than {MAX_EDGES} edges on paths from the input to the output.", "edges"
            )
        return self.from_index(row)

    def _encode(self, rows: np.ndarray) -> Graphs:
        import torch

        from nasrepro.graphs import Graphs

        which, operations = classes().split(cells().slots[rows])
        sizes, codes = classes().nodes[which], classes().codes[which]
        nodes = np.zeros((len(rows), MAX_NODES), dtype=np.int64)
        nodes[:, 1:-1] = _FIRST_LABEL - operations
        mask = np.arange(MAX_NODES) < sizes[:, None]
        nodes *= mask
        nodes[np.arange(len(rows)), sizes - 1] = OUTPUT
        bits = np.array([edge_bit(i, j) for i, j in combinations(range(MAX_NODES), 2)])
        return Graphs(torch.from_numpy(nodes), torch.from_numpy(codes[:, None] >> bits & 1), torch.from_numpy(mask))

    def read(self, nodes: list[int], adjacency: np.ndarray) -> Cell:
        """Return the cell of one graph, pruned as `from_matrix` does; what is wrong has its kinds."""
        return self.from_matrix(adjacency, self.class_names(nodes))


def _check_nodes(arch: Cell) -> None:
    """Raise `InvalidArchitecture` unless the vertices and the form of the edges are those of a cell."""
    if not isinstance(arch, Cell):
        raise InvalidArchitecture(f"A NAS-Bench-101 cell is a `nasrepro.spaces.nb101.space.Cell`, not {arch!r}.")
    nodes, edges = arch
    if not isinstance(nodes, tuple) or not 2 <= len(nodes) <= MAX_NODES:
        raise InvalidArchitecture(f"A NAS-Bench-101 cell has a tuple of 2 to 7 node classes, not {nodes!r}.", "nodes")
    if nodes[0] != INPUT or nodes[-1] != OUTPUT:
        raise InvalidArchitecture(f"The first node class must be 0 (input), the last 4 (output): {nodes}.", "terminals")
    if not all(isinstance(c, int | np.integer) and 0 < c < OUTPUT for c in nodes[1:-1]):
        raise InvalidArchitecture(f"The interior node classes must be 1, 2 or 3: {nodes}.", "operations")
    if not isinstance(edges, tuple) or not all(isinstance(edge, tuple) for edge in edges):
        raise InvalidArchitecture(f"The edges of a NAS-Bench-101 cell are a tuple of pairs, not {edges!r}.", "edges")


@lru_cache(maxsize=2**14)
def _raw_form(n: int, edges: tuple[tuple[int, int], ...]) -> int:
    """Return the raw form of n vertices and these edges; raise `InvalidArchitecture` unless every vertex is used."""
    bits = {(i, j): 1 << bit for i, j, bit in _raw_edges(n)}
    if list(edges) != sorted(set(edges)) or not set(edges) <= set(bits):
        raise InvalidArchitecture(f"The edges must be distinct pairs i < j < {n} in ascending order: {edges}.", "edges")
    raw = sum(bits[edge] for edge in edges)
    which = classes().of_raw[raw]
    if which == DISCONNECTED or (which >= 0 and classes().nodes[which] < n):
        raise InvalidArchitecture(f"Not every vertex lies on a path from input to output: {edges}.", "disconnected")
    if which < 0:
        raise InvalidArchitecture(f"A NAS-Bench-101 cell has at most {MAX_EDGES} edges, not {len(edges)}.", "edges")
    return raw


@lru_cache(maxsize=MAX_NODES)
def _raw_edges(n: int) -> list[tuple[int, int, int]]:
    """Return each pair i < j of n vertices with its bit in the raw form, where the output is the last vertex."""
    return [(i, j, edge_bit(i, MAX_NODES - 1 if j == n - 1 else j)) for i, j in combinations(range(n), 2)]


@lru_cache(maxsize=4096)
def _class_form(which: int) -> tuple[int, tuple[tuple[int, int], ...]]:
    """Return the number of vertices and the edges of a class."""
    n, code = int(classes().nodes[which]), int(classes().codes[which])
    return n, tuple((i, j) for i, j in combinations(range(n), 2) if code >> edge_bit(i, j) & 1)


@lru_cache(maxsize=512)
def _nodes(n: int, label: int) -> tuple[int, ...]:
    return (INPUT, *(_FIRST_LABEL - label // 3**place % 3 for place in range(n - 3, -1, -1)), OUTPUT)


@lru_cache(maxsize=1)
def _offsets() -> list[int]:
    return classes().offsets.tolist()


NB101 = NB101Space()
