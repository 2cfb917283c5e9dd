"""Runs and records: refused parameters, one key for one run, kills that lose nothing, unwritable folders."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, Literal

import nbformat
import pandas as pd
import pytest
from pydantic import Field

from nasrepro import experiments
from nasrepro.benchmarks.ledger import Ledger
from nasrepro.diffusion.denoiser_config import DenoiserConfig
from nasrepro.diffusion.train import Step, TrainingConfig
from nasrepro.errors import CorruptData, Interrupted, ParameterError, StorageError
from nasrepro.files import paths
from nasrepro.files.cached_tables import cached_table
from nasrepro.files.storage import read_yaml
from nasrepro.parameters import model_of, resolved
from nasrepro.parameters.base import Parameters, from_notebook, parse_assignments, read_parameters, resolve
from nasrepro.runs import records
from nasrepro.runs import trained_models as training
from nasrepro.runs.run import Experiment, Outcome, RunContext, deviation, run
from nasrepro.runs.transfer import publish

ROOT = Path(__file__).parent.parent
SMOKE = {"epochs": 1, "queries": 8, "runs": 2}


class Toy(Parameters):
    n: int = Field(3, ge=1)
    rate: float = Field(0.5, gt=0)
    kind: Literal["plain", "fancy"] = "plain"
    profiles: ClassVar[Mapping[str, Mapping[str, Any]]] = {"smoke": {"n": 1}, "laptop": {}, "full": {"n": 9}}


class Lists(Parameters):
    rates: list[float] = Field([])
    numbers: list[int] = Field([])


class _Killed(BaseException):
    """Stands for kill -9."""


@pytest.fixture(autouse=True)
def _toy_is_an_experiment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(records, "model_of", lambda name: Toy if name == "toy" else model_of(name))


def _toy(log: list[int], kill_at: int | None = None, data: str = "a" * 64) -> Experiment[Toy]:
    def execute(p: Toy, context: RunContext) -> Outcome:
        def part(k: int) -> pd.DataFrame:
            def compute(ledger: Ledger) -> pd.DataFrame:
                if k == kill_at:
                    raise _Killed
                log.append(k)
                ledger._belong_to("toy", 10)
                ledger.note("toy", "select", "column", pd.array([k], dtype="int64").to_numpy())
                return pd.DataFrame({"k": [k], "value": [p.rate * k]})

            return context.stage("work", f"part-{k}", compute)

        table = pd.concat([part(k) for k in range(p.n)])
        return Outcome({"total": float(table.value.sum()), "speed": time.time()}, {"parts": table}, {"master": 0})

    return Experiment("toy", 1, Toy, lambda p: {"file": data}, execute)


def test_given_values_win_over_the_profile_and_the_profile_over_defaults():
    assert resolve(Toy, {}, "laptop").n == 3
    assert resolve(Toy, {}, "full").n == 9
    assert resolve(Toy, {"n": 4}, "full").n == 4


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"rat": 1.0}, "There is no parameter `rat`. Did you mean `rate`?"),
        ({"n": 0}, "n=0 is refused"),
        ({"n": "many"}, "n='many' is refused"),
        ({"n": 2.5}, "n=2.5 is refused"),
        ({"n": True}, "n=True is refused"),
        ({"rate": "fast"}, "rate='fast' is refused"),
        ({"kind": "fanzy"}, "kind=fanzy: there is no such kind. Did you mean `fancy`? Choose one of plain, fancy."),
    ],
)
def test_unknown_and_mistyped_parameters_are_refused_before_any_work(tmp_path: Path, given: dict, message: str):
    log: list[int] = []
    with pytest.raises(ParameterError) as caught:
        run(_toy(log), given, root=tmp_path)
    assert message in str(caught.value)
    assert log == [] and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
@pytest.mark.parametrize(
    ("model", "name", "wrap"),
    [(Toy, "rate", lambda x: x), (Toy, "n", lambda x: x), (Lists, "rates", lambda x: [0.5, x]),
     (Lists, "numbers", lambda x: [x])],
)  # fmt: skip
def test_infinity_and_nan_are_refused_since_a_record_cannot_say_them(model: Any, name: str, wrap: Any, value: float):
    with pytest.raises(ParameterError, match=rf"{name}.*={value} is refused"):
        resolve(model, {name: wrap(value)}, "laptop")


@pytest.mark.parametrize(
    ("experiment", "assignment", "message"),
    [
        ("nb201", "clip_norm=.inf", "clip_norm=inf is refused: .*finite number .*0 = no clipping"),
        ("nb201", "lower_percentiles=[50.0, .nan]", "lower_percentiles.1=nan is refused"),
        ("hw", "energy=.inf", "energy=inf is refused: .*0 for none"),
        ("hw", "latency=-.inf", "latency=-inf is refused"),
        ("network_training", "clip_norm=.inf", "clip_norm=inf is refused: .*0 for no clipping"),
        ("exact_denoiser", "steps=[2, .inf]", "steps.1=inf is refused"),
    ],
)
def test_a_number_that_is_none_is_refused_on_the_command_line_with_what_to_give_instead(
    experiment: str, assignment: str, message: str
):
    with pytest.raises(ParameterError, match=message):
        resolved(experiment, parse_assignments([assignment]), "laptop")
    name, value = next(iter(parse_assignments([assignment]).items()))
    with pytest.raises(ParameterError, match=message):  # a notebook's cell
        resolved(experiment, from_notebook({name: value, "_": None}), "laptop")


def test_all_that_is_wrong_is_said_at_once_and_an_unknown_profile_too():
    with pytest.raises(ParameterError) as caught:
        resolve(Toy, {"n": 0, "knd": "plain"}, "laptop")
    assert "n=0" in str(caught.value) and "`knd`" in str(caught.value)
    with pytest.raises(ParameterError, match="Did you mean `laptop`"):
        resolve(Toy, {}, "labtop")


def test_an_integer_is_taken_for_a_real_parameter_and_gives_the_same_run(tmp_path: Path):
    assert resolve(Toy, {"rate": 3}, "laptop").rate == 3.0
    a, _ = run(_toy([]), {"rate": 3}, root=tmp_path)
    b, _ = run(_toy([]), {"rate": 3.0}, root=tmp_path)
    assert a == b


def test_assignments_are_read_as_papermill_reads_them():
    assert parse_assignments(["a=3", "b=0.5", "c=x y", "d=true"]) == {"a": 3, "b": 0.5, "c": "x y", "d": True}
    for wrong in ("a", "=3", "a=[1"):
        with pytest.raises(ParameterError):
            parse_assignments([wrong])


def test_the_key_names_parameters_data_and_method_and_nothing_else():
    base = records.run_key("toy", 1, {"a": 1, "b": 2}, {"f": "x"})
    assert base == records.run_key("toy", 1, {"b": 2, "a": 1}, {"f": "x"})
    others = [
        records.run_key("toi", 1, {"a": 1, "b": 2}, {"f": "x"}),
        records.run_key("toy", 2, {"a": 1, "b": 2}, {"f": "x"}),
        records.run_key("toy", 1, {"a": 1, "b": 3}, {"f": "x"}),
        records.run_key("toy", 1, {"a": 1, "b": 2}, {"f": "y"}),
    ]
    assert len({base, *others}) == 5


def test_a_repeated_command_returns_the_record_and_fresh_runs_anew(tmp_path: Path):
    log: list[int] = []
    folder, record = run(_toy(log), {}, root=tmp_path)
    assert log == [0, 1, 2] and record.metrics["total"] == 1.5
    again, same = run(_toy(log), {}, root=tmp_path)
    assert log == [0, 1, 2] and again == folder and same == record
    _, anew = run(_toy(log), {}, root=tmp_path, fresh=True)
    assert log == [0, 1, 2] * 2
    assert deviation(record.metrics, anew.metrics) == 0
    run(_toy(log, data="b" * 64), {}, root=tmp_path)  # other data: another run
    assert log == [0, 1, 2] * 3


def test_a_killed_run_goes_on_after_its_finished_stages_and_keeps_its_ledger(tmp_path: Path):
    log: list[int] = []
    with pytest.raises(_Killed):
        run(_toy(log, kill_at=2), {}, root=tmp_path)
    assert log == [0, 1] and list(records.find(tmp_path)) == []
    folder, record = run(_toy(log), {}, root=tmp_path)
    assert log == [0, 1, 2]
    assert record.cost.sittings == 2
    assert [(c.distinct, c.reads) for c in record.labels] == [(3, 3)]
    assert sorted(p.name for p in folder.iterdir()) == ["parts.parquet", "record.json"]


def test_a_truncated_stage_is_repeated_and_said(tmp_path: Path, caplog):
    log: list[int] = []
    with pytest.raises(_Killed):
        run(_toy(log, kill_at=2), {}, root=tmp_path)
    stage = next(tmp_path.glob("toy/*/stages/part-1.stage"))
    stage.write_bytes(stage.read_bytes()[:-30])
    run(_toy(log), {}, root=tmp_path)
    assert log == [0, 1, 1, 2]
    assert "part-1.stage is damaged" in caplog.text


def test_an_unwritable_folder_ends_in_a_clear_message_before_the_work(tmp_path: Path):
    """Root may write everywhere, so a path below a regular file stands for a read-only folder."""
    log: list[int] = []
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="NASREPRO_RUNS"):
        run(_toy(log), {}, root=tmp_path / "file")
    assert log == []


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, monkeypatch):
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    from nasrepro.files.storage import write_atomically

    write_atomically(tmp_path / "x", b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left on device"):
        write_atomically(tmp_path / "x", b"new")
    assert (tmp_path / "x").read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 1


def test_a_record_has_the_schema_and_an_altered_table_is_refused(tmp_path: Path):
    folder, record = run(_toy([]), {"n": 2}, root=tmp_path)
    assert records.load(folder) == record
    raw = json.loads((folder / "record.json").read_text())
    assert set(raw) == set(records.Record.model_fields)
    assert records.load_table(folder, record, "parts.parquet").k.tolist() == [0, 1]
    table = folder / "parts.parquet"
    table.write_bytes(table.read_bytes() + b"x")
    with pytest.raises(CorruptData, match="differs from its record"):
        records.load_table(folder, record, "parts.parquet")
    (folder / "record.json").write_text(json.dumps({**raw, "surplus": 1}))
    with pytest.raises(CorruptData, match="not a record"):
        records.load(folder)


def test_publishing_copies_a_run_to_the_committed_records_which_then_answer(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(paths, "records_dir", lambda: tmp_path / "committed")
    log: list[int] = []
    _, record = run(_toy(log), {}, root=tmp_path / "runs")
    with pytest.raises(ParameterError, match=record.key):
        publish(f"{(int(record.key, 16) + 1) % 16**16:016x}", root=tmp_path / "runs")
    for no_key in ("", "zz", record.key[:3], f"{record.key}0", "../x"):
        with pytest.raises(ParameterError, match="at least its first 4 of 16 hex digits"):
            publish(no_key, root=tmp_path / "runs")
    target = publish(record.key[:6], root=tmp_path / "runs")
    found, same = run(_toy(log), {}, root=tmp_path / "elsewhere")
    assert found == target and same == record and log == [0, 1, 2]


def test_deviation_sees_every_number_and_leaves_times_out():
    a = {"rows": [{"x": 1.0, "s": "t"}], "speed": {"s": 1.0}, "none": None}
    assert deviation(a, a) == 0
    assert deviation(a, {"rows": [{"x": 1.5, "s": "t"}], "speed": {"s": 9.0}, "none": None}) == 0.5
    assert deviation(a, {"rows": []}) == float("inf")


# ---- the real experiment, at the size of a smoke test ----


def _command(*args: str, runs: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nasrepro.cli.app", *args],
        capture_output=True, text=True, timeout=300, cwd=ROOT, env=os.environ | {"NASREPRO_RUNS": str(runs)} | env,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("parameter", "message"),
    [
        ("dataset=cifar11", "Did you mean `cifar10`? Choose one of cifar10, cifar100, imagenet16-120."),
        ("queries=-1", "queries=-1 is refused: input should be greater than or equal to 1."),
        ("guidence_scale=3", "There is no parameter `guidence_scale`. Did you mean `guidance_scale`?"),
    ],
)
def test_the_command_line_says_what_is_wrong_in_one_message(tmp_path: Path, parameter: str, message: str):
    done = _command("run", "nb201", "--profile", "smoke", "-p", parameter, runs=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr and "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_usage_error_shows_no_traceback(tmp_path: Path):
    done = _command("run", "--profil", "smoke", runs=tmp_path)
    assert done.returncode == 2 and "Traceback" not in done.stderr and "--profil" in done.stderr


def test_an_interruption_is_not_taken_for_a_damaged_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """It came while a cached table was read, which was then built anew, and the run went on."""

    def interrupted(path: Path) -> None:
        raise Interrupted(2)

    monkeypatch.setenv("NASREPRO_CACHE", str(tmp_path))
    table = cached_table("t", "1", lambda: pd.DataFrame({"a": [1]}))
    assert cached_table("t", "1", lambda: table[:0]).equals(table)
    monkeypatch.setattr(pd, "read_parquet", interrupted)
    with pytest.raises(Interrupted):
        cached_table("t", "1", lambda: table)


def test_ctrl_c_says_how_to_go_on_and_the_repeated_command_does(tmp_path: Path):
    given = {**SMOKE, "epochs": 3}  # enough for the signal to come before the end
    arguments = ["run", "nb201", "--profile", "smoke", *(x for k, v in given.items() for x in ("-p", f"{k}={v}"))]
    process = subprocess.Popen(
        [sys.executable, "-m", "nasrepro.cli.app", *arguments],
        cwd=ROOT, stderr=subprocess.PIPE, text=True, env=os.environ | {"NASREPRO_RUNS": str(tmp_path)},
    )  # fmt: skip
    while not any(tmp_path.glob("nb201/*/sittings")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "repeat the command" in said and "Traceback" not in said
    assert _command(*arguments, runs=tmp_path).returncode == 0
    assert next(iter(records.find(tmp_path)))[1].cost.sittings == 2


def test_an_unknown_experiment_is_refused():
    with pytest.raises(ParameterError, match="Did you mean `nb201`"):
        experiments.load("nb20")


# As on a bare machine: without notebooks and figures.
_RUN = """
import json, sys
from pathlib import Path
for name in ("papermill", "jupytext", "xgboost", "matplotlib", "nbformat", "IPython"):
    sys.modules[name] = None
