"""A space and a benchmark of your own: the laws, what a table may look like, and what is refused, with the row."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any, ClassVar, get_args

import numpy as np
import pandas as pd
import pytest
from conformance import BenchmarkLaws, GraphSpaceLaws, isomorphic, labelled_digraph

from nasrepro.benchmarks.base import MEAN, SPLITS, Column
from nasrepro.benchmarks.ledger import Ledger
from nasrepro.benchmarks.own import MetricSpec, OwnBenchmark, from_table, write_table
from nasrepro.errors import (
    CorruptData,
    InvalidArchitecture,
    MissingData,
    NasreproError,
    ParameterError,
    StorageError,
    UnknownQuery,
)
from nasrepro.files.storage import sha256_of
from nasrepro.spaces.cells import EXACT_NODES, MAX_NODES, Cell, check_form
from nasrepro.spaces.graph_edit_distance import graph_edit_distance
from nasrepro.spaces.own import OwnSpace

ROOT = Path(__file__).resolve().parent.parent
ACCURACY = MetricSpec(unit="%", higher_is_better=True, epochs=10)
COUNT = MetricSpec(unit="edges", higher_is_better=False, split="model", what="number of edges")


def _all_cells(n: int, operations: str = "ab") -> list[Cell]:
    """Return every cell of n nodes, isomorphic ones too."""
    pairs = list(itertools.combinations(range(n), 2))
    return [
        Cell(names, tuple(itertools.compress(pairs, bits)))
        for names in itertools.product(operations, repeat=n)
        for bits in itertools.product((0, 1), repeat=len(pairs))
    ]


CELLS = [cell for n in (1, 2, 3, 4) for cell in _all_cells(n) if "a" in cell.operations]
SPACE = OwnSpace(CELLS)


def _frame(cells: list[Cell], seed: int = 0) -> pd.DataFrame:
    """Return a table of cells; isomorphic ones have the same labels."""
    space = OwnSpace(cells)
    accuracy = np.random.default_rng(seed).uniform(50, 90, space.size)
    accuracy[::7] = np.nan
    return pd.DataFrame(
        {
            "operations": [" ".join(cell.operations) for cell in cells],
            "adjacency": [json.dumps(cell.adjacency.tolist()) for cell in cells],
            "accuracy": accuracy[space.rows(cells)],
            "edges": [len(cell.edges) for cell in cells],
        }
    )


@pytest.fixture(scope="module", autouse=True)
def _a_table(tmp_path_factory: pytest.TempPathFactory):
    Fixed.path = tmp_path_factory.mktemp("own") / "little.csv"
    _frame(CELLS).to_csv(Fixed.path, index=False)


class Fixed(OwnBenchmark):
    """The benchmark of one table: the laws make benchmarks without arguments."""

    path: ClassVar[Path]

    def __init__(self) -> None:
        super().__init__(self.path, {"accuracy": ACCURACY, "edges": COUNT})


class TestSpaceLaws(GraphSpaceLaws):
    space = SPACE


class TestSpaceLawsOfOneSize(GraphSpaceLaws):
    space = OwnSpace([cell for cell in _all_cells(3, "abc") if cell.operations != ("a", "b", "c")], "three")
    samples = 300


class TestBenchmarkLaws(BenchmarkLaws):
    benchmark = Fixed
    needs_mirror = False
    optima: ClassVar = {Column("little", "edges", "model", 0, MEAN): 0.0}

    def test_checksums_name_raw_files_of_the_registry(self, bench: OwnBenchmark):
        """A file of one's own is in no registry."""
        for column in bench.columns():
            assert bench.checksums([column]) == {"little.csv": sha256_of(Fixed.path)}


# --- the space


