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
# # Figure 5: search on NAS-Bench-201
#
# The same searches on NAS-Bench-201, whose cells have six places for one of five operations. Who takes part and how it is counted is said on
# [the page of Figure 4](figure_4.ipynb); what is different here:

# %% tags=["parameters", "hide-input"]
queries: int = None  # distinct cells that a search evaluates
training_labels: int = None  # cells that a predictor is trained on before the search
trained_on: str = None  # accuracy, or zen for the Zen-scores of Algorithm 1, with methods=printed
methods: str = None  # all, or printed for the lines of the figures of the paper and a plain predictor
runs: int = None  # runs of each method
profile: str = None  # smoke, laptop or full; without any parameter the committed records are shown
fresh: bool = None  # run anew although there is a record

# %% tags=["hide-input"]
from nasrepro.notebook import Page
from nasrepro.report import steps
from nasrepro.report.delta import figure_4_5, training_sets

page = Page(figure_4_5.given_on("nb201", globals()), "delta.figure5", "delta.steps.move")
page.glue(
    figure_4_5.numbers(page.runs, "nb201")
    | training_sets.numbers(page.runs, "nb201")
    | steps.numbers("delta.steps.move", page.runs)
)

# %% [markdown]
# - **Label.** Searches look at CIFAR-10 validation accuracy (200 epochs, mean over seeds), and what is reported is the test accuracy of the cell that is best by it. The paper names no data
#   set. The three trainings of a cell are averaged, so that labels carry little noise.
# - **Edit distance** is the number of places in which two cells differ, between 0 and 6; two random cells differ in 4.8 on average. Cells that compute the same function can be far apart.
# - **Baselines.** SEP has no experiment on this space, so those of the paper must be reruns of its own, of which it says nothing. Ours use SEP's settings; a mutation changes each place
#   with probability 1/6, and an edit path changes the places in which the parents differ.
# - {glue:text}`delta_search.nb201.parameters.runs` runs of {glue:text}`delta_search.nb201.parameters.queries` evaluations. The curves are those of {glue:text}`delta_search.nb201.parameters.training_labels` labels for training, our choice. 1 % and 10 % of
#   this space, of which the paper speaks, are 156 and 1,563 labels; [a table](training-sets-nb201) has them, and Zen-scores.
#
# (delta-figure-5a)=
# ## Figure 5a: edit distance

# %%
figure_4_5.figure("distance", "nb201", page.runs)

# %% [markdown]
# (delta-figure-5b)=
# ## Figure 5b: test accuracy

# %%
figure_4_5.figure("accuracy", "nb201", page.runs)

# %%
figure_4_5.search_table("nb201", "evaluations", page.runs)

# %% [markdown]
# Of the five other methods of the paper's figure, as the paper counts, {glue:text}`delta_search.nb201.delta_literal.claims.as_accurate.mean:.0f` end at least as high as Delta-NAS as printed, and
# {glue:text}`delta_search.nb201.delta_literal.claims.as_close.mean:.0f` are as near to the optimum on average; of the retrained variant the same numbers are
# {glue:text}`delta_search.nb201.delta_retrain.claims.as_accurate.mean:.0f` and {glue:text}`delta_search.nb201.delta_retrain.claims.as_close.mean:.0f`. Delta-NAS as printed is {glue:text}`delta_search.nb201.delta_literal.best_other:behind` the best of the five.
# With a perfect predictor the walk is {glue:text}`delta_search.nb201.delta_oracle.best_other:level with` it: it ends {glue:text}`delta_search.nb201.delta_oracle.claims.accuracy_ahead.mean:+.3f` points from that.
#
# (training-sets-nb201)=
# ## By training set
#
# The best training cell is what the training labels hold without any search. A plain predictor is a Gaussian process fitted to the accuracies of random cells, or gradient-boosted trees
# where it has more than 5,000 labels; its best cells are evaluated one after the other.

# %%
training_sets.accuracy_table("nb201", page.runs)

# %% [markdown]
# The paper says that none of the five others is as accurate at the end, as near to the optimum over the curve, or as fast to what evolution with SEP crossover has at the end. In the table
# below that is 0, 0 and 0, a positive lead in accuracy and a negative one in edits. A method that never reaches that level is as fast as nobody. The p-values are those of a two-sided
# Mann-Whitney test, Holm-adjusted over all rivals of the row.

# %%
training_sets.claims_table("nb201", page.runs)

