"""A batch from beginning to end: rounds over an engine, what is told meanwhile, the table at the end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from nasrepro.batch.engines import Engine
from nasrepro.batch.make import How, Result, unpack
from nasrepro.batch.units import Unit, expected, ordered
from nasrepro.report.rendering import duration
from nasrepro.runs.records import Record

FAILED, LEFT_OUT = 1, 3  # exit statuses


def carry_out(
    units: Sequence[Unit], how: How, engine: Engine, *, retries: int = 1, known: Sequence[Record] = ()
) -> list[Result]:
    """Make every unit that has no record yet, and return what became of each, in the order given.

    In the first round what another process holds is put off; in the later ones, with what failed and may go well when
    it is tried again, it is waited for.

    Args:
        units: what to make.
        how: how.
        engine: that maps `make`.
        retries: how often a unit that failed is tried again.
        known: records that tell what runs take.
    """
    results: dict[str, Result] = {}
    tries: Counter[str] = Counter()
    left, attempt = ordered(units, known), 0
    with _progress(left, known) as tell:
        while left:
            for result in engine(left, replace(how, wait=attempt > 0, attempt=attempt)):
                name = result.unit.name
                again = result.outcome == "held" or (result.transient and tries[name] < retries)
                tries[name] += result.outcome == "failed"
                if not again:
                    unpack(result, how.root)
                    results[name] = result
                    tell(result)
            left, attempt = [unit for unit in left if unit.name not in results], attempt + 1
    return [results[unit.name] for unit in units]


def summary(results: Sequence[Result]) -> Table:
    """Return the table that a batch ends with."""
    count = Counter(result.outcome for result in results)
    told = ", ".join(f"{count[outcome]} {outcome}" for outcome in ("done", "found", "failed", "left out"))
    table = Table(title=f"{len(results)} runs: {told}", title_justify="left")
    for heading in ("run", "outcome", "time", "why, and log"):
        table.add_column(heading, overflow="fold")
    for r in results:
        log = f" (log: {r.log})" if r.outcome == "failed" and r.log else ""
        table.add_row(*map(Text, (r.unit.name, r.outcome, duration(r.seconds), r.why + log)))
    return table


def status(results: Sequence[Result]) -> int:
    """Return the exit status: 0 where all have a record, 1 where one failed, 3 where some were left out for want of
    data."""
    outcomes = {result.outcome for result in results}
    return FAILED if "failed" in outcomes else LEFT_OUT if "left out" in outcomes else 0


@contextmanager
def _progress(units: Sequence[Unit], known: Sequence[Record]) -> Iterator[Callable[[Result], None]]:
    """Show how far the batch is, and the time that is left by what earlier runs took; quiet when not a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda result: None
        return
    cost = {unit.name: expected(unit, known) for unit in units}
    usual = [pair[0] for pair in cost.values() if pair] or [60.0]
    seconds = {name: pair[0] if pair else sum(usual) / len(usual) for name, pair in cost.items()}
    began, done = time.monotonic(), 0.0
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[left]}"))
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("batch", total=len(units), left=f"about {duration(sum(seconds.values()))} of work")

        def tell(result: Result) -> None:
            nonlocal done
            mine = seconds.pop(result.unit.name)
            if result.outcome == "done":  # how fast all processes are together
                done += mine
            rate = (time.monotonic() - began) / done if done else 1.0
            progress.update(bar, advance=1, left=f"about {duration(rate * sum(seconds.values()))} left")
            if result.outcome == "failed":
                progress.console.print(Text(f"failed: {result.unit.name}: {result.why}"))

        yield tell
