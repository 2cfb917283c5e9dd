"""Figure 3 of Delta-NAS: the loss of a difference predictor against the number of edits between the cells of a pair.

A predictor is trained for each k on as many pairs, k edits apart, and judged on other pairs, k edits apart. The paper
plots the loss alone. But the differences themselves grow with k, up to twice the variance of the labels, and so does
the loss of a predictor that always says 0. So the loss is shown as a share of the mean squared difference too: 1 is
what saying 0 would lose.

What the paper says of the figure (caption, sections 5.1.2 and 5.2), and the numbers that decide it, all of them in the
row `shape` of a predictor:

- the loss "increases greatly as number of edits increases beyond 1", and the best predictor is that of k = 1 in every
  space: `second`, loss(2) by loss(1), and `lowest`, the smallest loss(k) by loss(1) with k > 1, are above 1;
- "and plateaus": `plateau`, loss(6) by loss(3), is near 1;
- "the trend in NASBench101 is fairly linear": `halves`, the growth from 3.5 to 6 edits by that from 1 to 3.5, is near 1
  (0 on a plateau), and `line`, the share of the variance of the six losses that a straight line explains, is near 1;
- "more pronounced in NASBench201 and TransNASBench": `second` and `last`, loss(6) by loss(1), are larger there. A
  record knows one space; its values of every trial are kept for `report.delta.figure_3`, which compares two.

The cells of a trial are divided once, half to train on and half to test on, and both cells of a pair are of one half:
no cell of a test pair was trained on, at any k.

Labels are normal scores, unless `scale=raw`: else a few cells that failed to train would be all the loss there is. What
score a label has is decided by the training cells of the trial alone, of all k together so that losses have one unit.
On NAS-Bench-101 k is the exact graph edit distance; edits that drop a vertex with its edges are several.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from nasrepro.benchmarks.base import MEAN, Column
from nasrepro.benchmarks.ledger import Ledger
from nasrepro.delta.additive import AdditiveDifference, NormalScores
from nasrepro.delta.network import MLPConfig, MLPDifference
from nasrepro.delta.pairs import CellPairs, DifferenceData, draw_edits, label
from nasrepro.delta.predictor import DifferencePredictor
from nasrepro.encodings.path_profile import path_profile
from nasrepro.errors import ParameterError
from nasrepro.experiments.delta.judging import data_files, run_trials
from nasrepro.experiments.delta.prediction_tasks import PredictionTask, prediction_tasks
from nasrepro.parameters.delta import DistanceParameters
from nasrepro.predictors.regressors import GPPredictor
from nasrepro.runs.run import Experiment, Outcome, RunContext
from nasrepro.runs.statistics import summarise
from nasrepro.seeding import numpy_stream
from nasrepro.spaces.base import FiniteSpace

MOST_EDITS = 6
PREDICTORS: dict[str, Callable[[PredictionTask, int], DifferencePredictor]] = {
    "base": lambda task, seed: MLPDifference(task.space, MLPConfig(view="base", loss="mse"), seed),
    "alone": lambda task, seed: MLPDifference(task.space, MLPConfig(view="alone", loss="mse"), seed),
    "gp": lambda task, seed: AdditiveDifference(task.space, [GPPredictor(steps=20)], path_profile(task.space)),
}


def execute(p: DistanceParameters, context: RunContext) -> Outcome:
    """Train and judge for every k, task and trial."""
    tasks = _tasks(p)
    runs = run_trials(context, tasks, p.trials, lambda task, k, ledger: _trial(p, ledger, task, p.seed + k))
    metrics = {"tasks": [task.name for task in tasks], "columns": [str(task.column) for task in tasks]}
    return Outcome(metrics | {"rows": _rows(runs)}, {"runs": runs}, {"master": p.seed})


def _tasks(p: DistanceParameters) -> list[PredictionTask]:
    tasks = list(prediction_tasks(p.space))
    if p.source == "accuracy":
        return tasks
    if p.space == "nb101":
        raise ParameterError("source=zen: NAS-Bench-101 has Zen-scores of 10,250 cells only; take source=accuracy.")
    return [replace(task, column=Column(task.column.dataset, "zen", "proxy", 0, MEAN)) for task in tasks]


def _trial(p: DistanceParameters, ledger: Ledger, task: PredictionTask, trial: int) -> pd.DataFrame:
    """Judge every predictor at every k. Losses are in units of the variance of the labels of the trial's test cells."""
    labels = task.labels(ledger, "doa_distance")
    data: dict[int, Sequence[DifferenceData]] = {}
    halves = _halves(task, trial)
    for k in range(1, MOST_EDITS + 1):
        rng = numpy_stream(trial, "distance", task.space.name, k)
        train, test = (_pairs(task, half, n, k, rng) for half, n in zip(halves, (p.pairs, p.test_pairs), strict=True))
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


