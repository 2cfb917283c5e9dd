"""The command line: `nasrepro run | batch | notebook | records | claims | book | data | query | top | doctor | ...`."""

from __future__ import annotations

import json
import logging
import signal
import sys
import webbrowser
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.logging import RichHandler

from nasrepro import __version__
from nasrepro.cli import results, tool
from nasrepro.cli.batch import batch
from nasrepro.cli.data import app as data_app
from nasrepro.cli.data import query
from nasrepro.errors import Interrupted, NasreproError, ParameterError
from nasrepro.files import paths

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
app.add_typer(data_app, name="data", help="Benchmark files: what is here, what is missing, how to get it.")
app.command("query")(query)
app.command("batch")(batch)
for command in (tool.top, tool.sample, tool.export, tool.doctor):
    app.command()(command)

_screen = Console(soft_wrap=True)


@app.callback()
def _options(verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Tell more.")] = False) -> None:
    handler = RichHandler(
        console=Console(stderr=True, soft_wrap=True), show_time=False, show_path=False, show_level=False
    )
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, format="%(message)s", handlers=[handler])
    for noisy in ("matplotlib", "asyncio", "urllib3", "papermill"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


@app.command()
def run(
    experiment: Annotated[str, typer.Argument(help="Which experiment, e.g. nb201.")] = "",
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="Set a parameter; repeatable.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--parameters-file", "-f", help="YAML file of parameters; -p goes before it.")
    ] = None,
    profile: Annotated[
        str,
        typer.Option(
            help="smoke (seconds), laptop (minutes on 2 cores) or full (one GPU; longer, larger). With --all: of every "
            "run, but that laptop makes those at full which the plan has at full."
        ),
    ] = "laptop",
    fresh: Annotated[bool, typer.Option(help="Run anew although there is a record of yours or of the book.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, ...")] = "auto",
    describe: Annotated[
        bool, typer.Option(help="List the experiment's parameters, with the profile's values, and stop.")
    ] = False,
    everything: Annotated[bool, typer.Option("--all", help="The same as `nasrepro batch`.")] = False,
    paper: Annotated[str | None, typer.Option(help="With --all: only the runs of dinas or of delta.")] = None,
    again: Annotated[bool, typer.Option(help="With --all: make the runs that came with the book, too.")] = False,
    as_printed: Annotated[
        bool, typer.Option(help="With --all: make the runs by the papers' recipes (hours each), and no others.")
    ] = False,
) -> None:
    """Run an experiment and write its record; a repeated command resumes, or shows the record that is there."""
    if everything != (experiment == ""):
        raise ParameterError("Name one experiment, e.g. `nasrepro run nb201`, or give --all instead.")
    if everything:
        batch([paper or ""], profile=profile, device=device, again=again, as_printed=as_printed)
    from nasrepro.parameters import model_of, resolved
    from nasrepro.parameters.base import parse_assignments, read_parameters

    given = {**(read_parameters(file) if file else {}), **parse_assignments(parameter or [])}
    profile = str(given.pop("profile", profile))
    resolved(experiment, given, profile)  # refuses what is wrong with them, whatever else is asked for
    if describe:
        for line in tool.described(model_of(experiment), profile):
            _screen.print(line, highlight=False, markup=False)
        return
    from nasrepro import experiments
    from nasrepro.report import overview as tables
    from nasrepro.runs import records
    from nasrepro.runs.run import deviation
    from nasrepro.runs.run import run as run_experiment

    folder, record = run_experiment(experiments.load(experiment), given, profile=profile, fresh=fresh, device=device)
    for line in results.lines(record.metrics):
        _screen.print(line, highlight=False, markup=False)
    _screen.print(tables.run_table(record).to_text(), highlight=False, markup=False)
    reference = paths.records_dir() / record.experiment / record.key
    if folder == reference:
        _screen.print(f"This run is committed with the book: {folder}. To run it on this machine, add --fresh.")
    elif (reference / "record.json").is_file():
        gap = deviation(record.metrics, records.verify(reference).metrics)
        _screen.print(
            "Every figure equals the committed record's."
            if gap == 0
            else f"Largest difference from the committed record: {gap:.3g}."
        )
    _screen.print(f"Record: {folder / 'record.json'}")


