"""Searchers and the loop that spends their budget, on the real NAS-Bench-201 validation table."""

from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from nasrepro.benchmarks.base import MEAN, Column
from nasrepro.benchmarks.ledger import Ledger
from nasrepro.benchmarks.nb201 import NB201Benchmark
from nasrepro.runs.protocols import DISTINCT, PAPER, run_rows
from nasrepro.search.base import Proposal, spend
from nasrepro.search.defaults import EvolutionConfig
from nasrepro.search.evolution import RegularisedEvolution
from nasrepro.search.random_search import RandomSearch, TopClassDraw
from nasrepro.spaces.nb201 import NB201

VALID = Column("cifar10", "accuracy", "valid", 200, MEAN)


@pytest.fixture(scope="module")
def nb201() -> NB201Benchmark:
    return NB201Benchmark()


class _Scripted:
    """Proposes given rows (-1: an invalid graph), whatever it is told."""

    name = "scripted"

    def __init__(self, rows: Sequence[int]) -> None:
        self.rows, self.told = list(rows), []

    def ask(self, n: int) -> list[Proposal]:
        taken, self.rows = self.rows[:n], self.rows[n:]
        return [Proposal(None, "edges") if r < 0 else Proposal(NB201.from_index(r)) for r in taken]

    def tell(self, proposals: Sequence[Proposal], values: np.ndarray) -> None:
        self.told += [
            None if p.arch is None else (NB201.index(p.arch), v) for p, v in zip(proposals, values, strict=True)
        ]


@pytest.mark.parametrize("batch", [1, 2, 5, 100])
def test_repeats_and_invalid_draws_are_draws_but_read_no_label(nb201: NB201Benchmark, batch: int):
    ledger = Ledger()
    searcher = _Scripted([7, -1, 7, 8, 8, 9, 10, 11])
    trace = spend(searcher, NB201, ledger.open(nb201, VALID, "s"), 3, batch=batch, most_draws=100)
    assert trace.row.tolist() == [7, -1, 7, 8, 8, 9]  # the third distinct cell ends it, whatever the batch
    assert trace.reason.tolist() == ["", "edges", "", "", "", ""]
    assert ledger.counts() == [{"reader": "s", "purpose": "select", "column": str(VALID), "distinct": 3, "reads": 3}]
    expected = nb201.query_many(np.array([7, 8, 9]), VALID)
    assert trace.value[[0, 3, 5]].tolist() == expected.tolist() and np.isnan(trace.value[1])
    assert searcher.told[1] is None and searcher.told[0] == (7, expected[0])


def test_the_number_of_draws_is_bounded_and_an_exhausted_searcher_ends_the_search(nb201: NB201Benchmark):
    labels = Ledger().open(nb201, VALID, "s")
    assert len(spend(_Scripted([-1] * 50), NB201, labels, 5, batch=4, most_draws=30)) == 30
    assert len(spend(_Scripted([-1] * 50), NB201, labels, 5, batch=4)) == 5
    assert spend(_Scripted([1, 2]), NB201, labels, 5).row.tolist() == [1, 2]


def test_the_two_protocols_of_a_trace():
    import pandas as pd

    trace = pd.DataFrame(
        {
            "searcher": "dinas", "training": 0, "run": [0] * 5 + [1] * 3,
            "query": [0, 1, 2, 3, 4, 0, 1, 2],
            "row": [5, -1, 5, 6, 9, -1, -1, -1],
            "reason": ["", "edges", "", "", "", "edges", "edges", "edges"],
            "value": [90.0, np.nan, 90.0, 89.0, 93.0, np.nan, np.nan, np.nan],
        }
    )  # fmt: skip
    paper = run_rows(trace, PAPER, 3, 89.5, lambda reader, rows: rows + 0.5)
    assert paper.best_valid.tolist() == [90.0, 0.0] and paper.test.tolist() == [5.5, 0.0]
    assert paper.samples.tolist() == [3, 3] and paper.valid_samples.tolist() == [2, 0]
    assert paper.distinct_valid.tolist() == [1, 0] and paper.in_top_class.tolist() == [2, 0]
    distinct = run_rows(trace, DISTINCT, 3, 89.5, None)
    assert distinct.best_valid.tolist() == [93.0, 0.0] and distinct.test.isna().all()
    assert distinct.distinct_valid.tolist() == [3, 0] and distinct.in_top_class.tolist() == [3, 0]
    at_the_cut = run_rows(trace, DISTINCT, 3, 90.0, None)
    assert at_the_cut.in_top_class.tolist() == [1, 0]  # the wanted class begins above it


def test_random_search_proposes_every_cell_once():
    searcher = RandomSearch(NB201, np.random.default_rng(0))
    rows = [NB201.index(p.arch) for p in searcher.ask(5**6 + 10)]
    assert sorted(rows) == list(range(5**6))
    first = [NB201.index(p.arch) for s in range(400) for p in RandomSearch(NB201, np.random.default_rng(s)).ask(5)]
    assert stats.chisquare(np.bincount([r % 5 for r in first], minlength=5)).pvalue > 1e-3


def test_the_top_class_control_draws_uniformly_with_replacement():
    rows = np.array([3, 14, 159, 2653])
    drawn = [NB201.index(p.arch) for p in TopClassDraw(NB201, rows, np.random.default_rng(0)).ask(4_000)]
    assert stats.chisquare([drawn.count(r) for r in rows]).pvalue > 1e-3


def test_evolution_keeps_its_population_and_mutates_a_tournament_winner():
    searcher = RegularisedEvolution(NB201, np.random.default_rng(0), EvolutionConfig(population=5, tournament=5))
    founders = searcher.ask(5)
    searcher.tell(founders, np.array([1.0, 5.0, 2.0, 3.0, 4.0]))
    child = searcher.ask(1)
    assert NB201.distance(child[0].arch, founders[1].arch) == 1  # a tournament of everybody has one winner
    searcher.tell(child, np.array([0.0]))
    searcher.tell(searcher.ask(1), np.array([0.0]))  # the founder of value 5 has died now
    late = searcher.ask(1)
    assert NB201.distance(late[0].arch, founders[4].arch) == 1
    with pytest.raises(ValueError, match="tournament"):
        EvolutionConfig(population=5, tournament=6)


def test_evolution_beats_random_search_and_both_beat_a_single_draw(nb201: NB201Benchmark):
    """Best of 100 queries, 40 runs each, one-sided Mann-Whitney test."""

    def best(make) -> np.ndarray:
        labels = Ledger().open(nb201, VALID, "s")
        return np.array([spend(make(np.random.default_rng(s)), NB201, labels, 100).value.max() for s in range(40)])

    evolution, random = best(lambda g: RegularisedEvolution(NB201, g)), best(lambda g: RandomSearch(NB201, g))
    assert stats.mannwhitneyu(evolution, random, alternative="greater").pvalue < 0.01
    assert random.min() > np.median(nb201.query_many(np.arange(5**6), VALID))
