"""What every difference predictor can do: F(a, b), how much more accurate b is than a (Delta-NAS, section 4.2)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from nasrepro.delta.pairs import DifferenceData
from nasrepro.encodings.aligned_form import fixed_form
from nasrepro.encodings.cells import Cells, take
from nasrepro.spaces.base import SearchSpace


class DifferencePredictor(ABC):
    """Predicts the label of one architecture minus that of another, in the unit of the labels.

    Args:
        space: whose architectures.
    """

    def __init__(self, space: SearchSpace[Any]) -> None:
        self.space = space

    @abstractmethod
    def fit(self, data: DifferenceData) -> None:
        """Learn from labelled pairs, from scratch."""

    @abstractmethod
    def gain_cells(self, base: Cells, neighbour: Cells) -> np.ndarray:
        """Return the predicted y(neighbour) - y(base) of cells (rows of a finite space, else architectures), float64,
        B."""

    @abstractmethod
    def chained(self, cells: Cells, anchors: Cells, labels: np.ndarray) -> np.ndarray:
        """Return the label of each cell (float64, B) as predictions chained from labelled anchors along edit paths give
        it, in the mean over the anchors."""


def chain_edits(
    space: SearchSpace[Any],
    cells: Cells,
    anchors: Cells,
    labels: np.ndarray,
    gain: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> np.ndarray:
    """Return the mean over anchors of the anchor's label and the gains of single edits on the way to each cell.

    The places in which the two differ are changed one after the other, in their order; the networks in between need not
    be valid, and are encoded all the same.

    Args:
        space: whose architectures.
        cells: where the ways end, B.
        anchors: where they begin, each to every cell.
        labels: of the anchors.
        gain: predicted difference (B) of pairs of fixed-form vectors (float32, B x F), before and after an edit.
    """
    form, total = fixed_form(space), np.zeros(len(cells))
    for number, label in enumerate(labels):
        anchor = take(anchors, np.full(len(cells), number))
        present, goal = form.vectors(anchor), form.aligned(anchor, cells)
        total += label
        for place in range(int(form.places.max()) + 1):
            columns = np.flatnonzero(form.places == place)
            moved = np.flatnonzero((present[:, columns] != goal[:, columns]).any(1))
            if len(moved):
                before = present[moved]
                present[np.ix_(moved, columns)] = goal[np.ix_(moved, columns)]
                total[moved] += gain(before, present[moved])
    return total / len(labels)
