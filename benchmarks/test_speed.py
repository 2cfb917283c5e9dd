"""Speed of the two configurations of the denoiser: `pytest benchmarks --benchmark-enable` (minutes; run it alone).

On one thread, as the figures that are known of the authors' modules are, and because it is less noisy. A reverse step
costs the same at every time, so sampling is measured over a few steps and stated for 500.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from nasrepro.diffusion.denoiser import Denoiser
from nasrepro.diffusion.denoiser_config import CONFIGS
from nasrepro.diffusion.guidance import Guided
from nasrepro.diffusion.model import NoiseModel
from nasrepro.diffusion.noise import diffuse
from nasrepro.diffusion.sample import sample
from nasrepro.diffusion.train import graph_loss
from nasrepro.graphs import Graphs
from nasrepro.spaces.nb201 import NB201

BATCHES = (1, 16, 192)
FEW = {1: 100, 16: 20, 192: 4}  # reverse steps per measurement


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def cells() -> Graphs:
    return NB201.encode([NB201.from_index(row) for row in range(0, 15_625, 81)])


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("name", CONFIGS)
def test_training_step(benchmark, seconds, cells: Graphs, name: str, batch: int):
    benchmark.group = f"training step, batch {batch}"
    torch.manual_seed(0)
    network = Denoiser(CONFIGS[name], 7, (2,), 8).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-4, amsgrad=True, fused=True)
    noise, generator = NoiseModel.fit(cells, 7, 500), torch.Generator().manual_seed(0)
    clean, classes = cells[torch.arange(batch) % len(cells)], torch.zeros(batch, 1, dtype=torch.long)

    def step() -> None:
        t = torch.randint(1, 501, (batch,), generator=generator)
        keep = noise.keep[t].float()
        noisy = Graphs(
            diffuse(clean.nodes, keep, noise.node_marginal, generator),
            diffuse(clean.pairs, keep, noise.pair_marginal, generator),
            clean.mask,
        )
        optimiser.zero_grad(set_to_none=True)
        graph_loss(network(noisy, t / 500, classes), clean, 5.0)[0].backward()
        optimiser.step()

    benchmark.pedantic(step, rounds=5 if batch == 192 else 15, warmup_rounds=2)
    if benchmark.stats:
        seconds["train", name, batch] = benchmark.stats.stats.median


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("name", CONFIGS)
def test_sampling(benchmark, seconds, cells: Graphs, name: str, batch: int):
    benchmark.group = f"{FEW[batch]} reverse steps, batch {batch}"
    torch.manual_seed(0)
    guided = Guided(Denoiser(CONFIGS[name], 7, (2,), 8).eval(), [1], 2.0)
    noise = NoiseModel.fit(cells, 7, 500)
    benchmark.pedantic(
        lambda: sample(guided, noise, range(batch), seed=0, steps=FEW[batch], batch_size=batch),
        rounds=5,
        warmup_rounds=1,
    )
    if benchmark.stats:
        seconds["sample", name, batch] = benchmark.stats.stats.median / FEW[batch] * 500 / batch
