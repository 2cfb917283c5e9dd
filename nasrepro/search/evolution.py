"""Regularised evolution (Real et al., AAAI 2019): tournament, mutation or crossover, the oldest member dies."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

import numpy as np

from nasrepro.search.base import Proposal
from nasrepro.search.crossover import path_children, standard_children
from nasrepro.search.defaults import EvolutionConfig
from nasrepro.search.mutation import field_mutation
from nasrepro.spaces.base import SearchSpace


class RegularisedEvolution:
    """Evolve a population by mutating, and crossing, the winners of tournaments.

    With crossover, mutation and crossover take turns.

    Args:
        space: where to search; the first members are drawn by its `sample`.
        rng: source of randomness.
        config: hyper-parameters.
    """

    name = "evolution"

    def __init__(
        self, space: SearchSpace[Any], rng: np.random.Generator, config: EvolutionConfig | None = None
    ) -> None:
        self._space, self._rng = space, rng
        self._config = config = config or EvolutionConfig()
        self._members: deque[tuple[Any, float]] = deque(maxlen=config.population)
        self._seen: set[str] = set()
        self._mutate: Callable[[Any], Any] = (
            field_mutation(space, rng) if config.mutation == "fields" else lambda arch: space.mutate(arch, rng)
        )
        self._crosses = False  # whether the next child is one of two parents

    def ask(self, n: int) -> list[Proposal]:
        """Return n children (or random members until the population is full), none proposed before while unseen
        neighbours last; fewer only when every cell of the space was proposed."""
        out: list[Proposal] = []
        while len(out) < n and (self._space.size is None or len(self._seen) < self._space.size):
            out.append(Proposal(self._next(len(out))))
        return out

    def tell(self, proposals: Sequence[Proposal], values: np.ndarray) -> None:
        """Let the children enter the population; the oldest members leave it."""
        ranked = np.where(np.isnan(values), -np.inf, values)  # a cell without a label loses every tournament
        self._members.extend((p.arch, float(v)) for p, v in zip(proposals, ranked, strict=True) if p.arch is not None)

    def _next(self, asked: int) -> Any:
        grown = bool(self._members) and len(self._members) + asked >= self._config.population
        child = self._crossed() if grown and self._config.crossover != "none" else None
        if child is None:
            for _ in range(100):
                child = self._mutate(self._winner()) if grown else self._space.sample(self._rng)
                if self._space.key(child) not in self._seen:
                    break
        self._seen.add(self._space.key(child))
        return child

    def _winner(self) -> Any:
        size = min(self._config.tournament, len(self._members))
        drawn = self._rng.choice(len(self._members), size, replace=False)
        return self._members[max(drawn, key=lambda i: self._members[i][1])][0]

    def _crossed(self) -> Any | None:
        """Return an unseen child of two different winners when it is crossover's turn; None else, or where there is
        none."""
        self._crosses = not self._crosses
        if self._crosses:
            return None
        first = self._winner()
        others = (self._winner() for _ in range(self._config.trials))
        second = next((other for other in others if other != first), None)
        if second is None:
            return None
        if self._config.crossover == "standard":
            children = standard_children(self._space, first, second, self._rng)
        else:
            children = path_children(self._space, first, second, self._config.rate, self._rng)
        for child in islice(children, self._config.trials):
            if child is not None and self._space.key(child) not in self._seen:  # the parents are among the seen
                return child
        return None
