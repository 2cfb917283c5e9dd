"""DiNAS on NAS-Bench-301 (DiNAS, Tables 3, 6 and 7): two models, one per cell of an architecture.

`cells` random architectures (pairs of a normal and a reduction cell) are labelled, and the label of the pair is that of
both its cells. One model learns the normal cells, one the reduction cells; an architecture is a sample of each. Table 3
combines 10 with 10 samples to 100 queries, Table 7 draws 192 pairs (`protocol`); both print 94.92.

Labels and queries are predictions of our surrogate (see `benchmarks.nb301`), so no number here is comparable with a
printed one. There is no test accuracy.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import pandas as pd

from nasrepro.benchmarks.base import Column
from nasrepro.benchmarks.ledger import Labels
from nasrepro.benchmarks.nb301 import SURROGATE_ACCURACY, SURROGATE_DISTANCE, NB301Benchmark
from nasrepro.diffusion.model import DiffusionModel
from nasrepro.errors import ParameterError
from nasrepro.experiments.dinas.generation import Found
from nasrepro.experiments.dinas.surrogates import GENERATIONS, Surrogate, generate, variety, with_reported
from nasrepro.graphs import Graphs
from nasrepro.parameters.dinas import NB301Parameters
from nasrepro.runs.protocols import PAPER, is_cell
from nasrepro.runs.run import Experiment, Outcome, RunContext
from nasrepro.runs.statistics import FAILED_RUN, summarise
from nasrepro.search.dinas import CellPairs, DiNAS
from nasrepro.seeding import derive, numpy_stream
from nasrepro.spaces.darts.genotype import Pair
from nasrepro.spaces.darts.space import DARTS_CELL, NB301

CELLS = ("normal", "reduction")
REPORTED: dict[str, Column] = {"distance": SURROGATE_DISTANCE}


def execute(p: NB301Parameters, context: RunContext) -> Outcome:
    """Label, train both models, sample, query; then the draw from the labelled wanted pairs."""
    asked = NB301Benchmark(misread=p.decode == "public_code")
    return _Pairs(p, context, asked, SURROGATE_ACCURACY, population(p)).outcome()


class _Pairs(Surrogate):
    """Two models a training, one per cell of an architecture."""

    reported = REPORTED
    models_of_training = len(CELLS)

    def labels(self, reader: str) -> Labels:
        return self.context.ledger.open(NB301Benchmark(), SURROGATE_ACCURACY, reader)

    def dinas(self) -> tuple[list[pd.DataFrame], pd.DataFrame]:
        traces, loss = super().dinas()
        loss["training"] = 2 * loss["training"] + (loss["cell"] == CELLS[1])  # a curve of its own for every model
        return traces, loss

    def fit(self, training: int) -> tuple[list[DiffusionModel], pd.DataFrame]:
        pairs, models, losses = self.training_cells(training), [], []
        for half, name in enumerate(CELLS):
            of = {"space": DARTS_CELL.name, "cell": name, "cells": len(self.population), "population": self.p.seed}
            model, loss = self.train(training, of, partial(_encode, pairs, half), name)
            models.append(model)
            losses.append(loss.assign(cell=name))
        return models, pd.concat(losses)

    def cells(self, training: int, seed: int) -> tuple[DiNAS, DiNAS]:
        """Return the samples of each model as a searcher for cells."""
        normal, reduction = (
            self.searcher(model, DARTS_CELL, training, derive(seed, name))
            for name, model in zip(CELLS, self.models[training], strict=True)
        )
        return normal, reduction

    def sampler(self, training: int, seed: int) -> CellPairs:
        return CellPairs(*self.cells(training, seed), side(self.p))

    def observed(self, trace: pd.DataFrame) -> pd.DataFrame:
        return with_reported(self.context.ledger, NB301Benchmark(), trace, self.reported)

    def generations(self) -> dict[str, dict[str, float | None]]:
        """Return the variety of the cells of each model, and of their pairs."""
        found, read, archs = {}, [], self.labelled(0)
        for half, (name, searcher) in enumerate(
            zip(CELLS, self.cells(0, derive(self.p.seed, GENERATIONS)), strict=True)
        ):
            drawn = generate(self.context, f"{GENERATIONS}-{name}", searcher, DARTS_CELL, self.p.generations)
            found[name] = variety(drawn, DARTS_CELL, [pair[half] for pair in archs])
            read.append([DARTS_CELL.from_string(text) if text else None for text in drawn["arch"]])
        pairs = [(a, b) if a and b else None for a, b in zip(*read, strict=True)]
        names = {"arch": NB301.to_string, "key": NB301.key}
        frame = pd.DataFrame({name: [of(pair) if pair else "" for pair in pairs] for name, of in names.items()})
        return found | {"pairs": variety(frame, NB301, archs)}

    def findings(self, found: Found) -> dict[str, Any]:
        misread = _misreading(found.sampled, found.runs, self.context) if self.p.decode == "correct" else None
        return super().findings(found) | {"misreading": misread}


def _encode(pairs: list[Pair], half: int) -> Graphs:
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
