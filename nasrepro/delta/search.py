"""Delta-NAS, Algorithm 2: a population walks along the differences that a predictor promises.

Each step every member looks at all its one-edit neighbours, and the predictor says by how much each is better; the
member moves to the one of the largest predicted gain. As printed, it moves even if all gains are negative, nothing is
kept, and the best of the last population is returned, although no member has a score by then. Here every member is
evaluated after each move, and who returns something takes the best of what was evaluated. The first population is not
evaluated: the algorithm has no use for its labels.

Which choices the paper leaves open, and what else one might sensibly do, are switches of `DeltaConfig`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from nasrepro.delta.pairs import DifferenceData
from nasrepro.delta.predictor import DifferencePredictor
from nasrepro.search.base import OneByOne, Proposal
from nasrepro.search.defaults import DELTA_LITERAL, DeltaConfig
from nasrepro.spaces.base import FiniteSpace
from nasrepro.spaces.fixed_code import fixed_code


class GainPredictor(Protocol):
    """What Algorithm 2 asks of a predictor: F(a, b) of the paper, for many pairs at once."""

    def gain_cells(self, base: np.ndarray, neighbour: np.ndarray) -> np.ndarray:
        """Return the predicted value of each neighbour less that of its base (rows, int64, B each), float, B."""


class ScoreGain:
    """The gain according to a score of every cell: an ordinary accuracy predictor's, or the table itself (an oracle).

    Args:
        scores: by row of the space.
    """

    def __init__(self, scores: np.ndarray) -> None:
        self._scores = scores

    def gain_cells(self, base: np.ndarray, neighbour: np.ndarray) -> np.ndarray:
        """Return the difference of two scores."""
        difference: np.ndarray = self._scores[neighbour] - self._scores[base]
        return difference


class RelearntDifference:
    """Predict with a predictor that is trained anew whenever labels come in: the `retrain` variant.

    The paper trains once, before the search. But a search reads labels of cells that are one edit apart, and any two of
    them are one more pair, free of charge.

    Args:
        space: where to search; it needs a fixed-length code.
        data: the labelled pairs to begin with.
        first: the predictor trained on them.
        make: a new predictor, which is then trained on all pairs: those to begin with, and every two labelled cells
            that are one edit of the code apart.
    """

    def __init__(
        self,
        space: FiniteSpace[Any],
        data: DifferenceData,
        first: DifferencePredictor,
        make: Callable[[], DifferencePredictor],
    ) -> None:
        self._space, self._code, self._make = space, fixed_code(space), make
        self.data, self._predictor = data, first

    def gain_cells(self, base: np.ndarray, neighbour: np.ndarray) -> np.ndarray:
        """Return the predicted value of each neighbour less that of its base, float64, B."""
        return self._predictor.gain_cells(base, neighbour)

    def learn(self, rows: np.ndarray, values: np.ndarray) -> None:
        """Take in labels of cells, and train on all pairs that there are now."""
        if np.isin(rows, self.data.cells).all():
            return
        self.data = self._extended(rows, values)
        self._predictor = self._make()
        self._predictor.fit(self.data)

    def _extended(self, rows: np.ndarray, values: np.ndarray) -> DifferenceData:
        known = np.asarray(self.data.cells)
        new = ~np.isin(rows, known)
        cells = np.concatenate([known, rows[new]])
        number = np.full(self._space.size, -1)
        number[cells] = np.arange(len(cells))
        edits = self._code.edits(cells)
        others = np.where(edits >= 0, number[edits], -1)
        first, place = np.nonzero(others >= 0)
        pairs = np.stack([first, others[first, place]], axis=1)
        pairs = np.concatenate([self.data.ends, pairs[pairs[:, 0] != pairs[:, 1]]])
        _, once = np.unique(np.sort(pairs, axis=1), axis=0, return_index=True)
        return DifferenceData(cells, pairs[np.sort(once)], np.concatenate([self.data.labels, values[new]]))


class DeltaNAS(OneByOne):
    """Move a population along predicted differences.

    Ask for a whole population at a time: a step begins when the last one was asked for completely, with what was told
    until then.

    Args:
        space: where to search; it needs a fixed-length code, whose one-edit changes are the neighbours.
        predictor: says the gain of a move; it can `learn` if the variant retrains it.
        rng: source of randomness.
        config: which variant.

    Attributes:
        predictions: number of pairs that the predictor was asked about.
        steps: number of steps made.
    """

    name = "delta_nas"

    def __init__(
        self,
        space: FiniteSpace[Any],
        predictor: GainPredictor | RelearntDifference,
        rng: np.random.Generator,
        config: DeltaConfig = DELTA_LITERAL,
    ) -> None:
        self._space, self._predictor, self._rng, self._config = space, predictor, rng, config
        self._code = fixed_code(space)
        self._seen = np.zeros(space.size, dtype=bool)  # proposed or labelled cells
        self._values = np.full(space.size, -np.inf)
        self._told: list[int] = []  # rows with a label, in the order told
        self._learnt = 0  # how many of these the predictor has been given
        self._queue: deque[int] = deque()
        fixed = config.revisit and not config.retrain  # then a cell always leads to the same one
        self._leads_to = np.full(space.size if fixed else 0, -1)
        self._members = self._random(config.population)
        self.predictions = self.steps = 0

    def next(self) -> Any | None:
        """Return the next member; None only when the search is over (`resample="never"`, or nothing is left)."""
        return self._space.from_index(self._queue.popleft()) if self._queue or self._step() else None

    def tell(self, proposals: Sequence[Proposal], values: np.ndarray) -> None:
        """Remember labels, for the elite and for retraining; those of cells that were not asked for, too."""
        for proposal, value in zip(proposals, values, strict=True):
            if proposal.arch is not None and np.isfinite(value):
                row = self._space.index(proposal.arch)
                if self._values[row] == -np.inf:
                    self._told.append(row)
                self._values[row] = value
                self._seen[row] = True

    def _step(self) -> bool:
        """Move the population; return whether anything is to be proposed."""
        if self._seen.all():
            return False
        config = self._config
        if config.retrain:
            self._teach()
        self._keep_elite()
        moved = self._moved(self._members)
        stuck = self._seen[moved]
        if stuck.all() and config.resample == "never":
            return False
        if config.resample == "member" or (stuck.all() and config.resample == "population"):
            moved[stuck] = self._moved(self._random(int(stuck.sum())))
        self._members = moved
        self._seen[moved] = True
        self._queue.extend(moved.tolist())
        self.steps += 1
        return True

    def _moved(self, here: np.ndarray) -> np.ndarray:
        """Return where members move, and those that do not move as they are (rows, int64, B)."""
        if not len(self._leads_to):
            return self._best_moves(here)
        new = np.unique(here[self._leads_to[here] < 0])
        self._leads_to[new] = self._best_moves(new)
        found: np.ndarray = self._leads_to[here]
        return found

    def _best_moves(self, here: np.ndarray) -> np.ndarray:
        """Return what `_moved` does, from the predictor."""
        neighbours = self._code.edits(here)
        allowed = (neighbours >= 0) & (neighbours != here[:, None])
        if not self._config.revisit:
            allowed &= ~self._seen[neighbours]
        bases = np.broadcast_to(here[:, None], neighbours.shape)[allowed]
        gains = np.full(neighbours.shape, -np.inf)
        gains[allowed] = self._predictor.gain_cells(bases, neighbours[allowed])
        self.predictions += len(bases)
        best = gains.argmax(1)[:, None]
        moves = np.take_along_axis(gains, best, axis=1) > (0 if self._config.move == "only_if_better" else -np.inf)
        return np.where(moves, np.take_along_axis(neighbours, best, axis=1), here[:, None])[:, 0]

    def _teach(self) -> None:
        """Give the predictor the labels that it has not seen."""
        new = np.array(self._told[self._learnt :], dtype=np.int64)
        if len(new):
            self._predictor.learn(new, self._values[new])  # type: ignore[union-attr]
            self._learnt = len(self._told)

    def _keep_elite(self) -> None:
        count = min(self._config.elite, len(self._told))
        if count:
            told = np.array(self._told)
            best = told[np.argsort(-self._values[told], kind="stable")[:count]]
            worst = np.argsort(self._values[self._members], kind="stable")[:count]
            self._members[worst] = best

    def _random(self, count: int) -> np.ndarray:
        """Return rows of random cells, as the space samples them."""
        return self._space.rows([self._space.sample(self._rng) for _ in range(count)])