@app.command()
def notebook(
    name: Annotated[str, typer.Argument(help="Which notebook of the checkout, e.g. dinas/table_2.")],
    out: Annotated[Path, typer.Argument(help="The executed notebook to write.")],
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="Set a parameter; repeatable.")
    ] = None,
) -> None:
    """Execute a notebook through papermill and write it with its outputs; parameters are checked first."""
    from nasrepro.book.execute import write
    from nasrepro.parameters.base import parse_assignments

    _screen.print(f"Executed: {write(name, out, parse_assignments(parameter or []))}")


@app.command("records")
def list_records(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the finished runs, yours and those committed with the book."""
    from nasrepro.report import overview as tables
    from nasrepro.runs import records

    if as_json:
        fields = {"experiment", "key", "profile", "created", "parameters"}
        found = [run for root in (paths.runs_dir(), paths.records_dir()) for run in records.find(root)]
        told = [{"folder": str(folder), **record.model_dump(mode="json", include=fields)} for folder, record in found]
        sys.stdout.write(json.dumps(told) + "\n")
        return

    for name, root in (("Yours", paths.runs_dir()), ("Committed", paths.records_dir())):
        _screen.print(f"[bold]{name}[/] ({root})")
        _screen.print(tables.runs_overview([r for _, r in records.find(root)]).to_text(), highlight=False, markup=False)


@app.command()
def publish(key: Annotated[str, typer.Argument(help="Key of a finished run, or its beginning.")]) -> None:
    """Copy a finished run to the committed records, from which the book is built."""
    from nasrepro.runs.transfer import publish as publish_run

    _screen.print(f"Committed record: {publish_run(key)}. `nasrepro book` shows it.")


@app.command()
def verify(key: Annotated[list[str] | None, typer.Argument(help="Keys of runs, or their beginnings.")] = None) -> None:
    """Check records, yours and the book's: schema, key, checksums, tables. Exit status 1: one is bad."""
    from nasrepro.errors import CorruptData
    from nasrepro.runs import records
    from nasrepro.runs.transfer import matching

    sound, bad = 0, 0
    roots = [paths.runs_dir(), paths.records_dir()]
    wanted = None if not key else {folder for k in key for root in roots for folder in matching(k, root)}
    if wanted is not None and not wanted:
        raise ParameterError(f"No finished run has a key that begins with {', '.join(key or ())}.")
    for folder, found in (pair for root in roots for pair in records.survey(root)):
        if wanted is None or folder in wanted:
            sound, bad = sound + (not isinstance(found, CorruptData)), bad + isinstance(found, CorruptData)
            if isinstance(found, CorruptData):
                _screen.print(str(found), highlight=False, markup=False)
    _screen.print(f"{sound} sound, {bad} not.", highlight=False)
    raise typer.Exit(min(bad, 1))


@app.command()
def merge(folder: Annotated[list[Path], typer.Argument(help="Folders of runs from other machines.")]) -> None:
    """Take the records of other machines to yours, verified, none twice. Exit status 1: one was not taken."""
    from nasrepro.runs.transfer import merge as merged

    count: Counter[str] = Counter()
    for path, told in merged(folder, paths.runs_dir()):
        count[told.partition(":")[0]] += 1
        if told.startswith("not taken"):
            _screen.print(f"{path}: {told}", highlight=False, markup=False)
    _screen.print(", ".join(f"{n} {what}" for what, n in sorted(count.items())) or "There are no records.")
    raise typer.Exit(min(count["not taken"], 1))


@app.command()
def claims(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Hold every printed number against ours."""
    from nasrepro.report import overview as tables
    from nasrepro.runs import claims as claims_module

    if as_json:
        sys.stdout.write(claims_module.claims_json() + "\n")
        return
    _screen.print(tables.claims_table(claims_module.committed_evidence()).to_text(), highlight=False, markup=False)


@app.command()
def book(open_page: Annotated[bool, typer.Option("--open", help="Open the book in a browser.")] = False) -> None:
    """Build the book from the records; runs no experiment."""
    from nasrepro.book.build import build

    page = build()
    _screen.print(f"The book is built. Open {page}")
    if open_page:
        webbrowser.open(page.as_uri())


@app.command()
def version() -> None:
    """Print the version."""
    _screen.print(__version__)


def _interrupt(signal_number: int, _frame: object) -> None:
    raise Interrupted(signal_number)


def main() -> None:
    """Run the command line; an error that a user can mend is printed without a traceback and gives exit status 2."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        app()
    except (NasreproError, Interrupted) as error:
        Console(stderr=True, soft_wrap=True).print("nasrepro:", error, style="red", highlight=False, markup=False)
        sys.exit(error.status if isinstance(error, Interrupted) else 2)


if __name__ == "__main__":
    main()
