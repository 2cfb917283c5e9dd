"""The papers' claims, fixed in `data/claims.yml`, and the verdicts that the committed records give them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from nasrepro import paths
from nasrepro.errors import CorruptData
from nasrepro.parameters.base import ADDED
from nasrepro.study import records
from nasrepro.study.records import Record
from nasrepro.study.statistics import Summary

Verdict = Literal["reproduced", "better", "worse", "not comparable", "not run"]
FETCH_TEST = "nasrepro data fetch nb201-test"
PLACE = ("space", "dataset", "device", "latency")  # parameters that say where a run takes place, not how
_ROUNDING = 1e-9  # so that a difference of exactly the tolerance counts as within it


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Select(_Model):
    """Which number of a record answers the claim: a field of a row of `metrics["rows"]`, or of `metrics["speed"]`.

    `scale` turns it into the unit of the claim, e.g. 100 where a record has a share and the paper prints per cent.
    """

    part: Literal["rows", "speed"] = "rows"
    searcher: str = ""
    protocol: str = ""
    field: str
    scale: float = 1.0

    def of(self, record: Record) -> dict[str, Any] | None:
        """Return the selected number as a summary (`mean`, `n`, ...), None where the record has none."""
        if self.part == "speed":
            value = record.metrics.get("speed", {}).get(self.field)
            return None if value is None else {"mean": value, "low": None, "high": None, "median": value, "n": 1}
        row = metric_row(record, self.searcher, self.protocol)
        found: dict[str, Any] | None = row.get(self.field) if row else None
        return found


class NotRun(_Model):
    """Why a claim has no answer yet, and the command that would give one."""

    reason: str
    command: str


class Claim(_Model):
    """One printed number with everything that decides its verdict; `data/claims.yml` explains the fields."""

    id: str
    paper: str
    location: str
    statement: str
    printed: float
    unit: str
    direction: Literal["higher", "lower"]
    tolerance: float = Field(ge=0)
    tolerance_reason: str
    experiment: str | None = None
    match: dict[str, Any] = {}
    at_least: dict[str, float] = {}
    profiles: dict[str, dict[str, Any]] = {}
    select: Select | None = None
    command: str | None = None
    not_run: NotRun | None = None
    not_comparable: str | None = None

    @model_validator(mode="after")
    def _answerable_or_not_run(self) -> Claim:
        runnable = self.experiment is not None and self.select is not None and self.command is not None
        if runnable == (self.not_run is not None):
            raise ValueError("a claim has either experiment, select and command, or not_run")
        return self


@dataclass(frozen=True)
class ClaimResult:
    """The verdict on a claim.

    Attributes:
        claim: the claim.
        verdict: see `Verdict`.
        ours: our mean in the claim's unit, None where not run.
        ci95: ends of its 95 % interval, None where not run or where one run says nothing about the spread.
        n: number of runs behind the mean.
        runs: keys of the records that answer.
        reason: why there is no number, or what the reader should know about it; may be empty.
        command: what to do about a missing number, else None.
    """

    claim: Claim
    verdict: Verdict
    ours: float | None = None
    ci95: tuple[float, float] | None = None
    n: int = 0
    runs: tuple[str, ...] = ()
    reason: str = ""
    command: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the seven keys that `nasrepro claims --json` prints."""
        return {
            "id": self.claim.id,
            "printed": self.claim.printed,
            "ours": self.ours,
            "ci95": list(self.ci95) if self.ci95 else None,
            "n": self.n,
            "verdict": self.verdict,
            "runs": list(self.runs),
        }


def load_claims(path: Path | None = None) -> list[Claim]:
    """Read the claims, in the order of the file; raise `CorruptData` when the file is not what it should be."""
    path = path or paths.data_dir() / "claims.yml"
    try:
        claims = [Claim.model_validate(entry) for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["claims"]]
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValidationError) as error:
        raise CorruptData(
            f"{path} does not hold the claims: {error}. Restore it: `git checkout data/claims.yml`."
        ) from error
    names = [claim.id for claim in claims]
    if repeated := sorted({n for n in names if names.count(n) > 1}):
        raise CorruptData(f"{path} states a claim twice: {', '.join(repeated)}. Remove one of them.")
    return claims


def shortfalls(claim: Claim, record: Record) -> list[str]:
    """Return what keeps a run of the claim's experiment from answering it, one phrase each; empty when it answers."""
    found, wrong = record.parameters, []
    if record.profile not in claim.profiles:
        wrong.append(f"profile is {record.profile}, not {' or '.join(claim.profiles)}")
    for name, value in (claim.profiles.get(record.profile, {}) | claim.match).items():
        if found.get(name, ADDED.get(name)) != value:
            wrong.append(f"{name} is {found.get(name)}, not {value}")
    for name, least in claim.at_least.items():
        if not isinstance(found.get(name), int | float) or found[name] < least:
            wrong.append(f"{name} is {found.get(name)}, less than {least:g}")
    return wrong


