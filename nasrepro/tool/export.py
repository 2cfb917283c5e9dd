"""A cell for other programs: JSON, a torch-geometric graph, or a PyTorch module that needs nothing of this one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Literal

from nasrepro.encodings.structure import operation_kinds
from nasrepro.errors import ParameterError
from nasrepro.spaces.base import SearchSpace

_CONVOLUTION = "nn.Sequential(nn.ReLU(), nn.Conv2d(c, c, {k}, padding={p}, bias=False), nn.BatchNorm2d(c))"
_OF_KIND = {
    "pool": "nn.AvgPool2d(3, stride=1, padding=1)",
    "none": "Zero()",
}  # all others pass on what they read
_MODULE = '''"""A cell, exported by nasrepro: {text}"""

import torch
from torch import nn

OPERATIONS = {operations!r}  # of each node
EDGES = {edges!r}  # (source, target)


class Zero(nn.Module):
    """Passes on nothing."""

    def forward(self, x):
        return torch.zeros_like(x)


MODULES = {{  # name of an operation -> its module for c channels; edit what is only passed on
{modules}
}}


class Cell(nn.Module):
    """Every node applies its operation to the sum of what it reads; the cell gives the sum of what nobody reads."""

    def __init__(self, c):
        super().__init__()
        self.nodes = nn.ModuleList(MODULES[name](c) for name in OPERATIONS)
        self.inputs = [[i for i, j in EDGES if j == node] for node in range(len(OPERATIONS))]
        self.ends = [node for node in range(len(OPERATIONS)) if all(i != node for i, _ in EDGES)]

    def forward(self, x):
        values = []
        for node, inputs in zip(self.nodes, self.inputs):
            values.append(node(sum(values[i] for i in inputs) if inputs else x))
        return sum(values[node] for node in self.ends)


class Network(nn.Module):
    """A stem, cells one after another, and a linear classifier of images."""

    def __init__(self, channels=16, cells=3, classes=10, in_channels=3):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(in_channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))
        self.cells = nn.Sequential(*(Cell(channels) for _ in range(cells)))
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))

    def forward(self, x):
        return self.head(self.cells(self.stem(x)))
'''


def export(
    arch: Any,
    space: SearchSpace[Any],
    to: Literal["json", "pyg", "torch"] = "json",
    modules: Mapping[str, str] | None = None,
) -> Any:
    """Return an architecture for other programs, in the graph form of its space.

    Args:
        arch: the architecture.
        space: its space.
        to: `json`: a text with operations, edges and native string. `pyg`: a `torch_geometric.data.Data`. `torch`: the
            text of a Python module with `Cell(channels)` and `Network(...)`, which imports torch alone.
        modules: of `torch`: operation -> expression of its module for `c` channels, e.g. `nn.Conv2d(c, c, 3,
            padding=1)`. By default by its kind: convolutions (kernel by the name, 3x3 where it has none), pooling,
            nothing for `none`; all others pass on what they read.

    Raises:
        InvalidArchitecture: the architecture is not of the space.
        ParameterError: an unknown format, or a module of an operation that the space does not have.
    """
    space.check(arch)
    graphs = space.encode([arch])
    if to == "pyg":
        return graphs.to_pyg()[0]
    size = int(graphs.mask.sum())
    names = [str(name) for name in space.class_names(graphs.nodes[0, :size].tolist())]
    edges = [(int(i), int(j)) for i, j in graphs.adjacency()[0, :size, :size].nonzero().tolist()]
    text = space.to_string(arch)
    if to == "json":
        return json.dumps({"space": space.name, "arch": text, "operations": names, "edges": edges}, ensure_ascii=False)
    if to != "torch":
        raise ParameterError(f"An architecture is exported to json, pyg or torch, not to {to!r}.")
    kinds = dict(zip(map(str, space.node_classes), operation_kinds(space.node_classes), strict=True))
    if unknown := (modules or {}).keys() - kinds.keys():
        raise ParameterError(f"{space.name} has the operations {', '.join(kinds)}, not {', '.join(sorted(unknown))}.")
    made = {name: (modules or {}).get(name) or _module(name, kinds[name]) for name in dict.fromkeys(names)}
    lines = "\n".join(f"    {name!r}: lambda c: {made[name]}," for name in made)
    return _MODULE.format(text=text.replace('"', "'"), operations=names, edges=edges, modules=lines)


def _module(name: str, kind: str) -> str:
    if kind == "conv":
        found = re.search(r"(\d)x\1", name)
        kernel = int(found[1]) if found else 3
        return _CONVOLUTION.format(k=kernel, p=kernel // 2)
    return _OF_KIND.get(kind, "nn.Identity()")
