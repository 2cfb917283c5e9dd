"""Encodings computed from the graph form, against brute force over all paths."""

from collections import Counter

import networkx as nx
import numpy as np
import pytest
import torch

from nasrepro.encodings.adjacency import adjacency_encoding
from nasrepro.encodings.path import path_codes, path_encoding
from nasrepro.encodings.structure import operation_kinds, structure_features
from nasrepro.encodings.tabular import TabularFeatures, tabular_features
from nasrepro.graphs import Graphs
from nasrepro.spaces import SPACES, load
from nasrepro.spaces.darts.space import DARTS_CELL
from nasrepro.spaces.nb201 import NB201

CLASSES = ("output", "input", "nor_conv_3x3", "avg_pool_3x3", "skip_connect", "none", "input_1")


def _random_graphs(count: int, seed: int) -> Graphs:
    """Random cells of 3 to 7 nodes with one or two inputs first and the output last, in padding of 8."""
    rng = np.random.default_rng(seed)
    nodes, adjacency = np.zeros((count, 8), dtype=np.int64), np.zeros((count, 8, 8), dtype=np.int64)
    mask = np.zeros((count, 8), dtype=bool)
    for b in range(count):
        n = int(rng.integers(3, 8))
        nodes[b, :n] = rng.integers(2, 6, n)
        nodes[b, 0], nodes[b, n - 1] = 1, 0
        if rng.random() < 0.5:
            nodes[b, 1] = 6
        adjacency[b, :n, :n] = np.triu(rng.random((n, n)) < 0.5, 1)
        mask[b, :n] = True
    return Graphs.from_adjacency(torch.from_numpy(nodes), torch.from_numpy(adjacency), torch.from_numpy(mask))


def _live_paths(graphs: Graphs, b: int) -> list[list[int]]:
    n = int(graphs.mask[b].sum())
    graph = nx.DiGraph(graphs.adjacency()[b, :n, :n].nonzero().tolist())
    graph.add_nodes_from(range(n))
    inputs = [v for v in range(n) if CLASSES[graphs.nodes[b, v]].startswith("input")]
    paths = [path for v in inputs for path in nx.all_simple_paths(graph, v, n - 1)]
    return [path for path in paths if all(CLASSES[graphs.nodes[b, v]] != "none" for v in path)]


def test_structure_features_are_those_of_all_paths():
    graphs = _random_graphs(300, seed=0)
    features = structure_features(graphs, CLASSES)
    assert features.shape == (300, len(CLASSES) + len(CLASSES) ** 2 + 3)
    classes, dead = range(len(CLASSES)), 0
    for b in range(300):
        paths = _live_paths(graphs, b)
        live = Counter(int(graphs.nodes[b, v]) for v in {v for path in paths for v in path})
        convs = [sum(CLASSES[graphs.nodes[b, v]] == "nor_conv_3x3" for v in path) for path in paths]
        used = {v for path in paths for v in path}
        edges = Counter(
            (int(graphs.nodes[b, i]), int(graphs.nodes[b, j]))
            for i, j in graphs.adjacency()[b].nonzero().tolist()
            if {i, j} <= used
        )
        expected = [live[c] for c in classes] + [edges[c, d] for c in classes for d in classes]
        assert features[b, :-1].tolist() == [*expected, max(convs, default=0), min(convs, default=0)]
        assert features[b, -1].item() == pytest.approx(np.log1p(len(paths)), rel=1e-6)
        dead += not paths
    assert 10 < dead < 200  # both kinds occur


def test_the_path_encoding_has_one_bit_per_sequence_of_operations():
    graphs = _random_graphs(200, seed=1)
    cell, code = path_codes(graphs, CLASSES)
    names: dict[int, tuple[int, ...]] = {}
    for b in range(200):
        sequences = {tuple(graphs.nodes[b, path].tolist()) for path in _live_paths(graphs, b)}
        codes = code[cell == b].tolist()
        assert len(codes) == len(set(codes)) == len(sequences)
        for c in codes:
            digits = [int(d) for d in np.base_repr(c, len(CLASSES))]
            assert digits[0] == 1 and tuple(digits[1:]) in sequences
            names[c] = tuple(digits[1:])
    bits = path_encoding(graphs, CLASSES)
    assert bits.shape == (200, len(names)) and bits.dtype == np.float32
    assert bits.sum() == len(code) and set(np.unique(bits)) == {0.0, 1.0}


