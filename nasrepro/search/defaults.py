"""Hyper-parameters of the searchers, with where they come from.

"naszilla" is the public code that the tables of AG-Net and DiNAS take their baselines from (naszilla/naszilla at commit
7e65461, `nas_algorithms.py`, `params.py`, `nas_benchmarks.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class EvolutionConfig:
    """Regularised evolution, with or without crossover.

    Attributes:
        population: its size.
        tournament: members drawn (without replacement) for each tournament.
        mutation: `edit` makes one random edit of the space; `fields` changes each field of the fixed-length code by
            chance (`spaces.fixed_code`), again until it is a cell, as NAS-Bench-101's authors and SEP do.
        crossover: every other child is one of two different tournament winners (`search.crossover`).
        rate: share of a shortest edit path that a child goes.
        trials: children drawn of two winners before the crossover is skipped, and a mutation made instead.
    """

    population: int = 30
    tournament: int = 10
    mutation: Literal["edit", "fields"] = "edit"
    crossover: Literal["none", "standard", "shortest_path"] = "none"
    rate: float = 0.5
    trials: int = 50

    def __post_init__(self) -> None:
        if not 1 <= self.tournament <= self.population:
            raise ValueError(f"tournament must lie in 1..{self.population} (the population), not {self.tournament}")


@dataclass(frozen=True)
class ReinforceConfig:
    """The controller of automl/nas_benchmarks (Ying et al., 2019), with SEP's learning rate for labels without noise.

    Attributes:
        learning_rate: of gradient ascent on the logits; 0.5 in the noisy setting.
        momentum: of the moving average of rewards that is the baseline.
        scale: reward per unit of the value; turns per cent into a share of 1.
    """

    learning_rate: float = 0.1
    momentum: float = 0.9
    scale: float = 0.01


@dataclass(frozen=True)
class DeltaConfig:
    """Algorithm 2 of Delta-NAS and its variants. The defaults are the algorithm as printed, with the resampling of
    which section 4.2 speaks.

    Attributes:
        population: its size; 100 in SEP, whose settings the paper follows, 256 in the paper's appendix.
        move: `always` goes to the neighbour of the largest predicted gain even if all gains are negative;
            `only_if_better` goes there only if the gain is positive.
        elite: before each step so many of the best cells by label take the places of the worst members.
        revisit: whether a member may move to a cell that was evaluated before.
        resample: what happens when there is nothing new: `never` ends the search when a step leads to no new cell,
            `population` then draws a new population, `member` replaces each member that finds no new cell.
        retrain: give the labels of each step to the predictor before the next one.
    """

    population: int = 100
    move: Literal["always", "only_if_better"] = "always"
    elite: int = 0
    revisit: bool = True
    resample: Literal["never", "population", "member"] = "population"
    retrain: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.elite <= self.population:
            raise ValueError(f"elite must lie in 0..{self.population} (the population), not {self.elite}")


@dataclass(frozen=True)
class SurrogateConfig:
    """What every search with a model of the labels has.

    Attributes:
        initial: random cells before the first fit.
        batch: cells queried between fits.
    """

    initial: int = 10
    batch: int = 10


@dataclass(frozen=True)
class EnsembleConfig:
    """BANANAS' ensemble of feed-forward networks, as in naszilla.

    Attributes:
        members: number of networks.
        layers: hidden layers of each.
        width: neurons of each layer.
        epochs: passes over the labels.
        batch: labels in a step of Adam.
        learning_rate: of Adam.
    """

    members: int = 5
    layers: int = 10
    width: int = 20
    epochs: int = 150
    batch: int = 32
    learning_rate: float = 0.01


@dataclass(frozen=True)
class BananasConfig(SurrogateConfig):
    """BANANAS, as in naszilla.

    Attributes:
        candidates: mutants of the best cells known, of which the acquisition function chooses.
        parents: these best cells, mutated in turn until there are enough; each is mutated `candidates` times.
        edits: mean of the Poisson number of edits of a mutant (at least one is made).
        ensemble: the predictor.
    """

    candidates: int = 100
    parents: int = 5
    edits: float = 1.0
    ensemble: EnsembleConfig = EnsembleConfig()


@dataclass(frozen=True)
class BayesianConfig(SurrogateConfig):
    """Bayesian optimisation with scikit-learn; initial and batch as in naszilla, the rest our choice.

    Attributes:
        parents: the best cells, whose neighbours are the candidates.
    """

    parents: int = 10


@dataclass(frozen=True)
class PractitionerConfig(SurrogateConfig):
    """The Gaussian process of `PractitionerGP`. Our choice, fixed after a look at NAS-Bench-201 validation accuracies;
    values of half or double do about as well there.

    Attributes:
        confidence: beta of mean + beta x standard deviation.
        offset: c of -log(best + c - y), as a share of the distance from the median label to the best.
        first_steps: L-BFGS steps of the first fit.
        steps: L-BFGS steps of every later fit, which starts from the last.
        shortlist: candidates of highest confidence bound from which a batch is chosen.
        parents: the best cells, whose neighbours are the candidates where the space cannot be enumerated.
    """

    initial: int = 16
    batch: int = 8
    confidence: float = 2.0
    offset: float = 0.2
    first_steps: int = 100
    steps: int = 20
    shortlist: int = 512
    parents: int = 20


DELTA_LITERAL = DeltaConfig()
DELTA_SENSIBLE = DeltaConfig(move="only_if_better", elite=20, revisit=False, resample="member")
SEP_EVOLUTION = EvolutionConfig(population=100, mutation="fields")  # SEP (ICML 2023), appendix A.4 and public code
