"""What profile `full` amounts to: steps are counted, shared ones once, and weighed against the paper's."""

from __future__ import annotations

from pathlib import Path

import pytest
from factories import fake_nb201_record

from nasrepro.report.dinas.full_profile import amounts, full_table, numbers, printed_step
from nasrepro.runs import records
from nasrepro.runs.plan import Shown, recipe
from nasrepro.runs.records import Record


def _known(root: Path) -> list[Record]:
    """Return two records whose runs share a model: 1,240 training steps, 12,000 samples in 12 s."""
    found = []
    for p in ({}, {"guidance_scale": 5.0, "most_draws": 1}):
        record = records.load(fake_nb201_record(root, **p))
        cost = record.cost.model_copy(update={"stages": {"training": 90.0, "sampling": 12.0, "controls": 2.0}})
        speed = {"training_steps": 1_240, "seconds_per_architecture": 0.001}
        parameters = record.parameters | {
            "epochs": 20, "batch_size": 256, "queries": 192, "trainings": 3, "runs": 10,
        }  # fmt: skip
        found.append(
            record.model_copy(
                update={"parameters": parameters, "metrics": record.metrics | {"speed": speed}, "cost": cost}
            )
        )
    return found


def test_steps_are_counted_and_a_shared_model_once(tmp_path: Path):
    """20 epochs of 62 batches of 256 are at most 15,872 cells: 16 batches of 1,024, 992 of 16; 100 epochs, three
    trainings. 12,000 samples are 63 batches of 192, of 50 reverse steps."""
    found = amounts(_known(tmp_path), {})
    first, second = found["Table 2"], found["ablations"]
    assert (first.trainings, first.steps, first.paper_steps) == (3, 3 * 1_600, 3 * 99_200)
    assert (second.trainings, second.steps, second.paper_steps) == (0, 0, 0)
    assert first.reverse_steps == second.reverse_steps == 63 * 50
    assert first.cpu_s == second.cpu_s == 2.0
    assert first.gpu_s == first.printed_s == pytest.approx((4_800 + 3_150) * printed_step())


def test_a_step_takes_its_share_of_the_printed_one(tmp_path: Path):
    found = amounts(_known(tmp_path), {("nb201", "default"): (0.5, 0.1)})
    assert found["Table 2"].gpu_s == pytest.approx((2_400 + 315) * printed_step())
    assert found["Table 2"].printed_s == pytest.approx((4_800 + 3_150) * printed_step())


def test_both_kinds_of_steps_are_weighed_against_the_training_step_of_the_paper(tmp_path: Path):
    """A training step of half its operations and a quarter of its arithmetic takes half of its time; a reverse step of
    a twentieth and a tenth takes a tenth, whatever a reverse step of the paper amounts to."""
    known = _known(tmp_path)
    names = ("operations", "gflop", "reverse_operations", "reverse_gflop")
    counts = [
        {"experiment": "nb201", "denoiser": denoiser} | dict(zip(names, numbers, strict=True))
        for denoiser, numbers in (("paper", (800, 12.0, 300, 90.0)), ("default", (400, 3.0, 40, 1.2)))
    ]
    counted = known[0].model_copy(
        update={"experiment": "step_cost", "key": "c", "metrics": {"counts": counts}, "parameters": {"seed": 0}}
    )
    found = numbers(Shown([(tmp_path, record) for record in (*known, counted)]))
    seconds = (4_800 * 0.5 + 6_300 * 0.1) * printed_step() + 4.0
    assert found["full_profile.minutes"] == pytest.approx(seconds / 60)


def test_the_table_ends_with_the_sum(tmp_path: Path):
    known = _known(tmp_path)
    rows = {row.cells[0]: row.cells for row in full_table(Shown([(tmp_path, r) for r in known])).rows}
    assert set(rows) == {"Table 2", "ablations", "all of it"}
    assert rows["all of it"][1:4] == ("3", "4,800", "6,300")
    assert printed_step() == pytest.approx(0.25 * 3600 / 97_700)


def test_the_recipe_of_the_paper_fits_every_dinas_experiment():
    pytest.importorskip("torch")
    from nasrepro import experiments
    from nasrepro.parameters.base import resolve

    for name in ("nb201", "nb101", "nb301", "nlp", "hw", "hw_joint"):
        model = experiments.load(name).parameters
        given = {k: v for k, v in recipe("dinas_recipe.yml").items() if k not in model.unread}
        chosen = resolve(model, given, "full")
        assert (chosen.batch_size, chosen.learning_rate, chosen.reverse_steps) == (16, 2e-4, 500)


def test_operations_are_counted_without_views_and_products_exactly():
    torch = pytest.importorskip("torch")
    from nasrepro.experiments.machine.step_cost import one_more

    a, b = torch.ones(3, 5), torch.ones(7, 5)
    assert one_more(lambda n: [(a @ b.t()).reshape(7, 3) + 1 for _ in range(n)]) == (2, pytest.approx(2 * 3 * 5 * 7e-9))
    assert one_more(lambda n: n) == (0, 0.0)


def test_a_larger_batch_is_more_arithmetic_in_as_many_operations():
    pytest.importorskip("torch")
    from nasrepro import experiments
    from nasrepro.experiments.machine.step_cost import count
    from nasrepro.parameters.base import resolve
    from nasrepro.spaces.nb201 import NB201

    model = experiments.load("nb201").parameters
    small, large = (
        count(NB201, (2,), resolve(model, {"batch_size": b, "queries": b}, "full"), seed=0) for b in (16, 64)
    )
    for name in ("operations", "reverse_operations"):  # but for one or two where a kernel depends on the shape
        assert abs(large[name] - small[name]) <= 2
    assert 3.9 < large["gflop"] / small["gflop"] <= 4 and 3.9 < large["reverse_gflop"] / small["reverse_gflop"] <= 4
