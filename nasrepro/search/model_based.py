"""The loop that surrogate-based searchers share: random cells, then batches chosen by a model of the labels so far."""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from nasrepro.search.base import OneByOne, Proposal
from nasrepro.search.defaults import SurrogateConfig
from nasrepro.search.random_search import RandomSearch
from nasrepro.spaces.base import FiniteSpace, SearchSpace

C = TypeVar("C", bound=SurrogateConfig)


class SurrogateSearch(OneByOne, Generic[C]):
    """Propose `initial` random cells, then `batch` cells at a time that `choose` picks; no cell twice.

    A new batch is chosen when the last one was asked for completely, from what was told until then. Labels told of
    cells that were not asked for are learnt from, too.

    Args:
        space: where to search.
        rng: source of randomness.
        config: hyper-parameters (default: `defaults`).

    Attributes:
        archs: the cells with a label, in the order told.
        values: their labels.
        tried: all cells that were proposed or told, once each.
        seen: their keys.
    """

    name: str
    defaults: C

    def __init__(self, space: SearchSpace[Any], rng: np.random.Generator, config: C | None = None) -> None:
        self.space, self.rng, self.config = space, rng, config or self.defaults
        self.archs: list[Any] = []
        self.values: list[float] = []
        self.tried: list[Any] = []
        self.seen: set[str] = set()
        self._random = RandomSearch(space, rng, self.seen)
        self._queue: deque[Any] = deque()

    @abstractmethod
    def choose(self, count: int) -> list[Any]:
        """Return at most `count` different unseen cells, the most promising ones first; there are at least two labels.

        None at all means that the searcher has no candidates: then random cells are proposed.
        """

    def next(self) -> Any | None:
        """Return a cell that was not proposed before."""
        if not self._queue:
            self._queue.extend(self._next_batch())
        return self._queue.popleft() if self._queue else None

    def tell(self, proposals: Sequence[Proposal], values: np.ndarray) -> None:
        """Keep the labels of cells; what is not a cell, or has no label, teaches nothing."""
        for proposal, value in zip(proposals, values, strict=True):
            if proposal.arch is None:
                continue
            if (key := self.space.key(proposal.arch)) not in self.seen:
                self.seen.add(key)
                self.tried.append(proposal.arch)
            if np.isfinite(value):
                self.archs.append(proposal.arch)
                self.values.append(float(value))

    def _next_batch(self) -> list[Any]:
        missing = self.config.initial - len(self.tried)
        chosen = self.choose(self.config.batch) if missing <= 0 and len(self.values) > 1 else []
        self.seen.update(map(self.space.key, chosen))
        if not chosen:
            chosen = [p.arch for p in self._random.ask(missing if missing > 0 else self.config.batch)]
        self.tried += chosen
        return chosen

    def best(self, count: int) -> list[Any]:
        """Return the cells of the best labels, the best first."""
        return [self.archs[k] for k in np.argsort(-np.array(self.values), kind="stable")[:count]]

    def unseen_neighbours(self, archs: Sequence[Any]) -> list[Any]:
        """Return the unseen neighbours of cells, each once."""
        near = {self.space.key(b): b for arch in archs for b in self.space.neighbours(arch)}
        return [b for key, b in near.items() if key not in self.seen]


class Ranking(OneByOne):
    """Propose the cells of a finite space in the order of given scores, the highest first.

    Args:
        space: where to search.
        scores: by row of the space.
    """

    name = "ranking"

    def __init__(self, space: FiniteSpace[Any], scores: np.ndarray) -> None:
        self._cells = (space.from_index(int(row)) for row in np.argsort(-scores, kind="stable"))

    def next(self) -> Any | None:
        """Return the next cell."""
        return next(self._cells, None)

    def tell(self, proposals: Sequence[Proposal], values: np.ndarray) -> None:
        """Learn nothing."""
