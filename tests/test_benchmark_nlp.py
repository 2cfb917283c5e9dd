"""NAS-Bench-NLP behind the benchmark contract: values on every row, diverged trainings, damaged files, surrogate."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest

from nasrepro.benchmarks.base import MEAN, Column
from nasrepro.benchmarks.nlp import LOGS, NLPBenchmark, parameters
from nasrepro.benchmarks.raw import nlp as nlp_files
from nasrepro.benchmarks.raw.nlp import ALL_RECIPES, PROXIES, row_of_recipe
from nasrepro.benchmarks.raw.reading import json_files
from nasrepro.benchmarks.surrogates import nlp_features
from nasrepro.errors import CorruptData, InvalidArchitecture, UnknownQuery
from nasrepro.spaces.nlp.cell import LINEAR, N_INPUTS, SIGM, SUM, TANH, Cell, reordered
from nasrepro.spaces.nlp.recipes import locate, published_recipes
from nasrepro.spaces.nlp.space import NLP
from tests.conformance import BenchmarkLaws

LOSS, PERPLEXITY, DIVERGED = (Column("ptb", m, "test", 50, MEAN) for m in ("loss", "perplexity", "diverged"))
PARAMETERS = Column("ptb", "parameters", "model", 0, MEAN)
SURROGATE = Column("ptb", "surrogate_loss", "surrogate", 50, MEAN)
RNN = Cell((LINEAR, TANH), ((0, 1), (4,)), (5,), 0)


class TestLaws(BenchmarkLaws):
    benchmark = NLPBenchmark
    optima: ClassVar[dict[Column, float]] = {PERPLEXITY: 84.411, LOSS: 4.436, PARAMETERS: 5.732}


@pytest.fixture(scope="module")
def bench(mirror: Path) -> NLPBenchmark:
    """The benchmark of all recipes, whatever their size."""
    return NLPBenchmark(ALL_RECIPES)


@pytest.fixture(scope="module")
def cells() -> list[Cell]:
    return [ALL_RECIPES.from_string(text) for text in published_recipes()["recipe"]]


@pytest.fixture(scope="module")
def expected(oracle: Path) -> pd.DataFrame:
    return pd.read_parquet(oracle / "nasbench_nlp_multirun.parquet")


@pytest.mark.mirror
def test_every_training_equals_the_independent_table(mirror: Path, expected: pd.DataFrame):
    logged = nlp_files.trainings(mirror / "nlp_rnn_parameters.csv")
    found, there = np.full((4_735, 3), np.nan), np.zeros((4_735, 3), dtype=bool)
    found[logged["recipe"], logged["run"]] = logged["loss"]
    there[logged["recipe"], logged["run"]] = True
    table = expected[[f"ptb_test_loss_run{run}" for run in range(3)]].to_numpy(dtype=float).copy()
    np.testing.assert_array_equal(there, expected[[f"ptb_logged_run{run}" for run in range(3)]].to_numpy(dtype=bool))
    # The file lists ten trainings again without values; the independent table forgot their losses.
    differ = np.argwhere(np.isnan(table) != np.isnan(found))
    assert len(differ) == 10 and not np.isnan(found[tuple(differ.T)]).any()
    others = np.nanmean(np.where(np.isnan(table), np.nan, found)[differ[:, 0]], axis=1)
    assert np.nanmax(np.abs(found[tuple(differ.T)] - others)) < 0.05  # and agree with the other runs of their recipes
    table[tuple(differ.T)] = found[tuple(differ.T)]
    np.testing.assert_array_equal(found, table)
    finite = np.isfinite(found).sum(axis=1)
    assert ((finite > 0).sum(), (finite == 3).sum()) == (3_496, 3_225)  # ten more than the independent table


@pytest.mark.mirror
def test_parameters_of_every_labelled_recipe_are_counted_right(mirror: Path, cells: list[Cell]):
    logged = nlp_files.trainings(mirror / "nlp_rnn_parameters.csv")
    assert logged["recipe"].nunique() == 4_244 and logged["parameters"].notna().all()
    counted = parameters(cells)[logged["recipe"]] * 1e6
    np.testing.assert_allclose(counted, logged["parameters"], rtol=0, atol=0.01)
    logs = [log for _, log in json_files(mirror / "nlp_wikitext2_logs.zip") if log["recepie_id"] >= 1_000_003]
    rows, _ = locate(np.array([log["recepie_id"] for log in logs]))
    counted = parameters([cells[row] for row in rows], "wikitext-2") * 1e6
    np.testing.assert_allclose(counted, [log["num_params"] for log in logs], rtol=0, atol=0.01)


@pytest.mark.mirror
def test_every_column_is_the_mean_over_the_trainings_of_a_cell(mirror: Path, bench: NLPBenchmark, cells: list[Cell]):
    logged = nlp_files.trainings(mirror / "nlp_rnn_parameters.csv")
    logged["key"] = [ALL_RECIPES.key(cells[row]) for row in logged["recipe"]]
    distinct = {ALL_RECIPES.key(cell): cell for cell in cells}
    keys, archs = list(distinct), list(distinct.values())
    assert len(keys) == bench.listing.size == 3_762
    for seed in (0, 1, 2, MEAN):
        of_seed = logged if seed == MEAN else logged[logged["run"] == seed]
        means = of_seed.groupby("key")["loss"].mean().reindex(keys)
        np.testing.assert_allclose(bench.query_many(archs, Column("ptb", "loss", "test", 50, seed)), means)
        perplexities = of_seed.assign(p=np.exp(of_seed["loss"])).groupby("key")["p"].mean().reindex(keys)
        np.testing.assert_allclose(bench.query_many(archs, Column("ptb", "perplexity", "test", 50, seed)), perplexities)
    share = logged["loss"].isna().groupby(logged["key"]).mean().reindex(keys)
    np.testing.assert_allclose(bench.query_many(archs, DIVERGED), share)
    many = logged.groupby("key")["loss"].count().idxmax()
    assert bench.query(distinct[many], **LOSS.__dict__).n_seeds == logged.groupby("key")["loss"].count().max() > 3


@pytest.mark.mirror
def test_zero_cost_metrics_equal_the_independent_table(bench: NLPBenchmark, cells: list[Cell], expected: pd.DataFrame):
    for name in PROXIES:
        table = expected[f"zc_{name}"].groupby(row_of_recipe()).mean()
        archs = [bench.listing.from_index(row) for row in table.index]
        found = bench.query_many(archs, Column("ptb", name, "proxy", 0, MEAN))
        # means over logs and means over recipes differ where runs do, and by the rounding of sums
        close = np.isclose(found, table.to_numpy(), rtol=1e-6, equal_nan=True)
        assert close.mean() > 0.99 and np.array_equal(np.isnan(found), table.isna()), name


@pytest.mark.mirror
def test_learning_curves_equal_the_independent_table(bench: NLPBenchmark, cells: list[Cell], expected: pd.DataFrame):
    rows = row_of_recipe()
    compared = 0
    for row, test, valid in zip(rows, expected["wt2_test_losses"], expected["wt2_val_losses"], strict=True):
        cell = bench.listing.from_index(int(row))
        if test is None or bench.query(cell, **_curve("test", 1)).n_seeds > 1 or len(test) < 50:
            continue
        asked = [
            bench.query(cell, **_curve(split, epoch)).value for split in ("test", "valid") for epoch in (1, 20, 50)
        ]
        assert asked == [*np.array(test)[[0, 19, 49]], *np.array(valid)[[0, 19, 49]]]
        compared += 1
        if compared == 40:
            break
    assert compared == 40
    result = bench.query(RNN, **_curve("valid", 50))
    assert result.n_seeds == 3  # the plain RNN: from the list twice, and as an example of the authors
    assert bench.query(RNN, **_curve("valid", 1)).cost_s == pytest.approx(result.cost_s / 50, rel=0.05)


def _curve(split: str, epoch: int) -> dict[str, Any]:
    return Column("wikitext-2", "loss", split, epoch, MEAN).__dict__


@pytest.mark.mirror
def test_a_cell_without_loss_says_whether_it_diverged_or_was_not_trained(bench: NLPBenchmark):
    table = bench.table([LOSS, DIVERGED])
    diverged = bench.arch(str(table.index[(table[str(DIVERGED)] == 1).argmax()]))
    with pytest.raises(UnknownQuery, match=r"its \d+ logged trainings did not end with a finite loss"):
        bench.query(diverged, **LOSS.__dict__)
    assert bench.query(diverged, **DIVERGED.__dict__).value == 1
    second = Column("ptb", "loss", "test", 50, 1)  # no training in the second pass, but in another
    frame = LOGS.load(bench.listing.size)
    row = int(frame["row"][frame["n_finite1"].isna().argmax()])
    with pytest.raises(UnknownQuery, match="not measured"):
        bench.query(bench.listing.from_index(row), **second.__dict__)
    untrained = bench.arch(str(table.index[table[str(DIVERGED)].isna().argmax()]))
    with pytest.raises(UnknownQuery, match="not measured"):
        bench.query(untrained, **LOSS.__dict__)
    unlisted = Cell((LINEAR, SIGM, TANH, SIGM), ((0, 1), (4,), (5,), (6,)), (7,), 0)
    with pytest.raises(UnknownQuery, match=r"it was not trained there\. Ask for .*surrogate_loss"):
        bench.query(unlisted, **LOSS.__dict__)
    assert np.isnan(bench.query_many([unlisted, diverged], LOSS)).all()
    assert bench.query(unlisted, **SURROGATE.__dict__).value > 4.4


@pytest.mark.mirror
def test_cells_beyond_the_node_limit_are_left_out(mirror: Path, bench: NLPBenchmark):
    small = NLPBenchmark()
    assert (len(small.table([LOSS])), len(bench.table([LOSS]))) == (2_523, 3_762)
    outside = next(c for c in map(bench.listing.from_index, range(3_762)) if len(c.operations) > 8)
    for column in (LOSS, PARAMETERS, SURROGATE):
        with pytest.raises(InvalidArchitecture, match="cells of 1 to 8"):
            small.query(outside, **column.__dict__)
        with pytest.raises(InvalidArchitecture, match="cells of 1 to 8"):
            small.query_many([RNN, outside], column)
    assert small.optimum(LOSS) == bench.optimum(LOSS)


@pytest.mark.mirror
def test_much_of_the_loss_depends_on_which_state_is_the_output(bench: NLPBenchmark):
    """Why the graph form says it: cells that differ in nothing else, against trainings that differ in the seed."""
    archs = [bench.listing.from_index(row) for row in range(bench.listing.size)]
    loss = dict(zip(archs, bench.query_many(archs, LOSS), strict=True))
    seeds = np.stack([bench.query_many(archs, Column("ptb", "loss", "test", 50, s)) for s in (0, 1)])
    between_seeds = np.nanmedian(np.abs(seeds[0] - seeds[1]))
    pairs = [
        abs(loss[cell] - loss[other])
        for cell in archs
        for other in (ALL_RECIPES.canonical(cell._replace(output=k)) for k in range(cell.output))
        if other in loss and np.isfinite(loss[cell] - loss[other])
    ]
    assert len(pairs) >= 10 and np.median(pairs) > 10 * between_seeds


def test_features_do_not_depend_on_the_order_of_nodes_and_tell_cells_apart(cells: list[Cell]):
    rng = np.random.default_rng(0)
    some = [cells[i] for i in rng.choice(len(cells), 60, replace=False)]
    shuffled = [_shuffled(cell, rng) for cell in some]
    assert sum(a != b for a, b in zip(some, shuffled, strict=True)) > 20
    found = nlp_features.features(some)
    np.testing.assert_array_equal(nlp_features.features(shuffled), found)
    assert found.shape == (60, sum(nlp_features.GROUPS))
    assert len(np.unique(found, axis=0)) == len({ALL_RECIPES.key(cell) for cell in some})
    assert nlp_features.features([]).shape == (0, sum(nlp_features.GROUPS))


def test_features_count_what_they_say():
    # h_new_0 = tanh(linear(x, h_0)); h_new_1 = sigm(linear(h_new_0, h_1)), the output
    cell = NLP.canonical(Cell((LINEAR, TANH, LINEAR, SIGM), ((0, 1), (4,), (2, 5), (6,)), (5, 7), 1))
    routes = nlp_features._routes(cell, 0)
    assert routes[7] == [True, 1, 4, 4, 2, False, False, False, False]
    assert nlp_features._routes(cell, 2)[5] == nlp_features._UNREACHED
    assert nlp_features._growth(cell)[5] == (True, 0) and nlp_features._growth(cell)[4] == (False, 1)
    structure = nlp_features._structure(cell)
    assert structure[:9] == [2, 4, 1, 1, 0, 0, 0, 2, 0] and structure[9:14] == [0, 1, 1, 1, 1]
    assert structure[-4:] == [0, 1, 2, 2]
    swapped = nlp_features._structure(cell._replace(output=0))
    assert swapped != structure and swapped[:9] == structure[:9]
    paths = nlp_features._paths(cell)
    assert paths.sum() == 2 + 1 + 2  # to tanh, to the second linear, to sigm


def _shuffled(cell: Cell, rng: np.random.Generator) -> Cell:
    order: list[int] = []
    left = set(range(N_INPUTS, N_INPUTS + len(cell.operations)))
    while left:
        ready = sorted(v for v in left if set(cell.inputs[v - N_INPUTS]) <= {*range(N_INPUTS), *order})
        order.append(ready[rng.integers(len(ready))])
        left.remove(order[-1])
    return reordered(cell, order)


@pytest.mark.mirror
@pytest.mark.slow
def test_the_surrogate_is_worth_what_it_says(bench: NLPBenchmark):
    figures = bench.surrogate.figures
    assert figures["loss"].kendall_tau > 0.7 and figures["loss"].r2 > 0.75 and figures["loss"].labels > 2_800
    assert abs(figures["loss"].coverage - 0.95) < 0.02
    assert figures["one_hot_ridge"].kendall_tau < figures["loss"].kendall_tau - 0.2
    assert figures["diverged"].r2 > 0.6
    facts = bench.facts()
    assert facts["surrogate loss: kendall_tau"] == figures["loss"].kendall_tau and json.dumps(facts)
    fresh = NLPBenchmark(ALL_RECIPES)  # from the cache
    assert fresh.facts() == facts
    some = [bench.listing.from_index(row) for row in range(0, 3_762, 40)]
    std = bench.query_many(some, Column("ptb", "surrogate_std", "surrogate", 50, MEAN))
    assert (std > 0).all()
    np.testing.assert_array_equal(fresh.query_many(some, SURROGATE), bench.query_many(some, SURROGATE))


@pytest.mark.mirror
def test_the_surrogate_warns_of_extrapolation_and_of_divergence(bench: NLPBenchmark):
    usual = bench.query(RNN, **SURROGATE.__dict__)
    assert usual.note == "" and usual.source == "our surrogate"
    far = Cell((LINEAR, *[SUM] * 11, TANH), ((0, 1), *((1, node) for node in range(4, 15)), (15,)), (16,), 0)
    distance = bench.query(far, **Column("ptb", "surrogate_distance", "surrogate", 50, MEAN).__dict__)
    assert distance.value > 1 and "An extrapolation" in distance.note
    table = bench.table([DIVERGED])
    bad = bench.arch(str(table.index[(table[str(DIVERGED)] == 1).argmax()]))
    assert "of its trainings are predicted to diverge" in bench.query(bad, **SURROGATE.__dict__).note


@pytest.mark.parametrize(
    ("name", "build", "content"),
    [
        ("nlp_rnn_parameters.csv", nlp_files.penn_treebank_table, "a,b\n1,2\n"),
        ("nlp_rnn_parameters.csv", nlp_files.penn_treebank_table, "log_stats_model_1000003_x.json,4.5\n"),
        ("nlp_rnn_parameters.csv", nlp_files.penn_treebank_table, "log_stats_model_7_x.json,4.5,9,9,1,1\n"),
        ("nlp_rnn_parameters.csv", nlp_files.penn_treebank_table, "log_stats_model_1000003_x.json,high,9,9,1,1\n"),
        ("nlp_rnn_results.csv", nlp_files.proxies_table, "log name,loss\nlog_stats_model_1000003_x.json,4.5\n"),
        ("nlp_rnn_results.csv", nlp_files.proxies_table, "log name,loss\nmodel,4.5\n"),
        ("nlp_wikitext2_logs.zip", nlp_files.wikitext_table, "no archive"),
    ],
)
def test_a_file_of_another_shape_is_refused(
    tmp_path: Path, name: str, build: Callable[[Path], pd.DataFrame], content: str
):
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(CorruptData, match=rf"{name} .*not"):
        build(path)


def test_logs_of_another_shape_are_refused(tmp_path: Path):
    path = tmp_path / "logs.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("log.json", json.dumps({"recepie": ALL_RECIPES.to_string(RNN), "test_losses": [1.0]}))
    with pytest.raises(CorruptData, match=r"does not hold the WikiText-2 logs"):
        nlp_files.wikitext_table(path)


def test_a_training_that_is_listed_again_keeps_its_loss(tmp_path: Path):
    path = tmp_path / "nlp_rnn_parameters.csv"
    again = "log_stats_model_1000003_a.json,nan,nan,nan,nan,nan\n"
    known = "log_stats_model_1000003_a.json,4.5,90,6,5731600,5731600"
    for text in (known + "\n" + again, again + known + "log name,loss\n" + again):
        path.write_text(text)
        logged = nlp_files.trainings(path)
        assert logged.to_dict("records") == [{"recipe": 0, "run": 0, "loss": 4.5, "parameters": 5_731_600.0}]
