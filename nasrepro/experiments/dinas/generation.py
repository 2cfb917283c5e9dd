"""DiNAS as an experiment: training on labelled cells, guided search, controls, and the numbers of a record.

`Generation.outcome` is the one pipeline; what an experiment does otherwise it says by overriding a method. Each number
of an experiment follows the protocol of the paper's appendix A.5: as many samples as queries, all of them looked up,
the best of them is the run's result; repeat.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from nasrepro.benchmarks.base import Column
from nasrepro.benchmarks.ledger import Labels, Ledger, Score
from nasrepro.diffusion.denoiser_config import CONFIGS, DenoiserConfig
from nasrepro.diffusion.guidance import Discretiser, Guided, percentile_discretiser, read_classes
from nasrepro.diffusion.model import DiffusionModel
from nasrepro.diffusion.train import TrainingConfig
from nasrepro.encodings.cells import take
from nasrepro.errors import ParameterError
from nasrepro.graphs import Graphs
from nasrepro.parameters.dinas import DinasParameters
from nasrepro.runs import progress
from nasrepro.runs.protocols import DISTINCT, PAPER, TestLabels, identity, is_cell, run_rows, summary_rows
from nasrepro.runs.run import Outcome, RunContext
from nasrepro.runs.trained_models import trained
from nasrepro.search.base import Searcher, spend
from nasrepro.search.dinas import DiNAS
from nasrepro.search.evolution import RegularisedEvolution
from nasrepro.search.random_search import RandomSearch, TopClassDraw
from nasrepro.seeding import derive, numpy_stream
from nasrepro.spaces.base import FiniteSpace, SearchSpace


def denoiser_config(p: DinasParameters) -> DenoiserConfig:
    """Return the shape of the network."""
    switches = ("positions", "time_input", "residual", "linear_inputs")
    return replace(CONFIGS[p.denoiser], **{name: getattr(p, name) for name in switches})


def training_config(p: DinasParameters) -> TrainingConfig:
    """Return how to train: every field is a parameter of the same name."""
    return TrainingConfig(**{field.name: getattr(p, field.name) for field in fields(TrainingConfig)})


Load = Callable[[], tuple[Graphs, Tensor]]  # graphs and their classes
_BEST = 6  # cells of a run that a record names
Fitted = tuple[DiffusionModel, pd.DataFrame]  # a model and its loss curve


@dataclass(frozen=True)
class Condition:
    """A metric that the model is conditioned on: its labels (accounted for), its classes, and the one to sample."""

    labels: Labels
    discretiser: Discretiser
    wanted: int

    def described(self) -> dict[str, Any]:
        """Return what the classes depend on, for the key of a trained model."""
        column, cuts = self.labels.column, list(self.discretiser.cuts)
        return {"column": str(column), "cuts": cuts, "data": self.labels.benchmark.checksums([column])}


@dataclass(frozen=True)
class Found:
    """What a run came to: the number of wanted cells, all draws, those of DiNAS that its metrics describe, a row per
    run, a row per summary, the loss curves, and the values that cells are ranked among."""

    wanted_cells: int
    trace: pd.DataFrame
    sampled: pd.DataFrame
    runs: pd.DataFrame
    rows: list[dict[str, Any]]
    loss: pd.DataFrame
    values: np.ndarray


class Generation:
    """DiNAS on a benchmark: trainings on labelled cells, guided runs, and controls with the same budget.

    Args:
        p: parameters.
        context: of the run.
        benchmark: holds the column to maximise.
        column: what is maximised.
        population: the cells that may be labelled (default: all rows of a finite space).
    """

    control_names: Sequence[str] = ("random", "evolution", "top_class")
    score: Score | None = None  # turns labels into what is maximised
    tested: TestLabels | None = None  # accounted look-up of test accuracies, where there are any
    models_of_training = 1

    # p are DinasParameters, the benchmark is one of any kind: subclasses read and ask more of them
    def __init__(self, p: Any, context: RunContext, benchmark: Any, column: Column, population: Any = None) -> None:
        self.p, self.context, self.benchmark, self.column = p, context, benchmark, column
        self.space: Any = benchmark.space
        self._conditions: dict[int, Sequence[Condition]] = {}
        self._cuts: dict[int, Ledger] = {}  # what the conditions of a training read
        self._reads: dict[int, list[Ledger]] = {}  # what its models and their conditions read
        self.models: list[list[DiffusionModel]] = []  # of the trainings so far
        self.population: Any = np.arange(benchmark.space.size or 0) if population is None else population

    def outcome(self) -> Outcome:
        """Train, sample, query; then the controls on the same budget."""
        dinas, loss = self.dinas()
        winners, values = self.winners()
        trace = self.observed(pd.concat([*dinas, *self.controls(winners)], ignore_index=True))
        sampled, runs = self.samples(trace), self.runs(trace)
        rows = summary_rows(runs, self.p.queries, self.context.ledger, self.reads())
        found = Found(len(winners), trace, sampled, runs, rows, loss, values)
        metrics = {
            "column": str(self.column),
            "cuts": list(self.cuts),
            "rows": rows,
            "best_found": self.best_found(sampled, values),
            "invalid": sampled.query("reason != ''").reason.value_counts().to_dict(),
            "speed": self.speed(loss, len(sampled)),
        } | self.findings(found)
        tables = {"trace": trace.drop(columns="arch", errors="ignore"), "runs": runs, "loss": loss}
        return Outcome(metrics, tables, self.seeds())

    def labels(self, reader: str) -> Labels:
        """Return the way to read what is learnt: what is maximised, unless a subclass says otherwise."""
        return self.context.ledger.open(self.benchmark, self.column, reader, self.score)

    def condition_on(self, cells: Any) -> list[Condition]:
        """Return what the model is conditioned on, in order, from the labelled cells: the classes of what is learnt."""
        labels = self.labels("dinas")
        discretiser = percentile_discretiser(labels, cells, [*self.p.lower_percentiles, self.p.percentile])
        return [Condition(labels, discretiser, discretiser.n_classes - 1)]

    @property
    def cuts(self) -> tuple[float, ...]:
        """The cut points of what is learnt, in the first training; cells above the last are the wanted class."""
        return self.conditions(0)[0].discretiser.cuts

    def winners(self) -> tuple[Any, np.ndarray]:
        """Return the labelled cells of the wanted class, and the values that the cells found are ranked among."""
        known = self.labelled(0)
        values = self.labels("top_class").read(known, "threshold")
        return take(known, np.flatnonzero(values > self.cuts[-1])), values

    def observed(self, trace: pd.DataFrame) -> pd.DataFrame:
        """Return the trace of all draws with what else is told of them."""
        return trace

    def samples(self, trace: pd.DataFrame) -> pd.DataFrame:
        """Return the draws of DiNAS that its metrics describe."""
        return trace[trace.searcher == "dinas"]

    def runs(self, trace: pd.DataFrame) -> pd.DataFrame:
        """Return a row per run (`protocols.run_rows`): under the paper's protocol, and DiNAS under the distinct one."""
        of = (self.p.queries, self.cuts[-1], self.tested)
        return pd.concat([run_rows(trace, PAPER, *of), run_rows(self.samples(trace), DISTINCT, *of)])

    def findings(self, found: Found) -> dict[str, Any]:
        """Return further metrics, or others of the same names."""
        return {}

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
        return take(
            self.population, np.sort(numpy_stream(self.p.seed, "labelled", training).choice(n, m, replace=False))
        )

    def training_cells(self, training: int) -> Any:
        """Return the labelled cells that a training sees: all, or the share that is not held out, drawn at random."""
        cells = self.labelled(training)
        if self.p.train_share == 1:
            return cells
        m = int(self.p.train_share * len(cells))
        if not m:
            raise ParameterError(f"train_share={self.p.train_share} leaves none of {len(cells)} cells to train on.")
        kept = numpy_stream(self.p.seed, "held out", training).choice(len(cells), m, replace=False)
        return take(cells, np.sort(kept))

    def conditions(self, training: int) -> Sequence[Condition]:
        """Return what a training is conditioned on; the same for all unless each labels cells of its own."""
        of = training if self.p.labelled else 0
        if of not in self._conditions:
            with self.context.ledger.overheard() as self._cuts[of]:
                self._conditions[of] = self.condition_on(self.labelled(of))
        return self._conditions[of]

    def reads(self) -> list[Ledger]:
        """Return what each training so far read, the labels behind conditions that it shares included."""
        return [Ledger.of(parts) for _, parts in sorted(self._reads.items())]

    def dinas(self) -> tuple[list[pd.DataFrame], pd.DataFrame]:
        """Train and sample as often as asked; return the traces and the loss curves."""
        traces, losses = [], []
        for training in range(self.p.trainings):
            models, loss = self.fit(training)
            self.models.append(models)
            losses.append(loss.assign(training=training))
            traces += self.sample(training)
        return traces, pd.concat(losses, ignore_index=True)

    def fit(self, training: int) -> tuple[list[DiffusionModel], pd.DataFrame]:
        """Train; return the models, and their loss curves."""
        encode = self.space.encode_rows if isinstance(self.space, FiniteSpace) else self.space.encode
        of = {"space": self.space.name}
        model, loss = self.train(training, of, lambda: encode(self.training_cells(training)))
        return [model], loss

    def sample(self, training: int) -> list[pd.DataFrame]:
        """Return the traces of the runs of a training."""
        p, out = self.p, []
        for run in range(p.runs):
            searcher = self.sampler(training, derive(p.seed, "samples", training, run))
            out.append(self.search(searcher, (training, run), p.queries, p.most_draws * p.queries))
        return out

    def sampler(self, training: int, seed: int) -> Searcher:
        """Return the samples of a training, of the stream of a seed, as a searcher."""
        return self.searcher(self.models[training][0], self.space, training, seed)

    def searcher(self, model: DiffusionModel, space: SearchSpace[Any], training: int, seed: int) -> DiNAS:
        """Return the guided samples of a model as a searcher."""
        return self.guided(model, space, [condition.wanted for condition in self.conditions(training)], seed)

    def guided(self, model: DiffusionModel, space: SearchSpace[Any], wanted: Sequence[int], seed: int) -> DiNAS:
        """Return the samples of a model, guided to a class of each condition, as a searcher."""
        p, device = self.p, self.context.device
        guided = Guided(model.denoiser.to(device), wanted, p.guidance_scale, p.guide_on)
        return DiNAS(guided, model.noise, space, seed=seed, steps=p.reverse_steps, device=device)

    def train(self, training: int, of: Mapping[str, Any], encode: Callable[[], Graphs], *stream: str) -> Fitted:
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
        described = [c.described() for c in conditions]
        # one condition is written as it was before there could be more, so that trained models are found again
        made_of = {**of, **(described[0] if len(described) == 1 else {"conditions": described})}
        if p.labelled:
            made_of["labelled"] = [p.labelled, derive(p.seed, "labelled", training)]
        if p.train_share < 1:
            made_of["train_share"] = [p.train_share, derive(p.seed, "held out", training)]
        sizes, wanted = tuple(c.discretiser.n_classes for c in conditions), tuple(c.wanted for c in conditions)
        return self.trained(training, made_of, lambda: (encode(), torch.from_numpy(classes)), sizes, [wanted], *stream)

    def trained(
        self, training: int, made_of: Mapping[str, Any], load: Load, sizes: tuple[int, ...], wanted: Any, *stream: str
    ) -> Fitted:
        """Train with the parameters of the run on graphs and their classes, `sizes` of each condition; see
        `trained_models.trained`."""
        p, seed = self.p, self.seed(training)
        return trained(
            self.context, " ".join([f"training {training + 1} of {p.trainings}", *stream]), made_of, load,
            node_classes=len(self.space.node_classes), condition_classes=sizes,
            denoiser=denoiser_config(p), config=training_config(p), seed=derive(seed, *stream) if stream else seed,
            wanted=wanted if p.wanted_share else None,
        )  # fmt: skip

    def controls(self, winners: np.ndarray | Sequence[Any]) -> list[pd.DataFrame]:
        """Return the traces of searches with the same budget, as many runs as DiNAS has.

        Args:
            winners: the cells of the wanted class (rows where the space is finite); without any, nothing is drawn of
                them.
        """
        p, space = self.p, self.space
        out, of_winners = [], lambda space, rng: TopClassDraw(space, winners, rng)
        make: dict[str, Any] = {"random": RandomSearch, "evolution": RegularisedEvolution, "top_class": of_winners}
        wanted = [name for name in self.control_names if len(winners) or name != "top_class"]
        for name, run in product(wanted, range(p.runs * p.trainings)):
            searcher = make[name](space, numpy_stream(p.seed, name, run))
            out.append(self.search(searcher, (0, run), p.queries if name == "top_class" else 1))
        return out

    def search(self, searcher: Searcher, place: Sequence[int], batch: int = 1, most: int = 0) -> pd.DataFrame:
        """Spend a run's budget as a stage that a later sitting need not repeat; return its trace.

        Args:
            searcher: proposes.
            place: the training, the setting where a training is asked under several, and the run.
            batch: candidates per ask.
            most: bound on the draws (default: as many as queries).
        """
        queries, (training, *_, run) = self.p.queries, place
        bound = most or queries

        def compute(ledger: Ledger) -> pd.DataFrame:
            labels = ledger.open(self.benchmark, self.column, searcher.name, self.score)
            with progress.task(f"{searcher.name}, training {training + 1}, run {run + 1}", bound) as advance:
                return spend(searcher, self.space, labels, queries, batch=batch, most_draws=bound, on_draw=advance)

        kind = "sampling" if searcher.name == "dinas" else "controls"
        trace = self.context.stage(kind, "-".join(map(str, (searcher.name, *place))), compute)
        return trace.assign(searcher=searcher.name, training=training, run=run)

    def seeds(self) -> dict[str, int | list[int]]:
        """Return the seeds for the record."""
        return {"master": self.p.seed, "trainings": [self.seed(k) for k in range(self.p.trainings)]}

    def speed(self, loss: pd.DataFrame, samples: int) -> dict[str, float]:
        """Return seconds of training one model, its steps, and seconds per sampled architecture."""
        return {
            "training_s": self.context.stages["training"] / (self.p.trainings * self.models_of_training),
            "training_steps": int(loss.step.max()),
            "seconds_per_architecture": self.context.stages["sampling"] / samples,
        }

    def best_found(self, sampled: pd.DataFrame, values: np.ndarray) -> list[dict[str, Any]]:
        """Return the best cells among samples, with how often they were drawn, and their rank among all `values`."""
        cells = sampled[is_cell(sampled)].groupby(identity(sampled))
        best = cells["value"].agg(["first", "size"]).sort_values("first", ascending=False).head(_BEST)
        if "arch" in sampled:
            best["arch"] = cells["arch"].first()
        else:
            best["arch"] = [self.space.to_string(self.space.from_index(int(row))) for row in best.index]
        out = []
        for name, value, count, arch in best.itertuples(name=None):
            test = float(self.tested("book", np.array([name]))[0]) if self.tested else None
            rank = int((values > value).sum()) + 1
            out.append({"arch": arch, "valid": float(value), "test": test, "count": int(count), "rank": rank})
        return out
