"""Records on their way: from your runs to the committed ones, and from other machines to your runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from nasrepro.errors import CorruptData, ParameterError, StorageError
from nasrepro.files import leases, paths
from nasrepro.runs import records
from nasrepro.runs.records import Record
from nasrepro.runs.run import deviation

_KEY = re.compile(r"[0-9a-f]{4,16}")


def matching(key: str, root: Path) -> list[Path]:
    """Return the folders of finished runs under a root whose key begins so, sound or not.

    Raises:
        ParameterError: the beginning is not of 4 to 16 hex digits.
    """
    if not _KEY.fullmatch(key):
        raise ParameterError(
            f"`{key}` is no key of a run: give at least its first 4 of 16 hex digits (see `nasrepro records`)."
        )
    return sorted(path.parent for path in root.glob(f"*/{key}*/record.json"))


def publish(key: str, root: Path | None = None) -> Path:
    """Copy a finished run to the committed records, once it is found to be sound, and return its new folder.

    Raises:
        ParameterError: no key, or not that of one finished run.
        CorruptData: the record is not what it says.
        StorageError: the committed records are part of an installed package, or cannot be written.
    """
    root, target = root or paths.runs_dir(), paths.records_dir()
    found = matching(key, root)
    if len(found) != 1:
        have = ", ".join(path.parent.name for path in sorted(root.glob("*/*/record.json"))) or "none"
        raise ParameterError(
            f"{len(found)} finished runs in {root} have a key that begins with `{key}`; finished runs: {have}."
        )
    if paths.checkout() is None and target == paths.data_dir() / "records":
        raise StorageError(
            f"{target} is part of the installed package, which is not written to. Set NASREPRO_RECORDS to a folder of "
            "yours, or publish from a checkout."
        )
    record = records.verify(found[0])
    return copy(found[0], record, target)


def copy(folder: Path, record: Record, root: Path) -> Path:
    """Copy a verified record under a root and return its new folder; what was there stands until the copy is whole."""
    target = root / record.experiment / record.key
    records.save(target, record, records.read_tables(folder, record))
    return target


def merge(sources: list[Path], root: Path) -> Iterator[tuple[Path, str]]:
    """Take the records of other machines to a root, none of them twice; yield each one's folder and what became of it.

    Args:
        sources: folders of runs, `<source>/<experiment>/<key>/record.json`.
        root: the folder to take them to.

    Yields:
        The folder, and `taken`, `here already`, or a sentence that says why it was not taken.
    """
    if missing := [str(source) for source in sources if not source.is_dir()]:
        raise ParameterError(f"There is no folder {', '.join(missing)}.")
    for folder, record in (pair for source in sources for pair in records.survey(source)):
        if isinstance(record, CorruptData):
            yield folder, f"not taken: {record}"
            continue
        target = root / record.experiment / record.key
        with leases.lease(target):
            try:
                told = difference(record, records.verify(target)) or "here already"
            except CorruptData:  # there is none, or none to rely on
                copy(folder, record, root)
                told = "taken"
        yield folder, told


def difference(theirs: Record, ours: Record) -> str:
    """Say by what two records of one key differ in their results; nothing where they do not."""
    tables, others = ({a.name: a.sha256 for a in record.artefacts} for record in (ours, theirs))
    differ = sorted(name for name in tables.keys() | others.keys() if tables.get(name) != others.get(name))
    gap = deviation(ours.metrics, theirs.metrics)
    if not differ and gap == 0:
        return ""
    return (
        f"not taken: it differs from the record that is here in {', '.join(differ) or 'no table'}, and by at most "
        f"{gap:.3g} in a figure; made on {theirs.environment.device}, here on {ours.environment.device}"
    )
