"""Leases: one holder at a time, whatever dies; what an unfinished run keeps is noticed when it was altered."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nasrepro.files import leases
from nasrepro.files.leases import Held, lease
from nasrepro.runs import resumable

_HOLD = "import sys, time; from pathlib import Path; from nasrepro.files.leases import lease\n"
_HOLD += "with lease(Path(sys.argv[1])): print('held', flush=True); time.sleep(600)"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(leases, "POLL_S", 0.01)
    monkeypatch.setattr(leases, "BEAT_S", 0.05)
    monkeypatch.setattr(leases, "LAPSE_S", 0.5)


def _elsewhere(path: Path, **changed: Any) -> Path:
    """Leave the lease of a process on another machine."""
    file = path.with_name(f"{path.name}.lease")
    file.write_text(json.dumps({"host": "elsewhere", "namespace": 0, "pid": 1, "started": "1", "token": "x"} | changed))
    return file


def test_many_at_once_hold_it_one_after_another(tmp_path: Path):
    inside, most = [], []

    def work() -> None:
        with lease(tmp_path / "run"):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.002)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 12 and not list(tmp_path.glob("*.lease"))


def test_whoever_does_not_wait_is_told_who_holds_it(tmp_path: Path):
    with (
        lease(tmp_path / "run"),
        pytest.raises(Held, match=f"process {os.getpid()} on "),
        lease(tmp_path / "run", wait=False),
    ):
        pass
    with lease(tmp_path / "run", wait=False) as again:
        assert again.waited_s < 1


def test_the_lease_of_a_killed_process_lapses_at_once_even_while_nobody_has_buried_it(tmp_path: Path):
    holder = subprocess.Popen([sys.executable, "-c", _HOLD, str(tmp_path / "run")], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    with pytest.raises(Held), lease(tmp_path / "run", wait=False):
        pass
    assert not leases.holder_is_dead(tmp_path / "run")
    holder.kill()
    while leases._started(holder.pid):  # a zombie from here on
        time.sleep(0.01)
    assert leases.holder_is_dead(tmp_path / "run")
    with lease(tmp_path / "run", wait=False):
        pass
    holder.wait()
    holder.stdout.close()


def test_a_process_of_another_machine_holds_it_while_it_touches_it(tmp_path: Path):
    file = _elsewhere(tmp_path / "run")
    with pytest.raises(Held, match="process 1 on elsewhere"), lease(tmp_path / "run", wait=False):
        pass
    with lease(tmp_path / "run") as held:  # it is never touched again
        assert 0.1 < held.waited_s < 60
    _elsewhere(tmp_path / "run")
    os.utime(file, (time.time() - 60, time.time() - 60))
    with lease(tmp_path / "run", wait=False):
        pass


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": "x"}'])
def test_a_lease_that_cannot_be_read_lapses_when_nobody_touches_it(tmp_path: Path, content: str):
    (tmp_path / "run.lease").write_text(content)
    with pytest.raises(Held, match="nobody known"), lease(tmp_path / "run", wait=False):
        pass
    with lease(tmp_path / "run"):
        pass


def test_a_number_that_another_process_has_now_is_no_holder(tmp_path: Path):
    host, namespace = leases._here()
    _elsewhere(tmp_path / "run", host=host, namespace=namespace, pid=os.getpid(), started="0")
    with lease(tmp_path / "run", wait=False):
        pass


def test_a_holder_that_was_away_for_long_notices_that_it_lost_the_lease(tmp_path: Path):
    with lease(tmp_path / "run") as held:
        held.check()
        file = _elsewhere(tmp_path / "run")  # another took it over
        while not held._lost.is_set():
            time.sleep(0.01)
        with pytest.raises(Held, match="taken over"):
            held.check()
    assert file.is_file(), "the lease of another is not given back"


def test_a_lease_is_touched_while_it_is_held(tmp_path: Path):
    with lease(tmp_path / "run"):
        file = tmp_path / "run.lease"
        os.utime(file, (1.0, 1.0))
        deadline = time.monotonic() + 20
        while file.stat().st_mtime < 2:
            assert time.monotonic() < deadline
            time.sleep(0.01)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.data())
def test_no_altered_byte_of_what_is_kept_is_taken_for_what_it_was(tmp_path: Path, content: bytes, data: st.DataObject):
    path = tmp_path / "kept"
    resumable.keep(path, content)
    assert resumable.kept(path) == content
    altered = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(altered) - 1))
    altered[at] ^= 1 << data.draw(st.integers(0, 7))
    cut = data.draw(st.integers(0, len(altered) - 1))
    for wrong in (bytes(altered), bytes(altered)[:cut], path.read_bytes() + b"x"):
        path.write_bytes(wrong)
        assert resumable.kept(path) is None


def test_a_stage_is_kept_with_what_is_known_of_it_and_a_flipped_bit_is_noticed(tmp_path: Path):
    frame, meta = pd.DataFrame({"a": [1.5, 2.5], "b": ["x", "y"]}), {"wall_s": 1.0, "ledger": {"space": None}}
    path = tmp_path / "part.stage"
    resumable.keep_stage(path, frame, meta)
    again = resumable.kept_stage(path)
    assert again is not None and again[0].equals(frame) and again[1] == meta
    sound = path.read_bytes()
    for at in range(0, 8 * len(sound), 97):
        altered = bytearray(sound)
        altered[at // 8] ^= 1 << at % 8
        path.write_bytes(altered)
        assert resumable.kept_stage(path) is None
    path.unlink()
    path.mkdir()
    assert resumable.kept_stage(path) is None
