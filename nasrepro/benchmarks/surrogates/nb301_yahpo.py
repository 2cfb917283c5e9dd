"""The neural surrogate of YAHPO Gym (Pfisterer et al., AutoML 2022), fitted to the learning curves of NAS-Bench-301.

The published ONNX file answers one cell at a time. Its network is small, so its weights are read from the file and
applied to many cells at once: an embedding of each categorical input, and on top a linear map and two multilayer
perceptrons, added up. It sees cells by number of node: isomorphic cells get different answers, so ours are means over
numberings.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from nasrepro.benchmarks.raw.tfrecord import protobuf_fields
from nasrepro.errors import CorruptData
from nasrepro.spaces.darts.genotype import N_SLOTS, OPERATIONS, Pair
from nasrepro.spaces.darts.space import NO_NUMBERING, configuration, numberings, slots_of

LAST_EPOCH = 98
_GRAPH, _INITIALIZERS, _DIMS, _TYPE, _NAME, _RAW = 7, 5, 1, 2, 8, 9  # field numbers of the ONNX format
_FLOAT = 1
_EPOCH_UNIT = 0.01923077  # a constant of the network's graph
_CHUNK = 8_192

# A categorical input counts its values from 1 in alphabetical order; 0 says that there is no such edge or input.
_OPERATION_VALUE = np.array([*(1 + sorted(OPERATIONS).index(name) for name in OPERATIONS), 0])


def categories(slots: np.ndarray) -> np.ndarray:
    """Return the categorical inputs (int64, B x 34) of pairs of cells, slots (int, B x 2 x 8 x 2) in order of input.

    14 operations by edge of the normal cell, as many of the reduction cell (edges in the order of target and source),
    then the sources of nodes 3, 4 and 5 of each.
    """
    edges, inputs = configuration(slots)
    parts = _OPERATION_VALUE[edges], 1 + inputs
    return np.concatenate([part.reshape(len(slots), -1) for part in parts], axis=1)


@lru_cache(maxsize=2)
def read_weights(path: Path) -> dict[str, np.ndarray]:
    """Return name -> float64 array of the weights in an ONNX file; raise `CorruptData` when it holds none.

    The file has them in 32 bits. In 64 bits the answers do not depend on how many cells are asked for at once.
    """
    weights: dict[str, np.ndarray] = {}
    try:
        graph = next(value for number, value in protobuf_fields(path.read_bytes()) if number == _GRAPH)
        for number, tensor in protobuf_fields(graph):  # type: ignore[arg-type]
            if number != _INITIALIZERS:
                continue
            fields = list(protobuf_fields(tensor))  # type: ignore[arg-type]
            found = dict(fields)
            if found[_TYPE] == _FLOAT:
                shape = [value for n, value in fields if n == _DIMS]
                weights[found[_NAME].decode()] = np.frombuffer(found[_RAW], "<f4").reshape(shape).astype(float)  # type: ignore
    except (ValueError, KeyError, StopIteration, AttributeError, TypeError) as error:
        raise CorruptData(f"{path} is no ONNX file with weights: {error!r}.") from error
    return weights


def evaluate(weights: dict[str, np.ndarray], slots: np.ndarray, epoch: float = LAST_EPOCH) -> np.ndarray:
    """Return the outputs of the network before their last nonlinearity (float64, B x 2), of `slots` as in
    `categories`."""
    parts = [
        _network(weights, categories(slots[start : start + _CHUNK]), epoch) for start in range(0, len(slots), _CHUNK)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, 2))


def mean_logits(weights: dict[str, np.ndarray], archs: Sequence[Pair]) -> np.ndarray:
    """Return means (float64, B x 2) of `evaluate` over numberings of both cells; the same for isomorphic cells.

    The numberings of the two cells go side by side, those of the cell with fewer over again: every one has its part,
    without the product of the two numbers.
    """
    slots = np.array(archs, dtype=np.int64).reshape(-1, N_SLOTS, 2)
    codes = numberings(slots)
    codes = codes.reshape(-1, 2, codes.shape[-1])  # ascending, what is no numbering last
    counts = (codes != NO_NUMBERING).sum(-1)
    longest = counts.max(axis=1, initial=0)
    row, place = np.nonzero(np.arange(codes.shape[-1]) < longest[:, None])
    chosen = codes[row[:, None], [[0, 1]], place[:, None] % counts[row]]
    sums = np.zeros((len(archs), 2))
    np.add.at(sums, row, evaluate(weights, slots_of(chosen)))
    return sums / longest[:, None]


def _network(weights: dict[str, np.ndarray], inputs: np.ndarray, epoch: float) -> np.ndarray:
    def linear(x: np.ndarray, name: str) -> np.ndarray:
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def perceptron(x: np.ndarray, name: str, layers: int) -> np.ndarray:
        for layer in range(layers):
            x = _selu(linear(x, f"{name}.{layer}.1"))
        return linear(x, f"{name}.{layers}.0")

    embedded = [weights[f"embds_fct.{k}.weight"][inputs[:, k]] for k in range(inputs.shape[1])]
    x = np.concatenate([*embedded, np.full((len(inputs), 1), epoch * _EPOCH_UNIT)], axis=1)
    return linear(x, "wide.0") + perceptron(x, "deep", 2) + perceptron(x, "deeper", 4)


def _selu(x: np.ndarray) -> np.ndarray:
    scale, alpha = 1.0507009873554805, 1.6732632423543772
    return scale * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))
