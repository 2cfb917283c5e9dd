"""NAS-Bench-201 behind the benchmark contract: values, optima, missing and damaged files, cached tables."""

from __future__ import annotations

import logging
import pickle
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from conformance import BenchmarkLaws
from typer.testing import CliRunner

from nasrepro import benchmarks
from nasrepro.benchmarks import nb201, registry
from nasrepro.benchmarks.base import Column
from nasrepro.benchmarks.nb201 import DATASETS, NB201Benchmark
from nasrepro.benchmarks.raw import nb201 as nb201_files
from nasrepro.cli import data as cli_data
from nasrepro.errors import CorruptData, InvalidArchitecture, MissingData, UnknownQuery
from nasrepro.files import cached_tables as tables
from nasrepro.spaces.nb201 import NB201

IMAGES = {"cifar10": (25_000, 10_000), "cifar100": (5_000, 5_000), "imagenet16-120": (3_000, 3_000)}  # valid, test
VALID = Column("cifar10", "accuracy", "valid", 200, "mean")
TEST = Column("cifar10", "accuracy", "test", 200, "mean")
ROWS = np.arange(5**6)


def _column(dataset: str, split: str = "valid", epochs: int = 200, seed: int | str = "mean") -> Column:
    return Column(dataset, "accuracy", split, epochs, seed)


@pytest.fixture(scope="module")
def bench() -> NB201Benchmark:
    return NB201Benchmark()


VALID_OPTIMA = {"cifar10": 91.607, "cifar100": 73.493, "imagenet16-120": 46.733}
TEST_OPTIMA = {"cifar10": 94.373, "cifar100": 73.513, "imagenet16-120": 47.311}


class TestLaws(BenchmarkLaws):
    benchmark = NB201Benchmark
    needs_mirror = False
    optima: ClassVar = {_column(d): value for d, value in VALID_OPTIMA.items()}


class TestLawsOfAllFiles(BenchmarkLaws):
    benchmark = NB201Benchmark
    optima: ClassVar = {_column(d, "test"): value for d, value in TEST_OPTIMA.items()}


@pytest.mark.mirror
def test_every_value_equals_the_independent_table(mirror: Path, oracle: Path, bench: NB201Benchmark):
    expected = pd.read_parquet(oracle / "nb201.parquet")
    cells = [NB201.from_string(text) for text in expected["arch_str"]]
    assert [bench.native_index(cell) for cell in cells] == expected["index"].tolist() == list(range(5**6))
    assert [bench.arch_at(i) for i in range(5**6)] == cells
    rows = NB201.rows(cells)
    short = {"cifar10": "c10", "cifar100": "c100", "imagenet16-120": "in16"}
    compared = 0
    for column in bench.columns():
        if column.metric != "accuracy":
            continue
        name = f"{short[column.dataset]}_{ {'valid': 'val', 'test': 'test'}[column.split] }_{column.epochs}"
        name += "" if column.seed == "mean" else f"_seed{column.seed}"
        if name in expected:
            np.testing.assert_allclose(bench.query_many(rows, column), expected[name], rtol=0, atol=2e-7, err_msg=name)
            compared += 1
    assert compared == 3 * 4 + 3
    first = [
        bench.query(c, dataset="cifar10", metric="accuracy", split="valid", epochs=200, seed="mean") for c in cells
    ]
    np.testing.assert_allclose([r.cost_s for r in first], expected["train_time_s_200_c10valid"])
    assert [r.n_seeds for r in first] == expected["n_seeds_200"].tolist()
    for name, column in {
        "params_M_c10": Column("cifar10", "parameters", "model", 0, "mean"),
        "params_M_c10_api": Column("cifar10", "published_parameters", "model", 0, "mean"),
        "flops_M_c10_computed": Column("cifar10", "flops", "model", 0, "mean"),
        "train_time_s_200_c10valid": Column("cifar10", "train_time", "train", 200, "mean"),
    }.items():
        np.testing.assert_allclose(bench.query_many(rows, column), expected[name], rtol=1e-6, err_msg=name)


def test_the_published_parameters_of_150_cells_are_not_those_of_the_cell(bench: NB201Benchmark):
    for dataset in DATASETS:
        counted, published = (
            bench.query_many(ROWS, Column(dataset, metric, "model", 0, "mean"))
            for metric in ("parameters", "published_parameters")
        )
        assert (np.abs(counted - published) > 1e-9).sum() == 150


