"""A fitted model: guided diffusion that knows its space, its conditions and what it has learnt."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from nasrepro import spaces
from nasrepro.benchmarks.base import Column
from nasrepro.benchmarks.ledger import key_hash
from nasrepro.diffusion.guidance import Guided
from nasrepro.diffusion.model import DiffusionModel
from nasrepro.diffusion.sample import sample
from nasrepro.errors import CorruptData, ParameterError
from nasrepro.files.tensors import read_tensors
from nasrepro.seeding import derive, numpy_stream
from nasrepro.spaces.base import FiniteSpace, SearchSpace
from nasrepro.tool.condition import Bound, Condition
from nasrepro.tool.report import Report, Round

VERSION = 1  # of the file
STEPS = 25  # reverse steps
_MOST_AT_ONCE = 1024


@dataclass(frozen=True)
class Samples:
    """Cells that a model gave, and what they cost.

    Attributes:
        space: theirs.
        archs: the cells, in the order drawn.
        new: whether the label of a cell was never read, bool.
        drawn: graphs drawn for them.
        invalid: reason -> number of the graphs that were no cell.
        refused: cells that were left out as repeated, or as known where new ones were wanted.
        seconds: it took.
    """

    space: SearchSpace[Any]
    archs: list[Any]
    new: np.ndarray
    drawn: int
    invalid: dict[str, int]
    refused: int
    seconds: float

    def __len__(self) -> int:
        return len(self.archs)

    def __str__(self) -> str:
        wrong = f", {sum(self.invalid.values())} no cells" if self.invalid else ""
        return f"{len(self)} cells, {int(self.new.sum())} never labelled, of {self.drawn} graphs drawn{wrong}"

    def frame(self) -> pd.DataFrame:
        """Return a row per cell: its string, and whether it is new."""
        return pd.DataFrame({"arch": [self.space.to_string(arch) for arch in self.archs], "new": self.new})


@dataclass(frozen=True)
class Model:
    """What `fit` gives.

    Attributes:
        space: what samples are of.
        conditions: what is wanted.
        bounds: the cut point of each condition.
        report: what was learnt; `print(model.report)`.
        guidance: the scale that did best in the checks.
        diffusion: the trained diffusion model, of one condition: whether a cell is wanted.
        labelled: ids (see `identities`) of the cells whose labels were read, int64.
        listed: how probably each cell of a list is wanted (float32, by row), where samples are drawn from the list
            because generated graphs do not hit it; else empty.
    """

    space: SearchSpace[Any]
    conditions: tuple[Condition, ...]
    bounds: tuple[Bound, ...]
    report: Report
    guidance: float
    diffusion: DiffusionModel
    labelled: np.ndarray
    listed: np.ndarray

    def sample(
        self,
        n: int,
        guidance: float | None = None,
        *,
        seed: int = 0,
        steps: int = STEPS,
        new: bool | None = None,
        distinct: bool = False,
        most_draws: int | None = None,
    ) -> Samples:
        """Draw cells that are wanted; what is no cell is drawn again.

        Args:
            n: how many.
            guidance: scale gamma of classifier-free guidance (DiNAS, Eq. 6); None takes that of the fit.
            seed: names the stream.
            steps: reverse steps.
            new: leave out cells whose labels were read; None does unless those of all cells of the space were.
            distinct: leave out repeated cells.
            most_draws: bound on the graphs drawn, 100 n + 1,000 by default; then fewer than n are returned.
        """
        start, rng = time.monotonic(), numpy_stream(seed, "list")
        scale, bound = self.guidance if guidance is None else guidance, most_draws or 100 * n + 1_000
        known, seen = set(self.labelled.tolist()), set[int]()
        unknown_only = len(known) != self.space.size if new is None else new
        archs: list[Any] = []
        is_new: list[bool] = []
        invalid: Counter[str] = Counter()
        drawn = refused = 0
        while len(archs) < n and drawn < bound:
            rate = max(0.02, len(archs) / drawn) if drawn else 0.8
            count = int(min(bound - drawn, _MOST_AT_ONCE, max(32, 1.2 * (n - len(archs)) / rate)))
            if len(self.listed):
                found, reasons = self._from_list(count, scale, rng), [""] * count
            else:
                found, reasons = generate(self.diffusion, self.space, range(drawn, drawn + count), scale, seed, steps)
            drawn += count
            invalid.update(reason for reason in reasons if reason)
            cells = [arch for arch in found if arch is not None]
            for arch, number in zip(cells, identities(self.space, cells).tolist(), strict=True):
                if (unknown_only and number in known) or (distinct and number in seen):
                    refused += 1
                elif len(archs) < n:
                    archs.append(arch)
                    is_new.append(number not in known)
                    seen.add(number)
        return Samples(
            self.space, archs, np.array(is_new, dtype=bool), drawn, dict(invalid), refused, time.monotonic() - start
        )

    def _from_list(self, count: int, scale: float, rng: np.random.Generator) -> list[Any]:
        assert isinstance(self.space, FiniteSpace)
        weights = list_weights(self.listed, scale)
        return [self.space.from_index(int(row)) for row in rng.choice(len(weights), count, p=weights)]

    def save(self, path: Path | str) -> Path:
        """Write the model as safetensors; return the path."""
        about = {
            "version": VERSION,
            "space": {"name": self.space.name, "fingerprint": fingerprint(self.space)},
            "conditions": [asdict(c) for c in self.conditions],
            "bounds": [asdict(b) for b in self.bounds],
            "report": asdict(self.report),
            "guidance": self.guidance,
        }
        tensors = {"labelled": torch.from_numpy(self.labelled), "listed": torch.from_numpy(self.listed)}
        self.diffusion.save(Path(path), tensors, about)
        return Path(path)

    @classmethod
    def load(cls, path: Path | str, space: SearchSpace[Any] | None = None) -> Model:
        """Read a model.

        Args:
            path: a file that `save` wrote.
            space: that of the fit; None for a published one, found by the name in the file.

        Raises:
            CorruptData: the file is damaged, or of another version.
            ParameterError: the space is not that of the fit, or must be given.
        """
        tensors, meta = read_tensors(Path(path))
        about = meta.get("about", {})
        if about.get("version") != VERSION:
            raise CorruptData(f"{path} is no model of version {VERSION}: fit it again, and save it.")
        name = about["space"]["name"]
        if space is None:
            if name not in spaces.SPACES:
                raise ParameterError(f"{path} was fitted on the space `{name}` of yours: give it, `load(path, space)`.")
            space = spaces.load(name)
        if fingerprint(space) != about["space"]["fingerprint"]:
            raise ParameterError(f"{path} was fitted on another space than {space.name}: on `{name}`.")
        report = about["report"] | {"rounds": tuple(Round(**r) for r in about["report"]["rounds"])}
        conditions = [
            c | {"metric": c["metric"] if isinstance(c["metric"], str) else Column(**c["metric"])}
            for c in about["conditions"]
        ]
        return cls(
            space,
            tuple(Condition(**c) for c in conditions),
            tuple(Bound(**b) for b in about["bounds"]),
            Report(**report),
            about["guidance"],
            DiffusionModel.load(Path(path)),
            tensors["with.labelled"].numpy(),
            tensors["with.listed"].numpy(),
        )


def generate(
    diffusion: DiffusionModel, space: SearchSpace[Any], indices: range, scale: float, seed: int, steps: int
) -> tuple[list[Any | None], list[str]]:
    """Return the cells of some indices of a guided stream, None where one is no cell, and what is wrong by kind."""
    guided = Guided(diffusion.denoiser, [1], scale)
    graphs = sample(guided, diffusion.noise, indices, seed=derive(seed, "samples"), steps=steps)
    return space.decode_with_reasons(graphs)


def list_weights(probabilities: np.ndarray, scale: float) -> np.ndarray:
    """Return with which probability each listed cell is drawn: that it is wanted, to the power 1 + scale."""
    relative = np.maximum(np.asarray(probabilities, dtype=np.float64), 1e-300)
    weights: np.ndarray = (relative / relative.max()) ** (1 + scale)
    return weights / weights.sum()


def identities(space: SearchSpace[Any], archs: Sequence[Any]) -> np.ndarray:
    """Return a number for each cell (int64, B): its row, where the space is not finite 64 bits of its key."""
    if isinstance(space, FiniteSpace):
        return space.rows(archs)
    bits = np.array([key_hash(space.key(arch)) for arch in archs], dtype=np.uint64)
    return bits.view(np.int64)


def fingerprint(space: SearchSpace[Any]) -> str:
    """Return 16 hex digits that stand for a space: its operations, its sizes, and some of its cells."""
    some: list[str] = []
    if isinstance(space, FiniteSpace):
        rows = np.unique(np.linspace(0, space.size - 1, 64).astype(int))
        some = [space.to_string(space.from_index(int(row))) for row in rows]
    content = json.dumps([space.node_classes, space.max_nodes, space.size, some])
    return hashlib.sha256(content.encode()).hexdigest()[:16]
