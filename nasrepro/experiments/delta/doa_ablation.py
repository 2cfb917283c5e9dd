"""What each open choice of Algorithm 1 does, on NAS-Bench-201, and whether the difference matters at all.

From the literal reading (a network that sees base and difference, pairwise hinge, independent pairs, k = 1, n = 4,
accuracies) one choice is changed at a time. The last rows hold the same features and the same number of labels against
a predictor that is fitted to accuracies and subtracts.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pandas as pd

from nasrepro.benchmarks.base import MEAN, Column
from nasrepro.delta.additive import AdditiveDifference, gp_difference
from nasrepro.delta.code_means import CodeMeans
from nasrepro.delta.network import NetworkPotential
from nasrepro.encodings.aligned_form import fixed_form
from nasrepro.experiments.delta.judging import Reading, Trial, data_files, network, run_trials, summary_rows
from nasrepro.experiments.delta.prediction_tasks import prediction_tasks
from nasrepro.parameters.delta import AblationParameters
from nasrepro.runs.run import Experiment, Outcome, RunContext
from nasrepro.spaces.base import SearchSpace

ZEN = Column("cifar10", "zen", "proxy", 0, MEAN)


class Setting(NamedTuple):
    """The literal reading with something changed: which choice, and what it is here."""

    choice: str
    value: str
    reading: Reading


def _accuracies(space: SearchSpace[Any], seed: int, features: object) -> AdditiveDifference:
    return AdditiveDifference(space, [NetworkPotential(seed=seed)], fixed_form(space).vectors)


def _gaussian_process(space: SearchSpace[Any], seed: int, features: object) -> AdditiveDifference:
    return gp_difference(space)


SETTINGS: dict[str, Setting] = {
    "literal": Setting("literal reading", "base visible, independent pairs, k = 1, n = 4", Reading()),
    **{f"k{k}": Setting("edits k", str(k), Reading(k=k)) for k in (2, 3, 6)},
    **{f"n{n}": Setting("pairs of a code n", str(n), Reading(samples_per_code=n)) for n in (1, 16)},
    "zen": Setting("label", "Zen-score", Reading(column=ZEN)),
    "alone": Setting("view", "difference alone", Reading(network(view="alone"))),
    "both": Setting("view", "both cells", Reading(network(view="both"))),
    "code_means": Setting("view", "mean of the code, nothing learnt", Reading(lambda space, *_: CodeMeans(space))),
    "mse": Setting("loss", "mean squared error", Reading(network(loss="mse"))),
    "one_way": Setting("antisymmetry", "by mirrored pairs only", Reading(network(antisymmetric=False))),
    "no_mirror": Setting("antisymmetry", "none", Reading(network(antisymmetric=False, mirror=False))),
    "small": Setting("network", "32 wide", Reading(network(width=32))),
    "large": Setting("network", "512 wide", Reading(network(width=512))),
    "shallow": Setting("network", "1 layer", Reading(network(layers=1))),
    "stars": Setting("pairs", "stars of 4 neighbours", Reading(scheme="stars")),
    "all_pairs": Setting("pairs", "all pairs of random cells", Reading(scheme="subset")),
    "accuracy_network": Setting(
        "no difference", "the network on accuracies of random cells", Reading(_accuracies, "subset")
    ),
    "gp_pairs": Setting("Gaussian process", "differences, independent pairs", Reading(_gaussian_process)),
    "gp_stars": Setting("Gaussian process", "differences, stars", Reading(_gaussian_process, "stars")),
    "gp_accuracy": Setting("Gaussian process", "accuracies of random cells", Reading(_gaussian_process, "subset")),
}


def execute(p: AblationParameters, context: RunContext) -> Outcome:
    """Train and judge every setting on both budgets."""
    task, readings = prediction_tasks("nb201")[0], {name: setting.reading for name, setting in SETTINGS.items()}

    def judged(*of: Any) -> pd.DataFrame:
        rows = Trial(p, *of).rows(readings, lambda r: ("ablation", r.scheme, r.k, r.samples_per_code))
        return pd.DataFrame(rows)

    runs = run_trials(context, [task], p.trials, judged, "trial")
    settings = {name: {"choice": s.choice, "value": s.value} for name, s in SETTINGS.items()}
    metrics = {"column": str(task.column), "settings": settings, "rows": summary_rows(runs)}
    return Outcome(metrics, {"runs": runs}, {"master": p.seed})


EXPERIMENT = Experiment("doa_ablation", 1, AblationParameters, lambda p: data_files("nb201"), execute)
