"""How fast training and sampling are on this machine, network by network, against what the machine can do.

Every time is the median of a few repeats in one process, with the lowest and the highest. Beside it stand the
floating-point operations of its matrix products, counted, and the ceilings of the machine, measured in the same run: a
large matrix product and a copy of a large tensor.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode

from nasrepro.diffusion import flat
from nasrepro.diffusion.denoiser_config import CONFIGS
from nasrepro.diffusion.guidance import Guided
from nasrepro.diffusion.model import NoiseModel
from nasrepro.diffusion.sample import sample
from nasrepro.diffusion.threads import InParts
from nasrepro.diffusion.train import graph_loss
from nasrepro.graphs import Graphs
from nasrepro.parameters.machine import SpeedParameters
from nasrepro.runs import progress
from nasrepro.runs.provenance import stopwatch
from nasrepro.runs.run import Experiment, Outcome, RunContext
from nasrepro.seeding import numpy_stream
from nasrepro.spaces.nb201 import NB201

BATCHES = {"paper": (16, 192), "default": (256, 512), "whole-graph": (256, 512), "flat": (256, 512)}  # of both steps
STEPS = 10  # reverse steps of the curves over cells
_SIDE, _BYTES = 1_500, 2**28  # of the ceilings


class _Clock:
    """Takes times on a number of threads, and keeps them as rows."""

    def __init__(self, repeats: int) -> None:
        self.repeats, self.rows = repeats, list[dict[str, Any]]()

    def take(self, what: str, work: Callable[[], object], per: int = 1, **of: Any) -> None:
        """Note seconds of some work, divided by `per`, and the products that it makes."""
        work()  # caches, pages and threads are warm
        with FlopCounterMode(display=False) as products:
            work()
        seconds = []
        for _ in range(self.repeats):
            began = time.perf_counter()
            work()
            seconds.append((time.perf_counter() - began) / per)
        found = {"median": median(seconds), "low": min(seconds), "high": max(seconds)}
        threads, gflop = torch.get_num_threads(), products.get_total_flops() / per / 1e9
        self.rows.append({"what": what, "threads": threads, **of, **found, "gflop": gflop})


def execute(p: SpeedParameters, context: RunContext) -> Outcome:
    """Measure the ceilings, a training step and a guided reverse step of each network, and both curves."""
    rng, clock = numpy_stream(p.seed, "speed"), _Clock(p.repeats)
    torch.manual_seed(p.seed)
    cells = NB201.encode_rows(rng.integers(NB201.size, size=512))
    with stopwatch() as watch, progress.task("speed", 4) as advance:
        for done, part in enumerate((_ceilings, _steps, _over_cells, _over_nodes), 1):
            part(clock, cells, p, rng)
            advance(done)
    context.spent("measuring", watch.wall_s, watch.cpu_s)
    return Outcome({"times": clock.rows}, {"times": pd.DataFrame(clock.rows)}, {"master": p.seed})


def _ceilings(clock: _Clock, _: Graphs, p: SpeedParameters, rng: np.random.Generator) -> None:
    square, long = torch.rand(_SIDE, _SIDE), torch.rand(_BYTES // 4)
    target = torch.empty_like(long)
    for _threads in _each(p.threads):
        clock.take("matrix product", lambda: square @ square)
        clock.take("copy", lambda: target.copy_(long), gbyte=2 * _BYTES / 1e9)


def _steps(clock: _Clock, cells: Graphs, p: SpeedParameters, _: np.random.Generator) -> None:
    """A training step in as many parts as threads; a guided reverse step of one batch of samples."""
    for (name, (batch, samples)), threads in ((item, t) for item in BATCHES.items() for t in _each(p.threads)):
        network, noise = _network(name, cells)
        clean = cells[:batch]
        predict, optimiser = InParts(network.train(), threads), torch.optim.AdamW(network.parameters(), fused=True)

        def train_step(
            clean: Graphs = clean, predict: InParts = predict, optimiser: Any = optimiser, noise: NoiseModel = noise
        ) -> None:
            t = torch.randint(1, noise.steps + 1, (len(clean),))
            noisy = noise.diffuse(clean, t, torch.default_generator)
            optimiser.zero_grad(set_to_none=True)
            logits = predict(noisy, t / noise.steps, torch.zeros(len(clean), 1, dtype=torch.int64))
            graph_loss(logits, clean, 5.0)[0].backward()
            optimiser.step()

        clock.take("training step", train_step, network=name, cells=batch)
        guided = Guided(network.eval(), [1], 2.0)
        t = torch.ones(samples)
        with torch.inference_mode():
            clock.take("reverse step", partial(guided, cells[:samples], t), network=name, cells=samples)


def _over_cells(clock: _Clock, cells: Graphs, p: SpeedParameters, _: np.random.Generator) -> None:
    """Seconds per cell of whole samples, for 1 to `most_cells` cells in one call."""
    for name in ("default", "flat"):
        network, noise = _network(name, cells)
        guided, count = Guided(network.eval(), [1], 2.0), 1
        while count <= p.most_cells and (name == "flat" or count <= 1_000):
            clock.take(
                "sampling",
                partial(sample, guided, noise, range(count), seed=p.seed, steps=STEPS),
                per=count, network=name, cells=count,
            )  # fmt: skip
            count *= 10


def _over_nodes(clock: _Clock, _: Graphs, p: SpeedParameters, rng: np.random.Generator) -> None:
    """Guided reverse steps of 64 random graphs, for 8 to `most_nodes` nodes."""
    nodes = 8
    while nodes <= p.most_nodes:
        for name in ("default", "flat"):
            pairs = nodes * (nodes - 1) // 2
            drawn = [torch.from_numpy(rng.integers(k, size=(64, n))) for k, n in ((7, nodes), (2, pairs))]
            graphs = Graphs(drawn[0], drawn[1], torch.ones(64, nodes, dtype=torch.bool))
            guided, t = Guided(_network(name, graphs)[0].eval(), [1], 2.0), torch.ones(64)
            with torch.inference_mode():
                clock.take("reverse step by nodes", partial(guided, graphs, t), per=64, network=name, nodes=nodes)
        nodes *= 2


def _network(name: str, graphs: Graphs) -> tuple[flat.Network, NoiseModel]:
    classes = len(NB201.node_classes)
    return flat.network(CONFIGS[name], classes, (2,), graphs), NoiseModel.fit(graphs, classes, 500)


def _each(most: int) -> Iterator[int]:
    """Yield 1 to `most` threads, and let PyTorch use so many meanwhile."""
    for threads in range(1, most + 1):
        with _limited(threads):
            yield threads


@contextmanager
def _limited(threads: int) -> Iterator[None]:
    kept = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(kept)


EXPERIMENT = Experiment("speed", 1, SpeedParameters, lambda p: {}, execute)
