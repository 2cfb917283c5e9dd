"""Images in folders, one folder per class, as ImageNet lies: decoded and augmented as they are needed.

Decoding runs in threads, which JPEG decoders and resamplers let run side by side; the next batches are made while the
device works on this one (see `train.prefetched`).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageOps
from torch import Tensor

from nasrepro.errors import CorruptData, MissingData
from nasrepro.seeding import numpy_stream

VARIABLE = "NASREPRO_IMAGENET"  # names the folder that holds `train` and `val`
SUFFIXES = (".jpeg", ".jpg", ".png", ".bmp", ".webp")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
FEWEST_CLASSES = 6  # with five, every answer is among the top five
_SCALE, _LOG_RATIO = (0.08, 1.0), np.log(4 / 3)  # share of the area, and shape, of a random crop
_JITTER, _HUE = 0.4, 0.2


class FolderImages:
    """The images below `root`, one folder per class, class ids in the order of the folders' names.

    Training: a random crop of 8-100 % of the area, mirrored half of the time, its colours changed. Testing: the centre
    of the image, whose shorter side has been resized to 8/7 of the crop (256 for 224).
    """

    def __init__(self, root: Path, side: int = 224, threads: int | None = None) -> None:
        """List the images; raise `MissingData` for no folder, `CorruptData` for too few classes or an empty one."""
        self.root, self.side = root, side
        listing = list_images(root)
        self.classes: Sequence[str] = tuple(listing)
        self.files = [f"{name}/{file}" for name, files in listing.items() for file in files]
        self.labels = torch.repeat_interleave(torch.tensor([len(f) for f in listing.values()]))
        self._pool = ThreadPoolExecutor(threads or os.cpu_count())

    def batch(self, indices: Tensor, seed: int | None = None) -> Tensor:
        """See `images.Images.batch`."""
        pixels = np.stack(list(self._pool.map(lambda i: self._one(i, seed), indices.tolist())))
        scaled = (torch.from_numpy(pixels) / 255 - torch.tensor(MEAN)) / torch.tensor(STD)
        return scaled.permute(0, 3, 1, 2)

    def _one(self, index: int, seed: int | None) -> np.ndarray:
        path = self.root / self.files[index]
        try:
            with Image.open(path) as found:
                rng = None if seed is None else numpy_stream(seed, "image", index)
                return np.asarray(_centre(found, self.side) if rng is None else _augment(found, self.side, rng))
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise CorruptData(
                f"{path} cannot be decoded: {error}. Restore or delete the file and repeat the command."
            ) from error


def list_images(root: Path) -> dict[str, list[str]]:
    """Return class name -> names of its image files, both in order; raises as `FolderImages`."""
    if not root.is_dir():
        raise MissingData(
            f"There is no folder {root}. ImageNet must be there as one folder per class; point {VARIABLE} to the "
            "folder that holds `train` and `val`."
        )
    folders = sorted(entry.name for entry in os.scandir(root) if entry.is_dir())
    listing = {
        name: sorted(e.name for e in os.scandir(root / name) if e.name.lower().endswith(SUFFIXES)) for name in folders
    }
    if len(listing) < FEWEST_CLASSES:
        raise CorruptData(
            f"{root} has {len(listing)} folders, that is classes; a top-5 error needs {FEWEST_CLASSES} at least. "
            "Each class must be a folder of its own."
        )
    if empty := [name for name, files in listing.items() if not files]:
        raise CorruptData(
            f"The classes {', '.join(empty[:5])} in {root} have no images ({', '.join(SUFFIXES)}). Unpack them again."
        )
    return listing


def imagenet_folder() -> Path:
    """Return the folder of ImageNet; raise `MissingData` where `NASREPRO_IMAGENET` is not set."""
    value = os.environ.get(VARIABLE)
    if not value:
        raise MissingData(
            f"ImageNet cannot be downloaded without an account. Where you have it, set {VARIABLE} to the folder that "
            "holds `train` and `val`, each with one folder per class."
        )
    return Path(value).expanduser()


def fingerprint(root: Path) -> str:
    """Return the sha256 of the names of classes and files, which stands for the folder in a record."""
    return sha256(repr(list_images(root)).encode()).hexdigest()


def _centre(image: Image.Image, side: int) -> Image.Image:
    image.draft("RGB", (round(side * 8 / 7),) * 2)
    return ImageOps.fit(image.convert("RGB"), (side, side), Image.Resampling.BILINEAR, bleed=1 / 16)


def _augment(image: Image.Image, side: int, rng: np.random.Generator) -> Image.Image:
    box = _random_box(image.width, image.height, rng)
    crop = image.convert("RGB").resize((side, side), Image.Resampling.BILINEAR, box)
    return _jitter(ImageOps.mirror(crop) if rng.random() < 0.5 else crop, rng)


def _random_box(width: int, height: int, rng: np.random.Generator) -> tuple[float, float, float, float]:
    """Return a box (left, upper, right, lower) of random area, shape and place; the largest square after ten tries."""
    for _ in range(10):
        area = width * height * rng.uniform(*_SCALE)
        ratio = float(np.exp(rng.uniform(-_LOG_RATIO, _LOG_RATIO)))
        w, h = (area * ratio) ** 0.5, (area / ratio) ** 0.5
        if w <= width and h <= height:
            left, upper = rng.uniform(0, width - w), rng.uniform(0, height - h)
            return left, upper, left + w, upper + h
    half = min(width, height) / 2
    return width / 2 - half, height / 2 - half, width / 2 + half, height / 2 + half


def _jitter(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Change brightness, contrast and saturation by up to 40 %, in random order, and the hue by up to 0.2 turns."""
    enhancers = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)
    factors = rng.uniform(1 - _JITTER, 1 + _JITTER, len(enhancers))
    turn = round(256 * rng.uniform(-_HUE, _HUE))
    for k in rng.permutation(len(enhancers)):
        image = enhancers[k](image).enhance(factors[k])
    hue, saturation, value = image.convert("HSV").split()
    hue = hue.point([(v + turn) % 256 for v in range(256)])
    return Image.merge("HSV", (hue, saturation, value)).convert("RGB")
