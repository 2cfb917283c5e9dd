"""Batches whose workers, schedulers and drivers die: the records are those of a serial batch, none twice."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from batches import GRID, ROOT, command, ended, results, until

from nasrepro.files import leases
from nasrepro.runs import records
from nasrepro.runs.transfer import merge

pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of the grid, beside the folder `runs` of a serial batch."""
    folder = tmp_path_factory.mktemp("serial")
    (folder / "grid.yml").write_text(GRID)
    ended(command("batch", str(folder / "grid.yml"), runs=folder / "runs"))
    return folder / "grid.yml"


def _finished(root: Path) -> int:
    return len(list(root.glob("nb201/*/record.json")))


def _holders(root: Path) -> list[int]:
    found = []
    for path in root.glob("*/*.lease"):
        try:
            found.append(json.loads(path.read_text())["pid"])
        except (OSError, ValueError):  # given back meanwhile
            continue
    return found


def _same(root: Path, grid: Path) -> None:
    assert results(root) == results(grid.parent / "runs") and len(results(root)) == 12
    assert all(leases.holder_is_dead(path.with_suffix("")) for path in root.rglob("*.lease"))  # killed as it ended
    assert all(isinstance(told, records.Record) for _, told in records.survey(root))


def test_two_batches_at_once_share_the_work(grid: Path, tmp_path: Path):
    both = [command("batch", str(grid), runs=tmp_path) for _ in range(2)]
    told = [ended(process).splitlines()[0] for process in both]
    made = [int(line.split()[2]) for line in told]
    assert sum(made) == 12 and min(made) > 0, told
    _same(tmp_path, grid)


def test_shards_that_are_merged_are_the_whole(grid: Path, tmp_path: Path):
    for k in (1, 2, 3):
        ended(command("batch", str(grid), "--shard", f"{k}/3", runs=tmp_path / str(k)))
    assert sum(_finished(tmp_path / str(k)) for k in (1, 2, 3)) == 12
    told = [what for _, what in merge([tmp_path / str(k) for k in (1, 2, 3)], tmp_path / "all")]
    assert told == ["taken"] * 12
    _same(tmp_path / "all", grid)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_batch_that_is_ended_goes_on(grid: Path, tmp_path: Path, number: signal.Signals):
    batch = command("batch", str(grid), "--jobs", "2", runs=tmp_path)
    until(lambda: _finished(tmp_path) >= 3)
    os.killpg(batch.pid, number) if number == signal.SIGINT else batch.send_signal(number)
    out, err = batch.communicate(timeout=120)
    assert "Traceback" not in out + err
    assert batch.returncode == (-9 if number == signal.SIGKILL else 128 + number)
    ended(command("batch", str(grid), "--jobs", "2", runs=tmp_path))
    _same(tmp_path, grid)


def test_a_worker_that_is_killed_costs_no_run_of_the_others(grid: Path, tmp_path: Path):
    batch = command("batch", str(grid), "--jobs", "2", "--retries", "2", runs=tmp_path)
    until(lambda: _finished(tmp_path) >= 3)
    until(lambda: any(pid != batch.pid for pid in _holders(tmp_path)))
    os.kill(_holders(tmp_path)[0], signal.SIGKILL)
    assert "0 failed" in ended(batch)
    _same(tmp_path, grid)


