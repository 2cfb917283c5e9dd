"""Notebooks become pages: fresh names, numbers filled in, words of comparison held to the records, nothing stale."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest
from factories import fake_nb201_record

from nasrepro.book import execute
from nasrepro.book.execute import QUOTE, shown
from nasrepro.book.pages import Source, find, pages
from nasrepro.errors import NasreproError, ParameterError
from nasrepro.files import paths
from nasrepro.notebook import Page

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOK = """# %% [markdown]
# # A page
#
# {text}

# %% tags=["parameters"]
dataset: str = None  # which

# %%
from nasrepro.notebook import glue
from nasrepro.report.rendering import Column, Row, Table
from nasrepro.report.verbs import Verb

assert "left" not in globals()
left = 1
{code}

# %%
Table((Column("a"),), (Row(("1",)),), "c", name="t")
"""


def write(folder: Path, name: str = "a", text: str = "Nothing.", code: str = "") -> Source:
    path = folder / f"{name}.py"
    path.write_text(NOTEBOOK.format(text=text, code=code), encoding="utf-8")
    return Source(f"book/{name}", path, {})


def prose(page: Any) -> str:
    return "\n".join(cell.source for cell in page.cells if cell.cell_type == "markdown")


def test_quoted_numbers_are_filled_in_and_the_glue_is_gone(tmp_path: Path):
    code = 'glue("x", 1.2345); glue("none", None); glue("word", "a word"); glue("n", 1234)'
    text = "x {glue:text}`x:.2f`, {glue:text}`none:.2f`, {glue:text}`word`, {glue:text}`n:,d`."
    page = execute.execute(write(tmp_path, text=text, code=code).notebook, {})
    assert "x 1.23, not run, a word, 1,234." in prose(page)
    assert "scrapbook" not in json.dumps(page) and shown(page) == ["table-t"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{glue:text}`y:.2f`", "quotes `y`, which no cell glues"),
        ("{glue:text}`x:.2q`", "format `.2q` does not suit `x`"),
        ("ours is {glue:text}`verb:behind` it", "that `verb` is `behind`; by the records it is `ahead of`"),
    ],
)
def test_a_number_that_is_not_there_and_a_word_that_is_not_true_are_refused(tmp_path: Path, text: str, complaint: str):
    source = write(tmp_path, text=text, code='glue("x", 1.5); glue("verb", Verb("ahead of"))')
    with pytest.raises(NasreproError, match=re.escape(complaint)):
        execute.execute(source.notebook, {})


def test_a_page_of_ones_own_run_says_what_its_records_say(tmp_path: Path):
    source = write(tmp_path, text="{glue:text}`verb:behind` {glue:text}`y:.2f`", code='glue("verb", Verb("ahead of"))')
    assert "ahead of not run" in prose(execute.execute(source.notebook, {}, strict=False))


def test_a_cell_that_stops_is_told_with_its_page(tmp_path: Path):
    source = write(tmp_path, code='raise ValueError("no such thing")')
    with pytest.raises(NasreproError, match=r"book/a: cell 2 stopped: ValueError: no such thing"):
        pages([source], tmp_path / "kept")


def test_the_processes_end_without_a_word_under_the_command_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    """Which raises on the signal that ends them."""

    def interrupted(number: int, _: object) -> None:
        raise KeyboardInterrupt(number)

    before = signal.signal(signal.SIGTERM, interrupted)
    try:
        pages([write(tmp_path, name) for name in "abc"], tmp_path / "kept", processes=2)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert "Traceback" not in capfd.readouterr().err


def test_order_and_parallelism_change_no_page_and_each_starts_with_fresh_names(tmp_path: Path):
    sources = [write(tmp_path, name, code=f'glue("x", "{name}")', text="{glue:text}`x`") for name in "abcd"]
    one = pages(sources, tmp_path / "one", processes=1)
    two = pages(sources[::-1], tmp_path / "two", processes=2)
    assert list(one) == [s.page for s in sources] and all(one[name] == two[name] for name in one)
    assert [prose(page).split()[-1] for page in one.values()] == list("abcd")


def test_a_page_is_kept_until_something_that_it_may_show_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Your runs, also the first and another folder of them; the committed records; the notebook."""
    code = (
        "from nasrepro.files import paths\n"
        "numbers = [path.read_text() for path in sorted(paths.runs_dir().glob('*/*/record.json'))]\n"
        "glue('x', f'{len(numbers)}: {numbers}')"
    )
    source = write(tmp_path, text="{glue:text}`x`", code=code)
    kept = tmp_path / "kept" / "book" / "a.kept"

    def made(runs: str = "runs") -> tuple[str, bool]:
        """Return the last line of the page, and whether it was made again."""
        monkeypatch.setenv("NASREPRO_RUNS", str(tmp_path / runs))
        before = kept.stat().st_mtime_ns if kept.exists() else 0
        text = prose(pages([source], tmp_path / "kept")["book/a"]).split("\n")[-1]
        return text, kept.stat().st_mtime_ns != before

    assert made() == ("0: []", True)
    assert made() == ("0: []", False)
    for n, name in enumerate("ab", 1):
        (tmp_path / "runs" / "x" / name).mkdir(parents=True)
        (tmp_path / "runs" / "x" / name / "record.json").write_text(name)
        assert made()[0][0] == str(n)
    (tmp_path / "runs" / "x" / "b" / "record.json").write_text("c")
    assert made() == ("2: ['a', 'c']", True)
    assert made() == ("2: ['a', 'c']", False)
    assert made("other") == ("0: []", True)
    records = tmp_path / "records" / "x" / "a" / "record.json"
    records.parent.mkdir(parents=True)
    monkeypatch.setenv("NASREPRO_RECORDS", str(tmp_path / "records"))
    for content in "12":
        records.write_text(content)
        assert made() == ("2: ['a', 'c']", True)
    source.notebook.write_text(source.notebook.read_text() + "\n# %% [markdown]\n# More.\n")
    assert made() == ("More.", True)


