"""The DARTS search space (Liu et al., ICLR 2019): one cell, and the pair of cells that NAS-Bench-301 labels.

A cell has two inputs: 0 is the output of the cell before the last one (c_{k-2}), 1 that of the last one (c_{k-1}).
It has four intermediate nodes, 2 to 5. Each adds up two operations that read two different earlier nodes; the output of
the cell concatenates the four. An architecture is NASLib's compact form: eight (input, operation) slots, two of each
intermediate node in turn; of the whole space, the pair (normal cell, reduction cell).

Two cells are isomorphic when one becomes the other by swapping the slots of nodes and renumbering intermediate nodes.
The order of the concatenation does not count: it only permutes channels.

Graph form of a cell (AG-Net and the public code of DiNAS): 11 nodes. 0 and 1 are the inputs, 2 to 9 the operations in
the order of the slots, 10 the output. An operation that reads an intermediate node has edges from both operations of
that node; all eight have an edge to the output. Within a node the slot with the smaller input comes first. Which two
operations belong to one node is known by their places: where nothing reads the node, no edge tells.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nasrepro.errors import InvalidArchitecture
from nasrepro.spaces.base import SearchSpace
from nasrepro.spaces.darts import genotype as darts_genotype
from nasrepro.spaces.darts.genotype import N_INPUTS, N_NODES, N_SLOTS, OPERATIONS, Cell, Pair, check_cell, check_pair

if TYPE_CHECKING:
    from nasrepro.graphs import Graphs

NODE_CLASSES = (
    "output",
    "input",
    "input_1",
    "identity",
    *OPERATIONS,
)  # the public code lists `identity`; no cell has it
OUTPUT, INPUT, INPUT_1 = 0, 1, 2
FIRST_OPERATION = NODE_CLASSES.index(OPERATIONS[0])
CELL_NODES = N_INPUTS + N_SLOTS + 1

_NUMBERINGS = np.array(list(itertools.permutations(range(N_NODES))))  # [r, v]: the new place of intermediate node v
_RENAMED = np.hstack([np.tile(np.arange(N_INPUTS), (len(_NUMBERINGS), 1)), _NUMBERINGS + N_INPUTS])  # of all nodes
_READERS = N_INPUTS + np.arange(N_SLOTS) // 2  # the node of each slot
_SLOT_VALUES = (N_INPUTS + N_NODES - 1) * len(OPERATIONS)  # a slot as a number: input * 7 + operation
_PLACES = _SLOT_VALUES ** (2 * (N_NODES - 1 - _NUMBERINGS))
NO_NUMBERING = np.iinfo(np.int64).max


def numberings(cells: np.ndarray) -> np.ndarray:
    """Return the codes of all topological numberings of cells, ascending; isomorphic cells have the same.

    Args:
        cells: slots, int, B x 8 x 2. A slot may read a node with a larger number than its own.

    Returns:
        int64, B x 24. The first is the canonical one. A numbering that is not topological counts as `NO_NUMBERING`, so
        the first is that exactly where the cell has a cycle. All codes of a cell are equally often there.
    """
    inputs = np.moveaxis(_RENAMED[:, cells[..., 0]], 0, 1)  # B x 24 x 8
    slots = np.sort((inputs * len(OPERATIONS) + cells[:, None, :, 1]).reshape(*inputs.shape[:2], N_NODES, 2))
    codes: np.ndarray = ((slots[..., 0] * _SLOT_VALUES + slots[..., 1]) * _PLACES).sum(-1)
    codes[(inputs >= _RENAMED[:, _READERS]).any(-1)] = NO_NUMBERING
    return np.sort(codes)


def slots_of(codes: np.ndarray) -> np.ndarray:
    """Return the slots (int64, ... x 8 x 2) of the cells with these codes, those of a node in order of input."""
    slots = codes[..., None] // _SLOT_VALUES ** np.arange(N_SLOTS - 1, -1, -1) % _SLOT_VALUES
    return np.stack(np.divmod(slots, len(OPERATIONS)), axis=-1)


def aligned_slots(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return cells b (int, B x 8 x 2), numbered and the slots of each node ordered such that each differs from its cell
    a in the fewest fields: as many as `DARTSCellSpace.distance` says. The numbering need not be topological."""
    nodes = b.reshape(-1, N_NODES, 2, 2)
    shape = (len(nodes), len(_NUMBERINGS), N_NODES, 2)
    sources = np.moveaxis(_RENAMED[:, nodes[..., 0]], 0, 1)
    renamed = np.stack([sources, np.broadcast_to(nodes[:, None, ..., 1], shape)], axis=-1)
    placed = np.take_along_axis(renamed, _NUMBERINGS.argsort(1)[None, :, :, None, None], axis=2)
    ways = np.stack([placed, placed[..., ::-1, :]], axis=3)  # B x 24 x nodes x orders of the slots x slots x fields
    costs = (ways != a.reshape(-1, 1, N_NODES, 1, 2, 2)).sum((-1, -2))
    best = costs.min(-1).sum(-1).argmin(1)
    cell = np.arange(len(nodes))
    orders = costs[cell, best].argmin(-1)
    found: np.ndarray = ways[cell[:, None], best[:, None], np.arange(N_NODES), orders]
    return found.reshape(-1, N_SLOTS, 2)


