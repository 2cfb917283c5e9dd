"""Table 4 of DiNAS: the best accuracy under a latency constraint, and how many samples keep it."""

from __future__ import annotations

from collections.abc import Sequence
from operator import gt
from typing import Any, NamedTuple

import pandas as pd

from nasrepro.report import verbs
from nasrepro.report.history.answers import earlier
from nasrepro.report.history.file import load
from nasrepro.report.rendering import NOT_RUN, Column, Table, duration, number, tabulate, text
from nasrepro.report.rows import RECIPE, not_run, row_of
from nasrepro.runs.plan import Shown
from nasrepro.runs.printed import hardware_settings, printed
from nasrepro.runs.records import Record

DEVICE_NAMES = {name.lower(): name for name in ("EdgeGPU", "Raspi4", "EdgeTPU", "Pixel3", "Eyeriss", "FPGA")}
_WHAT = {"val": "best validation accuracy in % of the feasible samples", "feasibility": "feasible samples in % of all"}
_NETWORKS = ("whole-graph", "default")


class _Setting(NamedTuple):
    """A device, the bound on its latency in ms, the record of a model for it, and how its conditions were dropped."""

    device: str
    bound: float
    record: Any  # None where it was not run
    dropped: str = ""

    @property
    def label(self) -> str:
        return f"{DEVICE_NAMES[self.device]}, {self.bound:g} ms"

    @property
    def parameters(self) -> dict[str, Any]:
        return dict(self.record.parameters)

    def printed(self, method: str, field: str) -> float | str:
        value = printed("dinas_table4").set_index(["device", "latency_ms", "method"])[field][(*self[:2], method)]
        return "n.p." if pd.isna(value) else value

    def found(self, field: str, searcher: str = "dinas", joint: Record | None = None) -> Any:
        """Return a field of what a searcher found, or the one model for all; the ceiling counts as a searcher."""
        if (record := joint or self.record) is None:
            return NOT_RUN
        protocol = f"{self.device}-{self.bound}" if joint else "paper"
        row = record.metrics["ceiling"] if searcher == "ceiling" else row_of(record, searcher, protocol)
        return row[field] if row else "no such cell"


def _settings(runs: Shown) -> list[_Setting]:
    return [_Setting(d, b, runs.record(f"dinas.table4.{d}.{b}")) for d, b in hardware_settings()]


def _below(part: str, runs: Shown) -> list[_Setting]:
    return [_Setting(r.parameters["device"], r.parameters["latency"], r) for r in runs.below(part).values()]


def _column(heading: str, *of: Any) -> Column:
    """Return a column of settings, from the arguments of `found`."""
    digits, share = (2, False) if of[0] == "val" else (1, of[0] != "distinct_feasible")
    return number(heading, lambda s: s.found(*of), digits, percent=share)


def _printed(method: str, field: str) -> Column:
    return number(f"{method.removesuffix(' search')}, printed", lambda s: s.printed(method, field), 2)


_LABEL = text("Setting", "label")
_BEST, _CEILING = _column("Best validation, %", "val"), _column("Ceiling", "val", "ceiling")
_FEASIBLE, _CELLS = _column("Feasible samples, %", "feasibility"), _column("Samples that are cells, %", "valid_share")
_LISTED = _column("Feasible samples that stand in the training list of wanted cells, %", "in_top_class")
_FURTHER = {"val": (_CEILING,), "feasibility": (_column("Share of the space", "share", "ceiling"), _LISTED)}
_TRIALS = (_LABEL, *RECIPE, _BEST, _FEASIBLE)
_SORTED = ("device", "latency", "denoiser", "epochs", "batch_size", "time_input", "reverse_steps", "guidance_scale")
_THREE = (
    text("Setting", "record.metrics.constraint"),
    *(_BEST, _CEILING, _FEASIBLE, _CELLS, _column("Share of the space within both bounds, %", "share", "ceiling")),
    text("Run", lambda s: f"`{s.record.key}`"),
)


def constraint_table(field: str, runs: Shown) -> Table:
    """Return Table 4 for one of its two numbers.

    Args:
        field: `val` (best validation accuracy of a feasible sample) or `feasibility` (share of samples within the
            constraint).
        runs: what to show.
    """
    columns = (
        *(_LABEL, *(_printed(method, field) for method in ("DiNAS", "AG-Net", "Random search"))),
        *(_column("DiNAS, ours", field), _column("Uniform draw from the labelled wanted cells", field, "top_class")),
        *(_column("Random search, ours", field, "random"), *_FURTHER[field]),
    )
    caption = (
        f"DiNAS, Table 4, HW-NAS-Bench, ImageNet16-120: {_WHAT[field]}, mean [95 % interval] over runs. "
        "Accuracies: NAS-Bench-201 after 200 epochs, mean over seeds. n.p.: not printed."
    )
    missing = not_run(runs, *(f"dinas.table4.{device}.{bound}" for device, bound in hardware_settings()))
    return tabulate(columns, _settings(runs), caption, missing, name=f"hw-{field}")


def dropout_table(runs: Shown) -> Table:
    """Return what it does to drop the conditions together or each by itself, all else equal."""
    parts = {"dinas.table4.edgegpu.2": "together", "dinas.ablations.dropout.independent": "each by itself"}
    items = [_Setting("edgegpu", 2, runs.record(part), how) for part, how in parts.items()]
    dropped = text("Conditions dropped", lambda s: s.dropped)
    columns = (_LABEL, dropped, _BEST, _FEASIBLE, _CELLS, _column("Distinct feasible cells", "distinct_feasible"))
    caption = "Joint against independent dropout, HW-NAS-Bench (ImageNet16-120): mean [95 % interval] over runs."
    return tabulate(columns, items, caption, not_run(runs, *parts), name="ablation-dropout")


