"""Batches: what they are to make, how it is shared, and twelve smoke runs on one process and on two."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch")
from batches import GRID, ROOT, command, ended, results
from typer.testing import CliRunner

from nasrepro.batch import carry_out, engines, units
from nasrepro.batch.make import How, Result, make
from nasrepro.batch.units import Unit, of_plan, of_yaml, shard
from nasrepro.cli.app import app
from nasrepro.errors import NasreproError, ParameterError, TrainingDiverged
from nasrepro.files import leases, paths
from nasrepro.parameters.base import parse_assignments
from nasrepro.runs import records, trained_models
from nasrepro.runs.plan import load_plan

NOBODY = "nobody.yml"


def _yaml(tmp_path: Path, text: str) -> list[Unit]:
    (tmp_path / "batch.yml").write_text(text)
    return of_yaml(tmp_path / "batch.yml")


# --- what is to be made -----------------------------------------------------------------------------------------------


def test_lists_span_a_grid_and_lists_that_are_values_do_not(tmp_path: Path):
    assert len(_yaml(tmp_path, GRID)) == 12
    text = "experiment: nb201\nparameters: {lower_percentiles: %s, seed: [1, 2]}"
    assert [u.given["lower_percentiles"] for u in _yaml(tmp_path, text % "[50.0, 80.0]")] == [[50.0, 80.0]] * 2
    spanned = _yaml(tmp_path, text % "[[80.0], [50.0, 80.0]]")
    assert [u.given["lower_percentiles"] for u in spanned] == [[80.0], [80.0], [50.0, 80.0], [50.0, 80.0]]
    assert {u.profile for u in spanned} == {"laptop"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("- experiment: nb202", "entry 1: There is no experiment `nb202`.*Did you mean `nb201`"),
        ("- experiment: theory\n- {}", "entry 2: experiment: Field required"),
        ("- experiment: nb201\n  parametres: {}", "entry 1: parametres: Extra inputs"),
        ("- experiment: nb201\n  profile: fast", "entry 1 .nb201.: There is no profile `fast`"),
        ("- experiment: nb201\n  parameters: {datset: cifar10}", "There is no parameter `datset`"),
        ("- experiment: nb201\n  parameters: {dataset: [cifar10, cifar11]}", r"entry 1 \(nb201 dataset=cifar11\)"),
        ("- experiment: nb201\n  parameters: {dataset: []}", "its lists span 0 runs"),
        ("- experiment: nb201\n  parameters: {seed: [1, 1]}", "the same run as nb201 seed=1"),
        ("- experiment: nb201\n- experiment: nb201\n  parameters: {dataset: cifar10}", "the same run as nb201"),
        (f"experiment: nb201\nparameters: { {n: [*range(1, 12)] for n in ('seed', 'runs', 'queries', 'epochs')} }",
         "span 14,641 runs"),
        ("[]", "has no entries"),
        ("3", "entry 1: the entry"),
        ("- [", "is no YAML"),
        ("[" * 5000, "cannot be read"),
    ],
)  # fmt: skip
def test_a_batch_is_checked_as_a_whole_and_says_which_entry_is_wrong(tmp_path: Path, text: str, told: str):
    with pytest.raises(ParameterError, match=told):
        _yaml(tmp_path, text)


def test_a_batch_that_is_no_file_is_refused(tmp_path: Path):
    (tmp_path / "large.yml").write_text("#" * 1_000_001)
    for path in (tmp_path, tmp_path / NOBODY, tmp_path / "large.yml"):
        with pytest.raises(ParameterError, match=r"cannot be read|no regular file"):
            of_yaml(path)


def test_parts_of_the_plan_are_named_by_paper_id_or_page_and_made_at_the_profile_asked_for():
    plan = load_plan()
    usual = [p for p in plan if not p.recipe and not p.trial]
    assert [u.name for u in of_plan()] == [p.id for p in usual]
    assert {u.name for u in of_plan("delta")} == {p.id for p in usual if p.paper in ("delta", "both")}
    assert {u.name for u in of_plan("dinas.table2")} >= {"dinas.table2.cifar10", "dinas.table2.cifar100"}
    shown = {u.name for part in ("dinas.table2", "dinas.steps.noise") for u in of_plan(part)}
    assert {u.name for u in of_plan("dinas/table_2")} == shown
    recipe = next(p.id for p in plan if p.recipe)
    assert [u.name for u in of_plan(recipe)] == [recipe]
    assert {u.name for u in of_plan(as_printed=True)} == {p.id for p in plan if p.recipe and not p.trial}
    asked = {profile: {u.profile for u in of_plan(profile=profile)} for profile in ("smoke", "laptop", "full")}
    assert asked == {"smoke": {"smoke"}, "laptop": {p.profile for p in usual}, "full": {"full"}}
    for wrong in ("dinsa", "dinas.table22", "both", "../x"):
        with pytest.raises(ParameterError, match="no paper, part or page"):
            of_plan(wrong)
    with pytest.raises(ParameterError, match="--as-printed with --profile smoke is refused"):
        of_plan(profile="smoke", as_printed=True)


def test_every_run_has_a_notebook_and_a_command_that_names_it():
    for unit in of_plan():
        assert (ROOT / "notebooks" / unit.notebook).with_suffix(".py").is_file()
        words = shlex.split(unit.command())
        assert words[2] == unit.experiment and words[-1] == unit.profile
        assert parse_assignments([w for w in words[3:-2] if w != "-p"]) == dict(unit.given)
    assert {u.name: u.notebook for u in of_plan("dinas.table2")}["dinas.table2.cifar10"] == "dinas/table_2"


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 9))
def test_shards_are_all_of_it_each_once_and_keep_a_training_together(of: int):
    everything, known = of_plan("dinas"), [r for _, r in records.find(paths.records_dir(), "nb201")]
    shares = [shard(everything, k, of, known) for k in range(1, of + 1)]
    names = [u.name for share in shares for u in share]
    assert sorted(names) == sorted(u.name for u in everything)
    assert [[u.name for u in share] for share in shares] == [
        [u.name for u in shard(of_plan("dinas"), k, of, known)] for k in range(1, of + 1)
    ]
    trained = [{(u.profile, u.training) for u in share} for share in shares]
    assert all(not a & b for k, a in enumerate(trained) for b in trained[:k])


def test_one_of_each_training_begins_first_the_longest_before_the_others():
    known = [r for _, r in records.find(paths.records_dir())]
    order = units.ordered(of_plan("dinas"), known)
    groups = [u.training + u.profile for u in order]
    n = len(set(groups))
    assert len(set(groups[:n])) == n and len(order) > n
    cost = units.expected(order[0], known)
    assert cost is not None and cost[0] > 60


# --- rounds -----------------------------------------------------------------------------------------------------------


def _engine(story: dict[str, list[Any]], seen: list[tuple[str, bool]]) -> engines.Engine:
    """Return an engine that lets each unit end as its story says, one word a round."""

    def engine(left: Sequence[Unit], how: How) -> Iterator[Result]:
        for unit in left:
            seen.append((unit.name, how.wait))
            told = story[unit.name].pop(0)
            yield Result(unit, told.rstrip("!"), why="because", transient=told.endswith("!"))

    return engine


def test_what_is_held_or_may_go_well_again_is_tried_again_and_nothing_else():
    names = ("good", "held", "once", "always", "wrong", "bare")
    story = {"good": ["done"], "held": ["held", "held", "found"], "once": ["failed!", "done"],
             "always": ["failed!", "failed!", "failed!"], "wrong": ["failed"], "bare": ["left out"]}  # fmt: skip
    seen: list[tuple[str, bool]] = []
    asked = [Unit(name, "theory", {}, "smoke") for name in names]
    found = carry_out.carry_out(asked, How(Path("/nowhere")), _engine(story, seen), retries=1)
    assert [r.outcome for r in found] == ["done", "found", "done", "failed", "failed", "left out"]
    assert story == {name: ["failed!"] if name == "always" else [] for name in names}
    assert seen[:6] == [(name, False) for name in names] and all(wait for _, wait in seen[6:])
    assert carry_out.status(found) == 1 and carry_out.status([found[0], found[5]]) == 3
    assert carry_out.status(found[:3]) == 0
    table = carry_out.summary(found)
    assert table.title == "6 runs: 2 done, 1 found, 2 failed, 1 left out"


def _diverges(*_: Any, **__: Any) -> None:
    raise TrainingDiverged("The loss became nan")


def test_a_unit_never_raises_and_its_log_has_what_happened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("NASREPRO_IMAGENET", raising=False)
    how = How(tmp_path, "cpu", committed=False)
    out = make(Unit("table 5", "network_training", {"cells": "darts-v2"}, "full"), how)
    assert out.outcome == "left out" and "NASREPRO_IMAGENET" in out.why
    small = {"trainings": 1, "labelled": 100, "epochs": 1, "queries": 4, "runs": 1, "reverse_steps": 2}
    unit = Unit("small", "nb201", small, "smoke")
    with monkeypatch.context() as patch:
        patch.setattr(trained_models, "train", _diverges)
        wild = make(unit, how)
    assert (wild.outcome, wild.transient) == ("failed", False) and "The loss became" in wild.why
    assert wild.log is not None and "The loss became" in wild.log.read_text()
    with leases.lease(tmp_path / "nb201" / unit.asked.key):
        held = make(unit, how)
    assert held.outcome == "held"
    shutil.rmtree(tmp_path / "logs")
    (tmp_path / "logs").write_text("")
    full = make(unit, how)
    assert full.outcome == "failed" and full.transient and "NASREPRO_RUNS" in full.why
    (tmp_path / "logs").unlink()
    assert [make(unit, how).outcome for _ in range(2)] == ["done", "found"]
    shipped = replace(make(unit, replace(how, ship=True)), folder=Path("/elsewhere/nb201") / unit.asked.key)
    carry_out.unpack(shipped, tmp_path / "here")
    assert results(tmp_path / "here") == results(tmp_path)


# --- engines ----------------------------------------------------------------------------------------------------------


def test_what_a_cluster_needs_is_checked_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for wrong in ("localhost:8786", "http://x:1", "tcp://x", "tcp://x:1; rm"):
        with pytest.raises(ParameterError, match="is no scheduler"), engines.dask(wrong):
            pass
    (tmp_path / "slurm.yml").write_text("workers: 0\nqueu: gpu\n")
    with pytest.raises(ParameterError, match=r"workers: .*; queu: Extra"):
        engines.Slurm.read(tmp_path / "slurm.yml")
    (tmp_path / "slurm.yml").write_text("workers: 4\ncores: 2\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ParameterError, match="no `sbatch`"), engines.slurm(tmp_path / "slurm.yml"):
        pass
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(NasreproError, match=r"pip install 'nasrepro\[batch\]'"), engines.dask("tcp://127.0.0.1:9"):
        pass


def test_the_recipe_of_the_book_for_slurm_gives_a_job_script(tmp_path: Path):
    pytest.importorskip("dask_jobqueue")
    text = (ROOT / "notebooks" / "rerun.py").read_text(encoding="utf-8").replace("# ", "").replace("#\n", "\n")
    (recipe,) = re.findall(r"```yaml\n(workers:.*?)```", text, re.DOTALL)
    (tmp_path / "slurm.yml").write_text(recipe)
    described = engines.Slurm.read(tmp_path / "slurm.yml")
    with described.cluster() as cluster:
        script = cluster.job_script()
    for line in ("-p gpu", "-A nas", f"--cpus-per-task={described.cores}", "--mem=8G", "-t 08:00:00", "--gres=gpu:1"):
        assert f"#SBATCH {line}" in script
    assert "module load python" in script and "--nthreads 1" in script


# --- twelve runs ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def serial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a serial batch of the grid."""
    folder = tmp_path_factory.mktemp("serial")
    (folder / "grid.yml").write_text(GRID)
    told = ended(command("batch", str(folder / "grid.yml"), runs=folder / "runs"))
    assert "12 runs: 12 done" in told
    return folder


