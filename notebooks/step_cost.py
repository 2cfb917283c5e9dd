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
# # What a step amounts to
#
# Operations and floating-point products of a training step and of a reverse step, for the network and batch of the
# paper and for each profile `full`. With the time that the paper prints for its step they tell what `full` takes on a
# GPU.
#
# Cost on one CPU core: half a minute.

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"  # smoke, laptop or full: all the same here
seed: int = None  # master seed
fresh: bool = False  # run anew although there is a record

# %%
from nasrepro.notebook import run_here

folder, record = run_here("step_cost", globals())

# %% [markdown]
# ## Result

# %%
from nasrepro.report import overview as tables
from nasrepro.report.dinas import full_profile

full_profile.step_table([(folder, record)])

# %% [markdown]
# ## Where the numbers come from

# %%
tables.run_table(record)
