"""`nasrepro data ...` and `nasrepro query ...`: what is on this machine, fetching the rest, asking a benchmark."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from nasrepro.errors import NasreproError, UnknownQuery, did_you_mean
from nasrepro.files import paths

if TYPE_CHECKING:  # each command imports what it needs, so that the others start at once
    from nasrepro.benchmarks import registry
    from nasrepro.benchmarks.base import Benchmark, Column

_FEW = 4  # numbers of epochs that are listed one by one

app = typer.Typer(help="Benchmark files: what is here, what is missing, fetching it.", no_args_is_help=True)


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="Print JSON: a line for each file.")] = False) -> None:
    """Show which benchmark files are on this machine, what can be answered with them, and how to get the rest."""
    from nasrepro.benchmarks import registry

    if as_json:
        told = [
            {"file": e.name, "group": e.group, "bytes": e.bytes, "here": registry.locate(e.name) is not None,
             "licence": e.licence, "command": e.command}
            for e in registry.entries().values()
        ]  # fmt: skip
        typer.echo(json.dumps(told))
        return

    console = Console()
    files = Table(title="Benchmark files", title_justify="left", caption_justify="left", caption=_folders())
    wide = console.width >= 120  # the long descriptions would leave no room for the names on a narrow terminal
    files.add_column("file", no_wrap=True)
    files.add_column("group", no_wrap=True)
    files.add_column("here")
    files.add_column("MB", justify="right")
    files.add_column("licence", no_wrap=True)
    if wide:
        files.add_column("what")
    missing: dict[str, list[str]] = {}
    damaged: list[str] = []
    for entry in registry.entries().values():
        try:
            here = _where(entry)
        except NasreproError as error:
            here = "damaged"
            damaged.append(str(error))
        if here == "no":
            missing.setdefault(entry.command, []).append(entry.name)
        licence = entry.licence.partition(" (")[0]
        row = [entry.name, entry.group, here, f"{entry.bytes / 1e6:.1f}", licence, *([entry.what] if wide else [])]
        files.add_row(*map(Text, row))
    console.print(files)
    console.print(_answers())
    for command, names in missing.items():
        console.print(Text(f"Missing: {', '.join(names)}. Fetch with: {command}"), soft_wrap=True)
    for message in damaged:
        console.print(Text(f"Damaged: {message}"), soft_wrap=True)


@app.command()
def fetch(
    names: Annotated[list[str], typer.Argument(help="Files or groups, e.g. nb201-test (see `nasrepro data status`).")],
) -> None:
    """Bring benchmark files to this machine: from the mirror folder, the cache, or the place of publication."""
    from nasrepro.benchmarks import registry

    for entry in registry.resolve(names):
        path = registry.fetch(entry.name, progress=sys.stderr.isatty())
        typer.echo(f"{entry.name}: verified, {path}")


@app.command()
def path(name: Annotated[str, typer.Argument(help="A file of the registry.")]) -> None:
    """Print where a benchmark file lies on this machine, after checking its checksum."""
    from nasrepro.benchmarks import registry

    typer.echo(str(registry.use(name)))


def query(
    benchmark: Annotated[str, typer.Argument(help="The benchmark, e.g. nb201 (see `nasrepro data status`).")],
    arch: Annotated[str, typer.Argument(help="The architecture's native string, or its published index.")],
    dataset: Annotated[str | None, typer.Option(help="Only this data set, e.g. cifar100.")] = None,
    metric: Annotated[str | None, typer.Option(help="Only this metric, e.g. accuracy.")] = None,
    split: Annotated[str | None, typer.Option(help="Only this split, e.g. valid.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Only this number of epochs.")] = None,
    seed: Annotated[str | None, typer.Option(help="Only this seed: mean, or a number.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: the cell, and a line for each value.")] = False,
) -> None:
    """Print what a benchmark knows of one architecture, each value with the whole question that it answers."""
    from nasrepro import benchmarks
    from nasrepro.benchmarks.tabular import TabularBenchmark

    found = benchmarks.load(benchmark)
    asked = {"dataset": dataset, "metric": metric, "split": split, "epochs": epochs, "seed": _seed(seed)}
    columns = matching(found, {name: value for name, value in asked.items() if value is not None})
    cell = found.arch_at(int(arch)) if isinstance(found, TabularBenchmark) and arch.isdigit() else found.arch(arch)
    if as_json:
        values = [float(found.query_many([cell], column)[0]) for column in columns]
        lines = [{**c.__dict__, "value": v} for c, v in zip(columns, values, strict=True) if not math.isnan(v)]
        typer.echo(json.dumps({"arch": found.space.to_string(cell), "values": lines}))
        return
    typer.echo(found.space.to_string(cell))
    costs = {}
    for column in columns:
        try:
            result = found.query(cell, **column.__dict__)
        except UnknownQuery as error:
            why = f": {error}" if len(columns) == 1 else ""
            typer.echo(f"{'not measured':>16}  {column}{why}")
            continue
        unit = found.metrics[column.metric].unit
        trainings = f"{result.n_seeds} training{'s' if result.n_seeds > 1 else ''}; " if column.epochs else ""
        note = f" {result.note}" if result.note else ""
        typer.echo(f"{result.value:>12.3f} {unit:<3}  {column} ({trainings}from {result.source}){note}")
        if result.cost_s is not None:
            costs[column.dataset] = result.cost_s
    for name, cost in costs.items():
        typer.echo(f"One training on {name} took {cost:,.0f} s.")


def _seed(text: str | None) -> int | str | None:
    return int(text) if text is not None and text.lstrip("-").isdigit() else text


def matching(found: Benchmark[Any], asked: dict[str, Any]) -> list[Column]:
    """Return the columns on this machine that agree with what was asked; say what exists where none does."""
    known: Iterable[Column] = found.known_columns()
    for name, value in asked.items():
        have = list(dict.fromkeys(getattr(c, name) for c in known))
        if value not in have:
            raise UnknownQuery(
                f"{found.title} has no {name} `{value}` here; it has {', '.join(map(str, have))}."
                + did_you_mean(str(value), map(str, have))
            )
        known = [c for c in known if getattr(c, name) == value]
    here = set(found.columns())
    columns = [c for c in known if c in here]
    if not columns:
        found.optimum(next(iter(known)))  # raises with the command that mends it
    return columns


def _where(entry: registry.Entry) -> str:
    """Return in which place a file lies, `no` when nowhere; raise `CorruptData` when it is not the published one."""
    from nasrepro.benchmarks import registry

    found = registry.locate(entry.name)
    if found is None:
        return "no"
    registry.verify(found, entry)
    if entry.kind == "package":
        return "package"
    return "mirror" if found.parent in paths.mirror_dirs() else "cache"


def _folders() -> str:
    mirrors = [f"{folder}{'' if folder.is_dir() else ' (no such folder)'}" for folder in paths.mirror_dirs()]
    place = ", ".join(mirrors) or "not set (NASREPRO_MIRROR)"
    return f"mirror: {place}; cache: {paths.cache_dir()}"


def _answers() -> Table:
    """Return what each benchmark can answer now: a row per benchmark and split, with what is missing."""
    from nasrepro import benchmarks

    table = Table(title="What can be answered now", title_justify="left")
    for heading in ("benchmark", "split", "metrics", "data sets", "epochs", "seeds"):
        table.add_column(heading, overflow="fold")
    for name in benchmarks.BENCHMARKS:
        bench = benchmarks.load(name)
        here = bench.columns()
        if not here:
            table.add_row(name, "nothing yet", "", "", "", "")
        for split in dict.fromkeys(c.split for c in here):
            part = [c for c in here if c.split == split]
            cells = [_listed(c.metric for c in part), _listed(c.dataset for c in part)]
            epochs = sorted({c.epochs for c in part})
            curve = f"{epochs[0]} to {epochs[-1]}" if len(epochs) > _FEW else _listed(e or "none" for e in epochs)
            cells += [curve, _listed(c.seed for c in part)]
            table.add_row(name, split, *cells)
    return table


def _listed(values: Iterable[object]) -> str:
    return ", ".join(dict.fromkeys(map(str, values)))
