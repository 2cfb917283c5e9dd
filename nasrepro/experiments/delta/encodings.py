"""The encodings of Delta-NAS, Table 1, trained on equal labels, beside Gaussian processes on tabular features.

An encoding that is a vector (one-hot adjacency, paths, zero-cost proxies, arch2vec, CATE) goes to an MLP of three
hidden layers of 128; FLAN is a network of its own. All are trained with FLAN's pairwise hinge loss. The methods called
`practitioner` are a Gaussian process on counts of live operations and connections, and one-hot operations where places
mean something, with and without zero-cost proxies, and averaged with boosted trees. `xgboost` are bagged trees of
XGBoost on the same features.

Reported per trial: Kendall's tau between predicted and true labels of the test cells, and between predicted and true
differences of held-out one-edit pairs. In TransNAS-Bench-101 a trial's figure is the mean over its seven tasks.
"""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import kendalltau

from nasrepro.benchmarks.ledger import Ledger
from nasrepro.benchmarks.nb201 import NB201Benchmark
from nasrepro.encodings.arch2vec import Arch2VecConfig
from nasrepro.experiments.delta import encoding_features as features
from nasrepro.experiments.delta.encoding_trials import REGRESSORS, EncodingTrials
from nasrepro.experiments.delta.prediction_tasks import prediction_tasks
from nasrepro.parameters.delta import EncodingParameters
from nasrepro.runs.run import Experiment, Outcome, RunContext
from nasrepro.runs.statistics import summarise
from nasrepro.seeding import numpy_stream

ALONE = ("xgboost", "xgboost_zcp")  # run by their names, since what `all` are is what records of `all` have
METHODS = ("adj", "path", "zcp", "arch2vec", "cate", "flan", *(name for name in REGRESSORS if name not in ALONE))
_MAIN = ("1pct", "10pct")  # budgets of every method; further ones are those of tabular predictors without proxies


def execute(p: EncodingParameters, context: RunContext) -> Outcome:
    """Train and judge every method on every budget; a method and budget is a stage."""
    of, methods = EncodingTrials(p, context), METHODS if p.method == "all" else (p.method,)
    tasks, budgets = of.tasks, of.tasks[0].budgets
    plain = {name for name, (with_proxies, _) in REGRESSORS.items() if not with_proxies}
    wanted = [(method, budget) for budget, method in product(budgets, methods) if budget in _MAIN or method in plain]
    parts = [context.stage("prediction", f"{m}-{b}", partial(of.rows, m, b)) for m, b in wanted]
    trials = pd.concat(parts, ignore_index=True)
    metrics: dict[str, Any] = {
        "columns": [str(task.column) for task in tasks],
        "percent_of": tasks[0].percent_of,
        "test_cells": int(of.encodings.pool.test.shape[1]),
        "rows": [_row(trials, method, budget, budgets[budget]) for method, budget in wanted],
        "speed": {f"{m}.{b}": float(part["seconds"].iloc[0]) for (m, b), part in trials.groupby(["method", "budget"])},
    }
    if any(method.endswith("zcp") for method in methods):
        _ = of.encodings.proxies
        metrics["proxies"] = of.encodings.coverage
    if p.space == "nb201" and "arch2vec" in methods:
        metrics["arch2vec"] = _arch2vec_check(p, context)
    seeds: dict[str, int | list[int]] = {"master": p.seed, "trials": list(range(p.trials))}
    return Outcome(metrics, {"trials": trials.drop(columns="seconds")}, seeds)


def _row(trials: pd.DataFrame, method: str, budget: str, labels: int) -> dict[str, Any]:
    mine = trials[(trials.method == method) & (trials.budget == budget)]
    figures = {name: summarise(mine.groupby("trial")[name].mean()).as_dict() for name in ("tau", "pair_tau")}
    tasks = {str(task): float(part["tau"].mean()) for task, part in mine.groupby("task", sort=False)}
    return {"searcher": method, "protocol": budget, "labels": labels, **figures, "tasks": tasks}


def _arch2vec_check(p: EncodingParameters, context: RunContext) -> dict[str, Any]:
    """Predict accuracy by ridge regression from our embedding and from the published one, on the same splits."""
    benchmark, task = NB201Benchmark(), prediction_tasks("nb201")[0]
    rows, published = benchmark.published_arch2vec()

    def compare(ledger: Ledger) -> pd.DataFrame:
        config = Arch2VecConfig(latent=published.shape[1], epochs=p.arch2vec_epochs, cells=p.pretraining_cells)
        found = {"published": published, "ours": features.latent(task, rows, config, p.seed)}
        labels = task.labels(ledger, "arch2vec_check")
        out = []
        for split in range(5):
            train, test = np.split(numpy_stream(split, "arch2vec", "check").permutation(len(rows)), [1_000])
            y, true = labels.read(rows[train], "train"), labels.read(rows[test], "report")
            taus = {name: kendalltau(ridge(x[train], y, x[test]), true).statistic for name, x in found.items()}
            out += [{"embedding": name, "split": split, "tau": tau} for name, tau in taus.items()]
        return pd.DataFrame(out)

    taus = context.stage("check", "arch2vec-check", compare)
    return {str(name): summarise(part["tau"]).as_dict() for name, part in taus.groupby("embedding")}


def ridge(x: np.ndarray, y: np.ndarray, wanted: np.ndarray, strength: float = 1.0) -> np.ndarray:
    """Return the predictions of ridge regression on standardised features."""
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), Ridge(alpha=strength)).fit(x.astype(np.float64), y)
    return np.asarray(model.predict(wanted.astype(np.float64)))


def _data(p: EncodingParameters) -> dict[str, str]:
    found: dict[str, str] = {}
    for task in prediction_tasks(p.space):
        known = [c for c in task.benchmark.columns() if c.dataset == task.column.dataset]
        found |= task.benchmark.checksums([task.column, *(c for c in known if c.split in ("proxy", "model"))])
    return found


EXPERIMENT = Experiment("encodings", 1, EncodingParameters, _data, execute)
