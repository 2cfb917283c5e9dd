"""Statistics of repeated runs: intervals for means, tests against printed numbers and between methods.

Runs of one trained model are not independent repeats of the whole method, because they share the model. Where a
method was trained several times, the trainings are the groups, and both levels are resampled (Davison and Hinkley,
Bootstrap Methods, section 3.8).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

FAILED_RUN = 0.0  # score of a run without any valid sample (DiNAS, appendix A.1.1)


@dataclass(frozen=True)
class Summary:
    """Mean of `n` values with the ends of its interval, and their median; all in the unit of the values.

    `low` and `high` are None where one value says nothing about its spread (n = 1); all but `n` are None for n = 0.
    """

    mean: float | None
    low: float | None
    high: float | None
    median: float | None
    n: int

    def as_dict(self) -> dict[str, float | int | None]:
        """Return the plain dictionary that a record stores."""
        return asdict(self)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Summary:
        """Rebuild a summary from the dictionary that a record stores."""
        return cls(**{name: values[name] for name in ("mean", "low", "high", "median", "n")})


def summarise(
    values: ArrayLike,
    groups: ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> Summary:
    """Return mean, median and the percentile bootstrap interval of the mean.

    With `groups` the bootstrap has two levels: groups are drawn with replacement, then values within each drawn
    group, and a resample's mean weighs the groups by their sizes. The interval can be no better than the number of
    groups: with the usual 3 trainings it is a rough statement, on average too short (it takes the 3 for the
    population they come from). A single group is resampled within only.

    Args:
        values: n finite numbers.
        groups: n labels, for example the training that a run belongs to; None when all values are independent.
        level: probability content of the interval, between 0 and 1.
        resamples: number of bootstrap resamples.
        seed: seed of the resampling; the same input always gives the same interval.

    Returns:
        The summary; see `Summary` for n = 0 and n = 1. Constant values give an interval of width zero.

    Raises:
        ValueError: values that are not finite, labels that do not match them, or a level outside (0, 1).
    """
    data = np.asarray(values, dtype=np.float64).ravel()
    if not np.isfinite(data).all():
        raise ValueError("values must be finite; score failed runs before summarising (see best_so_far)")
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, not {level}")
    if groups is not None and len(np.ravel(np.asarray(groups))) != len(data):
        raise ValueError("groups needs one label per value")
    if len(data) == 0:
        return Summary(None, None, None, None, 0)
    mean, median = float(data.mean()), float(np.median(data))
    if len(data) == 1:
        return Summary(mean, None, None, median, 1)
    if np.ptp(data) == 0:  # exact: no rounding of resampled means
        return Summary(mean, mean, mean, median, len(data))
    means = _resampled_means(data, groups, resamples, np.random.default_rng(seed))
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Summary(mean, float(low), float(high), median, len(data))


def _resampled_means(
    data: np.ndarray, groups: ArrayLike | None, resamples: int, rng: np.random.Generator
) -> np.ndarray:
    """Return the means of bootstrap resamples, float64, `resamples` long."""
    if groups is None:
        return data[rng.integers(len(data), size=(resamples, len(data)))].mean(axis=1)
    labels, member = np.unique(np.ravel(np.asarray(groups)), return_inverse=True)
    members = [data[member == g] for g in range(len(labels))]
    chosen = rng.integers(len(labels), size=(resamples, len(labels)))
    total, count = np.zeros(resamples), np.zeros(resamples)
    for column in chosen.T:
        for g, of_group in enumerate(members):
            here = np.flatnonzero(column == g)
            total[here] += of_group[rng.integers(len(of_group), size=(len(here), len(of_group)))].sum(axis=1)
            count[here] += len(of_group)
    return total / count


def equivalence(values: ArrayLike, printed: float, margin: float) -> float:
    """Return the p-value of two one-sided t-tests that the mean lies within `margin` of a printed mean (TOST).

    Schuirmann (1987). A small p says that the true mean differs from `printed` by less than `margin`. The values are
    taken as independent and the printed mean as exact (papers rarely print its spread), so p is a lower bound where
    runs share a model. Constant values give 0 or 1.

    Raises:
        ValueError: fewer than two values or a margin that is not positive.
    """
    data = np.asarray(values, dtype=np.float64).ravel()
    if len(data) < 2 or not margin > 0:
        raise ValueError("equivalence needs at least two values and a positive margin")
    difference, error = data.mean() - printed, data.std(ddof=1) / np.sqrt(len(data))
    if np.ptp(data) == 0:
        return 0.0 if abs(difference) < margin else 1.0
    from scipy import stats  # takes half a second to import

    p_below = stats.t.sf((difference + margin) / error, len(data) - 1)
    p_above = stats.t.cdf((difference - margin) / error, len(data) - 1)
    return float(max(p_below, p_above))


def mean_ranks(scores: ArrayLike) -> np.ndarray:
    """Return the mean rank of each of k methods over n benchmarks (scores n x k, higher is better, 1 = best); ties
    share their ranks."""
    from scipy import stats  # takes half a second to import

    return np.asarray(stats.rankdata(-np.asarray(scores, dtype=np.float64), axis=1).mean(0))


def critical_difference(methods: int, benchmarks: int, level: float = 0.05) -> float:
    """Return Nemenyi's critical difference of two mean ranks (Demsar, JMLR 2006, section 3.2.2)."""
    from scipy import stats  # takes half a second to import

    q = stats.studentized_range.ppf(1 - level, methods, np.inf) / np.sqrt(2)
    return float(q * np.sqrt(methods * (methods + 1) / (6 * benchmarks)))


