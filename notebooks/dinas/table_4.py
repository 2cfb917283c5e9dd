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
# # Table 4: HW-NAS-Bench
#
# A device, a bound on its latency, and the most accurate cell within the bound: the paper searches the cells of NAS-Bench-201 under twelve such constraints, with
# 200 queries each, on ImageNet16-120. The model is conditioned on two things at once, the top class of accuracy and a latency within the bound, by the guidance
# of {eq}`eq-guidance` with $k = 2$ conditions.

# %% tags=["parameters", "hide-input"]
experiment: str = None  # hw, a model for one setting, or hw_joint, one model for all twelve
device: str = None  # edgegpu, raspi4, edgetpu, pixel3, eyeriss or fpga; goes with latency
latency: float = None  # bound on the latency, ms
energy: float = None  # bound on the energy, mJ, a third condition
guidance_scale: float = None  # gamma of Eq. 5
top_of: str = None  # cells over which the percentile is taken: feasible or all
joint_dropout: bool = None  # drop all conditions of a cell together
profile: str = None  # smoke, laptop or full; without any parameter the committed records are shown
fresh: bool = None  # run anew although there is a record

# %% tags=["hide-input"]
from nasrepro.notebook import Page
from nasrepro.report import steps
from nasrepro.report.dinas import table_4

page = Page(globals(), "dinas.table4", "dinas.exact.hw-nb201", "dinas.steps.conditions")
page.glue(
    table_4.numbers(page.runs) | table_4.earlier_generations() | steps.numbers("dinas.steps.conditions", page.runs)
)

# %% [markdown]
# ## How the numbers are counted
#
# - A sample is a query. One that is no cell, or lies outside the bound, or whose latency was never measured (Edge TPU: 4,699 cells), has no accuracy. It does not
#   count as feasible.
# - *Best validation* is over the feasible samples of a run. The *ceiling* is the best of all cells within the bound.
#   Accuracies are those of NAS-Bench-201 after 200 epochs, mean over seeds.
# - *Feasibility* is the share of all samples that are cells within the bound. The *share of the space* within it is what random search meets.
# - The text takes the top 5 % of all cells. The public code takes it of those within the bound, without which the wanted class would be empty under a tight one. Ours
#   is the code's; `top_of=all` is the text's.
# - The public code's sampler asks for a pair of classes that never occurred in training (accuracy unset, latency both within and beyond); see
#   [the notes on the printed numbers](../errata.ipynb). Ours asks for what it wants.
# - The model, and the uniform draw beside it, have read accuracy and latency of all 15,625 cells. To whoever holds these labels, the ceiling is known. The printed rows
#   of DiNAS have read as much; those of AG-Net count 200 queries as well.
# - Each row of ours has {glue:text}`table4.first.parameters.trainings:d` training and {glue:text}`table4.first.parameters.runs:d` runs of {glue:text}`table4.first.parameters.queries:d` queries. All rows share one setting of hyper-parameters: guidance scale
#   {glue:text}`table4.first.parameters.guidance_scale:g`, {glue:text}`table4.first.parameters.reverse_steps:d` reverse steps.
#
# ## The step in a few lines
#
# A constraint is a second condition. Accuracy is cut at its 95th percentile and latency at its bound of 4 ms; now and then the conditions of a cell are dropped, here both
# together.

# %%
steps.code("dinas.steps.conditions", page.runs)

# %%
steps.result("dinas.steps.conditions", page.runs)

# %% [markdown]
# Of the cells {glue:text}`step.wanted.cells:d` are wanted by both conditions. In one pass over all of them {glue:text}`step.wanted.shown:d` are shown as such, and {glue:text}`step.dropped.shown:,d` are shown without their classes.
#
# ## Answered twice

# %%
page.answers("dinas.table4.", "Table 4 of DiNAS")

# %% [markdown]
# ## Best validation accuracy

# %%
table_4.constraint_table("val", page.runs)

# %% [markdown]
# By the mean, DiNAS is ahead of random search in {glue:text}`table4.ahead.random:d` of {glue:text}`table4.settings:d` settings. The uniform draw has read the same labels and has no model; DiNAS is
# ahead of it by the mean in {glue:text}`table4.ahead.top_class:d`. By the intervals it stands above the draw in {glue:text}`table4.above:d` settings, level with it in
# {glue:text}`table4.level:d` and below it in {glue:text}`table4.below:d`.
#
# ## Feasibility

# %%
table_4.constraint_table("feasibility", page.runs)

