"""Our Zen-score against the published one, on random cells of NAS-Bench-201."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from scipy.stats import spearmanr

from nasrepro.benchmarks.base import MEAN, Column
from nasrepro.benchmarks.ledger import Ledger
from nasrepro.benchmarks.nb201 import NB201Benchmark
from nasrepro.parameters.delta import ProxyParameters
from nasrepro.proxies.networks import build
from nasrepro.proxies.zen import zen
from nasrepro.runs.run import Experiment, Outcome, RunContext
from nasrepro.seeding import derive, numpy_stream
from nasrepro.spaces.nb201 import NB201

COLUMN = Column("cifar10", "zen", "proxy", 0, MEAN)
_PART = 50  # cells of a stage


def execute(p: ProxyParameters, context: RunContext) -> Outcome:
    """Score the cells, and compare the ranks."""
    rows = numpy_stream(p.seed, "proxies", "cells").permutation(NB201.size)[: p.cells]

    def scores(part: np.ndarray) -> pd.DataFrame:
        out = []
        for row in part.tolist():
            generator = torch.Generator().manual_seed(derive(p.seed, "zen", row))
            score = zen(build("nb201", NB201.from_index(row), generator), generator, batch_size=p.batch_size)
            out.append({"row": row, "ours": score})
        return pd.DataFrame(out)

    def stage(start: int) -> pd.DataFrame:
        def compute(_: Ledger) -> pd.DataFrame:
            return scores(rows[start : start + _PART])

        return context.stage("scores", f"zen-{start}", compute)

    found = pd.concat([stage(start) for start in range(0, len(rows), _PART)], ignore_index=True)
    found["published"] = context.ledger.open(NB201Benchmark(), COLUMN, "book").read(rows, "report")
    correlation = float(spearmanr(found["ours"], found["published"]).statistic)
    low, high = _interval(found, p.seed)
    return Outcome(
        {"column": str(COLUMN), "cells": len(found), "spearman": {"mean": correlation, "low": low, "high": high}},
        {"scores": found},
        {"master": p.seed},
    )


def _interval(found: pd.DataFrame, seed: int) -> tuple[float, float]:
    """Return the ends of the 95 % bootstrap interval of the rank correlation, cells resampled."""
    rng = numpy_stream(seed, "proxies", "bootstrap")
    a, b = found["ours"].to_numpy(), found["published"].to_numpy()
    drawn = [rng.integers(len(a), size=len(a)) for _ in range(1_000)]
    low, high = np.quantile([spearmanr(a[k], b[k]).statistic for k in drawn], [0.025, 0.975])
    return float(low), float(high)


EXPERIMENT = Experiment("proxies", 1, ProxyParameters, lambda p: NB201Benchmark().checksums([COLUMN]), execute)
