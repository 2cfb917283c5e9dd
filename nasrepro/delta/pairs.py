"""Algorithm 1 of Delta-NAS: pairs of architectures that are k edits apart, and the difference of their labels.

The paper draws an architecture, edits it, and stores the encoded difference with the difference in Zen-score; Table 1
needs accuracies. Either way a pair has two ends, and each is a label that somebody paid for, so budgets here count the
distinct cells of all pairs. Three ways to spend them:

- `independent`: every pair has an anchor of its own (Algorithm 1 as printed). Two labels a pair; only the difference is
  used, so half of what was paid for is thrown away.
- `stars`: an anchor and several of its neighbours. A little more than a label a pair.
- `subset`: random cells and all pairs among them, at any distance: what a practitioner does with as many labels.

Several pairs of the same code ("n samples", section 4.1) are asked for with `samples_per_code`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from nasrepro.benchmarks.ledger import Labels
from nasrepro.delta.encoding import code_numbers, signed_difference
from nasrepro.encodings.aligned_form import fixed_form
from nasrepro.encodings.cells import Cells, take
from nasrepro.errors import ParameterError
from nasrepro.spaces.base import FiniteSpace, SearchSpace
from nasrepro.spaces.fixed_code import fixed_code

Scheme = Literal["independent", "stars", "subset"]
_TRIES = 50  # rounds in which edits that led to no cell are drawn again


@dataclass(frozen=True)
class CellPairs:
    """Pairs of cells, by number.

    Attributes:
        cells: the distinct cells, L of them: rows (int64) of a finite space, else architectures.
        ends: numbers of the cell before and the cell after, int64, M x 2.
    """

    cells: Cells
    ends: np.ndarray

    def __len__(self) -> int:
        return len(self.ends)

    @property
    def base(self) -> Cells:
        """The cells before, M."""
        return take(self.cells, self.ends[:, 0])

    @property
    def other(self) -> Cells:
        """The cells after, M."""
        return take(self.cells, self.ends[:, 1])


@dataclass(frozen=True)
class DifferenceData(CellPairs):
    """Pairs of labelled cells. `len(data.cells)` is the number of labels that they cost.

    Attributes:
        labels: of the cells, float64, L.
    """

    labels: np.ndarray

    @property
    def targets(self) -> np.ndarray:
        """Label after minus label before, float64, M."""
        difference: np.ndarray = self.labels[self.ends[:, 1]] - self.labels[self.ends[:, 0]]
        return difference

    def mirrored(self) -> DifferenceData:
        """Return each pair in both directions, 2 M: the same labels."""
        return DifferenceData(self.cells, np.concatenate([self.ends, self.ends[:, ::-1]]), self.labels)

    def groups(self) -> np.ndarray:
        """Return the number of each cell's connected component of the graph of pairs, int, L: differences are known
        within one."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        size = len(self.cells)
        graph = coo_array((np.ones(len(self.ends)), (self.ends[:, 0], self.ends[:, 1])), shape=(size, size))
        found: np.ndarray = connected_components(graph, directed=False)[1]
        return found


def label(pairs: CellPairs, labels: Labels, purpose: str = "train") -> DifferenceData:
    """Read the label of every distinct cell once."""
    return DifferenceData(pairs.cells, pairs.ends, labels.read(pairs.cells, purpose))


def draw_edits(
    space: SearchSpace[Any], anchors: Cells, k: int, rng: np.random.Generator, exact: bool = False
) -> tuple[Cells, Cells]:
    """Edit every anchor; return anchors and the cells k edits away (see `fixed_form`, also for `exact`), without the
    anchors that have none or that no edit was found for in 50 tries."""
    form = fixed_form(space)
    if not 1 <= k <= form.most_edits:
        raise ParameterError(f"k={k}: pairs of {space.name} are 1 to {form.most_edits} edits apart.")
    made: list[Any] = [None] * len(anchors)
    kept = list(range(len(anchors)))
    for _ in range(_TRIES):
        others, fits = form.edited(take(anchors, np.array(kept, dtype=np.int64)), k, rng, exact)
        for place, other, fit in zip(kept, others, fits, strict=True):
            if fit:
                made[place] = other
        kept = [place for place, fit in zip(kept, fits, strict=True) if not fit]
        if not kept:
            break
    found = np.array([place for place, other in enumerate(made) if other is not None], dtype=np.int64)
    others = [made[place] for place in found]
    return take(anchors, found), np.array(others, dtype=np.int64) if isinstance(space, FiniteSpace) else others


