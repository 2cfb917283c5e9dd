"""A neutral `Table` of text that renders to accessible HTML and to the terminal, and numbers as text.

A cell is never a bare dash: where there is no number, the cell says why.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import pandas as pd

NOT_RUN = "not run"
_SENTENCE = ' class="nr-long"'
DATASET_NAMES = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "imagenet16-120": "ImageNet16-120"}


@dataclass(frozen=True)
class Column:
    """A column: its heading, what it shows of an item, and how.

    Attributes:
        name: its heading.
        numeric: whether its cells are numbers, aligned to the right.
        value: of an item (`tabulate`): a number, a stored summary, a text, or None where there is none. A dotted name
            stands for a field (`look_up`).
        digits: after the point, or a format.
        percent: show shares in per cent.
    """

    name: str
    numeric: bool = False
    value: Callable[[Any], object] | str = ""
    digits: int | str = 0
    percent: bool = False

    def of(self, item: Any) -> str:
        """Return the cell of an item."""
        value = look_up(item, self.value) if isinstance(self.value, str) else self.value(item)
        return shown(value, self.digits, 100.0 if self.percent else 1.0)


def number(name: str, value: Callable[[Any], object] | str, digits: int | str = 0, *, percent: bool = False) -> Column:
    """Return a column of numbers."""
    return Column(name, numeric=True, value=value, digits=digits, percent=percent)


def text(name: str, value: Callable[[Any], object] | str) -> Column:
    """Return a column of texts."""
    return Column(name, value=value)


def look_up(item: Any, name: str) -> Any:
    """Return a field of an item by its dotted name (`record.parameters.epochs`), `not run` where it has none."""
    for part in name.split("."):
        if isinstance(item, Mapping):
            if part not in item:
                return NOT_RUN
            item = item[part]
        else:
            item = getattr(item, part)
    return item


def shown(value: object, digits: int | str = 0, scale: float = 1.0) -> str:
    """Return a value as the text of a cell: of a stored summary, the mean with its interval."""
    if value is None:
        return "not measured"
    if isinstance(value, str):
        return value
    if isinstance(digits, str):
        return format(value, digits)
    if isinstance(value, Mapping):
        return with_interval({k: v if k == "n" or v is None else scale * v for k, v in value.items()}, digits)
    return f"{scale * cast('float', value):,.{digits}f}"


@dataclass(frozen=True)
class Row:
    """A row: the text of each cell, and its kind (`printed`, `ours`, a verdict or empty), which becomes a CSS class."""

    cells: tuple[str, ...]
    kind: str = ""


@dataclass(frozen=True)
class Table:
    """A table of text. The first cell of each row is its heading; `code` in backquotes is rendered as code.

    With `name` it has the id `table-<name>` in the book. With `stacks` the cells are sentences rather than numbers:
    columns share the width of the page, and on a phone a row becomes a list of named cells.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    caption: str
    notes: tuple[str, ...] = ()
    stacks: bool = False
    name: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row.cells) != len(self.columns):
                raise ValueError(f"{len(row.cells)} cells for {len(self.columns)} columns: {row.cells}")

    def to_html(self, name: str | None = None) -> str:
        """Return the table as HTML: a region that scrolls on narrow screens, its notes below; `name` becomes its id."""
        head = "".join(f'<th scope="col"{_numeric(c)}>{_inline(c.name)}</th>' for c in self.columns)
        body = "\n".join(_html_row(self.columns, row, self.stacks) for row in self.rows)
        label = html.escape(self.caption.replace("`", "").split(". ")[0], quote=True)
        anchor = f' id="{html.escape(name, quote=True)}"' if name else ""
        kind = "nr-table nr-stacks" if self.stacks else "nr-table"
        notes = "".join(f"<li>{_inline(note)}</li>" for note in self.notes)
        return (
            f'<div class="{kind}"{anchor} role="region" aria-label="{label}" tabindex="0">\n<table>\n'
            f"<caption><span>{_inline(self.caption)}</span></caption>\n<thead><tr>{head}</tr></thead>\n"
            f"<tbody>\n{body}\n</tbody>\n</table>\n</div>\n" + (f'<ul class="nr-notes">{notes}</ul>\n' if notes else "")
        )

    def _repr_html_(self) -> str:
        return self.to_html(f"table-{self.name}" if self.name else None)

    def named(self, name: str) -> Table:
        """Return the table with another name."""
        return replace(self, name=name)

    def to_text(self, width: int = 160) -> str:
        """Return the table as plain text of a given width, for the terminal."""
        from rich.console import Console
        from rich.markup import escape
        from rich.table import Table as RichTable

        table = RichTable(caption="\n".join(map(escape, (self.caption, *self.notes))), caption_justify="left")
        for column in self.columns:
            table.add_column(column.name, justify="right" if column.numeric else "left", overflow="fold")
        for row in self.rows:
            table.add_row(*map(escape, row.cells))
        console = Console(file=io.StringIO(), width=width, color_system=None, force_terminal=False)
        with console.capture() as captured:
            console.print(table)
        return captured.get()

    def to_frame(self) -> pd.DataFrame:
        """Return the cells as a data frame of text."""
        import pandas as pd

        return pd.DataFrame([list(row.cells) for row in self.rows], columns=[c.name for c in self.columns])


