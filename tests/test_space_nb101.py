"""NAS-Bench-101 as a search space: enumeration, official hashes, pruning, neighbours, conversions there and back."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import torch
from conformance import GraphSpaceLaws, isomorphic
from scipy import stats

from nasrepro.errors import InvalidArchitecture
from nasrepro.graphs import Graphs
from nasrepro.spaces.naslib import from_naslib, to_naslib
from nasrepro.spaces.nb101.enumeration import MAX_EDGES, OPERATIONS, cells, classes, edge_bit, rows_of, used_vertices
from nasrepro.spaces.nb101.neighbours import edit_count, fixed_form_edits, neighbour_rows
from nasrepro.spaces.nb101.space import NB101, NODE_CLASSES, Cell

INPUT, POOL, CONV1, CONV3, OUTPUT = range(5)
NAMES = NODE_CLASSES
SIZES = {2: 1, 3: 6, 4: 84, 5: 2_441, 6: 62_010, 7: 359_082}
PLAIN = Cell((INPUT, OUTPUT), ((0, 1),))


class TestLaws(GraphSpaceLaws):
    space = NB101
    samples = 1_000
    few = 8
    invalid = (
        None,
        (),
        ((0, 4), ((0, 1),)),  # a plain tuple
        Cell((INPUT,), ()),
        Cell((INPUT, CONV1, OUTPUT), ((0, 2),)),  # an unused vertex
        Cell((INPUT, OUTPUT, OUTPUT), ((0, 1), (1, 2))),
        Cell((CONV1, CONV1, OUTPUT), ((0, 1), (1, 2))),
        Cell((INPUT, CONV1, OUTPUT), ((1, 2), (0, 1))),
        Cell((INPUT, CONV1, OUTPUT), ((0, 1), (0, 1), (1, 2))),
        Cell((INPUT, CONV1, OUTPUT), ((0, 1), (1, 3))),
        Cell((INPUT, CONV1, OUTPUT), [(0, 1), (1, 2)]),  # type: ignore[arg-type]
        Cell((INPUT, CONV1, CONV1, CONV1, OUTPUT), tuple(combinations(range(5), 2))),  # ten edges
    )


def random_raw_forms(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw graphs of 7 vertices, about half of whose pairs are edges or fewer, and operations for the inner ones."""
    rng = np.random.default_rng(seed)
    bits = rng.random((count, 21)) < rng.uniform(0.15, 0.5, (count, 1))
    return bits @ (1 << np.arange(21)), rng.integers(3, size=(count, 5))


def digraph(raw: int, operations: np.ndarray) -> nx.DiGraph:
    """Return a raw form as a networkx graph, without the vertices that lie on no path from input to output."""
    graph = nx.DiGraph()
    labels = [-1, *operations.tolist(), -2]
    graph.add_nodes_from((v, {"label": label}) for v, label in enumerate(labels))
    graph.add_edges_from((i, j) for i, j in combinations(range(7), 2) if raw >> edge_bit(i, j) & 1)
    used = (nx.descendants(graph, 0) | {0}) & (nx.ancestors(graph, 6) | {6})
    return graph.subgraph(used if {0, 6} <= used else ())


def test_the_space_has_as_many_cells_as_the_paper_says_by_number_of_vertices():
    which, _ = classes().split(cells().slots)
    assert Counter(classes().nodes[which].tolist()) == SIZES
    assert sum(SIZES.values()) == NB101.size == 423_624
    assert len(np.unique(cells().hashes, axis=0)) == NB101.size
    assert (np.lexsort(cells().hashes.T[::-1]) == np.arange(NB101.size)).all()


