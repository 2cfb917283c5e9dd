"""The page on earlier generations: for each table and figure, what was run, what it showed and what took its place."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

from nasrepro.parameters.base import ADDED
from nasrepro.report.history.answers import (
    Answered,
    Generation,
    Live,
    earlier,
    first_verdicts,
    generations,
    present_verdicts,
    runs_of,
)
from nasrepro.report.history.file import FIXED, HERE, OWN, STATED, Change, Entry, History, Pair
from nasrepro.report.rendering import Table, number, tabulate, text
from nasrepro.report.verbs import holds

PARTS = (*(f"dinas.table{n}" for n in range(1, 9)), "dinas.text", "delta.table1", *(f"delta.fig{n}" for n in (3, 4, 5)))
_FIRST = "first"
_VERDICTS = ("better", "reproduced", "worse", "not comparable")
_NAMES = {"dinas": "DiNAS", "delta": "Delta-NAS", "both": "both papers", "none": "in no plan"}
_OTHERS = {"datacards": "data cards", "text": "sentences of the text", "fullprofile": "full profile"}


def numbers(history: History) -> dict[str, float | str | None]:
    """Return what sentences quote: `generations.records`, `.removed`, `.commits` and `.fixed_changes` (claims), and for
    each table or figure `.<part>.earlier` (generations before the present one) and `.<part>.first.<verdict>`."""
    found: dict[str, float | str | None] = {
        "generations.records": len(history.records),
        "generations.removed": sum(bool(e.removed) for e in history.records),
        "generations.commits": len({e.added for e in history.records}),
        "generations.fixed_changes": sum(c.claims for c in history.selection if c.field in FIXED),
    }
    replaced = {part: earlier(history, part) for part in PARTS}
    for part in PARTS:
        first = Counter(first_verdicts(history, generations(history, part)))
        found |= {f"generations.{part}.first.{verdict}": first[verdict] for verdict in _VERDICTS}
    most = replaced["dinas.table4"] == max(replaced.values())
    return found | {
        **{f"generations.{part}.earlier": n for part, n in replaced.items()},
        "generations.most": holds(most, "as many as any", "fewer than another"),
        "generations.table3": holds(replaced["dinas.table3"] == 1, "once", "not once"),
    }


def title(part: str) -> str:
    """Return what a part is called: `DiNAS, Table 4`."""
    paper, name = part.split(".")
    for short, word in (("table", "Table"), ("fig", "Figure")):
        if name.startswith(short) and name[len(short) :].isdigit():
            return f"{_NAMES[paper]}, {word} {name[len(short) :]}"
    return f"{_OTHERS.get(name, name)} ({_NAMES[paper]})"


def generation_table(history: History, part: str, live: Live) -> Table | None:
    """Return the generations of a table or figure, the earliest first; None where no record has answered a claim.

    Args:
        history: the file.
        part: as in `PARTS`.
        live: what the committed records say now.
    """
    found = generations(history, part)
    if not found:
        return None
    several = len({g.experiment for g in found}) > 1
    columns = (
        text("Generation", lambda g: f"{g.n}, `{g.experiment}`" if several else f"{g.n}"),
        text("Answer", lambda g: OWN if g.reading == OWN else f"as printed: {g.reading}"),
        text("Finished (UTC)", lambda g: _when(g.runs)),
        number("Runs", lambda g: len(g.runs)),
        text("What changed", lambda g: _what(g, found)),
        text("Ours then", lambda g: _ours(history, g.answers)),
        text("Verdict then", lambda g: _verdicts(g.answers, live)),
        text("Until", lambda g: _until(history, g.answers, live)),
    )
    more = Counter(e.experiment for e in history.records if part in e.parts and not e.answers and not e.removed)
    counted = ", ".join(f"{k} `{x}`" for x, k in more.items())
    seeds = ", ".join(sorted({f"{e.seed}" for e in runs_of(found)} - {"None"}))
    notes = (
        f"Beside them, runs that never answered a claim here (trials, variations, searches): {counted}." * bool(more),
        f"Seed of every run in this table: {seeds}." * bool(seeds),
    )
    return tabulate(
        columns,
        found,
        f"{title(part)}: the runs that have answered its claims, one row a generation.",
        filter(None, notes),
        kind=lambda g: "ours" if any(one.name in live for one in g.answers) else "",
        name=f"generations-{part.replace('.', '-')}",
    )


def dropped_table(history: History, *parts: str) -> Table | None:
    """Return the runs of a part, or of all outside `PARTS`, that answered no claim and were taken out; None if none."""
    wanted = set(parts) or {p for e in history.records for p in e.parts} - set(PARTS)
    items = [e for e in history.records if e.removed and not e.answers and set(e.parts) & wanted]
    columns = (
        text("Run", lambda e: f"`{e.experiment}/{e.key}`"),
        text("Finished (UTC)", lambda e: e.created),
        text("Against which run, and what differs", _against),
        text("Ours", _numbers),
        text("Taken out", lambda e: _commit(history, e.removed)),
    )
    where = title(parts[0]) if parts else "Outside the tables and figures"
    caption = f"{where}: runs that answered no claim and were taken out of the tree."
    name = f"generations-{parts[0].replace('.', '-')}-dropped" if parts else "generations-rest"
    return tabulate(columns, items, caption, kind="", name=name) if items else None


def _against(e: Entry) -> str:
    return f"`{e.after}`: {_pairs(e.changed) or 'the code alone'}" if e.after else "the first of its kind"


def _numbers(e: Entry) -> str:
    return "; ".join(f"{c.split('.', 2)[-1]} {_number(v)}" for c, v in e.numbers.items()) or "no claim takes one"


def summary_table(history: History, live: Live) -> Table:
    """Return a row for each table and figure: how often it was made anew, and how its verdicts moved."""
    found = {part: generations(history, part) for part in PARTS}
    others = {part: [e for e in history.records if part in e.parts and not e.answers] for part in PARTS}

    def counted(runs: Sequence[Entry]) -> str:
        return f"{len(runs)} ({sum(bool(e.removed) for e in runs)})"

    columns = (
        text("Part", title),
        number("Generations", lambda part: max((g.n for g in found[part]), default=0)),
        text("First verdicts", lambda part: _tally(first_verdicts(history, found[part]))),
        text("Verdicts now", lambda part: _tally(present_verdicts(live, part))),
        number("Runs that answered (taken out)", lambda part: counted(runs_of(found[part]))),
        number("Other runs (taken out)", lambda part: counted(others[part])),
    )
    caption = (
        "How often the runs behind each table and figure were made anew: the most generations of any answer to one of "
        "its claims, the runs, and the first and the present verdicts on the claims that a run answers, one a claim, "
        "as on the front page."
    )
    failed = [f"`{c[:7]}`: the claims of that commit could not be read ({why})." for c, why in history.failed.items()]
    return tabulate(columns, PARTS, caption, failed, kind="", name="generations")


def selection_table(history: History) -> Table:
    """Return each commit that changed which run may answer a claim, with what was known by then."""
    changes: dict[str, list[Change]] = {}
    for change in sorted(history.selection, key=lambda c: history.date(c.commit)):
        if change.field != STATED:
            changes.setdefault(change.commit, []).append(change)
    columns = (
        text("Commit", lambda made: _commit(history, made[0].commit)),
        text("Claims of", lambda made: ", ".join(title(part) for part in dict.fromkeys(c.part for c in made))),
        text("What changed", _selected),
        number("Claims", lambda made: sum(c.claims for c in _widest(made))),
        number("Of these answered before", lambda made: sum(c.answered for c in _widest(made))),
        number("Runs finished before", lambda made: max(c.finished for c in made)),
    )
    fixed = sum(c.claims for c in history.selection if c.field in FIXED)
    stated = [c for c in history.selection if c.field == STATED]
    at_once = ", ".join(f"{c.at_once} of {title(c.part)}" for c in stated if c.at_once)
    caption = (
        f"Changes in which run may answer a claim, by commit. {len(changes)} commits made one; {fixed} claims had "
        f"their {', '.join(FIXED[:-1])} or {FIXED[-1]} changed by any commit."
    )
    notes = (
        "Answered before: claims on which a committed record had already given a verdict. Runs finished before: "
        "committed runs of the same experiments, also trials, that had ended when the commit was made.",
        f"Claims that were stated when a committed record already answered them: {at_once or 'none'}.",
    )
    return tabulate(columns, changes.values(), caption, notes, kind="", name="generations-selection")


def _widest(made: Sequence[Change]) -> Iterable[Change]:
    """Return of each part the change of most claims."""
    return {c.part: c for c in sorted(made, key=lambda c: c.claims)}.values()


def _when(runs: Sequence[Entry]) -> str:
    first, last = min(e.created for e in runs), max(e.created for e in runs)
    return first if first == last else f"{first} to {last[11:] if last[:10] == first[:10] else last}"


def _what(g: Generation, found: Sequence[Generation]) -> str:
    """Return what a generation changed; of the first, the settings that were changed later."""
    if g.n == 1:
        starts: dict[str, Any] = {}
        for entry in runs_of(o for o in found if (o.experiment, o.reading) == (g.experiment, g.reading) and o.n > 1):
            for name, (old, _) in entry.changed.items():
                starts.setdefault(name, old)
        told = _FIRST + ": " * bool(starts) + ", ".join(f"{_words(name)} {_value(old)}" for name, old in starts.items())
    else:
        each = [e.changed for e in g.runs]
        common = {k: v for k, v in each[0].items() if all(other.get(k) == v for other in each)}
        unlike = sorted({k for changed in each for k in changed} - common.keys())
        texts = [_pairs(common), f"in some {', '.join(unlike)}" * bool(unlike)]
        told = "; ".join(filter(None, texts)) or "the code alone"
    codes = ", ".join(f"`{code}`" for code in dict.fromkeys(e.code[:7] for e in g.runs if e.code))
    return f"{told}; code of {codes}" if codes else told


def _ours(history: History, answers: Sequence[Answered]) -> str:
    """Return our numbers: one by one where a field has one claim, else their distances from the printed values."""
    texts = []
    for name, claimed in _by_field(answers).items():
        known = {one.claim: ours for one in claimed if (ours := one.first[1]) is not None}
        away = [ours - history.printed[claim] for claim, ours in known.items()]
        if not known:
            texts.append(f"{name}: no value")
        elif len(claimed) == 1:
            [(claim, ours)] = known.items()
            texts.append(f"{name} {_number(ours)}, printed {history.printed[claim]:g}")
        else:
            spread = f"{median(away):+.2f} (from {min(away):+.2f} to {max(away):+.2f})"
            texts.append(f"{name}: ours minus printed {spread}")
    return "; ".join(texts)


def _verdicts(answers: Sequence[Answered], live: Live) -> str:
    """Return the verdicts then and, where they are others now, the present ones."""
    texts = []
    fields = _by_field(answers)
    parts = fields if any(len(claimed) > 1 for claimed in fields.values()) else {"": answers}
    for name, claimed in parts.items():
        then = _tally(one.first[0] for one in claimed)
        now = _tally(live[one.name] for one in claimed if one.name in live)
        told = f"{then}, now {now}" if now not in ("none", then) else then
        texts.append(f"{name}: {told}" if name else told)
    return "; ".join(texts)


def _until(history: History, answers: Sequence[Answered], live: Live) -> str:
    gone = [one.run for one in answers if one.name not in live]
    texts = []
    for lost, removed in dict.fromkeys((run.lost, run.removed) for run in gone):
        told = _commit(history, lost) if lost else "answers no claim now"
        texts.append(told + (f"; taken out by `{removed[:7]}`" if removed and removed != lost else ""))
    return "; ".join(texts) or "answers now"


def _by_field(answers: Sequence[Answered]) -> dict[str, list[Answered]]:
    fields: dict[str, list[Answered]] = {}
    for one in answers:
        fields.setdefault(one.claim.rpartition(".")[2], []).append(one)
    return fields


def _selected(made: Sequence[Change]) -> str:
    """Return what a commit changed; names that it only spelt out, with the value that held anyway, are told as such."""
    settings: dict[str, list[Pair]] = {}
    for name, pairs in (item for c in made for item in c.settings.items()):
        known = settings.setdefault(name, [])
        known += [pair for pair in pairs if pair not in known]
    spelt = [k for k, pairs in settings.items() if pairs == [(None, ADDED.get(k.split(".")[-1], k))]]
    told = ", ".join(_pairs({k: pair}) for k, pairs in settings.items() for pair in pairs if k not in spelt)
    named = ", ".join(dict.fromkeys(_words(k.split(".")[-1]) for k in spelt))
    return "; ".join(filter(None, [told, f"spelt out, with the value that held anyway: {named}" if spelt else ""]))


def _pairs(changed: Mapping[str, Pair]) -> str:
    return ", ".join(f"{_words(k)} {_value(old)} → {_value(new)}" for k, (old, new) in changed.items())


def _words(name: str) -> str:
    return name.replace("_", " ")


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
