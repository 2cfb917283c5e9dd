"""The steps of DiNAS that its pages show: each a few lines that call the package, and the table that they give.

A page shows the lines of a function as they stand here. So each can be read alone, and reads top to bottom.
"""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pandas as pd
import torch

from nasrepro.benchmarks.base import MEAN, Column
from nasrepro.benchmarks.hw_nb201 import HWNB201Benchmark, device_column
from nasrepro.benchmarks.ledger import Ledger
from nasrepro.benchmarks.nb201 import NB201Benchmark
from nasrepro.benchmarks.nb301 import SURROGATE_ACCURACY, NB301Benchmark
from nasrepro.classification.job import Data, Job, carry_out
from nasrepro.classification.recipe import Recipe
from nasrepro.diffusion.denoiser_config import DEFAULT
from nasrepro.diffusion.exact import ExactDenoiser
from nasrepro.diffusion.guidance import Guided, percentile_discretiser, read_classes, threshold_discretiser
from nasrepro.diffusion.model import NoiseModel
from nasrepro.diffusion.noise import reverse_times
from nasrepro.diffusion.sample import prior, reverse_step, sample
from nasrepro.diffusion.train import TrainingConfig, drop_conditions, train
from nasrepro.runs.novelty import novelty, uniqueness
from nasrepro.runs.statistics import best_so_far, mean_difference, permutation
from nasrepro.spaces.darts.genotype import DARTS_V2
from nasrepro.spaces.darts.space import DARTS_CELL, NB301
from nasrepro.spaces.nb101.space import NB101
from nasrepro.spaces.nb201 import NB201

READER = "step"  # who reads labels, in the ledger
ACCURACY = Column("cifar10", "accuracy", "valid", 200, MEAN)
IMAGENET = Column("imagenet16-120", "accuracy", "valid", 200, MEAN)
LATENCY = device_column("imagenet16-120", "edgegpu_latency")


def noise(seed: int, ledger: Ledger) -> pd.DataFrame:
    """Noise cells up to a time t (Eq. 1), and restore them as a perfect denoiser would (Eq. 2)."""
    cells = NB201.encode_rows(np.arange(NB201.size))
    process = NoiseModel.fit(cells, len(NB201.node_classes), steps=500)
    denoise, generator, rows = ExactDenoiser(cells, process), torch.Generator().manual_seed(seed), []
    clean = cells[torch.randint(len(cells), (200,), generator=generator)]
    for t in (50, 150, 250, 350, 450):
        times = torch.full((200,), t)
        noisy = process.diffuse(clean, times, generator)
        restored = denoise(noisy, times / 500)[0].argmax(-1)
        as_before = [float((nodes == clean.nodes).double().mean()) for nodes in (noisy.nodes, restored)]
        rows.append((t, float(process.keep[t]), *as_before))
    return pd.DataFrame(rows, columns=["t", "kept", "noisy", "restored"])


def reverse(seed: int, ledger: Ledger) -> pd.DataFrame:
    """Go from noise to cells in five reverse steps (Eq. 3-4), with a perfect denoiser of 1,000 cells."""
    rng, generator, rows = np.random.default_rng(seed), torch.Generator().manual_seed(seed), []
    known = NB101.encode([NB101.sample(rng) for _ in range(1000)])
    process = NoiseModel.fit(known, len(NB101.node_classes), steps=500)
    denoise, width = ExactDenoiser(known, process), known.n_nodes + known.pairs.shape[1]
    graphs = prior(known.mask.sum(1)[:200], process, torch.rand(200, width, generator=generator))
    for t, s in pairwise(reverse_times(500, 5)):
        clean = denoise(graphs, torch.full((200,), t / 500))
        graphs = reverse_step(graphs, clean, process, t, s, torch.rand(200, width, generator=generator))
        cells = sum(cell is not None for cell in NB101.decode(graphs)) / 200
        rows.append((s, t, cells))
    return pd.DataFrame(rows, columns=["s", "from t", "cells"])


def combine(seed: int, ledger: Ledger) -> pd.DataFrame:
    """Combine ten normal and ten reduction cells to a hundred candidates, and ask the surrogate about each."""
    rng = np.random.default_rng(seed)
    normal, reduction = ([DARTS_CELL.sample(rng) for _ in range(10)] for _ in range(2))
    accuracy = ledger.open(NB301Benchmark(), SURROGATE_ACCURACY, READER)
    best = best_so_far(accuracy.read(list(product(normal, reduction)), "select"))
    return pd.DataFrame({"queries": q, "best": best[q - 1]} for q in (1, 10, 50, 100))


def conditions(seed: int, ledger: Ledger) -> pd.DataFrame:
    """Give each cell two conditions, accuracy and latency, and drop them now and then."""
    accuracy = ledger.open(NB201Benchmark(), IMAGENET, READER)
    latency = ledger.open(HWNB201Benchmark(), LATENCY, READER)
    rows = np.arange(NB201.size)
    cuts = [percentile_discretiser(accuracy, rows, [95.0]), threshold_discretiser(4.0)]
    classes = torch.from_numpy(read_classes([accuracy, latency], cuts, rows, "train"))
    generator = torch.Generator().manual_seed(seed)
    shown = drop_conditions(classes, [2, 2], epsilon=0.1, joint=True, generator=generator)
    names = {"wanted": (1, 0), "only accurate": (1, 1), "only fast": (0, 0), "neither": (0, 1), "dropped": (2, 2)}
    counts = [[int((of == torch.tensor(pair)).all(1).sum()) for of in (classes, shown)] for pair in names.values()]
    return pd.DataFrame(counts, columns=["cells", "shown"]).assign(classes=list(names))[["classes", "cells", "shown"]]


