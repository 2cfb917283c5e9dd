"""The cells of all trials of a space's prediction tasks, each once, and their encodings as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from nasrepro.benchmarks.tabular import ListedBenchmark
from nasrepro.encodings import arch2vec, cate
from nasrepro.encodings.adjacency import adjacency_encoding
from nasrepro.encodings.cells import Cells, cell_graphs, encode
from nasrepro.encodings.path import path_encoding
from nasrepro.encodings.tabular import tabular_features
from nasrepro.encodings.zero_cost import zero_cost
from nasrepro.experiments.delta.prediction_tasks import PredictionTask, prediction_tasks
from nasrepro.graphs import Graphs
from nasrepro.parameters.delta import EncodingParameters
from nasrepro.runs.run import RunContext
from nasrepro.seeding import numpy_stream
from nasrepro.spaces.base import FiniteSpace
from nasrepro.spaces.darts.space import DARTS_CELL, NB301Space

_CHUNK = 65_536  # cells encoded at a time
_PRETRAINED_ON = 100_000  # random cells of a larger space that a pre-training may choose from


@dataclass(frozen=True)
class Pool:
    """All cells that the trials of a task use, M of them, each once; E trials.

    Attributes:
        cells: rows or architectures.
        train: budget -> places of the training cells, E x n.
        test: places of the test cells, E x m.
        anchors, neighbours: places of the cells of the held-out one-edit pairs, E x p.
    """

    cells: Cells
    train: Mapping[str, np.ndarray]
    test: np.ndarray
    anchors: np.ndarray
    neighbours: np.ndarray

    @cached_property
    def judged(self) -> np.ndarray:
        """Places of test cells, anchors and neighbours, E x (m + 2 p)."""
        return np.concatenate([self.test, self.anchors, self.neighbours], axis=1)


def gather(task: PredictionTask, trials: Sequence[int], pairs: int, most_test: int | None = None) -> Pool:
    """Return the pool of the trials, with `pairs` held-out pairs and at most `most_test` test cells each."""
    parts: list[Cells] = []
    for trial in trials:
        parts += [task.train_cells(budget, trial) for budget in task.budgets]
        parts += [task.test_cells(trial)[:most_test], *task.held_out_pairs(trial, pairs)]
    cells: Cells
    if isinstance(task.space, FiniteSpace):
        cells, places = np.unique(np.concatenate(parts), return_inverse=True)
    else:
        every = {task.space.key(arch): arch for part in parts for arch in part}
        number = {key: place for place, key in enumerate(every)}
        places = np.array([number[task.space.key(arch)] for part in parts for arch in part])
        cells = list(every.values())
    split = np.split(places, np.cumsum([len(part) for part in parts])[:-1])
    each = len(task.budgets) + 3
    *train, test, anchors, neighbours = (np.stack(split[k::each]) for k in range(each))
    return Pool(cells, dict(zip(task.budgets, train, strict=True)), test, anchors, neighbours)


class PoolEncodings:
    """The tasks of a space with the pool of cells of all trials, and what every encoding says of it."""

    def __init__(self, p: EncodingParameters, context: RunContext) -> None:
        self.p, self.context = p, context
        self.tasks = prediction_tasks(p.space)
        self.task = self.tasks[0]
        self.coverage: dict[str, Any] = {}  # data set -> proxy -> of how many cells it is known

    @cached_property
    def pool(self) -> Pool:
        """All cells that the trials use."""
        return gather(self.task, range(self.p.trials), self.p.pairs, self.p.test_cells)

    @cached_property
    def tabular(self) -> np.ndarray:
        """Counts of live operations and connections, and one-hot operations, of the pool; see `tabular`."""
        return tabular(self.task, self.pool.cells)

    @cached_property
    def proxies(self) -> list[np.ndarray]:
        """The proxies of each task, M x as many as any task has; a proxy that a task lacks is constant."""
        found = []
        for task in self.tasks:
            scores, self.coverage[task.column.dataset] = proxies(task, self.pool.cells, self.tabular)
            found.append(scores)
        names = sorted({name for scores in found for name in scores})
        missing = np.zeros(len(self.pool.cells), dtype=np.float32)
        return [np.stack([scores.get(name, missing) for name in names], axis=1) for scores in found]

    def vectors(self, method: str) -> list[np.ndarray]:
        """Return an encoding of the pool for each task, M x F each; the same array where a task does not matter."""
        if method == "zcp":
            return self.proxies
        of = (self.task, self.pool.cells, self.p)
        if method in PRETRAINED:
            embed = lambda _: pd.DataFrame(PRETRAINED[method](*of)).rename(columns=str)  # noqa: E731
            stage = self.context.stage("pretraining", f"{method}-pretraining", embed)
            return [np.array(stage, dtype=np.float32)] * len(self.tasks)
        return [(adjacency if method == "adj" else paths)(*of)] * len(self.tasks)


def parts(task: PredictionTask, cells: Cells) -> list[Graphs]:
    """Return the graph forms of the cells of each architecture: two in the DARTS space, else one."""
    starts = range(0, len(cells), _CHUNK)
    return cell_graphs(task.space, Graphs.cat([encode(task.space, cells[start : start + _CHUNK]) for start in starts]))


def tabular(task: PredictionTask, cells: Cells) -> np.ndarray:
    """Return the features of tabular predictors, float32, M x F; in the DARTS space those of both cells."""
    if isinstance(task.space, FiniteSpace):
        table = tabular_features(task.space).table
        assert table is not None
        return table[cells]
    space = DARTS_CELL if isinstance(task.space, NB301Space) else task.space
    return np.concatenate([tabular_features(space)(graphs) for graphs in parts(task, cells)], axis=1)


def adjacency(task: PredictionTask, cells: Cells, p: EncodingParameters) -> np.ndarray:
    """Return the one-hot adjacency encoding, float32, M x F, without the columns that do not vary."""
    classes = len(task.space.node_classes)
    found = np.concatenate([adjacency_encoding(graphs, classes).numpy() for graphs in parts(task, cells)], axis=1)
    varying: np.ndarray = found[:, found.min(0) < found.max(0)]
    return varying


def paths(task: PredictionTask, cells: Cells, p: EncodingParameters) -> np.ndarray:
    """Return the path encoding, float32, M x at most `most_paths` paths of each cell of an architecture."""
    classes = task.space.node_classes
    return np.concatenate([path_encoding(graphs, classes, p.most_paths) for graphs in parts(task, cells)], axis=1)


def proxies(task: PredictionTask, cells: Cells, features: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the zero-cost proxies by name, float32, M each, and how many of them are known.

    Args:
        task: whose data set has the proxies.
        cells: of which they are asked for.
        features: what a missing proxy is predicted from (`tabular`).
    """
    benchmark = task.benchmark
    known: Cells = np.arange(task.space.size or 0)
    if isinstance(benchmark, ListedBenchmark):
        listed = map(benchmark.listing.from_index, range(benchmark.listing.size))
        known = [arch for arch in listed if task.space.is_valid(arch)]
    scores, coverage = zero_cost(benchmark, task.column.dataset, cells, features, known, tabular(task, known))
    return scores, {name: asdict(of) for name, of in coverage.items()}


