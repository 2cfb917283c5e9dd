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
# # Search by predicted differences
#
# Figure 4 (NAS-Bench-101) or Figure 5 (NAS-Bench-201) of Delta-NAS: a population walks along predicted differences,
# as printed and in sensible variants, beside evolution with and without crossover, random search, REINFORCE, local
# search, and an ordinary accuracy predictor trained on as many labels.
#
# Cost on one CPU core: `smoke` seconds, `laptop` three minutes on NAS-Bench-201, about ten on NAS-Bench-101.

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"  # smoke, laptop or full: sets every parameter below that is None
benchmark: str = "nb201"  # nb101 or nb201
dataset: str = None  # cifar10, cifar100 or imagenet16-120; NAS-Bench-101 has cifar10 alone
queries: int = None  # distinct cells that a search evaluates
training_labels: int = None  # cells that a predictor is trained on before the search; 1 % and 10 % are 156 and 1,563
trained_on: str = None  # accuracy, or zen for the Zen-scores of Algorithm 1, with methods=printed
methods: str = None  # all, or printed for the lines of the paper's figures and a plain predictor
runs: int = None  # runs of each method
seed: int = None  # master seed
fresh: bool = False  # run anew although there is a record

# %%
from nasrepro.notebook import run_here

folder, record = run_here("delta_search", globals())

# %% [markdown]
# ## Edit distance to the optimum (Figures 4a, 5a)

# %%
from nasrepro.report import overview as tables
from nasrepro.report.delta import figure_4_5 as delta_search_figures

delta_search_figures.distance_figure(folder, record)

# %% [markdown]
# ## Test accuracy (Figures 4b, 5b)

# %%
delta_search_figures.accuracy_figure(folder, record)

# %%
delta_search_figures.search_table(record, "evaluations")

# %% [markdown]
# ## At equal numbers of labels, those for training included

# %%
delta_search_figures.search_table(record, "labels")

# %%
delta_search_figures.comparison_table(record)

# %% [markdown]
# ## Where the numbers come from

# %%
tables.run_table(record)
