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
# # Our Zen-score against the published one
#
# The Zen-score of random cells of NAS-Bench-201, computed from their networks, and its rank correlation with the
# published table.
#
# Cost on one CPU core: `smoke` seconds, `laptop` about one minute.

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"  # smoke, laptop or full: sets every parameter below that is None
cells: int = None  # random cells whose score is computed
batch_size: int = None  # images of one score; the published ones had 64
seed: int = None  # master seed
fresh: bool = False  # run anew although there is a record

# %%
from nasrepro.notebook import run_here

folder, record = run_here("proxies", globals())

# %% [markdown]
# ## Result

# %%
from nasrepro.report import overview as tables
from nasrepro.report.delta import table_1 as encoding_tables

encoding_tables.zen_table(record)

# %% [markdown]
# ## Where the numbers come from

# %%
tables.run_table(record)
