"""The plan: every run behind the book, which record each has, and what the runs have cost.

`select` is the only way from a part of the book, or a claim, to a record: it returns the record whose parameters are
exactly those of the plan's entry. A smoke run, a trial or a run with another seed never takes its place.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from nasrepro.errors import CorruptData, ParameterError, did_you_mean
from nasrepro.files import paths
from nasrepro.files.storage import read_yaml
from nasrepro.parameters import resolved
from nasrepro.parameters.base import ADDED, option
from nasrepro.runs.records import Record, Run

# what does not change a trained model, so that runs which differ in these alone share one
_AFTER_TRAINING = {"guidance_scale", "guide_on", "reverse_steps", "queries", "runs", "most_draws", "protocol"}
_CELLS = {
    "nb201": 15_625,
    "hw": 15_625,
    "nb101": 423_624,
    "nlp": 7_258,
}  # that are labelled; nb301 has a parameter
_STEPS_THAT_KEEP_THE_NAME, _SHARE_THAT_KEEPS_THE_NAME = 40_000, 0.4
PAPERS = {"dinas": "DiNAS", "delta": "Delta-NAS", "both": "both"}


class Planned(BaseModel):
    """One run of the plan; `data/plan.yml` explains the fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str
    paper: Literal["dinas", "delta", "both"]
    part: str
    experiment: str
    parameters: dict[str, Any] = {}
    profile: Literal["laptop", "full"] = "laptop"
    recipe: str | None = None
    departures: dict[str, Any] = {}
    trial: bool = False

    @model_validator(mode="after")
    def _departs_from_a_recipe(self) -> Planned:
        if self.departures and self.recipe is None:
            raise ValueError(f"{self.id} has departures, and no recipe to depart from")
        return self

    def __str__(self) -> str:
        given = self.parameters | self.departures
        told = [
            self.experiment,
            *([f"by {self.recipe}"] if self.recipe else []),
            *(f"{k}={v}" for k, v in given.items()),
        ]
        return " ".join(told)

    @cached_property
    def given(self) -> dict[str, Any]:
        """What is given to the experiment beside its profile: recipe, parameters, departures, in this order."""
        return {**(recipe(self.recipe) if self.recipe else {}), **self.parameters, **self.departures}

    @cached_property
    def resolved(self) -> dict[str, Any]:
        """The value of every parameter."""
        return resolved(self.experiment, self.given, self.profile).model_dump(mode="json")

    @property
    def command(self) -> str:
        """The command that makes the run."""
        given = self.parameters | self.departures
        file = [f"-f {(Path('data') / 'paper' / self.recipe).as_posix()}"] if self.recipe else []
        options = [option(name, value) for name, value in given.items()]
        return " ".join(["nasrepro run", self.experiment, *file, *options, "--profile", self.profile])


def recipe(name: str) -> dict[str, Any]:
    """Return the parameters of a file of `data/paper/`."""
    found: dict[str, Any] = read_yaml(paths.data_dir() / "paper" / name)
    return dict(found)


def load_plan(paper: str | None = None, path: Path | None = None) -> list[Planned]:
    """Read `data/plan.yml`; with `paper`, only its runs and those of both."""
    return [p for p in _load(path or paths.data_dir() / "plan.yml") if paper is None or p.paper in (paper, "both")]


def _load(path: Path) -> tuple[Planned, ...]:
    try:
        return _parsed(path, path.stat().st_mtime_ns)
    except (OSError, KeyError, TypeError, ValueError, ValidationError) as error:
        raise CorruptData(f"{path} does not hold the plan: {error}. Restore it: `git checkout {path.name}`.") from error


@lru_cache(maxsize=4)
def _parsed(path: Path, _changed: int) -> tuple[Planned, ...]:
    plan = tuple(Planned.model_validate(entry) for entry in read_yaml(path)["runs"])
    names = [p.id for p in plan]
    if repeated := sorted({n for n in names if names.count(n) > 1}):
        raise ValueError(f"it has two entries of one id: {', '.join(repeated)}")
    return plan


def planned(part: str) -> Planned:
    """Return the entry of the plan with an id; raise `ParameterError` where there is none."""
    plan = {p.id: p for p in load_plan()}
    if part not in plan:
        raise ParameterError(f"The plan has no run `{part}`.{did_you_mean(part, list(plan))}")
    return plan[part]


R = TypeVar("R", Run, Record)
PLACE = ("benchmark", "space", "dataset", "device", "latency")  # parameters that say where a run takes place


class Shown(list[Run]):
    """Runs to choose from, with one of the user's own in the place of the part of the plan that it is nearest to.

    Attributes:
        yours: part -> your run; empty without one.
        asked: parts that were selected and have a run, in order: what a page rests on.
    """

    def __init__(self, committed: Sequence[Run], yours: Run | None = None, parts: Sequence[str] = ()) -> None:
        """Take the committed runs; put `yours` in the place of the nearest of some parts and what is below them."""
        super().__init__(committed)
        near = nearest(yours[1], parts) if yours is not None else None
        self.yours = {near[0].id: yours} if near is not None and yours is not None else {}
        self.asked: dict[str, Run] = {}

    def run(self, part: str) -> Run | None:
        """Return the run of a part, None while there is none."""
        return select(part, self)

    def record(self, part: str) -> Record | None:
        """Return the record of a part, None while there is none."""
        found = select(part, self)
        return found[1] if found else None

    def below(self, part: str) -> dict[str, Record]:
        """Return the records of a part and of those below it, by id, in the order of the plan."""
        return {name: record for name, (_, record) in select_all(part, self).items()}


