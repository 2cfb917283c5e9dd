"""The step of the method that a page shows: its lines as they ran, and what they gave."""

from __future__ import annotations

from dataclasses import dataclass

from nasrepro.report.rendering import Column, Table, runs_note, tabulate
from nasrepro.runs.plan import Shown, planned


@dataclass(frozen=True)
class Lines:
    """Lines of Python, which a viewer of notebooks shows highlighted."""

    text: str

    def _repr_markdown_(self) -> str:
        return f"```python\n{self.text.rstrip()}\n```"


def code(part: str, runs: Shown) -> Lines:
    """Return the lines of the step of a part of the plan, as they ran; without a record, how to run them."""
    record = runs.record(part)
    return Lines(record.metrics["source"] if record else f"# not run: {planned(part).command}")


def result(part: str, runs: Shown) -> Table:
    """Return what the lines gave, a row for each of their rows."""
    record = runs.record(part)
    rows = record.metrics["gave"] if record else [{"step": "not run"}]
    columns = [
        Column(name, not isinstance(value, str), lambda row, name=name: _shown(row[name]))  # type: ignore[misc]
        for name, value in rows[0].items()
    ]
    caption = f"What the lines above gave, with seed {planned(part).resolved['seed']}."
    return tabulate(columns, rows, caption, runs_note([record.key] if record else []), name="step")


def numbers(part: str, runs: Shown) -> dict[str, float | int | str | None]:
    """Return what sentences quote: each cell as `step.<first cell of its row>.<heading of its column>`."""
    record = runs.record(part)
    rows = record.metrics["gave"] if record else []
    return {f"step.{next(iter(row.values()))}.{name}": value for row in rows for name, value in row.items()}


def _shown(value: float | str) -> str:
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 10 else f"{value:.2f}"
    return value if isinstance(value, str) else f"{value:,}"
