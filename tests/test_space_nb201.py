"""NAS-Bench-201 as a search space: conversions there and back, neighbours, invalid graphs, functional keys."""

from __future__ import annotations

from itertools import product
from typing import Any

import networkx as nx
import numpy as np
import pytest
import torch
from conformance import GraphSpaceLaws

from nasrepro import spaces
from nasrepro.errors import InvalidArchitecture, UnknownQuery
from nasrepro.graphs import Graphs
from nasrepro.spaces.edge_cell import CELL_EDGES, GRAPH_EDGES
from nasrepro.spaces.functional import CellEdge, computation_graph, functional_key
from nasrepro.spaces.naslib import from_naslib, to_naslib
from nasrepro.spaces.nb201 import N_FUNCTIONS, NB201, NODE_CLASSES, OPERATIONS

CELLS = list(NB201.all())
NONE, SKIP, CONV1, CONV3, POOL = range(5)


def test_the_space_lists_each_cell_once_in_the_order_of_its_rows():
    assert len(set(CELLS)) == len(CELLS) == NB201.size == 5**6
    assert [NB201.index(cell) for cell in CELLS] == list(range(5**6))
    assert [NB201.from_index(row) for row in range(5**6)] == CELLS
    assert NB201.index((1, 2, 3, 4, 0, 1)) == int("123401", 5)
    np.testing.assert_array_equal(NB201.rows(CELLS), np.arange(5**6))


class TestLaws(GraphSpaceLaws):
    space = NB201
    invalid = (None, "", (), 3.5, (0, 0, 0, 0, 0, 5), [0] * 6, (0, 0, 0, 0, 0, True))


def test_encode_then_decode_gives_every_cell_back():
    graphs = NB201.encode(CELLS)
    archs, reasons = NB201.decode_with_reasons(graphs)
    assert archs == CELLS and set(reasons) == {""}
    assert [NB201.decode_one(graphs, i) for i in range(0, 5**6, 997)] == CELLS[::997]
    from_rows = NB201.encode_rows(np.arange(5**6))
    assert torch.equal(from_rows.nodes, graphs.nodes) and torch.equal(from_rows.pairs, graphs.pairs)


def test_graph_form_joins_an_operation_to_those_that_start_where_it_ends():
    # Derived from the cell's own edges: node 0 input, nodes 1-6 the operations, node 7 output.
    ends = {0: 0, **{k + 1: target for k, (_, target) in enumerate(CELL_EDGES)}}
    starts = {**{k + 1: source for k, (source, _) in enumerate(CELL_EDGES)}, 7: 3}
    expected = {(a, b) for a in ends for b in starts if ends[a] == starts[b]}
    adjacency = NB201.encode([CELLS[0], CELLS[-1]]).adjacency()
    assert {tuple(edge) for edge in adjacency[0].nonzero().tolist()} == expected == set(GRAPH_EDGES)
    assert torch.equal(adjacency[0], adjacency[1])
    nodes = NB201.encode([(NONE, SKIP, CONV1, CONV3, POOL, NONE)]).nodes[0]
    assert [NODE_CLASSES[c] for c in nodes] == ["input", *(OPERATIONS[i] for i in (0, 1, 2, 3, 4, 0)), "output"]
    assert nodes.tolist() == [1, 6, 5, 2, 3, 4, 6, 0]


def test_decode_ignores_padding_but_not_an_edge_among_real_nodes():
    small = NB201.encode([CELLS[4711]])
    nodes = torch.cat([small.nodes, torch.zeros(1, 2, dtype=torch.long)], 1)
    adjacency = torch.zeros(1, 10, 10, dtype=torch.long)
    adjacency[:, :8, :8] = small.adjacency()
    mask = torch.arange(10)[None] < 8
    padded = Graphs.from_adjacency(nodes, adjacency, mask)
    assert NB201.decode(padded) == [CELLS[4711]] and NB201.decode_one(padded) == CELLS[4711]
    adjacency[0, 0, 7] = 1
    assert NB201.decode_with_reasons(Graphs.from_adjacency(nodes, adjacency, mask))[1] == ["edges"]


