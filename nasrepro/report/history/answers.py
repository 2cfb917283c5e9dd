"""The answers that claims were given, generation by generation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from nasrepro.report.history.file import OURS, OWN, Entry, History, Told, part_of
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
        return self.run.answers[self.claim][self.reading]

    @property
    def name(self) -> tuple[str, str, str]:
        """Its name among what is said now."""
        return self.claim, self.reading, self.run.key


@dataclass(frozen=True)
class Generation:
    """The answers that stood at one time; `n` is 1 for the first."""

    experiment: str
    reading: str
    n: int
    answers: Sequence[Answered]

    @property
    def runs(self) -> list[Entry]:
        """The runs that gave them."""
        return runs_of([self])


def said_now(committed: Sequence[Run]) -> Live:
    """Return what is said now: the verdict of a run as printed, none of ours."""
    return {
        (e.claim.id, OWN if e.method == OWN else e.reading, e.runs[0]): e.verdict or OURS
        for e in claims.evaluate(committed)
        if e.runs
    }


def generations(history: History, part: str) -> list[Generation]:
    """Return the generations of answers to claims of a part; counted answer by answer, ours first: readings that stand
    side by side are no generations of each other."""
    answering: dict[tuple[str, str], list[Entry]] = {}
    for entry in history.records:
        for claim in (c for c in entry.answers if part_of(c) == part):
            for reading in entry.answers[claim]:
                answering.setdefault((claim, reading), []).append(entry)
    groups: dict[tuple[str, bool, str, int], list[Answered]] = {}
    for (claim, reading), told in answering.items():
        for n, entry in enumerate(sorted(told, key=lambda e: e.created), 1):
            place = entry.experiment, reading != OWN, reading, n
            groups.setdefault(place, []).append(Answered(claim, reading, entry))
    return [Generation(x, reading, n, groups[x, read, reading, n]) for x, read, reading, n in sorted(groups)]


def earlier(history: History, part: str) -> int:
    """Return how many generations of any answer to a claim of a part there were before the present one."""
    return max((g.n for g in generations(history, part)), default=1) - 1


def runs_of(found: Iterable[Generation]) -> list[Entry]:
    """Return the runs of some generations, each once."""
    return list({id(one.run): one.run for generation in found for one in generation.answers}.values())


def first_verdicts(history: History, found: Iterable[Generation]) -> list[str]:
    """Return the verdict that each claim was given first, one a claim."""
    said: dict[str, dict[str, list[str]]] = {}  # claim -> date -> verdicts of its readings
    for one in (one for generation in found for one in generation.answers):
        verdict, _, commit = one.first
        said.setdefault(one.claim, {}).setdefault(history.date(commit), []).append(verdict)
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
