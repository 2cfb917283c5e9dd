"""The searches of Delta-NAS, Figures 4 and 5: a small real run, the laws of its curves, and what is made of them."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nasrepro import experiments
from nasrepro.benchmarks.base import MEAN, Column
from nasrepro.benchmarks.ledger import Ledger
from nasrepro.benchmarks.nb201 import NB201Benchmark
from nasrepro.delta.additive import AdditiveDifference
from nasrepro.delta.pairs import DifferenceData, draw_among
from nasrepro.delta.search import RelearntDifference
from nasrepro.errors import ParameterError
from nasrepro.experiments.delta import contestants as delta_contestants
from nasrepro.experiments.delta import delta_claims, delta_search
from nasrepro.experiments.delta.contestants import METHODS, TABLE, Trained
from nasrepro.files import paths
from nasrepro.predictors.regressors import BoostedTrees
from nasrepro.report.delta import figure_4_5 as figures
from nasrepro.report.delta import training_sets
from nasrepro.runs import records
from nasrepro.runs.claims import metric_row
from nasrepro.runs.plan import Shown
from nasrepro.runs.records import Record
from nasrepro.runs.run import run
from nasrepro.search.base import Proposal
from nasrepro.search.model_based import Ranking
from nasrepro.spaces.fixed_code import fixed_code
from nasrepro.spaces.nb101.space import NB101
from nasrepro.spaces.nb201 import NB201

VALID = Column("cifar10", "accuracy", "valid", 200, MEAN)
TRAINED = [name for name, method in METHODS.items() if method.predictor not in ("", TABLE)]


@pytest.fixture(scope="module")
def small(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Record]:
    root = tmp_path_factory.mktemp("delta_search")
    given = {"benchmark": "nb201", "queries": 50, "training_labels": 10}
    return run(experiments.load("delta_search"), given, profile="smoke", root=root, device="cpu")


def test_curves_are_those_of_their_definition():
    rng = np.random.default_rng(0)
    rows = rng.integers(30, size=80)
    values = rng.permutation(30)[rows] / 7
    count, best = delta_search.distinct_so_far(rows), delta_search.best_so_far(rows, values)
    mean = delta_search.rolling_mean(values, 10)
    for k in range(80):
        assert count[k] == len(set(rows[: k + 1].tolist()))
        assert best[k] == rows[int(values[: k + 1].argmax())]
        assert mean[k] == pytest.approx(values[max(0, k - 9) : k + 1].mean())


@pytest.mark.parametrize("space", [NB101, NB201], ids=lambda s: s.name)
def test_distances_to_a_cell_are_those_of_the_space(space: Any):
    target = space.sample(np.random.default_rng(0))
    distances = delta_search.distances_to(space, space.index(target))
    for row in np.random.default_rng(1).integers(space.size, size=30).tolist():
        arch = space.from_index(row)
        one = space.graph_edit_distance(arch, target) if space is NB101 else space.distance(arch, target)
        assert distances[row] == one


def test_a_predictor_learns_from_every_pair_one_edit_apart():
    rng = np.random.default_rng(0)
    centre = NB201.sample(rng)
    near = NB201.rows([centre, *NB201.neighbours(centre)])
    value = rng.random(NB201.size)
    first = DifferenceData(near[:2], np.array([[1, 0]]), value[near[:2]])
    fitted: list[DifferenceData] = []

    class Spy:
        def fit(self, data: DifferenceData) -> None:
            fitted.append(data)

        def gain_cells(self, base: np.ndarray, other: np.ndarray) -> np.ndarray:
            return np.full(len(base), float(len(fitted)))

    learner = RelearntDifference(NB201, first, Spy(), Spy)  # type: ignore[arg-type]
    learner.learn(near[:2], value[near[:2]])  # nothing new
    assert fitted == [] and learner.gain_cells(near[:1], near[1:2])[0] == 0
    far = np.array([NB201.index(tuple((op + 1) % 5 for op in centre))])
    learner.learn(np.append(near[1:10], far), value[np.append(near[1:10], far)])
    data = fitted[0]
    assert sorted(data.cells.tolist()) == sorted([*near[:10].tolist(), int(far[0])])
    np.testing.assert_array_equal(data.labels, value[data.cells])
    found = {frozenset(data.cells[list(pair)].tolist()) for pair in data.ends}
    archs = [NB201.from_index(int(row)) for row in data.cells]
    expected = {
        frozenset((NB201.index(a), NB201.index(b))) for a, b in combinations(archs, 2) if NB201.distance(a, b) == 1
    }
    assert found == expected and len(data.ends) == len(expected)
    assert data.ends[0].tolist() == [1, 0]  # pairs keep the direction in which they came
    assert learner.gain_cells(near[:1], near[1:2])[0] == 1


def test_a_ranking_is_queried_from_the_top():
    scores = np.random.default_rng(0).random(NB201.size)
    searcher = Ranking(NB201, scores)
    rows = [NB201.index(p.arch) for p in searcher.ask(10) + searcher.ask(5)]
    assert rows == np.argsort(-scores)[:15].tolist()
    searcher.tell([Proposal(NB201.from_index(0))], np.array([1.0]))
    assert len(searcher.ask(NB201.size)) == NB201.size - 15


@pytest.mark.parametrize("kind", ["pairs", "stars", "gp_stars", "gp"])
def test_whoever_uses_a_predictor_pays_for_its_labels(kind: str):
    benchmark, ledger = NB201Benchmark(), Ledger()
    trained = Trained(NB201, 12, 0, 0)
    for reader in ("a", "b"):
        predictor, rows = trained.predictor(kind, ledger.open(benchmark, VALID, reader))
        assert 10 <= len(set(rows.tolist())) == ledger.distinct(reader, ["train"], VALID) <= 12
    assert trained.predictor(kind, ledger.open(benchmark, VALID, "a"))[0] is predictor  # trained once
    gains = predictor.gain_cells(np.arange(5), np.arange(5, 10))
    np.testing.assert_allclose(gains, -predictor.gain_cells(np.arange(5, 10), np.arange(5)), atol=1e-5)


def _points(test: dict[str, float], near: dict[str, float]) -> pd.DataFrame:
    """Two ways of counting, four runs, four points; accuracy grows by 1 a point to its end, distances are constant."""
    out = [
        {"method": name, "counted": counted, "run": r, "at": 25 * k, "population_distance": near.get(name, 5.0)}
        | {
            "test": test.get(name, 90.0) - 4 + k + 0.01 * r,
            "value": 0.0,
            "distance": 0.0,
            "seconds": 1.0,
            "training_test": 88.0,
        }
        for name in METHODS
        for counted in ("evaluations", "labels")
        for r in range(4)
        for k in range(1, 5)
    ]
    return pd.DataFrame(out)


def test_the_claims_say_who_is_ahead():
    points = _points(
        {"delta_literal": 91.0, "delta_stars": 89.0, "random": 90.5}, {"delta_literal": 2.0, "random": 3.0}
    )
    rows = {row["searcher"]: row for row in delta_claims.claim_rows(points)}
    ours = rows["delta_literal"]
    assert (ours["best_other"], ours["closest_other"]) == ("random", "random")
    assert ours["accuracy_ahead"]["mean"] == pytest.approx(0.5)
    assert ours["distance_ahead"]["mean"] == pytest.approx(-1)
    assert [ours[k]["mean"] for k in ("as_accurate", "as_close", "as_fast")] == [0, 0, 0]
    assert ours["evaluations_to_level"]["delta_literal"] == 75 and ours["evaluations_to_level"]["evolution_sep"] == 100
    behind = rows["delta_stars"]
    assert behind["accuracy_ahead"]["mean"] == pytest.approx(-1.5)
    assert [behind[k]["mean"] for k in ("as_accurate", "as_close", "as_fast")] == [5, 5, 5]
    assert behind["evaluations_to_level"]["delta_stars"] is None


def test_a_method_that_never_reaches_the_level_is_as_fast_as_nobody():
    """SEP alone gets to its own level; neither the variant nor the four others do."""
    points = _points({"evolution_sep": 92.0}, {})
    (row,) = [r for r in delta_claims.claim_rows(points) if r["searcher"] == "delta_literal"]
    assert row["evaluations_to_level"]["delta_literal"] is None
    assert row["as_fast"]["mean"] == 1
    reached = {"delta_literal": 75.0, **dict.fromkeys(delta_claims.PRINTED), "evolution_sep": 100.0, "random": 75.0}
    assert delta_claims.others_as_fast(reached, "delta_literal") == 1
    assert delta_claims.others_as_fast(reached | {"delta_literal": None}, "delta_literal") == 2
    assert delta_claims.others_as_fast(reached | {"delta_literal": 25.0}, "delta_literal") == 0


def test_the_counts_of_committed_records_are_those_of_their_curves():
    """With 100 labels: SEP alone at 500 on NAS-Bench-101; SEP at 325 and standard crossover at 400 on NAS-Bench-201."""
    found = {}
    for folder, record in records.find(paths.records_dir(), "delta_search"):
        curves = records.load_table(folder, record, "curves.parquet").set_index(["method", "at"])
        means = curves.loc[curves["counted"] == delta_claims.EVALUATIONS, ["test_mean", "population_distance_mean"]]
        counts = delta_claims.claim_counts(means.set_axis(["test", "population_distance"], axis=1))
        for name, counted in counts.items():
            row = metric_row(record, name, "claims")
            assert row is not None
            assert row["evaluations_to_level"] == counted["evaluations_to_level"]
            assert delta_claims.others_as_fast(row["evaluations_to_level"], name) == counted["as_fast"]
            for count in delta_claims.COUNTS:
                assert row[count]["mean"] == counted[count], (record.key, name, count)
        p = record.parameters
        if (p["training_labels"], p["queries"]) == (100, 500):
            found[p["benchmark"]] = counts["delta_literal"]["as_fast"]
    assert found == {"nb101": 1, "nb201": 2}


def test_delta_nas_as_printed_is_held_against_every_line_and_the_control():
    points = _points({"delta_literal": 91.0, "evolution_sep": 92.0, "plain_ranking": 90.5}, {})
    found = {c["rival"]: c["ahead"]["mean"] for c in delta_claims.against(points)}
    assert set(found) == {*delta_claims.PRINTED, "plain_ranking"}
    assert found["evolution_sep"] == pytest.approx(-1) and found["plain_ranking"] == pytest.approx(0.5)
    few = points[points["method"].isin(["delta_literal", "random"])]
    assert [c["rival"] for c in delta_claims.against(few)] == ["random"]


@pytest.mark.parametrize("seed", range(3))
def test_whoever_has_the_same_runs_in_another_order_is_not_behind(seed: int):
    """Ties count as not behind, and means are not told apart by their rounding."""
    rng, end = np.random.default_rng(seed), np.random.default_rng(seed).normal(94, 0.5, 20)
    points = pd.DataFrame(
        [
            {"method": name, "counted": "evaluations", "run": r, "at": 25 * k}
            | {"test": value + (k - 4), "population_distance": value / 20}
            for name in METHODS
            for r, value in enumerate(rng.permutation(end))
            for k in range(1, 5)
        ]
    )
    for row in delta_claims.claim_rows(points):
        assert [row[k]["mean"] for k in ("as_accurate", "as_close", "as_fast")] == [5, 5, 5]
        assert set(row["evaluations_to_level"].values()) == {100}


def test_comparisons_have_the_sign_of_the_difference_and_adjusted_p_values():
    points = _points({"delta_literal": 91.0, "evolution_sep": 92.0}, {})
    found = {(c["method"], c["rival"]): c for c in delta_claims.comparisons(points, [100])}
    assert found["delta_literal", "evolution_sep"]["ahead"]["mean"] == pytest.approx(-1)
    assert found["delta_literal", "local_search"]["ahead"]["mean"] == pytest.approx(1)
    assert found["delta_sensible", "local_search"]["ahead"]["mean"] == 0
    assert all(c["p"] <= c["p_holm"] <= 1 for c in found.values())
    assert found["delta_literal", "evolution_sep"]["p_holm"] > found["delta_literal", "evolution_sep"]["p"]


@pytest.mark.mirror
def test_every_label_of_a_run_is_counted(small: tuple[Path, Record]):
    record = small[1]
    reads = {(c.reader, c.purpose): c.reads for c in record.labels if "valid" in c.column}
    for name in METHODS:
        assert reads[name, "select"] == 2 * 50, name
        assert ((name, "train") in reads) == (name in TRAINED or METHODS[name].predictor == TABLE)
    for name in TRAINED:
        distinct = next(c.distinct for c in record.labels if (c.reader, c.purpose) == (name, "train"))
        assert 2 * 9 <= distinct <= 2 * 10


@pytest.mark.mirror
def test_curves_rise_and_labels_come_before_evaluations(small: tuple[Path, Record]):
    folder, record = small
    curves = records.load_table(folder, record, "curves.parquet")
    for _, part in curves.groupby(["method", "counted"]):
        assert part["at"].tolist() == [25, 50]
        assert (part["value_mean"].diff().dropna() >= 0).all()
        assert (part["test_low"] <= part["test_median"]).all() and (part["test_median"] <= part["test_high"]).all()
    kept = records.load_table(folder, record, "runs.parquet").set_index(["method", "counted", "run", "at"]).sort_index()
    for name in METHODS:
        if METHODS[name].predictor == "":  # without training both counts are the same
            by_way = [kept.loc[(name, way)].to_numpy() for way in ("evaluations", "labels")]
            np.testing.assert_array_equal(*by_way)
    assert ("delta_oracle", "labels") not in kept.index.droplevel(["run", "at"])
    optimum = record.metrics["optimum"]
    assert kept["value"].max() <= optimum["value"] and (kept["distance"] <= 6).all()
    assert (kept.loc[kept["value"] == optimum["value"], "distance"] == 0).all()


PRINTED_RUN = {"benchmark": "nb201", "queries": 50, "methods": "printed"}


@pytest.fixture(scope="module")
def zen(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Record]:
    given = PRINTED_RUN | {"training_labels": 60, "trained_on": "zen"}
    root = tmp_path_factory.mktemp("delta_zen")
    return run(experiments.load("delta_search"), given, profile="smoke", root=root, device="cpu")


@pytest.fixture(scope="module")
def large(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Record]:
    given = PRINTED_RUN | {"training_labels": 60}
    root = tmp_path_factory.mktemp("delta_large")
    return run(experiments.load("delta_search"), given, profile="smoke", root=root, device="cpu")


@pytest.mark.mirror
def test_no_two_runs_of_a_method_search_alike(small: tuple[Path, Record]):
    runs = records.load_table(*small, "runs.parquet")
    distances = runs[runs["at"] == 50].groupby(["method", "counted"])["population_distance"]
    assert (distances.nunique() == 2).all() and (distances.size() == 2).all()


@pytest.mark.mirror
def test_zen_scores_cost_no_label(zen: tuple[Path, Record]):
    record = zen[1]
    reads = {(c.reader, c.column): c for c in record.labels if c.purpose == "train"}
    assert set(reads) == {("delta_literal", "cifar10 proxy zen")}
    assert 2 * 50 <= reads["delta_literal", "cifar10 proxy zen"].reads <= 2 * 60
    assert {row["searcher"] for row in record.metrics["rows"]} == {"delta_literal", *delta_claims.PRINTED}
    assert not any("training_test" in row for row in record.metrics["rows"])
    by_way = [metric_row(record, "delta_literal", counted) for counted in ("evaluations", "labels")]
    assert by_way[0] is not None and by_way[1] is not None  # without training labels both counts are the same
    assert by_way[0]["test_50"] == by_way[1]["test_50"]


@pytest.mark.mirror
def test_more_training_labels_than_evaluations_have_no_curve_of_their_own(large: tuple[Path, Record]):
    record = large[1]
    rows = {(row["searcher"], row["protocol"]): row for row in record.metrics["rows"]}
    for name in ("delta_literal", "plain_ranking"):
        assert (name, "labels") not in rows and (name, "evaluations") in rows
        row = rows[name, "evaluations"]
        assert 80 < row["training_test"]["mean"] <= row["test_50"]["mean"] + 5
        distinct = next(c for c in record.labels if (c.reader, c.purpose) == (name, "train"))
        assert 2 * 50 <= distinct.reads <= 2 * 60
    assert ("random", "labels") in rows and "training_test" not in rows["random", "evaluations"]
    assert [c["rival"] for c in record.metrics["against"]] == [*delta_claims.PRINTED, "plain_ranking"]


@pytest.mark.mirror
def test_methods_of_the_figures_draw_what_they_draw_among_all(large: tuple[Path, Record], small: tuple[Path, Record]):
    """The other lines read no training label, so a run of the printed lines alone repeats them."""
    for name in delta_claims.PRINTED:
        rows = [metric_row(record, name, "evaluations") for _, record in (large, small)]
        assert rows[0] is not None and rows[0] == rows[1]


def test_variants_that_are_told_labels_have_none_to_be_told_with_zen_scores(tmp_path: Path):
    with pytest.raises(ParameterError, match="methods=printed"):
        run(experiments.load("delta_search"), {"trained_on": "zen"}, profile="smoke", root=tmp_path)


@pytest.mark.parametrize("space", [NB201, NB101], ids=lambda s: s.name)
def test_pairs_among_some_cells_are_one_edit_apart_and_theirs(space: Any):
    rng = np.random.default_rng(0)
    centres = rng.permutation(space.size)[:8]
    near = [space.index(b) for c in centres.tolist() for b in space.neighbours(space.from_index(c))[:6]]
    lone = rng.permutation(space.size)[:5]
    among = np.unique([*centres, *near, *lone])
    pairs = draw_among(space, among, 40, rng)
    assert len(pairs) >= 10 and len(pairs.cells) <= 40 and np.isin(pairs.cells, among).all()
    assert len(np.unique(np.sort(pairs.ends, axis=1), axis=0)) == len(pairs)
    edits = fixed_code(space).edits(np.asarray(pairs.base))
    assert (edits == np.asarray(pairs.other)[:, None]).any(1).all()


def test_above_what_a_gaussian_process_can_hold_the_plain_predictor_is_trees(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(delta_contestants, "MOST_OF_GP", 11)
    trained, ledger = Trained(NB201, 12, 0, 0), Ledger()
    plain, rows = trained.predictor("gp", ledger.open(NB201Benchmark(), VALID, "a"))
    assert isinstance(plain, AdditiveDifference) and isinstance(plain._potentials[0], BoostedTrees)
    assert ledger.distinct("a", ["train"], VALID) == len(np.unique(rows)) <= 12


def _shown(chosen: dict[str, tuple[Path, Record]]) -> Shown:
    """Smoke runs are no runs of the plan: they are shown as a user's own."""
    runs = Shown([])
    runs.yours = chosen
    return runs


