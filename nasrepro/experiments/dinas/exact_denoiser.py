"""What the sampler alone gets wrong: DiNAS with exact probabilities in place of a network; not in the paper.

The wanted class of a benchmark is a finite list of cells, so the denoiser that training aims at is known in closed form
(`diffusion.exact`). Sampling with it, without guidance, would draw every cell of the list equally often and nothing
else, if the sampler took infinitely many steps. With few steps it does not, and a network that is trained until it
predicts perfectly, sampled without guidance, would do as is counted here. (Guidance draws fewer cells more often, and
so can leave the list less often.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

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
    wanted = _CLASSES[p.benchmark](p, context)
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


def _nb201(p: ExactParameters, context: RunContext) -> Wanted:
    return _tabular(NB201Benchmark(), nb201.column(p.dataset, "valid"), p, context)


def _nb101(p: ExactParameters, context: RunContext) -> Wanted:
    return _tabular(NB101Benchmark(), nb101.column("test"), p, context)


def _tabular(benchmark: Any, column: Any, p: ExactParameters, context: RunContext) -> Wanted:
    rows = np.arange(benchmark.space.size)
    values = context.ledger.open(benchmark, column, READER).read(rows, "threshold")
    return _finite(benchmark.space, np.flatnonzero(values > np.nanpercentile(values, p.percentile)))


def _hw(p: ExactParameters, context: RunContext) -> Wanted:
    benchmark, limits = NB201Benchmark(), _limits(p)
    rows = np.arange(benchmark.space.size)
    within = hw.feasible(context, limits, READER, rows, "threshold")
    values = context.ledger.open(benchmark, hw.ACCURACY, READER).read(rows, "threshold")
    found = _finite(benchmark.space, np.flatnonzero(within & (values > np.nanpercentile(values[within], p.percentile))))
    return replace(found, feasible=lambda archs: within[benchmark.space.rows(archs)])


def _finite(space: Any, winners: np.ndarray) -> Wanted:
    keys = frozenset(space.key(space.from_index(int(row))) for row in winners)
    return Wanted(space.encode_rows(winners), space.encode_rows(np.arange(space.size)), space, keys)


def _nb301(p: ExactParameters, context: RunContext) -> Wanted:
    pairs = nb301.population(nb301.NB301Parameters.model_validate({"seed": p.seed}))
    values = context.ledger.open(NB301Benchmark(), SURROGATE_ACCURACY, READER).read(pairs, "threshold")
    cells = [normal for normal, _ in pairs]
    winners = [cells[i] for i in np.flatnonzero(values > np.percentile(values, p.percentile))]
    keys = frozenset(map(DARTS_CELL.key, winners))
    return Wanted(DARTS_CELL.encode(winners), DARTS_CELL.encode(cells), DARTS_CELL, keys)


def _limits(p: ExactParameters) -> list[Any]:
    return hw.constraints(hw.HWParameters.model_validate({"device": p.platform, "latency": p.latency}))


_CLASSES = {"nb201": _nb201, "nb101": _nb101, "hw-nb201": _hw, "nb301": _nb301}


def _data(p: ExactParameters) -> dict[str, str]:
    if p.benchmark == "nb201":
        return NB201Benchmark().checksums([nb201.column(p.dataset, "valid")])
    if p.benchmark == "nb101":
        return NB101Benchmark().checksums([nb101.column("test")])
    if p.benchmark == "nb301":
        return NB301Benchmark().checksums([SURROGATE_ACCURACY])
    costs = [limit.costs.checksums([limit.column]) for limit in _limits(p)]
    return NB201Benchmark().checksums([hw.ACCURACY]) | {k: v for cost in costs for k, v in cost.items()}


EXPERIMENT = Experiment("exact_denoiser", 1, ExactParameters, _data, execute)
