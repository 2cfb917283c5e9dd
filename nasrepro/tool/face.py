"""Spaces, benchmarks, runs and records by one name each, as `import nasrepro as nr` offers them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasrepro import benchmarks, spaces
from nasrepro.benchmarks.base import Benchmark
from nasrepro.errors import ParameterError
from nasrepro.files import paths
from nasrepro.spaces.base import SearchSpace
from nasrepro.spaces.declared import DeclaredSpace, FunctionSpace
from nasrepro.tool.function import FunctionBenchmark

if TYPE_CHECKING:  # each function imports what it needs, so that a space is there without torch
    from nasrepro.runs.evidence import Evidence
    from nasrepro.runs.records import Record
    from nasrepro.tool.model import Model


def space(name: str | None = None, **declared: Any) -> SearchSpace[Any]:
    """Return a search space.

    Args:
        name: a published one, e.g. `nb201`; `own:<path>` for the cells of a table; or a name for one of yours.
        declared: with `operations` and `nodes`, the arguments of `spaces.declared.DeclaredSpace`; with `sample`,
            `encode` and `decode`, too, those of `spaces.declared.FunctionSpace`.

    Raises:
        UnknownQuery: there is no such published space.
        ParameterError: what is declared is wrong.
    """
    if not declared:
        if name is None:
            raise ParameterError(f"Name a space ({', '.join(spaces.SPACES)}, own:<path>), or declare one.")
        return benchmarks.load(name).space if name.startswith("own:") else spaces.load(name)
    kind: Any = FunctionSpace if "sample" in declared else DeclaredSpace
    try:
        found: SearchSpace[Any] = kind(**declared, **({} if name is None else {"name": name}))
    except TypeError as error:
        raise ParameterError(f"A space cannot be declared so: {error}.") from error
    return found


def benchmark(
    source: str | Callable[[Any], float | Mapping[str, float]],
    space: SearchSpace[Any] | None = None,
    metrics: Mapping[str, bool] | None = None,
    name: str = "function",
) -> Benchmark[Any]:
    """Return a benchmark.

    Args:
        source: a published one, e.g. `nb201`; `own:<path>` for a table; or a function of architectures of a `space`.
        space: of a function.
        metrics: of a function that gives several: metric -> whether more of it is better.
        name: of a function's benchmark.

    Raises:
        UnknownQuery: there is no such published benchmark.
        ParameterError: a function without a space, or a space for what has its own.
        MissingData, CorruptData: as `nasrepro.benchmarks.own` says of tables.
    """
    if isinstance(source, str):
        if space is not None or metrics is not None:
            raise ParameterError(f"The benchmark {source} has its own space and metrics.")
        return benchmarks.load(source)
    if space is None:
        raise ParameterError("A function is a benchmark of a space: give `space`.")
    return FunctionBenchmark(source, space, metrics, name)


def load(path: Path | str, space: SearchSpace[Any] | None = None) -> Model:
    """Read a model that `Model.save` wrote; arguments and errors are those of `Model.load`."""
    from nasrepro.tool.model import Model

    return Model.load(path, space)


def run(
    experiment: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    profile: str = "laptop",
    fresh: bool = False,
    device: str = "auto",
) -> Record:
    """Run an experiment, or resume it, or find its record, and return that.

    Args:
        experiment: e.g. `nb201`, as of `nasrepro run`.
        parameters: those that differ from the profile's.
        profile: `smoke`, `laptop` or `full`.
        fresh: run anew although there is a record.
        device: `auto`, `cpu`, `cuda`, ...

    Raises:
        ParameterError: an unknown parameter or value. MissingData: a benchmark file is not here.
    """
    from nasrepro import experiments
    from nasrepro.runs.run import run as run_experiment

    return run_experiment(experiments.load(experiment), parameters or {}, profile=profile, fresh=fresh, device=device)[
        1
    ]


def records(experiment: str | None = None) -> list[Record]:
    """Return the records of finished runs (of one experiment), yours before those committed with the book."""
    from nasrepro.runs import records as kept

    return [record for root in (paths.runs_dir(), paths.records_dir()) for _, record in kept.find(root, experiment)]


def claims() -> list[Evidence]:
    """Return how every printed number stands against the committed records."""
    from nasrepro.runs.claims import committed_evidence

    return committed_evidence()
