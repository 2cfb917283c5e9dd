"""Exact graph edit distance between small directed graphs with labelled nodes.

Every edit costs 1: change the label of a node, insert or delete a node without edges, insert or delete an edge. (For
cells of at most seven nodes between fixed terminals, `edit_distance` does many pairs at once.)

Pad the smaller graph with empty nodes. The distance is then the least cost over all one-to-one matchings of nodes: one
for every pair of matched nodes whose labels differ, one for every edge that only one graph has. No matching needs to
leave nodes of both graphs alone: to match two of them costs at most 1 instead of 2, and no edge more.

The search is depth-first branch and bound. Below a partial matching, each pair of free nodes costs what is certain (its
labels and its edges to matched nodes) and half the difference of the numbers of its other edges, since an edge has two
ends. A best assignment at these costs bounds every completion from below, and is itself one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

_EMPTY = -1


def graph_edit_distance(labels_a: Sequence[int], adj_a: np.ndarray, labels_b: Sequence[int], adj_b: np.ndarray) -> int:
    """Return the least number of edits that make the first graph isomorphic to the second.

    Args:
        labels_a: label of each node of the first graph, not negative, n.
        adj_a: its directed edges, bool or 0 and 1, n x n.
        labels_b: labels of the second graph, m.
        adj_b: edges of the second graph, m x m.
    """
    n = max(len(labels_a), len(labels_b))
    labels, edges = _padded(labels_a, adj_a, n)
    # Nodes with many edges come first: a wrong match of one shows early.
    order = np.argsort(-(edges.sum(0) + edges.sum(1)), kind="stable")
    labels, edges = labels[order], edges[np.ix_(order, order)]
    other_labels, other_edges = _padded(labels_b, adj_b, n)
    differ = (labels[:, None] != other_labels).astype(np.int64)
    return _search(differ, edges, other_edges, 0, 2 * n * n)


def _padded(labels: Sequence[int], adjacency: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    k = len(labels)
    nodes, edges = np.full(n, _EMPTY), np.zeros((n, n), dtype=np.int64)
    nodes[:k], edges[:k, :k] = labels, adjacency
    return nodes, edges


def _search(certain: np.ndarray, a: np.ndarray, b: np.ndarray, paid: int, best: int) -> int:
    """Return the least cost of a matching of the free nodes, what is paid already included; `best` if that is less.

    Args:
        certain: cost of matching node i of the first graph with node j of the second, as far as it is certain, k x k.
        a: edges between the free nodes of the first graph, k x k.
        b: edges between the free nodes of the second graph, k x k.
        paid: cost of the matched nodes.
        best: least cost that is known.
    """
    costs = 2 * certain + sum(abs(a.sum(axis)[:, None] - b.sum(axis)) for axis in (0, 1))  # in halves
    rows, columns = linear_sum_assignment(costs)
    bound = paid - (-int(costs[rows, columns].sum()) // 2)
    if bound >= best:
        return best
    full = paid + int(certain[rows, columns].sum() + (a != b[np.ix_(columns, columns)]).sum())
    best = min(best, full)
    if best == bound:
        return best
    for column in np.argsort(costs[0], kind="stable").tolist():
        others = np.arange(len(b)) != column
        leaving, entering = a[0, 1:, None] != b[column, others], a[1:, 0, None] != b[others, column]
        below = certain[1:, others] + leaving.astype(np.int64) + entering
        best = _search(below, a[1:, 1:], b[np.ix_(others, others)], paid + int(certain[0, column]), best)
    return best
