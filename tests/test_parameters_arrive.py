"""Every parameter arrives where it is meant to: a renamed or forgotten field would be dropped without a word."""

from __future__ import annotations

import ast
from dataclasses import asdict, fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, get_args, get_origin

import numpy as np
import pandas as pd
import pytest
import torch

from nasrepro import experiments
from nasrepro.benchmarks.hw_nb201 import HWNB201Benchmark
from nasrepro.benchmarks.nb101 import NB101Benchmark
from nasrepro.benchmarks.nb201 import NB201Benchmark
from nasrepro.benchmarks.nb301 import NB301Benchmark
from nasrepro.benchmarks.nlp import NLPBenchmark
from nasrepro.classification.recipe import Recipe
from nasrepro.diffusion.denoiser_config import CONFIGS, DenoiserConfig
from nasrepro.diffusion.train import TrainingConfig
from nasrepro.encodings.flan import PUBLISHED, FLANConfig
from nasrepro.errors import ParameterError
from nasrepro.experiments.delta import encoding_features, encodings, judging
from nasrepro.experiments.delta.encodings import EncodingTrials
from nasrepro.experiments.dinas import generation as dinas
from nasrepro.experiments.dinas import hw, hw_joint, nb301, step_cost
from nasrepro.experiments.dinas.generation import denoiser_config, training_config
from nasrepro.graphs import Graphs
from nasrepro.parameters import NAMES, model_of, resolved, room_of
from nasrepro.parameters.base import Parameters
from nasrepro.parameters.delta import EncodingParameters
from nasrepro.parameters.dinas import DinasParameters
from nasrepro.runs.run import RunContext
from nasrepro.seeding import derive
from nasrepro.spaces.nb201 import NB201
from nasrepro.spaces.nlp.space import NLP

FAMILY = ("nb201", "hw", "hw_joint", "nb101", "nb301", "nlp")
TRAINING = tuple(field.name for field in fields(TrainingConfig))
SHAPE = ("positions", "time_input", "residual", "linear_inputs")  # of a denoiser; the rest is named by `denoiser`


def another(model: type[Parameters], name: str) -> Any:
    """Return a value of a parameter that is not its default."""
    field = model.model_fields[name]
    value, kind = field.get_default(call_default_factory=True), field.annotation
    if name == "denoiser":
        return "matrix-heads"  # which may have each of the switches
    if get_origin(kind) is Literal:
        return next(option for option in get_args(kind) if option != value)
    if kind is bool:
        return not value
    if kind is float:
        return value / 2 if value else 0.25
    if kind == list[float]:
        return [33.0]
    return value + 1


@pytest.mark.parametrize("name", FAMILY)
@pytest.mark.parametrize("field", TRAINING)
def test_each_field_of_a_training_is_a_parameter_and_arrives_alone(name: str, field: str):
    model = model_of(name)
    assert field in model.model_fields, f"{field} cannot be reached"
    base, changed = (resolved(name, given, "laptop") for given in ({}, {field: another(model, field)}))
    assert isinstance(base, DinasParameters) and isinstance(changed, DinasParameters)
    if (value := getattr(changed, field)) == getattr(base, field):  # the profile says just that
        base = base.model_copy(update={field: model.model_fields[field].default})
    assert training_config(changed) == replace(training_config(base), **{field: value}) != training_config(base)
    assert denoiser_config(changed) == denoiser_config(base)


@pytest.mark.parametrize("name", FAMILY)
def test_each_switch_of_the_network_arrives_alone(name: str):
    model = model_of(name)
    for denoiser, config in CONFIGS.items():
        p = resolved(name, {"denoiser": denoiser, "time_input": False}, "laptop")
        assert isinstance(p, DinasParameters)
        # a named shape says nothing of the switches: those are parameters of their own
        assert denoiser_config(p) == replace(config, **{s: getattr(p, s) for s in SHAPE})
        for switch in SHAPE:
            flipped = p.model_copy(update={switch: not getattr(p, switch)})
            expected = replace(denoiser_config(p), **{switch: not getattr(p, switch)})
            assert denoiser_config(flipped) == expected != denoiser_config(p)
    assert set(SHAPE) < {f.name for f in fields(DenoiserConfig)} and set(SHAPE) < set(model.model_fields)


