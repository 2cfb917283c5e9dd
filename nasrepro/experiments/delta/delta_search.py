"""Delta-NAS, Figures 4 and 5: searches on NAS-Bench-101 and NAS-Bench-201, with two ways to count what they cost.

`evaluations` counts as the paper does: what the search evaluates, without the labels that a predictor was trained on.
`labels` counts every distinct label that was read, those for training first; whatever is labelled may be returned, so
the best training cell counts too. A method that reads more labels for training than a search evaluates has no such
curve: its points would all be training cells. What these are worth without any search, the test accuracy of the best of
them, is `training_test`. At each count: the best cell so far by the column that is searched, its test
accuracy, its edit distance to the best cell of the table, and the average edit distance of the population.

The population is the last P cells proposed: in regularised evolution and in Delta-NAS that is the population itself,
for methods without one P is 100. The edit distance is the exact graph edit distance in NAS-Bench-101 (SEP's fixed
target is the best cell of the table, too), the number of different slots in NAS-Bench-201.

As printed is `delta_literal` alone: the paper's network, told differences of one-edit pairs (Algorithm 1), and the walk
of Algorithm 2. The paper says of its training sets that they are 1 % or 10 % of the space, or Zen-scores and no label;
100 labels are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from nasrepro import benchmarks
from nasrepro.benchmarks.base import MEAN, Column
from nasrepro.benchmarks.ledger import Ledger
from nasrepro.errors import ParameterError
from nasrepro.experiments.delta import delta_claims as claims
from nasrepro.experiments.delta.contestants import METHODS, TABLE, Method, Trained
from nasrepro.experiments.delta.delta_claims import EVALUATIONS, LABELS
from nasrepro.experiments.dinas.baselines import columns
from nasrepro.parameters.delta import DeltaSearchParameters
from nasrepro.runs import progress
from nasrepro.runs.provenance import stopwatch
from nasrepro.runs.run import Experiment, Outcome, RunContext
from nasrepro.runs.statistics import summarise
from nasrepro.search.base import spend
from nasrepro.seeding import numpy_stream
from nasrepro.spaces.base import FiniteSpace
from nasrepro.spaces.nb101.graph_edits import edit_distances, pack
from nasrepro.spaces.nb101.space import NB101Space

MEASURES = ("value", "test", "distance", "population_distance")
_NO_SCORE = -1e7  # networks whose Zen-score could not be computed have -1e8: their differences would be all the loss
_STEP = 25  # labels between the points of a curve
_CHECKPOINTS = (200, 500, 1000, 2000, 5000)
_MOST_DRAWS = 20  # times `queries`; a walk that comes back to cells that it knows draws more than it labels


def execute(p: DeltaSearchParameters, context: RunContext) -> Outcome:
    """Run every method as often as asked, and compare."""
    methods_of(p)
    benchmark: Any = benchmarks.load(p.benchmark)
    column, test = columns(p.benchmark, p.dataset)
    assert test is not None  # both benchmarks have one
    best = benchmark.optimum(column)
    target = benchmark.space.index(benchmark.arch(best.arch))
    searches = _Searches(p, benchmark, column, test, distances_to(benchmark.space, target))
    parts = []
    with progress.task("searches", p.runs) as advance:
        for run in range(p.runs):
            parts.append(context.stage("search", f"run-{run}", partial(searches.run, run)))
            advance(run + 1)
    points = pd.concat(parts, ignore_index=True)
    at = [c for c in _CHECKPOINTS if c < p.queries] + [p.queries]
    once = points[points["counted"] == EVALUATIONS].drop_duplicates(["method", "run"])
    best_test = float(context.ledger.open(benchmark, test, "book").read(np.array([target]), "report")[0])
    metrics = {
        "column": str(column),
        "test_column": str(test),
        "optimum": {"value": best.value, "arch": best.arch, "test": best_test},
        "checkpoints": at,
        "rows": [*summary_rows(points, at), *claims.claim_rows(points)],
        "comparisons": claims.comparisons(points, at),
        "against": claims.against(points),
        "seconds": {name: float(part["seconds"].sum()) for name, part in once.groupby("method", sort=False)},
    }
    kept = points[points["at"].isin(at)].drop(columns=["seconds"])
    return Outcome(metrics, {"curves": curves(points), "runs": kept}, {"master": p.seed})


def methods_of(p: DeltaSearchParameters) -> dict[str, Method]:
    """Return the methods that take part, by name; raise `ParameterError` where they cannot do without labels."""
    if p.methods == "all":
        if p.trained_on == "zen":
            raise ParameterError(
                "trained_on=zen: variants beyond the paper are told labels before they search; take methods=printed."
            )
        return METHODS
    names = {claims.LITERAL, *claims.PRINTED} | ({"plain_ranking"} if p.trained_on == "accuracy" else set())
    return {name: method for name, method in METHODS.items() if name in names}


@dataclass(frozen=True)
class _Searches:
    """All methods on the same benchmark; `distances` are those of its cells to the best one."""

    p: DeltaSearchParameters
    benchmark: Any
    column: Column
    test: Column
    distances: np.ndarray

    def run(self, run: int, ledger: Ledger) -> pd.DataFrame:
        """Return the points of the curves of every method, both ways of counting."""
        p, space, among, parts = self.p, self.benchmark.space, None, []
        scored = zen_column(p.dataset) if p.trained_on == "zen" else None
        if scored:  # training is drawn from the cells with a score; NaN is not above, either
            known = ledger.open(self.benchmark, scored, "pool").read(np.arange(space.size), "threshold")
            among = np.flatnonzero(known > _NO_SCORE)
        trained = Trained(space, p.training_labels, p.seed, run, among)
        for name, method in methods_of(p).items():
            with stopwatch() as watch:
                labels = ledger.open(self.benchmark, self.column, name)
                scores = ledger.open(self.benchmark, scored, name) if scored else None
                searcher, before = method.begin(trained, labels, numpy_stream(p.seed, name, run), scores)
                batch = method.population if name.startswith(("delta", "plain")) else 1
                trace = spend(searcher, space, labels, p.queries, batch=batch, most_draws=_MOST_DRAWS * p.queries)
            asked, without = trace["row"].to_numpy(), float("nan")
            ways = {EVALUATIONS: asked}
            if method.predictor != TABLE and len(np.unique(before)) < p.queries:
                ways[LABELS] = np.append(before, asked)
            if method.predictor != TABLE and len(before):  # the best of the cells that were read for training
                found = before[self.benchmark.query_many(before, self.column).argmax()]  # read, and noted, before
                without = float(ledger.open(self.benchmark, self.test, name).read(np.array([found]), "report")[0])
            for way, rows in ways.items():
                points = self._points(rows, method, name, ledger).assign(method=name, counted=way, run=run)
                parts.append(points.assign(seconds=watch.wall_s, training_test=without))
        return pd.concat(parts, ignore_index=True)

    def _points(self, rows: np.ndarray, method: Method, name: str, ledger: Ledger) -> pd.DataFrame:
        """Return what is known after each so many distinct cells of a sequence of cells (rows, in order)."""
        grid = np.arange(_STEP, self.p.queries + 1, _STEP)
        values = self.benchmark.query_many(rows, self.column)  # read, and noted, before
        last = np.searchsorted(distinct_so_far(rows), grid, side="right") - 1
        best = best_so_far(rows, values)[last]
        found = {"at": grid, "value": np.maximum.accumulate(values)[last]}
        found["test"] = ledger.open(self.benchmark, self.test, name).read(best, "report")
        found["distance"] = self.distances[best].astype(float)
        found["population_distance"] = rolling_mean(self.distances[rows], method.population)[last]
        return pd.DataFrame(found)


def distinct_so_far(rows: np.ndarray) -> np.ndarray:
    """Return how many distinct entries there are up to each place, int64."""
    return (~pd.Series(rows).duplicated()).cumsum().to_numpy()


def best_so_far(rows: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the row of the largest value up to each place, of equal ones the first."""
    improves = np.append(True, values[1:] > np.maximum.accumulate(values)[:-1])
    found: np.ndarray = rows[np.maximum.accumulate(np.where(improves, np.arange(len(rows)), 0))]
    return found


