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
# # The data: every benchmark behind one call
#
# A benchmark of architecture search is a table. Someone trained the networks, or fitted a predictor to many trainings, so that a search can look values up instead of
# training. The two papers use eight of them; each has a data card here, made from its own tables by `nasrepro run card`.

# %% tags=["hide-input"]
from nasrepro.report import cards

# %% [markdown]
# | Benchmark | Space | What can be asked | Used for |
# |---|---|---|---|
# | [NAS-Bench-201](cards/nb201.ipynb) | 15,625 cells | accuracy of two or three trainings on three data sets, training time, parameters, proxies | DiNAS Tables 2, 6-8; Delta-NAS |
# | [NAS-Bench-101](cards/nb101.ipynb) | 423,624 cells | accuracy after 108 epochs, parameters, proxies | DiNAS Tables 1, 6-8; Delta-NAS |
# | [HW-NAS-Bench](cards/hw-nb201.ipynb) | that of NAS-Bench-201 | latency and energy on six devices | DiNAS Table 4 |
# | [TransNAS-Bench-101, micro](cards/tnb101-micro.ipynb) | 4,096 cells | seven vision tasks, proxies | Delta-NAS |
# | [TransNAS-Bench-101, macro](cards/tnb101-macro.ipynb) | 3,256 networks | seven vision tasks, proxies | Delta-NAS |
# | [NAS-Bench-301](cards/nb301.ipynb) | pairs of DARTS cells | public predictions, our surrogate, proxies | DiNAS Tables 3, 6-8; Delta-NAS |
# | [NAS-Bench-NLP](cards/nlp.ipynb) | recurrent cells | losses of logged trainings, our surrogate, proxies | DiNAS Tables 3, 6 |
# | your own | the rows of your file | the columns of your file | [your own search](#bring-your-own) |
#
# ## One question, nothing by default
#
# Each question names data set, metric, split, epochs and seed ({src}`nasrepro/benchmarks/base.py#Column`). Well-known wrappers differ exactly in these, so none has a
# default. A value that was never measured is missing, never -1. Every answer says how many trainings it is a mean of, what one training cost where that is
# known, and which file it comes from.
#
# ```python
# from nasrepro import benchmarks
# from nasrepro.benchmarks.base import Column
#
# bench = benchmarks.load("nb201")
# cell = bench.arch("|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|")
# bench.query(cell, dataset="cifar100", metric="accuracy", split="valid", epochs=200, seed="mean")
# bench.optimum(Column("cifar100", "accuracy", "valid", 200, "mean"))
# bench.query_many(bench.space.rows([cell, bench[0]]), Column("cifar100", "accuracy", "valid", 200, 1))
# bench.table()  # everything that is on this machine, as a pandas frame
# bench.to_pyg(
#     [cell], Column("cifar100", "accuracy", "valid", 200, "mean")
# )  # torch-geometric graphs with their labels as `y`
# ```
#
# For a quick look from the shell, `nasrepro query nb201 0 --dataset cifar100` prints all that is known of the cell with the published index 0.
#
# Searches do not call the benchmark themselves. They read through a ledger ({src}`nasrepro/benchmarks/ledger.py#Ledger`), which notes for every label who read it
# and what for.
#
# ## Where the files come from
#
# The validation values of NAS-Bench-201 come with a Python package that `pip` installs, so a first run needs no download. All other files are fetched, checked and
# turned into compact tables once:
#
# ```bash
# nasrepro data status                # what is here, what can be answered, what is missing and how to get it
# nasrepro data fetch nb101 tnb101    # groups or single files
# ```
#
# Each file is checked against its published checksum before use; a truncated, swapped or altered one is refused with both checksums and the command that mends it. Pickled
# files are read through a list of allowed types, since a pickle can run code: what is not on the list is refused before it is looked up
# ({src}`nasrepro/benchmarks/raw/safe_pickle.py`). Tables are written under another name and renamed, so a killed process leaves nothing half-written, and of two processes
# that want the same table one builds it and the other waits ({src}`nasrepro/files/cached_tables.py#cached_table`). A folder of files that you have already is named by `NASREPRO_MIRROR`,
# several as in `PATH`.

# %%
cards.registry_table()

# %% [markdown]
# (bring-your-own)=
# ## Bring your own
#
# A file with the operations and the adjacency of your cells, and any number of columns of labels, is a benchmark, without a line of code
# ({src}`nasrepro/benchmarks/own.py#from_table`):
#
# ```text
# operations,adjacency,accuracy,latency
# "[""input"", ""conv"", ""pool"", ""output""]",0-1 1-2 2-3 0-3,93.1,4.2
# ```
#
# A few lines of YAML beside it say what each column is: its unit, and whether more of it is better. The tutorial `notebooks/bring_your_own.ipynb` makes such a file, conditions
# DiNAS on two of its columns, and counts the labels that it read. `nasrepro query own:table.csv ...` answers from it like any other.
#
# ## What such data cannot answer
#
# - **Anything outside the table.** The optimum is known; success here says little about spaces that nobody can enumerate.
# - **Small differences.** Trainings of one architecture differ. The best one is best *in the table*.
# - **A surrogate is a model.** It is good where it was fitted and optimistic elsewhere; ours say how far an architecture is from what they know. Values of
#   our surrogates are never set beside those of other surrogates as if they were the same benchmark.
