"""What the papers state, and what our records say to it: as printed, which gets a verdict, and ours, which gets none.

`data/claims.yml` has the patterns, `data/paper/*.csv` the printed numbers, and `data/plan.yml` the run behind each
answer. Every printed number is answered twice: by the method as the paper prints it, in one or several readings, and by
the best variant that we know. Both stand beside their control.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import ValidationError

from nasrepro.errors import CorruptData
from nasrepro.files import paths
from nasrepro.files.storage import read_yaml
from nasrepro.runs import plan, records
from nasrepro.runs.evidence import Answer, Claim, Evidence, Measured, Verdict
from nasrepro.runs.records import Record, Run
from nasrepro.runs.statistics import Summary

FETCH_TEST = "nasrepro data fetch nb201-test"
_NO_VERDICT = ("not run", "not comparable", "undecided (trained less)")  # of a reading that decides nothing
Word = TypeVar("Word", bound=str)
_ROUNDING = 1e-6  # so that means of the same labels in another order are equal, and a tolerance includes its ends


# --- the claims -------------------------------------------------------------------------------------------------------


def load_claims(path: Path | None = None) -> list[Claim]:
    """Return the claims that the patterns make, in their order; raise `CorruptData` when a pattern makes none."""
    path = path or paths.data_dir() / "claims.yml"
    try:
        return list(_load(path, path.stat().st_mtime_ns))
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise CorruptData(
            f"{path} does not hold the claims: {error}. Restore it: `git checkout data/claims.yml`."
        ) from error


@lru_cache(maxsize=4)
def _load(path: Path, _changed: int) -> tuple[Claim, ...]:
    claims = tuple(claim for pattern in read_yaml(path)["patterns"] for claim in claims_of(pattern))
    names = [claim.id for claim in claims]
    if repeated := sorted({n for n in names if names.count(n) > 1}):
        raise ValueError(f"it states a claim twice: {', '.join(repeated)}; remove one of them")
    return claims


def claims_of(pattern: Mapping[str, Any], folder: Path | None = None) -> Iterator[Claim]:
    """Yield the claims of a pattern: one of each printed number of its file, or one alone.

    Args:
        pattern: an entry of `data/claims.yml`.
        folder: where the printed numbers are, by default `data/paper`.
    """
    fields = {k: v for k, v in pattern.items() if k not in ("file", "where", "columns", "let", "printed", "also")}
    if "file" not in pattern:
        yield Claim.model_validate(
            {"digits": _digits(str(pattern["printed"])), "printed": pattern["printed"], **fields}
        )
        return
    made = 0
    for names in _printed(pattern, folder or paths.data_dir() / "paper"):
        for name, value in pattern.get("let", {}).items():
            names[name] = str(_filled(value, names))
        claim = {k: v for k, v in ((k, _filled(v, names)) for k, v in fields.items()) if v is not None}
        if more := _filled(pattern.get("also"), names):
            claim["as_printed"] = [*claim["as_printed"], more]
        printed = names["printed"]
        try:
            yield Claim.model_validate({"printed": float(printed), "digits": _digits(printed), **claim})
        except ValidationError as error:
            raise ValueError(f"the pattern {pattern['id']} makes no claim of {names}: {error}") from error
        made += 1
    if not made:
        raise ValueError(f"the pattern {pattern['id']} fits no row of {pattern['file']}")


def _printed(pattern: Mapping[str, Any], folder: Path) -> Iterator[dict[str, str]]:
    """Yield the columns of each row of a pattern's file, and of each of its printed numbers, as text."""
    with (folder / pattern["file"]).open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            wanted = pattern.get("where", {}).items()
            if any(row[k] not in (v if isinstance(v, list) else [v]) for k, v in wanted):
                continue
            if "printed" in pattern:
                if row[pattern["printed"]]:
                    yield {**row, "printed": row[pattern["printed"]]}
                continue
            for column, short in pattern["columns"].items():
                yield {**row, "short": short, "value": row[column], "printed": row[column]}


