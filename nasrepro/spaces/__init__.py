"""Search spaces: what an architecture is, its neighbours, its graph form and its native string."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from nasrepro.errors import UnknownQuery, did_you_mean
from nasrepro.spaces.base import SearchSpace

# name -> module and object; imported when loaded
SPACES = {
    "nb101": ("nb101.space", "NB101"),
    "nb201": ("nb201", "NB201"),
    "darts_cell": ("darts.space", "DARTS_CELL"),
    "nb301": ("darts.space", "NB301"),
    "nlp": ("nlp.space", "NLP"),
    "tnb101-micro": ("transnas", "TNB101_MICRO"),
    "tnb101-macro": ("transnas", "TNB101_MACRO"),
}


def load(name: str) -> SearchSpace[Any]:
    """Return the search space of that name; raise `UnknownQuery` with the list of names when there is none."""
    if name not in SPACES:
        raise UnknownQuery(
            f"There is no search space `{name}`; there is {', '.join(SPACES)}.{did_you_mean(name, SPACES)}"
        )
    module, attribute = SPACES[name]
    space: SearchSpace[Any] = getattr(import_module(f"nasrepro.spaces.{module}"), attribute)
    return space
