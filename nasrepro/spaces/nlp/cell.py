"""The recurrent cells of NAS-Bench-NLP as compact graphs: what they are, when they are valid, their canonical form.

A cell says which operation reads which, which operations become the new hidden states, and which of these is the output
of the layer. Unlike a recipe (see `nlp_recipes`) it does not say which input of a `blend` is the gate, because the
graphs of NAS-Bench-X11, AG-Net and DiNAS (appendix A.7.4) cannot; recipes that differ in nothing else are one cell. Nor
does it name the hidden states: the first is the one whose new value is computed first, in the order of the nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from nasrepro.errors import InvalidArchitecture
from nasrepro.spaces.canonical import canonical_order

NODE_CLASSES = ("out", "in", "sigm", "tanh", "leaky_relu", "sum", "prod", "linear", "blend")
OUT, IN, SIGM, TANH, LEAKY_RELU, SUM, PROD, LINEAR, BLEND = range(9)
ARITIES = {SIGM: (1,), TANH: (1,), LEAKY_RELU: (1,), SUM: (2,), PROD: (2,), LINEAR: (2, 3), BLEND: (3,)}
INPUT_NAMES = ("x", "h_prev_0", "h_prev_1", "h_prev_2")
N_INPUTS = len(INPUT_NAMES)
WORD = 0  # node of the word; the previous hidden states are nodes 1 to 3
MAX_HIDDEN = N_INPUTS - 1


class Cell(NamedTuple):
    """A recurrent cell. Its nodes: 0 the word, 1 + k the previous value of hidden state k, 4 + i operation i.

    Attributes:
        operations: node class of each operation, in topological order.
        inputs: the nodes that each operation reads, ascending.
        hidden: the node that is the new value of each hidden state, ascending.
        output: the hidden state that is the output of the layer.
    """

    operations: tuple[int, ...]
    inputs: tuple[tuple[int, ...], ...]
    hidden: tuple[int, ...]
    output: int


def check_cell(cell: Cell, max_operations: int) -> None:
    """Raise `InvalidArchitecture` unless the cell is that of a valid recipe of at most `max_operations` operations.

    The kinds, the first that applies:

    - `nodes`: no operation, or too many;
    - `operations`: an operation has a class that is none;
    - `edges`: an operation reads a node that is not before it, or one node twice, or, not being `linear`, the word
      (which has another size than the hidden states);
    - `arity`: an operation reads too few or too many nodes;
    - `hidden`: not 1 to 3 new hidden states, or one that is no operation or reads a previous one directly;
    - `unused`: no new hidden state needs an operation;
    - `inputs`: the word is not read, or the previous hidden states that are read are not the first H of them, for H new
      ones;
    - `output`: the output is none of the hidden states.
    """
    if not isinstance(cell, Cell) or len(cell.inputs) != len(cell.operations):
        raise InvalidArchitecture(f"An architecture of NAS-Bench-NLP is a `Cell`, not {cell!r}.", "nodes")
    if not 1 <= len(cell.operations) <= max_operations:
        raise InvalidArchitecture(
            f"The cell has {len(cell.operations)} operations; this space has cells of 1 to {max_operations}.", "nodes"
        )
    for node, operation in enumerate(cell.operations, start=N_INPUTS):
        if operation not in ARITIES:
            raise InvalidArchitecture(
                f"Node {node} is {class_name(operation)}, not an operation ({', '.join(NODE_CLASSES[2:])}).",
                "operations",
            )
    _check_edges(cell)
    _check_hidden(cell)
    needed = set(cell.hidden)
    for node, read in reversed(list(enumerate(cell.inputs, start=N_INPUTS))):
        if node not in needed:
            raise InvalidArchitecture(f"Node {node} is read by nothing that a new hidden state needs.", "unused")
        needed.update(read)
    wanted = set(range(1 + len(cell.hidden)))
    if (found := needed & set(range(N_INPUTS))) != wanted:
        raise InvalidArchitecture(
            f"The cell has {len(cell.hidden)} new hidden states and reads {_input_names(found)}; "
            f"it must read {_input_names(wanted)}.",
            "inputs",
        )
    if not 0 <= cell.output < len(cell.hidden):
        raise InvalidArchitecture(
            f"The output is hidden state {cell.output}; the cell has {len(cell.hidden)}, counted from 0.", "output"
        )


def _check_edges(cell: Cell) -> None:
    for node, (operation, read) in enumerate(zip(cell.operations, cell.inputs, strict=True), start=N_INPUTS):
        if list(read) != sorted(set(read)) or (read and not 0 <= read[0] <= read[-1] < node):
            raise InvalidArchitecture(
                f"Node {node} reads {list(read)}; it reads different nodes before it, in ascending order.", "edges"
            )
        if WORD in read and operation != LINEAR:
            raise InvalidArchitecture(f"Node {node} ({class_name(operation)}) reads x; only linear can.", "edges")
    for node, (operation, read) in enumerate(zip(cell.operations, cell.inputs, strict=True), start=N_INPUTS):
        if len(read) not in ARITIES[operation]:
            right = " or ".join(map(str, ARITIES[operation]))
            raise InvalidArchitecture(
                f"Node {node} ({class_name(operation)}) reads {len(read)} nodes, not {right}.", "arity"
            )


def _check_hidden(cell: Cell) -> None:
    if not 1 <= len(cell.hidden) <= MAX_HIDDEN or list(cell.hidden) != sorted(set(cell.hidden)):
        raise InvalidArchitecture(f"The cell has {list(cell.hidden)} as new hidden states, not 1 to 3.", "hidden")
    for node in cell.hidden:
        if not N_INPUTS <= node < N_INPUTS + len(cell.operations):
            raise InvalidArchitecture(f"Node {node} cannot be a new hidden state: it is no operation.", "hidden")
        if any(WORD < i < N_INPUTS for i in cell.inputs[node - N_INPUTS]):
            raise InvalidArchitecture(
                f"Node {node} cannot be a new hidden state: it reads a previous one directly.", "hidden"
            )


@lru_cache(maxsize=2**16)
def canonical(cell: Cell) -> Cell:
    """Return a valid cell in its canonical node order: equal exactly for isomorphic cells.

    An isomorphism renames operations and hidden states; the word stays in place.
    """
    h = len(cell.hidden)
    # The output state comes before the others; unused states are told apart, as there is nothing to try about them.
    labels = [0, *(1 if k == cell.output else 2 for k in range(h)), *range(3, 3 + MAX_HIDDEN - h)]
    labels += [N_INPUTS + 2 * c + (v in cell.hidden) for v, c in enumerate(cell.operations, start=N_INPUTS)]
    partners = list(range(len(labels)))
    for k, node in enumerate(cell.hidden):
        partners[1 + k], partners[node] = node, 1 + k
    order = canonical_order(labels, [()] * N_INPUTS + list(cell.inputs), partners)
    return reordered(cell, order[N_INPUTS:])


def reordered(cell: Cell, order: Sequence[int]) -> Cell:
    """Return the cell with its operations in another (topological) order, given as nodes.

    Its hidden states are renamed so that their new values ascend; they need not do so in `cell`.
    """
    place = {node: new for new, node in enumerate(order, start=N_INPUTS)}
    states = sorted(range(len(cell.hidden)), key=lambda k: place[cell.hidden[k]])
    place |= {WORD: WORD} | {1 + k: 1 + new for new, k in enumerate(states)}
    place |= {v: v for v in range(1 + len(states), N_INPUTS)}
    rest = [node - N_INPUTS for node in order]
    return Cell(
        tuple(cell.operations[i] for i in rest),
        tuple(tuple(sorted(place[j] for j in cell.inputs[i])) for i in rest),
        tuple(place[cell.hidden[k]] for k in states),
        states.index(cell.output),
    )


def class_name(node_class: int) -> str:
    """Return the name of a node class, or `class 9` where there is none."""
    return NODE_CLASSES[node_class] if 0 <= node_class < len(NODE_CLASSES) else f"class {node_class}"


def _input_names(nodes: set[int]) -> str:
    return ", ".join(INPUT_NAMES[i] for i in sorted(nodes)) or "no input"
