"""Our Zen-score against the published one, on random cells of NAS-Bench-201."""

from __future__ import annotations

from functools import partial

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

    def scores(part: np.ndarray, _: Ledger) -> pd.DataFrame:
        found = []
        for row in part.tolist():
            generator = torch.Generator().manual_seed(derive(p.seed, "zen", row))
            found.append(zen(build("nb201", NB201.from_index(row), generator), generator, batch_size=p.batch_size))
        return pd.DataFrame({"row": part, "ours": found})

    starts = range(0, len(rows), _PART)
    parts = [context.stage("scores", f"zen-{k}", partial(scores, rows[k : k + _PART])) for k in starts]
    found = pd.concat(parts, ignore_index=True)
    found["published"] = context.ledger.open(NB201Benchmark(), COLUMN, "book").read(rows, "report")
    correlation = float(spearmanr(found["ours"], found["published"]).statistic)
    rng, (a, b) = (
        numpy_stream(p.seed, "proxies", "bootstrap"),
        (found[name].to_numpy() for name in ("ours", "published")),
    )
    drawn = [rng.integers(len(a), size=len(a)) for _ in range(1_000)]  # cells resampled
    low, high = np.quantile([spearmanr(a[k], b[k]).statistic for k in drawn], [0.025, 0.975])
    interval = {"mean": correlation, "low": float(low), "high": float(high)}
    metrics = {"column": str(COLUMN), "cells": len(found), "spearman": interval}
    return Outcome(metrics, {"scores": found}, {"master": p.seed})


EXPERIMENT = Experiment("proxies", 1, ProxyParameters, lambda p: NB201Benchmark().checksums([COLUMN]), execute)
