"""Tables built once from raw benchmark files and kept as Parquet in the cache."""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import pandas as pd

from nasrepro import paths
from nasrepro.benchmarks import registry
from nasrepro.errors import StorageError
from nasrepro.storage import write_atomically

FORMAT = 1  # raise it when the same raw file would give another table

_log = logging.getLogger(__name__)


def cached_table(name: str, build: Callable[[Path], pd.DataFrame]) -> pd.DataFrame:
    """Return the table that `build` makes of the raw file `name`, from the cache where it holds an intact copy.

    The raw file is verified every time, and its sha256 is part of the cached file's name, so a table of other bytes is
    never read. A cached file whose own checksum (kept beside it) does not match is rebuilt with a warning. Where the
    cache cannot be written the table lives in memory alone. Raises `MissingData` or `CorruptData` for the raw file.
    """
    raw = registry.use(name)
    path = paths.cache_dir() / "tables" / f"{name}-{registry.entry(name).sha256[:16]}-v{FORMAT}.parquet"
    frame = _read(path)
    if frame is not None:
        return frame
    frame = build(raw)
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False, compression="zstd")
    try:
        # The checksum goes first: two builders write the same bytes, and one killed in between leaves no table.
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