def test_the_rows_are_the_isomorphism_classes_in_the_order_of_the_list():
    assert SPACE.node_classes == ("a", "b") and SPACE.max_nodes == 4
    # Unlabelled acyclic digraphs of 1 to 4 nodes: 1, 2, 6, 31 (OEIS A003087); with one operation they are all.
    assert OwnSpace(cell for n in (1, 2, 3, 4) for cell in _all_cells(n, "a")).size == 1 + 2 + 6 + 31
    rows, firsts = np.unique(SPACE.rows(CELLS), return_index=True)
    assert rows.tolist() == list(range(SPACE.size)) and firsts.tolist() == sorted(firsts)
    assert list(SPACE.all()) == [CELLS[first] for first in firsts]


def test_neighbours_are_all_listed_cells_at_distance_one():
    space = OwnSpace(CELLS[::9])
    cells = list(space.all())
    for cell in cells[::11]:
        assert space.neighbours(cell) == [other for other in cells if space.distance(cell, other) == 1]


def test_an_edge_may_be_added_against_the_listed_order_of_the_nodes():
    split = Cell(("b", "a"), ())
    joined = Cell(("a", "b"), ((0, 1),))
    space = OwnSpace([split, joined])
    assert space.neighbours(split) == [joined] and space.neighbours(joined) == [split]


def test_a_cell_far_from_all_others_has_no_mutation_and_says_so():
    space = OwnSpace([Cell(("a", "b"), ()), Cell(("a", "b", "c"), ((0, 1), (1, 2)))])
    cell = space.from_index(0)
    assert space.neighbours(cell) == [] and space.distance(*space.all()) == 3
    with pytest.raises(InvalidArchitecture, match="random search does not") as caught:
        space.mutate(cell, np.random.default_rng(0))
    assert caught.value.kind == "isolated"


def test_samples_are_uniform_over_the_listed_cells():
    from scipy.stats import chisquare

    space = OwnSpace(_all_cells(2))
    rng = np.random.default_rng(0)
    counts = np.bincount(space.rows([space.sample(rng) for _ in range(7_000)]), minlength=space.size)
    assert space.size == 7 and chisquare(counts).pvalue > 1e-3


def test_what_is_wrong_with_a_graph_is_named_by_its_kind():
    space = OwnSpace([Cell(("a", "b"), ((0, 1),)), Cell(("a", "b", "b"), ((0, 1), (1, 2)))])
    wrong = {
        "unlisted": Cell(("a", "b"), ()),
        "operations": Cell(("a", "c"), ((0, 1),)),
        "nodes": Cell(("a",) * (MAX_NODES + 1), ()),
        "edges": Cell(("a", "b"), ((1, 0),)),
    }
    for kind, cell in wrong.items():
        with pytest.raises(InvalidArchitecture, match=r".{20}") as caught:
            space.check(cell)
        assert caught.value.kind == kind
    for cell in (
        Cell(["a"], ()), Cell(("a", ""), ()), Cell(("a", 3), ()), Cell(("a", "b"), [[0, 1]]), Cell(("a", "b"), ((0,),)),
        Cell(("a", "b"), ((0, 1), (0, 1))), Cell(("a", "b", "c"), ((1, 2), (0, 1))), (("a",), ()),
    ):  # fmt: skip
        with pytest.raises(InvalidArchitecture):
            check_form(cell)
    graphs = space.encode(list(space.all()))
    assert graphs.mask.tolist() == [[True, True, False], [True, True, True]]
    graphs.nodes[0, 0], graphs.mask[1, :] = 7, False
    assert space.decode_with_reasons(graphs)[1] == ["operations", "nodes"]
    with pytest.raises(InvalidArchitecture, match="at least one"):
        OwnSpace([])
    with pytest.raises(InvalidArchitecture, match="rows 0 to 1"):
        space.encode_rows(np.array([2]))


