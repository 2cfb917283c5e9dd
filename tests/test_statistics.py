"""Statistics against closed forms, brute force and simulation."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from scipy import stats

from nasrepro.runs.statistics import (
    Summary,
    best_so_far,
    critical_difference,
    equivalence,
    holm,
    mean_difference,
    mean_ranks,
    permutation,
    summarise,
)


def test_summary_of_nothing_one_and_equal_values() -> None:
    assert summarise([]) == Summary(None, None, None, None, 0)
    assert summarise([91.5]) == Summary(91.5, None, None, 91.5, 1)
    assert summarise([0.1] * 7, groups=[0, 0, 0, 1, 1, 2, 2]) == Summary(
        pytest.approx(0.1), pytest.approx(0.1), pytest.approx(0.1), 0.1, 7
    )


@pytest.mark.parametrize(
    "arguments",
    [{"values": [1.0, np.nan]}, {"values": [1.0, 2.0], "groups": [0]}, {"values": [1.0, 2.0], "level": 1.0}],
)
def test_summarise_refuses_what_has_no_meaning(arguments: dict) -> None:
    with pytest.raises(ValueError):
        summarise(**arguments)


def test_summary_survives_the_way_through_a_record() -> None:
    summary = summarise([1.0, 2.0, 4.0])
    assert Summary.of(summary.as_dict()) == summary


def test_bootstrap_interval_is_the_exact_one_of_all_resamples() -> None:
    values = np.array([1.0, 2.0, 4.0, 8.0])
    means = np.array([np.mean(r) for r in product(values, repeat=4)])  # all 256 resamples
    low, high = np.quantile(means, [0.1, 0.9])
    summary = summarise(values, level=0.8, resamples=200_000)
    assert (summary.mean, summary.median) == (3.75, 3.0)
    assert summary.low == pytest.approx(low, abs=0.05)
    assert summary.high == pytest.approx(high, abs=0.05)


def test_two_level_bootstrap_is_the_exact_one_of_all_resamples() -> None:
    groups = [[0.0, 1.0], [10.0, 12.0]]
    means = []
    for first, second in product(groups, repeat=2):
        for a, b in product(product(first, repeat=2), product(second, repeat=2)):
            means.append(np.mean([*a, *b]))
    low, high = np.quantile(means, [0.1, 0.9])
    summary = summarise(np.ravel(groups), groups=["a", "a", "b", "b"], level=0.8, resamples=100_000)
    assert summary.low == pytest.approx(low, abs=0.11)
    assert summary.high == pytest.approx(high, abs=0.11)


def test_groups_widen_the_interval_when_they_differ_and_not_otherwise() -> None:
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(4), 25)
    noise = rng.normal(size=100)
    flat, apart = summarise(noise, groups), summarise(noise + 5 * groups, groups)
    alone = summarise(noise + 5 * groups)
    width = {name: s.high - s.low for name, s in {"flat": flat, "apart": apart, "alone": alone}.items()}
    assert width["apart"] > 1.5 * width["alone"]
    assert width["flat"] < 2 * (summarise(noise).high - summarise(noise).low)


def test_one_group_gives_the_plain_bootstrap_and_seeds_repeat() -> None:
    values = np.random.default_rng(2).normal(size=20)
    grouped, plain = summarise(values, [0] * 20, resamples=50_000), summarise(values, resamples=50_000)
    assert grouped.low == pytest.approx(plain.low, abs=0.02)
    assert grouped.high == pytest.approx(plain.high, abs=0.02)
    assert summarise(values, seed=3) == summarise(values, seed=3)


def test_bootstrap_interval_covers_the_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    trials, hits = 400, 0
    for trial in range(trials):
        summary = summarise(rng.normal(2.0, 1.0, 30), level=0.9, resamples=500, seed=trial)
        hits += summary.low <= 2.0 <= summary.high
    # The percentile interval of 30 values covers a little less than its level.
    assert 0.82 <= hits / trials <= 0.95


def test_two_level_interval_covers_the_mean_where_the_plain_one_does_not() -> None:
    rng = np.random.default_rng(4)
    trials, grouped, plain = 150, 0, 0
    groups = np.repeat(np.arange(8), 10)
    for trial in range(trials):
        values = rng.normal(size=8)[groups] + rng.normal(size=80)
        a = summarise(values, groups, resamples=400, seed=trial)
        b = summarise(values, resamples=400, seed=trial)
        grouped += a.low <= 0 <= a.high
        plain += b.low <= 0 <= b.high
    assert grouped / trials > 0.85
    assert plain / trials < 0.7


def test_equivalence_is_the_larger_of_two_t_tests() -> None:
    values = np.random.default_rng(5).normal(91.6, 0.05, 12)
    below = stats.ttest_1samp(values, 91.61 - 0.05, alternative="greater").pvalue
    above = stats.ttest_1samp(values, 91.61 + 0.05, alternative="less").pvalue
    assert equivalence(values, 91.61, 0.05) == pytest.approx(max(below, above))


def test_equivalence_of_constant_values_and_refusals() -> None:
    assert equivalence([91.6] * 3, 91.61, 0.05) == 0.0
    assert equivalence([91.5] * 3, 91.61, 0.05) == 1.0
    for bad in (lambda: equivalence([1.0], 1.0, 0.1), lambda: equivalence([1.0, 2.0], 1.0, 0.0)):
        with pytest.raises(ValueError):
            bad()


def test_holm_by_hand_and_for_every_order() -> None:
    expected = {0.01: 0.03, 0.02: 0.04, 0.03: 0.04}
    for order in permutations(expected):
        assert holm(order) == pytest.approx([expected[p] for p in order])
    assert holm([0.6, 0.7]) == pytest.approx([1.0, 1.0])
    assert holm([]).shape == (0,)
    with pytest.raises(ValueError):
        holm([1.2])


def test_best_so_far_carries_over_invalid_queries_and_starts_at_zero() -> None:
    nan = np.nan
    assert best_so_far([nan, 90.0, nan, 89.0, 91.0]).tolist() == [0.0, 90.0, 90.0, 90.0, 91.0]
    assert best_so_far([nan, nan]).tolist() == [0.0, 0.0]
    runs = np.array([[1.0, nan, 3.0], [nan, 2.0, 1.0]])
    assert best_so_far(runs).tolist() == [[1.0, 1.0, 3.0], [0.0, 2.0, 2.0]]


def test_mean_ranks_share_ties_and_the_critical_difference_is_that_of_the_published_table() -> None:
    assert mean_ranks([[3.0, 1.0, 2.0], [5.0, 5.0, 1.0]]).tolist() == [1.25, 2.25, 2.5]
    # Demsar (2006), Table 5: q_0.05 of 5 methods is 2.728; with 14 benchmarks CD = 2.728 sqrt(5 6 / (6 14))
    assert critical_difference(5, 14) == pytest.approx(2.728 * np.sqrt(30 / 84), abs=1e-3)


def test_the_difference_of_two_samples_and_its_interval():
    rng = np.random.default_rng(0)
    a, b = rng.normal(1, 1, 40), rng.normal(0, 2, 60)
    found = mean_difference(a, b)
    assert found.mean == pytest.approx(a.mean() - b.mean()) and found.n == 100
    error = np.sqrt(a.var() / 40 + b.var() / 60)
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.05)
    assert mean_difference([3.0], [1.0, 2.0]).low is None
    with pytest.raises(ValueError, match="two samples"):
        mean_difference([], [1.0])


@pytest.mark.parametrize("sizes", [(4, 5), (2, 6), (8, 8)])
def test_the_permutation_test_of_two_samples_is_that_of_scipy(sizes: tuple[int, int]):
    rng = np.random.default_rng(1)
    a, b = rng.normal(0.8, 1, sizes[0]).round(1), rng.normal(0, 1, sizes[1]).round(1)  # rounded: with ties

    def distance(x, y, axis):
        return np.abs(x.mean(axis=axis) - y.mean(axis=axis))

    exact = stats.permutation_test((a, b), distance, n_resamples=np.inf, alternative="greater").pvalue
    assert permutation(a, b) == pytest.approx(exact)
    assert permutation(a, b, resamples=4) >= 1 / 5  # drawn, not enumerated


def test_the_permutation_test_keeps_its_level():
    rng = np.random.default_rng(2)
    p = np.array([permutation(*rng.normal(size=(2, 5))) for _ in range(400)])
    assert stats.binomtest(int((p <= 0.05).sum()), 400, 0.05, alternative="greater").pvalue > 1e-3
    assert np.mean([permutation(rng.normal(3, 1, 6), rng.normal(size=6)) < 0.05 for _ in range(50)]) > 0.9
