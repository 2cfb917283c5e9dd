"""The path encoding (White et al., AAAI 2021, section 4): one bit per sequence of operations from input to output.

A path is the sequence of node classes from an input node to the output. A `none` operation cuts the paths through it; a
skip connection is an operation like any other. Instead of all conceivable sequences (sum of K^l over the lengths l), a
bit stands only for the sequences that occur in the batch: the others are zero for every cell.
"""

from __future__ import annotations

import numpy as np

from nasrepro.encodings.structure import operation_kinds
from nasrepro.graphs import Graphs


def path_codes(graphs: Graphs, node_classes: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return every distinct path of every cell as (number of the cell, code of the sequence), both int64, sorted.

    The code is the sequence of node classes read as a number in base K after a leading 1, so sequences of different
    length differ; in 63 bits it is unique for paths of up to 17 nodes of 11 classes.
    """
    kinds = np.array(operation_kinds(node_classes))
    nodes, mask = graphs.nodes.numpy(), graphs.mask.numpy()
    edges = graphs.adjacency().numpy() == 1
    passes = mask & (kinds[nodes] != "none")
    begins, ends = passes & (kinds[nodes] == "input"), kinds[nodes] == "output"
    cell, node = begins.nonzero()
    code = len(kinds) + nodes[cell, node]
    found = []
    while len(cell):
        at_end = ends[cell, node]
        found.append(np.stack([cell[at_end], code[at_end]]))
        path, after = (edges[cell, node] & passes[cell]).nonzero()
        cell, node = cell[path], after
        code = code[path] * len(kinds) + nodes[cell, node]
        cell, node, code = np.unique(np.stack([cell, node, code]), axis=1)  # equal prefixes go on as one
    distinct: np.ndarray = np.unique(np.concatenate([np.zeros((2, 0), dtype=np.int64), *found], axis=1), axis=1)
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
