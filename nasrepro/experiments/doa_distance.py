"""Figure 3 of Delta-NAS: the loss of a difference predictor against the number of edits between the cells of a pair.

A predictor is trained for each k on as many pairs, k edits apart, and judged on other pairs, k edits apart. The paper
plots the loss alone. But the differences themselves grow with k, up to twice the variance of the labels, and so does
the loss of a predictor that always says 0. So the loss is shown as a share of the mean squared difference too: 1 is
what saying 0 would lose.

Labels are normal scores, unless `scale=raw`: else a few cells that failed to train would be all the loss there is.
On NAS-Bench-101 k is the exact graph edit distance; edits that drop a vertex with its edges are several.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm, rankdata

from nasrepro.benchmarks.base import Column
from nasrepro.benchmarks.ledger import Ledger
from nasrepro.delta_data import CellPairs, DifferenceData, draw_edits, label, take
from nasrepro.delta_predictor import AdditiveDifference, DifferencePredictor, GPPotential, MLPConfig, MLPDifference
from nasrepro.encodings.path_profile import path_profile
from nasrepro.errors import ParameterError
from nasrepro.experiments.doa import data_files
from nasrepro.experiments.prediction_tasks import PredictionTask, prediction_tasks
from nasrepro.parameters.delta import DistanceParameters
from nasrepro.seeding import numpy_stream
from nasrepro.spaces.base import FiniteSpace
from nasrepro.study import progress
from nasrepro.study.run import Experiment, Outcome, RunContext
from nasrepro.study.statistics import summarise

MOST_EDITS = 6
PREDICTORS: dict[str, Callable[[PredictionTask, int], DifferencePredictor]] = {
    "base": lambda task, seed: MLPDifference(task.space, MLPConfig(view="base", loss="mse"), seed),
    "alone": lambda task, seed: MLPDifference(task.space, MLPConfig(view="alone", loss="mse"), seed),
    "gp": lambda task, seed: AdditiveDifference(task.space, [GPPotential(steps=20)], path_profile(task.space)),
}


def execute(p: DistanceParameters, context: RunContext) -> Outcome:
    """Train and judge for every k, task and trial."""
    tasks = _tasks(p)
    parts = []
    for task in tasks:
        for trial in range(p.trials):

            def compute(ledger: Ledger, task: PredictionTask = task, trial: int = trial) -> pd.DataFrame:
                return _trial(p, ledger, task, p.seed + trial)

            with progress.task(f"{task.name}, trial {trial + 1}", 1) as advance:
                frame = context.stage("trials", f"{task.name.replace(':', '-')}-{trial}", compute)
                parts.append(frame.assign(task=task.name, trial=trial))
                advance(1)
    runs = pd.concat(parts, ignore_index=True)
    metrics = {"tasks": [task.name for task in tasks], "columns": [str(task.column) for task in tasks]}
    return Outcome(metrics | {"rows": _rows(runs)}, {"runs": runs}, {"master": p.seed})


def _tasks(p: DistanceParameters) -> list[PredictionTask]:
    tasks = list(prediction_tasks(p.space))
    if p.source == "accuracy":
        return tasks
    if p.space == "nb101":
        raise ParameterError("source=zen: NAS-Bench-101 has Zen-scores of 10,250 cells only; take source=accuracy.")
    zen = [Column(task.column.dataset, "zen", "proxy", 0, "mean") for task in tasks]
    return [
        PredictionTask(task.name, task.benchmark, column, task.budgets, task.percent_of, task.test_size)
        for task, column in zip(tasks, zen, strict=True)
    ]


def _trial(p: DistanceParameters, ledger: Ledger, task: PredictionTask, trial: int) -> pd.DataFrame:
    """Judge every predictor at every k. Losses are in units of the variance of the labels of the trial's test cells."""
    labels, data = task.labels(ledger, "doa_distance"), {}
    for k in range(1, MOST_EDITS + 1):
        rng = numpy_stream(trial, "distance", task.space.name, k)
        train, test = _pairs(task, p.pairs, p.test_pairs, k, rng)
        data[k] = label(train, labels), label(test, labels, "report")
    if p.scale == "scores":
        data = _as_scores(data)
    variance = float(np.concatenate([test.labels for _, test in data.values()]).var())
    rows = []
    for k, (known, new) in data.items():
        squares = float((new.targets**2).mean())
        for name, make in PREDICTORS.items():
            predictor = make(task, trial)
            predictor.fit(known)
            loss = float(((predictor.gain_cells(new.base, new.other) - new.targets) ** 2).mean())
            found = {"loss": loss / variance, "target": squares / variance, "share": loss / squares}
            rows.append({"predictor": name, "k": k, **found})
    return pd.DataFrame(rows)


