"""The experiments on the difference of architectures: small real runs, their laws, and the tables made of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nasrepro import experiments
from nasrepro.benchmarks.ledger import Ledger
from nasrepro.delta_data import CellPairs, label
from nasrepro.delta_predictor import DifferencePredictor
from nasrepro.encodings.fixed_form import Cells
from nasrepro.errors import ParameterError
from nasrepro.experiments import difference, doa, doa_ablation, doa_distance
from nasrepro.experiments.prediction_tasks import PredictionTask, prediction_tasks
from nasrepro.spaces.nb201 import NB201
from nasrepro.study import doa_tables, records
from nasrepro.study.claims import metric_row
from nasrepro.study.records import Record
from nasrepro.study.run import run

SMALL = {"1pct": 24, "10pct": 48}


def small_tasks(space: str) -> list[PredictionTask]:
    return [
        PredictionTask(t.name, t.benchmark, t.column, SMALL, t.percent_of, 150)
        for t in list(prediction_tasks(space))[:2]
    ]


@pytest.fixture(scope="module")
def small(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Record]]:
    root, patch = tmp_path_factory.mktemp("doa"), pytest.MonkeyPatch()
    for module in (doa, doa_ablation, doa_distance):
        patch.setattr(module, "prediction_tasks", small_tasks)
    patch.setattr(difference, "_POOL", 600)
    few = {k: doa_ablation.SETTINGS[k] for k in ("literal", "zen", "k2", "code_means", "accuracy_network", "gp_stars")}
    patch.setattr(doa_ablation, "SETTINGS", few)
    try:
        return {
            "doa": run(experiments.load("doa"), {"space": "tnb101"}, profile="smoke", root=root, device="cpu"),
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
    judged = difference.evaluation(task, Ledger(), 0, 100, 4, 2)
    values = task.benchmark.query_many(np.arange(NB201.size), task.column)
    data = label(CellPairs(np.arange(4), np.zeros((0, 2), dtype=np.int64)), task.labels(Ledger(), "x"))
    assert judged.taus(Oracle(values), data) == pytest.approx(dict.fromkeys(difference.TAUS, 1.0))
    assert judged.taus(Oracle(values, wrong=True), data) == dict.fromkeys(difference.TAUS, 0.0)


def test_gains_are_ranked_within_each_neighbourhood():
    """What a predictor adds to all gains of a cell does not matter there; among pairs with other anchors it does."""
    (task,) = small_tasks("nb201")
    judged = difference.evaluation(task, Ledger(), 0, 100, 4, 2)
    values = task.benchmark.query_many(np.arange(NB201.size), task.column)
    data = label(CellPairs(np.arange(4), np.zeros((0, 2), dtype=np.int64)), task.labels(Ledger(), "x"))

    class Biased(Oracle):
        def gain_cells(self, base: Cells, neighbour: Cells) -> np.ndarray:
            return super().gain_cells(base, neighbour) + 37.0 * (np.asarray(base) % 11)

    taus = judged.taus(Biased(values), data)
    assert taus["tau_neighbours"] == pytest.approx(1) and taus["tau_pairs"] < 0.9


def test_nothing_is_judged_on_cells_that_were_trained_on():
    (task,) = small_tasks("nb201")
    judged = difference.evaluation(task, Ledger(), 0, 50, 4, 2)
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
    text = doa_tables.run_tables(record)[0].to_text(300)  # type: ignore[union-attr]
    assert "Zen-score" in text and "literal reading" in text


@pytest.mark.mirror
def test_losses_are_relative_to_one_edit_and_to_saying_nothing(small: dict[str, tuple[Path, Record]]):
    record = small["distance"][1]
    assert len(record.metrics["rows"]) == 6 * len(doa_distance.PREDICTORS)
    for name in doa_distance.PREDICTORS:
        first, third = (metric_row(record, name, f"k{k}") for k in (1, 3))
        assert first is not None and third is not None
        assert first["ratio"]["mean"] == first["growth"]["mean"] == first["share_ratio"]["mean"] == 1
        assert third["ratio_to_3"]["mean"] == 1
    runs = records.load_table(*small["distance"], "runs.parquet")
    for name, field, of in (("ratio", "loss", 1), ("growth", "target", 1), ("ratio_to_3", "loss", 3)):
        at = {k: part.groupby(["predictor", "trial"])[field].mean() for k, part in runs.groupby("k")}
        for row in record.metrics["rows"]:
            by_trial = (at[int(row["protocol"][1:])] / at[of])[row["searcher"]]
            assert row[name]["mean"] == pytest.approx(by_trial.mean()) and row[name]["n"] == len(by_trial) == 2
    reads = {c.purpose: c.distinct for c in record.labels}
    assert reads["train"] <= 2 * 6 * 2 * 40 and reads["report"] <= 2 * 6 * 2 * 50
    figure, table = doa_tables.run_tables(record)
    assert len(figure.data) == 18 and "one edit" in figure.alt  # type: ignore[union-attr]
    assert len(table.rows) == 18  # type: ignore[union-attr]


@pytest.mark.mirror
def test_the_table_shows_readings_beside_the_printed_number(small: dict[str, tuple[Path, Record]]):
    table = doa_tables.readings_table(small["doa"][1])
    printed = [row.cells for row in table.rows if row.kind == "printed"]
    assert [cells[-1] for cells in printed] == ["0.692", "0.845"]
    assert len(table.rows) == 2 * (1 + len(doa.VARIANTS)) and "2 tasks" in table.caption


def test_a_reading_is_held_against_encodings_trial_by_trial():
    base, noise = np.array([0.5, 0.6, 0.4, 0.55, 0.45]), np.array([[0, 0.01, 0, -0.01, 0], [0.2, 0, 0.3, -0.1, 0.1]])
    mine = pd.DataFrame({"searcher": "doa", "protocol": "1pct", "trial": range(5), "tau": base + 0.1})
    theirs = pd.DataFrame({"method": "adj", "budget": "1pct", "trial": range(5), "tau": base + noise[0]})
    other = theirs.assign(method="path", tau=base + noise[1])
    table = doa_tables.against_table("nb201", mine, pd.concat([theirs, other]))
    assert [row.cells[0] for row in table.rows] == ["Adjacency", "Path"]
    assert table.rows[0].cells[2].startswith("0.100") and float(table.rows[0].cells[3]) < 1e-4
    assert float(table.rows[0].cells[4]) == pytest.approx(2 * float(table.rows[0].cells[3]), rel=0.05)
    assert float(table.rows[1].cells[4]) > 0.5


def test_values_of_sentences_are_none_without_records():
    values = doa_tables.values([])
    assert values["doa.nb201.doa_ceiling.all.tau.mean"] is None and set(values.values()) == {None}


def test_names_in_tables_are_those_of_the_experiments():
    assert set(doa_tables.READINGS) == {*doa.VARIANTS, doa.CEILING}
    assert set(doa_tables._ABLATION) == set(doa_ablation.SETTINGS)
    assert set(doa_tables._LINES) == set(doa_distance.PREDICTORS)


@pytest.mark.mirror
def test_zen_scores_of_nas_bench_101_are_refused(tmp_path: Path, mirror: object):
    with pytest.raises(ParameterError, match="10,250"):
        run(experiments.load("doa_distance"), {"space": "nb101", "source": "zen"}, profile="smoke", root=tmp_path)
