"""The encodings of Delta-NAS, Table 1, trained on equal labels, and what a practitioner would use instead.

An encoding that is a vector (one-hot adjacency, paths, zero-cost proxies, arch2vec, CATE) goes to an MLP of three
hidden layers of 128; FLAN is a network of its own. All are trained with FLAN's pairwise hinge loss. The practitioner's
rows are a Gaussian process on counts of live operations and connections, and one-hot operations where places mean
something, with and without zero-cost proxies, and averaged with boosted trees.

Reported per trial: Kendall's tau between predicted and true labels of the test cells, and between predicted and true
differences of held-out one-edit pairs. In TransNAS-Bench-101 a trial's figure is the mean over its seven tasks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
from pydantic import Field
from scipy.stats import kendalltau

from nasrepro.benchmarks.ledger import Ledger
from nasrepro.benchmarks.nb201 import NB201Benchmark
from nasrepro.encodings.arch2vec import Arch2VecConfig
from nasrepro.experiments import encoding_features as features
from nasrepro.experiments.encoding_study import PRACTITIONERS, EncodingStudy
from nasrepro.experiments.prediction_tasks import prediction_tasks
from nasrepro.seeding import numpy_stream
from nasrepro.study.parameters import Parameters
from nasrepro.study.run import Experiment, Outcome, RunContext
from nasrepro.study.statistics import summarise

VECTORS = ("adj", "path", "zcp", "arch2vec", "cate")
METHODS = (*VECTORS, "flan", *PRACTITIONERS)
_MAIN = ("1pct", "10pct")  # budgets of every method; further ones are the practitioner's without proxies


class EncodingParameters(Parameters):
    """Parameters of `nasrepro run encodings`. Defaults are those of the `laptop` profile."""

    space: Literal["nb101", "nb201", "tnb101", "nb301"] = Field("nb201", description="search space")
    method: Literal[
        "all", "adj", "path", "zcp", "arch2vec", "cate", "flan",
        "practitioner", "practitioner_trees", "practitioner_zcp", "practitioner_trees_zcp",
    ] = Field("all", description="which method, or all of them")  # fmt: skip
    trials: int = Field(5, ge=1, le=100, description="random training sets")
    pairs: int = Field(2_000, ge=10, le=100_000, description="held-out one-edit pairs of a trial")
    test_cells: int | None = Field(None, ge=10, description="most test cells of a trial, or all of them")
    loss: Literal["hinge", "mse"] = Field("hinge", description="of the networks")
    epochs: int = Field(150, ge=1, le=10_000, description="passes of an MLP over the labels")
    batch_size: int = Field(8, ge=2, le=4096, description="labels of one step, for budgets up to 200 labels")
    large_batch_size: int = Field(64, ge=2, le=4096, description="the same for larger budgets")
    flan_size: Literal["small", "published"] = Field("small", description="sizes of FLAN's layers")
    flan_epochs: int = Field(100, ge=1, le=10_000, description="passes of FLAN over up to 200 labels")
    flan_large_epochs: int = Field(20, ge=1, le=10_000, description="passes of FLAN over more labels")
    flan_large_batch_size: int = Field(16, ge=2, le=4096, description="its labels of one step then")
    flan_proxies: bool = Field(False, description="give FLAN the zero-cost proxies too")
    most_paths: int = Field(512, ge=1, description="most frequent paths that the path encoding keeps, of each cell")
    pretraining_cells: int = Field(15_625, ge=100, description="most unlabelled cells of a pre-training")
    arch2vec_epochs: int = Field(10, ge=1, le=10_000, description="passes of arch2vec over them")
    cate_epochs: int = Field(3, ge=1, le=10_000, description="passes of CATE over its pairs")
    seed: int = Field(0, ge=0, description="master seed of weights and batches")

    profiles: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "smoke": {
            "trials": 2, "pairs": 20, "test_cells": 60, "epochs": 2, "flan_epochs": 1, "flan_large_epochs": 1,
            "pretraining_cells": 200, "arch2vec_epochs": 1, "cate_epochs": 1, "most_paths": 64,
        },
        "laptop": {},
        "full": {
            "large_batch_size": 8, "flan_size": "published", "flan_epochs": 150, "flan_large_epochs": 150,
            "flan_large_batch_size": 8, "pretraining_cells": 400_000, "cate_epochs": 10,
        },
    }  # fmt: skip


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
