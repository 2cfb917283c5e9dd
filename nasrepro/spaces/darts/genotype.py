"""Cells of the DARTS space and how they are written: genotypes, NASLib's compact form, the public code's misreading."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from nasrepro.errors import InvalidArchitecture, did_you_mean
from nasrepro.spaces.base import is_id, literal

OPERATIONS = (
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
N_INPUTS, N_NODES = 2, 4  # inputs of a cell, intermediate nodes
N_SLOTS = 2 * N_NODES

Cell = tuple[tuple[int, int], ...]  # eight (input, operation) slots, two of each intermediate node in turn
Pair = tuple[Cell, Cell]  # normal cell, reduction cell

# The second-order cell of the DARTS paper (figures 4 and 5).
DARTS_V2: Pair = (
    ((0, 3), (1, 3), (0, 3), (1, 3), (1, 3), (0, 2), (0, 2), (2, 5)),
    ((0, 0), (1, 0), (2, 2), (1, 0), (0, 0), (2, 2), (2, 2), (1, 0)),
)

_CELL_FORM = "[('sep_conv_3x3', 0), ...] with eight (operation, input) slots"
_FORM = f"Genotype(normal={_CELL_FORM}, normal_concat=range(2, 6), reduce=..., reduce_concat=range(2, 6))"
_RANGE = r"(range\([^()]*\)|\[[^\[\]]*\]|\([^()]*\))"
_PAIR = re.compile(rf"Genotype\(normal=(.*),normal_concat={_RANGE},reduce=(.*),reduce_concat={_RANGE}\)")
_CONCAT = ("range(2,6)", "[2,3,4,5]", "(2,3,4,5)")  # of all intermediate nodes


def check_cell(cell: Cell) -> None:
    """Raise `InvalidArchitecture` unless `cell` is eight slots, of kind `nodes`, `operations`, `edges` or `inputs`."""
    try:
        slots = [(source, op) for source, op in cell]
    except (TypeError, ValueError):
        slots = []
    if len(slots) != N_SLOTS or not isinstance(cell, tuple):
        raise InvalidArchitecture(f"A cell is a tuple of {N_SLOTS} (input, operation) pairs, not {cell!r}.", "nodes")
    for slot, (source, op) in enumerate(slots):
        node = N_INPUTS + slot // 2
        if not is_id(op, len(OPERATIONS)):
            raise InvalidArchitecture(
                f"Slot {slot} has the operation id {op!r}; there is 0 to {len(OPERATIONS) - 1}.", "operations"
            )
        if not is_id(source, node):
            raise InvalidArchitecture(
                f"Slot {slot} reads node {source!r}; node {node} can read 0 to {node - 1}.", "edges"
            )
        if slot % 2 and source == slots[slot - 1][0]:
            raise InvalidArchitecture(f"Node {node} reads node {source} twice.", "inputs")


def check_pair(pair: Pair) -> None:
    """Raise `InvalidArchitecture` unless `pair` is a normal and a reduction cell; kinds as `check_cell`, or `cells`."""
    if not isinstance(pair, tuple) or len(pair) != 2:
        raise InvalidArchitecture(f"An architecture is a pair (normal cell, reduction cell), not {pair!r}.", "cells")
    for cell in pair:
        check_cell(cell)


def sorted_slots(cell: Cell) -> Cell:
    """Return the same cell with the two slots of each node in order of input."""
    return tuple(slot for node in range(N_NODES) for slot in sorted(cell[2 * node : 2 * node + 2]))


def misread(cell: Cell) -> Cell:
    """Return the cell that the public code of AG-Net and DiNAS evaluates in place of this one.

    Its `generate_genotype` reads the operations of intermediate node k (0 to 3) at places k and k + 1 instead of 2k and
    2k + 1 of the graph form. So the inputs are right, and of the operations the last three are ignored and the second
    to fourth are used twice.
    """
    slots = sorted_slots(cell)
    return tuple((source, slots[slot // 2 + slot % 2][1]) for slot, (source, _) in enumerate(slots))


def write_cell(cell: Cell) -> str:
    """Return the slots as in a genotype, `[('sep_conv_3x3', 0), ...]`."""
    return str([(OPERATIONS[op], source) for source, op in cell])


def write_pair(pair: Pair) -> str:
    """Return the genotype string of DARTS."""
    normal, reduce = map(write_cell, pair)
    return f"Genotype(normal={normal}, normal_concat=range(2, 6), reduce={reduce}, reduce_concat=range(2, 6))"


def read_cell(text: str) -> Cell:
    """Return the cell of a list of (operation, input) slots; nothing is executed. Raise `InvalidArchitecture`."""
    slots = literal(text, f"a cell; it has no slots: {_CELL_FORM}")
    try:
        named = [(str(name), source) for name, source in slots]
    except (TypeError, ValueError) as error:
        raise InvalidArchitecture(f"{text!r} has no slots; a cell is {_CELL_FORM}.", "cells") from error
    for name, _ in named:
        if name not in OPERATIONS:
            raise InvalidArchitecture(
                f"There is no operation `{name}`; there is {', '.join(OPERATIONS)}.{did_you_mean(name, OPERATIONS)}",
                "operations",
            )
    cell = tuple((source, OPERATIONS.index(name)) for name, source in named)
    check_cell(cell)
    return cell


def read_pair(text: str) -> Pair:
    """Return the cells of a genotype string; nothing is executed. Raise `InvalidArchitecture` with the reason.

    The concatenation may be a `range` or a list; it must be that of all intermediate nodes, as in NAS-Bench-301.
    """
    match = _PAIR.fullmatch(re.sub(r"\s", "", text))
    if match is None:
        raise InvalidArchitecture(f"{text!r} is no genotype; its form is {_FORM}.", "cells")
    normal, normal_concat, reduce, reduce_concat = match.groups()
    for name, concat in (("normal_concat", normal_concat), ("reduce_concat", reduce_concat)):
        if concat not in _CONCAT:
            raise InvalidArchitecture(f"`{name}` is {concat}; NAS-Bench-301 concatenates all of [2, 3, 4, 5].", "nodes")
    return read_cell(normal), read_cell(reduce)


def read_compact(compact: str | Iterable[Iterable[Iterable[int]]]) -> Pair:
    """Return the cells of NASLib's compact form, or of its string, whether made of lists or tuples.

    Raise `InvalidArchitecture` with the reason.
    """
    cells = literal(compact, "two lists of (input, operation) pairs") if isinstance(compact, str) else compact
    try:
        pair: Any = tuple(tuple((source, op) for source, op in cell) for cell in cells)
    except (TypeError, ValueError) as error:
        raise InvalidArchitecture(f"{compact!r} is not two lists of (input, operation) pairs.", "cells") from error
    check_pair(pair)
    return pair
