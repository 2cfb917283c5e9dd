"""The DARTS space: laws of both spaces, numberings, invalid graphs, genotype strings, NASLib's published files."""

from __future__ import annotations

import ast
import itertools
import json
import zipfile
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
import torch
from conformance import SpaceLaws
from scipy.stats import chisquare

from nasrepro.errors import InvalidArchitecture
from nasrepro.graphs import Graphs
from nasrepro.spaces.darts import genotype as darts_genotype
from nasrepro.spaces.darts.genotype import OPERATIONS, Cell
from nasrepro.spaces.darts.space import DARTS_CELL, NB301, NO_NUMBERING, NODE_CLASSES, cells_of, numberings, slots_of
from nasrepro.spaces.naslib import from_naslib, to_naslib

POOL, AVG, SKIP, SEP3, SEP5, DIL3, DIL5 = range(7)
# DARTS_V2, the second-order cell of the DARTS paper (figures 4 and 5).
NORMAL = ((0, SEP3), (1, SEP3), (0, SEP3), (1, SEP3), (1, SEP3), (0, SKIP), (0, SKIP), (2, DIL3))
REDUCE = ((0, POOL), (1, POOL), (2, SKIP), (1, POOL), (0, POOL), (2, SKIP), (2, SKIP), (1, POOL))
DARTS_V2 = (
    "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), "
    "('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)], normal_concat=range(2, 6), "
    "reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0), "
    "('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], reduce_concat=range(2, 6))"
)


class TestCellLaws(SpaceLaws):
    space = DARTS_CELL
    samples = 1_000


class TestPairLaws(SpaceLaws):
    space = NB301
    many = 10_000  # 100,000 take minutes, and pass; those of single cells are all tried
    samples = 500
    few = 15


def _some(n: int, seed: int = 0) -> list[Cell]:
    rng = np.random.default_rng(seed)
    return [DARTS_CELL.sample(rng) for _ in range(n)]


