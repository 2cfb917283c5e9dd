"""A notebook executed in this process, with IPython and no kernel: its parameters set, the numbers that its text quotes
filled in."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from IPython.core.displayhook import CapturingDisplayHook
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import RichOutput, capture_output
from nbformat import NotebookNode
from nbformat.v4 import new_output
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook
from traitlets.config import Config

from nasrepro.errors import MissingData, NasreproError, did_you_mean
from nasrepro.files import paths
from nasrepro.files.storage import write_atomically
from nasrepro.notebook import QUOTED, STRICT, VERB

QUOTE = re.compile(r"\{glue:text\}`([^`:]+)(?::([^`]*))?`")
_IMAGES = ("image/svg+xml", "image/png")


def read(notebook: Path) -> NotebookNode:
    """Return a notebook of a py:percent file, without outputs."""
    import jupytext

    return jupytext.read(notebook)


def execute(notebook: Path, parameters: Mapping[str, Any], *, strict: bool = True) -> NotebookNode:
    """Execute a notebook and fill in the numbers that its text quotes.

    It starts with fresh names. What it imports stays: `book.pages` forks a process for each.

    Args:
        notebook: py:percent file.
        parameters: as papermill sets them.
        strict: whether a quoted number that no cell glues, and a word of comparison that is not what the records say,
            are errors, as in the book of the committed records; else they say `not run` and what the records say.

    Raises:
        NasreproError: a cell raised, or a quoted number or word is not what the notebook says.
    """
    page = load_notebook_node(read(notebook))
    if parameters:
        page = parameterize_notebook(page, dict(parameters), kernel_name="python3", language="python")
    quoted = {match[1] for cell in page.cells if cell.cell_type == "markdown" for match in QUOTE.finditer(cell.source)}
    os.environ[STRICT] = str(int(strict))
    os.environ[QUOTED] = json.dumps(sorted(quoted))
    _run_cells(page)
    page.metadata.pop("papermill")
    for place, cell in enumerate(page.cells):
        cell["id"] = f"cell-{place}"  # else a random one
        cell.metadata.pop("papermill", None)
        if "injected-parameters" in cell.metadata.get("tags", ()):  # the title says which page this is
            cell.metadata["tags"] = ["injected-parameters", "remove-cell"]
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


def _run_cells(page: NotebookNode) -> None:
    """Run the code cells one after the other; raise `NasreproError`, caused by the error of the cell, at the first."""
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}), colors="nocolor")
    shell.reset(new_session=False)
    for index, cell in enumerate(page.cells):
        if cell.cell_type != "code":
            continue
        with capture_output() as captured:
            # `run_cell` puts the hook of its shell in the place of the one that captures
            shell.display_trap.hook = CapturingDisplayHook(shell, captured._outputs)
            result = shell.run_cell(cell.source)
        cell.execution_count = result.execution_count
        streams = {"stdout": captured.stdout, "stderr": captured.stderr}
        cell.outputs = [new_output("stream", name=name, text=text) for name, text in streams.items() if text]
        cell.outputs += [_output(one) for one in captured.outputs]
        if not result.success:
            error = result.error_before_exec or result.error_in_exec
            raise NasreproError(f"cell {index} stopped: {type(error).__name__}: {error}") from error


def _output(shown: RichOutput) -> NotebookNode:
    return new_output("display_data", data=shown.data, metadata=shown.metadata or {})


def _fill(page: NotebookNode, strict: bool) -> None:
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


def _describe_images(cell: NotebookNode) -> None:
    """Put the text alternative and the caption of a figure where the book looks for them."""
    for output in cell.get("outputs", ()):
        for kind in _IMAGES:
            told = output.get("metadata", {}).get(kind, {})
            if "alt" in told:
                image = {"image": {"alt": told["alt"]}}
                if told.get("caption"):
                    image["figure"] = {"caption": told["caption"], "name": told["name"]}
                cell.metadata["mystnb"] = image


def shown(page: NotebookNode) -> list[str]:
    """Return the ids of the tables and figures that an executed notebook shows."""
    found = []
    for cell in page.cells:
        found += [cell.metadata["mystnb"]["figure"]["name"]] if "figure" in cell.metadata.get("mystnb", {}) else []
        for output in cell.get("outputs", ()):
            found += re.findall(r'id="(table-[^"]+)"', "".join(output.get("data", {}).get("text/html", "")))
    return found
