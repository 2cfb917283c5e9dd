"""Training (DiNAS, Algorithm 1): predict the clean graph from a noisy one, with the conditions dropped now and then.

The whole data set lies on the device as tensors. Every random number comes from a stream named by seed and step, so a
run that is killed and resumed ends with the same weights as one that was not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from nasrepro.diffusion import flat
from nasrepro.diffusion.denoiser import Logits
from nasrepro.diffusion.denoiser_config import DenoiserConfig
from nasrepro.diffusion.model import DiffusionModel, NoiseModel
from nasrepro.diffusion.threads import InParts
from nasrepro.errors import TrainingDiverged
from nasrepro.graphs import Graphs
from nasrepro.seeding import derive
from nasrepro.training import Learner, part, warm_cosine


@dataclass(frozen=True)
class TrainingConfig:
    """How to train.

    Attributes:
        epochs: passes over the data; the last batch of a pass may be smaller.
        batch_size: graphs per step.
        learning_rate: peak learning rate.
        schedule: `constant` (the public code) or `cosine` after a linear warm-up over the first tenth.
        weight_decay: of AdamW.
        clip_norm: largest norm of the gradient, 0 = no clipping (the public code).
        ema_decay: decay of the moving average of the weights that is used for sampling, 0 = last weights (the public
            code).
        edge_weight: lambda of Eq. 2.
        epsilon: probability of the null token.
        joint_dropout: drop all conditions of a graph together.
        wanted_share: share of the conditional graphs that are drawn anew from the wanted class, 0 = every graph as
            often as it occurs (the paper). See `favour`.
        parts: parts of a batch that are computed on a thread each; their sums differ in the last bits.
        diffusion_steps: T.
        first_time: smallest time that is trained, 1 (Algorithm 1) or 0 (the public code).
        noise_schedule: one of `noise.SCHEDULES`.
    """

    epochs: int = 100
    batch_size: int = 16
    learning_rate: float = 2e-4
    schedule: Literal["constant", "cosine"] = "constant"
    weight_decay: float = 1e-12
    clip_norm: float = 0.0
    ema_decay: float = 0.0
    edge_weight: float = 5.0
    epsilon: float = 0.1
    joint_dropout: bool = True
    wanted_share: float = 0.0
    parts: int = 1
    diffusion_steps: int = 500
    first_time: Literal[0, 1] = 1
    noise_schedule: Literal["exact", "public-code"] = "exact"


@dataclass(frozen=True)
class Step:
    """What a training step reports: its number from 1, the loss of Eq. 2 and its two parts (mean cross-entropy in
    nats)."""

    number: int
    loss: float
    node_loss: float
    edge_loss: float


def drop_conditions(
    classes: Tensor, n_classes: Sequence[int], epsilon: float, joint: bool, generator: torch.Generator
) -> Tensor:
    """Replace conditions by the null token with probability epsilon (Algorithm 1, line 2).

    `joint` drops all k conditions of a graph together. The public code draws for each condition separately, so with k
    conditions the state "all null", which sampling uses, has probability epsilon^k only.
    """
    b, k = classes.shape
    u = torch.rand(b, 1 if joint else k, generator=generator, device=classes.device)
    return torch.where(u < epsilon, torch.as_tensor(tuple(n_classes), device=classes.device), classes)


def favour(
    batch: Tensor, condition: Tensor, null: Tensor, wanted: Tensor, share: float, generator: torch.Generator
) -> Tensor:
    """Replace a share of the conditional graphs of a batch by draws from the wanted class; not in the paper.

    The wanted class is rare (1 % of NAS-Bench-101), and its few graphs are what sampling is for. What is to be learnt
    stays the same: p(x | class) is learnt from graphs of that class however often the class is shown, and p(x | null)
    from graphs without a dropped condition, which are left alone.

    Args:
        batch: indices of graphs, B.
        condition: their classes after `drop_conditions`, B x k.
        null: the null token of each condition, k.
        wanted: indices of the graphs of the wanted class.
        share: probability of a replacement.
        generator: of random numbers.

    Returns:
        The indices of the graphs to train on, B.
    """
    drawn = wanted[torch.randint(len(wanted), (len(batch),), generator=generator, device=batch.device)]
    chosen = torch.rand(len(batch), generator=generator, device=batch.device) < share
    return torch.where(chosen & (condition != null).all(1), drawn, batch)


def graph_loss(logits: Logits, clean: Graphs, edge_weight: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return (total, node part, edge part) of Eq. 2: mean cross-entropy over existing nodes and, times lambda, over
    existing pairs."""
    node_loss = _masked_cross_entropy(logits.nodes, clean.nodes, clean.mask)
    edge_loss = _masked_cross_entropy(logits.pairs, clean.pairs, clean.pair_mask)
    return node_loss + edge_weight * edge_loss, node_loss, edge_loss


