"""How difference predictors are judged: three Kendall taus on cells that they have read no label of.

- P, `tau_pairs`: over held-out one-edit pairs, true against predicted difference.
- N, `tau_neighbours`: within the neighbourhood of a cell, accuracy against predicted gain, in the mean over centres; it
  is what Algorithm 2 chooses by.
- C, `tau`: over the test cells, accuracy against predictions chained from a few labelled cells along edit paths. It is
  of architectures, like the tau of any predictor of accuracy.

The cells are those of `prediction_tasks`, without the ones that a predictor was trained on: neighbours of anchors can
be among them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import kendalltau, rankdata

from nasrepro.benchmarks.base import MEAN, Column
from nasrepro.benchmarks.ledger import Ledger
from nasrepro.delta.additive import Features
from nasrepro.delta.pairs import CellPairs, DifferenceData, Scheme, draw_pairs, take
from nasrepro.delta.predictor import DifferencePredictor
from nasrepro.encodings.aligned_form import Cells
from nasrepro.encodings.path_profile import path_profile
from nasrepro.experiments.delta.prediction_tasks import PredictionTask
from nasrepro.spaces.base import FiniteSpace, SearchSpace

TAUS = ("tau_pairs", "tau_neighbours", "tau")
MOST_NEIGHBOURS = 200  # a small cell of NAS-Bench-101 can have thousands
_POOL = 8_000  # random cells that independent pairs are drawn from


@dataclass(frozen=True)
class Evaluation:
    """The cells of a trial with their labels, read for `report`.

    Attributes:
        space: whose cells.
        test, test_labels: for C.
        pairs, pair_gains: cells before, cells after, and their true differences, for P.
        near, near_gains: cells before (centres) and after, and their true differences, for N.
        centre: number of the centre of each of `near`, int.
        anchors: labelled cells that chains begin at.
    """

    space: SearchSpace[Any]
    test: Cells
    test_labels: np.ndarray
    pairs: tuple[Cells, Cells]
    pair_gains: np.ndarray
    near: tuple[Cells, Cells]
    near_gains: np.ndarray
    centre: np.ndarray
    anchors: int

    def taus(self, predictor: DifferencePredictor, data: DifferenceData) -> dict[str, float]:
        """Return the three taus of a predictor that was fitted to these data."""
        trained = _Seen(self.space, data.cells)
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


def evaluation(task: PredictionTask, ledger: Ledger, trial: int, pairs: int, centres: int, anchors: int) -> Evaluation:
    """Draw and label the cells of a trial.

    Args:
        task: what is predicted.
        ledger: where reads are noted, by the reader `evaluation`.
        trial: number of the trial.
        pairs: held-out one-edit pairs.
        centres: cells whose neighbourhoods are ranked, the first test cells with at most 200 neighbours.
        anchors: labelled cells that a chain begins at.
    """
    labels, space = task.labels(ledger, "evaluation"), task.space
    test, values = task.test(ledger, "evaluation", trial)
    held_out = task.held_out_pairs(trial, pairs)
    near = _neighbourhoods(task, test, centres)
    return Evaluation(
        space=space,
        test=test,
        test_labels=values,
        pairs=(held_out.anchors, held_out.neighbours),
        pair_gains=labels.read(held_out.neighbours, "report") - labels.read(held_out.anchors, "report"),
        near=(take(test, near[0]), near[1]),
        near_gains=labels.read(near[1], "report") - values[near[0]],
        centre=near[0],
        anchors=anchors,
    )


def training_pairs(
    task: PredictionTask, budget: int, anchors: Cells, rng: np.random.Generator, scheme: Scheme, **options: Any
) -> CellPairs:
    """Draw the pairs that a budget of labels is spent on; see `delta_data.draw_pairs`.

    Args:
        task: what is predicted.
        budget: distinct labels.
        anchors: the random cells of the budget. Independent pairs begin at other random cells too, because several of
            the same code are looked for.
        rng: source of randomness.
        scheme, options: as in `draw_pairs`.
    """
    if scheme == "independent":
        space = task.space
        if isinstance(space, FiniteSpace):
            anchors = rng.permutation(space.size)[:_POOL]
        else:
            anchors = [space.sample(rng) for _ in range(min(_POOL, 10 * budget))]
    return draw_pairs(task.space, anchors, budget, rng, scheme=scheme, **options)


def zero_cost_columns(task: PredictionTask) -> list[Column]:
    """Return the columns that cost no training and that every cell of the space has; empty for NAS-Bench-301."""
    if task.space.name == "nb101":
        return [Column("cifar10", "parameters", "model", 0, MEAN)]
    if task.space.name == "nb201":
        named = (("zen", "proxy"), ("parameters", "model"), ("flops", "model"))
        return [Column("cifar10", name, split, 0, MEAN) for name, split in named]
    if task.space.name == "tnb101-micro":
        return [Column(task.column.dataset, "zen", "proxy", 0, MEAN)]
    return []


def cell_features(task: PredictionTask, ledger: Ledger, reader: str, zero_cost: bool) -> Features:
    """Return the path profile of cells, with the ranks (0 to 1) of their zero-cost scores where asked for and known."""
    profile, columns = path_profile(task.space), zero_cost_columns(task) if zero_cost else []
    if not columns:
        return profile
    rows = np.arange(task.space.size or 0)
    scores = [ledger.open(task.benchmark, column, reader).read(rows, "train") for column in columns]
    table = np.stack([rankdata(score) / len(score) for score in scores], axis=1).astype(np.float32)
    return lambda cells: np.concatenate([profile(cells), table[np.asarray(cells)]], axis=1)


class _Seen:
    """Whether cells are among some."""

    def __init__(self, space: SearchSpace[Any], cells: Cells) -> None:
        self._rows = cells if isinstance(cells, np.ndarray) else None
        self._space, self._keys = space, set() if self._rows is not None else set(map(space.key, cells))

    def __call__(self, cells: Cells) -> np.ndarray:
        if self._rows is not None:
            return np.isin(cells, self._rows)
        return np.array([self._space.key(cell) in self._keys for cell in cells], dtype=bool)


def _neighbourhoods(task: PredictionTask, test: Cells, centres: int) -> tuple[np.ndarray, Cells]:
    """Return places of centres among the test cells, repeated for each neighbour, and the neighbours."""
    places: list[int] = []
    found: list[Any] = []
    left = centres
    for place in range(len(test)):
        if not left:
            break
        near = task.space.neighbours(task.archs(test[place : place + 1])[0])
        if len(near) <= MOST_NEIGHBOURS:
            places += [place] * len(near)
            found += near
            left -= 1
    cells: Cells = task.space.rows(found) if isinstance(task.space, FiniteSpace) else found
    return np.array(places, dtype=np.int64), cells


def _tau(predicted: np.ndarray, true: np.ndarray) -> float:
    """Return Kendall's tau-b; 0 for constant predictions, which order nothing."""
    value = float(kendalltau(predicted, true).statistic)
    return value if np.isfinite(value) else 0.0


def _mean_tau(predicted: np.ndarray, true: np.ndarray, centre: np.ndarray) -> float:
    groups: Sequence[np.ndarray] = [np.flatnonzero(centre == c) for c in np.unique(centre)]
    usable = [g for g in groups if len(g) > 1 and np.ptp(true[g]) > 0]
    return float(np.mean([_tau(predicted[g], true[g]) for g in usable]))
