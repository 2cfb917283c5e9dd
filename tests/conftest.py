"""Shared fixtures: the raw benchmark files and the tables built elsewhere, where this machine has them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def _own_folders(tmp_path_factory: pytest.TempPathFactory):
    """Keep tests out of the user's cache and out of the checkout's runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NASREPRO_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("NASREPRO_RUNS", str(tmp_path_factory.mktemp("runs")))
        yield


def _folder(variable: str, what: str) -> Path:
    value = os.environ.get(variable, "").split(os.pathsep)[0]
    if not value:
        pytest.skip(f"{variable} is not set: it names the folder with {what}")
    if not Path(value).is_dir():
        pytest.fail(f"{variable} names {value}, which is no folder. Mend it, or unset it to skip these tests.")
    return Path(value)


@pytest.fixture(scope="session")
def mirror() -> Path:
    """The folder with the raw benchmark files (NASREPRO_MIRROR); skips where there is none."""
    return _folder("NASREPRO_MIRROR", "the raw benchmark files")


@pytest.fixture(scope="session")
def oracle() -> Path:
    """The folder with tables built independently of this package (NASREPRO_ORACLE); skips where there is none."""
    return _folder("NASREPRO_ORACLE", "tables built independently, to compare with")


@pytest.fixture(scope="session")
def parity() -> Path:
    """The folder with what the public code of DiNAS computes (NASREPRO_PARITY); skips where there is none."""
    return _folder("NASREPRO_PARITY", "outputs of the public code of DiNAS")


@pytest.fixture
def no_mirror(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without mirror and with an empty cache; returns the cache folder."""
    monkeypatch.delenv("NASREPRO_MIRROR", raising=False)
    monkeypatch.setenv("NASREPRO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"
