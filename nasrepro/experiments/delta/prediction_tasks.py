"""What accuracy predictors are trained and tested on (Delta-NAS, Table 1): cells, labels, budgets, held-out pairs.

Every predictor, of architectures or of differences, is compared on these tasks:

====== ================================================== ============================== ===============================
space  label                                              budgets                        test cells of a trial
====== ================================================== ============================== ===============================
nb101  mean test accuracy, 108 epochs, three trainings    72, 729: of 7,290; also 4,236  7,290 random ones
nb201  mean CIFAR-10 validation accuracy, 200 epochs      156, 1,563: of 15,625          all but the 1,563
tnb101 validation metric of the last epoch, seven tasks   41, 410: of 4,096              all but the 410
nb301  our surrogate's validation accuracy, 100 epochs    59, 590: of 5,896              2,000 random ones
====== ================================================== ============================== ===============================

On NAS-Bench-101 and NAS-Bench-301 the percentages are those of the pools of FLAN's public code, not of the space; 4,236
labels are 1 % of NAS-Bench-101 itself. NAS-Bench-101 has validation accuracy of few cells without the official file,
hence the test accuracy. Labels of NAS-Bench-301 are of our surrogate, and nothing on them compares with published
values.

Within a trial the cells of a smaller budget are the first of a larger one, and the test cells are the same for all
budgets. Cells are rows where the space is finite, else architectures, as everywhere in `benchmarks`. Every label is of
a metric of which more is better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from nasrepro import benchmarks
from nasrepro.benchmarks.base import MEAN, Benchmark, Column
from nasrepro.benchmarks.ledger import Labels, Ledger
from nasrepro.benchmarks.nb301 import SURROGATE_ACCURACY
from nasrepro.benchmarks.transnas import TASKS
from nasrepro.encodings.cells import Cells, architectures, of_architectures, take
from nasrepro.errors import ParameterError, did_you_mean
from nasrepro.experiments.dinas import nb101, nb201
from nasrepro.seeding import numpy_stream
from nasrepro.spaces.base import FiniteSpace, SearchSpace

SPACES = ("nb101", "nb201", "tnb101", "nb301")


@dataclass(frozen=True)
class PredictionTask:
    """One column of labels to be predicted.

    Attributes:
        name: the space, and the task after a colon where a space has several, e.g. `tnb101:jigsaw`.
        benchmark: where labels come from.
        column: the label.
        budgets: name -> number of training labels, ascending.
        percent_of: what the percentages in the names of budgets are of.
        test_size: number of test cells; None for all that are in no training set of the trial.
    """

    name: str
    benchmark: Benchmark[Any]
    column: Column
    budgets: Mapping[str, int]
    percent_of: str
    test_size: int | None

    @property
    def space(self) -> SearchSpace[Any]:
        """The search space of the benchmark."""
        return self.benchmark.space

    def labels(self, ledger: Ledger, reader: str) -> Labels:
        """Return the way to read labels of any cells, e.g. of neighbours; `reader` is the method that reads."""
        return ledger.open(self.benchmark, self.column, reader)

    def train_cells(self, budget: str, trial: int) -> Cells:
        """Return the training cells of a trial: random, distinct, nested in the budgets."""
        if budget not in self.budgets:
            known = f"{', '.join(self.budgets)}.{did_you_mean(budget, self.budgets)}"
            raise ParameterError(f"There is no budget `{budget}` of {self.name}; there is {known}")
        return self._drawn(trial)[: self.budgets[budget]]

    def test_cells(self, trial: int) -> Cells:
        """Return the test cells of a trial, in random order; none of them is trained on."""
        return self._drawn(trial)[max(self.budgets.values()) :]

    def held_out_pairs(self, trial: int, count: int = 2_000) -> tuple[Cells, Cells]:
        """Return random test cells, and of each one of its neighbours that is in no training set of the trial.

        Anchors are drawn with replacement, neighbours uniformly. Pairs of a smaller `count` are the first of a larger.
        """
        rng = numpy_stream(trial, "pairs", self.space.name)
        trained = set(map(self.space.key, architectures(self.space, self._drawn(trial)[: max(self.budgets.values())])))
        test = self.test_cells(trial)
        anchors: list[int] = []
        neighbours: list[Any] = []
        while len(anchors) < count:
            k = int(rng.integers(len(test)))
            around = self.space.neighbours(architectures(self.space, test[k : k + 1])[0])
            if near := [b for b in around if self.space.key(b) not in trained]:
                anchors.append(k)
                neighbours.append(near[int(rng.integers(len(near)))])
        return take(test, np.array(anchors)), of_architectures(self.space, neighbours)

    def _drawn(self, trial: int) -> Cells:
        return _drawn(self.space, trial, max(self.budgets.values()), self.test_size)


@lru_cache(maxsize=16)
def _drawn(space: SearchSpace[Any], trial: int, train_size: int, test_size: int | None) -> Cells:
    """Return the training cells of the largest budget, then the test cells; tasks of one space share them."""
    rng = numpy_stream(trial, "cells", space.name)
    if isinstance(space, FiniteSpace):
        order = rng.permutation(space.size)
        order.setflags(write=False)
        return order if test_size is None else order[: train_size + test_size]
    assert test_size is not None
    found: dict[str, Any] = {}
    while len(found) < train_size + test_size:
        arch = space.sample(rng)
        found.setdefault(space.key(arch), arch)
    return list(found.values())


def prediction_tasks(space: str) -> Sequence[PredictionTask]:
    """Return the tasks of a space of Table 1: seven of `tnb101`, one of each other; `ParameterError` for others."""
    flan = "cells, the pool of FLAN's public code"
    if space == "nb101":
        of: Any = {"1pct": 72, "10pct": 729, "1pct_of_space": 4_236}, f"7,290 {flan}", 7_290
        return [PredictionTask(space, benchmarks.load(space), nb101.column("test"), *of)]
    if space == "nb201":
        of = {"1pct": 156, "10pct": 1_563}, "the 15,625 cells of the space", None
        return [PredictionTask(space, benchmarks.load(space), nb201.column("cifar10", "valid"), *of)]
    if space == "tnb101":
        of = {"1pct": 41, "10pct": 410}, "the 4,096 cells of the micro space", None
        columns = [Column(task, metric, "valid", epochs, MEAN) for task, (metric, epochs) in TASKS.items()]
        benchmark = benchmarks.load("tnb101-micro")
        return [PredictionTask(f"{space}:{column.dataset}", benchmark, column, *of) for column in columns]
    if space == "nb301":
        of = {"1pct": 59, "10pct": 590}, f"5,896 {flan}", 2_000
        return [PredictionTask(space, benchmarks.load(space), SURROGATE_ACCURACY, *of)]
    known = f"{', '.join(SPACES)}.{did_you_mean(space, SPACES)}"
    raise ParameterError(f"There are no prediction tasks of `{space}`; there are those of {known}")
