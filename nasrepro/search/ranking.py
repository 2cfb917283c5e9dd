"""The plainest use of a predictor: query the cells that it scores highest, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nasrepro.search.base import Proposal
from nasrepro.spaces.base import FiniteSpace


class Ranking:
    """Propose the cells of a finite space in the order of given scores, the highest first.

    Args:
        space: where to search.
        scores: by row of the space.
    """

    name = "ranking"

    def __init__(self, space: FiniteSpace[Any], scores: np.ndarray) -> None:
        self._space, self._order, self._next = space, np.argsort(-scores, kind="stable"), 0

    def ask(self, n: int) -> list[Proposal]:
        """Return the next n cells; fewer only at the end of the space."""
        rows = self._order[self._next : self._next + n]
        self._next += len(rows)
        return [Proposal(self._space.from_index(int(row))) for row in rows]

    def tell(self, proposals: Sequence[Proposal], values: np.ndarray) -> None:
        """Learn nothing."""
