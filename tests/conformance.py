"""Laws that every search space and every benchmark must obey.

A test module makes a class of its own: `class TestLaws(SpaceLaws)` with `space` set, `class TestLaws(BenchmarkLaws)`
with `benchmark` set. What is particular to one space or benchmark stays in its module.
"""

from __future__ import annotations

import itertools
from typing import Any, ClassVar

import networkx as nx
import numpy as np
import pytest
from torch_geometric.data import Batch

from nasrepro.benchmarks import registry
from nasrepro.benchmarks.base import MEAN, SPLITS, TRAINED, Benchmark, Column
from nasrepro.errors import InvalidArchitecture, MissingData, NasreproError, UnknownQuery
from nasrepro.graphs import Graphs
from nasrepro.spaces.base import INVALID, FiniteSpace, SearchSpace


def labelled_digraph(graphs: Graphs, index: int = 0) -> nx.DiGraph:
    """Return one graph of a batch as a networkx graph with the operation class as node label."""
    n = int(graphs.mask[index].sum())
    graph = nx.DiGraph()
    graph.add_nodes_from((i, {"label": int(graphs.nodes[index, i])}) for i in range(n))
    graph.add_edges_from(map(tuple, graphs.adjacency()[index, :n, :n].nonzero().tolist()))
    return graph


def isomorphic(a: nx.DiGraph, b: nx.DiGraph) -> bool:
    """Return whether two labelled graphs are the same up to the names of their nodes."""
    return nx.is_isomorphic(a, b, node_match=lambda x, y: x["label"] == y["label"])


