"""The difference-of-architecture encoding (Delta-NAS, sections 3 and 4.1).

The difference of a pair is signed: the one-hot places of the second cell minus those of the first (see `fixed_form`).
By itself it does not say what it is a change of. Then the same code stands for thousands of pairs, whose differences in
accuracy vary, and no predictor has a smaller squared error than their mean. Section 4.1 speaks of "a pair of networks"
and Figure 2 of "pairs of graph and operation embeddings", so by default the base architecture is visible beside the
difference.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from nasrepro.encodings.aligned_form import fixed_form
from nasrepro.encodings.cells import Cells
from nasrepro.spaces.base import SearchSpace

View = Literal["alone", "base", "both"]


def signed_difference(space: SearchSpace[Any], base: Cells, other: Cells) -> np.ndarray:
    """Return the difference of each pair, float32 in {-1, 0, 1}, B x F.

    Args:
        space: whose architectures.
        base: cells before, rows (int64) of a finite space, else architectures.
        other: cells after, as many.
    """
    form = fixed_form(space)
    difference: np.ndarray = form.aligned(base, other) - form.vectors(base)
    return difference


def difference_encoding(space: SearchSpace[Any], base: Cells, other: Cells, view: View = "base") -> np.ndarray:
    """Encode pairs of cells, float32.

    Args:
        space: whose architectures.
        base: cells before.
        other: cells after.
        view: `alone`, the signed difference (B x F); `base`, the cell before and the signed difference; `both`, the
            cells before and after (B x 2 F each).
    """
    form = fixed_form(space)
    return combine(form.vectors(base), form.aligned(base, other), view)


def combine(before: np.ndarray, after: np.ndarray, view: View) -> np.ndarray:
    """Return the encoding of pairs of aligned vectors (float32, B x F each); see `difference_encoding`."""
    if view == "alone":
        return after - before
    return np.concatenate([before, after - before if view == "base" else after], axis=1)


def code_numbers(differences: np.ndarray) -> np.ndarray:
    """Return a number for each difference (int64, B), equal exactly for equal differences of the batch."""
    numbers: np.ndarray = np.unique(differences.astype(np.int8), axis=0, return_inverse=True)[1]
    return numbers.ravel()
