"""The record of a run: what was run, on what data, at what cost, with what result.

A record is a folder `<root>/<experiment>/<key>/` with `record.json` and the run's tables as Parquet beside it.
`record.json` is written last and by rename, so a folder without it is an unfinished run and never a half-true result.

This module is the one door to records: whoever reads one goes through `load`, `verify` or `find`, and gets it only when
it is what it says. Names inside a record are plain file names by their pattern, and text is one printable line.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nasrepro.errors import CorruptData, ParameterError
from nasrepro.files import paths
from nasrepro.files.storage import sha256_of, write_atomically
from nasrepro.parameters import model_of
from nasrepro.parameters.base import ADDED

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

SCHEMA_VERSION = 1
_MOST_BYTES, _MOST_CELLS = 64_000_000, 100_000_000  # of record.json; of a table
_STALE_S = 3600.0  # what a killed process left half written is deleted when it is as old as this

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
TableName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,90}\.parquet$")]
Line = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]{0,300}$")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DataFile(_Model):
    """A raw file that the run read."""

    name: Line
    sha256: Sha256


class Code(_Model):
    """The code that ran: package version, hash of the package's sources, git commit and whether the tree differed
    from it."""

    package: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+[a-z0-9.+-]{0,30}$")]
    source_sha256: Sha256
    git_commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None
    git_dirty: bool | None


class Environment(_Model):
    """The machine and the libraries."""

    python: Line
    platform: Line
    device: Line
    threads: int
    libraries: dict[Line, Line]


class Cost(_Model):
    """Seconds and memory. `stages` sums to about `wall_s`; both cover all sittings of a resumed run where `whole`.

    Older records do not say `whole`: they lack the seconds of a sitting that was killed within a training.
    """

    wall_s: float
    cpu_s: float
    peak_memory_mb: float
    stages: dict[Line, float]
    sittings: int = Field(ge=1)
    whole: bool = False

    @property
    def lacks_seconds(self) -> bool:
        """Whether seconds of a killed sitting may be missing."""
        return self.sittings > 1 and not self.whole


class LabelCount(_Model):
    """How many labels of one column were read for one purpose: distinct architectures, and reads in all."""

    reader: Line
    purpose: Literal["train", "threshold", "select", "report"]
    column: Line
    distinct: int
    reads: int


class Artefact(_Model):
    """A table beside the record."""

    name: TableName
    sha256: Sha256
    rows: int = Field(ge=0)


class Record(_Model):
    """Everything that is known of one finished run.

    `checksum` is that of all else in `record.json`. Records from before there was one are known by the list
    `data/records.sha256`.
    """

    schema_version: Literal[1] = 1
    key: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    experiment: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")]
    method_version: int
    profile: Literal["smoke", "laptop", "full"]
    parameters: dict[Line, Any]
    data: list[DataFile]
    code: Code
    seeds: dict[Line, int | list[int]]
    environment: Environment
    cost: Cost
    labels: list[LabelCount]
    metrics: dict[str, Any]
    artefacts: list[Artefact] = Field(min_length=1)
    created: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$")]
    checksum: Sha256 | None = None


Run = tuple[Path, Record]  # the folder of a finished run, and its record


def run_key(experiment: str, method_version: int, parameters: dict[str, Any], data: dict[str, str]) -> str:
    """Return the 16 hex digits that name a run: a hash of experiment, method version, resolved parameters and data
    checksums."""
    text = json.dumps([experiment, method_version, parameters, data], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def table(name: str, frame: pd.DataFrame) -> tuple[Artefact, bytes]:
    """Return the entry of a table in a record, and the table as Parquet."""
    import io

    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False, compression="zstd")
    content = buffer.getvalue()
    return Artefact(name=name, sha256=hashlib.sha256(content).hexdigest(), rows=len(frame)), content


def save(folder: Path, record: Record, tables: Sequence[bytes]) -> Record:
    """Write a record and its tables, and return it with its checksum.

    What was in the folder stands until the one moment when `record.json` is replaced. Before it, the new tables lie
    under their checksums, where `load_table` finds them if their process is killed before it gives them their names.

    Args:
        folder: `<root>/<experiment>/<key>`.
        record: the record.
        tables: the content of each of its artefacts, in their order.
    """
    record = record.model_copy(update={"checksum": _digest(json.loads(record.model_dump_json()))})
    for entry, content in zip(record.artefacts, tables, strict=True):
        write_atomically(_incoming(folder, entry), content)
    write_atomically(folder / "record.json", (record.model_dump_json(indent=1) + "\n").encode())
    for entry in record.artefacts:
        with suppress(FileNotFoundError):  # another process copies the same record
            _incoming(folder, entry).replace(folder / entry.name)
    for path in [*folder.glob(".*.part"), *folder.glob("*.new")]:
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > _STALE_S:
                path.unlink()
    return record


def load(folder: Path) -> Record:
    """Read a record and check that it is what it says, but for its tables.

    Raises:
        CorruptData: no regular file of this schema, a wrong checksum, numbers that are not finite, an experiment or
            parameters that do not exist, a key that is not theirs, or another folder than it says.
    """
    path = folder / "record.json"
    try:
        content = _content(path)
        record = Record.model_validate(content)
        _check(record, content, folder)
    except (OSError, ValueError, OverflowError, RecursionError, ParameterError) as error:
        raise CorruptData(
            f"{path} is not a record to rely on: {_in_short(error)}. Delete the folder and repeat the run."
        ) from error
    return record


def verify(folder: Path) -> Record:
    """Read a record as `load` does and check each of its tables; raise `CorruptData` where something is wrong."""
    record = load(folder)
    for entry in record.artefacts:
        _sound_table(folder, entry)
    return record


def load_table(folder: Path, record: Record, name: str) -> pd.DataFrame:
    """Read a table of a record after checking it."""
    entry = next((a for a in record.artefacts if a.name == name), None)
    if entry is None:
        raise CorruptData(
            f"The record {record.key} has no table {name}; it has {', '.join(a.name for a in record.artefacts)}."
        )
    import pandas as pd

    return pd.read_parquet(_sound_table(folder, entry))


def read_tables(folder: Path, record: Record) -> list[bytes]:
    """Return the content of the tables of a record, in the order of its artefacts, after checking them."""
    return [_sound_table(folder, entry).read_bytes() for entry in record.artefacts]


def survey(root: Path, experiment: str | None = None) -> Iterator[tuple[Path, Record | CorruptData]]:
    """Yield the folder of every finished run under a root, in the order of their names, with its record or what is
    wrong with it."""
    for path in sorted(root.glob(f"{experiment or '*'}/*/record.json")):
        try:
            yield path.parent, verify(path.parent)
        except CorruptData as error:
            yield path.parent, error


def find(root: Path, experiment: str | None = None) -> Iterator[Run]:
    """Yield (folder, record) of every sound run under a root, in the order of their names; others are told and passed
    over."""
    for folder, found in survey(root, experiment):
        if isinstance(found, Record):
            yield folder, found
        else:
            log.warning("Passed over: %s", found)


def numbers(value: Any, place: str = "") -> Iterator[tuple[str, float]]:
    """Yield every number of a JSON-able value with its place."""
    if isinstance(value, (Mapping, list, tuple)):
        for name, part in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from numbers(part, f"{place}.{name}")
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield place, float(value)


def _incoming(folder: Path, entry: Artefact) -> Path:
    return folder / f"{entry.sha256}.new"


def _digest(content: dict[str, Any]) -> str:
    """Return the checksum of what a `record.json` holds beside its checksum, however it is laid out."""
    rest = {name: value for name, value in content.items() if name != "checksum"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _content(path: Path) -> dict[str, Any]:
    if not path.is_file() or path.stat().st_size > _MOST_BYTES:
        raise ValueError(f"it is no regular file of at most {_MOST_BYTES // 10**6} MB")
    content = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_once)
    if not isinstance(content, dict):
        raise ValueError("it is no JSON object")
    if bad := [place for place, value in numbers(content) if not math.isfinite(value)]:
        raise ValueError(f"{bad[0][1:]} is no finite number")
    return content


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("it has a name twice")
    return found


def _check(record: Record, content: dict[str, Any], folder: Path) -> None:
    digest = _digest(content)
    if digest != record.checksum and not (record.checksum is None and digest in _from_before_checksums()):
        raise ValueError("its content does not have the checksum that it states" if record.checksum else "no checksum")
    model = model_of(record.experiment)
    neutral = {name: value for name, value in ADDED.items() if name in model.model_fields}
    parameters = model.model_validate({**neutral, **record.parameters}).identity()
    data = {file.name: file.sha256 for file in record.data}
    if run_key(record.experiment, record.method_version, parameters, data) != record.key:
        raise ValueError("its key is not that of its parameters, data and method version")
    if (record.experiment, record.key) != (folder.absolute().parent.name, folder.name):
        raise ValueError(f"it is the record of {record.experiment}/{record.key}, in another folder")
    if len({entry.name for entry in record.artefacts}) < len(record.artefacts):
        raise ValueError("it names a table twice")


@lru_cache
def _from_before_checksums() -> frozenset[str]:
    lines = (paths.data_dir() / "records.sha256").read_text(encoding="utf-8").splitlines()
    return frozenset(line.split()[0] for line in lines)


def _sound_table(folder: Path, entry: Artefact) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    for path in (folder / entry.name, _incoming(folder, entry)):
        if path.is_file() and sha256_of(path) == entry.sha256:
            break
    else:
        raise CorruptData(
            f"{folder / entry.name} is missing or differs from its record. Delete the folder {folder} and repeat the "
            "run."
        )
    try:
        meta = pq.read_metadata(path)
    except (OSError, pa.ArrowException) as error:
        raise CorruptData(f"{path} is no table: {_in_short(error)}. Delete {folder} and repeat the run.") from error
    if meta.num_rows != entry.rows or meta.num_rows * meta.num_columns > _MOST_CELLS:
        raise CorruptData(f"{path} has {meta.num_rows:,} rows, and should not. Delete {folder} and repeat the run.")
    return path


def _in_short(error: Exception) -> str:
    """Return the first thing that an error says, without the library's explanations."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"[:300]
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
