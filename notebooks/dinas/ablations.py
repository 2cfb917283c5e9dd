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
from nasrepro.report import steps
from nasrepro.report.dinas import ablations

page = Page(
    globals(),
    "dinas.table2",
    "dinas.ablations",
    "dinas.exact",
    "dinas.table1",
    "dinas.table3.nb301",
    "dinas.steps.guide",
    own=("ablation",),
)
page.glue(ablations.words(ablation, page.runs, page.strict) | steps.numbers("dinas.steps.guide", page.runs))

# %%
ablations.shown(ablation, page.runs)

# %% [markdown]
# {glue:text}`reading`

# %%
ablations.extra(ablation, page.runs)

# %% [markdown]
# {glue:text}`after`
#
# ## The step in a few lines
#
# Every ablation changes how these lines come to their answer: the network, its training, the scale of guidance, or how often they are asked. Here a network of two epochs is
# asked about the first operation of a cell that is all noise.

# %%
steps.code("dinas.steps.guide", page.runs)

# %%
steps.result("dinas.steps.guide", page.runs)

# %% [markdown]
# Without the condition a 3x3 convolution has the probability {glue:text}`step.nor_conv_3x3.gamma 0:.2f`, with it {glue:text}`step.nor_conv_3x3.gamma 1:.2f`, and guided {glue:text}`step.nor_conv_3x3.gamma 2:.2f` and {glue:text}`step.nor_conv_3x3.gamma 3:.2f`.
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
