"""What `data/generations.json` holds: every record that was ever committed, every change of what answers a claim."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from nasrepro.errors import CorruptData
from nasrepro.files import paths
from nasrepro.files.storage import write_atomically
from nasrepro.parameters.base import ADDED
from nasrepro.runs.claims import load_claims, measured
from nasrepro.runs.evidence import Claim
from nasrepro.runs.plan import load_plan, planned
from nasrepro.runs.records import Record

HERE = "here"  # stands for the commit that holds this version of the file, which has no hash while it is written
REPEAT = "Run `python -m nasrepro.report.history.collect` in a checkout with its whole history."
FIXED = ("printed", "unit", "direction", "tolerance")  # fields of a claim that results may never move
OURS = "ours, no verdict"  # since verdicts are of runs as printed alone
OWN = "ours"  # in the place of a reading: ours is named by its settings, and they are what changes
STATED, WITHDRAWN = "stated", "withdrawn"  # in the place of a field, where a whole claim came or went
_PLACE = ("benchmark", "space", "dataset", "device", "latency")  # parameters that say where a run takes place
_SAME = (*_PLACE, "percentile", "queries", "cells", "protocol", "lower_percentiles")  # and of what its number is
_HEADLINES = ("best_valid", "val", "feasibility")

Told = tuple[str, float | None, str]  # a verdict, our number, and the first commit that said so
Pair = tuple[Any, Any]  # a value before and after


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Entry(_Model):
    """One version of one record.

    Attributes:
        parts: the tables and figures whose claims it answered (`dinas.table4`), else where the plan shows such a run.
        created: when the run finished, to the minute.
        code: the commit that ran, "" where the record names none.
        added: the commit that put it into the tree.
        removed: the commit that took it out, None while it is there.
        lost: the commit by which it had ceased to answer any claim, None while it answers one or where it never did.
        after: the key of the run that `changed` compares it with, None for the first of its place or reading.
        changed: parameter (or `method_version`) -> its value in that run and here.
        answers: claim -> reading of the paper, or `OWN` -> the verdicts that it was given, each once.
        numbers: for a record that answered none: claim -> the number that it would have taken, or field -> mean.
    """

    experiment: str
    key: str
    parts: list[str]
    created: str
    profile: str
    seed: Any = None
    code: str = ""
    added: str
    removed: str | None = None
    lost: str | None = None
    after: str | None = None
    changed: dict[str, Pair] = {}
    answers: dict[str, dict[str, list[Told]]] = {}
    numbers: dict[str, float] = {}


class Change(_Model):
    """What a commit changed in one field of the claims of a part.

    Attributes:
        field: the field, or `stated` or `withdrawn`.
        claims: how many claims changed.
        settings: what changed within the field, by dotted names; several pairs where claims changed unlike.
        answered: how many of them a committed record had ever answered before.
        at_once: how many were answered in the commit itself.
        finished: how many records of their experiments, committed by then or later, had been made before.
    """

    commit: str
    part: str
    field: str
    claims: int
    settings: dict[str, list[Pair]] = {}
    answered: int = 0
    at_once: int = 0
    finished: int = 0


class History(_Model):
    """The file: `commits` has the date (UTC) and subject of each commit named, `failed` those whose claims could not be
    read, `printed` the values that the claims quote."""

    commits: dict[str, tuple[str, str]]
    failed: dict[str, str] = {}
    printed: dict[str, float]
    selection: list[Change]
    records: list[Entry]


def load(path: Path | None = None) -> History:
    """Read the committed file; raise `CorruptData` when it is not what it should be."""
    path = path or paths.data_dir() / "generations.json"
    try:
        return History.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise CorruptData(f"{path} does not hold the earlier generations: {error}. {REPEAT}") from error


def save(history: History, path: Path) -> None:
    """Write the file, one item a line, and without what is empty."""
    parts = []
    for name, value in history.model_dump(exclude_defaults=True, mode="json").items():
        items = [
            json.dumps(item, ensure_ascii=False) for item in (value if isinstance(value, list) else value.values())
        ]
        lines = (
            items if isinstance(value, list) else [f"{json.dumps(k)}: {v}" for k, v in zip(value, items, strict=True)]
        )
        opened, closed = "[]" if isinstance(value, list) else "{}"
        parts.append(f'"{name}": {opened}\n' + ",\n".join(lines) + f"\n{closed}")
    write_atomically(path, ("{\n" + ",\n".join(parts) + "\n}\n").encode())


def part_of(claim: str) -> str:
    """Return the table or figure of a claim: `delta.fig4` of `delta.fig4b.accuracy_ahead`."""
    paper, name = claim.split(".")[:2]
    return f"{paper}.{name.rstrip('ab') if name.startswith('fig') else name}"


@dataclass
class Life:
    """A version of a record in the history: its content, when it came and went, what it was said to show."""

    record: dict[str, Any]
    added: str
    removed: str | None = None
    lost: str | None = None
    answers: dict[str, dict[str, list[Told]]] = field(default_factory=dict)

    @property
    def answered(self) -> set[tuple[str, str]]:
        """The claims that it answered, each with the reading."""
        return {(claim, reading) for claim, readings in self.answers.items() for reading in readings}


def entries(found: Sequence[Life]) -> list[Entry]:
    """Return an entry for each version of a record, in the order of experiment and time."""
    claims = load_claims()
    ordered = sorted(found, key=lambda one: (one.record["experiment"], one.record["created"], one.record["key"]))
    out = []
    for life in ordered:
        r, base = life.record, _base(life, ordered)
        parts = dict.fromkeys(part_of(name) for name in life.answers) or {_planned(r): None}
        out.append(
            Entry(
                experiment=r["experiment"],
                key=r["key"],
                parts=list(parts),
                created=r["created"][:16].replace("T", " "),
                profile=r["profile"],
                seed=r["parameters"].get("seed"),
                code=(r["code"]["git_commit"] or "")[:10],
                added=life.added,
                removed=life.removed,
                lost=life.lost,
                after=base.record["key"] if base else None,
                changed=_differences(base.record, r) if base else {},
                answers=life.answers,
                numbers={} if life.answers else _numbers(r, claims),
            )
        )
    return out


def _base(life: Life, known: Sequence[Life]) -> Life | None:
    """Return the run to compare with: what gave the same answer before it; for others the nearest of their place that
    answered."""
    place = {name: life.record["parameters"].get(name) for name in _PLACE}
    same = [
        other
        for other in known
        if other is not life
        and other.record["experiment"] == life.record["experiment"]
        and all(other.record["parameters"].get(name) == value for name, value in place.items())
    ]
    earlier = [other for other in same if other.record["created"] < life.record["created"]]
    if life.answers:
        return next((o for o in reversed(earlier) if o.answered & life.answered), None)
    told = [o for o in earlier if o.answers] or [o for o in same if o.answers] or earlier[-1:]
    return min(reversed(told), key=lambda o: len(_differences(o.record, life.record)), default=None)


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Pair]:
    a, b = ({**ADDED, **r["parameters"], "method_version": r["method_version"]} for r in (old, new))
    return {k: (a.get(k), b.get(k)) for k in sorted(a.keys() | b.keys()) if a.get(k) != b.get(k)}


def _planned(record: Mapping[str, Any]) -> str:
    """Return the part of the book that the plan gives to the run most like a record."""
    given = {**ADDED, **record["parameters"]}
    runs = [p for p in load_plan() if p.experiment == record["experiment"]]
    if not runs:
        return f"none.{record['experiment']}"
    alike = [sum(1 if given.get(k) == v else -1 for k, v in p.parameters.items()) for p in runs]
    best = runs[alike.index(max(alike))]
    return f"{best.paper}.{best.part.lower().replace(' ', '').replace('figure', 'fig')}"


def _numbers(content: Mapping[str, Any], claims: Sequence[Claim]) -> dict[str, float]:
    """Return the numbers that the claims of a run's place would take; where there is no claim, means over its rows."""
    record, given = Record.model_validate(content), {**ADDED, **content["parameters"]}
    found: dict[str, float] = {}
    for claim, answer in ((c, a) for c in claims for a in c.ours):
        entry = planned(answer.part)
        fits = entry.experiment == record.experiment and all(
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
