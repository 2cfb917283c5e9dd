"""The searchers that DiNAS is compared with, rerun on the same tables with every label counted (DiNAS, Tables 1 to 3).

Each run spends `queries` distinct labels and reads nothing else. What is reported: the best value, its test accuracy,
the regret to the optimum of the table, and how many labels it took to find the optimum, for several methods tie at the
top. On a surrogate benchmark there is neither test accuracy nor a known optimum; instead it is told how far the best
cells are from those that the surrogate was fitted to.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from nasrepro import benchmarks
from nasrepro.benchmarks.base import Benchmark, Column
from nasrepro.benchmarks.ledger import Ledger, Score
from nasrepro.errors import ParameterError
from nasrepro.experiments.dinas import nb101, nb201, nb301, nlp
from nasrepro.experiments.dinas.surrogates import best_of_runs, trust, with_reported
from nasrepro.parameters.dinas import BaselineParameters
from nasrepro.runs import progress
from nasrepro.runs.protocols import PAPER, run_rows
from nasrepro.runs.run import Experiment, Outcome, RunContext
from nasrepro.runs.statistics import summarise
from nasrepro.search.bananas import BANANAS
from nasrepro.search.base import Searcher, spend
from nasrepro.search.bayesian import BayesianOptimisation
from nasrepro.search.evolution import RegularisedEvolution
from nasrepro.search.gaussian_process import PractitionerGP
from nasrepro.search.local_search import LocalSearch
from nasrepro.search.random_search import RandomSearch
from nasrepro.seeding import numpy_stream
from nasrepro.spaces.base import SearchSpace

SEARCHERS: dict[str, Callable[[SearchSpace[Any], np.random.Generator], Searcher]] = {
    cls.name: cls
    for cls in (RandomSearch, LocalSearch, RegularisedEvolution, BANANAS, BayesianOptimisation, PractitionerGP)
}
ALL = "all"


_DATASETS = {"nb101": ("cifar10",), "nb301": ("cifar10",), "nlp": ("ptb",)}  # nb201 has all but ptb
_SCORES: dict[str, Score] = {"nlp": nlp.accuracy}


def columns(benchmark: str, dataset: str) -> tuple[Column, Column | None]:
    """Return the column to maximise and the column to report, if there is one: those of the DiNAS experiment of the
    benchmark."""
    known = _DATASETS.get(benchmark, ("cifar10", "cifar100", "imagenet16-120"))
    if dataset not in known:
        title = benchmarks.load(benchmark).title
        raise ParameterError(f"dataset={dataset}: {title} has {', '.join(known)}{' alone' * (len(known) == 1)}.")
    if benchmark == "nb101":
        return nb101.column("test"), nb101.column("test")
    if benchmark == "nb201":
        return nb201.column(dataset, "valid"), nb201.column(dataset, "test")
    return (nb301.SURROGATE_ACCURACY if benchmark == "nb301" else nlp.SURROGATE_LOSS), None


def execute(p: BaselineParameters, context: RunContext) -> Outcome:
    """Run every searcher as often as asked."""
    benchmark: Any = benchmarks.load(p.benchmark)
    column, test = columns(p.benchmark, p.dataset)
    names = list(SEARCHERS) if p.searcher == ALL else [p.searcher]
    trace = pd.concat([_run(p, context, benchmark, column, n, run) for n in names for run in range(p.runs)])
    ledger = context.ledger
    tested = None
    if test is not None and test in benchmark.columns():
        tested = partial(_tested, ledger, benchmark, test)
    runs = run_rows(trace, PAPER, p.queries, np.inf, tested)
    metrics: dict[str, Any] = {"column": str(column)}
    if benchmark.space.size is None:
        reported = {"nb301": nb301.REPORTED, "nlp": nlp.REPORTED}[p.benchmark]
        trace = with_reported(ledger, benchmark, trace, reported)
        runs = best_of_runs(trace, [PAPER], p.queries, np.inf, reported)
        rows = [_row(p, runs[runs.searcher == name], context) for name in names]
        metrics |= {"optimum": None, "rows": trust(rows, runs, reported)}
        return Outcome(metrics, {"trace": trace.drop(columns="arch"), "runs": runs}, {"master": p.seed})
    best = benchmark.optimum(column)
    runs["regret"] = best.value - runs["best_valid"]
    runs["labels_to_optimum"] = [
        _labels_to(trace[(trace.searcher == s) & (trace.run == r)], best.value)
        for s, r in zip(runs.searcher, runs.run, strict=True)
    ]
    metrics |= {
        "optimum": {"valid": best.value, "arch": best.arch},
        "rows": [
            row | _to_optimum(runs[runs.searcher == name])
            for name in names
            for row in (_row(p, runs[runs.searcher == name], context),)
        ],
    }
    return Outcome(metrics, {"trace": trace, "runs": runs}, {"master": p.seed})


def _tested(ledger: Ledger, benchmark: Benchmark[Any], test: Column, reader: str, rows: np.ndarray) -> np.ndarray:
    return ledger.open(benchmark, test, reader).read(rows, "report")


def stream(seed: int, name: str, run: int) -> np.random.Generator:
    """Return what a run of a searcher draws from: not what the control of that name in a DiNAS experiment draws from,
    for the two stand side by side in a table as if they were independent."""
    return numpy_stream(seed, "baseline", name, run)


def _run(
    p: BaselineParameters, context: RunContext, benchmark: Benchmark[Any], column: Column, name: str, run: int
) -> pd.DataFrame:
    def compute(ledger: Ledger) -> pd.DataFrame:
        searcher = SEARCHERS[name](benchmark.space, stream(p.seed, name, run))
        labels = ledger.open(benchmark, column, name, _SCORES.get(p.benchmark))
        with progress.task(f"{name}, run {run + 1}", p.queries) as advance:
            return spend(searcher, benchmark.space, labels, p.queries, on_draw=advance)

    return context.stage(name, f"{name}-{run}", compute).assign(searcher=name, training=0, run=run)


def _labels_to(draws: pd.DataFrame, optimum: float) -> float:
    """Return the number of labels read up to and including the optimum, NaN where it was not found."""
    found = np.flatnonzero(draws["value"].to_numpy() >= optimum)
    return float(found[0] + 1) if len(found) else np.nan


def _to_optimum(runs: pd.DataFrame) -> dict[str, Any]:
    """Return how near and how soon the runs of a searcher came to the optimum."""
    median = float(np.median(runs["labels_to_optimum"].fillna(np.inf)))
    return {
        "regret": summarise(runs["regret"]).as_dict(),
        "at_optimum": int((runs["regret"] <= 0).sum()),
        "median_labels_to_optimum": median if np.isfinite(median) else None,
    }


def _row(p: BaselineParameters, runs: pd.DataFrame, context: RunContext) -> dict[str, Any]:
    name = str(runs.searcher.iloc[0])
    return {
        "searcher": name,
        "protocol": PAPER,
        "trainings": 1,
        "runs": len(runs),
        "queries": p.queries,
        "best_valid": summarise(runs["best_valid"]).as_dict(),
        "test": None if runs["test"].isna().any() else summarise(runs["test"]).as_dict(),
        "distinct_valid": summarise(runs["distinct_valid"]).as_dict(),
        "validity": summarise(runs["valid_samples"] / runs["samples"]).as_dict(),
        "in_top_class": None,
        "failed_runs": 0,
        "labels_before_search": 0,
        "labels_in_search": summarise(runs["distinct_valid"]).as_dict(),
        "seconds_per_run": context.cpu_stages[name] / p.runs,
    }


def _data(p: BaselineParameters) -> dict[str, str]:
    benchmark = benchmarks.load(p.benchmark)
    return benchmark.checksums(
        [c for c in dict.fromkeys(columns(p.benchmark, p.dataset)) if c is not None and c in benchmark.columns()]
    )


EXPERIMENT = Experiment("baselines", 2, BaselineParameters, _data, execute)
