"""Predictors: from features of cells to their accuracy, learnt from a few labels."""

from __future__ import annotations

from typing import Protocol

import numpy as np


class Predictor(Protocol):
    """What every predictor can do. Its level need not mean anything: what it predicts ranks cells, or is subtracted."""

    def fit(self, features: np.ndarray, targets: np.ndarray, groups: np.ndarray | None = None) -> None:
        """Learn from targets (B) of cells with these features (B x F), from scratch.

        Args:
            features: of the cells.
            targets: their labels, scaled to variance 1.
            groups: number of each cell's group (int, B), where only differences within a group are known; None where
                all are.
        """

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return a score of each cell (features B x F), B; the higher, the better."""
