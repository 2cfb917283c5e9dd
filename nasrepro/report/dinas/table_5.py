"""Table 5 of DiNAS, ImageNet, and the check of its pipeline on CIFAR-10: chosen cells against random ones."""

from __future__ import annotations

from textwrap import fill
from typing import Any

from nasrepro.report import verbs
from nasrepro.report.drawing import Canvas, Figure, render
from nasrepro.report.rendering import NOT_RUN, Table, number, tabulate, text
from nasrepro.report.rows import not_run, row_of
from nasrepro.runs import records
from nasrepro.runs.plan import Shown
from nasrepro.runs.printed import printed
from nasrepro.runs.records import Record
from nasrepro.runs.statistics import holm

KINDS = ("generated", "surrogate")  # of chosen cells
_COLOURS = {"chosen": "#0b3c6f", "random": "#b3540f", "darts-v2": "#2f6b2f"}  # of a group
_DATA_NAMES = {"cifar10": "CIFAR-10", "imagenet": "ImageNet", "generated": "Made-up images"}
_ERRORS = {"top1_error": "top-1", "top5_error": "top-5"}
_PRINTED = (
    text("Method", lambda r: f"{r['method']}, {r['kind']}"),
    number("Top-1 error, %", "top1_error", 1),
    number("Top-5 error, %", "top5_error", 1),
    number("Queries", "queries"),
    number("Search, GPU hours", "search_gpu_hours", "g"),
)
_NETWORKS = (
    text("Cells", "cells"),
    number("Networks", "networks"),
    number("Top-1 error, %", "top1_error", 2),
    number("Top-5 error, %", "top5_error", 2),
    number("Parameters, thousands", "thousands", 1),
    number("Multiply-adds, millions", "millions", 2),
)


def imagenet_table(runs: Shown) -> Table:
    """Return Table 5 as printed, and our row: what a record says, or that it was not run."""
    frame = printed("dinas_table5").astype({"queries": object}).fillna({"queries": "n.p."}).assign(kind="printed")
    found = row_of(runs.record("dinas.table5.imagenet"), "chosen", "best_epoch")
    ours = {name: found.get(str(name), NOT_RUN) for name in frame} | {"method": "DiNAS", "kind": "ours"}
    caption = "DiNAS, Table 5, ImageNet: lowest errors on the validation images; queries and hours of the search."
    notes, rows = ("n.p.: not printed.", *not_run(runs, "dinas.table5.imagenet")), [*frame.to_dict("records"), ours]
    return tabulate(_PRINTED, rows, caption, notes, kind=lambda r: r["kind"], name="imagenet")


def group_table(kind: str, runs: Shown) -> Table:
    """Return the errors of each group of networks.

    Args:
        kind: of the chosen cells, one of `KINDS`.
        runs: what to show.
    """
    name, part = f"networks-{kind}", f"dinas.table5.{kind}"
    if (record := runs.record(part)) is None:
        return tabulate(_NETWORKS, (), "Networks on CIFAR-10.", not_run(runs, part), name=name)
    p, chance = record.parameters, record.metrics["chance_top1_error"]  # 100 - 100 / classes
    rows = [
        row
        | {"cells": group_name(record, group), "kind": "ours"}
        | {"thousands": row["parameters"]["mean"] / 1e3, "millions": row["multiply_adds"]["mean"] / 1e6}
        for group, row in _rows(record).items()
    ]
    errors = {"top1_error": f"{chance:.0f}", "top5_error": f"{5 * chance - 400:.0f}"}
    none = dict.fromkeys(("networks", "thousands", "millions"), "none")
    rows.append({"cells": "Chance", "kind": "printed"} | none | errors)
    caption = (
        f"{_DATA_NAMES[p['data']]}, {p['side']} x {p['side']}: errors on {p['test_images'] or 10_000:,} test images "
        f"after {p['epochs']} epochs over {p['training_images'] or 50_000:,} training images, last epoch; mean [95 % "
        f"bootstrap interval over networks]. Networks of {p['n_cells']} cells, {p['channels']} channels; images from "
        f"`{record.metrics['images']}`."
    )
    return tabulate(_NETWORKS, rows, caption, kind=lambda r: r["kind"], name=name)


