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
# # Predicting accuracy from an encoding
#
# One space of Table 1 of Delta-NAS: six encodings and a practitioner's Gaussian process, trained on the same labels
# and judged by Kendall's tau on cells and on one-edit pairs that they have not seen.
#
# Cost on one CPU core: `smoke` under a minute, `laptop` about ten minutes.

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"  # smoke, laptop or full: sets every parameter below that is None
space: str = "nb201"  # nb101, nb201, tnb101 or nb301
method: str = None  # which method, or all of them
trials: int = None  # random training sets
pairs: int = None  # held-out one-edit pairs of a trial
test_cells: int = None  # most test cells of a trial, or all of them
loss: str = None  # of the networks, hinge or mse
epochs: int = None  # passes of an MLP over the labels
batch_size: int = None  # labels of one step, for budgets up to 200 labels
large_batch_size: int = None  # the same for larger budgets
flan_size: str = None  # small or published
flan_epochs: int = None  # passes of FLAN over up to 200 labels
flan_large_epochs: int = None  # passes of FLAN over more labels
flan_large_batch_size: int = None  # its labels of one step then
flan_proxies: bool = None  # give FLAN the zero-cost proxies too
most_paths: int = None  # most frequent paths that the path encoding keeps, of each cell
pretraining_cells: int = None  # most unlabelled cells of a pre-training
arch2vec_epochs: int = None  # passes of arch2vec over them
cate_epochs: int = None  # passes of CATE over its pairs
seed: int = None  # master seed of weights and batches
fresh: bool = False  # run anew although there is a record

# %%
from nasrepro.notebook import run_here

folder, record = run_here("encodings", globals())

# %% [markdown]
# ## Result

# %%
from nasrepro.report import overview as tables
from nasrepro.report.delta import table_1 as encoding_tables

encoding_tables.run_table(record)

# %% [markdown]
# ## Where the numbers come from

# %%
tables.run_table(record)
