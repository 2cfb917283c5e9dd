"""Every record that was ever committed, told from the git history: `python -m nasrepro.study.generations`.

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

from nasrepro import paths
from nasrepro.errors import NasreproError
from nasrepro.storage import write_atomically
from nasrepro.study.generation_file import (
    FIXED,
    HERE,
    STATED,
    WITHDRAWN,
    Change,
    Entry,
    History,
    Life,
    Pair,
    entries,
    part_of,
    save,
)
from nasrepro.study.repository import Commit, Name, Repository

SELECTION = ("experiment", "match", "at_least", "profiles", "select", "not_comparable", "not_run")


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
    answers: dict[str, dict[str, Name]] = {}  # commit -> claim -> what answers it
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
        by_key = {Path(name[0]).parent.name: name for name in repository.records(c)}
        answers[c.name] = {r["id"]: by_key[r["runs"][0]] for r in results if r["runs"]}
        ever[c.name] = set(answers[c.name]).union(*(ever[p] for p in c.parents))
        printed |= {r["id"]: r["printed"] for r in results}
        for r in (r for r in results if r["runs"]):
            told = found[answers[c.name][r["id"]]].answers.setdefault(r["id"], [])
            number = None if r["ours"] is None else round(r["ours"], 6)
            if (r["verdict"], number) not in [one[:2] for one in told]:
                told.append((r["verdict"], number, c.name))
        for name in {name for p in c.parents for name in answers[p].values()} - set(answers[c.name].values()):
            found[name].lost = found[name].lost or c.name
        had = set().union(*(ever[p] for p in c.parents))
        selection += changes(repository, c, [known[p] for p in c.parents], had, set(answers[c.name]), found)
    for name in answers[commits[-1].name].values():
        found[name].lost = None
    sys.stderr.write("\n")
    records = entries(list(found.values()))
    subjects = {c: repository.git("log", "-1", "--format=%s", c).strip() for c in _named(records, selection, failed)}
    told_of = {c: (known[c].date, subject) for c, subject in subjects.items()}
    return History(commits=told_of, failed=failed, printed=printed, selection=selection, records=records)


def _kept_verdicts(repository: Repository, c: Commit) -> list[dict[str, Any]] | str:
    """Return the verdicts of a commit, from the cache where they have been asked for before: they never change."""
    name = hashlib.sha256(" ".join(c.state).encode()).hexdigest()[:16]
    path = paths.cache_dir() / "generations" / f"{name}.json"
    if not path.is_file():
        write_atomically(path, json.dumps(repository.verdicts(c.tree)).encode())
    kept: list[dict[str, Any]] | str = json.loads(path.read_text(encoding="utf-8"))
    return kept


def _named(records: Sequence[Entry], selection: Sequence[Change], failed: Mapping[str, str]) -> list[str]:
    """Return the commits that the file names, but for the one that will hold it."""
    by = {told[2] for e in records for answer in e.answers.values() for told in answer}
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
