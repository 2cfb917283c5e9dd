"""Fixed forms: architectures as the contents of the same places, so that one can be subtracted from another.

Delta-NAS (section 3) takes every architecture to be a vector of n places. Cells whose vertices are numbered by accident
have many such vectors. Here the second cell of a pair is numbered such that it differs from the first in the fewest
places: a difference does not depend on how the two happen to be written, and one edit changes one place.

- `EdgeForm`: cells with an operation on each of six edges (NAS-Bench-201, TransNAS-Bench-101 micro); as they are.
- `NB101Form`: five inner vertices (operation or nothing) and every possible edge; best of all matchings of vertices.
- `GraphForm`: cells of your own, an operation on each node and every possible edge; as they are numbered.
- `NB301Form`: both DARTS cells, sixteen slots (input, operation); best of all numberings and orders of the slots.

Each form can also edit: change k different places at random such that the result is an architecture k edits away.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from nasrepro.encodings.adjacency import adjacency_encoding
from nasrepro.encodings.cells import Cells, architectures, encode, of_architectures
from nasrepro.errors import UnknownQuery
from nasrepro.spaces.base import SearchSpace
from nasrepro.spaces.darts.genotype import N_INPUTS, N_NODES, N_SLOTS, OPERATIONS
from nasrepro.spaces.darts.space import NB301Space, aligned_slots
from nasrepro.spaces.declared import FunctionSpace
from nasrepro.spaces.edge_cell import EdgeCellSpace
from nasrepro.spaces.fixed_code import fixed_code
from nasrepro.spaces.nb101 import graph_edits as edit_distance
from nasrepro.spaces.nb101.space import NB101Space
from nasrepro.spaces.own import OwnSpace

_CHUNK = 4_096  # pairs aligned at a time


class FixedForm(ABC):
    """Places of a space, each one-hot.

    Attributes:
        space: whose architectures.
        places: number of the place of each one-hot entry, int64, F.
        most_edits: largest number of edits that `edited` makes.
    """

    space: SearchSpace[Any]
    places: np.ndarray
    most_edits: int

    @abstractmethod
    def vectors(self, cells: Cells) -> np.ndarray:
        """Return the one-hot contents of the places, float32, B x F."""

    def aligned(self, base: Cells, other: Cells) -> np.ndarray:
        """Return the vectors of `other`, float32, B x F, each numbered as like the vector of its `base` as can be."""
        return self.vectors(other)

    @abstractmethod
    def edited(self, cells: Cells, k: int, rng: np.random.Generator, exact: bool = False) -> tuple[Cells, np.ndarray]:
        """Change k random places of each cell.

        Args:
            cells: the cells to edit, B.
            k: number of edits.
            rng: source of the edits.
            exact: see `NB101Form`; everywhere else the distance is k anyway.

        Returns:
            The cells made, as many as given, and whether each is one at distance k (bool, B). Where it is not, the cell
            given is returned. The subclass says what the distance is.
        """


class EdgeForm(FixedForm):
    """Six places for one of K operations. Distance: number of edges whose operations differ."""

    def __init__(self, space: EdgeCellSpace) -> None:
        self.space, self._base, self._code = space, len(space.operations), fixed_code(space)
        self.places, self.most_edits = np.repeat(np.arange(6), self._base), 6

    def vectors(self, cells: Cells) -> np.ndarray:
        return np.eye(self._base, dtype=np.float32)[self._code.of_rows(np.asarray(cells))].reshape(len(cells), -1)

    def edited(self, cells: Cells, k: int, rng: np.random.Generator, exact: bool = False) -> tuple[Cells, np.ndarray]:
        step = rng.integers(1, self._base, size=(len(cells), 6)) * _chosen(len(cells), 6, k, rng)
        made = self._code.to_rows((self._code.of_rows(np.asarray(cells)) + step) % self._base)
        return made, np.ones(len(cells), dtype=bool)  # k different edges changed are k edits


class NB101Form(FixedForm):
    """Five places for an operation or nothing, and a place for each directed edge that a matching may need.

    An edit changes the operation of a used vertex, or adds or removes one edge of the graph of seven vertices; what no
    longer lies on a path is dropped. The graph edit distance of the result (see `spaces.edit_distance`) is at least k;
    it is more where vertices are dropped with their edges, unless edits are to be `exact`: then it is k.
    """

    def __init__(self, space: NB101Space) -> None:
        self.space, self.most_edits, self._code = space, 21, fixed_code(space)
        self.places = np.concatenate([np.repeat(np.arange(5), 3), np.arange(5, 5 + 2 * 5 + 20 + 1)])
        self._ordered = ~np.eye(5, dtype=bool)

    def _packed(self, cells: Cells) -> edit_distance.Packed:
        graphs = self.space.encode_rows(np.asarray(cells))  # type: ignore[attr-defined]
        sizes = graphs.mask.sum(1).numpy()
        return edit_distance.pack(graphs.nodes.numpy(), graphs.adjacency().numpy(), sizes)

    def _vectors(self, packed: edit_distance.Packed, orders: np.ndarray | None = None) -> np.ndarray:
        count = len(packed)
        inner = np.zeros((count, 5, 5), dtype=np.float32)
        inner[:, *np.triu_indices(5, 1)] = packed.inner[:, None] >> np.arange(10) & 1
        slots = packed.slots
        if orders is not None:
            slots = np.take_along_axis(slots, orders[:, None], axis=2)
            inner = inner[np.arange(count)[:, None, None], orders[:, :, None], orders[:, None, :]]
        operations = slots[:, 0, :, None] == np.arange(1, 4)
        parts = [operations, slots[:, 1:], inner[:, self._ordered], packed.direct[:, None]]
        return np.concatenate([part.reshape(count, -1).astype(np.float32) for part in parts], axis=1)

    def vectors(self, cells: Cells) -> np.ndarray:
        return self._vectors(self._packed(cells))

    def aligned(self, base: Cells, other: Cells) -> np.ndarray:
        def part(base: Cells, other: Cells) -> np.ndarray:
            a, b = self._packed(base), self._packed(other)
            return self._vectors(b, edit_distance.best_orders(a, b))

        return _in_chunks(part, base, other)

    def edited(self, cells: Cells, k: int, rng: np.random.Generator, exact: bool = False) -> tuple[Cells, np.ndarray]:
        rows = np.asarray(cells, dtype=np.int64)
        edges, operations = np.split(self._code.of_rows(rows), [21], axis=1)
        usable = np.ones((len(rows), 26), dtype=bool)
        usable[:, :5] = np.arange(5) < self.space.encode_rows(rows).mask.sum(1).numpy()[:, None] - 2  # type: ignore[attr-defined]
        chosen = _chosen(len(rows), 26, k, rng, usable)
        changed = (operations + rng.integers(1, 3, size=operations.shape) * chosen[:, :5]) % 3
        made = self._code.to_rows(np.concatenate([edges ^ chosen[:, 5:], changed], axis=1))
        fits = (made >= 0) & (made != rows)
        if fits.any() and (exact or k > 1):
            distance = edit_distance.edit_distances(self._packed(rows[fits]), self._packed(made[fits]))
            fits[fits] = distance == k if exact else distance >= k
        return np.where(fits, made, rows), fits


class NB301Form(FixedForm):
    """Both cells' eight slots, each with one of six inputs and one of seven operations.

    An edit changes the input or the operation of one slot. Distance: that of `NB301Space`, exactly k.
    """

    def __init__(self, space: NB301Space) -> None:
        self.space, self._n_inputs = space, N_INPUTS + N_NODES
        fields = np.tile([self._n_inputs, len(OPERATIONS)], 2 * N_SLOTS)
        self.places, self.most_edits = np.repeat(np.arange(len(fields)), fields), 6

    def _one_hot(self, slots: np.ndarray) -> np.ndarray:
        """Return the one-hot form (B x F) of slots (B x 2 x 8 x 2)."""
        sources = np.eye(self._n_inputs, dtype=np.float32)[slots[..., 0]]
        operations = np.eye(len(OPERATIONS), dtype=np.float32)[slots[..., 1]]
        return np.concatenate([sources, operations], axis=-1).reshape(len(slots), -1)

    def vectors(self, cells: Cells) -> np.ndarray:
        return self._one_hot(_slots(cells))

    def aligned(self, base: Cells, other: Cells) -> np.ndarray:
        def part(base: Cells, other: Cells) -> np.ndarray:
            a, b = (_slots(c).reshape(-1, N_SLOTS, 2) for c in (base, other))
            return self._one_hot(aligned_slots(a, b).reshape(-1, 2, N_SLOTS, 2))

        return _in_chunks(part, base, other)

    def edited(self, cells: Cells, k: int, rng: np.random.Generator, exact: bool = False) -> tuple[Cells, np.ndarray]:
        before = _slots(cells)
        readable = N_INPUTS + np.arange(N_SLOTS) // 2  # inputs that a slot can choose from
        chosen = _chosen(len(before), 4 * N_SLOTS, k, rng, np.tile(_editable(readable), (len(before), 1)))
        fields = chosen.reshape(-1, 2, N_SLOTS, 2)
        sizes = np.stack([readable, np.full(N_SLOTS, len(OPERATIONS))], axis=-1)
        after = (before + fields * (1 + rng.integers(1 << 40, size=fields.shape) % np.maximum(sizes - 1, 1))) % sizes
        fits = (after[:, :, ::2, 0] != after[:, :, 1::2, 0]).all((1, 2))
        made = [_pair(a) if ok else cell for a, ok, cell in zip(after, fits, cells, strict=True)]
        fits[fits] = [self.space.distance(cells[i], made[i]) == k for i in np.flatnonzero(fits)]
        return [m if ok else cell for m, ok, cell in zip(made, fits, cells, strict=True)], fits


class GraphForm(FixedForm):
    """The one-hot adjacency encoding of the graph form. Edits and distance are those of the space."""

    def __init__(self, space: SearchSpace[Any]) -> None:
        self.space, self.most_edits = space, 6
        n = space.max_nodes
        nodes = np.repeat(np.arange(n), len(space.node_classes))
        self.places = np.concatenate([nodes, np.arange(n, n + n * (n - 1) // 2)])

    def vectors(self, cells: Cells) -> np.ndarray:
        vectors: np.ndarray = adjacency_encoding(encode(self.space, cells), len(self.space.node_classes)).numpy()
        return vectors

    def edited(self, cells: Cells, k: int, rng: np.random.Generator, exact: bool = False) -> tuple[Cells, np.ndarray]:
        before = architectures(self.space, cells)
        after = list(before)
        for _ in range(k):
            after = [self.space.mutate(arch, rng) for arch in after]
        fits = np.array([self.space.distance(a, b) == k for a, b in zip(before, after, strict=True)], dtype=bool)
        made = [b if ok else a for a, b, ok in zip(before, after, fits, strict=True)]
        return of_architectures(self.space, made), fits


@lru_cache(maxsize=8)
def fixed_form(space: SearchSpace[Any]) -> FixedForm:
    """Return the fixed form of a space; raise `UnknownQuery` for one without."""
    forms: tuple[tuple[type, Callable[[Any], FixedForm]], ...] = (
        (EdgeCellSpace, EdgeForm),
        (NB101Space, NB101Form),
        (NB301Space, NB301Form),
        (OwnSpace, GraphForm),
        (FunctionSpace, GraphForm),
    )
    found = next((form for kind, form in forms if isinstance(space, kind)), None)
    if found is None:
        raise UnknownQuery(
            f"The space {space.name} has no fixed form; nb101, nb201, tnb101-micro, nb301 and your own have one."
        )
    return found(space)


def _chosen(count: int, places: int, k: int, rng: np.random.Generator, usable: np.ndarray | None = None) -> np.ndarray:
    """Return k random places of each of `count` cells (bool, count x places), the usable ones first."""
    order = rng.random((count, places))
    if usable is not None:
        order[~usable] += 1
    chosen: np.ndarray = order.argsort(1).argsort(1) < k
    return chosen


def _in_chunks(part: Callable[[Cells, Cells], np.ndarray], base: Cells, other: Cells) -> np.ndarray:
    """Return `part` of pairs, a few thousand at a time, because each pair is compared under every numbering."""
    starts = range(0, max(len(base), 1), _CHUNK)
    return np.concatenate([part(base[s : s + _CHUNK], other[s : s + _CHUNK]) for s in starts])


def _slots(cells: Cells) -> np.ndarray:
    return np.array(cells, dtype=np.int64).reshape(-1, 2, N_SLOTS, 2)


def _pair(slots: np.ndarray) -> Any:
    return tuple(tuple((source, op) for source, op in cell) for cell in slots.tolist())


def _editable(readable: np.ndarray) -> np.ndarray:
    """Return which fields of two cells have a second choice, bool, 32: the first node reads both inputs anyway."""
    return np.tile(np.stack([readable > N_INPUTS, np.ones(N_SLOTS, dtype=bool)], axis=-1).ravel(), 2)


__all__ = ["FixedForm", "fixed_form"]
