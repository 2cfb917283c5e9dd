"""NAS-Bench-NLP as a search space: the published recipes drawn again, compact graphs, edits, invalid cells."""

from __future__ import annotations

import json
from itertools import permutations, product
from pathlib import Path
from typing import Any, ClassVar

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import chi2

from nasrepro.benchmarks.raw.reading import json_files
from nasrepro.errors import InvalidArchitecture
from nasrepro.files import cached_tables as tables
from nasrepro.graphs import Graphs
from nasrepro.spaces.canonical import canonical_order
from nasrepro.spaces.nlp import recipes as nlp_recipes
from nasrepro.spaces.nlp.cell import ARITIES, BLEND, LINEAR, N_INPUTS, PROD, SIGM, SUM, TANH, Cell, reordered
from nasrepro.spaces.nlp.recipes import HIDDEN_SIZES, N_RECIPES, draw_recipe, locate, published_recipes
from nasrepro.spaces.nlp.space import NLP, NLPSpace
from tests.conformance import SpaceLaws

ALL = NLPSpace(max_operations=17)
RNN = Cell((LINEAR, TANH), ((0, 1), (4,)), (5,), 0)


class TestLaws(SpaceLaws):
    space = NLP
    # the graph form says less than the cell: the k-th input belongs to the k-th new state; a test below knows that
    many = 10_000  # 100,000 take minutes, and pass
    invalid: ClassVar[tuple[Any, ...]] = (None, "", (), 3.5, Cell((), (), (), 0), Cell((LINEAR,), (), (), 0))


@pytest.fixture(scope="module")
def recipes() -> pd.DataFrame:
    return published_recipes()


@pytest.fixture(scope="module")
def cells(recipes: pd.DataFrame) -> list[Cell]:
    return [ALL.from_string(text) for text in recipes["recipe"]]


def test_the_published_list_has_its_length_and_ids(recipes: pd.DataFrame):
    assert recipes.groupby("hidden").size().to_dict() == N_RECIPES
    assert len(recipes) == 4_735 and recipes["recipe"].nunique() == 4_319
    rows, runs = locate(recipes["model_id"].to_numpy())
    assert rows.tolist() == list(range(4_735)) and set(runs) == {0}
    # each list three times in a row: the second time of the first recipe follows the first time of the last
    assert [a.tolist() for a in locate(np.array([1_002_002, 1_002_003, 1_006_003, 1_012_003 + 735, 1_014_207]))] == [
        [1_999, 0, 2_000, 4_000, 4_734],
        [0, 1, 0, 1, 2],
    ]
    assert locate(np.array([1_000_002, 1_014_208]))[0].tolist() == [-1, -1]


def test_recipes_equal_the_independent_table(recipes: pd.DataFrame, oracle: Path):
    expected = pd.read_parquet(oracle / "nasbench_nlp_multirun.parquet")
    assert recipes["recipe"].tolist() == expected["recipe"].tolist()
    assert recipes["model_id"].tolist() == expected["arch_id"].tolist()
    assert recipes["seed"].tolist() == expected["gen_seed"].tolist()
    assert recipes["hidden"].tolist() == expected["hidden_tuple"].tolist()


@pytest.mark.mirror
def test_recipes_equal_those_in_the_published_logs(recipes: pd.DataFrame, mirror: Path):
    logs = [log for _, log in json_files(mirror / "nlp_wikitext2_logs.zip")]
    rows, _ = locate(np.array([log["recepie_id"] for log in logs]))
    assert len(logs) == 345 and (rows < 0).sum() == 3  # an RNN, an LSTM and a GRU are not from the sampler
    assert all(log["recepie"] == recipes["recipe"][row] for log, row in zip(logs, rows, strict=True) if row >= 0)


