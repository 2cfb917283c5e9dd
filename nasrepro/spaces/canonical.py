"""A canonical node order of a small labelled directed acyclic graph.

Colour refinement (each node's colour is refined by the colours of what it reads, of its readers and of its partner
until nothing changes) settles most nodes. Where it leaves nodes of one colour, each of them in turn is put first and
the refinement goes on; the order that gives the smallest graph wins. That is exact, unlike colour refinement alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

_Sides = tuple[Sequence[Sequence[int]], ...]  # by node: what it reads, its readers, its partner


def canonical_order(
    labels: Sequence[Any], inputs: Sequence[Sequence[int]], partners: Sequence[int] | None = None
) -> list[int]:
    """Return an order of the nodes in which isomorphic graphs are equal; it is topological.

    Args:
        labels: what a node is; an isomorphism keeps labels. Among nodes of one depth those of smaller labels come
            first.
        inputs: the nodes that each node reads, all of them earlier in the list; their order does not matter, but how
            often one of them is read does.
        partners: a second relation that isomorphisms keep, symmetric: the partner of each node, or the node itself.
    """
    depths: list[int] = []
    readers: list[list[int]] = [[] for _ in labels]
    for node, read in enumerate(inputs):
        depths.append(1 + max((depths[i] for i in read), default=-1))
        for i in read:
            readers[i].append(node)
    pairs = [(p,) for p in (range(len(labels)) if partners is None else partners)]
    return _search(_ranks(list(zip(depths, labels, strict=True))), (inputs, readers, pairs))[1]


def _search(colours: list[int], sides: _Sides) -> tuple[list[Any], list[int]]:
    """Return the smallest graph (what is around each node, by place) below some colours, and its node order."""
    colours = _refine(colours, sides)
    n = len(colours)
    shared = next((c for c in range(n) if colours.count(c) > 1), None)
    if shared is None:
        order = sorted(range(n), key=colours.__getitem__)
        return [_around(node, colours, sides) for node in order], order
    found = []
    tried = set()
    for node in range(n):
        # Nodes with the same inputs, the same readers and no partner can be swapped: one of them is enough.
        twin = tuple(tuple(sorted(i for i in side[node] if i != node)) for side in sides)
        if colours[node] == shared and twin not in tried:
            tried.add(twin)
            first = [2 * c + 1 for c in colours]
            first[node] -= 1
            found.append(_search(_ranks(first), sides))
    return min(found)


def _refine(colours: list[int], sides: _Sides) -> list[int]:
    before, count = 0, len(set(colours))
    while before < count < len(colours):
        colours = _ranks([(colour, *_around(node, colours, sides)) for node, colour in enumerate(colours)])
        before, count = count, len(set(colours))
    return colours


def _around(node: int, colours: list[int], sides: _Sides) -> tuple[tuple[int, ...], ...]:
    """Return the colours of what a node reads, of its readers and of its partner."""
    return tuple(tuple(sorted([colours[i] for i in side[node]])) for side in sides)


def _ranks(values: list[Any]) -> list[int]:
    """Return the rank of each value among the distinct values, from 0."""
    rank = {value: r for r, value in enumerate(sorted(set(values)))}
    return [rank[value] for value in values]


def topological_order(inputs: Sequence[Iterable[int]]) -> list[int] | None:
    """Return an order in which each node comes after those that it reads, None where there is a cycle.

    Of the nodes that may come next the one of the lowest number does.
    """
    order: list[int] = []
    left = list(range(len(inputs)))
    while left:
        ready = next((node for node in left if set(inputs[node]).issubset(order)), None)
        if ready is None:
            return None
        left.remove(ready)
        order.append(ready)
    return order
