"""The experiment behind Table 1 of Delta-NAS: what is trained on what, what is counted, and what the page shows."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from nasrepro import experiments
from nasrepro.benchmarks.base import Column
from nasrepro.benchmarks.ledger import Ledger
from nasrepro.benchmarks.remembered import Remembered
from nasrepro.benchmarks.tabular import TabularBenchmark
from nasrepro.experiments.delta.encodings import ALONE, METHODS, EncodingParameters, EncodingTrials, _differences, ridge
from nasrepro.predictors.ranking_networks import MLP, RankingConfig, RankingEnsemble
from nasrepro.report.delta import table_1 as encoding_tables
from nasrepro.runs.claims import load_claims
from nasrepro.runs.plan import Shown
from nasrepro.runs.printed import printed
from nasrepro.runs.run import RunContext, run
from nasrepro.seeding import derive

TINY = {"trials": 2, "pairs": 20, "test_cells": 40, "epochs": 2, "flan_epochs": 1, "flan_large_epochs": 1}


def study(tmp_path: Path, **given: object) -> EncodingTrials:
    parameters = EncodingParameters.model_validate(TINY | given)
    return EncodingTrials(parameters, RunContext(tmp_path, tmp_path / "models", "cpu"))


def test_a_network_of_many_tasks_and_trials_is_the_one_trained_alone(mirror: Path, tmp_path: Path) -> None:
    of = study(tmp_path, space="tnb101", method="zcp")
    known, _ = of.labels(Ledger(), "zcp", "1pct")
    pool, together = of.encodings.pool, of.networks("zcp", "1pct", known)
    task, trial = 3, 1
    number = task * 2 + trial
    inputs, cells = [torch.from_numpy(of.encodings.proxies[task])], pool.train["1pct"][trial][None]
    alone = RankingEnsemble(lambda: MLP(inputs[0].shape[1]), RankingConfig(epochs=2, batch_size=8))
    alone.fit(inputs, cells, known[number][None], [derive(0, "zcp", "1pct", number)])
    np.testing.assert_allclose(together[number], alone.predict(inputs, pool.judged[trial][None])[0], atol=1e-4)


def test_the_pool_has_the_cells_of_the_tasks_in_their_places(mirror: Path, tmp_path: Path) -> None:
    of = study(tmp_path, space="nb301")
    task, pool = of.tasks[0], of.encodings.pool

    def keys(cells: object) -> list[str]:
        return [task.space.key(arch) for arch in cells]  # type: ignore[attr-defined]

    known = keys(pool.cells)
    assert len(set(known)) == len(known)
    for trial in range(2):
        assert [known[k] for k in pool.train["1pct"][trial]] == keys(task.train_cells("1pct", trial))
        assert [known[k] for k in pool.test[trial]] == keys(task.test_cells(trial)[:40])
        anchors, neighbours = task.held_out_pairs(trial, 20)
        assert [known[k] for k in pool.neighbours[trial]] == keys(neighbours)
        assert [known[k] for k in pool.anchors[trial]] == keys(anchors)


def test_a_run_counts_its_labels_and_the_table_shows_it(mirror: Path, tmp_path: Path) -> None:
    given = TINY | {"space": "nb201", "method": "practitioner"}
    mine = run(experiments.load("encodings"), given, profile="smoke", root=tmp_path, device="cpu")
    record = mine[1]
    rows = {row["protocol"]: row for row in record.metrics["rows"]}
    assert {budget: row["labels"] for budget, row in rows.items()} == {"1pct": 156, "10pct": 1_563}
    assert rows["10pct"]["tau"]["mean"] > rows["1pct"]["tau"]["mean"] > 0.5
    trained = next(c for c in record.labels if c.purpose == "train")
    assert trained.reader == "practitioner" and trained.reads == 2 * (156 + 1_563)
    text = encoding_tables.encoding_table("nb201", Shown([], mine)).to_text(300)
    assert "1,563" in text and f"{rows['10pct']['tau']['mean']:.3f}" in text
    assert Shown([mine]).record("delta.table1.nb201.encodings") is None  # a smoke run answers no claim


def test_xgboost_is_a_method_asked_for_by_its_name_and_ranks_with_as_many_labels(mirror: Path, tmp_path: Path) -> None:
    given = TINY | {"space": "nb201", "method": "xgboost"}
    _, record = run(experiments.load("encodings"), given, profile="smoke", root=tmp_path, device="cpu")
    rows = {row["protocol"]: row for row in record.metrics["rows"]}
    assert {budget: row["labels"] for budget, row in rows.items()} == {"1pct": 156, "10pct": 1_563}
    assert rows["10pct"]["tau"]["mean"] > rows["1pct"]["tau"]["mean"] > 0.5
    assert {c.reads for c in record.labels if c.purpose == "train"} == {2 * (156 + 1_563)}


def test_the_labels_of_a_record_are_what_the_benchmark_was_asked(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both by rows, where every read is a question, and where answers are remembered, by what is asked at all."""
    asked: Counter[str] = Counter()
    original = TabularBenchmark.query_many

    def spy(self: Any, archs: Any, column: Column) -> np.ndarray:
        if column.split not in ("proxy", "model"):  # scores of untrained networks are no labels
            asked[str(column)] += len(archs)
        return original(self, archs, column)

    monkeypatch.setattr(TabularBenchmark, "query_many", spy)
    given = TINY | {"space": "nb201", "method": "practitioner_zcp"}
    _, record = run(experiments.load("encodings"), given, profile="smoke", root=tmp_path, device="cpu")
    counted: Counter[str] = Counter()
    for count in record.labels:
        assert count.reader == "practitioner_zcp"
        counted[count.column] += count.reads
    assert counted == asked
    # two budgets, two trials: 156 and 1,563 to train on, 40 test cells and 20 pairs to judge by
    assert {c.purpose: c.reads for c in record.labels} == {"train": 2 * (156 + 1_563), "report": 2 * 2 * (40 + 2 * 20)}


