"""Cells of your own: directed acyclic graphs with an operation of any name on each node.

What the spaces of your own (`own`, `declared`) share: the form of a cell, its edits, and when two cells are the same
architecture. Up to `EXACT_NODES` nodes that is isomorphism, by a canonical form. Beyond, cells are the same whose
`invariants` are: 16 rounds of colour refinement along the edges and against them, which tells apart all but graphs of
great symmetry.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain, combinations, permutations
from typing import Any, NamedTuple

import numpy as np

from nasrepro.errors import InvalidArchitecture, ParameterError
from nasrepro.spaces.canonical import canonical_order, topological_order

MAX_NODES = 64
EXACT_NODES = 12  # up to here the canonical form and the edit distance of every cell take less than a second
_ROUNDS = 16
# What an operation is: where a cell begins and ends, what has weights, what passes on nothing; `other` changes neither.
KINDS = ("input", "output", "conv", "pool", "skip", "none", "other")

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


class Operation(str):
    """The name of an operation that says what it is.

    Attributes:
        kind: one of `KINDS`.
    """

    __slots__ = ("kind",)
    kind: str

    def __new__(cls, name: str, kind: str) -> Operation:
        """Return the name with its kind."""
        operation = super().__new__(cls, name)
        operation.kind = kind
        return operation


def declared_names(names: Iterable[str], kinds: Mapping[str, str] | None) -> tuple[str, ...]:
    """Return names of operations, those with a declared kind as `Operation`; `ParameterError` where a kind is of no
    operation, or unknown."""
    names, kinds = tuple(names), dict(kinds or {})
    for name, kind in kinds.items():
        if name not in names or kind not in KINDS:
            raise ParameterError(
                f"`{name}: {kind}` declares no kind of an operation: operations are {', '.join(names)}, kinds "
                f"{', '.join(KINDS)}."
            )
    return tuple(Operation(name, kinds[name]) if name in kinds else name for name in names)


@lru_cache(maxsize=MAX_NODES)
def pairs_of(n: int) -> tuple[Edge, ...]:
    """Return the pairs i < j of n nodes, row by row."""
    return tuple(combinations(range(n), 2))


@lru_cache(maxsize=MAX_NODES)
def _known_pairs(n: int) -> frozenset[Edge]:
    return frozenset(pairs_of(n))


def check_form(cell: Any) -> None:
    """Raise `InvalidArchitecture` unless `cell` is a well-formed `Cell`; its kind is `nodes`, `operations` or
    `edges`."""
    if not isinstance(cell, Cell):
        raise InvalidArchitecture(f"A cell is a `nasrepro.spaces.cells.Cell`, not {cell!r}.")
    operations, edges = cell
    if not isinstance(operations, tuple) or not 1 <= len(operations) <= MAX_NODES:
        raise InvalidArchitecture(f"A cell has a tuple of 1 to {MAX_NODES} operations, not {operations!r}.", "nodes")
    if not all(isinstance(name, str) and name for name in operations):
        raise InvalidArchitecture(f"The operations of a cell are names, not {operations!r}.", "operations")
    n = len(operations)
    known = _known_pairs(n)
    if not isinstance(edges, tuple) or not all(isinstance(edge, tuple) and edge in known for edge in edges):
        raise InvalidArchitecture(
            f"The edges of a cell of {n} nodes are a tuple of pairs i < j < {n}, its nodes in topological order, not "
            f"{edges!r}.",
            "edges",
        )
    if list(edges) != sorted(set(edges)):
        raise InvalidArchitecture(f"The edges of a cell are distinct and ascending: {edges!r}.", "edges")


def to_string(cell: Cell) -> str:
    """Return a cell as JSON, e.g. `{"operations": ["input", "output"], "edges": [[0, 1]]}`."""
    return json.dumps({"operations": cell.operations, "edges": cell.edges}, ensure_ascii=False, default=int)


def from_string(text: str) -> Cell:
    """Parse what `to_string` writes; raise `InvalidArchitecture` with the reason."""
    try:
        content = json.loads(text)
        return Cell(tuple(content["operations"]), tuple((i, j) for i, j in content["edges"]))
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidArchitecture(
            f'{text!r} is no cell; its form is {{"operations": ["input", "output"], "edges": [[0, 1]]}}.'
        ) from error


@lru_cache(maxsize=1 << 16)
def key(cell: Cell) -> str:
    """Return what is equal for the same architectures: the JSON of the canonical form, beyond `EXACT_NODES` nodes the
    number of nodes and the invariant."""
    if len(cell.operations) > EXACT_NODES:
        return f"{len(cell.operations)} nodes, {int(invariants([cell])[0]):016x}"
    inputs: list[list[int]] = [[] for _ in cell.operations]
    for i, j in cell.edges:
        inputs[j].append(i)
    return to_string(reordered(cell.operations, cell.edges, canonical_order(cell.operations, inputs)))


def invariants(cells: Sequence[Cell]) -> np.ndarray:
    """Return 64 bits for each cell (uint64, B) that are equal for isomorphic ones.

    A node's colour is refined 16 times by the sum of the mixed colours of what it reads, and of its readers; the cell
    has the sum of its nodes' colours. All cells are computed at once: 10^5 of 20 nodes take about two seconds.
    """
    sizes = np.array([len(cell.operations) for cell in cells], dtype=np.int64)
    starts = np.concatenate([[0], sizes.cumsum()])[:-1]
    colours = np.array([_hash(name) for cell in cells for name in cell.operations], dtype=np.uint64)
    ends = np.fromiter(chain.from_iterable(chain.from_iterable(cell.edges for cell in cells)), dtype=np.int64)
    counts = [len(cell.edges) for cell in cells]
    source, target = (ends.reshape(-1, 2) + np.repeat(starts, counts)[:, None]).T
    for _ in range(_ROUNDS):
        sent = _mixed(colours)
        read, readers = np.zeros_like(colours), np.zeros_like(colours)
        np.add.at(read, target, sent[source])
        np.add.at(readers, source, sent[target])
        colours = _mixed(sent + 3 * _mixed(read + np.uint64(1)) + 5 * _mixed(readers + np.uint64(2)))
    found: np.ndarray = np.add.reduceat(_mixed(colours), starts) if len(cells) else colours
    return found


@lru_cache(maxsize=4096)
def _hash(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")


def _mixed(bits: np.ndarray) -> np.ndarray:
    """Return the finaliser of splitmix64 of each number."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


