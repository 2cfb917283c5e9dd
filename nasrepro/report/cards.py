"""The data card of a benchmark, from the record of `nasrepro run card`: tables, distributions, defects, limits."""

from __future__ import annotations

import html
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasrepro.files import paths
from nasrepro.files.storage import read_yaml
from nasrepro.report.drawing import Figure, render
from nasrepro.report.rendering import Column, Row, Table
from nasrepro.runs import records
from nasrepro.runs.records import Record

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

# The benchmarks in the order of the book, and the page of each under book/cards/.
CARDS = ("nb201", "nb101", "hw-nb201", "tnb101-micro", "tnb101-macro", "nb301", "nlp")
_TRAINED = ("valid", "test", "surrogate")
_MOST_PANELS = 9
_FEW_EPOCHS = 4


def space_line(record: Record) -> str:
    """Return what the search space is, in a sentence."""
    space = record.metrics["space"]
    size = f"{space['size']:,} architectures" if space["size"] else "more architectures than anyone can list"
    classes = ", ".join(f"`{name}`" for name in space["node_classes"])
    graph = f"The graph form has at most {space['max_nodes']} nodes of the classes {classes}."
    return f"Space `{space['name']}`: {size}. {graph}"


def columns_table(folder: Path, record: Record, *, proxies: bool) -> Table:
    """Return what can be asked of a benchmark: a row per column, either zero-cost proxies or all else."""
    frame = records.load_table(folder, record, "columns.parquet")
    frame = frame[(frame["split"] == "proxy") == proxies]
    whole = len(frame)
    epochs = frame.groupby(["dataset", "metric", "split", "seed"])["epochs"]
    if (epochs.transform("nunique") > _FEW_EPOCHS).any():  # a learning curve: its ends
        ends = (frame["epochs"] == epochs.transform("min")) | (frame["epochs"] == epochs.transform("max"))
        frame = frame[ends]
    columns = (
        Column("Question"),
        Column("Unit"),
        Column("Better"),
        Column("Labelled", numeric=True),
        Column("Best", numeric=True),
        Column("Median", numeric=True),
        Column("5 % to 95 %", numeric=True),
        Column("File"),
    )
    rows = tuple(Row(_cells(dict(zip(frame.columns, entry, strict=True)))) for entry in frame.itertuples(index=False))
    what = "Zero-cost proxies" if proxies else "What can be asked"
    caption = (
        f"{what}: {record.metrics['title']}. Every question names data set, split, metric, epochs and seed. Labelled: "
        "architectures with a value, and their share of the space where it is finite."
    )
    left_out = f"{whole - len(frame)} more questions are about the epochs in between."
    return Table(columns, rows, caption, (left_out,) if whole > len(frame) else ())


def _cells(entry: dict[str, Any]) -> tuple[str, ...]:
    share = "" if math.isnan(entry["share"]) else f" ({100 * entry['share']:.3g} %)"
    return (
        entry["column"],
        entry["unit"],
        "higher" if entry["higher_is_better"] else "lower",
        f"{entry['labelled']:,}{share}",
        _number(entry["optimum"]),
        _number(entry["q50"]),
        f"{_number(entry['q05'])} to {_number(entry['q95'])}",
        f"`{entry['source']}`" if "." in entry["source"] else entry["source"],
    )


def _number(value: float) -> str:
    return f"{value:.3f}" if 0.1 <= abs(value) < 1e4 or value == 0 else f"{value:.3g}"


def files_table(record: Record) -> Table:
    """Return the raw files behind a card: publisher, licence, size and checksum, whom to cite."""
    registry = read_yaml(paths.data_dir() / "registry.yml")
    known = {entry["name"]: entry for entry in registry["files"]}
    rows, cited = [], []
    for file in record.data:
        entry = known[file.name]
        rows.append(
            Row(
                (
                    f"`{file.name}`",
                    entry["what"],
                    entry.get("package") or "/".join(entry["url"].split("/")[2:5]),
                    entry["licence"],
                    f"{entry['bytes'] / 1e6:.1f} MB",
                    f"`{file.sha256[:12]}`",
                )
            )
        )
        cited += [registry["citations"][key] for key in entry["citation"]]
    columns = (
        *(Column("File"), Column("What"), Column("Published by"), Column("Licence")),
        *(Column("Size", numeric=True), Column("SHA-256")),
    )
    caption = f"The raw files behind {record.metrics['title']}, with the beginning of the checksum that each must have."
    return Table(columns, tuple(rows), caption, tuple(f"Please cite: {text}" for text in dict.fromkeys(cited)))


def facts_table(record: Record) -> Table | None:
    """Return what else is known, e.g. the cross-validated figures of a surrogate; None where there is nothing."""
    facts = record.metrics["facts"]
    if not facts:
        return None
    rows = tuple(
        Row((name, f"{value:.4g}" if isinstance(value, float) else str(value))) for name, value in facts.items()
    )
    caption = f"Measured on {record.metrics['title']} when its tables were built."
    return Table((Column("What"), Column("Value")), rows, caption)


def distributions(folder: Path, record: Record) -> Figure:
    """Return histograms of the trained metrics (means over seeds), one panel per column, at most nine.

    The figure's data: column, low and high end of each bar, count.
    """
    columns = records.load_table(folder, record, "columns.parquet")
    bars = records.load_table(folder, record, "histograms.parquet")
    trained = columns[columns["split"].isin(_TRAINED) & (columns["seed"] == "mean")]
    longest = trained[trained["epochs"] == trained.groupby("dataset")["epochs"].transform("max")]
    shown = (longest if len(longest) else columns).head(_MOST_PANELS)
    data = bars[bars["column"].isin(shown["column"])].reset_index(drop=True)
    across = min(3, len(shown))
    down = -(-len(shown) // across)

    def draw(canvas: Canvas) -> None:
        for k, entry in enumerate(shown.to_dict("records")):
            axes = canvas.add_subplot(down, across, k + 1)
            part = data[data["column"] == entry["column"]]
            axes.bar(part["low"], part["count"], part["high"] - part["low"], align="edge", color="#3d8bd4")
            axes.axvline(entry["optimum"], color="#b3540f", linestyle="dashed", linewidth=1.4)
            axes.set_title(f"{entry['dataset']}, {entry['split']}\n{entry['metric']}, {entry['unit']}", fontsize=10)
            axes.set_yscale("symlog", linthresh=10)
            axes.set_ylim(bottom=0)
        canvas.supylabel("architectures (log scale above 10)", fontsize=10)

    said = "; ".join(
        f"{e['column']}: median {_number(e['q50'])}, 5 to 95 % {_number(e['q05'])} to {_number(e['q95'])}, "
        f"best {_number(e['optimum'])} {e['unit']}"
        for e in shown.to_dict("records")
    )
    alt = f"Histograms of {record.metrics['title']}, {len(shown)} panels, the best value marked. {said}."
    return render(draw, (3.0 * across + 0.4, 2.4 * down + 0.3), alt, data)


def bullets(items: list[str]) -> str:
    """Return sentences as a MyST list, backquotes kept as code."""
    return "\n".join(f"- {html.escape(item, quote=False)}" for item in items)