def _filled(value: Any, names: Mapping[str, str]) -> Any:
    """Return a value of a pattern with names in braces filled in and lookups (`of`, `is`) made; None where a lookup has
    nothing. What is in braces and no name, the settings of a run in `reading`, stays as it is."""
    if isinstance(value, str):
        return _fill(value, names)
    if isinstance(value, list):
        return [_filled(v, names) for v in value]
    if isinstance(value, dict) and set(value) == {"of", "is"}:
        of = value["of"] if isinstance(value["of"], list) else [value["of"]]
        return _filled(value["is"].get(" ".join(names[name] for name in of)), names)
    if isinstance(value, dict):
        return {k: f for k, f in ((k, _filled(v, names)) for k, v in value.items()) if f is not None}
    return value


def _fill(text: str, names: Mapping[str, str]) -> str:
    for name, value in names.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def _digits(printed: str) -> int:
    return len(printed.partition(".")[2])


# --- answers ----------------------------------------------------------------------------------------------------------


def metric_row(record: Record, searcher: str, protocol: str) -> dict[str, Any] | None:
    """Return the row of `metrics["rows"]` of a searcher under a protocol, None when the record has none."""
    rows: list[dict[str, Any]] = record.metrics.get("rows", [])
    return next((r for r in rows if r.get("searcher") == searcher and r["protocol"] == protocol), None)


def evaluate(runs: Sequence[Run], claims: Sequence[Claim] | None = None) -> list[Evidence]:
    """Return every answer to every claim (by default those of `data/claims.yml`), those as printed first."""
    return [
        evidence
        for claim in (load_claims() if claims is None else claims)
        for evidence in (*_as_printed(claim, runs), *(_ours(claim, answer, runs) for answer in claim.ours))
    ]


def committed_evidence() -> list[Evidence]:
    """Return every answer from the committed records."""
    return evaluate(list(records.find(paths.records_dir())))


def claims_json(evidence: Iterable[Evidence] | None = None) -> str:
    """Return what `nasrepro claims --json` prints: a JSON list of the entries of `Evidence.to_json`."""
    evidence = committed_evidence() if evidence is None else evidence
    return json.dumps([e.to_json() for e in evidence], indent=1, allow_nan=False)


def _as_printed(claim: Claim, runs: Sequence[Run]) -> list[Evidence]:
    """Return the answers of all readings; where their verdicts differ, "undecided" being one, each says so."""
    if claim.not_run and not any(plan.select(a.part, runs) for a in claim.as_printed):
        command = plan.planned(claim.as_printed[0].part).command if claim.as_printed else None
        reading = claim.as_printed[0].reading if claim.as_printed else "the text"
        return [Evidence(claim, "as printed", reading, None, "not run", reason=claim.not_run, command=command)]
    found = [_reading(claim, answer, runs) for answer in claim.as_printed]
    said = {e.verdict for e in found if e.verdict not in _NO_VERDICT}
    if len(said) < 2:
        return found
    return [e if e.verdict in _NO_VERDICT else replace(e, verdict="depends on the reading") for e in found]


def _reading(claim: Claim, answer: Answer, runs: Sequence[Run]) -> Evidence:
    """Return the answer of one reading of the paper, with its verdict."""
    entry, run = plan.planned(answer.part), plan.select(answer.part, runs)
    departed = plan.departures(entry)
    told = (*answer.departures, *(f"{name} {was}, printed {printed}" for name, (printed, was) in departed.items()))
    blank = Evidence(claim, "as printed", answer.reading, departures=told, command=entry.command)
    if run is None:
        return replace(blank, verdict="not run", reason=plan.cost_in_words(entry, runs))
    record = run[1]
    if entry.recipe and not plan.keeps_the_name(entry, record.metrics.get("speed", {}).get("training_steps", 0)):
        return replace(
            blank, verdict="not run", runs=(record.key,), reason="trained too little to be called as printed"
        )
    found, reason = measured(record, answer)
    beside = _control(claim, answer, run, runs)
    if found is None:
        verdict: Verdict = "not comparable" if claim.not_comparable else "not run"
        return replace(blank, verdict=verdict, runs=(record.key,), reason=reason, control=beside)
    scale = [departed[name] for name in ("epochs", "trainings", "runs", "queries") if name in departed]
    less = answer.fewer_labels or any(was < printed for printed, was in scale)
    verdict = judge(claim, found, _at(record.metrics, claim.ceiling), trained_less=less)
    why = claim.not_comparable or (_to_decide(claim, found, record) if verdict == "undecided" else "")
    return replace(blank, found=found, verdict=verdict, control=beside, runs=(record.key,), reason=why, command=None)