def test_an_isomorphic_cell_is_the_listed_one():
    listed = Cell(("in", "conv", "pool", "out"), ((0, 1), (0, 2), (1, 3), (2, 3)))
    space = OwnSpace([listed])
    swapped = listed._replace(operations=("in", "pool", "conv", "out"))
    assert space.from_string(json.dumps(swapped._asdict())) == listed
    assert space.key(swapped) == space.key(listed) and space.distance(swapped, listed) == 0
    assert not space.is_valid(listed._replace(operations=("conv", "in", "pool", "out")))
    chain = Cell(("in", "conv", "pool", "out"), ((0, 1), (1, 2), (2, 3)))
    assert OwnSpace([chain, swapped]).key(listed) == OwnSpace([listed, chain]).key(listed) == space.key(listed)


def test_what_lies_in_the_padding_of_a_graph_is_not_read():
    cell = Cell(("a", "b"), ((0, 1),))
    space = OwnSpace([Cell(("a", "b", "b"), ((0, 1), (1, 2))), cell])
    graphs = space.encode([cell])
    graphs.nodes[0, 2], graphs.pairs[0, :] = 1, 1
    assert space.decode(graphs) == [cell]


def test_keys_of_symmetric_cells_of_the_largest_size_are_exact():
    rng = np.random.default_rng(0)
    for _ in range(2):
        pairs = rng.permutation(EXACT_NODES).reshape(-1, 2)  # disjoint edges: the colours settle nothing
        edges = tuple(sorted((int(min(p)), int(max(p))) for p in pairs))
        cell = Cell(("a",) * EXACT_NODES, edges)
        space = OwnSpace([cell, Cell(("a",) * EXACT_NODES, tuple((i, i + 1) for i in range(0, EXACT_NODES, 2)))])
        assert space.size == 1


# --- edit distance


def _random_graph(rng: np.random.Generator, n: int, labels: int = 3) -> tuple[list[int], np.ndarray]:
    return rng.integers(labels, size=n).tolist(), np.triu(rng.random((n, n)) < 0.5, 1)


def _by_brute_force(labels_a: list[int], a: np.ndarray, labels_b: list[int], b: np.ndarray) -> int:
    """The least cost over all partial matchings, those that leave nodes of both graphs alone included."""
    best = 99
    for k in range(min(len(a), len(b)) + 1):
        for mine in itertools.combinations(range(len(a)), k):
            for theirs in itertools.permutations(range(len(b)), k):
                pairs = list(zip(mine, theirs, strict=True))
                kept = sum(a[i, j] and b[x, y] for (i, x), (j, y) in itertools.product(pairs, repeat=2))
                changed = sum(labels_a[i] != labels_b[x] for i, x in pairs)
                best = min(best, changed + len(a) + len(b) - 2 * k + int(a.sum() + b.sum()) - 2 * int(kept))
    return best


def test_the_edit_distance_is_the_least_over_all_matchings():
    rng = np.random.default_rng(0)
    for _ in range(60):
        a, b = (_random_graph(rng, int(rng.integers(1, 5))) for _ in range(2))
        assert graph_edit_distance(*a, *b) == graph_edit_distance(*b, *a) == _by_brute_force(*a, *b)


def test_the_edit_distance_between_seven_nodes_agrees_with_the_search_over_all_permutations():
    from nasrepro.spaces.nb101.graph_edits import edit_distance

    rng = np.random.default_rng(1)
    for _ in range(40):
        a, b = (_random_graph(rng, 7) for _ in range(2))
        for labels in (a[0], b[0]):
            labels[0], labels[-1] = 8, 9
        assert graph_edit_distance(*a, *b) <= edit_distance(*a, *b)  # which does not edit the terminals
    small = [_random_graph(rng, 6, 1) for _ in range(2)]
    inner = np.array(list(itertools.permutations(range(6))))
    permuted = small[1][1][inner[:, :, None], inner[:, None, :]]
    assert graph_edit_distance(*small[0], *small[1]) == (permuted != small[0][1]).sum((1, 2)).min()


