"""What Figure 3 of Delta-NAS is said to show, as numbers: growth, plateau, straight line, one space against another.

The claims are listed in `experiments.doa_distance`, whose records this shows.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import pandas as pd

from nasrepro.report import verbs
from nasrepro.report.delta.difference import SPACES
from nasrepro.report.drawing import QUIET, Canvas, Figure, Look, draw_lines, render
from nasrepro.report.rendering import Table, number, tabulate, text, with_interval
from nasrepro.report.rows import not_run, row_of
from nasrepro.runs.plan import Shown
from nasrepro.runs.records import Record
from nasrepro.runs.statistics import mean_difference

PARTS = {space: f"delta.figure3.{space}" for space in ("nb101", "nb201", "tnb101")}
LINES: dict[str, Look] = {  # of each predictor
    "alone": ("network, difference alone", "#b3540f", "dashed", "s"),
    "base": ("network, base visible", "#0b3c6f", "solid", "o"),
    "gp": ("Gaussian process", "#3b7d3a", "dotted", "D"),
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
_NAMES = (text("Space", "space"), text("Predictor", lambda row: LINES[row["searcher"]][0]))
_DISTANCES = (
    *_NAMES,
    number("Edits k", "k"),
    number("Loss", "loss", 3),
    number("Mean squared difference", "target", 3),
    number("Loss by it", "share", 3),
)


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
    rows = _by_edits(runs) + [{"space": SPACES[s], "searcher": "base"} for s in PARTS if s not in found]
    asked = {space: record.parameters for space, record in found.items()}
    told = "; ".join(f"{SPACES[s]}, {p['trials']}, {p['pairs']:,}, {p['test_pairs']:,}" for s, p in asked.items())
    caption = (
        "Mean squared error of predictors trained and tested on pairs k edits apart, in units of the variance of the "
        f"labels; mean [95 % interval] over trials. Trials, pairs to train on and to test on, of each k: {told}."
    )
    return tabulate(_DISTANCES, rows, caption, not_run(runs, *PARTS.values()), name="doa-distance")


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
            for axes, field in ((above, "loss"), (below, "share")):
                ends = (f"{field}.low", f"{field}.high")
                draw_lines(axes, here, "k", f"{field}.mean", "searcher", LINES, ends)
                axes.set(xlabel="edits k", ylabel="", ylim=(0, above.get_ylim()[1] if axes is above else 1.05))
            above.plot(level["k"], level["target.mean"], color=QUIET, linestyle="dashdot", label="always 0")
            below.axhline(1, color=QUIET, linestyle="dashdot")
            above.set_title(f"{space}\nalways 0, at six edits: {level['target.mean'].iloc[-1]:.2f}")
        panels[0, 0].set_ylabel("loss")
        panels[1, 0].set_ylabel("loss by mean\nsquared difference")
        handles = panels[0, 0].get_legend_handles_labels()[0]
        canvas.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False, handlelength=4)

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


def shape_table(runs: Shown) -> Table | None:
    """Return the shape of the curve of every space and predictor; None without a record."""
    rows = [
        {"space": SPACES[space], **row}
        for space, record in _records(runs).items()
        for predictor in LINES
        if (row := row_of(record, predictor, SHAPE))
    ]
    caption = "Shapes of the curves of Figure 3; mean [95 % interval] over trials."
    columns = (*_NAMES, *(number(name, field, 2) for field, name in NUMBERS.items()))
    return tabulate(columns, rows, caption, name="doa-distance-shape") if rows else None


def _between(runs: Shown) -> list[dict[str, Any]]:
    """Return by how much the growth of the other spaces exceeds that of NAS-Bench-101, by space and predictor."""
    found, rows = _records(runs), []
    straight = found.pop(STRAIGHT, None)
    for (space, record), predictor in product(found.items(), LINES):
        mine, other = (row_of(r, predictor, SHAPE) for r in (record, straight))
        if mine and other:
            growth = {f: mean_difference(mine["trials"][f], other["trials"][f]).as_dict() for f in COMPARED}
            rows.append({"key": space, "space": SPACES[space], "searcher": predictor} | growth)
    return rows


def between_table(runs: Shown) -> Table | None:
    """Return by how much the growth of the other spaces exceeds that of NAS-Bench-101; None without it."""
    caption = f"Growth of the loss, less that of {SPACES[STRAIGHT]}: difference of means over trials [95 % interval]."
    columns = (*_NAMES, *(number(NUMBERS[field], field, 2) for field in COMPARED))
    rows = _between(runs)
    return tabulate(columns, rows, caption, name="doa-distance-between") if rows else None


def numbers(runs: Shown) -> dict[str, Any]:
    """Return what sentences quote; without a record they are left out.

    By `verbs.quoted` below `doa_distance.<space>`, and `.<predictor>.against_nb101.<field>`; of each summary also
    `.interval`, its text, and the word `.word`: where it stands to 1, or whether it is more pronounced.
    """
    found: dict[str, Any] = {}
    for space, record in _records(runs).items():
        found |= verbs.quoted(f"doa_distance.{space}", record)
    for row in _between(runs):
        found |= verbs.quoted(f"doa_distance.{row['key']}.{row['searcher']}.against_{STRAIGHT}", row)
    for key, summary in [(k, v) for k, v in found.items() if isinstance(v, dict) and "mean" in v]:
        to, words = 1.0, ("above", "level with", "below")
        if "against" in key:
            to, words = 0.0, ("more pronounced", "not told apart", "less pronounced")
        found |= {f"{key}.interval": with_interval(summary, 2), f"{key}.word": verbs.standing(summary, to, words)}
    return found
