"""The contract of a searcher, and the loop that spends a budget of queries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd

from nasrepro.benchmarks.ledger import Labels
from nasrepro.spaces.base import INVALID, FiniteSpace


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


def spend(
    searcher: Searcher,
    space: FiniteSpace[Any],
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
    answered from memory and reads no label.

    Args:
        searcher: proposes.
        space: turns architectures into rows.
        labels: the accounted column to maximise.
        queries: budget of distinct valid architectures.
        batch: candidates per ask.
        most_draws: bound on the number of draws (default `queries`, which makes every draw a query).
        on_draw: called with the number of draws so far after each batch.

    Returns:
        One row per draw: `query` (from 0), `row` (-1 invalid), `reason`, `value` (NaN invalid).
    """
    bound = queries if most_draws is None else most_draws
    known: dict[int, float] = {}
    rows: list[int] = []
    reasons: list[str] = []
    while len(rows) < bound and len(known) < queries:
        proposals = searcher.ask(min(batch, bound - len(rows)))
        if not proposals:
            break
        asked = [INVALID if p.arch is None else space.index(p.arch) for p in proposals]
        new = list(dict.fromkeys(r for r in asked if r != INVALID and r not in known))[: queries - len(known)]
        known |= (
            dict(zip(new, labels.read(np.array(new, dtype=np.int64), "select").tolist(), strict=True)) if new else {}
        )
        told = [(p, r) for p, r in zip(proposals, asked, strict=True) if r == INVALID or r in known]
        searcher.tell([p for p, _ in told], np.array([known.get(r, np.nan) for _, r in told]))
        rows += [r for _, r in told]
        reasons += [p.reason for p, _ in told]
        if on_draw is not None:
            on_draw(len(rows))
    if len(known) == queries:  # a batch may run on after the draw that filled the budget
        rows = rows[: max(queries, max(rows.index(r) for r in known) + 1)]
    values = np.array([known.get(r, np.nan) for r in rows], dtype=float)
    return pd.DataFrame(
        {
            "query": np.arange(len(rows)),
            "row": np.array(rows, dtype=np.int64),
            "reason": reasons[: len(rows)],
            "value": values,
        }
    )
