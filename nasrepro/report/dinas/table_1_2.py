"""Tables 1 and 2 of DiNAS: what each method finds with a budget of queries, printed beside ours.

A table is made of the printed rows (`data/paper/`), the record of the DiNAS run that answers the claim, and the record
of the searches rerun on the same benchmark. How many labels each method had read before its first query stands in
every row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from nasrepro.report import search_figures
from nasrepro.report.drawing import Figure
from nasrepro.report.rendering import DATASET_NAMES, Table, number, shown, tabulate, text
from nasrepro.report.verbs import holds, standing
from nasrepro.runs.claims import FETCH_TEST, metric_row
from nasrepro.runs.plan import Shown, planned
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


_Line = Mapping[str, Any]  # a row of a table: field -> number, stored summary or text


def field(name: str) -> Callable[[_Line], Any]:
    """Return what a column shows of a line: one of its fields, `not run` where it has none."""
    return lambda line: line.get(name, "not run")


_COLUMNS = (
    text("Method", field("method")),
    number("Best validation, %", field("valid"), 3),
    number("Its test, %", field("test"), 2),
    number("Queries", field("queries")),
    number("Distinct valid cells", field("distinct"), 1),
    number("Labels read before", field("labels")),
    number("Valid samples, %", field("validity"), 1, percent=True),
)


def search_table(name: str, runs: Shown) -> Table:
    """Return a table: the printed rows, then ours, "not run" without a record."""
    spec = TABLES[name]
    record, rerun = runs.record(spec.part), runs.record(f"{spec.part}.searches")
    lines = [*_printed_lines(spec), *_our_lines(spec, record, rerun)]
    notes = [*_notes(record), _printed_note(spec)]
    return tabulate(_COLUMNS, lines, _caption(spec, record, rerun), notes, kind=lambda line: line["kind"], name=name)


def _printed_lines(spec: SearchTable) -> Iterator[_Line]:
    frame = printed(f"dinas_table{spec.number}").query("dataset == @spec.dataset")
    for method, part in frame.groupby("method", sort=False):
        queries = part["queries"].iloc[0]
        yield {
            "method": f"{method}{' †' if part['mark'].str.contains('†').any() else ''}, printed",
            **{split: _printed_value(part[part["split"] == split].iloc[0]) for split in ("valid", "test")},
            "queries": NOT_PRINTED if pd.isna(queries) else queries,
            **dict.fromkeys(("distinct", "labels", "validity"), NOT_PRINTED),
            "kind": "printed",
        }


def _printed_value(entry: pd.Series) -> str:
    if pd.isna(entry["value"]):
        return NOT_PRINTED
    return f"{entry['value']:.2f}{'*' if '*' in entry['mark'] else ''}"


def _our_lines(spec: SearchTable, record: Record | None, rerun: Record | None) -> Iterator[_Line]:
    if record is None:
        yield {"method": "DiNAS, ours", "kind": "ours"}
        return
    asked = [(record, *row) for row in _DINAS_ROWS]
    asked += [
        (rerun or record, s, "paper", f"{label}{', rerun' * (rerun is not None)}")
        for s, label in SEARCHER_NAMES.items()
    ]
    for source, searcher, protocol, label in asked:
        if (row := metric_row(source, searcher, protocol)) is not None:
            counts = {"labels": recorded_labels_before(record, row), "distinct": row["distinct_valid"]}
            yield row | counts | _our_line(label, record, row["best_valid"], row["test"])
    best = record.metrics["optimum"]
    rest = {"queries": "none", "distinct": "none", "labels": spec.cells, "validity": 1.0}
    yield _our_line(OPTIMUM, record, best["valid"], best["test_of_it"]) | rest


def _our_line(label: str, record: Record, found: Any, test: Any) -> dict[str, Any]:
    """Return the accuracies of a row: what was found stands under test where a run chose by that."""
    valid, test = (NEEDS_OFFICIAL, shown(found, 3)) if _by_test(record) else (found, test or "no test data")
    return {"method": label, "valid": valid, "test": test, "kind": "ours"}


def _by_test(record: Record) -> bool:
    """Return whether a run learnt and chose by test accuracy, for want of validation accuracy."""
    return record.parameters.get("label") == "test"


def _notes(record: Record | None) -> Iterator[str]:
    """Yield what the numbers of the rows of DiNAS hide: draws, failed runs, how much lay in the wanted class."""
    for searcher, protocol, label in _DINAS_ROWS[:2]:
        if record is None or (row := metric_row(record, searcher, protocol)) is None:
            continue
        runs = row["trainings"] * row["runs"]
        told = f"{label}: {100 * row['in_top_class']['mean']:.1f} % of valid samples in the wanted class"
        if protocol == "distinct":
            told += (
                f"; {row['samples']['mean']:.0f} samples per run; {row['filled_runs']} of {runs} runs filled the budget"
            )
        failed = f"; {row['failed_runs']} of {runs} runs without a valid sample score 0" * bool(row["failed_runs"])
        yield f"{told}{failed}."


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
        return f"{label} No run of ours to show; to make it: `{planned(spec.part).command}`."
    p, others = record.parameters, metric_row(rerun or record, "random", "paper") or {}
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
    number("Labels read in all", lambda row: row["labels_in_search"]["mean"]),
    number("Regret, points", lambda row: row["regret"], 3),
    number("Runs at the optimum", lambda row: row.get("told") or f"{row['at_optimum']} of {row['runs']}"),
    number("Median labels to the optimum", lambda row: row["median_labels_to_optimum"] or "not within the budget"),
    number("CPU seconds per run", lambda row: row["seconds_per_run"], 1),
)


def efficiency_table(name: str, runs: Shown) -> Table | None:
    """Return how fast each searcher comes to the optimum, every label counted; None where none was rerun."""
    spec = TABLES[name]
    record, rerun = runs.record(spec.part), runs.record(f"{spec.part}.searches")
    if rerun is None:
        return None
    rows = [row for s in SEARCHER_NAMES if (row := metric_row(rerun, s, "paper")) is not None]
    if record is not None and (dinas := metric_row(record, "dinas", "paper")) is not None:
        rows.append(_dinas_labels(record, dinas))
    caption = (
        f"{spec.title}: labels against regret. Regret: distance of the best value found from the best of the table, "
        f"mean [95 % interval] over {rerun.parameters['runs']} runs; median over all runs of the labels read when the "
        "optimum was found."
    )
    return tabulate(_LABELS, rows, caption, name=f"{name}-labels")


def _dinas_labels(record: Record, row: Mapping[str, Any]) -> dict[str, Any]:
    best, found, before = record.metrics["optimum"]["valid"], row["best_valid"], recorded_labels_before(record, row)
    ends = {"mean": found["mean"], "low": found["high"], "high": found["low"]}
    return {
        "searcher": "DiNAS, the paper's protocol",
        "labels_in_search": {"mean": before + row["distinct_valid"]["mean"]},
        "regret": {k: None if v is None else max(0.0, round(best - v, 9)) for k, v in ends.items()},
        "told": "see its row above",
        "median_labels_to_optimum": f"over {before:,.0f}",
        "seconds_per_run": f"{record.metrics['speed']['training_s']:.0f} by the clock, training",
    }


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
    number("Percentile f", lambda line: f"{line['percentile']:g}"),
    number("Cells in the wanted class", lambda line: round((1 - line["percentile"] / 100) * TABLES["nb101"].cells)),
    text("Method", field("label")),
    number("Best value, %", field("best_valid"), 3),
    number("Median of the runs, %", lambda line: line["best_valid"]["median"], 3),
    number("Distinct cells queried", field("distinct_valid"), 1),
    number("Valid samples, %", lambda line: line["validity"]["mean"], 1, percent=True),
    number("Runs", lambda line: f"{line['trainings']} x {line['runs']}"),
)


_PERCENTILES = ("dinas.table1", "dinas.table1.finer-class")


def threshold_table(runs: Shown) -> Table:
    """Return what the percentile f decides on NAS-Bench-101, by percentile and method."""
    caption = (
        "NAS-Bench-101, 150 distinct queries: mean test accuracy of the best cell found, by the percentile above which "
        "a cell belongs to the wanted class. Mean [95 % interval] over trainings x runs."
    )
    missing = [part for part in _PERCENTILES if runs.record(part) is None]
    notes = [f"Not run: `{planned(part).command}`." for part in missing]
    return tabulate(_FINER, _by_percentile(runs), caption, notes, name="nb101-threshold")


def _by_percentile(runs: Shown) -> list[_Line]:
    """Return the rows of DiNAS with distinct cells, and of its control, of the runs that differ in the percentile."""
    return [
        {**row, "label": label, "percentile": record.parameters["percentile"]}
        for part in _PERCENTILES
        if (record := runs.record(part)) is not None
        for searcher, protocol, label in _DINAS_ROWS[1:]
        if (row := metric_row(record, searcher, protocol)) is not None
    ]


_Numbers = dict[str, float | int | str | None]


def numbers(runs: Shown, *names: str) -> _Numbers:
    """Return what sentences quote of some tables, by default of the three of NAS-Bench-201.

    `<table>.<searcher>.<protocol>.<field>[.<statistic>]`, `<table>.optimum.<field>`, `<table>.parameters.<name>`, and
    `<table>.rerun.<searcher>.<field>[.<statistic>]`; of `nb101`, `threshold.<percentile>.<method>` and verdicts, too.
    """
    found: _Numbers = {}
    for name in names or [name for name, spec in TABLES.items() if spec.number == 2]:
        record, rerun = (runs.record(f"{TABLES[name].part}{more}") for more in ("", ".searches"))
        for row in record.metrics["rows"] if record else ():
            found |= flat(f"{name}.{row['searcher']}.{row['protocol']}", row)
        for row in rerun.metrics["rows"] if rerun else ():
            late = row["median_labels_to_optimum"] or "not within the budget"
            found |= flat(f"{name}.rerun.{row['searcher']}", {**row, "median_labels_to_optimum": late})
        if record:
            found |= flat(f"{name}.optimum", record.metrics["optimum"])
            found |= flat(f"{name}.parameters", record.parameters)
        if name == "nb101" and record and rerun:
            found |= _verdicts(record, rerun)
            best = {(row["percentile"], row["searcher"]): row["best_valid"]["mean"] for row in _by_percentile(runs)}
            found |= {f"threshold.{percentile:g}.{searcher}": mean for (percentile, searcher), mean in best.items()}
            controls = [mean for (_, searcher), mean in sorted(best.items()) if searcher == "top_class"]
            found["threshold.finer"] = holds(controls == sorted(set(controls)), "more", "no more")
    return found


def flat(prefix: str, values: Mapping[str, Any]) -> _Numbers:
    """Return numbers, texts and stored summaries as `<prefix>.<name>` and `<prefix>.<name>.<statistic>`."""
    found = {f"{prefix}.{n}.{s}": v for n, of in values.items() if isinstance(of, Mapping) for s, v in of.items()}
    return found | {f"{prefix}.{n}": v for n, v in values.items() if isinstance(v, int | float | str)}


def _verdicts(record: Record, rerun: Record) -> _Numbers:
    """Return how DiNAS stands on NAS-Bench-101, and whether the Gaussian process ends at one value below the best."""
    asked = ((record, "dinas"), (record, "top_class"), (rerun, "gp"))
    dinas, control, gp = ((metric_row(of, s, "paper") or {}).get("best_valid") for of, s in asked)
    same = gp is not None and gp["low"] == gp["high"] < record.metrics["optimum"]["valid"]
    return {
        "nb101.control": standing(dinas, control),
        "nb101.gp": standing(dinas, gp),
        "nb101.second": holds(same, "every time", "not every time"),
    }
