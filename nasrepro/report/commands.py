"""The command that makes a run again."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from nasrepro.parameters import resolved
from nasrepro.parameters.base import ADDED, option
from nasrepro.runs.records import Record

# said in a command even where the profile says the same: where a run takes place
_PLACE = ("space", "dataset", "device", "latency")
_UNKNOWN = object()


def run_command(record: Record) -> str:
    """Return the command that repeats a run: every parameter that is not what its profile says anyway."""
    usual = profile_parameters(record.experiment, record.profile)
    # what a run had before there was a parameter may not be what its profile says of it today
    given = {n: v for n, v in ADDED.items() if n in usual} | record.parameters
    options = [option(n, v) for n, v in given.items() if n in _PLACE or usual.get(n, _UNKNOWN) != v]
    return " ".join(["nasrepro run", record.experiment, *options, "--profile", record.profile])


@lru_cache
def profile_parameters(experiment: str, profile: str) -> dict[str, Any]:
    """Return the value of each parameter of an experiment under a profile."""
    return resolved(experiment, {}, profile).model_dump(mode="json")
