"""Cells as rows of numbers: what their live paths are made of, beside the features of `structure`.

For every kind of operation, and for all of them together, the profile has how many paths from input to output hold j of
them (on a logarithmic scale), and the sum, mean, least and largest j over paths; then degrees: of the output, of the
input, of the vertices of each operation, and which of them stand next to the two. Where few sequences of operations are
possible (at most 100), it also counts the paths of each sequence. A skip connection does not count as an operation, and
a `none` cuts the paths through it. None of this depends on the numbering of a cell. Where all cells have the same
edges, the place of an operation means something, and one-hot operations are added.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from nasrepro.encodings.adjacency import adjacency_encoding
from nasrepro.encodings.cells import Cells, cell_graphs, encode, of_architectures
from nasrepro.encodings.path import flow, sequences
from nasrepro.encodings.structure import structure_features
from nasrepro.graphs import Graphs
from nasrepro.spaces.base import SearchSpace

_CHUNK = 4_096  # cells at a time
_SAMPLE = 2_000  # random cells that show the range of each feature
_MOST_SEQUENCES = 100
_COUNTED = ("conv", "pool", "other")  # kinds of operations that paths hold


class PathProfile:
    """Turn cells of a space into features between about 0 and 1; columns that hardly vary are left out.

    Args:
        space: whose cells. Of NAS-Bench-301 the two cells are described one beside the other.
    """

    def __init__(self, space: SearchSpace[Any]) -> None:
        self._space = space
        rng = np.random.default_rng(0)
        archs = [space.sample(rng) for _ in range(_SAMPLE)]
        sample = of_architectures(space, archs)
        parts = self._parts(sample)
        self._places_matter = all(bool((part.pairs == part.pairs[:1]).all()) for part in parts)
        self._sequences = [np.unique(sequences(part, space.node_classes, _COUNTED)[1]) for part in parts]
        self._sequences = [s if len(s) <= _MOST_SEQUENCES else s[:0] for s in self._sequences]
        raw = self._raw(sample)
        self._varies = raw.std(0) > 1e-6
        self._lowest = raw.min(0)[self._varies]
        self._range = raw.max(0)[self._varies] - self._lowest

    def __call__(self, cells: Cells) -> np.ndarray:
        """Return features, float32, B x F, of cells: rows of a finite space, else architectures."""
        starts = range(0, max(len(cells), 1), _CHUNK)
        raw = np.concatenate([self._raw(cells[start : start + _CHUNK]) for start in starts])
        scaled: np.ndarray = (raw[:, self._varies] - self._lowest) / self._range
        return scaled.astype(np.float32)

    def _parts(self, cells: Cells) -> list[Graphs]:
        return cell_graphs(self._space, encode(self._space, cells))

    def _raw(self, cells: Cells) -> np.ndarray:
        classes, columns = self._space.node_classes, []
        for part, known in zip(self._parts(cells), self._sequences, strict=True):
            columns += [structure_features(part, classes).numpy(), profile(part, classes)]
            if len(known):
                columns.append(np.log1p(_sequence_counts(part, classes, known)))
            if self._places_matter:
                columns.append(adjacency_encoding(part, len(classes)).numpy())
        return np.concatenate(columns, axis=1)


@lru_cache(maxsize=4)
def path_profile(space: SearchSpace[Any]) -> PathProfile:
    """Return the profile of a space, made once and shared."""
    return PathProfile(space)


def profile(graphs: Graphs, node_classes: tuple[str, ...]) -> np.ndarray:
    """Return the path and degree statistics of cells, float64, B x F; see the module."""
    kinds, nodes, edges, passes, begins, ends = flow(graphs, node_classes)
    count, n = nodes.shape
    ends = passes & ends
    operations = np.flatnonzero(np.isin(kinds, _COUNTED))
    indicators = [passes & (nodes == operation) for operation in operations]
    indicators.append(passes & np.isin(nodes, operations))
    weights, places, columns = edges.astype(np.float64), np.arange(n), []
    for counted in indicators:
        paths = np.zeros((count, n, n))  # to each node, with each number of counted nodes
        paths[..., 0] = begins
        for j in range(n):
            arriving = np.einsum("bi,bic->bc", weights[:, :j, j], paths[:, :j])
            arriving = np.where(counted[:, j, None], np.roll(arriving, 1, axis=1), arriving)
            paths[:, j] += arriving * passes[:, j, None]
        to_output = (paths * ends[:, :, None]).sum(1)
        total, met = (to_output * places).sum(1), to_output > 0
        least = np.where(met.any(1), met.argmax(1), 0)
        most = np.where(met, places, 0).max(1)
        columns += [np.log1p(to_output), np.stack([total, total / to_output.sum(1).clip(1), least, most], axis=1)]
    into, out = edges.sum(1), edges.sum(2)
    after_input = (begins[:, :, None] & edges).any(1)
    before_output = (ends[:, None] & edges).any(2)
    degrees = [graphs.mask.numpy().sum(1), edges.sum((1, 2)), (into * ends).sum(1), (out * begins).sum(1)]
    for here in indicators[:-1]:
        degrees += [(what * here).sum(1) for what in (into, out, after_input, before_output)]
    return np.concatenate([*columns, np.stack(degrees, axis=1)], axis=1)


def _sequence_counts(graphs: Graphs, node_classes: tuple[str, ...], known: np.ndarray) -> np.ndarray:
    """Return the number of paths of each of the known sequences (their codes, ascending), float64, B x S."""
    cell, code, paths = sequences(graphs, node_classes, _COUNTED)
    column = np.searchsorted(known, code).clip(max=len(known) - 1)
    met = known[column] == code
    counts = np.zeros((len(graphs), len(known)))
    np.add.at(counts, (cell[met], column[met]), paths[met])
    return counts