def _altered(**changes: Any) -> Graphs:
    """Return the graph of a cell with some nodes set, some edges added or removed, or the last nodes masked."""
    graph = NB201.encode([(CONV3,) * 6])
    nodes, adjacency, mask = graph.nodes.clone(), graph.adjacency(), graph.mask.clone()
    for i, node_class in changes.get("nodes", {}).items():
        nodes[0, i] = node_class
    for i, j in changes.get("flip", ()):
        adjacency[0, i, j] ^= 1
    mask[0, changes.get("size", 8) :] = False
    return Graphs.from_adjacency(nodes, adjacency, mask)


@pytest.mark.parametrize(
    ("graph", "category", "reason"),
    [
        (_altered(nodes={0: 3}), "terminals", "first node is nor_conv_3x3, not input"),
        (_altered(nodes={7: 1}), "terminals", "last node is input, not output"),
        (_altered(nodes={3: 0}), "operations", "Node 3 is output, not an operation"),
        (_altered(nodes={6: 1}), "operations", "Node 6 is input, not an operation"),
        (_altered(nodes={2: 9}), "operations", "Node 2 is class 9, not an operation"),
        (_altered(nodes={2: -1}), "operations", "Node 2 is class -1, not an operation"),
        (_altered(flip=[(0, 1), (3, 7)]), "edges", "missing 0->1; extra 3->7"),
        (_altered(flip=[(4, 7), (5, 7)]), "edges", "missing 4->7, 5->7"),
        (_altered(size=7), "nodes", "has 7 nodes; a NAS-Bench-201 cell has 8"),
        (_altered(flip=[(0, 3)], nodes={0: 0, 1: 0}), "edges", "extra 0->3"),
        (_altered(nodes={0: 0, 1: 0}), "terminals", "first node is output"),
        (_altered(flip=[(0, 3)], size=6), "nodes", "has 6 nodes"),
    ],
)
def test_every_kind_of_invalid_graph_is_named(graph: Graphs, category: str, reason: str):
    both = Graphs.cat([NB201.encode([CELLS[1]]), graph])
    assert NB201.decode_with_reasons(both) == ([CELLS[1], None], ["", category])
    assert NB201.decode(both) == [CELLS[1], None]
    with pytest.raises(InvalidArchitecture, match=reason):
        NB201.decode_one(both, 1)


def test_graphs_with_fewer_nodes_than_a_cell_are_invalid():
    graphs = Graphs(torch.zeros(2, 5, dtype=torch.long), torch.zeros(2, 10, dtype=torch.long), torch.ones(2, 5).bool())
    assert NB201.decode_with_reasons(graphs) == ([None, None], ["nodes", "nodes"])
    with pytest.raises(InvalidArchitecture, match="5 nodes"):
        NB201.decode_one(graphs)


def test_strings_keys_and_naslib_tuples_of_all_cells_round_trip():
    strings = [NB201.to_string(cell) for cell in CELLS]
    assert [NB201.from_string(text) for text in strings] == CELLS
    assert [NB201.from_key(NB201.key(cell)) for cell in CELLS] == CELLS
    tuples = [to_naslib("nb201", cell) for cell in CELLS]
    assert [from_naslib("nb201", ids) for ids in tuples] == CELLS
    assert len(set(strings)) == len(set(tuples)) == len({NB201.key(cell) for cell in CELLS}) == len(CELLS)


