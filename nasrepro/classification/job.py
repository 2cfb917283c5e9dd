"""One network to train, as a JSON-able job: in this process, or in several of this machine."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import torch
import torch.distributed as dist
from torch import multiprocessing
from torch.multiprocessing.spawn import ProcessException

from nasrepro.classification import folder, images
from nasrepro.classification.images import Images
from nasrepro.classification.recipe import Recipe, check_side
from nasrepro.classification.train import Epoch, Processes, train
from nasrepro.errors import CorruptData, NasreproError, ParameterError
from nasrepro.files.tensors import write_tensors
from nasrepro.proxies import complexity
from nasrepro.proxies.networks import build
from nasrepro.proxies.networks.darts import DARTSNetwork
from nasrepro.seeding import derive
from nasrepro.spaces.darts.space import NB301


@dataclass(frozen=True)
class Data:
    """Which images.

    Attributes:
        name: `cifar10`, `imagenet` (a folder, see `folder.VARIABLE`) or `generated`.
        side: height and width.
        training, test: how many images; None for all (not for `generated`).
        cutout: side of the square cut out of training images, not for `imagenet`.
    """

    name: Literal["cifar10", "imagenet", "generated"]
    side: int
    training: int | None = None
    test: int | None = None
    cutout: int = 0


@dataclass(frozen=True)
class Job:
    """A network to train: genotype, images, recipe and seed."""

    genotype: str
    data: Data
    recipe: Recipe
    seed: int


@dataclass(frozen=True)
class Trained:
    """A trained network: size, and what its epochs reported.

    `multiply_adds` are those of one image of the data's size, without the auxiliary head.
    """

    parameters: int
    multiply_adds: int
    history: tuple[Epoch, ...]


@lru_cache(maxsize=2)
def load(data: Data) -> tuple[Images, Images]:
    """Return training and test images, those of the last two calls from memory; raises as their functions."""
    if data.name == "cifar10":
        training = images.cifar10("train", data.training, data.side, data.cutout)
        return training, images.cifar10("test", data.test, data.side)
    if data.name == "generated":
        assert data.training is not None and data.test is not None
        training = images.generated("train", data.training, data.side, cutout=data.cutout)
        return training, images.generated("test", data.test, data.side)
    root, threads = folder.imagenet_folder(), max(1, (os.cpu_count() or 1) // Processes.here().size)
    found = tuple(folder.FolderImages(root / part, data.side, threads) for part in ("train", "val"))
    if found[0].classes != found[1].classes:
        odd = sorted(set(found[0].classes) ^ set(found[1].classes))
        raise CorruptData(f"`train` and `val` in {root} have different classes, e.g. {', '.join(odd[:3])}.")
    return found[0], found[1]


def network_of(job: Job, n_classes: int) -> DARTSNetwork:
    """Return the job's network with its initial weights."""
    r = job.recipe
    shape = {"channels": r.channels, "n_cells": r.n_cells, "auxiliary": r.auxiliary_weight > 0, "stem": r.stem}
    generator = torch.Generator().manual_seed(derive(job.seed, "initial weights"))
    network = build("nb301", NB301.from_string(job.genotype), generator, n_classes=n_classes, **shape)
    assert isinstance(network, DARTSNetwork)
    return network


def carry_out(
    job: Job,
    weights: Path | None = None,
    *,
    device: str = "cpu",
    checkpoint: Path | None = None,
    checkpoint_every_s: float = 20.0,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> Trained:
    """Train the job's network in this process (one of several under torch.distributed); raises as `train`.

    The trained weights are written to `weights` as safetensors.
    """
    check_side(job.recipe, job.data.side)
    training, test = load(job.data)
    network = network_of(job, len(training.classes))
    history = train(
        network, training, test, job.recipe, job.seed,
        device=device, checkpoint=checkpoint, checkpoint_every_s=checkpoint_every_s, on_epoch=on_epoch,
    )  # fmt: skip
    if weights is not None and Processes.here().rank == 0:
        write_tensors(weights, network.state_dict(), {"job": asdict(job)})
    head = 0 if network.auxiliary is None else complexity.parameters(network.auxiliary)
    size = complexity.parameters(network) - head
    return Trained(size, complexity.flops(network, job.data.side), tuple(history))


def in_processes(
    job: Job, weights: Path, n: int, *, device: str = "cpu", checkpoint: Path, checkpoint_every_s: float = 20.0
) -> Trained:
    """Train the job's network in n processes, each on a GPU of its own (or all on the CPU); raises as `carry_out`."""
    if device.startswith("cuda") and n > torch.cuda.device_count():
        raise ParameterError(f"processes={n}, but there are {torch.cuda.device_count()} GPUs here, and each needs one.")
    answers = multiprocessing.get_context("spawn").SimpleQueue()
    with TemporaryDirectory() as folder:
        meeting = f"file://{folder}/meeting"
        try:
            multiprocessing.spawn(
                _share, (n, meeting, answers, job, weights, device.partition(":")[0], checkpoint, checkpoint_every_s), n
            )
        except ProcessException as error:
            if answers.empty():
                raise NasreproError(
                    "A training process ended early. Repeat the command: it goes on from the last checkpoint. If the "
                    "process was killed for memory, take fewer processes or a smaller batch."
                ) from error
    answer = answers.get()
    if isinstance(answer, NasreproError):
        raise answer
    return answer


def _share(
    rank: int,
    n: int,
    meeting: str,
    answers: SimpleQueue[Trained | NasreproError],
    job: Job,
    weights: Path,
    device: str,
    checkpoint: Path,
    checkpoint_every_s: float,
) -> None:
    """Do the share of one of n processes; hand back the result (process 0) or what cannot be done."""
    backend = "gloo"
    if device == "cuda":
        backend, device = "nccl", f"cuda:{rank}"
        torch.cuda.set_device(device)
    dist.init_process_group(backend, init_method=meeting, rank=rank, world_size=n)
    started = time.monotonic()

    def report(epoch: Epoch) -> None:
        if rank == 0:
            spent = f"{time.monotonic() - started:.0f} s"
            print(f"epoch {epoch.number}: loss {epoch.loss:.3f}, top-1 error {epoch.top1_error:.2f} %, {spent}")

    options: dict[str, Any] = {"checkpoint": checkpoint, "checkpoint_every_s": checkpoint_every_s}
    try:
        result = carry_out(job, weights, device=device, on_epoch=report, **options)
        if rank == 0:
            answers.put(result)
    except NasreproError as error:
        answers.put(error)
        raise
    finally:
        dist.destroy_process_group()


def trained_from(content: dict[str, Any]) -> Trained:
    """Rebuild a result from its JSON."""
    return Trained(**{**content, "history": tuple(Epoch(**epoch) for epoch in content["history"])})
