"""Benchmarks: tabulated results of trained architectures, and the ledger of every label that is read from them."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from nasrepro.benchmarks.base import Benchmark
from nasrepro.errors import UnknownQuery, did_you_mean

# name -> module and class; imported when loaded, so that one benchmark costs nothing to the users of another
BENCHMARKS = {
    "nb101": ("nb101", "NB101Benchmark"),
    "nb201": ("nb201", "NB201Benchmark"),
    "hw-nb201": ("hw_nb201", "HWNB201Benchmark"),
    "tnb101-micro": ("transnas", "TNB101MicroBenchmark"),
    "tnb101-macro": ("transnas", "TNB101MacroBenchmark"),
    "nb301": ("nb301", "NB301Benchmark"),
    "nlp": ("nlp", "NLPBenchmark"),
}


def load(name: str) -> Benchmark[Any]:
    """Return a benchmark by name; its tables are read at the first query. Raise `UnknownQuery` when there is none.

    `own:<path>` is the table of your own in that file (see `nasrepro.benchmarks.own`).
    """
    if name.startswith("own:"):
        from nasrepro.benchmarks.own import from_table

        return from_table(Path(name.removeprefix("own:")))
    if name not in BENCHMARKS:
        raise UnknownQuery(
            f"There is no benchmark `{name}`; there is {', '.join(BENCHMARKS)}, and own:<path> for a table of yours."
            + did_you_mean(name, BENCHMARKS)
        )
    module, class_name = BENCHMARKS[name]
    benchmark: Benchmark[Any] = getattr(import_module(f"nasrepro.benchmarks.{module}"), class_name)()
    return benchmark
