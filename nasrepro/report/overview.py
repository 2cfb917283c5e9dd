"""Tables of claims and of runs. The tables of the papers have modules of their own (`search_tables`, ...)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nasrepro.report.rendering import DATASET_NAMES, Column, Row, Table, duration, runs_note, with_interval
from nasrepro.runs.claims import as_measured, by_claim, metric_row, stands, verdict_of
from nasrepro.runs.evidence import VERDICTS, Claim, Evidence, Measured
from nasrepro.runs.plan import load_plan, parts_of
from nasrepro.runs.records import Record

_PLACE = ("benchmark", "space", "dataset", "device", "latency")  # parameters that say where a run takes place


def claims_table(
    evidence: Sequence[Evidence], title: str = "The statements of the papers and what our runs say to them"
) -> Table:
    """Return a row per claim: printed, as printed by us with the verdict, ours, and the control of both."""
    columns = (
        Column("Where"),
        Column("Printed", numeric=True),
        Column("Verdict"),
        Column("As printed, run by us"),
        Column("Control"),
        Column("Ours: where it stands"),
    )
    grouped = by_claim(evidence)
    said = {name: verdict_of(answers) for name, answers in grouped.items()}
    count = {v: sum(word == v for word in said.values()) for v in VERDICTS}
    tally = ", ".join(f"{n} {verdict}" for verdict, n in count.items() if n)
    rivals = sum(word is None for word in said.values())
    caption = f"{title}. Verdicts, of runs as printed alone: {tally or 'none'}. Mean [95 % interval]." + (
        f" {rivals} numbers of other methods are compared and count in no sum." if rivals else ""
    )
    remarks: dict[tuple[str, str], list[str]] = {}
    for e in evidence:
        if e.found is not None and e.departures:
            remarks.setdefault((e.reading, f"departures: {'; '.join(e.departures)}"), []).append(e.claim.id)
        if e.reason and e.verdict not in ("not run", "not comparable"):
            told = e.reason + (f": `{e.command}`" if e.command else "")
            remarks.setdefault((e.reading, told), []).append(e.claim.id)
    rows = tuple(_claim_row(answers, said[name]) for name, answers in grouped.items())
    notes = [
        f"{', '.join(f'`{name}`' for name in names)} ({reading}): {told}." for (reading, told), names in remarks.items()
    ]
    if missing := list(dict.fromkeys(e.command for e in evidence if e.verdict == "not run" and e.command)):
        notes.append(
            f"What is not run as printed, these would run: {'; '.join(f'`{command}`' for command in missing)}."
        )
    keys = dict.fromkeys(key for e in evidence if e.method == "as printed" for key in e.runs)
    return Table(columns, rows, caption, (*notes, *runs_note(keys)), stacks=True)


def _claim_row(answers: Sequence[Evidence], verdict: str | None) -> Row:
    claim: Claim = answers[0].claim
    printed = [_found(e) for e in answers if e.method == "as printed"]
    ours = [_stands(e) for e in answers if e.method == "ours"]
    controls: dict[str, list[str]] = {}  # the number -> which answers it is held against
    for e in answers:
        if e.control is not None:
            told = f"{e.control[0]}: {_number(e.control[1], claim)}"
            controls.setdefault(told, []).append(e.method)
    several = len(controls) > 1
    sign = {"above": "> ", "below": "< ", "at_most": "≤ ", "about": "about "}.get(str(claim.bound), "")
    cells = (
        f"{claim.paper}, {claim.location}\n`{claim.id}`",
        f"{sign}{claim.printed:.{claim.digits}f} {claim.unit}"
        + (f"\n± {claim.tolerance:g}" if claim.tolerance else ""),
        verdict or "compared",
        "\n".join(dict.fromkeys(printed)) or "another method's number",
        "\n".join(f"{told} ({', '.join(dict.fromkeys(of))})" if several else told for told, of in controls.items())
        or "none",
        "\n".join(ours) or "none",
    )
    return Row(cells, (verdict or "").replace(" ", "-").replace("(", "").replace(")", ""))


def _found(e: Evidence) -> str:
    if e.found is None:
        return e.reason if e.reason.startswith("not run") else f"not run: {e.reason}"
    return f"{e.reading}: {_number(e.found, e.claim)}, n = {e.found.n}" + (
        ", departs: see the notes" if e.departures else ""
    )


def _stands(e: Evidence) -> str:
    if e.found is None:
        return f"{e.reading}: {e.reason}"
    against = f"{stands(e.found, as_measured(e.claim))} the printed value".replace("level the", "level with the")
    if e.control is not None:
        against += f", {stands(e.found, e.control[1])} the control".replace("level the", "level with the")
    return f"{e.reading}: {_number(e.found, e.claim)}, {against}"


def _number(found: Measured, claim: Claim) -> str:
    low, high = found.ci95 or (None, None)
    return with_interval({"mean": found.mean, "low": low, "high": high}, max(3, claim.digits))


def run_table(record: Record) -> Table:
    """Return where a result comes from: parameters, code, data, machine, cost and labels of its run."""
    code, cost, env = record.code, record.cost, record.environment
    commit = code.git_commit[:12] if code.git_commit else "not in a git checkout"
    dirty = {True: ", with uncommitted changes", False: ", clean tree", None: ""}[code.git_dirty]
    speed = record.metrics.get("speed", {})
    rows = [
        ("Run", f"`{record.key}`, experiment {record.experiment} version {record.method_version}, {record.profile}"),
        ("Finished", record.created),
        *((f"Parameter {name}", f"{value}") for name, value in record.parameters.items()),
        *(
            (f"Seed of {name}", ", ".join(map(str, s)) if isinstance(s, list) else f"{s}")
            for name, s in record.seeds.items()
        ),
        *((f"Data {file.name}", f"sha256 `{file.sha256[:16]}`") for file in record.data),
        ("Code", f"nasrepro {code.package}, sources `{code.source_sha256[:12]}`, commit `{commit}`{dirty}"),
        ("Machine", f"{env.device}, {env.threads} threads, {env.platform}, Python {env.python}"),
        ("Libraries", ", ".join(f"{name} {version}" for name, version in env.libraries.items())),
        ("Time", f"{duration(cost.wall_s)} wall, {duration(cost.cpu_s)} CPU, in {cost.sittings} sitting(s)"),
        *((f"Time of {stage}", duration(seconds)) for stage, seconds in cost.stages.items()),
        ("Peak memory", f"{cost.peak_memory_mb:.0f} MB"),
        *(
            (
                f"Labels read by {count.reader} to {count.purpose}",
                f"{count.distinct:,} distinct, {count.reads:,} reads ({count.column})",
            )
            for count in record.labels
        ),
    ]
    if "seconds_per_architecture" in speed:
        rows.append(("Sampling", f"{duration(speed['seconds_per_architecture'])} per architecture"))
    columns = (Column("What"), Column("Value"))
    caption = f"Where the numbers of run `{record.key}` come from"
    return Table(columns, tuple(Row(cells) for cells in rows), caption)


def runs_overview(candidates: Iterable[Record]) -> Table:
    """Return one row per run, newest first, with its part of the plan or what keeps it from one."""
    columns = (
        Column("Run"),
        Column("Experiment"),
        Column("Where"),
        Column("Profile"),
        Column("Finished"),
        Column("DiNAS, best, %", numeric=True),
        Column("Time", numeric=True),
        Column("Part of the plan"),
    )
    known = sorted(candidates, key=lambda r: (r.created, r.key), reverse=True)
    rows = tuple(Row(_overview_cells(record)) for record in known)
    return Table(columns, rows, f"{len(rows)} finished run{'s' if len(rows) != 1 else ''}, newest first")


def _overview_cells(record: Record) -> tuple[str, ...]:
    row = metric_row(record, "dinas", "paper")
    best = row and (row.get("best_valid") or row.get("val"))
    place = [record.parameters[name] for name in _PLACE if name in record.parameters]
    return (
        f"`{record.key}`",
        record.experiment,
        ", ".join(DATASET_NAMES.get(str(value), f"{value}") for value in place) or "one place only",
        record.profile,
        record.created[:16].replace("T", " "),
        with_interval(best, 3) if best else "no such row",
        duration(record.cost.wall_s),
        ", ".join(parts_of(record)) or _nearest(record),
    )


def _nearest(record: Record) -> str:
    """Say by what a run differs from the nearest one of the plan that takes place where it does."""
    found = []
    for entry in load_plan():
        if entry.experiment == record.experiment and not entry.trial:
            wanted = entry.resolved
            differs = {k: v for k, v in record.parameters.items() if wanted.get(k) != v}
            if not differs.keys() & set(_PLACE):
                found.append((len(differs), entry.id, differs))
    if not found:
        return "none"
    _, name, differs = min(found, key=lambda entry: entry[:2])
    return f"{name} but for {', '.join(f'{k}={v}' for k, v in differs.items())}" if differs else name
