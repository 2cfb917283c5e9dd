"""Parameters of the experiments that measure a machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from nasrepro.parameters.base import Parameters


class StepParameters(Parameters):
    """Parameters of `nasrepro run step_cost`."""

    seed: int = Field(0, ge=0, description="master seed")


class SpeedParameters(Parameters):
    """Parameters of `nasrepro run speed`. Defaults are those of the `laptop` profile."""

    repeats: int = Field(5, ge=1, le=100, description="times that each step is measured; the median is told")
    threads: int = Field(2, ge=1, le=64, description="steps are measured on 1 to so many threads")
    most_cells: int = Field(100_000, ge=1, le=10_000_000, description="largest number of cells sampled in one call")
    most_nodes: int = Field(64, ge=8, le=128, description="nodes of the largest graphs")
    seed: int = Field(0, ge=0, description="master seed")

    profiles: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "smoke": {"repeats": 1, "threads": 1, "most_cells": 10, "most_nodes": 8},
        "laptop": {},
        "full": {},
    }
