"""NAS-Bench-NLP (Klyuchnikov et al., IEEE Access 2022) as a search space of recurrent cells.

An architecture is a `nlp_cell.Cell`. Graph form (four inputs, n operations, one output): nodes 0 to 3 have class `in`
and are the word and the previous values of hidden states 0, 1, 2; a cell of fewer states has them all, the unused ones
without edges. The operations follow. The last node has class `out` and reads the operations that are new values of
hidden states: that of state k is the k-th of them. So far this is the form of DiNAS (appendix A.7.4, and its public
code), which does not say which hidden state is the output of the layer. Much of the loss depends on that, so
here one edge more says it: from the previous value of that state to the last node.

Size: the public code of DiNAS keeps graphs of fewer than 14 nodes, output included; the paper says at most 12 nodes, as
NAS-Bench-X11 counts them, without the output. Both mean at most 8 operations. Recipes of more are outside the space
`NLP`; `NLPSpace(max_operations=17)` has them all.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nasrepro.errors import InvalidArchitecture, did_you_mean
from nasrepro.spaces.base import SearchSpace
from nasrepro.spaces.nlp.cell import (
    IN,
    INPUT_NAMES,
    MAX_HIDDEN,
    N_INPUTS,
    NODE_CLASSES,
    OUT,
    SIGM,
    WORD,
    Cell,
    canonical,
    check_cell,
    reordered,
)
from nasrepro.spaces.nlp.edits import edit_distance, edited
from nasrepro.spaces.nlp.recipes import HIDDEN_SIZES, N_RECIPES, Recipe, draw_recipe

if TYPE_CHECKING:
    from nasrepro.graphs import Graphs

_RECIPE_OPERATIONS = (  # of the node classes from SIGM on
    *("activation_sigm", "activation_tanh", "activation_leaky_relu"),
    *("elementwise_sum", "elementwise_prod", "linear", "blend"),
)
_CLASS_OF = {name: c for c, name in enumerate(_RECIPE_OPERATIONS, start=SIGM)}
_NEW_STATES = tuple(f"h_new_{i}" for i in range(MAX_HIDDEN))


class NLPSpace(SearchSpace[Cell]):
    """The valid compact graphs of NAS-Bench-NLP with at most `max_operations` operations.

    All functions that return a cell return it in its canonical node order, so cells are equal exactly when they are
    isomorphic.
    """

    name = "nlp"
    node_classes = NODE_CLASSES

    def __init__(self, max_operations: int = 8) -> None:
        self.max_operations = max_operations
        self.max_nodes = N_INPUTS + max_operations + 1

    def check(self, arch: Cell) -> None:
        """Raise `InvalidArchitecture` unless the cell is in the space; `nlp_cell.check_cell` lists the kinds."""
        check_cell(arch, self.max_operations)

    def sample(self, rng: np.random.Generator) -> Cell:
        """Draw from the published sampler: H as often as in the published list (2,000 : 2,000 : 735), then recipes of
        that H until one is valid; all of it again while the recipe has too many operations."""
        shares = np.cumsum([N_RECIPES[hidden] for hidden in HIDDEN_SIZES])
        while True:
            hidden = HIDDEN_SIZES[int(np.searchsorted(shares, rng.integers(shares[-1]), side="right"))]
            recipe = None
            while recipe is None:
                recipe = draw_recipe(rng, hidden)
            if len(recipe) <= self.max_operations:
                return self.from_recipe(recipe)

    def key(self, arch: Cell) -> str:
        """Return the operations, what each reads and what the output reads, in canonical order: equal exactly for
        isomorphic cells."""
        cell = self.canonical(arch)
        nodes = zip([*cell.operations, OUT], [*cell.inputs, (1 + cell.output, *cell.hidden)], strict=True)
        return ";".join(f"{NODE_CLASSES[c]}({','.join(map(str, read))})" for c, read in nodes)

    def canonical(self, arch: Cell) -> Cell:
        """Return the cell in its canonical node order; raise `InvalidArchitecture` where it is not in the space."""
        self.check(arch)
        return canonical(arch)

    def neighbours(self, arch: Cell) -> list[Cell]:
        """Return D^1: all valid cells at `distance` 1. They have as many operations as the cell.

        An operation is another one with the same inputs, or one input of an operation is another node, or a `linear`
        has one input more or less, or one new hidden state is another operation.
        """
        self.check(arch)
        found = {canonical(cell) for cell in edited(arch) if self.is_valid(cell)}
        return sorted(found - {canonical(arch)})

    def distance(self, a: Cell, b: Cell) -> int:
        """Return the fewest edits from `a` to `b`; exact, and a metric on isomorphism classes.

        `nlp_edits` says what an edit is; what lies on the way need not be valid.
        """
        self.check(a)
        self.check(b)
        return edit_distance(a, b)

    def encode(self, archs: Sequence[Cell]) -> Graphs:
        """Return the graph form of cells, B x `max_nodes` with padding."""
        from nasrepro.graphs import Graphs

        return Graphs.from_edges([self._graph(cell) for cell in archs], self.max_nodes)

    def _graph(self, cell: Cell) -> tuple[list[int], list[tuple[int, int]]]:
        """Return the node classes and the edges of the graph form."""
        self.check(cell)
        targets = enumerate((*cell.inputs, (1 + cell.output, *cell.hidden)), start=N_INPUTS)
        return [*[IN] * N_INPUTS, *cell.operations, OUT], [(i, node) for node, read in targets for i in read]

    def read(self, nodes: list[int], adjacency: np.ndarray) -> Cell:
        """Return the cell of one graph.

        The kinds of what is wrong are those of `check`, and `terminals`: the first four nodes are not `in` or the last
        is not `out`. An edge between inputs, or from the word to the last node, is of kind `edges`; not exactly one
        edge from a hidden state to the last node is of kind `output`.
        """
        n = len(nodes)
        if not N_INPUTS + 2 <= n <= self.max_nodes:
            raise InvalidArchitecture(
                f"The graph has {n} nodes; cells of this space have {N_INPUTS + 2} to {self.max_nodes}.", "nodes"
            )
        if nodes[:N_INPUTS] != [IN] * N_INPUTS or nodes[-1] != OUT:
            names = self.class_names(nodes)
            raise InvalidArchitecture(
                f"The graph begins with {', '.join(names[:N_INPUTS])} and ends with {names[-1]}; a cell begins with "
                "four in and ends with out.",
                "terminals",
            )
        read = [tuple(np.flatnonzero(column).tolist()) for column in adjacency.T]
        if any(read[:N_INPUTS]) or WORD in read[-1]:
            raise InvalidArchitecture("An edge joins two inputs, or the word and the output.", "edges")
        marked = [source - 1 for source in read[-1] if source < N_INPUTS]
        if len(marked) != 1:
            raise InvalidArchitecture(
                f"{len(marked)} hidden states are joined to the last node; one of them is the output.", "output"
            )
        hidden = read[-1][1:]
        return self.canonical(Cell(tuple(nodes[N_INPUTS:-1]), tuple(read[N_INPUTS:-1]), hidden, marked[0]))

    def to_string(self, arch: Cell) -> str:
        """Return a recipe of the cell as JSON, as in the published logs.

        It fixes what the cell leaves open: inputs stand in node order (so the first of a `blend` is the gate), and
        after state 0, the output, the hidden states are numbered in the order of the cell.
        """
        return json.dumps(self.to_recipe(arch))

    def to_recipe(self, arch: Cell) -> Recipe:
        """Return the recipe that `to_string` writes."""
        self.check(arch)
        names = ["x", *[""] * MAX_HIDDEN, *(f"node_{i}" for i in range(len(arch.operations)))]
        others = [k for k in range(len(arch.hidden)) if k != arch.output]
        for number, k in enumerate([arch.output, *others]):
            names[1 + k], names[arch.hidden[k]] = INPUT_NAMES[1 + number], _NEW_STATES[number]
        return {
            names[node]: {"op": _RECIPE_OPERATIONS[operation - SIGM], "input": [names[i] for i in read]}
            for node, (operation, read) in enumerate(zip(arch.operations, arch.inputs, strict=True), start=N_INPUTS)
        }

    def from_string(self, text: str) -> Cell:
        """Return the cell of a recipe in JSON; raise `InvalidArchitecture` with the reason."""
        try:
            recipe = json.loads(text)
        except json.JSONDecodeError as error:
            raise InvalidArchitecture(f"{text!r} is no recipe of NAS-Bench-NLP: {error}.", "operations") from error
        return self.from_recipe(recipe)

    def from_recipe(self, recipe: Recipe) -> Cell:
        """Return the cell of a recipe, whatever its node names; raise `InvalidArchitecture` with the reason."""
        operations: list[int] = []
        inputs: list[tuple[int, ...]] = []
        place = {name: i for i, name in enumerate(INPUT_NAMES)}
        for name in _topological(recipe):
            operation = recipe[name]["op"]
            if operation not in _CLASS_OF:
                raise InvalidArchitecture(
                    f"`{name}` has the unknown operation {operation!r}; there is {', '.join(_CLASS_OF)}."
                    + did_you_mean(str(operation), _CLASS_OF),
                    "operations",
                )
            operations.append(_CLASS_OF[operation])
            inputs.append(tuple(sorted(place[i] for i in map(str, recipe[name]["input"]))))
            place[name] = N_INPUTS + len(operations) - 1
        new = [name for name in _NEW_STATES if name in recipe]
        if not new or new != list(_NEW_STATES[: len(new)]):
            raise InvalidArchitecture(
                f"The recipe has {', '.join(new) or 'no h_new_0'}; it must have h_new_0, then h_new_1, then h_new_2.",
                "hidden",
            )
        cell = Cell(tuple(operations), tuple(inputs), tuple(place[name] for name in new), 0)
        return self.canonical(reordered(cell, range(N_INPUTS, N_INPUTS + len(operations))))


def _topological(recipe: Recipe) -> list[str]:
    """Return the names of a recipe such that each node comes after those that it reads."""
    if not isinstance(recipe, dict) or not all(
        isinstance(node, dict) and isinstance(node.get("op"), str) and isinstance(node.get("input"), list)
        for node in recipe.values()
    ):
        raise InvalidArchitecture('A recipe is a JSON object of name: {"op": ..., "input": [...]}.', "operations")
    if twice := [name for name in recipe if name in INPUT_NAMES]:
        raise InvalidArchitecture(f"{', '.join(twice)} are inputs of the cell, not nodes of a recipe.", "operations")
    known = set(INPUT_NAMES)
    order: list[str] = []
    left = dict(recipe)
    while left:
        ready = [name for name, node in left.items() if all(i in known for i in map(str, node["input"]))]
        if not ready:
            raise InvalidArchitecture(
                f"{', '.join(left)} read each other in a circle, or nodes that the recipe does not have.", "edges"
            )
        order += ready
        known.update(ready)
        for name in ready:
            del left[name]
    return order


NLP = NLPSpace()
