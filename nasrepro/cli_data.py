"""`nasrepro data ...` and `nasrepro query ...`: what is on this machine, fetching the rest, asking a benchmark."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from nasrepro import benchmarks, paths
from nasrepro.benchmarks import registry
from nasrepro.benchmarks.base import Column
from nasrepro.benchmarks.nb201 import METRIC, NB201Benchmark
from nasrepro.errors import NasreproError
from nasrepro.spaces.nb201 import NB201

app = typer.Typer(help="Benchmark files: what is here, what is missing, fetching it.", no_args_is_help=True)


@app.command()
def status() -> None:
    """Show which benchmark files are on this machine, what can be answered with them, and how to get the rest."""
    console = Console()
    files = Table(title="Benchmark files", title_justify="left", caption_justify="left", caption=_folders())
    wide = console.width >= 120  # the long descriptions would leave no room for the names on a narrow terminal
    files.add_column("file", no_wrap=True)
    files.add_column("group", no_wrap=True)
    files.add_column("here")
    files.add_column("MB", justify="right")
    files.add_column("licence")
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
    for entry in registry.resolve(names):
        path = registry.fetch(entry.name, progress=sys.stderr.isatty())
        typer.echo(f"{entry.name}: verified, {path}")


@app.command()
def path(name: Annotated[str, typer.Argument(help="A file of the registry.")]) -> None:
    """Print where a benchmark file lies on this machine, after checking its checksum."""
    typer.echo(str(registry.use(name)))


def query(
    benchmark: Annotated[str, typer.Argument(help="The benchmark, e.g. nb201.")],
    arch: Annotated[str, typer.Argument(help="The architecture's native string (nb201 also takes six digits 0-4).")],
    dataset: Annotated[str, typer.Option(help="cifar10, cifar100 or imagenet16-120.")],
    split: Annotated[str, typer.Option(help="valid or test.")] = "valid",
    epochs: Annotated[int, typer.Option(help="Training epochs of the tabulated networks: 200 or 12.")] = 200,
    seed: Annotated[str, typer.Option(help="mean, or one seed's number.")] = "mean",
) -> None:
    """Print the accuracy of one architecture, together with everything that was asked."""
    found = benchmarks.load(benchmark)
    cell = NB201.from_key(arch) if found.name == NB201.name and arch.isdigit() else found.space.from_string(arch)
    column = Column(dataset, METRIC, split, epochs, int(seed) if seed.lstrip("-").isdigit() else seed)
    result = found.query(
        cell, dataset=column.dataset, metric=column.metric, split=split, epochs=epochs, seed=column.seed
    )
    typer.echo(found.space.to_string(cell))
    trainings = f"{result.n_seeds} training{'s' if result.n_seeds > 1 else ''}"
    typer.echo(f"{result.value:.3f} %  {column} ({trainings}; from {result.source})")
    if result.cost_s is not None:
        typer.echo(f"One such training took {result.cost_s:,.0f} s.")


def _where(entry: registry.Entry) -> str:
    """Return in which place a file lies, `no` when nowhere; raise `CorruptData` when it is not the published one."""
    found = registry.locate(entry.name)
    if found is None:
        return "no"
    registry.verify(found, entry)
    if entry.kind == "package":
        return "package"
    return "mirror" if found.parent == paths.mirror_dir() else "cache"


def _folders() -> str:
    mirror = paths.mirror_dir()
    place = (
        "not set (NASREPRO_MIRROR)" if mirror is None else f"{mirror}{'' if mirror.is_dir() else ' (no such folder)'}"
    )
    return f"mirror: {place}; cache: {paths.cache_dir()}"


def _answers() -> Table:
    """Return what each benchmark can answer now, one row per data set, split and number of epochs."""
    table = Table(title="What can be answered now", title_justify="left")
    for heading in ("benchmark", "data set", "split", "epochs", "seed", "metric"):
        table.add_column(heading)
    grouped: dict[tuple[str, str, int], list[str]] = {}
    bench = NB201Benchmark()
    for c in bench.columns():
        grouped.setdefault((c.dataset, c.split, c.epochs), []).append(str(c.seed))
    for (dataset, split, epochs), seeds in grouped.items():
        table.add_row(bench.name, dataset, split, str(epochs), ", ".join(seeds), METRIC)
    if not grouped:
        table.add_row(bench.name, "nothing yet", "", "", "", "")
    return table
