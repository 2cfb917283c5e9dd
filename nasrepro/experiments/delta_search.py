"""Delta-NAS, Figures 4 and 5: searches on NAS-Bench-101 and NAS-Bench-201, with two ways to count what they cost.

`evaluations` counts as the paper does: what the search evaluates, without the labels that a predictor was trained on.
`labels` counts every distinct label that was read, those for training first; whatever is labelled may be returned, so
the best training cell counts too. At each count: the best cell so far by the column that is searched, its test
accuracy, its edit distance to the best cell of the table, and the average edit distance of the population.

The population is the last P cells proposed: in regularised evolution and in Delta-NAS that is the population itself,
for methods without one P is 100. The edit distance is the exact graph edit distance in NAS-Bench-101 (SEP's fixed
target is the best cell of the table, too), the number of different slots in NAS-Bench-201.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import partial
from itertools import product
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
from pydantic import Field
from scipy import stats

from nasrepro import benchmarks
from nasrepro.benchmarks.ledger import Ledger
from nasrepro.experiments.baselines import columns
from nasrepro.experiments.delta_contestants import METHODS, TABLE, Method, Trained
from nasrepro.search.base import spend
from nasrepro.seeding import numpy_stream
from nasrepro.spaces.base import FiniteSpace
from nasrepro.spaces.edit_distance import edit_distances, pack
from nasrepro.spaces.nb101 import NB101Space
from nasrepro.study import progress
from nasrepro.study.parameters import Parameters
from nasrepro.study.provenance import stopwatch
from nasrepro.study.run import Experiment, Outcome, RunContext
from nasrepro.study.statistics import holm, mean_difference, summarise

EVALUATIONS, LABELS = "evaluations", "labels"
MEASURES = ("value", "test", "distance", "population_distance")
PRINTED = ("evolution_sep", "evolution_crossover", "evolution", "random", "reinforce")  # the other lines of the paper
RIVALS = ("evolution_sep", "local_search", "plain_ranking", "plain_sensible")
VARIANTS = ("delta_literal", "delta_sensible", "delta_retrain")
_STEP = 25  # labels between the points of a curve
_CHECKPOINTS = (200, 500, 1000, 2000, 5000)
_MOST_DRAWS = 20  # times `queries`; a walk that comes back to cells that it knows draws more than it labels


class DeltaSearchParameters(Parameters):
    """Parameters of `nasrepro run delta_search`. Defaults are those of the `laptop` profile."""

    benchmark: Literal["nb101", "nb201"] = Field("nb201", description="which benchmark")
    dataset: Literal["cifar10", "cifar100", "imagenet16-120"] = Field("cifar10", description="data set")
    queries: int = Field(500, ge=50, le=15_625, description="distinct cells that a search evaluates")
    training_labels: int = Field(100, ge=4, le=5000, description="labels that a predictor is trained on")
    runs: int = Field(50, ge=2, le=1000, description="runs of each method")
    seed: int = Field(0, ge=0, description="master seed")

    profiles: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "smoke": {"runs": 2, "queries": 100, "training_labels": 20},
        "laptop": {},
        "full": {"queries": 5000},
    }


def execute(p: DeltaSearchParameters, context: RunContext) -> Outcome:
    """Run every method as often as asked, and compare."""
    benchmark: Any = benchmarks.load(p.benchmark)
    column, test = columns(p.benchmark, p.dataset)
    best = benchmark.optimum(column)
    target = benchmark.space.index(benchmark.arch(best.arch))
    distances = distances_to(benchmark.space, target)
    task = _Task(p, benchmark, distances)
    with progress.task("searches", p.runs) as advance:
        parts = []
        for run in range(p.runs):
            parts.append(context.stage("search", f"run-{run}", partial(task.run, run)))
            advance(run + 1)
    points = pd.concat(parts, ignore_index=True)
    at = [c for c in _CHECKPOINTS if c < p.queries] + [p.queries]
    metrics = {
        "column": str(column),
        "test_column": str(test),
        "optimum": {"value": best.value, "arch": best.arch, "test": _test_of(benchmark, test, target, context.ledger)},
        "checkpoints": at,
        "rows": [*summary_rows(points, at), *claim_rows(points)],
        "comparisons": comparisons(points, at),
        "seconds": {name: float(part["seconds"].sum()) for name, part in _once(points).groupby("method", sort=False)},
    }
    kept = points[points["at"].isin(at)].drop(columns=["seconds"])
    return Outcome(metrics, {"curves": curves(points), "runs": kept}, {"master": p.seed})


class _Task:
    """What one run needs: all methods on the same benchmark."""

    def __init__(self, p: DeltaSearchParameters, benchmark: Any, distances: np.ndarray) -> None:
        self._p, self._benchmark, self._distances = p, benchmark, distances
        self._column, test = columns(p.benchmark, p.dataset)
        assert test is not None  # both benchmarks have one
        self._test = test

    def run(self, run: int, ledger: Ledger) -> pd.DataFrame:
        """Return the points of the curves of every method, both ways of counting."""
        p, space = self._p, self._benchmark.space
        trained = Trained(space, p.training_labels, p.seed, run)
        parts = []
        for name, method in METHODS.items():
            with stopwatch() as watch:
                labels = ledger.open(self._benchmark, self._column, name)
                searcher, before = method.begin(trained, labels, numpy_stream(p.seed, name, run))
                batch = method.population if name.startswith(("delta", "plain")) else 1
                trace = spend(searcher, space, labels, p.queries, batch=batch, most_draws=_MOST_DRAWS * p.queries)
            asked = trace["row"].to_numpy()
            ways = {EVALUATIONS: asked} | ({} if method.predictor == TABLE else {LABELS: np.append(before, asked)})
            for way, rows in ways.items():
                points = self._points(rows, method, name, ledger)
                parts.append(points.assign(method=name, counted=way, run=run, seconds=watch.wall_s))
        return pd.concat(parts, ignore_index=True)

    def _points(self, rows: np.ndarray, method: Method, name: str, ledger: Ledger) -> pd.DataFrame:
        """Return what is known after each so many distinct cells of a sequence of cells (rows, in order)."""
        grid = np.arange(_STEP, self._p.queries + 1, _STEP)
        values = self._benchmark.query_many(rows, self._column)  # read, and noted, before
        count, best = distinct_so_far(rows), best_so_far(rows, values)
        last = np.searchsorted(count, grid, side="right") - 1
        tested = ledger.open(self._benchmark, self._test, name).read(best[last], "report")
        return pd.DataFrame(
            {
                "at": grid,
                "value": np.maximum.accumulate(values)[last],
                "test": tested,
                "distance": self._distances[best[last]].astype(float),
                "population_distance": rolling_mean(self._distances[rows], method.population)[last],
            }
        )


def distinct_so_far(rows: np.ndarray) -> np.ndarray:
    """Return how many distinct entries there are up to each place, int64."""
    new = np.zeros(len(rows), dtype=np.int64)
    new[np.unique(rows, return_index=True)[1]] = 1
    return new.cumsum()


def best_so_far(rows: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the row of the largest value up to each place, of equal ones the first."""
    improves = np.append(True, values[1:] > np.maximum.accumulate(values)[:-1])
    found: np.ndarray = rows[np.maximum.accumulate(np.where(improves, np.arange(len(rows)), 0))]
    return found


