"""Search by name: a loop that spends a budget of labels, or ask and tell for a black box of any kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd

from nasrepro.benchmarks.base import Benchmark
from nasrepro.benchmarks.ledger import Count, Ledger
from nasrepro.errors import ParameterError, UnknownQuery, did_you_mean
from nasrepro.search.base import Proposal, Searcher, spend
from nasrepro.seeding import derive, numpy_stream
from nasrepro.spaces.base import FiniteSpace, SearchSpace
from nasrepro.tool.condition import Condition
from nasrepro.tool.model import Model

METHODS = {  # name -> module of `nasrepro.search` and class
    "random": ("random_search", "RandomSearch"),
    "local_search": ("local_search", "LocalSearch"),
    "evolution": ("evolution", "RegularisedEvolution"),
    "reinforce": ("reinforce", "Reinforce"),
    "bananas": ("bananas", "BANANAS"),
    "bananas_xgboost": ("bananas", "XGBoostBANANAS"),
    "bo": ("bayesian", "BayesianOptimisation"),
    "gp": ("gaussian_process", "PractitionerGP"),
}


class Search:
    """A searcher for a black box of yours: `ask` for architectures, `tell` their values.

    Args:
        searcher: proposes.
        space: of the architectures.
    """

    def __init__(self, searcher: Searcher, space: SearchSpace[Any]) -> None:
        self.searcher, self.space = searcher, space
        self._told: list[tuple[float, Any]] = []

    def ask(self, n: int = 1) -> list[Any]:
        """Return the next n architectures; fewer only when the space is exhausted."""
        return [proposal.arch for proposal in self.searcher.ask(n) if proposal.arch is not None]

    def tell(self, archs: Sequence[Any], values: Sequence[float] | np.ndarray) -> None:
        """Report values to be maximised, one per architecture; NaN for what could not be measured."""
        told = np.asarray(values, dtype=np.float64)
        if told.shape != (len(archs),):
            raise ParameterError(f"{len(archs)} architectures have {len(archs)} values, not {told.shape}.")
        self.searcher.tell([Proposal(arch) for arch in archs], told)
        self._told += [(float(v), arch) for v, arch in zip(told, archs, strict=True) if np.isfinite(v)]

    @property
    def best(self) -> tuple[Any, float]:
        """The best architecture told so far and its value; `UnknownQuery` where none has one."""
        if not self._told:
            raise UnknownQuery("No value was told yet.")
        value, arch = max(self._told, key=lambda pair: pair[0])
        return arch, value


def searcher(method: str, space: SearchSpace[Any], seed: int = 0, config: Any = None) -> Search:
    """Return a searcher of a space.

    Args:
        method: one of `METHODS`.
        space: where to search.
        seed: of everything random.
        config: hyper-parameters, of the class in `nasrepro.search.defaults`; None for its defaults.

    Raises:
        ParameterError: there is no such method.
        UnknownQuery: the space lacks what the method needs.
    """
    if method not in METHODS:
        raise ParameterError(
            f"There is no method `{method}`; there is {', '.join(METHODS)}.{did_you_mean(method, METHODS)}"
        )
    module, name = METHODS[method]
    kind = getattr(import_module(f"nasrepro.search.{module}"), name)
    rng = numpy_stream(seed, "searcher", method)
    return Search(kind(space, rng) if config is None else kind(space, rng, config), space)


@dataclass(frozen=True)
class Optimisation:
    """What a search found.

    Attributes:
        best: the architecture of the best label.
        value: its label, in the metric's unit.
        history: a row per draw, see `nasrepro.search.base.spend`; `value` is the label, negated where less is better.
        labels: what was read.
    """

    best: Any
    value: float
    history: pd.DataFrame
    labels: list[Count]


def optimise(
    method: str | Model,
    benchmark: Benchmark[Any],
    budget: int,
    *,
    metric: str | None = None,
    seed: int = 0,
    config: Any = None,
) -> Optimisation:
    """Search for the best label of a benchmark.

    Args:
        method: one of `METHODS`, or a fitted model, whose samples are the candidates.
        benchmark: gives the labels.
        budget: distinct architectures whose labels are read.
        metric: see `Condition.metric`; None where the benchmark has one column.
        seed: of everything random.
        config: of the searcher, see `searcher`.

    Raises:
        ParameterError: there is no such method, or the budget is no positive number.
        UnknownQuery: the benchmark has no such column, the space lacks what the method needs, or no label was found.
    """
    if budget < 1:
        raise ParameterError(f"A search spends one label or more, not {budget}.")
    column = Condition("best", metric if metric is not None else _only(benchmark), top=0.5).column(benchmark)
    sign = 1 if benchmark.metrics[column.metric].higher_is_better else -1
    ledger, space = Ledger(), benchmark.space
    proposer = _Sampler(method, seed) if isinstance(method, Model) else searcher(method, space, seed, config).searcher
    labels = ledger.open(benchmark, column, proposer.name, lambda values: sign * values)
    history = spend(proposer, space, labels, budget, batch=min(16, budget), most_draws=20 * budget)
    if history["value"].isna().all():
        raise UnknownQuery(f"None of the {len(history)} candidates has a label of {column}.")
    row = history.iloc[int(np.nanargmax(history["value"]))]
    best = space.from_index(int(row["row"])) if isinstance(space, FiniteSpace) else space.from_string(row["arch"])
    return Optimisation(best, sign * float(row["value"]), history, ledger.counts())


def _only(benchmark: Benchmark[Any]) -> str:
    columns = benchmark.columns()
    if len(columns) != 1:
        raise UnknownQuery(
            f"Say which metric is searched for; {benchmark.title} has {', '.join(map(str, columns[:20]))}."
        )
    return str(columns[0])


class _Sampler:
    """A fitted model as a searcher."""

    name = "dinas"

    def __init__(self, model: Model, seed: int) -> None:
        self._model, self._seed, self._asked = model, seed, 0

    def ask(self, n: int) -> list[Proposal]:
        self._asked += 1
        drawn = self._model.sample(n, seed=derive(self._seed, "ask", self._asked), distinct=True)
        return [Proposal(arch) for arch in drawn.archs]

    def tell(self, proposals: Sequence[Proposal], values: np.ndarray) -> None:
        """Learn nothing: all labels were read in the fit."""
