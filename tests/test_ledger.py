"""The ledger of label reads."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasrepro import experiments
from nasrepro.benchmarks.base import Column
from nasrepro.benchmarks.ledger import PURPOSES, Ledger
from nasrepro.errors import CorruptData
from nasrepro.runs.records import LabelCount

SIZE = 50
A, B = (Column(dataset, "accuracy", "valid", 200, "mean") for dataset in ("cifar10", "cifar100"))


class _Table:
    """A benchmark whose label of row r is r / 10."""

    name = "toy"
    space: Any = SimpleNamespace(name="toy", size=SIZE)

    def query_many(self, archs: Any, column: Column) -> np.ndarray:
        if len(archs) and (archs.min() < 0 or archs.max() >= SIZE):
            raise IndexError("no such row")
        return np.asarray(archs) / 10


TABLE: Any = _Table()
READS = st.lists(
    st.tuples(
        st.sampled_from(["dinas", "random"]),
        st.sampled_from(PURPOSES),
        st.sampled_from([A, B]),
        st.lists(st.integers(0, SIZE - 1), max_size=20),
    ),
    max_size=12,
)


def _ledger(reads: list[tuple[str, str, Column, list[int]]]) -> Ledger:
    ledger = Ledger()
    for reader, purpose, column, rows in reads:
        ledger.open(TABLE, column, reader).read(np.array(rows, dtype=int), purpose)
    return ledger


def test_a_read_returns_the_labels_and_is_counted():
    ledger = Ledger()
    labels = ledger.open(TABLE, A)
    np.testing.assert_array_equal(labels.read(np.array([3, 3, 7]), "train"), [0.3, 0.3, 0.7])
    labels.read(np.array([7, 8]), "select")
    labels.read(np.arange(SIZE), "threshold")
    assert ledger.counts() == [
        {"reader": "dinas", "purpose": "select", "column": str(A), "distinct": 2, "reads": 2},
        {"reader": "dinas", "purpose": "threshold", "column": str(A), "distinct": SIZE, "reads": SIZE},
        {"reader": "dinas", "purpose": "train", "column": str(A), "distinct": 2, "reads": 3},
    ]
    assert ledger.distinct(purposes=["train", "select"]) == 3  # 3, 7, 8: row 7 is one label, read for two purposes
    assert ledger.distinct() == SIZE
    assert [LabelCount(**count).reads for count in ledger.counts()] == [2, SIZE, 3]


@settings(max_examples=60, deadline=None)
@given(READS)
def test_counts_obey_the_laws_of_sets(reads):
    ledger = _ledger(reads)
    rows = {(r, p, c): {x for q in reads if q[:3] == (r, p, c) for x in q[3]} for r, p, c, _ in reads}
    for count in ledger.counts():
        assert count["distinct"] <= count["reads"]
    assert sum(count["reads"] for count in ledger.counts()) == sum(len(q[3]) for q in reads)

    def expected(reader=None, purposes=None, column=None):
        return len(
            {
                (c, x)
                for (r, p, c), seen in rows.items()
                if reader in (None, r) and (purposes is None or p in purposes) and column in (None, c)
                for x in seen
            }
        )

    for reader in (None, "dinas", "random"):
        for purposes in (None, ["train"], ["train", "threshold"], list(PURPOSES), []):
            for column in (None, A, B):
                assert ledger.distinct(reader, purposes, column) == expected(reader, purposes, column)


@settings(max_examples=40, deadline=None)
@given(READS, READS)
def test_state_round_trips_through_json_and_continues(first, second):
    ledger = _ledger(first)
    resumed = Ledger()
    resumed.load_state_dict(json.loads(json.dumps(ledger.state_dict())))
    assert resumed.counts() == ledger.counts()
    for reader, purpose, column, rows in second:
        resumed.open(TABLE, column, reader).read(np.array(rows, dtype=int), purpose)
    whole = _ledger(first + second)
    assert resumed.counts() == whole.counts() and resumed.distinct() == whole.distinct()


@settings(max_examples=40, deadline=None)
@given(READS, READS)
def test_merging_is_reading_in_one_ledger_in_either_order(first, second):
    one, other = _ledger(first), _ledger(second)
    one.merge(_ledger(second))
    other.merge(_ledger(first))
    whole = _ledger(first + second)
    assert one.counts() == other.counts() == whole.counts()
    assert one.distinct() == other.distinct() == whole.distinct()


def test_a_merged_ledger_shares_no_memory_with_its_source():
    source, target = _ledger([("dinas", "train", A, [1])]), Ledger()
    target.merge(source)
    target.open(TABLE, A).read(np.array([2, 3]), "train")
    assert source.distinct() == 1 and target.distinct() == 3


def test_the_state_of_a_whole_space_is_small():
    ledger = Ledger()
    ledger._belong_to("nb201", 5**6)
    ledger.note("dinas", "select", A, np.random.default_rng(0).integers(5**6, size=8000))
    assert len(json.dumps(ledger.state_dict())) < 3500


def test_a_mistyped_purpose_is_refused_and_nothing_is_counted():
    ledger = Ledger()
    labels = ledger.open(TABLE, A)
    with pytest.raises(ValueError, match=r"'trian'.*Did you mean `train`"):
        labels.read(np.array([1]), "trian")
    with pytest.raises(ValueError, match="not for 'reports'"):
        ledger.distinct(purposes=["reports"])
    assert ledger.counts() == []


def test_a_failed_read_is_not_counted():
    ledger = Ledger()
    with pytest.raises(IndexError):
        ledger.open(TABLE, A).read(np.array([1, -1]), "select")
    with pytest.raises(ValueError, match="one-dimensional"):
        ledger.open(TABLE, A).read(np.array([[1]]), "select")
    assert ledger.counts() == [] and ledger.distinct() == 0


def test_an_empty_read_is_no_read():
    ledger = Ledger()
    assert len(ledger.open(TABLE, A).read(np.array([]), "select")) == 0
    assert ledger.distinct() == 0 and ledger.counts()[0]["reads"] == 0


def test_a_ledger_belongs_to_one_space():
    ledger = Ledger()
    ledger.open(TABLE, A)
    sister: Any = SimpleNamespace(name="costs", space=TABLE.space, query_many=TABLE.query_many)
    ledger.open(sister, B).read(np.array([1]), "select")
    other: Any = SimpleNamespace(name="toy", space=SimpleNamespace(name="toy", size=SIZE + 1))
    with pytest.raises(ValueError, match="counts labels of the space toy"):
        ledger.open(other, A)


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.pop("entries"),
        lambda s: s.update(version=1),
        lambda s: s["entries"][0].update(rows="AAAA"),
        lambda s: s["entries"][0].update(rows=s["entries"][0]["rows"][:-6]),
        lambda s: s["entries"][0].update(purpose="trian"),
        lambda s: s["entries"][0].update(reads=0),
        lambda s: s.update(size=500),
    ],
)
def test_a_damaged_state_is_refused_and_changes_nothing(change):
    state = json.loads(json.dumps(_ledger([("dinas", "train", A, [1, 2])]).state_dict()))
    change(state)
    ledger = _ledger([("random", "select", B, [5])])
    before = ledger.state_dict()
    with pytest.raises(CorruptData, match="not the state of a ledger"):
        ledger.load_state_dict(state)
    assert ledger.state_dict() == before


@settings(max_examples=40, deadline=None)
@given(READS, READS, READS)
def test_what_is_overheard_is_what_was_read_meanwhile(before, meanwhile, after):
    ledger = Ledger()

    def read(reads):
        for reader, purpose, column, rows in reads:
            ledger.open(TABLE, column, reader).read(np.array(rows, dtype=int), purpose)

    read(before)
    with ledger.overheard() as outer:
        read(meanwhile)
        with ledger.overheard() as inner:
            read(after)
        ledger.merge(_ledger([("dinas", "train", A, [1, 2])]))  # read elsewhere
    read(before)
    assert outer.counts() == _ledger(meanwhile + after).counts() and inner.counts() == _ledger(after).counts()
    assert ledger.distinct() == _ledger([*before, *meanwhile, *after, ("dinas", "train", A, [1, 2])]).distinct()
    assert Ledger.of([inner, outer]).distinct() == outer.distinct()


def _calls(source: str) -> set[str]:
    """Return what a module does about labels that `Labels.read` is for."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Ledger":
            found.add("makes a ledger")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr == "note":
                found.add("counts by hand")
            elif node.func.attr == "query_many":
                found.add("asks a benchmark past the ledger")
    return found


