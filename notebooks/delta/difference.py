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
# # The difference of architectures
#
# Delta-NAS does not predict how accurate an architecture is, but how much more accurate one is than another, a single edit away. This page builds the encoding and the
# data set of Algorithm 1, trains predictors on them, and asks what the difference is worth at equal labels.

# %% tags=["parameters", "hide-input"]
experiment: str = None  # doa, doa_ablation or code_alone; to be given with any of those below
space: str = None  # of doa: nb101, nb201, tnb101 or nb301
trials: int = None  # training sets
star: int = None  # of doa: neighbours of an anchor, where pairs share anchors
profile: str = None  # smoke, laptop or full; without any parameter the committed records are shown
fresh: bool = None  # run anew although there is a record

# %% tags=["hide-input"]
from nasrepro.notebook import Page
from nasrepro.report import steps
from nasrepro.report.delta import difference

page = Page(globals(), "delta.table1", "delta.steps.difference")
page.glue(difference.numbers(page.runs) | steps.numbers("delta.steps.difference", page.runs))

# %% [markdown]
# ## The encoding
#
# Every architecture is written into fixed places, one-hot ({src}`nasrepro/encodings/aligned_form.py`), and the second of a pair minus the first is the signed difference
# ({src}`nasrepro/delta/encoding.py`). The vertices of a cell of NAS-Bench-101 and the nodes of a DARTS cell are numbered by accident; there the second cell is numbered
# so as to differ from the first in the fewest places. What a predictor may see beside the difference is a switch:
#
# - *difference alone*, the reading of section 3. A code then stands for thousands of pairs. How far [the code alone](#code-alone) ranks is a question of its own;
# - *base visible*, the pair of section 4.1 and Figure 2, and our default;
# - *both cells*.
#
# ## Algorithm 1
#
# Draw an anchor, edit it $k$ times, store the encoded difference and the difference of the labels ({src}`nasrepro/delta/pairs.py`). $k$ different places are changed at once.
# On NAS-Bench-201 and TransNAS-Bench-101 that is distance $k$ by construction. On NAS-Bench-301 and NAS-Bench-101 the result is kept only when the exact distance agrees
# (NAS-Bench-101: graph edit distance; in Algorithm 1 a vertex that falls off with its last edge belongs to the edit, in Figure 3 it does not). Edits that lead to the same network are drawn again.
#
# A pair has two ends, and both are labels that somebody paid for, so **budgets here are distinct labelled cells**. The paper samples "1 % and 10 % of the total networks";
# a random 1 % of NAS-Bench-201 is expected to hold {glue:text}`doa.nb201.expected_pairs:.0f` pairs one edit apart. We compare three ways to spend the labels:
#
# - *independent pairs*, Algorithm 1 as printed, with $n = 4$ pairs of each code;
# - *stars*, an anchor with four of its neighbours;
# - *all pairs of random cells*, at any distance: what the same number of labels gives when cells are drawn without a thought of pairs.
#
# The label is accuracy. The Zen-score that Algorithm 1 prints is a switch (`doa_ablation`); it costs no training, and its differences are not differences in accuracy.
#
# ## Predictors
#
# The paper says nothing of its predictor. The literal reading is a network of three layers of 128 on the encoded pair, made antisymmetric, $F(a, b) = g(a, b) - g(b, a)$, and trained by a
# pairwise hinge loss ({src}`nasrepro/delta/network.py`). The other kind is additive, $F(a, b) = f(b) - f(a)$ ({src}`nasrepro/delta/additive.py`); with a Gaussian process for $f$, two pairs have the covariance
#
# $$
# k((a, b), (c, d)) = K(a, c) - K(a, d) - K(b, c) + K(b, d) .
# $$
#
# An additive predictor that sees all pairs of $m$ labelled cells is an ordinary predictor of accuracy whose level is left free: for residuals $r$,
# $\sum_{i,j} (r_i - r_j)^2 = 2m \sum_i (r_i - \bar r)^2$. So the strongest reading of the difference of architectures that we know *is* a predictor of accuracy, used to subtract. Its features are what
# the live paths of a cell are made of ({src}`nasrepro/encodings/path_profile.py`), and zero-cost scores where every cell has them: parameters, and outside NAS-Bench-101 Zen-score.
#
# Losses, sizes and features were chosen on other training sets of NAS-Bench-201 and NAS-Bench-101 than those shown, and are the same for every space.
#
# Three readings are given differences of accuracy of one-edit pairs and nothing else, as section 5 has them. (Algorithm 1 names differences of Zen-scores: the row *zen* of the
# ablations below.) No accuracy, no zero-cost score and no pair of strangers enters them. They are *code alone* (a network on the
# difference code), *pair, network* (on the base and the difference; independent pairs or stars), and *pair, Gaussian process* (stars). The readings on all pairs of random cells, and those with zero-cost scores, are ours.
#
# ## Three taus
#
# - **P**, over held-out one-edit pairs: predicted against true difference.
# - **N**, within the neighbourhood of a cell, in the mean over cells: what Algorithm 2 chooses by.
# - **C**, over test cells: accuracy against predictions chained from four labelled cells along edit paths. An additive predictor gives the same on every path, its potential. Every chain
#   begins at each of the four, so their own accuracies are one constant for all cells and do not enter $\tau$. C is of architectures, as are the taus of the other rows of
#   [Table 1](table_1.ipynb), and the claims are held against it.
#
# None of these cells was trained on. The paper does not say which of the three it prints. *Labels* in the tables are the distinct cells that were read for training, both ends of a pair, in the mean
# over trials.

