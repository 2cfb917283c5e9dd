"""`nasrepro top`, `sample`, `export`, `doctor`: the best of a benchmark, cells of a fitted model, what works here."""

from __future__ import annotations

import json
import platform
import shutil
from pathlib import Path
from typing import Annotated, Literal, get_args, get_origin

import typer

from nasrepro import __version__
from nasrepro.cli.data import matching
from nasrepro.errors import UnknownQuery
from nasrepro.files import paths
from nasrepro.parameters.base import Parameters, resolve

_AS_JSON = typer.Option("--json", help="Print JSON.")
_SPACE = typer.Option("--space", "-s", help="The space: a published one, or own:<path> of a table.")


def top(
    benchmark: Annotated[str, typer.Argument(help="The benchmark, e.g. nb201, or own:<path> of a table.")],
    k: Annotated[int, typer.Option("-k", min=1, help="How many cells.")] = 10,
    dataset: Annotated[str | None, typer.Option(help="Data set, e.g. cifar100.")] = None,
    metric: Annotated[str | None, typer.Option(help="Metric, e.g. accuracy.")] = None,
    split: Annotated[str | None, typer.Option(help="Split, e.g. valid.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Number of epochs.")] = None,
    seed: Annotated[str, typer.Option(help="Seed: mean, or a number.")] = "mean",
    as_json: Annotated[bool, _AS_JSON] = False,
) -> None:
    """Print the best cells of one column of a benchmark, the best first, with their values."""
    import numpy as np

    from nasrepro import benchmarks

    found = benchmarks.load(benchmark)
    asked = {"dataset": dataset, "metric": metric, "split": split, "epochs": epochs}
    columns = matching(found, {name: value for name, value in asked.items() if value is not None})
    of_seed = [c for c in columns if str(c.seed) == seed] or columns
    if len(of_seed) > 1:
        listed = ", ".join(f"`{c}`" for c in of_seed[:12]) + (", ..." if len(of_seed) > 12 else "")
        raise UnknownQuery(f"Say which of {len(of_seed)} columns by --dataset, --metric, --split, --epochs: {listed}.")
    column, what = of_seed[0], found.metrics[of_seed[0].metric]
    values = found.table([column]).iloc[:, 0].dropna()
    order = np.argsort(-values.to_numpy() if what.higher_is_better else values.to_numpy(), kind="stable")[:k]
    best = [{"rank": i, "value": float(values.iloc[row]), "arch": values.index[row]} for i, row in enumerate(order, 1)]
    if as_json:
        typer.echo(json.dumps({"column": str(column), "unit": what.unit, "measured": len(values), "best": best}))
        return
    typer.echo(f"{found.title}: {column}, {what.unit}; best of {len(values):,}")
    for line in best:
        typer.echo(f"{line['rank']:>4}  {line['value']:>12.4f}  {line['arch']}")


def sample(
    model: Annotated[Path, typer.Argument(help="A model that `model.save` wrote.")],
    n: Annotated[int, typer.Option("-n", min=1, help="How many cells.")] = 100,
    space: Annotated[str | None, _SPACE] = None,
    guidance: Annotated[float | None, typer.Option(help="Scale of the guidance; by default that of the fit.")] = None,
    seed: Annotated[int, typer.Option(help="Of the stream of samples.")] = 0,
    distinct: Annotated[bool, typer.Option(help="Leave out repeated cells.")] = True,
    as_json: Annotated[bool, _AS_JSON] = False,
) -> None:
    """Draw never labelled cells of a fitted model, and say what it has learnt and what they cost."""
    from nasrepro.tool import face

    fitted = face.load(model, face.space(space) if space else None)
    drawn = fitted.sample(n, guidance, seed=seed, distinct=distinct)
    archs = drawn.frame()["arch"].tolist()
    if as_json:
        typer.echo(json.dumps({"learnt": fitted.report.learnt, "drawn": drawn.drawn, "archs": archs}))
        return
    typer.echo(str(fitted.report).partition("\n")[0], err=True)
    typer.echo(str(drawn), err=True)
    for arch in archs:
        typer.echo(arch)


