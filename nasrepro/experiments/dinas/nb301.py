"""DiNAS on NAS-Bench-301 (DiNAS, Tables 3, 6 and 7): two models, one per cell of an architecture.

`cells` random architectures (pairs of a normal and a reduction cell) are labelled, and the label of the pair is that of
both its cells. One model learns the normal cells, one the reduction cells; an architecture is a sample of each. Table 3
combines 10 with 10 samples to 100 queries, Table 7 draws 192 pairs (`protocol`); both print 94.92.

Labels and queries are predictions of our surrogate (see `benchmarks.nb301`), so no number here is comparable with a
printed one. There is no test accuracy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import pandas as pd

from nasrepro.benchmarks.base import Column
from nasrepro.benchmarks.nb301 import SURROGATE_ACCURACY, SURROGATE_DISTANCE, NB301Benchmark
from nasrepro.diffusion.guidance import percentile_discretiser
from nasrepro.diffusion.model import DiffusionModel
from nasrepro.errors import ParameterError
from nasrepro.experiments.dinas.generation import Condition, Generation
from nasrepro.experiments.dinas.surrogates import (
    best_of_runs,
    generate,
    other_rows,
    speed_of,
    trust,
    variety,
    with_reported,
)
from nasrepro.graphs import Graphs
from nasrepro.parameters.dinas import NB301Parameters
from nasrepro.runs.protocols import DISTINCT, PAPER, is_cell, summary_rows
from nasrepro.runs.run import Experiment, Outcome, RunContext
from nasrepro.runs.statistics import FAILED_RUN, summarise
from nasrepro.search.dinas import CellPairs, DiNAS
from nasrepro.seeding import derive, numpy_stream
from nasrepro.spaces.darts.genotype import Pair
from nasrepro.spaces.darts.space import DARTS_CELL, NB301

CELLS = ("normal", "reduction")
REPORTED: dict[str, Column] = {"distance": SURROGATE_DISTANCE}


@dataclass(frozen=True)
class PairSampler:
    """Samples of a model of normal cells and of one of reduction cells."""

    task: Generation
    training: int
    side: int
    models: tuple[DiffusionModel, ...]

    def cells(self, seed: int) -> tuple[DiNAS, DiNAS]:
        """Return the samples of each model as a searcher for cells."""
        normal, reduction = (
            self.task.searcher(model, DARTS_CELL, self.training, derive(seed, name))
            for name, model in zip(CELLS, self.models, strict=True)
        )
        return normal, reduction

    def __call__(self, seed: int) -> CellPairs:
        """Return both samples as a searcher for pairs."""
        return CellPairs(*self.cells(seed), self.side)


class PairGeneration(Generation):
    """Trainings and samples of both cells of a pair; `side` is that of `CellPairs`."""

    side: int = 1

    def sampler(self, training: int) -> tuple[PairSampler, pd.DataFrame]:
        """Train both models; return what makes a searcher of a seed, and the loss curves."""
        found, pairs = [], self.training_cells(training)
        for half, name in enumerate(CELLS):
            of = {"space": DARTS_CELL.name, "cell": name, "cells": len(self.population), "population": self.p.seed}
            found.append(self.train(training, of, partial(_encode, pairs, half), name))
        losses = pd.concat([loss.assign(cell=name) for name, (_, loss) in zip(CELLS, found, strict=True)])
        return PairSampler(self, training, self.side, tuple(model for model, _ in found)), losses


def _encode(pairs: Sequence[Pair], half: int) -> Graphs:
    """Return the graph form of one cell of every pair."""
    return DARTS_CELL.encode([pair[half] for pair in pairs])


def side(p: NB301Parameters) -> int:
    """Return how many samples of each model are combined in all ways; raise `ParameterError` where the queries do not
    fill the square."""
    if p.protocol == "single":
        return 1
    found = math.isqrt(p.queries)
    if found**2 != p.queries:
        raise ParameterError(
            f"queries={p.queries}: protocol=combinations combines as many normal as reduction cells, so it needs a "
            f"square, e.g. {found**2}. protocol=single takes any number."
        )
    return found


def population(p: NB301Parameters) -> list[Pair]:
    """Return the architectures that are labelled, drawn uniformly from all genotypes."""
    rng = numpy_stream(p.seed, "nb301", "population")
    return [NB301.sample(rng) for _ in range(p.cells)]


def execute(p: NB301Parameters, context: RunContext) -> Outcome:
    """Label, train both models, sample, query; then the draw from the labelled wanted pairs."""
    benchmark, archs = NB301Benchmark(), population(p)
    labels = context.ledger.open(benchmark, SURROGATE_ACCURACY, "dinas")

    def conditions(cells: list[Pair]) -> list[Condition]:
        discretiser = percentile_discretiser(labels, cells, [*p.lower_percentiles, p.percentile])
        return [Condition(labels, discretiser, discretiser.n_classes - 1)]

    asked = NB301Benchmark(misread=p.decode == "public_code")
    task = PairGeneration(p, context, asked, SURROGATE_ACCURACY, conditions, archs)
    task.side = side(p)
    dinas, loss = task.dinas()
    loss["training"] = 2 * loss["training"] + (loss["cell"] == CELLS[1])  # a curve of its own for every model
    cuts, archs = task.conditions(0)[0].discretiser.cuts, task.labelled(0)
    cut = cuts[-1]
    values = context.ledger.open(benchmark, SURROGATE_ACCURACY, "top_class").read(archs, "threshold")
    winners = [arch for arch, wanted in zip(archs, values > cut, strict=True) if wanted]
    trace = pd.concat([*dinas, *task.controls(winners, ["top_class"])], ignore_index=True)
    trace = with_reported(context.ledger, benchmark, trace, REPORTED)
    sampled = trace[(trace.searcher == "dinas") & (trace["query"] < p.queries)]
    runs = best_of_runs(trace, (PAPER, DISTINCT), p.queries, cut, REPORTED)
    found = _generations(task, archs, p.generations)
    whole, drawn_in_runs = found["pairs"], variety(sampled, NB301, archs)
    speed = speed_of(context, p.trainings, len(CELLS), int(loss.step.max()), p.generations)
    metrics = {
        "column": str(SURROGATE_ACCURACY),
        "cuts": list(cuts),
        "wanted_cells": len(winners),
        "best_label": float(values.max()),
        "rows": [
            *trust(summary_rows(runs, p.queries, context.ledger, task.reads()), runs, REPORTED),
            *other_rows(whole, drawn_in_runs, speed),
        ],
        "generations": found,
        "novelty": whole["novelty"],
        "uniqueness": whole["uniqueness"],
        "all_runs": drawn_in_runs,  # Table 7
        "misreading": _misreading(sampled, runs, context) if p.decode == "correct" else None,
        "best_found": task.best_found(sampled, values, None),
        "invalid": sampled.query("reason != ''").reason.value_counts().to_dict(),
        "speed": speed,
    }
    return Outcome(metrics, {"trace": trace.drop(columns="arch"), "runs": runs, "loss": loss}, task.seeds())


def _generations(task: PairGeneration, archs: list[Pair], samples: int) -> dict[str, dict[str, Any]]:
    """Return the variety of samples of the first training: of the cells of each model, and of their pairs."""
    sampler = cast(PairSampler, task.samplers[0])
    cells = sampler.cells(derive(task.p.seed, "generations"))
    drawn = [
        generate(task.context, f"generations-{name}", part, DARTS_CELL, samples)
        for name, part in zip(CELLS, cells, strict=True)
    ]
    found = {
        name: variety(part, DARTS_CELL, [pair[half] for pair in archs])
        for half, (name, part) in enumerate(zip(CELLS, drawn, strict=True))
    }
    read = [[DARTS_CELL.from_string(text) if text else None for text in part["arch"]] for part in drawn]
    pairs = [(a, b) if a and b else None for a, b in zip(*read, strict=True)]
    names = {"arch": NB301.to_string, "key": NB301.key}
    frame = pd.DataFrame({name: [of(pair) if pair else "" for pair in pairs] for name, of in names.items()})
    return found | {"pairs": variety(frame, NB301, archs)}


def _misreading(sampled: pd.DataFrame, runs: pd.DataFrame, context: RunContext) -> dict[str, Any]:
    """Return what the error of the public code does to the result, from the same samples: the best value of each run
    as the public code would report it, and what the architecture that it chooses is worth."""
    sound = sampled[is_cell(sampled)].copy()
    labels = context.ledger.open(NB301Benchmark(misread=True), SURROGATE_ACCURACY, "public_code")
    distinct = sound.drop_duplicates("arch")
    read = labels.read([NB301.from_string(text) for text in distinct["arch"]], "report")
    sound["misread"] = sound["arch"].map(dict(zip(distinct["arch"], read, strict=True)))
    chosen = sound.loc[sound.groupby(["training", "run"])["misread"].idxmax()] if len(sound) else sound
    own = runs[(runs["searcher"] == "dinas") & (runs["protocol"] == PAPER)].set_index(["training", "run"])["best_valid"]
    table = chosen.set_index(["training", "run"])[["misread", "value"]].reindex(own.index).fillna(FAILED_RUN)
    groups = own.index.get_level_values("training")
    return {
        "best_as_reported": summarise(table["misread"], groups).as_dict(),
        "worth_of_it": summarise(table["value"], groups).as_dict(),
        "best_if_read_rightly": summarise(own, groups).as_dict(),
        "change": summarise(table["misread"] - own, groups).as_dict(),
    }


def _data(p: NB301Parameters) -> dict[str, str]:
    side(p)
    return NB301Benchmark().checksums([SURROGATE_ACCURACY])


EXPERIMENT = Experiment("nb301", 1, NB301Parameters, _data, execute)
