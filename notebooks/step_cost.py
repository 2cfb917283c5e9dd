# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What a step amounts to
#
# Operations and floating-point products of a training step and of a reverse step are counted here, for the network and batch of the paper and for the batches of each profile `full`. With the time
# that the paper prints for its own step they say what `full` would take on a GPU ([Rerunning everything](rerun.ipynb)).

# %% tags=["parameters", "hide-input"]
seed: int = None  # master seed of the weights; the counts do not depend on it
profile: str = None  # smoke, laptop or full: all the same here; without any parameter the committed record is shown
fresh: bool = None  # run anew although there is a record

# %% tags=["hide-input"]
from nasrepro.notebook import Page
from nasrepro.report.dinas import full_profile

page = Page(globals(), "dinas.step-cost")
page.glue(full_profile.step_numbers(page.runs))

# %% [markdown]
# ## Why count, and not measure
#
# A small network keeps a GPU waiting. Its step takes as long as its operations take to be launched, until the batch is large enough for the arithmetic to count. Both can be counted on any machine.
# The paper prints the hours of a training, and from these {glue:text}`full_profile.printed_ms:.1f` ms for a step follow. A step of ours is taken to need that time, multiplied by its share of the
# paper's operations or of the paper's arithmetic, whichever is larger.
#
# ## The counts

# %%
full_profile.step_table(page.runs)

# %% [markdown]
# On NAS-Bench-201 the paper's step launches {glue:text}`full_profile.operations:more than twice as many` operations as ours. Its batch of 16 cells is
# {glue:text}`full_profile.arithmetic:more` arithmetic than the 1,024 cells of ours, because its attention scores every channel of every pair of nodes. Memory traffic is not counted.
#
# ## Where the numbers come from

# %% tags=["hide-input"]
page.sources()

# %% [markdown]
# ## What to try next
#
# ```bash
# nasrepro notebook step_cost out.ipynb -p seed=1
# nasrepro run step_cost
# ```
