"""HW-NAS-Bench behind the benchmark contract, and the best NAS-Bench-201 cells under a constraint on a device."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from conformance import BenchmarkLaws

from nasrepro.benchmarks import hw_nb201
from nasrepro.benchmarks.base import Column
from nasrepro.benchmarks.constraints import Constraint
from nasrepro.benchmarks.hw_nb201 import COSTS, DATASETS, HWNB201Benchmark, device_column
from nasrepro.benchmarks.nb201 import NB201Benchmark
from nasrepro.errors import CorruptData, ParameterError, UnknownQuery
from nasrepro.spaces.naslib import to_naslib
from nasrepro.spaces.nb201 import NB201

pytestmark = pytest.mark.mirror

ROWS = np.arange(NB201.size)
VALID = Column("imagenet16-120", "accuracy", "valid", 200, "mean")


@pytest.fixture(scope="module")
def hardware(mirror: Path) -> HWNB201Benchmark:
    return HWNB201Benchmark()


@pytest.fixture(scope="module")
def labels(mirror: Path) -> NB201Benchmark:
    return NB201Benchmark()


class TestLaws(BenchmarkLaws):
    benchmark = HWNB201Benchmark
    optima: ClassVar = {
        device_column("cifar10", "eyeriss_latency"): 1.680,
        device_column("imagenet16-120", "edgegpu_latency"): 0.534,
        device_column("imagenet16-120", "edgetpu_latency"): 0.358,
    }


def test_every_value_equals_the_independent_table_by_published_index(hardware: HWNB201Benchmark, oracle: Path):
    expected = pd.read_parquet(oracle / "hw_nb201.parquet").sort_values("index")
    short = {"cifar10": "c10", "cifar100": "c100", "imagenet16-120": "in16"}
    for column in hardware.columns():
        other = expected[f"{short[column.dataset]}_{column.metric}"].replace(-1.0, np.nan)
        np.testing.assert_array_equal(hardware.query_many(hardware.native_rows(), column), other, err_msg=str(column))
    assert len(hardware.columns()) == len(DATASETS) * len(COSTS) == 27


def test_the_published_index_is_that_of_nas_bench_201_in_every_file(hardware: HWNB201Benchmark, labels: NB201Benchmark):
    for dataset in DATASETS:
        rows = hardware._frame(hw_nb201.TABLES[dataset])["row"]
        np.testing.assert_array_equal(rows, labels.native_rows())


def test_what_was_not_measured_is_nan_and_never_minus_one(hardware: HWNB201Benchmark):
    for column in hardware.columns():
        values = hardware.query_many(ROWS, column)
        assert np.isnan(values).sum() == (4_699 if column.metric == "edgetpu_latency" else 0)
        assert np.nanmin(values) > 0
    edgetpu = device_column("cifar10", "edgetpu_latency")
    row = int(np.isnan(hardware.query_many(ROWS, edgetpu)).argmax())
    with pytest.raises(UnknownQuery, match="not measured"):
        hardware.query(NB201.from_index(row), **edgetpu.__dict__)


def test_energy_and_latency_of_a_device_go_together(hardware: HWNB201Benchmark):
    for device in ("edgegpu", "eyeriss", "fpga"):
        both = [hardware.query_many(ROWS, device_column("cifar10", f"{device}_{c}")) for c in ("latency", "energy")]
        assert np.corrcoef(both)[0, 1] > 0.9


# Ceilings and shares of the space as printed with the files' description; constraints of DiNAS, Table 4.
@pytest.mark.parametrize(
    ("device", "bound", "best", "share"),
    [
        ("edgegpu", 2, 39.98, 0.052),
        ("edgegpu", 4, 44.52, 0.227),
        ("edgegpu", 6, 46.08, 0.719),
        ("raspi4", 2, 35.00, 0.074),
        ("raspi4", 4, 43.33, 0.352),
        ("raspi4", 6, 45.17, 0.533),
        ("edgetpu", 1, 46.73, 0.502),
        ("pixel3", 2, 41.02, 0.266),
        ("pixel3", 4, 45.68, 0.642),
        ("pixel3", 6, 46.49, 0.883),
        ("eyeriss", 1, 45.17, 0.225),
        ("fpga", 1, 44.48, 0.565),
    ],
)
def test_ceilings_are_the_published_ones(
    hardware: HWNB201Benchmark, labels: NB201Benchmark, device: str, bound: float, best: float, share: float
):
    column = device_column("imagenet16-120", f"{device}_latency")
    within = hardware.query_many(ROWS, column) <= bound
    ceiling = labels.optimum(VALID, within)
    assert round(ceiling.value, 2) == best and round(within.mean(), 3) == share
    assert str(Constraint(hardware, column, bound)) == f"{device}_latency <= {bound} ms"
    cell = NB201.from_string(ceiling.arch)
    assert labels.query(cell, **VALID.__dict__).value == ceiling.value
    assert labels.query_many(ROWS[within], VALID).max() == ceiling.value
    assert hardware.query(cell, **column.__dict__).value <= bound


def test_of_equal_cells_the_ceiling_is_the_first_by_published_index(hardware: HWNB201Benchmark, labels: NB201Benchmark):
    cost = device_column("imagenet16-120", "edgegpu_latency")
    within = hardware.query_many(ROWS, cost) <= 6
    flops = Column("cifar10", "flops", "model", 0, "mean")  # many ties, and less is better
    ceiling = labels.optimum(flops, within)
    assert ceiling.value == labels.query_many(ROWS[within], flops).min()
    by_index = labels.native_rows()
    best = (labels.query_many(by_index, flops) == ceiling.value) & within[by_index]
    assert best.sum() > 1 and NB201.to_string(labels.arch_at(int(best.argmax()))) == ceiling.arch
    assert NB201.to_string(NB201.from_index(int(by_index[best].min()))) != ceiling.arch  # not the first by row


def test_constraints_that_make_no_sense_are_refused(hardware: HWNB201Benchmark, labels: NB201Benchmark):
    column = device_column("imagenet16-120", "edgegpu_latency")
    with pytest.raises(UnknownQuery, match="no value of imagenet16-120 valid accuracy"):
        labels.optimum(VALID, hardware.query_many(ROWS, column) <= 0.1)
    with pytest.raises(ParameterError, match="finite upper bound"):
        Constraint(hardware, column, float("nan"))
    with pytest.raises(ParameterError, match="finite upper bound on a cost"):
        Constraint(labels, VALID, 40)  # of accuracy more is better
    with pytest.raises(UnknownQuery, match="no metric `edgegpu_speed`"):
        Constraint(hardware, device_column("imagenet16-120", "edgegpu_speed"), 1)


def _table(path: Path, **changes: str) -> Path:
    """Write a whole table with made-up costs, the fifth line of which is changed."""
    names = ("net", *COSTS)
    lines = []
    for row in range(NB201.size):
        values = {"net": f'"{to_naslib("nb201", NB201.from_index(row))}"'} | dict.fromkeys(COSTS, "1.5")
        lines.append(",".join((values | (changes if row == 4 else {}))[name] for name in names))
    path.write_text("\n".join([",".join(names), *lines]))
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"net": '"(0, 0, 0, 0, 0, 9)"'}, "holds six ids 0-4"),
        ({"net": '"(0, 0, 0, 0, 0, 0)"'}, "does not list each of the 15,625"),
        ({"net": "exit()"}, "does not hold the table"),
        ({"fpga_latency": "fast"}, "does not hold the table"),
        ({"fpga_latency": "-2.0"}, "not positive"),
        ({"fpga_latency": "0"}, "not positive"),
    ],
)
def test_a_table_of_another_shape_is_refused(tmp_path: Path, changes: dict[str, str], message: str):
    with pytest.raises(CorruptData, match=message):
        hw_nb201.device_table(_table(tmp_path / "damaged.csv", **changes))


def test_minus_one_in_a_table_is_not_measured(tmp_path: Path):
    frame = hw_nb201.device_table(_table(tmp_path / "table.csv", raspi4_latency="-1.0"))
    assert np.isnan(frame["raspi4_latency"]).sum() == 1 and frame["fpga_latency"].eq(1.5).all()
