"""Delta-NAS, Figures 4 and 5: curves, tables and quoted numbers from the records of `delta_search`."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import pandas as pd

from nasrepro.parameters.base import from_notebook
from nasrepro.report import verbs
from nasrepro.report.drawing import Axes, Canvas, Figure, Look, draw_lines, render
from nasrepro.report.rendering import Table, number, tabulate, text
from nasrepro.report.rows import row_of, to_make
from nasrepro.runs import records
from nasrepro.runs.plan import Shown
from nasrepro.runs.records import Record

BENCHMARKS = {"nb101": "NAS-Bench-101", "nb201": "NAS-Bench-201"}
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
_LINES: dict[str, Look] = {
    name: (METHODS[name] if name != "delta_retrain" else "Delta-NAS (sensible, retrained in the search)", *look)
    for name, look in {
        "delta_literal": ("#0b3c6f", "solid", "o"),
        "delta_retrain": ("#3d8bd4", "dashed", "s"),
        "plain_ranking": ("#2f6b2f", "dashdot", "^"),
        "evolution_sep": ("#b3540f", "solid", "D"),
        "evolution_crossover": ("#b3540f", "dashed", "d"),
        "evolution": ("#b3540f", "dotted", "X"),
        "local_search": ("#7a3b8f", "dashdotdot", "P"),
        "reinforce": ("#6b7280", "dashed", "v"),
        "random": ("#6b7280", "dotted", "."),
    }.items()
}
_FIGURES = {  # half of a figure -> what it shows, and measure -> label of its axis
    "distance": (
        "Edit distance to the best cell of the table",
        {"population_distance": "average of the population", "distance": "best cell so far"},
    ),
    "accuracy": ("Test accuracy of the best cell so far", {"test": "test accuracy, %"}),
}
_ALPHA = 0.05


def given_on(benchmark: str, namespace: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that a notebook was given, with the benchmark of its page where there are any."""
    given = from_notebook(namespace)
    return {"benchmark": benchmark} | given if given else given


def figure(name: str, benchmark: str, runs: Shown) -> Figure | None:
    """Return one half of Figure 4 or 5 under both ways of counting, means of the runs; None without a record.

    Args:
        name: `distance`, edit distance to the best cell of the table, of the population's average (above) and of the
            best cell so far (below); or `accuracy`, test accuracy of the best cell so far, in %.
        benchmark: of `BENCHMARKS`.
        runs: to choose from.
    """
    if (run := runs.run(PARTS[benchmark])) is None:
        return None
    data, record, (what, measures) = records.load_table(*run, "curves.parquet"), run[1], _FIGURES[name]
    of, at = f"Means of {record.parameters['runs']} runs", " and ".join(map(str, record.metrics["checkpoints"]))

    def draw(canvas: Canvas) -> None:
        panels = canvas.subplots(len(measures), 2, squeeze=False)
        for row, (measure, label) in zip(panels, measures.items(), strict=True):
            for axes, counted in zip(row, COUNTED, strict=True):
                _panel(axes, data[data["counted"] == counted], record, counted, measure)
            row[0].set_ylabel(label)
        handles = panels[0, 0].get_legend_handles_labels()[0]
        canvas.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, handlelength=4)

    end = data[data["at"] == data["at"].max()].set_index(["counted", "method"])
    said = [
        f"{label}, {way}: "
        + ", ".join(f"{_LINES[m][0]} {end.loc[(c, m), f'{measure}_mean']:.2f}" for m in _LINES if (c, m) in end.index)
        for (c, way), (measure, label) in product(COUNTED.items(), measures.items())
    ]
    alt = (
        f"Line charts. {what} on {BENCHMARKS[benchmark]}, against the number of distinct cells evaluated and against "
        f"all labels. {of} at {int(data['at'].max())}: {'. '.join(said)}."
    )
    caption = f"{BENCHMARKS[benchmark]}: {what[0].lower()}{what[1:]}. {of}; bars, side by side: 95 % intervals at {at}."
    drawn = render(draw, (9.2, 1.4 + 3 * len(measures)), alt, data)
    return drawn.titled(f"delta-search-{benchmark}-{name}", caption)


def _panel(axes: Axes, data: pd.DataFrame, record: Record, counted: str, measure: str) -> None:
    draw_lines(axes, data, "at", f"{measure}_mean", "method", _LINES, markevery=4, linewidth=1.7)
    for place, name in enumerate(_LINES):
        for at in record.metrics["checkpoints"] if (row := row_of(record, name, counted)) else ():
            ends, beside = row[f"{measure}_{at}"], at + (place - 4) * data["at"].max() / 200
            axes.vlines(beside, ends["low"], ends["high"], color=_LINES[name][1], linewidth=1.2)
    axes.set_title(COUNTED[counted], loc="left")
    axes.set(xlabel="distinct cells" if counted == "evaluations" else "distinct labels", ylabel="")
    axes.grid(axis="y", color="#d5dae0", linewidth=0.7)
    if measure == "test":  # the first cells of a run are far below what matters
        lines = data[data["method"].isin(_LINES) & (data["at"] >= data["at"].max() / 5)]["test_mean"]
        axes.set_ylim(lines.min() - 0.05, lines.max() + 0.05)


