"""NAS-Bench-301 behind the benchmark contract: published values, YAHPO's network, our surrogate, official ensembles."""

from __future__ import annotations

import json
import pickle
import struct
import sys
import warnings
import zipfile
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
import xgboost
from conformance import BenchmarkLaws
from scipy.stats import kendalltau

from nasrepro.benchmarks import registry
from nasrepro.benchmarks.base import Column
from nasrepro.benchmarks.nb301 import (
    ACCURACY,
    LABELS,
    OFFICIAL_ACCURACY,
    SURROGATE_ACCURACY,
    SURROGATE_DISTANCE,
    SURROGATE_STD,
    TRAINING,
    YAHPO,
    NB301Benchmark,
    misreading_effect,
)
from nasrepro.benchmarks.raw import nb301 as nb301_files
from nasrepro.benchmarks.surrogates import nb301_ensemble
from nasrepro.benchmarks.surrogates import nb301_yahpo as yahpo
from nasrepro.errors import CorruptData, MissingData, UnknownQuery
from nasrepro.spaces.darts.genotype import OPERATIONS, Cell, Pair, sorted_slots
from nasrepro.spaces.darts.space import NB301, NO_NUMBERING, cells_of, numberings, slots_of
from nasrepro.spaces.naslib import from_naslib

SKIPS: Cell = tuple((source, OPERATIONS.index("skip_connect")) for _ in range(4) for source in (0, 1))
CONVOLUTIONS: Cell = tuple((source, OPERATIONS.index("sep_conv_3x3")) for _ in range(4) for source in (0, 1))


def _archs(n: int, seed: int = 0) -> list[Pair]:
    rng = np.random.default_rng(seed)
    return [NB301.sample(rng) for _ in range(n)]


def _proxy(name: str) -> Column:
    return Column("cifar10", name, "proxy", 0, "mean")


class TestLaws(BenchmarkLaws):
    benchmark = NB301Benchmark
    optima: ClassVar = {ACCURACY: 94.489}


@pytest.fixture(scope="module")
def bench(mirror: Path) -> NB301Benchmark:
    return NB301Benchmark()


@pytest.fixture(scope="module")
def published(oracle: Path) -> pd.DataFrame:
    frame = pd.read_parquet(oracle / "nb301_archs.parquet")
    return frame.assign(arch=[from_naslib("nb301", json.loads(text)) for text in frame["compact"]])


# --- the published values -----------------------------------------------------------------------------------------


@pytest.mark.mirror
def test_every_value_equals_the_independent_table(bench: NB301Benchmark, published: pd.DataFrame):
    rows = bench.listing.rows(published["arch"].tolist())
    assert bench.listing.size == 12_439 == (rows >= 0).sum()
    table = bench.table([ACCURACY, *map(_proxy, nb301_files.PROXIES)]).iloc[rows].reset_index(drop=True)
    table[rows < 0] = np.nan
    np.testing.assert_array_equal(table[str(ACCURACY)], published["nb301_xgb_val_acc"])
    np.testing.assert_allclose(table[str(_proxy("zen"))], published["zen"], rtol=1e-6)
    assert table.notna().sum()[[str(ACCURACY), str(_proxy("zen"))]].tolist() == [1_218, 11_221]
    twice = set()
    for proxy in nb301_files.PROXIES[:-1]:
        ours, theirs = table[str(_proxy(proxy))].to_numpy(), published[f"zc_{proxy}"].to_numpy()
        np.testing.assert_array_equal(np.isnan(ours), np.isnan(theirs), err_msg=proxy)
        differs = np.abs(ours - theirs) > 1e-6 * np.abs(theirs)
        twice |= set(np.flatnonzero(differs).tolist())
    # published twice: the independent table has the proxies of the later set
    assert len(twice) == 7


@pytest.mark.mirror
def test_an_isomorphic_cell_has_the_same_label_and_another_has_none(bench: NB301Benchmark):
    best = bench.arch(bench.optimum(ACCURACY).arch)
    codes = numberings(np.array(best))
    other: Any = tuple(cells_of(slots_of(c[c != NO_NUMBERING][-1:]))[0] for c in codes)
    assert other != best and bench.query(other, **ACCURACY.__dict__).value == bench.optimum(ACCURACY).value
    with pytest.raises(UnknownQuery, match=r"surrogate_accuracy"):
        bench.query((SKIPS, SKIPS), **ACCURACY.__dict__)