def same_place(claim: Claim, record: Record) -> bool:
    """Return whether a run took place where the claim asks: on its data set, device and so on."""
    return all(record.parameters.get(k) == v for k, v in claim.match.items() if k in PLACE)


def answering_record(claim: Claim, candidates: Iterable[Record]) -> Record | None:
    """Return the record that answers a claim: of the first profile in its order that has one, the newest."""
    fitting = [r for r in candidates if r.experiment == claim.experiment and not shortfalls(claim, r)]
    for profile in claim.profiles:
        if of_profile := [r for r in fitting if r.profile == profile]:
            return max(of_profile, key=lambda r: (r.created, r.key))
    return None


def metric_row(record: Record, searcher: str, protocol: str) -> dict[str, Any] | None:
    """Return the row of `metrics["rows"]` of a searcher under a protocol, None when the record has none."""
    rows: list[dict[str, Any]] = record.metrics.get("rows", [])
    return next((r for r in rows if r["searcher"] == searcher and r["protocol"] == protocol), None)


def judge(claim: Claim, ours: float) -> Verdict:
    """Return the verdict on a claim for one number of ours."""
    difference = ours - claim.printed
    if claim.not_comparable:
        return "not comparable"
    if abs(difference) <= claim.tolerance + _ROUNDING:
        return "reproduced"
    return "better" if (difference > 0) == (claim.direction == "higher") else "worse"


def answer(claim: Claim, candidates: Sequence[Record]) -> ClaimResult:
    """Return the verdict on a claim."""
    if claim.not_run:
        return ClaimResult(claim, "not run", reason=claim.not_run.reason, command=claim.not_run.command)
    record = answering_record(claim, candidates)
    if record is None or claim.select is None:
        return ClaimResult(claim, "not run", reason=_why_none(claim, candidates), command=claim.command)
    values = claim.select.of(record)
    if values and values.get("mean") is None and values.get("n") == 0:  # a share of the valid samples where none was
        reason = f"run {record.key} has nothing to take this of: none of its samples was valid"
        return ClaimResult(claim, "not comparable", runs=(record.key,), reason=reason)
    if not values or values.get("mean") is None:
        lacks_test = claim.select.field == "test" and bool(record.metrics.get("rows"))
        reason = f"run {record.key} had no test accuracy" if lacks_test else f"run {record.key} has no such number"
        command = f"{FETCH_TEST} && {claim.command}" if lacks_test else claim.command
        return ClaimResult(claim, "not run", reason=reason, command=command)
    scale = claim.select.scale
    ours = Summary.of({k: v if k == "n" or v is None else scale * v for k, v in values.items()})
    assert ours.mean is not None
    return ClaimResult(
        claim,
        judge(claim, ours.mean),
        ours=ours.mean,
        ci95=None if ours.low is None or ours.high is None else (ours.low, ours.high),
        n=ours.n,
        runs=(record.key,),
        reason=claim.not_comparable or _remark(claim, record),
    )


def _why_none(claim: Claim, candidates: Sequence[Record]) -> str:
    """Say why no record answers; name the nearest one, so that a changed default does not look like a missing run."""
    same = [r for r in candidates if r.experiment == claim.experiment and same_place(claim, r)]
    if not same:
        where = ", ".join(str(v) for k, v in claim.match.items() if k in PLACE)
        return f"no committed run of {claim.experiment}" + (f" on {where}" if where else "")
    nearest = min(((shortfalls(claim, r), r.key) for r in same), key=lambda pair: (len(pair[0]), pair[1]))
    return f"no committed run fits; in run {nearest[1]} {'; '.join(nearest[0])}"


def _remark(claim: Claim, record: Record) -> str:
    """Say what the printed test accuracies of Table 2 are compared with: no searcher can choose by test accuracy."""
    optimum = record.metrics.get("optimum", {})
    if claim.select is None or claim.select.field != "test" or optimum.get("test_of_it") is None:
        return ""
    of_it, best = optimum["test_of_it"], optimum["best_test"]
    if of_it >= best:
        return f"the cell with the best validation accuracy also has the best test accuracy, {best:.2f} {claim.unit}"
    text = f"the cell with the best validation accuracy has {of_it:.2f} {claim.unit} test accuracy"
    return f"{text}; the highest of any cell is {best:.2f} {claim.unit}"


def evaluate(candidates: Iterable[Record], claims: Sequence[Claim] | None = None) -> list[ClaimResult]:
    """Return the verdict on every claim (by default those of `data/claims.yml`) from finished records."""
    known = list(candidates)
    return [answer(claim, known) for claim in (load_claims() if claims is None else claims)]


def committed_results() -> list[ClaimResult]:
    """Return the verdict on every claim from the committed records."""
    return evaluate(record for _, record in records.find(paths.records_dir()))


def claims_json(results: Iterable[ClaimResult] | None = None) -> str:
    """Return what `nasrepro claims --json` prints: a JSON list of objects with the keys of `ClaimResult.to_json`."""
    results = committed_results() if results is None else results
    return json.dumps([result.to_json() for result in results], indent=1)
