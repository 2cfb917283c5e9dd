"""Every cell of NAS-Bench-101, built from nothing, and the table that recognises any graph as one of them.

Ying et al. (ICML 2019) define the space: directed acyclic graphs of 2 to 7 vertices and at most 9 edges in which every
vertex lies on a path from input to output, with one of three operations on each interior vertex. Isomorphic graphs are
one cell. Here that is exact, not a matter of hashing: graphs are reduced to one adjacency of each isomorphism class,
then labelled, then the automorphisms of the class are taken out.

Words used in this module:

- code: an adjacency as an integer; edge i -> j (i < j) is bit i + j (j - 1) / 2, so those of one target lie together.
- raw form: the code of a graph of 7 vertices, 0 the input and 6 the output, in which vertices may be unused.
- class: an isomorphism class of adjacencies in which every vertex is used, named by its smallest code; classes are
  numbered by number of vertices, then by code.
- label: the operations of a cell, in the order of its vertices, as a number in base 3 (`OPERATIONS`).
- slot: class and label in one number. Several slots may hold isomorphic cells; the smallest one names the cell. That is
  the graph that the official enumeration meets first, so it equals the published adjacency matrix.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, permutations

import numpy as np
import pandas as pd

from nasrepro.files.cached_tables import cached_table, fingerprint

OPERATIONS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")  # in the order of the official labels 0, 1, 2
MAX_NODES = 7
MAX_EDGES = 9
SIZE = 423_624
DISCONNECTED, TOO_MANY_EDGES = -1, -2  # in place of a class
VERSION = 1  # raise it when the table of cells changes

_INTERIOR = MAX_NODES - 2


def edge_bit(i: int, j: int) -> int:
    """Return the place of the edge i -> j in a code."""
    return i + j * (j - 1) // 2


@dataclass(frozen=True)
class Classes:
    """The isomorphism classes of adjacencies, and the class of every raw form.

    Attributes:
        nodes: number of vertices of each class, int64, C.
        codes: its smallest code, int64, C.
        offsets: its first slot, int64, C + 1.
        raws: raw form of its smallest code, the used vertices first, int64, C.
        of_raw: class of each raw form, int16, 2**21; `DISCONNECTED` or `TOO_MANY_EDGES` where it is no cell.
        order_of_raw: row of `orders`, int16, 2**21.
        orders: which interior vertices of the raw form (0 to 4) are those of the class, in its order, int64, 326 x 5; 0
            beyond.
        places: what the operation of each vertex of the class counts in the label, int64, C x 5; 0 beyond.
    """

    nodes: np.ndarray
    codes: np.ndarray
    offsets: np.ndarray
    raws: np.ndarray
    of_raw: np.ndarray
    order_of_raw: np.ndarray
    orders: np.ndarray
    places: np.ndarray

    def slots(self, raw: np.ndarray, operations: np.ndarray) -> np.ndarray:
        """Return the slot of each raw form (int64, B), negative (see `of_raw`) where it is no cell.

        Args:
            raw: raw forms, int, B.
            operations: 0, 1 or 2 for each of their interior vertices, int, B x 5; those of unused ones do not matter.
        """
        classes = self.of_raw[raw].astype(np.int64)
        orders = self.orders[self.order_of_raw[raw]]
        labels = (np.take_along_axis(operations, orders, axis=1) * self.places[classes]).sum(1)
        return np.where(classes < 0, classes, self.offsets[classes] + labels)

    def split(self, slots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return class (int64, B) and operations (int64, B x 5; 0 where the class has no such vertex) of slots."""
        which = np.searchsorted(self.offsets, slots, side="right") - 1
        places = self.places[which]
        return which, (slots - self.offsets[which])[:, None] // np.maximum(places, 1) % 3 * (places > 0)


