"""Tables 6 (cost) and 8 of DiNAS, and the threshold on NAS-Bench-101: what stands in them, and what was not run."""

from __future__ import annotations

import pytest
from factories import fake_nb201_record

from nasrepro.report.dinas import table_1_2, table_6, table_8
from nasrepro.runs import records
from nasrepro.runs.claims import load_claims
from nasrepro.runs.plan import Shown, planned
from nasrepro.runs.printed import printed


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    root = tmp_path_factory.mktemp("records")
    for part in ("ablations.base.cifar10", "table2.cifar10", "table8.d3"):
        fake_nb201_record(root, **planned(f"dinas.{part}").resolved)
    return Shown(list(records.find(root)))


def test_table_8_is_claimed_as_it_is_printed_and_shows_the_runs_that_answer(known: Shown) -> None:
    claimed = {c.id: c.printed for c in load_claims()}
    table = table_8.class_table(known)
    for row, entry in zip(table.rows, printed("dinas_table8").to_dict("records"), strict=True):
        for short, column in (("val", "valid"), ("test", "test")):
            assert claimed[f"dinas.table8.d{entry['classes']}.{short}"] == entry[column]
        assert (row.cells[3] == "not run") == (entry["classes"] > 3)
    assert table.notes == tuple(f"Not run: `{planned(f'dinas.table8.d{d}').command}`" for d in (4, 5))
    said = table_8.numbers(known)
    assert said["table8.d3"] == "level with" and said["table8.d4"] is None


def test_costs_say_not_run_where_nothing_was_run_and_ms_per_step_elsewhere(known: Shown) -> None:
    table = table_6.efficiency_table(known)
    assert len(table.rows) == len(printed("dinas_table6"))
    by_title = {row.cells[0]: row.cells for row in table.rows}
    assert by_title["NAS-Bench-101"][3] == "not run"
    assert by_title["NAS-Bench-201"][3] != "not run"
    assert table_6.numbers(Shown([])) == {}


def test_the_threshold_without_records_says_how_to_run_it() -> None:
    table = table_1_2.threshold_table(Shown([]))
    assert table.rows == () and planned("dinas.table1.finer-class").command in table.notes[1]