def rolling_mean(values: np.ndarray, window: int) -> np.ndarray:
    """Return the mean of the last `window` values at each place, of fewer at the beginning."""
    total = np.append(0.0, np.cumsum(values, dtype=np.float64))
    stop = np.arange(1, len(values) + 1)
    start = np.maximum(stop - window, 0)
    found: np.ndarray = (total[stop] - total[start]) / (stop - start)
    return found


def distances_to(space: FiniteSpace[Any], row: int) -> np.ndarray:
    """Return the edit distance (int64) of every cell of a space to one of them; see the module for which."""
    if isinstance(space, NB101Space):
        graphs = space.encode_rows(np.arange(space.size))
        packed = pack(graphs.nodes.numpy(), graphs.adjacency().numpy() != 0, graphs.mask.sum(1).numpy())
        return edit_distances(packed, packed[np.array([row])])
    cells = np.array(list(space.all()))
    distances: np.ndarray = (cells != cells[row]).sum(1)
    return distances


def curves(points: pd.DataFrame) -> pd.DataFrame:
    """Return mean, median and quartiles over the runs of each measure at each point."""
    grouped = points.groupby(["method", "counted", "at"], sort=False)[list(MEASURES)]
    parts = [
        frame.add_suffix(f"_{stat}")
        for stat, frame in (
            *(("mean", grouped.mean()), ("median", grouped.median())),
            *(("low", grouped.quantile(0.25)), ("high", grouped.quantile(0.75))),
        )
    ]
    return pd.concat(parts, axis=1).reset_index()


def summary_rows(points: pd.DataFrame, at: list[int]) -> list[dict[str, Any]]:
    """Return one dictionary per method and way of counting: each measure at each checkpoint, e.g. `test_500`."""
    out = []
    for (name, counted), part in points.groupby(["method", "counted"], sort=False):
        row: dict[str, Any] = {"searcher": name, "protocol": counted, "title": METHODS[str(name)].title}
        row["runs"] = int(part["run"].nunique())
        for checkpoint in at:
            here = part[part["at"] == checkpoint]
            row |= {f"{m}_{checkpoint}": summarise(here[m]).as_dict() for m in MEASURES}
        out.append(row)
    return out


