"""The plan of all runs: it names what exists, finds its records, and a batch goes on where it was."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from factories import fake_nb201_record
from rich.console import Console

from nasrepro.errors import CorruptData, ParameterError
from nasrepro.study import records
from nasrepro.study.plan import Planned, load_plan, plan_table, record_of, trained_by


def test_every_planned_run_has_parameters_that_its_experiment_takes_and_no_run_is_planned_twice():
    pytest.importorskip("torch")
    from nasrepro import experiments
    from nasrepro.parameters.base import resolve

    seen = set()
    for planned in load_plan():
        model = experiments.load(planned.experiment).parameters
        laptop, _ = (resolve(model, planned.parameters, profile) for profile in ("laptop", "full"))
        name = (planned.experiment, laptop.model_dump_json())
        assert name not in seen, f"{planned} is planned twice"
        seen.add(name)


def test_a_planned_run_is_answered_by_the_record_with_its_parameters(tmp_path: Path):
    folders = [fake_nb201_record(tmp_path, **p) for p in ({}, {"epsilon": 0.3, "most_draws": 1, "trainings": 1})]
    known = [records.load(folder) for folder in folders]
    plain = Planned(paper="dinas", part="Table 2", experiment="nb201", parameters={"dataset": "cifar10"})
    varied = Planned(
        paper="dinas", part="ablations", experiment="nb201",
        parameters={"dataset": "cifar10", "epsilon": 0.3, "most_draws": 1, "trainings": 1},
    )  # fmt: skip
    assert record_of(plain, known) is known[0] and record_of(varied, known) is known[1]
    assert record_of(plain, known[1:]) is None
    rows = {row.cells[1]: row.cells for row in plan_table(known).rows if row.cells[0] == "DiNAS"}
    assert rows["Table 2"][4] == "1" and rows["Table 1"][5] == "not run"


def test_a_shared_training_costs_once(tmp_path: Path):
    """Ten minutes of wall and five of CPU each, of which nine tenths were training."""
    cost = {"wall_s": 600.0, "cpu_s": 300.0, "stages": {"training": 540.0, "sampling": 60.0}}
    known = [records.load(fake_nb201_record(tmp_path, **p)) for p in ({}, {"guidance_scale": 5.0, "most_draws": 1})]
    known = [r.model_copy(update={"cost": r.cost.model_copy(update=cost)}) for r in known]
    rows = {row.cells[:2]: row.cells for row in plan_table(known).rows}
    assert rows["DiNAS", "Table 2"][5:] == ("10.0 min", "5.0 min")
    assert rows["DiNAS", "ablations"][5:] == ("60.0 s", "30.0 s")
    assert rows["DiNAS", "all of it"][5:] == ("11.0 min", "5.5 min")
    other = [known[0], known[1].model_copy(update={"parameters": known[1].parameters | {"seed": 1}})]
    assert trained_by("nb201", other[0].parameters) != trained_by("nb201", other[1].parameters)


def test_a_plan_that_is_none_is_refused(tmp_path: Path):
    (tmp_path / "plan.yml").write_text(yaml.safe_dump({"runs": [{"paper": "dinas"}]}))
    with pytest.raises(CorruptData, match="does not hold the plan"):
        load_plan(path=tmp_path / "plan.yml")


def test_a_batch_makes_what_is_missing_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("torch")
    from nasrepro import cli_batch

    monkeypatch.setenv("NASREPRO_RUNS", str(tmp_path))
    planned = Planned(paper="delta", part="Theorems 1-5", experiment="theory", parameters={"largest": 4})
    monkeypatch.setattr(cli_batch, "load_plan", lambda paper: [planned])
    screen = Console(file=(tmp_path / "screen").open("w"))
    for _ in range(2):
        cli_batch.run_all(screen, paper="delta", profile="laptop", device="cpu", again=True)
        (found,) = tmp_path.glob("theory/*/record.json")
        assert records.load(found.parent).cost.sittings == 1
    with pytest.raises(ParameterError, match="no paper"):
        cli_batch.run_all(screen, paper="dinsa", profile="laptop", device="cpu", again=True)
