"""What the runs behind the book have cost."""

from __future__ import annotations

from collections.abc import Sequence

from nasrepro.report.rendering import Column, Row, Table, duration
from nasrepro.runs.plan import PAPERS, Planned, find, load_plan, training_of
from nasrepro.runs.records import Record


def plan_table(runs: Sequence[Record]) -> Table:
    """Return what the runs of each part have cost, and how many have no record yet."""
    columns = (
        Column("Paper"),
        Column("Shown in"),
        Column("Experiments"),
        Column("Runs", numeric=True),
        Column("With a record", numeric=True),
        Column("Wall time", numeric=True),
        Column("CPU time", numeric=True),
    )
    groups: dict[tuple[str, str], list[Planned]] = {}
    for entry in load_plan():
        kind = ", as printed" if entry.recipe else ", trials" if entry.trial else ""
        groups.setdefault((entry.paper, entry.part + kind), []).append(entry)
    rows, totals = [], {"dinas": [0.0, 0.0], "delta": [0.0, 0.0], "both": [0.0, 0.0]}
    seen: set[str] = set()
    for (paper, part), entries in groups.items():
        found = [record for entry in entries if (record := find(entry, runs)) is not None]
        wall = cpu = 0.0
        for record in found:
            model = training_of(record)
            own = 1.0 if model not in seen else 1 - record.cost.stages.get("training", 0.0) / record.cost.wall_s
            seen.add(model)
            wall, cpu = wall + own * record.cost.wall_s, cpu + own * record.cost.cpu_s
        totals[paper][0] += wall
        totals[paper][1] += cpu
        names = ", ".join(dict.fromkeys(entry.experiment for entry in entries))
        times: tuple[str, str] = (duration(wall), duration(cpu)) if found else ("not run", "not run")
        rows.append(Row((PAPERS[paper], part, names, f"{len(entries)}", f"{len(found)}", *times), "ours"))
    for paper, (wall, cpu) in totals.items():
        rows.append(Row((PAPERS[paper], "all of it", "", "", "", duration(wall), duration(cpu))))
    caption = (
        "Every run behind the book and the times that the committed records state. They were taken on two CPU cores "
        "that other work shared: wall times are upper bounds, and runs after one another take about the CPU time. A "
        "training that runs share counts where it comes first; of its CPU time, which no record states apart, it is "
        "taken to have the share that it has of the wall time."
    )
    lacking = [r.key for r in runs if r.cost.lacks_seconds]
    notes = (f"Resumed, so that seconds of killed sittings may be missing: {', '.join(lacking)}.",) if lacking else ()
    return Table(columns, tuple(rows), caption, notes)
