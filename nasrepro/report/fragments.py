"""What the hand-written pages of the book include: tables, figures, provenance strips, written from records as MyST.

A `Fragments` writer owns the folder `book/_generated` of a staging folder. Each fragment is a small MyST file,
`<name>.md`; figures have their SVG and the CSV of their data beside it. Every table and figure gets an id, so that a
built page can be asked whether it shows them.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from nasrepro.parameters import resolved
from nasrepro.parameters.base import ADDED, option
from nasrepro.report.overview import Table
from nasrepro.report.search_figures import Figure
from nasrepro.runs.records import Record

# said in a command even where the profile says the same: where a run takes place
_PLACE = ("space", "dataset", "device", "latency")
_UNKNOWN = object()
SOURCE_PREFIX = "/book/_generated"  # how a page names the folder, whatever its own depth


class Fragments:
    """Writes fragments into one folder and remembers the ids of the tables and figures that each holds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ids: dict[str, list[str]] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, name: str, parts: Iterable[str], ids: Iterable[str] = ()) -> None:
        """Write `<name>.md` from its parts, separated by blank lines."""
        self.ids[name] = list(ids)
        (self.folder / f"{name}.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")

    def write_json(self, name: str, content: object) -> None:
        """Write `<name>.json`."""
        (self.folder / f"{name}.json").write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")

    def figure(self, name: str, figure: Figure, caption: str) -> str:
        """Write a figure's SVG and data and return the MyST that shows them."""
        (self.folder / f"{name}.svg").write_text(figure.svg, encoding="utf-8")
        data = ""
        if len(figure.data):
            figure.data.to_csv(self.folder / f"{name}.csv", index=False)
            data = f" {{download}}`Data of this figure (CSV) <{SOURCE_PREFIX}/{name}.csv>`."
        alt = json.dumps(" ".join(figure.alt.split()), ensure_ascii=False)
        return f":::{{figure}} {SOURCE_PREFIX}/{name}.svg\n:alt: {alt}\n:name: figure-{name}\n\n{caption}{data}\n:::"


def raw(text: str) -> str:
    """Return HTML as MyST passes it through."""
    return f"````{{raw}} html\n{text}\n````"


def table(name: str, content: Table) -> str:
    """Return a table with the id `table-<name>`, in a box that scrolls sideways on narrow screens."""
    return raw(content.to_html(f"table-{name}"))


def plain_table(name: str, frame: pd.DataFrame, caption: str) -> str:
    """Return a data frame of texts as an accessible table; the first column heads the rows. Cells are HTML."""
    head = "".join(f'<th scope="col">{html.escape(str(c))}</th>' for c in frame.columns)
    rows = []
    for first, *rest in frame.itertuples(index=False):
        cells = "".join(f"<td>{cell}</td>" for cell in rest)
        rows.append(f'<tr><th scope="row">{first}</th>{cells}</tr>')
    label = html.escape(caption[:120], quote=True)
    return raw(
        f'<div class="nr-table" id="table-{name}" role="region" tabindex="0" aria-label="{label}"><table>'
        f"<caption>{html.escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def command(text: str) -> str:
    """Return a command with a copy button."""
    return f"```{{code-block}} bash\n{text}\n```"


def run_command(record: Record) -> str:
    """Return the command that repeats a run: every parameter that is not what its profile says anyway."""
    usual = profile_parameters(record.experiment, record.profile)
    # what a run had before there was a parameter may not be what its profile says of it today
    given = {n: v for n, v in ADDED.items() if n in usual} | record.parameters
    told = {n: v for n, v in given.items() if n in _PLACE or usual.get(n, _UNKNOWN) != v}
    options = [option(n, v) for n, v in told.items()]
    return " ".join(["nasrepro run", record.experiment, *options, "--profile", record.profile])


@lru_cache
def profile_parameters(experiment: str, profile: str) -> dict[str, Any]:
    """Return the value of each parameter of an experiment under a profile."""
    return resolved(experiment, {}, profile).model_dump(mode="json")


def provenance(record: Record) -> str:
    """Return the strip under a table or figure: record, commit, data, seeds, device, date, and the command."""
    code = record.code
    dirty = {True: " with uncommitted changes", False: " (clean)", None: ""}[code.git_dirty]
    data = ", ".join(f"{d.name} {d.sha256[:8]}" for d in record.data)
    seeds = ", ".join(f"{name} {_seed(value)}" for name, value in record.seeds.items())
    items = {
        "Record": f"{record.experiment}/{record.key}, profile {record.profile}, method version {record.method_version}",
        "Code": (f"commit {code.git_commit[:10]}{dirty}" if code.git_commit else f"sources {code.source_sha256[:10]}"),
        "Data (sha256)": data,
        "Seeds": seeds,
        "Device": f"{record.environment.device}, {record.environment.threads} threads",
        "Cost": f"{record.cost.wall_s:.0f} s, {record.cost.peak_memory_mb:.0f} MB",
        "Date": record.created[:10],
    }
    pairs = "".join(f"<div><dt>{html.escape(k)}</dt><dd>{html.escape(v)}</dd></div>" for k, v in items.items() if v)
    return raw(f'<div class="nr-provenance"><dl>{pairs}</dl></div>') + "\n\n" + command(run_command(record))


def _seed(value: int | list[int]) -> str:
    return str(value) if isinstance(value, int) else ", ".join(map(str, value))
