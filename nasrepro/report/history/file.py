"""What `data/generations.json` holds: every record that was ever committed, every change of what answers a claim."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from nasrepro.errors import CorruptData
from nasrepro.files import paths
from nasrepro.files.storage import write_atomically

HERE = "here"  # stands for the commit that holds this version of the file, which has no hash while it is written
REPEAT = "Run `python -m nasrepro.report.history.collect` in a checkout with its whole history."
FIXED = ("printed", "unit", "direction", "tolerance")  # fields of a claim that results may never move
OURS = "ours, no verdict"  # since verdicts are of runs as printed alone
OWN = "ours"  # in the place of a reading: ours is named by its settings, and they are what changes
STATED, WITHDRAWN = "stated", "withdrawn"  # in the place of a field, where a whole claim came or went

Told = tuple[str, float | None, str]  # a verdict, our number, and the commit that said so
Pair = tuple[Any, Any]  # a value before and after


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


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
        answers: claim -> reading of the paper, or `OWN` -> what was said when it first answered.
        numbers: for a record that answered none: claim -> the number that it would have taken, or field -> mean.
    """

    experiment: str
    key: str
    parts: list[str]
    created: str
    seed: Any = None
    code: str = ""
    added: str
    removed: str | None = None
    lost: str | None = None
    after: str | None = None
    changed: dict[str, Pair] = {}
    answers: dict[str, dict[str, Told]] = {}
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
    records: Sequence[Entry]

    def date(self, commit: str) -> str:
        """Return when a commit was made (UTC); of the one that holds the file what sorts after all dates."""
        return self.commits[commit][0] if commit != HERE else HERE


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
        if isinstance(value, dict):
            lines = [f"{json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in value.items()]
        else:
            lines = [json.dumps(item, ensure_ascii=False) for item in value]
        opened, closed = "{}" if isinstance(value, dict) else "[]"
        parts.append(f'"{name}": {opened}\n' + ",\n".join(lines) + f"\n{closed}")
    write_atomically(path, ("{\n" + ",\n".join(parts) + "\n}\n").encode())


def part_of(claim: str) -> str:
    """Return the table or figure of a claim: `delta.fig4` of `delta.fig4b.accuracy_ahead`."""
    paper, name = claim.split(".")[:2]
    return f"{paper}.{name.rstrip('ab') if name.startswith('fig') else name}"
