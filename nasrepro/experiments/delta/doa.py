"""The difference of architectures in Table 1 of Delta-NAS: several readings of it, on the same budgets of labels.

Every label that a method trains on is counted, both ends of a pair; a reading that pays for pairs sees fewer of them
than one that takes all pairs of the labelled cells. `doa` is the strongest reading known to us; it stands for the idea
in the table.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from nasrepro.delta.additive import gp_difference, strong_difference
from nasrepro.delta.code_means import CodeMeans
from nasrepro.delta.pairs import CellPairs
from nasrepro.experiments.delta.judging import ALL, Reading, Trial, data_files, network, run_trials, summary_rows
from nasrepro.experiments.delta.prediction_tasks import prediction_tasks
from nasrepro.parameters.delta import DoAParameters
from nasrepro.runs.run import Experiment, Outcome, RunContext
from nasrepro.spaces.base import FiniteSpace, SearchSpace

VARIANTS: dict[str, Reading] = {
    "doa_alone": Reading(network(view="alone")),
    "doa_literal": Reading(),
    "doa_stars": Reading(scheme="stars"),
    "doa_all_pairs": Reading(scheme="subset"),
    "doa_gp_stars": Reading(lambda space, _, features: gp_difference(space, features), "stars"),
    "doa_gp": Reading(lambda space, _, features: gp_difference(space, features), "subset"),
    "doa": Reading(lambda space, seed, features: strong_difference(space, features, seed), "subset", zero_cost=True),
}
# The mean of each code over all pairs of the space. Records call it a ceiling; it is that of one loss, and no bound on
# how well the code alone can rank: see `code_alone`.
CODE_MEANS = "doa_ceiling"


def execute(p: DoAParameters, context: RunContext) -> Outcome:
    """Train every reading on every budget and task, and judge it by three taus."""
    tasks = prediction_tasks(p.space)
    runs = run_trials(context, tasks, p.trials, lambda *of: pd.DataFrame(_rows(p, Trial(p, *of))))
    metrics = {
        "tasks": [task.name for task in tasks],
        "columns": [str(task.column) for task in tasks],
        "percent_of": tasks[0].percent_of,
        "budgets": dict(tasks[0].budgets),
        "rows": summary_rows(runs),
    }
    return Outcome(metrics, {"runs": runs}, {"master": p.seed})


def _rows(p: DoAParameters, trial: Trial) -> list[dict[str, Any]]:
    """Judge every reading on every budget and, on NAS-Bench-201, the mean of each code over all one-edit pairs of the
    space: test pairs are among them."""
    task, space = trial.task, trial.task.space
    readings = {name: replace(of, samples_per_code=p.samples_per_code, star=p.star) for name, of in VARIANTS.items()}
    rows = trial.rows(readings, lambda of: ("doa", space.name, of.scheme))
    if p.space == "nb201":
        pairs = every_pair(space)
        # anchors are read again, so that the counts of labels are those of the records
        task.labels(trial.ledger, CODE_MEANS).read(pairs.cells[: p.anchors], "train")
        means = Reading(lambda space, *_: CodeMeans(space))
        rows.append(trial.row(CODE_MEANS, ALL, pairs, means) | {"seconds": 0.0})
    return rows


@lru_cache(maxsize=1)
def every_pair(space: SearchSpace[Any]) -> CellPairs:
    """Return all cells of a finite space and all its pairs one edit apart, each once."""
    assert isinstance(space, FiniteSpace)
    ends = np.array(
        [(row, other) for row, arch in enumerate(space.all()) for other in space.rows(space.neighbours(arch))]
    )
    return CellPairs(np.arange(space.size), ends[ends[:, 0] < ends[:, 1]])


EXPERIMENT = Experiment("doa", 1, DoAParameters, lambda p: data_files(p.space), execute)