def test_a_remembered_benchmark_answers_as_the_benchmark_and_is_asked_once() -> None:
    asked: list[list[str]] = []

    class Words:
        space = SimpleNamespace(name="words", size=None, key=lambda arch: arch.lower())

        def query_many(self, archs: Any, column: Column) -> np.ndarray:
            asked.append(list(archs))
            return np.array([float(len(arch)) for arch in archs])

    column = Column("cifar10", "accuracy", "valid", 200, "mean")
    words: Any = Remembered(Words(), ["a", "bb"])  # type: ignore[arg-type]
    labels = Ledger().open(words, column, "me")
    assert labels.read(["BB", "a", "a", "ccc"], "train").tolist() == [2, 1, 1, 3]
    assert labels.read(["ccc", "bb"], "report").tolist() == [3, 2]
    assert asked == [["a", "bb"], ["ccc"]]
    assert {c["purpose"]: c["reads"] for c in labels.ledger.counts()} == {"train": 4, "report": 2}


def test_differences_are_neighbour_minus_anchor() -> None:
    values = np.array([9.0, 9.0, 1.0, 2.0, 11.0, 22.0])  # two test cells, two anchors, two neighbours
    assert _differences(values, 2).tolist() == [10, 20]


def test_ridge_tends_to_least_squares() -> None:
    rng = np.random.default_rng(0)
    x, weights = rng.normal(size=(50, 3)), np.array([1.0, -2.0, 0.5])
    np.testing.assert_allclose(ridge(x, x @ weights + 4, x[:5], 1e-9), x[:5] @ weights + 4, atol=1e-6)
    assert abs(ridge(x, x @ weights + 4, x[:5], 1e9) - (x @ weights + 4).mean()).max() < 1e-4


def test_every_printed_number_is_claimed() -> None:
    frame = printed("delta_table1")
    assert len(frame) == 56 and not frame.duplicated(["space", "encoding", "budget"]).any()
    claimed = {c.id: c for c in load_claims() if c.id.startswith("delta.table1.")}
    for row in frame[frame["encoding"] != "doa"].itertuples():
        claim = claimed[f"delta.table1.{row.space}.{row.encoding}.{row.budget}"]
        assert claim.printed == row.tau and not claim.as_printed
        assert [answer.row for answer in claim.ours] == [(row.encoding, row.budget)]
        assert bool(claim.not_comparable) == (row.space == "nb301")


@pytest.mark.parametrize("space", encoding_tables.SPACES)
def test_a_table_without_a_record_has_every_printed_number_and_says_what_is_missing(space: str) -> None:
    table = encoding_tables.encoding_table(space, Shown([]))
    assert len(table.rows) == 7 + len(encoding_tables.GAUSSIAN)
    shown = [cell for row in table.rows[:7] for cell in (row.cells[1], row.cells[4])]
    assert sorted(map(float, shown)) == sorted(printed("delta_table1").query("space == @space")["tau"])
    assert all(row.cells[2] == "not run" for row in table.rows) and "nasrepro run encodings" in table.caption


def test_the_methods_of_the_parameter_are_those_that_exist() -> None:
    schema = EncodingParameters.model_json_schema()["properties"]["method"]["enum"]
    assert schema == ["all", *METHODS, *ALONE]
