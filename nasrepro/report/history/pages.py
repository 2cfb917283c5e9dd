"""The page on earlier generations: for each table and figure, what was run, what it showed and what took its place."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

from nasrepro.parameters.base import ADDED
from nasrepro.report.fragments import Fragments, table
from nasrepro.report.history.answers import Group, Live, first_verdicts, grouped, present_verdicts, runs_of, said_now
from nasrepro.report.history.file import (
    FIXED,
    HERE,
    OWN,
    STATED,
    Change,
    Entry,
    History,
    Pair,
    load,
)
from nasrepro.report.rendering import Column, Row, Table
from nasrepro.runs.records import Run

PARTS = (
    *(f"dinas.table{n}" for n in range(1, 9)),
    "dinas.text",
    "delta.table1",
    *(f"delta.fig{n}" for n in (3, 4, 5)),
)
_FIRST = "first"
_VERDICTS = ("better", "reproduced", "worse", "not comparable")


def write(out: Fragments, committed: Sequence[Run]) -> None:
    """Write the summary, a part for each table and figure, the rest, and the changes of what answers a claim."""
    history, live = load(), said_now(committed)
    out.write("generations", [table("generations", summary_table(history, live))], ["table-generations"])
    for part in PARTS:
        name, parts, ids = _name(part), [], []
        if (shown := generation_table(history, part, live)).rows:
            parts.append(table(name, shown))
            ids.append(f"table-{name}")
        else:
            parts.append(f"No committed record has answered a claim of {title(part)} yet.")
        if (dropped := dropped_table(history, [part])).rows:
            parts.append(table(f"{name}-dropped", dropped))
            ids.append(f"table-{name}-dropped")
        out.write(name, parts, ids)
    rest = sorted({p for e in history.records for p in e.parts} - set(PARTS))
    out.write("generations-rest", [table("generations-rest", dropped_table(history, rest))], ["table-generations-rest"])
    shown = selection_table(history)
    out.write("generations-selection", [table("generations-selection", shown)], ["table-generations-selection"])


def values(committed: Sequence[Run]) -> dict[str, float | int | str | None]:
    """Return what sentences quote: `generations.records`, `.removed` and `.commits`, and for each table or figure
    `generations.<part>.earlier` (generations before the present one), `.first.<verdict>` and `.now.<verdict>`."""
    history, live = load(), said_now(committed)
    removed = [e for e in history.records if e.removed]
    found: dict[str, float | int | str | None] = {
        "generations.records": len(history.records),
        "generations.removed": len(removed),
        "generations.commits": len({e.added for e in history.records}),
        "generations.fixed_changes": sum(c.claims for c in history.selection if c.field in FIXED),
    }
    for part in PARTS:
        groups = grouped(history, part)
        found[f"generations.{part}.earlier"] = max((n for *_, n in groups), default=1) - 1
        first, now = Counter(first_verdicts(history, groups)), Counter(present_verdicts(live, part))
        for verdict in _VERDICTS:
            name = verdict.replace(" ", "-")
            found |= {
                f"generations.{part}.first.{name}": first[verdict],
                f"generations.{part}.now.{name}": now[verdict],
            }
    return found


def title(part: str) -> str:
    """Return what a part is called: `DiNAS, Table 4`."""
    paper, name = part.split(".")
    known = {"dinas": "DiNAS", "delta": "Delta-NAS", "both": "both papers", "none": "in no plan"}
    for short, word in (("table", "Table"), ("fig", "Figure")):
        if name.startswith(short) and name[len(short) :].isdigit():
            return f"{known[paper]}, {word} {name[len(short) :]}"
    others = {"datacards": "data cards", "text": "sentences of the text", "fullprofile": "full profile"}
    return others.get(name, name) + f" ({known[paper]})"


def generation_table(history: History, part: str, live: Live) -> Table:
    """Return the generations of a table or figure, the earliest first.

    Args:
        history: the file.
        part: as in `PARTS`.
        live: what the committed records say now.
    """
    groups = grouped(history, part)
    columns = (
        Column("Generation"),
        Column("Answer"),
        Column("Finished (UTC)"),
        Column("Runs", numeric=True),
        Column("What changed"),
        Column("Ours then"),
        Column("Verdict then"),
        Column("Until"),
    )
    several = len({experiment for experiment, _, _ in groups}) > 1
    rows = []
    for (experiment, reading, n), group in groups.items():
        runs = runs_of([group])
        later = runs_of(g for (x, r, m), g in groups.items() if (x, r) == (experiment, reading) and m > n)
        cells = (
            f"{n}, `{experiment}`" if several else f"{n}",
            OWN if reading == OWN else f"as printed: {reading}",
            _when(runs),
            f"{len(runs)}",
            _what(runs, later, n),
            _ours(history, group),
            _verdicts(group, live),
            _until(history, group, live),
        )
        rows.append(Row(cells, "ours" if any(one.name in live for one in group) else ""))
    more = [e for e in history.records if part in e.parts and not e.answers and not e.removed]
    counted = ", ".join(f"{k} `{x}`" for x, k in Counter(e.experiment for e in more).items())
    notes = [f"Beside them, runs that never answered a claim here (trials, variations, searches): {counted}."] * bool(
        more
    )
    seeds = sorted({f"{e.seed}" for e in runs_of(groups.values())})
    notes += [f"Seed of every run in this table: {', '.join(seeds)}."] if seeds and seeds != ["None"] else []
    caption = f"{title(part)}: the runs that have answered its claims, one row a generation."
    return Table(columns, tuple(rows), caption, tuple(notes))


def dropped_table(history: History, parts: Sequence[str]) -> Table:
    """Return the runs of some parts that never answered a claim and were taken out."""
    columns = (
        Column("Run"),
        Column("Finished (UTC)"),
        Column("Against which run, and what differs"),
        Column("Ours"),
        Column("Taken out"),
    )
    rows = []
    for e in history.records:
        if e.answers or not e.removed or not set(e.parts) & set(parts):
            continue
        against = f"`{e.after}`: {_pairs(e.changed) or 'the code alone'}" if e.after else "the first of its kind"
        numbers = "; ".join(f"{c.split('.', 2)[-1]} {_number(v)}" for c, v in e.numbers.items()) or "no claim takes one"
        rows.append(Row((f"`{e.experiment}/{e.key}`", e.created, against, numbers, _commit(history, e.removed))))
    where = title(parts[0]) if len(parts) == 1 else "Outside the tables and figures"
    caption = f"{where}: runs that answered no claim and were taken out of the tree."
    return Table(columns, tuple(rows), caption)


def summary_table(history: History, live: Live) -> Table:
    """Return a row for each table and figure: how often it was made anew, and how its verdicts moved."""
    columns = (
        Column("Part"),
        Column("Generations", numeric=True),
        Column("First verdicts"),
        Column("Verdicts now"),
        Column("Runs that answered (taken out)", numeric=True),
        Column("Other runs (taken out)", numeric=True),
    )
    rows = []
    for part in PARTS:
        groups = grouped(history, part)
        told = runs_of(groups.values())
        other = [e for e in history.records if part in e.parts and not e.answers]
        first, now = first_verdicts(history, groups), present_verdicts(live, part)
        counts = (f"{len(runs)} ({sum(bool(e.removed) for e in runs)})" for runs in (told, other))
        most = max((n for *_, n in groups), default=0)
        rows.append(Row((title(part), f"{most}", _tally(first), _tally(now), *counts)))
    caption = (
        "How often the runs behind each table and figure were made anew: the most generations of any answer to one of "
        "its claims, the runs, and the first and the present verdicts on the claims that a run answers, one a claim, "
        "as on the front page."
    )
    failed = [f"`{c[:7]}`: the claims of that commit could not be read ({why})." for c, why in history.failed.items()]
    return Table(columns, tuple(rows), caption, tuple(failed))


def selection_table(history: History) -> Table:
    """Return each commit that changed which run may answer a claim, with what was known by then."""
    columns = (
        Column("Commit"),
        Column("Claims of"),
        Column("What changed"),
        Column("Claims", numeric=True),
        Column("Of these answered before", numeric=True),
        Column("Runs finished before", numeric=True),
    )
    changes: dict[str, list[Change]] = {}
    for change in history.selection:
        if change.field != STATED:
            changes.setdefault(change.commit, []).append(change)
    rows = []
    for commit, made in sorted(changes.items(), key=lambda item: history.commits.get(item[0], (item[0],))[0]):
        by_part = {c.part: c for c in sorted(made, key=lambda c: c.claims)}
        settings: dict[str, list[Pair]] = {}
        for name, pairs in (item for c in made for item in c.settings.items()):
            settings[name] = [*settings.get(name, []), *(p for p in pairs if p not in settings.get(name, []))]
        cells = (
            _commit(history, commit),
            ", ".join(title(part) for part in dict.fromkeys(c.part for c in made)),
            _selected(settings),
            f"{sum(c.claims for c in by_part.values())}",
            f"{sum(c.answered for c in by_part.values())}",
            f"{max(c.finished for c in made)}",
        )
        rows.append(Row(cells))
    fixed = sum(c.claims for c in history.selection if c.field in FIXED)
    stated = [c for c in history.selection if c.field == STATED]
    at_once = ", ".join(f"{c.at_once} of {title(c.part)}" for c in stated if c.at_once)
    caption = (
        f"Changes in which run may answer a claim, by commit. {len(rows)} commits made one; {fixed} claims had their "
        f"{', '.join(FIXED[:-1])} or {FIXED[-1]} changed by any commit."
    )
    notes = (
        "Answered before: claims on which a committed record had already given a verdict. Runs finished before: "
        "committed runs of the same experiments, also trials, that had ended when the commit was made.",
        f"Claims that were stated when a committed record already answered them: {at_once or 'none'}.",
    )
    return Table(columns, tuple(rows), caption, notes)


def _when(runs: Sequence[Entry]) -> str:
    first, last = min(e.created for e in runs), max(e.created for e in runs)
    return first if first == last else f"{first} to {last[11:] if last[:10] == first[:10] else last}"


def _what(runs: Sequence[Entry], later: Sequence[Entry], n: int) -> str:
    """Return what a generation changed; of the first, the settings that were changed later."""
    if n == 1:
        starts: dict[str, Any] = {}
        for entry in later:
            for name, (old, _) in entry.changed.items():
                starts.setdefault(name, old)
        settings = ", ".join(f"{name.replace('_', ' ')} {_value(value)}" for name, value in starts.items())
        told = f"{_FIRST}: {settings}" if settings else _FIRST
    else:
        each = [e.changed for e in runs]
        common = {k: v for k, v in each[0].items() if all(other.get(k) == v for other in each)}
        unlike = sorted({k for changed in each for k in changed} - common.keys())
        told = (
            "; ".join(filter(None, [_pairs(common), f"in some {', '.join(unlike)}" * bool(unlike)])) or "the code alone"
        )
    codes = ", ".join(f"`{code}`" for code in dict.fromkeys(e.code[:7] for e in runs if e.code))
    return f"{told}; code of {codes}" if codes else told


def _ours(history: History, group: Group) -> str:
    """Return our numbers: one by one where a field has one claim, else their distances from the printed values."""
    texts = []
    for name, claimed in _by_field(group).items():
        numbers = {one.claim: one.first[1] for one in claimed}
        known = {claim: ours for claim, ours in numbers.items() if ours is not None}
        if not known:
            texts.append(f"{name}: no value")
        elif len(claimed) == 1:
            [(claim, ours)] = known.items()
            texts.append(f"{name} {_number(ours)}, printed {history.printed[claim]:g}")
        else:
            away = [ours - history.printed[claim] for claim, ours in known.items()]
            spread = f"{median(away):+.2f} (from {min(away):+.2f} to {max(away):+.2f})"
            texts.append(f"{name}: ours minus printed {spread}")
    return "; ".join(texts)


def _verdicts(group: Group, live: Live) -> str:
    """Return the verdicts then and, where they are others now, the present ones."""
    texts = []
    fields = _by_field(group)
    parts = fields if any(len(claimed) > 1 for claimed in fields.values()) else {"": group}
    for name, claimed in parts.items():
        then = _tally(one.first[0] for one in claimed)
        now = _tally(live[one.name] for one in claimed if one.name in live)
        told = f"{then}, now {now}" if now not in ("none", then) else then
        texts.append(f"{name}: {told}" if name else told)
    return "; ".join(texts)


def _until(history: History, group: Group, live: Live) -> str:
    if all(one.name in live for one in group):
        return "answers now"
    texts = []
    for lost, removed in dict.fromkeys((one.run.lost, one.run.removed) for one in group if one.name not in live):
        told = _commit(history, lost) if lost else "answers no claim now"
        texts.append(told + (f"; taken out by `{removed[:7]}`" if removed and removed != lost else ""))
    return "; ".join(texts)


def _by_field(group: Group) -> dict[str, Group]:
    fields: dict[str, Group] = {}
    for one in group:
        fields.setdefault(one.claim.rpartition(".")[2], []).append(one)
    return fields


def _selected(settings: Mapping[str, Sequence[Pair]]) -> str:
    """Return what a commit changed; names that it only spelt out, with the value that held anyway, are told as such."""
    spelt = [k for k, pairs in settings.items() if pairs == [(None, ADDED.get(k.split(".")[-1], k))]]
    told = ", ".join(_pairs({k: pair}) for k, pairs in settings.items() for pair in pairs if k not in spelt)
    named = ", ".join(dict.fromkeys(k.split(".")[-1].replace("_", " ") for k in spelt))
    return "; ".join(filter(None, [told, f"spelt out, with the value that held anyway: {named}" if spelt else ""]))


def _pairs(changed: Mapping[str, Pair]) -> str:
    return ", ".join(f"{k.replace('_', ' ')} {_value(old)} → {_value(new)}" for k, (old, new) in changed.items())


def _value(value: Any) -> str:
    if value is None:
        return "unset"
    return value if isinstance(value, str) else json.dumps(value)


def _number(value: float) -> str:
    return f"{value:.2f}" if abs(value) >= 10 else f"{value:.3g}"


def _tally(verdicts: Iterable[str]) -> str:
    counted = Counter(verdicts)
    names = [*_VERDICTS, *(v for v in counted if v not in _VERDICTS)]
    return ", ".join(f"{counted[v]} {v}" for v in names if counted[v]) or "none"


def _commit(history: History, name: str) -> str:
    if name == HERE:
        return "with this version"
    date, subject = history.commits[name]
    return f"{date}, `{name[:7]}`: {subject.replace('`', '')}"


def _name(part: str) -> str:
    return f"generations-{part.replace('.', '-')}"
