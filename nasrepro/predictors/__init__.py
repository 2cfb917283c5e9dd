"""Predictors: from features of cells to their accuracy, learnt from a few labels."""

from __future__ import annotations

from typing import Protocol

import numpy as np


class Predictor(Protocol):
    """What every predictor can do. What it predicts ranks cells; only some predict in the unit of the labels."""

    def fit(self, features: np.ndarray, labels: np.ndarray, seed: int) -> None:
        """Learn from labels (B) of cells with these features (B x F)."""

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return a score of each cell (features B x F), B; the higher, the better."""
