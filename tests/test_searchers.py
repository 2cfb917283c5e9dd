"""The baseline searchers: their rules on a tiny space with a known optimum, their worth on NAS-Bench-201."""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.gaussian_process import GaussianProcessRegressor

from nasrepro.benchmarks.base import MEAN, Column
from nasrepro.benchmarks.ledger import Ledger
from nasrepro.benchmarks.nb201 import NB201Benchmark
from nasrepro.encodings.adjacency import adjacency_encoding
from nasrepro.encodings.tabular import tabular_features
from nasrepro.graphs import Graphs
from nasrepro.predictors.gaussian_process import GaussianProcess
from nasrepro.predictors.scaling import normal_scores
from nasrepro.search import bananas, bayesian
from nasrepro.search import gaussian_process as practitioner
from nasrepro.search.bananas import BANANAS, Ensemble, XGBoostBANANAS
from nasrepro.search.base import Proposal, Searcher, spend
from nasrepro.search.bayesian import BayesianOptimisation, expected_improvement
from nasrepro.search.defaults import (
    BananasConfig,
    EnsembleConfig,
    EvolutionConfig,
    PractitionerConfig,
)
from nasrepro.search.evolution import RegularisedEvolution
from nasrepro.search.gaussian_process import PractitionerGP, log_distance
from nasrepro.search.local_search import LocalSearch
from nasrepro.search.mutation import new_mutants
from nasrepro.search.random_search import RandomSearch
from nasrepro.spaces.base import FiniteSpace, SearchSpace
from nasrepro.spaces.nb201 import NB201

VALID = Column("cifar10", "accuracy", "valid", 200, MEAN)
QUICK = BananasConfig(ensemble=EnsembleConfig(members=3, layers=2, epochs=20))

Make = Callable[[SearchSpace[Any], np.random.Generator], Searcher]
SURROGATES: dict[str, Make] = {
    "bananas": lambda space, rng: BANANAS(space, rng, QUICK),
    "bananas_xgboost": XGBoostBANANAS,
    "bo": BayesianOptimisation,
    "gp": PractitionerGP,
}
NEVER_TWICE: dict[str, Make] = {"random": RandomSearch, "local_search": LocalSearch, **SURROGATES}
ALL: dict[str, Make] = {**NEVER_TWICE, "evolution": RegularisedEvolution}


