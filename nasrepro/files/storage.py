"""Writing files so that they are either wholly there or not at all."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from nasrepro.errors import CorruptData, StorageError


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file as hex digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_yaml(path: Path, *, committed: bool = True) -> Any:
    """Return what a YAML file holds, parsed once in a process while the file stays as it is; not to be changed.

    Args:
        path: the file.
        committed: whether it came with the repository, which can restore it; a user's own file has nothing behind it.

    Raises:
        CorruptData: the file is no YAML.
        OSError: it cannot be read.
    """
    state = path.stat()
    try:
        return _parsed_yaml(path, state.st_mtime_ns, state.st_size)
    except CorruptData as error:
        advice = f". Restore it: `git checkout {path.name}`." if committed else "."
        raise CorruptData(f"{error}{advice}") from error


@lru_cache(maxsize=32)
def _parsed_yaml(path: Path, _changed: int, _size: int) -> Any:
    import yaml

    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CorruptData(f"{path} is no YAML: {error}") from error


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that it is either wholly there or not at all; raise `StorageError` with what to do."""
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        temporary = Path(name)
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise StorageError(
            f"Cannot write {path}: {error.strerror or error}. Free some space or choose a writable folder "
            "with NASREPRO_RUNS (runs) or NASREPRO_CACHE (benchmark tables), and repeat the command: "
            "finished parts are kept."
        ) from error


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock that belongs to `path` (a file beside it) against other processes; a dead process holds none.

    Without a writable folder, or on a system without `fcntl`, it does nothing: writing is atomic anyway, and the lock
    only saves double work.
    """
    try:
        import fcntl

        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.with_name(f".{path.name}.lock").open("w")
    except (ImportError, OSError):
        yield
        return
    with stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
