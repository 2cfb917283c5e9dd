"""Tables: printed numbers, rows of a record, accessible HTML."""

from __future__ import annotations

from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from factories import OPTIMA, fake_nb201_record

from nasrepro.report import overview as tables
from nasrepro.report.dinas import table_1_2 as search_tables
from nasrepro.report.rendering import Column, Row, Table, duration, with_interval
from nasrepro.runs import claims, records
from nasrepro.runs.plan import Shown
from nasrepro.runs.printed import printed
from nasrepro.runs.records import Record


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    return records.load(fake_nb201_record(tmp_path_factory.mktemp("runs")))


@pytest.fixture(scope="module")
def untested(tmp_path_factory: pytest.TempPathFactory) -> Record:
    folder = tmp_path_factory.mktemp("runs")
    return records.load(fake_nb201_record(folder, dataset="cifar100", trainings=1, with_test=False))


def _shown(*found: Record) -> Shown:
    return Shown([(Path(), record) for record in found])


def test_printed_table_has_all_cells_once() -> None:
    frame = printed("dinas_table2")
    assert len(frame) == 8 * 3 * 2
    assert not frame.duplicated(["method", "dataset", "split"]).any()
    assert set(frame.loc[frame["value"].isna(), "method"]) == {"GANAS"}
    assert set(frame.loc[frame["queries"].isna(), "method"]) == {"Optimum", "SGNAS"}


@pytest.mark.parametrize("dataset", OPTIMA)
def test_no_printed_value_exceeds_the_printed_optimum(dataset: str) -> None:
    frame = printed("dinas_table2").query("dataset == @dataset")
    for _, part in frame.groupby("split"):
        optimum = part.loc[part["method"] == "Optimum", "value"].iloc[0]
        assert part["value"].max() == optimum
        starred = part[part["mark"].str.contains("*", regex=False)]
        assert (starred["value"] == optimum).all()


def test_table_2_has_printed_and_own_rows_with_the_record_values(record: Record) -> None:
    table = search_tables.search_table("nb201-cifar10", _shown(record))
    frame = table.to_frame()
    assert [row.kind for row in table.rows] == ["printed"] * 8 + ["ours"] * 6
    row = claims.metric_row(record, "dinas", "distinct")
    ours = frame[frame["Method"] == "DiNAS, distinct cells"].iloc[0]
    assert ours["Best validation, %"].startswith(f"{row['best_valid']['mean']:.3f} [")
    assert ours["Distinct valid cells"].startswith("192.0")
    assert any(n.startswith("DiNAS, distinct cells: ") and "30 of 30 runs filled" in n for n in table.notes)
    assert "3 trainings x 10 runs" in table.caption and table.name == "nb201-cifar10"


def test_no_cell_of_a_number_is_empty_or_a_bare_dash(record: Record, untested: Record) -> None:
    made = [
        search_tables.search_table("nb201-cifar10", _shown(record)),
        search_tables.search_table("nb201-cifar100", Shown([], (Path(), untested))),
    ]
    made.append(search_tables.search_table("nb201-cifar10", _shown()))
    made += [tables.run_table(record), tables.runs_overview([record, untested])]
    for table in made:
        for row in table.rows:
            for column, cell in zip(table.columns, row.cells, strict=True):
                assert cell.strip() not in {"-", "–", "nan", "None"}
                assert cell or column.name in {"Note", "Remark"}


def test_without_test_data_the_table_names_the_command(untested: Record) -> None:
    table = search_tables.search_table("nb201-cifar100", Shown([], (Path(), untested)))
    assert "`nasrepro data fetch nb201-test`" in table.caption
    assert {row.cells[2] for row in table.rows if row.kind == "ours"} == {"no test data"}


def test_table_2_picks_the_answering_record_and_says_not_run_elsewhere(record: Record) -> None:
    shown = _shown(record)
    made = {name: search_tables.search_table(name, shown) for name in search_tables.TABLES}
    assert list(made) == ["nb101", *(f"nb201-{d}" for d in OPTIMA)]
    assert "3 trainings x 10 runs" in made["nb201-cifar10"].caption
    assert "No run of ours" in made["nb201-cifar100"].caption
    assert "`nasrepro run nb201 -p dataset=cifar100 --profile laptop`" in made["nb201-cifar100"].caption
    assert list(shown.asked) == ["dinas.table2.cifar10"]
    for make in (search_tables.efficiency_table, search_tables.curve, search_tables.cells):
        assert make("nb201-cifar100", shown) is None
    assert not search_tables.threshold_table(shown).rows


def test_sentences_of_a_table_quote_its_rows(record: Record) -> None:
    numbers = search_tables.numbers(_shown(record), "nb201-cifar10")
    row = claims.metric_row(record, "dinas", "paper")
    assert row is not None
    assert numbers["nb201-cifar10.dinas.paper.validity.mean"] == row["validity"]["mean"]
    assert numbers["nb201-cifar10.optimum.valid"] == record.metrics["optimum"]["valid"]
    assert search_tables.numbers(_shown()) == {}