def configuration(slots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return cells as the search spaces of NAS-Bench-301 and YAHPO Gym have them, of slots (int, ... x 8 x 2) in order
    of input.

    Returns:
        The operation of each of the 14 edges, in the order of target and source, -1 where there is none (int64,
        ... x 14); and which pair of earlier nodes each of nodes 3 to 5 reads, counted from 0 (int64, ... x 3).
    """
    sources, operations = np.moveaxis(slots, -1, 0)
    edges = np.full((*sources.shape[:-1], N_EDGES), -1)
    np.put_along_axis(edges, _FIRST_EDGE[_READERS - N_INPUTS] + sources, operations, axis=-1)
    inputs = _PAIRS[np.arange(N_NODES), sources[..., ::2], sources[..., 1::2]]
    return edges, inputs[..., 1:]


N_EDGES = sum(range(N_INPUTS, N_INPUTS + N_NODES))
_FIRST_EDGE = np.array([sum(range(N_INPUTS, N_INPUTS + node)) for node in range(N_NODES)])  # of each intermediate node
_PAIRS = np.zeros((N_NODES, N_INPUTS + N_NODES, N_INPUTS + N_NODES), dtype=np.int64)
for _node in range(N_NODES):
    for _number, _pair in enumerate(itertools.combinations(range(N_INPUTS + _node), 2)):
        _PAIRS[_node][_pair] = _number


def cells_of(slots: np.ndarray) -> list[Cell]:
    """Return cells from their slots (int, B x 8 x 2)."""
    return [tuple((source, op) for source, op in cell) for cell in slots.tolist()]


class DARTSCellSpace(SearchSpace[Cell]):
    """One cell of the DARTS space, normal or reduction."""

    name = "darts_cell"
    node_classes = NODE_CLASSES
    max_nodes = CELL_NODES

    def sample(self, rng: np.random.Generator) -> Cell:
        """Draw uniformly from the numbered cells: for each node two different earlier nodes and two operations.

        So a cell that can be numbered in more ways is drawn more often.
        """
        cell: list[tuple[int, int]] = []
        for node in range(N_INPUTS, N_INPUTS + N_NODES):
            sources = np.sort(rng.choice(node, size=2, replace=False))
            cell += zip(sources.tolist(), rng.integers(len(OPERATIONS), size=2).tolist(), strict=True)
        return tuple(cell)

    def check(self, arch: Cell) -> None:
        """Raise `InvalidArchitecture` with the reason if `arch` is no cell. The slots of a node may stand in any
        order."""
        check_cell(arch)

    def key(self, arch: Cell) -> str:
        """Return the code of the canonical numbering: equal exactly for isomorphic cells."""
        return str(self._code(arch))

    def canonical(self, arch: Cell) -> Cell:
        """Return the cell in its canonical numbering: equal exactly for isomorphic cells."""
        return cells_of(slots_of(np.array([self._code(arch)])))[0]

    def _code(self, arch: Cell) -> int:
        self.check(arch)
        return int(numberings(np.array([arch]))[0, 0])

    def neighbours(self, arch: Cell) -> list[Cell]:
        """Return D^1: one slot has another operation or another input; one canonical cell per isomorphism class.

        A slot may read any node that does not depend on its own, whatever the numbers of the two. So isomorphic cells
        have isomorphic neighbours.
        """
        own = self._code(arch)
        edited = []
        for slot, (source, op) in enumerate(arch):
            unreadable = (source, arch[slot ^ 1][0], _READERS[slot])
            changes = [(source, new) for new in range(len(OPERATIONS)) if new != op]
            changes += [(new, op) for new in range(N_INPUTS + N_NODES) if new not in unreadable]
            edited += [(*arch[:slot], change, *arch[slot + 1 :]) for change in changes]
        codes = np.unique(numberings(np.array(edited))[:, 0])
        return cells_of(slots_of(codes[(codes != own) & (codes != NO_NUMBERING)]))

    def distance(self, a: Cell, b: Cell) -> int:
        """Return the fewest edits (see `neighbours`) from `a` to a cell isomorphic to `b`; exact.

        It is the number of fields that differ under the best renumbering of `a` and the best order of the slots in each
        node. That many valid edits lead there: change the nodes one by one in the order of `b`, so that a changed node
        reads only changed ones and no cycle arises; and where the slots of a node would swap their inputs, swap their
        operations instead, so that no node reads another twice.
        """
        self.check(a)
        self.check(b)
        return int((aligned_slots(np.array(a), np.array(b))[0] != np.array(a)).sum())

    def encode(self, archs: Sequence[Cell]) -> Graphs:
        """Return the graph form of cells, B x 11."""
        for arch in archs:
            self.check(arch)
        return _graphs(*_encode(np.array(archs, dtype=np.int64).reshape(-1, N_SLOTS, 2)))

    def read(self, nodes: list[int], adjacency: np.ndarray) -> Cell:
        """Return the cell of one graph.

        A graph is valid when each operation reads one input of the cell, or both operations of one earlier intermediate
        node, and nothing else; the two operations of a node read different nodes; and the output reads exactly the
        eight operations. The kinds, the first that applies:

        - `nodes`: it has not 11 nodes;
        - `terminals`: the first two are not `input` and `input_1`, or the last is not `output`;
        - `operations`: one between them is not one of the seven operations;
        - `edges`: an edge is missing or extra;
        - `inputs`: both operations of a node read the same node.
        """
        _check_size(nodes, self.max_nodes)
        names = self.class_names(nodes)
        if [*names[:N_INPUTS], names[-1]] != ["input", "input_1", "output"]:
            raise InvalidArchitecture(
                f"The graph begins with {names[0]}, {names[1]} and ends with {names[-1]}; a cell begins with input, "
                "input_1 and ends with output.",
                "terminals",
            )
        wrong = next((name for name in names[N_INPUTS:-1] if name not in OPERATIONS), None)
        if wrong is not None:
            raise InvalidArchitecture(f"A node of class {wrong} stands where an operation belongs.", "operations")
        reads = adjacency[:, N_INPUTS:-1].T  # 8 x 11
        source = (reads[:, None] == _SENDERS).all(-1)  # 8 x 6
        sent = [0] * N_INPUTS + [1] * N_SLOTS + [0]  # which nodes the output reads
        if not (source.any(1).all() and adjacency[:, -1].tolist() == sent and not adjacency[:, :N_INPUTS].any()):
            raise InvalidArchitecture(
                "Each operation must read one input or both operations of one earlier node, and the output must read "
                "exactly the eight operations.",
                "edges",
            )
        operations = [c - FIRST_OPERATION for c in nodes[N_INPUTS:-1]]
        cell = tuple(zip(source.argmax(1).tolist(), operations, strict=True))
        check_cell(cell)
        return darts_genotype.sorted_slots(cell)

    def to_string(self, arch: Cell) -> str:
        """Return the slots as in a genotype, `[('sep_conv_3x3', 0), ...]`."""
        self.check(arch)
        return darts_genotype.write_cell(arch)

    def from_string(self, text: str) -> Cell:
        """Parse the slots of a genotype; raise `InvalidArchitecture` with the reason."""
        return darts_genotype.read_cell(text)


class NB301Space(SearchSpace[Pair]):
    """Pairs (normal cell, reduction cell). Keys, neighbours and distances are those of the two cells.

    Graph form: that of the normal cell and that of the reduction cell side by side, 22 nodes, no edge between them. To
    model each cell by itself, as DiNAS does, use `DARTS_CELL`.
    """

    name = "nb301"
    node_classes = NODE_CLASSES
    max_nodes = 2 * CELL_NODES

    def sample(self, rng: np.random.Generator) -> Pair:
        """Draw both cells from `DARTSCellSpace.sample`: uniform over genotypes."""
        return DARTS_CELL.sample(rng), DARTS_CELL.sample(rng)

    def check(self, arch: Pair) -> None:
        """Raise `InvalidArchitecture` with the reason if `arch` is no pair of cells."""
        check_pair(arch)

    def key(self, arch: Pair) -> str:
        """Return the keys of both cells: equal exactly for architectures of isomorphic cells."""
        self.check(arch)
        codes = numberings(np.array(arch))[:, 0]
        return f"{codes[0]}-{codes[1]}"

    def canonical(self, arch: Pair) -> Pair:
        """Return both cells in their canonical numberings."""
        self.check(arch)
        return DARTS_CELL.canonical(arch[0]), DARTS_CELL.canonical(arch[1])

    def neighbours(self, arch: Pair) -> list[Pair]:
        """Return D^1: an edit of one of the cells (see `DARTSCellSpace.neighbours`)."""
        normal, reduce = self.canonical(arch)
        changed = [(cell, reduce) for cell in DARTS_CELL.neighbours(normal)]
        return changed + [(normal, cell) for cell in DARTS_CELL.neighbours(reduce)]

    def distance(self, a: Pair, b: Pair) -> int:
        """Return the sum of the distances of the normal and of the reduction cells."""
        self.check(a)
        self.check(b)
        return DARTS_CELL.distance(a[0], b[0]) + DARTS_CELL.distance(a[1], b[1])

    def encode(self, archs: Sequence[Pair]) -> Graphs:
        """Return the graph form of pairs, B x 22."""
        for arch in archs:
            self.check(arch)
        nodes, adjacency = _encode(np.array(archs, dtype=np.int64).reshape(-1, N_SLOTS, 2))
        both = np.zeros((len(archs), self.max_nodes, self.max_nodes), dtype=np.int64)
        for half, rows in ((0, slice(None, CELL_NODES)), (1, slice(CELL_NODES, None))):
            both[:, rows, rows] = adjacency[half::2]
        return _graphs(nodes.reshape(-1, self.max_nodes), both)

    def read(self, nodes: list[int], adjacency: np.ndarray) -> Pair:
        """Return the pair of one graph.

        The kinds of what is wrong are those of `DARTSCellSpace.read` (`nodes`: not 22), and `cells`: an edge joins the
        two cells.
        """
        _check_size(nodes, self.max_nodes)
        normal, reduce = slice(None, CELL_NODES), slice(CELL_NODES, None)
        if adjacency[normal, reduce].any():
            raise InvalidArchitecture("An edge joins the normal cell and the reduction cell.", "cells")
        first, second = (DARTS_CELL.read(nodes[part], adjacency[part, part]) for part in (normal, reduce))
        return first, second

    def to_string(self, arch: Pair) -> str:
        """Return the genotype string of DARTS, `Genotype(normal=[('sep_conv_3x3', 0), ...], ...)`."""
        self.check(arch)
        return darts_genotype.write_pair(arch)

    def from_string(self, text: str) -> Pair:
        """Parse a genotype string, or NASLib's compact form written out; raise `InvalidArchitecture` with the
        reason."""
        is_compact = text.lstrip().startswith(("(", "["))
        return darts_genotype.read_compact(text) if is_compact else darts_genotype.read_pair(text)

    def misread(self, arch: Pair) -> Pair:
        """Return what the public code of AG-Net and DiNAS evaluates instead; see `darts_genotype.misread`."""
        self.check(arch)
        return darts_genotype.misread(arch[0]), darts_genotype.misread(arch[1])


def _encode(slots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return node classes (B x 11) and adjacency (B x 11 x 11) of cells (B x 8 x 2)."""
    codes = np.sort((slots[..., 0] * len(OPERATIONS) + slots[..., 1]).reshape(-1, N_NODES, 2)).reshape(-1, N_SLOTS)
    sources, operations = np.divmod(codes, len(OPERATIONS))
    nodes = np.full((len(slots), CELL_NODES), OUTPUT)
    nodes[:, :N_INPUTS] = INPUT, INPUT_1
    nodes[:, N_INPUTS:-1] = FIRST_OPERATION + operations
    adjacency = np.zeros((len(slots), CELL_NODES, CELL_NODES), dtype=np.int64)
    adjacency[:, :, N_INPUTS:-1] = np.moveaxis(_SENDERS[sources], -1, 1)
    adjacency[:, N_INPUTS:-1, -1] = 1
    return nodes, adjacency


# [i]: the graph nodes that send to an operation which reads node i of the cell
_SENDERS = np.zeros((N_INPUTS + N_NODES, CELL_NODES), dtype=np.int64)
_SENDERS[range(N_INPUTS), range(N_INPUTS)] = 1
_SENDERS[_READERS, N_INPUTS + np.arange(N_SLOTS)] = 1


def _graphs(nodes: np.ndarray, adjacency: np.ndarray) -> Graphs:
    import torch

    from nasrepro.graphs import Graphs

    return Graphs.from_adjacency(torch.from_numpy(nodes), torch.from_numpy(adjacency))


def _check_size(nodes: list[int], size: int) -> None:
    if len(nodes) != size:
        raise InvalidArchitecture(f"The graph has {len(nodes)} nodes; one of this space has {size}.", "nodes")


DARTS_CELL = DARTSCellSpace()
NB301 = NB301Space()
