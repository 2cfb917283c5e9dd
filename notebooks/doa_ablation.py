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
# # What each choice of Algorithm 1 does
#
# The literal reading of the difference of architectures on NAS-Bench-201 with one choice changed at a time, and the
# same labels with a predictor of accuracies.
#
# Cost on one CPU core: `smoke` a minute, `laptop` about six.

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"  # smoke, laptop or full: sets every parameter below that is None
trials: int = None  # training sets
pairs: int = None  # held-out one-edit pairs of a trial
centres: int = None  # test cells whose neighbourhoods are ranked
anchors: int = None  # labelled cells that chained predictions begin at
seed: int = None  # number of the first trial
fresh: bool = False  # run anew although there is a record

# %%
from nasrepro.notebook import run_here

folder, record = run_here("doa_ablation", globals())

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
