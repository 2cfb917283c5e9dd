"""The book: its notebooks executed from records, built by Jupyter Book with warnings as errors, and looked at."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from factories import fake_nb201_record

from nasrepro.book import build as book
from nasrepro.book import execute, pages
from nasrepro.book.check import check_built, toc_pages
from nasrepro.book.listings import definitions
from nasrepro.files import paths
from nasrepro.report.rendering import Column, Row, Table
from nasrepro.runs import claims, records

ROOT = Path(__file__).resolve().parent.parent
PAGES = toc_pages(ROOT / "_toc.yml")
PROSE = ("book/design",)  # pages that show no result


@dataclass(frozen=True)
class Built:
    page: Path
    html: Path
    reference: dict[str, records.Record]
    own: records.Record
    tree_before: dict[str, str]

    def soup(self, name: str) -> BeautifulSoup:
        return BeautifulSoup((self.html / f"{name}.html").read_text(encoding="utf-8"), "html.parser")


def hashes(folder: Path) -> dict[str, str]:
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and "__pycache__" not in p.parts
    }


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A book with records of two of the three data sets, and one run of one's own without test data."""
    root = tmp_path_factory.mktemp("book")
    folders = {d: fake_nb201_record(root / "reference", d, trainings=3, runs=10) for d in ("cifar10", "cifar100")}
    own = fake_nb201_record(root / "own", "cifar10", trainings=1, runs=10, seed=7, with_test=False)
    before = hashes(ROOT / "book") | hashes(ROOT / "notebooks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NASREPRO_RECORDS", str(root / "reference"))
        patch.setenv("NASREPRO_RUNS", str(root / "own"))
        page = book.build(root)
    reference = {d: records.load(f) for d, f in folders.items()}
    return Built(page, root / "_build" / "html", reference, records.load(own), before)


def test_every_page_is_built_and_whole(built: Built):
    assert check_built(built.html, ROOT / "_toc.yml") == []


def test_every_page_that_shows_a_result_is_a_notebook_of_its_own():
    sources = {page: pages.find(page, ROOT) for page in PAGES}
    assert [page for page, source in sources.items() if source is None] == list(PROSE)
    for page in PROSE:
        text = (ROOT / f"{page}.md").read_text(encoding="utf-8")
        assert not re.search(r"glue:text|_generated", text)
    used = {source.notebook for source in sources.values() if source}
    assert set(ROOT.glob("notebooks/**/*.py")) - used <= {ROOT / "notebooks" / "bring_your_own.py"}


def test_the_page_to_open_shows_the_new_run(built: Built):
    assert built.page == built.html / "book" / "runs.html"
    assert built.own.key in built.page.read_text(encoding="utf-8")


def test_the_source_tree_is_only_read(built: Built):
    assert hashes(ROOT / "book") | hashes(ROOT / "notebooks") == built.tree_before


def test_numbers_in_sentences_are_those_of_the_record(built: Built):
    text = " ".join(built.soup("book/dinas/table_2").get_text().split())
    rows = {(r["searcher"], r["protocol"]): r for r in built.reference["cifar10"].metrics["rows"]}
    control, dinas = rows["top_class", "paper"]["best_valid"]["mean"], rows["dinas", "paper"]["best_valid"]["mean"]
    assert f"On CIFAR-10 the control reaches {control:.2f} % and ours {dinas:.2f} %" in text


def test_a_data_set_without_a_record_says_so_and_names_the_command(built: Built):
    section = built.soup("book/dinas/table_2").find(id="imagenet16-120")
    assert "not run" in section.get_text()
    assert "nasrepro run nb201 -p dataset=imagenet16-120 --profile laptop" in section.get_text()


def test_the_front_page_shows_each_verdict_as_text(built: Built):
    """Two data sets have a record of ours here, and nothing was run as printed; other methods get no verdict."""
    chips = [chip.get_text() for chip in built.soup("book/index").select(".nr-chip")]
    claimed = claims.load_claims()
    assert len(chips) == len(claimed)
    rivals = [c for c in claimed if not c.as_printed and not c.not_run]
    assert chips.count("compared") == len(rivals) == 48
    assert chips.count("not run") == len(claimed) - len(rivals)


