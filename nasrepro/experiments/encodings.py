"""The encodings of Delta-NAS, Table 1, trained on equal labels, and what a practitioner would use instead.

An encoding that is a vector (one-hot adjacency, paths, zero-cost proxies, arch2vec, CATE) goes to an MLP of three
hidden layers of 128; FLAN is a network of its own. All are trained with FLAN's pairwise hinge loss. The practitioner's
rows are a Gaussian process on counts of live operations and connections, and one-hot operations where places mean
something, with and without zero-cost proxies, and averaged with boosted trees.

Reported per trial: Kendall's tau between predicted and true labels of the test cells, and between predicted and true
differences of held-out one-edit pairs. In TransNAS-Bench-101 a trial's figure is the mean over its seven tasks.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
import torch
from pydantic import Field
from scipy.stats import kendalltau

from nasrepro.benchmarks.ledger import Ledger
from nasrepro.benchmarks.nb201 import NB201Benchmark
from nasrepro.encodings.arch2vec import Arch2VecConfig
from nasrepro.encodings.cate import CATEConfig
from nasrepro.encodings.flan import FLAN, PUBLISHED, FLANConfig
from nasrepro.experiments import encoding_features as features
from nasrepro.experiments.prediction_tasks import PAIRS, prediction_tasks
from nasrepro.predictors.practitioner import BoostedTrees, GPPredictor
from nasrepro.predictors.ranking import MLP, RankingConfig, RankingEnsemble
from nasrepro.seeding import derive, numpy_stream
from nasrepro.study.parameters import Parameters
from nasrepro.study.run import Experiment, Outcome, RunContext
from nasrepro.study.statistics import summarise

VECTORS = ("adj", "path", "zcp", "arch2vec", "cate")
PRACTITIONERS = {  # name -> whether it reads proxies, whether trees join the Gaussian process
    "practitioner": (False, False),
    "practitioner_trees": (False, True),
    "practitioner_zcp": (True, False),
    "practitioner_trees_zcp": (True, True),
}
METHODS = (*VECTORS, "flan", *PRACTITIONERS)
_MAIN = ("1pct", "10pct")  # budgets of every method; further ones are the practitioner's without proxies
_SMALL = 200  # labels up to which a budget is small


class EncodingParameters(Parameters):
    """Parameters of `nasrepro run encodings`. Defaults are those of the `laptop` profile."""

    space: Literal["nb101", "nb201", "tnb101", "nb301"] = Field("nb201", description="search space")
    method: Literal[
        "all", "adj", "path", "zcp", "arch2vec", "cate", "flan",
        "practitioner", "practitioner_trees", "practitioner_zcp", "practitioner_trees_zcp",
    ] = Field("all", description="which method, or all of them")  # fmt: skip
    trials: int = Field(5, ge=1, le=100, description="random training sets")
    pairs: int = Field(PAIRS, ge=10, le=100_000, description="held-out one-edit pairs of a trial")
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


class _Study:
    """The tasks of a space with the pool of cells of all trials, and the encodings of the pool."""

    def __init__(self, p: EncodingParameters, context: RunContext) -> None:
        self.p, self.context = p, context
        self.tasks = prediction_tasks(p.space)
        self.coverage: dict[str, Any] = {}
        self._labels: dict[str, np.ndarray] = {}
        self._scores: dict[Any, np.ndarray] = {}

    @cached_property
    def pool(self) -> features.Pool:
        return features.gather(self.tasks[0], range(self.p.trials), self.p.pairs, self.p.test_cells)

    @cached_property
    def tabular(self) -> np.ndarray:
        return features.tabular(self.tasks[0], self.pool.cells)

    @cached_property
    def proxies(self) -> list[np.ndarray]:
        """The proxies of each task, M x as many as any task has; a proxy that a task lacks is constant."""
        found = []
        for task in self.tasks:
            scores, self.coverage[task.column.dataset] = features.proxies(task, self.pool.cells, self.tabular)
            found.append(scores)
        names = sorted({name for scores in found for name in scores})
        missing = np.zeros(len(self.pool.cells), dtype=np.float32)
        return [np.stack([scores.get(name, missing) for name in names], axis=1) for scores in found]

    def labels(self, number: int) -> np.ndarray:
        """Return the labels of the pool; `note` says in the ledger who read which of them."""
        task = self.tasks[number]
        if task.name not in self._labels:
            self._labels[task.name] = task.labels(Ledger(), "pool").read(self.pool.cells, "report")
        return self._labels[task.name]

    def note(self, ledger: Ledger, reader: str, budget: str) -> None:
        """Account for what a method is trained on and what it is judged by."""
        pool = self.pool
        for task in self.tasks:
            task.labels(ledger, reader)  # opens the ledger on the space
            for trial in range(self.p.trials):
                ledger.note(reader, "train", task.column, pool.ids[pool.train[budget][trial]])
                for places in (pool.test, pool.anchors, pool.neighbours):
                    ledger.note(reader, "report", task.column, pool.ids[places[trial]])

    def vectors(self, method: str) -> list[np.ndarray]:
        """Return the encoding of the pool for each task, M x F each; the same array where a task does not matter."""
        task, cells = self.tasks[0], self.pool.cells
        if method == "zcp":
            return self.proxies
        if method == "adj":
            found = features.adjacency(task, cells)
        elif method == "path":
            found = features.paths(task, cells, self.p.most_paths)
        else:
            found = self._pretrained(method)
        return [found] * len(self.tasks)

    def _pretrained(self, method: str) -> np.ndarray:
        p, task, cells = self.p, self.tasks[0], self.pool.cells

        def embed(_: Ledger) -> pd.DataFrame:
            if method == "arch2vec":
                latent = 16 if p.space == "nb301" else 32
                config = Arch2VecConfig(latent=latent, epochs=p.arch2vec_epochs, cells=p.pretraining_cells)
                return pd.DataFrame(features.latent(task, cells, config, p.seed)).rename(columns=str)
            pretraining = CATEConfig(epochs=p.cate_epochs, cells=p.pretraining_cells)
            return pd.DataFrame(features.computation_aware(task, cells, pretraining, p.seed)).rename(columns=str)

        return np.array(self.context.stage("pretraining", f"{method}-pretraining", embed), dtype=np.float32)

    def networks(self, method: str, budget: str) -> np.ndarray:
        """Train a network per task and trial; return the scores of the cells of `judged`, tasks E x cells."""
        p, pool, tasks = self.p, self.pool, len(self.tasks)
        places, judged = pool.train[budget], self.judged
        small = places.shape[1] <= _SMALL
        size = len(pool.cells)
        offsets = np.arange(tasks)[:, None, None] * size  # where the inputs of a task begin
        if method == "flan":
            graphs = features.parts(self.tasks[0], pool.cells)
            inputs = [
                torch.stack([g.nodes for g in graphs], dim=1),
                torch.stack([g.adjacency() for g in graphs], dim=1).float(),
                torch.stack([g.mask for g in graphs], dim=1).float(),
            ]
            proxies = 0
            if p.flan_proxies:
                inputs = [x.repeat(tasks, *[1] * (x.ndim - 1)) for x in inputs]
                inputs.append(torch.from_numpy(np.concatenate(self.proxies)))
                proxies = inputs[-1].shape[1]
            classes, config = (
                self.tasks[0].space.node_classes,
                PUBLISHED if p.flan_size == "published" else FLANConfig(),
            )
            training = RankingConfig(
                p.loss,
                epochs=p.flan_epochs if small else p.flan_large_epochs,
                batch_size=p.batch_size if small else p.flan_large_batch_size,
            )
            ensemble = RankingEnsemble(lambda: FLAN(classes, config, len(graphs), proxies), training)
            own = p.flan_proxies
        else:
            vectors = self.vectors(method)
            own = vectors[0] is not vectors[-1]
            inputs = [torch.from_numpy(np.concatenate(vectors) if own else vectors[0])]
            width = inputs[0].shape[1]
            training = RankingConfig(p.loss, epochs=p.epochs, batch_size=p.batch_size if small else p.large_batch_size)
            ensemble = RankingEnsemble(lambda: MLP(width), training)
        labels = np.concatenate([self.labels(k)[places] for k in range(tasks)])
        seeds = [derive(p.seed, method, budget, k) for k in range(len(labels))]

        def of_tasks(x: np.ndarray) -> np.ndarray:
            moved: np.ndarray = (x[None] + (offsets if own else 0 * offsets)).reshape(-1, x.shape[1])
            return moved

        ensemble.fit(inputs, of_tasks(places), labels, seeds)
        return ensemble.predict(inputs, of_tasks(judged))

    def regressors(self, method: str, budget: str) -> np.ndarray:
        """Fit the practitioner's predictors per task and trial; return the mean of their scores, as `networks` does."""
        with_proxies, with_trees = PRACTITIONERS[method]
        scores = self._fitted(GPPredictor, with_proxies, budget)
        return (scores + self._fitted(BoostedTrees, with_proxies, budget)) / 2 if with_trees else scores

    def _fitted(self, predictor: type[GPPredictor | BoostedTrees], with_proxies: bool, budget: str) -> np.ndarray:
        """Return the scores of one kind of predictor, tasks E x cells; kept, since two rows of the table use them."""
        key = (predictor, with_proxies, budget)
        if key not in self._scores:
            out = []
            for k in range(len(self.tasks)):
                table = np.concatenate([self.tabular, self.proxies[k]], axis=1) if with_proxies else self.tabular
                for trial, places in enumerate(self.pool.train[budget]):
                    model = predictor()
                    model.fit(
                        table[places], self.labels(k)[places], derive(self.p.seed, predictor.__name__, budget, k, trial)
                    )
                    out.append(model.predict(table[self.judged[trial]]))
            self._scores[key] = np.stack(out)
        return self._scores[key]

    @cached_property
    def judged(self) -> np.ndarray:
        """Places of test cells, anchors and neighbours, trials x (m + 2 p)."""
        return np.concatenate([self.pool.test, self.pool.anchors, self.pool.neighbours], axis=1)

    def trial_rows(self, method: str, budget: str, ledger: Ledger) -> pd.DataFrame:
        """Train and judge a method: one row per task and trial."""
        self.note(ledger, method, budget)
        began = time.process_time()
        scores = (self.regressors if method in PRACTITIONERS else self.networks)(method, budget)
        seconds = (time.process_time() - began) / len(scores)
        m, out = self.pool.test.shape[1], []
        for number, score in enumerate(scores):
            task, trial = divmod(number, self.p.trials)
            true = self.labels(task)[self.judged[trial]]
            out.append(
                {
                    "method": method,
                    "budget": budget,
                    "task": self.tasks[task].name,
                    "trial": trial,
                    "tau": kendalltau(score[:m], true[:m]).statistic,
                    "pair_tau": kendalltau(_differences(score, m), _differences(true, m)).statistic,
                    "seconds": seconds,
                }
            )
        return pd.DataFrame(out)


