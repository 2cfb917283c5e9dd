"""Tables 1 and 2 of DiNAS: what each method finds with a budget of queries, printed beside ours.

A table is made of the printed rows (`data/paper/`), the record of the DiNAS run that answers the claim, and the record
of the baselines rerun on the same benchmark. How many labels each method had read before its first query stands in
every row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from nasrepro.report.rendering import DATASET_NAMES, Column, Row, Table, with_interval
from nasrepro.runs.claims import FETCH_TEST, metric_row
from nasrepro.runs.plan import select
from nasrepro.runs.printed import printed
from nasrepro.runs.protocols import recorded_labels_before
from nasrepro.runs.records import Record

NOT_PRINTED = "n.p."  # explained in a note under the table
NEEDS_OFFICIAL = "needs the official file"
OPTIMUM = "Optimum of the table"


@dataclass(frozen=True)
class SearchTable:
    """One printed table, or the part of one data set.

    Attributes:
        number: of the table in the paper.
        experiment: whose records answer, which is also the name of the benchmark.
        dataset: e.g. `cifar10`.
        title: benchmark and data set.
        cells: number of cells of the space.
        what: what an accuracy is, a sentence for the caption.
        part: of the plan, whose record is shown.
    """

    number: int
    experiment: str
    dataset: str
    title: str
    cells: int
    what: str
    part: str

    @property
    def command(self) -> str:
        """The command that makes a record for this table."""
        option = f" -p dataset={self.dataset}" if self.experiment == "nb201" else ""
        return f"nasrepro run {self.experiment}{option} --profile laptop"


_NB201 = (
    "Accuracy in %, NAS-Bench-201, 200 epochs, mean over the two or three seeds of each cell; cells are chosen by "
    "validation accuracy, and the test accuracy is that of the chosen cell."
)
_NB101 = (
    "Accuracy in %, NAS-Bench-101, CIFAR-10, 108 epochs, mean over three trainings. Ours are learnt, chosen and "
    "reported by mean test accuracy, because validation accuracy of every cell is in the official file alone."
)
TABLES = {
    "nb101": SearchTable(1, "nb101", "cifar10", "NAS-Bench-101", 423_624, _NB101, "dinas.table1"),
    **{
        f"nb201-{name}": SearchTable(2, "nb201", name, title, 15_625, _NB201, f"dinas.table2.{name}")
        for name, title in DATASET_NAMES.items()
    },
}

_COLUMNS = (
    Column("Method"),
    Column("Best validation, %", numeric=True),
    Column("Its test, %", numeric=True),
    Column("Queries", numeric=True),
    Column("Distinct valid cells", numeric=True),
    Column("Labels read before", numeric=True),
    Column("Valid samples, %", numeric=True),
)
_DINAS_ROWS = (
    ("dinas", "paper", "DiNAS, the paper's protocol"),
    ("dinas", "distinct", "DiNAS, distinct cells"),
    ("top_class", "paper", "Uniform draw from the labelled top class"),
)
SEARCHER_NAMES = {
    "gp": "Gaussian process, practitioner's",
    "local_search": "Local search",
    "bo": "Bayesian optimisation",
    "bananas": "BANANAS",
    "evolution": "Regularised evolution",
    "random": "Random search",
}


def answering(name: str, candidates: Iterable[Record]) -> Record | None:
    """Return the record that a table shows."""
    return select(TABLES[name].part, list(candidates))


def baselines(name: str, candidates: Iterable[Record]) -> Record | None:
    """Return the record of the baselines rerun for a table."""
    return select(f"{TABLES[name].part}.searches", list(candidates))


def name_of(record: Record) -> str | None:
    """Return which table a DiNAS record belongs to, None where none."""
    dataset = record.parameters.get("dataset", "cifar10")
    for name, spec in TABLES.items():
        if (spec.experiment, spec.dataset) == (record.experiment, dataset):
            return name
    return None


def searchers_table(record: Record) -> Table:
    """Return how fast each searcher of a record of `baselines` comes to the optimum."""
    p = record.parameters
    where = (p["benchmark"], p["dataset"])
    name = next(n for n, spec in TABLES.items() if (spec.experiment, spec.dataset) == where)
    return efficiency_table(name, None, record)


def search_table(name: str, record: Record | None, rerun: Record | None = None) -> Table:
    """Return a table: the printed rows, then ours (None: they say 'not run')."""
    spec = TABLES[name]
    shown = tuple(_printed_rows(spec))
    label = f"DiNAS, Table {spec.number}, {spec.title}"
    if record is None:
        missing = Row(("DiNAS, ours", *["not run"] * 6), "ours")
        notes = (f"To run it: `{spec.command}`.", *_printed_notes(spec))
        return Table(_COLUMNS, (*shown, missing), f"{label}. No run of ours to show.", notes)
    ours = [(text, row) for s, p, text in _DINAS_ROWS if (row := metric_row(record, s, p)) is not None]
    source = rerun or record
    others = [
        (f"{text}, rerun" if rerun else text, row)
        for searcher, text in SEARCHER_NAMES.items()
        if (row := metric_row(source, searcher, "paper")) is not None
    ]
    best = _optimum_row(spec, record)
    rows = (*shown, *(_our_row(text, row, record) for text, row in (*ours, *others)), best)
    said = tuple(f"{text}: {note}." for text, row in ours if (note := _note(row, record)))
    notes = (*said, f"{OPTIMUM}: {_optimum_note(spec, record)}.", *_our_notes(record), *_printed_notes(spec))
    return Table(_COLUMNS, rows, _caption(spec, record, rerun), notes)


def efficiency_table(name: str, record: Record | None, rerun: Record) -> Table:
    """Return how fast each searcher comes to the optimum, every label counted: a row per searcher."""
    spec = TABLES[name]
    columns = (
        Column("Method"),
        Column("Labels read in all", numeric=True),
        Column("Regret, points", numeric=True),
        Column("Runs at the optimum", numeric=True),
        Column("Median labels to the optimum", numeric=True),
        Column("CPU seconds per run", numeric=True),
    )
    rows = [
        Row(
            (
                SEARCHER_NAMES[searcher],
                f"{row['labels_in_search']['mean']:.0f}",
                with_interval(row["regret"], 3),
                f"{row['at_optimum']} of {row['runs']}",
                f"{row['median_labels_to_optimum']:.0f}"
                if row["median_labels_to_optimum"]
                else "not within the budget",
                f"{row['seconds_per_run']:.1f}",
            ),
            "ours",
        )
        for searcher in SEARCHER_NAMES
        if (row := metric_row(rerun, searcher, "paper")) is not None
    ]
    dinas = metric_row(record, "dinas", "paper") if record else None
    if record is not None and dinas is not None:
        best, found = record.metrics["optimum"]["valid"], dinas["best_valid"]
        ends = {"mean": found["mean"], "low": found["high"], "high": found["low"]}
        regret = {k: None if v is None else max(0.0, round(best - v, 9)) for k, v in ends.items()}
        before = recorded_labels_before(record, dinas)
        labels = before + dinas["distinct_valid"]["mean"]
        speed = record.metrics["speed"]["training_s"]
        text = ("DiNAS, the paper's protocol", f"{labels:,.0f}", with_interval(regret, 3), "see its row above")
        rows.append(Row((*text, f"over {before:,.0f}", f"{speed:.0f} by the clock, training"), "ours"))
    caption = (
        f"{spec.title}: labels against regret. Regret: distance of the best value found from the best of the table, "
        f"mean [95 % interval] over {rerun.parameters['runs']} runs; median over all runs of the labels read when the "
        f"optimum was found. Run `{rerun.key}`, device {rerun.environment.device}."
    )
    return Table(columns, tuple(rows), caption)


def _printed_notes(spec: SearchTable) -> tuple[str, ...]:
    marks = "* marked there as equal to the optimum; " if spec.number == 2 else ""
    return (
        "n.p.: not printed. The paper prints neither spread, nor validity, nor how many distinct cells were queried, "
        "nor the labels read before the search. Its optimum is the best value of each column. "
        f"{marks}† taken by the paper from Lukasik et al. (2022).",
    )


def _printed_rows(spec: SearchTable) -> Iterable[Row]:
    frame = printed(f"dinas_table{spec.number}")
    frame = frame[frame["dataset"] == spec.dataset]
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


def _by_test(record: Record) -> bool:
    """Return whether a run learnt and chose by test accuracy, for want of validation accuracy."""
    return record.parameters.get("label") == "test"


def _our_row(label: str, row: dict[str, Any], record: Record) -> Row:
    """Return one row of ours; shares become per cent."""
    validity = row["validity"] and {k: v if k == "n" or v is None else 100 * v for k, v in row["validity"].items()}
    found = with_interval(row["best_valid"], 3)
    accuracies = (
        (NEEDS_OFFICIAL, found)
        if _by_test(record)
        else (found, with_interval(row["test"], 2) if row["test"] else "no test data")
    )
    cells = (
        label,
        *accuracies,
        f"{row['queries']}",
        with_interval(row["distinct_valid"], 1),
        f"{recorded_labels_before(record, row):,.0f}",
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


def _optimum_row(spec: SearchTable, record: Record) -> Row:
    best = record.metrics["optimum"]
    test = "no test data" if best["test_of_it"] is None else f"{best['test_of_it']:.2f}"
    accuracies = (NEEDS_OFFICIAL, f"{best['valid']:.3f}") if _by_test(record) else (f"{best['valid']:.3f}", test)
    return Row((OPTIMUM, *accuracies, "none", "none", f"{spec.cells:,}", "100.0"), "ours")


def _optimum_note(spec: SearchTable, record: Record) -> str:
    best = record.metrics["optimum"]
    what = "mean test accuracy" if _by_test(record) else "validation"
    note = (
        f"best {what} of all {spec.cells:,} cells; to a method that has read all labels it is known before the first "
        "query"
    )
    if best["best_test"] is not None and best["test_of_it"] < best["best_test"]:
        note += f"; the highest test accuracy of any cell is {best['best_test']:.2f}"
    return note


def _caption(spec: SearchTable, record: Record, rerun: Record | None) -> str:
    p, row = record.parameters, metric_row(record, "dinas", "paper") or {}
    others = rerun.parameters["runs"] if rerun else (metric_row(record, "random", "paper") or {}).get("runs")
    where = f"runs `{record.key}` and, for the searches, `{rerun.key}`" if rerun else f"run `{record.key}`"
    parts = [
        f"DiNAS, Table {spec.number}, {spec.title}. {spec.what}",
        f"Ours: mean [95 % interval] over {row.get('trainings')} trainings x {row.get('runs')} runs for DiNAS and "
        f"{others} runs for each baseline; condition: above percentile {p.get('percentile'):g}, guidance "
        f"scale {p.get('guidance_scale'):g}, {p.get('reverse_steps')} reverse steps, denoiser `{p.get('denoiser')}`; "
        f"profile `{record.profile}`, device {record.environment.device}, {where}.",
    ]
    if (row.get("test") is None) or record.metrics["optimum"].get("test_of_it") is None:
        parts.append(f"No test accuracy: its file was not there; `{FETCH_TEST}`, then repeat the run.")
    return " ".join(parts)


def _our_notes(record: Record) -> Sequence[str]:
    row = metric_row(record, "dinas", "paper")
    if row is None:
        return ()
    notes = [
        f"The model was trained on the labels of {recorded_labels_before(record, row):,.0f} cells and its condition is "
        f"a quantile over them; the {row['queries']} queries, counted as in the paper, leave these out.",
    ]
    if row["trainings"] > 1:
        notes.append(
            f"The interval resamples trainings, then runs; with {row['trainings']} trainings it is only rough."
        )
    return tuple(notes)
