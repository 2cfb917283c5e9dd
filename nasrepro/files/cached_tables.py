"""Tables built once and kept as Parquet in the cache.

A table is named by what it is built from (its fingerprint), so a table of other bytes or of another version of the code
is never read. It is written under another name and renamed, with its own checksum beside it; a file that does not match
its checksum is built anew. Of two processes that want the same table one builds and the other waits.
"""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path

import pandas as pd

from nasrepro.errors import StorageError
from nasrepro.files import paths
from nasrepro.files.storage import locked, write_atomically

FORMAT = 2  # raise it when the same build would be stored in another way

_log = logging.getLogger(__name__)


def fingerprint(parts: Iterable[object]) -> str:
    """Return 16 hex digits that stand for what a table is built from, e.g. checksums and the version of the code."""
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:16]


def cached_table(name: str, made_of: str, build: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    """Return a table from the cache where it holds an intact copy, else build it and keep it.

    Args:
        name: readable beginning of the file name, e.g. that of the raw file.
        made_of: fingerprint of everything that the table depends on.
        build: makes the table, with a plain index; must give the same table whenever the fingerprint is the same.

    A cached file whose checksum does not match is rebuilt with a warning. Where the cache cannot be written, the table
    lives in memory alone, and a warning says so.
    """
    path = paths.cache_dir() / "tables" / f"{name}-{made_of}-v{FORMAT}.parquet"
    frame = _read(path)
    if frame is not None:
        return frame
    with locked(path):
        frame = _read(path)  # another process may have built it meanwhile
        if frame is not None:
            return frame
        frame = build()
        buffer = io.BytesIO()
        frame.to_parquet(buffer, index=False, compression="zstd")
        try:
            # The checksum goes first: a builder that is killed in between leaves no table.
            write_atomically(_checksum_path(path), hashlib.sha256(buffer.getvalue()).hexdigest().encode())
            write_atomically(path, buffer.getvalue())
        except StorageError as error:
            _say_once(f"Benchmark tables are not cached. {error}")
    return frame


def _checksum_path(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _read(path: Path) -> pd.DataFrame | None:
    try:
        content = path.read_bytes()
    except OSError:  # not there, or not readable
        return None
    try:
        if hashlib.sha256(content).hexdigest() == _checksum_path(path).read_text().strip():
            return pd.read_parquet(io.BytesIO(content))
        reason = "its checksum does not match"
    except Exception as error:  # pyarrow raises many types for a file that is no Parquet
        reason = f"{type(error).__name__}: {error}"
    _log.warning("The cached table %s is damaged (%s); it is built anew.", path, reason)
    return None


@lru_cache(maxsize=16)
def _say_once(message: str) -> None:
    _log.warning("%s", message)
