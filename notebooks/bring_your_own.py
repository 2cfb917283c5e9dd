# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Bring your own space
#
# A table of architectures is enough: one CSV or Parquet file with a row per cell, the operations of its nodes, its
# edges, and what was measured. It becomes a search space and a benchmark, and every search of this package runs on it.
#
# Here DiNAS is conditioned on two columns of a table at once: a cell among the best by accuracy, and within a budget of
# parameters. Without a `table` of yours the notebook writes one: all cells of NAS-Bench-201 with their validation
# accuracy on CIFAR-10 and their parameters.
#
# Cost on two CPU cores: about a minute.

# %% tags=["parameters", "hide-input"]
table: str = None  # your CSV or Parquet file; None writes one from NAS-Bench-201
accuracy: str = "accuracy"  # column of which more is better
cost: str = "parameters"  # column of which less is better
top: float = 5.0  # f: the best f per cent by accuracy are wanted
budget: float = 0.7  # largest cost that is wanted, in the unit of the column
epochs: int = 12  # passes over the table in training
batch_size: int = 256  # cells of one training step
guidance_scale: float = 1.5  # gamma of Eq. 5 of DiNAS
reverse_steps: int = 20  # steps of the reverse process, up to 500
draws: int = 500  # cells to sample
seed: int = 0  # master seed

# %% [markdown]
# An unknown or mistyped parameter is refused before any work is done.

# %% tags=["hide-input"]
from pydantic import Field

from nasrepro.parameters.base import Parameters, from_notebook, resolve


class Choice(Parameters):
    table: str | None = None
    accuracy: str
    cost: str
    top: float = Field(gt=0, lt=100)
    budget: float
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    guidance_scale: float = Field(ge=0, le=20)
    reverse_steps: int = Field(ge=1, le=500)
    draws: int = Field(ge=1)
    seed: int = Field(ge=0)


p = resolve(Choice, from_notebook(globals()), "laptop")

# %% [markdown]
# ## The table
#
# Beside the table lies a file of the same name that says what each metric is: its unit, whether more is better, and of
# which networks it is. Nothing is guessed, so a table without it is refused with the lines to write.

# %%
import tempfile
from pathlib import Path

from nasrepro.benchmarks.base import MEAN, Column
from nasrepro.benchmarks.nb201 import NB201Benchmark
from nasrepro.benchmarks.own import from_table, write_table

path = Path(p.table) if p.table else Path(tempfile.mkdtemp()) / "nb201-cells.csv"
if not p.table:
    columns = {
        "accuracy": Column("cifar10", "accuracy", "valid", 200, MEAN),
        "parameters": Column("cifar10", "parameters", "model", 0, MEAN),
    }
    write_table(path, NB201Benchmark(), columns)
    print(path.with_suffix(".yml").read_text())

benchmark = from_table(path)
space = benchmark.space
print(f"{space.size:,} cells of up to {space.max_nodes} nodes: {', '.join(space.node_classes)}")
benchmark.table().head()

# %% [markdown]
# ## Two conditions
#
# Each column is cut into classes: accuracy at a percentile of all labels, the cost at the budget. The wanted class is
# the upper one of accuracy and the lower one of cost. Every label that is read is noted in a ledger.

# %%
import numpy as np
import torch

from nasrepro.benchmarks.ledger import Ledger
from nasrepro.diffusion.guidance import Guided, percentile_discretiser, read_classes, threshold_discretiser

ledger = Ledger()
conditions = [next(c for c in benchmark.columns() if c.metric == name) for name in (p.accuracy, p.cost)]
labels = [ledger.open(benchmark, column, "dinas") for column in conditions]
rows = np.arange(space.size)
discretisers = [percentile_discretiser(labels[0], rows, [100 - p.top]), threshold_discretiser(p.budget)]
wanted = [1, 0]
classes = read_classes(labels, discretisers, rows, "train")
print(f"{(classes == wanted).all(1).sum():,} of {space.size:,} cells satisfy both conditions")

# %% [markdown]
# ## Train and sample
#
# One denoiser learns both conditions. In training they are dropped together, so that guidance has an unconditional
# model to lean on.

# %%
from nasrepro.diffusion.denoiser_config import DEFAULT
from nasrepro.diffusion.sample import sample
from nasrepro.diffusion.train import TrainingConfig, train

recipe = {"learning_rate": 2e-3, "schedule": "cosine", "clip_norm": 1.0, "ema_decay": 0.995}
model, history = train(
    space.encode_rows(rows),
    torch.from_numpy(classes),
    node_classes=len(space.node_classes),
    condition_classes=tuple(d.n_classes for d in discretisers),
    denoiser=DEFAULT,
    config=TrainingConfig(epochs=p.epochs, batch_size=p.batch_size, **recipe),
    seed=p.seed,
)
guided = Guided(model.denoiser, wanted, p.guidance_scale)
graphs = sample(guided, model.noise, range(p.draws), seed=p.seed, steps=p.reverse_steps)
archs, reasons = space.decode_with_reasons(graphs)
print(f"loss {history[0].loss:.2f} -> {history[-1].loss:.2f}; {len(archs) - archs.count(None)} of {p.draws} are valid")

# %% [markdown]
# A graph that the table does not list is refused as `unlisted`: it may be a good cell, but nothing is known of it.

# %%
import pandas as pd

pd.Series([reason for reason in reasons if reason], dtype=object).value_counts().rename("invalid samples")

# %% [markdown]
# ## How many satisfy both
#
# Beside the samples of DiNAS, as many uniform draws from the table. Shares are of all draws, so an invalid sample
# counts against DiNAS.

# %%
from nasrepro.seeding import numpy_stream

drawn = {
    "dinas": space.rows([arch for arch in archs if arch is not None]),
    "uniform": numpy_stream(p.seed, "uniform").integers(space.size, size=p.draws),
}
lines = {}
for reader, found in drawn.items():
    read = [ledger.open(benchmark, column, reader) for column in conditions]
    satisfied = read_classes(read, discretisers, found, "report") == wanted
    both = found[satisfied.all(1)]
    lines[reader] = {
        "valid": len(found) / p.draws,
        f"top {p.top:g} % by {p.accuracy}": satisfied[:, 0].sum() / p.draws,
        f"{p.cost} <= {p.budget:g}": satisfied[:, 1].sum() / p.draws,
        "both": len(both) / p.draws,
        "distinct cells that satisfy both": len(np.unique(both)),
    }
pd.DataFrame.from_dict(lines, orient="index")

# %% [markdown]
# Raising `guidance_scale` draws more of what is valid into the wanted classes, until samples stop being cells of the
# table: the rarer the combination, the earlier.
#
# ## Labels read

# %%
pd.DataFrame(ledger.counts())