def test_the_list_is_drawn_once_and_then_read(no_mirror: Path, monkeypatch: pytest.MonkeyPatch):
    small = pd.DataFrame({"model_id": [1], "hidden": [1], "seed": [0], "recipe": ["{}"]})
    monkeypatch.setattr(nlp_recipes, "_draw_all", lambda: small)
    published_recipes()
    monkeypatch.setattr(nlp_recipes, "_draw_all", lambda: pytest.fail("drawn twice"))
    pd.testing.assert_frame_equal(published_recipes(), small)
    assert tables.FORMAT  # the cache is that of all tables


def test_the_sampler_obeys_its_law_whatever_the_generator():
    """Share of valid recipes and mean number of operations: a fresh generator against the published seeds."""
    rng = np.random.default_rng(0)
    for hidden in HIDDEN_SIZES:
        fresh = [draw_recipe(rng, hidden) for _ in range(1_000)]
        legacy = [draw_recipe(np.random.RandomState(20_000 + seed), hidden) for seed in range(1_000)]
        counts = np.array(
            [[sum(r is not None for r in draws), sum(r is None for r in draws)] for draws in (fresh, legacy)]
        )
        expected = counts.sum(0) / 2
        assert ((counts - expected) ** 2 / expected).sum() < chi2.isf(1e-3, 1)
        sizes = [np.array([len(r) for r in draws if r is not None]) for draws in (fresh, legacy)]
        error = np.sqrt(sum(s.var() / len(s) for s in sizes))
        assert abs(sizes[0].mean() - sizes[1].mean()) < 3.3 * error  # p = 0.001


def test_samples_of_the_space_have_the_mix_of_the_published_list(cells: list[Cell]):
    rng = np.random.default_rng(5)
    inside = [cell for cell in cells if NLP.is_valid(cell)]
    published = np.bincount([len(cell.hidden) for cell in inside], minlength=4)[1:]
    drawn = np.bincount([len(NLP.sample(rng).hidden) for _ in range(1_000)], minlength=4)[1:]
    table = np.array([published, drawn])
    expected = table.sum(0) * table.sum(1, keepdims=True) / table.sum()
    assert ((table - expected) ** 2 / expected).sum() < chi2.isf(1e-3, 2)


def test_every_recipe_within_the_limit_comes_back_from_its_graph(cells: list[Cell]):
    inside = [cell for cell in cells if len(cell.operations) <= 8]
    assert len(cells) == 4_735 and len(inside) == 3_496
    assert len(set(cells)) == 3_762 and len(set(inside)) == 2_523
    graphs = NLP.encode(inside)
    assert NLP.decode(graphs) == inside and NLP.max_nodes == graphs.n_nodes == 13
    assert ALL.decode(ALL.encode(cells[::7])) == cells[::7]
    outside = next(cell for cell in cells if len(cell.operations) > 8)
    for use in (NLP.check, NLP.key, NLP.neighbours, lambda cell: NLP.encode([cell])):
        with pytest.raises(InvalidArchitecture, match=r"has \d+ operations; this space has cells of 1 to 8") as caught:
            use(outside)
        assert caught.value.kind == "nodes"


def test_graph_form_by_hand():
    text = json.dumps(
        {
            "a": {"op": "linear", "input": ["h_prev_1", "x"]},
            "b": {"op": "activation_sigm", "input": ["a"]},
            "h_new_0": {"op": "blend", "input": ["b", "h_new_1", "a"]},
            "h_new_1": {"op": "activation_tanh", "input": ["c"]},
            "c": {"op": "elementwise_sum", "input": ["h_prev_0", "b"]},
        }
    )
    cell = NLP.from_string(text)
    # The new value of the second state comes first, so it is state 0 here, and state 1 is the output.
    assert cell == Cell((LINEAR, SIGM, SUM, TANH, BLEND), ((0, 1), (4,), (2, 5), (6,), (4, 5, 7)), (7, 8), 1)
    graph = NLP.encode([cell])
    assert graph.nodes[0].tolist() == [1, 1, 1, 1, 7, 2, 5, 3, 8, 0, 0, 0, 0] and graph.mask.sum() == 10
    edges = {(0, 4), (1, 4), (4, 5), (2, 6), (5, 6), (6, 7), (4, 8), (5, 8), (7, 8), (7, 9), (8, 9), (2, 9)}
    assert {tuple(edge) for edge in graph.adjacency()[0].nonzero().tolist()} == edges
    assert json.loads(NLP.to_string(cell)) == {
        "node_0": {"op": "linear", "input": ["x", "h_prev_1"]},
        "node_1": {"op": "activation_sigm", "input": ["node_0"]},
        "node_2": {"op": "elementwise_sum", "input": ["h_prev_0", "node_1"]},
        "h_new_1": {"op": "activation_tanh", "input": ["node_2"]},
        "h_new_0": {"op": "blend", "input": ["node_0", "node_1", "h_new_1"]},
    }


