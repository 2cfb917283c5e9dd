"""The door to records: one that is not what it says is told by name and passed over, wherever it is read."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from factories import fake_nb201_record, sealed
from typer.testing import CliRunner

from nasrepro.cli.app import app
from nasrepro.errors import CorruptData, ParameterError, StorageError
from nasrepro.files import paths
from nasrepro.report import overview
from nasrepro.runs import claims, records
from nasrepro.runs.transfer import merge, publish

SMALL: dict[str, Any] = {"trainings": 1, "runs": 2, "queries": 10}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of your runs with one sound record, and committed records elsewhere."""
    monkeypatch.setenv("NASREPRO_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("NASREPRO_RECORDS", str(tmp_path / "committed"))
    fake_nb201_record(tmp_path / "runs", **SMALL)
    return tmp_path / "runs"


def _set(*place: Any, to: Any) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        for name in place[:-1]:
            content = content[name]
        content[place[-1]] = to

    return change


ALTERED = {
    "experiment outside": _set("experiment", to="../../../X"),
    "absolute key": _set("key", to="/tmp/x"),
    "table outside": _set("artefacts", 0, "name", to="../../secret.txt"),
    "table over the record": _set("artefacts", 0, "name", to="record.json"),
    "nan": _set("metrics", "speed", "training_s", to=float("nan")),
    "infinity": _set("metrics", "rows", 0, "best_valid", "mean", to=float("inf")),
    "another key": _set("key", to="0" * 16),
    "another seed": _set("parameters", "seed", to=5),
    "unknown parameter": _set("parameters", "bogus", to=1),
    "wrong type": _set("parameters", "queries", to="many"),
    "unknown experiment": _set("experiment", to="nb202"),
    "other data": _set("data", 0, "sha256", to="f" * 64),
    "no tables": _set("artefacts", to=[]),
    "other rows": _set("artefacts", 0, "rows", to=1),
    "script": _set("profile", to="laptop\n<script>alert(1)</script>"),
    "script in the key": _set("key", to="<script>alert(1)"),
    "script in a library": _set("environment", "libraries", "torch", to="2\n```\n<script>alert(1)</script>"),
    "surplus": _set("surplus", to=1),
    "later schema": _set("schema_version", to=2),
    "no commit": _set("code", "git_commit", to="HEAD; rm -rf /"),
    "a year ago": _set("created", to="a year ago"),
}


def _alter(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    content = json.loads((folder / "record.json").read_text())
    change(content)
    (folder / "record.json").write_text(json.dumps(sealed(content)))


def _refused(folder: Path) -> str:
    with pytest.raises(CorruptData) as told:
        records.verify(folder)
    assert str(folder) in str(told.value) and len(str(told.value)) < 1200
    return str(told.value)


@pytest.mark.parametrize("what", ALTERED)
def test_a_record_that_is_altered_is_refused_though_its_checksum_was_made_again(root: Path, what: str):
    (folder,) = root.glob("*/*")
    records.verify(folder)
    _alter(folder, ALTERED[what])
    _refused(folder)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "not a record"),
        (b"\xff\xfe{", "not a record"),
        (b"[" * 100_000, "not a record"),
        (b"[]", "no JSON object"),
        (b'{"key": 1, "key": 2}', "a name twice"),
        (b'{"metrics": ' + b"9" * 5_000 + b"}", "not a record"),
        (b'{"metrics": 1e999}', "no finite number"),
        (b'{"metrics": ' + b"9" * 400 + b"}", "not a record"),
    ],
)
def test_a_file_that_is_no_record_is_refused_in_one_sentence(root: Path, content: bytes, told: str):
    (folder,) = root.glob("*/*")
    (folder / "record.json").write_bytes(content)
    assert told in _refused(folder)


def test_metrics_that_were_altered_are_noticed_by_the_checksum_alone(root: Path):
    (folder,) = root.glob("*/*")
    text = (folder / "record.json").read_text()
    content = json.loads(text)
    (folder / "record.json").write_text(json.dumps(content))  # laid out otherwise: the same record
    records.verify(folder)
    content["metrics"]["rows"][0]["best_valid"]["mean"] = 99.999
    (folder / "record.json").write_text(json.dumps(content))
    assert "does not have the checksum" in _refused(folder)
    del content["checksum"]
    (folder / "record.json").write_text(json.dumps(content))
    assert "no checksum" in _refused(folder)


def test_tables_that_are_gone_garbage_or_swapped_are_refused_everywhere(root: Path):
    (folder,) = root.glob("*/*")
    table, sound = folder / "runs.parquet", (folder / "runs.parquet").read_bytes()
    for content in (None, b"", sound[:-1], bytes([sound[0] ^ 1]) + sound[1:], (folder / "loss.parquet").read_bytes()):
        table.unlink() if content is None else table.write_bytes(content)
        assert "runs.parquet is missing or differs" in _refused(folder)
    table.write_bytes(b"garbage")
    content = json.loads((folder / "record.json").read_text())
    next(a for a in content["artefacts"] if a["name"] == "runs.parquet")["sha256"] = hashlib.sha256(
        b"garbage"
    ).hexdigest()
    (folder / "record.json").write_text(json.dumps(sealed(content)))
    assert "is no table" in _refused(folder)


def test_a_record_in_the_folder_of_another_is_refused(root: Path):
    (folder,) = root.glob("*/*")
    other = folder.with_name("0" * 16)
    shutil.copytree(folder, other)
    assert "in another folder" in _refused(other)


