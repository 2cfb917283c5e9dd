"""Cells of four nodes with one operation on each of their six edges: what NAS-Bench-201 and the micro space of
TransNAS-Bench-101 have in common.

An architecture is a tuple of six operation ids in the order of the architecture string, that is the edges 0->1, 0->2,
1->2, 0->3, 1->3 and 2->3. For diffusion the operations become nodes (DiNAS, section 4.1): input, six operations in
string order, output. Node a is joined to node b where the edge of a ends in the cell node in which the edge of b
starts, so the adjacency is one constant matrix.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from nasrepro.errors import InvalidArchitecture
from nasrepro.spaces.base import INVALID, FiniteSpace

if TYPE_CHECKING:
    from torch import Tensor

    from nasrepro.graphs import Graphs

Arch = tuple[int, ...]

CELL_EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
GRAPH_EDGES = ((0, 1), (0, 2), (0, 4), (1, 3), (1, 5), (2, 6), (3, 6), (4, 7), (5, 7), (6, 7))
INPUT, OUTPUT = 1, 0  # node classes of the two terminals


class EdgeCellSpace(FiniteSpace[Arch]):
    """All cells with one of K operations on each edge; a subclass adds the native strings. Cells of the same function
    are different cells here.

    Attributes:
        title: as the field writes it.
        operations: name of each operation, by id.
        node_classes: output, input and the operations in any order.
        naslib_edges: edges in the order of NASLib's tuple.
        naslib_operations: operations by NASLib's id.
    """

    title: ClassVar[str]
    operations: ClassVar[tuple[str, ...]]
    naslib_edges: ClassVar[tuple[tuple[int, int], ...]]
    naslib_operations: ClassVar[tuple[str, ...]]
    max_nodes = 8

    def __init__(self) -> None:
        self._base = len(self.operations)
        self.size = self._base**6
        self._place_values = self._base ** np.arange(5, -1, -1)
        self._class_of_operation = tuple(self.node_classes.index(op) for op in self.operations)
        self._operation_of_class = tuple(
            self.operations.index(c) if c in self.operations else INVALID for c in self.node_classes
        )
        self._naslib_places = tuple(map(CELL_EDGES.index, self.naslib_edges))
        self._naslib_ids = tuple(map(self.operations.index, self.naslib_operations))

    def all(self) -> Iterator[Arch]:
        """Yield every cell once, in the order of `index`."""
        return iter(product(range(self._base), repeat=6))

    def sample(self, rng: np.random.Generator) -> Arch:
        """Draw a cell uniformly."""
        return self.from_index(int(rng.integers(self.size)))

    def check(self, arch: Arch) -> None:
        """Raise `InvalidArchitecture` unless `arch` is a tuple of six operation ids."""
        if not isinstance(arch, tuple) or len(arch) != 6:
            raise InvalidArchitecture(f"A {self.title} cell is a tuple of six operation ids, not {arch!r}.")
        for edge, op in zip(CELL_EDGES, arch, strict=True):
            if not isinstance(op, int | np.integer) or isinstance(op, bool) or not 0 <= op < self._base:
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
            row = self._base * row + int(op)
        return row

    def from_index(self, row: int) -> Arch:
        """Return the cell of a row; the inverse of `index`."""
        if not 0 <= row < self.size:
            raise InvalidArchitecture(f"{self.title} has the rows 0 to {self.size - 1}, not {row}.")
        return tuple(row // self._base**place % self._base for place in range(5, -1, -1))

    def rows(self, archs: Sequence[Arch] | np.ndarray) -> np.ndarray:
        """Return the rows (int64, B) of many cells, given as tuples or as an integer array B x 6."""
        try:
            ops = np.asarray(archs, dtype=np.int64) if isinstance(archs, np.ndarray) else np.array(list(archs))
        except ValueError:  # ragged
            ops = np.array([])
        if len(archs) == 0:
            return np.zeros(0, dtype=np.int64)
        if ops.ndim != 2 or ops.shape[1] != 6 or ops.dtype.kind not in "iu" or ops.min() < 0 or ops.max() >= self._base:
            for arch in archs:
                self.check(tuple(arch) if isinstance(arch, np.ndarray) else arch)
        rows: np.ndarray = ops @ self._place_values
        return rows

    def key(self, arch: Arch) -> str:
        """Return the six digits of a cell: two cells share it only when they are the same cell."""
        self.check(arch)
        return "".join(map(str, arch))

    def from_key(self, key: str) -> Arch:
        """Return the cell of six digits; the inverse of `key`."""
        if not re.fullmatch(f"[0-{self._base - 1}]{{6}}", key):
            raise InvalidArchitecture(
                f"The key of a {self.title} cell is six digits 0-{self._base - 1} in string order, not {key!r}."
            )
        return tuple(map(int, key))

    def neighbours(self, arch: Arch) -> list[Arch]:
        """Return the 6 (K - 1) cells that differ from `arch` in the operation of one edge."""
        self.check(arch)
        return [(*arch[:k], op, *arch[k + 1 :]) for k in range(6) for op in range(self._base) if op != arch[k]]

    def distance(self, a: Arch, b: Arch) -> int:
        """Return the number of edges whose operations differ (Hamming distance), the fewest edits from `a` to `b`."""
        self.check(a)
        self.check(b)
        return sum(x != y for x, y in zip(a, b, strict=True))

    def to_naslib(self, arch: Arch) -> tuple[int, ...]:
        """Return NASLib's tuple: its ids of the operations, in its order of the edges."""
        self.check(arch)
        return tuple(self._naslib_ids.index(arch[k]) for k in self._naslib_places)

    def from_naslib(self, ids: Sequence[int]) -> Arch:
        """Return the cell of a NASLib tuple; the inverse of `to_naslib`."""
        if len(ids) != 6 or any(i not in range(self._base) for i in ids):
            raise InvalidArchitecture(
                f"A NASLib tuple of {self.title} holds six ids 0-{self._base - 1}, not {tuple(ids)!r}."
            )
        arch = [0] * 6
        for k, i in zip(self._naslib_places, ids, strict=True):
            arch[k] = self._naslib_ids[i]
        return tuple(arch)

    def encode(self, archs: Sequence[Arch] | np.ndarray) -> Graphs:
        """Return the graph form of cells (B x 8 nodes), given as tuples or as an array B x 6."""
        return self.encode_rows(self.rows(archs))

    def encode_rows(self, rows: np.ndarray) -> Graphs:
        """Return the graph form of the cells with these rows (int64, B)."""
        import torch

        from nasrepro.graphs import Graphs

        if len(rows) and not 0 <= rows.min() <= rows.max() < self.size:
            raise InvalidArchitecture(
                f"{self.title} has the rows 0 to {self.size - 1}, not {rows.min()} to {rows.max()}."
            )
        operations = torch.from_numpy(np.asarray(rows, dtype=np.int64)[:, None] // self._place_values % self._base)
        nodes = torch.full((len(rows), 8), INPUT)
        nodes[:, 1:7] = torch.tensor(self._class_of_operation)[operations]
        nodes[:, 7] = OUTPUT
        return Graphs(nodes, _pair_template().repeat(len(rows), 1), torch.ones_like(nodes, dtype=torch.bool))

    def decode_rows(self, graphs: Graphs) -> tuple[np.ndarray, list[str]]:
        """Return the row of each graph (int64, B; -1 where invalid) and why a graph is invalid ("" where it is valid).

        The reasons are, the first that applies: `nodes` (not 8 nodes), `edges` (not the constant edge set), `terminals`
        (the first node is not the input or the last not the output), `operations` (a node between them is no
        operation).
        """
        import torch

        nodes = graphs.nodes.cpu()
        count = len(graphs)
        if graphs.n_nodes < 8:
            return np.full(count, INVALID), ["nodes"] * count
        n_classes = len(self.node_classes)
        right_size = (graphs.mask.sum(1) == 8).cpu()
        right_edges = (graphs.pairs[:, _pair_columns(graphs.n_nodes)].cpu() == _pair_template()).all(1)
        right_terminals = (nodes[:, 0] == INPUT) & (nodes[:, 7] == OUTPUT)
        inner = nodes[:, 1:7]
        operations = torch.tensor(self._operation_of_class)[inner.clamp(0, n_classes - 1)]
        right_operations = ((operations != INVALID) & (inner >= 0) & (inner < n_classes)).all(1)
        reason = torch.zeros(count, dtype=torch.long)
        # written from the last to the first, so that the first that applies stands
        for code, right in ((4, right_operations), (3, right_terminals), (2, right_edges), (1, right_size)):
            reason[~right] = code
        rows = torch.where(reason == 0, operations @ torch.from_numpy(self._place_values), INVALID)
        names = ("", "nodes", "edges", "terminals", "operations")
        return rows.numpy(), [names[code] for code in reason.tolist()]

    def decode_with_reasons(self, graphs: Graphs) -> tuple[list[Arch | None], list[str]]:
        """Return the cell of each graph, None where it is invalid, and the reasons of `decode_rows`."""
        rows, reasons = self.decode_rows(graphs)
        return [None if row == INVALID else self.from_index(row) for row in rows.tolist()], reasons

    def decode_one(self, graph: Graphs, index: int = 0) -> Arch:
        """Return the cell of one graph of a batch; raise `InvalidArchitecture` with the precise reason."""
        size = int(graph.mask[index].sum())
        if size != 8:
            raise InvalidArchitecture(f"The graph has {size} nodes; a {self.title} cell has 8.", "nodes")
        edges = {(int(i), int(j)) for i, j in graph[index : index + 1].adjacency()[0, :8, :8].nonzero().tolist()}
        if edges != set(GRAPH_EDGES):
            parts = [
                f"{what} {', '.join(f'{i}->{j}' for i, j in sorted(which))}"
                for what, which in (("missing", set(GRAPH_EDGES) - edges), ("extra", edges - set(GRAPH_EDGES)))
                if which
            ]
            raise InvalidArchitecture(
                f"The edges differ from those of a {self.title} cell: {'; '.join(parts)}.", "edges"
            )
        classes = graph.nodes[index, :8].tolist()
        names = [self.node_classes[c] if 0 <= c < len(self.node_classes) else f"class {c}" for c in classes]
        if classes[0] != INPUT:
            raise InvalidArchitecture(f"The first node is {names[0]}, not input.", "terminals")
        if classes[7] != OUTPUT:
            raise InvalidArchitecture(f"The last node is {names[7]}, not output.", "terminals")
        for i, name in enumerate(names[1:7], start=1):
            if name not in self.operations:
                raise InvalidArchitecture(
                    f"Node {i} is {name}, not an operation ({', '.join(self.operations)}).", "operations"
                )
        return tuple(self.operations.index(name) for name in names[1:7])


@lru_cache(maxsize=1)
def _pair_template() -> Tensor:
    """Return the pair classes of every valid graph, int64, 28."""
    import torch

    adjacency = torch.zeros(8, 8, dtype=torch.long)
    adjacency[tuple(zip(*GRAPH_EDGES, strict=True))] = 1
    rows, columns = torch.triu_indices(8, 8, offset=1)
    return adjacency[rows, columns]


@lru_cache(maxsize=8)
def _pair_columns(n: int) -> Tensor:
    """Return which of the pairs of n >= 8 nodes join two of the first 8, in row-major order."""
    import torch

    rows, columns = torch.triu_indices(n, n, offset=1)
    return ((rows < 8) & (columns < 8)).nonzero()[:, 0]
