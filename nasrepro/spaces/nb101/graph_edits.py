"""Exact graph edit distance, and shortest edit paths, between cells of at most seven nodes.

A cell is a directed acyclic graph with an operation on each node; its first node is the input and its last the output.
The edits are those of shortest edit path crossover (SEP: Qiu and Miikkulainen, ICML 2023), each of cost 1: delete or
insert an edge, delete or insert a node without edges, change the operation of a node. Input and output are never
edited.

Why a search over permutations is exact. Put both cells into one frame of seven slots: the input in slot 0, the output
in slot 6, between them five slots, each with a node or empty. A permutation of the five slots of the second cell is a
way to match the nodes of the two cells (a node matched with an empty slot is deleted or inserted), and its cost is the
number of slots with different contents plus the number of slot pairs with an edge in one cell only. Permutations that
match a node u with an empty slot, and an empty slot with a node v, stand for deleting u and inserting v. They are legal
and never best: matching u with v costs at most 1 instead of 2 for the nodes, and every edge that is then kept saves
2. (The same holds for the terminals, so nothing is lost by fixing them.) Hence a best permutation matches as many nodes
as the smaller cell has, and the least cost over all 5! = 120 permutations is the edit distance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations
from typing import Literal, NamedTuple

import numpy as np

from nasrepro.errors import InvalidArchitecture

MAX_NODES = 7
INPUT_SLOT, OUTPUT_SLOT = 0, MAX_NODES - 1
EMPTY = -1  # content of a slot without a node
_INNER = MAX_NODES - 2
_INSIDE = slice(1, OUTPUT_SLOT)
_INNER_PAIRS = np.triu_indices(_INNER, 1)
_BITS = 1 << np.arange(len(_INNER_PAIRS[0]))
_LOWER = np.tri(MAX_NODES, dtype=bool)
_CHUNK = 1024  # pairs at a time: the temporary arrays stay in the processor's cache

EditKind = Literal["delete_edge", "delete_node", "substitute", "insert_node", "insert_edge"]


class Frame(NamedTuple):
    """A labelled graph in the fixed frame of seven slots, not necessarily a valid cell.

    Attributes:
        operations: content of each slot, int, 7; `EMPTY` where there is no node.
        adjacency: directed edges between slots, bool, 7 x 7.
    """

    operations: np.ndarray
    adjacency: np.ndarray


@dataclass(frozen=True)
class Edit:
    """One edit of cost 1; nodes are named by their slots.

    Attributes:
        kind: what is done.
        slots: the slot of the node, or those of the source and the target of the edge.
        operation: the new operation of an inserted or changed node.
    """

    kind: EditKind
    slots: tuple[int, ...]
    operation: int | None = None


@dataclass(frozen=True)
class Packed:
    """A batch of B cells made ready for `edit_distances`; see `pack`.

    Attributes:
        slots: of each inner slot its operation (`EMPTY` where there is no node), whether the input feeds it and whether
            it feeds the output, int64, B x 3 x 5.
        inner: edges between the inner slots i < j as 10 bits, row-major, int64, B.
        direct: whether the input feeds the output, bool, B.
    """

    slots: np.ndarray
    inner: np.ndarray
    direct: np.ndarray

    def __len__(self) -> int:
        return len(self.inner)

    def __getitem__(self, index: slice | np.ndarray) -> Packed:
        return Packed(self.slots[index], self.inner[index], self.direct[index])


def pack(operations: np.ndarray, adjacency: np.ndarray, sizes: np.ndarray | None = None) -> Packed:
    """Make a batch of cells ready for `edit_distances`.

    Args:
        operations: operation of each node, int, B x N with N <= 7; the nodes of a cell come first, padding last.
        adjacency: strictly upper triangular, B x N x N; padding is ignored.
        sizes: number of nodes of each cell, int, B; by default N.

    Raises:
        InvalidArchitecture: for arrays of other shapes, more than 7 or fewer than 2 nodes, negative operations, or
            adjacency that is not strictly upper triangular.
    """
    frames, edges = _frames(np.asarray(operations), np.asarray(adjacency), sizes)
    rows, columns = _INNER_PAIRS
    slots = np.empty((len(frames), 3, _INNER), dtype=np.int64)
    slots[:, 0] = frames[:, _INSIDE]
    slots[:, 1] = edges[:, INPUT_SLOT, _INSIDE]
    slots[:, 2] = edges[:, _INSIDE, OUTPUT_SLOT]
    inner = edges[:, rows + 1, columns + 1] @ _BITS
    return Packed(slots, inner, edges[:, INPUT_SLOT, OUTPUT_SLOT])


def edit_distances(a: Packed, b: Packed) -> np.ndarray:
    """Return the edit distances (int64) of many pairs of cells: row by row, or of all rows to a single one."""
    count = max(len(a), len(b)) if len(a) and len(b) else 0
    if {len(a), len(b)} - {1, count}:
        raise ValueError(f"Batches of {len(a)} and {len(b)} cells cannot be paired: give equal numbers, or one cell.")
    distances = np.empty(count, dtype=np.int64)
    for start in range(0, count, _CHUNK):
        part = slice(start, start + _CHUNK)
        x, y = (packed if len(packed) == 1 else packed[part] for packed in (a, b))
        distances[part] = _costs(x, y).min(1)
    return distances


def best_orders(a: Packed, b: Packed) -> np.ndarray:
    """Return how the second cells are best matched with the first, int64, B x 5: the inner slot (0 to 4) of the second
    that is matched with each inner slot of the first; row by row."""
    return _permutations()[_costs(a, b).argmin(1)]


def edit_distance(ops_a: Sequence[int], adj_a: np.ndarray, ops_b: Sequence[int], adj_b: np.ndarray) -> int:
    """Return the least number of edits that turn the first cell into a graph isomorphic to the second.

    Args:
        ops_a: operation of each node of the first cell in topological order, n <= 7; those of the two terminals are
            not read.
        adj_a: its strictly upper triangular adjacency matrix, n x n.
        ops_b: operations of the second cell.
        adj_b: adjacency matrix of the second cell.

    Raises:
        InvalidArchitecture: as `pack`.
    """
    return int(_costs(_pack_one(ops_a, adj_a), _pack_one(ops_b, adj_b)).min())


def edit_path(ops_a: Sequence[int], adj_a: np.ndarray, ops_b: Sequence[int], adj_b: np.ndarray) -> list[Edit]:
    """Return a shortest list of edits that turns the first cell into a graph isomorphic to the second.

    The edits speak of the slots of `to_frame(ops_a, adj_a)`. First edges are deleted, then nodes; then operations
    change; last come the nodes and the edges that are inserted. In this order the graph is free of cycles all along,
    and every edit can be applied when its turn comes; `shuffled` gives other orders.
    """
    costs = _costs(_pack_one(ops_a, adj_a), _pack_one(ops_b, adj_b))
    inner = _permutations()[int(costs[0].argmin())]
    slots = np.concatenate([[INPUT_SLOT], inner + 1, [OUTPUT_SLOT]])
    source, target = to_frame(ops_a, adj_a), to_frame(ops_b, adj_b)
    before, after = source.operations, target.operations[slots]
    edges, wanted = source.adjacency, target.adjacency[slots][:, slots]

    def edge_edits(kind: EditKind, which: np.ndarray) -> list[Edit]:
        return [Edit(kind, (int(i), int(j))) for i, j in np.argwhere(which)]

    def node_edits(kind: EditKind, which: np.ndarray) -> list[Edit]:
        which = which & (before != after)
        which[[INPUT_SLOT, OUTPUT_SLOT]] = False
        return [Edit(kind, (int(i),), None if after[i] == EMPTY else int(after[i])) for i in np.flatnonzero(which)]

    return [
        *edge_edits("delete_edge", edges & ~wanted),
        *node_edits("delete_node", after == EMPTY),
        *node_edits("substitute", (before != EMPTY) & (after != EMPTY)),
        *node_edits("insert_node", before == EMPTY),
        *edge_edits("insert_edge", wanted & ~edges),
    ]


def shuffled(path: Sequence[Edit], rng: np.random.Generator) -> list[Edit]:
    """Return the edits of a path in a random order of which every beginning can be applied.

    A node is deleted after its last edge and inserted before its first. One after the other, an edit is drawn uniformly
    from those that may come next. Unlike in the order of `edit_path`, the graph may have cycles on the way.
    """
    waiting, order = list(path), []
    while waiting:
        ready = [edit for edit in waiting if not any(_must_wait(edit, other) for other in waiting)]
        order.append(ready[int(rng.integers(len(ready)))])
        waiting.remove(order[-1])
    return order


def apply(edit: Edit, graph: Frame) -> Frame:
    """Return the graph after one edit; raise `InvalidArchitecture` (kind `edits`) where the edit does not fit it."""
    operations, adjacency = graph.operations.copy(), graph.adjacency.copy()
    exists = all(operations[slot] != EMPTY for slot in edit.slots)
    if edit.kind in ("delete_edge", "insert_edge"):
        insert = edit.kind == "insert_edge"
        fits = exists and bool(adjacency[edit.slots]) != insert
        adjacency[edit.slots] = insert
    else:
        (slot,) = edit.slots
        fits = exists != (edit.kind == "insert_node") and slot not in (INPUT_SLOT, OUTPUT_SLOT)
        fits = fits and (edit.kind != "delete_node" or not (adjacency[slot].any() or adjacency[:, slot].any()))
        operations[slot] = EMPTY if edit.operation is None else edit.operation
    if not fits:
        raise InvalidArchitecture(
            f"{edit} does not fit the graph with the slots {graph.operations.tolist()} and the edges "
            f"{[tuple(e) for e in np.argwhere(graph.adjacency).tolist()]}.",
            "edits",
        )
    return Frame(operations, adjacency)


def to_frame(operations: Sequence[int], adjacency: np.ndarray) -> Frame:
    """Place a cell in the frame: its inner nodes in the slots from 1 on, its output in slot 6; errors as `pack`."""
    frames, edges = _frames(np.asarray(operations)[None], np.asarray(adjacency)[None], None)
    return Frame(frames[0], edges[0])


def from_frame(graph: Frame) -> tuple[np.ndarray, np.ndarray]:
    """Return operations (int, n) and strictly upper triangular adjacency (bool, n x n) of a graph in the frame.

    The nodes come in topological order (of those that may come next, the lowest slot), the output last.

    Raises:
        InvalidArchitecture: of kind `edges` where the graph has a cycle, or an edge enters the input or leaves the
            output.
    """
    if graph.adjacency[:, INPUT_SLOT].any() or graph.adjacency[OUTPUT_SLOT].any():
        raise InvalidArchitecture("The graph has an edge into the input or out of the output.", "edges")
    left = [slot for slot in range(1, OUTPUT_SLOT) if graph.operations[slot] != EMPTY]
    order = [INPUT_SLOT]
    while left:
        first = next((slot for slot in left if not graph.adjacency[left, slot].any()), None)
        if first is None:
            raise InvalidArchitecture(f"The graph has a cycle through some of the slots {left}.", "edges")
        order.append(first)
        left.remove(first)
    order.append(OUTPUT_SLOT)
    return graph.operations[order], graph.adjacency[np.ix_(order, order)]


def _must_wait(edit: Edit, other: Edit) -> bool:
    """Return whether `edit` can only follow `other`."""
    if edit.kind == "delete_node":
        return other.kind == "delete_edge" and edit.slots[0] in other.slots
    return edit.kind == "insert_edge" and other.kind == "insert_node" and other.slots[0] in edit.slots


def _frames(operations: np.ndarray, adjacency: np.ndarray, sizes: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Return contents of the slots (int64, B x 7) and edges between them (bool, B x 7 x 7) of a batch of cells."""
    if operations.ndim != 2 or adjacency.shape != (*operations.shape, operations.shape[1]):
        raise InvalidArchitecture(
            f"Operations of shape {operations.shape} and adjacency of shape {adjacency.shape} are no cells: give n and "
            "n x n, with a batch axis in front for many.",
            "nodes",
        )
    count, n = operations.shape
    frames = np.full((count, MAX_NODES), EMPTY)
    edges = np.zeros((count, MAX_NODES, MAX_NODES), dtype=bool)
    for size in [n] if sizes is None else np.unique(sizes).tolist():
        if not 2 <= size <= min(n, MAX_NODES):
            raise InvalidArchitecture(
                f"A cell of {size} nodes in an array for {n}: edit distances are for 2 to {MAX_NODES} nodes.", "nodes"
            )
        cells = slice(None) if sizes is None else np.flatnonzero(sizes == size)
        own = adjacency[cells, :size, :size]
        if own[:, _LOWER[:size, :size]].any():
            raise InvalidArchitecture(
                "The adjacency matrix is not strictly upper triangular: give the nodes in topological order.", "edges"
            )
        if (operations[cells, 1 : size - 1] < 0).any():
            raise InvalidArchitecture("An inner node has a negative operation; operations count from 0.", "operations")
        frames[cells, : size - 1] = operations[cells, : size - 1]
        frames[cells, OUTPUT_SLOT] = operations[cells, size - 1]
        edges[cells, : size - 1, : size - 1] = own[:, :-1, :-1]
        edges[cells, : size - 1, OUTPUT_SLOT] = own[:, :-1, -1]
    return frames, edges