# %% [markdown]
# ## NAS-Bench-201

# %%
difference.readings_table("nb201", page.runs)

# %% [markdown]
# Read literally, the difference ranks architectures with {glue:text}`doa.nb201.doa_literal.1pct.tau.mean:.3f` at 1 %, {glue:text}`doa.nb201.doa_literal.1pct.stands:below` the printed {glue:text}`doa.nb201.1pct.printed:.3f`,
# and {glue:text}`doa.nb201.doa_literal.10pct.tau.mean:.3f` at 10 %, {glue:text}`doa.nb201.doa_literal.10pct.stands:below` the printed {glue:text}`doa.nb201.10pct.printed:.3f`.
# The Gaussian process on one-edit pairs, in stars, has {glue:text}`doa.nb201.doa_gp_stars.1pct.tau.mean:.3f` ({glue:text}`doa.nb201.doa_gp_stars.1pct.stands:below` it)
# and {glue:text}`doa.nb201.doa_gp_stars.10pct.tau.mean:.3f` ({glue:text}`doa.nb201.doa_gp_stars.10pct.stands:above` it);
# the strongest reading has {glue:text}`doa.nb201.doa.1pct.tau.mean:.3f` ({glue:text}`doa.nb201.doa.1pct.stands:above` it)
# and {glue:text}`doa.nb201.doa.10pct.tau.mean:.3f` ({glue:text}`doa.nb201.doa.10pct.stands:above` it). The next table holds the strongest reading against each predictor of Table 1.

# %%
difference.against_table("nb201", page.runs)

# %% [markdown]
# ## NAS-Bench-101

# %%
difference.readings_table("nb101", page.runs)

# %% [markdown]
# Read literally, the difference ranks architectures with {glue:text}`doa.nb101.doa_literal.1pct.tau.mean:.3f` at 1 %, {glue:text}`doa.nb101.doa_literal.1pct.stands:below` the printed {glue:text}`doa.nb101.1pct.printed:.3f`,
# and {glue:text}`doa.nb101.doa_literal.10pct.tau.mean:.3f` at 10 %, {glue:text}`doa.nb101.doa_literal.10pct.stands:below` the printed {glue:text}`doa.nb101.10pct.printed:.3f`.
# The Gaussian process on one-edit pairs, in stars, has {glue:text}`doa.nb101.doa_gp_stars.1pct.tau.mean:.3f` ({glue:text}`doa.nb101.doa_gp_stars.1pct.stands:below` it)
# and {glue:text}`doa.nb101.doa_gp_stars.10pct.tau.mean:.3f` ({glue:text}`doa.nb101.doa_gp_stars.10pct.stands:below` it);
# the strongest reading has {glue:text}`doa.nb101.doa.1pct.tau.mean:.3f` ({glue:text}`doa.nb101.doa.1pct.stands:level with` it)
# and {glue:text}`doa.nb101.doa.10pct.tau.mean:.3f` ({glue:text}`doa.nb101.doa.10pct.stands:below` it). The next table holds the strongest reading against each predictor of Table 1.

