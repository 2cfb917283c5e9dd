"""What every tabular benchmark has in common: a finite space whose columns come from raw files.

A benchmark lists its `Field`s: which column is which field of which `Source`. A source turns raw files into a frame
with a column `row` (rows of the space, each at most once) and one column per field; the frame is kept in the cache.
Everything else (look-up, optimum, table, checksums, errors) is the same for all benchmarks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from nasrepro.benchmarks import registry
from nasrepro.benchmarks.base import Benchmark, Column, Optimum, Result
from nasrepro.errors import CorruptData, InvalidArchitecture, UnknownQuery
from nasrepro.files.cached_tables import cached_table, fingerprint
from nasrepro.spaces.base import FiniteSpace

A = TypeVar("A")


@dataclass(frozen=True)
class Source:
    """Raw files of the registry, and how they become a frame.

    Attributes:
        raw: names in the registry; all are needed, the first one names the source.
        build: verified paths, in the order of `raw` -> frame with the column `row` and the fields. It raises
            `CorruptData` when a file does not hold what it should.
        version: raise it when the same files would give another frame.
    """

    raw: tuple[str, ...]
    build: Callable[..., pd.DataFrame]
    version: int = 1

    @property
    def name(self) -> str:
        """The first raw file; `computed` where there is none."""
        return self.raw[0] if self.raw else "computed"

    def is_here(self) -> bool:
        """Return whether all raw files are on this machine (they are verified when read)."""
        return all(registry.locate(name) for name in self.raw)

    def checksums(self) -> dict[str, str]:
        """Return name -> sha256 of the raw files, after verifying them."""
        return {name: registry.checksum(name) for name in self.raw}

    def load(self, size: int) -> pd.DataFrame:
        """Return the frame, its rows verified to lie in a space of `size` and to be distinct."""
        made_of = fingerprint(
            [self.build.__module__, self.build.__qualname__, self.version, *self.checksums().values()]
        )
        return cached_table(self.name, made_of, lambda: self._build(size))

    def _build(self, size: int) -> pd.DataFrame:
        frame = self.build(*(registry.use(name) for name in self.raw))
        rows = frame["row"].to_numpy()
        if len(rows) and (rows.min() < 0 or rows.max() >= size):
            raise CorruptData(f"{self.name} has rows outside the space: {rows.min()} to {rows.max()}.")
        if len(np.unique(rows)) < len(rows):
            raise CorruptData(f"{self.name} lists {len(rows) - len(np.unique(rows))} architectures more than once.")
        return frame


@dataclass(frozen=True)
class Field:
    """Where a column comes from.

    Attributes:
        column: the question.
        source: the files.
        field: column of the source's frame.
        seeds: number of trainings behind a value, or the field that says so: of the same source, or (source, field).
        cost: field and source of the seconds of one training, None where unknown.
    """

    column: Column
    source: Source
    field: str
    seeds: int | str | tuple[Source, str] = 1
    cost: tuple[Source, str] | None = None


class TabularBenchmark(Benchmark[A]):
    """A benchmark of a finite space; a subclass sets `name`, `title`, `space`, `metrics` and `fields`."""

    space: FiniteSpace[Any]
    fields: Sequence[Field]

    def __init__(self) -> None:
        self._frames: dict[Source, pd.DataFrame] = {}
        self._arrays: dict[tuple[Source, str], np.ndarray] = {}
        self._by_column = {field.column: field for field in self.fields}

    def __len__(self) -> int:
        return self.space.size

    def __getitem__(self, which: int | str) -> A:
        """Return the architecture with a published index, or of a native string."""
        return self.arch(which) if isinstance(which, str) else self.arch_at(which)

    def known_columns(self) -> tuple[Column, ...]:
        """Return every column that the benchmark has, whether or not its files are on this machine."""
        return tuple(self._by_column)

    def columns(self) -> list[Column]:
        """Return every column whose files are on this machine now (they are verified when read)."""
        here = {source: source.is_here() for source in {field.source for field in self.fields}}
        return [field.column for field in self.fields if here[field.source]]

    def query(self, arch: A, *, dataset: str, metric: str, split: str, epochs: int, seed: int | str) -> Result:
        """Return the label of one architecture; `UnknownQuery` where it has none of this column."""
        column = Column(dataset, metric, split, epochs, seed)
        self.check(column)
        row, field = self.space.index(arch), self._by_column[column]
        value = float(self._values(column)[row])
        if np.isnan(value):
            raise UnknownQuery(self._why_missing(arch, row, column))
        seeds = field.seeds
        if not isinstance(seeds, int):
            seeds = int(self._array(*(seeds if isinstance(seeds, tuple) else (field.source, seeds)))[row])
        cost = float(self._array(*field.cost)[row]) if field.cost else None
        return Result(value, seeds, cost, field.source.name)

    def query_many(self, archs: Sequence[A] | np.ndarray, column: Column) -> np.ndarray:
        """Return the labels of many architectures, float64, NaN where not measured.

        `archs` are architectures, or an integer array of B rows (`space.index`), which is the fast way.
        """
        self.check(column)
        values = self._values(column)
        if not (isinstance(archs, np.ndarray) and archs.ndim == 1 and len(archs)):
            return values[self.space.rows(archs)]
        if archs.dtype.kind not in "iu":
            raise InvalidArchitecture(f"Rows of {self.title} are integers, not {archs.dtype}.")
        if archs.min() < 0 or archs.max() >= self.space.size:
            wrong = archs[(archs < 0) | (archs >= self.space.size)]
            raise InvalidArchitecture(
                f"{self.title} has the rows 0 to {self.space.size - 1}; {len(wrong)} of {len(archs)} lie outside, "
                f"first {wrong[0]}."
            )
        return values[archs]

    def optimum(self, column: Column, among: np.ndarray | None = None) -> Optimum:
        """Return the best architecture of a column in the sense of its metric; of equal ones the first by published
        index.

        `among` (bool by row, N) leaves only some architectures; `UnknownQuery` where none of them has a value.
        """
        self.check(column)
        rows = self.native_rows()
        values = self._values(column)[rows]
        if among is not None:
            values = np.where(among[rows], values, np.nan)
        if np.isnan(values).all():
            raise UnknownQuery(f"{self.title} has no value of {column} for any of the architectures asked for.")
        best = np.nanargmax(values) if self.metrics[column.metric].higher_is_better else np.nanargmin(values)
        arch = self.space.from_index(int(rows[best]))
        return Optimum(self.space.to_string(arch), float(values[best]))

    def table(self, columns: Sequence[Column] | None = None) -> pd.DataFrame:
        """Return labels on this machine: a row per architecture, by published index and named by its string."""
        rows = self.native_rows()
        wanted = self.columns() if columns is None else columns
        for column in wanted:
            self.check(column)
        names = [self.space.to_string(self.space.from_index(int(row))) for row in rows]
        return pd.DataFrame(
            {str(column): self._values(column)[rows] for column in wanted}, index=pd.Index(names, name="arch")
        )

    def checksums(self, columns: Sequence[Column]) -> dict[str, str]:
        """Return name -> sha256 of the raw files that answer queries of these columns, each verified; as `check`
        raises."""
        for column in columns:
            self.check(column)
        found: dict[str, str] = {}
        for column in columns:
            field = self._by_column[column]
            for source in (field.source, *((field.cost[0],) if field.cost else ())):
                found |= source.checksums()
        return dict(sorted(found.items()))

    def native_rows(self) -> np.ndarray:
        """Return the row of each published index (int64, N); the identity unless a benchmark has its own order."""
        return np.arange(self.space.size)

    def native_index(self, arch: A) -> int:
        """Return the published index of an architecture."""
        if not hasattr(self, "_native"):
            self._native = np.empty(self.space.size, dtype=np.int64)
            self._native[self.native_rows()] = np.arange(self.space.size)
        return int(self._native[self.space.index(arch)])

    def arch_at(self, native_index: int) -> A:
        """Return the architecture with a published index; the inverse of `native_index`."""
        if not 0 <= native_index < self.space.size:
            raise InvalidArchitecture(f"{self.title} has the indices 0 to {self.space.size - 1}, not {native_index}.")
        found: A = self.space.from_index(int(self.native_rows()[native_index]))
        return found

    def _why_missing(self, arch: A, row: int, column: Column) -> str:
        """Return what to say of an architecture without a value in a column that exists."""
        return f"{self.title} has no {column} of {self.space.to_string(arch)}: not measured."

    def _values(self, column: Column) -> np.ndarray:
        """Return a known column by row, float64; read-only."""
        field = self._by_column[column]
        return self._array(field.source, field.field)

    def _array(self, source: Source, field: str) -> np.ndarray:
        """Return a field of a source by row of the space (float64, N, NaN where absent), read-only."""
        if (source, field) not in self._arrays:
            frame = self._frame(source)
            values = np.full(self.space.size, np.nan)
            values[frame["row"].to_numpy()] = frame[field].to_numpy(dtype=np.float64, na_value=np.nan)
            values.setflags(write=False)
            self._arrays[source, field] = values
        return self._arrays[source, field]

    def _frame(self, source: Source) -> pd.DataFrame:
        if source not in self._frames:
            self._frames[source] = source.load(self.space.size)
        return self._frames[source]


def complete(frame: pd.DataFrame, space: FiniteSpace[Any], path: Path) -> pd.DataFrame:
    """Return the frame if it lists each architecture of the space once; raise `CorruptData` otherwise."""
    if not np.array_equal(np.sort(frame["row"].to_numpy()), np.arange(space.size)):
        raise CorruptData(f"{path} does not list each of the {space.size:,} architectures of {space.name} once.")
    return frame
