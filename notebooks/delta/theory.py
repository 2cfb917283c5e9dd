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
# # What the theorems count
#
# Delta-NAS learns from *differences*. Its argument begins with counting: architectures grow exponentially with their size, one-edit differences do not, so a
# predictor of differences has less to learn. Section 3 puts this into five theorems. Here each is held against an exact count.

# %% tags=["parameters", "hide-input"]
edits: int = None  # k of the row of Theorem 5
largest: int = None  # largest n of the growth plot
operations: int = None  # r of the growth plot
profile: str = None  # smoke, laptop or full; without any parameter the committed records are shown
fresh: bool = None  # run anew although there is a record

# %% tags=["hide-input"]
from nasrepro.notebook import Page
from nasrepro.report import steps
from nasrepro.report.delta import theorems

page = Page(globals(), "delta.theory", "delta.steps.count")
page.glue(theorems.numbers(page.runs) | steps.numbers("delta.steps.count", page.runs))

# %% [markdown]
# The paper speaks of $n$ places for one of $r$ operations, in block-based spaces, and of cells whose nodes may also be joined by edges. It leaves open what a difference
# *is*. We take the one that the text suggests, the difference of two one-hot vectors: it names each changed place, its old and its new operation, and the
# direction of each changed edge ({src}`nasrepro/delta/theory.py` counts two other readings as well). All counts follow from one product: every place is unchanged or
# changed in one of so many ways, independently of the others,
#
# $$
# \sum_k |D^k|\, x^k = (1 + r(r-1)\,x)^n\, (1 + 2x)^e ,
# $$
#
# with $e$ the number of possible edges, 0 for blocks. Where there are at most ten million pairs the numbers were also counted one by one.

# %%
theorems.theorem_table(page.runs)

# %%
theorems.growth_figure(page.runs)

# %% [markdown]
# At $n$ = {glue:text}`theory.growth.cell.n:d` places a cell has {glue:text}`theory.growth.cell.one_edit:.0f` one-edit differences, and there are {glue:text}`theory.growth.cell.size:.2g` cells; a
# block has {glue:text}`theory.growth.block.one_edit:.0f` of them, and there are {glue:text}`theory.growth.block.size:.2g` blocks.
#
# ## What stands, and what does not
#
# - **Theorem 1 {glue:text}`theory.theorem1:stands`**; Theorem 2 {glue:text}`theory.theorem2:does not`. The second counts the possible edges of a cell, $n(n-1)/2$, where it should count their
#   subsets, $2^{n(n-1)/2}$: each edge may be there or not.
# - **Theorems 4 and 5** hold as printed, in block-based spaces, for another reading: a difference that names each changed place and its *new* operation only. A
#   subtraction also names the old one. The induction is sound; the base case carries the choice. In cells the edits of edges are missing.
# - **Theorem 3** says that $|A| \approx |D|$. The number of all differences {glue:text}`theory.theorem3:lies between` $|A|$ and $|A|^2$ in every row of the table. What is true is that
#   both live in equally many coordinates.
# - **The message survives.** One-edit differences grow linearly with $n$ for blocks and quadratically for cells, while architectures grow exponentially. It is the
#   constants that change, and they matter for a budget of labels: NAS-Bench-201 has {glue:text}`theory.nb201.codes:,` one-edit codes, where the formula gives
#   {glue:text}`theory.nb201.printed_codes:.0f`.
#
# ## What a code does not say
#
# The same code stands for many pairs. On NAS-Bench-201 the {glue:text}`theory.nb201.codes:,` codes stand for {glue:text}`theory.nb201.pairs:,` ordered pairs, {glue:text}`theory.nb201.each:,.0f` each. The
# true difference in accuracy varies within a code, because it depends on the rest of the cell. {glue:text}`theory.nb201.silent:,` of these pairs, {glue:text}`theory.nb201.silent_share:.0%`, do not
# change what the cell computes at all.
#
# On the fixed form of NAS-Bench-101 the share is {glue:text}`theory.nb101.silent_share:.0%`: of {glue:text}`theory.nb101.pairs:,` one-edit pairs of valid forms, {glue:text}`theory.nb101.silent:,` lead to the
# same network after pruning, so their true difference is zero. Whoever draws pairs uniformly from the raw form (Algorithm 1 does not say) trains on zeros
# {glue:text}`theory.most:more` than half of the time.
#
# ## The step in a few lines
#
# The formulas can be held against pairs that are drawn. Here 100,000 pairs of cells of NAS-Bench-201 are drawn for each k, and their differences counted.

# %%
steps.code("delta.steps.count", page.runs)

# %%
steps.result("delta.steps.count", page.runs)

# %% [markdown]
# For k = 1 the formula says {glue:text}`step.1.differences:,d`, and {glue:text}`step.1.met:,d` were met; for k = 3 it says {glue:text}`step.3.differences:,d`, of which as many pairs met {glue:text}`step.3.met:,d`.
#
# ## What to try next
#
# A space of three operations, and differences of three edits, take seconds:
#
# ```
# nasrepro notebook delta/theory out.ipynb -p operations=3 -p edits=3
# ```
#
# ## Where the numbers come from

# %% tags=["hide-input"]
page.sources()
