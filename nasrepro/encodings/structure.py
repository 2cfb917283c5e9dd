"""What a cell computes, in a few numbers: its live operations, which of them feed which, and its paths.

A node is *live* when it lies on a path from an input to the output that no `none` operation cuts. All quantities are
sums, maxima and minima over paths, computed in one pass over the nodes in topological order; they do not depend on how
the nodes of a cell are numbered.
"""

from __future__ import annotations

import torch
from torch import Tensor

from nasrepro.graphs import Graphs, pair_indices

# kind -> the node classes of it, of all spaces; `conv` has weights, `other` changes neither size nor resolution
_CLASSES_OF_KIND = {
    "input": ("input", "input_1", "in"),
    "output": ("output", "out"),
    "conv": (
        *("conv1x1-bn-relu", "conv3x3-bn-relu"),  # NAS-Bench-101
        *("nor_conv_1x1", "nor_conv_3x3"),  # NAS-Bench-201, TransNAS-Bench-101 micro
        *(
            "normal",
            "double_channels",
            "halve_resolution",
            "double_channels_halve_resolution",
        ),  # macro: residual blocks
        *("sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5"),  # DARTS
        "linear",  # NAS-Bench-NLP
    ),
    "pool": ("maxpool3x3", "avg_pool_3x3", "max_pool_3x3"),
    "skip": ("skip_connect", "identity"),
    "none": ("none",),
    "other": ("blend", "prod", "sum", "sigm", "tanh", "leaky_relu"),
}
OPERATION_KIND = {name: kind for kind, names in _CLASSES_OF_KIND.items() for name in names}


def operation_kinds(node_classes: tuple[str, ...]) -> tuple[str, ...]:
    """Return the kind of each node class: what its space declares, else what its name is known for, else `other`."""
    return tuple(getattr(name, "kind", OPERATION_KIND.get(name, "other")) for name in node_classes)


def terminals(graphs: Graphs, kinds: tuple[str, ...]) -> tuple[Tensor, Tensor]:
    """Return the nodes where cells begin and end, bool, B x N: those of kind input, and output. Where no operation of
    the space is of the kind, they are the nodes that read nothing, and that nothing reads."""
    adjacency = graphs.adjacency()
    found = []
    for kind, joined in (("input", adjacency.any(1)), ("output", adjacency.any(2))):
        known = torch.tensor([k == kind for k in kinds])[graphs.nodes]
        found.append(graphs.mask & (known if kind in kinds else ~joined))
    return found[0], found[1]


def structure_features(graphs: Graphs, node_classes: tuple[str, ...]) -> Tensor:
    """Describe cells by their live operations and live paths.

    Args:
        graphs: the cells.
        node_classes: names of the node classes, as the space gives them.

    Returns:
        float32, B x (K + K K + 3): number of live nodes of each class; number of edges between live nodes from each
        class to each; most and fewest `conv` nodes on a live path (0 where there is none); log(1 + number of live
        paths).
    """
    kinds = operation_kinds(node_classes)
    n = graphs.n_nodes

    def is_kind(kind: str) -> Tensor:  # N x B
        return (torch.tensor([k == kind for k in kinds])[graphs.nodes] & graphs.mask).T.contiguous()

    begins, ends = (nodes.T.contiguous() for nodes in terminals(graphs, kinds))
    passes = graphs.mask.T & ~is_kind("none")
    weighs = is_kind("conv").to(torch.float32)
    ends_of_edges = zip(*(i.tolist() for i in pair_indices(n, graphs.nodes.device)), strict=True)
    edges = dict(zip(ends_of_edges, graphs.pairs.T == 1, strict=True))

    # over the paths from an input to each node: how many there are, most and fewest conv nodes
    number = begins.to(torch.float32)
    most = torch.where(begins, 0.0, -torch.inf)
    fewest = torch.where(begins, 0.0, torch.inf)
    for j in range(n):
        for i in range(j):
            edge = edges[i, j]
            number[j] += edge * number[i]
            most[j] = torch.where(edge, torch.maximum(most[j], most[i]), most[j])
            fewest[j] = torch.where(edge, torch.minimum(fewest[j], fewest[i]), fewest[j])
        number[j] *= passes[j]
        most[j] = torch.where(passes[j], most[j] + weighs[j], -torch.inf)
        fewest[j] = torch.where(passes[j], fewest[j] + weighs[j], torch.inf)

    arrives = ends.clone()  # whether the output is reached from a node
    for i in reversed(range(n)):
        for j in range(i + 1, n):
            arrives[i] |= edges[i, j] & arrives[j]
        arrives[i] &= passes[i]

    live, classes = (number > 0) & arrives, graphs.nodes.T.contiguous()
    counts, feeds = (torch.zeros(len(graphs), len(kinds) ** k) for k in (1, 2))
    for j in range(n):
        counts.scatter_add_(1, classes[j, :, None], live[j, :, None].to(torch.float32))
        for i in range(j):
            used = edges[i, j] & live[i] & live[j]
            feeds.scatter_add_(1, (classes[i] * len(kinds) + classes[j])[:, None], used[:, None].to(torch.float32))
    longest = torch.where(ends, most, -torch.inf).amax(0)
    shortest = torch.where(ends, fewest, torch.inf).amin(0)
    paths = [longest, shortest, torch.log1p((number * ends).sum(0))]
    path_features = torch.stack(paths, dim=1).nan_to_num(posinf=0.0, neginf=0.0)
    return torch.cat([counts, feeds, path_features], dim=1)