def _differences(values: np.ndarray, m: int) -> np.ndarray:
    """Return neighbour minus anchor, of values of m test cells, then anchors, then neighbours."""
    anchors, neighbours = np.split(values[m:], 2)
    difference: np.ndarray = neighbours - anchors
    return difference


def execute(p: EncodingParameters, context: RunContext) -> Outcome:
    """Train and judge every method on every budget; a method and budget is a stage."""
    study = _Study(p, context)
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
    mean, spread = x.mean(0), x.std(0)
    spread = np.where(spread > 0, spread, 1)
    a, b = (x - mean) / spread, (wanted - mean) / spread
    weights = np.linalg.solve(a.T @ a + strength * np.eye(a.shape[1]), a.T @ (y - y.mean()))
    predicted: np.ndarray = b @ weights + y.mean()
    return predicted


def _data(p: EncodingParameters) -> dict[str, str]:
    found: dict[str, str] = {}
    for task in prediction_tasks(p.space):
        here: Sequence[Any] = task.benchmark.columns()
        proxies = [c for c in here if c.dataset == task.column.dataset and c.split in ("proxy", "model")]
        found |= task.benchmark.checksums([task.column, *proxies])
    return found


EXPERIMENT = Experiment("encodings", 1, EncodingParameters, _data, execute)