def classifier(seed: int, ledger: Ledger) -> pd.DataFrame:
    """Train a cell as an image classifier, in a small skeleton on made-up images."""
    recipe = Recipe(
        channels=4, n_cells=3, stem="cifar", epochs=3, batch_size=32, learning_rate=0.1, auxiliary_weight=0.0
    )
    images = Data("generated", side=8, training=640, test=200)
    trained = carry_out(Job(NB301.to_string(DARTS_V2), images, recipe, seed))
    rows = [(epoch.number, epoch.loss, epoch.top1_error) for epoch in trained.history]
    return pd.DataFrame(rows, columns=["epoch", "loss", "error"])


def vary(seed: int, ledger: Ledger) -> pd.DataFrame:
    """Sample from a perfect denoiser of 200 cells, and count what is a cell, is new, and comes up once."""
    known = np.random.default_rng(seed).choice(NB201.size, 200, replace=False)
    graphs, rows = NB201.encode_rows(known), []
    process = NoiseModel.fit(graphs, len(NB201.node_classes), steps=500)
    for steps in (1, 2, 5, 20):
        drawn = sample(ExactDenoiser(graphs, process), process, range(200), seed=seed, steps=steps)
        names = [NB201.to_string(cell) for cell in NB201.decode(drawn) if cell is not None]
        known_names = [NB201.to_string(NB201.from_index(int(row))) for row in known]
        rows.append((steps, len(names) / 200, novelty(names, known_names), uniqueness(names)))
    return pd.DataFrame(rows, columns=["steps", "cells", "novel", "unique"])


def learn(seed: int, ledger: Ledger) -> pd.DataFrame:
    """Train a denoiser on few cells and on many (Algorithm 1), with the same number of epochs."""
    accuracy, rows = ledger.open(NB201Benchmark(), ACCURACY, READER), []
    for cells in (100, 1000, 10_000):
        chosen = np.random.default_rng(seed).choice(NB201.size, cells, replace=False)
        cut = percentile_discretiser(accuracy, chosen, [95.0])
        classes = torch.from_numpy(read_classes([accuracy], [cut], chosen, "train"))
        config = TrainingConfig(epochs=2, batch_size=100, learning_rate=2e-3)
        _, history = train(
            NB201.encode_rows(chosen), classes, node_classes=len(NB201.node_classes), condition_classes=(2,),
            denoiser=DEFAULT, config=config, seed=seed,
        )  # fmt: skip
        rows.append((cells, len(history), history[0].loss, history[-1].loss))
    return pd.DataFrame(rows, columns=["cells", "steps", "first", "last"])


def classes(seed: int, ledger: Ledger) -> pd.DataFrame:
    """Cut accuracy into classes at percentiles, for two to five classes."""
    accuracy, rows = ledger.open(NB201Benchmark(), ACCURACY, READER), np.arange(NB201.size)
    found = []
    for percentiles in ([95.0], [80.0, 95.0], [50.0, 80.0, 95.0], [30.0, 50.0, 80.0, 95.0]):
        cut = percentile_discretiser(accuracy, rows, percentiles)
        sizes = np.bincount(read_classes([accuracy], [cut], rows, "train")[:, 0])
        found.append((cut.n_classes, ", ".join(f"{bound:.2f}" for bound in cut.cuts), sizes[0], sizes[-1]))
    return pd.DataFrame(found, columns=["classes", "cuts", "lowest", "wanted"])


def compare(seed: int, ledger: Ledger) -> pd.DataFrame:
    """Compare ten runs of 192 uniform draws with ten of 192 draws from the better half of the cells."""
    accuracy, rng = ledger.open(NB201Benchmark(), ACCURACY, READER), np.random.default_rng(seed)
    values = accuracy.read(np.arange(NB201.size), "select")
    better = np.sort(values)[len(values) // 2 :]
    runs = {name: [rng.choice(of, 192).max() for _ in range(10)] for name, of in (("all", values), ("better", better))}
    difference = mean_difference(runs["better"], runs["all"])
    p = permutation(runs["better"], runs["all"])
    row = ("better less all", difference.mean, difference.low, difference.high, p)
    return pd.DataFrame([row], columns=["runs", "difference", "low", "high", "p"])


def guide(seed: int, ledger: Ledger) -> pd.DataFrame:
    """Ask a briefly trained denoiser about noise, with and without the wanted class, and combine both (Eq. 5)."""
    accuracy, rows = ledger.open(NB201Benchmark(), ACCURACY, READER), np.arange(NB201.size)
    cut = percentile_discretiser(accuracy, rows, [95.0])
    classes = torch.from_numpy(read_classes([accuracy], [cut], rows, "train"))
    config = TrainingConfig(epochs=2, batch_size=250, learning_rate=2e-3)
    model, _ = train(
        NB201.encode_rows(rows), classes, node_classes=len(NB201.node_classes), condition_classes=(2,),
        denoiser=DEFAULT, config=config, seed=seed,
    )  # fmt: skip
    u = torch.rand(1, 8 + 28, generator=torch.Generator().manual_seed(seed))
    graphs = prior(torch.tensor([8]), model.noise, u)
    with torch.no_grad():
        guided = {scale: Guided(model.denoiser, [1], scale)(graphs, torch.ones(1))[0] for scale in (0.0, 1.0, 2.0, 3.0)}
    table = pd.DataFrame({f"gamma {scale:g}": nodes[0, 1].numpy() for scale, nodes in guided.items()})
    return table.assign(operation=NB201.node_classes)[["operation", *table.columns]]


STEPS = (noise, reverse, combine, conditions, classifier, vary, learn, classes, compare, guide)
