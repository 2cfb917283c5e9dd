"""The networks of TransNAS-Bench-101 (Duan et al., 2021): a stem, modules of two blocks, and a linear classifier."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import nn

from nasrepro.proxies.networks.operations import (
    CellNetwork,
    ConvBN,
    DenseCell,
    ReLUConvBN,
    ResidualBlock,
    edge_operation,
)
from nasrepro.spaces.edge_cell import CELL_EDGES, Arch
from nasrepro.spaces.transnas import TNB101_MACRO, TNB101_MICRO

MICRO_MODULES = (4, 1, 4, 1, 4)  # the modules around the cells of the micro space, `64-41414-...`

Block = Callable[[int, int, int], nn.Module]
"""From the channels at its input, those at its output and the stride to a block."""


class _TNB101Network(CellNetwork):
    """The skeleton. The stem is two 3x3 convolutions of stride 2; a module is two blocks, of which the first doubles
    the channels (module types 2 and 4) and halves the resolution (3 and 4)."""

    def __init__(self, block: Block, modules: Sequence[int], n_classes: int, channels: int):
        super().__init__()
        blocks: list[nn.Module] = [ConvBN(3, channels // 2, 3, 2), ReLUConvBN(channels // 2, channels, 3, 2)]
        for module in modules:
            c_in, channels = channels, channels * (2 if module in (2, 4) else 1)
            blocks += [block(c_in, channels, 2 if module > 2 else 1), block(channels, channels, 1)]
        self.body = nn.Sequential(*blocks)
        self.head = nn.Linear(channels, n_classes)


class TNB101MicroNetwork(_TNB101Network):
    """A cell of the micro space in the benchmark's encoder, with the head of its classification tasks.

    The benchmark tells apart 75 classes of objects and 47 of scenes, NAS-Bench-Suite-Zero takes 100 and 63; other tasks
    put other decoders on `features`.
    """

    def __init__(self, arch: Arch, n_classes: int = 75, channels: int = 64):
        TNB101_MICRO.check(arch)
        names = [TNB101_MICRO.operations[op] for op in arch]

        def cell(c_in: int, c_out: int, stride: int) -> nn.Module:
            return DenseCell(
                [
                    edge_operation(name, c_out if source else c_in, c_out, 1 if source else stride)
                    for (source, _), name in zip(CELL_EDGES, names, strict=True)
                ]
            )

        super().__init__(cell, MICRO_MODULES, n_classes, channels)


class TNB101MacroNetwork(_TNB101Network):
    """A network of the macro space, a chain of modules of residual blocks, with the head of classification tasks."""

    def __init__(self, arch: Arch, n_classes: int = 75, channels: int = 64):
        TNB101_MACRO.check(arch)
        super().__init__(_residual, arch, n_classes, channels)


def _residual(c_in: int, c_out: int, stride: int) -> ResidualBlock:
    """Return two 3x3 convolutions beside the identity, or beside a 1x1 convolution where the shape changes."""
    same = c_in == c_out and stride == 1
    return ResidualBlock(c_in, c_out, stride, nn.Identity() if same else ConvBN(c_in, c_out, 1, stride))
