"""The experiments on the difference of architectures: small real runs, their laws, and the tables made of them."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, rankdata

from nasrepro import experiments
from nasrepro.benchmarks.ledger import Ledger
from nasrepro.delta.additive import NormalScores
from nasrepro.delta.code_means import AdditiveCode, CodeMeans
from nasrepro.delta.encoding import code_numbers, signed_difference
from nasrepro.delta.pairs import CellPairs, DifferenceData, draw_edits, label
from nasrepro.delta.predictor import DifferencePredictor
from nasrepro.encodings.cells import Cells
from nasrepro.errors import ParameterError
from nasrepro.experiments.delta import code_alone, doa, doa_ablation, doa_distance
from nasrepro.experiments.delta import judging as difference
from nasrepro.experiments.delta.prediction_tasks import PredictionTask, prediction_tasks
from nasrepro.files import paths
from nasrepro.parameters.delta import DistanceParameters
from nasrepro.report.delta import difference as doa_tables
from nasrepro.report.delta import figure_3
from nasrepro.runs import records
from nasrepro.runs.claims import metric_row
from nasrepro.runs.plan import Shown, planned
from nasrepro.runs.records import Record
from nasrepro.runs.run import run
from nasrepro.spaces.nb201 import NB201

SMALL = {"1pct": 24, "10pct": 48}


def small_tasks(space: str) -> list[PredictionTask]:
    return [
        PredictionTask(t.name, t.benchmark, t.column, SMALL, t.percent_of, 150)
        for t in list(prediction_tasks(space))[:2]
    ]


@pytest.fixture(scope="module")
def small(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Record]]:
    root, patch = tmp_path_factory.mktemp("doa"), pytest.MonkeyPatch()
    for module in (code_alone, doa, doa_ablation, doa_distance):
        patch.setattr(module, "prediction_tasks", small_tasks)
    patch.setattr(difference, "_POOL", 600)
    few = {k: doa_ablation.SETTINGS[k] for k in ("literal", "zen", "k2", "code_means", "accuracy_network", "gp_stars")}
    patch.setattr(doa_ablation, "SETTINGS", few)
    try:
        return {
            "doa": run(experiments.load("doa"), {"space": "tnb101"}, profile="smoke", root=root, device="cpu"),
            "code": run(experiments.load("code_alone"), {}, profile="smoke", root=root, device="cpu"),
            "ablation": run(experiments.load("doa_ablation"), {}, profile="smoke", root=root, device="cpu"),
            "distance": run(
                experiments.load("doa_distance"), {"space": "nb201"}, profile="smoke", root=root, device="cpu"
            ),
        }
    finally:
        patch.undo()


class Oracle(DifferencePredictor):
    """Knows the truth, or a constant."""

    def __init__(self, values: np.ndarray, wrong: bool = False) -> None:
        super().__init__(NB201)
        self.values = np.zeros_like(values) if wrong else values

    def fit(self, data: object) -> None: ...

    def gain_cells(self, base: Cells, neighbour: Cells) -> np.ndarray:
        return self.values[neighbour] - self.values[base]

    def chained(self, cells: Cells, anchors: Cells, labels: np.ndarray) -> np.ndarray:
        return self.values[cells]


def test_the_truth_scores_1_and_a_constant_0():
    (task,) = small_tasks("nb201")
    judged = difference.Evaluation(task, Ledger(), 0, 100, 4, 2)
    values = task.benchmark.query_many(np.arange(NB201.size), task.column)
    data = label(CellPairs(np.arange(4), np.zeros((0, 2), dtype=np.int64)), task.labels(Ledger(), "x"))
    assert judged.taus(Oracle(values), data) == pytest.approx(dict.fromkeys(difference.TAUS, 1.0))
    assert judged.taus(Oracle(values, wrong=True), data) == dict.fromkeys(difference.TAUS, 0.0)


def test_gains_are_ranked_within_each_neighbourhood():
    """What a predictor adds to all gains of a cell does not matter there; among pairs with other anchors it does."""
    (task,) = small_tasks("nb201")
    judged = difference.Evaluation(task, Ledger(), 0, 100, 4, 2)
    values = task.benchmark.query_many(np.arange(NB201.size), task.column)
    data = label(CellPairs(np.arange(4), np.zeros((0, 2), dtype=np.int64)), task.labels(Ledger(), "x"))

    class Biased(Oracle):
        def gain_cells(self, base: Cells, neighbour: Cells) -> np.ndarray:
            return super().gain_cells(base, neighbour) + 37.0 * (np.asarray(base) % 11)

    taus = judged.taus(Biased(values), data)
    assert taus["tau_neighbours"] == pytest.approx(1) and taus["tau_pairs"] < 0.9


def test_nothing_is_judged_on_cells_that_were_trained_on():
    (task,) = small_tasks("nb201")
    judged = difference.Evaluation(task, Ledger(), 0, 50, 4, 2)
    values = task.benchmark.query_many(np.arange(NB201.size), task.column)
    asked: list[np.ndarray] = []

    class Spy(Oracle):
        def gain_cells(self, base: Cells, neighbour: Cells) -> np.ndarray:
            asked.extend([np.asarray(neighbour)])
            return super().gain_cells(base, neighbour)

        def chained(self, cells: Cells, anchors: Cells, labels: np.ndarray) -> np.ndarray:
            asked.append(np.asarray(cells))
            return super().chained(cells, anchors, labels)

    trained = np.concatenate([judged.test[:20], judged.pairs[1][:10], judged.near[1][:10]])
    data = label(CellPairs(np.unique(trained), np.zeros((0, 2), dtype=np.int64)), task.labels(Ledger(), "x"))
    judged.taus(Spy(values), data)
    assert len(asked) == 3 and not np.isin(np.concatenate(asked), trained).any()


@pytest.mark.mirror
def test_every_reading_stays_within_the_budget_of_labels(small: dict[str, tuple[Path, Record]]):
    folder, record = small["doa"]
    runs = records.load_table(folder, record, "runs.parquet")
    assert set(runs["searcher"]) == set(doa.VARIANTS)
    assert (runs["labels"] <= runs["protocol"].map(SMALL)).all()
    assert (runs["labels"] >= 0.8 * runs["protocol"].map(SMALL)).all()
    counted = {(c.reader, c.column): c for c in record.labels if c.purpose == "train"}
    for name in doa.VARIANTS:
        reads = [counted[name, column].reads for column in record.metrics["columns"]]
        assert sum(reads) == runs.loc[runs["searcher"] == name, "labels"].sum()


@pytest.mark.mirror
def test_rows_are_means_over_tasks_then_trials(small: dict[str, tuple[Path, Record]]):
    folder, record = small["doa"]
    runs = records.load_table(folder, record, "runs.parquet")
    here = runs[(runs["searcher"] == "doa") & (runs["protocol"] == "10pct")]
    row = metric_row(record, "doa", "10pct")
    assert row is not None and len(record.metrics["tasks"]) == 2
    assert row["tau"]["n"] == 2 and row["tau"]["mean"] == pytest.approx(here["tau"].mean())
    assert row["tau"]["low"] <= row["tau"]["mean"] <= row["tau"]["high"]


@pytest.mark.mirror
def test_the_strongest_reading_beats_the_literal_one_on_few_labels(small: dict[str, tuple[Path, Record]]):
    folder, record = small["doa"]
    runs = records.load_table(folder, record, "runs.parquet").set_index(["protocol", "task", "trial"])
    strong, literal = (runs[runs["searcher"] == s]["tau"] for s in ("doa", "doa_literal"))
    assert len(strong) == 8 and (strong > literal).all()  # p = 1 / 256


@pytest.mark.mirror
def test_ablations_change_one_choice_and_zen_reads_no_accuracy(small: dict[str, tuple[Path, Record]]):
    record = small["ablation"][1]
    columns = {c.reader: c.column for c in record.labels if c.purpose == "train"}
    assert columns["zen"] == str(doa_ablation.ZEN) and columns["literal"] == record.metrics["column"]
    text = doa_tables.ablation_table(Shown([], small["ablation"])).to_text(300)
    assert "Zen-score" in text and "literal reading" in text


def test_ratios_are_taken_within_a_trial_whose_tasks_weigh_the_same():
    rng = np.random.default_rng(0)
    of = list(product("p", range(1, 7), "xy", range(4)))
    runs = pd.DataFrame(of, columns=["predictor", "k", "task", "trial"])
    runs[["loss", "target", "share"]] = rng.random((len(runs), 3)) + 0.1
    rows = {row["protocol"]: row for row in doa_distance._rows(runs)}
    ratios = {"ratio": ("loss", 1), "growth": ("target", 1), "share_ratio": ("share", 1), "ratio_to_3": ("loss", 3)}
    for k, (ratio, (field, to)) in product(range(1, 7), ratios.items()):
        mine, row = runs.groupby(["k", "trial"])[field].mean(), rows[f"k{k}"]
        assert row[ratio]["mean"] == pytest.approx((mine[k] / mine[to]).mean()) and row[ratio]["n"] == 4
        assert row[field]["mean"] == pytest.approx(mine[k].mean()) and row[field]["n"] == 4


def test_the_tasks_of_a_trial_weigh_the_same_in_its_mean():
    runs = pd.DataFrame({"searcher": "s", "protocol": "p", "task": list("xyx"), "trial": [0, 0, 1], "labels": 1.0})
    runs = runs.assign(pairs=1.0, seconds=1.0, **{tau: [0.0, 0.6, 0.9] for tau in difference.TAUS})
    (row,) = difference.summary_rows(runs)
    assert all((row[tau]["mean"], row[tau]["n"]) == (pytest.approx(0.6), 2) for tau in difference.TAUS)


@pytest.mark.mirror
def test_losses_are_relative_to_one_edit_and_to_saying_nothing(small: dict[str, tuple[Path, Record]]):
    record = small["distance"][1]
    assert len(record.metrics["rows"]) == (6 + 1) * len(doa_distance.PREDICTORS)
    for name in doa_distance.PREDICTORS:
        first, third = (metric_row(record, name, f"k{k}") for k in (1, 3))
        assert first is not None and third is not None
        assert first["ratio"]["mean"] == first["growth"]["mean"] == first["share_ratio"]["mean"] == 1
        assert third["ratio_to_3"]["mean"] == 1
    runs = records.load_table(*small["distance"], "runs.parquet")
    for name, field, of in (("ratio", "loss", 1), ("growth", "target", 1), ("ratio_to_3", "loss", 3)):
        at = {k: part.groupby(["predictor", "trial"])[field].mean() for k, part in runs.groupby("k")}
        for row in record.metrics["rows"]:
            if row["protocol"] == "shape":
                continue
            by_trial = (at[int(row["protocol"][1:])] / at[of])[row["searcher"]]
            assert row[name]["mean"] == pytest.approx(by_trial.mean()) and row[name]["n"] == len(by_trial) == 2
    reads = {c.purpose: c.distinct for c in record.labels}
    assert reads["train"] <= 2 * 6 * 2 * 40 and reads["report"] <= 2 * 6 * 2 * 50
    space = record.parameters["space"]
    shown = Shown([])
    shown.yours = {figure_3.PARTS[space]: small["distance"]}  # a smoke run is no run of the plan
    figure, shapes = figure_3.distance_figure(shown), figure_3.shape_table(shown)
    assert figure is not None and len(figure.data) == 18 and "one edit" in figure.alt
    table = figure_3.distance_table(shown)
    assert len(table.rows) == 18 + 2 and [row.cells[-1] for row in table.rows[18:]] == ["not run"] * 2
    assert all(planned(part).command in " ".join(table.notes) for s, part in figure_3.PARTS.items() if s != space)
    assert shapes is not None and len(shapes.rows) == 3
    said = figure_3.numbers(shown)
    assert said[f"doa_distance.{space}.base.k1.loss.mean"] == metric_row(record, "base", "k1")["loss"]["mean"]  # type: ignore[index]
    assert said[f"doa_distance.{space}.base.k1.ratio.word"] == "level with"


def _distance_pairs(space: str, k: int) -> tuple[PredictionTask, CellPairs, CellPairs]:
    task = prediction_tasks(space)[0]
    rng = np.random.default_rng(k)
    train, test = (
        doa_distance._pairs(task, half, n, k, rng)
        for half, n in zip(doa_distance._halves(task, 0), (30, 50), strict=True)
    )
    return task, train, test


@pytest.mark.parametrize("space", ["nb201", "nb101", "tnb101"])
def test_no_cell_is_both_trained_and_tested_on_at_any_number_of_edits(mirror: Path, space: str):
    """Pairs are of random cells, so a shared cell would be met by chance: many pairs, and all k together."""
    parts = []
    for k in (1, 3, 6):
        task, train, test = _distance_pairs(space, k)
        assert (len(train), len(test)) == (30, 50)
        parts.append((train.cells, test.cells))
        for pairs in (train, test):
            archs = [[task.space.from_index(int(c)) for c in cells[:10]] for cells in (pairs.base, pairs.other)]  # type: ignore[attr-defined]
            distance = task.space.graph_edit_distance if space == "nb101" else task.space.distance  # type: ignore[attr-defined]
            assert [distance(a, b) for a, b in zip(*archs, strict=True)] == [k] * 10
    trained, tested = (np.concatenate(cells) for cells in zip(*parts, strict=True))
    assert not np.isin(trained, tested).any()


@pytest.mark.mirror
def test_a_run_trains_and_tests_on_other_cells(monkeypatch: pytest.MonkeyPatch, mirror: Path):
    """Of all tasks and k of a trial: 2 x 6 x 40 training and 2 x 6 x 400 test cells of 15,625."""
    read: dict[str, list[np.ndarray]] = {"train": [], "report": []}

    def noted(pairs: CellPairs, labels: object, purpose: str = "train") -> DifferenceData:
        read[purpose].append(np.asarray(pairs.cells))
        return label(pairs, labels, purpose)  # type: ignore[arg-type]

    monkeypatch.setattr(doa_distance, "label", noted)
    monkeypatch.setattr(doa_distance, "PREDICTORS", {})
    p = DistanceParameters(pairs=40, test_pairs=400)
    doa_distance._trial(p, Ledger(), prediction_tasks("nb201")[0], 0)
    trained, tested = (np.unique(np.concatenate(read[purpose])) for purpose in ("train", "report"))
    assert len(trained) > 400 and len(tested) > 3000 and not np.isin(trained, tested).any()


def _labelled(first: int, values: list[float]) -> DifferenceData:
    cells = first + np.arange(len(values))
    return DifferenceData(cells, np.stack([np.arange(len(values) - 1), np.arange(1, len(values))], 1), np.array(values))


def test_scores_are_decided_by_the_training_labels_alone():
    known = {1: _labelled(0, [1.0, 2.0, 4.0]), 2: _labelled(2, [4.0, 8.0])}
    few, many = _labelled(10, [3.0, 9.0]), _labelled(20, [3.0, -50.0, -40.0, -30.0, 0.0])
    one, two = (doa_distance._as_scores({k: (known[k], test) for k in known}) for test in (few, many))
    for k in known:
        np.testing.assert_array_equal(one[k][0].labels, two[k][0].labels)
        assert one[k][1].labels[0] == two[k][1].labels[0]
    expected = norm.ppf((np.arange(4) + 0.5) / 4)  # of 1, 2, 4, 8: the cell with 4 is there twice and counts once
    np.testing.assert_allclose(one[1][0].labels, expected[:3])
    np.testing.assert_allclose(one[2][0].labels, expected[2:])
    np.testing.assert_allclose(one[1][1].labels, [(expected[1] + expected[2]) / 2, expected[3]])


def test_the_score_of_any_label_is_the_interpolation_of_scores_by_definition_bit_for_bit():
    rng = np.random.default_rng(0)
    for n in (1, 2, 7, 500, 3_000):
        known = np.round(rng.normal(80, 10, n), 2)  # ties among the many
        scores = norm.ppf((rankdata(known) - 0.5) / n)
        levels, first = np.unique(known, return_index=True)
        asked = np.concatenate([known, rng.normal(80, 20, 1_000), [known.min() - 1, known.max() + 1]])
        found = NormalScores(known)
        np.testing.assert_array_equal(found.of(asked), np.interp(asked, levels, scores[first]))
        np.testing.assert_array_equal(found.of(known), found.forward(known))


def test_the_shape_of_a_line_and_of_a_plateau():
    line, plateau = doa_distance.shape(np.arange(1.0, 7.0)), doa_distance.shape(np.array([1.0, 3, 4, 4, 4, 4]))
    assert line == pytest.approx({"second": 2, "last": 6, "lowest": 2, "plateau": 2, "halves": 1, "line": 1})
    assert (plateau["second"], plateau["plateau"], plateau["halves"]) == (3, 1, 0) and plateau["line"] < 0.7
    assert doa_distance.shape(np.array([1.0, 3, 0.9, 4, 4, 4]))["lowest"] == 0.9


def test_the_growth_of_two_spaces_is_compared_trial_by_trial():
    def record(second: list[float]) -> tuple[Path, Record]:
        row = {"searcher": "alone", "protocol": "shape", "trials": {"second": second, "last": second}}
        return Path(), SimpleNamespace(metrics={"rows": [row]}, parameters={})  # type: ignore[return-value]

    shown = Shown([])
    shown.yours = {figure_3.PARTS["nb201"]: record([2.0, 2.2, 2.1])}
    assert figure_3.between_table(shown) is None
    shown.yours[figure_3.PARTS["nb101"]] = record([1.1, 1.0, 1.2])
    said = figure_3.numbers(shown)
    key = "doa_distance.nb201.alone.against_nb101.second"
    low = said[f"{key}.low"]
    assert said[f"{key}.mean"] == pytest.approx(1.0) and said[f"{key}.word"] == "more pronounced"
    assert isinstance(low, float) and low > 0.7
    table = figure_3.between_table(shown)
    assert table is not None and [row.cells[0] for row in table.rows] == ["NAS-Bench-201"]


@pytest.mark.mirror
def test_the_table_shows_readings_beside_the_printed_number(small: dict[str, tuple[Path, Record]]):
    table = doa_tables.readings_table("tnb101", Shown([], small["doa"]))
    printed = [row.cells for row in table.rows if row.kind == "printed"]
    assert [cells[-1] for cells in printed] == ["0.692", "0.845"]
    assert len(table.rows) == 2 * (1 + len(doa.VARIANTS)) and "2 tasks" in table.caption


def test_a_reading_is_held_against_encodings_trial_by_trial():
    base, noise = np.array([0.5, 0.6, 0.4, 0.55, 0.45]), np.array([[0, 0.01, 0, -0.01, 0], [0.2, 0, 0.3, -0.1, 0.1]])
    mine = pd.DataFrame({"searcher": "doa", "protocol": "1pct", "trial": range(5), "tau": base + 0.1})
    theirs = pd.DataFrame({"method": "adj", "budget": "1pct", "trial": range(5), "tau": base + noise[0]})
    other = theirs.assign(method="path", tau=base + noise[1])
    first, second = doa_tables.compared(mine, pd.concat([theirs, other]))
    assert (first["method"], second["method"]) == ("adj", "path")
    assert first["difference"]["mean"] == pytest.approx(0.1) and first["p"] < 1e-4
    assert first["holm"] == pytest.approx(2 * first["p"]) and second["holm"] > 0.5
    assert doa_tables.against_table("nb201", Shown([])) is None


def test_values_of_sentences_are_none_without_records():
    values = doa_tables.numbers(Shown([]))
    told = {name for name, value in values.items() if value is not None}
    assert told == {"doa.nb201.expected_pairs"} | {name for name in values if name.endswith(".printed")}
    for table in (doa_tables.readings_table("nb201", Shown([])), doa_tables.ablation_table(Shown([]))):
        assert "not run" in table.rows[-1].cells and "nasrepro run doa" in table.caption


def test_names_in_tables_are_those_of_the_experiments():
    assert set(doa_tables.READINGS) == {*doa.VARIANTS, doa.CODE_MEANS}
    assert {name for pair in doa_tables.SAME_LABELS for name in pair} <= set(doa_ablation.SETTINGS)
    assert set(doa_tables.LEARNERS) == set(code_alone.LEARNERS)
    assert set(figure_3.LINES) == set(doa_distance.PREDICTORS)


@pytest.mark.parametrize("name", ["doa_alone", "doa_literal", "doa_stars", "doa_gp_stars"])
def test_readings_as_printed_are_told_differences_of_one_edit_pairs_alone(name: str):
    """Other accuracies with the same differences are the same to them, and no zero-cost score is shown."""
    (task,), variant, rng = small_tasks("nb201"), doa.VARIANTS[name], np.random.default_rng(0)
    assert not variant.zero_cost
    pairs = difference.training_pairs(task, 40, task.train_cells("10pct", 0), rng, variant)
    archs = [[NB201.from_index(int(c)) for c in cells] for cells in (pairs.base, pairs.other)]
    assert {NB201.distance(a, b) for a, b in zip(*archs, strict=True)} == {1}
    data = label(pairs, task.labels(Ledger(), "x"))
    moved = DifferenceData(data.cells, data.ends, data.labels + 8 * rng.normal(size=40)[data.groups()])
    asked = [rng.integers(NB201.size, size=200) for _ in range(2)]
    gains, orders = [], []
    for told in (data, moved):
        predictor = variant.make(task.space, 0, difference.cell_features(task, Ledger(), "x", zero_cost=False))
        predictor.fit(told)
        gains.append(predictor.gain_cells(*asked))
        orders.append(predictor.chained(asked[0], told.cells[:4], told.labels[:4]))
    np.testing.assert_allclose(gains[0], gains[1], atol=1e-3 * np.abs(gains[0]).max())
    assert np.ptp(orders[0] - orders[1]) < 1e-2 * np.ptp(orders[0])


def test_weights_of_places_are_a_function_of_the_code_and_rank_architectures():
    """Additive labels are found exactly; and pairs with one code have one prediction, whatever their base."""
    rng, values = np.random.default_rng(0), np.random.default_rng(1).normal(size=(6, 5))
    true = np.array([values[np.arange(6), arch].sum() for arch in NB201.all()])
    cells = rng.permutation(NB201.size)[:200]
    chain = CellPairs(cells, np.stack([np.arange(199), np.arange(1, 200)], axis=1))
    predictor = AdditiveCode(NB201, 1e-6)
    predictor.fit(DifferenceData(chain.cells, chain.ends, true[cells]))
    base, other = draw_edits(NB201, rng.permutation(NB201.size)[:3_000], 1, rng)
    gains = predictor.gain_cells(base, other)
    np.testing.assert_allclose(gains, true[other] - true[base], atol=1e-4)
    codes = code_numbers(signed_difference(NB201, base, other))
    assert len(np.unique(codes)) == 120
    assert all(np.ptp(gains[codes == code]) < 1e-9 for code in range(120))
    chained = predictor.chained(np.arange(100), cells[:3], true[cells[:3]])
    np.testing.assert_allclose(chained, true[:100], atol=1e-4)
    with pytest.raises(ParameterError, match="scheme=subset"):
        predictor.fit(DifferenceData(np.arange(4), np.array([[0, 1], [2, 3]]), np.arange(4.0)))


def test_ranks_keep_the_order_and_forget_the_distances():
    data = DifferenceData(np.arange(4), np.array([[0, 1]]), np.array([10.0, 90.0, 90.0, 91.0]))
    np.testing.assert_array_equal(difference.ranked(data).labels, [0.25, 0.625, 0.625, 1.0])


def test_the_labels_of_anchors_do_not_change_the_order_of_chained_predictions():
    """Every chain begins at every anchor, so their labels are one constant for all cells."""
    rng = np.random.default_rng(0)
    data = label(CellPairs(*_every_second()), prediction_tasks("nb201")[0].labels(Ledger(), "x"))
    predictor = CodeMeans(NB201)
    predictor.fit(data)
    cells, anchors = rng.permutation(NB201.size)[:50], rng.permutation(NB201.size)[:4]
    one, two = (predictor.chained(cells, anchors, labels) for labels in (np.zeros(4), rng.normal(size=4)))
    assert np.ptp(one - two) < 1e-9


def _every_second() -> tuple[np.ndarray, np.ndarray]:
    pairs = doa.every_pair(NB201)
    assert len(pairs) == 15_625 * 24 // 2
    return pairs.cells, pairs.ends[::2]


@pytest.mark.mirror
def test_the_code_alone_ranks_better_than_the_optimum_of_the_squared_error(small: dict[str, tuple[Path, Record]]):
    """What was called a ceiling is none: with all labels, ranks order pairs better, and weights order architectures."""
    record = small["code"][1]
    rows = {(row["searcher"], row["protocol"]): row for row in record.metrics["rows"]}
    assert set(rows) == {(name, budget) for name in code_alone.LEARNERS for budget in ("1pct", "10pct", "all")}
    assert rows["means_ranks", "all"]["tau_pairs"]["mean"] > rows["means", "all"]["tau_pairs"]["mean"] + 0.02
    assert rows["weights_ranks", "all"]["tau"]["mean"] > rows["means", "all"]["tau"]["mean"] + 0.05
    for tau in difference.TAUS:
        best = rows[record.metrics["best"][tau]["all"], "all"][tau]["mean"]
        assert best == max(rows[name, "all"][tau]["mean"] for name in code_alone.LEARNERS)
    assert {row["labels"] for row in record.metrics["rows"] if row["protocol"] == "all"} == {15_625}
    assert all(row["labels"] <= SMALL[row["protocol"]] for row in record.metrics["rows"] if row["protocol"] in SMALL)
    text = doa_tables.code_table(Shown([], small["code"])).to_text(300)
    assert "no bound" in text and "0.759" in text
    committed = list(records.find(paths.records_dir()))
    found = Shown(committed).run(doa_tables.CODE_ALONE)
    assert found is not None
    best = metric_row(found[1], found[1].metrics["best"]["tau"]["all"], "all")
    values = doa_tables.numbers(Shown(committed))
    assert best is not None and values["code_alone.best.all.tau.mean"] == best["tau"]["mean"]


@pytest.mark.mirror
def test_zen_scores_of_nas_bench_101_are_refused(tmp_path: Path, mirror: object):
    with pytest.raises(ParameterError, match="10,250"):
        run(experiments.load("doa_distance"), {"space": "nb101", "source": "zen"}, profile="smoke", root=tmp_path)
