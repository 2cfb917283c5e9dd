"""Progress bars on a terminal, one line per finished stage elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_SILENT = ContextVar("silent", default=False)


@contextmanager
def task(description: str, total: int, console: Console | None = None) -> Iterator[Callable[[int], None]]:
    """Show the progress of one stage; yields a function that takes the number of units done so far. Quiet when not a
    terminal."""
    console = console or Console(stderr=True)
    if _SILENT.get() or not console.is_terminal:
        yield lambda done: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task(description, total=total)
        yield lambda done: progress.update(bar, completed=done)


@contextmanager
def silent() -> Iterator[None]:
    """Show no bars within, as in a batch, which has its own."""
    before = _SILENT.set(True)
    try:
        yield
    finally:
        _SILENT.reset(before)