def rolling_mean(values: np.ndarray, window: int) -> np.ndarray:
    """Return the mean of the last `window` values at each place, of fewer at the beginning."""
    return pd.Series(values).rolling(window, min_periods=1).mean().to_numpy()


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
    of = points.groupby(["method", "counted", "at"], sort=False)[list(MEASURES)]
    found = {"mean": of.mean(), "median": of.median(), "low": of.quantile(0.25), "high": of.quantile(0.75)}
    return pd.concat([frame.add_suffix(f"_{stat}") for stat, frame in found.items()], axis=1).reset_index()


def summary_rows(points: pd.DataFrame, at: list[int]) -> list[dict[str, Any]]:
    """Return one dictionary per method and way of counting: each measure at each checkpoint, e.g. `test_500`."""
    out = []
    for (name, counted), part in points.groupby(["method", "counted"], sort=False):
        row: dict[str, Any] = {"searcher": name, "protocol": counted, "title": METHODS[str(name)].title}
        row["runs"] = int(part["run"].nunique())
        for checkpoint in at:
            here = part[part["at"] == checkpoint]
            row |= {f"{m}_{checkpoint}": summarise(here[m]).as_dict() for m in MEASURES}
        trained = here["training_test"].dropna()
        out.append(row | ({"training_test": summarise(trained).as_dict()} if len(trained) else {}))
    return out


def zen_column(dataset: str) -> Column:
    """Return the Zen-scores of a data set's networks."""
    return Column(dataset, "zen", "proxy", 0, MEAN)


def _data(p: DeltaSearchParameters) -> dict[str, str]:
    methods_of(p)  # refuses what cannot be
    asked = [column for column in columns(p.benchmark, p.dataset) if column is not None]
    asked += [zen_column(p.dataset)] if p.trained_on == "zen" else []
    return benchmarks.load(p.benchmark).checksums(list(dict.fromkeys(asked)))


EXPERIMENT = Experiment("delta_search", 4, DeltaSearchParameters, _data, execute)
