"""NAS-Bench-101 behind the benchmark contract: values, which source answers, the official file, damaged files."""

from __future__ import annotations

import ast
import base64
import gzip
import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conformance import BenchmarkLaws
from test_tfrecord import framed

from nasrepro.benchmarks import nb101, registry
from nasrepro.benchmarks.base import Column
from nasrepro.benchmarks.nb101 import NB101Benchmark
from nasrepro.benchmarks.raw import nb101 as nb101_files
from nasrepro.benchmarks.raw import safe_pickle
from nasrepro.errors import CorruptData, UnknownQuery
from nasrepro.spaces.naslib import from_naslib
from nasrepro.spaces.nb101.parameters import trainable_parameters, vertex_channels
from nasrepro.spaces.nb101.space import NB101

ROWS = np.arange(NB101.size)
N_IMAGES = 9_984  # behind a validation or test accuracy


def _accuracy(split: str, seed: int | str = "mean") -> Column:
    return Column("cifar10", "accuracy", split, 108, seed)


TEST, VALID = _accuracy("test"), _accuracy("valid")


class TestLaws(BenchmarkLaws):
    benchmark = NB101Benchmark
    optima = {TEST: 94.318}  # noqa: RUF012


@pytest.fixture(scope="module")
def bench(mirror: Path) -> NB101Benchmark:
    return NB101Benchmark()


@pytest.mark.mirror
def test_the_best_cell_is_the_published_one(bench: NB101Benchmark):
    best = bench.optimum(TEST)
    assert NB101.key(bench.arch(best.arch)) == "02e5a0247bbdcf2860b7e96f74961594"
    assert round(best.value, 4) == 94.3176


@pytest.mark.mirror
def test_every_value_equals_the_independent_table(bench: NB101Benchmark, oracle: Path):
    expected = pd.read_parquet(oracle / "nb101.parquet", columns=["hash", "trainable_params", "test_acc_mean3"])
    np.testing.assert_array_equal(NB101.rows_of_keys(expected["hash"].tolist()), ROWS)
    np.testing.assert_allclose(bench.query_many(ROWS, TEST), 100 * expected["test_acc_mean3"], rtol=0, atol=2e-7)
    counted = bench.query_many(ROWS, Column("cifar10", "parameters", "model", 0, "mean"))
    np.testing.assert_array_equal(np.round(counted * 1e6), expected["trainable_params"])


@pytest.mark.mirror
def test_every_counted_number_of_parameters_is_the_published_one(mirror: Path):
    published = safe_pickle.load_frame(gzip.decompress((mirror / "nb101_params.pkl.gz").read_bytes()))["params"]
    np.testing.assert_array_equal(trainable_parameters(ROWS), np.round(published * 1e6))


