"""The ledger: every label that any method reads, by reader, purpose and column.

Papers count queries, which leaves out the labels that a method was trained on. Here a label is read through
`Labels.read`, which notes who read it and what for, so a table can show both. A quantile over the whole space is a read
of the whole space (purpose `threshold`).

In a finite space an architecture is known by its row, in another by 64 bits of a hash of its key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypedDict

import numpy as np

from nasrepro.benchmarks.base import Benchmark, Column
from nasrepro.errors import CorruptData, did_you_mean

PURPOSES = ("train", "threshold", "select", "report")

Score = Callable[[np.ndarray], np.ndarray]  # labels -> values of which more is better, e.g. 100 minus a loss
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
    seen: set[int] | np.ndarray  # ids; in a finite space bool, one per row
    reads: int = 0

    def add(self, ids: np.ndarray) -> None:
        if isinstance(self.seen, set):
            self.seen.update(ids.tolist())
        else:
            self.seen[ids] = True
        self.reads += len(ids)

    @property
    def distinct(self) -> int:
        return _count(self.seen)


def _count(seen: set[int] | np.ndarray) -> int:
    return len(seen) if isinstance(seen, set) else int(seen.sum())


@dataclass
class Ledger:
    """Counts of label reads from the benchmarks of one space.

    Attributes:
        space: name of the space, set by the first `open` (or by a loaded state).
    """

    space: str | None = None
    _size: int = 0  # of the space; 0 where it is not finite
    _entries: dict[_Account, _Entry] = field(default_factory=dict)
    _listeners: list[Ledger] = field(default_factory=list)

    def open(
        self, benchmark: Benchmark[Any], column: Column, reader: str = "dinas", score: Score | None = None
    ) -> Labels:
        """Return the one way to read labels of a column; `reader` is the method that reads, `score` turns labels into
        what is maximised (default: the labels themselves)."""
        self._belong_to(benchmark.space.name, benchmark.space.size or 0)
        return Labels(self, benchmark, column, reader, score)

    def note(self, reader: str, purpose: str, column: Column | str, ids: np.ndarray) -> None:
        """Account for reads without reading (`Labels.read` does both); ids are rows, or hashes of keys."""
        _check_purposes([purpose])
        if self.space is None:
            raise ValueError("open the ledger on a benchmark before noting reads")
        self._entry((reader, purpose, str(column))).add(ids)
        for listener in self._listeners:
            listener._belong_to(self.space, self._size)
            listener.note(reader, purpose, column, ids)

    @contextmanager
    def overheard(self) -> Iterator[Ledger]:
        """Give a second ledger with the reads of a block alone, e.g. what one of several trainings reads. What is
        merged into this one meanwhile was read elsewhere and is not among them."""
        heard = Ledger()
        self._listeners.append(heard)
        try:
            yield heard
        finally:
            self._listeners = [listener for listener in self._listeners if listener is not heard]

    @classmethod
    def of(cls, parts: Iterable[Ledger]) -> Ledger:
        """Return the reads of several ledgers of one space together."""
        found = cls()
        for part in parts:
            found.merge(part)
        return found

    def counts(self) -> list[Count]:
        """Return one entry per reader, purpose and column, sorted; its fields are those of `records.LabelCount`."""
        return [
            Count(reader=reader, purpose=purpose, column=column, distinct=entry.distinct, reads=entry.reads)
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
        unions: dict[str, Any] = {}
        for (r, p, c), entry in self._entries.items():
            if reader in (None, r) and (purposes is None or p in purposes) and (column is None or str(column) == c):
                unions[c] = unions[c] | entry.seen if c in unions else entry.seen
        return sum(map(_count, unions.values()))

    def merge(self, other: Ledger) -> None:
        """Add the reads of another ledger of the same space to this one."""
        if other.space is None:
            return
        self._belong_to(other.space, other._size)
        for account, theirs in other._entries.items():
            entry = self._entry(account)
            entry.seen |= theirs.seen  # both are of one kind, that of the space
            entry.reads += theirs.reads

    def state_dict(self) -> dict[str, Any]:
        """Return the ledger as JSON-able values, a few kilobytes, so that a resumed run keeps its counts."""
        return {
            "version": 2,
            "space": self.space,
            "size": self._size,
            "entries": [
                {"reader": r, "purpose": p, "column": c, "reads": entry.reads, "rows": _pack(entry.seen)}
                for (r, p, c), entry in sorted(self._entries.items())
            ],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Replace the content by that of `state_dict`; raise `CorruptData`, and change nothing, when it is not one."""
        try:
            if state["version"] != 2:
                raise ValueError(f"version {state['version']}")
            entries = dict(_unpack_entries(state))
            space, size = state["space"], int(state["size"])
        except (KeyError, TypeError, ValueError, binascii.Error, zlib.error) as error:
            raise CorruptData(
                f"This is not the state of a ledger: {error!r}. Delete the unfinished run and repeat it."
            ) from error
        self.space, self._size, self._entries = space, size, entries

    def _belong_to(self, space: str, size: int) -> None:
        if self.space is not None and (self.space, self._size) != (space, size):
            raise ValueError(f"this ledger counts labels of the space {self.space}; use another one for {space}")
        self.space, self._size = space, size

    def _entry(self, account: _Account) -> _Entry:
        if account not in self._entries:
            self._entries[account] = _Entry(np.zeros(self._size, dtype=bool) if self._size else set())
        return self._entries[account]


