"""NASLib's forms of cells, and its objects (stand-ins: NASLib needs an older Python)."""

from __future__ import annotations

import sys
from enum import Enum, auto
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from nasrepro import spaces
from nasrepro.benchmarks import naslib
from nasrepro.benchmarks.naslib import MICRO, from_graph, query, to_graph
from nasrepro.benchmarks.nb201 import NB201Benchmark
from nasrepro.errors import InvalidArchitecture, MissingData, UnknownQuery
from nasrepro.spaces.naslib import FORMS, from_naslib, to_naslib
from nasrepro.spaces.nb101.space import NB101
from nasrepro.spaces.nb201 import NB201
from nasrepro.spaces.transnas import TNB101_MICRO

STRING, GRAPH = MICRO


class Metric(Enum):
    """NASLib's, as far as it matters."""

    VAL_ACCURACY = auto()
    TEST_ACCURACY = auto()
    VAL_LOSS = auto()


class _Object:
    """What NASLib's search spaces have in common."""

    spec: Any = None

    def set_spec(self, spec: Any) -> None:
        self.spec = spec

    def get_hash(self) -> Any:
        return self.spec


class NasBench101SearchSpace(_Object):
    def get_hash(self) -> tuple[Any, ...]:
        names = ["input", "output", "maxpool3x3", "conv1x1-bn-relu", "conv3x3-bn-relu"]
        return (*self.spec["matrix"].flatten(), *(names.index(op) for op in self.spec["ops"]))


class NasBench201SearchSpace(_Object): ...


class NasBench301SearchSpace(_Object): ...


class TransBench101SearchSpaceMicro(_Object): ...


class TransBench101SearchSpaceMacro(_Object):
    def get_hash(self) -> Any:
        return np.array([*self.spec, 0, 0][:6])  # padded, as NASLib draws them


STAND_INS = (
    NasBench101SearchSpace, NasBench201SearchSpace, NasBench301SearchSpace, TransBench101SearchSpaceMicro,
    TransBench101SearchSpaceMacro,
)  # fmt: skip


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """NASLib with the stand-ins in place of its classes."""
    for module, _ in naslib._CLASSES.values():
        names = ["naslib", "naslib.search_spaces", f"naslib.search_spaces.{module}"]
        for name in (*names, f"naslib.search_spaces.{module}.graph"):
            monkeypatch.setitem(sys.modules, name, ModuleType(name))
        for stand_in in STAND_INS:
            setattr(sys.modules[f"naslib.search_spaces.{module}.graph"], stand_in.__name__, stand_in)


def _object(of: type[_Object], spec: Any) -> Any:
    graph = of()
    graph.set_spec(spec)
    return graph


def test_the_same_six_numbers_of_a_micro_cell_are_two_networks():
    numbers = (0, 3, 1, 0, 2, 3)
    texts = {form: TNB101_MICRO.to_string(from_naslib(form, numbers)) for form in MICRO}
    assert texts == {STRING: "64-41414-0_31_023", GRAPH: "64-41414-1_21_032"}
    graph = _object(TransBench101SearchSpaceMicro, numbers)
    assert [TNB101_MICRO.to_string(from_graph(graph, form)) for form in MICRO] == list(texts.values())
    for ask in (lambda: from_graph(graph), lambda: query(graph, "VAL_ACCURACY", "jigsaw")):
        with pytest.raises(UnknownQuery, match=r"Name the form: tnb101-micro:string or tnb101-micro:graph"):
            ask()


@pytest.mark.parametrize("form", FORMS)
def test_cells_survive_the_way_to_naslib_and_back(form: str, installed: None):
    space = spaces.load(form.partition(":")[0])
    rng = np.random.default_rng(0)
    for arch in [space.sample(rng) for _ in range(200 if form != "nb101" else 20)]:
        written = to_naslib(form, arch)
        assert from_naslib(form, written) == from_naslib(form, str(written)) == arch
        assert from_graph(to_graph(form, arch), form) == arch


def test_the_object_of_a_small_cell_holds_what_naslib_calls_a_specification(installed: None):
    graph = to_graph("nb101", NB101.from_string("input,maxpool3x3,output;101"))
    assert graph.spec["ops"] == ["input", "maxpool3x3", "output"]
    assert graph.spec["matrix"].tolist() == [[0, 1, 0], [0, 0, 1], [0, 0, 0]]
    assert from_graph(graph) == NB101.from_string("input,maxpool3x3,output;101")


def test_wrong_forms_and_numbers_are_refused_with_what_exists():
    with pytest.raises(UnknownQuery, match=r"no form `nb202`.*Did you mean `nb20"):
        from_naslib("nb202", (0,) * 6)
    for form, wrong in (
        ("nb201", (0, 1, 2)),
        (GRAPH, (0, 0, 0, 0, 0, 4)),
        ("nb101", (1, 2, 3)),
        ("nb201", "no tuple("),
    ):
        with pytest.raises(InvalidArchitecture):
            from_naslib(form, wrong)
    with pytest.raises(UnknownQuery, match=r"`_Object` is no class of NASLib.*NasBench201SearchSpace"):
        from_graph(_Object())
    with pytest.raises(UnknownQuery, match="no class of NASLib with cells of nb301"):
        from_graph(_object(NasBench201SearchSpace, (0,) * 6), "nb301")


def test_without_naslib_the_message_says_what_it_needs():
    with pytest.raises(MissingData, match=r"needs NASLib, and naslib is not installed.*environment\.yml"):
        to_graph("nb201", NB201.from_index(0))


@pytest.mark.mirror
def test_queries_are_answered_by_their_own_columns(mirror: Path):
    bench, cell = NB201Benchmark(), NB201.from_index(4_711)
    graph = _object(NasBench201SearchSpace, to_naslib("nb201", cell))

    def ours(dataset: str, split: str, epochs: int) -> float:
        return bench.query(cell, dataset=dataset, metric="accuracy", split=split, epochs=epochs, seed="mean").value

    assert query(graph, Metric.VAL_ACCURACY, "cifar10") == ours("cifar10", "valid", 200)
    assert query(graph, Metric.TEST_ACCURACY, "ImageNet16-120") == ours("imagenet16-120", "test", 200)
    assert query(graph, "VAL_ACCURACY", "cifar100", epoch=12) == ours("cifar100", "valid", 12)
    with pytest.raises(UnknownQuery, match=r"no VAL_ACCURACY on cifar100 after 90 epochs\. There is .*200 epochs"):
        query(graph, Metric.VAL_ACCURACY, "cifar100", epoch=90)
    with pytest.raises(UnknownQuery, match="no TEST_ACCURACY on mnist"):
        query(graph, Metric.TEST_ACCURACY, "mnist")
    with pytest.raises(UnknownQuery, match=r"no answer to NASLib's metric VAL_LOSS; there is to TRAIN_ACCURACY"):
        query(graph, Metric.VAL_LOSS, "cifar10")
    micro = _object(TransBench101SearchSpaceMicro, (0, 3, 1, 0, 2, 3))
    assert query(micro, "VAL_ACCURACY", "jigsaw", form=STRING) != query(micro, "VAL_ACCURACY", "jigsaw", form=GRAPH)
