"""Where the numbers of a page come from: each run that it shows, and the command that makes it again."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from nasrepro.parameters import resolved
from nasrepro.parameters.base import ADDED, option
from nasrepro.report.rendering import Table, duration, tabulate, text
from nasrepro.runs.plan import Shown
from nasrepro.runs.records import Record

_COLUMNS = (
    text("Part", lambda item: f"`{item[0]}`"),
    text(
        "Run", lambda item: f"`{item[1].experiment}/{item[1].key}`, version {item[1].method_version}, {item[1].profile}"
    ),
    text("Code", lambda item: _code(item[1])),
    text("Seeds", lambda item: ", ".join(f"{name} {_seed(seed)}" for name, seed in item[1].seeds.items()) or "none"),
    text("Data (sha256)", lambda item: ", ".join(f"{d.name} {d.sha256[:8]}" for d in item[1].data) or "none"),
    text("Device", lambda item: f"{item[1].environment.device}, {item[1].environment.threads} threads"),
    text("Time", lambda item: f"{duration(item[1].cost.wall_s)}, {item[1].created[:10]}"),
    text("To make it again", lambda item: f"`{run_command(item[1])}`"),
)


def sources_table(runs: Shown) -> Table:
    """Return a row for each run that was shown, in the order in which it was."""
    items = [(part, record) for part, (_, record) in runs.asked.items()]
    return tabulate(_COLUMNS, items, "The runs that this page shows.", stacks=True, name="sources")


def _code(record: Record) -> str:
    code = record.code
    dirty = {True: ", with uncommitted changes", False: ", clean tree", None: ""}[code.git_dirty]
    return f"commit {code.git_commit[:10]}{dirty}" if code.git_commit else f"sources {code.source_sha256[:10]}"


def _seed(value: int | list[int]) -> str:
    return f"{value}" if isinstance(value, int) else ", ".join(map(str, value))


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
