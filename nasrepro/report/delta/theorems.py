"""The theorems of Delta-NAS beside what was counted: a table and a growth plot, from the record of `theory`."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd

from nasrepro.report.drawing import Canvas, Figure, Look, draw_lines, render
from nasrepro.report.rendering import NOT_RUN, Table, number, tabulate, text
from nasrepro.report.rows import to_make
from nasrepro.report.verbs import holds, quoted
from nasrepro.runs import records
from nasrepro.runs.plan import Shown

_PART = "delta.theory"
_LINES: dict[str, Look] = {  # of each column
    "size": ("architectures |A|", "#0b3c6f", "solid", "o"),
    "differences": ("all differences |D|", "#3d8bd4", "dashed", "s"),
    "one_edit": ("one-edit differences |D¹|, counted", "#b3540f", "dotted", "D"),
    "printed_one_edit": ("one-edit differences as printed, rn", "#6b7280", "dashdotdot", "v"),
}
_COLUMNS = (
    text("Space", "space"),
    number("Theorem", "theorem"),
    text("Quantity", lambda row: f"`{_plain(row['quantity'])}`"),
    number("Printed formula gives", lambda row: _whole(row["printed_value"])),
    number("Counted", lambda row: _whole(row["exact"])),
    number("Corrected formula gives", lambda row: _whole(row["corrected_value"])),
    text("Printed formula", lambda row: f"`{_plain(row['printed'])}`"),
    text("Corrected formula", lambda row: f"`{_plain(row['corrected'])}`"),
)
_NAMES = ("space", "theorem", "quantity", "printed_value", "exact", "corrected_value", "printed", "corrected")


def theorem_table(runs: Shown) -> Table:
    """Return every theorem on every space: the printed formula and its value, the count, the corrected formula."""
    rows = _table(runs, "theorems").to_dict("records") or [dict.fromkeys(_NAMES, NOT_RUN)]
    caption = (
        "Delta-NAS, Theorems 1-5: the printed formulas beside the exact counts of signed one-hot differences. n places "
        f"for an operation, r operations, k edits. {'' if runs.record(_PART) else to_make(_PART)}"
    )
    return tabulate(
        _COLUMNS, rows, caption, name="theory",
        kind=lambda row: "reproduced" if row["printed_value"] == row["corrected_value"] != "not run" else "",
    )  # fmt: skip


def _table(runs: Shown, name: str) -> pd.DataFrame:
    run = runs.run(_PART)
    return records.load_table(*run, f"{name}.parquet") if run else pd.DataFrame()


def _whole(value: Any) -> object:
    """Return a count, stored as text because it may be too large for 64 bits."""
    return "too many pairs" if pd.isna(value) else int(value) if value.isdigit() else value


def growth_figure(runs: Shown) -> Figure | None:
    """Return how the sizes grow with n, in block-based and in cell-based spaces; the data: one row per n and kind."""
    record, data = runs.record(_PART), _table(runs, "growth")
    if record is None:
        return None
    r, last = record.parameters["operations"], data[data["n"] == data["n"].max()].set_index("kind")

    def draw(canvas: Canvas) -> None:
        sizes = data.melt(["n", "kind"], [*_LINES]).astype({"value": float})
        panels = canvas.subplots(1, 2)
        for axes, kind in zip(panels, ("block", "cell"), strict=True):
            draw_lines(axes, sizes[sizes["kind"] == kind], "n", "value", "variable", _LINES)
            axes.set(title=f"{kind}s, r = {r}", xlabel="places n", ylabel="", yscale="log")
        handles = panels[0].get_legend_handles_labels()[0]
        canvas.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False, handlelength=4)

    said = "; ".join(
        f"{kind}s at n = {row['n']}: {row['size']:.3g} architectures, {row['one_edit']:.3g} one-edit differences"
        for kind, row in last.iterrows()
    )
    alt = f"Two line charts on a logarithmic axis, sizes against the number of places n, with r = {r}. {said}."
    caption = "Sizes of a space against its number of places."
    return render(draw, (8.4, 4.2), alt, data).titled("theory-growth", caption)


def numbers(runs: Shown) -> dict[str, Any]:
    """Return what sentences quote, nothing without a record.

    By `verbs.quoted` below `theory`; `theory.<space>.<each|silent_share>` of one-edit pairs;
    `theory.nb201.printed_codes`; `theory.theorem<1|2>`, whether its formula gives what was counted; `theory.theorem3`,
    whether all differences lie between the architectures and their square; `theory.most`, whether silent pairs are more
    than half on NAS-Bench-101; `theory.growth.<kind>.<n|size|one_edit>` at the largest n of the plot.
    """
    if (record := runs.record(_PART)) is None:
        return {}
    found = quoted("theory", record)
    for space, m in record.metrics.items():
        shares = {"each": m["pairs"] / m["codes"], "silent_share": m["silent"] / m["pairs"]}
        found |= quoted(f"theory.{space}", shares)
    found["theory.most"] = holds(found["theory.nb101.silent_share"] > 0.5, "more", "less")
    frame = _table(runs, "theorems").astype({"printed_value": float, "corrected_value": float})
    told, ours = frame["printed_value"], frame["corrected_value"]
    right = (told == ours).groupby(frame["theorem"]).all()
    found |= {f"theory.theorem{k}": holds(bool(right[k]), "stands", "does not") for k in (1, 2)}
    between = ours.between(told, told**2, inclusive="neither")[frame["theorem"] == 3].all()
    found["theory.theorem3"] = holds(bool(between), "lies between", "does not lie between")
    found["theory.nb201.printed_codes"] = told[(frame["form"] == "nb201") & (frame["theorem"] == 4)].iloc[0]
    growth = _table(runs, "growth")
    last = growth[growth["n"] == growth["n"].max()].set_index("kind", drop=False)
    return found | quoted("theory.growth", last.to_dict("index"))


def _plain(formula: str) -> str:
    """Return a formula as plain text."""
    for _ in range(2):  # a binomial may stand in another
        formula = re.sub(r"\\binom\{([^{}]*)\}\{([^{}]*)\}", r"C(\1,\2)", formula)
    for old, new in ((r"\frac{n(n-1)}{2}", "n(n-1)/2"), (r"\approx", "≈"), (r"\cdot", "·"), (r"\sum_j", "Σj")):
        formula = formula.replace(old, new)
    return formula.replace("{", "").replace("}", "")
