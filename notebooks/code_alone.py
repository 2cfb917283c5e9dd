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
# # The difference code alone
#
# NAS-Bench-201: how well functions of the difference code, and of nothing else, rank one-edit pairs, neighbourhoods and
# architectures: means of codes and weights of places, of accuracies and of ranks, with 1 %, 10 % and all labels.
#
# Cost on one CPU core: `smoke` half a minute, `laptop` about two.

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"  # smoke, laptop or full: sets every parameter below that is None
trials: int = None  # training sets
pairs: int = None  # held-out one-edit pairs of a trial
centres: int = None  # test cells whose neighbourhoods are ranked
anchors: int = None  # labelled cells that chained predictions begin at
penalty: float = None  # of squared weights in the ridge regression
seed: int = None  # number of the first trial
fresh: bool = False  # run anew although there is a record

# %%
from nasrepro.notebook import run_here

folder, record = run_here("code_alone", globals())

# %% [markdown]
# ## Result

# %%
from nasrepro.report import overview as tables
from nasrepro.report.delta import code_alone as code_alone_table

code_alone_table.code_table(record)

# %% [markdown]
# ## Where the numbers come from

# %%
tables.run_table(record)
