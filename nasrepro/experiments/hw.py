"""DiNAS under a latency constraint on HW-NAS-Bench (DiNAS, Table 4): two conditions at once.

A run is one of the twelve settings: a device and a bound on its latency, ImageNet16-120, 200 queries. The model is
conditioned on accuracy (top 5 %) and on latency (within the bound). Which cells the top 5 % are taken of is told
differently by the paper's text (all cells) and by its public code (the cells within the bound): `top_of` is either.

A sample outside the bound, or whose latency was never measured, uses up a query and has no accuracy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from nasrepro.benchmarks.base import MEAN, Column
from nasrepro.benchmarks.constraints import Constraint
from nasrepro.benchmarks.hw_nb201 import HWNB201Benchmark, device_column
from nasrepro.benchmarks.nb201 import NB201Benchmark
from nasrepro.experiments.dinas import PAPER_RECIPE, Condition, DinasParameters, Generation
from nasrepro.guidance import percentile_discretiser, threshold_discretiser
from nasrepro.study.protocols import PAPER, run_rows, summary_rows
from nasrepro.study.run import Experiment, Outcome, RunContext

DATASET = "imagenet16-120"
WITHIN = 0  # class of latencies up to the bound
ACCURACY = Column(DATASET, "accuracy", "valid", 200, MEAN)
_CONTROLS = ("random", "top_class")
_RENAMED = {"best_valid": "val", "validity": "feasibility", "distinct_valid": "distinct_feasible"}


class HWParameters(DinasParameters):
    """Parameters of `nasrepro run hw`. Defaults are those of the `laptop` profile."""

    device: Literal["edgegpu", "raspi4", "edgetpu", "pixel3", "eyeriss", "fpga"] = Field(
        "edgegpu", description="device whose latency is bounded"
    )
    latency: float = Field(2.0, gt=0, description="bound on the latency, ms")
    top_of: Literal["feasible", "all"] = Field(
        "feasible", description="cells over which the percentile is taken: the public code, or the text"
    )
    queries: int = Field(200, ge=1, le=15_625, description="queries of one run")

    profiles: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "smoke": {"epochs": 1, "trainings": 1, "runs": 2, "queries": 24, "reverse_steps": 5, "most_draws": 1},
        "laptop": {"most_draws": 1, "guidance_scale": 1.5, "epochs": 40, "trainings": 1},
        "full": {**PAPER_RECIPE, "most_draws": 1},
    }


def execute(p: HWParameters, context: RunContext) -> Outcome:
    """Train on both conditions, sample, query; then random search and the draw from the labelled wanted cells."""
    accuracies, costs = NB201Benchmark(), HWNB201Benchmark()
    column = device_column(DATASET, f"{p.device}_latency")
    labels = context.ledger.open(accuracies, ACCURACY, "dinas")
    latencies = context.ledger.open(costs, column, "dinas")
    everything = np.arange(accuracies.space.size)
    within = context.ledger.open(costs, column, "book").read(everything, "report") <= p.latency

    def conditions(rows: np.ndarray) -> list[Condition]:
        population = rows
        if p.top_of == "feasible":
            population = rows[latencies.read(rows, "threshold") <= p.latency]
        discretiser = percentile_discretiser(labels, population, [*p.lower_percentiles, p.percentile])
        return [
            Condition(labels, discretiser, discretiser.n_classes - 1),
            Condition(latencies, threshold_discretiser(p.latency), WITHIN),
        ]

    task = Generation(p, context, accuracies, ACCURACY, conditions)
    dinas, loss = task.dinas()
    cuts = task.conditions(0)[0].discretiser.cuts
    cut = cuts[-1]
    values = context.ledger.open(accuracies, ACCURACY, "top_class").read(everything, "threshold")
    context.ledger.open(costs, column, "top_class").read(everything, "threshold")
    winners = np.flatnonzero(within & (values > cut))
    controls = task.controls(winners, _CONTROLS if len(winners) else _CONTROLS[:1])
    trace = pd.concat([*dinas, *controls], ignore_index=True)
    for searcher, part in trace[trace.row >= 0].groupby("searcher"):
        context.ledger.open(costs, column, str(searcher)).read(part.row.to_numpy(), "select")
    trace["feasible"] = (trace.row >= 0) & within[trace.row.clip(lower=0)]
    runs = run_rows(_only_feasible(trace), PAPER, p.queries, cut, None)
    constraint = Constraint(costs, column, p.latency)
    best = constraint.ceiling(accuracies, ACCURACY)
    sampled = trace[trace.searcher == "dinas"]
    metrics = {
        "constraint": str(constraint),
        "column": str(ACCURACY),
        "cuts": list(cuts),
        "wanted_cells": len(winners),
        "ceiling": {"val": best.value, "arch": best.arch, "share": constraint.share()},
        "rows": [_renamed(row, trace) for row in summary_rows(runs, p.queries, context.ledger)],
        "best_found": task.best_found(sampled[sampled.feasible], values[within], None),
        "invalid": sampled.query("reason != ''").reason.value_counts().to_dict(),
        "speed": task.speed(loss, len(sampled)),
    }
    return Outcome(metrics, {"trace": trace, "runs": runs, "loss": loss}, task.seeds())


def _only_feasible(trace: pd.DataFrame) -> pd.DataFrame:
    """Return the trace with the samples outside the constraint as if they were no cells."""
    return trace.assign(row=trace.row.where(trace.feasible, -1), value=trace.value.where(trace.feasible))


def _renamed(row: dict[str, Any], trace: pd.DataFrame) -> dict[str, Any]:
    """Return a summary row under the names of Table 4, with the share of samples that are cells at all."""
    mine = trace[trace.searcher == row["searcher"]]
    return {_RENAMED.get(k, k): v for k, v in row.items()} | {"valid_share": float((mine.row >= 0).mean())}


def _data(p: HWParameters) -> dict[str, str]:
    latency = device_column(DATASET, f"{p.device}_latency")
    return NB201Benchmark().checksums([ACCURACY]) | HWNB201Benchmark().checksums([latency])


EXPERIMENT = Experiment("hw", 1, HWParameters, _data, execute)
