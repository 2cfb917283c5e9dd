"""The two search spaces of TransNAS-Bench-101 (Duan et al., CVPR 2021): cells (micro) and chains of modules (macro).

Micro: the cell of NAS-Bench-201 without pooling, in a fixed macro skeleton; its native string `64-41414-1_02_333` lists
base channels, skeleton, and the operations on the edges into node 1, 2 and 3.

Macro: a chain of 4 to 6 modules of residual blocks, each of one of four types; native string `64-1234-basic`. A network
is in the space when 1 to 3 of its modules double the channels and 1 to 4 halve the resolution.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise, product
from typing import TYPE_CHECKING

import numpy as np

from nasrepro.errors import InvalidArchitecture
from nasrepro.spaces.base import FiniteSpace, is_id
from nasrepro.spaces.edge_cell import INPUT, OUTPUT, Arch, EdgeCellSpace, read_inner

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from nasrepro.graphs import Graphs

_MICRO_PATTERN = re.compile(r"64-41414-([0-3])_([0-3])([0-3])_([0-3])([0-3])([0-3])")
_MACRO_PATTERN = re.compile(r"64-([1-4]+)-basic")


class TNB101MicroSpace(EdgeCellSpace):
    """The 4,096 cells of the micro space."""

    name = "tnb101-micro"
    title = "TransNAS-Bench-101 micro"
    operations = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3")
    node_classes = ("output", "input", "nor_conv_1x1", "nor_conv_3x3", "skip_connect", "none")

    def to_string(self, arch: Arch) -> str:
        """Return the native string, e.g. `64-41414-1_02_333`."""
        key = self.key(arch)
        return f"64-41414-{key[0]}_{key[1:3]}_{key[3:]}"

    def from_string(self, text: str) -> Arch:
        """Parse a native string; raise `InvalidArchitecture` with the reason."""
        match = _MICRO_PATTERN.fullmatch(text.strip())
        if match is None:
            raise InvalidArchitecture(
                f"{text!r} is no TransNAS-Bench-101 micro cell; its form is 64-41414-a_bc_def with the operations "
                "0 none, 1 skip, 2 conv 1x1, 3 conv 3x3."
            )
        return tuple(map(int, match.groups()))


MODULES = ("normal", "double_channels", "halve_resolution", "double_channels_halve_resolution")  # types 1 to 4
LENGTHS = range(4, 7)
DOUBLINGS = range(1, 4)  # how many modules may double the channels (types 2 and 4)
HALVINGS = range(1, 5)  # how many modules may halve the resolution (types 3 and 4)
_FIRST_MODULE = 2  # node class of module type 1


class TNB101MacroSpace(FiniteSpace[Arch]):
    """The 3,256 networks of the macro space; an architecture is the tuple of its module types (1 to 4), 4 to 6 of them.

    Rows are in the order of length, then of the types. The graph form is a chain: input, modules, output (6 to 8
    nodes). An edit inserts, removes or replaces one module such that the network is still in the space.
    """

    name = "tnb101-macro"
    title = "TransNAS-Bench-101 macro"
    node_classes = ("output", "input", *MODULES)
    max_nodes = LENGTHS[-1] + 2
    size = 3_256

    def check(self, arch: Arch) -> None:
        """Raise `InvalidArchitecture` unless `arch` is a tuple of 4 to 6 module types with 1 to 3 doublings of the
        channels and 1 to 4 halvings of the resolution."""
        if not isinstance(arch, tuple) or len(arch) not in LENGTHS:
            raise InvalidArchitecture(
                f"A {self.title} network is a tuple of 4 to 6 module types, not {arch!r}.", "nodes"
            )
        for module in arch:
            if not is_id(module, len(MODULES), first=1):
                ids = ", ".join(f"{i} {name}" for i, name in enumerate(MODULES, start=1))
                raise InvalidArchitecture(f"There is no module type {module!r}; the types are {ids}.", "operations")
        doublings = sum(module in (2, 4) for module in arch)
        halvings = sum(module in (3, 4) for module in arch)
        if doublings not in DOUBLINGS or halvings not in HALVINGS:
            raise InvalidArchitecture(
                f"{arch!r} doubles the channels {doublings} times and halves the resolution {halvings} times; "
                f"{self.title} has 1 to 3 doublings and 1 to 4 halvings.",
                "stages",
            )

    def index(self, arch: Arch) -> int:
        """Return the row of a network, 0 to 3,255, in the order of length, then of the types.

        This is the package's own enumeration: the order of the authors' file is not in the public sources.
        """
        self.check(arch)
        return _row_of()[arch]

    def _at(self, row: int) -> Arch:
        return _networks()[row]

    def key(self, arch: Arch) -> str:
        """Return the types of the modules: two networks share them only when they are the same network."""
        self.check(arch)
        return "".join(map(str, arch))

    def neighbours(self, arch: Arch) -> list[Arch]:
        """Return the networks that differ from `arch` in one module inserted, removed or replaced, in lexical order."""
        self.check(arch)
        parts = [(arch[:k], arch[k:]) for k in range(len(arch) + 1)]
        edited = {head + tail[1:] for head, tail in parts if tail}
        for module in range(1, len(MODULES) + 1):
            edited |= {(*head, module, *tail) for head, tail in parts}
            edited |= {(*head, module, *tail[1:]) for head, tail in parts if tail}
        return sorted(other for other in edited if other != arch and other in _row_of())

    def distance(self, a: Arch, b: Arch) -> int:
        """Return the fewest edits from `a` to `b` through networks of the space.

        It is the edit (Levenshtein) distance of the two tuples, or one or two more where every shortest sequence of
        edits leaves the space on the way (8 of 10,000 pairs).
        """
        return int(_distances_from(self.index(a))[self.index(b)])

    def to_string(self, arch: Arch) -> str:
        """Return the native string, e.g. `64-1234-basic`."""
        return f"64-{self.key(arch)}-basic"

    def from_string(self, text: str) -> Arch:
        """Parse a native string; raise `InvalidArchitecture` with the reason."""
        match = _MACRO_PATTERN.fullmatch(text.strip())
        if match is None:
            raise InvalidArchitecture(
                f"{text!r} is no TransNAS-Bench-101 macro network; its form is 64-abcd-basic with 4 to 6 module types "
                "1 to 4."
            )
        arch = tuple(map(int, match[1]))
        self.check(arch)
        return arch

    def _encode(self, rows: np.ndarray) -> Graphs:
        from nasrepro.graphs import Graphs

        chains = [[INPUT, *(_FIRST_MODULE + module - 1 for module in self._at(row)), OUTPUT] for row in rows.tolist()]
        return Graphs.from_edges([(nodes, pairwise(range(len(nodes)))) for nodes in chains], self.max_nodes)

    def read(self, nodes: list[int], adjacency: np.ndarray) -> Arch:
        """Return the network of one graph.

        What is wrong is of kind `nodes` (not 6 to 8), `edges` (not a chain), `terminals` (the first node is not the
        input or the last not the output), `operations` (a node between them is no module) or `stages` (too few or too
        many doublings of the channels or halvings of the resolution), the first that applies.
        """
        size = len(nodes)
        if size - 2 not in LENGTHS:
            raise InvalidArchitecture(f"The graph has {size} nodes; a {self.title} network has 6 to 8.", "nodes")
        names = read_inner(self, nodes, adjacency, set(pairwise(range(size))), MODULES)
        arch = tuple(1 + MODULES.index(name) for name in names)
        self.check(arch)
        return arch


@lru_cache(maxsize=1)
def _networks() -> tuple[Arch, ...]:
    """Return all networks in the order of their rows."""
    return tuple(
        arch
        for length in LENGTHS
        for arch in product((1, 2, 3, 4), repeat=length)
        if sum(m in (2, 4) for m in arch) in DOUBLINGS and sum(m in (3, 4) for m in arch) in HALVINGS
    )


@lru_cache(maxsize=1)
def _row_of() -> dict[Arch, int]:
    return {arch: row for row, arch in enumerate(_networks())}


@lru_cache(maxsize=1)
def _edit_graph() -> csr_matrix:
    """Return the matrix that joins each row to those of its neighbours."""
    from scipy.sparse import csr_matrix

    near = [[_row_of()[other] for other in TNB101_MACRO.neighbours(arch)] for arch in _networks()]
    ends = np.concatenate(near)
    starts = np.cumsum([0, *map(len, near)])
    return csr_matrix((np.ones(len(ends)), ends, starts), shape=(len(near), len(near)))


@lru_cache(maxsize=TNB101MacroSpace.size)
def _distances_from(row: int) -> np.ndarray:
    """Return the number of edits from one row to every row (int8, 3,256)."""
    from scipy.sparse.csgraph import shortest_path

    found: np.ndarray = shortest_path(_edit_graph(), unweighted=True, indices=row).astype(np.int8)
    return found


TNB101_MICRO = TNB101MicroSpace()
TNB101_MACRO = TNB101MacroSpace()