# module -> what it may do all the same, and why
_ALLOWED = {
    # the curves are made of labels that `spend` read, in the order in which it read them
    "delta_search": {"asks a benchmark past the ledger"},
}


@pytest.mark.parametrize("path", sorted(Path(experiments.__file__).parent.glob("*.py")), ids=lambda p: p.stem)
def test_experiments_read_labels_through_the_ledger_of_their_run(path: Path):
    """Else a record's `labels` are not what was read. Only `RunContext.stage` makes ledgers, and merges them."""
    assert _calls(path.read_text(encoding="utf-8")) <= _ALLOWED.get(path.stem, set())


def test_a_ledger_of_an_experiments_own_would_be_noticed():
    assert _calls("x = task.labels(Ledger(), 'pool')") == {"makes a ledger"}
    assert _calls("ledger.note('me', 'train', c, ids)") == {"counts by hand"}
    assert _calls("values = NB201Benchmark().query_many(rows, c)") == {"asks a benchmark past the ledger"}


class _Endless(_Table):
    """A benchmark of a space that is not finite; the label of a word is its length."""

    name = "words"
    space: Any = SimpleNamespace(name="words", size=None, key=lambda arch: arch.lower())

    def query_many(self, archs: Any, column: Column) -> np.ndarray:
        return np.array([float(len(arch)) for arch in archs])


ENDLESS: Any = _Endless()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.sampled_from(["a", "A", "bb", "ccc", "dd", "e"]), max_size=6), max_size=6))
def test_without_rows_architectures_are_told_apart_by_their_keys(reads: list[list[str]]):
    one, parts = Ledger(), []
    for words in reads:
        np.testing.assert_array_equal(one.open(ENDLESS, A).read(words, "select"), [len(w) for w in words])
        parts.append(Ledger())
        parts[-1].open(ENDLESS, A).read(words, "select")
    different = len({w.lower() for words in reads for w in words})
    assert one.distinct() == different
    merged = Ledger()
    for part in parts:
        merged.merge(part)
    assert merged.counts() == one.counts() and merged.distinct() == different
    again = Ledger()
    again.load_state_dict(json.loads(json.dumps(one.state_dict())))
    assert again.counts() == one.counts()
    again.open(ENDLESS, A).read(["zzzz"], "select")
    assert again.distinct() == different + 1


def test_a_ledger_of_rows_does_not_take_keys():
    ledger = Ledger()
    ledger.open(TABLE, A).read(np.array([1]), "train")
    with pytest.raises(ValueError, match="counts labels of the space toy"):
        ledger.open(ENDLESS, A)
