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
# # Searchers with every label counted
#
# Random search, local search, regularised evolution, BANANAS, Bayesian optimisation and a practitioner's Gaussian
# process on one benchmark, each with the same number of labels, and nothing read beforehand.
#
# Cost on two CPU cores: `smoke` seconds, `laptop` about ten minutes.

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"  # smoke, laptop or full: sets every parameter below that is None
benchmark: str = "nb201"  # nb101, nb201, nb301 or nlp
dataset: str = "cifar10"  # data set; ptb for nlp
searcher: str = None  # which searcher, or all of them
queries: int = None  # distinct labels that a run may read
runs: int = None  # runs of each searcher
seed: int = None  # master seed
fresh: bool = False  # run anew although there is a record
device: str = "auto"  # auto, cpu, cuda, ...

# %%
from nasrepro.notebook import run_here

folder, record = run_here("baselines", globals())

# %% [markdown]
# ## Result

# %%
from nasrepro.report import overview as tables
from nasrepro.report.dinas import table_3 as surrogate_tables

surrogate_tables.searchers_table(record)

# %% [markdown]
# ## Where the numbers come from

# %%
tables.run_table(record)