def test_raw_forms_are_told_apart_exactly_by_isomorphism_of_what_is_used():
    """Against networkx: every drawn graph; pairs that agree in simple invariants are the hard ones."""
    raws, operations = random_raw_forms(3_000, 0)
    rows = rows_of(raws, operations)
    groups: dict[Any, list[tuple[int, nx.DiGraph]]] = {}
    for raw, ops, row in zip(raws.tolist(), operations, rows.tolist(), strict=True):
        graph = digraph(raw, ops)
        if len(graph) == 0:
            assert row == -1
        elif graph.number_of_edges() > MAX_EDGES:
            assert row == -2
        else:
            assert row >= 0
            degrees = sorted((label, graph.in_degree(v), graph.out_degree(v)) for v, label in graph.nodes(data="label"))
            groups.setdefault(str(degrees), []).append((row, graph))
    same = different = 0
    for group in groups.values():
        for (row_a, a), (row_b, b) in combinations(group[:25], 2):
            assert (row_a == row_b) == isomorphic(a, b)
            same += row_a == row_b
            different += row_a != row_b
    assert same > 300 and different > 300


def _official_hash(adjacency: np.ndarray, labels: list[int]) -> str:
    """The published hash, word for word, on one graph."""

    def md5(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()

    n = len(labels)
    hashes = [md5(str((int(adjacency[v].sum()), int(adjacency[:, v].sum()), labels[v]))) for v in range(n)]
    for _ in range(n):
        hashes = [
            md5(
                "".join(sorted(hashes[u] for u in range(n) if adjacency[u, v]))
                + "|"
                + "".join(sorted(hashes[w] for w in range(n) if adjacency[v, w]))
                + "|"
                + hashes[v]
            )
            for v in range(n)
        ]
    return md5(str(sorted(hashes)))


def test_keys_are_the_official_hashes_and_rows_their_order():
    rng = np.random.default_rng(1)
    chosen = np.concatenate([np.arange(0, NB101.size, 2_117), rng.integers(NB101.size, size=100)])
    small = NB101.rows([NB101.from_string(t) for t in ("input,output;1", "input,maxpool3x3,output;101")])
    for row in (*chosen.tolist(), *small.tolist()):
        cell = NB101.from_index(row)
        labels = [-1, *(OPERATIONS.index(name) for name in cell.operations[1:-1]), -2]
        assert NB101.key(cell) == _official_hash(cell.adjacency, labels)
        assert NB101.from_key(NB101.key(cell)) == cell
    assert NB101.key(NB101.from_index(0)) == "00005c142e6f48ac74fdcf73e3439874"
    for wrong in ("0" * 32, "f" * 32, "no hash", "00"):
        with pytest.raises(InvalidArchitecture, match=r"not the hash|32 hex digits"):
            NB101.from_key(wrong)


def test_every_cell_equals_the_independent_table(oracle: Path):
    expected = pd.read_parquet(oracle / "nb101.parquet", columns=["hash", "n_nodes", "adj", "ops"])
    assert bytes.fromhex("".join(expected["hash"])) == cells().hashes.astype(">u8").tobytes()
    graphs = NB101.encode_rows(np.arange(NB101.size))
    sizes = graphs.mask.sum(1).numpy()
    np.testing.assert_array_equal(sizes, expected["n_nodes"])
    adjacency, letters = graphs.adjacency().numpy(), np.array(list("?p13?"))[graphs.nodes.numpy()]
    for n in SIZES:
        here = np.flatnonzero(sizes == n)
        text = "".join(expected["adj"].to_numpy()[here])
        published = np.frombuffer(text.encode(), dtype=np.uint8).reshape(-1, n, n) - ord("0")
        assert (published == adjacency[here, :n, :n]).all()  # the very matrices, not only isomorphic ones
        assert ["".join(row) for row in letters[here, 1 : n - 1]] == expected["ops"].to_numpy()[here].tolist()


def test_encode_then_decode_gives_all_rows_back_in_any_padding():
    rows = np.arange(0, NB101.size, 7)
    graphs = NB101.encode_rows(rows)
    found, reasons = NB101.decode_with_reasons(graphs)
    np.testing.assert_array_equal(NB101.rows(found), rows)
    assert set(reasons) == {""}
    some = graphs[:50]
    wide = torch.zeros(50, 9, 9, dtype=torch.long)
    wide[:, :7, :7] = some.adjacency()
    padding = torch.zeros(50, 2, dtype=torch.long)
    padded = Graphs.from_adjacency(torch.cat([some.nodes, padding], 1), wide, torch.cat([some.mask, padding > 0], 1))
    assert NB101.decode(padded) == [NB101.from_index(row) for row in rows[:50].tolist()]


def test_every_member_of_a_class_has_the_row_of_the_class_and_becomes_its_representative():
    rng = np.random.default_rng(2)
    moved = 0
    for row in rng.integers(NB101.size, size=200).tolist():
        cell = NB101.from_index(row)
        graph = nx.DiGraph(cell.edges)
        generations = list(nx.topological_generations(graph))
        order = [int(v) for layer in generations for v in rng.permutation(layer)]
        place = {v: k for k, v in enumerate(order)}
        edges = tuple(sorted((place[i], place[j]) for i, j in cell.edges))
        other = Cell(tuple(cell.nodes[v] for v in order), edges)
        moved += other != cell
        assert NB101.index(other) == row and NB101.from_matrix(other.adjacency, other.operations) == cell
        assert NB101.decode(NB101.encode([other])) == [cell]
    assert moved > 50


def _graph(nodes: list[int], edges: list[tuple[int, int]], width: int = 7) -> Graphs:
    adjacency = torch.zeros(1, width, width, dtype=torch.long)
    for edge in edges:
        adjacency[0][edge] = 1
    padded = torch.tensor([nodes + [0] * (width - len(nodes))])
    return Graphs.from_adjacency(padded, adjacency, torch.arange(width)[None] < len(nodes))


ALL_PAIRS = list(combinations(range(5), 2))


@pytest.mark.parametrize(
    ("graph", "kind", "reason"),
    [
        (_graph([INPUT], []), "nodes", "1 operations"),
        (_graph([INPUT, *[CONV1] * 6, OUTPUT], [(0, 7)], 8), "nodes", "8 operations"),
        (_graph([CONV1, CONV1, OUTPUT], [(0, 1), (1, 2)]), "terminals", "Vertex 0 is conv1x1-bn-relu, not the input"),
        (_graph([INPUT, CONV1, INPUT], [(0, 1), (1, 2)]), "terminals", "Vertex 2 is input, not the output"),
        (_graph([INPUT, OUTPUT, OUTPUT], [(0, 1), (1, 2)]), "operations", "Vertex 1 is output, not an operation"),
        (_graph([INPUT, CONV1, INPUT, OUTPUT], [(0, 1), (1, 3)]), "operations", "Vertex 2 is input"),  # though unused
        (_graph([INPUT, 7, OUTPUT], [(0, 1), (1, 2)]), "operations", "Vertex 1 is class 7"),
        (_graph([INPUT, -1, OUTPUT], [(0, 1), (1, 2)]), "operations", "Vertex 1 is class -1"),
        (_graph([INPUT, CONV1, CONV3, OUTPUT], [(0, 1), (2, 3)]), "disconnected", "No path"),
        (_graph([INPUT, CONV1, CONV3, CONV1, OUTPUT], ALL_PAIRS), "edges", "more than 9 edges"),
    ],
)
def test_every_kind_of_invalid_graph_is_named(graph: Graphs, kind: str, reason: str):
    assert NB101.decode_with_reasons(graph) == ([None], [kind])
    with pytest.raises(InvalidArchitecture, match=reason) as caught:
        NB101.decode_one(graph)
    assert caught.value.kind == kind


def test_unused_vertices_are_pruned_and_their_edges_do_not_count():
    nodes = [INPUT, CONV1, CONV3, POOL, CONV3, OUTPUT]
    used = [(0, 1), (0, 4), (0, 5), (1, 4), (1, 5), (4, 5)]
    unused = [(0, 2), (1, 2), (3, 4), (3, 5)]  # vertex 2 leads nowhere, vertex 3 is never reached
    cell = NB101.decode_one(_graph(nodes, used + unused))
    assert cell == NB101.from_matrix(np.triu(np.ones((4, 4), int), 1), ["input", NAMES[CONV1], NAMES[CONV3], "output"])
    assert NB101.decode(_graph(nodes, used)) == [cell]
    joined = _graph(nodes, [*used, *unused, (2, 3)])  # now both are used, and there are eleven edges
    assert NB101.decode_with_reasons(joined)[1] == ["edges"]
    assert used_vertices(np.array([0]), 7).tolist() == [0]


@pytest.mark.parametrize(
    ("matrix", "names", "kind"),
    [
        (np.zeros((2, 3)), ["input", "output"], "nodes"),
        ([[0, 1], [1, 0]], ["input", "output"], "edges"),
        ([[0, 2], [0, 0]], ["input", "output"], "edges"),
        ([[0, 1, 1], [0, 0, 1], [0, 0, 0]], ["input", "conv5x5-bn-relu", "output"], "operations"),
    ],
)
def test_what_is_no_specification_is_refused(matrix: Any, names: list[str], kind: str):
    with pytest.raises(InvalidArchitecture) as caught:
        NB101.from_matrix(matrix, names)
    assert caught.value.kind == kind


def test_strings_and_naslib_tuples():
    cell = NB101.from_string("input,conv3x3-bn-relu,maxpool3x3,output;110011")
    assert cell.operations == ("input", "conv3x3-bn-relu", "maxpool3x3", "output")
    # 0->1, 0->2, 1->3, 2->3: the official enumeration lists the convolution first
    assert cell.edges == ((0, 1), (0, 2), (1, 3), (2, 3))
    assert NB101.to_string(cell) == "input,conv3x3-bn-relu,maxpool3x3,output;110011"
    assert to_naslib("nb101", cell) == (0, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 4, 2, 1)
    rng = np.random.default_rng(3)
    for _ in range(200):
        cell = NB101.sample(rng)
        assert from_naslib("nb101", to_naslib("nb101", cell)) == cell == NB101.from_string(NB101.to_string(cell))
    for wrong in ((), (1, 2, 3), (0, 1, 0, 0, 0, 5), (0, 1, 0, 0, 0)):
        with pytest.raises(InvalidArchitecture):
            from_naslib("nb101", wrong)
    for text in ("input,output", "input,output;11", "input,output;2", "input,conv,output;101"):
        with pytest.raises(InvalidArchitecture):
            NB101.from_string(text)


def test_samples_are_uniform():
    rng = np.random.default_rng(4)
    rows = NB101.rows([NB101.sample(rng) for _ in range(4_000)])
    by_block = np.bincount(rows * 40 // NB101.size, minlength=40)
    assert stats.chisquare(by_block).pvalue > 1e-3
    sizes = classes().nodes[classes().split(cells().slots[rows])[0]]
    assert stats.binomtest(int((sizes == 7).sum()), 4_000, SIZES[7] / NB101.size).pvalue > 1e-3


def test_neighbours_are_what_one_edit_of_any_raw_form_makes():
    """The definition against the closed form: both that no edit leads elsewhere, and that each neighbour is reached."""
    rng = np.random.default_rng(5)
    raws, operations = random_raw_forms(400, 6)
    before = rows_of(raws, operations)
    flips = rng.integers(21, size=400)
    changed = operations.copy()
    vertices = rng.integers(5, size=400)
    changed[np.arange(400), vertices] = (changed[np.arange(400), vertices] + rng.integers(1, 3, 400)) % 3
    for after in (rows_of(raws ^ (1 << flips), operations), rows_of(raws, changed)):
        moved = np.flatnonzero((before >= 0) & (after >= 0) & (before != after))
        assert len(moved) > 50
        for b in moved[:120]:
            assert after[b] in neighbour_rows(before[[b]]) and before[b] in neighbour_rows(after[[b]])

    for row in rng.integers(NB101.size, size=10).tolist():
        cell = NB101.from_index(row)
        for near in neighbour_rows(np.array([row])).tolist():
            other = NB101.from_index(near)
            if len(cell.edges) == len(other.edges) and len(cell.nodes) == len(other.nodes):
                assert _differ_in_one_operation(cell, other)
            else:
                large, small = (cell, other) if len(cell.edges) > len(other.edges) else (other, cell)
                assert any(_without(large, edge) == small for edge in large.edges)


def _differ_in_one_operation(a: Cell, b: Cell) -> bool:
    for v in range(1, len(a.nodes) - 1):
        for operation in (POOL, CONV1, CONV3):
            nodes = (*a.nodes[:v], operation, *a.nodes[v + 1 :])
            if operation != a.nodes[v] and NB101.index(Cell(nodes, a.edges)) == NB101.index(b):
                return True
    return False


def _without(cell: Cell, edge: tuple[int, int]) -> Cell | None:
    matrix = cell.adjacency
    matrix[edge] = 0
    try:
        return NB101.from_matrix(matrix, cell.operations)
    except InvalidArchitecture:
        return None


def test_neighbours_of_the_smallest_cells():
    near = NB101.neighbours(PLAIN)
    assert len(near) == 52_602
    assert all(len(cell.edges) >= 3 for cell in near)  # a vertex more, and the direct edge still there
    one = NB101.from_string("input,conv1x1-bn-relu,output;101")
    around = set(NB101.neighbours(one))
    assert {NB101.from_string(f"input,{NAMES[c]},output;101") for c in (POOL, CONV3)} <= around
    assert NB101.from_string("input,conv1x1-bn-relu,output;111") in around
    assert PLAIN not in around  # that takes two edits: the direct edge comes, then one of the others goes


def test_edit_counts_are_those_of_a_plain_search():
    rng = np.random.default_rng(7)
    found = Counter()
    for start in rng.integers(NB101.size, size=6).tolist():
        near = neighbour_rows(np.array([start]))
        second = np.setdiff1d(neighbour_rows(near), [*near, start])
        third = np.setdiff1d(neighbour_rows(second), [*second, *near, start])
        for edits, ring in enumerate((np.array([start]), near, second, third)):
            for row in rng.choice(ring, size=min(3, len(ring)), replace=False).tolist():
                assert edit_count(start, row) == edit_count(row, start) == edits
                found[edits] += 1
    assert min(found[k] for k in range(4)) >= 6


def test_fixed_form_edits_are_the_edits_of_the_seven_vertex_matrix():
    rng = np.random.default_rng(8)
    rows = np.append(rng.integers(NB101.size, size=30), NB101.index(PLAIN))
    edits = fixed_form_edits(rows)
    assert edits.shape == (31, 31)
    labels = {name: k for k, name in enumerate(OPERATIONS)}
    for row, found in zip(rows.tolist(), edits, strict=True):
        cell = NB101.from_index(row)
        n = len(cell.nodes)
        inner = [*cell.operations[1:-1], *[OPERATIONS[0]] * (7 - n)]
        matrix = np.zeros((7, 7), dtype=int)
        matrix[np.ix_([*range(n - 1), 6], [*range(n - 1), 6])] = cell.adjacency
        expected = []
        for v in range(5):
            for step in (1, 2):
                changed = [*inner]
                changed[v] = OPERATIONS[(labels[inner[v]] + step) % 3]
                expected.append(_row(matrix, changed))
        for i, j in combinations(range(7), 2):
            flipped = matrix.copy()
            flipped[i, j] ^= 1
            expected.append(_row(flipped, inner))
        assert np.where(found < 0, -1, found).tolist() == expected
        others = {e for e in expected if e not in (-1, row)}
        assert others <= set(neighbour_rows(np.array([row])).tolist())


def _row(matrix: np.ndarray, inner: list[str]) -> int:
    try:
        return NB101.index(NB101.from_matrix(matrix, ["input", *inner, "output"]))
    except InvalidArchitecture:
        return -1


def test_graph_edit_distance_counts_substitutions_and_edges():
    a = NB101.from_string("input,conv1x1-bn-relu,output;101")
    assert NB101.graph_edit_distance(a, NB101.from_string("input,conv3x3-bn-relu,output;111")) == 2
    assert NB101.graph_edit_distance(a, PLAIN) == 4  # two edges and the vertex go, the direct edge comes
    assert NB101.graph_edit_distance(a, a) == 0


def test_the_space_is_usable_without_torch():
    code = (
        "import sys; from nasrepro.spaces.nb101.space import NB101, Cell; "
        "NB101.check(Cell((0, 4), ((0, 1),))); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "False", done.stderr
