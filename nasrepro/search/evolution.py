"""Regularised evolution (Real et al., AAAI 2019): tournament, one mutation, the oldest member dies."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from nasrepro.search.base import Proposal
from nasrepro.search.mutation import mutant
from nasrepro.spaces.base import SearchSpace


class RegularisedEvolution:
    """Evolve a population by mutating the winners of tournaments.

    Args:
        space: where to search.
        rng: source of randomness.
        population: size; the first members are drawn uniformly.
        tournament: members drawn (without replacement) for each tournament.
        edits: mean of the Poisson number of edits of a child, at least one is made; None for exactly one. naszilla's
            mutation rate of 1 changes every field of a cell by chance, about one edit in the mean (1.5 in
            NAS-Bench-201): `edits=1.0` comes close to it.
    """

    name = "evolution"

    def __init__(
        self,
        space: SearchSpace[Any],
        rng: np.random.Generator,
        population: int = 30,
        tournament: int = 10,
        edits: float | None = None,
    ) -> None:
        if not 1 <= tournament <= population:
            raise ValueError(f"tournament must lie in 1..{population} (the population), not {tournament}")
        self._space, self._rng, self._size = space, rng, population
        self._tournament, self._edits = tournament, edits
        self._members: deque[tuple[Any, float]] = deque(maxlen=population)
        self._seen: set[str] = set()

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
        for _ in range(100):
            arch = (
                self._child()
                if len(self._members) + asked >= self._size and self._members
                else self._space.sample(self._rng)
            )
            if self._space.key(arch) not in self._seen:
                break
        self._seen.add(self._space.key(arch))
        return arch

    def _child(self) -> Any:
        size = min(self._tournament, len(self._members))
        drawn = self._rng.choice(len(self._members), size, replace=False)
        winner = max(drawn, key=lambda i: self._members[i][1])
        return mutant(self._space, self._members[winner][0], self._rng, self._edits)