# Pairs published in NAS-Bench-Suite-Zero's tables, where NASLib's tuple stands beside the string.
@pytest.mark.parametrize(
    ("naslib", "text"),
    [
        ((4, 0, 3, 1, 4, 3), "|avg_pool_3x3~0|+|skip_connect~0|none~1|+|nor_conv_1x1~0|avg_pool_3x3~1|nor_conv_1x1~2|"),
        ((0, 1, 2, 3, 2, 3), "|skip_connect~0|+|none~0|nor_conv_1x1~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_1x1~2|"),
        ((3, 2, 3, 4, 1, 4), "|nor_conv_1x1~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|nor_conv_1x1~0|none~1|avg_pool_3x3~2|"),
        ((0, 3, 1, 3, 1, 0), "|skip_connect~0|+|nor_conv_1x1~0|nor_conv_1x1~1|+|none~0|none~1|skip_connect~2|"),
    ],
)
def test_naslib_tuples_mean_what_naslib_means_by_them(naslib: tuple[int, ...], text: str):
    assert from_naslib("nb201", naslib) == NB201.from_string(text)
    assert to_naslib("nb201", NB201.from_string(text)) == naslib


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("nor_conv_3x3", "its form is"),
        ("|none~0|+|none~0|none~1|+|none~0|none~1|none~1|", "its form is"),
        ("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|+|none~0|", "its form is"),
        (
            "|none~0|+|none~0|nor_conv_5x5~1|+|none~0|none~1|none~2|",
            "Edge 1->2 has the unknown operation 'nor_conv_5x5'.*mean `nor_conv",
        ),
    ],
)
def test_a_wrong_string_is_refused_with_the_reason(text: str, reason: str):
    with pytest.raises(InvalidArchitecture, match=reason):
        NB201.from_string(text)


@pytest.mark.parametrize("arch", [(1, 2, 3), [0] * 6, (0, 0, 0, 0, 0, 5), (0, 0, -1, 0, 0, 0), (0, 0, 0, 0, 0, 1.0)])
def test_what_is_no_cell_is_refused(arch: Any):
    assert not NB201.is_valid(arch)
    for function in (NB201.index, NB201.key, NB201.to_string, NB201.neighbours, NB201.functional_key):
        with pytest.raises(InvalidArchitecture):
            function(arch)
    if isinstance(arch, tuple):  # for many cells at once, rows of anything array-like will do
        with pytest.raises(InvalidArchitecture):
            NB201.rows([CELLS[0], arch])
        with pytest.raises(InvalidArchitecture):
            NB201.encode([arch])


def test_rows_outside_the_space_are_refused():
    for row in (-1, 5**6):
        with pytest.raises(InvalidArchitecture, match="rows 0 to 15624"):
            NB201.from_index(row)
        with pytest.raises(InvalidArchitecture, match="rows 0 to 15624"):
            NB201.encode_rows(np.array([0, row]))


def test_neighbours_are_the_24_cells_at_distance_one_and_the_relation_is_symmetric():
    for cell in CELLS[::1301]:
        neighbours = NB201.neighbours(cell)
        assert len(set(neighbours)) == len(neighbours) == 24 and cell not in neighbours
        assert set(neighbours) == {other for other in CELLS if NB201.distance(cell, other) == 1}
        assert all(cell in NB201.neighbours(other) for other in neighbours)


def test_mutate_draws_neighbours_uniformly():
    rng = np.random.default_rng(0)
    cell = CELLS[8000]
    draws = [NB201.mutate(cell, rng) for _ in range(4800)]
    counts = np.array([draws.count(other) for other in NB201.neighbours(cell)])
    assert counts.sum() == 4800  # nothing but neighbours
    assert ((counts - 200) ** 2 / 200).sum() < 49.7  # chi-square, 23 degrees of freedom, p = 0.001


def test_distance_is_a_metric():
    rng = np.random.default_rng(1)
    cells = [NB201.sample(rng) for _ in range(12)]
    for a, b, c in product(cells, repeat=3):
        assert NB201.distance(a, b) == NB201.distance(b, a)
        assert (NB201.distance(a, b) == 0) == (a == b)
        assert NB201.distance(a, c) <= NB201.distance(a, b) + NB201.distance(b, c)