def test_a_page_is_made_again_by_other_code_or_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from nasrepro.book import pages as module

    (tmp_path / "data").mkdir()
    (tmp_path / "nasrepro" / "book").mkdir(parents=True)
    monkeypatch.setattr(module.paths, "data_dir", lambda: tmp_path / "data")
    monkeypatch.setattr(module, "__file__", str(tmp_path / "nasrepro" / "book" / "pages.py"))
    states = [module._state()]
    for name in ("data/plan.yml", "data/paper/a.yml", "nasrepro/a.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1")
        states.append(module._state())
    assert len(set(states)) == 4 and states[-1] == module._state()


def test_each_yaml_file_is_parsed_once_for_all_pages(tmp_path: Path):
    from nasrepro.files import storage
    from nasrepro.runs import claims, plan

    for cached in (storage._parsed_yaml, plan._parsed, claims._load):
        cached.cache_clear()
    code = (
        "import yaml\n"
        "yaml.load = lambda *_, **__: 1 / 0\n"
        "from nasrepro.runs import claims, plan\n"
        "assert plan.load_plan() and claims.load_claims()"
    )
    pages([write(tmp_path, name, code=code) for name in "ab"], tmp_path / "kept")


def test_a_template_gives_a_page_for_each_value_of_its_first_parameter(tmp_path: Path):
    (tmp_path / "notebooks" / "x").mkdir(parents=True)
    write(tmp_path / "notebooks" / "x", "card")
    template = tmp_path / "notebooks" / "x" / "card.py"
    assert find("book/x/card", tmp_path) == Source("book/x/card", template, {})
    assert find("book/x/card/nb201", tmp_path) == Source("book/x/card/nb201", template, {"dataset": "nb201"})
    assert find("book/x/other", tmp_path) is None


def test_your_run_takes_the_place_of_the_committed_one_and_gets_no_verdict(tmp_path: Path, monkeypatch):
    folder = fake_nb201_record(tmp_path / "mine", trainings=1, runs=2, queries=20, guidance_scale=5.0)
    from nasrepro import notebook
    from nasrepro.runs import records

    monkeypatch.setattr(notebook, "run_here", lambda experiment, given: (folder, records.load(folder)))
    page = Page({"guidance_scale": 5.0, "fresh": None}, "dinas.table2")
    assert page.runs.record("dinas.table2.cifar10") == records.load(folder)
    assert page.runs.record("dinas.table2.cifar100") not in (None, records.load(folder))
    assert list(page.runs.asked) == ["dinas.table2.cifar10", "dinas.table2.cifar100"]
    assert folder.name not in page.answers("dinas.table2.", "Table 2").to_text()
    assert Page({"profile": None}, "dinas.table2").yours is None


def test_a_mistyped_parameter_is_refused_before_anything_runs():
    pytest.importorskip("torch")
    with pytest.raises(ParameterError, match="guidence_scale"):
        Page({"guidence_scale": 5.0}, "dinas.table2")


def test_every_qualitative_sentence_of_the_front_page_is_held_to_the_records():
    """A word turned into its opposite by hand fails, whichever it is."""
    source = (ROOT / "notebooks" / "index.py").read_text(encoding="utf-8")
    words = {m[0]: m for m in QUOTE.finditer(source) if m[2] and re.fullmatch(r"[a-z ]+", m[2]) and len(m[2]) > 2}
    assert len(words) >= 8
    for quoted, match in list(words.items())[:3]:
        path = paths.checkout() / "notebooks" / ".opposite.py"  # type: ignore[operator]
        path.write_text(source.replace(quoted, f"{{glue:text}}`{match[1]}:something else`"), encoding="utf-8")
        try:
            with pytest.raises(NasreproError, match="read it again"):
                execute.execute(path, {})
        finally:
            path.unlink()


ALLOWED = {  # numbers typed by hand that no run of ours made
    "0.008": "s of the noise schedule",
    "3.10": "a version of Python",
    "3.94": "100 less the printed 96.06",
}


def test_no_number_of_ours_is_typed_by_hand():
    """A number with two digits after the point is printed in a paper, or it is ours and is quoted from a record."""
    printed = set()
    for path in [*(ROOT / "data" / "paper").iterdir(), ROOT / "data" / "claims.yml"]:
        printed |= set(re.findall(r"\d+\.\d+", path.read_text(encoding="utf-8")))
    printed |= {f"{float(n):.{d}f}" for n in printed for d in (1, 2, 3)} | set(ALLOWED)
    found = []
    for path in [*ROOT.glob("notebooks/**/*.py"), *ROOT.glob("book/**/*.md")]:
        text = QUOTE.sub("", path.read_text(encoding="utf-8"))
        lines = text.split("\n") if path.suffix == ".md" else [x[2:] for x in text.split("\n") if x.startswith("# ")]
        for line in lines:
            bare = re.sub(r"`[^`]*`|\$[^$]*\$|\([^)]*\.(?:ipynb|md|html|py)[^)]*\)", "", line)
            found += [(path.name, n) for n in re.findall(r"(?<![\w.])\d+\.\d{2,}(?![\w.])", bare) if n not in printed]
    assert found == []
