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
# # Table 6: novelty, uniqueness, cost
#
# The left half of the paper's Table 6 asks whether the generated cells are new; the right half says what they cost.

# %% tags=["parameters", "hide-input"]
experiment: str = None  # nb201, nb101, nb301, nlp or hw
guidance_scale: float = None  # gamma of Eq. 5
generations: int = None  # samples that are only looked at (nb301 and nlp)
profile: str = None  # smoke, laptop or full; without any parameter the committed records are shown
fresh: bool = None  # run anew although there is a record

# %% tags=["hide-input"]
from nasrepro.notebook import Page
from nasrepro.report import steps
from nasrepro.report.dinas import table_6, table_7

page = Page(globals(), "dinas.table1", "dinas.table2", "dinas.table3", "dinas.table4", "dinas.steps.vary")
page.glue(table_6.numbers(page.runs) | steps.numbers("dinas.steps.vary", page.runs))

# %% [markdown]
# ## Novelty and uniqueness
#
# The paper draws 2,000 samples on each of two benchmarks and looks at them; so do we. Nothing is queried.

# %%
table_7.variety_table(page.runs)

# %% [markdown]
# Where a space holds very many cells, novelty is nearly free: a pair drawn at random is novel, too. Uniqueness is what guidance can cost.
#
# ## What a training and a sample cost
#
# The table has the wall time of one training and of one sampled architecture. The paper's trainings have 100 epochs on one NVIDIA A6000. Ours are the runs behind Tables 1 to 4; where a benchmark has several settings, both columns are means over them.

# %%
table_6.efficiency_table(page.runs)

# %% [markdown]
# **The printed training times do not fit together.** The paper trains with batches of 16. For NAS-Bench-201 that is 967 steps per epoch, so 100 epochs in 0.25 hours are 9.3 ms per step. For NAS-Bench-101 it is
# 26,212 steps per epoch, and 100 epochs in 0.96 hours would be 1.3 ms per step, seven times faster on graphs of nearly the same size. HW-NAS-Bench has the very graphs of NAS-Bench-201 and takes
# six times as long. We cannot tell which of the three was not 100 full epochs at that batch size; the public code has a batch size of 4.
#
# Our steps are {glue:text}`table6.slower:slower` and {glue:text}`table6.fewer:far fewer`. On NAS-Bench-201 a training has {glue:text}`table6.steps:,.0f` steps of {glue:text}`table6.ms:.0f` ms, where the paper's has 96,700 of 9.3 ms. Another device
# and another recipe (a smaller network, larger batches, a learning rate that decays, a moving average of the weights): the columns cannot be compared as equal. The times of our runs were taken on two shared CPU cores while
# other work ran, so they are upper bounds.
#
# ## The step in a few lines
#
# Novelty and uniqueness are counted on samples. Here 200 cells are known exactly, so whatever is new comes from the sampler.

# %%
steps.code("dinas.steps.vary", page.runs)

# %%
steps.result("dinas.steps.vary", page.runs)

# %% [markdown]
# In one step {glue:text}`step.1.novel:.0%` of the samples are new, in twenty {glue:text}`step.20.novel:.0%`. A sampler of few steps draws places independently, and so mixes the cells that it knows.
#
# ## Answered twice

# %%
page.answers("dinas.table6.", "Table 6 of DiNAS")

# %% [markdown]
# ## What to try next
#
# More samples on NAS-Bench-NLP, whose novelty and uniqueness take the place of the row above, and the cost of a training step of each network on your machine:
#
# ```bash
# nasrepro notebook dinas/table_6 out.ipynb -p experiment=nlp -p generations=5000 -p profile=laptop
# nasrepro run step_cost
# ```
#
# ## Where the numbers come from

# %% tags=["hide-input"]
page.sources()
