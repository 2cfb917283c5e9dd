"""The plan: every run behind the book, what each has cost, and which are missing (`nasrepro run --all`)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from nasrepro import paths
from nasrepro.errors import CorruptData
from nasrepro.study.fragments import profile_parameters
from nasrepro.study.parameters import ADDED
from nasrepro.study.records import Record
from nasrepro.study.rendering import Column, Row, Table, duration

# what does not change a trained model, so that runs which differ in these alone share one
_AFTER_TRAINING = {"guidance_scale", "guide_on", "reverse_steps", "queries", "runs", "most_draws", "protocol"}
_MODELS = {"nb301": 2}  # networks of one training, where there is more than one: normal and reduction cells
PAPERS = {"dinas": "DiNAS", "delta": "Delta-NAS", "both": "both"}


class Planned(BaseModel):
    """One run of the plan.

    Attributes:
        paper: `dinas`, `delta`, or `both`.
        part: table, figure or chapter of the book that shows it.
        experiment: as in `nasrepro run NAME`.
        parameters: those that differ from the profile's.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    paper: Literal["dinas", "delta", "both"]
    part: str
    experiment: str
    parameters: dict[str, Any] = {}

    def __str__(self) -> str:
        return " ".join([self.experiment, *(f"{k}={v}" for k, v in self.parameters.items())])


def load_plan(paper: str | None = None, path: Path | None = None) -> list[Planned]:
    """Read `data/plan.yml`; with `paper`, only its runs and those of both."""
    path = path or paths.data_dir() / "plan.yml"
    try:
        plan = [Planned.model_validate(entry) for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["runs"]]
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValidationError) as error:
        raise CorruptData(f"{path} does not hold the plan: {error}. Restore it: `git checkout {path.name}`.") from error
    return [p for p in plan if paper is None or p.paper in (paper, "both")]


def record_of(planned: Planned, candidates: Iterable[Record], profile: str = "laptop") -> Record | None:
    """Return the newest record of a planned run under a profile, None where there is none."""
    usual = profile_parameters(planned.experiment, profile) | planned.parameters

    def fits(record: Record) -> bool:
        given = {**ADDED, **record.parameters}
        return all(given.get(name) == value for name, value in usual.items() if name in given)

    fitting = [r for r in candidates if (r.experiment, r.profile) == (planned.experiment, profile) and fits(r)]
    return max(fitting, key=lambda r: (r.created, r.key), default=None)


def plan_table(candidates: Sequence[Record], profile: str = "laptop") -> Table:
    """Return what the runs of each part have cost, and how many have no record yet."""
    columns = (
        Column("Paper"),
        Column("Shown in"),
        Column("Experiments"),
        Column("Runs", numeric=True),
        Column("With a record", numeric=True),
        Column("Wall time", numeric=True),
        Column("CPU time", numeric=True),
    )
    groups: dict[tuple[str, str], list[Planned]] = {}
    for planned in load_plan():
        groups.setdefault((planned.paper, planned.part), []).append(planned)
    rows, totals = [], {"dinas": [0.0, 0.0], "delta": [0.0, 0.0], "both": [0.0, 0.0]}
    for (paper, part), runs in groups.items():
        found = [r for planned in runs if (r := record_of(planned, candidates, profile)) is not None]
        wall, cpu = sum(r.cost.wall_s for r in found), sum(r.cost.cpu_s for r in found)
        totals[paper][0] += wall
        totals[paper][1] += cpu
        names = ", ".join(dict.fromkeys(planned.experiment for planned in runs))
        times = (duration(wall), duration(cpu)) if found else ("not run", "not run")
        rows.append(Row((PAPERS[paper], part, names, f"{len(runs)}", f"{len(found)}", *times), "ours"))
    for paper, (wall, cpu) in totals.items():
        rows.append(Row((PAPERS[paper], "all of it", "", "", "", duration(wall), duration(cpu))))
    caption = (
        f"Every run behind the book, profile `{profile}`, and the times that the committed records state. They were "
        "taken on two CPU cores that other work shared: wall times are upper bounds, and runs after one another take "
        "about the CPU time."
    )
    return Table(columns, tuple(rows), caption)


def full_table(candidates: Sequence[Record]) -> Table:
    """Return how many training steps the `full` profile of DiNAS has, by part, and what they would take at the speed
    that the paper's Table 6 implies.

    The number of training graphs is told from the steps of the committed `laptop` runs, to within one of their batches.
    """
    columns = (
        Column("Shown in"),
        Column("Trainings", numeric=True),
        Column("Steps of all", numeric=True),
        Column("At the printed speed", numeric=True),
    )
    seconds = printed_step()
    parts: dict[str, list[int]] = {}
    seen: set[str] = set()
    for planned in load_plan("dinas"):
        record = record_of(planned, candidates)
        if record is None or "training_steps" not in record.metrics.get("speed", {}):
            continue
        p, full = record.parameters, profile_parameters(planned.experiment, "full") | planned.parameters
        model = {k: v for k, v in full.items() if k not in _AFTER_TRAINING}
        if (key := f"{planned.experiment} {sorted(model.items())}") in seen:
            continue
        seen.add(key)
        graphs = record.metrics["speed"]["training_steps"] / p["epochs"] * p["batch_size"]
        graphs *= full.get("cells", 1) / p.get("cells", 1)
        trainings = full["trainings"] * _MODELS.get(planned.experiment, 1)
        steps = trainings * full["epochs"] * math.ceil(graphs / full["batch_size"])
        count = parts.setdefault(planned.part, [0, 0])
        count[0], count[1] = count[0] + trainings, count[1] + steps
    rows = [
        Row((part, f"{trainings}", f"{steps:,}", duration(steps * seconds)), "ours")
        for part, (trainings, steps) in parts.items()
    ]
    total = sum(steps for _, steps in parts.values())
    trainings = sum(n for n, _ in parts.values())
    rows.append(Row(("all of it", f"{trainings}", f"{total:,}", duration(total * seconds))))
    caption = (
        "Training steps of the profile `full`: counted, not run. Printed speed: Table 6 of the paper has "
        f"100 epochs of NAS-Bench-201 in a quarter of an hour on an A6000, which is {1000 * seconds:.1f} ms for each "
        "step of 16 cells. A model that several runs share counts once, where it comes first; samples come on top."
    )
    return Table(columns, tuple(rows), caption)


def printed_step() -> float:
    """Return the seconds of one training step that Table 6 of DiNAS implies for NAS-Bench-201: 15,625 cells, batches
    of 16, 100 epochs."""
    hours = pd.read_csv(paths.data_dir() / "paper" / "dinas_table6.csv").set_index("benchmark")["training_h"]["nb201"]
    return float(hours) * 3600 / (100 * math.ceil(15_625 / 16))
