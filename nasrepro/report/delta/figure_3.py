"""What Figure 3 of Delta-NAS is said to show, as numbers: growth, plateau, straight line, one space against another.

The claims are listed in `experiments.doa_distance`; here its rows `shape` become a table and numbers for sentences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nasrepro.report.rendering import Column, Row, Table, with_interval
from nasrepro.runs.claims import metric_row
from nasrepro.runs.records import Record
from nasrepro.runs.statistics import Summary, mean_difference

SHAPE = "shape"
NUMBERS = {  # field -> head of its column
    "second": "Loss(2) by loss(1)",
    "last": "Loss(6) by loss(1)",
    "lowest": "Lowest of k > 1 by loss(1)",
    "plateau": "Loss(6) by loss(3)",
    "halves": "Second half of the growth by the first",
    "line": "Share explained by a line",
}
COMPARED = ("second", "last")
STRAIGHT = "nb101"  # the space whose growth the paper finds less pronounced than that of the others


def outdated(shown: Sequence[Record], spaces: Mapping[str, str]) -> str:
    """Return a sentence on the records of method version 1 among some, empty where there is none."""
    old = [spaces[r.parameters["space"]] for r in shown if r.method_version < 2]
    if not old:
        return ""
    return (
        f"Still of method version 1, and to be made anew: {', '.join(old)}. There some cells were both trained and "
        "tested on, the scores of training labels depended on test labels, and the shape was not recorded."
    )


def shape_table(shown: Sequence[Record], spaces: Mapping[str, str], predictors: Mapping[str, str]) -> Table:
    """Return the shape of the curve of every space and predictor.

    Args:
        shown: records of `doa_distance`.
        spaces: space -> title.
        predictors: predictor -> title, those to show.
    """
    columns = (Column("Space"), Column("Predictor"), *(Column(name, numeric=True) for name in NUMBERS.values()))
    rows = []
    for record in shown:
        for predictor, title in predictors.items():
            row = metric_row(record, predictor, SHAPE)
            if row is not None:
                numbers = (with_interval(row[name], 2) for name in NUMBERS)
                rows.append(Row((spaces[record.parameters["space"]], title, *numbers), "ours"))
    caption = (
        "Shapes of the curves of Figure 3; mean [95 % interval] over trials. The growth from 3.5 to 6 edits by that "
        "from 1 to 3.5 is 1 on a straight line and 0 on a plateau. The paper claims growth beyond one edit, a plateau, "
        "for NAS-Bench-101 a fairly linear trend, and a more pronounced growth in the other two spaces."
    )
    return Table(columns, tuple(rows), caption)


def growth_between(record: Record, other: Record, predictor: str, field: str) -> Summary | None:
    """Return how much larger a number of `COMPARED` is in one record than in another, with its interval; None where one
    of them has no shape."""
    rows = [metric_row(r, predictor, SHAPE) for r in (record, other)]
    if rows[0] is None or rows[1] is None:
        return None
    return mean_difference(rows[0]["trials"][field], rows[1]["trials"][field])


def between_table(shown: Sequence[Record], spaces: Mapping[str, str], predictors: Mapping[str, str]) -> Table | None:
    """Return by how much the growth of the other spaces exceeds that of NAS-Bench-101; None without it."""
    by_space = {r.parameters["space"]: r for r in shown}
    straight = by_space.pop(STRAIGHT, None)
    if straight is None or not by_space:
        return None
    rows = []
    for space, record in by_space.items():
        for predictor, title in predictors.items():
            found = [growth_between(record, straight, predictor, field) for field in COMPARED]
            if all(f is not None for f in found):
                rows.append(Row((spaces[space], title, *(with_interval(f.as_dict(), 2) for f in found if f)), "ours"))
    columns = (Column("Space"), Column("Predictor"), *(Column(NUMBERS[f], numeric=True) for f in COMPARED))
    caption = (
        f"Growth of the loss, less that of {spaces[STRAIGHT]}: difference of means over trials [95 % interval]. The "
        "paper says that it is more pronounced in these spaces: above 0."
    )
    return Table(columns, tuple(rows), caption)


def values(by_space: Mapping[str, Record | None], predictors: Sequence[str]) -> dict[str, float | int | str | None]:
    """Return the numbers that sentences quote: `doa_distance.<space>.<predictor>.shape.<number>.<statistic>` and, of
    the spaces but NAS-Bench-101, `doa_distance.<space>.<predictor>.against_nb101.<number>.<statistic>`; None without a
    record, "not measured" where it has none."""
    out: dict[str, float | int | str | None] = {}

    def put(key: str, found: Mapping[str, Any] | None, missing: str | None) -> None:
        for statistic in ("mean", "low", "high"):
            value = (found or {}).get(statistic)
            out[f"{key}.{statistic}"] = missing if value is None else value

    straight = by_space.get(STRAIGHT)
    for space, record in by_space.items():
        missing = "not measured" if record else None
        for predictor in predictors:
            row = (metric_row(record, predictor, SHAPE) if record else None) or {}
            for number in NUMBERS:
                put(f"doa_distance.{space}.{predictor}.shape.{number}", row.get(number), missing)
            for number in COMPARED if space != STRAIGHT else ():
                found = growth_between(record, straight, predictor, number) if record and straight else None
                key = f"doa_distance.{space}.{predictor}.against_{STRAIGHT}.{number}"
                put(key, found.as_dict() if found else None, missing if straight else None)
    return out
