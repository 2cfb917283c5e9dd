"""Speed of edit distances beside networkx: `pytest benchmarks/test_edit_distance_speed.py --benchmark-enable`."""

from __future__ import annotations

from time import thread_time

import networkx as nx
import numpy as np
import pytest

from nasrepro.spaces.nb101.graph_edits import Packed, edit_distance, edit_distances, edit_path, pack

PAIRS = 2000
NETWORKX_PAIRS = 60

Cells = tuple[np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def cells() -> tuple[Cells, Cells]:
    """Cells of seven nodes and at most nine edges, as most of NAS-Bench-101 are: operations, adjacency."""
    rng, operations, matrices = np.random.default_rng(0), [], []
    while len(matrices) < 2 * PAIRS:
        adjacency = np.triu(rng.random((7, 7)) < 0.4, 1)
        if adjacency.sum() <= 9 and adjacency[:-1].any(1).all() and adjacency[:, 1:].any(0).all():
            matrices.append(adjacency)
            operations.append([0, *rng.integers(1, 4, 5), 4])
    ops, adj = np.array(operations), np.array(matrices)
    return (ops[:PAIRS], adj[:PAIRS]), (ops[PAIRS:], adj[PAIRS:])


@pytest.fixture(scope="module")
def packed(cells) -> tuple[Packed, Packed]:
    return pack(*cells[0]), pack(*cells[1])


@pytest.fixture(scope="module")
def networkx_seconds(cells) -> float:
    """CPU seconds of one exact distance by networkx, mean."""

    def substitution(x: dict[str, int], y: dict[str, int]) -> int:
        return 0 if x["op"] == y["op"] else 100 if {x["op"], y["op"]} & {0, 4} else 1

    def graph(operations: np.ndarray, adjacency: np.ndarray) -> nx.DiGraph:
        made = nx.DiGraph(np.argwhere(adjacency).tolist())
        nx.set_node_attributes(made, dict(enumerate(operations.tolist())), "op")
        return made

    both = [[graph(o, a) for o, a in zip(*side, strict=True)][:NETWORKX_PAIRS] for side in cells]
    start = thread_time()
    for a, b in zip(*both, strict=True):
        nx.graph_edit_distance(a, b, node_subst_cost=substitution, node_del_cost=lambda _: 1, node_ins_cost=lambda _: 1)
    return (thread_time() - start) / NETWORKX_PAIRS


def test_many_distances(benchmark, packed, networkx_seconds: float):
    benchmark.pedantic(edit_distances, packed, rounds=20, warmup_rounds=2)
    if benchmark.stats:
        ratio = networkx_seconds / (benchmark.stats.stats.min / PAIRS)
        benchmark.extra_info.update(networkx_seconds=networkx_seconds, ratio=ratio)
        assert ratio > 200


@pytest.mark.parametrize("function", [edit_distance, edit_path])
def test_one_pair(benchmark, cells, function, networkx_seconds: float):
    (ops_a, adj_a), (ops_b, adj_b) = cells
    benchmark(function, ops_a[0], adj_a[0], ops_b[0], adj_b[0])
    if benchmark.stats:
        benchmark.extra_info["ratio"] = networkx_seconds / benchmark.stats.stats.min
