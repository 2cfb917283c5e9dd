"""What sentences quote: the numbers of a record by their names, and words that a comparison gives.

The text of a notebook quotes a word with the one that its author read: where the records of the book say another, the
page is refused until somebody has read the sentence again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nasrepro.runs.claims import stands
from nasrepro.runs.evidence import Measured
from nasrepro.runs.records import Record

# what tells the rows of a list in a record apart
_TOLD_APART = {
    "rows": ("searcher", "protocol"),
    "differences": ("of", "minus", "field"),
    "by_steps": ("steps",),
    "comparisons": ("method", "rival", "labels"),
    "against": ("rival",),
}


class Verb(str):
    """A word that a comparison gave."""

    __slots__ = ()


def quoted(prefix: str, values: Record | Mapping[str, Any] | None) -> dict[str, Any]:
    """Return every value by its dotted name below a prefix; none without values.

    Of a record its metrics and, as `<prefix>.parameters.<name>`, its parameters. Its rows are
    `<prefix>.<searcher>.<protocol>`, and each field of theirs `<prefix>.<searcher>.<protocol>.<field>`; a stored
    summary is there whole and as `.<field>.<statistic>`.
    """
    if values is not None and not isinstance(values, Mapping):
        values = {"parameters": values.parameters} | values.metrics
    found: dict[str, Any] = {}
    for name, value in (values or {}).items():
        key = prefix if name == "rows" else f"{prefix}.{name}"
        if name in _TOLD_APART and isinstance(value, list):
            value = {".".join(str(row[k]) for k in _TOLD_APART[name]): row for row in value}
        found |= {key: value} | (quoted(key, value) if isinstance(value, Mapping) else {})
    return found


def standing(
    ours: Mapping[str, Any] | None,
    other: Mapping[str, Any] | float | None,
    words: tuple[str, str, str] = ("above", "level with", "below"),
) -> Verb | None:
    """Return where one stored summary stands to another: level where one mean lies in the other's interval.

    Args:
        ours: mean, low, high.
        other: the same, or a number.
        words: for above, level and below.
    """
    if isinstance(other, int | float):
        other = {"mean": other, "low": None, "high": None}
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
