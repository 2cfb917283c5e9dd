"""The study's figures, from the tables of a record: best so far against queries, training loss, the best cells found.

Each function takes the folder of a record and returns a `Figure` (SVG, text alternative made from the data, the data
themselves). Lines differ by pattern and marker as well as by colour, so the figures can be read in greyscale.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nasrepro.report.drawing import (
    QUIET,
    Axes,
    Canvas,
    Figure,
    Look,
    describe_cell,
    draw_cell,
    draw_lines,
    operation_legend,
    render,
)
from nasrepro.report.rendering import DATASET_NAMES
from nasrepro.runs import records
from nasrepro.runs.plan import Shown
from nasrepro.runs.statistics import best_so_far as running_best

# the lines of each searcher and protocol, in the order of the legend
_LINES: dict[str, Look] = {
    "dinas paper": ("DiNAS, every sample counts", "#0b3c6f", "solid", "o"),
    "dinas distinct": ("DiNAS, distinct valid cells count", "#3d8bd4", "dashed", "s"),
    "top_class paper": ("Uniform draw from the labelled top class", "#2f6b2f", "dashdot", "^"),
    "evolution paper": ("Regularised evolution", "#b3540f", "dotted", "D"),
    "random paper": ("Random search", "#6b7280", "dashdotdot", "v"),
}
_MARKED = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)  # queries at which a marker stands
_LINEAR_BELOW = 0.01  # regret in points below which the axis is linear, so that zero can be shown
_TICKS = (0, _LINEAR_BELOW, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100)  # of regret, in points


def best_so_far(folder: Path) -> Figure:
    """Return best-so-far accuracy against queries: median and quartiles over the runs of every searcher.

    The axis shows the regret to the benchmark's optimum in points, logarithmic above 0.01 points, linear below. DiNAS
    is shown under both protocols: every sample counts as a query (invalid ones too), or only valid cells that the run
    has not seen before. A run without a valid sample so far has accuracy 0. The accuracy is that which the run chose
    by: of validation, or of test where there is no other.

    The figure's data: searcher, protocol, query (from 1), runs, then median, lower and upper quartile of the best
    accuracy so far (%).
    """
    record = records.load(folder)
    trace = records.load_table(folder, record, "trace.parquet")
    budget, optimum = int(record.parameters["queries"]), float(record.metrics["optimum"]["valid"])
    asked = ((line, *line.split()) for line in _LINES)
    parts = [_curve(trace, who, protocol, budget).assign(line=line) for line, who, protocol in asked]
    data = pd.concat(parts, ignore_index=True)
    where, what = _place(record), "mean test" if record.parameters.get("label") == "test" else "validation"

    def draw(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        regret = data.assign(**{end: optimum - data[end] for end in ("lower", "median", "upper")})
        marked = [query - 1 for query in (*_MARKED, budget) if query <= budget]
        look: dict[str, Any] = {"linewidth": 2, "markersize": 7, "markevery": marked, "zorder": 3}
        draw_lines(axes, regret, "query", "median", "line", _LINES, ("lower", "upper"), **look)
        for line in axes.get_lines():
            line.set_clip_on(not len(line.get_xdata()))  # type: ignore[arg-type]  # the optimum lies on the axis itself
        _style_regret_axes(axes, float(regret["lower"].max()), budget)
        axes.set_ylabel(f"Points below the optimum ({optimum:.3f} %)")
        axes.set_title(f"{where}: best {what} accuracy so far, median and quartiles", loc="left")
        canvas.legend(loc="outside lower center", ncols=2, frameon=False, handlelength=4)

    alt = (
        f"Line chart, {where}: points of {what} accuracy by which the best cell so far lies below the optimum of "
        f"{optimum:.3f} %, against 1 to {budget} queries; median over runs. {'. '.join(_in_words(data, optimum))}."
    )
    return render(draw, (8.0, 5.2), alt, data.drop(columns="line"))


def _place(record: records.Record) -> str:
    """Return where a run took place: its data set, or its benchmark where that has one data set alone."""
    name = str(record.parameters.get("dataset", ""))
    return DATASET_NAMES.get(name, name) or {"nb101": "NAS-Bench-101"}.get(record.experiment, record.experiment)


def _curve(trace: pd.DataFrame, searcher: str, protocol: str, budget: int) -> pd.DataFrame:
    """Return median and quartiles of the best so far of one searcher, one row per query; empty where it did not run."""
    of_searcher = trace[trace["searcher"] == searcher].sort_values(["training", "run", "query"])
    curves = []
    for _, run in of_searcher.groupby(["training", "run"], sort=False):
        if protocol == "distinct":
            run = run[run["row"] >= 0].drop_duplicates("row")
        values = np.full(budget, np.nan)
        seen = run["value"].to_numpy(dtype=np.float64)[:budget]
        values[: len(seen)] = seen  # a run that ended early keeps its best
        curves.append(running_best(values))
    if not curves:
        return pd.DataFrame()
    found = pd.DataFrame({"searcher": searcher, "protocol": protocol, "query": np.arange(1, budget + 1)})
    lower, median, upper = np.quantile(np.stack(curves), [0.25, 0.5, 0.75], axis=0)
    return found.assign(runs=len(curves), median=median, lower=lower, upper=upper)


def _style_regret_axes(axes: Axes, highest: float, budget: int) -> None:
    queries = [q for q in _MARKED if q <= budget * 0.8] + [budget]
    axes.set_xscale("log")
    axes.set_yscale("symlog", linthresh=_LINEAR_BELOW, linscale=0.5)
    axes.set_xticks(queries, [f"{query:g}" for query in queries])
    axes.set_yticks(_TICKS, [f"{points:g}" for points in _TICKS])
    axes.minorticks_off()
    axes.set(xlim=(0.93, budget * 1.04), ylim=(0, max(highest * 1.15, 2 * _LINEAR_BELOW)), xlabel="Queries")
    axes.grid(axis="y", color="#d5dae0", linewidth=0.7)
    axes.set_axisbelow(True)


def _in_words(data: pd.DataFrame, optimum: float) -> Iterator[str]:
    """Yield where every searcher starts and ends, and when it first comes within 0.1 points."""
    for line, part in data.groupby("line", sort=False):
        regret = optimum - part["median"].to_numpy()
        near = np.flatnonzero(regret <= 0.1)
        when = f"within 0.1 points from query {near[0] + 1}" if len(near) else "never within 0.1 points"
        yield f"{_LINES[str(line)][0]}: {regret[0]:.3g} at the first query, {regret[-1]:.3g} at the last, {when}"


_LOSSES: dict[str, Look] = {
    "node_loss": ("Operations", "#0b3c6f", "solid", ""),
    "edge_loss": ("Edges", "#b3540f", "dashed", ""),
}


def loss_curve(folder: Path) -> Figure:
    """Return the training loss of every training of a record, node and edge cross-entropy (Eq. 2).

    Faint lines are single trainings, smoothed by a running median over a fortieth of the steps; strong ones their mean.
    The figure's data: training, step, loss, node_loss, edge_loss, unsmoothed.
    """
    record = records.load(folder)
    data = records.load_table(folder, record, "loss.parquet").sort_values(["training", "step"], ignore_index=True)
    count = data["training"].nunique()
    window = max(1, data["step"].nunique() // 40)
    rolling = data.groupby("training")[[*_LOSSES]].rolling(window, center=True, min_periods=1).median()
    smooth = data[["step", "training"]].join(rolling.droplevel(0).clip(lower=1e-6)).melt(["step", "training"])
    means = smooth.groupby(["variable", "step"], sort=False)["value"].mean()

    def draw(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        faint: dict[str, Any] = {"units": "training", "linewidth": 1, "alpha": 0.35, "legend": False}
        draw_lines(axes, smooth, "step", "value", "variable", _LOSSES, **faint)
        draw_lines(axes, means.reset_index(), "step", "value", "variable", _LOSSES, linewidth=2.2)
        axes.set(yscale="log", xlabel="Training step", ylabel="Cross-entropy (nats)")
        axes.set_xlim(left=0)
        axes.set_title(f"Training loss, {count} training{'s' * (count > 1)} and mean", loc="left")
        axes.grid(axis="y", color="#d5dae0", linewidth=0.7)
        axes.legend(frameon=False, handlelength=3.5)

    said = (
        f"{label} start at {means[name].iloc[0]:.3g} and end at {means[name].iloc[-1]:.3g} nats"
        for name, (label, *_) in _LOSSES.items()
    )
    alt = f"Line chart of the cross-entropy of {count} trainings over {int(data['step'].max())} steps, smoothed: "
    return render(draw, (8.0, 4.2), f"{alt}{'; '.join(said)}.", data)


def losses(runs: Shown) -> Figure | None:
    """Return the training loss of your run; None where committed runs alone are shown, or yours trains nothing."""
    yours = next(iter(runs.yours.values()), None)
    if yours is None or not (yours[0] / "loss.parquet").is_file():
        return None
    return loss_curve(yours[0]).titled("losses", "Training loss of your run.")


def best_cells(folder: Path) -> Figure:
    """Return drawings of the best cells that DiNAS found (up to six), best first, with accuracy, rank and count.

    The figure's data: the record's `best_found`.
    """
    record = records.load(folder)
    found: list[dict[str, Any]] = record.metrics["best_found"][:6]
    where = _place(record)
    if not found:
        text = f"{where}: no valid cell was found in this run."
        return render(lambda canvas: _say(canvas, text), (6.0, 1.0), text, layout=None)
    columns = min(3, len(found))
    n_rows = -(-len(found) // columns)

    def draw(canvas: Canvas) -> None:
        for number, cell in enumerate(found):
            axes = canvas.add_subplot(n_rows, columns, number + 1)
            draw_cell(axes, cell["arch"])
            test = "" if cell["test"] is None else f", test {cell['test']:.2f} %"
            axes.set_title(f"Rank {cell['rank']}: {cell['valid']:.3f} %{test}", fontsize=11, pad=12)
            times = "once" if cell["count"] == 1 else f"{cell['count']} times"
            axes.text(0.5, 1.0, f"sampled {times}", transform=axes.transAxes, ha="center", fontsize=10, color=QUIET)
        operation_legend(canvas)

    told = (
        f"Rank {cell['rank']}, {cell['valid']:.3f} % validation accuracy, sampled {cell['count']} times: "
        f"{describe_cell(cell['arch'])}"
        for cell in found
    )
    alt = f"The {len(found)} best cells that DiNAS found on {where}, nodes 0 (input) to 3 (output). {'. '.join(told)}."
    return render(draw, (3.4 * columns, 2.5 * n_rows + 0.9), alt, pd.DataFrame(found))


def _say(canvas: Canvas, text: str) -> None:
    canvas.text(0.5, 0.5, text, ha="center", va="center")