@pytest.mark.mirror
def test_the_cost_and_the_seeds_of_a_prediction_are_not_made_up(bench: NB301Benchmark):
    result = bench.query(bench.arch(bench.optimum(ACCURACY).arch), **ACCURACY.__dict__)
    assert (result.n_seeds, result.cost_s, result.source, result.note) == (1, None, "nb301_xgb_a.json", "")


def _write(folder: Path, sets: list[dict[str, Any]], zen: list[dict[str, Any]]) -> list[Path]:
    paths = []
    for name, content in zip("abc", sets, strict=True):
        paths.append(folder / f"{name}.json")
        paths[-1].write_text(json.dumps(content))
    with zipfile.ZipFile(folder / "zen.zip", "w") as archive:
        archive.writestr("zen/0.json", json.dumps(zen))
    return [*paths, folder / "zen.zip"]


def test_of_a_cell_that_is_listed_twice_the_first_value_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    a, b = (str(arch) for arch in _archs(2))
    first = {"cifar10": {a: {"val_accuracy": 93.0, "snip": {"score": 1.0}}}}
    third = {"nasbench301": {"cifar10": {a: {"val_accuracy": 94.0, "snip": 2.0, "synflow": 3.0}}}}
    paths = _write(tmp_path, [first, {"cifar10": {}}, third], [{"arch": b, "zen": {"score": 5.0}}])
    monkeypatch.setattr(nb301_files, "N_LISTED", 2)
    frame = nb301_files.labels_table(*paths)
    assert frame.loc[0, ["accuracy", "snip", "synflow"]].tolist() == [93.0, 1.0, 3.0] and frame["zen"][1] == 5.0
    assert nb301_files.read_cells(frame) == _archs(2)


@pytest.mark.parametrize(
    ("sets", "zen"),
    [
        ([{}, {}, {}], []),
        ([[], {}, {}], []),
        ([{"cifar10": {"((0, 1),)": {"val_accuracy": 1.0}}}, {}, {}], []),
        ([{"cifar10": {str((SKIPS, SKIPS)): {}}}, {}, {}], []),
        ([{"cifar10": {}}] * 3, [{"arch": "no cell", "zen": {"score": 1}}]),
        ([{"cifar10": {}}] * 3, [{}]),
        ([{"cifar10": {}}] * 3, []),  # well formed, too few
    ],
)
def test_files_of_another_shape_are_refused(tmp_path: Path, sets: Any, zen: Any):
    with pytest.raises(CorruptData, match=r"does not hold|list 0 cells, not 12,439"):
        nb301_files.labels_table(*_write(tmp_path, sets, zen))


# --- YAHPO's network ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def weights(mirror: Path) -> dict[str, np.ndarray]:
    return yahpo.read_weights(registry.use(YAHPO))


def _slots(archs: list[Pair]) -> np.ndarray:
    return np.array([tuple(map(sorted_slots, arch)) for arch in archs])


