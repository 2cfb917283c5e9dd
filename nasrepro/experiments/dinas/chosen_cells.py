"""Which cells are trained: those named, the best of random ones by our surrogate, or those that a recorded run has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from nasrepro.benchmarks.ledger import Ledger
from nasrepro.benchmarks.nb301 import SURROGATE_ACCURACY, NB301Benchmark
from nasrepro.errors import MissingData, ParameterError
from nasrepro.files import paths
from nasrepro.runs import records
from nasrepro.runs.protocols import PAPER
from nasrepro.runs.records import Record
from nasrepro.runs.run import RunContext
from nasrepro.spaces.darts.genotype import DARTS_V2, Pair
from nasrepro.spaces.darts.space import NB301

SURROGATE, RECORD = "surrogate", "record:"
PUBLISHED = {"darts-v2": DARTS_V2}
_RUNS = "runs.parquet"


def parse_cells(text: str) -> list[Pair]:
    """Return genotypes written one after another with `;` between, or named; raise `InvalidArchitecture`."""
    parts = [part.strip() for part in text.split(";") if part.strip()]
    if not parts:
        raise ParameterError("cells='': name at least one genotype, `surrogate` or `record:<experiment>`.")
    return [PUBLISHED[part] if part in PUBLISHED else NB301.from_string(part) for part in parts]


def best_by_surrogate(pool: int, rng: np.random.Generator, context: RunContext) -> list[Pair]:
    """Return `pool` random cells, the best by our surrogate first; each is a label that is read."""

    def compute(ledger: Ledger) -> pd.DataFrame:
        cells = [NB301.sample(rng) for _ in range(pool)]
        values = ledger.open(NB301Benchmark(), SURROGATE_ACCURACY, SURROGATE).read(cells, "select")
        order = np.argsort(-values, kind="stable")
        return pd.DataFrame({"genotype": [NB301.to_string(cells[i]) for i in order[: min(pool, 1_000)]]})

    return [NB301.from_string(text) for text in context.stage("choosing", "choosing", compute)["genotype"]]


def of_record(name: str) -> list[Pair]:
    """Return the best cell of each run of DiNAS in a recorded experiment, by what the search saw, without repeats.

    Args:
        name: experiment, or experiment/key.

    Raises:
        MissingData: there is no such record, or it has no such cells.
    """
    folder, record = _found(name)
    runs = records.load_table(folder, record, _RUNS)
    if not {"arch", "searcher", "protocol", "best_valid"} <= set(runs.columns):
        raise MissingData(f"The record {record.experiment}/{record.key} names no genotypes. Take one of nb301.")
    mine = runs[(runs["searcher"] == "dinas") & (runs["protocol"] == PAPER) & (runs["arch"] != "")]
    mine = mine.sort_values("best_valid", ascending=False, kind="stable")
    if not len(mine):
        raise MissingData(f"The record {record.experiment}/{record.key} has no runs of DiNAS.")
    by_key = {NB301.key(cell): cell for cell in map(NB301.from_string, reversed(mine["arch"].tolist()))}
    return list(reversed(by_key.values()))


def record_file(name: str) -> dict[str, str]:
    """Return the name and sha256 of the table that `of_record` reads; raises as it does."""
    record = _found(name)[1]
    return {f"{record.experiment}/{record.key}/{a.name}": a.sha256 for a in record.artefacts if a.name == _RUNS}


def _found(name: str) -> tuple[Path, Record]:
    """Return the newest record of that name, of those committed if there is one there, else of your own."""
    experiment, _, key = name.partition("/")
    for root in (paths.records_dir(), paths.runs_dir()):
        fitting = [run for run in records.find(root, experiment) if run[1].key.startswith(key)]
        if fitting:
            return max(fitting, key=lambda run: run[1].created)
    raise MissingData(f"There is no record of `{name}`. Make one: `nasrepro run {experiment} --profile laptop`.")
