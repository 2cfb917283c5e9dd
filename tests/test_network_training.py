"""The experiment behind Table 5: its cells, groups, record and page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from nasrepro import experiments
from nasrepro.benchmarks.nb301 import SURROGATE_ACCURACY, NB301Benchmark
from nasrepro.errors import InvalidArchitecture, MissingData, ParameterError
from nasrepro.experiments.dinas import chosen_cells, network_training
from nasrepro.files import paths
from nasrepro.report.dinas import table_5
from nasrepro.report.sources import run_command
from nasrepro.runs import records
from nasrepro.runs.claims import load_claims, metric_row
from nasrepro.runs.plan import Shown, planned
from nasrepro.runs.printed import printed
from nasrepro.runs.records import Record
from nasrepro.runs.run import run
from nasrepro.spaces.darts.genotype import DARTS_V2
from nasrepro.spaces.darts.space import NB301


def _run(root: Path, **given: Any) -> tuple[Path, Record]:
    return run(experiments.load("network_training"), given, profile="smoke", root=root, device="cpu")


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Record]:
    return _run(tmp_path_factory.mktemp("networks"), random_cells=3, darts_v2=2)


def test_every_network_of_every_group_is_trained_and_summarised(smoke: tuple[Path, Record]):
    folder, record = smoke
    networks, curves = (records.load_table(folder, record, f"{n}.parquet") for n in ("networks", "curves"))
    assert networks.groupby("group", sort=False).size().to_dict() == {"chosen": 1, "random": 3, "darts-v2": 2}
    assert len(curves) == 2 * len(networks)
    last = curves[curves["number"] == 2].reset_index(drop=True)
    np.testing.assert_array_equal(last["top1_error"], networks["top1_error"])
    for row in record.metrics["rows"]:
        part = networks[networks["group"] == row["searcher"]]
        column = {"last": "top1_error", "best_epoch": "best_top1_error"}[row["protocol"]]
        assert row["top1_error"]["mean"] == pytest.approx(part[column].mean()) and row["networks"] == len(part)
    assert (networks["best_top1_error"] <= networks["top1_error"]).all()


def test_a_cell_trained_twice_with_a_seed_is_one_training_and_other_seeds_differ(smoke: tuple[Path, Record]):
    networks = records.load_table(*smoke, "networks.parquet").set_index(["group", "cell"])
    errors = networks["top1_error"]
    assert errors["chosen", 0] == errors["darts-v2", 0]  # DARTS-V2 with the first seed
    curves = records.load_table(*smoke, "curves.parquet").set_index(["group", "cell", "number"])["loss"]
    assert curves["darts-v2", 0, 1] != curves["darts-v2", 1, 1]
    assert networks.loc[("random", 0), "genotype"] != networks.loc[("random", 1), "genotype"]


def test_a_run_with_other_cells_trains_only_what_is_new(smoke: tuple[Path, Record], monkeypatch: pytest.MonkeyPatch):
    trained = []
    honest = network_training.carry_out

    def counted(job: Any, *args: Any, **options: Any) -> Any:
        trained.append(job.genotype)
        return honest(job, *args, **options)

    monkeypatch.setattr(network_training, "carry_out", counted)
    cell = NB301.to_string(NB301.sample(np.random.default_rng(5)))
    _, record = _run(smoke[0].parents[1], random_cells=3, darts_v2=2, cells=f"{cell};darts-v2")
    assert trained == [cell]
    assert metric_row(record, "random", "last") == metric_row(smoke[1], "random", "last")


def test_differences_are_those_of_the_networks(smoke: tuple[Path, Record]):
    networks = records.load_table(*smoke, "networks.parquet").groupby("group")["top1_error"].mean()
    for d in smoke[1].metrics["differences"]:
        if d["field"] == "top1_error":
            assert d["mean"] == pytest.approx(networks["chosen"] - networks[d["minus"]])
            assert d["low"] is None and 0 < d["p"] <= 1  # one chosen network


def _near(runs: Shown) -> str:
    """Return which kind of chosen cells a run of ours takes the place of."""
    return next(iter(runs.yours)).rpartition(".")[2]


def test_the_tables_and_the_figure_say_what_the_record_says(smoke: tuple[Path, Record]):
    record, runs = smoke[1], Shown([], smoke)
    kind = _near(runs)
    frame = table_5.group_table(kind, runs).to_frame()
    assert frame["Networks"].tolist() == ["1", "3", "2", "none"]
    row = metric_row(record, "random", "last")
    assert row is not None and frame.iloc[1, 2].startswith(f"{row['top1_error']['mean']:.2f} [")
    differences, figure = table_5.difference_table(kind, runs), table_5.error_figure(kind, runs)
    assert differences is not None and len(differences.rows) == 4
    assert figure is not None and f"Random cells: 3 networks, mean {row['top1_error']['mean']:.1f} %" in figure.alt
    assert run_command(record) == "nasrepro run network_training -p random_cells=3 -p darts_v2=2 --profile smoke"


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(-5.0, -1.0, "better than"), (1.0, 5.0, "worse than"), (-1.0, 0.5, "not told apart from")],
)
def test_the_verdict_follows_the_interval(smoke: tuple[Path, Record], low: float, high: float, said: str):
    metrics = dict(smoke[1].metrics)
    metrics["differences"] = [{**d, "mean": (low + high) / 2, "low": low, "high": high} for d in metrics["differences"]]
    runs = Shown([], (smoke[0], smoke[1].model_copy(update={"metrics": metrics})))
    key = f"table5.{_near(runs)}.random"
    assert table_5.numbers(runs)[key] == said
    assert key not in table_5.numbers(Shown([], smoke))  # one network says nothing of its spread


def test_the_page_without_records_prints_the_commands():
    tables = {"imagenet": table_5.imagenet_table(Shown([]))}
    tables |= {kind: table_5.group_table(kind, Shown([])) for kind in table_5.KINDS}
    for kind, table in tables.items():
        assert planned(f"dinas.table5.{kind}").command in table.to_html()
    assert '<td class="num">not run</td>' in tables["imagenet"].to_html()
    assert table_5.difference_table("generated", Shown([])) is table_5.error_figure("generated", Shown([])) is None


def test_the_commands_of_the_page_are_of_the_experiment():
    from nasrepro.parameters.base import parse_assignments, resolve

    for kind in ("imagenet", *table_5.KINDS):
        words = planned(f"dinas.table5.{kind}").command.split()
        given = parse_assignments([words[i + 1] for i, w in enumerate(words) if w == "-p"])
        p = resolve(network_training.NetworkTrainingParameters, given, words[-1])
        assert words[:3] == ["nasrepro", "run", "network_training"]
        assert p.data == ("imagenet" if kind == "imagenet" else "cifar10")


def test_the_full_profile_is_the_stated_recipe():
    from nasrepro.classification.recipe import Recipe
    from nasrepro.parameters.base import resolve

    p = resolve(network_training.NetworkTrainingParameters, {}, "full")
    recipe = network_training._recipe(p)
    assert recipe == Recipe(precision="bfloat16") and (p.side, p.training_images) == (224, 0)


def test_printed_numbers_are_claimed():
    claimed = {c.id: c for c in load_claims() if c.id.startswith("dinas.table5.")}
    dinas = printed("dinas_table5").set_index("method").loc["DiNAS"]
    names = {"top1": "top1_error", "top5": "top5_error", "queries": "queries", "search-time": "search_gpu_hours"}
    assert {f"dinas.table5.{k}": dinas[v] for k, v in names.items()} == {k: c.printed for k, c in claimed.items()}
    assert all(c.not_run for c in claimed.values())


def test_committed_records_answer_the_page():
    committed = Shown(list(records.find(paths.records_dir())))
    for kind in table_5.KINDS:
        record = committed.record(f"dinas.table5.{kind}")
        if record is not None:
            rows = {r["searcher"]: r for r in record.metrics["rows"] if r["protocol"] == "last"}
            assert rows["random"]["networks"] >= 8 and record.code.git_dirty is False
            assert rows["random"]["top1_error"]["high"] < 85  # chance is 90


# The cells


def _recorded(root: Path, runs: pd.DataFrame, smoke: Record) -> None:
    folder = root / "nb301" / "0123"
    artefact = records.write_table(folder / "runs.parquet", runs)
    records.save(folder, smoke.model_copy(update={"experiment": "nb301", "key": "0123", "artefacts": [artefact]}))


def test_cells_of_a_record_come_best_first_and_once(
    smoke: tuple[Path, Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    rng = np.random.default_rng(0)
    cells = [NB301.sample(rng) for _ in range(4)]
    frame = pd.DataFrame(
        {
            "searcher": ["dinas"] * 5 + ["random"],
            "protocol": ["paper"] * 4 + ["distinct", "paper"],
            "arch": [NB301.to_string(cells[k]) for k in (0, 1, 0)] + ["", *[NB301.to_string(c) for c in cells[2:]]],
            "best_valid": [93.0, 94.0, 93.5, 0.0, 99.0, 99.0],
        }
    )
    monkeypatch.setattr(paths, "records_dir", lambda: tmp_path)
    with pytest.raises(MissingData, match="nasrepro run nb301 --profile laptop"):
        chosen_cells.of_record("nb301")
    _recorded(tmp_path, frame, smoke[1])
    for name in ("nb301", "nb301/01"):
        assert chosen_cells.of_record(name) == [cells[1], cells[0]]
    assert list(chosen_cells.record_file("nb301")) == ["nb301/0123/runs.parquet"]
    _recorded(tmp_path, frame.drop(columns="arch"), smoke[1])
    with pytest.raises(MissingData, match="names no genotypes"):
        chosen_cells.of_record("nb301")


def test_cells_that_are_named():
    cell = NB301.sample(np.random.default_rng(1))
    assert chosen_cells.parse_cells(f"darts-v2; {NB301.to_string(cell)}") == [DARTS_V2, cell]
    with pytest.raises(ParameterError, match="name at least one"):
        chosen_cells.parse_cells(" ; ")


def test_impossible_runs_are_refused_before_anything_is_trained(tmp_path: Path):
    with pytest.raises(InvalidArchitecture, match="no genotype"):
        _run(tmp_path, cells="darts-v9")
    with pytest.raises(ParameterError, match="must not be 0"):
        _run(tmp_path, test_images=0)
    with pytest.raises(ParameterError, match="auxiliary_weight=0"):
        _run(tmp_path, auxiliary_weight=0.4)
    with pytest.raises(MissingData, match="set NASREPRO_IMAGENET"):
        run(experiments.load("network_training"), {"cells": "darts-v2"}, profile="full", root=tmp_path, device="cpu")
    assert not list(tmp_path.rglob("*.safetensors"))


class Surrogate(NB301Benchmark):
    """Ranks cells by their separable convolutions, and needs no files."""

    def query_many(self, archs: Any, column: Any) -> np.ndarray:
        assert column == SURROGATE_ACCURACY
        return np.array([sum(op in (3, 4) for cell in arch for _, op in cell) for arch in archs], dtype=float)

    def checksums(self, columns: Any) -> dict[str, str]:
        return {}


def test_the_surrogate_chooses_the_best_of_a_pool_and_pays_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for module in (chosen_cells, network_training):
        monkeypatch.setattr(module, "NB301Benchmark", Surrogate)
    monkeypatch.setattr(network_training, "_with_surrogate", lambda p: True)
    folder, record = _run(tmp_path, cells="surrogate", pool=200, chosen_cells=5, random_cells=5, darts_v2=0, epochs=1)
    networks = records.load_table(folder, record, "networks.parquet")
    chosen, random = (networks.loc[networks["group"] == g, "predicted"] for g in ("chosen", "random"))
    assert chosen.is_monotonic_decreasing and chosen.min() > random.mean()
    archs = [NB301.from_string(text) for text in networks["genotype"]]
    assert Surrogate().query_many(archs, SURROGATE_ACCURACY).tolist() == networks["predicted"].tolist()
    reads = {(c.reader, c.purpose): c.reads for c in record.labels}
    assert reads == {("surrogate", "select"): 200, ("book", "report"): 10}
    rank = record.metrics["surrogate_rank"]
    found = stats.kendalltau(random, 100 - networks.loc[networks["group"] == "random", "top1_error"])
    assert rank["n"] == 5 and rank["kendall_tau"] == pytest.approx(found.statistic)
