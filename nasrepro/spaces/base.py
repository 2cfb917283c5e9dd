"""The contract of a search space: pure functions of architectures.

An architecture is a small hashable value of the space's own choosing (for NAS-Bench-201 a tuple of six operation
ids). A new space is one file with one class that follows `SearchSpace`, and one line in `nasrepro/spaces/__init__.py`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

    from nasrepro.graphs import Graphs

A = TypeVar("A", bound=Hashable)


class SearchSpace(Protocol[A]):
    """What every space can do. `rng` is always a `numpy.random.Generator`; nothing reads global random state.

    Attributes:
        name: short name, e.g. `nb201`.
        node_classes: name of each node (operation) class of the graph form, in class order.
        max_nodes: N of the graph form.
        size: number of architectures, or None where it cannot be enumerated.
    """

    name: str
    node_classes: tuple[str, ...]
    max_nodes: int
    size: int | None

    def all(self) -> Iterator[A]:
        """Yield every architecture once, in the order of `index` (only where `size` is not None)."""

    def sample(self, rng: np.random.Generator) -> A:
        """Draw one valid architecture uniformly from the space's natural encoding."""

    def check(self, arch: A) -> None:
        """Raise `InvalidArchitecture` with the reason if `arch` is not in the space."""

    def is_valid(self, arch: A) -> bool:
        """Return whether `arch` is in the space."""

    def key(self, arch: A) -> str:
        """Return a canonical key: equal exactly for isomorphic cells."""

    def neighbours(self, arch: A) -> list[A]:
        """Return D^1: all valid architectures one edit away, isomorphic duplicates and `arch` itself removed."""

    def mutate(self, arch: A, rng: np.random.Generator) -> A:
        """Draw one of the neighbours uniformly."""

    def distance(self, a: A, b: A) -> int:
        """Return the smallest number of edits from `a` to `b`."""

    def encode(self, archs: Sequence[A]) -> Graphs:
        """Return the graph form of the architectures."""

    def decode(self, graphs: Graphs) -> list[A | None]:
        """Return the architecture of each graph, None where it is invalid (see `decode_one` for the reason)."""

    def decode_one(self, graph: Graphs, index: int = 0) -> A:
        """Return the architecture of one graph of a batch; raise `InvalidArchitecture` with the reason."""

    def to_string(self, arch: A) -> str:
        """Return the native string of the architecture."""

    def from_string(self, text: str) -> A:
        """Parse a native string; raise `InvalidArchitecture` with the reason."""


class FiniteSpace(SearchSpace[A], Protocol[A]):
    """A space whose architectures are numbered: `index` is the row of an architecture, 0 to size - 1."""

    def index(self, arch: A) -> int:
        """Return the row of an architecture."""

    def from_index(self, row: int) -> A:
        """Return the architecture of a row."""

    def decode_rows(self, graphs: Graphs) -> tuple[Tensor, list[str]]:
        """Return the row of each graph (int64, B; -1 where invalid) and why it is invalid (else empty)."""
