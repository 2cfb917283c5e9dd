"""Leases: which process makes a run or trains a model now, so that no two do, on one machine or on a shared disk.

A lease is a small file with host, process and start, beside the thing that it is for. Its holder touches it every
`BEAT_S` seconds. It lapses when its process is gone, where that can be seen, else when it was not touched for `LAPSE_S`
seconds by the clock of the disk; no clocks of machines are compared.
"""

from __future__ import annotations

import json
import os
import socket
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nasrepro.errors import NasreproError
from nasrepro.files.storage import locked, write_atomically

BEAT_S, LAPSE_S, POLL_S = 10.0, 120.0, 0.5


class Held(NasreproError):
    """Another process holds the lease."""


@dataclass
class Lease:
    """A lease that this process holds, and the seconds that it waited for it."""

    path: Path
    mine: dict[str, Any]
    waited_s: float = 0.0
    _lost: threading.Event = field(default_factory=threading.Event)
    _over: threading.Event = field(default_factory=threading.Event)

    def check(self) -> None:
        """Raise `Held` where another process took the lease over, as after this one was suspended for long."""
        if self._lost.is_set():
            raise Held(f"{self.path} was taken over by another process: {told(self.path)}.")

    def beat(self) -> None:
        """Touch the lease until it is given back or lost."""
        while not self._over.wait(BEAT_S):
            try:
                if _read(self.path) != self.mine:
                    self._lost.set()
                    return
                os.utime(self.path)
            except OSError:  # the disk is away for a moment; the lease lapses if it stays away
                continue

    def give_back(self) -> None:
        """End the lease."""
        self._over.set()
        with locked(self.path.parent / "leases"):
            if _read(self.path) == self.mine:
                self.path.unlink(missing_ok=True)


@contextmanager
def lease(path: Path, *, wait: bool = True) -> Iterator[Lease]:
    """Hold the lease of what is made at a path.

    Args:
        path: what is made; the file of the lease lies beside it.
        wait: for another holder to end; else raise.

    Raises:
        Held: another process holds it, and `wait` is False.
        StorageError: the folder cannot be written.
    """
    began, path = time.monotonic(), path.with_name(f"{path.name}.lease")
    host, namespace = _here()
    who = {"host": host, "namespace": namespace, "pid": os.getpid(), "started": _started(os.getpid())}
    held = Lease(path, who | {"token": uuid.uuid4().hex})
    while not _take(held):
        if not wait:
            raise Held(f"{path.stem} is made by another process now: {told(path)}.")
        time.sleep(POLL_S)
    held.waited_s = time.monotonic() - began
    threading.Thread(target=held.beat, daemon=True).start()
    try:
        yield held
    finally:
        held.give_back()


def holder_is_dead(path: Path) -> bool:
    """Return whether a process died while it held the lease of what is made at a path."""
    path = path.with_name(f"{path.name}.lease")
    return path.is_file() and _lapsed(path)


def told(path: Path) -> str:
    """Return host and process of the holder of a lease."""
    who = _read(path)
    return f"process {who.get('pid')} on {who.get('host')}" if who else "nobody known"


def _take(held: Lease) -> bool:
    with locked(held.path.parent / "leases"):
        if held.path.is_file() and not _lapsed(held.path):
            return False
        write_atomically(held.path, json.dumps(held.mine).encode())
        return True


def _lapsed(path: Path) -> bool:
    who = _read(path)
    if who and [who.get("host"), who.get("namespace")] == list(_here()):
        return _started(who["pid"]) != who.get("started")
    try:
        with tempfile.TemporaryFile(dir=path.parent) as now:  # says what time it is on the disk
            now.write(b"now")
            now.flush()
            return os.fstat(now.fileno()).st_mtime - path.stat().st_mtime > LAPSE_S
    except FileNotFoundError:  # given back meanwhile
        return True


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and isinstance(found.get("pid"), int) else {}


def _here() -> tuple[str, int]:
    """Return this host, and what tells its processes from those of a container of the same name."""
    try:
        return socket.gethostname(), Path("/proc/self/ns/pid").stat().st_ino
    except OSError:  # not Linux
        return socket.gethostname(), 0


def _started(pid: int) -> str:
    """Return when a process began, in the words of the system; nothing where there is no such process."""
    try:
        state, *others = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if state == "Z" else others[18]
    except FileNotFoundError:
        if Path("/proc/self").exists():
            return ""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return "alive"