def _pack_one(operations: Sequence[int], adjacency: np.ndarray) -> Packed:
    return pack(np.asarray(operations)[None], np.asarray(adjacency)[None])


@lru_cache(maxsize=1)
def _permutations() -> np.ndarray:
    """Return the permutations of the inner slots, int64, 120 x 5: slot i of a is matched with slot p[i] of b."""
    return np.array(list(permutations(range(_INNER))))


@lru_cache(maxsize=1)
def _tables() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what turns costs of matching slots into costs of permutations.

    The matrix (float32, 25 x 120) that adds up the costs of the five matched slots; the inner edges after each
    permutation (uint16, 1024 x 120), those only that run from a lower to a higher slot, for no other can be shared with
    a cell in topological order; the number of ones of 10 bits (uint8, 1024).
    """
    orders, n = _permutations(), _INNER
    matched = np.zeros((len(orders), n, n), dtype=np.float32)
    matched[np.arange(len(orders))[:, None], np.arange(n), orders] = 1
    rows, columns = _INNER_PAIRS
    masks = np.arange(1 << len(rows))
    adjacency = np.zeros((len(masks), n, n), dtype=np.uint16)
    adjacency[:, rows, columns] = masks[:, None] >> np.arange(len(rows)) & 1
    permuted = adjacency[:, orders[:, rows], orders[:, columns]] @ _BITS.astype(np.uint16)
    return matched.reshape(len(orders), n * n).T.copy(), permuted, adjacency.sum((1, 2), dtype=np.uint8)


def _costs(a: Packed, b: Packed) -> np.ndarray:
    """Return the cost of each permutation for each pair, float32, B x 120."""
    matched, permuted, ones = _tables()
    slots = (a.slots[:, :, :, None] != b.slots[:, :, None, :]).sum(1, dtype=np.float32)
    costs = slots.reshape(-1, _INNER * _INNER) @ matched
    costs -= 2 * ones[permuted[b.inner] & a.inner.astype(np.uint16)[:, None]]
    costs += (ones[a.inner] + ones[b.inner] + (a.direct != b.direct))[:, None]
    return costs
