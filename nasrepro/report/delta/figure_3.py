"""What Figure 3 of Delta-NAS is said to show, as numbers: growth, plateau, straight line, one space against another.

The claims are listed in `experiments.doa_distance`, whose records this shows.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import product
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import pandas as pd

from nasrepro.report import verbs
from nasrepro.report.delta.difference import SPACES
from nasrepro.report.drawing import Figure, render
from nasrepro.report.rendering import Table, number, tabulate, text, with_interval
from nasrepro.runs.claims import metric_row
from nasrepro.runs.plan import Shown, planned
from nasrepro.runs.records import Record
from nasrepro.runs.statistics import mean_difference

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

PARTS = {space: f"delta.figure3.{space}" for space in ("nb101", "nb201", "tnb101")}
LINES = {  # predictor -> label, colour, line pattern, marker
    "alone": ("network, difference alone", "#b3540f", (0, (5, 2)), "s"),
    "base": ("network, base visible", "#0b3c6f", "solid", "o"),
    "gp": ("Gaussian process", "#3b7d3a", (0, (1, 1.4)), "D"),
}
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
_NAMES = (text("Space", itemgetter("space")), text("Predictor", lambda row: LINES[row["searcher"]][0]))
_MEASURED = {"loss": "Loss", "target": "Mean squared difference", "share": "Loss by it"}


def _records(runs: Shown) -> dict[str, Record]:
    return {space: record for space, part in PARTS.items() if (record := runs.record(part)) is not None}


def _by_edits(runs: Shown) -> list[dict[str, Any]]:
    return [
        {"space": SPACES[space], "k": int(row["protocol"][1:]), **row}
        for space, record in _records(runs).items()
        for row in record.metrics["rows"]
        if row["protocol"] != SHAPE
    ]


def distance_table(runs: Shown) -> Table:
    """Return the losses of Figure 3 by space, predictor and number of edits."""
    found = _records(runs)
    missing = [space for space in PARTS if space not in found]
    rows = _by_edits(runs) + [defaultdict(lambda: "not run", space=SPACES[s], searcher="base") for s in missing]
    asked = {space: record.parameters for space, record in found.items()}
    told = "; ".join(f"{SPACES[s]}, {p['trials']}, {p['pairs']:,}, {p['test_pairs']:,}" for s, p in asked.items())
    caption = (
        "Mean squared error of predictors trained and tested on pairs k edits apart, in units of the variance of the "
        f"labels; mean [95 % interval] over trials. Trials, pairs to train on and to test on, of each k: {told}."
    )
    columns = (
        *_NAMES,
        number("Edits k", itemgetter("k")),
        *(number(h, itemgetter(f), 3) for f, h in _MEASURED.items()),
    )
    notes = [f"To make what was not run: `{planned(PARTS[space]).command}`." for space in missing]
    return tabulate(columns, rows, caption, notes, name="doa-distance")


def distance_figure(runs: Shown) -> Figure | None:
    """Return Figure 3: loss, and loss by the mean squared difference, against edits; the data: one row per point. None
    without a record."""
    data = pd.json_normalize(_by_edits(runs))  # a summary `loss` has columns `loss.mean`, `loss.low`, ...
    if data.empty:
        return None
    spaces = list(dict.fromkeys(data["space"]))

    def draw(canvas: Canvas) -> None:
        panels = canvas.subplots(2, len(spaces), squeeze=False, sharex=True)
        for (above, below), space in zip(panels.T, spaces, strict=True):
            here = data[data["space"] == space]
            level = here[here["searcher"] == "base"]
            _lines(above, here, "loss")
            _lines(below, here, "share")
            above.plot(level["k"], level["target.mean"], color="#6b7280", linestyle="dashdot", label="always 0")
            below.axhline(1, color="#6b7280", linestyle="dashdot")
            below.set_ylim(top=1.05)
            above.set_title(f"{space}\nalways 0, at six edits: {level['target.mean'].iloc[-1]:.2f}")
            below.set_xlabel("edits k")
        panels[0, 0].set_ylabel("loss")
        panels[1, 0].set_ylabel("loss by mean\nsquared difference")
        lines = panels[0, 0].get_lines()
        canvas.legend(handles=lines, loc="outside lower center", ncols=4, frameon=False, handlelength=4)

    at = data[data["searcher"] == "base"].set_index(["space", "k"])
    said = "; ".join(
        f"{space}, network that sees the base: {what} {at[field][space, 1]:.2f} at one edit and "
        f"{at[field][space, 6]:.2f} at six"
        for space in spaces
        for field, what in (("loss.mean", "loss"), ("share.mean", "by the mean squared difference"))
    )
    alt = f"Line charts of predictor loss against 1 to 6 edits, below by the mean squared difference. {said}."
    caption = (
        "Predictor loss against the number of edits; bands: 95 % intervals over trials. Above: in units of the "
        "variance of the labels; a predictor that always says 0 leaves the panels. Below: by its loss."
    )
    return render(draw, (3.1 * len(spaces) + 0.6, 5.4), alt, data).titled("doa-distance", caption)


def _lines(axes: Axes, data: pd.DataFrame, field: str) -> None:
    for predictor, (label, colour, pattern, marker) in LINES.items():
        part = data[data["searcher"] == predictor]
        mean, low, high = (part[f"{field}.{s}"].astype(float) for s in ("mean", "low", "high"))
        axes.plot(part["k"], mean, color=colour, linestyle=pattern, marker=marker, markersize=4, label=label)
        axes.fill_between(part["k"], low.fillna(mean), high.fillna(mean), color=colour, alpha=0.15, linewidth=0)
    axes.set_ylim(bottom=0)


def shape_table(runs: Shown) -> Table | None:
    """Return the shape of the curve of every space and predictor; None without a record."""
    rows = [
        {"space": SPACES[space], **row}
        for space, record in _records(runs).items()
        for predictor in LINES
        if (row := metric_row(record, predictor, SHAPE)) is not None
    ]
    caption = "Shapes of the curves of Figure 3; mean [95 % interval] over trials."
    columns = (*_NAMES, *(number(name, itemgetter(field), 2) for field, name in NUMBERS.items()))
    return tabulate(columns, rows, caption, name="doa-distance-shape") if rows else None


def _between(runs: Shown) -> list[dict[str, Any]]:
    """Return by how much the growth of the other spaces exceeds that of NAS-Bench-101, by space and predictor."""
    found, rows = _records(runs), []
    straight = found.pop(STRAIGHT, None)
    for (space, record), predictor in product(found.items(), LINES):
        mine, other = (metric_row(r, predictor, SHAPE) if r else None for r in (record, straight))
        if mine and other:
            growth = {f: mean_difference(mine["trials"][f], other["trials"][f]).as_dict() for f in COMPARED}
            rows.append({"key": space, "space": SPACES[space], "searcher": predictor} | growth)
    return rows


def between_table(runs: Shown) -> Table | None:
    """Return by how much the growth of the other spaces exceeds that of NAS-Bench-101; None without it."""
    caption = f"Growth of the loss, less that of {SPACES[STRAIGHT]}: difference of means over trials [95 % interval]."
    columns = (*_NAMES, *(number(NUMBERS[field], itemgetter(field), 2) for field in COMPARED))
    rows = _between(runs)
    return tabulate(columns, rows, caption, name="doa-distance-between") if rows else None


def numbers(runs: Shown) -> dict[str, float | int | str | None]:
    """Return what sentences quote; without a record they are left out.

    `doa_distance.<space>.<predictor>.<k1 to k6|shape|against_nb101>.<field>` with its interval, the same and
    `.<statistic>`, and the word `.word`: where it stands to 1, or whether it is more pronounced.
    """
    out: dict[str, float | int | str | None] = {}
    rows = [(s, row["protocol"], row) for s, record in _records(runs).items() for row in record.metrics["rows"]]
    for space, protocol, row in [*rows, *((row["key"], f"against_{STRAIGHT}", row) for row in _between(runs))]:
        for field, summary in row.items():
            if isinstance(summary, dict) and "mean" in summary:
                key = f"doa_distance.{space}.{row['searcher']}.{protocol}.{field}"
                out[key] = with_interval(summary, 2)
                out |= {f"{key}.{statistic}": value for statistic, value in summary.items()}
                to, words = (1.0, ("above", "level with", "below"))
                if protocol.startswith("against"):
                    to, words = 0.0, ("more pronounced", "not told apart", "less pronounced")
                out[f"{key}.word"] = verbs.standing(summary, {"mean": to, "low": None, "high": None}, words)
    return out
