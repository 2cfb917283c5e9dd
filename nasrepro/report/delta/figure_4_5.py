"""Delta-NAS, Figures 4 and 5: curves, tables and sentences from the records of `delta_search`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from nasrepro.report.drawing import Figure, render
from nasrepro.report.fragments import Fragments, command, provenance, table
from nasrepro.report.rendering import Column, Row, Table, with_interval
from nasrepro.runs import records
from nasrepro.runs.claims import metric_row
from nasrepro.runs.plan import select
from nasrepro.runs.records import Record, Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

BENCHMARKS = {"nb101": ("NAS-Bench-101", "4"), "nb201": ("NAS-Bench-201", "5")}
PARTS = {"nb101": "delta.figure4", "nb201": "delta.figure5"}
COUNTED = {"evaluations": "evaluations, as the paper counts", "labels": "all labels, those for training first"}
METHODS = {  # name in the record -> as tables call it
    "delta_literal": "Delta-NAS as printed",
    "delta_literal_256": "the same, population 256",
    "delta_stars": "the same, cheaper pairs",
    "delta_sensible": "Delta-NAS (sensible)",
    "delta_sensible_256": "the same, population 256",
    "delta_retrain": "the same, retrained in the search",
    "delta_gp": "the same, Gaussian process of differences",
    "delta_oracle": "as printed, with a perfect predictor",
    "plain_literal": "Algorithm 2 with a plain predictor",
    "plain_sensible": "the sensible walk with a plain predictor",
    "plain_ranking": "the best cells of a plain predictor",
    "evolution_sep": "evolution with SEP crossover",
    "evolution_crossover": "evolution with standard crossover",
    "evolution": "evolution without crossover",
    "random": "random search",
    "reinforce": "REINFORCE",
    "local_search": "local search",
}
_LONG = METHODS | {"delta_retrain": "Delta-NAS (sensible, retrained in the search)"}
_LINES: dict[str, tuple[str, Any, str]] = {  # colour, line pattern, marker
    "delta_literal": ("#0b3c6f", "solid", "o"),
    "delta_retrain": ("#3d8bd4", (0, (5, 2)), "s"),
    "plain_ranking": ("#2f6b2f", (0, (7, 2, 1.5, 2)), "^"),
    "evolution_sep": ("#b3540f", "solid", "D"),
    "evolution_crossover": ("#b3540f", (0, (4, 2)), "d"),
    "evolution": ("#b3540f", (0, (1, 1.4)), "X"),
    "local_search": ("#7a3b8f", (0, (3, 1.5, 1, 1.5, 1, 1.5)), "P"),
    "reinforce": ("#6b7280", (0, (5, 1.5)), "v"),
    "random": ("#6b7280", (0, (1, 1)), "."),
}
_BANDS = ("delta_literal", "evolution_sep")
_VARIANTS = ("delta_literal", "delta_sensible", "delta_retrain")
_ALPHA = 0.05


def distance_figure(folder: Path, record: Record) -> Figure:
    """Return Figure 4a or 5a: edit distance to the best cell of the table, of the population's average (above) and of
    the best cell so far (below), medians over the runs, under both ways of counting. The data hold all methods."""
    measures = {"population_distance": "average of the population", "distance": "best cell so far"}
    return _figure(folder, record, measures, "Edit distance to the optimum")


def accuracy_figure(folder: Path, record: Record) -> Figure:
    """Return Figure 4b or 5b: test accuracy of the best cell so far, median over the runs, under both ways of
    counting. The data hold all methods."""
    return _figure(folder, record, {"test": "test accuracy, %"}, "Test accuracy of the best cell so far")


def _figure(folder: Path, record: Record, measures: Mapping[str, str], what: str) -> Figure:
    data = records.load_table(folder, record, "curves.parquet")

    def draw(canvas: Canvas) -> None:
        for i, (measure, label) in enumerate(measures.items()):
            for j, (counted, title) in enumerate(COUNTED.items()):
                axes = canvas.add_subplot(len(measures), 2, 2 * i + j + 1)
                here = data[data["counted"] == counted]
                for name, (colour, pattern, marker) in _LINES.items():
                    part = here[here["method"] == name]
                    axes.plot(
                        part["at"], part[f"{measure}_median"], color=colour, linestyle=pattern, marker=marker,
                        markersize=4.5, markevery=4, linewidth=1.7, markerfacecolor="white",
                        label=_LONG[name] if i == j == 0 else None,
                    )  # fmt: skip
                    if name in _BANDS:
                        low, high = part[f"{measure}_low"], part[f"{measure}_high"]
                        axes.fill_between(part["at"], low, high, color=colour, alpha=0.13, linewidth=0)
                axes.set_title(title, loc="left")
                axes.set_xlabel("distinct cells" if counted == "evaluations" else "distinct labels")
                axes.grid(axis="y", color="#d5dae0", linewidth=0.7)
                if j == 0:
                    axes.set_ylabel(label)
                if measure == "test":  # the first cells of a run are far below what matters
                    lines = here[here["method"].isin(_LINES) & (here["at"] >= here["at"].max() / 5)]
                    axes.set_ylim(lines["test_median"].min() - 0.05, lines["test_high"].max() + 0.02)
        canvas.legend(loc="outside lower center", ncols=3, frameon=False, handlelength=4)

    height = 4.4 if len(measures) == 1 else 7.4
    return render(draw, (9.2, height), _described(data, record, measures, what), data)


def _described(data: pd.DataFrame, record: Record, measures: Mapping[str, str], what: str) -> str:
    end = data[data["at"] == data["at"].max()].set_index(["counted", "method"])
    said = []
    for counted, title in COUNTED.items():
        for measure, label in measures.items():
            numbers = ", ".join(f"{_LONG[name]} {end.loc[(counted, name), f'{measure}_median']:.2f}" for name in _LINES)
            said.append(f"{label}, {title}: {numbers}")
    title = BENCHMARKS[record.parameters["benchmark"]][0]
    return (
        f"Line charts. {what} on {title}, against the number of distinct cells evaluated and against all labels. "
        f"Medians of {record.parameters['runs']} runs at {int(data['at'].max())}: {'. '.join(said)}."
    )


def search_table(record: Record, counted: str) -> Table:
    """Return how accurate and how near each method is at the checkpoints, under one way of counting."""
    p, at = record.parameters, record.metrics["checkpoints"]
    columns = (
        Column("Method"),
        Column("Labels before the search", numeric=True),
        *(Column(f"Test accuracy at {c}, %", numeric=True) for c in at),
        Column(f"Population to the optimum at {at[-1]}, edits", numeric=True),
        Column(f"Best to the optimum at {at[-1]}, edits", numeric=True),
    )
    rows = []
    for name, title in METHODS.items():
        row = metric_row(record, name, counted)
        if row is None:
            continue
        before = max((c.distinct for c in record.labels if c.reader == name and c.purpose == "train"), default=0)
        cells = (
            title,
            _training(record, name, before),
            *(with_interval(row[f"test_{c}"], 3) for c in at),
            *(with_interval(row[f"{m}_{at[-1]}"], 2) for m in ("population_distance", "distance")),
        )
        rows.append(Row(cells, "ours" if name.startswith("delta") else ""))
    searched, best = record.metrics["column"], record.metrics["optimum"]
    caption = (
        f"{BENCHMARKS[p['benchmark']][0]}, searches by {searched}; counted: {COUNTED[counted]}. Test accuracy: "
        f"{record.metrics['test_column']}, of the best cell so far; mean [95 % interval] of {p['runs']} runs. "
        f"The best cell of the table has {best['test']:.3f} %; profile `{record.profile}`."
    )
    return Table(columns, tuple(rows), caption)


def _training(record: Record, name: str, distinct: int) -> str:
    """Return how many labels a run of a method read before its search."""
    if distinct == 0:
        return "0"
    return "all" if name == "delta_oracle" else f"at most {record.parameters['training_labels']}"


def comparison_table(record: Record) -> Table:
    """Return how far variants of Delta-NAS are ahead of their rivals in test accuracy, at equal numbers of labels."""
    p = record.parameters
    columns = (
        *(Column("Method"), Column("Rival"), Column("Labels", numeric=True)),
        *(Column("Ahead by, points", numeric=True), Column("p, Holm", numeric=True), Column("Which is ahead")),
    )
    rows = tuple(
        Row(
            (
                _LONG[entry["method"]],
                METHODS[entry["rival"]],
                f"{entry['labels']}",
                with_interval(entry["ahead"], 3),
                _p(entry["p_holm"]),
                _verdict(entry),
            )
        )
        for entry in record.metrics["comparisons"]
    )
    caption = (
        f"{BENCHMARKS[p['benchmark']][0]}, at equal numbers of labels, those for training included: mean test accuracy "
        f"of {p['runs']} runs less that of the rival, [95 % bootstrap interval]; two-sided "
        "Mann-Whitney test, Holm-adjusted over all rows."
    )
    return Table(columns, rows, caption)


def sentence(record: Record, method: str, labels: int) -> str:
    """Say whether a variant beats its rivals at so many labels, with the intervals."""
    said = []
    for entry in record.metrics["comparisons"]:
        if entry["method"] == method and entry["labels"] == labels:
            word = {"rival": "behind", "method": "ahead of"}.get(_winner(entry), "not told apart from")
            said.append(f"{word} {METHODS[entry['rival']]} ({_signed(entry['ahead'])} points, p {_p(entry['p_holm'])})")
    title = _LONG[method]
    return f"At {labels} labels in all, {title} is {', '.join(said[:-1])} and {said[-1]}."


def _signed(summary: Mapping[str, Any]) -> str:
    return f"{summary['mean']:+.3f} [{summary['low']:+.3f}, {summary['high']:+.3f}]".replace("-", "−")


def _winner(entry: Mapping[str, Any]) -> str:
    if entry["p_holm"] >= _ALPHA:
        return ""
    return "method" if entry["ahead"]["mean"] > 0 else "rival"


def _verdict(entry: Mapping[str, Any]) -> str:
    return {"method": "Delta-NAS", "rival": "the rival"}.get(_winner(entry), "not told apart")


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def write(out: Fragments, committed: Sequence[Run]) -> None:
    """Write the parts of the pages on Figures 4 and 5: `delta-search-<benchmark>-<distance|accuracy|labels>`."""
    for benchmark, (title, number) in BENCHMARKS.items():
        name = f"delta-search-{benchmark}"
        found = select(PARTS[benchmark], committed)
        if found is None:
            repeat = command(f"nasrepro run delta_search -p benchmark={benchmark} --profile laptop")
            for part in ("distance", "accuracy", "labels"):
                out.write(f"{name}-{part}", ["There is no committed record yet. This makes one:", repeat])
            continue
        folder, record = found
        caption = f"Figure {number}a rerun, {title}: edit distance to the best cell, medians; bands, quartiles of two."
        figure = out.figure(f"{name}-distance", distance_figure(folder, record), caption)
        out.write(f"{name}-distance", [figure], [f"figure-{name}-distance"])
        caption = f"Figure {number}b rerun, {title}: test accuracy, medians; bands, quartiles of two."
        figure = out.figure(f"{name}-accuracy", accuracy_figure(folder, record), caption)
        parts = [figure, table(f"{name}-evaluations", search_table(record, "evaluations"))]
        out.write(f"{name}-accuracy", parts, [f"figure-{name}-accuracy", f"table-{name}-evaluations"])
        last = record.metrics["checkpoints"][-1]
        parts = [
            *(sentence(record, method, last) for method in _VARIANTS),
            table(f"{name}-labels", search_table(record, "labels")),
            table(f"{name}-comparison", comparison_table(record)),
            provenance(record),
        ]
        out.write(f"{name}-labels", parts, [f"table-{name}-labels", f"table-{name}-comparison"])


def values(committed: Sequence[Run]) -> dict[str, float | int | str | None]:
    """Return the numbers that the pages quote, None without a record: `delta_search.<benchmark>.` and one of
    `<parameter>`, `first` (the first checkpoint), `<method>.<claim>`, `<method>.labels.<measure>.<first|last>` (at
    equal numbers of labels), `<method>.seconds` (of a run)."""
    out: dict[str, float | int | str | None] = {}
    for benchmark in BENCHMARKS:
        found = select(PARTS[benchmark], committed)
        record = found[1] if found else None
        at = record.metrics["checkpoints"] if record else [0]
        out[f"delta_search.{benchmark}.first"] = at[0] if record else None
        for name in ("queries", "training_labels", "runs"):
            out[f"delta_search.{benchmark}.{name}"] = record.parameters[name] if record else None
        for method in METHODS:
            row = (metric_row(record, method, "claims") if record else None) or {}
            key = f"delta_search.{benchmark}.{method}"
            ended = (metric_row(record, method, "labels") if record else None) or {}
            for measure in ("test", "distance"):
                for when, labels in (("first", at[0]), ("last", at[-1])):
                    out[f"{key}.labels.{measure}.{when}"] = ended.get(f"{measure}_{labels}", {}).get("mean")
            for field in ("accuracy_ahead", "distance_ahead", "as_accurate", "as_close", "as_fast"):
                out[f"{key}.{field}"] = row.get(field, {}).get("mean")
            seconds = record.metrics["seconds"].get(method) if record else None
            out[f"{key}.seconds"] = None if seconds is None or record is None else seconds / record.parameters["runs"]
    return out
