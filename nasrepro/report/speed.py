"""The page of speed: time to quality, steps against the ceilings of the machine, sampling over cells and nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from nasrepro.report import verbs
from nasrepro.report.drawing import Figure, Look, draw_lines, render
from nasrepro.report.rendering import DATASET_NAMES, Table, number, tabulate, text
from nasrepro.report.rows import not_run, search_row
from nasrepro.runs.plan import Shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

PART = "dinas.speed"
_LOOKS: dict[str, Look] = {
    "flat": ("flat: all slots at once", "#0b3c6f", "solid", "o"),
    "default": ("default: graph transformer", "#b3540f", "dashed", "s"),
}
_TASKS = {
    **{
        f"{part}.{name}": f"NAS-Bench-201, {title}"
        for name, title in DATASET_NAMES.items()
        for part in ("dinas.ablations.base", "dinas.table2")
    },
    "dinas.table1": "NAS-Bench-101, f = 99",
    "dinas.table1.finer-class": "NAS-Bench-101, f = 99.9",
}

_QUALITY = (
    text("Benchmark", "task"),
    text("Network", "record.parameters.denoiser"),
    number("CPU seconds of the run, for each training", "training", 0),
    number("ms of a sampled cell", "ms", 2),
    number("Best of a run, %", "best_valid", 3),
    number("Uniform draw from the wanted class, %", "draw", 3),
    number("Valid samples, %", "validity.mean", 1, percent=True),
    number("Distinct cells of the queries", "distinct_valid", 0),
)


def quality_table(runs: Shown) -> Table:
    """Return what a training and a sample cost, with the quality that they buy, network by network."""
    rows = [row for part, task in _TASKS.items() for row in _quality(part, task, runs)]
    caption = (
        "Time to quality: CPU seconds of a run, sampling and controls included, shared among its trainings (other work "
        "ran beside, which makes them more), and the best of a run, mean [95 % interval] over trainings and runs."
    )
    return tabulate(_QUALITY, rows, caption, not_run(runs, *_TASKS), name="speed-quality")


def _quality(part: str, task: str, runs: Shown) -> Iterator[dict[str, Any]]:
    if (record := runs.record(part)) is not None:
        speed = record.metrics["speed"]
        yield search_row(record) | {
            "task": task,
            "record": record,
            "training": record.cost.cpu_s / record.parameters["trainings"],
            "ms": 1000 * speed["seconds_per_architecture"],
            "draw": search_row(record, "top_class")["best_valid"],
        }


_STEPS = (
    text("Step", "what"),
    text("Network", "network"),
    number("Cells", "cells"),
    number("GFLOP", "gflop", 2),
    number("ms, 1 thread", "one", 1),
    number("ms, 2 threads", "two", 1),
    number("Gain of the second", "gain", 2),
    number("Of the ceiling, 2 threads, %", "share", 0, percent=True),
)


def steps_table(runs: Shown) -> Table:
    """Return the median times of a training step and of a guided reverse step of each network."""
    found = _times(runs)
    rows = [] if found.empty else [*_steps(found)]
    caption = (
        "Steps: medians of repeats in one process. A training step is cut into as many parts as there are threads; a "
        "reverse step predicts with and without condition. Ceiling: a large matrix product on the same threads"
    )
    caption += "." if found.empty else f", {_ceiling(found, 1):.0f} GFLOP/s on one and {_ceiling(found, 2):.0f} on two."
    return tabulate(_STEPS, rows, caption, not_run(runs, PART), name="speed-steps")


def _times(runs: Shown) -> pd.DataFrame:
    record = runs.record(PART)
    return pd.DataFrame(record.metrics["times"]) if record else pd.DataFrame()


def _ceiling(found: pd.DataFrame, threads: int) -> float:
    row = found[(found.what == "matrix product") & (found.threads == threads)].iloc[0]
    return float(row.gflop / row["median"])


def _steps(found: pd.DataFrame) -> Iterator[dict[str, Any]]:
    steps = found[found.what.isin(["training step", "reverse step"])]
    for (what, network), part in steps.groupby(["what", "network"], sort=False):
        by, first = part.set_index("threads")["median"], part.iloc[0]
        told = {"what": what, "network": network, "cells": int(first.cells), "gflop": first.gflop}
        share = first.gflop / by[2] / _ceiling(found, 2)
        yield told | {"one": 1000 * by[1], "two": 1000 * by[2], "gain": by[1] / by[2], "share": share}


def curves(runs: Shown) -> Figure | None:
    """Return milliseconds of a cell against cells in one call, and against nodes; None without a record."""
    found = _times(runs)
    if found.empty:
        return None
    found["ms"] = 1000 * found["median"]
    panels = (
        ("sampling", "cells", "Cells in one call", "ms of a cell, ten reverse steps"),
        ("reverse step by nodes", "nodes", "Nodes of a graph", "ms of a graph, one reverse step"),
    )

    def draw(canvas: Canvas) -> None:
        for axes, (what, x, label, title) in zip(canvas.subplots(1, 2), panels, strict=True):
            draw_lines(axes, found[found.what == what], x, "ms", "network", _LOOKS)
            axes.set(xscale="log", yscale="log", xlabel=label, ylabel="ms")
            axes.set_title(title, loc="left")
            axes.grid(axis="y", color="#d5dae0", linewidth=0.7)
        nodes = sorted(found["nodes"].dropna().unique())
        canvas.axes[1].set_xticks(nodes, [f"{n:.0f}" for n in nodes])
        canvas.axes[1].minorticks_off()
        canvas.axes[0].legend(frameon=False, handlelength=3.5)

    said = "; ".join(
        f"{title}, {name}: {part['ms'].iloc[0]:.3g} ms at {part[x].iloc[0]:,.0f} {x}, {part['ms'].iloc[-1]:.3g} ms at "
        f"{part[x].iloc[-1]:,.0f}"
        for what, x, _, title in panels
        for name, part in found[found.what == what].groupby("network")
    )
    alt = f"Two line charts on logarithmic axes. {said}."
    return render(draw, (9.0, 4.2), alt, found).titled("speed-curves", "Sampling over cells and over nodes.")


def numbers(runs: Shown) -> dict[str, Any]:
    """Return what sentences quote: `speed.<network>.<train|reverse>.<one|two>` in ms, `speed.<network>.cell`, ms of a
    cell in the largest call, `speed.ratio.<training|cell>`, and `quality.<part>.<field>`."""
    said: dict[str, Any] = {}
    for part, task in _TASKS.items():
        for row in _quality(part, task, runs):
            said |= {f"quality.{part}.{name}": row[name] for name in ("training", "ms")}
            said[f"quality.{part}.draw"] = verbs.standing(row["best_valid"], row["draw"])
    if not (found := _times(runs)).empty:
        said |= {
            f"speed.{s['network']}.{s['what'].split()[0]}.{n}": s[n] for s in _steps(found) for n in ("one", "two")
        }
        drawn = found[found.what == "sampling"].sort_values("cells")
        said |= {f"speed.{name}.cell": 1000 * part["median"].iloc[-1] for name, part in drawn.groupby("network")}
        said["speed.most_cells"] = int(drawn.cells.max())
        said |= _growth(found, drawn)
    return said


def _growth(found: pd.DataFrame, drawn: pd.DataFrame) -> Mapping[str, Any]:
    """Return how the time of a call of the flat network grows in cells, and that of a graph in nodes, by network."""
    flat = drawn[(drawn.network == "flat") & (drawn.cells >= 1_000)]["median"]
    said = {"speed.linear": verbs.holds(flat.max() < 1.5 * flat.min(), "in proportion to", "faster than")}
    for name, part in found[found.what == "reverse step by nodes"].groupby("network"):
        ends = part.sort_values("nodes").iloc[[0, -1]]
        times, nodes = (ends[column].iloc[1] / ends[column].iloc[0] for column in ("median", "nodes"))
        said[f"speed.{name}.quadratic"] = verbs.holds(times <= nodes**2, "no faster than", "faster than")
    return said
