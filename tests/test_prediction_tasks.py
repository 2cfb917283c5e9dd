"""The tasks of Table 1: what is trained on is nested, what is tested was never seen, and every label is counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nasrepro.benchmarks.ledger import Ledger
from nasrepro.encodings.cells import Cells, architectures
from nasrepro.errors import ParameterError
from nasrepro.experiments.delta.prediction_tasks import PredictionTask, prediction_tasks


def ids(task: PredictionTask, cells: Cells) -> list[object]:
    """Return one hashable name per cell, equal for isomorphic cells."""
    return cells.tolist() if isinstance(cells, np.ndarray) else [task.space.key(a) for a in cells]


@pytest.mark.parametrize("name", ["nb101", "nb201", "tnb101", "nb301"])
def test_training_sets_are_nested_and_test_cells_unseen(mirror: Path, name: str) -> None:
    task = prediction_tasks(name)[0]
    key = {budget: ids(task, task.train_cells(budget, 3)) for budget in task.budgets}
    sizes = list(task.budgets.values())
    assert sizes == sorted(sizes) and [len(keys) for keys in key.values()] == sizes
    largest = max(key.values(), key=len)
    assert all(largest[: len(keys)] == keys for keys in key.values())
    test = set(ids(task, task.test_cells(3)))
    assert len(test) == (task.test_size or task.space.size - max(sizes))  # type: ignore[operator]
    assert not test & set(largest)
    assert key["1pct"] != ids(task, task.train_cells("1pct", 4))


@pytest.mark.parametrize("name", ["nb101", "nb201", "nb301"])
def test_held_out_pairs_are_one_edit_apart_and_not_trained_on(mirror: Path, name: str) -> None:
    task = prediction_tasks(name)[0]
    anchors, neighbours = (architectures(task.space, cells) for cells in task.held_out_pairs(0, 60))
    assert len(anchors) == len(neighbours) == 60
    assert all(task.space.distance(a, b) == 1 for a, b in zip(anchors, neighbours, strict=True))
    trained = {task.space.key(a) for a in architectures(task.space, task.train_cells(list(task.budgets)[-1], 0))}
    assert not trained & {task.space.key(a) for a in [*anchors, *neighbours]}
    assert architectures(task.space, task.held_out_pairs(0, 20)[1]) == neighbours[:20]


def test_every_label_is_counted_by_purpose(mirror: Path) -> None:
    ledger = Ledger()
    first, second = prediction_tasks("tnb101")[:2]
    cells = first.train_cells("1pct", 0)
    labels = first.labels(ledger, "me").read(cells, "train")
    assert np.isfinite(labels).all() and len(cells) == 41
    first.labels(ledger, "me").read(first.test_cells(0), "report")
    second.labels(ledger, "me").read(cells, "train")
    assert ledger.distinct("me", ["train"], first.column) == 41
    assert ledger.distinct("me", ["report"]) == 4_096 - 410
    assert ledger.distinct("me", ["train"]) == 2 * 41  # the same cells, another column


def test_what_does_not_exist_is_refused_by_name(mirror: Path) -> None:
    with pytest.raises(ParameterError, match="nb201"):
        prediction_tasks("nb202")
    with pytest.raises(ParameterError, match="10pct"):
        prediction_tasks("nb201")[0].train_cells("10", 0)
