"""The data card of a benchmark: what it holds on this machine, counted and measured from its own tables.

Reads every label (purpose `report`, reader `book`): a card describes a benchmark and searches nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from nasrepro import benchmarks
from nasrepro.benchmarks.base import Benchmark, Column
from nasrepro.parameters.data import CardParameters
from nasrepro.runs.run import Experiment, Outcome, RunContext

_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def execute(p: CardParameters, context: RunContext) -> Outcome:
    """Describe each column that can be answered here."""
    bench = benchmarks.load(p.benchmark)
    rows, bars = [], []
    for column in bench.columns():
        values = _labelled(bench, column, context)
        rows.append(_describe(bench, column, values))
        counts, edges = np.histogram(values, bins=p.bins)
        bars.append(pd.DataFrame({"column": str(column), "low": edges[:-1], "high": edges[1:], "count": counts}))
    space = {name: getattr(bench.space, name) for name in ("name", "size", "node_classes", "max_nodes")}
    metrics: dict[str, Any] = {
        "title": bench.title,
        "space": space | {"node_classes": list(space["node_classes"])},
        "defects": list(bench.defects),
        "cannot_answer": list(bench.cannot_answer),
        "facts": bench.facts(),
    }
    tables = {"columns": pd.DataFrame(rows), "histograms": pd.concat(bars, ignore_index=True)}
    return Outcome(metrics, tables, {})


def _labelled(bench: Benchmark[Any], column: Column, context: RunContext) -> np.ndarray:
    """Return the values of a column that exist, read through the ledger."""
    labels = context.ledger.open(bench, column, "book")
    archs: Any = bench.labelled(column) if bench.space.size is None else np.arange(bench.space.size)
    values = labels.read(archs, "report")
    return values[np.isfinite(values)]


def _describe(bench: Benchmark[Any], column: Column, values: np.ndarray) -> dict[str, Any]:
    metric, best = bench.metrics[column.metric], bench.optimum(column)
    result = bench.query(bench.arch(best.arch), **column.__dict__)
    size = bench.space.size
    known = {name: getattr(metric, name) for name in ("unit", "higher_is_better", "what")}
    counts = {"source": result.source, "labelled": len(values), "share": len(values) / size if size else np.nan}
    moments = {"mean": float(values.mean()), "sd": float(values.std())}
    quantiles = {f"q{round(100 * q):02d}": float(np.quantile(values, q)) for q in _QUANTILES}
    ends = {"low": float(values.min()), "high": float(values.max())}
    of_column = column.__dict__ | {"seed": str(column.seed), "column": str(column)}
    found = {"optimum": best.value, "optimum_arch": best.arch}
    return of_column | known | counts | moments | quantiles | ends | found


def _data(p: CardParameters) -> dict[str, str]:
    bench = benchmarks.load(p.benchmark)
    return bench.checksums(bench.columns())


EXPERIMENT = Experiment("card", 2, CardParameters, _data, execute)
