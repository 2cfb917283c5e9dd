"""The experiments of the study, one file each; `load(name)` finds one without importing the others."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from nasrepro.errors import ParameterError, did_you_mean
from nasrepro.study.run import Experiment

NAMES = (
    "nb201",
    "nb101",
    "hw",
    "hw_joint",
    "exact_denoiser",
    "step_cost",
    "nb301",
    "nlp",
    "baselines",
    "card",
    "theory",
    "encodings",
    "proxies",
    "doa",
    "doa_distance",
    "doa_ablation",
    "network_training",
    "delta_search",
)


def load(name: str) -> Experiment[Any]:
    """Return an experiment by name; raise `ParameterError` for an unknown one."""
    if name not in NAMES:
        raise ParameterError(
            f"There is no experiment `{name}`; there are {', '.join(NAMES)}.{did_you_mean(name, NAMES)}"
        )
    experiment: Experiment[Any] = import_module(f"nasrepro.experiments.{name}").EXPERIMENT
    return experiment