@pytest.mark.mirror
def test_every_proxy_equals_the_independent_table(mirror: Path, oracle: Path, bench: NB201Benchmark):
    expected = pd.read_parquet(oracle / "zc_nb201.parquet")
    rows = NB201.rows([bench.arch_at(i) for i in expected["index"]])
    short = {"cifar10": "c10", "cifar100": "c100", "imagenet16-120": "in16"}
    compared = set()
    for column in (c for c in bench.columns() if c.split == "proxy"):
        name = f"{short[column.dataset]}_{'zen' if column.metric == 'zen' else f'zcs_{column.metric}'}"
        np.testing.assert_allclose(bench.query_many(rows, column), expected[name], rtol=1e-6, err_msg=name)
        compared.add(name)
    assert len(compared) == 3 + 2 * 12
    some, embeddings = bench.published_arch2vec()
    theirs = expected.set_index(rows)[[f"arch2vec_{k}" for k in range(16)]]
    assert len(some) == 9_445 == theirs.notna().all(axis=1).sum()
    np.testing.assert_allclose(embeddings, theirs.loc[some], rtol=1e-6)


def test_the_mean_is_that_of_the_seeds_that_exist(bench: NB201Benchmark):
    for dataset in DATASETS:
        seeds = np.stack([bench.query_many(ROWS, _column(dataset, seed=s)) for s in (0, 1, 2)])
        assert np.isnan(seeds).sum(1).tolist() == [0, 0, 7_456]
        np.testing.assert_allclose(bench.query_many(ROWS, _column(dataset)), np.nanmean(seeds, axis=0), rtol=1e-14)


def _on_grid(values: np.ndarray, images: int, trainings: np.ndarray | int = 1) -> np.ndarray:
    counts = values / 100 * images * trainings
    return np.abs(counts - np.round(counts)) < 1e-3


def test_each_seed_is_one_evaluation_of_the_stated_number_of_images(bench: NB201Benchmark):
    for dataset in DATASETS:
        assert _on_grid(bench.query_many(ROWS, _column(dataset, seed=1)), IMAGES[dataset][0]).all()
        assert not _on_grid(bench.query_many(ROWS, _column(dataset)), IMAGES[dataset][0]).all()


@pytest.mark.mirror
def test_test_accuracies_are_means_over_the_stated_number_of_trainings(mirror: Path, bench: NB201Benchmark):
    trainings = bench._array(nb201.VALID["cifar10"], "n_seeds")
    for dataset in DATASETS:
        test = bench.query_many(ROWS, _column(dataset, "test"))
        assert _on_grid(test, IMAGES[dataset][1], trainings).all()
        assert not _on_grid(test, IMAGES[dataset][1], 5 - trainings).all()  # 3 for 2 and 2 for 3 would not do


@pytest.mark.mirror
def test_twelve_epoch_values_lie_on_the_grid_that_their_seed_count_says(mirror: Path, bench: NB201Benchmark):
    for dataset in DATASETS:
        for split, images in zip(("valid", "test"), IMAGES[dataset], strict=True):
            n = bench.query(NB201.from_index(0), **_column(dataset, split, 12).__dict__).n_seeds
            values = bench.query_many(ROWS, _column(dataset, split, 12))
            assert _on_grid(values, images, n).all()
            assert n == 1 or not _on_grid(values, images).all()


@pytest.mark.mirror
def test_the_published_index_is_the_order_of_the_package(mirror: Path, bench: NB201Benchmark):
    from nasrepro.benchmarks.raw.safe_pickle import load_frame

    frame = load_frame(mirror / "nb201_mini_12epochs.pd")
    assert frame["arch"].tolist() == list(range(5**6))
    assert [NB201.to_string(bench.arch_at(i)) for i in range(5**6)] == frame["cellstr"].tolist()


def test_native_index_and_arch_at_are_inverse(bench: NB201Benchmark):
    assert [bench.native_index(bench.arch_at(i)) for i in range(0, 5**6, 7)] == list(range(0, 5**6, 7))
    assert NB201.key(bench.arch_at(0)) == "421211"
    for wrong in (-1, 5**6):
        with pytest.raises(InvalidArchitecture, match="indices 0 to 15624"):
            bench.arch_at(wrong)


