"""Hyper-parameters of the searchers, with where they come from.

"naszilla" is the public code that the tables of AG-Net and DiNAS take their baselines from (naszilla/naszilla at commit
7e65461, `nas_algorithms.py`, `params.py`, `nas_benchmarks.py`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LocalSearchConfig:
    """naszilla's local search.

    Attributes:
        initial: random cells at every start; the search begins at the best of them.
    """

    initial: int = 10


@dataclass(frozen=True)
class MutationConfig:
    """Candidates of BANANAS' acquisition function: mutants of the best cells known, as in naszilla.

    Attributes:
        count: candidates wanted.
        parents: the best cells, mutated in turn until there are `count` new mutants; each is mutated `count` times.
        edits: mean of the Poisson number of edits of a mutant (at least one is made).
    """

    count: int = 100
    parents: int = 5
    edits: float = 1.0


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
class BananasConfig:
    """BANANAS, as in naszilla.

    Attributes:
        initial: random cells before the first fit.
        batch: cells queried between fits.
        candidates: what the acquisition function chooses from.
        ensemble: the predictor.
    """

    initial: int = 10
    batch: int = 10
    candidates: MutationConfig = MutationConfig()
    ensemble: EnsembleConfig = EnsembleConfig()


@dataclass(frozen=True)
class BayesianConfig:
    """Bayesian optimisation with scikit-learn; initial and batch as in naszilla, the rest our choice.

    Attributes:
        initial: random cells before the first fit.
        batch: cells queried between fits.
        parents: the best cells, whose neighbours are the candidates.
    """

    initial: int = 10
    batch: int = 10
    parents: int = 10


@dataclass(frozen=True)
class PractitionerConfig:
    """The Gaussian process of `PractitionerGP`. Our choice, fixed after a look at NAS-Bench-201 validation accuracies;
    values of half or double do about as well there.

    Attributes:
        initial: random cells before the first fit.
        batch: cells queried between fits.
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


BANANAS_DEFAULTS = BananasConfig()
BAYESIAN_DEFAULTS = BayesianConfig()

LOCAL_SEARCH_DEFAULTS = LocalSearchConfig()

PRACTITIONER_DEFAULTS = PractitionerConfig()
