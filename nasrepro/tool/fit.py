"""Fit guided diffusion to a benchmark and conditions of your own, and say whether it has learnt.

1. Some labels are read and the conditions become cut points.
2. The labels of the other cells are completed (`surrogate`); as many of them as are expected to be wanted are taken to
   be so, the most probable ones.
3. A flat denoiser is trained on all these cells with one condition, whether a cell is wanted, and checked: are its
   samples cells, new, and wanted? Until they are, and while there is time, a longer training of a larger network
   follows.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from nasrepro.benchmarks.base import Benchmark
from nasrepro.benchmarks.ledger import Ledger
from nasrepro.diffusion.denoiser_config import FLAT, DenoiserConfig
from nasrepro.diffusion.model import DiffusionModel
from nasrepro.diffusion.train import TrainingConfig, train
from nasrepro.encodings.cells import Cells, encode, take
from nasrepro.errors import ParameterError, did_you_mean
from nasrepro.graphs import Graphs
from nasrepro.seeding import derive, numpy_stream
from nasrepro.spaces.base import FiniteSpace, SearchSpace
from nasrepro.tool.condition import Condition
from nasrepro.tool.function import FunctionBenchmark
from nasrepro.tool.model import STEPS, Model, generate, identities, list_weights
from nasrepro.tool.report import FEWEST_LABELS, Report, Round, verdict
from nasrepro.tool.surrogate import Surrogate, features

_LABELS = 500  # read of a function where nothing else is said
_DRAWN = 5_000  # cells drawn of a space without a list, to train on
_MOST_CELLS = 30_000  # to train on
_FEWEST_WANTED = 64  # cells taken to be wanted
_CHECKED = 256  # graphs drawn in a check; where few are cells, four times as many
_SCALES = (1.0, 2.0, 4.0)  # of guidance, compared in a check
_BATCH = 256
_CHUNK = 4_096
_SLOTS = 600  # varying slots of a cell, beyond which a first round has fewer steps
_LISTED_SCALE = 4.0  # where samples are drawn from a list
_FEWEST_LISTED = 0.2  # share of generated graphs that are in a list; else samples are drawn from it


@dataclass(frozen=True)
class Preset:
    """How a fit begins; each round doubles the steps, and has half as many hidden units more.

    Attributes:
        steps: training steps of the first round.
        hidden: units of the hidden layers, in the first round.
        rounds: most rounds.
    """

    steps: int
    hidden: int
    rounds: int


PRESETS = {"auto": Preset(800, 256, 4), "quick": Preset(300, 128, 1), "large": Preset(4_000, 512, 2)}


def fit(
    benchmark: Benchmark[Any],
    conditions: Sequence[Condition],
    preset: str = "auto",
    *,
    time_budget: float = 600,
    seed: int = 0,
    labelled: int | float | Sequence[Any] | np.ndarray | None = None,
) -> Model:
    """Fit a model that samples wanted cells.

    Args:
        benchmark: gives space and labels.
        conditions: what is wanted, at least one; all of them together.
        preset: one of `PRESETS`; all adapt to the number of cells and nodes.
        time_budget: seconds; no further round begins that would not end within it.
        seed: of everything random.
        labelled: which labels are read. A number of cells, or a share in (0, 1) of those that have labels, drawn at
            random; or the cells themselves (rows where the space is finite). None reads all labels of a table, and 500
            of a function.

    Raises:
        ParameterError: no condition, an unknown preset, or fewer than ten labelled cells.
        UnknownQuery: the benchmark lacks a metric.
    """
    start = time.monotonic()
    if preset not in PRESETS:
        raise ParameterError(
            f"There is no preset `{preset}`; there is {', '.join(PRESETS)}.{did_you_mean(preset, PRESETS)}"
        )
    if not conditions:
        raise ParameterError("Nothing is wanted: give at least one condition.")
    space = benchmark.space
    cells, values = read_labels(benchmark, conditions, labelled, seed)
    columns = [condition.column(benchmark) for condition in conditions]
    bounds = tuple(
        condition.bound(known, benchmark.metrics[column.metric].higher_is_better)
        for condition, column, known in zip(conditions, columns, values.T, strict=True)
    )
    read = identities(space, cells) if isinstance(cells, list) else np.asarray(cells, dtype=np.int64)
    others = _unlabelled(space, read, seed)
    graphs = [encode(space, part) for part in (cells, others)]
    classes = len(space.node_classes)
    surrogate = Surrogate(_features(graphs[0], classes), values, bounds, derive(seed, "surrogate"))
    probable = surrogate(_features(graphs[1], classes)) if len(others) else np.zeros(0)
    guessed = _most_probable(probable)
    ceiling = float(probable[guessed].mean()) if guessed.any() else 1.0

    trial = _Trial(
        space, Graphs.cat(graphs), np.concatenate([surrogate.wanted, guessed]), set(read.tolist()), surrogate, seed
    )
    tried = trial.rounds(PRESETS[preset], ceiling, start + time_budget)
    diffusion, best = max(tried, key=lambda found: found[1].share * min(1.0, 4 * found[1].valid))
    share, valid, guidance, listed = best.share, best.valid, best.guidance, np.zeros(0, dtype=np.float32)
    if trial.unlisted(best) and len(others):
        listed = np.zeros(space.size or 0, dtype=np.float32)
        listed[np.asarray(others)] = probable
        share, valid, guidance = float(list_weights(probable, _LISTED_SCALE) @ probable), 1.0, _LISTED_SCALE

    met = [int(bound(known).sum()) for bound, known in zip(bounds, values.T, strict=True)]
    hits, count = surrogate.wanted, len(values)
    figures: dict[str, Any] = {
        "labels": count,
        "wanted": int(hits.sum()),
        "chance": float(hits.mean() if hits.any() else surrogate.held_out.mean()),
        "share": share,
        "pvalue": max(surrogate.pvalues),
    }
    learnt, reason = verdict(**figures, fewest_wanted=min(min(n, count - n) for n in met), valid=valid)
    report = Report(
        learnt,
        reason,
        **figures,
        cells=len(trial.wanted),
        ceiling=ceiling,
        top_held_out=float(hits[np.argsort(-surrogate.held_out, kind="stable")[: max(1, hits.sum())]].mean()),
        from_list=bool(len(listed)),
        rounds=tuple(found for _, found in tried),
        seconds=time.monotonic() - start,
    )
    return Model(space, tuple(conditions), bounds, report, guidance, diffusion, read, listed)


@dataclass(frozen=True)
class _Trial:
    """What every round trains on, and checks with: graphs (B), whether each is wanted, which are labelled."""

    space: SearchSpace[Any]
    graphs: Graphs
    wanted: np.ndarray
    labelled: set[int]
    surrogate: Surrogate
    seed: int

    def rounds(self, preset: Preset, ceiling: float, deadline: float) -> list[tuple[DiffusionModel, Round]]:
        """Train and check, longer and larger, until samples are cells and wanted nearly as often as can be (`ceiling`),
        or the list is hardly hit, or time is over."""
        tried: list[tuple[DiffusionModel, Round]] = []
        steps = preset.steps * min(1.0, _SLOTS / sum(_varying(self.graphs)))
        for k in range(preset.rounds):
            if tried and time.monotonic() + 3.5 * tried[-1][1].seconds > deadline:
                break
            tried.append(self.round(math.ceil(steps * 2**k), int(preset.hidden * 1.5**k)))
            found = tried[-1][1]
            if self.unlisted(found) or (found.share > 0.8 * ceiling and found.valid > 0.5):
                break
        return tried

    def unlisted(self, found: Round) -> bool:
        """Return whether the space is a list that generated graphs hardly hit."""
        return isinstance(self.space, FiniteSpace) and found.valid < _FEWEST_LISTED

    def round(self, steps: int, hidden: int) -> tuple[DiffusionModel, Round]:
        """Train and check."""
        start = time.monotonic()
        config = TrainingConfig(
            epochs=math.ceil(steps * _BATCH / max(_BATCH, len(self.graphs))),
            batch_size=_BATCH,
            learning_rate=2e-3,
            schedule="cosine",
            clip_norm=1.0,
            ema_decay=0.995,
            wanted_share=0.5,
            diffusion_steps=100,
        )
        model, history = train(
            self.graphs,
            torch.from_numpy(self.wanted.astype(np.int64))[:, None],
            node_classes=len(self.space.node_classes),
            condition_classes=(2,),
            denoiser=_network(self.graphs, hidden),
            config=config,
            seed=derive(self.seed, "training", hidden) % 2**31,
            wanted=[(1,)],
        )
        checks = [self._check(model, scale) for scale in _SCALES]
        sound = [c for c in checks if c[1] >= 0.3 * checks[0][1] and c[3] >= 0.3] or checks[:1]
        best = max(sound, key=lambda c: c[4])
        return model, Round(len(history), hidden, *best, time.monotonic() - start)

    def _check(self, model: DiffusionModel, scale: float) -> tuple[float, float, float, float, float]:
        """Return the scale; shares of valid graphs, and among these of new ones, of distinct ones; share wanted."""
        seed, drawn = derive(self.seed, "check"), 0
        archs: list[Any] = []
        while drawn == 0 or (drawn < 4 * _CHECKED and 0 < len(archs) < _CHECKED // 4):
            found, _ = generate(model, self.space, range(drawn, drawn + _CHECKED), scale, seed, STEPS)
            archs += [arch for arch in found if arch is not None]
            drawn += _CHECKED
        numbers = identities(self.space, archs).tolist()
        fresh = [arch for arch, number in zip(archs, numbers, strict=True) if number not in self.labelled]
        share, judged = 0.0, fresh or archs
        if judged:
            share = float(self.surrogate(_features(self.space.encode(judged), len(self.space.node_classes))).mean())
        count = max(1, len(archs))
        return scale, len(archs) / drawn, len(fresh) / count, len(set(numbers)) / count, share


def read_labels(
    benchmark: Benchmark[Any], conditions: Sequence[Condition], labelled: Any, seed: int
) -> tuple[Cells, np.ndarray]:
    """Return the labelled cells, B, and what is known of each condition's metric (float64, B x k)."""
    space, rng = benchmark.space, numpy_stream(seed, "labelled")
    ledger = Ledger()
    reads = [ledger.open(benchmark, condition.column(benchmark), "fit") for condition in conditions]
    cells: Cells
    if labelled is not None and not isinstance(labelled, int | float):
        cells = _as_cells(space, labelled)
    elif isinstance(benchmark, FunctionBenchmark):
        count = _LABELS if labelled is None else int(labelled)
        cells = _drawn(space, count, rng)
        if isinstance(space, FiniteSpace):
            cells = space.rows(cells)
    else:
        known = benchmark.labelled(conditions[0].column(benchmark)) if space.size is None else np.arange(space.size)
        cells = known if isinstance(known, np.ndarray) else list(known)
        for condition in conditions:  # which are measured; what their labels are is not looked at
            measured = ~np.isnan(benchmark.query_many(cells, condition.column(benchmark)))
            cells = take(cells, np.flatnonzero(measured))
        if labelled is not None:
            count = round(labelled * len(cells)) if isinstance(labelled, float) else labelled
            cells = take(cells, np.sort(rng.permutation(len(cells))[:count]))
    values = np.stack([read.read(cells, "train") for read in reads], axis=1)
    complete = np.flatnonzero(~np.isnan(values).any(1))
    if len(complete) < 10:
        raise ParameterError(
            f"{len(complete)} cells have labels of all conditions; a fit needs {FEWEST_LABELS} or more."
        )
    return take(cells, complete), values[complete]


