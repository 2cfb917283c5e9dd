"""When do two cells compute the same function?

A cell with operations on its edges is reduced to its *computation graph*: the instances of weighted or pooling
operations that reach the output, what each of them sums, and what the output sums. `none` yields zero, an operation on
a sum that is identically zero yields zero (the tabulated networks start each convolution block with a ReLU and end it
with a normalisation, whose learnt offset is not counted as a function of the input), `skip_connect` passes its input
through, and an operation whose result is never used is dropped. Inputs are a multiset: the sum x + x is not x. One
instance used twice is not the same as two instances, which have weights of their own (the two poolings of a cell are
told apart in the same way; no property of pooling is used). Two cells share a key exactly when their computation graphs
are isomorphic as labelled directed multigraphs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from nasrepro.spaces.canonical import canonical_order

_CELL_INPUT = -1


class CellEdge(NamedTuple):
    """One edge of a cell: the nodes that it joins (source < target) and its operation."""

    source: int
    target: int
    operation: str


class _Instance(NamedTuple):
    operation: str
    inputs: tuple[int, ...]  # the summed instances, sorted, with repetition; -1 is the input of the cell


def computation_graph(edges: Iterable[CellEdge], n_nodes: int) -> tuple[list[_Instance], tuple[int, ...]]:
    """Return the live instances in topological order and what the output sums (empty: the output is identically zero).

    Node 0 is the cell's input, node `n_nodes` - 1 its output. The edges may come in any order.
    """
    sums: list[list[int]] = [[_CELL_INPUT]] + [[] for _ in range(n_nodes - 1)]
    instances: list[_Instance] = []
    for edge in sorted(edges):  # by source: the sum of a node is complete before an edge leaves it
        inputs = sums[edge.source]
        if edge.operation == "none" or not inputs:
            continue
        if edge.operation == "skip_connect":
            sums[edge.target].extend(inputs)
        else:
            instances.append(_Instance(edge.operation, tuple(sorted(inputs))))
            sums[edge.target].append(len(instances) - 1)
    output = sums[-1]
    live = {i for i in output if i >= 0}
    for i in range(len(instances) - 1, -1, -1):  # users come after what they use
        if i in live:
            live.update(j for j in instances[i].inputs if j >= 0)
    rank = {_CELL_INPUT: _CELL_INPUT} | {old: new for new, old in enumerate(sorted(live))}
    kept = [
        _Instance(instances[i].operation, tuple(sorted(rank[j] for j in instances[i].inputs))) for i in sorted(live)
    ]
    return kept, tuple(sorted(rank[j] for j in output))


def functional_key(edges: Sequence[CellEdge], n_nodes: int) -> str:
    """Return the canonical form of the computation graph, e.g. `nor_conv_3x3(x);out(0,x)`; `out()` if it is zero."""
    instances, output = computation_graph(edges, n_nodes)
    # node 0 is the input, then the instances, last the output
    labels = ["x", *(instance.operation for instance in instances), "out"]
    inputs = [[], *([1 + j for j in read] for read in (*(instance.inputs for instance in instances), output))]
    last = len(labels) - 1
    order = [0, *(node for node in canonical_order(labels, inputs) if 0 < node < last), last]
    names = {node: "x" if node == 0 else str(place - 1) for place, node in enumerate(order)}
    return ";".join(f"{labels[node]}({','.join(sorted(names[i] for i in inputs[node]))})" for node in order[1:])
