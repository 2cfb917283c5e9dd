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
# # DiNAS on NAS-Bench-201
#
# One data set of Table 2 of DiNAS. A conditional graph diffusion model is trained on the validation accuracy of all
# 15,625 cells, samples cells of the top class, and every sample is looked up in the benchmark. Beside it: random
# search, regularised evolution, and a uniform draw from the labelled top class.
#
# Cost on two CPU cores: `smoke` about 15 seconds, `laptop` about 5 minutes, `full` (the paper's recipe) days; a GPU is
# used when there is one. A run that is already recorded is shown at once, and an unfinished one goes on where it was.

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"  # smoke, laptop or full: sets every parameter below that is None
dataset: str = "cifar10"  # cifar10, cifar100 or imagenet16-120
percentile: float = None  # cells above this percentile of validation accuracy are the wanted class
guidance_scale: float = None  # gamma of Eq. 5
guide_on: str = None  # logits or probabilities
reverse_steps: int = None  # steps of the reverse process, up to diffusion_steps
queries: int = None  # queries of one run
runs: int = None  # runs of each training
trainings: int = None  # separate trainings
denoiser: str = None  # default or paper
positions: bool = None  # add sinusoids of the node index
time_input: bool = None  # tell the denoiser the time
epochs: int = None  # passes over the 15,625 cells
batch_size: int = None  # cells of one training step
learning_rate: float = None  # peak learning rate
schedule: str = None  # cosine or constant learning rate
clip_norm: float = None  # largest gradient norm, 0 for no clipping
ema_decay: float = None  # moving average of the weights, 0 for the last weights
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
most_draws: int = None  # bound on the draws of the distinct protocol, in multiples of queries
seed: int = None  # master seed
fresh: bool = False  # run anew although there is a record
device: str = "auto"  # auto, cpu, cuda, ...

# %%
from nasrepro.notebook import run_here

folder, record = run_here("nb201", globals())

# %% [markdown]
# ## Result

# %%
from nasrepro.report import overview as tables
from nasrepro.report import search_figures as figures
from nasrepro.report.dinas import table_1_2 as search_tables

search_tables.search_table(f"nb201-{record.parameters['dataset']}", record)

# %%
figures.best_so_far(folder)

# %%
figures.best_cells(folder)

# %%
figures.loss_curve(folder)

# %% [markdown]
# ## Where the numbers come from

# %%
tables.run_table(record)
