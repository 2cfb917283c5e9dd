"""The difference-of-architecture encoding, Algorithm 1, and what difference predictors must satisfy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from nasrepro.benchmarks.ledger import Ledger
from nasrepro.benchmarks.nb201 import NB201Benchmark
from nasrepro.delta.additive import AdditiveDifference, difference_trees, gp_difference, strong_difference
from nasrepro.delta.code_means import CodeMeans
from nasrepro.delta.encoding import code_numbers, difference_encoding, signed_difference
from nasrepro.delta.network import MLPConfig, MLPDifference, NetworkPotential
from nasrepro.delta.pairs import CellPairs, DifferenceData, draw_edits, draw_pairs, label
from nasrepro.delta.predictor import chain_edits
from nasrepro.encodings.aligned_form import fixed_form
from nasrepro.encodings.cells import take
from nasrepro.encodings.path_profile import path_profile
from nasrepro.errors import ParameterError, UnknownQuery
from nasrepro.experiments.dinas.nb201 import column
from nasrepro.predictors.gaussian_process import GaussianProcess, _rbf
from nasrepro.predictors.regressors import GPPredictor
from nasrepro.spaces.base import FiniteSpace, SearchSpace
from nasrepro.spaces.darts.space import NB301
from nasrepro.spaces.nb101.space import NB101
from nasrepro.spaces.nb201 import NB201
from nasrepro.spaces.transnas import TNB101_MACRO, TNB101_MICRO

SPACES: list[SearchSpace[Any]] = [NB201, TNB101_MICRO, NB101, NB301]
named = pytest.mark.parametrize("space", SPACES, ids=lambda s: s.name)


def some_cells(space: SearchSpace[Any], count: int, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    if isinstance(space, FiniteSpace):
        return rng.permutation(space.size)[:count]
    return [space.sample(rng) for _ in range(count)]


def archs(space: SearchSpace[Any], cells: Any) -> list[Any]:
    return [space.from_index(int(c)) for c in cells] if isinstance(space, FiniteSpace) else list(cells)


# ---- encoding and edits ----


@named
@pytest.mark.parametrize("k", [1, 2, 4])
def test_edited_cells_are_k_edits_away(space: SearchSpace[Any], k: int):
    base, other = draw_edits(space, some_cells(space, 60), k, np.random.default_rng(1), exact=True)
    assert len(base) == len(other) >= 55
    for a, b in zip(archs(space, base), archs(space, other), strict=True):
        found = NB101.graph_edit_distance(a, b) if space is NB101 else space.distance(a, b)
        assert found == k


def test_an_edit_of_nas_bench_101_may_drop_a_vertex_unless_it_is_exact():
    base, other = draw_edits(NB101, some_cells(NB101, 300), 1, np.random.default_rng(0))
    distances = [NB101.graph_edit_distance(a, b) for a, b in zip(archs(NB101, base), archs(NB101, other), strict=True)]
    assert min(distances) == 1 and max(distances) > 1
    near = {NB101.key(b) for b in NB101.neighbours(archs(NB101, base)[0])}
    assert NB101.key(archs(NB101, other)[0]) in near


def test_a_space_without_a_fixed_form_is_refused():
    with pytest.raises(UnknownQuery, match="tnb101-macro has no fixed form"):
        fixed_form(TNB101_MACRO)


@named
def test_a_difference_has_as_many_places_as_edits(space: SearchSpace[Any]):
    form = fixed_form(space)
    for k in (1, 3):
        base, other = draw_edits(space, some_cells(space, 40), k, np.random.default_rng(2), exact=True)
        difference = signed_difference(space, base, other)
        assert set(np.unique(difference)) <= {-1.0, 0.0, 1.0}
        changed = np.array([len(np.unique(form.places[row != 0])) for row in difference])
        np.testing.assert_array_equal(changed, k)


@named
def test_a_difference_is_zero_exactly_for_isomorphic_cells(space: SearchSpace[Any]):
    cells = some_cells(space, 30)
    assert not signed_difference(space, cells, cells).any()
    base, other = draw_edits(space, cells, 1, np.random.default_rng(0))
    assert signed_difference(space, base, other).any(1).all()


def test_the_order_of_slots_of_a_darts_cell_does_not_matter():
    pairs = [NB301.sample(np.random.default_rng(k)) for k in range(20)]
    swapped = [tuple(tuple(cell[i ^ 1] for i in range(8)) for cell in pair) for pair in pairs]
    assert not signed_difference(NB301, pairs, swapped).any()


def test_one_edit_codes_of_nas_bench_201_are_those_counted():
    rows = np.arange(0, NB201.size, 7)
    base, other = draw_edits(NB201, np.tile(rows, 5), 1, np.random.default_rng(0))
    assert len(np.unique(code_numbers(signed_difference(NB201, base, other)))) == 120


@named
def test_views_show_what_they_say(space: SearchSpace[Any]):
    base, other = draw_edits(space, some_cells(space, 10), 1, np.random.default_rng(0))
    alone, with_base, both = (difference_encoding(space, base, other, view) for view in ("alone", "base", "both"))
    width = alone.shape[1]
    assert width == len(fixed_form(space).places)
    np.testing.assert_array_equal(with_base, np.concatenate([both[:, :width], alone], axis=1))
    np.testing.assert_array_equal(both[:, width:] - both[:, :width], alone)


def test_edits_of_a_cell_are_drawn_evenly():
    _, other = draw_edits(NB201, np.full(4_800, 1234), 1, np.random.default_rng(0))
    _, counts = np.unique(other, return_counts=True)
    assert len(counts) == 24
    assert min(binomtest(int(c), 4_800, 1 / 24).pvalue for c in counts) > 0.05 / 24 / 10


def test_too_many_edits_are_refused():
    with pytest.raises(ParameterError, match="1 to 6 edits"):
        draw_edits(NB201, np.arange(3), 7, np.random.default_rng(0))


# ---- Algorithm 1 ----


@named
@pytest.mark.parametrize("scheme", ["independent", "stars", "subset"])
def test_pairs_cost_no_more_labels_than_the_budget(space: SearchSpace[Any], scheme: Any):
    anchors = some_cells(space, 60)
    pairs = draw_pairs(space, anchors, 40, np.random.default_rng(0), scheme=scheme)
    keys = {space.key(arch) for arch in archs(space, pairs.cells)}
    assert len(keys) == len(pairs.cells) <= 40 and len(pairs.cells) >= 38
    assert len({frozenset(e) for e in pairs.ends.tolist()}) == len(pairs)
    if scheme == "subset":
        assert len(pairs) == 40 * 39 // 2
    else:
        assert len(np.unique(pairs.ends)) == len(pairs.cells)
        if space is not NB101:
            for a, b in zip(archs(space, pairs.base), archs(space, pairs.other), strict=True):
                assert space.distance(a, b) == 1


def test_stars_share_anchors_and_independent_pairs_do_not():
    anchors = some_cells(NB201, 200)
    stars = draw_pairs(NB201, anchors, 50, np.random.default_rng(0), scheme="stars", star=4)
    assert np.bincount(stars.ends[:, 0]).max() == 4 and len(stars) >= 38
    pairs = draw_pairs(NB201, anchors, 50, np.random.default_rng(0))
    assert np.bincount(pairs.ends.ravel()).max() <= 2 and 24 <= len(pairs) <= 26


def test_so_many_pairs_of_a_code_are_drawn():
    rng = np.random.default_rng(0)
    pairs = draw_pairs(NB201, rng.permutation(NB201.size)[:6_000], 240, rng, samples_per_code=4)
    _, counts = np.unique(code_numbers(signed_difference(NB201, pairs.base, pairs.other)), return_counts=True)
    assert (counts == 4).mean() > 0.9 and counts.max() <= 4
    once = draw_pairs(NB201, rng.permutation(NB201.size)[:6_000], 240, rng)
    assert len(np.unique(code_numbers(signed_difference(NB201, once.base, once.other)))) > 2 * len(counts)


def nb201_data(scheme: Any, budget: int = 120, seed: int = 0, ledger: Ledger | None = None) -> DifferenceData:
    rng = np.random.default_rng(seed)
    pairs = draw_pairs(NB201, rng.permutation(NB201.size)[:budget], budget, rng, scheme=scheme)
    return label(pairs, (ledger or Ledger()).open(NB201Benchmark(), column("cifar10", "valid"), "test"))


def test_every_label_of_a_pair_is_read_once_through_the_ledger():
    ledger = Ledger()
    data = nb201_data("independent", ledger=ledger)
    assert [(c["purpose"], c["distinct"], c["reads"]) for c in ledger.counts()] == [
        ("train", len(data.cells), len(data.cells))
    ]
    values = NB201Benchmark().query_many(data.cells, column("cifar10", "valid"))
    np.testing.assert_allclose(data.targets, values[data.ends[:, 1]] - values[data.ends[:, 0]])
    mirrored = data.mirrored()
    np.testing.assert_allclose(mirrored.targets, np.concatenate([data.targets, -data.targets]))
    assert len(mirrored.cells) == len(data.cells)
    forth, back = np.split(np.stack([mirrored.base, mirrored.other]), 2, axis=1)
    np.testing.assert_array_equal(forth, [data.base, data.other])
    np.testing.assert_array_equal(back, [data.other, data.base])


def test_differences_are_known_within_connected_components():
    data = DifferenceData(np.arange(6), np.array([[0, 1], [1, 2], [4, 3]]), np.zeros(6))
    groups = data.groups()
    assert groups[0] == groups[1] == groups[2] and groups[3] == groups[4]
    assert len({groups[0], groups[3], groups[5]}) == 3


# ---- predictors ----


def test_groups_of_a_gaussian_process_give_the_kernel_of_differences():
    """Against the pair kernel K(a,c) - K(a,d) - K(b,c) + K(b,d), written out."""
    rng = np.random.default_rng(0)
    x, y, new = rng.random((12, 3)), rng.normal(size=12), rng.random((5, 3))
    ends = np.arange(12).reshape(6, 2)  # six pairs, nothing shared
    process = GaussianProcess(3)
    process.fit(x, y, 0, groups=np.repeat(np.arange(6), 2))
    scaled, scaled_new = x / np.exp(process.log_scales), new / np.exp(process.log_scales)
    kernel = _rbf(scaled, scaled) + np.exp(process.log_noise) * np.eye(12)
    before, after = ends.T
    pairs = (
        kernel[np.ix_(before, before)] - kernel[np.ix_(before, after)]
        - kernel[np.ix_(after, before)] + kernel[np.ix_(after, after)]
    )  # fmt: skip
    cross = _rbf(scaled_new, scaled)
    expected = (cross[:, after] - cross[:, before]) @ np.linalg.solve(pairs, y[after] - y[before])
    found = process.mean(new)
    np.testing.assert_allclose(np.subtract.outer(found, found), np.subtract.outer(expected, expected), atol=2e-3)
    process.fit(x, y + np.repeat(rng.normal(size=6), 2), 0, groups=np.repeat(np.arange(6), 2))  # levels mean nothing
    np.testing.assert_allclose(np.diff(process.mean(new)), np.diff(found), atol=5e-3)


def test_the_gradient_with_groups_is_that_of_the_loss():
    from scipy.optimize import check_grad

    rng = np.random.default_rng(1)
    x, y = rng.random((10, 2)), rng.normal(size=10)
    levels = 100.0 * (np.arange(10)[:, None] // 5 == np.arange(10) // 5)
    process, start = GaussianProcess(2), np.array([0.3, -0.2, -2.0])
    error = check_grad(lambda p: process.loss(p, x, y, levels)[0], lambda p: process.loss(p, x, y, levels)[1], start)
    assert error < 1e-3


def predictors() -> dict[str, Any]:
    profile = path_profile(NB201)
    return {
        "network": MLPDifference(NB201, MLPConfig(epochs=20)),
        "gp": gp_difference(NB201),
        "strong": strong_difference(NB201),
        "accuracy": AdditiveDifference(NB201, [NetworkPotential(MLPConfig(epochs=20))], profile),
        "codes": CodeMeans(NB201),
    }


@pytest.mark.parametrize("name", list(predictors()))
def test_predicted_differences_are_antisymmetric(name: str):
    predictor = predictors()[name]
    predictor.fit(nb201_data("subset"))
    base, other = draw_edits(NB201, some_cells(NB201, 50, 3), 1, np.random.default_rng(0))
    forth, back = predictor.gain_cells(base, other), predictor.gain_cells(other, base)
    np.testing.assert_allclose(forth, -back, atol=1e-4 * np.abs(forth).max())
    assert np.ptp(forth) > 0


def test_antisymmetry_can_be_switched_off():
    predictor = MLPDifference(NB201, MLPConfig(epochs=5, antisymmetric=False, mirror=False))
    predictor.fit(nb201_data("subset"))
    base, other = draw_edits(NB201, some_cells(NB201, 50, 3), 1, np.random.default_rng(0))
    assert np.abs(predictor.gain_cells(base, other) + predictor.gain_cells(other, base)).max() > 1e-3


def test_mirrored_pairs_teach_a_network_no_direction():
    """Of pairs that all gain, a network that is not antisymmetric learns that every move gains, unless mirrored."""
    data, bias = nb201_data("subset", 40), {}
    ends = np.take_along_axis(data.ends, data.labels[data.ends].argsort(axis=1), axis=1)
    upward = DifferenceData(data.cells, ends, data.labels)
    assert (upward.targets >= 0).all()
    for mirror in (True, False):
        config = MLPConfig(loss="mse", antisymmetric=False, mirror=mirror, epochs=10)
        predictor = MLPDifference(NB201, config)
        predictor.fit(upward)
        gains = [predictor.gain_cells(*ends) for ends in ((upward.base, upward.other), (upward.other, upward.base))]
        bias[mirror] = np.mean(gains) / np.abs(gains).mean()
    assert abs(bias[True]) < 0.1 and bias[False] > 0.5


@pytest.mark.parametrize("space", [NB201, TNB101_MICRO], ids=lambda s: s.name)
def test_labels_linear_in_the_places_are_chained_exactly(space: SearchSpace[Any]):
    """Anchors whose labels are off by some c give predictions that are off by the mean of c."""
    rng, form = np.random.default_rng(0), fixed_form(space)
    cells, anchors, weights = some_cells(space, 40), some_cells(space, 5, 1), rng.normal(size=len(form.places))
    off = rng.normal(size=5)
    found = chain_edits(
        space, cells, anchors, form.vectors(anchors) @ weights + off, lambda before, after: (after - before) @ weights
    )
    np.testing.assert_allclose(found, form.vectors(cells) @ weights + off.mean(), atol=1e-5)


@pytest.mark.parametrize("name", list(predictors()))
def test_a_chained_prediction_is_the_mean_of_those_from_single_anchors(name: str):
    predictor, data, cells = predictors()[name], nb201_data("subset"), some_cells(NB201, 20, 3)
    predictor.fit(data)
    single = [predictor.chained(cells, data.cells[k : k + 1], data.labels[k : k + 1]) for k in range(4)]
    np.testing.assert_allclose(predictor.chained(cells, data.cells[:4], data.labels[:4]), np.mean(single, axis=0))
    itself = predictor.chained(data.cells[:1], data.cells[:1], data.labels[:1])
    np.testing.assert_allclose(itself, data.labels[:1])  # the way has no steps


@pytest.mark.parametrize("name", ["gp", "strong"])
def test_an_additive_predictor_adds_up_along_every_path(name: str):
    predictor = predictors()[name]
    predictor.fit(nb201_data("subset"))
    a, b, c = (some_cells(NB201, 20, seed) for seed in (1, 2, 3))
    way = predictor.gain_cells(a, b) + predictor.gain_cells(b, c)
    np.testing.assert_allclose(way, predictor.gain_cells(a, c), atol=1e-8)
    data = nb201_data("subset")
    chained = predictor.chained(c, data.cells[:4], data.labels[:4])
    np.testing.assert_allclose(np.diff(chained), np.diff(predictor.potential(c)), atol=1e-8)


def test_code_means_are_the_means_and_chain_place_by_place():
    data = nb201_data("stars", 400)
    predictor = CodeMeans(NB201)
    predictor.fit(data)
    both = data.mirrored()
    codes = code_numbers(signed_difference(NB201, both.base, both.other))
    expected = np.array([both.targets[codes == code].mean() for code in codes])
    np.testing.assert_allclose(predictor.gain_cells(both.base, both.other), expected)
    start, goal = NB201.index((0, 0, 0, 0, 0, 0)), NB201.index((3, 0, 2, 0, 0, 0))
    middle = NB201.index((3, 0, 0, 0, 0, 0))
    steps = predictor.gain_cells(np.array([start, middle]), np.array([middle, goal]))
    found = predictor.chained(np.array([goal]), np.array([start]), np.array([10.0]))
    np.testing.assert_allclose(found, 10 + steps.sum())


def test_squared_error_over_all_pairs_is_that_of_labels_up_to_a_constant():
    residuals = np.random.default_rng(0).normal(size=40)
    pairs = np.subtract.outer(residuals, residuals)
    assert (pairs**2).sum() == pytest.approx(2 * 40 * ((residuals - residuals.mean()) ** 2).sum())


def test_trees_refuse_labels_whose_differences_are_not_known():
    data = nb201_data("independent")
    with pytest.raises(ParameterError, match="scheme=subset"):
        AdditiveDifference(NB201, [difference_trees(0)], path_profile(NB201)).fit(data)
    AdditiveDifference(NB201, [GPPredictor()], path_profile(NB201)).fit(data)


@named
def test_profiles_do_not_depend_on_what_is_asked_with_them(space: SearchSpace[Any]):
    cells, profile = some_cells(space, 30), path_profile(space)
    whole = profile(cells)
    assert whole.dtype == np.float32 and np.isfinite(whole).all()
    np.testing.assert_array_equal(profile(take(cells, np.arange(5, 9))), whole[5:9])


def test_a_predictor_of_differences_beats_the_mean_of_codes_in_neighbourhoods():
    """On every one of twelve trials: p < 0.001 by the sign test."""
    benchmark, better = NB201Benchmark(), 0
    for seed in range(12):
        data, rng = nb201_data("subset", 100, seed), np.random.default_rng(seed)
        base, other = draw_edits(NB201, some_cells(NB201, 500, 100 + seed), 1, rng)
        true = np.subtract(*(benchmark.query_many(c, column("cifar10", "valid")) for c in (other, base)))
        strong, codes = gp_difference(NB201), CodeMeans(NB201)
        scores = []
        for predictor in (strong, codes):
            predictor.fit(data)
            scores.append((np.sign(predictor.gain_cells(base, other)) == np.sign(true)).mean())
        better += scores[0] > scores[1]
    assert binomtest(better, 12, alternative="greater").pvalue < 0.001


def test_no_pairs_no_gains():
    network = MLPDifference(NB201, MLPConfig(epochs=1))
    network.fit(nb201_data("stars"))
    single = DifferenceData(np.array([0, 1]), np.array([[0, 1]]), np.array([1.0, 2.0]))
    network.fit(single)  # nothing to rank it against
    assert np.isfinite(network.gain_cells(np.array([0]), np.array([1]))).all()
    none = np.zeros(0, dtype=np.int64)
    assert network.gain_cells(none, none).shape == (0,)
    assert len(CellPairs(none, np.zeros((0, 2), dtype=np.int64))) == 0
