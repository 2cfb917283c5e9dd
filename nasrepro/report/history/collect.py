"""Every record that was ever committed, told from the git history: `python -m nasrepro.report.history.collect`.

A record that is replaced leaves no trace in the tree, and a choice made after looking at results inflates them. So this
module walks the history of `data/records` and of `data/claims.yml`, asks the code of each commit for the verdicts that
it gave, and writes what it finds to `data/generations.json`. The book reads that file (`generation_pages`) and needs no
git. The first time it takes some minutes, nearly all of them for the verdicts, which the cache keeps.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.progress import track

from nasrepro.errors import NasreproError
from nasrepro.files import paths
from nasrepro.report.history.file import FIXED, HERE, OURS, OWN, STATED, WITHDRAWN, Change, History, Pair, part_of, save
from nasrepro.report.history.repository import Commit, Name, Repository
from nasrepro.report.history.versions import Version, compared, versions

SELECTION = ("experiment", "match", "at_least", "profiles", "select", "not_comparable", "not_run")
UNNAMED = ""  # the reading of a verdict from before there were readings


def collect(root: Path) -> History:
    """Walk the history, ask each commit for its verdicts, and return it all."""
    repository = Repository(root)
    commits = repository.commits()
    known = {c.name: c for c in commits}
    found = versions(repository, commits)
    answers: dict[str, dict[tuple[str, str], Name]] = {}  # commit -> claim and reading -> what answers it
    ever: dict[str, set[str]] = {}  # commit -> claims that had been answered up to it
    failed: dict[str, str] = {}
    printed: dict[str, float] = {}
    selection: list[Change] = []
    for c in track(commits, "Verdicts of commits"):
        results: list[dict[str, Any]] = []
        try:
            results = repository.verdicts(c)
        except NasreproError as problem:
            failed[c.name] = str(problem)
        printed |= {r["id"]: r["printed"] for r in results}
        answers[c.name] = answered(results, c, found)
        now = {claim for claim, _ in answers[c.name]}
        had = set().union(*(ever[p] for p in c.parents))
        ever[c.name] = had | now
        for name in {name for p in c.parents for name in answers[p].values()} - set(answers[c.name].values()):
            found[name].lost = found[name].lost or c.name
        selection += changes(repository, c, [known[p] for p in c.parents], had, now, found.values())
    for name in answers[commits[-1].name].values():
        found[name].lost = None
    name_readings(found.values())
    records = compared(found.values())
    said = [told for e in records for readings in e.answers.values() for told in readings.values()]
    named = {commit for e in records for commit in (e.added, e.removed, e.lost) if commit}
    named |= {commit for _, _, commit in said} | {c.commit for c in selection} | failed.keys()
    told_of = {
        c: (known[c].date, repository.git("log", "-1", "--format=%s", c).strip()) for c in sorted(named - {HERE})
    }
    return History(commits=told_of, failed=failed, printed=printed, selection=selection, records=records)


def answered(
    results: Sequence[Mapping[str, Any]], commit: Commit, found: Mapping[Name, Version]
) -> dict[tuple[str, str], Name]:
    """Return which record answers which claim in which reading (`UNNAMED` before there were readings), and note what
    a commit is the first to say of a record in its life."""
    by_key = {Path(name[0]).parent.name: name for name in commit.records}
    answers: dict[tuple[str, str], Name] = {}
    for r in (r for r in results if r["runs"]):
        reading = UNNAMED if "method" not in r else OWN if r["method"] == OWN else r["reading"]
        name = answers[r["id"], reading] = by_key[r["runs"][0]]
        number = None if r["ours"] is None else round(r["ours"], 6)
        found[name].answers.setdefault(r["id"], {}).setdefault(reading, (r["verdict"] or OURS, number, commit.name))
    return answers


def name_readings(found: Collection[Version]) -> None:
    """Give the answers from before there were readings to the reading that goes on with them.

    That is the one in which the same runs gave the same number; else ours, which had the verdicts until then.
    """
    for claim in {claim for version in found for claim in version.answers}:
        told = [one for version in found if UNNAMED in (one := version.answers.get(claim, {}))]
        same = Counter(reading for one in told for reading in one if one[reading][1] == one[UNNAMED][1])
        del same[UNNAMED]
        goes_on = max(same, key=lambda reading: (same[reading], reading == OWN), default=OWN)
        for one in told:
            one[goes_on] = one.pop(UNNAMED)


def changes(
    repository: Repository,
    c: Commit,
    parents: Sequence[Commit],
    had: set[str],
    now: set[str],
    found: Collection[Version],
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
        out.append(
            Change(
                commit=c.name,
                part=part,
                field=what,
                claims=len(names),
                settings={} if what in (STATED, WITHDRAWN) else _settings(what, names, olds[0], new),
                answered=len(had & set(names)),
                at_once=len(now & set(names)),
                finished=sum(one.experiment in experiments and one.created <= c.date for one in found),
            )
        )
    return out


def _settings(what: str, names: Sequence[str], old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, list[Pair]]:
    """Return what changed within a field, by dotted names."""
    found: dict[str, list[Pair]] = {}
    for name in names:
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
