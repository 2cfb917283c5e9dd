"""Bring your own: a search space and a benchmark from one CSV or Parquet file, without writing code.

The file has a row per architecture, a column `operations`, a column `adjacency`, and any number of metric columns:

    operations,adjacency,accuracy,parameters
    input conv pool output,0-1 0-2 1-3 2-3,91.3,0.41
    input conv conv output,110011,92.0,0.62

- `operations`: the names of the nodes' operations in topological order, separated by commas or spaces, or as a JSON
  list (in Parquet also as a list).
- `adjacency`: the edges `0-1 0-2`; or a 0 or 1 for each pair of nodes i < j, row by row; or the strictly upper
  triangular matrix in JSON (in Parquet also as nested lists).
- a metric: finite numbers; an empty field, or NaN, is not measured.

What a metric means is said by a `MetricSpec`, in `metrics`, or in a YAML or JSON file of the same name beside the table
(`cells.csv`, `cells.yml`):

    accuracy: {unit: "%", higher_is_better: true, epochs: 200}
    parameters: {unit: M, higher_is_better: false, split: model}

    operations: {involution: conv, fuse: other}

The line `operations` may be left out; it declares kinds of operations (`nasrepro.spaces.cells.KINDS`) that are not
known by name. A column that neither names is not read. Isomorphic rows are one architecture; they must agree, or
be averaged (`repeated: mean`). Messages count rows from 1, the header left out.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from nasrepro.benchmarks import tabular
from nasrepro.benchmarks.base import TRAINED, Column, Metric, by_name
from nasrepro.benchmarks.raw import own as files
from nasrepro.benchmarks.tabular import Source, TabularBenchmark
from nasrepro.errors import ParameterError, did_you_mean
from nasrepro.files.cached_tables import cached_table, fingerprint
from nasrepro.files.storage import write_atomically
from nasrepro.spaces.base import FiniteSpace
from nasrepro.spaces.cells import KINDS, Cell
from nasrepro.spaces.own import OwnSpace

_VERSION = 1  # raise it when the same file would give another frame
_SPEC_FORMATS = (".yml", ".yaml", ".json")
_EXAMPLE = '`accuracy: {unit: "%", higher_is_better: true, epochs: 200}`'


class MetricSpec(BaseModel):
    """What a metric column is.

    Attributes:
        unit: e.g. `%`.
        higher_is_better: whether more of it is better.
        split: one of `nasrepro.benchmarks.base.SPLITS`.
        epochs: training epochs of the networks; 0 where nothing is trained (`proxy`, `model` and `device`).
        dataset: None for the name of the file.
        seed: `mean`, or the number of one seed.
        trainings: number of trainings behind a value.
        what: a few words; None for the name of the column.
        repeated: what rows of the same architecture are: a mistake, where they differ, or measurements to be averaged.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    unit: str = Field(min_length=1)
    higher_is_better: bool
    split: Literal["train", "valid", "test", "proxy", "model", "device", "surrogate"] = "valid"
    epochs: int = Field(0, ge=0)
    dataset: str | None = Field(None, min_length=1)
    seed: int | Literal["mean"] = "mean"
    trainings: int = Field(1, ge=1)
    what: str | None = Field(None, min_length=1)
    repeated: Literal["refuse", "mean"] = "refuse"

    @model_validator(mode="after")
    def _trained(self) -> MetricSpec:
        if (self.epochs > 0) != (self.split in TRAINED):
            needs = "needs `epochs`, the training epochs of the networks" if self.epochs == 0 else "has no `epochs`"
            raise ValueError(f"the split `{self.split}` {needs}; choose another split if it is the wrong one")
        return self

    def column(self, name: str, stem: str) -> Column:
        """Return the question that a column of the file `stem` answers."""
        return Column(self.dataset or stem, name, self.split, self.epochs, self.seed)


@dataclass(frozen=True)
class _Table(Source):
    """A file that the registry does not know; it was read, and its bytes were hashed, once."""

    sha256: str = ""

    def is_here(self) -> bool:
        return True

    def checksums(self) -> dict[str, str]:
        return {self.name: self.sha256}

    def load(self, size: int) -> pd.DataFrame:
        return self.build()


class OwnBenchmark(TabularBenchmark[Cell]):
    """A table of your own behind the contract of `benchmarks.base`; see the module for its form.

    Args:
        path: the table, `.csv` or `.parquet`.
        metrics: column -> what it is; None reads the file beside the table. The entry `operations` declares kinds.

    Raises:
        MissingData: there is no such file.
        ParameterError: the format is unknown, or what is said of the metrics is missing or wrong.
        CorruptData: the file is damaged or empty, lacks a column, or a row cannot be read; the message names the row.
    """

    def __init__(self, path: Path | str, metrics: Mapping[str, MetricSpec] | None = None) -> None:
        table = files.read(Path(path))
        path = table.path
        given: dict[str, Any] = _beside(table) if metrics is None else dict(metrics)
        declared = given.get("operations")
        kinds = given.pop("operations") if isinstance(declared, dict) and {*declared.values()} <= {*KINDS} else None
        made_of = fingerprint([_VERSION, table.sha256, *sorted(f"{name} {what}" for name, what in given.items())])
        frame = cached_table(f"own-{path.stem}", made_of, lambda: _parsed(table, given))
        specs = _specs(path, given, list(given))
        self.name = f"own-{path.stem}"
        self.title = path.name
        codes = dict(zip(zip(frame["operations"], frame["edges"], strict=True), frame["row"].tolist(), strict=True))
        names = json.loads(frame["names"].iloc[0])
        self.space = OwnSpace.restored(self.name, kinds, names, codes, frame["invariant"].to_numpy())
        self.metrics = by_name(
            Metric(name, spec.unit, spec.higher_is_better, spec.what or name) for name, spec in specs.items()
        )
        values = frame.drop_duplicates("row")
        source = _Table((path.name,), lambda: values, sha256=table.sha256)
        self.fields = tuple(
            tabular.Field(spec.column(name, path.stem), source, f"metric {name}", spec.trainings)
            for name, spec in specs.items()
        )
        super().__init__()


