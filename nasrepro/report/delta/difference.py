"""The difference of architectures beside the printed numbers: readings, ablations, Figure 3, from their records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
from scipy.stats import ttest_rel

from nasrepro.report.delta import figure_3 as distance_shape
from nasrepro.report.delta.table_1 import ENCODINGS, PRACTITIONERS
from nasrepro.report.drawing import Figure, render
from nasrepro.report.fragments import Fragments, command, provenance, table
from nasrepro.report.rendering import Column, Row, Table, with_interval
from nasrepro.runs import records
from nasrepro.runs.claims import load_claims, metric_row
from nasrepro.runs.plan import select
from nasrepro.runs.records import Record, Run
from nasrepro.runs.statistics import holm, summarise

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

SPACES = {
    "nb201": "NAS-Bench-201",
    "nb101": "NAS-Bench-101",
    "tnb101": "TransNAS-Bench-101 micro",
    "nb301": "NAS-Bench-301 (our surrogate)",
}
DISTANCE_SPACES = ("nb101", "nb201", "tnb101")
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
PROTOCOLS = {
    "1pct": "1 %",
    "10pct": "10 %",
    "1pct_of_space": "1 % of all cells",
    "all": "all",
}
TAUS = {"tau_pairs": "P: pairs", "tau_neighbours": "N: neighbours", "tau": "C: architectures"}
_DISTANCE_FIELDS = ("loss", "target", "share", "ratio", "growth", "share_ratio", "ratio_to_3")
_LINES = {  # predictor -> label, colour, line pattern, marker
    "alone": ("network, difference alone", "#b3540f", (0, (5, 2)), "s"),
    "base": ("network, base visible", "#0b3c6f", "solid", "o"),
    "gp": ("Gaussian process", "#3b7d3a", (0, (1, 1.4)), "D"),
}


def readings_table(record: Record) -> Table:
    """Return every reading on every budget of one space, with its labels, pairs and three taus, and what is printed."""
    space = record.parameters["space"]
    columns = (
        *(Column("Reading"), Column("Budget"), Column("Labels", numeric=True), Column("Pairs", numeric=True)),
        *(Column(name, numeric=True) for name in TAUS.values()),
    )
    printed = {c.id: c.printed for c in load_claims() if c.id.startswith(f"delta.table1.{space}.doa.")}
    rows = []
    for protocol, budget in PROTOCOLS.items():
        value = printed.get(f"delta.table1.{space}.doa.{protocol}")
        if value is not None:
            told = ("not printed", "not printed", "not said which", "not said which", f"{value:.3f}")
            rows.append(Row(("DoA, printed", budget, *told), "printed"))
        for searcher, text in READINGS.items():
            row = metric_row(record, searcher, protocol)
            if row is not None:
                counts = (f"{row['labels']:,.0f}", f"{row['pairs']:,.0f}")
                rows.append(Row((text, budget, *counts, *(with_interval(row[tau], 3) for tau in TAUS)), "ours"))
    p, metrics = record.parameters, record.metrics
    what = (
        f"{len(metrics['tasks'])} tasks, which weigh the same" if len(metrics["tasks"]) > 1 else metrics["columns"][0]
    )
    caption = (
        f"{SPACES[space]}: readings of the difference of architectures at equal labels ({what}). Labels: distinct "
        f"cells read for training, both ends of a pair, mean over trials; percentages are of {metrics['percent_of']}. "
        f"Kendall's tau, mean [95 % interval] over {p['trials']} trials, on cells that were not trained on: "
        f"{p['pairs']:,} one-edit pairs, the neighbourhoods of {p['centres']} cells, and all test cells by predictions "
        f"chained from {p['anchors']} labelled ones; profile `{record.profile}`."
    )
    return Table(columns, tuple(rows), caption)


def against_table(space: str, mine: pd.DataFrame, theirs: pd.DataFrame) -> Table:
    """Return by how much the strongest reading ranks architectures better than each encoding, trial by trial.

    Args:
        space: of both.
        mine: table `runs` of a record of `doa`.
        theirs: table `trials` of a record of `encodings` with the same trials: the same training and test cells.
    """
    ours = mine[mine["searcher"] == "doa"].groupby(["protocol", "trial"])["tau"].mean().rename("ours")
    other = theirs.groupby(["method", "budget", "trial"])["tau"].mean().rename("other")
    found = []
    for method in ENCODINGS | PRACTITIONERS:
        for budget in ("1pct", "10pct"):
            here = other[(other.index.get_level_values(0) == method) & (other.index.get_level_values(1) == budget)]
            both = pd.concat([ours[budget:budget].droplevel(0), here.droplevel([0, 1])], axis=1, join="inner")
            if len(both) > 1:
                difference = both["ours"] - both["other"]
                p = float(ttest_rel(both["ours"], both["other"]).pvalue)
                found.append((method, budget, summarise(difference).as_dict(), p))
    adjusted = holm([p for *_, p in found])
    rows = [
        Row(
            (
                *((ENCODINGS | PRACTITIONERS)[method], PROTOCOLS[budget], with_interval(difference, 3)),
                *(f"{p:.2g}", f"{q:.2g}"),
            ),
            "ours",
        )
        for (method, budget, difference, p), q in zip(found, adjusted, strict=True)
    ]
    columns = (
        *(Column("Held against"), Column("Budget"), Column("Difference of tau", numeric=True)),
        *(Column("p", numeric=True), Column("p, Holm", numeric=True)),
    )
    caption = (
        f"{SPACES[space]}: Kendall's tau of the strongest reading of the difference of architectures minus that of "
        "each predictor of Table 1, on the same training and test cells; mean [95 % interval] over trials, and p of a "
        "paired t-test over them, as it is and adjusted for all comparisons of the table."
    )
    return Table(columns, tuple(rows), caption)


def ablation_table(record: Record) -> Table:
    """Return what each choice of Algorithm 1 does on NAS-Bench-201, at both budgets."""
    columns = (
        *(Column("Choice"), Column("Value"), Column("Budget"), Column("Labels", numeric=True)),
        *(Column(name, numeric=True) for name in TAUS.values()),
    )
    rows = []
    for name, setting in record.metrics["settings"].items():
        for protocol, budget in PROTOCOLS.items():
            row = metric_row(record, name, protocol)
            if row is not None:
                taus = (with_interval(row[tau], 3) for tau in TAUS)
                rows.append(Row((setting["choice"], setting["value"], budget, f"{row['labels']:,.0f}", *taus), "ours"))
    p = record.parameters
    caption = (
        f"NAS-Bench-201 ({record.metrics['column']}): the literal reading, and one choice changed at a time. "
        f"Kendall's tau, mean [95 % interval] over {p['trials']} trials, counted as in the tables above; 156 and 1,563 "
        f"labels are 1 % and 10 % of the space. Zen-scores are no labels. Profile `{record.profile}`."
    )
    return Table(columns, tuple(rows), caption)


def _by_edits(record: Record) -> list[dict[str, Any]]:
    return [row for row in record.metrics["rows"] if row["protocol"] != distance_shape.SHAPE]


def distance_table(shown: Sequence[Record]) -> Table:
    """Return the losses of Figure 3 by space, predictor and number of edits."""
    columns = (
        *(Column("Space"), Column("Predictor"), Column("Edits k", numeric=True), Column("Loss", numeric=True)),
        *(Column("Mean squared difference", numeric=True), Column("Loss by it", numeric=True)),
    )
    rows = [
        Row(
            (
                *(SPACES[record.parameters["space"]], _LINES[row["searcher"]][0], row["protocol"][1:]),
                *(with_interval(row[field], 3) for field in ("loss", "target", "share")),
            ),
            "ours",
        )
        for record in shown
        for row in _by_edits(record)
    ]
    p = shown[0].parameters
    trials = ", ".join(f"{r.parameters['trials']} on {SPACES[r.parameters['space']]}" for r in shown)
    caption = (
        f"Delta-NAS, Figure 3: mean squared error of predictors trained and tested on pairs k edits apart, "
        f"{p['pairs']:,} pairs to train on and {p['test_pairs']:,} to test on for each k; mean [95 % interval] over "
        f"trials ({trials}). Losses and differences are in units of the variance of the labels (normal scores of "
        "accuracy, from the training cells); `loss by it` is 1 for a predictor that always says 0. "
        f"Profile `{shown[0].profile}`."
    )
    return Table(columns, tuple(rows), caption)


def distance_figure(shown: Sequence[Record]) -> Figure:
    """Return Figure 3: loss, and loss by the mean squared difference, against edits; the data: one row per point."""
    data = pd.DataFrame(
        {
            "space": record.parameters["space"],
            "predictor": row["searcher"],
            "k": int(row["protocol"][1:]),
            "loss": row["loss"]["mean"],
            "mean squared difference": row["target"]["mean"],
            "loss by mean squared difference": row["share"]["mean"],
        }
        for record in shown
        for row in _by_edits(record)
    )
    spaces = list(dict.fromkeys(data["space"]))

    def draw(canvas: Canvas) -> None:
        panels = canvas.subplots(2, len(spaces), squeeze=False, sharex=True)
        for column, space in enumerate(spaces):
            here = data[data["space"] == space]
            for axes, field in zip(panels[:, column], ("loss", "loss by mean squared difference"), strict=True):
                for predictor, (label, colour, pattern, marker) in _LINES.items():
                    part = here[here["predictor"] == predictor]
                    axes.plot(part["k"], part[field], color=colour, linestyle=pattern, marker=marker, markersize=4,
                              label=label if (column, field) == (0, "loss") else None)  # fmt: skip
                axes.set_ylim(bottom=0)
            level = here[here["predictor"] == "base"]
            panels[0, column].plot(level["k"], level["mean squared difference"], color="#6b7280", linestyle="dashdot",
                                   label="always 0" if column == 0 else None)  # fmt: skip
            panels[1, column].axhline(1, color="#6b7280", linestyle="dashdot")
            panels[0, column].set_title(SPACES[space])
            panels[1, column].set_xlabel("edits k")
        panels[0, 0].set_ylabel("loss")
        panels[1, 0].set_ylabel("loss by mean\nsquared difference")
        canvas.legend(loc="outside lower center", ncols=4, frameon=False, handlelength=4)

    ends = data[data["k"].isin([1, 6]) & (data["predictor"] == "base")].set_index(["space", "k"])
    said = "; ".join(
        f"{SPACES[space]}, network that sees the base: loss {ends.loc[(space, 1), 'loss']:.2f} at one edit and "
        f"{ends.loc[(space, 6), 'loss']:.2f} at six, by the mean squared difference "
        f"{ends.loc[(space, 1), 'loss by mean squared difference']:.2f} and "
        f"{ends.loc[(space, 6), 'loss by mean squared difference']:.2f}"
        for space in spaces
    )
    alt = f"Line charts of predictor loss against 1 to 6 edits, below by the mean squared difference. {said}."
    return render(draw, (3.1 * len(spaces) + 0.6, 5.2), alt, data)


def write(out: Fragments, committed: Sequence[Run]) -> None:
    """Write the parts of the pages on the difference and on Figure 3."""
    _difference_page(out, committed)
    _figure3_page(out, committed)


def _difference_page(out: Fragments, committed: Sequence[Run]) -> None:
    """Write the tables of the page on the difference of architectures."""
    for space in SPACES:
        name, found = f"doa-{space}", select(f"delta.table1.{space}.doa", committed)
        if found is None:
            missing = ["There is no committed record for this table yet. This makes one:"]
            out.write(name, [*missing, command(f"nasrepro run doa -p space={space} --profile laptop")])
        else:
            parts, ids = [table(name, readings_table(found[1])), provenance(found[1])], [f"table-{name}"]
            if (other := select(f"delta.table1.{space}.encodings", committed)) is not None:
                tables = (
                    records.load_table(*run, f"{part}.parquet") for run, part in ((found, "runs"), (other, "trials"))
                )
                parts.insert(1, table(f"{name}-against", against_table(space, *tables)))
                ids.append(f"table-{name}-against")
            out.write(name, parts, ids)
    found = select("delta.table1.ablation", committed)
    if found is None:
        missing = ["There is no committed record for this table yet. This makes one:"]
        out.write("doa-ablation", [*missing, command("nasrepro run doa_ablation --profile laptop")])
    else:
        parts = [table("doa-ablation", ablation_table(found[1])), provenance(found[1])]
        out.write("doa-ablation", parts, ["table-doa-ablation"])


def _figure3_page(out: Fragments, committed: Sequence[Run]) -> None:
    """Write Figure 3 and its numbers."""
    runs = {space: select(f"delta.figure3.{space}", committed) for space in DISTANCE_SPACES}
    shown = [run[1] for run in runs.values() if run is not None]
    missing = [
        f"nasrepro run doa_distance -p space={space} --profile laptop" for space, run in runs.items() if run is None
    ]
    parts, ids = [], []
    if shown:
        caption = "Predictor loss against the number of edits. Above: in units of the variance of the labels."
        parts = [
            out.figure("doa-distance", distance_figure(shown), caption),
            table("doa-distance", distance_table(shown)),
        ]
        parts += [note] if (note := distance_shape.outdated(shown, SPACES)) else []
        parts += [provenance(record) for record in shown]
        ids = ["figure-doa-distance", "table-doa-distance"]
        titles = {name: line[0] for name, line in _LINES.items()}
        for name, content in (
            ("doa-distance-shape", distance_shape.shape_table(shown, SPACES, titles)),
            ("doa-distance-between", distance_shape.between_table(shown, SPACES, titles)),
        ):
            if content is not None:
                parts.append(table(name, content))
                ids.append(f"table-{name}")
    if missing:
        parts += ["There is no committed record of some spaces yet. This makes them:", command("\n".join(missing))]
    out.write("doa-distance", parts, ids)


def values(committed: Sequence[Run]) -> dict[str, float | int | str | None]:
    """Return the numbers that sentences quote; None without a record, "not measured" where the record has none.

    `doa.<space>.<reading>.<budget>.<tau>.<statistic>`, `doa_distance.<space>.<predictor>.k<k>.<field>.<statistic>` and
    `doa_ablation.<setting>.<budget>.<tau>.<statistic>`; `labels` and `pairs` of the first and last have no statistic.
    """
    values: dict[str, float | int | str | None] = {}

    def put(prefix: str, found: Run | None, searcher: str, protocol: str, fields: Sequence[str]) -> None:
        row: dict[str, Any] = (metric_row(found[1], searcher, protocol) or {}) if found else {}
        missing = "not measured" if found else None
        for field in fields:
            for statistic in ("mean", "low", "high"):
                value = (row.get(field) or {}).get(statistic)
                values[f"{prefix}.{searcher}.{protocol}.{field}.{statistic}"] = missing if value is None else value
        for field in ("labels", "pairs"):
            values[f"{prefix}.{searcher}.{protocol}.{field}"] = row.get(field, missing)

    for space in SPACES:
        found = select(f"delta.table1.{space}.doa", committed)
        for searcher in READINGS:
            for protocol in PROTOCOLS:
                put(f"doa.{space}", found, searcher, protocol, tuple(TAUS))
    for space in DISTANCE_SPACES:
        found = select(f"delta.figure3.{space}", committed)
        for searcher in _LINES:
            for k in range(1, 7):
                put(f"doa_distance.{space}", found, searcher, f"k{k}", _DISTANCE_FIELDS)
    of_spaces = {space: select(f"delta.figure3.{space}", committed) for space in DISTANCE_SPACES}
    values |= distance_shape.values({space: run[1] if run else None for space, run in of_spaces.items()}, tuple(_LINES))
    found = select("delta.table1.ablation", committed)
    for setting in _ABLATION:
        for protocol in ("1pct", "10pct"):
            put("doa_ablation", found, setting, protocol, tuple(TAUS))
    return values


# settings of the ablation that sentences may quote
_ABLATION = (
    *("literal", "k2", "k3", "k6", "n1", "n16", "zen", "alone", "both", "code_means", "mse", "one_way", "no_mirror"),
    *("small", "large", "shallow", "stars", "all_pairs", "accuracy_network", "gp_pairs", "gp_stars", "gp_accuracy"),
)


def run_tables(record: Record) -> list[Table | Figure]:
    """Return what a notebook shows of a run of `doa`, `doa_ablation` or `doa_distance`."""
    if record.experiment == "doa":
        return [readings_table(record)]
    if record.experiment == "doa_ablation":
        return [ablation_table(record)]
    titles = {name: line[0] for name, line in _LINES.items()}
    shape = distance_shape.shape_table([record], SPACES, titles)
    return [distance_figure([record]), distance_table([record]), shape]
