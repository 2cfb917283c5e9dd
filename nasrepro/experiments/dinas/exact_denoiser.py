"""What the sampler alone gets wrong: DiNAS with exact probabilities in place of a network; not in the paper.

The wanted class of a benchmark is a finite list of cells, so the denoiser that training aims at is known in closed form
(`diffusion.exact`). Sampling with it, without guidance, would draw every cell of the list equally often and nothing
else, if the sampler took infinitely many steps. With few steps it does not, and a network that is trained until it
predicts perfectly, sampled without guidance, would do as is counted here. (Guidance draws fewer cells more often, and
so can leave the list less often.)
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from nasrepro.benchmarks.base import Column
from nasrepro.benchmarks.constraints import Constraint
from nasrepro.benchmarks.nb101 import NB101Benchmark
from nasrepro.benchmarks.nb201 import NB201Benchmark
from nasrepro.benchmarks.nb301 import SURROGATE_ACCURACY, NB301Benchmark
from nasrepro.diffusion.exact import ExactDenoiser
from nasrepro.diffusion.model import NoiseModel
from nasrepro.diffusion.sample import sample
from nasrepro.experiments.dinas import hw, nb101, nb201, nb301
from nasrepro.graphs import Graphs
from nasrepro.parameters.dinas import ExactParameters
from nasrepro.runs import progress
from nasrepro.runs.provenance import stopwatch
from nasrepro.runs.run import Experiment, Outcome, RunContext
from nasrepro.seeding import derive
from nasrepro.spaces.darts.space import DARTS_CELL

READER = "exact"
_T = 500  # steps of the forward process, as in the paper


@dataclass(frozen=True)
class Wanted:
    """The wanted class of a benchmark.

    Attributes:
        graphs: of its cells, W.
        known: of all cells that are labelled, from which the noise has its marginals.
        space: decodes a sample.
        keys: of the wanted cells.
        feasible: whether cells are within the constraint, bool; None where there is none.
    """

    graphs: Graphs
    known: Graphs
    space: Any
    keys: frozenset[str]
    feasible: Callable[[list[Any]], np.ndarray] | None = None


def execute(p: ExactParameters, context: RunContext) -> Outcome:
    """Sample with each number of steps, and count what was drawn."""
    wanted = wanted_class(p, context)
    # marginals of all labelled cells, as in training; numbers of nodes of the wanted ones, which are all that is drawn
    known, own = (NoiseModel.fit(g, len(wanted.space.node_classes), _T) for g in (wanted.known, wanted.graphs))
    noise = replace(known, sizes=own.sizes)
    denoiser, rows = ExactDenoiser(wanted.graphs, noise), []
    with progress.task("samples", len(p.steps)) as advance:
        for done, steps in enumerate(p.steps, 1):
            with stopwatch() as watch:
                drawn = sample(denoiser, noise, range(p.samples), seed=derive(p.seed, "samples"), steps=steps)
            context.spent("sampling", watch.wall_s, watch.cpu_s)
            rows.append({"steps": steps} | _count(wanted, drawn))
            advance(done)
    table = pd.DataFrame(rows)
    metrics = {"wanted_cells": len(wanted.graphs), "distinct_wanted": len(wanted.keys), "by_steps": rows}
    return Outcome(metrics, {"steps": table}, {"master": p.seed})


def _count(wanted: Wanted, drawn: Graphs) -> dict[str, float | None]:
    """Return the shares of the samples that are cells, within the constraint, and wanted, and how many distinct wanted
    cells there are among them."""
    archs = [arch for arch in wanted.space.decode(drawn) if arch is not None]
    keys = [wanted.space.key(arch) for arch in archs]
    feasible = wanted.feasible(archs).sum() / len(drawn) if wanted.feasible and archs else None
    return {
        "valid": len(archs) / len(drawn),
        "feasible": None if feasible is None else float(feasible),
        "wanted": sum(key in wanted.keys for key in keys) / len(drawn),
        "distinct_wanted": float(len(wanted.keys.intersection(keys))),
    }


def wanted_class(p: ExactParameters, context: RunContext) -> Wanted:
    """Read the labels of a benchmark; return its wanted class: the cells within the limits, if any, above the
    percentile of those. Of nb301 it is the normal cells of the wanted pairs."""
    benchmark, column, limits = _asked(p)
    if p.benchmark == "nb301":
        pairs = nb301.population(nb301.NB301Parameters.model_validate({"seed": p.seed}))
        values = context.ledger.open(benchmark, column, READER).read(pairs, "threshold")
        cells = [normal for normal, _ in pairs]
        winners = [cells[i] for i in np.flatnonzero(values > np.percentile(values, p.percentile))]
        keys = frozenset(map(DARTS_CELL.key, winners))
        return Wanted(DARTS_CELL.encode(winners), DARTS_CELL.encode(cells), DARTS_CELL, keys)
    space, rows = benchmark.space, np.arange(benchmark.space.size)
    within = hw.feasible(context, limits, READER, rows, "threshold") if limits else np.ones(len(rows), dtype=bool)
    values = context.ledger.open(benchmark, column, READER).read(rows, "threshold")
    best = np.flatnonzero(within & (values > np.nanpercentile(values[within], p.percentile)))
    keys = frozenset(space.key(space.from_index(int(row))) for row in best)
    feasible = (lambda archs: within[space.rows(archs)]) if limits else None
    return Wanted(space.encode_rows(best), space.encode_rows(rows), space, keys, feasible)


def _asked(p: ExactParameters) -> tuple[Any, Column, list[Constraint]]:
    """Return the benchmark and the column that are asked, and the limits of the wanted cells."""
    if p.benchmark == "nb301":
        return NB301Benchmark(), SURROGATE_ACCURACY, []
    if p.benchmark == "nb101":
        return NB101Benchmark(), nb101.column("test"), []
    if p.benchmark == "nb201":
        return NB201Benchmark(), nb201.column(p.dataset, "valid"), []
    return NB201Benchmark(), hw.ACCURACY, [hw.limit_of(p.platform, p.latency)]


def _data(p: ExactParameters) -> dict[str, str]:
    benchmark, column, limits = _asked(p)
    costs = [limit.costs.checksums([limit.column]) for limit in limits]
    return dict(ChainMap(benchmark.checksums([column]), *costs))


EXPERIMENT = Experiment("exact_denoiser", 1, ExactParameters, _data, execute)
