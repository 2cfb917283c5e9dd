"""Sampling (DiNAS, Algorithm 2): from the prior to a clean graph in any number of reverse steps.

The noise of architecture i depends on the seed and on i alone, so architecture 17 is the same in a batch of 1 and of
4,096.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor

from nasrepro.diffusion.model import NoiseModel
from nasrepro.diffusion.noise import categorical, posterior, reverse_times
from nasrepro.graphs import Graphs
from nasrepro.seeding import derive


class Predictor(Protocol):
    """What predicts clean graphs."""

    @property
    def reads_time(self) -> bool:
        """Whether a prediction depends on the time, and not on the noisy graph alone."""

    def __call__(self, graphs: Graphs, t: Tensor) -> tuple[Tensor, Tensor]:
        """Noisy graphs, times as fractions of T (B) -> probabilities of the clean nodes (B x N x K) and pairs (B x P x
        2)."""


_CHUNK = 2048  # uniform numbers that one architecture draws at a time


class ArchitectureNoise:
    """Uniform random numbers with an own stream for every architecture of a batch."""

    def __init__(self, seed: int, indices: Sequence[int], width: int) -> None:
        self._streams = [torch.Generator().manual_seed(derive(seed, "architecture", i)) for i in indices]
        self._width, self._rows = width, max(1, _CHUNK // width)
        self._buffer, self._next = torch.empty(0), 0

    def draw(self) -> Tensor:
        """Return the next `width` numbers of every stream, B x width."""
        if self._next == self._buffer.shape[0]:
            block = [torch.rand(self._rows, self._width, generator=g) for g in self._streams]
            self._buffer, self._next = torch.stack(block, 1), 0
        self._next += 1
        return self._buffer[self._next - 1]


def reverse_step(graphs: Graphs, clean: tuple[Tensor, Tensor], noise: NoiseModel, t: int, s: int, u: Tensor) -> Graphs:
    """Draw z_s ~ p(z_s | z_t), every node and pair by itself (DiNAS, Eq. 3-4).

    Args:
        graphs: z_t, B graphs of N nodes and P pairs.
        clean: predicted probabilities of the clean nodes (B x N x K) and pairs (B x P x 2).
        noise: the forward process, on the device of the graphs.
        t: the time of `graphs`.
        s: the time to go to, below t.
        u: uniform numbers, B x (N + P).
    """
    n, keep_s, keep_t = graphs.nodes.shape[1], float(noise.keep[s]), float(noise.keep[t])
    nodes = categorical(posterior(graphs.nodes, clean[0], noise.node_marginal, keep_s, keep_t), u[:, :n])
    pairs = categorical(posterior(graphs.pairs, clean[1], noise.pair_marginal, keep_s, keep_t), u[:, n:])
    return Graphs(nodes, pairs, graphs.mask)


def prior(sizes: Tensor, noise: NoiseModel, u: Tensor) -> Graphs:
    """Draw z_T: every node and pair from its marginal.

    Args:
        sizes: number of nodes of each graph, B.
        noise: the forward process, on the device of the numbers.
        u: uniform numbers, B x (N + P).
    """
    n = len(noise.sizes) - 1
    nodes = categorical(noise.node_marginal.expand(len(u), n, -1), u[:, :n])
    pairs = categorical(noise.pair_marginal.expand(len(u), u.shape[1] - n, -1), u[:, n:])
    return Graphs(nodes, pairs, (torch.arange(n) < sizes[:, None]).to(u.device))


@torch.inference_mode()
def sample(
    predict: Predictor,
    noise: NoiseModel,
    indices: Sequence[int],
    *,
    seed: int,
    steps: int,
    batch_size: int = 512,
    device: torch.device | str = "cpu",
    on_step: Callable[[int, int, Graphs], None] | None = None,
) -> Graphs:
    """Draw the architectures with the given indices of the stream `seed`.

    Args:
        predict: a denoiser with its classes, e.g. `guidance.Guided`.
        noise: the forward process that it was trained for.
        indices: which architectures of the stream, e.g. `range(192)`.
        seed: names the stream.
        steps: number of reverse steps, 1..T; fewer than T jump by the closed-form posterior between any two times.
        batch_size: architectures per pass (twice that number of graphs under guidance).
        device: where to compute.
        on_step: called with (first index of the batch, time, graphs) after each reverse step.

    Returns:
        The graphs, on the CPU, in the order of `indices`; whether they are valid is for the search space to say.
    """
    times = reverse_times(noise.steps, steps)
    moved = noise.to(device)
    done = []
    for start in range(0, len(indices), batch_size):
        part = indices[start : start + batch_size]
        n = len(noise.sizes) - 1
        streams = ArchitectureNoise(seed, part, n + n * (n - 1) // 2 + 1)
        u = streams.draw()
        graphs = prior(categorical(noise.sizes.expand(len(part), -1), u[:, -1]), moved, u[:, :-1].to(device))
        remembered = _Remembered(predict)
        for t, s in pairwise(times):
            clean = remembered(graphs, torch.full((len(part),), t / noise.steps, device=device))
            graphs = reverse_step(graphs, clean, moved, t, s, streams.draw()[:, :-1].to(device))
            if on_step is not None:
                on_step(start, s, graphs)
        graphs = Graphs(graphs.nodes * graphs.mask, graphs.pairs * graphs.pair_mask, graphs.mask)
        done.append(graphs.to("cpu"))
    return Graphs.cat(done)


class _Remembered:
    """A predictor that is asked only about graphs that the last reverse step changed.

    Most of many small steps change nothing, and a denoiser without time input then predicts what it predicted before:
    the numbers are the same, at a fraction of the passes.
    """

    def __init__(self, predict: Predictor) -> None:
        self._predict = predict
        self._last: tuple[Graphs, Tensor, Tensor] | None = None

    def __call__(self, graphs: Graphs, t: Tensor) -> tuple[Tensor, Tensor]:
        if self._last is None or self._predict.reads_time:
            nodes, pairs = self._predict(graphs, t)
        else:
            before, nodes, pairs = self._last
            changed = (graphs.nodes != before.nodes).any(1) | (graphs.pairs != before.pairs).any(1)
            if changed.any():
                nodes, pairs = nodes.clone(), pairs.clone()
                nodes[changed], pairs[changed] = self._predict(graphs[changed], t[changed])
        self._last = graphs, nodes, pairs
        return nodes, pairs
