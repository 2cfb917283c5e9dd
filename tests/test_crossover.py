"""Codes of fixed length, and what works on them: mutation, crossover, the controller. Children lie between parents."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from itertools import islice, pairwise
from typing import Any

import numpy as np
import pytest
from scipy import stats

from nasrepro.benchmarks.base import MEAN, Column
from nasrepro.benchmarks.ledger import Ledger
from nasrepro.benchmarks.nb201 import NB201Benchmark
from nasrepro.errors import UnknownQuery
from nasrepro.search.base import Proposal, spend
from nasrepro.search.crossover import made_of, path_children, standard_children
from nasrepro.search.defaults import SEP_EVOLUTION, EvolutionConfig, ReinforceConfig
from nasrepro.search.evolution import RegularisedEvolution
from nasrepro.search.mutation import field_mutation
from nasrepro.search.random_search import RandomSearch
from nasrepro.search.reinforce import Reinforce
from nasrepro.spaces.darts.space import NB301
from nasrepro.spaces.fixed_code import changed_fields, fixed_code
from nasrepro.spaces.nb101.neighbours import neighbour_rows
from nasrepro.spaces.nb101.space import NB101
from nasrepro.spaces.nb201 import NB201
from nasrepro.spaces.transnas import TNB101_MICRO

VALID = Column("cifar10", "accuracy", "valid", 200, MEAN)
CODED = pytest.mark.parametrize("space", [NB201, NB101, TNB101_MICRO], ids=lambda s: s.name)
A, B = (0,) * 6, (4,) * 6


def _distance(space: Any, a: Any, b: Any) -> int:
    found: int = space.graph_edit_distance(a, b) if space is NB101 else space.distance(a, b)
    return found


@pytest.fixture(scope="module")
def nb201() -> NB201Benchmark:
    return NB201Benchmark()


# ---- codes ----


@CODED
def test_a_code_is_read_back(space: Any):
    rows = np.random.default_rng(0).integers(space.size, size=500)
    code = fixed_code(space)
    np.testing.assert_array_equal(code.to_rows(code.of_rows(rows)), rows)
    assert (code.of_rows(rows) < code.choices).all()


@CODED
def test_edits_are_the_changes_of_one_field(space: Any):
    rows = np.random.default_rng(1).integers(space.size, size=50)
    code = fixed_code(space)
    for row, found in zip(rows, code.edits(rows), strict=True):
        codes = np.repeat(code.of_rows(np.array([row])), len(found), axis=0)
        places = np.repeat(np.arange(len(code.choices)), code.choices - 1)
        steps = np.concatenate([np.arange(1, n) for n in code.choices])
        codes[np.arange(len(found)), places] += steps
        assert sorted(code.to_rows(codes % code.choices).tolist()) == sorted(found.tolist())


def test_edits_of_full_cells_are_nearly_all_their_neighbours():
    """What the fixed form lacks are edges against its order of the vertices."""
    rows = np.random.default_rng(2).integers(NB101.size, size=200)
    full = [row for row in rows.tolist() if len(NB101.from_index(row).nodes) == 7]
    assert len(full) > 100
    missed = total = 0
    for row, found in zip(full, fixed_code(NB101).edits(np.array(full)), strict=True):
        edits, neighbours = set(found.tolist()) - {-1, row}, set(neighbour_rows(np.array([row])).tolist())
        assert edits <= neighbours
        missed, total = missed + len(neighbours - edits), total + len(neighbours)
    assert missed < 0.1 * total
    a = NB201.sample(np.random.default_rng(3))
    found = fixed_code(NB201).edits(np.array([NB201.index(a)]))[0]
    assert sorted(found.tolist()) == sorted(NB201.index(b) for b in NB201.neighbours(a))


def test_no_rows_have_no_edits():
    for space in (NB101, NB201):
        assert fixed_code(space).edits(np.zeros(0, dtype=np.int64)).shape[0] == 0


def test_a_space_without_a_code_says_so():
    with pytest.raises(UnknownQuery, match="nb301 has no code"):
        fixed_code(NB301)
    with pytest.raises(UnknownQuery, match="edit path"):
        next(path_children(NB301, None, None, 0.5, np.random.default_rng(0)))


@CODED
def test_each_field_changes_with_its_probability_and_to_each_other_choice_alike(space: Any):
    code = fixed_code(space)
    start = np.zeros((20_000, len(code.choices)), dtype=np.int64)
    changed = changed_fields(code, start, np.random.default_rng(0))
    for k, (rate, choices) in enumerate(zip(code.rates, code.choices, strict=True)):
        counts = np.bincount(changed[:, k], minlength=choices)
        expected = [1 - rate, *[rate / (choices - 1)] * (choices - 1)]
        assert stats.chisquare(counts, 20_000 * np.array(expected)).pvalue > 1e-4


def test_a_field_mutant_is_the_code_changed_until_it_is_a_cell():
    """Against rejection by hand: the same law of the number of vertices and edges."""
    rng, code = np.random.default_rng(0), fixed_code(NB101)
    cell = NB101.from_index(123_456)
    mutate = field_mutation(NB101, rng)
    ours = [len(mutate(cell).edges) for _ in range(600)]
    codes = np.repeat(code.of_rows(NB101.rows([cell])), 4_000, axis=0)
    rows = code.to_rows(changed_fields(code, codes, rng))
    by_hand = [len(NB101.from_index(int(row)).edges) for row in rows[rows >= 0]]
    assert stats.ks_2samp(ours, by_hand).pvalue > 1e-3


# ---- crossover ----


@CODED
@pytest.mark.parametrize("rate", [0.3, 0.5])
def test_a_path_child_lies_on_a_shortest_path(space: Any, rate: float):
    rng = np.random.default_rng(0)
    children = 0
    for _ in range(40):
        a, b = space.sample(rng), space.sample(rng)
        d = _distance(space, a, b)
        for child in filter(None, islice(path_children(space, a, b, rate, rng), 20)):
            children += 1
            assert space.is_valid(child)
            assert _distance(space, a, child) == math.ceil(rate * d)
            assert _distance(space, child, b) == d - math.ceil(rate * d)
    assert children > 200


def test_as_many_edits_are_made_as_the_share_of_them_says_exactly():
    wanted = {(k, n): math.ceil(Fraction(k, 100) * n) for k in range(101) for n in range(31)}
    assert {(k, n): made_of(k / 100, n) for k, n in wanted} == wanted
    assert wanted[28, 25] == 7 != math.ceil(0.28 * 25)


@CODED
def test_parents_next_to_each_other_have_no_path_child(space: Any):
    rng = np.random.default_rng(0)
    a = space.sample(rng)
    b = next(n for n in space.neighbours(a) if _distance(space, a, n) == 1)
    assert list(path_children(space, a, b, 0.5, rng)) == list(path_children(space, a, a, 0.5, rng)) == []


def test_every_share_of_the_path_is_drawn_alike():
    children = list(islice(path_children(NB201, A, B, 0.5, np.random.default_rng(0)), 4_000))
    counts = np.unique([NB201.index(c) for c in children if c is not None], return_counts=True)[1]
    assert len(counts) == 20 and stats.chisquare(counts).pvalue > 1e-3  # 3 of 6 slots


@CODED
def test_a_standard_child_takes_each_field_from_one_parent_or_the_other(space: Any):
    rng, code = np.random.default_rng(4), fixed_code(space)
    a, b = space.sample(rng), space.sample(rng)
    first, second = code.of_rows(space.rows([a, b]))
    drawn = list(islice(standard_children(space, a, b, rng), 2_000))
    assert all(child is None or space.is_valid(child) for child in drawn)
    if space is not NB101:  # where a code is a cell
        codes = code.of_rows(space.rows(drawn))
        differs = first != second
        assert ((codes == first) | (codes == second)).all()
        share = (codes == second)[:, differs].mean(0)
        np.testing.assert_allclose(share, 0.5, atol=0.06)


# ---- evolution ----


def test_mutation_and_crossover_take_turns():
    config = EvolutionConfig(population=2, tournament=1, crossover="shortest_path")
    searcher = RegularisedEvolution(NB201, np.random.default_rng(0), config)
    searcher.tell([Proposal(A), Proposal(B)], np.array([1.0, 2.0]))
    mutant, child, again = (searcher.ask(1)[0].arch for _ in range(3))
    assert min(NB201.distance(mutant, A), NB201.distance(mutant, B)) == 1
    assert NB201.distance(child, A) == NB201.distance(child, B) == 3
    assert min(NB201.distance(again, A), NB201.distance(again, B)) == 1


@pytest.mark.parametrize("crossover", ["none", "standard", "shortest_path"])
def test_the_oldest_member_dies_whatever_its_value(crossover: Any):
    config = replace(SEP_EVOLUTION, population=10, tournament=10, crossover=crossover)
    searcher = RegularisedEvolution(NB201, np.random.default_rng(0), config)
    told = searcher.ask(10)
    searcher.tell(told, np.array([100.0, *range(9)]))
    for k in range(15):
        new = searcher.ask(1)
        searcher.tell(new, np.array([float(k)]))
        told = [*told, *new]
        assert [arch for arch, _ in searcher._members] == [p.arch for p in told[-10:]]


@pytest.mark.parametrize("crossover", ["none", "standard", "shortest_path"])
def test_evolution_of_nb101_cells_is_sound_and_reproducible(crossover: Any):
    config = replace(SEP_EVOLUTION, population=20, crossover=crossover)
    runs = []
    for seed in (0, 0, 1):
        searcher = RegularisedEvolution(NB101, np.random.default_rng(seed), config)
        asked: list[Any] = []
        for _ in range(60):
            proposals = searcher.ask(1)
            asked.append(proposals[0].arch)
            searcher.tell(proposals, np.array([float(sum(asked[-1].nodes))]))
        runs.append(asked)
    assert all(NB101.is_valid(arch) for arch in runs[0]) and len(set(runs[0])) == 60
    assert runs[0] == runs[1] != runs[2]


@pytest.mark.parametrize("crossover", ["none", "standard", "shortest_path"])
def test_evolution_with_the_settings_of_sep_beats_random_search(crossover: Any, nb201: NB201Benchmark):
    """Best of 250 queries, one-sided Mann-Whitney test."""
    labels = Ledger().open(nb201, VALID, "s")
    config = replace(SEP_EVOLUTION, population=50, crossover=crossover)

    def best(make: Any, runs: int) -> list[float]:
        return [spend(make(np.random.default_rng(s)), NB201, labels, 250).value.max() for s in range(runs)]

    ours = best(lambda rng: RegularisedEvolution(NB201, rng, config), 8)
    assert stats.mannwhitneyu(ours, best(lambda rng: RandomSearch(NB201, rng), 40), alternative="greater").pvalue < 0.01


# ---- the controller ----


@pytest.mark.parametrize("space", [NB201, NB101], ids=lambda s: s.name)
def test_the_logits_climb_the_gradient_of_the_log_probability(space: Any):
    """Against finite differences; the moving average by its definition."""
    config = ReinforceConfig(learning_rate=0.3, momentum=0.9, scale=1.0)
    searcher = Reinforce(space, np.random.default_rng(0), config)
    code = fixed_code(space)
    rewards: list[float] = []
    for reward in (0.5, 0.9, 0.2):
        proposals = searcher.ask(1)
        fields = searcher._drawn[space.index(proposals[0].arch)]
        assert code.to_rows(fields[None])[0] == space.index(proposals[0].arch)
        before = searcher.logits.copy()
        searcher.tell(proposals, np.array([reward]))
        rewards.append(reward)
        weights = 0.1 * 0.9 ** np.arange(len(rewards))[::-1]
        advantage = reward - weights @ rewards / weights.sum()

        def log_probability(logits: np.ndarray, fields: np.ndarray = fields) -> float:
            chosen = logits[np.arange(len(fields)), fields]
            return float((chosen - np.log(np.exp(logits).sum(1))).sum())

        for k, c in ((0, 0), (len(fields) - 1, 1)):
            up, down = before.copy(), before.copy()
            up[k, c] += 1e-5
            down[k, c] -= 1e-5
            slope = (log_probability(up) - log_probability(down)) / 2e-5
            assert searcher.logits[k, c] - before[k, c] == pytest.approx(0.3 * advantage * slope, abs=1e-8)


def test_the_controller_starts_uniform_and_learns_what_is_rewarded():
    searcher = Reinforce(NB201, np.random.default_rng(0), ReinforceConfig(learning_rate=0.3, scale=1.0))
    drawn = np.array([p.arch for p in searcher.ask(2_000)])
    for k in range(6):
        assert stats.chisquare(np.bincount(drawn[:, k], minlength=5)).pvalue > 1e-4
    searcher.tell([Proposal(None), Proposal(A)], np.array([np.nan, np.nan]))  # teaches nothing
    assert (searcher.logits == 0).all()
    for _ in range(400):
        proposals = searcher.ask(1)
        searcher.tell(proposals, np.array([float(proposals[0].arch.count(3))]))
    assert searcher.probabilities[:, 3].min() > 0.5
    np.testing.assert_allclose(searcher.probabilities.sum(1), 1)


def test_the_controller_proposes_cells_alone():
    searcher = Reinforce(NB101, np.random.default_rng(0))
    assert all(NB101.is_valid(p.arch) for p in searcher.ask(200))
    assert all(a != b for a, b in pairwise(p.arch for p in searcher.ask(20)))
