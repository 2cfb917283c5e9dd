"""Claims: the file against the printed table, and the rules that lead to a verdict."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from factories import OPTIMA, fake_nb201_record

from nasrepro.errors import CorruptData
from nasrepro.study import claims, records
from nasrepro.study.claims import Claim, answering_record, claims_json, evaluate, judge, load_claims
from nasrepro.study.constraint_table import printed_table4, settings
from nasrepro.study.search_tables import printed

KEYS = ["id", "printed", "ours", "ci95", "n", "verdict", "runs"]


def _claim(name: str = "dinas.table2.cifar10.val") -> Claim:
    return next(c for c in load_claims() if c.id == name)


def _load(root: Path) -> list[records.Record]:
    return [record for _, record in records.find(root)]


def test_every_number_of_table_2_is_claimed_as_it_is_printed() -> None:
    values = printed(2).set_index(["method", "dataset", "split"])["value"]
    expected = {
        f"dinas.table2.{d}.{short}": values["DiNAS", d, split]
        for d in OPTIMA
        for short, split in (("val", "valid"), ("test", "test"))
    }
    assert {c.id: c.printed for c in load_claims() if c.id.startswith("dinas.table2.")} == expected


def test_every_number_of_tables_1_and_4_is_claimed_as_it_is_printed() -> None:
    claimed = {c.id: c.printed for c in load_claims()}
    first = printed(1).set_index(["method", "split"])["value"]
    assert claimed["dinas.table1.val"] == first["DiNAS", "valid"]
    assert claimed["dinas.table1.test"] == first["DiNAS", "test"]
    fourth = printed_table4().set_index(["device", "latency_ms", "method"])
    assert len(settings()) == 12
    for device, bound in settings():
        for field in ("val", "feasibility"):
            assert claimed[f"dinas.table4.{device}.{bound}.{field}"] == fourth.loc[(device, bound, "DiNAS"), field]


def test_tolerances_are_smaller_than_what_separates_random_search_from_the_claim() -> None:
    values = printed(2).set_index(["method", "dataset", "split"])["value"]
    for claim in load_claims():
        if claim.experiment != "nb201" or claim.select is None or claim.select.field != "best_valid":
            continue
        gap = claim.printed - values["Random search", claim.match["dataset"], "valid"]
        assert 0 < claim.tolerance < gap / 5


@pytest.mark.parametrize(
    ("ours", "verdict"),
    [(91.61, "reproduced"), (91.56, "reproduced"), (91.66, "reproduced"), (91.559, "worse"), (91.661, "better")],
)
def test_verdict_at_the_edges_of_the_tolerance(ours: float, verdict: str) -> None:
    assert judge(_claim(), ours) == verdict


def test_lower_is_better_turns_the_verdict_and_another_benchmark_forbids_one() -> None:
    lower = _claim().model_copy(update={"direction": "lower"})
    assert (judge(lower, 91.0), judge(lower, 92.0)) == ("better", "worse")
    assert judge(_claim().model_copy(update={"not_comparable": "another surrogate"}), 91.61) == "not comparable"


def test_without_records_every_claim_is_not_run_and_names_its_command() -> None:
    for result in evaluate([]):
        assert (result.verdict, result.ours, result.ci95, result.runs) == ("not run", None, None, ())
        assert result.command is not None
        assert result.claim.match.get("dataset", "") in result.command
        assert ("no committed run" in result.reason) == (result.claim.not_run is None)


def test_json_has_exactly_the_contract_keys(tmp_path: Path) -> None:
    fake_nb201_record(tmp_path, runs=10, queries=192)
    entries = json.loads(claims_json(evaluate(_load(tmp_path))))
    assert [list(entry) for entry in entries] == [KEYS] * len(load_claims())
    first = entries[0]
    record = _load(tmp_path)[0]
    stored = claims.metric_row(record, "dinas", "paper")["best_valid"]
    assert (first["ours"], first["ci95"], first["n"]) == (stored["mean"], [stored["low"], stored["high"]], 30)
    assert first["runs"] == [record.key]


def test_missing_test_accuracy_is_not_run_with_the_command_that_fetches_it(tmp_path: Path) -> None:
    fake_nb201_record(tmp_path, with_test=False)
    results = {r.claim.id: r for r in evaluate(_load(tmp_path))}
    assert results["dinas.table2.cifar10.val"].verdict == "reproduced"
    test = results["dinas.table2.cifar10.test"]
    assert test.verdict == "not run"
    assert "nasrepro data fetch nb201-test" in str(test.command)


def test_test_claim_says_what_the_validation_optimum_reaches(tmp_path: Path) -> None:
    fake_nb201_record(tmp_path)
    result = evaluate(_load(tmp_path), [_claim("dinas.table2.cifar10.test")])[0]
    assert "94.27 %" in result.reason
    assert "94.37 %" in result.reason


def test_settings_of_the_claims_are_those_of_the_experiments_profiles() -> None:
    pytest.importorskip("torch")
    from nasrepro import experiments
    from nasrepro.parameters.base import resolve

    free = {"trainings", "most_draws", "seed"}
    for claim in (c for c in load_claims() if c.experiment):
        assert claim.experiment is not None and list(claim.profiles) == ["full", "laptop"]
        model = experiments.load(claim.experiment).parameters
        for profile, fixed in claim.profiles.items():
            defaults = resolve(model, claim.match, profile).model_dump(mode="json")
            assert set(claim.match) | set(fixed) | set(claim.at_least) | free & set(defaults) == set(defaults)
            assert {name: defaults[name] for name in (fixed | claim.match)} == fixed | claim.match
            assert all(defaults[name] >= least for name, least in claim.at_least.items())


@pytest.mark.parametrize(
    "other",
    [
        {"denoiser": "paper"},
        {"guidance_scale": 1.0},
        {"queries": 20},
        {"runs": 2},
        {"trainings": 1},
        {"profile": "smoke"},
    ],
)
def test_runs_with_other_parameters_do_not_answer(tmp_path: Path, other: dict) -> None:
    fake_nb201_record(tmp_path, **other)
    result = evaluate(_load(tmp_path), [_claim()])[0]
    assert result.verdict == "not run"
    assert next(iter(other)).replace("queries", "queries is 20") in result.reason


def test_full_goes_before_laptop_and_new_before_old(tmp_path: Path) -> None:
    small = {"trainings": 3, "queries": 192}
    fake_nb201_record(tmp_path, profile="full", seed=1, created="2026-01-01T00:00:00+00:00", **small)
    fake_nb201_record(tmp_path, profile="laptop", seed=2, created="2026-03-01T00:00:00+00:00", **small)
    fake_nb201_record(tmp_path, profile="laptop", seed=3, created="2026-02-01T00:00:00+00:00", **small)
    known = _load(tmp_path)
    assert answering_record(_claim(), known).parameters["seed"] == 1
    assert answering_record(_claim(), [r for r in known if r.profile != "full"]).parameters["seed"] == 2


def test_claims_that_are_not_built_yet_carry_their_reason() -> None:
    fields = _claim().model_dump() | {
        "experiment": None,
        "select": None,
        "command": None,
        "not_run": {"reason": "needs a table that is not here", "command": "nasrepro data status"},
    }
    result = evaluate([], [Claim.model_validate(fields)])[0]
    assert (result.verdict, result.command) == ("not run", "nasrepro data status")


def test_a_share_is_held_against_per_cent_after_scaling(tmp_path: Path) -> None:
    fake_nb201_record(tmp_path)
    known = _load(tmp_path)
    share = claims.metric_row(known[0], "dinas", "paper")["validity"]
    select = {"searcher": "dinas", "protocol": "paper", "field": "validity", "scale": 100.0}
    fields = _claim().model_dump() | {"select": select, "printed": 100 * share["mean"], "tolerance": 1e-6}
    result = evaluate(known, [Claim.model_validate(fields)])[0]
    assert result.verdict == "reproduced" and result.ours == pytest.approx(100 * share["mean"])
    assert result.ci95 == pytest.approx((100 * share["low"], 100 * share["high"]))


def test_a_share_of_no_valid_sample_is_no_number_and_not_a_missing_run(tmp_path: Path) -> None:
    folder = fake_nb201_record(tmp_path)
    text = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    row = next(r for r in text["metrics"]["rows"] if (r["searcher"], r["protocol"]) == ("dinas", "paper"))
    row["validity"] = {"mean": None, "low": None, "high": None, "median": None, "n": 0}
    (folder / "record.json").write_text(json.dumps(text), encoding="utf-8")
    select = {"searcher": "dinas", "protocol": "paper", "field": "validity", "scale": 100.0}
    result = evaluate(_load(tmp_path), [Claim.model_validate(_claim().model_dump() | {"select": select})])[0]
    assert (result.verdict, result.ours, len(result.runs)) == ("not comparable", None, 1)
    assert "none of its samples was valid" in str(result.reason)


def test_a_share_is_claimed_in_per_cent_after_scaling() -> None:
    """Records hold shares from 0 to 1, the papers print per cent."""
    shares = {"validity", "feasibility", "in_top_class", "novelty", "uniqueness", "novelty_exact", "uniqueness_exact"}
    found = [claim for claim in load_claims() if claim.select and claim.select.field in shares]
    assert len(found) > 12
    assert {claim.id for claim in found if claim.select and (claim.unit, claim.select.scale) != ("%", 100.0)} == set()


@pytest.mark.parametrize("text", ["claims: [{id: x}]", "other: []", "claims: [", ""])
def test_a_broken_claims_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "claims.yml"
    path.write_text(text)
    with pytest.raises(CorruptData, match=r"claims\.yml"):
        load_claims(path)


def test_a_claim_stated_twice_is_refused(tmp_path: Path) -> None:
    import yaml

    path = tmp_path / "claims.yml"
    path.write_text(yaml.safe_dump({"claims": [_claim().model_dump(mode="json")] * 2}))
    with pytest.raises(CorruptData, match="twice"):
        load_claims(path)
