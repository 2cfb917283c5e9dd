"""The experiments of the study, one file each, in rooms by paper; `load` finds one without importing the others."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from nasrepro.parameters import NAMES, room_of
from nasrepro.runs.run import Experiment

__all__ = ["NAMES", "load"]


def load(name: str) -> Experiment[Any]:
    """Return an experiment by name; raise `ParameterError` for an unknown one."""
    experiment: Experiment[Any] = import_module(f"nasrepro.experiments.{room_of(name)}.{name}").EXPERIMENT
    return experiment
