"""Engines that map `make` over units: one process, several on one machine (joblib), and several machines (Dask).

Each is a function of units and how to make them. It yields one result for each unit, in whatever order they are ready,
and survives the death of a worker.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nasrepro.batch.make import How, Result, make
from nasrepro.batch.units import Unit
from nasrepro.errors import NasreproError, ParameterError
from nasrepro.files import leases
from nasrepro.files.storage import read_yaml

log = logging.getLogger(__name__)

Engine = Callable[[Sequence[Unit], How], Iterator[Result]]
_ADDRESS = re.compile(r"(tcp|tls)://[\w.\[\]:-]+:\d{1,5}")
PATIENCE_S = 600.0  # how long a scheduler may be away
_KILLED = "its process was killed, perhaps for want of memory"


def local(jobs: int) -> Engine:
    """Return the engine of one machine: `jobs` processes, which share its cores."""
    from joblib import Parallel, cpu_count, delayed, parallel_config
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    asked = os.environ.get("OMP_NUM_THREADS", "")
    threads = int(asked) if asked.isdecimal() and int(asked) else max(1, cpu_count() // jobs)

    def engine(units: Sequence[Unit], how: How) -> Iterator[Result]:
        if jobs == 1:
            yield from (make(unit, how) for unit in units)
            return
        how, left = replace(how, threads=threads), list(units)
        with parallel_config(backend="loky", inner_max_num_threads=threads):
            while left:
                try:
                    for result in Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1)(
                        delayed(_in_a_worker)(unit, how) for unit in left
                    ):
                        left = [unit for unit in left if unit.name != result.unit.name]
                        yield result
                except TerminatedWorkerError:  # all workers go with one, so each run that was at work is tried alone
                    suspects = [unit for unit in left if _was_at_work(unit, how)] or left[:jobs]
                    for unit in suspects:
                        left.remove(unit)
                        try:
                            yield Parallel(n_jobs=2)([delayed(_in_a_worker)(unit, how)])[0]
                        except TerminatedWorkerError:
                            yield Result(unit, "failed", why=_KILLED, transient=True)

    return engine


def _in_a_worker(unit: Unit, how: How) -> Result:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the batch, which ends its workers
    _end_with_the_batch()
    return make(unit, how)


@lru_cache
def _end_with_the_batch() -> None:
    """Let this worker end when the batch is gone, as after kill -9; a repeat goes on with what it was at."""
    batch = os.getppid()

    def watch() -> None:
        while os.getppid() == batch:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _was_at_work(unit: Unit, how: How) -> bool:
    try:
        return leases.holder_is_dead(how.root / unit.experiment / unit.asked.key)
    except NasreproError:
        return False


@contextmanager
def dask(address: str, threads: int = 0) -> Iterator[Engine]:
    """Give the engine of the workers of a Dask scheduler at `tcp://host:port` or `tls://host:port`.

    A batch with the same units on the same scheduler shares their results. While the scheduler is away the engine
    waits, and hands in again what has no result.
    """
    if not _ADDRESS.fullmatch(address):
        raise ParameterError(f"`{address}` is no scheduler: give tcp://host:port or tls://host:port.")
    client = _connected(address, patience_s=10.0)

    def engine(units: Sequence[Unit], how: How) -> Iterator[Result]:
        nonlocal client
        how = replace(how, threads=threads, ship=True)
        left = {_task_name(unit, how): unit for unit in units}
        while left:
            futures = {key: client.submit(make, unit, how, key=key) for key, unit in left.items()}
            while any(future.status == "pending" for future in futures.values()) and client.status == "running":
                time.sleep(leases.POLL_S)
                for key in [key for key, future in futures.items() if future.status in ("finished", "error")]:
                    future, unit = futures.pop(key), left[key]
                    try:
                        result = future.result(timeout=60)
                    except Exception as error:  # workers died, or the scheduler while it was asked
                        if client.status != "running":
                            continue
                        result = Result(unit, "failed", why=f"{type(error).__name__}: {error}", transient=True)
                    del left[key]
                    yield result
            if client.status != "running" or any(f.status in ("lost", "cancelled") for f in futures.values()):
                log.warning("The scheduler at %s is away; the batch goes on when it is back.", address)
                client.close(timeout=1)
                client = _connected(address, PATIENCE_S)

    try:
        yield engine
    finally:
        client.close(timeout=5)


class Slurm(BaseModel):
    """The workers of a Slurm cluster, each a job of its own: what `--cluster` reads from its YAML.

    Attributes:
        workers: jobs at a time.
        cores: of each.
        memory: of each, e.g. `8GB`.
        walltime: of each; a run that it cuts off goes on in the next.
        queue: partition.
        account: that is charged.
        directives: further options of `#SBATCH`, e.g. `--gres=gpu:1`.
        prologue: shell lines before a worker starts, e.g. `module load python`.
    """

    model_config = ConfigDict(extra="forbid", strict=True)
    workers: int = Field(ge=1, le=1000)
    cores: int = Field(1, ge=1)
    memory: str = "4GB"
    walltime: str = "04:00:00"
    queue: str | None = None
    account: str | None = None
    directives: list[str] = []
    prologue: list[str] = []

    @classmethod
    def read(cls, path: Path) -> Slurm:
        """Read the YAML file; raise `ParameterError` where it is none."""
        try:
            return cls.model_validate(read_yaml(path, committed=False))
        except ValidationError as error:
            told = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False))
        except (OSError, NasreproError) as error:
            told = str(error)
        raise ParameterError(f"{path} does not describe a Slurm cluster: {told}.") from None

    def cluster(self) -> Any:
        """Return dask-jobqueue's cluster, which has no workers yet."""
        return _optional("dask_jobqueue").SLURMCluster(
            cores=1,  # thread of a worker: one run at a time
            processes=1,
            job_cpu=self.cores,
            memory=self.memory,
            walltime=self.walltime,
            queue=self.queue,
            account=self.account,
            job_extra_directives=self.directives,
            job_script_prologue=self.prologue,
        )