@lru_cache(maxsize=1)
def classes() -> Classes:
    """Return the classes of all raw forms; takes about a second."""
    reduced = {n: _reduce(n) for n in range(2, MAX_NODES + 1)}
    codes = {n: np.unique(best[best >= 0]) for n, (best, _) in reduced.items()}
    first = dict(zip(codes, np.cumsum([0, *map(len, codes.values())]), strict=False))
    nodes = np.concatenate([np.full(len(c), n) for n, c in codes.items()])

    raw = np.arange(2 ** edge_bit(0, MAX_NODES), dtype=np.int32)
    used = _used_vertices_of_all(MAX_NODES)
    of_raw = np.full(len(raw), DISCONNECTED, dtype=np.int16)
    order_of_raw = np.zeros(len(raw), dtype=np.int16)
    orders: list[tuple[int, ...]] = []
    for count in range(MAX_NODES - 1):
        for interior in combinations(range(1, MAX_NODES - 1), count):
            vertices = (0, *interior, MAX_NODES - 1)
            here = np.flatnonzero(used == sum(1 << v for v in vertices))
            best, permutation = (table[_relabel(raw[here], vertices)] for table in reduced[count + 2])
            of_raw[here] = np.where(
                best < 0, TOO_MANY_EDGES, first[count + 2] + np.searchsorted(codes[count + 2], best)
            )
            order_of_raw[here] = len(orders) + permutation
            orders += [tuple(interior[i] - 1 for i in p) for p in permutations(range(count))]
    places = [[3 ** (n - 3 - k) if k < n - 2 else 0 for k in range(_INTERIOR)] for n in nodes]
    raws = [_relabel(c, (*range(n - 1), *[MAX_NODES] * (MAX_NODES - n), n - 1)) for n, c in codes.items()]
    return Classes(
        nodes=nodes,
        codes=np.concatenate(list(codes.values())).astype(np.int64),
        offsets=np.cumsum([0, *3 ** (nodes - 2)]),
        raws=np.concatenate(raws).astype(np.int64),
        of_raw=of_raw,
        order_of_raw=order_of_raw,
        orders=np.array([[*o, *[0] * (_INTERIOR - len(o))] for o in orders]),
        places=np.array(places),
    )


def used_vertices(codes: np.ndarray, n: int) -> np.ndarray:
    """Return which vertices lie on a path from vertex 0 to n - 1, as bits; 0 where there is no path."""
    sources = [(codes >> edge_bit(0, j)) & (2**j - 1) for j in range(n)]  # of the edges into j, as bits
    forward = np.ones_like(codes)
    for j in range(1, n):
        forward |= ((sources[j] & forward) != 0).astype(codes.dtype) << j
    backward = np.full_like(codes, 1 << (n - 1))
    for j in range(n - 1, 0, -1):
        backward |= np.where(backward >> j & 1, sources[j], 0)
    both = forward & backward
    return np.where(both & 1, both, 0)


def _used_vertices_of_all(n: int) -> np.ndarray:
    """Return `used_vertices` of every code of n vertices, uint8; piece by piece, to save memory."""
    codes = np.arange(2 ** edge_bit(0, n), dtype=np.int32)
    pieces = np.array_split(codes, max(1, len(codes) >> 17))
    return np.concatenate([used_vertices(piece, n).astype(np.uint8) for piece in pieces])


def _relabel(codes: np.ndarray, vertices: tuple[int, ...]) -> np.ndarray:
    """Return the codes with vertex `vertices[k]` as vertex k.

    Edges of vertices not listed are left out; a code with an edge that would point backwards becomes negative.
    """
    n = MAX_NODES
    place = {v: k for k, v in enumerate(vertices)}
    values = np.zeros(edge_bit(0, n), dtype=np.int32)
    for i, j in combinations(range(n), 2):
        if i in place and j in place:
            values[edge_bit(i, j)] = 1 << edge_bit(place[i], place[j]) if place[i] < place[j] else -(2**31)
    half = len(values) // 2
    low, high = (_subset_unions(part) for part in (values[:half], values[half:]))
    return low[codes & (2**half - 1)] | high[codes >> half]


def _subset_unions(values: np.ndarray) -> np.ndarray:
    """Return the union (bitwise or) of each subset of the values, subsets in the order of their bits."""
    unions = np.zeros(1, dtype=np.int32)
    for value in values:
        unions = np.concatenate([unions, unions | value])
    return unions


