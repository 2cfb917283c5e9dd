"""The front page's numbers and words, and the page of your own runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from factories import fake_nb201_record

from nasrepro.files import paths
from nasrepro.notebook import Page
from nasrepro.report import evidence, overview
from nasrepro.report.verbs import Verb
from nasrepro.runs.plan import Shown

ROOT = Path(__file__).resolve().parent.parent
QUOTED = re.compile(r"\{glue:text\}`([^`:]+)(?::([^`]*))?`")


def _quoted(page: str) -> list[tuple[str, str]]:
    return QUOTED.findall((ROOT / "notebooks" / f"{page}.py").read_text(encoding="utf-8"))


def test_the_front_page_quotes_what_the_records_say():
    """Every number that it quotes has a value, and every word is what the comparison gives."""
    found = evidence.front_page_numbers(Page({}, "dinas", "delta").runs)
    for name, spec in _quoted("index"):
        assert found[name] is not None, name
        if isinstance(found[name], Verb):
            assert found[name] == spec, name
    assert sum(isinstance(value, Verb) for value in found.values()) >= 25


def test_without_records_the_front_page_has_no_numbers():
    found = evidence.front_page_numbers(Shown([]))
    numbers = {name for name, value in found.items() if isinstance(value, float | int) and value}
    assert numbers == set()


def test_your_runs_have_sections_and_a_broken_record_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NASREPRO_RUNS", str(tmp_path))
    assert "nasrepro run nb201 -p dataset=cifar100" in overview.your_runs().content
    key = fake_nb201_record(tmp_path, guidance_scale=5.0).name
    (tmp_path / "nb201" / "broken").mkdir()
    (tmp_path / "nb201" / "broken" / "record.json").write_text("{")
    shown = overview.your_runs().content
    assert "nb201/broken" in shown and "cannot be read" in shown
    ids = re.findall(r'id="([^"]+)"', shown)
    own = [
        f"table-own-{key}-result",
        *(f"figure-own-{key}-{n}" for n in ("curve", "cells", "loss")),
        f"table-own-{key}",
    ]
    assert ids == ["table-own-runs", *own]
    assert "guidance_scale=5.0" in shown


def test_every_committed_run_is_told_in_full():
    shown = overview.committed_details().content
    keys = {path.parent.name for path in paths.records_dir().glob("*/*/record.json")}
    assert set(re.findall(r'id="table-ref-(\w+)"', shown)) == keys
