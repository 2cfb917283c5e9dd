"""Table 5 of DiNAS, ImageNet, and the check of its pipeline on CIFAR-10: chosen cells against random ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from nasrepro.report.drawing import Figure, render
from nasrepro.report.fragments import Fragments, command, provenance, table
from nasrepro.report.rendering import Column, Row, Table, with_interval
from nasrepro.runs import records
from nasrepro.runs.claims import metric_row
from nasrepro.runs.plan import select
from nasrepro.runs.printed import printed
from nasrepro.runs.records import Record, Run
from nasrepro.runs.statistics import holm

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

EXPERIMENT = "network_training"
COMMANDS = {
    "imagenet": f"nasrepro run {EXPERIMENT} --profile full",
    "surrogate": f"nasrepro run {EXPERIMENT} --profile laptop",
    "generated": f"nasrepro run {EXPERIMENT} -p cells=record:nb301 --profile laptop",
}
_GROUPS = {"chosen": ("#0b3c6f", "o"), "random": ("#b3540f", "D"), "darts-v2": ("#2f6b2f", "s")}
_DATA_NAMES = {"cifar10": "CIFAR-10", "imagenet": "ImageNet", "generated": "Made-up images"}
_JPEG = "cifar10_jpeg.parquet"


def reference(committed: Sequence[Run], kind: str) -> Run | None:
    """Return the committed run of a kind (a key of `COMMANDS`), None where there is none."""
    return select(f"dinas.table5.{kind}", committed)


def imagenet_table(record: Record | None) -> Table:
    """Return Table 5 as printed, and our row: what a record says, or that it was not run."""
    columns = (
        Column("Method"),
        *(Column(f"{name} error, %", numeric=True) for name in ("Top-1", "Top-5")),
        Column("Queries", numeric=True),
        Column("Search, GPU hours", numeric=True),
    )
    rows = []
    for r in printed("dinas_table5").to_dict("records"):
        errors = [f"{r[f'{k}_error']:.1f}" for k in ("top1", "top5")]
        queries = "n.p." if pd.isna(r["queries"]) else f"{r['queries']:,.0f}"
        rows.append(Row((f"{r['method']}, printed", *errors, queries, f"{r['search_gpu_hours']:g}"), "printed"))
    ours = metric_row(record, "chosen", "best_epoch") if record else None
    errors = ["not run"] * 2 if ours is None else [with_interval(ours[f"{k}_error"], 2) for k in ("top1", "top5")]
    rows.append(Row(("DiNAS, ours", *errors, *["not run"] * 2), "ours"))
    caption = (
        "DiNAS, Table 5, ImageNet: errors on the validation images after training from scratch, at the epoch at which "
        "they are lowest. Queries and hours of the search only."
    )
    notes = ("n.p.: not printed.", "`not run`: ImageNet is not on the machines of this study.")
    return Table(columns, tuple(rows), caption, notes)


def group_table(record: Record) -> Table:
    """Return the errors of each group of networks."""
    columns = (
        Column("Cells"),
        *(Column(name, numeric=True) for name in ("Networks", "Top-1 error, %", "Top-5 error, %")),
        *(Column(name, numeric=True) for name in ("Parameters, thousands", "Multiply-adds, millions")),
    )
    rows = []
    for group in _GROUPS:
        row = metric_row(record, group, "last")
        if row is None:
            continue
        sizes = f"{row['parameters']['mean'] / 1e3:.1f}", f"{row['multiply_adds']['mean'] / 1e6:.2f}"
        errors = [with_interval(row[f"{k}_error"], 2) for k in ("top1", "top5")]
        rows.append(Row((group_name(record, group), f"{row['networks']}", *errors, *sizes), "ours"))
    chance = record.metrics["chance_top1_error"]  # 100 - 100 / classes
    rows.append(Row(("Chance", "none", f"{chance:.0f}", f"{5 * chance - 400:.0f}", "none", "none"), "printed"))
    p = record.parameters
    copies = " Images are JPEG copies." if record.metrics["images"] == _JPEG else ""
    caption = (
        f"{_DATA_NAMES[p['data']]}, {p['side']} x {p['side']}: errors on {p['test_images'] or 10_000:,} test images "
        f"after {p['epochs']} epochs over {p['training_images'] or 50_000:,} training images, last epoch; mean [95 % "
        f"bootstrap interval over networks]. Networks of {p['n_cells']} cells, {p['channels']} channels; profile "
        f"`{record.profile}`, {record.environment.device}.{copies}"
    )
    notes = (
        "Each cell is trained once, all with the same seed of weights and order; DARTS-V2 with other seeds, so its "
        "interval is the luck of a training, the others' the choice of cells.",
    )
    return Table(columns, tuple(rows), caption, notes)


def difference_table(record: Record) -> Table:
    """Return the differences between the chosen cells and the others, with their intervals."""
    columns = (
        Column("Difference"),
        Column("Error"),
        Column("Points", numeric=True),
        Column("p, Holm", numeric=True),
    )
    rows = []
    found = record.metrics["differences"]
    for d, p in zip(found, holm([d["p"] for d in found]), strict=True):
        what = f"{group_name(record, d['of'])}, minus {group_name(record, d['minus'])}"
        error = {"top1_error": "top-1", "top5_error": "top-5"}[d["field"]]
        rows.append(Row((what, error, with_interval(d, 2), f"{p:.4f}"), "ours"))
    caption = (
        "Differences in error after the last epoch, in points; below zero the chosen cells are better. Mean [95 % "
        "bootstrap interval]; p of the two-sided permutation test, corrected by Holm for the tests of this table."
    )
    return Table(columns, tuple(rows), caption, (*_verdict(record), *_surrogate_note(record)))


def _verdict(record: Record) -> tuple[str, ...]:
    """Say whether the chosen cells are told apart from random ones."""
    found = (d for d in record.metrics["differences"] if (d["minus"], d["field"]) == ("random", "top1_error"))
    d: dict[str, Any] | None = next(found, None)
    if d is None or d["low"] is None:
        return ()
    name = group_name(record, "chosen")
    if d["low"] <= 0 <= d["high"]:
        return (f"{name}: by top-1 error not told apart from random cells, as the interval holds zero.",)
    better, side = ("better", "below") if d["high"] < 0 else ("worse", "above")
    return (f"{name}: {better} than random cells by top-1 error, as the interval lies {side} zero.",)


def _surrogate_note(record: Record) -> tuple[str, ...]:
    rank = record.metrics["surrogate_rank"]
    if rank is None:
        return ()
    return (
        f"Over the {rank['n']} random cells Kendall's tau between the accuracy that our surrogate predicts and the one "
        f"measured here is {rank['kendall_tau']:.2f} (p = {rank['p']:.3f}).",
    )


def group_name(record: Record, group: str) -> str:
    """Return what the networks of a group are."""
    p = record.parameters
    if group != "chosen":
        return {"random": "Random cells", "darts-v2": "DARTS-V2"}[group]
    if p["cells"] == "surrogate":
        return f"Best of {p['pool']:,} random cells by our surrogate"
    return "Cells that DiNAS generated" if p["cells"].startswith("record:") else "Cells named"


def error_figure(folder: Path, record: Record) -> Figure:
    """Return the top-1 error of each network by group; the data: the table `networks`."""
    data = records.load_table(folder, record, "networks.parquet")
    groups = [g for g in _GROUPS if (data["group"] == g).any()]

    def draw(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        for place, group in enumerate(reversed(groups)):
            colour, marker = _GROUPS[group]
            errors = data.loc[data["group"] == group, "top1_error"]
            axes.plot(errors, [place] * len(errors), marker, color=colour, alpha=0.75, linestyle="none")
            axes.plot([errors.mean()] * 2, [place - 0.25, place + 0.25], color=colour, linewidth=2)
        axes.set_yticks(range(len(groups)), [_broken(group_name(record, g)) for g in reversed(groups)])
        axes.set_ylim(-0.6, len(groups) - 0.4)
        axes.set_xlabel("top-1 error after the last epoch, %")

    by_group = {g: data.loc[data["group"] == g, "top1_error"] for g in groups}
    said = "; ".join(
        f"{group_name(record, g)}: {len(e)} networks, mean {e.mean():.1f} %, from {e.min():.1f} to {e.max():.1f} %"
        for g, e in by_group.items()
    )
    where = _DATA_NAMES[record.parameters["data"]]
    alt = f"A strip chart of the top-1 error of each network on {where}, a row per group, a bar at each mean. {said}."
    return render(draw, (8.0, 0.9 + 0.75 * len(groups)), alt, data)


def write(out: Fragments, committed: Sequence[Run]) -> None:
    """Write the parts of the page on Table 5: the printed table, the check on CIFAR-10 for both choices of cells."""
    found = reference(committed, "imagenet")
    parts = [table("imagenet", imagenet_table(found[1] if found else None))]
    parts += (
        [provenance(found[1])] if found else ["Where ImageNet is, this trains our row:", command(COMMANDS["imagenet"])]
    )
    out.write("imagenet", parts, ["table-imagenet"])
    for kind in ("generated", "surrogate"):
        name, found = f"networks-{kind}", reference(committed, kind)
        if found is None:
            out.write(name, ["There is no committed record yet. This makes one:", command(COMMANDS[kind])])
            continue
        folder, record = found
        caption = "Top-1 error of each network; a bar at the mean of each group."
        parts = [
            table(name, group_table(record)),
            table(f"{name}-differences", difference_table(record)),
            out.figure(name, error_figure(folder, record), caption),
            provenance(record),
        ]
        out.write(name, parts, [f"table-{name}", f"table-{name}-differences", f"figure-{name}"])


def _broken(name: str) -> str:
    """Return a long name on two lines."""
    words = name.split()
    half = len(words) // 2
    return name if len(name) < 25 else f"{' '.join(words[:half])}\n{' '.join(words[half:])}"
