"""Cells as codes of fixed length: one choice per field, each field with its own number of choices.

NAS-Bench-201 and TransNAS-Bench-101-Micro are such codes. A NAS-Bench-101 cell is read in its fixed form of 7 vertices:
21 fields for the pairs i < j (edge or none) and 5 for the operations. The used vertices come first, the output is
vertex 6; unused vertices have no edges. A code is a cell when what is left of it after pruning is one, so several codes
may be the same cell. An edge against the order of the vertices is not in the form, so of the neighbours of a cell of 7
vertices a few are no edit of it; and of a smaller cell, those that bring an unused vertex into use.

What works on codes: changing fields by chance, mixing the fields of two cells, drawing each field on its own (the
controller of `search.reinforce`), and one-edit neighbours of whole populations at once.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from nasrepro.errors import UnknownQuery
from nasrepro.spaces.base import INVALID
from nasrepro.spaces.edge_cell import EdgeCellSpace
from nasrepro.spaces.nb101.enumeration import MAX_NODES, cells, classes, edge_bit, rows_of
from nasrepro.spaces.nb101.neighbours import fixed_form_edits
from nasrepro.spaces.nb101.space import NB101Space


class FixedCode(Protocol):
    """The fixed-length code of a space.

    Attributes:
        choices: number of choices of each field, int64, F.
        rates: probability that a mutation changes a field, F. It is one change in the mean per kind of field, but one
            edge per vertex in NAS-Bench-101 (Ying et al., 2019, and SEP with mutation rate 1).
    """

    choices: np.ndarray
    rates: np.ndarray

    def of_rows(self, rows: np.ndarray) -> np.ndarray:
        """Return the code of each row (int64, B x F)."""

    def to_rows(self, codes: np.ndarray) -> np.ndarray:
        """Return the row of each code (int64, B; -1 where it is no cell)."""

    def edits(self, rows: np.ndarray) -> np.ndarray:
        """Return the row that each change of one field leads to (int64, B x E; -1 where it is no cell). An edit of
        unused vertices leads back to the cell itself."""


class _EdgeCode:
    """One operation per edge of the cell."""

    def __init__(self, space: EdgeCellSpace) -> None:
        self.choices, self.rates = np.full(6, space.base), np.full(6, 1 / 6)
        self._place_values = space.place_values

    def of_rows(self, rows: np.ndarray) -> np.ndarray:
        codes: np.ndarray = np.asarray(rows)[:, None] // self._place_values % self.choices
        return codes

    def to_rows(self, codes: np.ndarray) -> np.ndarray:
        rows: np.ndarray = codes @ self._place_values
        return rows

    def edits(self, rows: np.ndarray) -> np.ndarray:
        rows = np.asarray(rows)
        codes, steps = self.of_rows(rows), np.arange(1, self.choices[0])
        changed = (codes[:, :, None] + steps) % self.choices[0] - codes[:, :, None]
        found: np.ndarray = rows[:, None, None] + changed * self._place_values[:, None]
        return found.reshape(len(rows), int((self.choices - 1).sum()))


class _CellCode:
    """An edge or none for each pair i < j of 7 vertices, row by row, then the operations of the vertices 1 to 5."""

    def __init__(self) -> None:
        pairs = [edge_bit(int(i), int(j)) for i, j in zip(*np.triu_indices(MAX_NODES, 1), strict=True)]
        self._bits, n_operations = np.array(pairs), MAX_NODES - 2
        self.choices = np.repeat([2, 3], [len(pairs), n_operations])
        self.rates = np.repeat([1 / MAX_NODES, 1 / n_operations], [len(pairs), n_operations])

    def of_rows(self, rows: np.ndarray) -> np.ndarray:
        which, operations = classes().split(cells().slots[rows])
        return np.concatenate([classes().raws[which][:, None] >> self._bits & 1, operations], axis=1)

    def to_rows(self, codes: np.ndarray) -> np.ndarray:
        edges = len(self._bits)
        rows = rows_of(codes[:, :edges] @ (1 << self._bits), codes[:, edges:])
        return np.where(rows < 0, INVALID, rows)

    def edits(self, rows: np.ndarray) -> np.ndarray:
        found = fixed_form_edits(np.asarray(rows))
        return np.where(found < 0, INVALID, found)


def fixed_code(space: Any) -> FixedCode:
    """Return the fixed-length code of a space; raise `UnknownQuery` where it has none."""
    if isinstance(space, EdgeCellSpace):
        return _EdgeCode(space)
    if isinstance(space, NB101Space):
        return _CellCode()
    raise UnknownQuery(
        f"The space {getattr(space, 'name', space)} has no code of fixed length; nb101, nb201 and tnb101-micro have."
    )


def changed_fields(code: FixedCode, codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return codes (B x F) in which each field was replaced with the probability of `rates` by another choice."""
    others = (codes + 1 + (rng.random(codes.shape) * (code.choices - 1)).astype(np.int64)) % code.choices
    return np.where(rng.random(codes.shape) < code.rates, others, codes)
