"""Cells as rows of numbers between 0 and 1, for off-the-shelf regressors.

The features are those of `structure`. Where all cells have the same edges (as in NAS-Bench-201), the place of a node
means something, and one-hot operations are added; elsewhere a place is an accident of the numbering, and they would
only mislead.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np

from nasrepro.encodings.adjacency import adjacency_encoding
from nasrepro.encodings.structure import structure_features
from nasrepro.graphs import Graphs
from nasrepro.spaces.base import FiniteSpace, SearchSpace

_CHUNK = 65_536  # cells encoded at a time
_SAMPLE = 2_000  # random cells that show whether edges differ, and the range of each column of a space without end


class TabularFeatures:
    """Turn cells of a space into features; columns that do not vary are left out, the others scaled to 0..1.

    Args:
        space: whose cells; where it is finite, all its cells are encoded.

    Attributes:
        table: features of all cells in the order of `index`, float32, size x F; None where the space is not finite.
    """

    def __init__(self, space: SearchSpace[Any]) -> None:
        rng = np.random.default_rng(0)
        sample = space.encode([space.sample(rng) for _ in range(_SAMPLE)])
        self._classes = space.node_classes
        self._places_matter = bool((sample.pairs == sample.pairs[:1]).all())
        parts: Iterable[Graphs] = [sample]
        if isinstance(space, FiniteSpace):
            starts = range(0, space.size, _CHUNK)
            parts = (space.encode_rows(np.arange(start, min(start + _CHUNK, space.size))) for start in starts)
        raw = np.concatenate([self._raw(part) for part in parts])
        lowest, highest = raw.min(0), raw.max(0)
        self._varies = highest > lowest
        self._lowest, self._range = lowest[self._varies], (highest - lowest)[self._varies]
        self.table = self._scale(raw) if isinstance(space, FiniteSpace) else None

    def __call__(self, graphs: Graphs) -> np.ndarray:
        """Return features, float32, B x F."""
        return self._scale(self._raw(graphs))

    def __len__(self) -> int:
        """F, the number of features."""
        return len(self._lowest)

    def _raw(self, graphs: Graphs) -> np.ndarray:
        structure = structure_features(graphs, self._classes).numpy()
        if not self._places_matter:
            return structure
        return np.concatenate([adjacency_encoding(graphs, len(self._classes)).numpy(), structure], axis=1)

    def _scale(self, raw: np.ndarray) -> np.ndarray:
        scaled: np.ndarray = (raw[:, self._varies] - self._lowest) / self._range
        return scaled


@lru_cache(maxsize=2)
def tabular_features(space: SearchSpace[Any]) -> TabularFeatures:
    """Return the features of a space, computed once and shared."""
    return TabularFeatures(space)
