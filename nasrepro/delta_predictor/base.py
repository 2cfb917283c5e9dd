"""What every difference predictor can do: F(a, b), how much more accurate b is than a (Delta-NAS, section 4.2)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from nasrepro.delta_data import DifferenceData
from nasrepro.encodings.fixed_form import Cells
from nasrepro.spaces.base import FiniteSpace, SearchSpace


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

    def gain(self, base: Sequence[Any], neighbour: Sequence[Any]) -> np.ndarray:
        """Return the predicted y(neighbour) - y(base) of architectures, float64, B."""
        if isinstance(self.space, FiniteSpace):
            return self.gain_cells(self.space.rows(base), self.space.rows(neighbour))
        return self.gain_cells(list(base), list(neighbour))

    def gain_rows(self, base_rows: np.ndarray, neighbour_rows: np.ndarray) -> np.ndarray:
        """Return the predicted y(neighbour) - y(base) of rows (int64, B) of a finite space, float64, B."""
        return self.gain_cells(base_rows, neighbour_rows)
