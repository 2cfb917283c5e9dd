"""What the experiments on surrogate benchmarks share (DiNAS, Tables 3, 6 and 7): parameters, generations, and how far
the surrogate can be trusted where a search ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from nasrepro.benchmarks.base import Benchmark, Column
from nasrepro.benchmarks.ledger import Ledger
from nasrepro.runs import progress
from nasrepro.runs.novelty import novelty, uniqueness
from nasrepro.runs.protocols import PAPER, is_cell, run_rows
from nasrepro.runs.run import RunContext
from nasrepro.runs.statistics import summarise
from nasrepro.search.base import NO_KEY, Searcher
from nasrepro.spaces.base import SearchSpace

# "protocols" of rows that are no searches
GENERATIONS, ALL_RUNS, SPEED = "generations", "all_runs", "speed"


def generate(context: RunContext, name: str, searcher: Searcher, space: SearchSpace[Any], samples: int) -> pd.DataFrame:
    """Return samples as `arch` (native string), `key` (both empty where invalid) and `reason`; no label is read. The
    time goes to the kind `name`."""

    def compute(ledger: Ledger) -> pd.DataFrame:
        with progress.task(name, samples) as advance:
            drawn = searcher.ask(samples)
            advance(samples)
        return pd.DataFrame(
            {
                "arch": ["" if p.arch is None else space.to_string(p.arch) for p in drawn],
                "key": [NO_KEY if p.arch is None else space.key(p.arch) for p in drawn],
                "reason": [p.reason for p in drawn],
            }
        )

    return context.stage(name, name, compute)


def variety(drawn: pd.DataFrame, space: SearchSpace[Any], population: Sequence[Any]) -> dict[str, float | None]:
    """Return validity, and novelty and uniqueness of the valid samples, exactly (equal native strings) and up to
    isomorphism (equal keys), as shares.

    Args:
        drawn: samples, with `arch` and `key`.
        space: whose samples.
        population: the cells that the model was trained on.
    """
    sound = drawn[drawn["key"] != NO_KEY]
    keys, texts = sound["key"].tolist(), sound["arch"].tolist()
    return {
        "validity": len(sound) / len(drawn),
        "novelty": novelty(keys, set(map(space.key, population))),
        "uniqueness": uniqueness(keys),
        "novelty_exact": novelty(texts, set(map(space.to_string, population))),
        "uniqueness_exact": uniqueness(texts),
    }


def other_rows(
    generated: Mapping[str, float | None], drawn: Mapping[str, float | None], speed: Mapping[str, float]
) -> list[dict[str, Any]]:
    """Return rows of `metrics["rows"]` for what is not a search: the variety of the samples of Table 6 and of those of
    all runs (Table 7), and the time of one model."""
    parts = {GENERATIONS: generated, ALL_RUNS: drawn, SPEED: speed}
    return [
        {"searcher": "dinas", "protocol": protocol}
        | {name: summarise([] if value is None else [value]).as_dict() for name, value in part.items()}
        for protocol, part in parts.items()
    ]


def speed_of(context: RunContext, trainings: int, models: int, steps: int, samples: int) -> dict[str, float]:
    """Return seconds of training one model, its steps, and seconds per sample of a model (look-ups not counted), as
    means over what a run did.

    Args:
        context: of the run; `samples` of each model are in its stages `generations*`.
        trainings: number of them.
        models: of each training.
        steps: of each model.
        samples: of each model, drawn to look at them.
    """
    drawing = sum(seconds for kind, seconds in context.stages.items() if kind.startswith(GENERATIONS))
    return {
        "training_s": context.stages["training"] / (trainings * models),
        "training_steps": steps,
        "seconds_per_architecture": drawing / (models * samples),
        "models": models,
    }


def with_reported(
    ledger: Ledger, benchmark: Benchmark[Any], trace: pd.DataFrame, columns: Mapping[str, Column]
) -> pd.DataFrame:
    """Return a trace, numbered anew, with further columns of what was drawn (NaN where invalid), read for the
    report."""
    trace = trace.reset_index(drop=True).assign(**dict.fromkeys(columns, np.nan))
    for searcher, part in trace[is_cell(trace)].groupby("searcher"):
        distinct = part.drop_duplicates("key")
        archs = [benchmark.arch(text) for text in distinct["arch"]]
        for name, column in columns.items():
            values = ledger.open(benchmark, column, str(searcher)).read(archs, "report")
            trace.loc[part.index, name] = part["key"].map(dict(zip(distinct["key"], values, strict=True)))
    return trace


def best_of_runs(
    trace: pd.DataFrame, protocols: Sequence[str], queries: int, cut: float, columns: Mapping[str, Column]
) -> pd.DataFrame:
    """Return the runs of a trace (`protocols.run_rows`) with what `with_reported` read of their best architectures, and
    with `best_inside`: the best value of those that are no extrapolation (`distance` up to 1), NaN where there is
    none. Only DiNAS has the distinct protocol; the others never draw in vain."""
    return pd.concat([_best_of_runs(trace, protocol, queries, cut, columns) for protocol in protocols])


def _best_of_runs(
    trace: pd.DataFrame, protocol: str, queries: int, cut: float, columns: Mapping[str, Column]
) -> pd.DataFrame:
    kept = trace[trace["query"] < queries] if protocol == PAPER else trace[trace["searcher"] == "dinas"]
    runs = run_rows(kept, protocol, queries, cut, None)
    of = ["searcher", "training", "run"]
    sound = kept[is_cell(kept)]
    best = sound.loc[sound.groupby(of)["value"].idxmax(), [*of, *columns]]
    inside = sound[sound["distance"] <= 1].groupby(of)["value"].max().rename("best_inside")
    return runs.merge(best, how="left", on=of).join(inside, on=of)


def trust(rows: Sequence[dict[str, Any]], runs: pd.DataFrame, columns: Mapping[str, Column]) -> list[dict[str, Any]]:
    """Return summary rows with the summaries of what `best_of_runs` added, and with the share of the runs whose best
    lies outside of what the surrogate knows."""
    out = []
    for row in rows:
        mine = runs[(runs["searcher"] == row["searcher"]) & (runs["protocol"] == row["protocol"])]
        more = {name: summarise(mine[name].dropna()).as_dict() for name in columns}
        inside = mine.dropna(subset="best_inside")  # its n is the number of runs that have one
        more["best_inside"] = summarise(inside["best_inside"], inside["training"]).as_dict()
        out.append({**row, **more, "extrapolated": float((mine["distance"] > 1).mean())})
    return out
