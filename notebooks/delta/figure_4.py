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
# # Figure 4: search on NAS-Bench-101
#
# Delta-NAS walks. A population of random cells looks at all its one-edit neighbours, a predictor of *differences* says by how much each is better, and every member
# moves to the most promising one (Algorithm 2). The paper holds this against five searches on NAS-Bench-101 (50 runs each) and reports that it comes nearer to the best
# cell (Figure 4a) and reaches a higher test accuracy (Figure 4b), sooner than all of them. The figures print no numbers, so [our claims](../index.ipynb) are about what the text says of them.

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

page = Page(figure_4_5.given_on("nb101", globals()), "delta.figure4", "delta.steps.cross")
page.glue(
    figure_4_5.numbers(page.runs, "nb101")
    | training_sets.numbers(page.runs, "nb101")
    | steps.numbers("delta.steps.cross", page.runs)
)

# %% [markdown]
# ## What is counted
#
# - **Label.** Without the official file there is no validation accuracy of most cells: what is searched, and reported, is the mean test accuracy of three trainings
#   after 108 epochs. So no method here has to pick by a noisy validation accuracy, as those of SEP have to.
# - **Evaluations**, as the paper counts: distinct cells whose label the search has read. Delta-NAS needs no label in order to walk; we evaluate every member of the population
#   after each move. The first population is not evaluated.
# - **Labels**, all of them: the predictor was trained before the search. These labels come first on this axis, and the best of them may be returned. The paper leaves them out.
# - **Training sets.** The paper speaks of 1 % and 10 % of the space, which are 4,236 and 42,362 labels here, and in Algorithm 1 of Zen-scores, which cost no label. The curves are those of
#   {glue:text}`delta_search.nb101.parameters.training_labels` labels, our choice and not the paper's; [a table](training-sets-nb101) has all four.
# - **Edit distance** to the best cell of the table, exact graph edit distance, which is also SEP's fixed target. Of the population's average, and of the best cell so far.
# - {glue:text}`delta_search.nb101.parameters.runs` runs of {glue:text}`delta_search.nb101.parameters.queries` evaluations. The number of training labels of the curves was set to favour Delta-NAS at equal totals, in a trial with
#   other seeds.
#
# ## Who takes part
#
# As printed
# : The network of section 4.1 on the base cell and the signed difference, trained on pairs drawn as Algorithm 1 says (two labels a pair). Every member moves, even if all
#   predicted gains are negative. When a step leads to no new cell, a new population is drawn (section 4.2 speaks of resampling; the algorithm has only a "convergence
#   condition"). With population 100, as in SEP, and 256, as in the appendix.
#
# Cheaper pairs
# : Several neighbours around each training cell: nearly twice as many pairs from the same labels.
#
# Sensible
# : Cheaper pairs; a member moves only if the predicted gain is positive, and never to a cell whose label is known; the 20 best cells so far are always among those that move,
#   those of the training labels included; a member with nowhere to go is replaced by a random one. *Retrained* also learns from the labels of its own search. With a Gaussian process instead of the network, also of differences only.
#
# Plain predictor
# : The same Gaussian process as an ordinary predictor of accuracy, from as many labels of random cells. It walks like Delta-NAS, or just names the best cells of the space.
#
# The others
# : Regularised evolution with SEP's settings (population 100, tournament 10), with shortest-edit-path crossover, with standard crossover, and without; random search;
#   REINFORCE over independent choices; local search, which is what Algorithm 2 becomes when it looks at labels instead of predictions.
#
# {src}`nasrepro/delta/search.py`, {src}`nasrepro/search/crossover.py`, {src}`nasrepro/search/reinforce.py` and {src}`nasrepro/experiments/delta/contestants.py` have it all.
#
# (delta-figure-4a)=
# ## Figure 4a: edit distance

# %%
figure_4_5.figure("distance", "nb101", page.runs)

# %% [markdown]
# (delta-figure-4b)=
# ## Figure 4b: test accuracy

# %%
figure_4_5.figure("accuracy", "nb101", page.runs)

# %%
figure_4_5.search_table("nb101", "evaluations", page.runs)

