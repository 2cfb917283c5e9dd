"""What every DiNAS experiment shares: parameters, training on labelled cells, guided search, controls.

An experiment names a benchmark, the column to maximise and the conditions; `Generation` does the rest. Each number of
an experiment follows the protocol of the paper's appendix A.5: as many samples as queries, all of them looked up, the
best of them is the run's result; repeat.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch

from nasrepro.benchmarks.base import Benchmark, Column
from nasrepro.benchmarks.ledger import Labels, Ledger, Score
from nasrepro.diffusion.denoiser_config import CONFIGS, DenoiserConfig
from nasrepro.diffusion.guidance import Discretiser, Guided, read_classes
from nasrepro.diffusion.model import DiffusionModel
from nasrepro.diffusion.train import TrainingConfig
from nasrepro.errors import ParameterError
from nasrepro.graphs import Graphs
from nasrepro.parameters.dinas import DinasParameters
from nasrepro.runs import progress
from nasrepro.runs.protocols import identity, is_cell
from nasrepro.runs.run import RunContext
from nasrepro.runs.trained_models import trained
from nasrepro.search.base import Searcher, spend
from nasrepro.search.dinas import DiNAS
from nasrepro.search.evolution import RegularisedEvolution
from nasrepro.search.random_search import RandomSearch, TopClassDraw
from nasrepro.seeding import derive, numpy_stream
from nasrepro.spaces.base import FiniteSpace, SearchSpace

CONTROLS = ("random", "evolution", "top_class")


def denoiser_config(p: DinasParameters) -> DenoiserConfig:
    """Return the shape of the network."""
    return replace(
        CONFIGS[p.denoiser],
        positions=p.positions,
        time_input=p.time_input,
        residual=p.residual,
        linear_inputs=p.linear_inputs,
    )


def training_config(p: DinasParameters) -> TrainingConfig:
    """Return how to train."""
    return TrainingConfig(
        epochs=p.epochs,
        batch_size=p.batch_size,
        learning_rate=p.learning_rate,
        schedule=p.schedule,
        weight_decay=p.weight_decay,
        clip_norm=p.clip_norm,
        ema_decay=p.ema_decay,
        edge_weight=p.edge_weight,
        epsilon=p.epsilon,
        joint_dropout=p.joint_dropout,
        wanted_share=p.wanted_share,
        diffusion_steps=p.diffusion_steps,
        first_time=p.first_time,
        noise_schedule=p.noise_schedule,
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
        self._cuts: dict[int, Ledger] = {}  # what the conditions of a training read
        self._reads: dict[int, list[Ledger]] = {}  # what its models and their conditions read
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
            with self.context.ledger.overheard() as self._cuts[of]:
                self._conditions[of] = self._condition_on(self.labelled(of))
        return self._conditions[of]

    def reads(self) -> list[Ledger]:
        """Return what each training so far read, the labels behind conditions that it shares included."""
        return [Ledger.of(parts) for _, parts in sorted(self._reads.items())]

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
        with self.context.ledger.overheard() as heard:
            classes = read_classes([c.labels for c in conditions], [c.discretiser for c in conditions], cells, "train")
        self._reads.setdefault(training, []).extend((self._cuts[training if p.labelled else 0], heard))
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
            denoiser=denoiser_config(p),
            config=training_config(p),
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