def _parsed(table: files.RawTable, given: Mapping[str, Any]) -> pd.DataFrame:
    """Return a row per form of a cell: its code, the names that the code counts, its invariant, its row in the space
    and the metrics of that."""
    specs = _specs(table.path, given, table.metrics)
    cells = table.cells()
    space = OwnSpace(cells)
    rows = space.rows(cells)
    by_form = np.array(list(space.codes.values()))
    operations, edges = zip(*space.codes, strict=True)
    return pd.DataFrame(
        {
            "operations": operations,
            "edges": edges,
            "names": json.dumps(space.node_classes),
            "invariant": space.invariants,
            "row": by_form,
            **{f"metric {k}": table.values(k, rows, spec.repeated == "mean")[by_form] for k, spec in specs.items()},
        }
    )


def from_table(path: Path | str, *, metrics: Mapping[str, MetricSpec] | None = None) -> OwnBenchmark:
    """Return the benchmark, and with it the search space, of a table; arguments and errors are those of
    `OwnBenchmark`."""
    return OwnBenchmark(path, metrics)


def write_table(
    path: Path, benchmark: TabularBenchmark[Any], columns: Mapping[str, Column], rows: np.ndarray | None = None
) -> Path:
    """Write architectures and labels of any tabular benchmark as a table that `from_table` reads, with the file that
    describes its metrics (`.yml`) beside it; return `path`. The number of trainings behind a value is not kept.

    Args:
        path: where it goes, `.csv` or `.parquet`.
        benchmark: answers.
        columns: name of the column in the file -> question.
        rows: which architectures, int, B; all by default.
    """
    if path.suffix not in files.FORMATS:
        raise ParameterError(f"`{path.name}` is neither {' nor '.join(files.FORMATS)}: choose one of these endings.")
    rows = np.arange(benchmark.space.size) if rows is None else rows
    frame = pd.DataFrame(_graph_columns(benchmark.space, rows))
    specs = {}
    for name, column in columns.items():
        metric = benchmark.metrics[column.metric]
        frame[name] = benchmark.query_many(rows, column)
        spec = {"unit": metric.unit, "higher_is_better": metric.higher_is_better, "what": metric.what}
        specs[name] = spec | {field: getattr(column, field) for field in ("dataset", "split", "epochs", "seed")}
    buffer = io.BytesIO()
    if path.suffix == ".csv":
        frame.to_csv(buffer, index=False)
    else:
        frame.to_parquet(buffer, index=False)
    write_atomically(path, buffer.getvalue())
    write_atomically(path.with_suffix(".yml"), yaml.safe_dump(specs, sort_keys=False).encode())
    return path


def _graph_columns(space: FiniteSpace[Any], rows: np.ndarray) -> dict[str, list[str]]:
    """Return the columns `operations` and `adjacency` of architectures in the graph form of their space."""
    graphs = space.encode_rows(rows)
    sizes = graphs.mask.sum(1).tolist()
    operations, bits = [], []
    for n, nodes, pairs in zip(sizes, graphs.nodes.tolist(), graphs.pairs.tolist(), strict=True):
        operations.append(json.dumps([space.node_classes[c] for c in nodes[:n]]))
        ends = combinations(range(graphs.n_nodes), 2)
        bits.append("".join(str(bit) for bit, (_, j) in zip(pairs, ends, strict=True) if j < n))
    return {"operations": operations, "adjacency": bits}


def _beside(table: files.RawTable) -> dict[str, Any]:
    """Return what the file beside the table says of its metrics."""
    path = table.path
    found = next((p for suffix in _SPEC_FORMATS if (p := path.with_suffix(suffix)).is_file()), None)
    if found is None:
        raise ParameterError(
            f"Nothing says what the metrics of {path.name} are ({', '.join(table.metrics) or 'it has none'}). Write "
            f"{path.with_suffix('.yml')} with a line for each, e.g. {_EXAMPLE}, or give `metrics`."
        )
    try:
        content = yaml.safe_load(found.read_text(encoding="utf-8"))  # JSON is YAML too
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ParameterError(f"{found} cannot be read: {error}. A line of it: {_EXAMPLE}.") from error
    if not isinstance(content, dict):
        raise ParameterError(f"{found} does not describe metrics by name. A line of it: {_EXAMPLE}.")
    return {str(name): value for name, value in content.items()}


def _specs(path: Path, given: Mapping[str, Any], known: list[str]) -> dict[str, MetricSpec]:
    """Return the checked description of each metric; `ParameterError` says all that is wrong with the first bad one."""
    if not given:
        raise ParameterError(f"Name at least one metric of {path.name}, e.g. {_EXAMPLE}.")
    specs = {}
    for name, value in given.items():
        if name not in known:
            raise ParameterError(
                f"{path.name} has no metric column `{name}`; it has {', '.join(known) or 'none'}."
                + did_you_mean(name, known)
            )
        try:
            specs[name] = MetricSpec.model_validate(value)
        except ValidationError as error:
            reasons = [
                f"{'.'.join(map(str, (name, *e['loc'])))}: {e['msg'].removeprefix('Value error, ')}"
                for e in error.errors()
            ]
            raise ParameterError(
                f"The metrics of {path.name} are not described rightly: {'; '.join(reasons)}. The fields are "
                f"{', '.join(MetricSpec.model_fields)}; an example: {_EXAMPLE}."
            ) from None
    return specs
