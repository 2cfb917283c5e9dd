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
# # Two ideas for architecture search, run again
#
# This book rebuilds, from nothing, the results of two papers on neural architecture search. The first, **DiNAS**, draws good cells from a
# graph diffusion model that is steered towards a wanted accuracy. The second, **Delta-NAS**, learns the *difference* in accuracy between two
# cells one edit apart. Each printed number of theirs is held against a number of our own where one could be made, by a run that you can repeat with one command.

# %% tags=["remove-input"]
from nasrepro.notebook import Page
from nasrepro.report import evidence

page = Page(globals(), "dinas", "delta")
page.glue(evidence.front_page_numbers(page.runs))

# %% [markdown]
# ## What we found
#
# Two questions are asked of every printed number of the two methods. *As printed*: what does the method give when it is run as the paper and its public code describe it? *Ours*: what does the best variant give that
# we know? Only the first gets a verdict. Where a plain method can be run on the same labels, its number stands beside both as a control. What was not run says so. A statement that compares methods is its own control.
#
# **DiNAS**
#
# - **As printed, on NAS-Bench-201, CIFAR-10.** The network of the public code was trained by its recipe, with batches of 16 and two classes as the text has them, for {glue:text}`letter.parameters.epochs:d` of the printed 100 epochs. The best of
#   {glue:text}`letter.parameters.queries:d` samples has {glue:text}`letter.dinas.paper.best_valid.mean:.3f` % validation accuracy, as a mean over {glue:text}`letter.parameters.runs:d` runs of one training; 91.61 % is printed. Verdict:
#   {glue:text}`letter.verdict:s`. In as many runs the uniform draw from the labelled top class has {glue:text}`letter.top_class.paper.best_valid.mean:.3f` %, and regularised evolution, which reads no label beforehand, {glue:text}`letter.evolution.paper.best_valid.mean:.3f` %.
#   DiNAS is {glue:text}`front.letter.top_class:level with` the same draw in {glue:text}`cifar10.top_class.paper.best_valid.n:d` runs ({glue:text}`cifar10.top_class.paper.best_valid.mean:.3f` %) and {glue:text}`front.letter.evolution:level with` that evolution ({glue:text}`cifar10.evolution.paper.best_valid.mean:.3f` %; [Table 2](dinas/table_2.ipynb)). The samples of DiNAS are valid in
#   {glue:text}`letter.dinas.paper.validity.mean:.1%` of the cases, and {glue:text}`letter.dinas.paper.distinct_valid.mean:.0f` of the {glue:text}`letter.parameters.queries:d` queries of a run are distinct cells. This run answers for two classes in [Table 8](dinas/table_8.ipynb) too.
#   {glue:text}`front.nothing_else:Nothing else of DiNAS was` trained as printed; each table says what that would cost.
# - **Ours {glue:text}`front.best_cells:finds the best cells of 1 of 3 data sets`, with all labels in hand.** A small network {glue:text}`front.cifar10:reaches` the optimum of CIFAR-10, {glue:text}`front.cifar100:reaches` that of CIFAR-100
#   and {glue:text}`front.imagenet16-120:comes near` that of ImageNet16-120, in validation accuracy. The uniform draw {glue:text}`front.draw:finds less on each` of the three ([Table 2](dinas/table_2.ipynb)). Every label had been read.
#   On CIFAR-10 training on [{glue:text}`few.parameters.labelled:d` labels](dinas/ablations/labels.ipynb) brings it {glue:text}`front.few:next to the best cell` as well. A Gaussian process {glue:text}`front.gp:finds the best cell` of each data set,
#   in half of its runs, with {glue:text}`front.gp_labels:.0f` labels at most.
# - **Under latency bounds the draw {glue:text}`front.latency:is nearly as good`.** In Table 4 ours stands above the uniform draw from the labelled wanted cells in {glue:text}`table4.above:d` of {glue:text}`table4.settings:d` settings, level with it in
#   {glue:text}`table4.level:d` and below it in {glue:text}`table4.below:d`. From {glue:text}`table4.memorised.lowest:.1%` to {glue:text}`table4.memorised.highest:.1%` of its feasible samples stand in the list of wanted cells that it was trained on ([Table 4](dinas/table_4.ipynb)).
# - **Trained for real, its cells are {glue:text}`front.table5.random.better:not better than` random ones.** On CIFAR-10 the cells that ours generated err by {glue:text}`table5.generated.differences.chosen.random.top1_error.mean:+.2f` points {glue:text}`front.table5.random:more` than random cells
#   [{glue:text}`table5.generated.differences.chosen.random.top1_error.low:+.2f`, {glue:text}`table5.generated.differences.chosen.random.top1_error.high:+.2f`] (p = {glue:text}`table5.generated.differences.chosen.random.top1_error.p:.3f`), and by
#   {glue:text}`table5.generated.differences.chosen.darts-v2.top1_error.mean:+.2f` points {glue:text}`front.table5.darts-v2:more` than the one cell DARTS-V2 in several trainings (p = {glue:text}`table5.generated.differences.chosen.darts-v2.top1_error.p:.3f`). Neither p is corrected for several tests. The networks are small and the trainings short ([Table 5](dinas/table_5.ipynb)).
# - **{glue:text}`front.collapsed:Two models of ours collapsed`.** On NAS-Bench-NLP {glue:text}`nlp.dinas.generations.uniqueness.mean:.2%` of the valid ones of 2,000 samples are unique; 97.57 % is printed. Its wanted class is a list of few cells ([Table 6](dinas/table_6.ipynb)). After training on 1,000 architectures of NAS-Bench-301,
#   {glue:text}`fewest.dinas.paper.failed_runs:d` of {glue:text}`fewest.all_runs:d` runs had no valid sample; the paper prints one such run in ten. Ours was trained for {glue:text}`fewest.parameters.epochs:d` epochs in batches of {glue:text}`fewest.parameters.batch_size:d`, where the printed recipe has 100 in batches of 16. With as many steps as for 10,000 architectures no run fails, and hardly a sample is unique ([Table 7](dinas/table_7.ipynb)).
# - **Guidance {glue:text}`front.guidance:buys quality with` variety and validity.** [How much](dinas/ablations/guidance.ipynb) the paper does not show.
#
# **Delta-NAS**
#
# - **What its Table 1 gives {glue:text}`front.depends:depends on how it is read`.** The paper leaves the predictor of differences open. Trained on differences of accuracy, as printed, on 1 % of NAS-Bench-201, three readings have a Kendall tau from {glue:text}`evidence.doa.nb201.1pct.lowest:.3f` to
#   {glue:text}`evidence.doa.nb201.1pct.highest:.3f`, and 0.759 is printed; on 10 % from {glue:text}`evidence.doa.nb201.10pct.lowest:.3f` to {glue:text}`evidence.doa.nb201.10pct.highest:.3f`, and 0.832 is printed.
#   Trained on differences of Zen-scores, which Algorithm 1 names, it has {glue:text}`evidence.doa.zen.1pct:.3f` and {glue:text}`evidence.doa.zen.10pct:.3f`. On TransNAS-Bench-101 {glue:text}`front.below.tnb101:every reading is below` the printed values.
#   On 1 % of NAS-Bench-101 (4,236 labels), too, {glue:text}`front.below.nb101:every reading is below` the printed value
#   ([Table 1](delta/table_1.ipynb), [the difference](delta/difference.ipynb)).
# - **A predictor that is given accuracies and zero-cost scores of all labelled cells {glue:text}`front.better:does better`.** It is then a predictor of accuracy, used to subtract ([the difference](delta/difference.ipynb)).
# - **Walking along predicted differences {glue:text}`front.faster:is not faster here`.** With predictors trained on 100 labels, evolution with shortest-edit-path crossover and plain local search {glue:text}`front.ahead:end ahead of` Algorithm 2 as printed after {glue:text}`delta_search.nb201.zen.parameters.queries:d` evaluations.
#   With 10 % of the labels of NAS-Bench-201 it is {glue:text}`front.evolution:still behind` that evolution, and {glue:text}`front.plain:behind` a plain predictor with the same labels. It {glue:text}`front.zen:does best there` with Zen-scores and no label:
#   {glue:text}`delta_search.nb201.zen.delta_literal.test.mean:.3f` % after {glue:text}`delta_search.nb201.zen.parameters.queries:d` evaluations. Random search has {glue:text}`delta_search.nb201.zen.random.test.mean:.3f` % there and that evolution {glue:text}`delta_search.nb201.zen.evolution_sep.test.mean:.3f` %.
#   {glue:text}`front.confirmed:One panel holds` in one of its readings: on NAS-Bench-101, with Zen-scores, the population is {glue:text}`front.nearer:nearer to` the best cell than that of any of the five other methods of Figure 4a
#   ({glue:text}`delta_search.nb101.zen.delta_literal.claims.distance_ahead.mean:+.2f` edits on average over the curve, {glue:text}`delta_search.nb101.zen.parameters.runs:d` runs); in accuracy it is {glue:text}`front.zen.accuracy:behind` the best of them ([Figure 4](delta/figure_4.ipynb), [Figure 5](delta/figure_5.ipynb)).
# - **{glue:text}`front.grows:The loss grows beyond one edit`**, as Figure 3 has it, in all three spaces. That it plateaus {glue:text}`front.plateau:is contradicted` on NAS-Bench-101 ([Figure 3](delta/figure_3.ipynb)).
#
# The later version of DiNAS, in Transactions on Machine Learning Research 2024, prints the same values where both are known to us (NAS-Bench-101 validation, the row of DiNAS in Table 2, NAS-Bench-301). Its abstract no longer claims to introduce
# classifier-free guidance for graphs. The verdicts here are on the draft.
#
# ## The claims

