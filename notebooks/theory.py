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
# # Theorems 1 to 5 of Delta-NAS, counted
#
# The printed formulas beside exact counts of architectures and of their differences, on small spaces and on the two
# public ones.
#
# Cost on one CPU core: seconds.

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"  # every profile counts the same
edits: int = None  # k of the row of Theorem 5
largest: int = None  # largest n of the growth plot
operations: int = None  # r of the growth plot
fresh: bool = False  # run anew although there is a record

# %%
from nasrepro.notebook import run_here

folder, record = run_here("theory", globals())

# %% [markdown]
# ## Result

# %%
from nasrepro.report import overview as tables
from nasrepro.report.delta import theorems as theory_tables

theory_tables.theorem_rows(folder, record)

# %%
theory_tables.growth_figure(folder, record)

# %% [markdown]
# ## Where the numbers come from

# %%
tables.run_table(record)