def test_nas_bench_201_has_84_live_paths_and_equal_encodings_only_for_equal_path_sets():
    bits = path_encoding(NB201.encode_rows(np.arange(NB201.size)), NB201.node_classes)
    assert bits.shape == (5**6, 4 + 4**2 + 4**3)  # one, two or three operations, `none` cuts
    zeroised = NB201.from_string("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|")
    assert bits[NB201.index(zeroised)].sum() == 0
    full = NB201.from_string(
        "|nor_conv_3x3~0|+|nor_conv_3x3~0|skip_connect~1|+|nor_conv_3x3~0|nor_conv_1x1~1|skip_connect~2|"
    )
    assert bits[NB201.index(full)].sum() == 4


def test_encodings_of_no_cells_are_empty():
    none = NB201.encode([])
    assert path_encoding(none, NB201.node_classes).shape == (0, 0)
    assert structure_features(none, NB201.node_classes).shape == (0, 7 + 49 + 3)


def test_the_distance_of_adjacency_encodings_counts_edits():
    rng = np.random.default_rng(0)
    cells = [NB201.sample(rng) for _ in range(60)]
    x = adjacency_encoding(NB201.encode(cells), 7)
    expected = [[2 * NB201.distance(a, b) for b in cells] for a in cells]
    assert torch.cdist(x, x).square().round().int().tolist() == expected
    graphs = _random_graphs(50, seed=2)
    coded = adjacency_encoding(graphs, len(CLASSES))
    assert coded[:, : 8 * len(CLASSES)].sum(1).tolist() == graphs.mask.sum(1).tolist()  # nothing in padding
    assert coded[:, 8 * len(CLASSES) :].equal(graphs.pairs.float())


@pytest.mark.parametrize("name", SPACES)
def test_every_space_says_what_its_operations_are(name: str):
    kinds = operation_kinds(load(name).node_classes)
    assert {"input", "output"} < set(kinds)


def test_an_unknown_operation_is_of_the_kind_other():
    assert operation_kinds(("input", "involution", "output")) == ("input", "other", "output")


def test_tabular_features_lie_between_0_and_1_and_vary():
    features = tabular_features(NB201)
    assert features is tabular_features(NB201)
    table = features.table
    assert table is not None and table.shape == (NB201.size, len(features)) and table.dtype == np.float32
    assert (table.min(0) == 0).all() and (table.max(0) == 1).all()
    rows = np.random.default_rng(0).integers(NB201.size, size=50)
    assert (features(NB201.encode_rows(rows)) == table[rows]).all()
    assert len(np.unique(table, axis=0)) == NB201.size  # one-hot operations tell all cells apart


def test_tabular_features_hold_places_only_where_all_cells_have_the_same_edges():
    """A cell of two parallel operations, written in both orders."""
    features = TabularFeatures(DARTS_CELL)
    names = DARTS_CELL.node_classes.index
    nodes = torch.tensor([[names("input"), names("sep_conv_3x3"), names("skip_connect"), names("output")]])
    nodes = torch.cat([nodes, nodes[:, [0, 2, 1, 3]]])
    adjacency = torch.zeros(2, 4, 4, dtype=torch.long)
    adjacency[:, (0, 0, 1, 2), (1, 2, 3, 3)] = 1
    first, second = features(Graphs.from_adjacency(nodes, adjacency))
    assert (first == second).all() and len(np.unique(first)) > 1
    digits = tabular_features(NB201)(NB201.encode([(2, 3, 0, 4, 1, 2), (3, 2, 0, 4, 1, 2)]))
    assert (digits[0] != digits[1]).any()


def test_the_range_of_features_comes_from_a_sample_where_a_space_cannot_be_enumerated():
    features = TabularFeatures(DARTS_CELL)
    assert features.table is None and len(features) > 20
    rng = np.random.default_rng(1)
    values = features(DARTS_CELL.encode([DARTS_CELL.sample(rng) for _ in range(100)]))
    assert values.shape == (100, len(features)) and (values >= 0).mean() > 0.999
