"""The printed command of a run names that run again, for every committed record and every kind of value."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasrepro.files import paths
from nasrepro.parameters import NAMES, resolved
from nasrepro.parameters.base import ADDED, PROFILES, option, parse_assignments, read_parameters
from nasrepro.report.sources import run_command
from nasrepro.runs import records
from nasrepro.runs.plan import Planned, load_plan
from nasrepro.runs.records import Record

COMMITTED = [record for _, record in records.find(paths.records_dir())]
_TEXTS = ["record:nb301", "darts-v2;a|b: c", "true", "1e-3", "null", "", " x y ", "it's", "[1, 2]", "#5", "ü"]
_VALUES: st.SearchStrategy[Any] = st.one_of(
    st.booleans(), st.none(), st.integers(), st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([*_TEXTS, 1e-12, 3e-05, 1e16, 5e-324]), st.text(max_size=20),
)  # fmt: skip


def _told(command: str) -> tuple[str, dict[str, Any], str]:
    """Return what a command names: experiment, what it gives, profile."""
    words = shlex.split(command)
    assert words[:2] == ["nasrepro", "run"] and words[-2] == "--profile"
    file = words[3:5] if words[3] == "-f" else []
    options = words[3 + len(file) : -2]
    assert set(options[::2]) <= {"-p"}
    given = read_parameters(paths.data_dir().parent / file[1]) if file else {}
    return words[2], given | parse_assignments(options[1::2]), words[-1]


@pytest.mark.parametrize("planned", load_plan(), ids=lambda p: p.id)
def test_the_command_of_every_run_of_the_plan_names_it(planned: Planned):
    assert _told(planned.command) == (planned.experiment, planned.given, planned.profile)


@pytest.mark.parametrize("record", COMMITTED, ids=lambda r: f"{r.experiment}/{r.key}")
def test_the_command_of_every_committed_record_names_its_run(record: Record):
    experiment, told, profile = _told(run_command(record))
    again = resolved(experiment, told, profile)
    found = again.model_dump(mode="json")
    assert (experiment, profile) == (record.experiment, record.profile)
    assert found == {n: ADDED[n] for n in found if n in ADDED and n not in record.parameters} | record.parameters
    now = {n: v for n, v in record.parameters.items() if n not in ADDED or v != ADDED[n]}
    assert again.identity() == now, "another key"


@settings(max_examples=300, deadline=None)
@given(st.one_of(_VALUES, st.lists(_VALUES, max_size=4)))
def test_a_value_is_read_back_as_it_was(value: object):
    flag, word = shlex.split(option("x", value))
    assert flag == "-p" and parse_assignments([word]) == {"x": value}
    assert type(parse_assignments([word])["x"]) is type(value)


def _changed(record: Record, **parameters: Any) -> Record:
    return record.model_copy(update={"parameters": record.parameters | parameters})


def test_small_numbers_texts_lists_and_null_are_told():
    record = next(r for r in COMMITTED if r.experiment == "nb201")
    changed = _changed(record, learning_rate=3e-05, lower_percentiles=[1e-06, 80.0], positions=False, labelled=7)
    _, told, profile = _told(run_command(changed))
    found = resolved("nb201", told, profile).model_dump(mode="json")
    assert {n: found[n] for n in changed.parameters} == changed.parameters
    record = next(r for r in COMMITTED if r.experiment == "encodings")
    smoke = _changed(record, **resolved("encodings", {"test_cells": None}, "smoke").model_dump())
    smoke = smoke.model_copy(update={"profile": "smoke"})
    assert "-p test_cells=null" in run_command(smoke)
    _, told, _ = _told(run_command(smoke))
    assert resolved("encodings", told, "smoke").model_dump()["test_cells"] is None


def test_a_record_from_before_a_parameter_tells_the_value_that_it_had_then():
    """A profile may say something else of it today, as that of nb101 does of `wanted_share`."""
    record = next(r for r in COMMITTED if r.experiment == "nb101")
    before = record.model_copy(
        update={"parameters": {n: v for n, v in record.parameters.items() if n != "wanted_share"}}
    )
    _, told, profile = _told(run_command(before))
    assert resolved("nb101", told, profile).model_dump()["wanted_share"] == ADDED["wanted_share"] == 0.0


@pytest.mark.parametrize("name", NAMES)
def test_the_command_of_a_run_with_nothing_but_defaults_names_it_under_each_profile(name: str):
    record = COMMITTED[0]
    for profile in PROFILES:
        shown = resolved(name, {}, profile).model_dump(mode="json")
        fake = record.model_copy(update={"experiment": name, "profile": profile, "parameters": shown})
        experiment, told, of = _told(run_command(fake))
        assert resolved(experiment, told, of).model_dump(mode="json") == shown
