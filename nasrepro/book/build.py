"""From records to the book: notebooks become pages, pages are built, the result is looked at.

The source tree is only read. A staging folder receives `_config.yml`, `_toc.yml`, the pages of `book/` and, executed,
the notebooks that the table of contents names; torch is not imported. What has not changed is neither executed nor
built again.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from nasrepro.book.check import check_built, toc_pages
from nasrepro.book.listings import write_listings
from nasrepro.errors import NasreproError
from nasrepro.files import paths

_INSTALL = "pip install -c constraints.txt -e '.[book]'"
_STAMP = "built"  # in the folder of kept pages: a book was built of what is staged


class BookError(NasreproError):
    """The book could not be built, or the built book lacks something."""


def build(root: Path | None = None) -> Path:
    """Build the book and return the page to open: your runs if there are any, else the front page.

    Args:
        root: receives `_build/book-src` (staging), `_build/pages` (kept pages) and `_build/html`; default: the source
            checkout.

    Raises:
        BookError: no source checkout, no jupyter-book, a notebook that stops, a Sphinx warning, or a built page without
            what it must show.
    """
    source = _source()
    if importlib.util.find_spec("jupyter_book") is None:
        raise BookError(f"Building the book needs jupyter-book, which is not installed here. Run `{_INSTALL}`.")
    out = (root or source) / "_build"
    staging, built, stamp = out / "book-src", out / "html", out / "pages" / _STAMP
    changed, expected = assemble(staging, out / "pages")
    if changed or not stamp.is_file():
        stamp.unlink(missing_ok=True)
        if any(name.suffix != ".ipynb" for name in changed):
            shutil.rmtree(built, ignore_errors=True)  # Sphinx does not see every change of what all pages share
            shutil.rmtree(out / ".doctrees", ignore_errors=True)
        _sphinx(staging, out.parent)
        if defects := check_built(built, staging / "_toc.yml", expected):
            raise BookError("The built book is not whole:\n" + "\n".join(f"- {d}" for d in defects))
        stamp.touch()
    own = any(paths.runs_dir().glob("*/*/record.json"))
    return built / "book" / ("runs.html" if own else "index.html")


def assemble(staging: Path, kept: Path) -> tuple[set[Path], dict[str, list[str]]]:
    """Write everything that the book is built from into a staging folder; what is the same stays as it is.

    Args:
        staging: folder to write, created if needed.
        kept: folder of executed notebooks.

    Returns:
        The files of the folder that changed, came or went; page (as in `_toc.yml`) -> ids of the tables and figures
        that the built page must show.
    """
    import nbformat  # these three come with what `build` asks for

    from nasrepro.book.execute import shown
    from nasrepro.book.pages import find, pages

    source = _source()
    with tempfile.TemporaryDirectory() as temporary:
        new = Path(temporary)
        for name in ("_config.yml", "_toc.yml"):
            shutil.copy(source / name, new / name)
        shutil.copytree(source / "book", new / "book", ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        write_listings(source, new / "book" / "_static" / "code")
        (new / "staged").touch()  # tells the book from the checkout (`book/_ext/nasrepro_book.py`)
        wanted = [s for page in toc_pages(source / "_toc.yml") if (s := find(page, source)) is not None]
        made = pages(wanted, kept, strict=paths.records_dir() == paths.data_dir() / "records")
        for name, page in made.items():
            path = new / f"{name}.ipynb"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(nbformat.writes(page), encoding="utf-8")
        return _synchronise(new, staging), {name: shown(page) for name, page in made.items()}


def _synchronise(new: Path, staging: Path) -> set[Path]:
    """Make a folder equal to another, leaving files that are the same untouched; return those that were not."""
    wanted = {p.relative_to(new) for p in new.rglob("*") if p.is_file()}
    changed = {p.relative_to(staging) for p in staging.rglob("*") if p.is_file()} - wanted
    for name in changed:
        (staging / name).unlink()
    for name in wanted:
        there, content = staging / name, (new / name).read_bytes()
        if not there.is_file() or there.read_bytes() != content:
            there.parent.mkdir(parents=True, exist_ok=True)
            there.write_bytes(content)
            changed.add(name)
    return changed


def _sphinx(staging: Path, out: Path) -> None:
    """Build the staged pages; raise `BookError` with the warnings, of which there may be none."""
    script = "from jupyter_book.cli.main import main; main()"
    arguments = ["build", str(staging), "--path-output", str(out), "-W", "-n", "--keep-going", "-q"]
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True, text=True, check=False, env=os.environ | {"NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    if done.returncode:
        output = done.stdout + done.stderr
        lines = [line for line in output.splitlines() if re.search(r"WARNING|ERROR|SEVERE", line)]
        raise BookError("The book was not built without warnings:\n" + ("\n".join(lines) or output.strip()))


def _source() -> Path:
    source = paths.checkout()
    if source is None or not (source / "_toc.yml").is_file():
        raise BookError(
            "The book is built from a source checkout, and this nasrepro was installed without one. "
            f"Clone the repository and run `{_INSTALL}` there."
        )
    return source


if __name__ == "__main__":  # draws the picture of the README
    from nasrepro.report.drawing import method_figure

    (_source() / "book" / "_static" / "method.svg").write_text(method_figure().svg, encoding="utf-8")
