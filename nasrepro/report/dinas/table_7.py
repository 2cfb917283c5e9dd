"""Table 7 and the first half of Table 6 of DiNAS: fewer training cells, and how new and varied the samples are."""

from __future__ import annotations

from typing import Any

from nasrepro.report.dinas.table_1_2 import field, flat
from nasrepro.report.dinas.table_3 import TITLES, TOP_CLASS, WHAT
from nasrepro.report.rendering import Table, number, tabulate, text
from nasrepro.report.verbs import standing
from nasrepro.runs.claims import metric_row
from nasrepro.runs.plan import Shown, planned
from nasrepro.runs.printed import printed
from nasrepro.runs.records import Record

SIZES = (100_000, 10_000, 1_000)  # labelled architectures, of Table 7
_NONE = "no valid sample"
_SIZES = (
    number("Training cells", field("cells")),
    number("Steps", field("steps")),
    number("Best, ours, mean", field("best_valid"), 3),
    number("Median", field("median"), 3),
    number("Runs without a valid sample", field("failed")),
    number("Valid, %", field("validity"), 1, percent=True),
    number("Novel, %", field("novelty"), 1, percent=True),
    number("Unique, %", field("uniqueness"), 1, percent=True),
    number(TOP_CLASS, field("control"), 3),
    number("Best training label", field("best_label"), 3),
    text("Printed: best, novel, unique", field("printed")),
)


def size_table(runs: Shown) -> Table:
    """Return Table 7: DiNAS after training on 100,000, 10,000 and 1,000 labelled architectures."""
    lines, missing = [], []
    for size in SIZES:
        told = printed("dinas_table7").set_index("cells").loc[size]
        mark = f"{told['val']:.2f}, {told['novelty']:g}, {told['uniqueness']:g}"
        found = _of_size(size, runs)
        lines += [{**_line(record), "printed": mark} for record in found] or [{"cells": size, "printed": mark}]
        missing += [] if found else [f"`{planned(f'dinas.table7.{size}').command}`"]
    caption = (
        "DiNAS, Table 7, NAS-Bench-301: 192 pairs of a run, each of one normal and one reduction sample, after "
        f"training on fewer labelled architectures; {WHAT['nb301']}. Valid, novel (absent from the "
        "training data) and unique (present just once among the generations of all runs), up to isomorphism; the last "
        "two as shares of the valid."
    )
    notes = [f"To make what was not run: {', '.join(missing)}."] if missing else []
    return tabulate(_SIZES, lines, caption, notes, name="table7")


def _of_size(size: int, runs: Shown) -> list[Record]:
    """Return the runs of a size but that as printed, by epochs."""
    below = runs.below(f"dinas.table7.{size}")
    return sorted((r for name, r in below.items() if "printed" not in name), key=lambda r: int(r.parameters["epochs"]))


def _line(record: Record) -> dict[str, Any]:
    row, control = (metric_row(record, s, "paper") for s in ("dinas", "top_class"))
    assert row is not None and control is not None
    whole = {name: _NONE if share is None else share for name, share in record.metrics["all_runs"].items()}
    return {
        **whole,
        "cells": record.parameters["cells"],
        "steps": record.metrics["speed"]["training_steps"],
        "best_valid": row["best_valid"],
        "median": row["best_valid"]["median"],
        "failed": f"{row['failed_runs']} of {row['runs'] * row['trainings']}",
        "control": control["best_valid"],
        "best_label": record.metrics["best_label"],
        "extrapolated": row["extrapolated"],
    }


def numbers(runs: Shown) -> dict[str, float | int | str | None]:
    """Return what sentences quote: `<cells>.<field>`, that of the run of 1,000 cells with more steps `more-steps`."""
    found: dict[str, float | int | str | None] = {}
    best: dict[str, Any] = {}
    for part in (*map(str, SIZES), "1000.more-steps"):
        if (record := runs.record(f"dinas.table7.{part}")) is not None:
            name, line = part.rpartition(".")[2], _line(record)
            best[name] = line["best_valid"]
            found |= flat(name, line) | flat(f"{name}.normal", record.metrics["generations"]["normal"])
    return found | {"fewer": standing(best.get("10000"), best.get("100000"), ("higher", "level", "lower"))}


_VARIETY = (
    text("Samples", field("label")),
    number("Valid, %", field("validity"), 1, percent=True),
    number("Novel, %", field("novelty"), 1, percent=True),
    number("exactly", field("novelty_exact"), 1, percent=True),
    number("Unique, %", field("uniqueness"), 1, percent=True),
    number("exactly ", field("uniqueness_exact"), 1, percent=True),
    number("Printed, novel", field("told_novelty")),
    number("Printed, unique", field("told_uniqueness")),
)


def variety_table(runs: Shown) -> Table:
    """Return the first half of Table 6: novelty and uniqueness of samples that are only looked at."""
    lines, samples = [], 0
    for benchmark, title in TITLES.items():
        row = printed("dinas_table6_novelty").set_index("benchmark").loc[benchmark]
        told = {f"told_{name}": f"{row[name]:g}" for name in ("novelty", "uniqueness")}
        record = runs.record(f"dinas.table3.{benchmark}")
        if record is None:
            lines.append({"label": title, **told})
            continue
        samples, parts = record.parameters["generations"], record.metrics["generations"]
        for name, part in parts.items():
            shares = {n: _NONE if share is None else share for n, share in part.items()}
            label = f"{title}, {name}" if len(parts) > 1 else title
            last = name == list(parts)[-1]
            lines.append({**shares, "label": label, **(told if last else dict.fromkeys(told, "n.p."))})
    caption = (
        f"DiNAS, Table 6: novelty and uniqueness of {samples:,} samples of one training. Novel: absent from the "
        "training data; unique: present just once among the samples; both as shares of the valid samples, "
        "up to isomorphism and by exact equality."
    )
    notes = (
        "The paper does not say whether a generation of NAS-Bench-301 is a cell or a pair of cells, nor what it counts "
        "as the same. A pair is novel as soon as one of its cells is new in its company.",
        "Cells of NAS-Bench-NLP are kept in canonical form, so that equal means isomorphic.",
    )
    return tabulate(_VARIETY, lines, caption, notes, name="novelty")
