"""The package as a tool: own spaces and labels, a fit that knows whether it has learnt, searches, files, exports."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import own_tables
import pytest
import torch
from conformance import GraphSpaceLaws
from typer.testing import CliRunner

import nasrepro as nr
from nasrepro import experiments
from nasrepro.cli import results
from nasrepro.cli.app import app
from nasrepro.errors import InvalidArchitecture, ParameterError, UnknownQuery
from nasrepro.predictors.regressors import BoostedTrees, GPPredictor
from nasrepro.spaces.cells import Cell, edited, invariants, key
from nasrepro.spaces.own import OwnSpace
from nasrepro.tool.condition import Bound, Condition
from nasrepro.tool.optimise import METHODS
from nasrepro.tool.report import verdict

CHAIN = nr.space("chain", operations=["alpha", "beta", "gamma"], nodes=10, edges="chain")
FREE = nr.space("free", operations=["alpha", "beta"], nodes=(4, 6), most_edges=9, first=None, last=None)


def count(cell: Cell) -> float:
    """Alphas, and twice the betas that follow one."""
    pairs = zip(cell.operations, cell.operations[1:], strict=False)
    return cell.operations.count("alpha") + 2.0 * sum(pair == ("alpha", "beta") for pair in pairs)


@pytest.fixture(scope="module")
def model():
    good = Condition("good", "value", top=0.1)
    return nr.fit(nr.benchmark(count, CHAIN), [good], preset="quick", labelled=80, seed=1)


# --- cells and spaces


class TestFreeLaws(GraphSpaceLaws):
    space = FREE
    many = 300
    samples = 120
    few = 8


class TestChainLaws(GraphSpaceLaws):
    space = CHAIN
    many = 300
    samples = 120
    few = 4


def _relabelled(cell: Cell, rng: np.random.Generator) -> Cell:
    """The same cell, its nodes in another topological order."""
    left, order = set(range(len(cell.operations))), []
    while left:
        ready = [k for k in left if not any(j == k and i in left for i, j in cell.edges)]
        order.append(ready[int(rng.integers(len(ready)))])
        left.remove(order[-1])
    place = {old: new for new, old in enumerate(order)}
    edges = tuple(sorted((place[i], place[j]) for i, j in cell.edges))
    return Cell(tuple(cell.operations[k] for k in order), edges)


@pytest.mark.parametrize("nodes", [6, 12, 13, 64])
def test_the_same_cell_has_one_key_however_its_nodes_are_numbered_and_its_edits_have_others(nodes: int):
    rng = np.random.default_rng(nodes)
    space = nr.space(operations=["a", "b", "c"], nodes=nodes)
    cells = [space.sample(rng) for _ in range(5)]
    others = [_relabelled(cell, rng) for cell in cells]
    assert np.array_equal(invariants(cells), invariants(others))
    assert [key(cell) for cell in cells] == [key(cell) for cell in others]
    for cell in cells[:2]:
        near = list(edited(cell, space.node_classes))[::nodes]
        assert key(cell) not in {key(other) for other in near}
        assert np.array_equal(invariants(near), np.array([invariants([other])[0] for other in near]))


@pytest.mark.parametrize("space", [CHAIN, FREE])
def test_a_declared_space_draws_encodes_reads_and_edits_its_cells(space):
    rng = np.random.default_rng(0)
    cells = [space.sample(rng) for _ in range(50)]
    assert space.decode(space.encode(cells)) == cells
    assert [space.from_string(space.to_string(cell)) for cell in cells] == cells
    for cell in cells[:5]:
        near = space.neighbours(cell)
        assert near and all(space.is_valid(other) for other in near)
        assert len({space.key(other) for other in near} - {space.key(cell)}) == len(near)
        assert {space.distance(cell, other) for other in near} == {1}


def test_what_a_declared_space_does_not_hold_is_refused_with_its_kind():
    cell = CHAIN.sample(np.random.default_rng(0))
    for wrong, kind in (
        (cell._replace(edges=cell.edges[1:]), "rule"),
        (cell._replace(operations=("input", "delta", *cell.operations[2:])), "operations"),
        (cell._replace(operations=cell.operations[1:]), "edges"),
    ):
        with pytest.raises(InvalidArchitecture) as caught:
            CHAIN.check(wrong)
        assert caught.value.kind == kind
    for wrong in ({"operations": [], "nodes": 3}, {"operations": ["a"], "nodes": 65}, {"operations": ["a"]}):
        with pytest.raises(ParameterError):
            nr.space(**wrong)
    with pytest.raises(ParameterError, match="declares no kind"):
        nr.space(operations=["a"], nodes=3, kinds={"a": "sorcery"})
    with pytest.raises(InvalidArchitecture, match="None of 10,000"):
        nr.space(operations=["a"], nodes=3, valid=lambda cell: False).sample(np.random.default_rng(0))


def test_a_space_is_given_by_functions_of_architectures_of_ones_own():
    def cell(text: str) -> Cell:
        names = ("input", *(f"op{letter}" for letter in text), "output")
        return Cell(names, tuple((i, i + 1) for i in range(len(names) - 1)))

    def word(given: Cell) -> str | None:
        text = "".join(name[2:] for name in given.operations[1:-1])
        return text if len(text) == 4 and given == cell(text) else None

    words = nr.space(
        "words", sample=lambda rng: "".join(rng.choice(list("xyz"), 4)), encode=cell, decode=word,
        operations=["input", "output", "opx", "opy", "opz"], nodes=6,
    )  # fmt: skip
    assert words.decode(words.encode(["xyzx", "zzzz"])) == ["xyzx", "zzzz"]
    found = nr.optimise("evolution", nr.benchmark(lambda word: word.count("z"), words), 60)
    assert found.value >= 3 and found.best.count("z") == found.value


def test_a_table_of_a_hundred_nodes_times_a_thousand_rows_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from nasrepro.benchmarks import own

    table = own_tables.TABLES["large"]
    first, _ = own_tables.write(table, tmp_path / "cells.csv", 0, 300)
    monkeypatch.setattr(own, "_parsed", lambda *_: pytest.fail("it was parsed again"))
    again = own.from_table(tmp_path / "cells.csv", metrics=own_tables.specs(table))
    assert list(again.space.all()) == list(first.space.all())
    assert again.table().equals(first.table())
    assert again.space.rows(list(first.space.all())).tolist() == list(range(300))


# --- conditions and verdicts


def test_a_condition_is_one_bound_and_becomes_a_cut_that_is_wanted_itself():
    values = np.array([1.0, 2.0, 3.0, 4.0, np.nan])
    assert Condition("c", "m", at_least=3).bound(values, True)(values).tolist() == [False, False, True, True, False]
    assert Condition("c", "m", at_most=2).bound(values, True) == Bound(2.0, False)
    assert Condition("c", "m", top=0.25).bound(values, True)(values).sum() == 1
    assert Condition("c", "m", top=0.5).bound(values, False)(values).tolist() == [True, True, False, False, False]
    for wrong in ({}, {"at_least": 1.0, "top": 0.1}, {"top": 1.0}):
        with pytest.raises(ParameterError):
            Condition("c", "m", **wrong)
    with pytest.raises(UnknownQuery, match="no column `m`"):
        nr.fit(nr.benchmark(count, CHAIN), [Condition("c", "m", top=0.1)])


def test_a_verdict_says_why_not():
    good = {
        "labels": 300,
        "wanted": 15,
        "fewest_wanted": 15,
        "pvalue": 1e-9,
        "chance": 0.05,
        "share": 0.4,
        "valid": 1.0,
    }
    assert verdict(**good) == (True, "")
    for change, why in (
        ({"labels": 20}, "too few labels"), ({"fewest_wanted": 2}, "too few labels"), ({"pvalue": 0.2}, "by chance"),
        ({"share": 0.08}, "hardly more often"),
        ({"wanted": 0, "share": 0.1}, "no labelled cell meets all"), ({"valid": 0.001}, "of the graphs are cells"),
    ):  # fmt: skip
        learnt, reason = verdict(**(good | change))
        assert not learnt and why in reason


# --- fit, sample, files


def test_a_fit_learns_its_class_and_its_samples_are_new_cells_of_the_space(model):
    drawn = model.sample(200)
    cut = model.bounds[0].cut
    assert model.report.learnt and str(model.report).startswith("learnt: ")
    assert len(drawn) == 200 and drawn.new.all() and all(map(CHAIN.is_valid, drawn.archs))
    assert drawn.invalid == {}  # the space fixes the edges
    assert np.mean([count(cell) >= cut for cell in drawn.archs]) > 5 * model.report.chance
    assert model.report.labels == 80 and drawn.frame().shape == (200, 2)
    distinct = model.sample(30, distinct=True)
    assert len({CHAIN.key(cell) for cell in distinct.archs}) == 30


def test_a_saved_model_is_refused_where_the_space_does_not_fit(model, tmp_path: Path):
    path = model.save(tmp_path / "model.safetensors")
    again = nr.load(path, CHAIN)
    assert again.report == model.report and again.bounds == model.bounds and again.conditions == model.conditions
    assert again.sample(20).archs == model.sample(20).archs
    with pytest.raises(ParameterError, match="give it"):
        nr.load(path)
    with pytest.raises(ParameterError, match="another space"):
        nr.load(path, FREE)


def test_a_fit_refuses_what_it_cannot_do():
    benchmark = nr.benchmark(count, CHAIN)
    good = Condition("good", "value", top=0.1)
    for call in (lambda: nr.fit(benchmark, []), lambda: nr.fit(benchmark, [good], preset="autp"),
                 lambda: nr.fit(benchmark, [good], labelled=5), lambda: nr.benchmark(count)):  # fmt: skip
        with pytest.raises(ParameterError):
            call()


@pytest.mark.slow
def test_where_all_labels_were_read_samples_are_known_cells():
    short = nr.space(operations=["alpha", "beta", "gamma"], nodes=6, edges="chain")
    space = OwnSpace({short.sample(np.random.default_rng(k)) for k in range(400)})
    good = Condition("good", "value", top=0.2)
    model = nr.fit(nr.benchmark(count, space), [good], "quick", labelled=np.arange(space.size))
    drawn = model.sample(30)
    assert len(drawn) == 30 and not drawn.new.any() and model.report.learnt
    assert model.sample(5, new=True, most_draws=64).archs == []


@pytest.mark.slow
@pytest.mark.parametrize(("name", "most"), [("conflict", 2_000), ("places", 3_000), ("noise", 2_000), ("small", None)])
def test_a_fit_says_whether_an_own_table_can_be_learnt(name: str, most: int | None):
    found = own_tables.attempt(name, 0, "quick", most)
    assert found["learnt"] == own_tables.TABLES[name].learnable
    assert found["new"] == 1.0
    if found["learnt"]:
        assert found["share"] >= min(0.9, 5 * found["chance"])


@pytest.mark.slow
@pytest.mark.skipif("not config.getoption('-m')", reason="an hour on two cores: asked for with -m slow")
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", own_tables.TABLES)
def test_a_fit_says_of_every_own_table_whether_it_can_be_learnt(name: str, seed: int):
    found = own_tables.attempt(name, seed)
    assert found["learnt"] == own_tables.TABLES[name].learnable and found["seconds"] < 600
    if found["learnt"]:
        assert found["share"] >= min(0.9, 5 * found["chance"])


@pytest.mark.slow
def test_cells_of_64_nodes_fit_and_sample():
    ladder = [(i, j) for i in range(63) for j in (i + 1, i + 8) if j < 64]
    space = nr.space(operations=["a", "b"], nodes=64, edges=ladder)
    model = nr.fit(
        nr.benchmark(lambda cell: cell.operations.count("a"), space), [Condition("many", "value", top=0.2)],
        preset="quick", labelled=60,
    )  # fmt: skip
    drawn = model.sample(20)
    assert len(drawn) == 20 and drawn.invalid == {} and all(len(cell.operations) == 64 for cell in drawn.archs)


# --- searches, predictors, differences


@pytest.mark.parametrize("space", [CHAIN, FREE], ids=["chain", "free"])
@pytest.mark.parametrize("method", METHODS)
def test_every_search_runs_on_operations_that_nobody_knows(method: str, space):
    benchmark = nr.benchmark(count, space)
    if method == "reinforce":
        with pytest.raises(UnknownQuery, match="no code of fixed length"):
            nr.optimise(method, benchmark, 5)
        return
    found = nr.optimise(method, benchmark, 24, seed=1)
    assert found.value == count(found.best) == found.history["value"].max()
    assert sum(line["distinct"] for line in found.labels) <= 24
    search = nr.searcher(method, space)
    for _ in range(4):
        cells = search.ask(6)
        search.tell(cells, [count(cell) for cell in cells])
    assert search.best[1] == count(search.best[0])


@pytest.mark.parametrize("predictor", [GPPredictor, BoostedTrees])
def test_every_predictor_learns_on_operations_that_nobody_knows(predictor):
    from nasrepro.encodings.tabular import tabular_features

    rng = np.random.default_rng(0)
    cells = [CHAIN.sample(rng) for _ in range(120)]
    values = np.array([count(cell) for cell in cells])
    features = tabular_features(CHAIN)(CHAIN.encode(cells))
    model = predictor()
    model.fit(features[:80], values[:80])
    assert np.corrcoef(model.predict(features[80:]), values[80:])[0, 1] > 0.5


def test_less_is_searched_for_where_less_is_better():
    benchmark = nr.benchmark(lambda cell: {"cost": count(cell)}, CHAIN, metrics={"cost": False})
    found = nr.optimise("evolution", benchmark, 60)
    assert found.value == count(found.best) == -found.history["value"].max()


def test_a_fitted_model_is_a_search(model):
    found = nr.optimise(model, nr.benchmark(count, CHAIN), 20)
    assert found.value >= model.bounds[0].cut


def test_a_difference_has_the_sign_of_the_gain():
    fitted = nr.difference(nr.benchmark(count, CHAIN), "value", labelled=60)
    rng = np.random.default_rng(5)
    a, b = ([CHAIN.sample(rng) for _ in range(100)] for _ in range(2))
    gain = np.array([count(y) - count(x) for x, y in zip(a, b, strict=True)])
    assert fitted.labels == 60 and np.corrcoef(fitted.gain(a, b), gain)[0, 1] > 0.5


def test_operations_are_of_the_kind_that_the_space_declares():
    from nasrepro.encodings.structure import operation_kinds

    space = nr.space(operations=["blur", "wave"], nodes=4, kinds={"blur": "conv"})
    assert dict(zip(space.node_classes, operation_kinds(space.node_classes), strict=True)) == {
        "blur": "conv", "wave": "other", "input": "input", "output": "output"
    }  # fmt: skip
    listed = OwnSpace([space.sample(np.random.default_rng(0))], kinds={"input": "none"})
    assert "none" in operation_kinds(listed.node_classes)


# --- export, command line, example


def test_an_exported_cell_is_a_module_that_needs_torch_alone(tmp_path: Path):
    cell = FREE.sample(np.random.default_rng(0))
    text = nr.export(cell, FREE, to="torch", modules={"alpha": "nn.Conv2d(c, c, 1)"})
    assert "nasrepro" not in text.partition('"""\n')[2]
    (tmp_path / "cell.py").write_text(text)
    spec = importlib.util.spec_from_file_location("exported", tmp_path / "cell.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.Network(channels=4, cells=2, classes=5)(torch.zeros(2, 3, 8, 8)).shape == (2, 5)
    assert list(cell.operations) == module.OPERATIONS and tuple(module.EDGES) == cell.edges
    content = json.loads(nr.export(cell, FREE))
    assert FREE.from_string(content["arch"]) == cell
    assert nr.export(cell, FREE, to="pyg").num_nodes == len(cell.operations)
    with pytest.raises(ParameterError):
        nr.export(cell, FREE, to="onnx")


def test_the_command_line_tells_the_best_and_exports_them(tmp_path: Path, model):
    table = own_tables.TABLES["small"]
    benchmark, _ = own_tables.write(table, tmp_path / "t.csv", 0)
    (tmp_path / "t.yml").write_text("score: {unit: '1', higher_is_better: true, split: model}\n")
    run, source = CliRunner(), f"own:{tmp_path / 't.csv'}"
    found = json.loads(run.invoke(app, ["top", source, "-k", "3", "--json"]).stdout)
    best = benchmark.optimum(benchmark.columns()[0])
    assert found["best"][0]["arch"] == best.arch and found["best"][0]["value"] == best.value and len(found["best"]) == 3
    text = run.invoke(app, ["export", best.arch, "--space", source, "--to", "torch"]).stdout
    assert "class Network" in text
    told = json.loads(run.invoke(app, ["doctor", "--json"]).stdout)
    assert told["nasrepro"] == nr.__version__ and "nb201" in told["benchmarks"]


def test_machines_read_data_records_and_queries():
    run = CliRunner()
    status, listed = (json.loads(run.invoke(app, [*c, "--json"]).stdout) for c in (["data", "status"], ["records"]))
    assert {"file", "here", "command"} <= status[0].keys() and {"key", "parameters"} <= listed[0].keys()


@pytest.mark.parametrize("name", experiments.NAMES)
def test_a_run_tells_its_figures_before_where_they_come_from(name: str):
    records = nr.records(name)
    if not records:
        pytest.skip(f"no run of {name} came with the book")
    told = [line for line in results.lines(records[0].metrics) if re.search(r"\d", line)]
    assert told


def test_parameters_are_described_with_types_choices_bounds_and_the_values_of_the_profile():
    from nasrepro.cli.tool import described

    parameters = experiments.load("nb201").parameters
    lines = {profile: "\n".join(described(parameters, profile)) for profile in ("smoke", "laptop")}
    assert "dataset = cifar10  (cifar10 | cifar100 | imagenet16-120)" in lines["laptop"]
    assert re.search(r"trainings = \d+  \(int, >= 1, <= 100\)", lines["laptop"]) and lines["smoke"] != lines["laptop"]


@pytest.mark.slow
def test_the_thirty_lines_run(tmp_path: Path):
    script = Path(__file__).parent.parent / "examples" / "thirty_lines.py"
    lines = [x for x in script.read_text().splitlines() if x and not x.startswith(('"""', "import", "from"))]
    assert len(lines) <= 30
    done = subprocess.run(
        [sys.executable, script, "--quick"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "loaded: 5 cells" in done.stdout and "exported: torch.Size([2, 10])" in done.stdout
