"""Labelled images in memory: decoded once, then cropped, mirrored and normalised in batches.

Every random number of an image is a function of seed and image, so a batch is the same whether one process makes it or
several make parts of it.
"""

from __future__ import annotations

import io
import tarfile
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from nasrepro.benchmarks import registry
from nasrepro.errors import CorruptData, MissingData
from nasrepro.seeding import derive

CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CIFAR10_ARCHIVE, CIFAR10_JPEG = "cifar-10-binary.tar.gz", "cifar10_jpeg.parquet"
CIFAR10_MEAN, CIFAR10_STD = (0.4914, 0.4822, 0.4465), (0.2471, 0.2435, 0.2616)
_SIDE = 32
_ROW = 1 + 3 * _SIDE**2  # bytes of a label and its image in the archive
_DRAWS = 5  # random numbers of an image: crop (2), mirror, cutout (2)


class Images(Protocol):
    """What is trained and tested on.

    Attributes:
        classes: names of the classes, in the order of their ids.
        labels: class ids, int64, n.
    """

    classes: Sequence[str]
    labels: Tensor

    def batch(self, indices: Tensor, seed: int | None = None) -> Tensor:
        """Return normalised images, float32, B x 3 x H x W.

        Args:
            indices: which, int64, B.
            seed: of the augmentation, another one for each epoch; None for images as they are tested.

        Raises:
            CorruptData: an image cannot be decoded.
        """


