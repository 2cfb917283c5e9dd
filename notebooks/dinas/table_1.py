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
# # Table 1: NAS-Bench-101
#
# The paper's Table 1 searches the 423,624 cells of NAS-Bench-101 with 150 queries, conditioned on the top 1 % of validation accuracy. Below
# stand the printed rows and ours. Two things should be known before the numbers are read.

# %% tags=["parameters", "hide-input"]
experiment: str = None  # nb101, or baselines for the searches
label: str = None  # of nb101, what is learnt and chosen by: test, or valid with the official file
percentile: float = None  # of nb101, f: cells above this percentile are the wanted class
guidance_scale: float = None  # of nb101, gamma of Eq. 5
wanted_share: float = None  # of nb101, share of the training cells drawn from the wanted class
benchmark: str = None  # of baselines, nb101
queries: int = None  # of one run
profile: str = None  # smoke, laptop or full; without any parameter the committed records are shown
fresh: bool = None  # run anew although there is a record

# %% tags=["hide-input"]
from nasrepro.notebook import Page
from nasrepro.report import search_figures, steps
from nasrepro.report.dinas import table_1_2

page = Page(globals(), "dinas.table1", "dinas.steps.reverse")
page.glue(table_1_2.numbers(page.runs, "nb101") | steps.numbers("dinas.steps.reverse", page.runs))

# %% [markdown]
# **What is learnt and chosen by.** The public tables hold the mean test accuracy of every cell, but validation accuracy of few. Validation accuracy of
# all cells is in the official file of 523 MB, which this book was built without. So our runs learn, choose and report by *mean test accuracy*. On cells where both
# are known the two go together closely. Still, choosing by test accuracy is choosing by what is reported. So the claim on it is marked
# *not comparable*, and the validation column says what it needs. With the official file on your machine, `nasrepro run nb101 -p label=valid` does as the paper does.
#
# **What the model has seen.** It has read the labels of all 423,624 cells before its first query: for training, and for the 99th percentile that its
# condition is. As on NAS-Bench-201, the fair control is the uniform draw from the labelled top class. [What was said there](#what-the-model-has-seen) holds
# here, with 27 times more labels.
#
# **What a query is.** In the paper's protocol every sample is one, invalid and repeated samples too; with *distinct cells* a query is a new valid cell
# ([more of this](table_2.ipynb)). With so few trainings the intervals are only rough.
#
# The searches were rerun by us with {glue:text}`nb101.rerun.random.paper.queries:d` labels each, as many as the paper's rows marked † have. They had read nothing before.

# %%
table_1_2.search_table("nb101", page.runs)

# %% [markdown]
# With the {glue:text}`nb101.dinas.paper.queries:d` queries of the paper's protocol DiNAS stands {glue:text}`nb101.control:above` the uniform draw from the labelled top class
# and {glue:text}`nb101.gp:level with` the Gaussian process, which had read no labels before. Of the samples of DiNAS {glue:text}`nb101.dinas.paper.validity.mean:.1%` are cells.
#
# The optimum that the paper prints, 95.06 / 94.32, is two different cells: the best by mean validation accuracy and the best by mean test accuracy.

# %%
table_1_2.efficiency_table("nb101", page.runs)

# %% [markdown]
# The Gaussian process stood at the best cell in {glue:text}`nb101.rerun.gp.paper.at_optimum:d` of {glue:text}`nb101.rerun.gp.paper.runs:d` runs.

# %%
table_1_2.curve("nb101", page.runs)

# %%
search_figures.losses(page.runs)

# %% [markdown]
# ## How our settings were chosen
#
# One cell of a hundred is in the wanted class. Trained on cells as they come, as the paper does, the network had seen too few of them when the time of
# two CPU cores was spent. Many samples were outside the class, and many were no cells at all. So our `laptop` profile draws
# {glue:text}`nb101.parameters.wanted_share:.0%` of the conditional training cells from the wanted class ([favouring the wanted class](ablations/share.ipynb)). It trains for
# {glue:text}`nb101.parameters.epochs:d` epochs, and samples with guidance scale {glue:text}`nb101.parameters.guidance_scale:g` and
# {glue:text}`nb101.parameters.reverse_steps:d` reverse steps. These were picked after trial trainings with another seed on this table, in which scales from 1 to 5
# were compared. Beyond 3 the samples ceased to be cells. No records of these trials are kept, and labels that we read while choosing are in no ledger.
#
# ## What the threshold decides
#
# The best cell of NAS-Bench-101 stands apart: {glue:text}`nb101.optimum.valid:.2f` % mean test accuracy, the second best {glue:text}`nb101.rerun.gp.paper.best_valid.mean:.2f` %. A mean over runs of 94.27 or more
# needs the best cell itself in about half of the runs, and little in the labels of its neighbours points to it. [The Gaussian process](table_2.ipynb) ends at the second best,
# {glue:text}`nb101.rerun.gp.paper.best_valid.mean:.2f` %, {glue:text}`nb101.second:every time`.
#
# How finely the top class is cut matters then. At the 99th percentile, as in the paper, the best cell is one of some 4,200 wanted ones, at the 99.9th one of some 420. With
# {glue:text}`nb101.dinas.distinct.queries:d` distinct queries DiNAS finds {glue:text}`threshold.99.dinas:.3f` % at the one and {glue:text}`threshold.99.9.dinas:.3f` % at the other (the paper prints
# 94.27 at the 99th). What the labels alone give, a uniform draw from the labelled top class, is {glue:text}`threshold.99.top_class:.3f` % and
# {glue:text}`threshold.99.9.top_class:.3f` %: the finer class gives {glue:text}`threshold.finer:more`. The table shows the runs that differ in the percentile alone.

# %%
table_1_2.threshold_table(page.runs)

# %% [markdown]
# ## The step in a few lines
#
# Sampling goes from noise to cells in reverse steps, each of which draws every node and every pair by itself (Equations 3 and 4). Here exact probabilities of 1,000 known
# cells stand in the place of the network ({src}`nasrepro/diffusion/exact.py#ExactDenoiser`), so the lines run in a moment.

# %%
steps.code("dinas.steps.reverse", page.runs)

# %%
steps.result("dinas.steps.reverse", page.runs)

# %% [markdown]
# Of 200 graphs {glue:text}`step.300.cells:.0%` are cells at time 300, and {glue:text}`step.0.cells:.0%` at time 0. With exact probabilities, what is no cell in the end comes from drawing places independently in so few steps.
#
# ## Answered twice

# %%
page.answers("dinas.table1.", "Table 1 of DiNAS")

# %% [markdown]
# ## What to try next
#
# - Cut the class between the two: `nasrepro notebook dinas/table_1 out.ipynb -p percentile=99.5 -p profile=laptop`. It needs `nasrepro data fetch nb101`, and about half an hour on two CPU cores.
# - Give the searches as many queries as DiNAS has: `nasrepro notebook dinas/table_1 out.ipynb -p experiment=baselines -p benchmark=nb101 -p queries=150 -p profile=laptop`.
#
# ## Where the numbers come from

# %% tags=["hide-input"]
page.sources()
