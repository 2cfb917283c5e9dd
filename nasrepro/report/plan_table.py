"""What the runs behind the book have cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nasrepro.report.rendering import NOT_RUN, Table, duration, number, tabulate, text
from nasrepro.runs.plan import PAPERS, Planned, Shown, find, load_plan, training_of

_ALL = "all of it"
_COLUMNS = (
    text("Paper", lambda part: PAPERS[part["paper"]]),
    text("Shown in", "name"),
    text("Experiments", "experiments"),
    number("Runs", "runs"),
    number("With a record", "known"),
    number("Wall time", lambda part: NOT_RUN if part["known"] == 0 else duration(part["wall_s"])),
    number("CPU time", lambda part: NOT_RUN if part["known"] == 0 else duration(part["cpu_s"])),
)


def plan_table(runs: Shown) -> Table:
    """Return what the runs of each part have cost, and how many have no record yet."""
    caption = (
        "Every run behind the book and the times that the committed records state. They were taken on two CPU cores "
        "that other work shared: wall times are upper bounds, and runs after one another take about the CPU time. A "
        "training that runs share counts where it comes first; of its CPU time, which no record states apart, it is "
        "taken to have the share that it has of the wall time."
    )
    lacking = [record.key for _, record in runs if record.cost.lacks_seconds]
    notes = (f"Resumed, so that seconds of killed sittings may be missing: {', '.join(lacking)}.",) if lacking else ()
    parts = list(_parts(runs))
    for paper in PAPERS:
        sums = {time: sum(p[time] for p in parts if p["paper"] == paper) for time in ("wall_s", "cpu_s")}
        parts.append({"paper": paper, "name": _ALL, "experiments": "", "runs": "", "known": "", **sums})
    kind = lambda part: "" if part["name"] == _ALL else "ours"  # noqa: E731
    return tabulate(_COLUMNS, parts, caption, notes, kind=kind, name="plan")


def _parts(runs: Shown) -> Iterator[dict[str, Any]]:
    """Yield each part of the book with the seconds that its runs took; a shared training counts once."""
    groups: dict[tuple[str, str], list[Planned]] = {}
    for entry in load_plan():
        kind = ", as printed" if entry.recipe else ", trials" if entry.trial else ""
        groups.setdefault((entry.paper, entry.part + kind), []).append(entry)
    seen: set[str] = set()
    for (paper, name), entries in groups.items():
        found = [run[1] for entry in entries if (run := find(entry, runs)) is not None]
        wall = cpu = 0.0
        for record in found:
            model = training_of(record)
            own = 1.0 if model not in seen else 1 - record.cost.stages.get("training", 0.0) / record.cost.wall_s
            seen.add(model)
            wall, cpu = wall + own * record.cost.wall_s, cpu + own * record.cost.cpu_s
        experiments = ", ".join(dict.fromkeys(entry.experiment for entry in entries))
        counts = {"runs": len(entries), "known": len(found)}
        yield {"paper": paper, "name": name, "experiments": experiments, "wall_s": wall, "cpu_s": cpu, **counts}
