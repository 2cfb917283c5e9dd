"""Words that a comparison gives.

The text of a notebook quotes one with the word that its author read: where the records of the book say another, the
page is refused until somebody has read the sentence again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nasrepro.runs.claims import stands
from nasrepro.runs.evidence import Measured


class Verb(str):
    """A word that a comparison gave."""

    __slots__ = ()


def standing(
    ours: Mapping[str, Any] | None,
    other: Mapping[str, Any] | None,
    words: tuple[str, str, str] = ("above", "level with", "below"),
) -> Verb | None:
    """Return where one stored summary stands to another: level where one mean lies in the other's interval.

    Args:
        ours: mean, low, high.
        other: the same.
        words: for above, level and below.
    """
    if ours is None or other is None or ours["mean"] is None or other["mean"] is None:
        return None
    place = {"above": 0, "level": 1, "below": 2}[stands(_measured(ours), _measured(other))]
    return Verb(words[place])


def holds(condition: bool, yes: str, no: str) -> Verb:
    """Return a word for a condition that the records decide."""
    return Verb(yes if condition else no)


def _measured(summary: Mapping[str, Any]) -> Measured:
    low, high = summary["low"], summary["high"]
    return Measured(summary["mean"], None if low is None or high is None else (low, high), summary.get("n") or 1)