def joint_table(runs: Shown) -> Table | None:
    """Return one model for all settings beside a model for each; None where the one was not run."""
    if (joint := runs.record("dinas.table4.joint")) is None:
        return None
    columns = (
        *(_LABEL, _column("Validation, one model for all", "val", "dinas", joint)),
        *(_column("Validation, a model each", "val"), _CEILING),
        _column("Feasible, one model for all, %", "feasibility", "dinas", joint),
        _column("Feasible, a model each, %", "feasibility"),
    )
    caption = "One model that is told device and bound, and a model for each setting: mean [95 % interval] over runs."
    return tabulate(columns, _settings(runs), caption, name="hw-joint")


def trial_table(runs: Shown) -> Table:
    """Return the trial runs, which have another seed than those of the table: where our setting comes from."""
    trials = sorted(_below("dinas.table4.trials", runs), key=lambda s: [s.parameters[name] for name in _SORTED])
    caption = "Trial runs of one training each, with another seed than those of the table."
    return tabulate(_TRIALS, trials, caption, name="hw-trials")


def energy_table(runs: Shown) -> Table:
    """Return the runs with three conditions: accuracy, latency and energy."""
    caption = "Accuracy, latency and energy as three conditions, ImageNet16-120: mean [95 % interval] over runs."
    part = "dinas.table4.energy"
    return tabulate(_THREE, _below(part, runs), caption, not_run(runs, part), name="hw-energy")


def numbers(runs: Shown) -> dict[str, Any]:
    """Return what sentences quote; keys without a record are missing.

    By `verbs.quoted`: `table4.first`, the first setting, `table4.joint` and `exact.hw-nb201`. `table4.<above|level|
    below>`: settings in which ours stands so to the uniform draw; `table4.joint.<above|level|below>`: the one model to
    that of the setting; `table4.ahead.<control>`: settings with the higher mean; `table4.<...>`, extremes and words.
    """
    found = verbs.quoted("exact.hw-nb201", runs.record("dinas.exact.hw-nb201"))
    if settings := [s for s in _settings(runs) if s.record]:
        worst = min(settings, key=lambda s: s.found("valid_share"))
        listed, val, feasible = (_means(settings, field) for field in ("in_top_class", "val", "feasibility"))
        found |= verbs.quoted("table4.first", settings[0].record) | {"table4.settings": len(settings)}
        for control in ("random", "top_class"):
            found[f"table4.ahead.{control}"] = sum(map(gt, val, _means(settings, "val", control)))
        found |= _counted("table4", settings, ("val",), ("val", "top_class"))
        found |= {"table4.memorised.lowest": min(listed), "table4.memorised.highest": max(listed)}
        found |= {"table4.no_cells": 1 - worst.found("valid_share"), "table4.no_cells.at": worst.label}
        found["table4.feasible"] = min(feasible)
    if settings and (joint := runs.record("dinas.table4.joint")):
        speed, each = joint.metrics["speed"], sum(s.record.metrics["speed"]["training_s"] for s in settings)
        kept = min(_means(settings, "feasibility", "dinas", joint))
        found |= verbs.quoted("table4.joint", joint)
        found |= _counted("table4.joint", settings, ("val", "dinas", joint), ("val",))
        found["table4.joint.keeps"] = verbs.holds(kept < min(feasible), "less well", "no less well")
        found |= {"table4.joint.feasible": kept, "table4.joint.training": duration(speed["training_s"])}
        found["table4.joint.training_each"] = duration(each)
    for s in _below("dinas.table4.energy", runs):
        reached = s.found("val")["mean"] > s.found("val", "ceiling") - 1e-6
        found["table4.energy"] = verbs.holds(reached, "finds the ceiling", "misses the ceiling")
        found["table4.energy.feasible"] = s.found("feasibility")["mean"]
    trials = [s for s in _below("dinas.table4.trials", runs) if s.label == "Raspi4, 6 ms"]
    by = {n: _means([s for s in trials if s.parameters["denoiser"] == n], "feasibility") for n in _NETWORKS}
    if all(by.values()):
        whole, plain = min(by["whole-graph"]), max(by["default"])
        found |= {"table4.trials.whole-graph": whole, "table4.trials.default": plain}
        found["table4.trials"] = verbs.holds(whole > plain, "more often than", "no more often than")
    return found


def earlier_generations() -> dict[str, int]:
    """Return how many earlier generations of the table there were, as `generations.dinas.table4.earlier`."""
    return {"generations.dinas.table4.earlier": earlier(load(), "dinas.table4")}


def _means(settings: Sequence[_Setting], *of: Any) -> list[float]:
    return [s.found(*of)["mean"] for s in settings]


def _counted(key: str, settings: Sequence[_Setting], ours: tuple[Any, ...], theirs: tuple[Any, ...]) -> dict[str, int]:
    """Return in how many settings one number stands above, level with and below another."""
    words = ("above", "level", "below")
    stand = [verbs.standing(s.found(*ours), s.found(*theirs), words) for s in settings]
    return {f"{key}.{word}": stand.count(verbs.Verb(word)) for word in words}