@pytest.mark.mirror
def test_figures_and_tables_are_made_of_a_run(small: tuple[Path, Record], large: tuple[Path, Record]):
    runs = _shown({"delta.figure5": small, "delta.figure5.10pct": large})
    for name in ("distance", "accuracy"):
        figure = figures.figure(name, "nb201", runs)
        assert figure is not None and figure.svg.startswith("<?xml") and len(figure.data)
        assert "Delta-NAS as printed" in figure.alt and figure.name == f"delta-search-nb201-{name}"
        assert figures.figure(name, "nb101", runs) is None
    assert len(figures.search_table("nb201", "labels", runs).rows) == len(METHODS) - 1  # all but the perfect predictor
    by_evaluations = figures.search_table("nb201", "evaluations", runs).to_frame().set_index("Method")
    assert by_evaluations.loc["random search", "Labels before the search"] == "0"
    assert by_evaluations.loc["as printed, with a perfect predictor", "Labels before the search"] == "all"
    missing = figures.search_table("nb101", "labels", runs)
    assert missing.rows[0].cells[-1] == "not run"
    assert "nasrepro run delta_search -p benchmark=nb101" in missing.caption
    assert figures.comparison_table("nb101", runs) is None and figures.numbers(runs, "nb101") == {}
    compared = figures.comparison_table("nb201", runs)
    assert compared is not None and len(compared.rows) == len(small[1].metrics["comparisons"])
    values = figures.numbers(runs, "nb201")
    assert values["delta_search.nb201.parameters.queries"] == values["delta_search.nb201.last"] == 50
    assert values["delta_search.nb201.delta_literal.claims.as_close"] is not None
    assert values["delta_search.nb201.delta_literal.against.evolution_sep"] is not None
    for table in (training_sets.accuracy_table("nb201", runs), training_sets.claims_table("nb201", runs)):
        first, notes = {row.cells[0] for row in table.rows}, " ".join(table.notes)
        assert {"10 % of the space", "100 labels (ours)"} <= first
        assert next(row.cells[-1] for row in table.rows if row.cells[0] == "1 % of the space") == "not run"
        assert "training_labels=156" in notes and "training_labels=1563 -p trained_on=zen" in notes  # that are missing
    values = training_sets.numbers(runs, "nb201")
    row = metric_row(large[1], "plain_ranking", "evaluations")
    assert row is not None
    assert (
        values["delta_search.nb201.10pct.plain_ranking.evaluations.training_test.mean"] == row["training_test"]["mean"]
    )
    assert values["delta_search.nb201.10pct.against.random"] is not None
    assert "delta_search.nb201.zen.delta_literal.test.mean" not in values


