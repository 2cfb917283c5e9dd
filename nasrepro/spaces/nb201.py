"""NAS-Bench-201, the topology search space of NATS-Bench: 4 cell nodes, 6 edges, one of 5 operations on each edge.

Rows, neighbours and the graph form are those of `nasrepro.spaces.edge_cell`.
"""

from __future__ import annotations

import re
from functools import lru_cache

from nasrepro.errors import InvalidArchitecture, did_you_mean
from nasrepro.spaces.edge_cell import CELL_EDGES, Arch, EdgeCellSpace
from nasrepro.spaces.functional import CellEdge, functional_key

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
NODE_CLASSES = ("output", "input", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3", "skip_connect", "none")
N_FUNCTIONS = 5_425  # number of distinct functional keys among the 15,625 cells

_STRING_FORM = "|op~0|+|op~0|op~1|+|op~0|op~1|op~2|"
_PATTERN = re.compile(_STRING_FORM.replace("|", r"\|").replace("+", r"\+").replace("op", r"([^|~+]*)"))


class NB201Space(EdgeCellSpace):
    """The 15,625 cells of NAS-Bench-201. Cells of the same function are different cells here (see `functional_key`)."""

    name = "nb201"
    title = "NAS-Bench-201"
    operations = OPERATIONS
    node_classes = NODE_CLASSES

    def functional_key(self, arch: Arch) -> str:
        """Return a key that is equal exactly for cells that compute the same function because of `skip_connect` and
        `none`.

        See `nasrepro.spaces.functional`. The 15,625 cells have `N_FUNCTIONS` distinct functional keys.
        """
        self.check(arch)
        return _functional_key(tuple(int(op) for op in arch))

    def to_string(self, arch: Arch) -> str:
        """Return the architecture string, `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|` with the names of the operations."""
        self.check(arch)
        parts = [f"{OPERATIONS[op]}~{edge[0]}" for edge, op in zip(CELL_EDGES, arch, strict=True)]
        return f"|{parts[0]}|+|{'|'.join(parts[1:3])}|+|{'|'.join(parts[3:])}|"

    def from_string(self, text: str) -> Arch:
        """Parse an architecture string; raise `InvalidArchitecture` with the reason."""
        match = _PATTERN.fullmatch(text.strip())
        if match is None:
            raise InvalidArchitecture(f"{text!r} is no NAS-Bench-201 cell; its form is {_STRING_FORM}.")
        for edge, op in zip(CELL_EDGES, match.groups(), strict=True):
            if op not in OPERATIONS:
                raise InvalidArchitecture(
                    f"Edge {edge[0]}->{edge[1]} has the unknown operation {op!r}; there is {', '.join(OPERATIONS)}."
                    + did_you_mean(op, OPERATIONS)
                )
        return tuple(OPERATIONS.index(op) for op in match.groups())


@lru_cache(maxsize=5**6)
def _functional_key(arch: Arch) -> str:
    edges = [CellEdge(source, target, OPERATIONS[op]) for (source, target), op in zip(CELL_EDGES, arch, strict=True)]
    return functional_key(edges, n_nodes=4)


NB201 = NB201Space()