# %%
difference.against_table("nb101", page.runs)

# %% [markdown]
# ## TransNAS-Bench-101

# %%
difference.readings_table("tnb101", page.runs)

# %% [markdown]
# Read literally, the difference ranks architectures with {glue:text}`doa.tnb101.doa_literal.1pct.tau.mean:.3f` at 1 %, {glue:text}`doa.tnb101.doa_literal.1pct.stands:below` the printed {glue:text}`doa.tnb101.1pct.printed:.3f`,
# and {glue:text}`doa.tnb101.doa_literal.10pct.tau.mean:.3f` at 10 %, {glue:text}`doa.tnb101.doa_literal.10pct.stands:below` the printed {glue:text}`doa.tnb101.10pct.printed:.3f`.
# The Gaussian process on one-edit pairs, in stars, has {glue:text}`doa.tnb101.doa_gp_stars.1pct.tau.mean:.3f` ({glue:text}`doa.tnb101.doa_gp_stars.1pct.stands:below` it)
# and {glue:text}`doa.tnb101.doa_gp_stars.10pct.tau.mean:.3f` ({glue:text}`doa.tnb101.doa_gp_stars.10pct.stands:below` it);
# the strongest reading has {glue:text}`doa.tnb101.doa.1pct.tau.mean:.3f` ({glue:text}`doa.tnb101.doa.1pct.stands:below` it)
# and {glue:text}`doa.tnb101.doa.10pct.tau.mean:.3f` ({glue:text}`doa.tnb101.doa.10pct.stands:below` it). The next table holds the strongest reading against each predictor of Table 1.

# %%
difference.against_table("tnb101", page.runs)

# %% [markdown]
# ## NAS-Bench-301
#
# Labels are of our own surrogate, so nothing here compares with printed values.

# %%
difference.readings_table("nb301", page.runs)

# %% [markdown]
# What we call the strongest reading was chosen on other spaces, and need not be the strongest here. Without trees and zero-cost scores the Gaussian process has
# {glue:text}`doa.nb301.doa_gp.1pct.tau.mean:.3f` and {glue:text}`doa.nb301.doa_gp.10pct.tau.mean:.3f`. The strongest reading is {glue:text}`doa.nb301.doa.1pct.tau.against.doa_gp:level with` it at 1 %,
# with {glue:text}`doa.nb301.doa.1pct.tau.mean:.3f`, and {glue:text}`doa.nb301.doa.10pct.tau.against.doa_gp:below` it at 10 %, with {glue:text}`doa.nb301.doa.10pct.tau.mean:.3f`.

# %%
difference.against_table("nb301", page.runs)

# %% [markdown]
# (code-alone)=
# ## The code alone
#
# What can be ranked with the difference code and nothing else? Four functions of it on NAS-Bench-201: the mean of what each code gained, or a weight for each of its places, learnt of accuracies or of their
# ranks ({src}`nasrepro/experiments/delta/code_alone.py`). With all labels, test cells are among the training cells. The weights come from a ridge regression with penalty
# {glue:text}`code_alone.parameters.penalty:g`. The largest of a column is the best that we found.

# %%
difference.code_table(page.runs)

