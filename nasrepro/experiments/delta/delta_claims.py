"""What the paper says of Figures 4 and 5, and what else their searches are asked: counts, differences, tests.

Of the points of all runs (see `delta_search`): at so many distinct cells (`at`), counted as the paper counts or all
labels (`counted`), what each method has. The counts need mean curves alone, so they can be taken again from a record.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from nasrepro.experiments.delta.contestants import METHODS
from nasrepro.parameters.delta import OTHER_LINES
from nasrepro.runs.statistics import holm, mean_difference

EVALUATIONS, LABELS = "evaluations", "labels"
LITERAL = "delta_literal"
PRINTED = OTHER_LINES
CONTROLS = (*PRINTED, "plain_ranking")  # what Delta-NAS as printed is held against, counted as the paper counts
RIVALS = ("evolution_sep", "local_search", "plain_ranking", "plain_sensible")
VARIANTS = ("delta_literal", "delta_sensible", "delta_retrain")
COUNTS = ("as_accurate", "as_close", "as_fast")
_ROUNDING = 1e-9  # of means of the same numbers in another order


def claim_rows(points: pd.DataFrame) -> list[dict[str, Any]]:
    """Return what the paper says of its figures as numbers, for each variant, counted as the paper counts.

    Among the other lines of the paper's figures (`PRINTED`): by how much the variant is ahead of the best in mean test
    accuracy at the end (`accuracy_ahead`, points) and of the nearest in the population's edit distance, averaged over
    the curve (`distance_ahead`, edits; negative is nearer); and the counts of `claim_counts`.
    """
    here = points[points["counted"] == EVALUATIONS]
    end = int(here["at"].max())
    test = {name: _by_run(part[part["at"] == end], "test") for name, part in here.groupby("method")}
    near = {name: _by_run(part, "population_distance") for name, part in here.groupby("method")}
    accurate = max(PRINTED, key=lambda other: test[other].mean())
    close = min(PRINTED, key=lambda other: near[other].mean())
    out = []
    for name, counted in claim_counts(here.groupby(["method", "at"])[["test", "population_distance"]].mean()).items():
        n = {"n": len(test[name])}
        numbers = {k: {"mean": float(counted.pop(k)), "low": None, "high": None, "median": None} | n for k in COUNTS}
        others = {"best_other": accurate, "closest_other": close}
        ahead = {
            "accuracy_ahead": mean_difference(test[name], test[accurate]).as_dict() | n,
            "distance_ahead": mean_difference(near[name], near[close]).as_dict() | n,
        }
        out.append({"searcher": name, "protocol": "claims"} | others | counted | ahead | numbers)
    return out


def claim_counts(means: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return how many of the paper's other lines are not behind each variant, from mean curves alone.

    Args:
        means: mean over the runs of `test` and `population_distance`, indexed by `method` and `at`, counted as the
            paper counts.

    Returns:
        For each variant of Delta-NAS: in accuracy at the end (`as_accurate`), in the population's edit distance
        averaged over the curve (`as_close`), and in the evaluations after which the mean test accuracy is what SEP
        crossover has at the end (`as_fast`, see `others_as_fast`); that `level`, and these `evaluations_to_level`, None
        where it is not reached.
    """
    names = list(dict.fromkeys(means.index.get_level_values("method")))
    curve = {name: means.loc[name] for name in names}
    end = {name: float(curve[name]["test"].iloc[-1]) for name in names}
    near = {name: float(curve[name]["population_distance"].mean()) for name in names}
    level = end["evolution_sep"]
    reached = {name: _first(curve[name]["test"], level) for name in names}
    out = {}
    for name in [m for m in METHODS if m in names and m.startswith("delta")]:
        of = {m: reached[m] for m in (name, *PRINTED)}
        out[name] = {
            "as_accurate": sum(end[other] >= end[name] - _ROUNDING for other in PRINTED),
            "as_close": sum(near[other] <= near[name] + _ROUNDING for other in PRINTED),
            "as_fast": others_as_fast(of, name),
            "level": level,
            "evaluations_to_level": of,
        }
    return out


def others_as_fast(evaluations_to_level: Mapping[str, float | None], name: str) -> int:
    """Return how many of the paper's other lines reach the level, and after no more evaluations than a variant.

    Args:
        evaluations_to_level: evaluations of the variant and of the other lines, None for one that never gets there: it
            is as fast as nobody, not even as a variant that does not get there either.
        name: the variant.
    """
    own = evaluations_to_level[name]
    others = [found for other in PRINTED if (found := evaluations_to_level[other]) is not None]
    return sum(own is None or found <= own for found in others)


def comparisons(points: pd.DataFrame, at: list[int]) -> list[dict[str, Any]]:
    """Return how far each variant's test accuracy is from that of each rival at equal numbers of labels: difference of
    means with its interval, and the p-value of a two-sided Mann-Whitney test, Holm-adjusted over all of them."""
    here = points[points["counted"] == LABELS]
    names = set(here["method"])
    pairs = [(v, r) for v, r in product(VARIANTS, RIVALS) if v in names and r in names]
    return _tested(here, pairs, at, "labels")


def against(points: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the same of Delta-NAS as printed and each other line of the figures and control, at the last point,
    counted as the paper counts."""
    here = points[points["counted"] == EVALUATIONS]
    names = set(here["method"])
    return _tested(here, [(LITERAL, c) for c in CONTROLS if c in names], [int(here["at"].max())], EVALUATIONS)


def _tested(here: pd.DataFrame, pairs: list[tuple[str, str]], at: list[int], counted: str) -> list[dict[str, Any]]:
    out: list[dict[str, Any]] = []
    for checkpoint in at:
        test = {name: _by_run(part, "test") for name, part in here[here["at"] == checkpoint].groupby("method")}
        for variant, rival in pairs:
            p = float(stats.mannwhitneyu(test[variant], test[rival]).pvalue)
            ahead = mean_difference(test[variant], test[rival]).as_dict()
            out.append({"method": variant, "rival": rival, counted: checkpoint, "ahead": ahead, "p": p})
    adjusted = holm([entry["p"] for entry in out])
    return [entry | {"p_holm": float(p)} for entry, p in zip(out, adjusted, strict=True)]


def _by_run(part: pd.DataFrame, measure: str) -> np.ndarray:
    """Return the mean of a measure over the points of each run."""
    return part.groupby("run")[measure].mean().to_numpy()


def _first(curve: pd.Series, level: float) -> float | None:
    """Return the first point at which a curve reaches a level, None where it does not."""
    found = curve.index[curve.to_numpy() >= level - _ROUNDING]
    return float(found[0]) if len(found) else None
