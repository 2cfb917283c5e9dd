"""Spaces of your own without a list: declared by operations, nodes and a rule of the edges, or given by functions.

`DeclaredSpace` holds all cells of some operations whose edges are fixed, or free within a bound; `FunctionSpace` holds
whatever your functions `sample`, `encode` and `decode` say. Neither is enumerated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from nasrepro.errors import InvalidArchitecture, ParameterError
from nasrepro.spaces import cells as forms
from nasrepro.spaces.base import SearchSpace
from nasrepro.spaces.cells import MAX_NODES, Cell, Edge, check_form, pairs_of

if TYPE_CHECKING:
    from nasrepro.graphs import Graphs

A = TypeVar("A")
_TRIES = 10_000  # draws of which one must be a cell


class FunctionSpace(SearchSpace[A]):
    """A space of your own architectures (hashable values), given by functions.

    Args:
        sample: draws an architecture with a `numpy.random.Generator`.
        encode: architecture -> `Cell`.
        decode: `Cell` -> architecture; None, or `InvalidArchitecture`, where it is none.
        operations: names of all operations.
        nodes: most nodes of a cell, at most 64.
        neighbours: architecture -> those one edit away; None edits the cell (see `cells.edited`), and keeps what
            decodes.
        kinds: operation -> what it is, one of `cells.KINDS`; by default what the name is known for, else `other`.
        name: of the space.

    Raises:
        ParameterError: no operation, or a wrong number of nodes.
    """

    def __init__(
        self,
        sample: Callable[[np.random.Generator], A],
        encode: Callable[[A], Cell],
        decode: Callable[[Cell], A | None],
        *,
        operations: Sequence[str],
        nodes: int,
        neighbours: Callable[[A], Iterable[A]] | None = None,
        kinds: Mapping[str, str] | None = None,
        name: str = "own",
    ) -> None:
        if not operations or not 1 <= nodes <= MAX_NODES:
            raise ParameterError(f"A space needs operations, and cells of 1 to {MAX_NODES} nodes, not {nodes}.")
        self.name, self.max_nodes = name, nodes
        self.node_classes = forms.declared_names(sorted(set(operations)), kinds)
        self._class_of = {operation: k for k, operation in enumerate(self.node_classes)}
        self._sample, self._cell, self._arch, self._neighbours = sample, encode, decode, neighbours

    def sample(self, rng: np.random.Generator) -> A:
        """Draw an architecture by the function `sample`."""
        return self._sample(rng)

    def check(self, arch: A) -> None:
        """Raise `InvalidArchitecture` unless the cell of `arch` decodes."""
        self._decoded(self._cell(arch))

    def key(self, arch: A) -> str:
        """Return the key of the cell, see `cells.key`."""
        return forms.key(self._cell(arch))

    def neighbours(self, arch: A) -> list[A]:
        """Return the architectures one edit away, isomorphic ones once."""
        if self._neighbours is not None:
            found: Iterable[A | None] = self._neighbours(arch)
        else:
            found = map(self._or_none, forms.edited(self._cell(arch), self.node_classes, self.max_nodes))
        near = {self.key(other): other for other in found if other is not None}
        near.pop(self.key(arch), None)
        return list(near.values())

    def mutate(self, arch: A, rng: np.random.Generator) -> A:
        """Draw one of the neighbours uniformly; `InvalidArchitecture` of kind `isolated` where there is none."""
        near = self.neighbours(arch)
        if not near:
            raise InvalidArchitecture(
                f"No cell of {self.name} is one edit away from {self.to_string(arch)}.", "isolated"
            )
        return near[int(rng.integers(len(near)))]

    def distance(self, a: A, b: A) -> int:
        """Return the fewest edits from the cell of `a` to that of `b`; `InvalidArchitecture` beyond 12 nodes."""
        return forms.distance(self._cell(a), self._cell(b))

    def encode(self, archs: Sequence[A]) -> Graphs:
        """Return the graph form of the architectures, padded to `max_nodes`."""
        from nasrepro.graphs import Graphs

        cells = [self._cell(arch) for arch in archs]
        classes = [([self._class_of[operation] for operation in cell.operations], cell.edges) for cell in cells]
        return Graphs.from_edges(classes, self.max_nodes)

    def read(self, nodes: list[int], adjacency: np.ndarray) -> A:
        """Return the architecture of one graph; `InvalidArchitecture` where it does not decode."""
        edges = tuple((i, j) for i, j in np.argwhere(adjacency).tolist())
        return self._decoded(Cell(tuple(self.class_names(nodes)), edges))

    def to_string(self, arch: A) -> str:
        """Return the cell as JSON."""
        return forms.to_string(self._cell(arch))

    def from_string(self, text: str) -> A:
        """Return the architecture of a cell in JSON; raise `InvalidArchitecture` with the reason."""
        return self._decoded(forms.from_string(text))

    def _decoded(self, cell: Cell) -> A:
        check_form(cell)
        if unknown := {*cell.operations} - {*self.node_classes}:
            raise InvalidArchitecture(
                f"{self.name} has the operations {', '.join(self.node_classes)}, not {', '.join(sorted(unknown))}.",
                "operations",
            )
        arch = self._arch(cell)
        if arch is None:
            raise InvalidArchitecture(f"{forms.to_string(cell)} is no cell of {self.name}.", "rule")
        return arch

    def _or_none(self, cell: Cell) -> A | None:
        try:
            return self._decoded(cell)
        except InvalidArchitecture:
            return None


class DeclaredSpace(FunctionSpace[Cell]):
    """All cells of some operations whose edges keep a rule.

    Every node but the first reads one before it, and every node but the last is read.

    Args:
        operations: names of the inner operations.
        nodes: number of nodes, the first and the last among them; a pair for the fewest and the most.
        edges: the fixed edges of every cell; `chain`; or `free`, any.
        most_edges: bound on free edges; None for twice the nodes.
        first: operation of the first node; None for any inner one.
        last: operation of the last node; None for any inner one.
        valid: a further rule, cell -> whether it belongs to the space.
        kinds: operation -> what it is; the first node is an `input` and the last an `output` by default.
        name: of the space.

    `sample` draws size and operations uniformly, and free edges as a random tree, narrow
    or wide, with a few more, again until `valid`.
    """

    def __init__(
        self,
        operations: Sequence[str],
        nodes: int | tuple[int, int],
        *,
        edges: str | Iterable[Edge] = "free",
        most_edges: int | None = None,
        first: str | None = "input",
        last: str | None = "output",
        valid: Callable[[Cell], bool] | None = None,
        kinds: Mapping[str, str] | None = None,
        name: str = "own",
    ) -> None:
        self._fewest, most = (nodes, nodes) if isinstance(nodes, int) else nodes
        self._inner, self._first, self._last, self._valid = tuple(operations), first, last, valid
        self._most_edges = 2 * most if most_edges is None else most_edges
        self._fixed: tuple[Edge, ...] | None = None
        if edges == "chain":
            self._fixed = tuple((i, i + 1) for i in range(most - 1))
        elif not isinstance(edges, str):
            self._fixed = tuple(sorted({(int(i), int(j)) for i, j in edges}))
        elif edges != "free":
            raise ParameterError(f"The edges of a space are `free`, `chain` or a list of pairs, not {edges!r}.")
        if self._fixed is not None and (self._fewest != most or not {*self._fixed} <= {*pairs_of(most)}):
            raise ParameterError(f"Fixed edges join nodes i < j of cells of one size, here {most}: {edges!r}.")
        if not 2 <= self._fewest <= most or not self._inner:
            raise ParameterError(f"A cell has operations, and two nodes or more, the fewest first, not {nodes}.")
        terminal = {n: k for n, k in ((first, "input"), (last, "output")) if n is not None}
        super().__init__(
            self._draw,
            lambda cell: cell,
            lambda cell: cell if self._holds(cell) else None,
            operations=[*self._inner, *terminal],
            nodes=most,
            kinds=terminal | dict(kinds or {}),
            name=name,
        )

    def neighbours(self, arch: Cell) -> list[Cell]:
        """Return the cells one edit away: another operation; where edges are free, one edge more or less."""
        if self._fixed is None:
            return super().neighbours(arch)
        found = {self.key(cell): cell for cell in self._changed(arch) if self._holds(cell)}
        found.pop(self.key(arch), None)
        return list(found.values())

    def _changed(self, cell: Cell) -> Iterable[Cell]:
        for i, operation in enumerate(cell.operations):
            for other in self._inner:
                if other != operation:
                    yield cell._replace(operations=(*cell.operations[:i], other, *cell.operations[i + 1 :]))

    def _draw(self, rng: np.random.Generator) -> Cell:
        for _ in range(_TRIES):
            n = int(rng.integers(self._fewest, self.max_nodes + 1))
            operations = [self._inner[k] for k in rng.integers(len(self._inner), size=n)]
            operations[0], operations[-1] = self._first or operations[0], self._last or operations[-1]
            cell = Cell(tuple(operations), self._fixed if self._fixed is not None else self._tree(n, rng))
            if self._holds(cell):
                return cell
        raise InvalidArchitecture(f"None of {_TRIES:,} random cells keeps the rules of {self.name}.", "rule")

    def _tree(self, n: int, rng: np.random.Generator) -> tuple[Edge, ...]:
        narrow, edges, read = rng.random(), set[Edge](), set[int]()
        for j in range(1, n):
            unread = [i for i in range(j) if i not in read]
            choice = unread if rng.random() < narrow else range(j)
            source = choice[int(rng.integers(len(choice)))]
            edges.add((source, j))
            read.add(source)
        edges |= {(i, int(rng.integers(i + 1, n))) for i in {*range(n - 1)} - {i for i, _ in edges}}
        pairs = pairs_of(n)
        for k in rng.integers(len(pairs), size=max(0, int(rng.integers(self._most_edges + 1)) - len(edges))):
            edges.add(pairs[k])
        return tuple(sorted(edges))

    def _holds(self, cell: Cell) -> bool:
        operations, edges = cell
        n = len(operations)
        if not self._fewest <= n <= self.max_nodes:
            return False
        inner = operations[bool(self._first) : n - bool(self._last)]
        ends = (self._first or operations[0], self._last or operations[-1])
        if (operations[0], operations[-1]) != ends or not {*inner} <= {*self._inner}:
            return False
        if self._fixed is not None:
            return edges == self._fixed and (self._valid is None or self._valid(cell))
        connected = len({j for _, j in edges}) == len({i for i, _ in edges}) == n - 1
        return connected and len(edges) <= self._most_edges and (self._valid is None or self._valid(cell))
