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
# # Predicting differences of accuracy
#
# Readings of the difference of architectures (Delta-NAS, Table 1) at equal labels: the network of Algorithm 1, with
# the base visible or not, a Gaussian process on differences, and the strongest reading. Judged by Kendall's tau over
# one-edit pairs, within neighbourhoods, and over architectures by chained predictions.
#
# Cost on one CPU core: `smoke` a minute, `laptop` two to eight minutes, depending on the space.

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"  # smoke, laptop or full: sets every parameter below that is None
space: str = "nb201"  # nb101, nb201, tnb101 or nb301
trials: int = None  # training sets
samples_per_code: int = None  # n, pairs of a code, where pairs are independent
star: int = None  # neighbours of an anchor, where pairs share anchors
pairs: int = None  # held-out one-edit pairs of a trial
centres: int = None  # test cells whose neighbourhoods are ranked
anchors: int = None  # labelled cells that chained predictions begin at
seed: int = None  # number of the first trial
fresh: bool = False  # run anew although there is a record

# %%
from nasrepro.notebook import run_here

folder, record = run_here("doa", globals())

# %% [markdown]
# ## Result

# %%
from nasrepro.report import overview as tables
from nasrepro.report.delta import difference as doa_tables

doa_tables.run_tables(record)[0]

# %% [markdown]
# ## Where the numbers come from

# %%
tables.run_table(record)
