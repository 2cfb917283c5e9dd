"""The networks of NAS-Bench-201 (Dong and Yang, 2020, figure 1): three stages of N equal cells, 16, 32, 64 channels."""

from __future__ import annotations

from torch import Tensor, nn

from nasrepro.proxies.networks.operations import CellNetwork, ConvBN, DenseCell, ReLUConvBN, Zero
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
                blocks.append(ResidualBlock(channels, 2 * channels))
                channels *= 2
            blocks += [DenseCell([_operation(OPERATIONS[op], channels) for op in arch]) for _ in range(n_cells)]
        self.body = nn.Sequential(*blocks, nn.BatchNorm2d(channels), nn.ReLU())
        self.head = nn.Linear(channels, n_classes)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions, the first of stride 2, beside an average pooling and a 1x1 convolution."""

    def __init__(self, c_in: int, c_out: int):
        super().__init__()
        self.convolutions = nn.Sequential(ReLUConvBN(c_in, c_out, 3, 2), ReLUConvBN(c_out, c_out, 3))
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(c_in, c_out, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """Map B x c_in x H x W to B x c_out x H / 2 x W / 2."""
        out: Tensor = self.shortcut(x) + self.convolutions(x)
        return out


def _operation(name: str, channels: int) -> nn.Module:
    match name:
        case "none":
            return Zero(channels, 1)
        case "skip_connect":
            return nn.Identity()
        case "avg_pool_3x3":
            return nn.AvgPool2d(3, 1, 1, count_include_pad=False)
        case _:
            return ReLUConvBN(channels, channels, int(name[-1]))
