"""Parameters of the steps of the method that the pages show."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from nasrepro.parameters.base import Parameters


class StepsParameters(Parameters):
    """Parameters of `nasrepro run steps`; every profile is the same."""

    step: Literal[
        "noise", "reverse", "combine", "conditions", "classifier", "vary", "learn", "classes", "compare", "guide",
        "count", "encode", "difference", "distance", "cross", "move",
    ] = Field("noise", description="which step, by the name of its function")  # fmt: skip
    seed: int = Field(0, ge=0, description="of everything that is drawn")
