"""The table of a benchmark of your own, as a file: cells and numbers of its rows, or the number of the row that has
none. `nasrepro.benchmarks.own` says what the form is.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nasrepro.errors import CorruptData, InvalidArchitecture, MissingData, ParameterError, StorageError, did_you_mean
from nasrepro.spaces.cells import Cell, Edge, check_form, pairs_of

FORMATS = (".csv", ".parquet")
CELL_COLUMNS = ("operations", "adjacency")
_NOT_MEASURED = ("", "nan", "none", "null")


@dataclass(frozen=True)
class RawTable:
    """A table as it lies in its file.

    Attributes:
        path: the file.
        content: its bytes.
    """

    path: Path
    content: bytes

    @cached_property
    def sha256(self) -> str:
        """Of the bytes."""
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def frame(self) -> pd.DataFrame:
        """A row per architecture; of a CSV every field as text. `CorruptData` says what is wrong with the file."""
        path, parse = self.path, _read_csv if self.path.suffix == ".csv" else _read_parquet
        frame = parse(path, self.content)
        names = list(frame.columns)
        for name in names:
            if names.count(name) > 1:
                raise CorruptData(f"{path} has two columns `{name}`: rename one.")
        for name in CELL_COLUMNS:
            if name not in names:
                raise CorruptData(
                    f"{path} has no column `{name}`; it has {', '.join(names) or 'none'}.{did_you_mean(name, names)}"
                )
        if frame.empty:
            raise CorruptData(f"{path} lists no architecture: there is no row below its header.")
        return frame

    @property
    def metrics(self) -> list[str]:
        """The columns that are neither operations nor adjacency."""
        return [name for name in self.frame.columns if name not in CELL_COLUMNS]

    def cells(self) -> list[Cell]:
        """Return the cell of each row; `CorruptData` names the first row that has none."""
        cells = []
        for number, (operations, adjacency) in enumerate(self.frame[list(CELL_COLUMNS)].itertuples(index=False), 1):
            try:
                names = _operations(operations)
                cells.append(Cell(names, _edges(adjacency, len(names))))
                check_form(cells[-1])
            except InvalidArchitecture as error:
                raise CorruptData(f"{self.path}, row {number}: {error}") from error
        return cells

    def values(self, name: str, rows: np.ndarray, mean: bool = False) -> np.ndarray:
        """Return a metric by row of the space, float64, NaN where not measured.

        Args:
            name: of the column.
            rows: row of the space of each row of the file (int, B).
            mean: whether rows of the same architecture are measurements of which the mean is taken.

        Raises:
            CorruptData: a field is no number, or rows of the same architecture contradict each other.
        """
        values = self._numbers(name)
        measured = np.flatnonzero(~np.isnan(values))
        if mean:
            found: np.ndarray = pd.Series(values).groupby(rows).mean().to_numpy()
            return found
        by_row = np.full(rows.max() + 1, np.nan)
        by_row[rows[measured[::-1]]] = values[measured[::-1]]  # backwards: the first of the file stands
        wrong = measured[values[measured] != by_row[rows[measured]]]
        if len(wrong):
            first = measured[rows[measured] == rows[wrong[0]]][0]
            raise CorruptData(
                f"{self.path}, rows {first + 1} and {wrong[0] + 1} are the same architecture up to isomorphism, with "
                f"`{name}` {values[first]} and {values[wrong[0]]}. Keep one, or say `repeated: mean` of the metric."
            )
        return by_row

    def _numbers(self, name: str) -> np.ndarray:
        found = np.full(len(self.frame), np.nan)
        for number, value in enumerate(self.frame[name], start=1):
            if value is None or value is pd.NA or (isinstance(value, str) and value.strip().lower() in _NOT_MEASURED):
                continue
            try:
                right = not isinstance(value, bool | np.bool_) and not math.isinf(float(value))
            except (TypeError, ValueError):
                right = False
            if not right:
                raise CorruptData(
                    f"{self.path}, row {number}: `{name}` is {value!r}, not a finite number. Leave the field empty "
                    "where it was not measured."
                )
            found[number - 1] = float(value)
        return found


def read(path: Path) -> RawTable:
    """Read the bytes of a table; the errors are those of `nasrepro.benchmarks.own.OwnBenchmark`."""
    if path.suffix not in FORMATS:
        raise ParameterError(f"`{path}` is neither {' nor '.join(FORMATS)}: save the table as one of these.")
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise MissingData(f"There is no file {path}.") from error
    except OSError as error:
        raise StorageError(f"Cannot read {path}: {error.strerror or error}.") from error
    return RawTable(path, content)


def _read_parquet(path: Path, content: bytes) -> pd.DataFrame:
    try:
        frame = pd.read_parquet(io.BytesIO(content))
    except Exception as error:  # pyarrow raises many types for a file that is no Parquet
        raise CorruptData(
            f"{path} is no whole Parquet file ({type(error).__name__}: {error}). Write it again."
        ) from error
    return frame.set_axis([str(name) for name in frame.columns], axis=1)


def _read_csv(path: Path, content: bytes) -> pd.DataFrame:
    # Not pandas: its way of parsing floats differs between versions in the last digit.
    try:
        lines = [line for line in csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True) if line]
    except (UnicodeDecodeError, csv.Error) as error:
        raise CorruptData(f"{path} is no CSV file in UTF-8: {error}.") from error
    if not lines:
        raise CorruptData(f"{path} is empty. Its first line names the columns, {' and '.join(CELL_COLUMNS)} of them.")
    header, *rows = lines
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            raise CorruptData(
                f"{path}, row {number}: it has {len(row)} fields, the header {len(header)}. A field with commas needs "
                "quotation marks."
            )
    return pd.DataFrame(rows, columns=[name.strip() for name in header], dtype=object)


def _operations(value: Any) -> tuple[str, ...]:
    names = value
    if isinstance(value, str):
        text = value.strip()
        try:
            names = json.loads(text) if text.startswith("[") else text.replace(",", " ").split()
        except ValueError as error:
            raise InvalidArchitecture(f"The operations {text!r} begin as JSON and are none: {error}.") from error
    if not isinstance(names, list | tuple | np.ndarray) or len(names) == 0:
        raise InvalidArchitecture(
            f"The operations {value!r} are neither names separated by commas or spaces, as `input conv output`, nor a "
            "list of names in JSON."
        )
    return tuple(names)


def _edges(value: Any, n: int) -> tuple[Edge, ...]:
    """Return the edges that a field of `adjacency` gives n nodes, perhaps backward ones."""
    pairs = pairs_of(n)
    if isinstance(value, str):
        text = value.strip()
        if len(text) == len(pairs) and set(text) <= {"0", "1"}:
            return tuple(pair for pair, bit in zip(pairs, text, strict=True) if bit == "1")
    try:
        if not isinstance(value, str):
            return _ones([list(row) for row in value], n)
        if text.startswith("["):
            return _ones(json.loads(text), n)
        ends = [edge.split("-") for edge in text.replace(",", " ").split()]
        if ends:
            return tuple(sorted((int(i), int(j)) for i, j in ends))
        raise ValueError("it is empty")
    except (TypeError, ValueError) as error:
        raise InvalidArchitecture(
            f"The adjacency {value!r} of {n} operations is none of: the edges, as `0-1 0-2`; {len(pairs)} digits 0 "
            f"or 1, one for each pair i < j, row by row; a matrix of 0 and 1, {n} x {n}, in JSON."
        ) from error


def _ones(rows: Iterable[Any], n: int) -> tuple[Edge, ...]:
    """Return the places of the ones of a matrix; raise `ValueError` unless it is one of 0 and 1, n x n."""
    matrix = np.array(rows)
    if matrix.shape != (n, n) or not ((matrix == 0) | (matrix == 1)).all():
        raise ValueError
    return tuple((int(i), int(j)) for i, j in np.argwhere(matrix))