def _contracted(cell: tuple[int, ...]) -> nx.MultiDiGraph:
    """Return the computation graph by another road: operations and sums are nodes, and sums are contracted away."""
    graph = nx.MultiDiGraph()
    graph.add_node("node 0", label="input")
    graph.add_node("node 3", label="output")
    for k, ((source, target), op) in enumerate(zip(CELL_EDGES, cell, strict=True)):
        if op != NONE:
            graph.add_node(f"op {k}", label="sum" if op == SKIP else OPERATIONS[op])
            graph.add_edge(f"node {source}", f"op {k}")
            graph.add_edge(f"op {k}", f"node {target}")
    for i in (1, 2):
        graph.add_node(f"node {i}", label="sum")
    alive = (nx.descendants(graph, "node 0") | {"node 0"}) & (nx.ancestors(graph, "node 3") | {"node 3"})
    graph.remove_nodes_from(set(graph) - alive - {"node 0", "node 3"})
    for node in [n for n, label in graph.nodes(data="label") if label == "sum"]:
        graph.add_edges_from([(a, b) for a, _ in list(graph.in_edges(node)) for _, b in list(graph.out_edges(node))])
        graph.remove_node(node)
    if "node 0" not in nx.ancestors(graph, "node 3"):
        graph.remove_nodes_from([n for n in graph if n not in ("node 0", "node 3")])
    return graph


def test_functional_keys_are_the_isomorphism_classes_and_their_number_is_stated():
    """All cells: those of one key are isomorphic, those of different keys are not (networkx, graphs built anew)."""

    def signature(cell: tuple[int, ...]) -> tuple[Any, ...]:
        graph = _contracted(cell)
        name = {n: i for i, n in enumerate(sorted(graph))}
        edges = tuple(sorted((name[a], name[b]) for a, b in graph.edges()))
        return tuple(graph.nodes[n]["label"] for n in sorted(graph)), edges

    drawn: dict[tuple[Any, ...], str] = {}  # equal drawings need no isomorphism test
    for cell in CELLS:
        key = NB201.functional_key(cell)
        assert drawn.setdefault(signature(cell), key) == key
    buckets: dict[str, dict[str, list[nx.DiGraph]]] = {}
    for (labels, edges), key in drawn.items():
        graph = nx.DiGraph()
        graph.add_nodes_from((i, {"label": label}) for i, label in enumerate(labels))
        for a, b in edges:
            graph.add_edge(a, b, times=graph.edges[a, b]["times"] + 1 if graph.has_edge(a, b) else 1)
        invariant = sorted(
            (label, graph.in_degree(n, "times"), graph.out_degree(n, "times"), sorted(labels[p] for p in graph.pred[n]))
            for n, label in enumerate(labels)
        )
        buckets.setdefault(str(invariant), {}).setdefault(key, []).append(graph)

    def isomorphic(a: nx.DiGraph, b: nx.DiGraph) -> bool:
        return nx.is_isomorphic(
            a, b, node_match=lambda x, y: x["label"] == y["label"], edge_match=lambda x, y: x["times"] == y["times"]
        )

    classes = 0
    for by_key in buckets.values():
        representatives = [graphs[0] for graphs in by_key.values()]
        classes += len(representatives)
        assert all(isomorphic(graphs[0], other) for graphs in by_key.values() for other in graphs[1:])
        assert not any(isomorphic(a, b) for i, a in enumerate(representatives) for b in representatives[:i])
    assert classes == len({NB201.functional_key(cell) for cell in CELLS}) == N_FUNCTIONS


