"""Zero-cost proxies as an encoding: 13 scores of the untrained network (NAS-Bench-Suite-Zero, NeurIPS 2022).

A score is the published one where the benchmark's files have it. They have all 13 of 9,445 cells of NAS-Bench-201, of
292 of NAS-Bench-101 and of 1,218 pairs of DARTS cells; of more cells only Zen-score, and of TransNAS-Bench-101 also
synflow. A missing score is predicted from what the cell is made of (`tabular`), by boosted trees fitted to the cells
that have it. `Coverage` says how many cells have a score, and how well the predictions rank held-out cells.

Scores are replaced by their ranks among the cells that have them, 0 to 1: they span dozens of orders of magnitude, and
some files say -1e8 for a cell without a path. No label is read; computing a score costs one or two passes of a batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import kendalltau, rankdata

from nasrepro.benchmarks.base import MEAN, Benchmark, Column
from nasrepro.seeding import numpy_stream

PROXIES = (
    *("epe_nas", "fisher", "flops", "grad_norm", "grasp", "jacov", "l2_norm", "nwot", "params", "plain", "snip"),
    *("synflow", "zen"),
)
_COUNTED = {"params": "parameters", "flops": "flops"}  # proxies that a benchmark may count for every cell
_HELD_OUT = 5  # folds, of which one measures the imputation
_MOST = 4_000  # cells that an imputation is fitted to


@dataclass(frozen=True)
class Coverage:
    """What is known of a proxy.

    Attributes:
        known: number of cells, of those asked for, with a published or counted score.
        cells: number of cells asked for.
        fitted_to: cells that the imputation learnt from; 0 where nothing was imputed.
        tau: Kendall's tau of the imputation on a fifth of them that was held out; None where nothing was imputed.
    """

    known: int
    cells: int
    fitted_to: int
    tau: float | None


def zero_cost(
    benchmark: Benchmark[Any],
    dataset: str,
    cells: Any,
    features: np.ndarray,
    known_cells: Any,
    known_features: np.ndarray,
) -> tuple[dict[str, np.ndarray], dict[str, Coverage]]:
    """Return the proxies of cells by name, as ranks, float32, B each, and what is known of each. A proxy that the
    benchmark has of no cell is left out.

    Args:
        benchmark: whose columns of split `proxy` are read.
        dataset: whose proxies.
        cells: rows or architectures, B.
        features: what a missing score is predicted from, B x F.
        known_cells: rows or architectures of which scores may be known, for fitting.
        known_features: their features.
    """
    scores: dict[str, np.ndarray] = {}
    coverage: dict[str, Coverage] = {}
    for name in PROXIES:
        if (column := _column(benchmark, dataset, name)) is None:
            continue
        source = _finite(benchmark.query_many(known_cells, column))
        have = np.flatnonzero(np.isfinite(source))
        values = _finite(benchmark.query_many(cells, column))
        missing, ascending = ~np.isfinite(values), np.sort(source[have])
        ranks = _rank_among(ascending, values)
        fitted, tau = 0, None
        if missing.any():
            have = numpy_stream(0, "zero-cost", name).permutation(have)[:_MOST]
            targets = rankdata(source[have]) / len(have)
            test = np.arange(len(have)) % _HELD_OUT == 0
            held_out = _impute(known_features[have[~test]], targets[~test], known_features[have[test]])
            fitted, tau = len(have), float(kendalltau(held_out, targets[test]).statistic)
            ranks[missing] = _impute(known_features[have], targets, features[missing])
        coverage[name] = Coverage(int((~missing).sum()), len(values), fitted, tau)
        scores[name] = ranks.astype(np.float32)
    return scores, coverage


def _column(benchmark: Benchmark[Any], dataset: str, name: str) -> Column | None:
    """Return the column that answers for a proxy: counted for every cell where there is one, else published."""
    here = benchmark.columns()
    counted = Column(dataset, _COUNTED.get(name, ""), "model", 0, MEAN)
    published = Column(dataset, name, "proxy", 0, MEAN)
    return next((column for column in (counted, published) if column in here), None)


def _finite(values: np.ndarray) -> np.ndarray:
    """Return scores with infinities as the largest numbers, which keep their rank."""
    return np.where(np.isinf(values), np.sign(values) * np.finfo(np.float64).max, values)


def _rank_among(ascending: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the share of sorted scores below each value, equal ones counted half; NaN counts as the largest."""
    below = np.searchsorted(ascending, values, "left") + np.searchsorted(ascending, values, "right")
    ranks: np.ndarray = below / (2 * len(ascending))
    return ranks


def _impute(features: np.ndarray, targets: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    from sklearn.ensemble import HistGradientBoostingRegressor

    model = HistGradientBoostingRegressor(max_iter=100, min_samples_leaf=8, early_stopping=False, random_state=0)
    predicted: np.ndarray = model.fit(features, targets).predict(wanted)
    return predicted
