"""Cells as NASLib (https://github.com/automl/NASLib, commit 0b51bc1) writes them; NASLib itself is not needed.

A *form* says how a cell is written:

- `nb101`: the adjacency matrix row by row, then the operations (0 input, 1 output, 2 max pooling, 3 1x1, 4 3x3);
- `nb201`: six operation ids, by source of the edges: 0->1, 0->2, 0->3, 1->2, 1->3, 2->3;
- `nb301`: (input, operation) slots of the normal and of the reduction cell, which is how they are written here too;
- `tnb101-micro:string`: the six digits of the native string, by target of the edges;
- `tnb101-micro:graph`: six operation ids as in `nb201`, without pooling;
- `tnb101-macro`: the types of the modules, which may be padded with zeros.

NASLib reads the same six numbers of a micro cell in two ways. Its queries, and the tables of proxies made with it, put
them into the native string as they are; the network that it builds of them has them by source of the edges and in the
order of its own operations. So (0, 3, 1, 0, 2, 3) is `64-41414-0_31_023` when it is asked for its accuracy, and
`64-41414-1_21_032` when it is trained. Which one is meant cannot be seen: name the form.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from nasrepro.errors import InvalidArchitecture, UnknownQuery, did_you_mean
from nasrepro.spaces.base import literal
from nasrepro.spaces.darts import genotype
from nasrepro.spaces.darts.space import NB301
from nasrepro.spaces.edge_cell import CELL_EDGES, Arch, EdgeCellSpace
from nasrepro.spaces.nb101.space import NB101, Cell
from nasrepro.spaces.nb201 import NB201
from nasrepro.spaces.transnas import TNB101_MACRO, TNB101_MICRO

Form = tuple[Callable[[Any], Any], Callable[[Any], Any]]  # reads, writes

_NB101_OPERATIONS = ("input", "output", "maxpool3x3", "conv1x1-bn-relu", "conv3x3-bn-relu")
_GRAPH_OPERATIONS = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
_BY_SOURCE = tuple(sorted(CELL_EDGES))


def from_naslib(form: str, written: str | Sequence[Any]) -> Any:
    """Return the architecture that NASLib writes so, or as the text of it; raise `InvalidArchitecture` with the
    reason."""
    return _form(form)[0](literal(written, "a tuple as NASLib writes it") if isinstance(written, str) else written)


def to_naslib(form: str, arch: Any) -> Any:
    """Return what NASLib writes for an architecture; the inverse of `from_naslib`."""
    return _form(form)[1](arch)


def _form(name: str) -> Form:
    if name not in FORMS:
        raise UnknownQuery(f"NASLib has no form `{name}`; it has {', '.join(FORMS)}.{did_you_mean(name, FORMS)}")
    return FORMS[name]


def _read_edges(
    space: EdgeCellSpace, edges: Sequence[tuple[int, int]], operations: Sequence[str], ids: Sequence[int]
) -> Arch:
    if len(ids) != len(edges) or any(i not in range(space.base) for i in ids):
        raise InvalidArchitecture(
            f"A NASLib tuple of {space.title} holds six ids 0-{space.base - 1}, not {tuple(ids)!r}."
        )
    named = dict(zip(edges, (operations[i] for i in ids), strict=True))
    return tuple(space.operations.index(named[edge]) for edge in CELL_EDGES)


def _write_edges(
    space: EdgeCellSpace, edges: Sequence[tuple[int, int]], operations: Sequence[str], arch: Arch
) -> tuple[int, ...]:
    space.check(arch)
    named = dict(zip(CELL_EDGES, (space.operations[op] for op in arch), strict=True))
    return tuple(operations.index(named[edge]) for edge in edges)


def _read_nb101(numbers: Sequence[int]) -> Cell:
    n = int(len(numbers) ** 0.5)
    if n * (n + 1) != len(numbers) or any(i not in range(5) for i in numbers[n * n :]):
        raise InvalidArchitecture(
            f"A NASLib tuple of NAS-Bench-101 holds n x n matrix entries, then n ids 0-4, not {tuple(numbers)!r}."
        )
    return NB101.from_matrix(np.reshape(numbers[: n * n], (n, n)), [_NB101_OPERATIONS[i] for i in numbers[n * n :]])


def _write_nb101(cell: Cell) -> tuple[int, ...]:
    NB101.check(cell)
    return (*cell.adjacency.ravel().tolist(), *map(_NB101_OPERATIONS.index, cell.operations))


def _read_macro(types: Sequence[int]) -> Arch:
    arch = tuple(int(i) for i in types if i != 0)
    TNB101_MACRO.check(arch)
    return arch


def _as_it_is(space: Any, arch: Any) -> Any:
    space.check(arch)
    return arch


def _edges(*how: Any) -> Form:
    return partial(_read_edges, *how), partial(_write_edges, *how)


FORMS: dict[str, Form] = {
    "nb101": (_read_nb101, _write_nb101),
    "nb201": _edges(NB201, _BY_SOURCE, _GRAPH_OPERATIONS),
    "nb301": (genotype.read_compact, partial(_as_it_is, NB301)),
    "tnb101-micro:string": _edges(TNB101_MICRO, CELL_EDGES, TNB101_MICRO.operations),
    "tnb101-micro:graph": _edges(TNB101_MICRO, _BY_SOURCE, _GRAPH_OPERATIONS[:4]),
    "tnb101-macro": (_read_macro, partial(_as_it_is, TNB101_MACRO)),
}