def select(part: str, among: Sequence[R]) -> R | None:
    """Return the run, or the record, of a part of the plan, None while there is none.

    Args:
        part: id of the plan's entry.
        among: what to choose from, e.g. the committed runs.
    """
    found = among.yours.get(part) if isinstance(among, Shown) else None
    found = found or find(planned(part), among)
    if isinstance(among, Shown) and found is not None:
        among.asked[part] = found
    return found


def select_all(part: str, among: Sequence[R]) -> dict[str, R]:
    """Return the runs of a part and of those below it (`dinas.table4` has `dinas.table4.fpga.1`), by id, in the order
    of the plan; parts without a record are left out. Raises `ParameterError` where the plan has no such part."""
    below = [p for p in load_plan() if f"{p.id}.".startswith(f"{part}.")]
    if not below:
        raise ParameterError(f"The plan has no run of `{part}`.")
    return {p.id: found for p in below if (found := select(p.id, among)) is not None}


def find(entry: Planned, among: Sequence[R]) -> R | None:
    """Return the run whose parameters are exactly those of an entry of the plan; of several (another method version,
    other data) the newest."""
    wanted = entry.resolved
    neutral = {name: ADDED[name] for name in wanted if name in ADDED}
    fitting = [
        (record.method_version, record.created, record.key, place)
        for place, record in enumerate(map(_record, among))
        if record.experiment == entry.experiment
        and record.profile != "smoke"
        and {**neutral, **record.parameters} == wanted
    ]
    return among[max(fitting)[-1]] if fitting else None


def _record(found: Run | Record) -> Record:
    return found if isinstance(found, Record) else found[1]


def departures(entry: Planned) -> dict[str, tuple[Any, Any]]:
    """Return what a run by a recipe does otherwise than printed: parameter -> (printed, run)."""
    printed = resolved(
        entry.experiment, {**(recipe(entry.recipe) if entry.recipe else {}), **entry.parameters}, entry.profile
    ).model_dump(mode="json")
    return {name: (printed[name], entry.resolved[name]) for name in entry.departures}


def keeps_the_name(entry: Planned, steps: int) -> bool:
    """Return whether a run by a recipe was trained for long enough to be called as printed: for 40,000 steps, or for
    40 % of the printed epochs.

    Args:
        entry: of the plan.
        steps: training steps of its record.
    """
    printed, epochs = departures(entry).get("epochs", (1, 1))
    return steps >= _STEPS_THAT_KEEP_THE_NAME or epochs >= _SHARE_THAT_KEEPS_THE_NAME * printed


def cost_in_words(entry: Planned, runs: Sequence[Run]) -> str:
    """Say what a run by a recipe would cost: training steps and samples, and their hours on the machine of the first
    run by it that has a record (those of training only where its record has all of its seconds)."""
    cells = _CELLS.get(entry.experiment) or entry.resolved.get("cells")
    if not entry.recipe or cells is None:
        return "no committed run"
    p = entry.resolved
    trainings = p["trainings"] * (2 if entry.experiment == "nb301" else 1)
    steps = trainings * p["epochs"] * math.ceil(int(cells * p["train_share"]) / p["batch_size"])
    samples = trainings * p["runs"] * p["queries"]
    found = [r[1] for q in load_plan() if q.recipe == entry.recipe and (r := find(q, runs)) is not None]
    short = {training_of(r) for _, r in runs if r.cost.lacks_seconds}  # what shares such a training lacks them, too
    whole = [r.metrics["speed"] for r in found if training_of(r) not in short]
    told = f"{steps:,} training steps"
    if whole:
        told += f" (about {steps * whole[0]['training_s'] / whole[0]['training_steps'] / 3600:,.1f} h)"
    if found and not whole:
        told += " (hours unknown)"
    told += f" and {samples:,} samples"
    if found:
        told += f" (about {samples * found[0].metrics['speed']['seconds_per_architecture'] / 3600:,.1f} h)"
    return f"not run as printed: {told}"


def nearest(record: Record, parts: Sequence[str] = ()) -> tuple[Planned, dict[str, Any]] | None:
    """Return the entry of the plan that a run is nearest to, among those of its experiment and place (and of some
    parts, if any are named), and the parameters in which it differs; None where there is none."""
    found = []
    for entry in load_plan():
        asked = not parts or any(f"{entry.id}.".startswith(f"{part}.") for part in parts)
        if asked and entry.experiment == record.experiment and not entry.trial and not entry.recipe:
            wanted = entry.resolved
            differs = {k: v for k, v in record.parameters.items() if wanted.get(k) != v}
            if not differs.keys() & set(PLACE):
                found.append((len(differs), entry.id, entry, differs))
    return min(found)[2:] if found else None


def parts_of(record: Record) -> list[str]:
    """Return the ids of the plan whose run a record is."""
    return [p.id for p in load_plan() if find(p, [record]) is not None]


def trained_by(experiment: str, parameters: Mapping[str, Any]) -> str:
    """Return what tells the trained models of runs apart; runs that share them have it in common."""
    return f"{experiment} {sorted((k, v) for k, v in parameters.items() if k not in _AFTER_TRAINING)}"


def training_of(record: Record) -> str:
    """Return `trained_by` of a record."""
    return trained_by(record.experiment, {**ADDED, **record.parameters})