def test_k_random_edits_of_a_cell_of_the_largest_size_are_at_most_k_and_found():
    rng = np.random.default_rng(2)
    labels, adjacency = _random_graph(rng, EXACT_NODES)
    for k in range(1, 5):
        edges = adjacency.copy()
        pairs = np.argwhere(np.triu(np.ones_like(edges), 1))
        for i, j in rng.choice(pairs, k, replace=False):
            edges[i, j] = not edges[i, j]
        order = rng.permutation(EXACT_NODES)
        found = graph_edit_distance(labels, adjacency, [labels[i] for i in order], edges[np.ix_(order, order)])
        assert 1 <= found <= k and found % 2 == k % 2  # an even number of edges cannot be changed by an odd one


# --- the table

FORMS = {
    "edges": ["0-1 0-2 1-3 2-3", "0-1,1-2"],
    "bits": ["110011", "101"],
    "matrix": ["[[0,1,1,0],[0,0,0,1],[0,0,0,1],[0,0,0,0]]", "[[0,1,0],[0,0,1],[0,0,0]]"],
}
NAMES = {
    "spaces": ["in conv pool out", "in conv out"],
    "json": ['["in", "conv", "pool", "out"]', '["in","conv","out"]'],
}


def _write(folder: Path, text: str, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def _rows(*rows: tuple[str, str, str]) -> str:
    return pd.DataFrame(rows, columns=["operations", "adjacency", "accuracy"]).to_csv(index=False)


def _open(path: Path) -> OwnBenchmark:
    return from_table(path, metrics={"accuracy": ACCURACY})


@pytest.mark.parametrize("operations", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("adjacency", FORMS.values(), ids=FORMS)
def test_every_form_of_a_row_gives_the_same_cell(tmp_path: Path, operations: list[str], adjacency: list[str]):
    text = _rows(*zip(operations, adjacency, ["91.5", "90"], strict=True))
    bench = _open(_write(tmp_path, text))
    assert list(bench.space.all()) == [
        Cell(("in", "conv", "pool", "out"), ((0, 1), (0, 2), (1, 3), (2, 3))),
        Cell(("in", "conv", "out"), ((0, 1), (1, 2))),
    ]
    column = Column("t", "accuracy", "valid", 10, MEAN)
    assert bench.known_columns() == (column,)
    assert bench.query_many(np.array([0, 1]), column).tolist() == [91.5, 90.0]
    assert bench.title == "t.csv" and bench.name == bench.space.name == "own-t"


def test_a_cell_of_one_node_has_no_edges_to_write(tmp_path: Path):
    assert list(_open(_write(tmp_path, _rows(("a", "", "1")))).space.all()) == [Cell(("a",), ())]


def test_parquet_gives_what_csv_gives(tmp_path: Path):
    frame = _frame(CELLS)
    frame["operations"] = [list(cell.operations) for cell in CELLS]
    frame["adjacency"] = [cell.adjacency.tolist() for cell in CELLS]
    frame["accuracy"] = frame["accuracy"].astype("Float64")
    frame.to_parquet(tmp_path / "little.parquet")
    other = from_table(tmp_path / "little.parquet", metrics={"accuracy": ACCURACY, "edges": COUNT})
    pd.testing.assert_frame_equal(other.table(), Fixed().table())


def test_the_file_beside_the_table_describes_its_metrics(tmp_path: Path):
    path = _write(tmp_path, _rows(("a", "", "1"), ("b", "", "2")))
    described = {"accuracy": {"unit": "%", "higher_is_better": False, "epochs": 3, "dataset": "d", "trainings": 2}}
    _write(tmp_path, json.dumps(described), "t.json")
    column = Column("d", "accuracy", "valid", 3, MEAN)
    assert from_table(path).columns() == [column]
    assert from_table(str(path)).query(Cell(("b",), ()), **column.__dict__).n_seeds == 2
    assert from_table(path).optimum(column).value == 1
    _write(tmp_path, "accuracy: {unit: s, higher_is_better: true, split: device}", "t.yml")
    assert from_table(path).columns() == [Column("t", "accuracy", "device", 0, MEAN)]
    assert from_table(path).metrics["accuracy"].unit == "s"
    assert _open(path).columns() == [Column("t", "accuracy", "valid", 10, MEAN)], "what is given goes first"


def test_what_the_metrics_say_is_checked(tmp_path: Path):
    path = _write(tmp_path, _rows(("a", "", "1")))
    with pytest.raises(ParameterError, match=r"\(accuracy\).*t\.yml.*unit:"):
        from_table(path)
    for text, why in {
        "accuracy: {unit: s, higher_is_better: true}": r"accuracy: the split `valid` needs `epochs`",
        "accuracy: {unit: s, higher_is_better: true, split: model, epochs: 2}": "`model` has no `epochs`",
        "accuracy: {unit: s, higher_is_better: true, epochs: 2, unti: 3}": r"accuracy\.unti.*The fields are unit",
        "accuracy: {higher_is_better: true, epochs: 2}": r"accuracy\.unit: Field required",
        "accuracy: {unit: s, higher_is_better: yes please, epochs: 2}": r"accuracy\.higher_is_better",
        "accuracy: 3": r"accuracy: Input should be",
        "acuracy: {unit: s, higher_is_better: true, epochs: 2}": "`acuracy`.*Did you mean `accuracy`",
        "operations: {unit: s, higher_is_better: true, epochs: 2}": "no metric column `operations`",
        "- accuracy": "does not describe metrics by name",
        "{": "cannot be read",
        "{}": "at least one metric",
    }.items():
        _write(tmp_path, text, "t.yml")
        with pytest.raises(ParameterError, match=why):
            from_table(path)
    assert get_args(MetricSpec.model_fields["split"].annotation) == tuple(SPLITS)


@pytest.mark.parametrize(
    ("text", "why"),
    {
        "": "is empty. Its first line names the columns",
        "operations,adjacency,accuracy\n": "lists no architecture",
        "operations,accuracy\na,1\n": "no column `adjacency`; it has operations, accuracy",
        "operation,adjacency\na,1\n": "no column `operations`.*Did you mean `operation`",
        "operations,adjacency,accuracy,accuracy\na,,1,1\n": "two columns `accuracy`",
        _rows(("a b", "1", "1"), ("a b", "0-1 1", "2")): r"row 2: The adjacency '0-1 1' of 2 operations is none of",
        _rows(("a b", "10", "1")): "row 1: .*1 digits 0 or 1",
        _rows(("a b", "", "1")): "row 1: The adjacency '' of 2 operations",
        _rows(("a b", "[[0,1],[0]]", "1")): "row 1: .*2 x 2",
        _rows(("a b", "[[0,2],[0,0]]", "1")): "row 1: The adjacency",
        _rows(("a b", "[[0,1],[0,0]", "1")): "row 1: The adjacency",
        _rows(("a b", "0-1", "1"), ("a b", "1-0", "2")): r"row 2: .*topological order, not \(\(1, 0\),\)",
        _rows(("a b", "0-5", "1")): "row 1: .*topological order",
        _rows(("a b", "[[0,1],[1,0]]", "1")): r"row 1: .*\(1, 0\)",
        _rows(("a b", "[[1,1],[0,0]]", "1")): r"row 1: .*\(0, 0\)",
        _rows(("a b", "0-1 0-1", "1")): "row 1: .*distinct",
        _rows(("", "", "1")): "row 1: The operations ''",
        _rows(('["a"', "", "1")): "row 1: .*begin as JSON",
        _rows(("[3]", "", "1")): r"row 1: The operations of a cell are names, not \(3,\)",
        _rows(("a " * (MAX_NODES + 1), "0-1", "1")): "row 1: A cell has a tuple of 1 to 64 operations",
        _rows(("a", "", "1"), ("b", "", "good")): "row 2: `accuracy` is 'good', not a finite number",
        _rows(("a", "", "inf")): "row 1: `accuracy` is 'inf'",
        "operations,adjacency,accuracy\na,,1\nb,,2,3\n": "row 2: it has 4 fields, the header 3",
        'operations,adjacency,accuracy\n"a,,1\n': "no CSV file",
    }.items(),
)
def test_a_table_that_cannot_be_read_is_refused_with_the_row(tmp_path: Path, text: str, why: str):
    with pytest.raises(CorruptData, match=why):
        _open(_write(tmp_path, text))


def test_other_files_are_refused(tmp_path: Path):
    _frame(CELLS).to_parquet(tmp_path / "t.parquet")
    whole = (tmp_path / "t.parquet").read_bytes()
    (tmp_path / "t.parquet").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "latin.csv").write_bytes(_rows(("\u00e4", "", "1")).encode("latin-1"))
    (tmp_path / "folder.csv").mkdir()
    frame = pd.DataFrame({"operations": ["a b"], "adjacency": [1], "accuracy": [True]})
    frame.to_parquet(tmp_path / "number.parquet")
    frame.assign(adjacency="1").to_parquet(tmp_path / "boolean.parquet")
    expected: dict[str, tuple[type[NasreproError], str]] = {
        "t.parquet": (CorruptData, "no whole Parquet file"),
        "latin.csv": (CorruptData, "UTF-8"),
        "folder.csv": (StorageError, "Cannot read"),
        "number.parquet": (CorruptData, "row 1: The adjacency 1 of"),
        "boolean.parquet": (CorruptData, "row 1: `accuracy` is True"),
        "nowhere.csv": (MissingData, "There is no file"),
        "t.xlsx": (ParameterError, r"neither \.csv nor \.parquet"),
    }
    for name, (kind, why) in expected.items():
        with pytest.raises(kind, match=why):
            _open(tmp_path / name)


def test_isomorphic_rows_are_merged_where_they_agree_and_refused_where_not(tmp_path: Path):
    ab, ba = ("in a b out", "110011"), ("in b a out", "110011")
    rows = [(*ab, "91"), ("x", "", "3"), (*ba, ""), (*ba, "91")]
    bench = _open(_write(tmp_path, _rows(*rows)))
    assert bench.query_many(np.arange(2), bench.columns()[0]).tolist() == [91, 3]
    assert bench.space.rows([Cell(("in", "b", "a", "out"), ((0, 1), (0, 2), (1, 3), (2, 3)))]).tolist() == [0]
    rows[3] = (*ba, "90.5")
    with pytest.raises(CorruptData, match=r"rows 1 and 4 are the same architecture.*`accuracy` 91\.0 and 90\.5"):
        _open(_write(tmp_path, _rows(*rows)))
    spec = MetricSpec(unit="%", higher_is_better=True, epochs=200, repeated="mean")
    mean = from_table(_write(tmp_path, _rows(*rows)), metrics={"accuracy": spec})
    assert mean.query_many(np.arange(2), mean.columns()[0]).tolist() == [90.75, 3]
    missing = _open(_write(tmp_path, _rows(("a", "", ""), ("b", "", "NaN"), ("c", "", "1"))))
    with pytest.raises(UnknownQuery, match="not measured"):
        missing.query(Cell(("b",), ()), **missing.columns()[0].__dict__)


def test_a_written_table_gives_the_same_benchmark(tmp_path: Path):
    bench = Fixed()
    columns = {"accuracy": bench.columns()[0], "size": bench.columns()[1]}
    some = np.arange(5, bench.space.size, 3)
    for name in ("again.csv", "again.parquet"):
        again = from_table(write_table(tmp_path / name, bench, columns, some))
        assert list(again.space.all()) == [bench.space.from_index(row) for row in some.tolist()]
        for (metric, theirs), mine in zip(columns.items(), again.columns(), strict=True):
            assert mine == Column("little", metric, theirs.split, theirs.epochs, MEAN)
            rows = np.arange(len(some))
            np.testing.assert_array_equal(again.query_many(rows, mine), bench.query_many(some, theirs))
    with pytest.raises(ParameterError, match="choose one"):
        write_table(tmp_path / "again.txt", bench, columns)


def test_the_ledger_counts_labels_of_an_own_table():
    ledger, bench = Ledger(), Fixed()
    ledger.open(bench, bench.columns()[0], "me").read(np.array([0, 1, 1]), "train")
    assert (ledger.counts()[0]["distinct"], ledger.counts()[0]["reads"]) == (2, 3)


def _run_notebook(**given: object) -> dict[str, Any]:
    """Run the cells of the tutorial in this process, with parameters set where papermill would set them."""
    notebook = json.loads((ROOT / "notebooks" / "bring_your_own.ipynb").read_text(encoding="utf-8"))
    namespace: dict[str, Any] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), namespace)
            if "parameters" in cell["metadata"].get("tags", []):
                namespace |= given
    return namespace


