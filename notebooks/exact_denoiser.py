# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#       jupytext_version: 1.19.6
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What a number of reverse steps allows at best
#
# The wanted class of a benchmark is a finite list, so the posterior that a denoiser is trained to predict is known in
# closed form. Sampling with it shows what the sampler alone gets wrong.
#
# Cost on one CPU core: `smoke` seconds, `laptop` a minute or two.

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"  # smoke, laptop or full: sets every parameter below that is None
benchmark: str = "nb201"  # whose wanted class: nb201, nb101, hw-nb201 or nb301 (normal cells)
dataset: str = None  # data set of nb201
percentile: float = None  # f: cells above this percentile are the wanted class
platform: str = None  # device whose latency hw-nb201 bounds
latency: float = None  # bound on the latency, ms
samples: int = None  # samples of each number of steps
steps: list = None  # numbers of reverse steps
seed: int = None  # master seed
fresh: bool = False  # run anew although there is a record

# %%
from nasrepro.notebook import run_here

folder, record = run_here("exact_denoiser", globals())

# %% [markdown]
# ## Result

# %%
from nasrepro.report import overview as tables
from nasrepro.report.dinas import exact_denoiser as exact_table

exact_table.run_table(record)

# %% [markdown]
# ## Where the numbers come from

# %%
tables.run_table(record)
