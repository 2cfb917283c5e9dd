"""What the study asks of its own git history: commits, the records and claims in them, the verdicts that they gave."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from nasrepro.errors import NasreproError
from nasrepro.report.history.file import HERE, REPEAT
from nasrepro.runs.claims import claims_of

_RECORDS, _STATED, _PAPER = "data/records", "data/claims.yml", "data/paper"
_NAMES = ("claims", "evidence", "records", "parameters", "statistics")
_CODE = tuple(f"nasrepro/{room}/{name}.py" for room in ("study", "runs") for name in _NAMES)
# since there is a room of parameters, the plan says which run answers
_PLAN = ("data/plan.yml", "nasrepro/study/plan.py", "nasrepro/runs/plan.py", "nasrepro/parameters")
STATE = (_RECORDS, _STATED, _PAPER, *_CODE, *_PLAN)  # what a verdict depends on
_CLAIMS = "from nasrepro.cli import main; main()"

Name = tuple[str, str]  # a version of a record: its path and the hash of its content


@dataclass(frozen=True)
class Commit:
    """A commit, or the working tree under the name `HERE`; `state` has the hashes of what its verdicts depend on."""

    name: str
    tree: str
    parents: tuple[str, ...]
    date: str
    state: tuple[str, ...]

    @property
    def records(self) -> str:
        """The hash of the folder of records, "" where there is none."""
        return self.state[STATE.index(_RECORDS)]

    @property
    def claims(self) -> str:
        """The hash of the claims, "" where there are none."""
        return self.state[STATE.index(_STATED)]

    @property
    def paper(self) -> str:
        """The hash of the folder of printed numbers, "" where there is none."""
        return self.state[STATE.index(_PAPER)]


class Repository:
    """What this module asks of git; raises `NasreproError` where there is no checkout with its whole history."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._records: dict[str, set[Name]] = {"": set()}
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

    def commits(self) -> Iterator[Commit]:
        """Yield the commits of HEAD, parents first, then the working tree if its records or verdicts may differ."""
        form = ("--date=format-local:%Y-%m-%d %H:%M", "--format=%h%x09%p%x09%cd")
        state: tuple[str, ...] = ()
        name = ""
        for line in self.git("log", "--reverse", "--topo-order", "--abbrev=10", *form, "HEAD").splitlines():
            name, parents, date = line.split("\t")
            state = self._state(name)
            yield Commit(name, name, tuple(parents.split()), date, state)
        with tempfile.TemporaryDirectory() as folder:
            index = {"GIT_INDEX_FILE": str(Path(folder, "index"))}  # the user's own stays as it is
            self.git("read-tree", "HEAD", **index)
            self.git("add", "-A", "--", "data", "nasrepro", **index)
            tree = self.git("write-tree", **index).strip()
        if (here := self._state(tree)) != state:
            yield Commit(HERE, tree, (name,), "9999", here)

    def _state(self, tree: str) -> tuple[str, ...]:
        asked = self.git("ls-tree", tree, *STATE).splitlines()
        found = {line.split("\t")[1]: line.split()[2] for line in asked}
        unused = _PLAN if _PLAN[-1] not in found else ()
        return tuple("" if name in unused else found.get(name, "") for name in STATE)

    def records(self, commit: Commit) -> set[Name]:
        """Return the versions of records that are in the tree of a commit."""
        folder = commit.records
        if folder not in self._records:
            lines = [line.split("\t") for line in self.git("ls-tree", "-r", folder).splitlines()]
            self._records[folder] = {(p, told.split()[2]) for told, p in lines if p.endswith("/record.json")}
        return self._records[folder]

    def claims(self, commit: Commit) -> Mapping[str, dict[str, Any]]:
        """Return the claims of a commit by their ids, with the printed numbers that its own files have."""
        if not commit.claims:
            return {}
        key = commit.claims, commit.paper
        if key not in self._claims:
            content = yaml.safe_load(self.git("cat-file", "blob", commit.claims))
            if "claims" in content:  # they had their numbers themselves
                self._claims[key] = {claim["id"]: claim for claim in content["claims"]}
            else:
                with tempfile.TemporaryDirectory() as folder:
                    self._unpack(commit.paper, folder)
                    self._claims[key] = _of_patterns(content, Path(folder))
        return self._claims[key]

    def _unpack(self, tree: str, folder: str, *wanted: str) -> None:
        """Write the files of a tree to a folder."""
        command = ["git", "archive", "--format=tar", tree, *(("--", *wanted) if wanted else ())]
        archive = subprocess.run(command, cwd=self.root, capture_output=True, check=True).stdout
        with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
            packed.extractall(folder, filter="data")

    def verdicts(self, tree: str) -> list[dict[str, Any]] | str:
        """Return what `nasrepro claims --json` says in a commit, run by its own code, or the head of its error."""
        wanted = ("pyproject.toml", "nasrepro", "data", ":(exclude,glob)data/records/**/*.parquet")
        with tempfile.TemporaryDirectory() as folder:
            self._unpack(tree, folder, *wanted)
            env = os.environ | {"PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"}
            command = [sys.executable, "-c", _CLAIMS, "claims", "--json"]
            done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
            if done.returncode:
                return done.stderr.replace(folder, "").strip().split("\n")[0]
        found: list[dict[str, Any]] = json.loads(done.stdout)
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
