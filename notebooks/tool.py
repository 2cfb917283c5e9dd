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
# # In thirty lines
#
# The package is also a tool for cells of your own: guided diffusion that is fitted to your labels and says whether it has learnt them, searches by name, differences of cells, and exports. A space is
# declared, or listed in a table, or given by functions; labels come from the table or from a Python function.
#
# ## The script

# %% tags=["hide-input"]
from pathlib import Path

from IPython.display import Markdown

example = (
    next(p for p in (Path.cwd(), *Path.cwd().parents) if (p / "examples").is_dir()) / "examples" / "thirty_lines.py"
)
Markdown(f"```python\n{example.read_text(encoding='utf-8')}```")

# %% [markdown]
# ## What it printed
#
# The script was run with `--quick`, and this was kept. Values depend on the versions of the libraries.

# %% tags=["hide-input"]
Markdown(f"```text\n{example.with_suffix('.txt').read_text(encoding='utf-8')}```")

# %% [markdown]
# `learnt` is said on three grounds: there are enough labels; labels that were held out are predicted better than chance would have it; and samples are expected to be wanted far more often than random
# cells. Else the report begins with `not learnt`, and says why and what to try. A fit on labels of pure noise ends so.
#
# How often samples are wanted is expected, not measured: the same regressors that complete the labels judge them, with the errors that they make on held-out labels. Measure a few samples before you
# build on them.
#
# ## On six tables
#
# Tables made by rules, a tenth of their cells labelled, with the defaults (`tests/own_tables.py`). `share` is the share of a hundred new samples that truly are wanted, `chance` that of random cells; the best
# values are by the rule without noise, of the samples, of the labelled cells, and of a Gaussian process that searched the table with as many labels (at most 600). `noise` and `small` have to end as `not learnt`.
# These lines were printed by that script on a machine that did other work meanwhile; no record was kept of them, so they show what to expect and are no result of the study. Two trainings of `large`, one of `places` and one of
# `noise` had not ended and have no line; one of `large` and one of `noisy` took more than ten minutes. Where the Gaussian process was asked, it is never behind the best sample: for one best cell, take it. Of the `small` table half of
# the samples or more are wanted, and the report says `not learnt` all the same, for want of labels.
# These tables are sparse lists in spaces without end, but for `conflict`: generated graphs are hardly ever listed there, and samples come from the list, by the prediction of the labels alone.

# %% tags=["hide-input"]
Markdown(f"```text\n{example.with_name('own_tables.txt').read_text(encoding='utf-8')}```")

# %% [markdown]
# ## What is offered

# %% tags=["hide-input"]
from nasrepro.tool.listing import names

names()

# %% [markdown]
# ## At the command line
#
# ```bash
# nasrepro top nb201 --dataset cifar10 --metric accuracy --split valid --epochs 200 -k 5
# nasrepro sample mine.safetensors -n 100 --space own:cells.csv
# nasrepro export '<a cell as top prints it>' --space nb201 --to torch --out cell.py
# nasrepro doctor
# ```