def test_query_query_many_and_the_whole_table_agree(bench: NB201Benchmark):
    cells = [bench.arch_at(i) for i in (0, 1, 2, 5000)]
    table = bench.table()
    assert len(table) == 5**6 and list(table.columns) == [str(c) for c in bench.columns()]
    for column in bench.columns():
        expected = table[str(column)].iloc[[0, 1, 2, 5000]].to_numpy()
        np.testing.assert_array_equal(bench.query_many(cells, column), expected)
        np.testing.assert_array_equal(bench.query_many(NB201.rows(cells), column), expected)
        if not np.isnan(expected).any():
            assert [bench.query(cell, **column.__dict__).value for cell in cells] == expected.tolist()
    assert table.index[1] == NB201.to_string(cells[1])
    assert bench.query_many([], VALID).shape == bench.query_many(np.array([], dtype=int), VALID).shape == (0,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"dataset": "cifar11"},
            "no data set `cifar11`; it has cifar10, cifar100, imagenet16-120. Did you mean `cifar10`",
        ),
        ({"dataset": "ImageNet16-120"}, "Did you mean `imagenet16-120`"),
        ({"metric": "acuracy"}, "no metric `acuracy`; it has accuracy, train_time"),
        ({"split": "val"}, "no split `val` for accuracy; it has valid, test. Did you mean `valid`"),
        ({"epochs": 108}, "no number of epochs `108` for valid accuracy; it has 200, 12"),
        ({"seed": 777}, "no seed `777` for valid accuracy after 200 epochs; it has 0, 1, 2, mean"),
        ({"seed": True}, "no seed `True`"),
        ({"split": "test", "seed": 0}, "no seed `0` for test accuracy after 200 epochs; it has mean"),
        ({"epochs": 12, "seed": 0}, "no seed `0` for valid accuracy after 12 epochs; it has mean"),
    ],
)
def test_an_unknown_question_is_refused_with_what_exists(bench: NB201Benchmark, change: dict, message: str):
    question = {"dataset": "cifar10", "metric": "accuracy", "split": "valid", "epochs": 200, "seed": "mean"} | change
    for ask in (
        lambda: bench.query((0,) * 6, **question),
        lambda: bench.query_many([(0,) * 6], Column(**question)),
        lambda: bench.optimum(Column(**question)),
    ):
        with pytest.raises(UnknownQuery) as caught:
            ask()
        assert message in str(caught.value)
    with pytest.raises(UnknownQuery):
        bench.checksums([Column(**question)])


def test_a_seed_that_a_cell_does_not_have_is_named(bench: NB201Benchmark):
    values = bench.query_many(ROWS, _column("cifar10", seed=2))
    cell = NB201.from_index(int(np.isnan(values).argmax()))
    with pytest.raises(UnknownQuery, match="trained with 2 seeds on cifar10: there is seed 0, 1 and mean, no 2"):
        bench.query(cell, **_column("cifar10", seed=2).__dict__)
    assert bench.query(cell, **_column("cifar10").__dict__).n_seeds == 2


def test_rows_and_cells_outside_the_space_are_refused(bench: NB201Benchmark):
    with pytest.raises(InvalidArchitecture, match="2 of 3 lie outside, first -1"):
        bench.query_many(np.array([0, -1, 15_625]), VALID)
    with pytest.raises(InvalidArchitecture, match="integers, not float64"):
        bench.query_many(np.array([0.5]), VALID)
    with pytest.raises(InvalidArchitecture, match="operation id 5"):
        bench.query((0, 0, 0, 0, 0, 5), **VALID.__dict__)


def test_cost_is_the_training_time_of_the_queried_networks_or_unknown(bench: NB201Benchmark):
    cell = bench.arch_at(0)
    assert bench.query(cell, **VALID.__dict__).cost_s == pytest.approx(1444.2186)
    assert bench.query(cell, **_column("cifar100", seed=0).__dict__).cost_s == pytest.approx(2888.4372)