def _ours(claim: Claim, answer: Answer, runs: Sequence[Run]) -> Evidence:
    """Return the answer of a variant of ours: a number beside its control, without a verdict."""
    entry, run = plan.planned(answer.part), plan.select(answer.part, runs)
    reading = answer.reading.format_map(entry.resolved)
    if run is None:
        return Evidence(claim, "ours", reading, reason="no committed run", command=entry.command)
    found, reason = measured(run[1], answer)
    return Evidence(
        claim,
        "ours",
        reading,
        found,
        control=_control(claim, answer, run, runs),
        runs=(run[1].key,),
        reason=reason or claim.not_comparable or "",
    )


def measured(record: Record, answer: Answer) -> tuple[Measured | None, str]:
    """Return the number of an answer, or why there is none."""
    if answer.row == "speed":
        if answer.field == "training_s" and record.cost.lacks_seconds:
            return None, f"run {record.key} was resumed, and the seconds of sittings that were killed are not counted"
        value = record.metrics.get("speed", {}).get(answer.field)
        return (
            (None, f"run {record.key} has no such time")
            if value is None
            else (Measured(answer.scale * value, None, 1), "")
        )
    values = (metric_row(record, *answer.row) or {}).get(answer.field)
    if values and values.get("mean") is None and values.get("n") == 0:  # a share of the valid samples where none was
        return None, f"run {record.key} has nothing to take this of: none of its samples was valid"
    if not values or values.get("mean") is None:
        lacks_test = answer.field == "test" and bool(record.metrics.get("rows"))
        return (
            None,
            f"run {record.key} had no test accuracy: `{FETCH_TEST}`"
            if lacks_test
            else f"run {record.key} has no such number",
        )
    found = Summary.of({k: v if k == "n" or v is None else answer.scale * v for k, v in values.items()})
    assert found.mean is not None
    ends = None if found.low is None or found.high is None else (found.low, found.high)
    return Measured(found.mean, ends, found.n), ""


def _control(claim: Claim, answer: Answer, run: Run, runs: Sequence[Run]) -> tuple[str, Measured] | None:
    """Return the number that an answer is held against."""
    control = claim.control
    if control is None:
        return None
    other = plan.select(control.part, runs) if control.part else run
    if other is None:
        return None
    beside = Answer(
        reading=control.name, part=answer.part, row=control.row, field=control.field or answer.field, scale=answer.scale
    )
    found, _ = measured(other[1], beside)
    return None if found is None else (control.name, found)


# --- verdicts ---------------------------------------------------------------------------------------------------------


def judge(claim: Claim, found: Measured, ceiling: float | None = None, *, trained_less: bool = False) -> Verdict:
    """Return the verdict on a claim for a number of ours and its interval.

    A value is reproduced when the whole interval lies within the tolerance, better or worse when all of it lies beyond,
    and undecided in between. A statement is confirmed or contradicted when all of the interval lies on one side.

    Args:
        claim: the claim.
        found: our number.
        ceiling: the best that the benchmark has, in the unit of the claim; a printed value beyond it cannot be reached.
        trained_less: whether the run was shorter than printed; it then never says worse.
    """
    if claim.not_comparable:
        return "not comparable"
    low, high = found.ends
    if claim.bound is not None:
        sign = _sign(claim, low, high)
        return "undecided (trained less)" if trained_less and sign == "contradicted" else sign
    half_a_digit = 0.5 * 10.0**-claim.digits
    if ceiling is not None and claim.better == "higher" and claim.printed > ceiling + half_a_digit + _ROUNDING:
        return "cannot be reached"
    floor, top = claim.printed - claim.tolerance - _ROUNDING, claim.printed + claim.tolerance + _ROUNDING
    if floor <= low and high <= top:
        return "reproduced"
    if high >= floor and low <= top:
        return "undecided"
    if (low > top) == (claim.better == "higher"):
        return "better"
    return "undecided (trained less)" if trained_less else "worse"


