"""DiNAS on NAS-Bench-201 (DiNAS, Table 2): train on every label, sample, query, and hold the result against controls.

The protocol of the paper (appendix A.5): generate as many architectures as there are queries, look all of them up,
take the best validation accuracy and the test accuracy of that cell; repeat. An invalid sample is a query without an
accuracy, and a run without a valid sample scores 0. Beside it the `distinct` protocol: sample on until the budget of
distinct valid cells is filled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
import torch
from pydantic import Field

from nasrepro.benchmarks.base import MEAN, Column
from nasrepro.benchmarks.ledger import Ledger
from nasrepro.benchmarks.nb201 import NB201Benchmark
from nasrepro.diffusion.denoiser import CONFIGS
from nasrepro.diffusion.model import DiffusionModel
from nasrepro.diffusion.train import TrainingConfig
from nasrepro.experiments.training import trained
from nasrepro.guidance import Guided, percentile_discretiser
from nasrepro.search.base import Searcher, spend
from nasrepro.search.dinas import DiNAS
from nasrepro.search.evolution import RegularisedEvolution
from nasrepro.search.random_search import RandomSearch, TopClassDraw
from nasrepro.seeding import derive, numpy_stream
from nasrepro.study import progress
from nasrepro.study.parameters import Parameters
from nasrepro.study.protocols import DISTINCT, PAPER, run_rows, summary_rows
from nasrepro.study.run import Experiment, Outcome, RunContext


class NB201Parameters(Parameters):
    """Parameters of `nasrepro run nb201`. Defaults are those of the `laptop` profile."""

    dataset: Literal["cifar10", "cifar100", "imagenet16-120"] = Field(
        "cifar10", description="data set of the tabulated networks"
    )
    percentile: float = Field(
        95.0, gt=0, lt=100, description="f: cells above this percentile of validation accuracy are the wanted class"
    )
    guidance_scale: float = Field(
        2.0, ge=0, le=20, description="gamma of Eq. 5; the public code runs gamma = 3, the paper states none"
    )
    guide_on: Literal["logits", "probabilities"] = Field(
        "logits", description="what guidance combines: the code, or Algorithm 2 as written"
    )
    reverse_steps: int = Field(10, ge=1, le=500, description="steps of the reverse process; the paper takes all 500")
    queries: int = Field(192, ge=1, le=15_625, description="queries of one run")
    runs: int = Field(10, ge=1, le=1000, description="runs of each training")
    trainings: int = Field(3, ge=1, le=100, description="separate trainings")
    denoiser: Literal["default", "paper"] = Field("default", description="configuration of the denoiser")
    positions: bool = Field(True, description="add sinusoids of the node index")
    time_input: bool = Field(False, description="tell the denoiser the time; the public code does not")
    epochs: int = Field(20, ge=1, le=10_000, description="passes over the 15,625 cells")
    batch_size: int = Field(256, ge=1, le=15_625, description="cells of one training step")
    learning_rate: float = Field(2e-3, gt=0, le=1, description="peak learning rate of AdamW")
    schedule: Literal["cosine", "constant"] = Field("cosine", description="of the learning rate")
    clip_norm: float = Field(1.0, ge=0, description="largest gradient norm, 0 = no clipping")
    ema_decay: float = Field(
        0.995, ge=0, lt=1, description="moving average of the weights that samples, 0 = last weights"
    )
    edge_weight: float = Field(5.0, ge=0, description="lambda of Eq. 2")
    epsilon: float = Field(0.1, ge=0, lt=1, description="probability of the null token in training")
    diffusion_steps: int = Field(500, ge=2, le=10_000, description="T")
    most_draws: int = Field(
        10, ge=1, le=1000, description="the distinct protocol draws at most this many times `queries` samples"
    )
    seed: int = Field(0, ge=0, description="master seed")

    profiles: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "smoke": {"epochs": 1, "trainings": 1, "runs": 2, "queries": 24, "reverse_steps": 5, "most_draws": 2},
        "laptop": {},
        "full": {  # the recipe of the paper's appendix A.4 and of the public code
            "denoiser": "paper", "epochs": 100, "batch_size": 16, "learning_rate": 2e-4, "schedule": "constant",
            "clip_norm": 0.0, "ema_decay": 0.0, "reverse_steps": 500, "guidance_scale": 3.0,
        },
    }  # fmt: skip


CONTROLS = ("random", "evolution", "top_class")


def column(dataset: str, split: str) -> Column:
    """Return the column of Table 2: accuracy after 200 epochs, mean over the seeds of a cell."""
    return Column(dataset=dataset, metric="accuracy", split=split, epochs=200, seed=MEAN)


def execute(p: NB201Parameters, context: RunContext) -> Outcome:
    """Train, sample, query; then the controls on the same budget."""
    task = _Task(p, context)
    dinas, loss = task.dinas()
    trace = pd.concat([*dinas, *task.controls()], ignore_index=True)
    sampled = trace[trace.searcher == "dinas"]
    test = _test_labels(context.ledger, task.benchmark, p.dataset)
    runs = pd.concat(
        [run_rows(trace, PAPER, p.queries, task.cut, test), run_rows(sampled, DISTINCT, p.queries, task.cut, test)]
    )
    metrics = {
        "column": str(task.valid),
        "cuts": list(task.discretiser.cuts),
        "optimum": _optimum(task.benchmark, task.valid, test),
        "rows": summary_rows(runs, p.queries, context.ledger),
        "best_found": _best_found(task, sampled, test),
        "invalid": sampled.query("reason != ''").reason.value_counts().to_dict(),
        "speed": {
            "training_s": context.stages["training"] / p.trainings,
            "training_steps": int(loss.step.max()),
            "seconds_per_architecture": context.stages["sampling"] / len(sampled),
        },
    }
    seeds: dict[str, int | list[int]] = {"master": p.seed, "trainings": [task.seed(k) for k in range(p.trainings)]}
    return Outcome(metrics, {"trace": trace, "runs": runs, "loss": loss}, seeds)


class _Task:
    """One data set with its labels, read through the ledger, and the searches on it."""

    def __init__(self, p: NB201Parameters, context: RunContext) -> None:
        self.p, self.context = p, context
        self.benchmark = NB201Benchmark()
        self.space, self.valid = self.benchmark.space, column(p.dataset, "valid")
        self.everything = np.arange(self.space.size or 0)
        self.labels = context.ledger.open(self.benchmark, self.valid, "dinas")
        self.discretiser = percentile_discretiser(self.labels, self.everything, [p.percentile])
        self.values = np.empty(0)  # of all cells, once a training has read them
        self.top, self.cut = self.discretiser.n_classes - 1, self.discretiser.cuts[-1]

    def seed(self, training: int) -> int:
        """Return the seed of a training."""
        return derive(self.p.seed, "training", training)

    def dinas(self) -> tuple[list[pd.DataFrame], pd.DataFrame]:
        """Train and sample as often as asked; return the traces and the loss curves."""
        p, traces, losses = self.p, [], []
        for training in range(p.trainings):
            model, loss = self._train(training)
            losses.append(loss.assign(training=training))
            guided = Guided(model.denoiser.to(self.context.device), [self.top], p.guidance_scale, p.guide_on)
            for run in range(p.runs):
                searcher = DiNAS(
                    guided,
                    model.noise,
                    self.space,
                    seed=derive(p.seed, "samples", training, run),
                    steps=p.reverse_steps,
                    device=self.context.device,
                )
                traces.append(self._search(searcher, training, run, p.queries, p.most_draws * p.queries))
        return traces, pd.concat(losses, ignore_index=True)

    def controls(self) -> list[pd.DataFrame]:
        """Return the traces of random search, evolution and the draw from the top class, as many runs as DiNAS has."""
        p, space = self.p, self.space
        labels = self.context.ledger.open(self.benchmark, self.valid, "top_class")
        winners = np.flatnonzero(labels.read(self.everything, "threshold") > self.cut)
        traces = []
        for run in range(p.runs * p.trainings):
            random, evolution, top_class = (numpy_stream(p.seed, n, run) for n in ("random", "evolution", "top_class"))
            traces += [
                self._search(RandomSearch(space, random), 0, run),
                self._search(RegularisedEvolution(space, evolution), 0, run),
                self._search(TopClassDraw(space, winners, top_class), 0, run, p.queries),
            ]
        return sorted(traces, key=lambda trace: CONTROLS.index(trace.searcher.iloc[0]))

    def _train(self, training: int) -> tuple[DiffusionModel, pd.DataFrame]:
        p = self.p
        self.values = self.labels.read(self.everything, "train")
        classes = torch.from_numpy(self.discretiser(self.values))[:, None]
        identity = {
            "space": self.space.name,
            "column": str(self.valid),
            "cuts": list(self.discretiser.cuts),
            "data": self.benchmark.checksums([self.valid]),
        }
        return trained(
            self.context,
            f"training {training + 1} of {p.trainings}",
            identity,
            lambda: (self.space.encode_rows(self.everything), classes),
            node_classes=len(self.space.node_classes),
            condition_classes=(self.discretiser.n_classes,),
            denoiser=replace(CONFIGS[p.denoiser], positions=p.positions, time_input=p.time_input),
            config=TrainingConfig(**{n: getattr(p, n) for n in TrainingConfig.__dataclass_fields__ if hasattr(p, n)}),
            seed=self.seed(training),
        )

    def _search(
        self, searcher: Searcher, training: int, run: int, batch: int = 1, most_draws: int | None = None
    ) -> pd.DataFrame:
        queries, bound = self.p.queries, most_draws or self.p.queries

        def compute(ledger: Ledger) -> pd.DataFrame:
            labels = ledger.open(self.benchmark, self.valid, searcher.name)
            with progress.task(f"{searcher.name}, training {training + 1}, run {run + 1}", bound) as advance:
                return spend(searcher, self.space, labels, queries, batch=batch, most_draws=bound, on_draw=advance)

        kind = "sampling" if searcher.name == "dinas" else "controls"
        trace = self.context.stage(kind, f"{searcher.name}-{training}-{run}", compute)
        return trace.assign(searcher=searcher.name, training=training, run=run)


def _test_labels(
    ledger: Ledger, benchmark: NB201Benchmark, dataset: str
) -> Callable[[str, np.ndarray], np.ndarray] | None:
    """Return an accounted look-up of test accuracies (reader, rows -> values), or None where the test data are not on
    this machine."""
    test = column(dataset, "test")
    if test not in benchmark.columns():
        return None
    return lambda reader, rows: ledger.open(benchmark, test, reader).read(rows, "report")


def _optimum(benchmark: NB201Benchmark, valid: Column, test: Any) -> dict[str, Any]:
    best = benchmark.optimum(valid)
    row = np.array([benchmark.space.index(benchmark.space.from_string(best.arch))])
    return {
        "valid": best.value,
        "arch": best.arch,
        "test_of_it": float(test("book", row)[0]) if test else None,
        "best_test": benchmark.optimum(column(valid.dataset, "test")).value if test else None,
    }


def _best_found(task: _Task, sampled: pd.DataFrame, test: Any, most: int = 6) -> list[dict[str, Any]]:
    """Return the best cells that DiNAS sampled, with how often, and their rank among all cells."""
    space = task.space
    cells = sampled[sampled.row >= 0].groupby("row").value.agg(["first", "size"])
    best = cells.sort_values("first", ascending=False).head(most)
    return [
        {
            "arch": space.to_string(space.from_index(int(row))),
            "valid": float(value),
            "test": float(test("book", np.array([row]))[0]) if test else None,
            "count": int(count),
            "rank": int((task.values > value).sum()) + 1,
        }
        for row, value, count in zip(best.index, best["first"], best["size"], strict=True)
    ]


def _data(p: NB201Parameters) -> dict[str, str]:
    benchmark = NB201Benchmark()
    wanted = [column(p.dataset, split) for split in ("valid", "test")]
    return benchmark.checksums([c for c in wanted if c in benchmark.columns()])


EXPERIMENT = Experiment("nb201", 1, NB201Parameters, _data, execute)