def test_the_tutorial_runs_on_a_table_of_ones_own(tmp_path: Path):
    path = tmp_path / "mine.csv"
    write_table(path, Fixed(), dict(zip(("score", "edges"), Fixed().columns(), strict=True)))
    given = {"table": str(path), "accuracy": "score", "cost": "edges", "budget": 3.0, "top": 20.0}
    done = _run_notebook(**given, epochs=1, draws=40, reverse_steps=3)
    counts = {(c["reader"], c["purpose"], c["column"]): c for c in done["ledger"].counts()}
    for column, cut in (("little valid score, 10 epochs, mean over seeds", True), ("little model edges", False)):
        assert counts["dinas", "train", column]["distinct"] == SPACE.size
        assert (("dinas", "threshold", column) in counts) == cut
        assert counts["uniform", "report", column]["reads"] == 40
    assert list(done["lines"]) == ["dinas", "uniform"] and done["lines"]["uniform"]["valid"] == 1
    for line in done["lines"].values():
        assert 0 <= line["both"] <= min(line["edges <= 3"], line["top 20 % by score"]) <= line["valid"] <= 1


@pytest.mark.parametrize(
    ("given", "why"), [({"draw": 3}, "no parameter `draw`"), ({"top": 0.0}, "top="), ({"epochs": 1.5}, "epochs=")]
)
def test_the_tutorial_refuses_a_wrong_parameter_before_work(given: dict[str, object], why: str):
    with pytest.raises(ParameterError, match=why):
        _run_notebook(**given)


