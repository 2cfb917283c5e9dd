"""`nasrepro batch`, and `nasrepro run --all`, which is the same: every run without a record is made."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from nasrepro.errors import ParameterError
from nasrepro.files import paths

if TYPE_CHECKING:
    from nasrepro.batch.engines import Engine
    from nasrepro.batch.units import Unit

_SHARD = re.compile(r"([1-9]\d{0,3})/([1-9]\d{0,3})")


def batch(
    what: Annotated[
        list[str] | None,
        typer.Argument(help="Papers, parts or pages of the plan (dinas, dinas.table2, dinas/table_2), or YAML files."),
    ] = None,
    profile: Annotated[
        str, typer.Option(help="Of the runs of the plan; laptop makes those at full that the plan has at full.")
    ] = "laptop",
    as_printed: Annotated[
        bool, typer.Option(help="The runs by the papers' recipes, hours each, and no others.")
    ] = False,
    again: Annotated[bool, typer.Option(help="Make the runs, too, that came with the book.")] = False,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, max=1024, help="Processes on this machine.")] = 1,
    scheduler: Annotated[str | None, typer.Option(help="A Dask scheduler, tcp://host:port or tls://host:port.")] = None,
    cluster: Annotated[
        str | None, typer.Option(help="slurm: jobs as slurm.yml here describes them; or another such YAML file.")
    ] = None,
    shard: Annotated[str | None, typer.Option(metavar="I/N", help="The I-th of N parts, for N machines.")] = None,
    retries: Annotated[int, typer.Option(min=0, max=100, help="How often what may be transient is tried again.")] = 1,
    notebooks: Annotated[Path | None, typer.Option(help="Folder for an executed notebook of each run.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, ...")] = "auto",
    only_list: Annotated[bool, typer.Option("--list", help="Print a shell command for each run, and stop.")] = False,
) -> None:
    """Make every run of the plan, or of a YAML file, that has no record yet; what fails does not stop the others.

    The exit status is 1 when a run failed, 3 when some were left out for want of data.
    """
    from nasrepro.batch import units as of
    from nasrepro.batch.carry_out import carry_out, status, summary
    from nasrepro.batch.make import How
    from nasrepro.runs import records
    from nasrepro.runs.run import pick_device

    if sum((jobs > 1, scheduler is not None, cluster is not None)) > 1:
        raise ParameterError("--jobs, --scheduler and --cluster each say where the runs are made: give one of them.")
    units = [u for name in what or [""] for u in _units(name, profile, as_printed)]
    units = list({unit.name: unit for unit in units}.values())
    committed = [record for _, record in records.find(paths.records_dir())]
    if shard is not None:
        if not (match := _SHARD.fullmatch(shard)) or int(match[1]) > int(match[2]):
            raise ParameterError(f"`--shard {shard}` is no part: give I/N, e.g. 1/3, 2/3 and 3/3 on three machines.")
        units = of.shard(units, int(match[1]), int(match[2]), committed)
    root, folder = paths.runs_dir().absolute(), notebooks.absolute() if notebooks else None
    known = [*committed, *(record for _, record in records.find(root))]
    if only_list:
        for line in of.listed(units, root, known, folder, committed=not again):
            typer.echo(line)
        return
    device = pick_device(device) if scheduler is cluster is None else device
    how = How(root, device, committed=not again, notebooks=folder)
    with _engine(jobs, scheduler, cluster) as engine:
        results = carry_out(units, how, engine, retries=retries, known=known)
    Console().print(summary(results))
    raise typer.Exit(status(results))


def _units(name: str, profile: str, as_printed: bool) -> list[Unit]:
    from nasrepro.batch import units

    if not name.endswith((".yml", ".yaml")):
        return units.of_plan(name, profile, as_printed=as_printed)
    if profile != "laptop" or as_printed:
        raise ParameterError(f"--profile and --as-printed are of the plan; {name} says the profile of its runs.")
    return units.of_yaml(Path(name))


def _engine(jobs: int, scheduler: str | None, cluster: str | None) -> AbstractContextManager[Engine]:
    from nasrepro.batch import engines

    if scheduler is not None:
        return engines.dask(scheduler)
    if cluster is not None:
        return engines.slurm(Path("slurm.yml" if cluster == "slurm" else cluster))
    return nullcontext(engines.local(jobs))
