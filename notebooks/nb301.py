# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#       jupytext_version: 1.19.6
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # DiNAS on NAS-Bench-301
#
# Tables 3, 6 and 7 of DiNAS: one diffusion model for the normal cells of random architectures, one for their
# reduction cells, conditioned on the top class of accuracy. Table 3 combines 10 with 10 samples to 100 queries; Table 7
# draws 192 pairs after training on fewer cells. Labels and queries are predictions of our surrogate, so no value is
# comparable with a printed one.
#
# Needs `nasrepro data fetch nb301`. Cost on two CPU cores: `smoke` seconds, `laptop` some minutes.

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"  # smoke, laptop or full: sets every parameter below that is None
percentile: float = None  # f: cells above this percentile of accuracy are the wanted class
guidance_scale: float = None  # gamma of Eq. 5; the public code runs gamma 3, the paper states none
guide_on: str = None  # what guidance combines: the code, or Algorithm 2 as written
reverse_steps: int = None  # steps of the reverse process; the paper takes all 500
queries: int = None  # queries of one run
runs: int = None  # runs of each training
trainings: int = None  # separate trainings
denoiser: str = None  # configuration of the denoiser
positions: bool = None  # add sinusoids of the node index
time_input: bool = None  # tell the denoiser the time; the public code does not
epochs: int = None  # passes over the labelled cells
batch_size: int = None  # cells of one training step
learning_rate: float = None  # peak learning rate of AdamW
schedule: str = None  # of the learning rate
clip_norm: float = None  # largest gradient norm, 0 for no clipping
ema_decay: float = None  # moving average of the weights that samples, 0 for last weights
weight_decay: float = None  # of AdamW
residual: bool = None  # add the noisy cell to the logits, as the public code does
linear_inputs: bool = None  # one-hot inputs, zero null token and diagonal, as the public code
first_time: int = None  # smallest diffusion time of training: 1, or 0 as the public code has it
noise_schedule: str = None  # `exact` or `public-code`
train_share: float = None  # share of the cells that training reads
edge_weight: float = None  # lambda of Eq. 2
epsilon: float = None  # probability of the null token in training
joint_dropout: bool = None  # drop all conditions of a cell together; the public code drops each alone
wanted_share: float = None  # share of training cells drawn from the wanted class, 0 as in the paper
labelled: int = None  # cells that are labelled for training, drawn at random, 0 for all
lower_percentiles: list = None  # further percentiles below f, for more than two classes (Table 8)
diffusion_steps: int = None  # T
most_draws: int = None  # the distinct protocol draws at most this many times `queries` samples
seed: int = None  # master seed
cells: int = None  # random architectures that are labelled to train on
protocol: str = None  # combinations (Table 3) or single (Table 7)
decode: str = None  # correct, or what the public code reads in the place of an architecture
generations: int = None  # samples whose novelty and uniqueness is measured
fresh: bool = False  # run anew although there is a record
device: str = "auto"  # auto, cpu, cuda, ...

# %%
from nasrepro.notebook import run_here

folder, record = run_here("nb301", globals())

# %% [markdown]
# ## Result

# %%
from nasrepro.report import overview as tables
from nasrepro.report import search_figures as figures
from nasrepro.report.dinas import table_3 as surrogate_tables

surrogate_tables.run_table(record)

# %% [markdown]
# ## What the error of the public code does to it

# %%
surrogate_tables.misreading_table(record)

# %%
figures.loss_curve(folder)

# %% [markdown]
# ## Where the numbers come from

# %%
tables.run_table(record)
