"""Table 6 of DiNAS, right half: what a training and a sample cost, on the paper's device and on ours."""

from __future__ import annotations

from typing import Any

import pandas as pd

from nasrepro.report.rendering import DATASET_NAMES, Table, duration, number, tabulate, text
from nasrepro.report.rows import not_run
from nasrepro.report.verbs import holds
from nasrepro.runs.plan import Shown
from nasrepro.runs.printed import hardware_settings, printed

_PARTS = {  # the parts of the plan whose records stand for a benchmark
    "nb101": ("dinas.table1",),
    "nb201": tuple(f"dinas.table2.{name}" for name in DATASET_NAMES),
    "nb301": ("dinas.table3.nb301",),  # one training of each of its two cells
    "nlp": ("dinas.table3.nlp",),
    "hw": tuple(f"dinas.table4.{device}.{bound}" for device, bound in hardware_settings()),
}
_COLUMNS = (
    text("Benchmark", "title"),
    number("Training, printed", lambda row: f"{row['training_h']:g} h"),
    number("One sample, printed", lambda row: f"{row['sample_s']:g} s"),
    number("Training, ours", "training"),
    number("Its steps x batch", "steps"),
    number("ms per step", "ms"),
    number("One sample, ours", "sample"),
    number("Its reverse steps", "reverse_steps"),
)


def efficiency_table(runs: Shown) -> Table:
    """Return the costs, printed beside ours; where a benchmark has several settings, the mean over them, as printed."""
    parts = [part for parts in _PARTS.values() for part in parts]
    known = [record for part in parts if (record := runs.record(part))]
    devices = sorted({f"{r.environment.device}, {r.environment.threads} thread(s)" for r in known})
    caption = f"DiNAS, Table 6, right half: wall times. Printed: one A6000. Ours: {' and '.join(devices) or 'not run'}."
    resumed = ", ".join(r.key for r in known if r.cost.lacks_seconds)
    notes = (f"Resumed, so that seconds of a sitting killed in training are missing: {resumed}.",) if resumed else ()
    rows = [entry | _costs(entry["benchmark"], runs) for entry in printed("dinas_table6").to_dict("records")]
    return tabulate(_COLUMNS, rows, caption, (*notes, *not_run(runs, *parts)), name="efficiency")


def _costs(benchmark: str, runs: Shown) -> dict[str, Any]:
    """Return what the trainings and samples of a benchmark cost, the mean over its runs; empty without one."""
    known = [record for part in _PARTS[benchmark.partition("-")[0]] if (record := runs.record(part))]
    if not known:
        return {}
    mean, p = pd.DataFrame([r.metrics["speed"] for r in known]).mean(), known[0].parameters
    return {
        "training": duration(mean["training_s"]),
        "training_steps": mean["training_steps"],
        "steps": f"{mean['training_steps']:,.0f} x {p['batch_size']}",
        "ms": 1000 * mean["training_s"] / mean["training_steps"],
        "sample": f"{mean['seconds_per_architecture']:.3f} s",
        "reverse_steps": p["reverse_steps"],
    }


def numbers(runs: Shown) -> dict[str, Any]:
    """Return what sentences quote of NAS-Bench-201, `table6.<steps|ms>` and how they stand to those printed: 100 epochs
    of 967 steps in 0.25 hours. Empty without a record."""
    if not (ours := _costs("nb201", runs)):
        return {}
    steps, ms = float(ours["training_steps"]), float(ours["ms"])
    slower = holds(ms > 0.25 * 3_600_000 / 96_700, "slower", "no slower")
    fewer = holds(steps < 0.1 * 96_700, "far fewer", "not far fewer")
    return {"table6.steps": steps, "table6.ms": ms, "table6.slower": slower, "table6.fewer": fewer}
