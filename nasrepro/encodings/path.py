"""The path encoding (White et al., AAAI 2021, section 4): one bit per sequence of operations from input to output.

A path is the sequence of node classes from an input node to the output. A `none` operation cuts the paths through it; a
skip connection is an operation like any other. Instead of all conceivable sequences (sum of K^l over the lengths l), a
bit stands only for the sequences that occur in the batch: the others are zero for every cell.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np

from nasrepro.encodings.structure import operation_kinds, terminals
from nasrepro.graphs import Graphs


class Flow(NamedTuple):
    """How cells pass things on: the kind of each class (K); by cell and node the class, whether it passes something
    on, begins and ends (B x N); whether a node feeds another (B x N x N)."""

    kinds: np.ndarray
    nodes: np.ndarray
    edges: np.ndarray
    passes: np.ndarray
    begins: np.ndarray
    ends: np.ndarray


def flow(graphs: Graphs, node_classes: tuple[str, ...]) -> Flow:
    """Return how some cells pass things on."""
    kinds, nodes = operation_kinds(node_classes), graphs.nodes.numpy()
    begins, ends = (where.numpy() for where in terminals(graphs, kinds))
    passes = graphs.mask.numpy() & (np.array(kinds)[nodes] != "none")
    return Flow(np.array(kinds), nodes, graphs.adjacency().numpy() == 1, passes, passes & begins, ends)


def sequences(
    graphs: Graphs, node_classes: tuple[str, ...], told: Collection[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return number of the cell, code of the sequence and number of the paths, of every sequence of every cell.

    The code is the sequence of node classes read as a number in base K after a leading 1, so sequences of different
    length differ; in 63 bits it is unique for paths of up to 17 nodes of 11 classes.

    Args:
        graphs: the cells.
        node_classes: of their space.
        told: kinds of the nodes that a sequence is made of; it leaves out the others.
    """
    kinds, nodes, edges, passes, begins, ends = flow(graphs, node_classes)
    counts = np.isin(kinds, list(told))

    def longer(code: np.ndarray, cell: np.ndarray, node: np.ndarray) -> np.ndarray:
        what = nodes[cell, node]
        return np.where(counts[what], code * len(kinds) + what, code)

    cell, node = begins.nonzero()
    code = longer(np.ones_like(cell), cell, node)
    paths: np.ndarray = np.ones(len(cell))
    found = []
    while True:
        done = ends[cell, node]
        found.append((cell[done], code[done], paths[done]))
        path, after = (edges[cell, node] & passes[cell]).nonzero()
        if not len(path):
            break
        steps = np.stack([cell[path], after, longer(code[path], cell[path], after)])
        (cell, node, code), which = np.unique(steps, axis=1, return_inverse=True)  # equal prefixes go on as one
        paths = np.bincount(which.ravel(), weights=paths[path])
    cells, codes, numbers = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return cells, codes, numbers


def path_codes(graphs: Graphs, node_classes: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return every distinct path of every cell as (number of the cell, code of all its nodes), both int64, sorted."""
    cell, code, _ = sequences(graphs, node_classes, operation_kinds(node_classes))
    distinct: np.ndarray = np.unique(np.stack([cell, code]), axis=1)
    return distinct[0], distinct[1]


def path_encoding(graphs: Graphs, node_classes: tuple[str, ...], most: int | None = None) -> np.ndarray:
    """Return whether a cell has a path, float32, B x number of the distinct paths of the batch; with `most`, only of
    that many of the most frequent ones (the truncated encoding)."""
    cell, code = path_codes(graphs, node_classes)
    vocabulary, column, count = np.unique(code, return_inverse=True, return_counts=True)
    if most is not None and len(vocabulary) > most:
        kept = np.sort(np.argsort(-count, kind="stable")[:most])
        place = np.full(len(vocabulary), -1)
        place[kept] = np.arange(most)
        inside = place[column] >= 0
        cell, column, vocabulary = cell[inside], place[column[inside]], vocabulary[kept]
    bits = np.zeros((len(graphs), len(vocabulary)), dtype=np.float32)
    bits[cell, column] = 1
    return bits
