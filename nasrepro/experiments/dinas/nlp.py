"""DiNAS on NAS-Bench-NLP (DiNAS, Tables 3 and 6): trained on the logged cells, 304 queries.

The model learns the cells of at most 8 operations (12 nodes) whose trainings on Penn Treebank ended with a finite loss,
with that loss as their label; samples are scored by our surrogate. Both are *test* losses of the final epoch: there is
no public validation loss (see `benchmarks.nlp`). As in the paper, "accuracy" is 100 minus the loss.

The surrogate is not that of NAS-Bench-X11, so no number here is comparable with a printed one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from nasrepro.benchmarks.base import MEAN, Column
from nasrepro.benchmarks.nlp import EPOCHS, PTB, NLPBenchmark
from nasrepro.diffusion.guidance import percentile_discretiser
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
from nasrepro.parameters.dinas import NLPParameters
from nasrepro.runs.protocols import DISTINCT, PAPER, summary_rows
from nasrepro.runs.run import Experiment, Outcome, RunContext
from nasrepro.seeding import derive

LOSS = Column(PTB, "loss", "test", EPOCHS, MEAN)
SURROGATE_LOSS, SURROGATE_DISTANCE, SURROGATE_DIVERGED = (
    Column(PTB, f"surrogate_{name}", "surrogate", EPOCHS, MEAN) for name in ("loss", "distance", "diverged")
)
REPORTED: dict[str, Column] = {"distance": SURROGATE_DISTANCE, "diverged": SURROGATE_DIVERGED}


def accuracy(losses: np.ndarray) -> np.ndarray:
    """Return what the papers call accuracy on this benchmark: 100 minus the loss."""
    found: np.ndarray = 100.0 - losses
    return found


def execute(p: NLPParameters, context: RunContext) -> Outcome:
    """Train on the logged cells, sample, query; then the draw from the labelled wanted cells."""
    benchmark = NLPBenchmark()
    space, archs = benchmark.space, benchmark.labelled(LOSS)
    labels = context.ledger.open(benchmark, LOSS, "dinas", accuracy)

    def conditions(cells: Sequence[Any]) -> list[Condition]:
        discretiser = percentile_discretiser(labels, cells, [*p.lower_percentiles, p.percentile])
        return [Condition(labels, discretiser, discretiser.n_classes - 1)]

    task = Generation(p, context, benchmark, SURROGATE_LOSS, conditions, archs, accuracy)
    dinas, loss = task.dinas()
    cuts, archs = task.conditions(0)[0].discretiser.cuts, task.labelled(0)
    cut = cuts[-1]
    values = context.ledger.open(benchmark, LOSS, "top_class", accuracy).read(archs, "threshold")
    winners = [arch for arch, wanted in zip(archs, values > cut, strict=True) if wanted]
    trace = pd.concat([*dinas, *task.controls(winners, ["top_class"])], ignore_index=True)
    trace = with_reported(context.ledger, benchmark, trace, REPORTED)
    sampled = trace[(trace.searcher == "dinas") & (trace["query"] < p.queries)]
    runs = best_of_runs(trace, (PAPER, DISTINCT), p.queries, cut, REPORTED)
    drawn = generate(context, "generations", task.samplers[0](derive(p.seed, "generations")), space, p.generations)
    whole, drawn_in_runs = variety(drawn, space, archs), variety(sampled, space, archs)
    speed = speed_of(context, p.trainings, 1, int(loss.step.max()), p.generations)
    metrics = {
        "column": str(SURROGATE_LOSS),
        "labels": str(LOSS),
        "cuts": list(cuts),
        "population": len(archs),
        "wanted_cells": len(winners),
        "best_label": float(values.max()),
        "rows": [
            *trust(summary_rows(runs, p.queries, context.ledger, task.reads()), runs, REPORTED),
            *other_rows(whole, drawn_in_runs, speed),
        ],
        "generations": {"cells": whole},
        "novelty": whole["novelty"],
        "uniqueness": whole["uniqueness"],
        "all_runs": drawn_in_runs,
        "best_found": task.best_found(sampled, values, None),
        "invalid": sampled.query("reason != ''").reason.value_counts().to_dict(),
        "speed": speed,
    }
    return Outcome(metrics, {"trace": trace.drop(columns="arch"), "runs": runs, "loss": loss}, task.seeds())


def _data(p: NLPParameters) -> dict[str, str]:
    return NLPBenchmark().checksums([LOSS, SURROGATE_LOSS])


EXPERIMENT = Experiment("nlp", 1, NLPParameters, _data, execute)
