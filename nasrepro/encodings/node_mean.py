"""The embedding of a cell by a pre-trained encoder: the mean of what its nodes are encoded as."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from nasrepro.graphs import Graphs

_CHUNK = 4_096  # cells embedded at a time


@torch.no_grad()
def node_mean(encode: Callable[[Graphs], Tensor], graphs: Graphs) -> np.ndarray:
    """Return the mean over the existing nodes of each cell, float32, B x C.

    Args:
        encode: returns the encoded nodes of a batch, B x N x C.
        graphs: the cells.
    """
    parts = []
    for start in range(0, len(graphs), _CHUNK):
        part = graphs[start : start + _CHUNK]
        keep = part.mask[..., None]
        parts.append((encode(part) * keep).sum(1) / keep.sum(1))
    embedded: np.ndarray = torch.cat(parts).numpy()
    return embedded
