"""Where the numbers of a page come from: each run that it shows, and the command that makes it again."""

from __future__ import annotations

from nasrepro.report.commands import run_command
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
