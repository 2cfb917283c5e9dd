"""One model for all twelve settings of Table 4: the device and its bound are conditions too; not in the paper.

The paper trains a model for every setting. Here a training graph is a cell seen under one setting, and its conditions
are (setting and whether the cell is within its bound, one of 24 classes) and (whether it is in the top class of the
cells within the bound). Sampling asks for one setting at a time.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from nasrepro.benchmarks.constraints import Constraint
from nasrepro.benchmarks.nb201 import NB201Benchmark
from nasrepro.diffusion.guidance import Guided, percentile_discretiser
from nasrepro.diffusion.model import DiffusionModel
from nasrepro.experiments.dinas import hw
from nasrepro.experiments.dinas.generation import denoiser_config, training_config
from nasrepro.graphs import Graphs
from nasrepro.parameters.dinas import JointParameters
from nasrepro.runs.printed import hardware_settings
from nasrepro.runs.protocols import PAPER, run_rows, summary_rows
from nasrepro.runs.run import Experiment, Outcome, RunContext
from nasrepro.runs.trained_models import trained
from nasrepro.search.base import spend
from nasrepro.search.dinas import DiNAS
from nasrepro.seeding import derive

TOP = 1  # class of the cells above the percentile


def execute(p: JointParameters, context: RunContext) -> Outcome:
    """Train one model on every cell under every setting, then sample for each setting in turn."""
    benchmark = NB201Benchmark()
    everything = np.arange(benchmark.space.size)
    labels = context.ledger.open(benchmark, hw.ACCURACY, "dinas")
    values = labels.read(everything, "train")
    limits = [_limit(device, bound) for device, bound in hardware_settings()]
    within = [hw.feasible(context, [limit], "dinas", everything, "train") for limit in limits]
    cuts = [percentile_discretiser(labels, np.flatnonzero(w), [p.percentile]).cuts[0] for w in within]
    classes = np.concatenate(
        [
            np.stack([2 * s + inside, values > cut], axis=1)
            for s, (inside, cut) in enumerate(zip(within, cuts, strict=True))
        ]
    ).astype(np.int64)
    traces, losses = [], []
    for training in range(p.trainings):
        model, loss = _train(p, context, training, benchmark, limits, cuts, classes)
        losses.append(loss.assign(training=training))
        traces += [
            _sample(p, context, benchmark, model, training, s, run) for s in range(len(limits)) for run in range(p.runs)
        ]
    rows, parts, ceilings = [], [], {}
    trace = pd.concat(traces, ignore_index=True)
    for s, ((device, bound), limit) in enumerate(zip(hardware_settings(), limits, strict=True)):
        mine = hw.constrained(context, trace[trace.setting == s], [limit], within[s])
        runs = run_rows(hw.only_feasible(mine), PAPER, p.queries, cuts[s], None)
        name = f"{device}-{bound}"
        rows += [hw.table4_row(r, mine) | {"protocol": name} for r in summary_rows(runs, p.queries, context.ledger)]
        ceilings[name] = benchmark.optimum(hw.ACCURACY, within[s]).value
        parts.append(mine)
    metrics = {
        "column": str(hw.ACCURACY),
        "cuts": cuts,
        "ceilings": ceilings,
        "rows": rows,
        "speed": {
            "training_s": context.stages["training"] / p.trainings,
            "training_steps": int(losses[0].step.max()),
            "seconds_per_architecture": context.stages["sampling"] / len(trace),
        },
    }
    seeds: dict[str, int | list[int]] = {
        "master": p.seed,
        "trainings": [derive(p.seed, "training", k) for k in range(p.trainings)],
    }
    tables = {"trace": pd.concat(parts, ignore_index=True), "loss": pd.concat(losses, ignore_index=True)}
    return Outcome(metrics, tables, seeds)


def _limit(device: str, bound: float) -> Constraint:
    return hw.constraints(hw.HWParameters.model_validate({"device": device, "latency": float(bound)}))[0]


def _train(
    p: JointParameters,
    context: RunContext,
    training: int,
    benchmark: NB201Benchmark,
    limits: list[Constraint],
    cuts: list[float],
    classes: np.ndarray,
) -> tuple[DiffusionModel, pd.DataFrame]:
    """Train on every cell under every setting (classes int64, settings x cells by 2)."""

    def load() -> tuple[Graphs, torch.Tensor]:
        cells = benchmark.space.encode_rows(np.arange(benchmark.space.size))
        return Graphs.cat([cells] * len(limits)), torch.from_numpy(classes)

    return trained(
        context,
        f"training {training + 1} of {p.trainings}",
        {"space": benchmark.space.name, "settings": [str(c) for c in limits], "cuts": cuts, "data": _data(p)},
        load,
        node_classes=len(benchmark.space.node_classes),
        condition_classes=(2 * len(limits), 2),
        denoiser=denoiser_config(p),
        config=training_config(p),
        seed=derive(p.seed, "training", training),
        wanted=[(2 * s + 1, TOP) for s in range(len(limits))] if p.wanted_share else None,
    )


def _sample(
    p: JointParameters,
    context: RunContext,
    benchmark: NB201Benchmark,
    model: DiffusionModel,
    training: int,
    setting: int,
    run: int,
) -> pd.DataFrame:
    """Spend one run's queries under a setting as a stage of its own; return its trace."""
    guided = Guided(model.denoiser.to(context.device), [2 * setting + 1, TOP], p.guidance_scale, p.guide_on)
    seed = derive(p.seed, "samples", training, setting, run)
    searcher = DiNAS(guided, model.noise, benchmark.space, seed=seed, steps=p.reverse_steps, device=context.device)
    trace = context.stage(
        "sampling",
        f"dinas-{training}-{setting}-{run}",
        lambda ledger: spend(
            searcher, benchmark.space, ledger.open(benchmark, hw.ACCURACY, "dinas"), p.queries, batch=p.queries
        ),
    )
    return trace.assign(searcher="dinas", training=training, run=run, setting=setting)


def _data(p: JointParameters) -> dict[str, str]:
    columns = [_limit(device, bound).column for device, bound in hardware_settings()]
    return NB201Benchmark().checksums([hw.ACCURACY]) | hw.HWNB201Benchmark().checksums(list(dict.fromkeys(columns)))


EXPERIMENT = Experiment("hw_joint", 1, JointParameters, _data, execute)
