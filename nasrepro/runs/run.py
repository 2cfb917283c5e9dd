"""A run: (experiment, parameters, profile) -> record. Finished stages are kept, so a killed run resumes where it was.

The folder of a run holds `record.json` and its tables once it is finished, and `stages/` while it is not. Trained
models lie in `models/` beside the runs under a key of what they were trained on, so runs that differ only in sampling
share them. Runs and trainings are made by one process at a time (`nasrepro.files.leases`).
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

import pandas as pd

from nasrepro.benchmarks.ledger import Ledger
from nasrepro.errors import CorruptData, ParameterError
from nasrepro.files import leases, paths
from nasrepro.files.leases import Lease
from nasrepro.parameters.base import Parameters, resolve
from nasrepro.runs import provenance, records, resumable
from nasrepro.runs.records import Cost, DataFile, LabelCount, Record, Run

P = TypeVar("P", bound=Parameters)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What an experiment returns: metrics (JSON-able), tables by name, and the seeds that it used."""

    metrics: dict[str, Any]
    tables: Mapping[str, pd.DataFrame]
    seeds: dict[str, int | list[int]]


@dataclass(frozen=True)
class Experiment(Generic[P]):
    """An experiment as the runner sees it.

    Attributes:
        name: as in `nasrepro run NAME`.
        method_version: raised by hand whenever results would change.
        parameters: model of its parameters.
        data: name -> sha256 of the raw files that a run with these parameters reads on this machine.
        execute: does the work.
    """

    name: str
    method_version: int
    parameters: type[P]
    data: Callable[[P], dict[str, str]]
    execute: Callable[[P, RunContext], Outcome]


@dataclass
class RunContext:
    """What an experiment may use while it runs.

    Attributes:
        folder: the run's own folder.
        models: folder of trained models, shared between runs.
        device: torch device.
        checkpoint_every_s: seconds between checkpoints of a training.
        ledger: every label that was read.
        stages: wall seconds by kind of stage.
        cpu_stages: CPU seconds by kind of stage, which do not depend on what else the machine does.
        cpu_s: CPU seconds of all stages.
        wait: for another process that trains a model of this run; else the run stops with `leases.Held`.
        lease: of the run, lost when another process took it over.
        waited_s: seconds that it waited, which count nowhere.
    """

    folder: Path
    models: Path
    device: str
    checkpoint_every_s: float = 20.0
    ledger: Ledger = field(default_factory=Ledger)
    stages: dict[str, float] = field(default_factory=dict)
    cpu_stages: dict[str, float] = field(default_factory=dict)
    cpu_s: float = 0.0
    whole: bool = True  # False where the seconds of a killed sitting are not kept
    wait: bool = True
    lease: Lease | None = None
    waited_s: float = 0.0

    @contextmanager
    def alone(self, model: Path) -> Iterator[Lease]:
        """Hold the lease of a model that several runs may train."""
        with leases.lease(model, wait=self.wait) as held:
            self.waited_s += held.waited_s
            yield held

    def spent(self, kind: str, wall_s: float, cpu_s: float) -> None:
        """Add the cost of a stage."""
        self.stages[kind] = self.stages.get(kind, 0.0) + wall_s
        self.cpu_stages[kind] = self.cpu_stages.get(kind, 0.0) + cpu_s
        self.cpu_s += cpu_s

    def stage(self, kind: str, name: str, compute: Callable[[Ledger], pd.DataFrame]) -> pd.DataFrame:
        """Return the table of a stage, from disk if an earlier sitting finished it; its labels and cost count either
        way.

        Args:
            kind: under which its seconds are added up, e.g. `sampling`.
            name: unique within the run.
            compute: does the work and reads labels through the ledger that it is given.
        """
        if self.lease is not None:
            self.lease.check()
        path = self.folder / "stages" / f"{name}.stage"
        kept = resumable.kept_stage(path)
        if kept is None:
            ledger = Ledger()
            with provenance.stopwatch() as watch:
                frame = compute(ledger)
            kept = frame, {"ledger": ledger.state_dict(), "wall_s": watch.wall_s, "cpu_s": watch.cpu_s}
            resumable.keep_stage(path, *kept)
        frame, meta = kept
        if meta["ledger"]["space"] is not None:
            ledger = Ledger()
            ledger.load_state_dict(meta["ledger"])
            self.ledger.merge(ledger)
        self.spent(kind, meta["wall_s"], meta["cpu_s"])
        return frame


@dataclass(frozen=True)
class Asked(Generic[P]):
    """A run that is asked for: its parameters, the files that it reads, and the key that both give."""

    experiment: Experiment[P]
    parameters: P
    data: Mapping[str, str]
    key: str

    @classmethod
    def of(cls, experiment: Experiment[P], given: Mapping[str, Any], profile: str) -> Asked[P]:
        """Return what is asked for; raise `ParameterError` for wrong parameters, `MissingData` where files are
        missing."""
        parameters = resolve(experiment.parameters, given, profile)
        data = experiment.data(parameters)
        key = records.run_key(experiment.name, experiment.method_version, parameters.identity(), data)
        return cls(experiment, parameters, data, key)

    def found(self, root: Path, *, committed: bool = True) -> Run | None:
        """Return the record that is there already, yours first; one that is not sound is told and passed over."""
        for place in (root, paths.records_dir()) if committed else (root,):
            folder = place / self.experiment.name / self.key
            if (folder / "record.json").is_file():
                try:
                    return folder, records.verify(folder)
                except CorruptData as error:
                    log.warning("%s It is made anew.", error)
        return None


