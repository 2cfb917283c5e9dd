"""What a run found, in lines: every figure of its record's metrics by its own name, the long lists cut short."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_MOST_ROWS, _MOST_FIELDS, _MOST_LEAVES = 20, 8, 12


def lines(metrics: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a record's metrics: statistics as `mean [low, high]`, a line for each row of a list."""
    for name, value in metrics.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            yield f"{name}:"
            for row in value[:_MOST_ROWS]:
                fields = [f"{k} {_text(v)}" for k, v in row.items() if _told(v)]
                yield "  " + ", ".join(fields[:_MOST_FIELDS])
            if len(value) > _MOST_ROWS:
                yield f"  and {len(value) - _MOST_ROWS} more"
        elif isinstance(value, dict) and not _told(value):
            leaves = [f"{k} {_text(v)}" for k, v in _leaves(value) if _told(v)]
            more = f", and {len(leaves) - _MOST_LEAVES} more" if len(leaves) > _MOST_LEAVES else ""
            if leaves:
                yield f"{name}: {', '.join(leaves[:_MOST_LEAVES])}{more}"
        elif _told(value) and "\n" not in str(value):
            yield f"{name}: {_text(value)}"


def _told(value: Any) -> bool:
    """Return whether a value fits into a line: a number or a text, a few of them, or a mean with its interval."""
    if isinstance(value, dict):
        return {"mean", "low", "high"} <= value.keys()
    return value is not None and not (isinstance(value, list) and (not value or isinstance(value[0], dict | list)))


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return f"{_text(value['mean'])} [{_text(value['low'])}, {_text(value['high'])}]"
    if isinstance(value, list):
        return " ".join(map(_text, value[:_MOST_FIELDS])) + (" ..." if len(value) > _MOST_FIELDS else "")
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _leaves(value: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, Any]]:
    for name, inner in value.items():
        if isinstance(inner, dict) and not _told(inner):
            yield from _leaves(inner, f"{place}{name}.")
        else:
            yield f"{place}{name}", inner
