"""Search on spaces that are not numbered: identity by key, pairs of cells, and the experiments built on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nasrepro import experiments
from nasrepro.benchmarks.base import Column
from nasrepro.benchmarks.ledger import Ledger
from nasrepro.benchmarks.nb201 import NB201Benchmark
from nasrepro.benchmarks.nb301 import SURROGATE_ACCURACY, NB301Benchmark
from nasrepro.benchmarks.nlp import NLPBenchmark
from nasrepro.errors import ParameterError
from nasrepro.experiments.dinas.baselines import SEARCHERS
from nasrepro.experiments.dinas.generation import Generation
from nasrepro.experiments.dinas.surrogates import best_of_runs, variety
from nasrepro.report.dinas import table_3 as surrogate_tables
from nasrepro.runs import records
from nasrepro.runs.claims import metric_row
from nasrepro.runs.novelty import novelty, uniqueness
from nasrepro.runs.plan import Shown
from nasrepro.runs.protocols import PAPER, is_cell, run_rows
from nasrepro.runs.records import Record
from nasrepro.runs.run import run
from nasrepro.search.base import Proposal, spend
from nasrepro.search.dinas import CellPairs
from nasrepro.search.random_search import TopClassDraw
from nasrepro.spaces.base import SearchSpace
from nasrepro.spaces.darts.space import DARTS_CELL, NB301, NB301Space
from nasrepro.spaces.nb201 import NB201
from nasrepro.spaces.nlp.space import NLP

VALID = Column("cifar10", "accuracy", "valid", 200, "mean")
NAMES = st.lists(st.sampled_from("abcdef"), max_size=12)
CELL = ((0, 3), (1, 4), (0, 3), (2, 5), (1, 0), (2, 1), (3, 2), (4, 6))


class _Scripted:
    name = "dinas"

    def __init__(self, proposals: Sequence[Proposal]) -> None:
        self._left = list(proposals)

    def ask(self, n: int) -> list[Proposal]:
        taken, self._left = self._left[:n], self._left[n:]
        return taken

    def tell(self, proposals: Sequence[Proposal], values: np.ndarray) -> None:
        pass


class _RandomCells(_Scripted):
    """Random cells, one in five of them none."""

    def __init__(self, space: SearchSpace[Any], seed: int) -> None:
        self._space, self._rng = space, np.random.default_rng(seed)

    def ask(self, n: int) -> list[Proposal]:
        drawn = [Proposal(self._space.sample(self._rng)) for _ in range(n)]
        return [Proposal(None, "edges") if self._rng.random() < 0.2 else p for p in drawn]


class _Keyed:
    """NAS-Bench-201 as if its cells could not be numbered."""

    space = SimpleNamespace(name="keyed", size=None, key=lambda arch: str(NB201.index(arch)), to_string=NB201.to_string)

    def query_many(self, archs: Any, column: Column) -> np.ndarray:
        return NB201Benchmark().query_many(NB201.rows(archs), column)


def _renumbered(cell: Any) -> Any:
    """Swap the first two intermediate nodes, which do not read each other."""
    swap = {2: 3, 3: 2}
    slots = [(swap.get(source, source), op) for source, op in cell]
    return (*slots[2:4], *slots[:2], *slots[4:])


@settings(max_examples=30, deadline=None)
@given(rows=st.lists(st.integers(-1, 9), min_size=1, max_size=40), batch=st.sampled_from([1, 3, 50]))
def test_a_search_is_the_same_whether_or_not_the_space_is_numbered(rows: list[int], batch: int):
    proposals = [Proposal(None, "edges") if r < 0 else Proposal(NB201.from_index(r)) for r in rows]
    found, ledgers = [], []
    for benchmark in (NB201Benchmark(), _Keyed()):
        ledger = Ledger()
        labels = ledger.open(benchmark, VALID, "s")  # type: ignore[arg-type]
        found.append(spend(_Scripted(proposals), benchmark.space, labels, 5, batch=batch, most_draws=30))
        ledgers.append(ledger.counts())
    numbered, keyed = found
    assert ledgers[0] == ledgers[1]
    assert keyed["key"].tolist() == ["" if row < 0 else str(row) for row in numbered["row"]]
    assert keyed["arch"].tolist() == ["" if r < 0 else NB201.to_string(NB201.from_index(r)) for r in numbered["row"]]
    pd.testing.assert_frame_equal(keyed[["query", "reason", "value"]], numbered[["query", "reason", "value"]])
    assert (is_cell(keyed) == is_cell(numbered)).all()
    runs = [run_rows(t.assign(searcher="s", training=0, run=0), PAPER, 4, 90.0, None) for t in found]
    pd.testing.assert_frame_equal(runs[0].drop(columns="row"), runs[1].drop(columns="arch"))


def test_isomorphic_cells_are_one_architecture_and_one_label():
    cell = ((0, 3), (1, 4), (0, 5), (1, 6), (2, 0), (3, 1), (0, 2), (4, 6))
    pairs = [(cell, cell), (_renumbered(cell), cell), (cell, CELL)]
    assert NB301.key(pairs[0]) == NB301.key(pairs[1]) and NB301.to_string(pairs[0]) != NB301.to_string(pairs[1])
    benchmark, ledger = _Toy(), Ledger()
    trace = spend(
        _Scripted([Proposal(p) for p in pairs]), NB301, ledger.open(benchmark, SURROGATE_ACCURACY, "s"), 3, batch=3
    )
    assert [c["reads"] for c in ledger.counts()] == [2]
    assert trace["key"].nunique() == 2 and trace["arch"].nunique() == 3 and trace["value"][0] == trace["value"][1]
    assert variety(trace, NB301, [pairs[1]]) == {
        "validity": 1.0, "novelty": 1 / 3, "novelty_exact": 2 / 3, "uniqueness": 1 / 3, "uniqueness_exact": 1.0,
    }  # fmt: skip


class _Toy(NB301Benchmark):
    """A label that anyone can count: separable convolutions, those of the normal cell first."""

    def query_many(self, archs: Any, column: Column) -> np.ndarray:
        read = [NB301.misread(arch) if self.misread else arch for arch in archs]
        if column != SURROGATE_ACCURACY:
            return np.array([0.5 if pair[1][0][1] < 4 else 1.5 for pair in read])  # the distance
        return np.array(
            [sum((3, 1)[half] * (op in (3, 4)) for half in (0, 1) for _, op in p[half]) for p in read], float
        )

    def checksums(self, columns: Any) -> dict[str, str]:
        return {"toy": "0" * 64}


@pytest.mark.parametrize("chunk", [1, 3, 8, 20])
def test_pairs_are_all_combinations_block_by_block(chunk: int):
    rng = np.random.default_rng(0)
    cells = [DARTS_CELL.sample(rng) for _ in range(16)]
    normal, reduction = ([Proposal(c) for c in part] for part in (cells[:8], cells[8:]))
    normal[1] = Proposal(None, "edges")
    reduction[2] = Proposal(None, "inputs")
    searcher = CellPairs(_Scripted(normal), _Scripted(reduction), side=2)
    drawn: list[Proposal] = []
    while len(drawn) < 16:
        drawn += searcher.ask(min(chunk, 16 - len(drawn)))
    expected = [(a, b) for k in range(0, 8, 2) for a in normal[k : k + 2] for b in reduction[k : k + 2]]
    for proposal, (a, b) in zip(drawn, expected, strict=True):
        if a.arch is None or b.arch is None:
            assert proposal.arch is None
        else:
            assert proposal == Proposal((a.arch, b.arch))
    assert Counter(p.reason for p in drawn) == {"": 12, "normal edges": 2, "reduction inputs": 2}


def test_pairs_of_side_one_use_every_sample_once():
    cells = [Proposal(DARTS_CELL.sample(np.random.default_rng(s))) for s in range(10)]
    drawn = CellPairs(_Scripted(cells[:5]), _Scripted(cells[5:])).ask(5)
    assert [p.arch for p in drawn] == [(a.arch, b.arch) for a, b in zip(cells[:5], cells[5:], strict=True)]


def test_the_control_draws_architectures_uniformly_where_there_are_no_rows():
    winners = [NLP.sample(np.random.default_rng(s)) for s in range(4)]
    drawn = [p.arch for p in TopClassDraw(NLP, winners, np.random.default_rng(0)).ask(4_000)]
    assert stats.chisquare([drawn.count(w) for w in winners]).pvalue > 1e-3


@given(drawn=NAMES, known=NAMES)
def test_novelty_and_uniqueness_are_what_the_paper_says(drawn: list[str], known: list[str]):
    if not drawn:
        assert novelty(drawn, known) is None and uniqueness(drawn) is None
        return
    assert novelty(drawn, known) == sum(d not in known for d in drawn) / len(drawn)
    assert uniqueness(drawn) == sum(drawn.count(d) == 1 for d in drawn) / len(drawn)


def test_a_score_turns_labels_into_what_is_maximised():
    labels = Ledger().open(NB201Benchmark(), VALID, "s", lambda values: 100 - values)
    rows = np.arange(5)
    np.testing.assert_allclose(labels.read(rows, "train") + NB201Benchmark().query_many(rows, VALID), 100)


@pytest.mark.parametrize("name", [n for n in SEARCHERS if n != "random"])
def test_every_searcher_beats_random_search_where_there_are_no_rows(name: str):
    """Best of a budget, one-sided Mann-Whitney test; evolution has first to draw its population of 30."""
    queries, runs = (150, 8) if name == "evolution" else (45, 3)

    def best(searcher: str, runs: int) -> list[float]:
        labels = Ledger().open(_Toy(), SURROGATE_ACCURACY, searcher)
        make = SEARCHERS[searcher]
        return [
            spend(make(NB301, np.random.default_rng(s)), NB301, labels, queries)["value"].max() for s in range(runs)
        ]

    assert stats.mannwhitneyu(best(name, runs), best("random", 20), alternative="greater").pvalue < 0.05


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Path, Record]]:
    """Run an experiment on toy labels, with random cells in the place of samples (one in five of them none)."""
    losses = lambda cells: np.array([5 + sum(o * 1.7**k for k, o in enumerate(c.operations)) / 1e3 for c in cells])  # noqa: E731
    logged = [NLP.sample(np.random.default_rng(s)) for s in range(301)]
    for name in ("query_many", "checksums"):
        monkeypatch.setattr(NB301Benchmark, name, getattr(_Toy, name))
        monkeypatch.setattr(NLPBenchmark, name, {"checksums": _Toy.checksums}.get(name, lambda s, a, column: losses(a)))
    monkeypatch.setattr(NLPBenchmark, "labelled", lambda self, column: logged)
    monkeypatch.setattr(Generation, "searcher", lambda self, model, space, training, seed: _RandomCells(space, seed))
    return lambda name, root, **given: run(experiments.load(name), given, profile="smoke", root=root, device="cpu")


def test_ten_by_ten_combinations_cost_a_hundred_queries_and_invalid_ones_count(toy: Any, tmp_path: Path):
    folder, record = toy("nb301", tmp_path)
    trace = records.load_table(folder, record, "trace.parquet")
    assert trace.loc[trace["searcher"] == "top_class", "value"].min() > record.metrics["cuts"][-1]  # a value of many
    trace = trace.query("searcher == 'dinas' and query < 25")
    for _, part in trace.groupby(["training", "run"]):
        keys = part.loc[part["key"] != "", "key"]
        halves = [set(keys.str.split("-").str[k]) for k in (0, 1)]
        assert len(part) == 25 and set(keys) == {f"{a}-{b}" for a in halves[0] for b in halves[1]}
        assert len(keys) == len(halves[0]) * len(halves[1])  # 5 x 5 less what the invalid cells spoil
    row = metric_row(record, "dinas", PAPER)
    assert row is not None and 0.3 < row["validity"]["mean"] < 1
    counts = {(c.reader, c.purpose): c for c in record.labels if "surrogate_accuracy" in c.column}
    assert counts["dinas", "train"].distinct == counts["dinas", "threshold"].distinct == 500
    assert row["labels_before_search"] == 500 and 25 < counts["dinas", "select"].distinct <= 2 * 25
    frame = surrogate_tables.search_table("nb301", Shown([], (folder, record))).to_frame()
    told = ["DiNAS", "DiNAS, distinct valid queries", surrogate_tables.TOP_CLASS]
    assert list(frame["Method"]) == told  # your run in the place of the committed one


def test_the_error_of_the_public_code_is_measured_on_the_same_samples(toy: Any, tmp_path: Path):
    rightly, publicly = (toy("nb301", tmp_path, decode=decode)[1] for decode in ("correct", "public_code"))
    found, row = rightly.metrics["misreading"], metric_row(publicly, "dinas", PAPER)
    assert row is not None and publicly.metrics["misreading"] is None
    assert found["best_as_reported"] == row["best_valid"]
    best = metric_row(rightly, "dinas", PAPER)
    assert best is not None and found["best_if_read_rightly"]["mean"] == best["best_valid"]["mean"]
    assert found["worth_of_it"]["mean"] <= found["best_if_read_rightly"]["mean"]
    assert found["best_as_reported"]["mean"] != found["best_if_read_rightly"]["mean"]


def test_runs_without_a_valid_sample_score_0_and_have_nothing_inside():
    trace = pd.DataFrame(
        {
            "searcher": ["dinas"] * 3 + ["top_class"] * 2, "training": 0, "run": [0, 0, 1, 0, 1],
            "query": [0, 1, 0, 0, 0], "key": ["", "", "", "a", "b"], "arch": ["", "", "", "A", "B"], "reason": "",
            "value": [np.nan] * 3 + [1.0, 2.0], "distance": [np.nan] * 3 + [0.5, 2.0],
        }
    )  # fmt: skip
    runs = best_of_runs(trace, (PAPER, "distinct"), 2, 0.0, {"distance": SURROGATE_ACCURACY})
    failed, sound = runs[runs["searcher"] == "dinas"], runs[runs["searcher"] == "top_class"]
    assert failed["best_valid"].tolist() == [0.0] * 4 and failed[["distance", "best_inside"]].isna().all(axis=None)
    assert sound["distance"].tolist() == [0.5, 2.0] and sound["best_inside"].fillna(-1).tolist() == [1.0, -1]


def test_single_pairs_take_any_number_of_queries_and_combinations_a_square(toy: Any, tmp_path: Path):
    record = toy("nb301", tmp_path, protocol="single", queries=19)[1]
    assert metric_row(record, "dinas", PAPER)["samples"]["mean"] == 19  # type: ignore[index]
    with pytest.raises(ParameterError, match="needs a square"):
        toy("nb301", tmp_path, queries=192)


def test_nas_bench_nlp_is_maximised_as_100_minus_the_loss(toy: Any, tmp_path: Path):
    folder, record = toy("nlp", tmp_path)
    trace = records.load_table(folder, record, "trace.parquet")
    assert trace["value"].max() <= 95.0 and record.metrics["best_label"] == trace["value"].max()
    assert trace.loc[trace["searcher"] == "top_class", "value"].min() > record.metrics["cuts"][-1]
    assert record.metrics["wanted_cells"] == 15  # the 286th of 301 values is the cut
    runs = records.load_table(folder, record, "runs.parquet")
    for entry in runs.query("searcher == 'dinas'").to_dict("records"):
        part = trace[(trace["searcher"] == "dinas") & (trace["run"] == entry["run"])]
        if entry["protocol"] == PAPER:
            part = part[part["query"] < 24]
            assert entry["valid_samples"] == (part["key"] != "").sum() < 24
        else:
            assert entry["distinct_valid"] == part.loc[part["key"] != "", "key"].nunique() == 24
        assert entry["best_valid"] == part["value"].max() and NLP.is_valid(NLP.from_string(entry["arch"]))
    assert record.metrics["novelty"] == record.metrics["generations"]["cells"]["novelty"] > 0


def test_baselines_run_on_spaces_without_rows_and_refuse_what_is_not_there(toy: Any, tmp_path: Path):
    folder, record = toy("baselines", tmp_path, benchmark="nb301", searcher="evolution", queries=12)
    row = metric_row(record, "evolution", PAPER)
    assert row is not None and row["distinct_valid"]["mean"] == 12
    trace, runs = (records.load_table(folder, record, f"{name}.parquet") for name in ("trace", "runs"))
    for entry in runs.to_dict("records"):
        part = trace[trace["run"] == entry["run"]].reset_index(drop=True)
        assert entry["distance"] == part["distance"][part["value"].argmax()] and set(part["distance"]) == {0.5, 1.5}
        assert entry["best_inside"] == part.loc[part["distance"] == 0.5, "value"].max()
    assert row["extrapolated"] == (runs["distance"] > 1).mean()
    assert row["best_inside"]["mean"] == runs["best_inside"].mean()
    assert "arch" not in records.load_table(folder, record, "trace.parquet")
    assert NB301Space().is_valid(NB301.from_string(records.load_table(folder, record, "runs.parquet")["arch"][0]))
    assert len(record.metrics["rows"]) == 1
    with pytest.raises(ParameterError, match="ptb alone"):
        toy("baselines", tmp_path, benchmark="nlp")