def test_html_has_caption_scopes_and_numeric_cells(record: Record) -> None:
    soup = BeautifulSoup(
        search_tables.search_table("nb201-cifar10", _shown(record)).to_html("table-cifar10"), "html.parser"
    )
    region = soup.find(id="table-cifar10")
    assert (region["role"], region["tabindex"], region["aria-label"]) == ("region", "0", "DiNAS, Table 2, CIFAR-10")
    assert soup.caption.get_text().startswith("DiNAS, Table 2")
    assert len(soup.thead.find_all("th", scope="col")) == 7
    body = soup.tbody.find_all("tr")
    assert all(len(tr.find_all("th", scope="row")) == 1 and len(tr.find_all("td")) == 6 for tr in body)
    assert {c for tr in body for c in tr["class"]} == {"printed", "ours"}
    assert all(len(tr.find_all("td", class_="num")) == 6 for tr in body)


def test_html_escapes_what_it_is_given() -> None:
    table = Table((Column("a<b"), Column("x")), (Row(("<script>", "`p & q`")),), "c < d")
    markup = table.to_html('"quoted"')
    assert "<script>" not in markup
    assert "<code>p &amp; q</code>" in markup
    assert 'id="&quot;quoted&quot;"' in markup


def test_a_row_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="1 cells for 2 columns"):
        Table((Column("a"), Column("b")), (Row(("x",)),), "caption")


def test_verdicts_are_chips_with_words(record: Record, tmp_path: Path) -> None:
    evidence = claims.evaluate([(tmp_path, record)])
    table = tables.claims_table(evidence)
    soup = BeautifulSoup(table.to_html(), "html.parser")
    chips = soup.select("span.nr-chip")
    said = [claims.verdict_of(answers) for answers in claims.by_claim(evidence).values()]
    assert [c.get_text() for c in chips] == [word or "compared" for word in said]
    assert chips[-1]["class"] == ["nr-chip", "not-run"]
    assert f"{said.count('not run')} not run" in table.caption and f"{said.count(None)} numbers" in table.caption
    row = next(row.cells for row in table.rows if row.cells[0].endswith("`dinas.table2.cifar10.val`"))
    assert row[2] == "not run" and row[4].startswith("uniform draw") and "the printed value" in row[5]


def test_where_cells_are_sentences_a_phone_names_each_and_a_long_name_may_break() -> None:
    columns = (Column("Where"), Column("Printed", numeric=True), Column("Ours"))
    row = Row(("Table 2\n`dinas.table2.val`", "91.6 %\n± 0.1", "level with it"))
    soup = BeautifulSoup(Table(columns, (row,), "Caption.", stacks=True).to_html(), "html.parser")
    assert [td["data-label"] for td in soup.tbody.find_all("td")] == ["Printed", "Ours"]
    assert "nr-stacks" in soup.select_one("div")["class"] and len(soup.tbody.find_all("br")) == 2
    assert soup.tbody.code.get_text() == "dinas.table2.val" and len(soup.tbody.code.find_all("wbr")) == 2
    plain = BeautifulSoup(Table(columns, (row,), "Caption.").to_html(), "html.parser")
    assert not plain.select("[data-label], .nr-stacks")


def test_an_answer_as_printed_and_ours_stand_each_beside_the_control_of_its_own_run() -> None:
    evidence = claims.committed_evidence()
    told = next(e for e in evidence if e.claim.id == "dinas.table2.cifar10.val" and e.runs == ("8b3ce5fd3149d9a3",))
    cells = next(r.cells for r in tables.claims_table(evidence).rows if f"`{told.claim.id}`" in r.cells[0])
    printed, ours = cells[4].split("\n")
    assert told.control is not None and f"{told.control[1].mean:.3f}" in printed and printed.endswith("(as printed)")
    assert ours.endswith("(ours)") and printed.split("[")[0] != ours.split("[")[0]


def test_run_table_tells_parameters_data_code_and_labels(record: Record) -> None:
    facts = dict(row.cells for row in tables.run_table(record).rows)
    assert facts["Parameter guidance_scale"] == str(record.parameters["guidance_scale"])
    assert facts["Data nb201_valid_cifar10.pkl"] == f"sha256 `{'0' * 16}`"
    assert "clean tree" in facts["Code"]
    assert facts["Labels read by dinas to train"].startswith("15,625 distinct")


def test_overview_tells_the_part_of_the_plan_or_what_keeps_a_run_from_it(record: Record, tmp_path: Path) -> None:
    other = records.load(fake_nb201_record(tmp_path, trainings=1, runs=2, queries=20, denoiser="paper"))
    frame = tables.runs_overview([record, other]).to_frame().set_index("Run")
    last = "Part of the plan"
    assert frame.loc[f"`{record.key}`", last] == "dinas.table2.cifar10"
    for phrase in ("but for", "denoiser=paper", "queries=20", "runs=2"):
        assert phrase in frame.loc[f"`{other.key}`", last]


def test_terminal_text_keeps_brackets_and_caption(record: Record) -> None:
    row = claims.metric_row(record, "random", "paper")["best_valid"]
    text = search_tables.search_table("nb201-cifar10", _shown(record)).to_text(240)
    assert with_interval(row, 3) in text
    assert "Queries" in text
    assert "200 epochs" in text


def test_numbers_as_text() -> None:
    assert with_interval({"mean": 1.23456, "low": None, "high": None}, 2) == "1.23"
    assert with_interval({"mean": None, "low": None, "high": None}, 2) == "no run"
    assert [duration(s) for s in (0.00312, 5.0, 150.0, 7200.0)] == ["3.12 ms", "5.0 s", "2.5 min", "2.0 h"]
