"""Readings of the difference of architectures beside the printed numbers, and its ablations, from their records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import pandas as pd
from scipy.stats import ttest_rel

from nasrepro.report.delta import table_1
from nasrepro.report.delta.table_1 import BUDGETS, DIFFERENCE, printed_tau
from nasrepro.report.rendering import NOT_RUN, Column, Table, number, tabulate, text
from nasrepro.report.rows import row_of, to_make
from nasrepro.report.verbs import holds, quoted, standing
from nasrepro.runs import records
from nasrepro.runs.plan import Shown
from nasrepro.runs.records import Record
from nasrepro.runs.statistics import holm, summarise

SPACES = table_1.SPACES
READINGS = {
    "doa_alone": "Network, difference alone; independent pairs",
    "doa_literal": "Network, base visible; independent pairs (literal reading)",
    "doa_stars": "Network, base visible; stars",
    "doa_all_pairs": "Network, base visible; all pairs of random cells",
    "doa_gp_stars": "Gaussian process on differences; stars",
    "doa_gp": "Gaussian process on differences; all pairs of random cells",
    "doa": "Gaussian process and trees, with zero-cost scores; all pairs (strongest reading)",
    "doa_ceiling": "Mean of each code; all labels of the space",
}
LEARNERS = {
    "means": "Mean of each code, accuracies; one-edit pairs",
    "means_ranks": "Mean of each code, ranks; one-edit pairs",
    "weights": "A weight for each place, accuracies; random cells",
    "weights_ranks": "A weight for each place, ranks; random cells",
}
PROTOCOLS = {**BUDGETS, "1pct_of_space": "1 % of all cells", "all": "all"}
TAUS = {"tau_pairs": "P: pairs", "tau_neighbours": "N: neighbours", "tau": "C: architectures"}
PAIRS = number("Pairs", "pairs")
_BUDGET = text("Budget", lambda row: PROTOCOLS.get(row.get("protocol"), NOT_RUN))
_COLUMNS = (_BUDGET, number("Labels", "labels"))  # that every table of taus has
_TAU_COLUMNS = tuple(number(title, tau, 3) for tau, title in TAUS.items())
_AGAINST = table_1.ENCODINGS | table_1.GAUSSIAN
_ABLATION, CODE_ALONE = "delta.table1.ablation", "delta.table1.code_alone"
# settings of the ablation that learn of pairs, and those that learn of as many accuracies
SAME_LABELS = (("all_pairs", "accuracy_network"), ("literal", "accuracy_network"), ("gp_stars", "gp_accuracy"))


def tau_table(
    part: str, space: str, heading: str, titles: Mapping[str, str], what: str, runs: Shown, name: str, *more: Column
) -> Table:
    """Return the taus of the rows of a record, budget by budget, below what is printed.

    Args:
        part: of the plan, whose record is shown.
        space: whose printed numbers.
        heading: of the first column.
        titles: searcher -> title of its rows.
        what: is shown, for the caption.
        runs: to choose from.
        name: of the table.
        more: columns between labels and taus.
    """
    record = runs.record(part)
    columns = (text(heading, lambda row: titles.get(row["searcher"], row["searcher"])), *_COLUMNS, *more, *_TAU_COLUMNS)
    return tabulate(columns, _tau_rows(space, titles, record), _caption(f"{SPACES[space]}: {what}", part, record),
                    kind=lambda row: row.get("kind", "ours"), name=name)  # fmt: skip


def _tau_rows(space: str, titles: Mapping[str, str], record: Record | None) -> Iterator[dict[str, Any]]:
    for protocol in PROTOCOLS:
        if protocol in BUDGETS:
            told = {"searcher": "DoA, printed", "protocol": protocol, "kind": "printed"}
            told |= dict.fromkeys(("labels", "pairs"), "not printed") | dict.fromkeys(TAUS, "not said which")
            yield told | {"tau": f"{printed_tau(space, DIFFERENCE, protocol):.3f}"}
        yield from filter(None, (row_of(record, searcher, protocol) for searcher in titles))
    if record is None:
        yield {"searcher": "DoA, ours"}


def _caption(what: str, part: str, record: Record | None) -> str:
    if record is None:
        return f"{what}. {to_make(part)}"
    p, m = record.parameters, record.metrics
    over = f"{len(m['tasks'])} tasks, which weigh the same" if len(m.get("tasks", "1")) > 1 else ""
    percent = f" Percentages are of {m['percent_of']}." if "percent_of" in m else ""
    return (
        f"{what} ({over or m.get('column') or m['columns'][0]}). Kendall's tau, mean [95 % interval] over "
        f"{p['trials']} trials: P over {p['pairs']:,} one-edit pairs, N over {p['centres']} neighbourhoods, C by "
        f"chains from {p['anchors']} labelled cells.{percent} Profile `{record.profile}`."
    )


def readings_table(space: str, runs: Shown) -> Table:
    """Return every reading on every budget of one space, with its labels, pairs and three taus, and what is printed."""
    what = "readings of the difference of architectures at equal labels"
    return tau_table(f"delta.table1.{space}.doa", space, "Reading", READINGS, what, runs, f"doa-{space}", PAIRS)


def code_table(runs: Shown) -> Table:
    """Return every learner on every budget, with its three taus, and what is printed."""
    what = "functions of the difference code alone, the largest of a column being no bound"
    return tau_table(CODE_ALONE, "nb201", "Function of the code", LEARNERS, what, runs, "code-alone")


def ablation_table(runs: Shown) -> Table:
    """Return what each choice of Algorithm 1 does on NAS-Bench-201, at both budgets."""
    record = runs.record(_ABLATION)
    rows = [
        setting | row
        for name, setting in (record.metrics["settings"] if record else {}).items()
        for protocol in BUDGETS
        if (row := row_of(record, name, protocol))
    ]
    columns = (text("Choice", "choice"), text("Value", "value"), *_COLUMNS, *_TAU_COLUMNS)
    caption = _caption("NAS-Bench-201: the literal reading, and one choice changed at a time", _ABLATION, record)
    return tabulate(columns, rows or [{}], caption, name="doa-ablation")


def compared(mine: pd.DataFrame, theirs: pd.DataFrame) -> list[dict[str, Any]]:
    """Return by how much the strongest reading ranks architectures better than each encoding, trial by trial.

    Args:
        mine: table `runs` of a record of `doa`.
        theirs: table `trials` of a record of `encodings` with the same trials: the same training and test cells.

    Returns:
        One row of a method and budget, with at least two trials: the difference of tau, p of a paired t-test, and that
        adjusted for all comparisons (Holm).
    """
    ours = mine[mine["searcher"] == DIFFERENCE].groupby(["protocol", "trial"])["tau"].mean()
    other = theirs.groupby(["method", "budget", "trial"])["tau"].mean().unstack("trial").T
    rows: list[dict[str, Any]] = []
    for method, budget in ((m, b) for m in _AGAINST for b in BUDGETS if (m, b) in other and b in ours):
        both = pd.concat([ours[budget], other[method, budget]], axis=1, join="inner").dropna().to_numpy().T
        if both.shape[1] > 1:
            row = {"method": method, "protocol": budget, "p": float(ttest_rel(*both).pvalue)}
            rows.append(row | {"difference": summarise(both[0] - both[1]).as_dict()})
    return [row | {"holm": q} for row, q in zip(rows, holm([row["p"] for row in rows]), strict=True)]


def against_table(space: str, runs: Shown) -> Table | None:
    """Return the strongest reading held against each predictor of Table 1; None where there are no two records with the
    same cells."""
    mine, theirs = (runs.run(f"delta.table1.{space}.{name}") for name in (DIFFERENCE, "encodings"))
    if mine is None or theirs is None or mine[1].parameters["seed"] or theirs[1].parameters["test_cells"]:
        return None
    columns = (
        *(text("Held against", lambda row: _AGAINST[row["method"]]), _BUDGET),
        *(number("Difference of tau", "difference", 3), number("p", "p", ".2g"), number("p, Holm", "holm", ".2g")),
    )
    caption = (
        f"{SPACES[space]}: tau of architectures of the strongest reading minus that of each predictor of Table 1, on "
        "the same cells; mean [95 % interval] over trials, p of a paired t-test, and p adjusted for all comparisons."
    )
    rows = compared(records.load_table(*mine, "runs.parquet"), records.load_table(*theirs, "trials.parquet"))
    return tabulate(columns, rows, caption, name=f"doa-{space}-against")


def numbers(runs: Shown) -> dict[str, Any]:
    """Return what sentences quote, None or no entry without a record.

    By `verbs.quoted` below `doa.<space>` and `doa_ablation`; `doa.<space>.<reading>.<budget>.stands` for where its tau
    of architectures stands to the printed one, `doa.<space>.<budget>.printed`; `against` as of `_standings`;
    `doa.nb201.expected_pairs`, which of the pairs of 156 random cells are one edit apart; and, by `verbs.quoted` below
    `code_alone`, functions of the code alone: `code_alone.best.<budget>.<tau>`, the summary of the best that we found,
    and `code_alone.comes`, whether a tau of any comes to what is printed.
    """
    found: dict[str, Any] = {"doa.nb201.expected_pairs": 156 * 155 / 2 * 24 / 15_624}  # each cell has 24 neighbours
    for space in SPACES:
        found |= quoted(key := f"doa.{space}", runs.record(f"delta.table1.{space}.doa"))
        found |= _standings(key, found, (DIFFERENCE, "doa_gp"))
        for budget in BUDGETS:
            found[f"{key}.{budget}.printed"] = told = printed_tau(space, DIFFERENCE, budget)
            for name in READINGS:
                found[f"{key}.{name}.{budget}.stands"] = standing(found.get(f"{key}.{name}.{budget}.tau"), told)
    found |= quoted("doa_ablation", runs.record(_ABLATION))
    return found | _standings("doa_ablation", found, *SAME_LABELS) | _code_numbers(runs)


def _code_numbers(runs: Shown) -> dict[str, Any]:
    """Return the numbers of functions of the code alone, nothing without a record."""
    if (record := runs.record(CODE_ALONE)) is None:
        return {}
    found = quoted("code_alone", record)
    found |= _standings("code_alone", found, ("means_ranks", "means"), ("weights_ranks", "means"))
    printed = {budget: printed_tau("nb201", DIFFERENCE, budget) for budget in BUDGETS}
    reached = False
    for tau, budget, name in ((t, b, n) for t in TAUS for b, n in record.metrics["best"][t].items()):
        best = found[f"code_alone.{name}.{budget}.{tau}"]
        found |= quoted("code_alone.best", {f"{budget}.{tau}": best})
        reached |= best["high"] >= printed.get(budget, min(printed.values()))
    return found | {"code_alone.comes": holds(reached, "Something", "Nothing")}


def _standings(prefix: str, found: Mapping[str, Any], *pairs: tuple[str, str]) -> dict[str, Any]:
    """Return `<prefix>.<one>.<budget>.<tau>.against.<other>`: where one searcher of a record stands to another; None
    without a record."""
    said = {}
    for (a, b), budget, tau in product(pairs, PROTOCOLS, TAUS):
        one, other = (found.get(f"{prefix}.{name}.{budget}.{tau}") for name in (a, b))
        said[f"{prefix}.{a}.{budget}.{tau}.against.{b}"] = standing(one, other)
    return said
