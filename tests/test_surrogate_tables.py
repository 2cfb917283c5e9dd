"""Tables 3, 6 (novelty) and 7 of DiNAS: printed numbers, claims, and the committed records behind them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from nasrepro.files import paths
from nasrepro.parameters.base import ADDED
from nasrepro.report.dinas import table_1_2
from nasrepro.report.dinas import table_3 as shown
from nasrepro.report.dinas import table_7 as variety_tables
from nasrepro.report.rendering import Table
from nasrepro.runs import records
from nasrepro.runs.claims import load_claims, metric_row
from nasrepro.runs.plan import Shown, planned, select, select_all
from nasrepro.runs.printed import printed
from nasrepro.runs.records import Record, Run

COMMITTED = Shown(list(records.find(paths.records_dir())))


def _cells(table: Table) -> Iterator[str]:
    for row in table.rows:
        yield from row.cells


RUN = [name for name in shown.TITLES if select(f"dinas.table3.{name}", COMMITTED) is not None]


def _committed(name: str) -> Run:
    run = select(f"dinas.table3.{name}", COMMITTED)
    assert run is not None
    return run


def test_a_half_of_table_3_has_records_of_dinas_and_the_searches_or_says_not_run() -> None:
    assert "nb301" in RUN
    for name in shown.TITLES:
        first = shown.search_table(name, COMMITTED).rows[0].cells
        assert ("not run" in first) == (name not in RUN)
        if name in RUN:
            assert select(f"dinas.table3.{name}.searches", COMMITTED) is not None


def test_every_number_of_tables_3_6_and_7_is_claimed_as_it_is_printed_and_none_is_comparable() -> None:
    claims = {c.id: c for c in load_claims()}
    expected = {}
    for _, row in printed("dinas_table3").query("method == 'DiNAS'").iterrows():
        expected[f"dinas.table3.{row.benchmark}.val"] = row.val
    for _, row in printed("dinas_table6_novelty").iterrows():
        expected |= {f"dinas.table6.{row.benchmark}.{f}": row[f] for f in ("novelty", "uniqueness")}
    for _, row in printed("dinas_table7").iterrows():
        expected |= {f"dinas.table7.{int(row.cells)}.{f}": row[f] for f in ("val", "novelty", "uniqueness")}
    assert {i: c.printed for i, c in claims.items() if i in expected} == expected
    assert len(expected) == 15 and all(claims[i].not_comparable for i in expected)


def test_without_records_the_tables_say_not_run_and_how_to_make_them() -> None:
    nothing = Shown([])
    for table, command in (
        (variety_tables.size_table(nothing), planned("dinas.table7.1000").command),
        (variety_tables.variety_table(nothing), ""),
        *((shown.search_table(b, nothing), planned(f"dinas.table3.{b}").command) for b in shown.TITLES),
    ):
        assert table.rows and "not run" in set(_cells(table))
        assert command in " ".join((table.caption, *table.notes))
    assert shown.scale_table("nlp", nothing) is None and shown.misreading_table(nothing) is None
    assert set(shown.numbers(nothing)) == {"trial_seed", "seed"}
    assert variety_tables.numbers(nothing) == {"fewer": None}


@pytest.mark.parametrize("name", RUN)
def test_table_3_shows_the_record_that_answers_its_claim_and_equal_budgets(name: str) -> None:
    run = _committed(name)
    dinas = metric_row(run[1], "dinas", "paper")
    assert dinas is not None
    frame = shown.search_table(name, COMMITTED).to_frame().set_index("Method")
    assert frame.loc["DiNAS", "Best, ours"].startswith(f"{dinas['best_valid']['mean']:.3f}")
    rerun = select(f"dinas.table3.{name}.searches", COMMITTED)
    assert rerun is not None
    for searcher, text in shown.SEARCHER_NAMES.items():
        row = metric_row(rerun[1], searcher, "paper")
        assert row is not None and row["queries"] == dinas["queries"] and row["labels_before_search"] == 0
        behind = dinas["best_valid"]["mean"] - row["best_valid"]["mean"]
        assert frame.loc[text, "Behind DiNAS by"] == f"{behind:+.3f}"
    values = shown.numbers(COMMITTED)
    assert values[f"{name}.dinas.paper.best_valid.mean"] == dinas["best_valid"]["mean"]
    for field in ("best_valid", "best_inside"):
        rows = [metric_row(rerun[1], searcher, "paper") for searcher in shown.SEARCHER_NAMES]
        ahead = sum(dinas[field]["mean"] > row[field]["mean"] for row in rows if row is not None)
        assert (values[f"{name}.ahead.{field}"], values[f"{name}.searches"]) == (ahead, len(rows))


def _recipe(record: Record) -> list[Any]:
    """Return how a model was trained and sampled, but for the guidance scale."""
    names = ("wanted_share", "epochs", "batch_size", "time_input", "reverse_steps")
    return [{**ADDED, **record.parameters}[name] for name in names]


@pytest.mark.parametrize("name", RUN)
def test_the_setting_is_what_the_rule_chooses_from_the_trials(name: str) -> None:
    """The largest guidance scale with at least 95 % valid samples, or the one with the most."""
    run = _committed(name)
    below = select_all(f"dinas.table3.{name}.trials", COMMITTED)
    trials = [r for _, r in below.values() if _recipe(r) == _recipe(run[1])]
    validity = {r.parameters["guidance_scale"]: metric_row(r, "dinas", "paper")["validity"]["mean"] for r in trials}  # type: ignore[index]
    assert len(validity) >= 3
    enough = [scale for scale, share in validity.items() if share >= 0.95]
    expected = max(enough) if enough else max(validity, key=lambda scale: validity[scale])
    assert run[1].parameters["guidance_scale"] == expected == shown.numbers(COMMITTED)[f"{name}.rule"]
    assert run[1].parameters["seed"] != shown.TRIAL_SEED


def test_every_number_that_the_pages_quote_is_known() -> None:
    first = table_1_2.numbers(COMMITTED, "nb101")
    for page, values in (
        ("table_1", first),
        ("table_3", shown.numbers(COMMITTED)),
        ("table_7", variety_tables.numbers(COMMITTED)),
    ):
        text = (paths.data_dir().parent / "notebooks" / "dinas" / f"{page}.py").read_text(encoding="utf-8")
        quoted = re.findall(r"\{glue:text\}`([\w.-]+?)[:`]", text)
        assert quoted and [q for q in quoted if values.get(q) is None and not q.startswith("step.")] == []
    assert "—" not in "".join(_cells(variety_tables.size_table(COMMITTED)))


def test_the_misreading_of_a_run_is_at_most_what_reading_rightly_finds() -> None:
    run = _committed("nb301")
    found = run[1].metrics["misreading"]
    assert found["worth_of_it"]["mean"] <= found["best_if_read_rightly"]["mean"]
    table = shown.misreading_table(COMMITTED)
    assert table is not None and len(table.rows) == 3
