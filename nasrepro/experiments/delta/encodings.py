"""The encodings of Delta-NAS, Table 1, trained on equal labels, and what a practitioner would use instead.

An encoding that is a vector (one-hot adjacency, paths, zero-cost proxies, arch2vec, CATE) goes to an MLP of three
hidden layers of 128; FLAN is a network of its own. All are trained with FLAN's pairwise hinge loss. The practitioner's
rows are a Gaussian process on counts of live operations and connections, and one-hot operations where places mean
something, with and without zero-cost proxies, and averaged with boosted trees.

Reported per trial: Kendall's tau between predicted and true labels of the test cells, and between predicted and true
differences of held-out one-edit pairs. In TransNAS-Bench-101 a trial's figure is the mean over its seven tasks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import kendalltau

from nasrepro.benchmarks.ledger import Ledger
from nasrepro.benchmarks.nb201 import NB201Benchmark
from nasrepro.encodings.arch2vec import Arch2VecConfig
from nasrepro.experiments.delta import encoding_features as features
from nasrepro.experiments.delta.encoding_trials import PRACTITIONERS, EncodingStudy
from nasrepro.experiments.delta.prediction_tasks import prediction_tasks
from nasrepro.parameters.delta import EncodingParameters
from nasrepro.runs.run import Experiment, Outcome, RunContext
from nasrepro.runs.statistics import summarise
from nasrepro.seeding import numpy_stream

VECTORS = ("adj", "path", "zcp", "arch2vec", "cate")
METHODS = (*VECTORS, "flan", *PRACTITIONERS)
_MAIN = ("1pct", "10pct")  # budgets of every method; further ones are the practitioner's without proxies


def execute(p: EncodingParameters, context: RunContext) -> Outcome:
    """Train and judge every method on every budget; a method and budget is a stage."""
    study = EncodingStudy(p, context)
    budgets = study.tasks[0].budgets
    methods = METHODS if p.method == "all" else (p.method,)
    wanted = [
        (method, budget)
        for budget in budgets
        for method in methods
        if budget in _MAIN or method in ("practitioner", "practitioner_trees")
    ]

    def stage(method: str, budget: str) -> pd.DataFrame:
        return context.stage(
            "prediction", f"{method}-{budget}", lambda ledger: study.trial_rows(method, budget, ledger)
        )

    trials = pd.concat([stage(method, budget) for method, budget in wanted], ignore_index=True)
    metrics: dict[str, Any] = {
        "columns": [str(task.column) for task in study.tasks],
        "percent_of": study.tasks[0].percent_of,
        "test_cells": int(study.pool.test.shape[1]),
        "rows": [_row(trials, method, budget, budgets[budget]) for method, budget in wanted],
        "speed": {f"{m}.{b}": float(part["seconds"].iloc[0]) for (m, b), part in trials.groupby(["method", "budget"])},
    }
    if any(method.endswith("zcp") for method in methods):
        _ = study.proxies
        metrics["proxies"] = study.coverage
    if p.space == "nb201" and "arch2vec" in methods:
        metrics["arch2vec"] = _arch2vec_check(p, context)
    return Outcome(
        metrics, {"trials": trials.drop(columns="seconds")}, {"master": p.seed, "trials": list(range(p.trials))}
    )


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
            order = numpy_stream(split, "arch2vec", "check").permutation(len(rows))
            train, test = order[:1_000], order[1_000:]
            y, true = labels.read(rows[train], "train"), labels.read(rows[test], "report")
            for name, x in found.items():
                tau = kendalltau(ridge(x[train], y, x[test]), true).statistic
                out.append({"embedding": name, "split": split, "tau": tau})
        return pd.DataFrame(out)

    taus = context.stage("check", "arch2vec-check", compare)
    return {str(name): summarise(part["tau"]).as_dict() for name, part in taus.groupby("embedding")}


def ridge(x: np.ndarray, y: np.ndarray, wanted: np.ndarray, strength: float = 1.0) -> np.ndarray:
    """Return the predictions of ridge regression on standardised features."""
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), Ridge(alpha=strength)).fit(x.astype(np.float64), y)
    predicted: np.ndarray = model.predict(wanted.astype(np.float64))
    return predicted


def _data(p: EncodingParameters) -> dict[str, str]:
    found: dict[str, str] = {}
    for task in prediction_tasks(p.space):
        here: Sequence[Any] = task.benchmark.columns()
        proxies = [c for c in here if c.dataset == task.column.dataset and c.split in ("proxy", "model")]
        found |= task.benchmark.checksums([task.column, *proxies])
    return found


EXPERIMENT = Experiment("encodings", 1, EncodingParameters, _data, execute)
