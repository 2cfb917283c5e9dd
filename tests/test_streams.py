"""Streams of random numbers: what a table shows side by side as independent must not draw the same."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from nasrepro.benchmarks.nb201 import NB201Benchmark
from nasrepro.experiments.dinas import baselines, nb201
from nasrepro.experiments.dinas.generation import Generation
from nasrepro.parameters import resolved
from nasrepro.parameters.dinas import BaselineParameters, NB201Parameters
from nasrepro.runs.run import RunContext

_QUERIES, _RUNS = 12, 2


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    """The first cells of every run of the controls of a DiNAS experiment, and of the searchers of the same names."""
    folder, column = tmp_path_factory.mktemp("streams"), nb201.column("cifar10", "valid")
    budget = {"queries": _QUERIES, "runs": _RUNS}
    benchmark = NB201Benchmark()
    p = resolved("nb201", budget | {"trainings": 1}, "smoke")
    assert isinstance(p, NB201Parameters)
    task = Generation(p, _context(folder / "controls"), benchmark, column)
    controls = pd.concat(task.controls([]))
    q = resolved("baselines", budget, "smoke")
    assert isinstance(q, BaselineParameters) and q.seed == p.seed
    context = _context(folder / "baselines")
    runs = [baselines._run(q, context, benchmark, column, n, k) for n in ("random", "evolution") for k in range(_RUNS)]
    return {"control": controls, "baseline": pd.concat(runs)}


def _context(folder: Path) -> RunContext:
    return RunContext(folder, folder / "models", "cpu")


def _rows(trace: pd.DataFrame, searcher: str, run: int) -> list[int]:
    found: list[int] = trace[(trace["searcher"] == searcher) & (trace["run"] == run)]["row"].tolist()
    return found


@pytest.mark.parametrize("searcher", ["random", "evolution"])
def test_the_control_of_dinas_and_the_rerun_baseline_are_independent(drawn: dict[str, pd.DataFrame], searcher: str):
    sequences = [tuple(_rows(trace, searcher, run)) for trace in drawn.values() for run in range(_RUNS)]
    assert all(len(rows) == _QUERIES for rows in sequences) and len(set(sequences)) == len(sequences)
    for run in range(_RUNS):
        control, baseline = (_rows(trace, searcher, run) for trace in drawn.values())
        assert len(set(control) & set(baseline)) <= 2, "12 of 15,625 cells, drawn twice, have hardly one in common"


def test_random_search_and_evolution_do_not_begin_with_the_same_cells(drawn: dict[str, pd.DataFrame]):
    for trace in drawn.values():
        for run in range(_RUNS):
            assert _rows(trace, "random", run) != _rows(trace, "evolution", run)