@dataclass(frozen=True)
class Labels:
    """The labels of one column, as one reader sees them."""

    ledger: Ledger
    benchmark: Benchmark[Any]
    column: Column
    reader: str
    score: Score | None = None

    def read(self, archs: np.ndarray | Sequence[Any], purpose: str) -> np.ndarray:
        """Return labels (float64, B, NaN where not measured), or their scores, and note them in the ledger.

        Args:
            archs: rows of the space, integers, B, where it is finite; else architectures. What is repeated is read
            again.
            purpose: `train` (fitting), `threshold` (cut points), `select` (choosing what to return), `report` (tables
            only).
        """
        _check_purposes([purpose])
        if self.benchmark.space.size is None:
            values = self.benchmark.query_many(archs, self.column)
            ids = np.array([key_hash(self.benchmark.space.key(arch)) for arch in archs], dtype=np.uint64)
        else:
            ids = np.asarray(archs)
            if ids.ndim != 1:
                raise ValueError(f"rows must be one-dimensional, not of shape {ids.shape}")
            if len(ids) == 0:
                ids = ids.astype(np.int64)
            values = self.benchmark.query_many(ids, self.column)
        self.ledger.note(self.reader, purpose, self.column, ids)
        return values if self.score is None else self.score(values)


def key_hash(key: str) -> int:
    """Return 64 bits that stand for a key."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "little")


def _check_purposes(purposes: Collection[str]) -> None:
    for purpose in purposes:
        if purpose not in PURPOSES:
            raise ValueError(
                f"labels are read for {', '.join(PURPOSES)}, not for {purpose!r}.{did_you_mean(str(purpose), PURPOSES)}"
            )


def _pack(seen: set[int] | np.ndarray) -> str:
    content = np.array(sorted(seen), dtype="<u8") if isinstance(seen, set) else np.packbits(seen)
    return base64.b64encode(zlib.compress(content.tobytes(), 6)).decode()


def _unpack(text: str, size: int) -> set[int] | np.ndarray:
    content = zlib.decompress(base64.b64decode(text, validate=True))
    if size == 0:
        return set(np.frombuffer(content, dtype="<u8").tolist())
    bits = np.frombuffer(content, dtype=np.uint8)
    if len(bits) != -(-size // 8):
        raise ValueError(f"{len(bits)} bytes of rows for a space of {size}")
    return np.unpackbits(bits, count=size).astype(bool)


def _unpack_entries(state: dict[str, Any]) -> Iterator[tuple[_Account, _Entry]]:
    for item in state["entries"]:
        _check_purposes([item["purpose"]])
        entry = _Entry(_unpack(item["rows"], int(state["size"])), int(item["reads"]))
        if entry.reads < entry.distinct:
            raise ValueError("fewer reads than distinct architectures")
        yield (str(item["reader"]), str(item["purpose"]), str(item["column"])), entry