def test_functional_keys_of_cells_worked_out_by_hand():
    def key(*ops: int) -> str:
        return NB201.functional_key(ops)

    zero = key(NONE, NONE, CONV3, NONE, CONV1, POOL)  # operations fed by zero alone
    assert zero == key(NONE, NONE, NONE, NONE, NONE, NONE) == key(CONV3, CONV3, CONV3, NONE, NONE, NONE) == "out()"
    conv = key(NONE, NONE, NONE, CONV3, NONE, NONE)
    assert conv == key(CONV3, NONE, NONE, NONE, SKIP, NONE) == key(SKIP, NONE, NONE, NONE, CONV3, POOL)
    assert conv != key(NONE, NONE, NONE, CONV1, NONE, NONE)
    shared = key(CONV3, NONE, SKIP, NONE, SKIP, SKIP)  # node 1 reaches the output twice: y + y
    separate = key(CONV3, CONV3, NONE, NONE, SKIP, SKIP)  # two convolutions: y + z
    assert len({shared, separate, conv}) == 3
    doubled = key(SKIP, SKIP, NONE, NONE, SKIP, SKIP)  # x + x
    assert doubled != key(SKIP, NONE, NONE, NONE, SKIP, NONE)
    # swapping the two middle nodes where nothing joins them
    assert key(CONV1, POOL, NONE, SKIP, CONV3, CONV1) == key(POOL, CONV1, NONE, SKIP, CONV1, CONV3)


def test_the_computation_graph_computes_what_the_cell_computes():
    """With a random factor for each operation; an operation is live when the output depends on its factor."""
    rng = np.random.default_rng(0)

    def value(cell: tuple[int, ...], factors: np.ndarray) -> float:
        nodes = [1.0, 0.0, 0.0, 0.0]
        for (source, target), op, factor in sorted(zip(CELL_EDGES, cell, factors, strict=True)):
            nodes[target] += {NONE: 0.0, SKIP: 1.0}.get(op, factor) * nodes[source]
        return nodes[3]

    for cell in CELLS[::41]:
        factors = rng.normal(size=6)
        out = value(cell, factors)
        live = [k for k in range(6) if value(cell, factors + np.eye(6)[k]) != out]
        live.sort(key=lambda k: CELL_EDGES[k])  # the order of the instances: by source, then target
        edges = [CellEdge(*edge, OPERATIONS[op]) for edge, op in zip(CELL_EDGES, cell, strict=True)]
        instances, output = computation_graph(edges, 4)
        assert [i.operation for i in instances] == [OPERATIONS[cell[k]] for k in live]
        values = {-1: 1.0}
        for i, (instance, k) in enumerate(zip(instances, live, strict=True)):
            values[i] = factors[k] * sum(values[j] for j in instance.inputs)
        assert sum(values[j] for j in output) == pytest.approx(out, abs=1e-12)


def test_functional_key_does_not_depend_on_the_order_in_which_edges_are_listed():
    rng = np.random.default_rng(3)
    for cell in CELLS[::977]:
        edges = [CellEdge(*edge, OPERATIONS[op]) for edge, op in zip(CELL_EDGES, cell, strict=True)]
        shuffled = [edges[i] for i in rng.permutation(6)]
        assert functional_key(shuffled, 4) == NB201.functional_key(cell)


def test_functional_key_matches_instances_that_look_alike_in_every_way():
    """Two chains f, g side by side in a larger cell, where the second stage lists the chains in either order."""

    def chains(first: int, second: int) -> str:
        edges = [CellEdge(0, 1, "f"), CellEdge(0, 2, "f"), CellEdge(1, first, "skip_connect")]
        edges += [CellEdge(2, second, "skip_connect"), CellEdge(3, 5, "g"), CellEdge(4, 5, "g")]
        return functional_key(edges, 6)

    assert chains(3, 4) == chains(4, 3)
    assert chains(3, 4) != chains(3, 3)


def test_spaces_are_loaded_by_name():
    assert spaces.load("nb201") is NB201
    with pytest.raises(UnknownQuery, match="Did you mean `nb201`"):
        spaces.load("nb2011")
