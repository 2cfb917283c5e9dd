"""The plan: every run behind the book, what each has cost, and which are missing (`nasrepro run --all`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from nasrepro import paths
from nasrepro.errors import CorruptData
from nasrepro.parameters.base import ADDED
from nasrepro.study.fragments import profile_parameters
from nasrepro.study.records import Record
from nasrepro.study.rendering import Column, Row, Table, duration

# what does not change a trained model, so that runs which differ in these alone share one
_AFTER_TRAINING = {"guidance_scale", "guide_on", "reverse_steps", "queries", "runs", "most_draws", "protocol"}
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


def trained_by(experiment: str, parameters: Mapping[str, Any]) -> str:
    """Return what tells the trained models of runs apart; runs that share them have it in common."""
    return f"{experiment} {sorted((k, v) for k, v in parameters.items() if k not in _AFTER_TRAINING)}"


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
    seen: set[str] = set()
    for (paper, part), runs in groups.items():
        found = [r for planned in runs if (r := record_of(planned, candidates, profile)) is not None]
        wall = cpu = 0.0
        for record in found:
            model = trained_by(record.experiment, {**ADDED, **record.parameters})
            own = 1.0 if model not in seen else 1 - record.cost.stages.get("training", 0.0) / record.cost.wall_s
            seen.add(model)
            wall, cpu = wall + own * record.cost.wall_s, cpu + own * record.cost.cpu_s
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
        "about the CPU time. A training that runs share counts where it comes first; of its CPU time, which no record "
        "states apart, it is taken to have the share that it has of the wall time."
    )
    return Table(columns, tuple(rows), caption)
