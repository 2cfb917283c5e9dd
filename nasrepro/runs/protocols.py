"""From traces of search to rows of a table: the paper's protocol and the distinct one.

A trace has one row per draw: `searcher, training, run, query, row, reason, value`, row -1 and value NaN where the
draw is no architecture. Where the space is not finite, `key` (empty) and `arch` stand in the place of `row`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from nasrepro.benchmarks.ledger import Ledger
from nasrepro.runs.records import Record
from nasrepro.runs.statistics import FAILED_RUN, summarise

PAPER = "paper"  # every draw is a query: an invalid or repeated one too
DISTINCT = "distinct"  # draws go on until the budget of distinct valid architectures is filled, or the bound on draws

BEFORE = ("train", "threshold")  # purposes of what is read before a search
_NOBODY: dict[str, Any] = {"row": -1, "key": "", "arch": ""}  # what stands for a draw that is no architecture

TestLabels = Callable[[str, np.ndarray], np.ndarray]


def identity(trace: pd.DataFrame) -> str:
    """Return the column that says which architecture was drawn."""
    return "row" if "row" in trace else "key"


def is_cell(trace: pd.DataFrame) -> pd.Series:
    """Return which draws are architectures, bool, one per draw."""
    who = identity(trace)
    return trace[who] != _NOBODY[who]


def run_rows(trace: pd.DataFrame, protocol: str, queries: int, cut: float, test: TestLabels | None) -> pd.DataFrame:
    """Return one row per run: the best cell by validation accuracy among its queries, its test accuracy, and the
    counts.

    Args:
        trace: draws of one or more searchers.
        protocol: `paper` keeps the first `queries` draws of each run, `distinct` all of them.
        queries: the budget.
        cut: cells with a value above it are the wanted class.
        test: accounted look-up of test accuracies (reader, rows), None where there are none (column `test` is then
            NaN).
    """
    out = []
    who = identity(trace)
    shown = "row" if who == "row" else "arch"
    for (searcher, training, run), draws in trace.groupby(["searcher", "training", "run"], sort=False):
        kept = draws[draws["query"] < queries] if protocol == PAPER else draws
        sound = kept[is_cell(kept)]
        best = sound.iloc[int(sound["value"].to_numpy().argmax())] if len(sound) else None
        tested = np.nan
        if test is not None:
            tested = (
                FAILED_RUN if best is None else float(test(str(searcher), np.array([best["row"]], dtype=np.int64))[0])
            )
        out.append(
            {
                "searcher": searcher,
                "protocol": protocol,
                "training": training,
                "run": run,
                "best_valid": FAILED_RUN if best is None else float(best["value"]),
                "test": tested,
                shown: _NOBODY[shown] if best is None else best[shown],
                "samples": len(kept),
                "valid_samples": len(sound),
                "distinct_valid": int(sound[who].nunique()),
                "in_top_class": int((sound["value"] > cut).sum()),
            }
        )
    return pd.DataFrame(out)


def labels_before(searcher: str, ledger: Ledger, trainings: Sequence[Ledger] = ()) -> float:
    """Return how many labels a search of a searcher had read before it began: distinct ones, for training and for cut
    points.

    Args:
        searcher: reads under this name.
        ledger: of the run.
        trainings: what each training read. A search has one of them behind it, so for a searcher that was trained
            this is their number where they all read as many, else their mean, and not what the run read in all.
    """
    counts = [training.distinct(reader=searcher, purposes=BEFORE) for training in trainings]
    if not any(counts):
        return ledger.distinct(reader=searcher, purposes=BEFORE)
    return counts[0] if len(set(counts)) == 1 else sum(counts) / len(counts)


def recorded_labels_before(record: Record, row: Mapping[str, Any]) -> float:
    """Return `labels_before_search` of a row of a record, right also where the run labelled cells for each training.

    Earlier records have the labels of all their trainings together there. Each training read `labelled` cells of every
    column that it learns.
    """
    labelled = record.parameters.get("labelled")
    if not labelled or row["searcher"] != "dinas":
        found: float = row["labels_before_search"]
        return found
    return int(labelled) * len({c.column for c in record.labels if c.reader == "dinas" and c.purpose == "train"})


def summary_rows(
    runs: pd.DataFrame, queries: int, ledger: Ledger, before: Sequence[Ledger] = ()
) -> list[dict[str, Any]]:
    """Summarise runs: one dictionary per searcher and protocol, each figure as mean, 95 % interval (over trainings
    and runs), median, n. `before` has what each training read (`labels_before`)."""
    out = []
    for (searcher, protocol), part in runs.groupby(["searcher", "protocol"], sort=False):

        def figure(values: pd.Series, part: pd.DataFrame = part) -> dict[str, Any]:
            return summarise(values.to_numpy(dtype=float), part["training"].to_numpy()).as_dict()

        trainings = part["training"].nunique()
        out.append(
            {
                "searcher": searcher,
                "protocol": protocol,
                "trainings": int(trainings),
                "runs": len(part) // trainings,
                "queries": queries,
                "best_valid": figure(part["best_valid"]),
                "test": None if part["test"].isna().any() else figure(part["test"]),
                "samples": figure(part["samples"]),
                "distinct_valid": figure(part["distinct_valid"]),
                "validity": figure(part["valid_samples"] / part["samples"]),
                "in_top_class": figure(part["in_top_class"] / part["valid_samples"].clip(lower=1)),
                "failed_runs": int((part["valid_samples"] == 0).sum()),
                "filled_runs": int((part["distinct_valid"] >= queries).sum()),
                "labels_before_search": labels_before(str(searcher), ledger, before),
                "labels_in_search": figure(part["distinct_valid"]),
            }
        )
    return out