def _drawn(cell: Cell) -> nx.DiGraph:
    """Return a cell as it is drawn in papers: operations on the edges, two inputs, intermediate nodes alike."""
    graph = nx.DiGraph()
    graph.add_node(0, label="c_{k-2}")
    graph.add_node(1, label="c_{k-1}")
    graph.add_nodes_from(range(2, 6), label="sum")
    for slot, (source, op) in enumerate(cell):
        graph.add_edge(source, 2 + slot // 2, op=op)
    return graph


def _isomorphic(a: Cell, b: Cell) -> bool:
    same = nx.algorithms.isomorphism
    return nx.is_isomorphic(
        _drawn(a),
        _drawn(b),
        node_match=same.categorical_node_match("label", None),
        edge_match=same.categorical_edge_match("op", None),
    )


def _renumbered(cell: Cell, order: tuple[int, ...], swap: int = 0) -> Cell:
    """Return the cell with node 2 + v moved to place 2 + order[v], and the slots of some nodes swapped."""
    new: list[Any] = [None] * 4
    for v in range(4):
        slots = [(2 + order[s - 2] if s > 1 else s, op) for s, op in cell[2 * v : 2 * v + 2]]
        new[order[v]] = slots[::-1] if swap >> v & 1 else slots
    return tuple(slot for slots in new for slot in slots)


def test_keys_are_equal_exactly_for_isomorphic_cells():
    # one operation nearly everywhere, so that many cells are isomorphic and many others nearly so
    cells = [tuple((s, SEP3 if op else op) for s, op in cell) for cell in _some(120)]
    keys = [DARTS_CELL.key(cell) for cell in cells]
    found = {True: 0, False: 0}
    for i, j in itertools.combinations(range(len(cells)), 2):
        if sorted(op for _, op in cells[i]) == sorted(op for _, op in cells[j]):
            assert (keys[i] == keys[j]) == _isomorphic(cells[i], cells[j])
            found[keys[i] == keys[j]] += 1
    assert found[True] >= 10 and found[False] > 100


def test_every_topological_renumbering_has_the_same_key_and_is_among_the_numberings():
    for n, cell in enumerate(_some(40)):
        codes = numberings(np.array([cell]))[0]
        valid = [o for o in itertools.permutations(range(4)) if DARTS_CELL.is_valid(_renumbered(cell, o))]
        assert (codes != NO_NUMBERING).sum() == len(valid)
        renumbered = [_renumbered(cell, order, swap=n % 16) for order in valid]
        assert {DARTS_CELL.key(c) for c in renumbered} == {DARTS_CELL.key(cell)}
        expected = {darts_genotype.sorted_slots(c) for c in renumbered}
        assert set(cells_of(slots_of(codes[codes != NO_NUMBERING]))) == expected
        assert DARTS_CELL.canonical(cell) in expected


def test_a_cycle_has_no_numbering():
    cell = ((0, SEP3), (3, SEP3), (1, SEP3), (2, SEP3), (0, SKIP), (1, SKIP), (0, SKIP), (1, SKIP))
    assert (numberings(np.array([cell])) == NO_NUMBERING).all()


def test_samples_are_uniform_over_genotypes():
    cells = np.array(_some(6_000, seed=5))
    for node, pairs in ((3, 3), (5, 10)):
        slot = 2 * (node - 2)
        chosen = cells[:, slot, 0] * 6 + cells[:, slot + 1, 0]
        counts = np.unique(chosen, return_counts=True)[1]
        assert len(counts) == pairs and chisquare(counts).pvalue > 1e-3
    joint = cells[:, 6, 1] * 7 + cells[:, 7, 1]
    assert chisquare(np.bincount(joint, minlength=49)).pvalue > 1e-3
    assert (cells[:, ::2, 0] < cells[:, 1::2, 0]).all()


def test_neighbours_are_all_cells_with_one_other_field_and_no_other():
    for cell in _some(12, seed=1):
        # brute force: every numbering of the cell, every other value of every field, whatever is then a cell
        expected = set()
        for code in np.unique(numberings(np.array([cell]))):
            if code == NO_NUMBERING:
                continue
            base = cells_of(slots_of(np.array([code])))[0]
            for slot, (source, op) in enumerate(base):
                for changed in [(source, o) for o in range(7)] + [(s, op) for s in range(6)]:
                    other = (*base[:slot], changed, *base[slot + 1 :])
                    if DARTS_CELL.is_valid(other):
                        expected.add(DARTS_CELL.key(other))
        expected.discard(DARTS_CELL.key(cell))
        assert {DARTS_CELL.key(c) for c in DARTS_CELL.neighbours(cell)} == expected


def test_the_distance_is_the_length_of_the_shortest_walk_over_neighbours():
    # 0 for the same cell, and otherwise some neighbour, and none by more than one, is nearer: that defines it.
    cells = _some(24, seed=2)
    for a, b in itertools.pairwise(cells):
        distance = DARTS_CELL.distance(a, b)
        steps = [DARTS_CELL.distance(near, b) for near in DARTS_CELL.neighbours(a)]
        assert min(steps) == distance - 1 and max(steps) <= distance + 1
        assert DARTS_CELL.distance(_renumbered(a, (0, 1, 2, 3), swap=9), b) == distance


def test_the_distance_does_not_depend_on_the_numbering():
    a = ((0, SEP3), (1, SEP5), (0, DIL3), (1, DIL5), (2, SKIP), (3, SKIP), (0, AVG), (4, POOL))
    b = _renumbered(a, (1, 0, 2, 3))
    assert a != b and DARTS_CELL.is_valid(b) and DARTS_CELL.distance(a, b) == 0
    assert DARTS_CELL.distance(a, ((0, SEP5), *a[1:])) == 1
    assert NB301.distance((a, a), (b, ((0, AVG), (1, AVG), *a[2:]))) == 2


def test_graph_form_is_that_of_the_public_code():
    graphs = DARTS_CELL.encode([NORMAL])
    names = [NODE_CLASSES[c] for c in graphs.nodes[0]]
    operations = [OPERATIONS[op] for _, op in darts_genotype.sorted_slots(NORMAL)]
    assert names == ["input", "input_1", *operations, "output"] and len(NODE_CLASSES) == 11
    edges = {tuple(edge) for edge in graphs.adjacency()[0].nonzero().tolist()}
    from_inputs = {(0, 2), (1, 3), (0, 4), (1, 5), (0, 6), (1, 7), (0, 8)}
    assert edges == from_inputs | {(2, 9), (3, 9)} | {(node, 10) for node in range(2, 10)}
    pair = NB301.encode([(NORMAL, REDUCE)])
    for half, cell in ((slice(0, 11), NORMAL), (slice(11, 22), REDUCE)):
        one = DARTS_CELL.encode([cell])
        assert torch.equal(pair.nodes[0, half], one.nodes[0])
        assert torch.equal(pair.adjacency()[0, half, half], one.adjacency()[0])
    assert int(pair.pairs.sum()) == int(DARTS_CELL.encode([NORMAL, REDUCE]).pairs.sum())


def test_decode_orders_the_slots_of_a_node_by_input():
    reversed_slots = tuple(slot for node in range(4) for slot in (NORMAL[2 * node + 1], NORMAL[2 * node]))
    sorted_slots = darts_genotype.sorted_slots(NORMAL)
    assert DARTS_CELL.decode(DARTS_CELL.encode([NORMAL, reversed_slots])) == [sorted_slots] * 2
    # a graph may have the operation of the larger input first
    graphs = DARTS_CELL.encode([NORMAL])
    nodes, adjacency = graphs.nodes.clone(), graphs.adjacency()
    nodes[0, [2, 3]] = nodes[0, [3, 2]]
    adjacency[0, :2, 2:4] = adjacency[0, :2, [3, 2]]
    assert DARTS_CELL.decode(Graphs.from_adjacency(nodes, adjacency)) == [sorted_slots]


def _altered(**changes: Any) -> Graphs:
    """Return the graph of DARTS_V2's normal cell with nodes set, edges flipped, or the last nodes masked."""
    graph = DARTS_CELL.encode([NORMAL])
    nodes, adjacency, mask = graph.nodes.clone(), graph.adjacency(), graph.mask.clone()
    for i, node_class in changes.get("nodes", {}).items():
        nodes[0, i] = node_class
    for i, j in changes.get("flip", ()):
        adjacency[0, i, j] ^= 1
    mask[0, changes.get("size", 11) :] = False
    return Graphs.from_adjacency(nodes, adjacency, mask)


@pytest.mark.parametrize(
    ("graph", "kind"),
    [
        (_altered(size=10), "nodes"),
        (_altered(nodes={0: 2}), "terminals"),
        (_altered(nodes={1: 1}), "terminals"),
        (_altered(nodes={10: 5}), "terminals"),
        (_altered(nodes={10: 11}), "terminals"),
        (_altered(nodes={4: 3}), "operations"),  # `identity`
        (_altered(nodes={4: 0}), "operations"),
        (_altered(nodes={4: 2}), "operations"),
        (_altered(nodes={4: -1}), "operations"),
        (_altered(flip=[(0, 1)]), "edges"),
        (_altered(flip=[(0, 2)]), "edges"),  # reads nothing
        (_altered(flip=[(0, 3)]), "edges"),  # reads both inputs
        (_altered(flip=[(2, 9)]), "edges"),  # reads one operation of node 2
        (_altered(flip=[(0, 9)]), "edges"),  # reads node 2 and an input
        (_altered(flip=[(5, 10)]), "edges"),
        (_altered(flip=[(1, 10)]), "edges"),
        (_altered(flip=[(2, 9), (3, 9), (3, 8), (2, 8), (0, 8)]), "edges"),
        (_altered(flip=[(1, 3), (0, 3)]), "inputs"),
        (_altered(flip=[(0, 8), (2, 8), (3, 8)]), "inputs"),
    ],
)
def test_every_kind_of_invalid_graph_is_named(graph: Graphs, kind: str):
    both = Graphs.cat([DARTS_CELL.encode([REDUCE]), graph])
    archs, kinds = DARTS_CELL.decode_with_reasons(both)
    assert archs == [darts_genotype.sorted_slots(REDUCE), None] and kinds == ["", kind]
    if kind == "nodes":
        return
    pair = NB301.encode([(REDUCE, NORMAL)])
    nodes, adjacency = pair.nodes.clone(), pair.adjacency()
    nodes[0, 11:], adjacency[0, 11:, 11:] = graph.nodes[0], graph.adjacency()[0]
    assert NB301.decode_with_reasons(Graphs.from_adjacency(nodes, adjacency)) == ([None], [kind])


def test_an_edge_between_the_cells_is_named():
    graphs = NB301.encode([(NORMAL, REDUCE)])
    adjacency = graphs.adjacency()
    adjacency[0, 4, 15] = 1
    assert NB301.decode_with_reasons(Graphs.from_adjacency(graphs.nodes, adjacency)) == ([None], ["cells"])
    with pytest.raises(InvalidArchitecture, match="11 nodes; one of this space has 22"):
        NB301.decode_one(DARTS_CELL.encode([NORMAL]))


def test_the_genotype_of_darts_round_trips():
    assert NB301.from_string(DARTS_V2) == (NORMAL, REDUCE) and NB301.to_string((NORMAL, REDUCE)) == DARTS_V2
    listed = DARTS_V2.replace("range(2, 6)", "[2, 3, 4, 5]")
    assert NB301.from_string(listed) == NB301.from_string(f"  {DARTS_V2}\n") == (NORMAL, REDUCE)
    assert NB301.from_string(str((NORMAL, REDUCE))) == (NORMAL, REDUCE) == from_naslib("nb301", [list(NORMAL), REDUCE])
    assert DARTS_CELL.from_string(DARTS_CELL.to_string(REDUCE)) == REDUCE


@pytest.mark.parametrize(
    ("text", "reason", "kind"),
    [
        (
            DARTS_V2.replace("sep_conv_3x3", "sep_conv_7x7", 1),
            "no operation `sep_conv_7x7`.*Did you mean",
            "operations",
        ),
        (
            DARTS_V2.replace("('dil_conv_3x3', 2)", "('dil_conv_3x3', 5)"),
            "reads node 5; node 5 can read 0 to 4",
            "edges",
        ),
        (DARTS_V2.replace("('dil_conv_3x3', 2)", "('dil_conv_3x3', 0)"), "Node 5 reads node 0 twice", "inputs"),
        (DARTS_V2.replace(", ('dil_conv_3x3', 2)", ""), "8 .input, operation. pairs", "nodes"),
        (DARTS_V2.replace("normal_concat=range(2, 6)", "normal_concat=range(3, 6)"), "concatenates all of", "nodes"),
        (
            DARTS_V2.replace("normal_concat=range(2, 6)", "normal_concat=range(2, 10**9)"),
            "concatenates all of",
            "nodes",
        ),
        (DARTS_V2.replace("Genotype", "print"), "is no genotype; its form is", "cells"),
        (DARTS_V2.replace("reduce_concat", "reduction"), "is no genotype", "cells"),
        (DARTS_V2[:-1], "is no genotype", "cells"),
        (DARTS_V2.replace("('sep_conv_3x3', 0)", "__import__('os')", 1), "no slots", "cells"),
        ("((0, 1), (2, 3))", "not two lists", "cells"),
        ("(" * 300 + ")" * 300, "is no genotype|not two lists", "cells"),
    ],
)
def test_a_wrong_genotype_is_refused_with_the_reason_and_not_executed(text: str, reason: str, kind: str):
    with pytest.raises(InvalidArchitecture, match=reason) as caught:
        NB301.from_string(text)
    assert caught.value.kind == kind


@pytest.mark.parametrize(
    ("cell", "kind"),
    [
        (NORMAL[:-1], "nodes"),
        (list(NORMAL), "nodes"),
        (((0, 7), *NORMAL[1:]), "operations"),
        (((0, True), *NORMAL[1:]), "operations"),
        (((2, 3), *NORMAL[1:]), "edges"),
        (((-1, 3), *NORMAL[1:]), "edges"),
        (((1, 3), *NORMAL[1:]), "inputs"),
    ],
)
def test_a_wrong_cell_is_refused_with_its_kind(cell: Any, kind: str):
    for check in (lambda: DARTS_CELL.check(cell), lambda: NB301.check((NORMAL, cell))):
        with pytest.raises(InvalidArchitecture) as caught:
            check()
        assert caught.value.kind == kind


def test_the_public_code_reads_the_second_to_fourth_operation_twice():
    cell = ((0, POOL), (1, AVG), (0, SKIP), (2, SEP3), (1, SEP5), (3, DIL3), (0, DIL5), (4, POOL))
    read = darts_genotype.misread(cell)
    assert [source for source, _ in read] == [source for source, _ in cell]
    assert [op for _, op in read] == [POOL, AVG, AVG, SKIP, SKIP, SEP3, SEP3, SEP5]
    swapped = (cell[1], cell[0], *cell[2:])  # it reads the graph form, where the smaller input comes first
    assert darts_genotype.misread(swapped) == read
    assert NB301.misread((cell, NORMAL)) == (read, darts_genotype.misread(NORMAL))
    uniform = tuple((source, SEP3) for source, _ in cell)
    assert darts_genotype.misread(uniform) == uniform


def _published(mirror: Path) -> list[str]:
    texts: list[str] = []
    for name in "abc":
        content = json.loads((mirror / f"nb301_xgb_{name}.json").read_text())
        texts += content.get("nasbench301", content)["cifar10"]
    with zipfile.ZipFile(mirror / "nb301_zen.zip") as archive:
        for name in archive.namelist():
            if name.endswith(".json"):
                texts += [entry["arch"] for entry in json.loads(archive.read(name))]
    return texts


@pytest.mark.mirror
def test_every_published_naslib_architecture_round_trips(mirror: Path):
    texts = _published(mirror)
    assert len(texts) == 725 + 725 + 500 + 11_221
    archs = [NB301.from_string(text) for text in texts]
    for text, arch in zip(texts, archs, strict=True):
        assert arch == tuple(tuple(map(tuple, cell)) for cell in ast.literal_eval(text)) == to_naslib("nb301", arch)
    for arch in archs[::50]:
        assert NB301.from_string(NB301.to_string(arch)) == arch
        assert NB301.key(NB301.decode_one(NB301.encode([arch]))) == NB301.key(arch)
