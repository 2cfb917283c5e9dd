r"""How many architectures, neighbours and differences there are: the counts behind Theorems 1-5 of Delta-NAS.

The theorems (section 3) speak of architectures of fixed form: n places for one of r operations (block-based spaces)
and, in cell-based spaces, one yes or no for each of the n (n - 1) / 2 possible edges as well. A difference of two
architectures that are k edits apart is an element of D^k. What it is, the paper leaves open; the module counts three
readings, each as a closed form and by going through all pairs:

- `signed`: the architectures are one-hot vectors, and the difference is theirs. It names each changed place, the old
  and the new operation: r (r - 1) possibilities for an operation, 2 for an edge.
- `integer`: the architectures are vectors of operation ids, and the difference is theirs. Different changes can look
  the same: 2 (r - 1) possibilities for an operation, 2 for an edge.
- `target`: the difference names each changed place and its new content, not the old one. It has r possibilities for an
  operation and 2 for an edge, and is no subtraction. In block-based spaces Theorems 4 and 5 hold for it as printed.

All closed forms are coefficients of one product. Each place is unchanged, or changed in one of so many ways, whatever
the other places do, so

$$ \sum_k |D^k| x^k = (1 + s x)^n (1 + 2 x)^e, $$

with s the possibilities for an operation in the reading, and e the number of possible edges; every code is met, because
the unchanged places can be filled at will. In x = 1 this is |D|, all differences together. The neighbours of one
architecture k edits away follow with s = r - 1 and 1 instead of 2: for an edge there is one way to be changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, combinations, product
from math import comb
from typing import Literal

import numpy as np
import pandas as pd

from nasrepro.errors import ParameterError

Reading = Literal["signed", "integer", "target"]
READINGS: tuple[Reading, ...] = ("signed", "integer", "target")
MAX_PAIRS = 10_000_000  # ordered pairs that are looked at one by one


@dataclass(frozen=True)
class FixedForm:
    """A search space in which every architecture has the same places and every content of them is allowed.

    Attributes:
        places: n, the number of places for an operation.
        operations: r, the number of operations to choose from, at least 2.
        edges: number of edges that may be there or not; 0 in a block-based space.
    """

    places: int
    operations: int
    edges: int = 0

    def __post_init__(self) -> None:
        if self.places < 1 or self.operations < 2 or self.edges < 0:
            raise ParameterError(f"{self} is no search space: it takes a place, two operations, and edges from 0 on.")

    @property
    def size(self) -> int:
        """|A|, the number of architectures: r^n 2^e."""
        return self.operations**self.places * 2**self.edges

    @property
    def radix(self) -> list[int]:
        """Number of possible contents of each place: r for the n operations, then 2 for each edge."""
        return [self.operations] * self.places + [2] * self.edges


def block(n: int, r: int) -> FixedForm:
    """Return the block-based space of Theorem 1: a list of n operations out of r."""
    return FixedForm(n, r)


def cell(n: int, r: int) -> FixedForm:
    """Return the cell-based space of Theorem 2: n nodes with one of r operations, upper triangular adjacency."""
    return FixedForm(n, r, comb(n, 2))


NB201_FORM = block(6, 5)
NB101_FORM = FixedForm(5, 3, 21)  # seven nodes, two of them input and output; not all of these cells are valid


def codes(form: FixedForm, k: int, reading: Reading = "signed") -> int:
    """Return |D^k|, the number of distinct differences of architectures k edits apart."""
    r = form.operations
    return _coefficient(form, k, {"signed": r * (r - 1), "integer": 2 * (r - 1), "target": r}[reading], 2)


def all_codes(form: FixedForm, reading: Reading = "signed") -> int:
    """Return |D|, the number of distinct differences of any two architectures, equal ones included."""
    return sum(codes(form, k, reading) for k in range(form.places + form.edges + 1))


def neighbours(form: FixedForm, k: int = 1) -> int:
    """Return how many architectures are exactly k edits away from one (a Hamming sphere)."""
    return _coefficient(form, k, form.operations - 1, 1)


def pairs(form: FixedForm, k: int = 1) -> int:
    """Return the number of ordered pairs of architectures exactly k edits apart.

    A signed code with j changed operations stands for r^(n - j) 2^(e - k + j) of them: what is unchanged is arbitrary.
    """
    return form.size * neighbours(form, k)


@dataclass(frozen=True)
class Counts:
    """What going through all ordered pairs k edits apart gave.

    Attributes:
        architectures: |A|.
        pairs: number of ordered pairs; for k = 0 each architecture with itself.
        codes: |D^k| by reading.
    """

    architectures: int
    pairs: int
    codes: dict[Reading, int]


@lru_cache(maxsize=64)
def enumerate_differences(form: FixedForm, k: int | None = None) -> Counts:
    """Count the differences of all ordered pairs of a small space one by one, with no use of the closed forms.

    Args:
        form: the space.
        k: number of edits between the two of a pair; None for all pairs, and so for |D|.

    Raises:
        ParameterError: where there are more than `MAX_PAIRS` pairs to look at.
    """
    wanted = form.size**2 if k is None else pairs(form, k)
    if wanted > MAX_PAIRS:
        raise ParameterError(
            f"{form} has {wanted:,} such pairs; up to {MAX_PAIRS:,} are looked at one by one. The closed forms "
            "`codes`, `neighbours` and `pairs` have no limit."
        )
    radix = form.radix
    a = np.array(list(product(*map(range, radix))), dtype=np.int64)
    seen: dict[Reading, set[int]] = {reading: set() for reading in READINGS}
    found = 0
    for places in _subsets(len(radix), k):
        for steps in product(*(range(1, radix[place]) for place in places)):
            b = a.copy()
            for place, step in zip(places, steps, strict=True):
                b[:, place] = (b[:, place] + step) % radix[place]
            found += len(b)
            for reading in READINGS:
                seen[reading].update(np.unique(difference_codes(a, b, radix, reading)).tolist())
    return Counts(len(a), found, {reading: len(numbers) for reading, numbers in seen.items()})


def difference_codes(a: np.ndarray, b: np.ndarray, radix: Sequence[int], reading: Reading = "signed") -> np.ndarray:
    """Return a number (int64, B) for each difference of architectures, equal exactly for equal differences.

    Args:
        a: the architectures before, int64, B x (n + e): operation ids, then edges.
        b: the architectures after.
        radix: number of possible contents of each place; at most 39 altogether for `signed`.
        reading: what a difference is; see the module.

    A vector of differences is read as the digits of a number. Those of one-hot vectors are -1, 0 or 1, so that
    balanced ternary separates them, and the number of the difference is the difference of the numbers.
    """
    sizes = np.array(radix, dtype=np.int64)
    if reading == "signed":
        powers = 3 ** np.arange(sizes.sum())
        starts = np.cumsum(sizes) - sizes
        return (powers[starts + b] - powers[starts + a]).sum(1)
    if reading == "integer":
        bases = 2 * sizes - 1  # digits from -(size - 1) to size - 1
        return (b - a) @ (np.cumprod(bases) // bases)
    bases = sizes + 1  # digit 0 where nothing changed
    return np.where(a != b, b + 1, 0) @ (np.cumprod(bases) // bases)


@dataclass(frozen=True)
class NB101Counts:
    """The fixed form of NAS-Bench-101, counted graph by graph.

    A graph of seven nodes in topological order is valid when its input reaches its output and at most nine of its edges
    lie on a path between them. The benchmark drops what lies on no such path: it changes nothing.

    Attributes:
        graphs: valid adjacency matrices out of 2^21.
        architectures: valid architectures, 3^5 for each of these graphs.
        pairs: ordered pairs of valid architectures one edit apart.
        silent: those of the pairs that are one and the same network after dropping.
        neighbours: least, mean and largest number of valid architectures one edit away.
        codes: |D^1|, signed codes met among the pairs.
    """

    graphs: int
    architectures: int
    pairs: int
    silent: int
    neighbours: tuple[int, float, int]
    codes: int


@lru_cache(maxsize=4)
def count_nb101(nodes: int = 7, operations: int = 3, max_edges: int = 9) -> NB101Counts:
    """Count the architectures and one-edit pairs of NAS-Bench-101 in its fixed form of labelled nodes (a second).

    Other arguments give smaller spaces of the same kind.
    """
    ends = list(combinations(range(nodes), 2))  # edge i -> j of each bit of a graph
    graphs = np.arange(2 ** len(ends), dtype=np.int32)
    edge = [(graphs >> bit & 1).astype(bool) for bit in range(len(ends))]
    reached, reaching = np.zeros((2, nodes, len(graphs)), dtype=bool)  # from the input; the output
    reached[0] = reaching[-1] = True
    for bit, (i, j) in enumerate(ends):  # by ascending source: what reaches node i is known before it is passed on
        reached[j] |= reached[i] & edge[bit]
    for bit, (i, j) in reversed(list(enumerate(ends))):
        reaching[i] |= reaching[j] & edge[bit]
    live = np.zeros(len(graphs), dtype=np.int32)  # the edges on a path, as bits
    count = np.zeros(len(graphs), dtype=np.int8)
    for bit, (i, j) in enumerate(ends):
        on_path = edge[bit] & reached[i] & reaching[j]
        live |= on_path.astype(np.int32) << bit
        count += on_path
    valid = reached[-1] & (count <= max_edges)
    dropped = (~(reached & reaching)).sum(0)[valid]

    flips = np.zeros(len(graphs), dtype=np.int64)
    silent_flips, met = 0, 0
    for bit in range(len(ends)):
        other = graphs ^ (1 << bit)
        both = valid & valid[other]
        flips += both
        silent_flips += int((both & (live == live[other])).sum())
        met += 2 * bool(both.any())  # a flip that is met one way is met the other way
    n_graphs, inner = len(dropped), nodes - 2
    fillings = operations**inner  # every one is valid, so each change of an operation is met
    around = flips[valid] + inner * (operations - 1)
    return NB101Counts(
        graphs=n_graphs,
        architectures=n_graphs * fillings,
        pairs=int(around.sum()) * fillings,
        silent=(silent_flips + (operations - 1) * int(dropped.sum())) * fillings,
        neighbours=(int(around.min()), float(around.mean()), int(around.max())),
        codes=met + inner * operations * (operations - 1),
    )


@dataclass(frozen=True)
class TheoremRow:
    """A printed formula beside the count.

    Attributes:
        theorem: number of the theorem.
        quantity: what is counted, LaTeX.
        printed: the formula of the paper, LaTeX.
        printed_value: what it gives.
        exact: the number counted one by one, None where there are too many pairs for that.
        corrected: the closed form that gives the exact number, LaTeX; D^k in the signed reading.
        corrected_value: what it gives.
    """

    theorem: int
    quantity: str
    printed: str
    printed_value: int
    exact: int | None
    corrected: str
    corrected_value: int


def theorem_table(form: FixedForm, k: int = 2) -> list[TheoremRow]:
    """Return Theorem 1 (or 2, where the form has edges), 3, 4, and 5 for k edits, held against the exact counts.

    Args:
        form: the space; n of the printed formulas is its number of places.
        k: number of edits in the row of Theorem 5.
    """
    n, r, e = form.places, form.operations, form.edges

    def exact(edits: int | None) -> int | None:
        count = form.size**2 if edits is None else pairs(form, edits)
        return enumerate_differences(form, edits).codes["signed"] if count <= MAX_PAIRS else None

    listed = enumerate_differences(form, 0).architectures if form.size <= MAX_PAIRS else None
    if e == 0:
        first = TheoremRow(1, "|A|", "r^n", r**n, listed, "r^n", form.size)
        total, one, many = "(r^2-r+1)^n", "r(r-1)n", r"\binom{n}{k}(r(r-1))^k"
    else:
        m = r"\binom{n}{2}" if e == comb(n, 2) else str(e)  # number of possible edges
        printed, value = r"\frac{n(n-1)}{2} r^n", comb(n, 2) * r**n
        first = TheoremRow(2, "|A|", printed, value, listed, f"2^{{{m}}} r^n", form.size)
        total, one = f"3^{{{m}}} (r^2-r+1)^n", rf"r(r-1)n + 2 \cdot {m}"
        many = rf"\sum_j \binom{{n}}{{j}} (r(r-1))^j \binom{{{m}}}{{k-j}} 2^{{k-j}}"
    return [
        first,
        TheoremRow(3, "|D|", r"\approx |A|", form.size, exact(None), total, all_codes(form)),
        TheoremRow(4, "|D^1|", "rn", r * n, exact(1), one, codes(form, 1)),
        TheoremRow(5, f"|D^{{{k}}}|", r"r^k \binom{n}{k}", r**k * comb(n, k), exact(k), many, codes(form, k)),
    ]


def growth(kind: Literal["block", "cell"], r: int, ns: Iterable[int]) -> pd.DataFrame:
    """Return how the sizes grow with n, for a plot over n.

    |A| grows exponentially in n in block-based spaces, and like 2^(n^2 / 2) in cell-based ones. |D^1| grows linearly in
    block-based spaces, and quadratically, like n^2, in cell-based ones, because every possible edge is one place more.
    |D| lies between |A| and |A|^2.

    Returns:
        A row for each n, the number of places: `size`, |A|; `differences`, |D|, signed; `one_edit`, |D^1|, signed;
        `printed_one_edit`, r n; `neighbours`, architectures one edit away from one; `saving`, |A| / |D^1|.
    """
    forms = {n: block(n, r) if kind == "block" else cell(n, r) for n in ns}
    return pd.DataFrame(
        {
            "n": n, "size": form.size, "differences": all_codes(form), "one_edit": codes(form, 1),
            "printed_one_edit": r * n, "neighbours": neighbours(form), "saving": form.size / codes(form, 1),
        }
        for n, form in forms.items()
    )  # fmt: skip


def _subsets(places: int, k: int | None) -> Iterator[tuple[int, ...]]:
    """Yield the sets of k places, or all sets."""
    return chain.from_iterable(combinations(range(places), j) for j in (range(places + 1) if k is None else [k]))


def _coefficient(form: FixedForm, k: int, per_operation: int, per_edge: int) -> int:
    """Return the coefficient of x^k in (1 + per_operation x)^n (1 + per_edge x)^e."""
    n, e = form.places, form.edges
    return sum(comb(n, j) * per_operation**j * comb(e, k - j) * per_edge ** (k - j) for j in range(min(n, k) + 1))
