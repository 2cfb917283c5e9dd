"""The plan of all runs: it names what exists, finds its records, and a batch goes on where it was."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from factories import fake_nb201_record

from nasrepro.errors import CorruptData, ParameterError
from nasrepro.files import paths
from nasrepro.parameters import resolved
from nasrepro.report.plan_table import plan_table
from nasrepro.runs import plan, records
from nasrepro.runs.plan import Planned, Shown, find, load_plan, select, trained_by


def test_every_planned_run_has_parameters_that_its_experiment_takes_and_no_run_is_planned_twice():
    seen = set()
    for planned in load_plan():
        assert resolved(planned.experiment, planned.given, "full")
        name = (planned.experiment, str(sorted(planned.resolved.items())))
        assert name not in seen, f"{planned} is planned twice"
        seen.add(name)


def test_every_committed_record_is_in_the_plan_once():
    """A run that no part of the plan names could be looked at and never told."""
    runs = list(records.find(paths.records_dir()))
    found = [run[1].key for planned in load_plan() if (run := find(planned, runs)) is not None]
    assert sorted(found) == sorted(record.key for _, record in runs)


def test_one_function_selects_records():
    """Nothing but `plan.find` takes one of several records; two lists of runs are shown newest first."""
    chooses = re.compile(r"(key=|max\(|min\().*created|\bnewest\w*\(")
    package = Path(plan.__file__).parent.parent
    found = {
        (path.name, line.strip())
        for path in package.rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if chooses.search(line) and path.parent.name != "history"  # the history shows all there ever were
    }
    assert found == {
        ("chosen_cells.py", "return max(fitting, key=lambda run: run[1].created)"),  # what `record:` asks of a user
        ("overview.py", "known = sorted(candidates, key=lambda r: (r.created, r.key), reverse=True)"),
        ("overview.py", "return sorted(runs, key=lambda run: run[1].created, reverse=True), sorted(broken)"),
    }


def test_a_planned_run_is_answered_by_the_record_with_its_parameters(tmp_path: Path):
    folders = [fake_nb201_record(tmp_path, **p) for p in ({}, {"epsilon": 0.3, "most_draws": 1, "trainings": 1})]
    known = [records.load(folder) for folder in folders]
    plain = Planned(id="a", paper="dinas", part="Table 2", experiment="nb201", parameters={"dataset": "cifar10"})
    varied = Planned(
        id="b", paper="dinas", part="ablations", experiment="nb201",
        parameters={"dataset": "cifar10", "epsilon": 0.3, "most_draws": 1, "trainings": 1},
    )  # fmt: skip
    assert find(plain, known) is known[0] and find(varied, known) is known[1]
    assert find(plain, known[1:]) is None
    assert select("dinas.table2.cifar10", known) is known[0] and select("dinas.table2.cifar100", known) is None
    with pytest.raises(ParameterError, match=r"Did you mean .*dinas\.table2\.cifar10"):
        select("dinas.table2.cifar1", known)
    shown = Shown([(tmp_path, r) for r in known])
    rows = {row.cells[1]: row.cells for row in plan_table(shown).rows if row.cells[0] == "DiNAS"}
    assert rows["Table 2"][4] == "1" and rows["Table 1"][5] == "not run"


_BASE: list[dict[str, Any]] = [{"denoiser": "default"}, {"denoiser": "default", "guidance_scale": 5.0, "most_draws": 1}]


def test_a_shared_training_costs_once(tmp_path: Path):
    """Ten minutes of wall and five of CPU each, of which nine tenths were training."""
    cost = {"wall_s": 600.0, "cpu_s": 300.0, "stages": {"training": 540.0, "sampling": 60.0}}
    known = [records.load(fake_nb201_record(tmp_path, **p)) for p in _BASE]
    known = [r.model_copy(update={"cost": r.cost.model_copy(update=cost)}) for r in known]
    rows = {row.cells[:2]: row.cells for row in plan_table(Shown([(tmp_path, r) for r in known])).rows}
    assert rows["DiNAS", "Table 2"][5:] == ("not run", "not run")
    assert rows["DiNAS", "ablations"][5:] == ("11.0 min", "5.5 min")
    assert rows["DiNAS", "all of it"][5:] == ("11.0 min", "5.5 min")
    other = [known[0], known[1].model_copy(update={"parameters": known[1].parameters | {"seed": 1}})]
    assert trained_by("nb201", other[0].parameters) != trained_by("nb201", other[1].parameters)


def test_a_plan_that_is_none_is_refused(tmp_path: Path):
    (tmp_path / "plan.yml").write_text(yaml.safe_dump({"runs": [{"paper": "dinas"}]}))
    with pytest.raises(CorruptData, match="does not hold the plan"):
        load_plan(path=tmp_path / "plan.yml")


def test_a_run_by_a_recipe_keeps_the_name_from_40_percent_of_the_epochs_or_40_000_steps_on():
    def entry(**departures: Any) -> Planned:
        return Planned(
            id="a", paper="dinas", part="Table 2", experiment="nb201", recipe="dinas_recipe.yml", departures=departures
        )  # fmt: skip

    assert plan.departures(entry(epochs=40)) == {"epochs": (100, 40)}
    assert [plan.keeps_the_name(entry(epochs=e), 10) for e in (39, 40)] == [False, True]
    assert [plan.keeps_the_name(entry(epochs=5), steps) for steps in (39_999, 40_000)] == [False, True]
    assert plan.keeps_the_name(entry(runs=3), 10)


def test_the_cost_of_what_was_not_run_is_told_from_the_speed_of_the_run_by_the_same_recipe(tmp_path: Path):
    """100 epochs of 967 batches, or 10 runs of 192 samples; hours of training only where no second may be missing."""
    entry = next(p for p in load_plan() if p.id == "dinas.table2.cifar100.as-printed")
    ran = next(p for p in load_plan() if p.id == "dinas.table2.cifar10.as-printed")
    record = records.load(fake_nb201_record(tmp_path, **ran.resolved))
    p = entry.resolved
    steps, samples = p["epochs"] * 967, p["runs"] * 192
    plain = f"not run as printed: {steps:,} training steps and {samples:,} samples"
    assert plan.cost_in_words(entry, []) == plain
    speed = {"training_s": 7200.0, "training_steps": steps, "seconds_per_architecture": 3600 / samples}
    for sittings, whole, hours in (
        (1, False, " (about 2.0 h)"),
        (2, True, " (about 2.0 h)"),
        (2, False, " (hours unknown)"),
    ):
        cost = record.cost.model_copy(update={"sittings": sittings, "whole": whole})
        run = (tmp_path, record.model_copy(update={"cost": cost, "metrics": record.metrics | {"speed": speed}}))
        told = plan.cost_in_words(entry, [run])
        assert told == plain.replace(" and ", f"{hours} and ") + " (about 1.0 h)"
    other = next(p for p in load_plan() if p.recipe is None)
    assert plan.cost_in_words(other, []) == "no committed run"
