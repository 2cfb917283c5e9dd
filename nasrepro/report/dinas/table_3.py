"""Table 3 of DiNAS: spaces that are not numbered, scored by our surrogates.

The printed numbers are of other surrogates. They stand beside ours for the order of the methods, never as values to
be compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from nasrepro.parameters.base import ADDED
from nasrepro.report.dinas import table_1_2 as search_tables
from nasrepro.report.dinas.table_1_2 import SEARCHER_NAMES
from nasrepro.report.rendering import Column, Row, Table, runs_note, with_interval
from nasrepro.runs import records
from nasrepro.runs.claims import metric_row
from nasrepro.runs.plan import select, select_all
from nasrepro.runs.printed import printed
from nasrepro.runs.protocols import recorded_labels_before
from nasrepro.runs.records import Record, Run
from nasrepro.runs.statistics import holm, permutation

TITLES = {"nb301": "NAS-Bench-301", "nlp": "NAS-Bench-NLP"}
TRIAL_SEED = 1  # of the runs in which the guidance scale was chosen
WHAT = {
    "nb301": "accuracy in % on CIFAR-10 after 100 epochs as our surrogate predicts it (validation; there is no test)",
    "nlp": "100 minus the loss on Penn Treebank after 50 epochs as our surrogate predicts it (trained on test losses, "
    "the only public ones)",
}
QUERIES = {"nb301": (100, 192), "nlp": (304,)}  # of DiNAS, and of the methods beside it
# what a further row of DiNAS may vary, each alone, and how the row says so
_VARIED = {"guidance_scale": "guidance scale {:g}", "cells": "{:,} labels"}
TOP_CLASS = "Uniform draw from the labelled top class"


def search_table(benchmark: str, runs: Sequence[Run]) -> Table:
    """Return a half of Table 3: DiNAS and its control, then the searches rerun, each beside what is printed."""
    columns = (
        Column("Method"),
        *(Column("Best, ours", numeric=True), Column("Behind DiNAS by", numeric=True), Column("p", numeric=True)),
        *(Column("Queries", numeric=True), Column("Labels read before", numeric=True)),
        *(Column("Valid samples, %", numeric=True), Column("Runs that end outside, %", numeric=True)),
        *(Column("Best inside", numeric=True), Column("Printed, other surrogate", numeric=True)),
    )
    found, title = select(f"dinas.table3.{benchmark}", runs), TITLES[benchmark]
    told = printed("dinas_table3").query("benchmark == @benchmark").set_index("method")
    searches = select(f"dinas.table3.{benchmark}.searches", runs)
    rerun = [] if searches is None else [searches]
    caption = f"DiNAS, Table 3, {title}: {WHAT[benchmark]}"
    if found is None:
        cells = ("DiNAS", "not run", *["not run"] * 7, f"{told['val']['DiNAS']:.2f}")
        return Table(columns, (Row(cells, "ours"),), f"{caption}. No run of ours to show.")
    record = found[1]
    dinas, control = (metric_row(record, s, "paper") for s in ("dinas", "top_class"))
    assert dinas is not None
    rows = [Row(("DiNAS", *_cells(record, dinas, dinas, ""), _told(told, "DiNAS")), "ours")]
    variants = others(benchmark, runs)
    rows += _variants(record, dinas, variants)
    if control is not None:
        p = _pvalues(found, [(found, "top_class")])[0]
        rows.append(Row((TOP_CLASS, *_cells(record, control, dinas, p), "n.p."), "ours"))
    for other in rerun:
        shown = {s: row for s in SEARCHER_NAMES if (row := metric_row(other[1], s, "paper")) is not None}
        for (name, row), p in zip(shown.items(), _pvalues(found, [(other, s) for s in shown]), strict=True):
            text = SEARCHER_NAMES[name] + (", budget of the paper" if row["queries"] != dinas["queries"] else "")
            same = row["queries"] == QUERIES[benchmark][-1]
            mark = _told(told, SEARCHER_NAMES[name]) if same else "other budget"
            rows.append(Row((text, *_cells(other[1], row, dinas, p), mark), "ours"))
    q = record.parameters
    caption += (
        f"; mean [95 % interval] of the best of a run. DiNAS: {dinas['trainings']} training(s) x {dinas['runs']} runs, "
        f"top {100 - q['percentile']:g} % of {recorded_labels_before(record, dinas):,.0f} labels, guidance scale "
        f"{q['guidance_scale']:g}, {q['reverse_steps']} reverse steps, profile `{record.profile}`, device "
        f"{record.environment.device}"
        + (f"; the others: {rerun[0][1].parameters['runs']} runs." if rerun else "; the others were not run.")
    )
    notes = (*_standing(dinas, rerun), *_search_notes(benchmark, record, told), *runs_note(r.key for r in variants))
    return Table(columns, tuple(rows), caption, notes)


def others(benchmark: str, runs: Sequence[Run]) -> list[Record]:
    """Return the records that vary the guidance scale, or the number of labels, alone."""
    if benchmark == "nlp":
        return []  # the plan has none
    found = [r for _, r in select_all(f"dinas.table3.{benchmark}.varied", runs).values()]
    return sorted(found, key=lambda r: [r.parameters.get(name, 0) for name in _VARIED])


def _variants(record: Record, dinas: dict[str, Any], others: Sequence[Record]) -> Iterator[Row]:
    """Yield DiNAS with distinct valid queries, where it may draw more than it queries, and the runs that vary one
    parameter."""
    for shown in (record, *others):
        varied = [
            f", {text.format(shown.parameters[name])}"
            for name, text in _VARIED.items()
            if shown.parameters.get(name) != record.parameters.get(name)
        ]
        for protocol, what in (("paper", ""), ("distinct", ", distinct valid queries")):
            row = metric_row(shown, "dinas", protocol)
            fills = protocol == "paper" or shown.parameters["most_draws"] > 1
            if row is not None and row is not dinas and fills:
                yield Row((f"DiNAS{''.join(varied)}{what}", *_cells(shown, row, dinas, "not tested"), "n.p."), "ours")


def _cells(record: Record, row: dict[str, Any], dinas: dict[str, Any], p: str) -> tuple[str, ...]:
    behind = dinas["best_valid"]["mean"] - row["best_valid"]["mean"]
    return (
        with_interval(row["best_valid"], 3),
        "itself" if row is dinas else f"{behind:+.3f}",
        p or "itself",
        f"{row['queries']}",
        f"{recorded_labels_before(record, row):,.0f}",
        f"{100 * row['validity']['mean']:.1f}",
        f"{100 * row['extrapolated']:.0f}",
        _inside(row),
    )


def _inside(row: dict[str, Any]) -> str:
    found = row["best_inside"]
    of = f" in {found['n']} of {row['trainings'] * row['runs']} runs" if found["n"] else "in no run"
    return (f"{found['mean']:.3f}" if found["n"] else "") + of


def _told(told: pd.DataFrame, method: str) -> str:
    value = told["val"].get(method)
    return "n.p." if value is None or pd.isna(value) else f"{value:.2f}"


def _pvalues(found: Run, others: Sequence[tuple[Run, str]]) -> list[str]:
    """Return Holm-adjusted p-values of the runs of DiNAS against those of each of some searchers."""
    values = [permutation(_best(found, "dinas"), _best(run, searcher)) for run, searcher in others]
    return [f"{p:.2g}" for p in holm(values)]


def _best(run: Run, searcher: str) -> list[float]:
    frame = records.load_table(run[0], run[1], "runs.parquet")
    found: list[float] = frame.loc[
        (frame["searcher"] == searcher) & (frame["protocol"] == "paper"), "best_valid"
    ].tolist()
    return found


def _standing(dinas: dict[str, Any], rerun: Sequence[Run]) -> Iterator[str]:
    """Say which searches DiNAS is ahead of at equal queries, by all values and by those that are no extrapolations."""
    for _, record in rerun:
        rows = {s: row for s in SEARCHER_NAMES if (row := metric_row(record, s, "paper")) is not None}
        if record.parameters["queries"] != dinas["queries"]:
            continue
        for field, what in (("best_valid", "all values"), ("best_inside", "values inside of what the surrogate knows")):
            mine = dinas[field]["mean"] or 0
            ahead = [SEARCHER_NAMES[s] for s, row in rows.items() if mine > (row[field]["mean"] or 0)]
            yield (
                f"By the mean of {what}, with {dinas['queries']} queries each, DiNAS is ahead of {len(ahead)} of "
                f"{len(rows)} searches{': ' * bool(ahead)}{', '.join(ahead)}."
            )


def _search_notes(benchmark: str, record: Record, told: pd.DataFrame) -> tuple[str, ...]:
    best = record.metrics["best_label"]
    what = "pairs" if benchmark == "nb301" else "cells"
    source = "" if benchmark == "nb301" else ", a true loss, not the surrogate's"
    return (
        f"The best of the {what} that DiNAS was trained on has the label {best:.3f}{source}: known before its first "
        "query.",
        "Behind DiNAS by: mean of DiNAS minus mean of the row. p: permutation test of the runs, two-sided, with Holm's "
        "correction within a budget; it takes runs as independent, though those of one training share a model.",
        "Runs that end outside: the best architecture lies farther from those the surrogate was fitted to than 99 % of "
        "them from each other; there its values are extrapolations. Best inside: the best of the others, mean over "
        "the runs that have any.",
        "Printed: NAS-Bench-301 by its official ensemble, which we do not have, and NAS-Bench-NLP by the surrogate of "
        f"NAS-Bench-X11. AG-Net is printed with {_told(told, 'AG-Net')}. n.p.: not printed.",
    )


def scale_table(benchmark: str, runs: Sequence[Run]) -> Table:
    """Return the trial runs, by how they were trained and then by guidance scale: where our setting comes from."""
    columns = (
        *(Column("Wanted class favoured, %", numeric=True), Column("Denoiser"), Column("Epochs", numeric=True)),
        *(Column("Cells per step", numeric=True), Column("Time input"), Column("Reverse steps", numeric=True)),
        *(Column("Guidance scale", numeric=True), Column("Valid samples, %", numeric=True)),
        *(Column("Best, ours", numeric=True), Column(f"{TOP_CLASS}", numeric=True)),
        *(Column("In the wanted class, %", numeric=True), Column("Distinct valid per run", numeric=True)),
    )
    names = ("wanted_share", "denoiser", "epochs", "batch_size", "time_input", "reverse_steps", "guidance_scale")
    trials = {
        tuple({**ADDED, **record.parameters}[name] for name in names): record
        for _, record in select_all(f"dinas.table3.{benchmark}.trials", runs).values()
    }
    rows = []
    for (share, denoiser, epochs, batch, time_input, steps, scale), record in sorted(trials.items()):
        row, control = (metric_row(record, s, "paper") for s in ("dinas", "top_class"))
        assert row is not None and control is not None
        cells = (
            *(f"{100 * share:g}", denoiser, f"{epochs}", f"{batch}", "yes" if time_input else "no", f"{steps}"),
            f"{scale:g}",
            f"{100 * row['validity']['mean']:.1f}",
            with_interval(row["best_valid"], 3),
            with_interval(control["best_valid"], 3),
            f"{100 * row['in_top_class']['mean']:.1f}",
            f"{row['distinct_valid']['mean']:.1f} of {row['queries']}",
        )
        rows.append(Row(cells, "ours"))
    caption = f"{TITLES[benchmark]}: trial runs of one training with the seed {TRIAL_SEED}."
    return Table(columns, tuple(rows), caption, runs_note(trials[setting].key for setting in sorted(trials)))


def misreading_table(record: Record) -> Table:
    """Return what the error of the public code does to the result of a record of `nb301`, from the same samples."""
    columns = (Column("What"), Column("Accuracy, %", numeric=True))
    names = {
        "best_if_read_rightly": "Best of a run, architectures read rightly",
        "best_as_reported": "Best of a run, as the public code would report it",
        "worth_of_it": "What the architecture is worth that the public code would choose",
    }
    found = record.metrics["misreading"]
    if found is None:
        return Table(columns, (), "Read as the public code reads: decode=public_code.")
    rows = tuple(Row((text, with_interval(found[name], 3)), "ours") for name, text in names.items())
    caption = f"The samples of run `{record.key}`, read rightly and as the public code of AG-Net and DiNAS reads them."
    return Table(columns, rows, caption)


def run_table(record: Record) -> Table:
    """Return what one run of `nb301`, `nlp`, or of the baselines on either found: a row per method."""
    columns = (
        *(Column("Method"), Column("Best", numeric=True), Column("Median", numeric=True)),
        *(Column("Queries", numeric=True), Column("Labels read before", numeric=True)),
        *(Column("Valid samples, %", numeric=True), Column("Runs that end outside, %", numeric=True)),
        Column("Best inside", numeric=True),
    )
    benchmark = record.parameters.get("benchmark", record.experiment)
    rows = [
        Row(
            (
                text,
                with_interval(row["best_valid"], 3),
                f"{row['best_valid']['median']:.3f}",
                f"{row['queries']}",
                f"{recorded_labels_before(record, row):,.0f}",
                f"{100 * row['validity']['mean']:.1f}",
                f"{100 * row['extrapolated']:.0f}",
                _inside(row),
            ),
            "ours",
        )
        for name, text in {"dinas": "DiNAS", "top_class": TOP_CLASS, **SEARCHER_NAMES}.items()
        if (row := metric_row(record, name, "paper")) is not None
    ]
    return Table(columns, tuple(rows), f"{TITLES[benchmark]}: {WHAT[benchmark]}; mean [95 % interval] over runs.")


def searchers_table(record: Record) -> Table:
    """Return what the searchers of a record of `baselines` found, on whichever benchmark."""
    return run_table(record) if record.parameters["benchmark"] in TITLES else search_tables.searchers_table(record)
