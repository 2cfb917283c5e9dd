"""The theorems of Delta-NAS beside what was counted: a table and a growth plot, from the record of `theory`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from nasrepro.report.drawing import Figure, render
from nasrepro.report.rendering import Column, Row, Table
from nasrepro.runs import records
from nasrepro.runs.records import Record

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

_LINES = {  # column -> label, colour, line pattern, marker
    "size": ("architectures |A|", "#0b3c6f", "solid", "o"),
    "differences": ("all differences |D|", "#3d8bd4", (0, (5, 2)), "s"),
    "one_edit": ("one-edit differences |D¹|, counted", "#b3540f", (0, (1, 1.4)), "D"),
    "printed_one_edit": ("one-edit differences as printed, rn", "#6b7280", (0, (3, 1.5, 1, 1.5, 1, 1.5)), "v"),
}


def theorem_rows(folder: Path, record: Record) -> Table:
    """Return every theorem on every space: the printed formula and its value, the count, the corrected formula."""
    frame = records.load_table(folder, record, "theorems.parquet")
    columns = (
        *(Column("Space"), Column("Theorem", numeric=True), Column("Quantity")),
        *(Column("Printed formula gives", numeric=True), Column("Counted", numeric=True)),
        *(Column("Corrected formula gives", numeric=True), Column("Printed formula"), Column("Corrected formula")),
    )
    rows = []
    for entry in frame.to_dict("records"):
        printed, corrected = int(entry["printed_value"]), int(entry["corrected_value"])
        exact = "too many pairs" if pd.isna(entry["exact"]) else f"{int(entry['exact']):,}"
        cells = (
            *(entry["space"], f"{entry['theorem']}", f"`{_plain(entry['quantity'])}`", f"{printed:,}", exact),
            *(f"{corrected:,}", f"`{_plain(entry['printed'])}`", f"`{_plain(entry['corrected'])}`"),
        )
        rows.append(Row(cells, "reproduced" if printed == corrected else ""))
    caption = (
        "Delta-NAS, Theorems 1-5: the printed formulas beside the exact counts of signed one-hot differences. n places "
        "for an operation, r operations, k edits; counted one by one wherever there are at most ten million pairs."
    )
    return Table(columns, tuple(rows), caption)


def growth_figure(folder: Path, record: Record) -> Figure:
    """Return how the sizes grow with n, in block-based and in cell-based spaces; the data: one row per n and kind."""
    data = records.load_table(folder, record, "growth.parquet")
    r = record.parameters["operations"]

    def draw(canvas: Canvas) -> None:
        for k, (kind, what) in enumerate((("block", "blocks"), ("cell", "cells"))):
            axes = canvas.add_subplot(1, 2, k + 1)
            part = data[data["kind"] == kind]
            for column, (label, colour, pattern, marker) in _LINES.items():
                axes.plot(
                    part["n"], part[column], color=colour, linestyle=pattern, marker=marker, markersize=4,
                    label=label if k == 0 else None,
                )  # fmt: skip
            axes.set_yscale("log")
            axes.set_title(f"{what}, r = {r}")
            axes.set_xlabel("places n")
        canvas.legend(loc="outside lower center", ncols=2, frameon=False, handlelength=4)

    last = data[data["n"] == data["n"].max()].set_index("kind")
    said = "; ".join(
        f"{kind}s at n = {int(last.loc[kind, 'n'])}: {last.loc[kind, 'size']:.3g} architectures, "
        f"{last.loc[kind, 'one_edit']:.3g} one-edit differences"
        for kind in ("block", "cell")
    )
    alt = f"Two line charts on a logarithmic axis, sizes against the number of places n, with r = {r}. {said}."
    return render(draw, (8.4, 4.2), alt, data)


def _plain(formula: str) -> str:
    """Return a formula as plain text."""
    for old, new in (
        *((r"\binom{n}{k}", "C(n,k)"), (r"\binom{n}{2}", "C(n,2)"), (r"\binom{n}{j}", "C(n,j)")),
        *((r"\frac{n(n-1)}{2}", "n(n-1)/2"), (r"\approx ", "≈ "), (r"\cdot ", "· "), (r"\sum_j", "Σj")),
        *((r"\binom{", "C("), ("}{k-j}", ",k-j)"), ("{", ""), ("}", "")),
    ):
        formula = formula.replace(old, new)
    return formula
