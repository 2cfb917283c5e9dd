"""What our surrogate of NAS-Bench-NLP knows of a recurrent cell: numbers that do not depend on the order of its nodes.

Two groups. `STRUCTURE`: counts of operations and of what `linear` reads; for the output state and, summed, for the
other states, how their new values depend on the word, on the output state and on the others (whether, by how many
paths, how long, through how many `linear`, whether without any of certain operations), whether they are bounded and how
fast they can grow with the hidden states; and over how many steps the word takes to reach the output. `PATHS`: how
often which three nodes follow each other, by class, and whether the last one is a new hidden state or the output.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nasrepro.spaces.nlp.cell import (
    ARITIES,
    BLEND,
    LEAKY_RELU,
    LINEAR,
    MAX_HIDDEN,
    N_INPUTS,
    NODE_CLASSES,
    PROD,
    SIGM,
    SUM,
    TANH,
    WORD,
    Cell,
)

VERSION = 1  # raise it when the same cells would have other features

_CLASSES = tuple(ARITIES)
_FIRST_CLASS = min(_CLASSES)
_ROUTES = (  # paths through these operations alone
    {SUM, BLEND},
    {SUM, BLEND, PROD},
    {SUM, BLEND, PROD, SIGM, TANH, LEAKY_RELU},
    {SUM, BLEND, PROD, LINEAR, LEAKY_RELU},
)
_FAR = 15  # stands for the length of a path where there is none
_MAX_DEGREE = 8
_SOURCES = ("word", "output state", "other states")
_ROLES = ("", "new state", "output")


def features(cells: Sequence[Cell]) -> np.ndarray:
    """Return the features of cells, float64, B x `sum(GROUPS)`."""
    return np.array([[*_structure(cell), *_paths(cell)] for cell in cells]).reshape(len(cells), sum(GROUPS))


def one_hot(cells: Sequence[Cell], max_operations: int) -> np.ndarray:
    """Return what a plain one-hot encoding of the graphs knows, float64, B x D: class of each operation, each edge,
    which operations are new states, and the output state."""
    n = N_INPUTS + max_operations
    out = np.zeros((len(cells), max_operations, len(NODE_CLASSES) + n + 2 * MAX_HIDDEN))
    for row, cell in enumerate(cells):
        for i, (operation, read) in enumerate(zip(cell.operations, cell.inputs, strict=True)):
            out[row, i, operation] = 1
            out[row, i, len(NODE_CLASSES) + np.array(read)] = 1
        for k, node in enumerate(cell.hidden):
            out[row, node - N_INPUTS, len(NODE_CLASSES) + n + k] = 1
        out[row, cell.hidden[cell.output] - N_INPUTS, len(NODE_CLASSES) + n + MAX_HIDDEN] = 1
    return out.reshape(len(cells), -1)


def _structure(cell: Cell) -> list[float]:
    linears = [read for operation, read in zip(cell.operations, cell.inputs, strict=True) if operation == LINEAR]
    others = [k for k in range(len(cell.hidden)) if k != cell.output]
    read_by_linear = [_source(i, cell) for read in linears for i in read]
    found: list[float] = [len(cell.hidden), len(cell.operations), *map(cell.operations.count, _CLASSES)]
    found += [sum(len(read) == 3 for read in linears), *map(read_by_linear.count, (0, 1, 2, -1))]
    sources = [[WORD], [1 + cell.output], [1 + k for k in others]]
    routes = [[_routes(cell, node) for node in nodes] for nodes in sources]
    growth = _growth(cell)
    for states in ([cell.output], others):
        new = [cell.hidden[k] for k in states]
        read = [i for node in new for i in cell.inputs[node - N_INPUTS]]
        found += map([cell.operations[node - N_INPUTS] for node in new].count, _CLASSES)
        found += map([cell.operations[i - N_INPUTS] for i in read if i >= N_INPUTS].count, _CLASSES)
        found += [read.count(WORD), *_total([growth[node] for node in new], 2)]
        for tables in routes:
            found += _total([table[node] for table in tables for node in new], len(_UNREACHED))
    return [*found, *_recurrence(cell, routes, others)]


def _total(rows: Sequence[Sequence[float]], width: int) -> list[float]:
    return [float(sum(column)) for column in zip(*rows, strict=True)] if rows else [0.0] * width


def _source(node: int, cell: Cell) -> int:
    """Return which of `_SOURCES` an input node is, -1 for an operation."""
    if node >= N_INPUTS:
        return -1
    return 0 if node == WORD else 1 if node == 1 + cell.output else 2


def _routes(cell: Cell, source: int) -> list[list[float]]:
    """Return for each node how it depends on `source`: whether, number of paths, shortest, longest, fewest `linear` on
    one, and whether there is one of each of `_ROUTES`."""
    here: list[float] = [True, 1, 0, 0, 0, *[True] * len(_ROUTES)]
    reached = [here if node == source else _UNREACHED for node in range(N_INPUTS)]
    for operation, read in zip(cell.operations, cell.inputs, strict=True):
        above = [reached[i] for i in read if reached[i][0]]
        if not above:
            reached.append(_UNREACHED)
            continue
        _, paths, shortest, longest, linears, *through = zip(*above, strict=True)
        reached.append(
            [True, sum(paths), 1 + min(shortest), 1 + max(longest), min(linears) + (operation == LINEAR)]
            + [any(some) and operation in route for some, route in zip(through, _ROUTES, strict=True)]
        )
    return reached


_UNREACHED: list[float] = [False, 0, _FAR, -1, _FAR, *[False] * len(_ROUTES)]


def _growth(cell: Cell) -> list[tuple[float, float]]:
    """Return for each node whether it is bounded (not so: the hidden states), and of which degree in them it can be."""
    found: list[tuple[float, float]] = [(False, 1)] * N_INPUTS
    for operation, read in zip(cell.operations, cell.inputs, strict=True):
        degrees = sorted(found[i][1] for i in read)
        if operation in (SIGM, TANH):
            found.append((True, 0))
        else:
            degree = sum(degrees[-2:]) if operation in (PROD, BLEND) else degrees[-1]
            found.append((all(found[i][0] for i in read), min(degree, _MAX_DEGREE)))
    return found


def _recurrence(cell: Cell, routes: list[list[list[list[float]]]], others: list[int]) -> list[float]:
    """Return the steps until the word reaches the output, whether the output state depends on itself, how many states
    do, and how many depend on the word of the same step."""
    order = [cell.output, *others]
    tables = [table for some in routes[1:] for table in some]
    depends = np.array([[table[cell.hidden[k]][0] for table in tables] for k in order], dtype=bool)
    on_word = np.array([routes[0][0][cell.hidden[k]][0] for k in order], dtype=bool)
    reached, steps = on_word, 0
    while not reached[0] and steps <= MAX_HIDDEN:
        reached, steps = on_word | (depends & reached).any(axis=1), steps + 1
    return [steps, float(depends[0, 0]), float(depends.trace()), float(on_word.sum())]


def _paths(cell: Cell) -> np.ndarray:
    """Return how often a node is read by an operation that an operation reads: by kind, class, role and class."""
    output = cell.hidden[cell.output]
    classes = [c - _FIRST_CLASS for c in cell.operations]
    kinds = [*(_source(node, cell) for node in range(N_INPUTS)), *(len(_SOURCES) + c for c in classes)]
    counts = np.zeros((len(_SOURCES) + len(_CLASSES), len(_CLASSES), len(_ROLES), len(_CLASSES)))
    for node, read in enumerate(cell.inputs, start=N_INPUTS):
        role = 2 if node == output else 1 if node in cell.hidden else 0
        for i in read:
            for j in cell.inputs[i - N_INPUTS] if i >= N_INPUTS else ():
                counts[kinds[j], classes[i - N_INPUTS], role, classes[node - N_INPUTS]] += 1
    return counts.ravel()


_SMALLEST = Cell((LINEAR, TANH), ((0, 1), (N_INPUTS,)), (N_INPUTS + 1,), 0)
GROUPS = (len(_structure(_SMALLEST)), len(_paths(_SMALLEST)))
