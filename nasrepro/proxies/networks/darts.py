"""The networks of the DARTS space on CIFAR-10 (Liu, Simonyan and Yang, 2019; appendix A.2), also those of
NAS-Bench-301, and on ImageNet (section 3.4)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from nasrepro.proxies.networks.operations import CellNetwork, ConvBN, FactorizedReduce, ReLUConvBN
from nasrepro.spaces.darts.genotype import N_INPUTS, N_NODES, OPERATIONS, Cell, Pair, check_pair

Stem = Literal["cifar", "imagenet"]
_STEM = 3  # the stem for CIFAR-10 has three times the channels of a cell


class DARTSNetwork(CellNetwork):
    """A normal and a reduction cell in the skeleton in which DARTS trains on CIFAR-10 or ImageNet.

    A stem, then `n_cells` cells; those at a third and at two thirds of the depth are reduction cells, which halve the
    resolution and double the channels. The stem is a 3x3 convolution for CIFAR-10; for ImageNet three of them with
    stride 2, the last of which starts from the second.

    Args:
        arch: normal and reduction cell.
        n_classes: number of classes.
        channels: channels of each node of the first cells; 36 on CIFAR-10, 32 in NAS-Bench-301, 48 on ImageNet.
        n_cells: number of cells; 20 on CIFAR-10, 8 in NAS-Bench-301, 14 on ImageNet.
        auxiliary: whether there is a second head behind the second reduction cell, for training (images of 32 x 32 for
            the stem of CIFAR-10, 224 x 224 for that of ImageNet).
        stem: what comes before the cells.

    Attributes:
        drop_path: probability with which a path is dropped while training; training schedules set it anew each epoch.
    """

    def __init__(
        self,
        arch: Pair,
        n_classes: int = 10,
        channels: int = 36,
        n_cells: int = 20,
        auxiliary: bool = False,
        stem: Stem = "cifar",
    ):
        check_pair(arch)
        super().__init__()
        self.drop_path = 0.0
        wide = stem == "imagenet"
        width = channels if wide else _STEM * channels
        self.stem = (
            nn.Sequential(*ConvBN(3, width // 2, 3, 2), nn.ReLU(), *ConvBN(width // 2, width, 3, 2))
            if wide
            else ConvBN(3, width, 3)
        )
        self.second_stem = nn.Sequential(nn.ReLU(), *ConvBN(width, width, 3, 2)) if wide else None
        reductions = (n_cells // 3, 2 * n_cells // 3)
        self.cells = nn.ModuleList()
        c_before, c_last, after_reduction = width, width, wide
        for i in range(n_cells):
            reduces = i in reductions
            channels *= 2 if reduces else 1
            cell = DARTSCell(arch[reduces], c_before, c_last, channels, reduces, after_reduction)
            self.cells.append(cell)
            c_before, c_last, after_reduction = c_last, cell.c_out, reduces
        self.auxiliary_place = reductions[1]  # no cell behind it changes the channels
        self.auxiliary = AuxiliaryHead(c_last, n_classes, stem) if auxiliary else None
        self.head = nn.Linear(c_last, n_classes)

    def features(self, images: Tensor) -> Tensor:
        """Return the last feature map, B x C x H / 4 x W / 4, after the stem of ImageNet B x C x H / 32 x W / 32."""
        return self._states(images)[-1]

    def forward_with_auxiliary(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of the head and of the auxiliary head, each B x classes; only with `auxiliary`."""
        if self.auxiliary is None:
            raise ValueError("This network was built without its auxiliary head")
        states = self._states(images)
        return self.head(states[-1].mean((2, 3))), self.auxiliary(states[self.auxiliary_place])

    def _states(self, images: Tensor) -> list[Tensor]:
        """Return the outputs of all cells."""
        before = last = self.stem(images)
        if self.second_stem is not None:
            last = self.second_stem(before)
        states = []
        for cell in self.cells:
            before, last = last, cell(before, last, self.drop_path if self.training else 0.0)
            states.append(last)
        return states


