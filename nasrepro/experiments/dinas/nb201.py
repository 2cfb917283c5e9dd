"""DiNAS on NAS-Bench-201 (DiNAS, Table 2): train on every label, sample, query, and hold the result against controls.

An invalid sample is a query without an accuracy, and a run without a valid sample scores 0. Beside the paper's protocol
stands the `distinct` one: sample on until the budget of distinct valid cells is filled.
"""

from __future__ import annotations

from nasrepro.benchmarks.base import MEAN, Column
from nasrepro.benchmarks.nb201 import NB201Benchmark
from nasrepro.experiments.dinas.tabular import one_condition
from nasrepro.parameters.dinas import NB201Parameters
from nasrepro.runs.run import Experiment, Outcome, RunContext


def column(dataset: str, split: str) -> Column:
    """Return the column of Table 2: accuracy after 200 epochs, mean over the seeds of a cell."""
    return Column(dataset=dataset, metric="accuracy", split=split, epochs=200, seed=MEAN)


def execute(p: NB201Parameters, context: RunContext) -> Outcome:
    """Train, sample, query; then the controls on the same budget."""
    return one_condition(p, context, NB201Benchmark(), column(p.dataset, "valid"), column(p.dataset, "test"))


def _data(p: NB201Parameters) -> dict[str, str]:
    benchmark = NB201Benchmark()
    wanted = [column(p.dataset, split) for split in ("valid", "test")]
    return benchmark.checksums([c for c in wanted if c in benchmark.columns()])


EXPERIMENT = Experiment("nb201", 1, NB201Parameters, _data, execute)