def unlabelled(task: PredictionTask, cells: Cells) -> Graphs:
    """Return the graphs that encoders are pre-trained on: all cells of a small space, random ones of a large one, and
    the normal and reduction cells of the pool in the DARTS space."""
    if isinstance(task.space, FiniteSpace):
        rows = np.arange(task.space.size)
        if len(rows) > _PRETRAINED_ON:
            rows = numpy_stream(0, "pretraining", task.space.name).permutation(rows)[:_PRETRAINED_ON]
        return parts(task, rows)[0]
    return Graphs.cat(parts(task, cells))


def arch2vec_embedding(
    task: PredictionTask, cells: Cells, p: EncodingParameters, latent: int | None = None
) -> np.ndarray:
    """Return arch2vec embeddings, standardised, float32, M x latent (twice that in the DARTS space); by default as many
    dimensions as FLAN takes."""
    size = latent or (16 if isinstance(task.space, NB301Space) else 32)
    config = arch2vec.Arch2VecConfig(latent=size, epochs=p.arch2vec_epochs, cells=p.pretraining_cells)
    model = arch2vec.pretrain(unlabelled(task, cells), len(task.space.node_classes), config, p.seed)
    return _embedded(task, cells, model)


def cate_embedding(task: PredictionTask, cells: Cells, p: EncodingParameters) -> np.ndarray:
    """Return CATE embeddings, standardised, float32, M x width (twice that in the DARTS space)."""
    config = cate.CATEConfig(epochs=p.cate_epochs, cells=p.pretraining_cells)
    return _embedded(task, cells, cate.pretrain(unlabelled(task, cells), task.space.node_classes, config, p.seed))


PRETRAINED = {"arch2vec": arch2vec_embedding, "cate": cate_embedding}


def _embedded(task: PredictionTask, cells: Cells, model: arch2vec.Arch2Vec | cate.CATE) -> np.ndarray:
    joined = np.concatenate([model.embed(graphs) for graphs in parts(task, cells)], axis=1)
    spread = joined.std(0)
    scaled: np.ndarray = (joined - joined.mean(0)) / np.where(spread > 0, spread, 1)
    return scaled.astype(np.float32)
