"""D^1 of NAS-Bench-101: which cells are one edit apart.

A cell of fewer than 7 vertices stands for many raw forms: graphs of 7 vertices whose other vertices lie on no path from
input to output, and may have any operations and edges. Two cells are neighbours if some raw form of one becomes a raw
form of the other by changing one operation or by adding or removing one edge. That is symmetric, and it comes to this:

    b is a neighbour of a when b is a with another operation on one vertex, or b is what is left of a when one edge is
    removed (with every vertex that is no longer used), or a is what is left of b when one edge is removed.

For removing an edge never brings a vertex into use, so only edges among used vertices matter, and those do not depend
on the raw form; adding an edge is removing it backwards. The relation is computed once for the whole space. A cell of 7
vertices has 18.5 neighbours on average, one of 6 has 28; a small one has many, because much of a large cell can hang on
one edge: 52,602 for the cell without operations. No two cells are more than a few edits apart.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import count

import numpy as np

from nasrepro.spaces.nb101.enumeration import MAX_EDGES, SIZE, cells, classes, edge_bit, rows_of

_N_PAIRS, _N_INTERIOR = 21, 5


@lru_cache(maxsize=1)
def _removals() -> np.ndarray:
    """Return the row of each cell without its k-th edge, int32, N x 9; negative where it has no such edge or nothing is
    left."""
    raws = classes().raws
    without = np.zeros((len(raws), MAX_EDGES), dtype=np.int64)  # the raw form 0 has no path
    for c, raw in enumerate(raws.tolist()):
        edges = [1 << bit for bit in range(_N_PAIRS) if raw >> bit & 1]
        without[c, : len(edges)] = [raw - edge for edge in edges]
    which, operations = classes().split(cells().slots)
    return np.stack([rows_of(without[which, k], operations) for k in range(MAX_EDGES)], axis=1).astype(np.int32)


@lru_cache(maxsize=1)
def _additions() -> tuple[np.ndarray, np.ndarray]:
    """Return the cells in `_removals` turned round: those that lead to row r are `origins[start[r] : start[r + 1]]`."""
    removals = _removals()
    origins, places = np.nonzero(removals >= 0)
    results = removals[origins, places]
    start = np.concatenate([[0], np.cumsum(np.bincount(results, minlength=SIZE))])
    return start, origins[np.argsort(results, kind="stable")].astype(np.int32)


def neighbour_rows(rows: np.ndarray) -> np.ndarray:
    """Return the rows of the cells one edit from any of some cells (rows, int64, B), ascending, each once, int64."""
    which, operations = classes().split(cells().slots[rows])
    raws = classes().raws[which]
    found = [_removals()[rows].ravel()]
    for k in range(2 * _N_INTERIOR):
        here = k // 2 < classes().nodes[which] - 2  # vertices that the cell has
        found.append(rows_of(raws[here], _with_other_operation(operations[here], k)))
    start, origins = _additions()
    found += [origins[start[row] : start[row + 1]] for row in rows]
    distinct = np.unique(np.concatenate(found))
    return distinct[distinct >= 0].astype(np.int64)


def edit_count(a: int, b: int) -> int:
    """Return the fewest edits between the cells of two rows, by breadth-first search from both sides."""
    if a == b:
        return 0
    fronts = [np.array([a]), np.array([b])]
    seen = [np.zeros(SIZE, dtype=bool), np.zeros(SIZE, dtype=bool)]
    for side in (0, 1):
        seen[side][fronts[side]] = True
    for edits in count(1):
        side = int(len(fronts[1]) < len(fronts[0]))  # the smaller front goes on
        reached = neighbour_rows(fronts[side])
        if seen[1 - side][reached].any():
            return edits
        fronts[side] = reached[~seen[side][reached]]
        seen[side][reached] = True
    raise AssertionError


def _with_other_operation(operations: np.ndarray, k: int) -> np.ndarray:
    """Return operations (B x 5) with that of vertex k // 2 replaced by one of the two others."""
    changed = operations.copy()
    changed[:, k // 2] = (changed[:, k // 2] + 1 + k % 2) % 3
    return changed


def fixed_form_edits(rows: np.ndarray) -> np.ndarray:
    """Return the row that each edit of the fixed 7-vertex form leads to, int64, B x 31; negative where it is no cell.

    In the fixed form of a cell the used vertices come first, the output is vertex 6, and the unused vertices have no
    edges. The edits are: for each of the vertices 1 to 5 the two other operations (10), then a flip of each pair i < j
    in row-major order (21). An edit that touches unused vertices only leads back to the cell itself. This is the D^1 of
    a fixed-length code, as Delta-NAS counts it; unlike `neighbour_rows` it is not symmetric for cells of fewer than 7
    vertices.
    """
    which, operations = classes().split(cells().slots[rows])
    raws = classes().raws[which]
    found = np.empty((len(rows), 2 * _N_INTERIOR + _N_PAIRS), dtype=np.int64)
    for k in range(2 * _N_INTERIOR):
        found[:, k] = rows_of(raws, _with_other_operation(operations, k))
    for k, (i, j) in enumerate(zip(*np.triu_indices(7, 1), strict=True)):
        found[:, 2 * _N_INTERIOR + k] = rows_of(raws ^ (1 << edge_bit(int(i), int(j))), operations)
    return found