class _Stop(Exception):
    """All that was to be seen has been seen."""


class _Seen:
    """What an experiment handed to training, guidance, sampling and search."""

    def __init__(self) -> None:
        self.trainings: list[dict[str, Any]] = []
        self.samplers: list[dict[str, Any]] = []
        self.searches: list[dict[str, Any]] = []
        self.cuts: list[tuple[int, list[float]]] = []

    def trained(self, context: Any, name: str, identity: Any, load_data: Any, **kwargs: Any) -> Any:
        self.trainings.append(kwargs | {"identity": identity, "load_data": load_data})
        denoiser = SimpleNamespace(condition_classes=kwargs["condition_classes"])
        denoiser.to = lambda device: denoiser
        return SimpleNamespace(denoiser=denoiser, noise=None), pd.DataFrame({"step": [1], "loss": [0.0]})

    def sampler(self, guided: Any, noise: Any, space: Any, **kwargs: Any) -> Any:
        self.samplers.append(kwargs | {"scale": guided.scale, "on": guided.on, "wanted": guided.wanted.tolist()})
        return SimpleNamespace(name="dinas")

    def spend(self, searcher: Any, space: Any, labels: Any, queries: int, **kwargs: Any) -> pd.DataFrame:
        self.searches.append(kwargs | {"searcher": searcher, "labels": labels, "queries": queries})
        return pd.DataFrame({"query": [0], "row": [0], "reason": [""], "value": [1.0]})


def _stop(*args: Any, **kwargs: Any) -> Any:
    raise _Stop


def _made_up(self: Any, archs: Any, column: Any) -> np.ndarray:
    return np.random.default_rng(len(str(column))).uniform(0, 3, len(archs))


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> _Seen:
    """Made-up labels; nothing is trained or sampled, and an experiment stops before its controls."""
    found = _Seen()
    for benchmark in (NB201Benchmark, NB101Benchmark, HWNB201Benchmark, NB301Benchmark, NLPBenchmark):
        monkeypatch.setattr(benchmark, "query_many", _made_up)
        monkeypatch.setattr(benchmark, "checksums", lambda self, columns=None: {})
    monkeypatch.setattr(NB101Benchmark, "space", NB201)  # its own takes a minute to enumerate
    logged = [NLP.sample(np.random.default_rng(s)) for s in range(300)]
    monkeypatch.setattr(NLPBenchmark, "labelled", lambda self, column: logged)
    monkeypatch.setattr(dinas, "trained", found.trained)
    monkeypatch.setattr(dinas, "DiNAS", found.sampler)
    monkeypatch.setattr(dinas, "spend", found.spend)
    for module in (dinas, hw_joint):
        original = module.percentile_discretiser  # type: ignore[attr-defined]

        def cut(labels: Any, archs: Any, percentiles: Any, original: Any = original) -> Any:
            found.cuts.append((len(archs), list(percentiles)))
            return original(labels, archs, percentiles)

        monkeypatch.setattr(module, "percentile_discretiser", cut)
    monkeypatch.setattr(dinas.Generation, "controls", _stop)
    monkeypatch.setattr(hw, "constrained", _stop)
    return found


def _everything_changed(name: str) -> dict[str, Any]:
    """Return parameters none of which has its default, of a run that is small."""
    model = model_of(name)
    given = {n: another(model, n) for n in model.model_fields if n not in model.unread}
    given |= {"percentile": 90.0, "queries": 9, "runs": 2, "trainings": 2, "seed": 5}
    if name != "hw_joint":
        given |= {"lower_percentiles": [33.0], "labelled": 200, "train_share": 0.5, "most_draws": 3}
    if name == "hw":
        given |= {"device": "fpga", "latency": 2.0, "energy": 1.5}
    if name == "nb301":
        given |= {"cells": 300}
    return given