class _Chain(FiniteSpace[tuple[int, ...]]):
    """Four operations out of three in a row: 81 cells."""

    name = title = "chain"
    node_classes = ("input", "nor_conv_3x3", "avg_pool_3x3", "none", "output")
    max_nodes = 6
    size = 81

    def check(self, arch: tuple[int, ...]) -> None:
        assert len(arch) == 4 and set(arch) <= {1, 2, 3}

    def key(self, arch: tuple[int, ...]) -> str:
        return "".join(map(str, arch))

    def neighbours(self, arch: tuple[int, ...]) -> list[tuple[int, ...]]:
        return [b for b in self.all() if self.distance(arch, b) == 1]

    def distance(self, a: tuple[int, ...], b: tuple[int, ...]) -> int:
        return sum(x != y for x, y in zip(a, b, strict=True))

    def _encode(self, rows: np.ndarray) -> Graphs:
        nodes = torch.tensor([[0, *self._at(row), 4] for row in rows.tolist()]).reshape(len(rows), 6)
        adjacency = torch.diag(torch.ones(5, dtype=torch.long), 1).expand(len(rows), 6, 6)
        return Graphs.from_adjacency(nodes, adjacency)

    def read(self, nodes: list[int], adjacency: np.ndarray) -> tuple[int, ...]:
        return tuple(nodes[1:5])

    def to_string(self, arch: tuple[int, ...]) -> str:
        return self.key(arch)

    def from_string(self, text: str) -> tuple[int, ...]:
        return tuple(map(int, text))

    def index(self, arch: tuple[int, ...]) -> int:
        return int("".join(str(op - 1) for op in arch), 3)

    def _at(self, row: int) -> tuple[int, ...]:
        return tuple(row // 3**place % 3 + 1 for place in (3, 2, 1, 0))

    def all(self) -> Iterator[tuple[int, ...]]:
        return product((1, 2, 3), repeat=4)


CHAIN = _Chain()
OPTIMUM = (1, 2, 1, 1)


def _value(arch: tuple[int, ...]) -> float:
    """Negative distance to the optimum, a little more for pools."""
    return -CHAIN.distance(arch, OPTIMUM) + 0.01 * arch.count(2)


def _run(searcher: Searcher, queries: int, batch: int = 1, until: Any = None) -> list[tuple[int, ...]]:
    asked: list[Any] = []
    while len(asked) < queries and until not in asked and (proposals := searcher.ask(min(batch, queries - len(asked)))):
        asked += [p.arch for p in proposals]
        searcher.tell(proposals, np.array([_value(p.arch) for p in proposals]))
    return asked


@pytest.fixture(scope="module")
def nb201() -> NB201Benchmark:
    return NB201Benchmark()


@pytest.mark.parametrize("batch", [1, 7])
@pytest.mark.parametrize("name", NEVER_TWICE)
def test_every_cell_is_proposed_once_and_then_no_more(name: str, batch: int):
    asked = _run(NEVER_TWICE[name](CHAIN, np.random.default_rng(0)), 500, batch)
    assert len(asked) == len(set(asked)) == 81


def test_evolution_stops_when_every_cell_was_proposed():
    searcher = RegularisedEvolution(CHAIN, np.random.default_rng(0), EvolutionConfig(population=200))
    asked = _run(searcher, 5_000)
    assert set(asked) == set(CHAIN.all()) and len(asked) < 200 and searcher.ask(3) == []


@pytest.mark.parametrize("name", [n for n in ALL if n != "random"])
def test_the_optimum_of_a_smooth_function_is_found_sooner_than_by_chance(name: str):
    """A random search needs 41 queries in the mean, with a standard deviation of 23.4."""
    runs = {"evolution": 60, "bananas": 30}.get(name, 8)  # a population of a third of the space; a bit for every cell
    at = [len(_run(ALL[name](CHAIN, np.random.default_rng(s)), 400, until=OPTIMUM)) for s in range(runs)]
    assert stats.norm.cdf((np.mean(at) - 41) / (23.4 / np.sqrt(runs))) < 0.01


@pytest.mark.parametrize("name", ALL)
def test_a_search_depends_on_its_generator_alone(name: str):
    runs = []
    for seed in (1, 1, 2):
        searcher = ALL[name](CHAIN, np.random.default_rng(seed))
        np.random.seed(len(runs))  # noqa: NPY002  global states must not matter
        torch.manual_seed(len(runs))
        runs.append(_run(searcher, 40))
    assert runs[0] == runs[1] != runs[2]


@pytest.mark.parametrize("name", ALL)
def test_what_is_no_cell_or_has_no_label_is_survived(name: str):
    searcher = ALL[name](CHAIN, np.random.default_rng(0))
    searcher.tell([Proposal(None, "edges")], np.array([np.nan]))
    unlabelled = {arch for arch in CHAIN.all() if arch[3] == 2}
    asked: list[Any] = []
    while len(asked) < 60 and (proposals := searcher.ask(1)):
        arch = proposals[0].arch
        asked.append(arch)
        searcher.tell(proposals, np.array([np.nan if arch in unlabelled else _value(arch)]))
    assert OPTIMUM in asked or name == "random"
    if name in NEVER_TWICE:
        assert len(set(asked)) == 60


@pytest.mark.parametrize("name", SURROGATES)
def test_equal_labels_teach_nothing_and_break_nothing(name: str):
    searcher = SURROGATES[name](CHAIN, np.random.default_rng(0))
    for _ in range(5):
        proposals = searcher.ask(10)
        searcher.tell(proposals, np.full(len(proposals), 7.0))
    assert len(searcher.ask(10)) == 10


@pytest.mark.parametrize("name", SURROGATES)
def test_labels_from_elsewhere_are_learnt_from_and_not_asked_again(name: str):
    searcher = SURROGATES[name](CHAIN, np.random.default_rng(0))
    known = [arch for arch in CHAIN.all() if CHAIN.distance(arch, OPTIMUM) >= 2]
    searcher.tell([Proposal(arch) for arch in known], np.array([_value(arch) for arch in known]))
    asked = _run(searcher, 81 - len(known))
    assert not set(asked) & set(known)
    assert CHAIN.distance(asked[0], OPTIMUM) <= 1
    assert OPTIMUM in asked[:10]


@pytest.mark.parametrize("name", SURROGATES)
def test_asking_one_by_one_or_by_batches_makes_no_difference(name: str, nb201: NB201Benchmark):
    batch = 8 if name == "gp" else 10
    traces = []
    for size in (1, batch):
        labels = Ledger().open(nb201, VALID, "s")
        searcher = SURROGATES[name](NB201, np.random.default_rng(3))
        traces.append(spend(searcher, NB201, labels, 4 * batch, batch=size).row.tolist())
    assert traces[0] == traces[1] and len(set(traces[0])) == 4 * batch


def test_local_search_moves_to_the_first_better_neighbour_and_restarts_at_an_optimum():
    searcher = LocalSearch(CHAIN, np.random.default_rng(5), initial=3)
    asked: list[tuple[int, ...]] = []

    def ask() -> tuple[int, ...]:
        proposals = searcher.ask(1)
        asked.append(proposals[0].arch)
        searcher.tell(proposals, np.array([_value(asked[-1])]))
        return asked[-1]

    centre = max([ask() for _ in range(3)], key=_value)
    moves = 0
    while any(b not in asked for b in CHAIN.neighbours(centre)):
        arch = ask()
        assert CHAIN.distance(arch, centre) == 1
        if _value(arch) > _value(centre):
            centre, moves = arch, moves + 1
    assert centre == OPTIMUM and moves >= 2  # the only local optimum
    founders = [ask() for _ in range(3)]
    assert min(CHAIN.distance(arch, OPTIMUM) for arch in founders) > 1  # all its neighbours are known
    assert CHAIN.distance(ask(), max(founders, key=_value)) == 1


def test_local_search_orders_neighbours_at_random():
    firsts = []
    for seed in range(400):
        searcher = LocalSearch(CHAIN, np.random.default_rng(seed), initial=1)
        founder = searcher.ask(1)
        searcher.tell(founder, np.array([0.0]))
        firsts.append(CHAIN.neighbours(founder[0].arch).index(searcher.ask(1)[0].arch))
    assert stats.chisquare(np.bincount(firsts, minlength=8)).pvalue > 1e-3


def test_the_number_of_edits_of_a_mutant_is_poisson_but_at_least_one():
    further = [0]  # edits of each mutant after the first, which is a random neighbour

    class Counting(_Chain):
        def mutate(self, arch: tuple[int, ...], rng: np.random.Generator) -> tuple[int, ...]:
            further[-1] += 1
            return super().mutate(arch, rng)

        def key(self, arch: tuple[int, ...]) -> str:  # asked once a mutant is made
            further.append(0)
            return super().key(arch)

    new_mutants(Counting(), [OPTIMUM], np.random.default_rng(0), 4_000, set(), edits=1.5)
    law, calls = stats.poisson(1.5), 1 + np.array(further[:-1])
    observed = np.bincount(np.minimum(calls, 5), minlength=6)
    expected = 4_000 * np.array([0, law.cdf(1), law.pmf(2), law.pmf(3), law.pmf(4), law.sf(4)])
    assert observed[0] == 0 and stats.chisquare(observed[1:], expected[1:]).pvalue > 1e-3


def test_parents_are_mutated_in_turn_until_there_are_enough_new_mutants():
    rng, far = np.random.default_rng(0), (3, 3, 3, 3)
    near, around = set(CHAIN.neighbours(OPTIMUM)), set(CHAIN.neighbours(far))  # 8 each, none in common
    assert set(new_mutants(CHAIN, [OPTIMUM, far], rng, 200, set(), edits=1e-9)) == near | around
    known = {CHAIN.key(b) for b in near}
    assert set(new_mutants(CHAIN, [OPTIMUM, far], rng, 200, known, edits=1e-9)) == around
    for _ in range(20):
        few = new_mutants(CHAIN, [OPTIMUM, far], rng, 3, set(), edits=1e-9)
        from_first = [b in near for b in few]
        assert len(set(few)) == len(few) and from_first == sorted(from_first, reverse=True)
        assert sum(from_first) < 3 or all(from_first)  # the second parent only where the first gave too few


def test_bananas_draws_a_value_for_each_candidate_from_the_mean_and_spread_of_its_predictions(
    monkeypatch: pytest.MonkeyPatch,
):
    """Independent Thompson sampling: b comes before a with probability Phi((m_b - m_a) / sqrt(s_a^2 + s_b^2))."""
    mean, deviation = np.array([0.0, 1.0]), np.array([0.8, 0.6])

    class Known(Ensemble):
        def fit(self, x: np.ndarray, y: np.ndarray) -> None: ...

        def predict(self, x: np.ndarray) -> np.ndarray:
            return np.stack([mean - deviation, mean + deviation])

    a, b = (3, 3, 3, 3), (2, 2, 2, 2)
    monkeypatch.setattr(bananas, "path_encoding", lambda graphs, _: np.zeros((len(graphs), 1), dtype=np.float32))
    monkeypatch.setattr(bananas, "Ensemble", Known)
    monkeypatch.setattr(bananas, "new_mutants", lambda *_: [a, b])
    searcher = BANANAS(CHAIN, np.random.default_rng(0), QUICK)
    searcher.tell([Proposal(OPTIMUM), Proposal((1, 1, 1, 1))], np.array([0.0, 1.0]))
    wins = sum(searcher.choose(1) == [b] for _ in range(1_500))
    assert stats.binomtest(wins, 1_500, stats.norm.cdf(1)).pvalue > 1e-3


@pytest.mark.parametrize("shortlist", [5, 20, 512])
def test_a_batch_of_independent_cells_has_the_highest_upper_confidence_bounds(
    shortlist: int, monkeypatch: pytest.MonkeyPatch
):
    """The shortlist leaves out nothing that would be chosen, and no cell is chosen that was tried."""
    rng = np.random.default_rng(0)
    mean, deviation = rng.normal(size=81), 2 * rng.random(81)

    class Known(GaussianProcess):
        def fit(self, *_: Any) -> None: ...

        def predict(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            rows = [int((x_ == tabular_features(CHAIN).table).all(1).argmax()) for x_ in x]
            return mean[rows], deviation[rows]

        def covariance(self, x: np.ndarray) -> np.ndarray:
            return np.diag(self.predict(x)[1] ** 2)

    monkeypatch.setattr(practitioner, "GaussianProcess", Known)
    searcher = PractitionerGP(CHAIN, rng, PractitionerConfig(shortlist=shortlist, confidence=1.5))
    best = [CHAIN.from_index(int(row)) for row in np.argsort(-(mean + 1.5 * deviation))]
    searcher.tell([Proposal(arch) for arch in best[:3]], np.arange(3.0))
    assert searcher.choose(5) == best[3:8]


def test_bayesian_optimisation_queries_the_neighbours_expected_to_improve_most_on_the_best(
    monkeypatch: pytest.MonkeyPatch,
):
    weights = np.random.default_rng(0).normal(size=(2, adjacency_encoding(CHAIN.encode([OPTIMUM]), 5).shape[1]))

    class Known(GaussianProcessRegressor):
        def fit(self, x: np.ndarray, y: np.ndarray) -> None: ...

        def predict(self, x: np.ndarray, return_std: bool = False) -> tuple[np.ndarray, np.ndarray]:
            return x @ weights[0] / 2, np.abs(x @ weights[1])

    monkeypatch.setattr(bayesian, "GaussianProcessRegressor", Known)
    searcher = BayesianOptimisation(CHAIN, np.random.default_rng(0))
    told = [OPTIMUM, (3, 3, 3, 3), (1, 1, 1, 1)]
    searcher.tell([Proposal(arch) for arch in told], np.array([1.0, 3.0, 2.0]))
    near = [a for a in CHAIN.all() if a not in told and 1 in [CHAIN.distance(a, b) for b in told]]
    mean, deviation = Known().predict(adjacency_encoding(CHAIN.encode(near), 5).numpy())
    gain = expected_improvement(mean, deviation, stats.norm.ppf(2.5 / 3))  # the best of three labels
    assert searcher.choose(6) == [near[k] for k in np.argsort(-gain)[:6]]


def test_expected_improvement_is_the_mean_gain():
    rng = np.random.default_rng(0)
    mean, deviation = np.array([0.0, 1.0, -2.0]), np.array([1.0, 0.5, 2.0])
    gains = np.maximum(rng.normal(mean, deviation, (400_000, 3)) - 0.7, 0)
    error = 4 * gains.std(0) / np.sqrt(400_000)
    assert (np.abs(expected_improvement(mean, deviation, 0.7) - gains.mean(0)) < error).all()
    assert expected_improvement(np.array([2.0, 1.0]), np.zeros(2), 1.5).tolist() == [0.5, 0.0]


def test_transformed_labels_keep_their_order():
    values = np.random.default_rng(0).normal(90, 5, 31)
    for transformed in (log_distance(values, 0.2), normal_scores(values)):
        assert (np.argsort(transformed) == np.argsort(values)).all()
    assert normal_scores(values).sum() == pytest.approx(0, abs=1e-9)
    assert normal_scores([1.0, 1.0, 2.0])[0] == normal_scores([1.0, 1.0, 2.0])[1]
    assert log_distance(10 * values + 3, 0.2).std() == pytest.approx(log_distance(values, 0.2).std())  # any unit
    assert log_distance([5.0, 5.0], 0.2).tolist() == [0.0, 0.0]


def test_the_ensemble_learns_and_its_members_differ():
    rng = np.random.default_rng(0)
    x = (rng.random((160, 12)) < 0.5).astype(np.float32)
    y = x @ rng.normal(size=12)
    y = (y - y.mean()) / y.std()
    predictions = []
    for seed in (1, 1):
        ensemble = Ensemble(12, np.random.default_rng(seed), EnsembleConfig(epochs=60))
        ensemble.fit(x[:100], y[:100])
        predictions.append(ensemble.predict(x[100:]))
    assert (predictions[0] == predictions[1]).all() and predictions[0].shape == (5, 60)
    assert min(stats.spearmanr(p, y[100:]).statistic for p in predictions[0]) > 0.7
    assert np.corrcoef(predictions[0])[~np.eye(5, dtype=bool)].max() < 0.9999


def test_backpropagation_through_the_ensemble_is_that_of_torch():
    rng = np.random.default_rng(0)
    ensemble = Ensemble(7, rng, EnsembleConfig(members=3, layers=4, width=6))
    for bias in ensemble.biases:
        bias[:] = rng.normal(0, 0.1, bias.shape)
    x, y = rng.normal(size=(3, 9, 7)).astype(np.float32), rng.normal(size=(3, 9)).astype(np.float32)
    parameters = [torch.tensor(p, requires_grad=True) for p in (*ensemble.weights, *ensemble.biases)]
    h = torch.from_numpy(x)
    for k in range(5):
        h = h @ parameters[k] + parameters[5 + k]
        h = torch.relu(h) if k < 4 else h[:, :, 0]
    np.testing.assert_allclose(ensemble.predict(x), h.detach().numpy(), rtol=1e-4, atol=1e-6)
    (h - torch.from_numpy(y)).abs().mean(1).sum().backward()
    expected = np.concatenate([p.grad.numpy().ravel() for p in parameters])
    np.testing.assert_allclose(ensemble.gradient(x, y), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", [n for n in ALL if n not in ("random", "evolution")])
def test_a_searcher_beats_random_search(name: str, nb201: NB201Benchmark):
    """Best validation accuracy of 60 queries, one-sided Mann-Whitney test; evolution is tested in test_search.py."""

    def best(make: Make, runs: int) -> np.ndarray:
        labels = Ledger().open(nb201, VALID, "s")
        return np.array(
            [spend(make(NB201, np.random.default_rng(s)), NB201, labels, 60).value.max() for s in range(runs)]
        )

    assert stats.mannwhitneyu(best(ALL[name], 6), best(RandomSearch, 100), alternative="greater").pvalue < 0.05