# %% [markdown]
# As printed and counted as the paper counts, Delta-NAS ends at {glue:text}`delta_search.nb201.100.delta_literal.test.mean:.3f` % with 100 labels, {glue:text}`delta_search.nb201.1pct.delta_literal.test.mean:.3f` % with 1 %,
# {glue:text}`delta_search.nb201.10pct.delta_literal.test.mean:.3f` % with 10 % and {glue:text}`delta_search.nb201.zen.delta_literal.test.mean:.3f` % with Zen-scores. Random search ends at
# {glue:text}`delta_search.nb201.100.random.test.mean:.3f` %, evolution with SEP crossover at {glue:text}`delta_search.nb201.100.evolution_sep.test.mean:.3f` %. By the tests of the table,
# Delta-NAS is {glue:text}`delta_search.nb201.100.against.random:not told apart from` random search with 100 labels, {glue:text}`delta_search.nb201.1pct.against.random:not told apart from` it with 1 %,
# {glue:text}`delta_search.nb201.10pct.against.random:not told apart from` it with 10 % and {glue:text}`delta_search.nb201.zen.against.random:ahead of` it with Zen-scores. It is
# {glue:text}`delta_search.nb201.1pct.against.plain_ranking:behind` a plain predictor with 1 % and {glue:text}`delta_search.nb201.10pct.against.plain_ranking:behind` it with 10 %. The best of the training cells alone has
# {glue:text}`delta_search.nb201.1pct.delta_literal.evaluations.training_test.mean:.3f` % at 1 % and {glue:text}`delta_search.nb201.10pct.delta_literal.evaluations.training_test.mean:.3f` % at 10 %, and the best cells of a plain predictor with as many labels
# {glue:text}`delta_search.nb201.1pct.plain_ranking.test.mean:.3f` % and {glue:text}`delta_search.nb201.10pct.plain_ranking.test.mean:.3f` %.
#
# ## At equal numbers of labels
#
# After {glue:text}`delta_search.nb201.last` labels in all, those for training included, three variants are held against four rivals. Ahead and behind are said where a two-sided
# Mann-Whitney test, Holm-adjusted over all comparisons, has p below 0.05; the second table below has the differences and the p-values.
#
# Delta-NAS as printed is {glue:text}`delta_search.nb201.delta_literal.against.evolution_sep:behind` evolution with SEP crossover,
# {glue:text}`delta_search.nb201.delta_literal.against.local_search:behind` local search,
# {glue:text}`delta_search.nb201.delta_literal.against.plain_ranking:behind` the best cells of a plain predictor and
# {glue:text}`delta_search.nb201.delta_literal.against.plain_sensible:behind` the sensible walk with a plain predictor.
#
# The sensible variant is {glue:text}`delta_search.nb201.delta_sensible.against.evolution_sep:behind` evolution with SEP crossover,
# {glue:text}`delta_search.nb201.delta_sensible.against.local_search:behind` local search,
# {glue:text}`delta_search.nb201.delta_sensible.against.plain_ranking:behind` the best cells of a plain predictor and
# {glue:text}`delta_search.nb201.delta_sensible.against.plain_sensible:not told apart from` the sensible walk with a plain predictor.
#
# The sensible variant that is retrained in the search is {glue:text}`delta_search.nb201.delta_retrain.against.evolution_sep:behind` evolution with SEP crossover,
# {glue:text}`delta_search.nb201.delta_retrain.against.local_search:behind` local search,
# {glue:text}`delta_search.nb201.delta_retrain.against.plain_ranking:not told apart from` the best cells of a plain predictor and
# {glue:text}`delta_search.nb201.delta_retrain.against.plain_sensible:not told apart from` the sensible walk with a plain predictor.

# %%
figure_4_5.search_table("nb201", "labels", page.runs)

# %%
figure_4_5.comparison_table("nb201", page.runs)

# %% [markdown]
# Local search walks like Delta-NAS, but reads the label of a neighbour where Delta-NAS predicts the difference. After {glue:text}`delta_search.nb201.first` labels in all it has found cells of
# {glue:text}`delta_search.nb201.local_search.labels.test.first:.3f` % test accuracy, {glue:text}`delta_search.nb201.local_search.labels.distance.first:.2f` edits from the optimum on average. In test accuracy that is
# {glue:text}`delta_search.nb201.local_search.first:above` Delta-NAS as printed, which is at {glue:text}`delta_search.nb201.delta_literal.labels.test.first:.3f` % and {glue:text}`delta_search.nb201.delta_literal.labels.distance.first:.2f` edits. The 24 neighbours of a cell are cheap to
# look at here; a predictor that costs {glue:text}`delta_search.nb201.parameters.training_labels` labels has to save more than that.
#
# Does the *difference* matter? The Gaussian process that was told differences only ends at {glue:text}`delta_search.nb201.delta_gp.labels.test.last:.3f` %. That is {glue:text}`delta_search.nb201.differences:below`
# the same one told accuracies on the same walk, which ends at {glue:text}`delta_search.nb201.plain_sensible.labels.test.last:.3f` %. Two things may explain it: the level of a pair is thrown
# away, which is half of what its two labels say, and its cells have to lie next to each other.
#
# ## The step in a few lines
#
# A step of Algorithm 2 moves every member of the population to its neighbour of the largest predicted gain. Here the predictor has a weight for each place of the code, learnt
# from 100 labels.

# %%
steps.code("delta.steps.move", page.runs)

# %%
steps.result("delta.steps.move", page.runs)

# %% [markdown]
# The labelled cells have {glue:text}`step.random.mean:.1f` % on average, the population {glue:text}`step.step 1.mean:.1f` % after one step and {glue:text}`step.step 3.mean:.1f` % after three.
#
# ## Answered twice

# %%
page.answers("delta.fig5", "Figure 5 of Delta-NAS")

# %% [markdown]
# ## Where the numbers come from

# %% tags=["hide-input"]
page.sources()

# %% [markdown]
# ## What to try next
#
# The same searches with a tenth of the runs, shown on this page in the place of ours:
#
# ```bash
# nasrepro notebook delta/figure_5 mine.ipynb -p runs=5
# ```
#
# Zen-scores of a smaller share of the space, which cost no label:
#
# ```bash
# nasrepro notebook delta/figure_5 mine.ipynb -p methods=printed -p trained_on=zen -p training_labels=1000 -p runs=5
# ```
