"""What the study asks of its own git history: commits, the records and claims in them, the verdicts that they gave."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from nasrepro.errors import NasreproError
from nasrepro.files import paths
from nasrepro.files.storage import write_atomically
from nasrepro.report.history.file import HERE, REPEAT
from nasrepro.runs.claims import claims_of

# what a verdict depends on; `study` is what `runs` was called
STATE = ("data", "nasrepro/study", "nasrepro/runs", "nasrepro/parameters")
_STATED, _PAPER, _RECORDS = "data/claims.yml", "data/paper", "data/records/"
_CLAIMS = "from nasrepro.cli import main; main()"

Name = tuple[str, str]  # a version of a record: its path and the hash of its content


@dataclass(frozen=True)
class Commit:
    """A commit, or the working tree under the name `HERE`.

    Attributes:
        name: abbreviated to ten digits.
        tree: what git calls its files.
        parents: their names.
        date: UTC, to the minute; of the working tree one after all others.
        paths: the hash of each file and folder that its verdicts depend on.
    """

    name: str
    tree: str
    parents: tuple[str, ...]
    date: str
    paths: Mapping[str, str]

    @property
    def state(self) -> list[str]:
        """The hashes of what its verdicts depend on."""
        return [self.paths.get(path, "") for path in STATE]

    @cached_property
    def records(self) -> frozenset[Name]:
        """The versions of records that are in it."""
        return frozenset(
            item for item in self.paths.items() if item[0].startswith(_RECORDS) and item[0].endswith("/record.json")
        )


class Repository:
    """What this module asks of git; raises `NasreproError` where there is no checkout with its whole history."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._claims: dict[tuple[str, str], dict[str, Any]] = {}
        try:
            shallow = self.git("rev-parse", "--is-shallow-repository").strip()
        except (OSError, subprocess.CalledProcessError) as error:
            raise NasreproError(f"{root} is no git checkout. {REPEAT}") from error
        if shallow != "false":
            raise NasreproError(f"{root} has a part of its history only: `git fetch --unshallow`. {REPEAT}")

    def git(self, *arguments: str, **environment: str) -> str:
        """Return what a git command prints."""
        env = os.environ | {"TZ": "UTC"} | environment
        return subprocess.run(
            ["git", *arguments], cwd=self.root, capture_output=True, check=True, env=env
        ).stdout.decode()

    def commits(self) -> list[Commit]:
        """Return the commits of HEAD, parents first, then the working tree if its records or verdicts may differ."""
        form = ("--date=format-local:%Y-%m-%d %H:%M", "--format=%h%x09%p%x09%cd")
        log = self.git("log", "--reverse", "--topo-order", "--abbrev=10", *form, "HEAD")
        told = [line.split("\t") for line in log.splitlines()]
        found = [self._commit(name, name, parents.split(), date) for name, parents, date in told]
        with tempfile.TemporaryDirectory() as folder:
            index = {"GIT_INDEX_FILE": str(Path(folder, "index"))}  # the user's own stays as it is
            self.git("read-tree", "HEAD", **index)
            self.git("add", "-A", "--", "data", "nasrepro", **index)
            tree = self.git("write-tree", **index).strip()
        here = self._commit(HERE, tree, [found[-1].name], "9999")
        return [*found, here] if here.state != found[-1].state else found

    def _commit(self, name: str, tree: str, parents: Sequence[str], date: str) -> Commit:
        lines = [line.split("\t") for line in self.git("ls-tree", "-r", "-t", tree, *STATE).splitlines()]
        return Commit(name, tree, tuple(parents), date, {path: told.split()[2] for told, path in lines})

    def claims(self, commit: Commit) -> Mapping[str, dict[str, Any]]:
        """Return the claims of a commit by their ids, with the printed numbers that its own files have."""
        if _STATED not in commit.paths:
            return {}
        key = commit.paths[_STATED], commit.paths.get(_PAPER, "")
        if key not in self._claims:
            content = yaml.safe_load(self.git("cat-file", "blob", key[0]))
            if "claims" in content:  # they had their numbers themselves
                self._claims[key] = {claim["id"]: claim for claim in content["claims"]}
            else:
                with self._unpacked(commit, _PAPER) as folder:
                    self._claims[key] = _of_patterns(content, folder / _PAPER)
        return self._claims[key]

    @contextmanager
    def _unpacked(self, commit: Commit, *wanted: str) -> Iterator[Path]:
        """Yield a folder with files of a commit."""
        with tempfile.TemporaryDirectory() as folder:
            archive = Path(folder, "archive.tar")
            self.git("archive", f"--output={archive}", commit.tree, "--", *wanted)
            shutil.unpack_archive(archive, folder, filter="data")
            yield Path(folder)

    def verdicts(self, commit: Commit) -> list[dict[str, Any]]:
        """Return what `nasrepro claims --json` says in a commit, run by its own code, and keep it in the cache.

        Raises:
            NasreproError: it stopped; with the head of its error. That is not kept: code that is no part of the state
                may be why.
        """
        if _STATED not in commit.paths:
            return []
        name = hashlib.sha256(" ".join(commit.state).encode()).hexdigest()[:16]
        kept = paths.cache_dir() / "generations" / f"{name}.json"
        if not kept.is_file():
            wanted = ("pyproject.toml", "nasrepro", "data", ":(exclude,glob)data/records/**/*.parquet")
            with self._unpacked(commit, *wanted) as folder:
                env = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
                command = [sys.executable, "-c", _CLAIMS, "claims", "--json"]
                done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
            if done.returncode:
                raise NasreproError(done.stderr.replace(str(folder), "").strip().split("\n")[0])
            write_atomically(kept, done.stdout.encode())
        found: list[dict[str, Any]] = json.loads(kept.read_text(encoding="utf-8"))
        return found


def _of_patterns(content: Mapping[str, Any], printed: Path) -> dict[str, dict[str, Any]]:
    """Return the claims that patterns make of the files of a folder, with the fields that claims had before."""
    direction = {"above": "higher", "below": "lower", "at_most": "lower"}
    return {
        c.id: {
            "printed": c.printed,
            "unit": c.unit,
            "tolerance": c.tolerance,
            "direction": direction.get(word := str(c.better or c.bound), word),
        }
        for pattern in content["patterns"]
        for c in claims_of(pattern, printed)
    }
