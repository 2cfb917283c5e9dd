"""What every benchmark has in common whose columns come from raw files.

A benchmark lists its `Field`s: which column is which field of which `Source`. A source turns raw files into a frame
with a column `row` (numbers of architectures, each at most once) and one column per field; the frame is kept in the
cache. Everything else (look-up, optimum, table, checksums, errors) is the same for all benchmarks. In a finite space
the rows are those of the space; in another some architectures are listed, and a column may be `Computed` for any.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import pandas as pd

from nasrepro.benchmarks import registry
from nasrepro.benchmarks.base import Benchmark, Column, Optimum, Result
from nasrepro.errors import CorruptData, InvalidArchitecture, UnknownQuery
from nasrepro.files.cached_tables import cached_table, fingerprint
from nasrepro.spaces.base import INVALID, FiniteSpace, SearchSpace

A = TypeVar("A")


@dataclass(frozen=True)
class Source:
    """Raw files of the registry, and how they become a frame.

    Attributes:
        raw: names in the registry; all are needed, the first one names the source.
        build: verified paths, in the order of `raw` -> frame with the column `row` and the fields. It raises
            `CorruptData` when a file does not hold what it should.
        version: raise it when the same files would give another frame.
        arguments: what else `build` is given, where it reads several tables.
    """

    raw: tuple[str, ...]
    build: Callable[..., pd.DataFrame]
    version: int = 1
    arguments: tuple[str, ...] = ()

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
            [
                self.build.__module__,
                self.build.__qualname__,
                self.version,
                *self.arguments,
                *self.checksums().values(),
            ]
        )
        return cached_table(self.name, made_of, lambda: self._build(size))

    def _build(self, size: int) -> pd.DataFrame:
        frame = self.build(*(registry.use(name) for name in self.raw), *self.arguments)
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

    @property
    def sources(self) -> tuple[Source, ...]:
        """What a query reads."""
        return (self.source, *(self.cost[:1] if self.cost else ()))


@dataclass(frozen=True)
class Computed:
    """A column that every architecture of the space has.

    Attributes:
        column: the question.
        values: architectures -> float64, B.
        source: what computes it.
        sources: raw files without which it cannot be computed.
        note: architecture -> what the reader should know of its value.
    """

    column: Column
    values: Callable[[Sequence[Any]], np.ndarray]
    source: str
    sources: tuple[Source, ...] = ()
    note: Callable[[Any], str] = field(default=lambda arch: "")


class Listing(Generic[A]):
    """The listed architectures of a space by row; as much of a `FiniteSpace` as a table needs.

    Attributes:
        size: number of listed architectures, isomorphic ones counted once.
    """

    def __init__(self, space: SearchSpace[Any], archs: Iterable[A]) -> None:
        self.space = space
        by_key: dict[str, A] = {}
        for arch in archs:
            by_key.setdefault(space.key(arch), arch)
        self._archs = list(by_key.values())
        self._rows = {key: row for row, key in enumerate(by_key)}
        self.size = len(self._archs)

    def index(self, arch: A) -> int:
        """Return the row of an architecture, -1 where it is not listed."""
        return self._rows.get(self.space.key(arch), INVALID)

    def rows(self, archs: Sequence[A]) -> np.ndarray:
        """Return the rows (int64, B) of many architectures, -1 where one is not listed."""
        return np.fromiter(map(self.index, archs), dtype=np.int64, count=len(archs))

    def from_index(self, row: int) -> A:
        """Return the architecture of a row."""
        return self._archs[row]


class FileBenchmark(Benchmark[A]):
    """A benchmark of fields and computed columns; a subclass sets `name`, `title`, `space`, `metrics` and `fields`."""

    fields: Sequence[Field]
    computed: Sequence[Computed] = ()

    @cached_property
    @abstractmethod
    def listing(self) -> FiniteSpace[A] | Listing[A]:
        """What gives architectures their rows: the space where it is finite, else the labelled ones."""

    @abstractmethod
    def native_rows(self) -> np.ndarray:
        """Return the rows of the labelled architectures of the space, in the order of their published index; int64."""

    def why_missing(self, arch: A, row: int, column: Column) -> str:
        """Return what to say of an architecture without a value in a column that exists."""
        return f"{self.title} has no {column} of {self.space.to_string(arch)}: not measured."

    @cached_property
    def _by_column(self) -> dict[Column, Field | Computed]:
        return {f.column: f for f in self.fields} | {c.column: c for c in self.computed}

    def known_columns(self) -> tuple[Column, ...]:
        """Return every column that the benchmark has, whether or not its files are on this machine."""
        return tuple(self._by_column)

    def columns(self) -> list[Column]:
        """Return every column whose files are on this machine now (they are verified when read)."""
        sources = {source for entry in self._by_column.values() for source in entry.sources}
        here = {source: source.is_here() for source in sources}
        return [column for column, entry in self._by_column.items() if all(here[source] for source in entry.sources)]

    def query(self, arch: A, *, dataset: str, metric: str, split: str, epochs: int, seed: int | str) -> Result:
        """Return the label of one architecture; `UnknownQuery` where it has none of this column."""
        column = Column(dataset, metric, split, epochs, seed)
        self.check(column)
        self.space.check(arch)
        asked = self._by_column[column]
        if isinstance(asked, Computed):
            return Result(float(asked.values([arch])[0]), 1, None, asked.source, asked.note(arch))
        row = self.listing.index(arch)
        if row == INVALID:
            computed = ", ".join(str(c.column) for c in self.computed)
            raise UnknownQuery(
                f"{self.title} has no {column} of {self.space.to_string(arch)}: it was not trained there."
                + (f" Ask for {computed}." if computed else "")
            )
        value = float(self._values(column)[row])
        if np.isnan(value):
            raise UnknownQuery(self.why_missing(arch, row, column))
        seeds = asked.seeds
        if not isinstance(seeds, int):
            seeds = int(self._array(*(seeds if isinstance(seeds, tuple) else (asked.source, seeds)))[row])
        cost = float(self._array(*asked.cost)[row]) if asked.cost else None
        return Result(value, seeds, cost, asked.source.name)

    def query_many(self, archs: Sequence[A] | np.ndarray, column: Column) -> np.ndarray:
        """Return the labels of many architectures, float64, NaN where not measured.

        `archs` are architectures, or in a finite space an integer array of B rows (`space.index`), the fast way.
        """
        self.check(column)
        asked = self._by_column[column]
        if isinstance(archs, np.ndarray) and archs.ndim == 1 and len(archs):
            return self._values(column)[self._checked(archs)]
        for arch in archs:
            self.space.check(arch)
        if isinstance(asked, Computed):
            return asked.values(archs)  # type: ignore[arg-type]
        rows = self.listing.rows(archs)  # type: ignore[arg-type]
        return np.where(rows == INVALID, np.nan, self._values(column)[rows])

    def _checked(self, rows: np.ndarray) -> np.ndarray:
        if rows.dtype.kind not in "iu":
            raise InvalidArchitecture(f"Rows of {self.title} are integers, not {rows.dtype}.")
        wrong = rows[(rows < 0) | (rows >= self.listing.size)]
        if len(wrong):
            raise InvalidArchitecture(
                f"{self.title} has the rows 0 to {self.listing.size - 1}; {len(wrong)} of {len(rows)} lie outside, "
                f"first {wrong[0]}."
            )
        return rows

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
        arch = self.listing.from_index(int(rows[best]))
        return Optimum(self.space.to_string(arch), float(values[best]))

    def table(self, columns: Sequence[Column] | None = None) -> pd.DataFrame:
        """Return labels on this machine: a row per labelled architecture, by published index and named by its
        string."""
        rows = self.native_rows()
        wanted = self.columns() if columns is None else columns
        for column in wanted:
            self.check(column)
        names = [self.space.to_string(self.listing.from_index(int(row))) for row in rows]
        return pd.DataFrame(
            {str(column): self._values(column)[rows] for column in wanted}, index=pd.Index(names, name="arch")
        )

    def checksums(self, columns: Sequence[Column]) -> dict[str, str]:
        """Return name -> sha256 of the raw files that answer queries of these columns, each verified; as `check`
        raises."""
        for column in columns:
            self.check(column)
        sources = [source for column in columns for source in self._by_column[column].sources]
        found = {name: digest for source in dict.fromkeys(sources) for name, digest in source.checksums().items()}
        return dict(sorted(found.items()))

    def _values(self, column: Column) -> np.ndarray:
        """Return a known column by row, float64; NaN where a computed one is not of a labelled architecture."""
        asked = self._by_column[column]
        if isinstance(asked, Field):
            return self._array(asked.source, asked.field)
        rows = self.native_rows()
        values = np.full(self.listing.size, np.nan)
        values[rows] = asked.values([self.listing.from_index(int(row)) for row in rows])
        return values

    @cached_property
    def _arrays(self) -> dict[tuple[Source, str], np.ndarray]:
        return {}

    def _array(self, source: Source, field: str) -> np.ndarray:
        """Return a field of a source by row (float64, N, NaN where absent), read-only."""
        if (source, field) not in self._arrays:
            frame = self._frame(source)
            values = np.full(self.listing.size, np.nan)
            values[frame["row"].to_numpy()] = frame[field].to_numpy(dtype=np.float64, na_value=np.nan)
            values.setflags(write=False)
            self._arrays[source, field] = values
        return self._arrays[source, field]

    @cached_property
    def _frames(self) -> dict[Source, pd.DataFrame]:
        return {}

    def _frame(self, source: Source) -> pd.DataFrame:
        if source not in self._frames:
            self._frames[source] = source.load(self.listing.size)
        return self._frames[source]


class TabularBenchmark(FileBenchmark[A]):
    """A benchmark of a finite space, whose rows are those of the space."""

    space: FiniteSpace[Any]

    @cached_property
    def listing(self) -> FiniteSpace[A]:
        """The space."""
        return self.space

    def native_rows(self) -> np.ndarray:
        """Return the row of each published index (int64, N); the identity unless a benchmark has its own order."""
        return np.arange(self.space.size)

    def __len__(self) -> int:
        return self.space.size

    def __getitem__(self, which: int | str) -> A:
        """Return the architecture with a published index, or of a native string."""
        return self.arch(which) if isinstance(which, str) else self.arch_at(which)

    @cached_property
    def _native(self) -> np.ndarray:
        return np.argsort(self.native_rows())

    def native_index(self, arch: A) -> int:
        """Return the published index of an architecture."""
        return int(self._native[self.space.index(arch)])

    def arch_at(self, native_index: int) -> A:
        """Return the architecture with a published index; the inverse of `native_index`."""
        if not 0 <= native_index < self.space.size:
            raise InvalidArchitecture(f"{self.title} has the indices 0 to {self.space.size - 1}, not {native_index}.")
        found: A = self.space.from_index(int(self.native_rows()[native_index]))
        return found


class ListedBenchmark(FileBenchmark[A]):
    """A benchmark of an open space; a subclass gives `listing`.

    What is listed may reach beyond the space: `query` refuses what is outside, `optimum` and `table` leave it out.
    """

    @cached_property
    def _inside(self) -> np.ndarray:
        archs = map(self.listing.from_index, range(self.listing.size))
        return np.flatnonzero([self.space.is_valid(arch) for arch in archs])

    def native_rows(self) -> np.ndarray:
        """Return the rows of the listed architectures of the space, int64."""
        return self._inside


def complete(frame: pd.DataFrame, space: FiniteSpace[Any], path: Path) -> pd.DataFrame:
    """Return the frame if it lists each architecture of the space once; raise `CorruptData` otherwise."""
    if not np.array_equal(np.sort(frame["row"].to_numpy()), np.arange(space.size)):
        raise CorruptData(f"{path} does not list each of the {space.size:,} architectures of {space.name} once.")
    return frame
