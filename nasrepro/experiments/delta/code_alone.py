"""How well the difference code alone ranks, on NAS-Bench-201: the best of several learners, with few labels and all.

Section 3 of Delta-NAS projects a pair of architectures to its difference. Every learner here is a function of that code
and of nothing else. Their best is the best that we found, and no bound: the means of all pairs are the optimum of the
squared error over one-edit pairs, and rank worse than others do.

- `means`, `means_ranks`: the mean of each code over the one-edit pairs of a budget, drawn as Algorithm 1 says (those of
  `doa_alone` in the experiment `doa`), or over all of the space; of differences of accuracies, or of their ranks.
- `weights`, `weights_ranks`: a weight for each place, by ridge regression on as many random cells, accuracies or ranks.

Ranks are among the training labels. Taus are those of `difference`. With all labels, test cells are among the training
cells.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from nasrepro.benchmarks.ledger import Ledger
from nasrepro.delta.code_means import AdditiveCode, CodeMeans
from nasrepro.delta.pairs import CellPairs, DifferenceData, label
from nasrepro.delta.predictor import DifferencePredictor
from nasrepro.experiments.delta.doa import anchors_alone, data_files, every_pair, summary_rows
from nasrepro.experiments.delta.judging import TAUS, Evaluation, evaluation, training_pairs
from nasrepro.experiments.delta.prediction_tasks import PredictionTask, prediction_tasks
from nasrepro.parameters.delta import CodeAloneParameters
from nasrepro.runs import progress
from nasrepro.runs.provenance import stopwatch
from nasrepro.runs.run import Experiment, Outcome, RunContext
from nasrepro.seeding import numpy_stream
from nasrepro.spaces.base import SearchSpace

ALL = "all"


@dataclass(frozen=True)
class Learner:
    """A function of the difference code.

    Attributes:
        make: it, from a space and the penalty of a ridge regression.
        pairs: whether it learns of one-edit pairs; else of random cells.
        ranks: whether labels are ranks.
    """

    make: Callable[[SearchSpace[Any], float], DifferencePredictor]
    pairs: bool
    ranks: bool


LEARNERS: dict[str, Learner] = {
    "means": Learner(lambda space, _: CodeMeans(space), pairs=True, ranks=False),
    "means_ranks": Learner(lambda space, _: CodeMeans(space), pairs=True, ranks=True),
    "weights": Learner(AdditiveCode, pairs=False, ranks=False),
    "weights_ranks": Learner(AdditiveCode, pairs=False, ranks=True),
}


def execute(p: CodeAloneParameters, context: RunContext) -> Outcome:
    """Train and judge every learner on both budgets and on all labels."""
    task = prediction_tasks("nb201")[0]
    parts = []
    for trial in range(p.trials):

        def compute(ledger: Ledger, trial: int = trial) -> pd.DataFrame:
            return _trial(p, ledger, task, p.seed + trial).assign(trial=trial)

        with progress.task(f"trial {trial + 1}", 1) as advance:
            parts.append(context.stage("trials", f"trial-{trial}", compute))
            advance(1)
    runs = pd.concat(parts, ignore_index=True)
    rows = summary_rows(runs)
    metrics = {"column": str(task.column), "rows": rows, "best": best(rows)}
    return Outcome(metrics, {"runs": runs}, {"master": p.seed})


def best(rows: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    """Return the learner with the highest mean of each tau under each budget, the best that we found."""
    budgets = list(dict.fromkeys(row["protocol"] for row in rows))
    return {
        tau: {
            budget: max((r for r in rows if r["protocol"] == budget), key=lambda r: r[tau]["mean"])["searcher"]
            for budget in budgets
        }
        for tau in TAUS
    }


def ranked(data: DifferenceData) -> DifferenceData:
    """Return the data with the ranks of its labels among themselves, 0 to 1, instead of the labels."""
    return DifferenceData(data.cells, data.ends, rankdata(data.labels) / len(data.labels))


def _trial(p: CodeAloneParameters, ledger: Ledger, task: PredictionTask, trial: int) -> pd.DataFrame:
    judged = evaluation(task, ledger, trial, p.pairs, p.centres, p.anchors)
    rows = []
    for budget in (*task.budgets, ALL):
        drawn = {pairs: _drawn(task, budget, trial, pairs) for pairs in (True, False)}
        for name, learner in LEARNERS.items():
            rows.append(_one(p, ledger, task, budget, name, drawn[learner.pairs], judged))
    return pd.DataFrame(rows)


def _drawn(task: PredictionTask, budget: str, trial: int, pairs: bool) -> CellPairs:
    """Return the one-edit pairs of a budget, or its random cells in a chain, which says that all differences are
    known."""
    everything = budget == ALL
    cells = np.arange(task.space.size or 0) if everything else np.asarray(task.train_cells(budget, trial))
    if not pairs:
        places = np.arange(len(cells))
        return CellPairs(cells, np.stack([places[:-1], places[1:]], axis=1))
    if everything:
        return every_pair(task.space)
    rng = numpy_stream(trial, "doa", task.space.name, "independent", budget)
    return training_pairs(task, task.budgets[budget], cells, rng, "independent", samples_per_code=4)


def _one(
    p: CodeAloneParameters,
    ledger: Ledger,
    task: PredictionTask,
    budget: str,
    name: str,
    drawn: CellPairs,
    judged: Evaluation,
) -> dict[str, Any]:
    learner, labels = LEARNERS[name], task.labels(ledger, name)
    data = label(drawn, labels)
    predictor = learner.make(task.space, p.penalty)
    with stopwatch() as watch:
        predictor.fit(ranked(data) if learner.ranks else data)
    begun = anchors_alone(data, judged.anchors) if budget == ALL else data
    taus = judged.taus(predictor, begun)
    return {
        "searcher": name, "protocol": budget, "task": task.name, "labels": len(data.cells),
        "pairs": len(data) if learner.pairs else len(data.cells) * (len(data.cells) - 1) // 2, "seconds": watch.wall_s,
    } | taus  # fmt: skip


EXPERIMENT = Experiment("code_alone", 1, CodeAloneParameters, lambda p: data_files("nb201"), execute)
