"""The methods of Table 1 of Delta-NAS, trained and judged on the prediction tasks of a space."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.stats import kendalltau
from torch import Tensor

from nasrepro.benchmarks.ledger import Ledger
from nasrepro.benchmarks.remembered import Remembered
from nasrepro.encodings.arch2vec import Arch2VecConfig
from nasrepro.encodings.cate import CATEConfig
from nasrepro.encodings.flan import FLAN, PUBLISHED, FLANConfig
from nasrepro.experiments.delta import encoding_features as features
from nasrepro.experiments.delta.prediction_tasks import Cells, prediction_tasks
from nasrepro.parameters.delta import EncodingParameters
from nasrepro.predictors.practitioner import BoostedTrees, GPPredictor
from nasrepro.predictors.ranking_networks import MLP, RankingConfig, RankingEnsemble
from nasrepro.runs.run import RunContext
from nasrepro.seeding import derive

PRACTITIONERS = {  # name -> whether it reads proxies, whether trees join the Gaussian process
    "practitioner": (False, False),
    "practitioner_trees": (False, True),
    "practitioner_zcp": (True, False),
    "practitioner_trees_zcp": (True, True),
}
_SMALL = 200  # labels up to which a budget is small


@dataclass(frozen=True)
class Known:
    """The labels that a method reads for one budget, a row for each task and trial (E of them).

    Attributes:
        train: of the cells that it is trained on, E x n.
        judged: of the cells that it is judged by, E x (m + 2 p), in the order of `EncodingStudy.judged`.
    """

    train: np.ndarray
    judged: np.ndarray


class EncodingStudy:
    """The tasks of a space with the pool of cells of all trials, and the encodings of the pool."""

    def __init__(self, p: EncodingParameters, context: RunContext) -> None:
        self.p, self.context = p, context
        self.tasks = prediction_tasks(p.space)
        self.coverage: dict[str, Any] = {}
        self._scores: dict[Any, np.ndarray] = {}

    @cached_property
    def pool(self) -> features.Pool:
        """All cells that the trials use."""
        return features.gather(self.tasks[0], range(self.p.trials), self.p.pairs, self.p.test_cells)

    @cached_property
    def tabular(self) -> np.ndarray:
        """The practitioner's features of the pool."""
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

    @cached_property
    def source(self) -> Any:
        """What answers for labels: the benchmark of the tasks, or where a surrogate would predict the same cells for
        every method anew, one that remembers them."""
        task = self.tasks[0]
        return task.benchmark if task.space.size else Remembered(task.benchmark, list(self.pool.cells))

    def labels(self, ledger: Ledger, reader: str, budget: str) -> Known:
        """Read, through the ledger, what a method is trained on and what it is judged by."""
        train, judged = self.pool.train[budget], self.judged
        parts = [ledger.open(self.source, task.column, reader) for task in self.tasks]
        return Known(
            np.concatenate([part.read(self._cells(train), "train").reshape(train.shape) for part in parts]),
            np.concatenate([part.read(self._cells(judged), "report").reshape(judged.shape) for part in parts]),
        )

    def _cells(self, places: np.ndarray) -> Cells:
        cells, flat = self.pool.cells, places.reshape(-1)
        return cells[flat] if isinstance(cells, np.ndarray) else [cells[place] for place in flat]

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

    def networks(self, method: str, budget: str, labels: np.ndarray) -> np.ndarray:
        """Train a network per task and trial on its labels; return the scores of the cells of `judged`, E x cells."""
        ensemble, inputs = (self._flan if method == "flan" else self._mlp)(method, budget)
        places, size, tasks = self.pool.train[budget], len(self.pool.cells), len(self.tasks)
        # where the inputs of a task begin, if each has its own
        begins = np.arange(tasks)[:, None, None] * (size if len(inputs[0]) > size else 0)

        def of_tasks(x: np.ndarray) -> np.ndarray:
            moved: np.ndarray = (x + begins).reshape(-1, x.shape[1])
            return moved

        seeds = [derive(self.p.seed, method, budget, k) for k in range(len(labels))]
        ensemble.fit(inputs, of_tasks(places), labels, seeds)
        return ensemble.predict(inputs, of_tasks(self.judged))

    def _mlp(self, method: str, budget: str) -> tuple[RankingEnsemble, list[Tensor]]:
        """Return the networks of a vector encoding, and their inputs: of the pool, or of it once per task."""
        p, vectors = self.p, self.vectors(method)
        inputs = torch.from_numpy(vectors[0] if vectors[0] is vectors[-1] else np.concatenate(vectors))
        batch_size = p.batch_size if self._is_small(budget) else p.large_batch_size
        config = RankingConfig(p.loss, epochs=p.epochs, batch_size=batch_size)
        return RankingEnsemble(lambda: MLP(inputs.shape[1]), config), [inputs]

    def _flan(self, method: str, budget: str) -> tuple[RankingEnsemble, list[Tensor]]:
        """Return the networks of FLAN, and their inputs; as `_mlp`."""
        p, space = self.p, self.tasks[0].space
        graphs = features.parts(self.tasks[0], self.pool.cells)
        inputs = [
            torch.stack([g.nodes for g in graphs], dim=1),
            torch.stack([g.adjacency() for g in graphs], dim=1).float(),
            torch.stack([g.mask for g in graphs], dim=1).float(),
        ]
        proxies = 0
        if p.flan_proxies:
            inputs = [torch.cat([x] * len(self.tasks)) for x in inputs]
            inputs.append(torch.from_numpy(np.concatenate(self.proxies)))
            proxies = inputs[-1].shape[1]
        sizes = PUBLISHED if p.flan_size == "published" else FLANConfig()
        small = self._is_small(budget)
        config = RankingConfig(
            p.loss,
            epochs=p.flan_epochs if small else p.flan_large_epochs,
            batch_size=p.batch_size if small else p.flan_large_batch_size,
        )
        return RankingEnsemble(lambda: FLAN(space.node_classes, sizes, len(graphs), proxies), config), inputs

    def _is_small(self, budget: str) -> bool:
        return self.pool.train[budget].shape[1] <= _SMALL

    def regressors(self, method: str, budget: str, labels: np.ndarray) -> np.ndarray:
        """Fit the practitioner's predictors per task and trial; return the mean of their scores, as `networks` does."""
        with_proxies, with_trees = PRACTITIONERS[method]
        scores = self._fitted(GPPredictor, with_proxies, budget, labels)
        return (scores + self._fitted(BoostedTrees, with_proxies, budget, labels)) / 2 if with_trees else scores

    def _fitted(
        self, predictor: type[GPPredictor | BoostedTrees], with_proxies: bool, budget: str, labels: np.ndarray
    ) -> np.ndarray:
        """Return the scores of one kind of predictor, tasks E x cells; kept, since two rows of the table use them."""
        key = (predictor, with_proxies, budget)
        if key not in self._scores:
            out = []
            for k in range(len(self.tasks)):
                table = np.concatenate([self.tabular, self.proxies[k]], axis=1) if with_proxies else self.tabular
                for trial, places in enumerate(self.pool.train[budget]):
                    model = predictor()
                    seed = derive(self.p.seed, predictor.__name__, budget, k, trial)
                    model.fit(table[places], labels[k * self.p.trials + trial], seed)
                    out.append(model.predict(table[self.judged[trial]]))
            self._scores[key] = np.stack(out)
        return self._scores[key]

    @cached_property
    def judged(self) -> np.ndarray:
        """Places of test cells, anchors and neighbours, trials x (m + 2 p)."""
        return np.concatenate([self.pool.test, self.pool.anchors, self.pool.neighbours], axis=1)

    def trial_rows(self, method: str, budget: str, ledger: Ledger) -> pd.DataFrame:
        """Train and judge a method: one row per task and trial."""
        known = self.labels(ledger, method, budget)
        began = time.process_time()
        scores = (self.regressors if method in PRACTITIONERS else self.networks)(method, budget, known.train)
        seconds = (time.process_time() - began) / len(scores)
        m, out = self.pool.test.shape[1], []
        for number, (score, true) in enumerate(zip(scores, known.judged, strict=True)):
            task, trial = divmod(number, self.p.trials)
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
