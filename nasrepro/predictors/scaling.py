"""Labels on a scale that models are fitted to: normal scores, and mean 0 with variance 1."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import norm, rankdata


def normal_scores(values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return the normal quantiles of the ranks of values, (rank - 1/2) / B; equal values share the mean of their
    ranks."""
    scores: np.ndarray = norm.ppf((rankdata(values) - 0.5) / len(values))
    return scores


def unit_variance(values: np.ndarray) -> np.ndarray:
    """Return values divided by their standard deviation along the last axis (by 1 where they are equal)."""
    spread = values.std(-1, keepdims=True)
    scaled: np.ndarray = values / np.where(spread > 0, spread, 1)
    return scaled


def standardised(values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return values of mean 0 and variance 1 along the last axis (all 0 where they are equal), float64."""
    array = np.asarray(values, dtype=np.float64)
    return unit_variance(array - array.mean(-1, keepdims=True))