def _as_scores(
    data: Mapping[int, tuple[DifferenceData, DifferenceData]],
) -> dict[int, tuple[DifferenceData, DifferenceData]]:
    """Return the data with all labels of the trial as normal scores, (rank - 1/2) / count through the inverse of the
    normal distribution function."""
    parts = [part for both in data.values() for part in both]
    pooled = np.concatenate([part.labels for part in parts])
    scores = np.split(
        norm.ppf((rankdata(pooled) - 0.5) / len(pooled)), np.cumsum([len(part.labels) for part in parts])[:-1]
    )
    made = [DifferenceData(part.cells, part.ends, s) for part, s in zip(parts, scores, strict=True)]
    return {k: (made[2 * n], made[2 * n + 1]) for n, k in enumerate(data)}


def _pairs(
    task: PredictionTask, train: int, test: int, k: int, rng: np.random.Generator
) -> tuple[CellPairs, CellPairs]:
    """Draw pairs exactly k edits apart, each with an anchor of its own: some to train on, some to test on."""
    space, count = task.space, train + test
    assert isinstance(space, FiniteSpace)
    base, other = draw_edits(space, rng.permutation(space.size)[: count + count // 5], k, rng, exact=True)
    parts = []
    for part in (np.arange(train), np.arange(train, count)):
        cells, numbers = np.unique(np.concatenate([take(base, part), take(other, part)]), return_inverse=True)
        parts.append(CellPairs(cells, numbers.reshape(2, -1).T))
    return parts[0], parts[1]


def _rows(runs: pd.DataFrame) -> list[dict[str, Any]]:
    """Summarise losses over trials by predictor (`searcher`) and k (`protocol`); the tasks of a trial weigh the same.

    `ratio` is the loss by that at k = 1 of the same trial, `growth` the same of the mean squared difference, `share`
    the loss by the mean squared difference, `share_ratio` that by the one at k = 1, `ratio_to_3` the loss by that at
    k = 3.
    """
    mean = runs.groupby(["predictor", "trial", "k"], sort=False)[["loss", "target", "share"]].mean().reset_index()

    def relative(field: str, to: int) -> np.ndarray:
        of = mean[mean["k"] == to].set_index(["predictor", "trial"])[field]
        there = pd.MultiIndex.from_frame(mean[["predictor", "trial"]])
        ratio: np.ndarray = mean[field].to_numpy() / of.loc[there].to_numpy()
        return ratio

    mean["ratio"], mean["growth"] = relative("loss", 1), relative("target", 1)
    mean["share_ratio"], mean["ratio_to_3"] = relative("share", 1), relative("loss", 3)
    fields = ("loss", "target", "share", "ratio", "growth", "share_ratio", "ratio_to_3")
    return [
        {"searcher": str(predictor), "protocol": f"k{k}"} | {f: summarise(part[f]).as_dict() for f in fields}
        for (predictor, k), part in mean.groupby(["predictor", "k"], sort=False)
    ]


EXPERIMENT = Experiment("doa_distance", 1, DistanceParameters, lambda p: data_files(p.space), execute)