@pytest.mark.mirror
def test_what_was_read_before_a_search_is_told_apart(zen: tuple[Path, Record], large: tuple[Path, Record]):
    labels, scores = training_sets.read_for_training(zen[1], "delta_literal")
    assert labels == 0 and 50 <= scores <= 60
    assert training_sets.read_for_training(large[1], "delta_literal")[1] == 0
    assert training_sets.read_for_training(large[1], "random") == (0, 0)
    runs = _shown({"delta.figure5.10pct": large, "delta.figure5.zen": zen})
    table = training_sets.accuracy_table("nb201", runs).to_frame()
    table = table[table["Runs"] != "not run"]
    assert table["Trained on"].tolist() == ["10 % of the space"] * 2 + ["Zen-scores, no label"] + ["nothing"] * 5
    assert table["Labels before the search"].tolist()[2] == "0"
    claims = training_sets.claims_table("nb201", runs).to_frame().set_index("Trained on")
    assert claims.loc["Zen-scores, no label", "Ahead of the plain predictor"] == "not compared"


@pytest.mark.parametrize(
    ("mean", "p", "said"), [(-0.5, 1e-5, "behind"), (0.4, 0.01, "ahead of"), (-0.05, 0.6, "not told apart from")]
)
def test_a_word_says_what_the_numbers_say(mean: float, p: float, said: str):
    ahead = {"mean": mean, "low": mean - 0.1, "high": mean + 0.1}
    assert figures.word({"ahead": ahead, "p_holm": p}) == said


def test_a_page_is_given_its_benchmark_with_any_parameter_alone():
    assert figures.given_on("nb101", {"runs": None}) == {}
    assert figures.given_on("nb101", {"runs": 5}) == {"benchmark": "nb101", "runs": 5}


def test_the_book_knows_every_method():
    assert list(figures.METHODS) == list(METHODS)
    assert list(figures.COUNTED) == [delta_claims.EVALUATIONS, delta_claims.LABELS]
