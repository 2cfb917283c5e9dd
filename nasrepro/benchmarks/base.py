"""The contract of a benchmark: one call answers one question, and nothing about the question is left to a default.

Well-known wrappers mix validation and test accuracy, epochs and seeds behind defaults; here metric, split, epochs and
seed are part of every query (a `Column`) and are printed in every caption.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd

from nasrepro.spaces.base import SearchSpace

MEAN = "mean"  # the seed argument that asks for the mean over all seeds that exist for a cell


@dataclass(frozen=True)
class Column:
    """One labelled column of a benchmark: what a query asks for, apart from the architecture.

    Attributes:
        dataset: e.g. `cifar10`.
        metric: e.g. `accuracy` (per cent).
        split: `valid` or `test`.
        epochs: training epochs of the tabulated networks.
        seed: `"mean"` for the mean over the available seeds, or one seed's number.
    """

    dataset: str
    metric: str
    split: str
    epochs: int
    seed: int | str

    def __str__(self) -> str:
        seed = "mean over seeds" if self.seed == MEAN else f"seed {self.seed}"
        return f"{self.dataset} {self.split} {self.metric}, {self.epochs} epochs, {seed}"


@dataclass(frozen=True)
class Result:
    """The answer to a query: value in the metric's unit, number of seeds behind it, cost in seconds of the training
    it replaces, source file."""

    value: float
    n_seeds: int
    cost_s: float | None
    source: str


@dataclass(frozen=True)
class Optimum:
    """The best architecture of a column (as the native string) and its value."""

    arch: str
    value: float


class Benchmark(Protocol):
    """What every benchmark can do. Errors are typed: `UnknownQuery`, `InvalidArchitecture`, `MissingData`."""

    name: str

    @property
    def space(self) -> SearchSpace[Any]:
        """The search space that the benchmark labels."""

    def columns(self) -> list[Column]:
        """Return every column that can be answered on this machine now."""

    def query(self, arch: Any, *, dataset: str, metric: str, split: str, epochs: int, seed: int | str) -> Result:
        """Return the label of one architecture."""

    def query_many(self, archs: Sequence[Any] | np.ndarray, column: Column) -> np.ndarray:
        """Return the labels of many architectures, or of an int array of rows; float64, NaN where not measured."""

    def optimum(self, column: Column) -> Optimum:
        """Return the best architecture of a column."""

    def table(self) -> pd.DataFrame:
        """Return all labels, one row per architecture in native order, one column per `Column`."""

    def checksums(self, columns: Sequence[Column]) -> dict[str, str]:
        """Return name -> sha256 of the raw files that answer queries of these columns."""