def test_two_processes_make_what_one_makes_bit_by_bit_and_a_repeat_finds_it(serial: Path, tmp_path: Path):
    told = ended(command("batch", str(serial / "grid.yml"), "--jobs", "2", runs=tmp_path))
    assert "12 runs: 12 done" in told
    assert results(tmp_path) == results(serial / "runs") and len(results(tmp_path)) == 12
    assert len(list((tmp_path / "models").glob("*.curve"))) == 3 and not list(tmp_path.rglob("*.lease"))
    again = ended(command("batch", str(serial / "grid.yml"), runs=tmp_path))
    assert "0 done, 12 found" in again
    assert ended(command("batch", str(serial / "grid.yml"), "--list", runs=tmp_path)) == ""


def test_a_batch_lists_the_commands_that_make_it(serial: Path, tmp_path: Path):
    lines = ended(command("batch", str(serial / "grid.yml"), "--list", runs=tmp_path)).splitlines()
    assert len(lines) == 12 and all(
        re.search(r"# (about [\d.]+ min, [\d,]+ MB|minutes and memory unknown)$", x) for x in lines
    )
    words = shlex.split(lines[0], comments=True)
    ended(command(*words[1:], runs=tmp_path))
    (key,) = results(tmp_path)
    assert results(tmp_path)[key] == results(serial / "runs")[key]
    assert len(ended(command("batch", str(serial / "grid.yml"), "--list", runs=tmp_path)).splitlines()) == 11


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", "--all", "--paper", "dinsa"], "no paper, part or page `dinsa`.*Did you mean `dinas`"),
        (["batch", "--shard", "4/3"], "`--shard 4/3` is no part"),
        (["batch", "--shard", "0/3"], "`--shard 0/3` is no part"),
        (["batch", "--jobs", "2", "--scheduler", "tcp://127.0.0.1:1"], "give one of them"),
        (["batch", "grid.yml", "--profile", "smoke"], r"grid\.yml says the profile of its runs"),
        (["batch", "nowhere.yml"], "no regular file"),
        (["batch", "--cluster", "nowhere.yml", "delta.theory"], "does not describe a Slurm cluster"),
        (["batch", "--device", "banana", "delta.theory"], "device `banana` cannot be used"),
        (["batch", "--profile", "fast"], "no profile `fast`"),
    ],
)
def test_wrong_arguments_are_told_before_anything_is_made(
    arguments: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("NASREPRO_RUNS", str(tmp_path / "runs"))
    with pytest.raises(ParameterError, match=told):
        CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert not (tmp_path / "runs").exists()
