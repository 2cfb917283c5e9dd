"""Who takes part in the searches of Delta-NAS, Figures 4 and 5: each entry of `METHODS` is one line of the figures.

A method is a way of search and, where it needs one, a predictor trained before the search:

- `pairs`, `stars`: the paper's network on one-edit pairs, drawn as Algorithm 1 prints them (two labels a pair), or
  several around each anchor (a little more than one).
- `gp_stars`: a Gaussian process that is told differences only, of the same stars.
- `gp`: the same Gaussian process as an ordinary accuracy predictor, on as many labels of random cells; above
  `MOST_OF_GP` of them, whose covariance would fill the memory, gradient-boosted trees on the same features.
- `table`: the labels themselves, all of them. No method; it shows what a walk could do with a perfect predictor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from nasrepro.benchmarks.ledger import Labels
from nasrepro.delta.additive import AdditiveDifference, difference_trees
from nasrepro.delta.network import MLPConfig, MLPDifference
from nasrepro.delta.pairs import CellPairs, Scheme, draw_among, draw_pairs, label
from nasrepro.delta.predictor import DifferencePredictor
from nasrepro.delta.search import DeltaNAS, GainPredictor, RelearntDifference, ScoreGain
from nasrepro.encodings.tabular import tabular_features
from nasrepro.experiments.delta.judging import chain
from nasrepro.predictors.regressors import GPPredictor
from nasrepro.search.base import Proposal, Searcher
from nasrepro.search.defaults import DELTA_LITERAL, DELTA_SENSIBLE, SEP_EVOLUTION, DeltaConfig
from nasrepro.search.evolution import RegularisedEvolution
from nasrepro.search.local_search import LocalSearch
from nasrepro.search.model_based import Ranking
from nasrepro.search.random_search import RandomSearch
from nasrepro.search.reinforce import Reinforce
from nasrepro.seeding import derive, numpy_stream
from nasrepro.spaces.base import FiniteSpace

TABLE = "table"
_SCHEMES: dict[str, Scheme] = {"pairs": "independent", "stars": "stars", "gp_stars": "stars", "gp": "subset"}
_NETWORK = MLPConfig(
    loss="mse", layers=2, epochs=150, batch=64, learning_rate=2e-3, epoch_pairs=4096, most_pairs=32_768
)  # every pair that was paid for is drawn from
MOST_OF_GP = 5_000  # labels
_RETRAINED = replace(_NETWORK, epochs=20, batch=256)  # during a search: by then the pairs are many


@dataclass
class Trained:
    """The predictors of one run, each trained when it is first asked for.

    Attributes:
        space: where to search.
        labels: number of distinct labels that each is trained on.
        seed: master seed.
        run: number of the run.
        among: the cells (rows, int64) that have a training label, None where all have.
    """

    space: FiniteSpace[Any]
    labels: int
    seed: int
    run: int
    among: np.ndarray | None = None
    _known: dict[str, DifferencePredictor] = field(default_factory=dict)

    def pairs(self, kind: str) -> CellPairs:
        """Return the pairs of cells that a kind of predictor is trained on; stars are the same for both kinds."""
        scheme = _SCHEMES[kind]
        rng = numpy_stream(self.seed, "pairs", scheme, self.run)
        if self.among is not None:
            return draw_among(self.space, self.among, self.labels, rng)
        anchors = self.space.rows([self.space.sample(rng) for _ in range(self.labels)])
        if scheme == "subset":  # all pairs of the cells; a chain says as much, and needs no room for each
            return chain(anchors)
        return draw_pairs(self.space, anchors, self.labels, rng, scheme=scheme)

    def predictor(self, kind: str, labels: Labels) -> tuple[DifferencePredictor, np.ndarray]:
        """Return a predictor, and the rows whose labels (purpose `train`) it has read, in order."""
        data = label(self.pairs(kind), labels)  # whoever uses it pays for it
        if kind not in self._known:
            self._known[kind] = self._make(kind)
            self._known[kind].fit(data)
        return self._known[kind], np.asarray(data.cells)

    def relearning(self, kind: str, labels: Labels) -> tuple[RelearntDifference, np.ndarray]:
        """Return a predictor that goes on learning during the search, and the rows that it was first trained on."""
        first, rows = self.predictor(kind, labels)
        data = label(self.pairs(kind), labels)
        seed = derive(self.seed, "retrained", self.run)
        make = lambda: MLPDifference(self.space, _RETRAINED, seed)  # noqa: E731
        return RelearntDifference(self.space, data, first, make), rows

    def _make(self, kind: str) -> DifferencePredictor:
        if kind in ("pairs", "stars"):
            return MLPDifference(self.space, _NETWORK, derive(self.seed, kind, self.run))
        table = tabular_features(self.space).table
        assert table is not None
        few = kind != "gp" or self.labels <= MOST_OF_GP
        potential = GPPredictor() if few else difference_trees(derive(self.seed, "trees", self.run))
        return AdditiveDifference(self.space, [potential], lambda rows: table[rows])


@dataclass(frozen=True)
class Method:
    """One line of the figures.

    Attributes:
        title: as the figures and tables call it.
        population: members of its population; the window over which the average distance of others is taken.
        predictor: kind of predictor, empty where there is none.
        start: makes the searcher from a space, a generator and the predictor.
        retrain: whether the predictor learns on.
        told: whether the search is told the labels that the predictor was trained on.
    """

    title: str
    start: Callable[[Any, np.random.Generator, Any], Searcher]
    predictor: str = ""
    population: int = 100
    retrain: bool = False
    told: bool = False

    def begin(
        self, trained: Trained, labels: Labels, rng: np.random.Generator, scores: Labels | None = None
    ) -> tuple[Searcher, np.ndarray]:
        """Return the searcher, and the rows whose labels were read before the search, in order.

        Args:
            trained: the predictors of the run.
            labels: what is searched, and learnt where there are no `scores`.
            rng: of the search.
            scores: what is learnt instead of labels and costs none. Only for searches that are told no label.
        """
        if self.predictor == TABLE:
            everything = np.arange(trained.space.size)
            return self.start(trained.space, rng, ScoreGain(labels.read(everything, "train"))), everything
        if not self.predictor:
            return self.start(trained.space, rng, None), np.zeros(0, dtype=np.int64)
        found = trained.relearning if self.retrain else trained.predictor
        predictor, rows = found(self.predictor, labels if scores is None else scores)
        searcher = self.start(trained.space, rng, predictor)
        if scores is not None:
            return searcher, np.zeros(0, dtype=np.int64)
        if self.told:
            proposals = [Proposal(trained.space.from_index(int(row))) for row in rows]
            searcher.tell(proposals, labels.read(rows, "train"))
        return searcher, rows


def _walk(title: str, predictor: str, config: DeltaConfig) -> Method:
    def start(space: Any, rng: np.random.Generator, gains: GainPredictor) -> Searcher:
        return DeltaNAS(space, gains, rng, config)

    return Method(title, start, predictor, config.population, config.retrain, told=config.elite > 0)


def _evolution(title: str, crossover: Any) -> Method:
    config = replace(SEP_EVOLUTION, crossover=crossover)
    return Method(title, lambda space, rng, _: RegularisedEvolution(space, rng, config), population=config.population)


def _ranking(space: Any, rng: np.random.Generator, predictor: AdditiveDifference) -> Searcher:
    return Ranking(space, predictor.potential(np.arange(space.size)))


def _large(config: DeltaConfig) -> DeltaConfig:
    return replace(config, population=256)


METHODS: dict[str, Method] = {
    "delta_literal": _walk("Delta-NAS as printed", "pairs", DELTA_LITERAL),
    "delta_literal_256": _walk("Delta-NAS as printed, population 256", "pairs", _large(DELTA_LITERAL)),
    "delta_stars": _walk("Delta-NAS as printed, cheaper pairs", "stars", DELTA_LITERAL),
    "delta_sensible": _walk("Delta-NAS, sensible", "stars", DELTA_SENSIBLE),
    "delta_sensible_256": _walk("Delta-NAS, sensible, population 256", "stars", _large(DELTA_SENSIBLE)),
    "delta_retrain": _walk("Delta-NAS, sensible, retrained", "stars", replace(DELTA_SENSIBLE, retrain=True)),
    "delta_gp": _walk("Delta-NAS, sensible, Gaussian process of differences", "gp_stars", DELTA_SENSIBLE),
    "delta_oracle": _walk("Delta-NAS as printed, perfect predictor", TABLE, DELTA_LITERAL),
    "plain_literal": _walk("Algorithm 2 with a plain predictor", "gp", DELTA_LITERAL),
    "plain_sensible": _walk("Sensible walk with a plain predictor", "gp", DELTA_SENSIBLE),
    "plain_ranking": Method("Best cells of a plain predictor", _ranking, "gp"),
    "evolution_sep": _evolution("Evolution, SEP crossover", "shortest_path"),
    "evolution_crossover": _evolution("Evolution, standard crossover", "standard"),
    "evolution": _evolution("Evolution without crossover", "none"),
    "random": Method("Random search", lambda space, rng, _: RandomSearch(space, rng)),
    "reinforce": Method("REINFORCE", lambda space, rng, _: Reinforce(space, rng)),
    "local_search": Method("Local search", lambda space, rng, _: LocalSearch(space, rng)),
}
