"""REINFORCE (Williams, 1992) over independent categorical choices: the "RL" baseline of NAS-Bench-101 and of SEP.

Each field of the space's fixed-length code has a softmax of its own. A sampled cell's reward, less a moving average of
rewards, times the gradient of its log-probability is added to the logits. What is no cell is drawn again, as SEP's
script does, and teaches nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nasrepro.search.base import Proposal
from nasrepro.search.defaults import ReinforceConfig
from nasrepro.spaces.fixed_code import fixed_code

_AT_ONCE = 16  # codes drawn at a time until one is a cell


class Reinforce:
    """Sample each field on its own; reinforce what was better than the average so far.

    Args:
        space: where to search; it needs a fixed-length code.
        rng: source of randomness.
        config: hyper-parameters.
    """

    name = "reinforce"

    def __init__(self, space: Any, rng: np.random.Generator, config: ReinforceConfig | None = None) -> None:
        self._space, self._rng, self._config = space, rng, config or ReinforceConfig()
        self._code = fixed_code(space)
        exists = np.arange(self._code.choices.max()) < self._code.choices[:, None]
        self.logits = np.where(exists, 0.0, -np.inf)
        self._drawn: dict[int, np.ndarray] = {}  # row -> the code as which it was drawn last
        self._total = self._weight = 0.0  # of the moving average

    @property
    def probabilities(self) -> np.ndarray:
        """Probability of each choice of each field, F x the largest number of choices."""
        weights = np.exp(self.logits - self.logits.max(1, keepdims=True))
        probabilities: np.ndarray = weights / weights.sum(1, keepdims=True)
        return probabilities

    def ask(self, n: int) -> list[Proposal]:
        """Return n sampled cells, which may have been proposed before."""
        return [Proposal(self._sample()) for _ in range(n)]

    def tell(self, proposals: Sequence[Proposal], values: np.ndarray) -> None:
        """Take one step of gradient ascent for each cell with a label."""
        for proposal, value in zip(proposals, values, strict=True):
            if proposal.arch is not None and np.isfinite(value):
                self._reinforce(self._space.index(proposal.arch), self._config.scale * float(value))

    def _sample(self) -> Any:
        cumulated = self.probabilities.cumsum(1)[:, :-1]
        while True:
            codes = (self._rng.random((_AT_ONCE, len(cumulated), 1)) > cumulated).sum(2)
            rows = self._code.to_rows(codes)
            if len(valid := np.flatnonzero(rows >= 0)):
                row = int(rows[valid[0]])
                self._drawn[row] = codes[valid[0]]
                return self._space.from_index(row)

    def _reinforce(self, row: int, reward: float) -> None:
        keep = self._config.momentum
        self._total, self._weight = keep * self._total + (1 - keep) * reward, keep * self._weight + (1 - keep)
        code = self._drawn[row] if row in self._drawn else self._code.of_rows(np.array([row]))[0]
        gradient = -self.probabilities
        gradient[np.arange(len(code)), code] += 1
        self.logits += self._config.learning_rate * (reward - self._total / self._weight) * gradient
