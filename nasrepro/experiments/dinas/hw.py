"""DiNAS under a latency constraint on HW-NAS-Bench (DiNAS, Table 4): two conditions at once.

A run is one of the twelve settings: a device and a bound on its latency, ImageNet16-120, 200 queries. The model is
conditioned on accuracy (top 5 %) and on latency (within the bound). Which cells the top 5 % are taken of is told
differently by the paper's text (all cells) and by its public code (the cells within the bound): `top_of` is either.

A sample outside the bound, or whose latency was never measured, uses up a query and has no accuracy. With `energy`,
the energy on the device is bounded too, and the model has three conditions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from nasrepro.benchmarks.base import MEAN, Column
from nasrepro.benchmarks.constraints import Constraint
from nasrepro.benchmarks.hw_nb201 import HWNB201Benchmark, device_column
from nasrepro.benchmarks.nb201 import NB201Benchmark
from nasrepro.diffusion.guidance import threshold_discretiser
from nasrepro.errors import ParameterError
from nasrepro.experiments.dinas.generation import Condition, Found, Generation
from nasrepro.parameters.dinas import HWParameters
from nasrepro.runs.protocols import PAPER, run_rows
from nasrepro.runs.run import Experiment, Outcome, RunContext

DATASET = "imagenet16-120"
WITHIN = 0  # class of latencies up to the bound
ACCURACY = Column(DATASET, "accuracy", "valid", 200, MEAN)
_RENAMED = {"best_valid": "val", "validity": "feasibility", "distinct_valid": "distinct_feasible"}


def execute(p: HWParameters, context: RunContext) -> Outcome:
    """Train on all conditions, sample, query; then random search and the draw from the labelled wanted cells."""
    return _Constrained(p, context, NB201Benchmark(), ACCURACY).outcome()


class _Constrained(Generation):
    """A cell outside the bounds is a sample without an accuracy."""

    control_names = ("random", "top_class")

    def __init__(self, p: HWParameters, context: RunContext, benchmark: NB201Benchmark, column: Column) -> None:
        super().__init__(p, context, benchmark, column)
        self.limits = constraints(p)
        self.within = feasible(context, self.limits, "book", self.population, "report")

    def condition_on(self, cells: np.ndarray) -> list[Condition]:
        known = cells
        if self.p.top_of == "feasible":
            known = cells[feasible(self.context, self.limits, "dinas", cells, "threshold")]
        costs = [self.context.ledger.open(limit.costs, limit.column, "dinas") for limit in self.limits]
        bounds = [threshold_discretiser(limit.bound) for limit in self.limits]
        bounded = [Condition(cost, bound, WITHIN) for cost, bound in zip(costs, bounds, strict=True)]
        return [*super().condition_on(known), *bounded]

    def winners(self) -> tuple[np.ndarray, np.ndarray]:
        values = self.labels("top_class").read(self.population, "threshold")
        feasible(self.context, self.limits, "top_class", self.population, "threshold")
        return np.flatnonzero(self.within & (values > self.cuts[-1])), values[self.within]

    def observed(self, trace: pd.DataFrame) -> pd.DataFrame:
        return constrained(self.context, trace, self.limits, self.within)

    def runs(self, trace: pd.DataFrame) -> pd.DataFrame:
        return run_rows(only_feasible(trace), PAPER, self.p.queries, self.cuts[-1], None)

    def findings(self, found: Found) -> dict[str, Any]:
        best = self.benchmark.optimum(ACCURACY, self.within)
        return {
            "constraint": " and ".join(map(str, self.limits)),
            "wanted_cells": found.wanted_cells,
            "ceiling": {"val": best.value, "arch": best.arch, "share": float(self.within.mean())},
            "rows": [table4_row(row, found.trace) for row in found.rows],
        }

    def best_found(self, sampled: pd.DataFrame, values: np.ndarray) -> list[dict[str, Any]]:
        return super().best_found(sampled[sampled.feasible], values)


def constraints(p: HWParameters) -> list[Constraint]:
    """Return the bound on the latency, and that on the energy where there is one.

    Raises:
        ParameterError: the energy of this device was not measured.
    """
    costs, limits = HWNB201Benchmark(), [(f"{p.device}_latency", p.latency)]
    if p.energy:
        if f"{p.device}_energy" not in costs.metrics:
            raise ParameterError(f"energy={p.energy:g}: the energy on {p.device} was not measured. Leave energy at 0.")
        limits.append((f"{p.device}_energy", p.energy))
    return [Constraint(costs, device_column(DATASET, cost), bound) for cost, bound in limits]


def limit_of(device: str, latency: float) -> Constraint:
    """Return the bound on the latency on a device."""
    return constraints(HWParameters.model_validate({"device": device, "latency": float(latency)}))[0]


def feasible(
    context: RunContext, limits: Sequence[Constraint], reader: str, rows: np.ndarray, purpose: str
) -> np.ndarray:
    """Return whether cells satisfy all constraints, bool, B; the read of every cost goes to the ledger."""
    costs = [context.ledger.open(c.costs, c.column, reader).read(rows, purpose) <= c.bound for c in limits]
    return np.logical_and.reduce(costs)


def constrained(
    context: RunContext, trace: pd.DataFrame, limits: Sequence[Constraint], within: np.ndarray
) -> pd.DataFrame:
    """Return the trace with the column `feasible`; that each searcher looks up the costs of its cells is accounted."""
    for searcher, part in trace[trace.row >= 0].groupby("searcher"):
        feasible(context, limits, str(searcher), part.row.to_numpy(), "select")
    return trace.assign(feasible=(trace.row >= 0) & within[trace.row.clip(lower=0)])


def only_feasible(trace: pd.DataFrame) -> pd.DataFrame:
    """Return the trace with the samples outside the constraint as if they were no cells."""
    return trace.assign(row=trace.row.where(trace.feasible, -1), value=trace.value.where(trace.feasible))


def table4_row(row: dict[str, Any], trace: pd.DataFrame) -> dict[str, Any]:
    """Return a summary row under the names of Table 4, with the share of samples that are cells at all."""
    mine = trace[trace.searcher == row["searcher"]]
    return {_RENAMED.get(k, k): v for k, v in row.items()} | {"valid_share": float((mine.row >= 0).mean())}


def _data(p: HWParameters) -> dict[str, str]:
    return NB201Benchmark().checksums([ACCURACY]) | HWNB201Benchmark().checksums([c.column for c in constraints(p)])


EXPERIMENT = Experiment("hw", 1, HWParameters, _data, execute)
