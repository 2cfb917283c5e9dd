"""What a training step and a reverse step ask of a device: operations and floating-point products, counted.

A GPU's time for a step of so small a network is that of launching its operations, or of its arithmetic. Counts of both
tell how a step compares with one whose time is printed, that of the paper, without a GPU at hand. What memory traffic
costs is not counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from nasrepro.diffusion import matrix_layer
from nasrepro.diffusion.guidance import Guided
from nasrepro.diffusion.sample import sample
from nasrepro.diffusion.train import train
from nasrepro.experiments.dinas.generation import denoiser_config, training_config
from nasrepro.parameters import resolved
from nasrepro.parameters.dinas import DinasParameters
from nasrepro.parameters.machine import StepParameters
from nasrepro.runs import progress
from nasrepro.runs.plan import recipe
from nasrepro.runs.provenance import stopwatch
from nasrepro.runs.run import Experiment, Outcome, RunContext
from nasrepro.spaces.darts.space import DARTS_CELL
from nasrepro.spaces.nb101.space import NB101
from nasrepro.spaces.nb201 import NB201
from nasrepro.spaces.nlp.space import NLP

_SPACES = {"nb201": NB201, "nb101": NB101, "nb301": DARTS_CELL, "nlp": NLP, "hw": NB201, "hw_joint": NB201}
_CLASSES = {"hw": (2, 2), "hw_joint": (24, 2)}  # of each condition; elsewhere two of one
_ABLATED = ("whole-graph", "matrix-channels", "matrix-heads")  # further networks that the book trains on nb201


class _Operations(TorchDispatchMode):
    """Counts the tensor operations that compute something; views do not."""

    def __init__(self) -> None:
        super().__init__()
        self.number = 0

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.number += not func.is_view
        return func(*args, **(kwargs or {}))


def one_more(work: Callable[[int], object]) -> tuple[int, float]:
    """Return the operations of one more step, and the floating-point operations of its matrix products in units of
    10^9: those of `work(3)` less those of `work(2)`."""
    found = []
    for steps in (2, 3):
        with _Operations() as operations, FlopCounterMode(display=False) as products:
            work(steps)
        found.append((operations.number, products.get_total_flops()))
    (fewer, little), (more, much) = found
    return more - fewer, (much - little) / 1e9


def count(space: Any, classes: tuple[int, ...], p: DinasParameters, seed: int) -> dict[str, float]:
    """Return what a training step of `p.batch_size` graphs, and a reverse step of `p.queries` samples, amount to."""
    rng = np.random.default_rng(seed)
    graphs = space.encode([space.sample(rng) for _ in range(p.batch_size)])
    config = training_config(p)
    of = torch.zeros(len(graphs), len(classes), dtype=torch.int64)

    def training(epochs: int) -> Any:  # an epoch is one batch, so one step
        return train(
            graphs, of, node_classes=len(space.node_classes), condition_classes=classes, denoiser=denoiser_config(p),
            config=replace(config, epochs=epochs), seed=seed, wanted=[(0,) * len(classes)],
        )[0]  # fmt: skip

    steps, products = one_more(training)
    model = training(1)
    guided = Guided(model.denoiser, [0] * len(classes), p.guidance_scale, p.guide_on)
    reverse, reverse_products = one_more(
        lambda n: sample(guided, model.noise, range(p.queries), seed=seed, steps=n, batch_size=p.queries)
    )
    names = ("operations", "gflop", "reverse_operations", "reverse_gflop")
    return dict(zip(names, (steps, products, reverse, reverse_products), strict=True))


def execute(p: StepParameters, context: RunContext) -> Outcome:
    """Count the steps of the paper's recipe on NAS-Bench-201, then those of every profile `full`."""
    printed = recipe("dinas_recipe.yml")
    wanted = [("nb201", printed)] + [(name, {}) for name in _SPACES] + [("nb201", {"denoiser": d}) for d in _ABLATED]
    rows = []
    with matrix_layer.whole_batches(), stopwatch() as watch, progress.task("steps", len(wanted)) as advance:
        for done, (name, given) in enumerate(wanted, 1):
            chosen: Any = resolved(name, given, "full")
            shape = {"experiment": name, "denoiser": chosen.denoiser, "batch_size": chosen.batch_size}
            rows.append(
                shape | {"samples": chosen.queries} | count(_SPACES[name], _CLASSES.get(name, (2,)), chosen, p.seed)
            )
            advance(done)
    context.spent("counting", watch.wall_s, watch.cpu_s)
    return Outcome({"counts": rows}, {"steps": pd.DataFrame(rows)}, {"master": p.seed})


EXPERIMENT = Experiment("step_cost", 2, StepParameters, lambda p: {}, execute)
