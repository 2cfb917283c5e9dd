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
# # Speed
#
# How long does a result take on two CPU cores, what does each part of it cost, and how far is that from what the machine could do? Two questions are kept apart. *Equal work*: the same network, computed
# faster. *Same quality with less work*: another network that reaches what the first one did.

# %% tags=["parameters", "hide-input"]
repeats: int = None  # times that each step is measured
threads: int = None  # steps are measured on 1 to so many threads
most_cells: int = None  # largest number of cells sampled in one call
most_nodes: int = None  # nodes of the largest graphs
profile: str = None  # smoke, laptop or full; without any parameter the committed record is shown
fresh: bool = None  # run anew although there is a record

# %% tags=["hide-input"]
from nasrepro.notebook import Page
from nasrepro.report import speed

page = Page(globals(), "dinas.speed", "dinas.table2", "dinas.table1", "dinas.ablations.base")
page.glue(speed.numbers(page.runs))

# %% [markdown]
# ## Same quality with less work
#
# The cells of a benchmark are small: eight nodes with fixed edges, or seven nodes with any. A graph transformer treats them as graphs of any size. The `flat` network
# ({src}`nasrepro/diffusion/flat.py#FlatDenoiser`) reads all slots of a cell at once, and is given what is the same in every cell of the space. Each row has the control beside it.

# %%
speed.quality_table(page.runs)

# %% [markdown]
# On CIFAR-10 a run with the flat network takes {glue:text}`quality.dinas.table2.cifar10.training:.0f` CPU seconds for each of its trainings where the graph transformer took
# {glue:text}`quality.dinas.ablations.base.cifar10.training:.0f`. Its best cells stand {glue:text}`quality.dinas.table2.cifar10.draw:above` those of the uniform draw from the same labelled class. Where the
# edges are given, every sample is a cell: that is the space's doing, not the network's.
#
# ## Equal work
#
# A second core helps only where whole passes run side by side. So a training step is cut into parts, one on each thread, and a reverse step into groups of cells
# ({src}`nasrepro/diffusion/threads.py#on_threads`). What is computed does not depend on the number of threads.

# %%
speed.steps_table(page.runs)

# %% [markdown]
# A step of the paper's network (batch 16) takes {glue:text}`speed.paper.training.one:.0f` ms on one thread and {glue:text}`speed.paper.training.two:.0f` ms on two. Its guided reverse step of 192 cells takes
# {glue:text}`speed.paper.reverse.one:.0f` and {glue:text}`speed.paper.reverse.two:.0f` ms. What is missing to the ceiling is memory traffic: attention with a score for every channel makes a tensor of
# all pairs of nodes and all channels.
#
# ## How it grows

# %%
speed.curves(page.runs)

# %% [markdown]
# Beyond a thousand cells the time of a call grows {glue:text}`speed.linear:in proportion to` their number: {glue:text}`speed.flat.cell:.2f` ms a cell for the flat network in a call of
# {glue:text}`speed.most_cells:,d`, ten reverse steps each. From 8 nodes to 64 the time of a reverse step of the graph transformer grows {glue:text}`speed.default.quadratic:no faster than` the square of their number,
# that of the flat network {glue:text}`speed.flat.quadratic:faster than` it: it is for small graphs.
#
# ## A GPU
#
# Not run: no GPU was at hand. What a step would ask of one is [counted](step_cost.ipynb).
#
# ## Where the numbers come from

# %% tags=["hide-input"]
page.sources()

# %% [markdown]
# ## What to try next
#
# On a machine that does nothing else:
#
# ```bash
# nasrepro notebook speed out.ipynb -p repeats=5 -p profile=laptop -p fresh=true
# ```
