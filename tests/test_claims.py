"""Claims: the patterns against the printed tables, the rules that lead to a verdict, and the answers of the records."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import yaml
from factories import OPTIMA, fake_nb201_record, sealed

from nasrepro.errors import CorruptData
from nasrepro.files import paths
from nasrepro.runs import claims, plan, records
from nasrepro.runs.claims import by_claim, claims_json, evaluate, judge, load_claims, stands, verdict_of
from nasrepro.runs.evidence import VERDICTS, Answer, Claim, Evidence, Measured
from nasrepro.runs.printed import hardware_settings, printed

KEYS = [
    "id", "method", "reading", "printed", "ours", "ci95", "n", "verdict", "control", "departures", "runs", "statement",
]  # fmt: skip
READINGS = ["code alone", "pair, network", "pair, Gaussian process"]


def _claim(name: str = "dinas.table2.cifar10.val", **changes: object) -> Claim:
    return next(c for c in load_claims() if c.id == name).model_copy(update=changes)


def _load(root: Path) -> list[records.Run]:
    return list(records.find(root))


@pytest.fixture(scope="module")
def committed() -> list[Evidence]:
    return claims.committed_evidence()


def test_every_number_of_table_2_is_claimed_as_it_is_printed() -> None:
    values = printed("dinas_table2").set_index(["method", "dataset", "split"])["value"]
    expected = {
        f"dinas.table2.{d}.{short}": values["DiNAS", d, split]
        for d in OPTIMA
        for short, split in (("val", "valid"), ("test", "test"))
    }
    assert {c.id: c.printed for c in load_claims() if c.id.startswith("dinas.table2.")} == expected


def test_every_number_of_tables_1_and_4_is_claimed_as_it_is_printed() -> None:
    claimed = {c.id: c.printed for c in load_claims()}
    first = printed("dinas_table1").set_index(["method", "split"])["value"]
    assert claimed["dinas.table1.val"] == first["DiNAS", "valid"]
    assert claimed["dinas.table1.test"] == first["DiNAS", "test"]
    fourth = printed("dinas_table4").set_index(["device", "latency_ms", "method"])
    assert len(hardware_settings()) == 12
    for device, bound in hardware_settings():
        for field in ("val", "feasibility"):
            assert claimed[f"dinas.table4.{device}.{bound}.{field}"] == fourth.loc[(device, bound, "DiNAS"), field]


def test_a_statement_repeats_the_number_as_it_is_printed_and_nothing_is_left_to_fill_in() -> None:
    for claim in load_claims():
        assert not {"{", "}"} & set(claim.statement + claim.location), claim.id
        value = f"{claim.printed:.{claim.digits}f}"
        if claim.bound is None and "ratio" not in claim.unit:
            assert value in claim.statement, claim.id


def test_tolerances_are_smaller_than_what_separates_random_search_from_the_claim() -> None:
    values = printed("dinas_table2").set_index(["method", "dataset", "split"])["value"]
    for dataset in OPTIMA:
        claim = _claim(f"dinas.table2.{dataset}.val")
        gap = claim.printed - values["Random search", dataset, "valid"]
        assert 0 < claim.tolerance < gap / 5
    fourth = printed("dinas_table4").set_index(["device", "latency_ms", "method"])["val"]
    six = _claim("dinas.table4.edgegpu.6.val")
    assert abs(fourth["edgegpu", 6, "Random search"] - six.printed) > six.tolerance


def test_hand_written_claims_are_at_most_700_lines() -> None:
    assert len((paths.data_dir() / "claims.yml").read_text(encoding="utf-8").splitlines()) <= 700


def _at(mean: float, half: float = 0.0) -> Measured:
    return Measured(mean, (mean - half, mean + half), 10)


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (_at(91.61), "reproduced"),
        (_at(91.56), "reproduced"),  # both edges of the tolerance of .05 belong to it
        (_at(91.66), "reproduced"),
        (_at(91.61, 0.05), "reproduced"),
        (_at(91.61, 0.06), "undecided"),  # the interval is wider than the tolerance
        (_at(91.57, 0.03), "undecided"),
        (_at(91.50, 0.08), "undecided"),
        (_at(91.50, 0.05), "worse"),
        (_at(91.73, 0.05), "better"),
        (Measured(91.559, None, 1), "worse"),
        (Measured(91.661, None, 1), "better"),
    ],
)
def test_a_value_is_judged_by_its_whole_interval(found: Measured, verdict: str) -> None:
    assert judge(_claim(), found) == verdict
    less = judge(_claim(), found, trained_less=True)
    assert less == ("undecided (trained less)" if verdict == "worse" else verdict)


@pytest.mark.parametrize(
    ("bound", "found", "verdict"),
    [
        ("above", _at(1.2, 0.1), "confirmed"),
        ("above", _at(1.05, 0.1), "undecided"),
        ("above", _at(0.8, 0.1), "contradicted"),
        ("below", _at(0.8, 0.1), "confirmed"),
        ("below", _at(1.2, 0.1), "contradicted"),
        ("at_most", Measured(1.0, None, 50), "confirmed"),
        ("at_most", Measured(2.0, None, 50), "contradicted"),
    ],
)
def test_a_statement_is_confirmed_or_contradicted_by_the_whole_interval(bound: str, found: Measured, verdict: str):
    claim = _claim("delta.fig3.nb201.loss_grows_beyond_1", bound=bound)
    assert judge(claim, found) == verdict


def test_lower_is_better_turns_the_verdict_and_another_benchmark_forbids_one() -> None:
    lower = _claim(better="lower")
    assert (judge(lower, _at(91.0)), judge(lower, _at(92.0))) == ("better", "worse")
    assert judge(_claim(not_comparable="another surrogate"), _at(91.61)) == "not comparable"


def test_a_printed_value_beyond_the_best_of_the_table_cannot_be_reached() -> None:
    """FPGA is printed with 44.53; the best cell within the bound has 44.483. The rounding of a printed digit counts."""
    claim = _claim("dinas.table4.fpga.1.val")
    assert judge(claim, _at(44.4), 44.483) == "cannot be reached"
    assert judge(claim, _at(44.525), 44.525) == "reproduced"


def test_ours_stands_above_level_or_below_and_never_gets_a_verdict(committed) -> None:
    assert [stands(_at(m, 0.1), _at(2.0)) for m in (1.8, 1.95, 2.2)] == ["below", "level", "above"]
    assert stands(_at(91.607), claims.as_measured(_claim())) == "level"  # 91.61 is printed
    assert stands(_at(1.8, 0.1), _at(2.0, 0.3)) == "level"
    assert {e.verdict for e in committed if e.method == "ours"} == {None}
    assert all(e.verdict in VERDICTS for e in committed if e.method == "as printed")


def test_a_verdict_is_given_where_the_readings_agree_and_else_depends_on_the_reading(committed) -> None:
    for name, answers in by_claim(committed).items():
        told = [e for e in answers if e.verdict not in (None, "not run", "not comparable", "undecided (trained less)")]
        judged = {judge(e.claim, e.found) for e in told if e.found and not e.claim.ceiling}
        if {e.verdict for e in told} == {"depends on the reading"}:
            assert len(told) > 1 and len(judged) > 1, name
        else:
            assert len({e.verdict for e in told}) <= 1, name
    doa = [e for e in committed if e.claim.id == "delta.table1.nb201.doa.10pct"]
    assert [e.reading for e in doa if e.method == "as printed"] == READINGS
    assert {e.verdict for e in doa if e.method == "as printed"} == {"depends on the reading"}


def test_rivals_are_compared_and_count_in_no_sum_of_verdicts(committed) -> None:
    rivals = [a for n, a in by_claim(committed).items() if n.startswith("delta.table1.") and ".doa." not in n]
    assert len(rivals) == 48
    assert all(verdict_of(answers) is None for answers in rivals)


def test_every_answer_of_ours_to_a_printed_value_stands_beside_its_control(committed) -> None:
    free = ("dinas.table6.", "dinas.text.")  # shares and times of no search
    for e in committed:
        shares = e.claim.id.startswith("dinas.table7.") and not e.claim.id.endswith(".val")
        if e.method == "ours" and not e.claim.id.startswith(free) and not shares:
            assert e.control is not None, e.claim.id


def test_without_records_every_claim_is_not_run_and_names_its_command_or_its_reason() -> None:
    for e in evaluate([]):
        assert (e.verdict, e.found, e.runs) == ("not run" if e.method == "as printed" else None, None, ())
        assert e.reason and (e.command is not None or e.claim.not_run)


def test_a_claim_that_names_no_part_of_the_plan_is_noticed() -> None:
    for claim in load_claims():
        parts = [a.part for a in (*claim.as_printed, *claim.ours)]
        parts += [claim.control.part] if claim.control and claim.control.part else []
        assert [plan.planned(part).id for part in parts] == parts


def test_json_has_exactly_the_contract_keys_and_no_nan(tmp_path: Path) -> None:
    fake_nb201_record(tmp_path, runs=10, queries=192)
    entries = json.loads(claims_json(evaluate(_load(tmp_path))), parse_constant=lambda text: pytest.fail(text))
    assert {tuple(entry) for entry in entries} == {tuple(KEYS)}
    assert len({(e["id"], e["method"], e["reading"]) for e in entries}) == len(entries)
    first = next(e for e in entries if e["id"] == "dinas.table2.cifar10.val" and e["method"] == "ours")
    record = _load(tmp_path)[0][1]
    stored = claims.metric_row(record, "dinas", "paper")["best_valid"]
    assert (first["ours"], first["ci95"], first["n"]) == (stored["mean"], [stored["low"], stored["high"]], 30)
    assert first["runs"] == [record.key] and first["control"]["name"].startswith("uniform draw")
    bad = Evidence(_claim(), "ours", "x", Measured(math.nan, None, 1))
    with pytest.raises(ValueError):
        claims_json([bad])


def test_missing_test_accuracy_is_no_number_with_the_command_that_fetches_it(tmp_path: Path) -> None:
    fake_nb201_record(tmp_path, with_test=False)
    ours = {e.claim.id: e for e in evaluate(_load(tmp_path)) if e.method == "ours"}
    assert ours["dinas.table2.cifar10.val"].found is not None
    test = ours["dinas.table2.cifar10.test"]
    assert test.found is None and "nasrepro data fetch nb201-test" in test.reason


@pytest.mark.parametrize(
    "other",
    [
        {"denoiser": "paper"},
        {"guidance_scale": 1.0},
        {"queries": 20},
        {"runs": 2},
        {"trainings": 1},
        {"seed": 1},
        {"profile": "smoke"},
        {"most_draws": 1},
    ],
)
def test_runs_with_other_parameters_do_not_answer(tmp_path: Path, other: dict) -> None:
    fake_nb201_record(tmp_path, **other)
    answers = evaluate(_load(tmp_path), [_claim()])
    assert [e.found for e in answers] == [None] * len(answers)


def _as_printed_record(root: Path, **departures: object) -> Path:
    return fake_nb201_record(root, **{**plan.planned("dinas.table2.cifar10.as-printed").resolved, **departures})


def test_a_run_by_the_recipe_answers_as_printed_with_its_departures(tmp_path: Path) -> None:
    _as_printed_record(tmp_path)
    answers = {(e.method, e.reading): e for e in evaluate(_load(tmp_path), [_claim()])}
    printed_by_us = answers["as printed", "the public code, guidance on logits"]
    assert printed_by_us.found is not None and printed_by_us.verdict in VERDICTS
    assert printed_by_us.departures == ("epochs 40, printed 100", "runs 3, printed 10")
    assert "worse" not in {e.verdict for e in answers.values()}
    assert answers["as printed", "Algorithm 2, guidance on probabilities"].verdict == "not run"


def test_every_committed_run_by_a_recipe_equals_it_but_for_the_departures_that_are_listed() -> None:
    """The plan matches all parameters; here the recipe is laid beside the record itself."""
    runs = list(records.find(paths.records_dir()))
    for entry in (p for p in plan.load_plan() if p.recipe):
        recipe = plan.recipe(str(entry.recipe))
        assert set(entry.departures) <= set(recipe) | {"runs", "queries"}
        if (run := plan.find(entry, runs)) is not None:
            other = {k for k, v in recipe.items() if run[1].parameters[k] != v}
            assert other == set(entry.departures) - {"runs", "queries"}, entry.id
            assert run[1].code.git_dirty is False
    assert any(plan.find(p, runs) for p in plan.load_plan() if p.recipe), "no run by a recipe was met"


def test_claims_that_are_not_built_yet_carry_their_reason() -> None:
    (answer,) = evaluate([], [_claim("dinas.table4.text.ahead-of-random")])
    assert (answer.verdict, answer.reason) == ("not run", "no setting of Table 4 has been run as printed")


def test_an_undecided_verdict_says_what_would_decide_it(committed) -> None:
    for e in committed:
        if e.verdict == "undecided":
            assert "more" in e.reason, e.claim.id


def _ours(**changes: object) -> Answer:
    return _claim().ours[0].model_copy(update={"field": "validity", "scale": 100.0, **changes})


def test_a_share_is_held_against_per_cent_after_scaling(tmp_path: Path) -> None:
    fake_nb201_record(tmp_path)
    known = _load(tmp_path)
    share = claims.metric_row(known[0][1], "dinas", "paper")["validity"]
    (found,) = evaluate(known, [_claim(as_printed=(), ours=(_ours(),))])
    assert found.found is not None and found.found.mean == pytest.approx(100 * share["mean"])
    assert found.found.ci95 == pytest.approx((100 * share["low"], 100 * share["high"]))


def test_a_share_of_no_valid_sample_is_no_number_and_not_a_missing_run(tmp_path: Path) -> None:
    folder = fake_nb201_record(tmp_path)
    text = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    row = next(r for r in text["metrics"]["rows"] if (r["searcher"], r["protocol"]) == ("dinas", "paper"))
    row["validity"] = {"mean": None, "low": None, "high": None, "median": None, "n": 0}
    (folder / "record.json").write_text(json.dumps(sealed(text)), encoding="utf-8")
    (result,) = evaluate(_load(tmp_path), [_claim(as_printed=(), ours=(_ours(),))])
    assert (result.found, len(result.runs)) == (None, 1)
    assert "none of its samples was valid" in result.reason


def test_a_share_is_claimed_in_per_cent_after_scaling() -> None:
    """Records hold shares from 0 to 1, the papers print per cent."""
    shares = {"validity", "feasibility", "in_top_class", "novelty", "uniqueness", "novelty_exact", "uniqueness_exact"}
    found = [(c, a) for c in load_claims() for a in (*c.as_printed, *c.ours) if a.field in shares]
    assert len(found) > 12
    assert {c.id for c, a in found if (c.unit, a.scale) != ("%", 100.0)} == set()


@pytest.mark.parametrize("text", ["patterns: [{id: x}]", "other: []", "patterns: [", ""])
def test_a_broken_claims_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "claims.yml"
    path.write_text(text)
    with pytest.raises(CorruptData, match=r"claims\.yml"):
        load_claims(path)


def test_a_claim_stated_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "claims.yml"
    pattern = next(p for p in yaml.safe_load((paths.data_dir() / "claims.yml").read_text())["patterns"])
    path.write_text(yaml.safe_dump({"patterns": [pattern] * 2}))
    with pytest.raises(CorruptData, match="twice"):
        load_claims(path)


def test_a_pattern_that_fits_no_row_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "claims.yml"
    pattern = next(p for p in yaml.safe_load((paths.data_dir() / "claims.yml").read_text())["patterns"])
    path.write_text(yaml.safe_dump({"patterns": [pattern | {"where": {"method": "DINAS"}}]}))
    with pytest.raises(CorruptData, match="fits no row"):
        load_claims(path)


def test_how_many_runs_would_decide_is_how_much_narrower_the_interval_has_to_be(tmp_path: Path) -> None:
    """Half of .07 about a mean .02 from the edge: 12.25 times the runs, and one more, at a minute of CPU each."""
    claim, found = _claim(printed=91.61, tolerance=0.05), Measured(91.64, (91.57, 91.71), 10)
    record = records.load(fake_nb201_record(tmp_path))
    cost = {"cpu_s": 600.0, "wall_s": 1000.0, "stages": {"training": 500.0, "sampling": 500.0}}
    for trainings, minutes in ((3, 114), (1, 57)):
        run = record.model_copy(
            update={
                "cost": record.cost.model_copy(update=cost),
                "parameters": record.parameters | {"trainings": trainings},
            }
        )
        told = claims._to_decide(claim, found, run)
        assert told == f"about 124 runs instead of 10 would decide it, {minutes} CPU minutes more"
    on_the_edge = claims._to_decide(claim, Measured(91.66, (91.6, 91.72), 10), record)
    assert on_the_edge == "the mean lies on the edge of the tolerance; more runs would not decide it"
