"""What the readers of raw files share: CSV files, archives of JSON files, and what to say of a file that is none."""

from __future__ import annotations

import binascii
import csv
import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nasrepro.errors import CorruptData, InvalidArchitecture
from nasrepro.spaces.base import FiniteSpace
from nasrepro.spaces.naslib import from_naslib

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


def cells_table(path: Path, what: str, space: FiniteSpace[Any], columns: Mapping[str, str]) -> pd.DataFrame:
    """Return a CSV file of cells as NASLib writes them (`net`) with numbers.

    Args:
        path: the file.
        what: it holds.
        space: of the cells.
        columns: field -> column of the file.
    """
    with holds(path, what):
        lines = csv_lines(path)
        rows = space.rows([from_naslib(space.name, line["net"]) for line in lines])
        values = {field: np.array([float(line[column]) for line in lines]) for field, column in columns.items()}
        return pd.DataFrame({"row": rows, **values})


def scores_table(
    path: Path, space: FiniteSpace[Any], form: str, prefix: str, fields: Mapping[tuple[str, str], str]
) -> pd.DataFrame:
    """Return an archive of lists of scored architectures, one file for each data set; every architecture must be there.

    Args:
        path: the archive.
        space: of the architectures.
        form: how NASLib writes them.
        prefix: of the names of the files that count, which go on with `--<data set>--`.
        fields: (data set, score) -> field; a score is a number, or an object with the number `score`.
    """
    values = {field: np.full(space.size, np.nan) for field in fields.values()}
    with holds(path, f"values of {space.title}"):
        for name, entries in json_files(path):
            _, of_space, dataset, _ = name.split("--")
            if of_space != prefix:
                continue
            rows = space.rows([from_naslib(form, entry["arch"]) for entry in entries])
            for (of, score), field in fields.items():
                if of == dataset:
                    values[field][rows] = [number(entry[score]) for entry in entries]
    frame = pd.DataFrame({"row": np.arange(space.size), **values})
    if frame.isna().any(axis=None):
        datasets = ", ".join(dict.fromkeys(dataset for dataset, _ in fields))
        raise CorruptData(f"{path} does not hold a value of every network of {space.title} on {datasets}.")
    return frame


def number(score: Any) -> float:
    """Return a published score: a number, or an object with it."""
    return float(score["score"] if isinstance(score, dict) else score)


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