@pytest.mark.mirror
def test_the_cells_of_nas_bench_201_survive_as_an_own_table(mirror: Path, tmp_path: Path):
    from nasrepro.benchmarks.nb201 import NB201Benchmark

    bench = NB201Benchmark()
    column = Column("cifar10", "accuracy", "test", 200, MEAN)
    rows = np.random.default_rng(0).permutation(bench.space.size)[:1500]
    own = from_table(write_table(tmp_path / "cells.csv", bench, {"accuracy": column}, rows))
    assert own.columns() == [column] and own.space.size == 1500
    np.testing.assert_array_equal(own.query_many(np.arange(1500), column), bench.query_many(rows, column))
    theirs, mine = (space.encode_rows(r) for space, r in ((bench.space, rows), (own.space, np.arange(1500))))
    pairs = [isomorphic_by_name(theirs, bench.space.node_classes, mine, own.space.node_classes, i) for i in range(20)]
    assert all(pairs)
    listed = set(rows.tolist())
    found = 0
    for k, row in enumerate(rows[:50].tolist()):
        theirs = {bench.space.index(cell) for cell in bench.space.neighbours(bench.space.from_index(row))} & listed
        assert set(rows[own.space.rows(own.space.neighbours(own.space.from_index(k)))].tolist()) == theirs
        found += len(theirs)
    assert found > 50


def isomorphic_by_name(a, names_a, b, names_b, index: int) -> bool:
    """Return whether two graphs are the same with the names of their operations as labels."""
    graphs = [labelled_digraph(graphs, index) for graphs in (a, b)]
    for graph, names in zip(graphs, (names_a, names_b), strict=True):
        for node in graph.nodes.values():
            node["label"] = names[node["label"]]
    return isomorphic(*graphs)
