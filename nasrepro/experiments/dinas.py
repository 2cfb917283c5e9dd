"""What every DiNAS experiment shares: parameters, training on labelled cells, guided search, controls.

An experiment names a benchmark, the column to maximise and the conditions; `Generation` does the rest. Each number of
an experiment follows the protocol of the paper's appendix A.5: as many samples as queries, all of them looked up, the
best of them is the run's result; repeat.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from pydantic import Field

from nasrepro.benchmarks.base import Benchmark, Column
from nasrepro.benchmarks.ledger import Labels, Ledger, Score
from nasrepro.diffusion.denoiser import CONFIGS, DenoiserConfig
from nasrepro.diffusion.model import DiffusionModel
from nasrepro.diffusion.train import TrainingConfig
from nasrepro.errors import ParameterError
from nasrepro.experiments.training import trained
from nasrepro.graphs import Graphs
from nasrepro.guidance import Discretiser, Guided, read_classes
from nasrepro.search.base import Searcher, spend
from nasrepro.search.dinas import DiNAS
from nasrepro.search.evolution import RegularisedEvolution
from nasrepro.search.random_search import RandomSearch, TopClassDraw
from nasrepro.seeding import derive, numpy_stream
from nasrepro.spaces.base import FiniteSpace, SearchSpace
from nasrepro.study import progress
from nasrepro.study.parameters import Parameters
from nasrepro.study.protocols import identity, is_cell
from nasrepro.study.run import RunContext

CONTROLS = ("random", "evolution", "top_class")
# The paper's number of epochs in batches that keep a GPU busy; `full` profiles begin with it. The recipe of the paper
# to the letter is `data/paper/dinas_recipe.yml`.
GPU_RECIPE = {"epochs": 100, "batch_size": 1024, "reverse_steps": 50}


class DinasParameters(Parameters):
    """Parameters of every DiNAS experiment. Defaults are those of the `laptop` profile."""

    percentile: float = Field(
        95.0, gt=0, lt=100, description="f: cells above this percentile of accuracy are the wanted class"
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
    denoiser: Literal["default", "whole-graph", "paper", "matrix-channels", "matrix-heads"] = Field(
        "default", description="configuration of the denoiser"
    )
    positions: bool = Field(True, description="add sinusoids of the node index")
    time_input: bool = Field(False, description="tell the denoiser the time; the public code does not")
    epochs: int = Field(20, ge=1, le=10_000, description="passes over the labelled cells")
    batch_size: int = Field(256, ge=1, le=100_000, description="cells of one training step")
    learning_rate: float = Field(2e-3, gt=0, le=1, description="peak learning rate of AdamW")
    schedule: Literal["cosine", "constant"] = Field("cosine", description="of the learning rate")
    clip_norm: float = Field(1.0, ge=0, description="largest gradient norm, 0 = no clipping")
    ema_decay: float = Field(
        0.995, ge=0, lt=1, description="moving average of the weights that samples, 0 = last weights"
    )
    edge_weight: float = Field(5.0, ge=0, description="lambda of Eq. 2")
    epsilon: float = Field(0.1, ge=0, lt=1, description="probability of the null token in training")
    joint_dropout: bool = Field(
        True, description="drop all conditions of a cell together; the public code drops each alone"
    )
    wanted_share: float = Field(
        0.0, ge=0, lt=1, description="share of training cells drawn from the wanted class, 0 as in the paper"
    )
    labelled: int = Field(0, ge=0, description="cells that are labelled for training, drawn at random, 0 for all")
    lower_percentiles: list[float] = Field(
        [], description="further percentiles below f, for more than two classes (Table 8)"
    )
    diffusion_steps: int = Field(500, ge=2, le=10_000, description="T")
    weight_decay: float = Field(1e-12, ge=0, le=1, description="of AdamW")
    residual: bool = Field(False, description="add the noisy cell to the logits, as the public code does")
    linear_inputs: bool = Field(
        False, description="one-hot inputs, null token and diagonal of the pairs as the zero vector, as the public code"
    )
    first_time: Literal[0, 1] = Field(
        1, description="smallest time that is trained: 1, Algorithm 1, or 0, the public code"
    )
    noise_schedule: Literal["exact", "public-code"] = Field(
        "exact", description="the cosine schedule that ends in pure noise, or as the public code computes it"
    )
    train_share: float = Field(
        1.0, gt=0, le=1, description="share of the labelled cells that is trained on; the public code holds out 1 %"
    )
    most_draws: int = Field(
        10, ge=1, le=1000, description="the distinct protocol draws at most this many times `queries` samples"
    )
    seed: int = Field(0, ge=0, description="master seed")

    def denoiser_config(self) -> DenoiserConfig:
        """Return the shape of the network."""
        return replace(
            CONFIGS[self.denoiser],
            positions=self.positions,
            time_input=self.time_input,
            residual=self.residual,
            linear_inputs=self.linear_inputs,
        )

    def training_config(self) -> TrainingConfig:
        """Return how to train."""
        return TrainingConfig(
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            schedule=self.schedule,
            weight_decay=self.weight_decay,
            clip_norm=self.clip_norm,
            ema_decay=self.ema_decay,
            edge_weight=self.edge_weight,
            epsilon=self.epsilon,
            joint_dropout=self.joint_dropout,
            wanted_share=self.wanted_share,
            diffusion_steps=self.diffusion_steps,
            first_time=self.first_time,
            noise_schedule=self.noise_schedule,
        )


@dataclass(frozen=True)
class Condition:
    """A metric that the model is conditioned on: its labels (accounted for), its classes, and the one to sample."""

    labels: Labels
    discretiser: Discretiser
    wanted: int


Sampler = Callable[[int], Searcher]  # seed of a stream of samples -> its searcher


class Generation:
    """DiNAS on a benchmark: trainings on labelled cells, guided runs, and controls with the same budget.

    Args:
        p: parameters.
        context: of the run.
        benchmark: holds the column to maximise.
        column: what is maximised.
        conditions: returns what the model is conditioned on, in order, from the labelled cells.
        population: the cells that may be labelled (default: all rows of a finite space).
        score: turns labels of `column` into what is maximised.
    """

    def __init__(
        self,
        p: DinasParameters,
        context: RunContext,
        benchmark: Benchmark[Any],
        column: Column,
        conditions: Callable[[Any], Sequence[Condition]],
        population: Sequence[Any] | None = None,
        score: Score | None = None,
    ) -> None:
        self.p, self.context, self.benchmark, self.column, self.score = p, context, benchmark, column, score
        self.space: Any = benchmark.space
        self._condition_on = conditions
        self._conditions: dict[int, Sequence[Condition]] = {}
        self.samplers: list[Sampler] = []  # of the trainings so far
        self.population: Any = np.arange(benchmark.space.size or 0) if population is None else population

    def seed(self, training: int) -> int:
        """Return the seed of a training."""
        return derive(self.p.seed, "training", training)

    def labelled(self, training: int) -> Any:
        """Return the cells whose labels a training reads: the population, or as many of it as `labelled` says."""
        m, n = self.p.labelled, len(self.population)
        if not m:
            return self.population
        if m > n:
            raise ParameterError(f"labelled={m}: there are {n} cells to label only.")
        return _some(self.population, numpy_stream(self.p.seed, "labelled", training).choice(n, m, replace=False))

    def training_cells(self, training: int) -> Any:
        """Return the labelled cells that a training sees: all, or the share that is not held out, drawn at random."""
        cells = self.labelled(training)
        if self.p.train_share == 1:
            return cells
        m = int(self.p.train_share * len(cells))
        if not m:
            raise ParameterError(f"train_share={self.p.train_share} leaves none of {len(cells)} cells to train on.")
        return _some(cells, numpy_stream(self.p.seed, "held out", training).choice(len(cells), m, replace=False))

    def conditions(self, training: int) -> Sequence[Condition]:
        """Return what a training is conditioned on; the same for all unless each labels cells of its own."""
        of = training if self.p.labelled else 0
        if of not in self._conditions:
            self._conditions[of] = self._condition_on(self.labelled(of))
        return self._conditions[of]

    def dinas(self) -> tuple[list[pd.DataFrame], pd.DataFrame]:
        """Train and sample as often as asked; return the traces and the loss curves."""
        p, traces, losses = self.p, [], []
        for training in range(p.trainings):
            sampler, loss = self.sampler(training)
            self.samplers.append(sampler)
            losses.append(loss.assign(training=training))
            for run in range(p.runs):
                searcher = sampler(derive(p.seed, "samples", training, run))
                traces.append(self.search(searcher, training, run, p.queries, p.most_draws * p.queries))
        return traces, pd.concat(losses, ignore_index=True)

    def sampler(self, training: int) -> tuple[Sampler, pd.DataFrame]:
        """Train; return what makes a searcher of a seed, and the loss curve."""
        space = self.space
        encode = space.encode_rows if isinstance(space, FiniteSpace) else space.encode
        model, loss = self.train(training, {"space": space.name}, lambda: encode(self.training_cells(training)))
        return lambda seed: self.searcher(model, space, training, seed), loss

    def searcher(self, model: DiffusionModel, space: SearchSpace[Any], training: int, seed: int) -> DiNAS:
        """Return the guided samples of a model as a searcher."""
        p, device = self.p, self.context.device
        wanted = [condition.wanted for condition in self.conditions(training)]
        guided = Guided(model.denoiser.to(device), wanted, p.guidance_scale, p.guide_on)
        return DiNAS(guided, model.noise, space, seed=seed, steps=p.reverse_steps, device=device)

    def train(
        self, training: int, of: Mapping[str, Any], encode: Callable[[], Graphs], *stream: str
    ) -> tuple[DiffusionModel, pd.DataFrame]:
        """Train on the labelled cells, in the classes of the conditions; return the model and its loss curve.

        Args:
            training: its number.
            of: what the graphs are, for the key under which the model is kept.
            encode: returns the graphs of the labelled cells.
            stream: names the training among several on the same cells.
        """
        p, cells, conditions = self.p, self.training_cells(training), self.conditions(training)
        classes = read_classes([c.labels for c in conditions], [c.discretiser for c in conditions], cells, "train")
        described = [
            {
                "column": str(c.labels.column),
                "cuts": list(c.discretiser.cuts),
                "data": c.labels.benchmark.checksums([c.labels.column]),
            }
            for c in conditions
        ]
        # one condition is written as it was before there could be more, so that trained models are found again
        made_of = {**of, **(described[0] if len(described) == 1 else {"conditions": described})}
        if p.labelled:
            made_of["labelled"] = [p.labelled, derive(p.seed, "labelled", training)]
        if p.train_share < 1:
            made_of["train_share"] = [p.train_share, derive(p.seed, "held out", training)]
        return trained(
            self.context,
            " ".join([f"training {training + 1} of {p.trainings}", *stream]),
            made_of,
            lambda: (encode(), torch.from_numpy(classes)),
            node_classes=len(self.space.node_classes),
            condition_classes=tuple(c.discretiser.n_classes for c in conditions),
            denoiser=p.denoiser_config(),
            config=p.training_config(),
            seed=derive(self.seed(training), *stream) if stream else self.seed(training),
            wanted=[tuple(c.wanted for c in conditions)] if p.wanted_share else None,
        )

    def controls(self, winners: np.ndarray | Sequence[Any], names: Sequence[str] = CONTROLS) -> list[pd.DataFrame]:
        """Return the traces of searches with the same budget, as many runs as DiNAS has: random search, evolution, and
        the draw from `winners`, the cells of the wanted class (rows where the space is finite)."""
        p, space = self.p, self.space
        make: dict[str, Callable[[np.random.Generator], Searcher]] = {
            "random": lambda rng: RandomSearch(space, rng),
            "evolution": lambda rng: RegularisedEvolution(space, rng),
            "top_class": lambda rng: TopClassDraw(space, winners, rng),
        }
        return [
            self.search(make[name](numpy_stream(p.seed, name, run)), 0, run, p.queries if name == "top_class" else 1)
            for name in names
            for run in range(p.runs * p.trainings)
        ]

    def search(
        self, searcher: Searcher, training: int, run: int, batch: int = 1, most_draws: int | None = None
    ) -> pd.DataFrame:
        """Spend a run's budget as a stage that a later sitting need not repeat; return its trace."""
        queries, bound = self.p.queries, most_draws or self.p.queries

        def compute(ledger: Ledger) -> pd.DataFrame:
            labels = ledger.open(self.benchmark, self.column, searcher.name, self.score)
            with progress.task(f"{searcher.name}, training {training + 1}, run {run + 1}", bound) as advance:
                return spend(searcher, self.space, labels, queries, batch=batch, most_draws=bound, on_draw=advance)

        kind = "sampling" if searcher.name == "dinas" else "controls"
        trace = self.context.stage(kind, f"{searcher.name}-{training}-{run}", compute)
        return trace.assign(searcher=searcher.name, training=training, run=run)

    def seeds(self) -> dict[str, int | list[int]]:
        """Return the seeds for the record."""
        return {"master": self.p.seed, "trainings": [self.seed(k) for k in range(self.p.trainings)]}

    def speed(self, loss: pd.DataFrame, samples: int) -> dict[str, float]:
        """Return seconds of one training, its steps, and seconds per sampled architecture."""
        return {
            "training_s": self.context.stages["training"] / self.p.trainings,
            "training_steps": int(loss.step.max()),
            "seconds_per_architecture": self.context.stages["sampling"] / samples,
        }

    def best_found(self, sampled: pd.DataFrame, values: np.ndarray, test: Any, most: int = 6) -> list[dict[str, Any]]:
        """Return the best cells among samples, with how often they were drawn, and their rank among all `values`."""
        who = identity(sampled)
        cells = sampled[is_cell(sampled)].groupby(who)
        best = cells["value"].agg(["first", "size"]).sort_values("first", ascending=False).head(most)
        if "arch" in sampled:
            best["arch"] = cells["arch"].first()
        else:
            best["arch"] = [self.space.to_string(self.space.from_index(int(row))) for row in best.index]
        return [
            {
                "arch": arch,
                "valid": float(value),
                "test": float(test("book", np.array([name]))[0]) if test else None,
                "count": int(count),
                "rank": int((values > value).sum()) + 1,
            }
            for name, value, count, arch in zip(best.index, best["first"], best["size"], best["arch"], strict=True)
        ]


def _some(cells: Any, drawn: np.ndarray) -> Any:
    """Return the cells at the places drawn, in their order: rows as an array, cells as a list."""
    places = np.sort(drawn)
    return cells[places] if isinstance(cells, np.ndarray) else [cells[i] for i in places]