def claim_rows(points: pd.DataFrame) -> list[dict[str, Any]]:
    """Return what the paper says of its figures as numbers, for each variant, counted as the paper counts.

    Among the other lines of the paper's figures (`PRINTED`): by how much the variant is ahead of the best in mean test
    accuracy at the end (`accuracy_ahead`, points) and of the nearest in the population's edit distance, averaged over
    the curve (`distance_ahead`, edits; negative is nearer); and how many of the others are not behind it: in accuracy
    (`as_accurate`), in that distance (`as_close`), and in the evaluations after which the mean test accuracy is what
    SEP crossover has at the end (`as_fast`).
    """
    here = points[points["counted"] == EVALUATIONS]
    end = int(here["at"].max())
    test = {name: _by_run(part[part["at"] == end], "test") for name, part in here.groupby("method")}
    near = {name: _by_run(part, "population_distance") for name, part in here.groupby("method")}
    accuracy, distance = ({name: _mean(runs) for name, runs in of.items()} for of in (test, near))
    level = accuracy["evolution_sep"]
    means: pd.Series[Any] = here.groupby(["method", "at"])["test"].agg(_mean)
    reached = {name: _first(means[name], level) for name in test}
    out = []
    for name in [m for m in METHODS if m.startswith("delta")]:
        accurate, close = max(PRINTED, key=accuracy.__getitem__), min(PRINTED, key=distance.__getitem__)
        counts = {
            "as_accurate": sum(accuracy[other] >= accuracy[name] for other in PRINTED),
            "as_close": sum(distance[other] <= distance[name] for other in PRINTED),
            "as_fast": sum(reached[other] <= reached[name] for other in PRINTED),
        }
        n = len(test[name])
        out.append(
            {
                "searcher": name,
                "protocol": "claims",
                "best_other": accurate,
                "closest_other": close,
                "level": level,
                "evaluations_to_level": {m: None if np.isinf(reached[m]) else reached[m] for m in (name, *PRINTED)},
                "accuracy_ahead": mean_difference(test[name], test[accurate]).as_dict(),
                "distance_ahead": mean_difference(near[name], near[close]).as_dict(),
                **{k: {"mean": float(v), "low": None, "high": None, "median": None, "n": n} for k, v in counts.items()},
            }
        )
    return out


def comparisons(points: pd.DataFrame, at: list[int]) -> list[dict[str, Any]]:
    """Return how far each variant's test accuracy is from that of each rival at equal numbers of labels: difference of
    means with its interval, and the p-value of a two-sided Mann-Whitney test, Holm-adjusted over all of them."""
    out: list[dict[str, Any]] = []
    here = points[points["counted"] == LABELS]
    for checkpoint in at:
        test = {name: _by_run(part, "test") for name, part in here[here["at"] == checkpoint].groupby("method")}
        for variant, rival in product(VARIANTS, RIVALS):
            p = float(stats.mannwhitneyu(test[variant], test[rival]).pvalue)
            ahead = mean_difference(test[variant], test[rival]).as_dict()
            out.append({"method": variant, "rival": rival, "labels": checkpoint, "ahead": ahead, "p": p})
    adjusted = holm([entry["p"] for entry in out])
    return [entry | {"p_holm": float(p)} for entry, p in zip(out, adjusted, strict=True)]


def _by_run(part: pd.DataFrame, measure: str) -> np.ndarray:
    """Return the mean of a measure over the points of each run."""
    return part.groupby("run")[measure].mean().to_numpy()


def _mean(values: Iterable[float]) -> float:
    """Return the mean, the sum rounded once: the same values in any order have the same mean."""
    found = list(values)
    return math.fsum(found) / len(found)


def _first(curve: pd.Series, level: float) -> float:
    """Return the first point at which a curve reaches a level, infinity where it does not."""
    found = curve.index[curve.to_numpy() >= level]
    return float(found[0]) if len(found) else float("inf")


def _once(points: pd.DataFrame) -> pd.DataFrame:
    return points[points["counted"] == EVALUATIONS].drop_duplicates(["method", "run"])


def _test_of(benchmark: Any, test: Any, row: int, ledger: Ledger) -> float:
    return float(ledger.open(benchmark, test, "book").read(np.array([row]), "report")[0])


def _data(p: DeltaSearchParameters) -> dict[str, str]:
    asked = [column for column in columns(p.benchmark, p.dataset) if column is not None]
    return benchmarks.load(p.benchmark).checksums(list(dict.fromkeys(asked)))


EXPERIMENT = Experiment("delta_search", 2, DeltaSearchParameters, _data, execute)
