"""The pages of the book: which notebook makes each, executed side by side, kept while nothing that they show changes.

Notebooks run in processes forked from this one, which has imported what they need, so that each starts with fresh
names and without a kernel. A page is kept with a hash of its notebook and of all that any page may show: this package,
its data, your runs. It is executed again when one of them differs.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import re
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from nasrepro.book.execute import execute, read
from nasrepro.errors import NasreproError
from nasrepro.files import paths
from nasrepro.files.storage import read_yaml, sha256_of, write_atomically


@dataclass(frozen=True)
class Source:
    """A page to be made.

    Attributes:
        page: its name, as in `_toc.yml`.
        notebook: py:percent file.
        parameters: given to it through papermill.
    """

    page: str
    notebook: Path
    parameters: Mapping[str, Any]


def find(page: str, root: Path) -> Source | None:
    """Return what a page of `_toc.yml` is made of, None where it is no notebook.

    `book/dinas/table_2` is made of `notebooks/dinas/table_2.py`; `book/data/card/nb201`, of the template
    `notebooks/data/card.py` with its first parameter set to nb201.
    """
    path = root / "notebooks" / Path(page).relative_to("book")
    if path.with_suffix(".py").is_file():
        return Source(page, path.with_suffix(".py"), {})
    template = path.parent.with_suffix(".py")
    if template.is_file():
        return Source(page, template, {_first_parameter(template): path.name})
    return None


def _first_parameter(template: Path) -> str:
    cell = next(c for c in read(template).cells if "parameters" in c.metadata.get("tags", ()))
    return str(re.match(r"(\w+)", cell.source)[1])  # type: ignore[index]


def pages(
    sources: Sequence[Source], kept: Path, *, strict: bool = True, processes: int | None = None
) -> dict[str, nbformat.NotebookNode]:
    """Return the executed notebook of every page; those that nothing has changed of come from a folder.

    Args:
        sources: what to execute.
        kept: the folder.
        strict: as of `execute`.
        processes: how many at once; None, one a core.

    Raises:
        NasreproError: a notebook stopped; the message names all that did.
    """
    state = _state()
    wanted = {s.page: (s, kept / f"{s.page}.kept", _made_of(s, state, strict), strict) for s in sources}
    texts = {page: text for page, (_, path, made_of, _) in wanted.items() if (text := _kept(path, made_of))}
    if left := [page for page in wanted if page not in texts]:
        for path in [*paths.data_dir().glob("*.yml"), *paths.data_dir().glob("paper/*.yml")]:
            read_yaml(path)  # parsed once for all of them
        with multiprocessing.get_context("fork").Pool(
            processes or os.cpu_count(), initializer=_end_quietly, maxtasksperchild=1
        ) as pool:
            made = dict(zip(left, pool.starmap(_in_a_fork, [wanted[page] for page in left], chunksize=1), strict=True))
        if stopped := [f"{page}: {why}" for page, (_, why) in made.items() if why]:
            raise NasreproError("\n".join(["Notebooks stopped:", *stopped]))
        texts |= {page: text for page, (text, _) in made.items()}
    return {page: nbformat.reads(texts[page], 4) for page in wanted}


def _end_quietly() -> None:
    """Take back what the command line does on a signal: the pool ends its processes by one."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _in_a_fork(source: Source, kept: Path, made_of: str, strict: bool) -> tuple[str, str]:
    """Return the executed notebook as text, or why it stopped."""
    try:
        page = execute(source.notebook, source.parameters, strict=strict)
    except NasreproError as error:
        return "", str(error)
    text = nbformat.writes(page)
    write_atomically(kept, f"{made_of}\n{text}".encode())
    return text, ""


def _state() -> str:
    """Return a hash of all that any page may show: the modules of this package, the data, the records, your runs."""
    shown = (
        (Path(__file__).parent.parent, "**/*.py"),
        (paths.data_dir(), "**/*"),
        (paths.records_dir(), "**/*"),
        (paths.runs_dir(), "*/*/record.json"),  # written last, and then nothing beside it changes
    )
    files = {path.absolute() for folder, pattern in shown for path in folder.glob(pattern) if path.is_file()}
    parts = [paths.records_dir(), paths.runs_dir(), *(f"{path} {sha256_of(path)}" for path in sorted(files))]
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()


def _made_of(source: Source, state: str, strict: bool) -> str:
    parts = [state, sha256_of(source.notebook), json.dumps([source.parameters, strict], sort_keys=True)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _kept(path: Path, made_of: str) -> str:
    """Return the page as it was made, "" where there is none or it was made of something else."""
    first, _, text = path.read_text(encoding="utf-8").partition("\n") if path.is_file() else ("", "", "")
    return text if first == made_of else ""
