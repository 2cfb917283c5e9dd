"""Building blocks shared by the networks: convolutions with normalisation, pooling, and the densely connected cell."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class CellNetwork(nn.Module):
    """A convolutional classifier made of cells: `body`, average over all places of the last feature map, `head`.

    Attributes:
        body: from images (B x 3 x H x W) to the last feature map (B x C x h x w).
        head: linear layer from C to the classes.
    """

    body: nn.Module
    head: nn.Linear

    def features(self, images: Tensor) -> Tensor:
        """Return the last feature map, B x C x h x w, before the average over places."""
        features: Tensor = self.body(images)
        return features

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, B x classes."""
        logits: Tensor = self.head(self.features(images).mean((2, 3)))
        return logits


class ConvBN(nn.Sequential):
    """Convolution without bias that keeps the resolution (divided by `stride`), then batch normalisation."""

    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1, *, dilation: int = 1, groups: int = 1):
        padding = dilation * (kernel - 1) // 2
        super().__init__(
            nn.Conv2d(c_in, c_out, kernel, stride, padding, dilation, groups, bias=False), nn.BatchNorm2d(c_out)
        )


class ReLUConvBN(nn.Sequential):
    """ReLU, convolution, batch normalisation."""

    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1):
        super().__init__(nn.ReLU(), *ConvBN(c_in, c_out, kernel, stride))


class FactorizedReduce(nn.Module):
    """The operation `skip_connect`, where it changes the shape: ReLU, two 1x1 convolutions, batch normalisation.

    The second convolution sees the feature map shifted by one place, so that with stride 2 no place is lost.
    """

    def __init__(self, c_in: int, c_out: int, stride: int = 2):
        super().__init__()
        self.relu = nn.ReLU()
        self.even = nn.Conv2d(c_in, c_out // 2, 1, stride, bias=False)
        self.odd = nn.Conv2d(c_in, c_out - c_out // 2, 1, stride, bias=False)
        self.norm = nn.BatchNorm2d(c_out)

    def forward(self, x: Tensor) -> Tensor:
        """Map B x c_in x H x W to B x c_out x ceil(H / stride) x ceil(W / stride)."""
        x = self.relu(x)
        shifted = nn.functional.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]
        out: Tensor = self.norm(torch.cat([self.even(x), self.odd(shifted)], 1))
        return out


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions, the first with a stride, beside a shortcut."""

    def __init__(self, c_in: int, c_out: int, stride: int, shortcut: nn.Module):
        super().__init__()
        self.convolutions = nn.Sequential(ReLUConvBN(c_in, c_out, 3, stride), ReLUConvBN(c_out, c_out, 3))
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Map B x c_in x H x W to B x c_out x H / stride x W / stride."""
        out: Tensor = self.shortcut(x) + self.convolutions(x)
        return out


class Zero(nn.Module):
    """The operation `none`, where it also changes the shape."""

    def __init__(self, c_out: int, stride: int):
        super().__init__()
        self.c_out, self.stride = c_out, stride

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W to zeros of B x c_out x ceil(H / stride) x ceil(W / stride)."""
        height, width = (-(-size // self.stride) for size in x.shape[2:])
        return x.new_zeros(len(x), self.c_out, height, width)


class DenseCell(nn.Module):
    """A cell with one operation on each edge i -> j, i < j: a node is the sum of what its edges bring.

    `edges` lists the operations in string order: 0->1, 0->2, 1->2, 0->3, ... The last node is the output.
    """

    def __init__(self, edges: Sequence[nn.Module]):
        super().__init__()
        self.edges = nn.ModuleList(edges)

    def forward(self, x: Tensor) -> Tensor:
        """Return the last node."""
        nodes = [x]
        edges = list(self.edges)
        while edges:
            incoming, edges = edges[: len(nodes)], edges[len(nodes) :]
            nodes.append(torch.stack([edge(node) for edge, node in zip(incoming, nodes, strict=True)]).sum(0))
        return nodes[-1]


def edge_operation(name: str, c_in: int, c_out: int, stride: int = 1) -> nn.Module:
    """Return what an edge of a `DenseCell` does, by the benchmarks' name of it."""
    match name:
        case "none":
            return Zero(c_out, stride)
        case "skip_connect":
            return nn.Identity() if c_in == c_out and stride == 1 else FactorizedReduce(c_in, c_out, stride)
        case "avg_pool_3x3":
            return nn.AvgPool2d(3, stride, 1, count_include_pad=False)
        case _:
            return ReLUConvBN(c_in, c_out, int(name[-1]), stride)