# %% tags=["remove-input"]
evidence.claims()

# %% [markdown]
# How to read a verdict. Verdicts are given to runs as printed alone, and by their whole 95 % interval; a count of methods has none and is judged as it is.
#
# reproduced
# : the interval lies within the tolerance of the printed value. Tolerances are written in `data/claims.yml`, each with its reason.
#
# better, worse
# : the interval lies outside the tolerance, on that side.
#
# confirmed, contradicted
# : the interval lies on the side of a bound that the statement names, or on the other; where a number is stated to be about another, within the tolerance or wholly outside.
#
# undecided
# : the interval lies on both sides. The note says how many runs would decide it. *Undecided (trained less)*: a shorter run, or one with fewer labels than printed, fell short.
#
# depends on the reading
# : the paper leaves a choice open, and the readings disagree.
#
# cannot be reached
# : the printed value is beyond the best of the table.
#
# not comparable
# : there is a run, but the two numbers do not measure the same thing.
#
# not run
# : there is no committed record of a run as printed. The page of the table has the cost and the command.
#
# *Ours* has no verdict. It stands above, level with or below the printed value and its control: level where one mean lies in the other's interval. The interval is a 95 % bootstrap interval of the mean, over trainings and over the runs
# within them; with one training it covers the sampling alone. `nasrepro claims --json` prints the answers for machines.
#
# ## What to look at
#
# - In a hurry: the table above, then [what the model has seen](#what-the-model-has-seen), which says what the good numbers do and do not show.
# - To understand: [the method](method.ipynb), each step with a link to the code that does it.
# - To check: each page of a table ends with the runs that it shows, each with the commit, the checksum of the data, the seeds and the command that repeats it. A page is its notebook: its code is above each table.
# - To doubt: [how sure the differences are](dinas/statistics.ipynb), [what was run before what you see](generations.ipynb), and [notes on the printed numbers](errata.ipynb).
# - To run something of your own: [your runs](runs.ipynb). To run everything: [what it costs](rerun.ipynb).
#
# ## Run it again
#
# ```bash
# make book    # set up, run DiNAS once here, build this book with it
# make read    # only build and open this book; needs no torch
# ```
#
# One experiment by itself, with parameters of your choosing:
#
# ```bash
# nasrepro run nb201 -p dataset=cifar100 --profile laptop
# ```
#
# ## The two papers
#
# - *Multi-conditioned Graph Diffusion for Neural Architecture Search* (DiNAS). We follow the text of the version submitted to ICLR 2024; a
#   later version appeared in Transactions on Machine Learning Research, arXiv 2403.06020. The authors' code is `rohanasthana/DiNAS`.
# - *Delta-NAS*: its authors have not published code.
#
# See [the data](data.ipynb) for the benchmarks, their files, licences and limits.
