"""Table 5 of DiNAS, ImageNet, and the check of its pipeline on CIFAR-10: chosen cells against random ones."""

from __future__ import annotations

from textwrap import fill
from typing import Any

from nasrepro.report import verbs
from nasrepro.report.dinas.table_4 import not_run
from nasrepro.report.drawing import Figure, render
from nasrepro.report.rendering import Column, Table, number, tabulate, text
from nasrepro.runs import records
from nasrepro.runs.claims import metric_row
from nasrepro.runs.plan import Shown
from nasrepro.runs.printed import printed
from nasrepro.runs.records import Record
from nasrepro.runs.statistics import holm

KINDS = ("generated", "surrogate")  # of chosen cells
_GROUPS = {"chosen": ("#0b3c6f", "o"), "random": ("#b3540f", "D"), "darts-v2": ("#2f6b2f", "s")}
_DATA_NAMES = {"cifar10": "CIFAR-10", "imagenet": "ImageNet", "generated": "Made-up images"}
_ERRORS = ("top1_error", "top5_error")
_ZERO = {"mean": 0.0, "low": 0.0, "high": 0.0}


def _error(k: int, digits: int) -> Column:
    return number(f"Top-{k} error, %", lambda r: r[f"top{k}_error"], digits)


_PRINTED = (
    text("Method", lambda r: f"{r['method']}, {r['kind']}"),
    *(_error(1, 1), _error(5, 1), number("Queries", lambda r: r["queries"])),
    number("Search, GPU hours", lambda r: r["search_gpu_hours"]),
)
_NETWORKS = (
    *(text("Cells", lambda r: r["cells"]), number("Networks", lambda r: r["networks"]), _error(1, 2), _error(5, 2)),
    number("Parameters, thousands", lambda r: r["thousands"], 1),
    number("Multiply-adds, millions", lambda r: r["millions"], 2),
)


def imagenet_table(runs: Shown) -> Table:
    """Return Table 5 as printed, and our row: what a record says, or that it was not run."""
    frame = printed("dinas_table5").astype({"queries": object}).fillna({"queries": "n.p."})
    frame = frame.assign(kind="printed", search_gpu_hours=frame["search_gpu_hours"].map("{:g}".format))
    record = runs.record("dinas.table5.imagenet")
    found = (metric_row(record, "chosen", "best_epoch") if record else None) or dict.fromkeys(_ERRORS, "not run")
    ours = dict.fromkeys(frame, "not run") | {k: found[k] for k in _ERRORS} | {"method": "DiNAS", "kind": "ours"}
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
    rows = []
    for group, row in _rows(record).items():
        sizes = {"thousands": row["parameters"]["mean"] / 1e3, "millions": row["multiply_adds"]["mean"] / 1e6}
        rows.append({"cells": group_name(record, group), "kind": "ours"} | row | sizes)
    chance = record.metrics["chance_top1_error"]  # 100 - 100 / classes
    errors = {"top1_error": f"{chance:.0f}", "top5_error": f"{5 * chance - 400:.0f}"}
    none = dict.fromkeys(("networks", "thousands", "millions"), "none")
    rows.append({"cells": "Chance", "kind": "printed"} | none | errors)
    p = record.parameters
    caption = (
        f"{_DATA_NAMES[p['data']]}, {p['side']} x {p['side']}: errors on {p['test_images'] or 10_000:,} test images "
        f"after {p['epochs']} epochs over {p['training_images'] or 50_000:,} training images, last epoch; mean [95 % "
        f"bootstrap interval over networks]. Networks of {p['n_cells']} cells, {p['channels']} channels; images from "
        f"`{record.metrics['images']}`."
    )
    return tabulate(_NETWORKS, rows, caption, kind=lambda r: r["kind"], name=name)


def _rows(record: Record) -> dict[str, dict[str, Any]]:
    return {group: row for group in _GROUPS if (row := metric_row(record, group, "last"))}


def difference_table(kind: str, runs: Shown) -> Table | None:
    """Return the differences between the chosen cells and the others, with their intervals; None without a record."""
    if (record := runs.record(f"dinas.table5.{kind}")) is None:
        return None
    columns = (
        text("Difference", lambda d: f"{group_name(record, d['of'])}, minus {group_name(record, d['minus'])}"),
        text("Error", lambda d: {"top1_error": "top-1", "top5_error": "top-5"}[d["field"]]),
        number("Points", lambda d: {k: d[k] for k in ("mean", "low", "high")}, 2),
        number("p, Holm", lambda d: d["holm"], 4),
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
    groups = {g: part["top1_error"] for g in _GROUPS if len(part := data[data["group"] == g])}

    def draw(canvas: Any) -> None:
        axes = canvas.add_subplot()
        for place, (group, errors) in enumerate(reversed(groups.items())):
            colour, marker = _GROUPS[group]
            axes.plot(errors, [place] * len(errors), marker, color=colour, alpha=0.75, linestyle="none")
            axes.plot([errors.mean()] * 2, [place - 0.25, place + 0.25], color=colour, linewidth=2)
        axes.set_yticks(range(len(groups)), [fill(group_name(record, g), 25) for g in reversed(groups)])
        axes.set_ylim(-0.6, len(groups) - 0.4)
        axes.set_xlabel("top-1 error after the last epoch, %")

    said = "; ".join(
        f"{group_name(record, g)}: {len(e)} networks, mean {e.mean():.1f} %, from {e.min():.1f} to {e.max():.1f} %"
        for g, e in groups.items()
    )
    where = _DATA_NAMES[record.parameters["data"]]
    alt = f"A strip chart of the top-1 error of each network on {where}, a row per group, a bar at each mean. {said}."
    caption = "Top-1 error of each network; a bar at the mean of each group."
    return render(draw, (8.0, 0.9 + 0.75 * len(groups)), alt, data).titled(f"networks-{kind}", caption)


def numbers(runs: Shown) -> dict[str, float | int | str | None]:
    """Return what sentences quote; keys without a record are missing.

    `evidence.table5.<chosen>.<than>.<statistic>`: differences in top-1 error; `.<group>.<field>`: means of a group;
    `table5.<chosen>.random`: the word for the difference to random cells, missing where one network has no interval;
    `.<n|kendall_tau|p>`: of the surrogate's ranking; `.smaller`, `.epochs`.
    """
    found: dict[str, Any] = {}
    for kind, record in ((k, r) for k in KINDS if (r := runs.record(f"dinas.table5.{k}"))):
        key, rows = f"evidence.table5.{kind}", _rows(record)
        differences = {d["minus"]: d for d in record.metrics["differences"] if d["field"] == "top1_error"}
        for than, d in differences.items():
            found |= {f"{key}.{than}.{k}": d[k] for k in ("mean", "low", "high", "p")}
        if (d := differences.get("random")) and d["low"] is not None:
            words = ("worse than", "not told apart from", "better than")
            found[f"table5.{kind}.random"] = verbs.standing(d, _ZERO, words)
        for group, row in rows.items():
            found |= {f"{key}.{group}.{k}": row[k]["mean"] for k in ("parameters", "top1_error")}
        found |= {f"table5.{kind}.{k}": v for k, v in (record.metrics["surrogate_rank"] or {}).items()}
        by_size, by_error = (sorted(rows, key=lambda g: rows[g][k]["mean"]) for k in ("parameters", "top1_error"))
        found[f"table5.{kind}.smaller"] = verbs.holds(by_size == by_error, "err less", "do not all err less")
        found[f"table5.{kind}.epochs"] = record.parameters["epochs"]
    return found
