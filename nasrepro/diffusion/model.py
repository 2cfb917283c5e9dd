"""A trained diffusion model: network, schedule and marginals in one file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nasrepro.diffusion.denoiser import Denoiser
from nasrepro.diffusion.denoiser_config import DenoiserConfig
from nasrepro.diffusion.flat import FlatDenoiser, Network, Support
from nasrepro.diffusion.noise import SCHEDULES, class_marginal, diffuse
from nasrepro.files.tensors import read_tensors, write_tensors
from nasrepro.graphs import Graphs
from nasrepro.training import part


@dataclass(frozen=True)
class NoiseModel:
    """The forward process of a data set.

    Attributes:
        keep: abar_t for t = 0..T, float64, T + 1.
        node_marginal: m_X, float32, K.
        pair_marginal: m_E, float32, 2.
        sizes: relative frequency of each number of nodes 0..N, float32, N + 1.
    """

    keep: Tensor
    node_marginal: Tensor
    pair_marginal: Tensor
    sizes: Tensor

    @property
    def steps(self) -> int:
        """T."""
        return len(self.keep) - 1

    @classmethod
    def fit(cls, graphs: Graphs, node_classes: int, steps: int, schedule: str = "exact") -> NoiseModel:
        """Count the marginals of a training set (Eq. 1) and set the cosine schedule for T = `steps`, one of
        `noise.SCHEDULES`."""
        sizes = torch.bincount(graphs.mask.sum(1), minlength=graphs.n_nodes + 1)
        return cls(
            SCHEDULES[schedule](steps),
            class_marginal(graphs.nodes, node_classes, graphs.mask).float(),
            class_marginal(graphs.pairs, 2, graphs.pair_mask).float(),
            sizes / sizes.sum(),
        )

    def diffuse(self, clean: Graphs, t: Tensor, generator: torch.Generator) -> Graphs:
        """Draw z_t ~ q(z_t | x_0) of every node and pair (Eq. 1): clean graphs and a time 0..T of each, int64, B."""
        keep = self.keep.to(device=t.device, dtype=torch.float32)[t]
        nodes = diffuse(clean.nodes, keep, self.node_marginal, generator)
        return Graphs(nodes, diffuse(clean.pairs, keep, self.pair_marginal, generator), clean.mask)

    def to(self, device: torch.device | str) -> NoiseModel:
        """Return the same process with its marginals on another device (the schedule stays on the CPU)."""
        return NoiseModel(self.keep, self.node_marginal.to(device), self.pair_marginal.to(device), self.sizes)


@dataclass(frozen=True)
class DiffusionModel:
    """A denoiser and the noise model that it was trained for."""

    denoiser: Network
    noise: NoiseModel

    def save(self, path: Path, tensors: Mapping[str, Tensor] | None = None, about: Any = None) -> None:
        """Write weights and noise model as safetensors; with them other tensors, as `with.<name>`, and something
        JSON-able as `about`, which `load` leaves to whoever wrote them."""
        meta = {
            "config": asdict(self.denoiser.config),
            "node_classes": self.denoiser.node_classes,
            "condition_classes": list(self.denoiser.condition_classes),
        } | ({} if about is None else {"about": about})
        noise = {f"noise.{k}": v for k, v in vars(self.noise).items()}
        others = {f"with.{name}": tensor for name, tensor in (tensors or {}).items()}
        write_tensors(path, {**self.denoiser.state_dict(), **noise, **others}, meta)

    @classmethod
    def load(cls, path: Path) -> DiffusionModel:
        """Read a model; raise `CorruptData` if the file is damaged."""
        tensors, meta = read_tensors(path)
        noise = NoiseModel(**part(tensors, "noise."))
        config, conditions = DenoiserConfig(**meta["config"]), meta["condition_classes"]
        denoiser: Network
        if config.pairs == "flat":
            denoiser = FlatDenoiser(config, conditions, Support(tensors["nodes.support"], tensors["pairs.support"]))
        else:
            denoiser = Denoiser(config, meta["node_classes"], conditions, len(noise.sizes) - 1)
        denoiser.load_state_dict({k: v for k, v in tensors.items() if not k.startswith(("noise.", "with."))})
        return cls(denoiser.eval(), noise)
