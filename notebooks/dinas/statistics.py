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
# # How sure are the differences?
#
# Tables 1, 2 and 3 print means of ten runs. DiNAS is ours throughout. Here the runs themselves are compared.

# %% tags=["parameters", "hide-input"]
experiment: str = None  # of your run: nb201, nb101, nb301, nlp, or baselines (the searches)
dataset: str = None  # of nb201: cifar10, cifar100 or imagenet16-120
guidance_scale: float = None  # gamma of Eq. 5
profile: str = None  # smoke, laptop or full; without any parameter the committed records are shown
fresh: bool = None  # run anew although there is a record

# %% tags=["hide-input"]
from nasrepro.notebook import Page
from nasrepro.report import steps
from nasrepro.report.dinas import statistics

page = Page(globals(), "dinas.table2", "dinas.table1", "dinas.table3", "dinas.steps.compare")
page.glue(statistics.numbers(page.runs) | steps.numbers("dinas.steps.compare", page.runs))

# %% [markdown]
# ## DiNAS against each search
#
# The runs of DiNAS share three trainings, which the test does not know: its p-values are too small rather than too large. The searches have read
# their queries. DiNAS has read labels before.

# %%
statistics.test_table(page.runs)

# %% [markdown]
# In {glue:text}`ahead:d` of {glue:text}`tests:d` tests DiNAS is ahead, in {glue:text}`behind:d` the search is, and in {glue:text}`level:d` no difference
# is shown. It is ahead of random search on {glue:text}`random.every:every` benchmark, and of the Gaussian process on {glue:text}`gp.ahead:d` of
# {glue:text}`benchmarks:d`. On {glue:text}`behind.no:no` benchmark does a search come out ahead of it.
#
# ## Is the printed mean ours?

# %%
statistics.equivalence_table(page.runs)

# %% [markdown]
# A claim is called reproduced when its whole interval lies within the tolerance. The test asks more: that chance cannot have hidden a larger
# difference. The printed means come without a spread, so they are taken as exact. On {glue:text}`equivalent:every` data set the test shows equivalence.
#
# ## Ranks over the benchmarks

# %%
statistics.rank_figure(page.runs)

# %% [markdown]
# By mean rank the {glue:text}`best` comes first, at {glue:text}`best.rank:.2f`. DiNAS has {glue:text}`dinas.rank:.2f`. The critical difference is
# {glue:text}`critical:.2f`.
#
# ## How to read this
#
# - **Two kinds of label counts.** A search has read 192 labels when it ends (100 on NAS-Bench-301, 304 on NAS-Bench-NLP). Before its first query DiNAS has
#   read the labels of every cell of Tables 1 and 2, of 10,000 pairs of cells of NAS-Bench-301, and of every trained cell of NAS-Bench-NLP. A test that says
#   "DiNAS ahead" does not say that it is the cheaper search.
# - **Ties at the top.** Where several methods find the optimum in every run, their means are equal to the last digit and no test can tell them apart. Labels
#   to the optimum, in the tables of [Table 2](table_2.ipynb), then say more than the best value.
# - **Few benchmarks.** The three data sets of NAS-Bench-201 share their cells and are not independent, and a critical-difference diagram over so few
#   benchmarks has little power: read the order of the ranks, not the bars.
# - **Equivalence.** A small p says that the difference to the printed mean is within the tolerance; a large one does not say that there is a difference.
#
# ## The step in a few lines
#
# Two methods are compared by their runs. Here a run is the best of 192 draws, from all cells of NAS-Bench-201 or from the better half of them.

# %%
steps.code("dinas.steps.compare", page.runs)

# %%
steps.result("dinas.steps.compare", page.runs)

# %% [markdown]
# The difference is {glue:text}`step.better less all.difference:.3f` points [{glue:text}`step.better less all.low:.3f`, {glue:text}`step.better less all.high:.3f`], with p = {glue:text}`step.better less all.p:.2f`. One half holds every good cell, so the second searcher is the better one by construction; ten runs of
# each need not show it.
#
# ## What to try next
#
# Give DiNAS the weaker guidance that we recommend, or the searches another seed, and see whether the readings stay:
#
# ```bash
# nasrepro notebook dinas/statistics out.ipynb -p experiment=nb201 -p dataset=cifar100 -p guidance_scale=1.5
# nasrepro notebook dinas/statistics out.ipynb -p experiment=baselines -p dataset=cifar100 -p runs=10 -p seed=1
# ```
#
# ## Where the numbers come from

# %% tags=["hide-input"]
page.sources()
