"""Benchmarks of spaces that are too large to number: some architectures are listed, with labels; any can be asked for.

The listed architectures are numbered, so that what `tabular` does for a finite space serves here too. A column may also
be `Computed` for any architecture: counted from it, or predicted by a surrogate.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, TypeVar

import numpy as np
import pandas as pd

from nasrepro.benchmarks.base import Benchmark, Column, Optimum, Result
from nasrepro.benchmarks.tabular import Field, Source, TabularBenchmark
from nasrepro.errors import UnknownQuery
from nasrepro.spaces.base import INVALID, SearchSpace

A = TypeVar("A")


class Listing(Generic[A]):
    """The listed architectures of a space by row; as much of a `FiniteSpace` as a table needs.

    Attributes:
        size: number of listed architectures, isomorphic ones counted once.
    """

    def __init__(self, space: SearchSpace[Any], archs: Iterable[A]) -> None:
        self.space = space
        self.name = space.name
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

    def to_string(self, arch: A) -> str:
        """Return the native string of an architecture."""
        return self.space.to_string(arch)


@dataclass(frozen=True)
class Computed:
    """A column that every architecture of the space has.

    Attributes:
        column: the question.
        values: architectures -> float64, B.
        source: what computes it.
        needs: raw files without which it cannot be computed.
        note: architecture -> what the reader should know of its value.
    """

    column: Column
    values: Callable[[Sequence[Any]], np.ndarray]
    source: str
    needs: tuple[Source, ...] = ()
    note: Callable[[Any], str] = field(default=lambda arch: "")


class _Table(TabularBenchmark[A]):
    """The labels of the listed architectures, those of them that lie in the space."""

    def __init__(self, benchmark: ListedBenchmark[A]) -> None:
        self.title, self.metrics, self.fields = benchmark.title, benchmark.metrics, benchmark.fields
        listing: Any = benchmark.listing
        self.space = listing
        archs = map(listing.from_index, range(listing.size))
        self._inside = np.flatnonzero([benchmark.space.is_valid(arch) for arch in archs])
        self._benchmark = benchmark
        super().__init__()

    def native_rows(self) -> np.ndarray:
        return self._inside

    def label(self, row: int, source: Source, field: str) -> float:
        """Return one field of one row, NaN where absent."""
        return float(self._array(source, field)[row])

    def _why_missing(self, arch: A, row: int, column: Column) -> str:
        return self._benchmark.why_missing(arch, row, column)


class ListedBenchmark(Benchmark[A]):
    """A benchmark of an open space; a subclass sets what `TabularBenchmark` asks for, `listed` and `computed`.

    The rows of its sources are those of `listing`, which may reach beyond the space (then `query` refuses what is
    outside, and `optimum` and `table` leave it out).
    """

    fields: Sequence[Field]
    computed: Sequence[Computed] = ()

    @abstractmethod
    def listed(self) -> Listing[A]:
        """Return the listed architectures; called once."""

    def why_missing(self, arch: A, row: int, column: Column) -> str:
        """Return what to say of a listed architecture without a value in a column that exists."""
        return f"{self.title} has no {column} of {self.space.to_string(arch)}: not measured."

    @cached_property
    def listing(self) -> Listing[A]:
        """The listed architectures."""
        return self.listed()

    @cached_property
    def _table(self) -> _Table[A]:
        return _Table(self)

    @cached_property
    def _computed(self) -> dict[Column, Computed]:
        return {c.column: c for c in self.computed}

    def known_columns(self) -> tuple[Column, ...]:
        """Return every column that the benchmark has, whether or not its files are on this machine."""
        return (*(f.column for f in self.fields), *self._computed)

    def columns(self) -> list[Column]:
        """Return every column whose files are on this machine now (they are verified when read)."""
        here = {source: source.is_here() for source in {field.source for field in self.fields}}
        computed = [c.column for c in self.computed if all(source.is_here() for source in c.needs)]
        return [*(field.column for field in self.fields if here[field.source]), *computed]

    def query(self, arch: A, *, dataset: str, metric: str, split: str, epochs: int, seed: int | str) -> Result:
        """Return the label of one architecture; `UnknownQuery` where it has none of this column."""
        column = Column(dataset, metric, split, epochs, seed)
        self.check(column)
        self.space.check(arch)
        if column in self._computed:
            asked = self._computed[column]
            return Result(float(asked.values([arch])[0]), 1, None, asked.source, asked.note(arch))
        if self.listing.index(arch) == INVALID:
            raise UnknownQuery(
                f"{self.title} has no {column} of {self.space.to_string(arch)}: it was not trained there."
                + (f" Ask for {', '.join(map(str, self._computed))}." if self._computed else "")
            )
        return self._table.query(arch, **column.__dict__)

    def query_many(self, archs: Sequence[A] | np.ndarray, column: Column) -> np.ndarray:
        """Return the labels of many architectures, float64, NaN where not measured."""
        self.check(column)
        for arch in archs:
            self.space.check(arch)
        if column in self._computed:
            return self._computed[column].values(archs)  # type: ignore[arg-type]
        rows = self.listing.rows(archs)  # type: ignore[arg-type]
        values = np.full(len(rows), np.nan)
        values[rows != INVALID] = self._table.query_many(rows[rows != INVALID], column)
        return values

    def optimum(self, column: Column) -> Optimum:
        """Return the best listed architecture of a column in the sense of its metric."""
        self.check(column)
        if column not in self._computed:
            return self._table.optimum(column)
        values = self._listed_values(column)
        best = int(np.argmax(values) if self.metrics[column.metric].higher_is_better else np.argmin(values))
        row = int(self._table.native_rows()[best])
        return Optimum(self.space.to_string(self.listing.from_index(row)), float(values[best]))

    def table(self, columns: Sequence[Column] | None = None) -> pd.DataFrame:
        """Return labels on this machine: a row per listed architecture, named by its string."""
        wanted = self.columns() if columns is None else columns
        for column in wanted:
            self.check(column)
        frame = self._table.table([c for c in wanted if c not in self._computed])
        for column in wanted:
            if column in self._computed:
                frame[str(column)] = self._listed_values(column)
        return frame[[str(column) for column in wanted]]

    def checksums(self, columns: Sequence[Column]) -> dict[str, str]:
        """Return name -> sha256 of the raw files that answer queries of these columns, each verified."""
        for column in columns:
            self.check(column)
        found = self._table.checksums([c for c in columns if c not in self._computed])
        for column in columns:
            for source in self._computed[column].needs if column in self._computed else ():
                found |= source.checksums()
        return dict(sorted(found.items()))

    def _listed_values(self, column: Column) -> np.ndarray:
        """Return a computed column of the listed architectures of the space."""
        archs = [self.listing.from_index(int(row)) for row in self._table.native_rows()]
        return self._computed[column].values(archs)
