"""A run: (experiment, parameters, profile) -> record. Finished stages are kept, so a killed run resumes where it was.

The folder of a run holds `record.json` and its tables once it is finished, and `stages/` while it is not. Trained
models lie in `models/` beside the runs under a key of what they were trained on, so runs that differ only in sampling
share them.
"""

from __future__ import annotations

import io
import json
import logging
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from nasrepro.benchmarks.ledger import Ledger
from nasrepro.errors import ParameterError
from nasrepro.files import paths
from nasrepro.files.storage import write_atomically
from nasrepro.parameters.base import Parameters, resolve
from nasrepro.runs import provenance, records
from nasrepro.runs.records import Artefact, Cost, DataFile, LabelCount, Record

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
        path = self.folder / "stages" / f"{name}.parquet"
        kept = _read_stage(path)
        if kept is None:
            ledger = Ledger()
            with provenance.stopwatch() as watch:
                frame = compute(ledger)
            kept = frame, {"ledger": ledger.state_dict(), "wall_s": watch.wall_s, "cpu_s": watch.cpu_s}
            _write_stage(path, *kept)
        frame, meta = kept
        if meta["ledger"]["space"] is not None:
            ledger = Ledger()
            ledger.load_state_dict(meta["ledger"])
            self.ledger.merge(ledger)
        self.spent(kind, meta["wall_s"], meta["cpu_s"])
        return frame


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
) -> tuple[Path, Record]:
    """Run an experiment, or return its record if it is there already (yours first, then the one committed with the
    book).

    Args:
        experiment: what to run.
        given: parameters that differ from the profile's.
        profile: `smoke`, `laptop` or `full`.
        fresh: run anew, training included, even if there is a record; a finished local one is replaced, an unfinished
            one goes on.
        committed: a record that came with the book is as good as one made here.
        device: `auto`, `cpu`, `cuda`, ...
        root: folder of runs (default: `paths.runs_dir()`).
        checkpoint_every_s: how much training a kill may cost.

    Returns:
        The folder of the record, and the record.

    Raises:
        ParameterError: before anything is done.
        StorageError: the folder cannot be written.
    """
    parameters = resolve(experiment.parameters, given, profile)
    data = experiment.data(parameters)
    resolved = parameters.model_dump(mode="json")
    key = records.run_key(experiment.name, experiment.method_version, parameters.identity(), data)
    root = root or paths.runs_dir()
    folder = root / experiment.name / key
    if fresh:
        if (folder / "record.json").is_file():
            shutil.rmtree(folder)
    else:
        for place in (folder, paths.records_dir() / experiment.name / key):
            if (committed or place == folder) and (place / "record.json").is_file():
                return place, records.load(place)
    sittings, code = _begin(folder), provenance.code()
    context = RunContext(
        folder, folder / "models" if fresh else root / "models", pick_device(device), checkpoint_every_s
    )
    with provenance.stopwatch() as watch:
        outcome = experiment.execute(parameters, context)
    artefacts = [_write_artefact(folder, name, table) for name, table in outcome.tables.items()]
    record = Record(
        key=key,
        experiment=experiment.name,
        method_version=experiment.method_version,
        profile=profile,
        parameters=resolved,
        data=[DataFile(name=n, sha256=s) for n, s in sorted(data.items())],
        code=code,
        seeds=outcome.seeds,
        environment=provenance.environment(context.device),
        cost=Cost(
            wall_s=max(sum(context.stages.values()), watch.wall_s),
            cpu_s=max(context.cpu_s, watch.cpu_s),
            peak_memory_mb=provenance.peak_memory_mb(),
            stages=context.stages,
            sittings=sittings,
            whole=context.whole,
        ),
        labels=[LabelCount.model_validate(c) for c in context.ledger.counts()],
        metrics=outcome.metrics,
        artefacts=artefacts,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    records.save(folder, record)
    shutil.rmtree(folder / "stages", ignore_errors=True)
    (folder / "sittings").unlink(missing_ok=True)
    return folder, record


def publish(key: str, root: Path | None = None) -> Path:
    """Copy a finished run to the committed records and return its new folder."""
    root = root or paths.runs_dir()
    found = [(f, r) for f, r in records.find(root) if r.key.startswith(key)]
    if len(found) != 1:
        have = ", ".join(r.key for _, r in records.find(root)) or "none"
        raise ParameterError(
            f"{len(found)} finished runs in {root} have a key that begins with `{key}`; finished runs: {have}."
        )
    folder, record = found[0]
    target = paths.records_dir() / record.experiment / record.key
    for artefact in record.artefacts:
        write_atomically(target / artefact.name, (folder / artefact.name).read_bytes())
    records.save(target, record)
    return target


def deviation(a: Mapping[str, Any], b: Mapping[str, Any]) -> float:
    """Return the largest absolute difference between numbers at the same place of two metrics (infinite if the places
    differ).

    Measured times (`speed`) are left out: they differ from machine to machine.
    """
    mine, theirs = (dict(_numbers({k: v for k, v in m.items() if k != "speed"})) for m in (a, b))
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


def _begin(folder: Path) -> int:
    """Count this sitting; fails early, and clearly, when the folder cannot be written."""
    count = folder / "sittings"
    try:
        sittings = int(count.read_text()) + 1
        log.info("Going on with the unfinished run in %s", folder)
    except (OSError, ValueError):
        sittings = 1
    write_atomically(count, str(sittings).encode())
    return sittings


def _write_artefact(folder: Path, name: str, table: pd.DataFrame) -> Artefact:
    return records.write_table(folder / f"{name}.parquet", table)


def _write_stage(path: Path, frame: pd.DataFrame, meta: dict[str, Any]) -> None:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), b"nasrepro": json.dumps(meta).encode()})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    write_atomically(path, buffer.getvalue())


def _read_stage(path: Path) -> tuple[pd.DataFrame, dict[str, Any]] | None:
    if not path.is_file():
        return None
    try:
        table = pq.read_table(path)
        return table.to_pandas(), json.loads(table.schema.metadata[b"nasrepro"])
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        log.warning("The finished stage %s is damaged (%s) and is repeated.", path.name, type(error).__name__)
        return None


def _numbers(value: Any, place: str = "") -> list[tuple[str, float]]:
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return []
    if isinstance(value, (int, float)):
        return [(place, float(value))]
    items = value.items() if isinstance(value, Mapping) else enumerate(value)
    return [pair for k, v in items for pair in _numbers(v, f"{place}.{k}")]
