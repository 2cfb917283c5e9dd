"""Algorithm 2 of Delta-NAS: it walks where the predictor points, literally or sensibly, and every label is counted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from nasrepro.benchmarks.base import MEAN, Column
from nasrepro.benchmarks.ledger import Ledger
from nasrepro.benchmarks.nb201 import NB201Benchmark
from nasrepro.delta.search import DeltaNAS, ScoreGain
from nasrepro.search.base import Proposal, spend
from nasrepro.search.defaults import DELTA_LITERAL, DELTA_SENSIBLE, DeltaConfig
from nasrepro.search.random_search import RandomSearch
from nasrepro.spaces.fixed_code import fixed_code
from nasrepro.spaces.nb101.space import NB101
from nasrepro.spaces.nb201 import NB201

VALID = Column("cifar10", "accuracy", "valid", 200, MEAN)


@pytest.fixture(scope="module")
def nb201() -> NB201Benchmark:
    return NB201Benchmark()


@pytest.fixture(scope="module")
def table(nb201: NB201Benchmark) -> np.ndarray:
    return nb201.query_many(np.arange(NB201.size), VALID)


def _rows(proposals: list[Proposal]) -> list[int]:
    return [NB201.index(p.arch) for p in proposals]


def _searcher(scores: np.ndarray, config: DeltaConfig, seed: int = 0) -> DeltaNAS:
    return DeltaNAS(NB201, ScoreGain(scores), np.random.default_rng(seed), config)


def _steepest(table: np.ndarray, row: int) -> int:
    neighbours = fixed_code(NB201).edits(np.array([row]))[0]
    return int(neighbours[table[neighbours].argmax()])


def test_a_literal_step_goes_to_the_best_neighbour_even_downhill(table: np.ndarray):
    """With a true predictor the population reaches local optima, leaves them, and comes back."""
    searcher = _searcher(table, replace(DELTA_LITERAL, population=12, resample="never"))
    before = _rows(searcher.ask(12))
    downhill = 0
    while len(proposals := searcher.ask(12)) == 12:
        after = _rows(proposals)
        assert after == [_steepest(table, row) for row in before]
        downhill += sum(table[b] < table[a] for a, b in zip(before, after, strict=True))
        before = after
    assert proposals == [] and downhill >= 12  # the search ends when a step leads to nothing new
    assert all(_steepest(table, _steepest(table, row)) == row for row in before)  # every member goes to and fro


def test_only_if_better_climbs_and_stays_on_the_top(table: np.ndarray):
    config = DeltaConfig(population=12, move="only_if_better", resample="never")
    searcher = _searcher(table, config)
    before = _rows(searcher.ask(12))
    seen = set(before)
    while proposals := searcher.ask(12):
        after = _rows(proposals)
        for a, b in zip(before, after, strict=True):
            assert b == (_steepest(table, a) if table[_steepest(table, a)] > table[a] else a)
        before = after
        seen |= set(before)
    for row in before:  # what is left of the way was gone by others
        while table[_steepest(table, row)] > table[row]:
            row = _steepest(table, row)
            assert row in seen


def test_without_revisits_no_cell_is_proposed_in_two_steps(table: np.ndarray):
    searcher = _searcher(table, DeltaConfig(population=20, revisit=False))
    seen: set[int] = set()
    for _ in range(10):
        step = set(_rows(searcher.ask(20)))
        assert not step & seen
        seen |= step


@pytest.mark.parametrize("resample", ["population", "member"])
def test_resampling_goes_on_where_the_population_has_come_to_its_end(table: np.ndarray, resample: Any):
    over = _searcher(table, DeltaConfig(population=10, resample="never"))
    goes_on = _searcher(table, DeltaConfig(population=10, resample=resample))
    assert len(over.ask(10_000)) < 1_000
    assert len(set(_rows(goes_on.ask(3_000)))) > 500


def test_the_elite_takes_the_places_of_the_worst(table: np.ndarray):
    """The population has no way up; what it moves from in the next step are the best told cells and their like."""
    searcher = _searcher(np.zeros(NB201.size), DeltaConfig(population=6, move="only_if_better", elite=2))
    first = searcher.ask(6)
    rows = _rows(first)  # nothing is better, so all stay where they are
    searcher.tell(first, np.array([5.0, 1.0, 4.0, 3.0, 0.0, 2.0]))
    searcher._keep_elite()
    assert sorted(searcher._members.tolist()) == sorted([rows[0]] * 2 + [rows[2]] * 2 + [rows[3], rows[5]])


def test_a_search_of_all_cells_ends():
    """The smallest space with a code is that of NAS-Bench-201; all its cells are labelled at once here."""
    searcher = _searcher(np.random.default_rng(0).random(NB201.size), DELTA_SENSIBLE)
    searcher._seen[:] = True
    assert searcher.ask(5) == []


def test_labels_of_each_step_are_taught_once_before_the_next(table: np.ndarray):
    class Pupil(ScoreGain):
        def __init__(self) -> None:
            super().__init__(np.random.default_rng(0).random(NB201.size))
            self.lessons: list[tuple[np.ndarray, np.ndarray]] = []

        def learn(self, rows: np.ndarray, values: np.ndarray) -> None:
            self.lessons.append((rows, values))

    pupil = Pupil()
    config = DeltaConfig(population=10, revisit=False, resample="member", retrain=True)
    searcher = DeltaNAS(NB201, pupil, np.random.default_rng(0), config)
    asked: list[int] = []
    for _ in range(4):
        proposals = searcher.ask(10)
        asked += _rows(proposals)
        searcher.tell(proposals, table[_rows(proposals)])
    taught = np.concatenate([rows for rows, _ in pupil.lessons])
    assert len(pupil.lessons) == 3 and taught.tolist() == list(dict.fromkeys(asked[:30]))
    np.testing.assert_array_equal(np.concatenate([v for _, v in pupil.lessons]), table[taught])


def test_nan_labels_and_cells_of_others_are_survived(table: np.ndarray):
    searcher = _searcher(table, DELTA_SENSIBLE)
    proposals = searcher.ask(100)
    searcher.tell(proposals, np.full(100, np.nan))
    searcher.tell([Proposal(None, "edges"), Proposal((1,) * 6)], np.array([np.nan, 50.0]))
    assert len(searcher.ask(100)) == 100


@pytest.mark.parametrize("config", [DELTA_LITERAL, DELTA_SENSIBLE], ids=["literal", "sensible"])
def test_a_search_is_sound_and_depends_on_its_generator_alone(config: DeltaConfig):
    scores = np.random.default_rng(9).random(NB101.size)
    runs = []
    for seed in (0, 0, 1):
        searcher = DeltaNAS(NB101, ScoreGain(scores), np.random.default_rng(seed), config)
        runs.append([p.arch for _ in range(3) for p in searcher.ask(100)])
    assert runs[0] == runs[1] != runs[2]
    assert all(NB101.is_valid(arch) for arch in runs[0])
    assert searcher.predictions <= searcher.steps * 2 * 100 * 31


@pytest.mark.parametrize("config", [DELTA_LITERAL, DELTA_SENSIBLE], ids=["literal", "sensible"])
def test_a_noisy_predictor_beats_random_search_and_every_label_is_counted(
    config: DeltaConfig, nb201: NB201Benchmark, table: np.ndarray
):
    """Best of 100 queries, one-sided Mann-Whitney test; noise with the standard deviation of 2 % accuracy."""
    ledger = Ledger()

    def best(make: Any, name: str, runs: int) -> list[float]:
        found = []
        for seed in range(runs):
            trace = spend(
                make(np.random.default_rng(seed)), NB201, ledger.open(nb201, VALID, name), 100, batch=20, most_draws=800
            )
            assert trace["row"].nunique() == 100
            found.append(trace["value"].max())
        return found

    small = replace(config, population=20, elite=min(config.elite, 4))
    noise = np.random.default_rng(5).normal(0, 2, NB201.size)
    ours = best(lambda rng: DeltaNAS(NB201, ScoreGain(table + noise), rng, small), "delta", 10)
    random = best(lambda rng: RandomSearch(NB201, rng), "random", 40)
    assert stats.mannwhitneyu(ours, random, alternative="greater").pvalue < 0.01
    reads = {c["reader"]: c["reads"] for c in ledger.counts()}
    assert reads == {"delta": 10 * 100, "random": 40 * 100}


def test_more_elite_than_population_is_refused():
    with pytest.raises(ValueError, match="elite"):
        DeltaConfig(population=10, elite=11)