def test_the_runs_behind_a_page_are_named_on_it(built: Built):
    page = built.soup("book/dinas/table_2")
    sources = page.find(id="table-sources").get_text(" ")
    for record in built.reference.values():
        assert record.key in sources and record.data[0].sha256[:8] in sources
        assert f"nasrepro run nb201 -p dataset={record.parameters['dataset']} --profile laptop" in sources
    for section in ("cifar-10", "cifar-100"):
        assert len(page.find(id=section).select("figure img")) == 2


def test_alternative_texts_describe(built: Built):
    for name in PAGES:
        for image in built.soup(name).select("figure img"):
            assert len(image["alt"].split()) >= 8


def test_nothing_comes_from_a_network(built: Built):
    for name in PAGES:
        page = built.soup(name)
        assert not re.search(r"https?://", " ".join(s.get_text() for s in page.find_all("script")))
        sources = [tag.get("src", "") for tag in page.find_all(["script", "img", "iframe"])]
        assert [s for s in sources if "//" in s] == []
    assert (built.html / "_static" / "mathjax" / "tex-chtml.js").is_file()


def test_links_into_the_code_lead_to_the_definition(built: Built):
    link = next(a for a in built.soup("book/method").select("a.nr-source") if a.get_text() == "noise.posterior")
    page, _, anchor = link["href"].partition("#")
    listing = BeautifulSoup((built.html / "book" / page).read_text(encoding="utf-8"), "html.parser")
    line = listing.find(id=anchor)
    assert line is not None
    assert "def posterior(" in line.get_text()


@pytest.fixture
def no_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NASREPRO_RECORDS", "NASREPRO_RUNS"):
        monkeypatch.setenv(name, str(tmp_path / "none"))


def _small_book(folder: Path, sentence: str) -> Path:
    for name in ("_ext", "_static"):
        shutil.copytree(ROOT / "book" / name, folder / "book" / name)
    shutil.copy(ROOT / "_config.yml", folder)
    shutil.copytree(ROOT / "nasrepro" / "diffusion", folder / "nasrepro" / "diffusion")
    (folder / "_toc.yml").write_text("format: jb-book\nroot: book/index\n")
    (folder / "book" / "index.md").write_text(f"# A book\n\nWe found {sentence}.\n")
    return folder


@pytest.mark.usefixtures("no_records")
def test_a_reference_to_nothing_fails_the_build(tmp_path, monkeypatch):
    source = _small_book(tmp_path / "source", "{src}`nasrepro/diffusion/noise.py#posteriour`")
    monkeypatch.setattr(book, "_source", lambda: source)
    with pytest.raises(book.BookError, match="no source"):
        book.build(tmp_path / "out")


@pytest.mark.usefixtures("no_records")
def test_what_is_staged_is_built_by_jupyter_book_alone_and_the_checkout_says_what_to_type(tmp_path, monkeypatch):
    source = _small_book(tmp_path / "source", "nothing")
    monkeypatch.setattr(book, "_source", lambda: source)
    book.assemble(tmp_path / "staged", tmp_path / "kept")
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build"]
    assert subprocess.run([*command, tmp_path / "staged"], capture_output=True, check=False).returncode == 0
    done = subprocess.run([*command, source], capture_output=True, text=True, check=False)
    assert done.returncode and "Type: nasrepro book" in done.stdout + done.stderr


