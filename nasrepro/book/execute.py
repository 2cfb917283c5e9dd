"""From a notebook to a page: executed from records, quoted numbers filled in, kept while nothing that it read changes.

Notebooks run in processes forked from this one, which has imported what they need, so that each starts with fresh
names and without a kernel. A page is kept with the hash of every file that it read, the names in every folder that it
listed, and every module of this package that it imported; it is executed again when one of them differs.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import nbformat

from nasrepro.errors import MissingData, NasreproError, did_you_mean
from nasrepro.files import paths
from nasrepro.files.storage import READ_YAML, read_yaml, sha256_of, write_atomically
from nasrepro.notebook import QUOTED, STRICT, VERB

QUOTE = re.compile(r"\{glue:text\}`([^`:]+)(?::([^`]*))?`")
_RUNS = "*/*/record.json"  # below the folder of your runs
_IMAGES = ("image/svg+xml", "image/png")


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
    cell = next(c for c in _read(template).cells if "parameters" in c.metadata.get("tags", ()))
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
    found = {s.page: page for s in sources if (page := _kept(s, kept)) is not None}
    if left := [(s, kept, strict) for s in sources if s.page not in found]:
        _warm()
        fork = multiprocessing.get_context("fork")
        with fork.Pool(processes or os.cpu_count(), initializer=_end_quietly, maxtasksperchild=1) as pool:
            made = dict(zip([s.page for s, *_ in left], pool.starmap(_in_a_fork, left, chunksize=1), strict=True))
        if stopped := [f"{name}: {why}" for name, (_, why) in made.items() if why]:
            raise NasreproError("\n".join(["Notebooks stopped:", *stopped]))
        found |= {name: nbformat.reads(text, 4) for name, (text, _) in made.items()}
    return {s.page: found[s.page] for s in sources}


def _end_quietly() -> None:
    """Take back what the command line does on a signal: the pool ends its processes by one."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _warm() -> None:
    """Import what notebooks need, and parse the YAML files, once for all of them."""

    import nasrepro.book.engine
    import nasrepro.notebook  # noqa: F401

    for path in [*paths.data_dir().glob("*.yml"), *paths.data_dir().glob("paper/*.yml")]:
        read_yaml(path)


def _in_a_fork(source: Source, kept: Path, strict: bool) -> tuple[str, str]:
    """Return the executed notebook as text, or why it stopped."""
    reads = _Reads()
    sys.addaudithook(reads.note)
    try:
        page = execute(source.notebook, source.parameters, strict=strict)
    except NasreproError as error:
        return "", str(error)
    text = nbformat.writes(page)
    content = {"source": _signature(source), "files": reads.files(), "folders": reads.folders()}
    write_atomically(kept / f"{source.page}.json", json.dumps(content | {"page": text}).encode())
    return text, ""


def execute(notebook: Path, parameters: Mapping[str, Any], *, strict: bool = True) -> nbformat.NotebookNode:
    """Execute a notebook in this process and fill in the numbers that its text quotes.

    Args:
        notebook: py:percent file.
        parameters: as papermill sets them.
        strict: whether a quoted number that no cell glues, and a word of comparison that is not what the records say,
            are errors, as in the book of the committed records; else they say `not run` and what the records say.

    Raises:
        NasreproError: a cell raised, or a quoted number or word is not what the notebook says.
    """
    from papermill import execute_notebook

    from nasrepro.book.engine import NAME

    source = _read(notebook)
    quoted = sorted(
        {m[1] for cell in source.cells if cell.cell_type == "markdown" for m in QUOTE.finditer(cell.source)}
    )
    os.environ[STRICT] = str(int(strict))
    os.environ[QUOTED] = json.dumps(quoted)
    page = execute_notebook(
        source, None, dict(parameters), engine_name=NAME, log_output=False, progress_bar=False, kernel_name="python3"
    )
    page.metadata.pop("papermill", None)  # names of files on this machine, and times
    for place, cell in enumerate(page.cells):
        cell["id"] = f"cell-{place}"  # else a random one
        if "injected-parameters" in cell.metadata.get("tags", ()):  # the title says which page this is
            cell.metadata["tags"] = ["injected-parameters", "remove-cell"]
        for name in ("papermill", "execution"):
            cell.metadata.pop(name, None)
    _fill(page, strict)
    for cell in page.cells:
        _describe_images(cell)
    return page


def write(name: str, out: Path, parameters: Mapping[str, Any]) -> Path:
    """Execute a notebook of the checkout and write it with its outputs; a cell that stops leaves nothing behind.

    Args:
        name: below `notebooks/`, e.g. `dinas/table_2`.
        out: the file to write.
        parameters: as papermill sets them.

    Raises:
        MissingData: there is no checkout, or no such notebook.
        NasreproError: as `execute`.
    """
    root = paths.checkout()
    if root is None:
        raise MissingData("The notebooks are part of the source checkout, and this nasrepro was installed without one.")
    known = {p.relative_to(root / "notebooks").with_suffix("").as_posix(): p for p in root.glob("notebooks/**/*.py")}
    if name not in known:
        raise MissingData(f"There is no notebook `{name}`; there are {', '.join(known)}.{did_you_mean(name, known)}")
    write_atomically(out, nbformat.writes(execute(known[name], parameters, strict=not parameters)).encode())
    return out