def export(
    cell: Annotated[str, typer.Argument(help="The cell's native string, as `top` and `sample` print it.")],
    space: Annotated[str, _SPACE],
    to: Annotated[str, typer.Option(help="json, torch (a Python module that imports torch alone), or pyg.")] = "json",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The file to write; by default the screen.")] = None,
) -> None:
    """Write a cell for other programs."""
    from nasrepro.errors import ParameterError
    from nasrepro.files.storage import write_atomically
    from nasrepro.tool import face
    from nasrepro.tool.export import export as exported

    of = face.space(space)
    found = exported(of.from_string(cell), of, to)  # type: ignore[arg-type]
    if to == "pyg":
        if out is None:
            raise ParameterError("A torch-geometric graph goes into a file: say which with --out.")
        import torch

        torch.save(found, out)
    elif out is None:
        typer.echo(found)
    else:
        write_atomically(out, found.encode())


def doctor(as_json: Annotated[bool, _AS_JSON] = False) -> None:
    """Say what is on this machine: Python, libraries, device, memory, disk, data, and what can be asked of them."""
    from importlib.metadata import PackageNotFoundError, version

    from nasrepro import benchmarks
    from nasrepro.benchmarks import registry

    def installed(name: str) -> str:
        try:
            return version(name)
        except PackageNotFoundError:
            return "missing"

    entries = registry.entries()
    here = [name for name in entries if registry.locate(name) is not None]
    folder = next(p for p in (paths.runs_dir(), *paths.runs_dir().parents) if p.exists())
    told = {
        "nasrepro": __version__,
        "python": platform.python_version(),
        **{
            name: installed(name) for name in ("torch", "torch-geometric", "scikit-learn", "matplotlib", "jupyter-book")
        },
        "device": _device(),
        "memory": _memory(),
        "disk": f"{shutil.disk_usage(folder).free / 1e9:.0f} GB free for runs ({paths.runs_dir()})",
        "data": f"{len(here)} of {len(entries)} benchmark files are here",
        "benchmarks": {name: f"{len(benchmarks.load(name).columns())} columns" for name in benchmarks.BENCHMARKS},
        "next": "`nasrepro data status` says how to get what is missing",
    }
    if as_json:
        typer.echo(json.dumps(told))
        return
    for name, value in told.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {what}" for key, what in value.items())
        typer.echo(f"{name:>16}  {value}")


def _device() -> str:
    try:
        import torch
    except ImportError:
        return "no torch: records can be read, experiments not run (pip install 'nasrepro[run]')"
    if not torch.cuda.is_available():
        return f"CPU, {torch.get_num_threads()} threads"
    return ", ".join(torch.cuda.get_device_name(k) for k in range(torch.cuda.device_count()))


def _memory() -> str:
    import os

    try:
        pages, free = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_AVPHYS_PAGES")
    except (ValueError, OSError):  # not told on this system
        return "unknown"
    size = os.sysconf("SC_PAGE_SIZE")
    return f"{free * size / 1e9:.0f} of {pages * size / 1e9:.0f} GB free"


def described(parameters: type[Parameters], profile: str) -> list[str]:
    """Return a line for each parameter of an experiment: its value in a profile, its type or choices, its bounds."""
    values = resolve(parameters, {}, profile)
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<", "min_length": "length >=", "max_length": "length <="}
    lines = []
    for name, field in parameters.model_fields.items():
        kind = field.annotation
        choices = get_args(kind) if get_origin(kind) is Literal else ()
        what = " | ".join(map(str, choices)) if choices else getattr(kind, "__name__", None) or str(kind)
        bounds = [f"{sign} {getattr(m, key)}" for m in field.metadata for key, sign in signs.items() if hasattr(m, key)]
        told = ", ".join([what, *bounds])
        lines.append(f"{name} = {getattr(values, name)}  ({told}) {field.description}")
    return lines
