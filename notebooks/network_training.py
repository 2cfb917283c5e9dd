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
# # Cells trained as image classifiers
#
# Table 5 of DiNAS: a network for ImageNet from the best generated cell. ImageNet is not on the machines of this study;
# the same pipeline runs on CIFAR-10 with small networks: chosen cells against random ones and DARTS-V2.
#
# Needs `nasrepro data fetch cifar10` (or the JPEG copy in a mirror folder) and `nasrepro data fetch nb301`; the `full`
# profile needs ImageNet, see `NASREPRO_IMAGENET`. Cost: `smoke` seconds, `laptop` about a quarter of an hour of one CPU
# core, `full` days of eight GPUs.

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"  # smoke, laptop or full: sets every parameter below that is None
data: str = None  # images: cifar10, imagenet or generated
cells: str = None  # the chosen cells: surrogate, record:<experiment>, or genotypes with ; between
chosen_cells: int = None  # how many chosen cells are trained at most
random_cells: int = None  # how many random cells are trained
darts_v2: int = None  # trainings of DARTS-V2, each with another seed
pool: int = None  # random cells of which the surrogate chooses the best
side: int = None  # height and width of the images
training_images: int = None  # training images, 0 for all
test_images: int = None  # test images, 0 for all
channels: int = None  # channels of the first cells
n_cells: int = None  # cells of a network
epochs: int = None  # passes over the training images
batch_size: int = None  # images of one step, of all processes together
learning_rate: float = None  # peak learning rate; cosine to zero
warmup_epochs: int = None  # epochs of linear warm-up
weight_decay: float = None  # weight decay
label_smoothing: float = None  # share of the label spread over all classes
auxiliary_weight: float = None  # weight of the auxiliary head, 0 for none
drop_path: float = None  # probability of dropping a path in the last epoch
clip_norm: float = None  # largest norm of the gradient, 0 for no clipping
cutout: int = None  # side of the square cut out of training images
precision: str = None  # precision of the forward pass
processes: int = None  # processes that share a batch, each on a GPU of its own
seed: int = None  # master seed
fresh: bool = False  # run anew although there is a record
device: str = "auto"  # auto, cpu, cuda

# %%
from nasrepro.notebook import run_here

folder, record = run_here("network_training", globals())

# %% [markdown]
# ## Result

# %%
from nasrepro.report import overview as tables
from nasrepro.report.dinas import table_5 as network_table

network_table.group_table(record)

# %%
network_table.difference_table(record)

# %%
network_table.error_figure(folder, record)

# %% [markdown]
# ## Where the numbers come from

# %%
tables.run_table(record)
