"""Reading zip archives of small files."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nasrepro.errors import CorruptData


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