# %% [markdown]
# The mean of accuracies over *all* pairs of each code has the smallest squared error over one-edit pairs. That is no bound on $\tau$. It ranks pairs with
# {glue:text}`code_alone.means.all.tau_pairs.mean:.3f` and architectures with {glue:text}`code_alone.means.all.tau.mean:.3f`. Means of ranks reach
# {glue:text}`code_alone.means_ranks.all.tau_pairs.mean:.3f` over pairs, which is {glue:text}`code_alone.means_ranks.all.tau_pairs.against.means:above` that; weights fitted to ranks reach
# {glue:text}`code_alone.weights_ranks.all.tau.mean:.3f` over architectures, {glue:text}`code_alone.weights_ranks.all.tau.against.means:above` that too. With 10 % of the labels the best for architectures
# that we found has {glue:text}`code_alone.best.10pct.tau.mean:.3f`, with 1 % {glue:text}`code_alone.best.1pct.tau.mean:.3f`. {glue:text}`code_alone.comes:Nothing` that we tried on the code alone comes to the
# printed {glue:text}`doa.nb201.1pct.printed:.3f` and {glue:text}`doa.nb201.10pct.printed:.3f`. Another function of it might.
#
# ## What each choice does, and whether the difference matters
#
# The table begins with the literal reading and changes one choice at a time. 156 and 1,563 labels are 1 % and 10 % of the space; Zen-scores are no labels.

# %%
difference.ablation_table(page.runs)

# %% [markdown]
# Is a difference easier to learn than an accuracy? Take the same labels, the same network and the same one-hot places, NAS-Bench-201, 10 %:
#
# - fitted to accuracies, the network ranks architectures with $\tau$ = {glue:text}`doa_ablation.accuracy_network.10pct.tau.mean:.3f` [{glue:text}`doa_ablation.accuracy_network.10pct.tau.low:.3f`,
#   {glue:text}`doa_ablation.accuracy_network.10pct.tau.high:.3f`] and one-edit pairs with {glue:text}`doa_ablation.accuracy_network.10pct.tau_pairs.mean:.3f`;
# - fitted to all pairs of the same cells, {glue:text}`doa_ablation.all_pairs.10pct.tau.mean:.3f` [{glue:text}`doa_ablation.all_pairs.10pct.tau.low:.3f`, {glue:text}`doa_ablation.all_pairs.10pct.tau.high:.3f`],
#   {glue:text}`doa_ablation.all_pairs.10pct.tau.against.accuracy_network:below` it, and {glue:text}`doa_ablation.all_pairs.10pct.tau_pairs.mean:.3f`,
#   {glue:text}`doa_ablation.all_pairs.10pct.tau_pairs.against.accuracy_network:above` it;
# - fitted to independent pairs as in Algorithm 1, {glue:text}`doa_ablation.literal.10pct.tau.mean:.3f` and {glue:text}`doa_ablation.literal.10pct.tau_pairs.mean:.3f`,
#   {glue:text}`doa_ablation.literal.10pct.tau.against.accuracy_network:below` and {glue:text}`doa_ablation.literal.10pct.tau_pairs.against.accuracy_network:below` it.
#
# With the Gaussian process, pairs one edit apart in stars give P = {glue:text}`doa_ablation.gp_stars.10pct.tau_pairs.mean:.3f`, as many random cells
# {glue:text}`doa_ablation.gp_accuracy.10pct.tau_pairs.mean:.3f`: the stars are {glue:text}`doa_ablation.gp_stars.10pct.tau_pairs.against.gp_accuracy:above` them over pairs, and over architectures
# {glue:text}`doa_ablation.gp_stars.10pct.tau.against.gp_accuracy:below`.
#
# ## The step in a few lines
#
# The difference of two neighbours has -1 where the cell before has an operation, and 1 where the cell after has it. So the change is read back from it.

# %%
steps.code("delta.steps.difference", page.runs)

# %%
steps.result("delta.steps.difference", page.runs)

# %% [markdown]
# On edge {glue:text}`step.1.edge:d` stood {glue:text}`step.-1.operation`, and then {glue:text}`step.1.operation`; accuracy goes from {glue:text}`step.-1.accuracy:.1f` to {glue:text}`step.1.accuracy:.1f` %. What else is in the cell, the difference does not say.
#
# ## What to try next
#
# Larger stars on TransNAS-Bench-101, and one more trial of the ablations; each takes minutes:
#
# ```
# nasrepro notebook delta/difference out.ipynb -p experiment=doa -p space=tnb101 -p star=16
# nasrepro notebook delta/difference out.ipynb -p experiment=doa_ablation -p trials=6
# ```
#
# ## Where the numbers come from

# %% tags=["hide-input"]
page.sources()