def _as_cells(space: SearchSpace[Any], given: Sequence[Any] | np.ndarray) -> Cells:
    if not isinstance(space, FiniteSpace):
        return list(given)
    rows = np.asarray(given) if isinstance(given, np.ndarray) else None
    return rows if rows is not None and rows.dtype.kind in "iu" else space.rows(list(given))


def _drawn(space: SearchSpace[Any], count: int, rng: np.random.Generator) -> list[Any]:
    """Return distinct random cells, fewer where many draws give no new one."""
    found: dict[str, Any] = {}
    for _ in range(20 * count):
        if len(found) == count:
            break
        arch = space.sample(rng)
        found.setdefault(space.key(arch), arch)
    return list(found.values())


def _unlabelled(space: SearchSpace[Any], read: np.ndarray, seed: int) -> Cells:
    """Return cells without a label to train on: those of a list, at most `_MOST_CELLS`, else random ones."""
    rng = numpy_stream(seed, "unlabelled")
    if isinstance(space, FiniteSpace):
        rows = np.setdiff1d(np.arange(space.size), read)
        return rows if len(rows) <= _MOST_CELLS else np.sort(rng.choice(rows, _MOST_CELLS, replace=False))
    drawn = _drawn(space, _DRAWN, rng)
    return [a for a, known in zip(drawn, np.isin(identities(space, drawn), read), strict=True) if not known]