def tabulate(
    columns: Sequence[Column],
    items: Iterable[Any],
    caption: str,
    notes: Iterable[str] = (),
    *,
    kind: str | Callable[[Any], str] = "ours",
    name: str = "",
    stacks: bool = False,
) -> Table:
    """Return a table with a row for each item.

    Args:
        columns: what is shown of an item; each has a `value`.
        items: in the order of the rows.
        caption: of the table.
        notes: below it.
        kind: of every row, or of the row of an item.
        name: becomes the id `table-<name>` of the table in the book.
        stacks: as of a `Table`.
    """
    rows = (Row(tuple(c.of(item) for c in columns), kind if isinstance(kind, str) else kind(item)) for item in items)
    return Table(tuple(columns), tuple(rows), caption, tuple(notes), stacks, name)


def _numeric(column: Column) -> str:
    return ' class="num"' if column.numeric else ""


def _inline(text: str) -> str:
    """Escape a text for HTML, set what stands in backquotes as code, in which an identifier may break after a dot, and
    `[text](address)` as a link."""
    parts = re.split(r"`([^`]+)`", html.escape(text, quote=False))
    parts[1::2] = [f"<code>{_breakable(code)}</code>" for code in parts[1::2]]
    linked = re.sub(r"\[([^]]+)\]\((https?://[^)]+)\)", r'<a href="\2">\1</a>', "".join(parts))
    return linked.replace("\n", "<br>")


def _breakable(text: str) -> str:
    return text.replace(".", ".<wbr>") if re.fullmatch(r"[\w-]+(\.[\w-]+)+", text) else text


def _html_row(columns: Sequence[Column], row: Row, stacks: bool) -> str:
    name = _breakable(_inline(row.cells[0]))
    wide = _SENTENCE if len(row.cells[0]) > 30 and " " in row.cells[0] else _numeric(columns[0])
    heading = f'<th scope="row"{wide}>{name}</th>'
    cells = "".join(_html_cell(column, text, stacks) for column, text in zip(columns[1:], row.cells[1:], strict=True))
    kind = f' class="{row.kind}"' if row.kind else ""
    return f"<tr{kind}>{heading}{cells}</tr>"


def _html_cell(column: Column, text: str, stacks: bool) -> str:
    """Return a cell; an interval goes below its mean on a line of its own, and sentences get room."""
    label = f' data-label="{html.escape(column.name, quote=True)}"' if stacks else ""
    if column.name == "Verdict":
        return f'<td{label}><span class="nr-chip {text.replace(" ", "-")}">{html.escape(text)}</span></td>'
    if column.numeric:
        content = re.sub(r"(\[.*\])$", r'<span class="nr-interval">\1</span>', _inline(text))
        return f'<td class="num"{label}>{content}</td>'
    return f"<td{_SENTENCE if len(text) > 50 else ''}{label}>{_inline(text)}</td>"


def runs_note(keys: Iterable[str]) -> tuple[str, ...]:
    """Return the note that names the runs behind a table; none where there is none."""
    named = ", ".join(f"`{key}`" for key in keys)
    return (f"Runs: {named}.",) if named else ()


def with_interval(summary: dict[str, Any], digits: int) -> str:
    """Return 'mean [low, high]' of a stored summary, without the interval where one run gives none."""
    mean, low, high = summary["mean"], summary["low"], summary["high"]
    if mean is None:
        return "no run"
    if low is None or high is None:
        return f"{mean:.{digits}f}"
    return f"{mean:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def duration(seconds: float) -> str:
    """Return seconds as a short text in a fitting unit."""
    if seconds < 1:
        return f"{1000 * seconds:.3g} ms"
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
