"""The trials of difference predictors, and how they are judged: three Kendall taus on cells that none has a label of.

- P, `tau_pairs`: over held-out one-edit pairs, true against predicted difference.
- N, `tau_neighbours`: within the neighbourhood of a cell, accuracy against predicted gain, in the mean over centres; it
  is what Algorithm 2 chooses by.
- C, `tau`: over the test cells, accuracy against predictions chained from a few labelled cells along edit paths. It is
  of architectures, like the tau of any predictor of accuracy.

The cells are those of `prediction_tasks`, without the ones that a predictor was trained on: neighbours of anchors can
be among them. `doa`, `doa_ablation`, `code_alone` and `doa_distance` share the loop over trials, `run_trials`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import kendalltau, rankdata

from nasrepro.benchmarks.base import MEAN, Column
from nasrepro.benchmarks.ledger import Ledger
from nasrepro.delta.additive import Features
from nasrepro.delta.network import MLPConfig, MLPDifference
from nasrepro.delta.pairs import CellPairs, DifferenceData, Scheme, draw_pairs, label
from nasrepro.delta.predictor import DifferencePredictor
from nasrepro.encodings.cells import Cells, architectures, of_architectures, take
from nasrepro.encodings.path_profile import path_profile
from nasrepro.experiments.delta.prediction_tasks import PredictionTask, prediction_tasks
from nasrepro.runs import progress
from nasrepro.runs.provenance import stopwatch
from nasrepro.runs.run import RunContext
from nasrepro.runs.statistics import summarise
from nasrepro.seeding import numpy_stream
from nasrepro.spaces.base import FiniteSpace, SearchSpace

TAUS = ("tau_pairs", "tau_neighbours", "tau")
ALL = "all"  # the budget of every label of a space
MOST_NEIGHBOURS = 200  # a small cell of NAS-Bench-101 can have thousands
_POOL = 8_000  # random cells that independent pairs are drawn from
_ZERO_COST = {  # space -> metric and split of what costs no training
    "nb101": [("parameters", "model")],
    "nb201": [("zen", "proxy"), ("parameters", "model"), ("flops", "model")],
    "tnb101-micro": [("zen", "proxy")],
}
Make = Callable[[SearchSpace[Any], int, Features], DifferencePredictor]  # space, seed, features of cells


class Evaluation:
    """The cells that predictors of a trial are judged by, with their labels, read for `report` by `evaluation`.

    Args:
        task: what is predicted.
        ledger: where reads are noted.
        trial: number of the trial.
        pairs: held-out one-edit pairs, for P.
        centres: cells whose neighbourhoods are ranked, for N: the first test cells with at most 200 neighbours.
        anchors: labelled cells that a chain begins at, for C.
    """

    def __init__(
        self, task: PredictionTask, ledger: Ledger, trial: int, pairs: int, centres: int, anchors: int
    ) -> None:
        labels, self.space, self.anchors = task.labels(ledger, "evaluation"), task.space, anchors
        self.test = task.test_cells(trial)
        self.test_labels = labels.read(self.test, "report")
        # cells before, cells after, and their true differences
        self.pairs = task.held_out_pairs(trial, pairs)
        self.pair_gains = labels.read(self.pairs[1], "report") - labels.read(self.pairs[0], "report")
        self.centre, near = _neighbourhoods(task, self.test, centres)
        self.near = take(self.test, self.centre), near
        self.near_gains = labels.read(near, "report") - self.test_labels[self.centre]

    def taus(self, predictor: DifferencePredictor, data: DifferenceData) -> dict[str, float]:
        """Return the three taus of a predictor that was fitted to these data."""
        trained = partial(_among, self.space, known=data.cells)
        kept = ~(trained(self.pairs[0]) | trained(self.pairs[1]))
        before, after = (take(cells, np.flatnonzero(kept)) for cells in self.pairs)
        unread = np.flatnonzero(~trained(self.near[1]))
        gains = predictor.gain_cells(take(self.near[0], unread), take(self.near[1], unread))
        new = np.flatnonzero(~trained(self.test))
        start = slice(self.anchors)
        chained = predictor.chained(take(self.test, new), data.cells[start], data.labels[start])
        return {
            "tau_pairs": _tau(predictor.gain_cells(before, after), self.pair_gains[kept]),
            "tau_neighbours": _mean_tau(gains, self.near_gains[unread], self.centre[unread]),
            "tau": _tau(chained, self.test_labels[new]),
        }


def network(**changed: Any) -> Make:
    """Return what makes the network of the paper, of a configuration that is changed here."""
    return lambda space, seed, features: MLPDifference(space, MLPConfig(**changed), seed)


@dataclass(frozen=True)
class Reading:
    """A reading of the difference of architectures: what is told, and to which predictor.

    Attributes:
        make: the predictor.
        scheme, k, samples_per_code, star: how labels are spent, as in `delta.pairs.draw_pairs`.
        zero_cost: whether the features of cells have zero-cost scores.
        column: the labels (default: the task's).
        ranks: whether labels are replaced by their ranks.
    """

    make: Make = field(default_factory=network)
    scheme: Scheme = "independent"
    k: int = 1
    samples_per_code: int = 4
    star: int = 4
    zero_cost: bool = False
    column: Column | None = None
    ranks: bool = False


class Trial:
    """The cells that predictors of a trial are trained on, and those that they are judged by.

    Attributes:
        task: what is predicted.
        number: of the trial, from 0.
        seed: decides its cells.
        ledger: where reads are noted.
        judged: what predictors are judged by.
    """

    def __init__(self, p: Any, task: PredictionTask, number: int, ledger: Ledger) -> None:  # p: of doa, doa_ablation
        self.task, self.number, self.seed, self.ledger = task, number, p.seed + number, ledger
        self.judged = Evaluation(task, ledger, self.seed, p.pairs, p.centres, p.anchors)

    def pairs(self, budget: str, of: Reading, *stream: int | str) -> CellPairs:
        """Return the pairs that a reading spends a budget on (`training_pairs`), drawn from a stream of the trial's
        seed."""
        cells, rng = self.task.train_cells(budget, self.seed), numpy_stream(self.seed, *stream, budget)
        return training_pairs(self.task, self.task.budgets[budget], cells, rng, of)

    def rows(
        self, readings: Mapping[str, Reading], stream: Callable[[Reading], Sequence[int | str]]
    ) -> list[dict[str, Any]]:
        """Return `row` of every budget and reading, each on pairs of its stream."""
        return [
            self.row(name, budget, self.pairs(budget, of, *stream(of)), of)
            for budget, (name, of) in product(self.task.budgets, readings.items())
        ]

    def row(self, name: str, budget: str, pairs: CellPairs, of: Reading) -> dict[str, Any]:
        """Fit the predictor of a reading to labelled pairs; return the row of `summary_rows` that says what it cost and
        is worth. Under the budget `ALL`, test cells but the anchors of chains count as unseen."""
        data = label(pairs, self.ledger.open(self.task.benchmark, of.column or self.task.column, name))
        features = cell_features(self.task, self.ledger, name, of.zero_cost)
        predictor = of.make(self.task.space, self.seed, features)
        with stopwatch() as watch:
            predictor.fit(ranked(data) if of.ranks else data)
        start = np.arange(self.judged.anchors)
        begun = DifferenceData(take(data.cells, start), np.zeros((0, 2), dtype=np.int64), data.labels[start])
        return {
            "searcher": name, "protocol": budget, "task": self.task.name, "trial": self.number,
            "labels": len(data.cells), "pairs": len(data), "seconds": watch.wall_s,
        } | self.judged.taus(predictor, begun if budget == ALL else data)  # fmt: skip


def ranked(data: DifferenceData) -> DifferenceData:
    """Return the data with the ranks of its labels among themselves, 0 to 1, instead of the labels."""
    return DifferenceData(data.cells, data.ends, rankdata(data.labels) / len(data.labels))


def chain(cells: Cells) -> CellPairs:
    """Return cells in a chain of pairs, which says that all their differences are known."""
    places = np.arange(len(cells))
    return CellPairs(cells, np.stack([places[:-1], places[1:]], axis=1))


def run_trials(
    context: RunContext,
    tasks: Sequence[PredictionTask],
    trials: int,
    compute: Callable[[PredictionTask, int, Ledger], pd.DataFrame],
    named: str = "",
) -> pd.DataFrame:
    """Return the tables of all tasks and trials, with `task` and `trial`, one below the other; each is a stage.

    Args:
        context: of the run.
        tasks: what is predicted.
        trials: number of them.
        compute: returns what comes out of a trial (from 0) of a task, and reads labels through the ledger.
        named: how stages are called (default: by their tasks).
    """
    parts = []
    for task, trial in product(tasks, range(trials)):
        with progress.task(f"{task.name}, trial {trial + 1}", 1) as advance:
            stage = f"{named or task.name.replace(':', '-')}-{trial}"
            found = context.stage("trials", stage, partial(compute, task, trial))
            parts.append(found.assign(task=task.name, trial=trial))
            advance(1)
    return pd.concat(parts, ignore_index=True)


def summary_rows(runs: pd.DataFrame) -> list[dict[str, Any]]:
    """Summarise runs (searcher, protocol, task, trial, taus, labels, pairs, seconds) over trials; the tasks of a trial
    weigh the same."""
    rows = []
    for (searcher, protocol), part in runs.groupby(["searcher", "protocol"], sort=False):
        by_trial = part.groupby("trial")[[*TAUS, "labels", "pairs", "seconds"]].mean()
        taus = {tau: summarise(by_trial[tau]).as_dict() for tau in TAUS}
        costs = {name: float(by_trial[name].mean()) for name in ("labels", "pairs", "seconds")}
        rows.append({"searcher": searcher, "protocol": protocol, "trials": len(by_trial), **taus, **costs})
    return rows


def data_files(space: str) -> dict[str, str]:
    """Return name -> sha256 of the raw files behind the tasks of a space and their zero-cost scores."""
    tasks = prediction_tasks(space)
    columns = [c for task in tasks for c in (task.column, *zero_cost_columns(task))]
    return tasks[0].benchmark.checksums(list(dict.fromkeys(columns)))


def training_pairs(
    task: PredictionTask, budget: int, anchors: Cells, rng: np.random.Generator, of: Reading
) -> CellPairs:
    """Draw the pairs that a budget of labels is spent on; see `draw_pairs`.

    Args:
        task: what is predicted.
        budget: distinct labels.
        anchors: the random cells of the budget. Independent pairs begin at other random cells too, because several of
            the same code are looked for.
        rng: source of randomness.
        of: how they are spent.
    """
    if of.scheme == "independent":
        space = task.space
        if isinstance(space, FiniteSpace):
            anchors = rng.permutation(space.size)[:_POOL]
        else:
            anchors = [space.sample(rng) for _ in range(min(_POOL, 10 * budget))]
    return draw_pairs(
        task.space, anchors, budget, rng, scheme=of.scheme, k=of.k, samples_per_code=of.samples_per_code, star=of.star
    )


def zero_cost_columns(task: PredictionTask) -> list[Column]:
    """Return the columns that cost no training and that every cell of the space has; empty for NAS-Bench-301."""
    return [Column(task.column.dataset, *of, 0, MEAN) for of in _ZERO_COST.get(task.space.name, ())]


def cell_features(task: PredictionTask, ledger: Ledger, reader: str, zero_cost: bool) -> Features:
    """Return the path profile of cells, with the ranks (0 to 1) of their zero-cost scores where asked for and known."""
    profile, columns = path_profile(task.space), zero_cost_columns(task) if zero_cost else []
    if not columns:
        return profile
    rows = np.arange(task.space.size or 0)
    scores = [ledger.open(task.benchmark, column, reader).read(rows, "train") for column in columns]
    table = np.stack([rankdata(score) / len(score) for score in scores], axis=1).astype(np.float32)
    return lambda cells: np.concatenate([profile(cells), table[np.asarray(cells)]], axis=1)


def _among(space: SearchSpace[Any], cells: Cells, known: Cells) -> np.ndarray:
    """Return whether cells are among some, bool."""
    if isinstance(known, np.ndarray):
        return np.isin(np.asarray(cells), known)
    keys = set(map(space.key, known))
    return np.array([space.key(cell) in keys for cell in cells], dtype=bool)


def _neighbourhoods(task: PredictionTask, test: Cells, centres: int) -> tuple[np.ndarray, Cells]:
    """Return places of centres among the test cells, repeated for each neighbour, and the neighbours."""
    places: list[int] = []
    found: list[Any] = []
    for place in range(len(test)):
        near = task.space.neighbours(architectures(task.space, test[place : place + 1])[0])
        if len(near) <= MOST_NEIGHBOURS:
            places += [place] * len(near)
            found += near
            centres -= 1
        if not centres:
            break
    return np.array(places, dtype=np.int64), of_architectures(task.space, found)


def _tau(predicted: np.ndarray, true: np.ndarray) -> float:
    """Return Kendall's tau-b; 0 for constant predictions, which order nothing."""
    value = float(kendalltau(predicted, true).statistic)
    return value if np.isfinite(value) else 0.0


def _mean_tau(predicted: np.ndarray, true: np.ndarray, centre: np.ndarray) -> float:
    groups = [np.flatnonzero(centre == c) for c in np.unique(centre)]
    return float(np.mean([_tau(predicted[g], true[g]) for g in groups if len(g) > 1 and np.ptp(true[g]) > 0]))
