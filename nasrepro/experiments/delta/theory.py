"""Theorems 1-5 of Delta-NAS held against counting: how many architectures, differences and neighbours there are."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pandas as pd

from nasrepro.delta.theory import NB101_FORM, NB201_FORM, FixedForm, block, cell, count_nb101, growth, theorem_table
from nasrepro.parameters.delta import TheoryParameters
from nasrepro.runs.provenance import stopwatch
from nasrepro.runs.run import Experiment, Outcome, RunContext
from nasrepro.spaces.nb201 import NB201

FORMS: dict[str, tuple[str, FixedForm]] = {
    "block-2-5": ("blocks, n = 2, r = 5", block(2, 5)),
    "block-4-5": ("blocks, n = 4, r = 5", block(4, 5)),
    "cell-3-3": ("cells, n = 3, r = 3", cell(3, 3)),
    "cell-4-5": ("cells, n = 4, r = 5", cell(4, 5)),
    "nb201": ("NAS-Bench-201, n = 6, r = 5", NB201_FORM),
    "nb101": ("NAS-Bench-101, 7 vertices, n = 5, r = 3", NB101_FORM),
}


def execute(p: TheoryParameters, context: RunContext) -> Outcome:
    """Count, by closed form and one by one where there are at most ten million pairs."""
    with stopwatch() as watch:
        theorems = [
            {"space": title, "form": name, **asdict(row)}
            for name, (title, form) in FORMS.items()
            for row in theorem_table(form, p.edits)
        ]
        grown = pd.concat(
            growth(kind, p.operations, range(2, p.largest + 1)).assign(kind=kind) for kind in ("block", "cell")
        )
        metrics: dict[str, Any] = {"nb201": _nb201(), "nb101": asdict(count_nb101())}
    context.spent("counting", watch.wall_s, watch.cpu_s)
    grown = grown.astype(dict.fromkeys(("size", "differences", "one_edit", "printed_one_edit", "neighbours"), float))
    for row in theorems:  # larger than any integer of a Parquet file
        for name in ("printed_value", "exact", "corrected_value"):
            row[name] = None if row[name] is None else str(row[name])
    return Outcome(metrics, {"theorems": pd.DataFrame(theorems), "growth": grown}, {})


def _nb201() -> dict[str, Any]:
    """Count the one-edit pairs of NAS-Bench-201, and those that do not change what the cell computes."""
    pairs = silent = 0
    codes = set()
    for arch in NB201.all():
        mine = NB201.functional_key(arch)
        for other in NB201.neighbours(arch):
            pairs += 1
            silent += NB201.functional_key(other) == mine
            codes.add(tuple((k, a, b) for k, (a, b) in enumerate(zip(arch, other, strict=True)) if a != b))
    return {"pairs": pairs, "codes": len(codes), "silent": silent}


EXPERIMENT = Experiment("theory", 1, TheoryParameters, lambda p: {}, execute)