def test_one_bad_record_hides_no_good_one_from_any_reader(root: Path, caplog: pytest.LogCaptureFixture):
    bad = fake_nb201_record(root, dataset="cifar100", **SMALL)
    _alter(bad, ALTERED["script"])
    (good,) = (record for _, record in records.find(root))
    assert f"Passed over: {bad}" in caplog.text
    page = overview.your_runs().content
    assert good.key in page and bad.name in page and "<script" not in page
    shown = CliRunner().invoke(app, ["records"])
    assert shown.exit_code == 0 and good.key in shown.stdout
    told = CliRunner().invoke(app, ["verify"])
    assert told.exit_code == 1 and "1 sound, 1 not." in told.stdout and bad.name in told.stdout
    assert CliRunner().invoke(app, ["verify", good.key]).exit_code == 0
    with pytest.raises(CorruptData):
        publish(bad.name)
    assert not (root.parent / "committed").exists()
    shutil.copytree(root, paths.records_dir())
    assert len(claims.committed_evidence()) > 100
    json.loads(claims.claims_json())


def test_text_of_a_record_stays_text_on_the_page_of_runs(root: Path):
    record = next(r for _, r in records.find(root))
    hostile = "</pre></details>```\n<script>alert(1)</script>"
    _alter(root / "nb201" / record.key, _set("seeds", to={"<script>alert(1)</script>": 1}))
    assert "<script>" not in overview.your_runs().content
    changed = record.model_copy(update={"parameters": record.parameters | {"dataset": hostile}})
    assert "<script>" not in overview._details(overview.run_table(changed), changed)


def test_every_committed_record_is_sound_and_old_ones_are_listed():
    found = dict(records.survey(paths.records_dir()))
    assert [str(told) for told in found.values() if isinstance(told, CorruptData)] == []
    lines = (paths.data_dir() / "records.sha256").read_text().splitlines()
    listed = {line.split()[1] for line in lines}
    old = {f"{r.experiment}/{r.key}" for r in found.values() if isinstance(r, records.Record) and not r.checksum}
    assert old == listed


def test_publishing_again_replaces_the_record_only_when_the_new_one_is_whole(
    root: Path, monkeypatch: pytest.MonkeyPatch
):
    (folder,) = root.glob("*/*")
    target = publish(folder.name[:4])
    before = records.verify(target)
    _alter(folder, _set("metrics", "speed", "training_s", to=1.0))
    changed = records.read_tables(folder, records.load(folder))
    steps: list[int] = []

    def dies(at: int) -> Callable[[Path, bytes], None]:
        steps.clear()

        def write(path: Path, content: bytes) -> None:
            if len(steps) == at:
                raise StorageError("killed here")
            steps.append(1)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

        return write

    for at in range(len(changed) + 1):
        monkeypatch.setattr(records, "write_atomically", dies(at))
        with pytest.raises(StorageError):
            publish(folder.name[:4])
        assert records.verify(target) == before
    monkeypatch.undo()
    monkeypatch.setenv("NASREPRO_RECORDS", str(target.parent.parent))
    assert records.verify(publish(folder.name, root)).metrics["speed"]["training_s"] == 1.0
    assert not list(target.glob("*.new"))


def test_a_record_that_was_replaced_by_a_process_which_died_at_once_is_read_by_its_checksums(root: Path):
    (folder,) = root.glob("*/*")
    record = records.verify(folder)
    for entry in record.artefacts:  # as between the renames: new tables under their checksums, old ones by name
        (folder / entry.name).rename(folder / f"{entry.sha256}.new")
        (folder / entry.name).write_bytes(b"the table before")
    assert records.verify(folder) == record
    assert len(records.load_table(folder, record, "runs.parquet")) > 0


def test_an_installed_package_is_not_published_to(root: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("NASREPRO_RECORDS")
    monkeypatch.setattr(paths, "checkout", lambda: None)
    (folder,) = root.glob("*/*")
    with pytest.raises(StorageError, match="part of the installed package"):
        publish(folder.name)


def test_merging_takes_each_record_once_and_tells_what_differs(root: Path, tmp_path: Path):
    theirs = tmp_path / "theirs"
    same, other, bad, new = (
        fake_nb201_record(theirs, dataset=d, profile=p, **SMALL)
        for d, p in (("cifar10", "laptop"), ("cifar100", "laptop"), ("cifar10", "full"), ("cifar100", "full"))
    )
    shutil.copytree(other, root / "nb201" / other.name)
    _alter(other, _set("metrics", "rows", 0, "best_valid", "mean", to=12.0))
    _alter(bad, ALTERED["nan"])
    told = dict(merge([theirs], root))
    assert told[same] == "here already" and told[new] == "taken"
    assert "differs from the record that is here in no table, and by at most" in told[other]
    assert "not a record to rely on" in told[bad] and not (root / "nb201" / bad.name).exists()
    assert records.verify(root / "nb201" / new.name) == records.verify(new)
    assert [what for path, what in merge([theirs], root) if path == new] == ["here already"]
    again = CliRunner().invoke(app, ["merge", str(theirs)])
    assert again.exit_code == 1 and "2 here already, 2 not taken" in again.stdout
    with pytest.raises(ParameterError, match="no folder"):
        list(merge([tmp_path / "nowhere"], root))
