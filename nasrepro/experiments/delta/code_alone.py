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

from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from nasrepro.delta.code_means import AdditiveCode, CodeMeans
from nasrepro.experiments.delta.doa import every_pair
from nasrepro.experiments.delta.judging import ALL, TAUS, Reading, Trial, chain, data_files, run_trials, summary_rows
from nasrepro.experiments.delta.prediction_tasks import prediction_tasks
from nasrepro.parameters.delta import CodeAloneParameters
from nasrepro.runs.run import Experiment, Outcome, RunContext

# name -> whether it is the means of one-edit pairs, else weights of random cells; whether labels are ranks
LEARNERS = {
    "means": (True, False),
    "means_ranks": (True, True),
    "weights": (False, False),
    "weights_ranks": (False, True),
}


def execute(p: CodeAloneParameters, context: RunContext) -> Outcome:
    """Train and judge every learner on both budgets and on all labels."""
    task = prediction_tasks("nb201")[0]
    runs = run_trials(context, [task], p.trials, lambda *of: _judged(p, Trial(p, *of)), "trial")
    rows = summary_rows(runs)
    metrics = {"column": str(task.column), "rows": rows, "best": best(rows)}
    return Outcome(metrics, {"runs": runs}, {"master": p.seed})


def best(rows: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    """Return the learner with the highest mean of each tau under each budget, the best that we found."""
    found: dict[str, dict[str, str]] = {tau: {} for tau in TAUS}
    for tau, budget in product(TAUS, dict.fromkeys(row["protocol"] for row in rows)):
        of_budget = {row["searcher"]: row[tau]["mean"] for row in rows if row["protocol"] == budget}
        found[tau][budget] = max(of_budget, key=of_budget.__getitem__)
    return found


def _judged(p: CodeAloneParameters, trial: Trial) -> pd.DataFrame:
    task, stream, rows = trial.task, ("doa", trial.task.space.name, "independent"), []
    for budget in (*task.budgets, ALL):
        everything = budget == ALL
        cells = chain(np.arange(task.space.size or 0) if everything else task.train_cells(budget, trial.seed))
        pairs = every_pair(task.space) if everything else trial.pairs(budget, Reading(), *stream)
        n = len(cells.cells)
        for name, (means, ranks) in LEARNERS.items():
            if means:
                of = Reading(lambda space, *_: CodeMeans(space), ranks=ranks)
                rows.append(trial.row(name, budget, pairs, of))
            else:
                of = Reading(lambda space, *_: AdditiveCode(space, p.penalty), ranks=ranks)
                rows.append(trial.row(name, budget, cells, of) | {"pairs": n * (n - 1) // 2})
    return pd.DataFrame(rows).drop(columns="trial")


EXPERIMENT = Experiment("code_alone", 1, CodeAloneParameters, lambda p: data_files("nb201"), execute)
