"""The experiments of the study, one file each; `load(name)` finds one without importing the others."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from nasrepro.parameters import NAMES, model_of
from nasrepro.study.run import Experiment

__all__ = ["NAMES", "load"]


def load(name: str) -> Experiment[Any]:
    """Return an experiment by name; raise `ParameterError` for an unknown one."""
    model_of(name)
    experiment: Experiment[Any] = import_module(f"nasrepro.experiments.{name}").EXPERIMENT
    return experiment
