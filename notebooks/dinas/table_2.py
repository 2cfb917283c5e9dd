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
# # Table 2: NAS-Bench-201
#
# The paper's Table 2 searches NAS-Bench-201 with 192 queries and prints the best validation accuracy found and the test accuracy of that cell,
# as means over 10 runs. Below stand the printed rows and ours for each of the three data sets. First, what the numbers mean.

# %% tags=["parameters", "hide-input"]
dataset: str = None  # cifar10, cifar100 or imagenet16-120
guidance_scale: float = None  # gamma of Eq. 5
profile: str = None  # smoke, laptop or full; without any parameter the committed records are shown
fresh: bool = None  # run anew although there is a record

# %% tags=["hide-input"]
from nasrepro.notebook import Page
from nasrepro.report import evidence, steps
from nasrepro.report.dinas import ablations, table_1_2

page = Page(globals(), "dinas.table2", "dinas.steps.noise")
page.glue(table_1_2.numbers(page.runs) | steps.numbers("dinas.steps.noise", page.runs))

# %% [markdown]
# (what-the-model-has-seen)=
# ## What the model has seen
#
# **DiNAS reads the validation accuracy of all 15,625 cells before its first query.** The model is trained on all of them, and the
# threshold of its wanted class, the 95th percentile, is a percentile over all of them. The best cell of the training data already *is* the optimum
# of the benchmark: whoever holds these labels can name it with no query at all. The 192 queries that the table counts come on top. Random search
# and evolution read nothing beforehand. So the table compares how well a generator reproduces the best of what it was shown. It does not
# compare how cheaply a search finds something new.
#
# The fair control is therefore not random search over the whole space but **a uniform draw from the labelled top class**: take the 780 or so cells above the 95th percentile and draw 192 times among them blindly, with replacement. It has read the same labels and needs no network. What DiNAS gains over that row is what
# guidance adds, by concentrating on the upper end of the class. On CIFAR-10 the control reaches
# {glue:text}`nb201-cifar10.top_class.paper.best_valid.mean:.2f` % and ours {glue:text}`nb201-cifar10.dinas.paper.best_valid.mean:.2f` %; the optimum is
# {glue:text}`nb201-cifar10.optimum.valid:.3f` %.
#
# A search that reads nothing beforehand is not behind. What a practitioner would take today, a Gaussian process on a few features of the cells
# ({src}`nasrepro/search/gaussian_process.py#PractitionerGP`), stands at the optimum of CIFAR-10 in {glue:text}`nb201-cifar10.rerun.gp.paper.at_optimum:d` of
# {glue:text}`nb201-cifar10.rerun.gp.paper.runs:d` runs, of CIFAR-100 in {glue:text}`nb201-cifar100.rerun.gp.paper.at_optimum:d`, of ImageNet16-120 in
# {glue:text}`nb201-imagenet16-120.rerun.gp.paper.at_optimum:d`, all with 192 labels in all; in half of its runs it had the optimum after
# {glue:text}`nb201-cifar10.rerun.gp.paper.median_labels_to_optimum:.0f`, {glue:text}`nb201-cifar100.rerun.gp.paper.median_labels_to_optimum:.0f` and
# {glue:text}`nb201-imagenet16-120.rerun.gp.paper.median_labels_to_optimum:.0f` labels. Its best validation accuracies are
# {glue:text}`nb201-cifar10.rerun.gp.paper.best_valid.mean:.3f`, {glue:text}`nb201-cifar100.rerun.gp.paper.best_valid.mean:.3f` and
# {glue:text}`nb201-imagenet16-120.rerun.gp.paper.best_valid.mean:.3f` %; those of DiNAS, with its 15,625 labels beforehand,
# {glue:text}`nb201-cifar10.dinas.paper.best_valid.mean:.3f`, {glue:text}`nb201-cifar100.dinas.paper.best_valid.mean:.3f` and
# {glue:text}`nb201-imagenet16-120.dinas.paper.best_valid.mean:.3f` %. Even regularised evolution, which fits nothing, reaches
# {glue:text}`nb201-cifar10.rerun.evolution.paper.best_valid.mean:.3f`, {glue:text}`nb201-cifar100.rerun.evolution.paper.best_valid.mean:.3f` and
# {glue:text}`nb201-imagenet16-120.rerun.evolution.paper.best_valid.mean:.3f` %. On this benchmark, then, the table shows that the generator works. It does not show
# that one should search this way. The features and settings of the Gaussian process were chosen by us after a look at these tables, as
# [those of DiNAS were](#how-the-settings-were-chosen).
#
# ## The step in a few lines
#
# Training shows the network cells under noise, and asks for the cells without it (Equations 1 and 2). Here exact probabilities of all 15,625 cells stand in the place of
# the network, so the lines run in a moment.

# %%
steps.code("dinas.steps.noise", page.runs)

# %%
steps.result("dinas.steps.noise", page.runs)

# %% [markdown]
# At time 250 {glue:text}`step.250.noisy:.0%` of the nodes are as they were under noise, and {glue:text}`step.250.restored:.0%` when restored; at time 450 it is {glue:text}`step.450.noisy:.0%` and {glue:text}`step.450.restored:.0%`. The two terminals, the same in every
# cell, count among the eight nodes.
#
# ## Answered twice

