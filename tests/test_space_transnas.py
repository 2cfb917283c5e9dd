"""The two spaces of TransNAS-Bench-101: the laws of every space, the rule of the macro space, edits, invalid graphs."""

from __future__ import annotations

from collections import Counter
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from conformance import GraphSpaceLaws

from nasrepro.errors import InvalidArchitecture
from nasrepro.graphs import Graphs
from nasrepro.spaces import transnas
from nasrepro.spaces.edge_cell import CELL_EDGES
from nasrepro.spaces.naslib import from_naslib, to_naslib
from nasrepro.spaces.transnas import MODULES, TNB101_MACRO, TNB101_MICRO

CELLS = list(TNB101_MICRO.all())
NETWORKS = list(TNB101_MACRO.all())


class TestMicroLaws(GraphSpaceLaws):
    space = TNB101_MICRO
    invalid = (None, "", (), 3.5, (0, 0, 0, 0, 0, 4), (0, 0, 0, 0, 0, -1), [0] * 6, (0, 0, 0, 0, 0, True))


class TestMacroLaws(GraphSpaceLaws):
    space = TNB101_MACRO
    invalid = (
        *(None, "", (), 3.5, [1, 2, 3, 4]),
        *((1, 2, 3), (1, 2, 3, 1, 1, 1, 1)),
        *((1, 2, 3, 5), (0, 1, 2, 3), (True, 1, 2, 3), (1.0, 1, 2, 3), ([1], 2, 3, 4)),
        *((1, 1, 1, 1), (3, 3, 1, 1), (2, 2, 1, 1)),  # no doubling, no halving
        *((2, 2, 2, 2, 3), (4, 4, 4, 3, 3)),  # four doublings, five halvings
    )


def test_both_spaces_list_each_architecture_once_and_only_valid_ones():
    for space, archs, size in ((TNB101_MICRO, CELLS, 4**6), (TNB101_MACRO, NETWORKS, 3_256)):
        assert len(set(archs)) == len(archs) == space.size == size
        assert all(map(space.is_valid, archs))
        assert space.rows(archs).tolist() == list(range(size))
        assert space.decode(space.encode(archs)) == archs
        assert [space.from_string(space.to_string(arch)) for arch in archs] == archs
        assert len(set(map(space.key, archs))) == size


def test_macro_space_is_everything_that_check_accepts():
    """Of all chains of 1 to 7 modules; counted by choosing which modules double and which halve."""
    chains = [c for n in range(1, 8) for c in product((1, 2, 3, 4), repeat=n)]
    assert [c for c in chains if TNB101_MACRO.is_valid(c)] == NETWORKS

    def choices(n: int, least: int, most: int) -> int:
        return sum(min(most, n) >= sum(bits) >= least for bits in product((0, 1), repeat=n))

    by_length = Counter(map(len, NETWORKS))
    assert by_length == {n: choices(n, 1, 3) * choices(n, 1, 4) for n in (4, 5, 6)} == {4: 210, 5: 750, 6: 2_296}