@pytest.mark.mirror
def test_cost_of_test_networks(mirror: Path, bench: NB201Benchmark):
    cell = bench.arch_at(0)
    assert bench.query(cell, **TEST.__dict__).cost_s is None  # trained on more images than the validated ones
    assert bench.query(cell, **_column("cifar100", "test").__dict__).cost_s == pytest.approx(2888.4372)
    assert bench.query(cell, **_column("cifar100", "test", 12).__dict__).cost_s is None


def test_without_test_data_the_message_names_the_command_and_validation_still_works(no_mirror: Path):
    bench = NB201Benchmark()
    accuracies = [c for c in bench.columns() if c.metric == "accuracy"]
    assert {(c.split, c.epochs) for c in accuracies} == {("valid", 200)} and len(accuracies) == 12
    assert {c.metric for c in bench.columns()} == {
        *("accuracy", "train_time", "parameters", "published_parameters", "latency", "flops")
    }
    assert list(bench.checksums([_column("cifar100")])) == ["nb201_valid_cifar100.pkl"]
    for column in (TEST, _column("cifar100", "valid", 12)):
        for ask in (bench.optimum, lambda column: bench.query_many([(0,) * 6], column)):
            with pytest.raises(MissingData, match="nasrepro data fetch nb201-test"):
                ask(column)
    assert round(bench.optimum(VALID).value, 3) == 91.607


@pytest.mark.mirror
def test_checksums_name_the_raw_files_of_the_columns(mirror: Path, bench: NB201Benchmark):
    from nasrepro.files.storage import sha256_of

    sums = bench.checksums([_column("imagenet16-120", "test"), _column("cifar10", "valid", 12)])
    assert set(sums) == {
        "nb201_valid_imagenet16-120.pkl",
        "nb201_test_imagenet16-120.csv",
        "nb201_mini_12epochs.pd",
    }
    assert all(sha256_of(registry.use(name)) == value for name, value in sums.items())


@pytest.fixture
def warnings_logged(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.WARNING, logger="nasrepro")
    tables._say_once.cache_clear()
    return caplog


def _cached(cache: Path) -> Path:
    (path,) = (cache / "tables").glob("nb201_valid_cifar10.pkl-*.parquet")
    return path


def test_the_table_is_built_once_and_then_read(no_mirror: Path, monkeypatch):
    expected = NB201Benchmark().query_many(ROWS, VALID)
    monkeypatch.setattr(nb201_files, "complete", lambda *_: pytest.fail("built twice"))
    np.testing.assert_array_equal(NB201Benchmark().query_many(ROWS, VALID), expected)
    assert _cached(no_mirror).is_file()


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty", "swap", "no checksum"])
def test_a_damaged_cached_table_is_built_anew_with_a_warning(no_mirror: Path, warnings_logged, damage: str):
    expected = NB201Benchmark().query_many(ROWS, VALID)
    path = _cached(no_mirror)
    content = path.read_bytes()
    if damage == "swap":  # a whole Parquet file with other values
        frame = pd.read_parquet(path)
        frame["mean"] += 1
        frame.to_parquet(path)
    elif damage == "no checksum":
        path.with_name(path.name + ".sha256").unlink()
    else:
        middle = len(content) // 2
        flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        path.write_bytes({"flip": flipped, "truncate": content[:-9], "empty": b""}[damage])
    np.testing.assert_array_equal(NB201Benchmark().query_many(ROWS, VALID), expected)
    assert "is damaged" in warnings_logged.text and path.name in warnings_logged.text
    warnings_logged.clear()
    np.testing.assert_array_equal(NB201Benchmark().query_many(ROWS, VALID), expected)
    assert warnings_logged.text == ""


def test_a_table_of_other_raw_bytes_is_not_read(no_mirror: Path, tmp_path: Path, monkeypatch):
    NB201Benchmark().query_many(ROWS, VALID)
    name = "nb201_valid_cifar10.pkl"
    raw = pickle.loads(registry.use(name).read_bytes())
    for cell in raw.values():
        cell["val_acc"] = [value / 2 for value in cell["val_acc"]]
    path = tmp_path / "other.pkl"
    path.write_bytes(pickle.dumps(raw))
    from nasrepro.files.storage import sha256_of

    other = registry.entry(name).model_copy(update={"sha256": sha256_of(path), "bytes": path.stat().st_size})
    monkeypatch.setattr(registry, "_member", lambda _: path)
    with pytest.raises(CorruptData, match="pip install --force-reinstall"):
        NB201Benchmark().query_many(ROWS, VALID)  # not the published bytes, whatever the cache holds
    known = registry.entries()
    monkeypatch.setattr(registry, "entries", lambda: {**known, name: other})
    assert NB201Benchmark().query_many(ROWS, VALID).max() == pytest.approx(91.607 / 2, abs=1e-3)


