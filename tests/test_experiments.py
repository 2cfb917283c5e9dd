"""The experiments beyond NAS-Bench-201: small real runs, their laws, and the tables made of them."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nasrepro import experiments
from nasrepro.benchmarks.base import MEAN, Column
from nasrepro.benchmarks.hw_nb201 import HWNB201Benchmark, device_column
from nasrepro.benchmarks.ledger import Ledger
from nasrepro.benchmarks.nb201 import NB201Benchmark
from nasrepro.diffusion.guidance import threshold_discretiser
from nasrepro.errors import MissingData, ParameterError
from nasrepro.experiments.dinas import generation
from nasrepro.experiments.dinas import hw as hardware
from nasrepro.experiments.dinas.generation import DinasParameters, Generation
from nasrepro.experiments.dinas.hw import ACCURACY
from nasrepro.files import paths
from nasrepro.files.storage import read_yaml
from nasrepro.report import cards
from nasrepro.report.dinas import table_1_2 as search_tables
from nasrepro.report.dinas import table_4
from nasrepro.runs import records
from nasrepro.runs.claims import metric_row
from nasrepro.runs.plan import Shown
from nasrepro.runs.printed import hardware_settings
from nasrepro.runs.protocols import labels_before, recorded_labels_before
from nasrepro.runs.records import Record
from nasrepro.runs.run import RunContext, run
from nasrepro.search.random_search import RandomSearch


def _run(name: str, root: Path, **given: Any) -> tuple[Path, Record]:
    return run(experiments.load(name), given, profile="smoke", root=root, device="cpu")


@pytest.fixture(scope="module")
def hw(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Record]:
    return _run("hw", tmp_path_factory.mktemp("hw"), device="fpga", latency=1.0, percentile=80.0)


@pytest.mark.mirror
def test_only_feasible_samples_have_an_accuracy_under_a_constraint(hw: tuple[Path, Record]):
    folder, record = hw
    trace, runs = (records.load_table(folder, record, f"{name}.parquet") for name in ("trace", "runs"))
    latency = HWNB201Benchmark().query_many(np.arange(5**6), device_column("imagenet16-120", "fpga_latency"))
    kept = trace[trace["row"] >= 0]
    np.testing.assert_array_equal(kept["feasible"], latency[kept["row"]] <= 1.0)
    assert not trace.loc[trace["row"] < 0, "feasible"].any()
    for row in record.metrics["rows"]:
        part = trace[trace["searcher"] == row["searcher"]]
        assert row["feasibility"]["mean"] == pytest.approx(part["feasible"].mean())
        best = part[part["feasible"]].groupby(["training", "run"])["value"].max()
        assert row["val"]["mean"] == pytest.approx(best.sum() / runs[runs["searcher"] == row["searcher"]].shape[0])


@pytest.mark.mirror
def test_labels_of_both_conditions_are_counted(hw: tuple[Path, Record]):
    counts = {(c.reader, c.purpose, c.column): c.distinct for c in hw[1].labels}
    accuracy, cost = "imagenet16-120 valid accuracy, 200 epochs, mean over seeds", "imagenet16-120 device fpga_latency"
    for column in (accuracy, cost):
        assert counts["dinas", "train", column] == 15_625
        assert counts["random", "select", column] <= 2 * 24
    assert counts["dinas", "threshold", cost] == 15_625
    assert 0 < counts["dinas", "threshold", accuracy] < 15_625  # of the cells within the bound alone


@pytest.mark.mirror
def test_the_draw_from_the_wanted_cells_is_always_feasible_and_below_the_ceiling(hw: tuple[Path, Record]):
    record = hw[1]
    row = metric_row(record, "top_class", "paper")
    assert row is not None and row["feasibility"]["mean"] == 1.0
    costs = HWNB201Benchmark()
    every = np.arange(costs.space.size)
    within = costs.query_many(every, device_column("imagenet16-120", "fpga_latency")) <= 1.0
    ceiling = NB201Benchmark().optimum(ACCURACY, within)
    assert record.metrics["ceiling"]["val"] == ceiling.value >= row["val"]["high"]
    values, cut = NB201Benchmark().query_many(every[within], ACCURACY), record.metrics["cuts"][-1]
    assert (values == cut).any() and record.metrics["wanted_cells"] == (values > cut).sum()
    shown = table_4.constraint_table("val", Shown([], hw)).to_frame().set_index("Setting")
    assert shown.loc["FPGA, 1 ms", "Ceiling"] == f"{ceiling.value:.2f}"  # your run stands in the row of its setting


def test_table_4_says_not_run_where_there_is_no_record():
    table = table_4.constraint_table("val", Shown([]))
    assert len(table.rows) == 12 and all(row.cells[4:] == ("not run",) * 4 for row in table.rows)
    assert table.rows[0].cells[:4] == ("EdgeGPU, 2 ms", "39.44", "39.70", "37.20")
    commands = [f"nasrepro run hw -p device={d} -p latency={b}" for d, b in hardware_settings()]
    assert all(command in note for command, note in zip(commands, table.notes, strict=True))


def test_table_4_says_in_how_many_settings_the_controls_are_ahead():
    committed = Shown(list(records.find(paths.records_dir())))
    found = [committed.record(f"dinas.table4.{device}.{bound}") for device, bound in hardware_settings()]
    shown = [r for r in found if r is not None]
    means = [[metric_row(r, s, "paper")["val"]["mean"] for s in ("dinas", "random", "top_class")] for r in shown]  # type: ignore[index]
    said = table_4.numbers(committed)
    if shown:
        assert said["table4.settings"] == len(shown)
        assert said["table4.ahead.random"] == sum(d > r for d, r, _ in means)
        assert said["table4.ahead.top_class"] == sum(d > t for d, _, t in means)
        assert sum(said[f"table4.{word}"] for word in ("above", "level", "below")) == len(shown)  # type: ignore[misc]


def test_table_4_shows_the_records_that_answer_its_claims():
    committed = Shown(list(records.find(paths.records_dir())))
    table = table_4.constraint_table("feasibility", committed)
    for (device, bound), row in zip(hardware_settings(), table.rows, strict=True):
        record = committed.record(f"dinas.table4.{device}.{bound}")
        if record is not None:
            dinas = metric_row(record, "dinas", "paper")
            assert dinas is not None
            assert row.cells[4].startswith(f"{100 * dinas['feasibility']['mean']:.1f}")
            assert row.cells[7] == f"{100 * record.metrics['ceiling']['share']:.1f}"


@pytest.mark.mirror
@pytest.mark.parametrize("device", ["edgegpu", "eyeriss"])
def test_a_cell_exactly_at_the_bound_is_feasible_whoever_asks(mirror: Path, tmp_path: Path, device: str):
    cells, column = np.arange(5**6), device_column("imagenet16-120", f"{device}_latency")
    latency = HWNB201Benchmark().query_many(cells, column)
    bound = np.sort(latency)[1_000]  # the latency of a cell
    limit = hardware.constraints(hardware.HWParameters.model_validate({"device": device, "latency": bound}))
    asked = [
        hardware.feasible(RunContext(tmp_path, tmp_path, "cpu"), limit, "me", cells, "train"),
        threshold_discretiser(bound)(latency) == hardware.WITHIN,
    ]
    at_bound = latency == bound
    assert at_bound.any() and (latency > bound).any()
    for found in asked:
        np.testing.assert_array_equal(found, (latency < bound) | at_bound)


@pytest.fixture(scope="module")
def baselines(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Record]:
    return _run("baselines", tmp_path_factory.mktemp("baselines"), dataset="cifar100")


def test_a_baseline_reads_its_budget_and_nothing_else(baselines: tuple[Path, Record]):
    record = baselines[1]
    for row in record.metrics["rows"]:
        assert row["distinct_valid"]["mean"] == row["queries"] == 24 and row["validity"]["mean"] == 1.0
        purposes = {c.purpose: c.reads for c in record.labels if c.reader == row["searcher"] and "valid" in c.column}
        assert purposes == {"select": 2 * 24}
    assert {r["searcher"] for r in record.metrics["rows"]} == set(search_tables.SEARCHER_NAMES)


def test_the_search_with_xgboost_is_run_by_its_name_alone(
    baselines: tuple[Path, Record], tmp_path_factory: pytest.TempPathFactory
):
    _, record = _run("baselines", tmp_path_factory.mktemp("xgboost"), searcher="bananas_xgboost")
    (row,) = record.metrics["rows"]
    assert row["searcher"] == "bananas_xgboost" and row["distinct_valid"]["mean"] == row["queries"] == 24
    assert {c.reader for c in record.labels if c.purpose == "select"} == {"bananas_xgboost"}
    assert "bananas_xgboost" not in {r["searcher"] for r in baselines[1].metrics["rows"]}


def test_the_seconds_of_a_baseline_are_those_of_the_cpu(baselines: tuple[Path, Record]):
    """A busy machine takes many times as long by the clock."""
    record = baselines[1]
    seconds = sum(row["seconds_per_run"] * row["runs"] for row in record.metrics["rows"])
    assert 0 < seconds <= record.cost.cpu_s


def test_labels_to_the_optimum_are_counted_to_the_draw_that_found_it(baselines: tuple[Path, Record]):
    folder, record = baselines
    trace, runs = (records.load_table(folder, record, f"{name}.parquet") for name in ("trace", "runs"))
    best = record.metrics["optimum"]["valid"]
    for entry in runs.to_dict("records"):
        draws = trace[(trace["searcher"] == entry["searcher"]) & (trace["run"] == entry["run"])]
        found = draws.loc[draws["value"] >= best, "query"]
        assert (len(found) == 0) == np.isnan(entry["labels_to_optimum"]) == (entry["regret"] > 0)
        if len(found):
            assert entry["labels_to_optimum"] == found.min() + 1
    table = search_tables.efficiency_table("nb201-cifar100", Shown([], (folder, record)))
    assert table is not None and len(table.rows) == len(search_tables.SEARCHER_NAMES)


def test_no_two_runs_of_the_baselines_draw_the_same(baselines: tuple[Path, Record]):
    trace = records.load_table(*baselines, "trace.parquet")
    drawn = [tuple(part["row"]) for _, part in trace.groupby(["searcher", "run"])]
    assert len(set(drawn)) == len(drawn) == 2 * len(search_tables.SEARCHER_NAMES)


def test_a_searcher_draws_the_same_alone_as_among_all(baselines: tuple[Path, Record], tmp_path: Path):
    alone = metric_row(_run("baselines", tmp_path, dataset="cifar100", searcher="gp")[1], "gp", "paper")
    among = metric_row(baselines[1], "gp", "paper")
    assert alone is not None and among is not None and alone["best_valid"] == among["best_valid"]


def test_impossible_questions_are_refused_before_anything_runs(tmp_path: Path):
    with pytest.raises(ParameterError, match="cifar10 alone"):
        _run("baselines", tmp_path, benchmark="nb101", dataset="cifar100")
    with pytest.raises(ParameterError, match=r"there is no such device.*Did you mean `edgegpu`"):
        _run("hw", tmp_path, device="edgegpus")
    with pytest.raises(ParameterError, match="latency"):
        _run("hw", tmp_path, latency=-1.0)


@pytest.mark.mirror
def test_validation_labels_of_nas_bench_101_need_the_official_file(mirror: Path, tmp_path: Path):
    with pytest.raises(MissingData, match="nb101-official"):
        _run("nb101", tmp_path, label="valid")


def test_a_card_describes_what_is_on_this_machine(tmp_path: Path, no_mirror: Path):
    folder, record = _run("card", tmp_path, benchmark="nb201")
    shown = Shown([], (folder, record))
    table = cards.columns_table("nb201", shown, proxies=False).to_frame()  # type: ignore[union-attr]
    row = table[table["Question"] == "cifar10 valid accuracy, 200 epochs, mean over seeds"].iloc[0]
    assert (row["Best"], row["Labelled"], row["Better"]) == ("91.607", "15,625 (100 %)", "higher")
    assert cards.columns_table("nb201", shown, proxies=True) is None  # no proxies without their files
    bars = records.load_table(folder, record, "histograms.parquet")
    assert bars.groupby("column")["count"].sum()["cifar10 valid accuracy, 200 epochs, mean over seeds"] == 15_625
    figure, files = cards.distributions("nb201", shown), cards.files_table("nb201", shown)
    assert figure is not None and "91.607" in figure.alt and len(figure.data)
    assert files is not None and "Apache-2.0" in files.to_text(300)


def test_every_benchmark_has_a_committed_card_and_a_page():
    committed = {r.parameters["benchmark"]: r for _, r in records.find(paths.records_dir()) if r.experiment == "card"}
    known = read_yaml(paths.data_dir() / "cards.yml")
    assert set(committed) == set(known)
    root = paths.checkout()
    assert root is not None
    pages = (root / "_toc.yml").read_text(encoding="utf-8")
    assert all(f"book/cards/{name}\n" in pages for name in known)
    with pytest.raises(ParameterError, match=r"Did you mean .*nb201"):
        cards.texts("nb202", Shown([]))
    assert cards.texts("nb201", Shown([]))["space"].startswith("Not run: `nasrepro run card -p benchmark=nb201")


def test_energy_that_was_never_measured_is_refused_before_anything_runs(tmp_path: Path):
    with pytest.raises(ParameterError, match="raspi4 was not measured"):
        _run("hw", tmp_path, device="raspi4", energy=5.0)
    with pytest.raises(ParameterError, match="cells to label only"):
        _run("nb201", tmp_path, dataset="cifar10", labelled=20_000)


@pytest.mark.mirror
def test_a_bound_on_the_energy_is_a_third_condition(mirror: Path, tmp_path: Path):
    folder, record = _run("hw", tmp_path, device="fpga", latency=2.0, energy=2.0)
    trace = records.load_table(folder, record, "trace.parquet")
    costs = HWNB201Benchmark()
    kept = trace[trace["row"] >= 0]
    within = np.logical_and.reduce(
        [
            costs.query_many(kept["row"].to_numpy(), device_column("imagenet16-120", f"fpga_{cost}")) <= 2.0
            for cost in ("latency", "energy")
        ]
    )
    np.testing.assert_array_equal(kept["feasible"], within)
    assert 0 < record.metrics["ceiling"]["share"] < 1
    assert {c.column for c in record.labels if c.purpose == "train"} >= {
        f"imagenet16-120 device fpga_{cost}" for cost in ("latency", "energy")
    }


def test_a_training_on_m_labels_reads_m_labels_and_each_training_its_own(tmp_path: Path):
    folder, record = _run("nb201", tmp_path, dataset="cifar10", labelled=201, trainings=2)
    counts = {(c.reader, c.purpose): c for c in record.labels if "valid" in c.column}
    for protocol in ("paper", "distinct"):  # one training's, though the run read those of two
        row = metric_row(record, "dinas", protocol)
        assert row is not None and row["labels_before_search"] == 201 == recorded_labels_before(record, row)
    assert counts["dinas", "train"].reads == 402 and 300 < counts["dinas", "train"].distinct <= 402
    assert counts["top_class", "threshold"].distinct == 201
    trace = records.load_table(folder, record, "trace.parquet")
    winners = trace[trace["searcher"] == "top_class"]
    assert winners["row"].nunique() <= 10 and (winners["value"] > record.metrics["cuts"][-1]).all()  # of 201


def test_pages_show_the_labels_of_one_training_of_every_committed_record():
    """Earlier records have those of all trainings together, e.g. 1,446 where each of three read 500."""
    committed = [r for _, r in records.find(paths.records_dir())]
    labelled = [r for r in committed if r.parameters.get("labelled")]
    assert {r.parameters["labelled"] for r in labelled} >= {150, 500, 1_500, 5_000}
    for record in labelled:
        for protocol in ("paper", "distinct"):
            row = metric_row(record, "dinas", protocol)
            assert row is not None
            before = recorded_labels_before(record, row)
            assert before == record.parameters["labelled"] <= row["labels_before_search"]
            lines = search_tables._our_lines(search_tables.TABLES["nb201-cifar10"], record, None)
            told = {line["method"]: line["before"] for line in islice(lines, 2)}
            assert set(told.values()) == {before} and {*told} <= {label for *_, label in search_tables._DINAS_ROWS}
        row = metric_row(record, "top_class", "paper")
        assert row is not None and recorded_labels_before(record, row) == record.parameters["labelled"]
    for record in committed:
        row = metric_row(record, "dinas", "paper")
        if row and not record.parameters.get("labelled") and "labels_before_search" in row:
            assert recorded_labels_before(record, row) == row["labels_before_search"]


def test_what_a_search_had_read_is_what_its_training_read_and_a_mean_where_they_differ():
    benchmark, column = NB201Benchmark(), ACCURACY
    ledger, trainings = Ledger(), []
    for rows in ([1, 2, 3], [3, 4, 5], [6, 7, 8, 9]):
        with ledger.overheard() as heard:
            ledger.open(benchmark, column, "dinas").read(np.array(rows), "threshold")
            ledger.open(benchmark, column, "dinas").read(np.array(rows[:2]), "train")
            ledger.open(benchmark, column, "dinas").read(np.array([99]), "report")
        trainings.append(heard)
    ledger.open(benchmark, column, "top_class").read(np.array([1, 2]), "threshold")
    assert labels_before("dinas", ledger) == 9  # of all trainings together
    assert labels_before("dinas", ledger, trainings[:2]) == 3
    assert labels_before("dinas", ledger, trainings) == pytest.approx(10 / 3)
    assert labels_before("top_class", ledger, trainings) == 2 and labels_before("random", ledger, trainings) == 0


class _Unlearnt(Generation):
    """Samples are random cells by the seed of their stream."""

    def fit(self, training: int) -> tuple[list[Any], pd.DataFrame]:
        return [], pd.DataFrame({"step": [1]})

    def sampler(self, training: int, seed: int) -> RandomSearch:
        return _Sampled(self.space, np.random.default_rng(seed))


class _Sampled(RandomSearch):
    name = "dinas"


def _drawn(folder: Path, seed: int) -> dict[tuple[str, int, int], tuple[int, ...]]:
    """Return the cells of every run of every training and control, with the stages kept in a folder."""
    p = DinasParameters.model_validate({"trainings": 2, "runs": 3, "queries": 12, "most_draws": 1, "seed": seed})
    column = Column("cifar10", "accuracy", "valid", 200, MEAN)
    task = _Unlearnt(p, RunContext(folder, folder, "cpu"), NB201Benchmark(), column)
    trace = pd.concat([*task.dinas()[0], *task.controls(np.arange(100))])
    return {key: tuple(part["row"]) for key, part in trace.groupby(["searcher", "training", "run"])}  # type: ignore[misc]


def test_every_run_has_a_stream_of_its_own_and_draws_the_same_again(tmp_path: Path):
    first, again, other = (_drawn(tmp_path / name, seed) for name, seed in (("a", 0), ("b", 0), ("c", 1)))
    assert first == again and len(first) == 6 + 3 * 6
    assert len({*first.values(), *other.values()}) == 2 * len(first)


@pytest.mark.mirror
def test_one_model_of_all_settings_sees_each_cell_as_it_is_there(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Its classes are those of every setting, its trainings and their runs are all different."""
    seen: dict[int, np.ndarray] = {}

    def trained(context: RunContext, name: str, identity: object, load: Any, *, seed: int, **_: Any) -> tuple[Any, Any]:
        seen[seed] = load()[1].numpy()
        context.spent("training", 1.0, 1.0)
        return SimpleNamespace(denoiser=SimpleNamespace(to=lambda _: None), noise=None), pd.DataFrame({"step": [1]})

    monkeypatch.setattr(generation, "trained", trained)
    monkeypatch.setattr(generation, "Guided", lambda *_: None)
    monkeypatch.setattr(
        generation, "DiNAS", lambda guided, noise, space, *, seed, **_: _Sampled(space, np.random.default_rng(seed))
    )
    folder, record = _run("hw_joint", tmp_path, trainings=2, percentile=75)
    trace = records.load_table(folder, record, "trace.parquet")
    drawn = [tuple(part["row"]) for _, part in trace.groupby(["training", "setting", "run"])]
    assert len(seen) == 2 and len(set(drawn)) == len(drawn) == 2 * 12 * 2
    cells, ties = np.arange(5**6), 0
    accuracy = NB201Benchmark().query_many(cells, ACCURACY)
    for s, (device, bound) in enumerate(hardware_settings()):
        latency = HWNB201Benchmark().query_many(cells, device_column("imagenet16-120", f"{device}_latency"))
        within, cut = latency <= float(bound), record.metrics["cuts"][s]
        ties += (accuracy[within] == cut).any()
        assert (accuracy[within] > cut).mean() == pytest.approx(0.25, abs=1e-3)
        for classes in seen.values():
            part = classes[s * 5**6 : (s + 1) * 5**6]
            np.testing.assert_array_equal(part, np.stack([2 * s + within, accuracy > cut], axis=1))
    assert ties


def test_every_training_has_weights_labels_and_held_out_cells_of_its_own(tmp_path: Path):
    p = DinasParameters.model_validate({"trainings": 3, "labelled": 100, "train_share": 0.9})
    column = Column("cifar10", "accuracy", "valid", 200, MEAN)
    task = Generation(p, RunContext(tmp_path, tmp_path, "cpu"), NB201Benchmark(), column)
    assert len(set(task.seeds()["trainings"])) == 3  # type: ignore[arg-type]
    assert len({tuple(task.labelled(k)) for k in range(3)}) == 3
    task.p = p.model_copy(update={"labelled": 0})
    held_out = [set(range(5**6)) - set(task.training_cells(k).tolist()) for k in range(3)]
    assert len(set(map(frozenset, held_out))) == 3 and {len(h) for h in held_out} == {5**6 - int(0.9 * 5**6)}