class Cluster:
    """A Dask scheduler and workers of its own, as a user starts them."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        self.folder, self.processes = folder, []
        self.scheduler()
        self.workers(2)

    def _start(self, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "NASREPRO_RUNS": str(self.folder / "own")}
        with (self.folder / "dask.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.{module}", *arguments],
                cwd=self.folder, env=env, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self.processes.append(process)
        return process

    def scheduler(self) -> None:
        """Start the scheduler, again where it was killed."""
        host, port = self.address.removeprefix("tcp://").split(":")
        self.head = self._start("dask_scheduler", "--host", host, "--port", port, "--no-dashboard")

    def workers(self, number: int) -> None:
        """Start workers."""
        self._start(
            "dask_worker", self.address, "--nthreads", "1", "--nworkers", str(number), "--no-dashboard",
            "--local-directory", str(self.folder / "dask"),
        )  # fmt: skip

    def end(self) -> None:
        """End all of them."""
        for process in self.processes:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            process.wait()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    found = Cluster(tmp_path)
    yield found
    found.end()


def test_dask_survives_a_worker_that_is_killed_and_a_scheduler_that_is_restarted(
    cluster: Cluster, grid: Path, tmp_path: Path
):
    root = tmp_path / "runs"
    batch = command("batch", str(grid), "--scheduler", cluster.address, runs=root)
    until(lambda: _finished(root) >= 2)
    until(lambda: _holders(root))
    os.kill(_holders(root)[0], signal.SIGKILL)
    until(lambda: _finished(root) >= 5)
    os.killpg(cluster.head.pid, signal.SIGKILL)
    time.sleep(3)
    cluster.scheduler()
    cluster.workers(2)
    told = ended(batch)
    assert "0 failed" in told
    _same(root, grid)


def test_two_batches_on_one_scheduler_share_the_work_and_machines_without_a_shared_disk_get_their_records(
    cluster: Cluster, grid: Path, tmp_path: Path
):
    both = [command("batch", str(grid), "--scheduler", cluster.address, runs=tmp_path / name) for name in ("a", "b")]
    for process in both:
        assert "0 failed, 0 left out" in ended(process)
    for name in ("a", "b"):
        _same(tmp_path / name, grid)


def test_processes_and_dask_at_once_share_the_work(cluster: Cluster, grid: Path, tmp_path: Path):
    root = tmp_path / "runs"
    both = [command("batch", str(grid), *where, runs=root) for where in ((), ("--scheduler", cluster.address))]
    made = [int(ended(process).splitlines()[0].split()[2]) for process in both]
    assert sum(made) == 12
    _same(root, grid)


def test_a_run_whose_lease_a_dead_machine_left_is_made_after_a_while(grid: Path, tmp_path: Path):
    shutil.copytree(grid.parent / "runs", tmp_path / "runs")
    folder = next((tmp_path / "runs").glob("nb201/*/"))
    shutil.rmtree(folder)
    lease = folder.with_name(f"{folder.name}.lease")
    lease.write_text(json.dumps({"host": "gone", "namespace": 1, "pid": 1, "started": "1", "token": "x"}))
    began = time.monotonic()
    assert "1 done, 11 found" in ended(command("batch", str(grid), runs=tmp_path / "runs"))
    assert time.monotonic() - began > 100
    _same(tmp_path / "runs", grid)


def test_the_commands_of_the_workflow_work(tmp_path: Path):
    """All but those that install, and the last, which builds the book."""
    flow = yaml.safe_load((ROOT / ".github" / "workflows" / "batch.yml").read_text(encoding="utf-8"))
    steps = {
        name: [s["run"] for s in job["steps"] if "nasrepro" in s.get("run", "")] for name, job in flow["jobs"].items()
    }
    (make_runs,) = (s for s in steps["runs"] if not s.startswith("pip"))
    names = {"WHAT": "dinas.table2.cifar10", "PROFILE": "smoke"}
    for k in flow["jobs"]["runs"]["strategy"]["matrix"]["shard"]:
        shell = make_runs.replace("${{ matrix.shard }}", str(k)).replace("executed", str(tmp_path / "shards" / str(k)))
        _shell(shell, tmp_path / "shards" / str(k) / "runs", **names)
    assert len(list(tmp_path.glob("shards/*/dinas-table_2-*.ipynb"))) == 2  # ours, and the searches beside it
    merge, verify, book = (s for s in steps["book"] if not s.startswith("pip"))
    assert "2 taken" in _shell(f"cd {tmp_path} && {merge}", tmp_path / "merged")
    assert "not." in _shell(verify, tmp_path / "merged") and book == "nasrepro book"


def _shell(line: str, runs: Path, **env: str) -> str:
    line = line.replace("nasrepro ", f"{shlex.quote(sys.executable)} -m nasrepro.cli.app ")
    known = os.environ | {"NASREPRO_RUNS": str(runs), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | env
    done = subprocess.run(
        ["bash", "-ec", line], cwd=ROOT, env=known, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
