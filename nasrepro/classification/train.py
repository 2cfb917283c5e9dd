"""The training loop of a network: any number of processes, checkpoints, the same result whether killed or not.

Order, augmentation and drop path of each step come from streams named by seed and step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from nasrepro.classification.images import Images
from nasrepro.classification.recipe import Objective, Recipe, topk_wrong
from nasrepro.errors import ParameterError, TrainingDiverged
from nasrepro.proxies.networks.darts import DARTSNetwork
from nasrepro.seeding import derive
from nasrepro.training import Learner, warm_cosine

TEST_BATCH = 500
_CHECK_EVERY = 50  # steps between two looks at whether the loss is finite, which makes a GPU wait


@dataclass(frozen=True)
class Epoch:
    """What an epoch reports: its number from 1, its mean training loss, and errors on the test images in %."""

    number: int
    loss: float
    top1_error: float
    top5_error: float


@dataclass(frozen=True)
class Processes:
    """Which of how many processes this one is."""

    rank: int = 0
    size: int = 1

    @classmethod
    def here(cls) -> Processes:
        """Return what torch.distributed says, one process where it is not in use."""
        in_use = dist.is_available() and dist.is_initialized()
        return cls(dist.get_rank(), dist.get_world_size()) if in_use else cls()

    def part(self, indices: Tensor) -> Tensor:
        """Return this process' share of a batch."""
        return indices[self.rank :: self.size]

    def share_buffers(self, network: nn.Module) -> None:
        """Give every process the running statistics of process 0, so that all test the same network."""
        for buffer in network.buffers() if self.size > 1 else ():
            dist.broadcast(buffer, 0)


