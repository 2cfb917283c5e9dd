"""What each open choice of Algorithm 1 does, on NAS-Bench-201, and whether the difference matters at all.

From the literal reading (a network that sees base and difference, pairwise hinge, independent pairs, k = 1, n = 4,
accuracies) one choice is changed at a time. The last rows hold the same features and the same number of labels against
a predictor that is fitted to accuracies and subtracts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from nasrepro.benchmarks.base import MEAN, Column
from nasrepro.benchmarks.ledger import Ledger
from nasrepro.delta.additive import AdditiveDifference, gp_difference
from nasrepro.delta.code_means import CodeMeans
from nasrepro.delta.network import MLPConfig, MLPDifference, NetworkPotential
from nasrepro.delta.pairs import Scheme, label
from nasrepro.delta.predictor import DifferencePredictor
from nasrepro.encodings.aligned_form import fixed_form
from nasrepro.experiments.delta.doa import data_files, summary_rows
from nasrepro.experiments.delta.judging import Evaluation, evaluation, training_pairs
from nasrepro.experiments.delta.prediction_tasks import PredictionTask, prediction_tasks
from nasrepro.parameters.delta import AblationParameters
from nasrepro.runs import progress
from nasrepro.runs.provenance import stopwatch
from nasrepro.runs.run import Experiment, Outcome, RunContext
from nasrepro.seeding import numpy_stream
from nasrepro.spaces.base import SearchSpace

ZEN = Column("cifar10", "zen", "proxy", 0, MEAN)
Make = Callable[[SearchSpace[Any], int], DifferencePredictor]  # space, seed


def _network(**changed: Any) -> Make:
    return lambda space, seed: MLPDifference(space, MLPConfig(**changed), seed)


_literal = _network()


def _accuracy_network(space: SearchSpace[Any], seed: int) -> DifferencePredictor:
    return AdditiveDifference(space, [NetworkPotential(seed=seed)], fixed_form(space).vectors)


@dataclass(frozen=True)
class Setting:
    """The literal reading with something changed.

    Attributes:
        choice: which choice.
        value: what it is here.
        make: the predictor.
        scheme, k, samples_per_code: as in `delta_data.draw_pairs`.
        zen: whether the labels learnt are Zen-scores.
    """

    choice: str
    value: str
    make: Make = _literal
    scheme: Scheme = "independent"
    k: int = 1
    samples_per_code: int = 4
    zen: bool = False


SETTINGS: dict[str, Setting] = {
    "literal": Setting("literal reading", "base visible, independent pairs, k = 1, n = 4"),
    **{f"k{k}": Setting("edits k", str(k), k=k) for k in (2, 3, 6)},
    **{f"n{n}": Setting("pairs of a code n", str(n), samples_per_code=n) for n in (1, 16)},
    "zen": Setting("label", "Zen-score", zen=True),
    "alone": Setting("view", "difference alone", _network(view="alone")),
    "both": Setting("view", "both cells", _network(view="both")),
    "code_means": Setting("view", "mean of the code, nothing learnt", lambda space, seed: CodeMeans(space)),
    "mse": Setting("loss", "mean squared error", _network(loss="mse")),
    "one_way": Setting("antisymmetry", "by mirrored pairs only", _network(antisymmetric=False)),
    "no_mirror": Setting("antisymmetry", "none", _network(antisymmetric=False, mirror=False)),
    "small": Setting("network", "32 wide", _network(width=32)),
    "large": Setting("network", "512 wide", _network(width=512)),
    "shallow": Setting("network", "1 layer", _network(layers=1)),
    "stars": Setting("pairs", "stars of 4 neighbours", scheme="stars"),
    "all_pairs": Setting("pairs", "all pairs of random cells", scheme="subset"),
    "accuracy_network": Setting(
        "no difference", "the network on accuracies of random cells", _accuracy_network, "subset"
    ),
    "gp_pairs": Setting("Gaussian process", "differences, independent pairs", lambda s, _: gp_difference(s)),
    "gp_stars": Setting("Gaussian process", "differences, stars", lambda s, _: gp_difference(s), "stars"),
    "gp_accuracy": Setting("Gaussian process", "accuracies of random cells", lambda s, _: gp_difference(s), "subset"),
}


def execute(p: AblationParameters, context: RunContext) -> Outcome:
    """Train and judge every setting on both budgets."""
    task = prediction_tasks("nb201")[0]
    parts = []
    for trial in range(p.trials):

        def compute(ledger: Ledger, trial: int = trial) -> pd.DataFrame:
            judged = evaluation(task, ledger, p.seed + trial, p.pairs, p.centres, p.anchors)
            with progress.task(f"trial {trial + 1}", len(SETTINGS) * len(task.budgets)) as advance:
                rows = []
                for budget in task.budgets:
                    for name in SETTINGS:
                        rows.append(_one(p, ledger, task, trial, budget, name, judged))
                        advance(1)
            return pd.DataFrame(rows)

        parts.append(context.stage("trials", f"trial-{trial}", compute))
    runs = pd.concat(parts, ignore_index=True)
    settings = {name: {"choice": s.choice, "value": s.value} for name, s in SETTINGS.items()}
    metrics = {"column": str(task.column), "settings": settings, "rows": summary_rows(runs)}
    return Outcome(metrics, {"runs": runs}, {"master": p.seed})


def _one(
    p: AblationParameters,
    ledger: Ledger,
    task: PredictionTask,
    trial: int,
    budget: str,
    name: str,
    judged: Evaluation,
) -> dict[str, Any]:
    setting = SETTINGS[name]
    rng = numpy_stream(p.seed + trial, "ablation", setting.scheme, setting.k, setting.samples_per_code, budget)
    pairs = training_pairs(
        task, task.budgets[budget], task.train_cells(budget, p.seed + trial), rng, setting.scheme,
        k=setting.k, samples_per_code=setting.samples_per_code,
    )  # fmt: skip
    column = ZEN if setting.zen else task.column
    data = label(pairs, ledger.open(task.benchmark, column, name))
    predictor = setting.make(task.space, p.seed + trial)
    with stopwatch() as watch:
        predictor.fit(data)
    return {
        "searcher": name, "protocol": budget, "task": task.name, "trial": trial, "labels": len(data.cells),
        "pairs": len(data), "seconds": watch.wall_s,
    } | judged.taus(predictor, data)  # fmt: skip


EXPERIMENT = Experiment("doa_ablation", 1, AblationParameters, lambda p: data_files("nb201"), execute)