class DARTSCell(nn.Module):
    """One cell: four nodes, each the sum of two operations; the output concatenates them."""

    def __init__(self, cell: Cell, c_before: int, c_last: int, channels: int, reduces: bool, halve: bool):
        """Build a cell whose nodes have `channels`; `halve`: the cell before it was a reduction cell."""
        super().__init__()
        first = FactorizedReduce(c_before, channels) if halve else ReLUConvBN(c_before, channels, 1)
        self.preprocess = nn.ModuleList([first, ReLUConvBN(c_last, channels, 1)])
        self.inputs = [source for source, _ in cell]
        self.operations = nn.ModuleList(
            _operation(OPERATIONS[op], channels, 2 if reduces and source < N_INPUTS else 1) for source, op in cell
        )
        self.c_out = channels * N_NODES

    def forward(self, before: Tensor, last: Tensor, drop: float = 0.0) -> Tensor:
        """Map the outputs of the two cells before to B x c_out x H x W, dropping paths with probability `drop`."""
        nodes = [prepare(x) for prepare, x in zip(self.preprocess, (before, last), strict=True)]
        for k in range(0, len(self.inputs), 2):
            nodes.append(self._path(k, nodes, drop) + self._path(k + 1, nodes, drop))
        return torch.cat(nodes[N_INPUTS:], 1)

    def _path(self, k: int, nodes: list[Tensor], drop: float) -> Tensor:
        operation = self.operations[k]
        out: Tensor = operation(nodes[self.inputs[k]])
        return out if isinstance(operation, nn.Identity) else drop_path(out, drop)


def drop_path(x: Tensor, probability: float) -> Tensor:
    """Set whole samples of B x C x H x W to zero with this probability, and scale the others to keep the mean.

    Drawn from PyTorch's global state, as dropout is.
    """
    if probability == 0:
        return x
    keep = 1 - probability
    return x * x.new_empty(len(x), 1, 1, 1).bernoulli_(keep) / keep


class AuxiliaryHead(nn.Sequential):
    """The second classifier, on feature maps of 8 x 8, or 7 x 7 after the stem of ImageNet.

    As in the authors' code, that of ImageNet has no normalisation behind its second convolution.
    """

    def __init__(self, c_in: int, n_classes: int, stem: Stem = "cifar"):
        cifar = stem == "cifar"
        super().__init__(
            nn.ReLU(),
            nn.AvgPool2d(5, stride=3 if cifar else 2, count_include_pad=False),
            *ConvBN(c_in, 128, 1),
            nn.ReLU(),
            nn.Conv2d(128, 768, 2, bias=False),
            *([nn.BatchNorm2d(768)] if cifar else []),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(768, n_classes),
        )


def _separable(channels: int, kernel: int, stride: int, dilation: int = 1) -> list[nn.Module]:
    """Return ReLU, depthwise and pointwise convolution, batch normalisation."""
    depthwise = ConvBN(channels, channels, kernel, stride, dilation=dilation, groups=channels)[0]
    return [nn.ReLU(), depthwise, *ConvBN(channels, channels, 1)]


def _operation(name: str, channels: int, stride: int) -> nn.Module:
    match name:
        case "skip_connect":
            return nn.Identity() if stride == 1 else FactorizedReduce(channels, channels)
        case "max_pool_3x3":
            return nn.MaxPool2d(3, stride, 1)
        case "avg_pool_3x3":
            return nn.AvgPool2d(3, stride, 1, count_include_pad=False)
        case "sep_conv_3x3" | "sep_conv_5x5":
            kernel = int(name[-1])
            return nn.Sequential(*_separable(channels, kernel, stride), *_separable(channels, kernel, 1))
        case _:
            return nn.Sequential(*_separable(channels, int(name[-1]), stride, dilation=2))
