"""Tables 3, 6 (novelty) and 7 of DiNAS: printed numbers, claims, and the committed records behind them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from nasrepro.files import paths
from nasrepro.parameters.base import ADDED
from nasrepro.report.dinas import exact_denoiser as exact_table
from nasrepro.report.dinas import surrogate_pages
from nasrepro.report.dinas import table_3 as shown
from nasrepro.report.dinas import table_7 as variety_tables
from nasrepro.report.fragments import Fragments
from nasrepro.runs import records
from nasrepro.runs.claims import load_claims, metric_row
from nasrepro.runs.plan import select, select_all
from nasrepro.runs.printed import printed
from nasrepro.runs.records import Record, Run

COMMITTED = list(records.find(paths.records_dir()))


def _cells(table: shown.Table) -> Iterator[str]:
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


def test_without_records_the_tables_say_not_run() -> None:
    for table in (
        variety_tables.size_table([]),
        variety_tables.variety_table([]),
        *(shown.search_table(b, []) for b in shown.TITLES),
    ):
        assert table.rows and "not run" in set(_cells(table))
    assert shown.scale_table("nlp", []).rows == ()
    assert set(surrogate_pages.values([]).values()) == {None}


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
    for field, note in zip(("best_valid", "best_inside"), shown.search_table(name, COMMITTED).notes, strict=False):
        rows = [metric_row(rerun[1], searcher, "paper") for searcher in shown.SEARCHER_NAMES]
        ahead = sum(dinas[field]["mean"] > row[field]["mean"] for row in rows if row is not None)
        assert f"ahead of {ahead} of {len(rows)} searches" in note
    values = surrogate_pages.values(COMMITTED)
    assert values[f"table3.{name}.dinas.best_valid"] == dinas["best_valid"]["mean"]


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
    assert run[1].parameters["guidance_scale"] == expected
    assert run[1].parameters["seed"] != shown.TRIAL_SEED


def test_every_part_of_the_pages_is_written_and_every_number_they_quote_is_known(tmp_path) -> None:
    out = Fragments(tmp_path)
    surrogate_pages.write(out, COMMITTED)
    values = surrogate_pages.values(COMMITTED) | exact_table.values(COMMITTED)
    for page in ("table3", "table7"):
        text = (paths.data_dir().parent / "book" / "dinas" / f"{page}.md").read_text(encoding="utf-8")
        assert set(re.findall(r"_generated/(?!evidence-)([\w-]+)\.md", text)) <= set(out.ids)
        quoted = re.findall(r"\{result\}`([\w.-]+?):", text)
        assert [q for q in quoted if q not in values] == []
    assert "—" not in "".join(_cells(variety_tables.size_table(COMMITTED)))


def test_the_misreading_of_a_run_is_at_most_what_reading_rightly_finds() -> None:
    run = _committed("nb301")
    found = run[1].metrics["misreading"]
    assert found["worth_of_it"]["mean"] <= found["best_if_read_rightly"]["mean"]
    assert len(shown.misreading_table(run[1]).rows) == 3