def train(
    graphs: Graphs,
    classes: Tensor,
    *,
    node_classes: int,
    condition_classes: tuple[int, ...],
    denoiser: DenoiserConfig,
    config: TrainingConfig,
    seed: int,
    wanted: Sequence[Sequence[int]] | None = None,
    device: torch.device | str = "cpu",
    checkpoint: Path | None = None,
    checkpoint_every_s: float = 20.0,
    on_step: Callable[[Step], None] | None = None,
) -> tuple[DiffusionModel, list[Step]]:
    """Train a denoiser on graphs whose k conditions have the given classes (int64, B x k).

    `wanted` lists the wanted classes, k each, that `config.wanted_share` favours; where no graph has them, none is.

    With `checkpoint`, the state is saved there every `checkpoint_every_s` seconds, and training goes on from it when
    it exists. The one before is kept too, for the case that the newest is damaged.

    Returns:
        The model (moving-average weights if asked for) and the history of steps.
    """
    noise = NoiseModel.fit(graphs, node_classes, config.diffusion_steps, config.noise_schedule)
    with torch.random.fork_rng():
        torch.manual_seed(derive(seed, "initial weights") % 2**63)
        network = flat.network(denoiser, node_classes, condition_classes, graphs).to(device).train()
        identity = {"denoiser": asdict(denoiser), "training": asdict(config), "seed": seed, "graphs": len(graphs)}
        steps = math.ceil(len(graphs) / config.batch_size)  # of an epoch
        state = _State(network, config, config.epochs * steps, identity, checkpoint, checkpoint_every_s)
        graphs, classes = graphs.to(device), classes.to(device)
        moved = replace(noise.to(device), keep=noise.keep.to(device=device, dtype=torch.float32))
        null = torch.as_tensor(condition_classes, device=device)
        favoured = _of_class(classes, wanted) if config.wanted_share else classes[:0, 0]
        generator, predict = torch.Generator(device), InParts(network, config.parts)
        for epoch in range(state.step // steps, config.epochs):
            shuffled = torch.Generator().manual_seed(derive(seed, "order", epoch))
            batches = torch.randperm(len(graphs), generator=shuffled).to(device).split(config.batch_size)
            for batch in batches[state.step - epoch * steps :]:
                generator.manual_seed(derive(seed, "step", state.step))
                torch.manual_seed(derive(seed, "dropout", state.step))
                condition = drop_conditions(
                    classes[batch], condition_classes, config.epsilon, config.joint_dropout, generator
                )
                if len(favoured):
                    batch = favour(batch, condition, null, favoured, config.wanted_share, generator)
                    condition = torch.where(condition == null, condition, classes[batch])
                clean, times = graphs[batch], (config.first_time, config.diffusion_steps + 1)
                t = torch.randint(*times, (len(clean),), generator=generator, device=device)
                noisy = moved.diffuse(clean, t, generator)
                logits = predict(noisy, t / config.diffusion_steps, condition)
                state.update(graph_loss(logits, clean, config.edge_weight))
                if on_step is not None:
                    on_step(state.history[-1])
                state.save_when_due()
    network.load_state_dict(state.average if config.ema_decay else network.state_dict())
    return DiffusionModel(network.cpu().eval(), noise), state.history


class _State(Learner):
    """Network, optimiser, moving average and history: everything that a checkpoint holds."""

    def __init__(
        self,
        network: flat.Network,
        config: TrainingConfig,
        total: int,
        identity: dict[str, object],
        checkpoint: Path | None,
        every_s: float,
    ) -> None:
        optimiser = torch.optim.AdamW(
            network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, amsgrad=True, fused=True
        )
        super().__init__(network, optimiser, identity, checkpoint, every_s)
        self.config, self.total, self.history = config, total, list[Step]()
        self.average = {k: v.detach().clone() for k, v in network.state_dict().items()}
        if (kept := self.restore()) is not None:
            self.average = {k: v.to(self.average[k].device) for k, v in part(kept[0], "average.").items()}
            self.history = [Step(i, *row) for i, row in enumerate(kept[0]["history"].tolist(), 1)]

    @property
    def step(self) -> int:
        """Steps done."""
        return len(self.history)

    def update(self, losses: tuple[Tensor, Tensor, Tensor]) -> None:
        """Take one optimiser step down the first of the losses and note all three."""
        config, rate = self.config, self.config.learning_rate
        if config.schedule == "cosine":
            rate = warm_cosine(rate, self.step, max(1, self.total // 10), self.total)
        self.descend(losses[0], rate, config.clip_norm)
        values = torch.stack([loss.detach() for loss in losses]).tolist()
        if not math.isfinite(values[0]):
            raise TrainingDiverged(
                f"The loss became {values[0]} at training step {self.step + 1}. Lower learning_rate or set clip_norm=1."
            )
        self.history.append(Step(self.step + 1, *values))
        if config.ema_decay:
            decay = min(config.ema_decay, self.step / (self.step + 10))
            current = self.network.state_dict()
            torch._foreach_lerp_(list(self.average.values()), [current[k] for k in self.average], 1 - decay)

    def progress(self) -> tuple[dict[str, Tensor], dict[str, object]]:
        """Return the moving average and the losses of all steps."""
        losses = torch.tensor([[s.loss, s.node_loss, s.edge_loss] for s in self.history], dtype=torch.float64)
        return {"history": losses} | {f"average.{k}": v for k, v in self.average.items()}, {}


def _of_class(classes: Tensor, wanted: Sequence[Sequence[int]] | None) -> Tensor:
    """Return the indices of the graphs whose k classes are among the wanted ones."""
    if wanted is None:
        raise ValueError("wanted_share needs to know the wanted classes")
    targets = torch.as_tensor([tuple(w) for w in wanted], device=classes.device)
    return (classes[:, None] == targets).all(2).any(1).nonzero()[:, 0]


def _masked_cross_entropy(logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    loss = F.cross_entropy(logits.flatten(0, 1), target.flatten(), reduction="none")
    weight = mask.flatten().to(loss.dtype)
    return (loss * weight).sum() / weight.sum()
