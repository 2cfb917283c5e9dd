"""TransNAS-Bench-101 behind the benchmark contract: all values, what the tuples of the files mean, damaged files."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
from conformance import BenchmarkLaws

from nasrepro.benchmarks import transnas
from nasrepro.benchmarks.base import MEAN, Column
from nasrepro.benchmarks.tabular import TabularBenchmark
from nasrepro.benchmarks.transnas import (
    SAMPLE_PROXIES,
    SYNFLOW_TASKS,
    TASKS,
    TNB101MacroBenchmark,
    TNB101MicroBenchmark,
)
from nasrepro.errors import CorruptData, UnknownQuery
from nasrepro.spaces.edge_cell import CELL_EDGES
from nasrepro.spaces.transnas import TNB101_MACRO, TNB101_MICRO

pytestmark = pytest.mark.mirror

CELLS = np.array(list(TNB101_MICRO.all()))
ROWS = np.arange(len(CELLS))
DEAD = -1e8  # NASLib's score of a network that has no path from input to output


def final(task: str) -> Column:
    metric, epochs = TASKS[task]
    return Column(task, metric, "valid", epochs, MEAN)


def best(task: str) -> Column:
    metric, epochs = TASKS[task]
    return Column(task, f"best_epoch_{metric}", "valid", epochs, MEAN)


def proxy(task: str, name: str) -> Column:
    return Column(task, name, "proxy", 0, MEAN)


@pytest.fixture(scope="module")
def micro(mirror: Path) -> TNB101MicroBenchmark:
    return TNB101MicroBenchmark()


class TestMicroLaws(BenchmarkLaws):
    benchmark = TNB101MicroBenchmark
    optima: ClassVar = {
        final("class_scene"): 54.936,
        final("room_layout"): -0.601,
        final("jigsaw"): 95.372,
        final("segmentsemantic"): 94.613,
        final("autoencoder"): 0.577,
        best("class_scene"): 54.797,  # of 711 cells only
    }


class TestMacroLaws(BenchmarkLaws):
    benchmark = TNB101MacroBenchmark
    optima: ClassVar = {final("class_object"): 47.422, final("normal"): 0.644}


@pytest.mark.parametrize("of", [TNB101MicroBenchmark, TNB101MacroBenchmark])
def test_every_value_equals_the_independent_table(of: type[TabularBenchmark], mirror: Path, oracle: Path):
    bench = of()
    expected = pd.read_parquet(oracle / f"{bench.name.replace('-', '_')}.parquet")
    rows = bench.space.rows([bench.space.from_string(text) for text in expected["arch"]])
    assert sorted(rows) == list(range(len(bench)))
    compared = 0
    for column in bench.columns():
        if column.metric == "fisher":
            continue  # the other table took it from another run
        name = f"{column.dataset}_zc_{column.metric}"
        if column.split == "valid":
            name = f"{column.dataset}_val_{'best' if column.metric.startswith('best_epoch') else 'final'}"
        np.testing.assert_array_equal(bench.query_many(rows, column), expected[name], err_msg=name)
        compared += 1
    assert compared == {"tnb101-micro": 7 * 3 + 4 + 7 * 9, "tnb101-macro": 7 * 2 + 4}[bench.name]


def test_all_tasks_have_all_their_columns(micro: TNB101MicroBenchmark):
    count = {"zen": 4_096, "synflow": 4_096} | dict.fromkeys(SAMPLE_PROXIES, 711)
    for column in micro.known_columns():
        labelled = np.isfinite(micro.query_many(ROWS, column)).sum()
        if column.split == "valid":
            assert labelled == (711 if column.metric.startswith("best_epoch") else 4_096)
        else:
            assert labelled == count[column.metric]
    assert {c.dataset for c in micro.known_columns() if c.metric == "synflow"} == set(SYNFLOW_TASKS)


def test_values_of_the_best_epoch_are_at_least_those_of_the_last(micro: TNB101MicroBenchmark):
    """The same trainings: nowhere lower, and not the same column either."""
    largest = 0.0
    for task in TASKS:
        gain = micro.query_many(ROWS, best(task)) - micro.query_many(ROWS, final(task))
        gain = gain[np.isfinite(gain)]
        assert len(gain) == 711 and gain.min() == 0 and gain.max() > 0
        largest = max(largest, gain.max())
    assert round(largest, 1) == 6.7


def test_a_cell_outside_the_sample_has_no_value_of_the_best_epoch(micro: TNB101MicroBenchmark):
    row = int(np.isnan(micro.query_many(ROWS, best("jigsaw"))).argmax())
    with pytest.raises(UnknownQuery, match="no jigsaw valid best_epoch_accuracy"):
        micro.query(TNB101_MICRO.from_index(row), **best("jigsaw").__dict__)


def test_parameters_say_which_digit_is_which_edge_and_operation(micro: TNB101MicroBenchmark):
    """Operations on the edges from the input change width and stride, so they weigh differently (a skip included); with
    any other reading of the tuples the sum of the operations' parameters does not fit."""
    params = micro.query_many(ROWS, proxy("jigsaw", "params"))
    there = np.isfinite(params)

    def misfit(cells: np.ndarray) -> float:
        from_input = np.array([source == 0 for source, _ in CELL_EDGES])
        features = [(cells[:, which] == op).sum(1) for which in (from_input, ~from_input) for op in range(4)]
        matrix = np.stack(features, 1)[there].astype(float)
        found = np.linalg.lstsq(matrix, params[there], rcond=None)[0]
        return float(np.abs(matrix @ found - params[there]).max())

    assert misfit(CELLS) < 1e-9
    assert misfit(CELLS[:, [0, 1, 3, 2, 4, 5]]) > 0.1  # the order of edges in NASLib's other tuples
    weights = {}
    for op, name in ((2, "1x1"), (3, "3x3")):
        counts = [(CELLS[:, [2, 4, 5]] == op).sum(1), *((CELLS[:, [0, 1, 3]] == o).sum(1) for o in range(4))]
        others = [(CELLS[:, [2, 4, 5]] == o).sum(1) for o in range(1, 4) if o != op]
        matrix = np.stack(counts + others, 1)[there].astype(float)
        weights[name] = np.linalg.lstsq(matrix, params[there], rcond=None)[0][0]
    assert 8 < weights["3x3"] / weights["1x1"] < 9  # nine times the kernel, and the same normalisation


