"""Tables in the cache: built once, whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import errno
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from nasrepro.files import cached_tables as tables
from nasrepro.files.cached_tables import cached_table, fingerprint

FRAME = pd.DataFrame({"row": [0, 1, 2], "value": [0.5, 1.5, float("nan")]})


@pytest.fixture
def folder(no_mirror: Path) -> Path:
    return no_mirror / "tables"


@pytest.fixture
def warnings_logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.WARNING, logger="nasrepro")
    tables._say_once.cache_clear()
    return caplog


def _never() -> pd.DataFrame:
    pytest.fail("built although it was there")


def test_a_table_is_built_once_for_a_fingerprint(folder: Path):
    pd.testing.assert_frame_equal(cached_table("toy", "a", lambda: FRAME), FRAME)
    pd.testing.assert_frame_equal(cached_table("toy", "a", _never), FRAME)
    other = cached_table("toy", "b", lambda: FRAME.assign(value=2.0))
    assert other["value"].tolist() == [2.0] * 3
    assert len(list(folder.glob("*.parquet"))) == 2


def test_fingerprints_differ_with_every_part():
    assert len({fingerprint(p) for p in (["a", "b"], ["b", "a"], ["ab"], ["a", 1], ["a", 2])}) == 5


def test_a_full_disk_leaves_nothing_behind_and_does_not_stop_the_work(
    folder: Path, monkeypatch, warnings_logged: pytest.LogCaptureFixture
):
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        pd.testing.assert_frame_equal(cached_table("toy", "a", lambda: FRAME), FRAME)
    assert "No space left on device" in warnings_logged.text and "NASREPRO_CACHE" in warnings_logged.text
    assert [p.name for p in folder.iterdir() if not p.name.endswith(".lock")] == []
    pd.testing.assert_frame_equal(cached_table("toy", "a", lambda: FRAME), FRAME)  # there is room again
    pd.testing.assert_frame_equal(cached_table("toy", "a", _never), FRAME)


def test_a_builder_that_fails_leaves_no_table(folder: Path):
    with pytest.raises(ZeroDivisionError):
        cached_table("toy", "a", lambda: pd.DataFrame({"x": [1 / 0]}))
    assert list(folder.glob("*.parquet")) == []
    pd.testing.assert_frame_equal(cached_table("toy", "a", lambda: FRAME), FRAME)


SLOW = """
import sys, time
import pandas as pd
from nasrepro.files.cached_tables import cached_table

def build():
    print("building", flush=True)
    time.sleep(float(sys.argv[1]))
    return pd.DataFrame({"value": [1.0, 2.0]})

print(cached_table("slow", "a", build)["value"].sum(), flush=True)
"""


def _start(seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SLOW, str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_of_two_processes_one_builds_and_the_other_waits(folder: Path):
    out = [process.communicate(timeout=60) for process in [_start(1.0), _start(1.0)]]
    assert [text.splitlines()[-1] for text, _ in out] == ["3.0", "3.0"], out
    assert sum(text.count("building") for text, _ in out) == 1


def test_a_killed_builder_keeps_no_lock_and_leaves_no_table(folder: Path):
    process = _start(60)
    assert process.stdout is not None and process.stdout.readline() == "building\n"
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=10)
    assert list(folder.glob("*.parquet")) == []
    started = time.monotonic()
    text, _ = _start(0).communicate(timeout=30)
    assert text.splitlines() == ["building", "3.0"] and time.monotonic() - started < 30