def _rows(record: Record) -> dict[str, dict[str, Any]]:
    return {group: row for group in _COLOURS if (row := row_of(record, group, "last"))}


def difference_table(kind: str, runs: Shown) -> Table | None:
    """Return the differences between the chosen cells and the others, with their intervals; None without a record."""
    if (record := runs.record(f"dinas.table5.{kind}")) is None:
        return None
    columns = (
        text("Difference", lambda d: f"{group_name(record, d['of'])}, minus {group_name(record, d['minus'])}"),
        text("Error", lambda d: _ERRORS[d["field"]]),
        number("Points", lambda d: {k: d[k] for k in ("mean", "low", "high")}, 2),
        number("p, Holm", "holm", 4),
    )
    found = record.metrics["differences"]
    items = [d | {"holm": p} for d, p in zip(found, holm([d["p"] for d in found]), strict=True)]
    caption = "Differences in error: mean [95 % bootstrap interval]; p of the permutation test, corrected by Holm."
    return tabulate(columns, items, caption, name=f"networks-{kind}-differences")


def group_name(record: Record, group: str) -> str:
    """Return what the networks of a group are."""
    p = record.parameters
    if group != "chosen":
        return {"random": "Random cells", "darts-v2": "DARTS-V2"}[group]
    if p["cells"] == "surrogate":
        return f"Best of {p['pool']:,} random cells by our surrogate"
    return "Cells that DiNAS generated" if p["cells"].startswith("record:") else "Cells named"


def error_figure(kind: str, runs: Shown) -> Figure | None:
    """Return the top-1 error of each network by group; the data: the table `networks`. None without a record."""
    if (run := runs.run(f"dinas.table5.{kind}")) is None:
        return None
    record, data = run[1], records.load_table(*run, "networks.parquet")
    groups = {g: part["top1_error"] for g in _COLOURS if len(part := data[data["group"] == g])}

    def draw(canvas: Canvas) -> None:
        import seaborn

        axes = canvas.add_subplot()
        names = {g: fill(group_name(record, g), 25) for g in groups}
        look = {"data": data.replace({"group": names}), "x": "top1_error", "y": "group", "hue": "group", "ax": axes}
        look |= {"order": names.values(), "palette": {name: _COLOURS[g] for g, name in names.items()}, "legend": False}
        seaborn.stripplot(**look, jitter=False, alpha=0.75, size=6)
        seaborn.pointplot(**look, errorbar=None, marker="|", markersize=30, markeredgewidth=2.5)
        axes.set(xlabel="top-1 error after the last epoch, %", ylabel="")

    said = "; ".join(
        f"{group_name(record, g)}: {len(e)} networks, mean {e.mean():.1f} %, from {e.min():.1f} to {e.max():.1f} %"
        for g, e in groups.items()
    )
    where = _DATA_NAMES[record.parameters["data"]]
    alt = f"A strip chart of the top-1 error of each network on {where}, a row per group, a bar at each mean. {said}."
    caption = "Top-1 error of each network; a bar at the mean of each group."
    return render(draw, (8.0, 0.9 + 0.75 * len(groups)), alt, data).titled(f"networks-{kind}", caption)


def numbers(runs: Shown) -> dict[str, Any]:
    """Return what sentences quote, by `verbs.quoted` below `table5.<chosen>`; what has no record is missing.

    Words: `table5.<chosen>.random` for the difference to random cells, missing where one network has no interval, and
    `table5.<chosen>.smaller`.
    """
    found: dict[str, Any] = {}
    for kind, record in ((k, r) for k in KINDS if (r := runs.record(f"dinas.table5.{k}"))):
        found |= verbs.quoted(key := f"table5.{kind}", record)
        if (d := found.get(f"{key}.differences.chosen.random.top1_error")) and d["low"] is not None:
            found[f"{key}.random"] = verbs.standing(d, 0.0, ("worse than", "not told apart from", "better than"))
        rows = _rows(record)
        by_size, by_error = (sorted(rows, key=lambda g: rows[g][k]["mean"]) for k in ("parameters", "top1_error"))
        found[f"{key}.smaller"] = verbs.holds(by_size == by_error, "err less", "do not all err less")
    return found
