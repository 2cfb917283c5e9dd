"""Own tables made by rules, of which a tenth of the cells is labelled, and what a fit must say of each.

Four can be learnt; one is pure noise, and one too small. As a script it tries all of them, three trainings each:

    python tests/own_tables.py [TABLE] [--quick]
"""

from __future__ import annotations

import csv
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nasrepro.benchmarks.own import MetricSpec, OwnBenchmark, from_table
from nasrepro.spaces.cells import Cell
from nasrepro.spaces.declared import DeclaredSpace
from nasrepro.tool.condition import Condition
from nasrepro.tool.fit import fit
from nasrepro.tool.function import FunctionBenchmark
from nasrepro.tool.optimise import optimise

Rule = Callable[[Cell], float]


@dataclass(frozen=True)
class Table:
    """A table by rules.

    Attributes:
        space: its cells are drawn from here.
        cells: how many.
        rules: metric -> its value without noise.
        noise: standard deviation of what is added to a label, in standard deviations of the rule.
        conditions: what is wanted; `top` of all cells, by the rule.
        learnable: what the fit must find.
    """

    space: DeclaredSpace
    cells: int
    rules: dict[str, Rule]
    conditions: tuple[Condition, ...]
    noise: float = 0.0
    learnable: bool = True


GOOD = Condition("good", "score", top=0.05)


def _weights(names: str, places: int, seed: int) -> list[dict[str, float]]:
    drawn = np.random.default_rng(seed).normal(size=(places, len(names)))
    return [dict(zip(names, row, strict=True)) for row in drawn.tolist()]


def by_place(names: str, places: int, seed: int) -> Rule:
    """Each operation counts by where it stands."""
    weights = _weights(names, places, seed)
    return lambda cell: sum(weights[i].get(name, 0.0) for i, name in enumerate(cell.operations))


def by_edges(names: str, seed: int) -> Rule:
    """Each edge counts by the operations that it joins."""
    weights = dict(zip(names, _weights(names, len(names), seed), strict=True))
    return lambda cell: sum(weights.get(cell.operations[i], {}).get(cell.operations[j], 0.0) for i, j in cell.edges)


def by_counts(names: str, seed: int) -> Rule:
    """Each operation counts, less the more there are; a long chain counts, too."""
    weights = _weights(names, 1, seed)[0]

    def rule(cell: Cell) -> float:
        depth = [0] * len(cell.operations)
        for i, j in cell.edges:
            depth[j] = max(depth[j], depth[i] + 1)
        return sum(w * np.sqrt(cell.operations.count(name)) for name, w in weights.items()) + 0.3 * max(depth)

    return rule


def _cost(cell: Cell) -> float:
    return len(cell.edges) + sum({"a": 1.5, "b": 0.5, "c": 1.0}.get(name, 0.0) for name in cell.operations)


def _gain(cell: Cell) -> float:
    return sum({"a": 2.0, "b": 1.5, "c": 0.2}.get(name, 0.0) for name in cell.operations) + 0.8 * len(
        [1 for i, j in cell.edges if cell.operations[i] == "b" and cell.operations[j] == "a"]
    )


TABLES = {
    "places": Table(
        DeclaredSpace(list("abcdefgh"), 8, edges="chain"), 12_000, {"score": by_place("abcdefgh", 8, 1)}, (GOOD,)
    ),
    "large": Table(
        DeclaredSpace(list("pqrst"), 32, edges=[(i, j) for i in range(31) for j in (i + 1, i + 5) if j < 32]),
        50_000, {"score": by_edges("pqrst", 2)}, (GOOD,),
    ),
    "noisy": Table(
        DeclaredSpace(list("abcd"), (5, 9), most_edges=14), 8_000, {"score": by_counts("abcd", 3)}, (GOOD,), noise=0.5
    ),
    "conflict": Table(
        DeclaredSpace(list("abcd"), 6, most_edges=9), 3_000, {"gain": _gain, "cost": _cost},
        (Condition("good", "gain", top=0.2), Condition("cheap", "cost", top=0.3)),
    ),
    "noise": Table(
        DeclaredSpace(list("abcd"), 8), 6_000, {"score": lambda cell: 0.0}, (GOOD,), noise=1.0, learnable=False
    ),
    "small": Table(
        DeclaredSpace(list("abcd"), 6), 200, {"score": by_counts("abcd", 4)}, (GOOD,), learnable=False
    ),
}  # fmt: skip


