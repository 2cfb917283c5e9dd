"""A space of your own: the cells that a table lists, whatever they are made of.

A cell is a directed acyclic graph with an operation on each node. Where the listed cells come from one larger space,
this one knows nothing of it: a graph that is not listed is refused (kind `unlisted`), well formed or not, because
nothing is known of it. `nasrepro.benchmarks.own` reads the table; `declared` has spaces without a list.

Isomorphic cells are one architecture (see `cells` beyond 12 nodes), in the form in which it is listed first; whatever
this module returns has that form. Its row is its place in the list, isomorphic ones counted once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from nasrepro.errors import InvalidArchitecture, did_you_mean
from nasrepro.spaces import cells as forms
from nasrepro.spaces.base import INVALID, FiniteSpace
from nasrepro.spaces.cells import EXACT_NODES, Cell, check_form, pairs_of

if TYPE_CHECKING:
    from nasrepro.graphs import Graphs

Code = tuple[bytes, bytes]  # classes of the nodes; sources and targets of the edges in turn


class OwnSpace(FiniteSpace[Cell]):
    """The listed cells.

    Args:
        cells: at least one; isomorphic ones are merged.
        name: of the space.
        kinds: operation -> what it is, one of `cells.KINDS`; by default what the name is known for, else `other`.

    Attributes:
        codes: each listed form, isomorphic ones too, -> its row.
        invariants: of the codes, see `cells.invariants`.

    Raises:
        InvalidArchitecture: no cell, or one that is not well formed.
    """

    def __init__(self, cells: Iterable[Cell], name: str = "own", kinds: Mapping[str, str] | None = None) -> None:
        listed = list(dict.fromkeys(cells))
        for cell in listed:
            check_form(cell)
        if not listed:
            raise InvalidArchitecture("A space of your own needs at least one cell.", "nodes")
        names = tuple(sorted({operation for cell in listed for operation in cell.operations}))
        if len(names) > 256:
            raise InvalidArchitecture(f"A table may name 256 operations, not {len(names)}.", "operations")
        self._name(name, names, kinds)
        self._by_invariant: dict[int, list[int]] = {}
        self._codes: list[Code] = []
        self.codes: dict[Code, int] = {}
        self.invariants = forms.invariants(listed)
        for cell, invariant in zip(listed, self.invariants.tolist(), strict=True):
            rows = self._by_invariant.setdefault(invariant, [])
            row = self._same(cell, rows)
            code = self._code(cell)
            if row == INVALID:
                row = len(self._codes)
                rows.append(row)
                self._codes.append(code)
            self.codes[code] = row
        self._measure()

    @classmethod
    def restored(
        cls,
        name: str,
        kinds: Mapping[str, str] | None,
        names: Sequence[str],
        codes: Mapping[Code, int],
        bits: np.ndarray,
    ) -> OwnSpace:
        """Return the space whose `codes`, and their invariants, were kept; `names` are its node classes."""
        space = cls.__new__(cls)
        space._name(name, tuple(names), kinds)
        space.codes, space.invariants, space._codes, space._by_invariant = dict(codes), bits, [], {}
        for (code, row), invariant in zip(codes.items(), bits.tolist(), strict=True):
            if row == len(space._codes):
                space._codes.append(code)
                space._by_invariant.setdefault(invariant, []).append(row)
        space._measure()
        return space

    def _name(self, name: str, names: tuple[str, ...], kinds: Mapping[str, str] | None) -> None:
        self.name = self.title = name
        self.node_classes = forms.declared_names(names, kinds)
        self._class_of = {operation: k for k, operation in enumerate(names)}
        self._near: dict[int, list[int]] = {}

    def _measure(self) -> None:
        self.size = len(self._codes)
        self.max_nodes = max(len(operations) for operations, _ in self._codes)

    def check(self, arch: Cell) -> None:
        """Raise `InvalidArchitecture` unless `arch` is isomorphic to a listed cell; its kind is `nodes`, `operations`,
        `edges` or `unlisted`."""
        self.index(arch)

    def index(self, arch: Cell) -> int:
        """Return the row of a cell; raises as `check`."""
        check_form(arch)
        row = int(self._find([arch])[0])
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
            f"{forms.to_string(arch)} is none of the {self.size:,} listed cells: nothing is known of it.", "unlisted"
        )

    def rows(self, archs: Sequence[Cell]) -> np.ndarray:
        """Return the rows (int64, B) of many cells, all at once; raises as `check`."""
        for arch in archs:
            check_form(arch)
        found = self._find(archs)
        for b in np.flatnonzero(found == INVALID):
            self.index(archs[int(b)])
        return found

    def _at(self, row: int) -> Cell:
        operations, ends = self._codes[row]
        return Cell(tuple(self.node_classes[c] for c in operations), tuple(zip(ends[::2], ends[1::2], strict=True)))

    def key(self, arch: Cell) -> str:
        """Return the string of the canonical form of a listed cell; see `cells.key` beyond 12 nodes."""
        return forms.key(self._at(self.index(arch)))

    def neighbours(self, arch: Cell) -> list[Cell]:
        """Return the listed cells one edit away: another operation on one node, one edge more or less, or one node
        without edges more or less. A symmetric relation; a sparse list leaves cells without neighbours."""
        row = self.index(arch)
        if row not in self._near:
            found = set(self._find(list(forms.edited(self._at(row), self.node_classes))).tolist())
            self._near[row] = sorted(found - {INVALID, row})
        return [self._at(other) for other in self._near[row]]

    def mutate(self, arch: Cell, rng: np.random.Generator) -> Cell:
        """Draw one of the neighbours uniformly; `InvalidArchitecture` of kind `isolated` where there is none."""
        if not self.neighbours(arch):
            raise InvalidArchitecture(
                f"No listed cell is one edit away from {forms.to_string(arch)}. Searches that mutate need a table that "
                "lists cells and their neighbours; random search does not.",
                "isolated",
            )
        return super().mutate(arch, rng)

    def distance(self, a: Cell, b: Cell) -> int:
        """Return the fewest edits of `neighbours` from `a` to `b` (exact), where what lies between need not be
        listed."""
        return forms.distance(*(self._at(self.index(cell)) for cell in (a, b)))

    def _encode(self, rows: np.ndarray) -> Graphs:
        import torch

        from nasrepro.graphs import Graphs

        n = self.max_nodes
        nodes = np.zeros((len(rows), n), dtype=np.int64)
        pairs = np.zeros((len(rows), len(pairs_of(n))), dtype=np.int64)
        sizes = np.zeros(len(rows), dtype=np.int64)
        for b, row in enumerate(rows.tolist()):
            operations, ends = self._codes[row]
            sizes[b] = len(operations)
            nodes[b, : len(operations)] = list(operations)
            i, j = np.frombuffer(ends, dtype=np.uint8).astype(np.int64).reshape(-1, 2).T
            pairs[b, i * (2 * n - i - 1) // 2 + j - i - 1] = 1
        mask = np.arange(n) < sizes[:, None]
        return Graphs(*map(torch.from_numpy, (nodes, pairs, mask)))

    def read(self, nodes: list[int], adjacency: np.ndarray) -> Cell:
        """Return the listed form of the cell of one graph; what is wrong is of kind `nodes`, `operations` or
        `unlisted`."""
        edges = tuple((i, j) for i, j in np.argwhere(adjacency).tolist())
        return self._at(self.index(Cell(tuple(self.class_names(nodes)), edges)))

    def to_string(self, arch: Cell) -> str:
        """Return the listed form as JSON, e.g. `{"operations": ["input", "output"], "edges": [[0, 1]]}`."""
        return forms.to_string(self._at(self.index(arch)))

    def from_string(self, text: str) -> Cell:
        """Parse what `to_string` writes; raise `InvalidArchitecture` with the reason."""
        return self._at(self.index(forms.from_string(text)))

    def _find(self, cells: Sequence[Cell]) -> np.ndarray:
        """Return the rows of well-formed cells (int64, B), -1 where one is not listed."""
        known = [set(cell.operations) <= self._class_of.keys() for cell in cells]
        rows = np.array(
            [self.codes.get(self._code(c), INVALID) if k else INVALID for c, k in zip(cells, known, strict=True)],
            dtype=np.int64,
        )
        others = np.flatnonzero(np.array(known, dtype=bool) & (rows == INVALID)).tolist()
        bits = forms.invariants([cells[b] for b in others]).tolist() if others else []
        for b, invariant in zip(others, bits, strict=True):
            rows[b] = self._same(cells[b], self._by_invariant.get(invariant, []))
        return rows

    def _same(self, cell: Cell, rows: Sequence[int]) -> int:
        """Return which of some rows of the cell's invariant is the same architecture, -1 where none is."""
        exact = len(cell.operations) <= EXACT_NODES
        return next((r for r in rows if not exact or forms.key(self._at(r)) == forms.key(cell)), INVALID)

    def _code(self, cell: Cell) -> Code:
        classes = bytes(self._class_of[operation] for operation in cell.operations)
        return classes, bytes(chain.from_iterable(cell.edges))