def _most_probable(probable: np.ndarray) -> np.ndarray:
    """Return which cells are taken to be wanted, bool: as many as are expected to be, the most probable ones."""
    count = max(round(float(probable.sum())), min(_FEWEST_WANTED, len(probable) // 20))
    chosen = np.zeros(len(probable), dtype=bool)
    chosen[np.argsort(-probable, kind="stable")[:count]] = True
    return chosen


def _features(graphs: Graphs, classes: int) -> np.ndarray:
    parts = [features(graphs[k : k + _CHUNK], classes) for k in range(0, len(graphs), _CHUNK)]
    return np.concatenate(parts)


def _network(graphs: Graphs, hidden: int) -> DenoiserConfig:
    """Return the shape of a network; the more slots vary, the fewer features each has, so that 64 nodes fit."""
    nodes, pairs = _varying(graphs)
    return replace(
        FLAT,
        graph_hidden=hidden,
        node_dim=max(4, min(32, 512 // max(1, nodes) // 2 * 2)),
        pair_dim=max(1, min(8, 1_024 // max(1, pairs))),
    )


def _varying(graphs: Graphs) -> tuple[int, int]:
    """Return how many nodes and pairs are not the same in all graphs; one node at least."""
    nodes = (graphs.nodes != graphs.nodes[:1]).any(0).sum()
    return max(1, int(nodes)), int((graphs.pairs != graphs.pairs[:1]).any(0).sum())
