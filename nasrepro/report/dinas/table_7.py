"""Table 7 and the first half of Table 6 of DiNAS: fewer training cells, and how new and varied the samples are."""

from __future__ import annotations

from typing import Any

from nasrepro.report.dinas.table_3 import TITLES, TOP_CLASS, WHAT
from nasrepro.report.rendering import Table, number, tabulate, text
from nasrepro.report.rows import not_run, row_of, search_row
from nasrepro.report.verbs import quoted, standing
from nasrepro.runs.plan import Shown
from nasrepro.runs.printed import printed
from nasrepro.runs.records import Record

SIZES = (100_000, 10_000, 1_000)  # labelled architectures, of Table 7
_SIZES = (
    number("Training cells", "cells"),
    number("Steps", "steps"),
    number("Best, ours, mean", "best_valid", 3),
    number("Median", "best_valid.median", 3),
    number("Runs without a valid sample", "failed"),
    number("Valid, %", "validity", 1, percent=True),
    number("Novel, %", "novelty", 1, percent=True),
    number("Unique, %", "uniqueness", 1, percent=True),
    number(TOP_CLASS, "control", 3),
    number("Best training label", "best_label", 3),
    text("Printed: best, novel, unique", "printed"),
)


def size_table(runs: Shown) -> Table:
    """Return Table 7: DiNAS after training on 100,000, 10,000 and 1,000 labelled architectures."""
    lines: list[dict[str, Any]] = []
    for size in SIZES:
        told = printed("dinas_table7").set_index("cells").loc[size]
        mark = {"printed": f"{told['val']:.2f}, {told['novelty']:g}, {told['uniqueness']:g}"}
        lines += [_line(record) | mark for record in _of_size(size, runs)] or [{"cells": size} | mark]
    caption = (
        "DiNAS, Table 7, NAS-Bench-301: 192 pairs of a run, each of one normal and one reduction sample, after "
        f"training on fewer labelled architectures; {WHAT['nb301']}. Valid, novel (absent from the "
        "training data) and unique (present just once among the generations of all runs), up to isomorphism; the last "
        "two as shares of the valid."
    )
    notes = not_run(runs, *(f"dinas.table7.{size}" for size in SIZES))
    return tabulate(_SIZES, lines, caption, notes, name="table7")


def _of_size(size: int, runs: Shown) -> list[Record]:
    """Return the runs of a size but that as printed, by epochs."""
    below = runs.below(f"dinas.table7.{size}")
    return sorted((r for name, r in below.items() if "printed" not in name), key=lambda r: int(r.parameters["epochs"]))


def _line(record: Record) -> dict[str, Any]:
    return search_row(record) | _shares(record.metrics["all_runs"]) | {
        "cells": record.parameters["cells"],
        "steps": record.metrics["speed"]["training_steps"],
        "control": row_of(record, "top_class")["best_valid"],
        "best_label": record.metrics["best_label"],
    }  # fmt: skip


def _shares(found: dict[str, float | None]) -> dict[str, float | str]:
    return {name: "no valid sample" if share is None else share for name, share in found.items()}


def numbers(runs: Shown) -> dict[str, Any]:
    """Return what sentences quote: `<cells>.<field>`, that of the run of 1,000 cells with more steps `more-steps`."""
    found: dict[str, Any] = {}
    for part in (*map(str, SIZES), "1000.more-steps"):
        if (record := runs.record(f"dinas.table7.{part}")) is not None:
            name = part.rpartition(".")[2]
            found |= quoted(name, _line(record)) | quoted(f"{name}.normal", record.metrics["generations"]["normal"])
    less, more = (found.get(f"{size}.best_valid") for size in (10_000, 100_000))
    return found | {"fewer": standing(less, more, ("higher", "level", "lower"))}


_VARIETY = (
    text("Samples", "label"),
    number("Valid, %", "validity", 1, percent=True),
    number("Novel, %", "novelty", 1, percent=True),
    number("exactly", "novelty_exact", 1, percent=True),
    number("Unique, %", "uniqueness", 1, percent=True),
    number("exactly ", "uniqueness_exact", 1, percent=True),
    number("Printed, novel", "told.novelty"),
    number("Printed, unique", "told.uniqueness"),
)


def variety_table(runs: Shown) -> Table:
    """Return the first half of Table 6: novelty and uniqueness of samples that are only looked at."""
    lines: list[dict[str, Any]] = []
    samples = 0
    for benchmark, title in TITLES.items():
        told = printed("dinas_table6_novelty").set_index("benchmark")[["novelty", "uniqueness"]].loc[benchmark]
        if (record := runs.record(f"dinas.table3.{benchmark}")) is None:
            parts: dict[str, Any] = {"": {}}
        else:
            samples, parts = record.parameters["generations"], record.metrics["generations"]
        for name, part in parts.items():
            label = f"{title}, {name}" if len(parts) > 1 else title
            lines.append({**_shares(part), "label": label, "told": dict.fromkeys(told.index, "n.p.")})
        lines[-1]["told"] = told.map("{:g}".format).to_dict()  # the paper prints one number
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