def draw_pairs(
    space: SearchSpace[Any],
    anchors: Cells,
    budget: int,
    rng: np.random.Generator,
    *,
    scheme: Scheme = "independent",
    k: int = 1,
    samples_per_code: int = 1,
    star: int = 4,
) -> CellPairs:
    """Draw pairs whose distinct cells number at most `budget` (Algorithm 1, without its labels).

    Args:
        space: whose architectures.
        anchors: random cells to edit, in random order, each once (`stars`: `star` times); of `subset` the cells. The
            more there are, the more pairs `samples_per_code` can choose from.
        budget: distinct cells, the labels that the pairs will cost.
        rng: source of the edits.
        scheme: see the module.
        k: edits between the cells of a pair; `subset` does not look at it.
        samples_per_code: of `independent` pairs: so many of one code after the other, and more of each only when all
            codes are used up; 1 leaves the codes to chance. Codes that are met less often come last.
        star: neighbours of an anchor of `stars`.

    Returns:
        Distinct pairs; at `subset` each once, the earlier cell first.
    """
    if scheme == "subset":
        return CellPairs(anchors[:budget], np.stack(np.triu_indices(min(budget, len(anchors)), 1), axis=1))
    repeats = np.repeat(np.arange(len(anchors)), star if scheme == "stars" else 1)
    base, other = draw_edits(space, take(anchors, repeats), k, rng)
    if samples_per_code > 1 and scheme == "independent":
        order = _code_by_code(code_numbers(signed_difference(space, base, other)), samples_per_code)
        base, other = take(base, order), take(other, order)
    return _within(space, base, other, budget)


def draw_among(space: FiniteSpace[Any], cells: np.ndarray, budget: int, rng: np.random.Generator) -> CellPairs:
    """Draw one-edit pairs both of whose cells are among some, for labels that only these have.

    Args:
        space: with a fixed-length code, whose one-edit changes are the neighbours.
        cells: rows (int64) to draw from.
        budget: most distinct cells.
        rng: source of randomness.

    Returns:
        Distinct pairs: cells in random order, each with a random one of its neighbours that is among the cells; those
        without such a neighbour are left out.
    """
    anchors = rng.permutation(cells)
    edits = fixed_code(space).edits(anchors)
    usable = np.isin(edits, cells) & (edits != anchors[:, None])
    chosen = np.where(usable, rng.random(edits.shape), -1.0).argmax(1)
    others = edits[np.arange(len(anchors)), chosen]
    kept = usable.any(1)
    return _within(space, anchors[kept], others[kept], budget)


def _code_by_code(codes: np.ndarray, samples: int) -> np.ndarray:
    """Return the places (int64) of codes such that `samples` of one come after `samples` of another, in the order in
    which they are first met, those with fewer last; then again, for what is left."""
    order = np.argsort(codes, kind="stable")
    first = np.searchsorted(codes[order], codes[order])
    rank, met = np.empty_like(codes), np.empty_like(codes)
    rank[order] = np.arange(len(codes)) - first  # how often the code was met before
    met[order] = order[first]
    few = np.bincount(codes)[codes] < samples
    sorted_places: np.ndarray = np.lexsort((rank, met, few, rank // samples))
    return sorted_places


def _within(space: SearchSpace[Any], base: Cells, other: Cells, budget: int) -> CellPairs:
    """Return the distinct pairs of the longest beginning that has at most `budget` distinct cells."""
    number: dict[Any, int] = {}
    cells: list[Any] = []
    ends: dict[tuple[int, int], None] = {}
    for a, b in zip(*(c.tolist() if isinstance(c, np.ndarray) else c for c in (base, other)), strict=True):
        keys = (a, b) if isinstance(space, FiniteSpace) else (space.key(a), space.key(b))
        new = {key: cell for key, cell in zip(keys, (a, b), strict=True) if key not in number}
        if len(number) + len(new) > budget:
            break
        for key, cell in new.items():
            number[key] = len(cells)
            cells.append(cell)
        i, j = number[keys[0]], number[keys[1]]
        if (j, i) not in ends:
            ends[i, j] = None
    kept = np.array(cells, dtype=np.int64) if isinstance(space, FiniteSpace) else cells
    return CellPairs(kept, np.array(list(ends), dtype=np.int64).reshape(-1, 2))
