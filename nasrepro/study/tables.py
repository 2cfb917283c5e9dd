"""Tables of claims and of runs. The tables of the papers have modules of their own (`search_tables`, ...)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nasrepro.study.claims import PLACE, Claim, ClaimResult, load_claims, metric_row, same_place, shortfalls
from nasrepro.study.records import Record
from nasrepro.study.rendering import DATASET_NAMES, Column, Row, Table, duration, with_interval


def claims_table(results: Sequence[ClaimResult]) -> Table:
    """Return the claims with their verdicts."""
    columns = (
        Column("Where"),
        Column("Printed", numeric=True),
        Column("Ours", numeric=True),
        Column("Verdict"),
        Column("Tolerance", numeric=True),
        Column("Runs", numeric=True),
        Column("Claim"),
    )
    rows = tuple(_claim_row(result) for result in results)
    count = {
        v: sum(r.verdict == v for r in results) for v in ("reproduced", "better", "worse", "not comparable", "not run")
    }
    tally = ", ".join(f"{n} {verdict}" for verdict, n in count.items() if n)
    caption = (
        f"Claims of the papers and what our runs say: {tally or 'no claims'}. Ours: mean [95 % interval]. "
        "Tolerances were fixed before the committed runs."
    )
    remarks = [(r.claim.id, r.reason + (f": `{r.command}`" if r.command else "")) for r in results if r.reason]
    return Table(columns, rows, caption, tuple(f"`{name}`: {remark}." for name, remark in remarks))


def _claim_row(result: ClaimResult) -> Row:
    claim: Claim = result.claim
    digits = max(3, len(f"{claim.printed}".partition(".")[2]))
    ours = "no value" if result.runs else "not run"
    if result.ours is not None:
        low, high = result.ci95 or (None, None)
        ours = with_interval({"mean": result.ours, "low": low, "high": high}, digits)
    cells = (
        f"{claim.paper}, {claim.location}",
        f"{claim.printed:{'.2f' if claim.printed >= 0.01 else 'g'}} {claim.unit}",
        ours,
        result.verdict,
        f"± {claim.tolerance:.2f}",
        f"{result.n}" if result.n else "none",
        claim.id,
    )
    return Row(cells, result.verdict.replace(" ", "-"))


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
    """Return one row per run, newest first, with what keeps it from answering a claim."""
    columns = (
        Column("Run"),
        Column("Experiment"),
        Column("Where"),
        Column("Profile"),
        Column("Finished"),
        Column("DiNAS, best, %", numeric=True),
        Column("Time", numeric=True),
        Column("Compared with what answers the claims"),
    )
    claims = load_claims()
    known = sorted(candidates, key=lambda r: (r.created, r.key), reverse=True)
    rows = tuple(Row(_overview_cells(record, claims)) for record in known)
    return Table(columns, rows, f"{len(rows)} finished run{'s' if len(rows) != 1 else ''}, newest first")


def _overview_cells(record: Record, claims: Sequence[Claim]) -> tuple[str, ...]:
    row = metric_row(record, "dinas", "paper")
    best = row and (row.get("best_valid") or row.get("val"))
    place = [record.parameters[name] for name in ("benchmark", *PLACE) if name in record.parameters]
    asked = [c for c in claims if c.experiment == record.experiment and same_place(c, record)]
    differs = min((shortfalls(c, record) for c in asked), key=len, default=["no claim"])
    return (
        f"`{record.key}`",
        record.experiment,
        ", ".join(DATASET_NAMES.get(str(value), f"{value}") for value in place) or "one place only",
        record.profile,
        record.created[:16].replace("T", " "),
        with_interval(best, 3) if best else "no such row",
        duration(record.cost.wall_s),
        "; ".join(differs) or "the same",
    )