class SpaceLaws:
    """Subclass it and set `space`; `many`, `samples` and `few` bound what the laws look at."""

    space: ClassVar[SearchSpace[Any]]
    many: ClassVar[int] = 100_000  # of the round trip; the whole space where it is no larger
    samples: ClassVar[int] = 2_000
    few: ClassVar[int] = 40
    invalid: ClassVar[tuple[Any, ...]] = (None, "", (), 3.5)

    @pytest.fixture(scope="class")
    @classmethod
    def archs(cls) -> list[Any]:
        rng = np.random.default_rng(0)
        return [cls.space.sample(rng) for _ in range(cls.samples)]

    def test_samples_are_valid_and_depend_on_the_generator_alone(self, archs: list[Any]):
        rng = np.random.default_rng(0)
        assert [self.space.sample(rng) for _ in range(20)] == archs[:20]
        assert all(map(self.space.is_valid, archs))
        assert len({self.space.key(a) for a in archs}) > 1

    def test_encode_then_decode_gives_the_same_cell(self, archs: list[Any]):
        graphs = self.space.encode(archs)
        assert len(graphs) == len(archs) and graphs.n_nodes == self.space.max_nodes
        assert int(graphs.nodes.max()) < len(self.space.node_classes)
        found, kinds = self.space.decode_with_reasons(graphs)
        assert set(kinds) == {""} and None not in found
        assert [self.space.key(a) for a in found] == [self.space.key(a) for a in archs]
        one = self.space.decode_one(graphs, len(archs) - 1)
        assert self.space.key(one) == self.space.key(archs[-1])

    def test_the_whole_space_or_100_000_cells_survive_the_round_trip(self):
        rng = np.random.default_rng(4)
        if isinstance(self.space, FiniteSpace):
            size = self.space.size
            rows = np.arange(size) if size <= self.many else rng.integers(size, size=self.many)
            decoded, kinds = self.space.decode_with_reasons(self.space.encode_rows(rows))
            np.testing.assert_array_equal(self.space.rows(decoded), rows)
            cells = [self.space.from_index(row) for row in rows.tolist()]
            np.testing.assert_array_equal(self.space.rows(cells), rows)
        else:
            cells = [self.space.sample(rng) for _ in range(self.many)]
            found, kinds = self.space.decode_with_reasons(self.space.encode(cells))
            assert list(map(self.space.key, found)) == list(map(self.space.key, cells))
        assert set(kinds) == {""}

    def test_strings_round_trip(self, archs: list[Any]):
        for arch in archs[: self.few * 10]:
            text = self.space.to_string(arch)
            assert self.space.key(self.space.from_string(text)) == self.space.key(arch)
            assert self.space.to_string(self.space.from_string(text)) == text

    def test_what_is_not_in_the_space_is_refused_with_a_reason(self):
        for wrong in self.invalid:
            assert not self.space.is_valid(wrong)
            with pytest.raises(InvalidArchitecture, match=r".{10,}"):
                self.space.check(wrong)
        for text in ("", "no cell", "|||", "[]"):
            with pytest.raises(InvalidArchitecture, match=r".{10,}"):
                self.space.from_string(text)

    def test_random_graphs_are_refused_with_a_kind_or_decode_to_valid_cells(self):
        import torch

        generator = torch.Generator().manual_seed(0)
        n, k = self.space.max_nodes, len(self.space.node_classes)
        graphs = Graphs(
            torch.randint(k, (200, n), generator=generator),
            torch.randint(2, (200, n * (n - 1) // 2), generator=generator),
            torch.ones(200, n, dtype=torch.bool),
        )
        archs, kinds = self.space.decode_with_reasons(graphs)
        for index, (arch, kind) in enumerate(zip(archs, kinds, strict=True)):
            if arch is None:
                assert kind and kind.isidentifier()
                with pytest.raises(InvalidArchitecture) as caught:
                    self.space.decode_one(graphs, index)
                assert caught.value.kind == kind
            else:
                assert kind == "" and self.space.is_valid(arch)
        assert any(kinds)

    def test_neighbours_are_valid_distinct_one_edit_away_and_symmetric(self, archs: list[Any]):
        for arch in archs[: self.few]:
            near = self.space.neighbours(arch)
            keys = [self.space.key(b) for b in near]
            assert near and len(set(keys)) == len(keys) and self.space.key(arch) not in keys
            for other in near[:: max(1, len(near) // 5)]:
                assert self.space.is_valid(other)
                assert self.space.distance(arch, other) == 1
                assert self.space.key(arch) in {self.space.key(c) for c in self.space.neighbours(other)}

    def test_mutations_are_neighbours(self, archs: list[Any]):
        rng = np.random.default_rng(1)
        for arch in archs[:10]:
            keys = {self.space.key(b) for b in self.space.neighbours(arch)}
            assert all(self.space.key(self.space.mutate(arch, rng)) in keys for _ in range(10))

    def test_distance_is_a_metric_on_samples(self, archs: list[Any]):
        d = self.space.distance
        for a, b, c in itertools.islice(zip(archs[::3], archs[1::3], archs[2::3], strict=False), self.few):
            assert d(a, a) == 0
            assert d(a, b) == d(b, a)
            assert (d(a, b) == 0) == (self.space.key(a) == self.space.key(b))
            assert d(a, c) <= d(a, b) + d(b, c)

    def test_a_walk_of_k_edits_ends_at_most_k_away(self, archs: list[Any]):
        rng = np.random.default_rng(2)
        for arch in archs[:10]:
            other = arch
            for k in range(1, 4):
                other = self.space.mutate(other, rng)
                assert self.space.distance(arch, other) <= k

    def test_rows_and_cells_name_each_other(self, archs: list[Any]):
        if not isinstance(self.space, FiniteSpace):
            assert self.space.size is None
            return
        rows = self.space.rows(archs)
        assert rows.dtype == np.int64 and rows.min() >= 0 and rows.max() < self.space.size
        assert [self.space.index(a) for a in archs[: self.few]] == rows[: self.few].tolist()
        assert self.space.rows([self.space.from_index(int(r)) for r in rows]).tolist() == rows.tolist()
        assert len(set(rows.tolist())) == len({self.space.key(a) for a in archs})
        decoded, kinds = self.space.decode_with_reasons(self.space.encode_rows(rows))
        assert self.space.rows(decoded).tolist() == rows.tolist() and set(kinds) == {""}
        for wrong in (-1, self.space.size):
            with pytest.raises(InvalidArchitecture, match=r"rows? 0 to"):
                self.space.from_index(wrong)
        assert len(self.space.rows([])) == 0 and INVALID not in rows


class GraphSpaceLaws(SpaceLaws):
    """The laws of a space whose cells are the same exactly when their graph forms are isomorphic.

    Not of one where the nodes of the graph form stand for fixed places, so that an isomorphism of graphs is none of
    cells; its module has a test of its own.
    """

    def test_keys_are_equal_exactly_for_isomorphic_cells(self, archs: list[Any]):
        rng = np.random.default_rng(3)
        some = archs[: self.few]
        some += [self.space.mutate(a, rng) for a in some] + [
            self.space.mutate(self.space.mutate(a, rng), rng) for a in some
        ]
        graphs = [labelled_digraph(self.space.encode([a])) for a in some]
        keys = [self.space.key(a) for a in some]
        pairs = itertools.combinations(range(len(some)), 2)
        for i, j in itertools.islice(pairs, 0, None, 7):
            assert (keys[i] == keys[j]) == isomorphic(graphs[i], graphs[j])


class BenchmarkLaws:
    """Subclass it and set `benchmark`; `optima` are printed in the sources' descriptions.

    `needs_mirror` skips the laws where the raw files are not on this machine.
    """

    benchmark: ClassVar[type[Benchmark[Any]]]
    needs_mirror: ClassVar[bool] = True
    optima: ClassVar[dict[Column, float]] = {}
    digits: ClassVar[int] = 3

    @pytest.fixture(scope="class")
    @classmethod
    def bench(cls, request: pytest.FixtureRequest) -> Benchmark[Any]:
        if cls.needs_mirror:
            request.getfixturevalue("mirror")
        return cls.benchmark()

    @pytest.fixture(scope="class")
    @classmethod
    def archs(cls, bench: Benchmark[Any]) -> list[Any]:
        rng = np.random.default_rng(0)
        return [bench.space.sample(rng) for _ in range(300)]

    def test_columns_are_questions_in_full(self, bench: Benchmark[Any]):
        known = bench.known_columns()
        assert len(set(map(str, known))) == len(set(known)) == len(known) > 0
        assert set(bench.columns()) <= set(known)
        for column in known:
            assert column.metric in bench.metrics and column.split in SPLITS
            assert bench.metrics[column.metric].unit and bench.metrics[column.metric].what
            assert (column.epochs > 0) == (column.split in TRAINED)
            bench.check(column)

    def test_optima(self, bench: Benchmark[Any]):
        for column, value in self.optima.items():
            best = bench.optimum(column)
            assert round(best.value, self.digits) == value, column
            assert bench.query_many([bench.arch(best.arch)], column)[0] == best.value

    def test_no_sample_beats_the_optimum(self, bench: Benchmark[Any], archs: list[Any]):
        for column in bench.columns():
            if column.split == "surrogate":
                continue  # of an infinite space: only the optimum of what is tabulated is known
            values = bench.query_many(archs, column)
            sign = 1 if bench.metrics[column.metric].higher_is_better else -1
            assert not (sign * values > sign * bench.optimum(column).value).any(), column

    def test_query_and_query_many_agree(self, bench: Benchmark[Any], archs: list[Any]):
        for column in bench.columns():
            values = bench.query_many(archs[:12], column)
            assert values.dtype == np.float64 and values.shape == (12,)
            for arch, value in zip(archs, values.tolist(), strict=False):
                if np.isnan(value):
                    with pytest.raises(UnknownQuery):
                        bench.query(arch, **column.__dict__)
                else:
                    result = bench.query(arch, **column.__dict__)
                    assert result.value == pytest.approx(value, rel=1e-12)
                    assert result.n_seeds >= 1 and result.source

    def test_rows_answer_as_architectures_do(self, bench: Benchmark[Any], archs: list[Any]):
        if not isinstance(bench.space, FiniteSpace):
            assert bench.space.size is None
            return
        rows = bench.space.rows(archs)
        for column in bench.columns()[:5]:
            np.testing.assert_array_equal(bench.query_many(archs, column), bench.query_many(rows, column))
        with pytest.raises(InvalidArchitecture, match="lie outside, first -1"):
            bench.query_many(np.array([0, -1, bench.space.size]), bench.columns()[0])
        with pytest.raises(InvalidArchitecture, match="integers"):
            bench.query_many(np.array([0.5]), bench.columns()[0])
        assert bench.query_many(np.array([], dtype=np.int64), bench.columns()[0]).shape == (0,)

    def test_a_wrong_question_is_refused_with_what_exists(self, bench: Benchmark[Any], archs: list[Any]):
        column = bench.columns()[0]
        wrongs = {"dataset": "mnist", "metric": "beauty", "split": "vlaid", "epochs": 7, "seed": 99}
        for field, wrong in wrongs.items():
            asked = Column(**{**column.__dict__, field: wrong})
            for ask in (
                lambda asked=asked: bench.query(archs[0], **asked.__dict__),
                lambda asked=asked: bench.query_many(archs[:2], asked),
                lambda asked=asked: bench.optimum(asked),
                lambda asked=asked: bench.checksums([asked]),
            ):
                with pytest.raises(UnknownQuery, match=rf"`{wrong}`.*; it has "):
                    ask()

    def test_an_architecture_outside_the_space_is_refused(self, bench: Benchmark[Any]):
        with pytest.raises(InvalidArchitecture):
            bench.query_many([("no", "cell")], bench.columns()[0])
        with pytest.raises(InvalidArchitecture):
            bench.arch("no cell")

    def test_checksums_name_raw_files_of_the_registry(self, bench: Benchmark[Any]):
        for column in bench.columns():
            for name, digest in bench.checksums([column]).items():
                entry = registry.entry(name)
                assert len(digest) == 64 and entry.sha256 in (None, digest)

    def test_without_files_the_message_names_the_command(self, bench: Benchmark[Any], no_mirror: Any):
        fresh = type(bench)()
        missing = [c for c in fresh.known_columns() if c not in fresh.columns()]
        for column in missing[:: max(1, len(missing) // 6)]:
            with pytest.raises(MissingData, match=r"nasrepro data fetch|pip install|NASREPRO_MIRROR"):
                fresh.optimum(column)
        for column in fresh.columns():
            try:
                fresh.optimum(column)
            except NasreproError as error:  # pragma: no cover
                pytest.fail(f"{column} is said to be here: {error}")

    def test_table_has_a_row_per_architecture_and_a_column_per_question(self, bench: Benchmark[Any]):
        columns = bench.columns()[:2]
        table = bench.table(columns)
        assert list(table.columns) == list(map(str, columns)) and table.index.is_unique
        for name in table.index[:: max(1, len(table) // 9)]:
            for column in columns:
                value, shown = bench.query_many([bench.arch(name)], column)[0], table.loc[name, str(column)]
                assert value == shown or (np.isnan(value) and np.isnan(shown))

    def test_published_indices_name_architectures(self, bench: Any):
        if not isinstance(bench.space, FiniteSpace):
            return
        size = len(bench)
        some = [0, 1, size // 3, size - 1]
        assert [bench.native_index(bench[i]) for i in some] == some
        text = bench.space.to_string(bench[some[2]])
        assert bench.space.key(bench[text]) == bench.space.key(bench[some[2]])
        for wrong in (-1, size):
            with pytest.raises(InvalidArchitecture, match="indices 0 to"):
                bench[wrong]

    def test_to_pyg_gives_one_graph_per_architecture(self, bench: Benchmark[Any], archs: list[Any]):
        data, column = bench.to_pyg(archs[:3]), bench.columns()[0]
        assert len(data) == 3 and all(d.y is None for d in data)
        batch = Batch.from_data_list(bench.to_pyg(archs[:3], column))
        np.testing.assert_array_equal(batch.y, bench.query_many(archs[:3], column).astype(np.float32))
        back = Graphs.from_pyg(data, bench.space.max_nodes)
        assert [bench.space.key(a) for a in bench.space.decode(back)] == [bench.space.key(a) for a in archs[:3]]


__all__ = ["MEAN", "BenchmarkLaws", "GraphSpaceLaws", "SpaceLaws", "isomorphic", "labelled_digraph"]
