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

import time
from collections.abc import Callable
from functools import cached_property, partial
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.stats import kendalltau
from torch import Tensor

from nasrepro.benchmarks.ledger import Ledger
from nasrepro.benchmarks.nb201 import NB201Benchmark
from nasrepro.benchmarks.remembered import Remembered
from nasrepro.encodings.cells import take
from nasrepro.encodings.flan import FLAN, PUBLISHED, FLANConfig
from nasrepro.experiments.delta.encoding_features import PoolEncodings, arch2vec_embedding, parts
from nasrepro.experiments.delta.prediction_tasks import prediction_tasks
from nasrepro.parameters.delta import EncodingParameters
from nasrepro.predictors import Predictor
from nasrepro.predictors.ranking_networks import MLP, RankingConfig, RankingEnsemble
from nasrepro.predictors.regressors import BoostedTrees, GPPredictor, XGBoost
from nasrepro.predictors.scaling import normal_scores, unit_variance
from nasrepro.runs.run import Experiment, Outcome, RunContext
from nasrepro.runs.statistics import summarise
from nasrepro.seeding import derive, numpy_stream

PREDICTORS: dict[str, Callable[[int], Predictor]] = {  # by the name that its seed is derived from
    "GPPredictor": lambda seed: GPPredictor(fit_on=500, seed=seed),
    "BoostedTrees": lambda seed: BoostedTrees(derive(seed, "trees")),
    "XGBoost": XGBoost,
}
REGRESSORS = {  # name -> whether it reads proxies, the predictors whose mean it is
    "practitioner": (False, ("GPPredictor",)),
    "practitioner_trees": (False, ("GPPredictor", "BoostedTrees")),
    "practitioner_zcp": (True, ("GPPredictor",)),
    "practitioner_trees_zcp": (True, ("GPPredictor", "BoostedTrees")),
    "xgboost": (False, ("XGBoost",)),
    "xgboost_zcp": (True, ("XGBoost",)),
}
_SMALL = 200  # labels up to which a budget is small
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