@dataclass
class MemoryImages:
    """Images held as bytes.

    Attributes:
        pixels: uint8, n x H x W x 3.
        labels: int64, n.
        classes: names of the classes.
        mean, std: of the channels, on a scale from 0 to 1.
        padding: an augmented image is a crop of the image padded with so many black pixels.
        cutout: side of the square that augmentation sets to the mean, 0 for none.
    """

    pixels: Tensor
    labels: Tensor
    classes: Sequence[str]
    mean: Sequence[float] = CIFAR10_MEAN
    std: Sequence[float] = CIFAR10_STD
    padding: int = 4
    cutout: int = 0
    _drawn: tuple[int, Tensor] | None = field(default=None, init=False, repr=False)

    def batch(self, indices: Tensor, seed: int | None = None) -> Tensor:
        """See `Images.batch`."""
        n, height, width = len(indices), self.pixels.shape[1], self.pixels.shape[2]
        if seed is None:
            return self._normalised(self.pixels[indices])
        draws = self._draws(seed)[indices]
        span = 2 * self.padding + 1
        rows = (draws[:, :1] * span).long() + torch.arange(height)  # B x H, in the padded image
        columns = (draws[:, 1:2] * span).long() + torch.arange(width)
        columns = torch.where(draws[:, 2:3] < 0.5, columns, columns.flip(1))
        padded = F.pad(self.pixels[indices], (0, 0, *[self.padding] * 4))
        images = self._normalised(padded[torch.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]])
        if self.cutout:
            down, across = (self._within(draws[:, k : k + 1], size) for k, size in ((3, height), (4, width)))
            images = images * ~(down[:, None, :, None] & across[:, None, None, :])
        return images

    def _draws(self, seed: int) -> Tensor:
        """Return the random numbers of all images under a seed, float32, n x 5; the last are kept."""
        if self._drawn is None or self._drawn[0] != seed:
            generator = torch.Generator().manual_seed(seed)
            self._drawn = seed, torch.rand(len(self.labels), _DRAWS, generator=generator)
        return self._drawn[1]

    def _within(self, draw: Tensor, size: int) -> Tensor:
        """Return which of `size` places lie within `cutout` places about a random one, bool, B x size."""
        offset = torch.arange(size) - (draw * size).floor()
        return (offset >= -(self.cutout // 2)) & (offset < self.cutout - self.cutout // 2)

    def _normalised(self, pixels: Tensor) -> Tensor:
        scaled = (pixels / 255 - torch.tensor(self.mean)) / torch.tensor(self.std)
        return scaled.permute(0, 3, 1, 2)  # channels last in memory, in which CPUs and GPUs convolve fastest


def cifar10(split: str, n: int | None = None, side: int = _SIDE, cutout: int = 0) -> MemoryImages:
    """Return CIFAR-10 (Krizhevsky, 2009), from the published archive where it is here, else from its JPEG copy.

    Args:
        split: `train` (50,000 images) or `test` (10,000).
        n: only so many, equally many of each class, the first of each; None for all.
        side: height and width; below 32 the images are averaged down.
        cutout: see `MemoryImages`.

    Raises:
        MissingData: neither file is on this machine.
        CorruptData: the file is not the one that it should be.
    """
    name = cifar10_file()
    pixels, labels = (_from_archive if name == CIFAR10_ARCHIVE else _from_parquet)(registry.use(name), split, n)
    if side != _SIDE:
        small = F.interpolate(pixels.permute(0, 3, 1, 2).float(), size=side, mode="area")
        pixels = small.round().byte().permute(0, 2, 3, 1).contiguous()
    return MemoryImages(pixels, labels, CIFAR10_CLASSES, padding=side // 8, cutout=cutout)


def cifar10_file() -> str:
    """Return which file CIFAR-10 is read from on this machine; raise `MissingData` with what to do where none is."""
    for name in (CIFAR10_ARCHIVE, CIFAR10_JPEG):
        if registry.locate(name) is not None:
            return name
    raise MissingData(
        f"CIFAR-10 is not on this machine, neither as `{CIFAR10_ARCHIVE}` nor as `{CIFAR10_JPEG}`. Run "
        f"`{registry.entry(CIFAR10_ARCHIVE).command}`, or point NASREPRO_MIRROR to a folder that has one of them."
    )


def balanced(labels: np.ndarray, n: int | None) -> np.ndarray:
    """Return the places of the first n images with equally many of each class, in order (up to one more or less)."""
    if n is None or n >= len(labels):
        return np.arange(len(labels))
    rank = pd.Series(labels).groupby(labels).cumcount()  # how many of the same class come before
    return np.sort(np.lexsort((labels, rank))[:n])


def generated(split: str, n: int, side: int = 8, n_classes: int = 10, cutout: int = 0, seed: int = 0) -> MemoryImages:
    """Return made-up images that can be told apart: each class has a pattern of its own, under noise."""
    patterns = np.random.default_rng(derive(seed, "patterns")).integers(0, 256, (n_classes, side, side, 3))
    rng = np.random.default_rng(derive(seed, "noise", split))
    labels = np.arange(n) % n_classes
    noisy = 0.5 * patterns[labels] + 64 + rng.normal(0, 40, (n, side, side, 3))
    pixels = torch.from_numpy(noisy.clip(0, 255).astype(np.uint8))
    names = tuple(f"pattern {c}" for c in range(n_classes))
    return MemoryImages(pixels, torch.from_numpy(labels), names, padding=0, cutout=cutout)


def _from_archive(path: Path, split: str, n: int | None) -> tuple[Tensor, Tensor]:
    members = [f"data_batch_{k}.bin" for k in range(1, 6)] if split == "train" else ["test_batch.bin"]
    try:
        with tarfile.open(path) as archive:
            files = {m.name.rpartition("/")[2]: m for m in archive.getmembers()}
            content = b"".join(archive.extractfile(files[name]).read() for name in members)  # type: ignore[union-attr]
        rows = np.frombuffer(content, dtype=np.uint8).reshape(-1, _ROW)
    except (OSError, EOFError, KeyError, ValueError, tarfile.TarError, zlib.error) as error:
        raise CorruptData(f"{path} is no archive of CIFAR-10: {error}. Delete it and fetch it again.") from error
    kept = rows[balanced(rows[:, 0], n)]
    pixels = kept[:, 1:].reshape(-1, 3, _SIDE, _SIDE).transpose(0, 2, 3, 1)
    return torch.from_numpy(pixels.copy()), torch.from_numpy(kept[:, 0].astype(np.int64))


def _from_parquet(path: Path, split: str, n: int | None) -> tuple[Tensor, Tensor]:
    try:
        table = pq.read_table(path, columns=["label", "jpeg", "name"], filters=[("split", "==", split)])
        labels = table["label"].to_numpy()
        kept = balanced(labels, n)
        files = table.take(kept)
        coded, names = files["jpeg"].to_pylist(), files["name"].to_pylist()
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        raise CorruptData(f"{path} does not hold CIFAR-10: {error}. Take it anew from where you had it.") from error
    with ThreadPoolExecutor() as pool:
        pixels = np.stack(list(pool.map(lambda c, name: _decode(c, f"{name} in {path}"), coded, names)))
    return torch.from_numpy(pixels), torch.from_numpy(labels[kept].astype(np.int64))


def _decode(coded: bytes, what: str) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(coded)) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:
        raise CorruptData(f"The image {what} cannot be decoded: {error}. Restore the file.") from error
