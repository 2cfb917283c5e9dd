"""The ledger: every label that any method reads, by reader, purpose and column.

Papers count queries, which leaves out the labels that a method was trained on. Here a label is read through
`Labels.read`, which notes who read it and what for, so a table can show both. A quantile over the whole space is a read
of the whole space (purpose `threshold`).
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, TypedDict

import numpy as np

from nasrepro.benchmarks.base import Benchmark, Column
from nasrepro.errors import CorruptData, did_you_mean

PURPOSES = ("train", "threshold", "select", "report")

_Account = tuple[str, str, str]  # reader, purpose, column


class Count(TypedDict):
    """How many labels of a column one reader read for one purpose: distinct architectures, and reads in all."""

    reader: str
    purpose: str
    column: str
    distinct: int
    reads: int


@dataclass
class _Entry:
    seen: np.ndarray  # bool, one per row of the space
    reads: int = 0


@dataclass
class Ledger:
    """Counts of label reads from one benchmark.

    Attributes:
        benchmark: name of the benchmark, set by the first `open` (or by a loaded state).
    """

    benchmark: str | None = None
    _size: int = 0
    _entries: dict[_Account, _Entry] = field(default_factory=dict)

    def open(self, benchmark: Benchmark, column: Column, reader: str = "dinas") -> Labels:
        """Return the one way to read labels of a column; `reader` is the method that reads."""
        size = benchmark.space.size
        if size is None:
            raise ValueError(f"{benchmark.name} cannot be enumerated; the ledger counts rows of a finite space")
        self._belong_to(benchmark.name, size)
        return Labels(self, benchmark, column, reader)

    def note(self, reader: str, purpose: str, column: Column | str, rows: np.ndarray) -> None:
        """Account for reads of rows without reading them (`Labels.read` does both)."""
        _check_purposes([purpose])
        if not self._size:
            raise ValueError("open the ledger on a benchmark before noting reads")
        entry = self._entry((reader, purpose, str(column)))
        entry.seen[rows] = True
        entry.reads += len(rows)

    def counts(self) -> list[Count]:
        """Return one entry per reader, purpose and column, sorted; its fields are those of `records.LabelCount`."""
        return [
            Count(reader=reader, purpose=purpose, column=column, distinct=int(entry.seen.sum()), reads=entry.reads)
            for (reader, purpose, column), entry in sorted(self._entries.items())
        ]

    def distinct(
        self, reader: str | None = None, purposes: Collection[str] | None = None, column: Column | str | None = None
    ) -> int:
        """Return how many different labels were read: a row counts once per column, whoever read it, for whichever
        purpose.

        Each argument narrows the count to one reader, some purposes, one column.
        """
        _check_purposes(purposes or ())
        unions: dict[str, np.ndarray] = {}
        for (r, p, c), entry in self._entries.items():
            if reader in (None, r) and (purposes is None or p in purposes) and (column is None or str(column) == c):
                unions[c] = unions[c] | entry.seen if c in unions else entry.seen
        return sum(int(seen.sum()) for seen in unions.values())

    def merge(self, other: Ledger) -> None:
        """Add the reads of another ledger of the same benchmark to this one."""
        if other.benchmark is None:
            return
        self._belong_to(other.benchmark, other._size)
        for account, theirs in other._entries.items():
            entry = self._entry(account)
            entry.seen |= theirs.seen
            entry.reads += theirs.reads

    def state_dict(self) -> dict[str, Any]:
        """Return the ledger as JSON-able values, a few kilobytes, so that a resumed run keeps its counts."""
        return {
            "version": 1,
            "benchmark": self.benchmark,
            "size": self._size,
            "entries": [
                {"reader": r, "purpose": p, "column": c, "reads": entry.reads, "rows": _pack(entry.seen)}
                for (r, p, c), entry in sorted(self._entries.items())
            ],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Replace the content by that of `state_dict`; raise `CorruptData`, and change nothing, when it is not one."""
        try:
            if state["version"] != 1:
                raise ValueError(f"version {state['version']}")
            entries = dict(_unpack_entries(state))
            benchmark, size = state["benchmark"], int(state["size"])
        except (KeyError, TypeError, ValueError, binascii.Error, zlib.error) as error:
            raise CorruptData(
                f"This is not the state of a ledger: {error!r}. Delete the unfinished run and repeat it."
            ) from error
        self.benchmark, self._size, self._entries = benchmark, size, entries

    def _belong_to(self, benchmark: str, size: int) -> None:
        if (self.benchmark or benchmark, self._size or size) != (benchmark, size):
            raise ValueError(f"this ledger counts labels of {self.benchmark}; use another one for {benchmark}")
        self.benchmark, self._size = benchmark, size

    def _entry(self, account: _Account) -> _Entry:
        if account not in self._entries:
            self._entries[account] = _Entry(np.zeros(self._size, dtype=bool))
        return self._entries[account]


@dataclass(frozen=True)
class Labels:
    """The labels of one column, as one reader sees them."""

    ledger: Ledger
    benchmark: Benchmark
    column: Column
    reader: str

    def read(self, rows: np.ndarray, purpose: str) -> np.ndarray:
        """Return the labels of rows (float64, NaN where not measured) and note them in the ledger.

        Args:
            rows: rows of the space, integers, B; repeated rows are read again.
            purpose: `train` (fitting), `threshold` (cut points), `select` (choosing what to return), `report` (tables
            only).
        """
        _check_purposes([purpose])
        rows = np.asarray(rows)
        if rows.ndim != 1:
            raise ValueError(f"rows must be one-dimensional, not of shape {rows.shape}")
        if len(rows) == 0:
            rows = rows.astype(np.int64)
        values = self.benchmark.query_many(rows, self.column)
        self.ledger.note(self.reader, purpose, self.column, rows)
        return values


def _check_purposes(purposes: Collection[str]) -> None:
    for purpose in purposes:
        if purpose not in PURPOSES:
            raise ValueError(
                f"labels are read for {', '.join(PURPOSES)}, not for {purpose!r}.{did_you_mean(str(purpose), PURPOSES)}"
            )


def _pack(seen: np.ndarray) -> str:
    return base64.b64encode(zlib.compress(np.packbits(seen).tobytes(), 6)).decode()


def _unpack_entries(state: dict[str, Any]) -> Iterator[tuple[_Account, _Entry]]:
    size = int(state["size"])
    for item in state["entries"]:
        _check_purposes([item["purpose"]])
        bits = np.frombuffer(zlib.decompress(base64.b64decode(item["rows"], validate=True)), dtype=np.uint8)
        if len(bits) != -(-size // 8):
            raise ValueError(f"{len(bits)} bytes of rows for a space of {size}")
        entry = _Entry(np.unpackbits(bits, count=size).astype(bool), int(item["reads"]))
        if entry.reads < int(entry.seen.sum()):
            raise ValueError("fewer reads than distinct rows")
        yield (str(item["reader"]), str(item["purpose"]), str(item["column"])), entry