def holm(pvalues: Sequence[float]) -> np.ndarray:
    """Return Holm's step-down adjusted p-values (family-wise error), in the order given."""
    p = np.asarray(pvalues, dtype=np.float64)
    if p.size and not ((p >= 0) & (p <= 1)).all():
        raise ValueError("p-values lie between 0 and 1")
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return adjusted


def best_so_far(values: ArrayLike) -> np.ndarray:
    """Return the best value of the first 1, 2, ... queries, along the last axis.

    An invalid query is NaN: it counts as a query and leaves the best as it was. Before the first valid query the best
    is 0, the score of a run without any valid sample (DiNAS, appendix A.1.1).
    """
    data = np.asarray(values, dtype=np.float64)
    return np.maximum.accumulate(np.where(np.isnan(data), FAILED_RUN, data), axis=-1)


def mean_difference(a: ArrayLike, b: ArrayLike, level: float = 0.95, resamples: int = 10_000, seed: int = 0) -> Summary:
    """Return the difference of the means of two independent samples, a - b, with its percentile bootstrap interval.

    Both samples are resampled. `median` is the difference of the medians, `n` the number of values of both.

    Raises:
        ValueError: a sample is empty, or values are not finite.
    """
    first, second = _two_samples(a, b)
    rng = np.random.default_rng(seed)
    means = _resampled_means(first, None, resamples, rng) - _resampled_means(second, None, resamples, rng)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    known = min(len(first), len(second)) > 1  # one value says nothing about its spread
    return Summary(
        float(first.mean() - second.mean()),
        float(low) if known else None,
        float(high) if known else None,
        float(np.median(first) - np.median(second)),
        len(first) + len(second),
    )


def permutation(a: ArrayLike, b: ArrayLike, resamples: int = 20_000, seed: int = 0) -> float:
    """Return the two-sided p-value of the permutation test that two independent samples have the same mean.

    All ways to share out the values are enumerated where there are at most `resamples`; beyond, so many random ones
    are drawn and (k + 1) / (resamples + 1) is returned.

    Raises:
        ValueError: as `mean_difference`.
    """
    first, second = _two_samples(a, b)
    values, n = np.concatenate([first, second]), len(first)
    centred = values - values.mean()  # a - b is then a multiple of the sum of the first sample
    near = abs(centred[:n].sum()) - 1e-9 * np.abs(centred).sum()
    if comb(len(values), n) <= resamples:
        chosen = np.array(list(combinations(range(len(values)), n)))
        return float((np.abs(centred[chosen].sum(axis=1)) >= near).mean())
    rng = np.random.default_rng(seed)
    drawn = rng.permuted(np.tile(centred, (resamples, 1)), axis=1)[:, :n].sum(axis=1)
    return float(((np.abs(drawn) >= near).sum() + 1) / (resamples + 1))


def _two_samples(a: ArrayLike, b: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    first, second = (np.asarray(values, dtype=np.float64).ravel() for values in (a, b))
    if min(len(first), len(second)) == 0 or not np.isfinite(np.concatenate([first, second])).all():
        raise ValueError("two samples of finite values are compared, each of at least one")
    return first, second
