"""What the tests of batches share: a smoke grid of twelve runs and two trainings, and how to compare what was made."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nasrepro.runs import records
from nasrepro.runs.records import Record

ROOT = Path(__file__).parent.parent
GRID = """\
experiment: nb201
parameters:
  {trainings: 1, labelled: [200, 250, 300], epochs: 1, queries: [4, 5], runs: [1, 2], reverse_steps: 2}
profile: smoke
"""


def command(*arguments: str, runs: Path, **env: str) -> subprocess.Popen[str]:
    """Start `nasrepro` with one thread and its own folder of runs."""
    return subprocess.Popen(
        [sys.executable, "-m", "nasrepro.cli.app", *arguments], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        env=os.environ | {"NASREPRO_RUNS": str(runs), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)} | env,
    )  # fmt: skip


def ended(process: subprocess.Popen[str], status: int = 0, timeout: float = 600) -> str:
    """Return what a command printed once it ended as it should."""
    out, err = process.communicate(timeout=timeout)
    assert process.returncode == status, out + err
    assert "Traceback" not in out + err, out + err
    return out


def results(root: Path) -> dict[str, Any]:
    """Return what the records of a folder say, but for times, memory and how often they were begun."""
    return {r.key: _result(r) for _, r in records.find(root)}


def _result(record: Record) -> Any:
    metrics = {name: value for name, value in record.metrics.items() if name != "speed"}
    return metrics, record.artefacts, record.parameters, record.seeds, record.labels, record.data


def until(seen: Callable[[], Any], seconds: float = 300) -> None:
    """Wait for something to be seen."""
    deadline = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < deadline, "it was never seen"
        time.sleep(0.02)