def test_parameters_of_a_network_counted_by_hand():
    # 128, 256, 512 channels; one cell is a single 1 x 1 projection with batch normalisation
    plain = 27 * 128 + 256 + 512 * 10 + 10
    for c in (128, 256, 512):
        first = max(c // 2, 128)
        plain += (first * c + 2 * c) + 2 * (c * c + 2 * c)
    row = NB101.index(NB101.from_string("input,output;1"))
    assert trainable_parameters(np.array([row])).tolist() == [plain]
    # 0 -> 1, 2, 3 -> 4, and 1 -> 2: three vertices share 128 channels as 43, 43, 42
    adjacency = np.zeros((5, 5), dtype=int)
    adjacency[0, 1:4] = adjacency[1:4, 4] = adjacency[1, 2] = 1
    assert vertex_channels(adjacency, 128) == [43, 43, 42]
    adjacency[1, 4] = 0  # vertex 1 leads to vertex 2 alone, and is as wide
    assert vertex_channels(adjacency, 128) == [64, 64, 64]


def _on_grid(values: np.ndarray, images: int) -> np.ndarray:
    counts = values / 100 * images
    return np.abs(counts - np.round(counts)) < 1e-2


@pytest.mark.mirror
def test_accuracies_lie_on_the_grid_of_the_stated_number_of_images(bench: NB101Benchmark):
    means = bench.query_many(ROWS, TEST)
    assert _on_grid(means, 3 * N_IMAGES).all() and not _on_grid(means, N_IMAGES).all()
    for split in ("valid", "test"):
        one = bench.query_many(ROWS, _accuracy(split, 1))
        assert _on_grid(one[~np.isnan(one)], N_IMAGES).all()


@pytest.mark.mirror
def test_the_small_tables_hold_all_trainings_of_some_cells(bench: NB101Benchmark):
    seeds = {
        split: np.stack([bench.query_many(ROWS, _accuracy(split, s)) for s in (0, 1, 2)])
        for split in nb101_files.SPLITS[1:]
    }
    known = ~np.isnan(seeds["valid"][0])
    assert known.sum() == 5_373
    for values in seeds.values():
        assert (~np.isnan(values) == known).all()
    np.testing.assert_allclose(seeds["test"][:, known].mean(0), bench.query_many(ROWS, TEST)[known], rtol=1e-12)
    np.testing.assert_allclose(seeds["valid"].mean(0), bench.query_many(ROWS, VALID), rtol=1e-12)
    gain = bench.query_many(ROWS, VALID)[known] - bench.query_many(ROWS, TEST)[known]
    assert 0.4 < gain.mean() < 0.8  # stated of a larger set: 0.56
    cell = NB101.from_index(int(np.flatnonzero(known)[0]))
    result = bench.query(cell, dataset="cifar10", metric="accuracy", split="valid", epochs=108, seed="mean")
    assert result.n_seeds == 3 and result.source == "nb101_1shot1_ss1.pkl" and result.cost_s is None
    missing = NB101.from_index(int(np.flatnonzero(~known)[0]))
    with pytest.raises(UnknownQuery, match="not measured"):
        bench.query(missing, dataset="cifar10", metric="accuracy", split="valid", epochs=108, seed=0)


@pytest.mark.mirror
def test_proxies_are_those_of_the_published_samples(bench: NB101Benchmark, oracle: Path):
    zen = bench.query_many(ROWS, Column("cifar10", "zen", "proxy", 0, "mean"))
    expected = pd.read_parquet(oracle / "zc_nb101_sample.parquet")
    rows = np.array([NB101.index(from_naslib("nb101", ast.literal_eval(text))) for text in expected["net"]])
    has_zen = expected["zen"].notna().to_numpy()
    assert (~np.isnan(zen)).sum() == has_zen.sum() == 10_250
    np.testing.assert_allclose(zen[rows[has_zen]], expected["zen"][has_zen], rtol=1e-6)
    sample, rows = expected[~has_zen], rows[~has_zen]
    for proxy in nb101_files.PROXIES:
        values = bench.query_many(ROWS, Column("cifar10", proxy, "proxy", 0, "mean"))
        np.testing.assert_allclose(
            values[np.unique(rows)], sample.groupby(rows)[proxy].mean().to_numpy(), rtol=1e-5, atol=1e-9
        )
        assert (~np.isnan(values)).sum() == len(np.unique(rows)) == 292
    entries = pd.Series(rows).value_counts()
    cell = NB101.from_index(int(entries.index[0]))
    result = bench.query(cell, dataset="cifar10", metric="snip", split="proxy", epochs=0, seed="mean")
    assert result.n_seeds == entries.iloc[0] > 1
    # the sample's own count of parameters depends on the order of the vertices; mostly it is that of the cell
    counted = bench.query_many(rows, Column("cifar10", "parameters", "model", 0, "mean"))
    assert np.isclose(counted, sample["params"], rtol=1e-6).mean() > 0.9


def test_a_table_of_other_cells_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "x.pkl.gz"
    path.write_bytes(b"no gzip")
    with pytest.raises(CorruptData, match="not a whole gzip file"):
        nb101_files.test_table(path)
    path.write_bytes(gzip.compress(b"content")[:-3])
    with pytest.raises(CorruptData, match="not a whole gzip file"):
        nb101_files.test_table(path)
    path.write_bytes(gzip.compress(b""))
    with pytest.raises(CorruptData, match="not a whole pickle"):
        nb101_files.test_table(path)
    path.write_bytes(gzip.compress(b""))
    monkeypatch.setattr(safe_pickle, "load_frame", lambda _: {"index": np.arange(3), "accuracy": np.zeros(3)})
    with pytest.raises(CorruptData, match="does not list the accuracies of the 423,624 cells"):
        nb101_files.test_table(path)
    path.write_bytes(b"[]")
    with pytest.raises(CorruptData, match="zero-cost proxies"):
        nb101_files.proxies_table(path)


def _metrics(*evaluations: tuple[float, ...], parameters: int = 1) -> str:
    """Return a `ModelMetrics` message: evaluations (epoch, time, train, valid, test), then the parameters."""
    message = b""
    for evaluation in evaluations:
        fields = b"".join(bytes([k << 3 | 1]) + struct.pack("<d", v) for k, v in enumerate(evaluation, 1) if v)
        fields += b"\x32\x04path"
        message += b"\x0a" + bytes([len(fields)]) + fields
    message += b"\x10" + bytes([parameters]) + b"\x19" + struct.pack("<d", 9.0)
    return base64.b64encode(message).decode()


class _FewCells:
    """Five cells in the place of the space, whose hashes are the letters a to e."""

    size = 5

    @staticmethod
    def rows_of_keys(keys: list[str]) -> np.ndarray:
        return np.array(["abcde".index(key) for key in keys])


Writer = Callable[..., Path]


@pytest.fixture
def official(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Writer:
    """Write an official file of five cells; `change` alters its list of records."""
    rng = np.random.default_rng(0)
    final = np.round(rng.uniform(0.1, 0.95, size=(5, 3, 3)), 4)  # cell, training, split
    monkeypatch.setattr(nb101_files, "NB101", _FewCells)
    monkeypatch.setattr(nb101_files, "_test_means", lambda _: final[:, :, 2].mean(1))

    def write(change: Callable[[list[bytes]], object] = lambda _: None) -> Path:
        contents = []
        for cell in (3, 0, 4, 1, 2):
            for training in range(3):
                last = (108.0, 1_000.0 + 10 * cell + training, *final[cell, training])
                metrics = _metrics((0.0, 0.0, 0.1, 0.1, 0.1), last, (54.0, 500.0, 0.5, 0.5, 0.5))
                contents.append(json.dumps(["abcde"[cell], 108, "0100", "input,output", metrics]).encode())
        contents.append(json.dumps(["a", 36, "0100", "input,output", "not read"]).encode())  # another budget
        change(contents)
        path = tmp_path / "nasbench_only108.tfrecord"
        path.write_bytes(b"".join(map(framed, contents)))
        return path

    write.final = final  # type: ignore[attr-defined]
    return write


def test_the_official_file_gives_every_training(official: Writer):
    frame = nb101_files.official_table(official(), Path()).sort_values("row").reset_index()
    final = official.final  # type: ignore[attr-defined]
    assert frame["row"].tolist() == list(range(5))
    for k, split in enumerate(("train", "valid", "test")):
        for seed in range(3):
            np.testing.assert_allclose(frame[f"{split}{seed}"], 100 * final[:, seed, k], rtol=1e-14)
        np.testing.assert_allclose(frame[split], 100 * final[:, :, k].mean(1), rtol=1e-14)
    assert frame["time2"].tolist() == [1_002.0, 1_012.0, 1_022.0, 1_032.0, 1_042.0]
    assert frame["time"].tolist() == [1_001.0, 1_011.0, 1_021.0, 1_031.0, 1_041.0]


def _without_final(contents: list[bytes]) -> None:
    record = json.loads(contents[4])
    contents[4] = json.dumps([*record[:4], _metrics((54.0, 1.0, 0.5, 0.5, 0.5))]).encode()


def _cut_metrics(contents: list[bytes]) -> None:
    record = json.loads(contents[4])
    contents[4] = json.dumps([*record[:4], record[4][:24]]).encode()


def _other_test(contents: list[bytes]) -> None:
    record = json.loads(contents[4])
    contents[4] = json.dumps([*record[:4], _metrics((108.0, 1.0, 0.5, 0.5, 0.123))]).encode()


def _other_cell(contents: list[bytes]) -> None:
    for k in range(3):
        contents[k] = contents[k].replace(b'"d"', b'"x"')


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda contents: contents.pop(4), "but 14 trainings of 5 cells"),
        (lambda contents: contents.__delitem__(slice(0, 3)), "but 12 trainings of 4 cells"),
        (lambda contents: contents.append(contents[0]), "record 16"),  # a fourth training
        (lambda contents: contents.insert(2, b"no json"), "record 2"),
        (lambda contents: contents.insert(2, b"{}"), "record 2"),
        (_without_final, r"record 4.*no evaluation after 108 epochs"),
        (_cut_metrics, r"record 4.*cut off"),
        (_other_test, "disagree on the mean test accuracy"),
    ],
)
def test_an_official_file_with_other_content_is_refused(official: Writer, change: Callable, reason: str):
    with pytest.raises(CorruptData, match=reason):
        nb101_files.official_table(official(change), Path())


