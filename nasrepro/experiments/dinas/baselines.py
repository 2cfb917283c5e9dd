"""The searchers that DiNAS is compared with, rerun on the same tables with every label counted (DiNAS, Tables 1 to 3).

Each run spends `queries` distinct labels and reads nothing else. What is reported: the best value, its test accuracy,
the regret to the optimum of the table, and how many labels it took to find the optimum, for several methods tie at the
top. On a surrogate benchmark there is neither test accuracy nor a known optimum; instead it is told how far the best
cells are from those that the surrogate was fitted to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from nasrepro import benchmarks
from nasrepro.benchmarks.base import Column
from nasrepro.benchmarks.ledger import Ledger, Score
from nasrepro.errors import ParameterError
from nasrepro.experiments.dinas import nb101, nb201, nb301, nlp
from nasrepro.experiments.dinas.surrogates import best_of_runs, trust, with_reported
from nasrepro.experiments.dinas.tabular import test_labels
from nasrepro.parameters.dinas import BaselineParameters
from nasrepro.runs import progress
from nasrepro.runs.protocols import PAPER, run_rows
from nasrepro.runs.run import Experiment, Outcome, RunContext
from nasrepro.runs.statistics import summarise
from nasrepro.search.bananas import BANANAS, XGBoostBANANAS
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
    for cls in (
        *(RandomSearch, LocalSearch, RegularisedEvolution, BANANAS, BayesianOptimisation, PractitionerGP),
        XGBoostBANANAS,
    )
}
ALL = tuple(name for name in SEARCHERS if name != XGBoostBANANAS.name)  # which is run by its name alone

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
    names = ALL if p.searcher == "all" else (p.searcher,)
    trace = pd.concat([_run(p, context, benchmark, column, n, run) for n in names for run in range(p.runs)])
    if benchmark.space.size is None:
        reported = {"nb301": nb301.REPORTED, "nlp": nlp.REPORTED}[p.benchmark]
        trace = with_reported(context.ledger, benchmark, trace, reported)
        runs = best_of_runs(trace, [PAPER], p.queries, np.inf, reported)
        rows, optimum = trust([_row(p, runs, context, name) for name in names], runs, reported), None
    else:
        best = benchmark.optimum(column)
        runs = run_rows(trace, PAPER, p.queries, np.inf, test_labels(context.ledger, benchmark, test))
        runs["regret"] = best.value - runs["best_valid"]
        found = trace[trace["value"] >= best.value].groupby(["searcher", "run"])["query"].min() + 1.0
        runs = runs.join(found.rename("labels_to_optimum"), on=["searcher", "run"])  # NaN where it was not found
        rows = [_row(p, runs, context, name) | _to_optimum(runs[runs.searcher == name]) for name in names]
        optimum = {"valid": best.value, "arch": best.arch}
    metrics = {"column": str(column), "optimum": optimum, "rows": rows}
    tables = {"trace": trace.drop(columns="arch", errors="ignore"), "runs": runs}
    return Outcome(metrics, tables, {"master": p.seed})


def stream(seed: int, name: str, run: int) -> np.random.Generator:
    """Return what a run of a searcher draws from: not what the control of that name in a DiNAS experiment draws from,
    for the two stand side by side in a table as if they were independent."""
    return numpy_stream(seed, "baseline", name, run)


def _run(p: BaselineParameters, context: RunContext, of: Any, column: Column, name: str, run: int) -> pd.DataFrame:
    """Return the trace of a run of a searcher on a benchmark."""

    def compute(ledger: Ledger) -> pd.DataFrame:
        searcher = SEARCHERS[name](of.space, stream(p.seed, name, run))
        labels = ledger.open(of, column, name, _SCORES.get(p.benchmark))
        with progress.task(f"{name}, run {run + 1}", p.queries) as advance:
            return spend(searcher, of.space, labels, p.queries, on_draw=advance)

    return context.stage(name, f"{name}-{run}", compute).assign(searcher=name, training=0, run=run)


def _to_optimum(runs: pd.DataFrame) -> dict[str, Any]:
    """Return how near and how soon the runs of a searcher came to the optimum."""
    median = float(np.median(runs["labels_to_optimum"].fillna(np.inf)))
    return {
        "regret": summarise(runs["regret"]).as_dict(),
        "at_optimum": int((runs["regret"] <= 0).sum()),
        "median_labels_to_optimum": median if np.isfinite(median) else None,
    }


def _row(p: BaselineParameters, every: pd.DataFrame, context: RunContext, name: str) -> dict[str, Any]:
    runs = every[every.searcher == name]
    distinct = summarise(runs["distinct_valid"]).as_dict()
    return {
        "searcher": name, "protocol": PAPER, "trainings": 1, "runs": len(runs), "queries": p.queries,
        "best_valid": summarise(runs["best_valid"]).as_dict(),
        "test": None if runs["test"].isna().any() else summarise(runs["test"]).as_dict(),
        "distinct_valid": distinct, "validity": summarise(runs["valid_samples"] / runs["samples"]).as_dict(),
        "in_top_class": None, "failed_runs": 0, "labels_before_search": 0, "labels_in_search": distinct,
        "seconds_per_run": context.cpu_stages[name] / p.runs,
    }  # fmt: skip


def _data(p: BaselineParameters) -> dict[str, str]:
    benchmark = benchmarks.load(p.benchmark)
    asked = [column for column in columns(p.benchmark, p.dataset) if column in benchmark.columns()]
    return benchmark.checksums(list(dict.fromkeys(asked)))


EXPERIMENT = Experiment("baselines", 2, BaselineParameters, _data, execute)
