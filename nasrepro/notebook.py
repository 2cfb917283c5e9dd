"""What a notebook calls: its parameters are checked, then the same run is made as by the command line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nasrepro.study.parameters import RUN_OPTIONS, from_notebook
from nasrepro.study.records import Record


def run_here(experiment: str, namespace: Mapping[str, Any]) -> tuple[Path, Record]:
    """Run an experiment with the parameters that a notebook's cells have set; return its folder and record.

    Args:
        experiment: name of the experiment.
        namespace: the notebook's `globals()`, before anything but parameters is defined in it.

    Raises:
        ParameterError: a parameter is unknown or mistyped (papermill itself only warns of that).
    """
    from nasrepro import experiments
    from nasrepro.study.run import run

    given = {k: v for k, v in from_notebook(namespace).items() if k != "run_here"}
    options = {name: given.pop(name) for name in RUN_OPTIONS if name in given}
    return run(experiments.load(experiment), given, **options)