def test_a_cell_forgets_the_order_of_inputs_and_the_names_of_states_but_not_the_output():
    recipe = {
        "a": {"op": "linear", "input": ["x", "h_prev_0", "h_prev_2"]},
        "b": {"op": "linear", "input": ["x", "h_prev_1"]},
        "c": {"op": "activation_sigm", "input": ["a"]},
        "h_new_0": {"op": "blend", "input": ["a", "b", "c"]},
        "h_new_1": {"op": "activation_tanh", "input": ["b"]},
        "h_new_2": {"op": "activation_sigm", "input": ["b"]},
    }
    cell = NLP.from_recipe(recipe)
    for order in permutations("abc"):
        assert NLP.from_recipe({**recipe, "h_new_0": {"op": "blend", "input": list(order)}}) == cell

    def renamed(*names: int) -> Cell:
        new = {f"h_{when}_{i}": f"h_{when}_{name}" for i, name in enumerate(names) for when in ("prev", "new")}
        return NLP.from_recipe(
            {new.get(n, n): {**node, "input": [new.get(i, i) for i in node["input"]]} for n, node in recipe.items()}
        )

    assert renamed(0, 2, 1) == cell  # the two states that are not the output
    assert len({renamed(*names) for names in permutations(range(3))}) == 3  # each of three may be the output
    paired = {**recipe, "h_new_1": recipe["h_new_2"], "h_new_2": recipe["h_new_1"]}
    assert NLP.from_recipe(paired) != cell  # the new value of a state belongs to its previous one


def _graph(cell: Cell) -> nx.DiGraph:
    """Return the cell as a graph without places: the word is known by its label, a state by its new value."""
    graph = nx.DiGraph()
    graph.add_node(0, label="word")
    graph.add_nodes_from((1 + k, {"label": "output" if k == cell.output else "state"}) for k in range(len(cell.hidden)))
    for node, (operation, read) in enumerate(zip(cell.operations, cell.inputs, strict=True), start=N_INPUTS):
        graph.add_node(node, label=operation)
        graph.add_edges_from(((i, node) for i in read), kind="reads")
    for k, node in enumerate(cell.hidden):
        graph.add_edge(node, 1 + k, kind="becomes")
    return graph


def test_keys_are_equal_exactly_for_isomorphic_cells():
    """Cells, their neighbours and relabellings of both, in all pairs; networkx decides."""
    rng = np.random.default_rng(2)
    some: list[Cell] = []
    while len(some) < 36:
        cell = NLP.sample(rng)
        if len(cell.hidden) == 1 + len(some) // 12:
            outputs = [cell._replace(output=k) for k in range(len(cell.hidden))]
            some += [cell, *NLP.neighbours(cell)[: 6 - len(outputs)], *outputs[1:]]
    some += [_shuffled(cell, rng) for cell in some]
    graphs, keys = [_graph(c) for c in some], [NLP.key(c) for c in some]
    equal = 0
    for i, j in product(range(len(some)), repeat=2):
        same = nx.is_isomorphic(
            graphs[i], graphs[j], lambda a, b: a["label"] == b["label"], lambda a, b: a["kind"] == b["kind"]
        )
        assert (keys[i] == keys[j]) == same
        equal += i < j and same
    assert equal >= len(some) // 2  # the relabellings


