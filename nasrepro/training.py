"""What trainings share: the learning rate, the step of the optimiser, and a state that outlives a kill."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nasrepro.errors import CorruptData
from nasrepro.files.tensors import read_tensors, write_tensors

log = logging.getLogger(__name__)


def warm_cosine(peak: float, step: int, warm_up: int, total: int) -> float:
    """Return the learning rate of a step, counted from 0: linear warm-up, then half a cosine down to zero."""
    if step < warm_up:
        return peak * (step + 1) / warm_up
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, total - warm_up)))


class Learner:
    """A network that learns, its optimiser, and the file in which both are kept.

    Args:
        network: learns in place.
        optimiser: of its parameters.
        identity: what tells this training from others, JSON-able; the state of another one is not taken up.
        checkpoint: where the state is kept, None for nowhere.
        every_s: seconds of training that a kill may cost.
    """

    def __init__(
        self,
        network: nn.Module,
        optimiser: torch.optim.Optimizer,
        identity: Mapping[str, Any],
        checkpoint: Path | None,
        every_s: float,
    ) -> None:
        self.network, self.optimiser, self.identity = network, optimiser, identity
        self.checkpoint, self.every_s, self._saved = checkpoint, every_s, time.monotonic()
        self.parameters: list[Tensor] = [p for group in optimiser.param_groups for p in group["params"]]

    def descend(self, loss: Tensor, learning_rate: float, clip_norm: float) -> None:
        """Take one step down a loss, its gradient no longer than `clip_norm` (0 for no limit)."""
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        if clip_norm:
            nn.utils.clip_grad_norm_(self.parameters, clip_norm)
        self.optimiser.step()

    def progress(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return what else is kept: tensors, and JSON-able values."""
        raise NotImplementedError

    def save_when_due(self) -> None:
        """Write the state where it is time to; the one before it is kept too, should the newest be damaged."""
        if self.checkpoint is None or time.monotonic() - self._saved <= self.every_s:
            return
        tensors, values = self.progress()
        tensors |= {f"network.{k}": v for k, v in self.network.state_dict().items()}
        for i, p in enumerate(self.parameters):
            tensors |= {f"optimiser.{i}.{k}": v for k, v in self.optimiser.state[p].items()}
        if self.checkpoint.exists():
            self.checkpoint.replace(_previous(self.checkpoint))
        write_tensors(self.checkpoint, tensors, {"training": self.identity, **values})
        self._saved = time.monotonic()

    def restore(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Take up the newest sound state of this training, saying what was damaged; return what `progress` gave, None
        where there is no such state."""
        newest = self.checkpoint
        for path in [p for p in (newest, _previous(newest)) if p.exists()] if newest else []:
            try:
                tensors, meta = read_tensors(path)
            except CorruptData as error:
                log.warning("%s Going on from the checkpoint before it, or the start.", str(error).split(". Delete")[0])
                continue
            if meta.get("training") != self.identity:
                log.warning("%s belongs to another training; starting anew.", path)
                continue
            self.network.load_state_dict(part(tensors, "network."))
            states = {
                i: {
                    # in the memory format of the parameter, which its gradients have too
                    k: torch.empty_like(p).copy_(v) if v.shape == p.shape else v
                    for k, v in part(tensors, f"optimiser.{i}.").items()
                }
                for i, p in enumerate(self.parameters)
            }
            self.optimiser.load_state_dict(
                {"state": states, "param_groups": self.optimiser.state_dict()["param_groups"]}
            )
            return tensors, meta
        return None


def part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with a prefix, without it."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def remove_checkpoint(path: Path) -> None:
    """Remove what a training kept of its state."""
    for kept in (path, _previous(path)):
        kept.unlink(missing_ok=True)


def _previous(path: Path) -> Path:
    return path.with_name(path.name + ".previous")
