"""The book: assembled from records, built by Jupyter Book with warnings as errors, and looked at."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from factories import fake_nb201_record

from nasrepro import experiments
from nasrepro.files import paths
from nasrepro.parameters.base import resolve
from nasrepro.report import book
from nasrepro.report.bookcheck import check_built, toc_pages
from nasrepro.report.fragments import profile_parameters, run_command, table
from nasrepro.report.listings import definitions
from nasrepro.report.rendering import Column, Row, Table
from nasrepro.runs import claims, records

ROOT = Path(__file__).resolve().parent.parent


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
    before = hashes(ROOT / "book")
    page = book.build(root, root / "reference", root / "own")
    reference = {d: records.load(f) for d, f in folders.items()}
    return Built(page, root / "_build" / "html", reference, records.load(own), before)


def test_every_page_is_built_and_whole(built: Built):
    assert check_built(built.html, ROOT / "_toc.yml") == []


def test_the_page_to_open_shows_the_new_run(built: Built):
    assert built.page == built.html / "book" / "runs.html"
    assert built.own.key in built.page.read_text(encoding="utf-8")


def test_the_source_tree_is_only_read(built: Built):
    assert hashes(ROOT / "book") == built.tree_before


def test_numbers_in_sentences_are_those_of_the_record(built: Built):
    text = " ".join(built.soup("book/dinas/table2").get_text().split())
    rows = {(r["searcher"], r["protocol"]): r for r in built.reference["cifar10"].metrics["rows"]}
    control, dinas = rows["top_class", "paper"]["best_valid"]["mean"], rows["dinas", "paper"]["best_valid"]["mean"]
    assert f"On CIFAR-10 the control reaches {control:.2f} % and DiNAS {dinas:.2f} %" in text


def test_a_data_set_without_a_record_says_so_and_names_the_command(built: Built):
    page = built.soup("book/dinas/table2")
    section = page.find(id="imagenet16-120")
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


def test_each_yaml_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from collections import Counter

    from nasrepro.files import storage
    from nasrepro.runs import claims, plan

    for cached in (storage._parsed_yaml, plan._parsed, claims._load):  # an earlier test may have read them
        cached.cache_clear()
    counts: Counter[str] = Counter()
    original = Path.read_text

    def counted(path: Path, *args: object, **kwargs: object) -> str:
        counts[path.name] += path.suffix in {".yml", ".yaml"}
        return original(path, *args, **kwargs)

    monkeypatch.setattr(Path, "read_text", counted)
    book.assemble(tmp_path / "src", local=tmp_path / "none")
    read = {name: n for name, n in counts.items() if n}
    assert {"plan.yml", "claims.yml", "registry.yml"} <= set(read) and set(read.values()) == {1}


def test_each_table_and_figure_of_a_record_is_followed_by_its_provenance(built: Built):
    page = built.soup("book/dinas/table2")
    for dataset, record in built.reference.items():
        section = page.find(id={"cifar10": "cifar-10", "cifar100": "cifar-100"}[dataset])
        strip = section.select_one(".nr-provenance").get_text(" ")
        assert record.key in strip
        assert record.data[0].sha256[:8] in strip
        assert run_command(record) in section.get_text()
        assert len(section.select("figure img")) == 2


def test_alternative_texts_describe(built: Built):
    for name in toc_pages(ROOT / "_toc.yml"):
        for image in built.soup(name).select("figure img"):
            assert len(image["alt"].split()) >= 8


def test_nothing_comes_from_a_network(built: Built):
    for name in toc_pages(ROOT / "_toc.yml"):
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


@pytest.mark.parametrize(
    ("sentence", "complaint"),
    [
        ("{result}`nb201.cifar10.dinas.paper.best_vald.mean:.2f`", "unknown result key"),
        ("{src}`nasrepro/diffusion/noise.py#posteriour`", "no source"),
    ],
)
def test_a_reference_to_nothing_fails_the_build(tmp_path, monkeypatch, sentence, complaint):
    source = tmp_path / "source"
    for name in ("_ext", "_static"):
        shutil.copytree(ROOT / "book" / name, source / "book" / name)
    shutil.copy(ROOT / "_config.yml", source)
    shutil.copytree(ROOT / "nasrepro" / "diffusion", source / "nasrepro" / "diffusion")
    (source / "_toc.yml").write_text("format: jb-book\nroot: book/index\n")
    (source / "book" / "index.md").write_text(f"# A book\n\nWe found {sentence}.\n")
    monkeypatch.setattr(book, "_source", lambda: source)
    with pytest.raises(book.BookError, match=complaint):
        book.build(tmp_path / "out", tmp_path / "none", tmp_path / "none")


def test_assembly_needs_no_torch_and_no_records(tmp_path):
    script = (
        "import sys; from pathlib import Path; from nasrepro.report import book; root = Path(sys.argv[1]); "
        "book.assemble(root / 'src', root / 'none', root / 'none'); print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.split() == ["False"]
    generated = tmp_path / "src" / "book" / "_generated"
    for dataset in ("cifar10", "cifar100", "imagenet16-120"):
        text = (generated / f"nb201-{dataset}.md").read_text(encoding="utf-8")
        assert "not run" in text
        assert f"nasrepro run nb201 -p dataset={dataset} --profile laptop" in text
    values = json.loads((generated / "results.json").read_text())
    assert values.pop("nb201.functions") == 5_425  # of the space, not of a run
    values = {k: v for k, v in values.items() if not k.startswith("generations.")}  # from a file of its own
    verdicts = {k: v for k, v in values.items() if ".verdict" in k or k.endswith((".printed", ".rivals"))}
    assert verdicts["evidence.verdicts.not-run"] and set(values.values()) - set(verdicts.values()) == {None}


def test_no_committed_record_is_hidden(tmp_path):
    """A run that was paid for and shown nowhere is a result withheld: each is named by a table or figure of some page,
    not only by the list of all runs."""
    book.assemble(tmp_path / "src", local=tmp_path / "none")
    lists = {"runs.md", *(path.name for path in tmp_path.glob("src/book/_generated/generations*.md"))}
    shown = "".join(
        path.read_text(encoding="utf-8")
        for path in [*tmp_path.glob("src/book/**/*.md"), *tmp_path.glob("src/book/dinas/*.ipynb")]
        if path.name not in lists
    )
    committed = [record for _, record in records.find(paths.records_dir())]
    assert len(committed) > 100
    assert [f"{r.experiment} {r.key}" for r in committed if r.key not in shown] == []


def test_a_broken_record_of_ones_own_is_named_and_does_not_cost_the_book(tmp_path):
    folder = fake_nb201_record(tmp_path / "own", trainings=1, runs=2, queries=20)
    broken = folder.parent / "0123456789abcdef"
    broken.mkdir()
    (broken / "record.json").write_text('{"key": "0123')
    book.assemble(tmp_path / "src", tmp_path / "none", tmp_path / "own")
    text = (tmp_path / "src" / "book" / "_generated" / "runs.md").read_text(encoding="utf-8")
    assert "nb201/0123456789abcdef` cannot be read" in text
    assert folder.name in text


def test_a_missing_test_accuracy_reads_not_measured(tmp_path):
    record = records.load(fake_nb201_record(tmp_path, trainings=1, runs=2, queries=20, with_test=False))
    values = book.result_values({"nb201-cifar10": record})
    assert values["nb201.cifar10.dinas.paper.test.mean"] == "not measured"
    assert values["nb201.cifar10.optimum.valid"] == record.metrics["optimum"]["valid"]
    assert values["nb201.cifar100.optimum.valid"] is None


def test_only_a_run_that_answers_the_claim_speaks_for_a_data_set(tmp_path):
    fake_nb201_record(tmp_path, guidance_scale=1.0, created="2026-11-25T12:00:00+00:00")
    fake_nb201_record(tmp_path, denoiser="paper", created="2026-11-25T12:00:00+00:00")
    older = fake_nb201_record(tmp_path, created="2026-11-23T12:00:00+00:00")
    chosen = book.reference_run(records.find(tmp_path), "nb201-cifar10")
    assert chosen is not None
    assert chosen[0] == older
    assert book.reference_run(records.find(tmp_path), "nb201-cifar100") is None


def test_the_command_of_a_run_gives_its_parameters_back(tmp_path):
    record = records.load(fake_nb201_record(tmp_path, runs=2, queries=20, guidance_scale=1.5))
    words = shlex.split(run_command(record))
    assert words[:3] == ["nasrepro", "run", "nb201"]
    assert words[-2:] == ["--profile", "laptop"]
    given = dict(word.split("=", 1) for word in words[4:-2:2])
    assert given["dataset"] == "cifar10"
    assert given["queries"] == "20"
    assert given["guidance_scale"] == "1.5"
    usual = profile_parameters("nb201", "laptop")
    told = {name: value for name, value in record.parameters.items() if usual.get(name) != value} | {"dataset": ""}
    assert given.keys() == told.keys()


@pytest.mark.parametrize("profile", ["smoke", "laptop", "full"])
@pytest.mark.parametrize("name", experiments.NAMES)
def test_defaults_read_from_the_source_are_those_of_the_experiment(name: str, profile: str):
    """All of them, whatever class a parameter is inherited from; an experiment may demand some that have none."""
    fields = experiments.load(name).parameters.model_fields
    demanded = {field: "nb201" for field, info in fields.items() if info.is_required()}
    resolved = resolve(experiments.load(name).parameters, demanded, profile).model_dump()
    assert profile_parameters(name, profile) == {k: v for k, v in resolved.items() if k not in demanded}


def test_an_interval_stands_below_its_mean():
    content = Table((Column("a.b.c"), Column("x", numeric=True)), (Row(("d.e", "1.0 [0.9, 1.1]")),), "caption")
    text = table("t", content)
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


def luminance(colour: str) -> float:
    """Relative luminance of a colour #rrggbb (WCAG 2.2)."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_quiet_text_has_enough_contrast_in_both_themes():
    css = (ROOT / "book" / "_static" / "nasrepro.css").read_text(encoding="utf-8")
    themes = [
        dict(re.findall(r"--nr-(\w+): (#\w{6});", block)) for block in re.findall(r"\{([^}]*--nr-[^}]*)\}", css)[:2]
    ]
    for colours, page in zip(themes, ("#ffffff", "#14181e"), strict=True):
        for background in (page, colours["soft"], colours["ours"]):
            light, dark = sorted((luminance(colours["quiet"]), luminance(background)), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5
