"""A papermill engine that executes a notebook in this process, with IPython: no kernel has to start.

Each notebook starts with fresh names. What it imports stays: `book.execute` forks a process for each.
"""

from __future__ import annotations

from typing import Any

from IPython.core.displayhook import CapturingDisplayHook
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import RichOutput, capture_output
from nbformat import NotebookNode
from nbformat.v4 import output_from_msg
from papermill.engines import Engine, papermill_engines
from traitlets.config import Config

from nasrepro.errors import NasreproError

NAME = "nasrepro"


class InProcess(Engine):
    """Runs the code cells of a notebook one after the other; stops at the first error."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> None:
        """Execute the notebook that a manager of papermill holds.

        Raises:
            NasreproError: a cell raised; with the error of the cell as its cause.
        """
        shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}), colors="nocolor")
        shell.reset(new_session=False)
        for index, cell in enumerate(nb_man.nb.cells):
            if cell.cell_type != "code":
                continue
            nb_man.cell_start(cell, index)
            with capture_output() as captured:
                # `run_cell` puts the hook of its shell in the place of the one that captures
                shell.display_trap.hook = CapturingDisplayHook(shell, captured._outputs)
                result = shell.run_cell(cell.source)
            cell.execution_count = result.execution_count
            cell.outputs = [*_stream("stdout", captured.stdout), *_stream("stderr", captured.stderr)]
            cell.outputs += [_output(one) for one in captured.outputs]
            nb_man.cell_complete(cell, index)
            if not result.success:
                error = result.error_before_exec or result.error_in_exec
                raise NasreproError(f"cell {index} stopped: {type(error).__name__}: {error}") from error


def _stream(name: str, text: str) -> list[NotebookNode]:
    return [NotebookNode(output_type="stream", name=name, text=text)] if text else []


def _output(shown: RichOutput) -> NotebookNode:
    content = {"data": shown.data, "metadata": shown.metadata or {}}
    return output_from_msg({"header": {"msg_type": "display_data"}, "content": content})


papermill_engines.register(NAME, InProcess)
