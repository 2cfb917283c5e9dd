"""The data card of a benchmark, from the record of `nasrepro run card`: tables, distributions, defects, limits."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from typing import Any

from nasrepro.errors import ParameterError, did_you_mean
from nasrepro.files import paths
from nasrepro.files.storage import read_yaml
from nasrepro.report.drawing import Canvas, Figure, render
from nasrepro.report.rendering import Table, number, tabulate, text
from nasrepro.runs import records
from nasrepro.runs.plan import Shown, planned
from nasrepro.spaces.nb201 import N_FUNCTIONS

_LISTS = {"defects": "Known defects", "cannot_answer": "What it cannot answer"}
_TRAINED = ("valid", "test", "surrogate")
_MOST_PANELS = 9
_FEW_EPOCHS = 4


def texts(benchmark: str, runs: Shown) -> dict[str, str]:
    """Return what a card says in words, as Markdown: `title`, `text`, `space`, and with their headings `defects` and
    `cannot_answer`.

    Raises:
        ParameterError: there is no such card.
    """
    known = read_yaml(paths.data_dir() / "cards.yml")
    if benchmark not in known:
        told = did_you_mean(benchmark, known)
        raise ParameterError(f"There is no card of `{benchmark}`; known: {', '.join(known)}.{told}")
    found = known[benchmark] | dict.fromkeys(_LISTS, "")
    found["text"] = found["text"].replace("{functions}", f"{N_FUNCTIONS:,}")
    if (record := runs.record(f"card.{benchmark}")) is None:
        return found | {"space": f"Not run: `{planned(f'card.{benchmark}').command}`."}
    space = record.metrics["space"]
    size = f"{space['size']:,} architectures" if space["size"] else "more architectures than anyone can list"
    classes = ", ".join(f"`{name}`" for name in space["node_classes"])
    graph = f"The graph form has at most {space['max_nodes']} nodes of the classes {classes}."
    for name, heading in _LISTS.items():
        if items := record.metrics[name]:
            found[name] = "\n".join([f"## {heading}\n", *(f"- {html.escape(item, quote=False)}" for item in items)])
    words: dict[str, str] = found | {"space": f"Space `{space['name']}`: {size}. {graph}"}
    return words


_QUESTIONS = (
    text("Question", "column"),
    text("Unit", "unit"),
    text("Better", lambda q: "higher" if q["higher_is_better"] else "lower"),
    number(
        "Labelled", lambda q: f"{q['labelled']:,}" + ("" if math.isnan(q["share"]) else f" ({100 * q['share']:.3g} %)")
    ),
    number("Best", lambda q: _number(q["optimum"])),
    number("Median", lambda q: _number(q["q50"])),
    number("5 % to 95 %", lambda q: f"{_number(q['q05'])} to {_number(q['q95'])}"),
    text("File", lambda q: f"`{q['source']}`" if "." in q["source"] else q["source"]),
)


def columns_table(benchmark: str, runs: Shown, *, proxies: bool) -> Table | None:
    """Return what can be asked of a benchmark: a row per column, either zero-cost proxies or all else; None where there
    is nothing."""
    if (run := runs.run(f"card.{benchmark}")) is None:
        return None
    folder, record = run
    frame = records.load_table(folder, record, "columns.parquet")
    frame = frame[(frame["split"] == "proxy") == proxies]
    whole = len(frame)
    epochs = frame.groupby(["dataset", "metric", "split", "seed"])["epochs"]
    if (epochs.transform("nunique") > _FEW_EPOCHS).any():  # a learning curve: its ends
        ends = (frame["epochs"] == epochs.transform("min")) | (frame["epochs"] == epochs.transform("max"))
        frame = frame[ends]
    what = "Zero-cost proxies" if proxies else "What can be asked"
    caption = (
        f"{what}: {record.metrics['title']}. Every question names data set, split, metric, epochs and seed. Labelled: "
        "architectures with a value, and their share of the space where it is finite."
    )
    notes = [f"{whole - len(frame)} more questions are about the epochs in between."] * (whole > len(frame))
    name = f"card-{benchmark}-proxies" if proxies else f"card-{benchmark}"
    return tabulate(_QUESTIONS, frame.to_dict("records"), caption, notes, kind="", name=name) if whole else None


def _number(value: float) -> str:
    return f"{value:.3f}" if 0.1 <= abs(value) < 1e4 or value == 0 else f"{value:.3g}"


def _published_by(file: Mapping[str, Any], *parts: int) -> str:
    return str(file.get("package") or "/".join(file["url"].split("/")[slice(*parts)]))


_LICENCE, _SIZE = text("Licence", "licence"), number("Size", lambda f: f"{f['bytes'] / 1e6:.1f} MB")
_NAME, _WHAT = text("File", lambda f: f"`{f['name']}`"), text("What", "what")
_FILES = (
    *(_NAME, _WHAT, text("Published by", lambda f: _published_by(f, 2, 5)), _LICENCE, _SIZE),
    text("SHA-256", lambda f: f"`{f['checksum'][:12]}`"),
)
_REGISTRY = (
    *(_NAME, _WHAT, text("Source", lambda f: f"[{_published_by(f, 3, 5)}]({f['url']})"), _LICENCE),
    text("Size", lambda f: f"{f['bytes'] / 1e6:.1f} MB"),
    text("Checksum", lambda f: f"`{f['sha256'][:12]}`"),
)


def files_table(benchmark: str, runs: Shown) -> Table | None:
    """Return the raw files behind a card: publisher, licence, size, checksum, whom to cite; None without a record."""
    if (record := runs.record(f"card.{benchmark}")) is None:
        return None
    registry = read_yaml(paths.data_dir() / "registry.yml")
    known = {entry["name"]: entry for entry in registry["files"]}
    files = [known[file.name] | {"checksum": file.sha256} for file in record.data]
    cited = dict.fromkeys(registry["citations"][key] for file in files for key in file["citation"])
    caption = f"The raw files behind {record.metrics['title']}, with the beginning of the checksum that each must have."
    name = f"card-{benchmark}-files"
    return tabulate(_FILES, files, caption, [f"Please cite: {c}" for c in cited], kind="", name=name)


def registry_table() -> Table:
    """Return every file behind the study: what it is, its source, licence, size and checksum, and whom to cite."""
    registry = read_yaml(paths.data_dir() / "registry.yml")
    caption = "The files behind this study, with the beginning of the checksum against which each is checked."
    cited = [f"Please cite with them: {text}" for text in registry["citations"].values()]
    return tabulate(_REGISTRY, registry["files"], caption, cited, kind="", name="data-files")


_FACTS = (
    text("What", lambda fact: fact[0]),
    text("Value", lambda fact: f"{fact[1]:.4g}" if isinstance(fact[1], float) else str(fact[1])),
)


def facts_table(benchmark: str, runs: Shown) -> Table | None:
    """Return what else is known, e.g. the cross-validated figures of a surrogate; None where there is nothing."""
    record = runs.record(f"card.{benchmark}")
    if record is None or not record.metrics["facts"]:
        return None
    caption = f"Measured on {record.metrics['title']} when its tables were built."
    return tabulate(_FACTS, record.metrics["facts"].items(), caption, kind="", name=f"card-{benchmark}-facts")


def distributions(benchmark: str, runs: Shown) -> Figure | None:
    """Return histograms of the trained metrics (means over seeds), one panel per column, at most nine; None without a
    record. The figure's data: column, low and high end of each bar, count."""
    if (run := runs.run(f"card.{benchmark}")) is None:
        return None
    folder, record = run
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
    caption = f"{record.metrics['title']}: how the values are distributed; dashed, the best."
    return render(draw, (3.0 * across + 0.4, 2.4 * down + 0.3), alt, data).titled(f"card-{benchmark}", caption)
