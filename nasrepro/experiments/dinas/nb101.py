"""DiNAS on NAS-Bench-101 (DiNAS, Table 1): f = 99, 150 queries.

Without the official file there is no validation accuracy of most cells, so the label that is learnt, searched and
reported is the mean test accuracy of three trainings, which correlates with mean validation accuracy (0.9997 on 23,142
cells where both are known). With the official file, `label=valid` does as the paper says.
"""

from __future__ import annotations

from nasrepro.benchmarks.base import MEAN, Column
from nasrepro.benchmarks.nb101 import DATASET, EPOCHS, NB101Benchmark
from nasrepro.errors import MissingData
from nasrepro.experiments.dinas.tabular import one_condition
from nasrepro.parameters.dinas import NB101Parameters
from nasrepro.runs.run import Experiment, Outcome, RunContext


def column(split: str) -> Column:
    """Return the column of Table 1: accuracy after 108 epochs, mean over the three trainings of a cell."""
    return Column(dataset=DATASET, metric="accuracy", split=split, epochs=EPOCHS, seed=MEAN)


def execute(p: NB101Parameters, context: RunContext) -> Outcome:
    """Train, sample, query; then the controls on the same budget."""
    return one_condition(p, context, NB101Benchmark(), column(p.label), column("test"))


def _data(p: NB101Parameters) -> dict[str, str]:
    benchmark = NB101Benchmark()
    found = benchmark.checksums([column(p.label), column("test")])
    if p.label == "valid" and "nasbench_only108.tfrecord" not in found:
        raise MissingData(
            "label=valid needs the validation accuracy of every cell, which is in the official file alone. Run "
            "`nasrepro data fetch nb101-official` (523 MB), or leave label=test."
        )
    return found


EXPERIMENT = Experiment("nb101", 1, NB101Parameters, _data, execute)