class EncodingTrials:
    """Trains every method on the labels of a budget, for each task and trial (E of them in all), and judges it."""

    def __init__(self, p: EncodingParameters, context: RunContext) -> None:
        self.p, self.encodings = p, PoolEncodings(p, context)
        self.tasks = self.encodings.tasks
        self._scores: dict[tuple[str, bool, str], np.ndarray] = {}

    def rows(self, method: str, budget: str, ledger: Ledger) -> pd.DataFrame:
        """Train and judge a method: one row per task and trial."""
        labels, truth = self.labels(ledger, method, budget)
        began = time.process_time()
        scores = (self.regressors if method in REGRESSORS else self.networks)(method, budget, labels)
        seconds = (time.process_time() - began) / len(scores)
        m, out = self.encodings.pool.test.shape[1], []
        for number, (score, true) in enumerate(zip(scores, truth, strict=True)):
            task, trial = divmod(number, self.p.trials)
            of = {"method": method, "budget": budget, "task": self.tasks[task].name, "trial": trial}
            tau = kendalltau(score[:m], true[:m]).statistic
            pair_tau = kendalltau(_differences(score, m), _differences(true, m)).statistic
            out.append(of | {"tau": tau, "pair_tau": pair_tau, "seconds": seconds})
        return pd.DataFrame(out)

    def labels(self, ledger: Ledger, reader: str, budget: str) -> tuple[np.ndarray, np.ndarray]:
        """Read, through the ledger, what a method is trained on, E x n, and what it is judged by, E x (m + 2 p) in the
        order of `Pool.judged`."""
        pool, out = self.encodings.pool, []
        for places, purpose in ((pool.train[budget], "train"), (pool.judged, "report")):
            cells: Any = take(pool.cells, places.reshape(-1))
            read = [ledger.open(self._source, task.column, reader).read(cells, purpose) for task in self.tasks]
            out.append(np.concatenate([values.reshape(places.shape) for values in read]))
        return out[0], out[1]

    @cached_property
    def _source(self) -> Any:
        """What answers for labels: where a surrogate would predict the same cells for every method anew, it remembers
        them."""
        benchmark = self.tasks[0].benchmark
        return benchmark if benchmark.space.size else Remembered(benchmark, list(self.encodings.pool.cells))

    def networks(self, method: str, budget: str, labels: np.ndarray) -> np.ndarray:
        """Train a network per task and trial on its labels; return the scores of the cells that it is judged by,
        E x (m + 2 p)."""
        ensemble, inputs = (self._flan if method == "flan" else self._mlp)(method, budget)
        pool, tasks = self.encodings.pool, len(self.tasks)
        size = len(pool.cells)
        # where the inputs of a task begin, if each has its own
        begins = np.arange(tasks)[:, None, None] * (size if len(inputs[0]) > size else 0)
        train, judged = ((places + begins).reshape(-1, places.shape[1]) for places in (pool.train[budget], pool.judged))
        ensemble.fit(inputs, train, labels, [derive(self.p.seed, method, budget, k) for k in range(len(labels))])
        return ensemble.predict(inputs, judged)

    def _mlp(self, method: str, budget: str) -> tuple[RankingEnsemble, list[Tensor]]:
        """Return the networks of a vector encoding, and their inputs: of the pool, or of it once per task."""
        p, vectors = self.p, self.encodings.vectors(method)
        inputs = torch.from_numpy(vectors[0] if vectors[0] is vectors[-1] else np.concatenate(vectors))
        batch_size = p.batch_size if self._is_small(budget) else p.large_batch_size
        config = RankingConfig(p.loss, epochs=p.epochs, batch_size=batch_size)
        return RankingEnsemble(lambda: MLP(inputs.shape[1]), config), [inputs]

    def _flan(self, method: str, budget: str) -> tuple[RankingEnsemble, list[Tensor]]:
        """Return the networks of FLAN, and their inputs; as `_mlp`."""
        p, proxies, task = self.p, 0, self.tasks[0]
        graphs = parts(task, self.encodings.pool.cells)
        forms = [[g.nodes for g in graphs], [g.adjacency().float() for g in graphs], [g.mask.float() for g in graphs]]
        inputs = [torch.stack(form, dim=1) for form in forms]
        if p.flan_proxies:
            scores = torch.from_numpy(np.concatenate(self.encodings.proxies))
            inputs, proxies = [*(torch.cat([x] * len(self.tasks)) for x in inputs), scores], scores.shape[1]
        sizes = PUBLISHED if p.flan_size == "published" else FLANConfig()
        epochs, batch_size = p.flan_large_epochs, p.flan_large_batch_size
        if self._is_small(budget):
            epochs, batch_size = p.flan_epochs, p.batch_size
        config = RankingConfig(p.loss, epochs=epochs, batch_size=batch_size)
        return RankingEnsemble(lambda: FLAN(task.space.node_classes, sizes, len(graphs), proxies), config), inputs

    def _is_small(self, budget: str) -> bool:
        return self.encodings.pool.train[budget].shape[1] <= _SMALL

    def regressors(self, method: str, budget: str, labels: np.ndarray) -> np.ndarray:
        """Fit tabular predictors per task and trial; return the mean of their scores, as `networks` does."""
        with_proxies, predictors = REGRESSORS[method]
        scores: np.ndarray = np.mean([self._fitted(name, with_proxies, budget, labels) for name in predictors], axis=0)
        return scores

    def _fitted(self, name: str, with_proxies: bool, budget: str, labels: np.ndarray) -> np.ndarray:
        """Return the scores of one kind of predictor, E x (m + 2 p); kept, since two rows of the table use them."""
        key, pool, tabular = (name, with_proxies, budget), self.encodings.pool, self.encodings.tabular
        if key not in self._scores:
            out = []
            for number, known in enumerate(labels):
                task, trial = divmod(number, self.p.trials)
                table = np.concatenate([tabular, self.encodings.proxies[task]], axis=1) if with_proxies else tabular
                model = PREDICTORS[name](derive(self.p.seed, name, budget, task, trial))
                model.fit(table[pool.train[budget][trial]], unit_variance(normal_scores(known)))
                out.append(model.predict(table[pool.judged[trial]]))
            self._scores[key] = np.stack(out)
        return self._scores[key]


def _differences(values: np.ndarray, m: int) -> np.ndarray:
    """Return neighbour minus anchor, of values of m test cells, then anchors, then neighbours."""
    anchors, neighbours = np.split(values[m:], 2)
    difference: np.ndarray = neighbours - anchors
    return difference


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
        found = {"published": published, "ours": arch2vec_embedding(task, rows, p, published.shape[1])}
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
