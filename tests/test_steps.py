"""The step of the method that each results page shows: its lines are those of today, and no page lacks one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pandas as pd
import pytest

from nasrepro.benchmarks.ledger import Ledger
from nasrepro.experiments.method.steps import STEPS, source_of
from nasrepro.files import paths
from nasrepro.parameters.method import StepsParameters
from nasrepro.report import steps
from nasrepro.runs import records
from nasrepro.runs.plan import Shown, load_plan

ROOT = Path(__file__).resolve().parent.parent
RESULTS = [path for room in ("dinas", "delta") for path in sorted((ROOT / "notebooks" / room).glob("*.py"))]
PARTS = {str(p.parameters["step"]): p.id for p in load_plan() if p.experiment == "steps"}


@pytest.fixture(scope="module")
def runs() -> Shown:
    return Shown(records.find(paths.records_dir(), "steps"))


def test_every_step_has_a_name_and_a_place_in_the_plan():
    assert set(STEPS) == set(get_args(StepsParameters.model_fields["step"].annotation)) == set(PARTS)


@pytest.mark.parametrize("name", STEPS)
def test_the_lines_that_a_page_shows_are_those_of_today(name: str, runs: Shown):
    record = runs.record(PARTS[name])
    again = f"nasrepro run steps -p step={name} --fresh, and nasrepro publish with the key that it prints"
    assert record is not None and record.metrics["source"] == source_of(name), f"the record is stale: {again}"


@pytest.mark.parametrize("name", STEPS)
def test_a_step_is_a_few_lines_that_say_what_they_do(name: str):
    lines = source_of(name).splitlines()
    assert len(lines) <= 18 and lines[1].strip().startswith('"""')


@pytest.mark.parametrize("notebook", RESULTS, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_each_results_page_shows_its_step_and_reads_it(notebook: Path):
    text = notebook.read_text(encoding="utf-8")
    (shown,) = re.findall(r'steps\.code\("([\w.]+)", page\.runs\)', text)
    assert shown in PARTS.values() and f'steps.result("{shown}", page.runs)' in text
    assert "{glue:text}`step." in text.partition(f'steps.result("{shown}"')[2].partition("# %%\n")[0]


@pytest.mark.parametrize("name", ["noise", "reverse", "vary", "count", "cross"])  # need no data, and a second each
def test_a_step_gives_again_what_its_record_has(name: str, runs: Shown):
    record = runs.record(PARTS[name])
    assert record is not None
    pd.testing.assert_frame_equal(STEPS[name](0, Ledger()), pd.DataFrame(record.metrics["rows"]), rtol=1e-4)


def test_without_a_record_the_page_says_how_to_make_one():
    none = Shown([])
    assert "nasrepro run steps -p step=noise --profile laptop" in steps.code("dinas.steps.noise", none).text
    assert steps.result("dinas.steps.noise", none).rows[0].cells == ("not run",)
    assert steps.numbers("dinas.steps.noise", none) == {}
