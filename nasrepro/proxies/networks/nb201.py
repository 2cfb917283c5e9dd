"""The networks of NAS-Bench-201 (Dong and Yang, 2020, figure 1): three stages of N equal cells, 16, 32, 64 channels."""

from __future__ import annotations

from torch import nn

from nasrepro.proxies.networks.operations import CellNetwork, ConvBN, DenseCell, ResidualBlock, edge_operation
from nasrepro.spaces.nb201 import NB201, OPERATIONS, Arch


class NB201Network(CellNetwork):
    """A cell of NAS-Bench-201 in the benchmark's skeleton.

    A 3x3 convolution, three stages of `n_cells` cells with a residual block of stride 2 between stages, then batch
    normalisation and ReLU. With the default arguments it has the parameters that the benchmark reports for CIFAR-10.
    """

    def __init__(self, arch: Arch, n_classes: int = 10, channels: int = 16, n_cells: int = 5):
        NB201.check(arch)
        super().__init__()
        blocks: list[nn.Module] = [ConvBN(3, channels, 3)]
        for stage in range(3):
            if stage:
                shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(channels, 2 * channels, 1, bias=False))
                blocks.append(ResidualBlock(channels, 2 * channels, 2, shortcut))
                channels *= 2
            blocks += [
                DenseCell([edge_operation(OPERATIONS[op], channels, channels) for op in arch]) for _ in range(n_cells)
            ]
        self.body = nn.Sequential(*blocks, nn.BatchNorm2d(channels), nn.ReLU())
        self.head = nn.Linear(channels, n_classes)