@contextmanager
def slurm(path: Path) -> Iterator[Engine]:
    """Give the engine of Slurm jobs that a YAML file describes (`Slurm`)."""
    described = Slurm.read(path)
    if shutil.which("sbatch") is None:
        raise ParameterError(
            "There is no `sbatch` here: --cluster slurm is started on a machine that hands jobs to Slurm."
        )
    with described.cluster() as cluster:
        cluster.adapt(minimum_jobs=described.workers, maximum_jobs=described.workers)
        with dask(cluster.scheduler_address, described.cores) as engine:
            yield engine


def _task_name(unit: Unit, how: How) -> str:
    """Return the name of a unit on the scheduler, the same for every batch that asks for the same."""
    asked = (unit.parameters.model_dump_json(), unit.profile, how.device, how.committed, how.notebooks, how.attempt)
    return f"nasrepro-{unit.experiment}-{hashlib.sha256(repr(asked).encode()).hexdigest()[:16]}"


def _connected(address: str, patience_s: float) -> Any:
    distributed = _optional("distributed")
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in (
            "distributed",
            "tornado",
            "asyncio",
        ):  # they tell a lost connection many times over
            logging.getLogger(name).setLevel(logging.CRITICAL)
    began = time.monotonic()
    while True:
        try:
            return distributed.Client(address, timeout=5, set_as_default=False)
        except OSError as error:
            if time.monotonic() - began > patience_s:
                raise NasreproError(
                    f"No scheduler answers at {address}. Start one, `dask scheduler`, and repeat the command: what was "
                    "finished is kept."
                ) from error
            time.sleep(1.0)


def _optional(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise NasreproError(
            f"Batches on several machines need {error.name}, which is not installed: `pip install 'nasrepro[batch]'`."
        ) from None
