"""Edits of the cells of NAS-Bench-NLP: the cells one edit away, and the fewest edits between two cells.

An edit changes an operation; or replaces, adds or removes one input of an operation; or makes another operation the new
value of a hidden state, or another hidden state the output; or inserts an operation with any inputs or a hidden state
with any new value, or deletes one. What lies between two cells need not be valid.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import permutations

from nasrepro.spaces.canonical import topological_order
from nasrepro.spaces.nlp.cell import ARITIES, LINEAR, MAX_HIDDEN, N_INPUTS, WORD, Cell, reordered


def edited(cell: Cell) -> Iterator[Cell]:
    """Yield cells one edit away, every valid one among them (isomorphic ones perhaps more than once).

    All have as many operations as the cell: a single insertion leaves an operation unused, a single deletion one that
    reads too little.
    """
    n = N_INPUTS + len(cell.operations)
    below = _descendants(cell)
    for i, (operation, read) in enumerate(zip(cell.operations, cell.inputs, strict=True)):
        for other, arities in ARITIES.items():
            if other != operation and len(read) in arities:
                yield cell._replace(operations=(*cell.operations[:i], other, *cell.operations[i + 1 :]))
        free = [node for node in range(n) if node not in read and node not in below[i]]
        choices = [{*read} - {old} | {new} for old in read for new in free]
        if operation == LINEAR:
            choices += [{*read, new} for new in free] + [{*read} - {old} for old in read]
        for choice in choices:
            if len(choice) in ARITIES[operation]:
                inputs = (*cell.inputs[:i], tuple(sorted(choice)), *cell.inputs[i + 1 :])
                yield _in_order(cell._replace(inputs=inputs))
    for k in range(len(cell.hidden)):
        for new in range(N_INPUTS, n):
            if new not in cell.hidden:
                yield _in_order(cell._replace(hidden=(*cell.hidden[:k], new, *cell.hidden[k + 1 :])))
        if k != cell.output:
            yield cell._replace(output=k)


def edit_distance(a: Cell, b: Cell) -> int:
    """Return the fewest edits that turn `a` into `b` (up to isomorphism); exact.

    It is the least cost of a pairing of the operations and hidden states of `a` with those of `b`. What has no partner
    costs 1. A pair of operations costs 1 if they differ, and max(|A|, |B|) - |A and B| for the nodes A that one reads
    in `a` (their partners) and B that the other reads in `b`. A pair of states costs 1 if their new values are no pair,
    and the outputs cost 1 if they are none. Found by branch and bound over the pairings of operations, for each pairing
    of states: the operations of `a` are paired in topological order, so that the partners of what one reads are known.
    """
    if len(a.hidden) > len(b.hidden):
        a, b = b, a
    # Leaving a state of `a` without partner is never better: a pair of states costs at most 1.
    best = len(a.operations) + len(b.operations) + len(b.hidden) + 1  # delete everything, insert everything
    for states in permutations(range(len(b.hidden)), len(a.hidden)):
        best = _least(a, b, states, best)
    return best


def _least(a: Cell, b: Cell, states: tuple[int, ...], best: int) -> int:
    """Return the least cost of a pairing in which state k of `a` has the partner `states[k]`, at most `best`."""
    n_a, n_b = len(a.operations), len(b.operations)
    inputs_b = [frozenset(read) for read in b.inputs]
    partner: list[int | None] = [WORD, *(1 + k for k in states), *[None] * (MAX_HIDDEN - len(states)), *[None] * n_a]
    left = set(range(n_b))
    fixed = len(b.hidden) - len(a.hidden) + (states[a.output] != b.output)

    def images(nodes: tuple[int, ...]) -> set[int]:
        return {p for node in nodes if (p := partner[node]) is not None}

    def search(i: int, cost: int) -> None:
        nonlocal best
        if i == n_a:
            moved = sum(partner[node] != b.hidden[k] for node, k in zip(a.hidden, states, strict=True))
            best = min(best, cost + len(left) + moved)
            return
        common = (Counter(a.operations[i:]) & Counter(b.operations[j] for j in left)).total()
        if cost + max(n_a - i, len(left)) - common >= best:
            return
        read, seen = a.inputs[i], images(a.inputs[i])
        costs = [
            ((a.operations[i] != b.operations[j]) + max(len(read), len(inputs_b[j])) - len(seen & inputs_b[j]), j)
            for j in left
        ]
        for extra, j in sorted(costs):
            if cost + extra >= best:
                break
            left.remove(j)
            partner[N_INPUTS + i] = N_INPUTS + j
            search(i + 1, cost + extra)
            left.add(j)
        partner[N_INPUTS + i] = None
        search(i + 1, cost + 1)

    search(0, fixed)
    return best


def _descendants(cell: Cell) -> list[set[int]]:
    """Return for each operation the nodes that depend on it, and itself."""
    below: list[set[int]] = []
    for node in range(N_INPUTS, N_INPUTS + len(cell.operations)):
        found = {node}
        for later in range(node + 1, N_INPUTS + len(cell.operations)):
            if not found.isdisjoint(cell.inputs[later - N_INPUTS]):
                found.add(later)
        below.append(found)
    return below


def _in_order(cell: Cell) -> Cell:
    """Return an acyclic cell with each operation after what it reads, and new values of hidden states ascending."""
    order = topological_order([*[()] * N_INPUTS, *cell.inputs])
    assert order is not None
    return reordered(cell, order[N_INPUTS:])
