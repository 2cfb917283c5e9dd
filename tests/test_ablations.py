"""Which runs belong to an ablation, and what its tables say of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from factories import fake_nb201_record

from nasrepro.errors import NasreproError, ParameterError
from nasrepro.files import paths
from nasrepro.report import verbs
from nasrepro.report.dinas import statistics
from nasrepro.report.dinas.ablations import (
    BASE,
    _Fill,
    ablation_table,
    curve,
    numbers,
    overview_table,
    settings,
    settings_table,
    shown,
    varied,
    words,
)
from nasrepro.runs import plan, records
from nasrepro.runs.plan import Shown


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    root = tmp_path_factory.mktemp("records")
    fake_nb201_record(root, guidance_scale=5.0, epsilon=0.3)  # in no part of the plan
    for part in (
        *(
            "ablations.base.cifar10",
            "ablations.guidance.1",
            "ablations.guidance.5",
            "ablations.epsilon.0.3",
            "table8.d3",
        ),
        *("ablations.combine.probabilities", "ablations.labels.500-200", "ablations.guidance-cifar100.1"),
    ):
        fake_nb201_record(root, **plan.planned(f"dinas.{part}").resolved)
    return Shown(list(records.find(root)))


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
    parameter = settings()[name].parameters[0]
    neutral = {"labelled": 0, "lower_percentiles": []}
    assert [r.parameters.get(parameter, neutral.get(parameter)) for r in varied(name, known)] == values
    table = ablation_table(name, known)
    assert len([row for row in table.rows if "draw" not in row.cells[0]]) == len(values)
    assert sum("(Table 2)" in row.cells[0] for row in table.rows) == 1


def test_without_the_base_run_there_is_no_ablation(known: Shown) -> None:
    others = Shown([run for run in known if run[1] is not known.record(BASE)])
    assert others.record(BASE) is None and varied("guidance", others) == []
    table = ablation_table("guidance", others)
    assert table.rows == () and f"`{plan.planned('dinas.ablations.base.cifar10').command}`" in table.notes[0]


def test_labels_count_what_the_training_read_and_the_distinct_queries(known: Shown) -> None:
    record = next(r for _, r in known if r.parameters.get("labelled"))
    row = next(r for r in ablation_table("labels", known).rows if r.cells[0] == "500")
    found = next(r for r in record.metrics["rows"] if (r["searcher"], r["protocol"]) == ("dinas", "paper"))
    assert row.cells[-1] == f"{500 + found['distinct_valid']['mean']:,.0f}"


def test_the_table_of_all_data_sets_leaves_the_other_ablations_out(known: Shown) -> None:
    assert len(settings_table(known).rows) == 4  # three scales of CIFAR-10, one of CIFAR-100


def test_the_curve_has_the_numbers_of_the_records(known: Shown) -> None:
    figure = curve(known)
    assert figure.data["guidance_scale"].tolist() == [1.0, 2.0, 5.0]
    for scale in figure.data["guidance_scale"]:
        assert f"at scale {scale:g}" in figure.alt


def test_a_run_of_yours_stands_in_its_place_and_is_called_so(known: Shown, tmp_path: Path) -> None:
    fake_nb201_record(tmp_path, dataset="cifar10", most_draws=1, guidance_scale=5.5)
    runs = Shown(known, next(iter(records.find(tmp_path))))
    said = [row.cells[0] for row in ablation_table("guidance", runs).rows]
    assert {"5.5 (yours)", "2 (Table 2)"} <= set(said) and len(said) == 3


def test_the_numbers_of_the_texts_are_those_of_the_records(known: Shown) -> None:
    found, base = numbers("guidance", known), known.record(BASE)
    row = next(r for r in base.metrics["rows"] if (r["searcher"], r["protocol"]) == ("dinas", "paper"))
    assert found["2.validity"] == found["base.validity"] == row["validity"]["mean"]
    assert found["2.best_valid.stands"] == "level with"  # the run itself


def test_a_word_or_a_number_that_the_records_do_not_have_stops_a_text() -> None:
    found = {"a.b": 0.5, "a.stands": verbs.Verb("below")}
    assert _Fill(strict=True).vformat("{a.b:.1%} {a.stands:below}", (), found) == "50.0% below"
    assert _Fill(strict=False).vformat("{a.stands:above}, {a.c:.1%}", (), found) == "below, not run"
    for text in ("{a.stands:above}", "{a.c:.1%}"):
        with pytest.raises(NasreproError, match=r"a\.c|read it again"):
            _Fill(strict=True).vformat(text, (), found)
    with pytest.raises(ParameterError, match="steps"):
        words("stepps", Shown([]))


def test_the_overview_has_a_row_for_each_setting_from_the_lowest_to_the_highest(known: Shown) -> None:
    table = shown(None, known)
    assert table.rows == overview_table(known).rows
    scales = next(row for row in table.rows if row.cells[0] == "Guidance scale")
    assert scales.cells[1] == "1; 2; 5"
    assert {row.cells[2] for row in overview_table(Shown([])).rows} == {"not run"}


def test_nothing_is_compared_before_both_sides_were_run(tmp_path: Path) -> None:
    fake_nb201_record(tmp_path)
    runs = Shown(list(records.find(tmp_path)))
    assert statistics.best_values(runs) == {}
    assert statistics.test_table(runs).rows == statistics.equivalence_table(runs).rows == ()
    assert statistics.rank_figure(runs) is None


def test_groups_of_ranks_are_maximal() -> None:
    import numpy as np

    assert statistics._groups(np.array([1.0, 1.5, 3.0, 3.2]), 1.0) == [(1.0, 1.5), (3.0, 3.2)]
    assert statistics._groups(np.array([1.0, 1.8, 2.6]), 1.0) == [(1.0, 1.8), (1.8, 2.6)]
    assert statistics._groups(np.array([1.0, 3.0]), 1.0) == []


def test_every_committed_ablation_stands_on_a_page():
    """Each run of the plan that varies Table 2, however many trainings it has, is a row of some setting's table."""
    runs = Shown(list(records.find(paths.records_dir())))
    committed = [record for _, record in runs]
    on_pages = {record.key for name in settings() if name != "dropout" for record in varied(name, runs)}
    planned = [p for p in plan.load_plan("dinas") if p.experiment == "nb201" and p.resolved["dataset"] == "cifar10"]
    planned = [p for p in planned if not p.recipe and not p.trial]
    made = {p.id: record.key for p in planned if (record := plan.find(p, committed)) is not None}
    for p in planned:  # a run of an ablation differs from the one behind Table 2 in the ablation's parameters alone
        if p.id.startswith("dinas.ablations."):
            may = {*settings()[p.id.split(".")[2]].parameters, "trainings", "runs", "most_draws"}
            base = plan.planned("dinas.ablations.base.cifar10").resolved
            assert {k for k, v in p.resolved.items() if base[k] != v} <= may, p.id
    assert len(made) > 20
    assert {name: key for name, key in made.items() if key not in on_pages} == {}
