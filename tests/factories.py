"""Structurally right records with random numbers, for tests only. They must never be written into data/records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nasrepro.parameters import resolved
from nasrepro.parameters.base import ADDED
from nasrepro.runs import records
from nasrepro.runs.records import Code, Cost, DataFile, Environment, LabelCount, Record
from nasrepro.runs.statistics import summarise
from nasrepro.spaces.nb201 import NB201

OPTIMA = {"cifar10": (91.607, 94.37), "cifar100": (73.493, 73.51), "imagenet16-120": (46.733, 47.31)}
SEARCHERS = ("dinas", "random", "evolution", "top_class")
N_CELLS = 5**6


def fake_nb201_record(
    root: Path,
    dataset: str = "cifar10",
    profile: str = "laptop",
    trainings: int = 3,
    runs: int = 10,
    queries: int = 192,
    seed: int = 0,
    with_test: bool = True,
    created: str = "2026-11-23T12:00:00+00:00",
    **parameters: Any,
) -> Path:
    """Write a random record of the experiment nb201 under a root and return its folder."""
    rng = np.random.default_rng(seed)
    best_valid, best_test = OPTIMA[dataset]
    regret = rng.gamma(3.0, 1.2, N_CELLS)
    valid = best_valid - (regret - regret.min())
    test = np.where(with_test, valid + best_test - best_valid - 0.1, np.nan)
    given = {"dataset": dataset, "queries": queries, "runs": runs, "trainings": trainings, "seed": seed, **parameters}
    settings = resolved("nb201", given, profile if profile != "smoke" else "laptop").model_dump(mode="json")
    # the profile is told in the data, so that runs which differ in it alone have keys of their own
    data = {f"nb201_valid_{dataset}.pkl": f"{seed:048x}{profile.encode().hex():0>16}"} | (
        {f"nb201_test_{dataset}.csv": "b" * 64} if with_test else {}
    )
    key = records.run_key("nb201", 1, {k: v for k, v in settings.items() if k not in ADDED or v != ADDED[k]}, data)
    folder = root / "nb201" / key

    trace = pd.concat(
        _trace(rng, searcher, training, run, valid, queries)
        for searcher in SEARCHERS
        for training in range(trainings if searcher == "dinas" else 1)
        for run in range(runs if searcher == "dinas" else runs * trainings)
    ).reset_index(drop=True)
    per_run = pd.DataFrame(
        _outcome(searcher, protocol, training, run, part, test, queries)
        for (searcher, training, run), part in trace.groupby(["searcher", "training", "run"], sort=False)
        for protocol in (("paper", "distinct") if searcher == "dinas" else ("paper",))
    )
    loss = pd.concat(_loss(rng, t) for t in range(trainings)).reset_index(drop=True)
    frames = {"trace.parquet": trace, "runs.parquet": per_run, "loss.parquet": loss}
    tables = [records.table(name, frame) for name, frame in frames.items()]
    record = Record(
        key=key,
        experiment="nb201",
        method_version=1,
        profile=profile,
        parameters=settings,
        data=[DataFile(name=n, sha256=s) for n, s in data.items()],
        code=Code(package="0.1.0", source_sha256="c" * 64, git_commit="d" * 40, git_dirty=False),
        seeds={"training": list(range(trainings)), "sampling": seed},
        environment=Environment(
            python="3.11.9",
            platform="Linux-x86_64",
            device="cpu",
            threads=2,
            libraries={"torch": "2.13.0", "numpy": "2.4.6"},
        ),
        cost=Cost(wall_s=120.0, cpu_s=230.0, peak_memory_mb=900.0, stages={"train": 100.0, "sample": 20.0}, sittings=1),
        labels=[
            LabelCount(reader="dinas", purpose="train", column=f"{dataset} valid", distinct=N_CELLS, reads=N_CELLS),
            LabelCount(reader="dinas", purpose="select", column=f"{dataset} valid", distinct=400, reads=5_760),
        ],
        metrics=_metrics(per_run, trace, valid, test, best_test if with_test else None, trainings, runs, queries),
        artefacts=[entry for entry, _ in tables],
        created=created,
    )
    records.save(folder, record, [content for _, content in tables])
    return folder


def sealed(content: dict[str, Any]) -> dict[str, Any]:
    """Return the altered content of a `record.json` with its own checksum, as whoever alters it on purpose has it."""
    return content | {"checksum": records._digest(content)}


def _trace(
    rng: np.random.Generator, searcher: str, training: int, run: int, valid: np.ndarray, queries: int
) -> pd.DataFrame:
    """Draw the queries of one run. DiNAS goes on until its budget of distinct cells is filled."""
    order = np.argsort(-valid)
    n = 4 * queries if searcher == "dinas" else queries
    top = order[: N_CELLS // 20]
    rows = {
        "dinas": lambda: order[np.minimum(rng.exponential(150.0, n).astype(int), N_CELLS - 1)],
        "random": lambda: rng.integers(N_CELLS, size=n),
        "evolution": lambda: order[rng.integers(np.linspace(N_CELLS, 300, n).astype(int))],
        "top_class": lambda: rng.choice(top, n),
    }[searcher]()
    if searcher == "dinas":
        rows = np.where(rng.random(n) < 0.03, -1, rows)
        seen = np.cumsum([r >= 0 and r not in rows[:i] for i, r in enumerate(rows)])
        rows = rows[: max(queries, int(np.searchsorted(seen, queries)) + 1)]
    return pd.DataFrame(
        {
            "searcher": searcher,
            "training": training,
            "run": run,
            "query": np.arange(len(rows)),
            "row": rows,
            "reason": np.where(rows < 0, "the edge 0->1 is missing", ""),
            "value": np.where(rows < 0, np.nan, valid[rows]),
        }
    )


def _outcome(
    searcher: str, protocol: str, training: int, run: int, part: pd.DataFrame, test: np.ndarray, queries: int
) -> dict[str, Any]:
    used = part[part["query"] < queries] if protocol == "paper" else part
    good = used[used["row"] >= 0]
    row = int(good.loc[good["value"].idxmax(), "row"]) if len(good) else -1
    return {
        "searcher": searcher,
        "protocol": protocol,
        "training": training,
        "run": run,
        "best_valid": float(good["value"].max()) if len(good) else 0.0,
        "test": float(test[row]) if len(good) else 0.0,
        "row": row,
        "samples": len(used),
        "valid_samples": len(good),
        "distinct_valid": int(good["row"].nunique()),
    }


def _loss(rng: np.random.Generator, training: int, steps: int = 60) -> pd.DataFrame:
    node = 0.5 + 1.2 * np.exp(-np.arange(steps) / 12) + rng.normal(0, 0.03, steps)
    edge = 0.6 * np.exp(-np.arange(steps) / 6) + np.abs(rng.normal(0, 0.002, steps))
    losses = {"loss": node + 5 * edge, "node_loss": node, "edge_loss": edge}
    return pd.DataFrame({"training": training, "step": np.arange(steps) * 10} | losses)


def _metrics(
    per_run: pd.DataFrame,
    trace: pd.DataFrame,
    valid: np.ndarray,
    test: np.ndarray,
    best_test: float | None,
    trainings: int,
    runs: int,
    queries: int,
) -> dict[str, Any]:
    rows = []
    for (searcher, protocol), part in per_run.groupby(["searcher", "protocol"], sort=False):
        dinas = searcher == "dinas"
        groups = part["training"].to_numpy() if dinas else None

        def s(values: pd.Series, groups: np.ndarray | None = groups) -> dict[str, Any]:
            return summarise(values.to_numpy(), groups, resamples=500).as_dict()

        share = part["valid_samples"] / part["samples"]
        rows.append(
            {
                "searcher": searcher,
                "protocol": protocol,
                "trainings": trainings if dinas else 1,
                "runs": runs if dinas else runs * trainings,
                "queries": queries,
                "best_valid": s(part["best_valid"]),
                "test": None if best_test is None else s(part["test"]),
                "samples": s(part["samples"]),
                "distinct_valid": s(part["distinct_valid"]),
                "validity": s(share),
                "in_top_class": summarise(0.9 * share).as_dict(),
                "failed_runs": int((part["valid_samples"] == 0).sum()),
                "filled_runs": int((part["distinct_valid"] >= queries).sum()),
                "labels_before_search": N_CELLS if searcher in ("dinas", "top_class") else 0,
                "labels_in_search": s(part["distinct_valid"]),
            }
        )
    order = np.argsort(-valid)
    rank = {int(r): i + 1 for i, r in enumerate(order)}
    counts = trace[(trace["searcher"] == "dinas") & (trace["row"] >= 0)]["row"].value_counts()
    found = sorted(counts.index, key=lambda r: rank[int(r)])[:6]

    def tested(row: int) -> float | None:
        return None if best_test is None else float(test[row])

    return {
        "optimum": {
            "valid": float(valid.max()),
            "arch": NB201.to_string(NB201.from_index(int(order[0]))),
            "test_of_it": tested(order[0]),
            "best_test": best_test,
        },
        "rows": rows,
        "best_found": [
            {
                "arch": NB201.to_string(NB201.from_index(int(r))),
                "valid": float(valid[r]),
                "test": tested(r),
                "count": int(counts[r]),
                "rank": rank[int(r)],
            }
            for r in found
        ],
        "speed": {
            "training_s": 33.0,
            "seconds_per_architecture": 0.003,
            "training_steps": 900,
        },
    }
