"""Notebooks: what one calls to run its experiment, and executing one into a page of the book.

A notebook makes the same run as the command line does, with its parameters checked first.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nasrepro import experiments
from nasrepro.errors import MissingData, NasreproError
from nasrepro.files import paths
from nasrepro.files.storage import write_atomically
from nasrepro.parameters.base import RUN_OPTIONS, from_notebook, resolve
from nasrepro.runs.records import Record
from nasrepro.runs.run import Experiment, run


def run_here(experiment: str, namespace: Mapping[str, Any]) -> tuple[Path, Record]:
    """Run an experiment with the parameters that a notebook's cells have set; return its folder and record.

    Args:
        experiment: name of the experiment.
        namespace: the notebook's `globals()`, before anything but parameters is defined in it.

    Raises:
        ParameterError: a parameter is unknown or mistyped (papermill itself only warns of that).
    """
    chosen, given = experiments.load(experiment), from_notebook(namespace)
    options = {name: given.pop(name) for name in run_options(chosen) if name in given}
    return run(chosen, given, **options)


def run_options(experiment: Experiment[Any]) -> list[str]:
    """Return the names that say how to run, not what; a parameter of the experiment of the same name goes before."""
    return [name for name in RUN_OPTIONS if name not in experiment.parameters.model_fields]


def execute(experiment: str, given: Mapping[str, Any], out: Path, title: str | None = None) -> Path:
    """Execute the notebook of an experiment through papermill and write it, with its outputs, to `out`.

    Args:
        experiment: name of the experiment; its notebook is `notebooks/<name>.ipynb` of the checkout.
        given: parameters, and `profile`, `fresh` or `device`; checked before a kernel is started.
        out: where the executed notebook goes; written only when every cell ran.
        title: replaces the notebook's title, so that several pages from one notebook can be told apart.

    Raises:
        ParameterError: as `run_here`.
        MissingData: papermill or the checkout is not there.
    """
    chosen = experiments.load(experiment)
    parameters = {k: v for k, v in given.items() if k not in run_options(chosen)}
    resolve(chosen.parameters, parameters, str(given.get("profile", "laptop")))
    root = paths.checkout()
    if root is None:
        raise MissingData("The notebooks are part of the source checkout, and this nasrepro was installed without one.")
    try:
        import nbformat
        import papermill
        from jupyter_client.manager import AsyncKernelManager
    except ModuleNotFoundError as error:
        raise MissingData(
            f"Executing a notebook needs {error.name}: `pip install 'nasrepro[run,notebook]'`."
        ) from error

    class LocalKernel(AsyncKernelManager):  # sockets instead of TCP ports, for which kernels started together race
        transport = "ipc"

    try:
        notebook = papermill.execute_notebook(
            root / "notebooks" / f"{experiment}.ipynb",
            None,
            dict(given),
            kernel_manager_class=LocalKernel,
            log_output=False,
            progress_bar=False,
        )
    except papermill.PapermillExecutionError as error:
        raise NasreproError(f"The notebook of {experiment} stopped: {error.ename}: {error.evalue}") from error
    del notebook.metadata["papermill"]  # names of files on this machine, and times
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
    if title is not None:
        heading, *rest = notebook.cells[0].source.split("\n")
        assert heading.startswith("# "), "the first cell of a notebook is its title"
        notebook.cells[0].source = "\n".join([f"# {title}", *rest])
    write_atomically(out, nbformat.writes(notebook).encode())
    return out
