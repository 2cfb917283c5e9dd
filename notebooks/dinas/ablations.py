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
ablation: str = None  # guidance, steps, ...; None shows the overview
experiment: str = None  # of your run: nb201, hw (dropout) or exact_denoiser (steps)
guidance_scale: float = None  # gamma of Eq. 5
reverse_steps: int = None  # of the 500 of the noise schedule
epsilon: float = None  # probability of the null token
labelled: int = None  # cells whose labels a training reads, 0: all
trainings: int = None  # 1 in most rows
most_draws: int = None  # 1: without the protocol of distinct cells, as in every row but the base
profile: str = None  # smoke, laptop or full; without any parameter the committed records are shown
fresh: bool = None  # run anew although there is a record

# %% tags=["hide-input"]
from nasrepro.notebook import Page
from nasrepro.report.dinas import ablations

page = Page(
    globals(), "dinas.table2", "dinas.ablations", "dinas.exact", "dinas.table1", "dinas.table3.nb301", own=("ablation",)
)
page.glue(ablations.words(ablation, page.runs, page.strict))

# %%
ablations.shown(ablation, page.runs)

# %% [markdown]
# {glue:text}`reading`

# %%
ablations.extra(ablation, page.runs)

# %% [markdown]
# {glue:text}`after`
#
# ## What to try next
#
# One row of it, or one more, as a run of its own, and on this page in the place of the row that it is nearest to; change a value:
#
# ```bash
# {glue:text}`command`
# {glue:text}`notebook`
# ```
#
# ## Where the numbers come from

# %% tags=["hide-input"]
page.sources()