def search_table(benchmark: str, counted: str, runs: Shown) -> Table:
    """Return how accurate and how near each method is at the checkpoints, under one way of counting."""
    name, title, part = f"delta-search-{benchmark}-{counted}", BENCHMARKS[benchmark], PARTS[benchmark]
    if (record := runs.record(part)) is None:
        missing = (text("Method", METHODS.get), text("Test accuracy, %", lambda _: "not run"))
        return tabulate(missing, ["delta_literal"], f"{title}. {to_make(part)}", name=name)
    at, best = record.metrics["checkpoints"], record.metrics["optimum"]
    columns = (
        text("Method", lambda row: METHODS[row["searcher"]]),
        number("Labels before the search", lambda row: _labels_before(record, row["searcher"])),
        *(number(f"Test accuracy at {c}, %", f"test_{c}", 3) for c in at),
        number(f"Population to the optimum at {at[-1]}, edits", f"population_distance_{at[-1]}", 2),
        number(f"Best to the optimum at {at[-1]}, edits", f"distance_{at[-1]}", 2),
    )
    rows = [row for method in METHODS if (row := row_of(record, method, counted))]
    caption = (
        f"{title}, searches by {record.metrics['column']}; counted: {COUNTED[counted]}. Test accuracy: "
        f"{record.metrics['test_column']}, of the best cell so far; {best['test']:.3f} % is that of the best cell of "
        f"the table. Mean [95 % interval] of {record.parameters['runs']} runs."
    )
    return tabulate(
        columns, rows, caption, kind=lambda row: "ours" if row["searcher"].startswith("delta") else "", name=name
    )


def _labels_before(record: Record, method: str) -> str:
    """Return how many labels a run of a method read before its search."""
    if not any(c.distinct for c in record.labels if (c.reader, c.purpose) == (method, "train")):
        return "0"
    return "all" if method == "delta_oracle" else f"at most {record.parameters['training_labels']}"


_COMPARED = (
    text("Method", lambda entry: _LINES.get(entry["method"], [METHODS[entry["method"]]])[0]),
    text("Rival", lambda entry: METHODS[entry["rival"]]),
    number("Labels", "labels"),
    number("Ahead by, points", "ahead", 3),
    number("p, Holm", lambda entry: "< 0.001" if entry["p_holm"] < 0.001 else f"{entry['p_holm']:.3f}"),
    text("Which is ahead", lambda entry: {"ahead of": "Delta-NAS", "behind": "the rival"}.get(word(entry), _EVEN)),
)
_EVEN = "not told apart"


def comparison_table(benchmark: str, runs: Shown) -> Table | None:
    """Return how far variants of Delta-NAS are ahead of their rivals in test accuracy, at equal numbers of labels; None
    without a record."""
    if (record := runs.record(PARTS[benchmark])) is None:
        return None
    caption = (
        f"{BENCHMARKS[benchmark]}, at equal numbers of labels, those for training included: mean test accuracy "
        f"of {record.parameters['runs']} runs less that of the rival, [95 % bootstrap interval]; two-sided "
        "Mann-Whitney test, Holm-adjusted over all rows."
    )
    name = f"delta-search-{benchmark}-comparison"
    return tabulate(_COMPARED, record.metrics["comparisons"], caption, kind="", name=name)


def word(entry: Mapping[str, Any]) -> verbs.Verb:
    """Return how a tested comparison came out: by the sign of the difference where its adjusted p is below 0.05."""
    if entry["p_holm"] >= _ALPHA:
        return verbs.Verb(f"{_EVEN} from")
    return verbs.holds(entry["ahead"]["mean"] > 0, "ahead of", "behind")


def numbers(runs: Shown, benchmark: str) -> dict[str, Any]:
    """Return what sentences quote of one benchmark, by `verbs.quoted` below `delta_search.<benchmark>`.

    Also `first` and `last` (checkpoint), `<method>.labels.<test|distance>.<first|last>` (at equal numbers of labels),
    and the words `<method>.against.<rival>` (after the last label), `<method>.best_other` (accuracy at the end against
    the best of the paper's other lines), `local_search.first` (against Delta-NAS as printed) and `differences` (a
    Gaussian process of differences against the same of accuracies)."""
    if (record := runs.record(PARTS[benchmark])) is None:
        return {}
    key, first, last = f"delta_search.{benchmark}", record.metrics["checkpoints"][0], record.metrics["checkpoints"][-1]
    found = verbs.quoted(key, record) | {f"{key}.first": first, f"{key}.last": last}
    for row in record.metrics["rows"]:
        name = f"{key}.{row['searcher']}"
        if row["protocol"] == "labels":
            ends = product(("test", "distance"), {"first": first, "last": last}.items())
            found |= {f"{name}.labels.{measure}.{end}": row[f"{measure}_{at}"]["mean"] for measure, (end, at) in ends}
        if row["protocol"] == "claims":
            words = ("ahead of", "level with", "behind")
            found[f"{name}.best_other"] = verbs.standing(row["accuracy_ahead"], 0.0, words)
    compared = (entry for entry in record.metrics["comparisons"] if entry["labels"] == last)
    found |= {f"{key}.{e['method']}.against.{e['rival']}": word(e) for e in compared}

    def stands(one: str, other: str, at: int) -> verbs.Verb | None:
        ours, theirs = (found.get(f"{key}.{name}.labels.test_{at}") for name in (one, other))
        return verbs.standing(ours, theirs)

    found[f"{key}.local_search.first"] = stands("local_search", "delta_literal", first)
    return found | {f"{key}.differences": stands("delta_gp", "plain_sensible", last)}