def run(
    experiment: Experiment[P],
    given: Mapping[str, Any],
    *,
    profile: str = "laptop",
    fresh: bool = False,
    committed: bool = True,
    device: str = "auto",
    root: Path | None = None,
    checkpoint_every_s: float = 20.0,
    wait: bool = True,
) -> Run:
    """Run an experiment, or return its record if it is there already (yours first, then the one committed with the
    book).

    Args:
        experiment: what to run.
        given: parameters that differ from the profile's.
        profile: `smoke`, `laptop` or `full`.
        fresh: run anew, training included, even if there is a record; a finished local one is replaced once the new
            one is whole, an unfinished one goes on.
        committed: a record that came with the book is as good as one made here.
        device: `auto`, `cpu`, `cuda`, ...
        root: folder of runs (default: `paths.runs_dir()`).
        checkpoint_every_s: how much training a kill may cost.
        wait: for another process that makes this run, or trains a model of it, now.

    Returns:
        The folder of the record, and the record.

    Raises:
        ParameterError: before anything is done.
        StorageError: the folder cannot be written.
        leases.Held: another process is at it, and `wait` is False.
    """
    asked = Asked.of(experiment, given, profile)
    how: dict[str, Any] = {"device": device, "checkpoint_every_s": checkpoint_every_s, "wait": wait}
    return obtain(asked, profile, root or paths.runs_dir(), fresh=fresh, committed=committed, **how)[0]


def obtain(
    asked: Asked[P],
    profile: str,
    root: Path,
    *,
    fresh: bool = False,
    committed: bool = True,
    device: str = "auto",
    checkpoint_every_s: float = 20.0,
    wait: bool = True,
) -> tuple[Run, bool]:
    """Return a run as `run` does, and whether it was made now."""
    device, folder = pick_device(device), root / asked.experiment.name / asked.key
    if not fresh and (found := asked.found(root, committed=committed)):
        return found, False
    with leases.lease(folder, wait=wait) as held:
        if not fresh and (found := asked.found(root, committed=committed)):
            return found, False  # made by another process meanwhile
        models = folder / "models" if fresh else root / "models"
        context = RunContext(folder, models, device, checkpoint_every_s, wait=wait, lease=held)
        return (folder, _made(asked, context, profile)), True


def _made(asked: Asked[P], context: RunContext, profile: str) -> Record:
    """Do the work and write the record; what only an unfinished run needs is deleted."""
    folder, sittings = context.folder, context.folder / "sittings"
    before, code = int(resumable.kept_json(sittings) or 0), provenance.code()
    if before:
        log.info("Going on with the unfinished run in %s", folder)
    resumable.keep_json(sittings, before + 1)  # fails early, and clearly, when the folder cannot be written
    try:
        with provenance.stopwatch() as watch:
            outcome = asked.experiment.execute(asked.parameters, context)
    except leases.Held:  # no sitting: it only looked
        resumable.keep_json(sittings, before)
        raise
    tables = [records.table(f"{name}.parquet", frame) for name, frame in outcome.tables.items()]
    record = Record(
        key=asked.key,
        experiment=asked.experiment.name,
        method_version=asked.experiment.method_version,
        profile=profile,  # type: ignore[arg-type]  # checked by `resolve`
        parameters=asked.parameters.model_dump(mode="json"),
        data=[DataFile(name=n, sha256=s) for n, s in sorted(asked.data.items())],
        code=code,
        seeds=outcome.seeds,
        environment=provenance.environment(context.device),
        cost=Cost(
            wall_s=max(sum(context.stages.values()), watch.wall_s - context.waited_s),
            cpu_s=max(context.cpu_s, watch.cpu_s),
            peak_memory_mb=provenance.peak_memory_mb(),
            stages=context.stages,
            sittings=before + 1,
            whole=context.whole,
        ),
        labels=[LabelCount.model_validate(c) for c in context.ledger.counts()],
        metrics=outcome.metrics,
        artefacts=[entry for entry, _ in tables],
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    record = records.save(folder, record, [content for _, content in tables])
    for name in ("stages", "models"):
        shutil.rmtree(folder / name, ignore_errors=True)
    sittings.unlink(missing_ok=True)
    return record


def deviation(a: Mapping[str, Any], b: Mapping[str, Any]) -> float:
    """Return the largest absolute difference between numbers at the same place of two metrics (infinite if the places
    differ).

    Measured times (`speed`) are left out: they differ from machine to machine.
    """
    mine, theirs = (dict(records.numbers({k: v for k, v in m.items() if k != "speed"})) for m in (a, b))
    if mine.keys() != theirs.keys():
        return float("inf")
    return max((abs(mine[k] - theirs[k]) for k in mine), default=0.0)


def pick_device(device: str) -> str:
    """Return the torch device to use; `auto` is the GPU when there is one."""
    import torch

    if device == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ParameterError(
            f"The device `{device}` cannot be used here: {str(error).splitlines()[0]}. Try --device auto."
        ) from None
    return device
