"""NAS-Bench-101 (Ying et al., ICML 2019): each of 423,624 cells trained three times on CIFAR-10 for 108 epochs.

What can be answered, data set `cifar10`:

========== ===== ============= ==========================================================================
metric     split seed          source
========== ===== ============= ==========================================================================
accuracy   test  mean          `nb101_test_mean3.pkl.gz`: all cells
accuracy   valid 0, 1, 2, mean the official file: all cells; without it `nb101_1shot1_ss*.pkl`: 5,373 cells
accuracy   test  0, 1, 2       the same
accuracy   train 0, 1, 2, mean the official file
train_time train 0, 1, 2, mean the official file
parameters model mean          counted from the cell
zen        proxy mean          `nb101_zen.zip`: 10,250 cells
11 others  proxy mean          `nb101_zc_sample.json`: 292 cells, mean over its 1 to 55 drawings
========== ===== ============= ==========================================================================

The official file is `nasbench_only108.tfrecord` (523 MB, optional). A column is of one source as a whole: where the
official file is on this machine, it answers all per-training and validation columns, else the small tables do, with NaN
for the other cells. `Result.source` says which. The mean test accuracy always comes from the same file, and the
official one is refused unless it agrees with it.

Accuracy is in per cent. Validation and test accuracy are of 9,984 images (whole batches of the 10,000), so a mean over
three trainings lies on the grid 100 k / 29,952. Networks were trained on the other 40,000 training images; validation
and test accuracy are of the same networks. The published index is the place in ascending order of the graph hash.
"""

from __future__ import annotations

from collections.abc import Iterator

from nasrepro.benchmarks.base import MEAN, Column, Metric, by_name
from nasrepro.benchmarks.raw import nb101 as files
from nasrepro.benchmarks.tabular import Field, Source, TabularBenchmark
from nasrepro.spaces.nb101.space import NB101, Cell

DATASET = "cifar10"
EPOCHS = files.EPOCHS

TEST_MEAN = Source(("nb101_test_mean3.pkl.gz",), files.test_table)
OFFICIAL = Source(("nasbench_only108.tfrecord", "nb101_test_mean3.pkl.gz"), files.official_table)
ONE_SHOT = Source(("nb101_1shot1_ss1.pkl", "nb101_1shot1_ss2.pkl", "nb101_test_mean3.pkl.gz"), files.one_shot_table)
COUNTED = Source((), files.counted_table)
ZEN = Source(("nb101_zen.zip",), files.zen_table)
PROXIES = Source(("nb101_zc_sample.json",), files.proxies_table)

_METRICS = (
    *(Metric(name, "score", True, "zero-cost proxy of NAS-Bench-Suite-Zero") for name in (*files.PROXIES, "zen")),
    Metric("accuracy", "%", True, "share of images classified rightly"),
    Metric("train_time", "s", False, "seconds of one training, on the machines of the benchmark's authors"),
    Metric("parameters", "M", False, "trainable parameters, millions"),
)


def _fields() -> Iterator[Field]:
    """Yield the fields, those of trainings from the official file where it is here."""
    official = OFFICIAL.is_here()
    trained = OFFICIAL if official else ONE_SHOT

    def accuracy(split: str, seed: int | str, source: Source, field: str) -> Field:
        time = (OFFICIAL, "time" if seed == MEAN else f"time{seed}") if official else None
        column = Column(DATASET, "accuracy", split, EPOCHS, seed)
        return Field(column, source, field, 3 if seed == MEAN else 1, time)

    yield accuracy("test", MEAN, TEST_MEAN, "accuracy")
    yield accuracy("valid", MEAN, trained, "valid")
    yield accuracy("train", MEAN, OFFICIAL, "train")
    yield Field(Column(DATASET, "train_time", "train", EPOCHS, MEAN), OFFICIAL, "time", 3)
    for seed in files.SEEDS:
        yield accuracy("test", seed, trained, f"test{seed}")
        yield accuracy("valid", seed, trained, f"valid{seed}")
        yield accuracy("train", seed, OFFICIAL, f"train{seed}")
        yield Field(Column(DATASET, "train_time", "train", EPOCHS, seed), OFFICIAL, f"time{seed}")
    yield Field(Column(DATASET, "parameters", "model", 0, MEAN), COUNTED, "parameters")
    yield Field(Column(DATASET, "zen", "proxy", 0, MEAN), ZEN, "zen")
    for proxy in files.PROXIES:
        yield Field(Column(DATASET, proxy, "proxy", 0, MEAN), PROXIES, proxy, "n")


class NB101Benchmark(TabularBenchmark[Cell]):
    """NAS-Bench-101 behind the contract of `benchmarks.base`; see the module for what its columns mean."""

    name = "nb101"
    title = "NAS-Bench-101"
    space = NB101
    metrics = by_name(_METRICS)
    defects = (
        "The highest mean validation and the highest mean test accuracy, which papers print as one optimum (95.06 / "
        "94.32), are those of two different cells.",
        "The public tables of NAS-Bench-1Shot1 store only the first row of each adjacency matrix of space 1; 13 of "
        "their entries cannot be told apart and are left out.",
        "The public sample of proxies has 500 entries but 292 different cells; a cell has the mean of its entries.",
    )
    cannot_answer = (
        "Validation accuracy of most cells, and single trainings: they need the official file "
        "(`nasrepro data fetch nb101-official`, 523 MB). Until it is there, searches here use mean test accuracy and "
        "say so.",
        "Training for 4, 12 or 36 epochs: in another official file, which this package does not read.",
    )

    def __init__(self) -> None:
        self.fields = tuple(_fields())
        super().__init__()
