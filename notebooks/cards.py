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
# # {glue:text}`title`
#
# {glue:text}`text`

# %% tags=["parameters", "hide-input"]
benchmark: str = "nb201"  # nb201, nb101, hw-nb201, tnb101-micro, tnb101-macro, nb301 or nlp

# %% tags=["hide-input"]
from nasrepro.notebook import Page
from nasrepro.report import cards

page = Page({}, f"card.{benchmark}")  # the parameter chooses a card, and no run of yours
page.glue(cards.texts(benchmark, page.runs))

# %% [markdown]
# {glue:text}`space`

# %%
cards.columns_table(benchmark, page.runs, proxies=False)

# %%
cards.distributions(benchmark, page.runs)

# %%
cards.facts_table(benchmark, page.runs)

# %%
cards.columns_table(benchmark, page.runs, proxies=True)

# %% [markdown]
# {glue:text}`defects`
#
# {glue:text}`cannot_answer`
#
# ## Files

# %%
cards.files_table(benchmark, page.runs)

# %% [markdown]
# ## Where the numbers come from

# %% tags=["hide-input"]
page.sources()

# %% [markdown]
# ## What to try next
#
# ```bash
# nasrepro data status                                    # which files are here, and how to get the others
# nasrepro notebook cards out.ipynb -p benchmark=nb301    # another card as a notebook
# ```