def test_samples_are_uniform():
    """Chi-square over 64 groups of rows, p = 0.001 at 63 degrees of freedom."""
    for space in (TNB101_MICRO, TNB101_MACRO):
        rng = np.random.default_rng(0)
        rows = space.rows([space.sample(rng) for _ in range(20_000)])
        sizes = np.bincount(np.arange(space.size) * 64 // space.size)
        expected = 20_000 * sizes / space.size
        assert ((np.bincount(rows * 64 // space.size) - expected) ** 2 / expected).sum() < 103.4


# The two examples of the benchmark's own description.
def test_the_published_micro_example_means_what_its_authors_say():
    cell = TNB101_MICRO.from_string("64-41414-1_02_333")
    operations = {edge: TNB101_MICRO.operations[op] for edge, op in zip(CELL_EDGES, cell, strict=True)}
    assert operations == {
        (0, 1): "skip_connect",
        (0, 2): "none",
        (1, 2): "nor_conv_1x1",
        (0, 3): "nor_conv_3x3",
        (1, 3): "nor_conv_3x3",
        (2, 3): "nor_conv_3x3",
    }
    assert to_naslib("tnb101-micro:string", cell) == cell == from_naslib("tnb101-micro:string", cell)
    classes = TNB101_MICRO.encode([cell]).nodes[0].tolist()
    assert [TNB101_MICRO.node_classes[c] for c in classes] == ["input", *operations.values(), "output"]


def test_the_published_macro_example_means_what_its_authors_say():
    network = TNB101_MACRO.from_string("64-1234-basic")
    assert network == (1, 2, 3, 4) == from_naslib("tnb101-macro", (1, 2, 3, 4, 0, 0))
    assert to_naslib("tnb101-macro", network) == network
    graphs = TNB101_MACRO.encode([network, (1, 2, 3, 4, 1, 1)])
    assert graphs.mask.sum(1).tolist() == [6, 8]
    names = [TNB101_MACRO.node_classes[c] for c in graphs.nodes[0, :6].tolist()]
    assert names == ["input", *MODULES, "output"]
    assert graphs.adjacency()[0].nonzero().tolist() == [[i, i + 1] for i in range(5)]
    assert graphs.nodes[0, 6:].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("space", "text", "reason"),
    [
        (TNB101_MICRO, "64-41414-1_02_334", "its form is 64-41414-a_bc_def"),
        (TNB101_MICRO, "64-41414-1_02_33", "its form is"),
        (TNB101_MICRO, "64-1234-basic", "its form is"),
        (TNB101_MACRO, "64-1235-basic", "its form is 64-abcd-basic"),
        (TNB101_MACRO, "64-41414-1_02_333", "its form is"),
        (TNB101_MACRO, "64-123-basic", "tuple of 4 to 6 module types"),
        (TNB101_MACRO, "64-1111-basic", "doubles the channels 0 times and halves the resolution 0 times"),
        (TNB101_MACRO, "64-44441-basic", "doubles the channels 4 times and halves the resolution 4 times"),
    ],
)
def test_a_wrong_string_is_refused_with_the_reason(space: Any, text: str, reason: str):
    with pytest.raises(InvalidArchitecture, match=reason):
        space.from_string(text)


def _altered(arch: tuple[int, ...] = (1, 2, 3, 4, 1), **changes: Any) -> Graphs:
    """Return the graph of a network with some node classes set, some edges flipped, or another number of nodes."""
    graph = TNB101_MACRO.encode([arch])
    nodes, adjacency, mask = graph.nodes.clone(), graph.adjacency(), graph.mask.clone()
    for i, node_class in changes.get("nodes", {}).items():
        nodes[0, i] = node_class
    for i, j in changes.get("flip", ()):
        adjacency[0, i, j] ^= 1
    if "size" in changes:
        mask[0] = torch.arange(8) < changes["size"]
    return Graphs.from_adjacency(nodes, adjacency, mask)


@pytest.mark.parametrize(
    ("graph", "kind", "reason"),
    [
        (_altered(size=5), "nodes", "has 5 nodes; a TransNAS-Bench-101 macro network has 6 to 8"),
        (_altered(size=0), "nodes", "has 0 nodes"),
        (_altered(flip=[(0, 2), (3, 4)]), "edges", "missing 3->4; extra 0->2"),
        (_altered(size=8), "edges", "missing 6->7"),
        (_altered(nodes={0: 2}), "terminals", "first node is normal, not input"),
        (_altered(nodes={6: 1}), "terminals", "last node is input, not output"),
        (_altered(size=6), "terminals", "last node is normal, not output"),
        (_altered(nodes={2: 0}), "operations", "Node 2 is output, not an operation"),
        (_altered(nodes={2: 9}), "operations", "Node 2 is class 9, not an operation"),
        (_altered(nodes={2: -1}), "operations", "Node 2 is class -1, not an operation"),
        (_altered(nodes={2: 2, 4: 2}), "stages", "doubles the channels 0 times and halves the resolution 1 times"),
    ],
)
def test_every_kind_of_invalid_chain_is_named(graph: Graphs, kind: str, reason: str):
    both = Graphs.cat([TNB101_MACRO.encode([NETWORKS[1]]), graph])
    assert TNB101_MACRO.decode_with_reasons(both) == ([NETWORKS[1], None], ["", kind])
    with pytest.raises(InvalidArchitecture, match=reason):
        TNB101_MACRO.decode_one(both, 1)


def test_decode_of_a_chain_ignores_padding():
    graph = _altered(flip=[(6, 7), (0, 7)], nodes={7: 3})  # node 7 does not exist in a network of five modules
    assert TNB101_MACRO.decode(graph) == [(1, 2, 3, 4, 1)]


def test_micro_neighbours_are_the_18_cells_at_hamming_distance_one():
    cells = np.array(CELLS)
    for cell in CELLS[::511]:
        near = TNB101_MICRO.neighbours(cell)
        assert len(near) == 18
        assert sorted(near) == [CELLS[i] for i in np.flatnonzero((cells != cell).sum(1) == 1)]


def _levenshtein(a: list[tuple[int, ...]], b: list[tuple[int, ...]]) -> np.ndarray:
    """Return the edit distances of chains of one length (int, A) to chains of one length (int, B)."""
    x, y = np.array(a)[:, None], np.array(b)[None]
    above = [np.full((len(a), len(b)), j) for j in range(y.shape[2] + 1)]
    for i in range(x.shape[2]):
        row = [np.full((len(a), len(b)), i + 1)]
        for j in range(y.shape[2]):
            replaced = above[j] + (x[:, :, i] != y[:, :, j])
            row.append(np.minimum(np.minimum(above[j + 1], row[j]) + 1, replaced))
        above = row
    return above[-1]


@pytest.fixture(scope="module")
def some() -> list[tuple[int, ...]]:
    return [NETWORKS[i] for i in np.random.default_rng(0).permutation(TNB101_MACRO.size)[:150]]


def _edit_distances(some: list[tuple[int, ...]]) -> np.ndarray:
    """Return the edit distances of some networks to all."""
    out = np.empty((len(some), len(NETWORKS)), dtype=int)
    for n, m in product((4, 5, 6), repeat=2):
        rows = [i for i, a in enumerate(some) if len(a) == n]
        columns = [j for j, b in enumerate(NETWORKS) if len(b) == m]
        out[np.ix_(rows, columns)] = _levenshtein([some[i] for i in rows], [NETWORKS[j] for j in columns])
    return out


def test_macro_neighbours_are_the_networks_at_edit_distance_one(some: list[tuple[int, ...]]):
    for arch, distances in zip(some, _edit_distances(some), strict=True):
        near = TNB101_MACRO.neighbours(arch)
        assert near == sorted(near)
        assert set(near) == {NETWORKS[j] for j in np.flatnonzero(distances == 1)}


def test_macro_distance_is_that_of_edits_and_rarely_more(some: list[tuple[int, ...]]):
    found = np.array([[TNB101_MACRO.distance(a, b) for b in NETWORKS] for a in some])
    extra = found - _edit_distances(some)
    assert extra.min() == 0 and 1 <= extra.max() <= 2
    assert 0.0004 < (extra > 0).mean() < 0.0016
    np.testing.assert_array_equal(found[:, TNB101_MACRO.rows(some)], found[:, TNB101_MACRO.rows(some)].T)


def test_macro_distance_counts_the_way_around_what_is_no_network():
    a, b = (3, 3, 1, 3, 1, 2), (3, 3, 1, 4, 3, 1)
    # Two edits would do (a module in, the last one out), but neither order of them stays in the space.
    assert _levenshtein([a], [b])[0, 0] == 2
    assert not TNB101_MACRO.is_valid((3, 3, 1, 4, 3, 1, 2)) and not TNB101_MACRO.is_valid((3, 3, 1, 3, 1))
    assert TNB101_MACRO.distance(a, b) == 3


def test_macro_distances_obey_the_triangle_inequality_everywhere(some: list[tuple[int, ...]]):
    rows = TNB101_MACRO.rows(some)[:60]
    d = np.stack([transnas._distances_from(row) for row in rows.tolist()]).astype(int)
    for j in range(len(rows)):
        assert (d <= d[:, [rows[j]]] + d[[j]]).all()
    assert d.max() == 6 and (d == 0).sum() == len(rows)  # every network can be reached, and none is another


def test_mutations_of_a_network_are_uniform():
    rng = np.random.default_rng(0)
    arch = (1, 2, 3, 4, 1)
    near = TNB101_MACRO.neighbours(arch)
    counts = Counter(TNB101_MACRO.mutate(arch, rng) for _ in range(100 * len(near)))
    assert set(counts) == set(near) and len(near) == 19 + 5 + 15  # inserted (4 x 6 places - 5 twins), removed, replaced
    assert sum((counts[b] - 100) ** 2 / 100 for b in near) < 70.7  # chi-square, 38 degrees of freedom, p = 0.001
