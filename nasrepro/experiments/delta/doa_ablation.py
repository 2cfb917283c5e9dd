"""What each open choice of Algorithm 1 does, on NAS-Bench-201, and whether the difference matters at all.

From the literal reading (a network that sees base and difference, pairwise hinge, independent pairs, k = 1, n = 4,
accuracies) one choice is changed at a time. The last rows hold the same features and the same number of labels against
a predictor that is fitted to accuracies and subtracts.
"""

from __future__ import annotations

from itertools import product
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


def _changed(choice: str, value: str, *of: Any, **changed: Any) -> Setting:
    return Setting(choice, value, Reading(*of, **changed))


def _network(choice: str, value: str, **changed: Any) -> Setting:
    return Setting(choice, value, Reading(network(**changed)))


def _gaussian_process(value: str, scheme: Any) -> Setting:
    return _changed("Gaussian process", value, lambda space, *_: gp_difference(space), scheme)


SETTINGS: dict[str, Setting] = {
    "literal": _changed("literal reading", "base visible, independent pairs, k = 1, n = 4"),
    **{f"k{k}": _changed("edits k", str(k), k=k) for k in (2, 3, 6)},
    **{f"n{n}": _changed("pairs of a code n", str(n), samples_per_code=n) for n in (1, 16)},
    "zen": _changed("label", "Zen-score", column=ZEN),
    "alone": _network("view", "difference alone", view="alone"),
    "both": _network("view", "both cells", view="both"),
    "code_means": _changed("view", "mean of the code, nothing learnt", lambda space, *_: CodeMeans(space)),
    "mse": _network("loss", "mean squared error", loss="mse"),
    "one_way": _network("antisymmetry", "by mirrored pairs only", antisymmetric=False),
    "no_mirror": _network("antisymmetry", "none", antisymmetric=False, mirror=False),
    "small": _network("network", "32 wide", width=32),
    "large": _network("network", "512 wide", width=512),
    "shallow": _network("network", "1 layer", layers=1),
    "stars": _changed("pairs", "stars of 4 neighbours", scheme="stars"),
    "all_pairs": _changed("pairs", "all pairs of random cells", scheme="subset"),
    "accuracy_network": _changed("no difference", "the network on accuracies of random cells", _accuracies, "subset"),
    "gp_pairs": _gaussian_process("differences, independent pairs", "independent"),
    "gp_stars": _gaussian_process("differences, stars", "stars"),
    "gp_accuracy": _gaussian_process("accuracies of random cells", "subset"),
}


def execute(p: AblationParameters, context: RunContext) -> Outcome:
    """Train and judge every setting on both budgets."""
    task = prediction_tasks("nb201")[0]
    runs = run_trials(context, [task], p.trials, lambda *of: _judged(Trial(p, *of)), "trial")
    settings = {name: {"choice": s.choice, "value": s.value} for name, s in SETTINGS.items()}
    metrics = {"column": str(task.column), "settings": settings, "rows": summary_rows(runs)}
    return Outcome(metrics, {"runs": runs}, {"master": p.seed})


def _judged(trial: Trial) -> pd.DataFrame:
    rows = []
    for budget, (name, (_, _, of)) in product(trial.task.budgets, SETTINGS.items()):
        stream = ("ablation", of.scheme, of.k, of.samples_per_code)
        pairs = trial.pairs(budget, stream, of.scheme, k=of.k, samples_per_code=of.samples_per_code)
        rows.append(trial.row(name, budget, pairs, of))
    return pd.DataFrame(rows)


EXPERIMENT = Experiment("doa_ablation", 1, AblationParameters, lambda p: data_files("nb201"), execute)
