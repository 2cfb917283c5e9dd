"""NASLib's objects: the cells that they stand for, and NASLib's queries answered from our tables.

NASLib (https://github.com/automl/NASLib) needs Python below 3.10 and is not on PyPI. Nothing here needs it but
`to_graph`, which makes its objects; the other functions take objects that somebody has. How NASLib writes cells is in
`nasrepro.spaces.naslib`: a micro cell of TransNAS-Bench-101 means two different networks to it, so its form must be
named.

What differs from NASLib's own answers: it maps validation and test accuracy of NAS-Bench-201 to one field, here each is
its own column; values are means over seeds.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from nasrepro import benchmarks
from nasrepro.benchmarks.base import MEAN, Column
from nasrepro.benchmarks.transnas import TASKS
from nasrepro.errors import MissingData, UnknownQuery, did_you_mean
from nasrepro.spaces.naslib import FORMS, from_naslib, to_naslib

MICRO = ("tnb101-micro:string", "tnb101-micro:graph")
_CLASSES = {  # form -> module of NASLib and class
    "nb101": ("nasbench101", "NasBench101SearchSpace"),
    "nb201": ("nasbench201", "NasBench201SearchSpace"),
    "nb301": ("nasbench301", "NasBench301SearchSpace"),
    **dict.fromkeys(MICRO, ("transbench101", "TransBench101SearchSpaceMicro")),
    "tnb101-macro": ("transbench101", "TransBench101SearchSpaceMacro"),
}
_QUESTIONS = {  # NASLib's metric -> split and our metrics
    "TRAIN_ACCURACY": ("train", {"accuracy"}),
    "VAL_ACCURACY": ("valid", {"accuracy", *(metric for metric, _ in TASKS.values())}),
    "TEST_ACCURACY": ("test", {"accuracy"}),
    "TRAIN_TIME": ("train", {"train_time"}),
    "PARAMETERS": ("model", {"parameters"}),
    "FLOPS": ("model", {"flops"}),
    "LATENCY": ("device", {"latency"}),
}


def from_graph(graph: Any, form: str | None = None) -> Any:
    """Return the architecture of one of NASLib's search space objects.

    Args:
        graph: the object; its `get_hash` says which cell it is.
        form: how the cell is written (see `nasrepro.spaces.naslib`); None for that of the object's class.

    Raises:
        UnknownQuery: another class of objects, or a micro cell of TransNAS-Bench-101 without a form.
        InvalidArchitecture: the object is no architecture of the space.
    """
    return from_naslib(_form(graph, form), graph.get_hash())


def to_graph(form: str, arch: Any) -> Any:
    """Return NASLib's object for an architecture; raise `MissingData` where NASLib is not installed."""
    written = to_naslib(form, arch)
    module, name = _CLASSES[form]
    try:
        graph = getattr(import_module(f"naslib.search_spaces.{module}.graph"), name)()
    except ModuleNotFoundError as error:
        raise MissingData(
            f"Making NASLib's objects needs NASLib, and {error.name} is not installed. It needs Python below 3.10: see "
            "environment.yml for an environment that has it."
        ) from error
    if form == "nb101":
        written = {"matrix": np.array(arch.adjacency), "ops": list(arch.operations)}
    graph.set_spec(written)
    return graph


def query(graph: Any, metric: Any, dataset: str, epoch: int = -1, form: str | None = None) -> float:
    """Return what NASLib's `graph.query(metric, dataset, epoch)` asks for, from our tables.

    Args:
        graph, form: as in `from_graph`.
        metric: of NASLib's `Metric`, or its name, e.g. `VAL_ACCURACY`.
        dataset: of the benchmark, e.g. `ImageNet16-120` or `jigsaw`.
        epoch: number of training epochs, -1 for the most that there are.

    Raises:
        UnknownQuery: the benchmark has no such column, or no value of the architecture.
        MissingData: its file is not on this machine.
    """
    name = getattr(metric, "name", str(metric))
    if name not in _QUESTIONS:
        raise UnknownQuery(
            f"There is no answer to NASLib's metric {name}; there is to {', '.join(_QUESTIONS)}."
            + did_you_mean(name, _QUESTIONS)
        )
    form = _form(graph, form)
    bench = benchmarks.load(form.partition(":")[0])
    split, metrics = _QUESTIONS[name]
    known = [
        column
        for column in bench.known_columns()
        if (column.dataset, column.split, column.seed) == (dataset.lower(), split, MEAN) and column.metric in metrics
    ]
    asked = [column for column in known if epoch in (-1, column.epochs)]
    if not asked:
        there = f" There is {', '.join(map(str, known))}." if known else ""
        after = "" if epoch == -1 else f" after {epoch} epochs"
        raise UnknownQuery(f"{bench.title} has no {name} on {dataset}{after}.{there}")
    column: Column = max(asked, key=lambda column: column.epochs)
    return bench.query(from_graph(graph, form), **column.__dict__).value


def _form(graph: Any, form: str | None) -> str:
    """Return the form of an object's cells, the given one if there is one, after checking that it can be."""
    kind = type(graph).__name__
    forms = [known for known, (_, name) in _CLASSES.items() if name == kind]
    if form is not None and form not in FORMS:
        raise UnknownQuery(f"NASLib has no form `{form}`; it has {', '.join(FORMS)}.{did_you_mean(form, FORMS)}")
    if not forms or (form is not None and form not in forms):
        raise UnknownQuery(
            f"`{kind}` is no class of NASLib with cells of {form or 'a known form'}; there is "
            f"{', '.join(dict.fromkeys(name for _, name in _CLASSES.values()))}."
        )
    if form is None and len(forms) > 1:
        raise UnknownQuery(
            f"NASLib's `{kind}` means one network when it is queried and another when it is trained. Name the form: "
            f"{' or '.join(forms)}."
        )
    return form or forms[0]
