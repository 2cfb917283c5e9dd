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
# # Forking paths: what was run before what you see
#
# A record in this book may not be the first of its kind. A setting was tried, its result was looked at, the setting was changed, and the new record took the place of the old one. The tree keeps
# the last record only. This page tells the rest, from the git history.

# %% tags=["hide-input"]
from nasrepro.notebook import Page
from nasrepro.report.history import pages
from nasrepro.report.history.answers import said_now
from nasrepro.report.history.file import load

page = Page(globals(), "dinas", "delta")
history, live = load(), said_now(page.runs)
page.glue(pages.numbers(history))

# %% [markdown]
# ## Why this page exists
#
# A choice that is made after looking at results favours the results. Of several runs the one that looks best is kept, and its luck is kept with it. Tolerances that were fixed beforehand do not prevent that: they
# judge the run that was kept, and say nothing of those that were not. So a reader who wants to know what a verdict is worth has to know what was run before it, and what it showed.
#
# In all, {glue:text}`generations.records` versions of records were ever committed, by {glue:text}`generations.commits` commits; {glue:text}`generations.removed` of them are no longer in the tree.
#
# ## How to read it
#
# - A *generation* is what has given the same answer at one time. A claim may have several answers side by side: ours, and one for each reading of the paper. Each has generations of its own. A table with several settings has a run for each of them in one generation.
# - *What changed* is against the run that gave the same answer before: parameters, the version of the method, and the commit whose code ran. For the first generation it names the settings that were changed later.
# - *Ours then* and *verdict then* are what `nasrepro claims --json` said in the commit in which the run first answered, run by the code of that commit. Where the claims give another verdict today, that stands behind *now*.
#   Where a field has several claims, the table has the median of our numbers minus the printed ones, and the range.
# - *Until* names the commit by which the run no longer answered, with its subject, and the commit that took the record out, if that was another one. A highlighted row answers now.
# - *Taken out* without ever having answered a claim were trials and variations. They have a table of their own.
# - Where nothing follows the heading of a table or figure, no committed record has answered a claim of it yet.
#
# ## What it does not show
#
# Runs that were never committed are not in the history, and cannot be told from here. A table with one generation may have been tried before. The subject of a commit is what its author wrote at the time; it is quoted, not
# checked.
#
# ## Overview

# %%
pages.summary_table(history, live)

# %% [markdown]
# **Table 4** has {glue:text}`generations.dinas.table4.earlier` earlier generations, {glue:text}`generations.most:as many as any` other table or figure, all with the table's own seed. Each change came after the values of the generation before had been committed. On its claims the first generation was
# {glue:text}`generations.dinas.table4.first.worse` times worse, {glue:text}`generations.dinas.table4.first.reproduced` times reproduced and {glue:text}`generations.dinas.table4.first.better` times better. The present one is
# the last of several tries. It gets no verdict, because its network and its training are ours.
#
# **Table 3** was made anew {glue:text}`generations.table3:once` for each of its benchmarks. Its numbers are not comparable with the printed ones, then as now. Runs with the table's own seed at other guidance scales were committed as well, and taken out.
#
# **Table 6** takes its times and shares from runs of other tables, so its generations follow theirs.
#
# **Figures 4 and 5** were made anew because the version of the method changed. Of their claims {glue:text}`generations.delta.fig4.first.worse` and {glue:text}`generations.delta.fig5.first.worse` were called worse at first.
# A statement is now confirmed or contradicted.
#
# ## DiNAS, Table 1

# %%
pages.generation_table(history, "dinas.table1", live)

# %%
pages.dropped_table(history, "dinas.table1")

# %% [markdown]
# ## DiNAS, Table 2

# %%
pages.generation_table(history, "dinas.table2", live)

# %%
pages.dropped_table(history, "dinas.table2")

# %% [markdown]
# ## DiNAS, Table 3

# %%
pages.generation_table(history, "dinas.table3", live)

# %%
pages.dropped_table(history, "dinas.table3")

# %% [markdown]
# (generations-of-table-4)=
# ## DiNAS, Table 4

# %%
pages.generation_table(history, "dinas.table4", live)

# %%
pages.dropped_table(history, "dinas.table4")

# %% [markdown]
# ## DiNAS, Table 5

# %%
pages.generation_table(history, "dinas.table5", live)

# %%
pages.dropped_table(history, "dinas.table5")

# %% [markdown]
# ## DiNAS, Table 6

# %%
pages.generation_table(history, "dinas.table6", live)

# %%
pages.dropped_table(history, "dinas.table6")

# %% [markdown]
# ## DiNAS, Table 7

# %%
pages.generation_table(history, "dinas.table7", live)

# %%
pages.dropped_table(history, "dinas.table7")

# %% [markdown]
# ## DiNAS, Table 8

# %%
pages.generation_table(history, "dinas.table8", live)

# %%
pages.dropped_table(history, "dinas.table8")

# %% [markdown]
# ## DiNAS, sentences of the text

# %%
pages.generation_table(history, "dinas.text", live)

# %%
pages.dropped_table(history, "dinas.text")

# %% [markdown]
# ## Delta-NAS, Table 1

# %%
pages.generation_table(history, "delta.table1", live)

# %%
pages.dropped_table(history, "delta.table1")

# %% [markdown]
# ## Delta-NAS, Figure 3

# %%
pages.generation_table(history, "delta.fig3", live)

# %%
pages.dropped_table(history, "delta.fig3")

# %% [markdown]
# ## Delta-NAS, Figure 4

# %%
pages.generation_table(history, "delta.fig4", live)

# %%
pages.dropped_table(history, "delta.fig4")

# %% [markdown]
# ## Delta-NAS, Figure 5

# %%
pages.generation_table(history, "delta.fig5", live)

# %%
pages.dropped_table(history, "delta.fig5")

# %% [markdown]
# ## Outside the tables and figures

# %%
pages.dropped_table(history)

# %% [markdown]
# ## Which run may answer a claim
#
# `data/claims.yml` says for each claim what is printed and which tolerance counts, and, until `data/plan.yml` did, the settings of the run that may answer it. Printed values and units were never changed.
# Tolerances were changed once, when verdicts were taken from runs of our own methods and given to runs as printed alone: the table has a row for it. They became narrower: for Table 4 of DiNAS, where printed random search passed for
# DiNAS; at 10 % of Table 1 of Delta-NAS, where trials differ less; and for the six times of Table 6 of DiNAS, which are compared as they are. No run as printed had been made then but those of Delta-NAS.
# The caption of Figure 3 says that the loss on a test set stays about the same from some number of edits on. Until the last change a lower number counted as better there; now it is held against "about 1". Counted field by field, {glue:text}`generations.fixed_changes` claims changed. The settings of the run that may answer were changed, and not only before there were results. The last two columns say what was known by then: on how many of the claims a committed
# record had already given a verdict, and how many committed runs of the same experiments had ended.

# %%
pages.selection_table(history)

# %% [markdown]
# ## Made again
#
# The tables above are read from `data/generations.json`. In a checkout with its whole history this writes the file anew. The first time it takes some minutes, because the claims of each commit are judged by the code of that commit.
#
# ```bash
# python -m nasrepro.report.history.collect
# ```
