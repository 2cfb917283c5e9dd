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
# # Loss against the number of edits
#
# Figure 3 of Delta-NAS: the loss of a difference predictor trained and tested on pairs 1 to 6 edits apart, as it is
# and by the mean squared difference.
#
# Cost on one CPU core: `smoke` seconds, `laptop` about a minute, TransNAS-Bench-101 six.

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"  # smoke, laptop or full: sets every parameter below that is None
space: str = "nb201"  # nb101, nb201 or tnb101
source: str = None  # accuracy, or zen for the Zen-score of Algorithm 1
scale: str = None  # scores for normal scores of the labels, raw for the labels as they are
trials: int = None  # training sets of each k
pairs: int = None  # training pairs of each k
test_pairs: int = None  # held-out pairs of each k
seed: int = None  # number of the first trial
fresh: bool = False  # run anew although there is a record

# %%
from nasrepro.notebook import run_here

folder, record = run_here("doa_distance", globals())

# %% [markdown]
# ## Result

# %%
from nasrepro.report import overview as tables
from nasrepro.report.delta import difference as doa_tables

shown = doa_tables.run_tables(record)
shown[0]

# %%
shown[1]

# %% [markdown]
# ## Where the numbers come from

# %%
tables.run_table(record)
