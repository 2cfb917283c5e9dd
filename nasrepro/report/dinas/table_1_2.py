"""Tables 1 and 2 of DiNAS: what each method finds with a budget of queries, printed beside ours.

A table is made of the printed rows (`data/paper/`), the record of the DiNAS run that answers the claim, and the record
of the searches rerun on the same benchmark. How many labels each method had read before its first query stands in
every row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from nasrepro.report import search_figures
from nasrepro.report.drawing import Figure
from nasrepro.report.rendering import DATASET_NAMES, Table, number, shown, tabulate, text
from nasrepro.report.rows import not_run, row_of, search_row, to_make
from nasrepro.report.verbs import holds, quoted, standing
from nasrepro.runs.claims import FETCH_TEST
from nasrepro.runs.plan import Shown
from nasrepro.runs.printed import printed
from nasrepro.runs.records import Record

NOT_PRINTED = "n.p."  # explained in a note under the table
NEEDS_OFFICIAL = "needs the official file"
NEVER = "not within the budget"
OPTIMUM = "Optimum of the table"


@dataclass(frozen=True)
class SearchTable:
    """One printed table, or the part of one data set.

    Attributes:
        number: of the table in the paper.
        dataset: e.g. `cifar10`.
        title: benchmark and data set.
        cells: number of cells of the space.
        what: what an accuracy is, a sentence for the caption.
        part: of the plan, whose record is shown; that of the searches rerun is `<part>.searches`.
    """

    number: int
    dataset: str
    title: str
    cells: int
    what: str
    part: str


_NB201 = (
    "Accuracy in %, NAS-Bench-201, 200 epochs, mean over the two or three seeds of each cell; cells are chosen by "
    "validation accuracy, and the test accuracy is that of the chosen cell."
)
_NB101 = (
    "Accuracy in %, NAS-Bench-101, CIFAR-10, 108 epochs, mean over three trainings. Ours are learnt, chosen and "
    "reported by mean test accuracy, because validation accuracy of every cell is in the official file alone."
)
TABLES = {
    "nb101": SearchTable(1, "cifar10", "NAS-Bench-101", 423_624, _NB101, "dinas.table1"),
    **{
        f"nb201-{name}": SearchTable(2, name, title, 15_625, _NB201, f"dinas.table2.{name}")
        for name, title in DATASET_NAMES.items()
    },
}
_DINAS_ROWS = (
    ("dinas", "paper", "DiNAS, the paper's protocol"),
    ("dinas", "distinct", "DiNAS, distinct cells"),
    ("top_class", "paper", "Uniform draw from the labelled top class"),
)
SEARCHER_NAMES = {
    "gp": "Gaussian process with UCB",
    "local_search": "Local search",
    "bo": "Bayesian optimisation",
    "bananas": "BANANAS",
    "evolution": "Regularised evolution",
    "random": "Random search",
}

_COLUMNS = (
    text("Method", "method"),
    number("Best validation, %", "valid", 3),
    number("Its test, %", "test", 2),
    number("Queries", "queries"),
    number("Distinct valid cells", "distinct_valid", 1),
    number("Labels read before", "before"),
    number("Valid samples, %", "validity", 1, percent=True),
)


def search_table(name: str, runs: Shown) -> Table:
    """Return a table: the printed rows, then ours, "not run" without a record."""
    spec, record, rerun = _records(name, runs)
    lines = [*_printed_lines(spec), *_our_lines(spec, record, rerun)]
    notes = [*_notes(record), _printed_note(spec)]
    return tabulate(_COLUMNS, lines, _caption(spec, record, rerun), notes, kind=lambda line: line["kind"], name=name)


def _records(name: str, runs: Shown) -> tuple[SearchTable, Record | None, Record | None]:
    """Return a table with the records of DiNAS and of the searches rerun."""
    spec = TABLES[name]
    return spec, runs.record(spec.part), runs.record(f"{spec.part}.searches")


def _printed_lines(spec: SearchTable) -> Iterator[dict[str, Any]]:
    frame = printed(f"dinas_table{spec.number}").query("dataset == @spec.dataset")
    for method, part in frame.groupby("method", sort=False):
        queries = part["queries"].iloc[0]
        yield {
            "method": f"{method}{' †' if part['mark'].str.contains('†').any() else ''}, printed",
            **{split: _printed_value(part[part["split"] == split].iloc[0]) for split in ("valid", "test")},
            "queries": NOT_PRINTED if pd.isna(queries) else queries,
            **dict.fromkeys(("distinct_valid", "before", "validity"), NOT_PRINTED),
            "kind": "printed",
        }


def _printed_value(entry: pd.Series) -> str:
    if pd.isna(entry["value"]):
        return NOT_PRINTED
    return f"{entry['value']:.2f}{'*' if '*' in entry['mark'] else ''}"


def _our_lines(spec: SearchTable, record: Record | None, rerun: Record | None) -> Iterator[dict[str, Any]]:
    if record is None:
        yield {"method": "DiNAS, ours", "kind": "ours"}
        return
    searches = ((s, "paper", f"{label}{', rerun' * (rerun is not None)}") for s, label in SEARCHER_NAMES.items())
    for source, asked in ((record, _DINAS_ROWS), (rerun or record, searches)):
        for searcher, protocol, label in asked:
            if row := search_row(source, searcher, protocol):
                yield row | _our_line(label, record, row["best_valid"], row["test"])
    best = record.metrics["optimum"]
    rest = {"queries": "none", "distinct_valid": "none", "before": spec.cells, "validity": 1.0}
    yield _our_line(OPTIMUM, record, best["valid"], best["test_of_it"] or "no test data") | rest


def _our_line(label: str, record: Record, found: Any, test: Any) -> dict[str, Any]:
    """Return the accuracies of a row: what was found stands under test where a run learnt and chose by test accuracy,
    for want of validation accuracy."""
    by_test = record.parameters.get("label") == "test"
    valid, test = (NEEDS_OFFICIAL, shown(found, 3)) if by_test else (found, test)
    return {"method": label, "valid": valid, "test": test, "kind": "ours"}


def _notes(record: Record | None) -> Iterator[str]:
    """Yield what the numbers of the rows of DiNAS hide: draws, failed runs, how much lay in the wanted class."""
    for searcher, protocol, label in _DINAS_ROWS[:2]:
        if not (row := search_row(record, searcher, protocol)):
            continue
        told = f"{label}: {100 * row['in_top_class']['mean']:.1f} % of valid samples in the wanted class"
        if protocol == "distinct":
            told += f"; {row['samples']['mean']:.0f} samples per run"
            told += f"; {row['filled_runs']} of {row['all_runs']} runs filled the budget"
        if row["failed_runs"]:
            told += f"; {row['failed']} runs without a valid sample score 0"
        yield f"{told}."


def _printed_note(spec: SearchTable) -> str:
    marks = "* marked there as equal to the optimum; " if spec.number == 2 else ""
    return (
        "n.p.: not printed. The paper prints neither spread, nor validity, nor how many distinct cells were queried, "
        "nor the labels read before the search. Its optimum is the best value of each column. "
        f"{marks}† taken by the paper from Lukasik et al. (2022)."
    )


def _caption(spec: SearchTable, record: Record | None, rerun: Record | None) -> str:
    label = f"DiNAS, Table {spec.number}, {spec.title}."
    if record is None:
        return f"{label} {to_make(spec.part)}"
    p, others = record.parameters, row_of(rerun or record, "random")
    told = (
        f"{label} {spec.what} Ours: mean [95 % interval, trainings and runs resampled] over {p['trainings']} "
        f"trainings x {p['runs']} runs for DiNAS and {others.get('runs')} runs for each baseline; condition: above "
        f"percentile {p['percentile']:g}, guidance scale {p['guidance_scale']:g}, {p['reverse_steps']} reverse steps, "
        f"denoiser `{p['denoiser']}`."
    )
    missing = f" No test accuracy: its file was not there; `{FETCH_TEST}`, then repeat the run."
    return told + missing * (record.metrics["optimum"]["test_of_it"] is None)


_LABELS = (
    text("Method", lambda row: SEARCHER_NAMES.get(row["searcher"], row["searcher"])),
    number("Labels read in all", "labels_in_search.mean"),
    number("Regret, points", "regret", 3),
    number("Runs at the optimum", lambda row: row.get("told") or f"{row['at_optimum']} of {row['runs']}"),
    number("Median labels to the optimum", lambda row: row["median_labels_to_optimum"] or NEVER),
    number("CPU seconds per run", "seconds_per_run", 1),
)


def efficiency_table(name: str, runs: Shown) -> Table | None:
    """Return how fast each searcher comes to the optimum, every label counted; None where none was rerun."""
    spec, record, rerun = _records(name, runs)
    if rerun is None:
        return None
    rows = [row for s in SEARCHER_NAMES if (row := row_of(rerun, s))]
    if record is not None and (dinas := search_row(record)):
        best, found = record.metrics["optimum"]["valid"], dinas["best_valid"]
        ends = {"mean": found["mean"], "low": found["high"], "high": found["low"]}
        row = {
            "searcher": "DiNAS, the paper's protocol",
            "labels_in_search": {"mean": dinas["before"] + dinas["distinct_valid"]["mean"]},
            "regret": {k: None if v is None else max(0.0, round(best - v, 9)) for k, v in ends.items()},
            "told": "see its row above",
            "median_labels_to_optimum": f"over {dinas['before']:,.0f}",
            "seconds_per_run": f"{record.metrics['speed']['training_s']:.0f} by the clock, training",
        }
        rows.append(row)
    caption = (
        f"{spec.title}: labels against regret. Regret: distance of the best value found from the best of the table, "
        f"mean [95 % interval] over {rerun.parameters['runs']} runs; median over all runs of the labels read when the "
        "optimum was found."
    )
    return tabulate(_LABELS, rows, caption, name=f"{name}-labels")


def curve(name: str, runs: Shown) -> Figure | None:
    """Return the best accuracy so far against queries; None without a record."""
    if (run := runs.run(TABLES[name].part)) is None:
        return None
    caption = f"{TABLES[name].title}: best accuracy so far against queries."
    return search_figures.best_so_far(run[0]).titled(f"{name}-curve", caption)


def cells(name: str, runs: Shown) -> Figure | None:
    """Return the best cells that DiNAS found; None without a record."""
    if (run := runs.run(TABLES[name].part)) is None:
        return None
    return search_figures.best_cells(run[0]).titled(f"{name}-cells", f"{TABLES[name].title}: the best cells found.")


_FINER = (
    number("Percentile f", "percentile", "g"),
    number("Cells in the wanted class", lambda line: round((1 - line["percentile"] / 100) * TABLES["nb101"].cells)),
    text("Method", "label"),
    number("Best value, %", "best_valid", 3),
    number("Median of the runs, %", "best_valid.median", 3),
    number("Distinct cells queried", "distinct_valid", 1),
    number("Valid samples, %", "validity.mean", 1, percent=True),
    number("Runs", "times"),
)


_PERCENTILES = ("dinas.table1", "dinas.table1.finer-class")


def threshold_table(runs: Shown) -> Table:
    """Return what the percentile f decides on NAS-Bench-101, by percentile and method."""
    caption = (
        "NAS-Bench-101, 150 distinct queries: mean test accuracy of the best cell found, by the percentile above which "
        "a cell belongs to the wanted class. Mean [95 % interval] over trainings x runs."
    )
    return tabulate(_FINER, _by_percentile(runs), caption, not_run(runs, *_PERCENTILES), name="nb101-threshold")


def _by_percentile(runs: Shown) -> list[dict[str, Any]]:
    """Return the rows of DiNAS with distinct cells, and of its control, of the runs that differ in the percentile."""
    return [
        {**row, "label": label, "percentile": record.parameters["percentile"]}
        for part in _PERCENTILES
        if (record := runs.record(part)) is not None
        for searcher, protocol, label in _DINAS_ROWS[1:]
        if (row := search_row(record, searcher, protocol))
    ]


def numbers(runs: Shown, *names: str) -> dict[str, Any]:
    """Return what sentences quote of some tables, by default of the three of NAS-Bench-201: by `verbs.quoted` below
    `<table>` and, of the searches, `<table>.rerun`; of `nb101`, `threshold.<percentile>.<method>` and words, too."""
    found: dict[str, Any] = {}
    for name in names or [name for name, spec in TABLES.items() if spec.number == 2]:
        _, record, rerun = _records(name, runs)
        found |= quoted(name, record) | quoted(f"{name}.rerun", rerun)
        if name == "nb101" and record and rerun:
            found |= _verdicts(found)
            best = {(row["percentile"], row["searcher"]): row["best_valid"]["mean"] for row in _by_percentile(runs)}
            found |= {f"threshold.{percentile:g}.{searcher}": mean for (percentile, searcher), mean in best.items()}
            controls = [mean for (_, searcher), mean in sorted(best.items()) if searcher == "top_class"]
            found["threshold.finer"] = holds(controls == sorted(set(controls)), "more", "no more")
    late = {key: NEVER for key, value in found.items() if value is None and key.endswith("median_labels_to_optimum")}
    return found | late


def _verdicts(found: dict[str, Any]) -> dict[str, Any]:
    """Return how DiNAS stands on NAS-Bench-101, and whether the Gaussian process ends at one value below the best."""
    rows = ("dinas.paper", "top_class.paper", "rerun.gp.paper")
    dinas, control, gp = (found.get(f"nb101.{row}.best_valid") for row in rows)
    same = gp is not None and gp["low"] == gp["high"] < found["nb101.optimum.valid"]
    return {
        "nb101.control": standing(dinas, control),
        "nb101.gp": standing(dinas, gp),
        "nb101.second": holds(same, "every time", "not every time"),
    }
