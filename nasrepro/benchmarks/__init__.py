"""Benchmarks: tabulated results of trained architectures, and the ledger of every label that is read from them."""

from __future__ import annotations

from nasrepro.benchmarks.base import Benchmark
from nasrepro.benchmarks.nb201 import NB201Benchmark
from nasrepro.errors import UnknownQuery, did_you_mean

BENCHMARKS = {NB201Benchmark.name: NB201Benchmark}


def load(name: str) -> Benchmark:
    """Return a benchmark by name; its tables are read at the first query. Raise `UnknownQuery` when there is none."""
    if name not in BENCHMARKS:
        raise UnknownQuery(
            f"There is no benchmark `{name}`; there is {', '.join(BENCHMARKS)}.{did_you_mean(name, BENCHMARKS)}"
        )
    return BENCHMARKS[name]()