def test_an_official_file_with_an_unknown_hash_is_refused(official: Writer, monkeypatch: pytest.MonkeyPatch):
    path = official(_other_cell)
    monkeypatch.setattr(_FewCells, "rows_of_keys", staticmethod(NB101.rows_of_keys))
    with pytest.raises(CorruptData, match="does not hold NAS-Bench-101"):
        nb101_files.official_table(path, Path())


def test_damage_in_the_middle_of_the_official_file_is_placed(official: Writer):
    path = official()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(CorruptData, match=r"record [78] \(from byte [\d,]+\)"):
        nb101_files.official_table(path, Path())
    path.write_bytes(content[: len(content) // 3])
    with pytest.raises(CorruptData, match="the file ends within it"):
        nb101_files.official_table(path, Path())


def test_the_official_file_answers_whole_columns_where_it_is_here(monkeypatch: pytest.MonkeyPatch):
    trained = [_accuracy(split, seed) for split in ("valid", "test") for seed in (0, 1, 2)] + [VALID]

    def sources(official: bool) -> dict[Column, tuple[str, bool]]:
        missing = () if official else (nb101.OFFICIAL.name,)
        monkeypatch.setattr(registry, "locate", lambda name: None if name in missing else Path(name))
        return {field.column: (field.source.name, field.cost is not None) for field in NB101Benchmark().fields}

    without, with_it = sources(False), sources(True)
    assert {without[column] for column in trained} == {(nb101.ONE_SHOT.name, False)}
    assert {with_it[column] for column in trained} == {(nb101.OFFICIAL.name, True)}
    assert without[TEST] == (nb101.TEST_MEAN.name, False) and with_it[TEST] == (nb101.TEST_MEAN.name, True)
    assert list(without) == list(with_it)