def _outputs(logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return accuracy (%) and training time (s), by the last nonlinearity of the network and its constants."""
    shares = 1 / (1 + np.exp(-logits))
    return shares[:, 0] / 0.01, (shares[:, 1] - 0.01) * 13132.093 + 30.557993


@pytest.mark.mirror
def test_the_network_answers_as_the_independent_table(weights: dict[str, np.ndarray], published: pd.DataFrame):
    accuracy, runtime = _outputs(yahpo.evaluate(weights, _slots(published["arch"].tolist())))
    np.testing.assert_allclose(accuracy, published["yahpo_v1_val_acc_ep98"], atol=1e-4)
    np.testing.assert_allclose(runtime, published["yahpo_v1_runtime_s_ep98"], atol=2e-2)


@pytest.mark.mirror
def test_the_network_answers_as_onnxruntime_at_every_epoch(mirror: Path, weights: dict[str, np.ndarray]):
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(str(mirror / YAHPO))
    slots = _slots(_archs(40))
    for epoch in (1, 50, 98):
        expected = [
            session.run(None, {"x_cat": x[None].astype(np.int32), "x_cont": np.array([[epoch]], dtype=np.float32)})[0]
            for x in yahpo.categories(slots)
        ]
        np.testing.assert_allclose(
            np.stack(_outputs(yahpo.evaluate(weights, slots, epoch)), axis=1), np.concatenate(expected), rtol=2e-5
        )


@pytest.mark.mirror
def test_the_categories_are_those_of_the_published_encoding(mirror: Path):
    encoding = json.loads((mirror / "nb301_yahpo_encoding.json").read_text())
    known = {name.rpartition("_COLON_")[2]: values for name, values in encoding.items()}
    names = [f"edge_{cell}_{k}" for cell in ("normal", "reduce") for k in range(14)]
    names += [f"inputs_node_{cell}_{k}" for cell in ("normal", "reduce") for k in (3, 4, 5)]
    archs = _archs(60)
    for arch, found in zip(archs, yahpo.categories(_slots(archs)), strict=True):
        expected = dict.fromkeys(names, "#na#")
        for cell, slots in zip(("normal", "reduce"), arch, strict=True):
            for slot, (source, op) in enumerate(slots):
                edge = [0, 2, 5, 9][slot // 2] + source  # edges are numbered by target, then by source
                expected[f"edge_{cell}_{edge}"] = OPERATIONS[op]
            for node in (3, 4, 5):
                sources = sorted(source for source, _ in slots[2 * node - 4 : 2 * node - 2])
                expected[f"inputs_node_{cell}_{node}"] = "_".join(map(str, sources))
        assert found.tolist() == [known[name][expected[name]] for name in names]


def test_a_file_without_weights_is_refused(tmp_path: Path):
    for name, content in {"empty": b"", "text": b"hello there", "graph": b"\x3a\x04\x2a\x02\x08\x01"}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CorruptData, match="no ONNX file"):
            yahpo.read_weights(tmp_path / name)


@pytest.mark.mirror
def test_mean_logits_are_means_over_numberings(weights: dict[str, np.ndarray]):
    normal, reduce = _archs(1, seed=4)[0]
    every = [
        [cells_of(slots_of(np.array([code])))[0] for code in numberings(np.array([cell]))[0] if code != NO_NUMBERING]
        for cell in (normal, reduce)
    ]
    longest = max(map(len, every))
    side_by_side = [(every[0][k % len(every[0])], every[1][k % len(every[1])]) for k in range(longest)]
    expected = yahpo.evaluate(weights, _slots(side_by_side)).mean(axis=0)
    found = yahpo.mean_logits(weights, [(normal, reduce)])
    np.testing.assert_allclose(found[0], expected, rtol=1e-5)
    assert longest > 1 and yahpo.mean_logits(weights, []).shape == (0, 2)


# --- our surrogate ------------------------------------------------------------------------------------------------


def _renumbered(arch: Pair, rng: np.random.Generator) -> Pair:
    """Return the same architecture, both cells in another numbering and with some slots swapped."""
    cells = []
    for codes in numberings(np.array(arch)):
        cell = list(cells_of(slots_of(rng.choice(codes[codes != NO_NUMBERING], 1)))[0])
        for node in np.flatnonzero(rng.integers(2, size=4)):
            cell[2 * node], cell[2 * node + 1] = cell[2 * node + 1], cell[2 * node]
        cells.append(tuple(cell))
    return cells[0], cells[1]


@pytest.mark.mirror
def test_isomorphic_architectures_have_the_same_features(bench: NB301Benchmark):
    archs = _archs(50, seed=1)
    rng = np.random.default_rng(0)
    others = [_renumbered(arch, rng) for arch in archs]
    assert others != archs and [*map(NB301.key, others)] == [*map(NB301.key, archs)]
    network = registry.use(YAHPO)
    features = nb301_files.features(archs, network)
    assert features.shape == (50, sum(nb301_files.FEATURE_GROUPS))
    np.testing.assert_allclose(nb301_files.features(others, network), features, rtol=1e-5)
    assert len(np.unique(features.round(6), axis=0)) == 50


def test_the_features_of_a_cell_by_hand(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(yahpo, "read_weights", lambda path: {})
    monkeypatch.setattr(yahpo, "mean_logits", lambda weights, archs: np.zeros((len(archs), 2)))
    pool, skip, sep = 0, 2, 3
    cell = ((0, sep), (1, sep), (0, skip), (2, sep), (1, pool), (2, sep), (0, sep), (1, sep))
    first = nb301_files.features([(cell, SKIPS)], tmp_path)[0, :30]
    by_source, path, reads = first[:21].reshape(3, 7), first[21:28], first[28:]
    assert by_source[0, [skip, sep]].tolist() == [1, 2] and by_source[1, [pool, sep]].tolist() == [1, 2]
    assert by_source[2, sep] == 2 and by_source.sum() == 8 and reads.tolist() == [3, 3]
    # sep conv on a random path to node 2: 1; to 3 and 4: (0 + 1 + 1) / 2; to 5: 1
    assert path[sep] == 1 and path[skip] == 0.5 / 4 and path[pool] == 0.5 / 4


@pytest.mark.mirror
def test_the_surrogate_ranks_cells_that_it_has_not_seen(bench: NB301Benchmark):
    figures = bench.figures
    assert figures.labels == 1_218 and (figures.folds, figures.repeats) == (3, 5)
    assert figures.kendall_tau > 0.82 and figures.kendall_tau_sd < 0.02 and figures.r2 > 0.9
    assert 0.93 < figures.coverage < 0.97 and figures.rmse < 0.17
    assert bench.facts()["surrogate: kendall_tau"] == figures.kendall_tau and json.dumps(bench.facts())
    # better than the network that it builds upon
    frame = TRAINING.load(nb301_files.N_LISTED)
    logits = frame[f"feature {sum(nb301_files.FEATURE_GROUPS) - 2}"]
    assert kendalltau(logits, frame["accuracy"]).statistic < 0.78


@pytest.mark.mirror
def test_random_cells_are_near_and_unusual_ones_are_flagged_as_extrapolations(bench: NB301Benchmark):
    archs = _archs(1_000, seed=2)
    assert (bench.query_many(archs, SURROGATE_DISTANCE) > 1).mean() < 0.04
    std = bench.query_many(archs, SURROGATE_STD)
    assert 0.1 < np.median(std) < 0.2
    for cell in (SKIPS, CONVOLUTIONS):
        result = bench.query((cell, cell), **SURROGATE_ACCURACY.__dict__)
        assert result.note.startswith("An extrapolation: 1.") and result.source == "our surrogate"
        assert bench.query((cell, cell), **SURROGATE_STD.__dict__).value > np.quantile(std, 0.99)
    near = archs[int(bench.query_many(archs, SURROGATE_DISTANCE).argmin())]
    assert bench.query(near, **SURROGATE_ACCURACY.__dict__).note == ""


@pytest.mark.mirror
def test_predictions_are_close_to_the_labels_they_were_fitted_to(bench: NB301Benchmark):
    archs = bench.labelled(ACCURACY)
    assert len(archs) == 1_218
    error = bench.query_many(archs, SURROGATE_ACCURACY) - bench.query_many(archs, ACCURACY)
    assert abs(error.mean()) < 0.01 and error.std() < bench.figures.rmse


@pytest.mark.mirror
def test_a_benchmark_can_evaluate_what_the_public_code_evaluates(bench: NB301Benchmark):
    archs = _archs(30, seed=3)
    misread = NB301Benchmark(misread=True)
    for column in (SURROGATE_ACCURACY, SURROGATE_STD, SURROGATE_DISTANCE):
        expected = bench.query_many([NB301.misread(arch) for arch in archs], column)
        np.testing.assert_allclose(misread.query_many(archs, column), expected)
        assert not np.allclose(expected, bench.query_many(archs, column))
    uniform = (CONVOLUTIONS, CONVOLUTIONS)
    assert misread.query(uniform, **SURROGATE_ACCURACY.__dict__) == bench.query(uniform, **SURROGATE_ACCURACY.__dict__)


@pytest.mark.mirror
def test_the_effect_of_misreading_is_measured(mirror: Path):
    effect, (meant, read) = misreading_effect(400, seed=1)
    assert effect == misreading_effect(400, seed=1)[0] and effect["random architectures"] == 400 == len(meant)
    tau = effect["Kendall tau, meant against evaluated"]
    assert tau == kendalltau(meant, read).statistic and 0.3 < tau < 0.8
    assert effect["change, points, mean"] == pytest.approx((read - meant).mean())
    assert effect["change, points, standard deviation"] == pytest.approx((read - meant).std())
    low, median, high = map(float, effect["change, points, 5 %, median, 95 %"].split(", "))
    assert low < median < high
    best, best_read = (set(np.argsort(v)[-40:]) for v in (meant, read))
    assert effect["share of the best tenth that stays in it"] == len(best & best_read) / 40
    assert effect["share of architectures it reads rightly"] < 0.01


def test_without_files_the_surrogate_is_known_and_not_here(no_mirror: Path):
    bench = NB301Benchmark()
    assert SURROGATE_ACCURACY in bench.known_columns() and bench.columns() == []
    for column in (SURROGATE_ACCURACY, ACCURACY):
        with pytest.raises(MissingData, match="nasrepro data fetch nb301"):
            bench.query_many(_archs(2), column)


# --- official ensembles -------------------------------------------------------------------------------------------


def test_the_vector_of_an_ensemble_is_that_of_configspace():
    columns = nb301_ensemble.COLUMNS
    # as published with the benchmark: hyper-parameters that always apply, then edges, each in the order of strings
    assert len(columns) == len(set(columns)) == 56
    assert columns[:2] == ("CreateImageDataLoader:batch_size", "ImageAugmentation:augment")
    assert columns[-24].endswith("edge_normal_10") and columns[-1].endswith("edge_reduce_9")
    arch = ((*SKIPS[:2], (1, 3), (2, 6), *CONVOLUTIONS[4:]), SKIPS)
    vector = dict(zip(columns, nb301_ensemble.vectors([arch])[0].tolist(), strict=True))
    cell = {name.removeprefix("NetworkSelectorDatasetInfo:darts:"): value for name, value in vector.items()}
    assert [cell[f"edge_normal_{k}"] for k in range(14)] == [2, 2, -1, 3, 6, 3, 3, -1, -1, 3, 3, -1, -1, -1]
    assert [cell[f"inputs_node_normal_{k}"] for k in (3, 4, 5)] == [2, 0, 0]  # of 0_1, 0_2, 1_2
    assert [cell[f"edge_reduce_{k}"] for k in range(14)] == [2, 2, 2, 2, -1, 2, 2, -1, -1, 2, 2, -1, -1, -1]
    assert {value for name, value in vector.items() if "darts" not in name} == {0}


@pytest.fixture(scope="module")
def boosters() -> list[Any]:
    """Members of a tiny ensemble, fitted to the number of separable convolutions."""
    archs = _archs(300)
    labels = [sum(OPERATIONS[op].startswith("sep") for cell in arch for _, op in cell) for arch in archs]
    data = xgboost.DMatrix(nb301_ensemble.vectors(archs), label=90 + 0.1 * np.array(labels))
    settings = {"max_depth": 3, "nthread": 1, "subsample": 0.7}
    return [xgboost.train({**settings, "seed": seed}, data, num_boost_round=10) for seed in range(3)]


def _old_snapshot(booster: Any) -> bytearray:
    """Return a booster as versions before 1.7 pickled it, the official members among them: the length of the model, the
    model in the old binary format, the configuration."""
    with warnings.catch_warnings(action="ignore"):
        model = bytes(booster.save_raw("deprecated"))
    return bytearray(b"CONFIG-offset:" + struct.pack("<q", len(model)) + model + booster.save_config().encode())


def _save(boosters: list[Any], folder: Path, form: str) -> Path:
    for number, booster in enumerate(boosters):
        member = folder / f"member_{number}"
        member.mkdir(parents=True)
        (member / "model_config.json").write_text("{}")
        if form == "model":
            (member / "surrogate_model.model").write_bytes(pickle.dumps(booster, protocol=3))
        elif form == "official":
            state = {"handle": _old_snapshot(booster), "feature_names": None, "best_iteration": 9}
            (member / "surrogate_model.model").write_bytes(pickle.dumps(state, protocol=3))
        else:
            booster.save_model(member / f"surrogate_model.{form}")
    return folder


@pytest.mark.parametrize("form", ["official", "model", "json", "ubj"])
def test_an_ensemble_is_read_in_every_form_without_unpickling(
    tmp_path: Path, boosters: list[Any], form: str, monkeypatch: pytest.MonkeyPatch
):
    folder = _save(boosters, tmp_path / "xgb", form)
    monkeypatch.setattr(pickle, "loads", lambda *_: pytest.fail("unpickled"))
    monkeypatch.setattr(pickle, "load", lambda *_: pytest.fail("unpickled"))
    monkeypatch.setenv(nb301_ensemble.VARIABLE, str(folder))
    with warnings.catch_warnings(action="ignore"):  # XGBoost warns of the old format
        ensemble = nb301_ensemble.Ensemble()
    archs = _archs(50, seed=8)
    expected = np.stack([b.predict(xgboost.DMatrix(nb301_ensemble.vectors(archs))) for b in boosters]).astype(float)
    np.testing.assert_allclose(ensemble.predict(archs), expected.mean(0), rtol=1e-6)
    assert len(nb301_ensemble.checksums(folder)) == 3


@pytest.mark.mirror
def test_an_ensemble_answers_for_any_cell_and_is_compared_with_the_public_predictions(
    mirror: Path, tmp_path: Path, boosters: list[Any], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(nb301_ensemble.VARIABLE, str(_save(boosters, tmp_path / "xgb", "json")))
    bench = NB301Benchmark()
    assert OFFICIAL_ACCURACY in bench.columns()
    archs = _archs(5)
    values = bench.query_many(archs, OFFICIAL_ACCURACY)
    np.testing.assert_array_equal(values, nb301_ensemble.Ensemble().predict(archs))
    assert bench.query(archs[0], **OFFICIAL_ACCURACY.__dict__).value == values[0]
    assert len(bench.checksums([OFFICIAL_ACCURACY])) == 3
    agreement = bench.facts()["official ensemble: Kendall tau with its public predictions"]
    assert 0 < agreement < 0.9  # this one is not the official one, and the number says so


def test_an_ensemble_that_is_not_here_or_cannot_be_read_says_what_to_do(
    no_mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv(nb301_ensemble.VARIABLE, raising=False)
    with pytest.raises(MissingData, match=nb301_ensemble.VARIABLE):
        nb301_ensemble.Ensemble()
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.setitem(sys.modules, "xgboost", None)
    with pytest.raises(MissingData, match="pip install 'xgboost-cpu"):
        nb301_ensemble.Ensemble(empty)
    monkeypatch.undo()
    with pytest.raises(MissingData, match="no member"):
        nb301_ensemble.Ensemble(empty)


class _Hostile:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("hostile-pickle-was-executed"),))


def test_models_of_something_else_and_hostile_pickles_are_refused(
    tmp_path: Path, boosters: list[Any], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    data = xgboost.DMatrix(np.random.default_rng(0).normal(size=(50, 56)), label=np.arange(50))
    uses_training = xgboost.train({"max_depth": 2, "nthread": 1}, data, num_boost_round=5)
    small = xgboost.train({"nthread": 1}, xgboost.DMatrix(np.ones((9, 3)), label=np.arange(9)), num_boost_round=1)
    for name, member, reason in (
        ("training", pickle.dumps(uses_training), "no member of an ensemble.* and uses "),
        ("small", pickle.dumps(small), "3 inputs instead of 56"),
        ("hostile", pickle.dumps(_Hostile()), "cannot read"),
        ("garbage", b"\x80\x04garbage", "cannot read"),
        ("text", b"{}", "cannot read"),
        ("old", pickle.dumps(bytearray(b"CONFIG-offset:" + bytes(100))), "xgboost-cpu<3.1"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "surrogate_model.model").write_bytes(member)
        with pytest.raises(CorruptData, match=reason):
            nb301_ensemble.Ensemble(tmp_path / name)
    assert not (tmp_path / "hostile-pickle-was-executed").exists()


def test_the_sources_name_files_of_the_registry():
    assert {registry.entry(name).group for name in TRAINING.raw} == {"nb301"} and set(LABELS.raw) < set(TRAINING.raw)
