"""The contract of a search space: pure functions of architectures.

An architecture is a small hashable value of the space's own choosing (for NAS-Bench-201 a tuple of six operation
ids). A new space is one file with one class that fills in `SearchSpace` (or `FiniteSpace`, where the architectures can
be numbered), and one line in `nasrepro/spaces/__init__.py`. `rng` is always a `numpy.random.Generator`; nothing reads
global random state.
"""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from nasrepro.errors import InvalidArchitecture

if TYPE_CHECKING:
    from nasrepro.graphs import Graphs

A = TypeVar("A", bound=Hashable)
INVALID = -1  # the row of a graph that is no architecture


class SearchSpace(ABC, Generic[A]):
    """What every space can do.

    Attributes:
        name: short name, e.g. `nb201`.
        node_classes: name of each node (operation) class of the graph form, in class order.
        max_nodes: N of the graph form.
        size: number of architectures, or None where they are not numbered.
    """

    name: str
    node_classes: tuple[str, ...]
    max_nodes: int
    size: int | None = None

    @abstractmethod
    def sample(self, rng: np.random.Generator) -> A:
        """Draw one valid architecture; the space's own docstring says from which distribution."""

    @abstractmethod
    def check(self, arch: A) -> None:
        """Raise `InvalidArchitecture` with the reason if `arch` is not in the space."""

    def is_valid(self, arch: A) -> bool:
        """Return whether `arch` is in the space."""
        try:
            self.check(arch)
        except InvalidArchitecture:
            return False
        return True

    @abstractmethod
    def key(self, arch: A) -> str:
        """Return a canonical key: equal exactly for isomorphic cells."""

    @abstractmethod
    def neighbours(self, arch: A) -> list[A]:
        """Return D^1: all valid architectures one edit away, isomorphic duplicates and `arch` itself removed."""

    def mutate(self, arch: A, rng: np.random.Generator) -> A:
        """Draw one of the neighbours uniformly."""
        neighbours = self.neighbours(arch)
        return neighbours[int(rng.integers(len(neighbours)))]

    @abstractmethod
    def distance(self, a: A, b: A) -> int:
        """Return the smallest number of edits from `a` to `b`."""

    @abstractmethod
    def encode(self, archs: Sequence[A]) -> Graphs:
        """Return the graph form of the architectures."""

    @abstractmethod
    def read(self, nodes: list[int], adjacency: np.ndarray) -> A:
        """Return the architecture of one graph: its node classes (n) and its directed adjacency (int, n x n).

        Raise `InvalidArchitecture` with the reason and its kind where it is none.
        """

    def decode_one(self, graph: Graphs, index: int = 0) -> A:
        """Return the architecture of one graph of a batch; raise `InvalidArchitecture` with the reason and its kind."""
        return self.read(*next(_as_read(graph[index : index + 1])))

    def decode_with_reasons(self, graphs: Graphs) -> tuple[list[A | None], list[str]]:
        """Return the architecture of each graph (None where invalid), and the kind of what is wrong ("" where
        valid)."""
        archs: list[A | None] = []
        kinds: list[str] = []
        for graph in _as_read(graphs):
            try:
                archs.append(self.read(*graph))
                kinds.append("")
            except InvalidArchitecture as error:
                archs.append(None)
                kinds.append(error.kind)
        return archs, kinds

    def decode(self, graphs: Graphs) -> list[A | None]:
        """Return the architecture of each graph, None where it is invalid (see `decode_one` for the reason)."""
        return self.decode_with_reasons(graphs)[0]

    def class_names(self, nodes: Sequence[int]) -> list[str]:
        """Return the names of node classes, `class 9` where there is none."""
        return [self.node_classes[c] if 0 <= c < len(self.node_classes) else f"class {c}" for c in nodes]

    @abstractmethod
    def to_string(self, arch: A) -> str:
        """Return the native string of the architecture."""

    @abstractmethod
    def from_string(self, text: str) -> A:
        """Parse a native string; raise `InvalidArchitecture` with the reason."""


class FiniteSpace(SearchSpace[A]):
    """A space whose architectures are numbered: `index` is the row of an architecture, 0 to size - 1.

    Attributes:
        title: as the field writes it.
    """

    title: str
    size: int

    @abstractmethod
    def index(self, arch: A) -> int:
        """Return the row of an architecture (the same for isomorphic cells)."""

    @abstractmethod
    def _at(self, row: int) -> A:
        """Return the architecture of a row, which is in the space."""

    @abstractmethod
    def _encode(self, rows: np.ndarray) -> Graphs:
        """Return the graph form of the architectures with these rows (int64, B), which are in the space."""

    def from_index(self, row: int) -> A:
        """Return the architecture of a row; raise `InvalidArchitecture` for a row outside the space."""
        self.check_rows(row, row)
        return self._at(row)

    def check_rows(self, lowest: int, highest: int) -> None:
        """Raise `InvalidArchitecture` unless rows from `lowest` to `highest` are in the space."""
        if not 0 <= lowest <= highest < self.size:
            given = f"{lowest}" if lowest == highest else f"{lowest} to {highest}"
            raise InvalidArchitecture(f"{self.title} has the rows 0 to {self.size - 1}, not {given}.")

    def all(self) -> Iterator[A]:
        """Yield every architecture once, in the order of `index`."""
        return map(self._at, range(self.size))

    def sample(self, rng: np.random.Generator) -> A:
        """Draw an architecture uniformly."""
        return self._at(int(rng.integers(self.size)))

    def rows(self, archs: Sequence[A]) -> np.ndarray:
        """Return the rows (int64, B) of many architectures."""
        return np.fromiter(map(self.index, archs), dtype=np.int64, count=len(archs))

    def encode(self, archs: Sequence[A]) -> Graphs:
        """Return the graph form of the architectures."""
        return self._encode(self.rows(archs))

    def encode_rows(self, rows: np.ndarray) -> Graphs:
        """Return the graph form of the architectures with these rows (int64, B); raise as `from_index`."""
        rows = np.asarray(rows, dtype=np.int64)
        if len(rows):
            self.check_rows(int(rows.min()), int(rows.max()))
        return self._encode(rows)


def is_id(value: object, size: int, first: int = 0) -> bool:
    """Return whether a value is an integer (and no bool) of `size` ones, counted from `first`."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and int(value) - first in range(size)


def literal(text: str, form: str) -> Any:
    """Return the value that a text writes in Python, which is not executed; raise `InvalidArchitecture` that names the
    form which the text should have."""
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
        raise InvalidArchitecture(f"{text!r} is not {form}.", "cells") from error


def _as_read(graphs: Graphs) -> Iterator[tuple[list[int], np.ndarray]]:
    """Yield node classes and adjacency of each graph, without padding."""
    sizes, nodes, adjacency = graphs.mask.sum(1).tolist(), graphs.nodes.tolist(), graphs.adjacency().cpu().numpy()
    for n, classes, edges in zip(sizes, nodes, adjacency, strict=True):
        yield classes[:n], edges[:n, :n]
