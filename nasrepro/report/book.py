"""From records to the book: assemble the pages with their tables and figures, build them, look at the result.

The source tree is only read. A staging folder receives `_config.yml`, `_toc.yml` and `book/`, and in `book/_generated`
what is made from records: tables, figures with their data, claims, the values behind the numbers in sentences. Nothing
is executed and torch is not imported; from committed records the whole takes seconds.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nasrepro.errors import CorruptData, NasreproError
from nasrepro.files import paths
from nasrepro.report import cards, drawing, pages
from nasrepro.report import evidence as evidence_pages
from nasrepro.report import overview as tables
from nasrepro.report.bookcheck import check_built
from nasrepro.report.delta import code_alone as code_alone_table
from nasrepro.report.delta import difference as doa_tables
from nasrepro.report.delta import figure_4_5 as delta_search_figures
from nasrepro.report.delta import table_1 as encoding_tables
from nasrepro.report.delta import training_sets
from nasrepro.report.dinas import ablation_pages, full_profile, surrogate_pages
from nasrepro.report.dinas import exact_denoiser as exact_table
from nasrepro.report.dinas import table_1_2 as search_tables
from nasrepro.report.dinas import table_5 as network_table
from nasrepro.report.dinas import threshold as threshold_table
from nasrepro.report.fragments import Fragments, raw, table
from nasrepro.report.history import pages as generation_pages
from nasrepro.report.listings import write_listings
from nasrepro.runs import claims, records
from nasrepro.runs.plan import select
from nasrepro.runs.protocols import recorded_labels_before
from nasrepro.runs.records import Run
from nasrepro.spaces.nb201 import N_FUNCTIONS

_BOTH = (  # tables and figures of their own, and numbers that stand in sentences
    evidence_pages,
    surrogate_pages,
    encoding_tables,
    doa_tables,
    code_alone_table,
    delta_search_figures,
    generation_pages,
    training_sets,
)
PARTS = (*_BOTH, ablation_pages, network_table)
QUOTED = (*_BOTH, exact_table, full_profile, threshold_table)
_SUMMARY = ("mean", "low", "high", "median", "n")
_ROW_SUMMARIES = ("best_valid", "test", "samples", "distinct_valid", "validity", "in_top_class", "labels_in_search")
_ROW_NUMBERS = ("trainings", "runs", "queries", "failed_runs", "filled_runs")
_ROWS = [(s, p) for s in ("dinas", "random", "evolution", "top_class") for p in ("paper", "distinct")]
_PARAMETERS = ("percentile", "guidance_scale", "reverse_steps", "queries", "runs", "trainings", "epochs", "batch_size")
_INSTALL = "pip install -c constraints.txt -e '.[book]'"


class BookError(NasreproError):
    """The book could not be built, or the built book lacks something."""


def build(root: Path | None = None, reference: Path | None = None, local: Path | None = None) -> Path:
    """Build the book and return the page to open: your runs if there are any, else the front page.

    Args:
        root: receives `_build/book-src` (staging) and `_build/html`; default: the source checkout.
        reference: folder of committed records; default `data/records`.
        local: folder of your own runs; default as `paths.runs_dir`.

    Raises:
        BookError: no source checkout, no jupyter-book, a Sphinx warning, or a built page without what it must show.
    """
    source = _source()
    if importlib.util.find_spec("jupyter_book") is None:
        raise BookError(f"Building the book needs jupyter-book, which is not installed here. Run `{_INSTALL}`.")
    out = (root or source) / "_build"
    staging, built = out / "book-src", out / "html"
    shutil.rmtree(staging, ignore_errors=True)
    shutil.rmtree(built, ignore_errors=True)
    expected = assemble(staging, reference, local)
    script = "from jupyter_book.cli.main import main; main()"
    arguments = ["build", str(staging), "--path-output", str(out.parent), "-W", "-n", "--keep-going", "-q"]
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True, text=True, check=False, env=os.environ | {"NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    if done.returncode:
        raise BookError(f"The book was not built without warnings:\n{_warnings(done.stdout + done.stderr)}")
    if defects := check_built(built, staging / "_toc.yml", expected):
        raise BookError("The built book is not whole:\n" + "\n".join(f"- {d}" for d in defects))
    own = any(Path(local or paths.runs_dir()).glob("*/*/record.json"))
    return built / "book" / ("runs.html" if own else "index.html")


def assemble(staging: Path, reference: Path | None = None, local: Path | None = None) -> dict[str, list[str]]:
    """Write everything that the book is built from into a staging folder.

    Args:
        staging: folder to write, created if needed.
        reference: folder of committed records; default `data/records`.
        local: folder of your own runs; default as `paths.runs_dir`.

    Returns:
        Page (as in `_toc.yml`) -> ids of the tables and figures that the built page must show.
    """
    source = _source()
    staging.mkdir(parents=True, exist_ok=True)
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy(source / name, staging / name)
    shutil.copytree(source / "book", staging / "book", ignore=_ignored, dirs_exist_ok=True)
    committed = list(records.find(reference or paths.records_dir()))
    own, broken = _local_runs(local or paths.runs_dir())

    out = Fragments(staging / "book" / "_generated")
    write_listings(source, staging / "book" / "_static" / "code", out.folder / "sources.json")
    chosen = {name: reference_run(committed, name) for name in search_tables.TABLES}
    verdicts = tables.claims_table(claims.evaluate(committed))
    known = [record for _, record in committed]
    reruns = {name: found for name in chosen if (found := search_tables.baselines(name, known)) is not None}
    values = result_values({name: run[1] for name, run in chosen.items() if run}, reruns)
    for more in (theory_values, *(part.values for part in QUOTED)):
        values |= more(committed)
    out.write_json("results", values)
    out.write("claims", [table("claims", verdicts)], ["table-claims"])
    method = drawing.method_figure()
    caption = "Training (a) and sampling (b). Our drawing of the paper's Figure 1."
    out.write("method-figure", [out.figure("method", method, caption)], ["figure-method"])
    for name, run in chosen.items():
        pages.search(out, name, run, committed)
    pages.constraints(out, committed)
    pages.data_files(out)
    for name in cards.CARDS:
        pages.card(out, name, committed)
    pages.theory(out, committed)
    for part in PARTS:
        part.write(out, committed)
    pages.runs(out, own, broken, committed)

    expected = {}
    for page in sorted(staging.glob("book/**/*.md")):
        included = re.findall(r"\{include\} \S*_generated/(\S+)\.md", page.read_text(encoding="utf-8"))
        if included:
            expected[page.relative_to(staging).with_suffix("").as_posix()] = [i for f in included for i in out.ids[f]]
    return expected


def reference_run(runs: Iterable[Run], name: str) -> Run | None:
    """Return the committed run that speaks for a table of searches (a key of `search_tables.TABLES`)."""
    by_key = {run[1].key: run for run in runs}
    record = search_tables.answering(name, [r for _, r in by_key.values()])
    return by_key[record.key] if record else None


def result_values(
    chosen: Mapping[str, records.Record], reruns: Mapping[str, records.Record] | None = None
) -> dict[str, float | int | str | None]:
    """Return every number that a sentence can refer to.

    Keys are `nb201.<data set>.<searcher>.<protocol>.<field>[.<statistic>]`, and a few more of a data set. The value is
    None where there is no record; the text "not measured" where the record has no such value. Those of the searches
    rerun are `<table>.rerun.<searcher>.<field>[.<statistic>]`.
    """
    values: dict[str, float | int | str | None] = {"nb201.functions": N_FUNCTIONS}
    for name in search_tables.TABLES:
        record, prefix = chosen.get(name), name.replace("-", ".", 1)  # nb201-cifar10 -> nb201.cifar10
        metrics: Mapping[str, Any] = record.metrics if record else {}
        missing = "not measured" if record else None

        def put(key: str, value: float | int | str | None, prefix: str = prefix, missing: str | None = missing) -> None:
            values[f"{prefix}.{key}"] = missing if value is None else value

        by_row = {(row["searcher"], row["protocol"]): row for row in metrics.get("rows", ())}
        for searcher, protocol in _ROWS:
            row = by_row.get((searcher, protocol), {})
            for field in _ROW_NUMBERS:
                put(f"{searcher}.{protocol}.{field}", row.get(field))
            before = recorded_labels_before(record, row) if record and row else None
            put(f"{searcher}.{protocol}.labels_before_search", before)
            for field in _ROW_SUMMARIES:
                value = row.get(field)
                summary = value if isinstance(value, Mapping) else {"mean": value}
                for statistic in _SUMMARY:
                    put(f"{searcher}.{protocol}.{field}.{statistic}", summary.get(statistic))
        for group, fields in {
            "optimum": ("valid", "test_of_it", "best_test"),
            "speed": ("seconds_per_architecture", "training_steps"),
        }.items():
            for field in fields:
                put(f"{group}.{field}", metrics.get(group, {}).get(field))
        for field in _PARAMETERS:
            put(f"parameters.{field}", record.parameters.get(field) if record else None)
        rerun = (reruns or {}).get(name)
        for searcher in search_tables.SEARCHER_NAMES:
            row = (claims.metric_row(rerun, searcher, "paper") if rerun else None) or {}
            for field in ("runs", "at_optimum", "median_labels_to_optimum"):
                value = "not within the budget" if rerun and row.get(field) is None else row.get(field)
                values[f"{prefix}.rerun.{searcher}.{field}"] = value
            for field in ("best_valid", "regret"):
                for statistic in _SUMMARY:
                    values[f"{prefix}.rerun.{searcher}.{field}.{statistic}"] = (row.get(field) or {}).get(statistic)
        put("record", record.key if record else None)
        put("wall_s", record.cost.wall_s if record else None)
    return values


def theory_values(committed: Sequence[Run]) -> dict[str, float | int | str | None]:
    """Return the counts that the page on the theorems quotes, `theory.<space>.<count>`; None without a record."""
    found = select("delta.theory", committed)
    metrics = found[1].metrics if found else {}
    return {
        f"theory.{space}.{count}": metrics.get(space, {}).get(count)
        for space in ("nb201", "nb101")
        for count in ("pairs", "codes", "silent")
    }


def _source() -> Path:
    source = paths.checkout()
    if source is None or not (source / "_toc.yml").is_file():
        raise BookError(
            "The book is built from a source checkout, and this nasrepro was installed without one. "
            f"Clone the repository and run `{_INSTALL}` there."
        )
    return source


def _ignored(_folder: str, names: Sequence[str]) -> set[str]:
    return {n for n in names if n in {"_generated", "_build", "__pycache__", ".ipynb_checkpoints"}}


def _warnings(output: str) -> str:
    """Return the warnings and errors of a Sphinx output, or all of it if it has none."""
    lines = [line for line in output.splitlines() if re.search(r"WARNING|ERROR|SEVERE", line)]
    return "\n".join(lines) or output.strip()


def _local_runs(root: Path) -> tuple[list[Run], list[str]]:
    """Return your runs, the newest first, and a line for each unreadable record, which must not cost the book."""
    runs, broken = [], []
    for path in root.glob("*/*/record.json"):
        try:
            runs.append((path.parent, records.load(path.parent)))
        except CorruptData:
            broken.append(
                f"`{path.parent.parent.name}/{path.parent.name}` cannot be read; delete the folder and repeat the run."
            )
    return sorted(runs, key=lambda run: run[1].created, reverse=True), sorted(broken)


__all__ = ["BookError", "assemble", "build", "check_built", "raw", "reference_run", "result_values"]

if __name__ == "__main__":  # draws the picture of the README
    (_source() / "book" / "_static" / "method.svg").write_text(drawing.method_figure().svg, encoding="utf-8")