def _as_scores(data: Mapping[int, Sequence[DifferenceData]]) -> dict[int, Sequence[DifferenceData]]:
    """Return the data with labels as the normal scores that the distinct training cells have among themselves; test
    labels go through the same map."""
    cells = np.concatenate([np.asarray(train.cells) for train, _ in data.values()])
    labels = np.concatenate([train.labels for train, _ in data.values()])
    scores = NormalScores(labels[np.unique(cells, return_index=True)[1]])

    return {k: tuple(replace(part, labels=scores.of(part.labels)) for part in parts) for k, parts in data.items()}


def _halves(task: PredictionTask, trial: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the cells (rows, int64) that pairs of a trial are trained on and those that they are tested on, in random
    order; the tasks of a space share them."""
    assert isinstance(task.space, FiniteSpace)
    order = numpy_stream(trial, "distance cells", task.space.name).permutation(task.space.size)
    return order[: len(order) // 2], order[len(order) // 2 :]


def _pairs(task: PredictionTask, half: np.ndarray, count: int, k: int, rng: np.random.Generator) -> CellPairs:
    """Draw `count` pairs exactly k edits apart, both cells of them among `half`; each has an anchor of its own as long
    as there are anchors."""
    space, base, other = task.space, np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    assert isinstance(space, FiniteSpace)
    inside = np.zeros(space.size, dtype=bool)
    inside[half] = True
    while len(base) < count:
        # about half of the edits stay inside; anchors that had no luck come again when all had their turn
        for anchors in np.array_split(rng.permutation(half), max(len(half) // (2 * count), 1)):
            before, after = draw_edits(space, anchors, k, rng, exact=True)
            kept = inside[after]
            base, other = np.append(base, np.asarray(before)[kept]), np.append(other, np.asarray(after)[kept])
            if len(base) >= count:
                break
    cells, numbers = np.unique(np.concatenate([base[:count], other[:count]]), return_inverse=True)
    return CellPairs(cells, numbers.reshape(2, -1).T)


def _rows(runs: pd.DataFrame) -> list[dict[str, Any]]:
    """Summarise losses over trials by predictor (`searcher`) and k (`protocol`); the tasks of a trial weigh the same.

    `ratio` is the loss by that at k = 1 of the same trial, `growth` the same of the mean squared difference, `share`
    the loss by the mean squared difference, `share_ratio` that by the one at k = 1, `ratio_to_3` the loss by that at
    k = 3. The protocol `shape` has the numbers of the module's list, and under `trials` their values trial by trial.
    """
    mean = runs.groupby(["predictor", "trial", "k"], sort=False)[["loss", "target", "share"]].mean().reset_index()

    def relative(field: str, to: int) -> pd.Series:
        of = mean[field].where(mean["k"] == to).groupby([mean["predictor"], mean["trial"]]).transform("max")
        return mean[field] / of

    mean["ratio"], mean["growth"] = relative("loss", 1), relative("target", 1)
    mean["share_ratio"], mean["ratio_to_3"] = relative("share", 1), relative("loss", 3)
    fields = ("loss", "target", "share", "ratio", "growth", "share_ratio", "ratio_to_3")
    rows: list[dict[str, Any]] = [
        {"searcher": str(predictor), "protocol": f"k{k}"} | {f: summarise(part[f]).as_dict() for f in fields}
        for (predictor, k), part in mean.groupby(["predictor", "k"], sort=False)
    ]
    for predictor, part in mean.groupby("predictor", sort=False):
        losses = part.pivot(index="trial", columns="k", values="loss").to_numpy()
        shapes = [shape(of_trial) for of_trial in losses]
        values = {name: [found[name] for found in shapes] for name in shapes[0]}
        summaries = {name: summarise(of_trials).as_dict() for name, of_trials in values.items()}
        rows.append({"searcher": str(predictor), "protocol": "shape", **summaries, "trials": values})
    return rows


def shape(losses: np.ndarray) -> dict[str, float]:
    """Return what a curve of losses at 1 to 6 edits (float, 6) looks like; see the module for the numbers."""
    middle = (losses[2] + losses[3]) / 2  # at 3.5 edits, half of the way
    second, last, lowest = losses[1] / losses[0], losses[5] / losses[0], losses[1:].min() / losses[0]
    plateau, halves = losses[5] / losses[2], (losses[5] - middle) / (middle - losses[0])
    line = np.corrcoef(losses, np.arange(len(losses)))[0, 1] ** 2
    found = {"second": second, "last": last, "lowest": lowest, "plateau": plateau, "halves": halves, "line": line}
    return {name: float(value) for name, value in found.items()}


EXPERIMENT = Experiment("doa_distance", 2, DistanceParameters, lambda p: data_files(p.space), execute)