def test_cells_without_a_path_are_those_that_the_files_call_dead(micro: TNB101MicroBenchmark):
    reached = np.zeros((len(CELLS), 4), dtype=bool)
    reached[:, 0] = True
    for k, (source, target) in enumerate(CELL_EDGES):
        reached[:, target] |= reached[:, source] & (CELLS[:, k] != 0)
    dead = ~reached[:, 3]
    assert dead.sum() == 169
    for task in TASKS:
        np.testing.assert_array_equal(micro.query_many(ROWS, proxy(task, "zen")) == DEAD, dead)
        jacov = micro.query_many(ROWS, proxy(task, "jacov"))
        np.testing.assert_array_equal((jacov == DEAD)[np.isfinite(jacov)], dead[np.isfinite(jacov)])
        if task in SYNFLOW_TASKS:
            assert (micro.query_many(ROWS, proxy(task, "synflow"))[dead] == 0).all()
    assert len(np.unique(micro.query_many(ROWS, final("class_scene"))[dead])) == 1  # guesses the largest class


def test_equal_cells_share_rows_of_values_as_stated(micro: TNB101MicroBenchmark):
    values = np.stack([micro.query_many(ROWS, final(task)) for task in TASKS], 1)
    assert len(np.unique(values, axis=0)) == 2_994


def test_both_spaces_read_the_same_synflow_file_without_mixing(mirror: Path):
    column = proxy("jigsaw", "synflow")
    micro, macro = TNB101MicroBenchmark(), TNB101MacroBenchmark()
    assert micro.checksums([column]) == macro.checksums([column])
    assert micro.query_many(ROWS, column).min() == 0 < macro.query_many(np.arange(3_256), column).min()
    again = TNB101MicroBenchmark()  # from the cache
    np.testing.assert_array_equal(again.query_many(ROWS, column), micro.query_many(ROWS, column))


def test_the_values_of_the_synflow_file_are_those_of_the_last_epoch(mirror: Path):
    """Both files carry them; they must be the same trainings."""
    for bench, space in ((TNB101MicroBenchmark(), TNB101_MICRO), (TNB101MacroBenchmark(), TNB101_MACRO)):
        frame = transnas.archive_table(mirror / "tnb101_synflow.zip", space.name, "synflow")
        for task in SYNFLOW_TASKS:
            np.testing.assert_array_equal(bench.query_many(frame["row"].to_numpy(), final(task)), frame[task])


def _archive(path: Path, change: Any) -> Path:
    """Write a whole archive of the micro space with made-up values, after `change` of its list of entries."""
    entries: list[Any] = [
        {"arch": str(cell), "zen": {"score": 1.0}, "val_accuracy": float(row)}
        for row, cell in enumerate(TNB101_MICRO.all())
    ]
    change(entries)
    with zipfile.ZipFile(path, "w") as archive:
        for task in TASKS:
            archive.writestr(f"zen/benchmark--transbench101_micro--{task}--0.json", json.dumps(entries))
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda entries: entries.pop(), "does not hold a value of every network"),
        (lambda entries: entries.__setitem__(0, entries[1]), "does not hold a value of every network"),
        (lambda entries: entries[5].__setitem__("arch", "(0, 0, 0, 0, 0, 4)"), "ids 0-3"),
        (lambda entries: entries[5].__setitem__("arch", "__import__('os')"), "does not hold values"),
        (lambda entries: entries[5].pop("zen"), "does not hold values"),
        (lambda entries: entries[5].__setitem__("val_accuracy", "high"), "does not hold values"),
    ],
)
def test_an_archive_of_another_shape_is_refused(tmp_path: Path, change: Any, message: str):
    whole = transnas.archive_table(_archive(tmp_path / "whole.zip", lambda entries: None), TNB101_MICRO.name, "zen")
    assert whole["normal"].tolist() == list(range(4_096))
    with pytest.raises(CorruptData, match=message):
        transnas.archive_table(_archive(tmp_path / "damaged.zip", change), TNB101_MICRO.name, "zen")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"class_scene": {"(0, 0, 0, 0, 0, 0)": {"val_accuracy": 1}}}'])
def test_a_sample_of_another_shape_is_refused(tmp_path: Path, text: str):
    path = tmp_path / "sample.json"
    path.write_text(text)
    with pytest.raises(CorruptData, match="does not hold the sample"):
        transnas.sample_table(path)
