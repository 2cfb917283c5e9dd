"""HW-NAS-Bench (Li et al., ICLR 2021): what the cells of NAS-Bench-201 cost on six devices.

Latency (ms) and energy (mJ) of one image, on each data set: its image size and number of classes matter. The Edge TPU
has no value for 4,699 cells, which the files write as -1 and this package as not measured (NaN). The published index is
that of NAS-Bench-201.

Accuracies are those of NAS-Bench-201 (`nasrepro.benchmarks.nb201`); `nasrepro.benchmarks.constraints` bounds a cost.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from nasrepro.benchmarks.base import MEAN, Column, Metric, by_name
from nasrepro.benchmarks.raw.reading import cells_table
from nasrepro.benchmarks.tabular import Field, Source, TabularBenchmark, complete
from nasrepro.errors import CorruptData
from nasrepro.spaces.nb201 import NB201, Arch

DATASETS = ("cifar10", "cifar100", "imagenet16-120")
DEVICES = {  # device -> what is known of it
    "edgegpu": ("latency", "energy"),
    "raspi4": ("latency",),
    "edgetpu": ("latency",),
    "pixel3": ("latency",),
    "eyeriss": ("latency", "energy"),
    "fpga": ("latency", "energy"),
}
COSTS = tuple(f"{device}_{cost}" for device, costs in DEVICES.items() for cost in costs)

_NOT_MEASURED = -1.0
_UNITS = {"latency": "ms", "energy": "mJ"}


def device_table(path: Path) -> pd.DataFrame:
    """Parse a CSV of NASLib tuples in the order of the published index; the fields are `COSTS`."""
    columns = {cost: cost for cost in COSTS}
    frame = cells_table(path, "the table of HW-NAS-Bench", NB201, columns)
    frame = complete(frame, NB201, path).replace({cost: {_NOT_MEASURED: np.nan} for cost in COSTS})
    if not (frame[list(COSTS)].fillna(1.0) > 0).all(axis=None):
        raise CorruptData(f"{path} lists costs that are not positive.")
    return frame


TABLES = {d: Source((f"hw_nb201_{d}.csv",), device_table) for d in DATASETS}


def device_column(dataset: str, cost: str) -> Column:
    """Return the column of a cost (one of `COSTS`, e.g. `edgegpu_latency`)."""
    return Column(dataset, cost, "device", 0, MEAN)


def _metrics() -> Iterator[Metric]:
    for device, costs in DEVICES.items():
        for cost in costs:
            yield Metric(f"{device}_{cost}", _UNITS[cost], False, f"{cost} of one image on {device}")


class HWNB201Benchmark(TabularBenchmark[Arch]):
    """HW-NAS-Bench on the space of NAS-Bench-201, behind the contract of `benchmarks.base`; see the module."""

    name = "hw-nb201"
    title = "HW-NAS-Bench"
    space = NB201
    metrics = by_name(_metrics())
    fields = tuple(Field(device_column(d, cost), TABLES[d], cost) for d in DATASETS for cost in COSTS)
    defects = (
        "The Edge TPU has no value for 4,699 cells, which the files write as -1. Here they are not measured, and no "
        "constraint on that device is satisfied by them.",
        "The files also hold an arithmetic intensity of Eyeriss whose unit we could not confirm; it is left out.",
    )
    cannot_answer = (
        "Energy on Raspberry Pi 4, Edge TPU and Pixel 3: not measured.",
        "Spread over repeated measurements: one value per cell, device and data set is published.",
    )

    def native_rows(self) -> np.ndarray:
        """Return the row of each published index (int64, 15,625), which is the index of NAS-Bench-201."""
        rows: np.ndarray = self._frame(TABLES[DATASETS[0]])["row"].to_numpy()
        return rows