# %% [markdown]
# In the worst setting {glue:text}`table4.feasible:.1%` of the samples keep the bound. Samples that are no cells count as not feasible; they are most frequent at
# {glue:text}`table4.no_cells.at`, with {glue:text}`table4.no_cells:.1%`. From {glue:text}`table4.memorised.lowest:.1%` to
# {glue:text}`table4.memorised.highest:.1%` of its feasible samples stand in the list of wanted cells that it was trained on. The paper prints no feasibility of random search.
#
# ## One model for all devices
#
# The paper trains a model for each of the twelve settings. The condition can just as well say which device and bound are meant: one model, trained on every cell under every setting, sampled for one setting at a time. This is
# what a generator can do that a search has to begin anew for.

# %%
table_4.joint_table(page.runs)

# %% [markdown]
# The one model, sampled with guidance scale {glue:text}`table4.joint.parameters.guidance_scale:g`, was trained in {glue:text}`table4.joint.training`, {glue:text}`table4.joint.speed.training_steps:,d` steps; the twelve models took {glue:text}`table4.joint.training_each` together. By best validation accuracy the one
# model stands above the setting's own in {glue:text}`table4.joint.above:d` settings, level with it in {glue:text}`table4.joint.level:d` and below it in
# {glue:text}`table4.joint.below:d`. It keeps the bound {glue:text}`table4.joint.keeps:less well`: in its worst setting {glue:text}`table4.joint.feasible:.1%` of the samples do, against {glue:text}`table4.feasible:.1%` in the worst of the twelve models.
#
# ## Three conditions
#
# Nothing ties the guidance of {eq}`eq-guidance` to two conditions. Here the energy on the device is bounded as well.

# %%
table_4.energy_table(page.runs)

# %% [markdown]
# In every run the model {glue:text}`table4.energy:finds the ceiling`, and {glue:text}`table4.energy.feasible:.1%` of its samples keep both bounds.
#
# ## How our settings were chosen
#
# Few cells are wanted: in the first setting of the table (EdgeGPU, 2 ms) {glue:text}`table4.first.wanted_cells:d` of 15,625. Three things had to be found before nearly all samples kept the bound. The trials below have another seed than the table. They
# are not all that was looked at: {glue:text}`generations.dinas.table4.earlier:d` earlier generations of the table's own records, with the table's own seed, were committed, looked at and replaced while the share, the reverse steps, the network,
# the guidance scale and the epochs changed. The share was set after the first of them; no trial of it is committed. [What was run before](#generations-of-table-4) has each generation with its values and its verdicts.
#
# 1. **The wanted class has to be seen.** Trained on cells as they come, the model hardly sees it. So {glue:text}`table4.first.parameters.wanted_share:.0%` of the conditional training cells are drawn from the wanted class
#    ([favouring the wanted class](ablations/share.ipynb)).
# 2. **Ten reverse steps are too few.** [Exact probabilities](ablations/steps.ipynb) in the place of a network keep the bound of 6 ms on Raspi4 in {glue:text}`exact.hw-nb201.by_steps.10.feasible:.1%` of the samples with ten steps, and in
#    {glue:text}`exact.hw-nb201.by_steps.50.feasible:.1%` with 50. The table has {glue:text}`table4.first.parameters.reverse_steps:d`.
# 3. **Attention alone learns a list of cells slowly.** What was left in the worst setting was due to the network. Neither longer training nor smaller batches, a time input or other guidance changed it much. Which cells keep the bound of a device
#    whose measurements are noisy follows hardly any rule: it is a list to be learnt by heart, and a cell is told from its neighbours outside the list by all of its operations at once. Attention compares nodes two by two. The denoiser
#    `whole-graph` ({src}`nasrepro/diffusion/denoiser.py#GraphBlock`) has, after each of its two attention layers, a feed-forward block on all nodes of the graph at once. At 6 ms on Raspi4 its samples keep the bound
#    {glue:text}`table4.trials:more often than` those of the `default` network: in {glue:text}`table4.trials.whole-graph:.1%` of the samples in its worst trial, against {glue:text}`table4.trials.default:.1%` in the best trial of the other.
#
# Share, steps, network, epochs and guidance scale are the same for all rows of the table. The trials, at the two worst settings:

# %%
table_4.trial_table(page.runs)

# %% [markdown]
# ## What to try next
#
# A setting with another guidance scale takes the place of its row in the tables above (a few minutes on two CPU cores, after `nasrepro data fetch hw-nb201`); the second command trains the one model for all settings anew with other guidance:
#
# ```bash
# nasrepro notebook dinas/table_4 out.ipynb -p device=pixel3 -p latency=4 -p guidance_scale=3 -p profile=laptop
# nasrepro notebook dinas/table_4 out.ipynb -p experiment=hw_joint -p guidance_scale=3 -p profile=laptop
# ```
#
# ## Where the numbers come from

# %% tags=["hide-input"]
page.sources()