def _reduce(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest code isomorphic to each code of n vertices (int32, -1 where it is no cell), and which
    permutation of the interior vertices leads to it."""
    codes = np.arange(2 ** edge_bit(0, n), dtype=np.int32)
    here = codes[(_used_vertices_of_all(n) == 2**n - 1) & (np.bitwise_count(codes) <= MAX_EDGES)]
    best = here.copy()
    which = np.zeros(len(here), dtype=np.int16)
    for index, permutation in enumerate(permutations(range(1, n - 1))):
        other = _relabel(here, (0, *permutation, n - 1))
        better = (other >= 0) & (other < best)
        best[better] = other[better]
        which[better] = index
    table, chosen = np.full(len(codes), -1, dtype=np.int32), np.zeros(len(codes), dtype=np.int16)
    table[here], chosen[here] = best, which
    return table, chosen


@dataclass(frozen=True)
class Cells:
    """The cells, in ascending order of the official hash.

    Attributes:
        slots: smallest slot of each cell, int64, 423,624.
        hashes: first and second half of its official hash, uint64, 423,624 x 2.
        rows: row of the cell of each slot, int32.
    """

    slots: np.ndarray
    hashes: np.ndarray
    rows: np.ndarray


@lru_cache(maxsize=1)
def cells() -> Cells:
    """Return the cells; built in about a minute the first time, then read from the cache."""
    frame = cached_table("nb101-cells", fingerprint(["nb101-cells", VERSION]), _build)
    slots = frame["slot"].to_numpy().astype(np.int64)
    smallest = _smallest_slots(classes())
    rows = np.empty(len(smallest), dtype=np.int32)
    rows[slots] = np.arange(len(slots), dtype=np.int32)
    return Cells(slots, frame[["hash_high", "hash_low"]].to_numpy(), rows[smallest])


def rows_of(raw: np.ndarray, operations: np.ndarray) -> np.ndarray:
    """Return the row of each raw form (int64, B), negative where it is no cell; see `Classes.slots`."""
    slots = classes().slots(raw, operations)
    return np.where(slots < 0, slots, cells().rows[slots])


def _build() -> pd.DataFrame:
    known = classes()
    slots = np.unique(_smallest_slots(known))
    bounds = np.searchsorted(slots, known.offsets)
    hashes: list[str] = []
    for code, n, offset, start, stop in zip(known.codes, known.nodes, known.offsets, bounds, bounds[1:], strict=False):
        labels = _operations(slots[start:stop] - offset, n)
        hashes += _hashes(_adjacency(code, n), labels.tolist())
    halves = np.frombuffer(bytes.fromhex("".join(hashes)), dtype=">u8").reshape(-1, 2).astype(np.uint64)
    order = np.lexsort((halves[:, 1], halves[:, 0]))
    return pd.DataFrame(
        {"slot": slots[order].astype(np.int32), "hash_high": halves[order, 0], "hash_low": halves[order, 1]}
    )


def _smallest_slots(known: Classes) -> np.ndarray:
    """Return for every slot the smallest one that holds an isomorphic cell, int64."""
    smallest = np.arange(known.offsets[-1])
    for n in range(2, MAX_NODES + 1):
        here = np.flatnonzero(known.nodes == n)
        labels = np.arange(3 ** (n - 2))
        digits = _operations(labels, n)
        for permutation in permutations(range(n - 2)):
            relabelled = _relabel(known.codes[here], (0, *(v + 1 for v in permutation), n - 1))
            symmetric = known.offsets[here[relabelled == known.codes[here]]]  # where it is an automorphism
            images = digits[:, permutation] @ 3 ** np.arange(n - 3, -1, -1)
            slots = symmetric[:, None] + labels
            smallest[slots] = np.minimum(smallest[slots], symmetric[:, None] + images)
    return smallest


def _operations(labels: np.ndarray, n: int) -> np.ndarray:
    """Return the operation of each interior vertex of cells of n vertices with these labels, B x (n - 2)."""
    return labels[:, None] // 3 ** np.arange(n - 3, -1, -1) % 3


def _adjacency(code: int, n: int) -> np.ndarray:
    """Return the adjacency matrix of a code, bool, n x n."""
    matrix = np.zeros((n, n), dtype=bool)
    for i, j in combinations(range(n), 2):
        matrix[i, j] = code >> edge_bit(i, j) & 1
    return matrix


def _hashes(adjacency: np.ndarray, operations: list[list[int]]) -> list[str]:
    """Return the official graph hashes of cells of one adjacency.

    Iterative neighbourhood hashing as published: a vertex begins with the md5 of (out-degree, in-degree, label); n
    times it takes the md5 of its sources' hashes, its targets' hashes (each sorted) and its own; the cell's hash is the
    md5 of the sorted list. The label is -1 for the input, -2 for the output, else the place in `OPERATIONS`.
    """
    around = [
        (np.flatnonzero(s).tolist(), np.flatnonzero(t).tolist()) for s, t in zip(adjacency.T, adjacency, strict=True)
    ]
    found = []
    for inner in operations:
        labels = (-1, *inner, -2)
        names = [_md5(str((len(t), len(s), label))) for (s, t), label in zip(around, labels, strict=True)]
        for _ in labels:
            names = [
                _md5(f"{_joined(names, sources)}|{_joined(names, targets)}|{own}")
                for (sources, targets), own in zip(around, names, strict=True)
            ]
        found.append(_md5(str(sorted(names))))
    return found


def _joined(names: list[str], vertices: list[int]) -> str:
    return "".join(sorted([names[v] for v in vertices]))


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