@pytest.mark.parametrize("blocked", ["file", "file/below"])
def test_an_unwritable_cache_does_not_stop_queries_and_is_said_once(
    tmp_path: Path, monkeypatch, warnings_logged, blocked: str
):
    (tmp_path / "file").touch()
    monkeypatch.setenv("NASREPRO_CACHE", str(tmp_path / blocked))
    bench = NB201Benchmark()
    assert round(bench.optimum(VALID).value, 3) == 91.607
    assert len(bench.query_many(ROWS, VALID)) == 5**6
    NB201Benchmark().optimum(VALID)
    assert warnings_logged.text.count("not cached") == 1


def test_two_processes_may_build_at_once(no_mirror: Path):
    code = (
        "from nasrepro.benchmarks.nb201 import *\n"
        "import logging\n"
        "b = NB201Benchmark()\n"
        "print(*(round(b.optimum(c).value, 3) for c in b.columns() if c.seed == 'mean' and c.split == 'valid'))"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in processes:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0 and out.split() == ["91.607", "73.493", "46.733"], err
        assert err == ""
    left = sorted(p.suffix for p in (no_mirror / "tables").iterdir())
    assert left == [".lock"] * 3 + [".parquet"] * 3 + [".sha256"] * 3


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"421211": {"val_acc": [1.0, 2.0], "train_time": [1.0]}},
        {f"{i:06d}": {} for i in range(3)},
        [1, 2],
        {"421211": {"val_acc": ["x"], "train_time": [1.0]}},
    ],
)
def test_a_package_file_of_another_shape_is_refused(tmp_path: Path, content: object):
    path = tmp_path / "cifar10.pkl"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(CorruptData, match=r"cifar10\.pkl does not"):
        nb201_files.valid_table(path)


@pytest.mark.parametrize("text", ["", "index,accuracy\n0,1.0\n", "a,b\n0,1\n", "index,accuracy\n" + "0,1.0\n" * 5**6])
def test_a_test_file_of_another_shape_is_refused(tmp_path: Path, text: str):
    path = tmp_path / "test.csv"
    path.write_text(text)
    with pytest.raises(CorruptData, match=r"test\.csv does not"):
        nb201_files.test_table(path, path)


def test_benchmarks_are_loaded_by_name():
    assert isinstance(benchmarks.load("nb201"), NB201Benchmark)
    with pytest.raises(UnknownQuery, match="Did you mean `nb201`"):
        benchmarks.load("nb21")


def test_the_query_command_prints_everything_that_was_asked():
    import typer

    app = typer.Typer()
    app.command()(cli_data.query)
    text = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
    for arch in (text, "0"):  # 0 is its published index
        output = CliRunner().invoke(app, ["nb201", arch, "--dataset", "cifar100"]).output
        assert text in output and "52.700 %" in output
        assert "cifar100 valid accuracy, 200 epochs, mean over seeds (3 trainings" in output
        assert "One training on cifar100 took 2,888 s." in output
    one = CliRunner().invoke(app, ["nb201", text, "--dataset", "cifar10", "--seed", "1"]).output
    assert "81.616 %" in one and "seed 1 (1 training;" in one and one.count("\n") == 3
    assert isinstance(CliRunner().invoke(app, ["nb201", "x", "--dataset", "cifar10"]).exception, InvalidArchitecture)
    assert "Did you mean `cifar10`" in str(CliRunner().invoke(app, ["nb201", text, "--dataset", "cifar1"]).exception)


def test_the_query_command_says_what_to_fetch(no_mirror: Path):
    import typer

    app = typer.Typer()
    app.command()(cli_data.query)
    result = CliRunner().invoke(app, ["nb201", "0", "--split", "test", "--epochs", "200"])
    assert isinstance(result.exception, MissingData) and "nasrepro data fetch nb201-test" in str(result.exception)