def _shuffled(cell: Cell, rng: np.random.Generator) -> Cell:
    """Return the cell in a random topological order."""
    order: list[int] = []
    left = set(range(N_INPUTS, N_INPUTS + len(cell.operations)))
    while left:
        ready = sorted(v for v in left if set(cell.inputs[v - N_INPUTS]) <= {*range(N_INPUTS), *order})
        order.append(ready[rng.integers(len(ready))])
        left.remove(order[-1])
    return reordered(cell, order)


def test_canonical_order_separates_what_colours_alone_cannot():
    """Two sources of one label read by pairs: circles of other lengths, e.g. two of three against one of six."""

    def circle_graph(sizes: tuple[int, ...]) -> tuple[list[int], list[tuple[int, ...]]]:
        inputs: list[tuple[int, ...]] = [() for _ in range(sum(sizes))]
        start = 0
        for size in sizes:
            inputs += [(start + i, start + (i + 1) % size) for i in range(size)]
            start += size
        return [0] * len(inputs), inputs

    def form(labels: list[int], inputs: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
        order = canonical_order(labels, inputs)
        place = {node: new for new, node in enumerate(order)}
        assert all(place[i] < place[v] for v, read in enumerate(inputs) for i in read)
        return [tuple(sorted(place[i] for i in inputs[node])) for node in order]

    def relabelled(inputs: list[tuple[int, ...]], seed: int) -> list[tuple[int, ...]]:
        n = len(inputs) // 2
        first, second = (np.random.default_rng(seed + k).permutation(n) for k in (0, 1))
        return [()] * n + [tuple(int(first[i]) for i in inputs[n + second[k]]) for k in range(n)]

    # in (3, 4) it matters which node is put first, though all have one colour
    for circles, others in (((6,), (3, 3)), ((3, 4), (7,)), ((3, 3), (6,))):
        labels, inputs = circle_graph(circles)
        assert form(labels, inputs) != form(*circle_graph(others))
        for seed in range(8):
            assert form(labels, relabelled(inputs, seed)) == form(labels, inputs)


def _altered(
    nodes: dict[int, int] | None = None, flip: tuple[tuple[int, int], ...] = (), size: int | None = None
) -> Graphs:
    """Return the graph of a cell of two hidden states with some nodes set and some edges flipped."""
    cell = Cell((LINEAR, SIGM, SUM, TANH, BLEND), ((0, 2), (4,), (1, 5), (6,), (4, 5, 7)), (7, 8), 1)
    graph = NLP.encode([cell])
    classes, adjacency, mask = graph.nodes.clone(), graph.adjacency(), graph.mask.clone()
    for i, node_class in (nodes or {}).items():
        classes[0, i] = node_class
    for i, j in flip:
        adjacency[0, i, j] ^= 1
    if size is not None:
        mask[0, size:] = False
    return Graphs.from_adjacency(classes, adjacency, mask)


@pytest.mark.parametrize(
    ("graph", "kind", "reason"),
    [
        (_altered(size=5), "nodes", "has 5 nodes; cells of this space have 6 to 13"),
        (_altered(nodes={1: 7}), "terminals", "begins with in, linear, in, in"),
        (_altered(nodes={9: 3}), "terminals", "ends with tanh"),
        (_altered(size=9), "terminals", "ends with blend"),
        (_altered(nodes={5: 1}), "operations", "Node 5 is in, not an operation"),
        (_altered(nodes={5: 12}), "operations", "Node 5 is class 12, not an operation"),
        (_altered(flip=((0, 1),)), "edges", "joins two inputs, or the word and the output"),
        (_altered(flip=((0, 9),)), "edges", "joins two inputs, or the word and the output"),
        (_altered(flip=((1, 9),)), "output", "2 hidden states are joined to the last node; one of them is the output"),
        (_altered(flip=((2, 9),)), "output", "0 hidden states are joined to the last node"),
        (_altered(flip=((2, 9), (3, 9))), "output", "The output is hidden state 2; the cell has 2, counted from 0"),
        (_altered(flip=((0, 6), (1, 6))), "edges", r"Node 6 \(sum\) reads x; only linear can"),
        (_altered(flip=((4, 5),)), "arity", r"Node 5 \(sigm\) reads 0 nodes, not 1"),
        (_altered(nodes={8: 6}), "arity", r"Node 8 \(prod\) reads 3 nodes, not 2"),
        (_altered(flip=((4, 8),)), "arity", r"Node 8 \(blend\) reads 2 nodes, not 3"),
        (_altered(flip=((7, 9), (8, 9))), "hidden", r"has \[\] as new hidden states, not 1 to 3"),
        (_altered(flip=((6, 9), (8, 9))), "hidden", "Node 6 cannot be a new hidden state: it reads a previous one"),
        (_altered(flip=((8, 9),)), "unused", "Node 8 is read by nothing that a new hidden state needs"),
        (_altered(flip=((5, 9),)), "inputs", "has 3 new hidden states and reads x, h_prev_0, h_prev_1; it must read"),
        (_altered(flip=((0, 4), (3, 4))), "inputs", "reads h_prev_0, h_prev_1, h_prev_2; it must read x, h_prev_0, h"),
    ],
)
def test_every_kind_of_invalid_graph_is_named(graph: Graphs, kind: str, reason: str):
    with pytest.raises(InvalidArchitecture, match=reason) as caught:
        NLP.decode_one(graph)
    assert caught.value.kind == kind
    assert NLP.decode_with_reasons(Graphs.cat([NLP.encode([RNN]), graph])) == ([RNN, None], ["", kind])


@pytest.mark.parametrize(
    ("change", "kind", "reason"),
    [
        ({"h_new_0": {"op": "activation_tanh", "input": ["nowhere"]}}, "edges", "h_new_0 read each other in a circle"),
        ({"h_new_0": {"op": "relu", "input": ["a"]}}, "operations", "unknown operation 'relu'.*activation_leaky_relu"),
        ({"h_new_0": {"op": "linear"}}, "operations", "A recipe is a JSON object"),
        ({"x": {"op": "linear", "input": ["a"]}}, "operations", "x are inputs of the cell"),
        ({"h_new_0": {"op": "elementwise_sum", "input": ["a", "a"]}}, "edges", r"reads \[4, 4\]"),
        ({"h_new_2": {"op": "activation_tanh", "input": ["a"]}}, "hidden", "has h_new_0, h_new_2; it must have"),
        ({"h_new_0": {"op": "elementwise_sum", "input": ["a", "h_prev_0"]}}, "hidden", "reads a previous one directly"),
        ({"h_new_0": {"op": "activation_tanh", "input": [["a"]]}}, "edges", "read each other in a circle"),
    ],
)
def test_a_wrong_recipe_is_refused_with_the_reason(change: dict[str, Any], kind: str, reason: str):
    recipe = {
        "a": {"op": "linear", "input": ["x", "h_prev_0"]},
        "h_new_0": {"op": "activation_tanh", "input": ["a"]},
    }
    assert NLP.from_recipe(recipe) == RNN
    with pytest.raises(InvalidArchitecture, match=reason) as caught:
        NLP.from_string(json.dumps(recipe | change))
    assert caught.value.kind == kind


def _all_cells_of_three_operations() -> list[Cell]:
    """Return every valid cell of three operations, by brute force over all graphs."""
    found = set()
    choices = [[tuple(k for k in range(4 + i) if bits >> k & 1) for bits in range(1, 2 ** (4 + i))] for i in range(3)]
    choices = [[read for read in some if len(read) <= 3] for some in choices]
    for read, hidden in product(product(*choices), ((6,), (5, 6), (4, 6), (4, 5, 6))):
        if {i for some in read for i in some if i < N_INPUTS} == set(range(1 + len(hidden))):
            for operations in product(*([c for c, arities in ARITIES.items() if len(r) in arities] for r in read)):
                for output in range(len(hidden)):
                    cell = Cell(operations, read, hidden, output)
                    if NLP.is_valid(cell):
                        found.add(NLP.canonical(cell))
    return sorted(found)


def test_neighbours_are_exactly_the_cells_at_distance_one():
    cells = _all_cells_of_three_operations()
    rng = np.random.default_rng(0)
    assert {len(cell.hidden) for cell in cells} == {1, 2}
    for cell in (cells[i] for i in rng.choice(len(cells), 12, replace=False)):
        near = NLP.neighbours(cell)
        assert near and near == [other for other in cells if NLP.distance(cell, other) == 1]


def test_neighbours_by_hand():
    sigm, relu = (RNN._replace(operations=(LINEAR, c)) for c in (SIGM, 4))
    assert NLP.neighbours(RNN) == sorted([sigm, relu])


def _distance_by_brute_force(a: Cell, b: Cell) -> int:
    """Return the least cost over all pairings of operations and of states, also those that leave some alone."""
    n_a, n_b, h_a, h_b = len(a.operations), len(b.operations), len(a.hidden), len(b.hidden)
    best = 99
    for states in set(permutations([*range(h_b), *[-1] * h_a], h_a)):
        matched = [(k, q) for k, q in enumerate(states) if q >= 0]
        for partners in set(permutations([*range(N_INPUTS, N_INPUTS + n_b), *[-1] * n_a], n_a)):
            image = {0: 0, **{1 + k: 1 + q for k, q in matched}, **dict(enumerate(partners, start=N_INPUTS))}
            pairs = [(i, p - N_INPUTS) for i, p in enumerate(partners) if p >= 0]
            cost = n_a + n_b - 2 * len(pairs) + h_a + h_b - 2 * len(matched)
            cost += sum(a.operations[i] != b.operations[j] for i, j in pairs)
            cost += sum(image[a.hidden[k]] != b.hidden[q] for k, q in matched) + (states[a.output] != b.output)
            for i, j in pairs:
                x, y = a.inputs[i], b.inputs[j]
                cost += max(len(x), len(y)) - len({image.get(v) for v in x} & set(y))
            best = min(best, cost)
    return best


def test_distance_is_the_least_cost_of_a_pairing():
    rng = np.random.default_rng(4)
    small = [cell for cell in (NLP.sample(rng) for _ in range(300)) if len(cell.operations) <= 4]
    pairs = list(zip(small[::2], small[1::2], strict=False))[:20]
    assert {len(a.hidden) - len(b.hidden) for a, b in pairs} >= {0, 1}
    found = [NLP.distance(a, b) for a, b in pairs]
    assert found == [_distance_by_brute_force(a, b) for a, b in pairs] and len(set(found)) > 3


def test_distance_by_hand():
    assert NLP.distance(RNN, RNN._replace(operations=(LINEAR, SIGM))) == 1
    longer = Cell((LINEAR, TANH, SIGM), ((0, 1), (4,), (5,)), (6,), 0)  # one operation and the new hidden state
    assert NLP.distance(RNN, longer) == NLP.distance(longer, RNN) == 2
    product_of_both = Cell((LINEAR, SIGM, TANH, PROD), ((0, 1), (4,), (4,), (5, 6)), (7,), 0)
    assert NLP.distance(RNN, product_of_both) == 3
    two = Cell((LINEAR, SIGM, TANH), ((0, 1, 2), (4,), (4,)), (5, 6), 0)
    assert NLP.distance(two, two._replace(output=1)) == 1
    # a state, its new value, what linear reads; and that the output is a sigmoid or else the other state
    assert (NLP.distance(RNN, two), NLP.distance(RNN, two._replace(output=1))) == (4, 3)


def test_nodes_of_a_graph_are_topological_and_padding_is_ignored():
    rng = np.random.default_rng(1)
    graphs = NLP.encode([NLP.sample(rng) for _ in range(50)])
    assert not torch.tril(graphs.adjacency()).any()
    assert all((graphs.nodes[~graphs.mask] == 0).tolist())
    wider = ALL.encode(NLP.decode(graphs))  # type: ignore[arg-type]
    assert NLP.decode(wider) == NLP.decode(graphs)
