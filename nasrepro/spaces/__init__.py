"""Search spaces: what an architecture is, its neighbours, its graph form and its native string."""

from __future__ import annotations

from typing import Any

from nasrepro.errors import UnknownQuery, did_you_mean
from nasrepro.spaces.base import SearchSpace
from nasrepro.spaces.nb201 import NB201

SPACES: dict[str, SearchSpace[Any]] = {NB201.name: NB201}


def load(name: str) -> SearchSpace[Any]:
    """Return the search space of that name; raise `UnknownQuery` with the list of names when there is none."""
    if name not in SPACES:
        raise UnknownQuery(
            f"There is no search space `{name}`; there is {', '.join(SPACES)}.{did_you_mean(name, SPACES)}"
        )
    return SPACES[name]
