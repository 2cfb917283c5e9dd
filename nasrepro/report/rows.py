"""Rows of records for tables, and what is said where there is no record."""

from __future__ import annotations

from typing import Any

from nasrepro.report.rendering import look_up, number, text
from nasrepro.runs.claims import metric_row
from nasrepro.runs.plan import Shown, find, load_plan, planned
from nasrepro.runs.protocols import recorded_labels_before
from nasrepro.runs.records import Record

RECIPE = (  # columns: how the model of a trial was trained and sampled
    text("Denoiser", "parameters.denoiser"),
    number("Epochs", "parameters.epochs"),
    number("Cells per step", "parameters.batch_size"),
    text("Time input", lambda trial: "yes" if look_up(trial, "parameters.time_input") else "no"),
    number("Reverse steps", "parameters.reverse_steps"),
    number("Guidance scale", "parameters.guidance_scale", "g"),
)


def row_of(record: Record | None, searcher: str, protocol: str = "paper") -> dict[str, Any]:
    """Return the row of a searcher and protocol, or of a method and budget; empty where there is none."""
    return (metric_row(record, searcher, protocol) if record else None) or {}


def search_row(record: Record | None, searcher: str = "dinas", protocol: str = "paper") -> dict[str, Any]:
    """Return the row of a search with the labels that were read `before` it and how many of its runs `failed`; empty
    where there is none."""
    row = row_of(record, searcher, protocol)
    if record is None or not row:
        return {}
    count = row["trainings"] * row["runs"]
    return row | {
        "before": recorded_labels_before(record, row),
        "test": row["test"] or "no test data",
        "all_runs": count,
        "failed": f"{row['failed_runs']} of {count}",
        "times": f"{row['trainings']} x {row['runs']}",
    }


def not_run(runs: Shown, *parts: str) -> list[str]:
    """Return a note for each run of parts of the plan without a record: the command that makes it. A part that ends in
    a dot is what is below, trials and runs as printed apart."""
    below = tuple(part for part in parts if part.endswith("."))
    wanted = [p for p in load_plan() if p.id in parts or (p.id.startswith(below) and not p.recipe and not p.trial)]
    missing = [p for p in wanted if p.id not in runs.yours and find(p, runs) is None]
    return [f"Not run: `{p.command}`" for p in missing]


def to_make(part: str) -> str:
    """Return the sentence of a caption for a part of the plan that has no record yet."""
    return f"No run of ours to show; to make it: `{planned(part).command}`."