from nasrepro import experiments
from nasrepro.runs.run import run
run(experiments.load("nb201"), json.loads(sys.argv[2]), profile="smoke", root=Path(sys.argv[1]), checkpoint_every_s=0.0)
"""


def _start(root: Path, given: dict[str, Any]) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", _RUN, str(root), json.dumps(given)], stderr=subprocess.DEVNULL)


def _kill_when(process: subprocess.Popen[bytes], seen: Path, pattern: str) -> None:
    deadline = time.monotonic() + 120
    while not any(seen.glob(pattern)):
        assert process.poll() is None and time.monotonic() < deadline, "the run ended before it could be killed"
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_kill_9_in_training_and_in_sampling_loses_nothing(tmp_path: Path):
    given = {**SMOKE, "queries": 64, "runs": 40}
    whole = _start(tmp_path / "whole", given)
    killed = _start(tmp_path / "killed", given)
    _kill_when(killed, tmp_path / "killed", "models/*.checkpoint")
    assert not list((tmp_path / "killed").glob("models/*.safetensors"))
    second = _start(tmp_path / "killed", given)
    _kill_when(second, tmp_path / "killed", "nb201/*/stages/dinas-0-3.stage")
    third = _start(tmp_path / "killed", given)
    assert (whole.wait(), third.wait()) == (0, 0)
    (_, a), (_, b) = (next(iter(records.find(tmp_path / name))) for name in ("whole", "killed"))
    assert (a.cost.sittings, b.cost.sittings) == (1, 3)
    assert a.key == b.key and a.labels == b.labels
    assert deviation(a.metrics, b.metrics) == 0
    assert [t.sha256 for t in a.artefacts] == [t.sha256 for t in b.artefacts]


def test_papermill_and_the_command_line_give_the_same_record(tmp_path: Path):
    """The notebook in the smoke profile; then the command with the same parameters finds its record."""
    import papermill

    notebook, out = ROOT / "notebooks" / "dinas" / "table_2.ipynb", tmp_path / "out.ipynb"
    given = {"profile": "smoke", "dataset": "cifar100", **SMOKE}
    os.environ["NASREPRO_RUNS"], before = str(tmp_path / "runs"), os.environ["NASREPRO_RUNS"]
    try:
        papermill.execute_notebook(notebook, out, given, progress_bar=False, log_output=False)
        with pytest.raises(papermill.PapermillExecutionError, match="There is no parameter `datset`"):
            papermill.execute_notebook(
                notebook,
                tmp_path / "bad.ipynb",
                {"datset": "cifar100"},
                progress_bar=False,
            )
    finally:
        os.environ["NASREPRO_RUNS"] = before
    (folder, record), *others = records.find(tmp_path / "runs")
    assert not others and record.parameters["dataset"] == "cifar100" and record.parameters["queries"] == 8
    shown = nbformat.read(out, 4)
    outputs = [o for c in shown.cells for o in c.get("outputs", [])]
    assert record.key in "".join(str(o.get("data", {}).get("text/html")) for o in outputs)
    images = [o for o in outputs if {"image/svg+xml", "image/png"} <= o.get("data", {}).keys()]
    assert len(images) >= 6 and all(len(o["metadata"]["image/png"]["alt"].split()) >= 8 for o in images)
    done = _command(
        "run", "nb201", "--profile", "smoke", "-p", "dataset=cifar100",
        *(x for k, v in SMOKE.items() for x in ("-p", f"{k}={v}")), runs=tmp_path / "runs",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert str(folder / "record.json") in done.stdout.replace("\n", "")
    fresh, anew = run(
        experiments.load("nb201"), {"dataset": "cifar100", **SMOKE}, profile="smoke", root=tmp_path / "own"
    )
    assert fresh.name == folder.name and deviation(record.metrics, anew.metrics) == 0


def test_the_cost_of_a_training_counts_the_sittings_that_were_killed(tmp_path: Path, monkeypatch):
    step, sittings = Step(1, 1.0, 1.0, 1.0), []

    def train(*_: Any, on_step: Any, **__: Any) -> tuple[Any, list[Step]]:
        sittings.append(1)
        time.sleep(0.2)
        on_step(step)
        if len(sittings) == 1:
            raise _Killed
        return SimpleNamespace(save=lambda path: path.write_bytes(b"")), [step]

    def trained() -> RunContext:
        context = RunContext(tmp_path, tmp_path / "models", "cpu", checkpoint_every_s=0.0)
        shape: dict[str, Any] = {"node_classes": 3, "condition_classes": (2,), "denoiser": DenoiserConfig("upper")}
        training.trained(context, "toy", {}, lambda: (range(4), None), config=TrainingConfig(), seed=0, **shape)
        return context

    monkeypatch.setattr(training, "train", train)
    with pytest.raises(_Killed):
        trained()
    assert trained().stages["training"] >= 0.4
    assert len(list((tmp_path / "models").glob("[!.]*"))) == 2, (
        "the seconds of an unfinished training are not left behind"
    )


def test_only_a_file_of_the_repository_is_said_to_be_restored_from_it(tmp_path: Path):
    path = tmp_path / "mine.yml"
    path.write_text("epochs: [1\n", encoding="utf-8")
    with pytest.raises(ParameterError, match=r"mine\.yml cannot be read: .*is no YAML") as told:
        read_parameters(path)
    assert "git checkout" not in str(told.value)
    with pytest.raises(CorruptData, match=r"is no YAML: (.|\n)*Restore it: `git checkout mine\.yml`\."):
        read_yaml(path)
