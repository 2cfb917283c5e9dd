"""One model for all twelve settings of Table 4: the device and its bound are conditions too; not in the paper.

The paper trains a model for every setting. Here a training graph is a cell seen under one setting, and its conditions
are (setting and whether the cell is within its bound, one of 24 classes) and (whether it is in the top class of the
cells within the bound). Sampling asks for one setting at a time.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from nasrepro.benchmarks.constraints import Constraint
from nasrepro.benchmarks.nb201 import NB201Benchmark
from nasrepro.diffusion.guidance import percentile_discretiser
from nasrepro.diffusion.model import DiffusionModel
from nasrepro.experiments.dinas import hw
from nasrepro.experiments.dinas.generation import Generation
from nasrepro.graphs import Graphs
from nasrepro.parameters.dinas import JointParameters
from nasrepro.runs.printed import hardware_settings
from nasrepro.runs.protocols import PAPER, run_rows, summary_rows
from nasrepro.runs.run import Experiment, Outcome, RunContext
from nasrepro.seeding import derive

TOP = 1  # class of the cells above the percentile


def execute(p: JointParameters, context: RunContext) -> Outcome:
    """Train one model on every cell under every setting, then sample for each setting in turn."""
    return _Joint(p, context, NB201Benchmark(), hw.ACCURACY).outcome()


class _Joint(Generation):
    """A run is of a setting; there are no controls."""

    def outcome(self) -> Outcome:
        p, context = self.p, self.context
        labels, everything = self.labels("dinas"), self.population
        values = labels.read(everything, "train")
        self.limits = _limits()
        within = [hw.feasible(context, [limit], "dinas", everything, "train") for limit in self.limits]
        self.bounds = [percentile_discretiser(labels, np.flatnonzero(w), [p.percentile]).cuts[0] for w in within]
        by_setting = enumerate(zip(within, self.bounds, strict=True))
        self.classes = np.concatenate([np.stack([2 * s + inside, values > cut], 1) for s, (inside, cut) in by_setting])
        traces, loss = self.dinas()
        rows, parts, ceilings = [], [], {}
        trace = pd.concat(traces, ignore_index=True)
        for s, ((device, bound), limit) in enumerate(zip(hardware_settings(), self.limits, strict=True)):
            mine = hw.constrained(context, trace[trace.setting == s], [limit], within[s])
            runs = run_rows(hw.only_feasible(mine), PAPER, p.queries, self.bounds[s], None)
            name = f"{device}-{bound}"
            rows += [hw.table4_row(r, mine) | {"protocol": name} for r in summary_rows(runs, p.queries, context.ledger)]
            ceilings[name] = self.benchmark.optimum(hw.ACCURACY, within[s]).value
            parts.append(mine)
        metrics = {
            "column": str(hw.ACCURACY),
            "cuts": self.bounds,
            "ceilings": ceilings,
            "rows": rows,
            "speed": self.speed(loss, len(trace)),
        }
        return Outcome(metrics, {"trace": pd.concat(parts, ignore_index=True), "loss": loss}, self.seeds())

    def fit(self, training: int) -> tuple[list[DiffusionModel], pd.DataFrame]:
        """Train on every cell under every setting (classes int64, settings x cells by 2)."""

        def load() -> tuple[Graphs, torch.Tensor]:
            cells = self.space.encode_rows(self.population)
            return Graphs.cat([cells] * len(self.limits)), torch.from_numpy(self.classes.astype(np.int64))

        settings = [str(limit) for limit in self.limits]
        made_of = {"space": self.space.name, "settings": settings, "cuts": self.bounds, "data": _data(self.p)}
        wanted = [(2 * s + 1, TOP) for s in range(len(settings))]
        model, loss = self.trained(training, made_of, load, (2 * len(settings), 2), wanted)
        return [model], loss

    def sample(self, training: int) -> list[pd.DataFrame]:
        """Return the traces of the runs of a training under every setting, each a stage of its own."""
        p, (model,), out = self.p, self.models[training], []
        for s in range(len(self.limits)):
            for run in range(p.runs):
                seed = derive(p.seed, "samples", training, s, run)
                searcher = self.guided(model, self.space, [2 * s + 1, TOP], seed)
                out.append(self.search(searcher, (training, s, run), p.queries).assign(setting=s))
        return out


def _limits() -> list[Constraint]:
    return [hw.limit_of(device, bound) for device, bound in hardware_settings()]


def _data(p: JointParameters) -> dict[str, str]:
    columns = list(dict.fromkeys(limit.column for limit in _limits()))
    return NB201Benchmark().checksums([hw.ACCURACY]) | hw.HWNB201Benchmark().checksums(columns)


EXPERIMENT = Experiment("hw_joint", 1, JointParameters, _data, execute)
