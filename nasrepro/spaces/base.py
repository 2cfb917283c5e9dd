"""The contract of a search space: pure functions of architectures.

An architecture is a small hashable value of the space's own choosing (for NAS-Bench-201 a tuple of six operation
ids). A new space is one file with one class that fills in `SearchSpace` (or `FiniteSpace`, where the architectures can
be numbered), and one line in `nasrepro/spaces/__init__.py`. `rng` is always a `numpy.random.Generator`; nothing reads
global random state.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

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
    def decode_one(self, graph: Graphs, index: int = 0) -> A:
        """Return the architecture of one graph of a batch; raise `InvalidArchitecture` with the reason and its kind."""

    def decode_with_reasons(self, graphs: Graphs) -> tuple[list[A | None], list[str]]:
        """Return the architecture of each graph (None where invalid), and the kind of what is wrong ("" where
        valid)."""
        archs: list[A | None] = []
        kinds: list[str] = []
        for index in range(len(graphs)):
            try:
                archs.append(self.decode_one(graphs, index))
                kinds.append("")
            except InvalidArchitecture as error:
                archs.append(None)
                kinds.append(error.kind)
        return archs, kinds

    def decode(self, graphs: Graphs) -> list[A | None]:
        """Return the architecture of each graph, None where it is invalid (see `decode_one` for the reason)."""
        return self.decode_with_reasons(graphs)[0]

    @abstractmethod
    def to_string(self, arch: A) -> str:
        """Return the native string of the architecture."""

    @abstractmethod
    def from_string(self, text: str) -> A:
        """Parse a native string; raise `InvalidArchitecture` with the reason."""


class FiniteSpace(SearchSpace[A]):
    """A space whose architectures are numbered: `index` is the row of an architecture, 0 to size - 1."""

    size: int

    @abstractmethod
    def index(self, arch: A) -> int:
        """Return the row of an architecture (the same for isomorphic cells)."""

    @abstractmethod
    def from_index(self, row: int) -> A:
        """Return the architecture of a row; raise `InvalidArchitecture` for a row outside the space."""

    def all(self) -> Iterator[A]:
        """Yield every architecture once, in the order of `index`."""
        return map(self.from_index, range(self.size))

    def rows(self, archs: Sequence[A] | np.ndarray) -> np.ndarray:
        """Return the rows (int64, B) of many architectures."""
        return np.fromiter((self.index(arch) for arch in archs), dtype=np.int64, count=len(archs))

    def decode_rows(self, graphs: Graphs) -> tuple[np.ndarray, list[str]]:
        """Return the row of each graph (int64, B; -1 where invalid) and the kind of what is wrong ("" where valid)."""
        archs, kinds = self.decode_with_reasons(graphs)
        rows = [INVALID if arch is None else self.index(arch) for arch in archs]
        return np.array(rows, dtype=np.int64), kinds

    def encode_rows(self, rows: np.ndarray) -> Graphs:
        """Return the graph form of the architectures with these rows (int64, B)."""
        return self.encode([self.from_index(int(row)) for row in rows])
