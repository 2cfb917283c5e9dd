"""Every record that was ever committed, told from the git history: `python -m nasrepro.report.history.collect`.

A record that is replaced leaves no trace in the tree, and a choice made after looking at results inflates them. So this
module walks the history of `data/records` and of `data/claims.yml`, asks the code of each commit for the verdicts that
it gave, and writes what it finds to `data/generations.json`. The book reads that file (`generation_pages`) and needs no
git. The first time it takes some minutes, nearly all of them for the verdicts, which the cache keeps.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nasrepro.errors import NasreproError
from nasrepro.files import paths
from nasrepro.files.storage import write_atomically
from nasrepro.report.history.file import (
    FIXED,
    HERE,
    OURS,
    OWN,
    STATED,
    WITHDRAWN,
    Change,
    Entry,
    History,
    Life,
    Pair,
    Told,
    entries,
    part_of,
    save,
)
from nasrepro.report.history.repository import Commit, Name, Repository

SELECTION = ("experiment", "match", "at_least", "profiles", "select", "not_comparable", "not_run")
UNNAMED = ""  # the reading of a verdict from before there were readings


def lives(repository: Repository, commits: Sequence[Commit]) -> dict[Name, Life]:
    """Return every version of every record that was ever in the tree."""
    found: dict[Name, Life] = {}
    trees = {c.name: repository.records(c) for c in commits}
    for c in commits:
        before: list[set[Name]] = [trees[p] for p in c.parents] or [set()]
        for name in sorted(trees[c.name].difference(*before) - found.keys()):  # a merge adds what no parent has
            found[name] = Life(json.loads(repository.git("cat-file", "blob", name[1])), c.name)
        for name in set.intersection(*before) - trees[c.name]:
            found[name].removed = found[name].removed or c.name
    for name in trees[commits[-1].name]:
        found[name].removed = None
    return found


def collect(root: Path) -> History:
    """Walk the history, ask each commit whose claims, records or rules changed for its verdicts, and return it all."""
    repository = Repository(root)
    commits = list(repository.commits())
    known = {c.name: c for c in commits}
    found = lives(repository, commits)
    said: dict[tuple[str, ...], list[dict[str, Any]] | str] = {}
    answers: dict[str, dict[tuple[str, str], Name]] = {}  # commit -> claim and reading -> what answers it
    ever: dict[str, set[str]] = {}  # commit -> claims that had been answered up to it
    failed: dict[str, str] = {}
    printed: dict[str, float] = {}
    selection: list[Change] = []
    for n, c in enumerate(commits):
        if c.state[1] and c.state not in said:
            sys.stderr.write(f"\r{n + 1} of {len(commits)} commits")
            said[c.state] = _kept_verdicts(repository, c)
        results = said.get(c.state, [])
        if isinstance(results, str):
            failed[c.name], results = results, []
        answers[c.name] = answered(results, repository.records(c), c.name, found)
        now = {claim for claim, _ in answers[c.name]}
        ever[c.name] = now.union(*(ever[p] for p in c.parents))
        printed |= {r["id"]: r["printed"] for r in results}
        for name in {name for p in c.parents for name in answers[p].values()} - set(answers[c.name].values()):
            found[name].lost = found[name].lost or c.name
        had = set().union(*(ever[p] for p in c.parents))
        selection += changes(repository, c, [known[p] for p in c.parents], had, now, found)
    for name in answers[commits[-1].name].values():
        found[name].lost = None
    sys.stderr.write("\n")
    name_readings(list(found.values()))
    records = entries(list(found.values()))
    subjects = {c: repository.git("log", "-1", "--format=%s", c).strip() for c in _named(records, selection, failed)}
    told_of = {c: (known[c].date, subject) for c, subject in subjects.items()}
    return History(commits=told_of, failed=failed, printed=printed, selection=selection, records=records)


def answered(
    results: Sequence[Mapping[str, Any]], present: set[Name], commit: str, found: Mapping[Name, Life]
) -> dict[tuple[str, str], Name]:
    """Return which record answers which claim in which reading (`UNNAMED` before there were readings), and note what
    a commit says of each record in its life."""
    by_key = {Path(name[0]).parent.name: name for name in present}
    answers: dict[tuple[str, str], Name] = {}
    for r in (r for r in results if r["runs"]):
        reading = UNNAMED if "method" not in r else OWN if r["method"] == OWN else r["reading"]
        name = answers[r["id"], reading] = by_key[r["runs"][0]]
        number = None if r["ours"] is None else round(r["ours"], 6)
        _tell(
            found[name].answers.setdefault(r["id"], {}).setdefault(reading, []), (r["verdict"] or OURS, number, commit)
        )
    return answers


def _tell(told: list[Told], new: Told) -> None:
    if new[:2] not in [one[:2] for one in told]:
        told.append(new)


def name_readings(found: Sequence[Life]) -> None:
    """Give the answers from before there were readings to the reading that goes on with them.

    That is the one that the same run answers, with the same number if there are several; else ours, which had the
    verdicts until then; else the first.
    """
    for claim in {claim for life in found for claim in life.answers}:
        told = [life.answers[claim] for life in found if claim in life.answers]
        known = dict.fromkeys(r for one in told for r in one if r != UNNAMED)
        numbers = [{r: {n for _, n, _ in said} for r, said in one.items()} for one in told if UNNAMED in one]

        def fits(reading: str, numbers: Sequence[Mapping[str, set[float | None]]] = numbers) -> tuple[int, bool, bool]:
            same = [one for one in numbers if reading in one]
            return sum(bool(one[reading] & one[UNNAMED]) for one in same), bool(same), reading == OWN

        goes_on = max(known, key=fits, default=OWN)
        for one in (one for one in told if UNNAMED in one):
            before, after = one.pop(UNNAMED), one.pop(goes_on, [])
            for new in after:
                _tell(before, new)
            one[goes_on] = before


def _kept_verdicts(repository: Repository, c: Commit) -> list[dict[str, Any]] | str:
    """Return the verdicts of a commit, from the cache where they have been asked for before: they never change.

    What could not be read is not kept: another part of the code may be why.
    """
    name = hashlib.sha256(" ".join(c.state).encode()).hexdigest()[:16]
    path = paths.cache_dir() / "generations" / f"{name}.json"
    if path.is_file():
        kept: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
        return kept
    said = repository.verdicts(c.tree)
    if not isinstance(said, str):
        write_atomically(path, json.dumps(said).encode())
    return said


def _named(records: Sequence[Entry], selection: Sequence[Change], failed: Mapping[str, str]) -> list[str]:
    """Return the commits that the file names, but for the one that will hold it."""
    by = {told[2] for e in records for readings in e.answers.values() for said in readings.values() for told in said}
    names = {n for e in records for n in (e.added, e.removed, e.lost) if n} | by | {c.commit for c in selection}
    return sorted((names | failed.keys()) - {HERE})


def changes(
    repository: Repository,
    c: Commit,
    parents: Sequence[Commit],
    had: set[str],
    now: set[str],
    found: Mapping[Name, Life],
) -> list[Change]:
    """Return what a commit changed in the claims; what a merge has from one of its parents is not its own."""
    new, olds = repository.claims(c), [repository.claims(p) for p in parents]
    groups: dict[tuple[str, str], list[str]] = {}
    for name in dict.fromkeys([*new, *(n for old in olds for n in old)]):
        if not olds or any(old.get(name) == new.get(name) for old in olds):
            continue
        before, after = olds[0].get(name), new.get(name)
        fields = [STATED] if before is None else [WITHDRAWN]
        if before is not None and after is not None:
            # claims made by patterns have no fields that say what answers them: the plan does
            both = before.keys() & after.keys() if "experiment" not in after else {*before, *after}
            fields = [f for f in (*FIXED, *SELECTION) if f in both and before.get(f) != after.get(f)]
        for changed in fields:
            groups.setdefault((part_of(name), changed), []).append(name)
    out = []
    for (part, what), names in groups.items():
        experiments = {(new.get(n) or olds[0][n]).get("experiment") for n in names}
        made = [r for life in found.values() if (r := life.record)["experiment"] in experiments]
        out.append(
            Change(
                commit=c.name,
                part=part,
                field=what,
                claims=len(names),
                settings=_settings(what, names, olds[0], new),
                answered=len(had & set(names)),
                at_once=len(now & set(names)),
                finished=sum(r["created"][:16].replace("T", " ") <= c.date for r in made),
            )
        )
    return out


def _settings(what: str, names: Sequence[str], old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, list[Pair]]:
    """Return what changed within a field, by dotted names."""
    found: dict[str, list[Pair]] = {}
    for name in names if what not in (STATED, WITHDRAWN) else ():
        a, b = (_flat(version[name].get(what), what) for version in (old, new))
        for key in sorted(k for k in a.keys() | b.keys() if a.get(k) != b.get(k)):
            if (pair := (a.get(key), b.get(key))) not in found.setdefault(key, []):
                found[key].append(pair)
    return found


def _flat(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        return {name: value}
    prefix = "" if name == "profiles" else f"{name}."
    return {k: v for key, part in value.items() for k, v in _flat(part, f"{prefix}{key}").items()}


if __name__ == "__main__":
    try:
        save(collect(paths.data_dir().parent), paths.data_dir() / "generations.json")
    except NasreproError as problem:
        sys.exit(str(problem))
