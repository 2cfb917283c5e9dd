"""What the experiments on surrogate benchmarks share (DiNAS, Tables 3, 6 and 7): how varied samples are, and how far
the surrogate can be trusted where a search ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from nasrepro.benchmarks.base import Benchmark, Column
from nasrepro.benchmarks.ledger import Ledger
from nasrepro.experiments.dinas.generation import Found, Generation
from nasrepro.runs import progress
from nasrepro.runs.novelty import novelty, uniqueness
from nasrepro.runs.protocols import DISTINCT, PAPER, is_cell, run_rows
from nasrepro.runs.run import RunContext
from nasrepro.runs.statistics import summarise
from nasrepro.search.base import NO_KEY, Searcher
from nasrepro.seeding import derive
from nasrepro.spaces.base import SearchSpace

# "protocols" of rows that are no searches
GENERATIONS, ALL_RUNS, SPEED = "generations", "all_runs", "speed"


class Surrogate(Generation):
    """DiNAS where a surrogate answers: the control is the draw from the labelled wanted cells, and more samples than a
    run takes show how varied they are.

    Attributes:
        reported: name -> column of what else is told of each draw.
    """

    control_names = ("top_class",)
    reported: Mapping[str, Column] = {}

    def observed(self, trace: pd.DataFrame) -> pd.DataFrame:
        """Return the trace with the columns of `reported`."""
        return with_reported(self.context.ledger, self.benchmark, trace, self.reported)

    def samples(self, trace: pd.DataFrame) -> pd.DataFrame:
        """Return the draws of DiNAS that the paper's protocol counts."""
        return super().samples(trace[trace["query"] < self.p.queries])

    def runs(self, trace: pd.DataFrame) -> pd.DataFrame:
        """Return a row per run and protocol, with what is reported of its best; see `best_of_runs`."""
        return best_of_runs(trace, (PAPER, DISTINCT), self.p.queries, self.cuts[-1], self.reported)

    def generations(self) -> dict[str, dict[str, float | None]]:
        """Return the variety of samples of the first training, the last entry that of what is searched."""
        searcher = self.sampler(0, derive(self.p.seed, GENERATIONS))
        drawn = generate(self.context, GENERATIONS, searcher, self.space, self.p.generations)
        return {"cells": variety(drawn, self.space, self.labelled(0))}

    def findings(self, found: Found) -> dict[str, Any]:
        """Return how varied the samples are, and what says how far the surrogate can be trusted."""
        generations = self.generations()
        whole = list(generations.values())[-1]
        in_runs = variety(found.sampled, self.space, self.labelled(0))
        stages, models = self.context.stages.items(), self.models_of_training
        drawing = sum(seconds for kind, seconds in stages if kind.startswith(GENERATIONS))
        speed = self.speed(found.loss, 1) | {
            "seconds_per_architecture": drawing / (models * self.p.generations),  # look-ups not counted
            "models": models,
        }
        parts = {GENERATIONS: whole, ALL_RUNS: in_runs, SPEED: speed}
        return {
            "wanted_cells": found.wanted_cells,
            "best_label": float(found.values.max()),
            "rows": [*trust(found.rows, found.runs, self.reported), *(_figures(*part) for part in parts.items())],
            "generations": generations,
            "novelty": whole["novelty"],
            "uniqueness": whole["uniqueness"],
            "all_runs": in_runs,  # Table 7
            "speed": speed,
        }


def generate(context: RunContext, name: str, searcher: Searcher, space: SearchSpace[Any], samples: int) -> pd.DataFrame:
    """Return samples as `arch` (native string), `key` (both empty where invalid) and `reason`; no label is read. The
    time goes to the kind `name`."""

    def compute(ledger: Ledger) -> pd.DataFrame:
        with progress.task(name, samples) as advance:
            drawn = searcher.ask(samples)
            advance(samples)
        archs = ["" if p.arch is None else space.to_string(p.arch) for p in drawn]
        keys = [NO_KEY if p.arch is None else space.key(p.arch) for p in drawn]
        return pd.DataFrame({"arch": archs, "key": keys, "reason": [p.reason for p in drawn]})

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


def _figures(protocol: str, part: Mapping[str, float | None]) -> dict[str, Any]:
    """Return a row of `metrics["rows"]` for what is not a search."""
    figures = {name: summarise([] if value is None else [value]).as_dict() for name, value in part.items()}
    return {"searcher": "dinas", "protocol": protocol} | figures


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
    of, out = ["searcher", "training", "run"], []
    for protocol in protocols:
        kept = trace[trace["query"] < queries] if protocol == PAPER else trace[trace["searcher"] == "dinas"]
        runs, sound = run_rows(kept, protocol, queries, cut, None), kept[is_cell(kept)]
        best = sound.loc[sound.groupby(of)["value"].idxmax(), [*of, *columns]]
        inside = sound[sound["distance"] <= 1].groupby(of)["value"].max().rename("best_inside")
        out.append(runs.merge(best, how="left", on=of).join(inside, on=of))
    return pd.concat(out)


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