def train(
    network: DARTSNetwork,
    training: Images,
    test: Images,
    recipe: Recipe,
    seed: int,
    *,
    device: torch.device | str = "cpu",
    checkpoint: Path | None = None,
    checkpoint_every_s: float = 20.0,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> list[Epoch]:
    """Train a network in place and return what each epoch reports.

    Under torch.distributed each process takes its share of every batch, and gradients are averaged; normalisation is
    over the share of a process. Process 0 writes the checkpoints, all read them.

    Args:
        network: with its initial weights; ends in evaluation mode, on `device`.
        training, test: images.
        recipe: how to train.
        seed: of order, augmentation and drop path.
        device: of this process.
        checkpoint: where the state is kept every `checkpoint_every_s` seconds, and resumed from if it is there.
        checkpoint_every_s: how much training a kill may cost.
        on_epoch: called at the end of each epoch.

    Raises:
        ParameterError: the batch does not fit the images or the processes.
        TrainingDiverged: the loss is not finite.
        CorruptData: an image cannot be decoded.
        StorageError: a checkpoint cannot be written.
    """
    processes = Processes.here()
    steps = len(training.labels) // recipe.batch_size
    if not steps or recipe.batch_size % processes.size:
        raise ParameterError(
            f"batch_size={recipe.batch_size} does not fit {len(training.labels):,} training images and "
            f"{processes.size} process(es): it must be a multiple of the processes and at most the images."
        )
    with torch.random.fork_rng(devices=[device] if "cuda" in str(device) else []):
        network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        state = _State(network, recipe, seed, steps, checkpoint, checkpoint_every_s)
        objective = Objective(network, recipe)
        model = DistributedDataParallel(objective) if processes.size > 1 else objective
        while len(state.history) < recipe.epochs:
            epoch = len(state.history)
            network.train()
            network.drop_path = recipe.drop_path * epoch / recipe.epochs
            generator = torch.Generator().manual_seed(derive(seed, "order", epoch))
            order = torch.randperm(len(training.labels), generator=generator)
            batches = order[: steps * recipe.batch_size].view(steps, recipe.batch_size)[state.step - epoch * steps :]
            shares = map(processes.part, batches)
            for images, labels in prefetched(training, shares, derive(seed, "augmentation", epoch)):
                torch.manual_seed(derive(seed, "drop path", state.step, processes.rank))
                state.update(model(_to(images, device), labels.to(device)))
                if processes.rank == 0:
                    state.save_when_due()
            processes.share_buffers(network)
            top1, top5 = errors(network, test, device)
            state.end_epoch(top1, top5)
            if on_epoch is not None:
                on_epoch(state.history[-1])
    network.eval()
    return state.history


@torch.no_grad()
def errors(network: nn.Module, images: Images, device: torch.device | str = "cpu") -> tuple[float, float]:
    """Return the top-1 and the top-5 error of a network in % over all images, shared out among the processes."""
    processes = Processes.here()
    network.eval()
    wrong = torch.zeros(2, dtype=torch.float64, device=device)
    shares = processes.part(torch.arange(len(images.labels))).split(TEST_BATCH)
    for batch, labels in prefetched(images, shares, None):
        logits = network(_to(batch, device))
        wrong += torch.stack([topk_wrong(logits, labels.to(device), k).sum() for k in (1, 5)])
    if processes.size > 1:
        dist.all_reduce(wrong)
    top1, top5 = (100 * wrong / len(images.labels)).tolist()
    return top1, top5


def prefetched(
    images: Images, batches: Iterable[Tensor], seed: int | None, ahead: int = 2
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield images and labels of batches of indices; the next `ahead` are made while the consumer is at work."""
    with ThreadPoolExecutor(ahead) as pool:
        pending = []
        for indices in batches:
            pending.append((pool.submit(images.batch, indices, seed), images.labels[indices]))
            if len(pending) > ahead:
                made, labels = pending.pop(0)
                yield made.result(), labels
        for made, labels in pending:
            yield made.result(), labels


class _State(Learner):
    """Network, optimiser and history: everything that a checkpoint holds."""

    def __init__(
        self, network: DARTSNetwork, recipe: Recipe, seed: int, steps: int, checkpoint: Path | None, every_s: float
    ) -> None:
        settings: dict[str, Any] = {"momentum": recipe.momentum, "weight_decay": recipe.weight_decay, "foreach": True}
        optimiser = torch.optim.SGD(network.parameters(), recipe.learning_rate, **settings)
        identity = {"recipe": asdict(recipe), "seed": seed, "steps_per_epoch": steps}
        super().__init__(network, optimiser, identity, checkpoint, every_s)
        self.recipe, self.steps, self.step, self.history = recipe, steps, 0, list[Epoch]()
        self.loss_sum = torch.zeros((), dtype=torch.float64, device=self.parameters[0].device)
        if (kept := self.restore()) is not None:
            self.step, self.history = kept[1]["step"], [Epoch(**epoch) for epoch in kept[1]["history"]]
            self.loss_sum.fill_(kept[1]["loss_sum"])

    def update(self, loss: Tensor) -> None:
        """Take one step down the loss."""
        r = self.recipe
        rate = warm_cosine(r.learning_rate, self.step, r.warmup_epochs * self.steps, r.epochs * self.steps)
        self.descend(loss, rate, r.clip_norm)
        self.step += 1
        self.loss_sum += loss.detach()
        if self.step % _CHECK_EVERY and self.step % self.steps:
            return
        if not math.isfinite(float(self.loss_sum)):
            raise TrainingDiverged(
                f"The loss became {float(self.loss_sum)} before step {self.step} of {r.epochs * self.steps}. "
                "Lower learning_rate or clip_norm."
            )

    def end_epoch(self, top1: float, top5: float) -> None:
        """Note the errors after an epoch."""
        loss = float(self.loss_sum) / self.steps
        self.history.append(Epoch(len(self.history) + 1, loss, top1, top5))
        self.loss_sum.zero_()

    def progress(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return step, sum of the losses of the epoch, and history."""
        history = [asdict(epoch) for epoch in self.history]
        return {}, {"step": self.step, "loss_sum": float(self.loss_sum), "history": history}


def _to(images: Tensor, device: torch.device | str) -> Tensor:
    return images.to(device, non_blocking=True, memory_format=torch.channels_last)
