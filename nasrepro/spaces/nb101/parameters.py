"""Trainable parameters of NAS-Bench-101 networks, in closed form (Ying et al. 2019; the rules of the official model).

A network is a 3 x 3 convolution to 128 channels, then three stacks of three cells, each stack after the first with half
the resolution and twice the channels, then a classifier. Every convolution has no bias and is followed by batch
normalisation (two parameters per channel). Inside a cell:

- the vertices that lead to the output share its channels evenly (the first ones get one more where they do not divide);
- any other vertex has as many channels as the widest vertex that it leads to;
- where the input leads to a vertex, or to the output, a 1 x 1 convolution maps it to that vertex' channels;
- several inputs of an interior vertex are added (after cutting to its width), those of the output concatenated.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from nasrepro.spaces.nb101.enumeration import MAX_NODES, OPERATIONS, cells, classes, edge_bit

STEM_CHANNELS = 128
N_STACKS = 3
CELLS_PER_STACK = 3
_KERNEL = {"conv3x3-bn-relu": 9, "conv1x1-bn-relu": 1, "maxpool3x3": 0}  # weights per pair of channels


def trainable_parameters(rows: np.ndarray) -> np.ndarray:
    """Return the trainable parameters (int64, B) of the CIFAR-10 networks of the cells with these rows."""
    which, operations = classes().split(cells().slots[rows])
    projections, vertices = _by_class()
    of_operations = np.take_along_axis(vertices[which], operations[:, :, None], axis=2)
    stem = _convolution(9, 3, STEM_CHANNELS)
    classifier = (STEM_CHANNELS * 2 ** (N_STACKS - 1) + 1) * 10
    found: np.ndarray = projections[which] + of_operations.sum((1, 2)) + stem + classifier
    return found


def vertex_channels(adjacency: np.ndarray, output: int) -> list[int]:
    """Return the channels of each interior vertex of a cell (adjacency n x n) whose output has `output` channels."""
    n = len(adjacency)
    last = np.flatnonzero(adjacency[1:-1, -1]) + 1
    found: list[int] = [0] * n
    for place, v in enumerate(last.tolist()):
        found[v] = output // len(last) + (place < output % len(last))
    for v in range(n - 2, 0, -1):
        if not adjacency[v, -1]:
            found[v] = max(found[w] for w in np.flatnonzero(adjacency[v]))
    return found[1:-1]


def _convolution(weights: int, inputs: int, outputs: int) -> int:
    """Return the parameters of a convolution with batch normalisation."""
    return weights * inputs * outputs + 2 * outputs


@lru_cache(maxsize=1)
def _by_class() -> tuple[np.ndarray, np.ndarray]:
    """Return, over all nine cells, the parameters of the projections (C) and of each operation on each vertex (C x 5 x
    3) of every class."""
    known = classes()
    projections = np.zeros(len(known.codes), dtype=np.int64)
    vertices = np.zeros((len(known.codes), MAX_NODES - 2, len(OPERATIONS)), dtype=np.int64)
    for c, (n, code) in enumerate(zip(known.nodes.tolist(), known.codes.tolist(), strict=True)):
        adjacency = np.array([[i < j and code >> edge_bit(i, j) & 1 for j in range(n)] for i in range(n)])
        for stack in range(N_STACKS):
            output = STEM_CHANNELS * 2**stack
            widths = vertex_channels(adjacency, output)
            for k, width in enumerate(widths):
                costs = [_convolution(_KERNEL[name], width, width) if _KERNEL[name] else 0 for name in OPERATIONS]
                vertices[c, k] += CELLS_PER_STACK * np.array(costs)
            inputs = [output] * CELLS_PER_STACK
            inputs[0] = max(output // 2, STEM_CHANNELS)  # the first cell of a stack doubles the channels
            fed = [width for width, edge in zip([*widths, output], adjacency[0, 1:], strict=True) if edge]
            projections[c] += sum(_convolution(1, width_in, width) for width_in in inputs for width in fed)
    return projections, vertices
