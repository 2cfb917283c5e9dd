"""The networks of NAS-Bench-101 (Ying et al., 2019, figure 1): three stacks of three equal cells, 128, 256, 512
channels."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from nasrepro.proxies.networks.operations import CellNetwork
from nasrepro.spaces.nb101.parameters import CELLS_PER_STACK, N_STACKS, STEM_CHANNELS, vertex_channels
from nasrepro.spaces.nb101.space import NB101, Cell

_MOMENTUM = 0.003  # of the normalisations; the benchmark's TensorFlow says 0.997 of the same


class NB101Network(CellNetwork):
    """A cell of NAS-Bench-101 in the benchmark's skeleton.

    A 3x3 convolution, three stacks of `n_cells` cells; before the second and the third stack a max pooling of stride 2,
    and twice the channels from there on.

    With the default arguments it has the parameters that the benchmark reports.
    """

    def __init__(self, arch: Cell, n_classes: int = 10, channels: int = STEM_CHANNELS, n_cells: int = CELLS_PER_STACK):
        NB101.check(arch)
        super().__init__()
        blocks: list[nn.Module] = [ConvBNReLU(3, channels, 3)]
        c_in = channels
        for stack in range(N_STACKS):
            if stack:
                blocks.append(nn.MaxPool2d(2))
                channels *= 2
            for _ in range(n_cells):
                blocks.append(NB101Cell(arch, c_in, channels))
                c_in = channels
        self.body = nn.Sequential(*blocks)
        self.head = nn.Linear(channels, n_classes)


class NB101Cell(nn.Module):
    """One cell: a vertex sums its inputs; the output concatenates its inputs, and adds the cell's input if joined.

    The cell's input reaches a vertex through a 1x1 convolution of its own. Where an interior vertex has more channels
    than the vertex that it feeds, the surplus is cut off.
    """

    def __init__(self, arch: Cell, c_in: int, c_out: int):
        super().__init__()
        adjacency = arch.adjacency
        output = len(adjacency) - 1
        self.channels = [c_in, *vertex_channels(adjacency, c_out), c_out]
        self.sources = [[int(i) for i in np.flatnonzero(adjacency[1:, v]) + 1] for v in range(output + 1)]
        self.projections = nn.ModuleDict(
            {str(v): ConvBNReLU(c_in, self.channels[v], 1) for v in range(1, output + 1) if adjacency[0, v]}
        )
        self.operations = nn.ModuleList(
            _operation(name, c) for name, c in zip(arch.operations[1:-1], self.channels[1:-1], strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map B x c_in x H x W to B x c_out x H x W."""
        values: list[Tensor] = [x]
        for v, operation in enumerate(self.operations, start=1):
            inputs = [values[i][:, : self.channels[v]] for i in self.sources[v]]
            values.append(operation(self._sum(x, v, inputs)))
        last = len(self.channels) - 1
        joined = [torch.cat([values[i] for i in self.sources[last]], 1)] if self.sources[last] else []
        return self._sum(x, last, joined)

    def _sum(self, x: Tensor, vertex: int, inputs: list[Tensor]) -> Tensor:
        if str(vertex) in self.projections:
            inputs = [*inputs, self.projections[str(vertex)](x)]
        return torch.stack(inputs).sum(0) if len(inputs) > 1 else inputs[0]


class ConvBNReLU(nn.Sequential):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, c_in: int, c_out: int, kernel: int):
        super().__init__(
            nn.Conv2d(c_in, c_out, kernel, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(c_out, momentum=_MOMENTUM),
            nn.ReLU(),
        )


def _operation(name: str, channels: int) -> nn.Module:
    match name:
        case "maxpool3x3":
            return nn.MaxPool2d(3, 1, 1)
        case _:
            return ConvBNReLU(channels, channels, int(name[4]))
