"""Which runs belong to an ablation, and what its tables say of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from factories import fake_nb201_record

from nasrepro.files import paths
from nasrepro.report.dinas.ablations import ABLATIONS, ablation_table, base_record, curve, settings_table, varied
from nasrepro.report.dinas.statistics import _groups, best_values, equivalence_table
from nasrepro.report.dinas.table_6 import efficiency_table
from nasrepro.report.dinas.table_8 import class_table
from nasrepro.runs import plan, records
from nasrepro.runs.claims import load_claims
from nasrepro.runs.printed import printed
from nasrepro.runs.records import Record


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    root = tmp_path_factory.mktemp("records")
    fake_nb201_record(root, guidance_scale=5.0, epsilon=0.3)  # in no part of the plan
    for part in (
        *("table2.cifar10", "ablations.guidance.1", "ablations.guidance.5", "ablations.epsilon.0.3", "table8.d3"),
        *("ablations.combine.probabilities", "ablations.labels.500-200", "ablations.guidance-cifar100.1"),
    ):
        fake_nb201_record(root, **plan.planned(f"dinas.{part}").resolved)
    return [record for _, record in records.find(root)]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("guidance", [1.0, 2.0, 5.0]),
        ("epsilon", [0.1, 0.3]),
        ("combine", ["logits", "probabilities"]),
        ("labels", [0, 500]),
        ("classes", [[], [80.0]]),
        ("time", [False]),
    ],
)
def test_an_ablation_has_its_runs_of_the_plan_and_the_run_that_they_vary(known, name: str, values: list) -> None:
    parameter = ABLATIONS[name].parameters[0]
    neutral = {"labelled": 0, "lower_percentiles": []}
    assert [r.parameters.get(parameter, neutral.get(parameter)) for r in varied(name, known)] == values
    table = ablation_table(name, known)
    assert len([row for row in table.rows if "draw" not in row.cells[0]]) == len(values)
    assert sum("(Table 2)" in row.cells[0] for row in table.rows) == 1


def test_without_the_base_run_there_is_no_ablation(known: list[Record]) -> None:
    others = [r for r in known if r is not base_record(known)]
    assert base_record(others) is None and varied("guidance", others) == []
    assert ablation_table("guidance", others).rows == ()


def test_labels_count_what_the_training_read_and_the_distinct_queries(known: list[Record]) -> None:
    record = next(r for r in known if r.parameters.get("labelled"))
    row = next(r for r in ablation_table("labels", known).rows if r.cells[0] == "500")
    found = next(r for r in record.metrics["rows"] if (r["searcher"], r["protocol"]) == ("dinas", "paper"))
    assert row.cells[-1] == f"{500 + found['distinct_valid']['mean']:,.0f}"


def test_the_table_of_all_data_sets_leaves_the_other_ablations_out(known: list[Record]) -> None:
    assert len(settings_table(known).rows) == 4  # three scales of CIFAR-10, one of CIFAR-100


def test_the_curve_has_the_numbers_of_the_records(known: list[Record]) -> None:
    figure = curve(known)
    assert figure.data["guidance_scale"].tolist() == [1.0, 2.0, 5.0]
    for scale in figure.data["guidance_scale"]:
        assert f"at scale {scale:g}" in figure.alt


def test_table_8_is_claimed_as_it_is_printed_and_shows_the_runs_that_answer(known: list[Record]) -> None:
    claimed = {c.id: c.printed for c in load_claims()}
    table = class_table(known)
    for row, entry in zip(table.rows, printed("dinas_table8").to_dict("records"), strict=True):
        for short, column in (("val", "valid"), ("test", "test")):
            assert claimed[f"dinas.table8.d{entry['classes']}.{short}"] == entry[column]
        assert (row.cells[3] == "not run") == (entry["classes"] > 3)


def test_costs_say_not_run_where_nothing_was_run_and_steps_per_second_elsewhere(known: list[Record]) -> None:
    table = efficiency_table(known)
    assert len(table.rows) == len(printed("dinas_table6"))
    by_title = {row.cells[0]: row.cells for row in table.rows}
    assert by_title["NAS-Bench-101"][3] == "not run"
    assert by_title["NAS-Bench-201"][3] != "not run"


def test_nothing_is_compared_before_both_sides_were_run(tmp_path: Path) -> None:
    fake_nb201_record(tmp_path)
    assert best_values(list(records.find(tmp_path))) == {}
    assert equivalence_table({}).rows == ()


def test_groups_of_ranks_are_maximal() -> None:
    import numpy as np

    assert _groups(np.array([1.0, 1.5, 3.0, 3.2]), 1.0) == [(1.0, 1.5), (3.0, 3.2)]
    assert _groups(np.array([1.0, 1.8, 2.6]), 1.0) == [(1.0, 1.8), (1.8, 2.6)]
    assert _groups(np.array([1.0, 3.0]), 1.0) == []


def test_every_committed_ablation_stands_on_a_page():
    """Each run of the plan that varies Table 2, however many trainings it has, is a row of some setting's table."""
    committed = [record for _, record in records.find(paths.records_dir())]
    shown = {record.key for name in ABLATIONS for record in varied(name, committed)}
    planned = [p for p in plan.load_plan("dinas") if p.experiment == "nb201" and p.resolved["dataset"] == "cifar10"]
    planned = [p for p in planned if not p.recipe and not p.trial]
    made = {p.id: record.key for p in planned if (record := plan.find(p, committed)) is not None}
    for p in planned:  # a run of an ablation differs from the one behind Table 2 in the ablation's parameters alone
        if p.id.startswith("dinas.ablations."):
            may = {*ABLATIONS[p.id.split(".")[2]].parameters, "trainings", "runs", "most_draws"}
            base = plan.planned("dinas.table2.cifar10").resolved
            assert {k for k, v in p.resolved.items() if base[k] != v} <= may, p.id
    assert len(made) > 20
    assert {name: key for name, key in made.items() if key not in shown} == {}
