"""How fast the benchmarks are built, loaded and queried; each load in a process of its own, from an own cache.

Needs the raw files (NASREPRO_MIRROR); prints a table at the end of the run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nasrepro import benchmarks

CODE = """
import json, resource, sys, time
import pandas, pyarrow.parquet  # what is timed is the benchmark, not its libraries
start = time.perf_counter()
from nasrepro import benchmarks
bench = benchmarks.load(sys.argv[1])
for column in bench.columns():
    bench.query_many([bench.arch(bench.optimum(column).arch)], column)
print(json.dumps([time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""
TABULAR = ("nb101", "nb201", "hw-nb201", "tnb101-micro", "tnb101-macro")


@pytest.fixture(scope="module", autouse=True)
def needs_files() -> None:
    if not os.environ.get("NASREPRO_MIRROR"):
        pytest.skip("NASREPRO_MIRROR is not set: it names the folder with the raw benchmark files")


@pytest.mark.parametrize("name", benchmarks.BENCHMARKS)
def test_first_build_and_later_load(lines: list[str], tmp_path: Path, name: str):
    def load() -> tuple[float, float]:
        environment = os.environ | {"NASREPRO_CACHE": str(tmp_path), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-c", CODE, name]
        out = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
        seconds, megabytes = json.loads(out)
        return seconds, megabytes

    first, again = load(), min(load() for _ in range(3))
    lines.append(
        f"{name:<13} first build from raw files {first[0]:6.1f} s; later load, every column read {again[0]:.2f} s, "
        f"peak of the process {again[1]:.0f} MiB"
    )


@pytest.mark.parametrize("name", TABULAR)
def test_query_many(benchmark, lines: list[str], name: str):
    bench = benchmarks.load(name)
    column = bench.columns()[0]
    size = bench.space.size
    assert size is not None
    rows = np.random.default_rng(0).integers(size, size=1_000_000)
    bench.query_many(rows, column)
    benchmark.pedantic(lambda: bench.query_many(rows, column), rounds=5)
    if benchmark.stats:
        lines.append(f"{name:<13} query_many {1 / benchmark.stats.stats.median:,.0f} million cells per second")
