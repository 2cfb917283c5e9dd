"""Table 6 of DiNAS, right half: what a training and a sample cost, on the paper's device and on ours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from nasrepro.report.rendering import DATASET_NAMES, Column, Row, Table, duration, runs_note
from nasrepro.runs.plan import select
from nasrepro.runs.printed import hardware_settings, printed
from nasrepro.runs.records import Record

_PARTS = {  # the parts of the plan whose records stand for a benchmark
    "nb101": ("dinas.table1",),
    "nb201": tuple(f"dinas.table2.{name}" for name in DATASET_NAMES),
    "nb301-normal": ("dinas.table3.nb301",),
    "nb301-reduction": ("dinas.table3.nb301",),
    "nlp": ("dinas.table3.nlp",),
    "hw": tuple(f"dinas.table4.{device}.{bound}" for device, bound in hardware_settings()),
}


def records_of(benchmark: str, candidates: Iterable[Record]) -> list[Record]:
    """Return the records whose cost stands for a benchmark: those behind its table."""
    known = list(candidates)
    return [record for part in _PARTS[benchmark] if (record := select(part, known)) is not None]


def efficiency_table(candidates: Sequence[Record]) -> Table:
    """Return the costs, printed beside ours; where a benchmark has several settings, the mean over them, as printed."""
    columns = (
        Column("Benchmark"),
        Column("Training, printed", numeric=True),
        Column("One sample, printed", numeric=True),
        Column("Training, ours", numeric=True),
        Column("Its steps x batch", numeric=True),
        Column("ms per step", numeric=True),
        Column("One sample, ours", numeric=True),
        Column("Its reverse steps", numeric=True),
    )
    rows, devices, keys = [], set(), []
    for entry in printed("dinas_table6").to_dict("records"):
        told = (f"{entry['training_h']:g} h", f"{entry['sample_s']:g} s")
        found = records_of(entry["benchmark"], candidates)
        if not found:
            rows.append(Row((entry["title"], *told, *["not run"] * 5), "ours"))
            continue
        speeds = pd.DataFrame([r.metrics["speed"] for r in found]).mean()
        p = found[0].parameters
        seconds, steps = speeds["training_s"], speeds["training_steps"]
        ours = (
            duration(seconds),
            f"{steps:,.0f} x {p['batch_size']}",
            f"{1000 * seconds / steps:.0f}",
            f"{speeds['seconds_per_architecture']:.3f} s",
            f"{p['reverse_steps']}",
        )
        rows.append(Row((entry["title"], *told, *ours), "ours"))
        devices |= {f"{r.environment.device}, {r.environment.threads} thread(s)" for r in found}
        keys += [r.key for r in found if r.key not in keys]
    caption = (
        "DiNAS, Table 6, right half: wall time of one training and of one sampled architecture. Printed: one NVIDIA "
        "A6000, 100 epochs. Ours: the runs behind Tables 1 to 4, with fewer and larger steps and a smaller network; "
        "on " + (" and ".join(sorted(devices)) or "no device yet") + ". Another device and another recipe: the columns "
        "cannot be compared as equal."
    )
    notes = runs_note(keys)
    if resumed := [r.key for r in candidates if r.key in keys and r.cost.lacks_seconds]:
        notes = (*notes, f"Resumed, so that seconds of a sitting killed in training are missing: {', '.join(resumed)}.")
    return Table(columns, tuple(rows), caption, notes)