@pytest.mark.parametrize("name", FAMILY)
def test_what_is_asked_of_an_experiment_arrives_in_its_training_and_its_sampling(
    name: str, seen: _Seen, tmp_path: Path
):
    given = _everything_changed(name)
    p = resolved(name, given, "laptop")
    assert isinstance(p, DinasParameters)
    with pytest.raises(_Stop):
        experiments.load(name).execute(p, RunContext(tmp_path, tmp_path / "models", "cpu"))
    models = 2 if name == "nb301" else 1
    assert len(seen.trainings) == 2 * models
    for number, training in enumerate(seen.trainings):
        assert asdict(training["config"]) == {field: given[field] for field in TRAINING}
        assert training["denoiser"] == replace(CONFIGS[given["denoiser"]], **{s: given[s] for s in SHAPE})
        assert training["wanted"] is not None
        seed = derive(5, "training", number // models)
        assert training["seed"] == (derive(seed, nb301.CELLS[number % 2]) if models == 2 else seed)
    settings = 12 if name == "hw_joint" else 1
    assert len(seen.samplers) == 2 * 2 * models * settings and len({s["seed"] for s in seen.samplers}) == len(
        seen.samplers
    )
    for sampler in seen.samplers:
        assert (sampler["scale"], sampler["on"], sampler["steps"]) == (
            given["guidance_scale"], given["guide_on"], given["reverse_steps"],
        )  # fmt: skip
    assert len(seen.searches) == 2 * 2 * settings and {s["queries"] for s in seen.searches} == {9}
    if name == "hw_joint":
        assert {tuple(q) for _, q in seen.cuts} == {(90.0,)} and len(seen.cuts) == 12
        return
    assert {s["most_draws"] for s in seen.searches} == {27} and {s["batch"] for s in seen.searches} == {9}
    assert {tuple(q) for _, q in seen.cuts} == {(33.0, 90.0)} and len(seen.cuts) == 2  # each training its own
    assert {t["condition_classes"][0] for t in seen.trainings} == {3}
    for training in seen.trainings:
        graphs, classes = training["load_data"]()
        assert len(graphs) == len(classes) == 100 and isinstance(classes, torch.Tensor)  # half of 200
    _what_is_its_own(name, given, seen)


def _what_is_its_own(name: str, given: dict[str, Any], seen: _Seen) -> None:
    columns = {str(s["labels"].column) for s in seen.searches}
    assert len(columns) == 1
    if name == "nb201":
        assert given["dataset"] in columns.pop()
    if name == "nb101":
        assert given["label"] == "valid" and "valid accuracy" in columns.pop()
    if name == "hw":
        assert given["top_of"] == "all" and {n for n, _ in seen.cuts} == {200}
        conditions = seen.trainings[0]["identity"]["conditions"]
        assert [(c["column"].split()[-1], c["cuts"]) for c in conditions[1:]] == [
            ("fpga_latency", [2.0]), ("fpga_energy", [1.5]),
        ]  # fmt: skip
    if name == "nb301":
        assert given["protocol"] == "single" and {s["searcher"]._side for s in seen.searches} == {1}
        assert given["decode"] == "public_code" and all(s["labels"].benchmark.misread for s in seen.searches)
        assert {t["identity"]["cells"] for t in seen.trainings} == {300}
        assert {t["identity"]["population"] for t in seen.trainings} == {5}


def test_the_other_values_of_nb301_and_hw_arrive_too(seen: _Seen, tmp_path: Path):
    for name, more in (("nb301", {"protocol": "combinations", "decode": "correct"}), ("hw", {"top_of": "feasible"})):
        p = resolved(name, _everything_changed(name) | more, "laptop")
        with pytest.raises(_Stop):
            experiments.load(name).execute(p, RunContext(tmp_path / name, tmp_path / "models", "cpu"))
    pairs = [s for s in seen.searches if hasattr(s["searcher"], "_side")]
    assert {s["searcher"]._side for s in pairs} == {3} and not any(s["labels"].benchmark.misread for s in pairs)
    assert max(n for n, _ in seen.cuts[-2:]) < 200  # of the cells within the bounds alone


def test_a_parameter_that_the_joint_model_does_not_read_is_refused():
    for given in ({"labelled": 500}, {"train_share": 0.9}, {"lower_percentiles": [50.0]}, {"most_draws": 2}):
        with pytest.raises(ParameterError, match=f"{next(iter(given))}=.* does not read it"):
            resolved("hw_joint", given, "laptop")
    usual = resolved("hw_joint", {}, "laptop").model_dump()
    assert resolved("hw_joint", {n: usual[n] for n in ("labelled", "most_draws")}, "laptop").model_dump() == usual


def test_a_counted_step_is_one_of_the_parameters(monkeypatch: pytest.MonkeyPatch):
    seen: dict[str, Any] = {}

    def train(graphs: Any, classes: Any, **kwargs: Any) -> Any:
        seen["train"] = kwargs | {"graphs": len(graphs)}
        denoiser = SimpleNamespace(condition_classes=kwargs["condition_classes"])
        return SimpleNamespace(denoiser=denoiser, noise=None), []

    def sample(guided: Any, noise: Any, indices: Any, **kwargs: Any) -> None:
        seen["sample"] = kwargs | {"samples": len(indices), "scale": guided.scale, "on": guided.on}

    monkeypatch.setattr(step_cost, "train", train)
    monkeypatch.setattr(step_cost, "sample", sample)
    monkeypatch.setattr(step_cost, "one_more", lambda work: (work(3), (1, 1.0))[1])
    model = model_of("nb201")
    given = {n: another(model, n) for n in (*TRAINING, *SHAPE, "denoiser", "guidance_scale", "guide_on")}
    given |= {"queries": 9, "batch_size": 7}
    p = resolved("nb201", given, "full")
    assert isinstance(p, DinasParameters)
    step_cost.count(step_cost.NB201, (2,), p, 5)
    assert asdict(seen["train"]["config"]) == {field: given[field] for field in TRAINING} | {"epochs": 1}
    assert seen["train"]["denoiser"] == replace(CONFIGS[given["denoiser"]], **{s: given[s] for s in SHAPE})
    assert seen["train"]["graphs"] == 7 and seen["train"]["seed"] == seen["sample"]["seed"] == 5
    assert (seen["sample"]["samples"], seen["sample"]["batch_size"]) == (9, 9)
    assert (seen["sample"]["scale"], seen["sample"]["on"]) == (given["guidance_scale"], given["guide_on"])


@pytest.fixture
def study(tmp_path: Path) -> Any:
    """The methods of Table 1 of Delta-NAS on a made-up pool, with every parameter changed."""

    def make(**more: Any) -> EncodingTrials:
        given = {n: another(EncodingParameters, n) for n in EncodingParameters.model_fields if n != "test_cells"}
        p = EncodingParameters.model_validate(given | {"space": "nb201", "trials": 1} | more)
        found = EncodingTrials(p, RunContext(tmp_path, tmp_path / "models", "cpu"))
        train = {"small": np.zeros((1, 10), dtype=int), "large": np.zeros((1, 500), dtype=int)}
        found.encodings.__dict__["pool"] = SimpleNamespace(cells=np.arange(20), train=train)
        found.encodings.__dict__["proxies"] = [np.zeros((20, 3), dtype=np.float32)]
        return found

    return make


def test_how_the_networks_of_table_1_are_trained_arrives(study: Any, monkeypatch: pytest.MonkeyPatch):
    of, made = study(), []
    monkeypatch.setattr(encodings, "RankingConfig", lambda loss, **kwargs: made.append({"loss": loss} | kwargs))
    monkeypatch.setattr(encodings, "RankingEnsemble", lambda make, config: make)
    p = of.p
    for budget in ("small", "large"):
        of._mlp("adj", budget)
        of._flan("flan", budget)
    assert [m["loss"] for m in made] == [p.loss] * 4 == ["mse"] * 4
    assert [(m["epochs"], m["batch_size"]) for m in made] == [
        (p.epochs, p.batch_size), (p.flan_epochs, p.batch_size),
        (p.epochs, p.large_batch_size), (p.flan_large_epochs, p.flan_large_batch_size),
    ]  # fmt: skip
    seen: list[tuple[Any, ...]] = []
    monkeypatch.setattr(encodings, "FLAN", lambda classes, sizes, graphs, proxies: seen.append((sizes, proxies)))
    for more, expected in (
        ({"flan_size": "published", "flan_proxies": True}, (PUBLISHED, 3)),
        ({"flan_size": "small", "flan_proxies": False}, (FLANConfig(), 0)),
    ):
        make, _ = study(**more)._flan("flan", "small")
        make()
        assert seen.pop() == expected


def test_how_the_encoders_of_table_1_are_pre_trained_arrives(study: Any, monkeypatch: pytest.MonkeyPatch):
    of, seen = study(), []

    class Model:
        def embed(self, graphs: Graphs) -> np.ndarray:
            return np.zeros((len(graphs), 2))

    def spy(*asked: Any) -> Any:
        seen.append(asked[2:])
        return Model() if len(asked) == 4 else np.zeros((20, 2))

    monkeypatch.setattr(encoding_features.arch2vec, "pretrain", spy)
    monkeypatch.setattr(encoding_features.cate, "pretrain", spy)
    monkeypatch.setattr(encoding_features, "path_encoding", spy)
    for method in ("arch2vec", "cate", "path"):
        of.encodings.vectors(method)
    (arch2vec, a), (cate, b), (most,) = seen
    assert (arch2vec.epochs, arch2vec.cells, a) == (of.p.arch2vec_epochs, of.p.pretraining_cells, of.p.seed)
    assert (cate.epochs, cate.cells, b) == (of.p.cate_epochs, of.p.pretraining_cells, of.p.seed)
    assert most == of.p.most_paths


def test_the_pool_of_table_1_is_as_large_as_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    seen: list[Any] = []
    monkeypatch.setattr(encoding_features, "gather", lambda *args: seen.append(args[1:]))
    p = EncodingParameters.model_validate({"trials": 3, "pairs": 77, "test_cells": 55})
    _ = EncodingTrials(p, RunContext(tmp_path, tmp_path, "cpu")).encodings.pool
    assert seen == [(range(3), 77, 55)]


def test_how_differences_are_judged_and_drawn_arrives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    judged: list[Any] = []
    monkeypatch.setattr(judging, "Evaluation", lambda task, ledger, *args: judged.append(args))
    drawn: list[dict[str, Any]] = []

    def pairs(*args: Any) -> Any:
        drawn.append(asdict(args[-1]))
        raise _Stop

    monkeypatch.setattr(judging, "training_pairs", pairs)
    given = {"pairs": 77, "centres": 6, "anchors": 3, "seed": 5}
    for name, more in (("doa", {"samples_per_code": 9, "star": 8}), ("doa_ablation", {})):
        p = resolved(name, given | more, "smoke")
        with pytest.raises(_Stop):
            experiments.load(name).execute(p, RunContext(tmp_path / name, tmp_path, "cpu"))
    assert judged == [(5, 77, 6, 3)] * 2
    assert (drawn[0]["samples_per_code"], drawn[0]["star"]) == (9, 8)


def _parameters_read(source: str) -> set[str]:
    """Return the names that a module reads of what is called p, in the words `p.x`, `self.p.x`, `self._p.x`."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            of = node.value
            if getattr(of, "id", None) == "p" or getattr(of, "attr", None) in ("p", "_p"):
                found.add(node.attr)
    return found


def _modules(name: str) -> set[Path]:
    """Return the modules of experiments that one is made of."""
    package, found = Path(experiments.__file__).parent.parent.parent, set()
    left = [f"nasrepro.experiments.{room_of(name)}.{name}"]
    while left:
        path = package / f"{left.pop().replace('.', '/')}.py"
        if path in found or not path.is_file():
            continue
        found.add(path)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("nasrepro.experiments"):
                left += [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
    return found


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_is_read_by_its_experiment(name: str):
    model = model_of(name)
    read = set().union(*(_parameters_read(path.read_text(encoding="utf-8")) for path in _modules(name)))
    if name == "network_training":  # hands over the fields of a recipe by their names
        read |= set(Recipe.__dataclass_fields__)
    if issubclass(model, DinasParameters):  # and these those of a training and of a network; see the tests above
        read |= {*TRAINING, *SHAPE}
    assert set(model.model_fields) <= read
    assert set(model.model_fields) > model.unread


def test_the_recipe_of_a_network_has_every_parameter_of_its_name():
    """By name, so a renamed one would be dropped: all are parameters but the stem, which the data decide, and the
    momentum, which is a constant."""
    from nasrepro.experiments.dinas.network_training import _recipe
    from nasrepro.parameters.dinas import NetworkTrainingParameters

    names = set(Recipe.__dataclass_fields__) - {"stem", "momentum"}
    assert names <= set(NetworkTrainingParameters.model_fields)
    given = {n: another(NetworkTrainingParameters, n) for n in names}
    p = resolved("network_training", given, "laptop")
    assert isinstance(p, NetworkTrainingParameters)
    assert {n: getattr(_recipe(p), n) for n in names} == given
