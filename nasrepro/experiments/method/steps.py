"""A step of the method, as a page shows it: its lines, and what they give."""

from __future__ import annotations

import inspect
from collections import ChainMap
from collections.abc import Callable
from typing import Any

import pandas as pd

from nasrepro.benchmarks.base import Benchmark, Column
from nasrepro.benchmarks.hw_nb201 import HWNB201Benchmark
from nasrepro.benchmarks.ledger import Ledger
from nasrepro.benchmarks.nb201 import NB201Benchmark
from nasrepro.benchmarks.nb301 import SURROGATE_ACCURACY, NB301Benchmark
from nasrepro.experiments.method import delta_steps, dinas_steps
from nasrepro.experiments.method.dinas_steps import ACCURACY, IMAGENET, LATENCY
from nasrepro.parameters.method import StepsParameters
from nasrepro.runs.provenance import stopwatch
from nasrepro.runs.run import Experiment, Outcome, RunContext

Step = Callable[[int, Ledger], pd.DataFrame]  # from a seed, reading labels through the ledger, to a table
STEPS: dict[str, Step] = {step.__name__: step for step in (*dinas_steps.STEPS, *delta_steps.STEPS)}
# what is not named here reads validation accuracy of NAS-Bench-201 on CIFAR-10
_READ: dict[str, list[tuple[type[Benchmark[Any]], Column]]] = {
    "combine": [(NB301Benchmark, SURROGATE_ACCURACY)],
    "conditions": [(NB201Benchmark, IMAGENET), (HWNB201Benchmark, LATENCY)],
}
_NO_LABELS = ("noise", "reverse", "classifier", "vary", "count", "cross")


def source_of(name: str) -> str:
    """Return the lines of a step."""
    return inspect.getsource(STEPS[name])


def execute(p: StepsParameters, context: RunContext) -> Outcome:
    """Take the step, and keep its lines beside what they gave."""
    with stopwatch() as watch:
        table = STEPS[p.step](p.seed, context.ledger)
    context.spent("step", watch.wall_s, watch.cpu_s)
    metrics = {"source": source_of(p.step), "rows": table.to_dict("records")}
    return Outcome(metrics, {"step": table}, {"master": p.seed})


def _data(p: StepsParameters) -> dict[str, str]:
    read = [] if p.step in _NO_LABELS else _READ.get(p.step, [(NB201Benchmark, ACCURACY)])
    return dict(ChainMap(*(benchmark().checksums([column]) for benchmark, column in read)))


EXPERIMENT = Experiment("steps", 1, StepsParameters, _data, execute)