def _sign(claim: Claim, low: float, high: float) -> Verdict:
    """Return whether an interval lies where a statement says."""
    bound = claim.printed
    if claim.bound == "about":
        floor, top = bound - claim.tolerance - _ROUNDING, bound + claim.tolerance + _ROUNDING
        return (
            "confirmed"
            if floor <= low and high <= top
            else "contradicted"
            if high < floor or low > top
            else "undecided"
        )
    holds = {"above": low > bound, "below": high < bound, "at_most": high <= bound + _ROUNDING}[str(claim.bound)]
    fails = {"above": high <= bound, "below": low >= bound, "at_most": low > bound + _ROUNDING}[str(claim.bound)]
    return "confirmed" if holds else "contradicted" if fails else "undecided"


def stands(found: Measured, other: Measured) -> Literal["above", "level", "below"]:
    """Return where a number of ours stands to another: level where one mean lies in the other's interval."""
    for a, b in ((found, other), (other, found)):
        if a.ends[0] - _ROUNDING <= b.mean <= a.ends[1] + _ROUNDING:
            return "level"
    return "above" if found.mean > other.mean else "below"


def as_measured(claim: Claim) -> Measured:
    """Return the printed value, with what its last digit leaves open as its interval."""
    half_a_digit = 0.5 * 10.0**-claim.digits
    return Measured(claim.printed, (claim.printed - half_a_digit, claim.printed + half_a_digit), 1)


def _to_decide(claim: Claim, found: Measured, record: Record) -> str:
    """Say how many runs, and how many CPU minutes, would make the interval narrow enough for a verdict.

    Where all runs sample from one training, it is not paid again.
    """
    (low, high), mean = found.ends, found.mean
    edges = {claim.printed - claim.tolerance, claim.printed + claim.tolerance}  # the same where there is no tolerance
    crossed = [edge for edge in edges if low - _ROUNDING <= edge <= high + _ROUNDING]
    sides = [((low if edge < mean else high) - mean, edge - mean) for edge in crossed]
    if not sides or any(abs(distance) < _ROUNDING for _, distance in sides):
        return "the mean lies on the edge of the tolerance; more runs would not decide it"
    runs = max(math.ceil(found.n * (side / distance) ** 2) for side, distance in sides) + 1
    cost = record.cost
    one_training = record.parameters.get("trainings") == 1 and cost.wall_s > 0
    again = 1 - cost.stages.get("training", 0.0) / cost.wall_s if one_training else 1.0
    minutes = (runs - found.n) * again * cost.cpu_s / 60 / found.n
    return f"about {runs:,} runs instead of {found.n} would decide it, {minutes:,.0f} CPU minutes more"


def _at(metrics: Mapping[str, Any], path: str | None) -> float | None:
    """Return the number at a dotted place of the metrics, None where there is none."""
    value: Any = metrics if path else None
    for name in (path or "").split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return float(value) if isinstance(value, int | float) else None


def verdict_of(evidence: Iterable[Evidence]) -> Verdict | None:
    """Return the verdict on one claim from its answers: that of its readings, None where no answer is as printed."""
    return decided([e.verdict for e in evidence if e.verdict is not None])


def decided(said: Sequence[Word]) -> Word | None:
    """Return what several verdicts on one claim come to: one that decides before one that does not."""
    of_use = [v for v in said if v not in _NO_VERDICT]
    less = [v for v in said if v == "undecided (trained less)"]
    return next(iter(of_use or less or said), None)


def by_claim(evidence: Iterable[Evidence]) -> dict[str, list[Evidence]]:
    """Return the answers by id of their claim, in order."""
    found: dict[str, list[Evidence]] = {}
    for e in evidence:
        found.setdefault(e.claim.id, []).append(e)
    return found