# %% [markdown]
# Of the five other methods of the paper's figure, as the paper counts, {glue:text}`delta_search.nb101.delta_literal.claims.as_accurate.mean:.0f` end at least as high as Delta-NAS as printed, and
# {glue:text}`delta_search.nb101.delta_literal.claims.as_close.mean:.0f` are as near to the optimum on average; of the retrained variant the same numbers are
# {glue:text}`delta_search.nb101.delta_retrain.claims.as_accurate.mean:.0f` and {glue:text}`delta_search.nb101.delta_retrain.claims.as_close.mean:.0f`. Delta-NAS as printed is {glue:text}`delta_search.nb101.delta_literal.best_other:behind` the best of the five.
# With a perfect predictor the walk is {glue:text}`delta_search.nb101.delta_oracle.best_other:ahead of` it: it ends {glue:text}`delta_search.nb101.delta_oracle.claims.accuracy_ahead.mean:+.3f` points from that.
#
# (training-sets-nb101)=
# ## By training set
#
# The best training cell is what the training labels hold without any search. A plain predictor is a Gaussian process fitted to the accuracies of random cells, or gradient-boosted trees
# where it has more than 5,000 labels; its best cells are evaluated one after the other.

# %%
training_sets.accuracy_table("nb101", page.runs)

# %% [markdown]
# The paper says that none of the five others is as accurate at the end, as near to the optimum over the curve, or as fast to what evolution with SEP crossover has at the end. In the table
# below that is 0, 0 and 0, a positive lead in accuracy and a negative one in edits. A method that never reaches that level is as fast as nobody. The p-values are those of a two-sided
# Mann-Whitney test, Holm-adjusted over all rivals of the row.

# %%
training_sets.claims_table("nb101", page.runs)

# %% [markdown]
# Zen-scores are known of 10,250 cells; those pairs both of whose cells are among them are learnt of.
#
# As printed and counted as the paper counts, Delta-NAS ends at {glue:text}`delta_search.nb101.100.delta_literal.test.mean:.3f` % with 100 labels, {glue:text}`delta_search.nb101.1pct.delta_literal.test.mean:.3f` % with 1 %,
# {glue:text}`delta_search.nb101.10pct.delta_literal.test.mean:.3f` % with 10 % and {glue:text}`delta_search.nb101.zen.delta_literal.test.mean:.3f` % with Zen-scores. Random search ends at
# {glue:text}`delta_search.nb101.100.random.test.mean:.3f` %, evolution with SEP crossover at {glue:text}`delta_search.nb101.100.evolution_sep.test.mean:.3f` %. By the tests of the table,
# Delta-NAS is {glue:text}`delta_search.nb101.100.against.random:ahead of` random search with 100 labels, {glue:text}`delta_search.nb101.1pct.against.random:ahead of` it with 1 %,
# {glue:text}`delta_search.nb101.10pct.against.random:ahead of` it with 10 % and {glue:text}`delta_search.nb101.zen.against.random:ahead of` it with Zen-scores. It is
# {glue:text}`delta_search.nb101.1pct.against.plain_ranking:behind` a plain predictor with 1 % and {glue:text}`delta_search.nb101.10pct.against.plain_ranking:behind` it with 10 %. The best cells of a plain predictor with as many labels have
# {glue:text}`delta_search.nb101.1pct.plain_ranking.test.mean:.3f` % at 1 % and {glue:text}`delta_search.nb101.10pct.plain_ranking.test.mean:.3f` % at 10 %. With Zen-scores the population is {glue:text}`delta_search.nb101.zen.nearer:nearer to` the best cell than that of the nearest other method:
# {glue:text}`delta_search.nb101.zen.delta_literal.claims.distance_ahead.mean:+.2f` [{glue:text}`delta_search.nb101.zen.delta_literal.claims.distance_ahead.low:.2f`, {glue:text}`delta_search.nb101.zen.delta_literal.claims.distance_ahead.high:.2f`] edits over the curve (below 0 is nearer). The three training sets of the paper have
# {glue:text}`delta_search.nb101.1pct.parameters.runs` runs each, for want of time; the paper has 50.
#
# ## At equal numbers of labels
#
# After {glue:text}`delta_search.nb101.last` labels in all, those for training included, three variants are held against four rivals. Ahead and behind are said where a two-sided
# Mann-Whitney test, Holm-adjusted over all comparisons, has p below 0.05; the second table below has the differences and the p-values.
#
# Delta-NAS as printed is {glue:text}`delta_search.nb101.delta_literal.against.evolution_sep:behind` evolution with SEP crossover,
# {glue:text}`delta_search.nb101.delta_literal.against.local_search:behind` local search,
# {glue:text}`delta_search.nb101.delta_literal.against.plain_ranking:behind` the best cells of a plain predictor and
# {glue:text}`delta_search.nb101.delta_literal.against.plain_sensible:behind` the sensible walk with a plain predictor.
#
# The sensible variant is {glue:text}`delta_search.nb101.delta_sensible.against.evolution_sep:behind` evolution with SEP crossover,
# {glue:text}`delta_search.nb101.delta_sensible.against.local_search:not told apart from` local search,
# {glue:text}`delta_search.nb101.delta_sensible.against.plain_ranking:not told apart from` the best cells of a plain predictor and
# {glue:text}`delta_search.nb101.delta_sensible.against.plain_sensible:not told apart from` the sensible walk with a plain predictor.
#
# The sensible variant that is retrained in the search is {glue:text}`delta_search.nb101.delta_retrain.against.evolution_sep:behind` evolution with SEP crossover,
# {glue:text}`delta_search.nb101.delta_retrain.against.local_search:not told apart from` local search,
# {glue:text}`delta_search.nb101.delta_retrain.against.plain_ranking:not told apart from` the best cells of a plain predictor and
# {glue:text}`delta_search.nb101.delta_retrain.against.plain_sensible:not told apart from` the sensible walk with a plain predictor.

