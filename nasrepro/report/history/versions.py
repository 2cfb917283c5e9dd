"""The versions of the records in a history: when each came and went, what it answered, what it is compared with."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import Field

from nasrepro.parameters.base import ADDED
from nasrepro.report.history.file import Entry, Pair, part_of
from nasrepro.report.history.repository import Commit, Name, Repository
from nasrepro.runs.claims import load_claims, measured
from nasrepro.runs.plan import load_plan, planned
from nasrepro.runs.records import Record

_PLACE = ("benchmark", "space", "dataset", "device", "latency")  # parameters that say where a run takes place
_SAME = (*_PLACE, "percentile", "queries", "cells", "protocol", "lower_percentiles")  # and of what its number is
_HEADLINES = ("best_valid", "val", "feasibility")


class Version(Entry):
    """A version of a record in the history, with its content."""

    record: dict[str, Any] = Field(exclude=True)

    @classmethod
    def of(cls, record: dict[str, Any], added: str) -> Version:
        """Return the version of a record that a commit added."""
        return cls(
            experiment=record["experiment"],
            key=record["key"],
            parts=[],
            created=record["created"][:16].replace("T", " "),
            seed=record["parameters"].get("seed"),
            code=(record["code"]["git_commit"] or "")[:10],
            added=added,
            record=record,
        )

    @property
    def parameters(self) -> dict[str, Any]:
        """Its parameters, also those that were added later, and the version of the method."""
        return {**ADDED, **self.record["parameters"], "method_version": self.record["method_version"]}

    @property
    def answered(self) -> set[tuple[str, str]]:
        """The claims that it answered, each with the reading."""
        return {(claim, reading) for claim, readings in self.answers.items() for reading in readings}

    def since(self, before: Version) -> dict[str, Pair]:
        """Return the parameters in which it differs from another version, with both values."""
        a, b = before.parameters, self.parameters
        return {k: (a.get(k), b.get(k)) for k in sorted(a.keys() | b.keys()) if a.get(k) != b.get(k)}


def versions(repository: Repository, commits: Sequence[Commit]) -> dict[Name, Version]:
    """Return every version of every record that was ever in the tree: when it came and went."""
    found: dict[Name, Version] = {}
    records = {c.name: c.records for c in commits}
    for c in commits:
        before = [records[p] for p in c.parents] or [frozenset()]
        for name in sorted(c.records.difference(*before) - found.keys()):  # a merge adds what no parent has
            found[name] = Version.of(json.loads(repository.git("cat-file", "blob", name[1])), c.name)
        for name in frozenset.intersection(*before) - c.records:
            found[name].removed = found[name].removed or c.name
    for name in commits[-1].records:
        found[name].removed = None
    return found


def compared(found: Iterable[Version]) -> list[Version]:
    """Fill in where each version belongs and what it changed; return them in the order of experiment and time."""
    ordered = sorted(found, key=lambda one: (one.experiment, one.record["created"], one.key))
    for one in ordered:
        one.parts = list(dict.fromkeys(map(part_of, one.answers))) or [_planned(one)]
        one.numbers = {} if one.answers else _numbers(one)
        if base := _base(one, ordered):
            one.after, one.changed = base.key, one.since(base)
    return ordered


def _base(one: Version, known: Sequence[Version]) -> Version | None:
    """Return the run to compare with: what gave the same answer before it; for others the nearest of their place that
    answered."""

    def place(version: Version) -> list[Any]:
        return [version.experiment, *(version.parameters.get(name) for name in _PLACE)]

    same = [other for other in known if other is not one and place(other) == place(one)]
    earlier = [other for other in same if other.record["created"] < one.record["created"]]
    if one.answers:
        return next((o for o in reversed(earlier) if o.answered & one.answered), None)
    told = [o for o in earlier if o.answers] or [o for o in same if o.answers] or earlier[-1:]
    return min(reversed(told), key=lambda o: len(one.since(o)), default=None)


def _planned(one: Version) -> str:
    """Return the part of the book that the plan gives to the run most like a record."""
    runs = [p for p in load_plan() if p.experiment == one.experiment]
    if not runs:
        return f"none.{one.experiment}"
    given = one.parameters
    best = max(runs, key=lambda p: sum(1 if given.get(k) == v else -1 for k, v in p.parameters.items()))
    return f"{best.paper}.{best.part.lower().replace(' ', '').replace('figure', 'fig')}"


def _numbers(one: Version) -> dict[str, float]:
    """Return the numbers that the claims of a run's place would take; where there is no claim, means over its rows."""
    record, given = Record.model_validate(one.record), one.parameters
    found: dict[str, float] = {}
    for claim, answer in ((c, a) for c in load_claims() for a in c.ours):
        entry = planned(answer.part)
        fits = entry.experiment == one.experiment and all(
            given.get(k) == v for k, v in entry.resolved.items() if k in _SAME
        )
        if fits and (not found or part_of(claim.id) == part_of(next(iter(found)))):
            number, _ = measured(record, answer)
            if number is not None:
                found[claim.id] = round(number.mean, 6)
    rows = [] if found else [r for r in record.metrics.get("rows", []) if r.get("searcher") == "dinas"]
    for name in _HEADLINES:
        if values := [r[name]["mean"] for r in rows if isinstance(r.get(name), dict) and r[name]["mean"] is not None]:
            found[name] = round(sum(values) / len(values), 6)
    return found
