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
# # Your runs, and ours
#
# Each run is a folder with a `record.json` (what was run, on which data, at what cost, with what result) and a few tables. Runs of your own lie
# in `runs/`; the runs behind this book are committed in `data/records/`. The name of a run is a hash of the experiment, its parameters and the
# checksums of its data, so the same question has the same name everywhere, and repeating a command finds the finished run or resumes the
# unfinished one.

# %% tags=["hide-input"]
from nasrepro.report import overview

# %% [markdown]
# ## Your runs

# %% tags=["hide-input", "your-runs"]
overview.your_runs()

# %% [markdown]
# ## Committed runs

# %% tags=["hide-input"]
overview.committed_runs()

# %% [markdown]
# Everything about each of them, the parameters first, unfolds here.

# %% tags=["hide-input"]
overview.committed_details()

# %% [markdown]
# ## What to try next
#
# ```bash
# nasrepro run nb201 -p dataset=cifar100 -p guidance_scale=5 --profile laptop
# nasrepro publish KEY    # copies a run of yours to the committed records
# ```
