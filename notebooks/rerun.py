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
# # Rerunning everything
#
# What it costs to make every record behind this book again: measured for two CPU cores, and counted for one modern GPU. This makes all of them:
#
# ```bash
# nasrepro batch --jobs 2
# ```

# %% tags=["hide-input"]
from nasrepro.notebook import Page
from nasrepro.report.dinas import full_profile
from nasrepro.report.plan_table import plan_table

page = Page(globals(), "dinas", "delta", "card")
page.glue(full_profile.numbers(page.runs))

# %%
plan_table(page.runs)

# %% [markdown]
# `nasrepro batch` makes the runs above that have no record; with `--again` also those whose record came with the book. A run that fails does not stop the others: what may go well is tried again (`--retries`),
# and a table at the end says what was done, what was there, what failed and where its log is, and what was left out because benchmark files are missing, with the command that fetches them. The exit status is 1 when a run failed, 3 when some were left out.
# What is finished is kept: after Ctrl-C or a kill the same command goes on where it was. A part of the plan is named by its paper, its id or its page: `nasrepro batch dinas`, `nasrepro batch dinas.table2`, `nasrepro batch dinas/table_2`.
#
# - **Two CPU cores.** The sums of the table are measured, run by run, on the machine and under the load that each record states.
# - **One modern GPU.** `--profile full` has the paper's hundred epochs (30 on NAS-Bench-101) in batches that keep a GPU busy, three trainings (one for some ablations), and 50 reverse steps. No GPU was lent to this study, so it has not been run,
#   and its time is extrapolated below: about {glue:text}`full_profile.minutes:.0f` minutes.
#
# ## Runs of your own
#
# A YAML file names an experiment, its parameters and a profile, or is a list of such entries. Lists span a grid. It is checked as a whole before anything runs.
#
# ```yaml
# experiment: nb201
# parameters: {dataset: [cifar10, cifar100], guidance_scale: [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]}
# profile: laptop
# ```
#
# ```bash
# nasrepro batch grid.yml --jobs 2                             # these twelve runs, two processes
# nasrepro batch grid.yml --jobs 2 --notebooks executed        # and an executed notebook of each
# nasrepro batch grid.yml --list                               # a command for each run, with its expected minutes and memory
# ```
#
# Runs that differ only in sampling share their trained model, and it is trained once. Whoever makes a run or trains a model holds a lease of it, so two batches over one folder of runs share the work, on one machine or on a shared disk;
# the lease of a process that died lapses. The processes of `--jobs` share the cores of the machine; `OMP_NUM_THREADS` sets the threads of each.
#
# ## Several machines
#
# **Dask.** Start a scheduler, and workers wherever nasrepro is installed and finds the benchmark files (`pip install 'nasrepro[run,batch]'`). A worker makes one run at a time, with as many threads as `OMP_NUM_THREADS` says in its environment, which Dask sets to 1.
# Machines that share no disk send their records back. Workers and the scheduler may die and come back while the batch runs.
#
# ```bash
# dask scheduler --port 8786 &
# dask worker tcp://127.0.0.1:8786 --nworkers 2 --nthreads 1 &
# nasrepro batch grid.yml --scheduler tcp://127.0.0.1:8786
# ```
#
# **Slurm.** `nasrepro batch grid.yml --cluster slurm`, on a machine that has `sbatch`, reads `slurm.yml` from the current folder and keeps so many jobs running until all is done. A run that the time limit cuts off goes on in the next job.
#
# ```yaml
# workers: 16
# cores: 4
# memory: 8GB
# walltime: "08:00:00"
# queue: gpu
# account: nas
# directives: [--gres=gpu:1]
# prologue: [module load python]
# ```
#
# **GitHub Actions, or machines that know nothing of each other.** Each makes its share, always the same one, and one puts the records together. `.github/workflows/batch.yml` does this in a matrix, keeps the executed notebooks, and builds the book.
#
# ```bash
# nasrepro batch dinas --shard 1/3     # on the first of three machines
# nasrepro merge shards/*/runs         # on any, with what the three have made
# nasrepro verify                      # every record is what it says
# ```
#
# ## What the full profile amounts to
#
# The training of a small network keeps a GPU waiting: a step takes as long as its operations take to be launched, until its batch is large enough for the arithmetic to count. The paper's step launches
# {glue:text}`full_profile.operations:more than twice as many` as ours on NAS-Bench-201. Its 16 cells are {glue:text}`full_profile.arithmetic:more` arithmetic than 1,024 of ours, because its attention scores every channel of every pair.
# [What a step amounts to](step_cost.ipynb) has the counts.
#
# What several runs share counts once, where it comes first. Table 5 is left out: its `full` run trains on ImageNet. The command:
#
# ```bash
# nasrepro batch dinas --profile full
# ```

# %%
full_profile.full_table(page.runs)

# %%
full_profile.tried_table(page.runs)

# %% [markdown]
# **How far to trust this.** The counts are exact but for the last batch of an epoch. The time of a step is an inference: it takes the paper's own figure, an A6000, and that ours scales with what was counted. Memory traffic is not
# counted. If every step, reverse steps too, took as long as the paper's training step, it would be {glue:text}`full_profile.printed_minutes:.0f` minutes. That larger batches
# train as well was tried with a CPU, on NAS-Bench-201 and under one constraint (last table), not on the other benchmarks.
#
# **The paper's recipe to the letter**, batches of 16 and a network of five wide layers, would by its own figures take {glue:text}`full_profile.paper_hours:.0f` hours for the same runs. Its parameters are
# in `data/paper/dinas_recipe.yml`, and any DiNAS notebook takes them: `papermill notebooks/dinas/table_2.ipynb out.ipynb -p profile full -f data/paper/dinas_recipe.yml`.
#
# ## What to try next
#
# ```bash
# nasrepro batch delta
# nasrepro run nb201 -p dataset=cifar100 --profile full
# ```
