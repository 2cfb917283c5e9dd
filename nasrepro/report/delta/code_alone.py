"""The difference code alone beside the printed numbers, from the record of `code_alone`."""

from __future__ import annotations

from collections.abc import Sequence

from nasrepro.report.delta.difference import PROTOCOLS, TAUS
from nasrepro.report.fragments import Fragments, command, provenance, table
from nasrepro.report.rendering import Column, Row, Table, with_interval
from nasrepro.runs.claims import load_claims, metric_row
from nasrepro.runs.plan import planned, select
from nasrepro.runs.records import Record, Run

LEARNERS = {
    "means": "Mean of each code, accuracies; one-edit pairs",
    "means_ranks": "Mean of each code, ranks; one-edit pairs",
    "weights": "A weight for each place, accuracies; random cells",
    "weights_ranks": "A weight for each place, ranks; random cells",
}
BUDGETS = {budget: PROTOCOLS[budget] for budget in ("1pct", "10pct", "all")}
_NAME, PART = "code-alone", "delta.table1.code_alone"  # of the fragment, in the plan


def code_table(record: Record) -> Table:
    """Return every learner on every budget, with its three taus, and what is printed."""
    columns = (
        *(Column("Function of the code"), Column("Budget"), Column("Labels", numeric=True)),
        *(Column(name, numeric=True) for name in TAUS.values()),
    )
    printed = {c.id: c.printed for c in load_claims() if c.id.startswith("delta.table1.nb201.doa.")}
    rows = []
    for budget, title in BUDGETS.items():
        value = printed.get(f"delta.table1.nb201.doa.{budget}")
        if value is not None:
            rows.append(Row(("DoA, printed", title, "not printed", *["not said which"] * 2, f"{value:.3f}"), "printed"))
        for name, text in LEARNERS.items():
            row = metric_row(record, name, budget)
            if row is not None:
                taus = (with_interval(row[tau], 3) for tau in TAUS)
                rows.append(Row((text, title, f"{row['labels']:,.0f}", *taus), "ours"))
    p = record.parameters
    caption = (
        f"NAS-Bench-201 ({record.metrics['column']}): functions of the difference code alone. Kendall's tau, mean "
        f"[95 % interval] over {p['trials']} trials, counted as in the tables above; with all labels, test cells are "
        f"among the training cells. The largest of a column is the best that we found, and no bound. Ridge penalty "
        f"{p['penalty']:g}; profile `{record.profile}`."
    )
    return Table(columns, tuple(rows), caption)


def write(out: Fragments, committed: Sequence[Run]) -> None:
    """Write the table of the page on the difference: `code-alone`."""
    found = select(PART, committed)
    if found is None:
        missing = ["There is no committed record for this table yet. This makes one:"]
        out.write(_NAME, [*missing, command(planned(PART).command)])
    else:
        out.write(_NAME, [table(_NAME, code_table(found[1])), provenance(found[1])], [f"table-{_NAME}"])


def values(committed: Sequence[Run]) -> dict[str, float | int | str | None]:
    """Return the numbers that sentences quote, None without a record.

    They are `code_alone.<learner>.<budget>.<tau>.<statistic>`, and with `best` for the learner those of the best that
    we found of each tau and budget.
    """
    out: dict[str, float | int | str | None] = {}
    found = select(PART, committed)
    for budget in BUDGETS:
        for tau in TAUS:
            best = found[1].metrics["best"][tau][budget] if found else ""
            for name in (*LEARNERS, "best"):
                row = (metric_row(found[1], best if name == "best" else name, budget) if found else None) or {}
                for statistic in ("mean", "low", "high"):
                    out[f"code_alone.{name}.{budget}.{tau}.{statistic}"] = row.get(tau, {}).get(statistic)
    return out
