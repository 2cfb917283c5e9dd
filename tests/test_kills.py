"""kill -9 before and after every rename of a run, a fresh run, publishing again and merging: no record is ever lost."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from factories import fake_nb201_record
from pydantic import Field

from nasrepro.benchmarks.ledger import Ledger
from nasrepro.files import leases
from nasrepro.parameters import model_of
from nasrepro.parameters.base import Parameters
from nasrepro.runs import provenance, records
from nasrepro.runs.run import Experiment, Outcome, RunContext, run
from nasrepro.runs.transfer import merge, publish

MOST = 60  # renames of anything that is killed here


class Toy(Parameters):
    n: int = Field(3, ge=1)


def _toy(version: float) -> Experiment[Toy]:
    """Return an experiment whose result tells which code made it."""

    def execute(p: Toy, context: RunContext) -> Outcome:
        def part(k: int) -> Callable[[Ledger], pd.DataFrame]:
            return lambda ledger: pd.DataFrame({"k": [k], "value": [version * k]})

        tables = [context.stage("work", f"part-{k}", part(k)) for k in range(p.n)]
        return Outcome({"version": version}, {"a": pd.concat(tables), "b": tables[0]}, {"master": 0})

    return Experiment("toy", 1, Toy, lambda p: {"file": "a" * 64}, execute)


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(records, "model_of", lambda name: Toy if name == "toy" else model_of(name))
    code, environment = provenance.code(), provenance.environment("cpu")
    monkeypatch.setattr(provenance, "code", lambda: code)
    monkeypatch.setattr(provenance, "environment", lambda device: environment)


def _killed(work: Callable[[], Any], at: int, after: bool) -> bool:
    """Do work in a process that dies around its rename number `at`; return whether it came so far."""
    child = os.fork()
    if child == 0:
        count, replace = [0], Path.replace

        def dies(self: Path, target: Any) -> Any:
            count[0] += 1
            if count[0] == at and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            done = replace(self, target)
            if count[0] == at:
                os.kill(os.getpid(), signal.SIGKILL)
            return done

        Path.replace = dies  # type: ignore[method-assign]
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def _around_every_rename(work: Callable[[], Any], before: Callable[[], None], after: Callable[[], None]) -> int:
    """Kill some work around each of its renames; return how many there were."""
    for at in range(1, MOST):
        for late in (False, True):
            before()
            if not _killed(work, at, late):
                return at - 1
            after()
    raise AssertionError("it never ended")


def test_a_run_is_whole_or_goes_on(tmp_path: Path):
    root = tmp_path / "runs"

    def after() -> None:
        for _, told in records.survey(root):
            assert isinstance(told, records.Record)
        folder, record = run(_toy(1.0), {}, root=root)
        assert record.metrics == {"version": 1.0} == records.verify(folder).metrics
        assert len(list(root.glob("toy/*/record.json"))) == 1
        assert all(leases.holder_is_dead(path.with_suffix("")) for path in root.rglob("*.lease"))

    renames = _around_every_rename(
        lambda: run(_toy(1.0), {}, root=root), lambda: shutil.rmtree(root, ignore_errors=True), after
    )
    assert renames >= 8


def test_a_fresh_run_leaves_the_old_record_until_the_new_one_is_whole(tmp_path: Path):
    root = tmp_path / "runs"

    def before() -> None:
        shutil.rmtree(root, ignore_errors=True)
        run(_toy(1.0), {}, root=root)

    def after() -> None:
        ((folder, record),) = records.find(root)
        assert record.metrics["version"] in (1.0, 2.0)
        table = records.load_table(folder, record, "a.parquet")
        assert table["value"].tolist() == [record.metrics["version"] * k for k in range(3)]
        _, record = run(_toy(2.0), {}, root=root, fresh=True)
        assert record.metrics["version"] == 2.0
        left = {p.name for p in folder.iterdir() if not p.name.endswith(".part")}
        assert left == {"record.json", "a.parquet", "b.parquet"}

    assert _around_every_rename(lambda: run(_toy(2.0), {}, root=root, fresh=True), before, after) >= 8


@pytest.mark.parametrize("how", ["publish", "merge"])
def test_a_copy_is_whole_or_not_there_and_a_repeat_makes_it(tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch):
    mine, target = tmp_path / "mine", tmp_path / "target"
    monkeypatch.setenv("NASREPRO_RECORDS", str(target))
    folder = fake_nb201_record(mine, trainings=1, runs=1, queries=5)
    record = records.verify(folder)
    old = record.model_copy(update={"metrics": {}})

    def work() -> Any:
        return publish(folder.name, mine) if how == "publish" else list(merge([mine], target))

    def before() -> None:
        shutil.rmtree(target, ignore_errors=True)
        if how == "publish":  # merging does not replace
            records.save(target / "nb201" / folder.name, old, records.read_tables(folder, record))

    def after() -> None:
        found = [told for _, told in records.survey(target)]
        assert len(found) == 1 or (how == "merge" and not found)
        assert all(isinstance(told, records.Record) and told.metrics in ({}, record.metrics) for told in found)
        work()
        assert [told for _, told in records.survey(target)] == [record]

    assert _around_every_rename(work, before, after) >= 4
