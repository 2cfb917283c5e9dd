"""The contract of a searcher, and the loop that spends a budget of queries."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd

from nasrepro.benchmarks.ledger import Labels
from nasrepro.spaces.base import INVALID, FiniteSpace, SearchSpace

NO_KEY = ""  # the key of a graph that is no architecture


@dataclass(frozen=True)
class Proposal:
    """One candidate: an architecture, or None with the reason why a generated graph is not one."""

    arch: Any | None
    reason: str = ""


class Searcher(Protocol):
    """Ask for candidates, tell their values. A searcher never sees the benchmark: every label comes through `tell`.

    Attributes:
        name: as it stands in records.
    """

    name: str

    def ask(self, n: int) -> list[Proposal]:
        """Return the next n candidates (fewer only when the space is exhausted)."""

    def tell(self, proposals: Sequence[Proposal], values: np.ndarray) -> None:
        """Report the values (to be maximised) of proposals; NaN for those that are not architectures."""


class OneByOne(ABC):
    """Base of a `Searcher` that finds its candidates one after another."""

    @abstractmethod
    def next(self) -> Any | None:
        """Return the next candidate, None when there is no more."""

    def ask(self, n: int) -> list[Proposal]:
        """Return the next n candidates; fewer only when there are no more."""
        out: list[Proposal] = []
        while len(out) < n and (arch := self.next()) is not None:
            out.append(Proposal(arch))
        return out


def spend(
    searcher: Searcher,
    space: SearchSpace[Any],
    labels: Labels,
    queries: int,
    *,
    batch: int = 1,
    most_draws: int | None = None,
    on_draw: Callable[[int], None] | None = None,
) -> pd.DataFrame:
    """Let a searcher propose until `queries` distinct architectures were queried, or `most_draws` candidates were
    drawn.

    The first `queries` rows of the result are what the DiNAS protocol counts (every draw is a query, a repeated or
    invalid one too); the rows up to the last distinct one are the `distinct` protocol. A repeated candidate is
    answered from memory and reads no label. Which candidates are the same is for the space to say: those of one row
    where it is finite, else those of one key.

    Args:
        searcher: proposes.
        space: identifies architectures.
        labels: the accounted column to maximise.
        queries: budget of distinct valid architectures.
        batch: candidates per ask.
        most_draws: bound on the number of draws (default `queries`, which makes every draw a query).
        on_draw: called with the number of draws so far after each batch.

    Returns:
        One row per draw: `query` (from 0), `row` (-1 invalid), `reason`, `value` (NaN invalid). Where the space is not
        finite, `key` ("" invalid) and `arch` (native string) instead of `row`.
    """
    finite = isinstance(space, FiniteSpace)
    identify: Callable[[Any], Hashable] = space.index if isinstance(space, FiniteSpace) else space.key
    nothing: Hashable = INVALID if finite else NO_KEY
    bound = queries if most_draws is None else most_draws
    known: dict[Hashable, float] = {}
    drawn: list[tuple[Proposal, Hashable]] = []
    while len(drawn) < bound and len(known) < queries:
        proposals = searcher.ask(min(batch, bound - len(drawn)))
        if not proposals:
            break
        asked = [(p, nothing if p.arch is None else identify(p.arch)) for p in proposals]
        unknown = {i: p.arch for p, i in reversed(asked) if i != nothing and i not in known}
        new = list(dict.fromkeys(i for _, i in asked if i in unknown))[: queries - len(known)]
        if new:
            read = np.array(new, dtype=np.int64) if finite else [unknown[i] for i in new]
            known |= dict(zip(new, labels.read(read, "select").tolist(), strict=True))
        told = [(p, i) for p, i in asked if i == nothing or i in known]
        searcher.tell([p for p, _ in told], np.array([known.get(i, np.nan) for _, i in told]))
        drawn += told
        if on_draw is not None:
            on_draw(len(drawn))
    if len(known) == queries:  # a batch may run on after the draw that filled the budget
        ids = [i for _, i in drawn]
        drawn = drawn[: max(queries, max(map(ids.index, known)) + 1)]
    if finite:
        who = {"row": np.array([i for _, i in drawn], dtype=np.int64)}
    else:
        text = ["" if p.arch is None else space.to_string(p.arch) for p, _ in drawn]
        who = {"key": np.array([i for _, i in drawn], dtype=object), "arch": np.array(text, dtype=object)}
    return pd.DataFrame(
        {
            "query": np.arange(len(drawn)),
            **who,
            "reason": [p.reason for p, _ in drawn],
            "value": np.array([known.get(i, np.nan) for _, i in drawn], dtype=float),
        }
    )
