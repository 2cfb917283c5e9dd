"""The record of a run: what was run, on what data, at what cost, with what result.

A record is a folder `<root>/<experiment>/<key>/` with `record.json` and the run's tables as Parquet beside it.
`record.json` is written last and by rename, so a folder without it is an unfinished run and never a half-true result.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nasrepro.errors import CorruptData
from nasrepro.files.storage import sha256_of, write_atomically

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION = 1


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DataFile(_Model):
    """A raw file that the run read."""

    name: str
    sha256: str


class Code(_Model):
    """The code that ran: package version, hash of the package's sources, git commit and whether the tree differed
    from it."""

    package: str
    source_sha256: str
    git_commit: str | None
    git_dirty: bool | None


class Environment(_Model):
    """The machine and the libraries."""

    python: str
    platform: str
    device: str
    threads: int
    libraries: dict[str, str]


class Cost(_Model):
    """Seconds and memory. `stages` sums to about `wall_s`; both cover all sittings of a resumed run where `whole`.

    Older records do not say `whole`: they lack the seconds of a sitting that was killed within a training.
    """

    wall_s: float
    cpu_s: float
    peak_memory_mb: float
    stages: dict[str, float]
    sittings: int = Field(ge=1)
    whole: bool = False

    @property
    def lacks_seconds(self) -> bool:
        """Whether seconds of a killed sitting may be missing."""
        return self.sittings > 1 and not self.whole


class LabelCount(_Model):
    """How many labels of one column were read for one purpose: distinct architectures, and reads in all."""

    reader: str
    purpose: Literal["train", "threshold", "select", "report"]
    column: str
    distinct: int
    reads: int


class Artefact(_Model):
    """A table beside the record."""

    name: str
    sha256: str
    rows: int


class Record(_Model):
    """Everything that is known of one finished run."""

    schema_version: Literal[1] = 1
    key: str
    experiment: str
    method_version: int
    profile: str
    parameters: dict[str, Any]
    data: list[DataFile]
    code: Code
    seeds: dict[str, int | list[int]]
    environment: Environment
    cost: Cost
    labels: list[LabelCount]
    metrics: dict[str, Any]
    artefacts: list[Artefact]
    created: str


Run = tuple[Path, Record]  # the folder of a finished run, and its record


def run_key(experiment: str, method_version: int, parameters: dict[str, Any], data: dict[str, str]) -> str:
    """Return the 16 hex digits that name a run: a hash of experiment, method version, resolved parameters and data
    checksums."""
    text = json.dumps([experiment, method_version, parameters, data], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def write_table(path: Path, frame: pd.DataFrame) -> Artefact:
    """Write a table as Parquet, atomically, and return its entry for the record."""
    import io

    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False, compression="zstd")
    write_atomically(path, buffer.getvalue())
    return Artefact(name=path.name, sha256=hashlib.sha256(buffer.getvalue()).hexdigest(), rows=len(frame))


def save(folder: Path, record: Record) -> Path:
    """Write `record.json`, the last file of a run, and return its path."""
    path = folder / "record.json"
    write_atomically(path, (record.model_dump_json(indent=1) + "\n").encode())
    return path


def load(folder: Path) -> Record:
    """Read and validate a record; raise `CorruptData` when it is not one."""
    path = folder / "record.json"
    try:
        return Record.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise CorruptData(
            f"{path} is not a record of this version of nasrepro: {error}. Delete the folder and repeat the run."
        ) from error


def load_table(folder: Path, record: Record, name: str) -> pd.DataFrame:
    """Read a table of a record after checking its checksum."""
    entry = next((a for a in record.artefacts if a.name == name), None)
    if entry is None:
        raise CorruptData(
            f"The record {record.key} has no table {name}; it has {', '.join(a.name for a in record.artefacts)}."
        )
    path = folder / name
    if not path.is_file() or sha256_of(path) != entry.sha256:
        raise CorruptData(
            f"{path} is missing or differs from its record. Delete the folder {folder} and repeat the run."
        )
    import pandas as pd

    return pd.read_parquet(path)


def find(root: Path, experiment: str | None = None) -> Iterator[Run]:
    """Yield (folder, record) of every finished run under a root, in the order of their names."""
    for path in sorted(root.glob(f"{experiment or '*'}/*/record.json")):
        yield path.parent, load(path.parent)
