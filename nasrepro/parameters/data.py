"""Parameters of the data cards."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from nasrepro.parameters.base import Parameters


class CardParameters(Parameters):
    """Parameters of `nasrepro run card`."""

    benchmark: Literal["nb101", "nb201", "hw-nb201", "tnb101-micro", "tnb101-macro", "nb301", "nlp"] = Field(
        "nb201", description="which benchmark"
    )
    bins: int = Field(60, ge=5, le=500, description="bars of each histogram")