# %%
figure_4_5.search_table("nb101", "labels", page.runs)

# %%
figure_4_5.comparison_table("nb101", page.runs)

# %% [markdown]
# Local search reads labels where Delta-NAS predicts differences. It is at {glue:text}`delta_search.nb101.local_search.labels.test.first:.3f` % after
# {glue:text}`delta_search.nb101.first` labels, {glue:text}`delta_search.nb101.local_search.first:above` Delta-NAS as printed with {glue:text}`delta_search.nb101.delta_literal.labels.test.first:.3f` %. The Gaussian process of differences ends at
# {glue:text}`delta_search.nb101.delta_gp.labels.test.last:.3f` %, {glue:text}`delta_search.nb101.differences:below` the same one of accuracies on the same walk, which ends at {glue:text}`delta_search.nb101.plain_sensible.labels.test.last:.3f` %.
#
# ## What the text leaves open
#
# - **T = 96,000.** The appendix gives a population of 256 and "T = 96k" evolutionary iterations. These cannot be evaluations: one step of 256 members is 256 of them, and the whole of
#   NAS-Bench-201 has 15,625 cells. We take it for calls of the predictor.
# - **What is returned.** Algorithm 2 returns the best of the last population, but a predictor of differences gives no member a score. We return the best that was evaluated.
# - **A walk that cannot stand still.** A member at a predicted optimum has to leave it, and goes to and fro from then on. Keeping what was found costs nothing.
# - **Neighbours.** Edits are those of the fixed form of 7 vertices, which may drop vertices but not bring unused ones into use.
# - **All hyper-parameters constant.** Section 5.3 says that those of evolution and of the modified version are the same; the appendix gives 256 for the population, SEP has 100. Both are here.
# - **Larger spaces.** The caption of Figure 5 speaks of "larger search spaces"; NAS-Bench-201, which it shows, is the smaller of the two.
#
# ## The step in a few lines
#
# SEP crossover makes half of the edits of a shortest path from one parent to the other. Standard crossover takes each field of the code from either parent.

# %%
steps.code("delta.steps.cross", page.runs)

# %%
steps.result("delta.steps.cross", page.runs)

# %% [markdown]
# The parents are {glue:text}`step.edit path.a to b:d` edits apart. A child on the edit path is {glue:text}`step.edit path.from a:.2f` edits from the one and {glue:text}`step.edit path.to b:.2f` from the other on average, a standard child {glue:text}`step.standard.from a:.2f` and {glue:text}`step.standard.to b:.2f`.
#
# ## Answered twice

# %%
page.answers("delta.fig4", "Figure 4 of Delta-NAS")

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
# nasrepro notebook delta/figure_4 mine.ipynb -p runs=5
# ```
#
# Zen-scores of a smaller share of the space, which cost no label:
#
# ```bash
# nasrepro notebook delta/figure_4 mine.ipynb -p methods=printed -p trained_on=zen -p training_labels=1000 -p runs=5
# ```
