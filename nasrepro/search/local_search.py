"""Local search (White et al., UAI 2021), with the rules of naszilla's `local_search`.

1. Draw `initial` random cells; the best of them is the centre.
2. Query the neighbours of the centre in random order; the first that is better becomes the centre.
3. Where no neighbour is better, start again at 1. A cell is never queried twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from nasrepro.search.base import OneByOne, Proposal
from nasrepro.search.random_search import RandomSearch
from nasrepro.spaces.base import SearchSpace


class LocalSearch(OneByOne):
    """Climb to a local optimum, then restart.

    Asked for more than one cell at a time, it runs ahead of its answers: an improvement is acted upon when it is told.

    Args:
        space: where to search.
        rng: source of randomness.
        initial: random cells at every start, 10 in naszilla.
    """

    name = "local_search"

    def __init__(self, space: SearchSpace[Any], rng: np.random.Generator, initial: int = 10) -> None:
        self._space, self._rng, self._initial = space, rng, initial
        self._to_draw = initial  # founders still to be drawn
        self._seen: set[str] = set()
        self._random = RandomSearch(space, rng, self._seen)
        self._restart()

    def next(self) -> Any | None:
        """Return a cell that was not proposed before."""
        if self._centre is None and self._to_draw == 0 and self._founders:
            self._move(*max(self._founders, key=lambda founder: founder[1]))
        arch = self._next_neighbour()
        if arch is None:
            if self._centre is not None:  # a local optimum
                self._restart()
            arch = self._random.next()  # a founder, one more than wanted where no value was told yet
            self._to_draw = max(0, self._to_draw - 1)
        return arch

    def tell(self, proposals: Sequence[Proposal], values: np.ndarray) -> None:
        """Move to what is better than the centre; remember founders."""
        for proposal, value in zip(proposals, values, strict=True):
            if proposal.arch is None or np.isnan(value):
                continue
            if self._centre is None:
                self._founders.append((proposal.arch, float(value)))
            elif value > self._centre:
                self._move(proposal.arch, float(value))

    def _restart(self) -> None:
        self._centre: float | None = None  # value of the centre
        self._founders: list[tuple[Any, float]] = []
        self._to_draw = self._initial
        self._untried: deque[Any] = deque()  # neighbours of the centre

    def _move(self, arch: Any, value: float) -> None:
        neighbours = self._space.neighbours(arch)
        self._centre = value
        self._untried = deque(neighbours[k] for k in self._rng.permutation(len(neighbours)))

    def _next_neighbour(self) -> Any | None:
        while self._untried:
            arch = self._untried.popleft()
            key = self._space.key(arch)
            if key not in self._seen:
                self._seen.add(key)
                return arch
        return None
