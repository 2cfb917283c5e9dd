"""The contract of a benchmark: one call answers one question, and nothing about the question is left to a default.

Well-known wrappers mix validation and test accuracy, epochs and seeds behind defaults; here data set, metric, split,
epochs and seed are part of every query (a `Column`) and are printed in every caption.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import numpy as np
import pandas as pd

from nasrepro.errors import UnknownQuery, did_you_mean
from nasrepro.spaces.base import SearchSpace

if TYPE_CHECKING:
    from torch_geometric.data import Data

A = TypeVar("A")

MEAN = "mean"  # the seed argument that asks for the mean over all seeds that exist for an architecture
SPLITS = {
    "train": "what training measured: accuracy on the training images, time",
    "valid": "held-out data that a search may look at",
    "test": "held-out data for the report only",
    "proxy": "score of the untrained network (zero-cost proxy)",
    "model": "property of the network that needs no data, e.g. its parameters",
    "device": "measured on a device, e.g. latency",
    "surrogate": "prediction of a model fitted to some of the labels",
}

TRAINED = ("train", "valid", "test", "surrogate")  # splits of values that networks were trained for


@dataclass(frozen=True)
class Metric:
    """What a metric is: its unit, and whether more of it is better."""

    name: str
    unit: str
    higher_is_better: bool
    what: str


def by_name(metrics: Iterable[Metric]) -> Mapping[str, Metric]:
    """Return name -> metric."""
    return {metric.name: metric for metric in metrics}


@dataclass(frozen=True)
class Column:
    """One labelled column of a benchmark: what a query asks for, apart from the architecture.

    Attributes:
        dataset: e.g. `cifar10`.
        metric: e.g. `accuracy` (per cent).
        split: one of `SPLITS`.
        epochs: training epochs of the tabulated networks; 0 where nothing was trained.
        seed: `"mean"` for the mean over the available seeds, or one seed's number.
    """

    dataset: str
    metric: str
    split: str
    epochs: int
    seed: int | str

    def __str__(self) -> str:
        if self.epochs == 0:
            return f"{self.dataset} {self.split} {self.metric}"
        seed = "mean over seeds" if self.seed == MEAN else f"seed {self.seed}"
        return f"{self.dataset} {self.split} {self.metric}, {self.epochs} epochs, {seed}"


@dataclass(frozen=True)
class Result:
    """The answer to a query.

    Attributes:
        value: in the metric's unit.
        n_seeds: number of trainings (or evaluations) behind it.
        cost_s: seconds of the training that it replaces, None where unknown.
        source: raw file, or model, that it comes from.
        note: what the reader should know of this value, e.g. that it is an extrapolation; may be empty.
    """

    value: float
    n_seeds: int
    cost_s: float | None
    source: str
    note: str = ""


@dataclass(frozen=True)
class Optimum:
    """The best architecture of a column (as the native string) and its value."""

    arch: str
    value: float


class Benchmark(ABC, Generic[A]):
    """What every benchmark can do. Errors are typed: `UnknownQuery`, `InvalidArchitecture`, `MissingData`.

    Attributes:
        name: as in `nasrepro.benchmarks.load(name)`.
        title: as the field writes it.
        space: the search space that it labels.
        metrics: name -> what it is.
        defects: known defects of the published data, a sentence each.
        cannot_answer: questions that people ask and these data cannot answer, a sentence each.
    """

    name: str
    title: str
    space: SearchSpace[Any]
    metrics: Mapping[str, Metric]
    defects: ClassVar[tuple[str, ...]] = ()
    cannot_answer: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def known_columns(self) -> tuple[Column, ...]:
        """Return every column that the benchmark has, whether or not its files are on this machine."""

    @abstractmethod
    def columns(self) -> list[Column]:
        """Return every column that can be answered on this machine now."""

    @abstractmethod
    def query(self, arch: A, *, dataset: str, metric: str, split: str, epochs: int, seed: int | str) -> Result:
        """Return the label of one architecture."""

    @abstractmethod
    def query_many(self, archs: Sequence[A] | np.ndarray, column: Column) -> np.ndarray:
        """Return the labels of many architectures (or of an int array of rows, where the space is finite); float64,
        NaN where not measured."""

    @abstractmethod
    def optimum(self, column: Column) -> Optimum:
        """Return the best labelled architecture of a column, in the sense of its metric."""

    @abstractmethod
    def table(self, columns: Sequence[Column] | None = None) -> pd.DataFrame:
        """Return labels as a frame, one row per labelled architecture (its string is the index), one column per
        `Column` (default: all of `columns`)."""

    @abstractmethod
    def checksums(self, columns: Sequence[Column]) -> dict[str, str]:
        """Return name -> sha256 of the raw files that answer queries of these columns, each verified."""

    def labelled(self, column: Column) -> Sequence[A]:
        """Return the architectures that a column has a label of, where the space is not finite."""
        return [self.arch(text) for text in self.table([column]).dropna().index]

    def facts(self) -> dict[str, Any]:
        """Return what else a data card should say, e.g. the cross-validated figures of a surrogate; JSON-able."""
        return {}

    def check(self, column: Column) -> None:
        """Raise `UnknownQuery` with what exists unless the benchmark has the column (its file may be missing)."""
        left = self.known_columns()
        said = ""
        for field, what in (
            ("dataset", "data set"),
            ("metric", "metric"),
            ("split", "split"),
            ("epochs", "number of epochs"),
            ("seed", "seed"),
        ):
            asked = getattr(column, field)
            known = tuple(dict.fromkeys(getattr(c, field) for c in left))
            if asked not in known or isinstance(asked, bool):
                raise UnknownQuery(
                    f"{self.title} has no {what} `{asked}`{said}; it has {', '.join(map(str, known))}."
                    + ("" if field == "epochs" else did_you_mean(str(asked).lower(), map(str, known)))
                )
            left = tuple(c for c in left if getattr(c, field) == asked)
            if field == "split":
                said = f" for {column.split} {column.metric}"
            elif field == "epochs":
                said += f" after {column.epochs} epochs"
            elif field == "metric":
                said = f" for {column.metric}"

    def arch(self, text: str) -> A:
        """Return the architecture of a native string."""
        found: A = self.space.from_string(text)
        return found

    def to_pyg(self, archs: Sequence[A], column: Column | None = None) -> list[Data]:
        """Return one torch-geometric `Data` per architecture, in the graph form of the space; with a column, `y` is its
        label (float32, NaN where there is none)."""
        import torch

        graphs: list[Data] = self.space.encode(archs).to_pyg()
        if column is not None:
            for graph, label in zip(graphs, self.query_many(archs, column).tolist(), strict=True):
                graph.y = torch.tensor([label], dtype=torch.float32)
        return graphs
