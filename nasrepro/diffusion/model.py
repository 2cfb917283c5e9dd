"""A trained diffusion model: network, schedule and marginals in one file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as safetensors_bytes
from torch import Tensor

from nasrepro.diffusion.denoiser import Denoiser, DenoiserConfig
from nasrepro.diffusion.noise import class_marginal, cosine_schedule
from nasrepro.errors import CorruptData
from nasrepro.graphs import Graphs
from nasrepro.storage import write_atomically


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
    def fit(cls, graphs: Graphs, node_classes: int, steps: int) -> NoiseModel:
        """Count the marginals of a training set (Eq. 1) and set the cosine schedule for T = `steps`."""
        sizes = torch.bincount(graphs.mask.sum(1), minlength=graphs.n_nodes + 1)
        return cls(
            cosine_schedule(steps),
            class_marginal(graphs.nodes, node_classes, graphs.mask).float(),
            class_marginal(graphs.pairs, 2, graphs.pair_mask).float(),
            sizes / sizes.sum(),
        )

    def to(self, device: torch.device | str) -> NoiseModel:
        """Return the same process with its marginals on another device (the schedule stays on the CPU)."""
        return NoiseModel(self.keep, self.node_marginal.to(device), self.pair_marginal.to(device), self.sizes)


@dataclass(frozen=True)
class DiffusionModel:
    """A denoiser and the noise model that it was trained for."""

    denoiser: Denoiser
    noise: NoiseModel

    def save(self, path: Path) -> None:
        """Write weights and noise model as safetensors."""
        meta = {
            "config": asdict(self.denoiser.config),
            "node_classes": self.denoiser.node_classes,
            "condition_classes": list(self.denoiser.condition_classes),
        }
        noise = {f"noise.{k}": getattr(self.noise, k) for k in ("keep", "node_marginal", "pair_marginal", "sizes")}
        write_tensors(path, {**self.denoiser.state_dict(), **noise}, meta)

    @classmethod
    def load(cls, path: Path) -> DiffusionModel:
        """Read a model; raise `CorruptData` if the file is damaged."""
        tensors, meta = read_tensors(path)
        noise = NoiseModel(
            **{k.removeprefix("noise."): tensors.pop(k) for k in list(tensors) if k.startswith("noise.")}
        )
        denoiser = Denoiser(DenoiserConfig(**meta["config"]), meta["node_classes"], meta["condition_classes"])
        denoiser.load_state_dict(tensors)
        return cls(denoiser.eval(), noise)


def write_tensors(path: Path, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
    """Write tensors and JSON-able metadata as safetensors, atomically, with a checksum of the content."""
    tensors = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    header = {"meta": json.dumps(meta, sort_keys=True), "sha256": _content_hash(tensors, meta)}
    write_atomically(path, safetensors_bytes(tensors, header))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `write_tensors` wrote; raise `CorruptData` if the file is truncated or altered."""
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118 -- not a dict
        meta = json.loads(header["meta"])
        if header["sha256"] != _content_hash(tensors, meta):
            raise ValueError("its content does not have the checksum that it states")
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise CorruptData(f"{path} is damaged ({error}). Delete it and repeat the command.") from error
    return tensors, meta


def _content_hash(tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(meta, sort_keys=True).encode())
    names: Sequence[str] = sorted(tensors)
    for name in names:
        digest.update(name.encode())
        digest.update(tensors[name].numpy().tobytes())
    return digest.hexdigest()
