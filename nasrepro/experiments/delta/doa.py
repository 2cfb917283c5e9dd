"""The difference of architectures in Table 1 of Delta-NAS: several readings of it, on the same budgets of labels.

Every label that a method trains on is counted, both ends of a pair; a reading that pays for pairs sees fewer of them
than one that takes all pairs of the labelled cells. `doa` is the strongest reading known to us; it stands for the idea
in the table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nasrepro.benchmarks.ledger import Ledger
from nasrepro.delta.additive import Features, gp_difference, strong_difference
from nasrepro.delta.code_means import CodeMeans
from nasrepro.delta.encoding import View
from nasrepro.delta.network import MLPConfig, MLPDifference
from nasrepro.delta.pairs import CellPairs, DifferenceData, Scheme, label, take
from nasrepro.delta.predictor import DifferencePredictor
from nasrepro.experiments.delta.judging import (
    TAUS,
    Evaluation,
    cell_features,
    evaluation,
    training_pairs,
    zero_cost_columns,
)
from nasrepro.experiments.delta.prediction_tasks import PredictionTask, prediction_tasks
from nasrepro.parameters.delta import DoAParameters
from nasrepro.runs import progress
from nasrepro.runs.run import Experiment, Outcome, RunContext
from nasrepro.runs.statistics import summarise
from nasrepro.seeding import numpy_stream
from nasrepro.spaces.base import FiniteSpace, SearchSpace

Make = Callable[[PredictionTask, Features, int], DifferencePredictor]  # task, features, seed


@dataclass(frozen=True)
class Variant:
    """A reading of the difference of architectures.

    Attributes:
        scheme: how its labels are spent.
        make: the predictor.
        zero_cost: whether it sees zero-cost scores.
    """

    scheme: Scheme
    make: Make
    zero_cost: bool = False


def _mlp(view: View) -> Make:
    return lambda task, features, seed: MLPDifference(task.space, MLPConfig(view=view), seed)


def _gp(task: PredictionTask, features: Features, seed: int) -> DifferencePredictor:
    return gp_difference(task.space, features)


def _strong(task: PredictionTask, features: Features, seed: int) -> DifferencePredictor:
    return strong_difference(task.space, features, seed)


VARIANTS: dict[str, Variant] = {
    "doa_alone": Variant("independent", _mlp("alone")),
    "doa_literal": Variant("independent", _mlp("base")),
    "doa_stars": Variant("stars", _mlp("base")),
    "doa_all_pairs": Variant("subset", _mlp("base")),
    "doa_gp_stars": Variant("stars", _gp),
    "doa_gp": Variant("subset", _gp),
    "doa": Variant("subset", _strong, zero_cost=True),
}
# The mean of each code over all pairs of the space. Records call it a ceiling; it is that of one loss, and no bound on
# how well the code alone can rank: see `code_alone`.
CODE_MEANS = "doa_ceiling"


def execute(p: DoAParameters, context: RunContext) -> Outcome:
    """Train every reading on every budget and task, and judge it by three taus."""
    tasks = prediction_tasks(p.space)
    parts = []
    for task in tasks:
        for trial in range(p.trials):

            def compute(ledger: Ledger, task: PredictionTask = task, trial: int = trial) -> pd.DataFrame:
                return _trial(p, ledger, task, trial)

            with progress.task(f"{task.name}, trial {trial + 1}", 1) as advance:
                parts.append(context.stage("trials", f"{task.name.replace(':', '-')}-{trial}", compute))
                advance(1)
    runs = pd.concat(parts, ignore_index=True)
    metrics = {
        "tasks": [task.name for task in tasks],
        "columns": [str(task.column) for task in tasks],
        "percent_of": tasks[0].percent_of,
        "budgets": dict(tasks[0].budgets),
        "rows": summary_rows(runs),
    }
    return Outcome(metrics, {"runs": runs}, {"master": p.seed})


def summary_rows(runs: pd.DataFrame) -> list[dict[str, Any]]:
    """Summarise runs (searcher, protocol, task, trial, taus, labels, pairs, seconds) over trials; the tasks of a trial
    weigh the same."""
    rows = []
    for (searcher, protocol), part in runs.groupby(["searcher", "protocol"], sort=False):
        by_trial = part.groupby("trial")[[*TAUS, "labels", "pairs", "seconds"]].mean()
        rows.append(
            {
                "searcher": searcher,
                "protocol": protocol,
                "trials": len(by_trial),
                **{tau: summarise(by_trial[tau]).as_dict() for tau in TAUS},
                **{name: float(by_trial[name].mean()) for name in ("labels", "pairs", "seconds")},
            }
        )
    return rows


def _trial(p: DoAParameters, ledger: Ledger, task: PredictionTask, trial: int) -> pd.DataFrame:
    judged = evaluation(task, ledger, p.seed + trial, p.pairs, p.centres, p.anchors)
    rows = [_one(p, ledger, task, trial, budget, name, judged) for budget in task.budgets for name in VARIANTS]
    if p.space == "nb201":
        rows.append(_code_means(ledger, task, trial, judged))
    return pd.DataFrame(rows)


def _one(
    p: DoAParameters, ledger: Ledger, task: PredictionTask, trial: int, budget: str, name: str, judged: Evaluation
) -> dict[str, Any]:
    from nasrepro.runs.provenance import stopwatch

    variant, rng = VARIANTS[name], numpy_stream(p.seed + trial, "doa", task.space.name, VARIANTS[name].scheme, budget)
    pairs = training_pairs(
        task, task.budgets[budget], task.train_cells(budget, p.seed + trial), rng, variant.scheme,
        samples_per_code=p.samples_per_code, star=p.star,
    )  # fmt: skip
    data = label(pairs, task.labels(ledger, name))
    features = cell_features(task, ledger, name, variant.zero_cost)
    predictor = variant.make(task, features, p.seed + trial)
    with stopwatch() as watch:
        predictor.fit(data)
    return _row(task, trial, budget, name, len(data.cells), len(data), watch.wall_s) | judged.taus(predictor, data)


def _code_means(ledger: Ledger, task: PredictionTask, trial: int, judged: Evaluation) -> dict[str, Any]:
    """Judge the mean of each code over all one-edit pairs of the space: test pairs are among them."""
    data = label(every_pair(task.space), task.labels(ledger, CODE_MEANS))
    predictor = CodeMeans(task.space)
    predictor.fit(data)
    # read again, so that the counts of labels are those of the records
    begun = label(anchors_alone(data, judged.anchors), task.labels(ledger, CODE_MEANS))
    return _row(task, trial, "all", CODE_MEANS, len(data.cells), len(data), 0.0) | judged.taus(predictor, begun)


def every_pair(space: SearchSpace[Any]) -> CellPairs:
    """Return all cells of a finite space and all its pairs one edit apart, each once."""
    assert isinstance(space, FiniteSpace)
    ends = np.array(
        [(row, other) for row, arch in enumerate(space.all()) for other in space.rows(space.neighbours(arch))]
    )
    return CellPairs(np.arange(space.size), ends[ends[:, 0] < ends[:, 1]])


def anchors_alone(data: DifferenceData, anchors: int) -> DifferenceData:
    """Return the first cells of some data, to begin chains at; what is judged with them counts all others as unseen."""
    return DifferenceData(take(data.cells, np.arange(anchors)), np.zeros((0, 2), dtype=np.int64), data.labels[:anchors])


def _row(
    task: PredictionTask, trial: int, budget: str, name: str, labels: int, pairs: int, seconds: float
) -> dict[str, Any]:
    return {
        "searcher": name, "protocol": budget, "task": task.name, "trial": trial, "labels": labels, "pairs": pairs,
        "seconds": seconds,
    }  # fmt: skip


def data_files(space: str) -> dict[str, str]:
    """Return name -> sha256 of the raw files behind the tasks of a space and their zero-cost scores."""
    tasks = prediction_tasks(space)
    columns = [c for task in tasks for c in (task.column, *zero_cost_columns(task))]
    return tasks[0].benchmark.checksums(list(dict.fromkeys(columns)))


EXPERIMENT = Experiment("doa", 1, DoAParameters, lambda p: data_files(p.space), execute)
