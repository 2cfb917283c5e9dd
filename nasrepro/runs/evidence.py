"""What an answer to a claim is made of: the claim, where our number is, the number, its verdict and its control."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Verdict = Literal[
    "reproduced",
    "better",
    "worse",
    "confirmed",
    "contradicted",
    "undecided",
    "undecided (trained less)",
    "depends on the reading",
    "cannot be reached",
    "not comparable",
    "not run",
]
VERDICTS: tuple[Verdict, ...] = Verdict.__args__  # type: ignore[attr-defined]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Answer(_Model):
    """Where a number of ours is: a part of the plan, a row of its record's metrics, a field of the row.

    `scale` turns it into the unit of the claim, e.g. 100 where a record has a share and the paper prints per cent.
    """

    reading: str
    part: str
    row: tuple[str, str] | Literal["speed"]
    field: str
    scale: float = 1.0
    departures: tuple[str, ...] = ()
    fewer_labels: bool = False


class Control(_Model):
    """What an answer is held against: another row of its record, or of another part of the plan."""

    name: str
    row: tuple[str, str]
    part: str | None = None
    field: str | None = None


class Claim(_Model):
    """One statement of a paper with everything that decides its verdict; `data/claims.yml` explains the fields."""

    id: str
    paper: str
    location: str
    statement: str
    printed: float
    digits: int
    unit: str
    better: Literal["higher", "lower"] | None = None
    bound: Literal["above", "below", "at_most", "about"] | None = None
    tolerance: float = Field(0.0, ge=0)
    tolerance_reason: str = ""
    ceiling: str | None = None
    not_comparable: str | None = None
    not_run: str | None = None
    as_printed: tuple[Answer, ...] = ()
    ours: tuple[Answer, ...] = ()
    control: Control | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Claim:
        if (self.better is None) == (self.bound is None):
            raise ValueError(f"{self.id} is a printed value (`better`) or a statement (`bound`), one of the two")
        if not (self.as_printed or self.ours or self.not_run):
            raise ValueError(f"{self.id} has no answer, and no reason for it")
        return self


@dataclass(frozen=True)
class Measured:
    """A number of ours in the unit of its claim: mean, ends of its 95 % interval (None where it has none), number of
    runs behind it."""

    mean: float
    ci95: tuple[float, float] | None
    n: int

    @property
    def ends(self) -> tuple[float, float]:
        """The interval, or the mean twice."""
        return self.ci95 or (self.mean, self.mean)


@dataclass(frozen=True)
class Evidence:
    """One answer to a claim.

    Attributes:
        claim: the claim.
        method: `as printed` or `ours`.
        reading: which reading of the paper, or which variant of ours.
        found: our number, None where there is none.
        verdict: of an answer as printed; None for ours.
        control: name and number of what it is held against, None where there is no such thing.
        departures: what was done otherwise than printed.
        runs: keys of the records behind the number.
        reason: why there is no number, or what the reader should know about it; may be empty.
        command: what makes a missing record, else None.
    """

    claim: Claim
    method: Literal["as printed", "ours"]
    reading: str
    found: Measured | None = None
    verdict: Verdict | None = None
    control: tuple[str, Measured] | None = None
    departures: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    reason: str = ""
    command: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the entry that `nasrepro claims --json` prints."""
        found, control = self.found, None
        if self.control is not None:
            name, beside = self.control
            control = {"name": name, "value": beside.mean, "ci95": list(beside.ci95) if beside.ci95 else None}
        return {
            "id": self.claim.id,
            "method": self.method,
            "reading": self.reading,
            "printed": self.claim.printed,
            "ours": found.mean if found else None,
            "ci95": list(found.ci95) if found and found.ci95 else None,
            "n": found.n if found else 0,
            "verdict": self.verdict,
            "control": control,
            "departures": list(self.departures),
            "runs": list(self.runs),
            "statement": self.claim.statement,
        }
