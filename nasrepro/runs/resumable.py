"""What an unfinished run keeps for the sitting that goes on with it: each file with a checksum of its content."""

from __future__ import annotations

import hashlib
import io
import json
import logging
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from nasrepro.files.storage import write_atomically

log = logging.getLogger(__name__)

_LENGTH = hashlib.sha256().digest_size


def keep(path: Path, content: bytes) -> None:
    """Write content with its checksum, atomically."""
    write_atomically(path, hashlib.sha256(content).digest() + content)


def kept(path: Path) -> bytes | None:
    """Return what `keep` wrote; None where there is nothing, or, with a warning, where it was altered since."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        log.warning("%s cannot be read (%s) and is made again.", path, error.strerror)
        return None
    if hashlib.sha256(content[_LENGTH:]).digest() != content[:_LENGTH]:
        log.warning("%s is damaged and is made again.", path)
        return None
    return content[_LENGTH:]


def keep_json(path: Path, value: Any) -> None:
    """Write a JSON-able value as `keep` does."""
    keep(path, json.dumps(value).encode())


def kept_json(path: Path) -> Any:
    """Return what `keep_json` wrote, None as `kept` does."""
    content = kept(path)
    return None if content is None else json.loads(content)


def keep_stage(path: Path, frame: pd.DataFrame, meta: dict[str, Any]) -> None:
    """Write the table of a stage, and what else is known of it, as `keep` does."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), b"nasrepro": json.dumps(meta).encode()})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    keep(path, buffer.getvalue())


def kept_stage(path: Path) -> tuple[pd.DataFrame, dict[str, Any]] | None:
    """Return what `keep_stage` wrote, None as `kept` does."""
    content = kept(path)
    if content is None:
        return None
    table = pq.read_table(io.BytesIO(content))
    return table.to_pandas(), json.loads(table.schema.metadata[b"nasrepro"])
