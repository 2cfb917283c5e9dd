"""NAS-Bench-201, the topology search space of NATS-Bench: 4 cell nodes, 6 edges, one of 5 operations on each edge.

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
from typing import TYPE_CHECKING

import numpy as np

from nasrepro.errors import InvalidArchitecture, did_you_mean
from nasrepro.spaces.functional import CellEdge, functional_key

if TYPE_CHECKING:
    from torch import Tensor

    from nasrepro.graphs import Graphs

Arch = tuple[int, ...]

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
CELL_EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
INPUT, OUTPUT = 1, 0  # node classes of the two terminals
NODE_CLASSES = ("output", "input", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3", "skip_connect", "none")
GRAPH_EDGES = ((0, 1), (0, 2), (0, 4), (1, 3), (1, 5), (2, 6), (3, 6), (4, 7), (5, 7), (6, 7))
N_FUNCTIONS = 5_425  # number of distinct functional keys among the 15,625 cells

_CLASS_OF_OPERATION = tuple(NODE_CLASSES.index(op) for op in OPERATIONS)
_OPERATION_OF_CLASS = tuple(OPERATIONS.index(c) if c in OPERATIONS else -1 for c in NODE_CLASSES)
# NASLib lists the edges as (0,1), (0,2), (0,3), (1,2), (1,3), (2,3), the operations as skip, none, 3x3, 1x1, pool.
_NASLIB_EDGES = tuple(CELL_EDGES.index(e) for e in ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)))
_NASLIB_OPERATIONS = tuple(
    OPERATIONS.index(op) for op in ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
)
_PLACE_VALUES = 5 ** np.arange(5, -1, -1)
_STRING_FORM = "|op~0|+|op~0|op~1|+|op~0|op~1|op~2|"
_PATTERN = re.compile(_STRING_FORM.replace("|", r"\|").replace("+", r"\+").replace("op", r"([^|~+]*)"))


class NB201Space:
    """The 15,625 cells of NAS-Bench-201. Cells of the same function are different cells here (see `functional_key`)."""

    name = "nb201"
    node_classes: tuple[str, ...] = NODE_CLASSES
    max_nodes = 8
    size: int | None = 5**6

    def all(self) -> Iterator[Arch]:
        """Yield every cell once, in the order of `index`."""
        return iter(product(range(5), repeat=6))

    def sample(self, rng: np.random.Generator) -> Arch:
        """Draw a cell uniformly."""
        return self.from_index(int(rng.integers(5**6)))

    def check(self, arch: Arch) -> None:
        """Raise `InvalidArchitecture` unless `arch` is a tuple of six ints 0-4."""
        if not isinstance(arch, tuple) or len(arch) != 6:
            raise InvalidArchitecture(f"A NAS-Bench-201 cell is a tuple of six operation ids, not {arch!r}.")
        for edge, op in zip(CELL_EDGES, arch, strict=True):
            if not isinstance(op, int | np.integer) or isinstance(op, bool) or not 0 <= op < 5:
                ids = ", ".join(f"{i} {name}" for i, name in enumerate(OPERATIONS))
                raise InvalidArchitecture(f"Edge {edge[0]}->{edge[1]} has the operation id {op!r}; the ids are {ids}.")

    def is_valid(self, arch: Arch) -> bool:
        """Return whether `arch` is a tuple of six ints 0-4."""
        try:
            self.check(arch)
        except InvalidArchitecture:
            return False
        return True

    def index(self, arch: Arch) -> int:
        """Return the row of a cell, 0 to 15,624: its six digits read as a number in base 5, the edge 0->1 most
        significant.

        This is the package's own enumeration; the benchmark's published index is `NB201Benchmark.native_index`.
        """
        self.check(arch)
        row = 0
        for op in arch:
            row = 5 * row + int(op)
        return row

    def from_index(self, row: int) -> Arch:
        """Return the cell of a row; the inverse of `index`."""
        if not 0 <= row < 5**6:
            raise InvalidArchitecture(f"NAS-Bench-201 has the rows 0 to {5**6 - 1}, not {row}.")
        return tuple(row // 5**place % 5 for place in range(5, -1, -1))

    def rows(self, archs: Sequence[Arch] | np.ndarray) -> np.ndarray:
        """Return the rows (int64, B) of many cells, given as tuples or as an integer array B x 6."""
        try:
            ops = np.asarray(archs, dtype=np.int64) if isinstance(archs, np.ndarray) else np.array(list(archs))
        except ValueError:  # ragged
            ops = np.array([])
        if len(archs) == 0:
            return np.zeros(0, dtype=np.int64)
        if ops.ndim != 2 or ops.shape[1] != 6 or ops.dtype.kind not in "iu" or ops.min() < 0 or ops.max() > 4:
            for arch in archs:
                self.check(tuple(arch) if isinstance(arch, np.ndarray) else arch)
        return ops @ _PLACE_VALUES

    def key(self, arch: Arch) -> str:
        """Return the six digits of a cell: two cells share it only when they are the same cell."""
        self.check(arch)
        return "".join(map(str, arch))

    def from_key(self, key: str) -> Arch:
        """Return the cell of six digits; the inverse of `key`."""
        if not re.fullmatch("[0-4]{6}", key):
            raise InvalidArchitecture(
                f"The key of a NAS-Bench-201 cell is six digits 0-4 in string order, not {key!r}."
            )
        return tuple(map(int, key))

    def neighbours(self, arch: Arch) -> list[Arch]:
        """Return the 24 cells that differ from `arch` in the operation of one edge."""
        self.check(arch)
        return [(*arch[:k], op, *arch[k + 1 :]) for k in range(6) for op in range(5) if op != arch[k]]

    def mutate(self, arch: Arch, rng: np.random.Generator) -> Arch:
        """Draw one of the 24 neighbours uniformly."""
        neighbours = self.neighbours(arch)
        return neighbours[int(rng.integers(len(neighbours)))]

    def distance(self, a: Arch, b: Arch) -> int:
        """Return the number of edges whose operations differ (Hamming distance), the fewest edits from `a` to `b`."""
        self.check(a)
        self.check(b)
        return sum(x != y for x, y in zip(a, b, strict=True))

    def functional_key(self, arch: Arch) -> str:
        """Return a key that is equal exactly for cells that compute the same function because of `skip_connect` and
        `none`.

        See `nasrepro.spaces.functional`. The 15,625 cells have `N_FUNCTIONS` distinct functional keys.
        """
        self.check(arch)
        return _functional_key(tuple(int(op) for op in arch))

    def to_string(self, arch: Arch) -> str:
        """Return the architecture string, `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|` with the names of the operations."""
        self.check(arch)
        parts = [f"{OPERATIONS[op]}~{edge[0]}" for edge, op in zip(CELL_EDGES, arch, strict=True)]
        return f"|{parts[0]}|+|{'|'.join(parts[1:3])}|+|{'|'.join(parts[3:])}|"

    def from_string(self, text: str) -> Arch:
        """Parse an architecture string; raise `InvalidArchitecture` with the reason."""
        match = _PATTERN.fullmatch(text.strip())
        if match is None:
            raise InvalidArchitecture(f"{text!r} is no NAS-Bench-201 cell; its form is {_STRING_FORM}.")
        for edge, op in zip(CELL_EDGES, match.groups(), strict=True):
            if op not in OPERATIONS:
                raise InvalidArchitecture(
                    f"Edge {edge[0]}->{edge[1]} has the unknown operation {op!r}; there is {', '.join(OPERATIONS)}."
                    + did_you_mean(op, OPERATIONS)
                )
        return tuple(OPERATIONS.index(op) for op in match.groups())

    def to_naslib(self, arch: Arch) -> tuple[int, ...]:
        """Return NASLib's tuple: edges 01, 02, 03, 12, 13, 23; ids 0-4 = skip, none, 3x3, 1x1, pool."""
        self.check(arch)
        return tuple(_NASLIB_OPERATIONS.index(arch[k]) for k in _NASLIB_EDGES)

    def from_naslib(self, ids: Sequence[int]) -> Arch:
        """Return the cell of a NASLib tuple; the inverse of `to_naslib`."""
        if len(ids) != 6 or any(i not in range(5) for i in ids):
            raise InvalidArchitecture(f"A NASLib tuple of NAS-Bench-201 holds six ids 0-4, not {tuple(ids)!r}.")
        arch = [0] * 6
        for k, i in zip(_NASLIB_EDGES, ids, strict=True):
            arch[k] = _NASLIB_OPERATIONS[i]
        return tuple(arch)

    def encode(self, archs: Sequence[Arch] | np.ndarray) -> Graphs:
        """Return the graph form of cells (B x 8 nodes), given as tuples, as an array B x 6 or an array of B rows."""
        import torch

        from nasrepro.graphs import Graphs

        is_rows = isinstance(archs, np.ndarray) and archs.ndim == 1
        rows = torch.from_numpy(np.asarray(archs, dtype=np.int64) if is_rows else self.rows(archs))
        if len(rows) and not 0 <= int(rows.min()) <= int(rows.max()) < 5**6:
            raise InvalidArchitecture(
                f"NAS-Bench-201 has the rows 0 to {5**6 - 1}, not {int(rows.min())} to {int(rows.max())}."
            )
        operations = rows[:, None] // torch.from_numpy(_PLACE_VALUES) % 5
        nodes = torch.full((len(rows), 8), INPUT)
        nodes[:, 1:7] = torch.tensor(_CLASS_OF_OPERATION)[operations]
        nodes[:, 7] = OUTPUT
        return Graphs(nodes, _pair_template(8).repeat(len(rows), 1), torch.ones_like(nodes, dtype=torch.bool))

    def decode_rows(self, graphs: Graphs) -> tuple[Tensor, list[str]]:
        """Return the row of each graph (int64, B; -1 where invalid) and why a graph is invalid ("" where it is valid).

        The reasons are, the first that applies: `nodes` (not 8 nodes), `edges` (not the constant edge set), `terminals`
        (the first node is not the input or the last not the output), `operations` (a node between them is no
        operation).
        """
        import torch

        nodes = graphs.nodes.cpu()
        count = len(graphs)
        if graphs.n_nodes < 8:
            return torch.full((count,), -1), ["nodes"] * count
        right_size = (graphs.mask.sum(1) == 8).cpu()
        right_edges = (graphs.pairs[:, _pair_columns(graphs.n_nodes)].cpu() == _pair_template(8)).all(1)
        right_terminals = (nodes[:, 0] == INPUT) & (nodes[:, 7] == OUTPUT)
        inner = nodes[:, 1:7]
        operations = torch.tensor(_OPERATION_OF_CLASS)[inner.clamp(0, 6)]
        right_operations = ((operations >= 0) & (inner >= 0) & (inner < 7)).all(1)
        reason = torch.zeros(count, dtype=torch.long)
        # written from the last to the first, so that the first that applies stands
        for code, right in ((4, right_operations), (3, right_terminals), (2, right_edges), (1, right_size)):
            reason[~right] = code
        rows = torch.where(reason == 0, operations @ torch.from_numpy(_PLACE_VALUES), -1)
        names = ("", "nodes", "edges", "terminals", "operations")
        return rows, [names[code] for code in reason.tolist()]

    def decode(self, graphs: Graphs) -> list[Arch | None]:
        """Return the cell of each graph, None where it is invalid (`decode_rows`, `decode_one` tell the reason)."""
        rows, _ = self.decode_rows(graphs)
        operations = rows.numpy()[:, None] // _PLACE_VALUES % 5
        return [tuple(ops) if row >= 0 else None for row, ops in zip(rows.tolist(), operations.tolist(), strict=True)]

    def decode_one(self, graph: Graphs, index: int = 0) -> Arch:
        """Return the cell of one graph of a batch; raise `InvalidArchitecture` with the precise reason."""
        size = int(graph.mask[index].sum())
        if size != 8:
            raise InvalidArchitecture(f"The graph has {size} nodes; a NAS-Bench-201 cell has 8.")
        edges = {(int(i), int(j)) for i, j in graph[index : index + 1].adjacency()[0, :8, :8].nonzero().tolist()}
        if edges != set(GRAPH_EDGES):
            parts = [
                f"{what} {', '.join(f'{i}->{j}' for i, j in sorted(which))}"
                for what, which in (("missing", set(GRAPH_EDGES) - edges), ("extra", edges - set(GRAPH_EDGES)))
                if which
            ]
            raise InvalidArchitecture(f"The edges differ from those of a NAS-Bench-201 cell: {'; '.join(parts)}.")
        classes = graph.nodes[index, :8].tolist()
        names = [NODE_CLASSES[c] if 0 <= c < 7 else f"class {c}" for c in classes]
        if classes[0] != INPUT:
            raise InvalidArchitecture(f"The first node is {names[0]}, not input.")
        if classes[7] != OUTPUT:
            raise InvalidArchitecture(f"The last node is {names[7]}, not output.")
        for i, name in enumerate(names[1:7], start=1):
            if name not in OPERATIONS:
                raise InvalidArchitecture(f"Node {i} is {name}, not an operation ({', '.join(OPERATIONS)}).")
        return tuple(OPERATIONS.index(name) for name in names[1:7])


@lru_cache(maxsize=1)
def _pair_template(n: int) -> Tensor:
    """Return the pair classes of every valid graph, int64, P."""
    import torch

    adjacency = torch.zeros(n, n, dtype=torch.long)
    adjacency[tuple(zip(*GRAPH_EDGES, strict=True))] = 1
    rows, columns = torch.triu_indices(n, n, offset=1)
    return adjacency[rows, columns]


@lru_cache(maxsize=8)
def _pair_columns(n: int) -> Tensor:
    """Return which of the pairs of n >= 8 nodes join two of the first 8, in row-major order."""
    import torch

    rows, columns = torch.triu_indices(n, n, offset=1)
    return ((rows < 8) & (columns < 8)).nonzero()[:, 0]


@lru_cache(maxsize=5**6)
def _functional_key(arch: Arch) -> str:
    edges = [CellEdge(source, target, OPERATIONS[op]) for (source, target), op in zip(CELL_EDGES, arch, strict=True)]
    return functional_key(edges, n_nodes=4)


NB201 = NB201Space()
