"""One unit of a batch: made, found, or why not. Any engine maps this one function."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from nasrepro.batch.units import Unit
from nasrepro.errors import MissingData, NasreproError, StorageError
from nasrepro.files import leases
from nasrepro.files.storage import write_atomically
from nasrepro.runs import progress, records
from nasrepro.runs.run import obtain

Outcome = Literal["done", "found", "failed", "left out", "held"]
_TRANSIENT = (OSError, MemoryError, RuntimeError, StorageError)  # may go another way when it is tried again
_ONE = threading.Lock()  # runs share the process's random numbers and its seconds


@dataclass(frozen=True)
class How:
    """How the units of a batch are made.

    Attributes:
        root: folder of runs.
        device: torch device.
        threads: of each process; 0 leaves them as they are.
        committed: a record that came with the book is as good as one made here.
        notebooks: folder for an executed notebook of each unit.
        wait: for runs and trainings that another process is at; else they come back as `held`.
        attempt: how often the batch tried before.
        ship: return the record's files, for a machine that does not see `root`.
    """

    root: Path
    device: str = "auto"
    threads: int = 0
    committed: bool = True
    notebooks: Path | None = None
    wait: bool = False
    attempt: int = 0
    ship: bool = False


@dataclass(frozen=True)
class Result:
    """What became of a unit.

    Attributes:
        unit: which.
        outcome: `held` where another process makes it now.
        seconds: that it took here.
        why: it failed, or was left out.
        log: file with what it said.
        transient: it may go another way when it is tried again.
        folder: of the record.
        files: of the record by name, where they were asked for.
    """

    unit: Unit
    outcome: Outcome
    seconds: float = 0.0
    why: str = ""
    log: Path | None = None
    transient: bool = False
    folder: Path | None = None
    files: dict[str, bytes] = field(default_factory=dict)


def make(unit: Unit, how: How) -> Result:
    """Make one unit; whatever goes wrong in it is in the result."""
    began = time.monotonic()
    with _ONE:
        made = _made(unit, how)
    return replace(made, seconds=time.monotonic() - began)


def _made(unit: Unit, how: How) -> Result:
    log: Path | None = None
    try:
        asked = unit.asked
        log = how.root / "logs" / f"{unit.experiment}-{asked.key}.log"
        with _logged(log), progress.silent(), _threads(how.threads):
            told = {"committed": how.committed, "device": how.device, "wait": how.wait}
            (folder, _), new = obtain(asked, unit.profile, how.root, **told)  # type: ignore[arg-type]
            if how.notebooks is not None and not (how.notebooks / unit.file).is_file():
                _execute(unit, how)
                new = True
    except leases.Held as error:
        return Result(unit, "held", why=str(error))
    except MissingData as error:
        return Result(unit, "left out", why=str(error))
    except Exception as error:
        return Result(unit, "failed", why=_said(error), log=log, transient=isinstance(error, _TRANSIENT))
    shipped = how.ship and folder.is_relative_to(how.root)
    files = {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()} if shipped else {}
    return Result(unit, "done" if new else "found", log=log, folder=folder, files=files)


def unpack(result: Result, root: Path) -> None:
    """Write the record of a result where it is not yet, as on a machine that shares no disk with the one that made
    it."""
    if result.folder is None or not result.files:
        return
    target = root / result.folder.parent.name / result.folder.name
    if not (target / "record.json").is_file():
        for name in sorted(result.files, key=lambda name: name == "record.json"):
            write_atomically(target / Path(name).name, result.files[name])
        records.verify(target)


def _execute(unit: Unit, how: How) -> None:
    from nasrepro.book.execute import write

    assert how.notebooks is not None
    os.environ["NASREPRO_RUNS"] = str(how.root)  # the notebook finds the record there
    write(unit.notebook, how.notebooks / unit.file, unit.of_notebook)


def _said(error: Exception) -> str:
    told = str(error).strip() or type(error).__name__
    return told if isinstance(error, NasreproError) else f"{type(error).__name__}: {told.splitlines()[0]}"


@contextmanager
def _logged(path: Path) -> Iterator[None]:
    """Write what the package says, and the traceback of what it does not survive, to a file instead of the screen."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler: logging.Handler = logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise StorageError(f"Cannot write {path}: {error.strerror}. Set NASREPRO_RUNS to a writable folder.") from None
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logger = logging.getLogger("nasrepro")
    before = logger.level, logger.propagate
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    try:
        yield
    except Exception as error:
        if not isinstance(error, leases.Held):
            logger.exception("It stopped.")
        raise
    finally:
        logger.removeHandler(handler)
        handler.close()
        logger.setLevel(before[0])
        logger.propagate = before[1]


@contextmanager
def _threads(number: int) -> Iterator[None]:
    if not number:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