def edited(cell: Cell, names: Sequence[str], most_nodes: int = MAX_NODES) -> Iterator[Cell]:
    """Yield the cells one edit away, isomorphic ones perhaps more than once: another operation on one node, one edge
    more or less, one node without edges more or less. Beyond `EXACT_NODES` nodes an edge is added along the order of
    the nodes only."""
    operations, edges = cell
    n = len(operations)
    for i, name in enumerate(operations):
        yield from (Cell((*operations[:i], other, *operations[i + 1 :]), edges) for other in names if other != name)
    for edge in edges:
        yield Cell(operations, tuple(kept for kept in edges if kept != edge))
    for i, j in permutations(range(n), 2) if n <= EXACT_NODES else pairs_of(n):
        if (i, j) not in edges and (j, i) not in edges:
            more = (*edges, (i, j))
            order = list(range(n)) if i < j else topological_order([[a for a, b in more if b == k] for k in range(n)])
            if order is not None:
                yield reordered(operations, more, order)
    for i in range(n):
        if n > 1 and all(i not in edge for edge in edges):
            yield reordered(operations, edges, [k for k in range(n) if k != i])
    if n < most_nodes:
        yield from (Cell((*operations, name), edges) for name in names)


def reordered(operations: Sequence[str], edges: Iterable[Edge], order: Sequence[int]) -> Cell:
    """Return the cell whose node k is node `order[k]`; nodes that the order leaves out have no edges."""
    place = {old: new for new, old in enumerate(order)}
    return Cell(tuple(operations[old] for old in order), tuple(sorted((place[i], place[j]) for i, j in edges)))


def distance(a: Cell, b: Cell) -> int:
    """Return the fewest edits from a to b (exact); `InvalidArchitecture` of kind `nodes` beyond `EXACT_NODES` nodes."""
    from nasrepro.spaces.graph_edit_distance import graph_edit_distance

    if max(len(a.operations), len(b.operations)) > EXACT_NODES:
        raise InvalidArchitecture(f"Exact distances are known of cells of up to {EXACT_NODES} nodes.", "nodes")
    number = {name: k for k, name in enumerate(sorted({*a.operations, *b.operations}))}
    (labels_a, adj_a), (labels_b, adj_b) = (([number[o] for o in c.operations], c.adjacency) for c in (a, b))
    return graph_edit_distance(labels_a, adj_a, labels_b, adj_b)