def _read(notebook: Path) -> nbformat.NotebookNode:
    import jupytext

    return jupytext.read(notebook)


def _fill(page: nbformat.NotebookNode, strict: bool) -> None:
    """Replace what the text quotes by what the cells glued; take the glued outputs out."""
    glued: dict[str, tuple[Any, bool]] = {}
    for cell in page.cells:
        for output in list(cell.get("outputs", ())):
            if (told := output.get("metadata", {}).get("scrapbook")) is not None:
                value = json.loads(output["data"][f"{told['mime_prefix']}application/json"])
                glued[told["name"]] = value, bool(told.get(VERB))
                cell.outputs.remove(output)

    def quoted(match: re.Match[str]) -> str:
        name, spec = match[1], match[2] or ""
        if name not in glued and strict:
            raise NasreproError(f"the text quotes `{name}`, which no cell glues")
        value, verb = glued.get(name, (None, False))
        if verb and strict and value != spec:
            raise NasreproError(
                f"the text says that `{name}` is `{spec}`; by the records it is `{value}`: read it again"
            )
        if value is None:
            return "not run"
        if isinstance(value, str):
            return value
        try:
            return format(value, spec)
        except ValueError:
            raise NasreproError(f"the format `{spec}` does not suit `{name}`, which is {value!r}") from None

    for cell in page.cells:
        if cell.cell_type == "markdown":
            cell.source = QUOTE.sub(quoted, cell.source)


def _describe_images(cell: nbformat.NotebookNode) -> None:
    """Put the text alternative and the caption of a figure where the book looks for them."""
    for output in cell.get("outputs", ()):
        for kind in _IMAGES:
            told = output.get("metadata", {}).get(kind, {})
            if "alt" in told:
                image = {"image": {"alt": told["alt"]}}
                if told.get("caption"):
                    image["figure"] = {"caption": told["caption"], "name": told["name"]}
                cell.metadata["mystnb"] = image


def shown(page: nbformat.NotebookNode) -> list[str]:
    """Return the ids of the tables and figures that an executed notebook shows."""
    found = []
    for cell in page.cells:
        found += [cell.metadata["mystnb"]["figure"]["name"]] if "figure" in cell.metadata.get("mystnb", {}) else []
        for output in cell.get("outputs", ()):
            found += re.findall(r'id="(table-[^"]+)"', "".join(output.get("data", {}).get("text/html", "")))
    return found


# --- what a page was made of ------------------------------------------------------------------------------------------


class _Reads:
    """Notes which files a process opens and which folders it lists, through the interpreter's own audit events."""

    def __init__(self) -> None:
        self._files: set[str] = set()
        self._folders: set[str] = set()
        self._roots = tuple(f"{p.resolve()}{os.sep}" for p in (paths.data_dir(), paths.runs_dir()))

    def note(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Take an audit event."""
        if event == READ_YAML:
            self._files.add(arguments[0])
        if event == paths.ASKED_FOR_RUNS:
            self._folders.add(f"{arguments[0]}/{_RUNS}")
        if event == "open" and isinstance(arguments[0], str | Path) and arguments[1] in ("r", "rb", None):
            self._files.add(str(Path(arguments[0]).absolute()))
        elif event in ("os.scandir", "os.listdir") and isinstance(arguments[0], str | Path):
            self._folders.add(str(Path(arguments[0]).absolute()))

    def files(self) -> dict[str, str]:
        """Return file -> hash, of data, records and modules of this package."""
        package = Path(__file__).parent.parent
        modules = {m.__file__ for m in list(sys.modules.values()) if getattr(m, "__file__", None)}
        own = {name for name in modules if name and Path(name).is_relative_to(package)}
        read = {name for name in self._files if name.startswith(self._roots)}
        return {name: _digest(name) for name in sorted(own | read) if Path(name).is_file()}

    def folders(self) -> dict[str, str]:
        """Return folder, or pattern of files below it, -> hash of the names in it."""
        listed = {n for n in self._folders if f"{n}{os.sep}".startswith(self._roots)}
        return {name: _listing(name) for name in sorted(listed)}


@lru_cache
def _digest(name: str) -> str:
    path = Path(name)
    return sha256_of(path) if path.is_file() else ""


@lru_cache
def _listing(name: str) -> str:
    folder = Path(name.removesuffix(f"/{_RUNS}"))
    found = folder.glob(_RUNS) if name.endswith(_RUNS) else folder.iterdir() if folder.is_dir() else []
    names = sorted(path.relative_to(folder).as_posix() for path in found)
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def _signature(source: Source) -> str:
    return f"{sha256_of(source.notebook)} {json.dumps(source.parameters, sort_keys=True)} {paths.records_dir()}"


def _kept(source: Source, kept: Path) -> nbformat.NotebookNode | None:
    """Return the page as it was made, None if anything that it was made of has changed."""
    path = kept / f"{source.page}.json"
    if not path.is_file():
        return None
    runs = f"{paths.runs_dir().absolute()}/{_RUNS}"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        same = (
            content["source"] == _signature(source)
            and all(_digest(name) == digest for name, digest in content["files"].items())
            and all(_listing(name) == digest for name, digest in content["folders"].items())
            and all(name == runs for name in content["folders"] if name.endswith(_RUNS))
        )
        return nbformat.reads(content["page"], 4) if same else None
    except (ValueError, KeyError, TypeError, AttributeError):  # half a file, or of another version
        return None
