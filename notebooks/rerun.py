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
# # Rerunning everything
#
# What it costs to make every record behind this book again: measured for two CPU cores, and counted for one modern GPU. This makes all of them:
#
# ```bash
# nasrepro run --all --profile laptop
# ```

# %% tags=["hide-input"]
from nasrepro.notebook import Page
from nasrepro.report.dinas import full_profile
from nasrepro.report.plan_table import plan_table

page = Page(globals(), "dinas", "delta", "card")
page.glue(full_profile.numbers(page.runs))

# %%
plan_table(page.runs)

# %% [markdown]
# `nasrepro run --all` goes through the runs above one after another and makes those that have no record; with `--again` also those whose record came with the book. What is finished is kept, so a batch that is
# killed goes on where it was when the command is repeated. `--paper dinas` and `--paper delta` restrict it to one paper. Runs whose benchmark files are missing are left out and named at the end, with the command that
# fetches them.
#
# - **Two CPU cores.** The sums of the table are measured, run by run, on the machine and under the load that each record states.
# - **One modern GPU.** `--profile full` has the paper's hundred epochs (30 on NAS-Bench-101) in batches that keep a GPU busy, three trainings (one for some ablations), and 50 reverse steps. No GPU was lent to this study, so it has not been run,
#   and its time is extrapolated below: about {glue:text}`full_profile.minutes:.0f` minutes.
# - **A cluster.** Every line is a command of its own, `nasrepro run <experiment> -p ...`, and the notebooks take the same parameters through papermill. Runs share nothing but trained models, under locks.
#
# ## What the full profile amounts to
#
# The training of a small network keeps a GPU waiting: a step takes as long as its operations take to be launched, until its batch is large enough for the arithmetic to count. The paper's step launches
# {glue:text}`full_profile.operations:more than twice as many` as ours on NAS-Bench-201. Its 16 cells are {glue:text}`full_profile.arithmetic:more` arithmetic than 1,024 of ours, because its attention scores every channel of every pair.
# [What a step amounts to](step_cost.ipynb) has the counts.
#
# What several runs share counts once, where it comes first. Table 5 is left out: its `full` run trains on ImageNet. The command:
#
# ```bash
# nasrepro run --all --paper dinas --profile full
# ```

# %%
full_profile.full_table(page.runs)

# %%
full_profile.tried_table(page.runs)

# %% [markdown]
# **How far to trust this.** The counts are exact but for the last batch of an epoch. The time of a step is an inference: it takes the paper's own figure, an A6000, and that ours scales with what was counted. Memory traffic is not
# counted. If every step, reverse steps too, took as long as the paper's training step, it would be {glue:text}`full_profile.printed_minutes:.0f` minutes. That larger batches
# train as well was tried with a CPU, on NAS-Bench-201 and under one constraint (last table), not on the other benchmarks.
#
# **The paper's recipe to the letter**, batches of 16 and a network of five wide layers, would by its own figures take {glue:text}`full_profile.paper_hours:.0f` hours for the same runs. Its parameters are
# in `data/paper/dinas_recipe.yml`, and any DiNAS notebook takes them: `papermill notebooks/dinas/table_2.ipynb out.ipynb -p profile full -f data/paper/dinas_recipe.yml`.
#
# ## What to try next
#
# ```bash
# nasrepro run --all --paper delta --profile laptop
# nasrepro run nb201 -p dataset=cifar100 --profile full
# ```
