"""The difference code alone beside the printed numbers, from the record of `code_alone`."""

from __future__ import annotations

from nasrepro.report.delta.difference import TAUS, standings, tau_table
from nasrepro.report.delta.table_1 import BUDGETS, DIFFERENCE, Numbers, printed_tau, row_numbers
from nasrepro.report.rendering import Table
from nasrepro.report.verbs import holds
from nasrepro.runs.plan import Shown

LEARNERS = {
    "means": "Mean of each code, accuracies; one-edit pairs",
    "means_ranks": "Mean of each code, ranks; one-edit pairs",
    "weights": "A weight for each place, accuracies; random cells",
    "weights_ranks": "A weight for each place, ranks; random cells",
}
PART = "delta.table1.code_alone"  # of the plan


def code_table(runs: Shown) -> Table:
    """Return every learner on every budget, with its three taus, and what is printed."""
    what = "functions of the difference code alone, the largest of a column being no bound"
    return tau_table(PART, "nb201", "Function of the code", LEARNERS, what, runs, "code-alone")


def numbers(runs: Shown) -> Numbers:
    """Return what sentences quote, nothing without a record.

    `code_alone.<learner>.<budget>.<tau>.<statistic>`, with `best` for the learner that of the best that we found;
    `code_alone.penalty` of the ridge regression; `code_alone.comes`, whether a tau of any comes to what is printed; and
    `against` as of `standings`.
    """
    if (record := runs.record(PART)) is None:
        return {}
    found = row_numbers("code_alone", record, TAUS) | {"code_alone.penalty": record.parameters["penalty"]}
    found |= standings("code_alone", record, ("means_ranks", "means"), ("weights_ranks", "means"))
    printed = {budget: printed_tau("nb201", DIFFERENCE, budget) for budget in BUDGETS}
    reached = False
    for tau, budget, name in ((t, b, n) for t in TAUS for b, n in record.metrics["best"][t].items()):
        best = {s: found[f"code_alone.{name}.{budget}.{tau}.{s}"] for s in ("mean", "low", "high")}
        found |= {f"code_alone.best.{budget}.{tau}.{s}": value for s, value in best.items()}
        reached |= best["high"] >= printed.get(budget, min(printed.values()))
    return found | {"code_alone.comes": holds(reached, "Something", "Nothing")}