# %%
page.answers("dinas.table2.", "Table 2 of DiNAS")

# %% [markdown]
# The run as printed on CIFAR-10 was trained in several sittings, and its record counts the seconds of the last one only: those of a sitting that was killed were not kept at the time. Its other numbers do
# not depend on that, as a resumed training takes the same steps.
#
# ### Where text and code differ
#
# A run as printed follows one of the two; the table says which. What a choice changes in sampling alone was run both ways.

# %%
evidence.conflicts_table()

# %% [markdown]
# ## What counts as a query
#
# In the paper each sample is a query: it is looked up whether or not the same cell was looked up before, and an invalid sample uses up its
# query too. A strongly guided model repeats itself, so 192 queries can be far fewer *different* cells. We print both protocols.
#
# Paper
# : the first 192 samples are the queries. Invalid ones count and score nothing.
#
# Distinct
# : sampling goes on until 192 distinct valid cells have been queried, or until a cap on the number of draws.
#
# Beside each row stand the number of distinct valid cells that were really queried, the share of valid samples, and the number of labels read before
# the search. On CIFAR-10 the paper's protocol queries {glue:text}`nb201-cifar10.dinas.paper.distinct_valid.mean:.0f` distinct cells per run, on
# CIFAR-100 {glue:text}`nb201-cifar100.dinas.paper.distinct_valid.mean:.0f`, on ImageNet16-120
# {glue:text}`nb201-imagenet16-120.dinas.paper.distinct_valid.mean:.0f`; the shares of valid samples are
# {glue:text}`nb201-cifar10.dinas.paper.validity.mean:.1%`, {glue:text}`nb201-cifar100.dinas.paper.validity.mean:.1%` and
# {glue:text}`nb201-imagenet16-120.dinas.paper.validity.mean:.1%`. Where the distinct cells are few, guidance has
# narrowed the model to a few favourites: that helps in this table, where one excellent cell is enough, and hurts whoever wants a choice.
#
# ## CIFAR-10

# %%
table_1_2.search_table("nb201-cifar10", page.runs)

# %%
table_1_2.efficiency_table("nb201-cifar10", page.runs)

# %%
table_1_2.curve("nb201-cifar10", page.runs)

# %%
table_1_2.cells("nb201-cifar10", page.runs)

# %% [markdown]
# The printed test accuracy, 94.37 %, is the largest of the whole benchmark. In means over seeds, which is how all numbers here are
# taken, the cell with the best validation accuracy is also the one with the best test accuracy:
# {glue:text}`nb201-cifar10.optimum.test_of_it:.2f` %. So whoever finds the validation optimum in each run prints just this.
#
# ## CIFAR-100

# %%
table_1_2.search_table("nb201-cifar100", page.runs)

# %%
table_1_2.efficiency_table("nb201-cifar100", page.runs)

# %%
table_1_2.curve("nb201-cifar100", page.runs)

# %%
table_1_2.cells("nb201-cifar100", page.runs)

# %% [markdown]
# Here, too, the printed test accuracy (73.51 %) is the largest of the benchmark, and the validation optimum has it:
# {glue:text}`nb201-cifar100.optimum.test_of_it:.2f` %.
#
# ## ImageNet16-120

# %%
table_1_2.search_table("nb201-imagenet16-120", page.runs)

# %%
table_1_2.efficiency_table("nb201-imagenet16-120", page.runs)

# %%
table_1_2.curve("nb201-imagenet16-120", page.runs)

# %%
table_1_2.cells("nb201-imagenet16-120", page.runs)

# %% [markdown]
# Two printed values need a word. The printed optimum of the validation column is 46.77 %; with accuracies averaged over all published seeds
# (two or three per cell) it is {glue:text}`nb201-imagenet16-120.optimum.valid:.3f` %. Older releases of the benchmark hold more cells with a single seed, whose best
# can lie higher by chance. And the printed test accuracy of DiNAS is 45.41 %, about a point below that of AG-Net (46.43 %), although its validation accuracy is
# higher by 0.02. Here the validation optimum tests at only {glue:text}`nb201-imagenet16-120.optimum.test_of_it:.2f` %, while the best test accuracy of any cell
# is {glue:text}`nb201-imagenet16-120.optimum.best_test:.2f` %: a better search for validation accuracy ends at a *lower* test accuracy. We report the test column and do not
# chase it.
#
# ## Other settings
#
# The paper does not print its guidance scale; its public code runs 3. Nor does it show what guidance costs. The stronger it is, the more the
# samples crowd on few cells, and the more of them are no cells at all.

# %%
ablations.settings_table(page.runs)

# %% [markdown]
# The denoiser `paper` is the network of the paper, in this table without two choices of the public code (one-hot inputs, and the noisy cell added to the output); `default` is ours, smaller and made for speed (see [the method](../method.ipynb)).
#
# (how-the-settings-were-chosen)=
# ## How our settings were chosen
#
# We looked before we fixed them. Width of the network, epochs, learning rate, guidance scale and number of reverse steps of the `laptop`
# profile were picked after about a dozen trial trainings on these same three tables, with other seeds than those shown here. What was changed
# after committed runs stands on the page of earlier generations. Labels that we read while choosing are in no ledger, and a user of a new benchmark would not have them.

# %% [markdown]
# ## Where the numbers come from

# %% tags=["hide-input"]
page.sources()
