"""Random search, and the control that knows the answer's class: a uniform draw from the labelled top class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nasrepro.search.base import OneByOne, Proposal
from nasrepro.spaces.base import FiniteSpace, SearchSpace


class RandomSearch(OneByOne):
    """Draw distinct architectures from the space, with the distribution of its `sample`.

    Args:
        space: where to search.
        rng: source of randomness.
        seen: keys of architectures not to propose; what is proposed is added. Other searchers share theirs to draw
            their random cells here.
    """

    name = "random"

    def __init__(self, space: SearchSpace[Any], rng: np.random.Generator, seen: set[str] | None = None) -> None:
        self._space, self._rng = space, rng
        self._seen = set() if seen is None else seen

    def next(self) -> Any | None:
        """Return an architecture that was not proposed before."""
        while self._space.size is None or len(self._seen) < self._space.size:
            arch = self._space.sample(self._rng)
            key = self._space.key(arch)
            if key not in self._seen:
                self._seen.add(key)
                return arch
        return None

    def tell(self, proposals: Sequence[Proposal], values: np.ndarray) -> None:
        """Learn nothing."""


class TopClassDraw:
    """Draw uniformly, with replacement, from given cells: those whose label lies in the wanted class.

    The control for a conditional generator that was trained on those labels: it reads the same labels, and has no
    model at all.

    Args:
        space: what the cells belong to.
        winners: the cells, as rows where the space is finite.
        rng: source of randomness.
    """

    name = "top_class"

    def __init__(self, space: SearchSpace[Any], winners: np.ndarray | Sequence[Any], rng: np.random.Generator) -> None:
        self._winners, self._rng = winners, rng
        self._arch = (lambda row: space.from_index(int(row))) if isinstance(space, FiniteSpace) else (lambda arch: arch)

    def ask(self, n: int) -> list[Proposal]:
        """Return n cells of the class."""
        return [Proposal(self._arch(self._winners[k])) for k in self._rng.choice(len(self._winners), n)]

    def tell(self, proposals: Sequence[Proposal], values: np.ndarray) -> None:
        """Learn nothing."""
