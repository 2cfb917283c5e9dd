"""Edit distances of small cells: against networkx, against all matchings one by one, and the laws of a distance."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, permutations, product
from typing import Any

import networkx as nx
import numpy as np
import pytest

from nasrepro.errors import InvalidArchitecture
from nasrepro.spaces.nb101.graph_edits import (
    EMPTY,
    Edit,
    Frame,
    Packed,
    apply,
    edit_distance,
    edit_distances,
    edit_path,
    from_frame,
    pack,
    shuffled,
    to_frame,
)

Cell = tuple[np.ndarray, np.ndarray]
INPUT, OUTPUT = 0, 4  # operations 1-3 between them, as in NAS-Bench-101


def random_cell(rng: np.random.Generator, n: int) -> Cell:
    """Draw a cell of n nodes, each of them on a path from the input to the output, with at most nine edges."""
    while True:
        adjacency = np.triu(rng.random((n, n)) < rng.uniform(0.2, 0.6), 1)
        if adjacency.sum() <= 9 and adjacency[:-1].any(1).all() and adjacency[:, 1:].any(0).all():
            return np.array([INPUT, *rng.integers(1, 4, n - 2), OUTPUT]), adjacency


def random_cells(seed: int, count: int, sizes: tuple[int, ...] = (2, 3, 4, 5, 6, 7, 7, 7, 7)) -> list[Cell]:
    rng = np.random.default_rng(seed)
    return [random_cell(rng, int(rng.choice(sizes))) for _ in range(count)]


def batch(cells: list[Cell], filler: int = 0) -> Packed:
    """Pack cells of different sizes, with `filler` in what is no node of theirs."""
    operations = np.full((len(cells), 7), filler)
    adjacency = np.full((len(cells), 7, 7), filler)
    for i, (ops, adj) in enumerate(cells):
        operations[i, : len(ops)] = ops
        adjacency[i, : len(ops), : len(ops)] = adj
    return pack(operations, adjacency, np.array([len(ops) for ops, _ in cells]))


def graph(operations: np.ndarray, adjacency: np.ndarray) -> nx.DiGraph:
    made = nx.DiGraph()
    made.add_nodes_from((i, {"op": int(op)}) for i, op in enumerate(operations))
    made.add_edges_from(np.argwhere(adjacency).tolist())
    return made


def isomorphic(a: Cell, b: Cell) -> bool:
    return nx.is_isomorphic(graph(*a), graph(*b), node_match=lambda x, y: x == y)


def test_distances_are_those_of_networkx():
    """Of 2,000 pairs compared by hand none differed; a hundred and fifty are compared here."""

    def substitution(x: dict[str, int], y: dict[str, int]) -> int:
        if x["op"] == y["op"]:
            return 0
        return 100 if {x["op"], y["op"]} & {INPUT, OUTPUT} else 1

    first, second = random_cells(0, 150), random_cells(1, 150)
    expected = [
        nx.graph_edit_distance(
            graph(*a), graph(*b), node_subst_cost=substitution, node_del_cost=lambda _: 1, node_ins_cost=lambda _: 1
        )
        for a, b in zip(first, second, strict=True)
    ]
    assert edit_distances(batch(first), batch(second)).tolist() == expected
    assert len(set(expected)) > 8


def test_no_matching_that_deletes_one_node_and_inserts_another_is_better():
    """All partial matchings of the inner nodes, those among them that match fewer nodes than they could."""

    def least(a: Cell, b: Cell) -> int:
        (ops_a, adj_a), (ops_b, adj_b) = a, b
        inner_a, inner_b = range(1, len(ops_a) - 1), range(1, len(ops_b) - 1)
        edges_a, edges_b = (set(map(tuple, np.argwhere(adj).tolist())) for adj in (adj_a, adj_b))
        costs = []
        for size in range(min(len(inner_a), len(inner_b)) + 1):
            for kept, images in product(combinations(inner_a, size), permutations(inner_b, size)):
                to = {0: 0, len(ops_a) - 1: len(ops_b) - 1, **dict(zip(kept, images, strict=True))}
                moved = {(to[i], to[j]) for i, j in edges_a if i in to and j in to}
                nodes = len(inner_a) + len(inner_b) - 2 * size
                nodes += sum(ops_a[i] != ops_b[j] for i, j in zip(kept, images, strict=True))
                costs.append(nodes + len(edges_a) + len(edges_b) - 2 * len(moved & edges_b))
        return min(costs)

    sizes = (2, 3, 4, 5, 6, 7)
    for a, b in zip(random_cells(2, 60, sizes), random_cells(3, 60, sizes), strict=True):
        assert edit_distance(*a, *b) == least(a, b)


def test_distances_worked_out_by_hand():
    direct = ([INPUT, OUTPUT], np.array([[0, 1], [0, 0]]))
    chain = ([INPUT, 1, OUTPUT], np.eye(3, k=1))
    assert edit_distance(*direct, *chain) == 4  # one edge out, one node and two edges in
    skip = ([INPUT, 1, OUTPUT], np.triu(np.ones((3, 3)), 1))
    assert edit_distance(*direct, *skip) == 3
    assert edit_distance(*chain, *skip) == 1
    longest = ([INPUT, 1, 2, 3, 1, 2, OUTPUT], np.eye(7, k=1))
    assert edit_distance(*chain, [INPUT, 2, OUTPUT], chain[1]) == 1
    assert edit_distance(*chain, *longest) == 10  # four nodes and five edges in, one edge out
    reversed_chain = ([INPUT, 2, 1, 3, 2, 1, OUTPUT], np.eye(7, k=1))
    assert edit_distance(*longest, *reversed_chain) == 4  # four nodes changed: keeping the edges is cheapest


def test_the_laws_of_a_distance():
    cells = random_cells(4, 70)
    packed = batch(cells)
    table = np.array([edit_distances(packed, packed[i : i + 1]) for i in range(len(cells))])
    np.testing.assert_array_equal(table, table.T)
    assert (table[:, None, :] <= table[:, :, None] + table[None, :, :]).all()
    for i, j in combinations(range(len(cells)), 2):
        assert (table[i, j] == 0) == isomorphic(cells[i], cells[j])
    assert (table == 0).sum() > len(cells)  # some cells are isomorphic, so that the last law is no empty word


def test_isomorphic_cells_have_the_same_distances():
    rng = np.random.default_rng(5)
    others = random_cells(6, 40)
    renumbered = 0
    for operations, adjacency in random_cells(7, 40, (5, 6, 7)):
        n = len(operations)
        order = np.concatenate([[0], 1 + rng.permutation(n - 2), [n - 1]])
        frame = to_frame(operations[order], np.zeros((n, n)))
        slots = np.concatenate([np.arange(n - 1), [6]])
        frame.adjacency[np.ix_(slots, slots)] = adjacency[order][:, order]
        twin = from_frame(frame)  # in some other topological order
        assert not np.tril(twin[1]).any() and isomorphic((operations, adjacency), twin)
        renumbered += not (np.array_equal(twin[0], operations) and np.array_equal(twin[1], adjacency))
        a, b = (edit_distances(batch(others), batch([cell])) for cell in ((operations, adjacency), twin))
        np.testing.assert_array_equal(a, b)
    assert renumbered > 10


def test_batches_give_what_single_calls_give():
    first, second = random_cells(8, 300), random_cells(9, 300)
    expected = [edit_distance(*a, *b) for a, b in zip(first, second, strict=True)]
    assert edit_distances(batch(first), batch(second, filler=1)).tolist() == expected
    to_one = [edit_distance(*a, *second[0]) for a in first]
    assert edit_distances(batch(first), batch(second[:1])).tolist() == to_one
    assert edit_distances(batch(second[:1]), batch(first)).tolist() == to_one
    many = np.tile(np.arange(300), 10)  # more than are worked on at a time
    assert edit_distances(batch(first)[many], batch(second)[many]).tolist() == expected * 10
    assert edit_distances(batch(first)[:0], batch(second)[:0]).tolist() == []
    with pytest.raises(ValueError, match="300 and 7 cells"):
        edit_distances(batch(first), batch(second[:7]))


def test_a_path_is_as_long_as_the_distance_and_leads_along_a_shortest_way():
    met: Counter[str] = Counter()
    for a, b in zip(random_cells(10, 60), random_cells(11, 60), strict=True):
        path = edit_path(*a, *b)
        assert len(path) == edit_distance(*a, *b)
        current = to_frame(*a)
        for done, edit in enumerate(path, start=1):
            current = apply(edit, current)
            between = from_frame(current)  # free of cycles all along
            assert edit_distance(*a, *between) == done
            assert edit_distance(*between, *b) == len(path) - done
        assert isomorphic(from_frame(current), b)
        met.update(edit.kind for edit in path)
    assert set(met) == {"delete_edge", "delete_node", "substitute", "insert_node", "insert_edge"}


def test_every_beginning_of_a_shuffled_path_can_be_applied():
    rng = np.random.default_rng(12)
    changed = 0
    for a, b in zip(random_cells(13, 100), random_cells(14, 100), strict=True):
        path = edit_path(*a, *b)
        order = shuffled(path, rng)
        assert Counter(order) == Counter(path)
        current = to_frame(*a)
        for edit in order:
            current = apply(edit, current)
        assert isomorphic(from_frame(current), b)
        changed += order != path
    assert changed > 80


def test_edits_that_do_not_wait_for_each_other_come_in_each_order_equally_often():
    chain = np.eye(5, k=1)
    path = edit_path([INPUT, 1, 1, 1, OUTPUT], chain, [INPUT, 2, 2, 2, OUTPUT], chain)
    assert [edit.kind for edit in path] == ["substitute"] * 3
    rng = np.random.default_rng(15)
    counts = Counter(tuple(shuffled(path, rng)) for _ in range(3000))
    assert len(counts) == 6
    assert sum((count - 500) ** 2 / 500 for count in counts.values()) < 20.5  # chi-square, 5 d.f., p = 0.001


def test_a_frame_gives_the_cell_back():
    for operations, adjacency in random_cells(16, 50):
        frame = to_frame(operations, adjacency)
        assert frame.operations.shape == (7,) and (frame.operations != EMPTY).sum() == len(operations)
        again = from_frame(frame)
        assert isomorphic(again, (operations, adjacency)) and not np.tril(again[1]).any()


@pytest.mark.parametrize(
    "edit",
    [
        Edit("delete_edge", (0, 6)),  # there is none
        Edit("insert_edge", (0, 1)),  # there is one
        Edit("insert_edge", (0, 3)),  # to an empty slot
        Edit("delete_node", (1,)),  # it has edges
        Edit("delete_node", (3,)),  # an empty slot
        Edit("insert_node", (2,), 1),  # there is one
        Edit("substitute", (3,), 1),  # an empty slot
        Edit("substitute", (0,), 1),  # the input
        Edit("substitute", (6,), 1),  # the output
    ],
    ids=str,
)
def test_an_edit_that_does_not_fit_is_refused(edit: Edit):
    frame = to_frame([INPUT, 1, 2, OUTPUT], np.eye(4, k=1))
    with pytest.raises(InvalidArchitecture, match="does not fit the graph") as raised:
        apply(edit, frame)
    assert raised.value.kind == "edits"


def test_an_edit_leaves_the_graph_that_it_is_applied_to_as_it_is():
    frame = to_frame([INPUT, 1, OUTPUT], np.eye(3, k=1))
    after = apply(Edit("insert_edge", (0, 6)), apply(Edit("substitute", (1,), 3), frame))
    assert after.operations[1] == 3 and after.adjacency.sum() == 3
    assert frame.operations[1] == 1 and frame.adjacency.sum() == 2


def test_graphs_that_are_no_cells_are_refused_on_the_way_back():
    frame = to_frame([INPUT, 1, 2, OUTPUT], np.eye(4, k=1))
    for edge, reason in (((2, 1), "cycle"), ((1, 0), "into the input"), ((6, 1), "out of the output")):
        adjacency = frame.adjacency.copy()
        adjacency[edge] = True
        with pytest.raises(InvalidArchitecture, match=reason) as raised:
            from_frame(Frame(frame.operations, adjacency))
        assert raised.value.kind == "edges"


@pytest.mark.parametrize(
    ("operations", "adjacency", "kind", "reason"),
    [
        ([0] * 8, np.eye(8, k=1), "nodes", "A cell of 8 nodes"),
        ([0], np.zeros((1, 1)), "nodes", "A cell of 1 nodes"),
        ([0, 1, 4], np.eye(2, k=1), "nodes", "are no cells"),
        ([0, 1, 4], np.eye(3, k=-1), "edges", "topological order"),
        ([0, 1, 4], np.eye(3), "edges", "topological order"),
        ([0, -1, 4], np.eye(3, k=1), "operations", "negative operation"),
    ],
)
def test_what_is_no_cell_is_refused(operations: Any, adjacency: np.ndarray, kind: str, reason: str):
    good = ([INPUT, OUTPUT], np.eye(2, k=1))
    for function in (edit_distance, edit_path):
        for arguments in ((operations, adjacency, *good), (*good, operations, adjacency)):
            with pytest.raises(InvalidArchitecture, match=reason) as raised:
                function(*arguments)
            assert raised.value.kind == kind
    with pytest.raises(InvalidArchitecture, match="9 nodes in an array for 7"):
        pack(np.zeros((1, 7)), np.zeros((1, 7, 7)), np.array([9]))
