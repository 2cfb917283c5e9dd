"""The answers that claims were given, generation by generation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from nasrepro.report.history.file import HERE, OURS, OWN, Entry, History, Told, part_of
from nasrepro.runs import claims
from nasrepro.runs.records import Run

Live = Mapping[tuple[str, str, str], str]  # claim, reading, key -> the verdict that the committed records give now


class Answered(NamedTuple):
    """A claim, the reading in which it was answered, and the run that did."""

    claim: str
    reading: str
    run: Entry

    @property
    def first(self) -> Told:
        """What was said when the run first answered."""
        return self.run.answers[self.claim][self.reading][0]

    @property
    def name(self) -> tuple[str, str, str]:
        """Its name among what is said now."""
        return self.claim, self.reading, self.run.key


Group = list[Answered]


def said_now(committed: Sequence[Run]) -> Live:
    """Return what is said now: the verdict of a run as printed, none of ours."""
    return {
        (e.claim.id, OWN if e.method == OWN else e.reading, e.runs[0]): e.verdict or OURS
        for e in claims.evaluate(committed)
        if e.runs
    }


def grouped(history: History, part: str) -> dict[tuple[str, str, int], Group]:
    """Return (experiment, reading, generation) -> the answers to claims of a part; counted answer by answer, ours
    first: readings that stand side by side are no generations of each other."""
    answering: dict[tuple[str, str], list[Entry]] = {}
    for entry in history.records:
        for claim in (c for c in entry.answers if part_of(c) == part):
            for reading in entry.answers[claim]:
                answering.setdefault((claim, reading), []).append(entry)
    groups: dict[tuple[str, str, int], Group] = {}
    for (claim, reading), told in answering.items():
        for n, entry in enumerate(sorted(told, key=lambda e: e.created), 1):
            groups.setdefault((entry.experiment, reading, n), []).append(Answered(claim, reading, entry))
    return dict(sorted(groups.items(), key=lambda item: (item[0][0], item[0][1] != OWN, item[0])))


def runs_of(groups: Iterable[Group]) -> list[Entry]:
    """Return the runs of some groups, each once."""
    return list({id(one.run): one.run for group in groups for one in group}.values())


def first_verdicts(history: History, groups: Mapping[tuple[str, str, int], Group]) -> list[str]:
    """Return the verdict that each claim was given first, one a claim."""
    said: dict[str, dict[str, list[str]]] = {}  # claim -> date -> verdicts of its readings
    for one in (one for group in groups.values() for one in group):
        verdict, _, commit = one.first
        date = history.commits[commit][0] if commit != HERE else "here"  # sorts after all dates
        said.setdefault(one.claim, {}).setdefault(date, []).append(verdict)
    return [_one(dates[min(dates)]) for dates in said.values()]


def present_verdicts(live: Live, part: str) -> list[str]:
    """Return the present verdict on each claim of a part that a run answers, one a claim."""
    said: dict[str, list[str]] = {}
    for (claim, _, _), verdict in live.items():
        if part_of(claim) == part:
            said.setdefault(claim, []).append(verdict)
    return [_one(verdicts) for verdicts in said.values()]


def _one(said: Sequence[str]) -> str:
    return claims.decided([v for v in said if v != OURS]) or OURS
