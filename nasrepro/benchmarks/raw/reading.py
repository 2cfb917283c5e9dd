"""What the readers of raw files share: CSV files, archives of JSON files, and what to say of a file that is none."""

from __future__ import annotations

import binascii
import csv
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nasrepro.errors import CorruptData, InvalidArchitecture

_MALFORMED = (AttributeError, KeyError, TypeError, ValueError, IndexError, SyntaxError, binascii.Error)


@contextmanager
def holds(path: Path, what: str) -> Iterator[None]:
    """Turn what goes wrong when a file has another form than it should into `CorruptData`."""
    try:
        yield
    except (*_MALFORMED, InvalidArchitecture) as error:
        raise CorruptData(f"{path} does not hold {what}: {error!r}.") from error


def csv_lines(path: Path) -> list[dict[str, str]]:
    """Return the lines of a CSV file by column, as text.

    Not by pandas: its way of parsing floats differs between versions in the last digit.
    """
    with path.open(newline="", encoding="utf-8-sig") as stream:
        return list(csv.DictReader(stream))


def json_files(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield name and content of every JSON file of a zip archive; raise `CorruptData` when it is none."""
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if info.filename.endswith(".json"):
                    yield info.filename, json.loads(archive.read(info))
    except (zipfile.BadZipFile, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CorruptData(
            f"{path} is not a whole archive of JSON files: {error}. Delete it and fetch it again."
        ) from error
