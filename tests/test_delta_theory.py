"""The counts behind Delta-NAS's theorems: closed forms against going through all pairs, and the printed formulas."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise, product
from math import comb

import networkx as nx
import numpy as np
import pytest

from nasrepro.delta import theory as theory
from nasrepro.delta.theory import NB101_FORM, NB201_FORM, READINGS, FixedForm, block, cell, codes, neighbours, pairs
from nasrepro.errors import ParameterError
from nasrepro.spaces.nb201 import NB201

SMALL = [make(n, r) for make in (block, cell) for n in (2, 3, 4) for r in (2, 3, 4, 5)] + [FixedForm(2, 3, 4)]
FEW = 1_100_000  # pairs that a test looks at


@pytest.mark.parametrize("form", SMALL, ids=str)
def test_closed_forms_are_what_counting_gives(form: FixedForm):
    looked = 0
    for k in range(form.places + form.edges + 1):
        if pairs(form, k) > FEW:
            continue
        looked += 1
        counts = theory.enumerate_differences(form, k)
        assert (counts.architectures, counts.pairs) == (form.size, pairs(form, k))
        assert counts.codes == {reading: codes(form, k, reading) for reading in READINGS}
    assert looked >= 2
    if form.size**2 <= FEW:
        counts = theory.enumerate_differences(form)
        assert counts.pairs == form.size**2
        assert counts.codes == {reading: theory.all_codes(form, reading) for reading in READINGS}


@pytest.mark.parametrize("form", [block(3, 4), cell(3, 2), FixedForm(2, 3, 2)], ids=str)
def test_counting_agrees_with_subtraction_of_one_hot_vectors_written_out(form: FixedForm):
    """By another road: every pair, the vectors themselves as the differences, no numbers for them."""

    def one_hot(arch: tuple[int, ...]) -> np.ndarray:
        operations = np.eye(form.operations, dtype=int)[list(arch[: form.places])].ravel()
        return np.concatenate([operations, arch[form.places :]])

    differences: dict[int, set[bytes]] = {}
    around: Counter[tuple[tuple[int, ...], int]] = Counter()
    archs = list(product(*map(range, form.radix)))
    for a, b in product(archs, repeat=2):
        k = sum(x != y for x, y in zip(a, b, strict=True))
        around[a, k] += 1
        differences.setdefault(k, set()).add((one_hot(b) - one_hot(a)).tobytes())
    for k, found in differences.items():
        assert len(found) == codes(form, k) == theory.enumerate_differences(form, k).codes["signed"]
        assert {around[a, k] for a in archs} == {neighbours(form, k)}
    assert len(set().union(*differences.values())) == theory.all_codes(form)


def test_difference_codes_are_equal_exactly_for_equal_differences():
    rng = np.random.default_rng(0)
    radix = [3, 3, 3, 2, 2, 2]
    a, b = (rng.integers(0, radix, (3000, 6)) for _ in range(2))
    one_hot = [np.concatenate([np.eye(r, dtype=int)[x[:, i]] for i, r in enumerate(radix)], 1) for x in (a, b)]
    references = {
        "signed": one_hot[1] - one_hot[0],
        "integer": b - a,
        "target": np.where(a != b, b, -1),
    }
    for reading in READINGS:
        numbers = theory.difference_codes(a, b, radix, reading)
        partners: dict[bytes, int] = {}
        for difference, number in zip(references[reading], numbers.tolist(), strict=True):
            assert partners.setdefault(difference.tobytes(), number) == number
        assert len(set(partners.values())) == len(partners) > 500


def test_nas_bench_201_counted_through_its_space():
    cells = list(NB201.all())
    after = [NB201.neighbours(arch) for arch in cells]
    assert {len(found) for found in after} == {neighbours(NB201_FORM)} == {24}
    a, b = np.repeat(np.array(cells), 24, 0), np.array([arch for found in after for arch in found])
    assert len(a) == pairs(NB201_FORM) == 375_000
    numbers = {reading: theory.difference_codes(a, b, NB201_FORM.radix, reading) for reading in READINGS}
    counted = {reading: len(np.unique(found)) for reading, found in numbers.items()}
    assert counted == {"signed": 120, "integer": 48, "target": 30}
    assert counted == {reading: codes(NB201_FORM, 1, reading) for reading in READINGS}
    assert set(np.unique(numbers["signed"], return_counts=True)[1].tolist()) == {5**5}  # pairs of each code
    assert theory.enumerate_differences(NB201_FORM, 1).codes == counted
    assert NB201_FORM.size == NB201.size


def test_the_fixed_form_of_nas_bench_101():
    assert NB101_FORM.size == 2**21 * 3**5 == 509_607_936
    assert (neighbours(NB101_FORM), codes(NB101_FORM, 1)) == (10 + 21, 30 + 42)
    counts = theory.count_nb101()
    assert counts.codes == 72 and counts.neighbours[2] == 31  # validity takes no code away, and no edit everywhere
    assert counts.architectures == counts.graphs * 243 < NB101_FORM.size
    assert counts.pairs < pairs(NB101_FORM)


@pytest.mark.parametrize(("nodes", "operations", "max_edges"), [(3, 3, 9), (4, 2, 4), (4, 3, 3), (5, 2, 6)])
def test_counting_nas_bench_101_agrees_with_networkx_on_small_forms(nodes: int, operations: int, max_edges: int):
    ends = [(i, j) for i in range(nodes) for j in range(i + 1, nodes)]
    live: dict[frozenset[tuple[int, int]], tuple[frozenset[int], frozenset[tuple[int, int]]]] = {}
    for chosen in product((False, True), repeat=len(ends)):
        edges = frozenset(end for end, there in zip(ends, chosen, strict=True) if there)
        graph = nx.DiGraph()
        graph.add_nodes_from(range(nodes))
        graph.add_edges_from(edges)
        kept = (nx.descendants(graph, 0) | {0}) & (nx.ancestors(graph, nodes - 1) | {nodes - 1})
        on_path = frozenset((i, j) for i, j in edges if i in kept and j in kept)
        if nx.has_path(graph, 0, nodes - 1) and len(on_path) <= max_edges:
            live[edges] = (frozenset(kept), on_path)
    flips = [(edges, edges ^ {end}) for edges in live for end in ends if edges ^ {end} in live]
    inner, others, fillings = nodes - 2, operations - 1, operations ** (nodes - 2)
    same = sum(live[a][1] == live[b][1] for a, b in flips)
    same += sum(others * (nodes - len(kept)) for kept, _ in live.values())
    around = Counter(a for a, _ in flips)
    sizes = [around[edges] + inner * others for edges in live]
    counts = theory.count_nb101(nodes, operations, max_edges)
    assert (counts.graphs, counts.architectures) == (len(live), len(live) * fillings)
    assert (counts.pairs, counts.silent) == ((len(flips) + inner * others * len(live)) * fillings, same * fillings)
    assert counts.neighbours == (min(sizes), pytest.approx(np.mean(sizes)), max(sizes))
    signed = {(a - b, b - a) for a, b in flips}
    assert counts.codes == len(signed) + inner * operations * others


@pytest.mark.parametrize("form", [block(3, 4), cell(3, 3), cell(4, 2), NB201_FORM], ids=str)
def test_corrected_formulas_of_the_table_give_the_exact_counts(form: FixedForm):
    rows = theory.theorem_table(form, k=2)
    assert [row.theorem for row in rows] == [2 if form.edges else 1, 3, 4, 5]
    assert [row.exact for row in rows if row.exact is None] == ([None] if form is NB201_FORM else [])
    for row in rows:
        assert row.exact in (None, row.corrected_value)
        assert (row.printed_value == row.corrected_value) == (row.theorem == 1)


def test_printed_formulas_are_those_of_the_paper():
    n, r = 4, 3
    printed = {row.quantity: row.printed_value for row in theory.theorem_table(cell(n, r), k=3)}
    assert printed == {"|A|": 6 * 81, "|D|": cell(n, r).size, "|D^1|": 12, "|D^{3}|": 27 * 4}
    assert theory.theorem_table(block(n, r))[0].printed_value == 81
    assert [row.printed_value for row in theory.theorem_table(NB101_FORM)][::2] == [2430, 15]


def test_printed_theorems_4_and_5_count_places_and_new_operations_in_block_based_spaces():
    for n, r in product(range(1, 7), range(2, 6)):
        for k in range(n + 1):
            assert codes(block(n, r), k, "target") == r**k * comb(n, k)
        assert theory.all_codes(block(n, r), "target") == (1 + r) ** n  # their sum over k, not r^n of Theorem 3


def test_all_pairs_are_shared_out_among_the_numbers_of_edits():
    for form in (*SMALL, NB101_FORM, NB201_FORM):
        ks = range(form.places + form.edges + 1)
        assert sum(pairs(form, k) for k in ks) == form.size**2
        assert form.size < theory.all_codes(form) < form.size**2
        assert codes(form, len(ks)) == neighbours(form, len(ks)) == 0


def test_growth_is_exponential_for_architectures_and_polynomial_for_one_edit_differences():
    for kind, order in (("block", 1), ("cell", 2)):
        rows = list(theory.growth(kind, 3, range(1, 12)).itertuples())
        assert [row.n for row in rows] == list(range(1, 12))
        one_edit = np.array([row.one_edit for row in rows])
        assert len(set(np.diff(one_edit, order).tolist())) == 1  # a polynomial of this degree in n
        assert len(set(np.diff(one_edit, order - 1).tolist())) > 1
        saving = [row.saving for row in rows]
        assert all(late > 2 * early for early, late in pairwise(saving[2:]))
        assert saving[0] < 1  # for very small n a difference is no saving
        assert all(row.printed_one_edit < row.one_edit for row in rows)


def test_what_cannot_be_counted_is_refused():
    with pytest.raises(ParameterError, match="244,140,625 such pairs"):
        theory.enumerate_differences(NB201_FORM)
    for wrong in ((0, 3, 0), (2, 1, 0), (2, 3, -1)):
        with pytest.raises(ParameterError, match="no search space"):
            FixedForm(*wrong)


def test_the_experiment_tabulates_what_the_functions_count(tmp_path):
    from nasrepro import experiments
    from nasrepro.report.delta import theorems as theory_tables
    from nasrepro.runs import records
    from nasrepro.runs.plan import Shown
    from nasrepro.runs.run import run

    folder, record = run(experiments.load("theory"), {}, profile="smoke", root=tmp_path, device="cpu")
    assert (record.metrics["nb201"]["pairs"], record.metrics["nb201"]["codes"]) == (375_000, 120)
    assert 0 < record.metrics["nb201"]["silent"] < 375_000
    frame = records.load_table(folder, record, "theorems.parquet")
    counted = frame.dropna(subset="exact")
    assert len(frame) == 6 * 4 and len(counted) > 16
    assert (counted["exact"] == counted["corrected_value"]).all()
    runs = Shown([], (folder, record))
    table = theory_tables.theorem_table(runs).to_frame()
    row = table[(table["Space"] == "NAS-Bench-201, n = 6, r = 5") & (table["Theorem"] == "4")].iloc[0]
    assert (row["Printed formula gives"], row["Counted"], row["Corrected formula gives"]) == ("30", "120", "120")
    figure, said = theory_tables.growth_figure(runs), theory_tables.numbers(runs)
    assert figure is not None and "one-edit differences" in figure.alt
    assert [said[f"theory.theorem{k}"] for k in (1, 2, 3)] == ["stands", "does not", "lies between"]
    assert theory_tables.growth_figure(Shown([])) is None and theory_tables.numbers(Shown([])) == {}
    assert "not run" in theory_tables.theorem_table(Shown([])).rows[0].cells