def specs(table: Table) -> dict[str, MetricSpec]:
    """Return what the metrics of a table are."""
    return {name: MetricSpec(unit="1", higher_is_better=name != "cost", split="model") for name in table.rules}


def write(table: Table, path: Path, seed: int, most: int | None = None) -> tuple[OwnBenchmark, Callable[[Cell], bool]]:
    """Write the table with a tenth of its labels; return its benchmark, and the rule of what is wanted."""
    rng = np.random.default_rng(seed)
    found: dict[str, Cell] = {}
    count = min(table.cells, most or table.cells)
    for _ in range(20 * count):
        if len(found) < count:
            cell = table.space.sample(rng)
            found.setdefault(table.space.key(cell), cell)
    cells = list(found.values())
    labelled = rng.random(len(cells)) < 0.1
    values = {name: np.array([rule(cell) for cell in cells]) for name, rule in table.rules.items()}
    cuts = {}
    for condition in table.conditions:
        up = condition.metric != "cost"
        cuts[condition.metric] = np.quantile(values[condition.metric], 1 - condition.top if up else condition.top)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["operations", "adjacency", *values])
        noisy = {k: v + table.noise * (v.std() or 1.0) * rng.normal(size=len(v)) for k, v in values.items()}
        for row, cell in enumerate(cells):
            labels = [repr(float(v[row])) if labelled[row] else "" for v in noisy.values()]
            writer.writerow([json.dumps(cell.operations), " ".join(f"{i}-{j}" for i, j in cell.edges), *labels])

    def wanted(cell: Cell) -> bool:
        return all(
            (rule(cell) <= cuts[name]) if name == "cost" else (rule(cell) >= cuts[name])
            for name, rule in table.rules.items()
        )

    return from_table(path, metrics=specs(table)), wanted


def attempt(name: str, seed: int, preset: str = "auto", most: int | None = None) -> dict[str, float]:
    """Fit, sample a hundred cells, and return what is true of them."""
    table = TABLES[name]
    with tempfile.TemporaryDirectory() as folder:
        benchmark, wanted = write(table, Path(folder) / "cells.csv", seed, most)
    start = time.monotonic()
    model = fit(benchmark, table.conditions, preset, seed=seed)
    drawn = model.sample(100)
    random = np.random.default_rng(seed).integers(benchmark.space.size, size=2_000)
    chance = float(np.mean([wanted(benchmark.space.from_index(int(row))) for row in random]))
    share = float(np.mean([wanted(cell) for cell in drawn.archs])) if drawn.archs else 0.0
    print(name, seed, model.report, drawn, sep="\n", flush=True)
    single = len(table.rules) == 1 and model.report.learnt and preset != "quick"
    compared = _compared(table, benchmark, drawn.archs, seed) if single else {}
    return compared | {
        "learnt": model.report.learnt, "share": share, "chance": chance, "new": float(drawn.new.mean()),
        "seconds": time.monotonic() - start,
    }  # fmt: skip


def _compared(table: Table, benchmark: OwnBenchmark, drawn: Sequence[Cell], seed: int) -> dict[str, float]:
    """Return the best values without noise, of the first metric: of a hundred samples, of the labelled cells, and of a
    Gaussian process that reads as many labels in all (at most 600, which take a minute)."""
    name, rule = next(iter(table.rules.items()))
    labelled = np.flatnonzero(~np.isnan(benchmark.query_many(np.arange(benchmark.space.size), benchmark.columns()[0])))
    budget = min(600, len(labelled) + len(drawn))
    search = optimise("gp", FunctionBenchmark(rule, benchmark.space, {name: True}), budget, seed=seed)
    return {
        "best sample": max(map(rule, drawn)),
        "best labelled": max(rule(benchmark.space.from_index(int(row))) for row in labelled),
        f"best of {budget} by GP": search.value,
    }


if __name__ == "__main__":
    quick = "--quick" in sys.argv
    for name in [a for a in sys.argv[1:] if a in TABLES] or TABLES:
        for seed in range(1 if quick else 3):
            print(attempt(name, seed, "quick" if quick else "auto", 3_000 if quick else None), flush=True)
