"""The searchers that DiNAS is compared with, rerun on the same tables with every label counted (DiNAS, Tables 1 and 2).

Each run spends `queries` distinct labels and reads nothing else. What is reported: the best value, its test accuracy,
the regret to the optimum of the table, and how many labels it took to find the optimum, for several methods tie at the
top.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from nasrepro import benchmarks
from nasrepro.benchmarks.base import Column
from nasrepro.benchmarks.ledger import Ledger
from nasrepro.benchmarks.tabular import TabularBenchmark
from nasrepro.errors import ParameterError
from nasrepro.experiments import nb101, nb201
from nasrepro.search.bananas import BANANAS
from nasrepro.search.base import Searcher, spend
from nasrepro.search.bayesian import BayesianOptimisation
from nasrepro.search.evolution import RegularisedEvolution
from nasrepro.search.local_search import LocalSearch
from nasrepro.search.practitioner import PractitionerGP
from nasrepro.search.random_search import RandomSearch
from nasrepro.seeding import numpy_stream
from nasrepro.spaces.base import SearchSpace
from nasrepro.study import progress
from nasrepro.study.parameters import Parameters
from nasrepro.study.protocols import PAPER, run_rows
from nasrepro.study.run import Experiment, Outcome, RunContext
from nasrepro.study.statistics import summarise

SEARCHERS: dict[str, Callable[[SearchSpace[Any], np.random.Generator], Searcher]] = {
    cls.name: cls
    for cls in (RandomSearch, LocalSearch, RegularisedEvolution, BANANAS, BayesianOptimisation, PractitionerGP)
}
ALL = "all"


class BaselineParameters(Parameters):
    """Parameters of `nasrepro run baselines`. Defaults are those of the `laptop` profile."""

    benchmark: Literal["nb101", "nb201"] = Field("nb201", description="which benchmark")
    dataset: Literal["cifar10", "cifar100", "imagenet16-120"] = Field("cifar10", description="data set")
    searcher: Literal["all", "random", "local_search", "evolution", "bananas", "bo", "gp"] = Field(
        "all", description="which searcher, or all of them"
    )
    queries: int = Field(192, ge=1, le=15_625, description="distinct labels that a run may read")
    runs: int = Field(30, ge=1, le=1000, description="runs of each searcher")
    seed: int = Field(0, ge=0, description="master seed")

    profiles: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "smoke": {"runs": 2, "queries": 24},
        "laptop": {},
        "full": {"runs": 50},
    }


def columns(benchmark: str, dataset: str) -> tuple[Column, Column]:
    """Return the column to maximise and the column to report: those of the DiNAS experiment of the benchmark."""
    if benchmark == "nb101":
        if dataset != "cifar10":
            raise ParameterError(f"dataset={dataset}: NAS-Bench-101 has cifar10 alone.")
        return nb101.column("test"), nb101.column("test")
    return nb201.column(dataset, "valid"), nb201.column(dataset, "test")


def execute(p: BaselineParameters, context: RunContext) -> Outcome:
    """Run every searcher as often as asked."""
    benchmark: Any = benchmarks.load(p.benchmark)
    column, test = columns(p.benchmark, p.dataset)
    names = list(SEARCHERS) if p.searcher == ALL else [p.searcher]
    trace = pd.concat([_run(p, context, benchmark, column, n, run) for n in names for run in range(p.runs)])
    here = test in benchmark.columns()
    ledger = context.ledger
    runs = run_rows(
        trace,
        PAPER,
        p.queries,
        np.inf,
        (lambda reader, rows: ledger.open(benchmark, test, reader).read(rows, "report")) if here else None,
    )
    best = benchmark.optimum(column)
    runs["regret"] = best.value - runs["best_valid"]
    runs["labels_to_optimum"] = [
        _labels_to(trace[(trace.searcher == s) & (trace.run == r)], best.value)
        for s, r in zip(runs.searcher, runs.run, strict=True)
    ]
    metrics = {
        "column": str(column),
        "optimum": {"valid": best.value, "arch": best.arch},
        "rows": [_row(p, runs[runs.searcher == name], context) for name in names],
    }
    return Outcome(metrics, {"trace": trace, "runs": runs}, {"master": p.seed})


def _run(
    p: BaselineParameters,
    context: RunContext,
    benchmark: TabularBenchmark[Any],
    column: Column,
    name: str,
    run: int,
) -> pd.DataFrame:
    def compute(ledger: Ledger) -> pd.DataFrame:
        searcher = SEARCHERS[name](benchmark.space, numpy_stream(p.seed, name, run))
        labels = ledger.open(benchmark, column, name)
        with progress.task(f"{name}, run {run + 1}", p.queries) as advance:
            return spend(searcher, benchmark.space, labels, p.queries, on_draw=advance)

    return context.stage(name, f"{name}-{run}", compute).assign(searcher=name, training=0, run=run)


def _labels_to(draws: pd.DataFrame, optimum: float) -> float:
    """Return the number of labels read up to and including the optimum, NaN where it was not found."""
    found = np.flatnonzero(draws["value"].to_numpy() >= optimum)
    return float(found[0] + 1) if len(found) else np.nan


def _row(p: BaselineParameters, runs: pd.DataFrame, context: RunContext) -> dict[str, Any]:
    name = str(runs.searcher.iloc[0])
    to_optimum = runs["labels_to_optimum"].fillna(np.inf)
    median = float(np.median(to_optimum))
    return {
        "searcher": name,
        "protocol": PAPER,
        "trainings": 1,
        "runs": len(runs),
        "queries": p.queries,
        "best_valid": summarise(runs["best_valid"]).as_dict(),
        "test": None if runs["test"].isna().any() else summarise(runs["test"]).as_dict(),
        "regret": summarise(runs["regret"]).as_dict(),
        "at_optimum": int((runs["regret"] <= 0).sum()),
        "median_labels_to_optimum": median if np.isfinite(median) else None,
        "distinct_valid": summarise(runs["distinct_valid"]).as_dict(),
        "validity": summarise(runs["valid_samples"] / runs["samples"]).as_dict(),
        "in_top_class": None,
        "failed_runs": 0,
        "labels_before_search": 0,
        "labels_in_search": summarise(runs["distinct_valid"]).as_dict(),
        "seconds_per_run": context.stages[name] / p.runs,
    }


def _data(p: BaselineParameters) -> dict[str, str]:
    benchmark = benchmarks.load(p.benchmark)
    return benchmark.checksums([c for c in dict.fromkeys(columns(p.benchmark, p.dataset)) if c in benchmark.columns()])


EXPERIMENT = Experiment("baselines", 1, BaselineParameters, _data, execute)