@pytest.mark.usefixtures("no_records")
def test_pages_need_no_torch_and_no_records(tmp_path):
    script = (
        "import sys\n"
        "class NoTorch:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] == 'torch':\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, NoTorch())\n"
        "from pathlib import Path; from nasrepro.book import build; "
        "build.assemble(Path(sys.argv[1], 'src'), Path(sys.argv[1], 'kept'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr[-2000:]
    page = nbformat.read(tmp_path / "src" / "book" / "dinas" / "table_2.ipynb", 4)
    text = json.dumps(page)
    for dataset in ("cifar10", "cifar100", "imagenet16-120"):
        assert f"nasrepro run nb201 -p dataset={dataset} --profile laptop" in text
    assert "the control reaches not run % and ours not run %" in text.replace("\\n", " ")


@pytest.fixture(scope="module")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The book of the committed records, staged."""
    root = tmp_path_factory.mktemp("committed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NASREPRO_RUNS", str(root / "none"))
        book.assemble(root / "src", root / "kept")
    return root


def test_no_committed_record_is_hidden(committed: Path):
    """A run that was paid for and shown nowhere is a result withheld: each is named by a table or figure of some page,
    not only by the list of all runs."""
    lists = {"runs.ipynb", "generations.ipynb"}
    texts = [path for path in (committed / "src").glob("book/**/*.ipynb") if path.name not in lists]
    shown = "".join(path.read_text(encoding="utf-8") for path in texts)
    known = [record for _, record in records.find(paths.records_dir())]
    assert len(known) > 100
    assert [f"{r.experiment} {r.key}" for r in known if r.key not in shown] == []


def test_what_has_not_changed_is_not_made_again(committed: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pages, "_in_a_fork", lambda *_: pytest.fail("a page was executed again"))
    monkeypatch.setenv("NASREPRO_RUNS", str(committed / "none"))
    changed, _ = book.assemble(committed / "src", committed / "kept")
    assert not changed


def test_a_broken_record_of_ones_own_is_named_and_does_not_cost_the_book(tmp_path, monkeypatch):
    folder = fake_nb201_record(tmp_path / "own", trainings=1, runs=2, queries=20)
    broken = folder.parent / "0123456789abcdef"
    broken.mkdir()
    (broken / "record.json").write_text('{"key": "0123')
    monkeypatch.setenv("NASREPRO_RECORDS", str(tmp_path / "none"))
    monkeypatch.setenv("NASREPRO_RUNS", str(tmp_path / "own"))
    text = json.dumps(execute.execute(ROOT / "notebooks" / "runs.py", {}, strict=False))
    assert "nb201/0123456789abcdef` cannot be read" in text or "0123456789abcdef</code> cannot be read" in text
    assert folder.name in text


def test_an_interval_stands_below_its_mean():
    content = Table((Column("a.b.c"), Column("x", numeric=True)), (Row(("d.e", "1.0 [0.9, 1.1]")),), "caption")
    text = content.named("t")._repr_html_()
    assert '<td class="num">1.0 <span class="nr-interval">[0.9, 1.1]</span></td>' in text
    assert 'id="table-t"' in text
    assert ">d.<wbr>e<" in text


def test_definitions_are_found_at_their_lines():
    source = "import os\n\nLIMIT = 3\n\nclass A:\n    def f(self):\n        pass\n\ndef g():\n    pass\n"
    assert definitions(source) == {"LIMIT": 3, "A": 5, "A.f": 6, "g": 9}
    assert definitions("!ls\n") == {}


GOOD = '<html><head><title>T{n}</title></head><body><h1 id="x">x</h1>{body}</body></html>'


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ('<img src="a.svg">', "no alternative text"),
        ('<img src="a.svg" alt=" ">', "no alternative text"),
        ('<img src="a.svg" alt="a.svg">', "file name"),
        ('<img src="a.svg" alt="../_images/abc123.png">', "file name"),
        ('<img src="b.svg" alt="a curve that falls">', "b.svg does not exist"),
        ('<script src="https://cdn.example/x.js"></script>', "from the network"),
        ('<link rel="stylesheet" href="//cdn.example/x.css">', "from the network"),
        ("<table><tr><td>1</td></tr></table>", "table"),
        ('<a href="gone.html#there">x</a>', "leads nowhere"),
    ],
)
def test_each_defect_of_a_page_is_found(tmp_path, body, complaint):
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: one\nchapters:\n- file: two\n")
    (tmp_path / "a.svg").write_text("<svg/>")
    (tmp_path / "one.html").write_text(GOOD.format(n=1, body='<img src="a.svg" alt="a curve that falls">'))
    (tmp_path / "two.html").write_text(GOOD.format(n=2, body=body))
    defects = check_built(tmp_path, tmp_path / "_toc.yml")
    assert len(defects) == 1
    assert defects[0].startswith("two: ")
    assert complaint in defects[0]


def test_missing_pages_titles_tables_and_remote_styles_are_found(tmp_path):
    (tmp_path / "_toc.yml").write_text(
        "format: jb-book\nroot: one\nparts:\n- caption: P\n  chapters:\n  - file: two\n    sections: [{file: three}]\n"
    )
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "s.css").write_text("@import url('https://fonts.example/f.css');")
    (tmp_path / "one.html").write_text(GOOD.format(n=1, body=""))
    (tmp_path / "two.html").write_text(GOOD.format(n=1, body=""))
    assert check_built(tmp_path, tmp_path / "_toc.yml", {"one": ["x", "table-y"]}) == [
        "one: the table or figure table-y is missing",
        "two: same title as one: T1",
        "three: the page is missing",
        "_static/s.css: loads https://fonts.example/f.css from the network",
    ]
