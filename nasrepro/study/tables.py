"""The study's tables, made from records, claims and printed numbers; `rendering.Table` shows them as HTML or text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import pandas as pd

from nasrepro import paths
from nasrepro.study.claims import (
    FETCH_TEST,
    Claim,
    ClaimResult,
    answering_record,
    load_claims,
    metric_row,
    shortfalls,
)
from nasrepro.study.records import Record
from nasrepro.study.rendering import DATASET_NAMES, Column, Row, Table, duration, with_interval

NOT_PRINTED = "n.p."  # explained in a note under the table


# ---- Table 2 of DiNAS ----

_TABLE2_COLUMNS = (
    Column("Method"),
    Column("Best validation, %", numeric=True),
    Column("Its test, %", numeric=True),
    Column("Queries", numeric=True),
    Column("Distinct valid cells", numeric=True),
    Column("Labels read before", numeric=True),
    Column("Valid samples, %", numeric=True),
)
OPTIMUM = "Optimum of the table"
_OUR_ROWS = (
    ("dinas", "paper", "DiNAS, the paper's protocol"),
    ("dinas", "distinct", "DiNAS, distinct cells"),
    ("top_class", "paper", "Uniform draw from the labelled top class"),
    ("evolution", "paper", "Regularised evolution"),
    ("random", "paper", "Random search"),
)


@lru_cache
def printed_table2() -> pd.DataFrame:
    """Return the printed numbers of DiNAS' Table 2; value and queries are NaN where not printed.

    Columns: method, dataset, split (valid or test), value (%), queries, mark, note.
    """
    frame = pd.read_csv(paths.data_dir() / "paper" / "dinas_table2.csv")
    return frame.fillna({"mark": "", "note": ""})


def table2(candidates: Iterable[Record]) -> dict[str, Table]:
    """Return Table 2 for each data set, from the record that answers its claim (see `claims.answering_record`)."""
    known = list(candidates)
    claims = {c.match["dataset"]: c for c in load_claims() if re.fullmatch(r"dinas\.table2\..*\.val", c.id)}
    return {dataset: dataset_table(dataset, answering_record(claims[dataset], known)) for dataset in DATASET_NAMES}


def dataset_table(dataset: str, record: Record | None) -> Table:
    """Return Table 2 for one data set: the printed rows, then those of a record (None: they say 'not run')."""
    printed = tuple(_printed_rows(dataset))
    name = DATASET_NAMES[dataset]
    if record is None:
        command = f"nasrepro run nb201 -p dataset={dataset} --profile laptop"
        missing = Row(("DiNAS, ours", *["not run"] * 6), "ours")
        notes: tuple[str, ...] = (f"To run it: `{command}`.", *_PRINTED_NOTES)
        return Table(_TABLE2_COLUMNS, (*printed, missing), f"DiNAS, Table 2, {name}. No run of ours to show.", notes)
    ours = [
        (label, row)
        for searcher, protocol, label in _OUR_ROWS
        if (row := metric_row(record, searcher, protocol)) is not None
    ]
    rows = (*printed, *(_our_row(label, row) for label, row in ours), _optimum_row(record))
    said = tuple(f"{label}: {note}." for label, row in ours if (note := _note(row, record)))
    notes = (*said, f"{OPTIMUM}: {_optimum_note(record)}.", *_our_notes(record), *_PRINTED_NOTES)
    return Table(_TABLE2_COLUMNS, rows, _caption(name, record), notes)


_PRINTED_NOTES = (
    "n.p.: not printed. The paper prints neither spread, nor validity, nor how many distinct cells were queried, nor "
    "the labels read before the search. Its optimum is the best value of each column. * marked there as equal to the "
    "optimum; † taken by the paper from Lukasik et al. (2022).",
)


def _printed_rows(dataset: str) -> Iterable[Row]:
    frame = printed_table2()
    frame = frame[frame["dataset"] == dataset]
    for method, part in frame.groupby("method", sort=False):
        queries = part["queries"].iloc[0]
        cells = [_printed_value(part[part["split"] == split].iloc[0]) for split in ("valid", "test")]
        label = f"{method} †" if part["mark"].str.contains("†").any() else str(method)
        shown = NOT_PRINTED if pd.isna(queries) else f"{queries:.0f}"
        yield Row((f"{label}, printed", *cells, shown, NOT_PRINTED, NOT_PRINTED, NOT_PRINTED), "printed")


def _printed_value(entry: pd.Series) -> str:
    if pd.isna(entry["value"]):
        return NOT_PRINTED
    return f"{entry['value']:.2f}{'*' if '*' in entry['mark'] else ''}"


def _our_row(label: str, row: dict[str, Any]) -> Row:
    """Return one row of ours; shares become per cent."""
    validity = row["validity"] and {k: v if k == "n" or v is None else 100 * v for k, v in row["validity"].items()}
    cells = (
        label,
        with_interval(row["best_valid"], 3),
        with_interval(row["test"], 2) if row["test"] else "no test data",
        f"{row['queries']}",
        with_interval(row["distinct_valid"], 1),
        f"{row['labels_before_search']:,}",
        with_interval(validity, 1) if validity else "not measured",
    )
    return Row(cells, "ours")


def _note(row: dict[str, Any], record: Record) -> str:
    """Say of a row what its numbers hide: what a query was, how many runs failed, how much lay in the top class."""
    runs = row["trainings"] * row["runs"]
    parts = []
    if row["searcher"] == "dinas":
        if row["protocol"] == "paper":
            parts.append("every sample is a query, invalid and repeated ones too")
        else:
            filled = f"{row['filled_runs']} of {runs} runs filled the budget"
            parts.append(f"a query is a new valid cell; {row['samples']['mean']:.0f} samples per run; {filled}")
        parts.append(f"{100 * row['in_top_class']['mean']:.1f} % of valid samples in the wanted class")
    elif row["searcher"] == "top_class":
        percentile = float(record.parameters.get("percentile", 95.0))
        parts.append(f"what the labels alone give: any of the best {100 - percentile:g} %, without a model")
    if row["failed_runs"]:
        parts.append(f"{row['failed_runs']} of {runs} runs without a valid sample score 0")
    return "; ".join(parts)


def _optimum_row(record: Record) -> Row:
    best = record.metrics["optimum"]
    test = "no test data" if best["test_of_it"] is None else f"{best['test_of_it']:.2f}"
    return Row((OPTIMUM, f"{best['valid']:.3f}", test, "none", "none", "15,625", "100.0"), "ours")


def _optimum_note(record: Record) -> str:
    best = record.metrics["optimum"]
    note = (
        "best validation of all 15,625 cells; to a method that has read all labels it is known before the first query"
    )
    if best["best_test"] is not None and best["test_of_it"] < best["best_test"]:
        note += f"; the highest test accuracy of any cell is {best['best_test']:.2f}"
    return note


def _caption(name: str, record: Record) -> str:
    p, row = record.parameters, metric_row(record, "dinas", "paper") or {}
    baseline = metric_row(record, "random", "paper") or {}
    parts = [
        f"DiNAS, Table 2, {name}. Accuracy in %, NAS-Bench-201, 200 epochs, mean over the two or three seeds of each "
        "cell; cells are chosen by validation accuracy, and the test accuracy is that of the chosen cell.",
        f"Ours: mean [95 % interval] over {row.get('trainings')} trainings x {row.get('runs')} runs for DiNAS and "
        f"{baseline.get('runs')} runs for each baseline; condition: above percentile {p.get('percentile'):g}, guidance "
        f"scale {p.get('guidance_scale'):g}, {p.get('reverse_steps')} reverse steps, denoiser `{p.get('denoiser')}`; "
        f"profile `{record.profile}`, device {record.environment.device}, run `{record.key}`.",
    ]
    if (row.get("test") is None) or record.metrics["optimum"].get("test_of_it") is None:
        parts.append(f"No test accuracy: its file was not there; `{FETCH_TEST}`, then repeat the run.")
    return " ".join(parts)


def _our_notes(record: Record) -> tuple[str, ...]:
    row = metric_row(record, "dinas", "paper")
    if row is None:
        return ()
    notes = [
        f"The model was trained on the labels of {row['labels_before_search']:,} cells and its condition is a quantile "
        f"over them; the {row['queries']} queries, counted as in the paper, leave these out.",
    ]
    if row["trainings"] > 1:
        notes.append(
            f"The interval resamples trainings, then runs; with {row['trainings']} trainings it is only rough."
        )
    return tuple(notes)


# ---- claims and runs ----


def claims_table(results: Sequence[ClaimResult]) -> Table:
    """Return the claims with their verdicts."""
    columns = (
        Column("Claim"),
        Column("Where"),
        Column("Printed", numeric=True),
        Column("Ours", numeric=True),
        Column("Tolerance", numeric=True),
        Column("Verdict"),
        Column("Runs", numeric=True),
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
    ours = "not run"
    if result.ours is not None:
        low, high = result.ci95 or (None, None)
        ours = with_interval({"mean": result.ours, "low": low, "high": high}, digits)
    cells = (
        claim.id,
        f"{claim.paper}, {claim.location}",
        f"{claim.printed:.2f} {claim.unit}",
        ours,
        f"± {claim.tolerance:.2f}",
        result.verdict,
        f"{result.n}" if result.n else "none",
    )
    return Row(cells, result.verdict.replace(" ", "-"))


def settings_table(candidates: Iterable[Record]) -> Table:
    """Return what the settings of DiNAS on NAS-Bench-201 do: a row per run, by data set, denoiser and guidance."""
    columns = (
        Column("Data set"),
        Column("Guidance scale", numeric=True),
        Column("Denoiser"),
        Column("Epochs", numeric=True),
        Column("Steps", numeric=True),
        Column("Best validation, %", numeric=True),
        Column("Distinct valid cells", numeric=True),
        Column("Valid samples, %", numeric=True),
        Column("In the wanted class, %", numeric=True),
        Column("Runs", numeric=True),
    )
    rows = []
    for record in candidates:
        p, row = record.parameters, metric_row(record, "dinas", "paper")
        if row is None:
            continue
        cells = (
            DATASET_NAMES[p["dataset"]],
            f"{p['guidance_scale']:g}",
            str(p["denoiser"]),
            f"{p['epochs']}",
            f"{p['reverse_steps']}",
            with_interval(row["best_valid"], 3),
            f"{row['distinct_valid']['mean']:.1f}",
            f"{100 * row['validity']['mean']:.1f}",
            f"{100 * row['in_top_class']['mean']:.1f}",
            f"{row['trainings']} x {row['runs']}",
        )
        order = (list(DATASET_NAMES).index(p["dataset"]), p["denoiser"], p["guidance_scale"])
        rows.append((order, Row(cells)))
    caption = (
        "DiNAS under other settings, the paper's protocol. Best validation accuracy as mean [95 % interval]; distinct "
        "cells per run; shares of all samples and of the valid samples; runs as trainings x runs."
    )
    return Table(columns, tuple(row for _, row in sorted(rows, key=lambda r: r[0])), caption)


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
        Column("Data set"),
        Column("Profile"),
        Column("Finished"),
        Column("DiNAS, best validation, %", numeric=True),
        Column("Time", numeric=True),
        Column("Compared with what answers the claims"),
    )
    claims = {c.match.get("dataset"): c for c in load_claims() if c.experiment == "nb201"}
    known = sorted(candidates, key=lambda r: (r.created, r.key), reverse=True)
    rows = tuple(Row(_overview_cells(record, claims)) for record in known)
    return Table(columns, rows, f"{len(rows)} finished run{'s' if len(rows) != 1 else ''}, newest first")


def _overview_cells(record: Record, claims: dict[Any, Claim]) -> tuple[str, ...]:
    row = metric_row(record, "dinas", "paper")
    dataset = record.parameters.get("dataset")
    claim = claims.get(dataset) if record.experiment == "nb201" else None
    differs = ["no claim"] if claim is None else shortfalls(claim, record)
    return (
        f"`{record.key}`",
        DATASET_NAMES.get(str(dataset), str(dataset)),
        record.profile,
        record.created[:16].replace("T", " "),
        with_interval(row["best_valid"], 3) if row else "no such row",
        duration(record.cost.wall_s),
        "; ".join(differs) or "the same",
    )
