"""Which settings of DiNAS are varied, and what is said of each; links are relative to `book/dinas/ablations/`.

A text quotes a number as `{1.5.validity:.1%}` and a word of comparison with the word that was read,
`{1.5.best_valid.stands:level with}`, by the names of `ablations.numbers`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Ablation:
    """One setting that is varied.

    Attributes:
        title: heads the page and the table.
        parameters: names of the parameters that may differ from the run behind Table 2.
        text: before the table, Markdown.
        reading: after it.
        after: after what is shown beside it (`ablations.extra`).
        column: heads the column of their values; empty, the title.
        beside: further rows that the texts quote: name -> part of the plan, and the part that it is compared with; a
            part may name another searcher than DiNAS.
    """

    title: str
    parameters: tuple[str, ...]
    text: str = ""
    reading: str = ""
    after: str = ""
    column: str = ""
    beside: Mapping[str, tuple[str, str]] = field(default_factory=dict)


# fmt: off
OVERVIEW = Ablation("What the paper leaves out", (), text="""\
The paper prints one recipe and its results. Its readers and reviewers asked what happens elsewhere: it states
neither guidance scale nor epsilon nor lambda, and it shows neither validity nor diversity. Its text and its public
code differ in several places. Each page of this chapter varies one setting of DiNAS on NAS-Bench-201, CIFAR-10, and
leaves the rest as it is behind [Table 2](table_2.ipynb) (joint dropout needs two conditions and is shown on
HW-NAS-Bench): {pages}.

In all tables a query is a sample, as the paper counts. Validity, distinct cells and the share in the wanted class say
what that number hides. A page shows every committed run that differs from the run behind Table 2 in that setting alone;
your own runs are on [the page of runs](../runs.ipynb). Each run read the labels of all 15,625 cells before its first
query, unless the table says otherwise.""", reading="""\
The best validation accuracy moves by more than 0.05 points with these settings alone: {moving}.""")

ABLATIONS = {
    "guidance": Ablation("Guidance scale", ("guidance_scale",), text="""\
How strongly should the conditional prediction be preferred to the unconditional one? The paper prints no scale; its
public code runs 3. This is the setting that matters most, because it trades four things at once: how good the best
sample is, how many samples are cells at all, how many of them differ, and how much of them lies in the wanted
class.""", reading="""\
Guidance sharpens the conditional distribution where the two predictions differ. At scale 1 the model samples the wanted
class as it learnt it: {1.in_top_class:.1%} of its valid samples lie in it. Beyond that it crowds onto the cells that
are most unlike the rest, which on this benchmark are the best ones, and repeats them: at scale 3 the number of distinct
cells is {3.distinct_valid.stands:below} that at scale 2, {3.distinct_valid:.0f} in {base.queries} samples. Further
still, the combined logits leave what either prediction has seen, and the graphs are no cells any more: at scale 8
{8.validity:.1%} are. A run without a single valid sample scores 0 and drags the mean down with it, so the median stands
beside the mean.

Whoever wants one excellent cell from {base.queries} look-ups can afford a scale of 2 or 3: the best validation
accuracy at 3 is {3.best_valid.stands:level with} that at 2. Whoever wants a choice of good cells should stay
between 1 and 2. **We recommend 1.5**: [on all three data sets](../table_2.ipynb) its runs end at the best cell or
next to it (means of {1.5.best_valid:.2f}, {cifar100.best_valid:.2f} and {imagenet.best_valid:.2f} % where the best
cells have {1.5.optimum:.2f}, {cifar100.optimum:.2f} and {imagenet.optimum:.2f} %), and most of their samples are
distinct cells ({1.5.distinct_valid:.0f}, {cifar100.distinct_valid:.0f} and {imagenet.distinct_valid:.0f} in
{base.queries}).""", beside={
        "cifar100": ("dinas.ablations.guidance-cifar100.1.5", "dinas.table2.cifar100"),
        "imagenet": ("dinas.ablations.guidance-imagenet16-120.1.5", "dinas.table2.imagenet16-120"),
    }),
    "steps": Ablation("Reverse steps", ("reverse_steps",), text="""\
The paper walks back all 500 steps of its noise schedule. Nothing forces it to: the network predicts the clean graph,
and the posterior between any two times is known in closed form ({{src}}`nasrepro/diffusion/noise.py#posterior`), so a
sampler may jump. Sampling time is proportional to the number of steps. Training is not touched.""", reading="""\
Each reverse step draws all nodes and edges independently of each other given the current graph. The fewer the steps,
the more has to be decided at once, and the more often two decisions that should agree do not. Of the samples at two
steps {2.validity:.1%} are cells and {2.in_top_class:.1%} of these are in the wanted class; at 50 steps they are
{50.validity:.1%} and {50.in_top_class:.1%}.

## What the sampler allows at best

How much of that is the sampler's doing, and how much the network's? The wanted class is a finite list of cells, so the
probabilities that the network is trained to predict are known exactly: the noise acts on every slot alone, and Bayes'
rule weighs the cells of the list ({{src}}`nasrepro/diffusion/exact.py`). Sampling with them needs no training, no
guidance and no network, and takes seconds. With infinitely many steps it would draw every wanted cell equally often and
nothing else. What is missing from 100 % at a finite number is the price of the steps, and longer training does not buy
it back. Guidance does, in another coin: our networks at two steps are {exact.nb201.2.network:more often} in the wanted
class than exact probabilities are, because guidance draws from fewer cells. At ten steps they are
{exact.nb201.10.network:less often} in it, at 50 {exact.nb201.50.network:less often}: what they fall short of the exact
rows there is their own.""", after="""\
It was this table that made us sample [Table 4](../table_4.ipynb) with 50 steps: with ten, exact probabilities keep the
bound of one of its two hardest settings (Raspi4, 6 ms) in {exact.hw-nb201.10.feasible:.1%} of the samples, with 50 in
{exact.hw-nb201.50.feasible:.1%}."""),
    "epsilon": Ablation("Probability of the null token", ("epsilon",), text="""\
Training replaces the condition by a null token with probability epsilon, so that one network learns the conditional and
the unconditional distribution. The paper does not state epsilon; the public code has 0.1.""", reading="""\
With 0.3 the best validation accuracy is {0.3.best_valid.stands:level with} that of 0.1, and {0.3.validity:.1%} of the
samples are cells.""", column="epsilon"),
    "edge-weight": Ablation("Weight of the edges in the loss", ("edge_weight",), text="""\
The loss of Eq. 2 adds the cross-entropies of nodes and edges, the second times lambda. The paper does not state lambda;
the public code has 5. On NAS-Bench-201 all cells have the same edges, so a high weight is spent on a constant that is
quickly learnt; what is left to learn are the six operations.""", reading="""\
With lambda 1 the best validation accuracy is {1.best_valid.stands:level with} that of 5, and {1.validity:.1%} of the
samples are cells, against {5.validity:.1%}.""", column="lambda"),
    "combine": Ablation("Logits or probabilities", ("guide_on", "guidance_scale"), text="""\
Algorithm 2 combines the two predicted *probabilities*, the public code the two *logits*. For a scale above 1 the first
can leave the simplex and has to be clipped at zero; the second is a product of experts and cannot.""", reading="""\
At the same scale, probabilities guide less: {probabilities, scale 2.in_top_class:.1%} of the valid samples are in the
wanted class, a share {probabilities, scale 2.in_top_class.stands:below} that with logits. The best validation accuracy
is {probabilities, scale 2.best_valid.stands:level with} that with logits.""", column="Guidance combines"),
    "dropout": Ablation("Joint or independent dropout", ("joint_dropout",), text="""\
With two conditions there is a choice that one condition does not have: drop both together, or each by itself. The
public code draws for each entry by itself. Then both are dropped at once in only one graph of a hundred (0.1 times
0.1), and this is the state whose prediction guidance subtracts. Dropped together it is one in ten. The two runs
have one training each and differ in nothing else.""", reading="""\
Dropped each by itself, they leave the best validation accuracy {independent.val.stands:level with} that of dropping
them together, and the share of feasible samples {independent.feasibility.stands:level with} it.""", beside={
        "independent": ("dinas.ablations.dropout.independent", "dinas.table4.edgegpu.2"),
    }),
    "time": Ablation("Time input", ("time_input",), text="""\
The paper says that the network predicts the clean graph "at any time step" and draws the time. The public code computes
a time feature and then does not pass it on, so the network has to guess from the graph how noisy it is. Ours does as
the code does; `time_input=true` tells it.""", reading="""\
With it the best validation accuracy is {yes.best_valid.stands:level with} that without, and {yes.in_top_class:.1%} of
the valid samples are in the wanted class, against {no.in_top_class:.1%}."""),
    "positions": Ablation("Positions", ("positions",), text="""\
The graphs are undirected. Which way the data flow is told by the order of the nodes alone, and the network sees that
order through sinusoids added to the nodes. Without them it cannot tell one place from another.""", reading="""\
Without positions {no.validity:.1%} of the samples are cells, and {no.failed_runs} of {no.all_runs} runs find
none."""),
    "attention": Ablation("Attention by channel, by head, or the whole graph", ("denoiser",), text="""\
The network of the public code, inherited from DiGress, takes a softmax over the neighbours for every *channel*;
standard attention takes one for every head. Both were trained here at the same small size (`matrix-channels`,
`matrix-heads`). They stand beside our `default`, which has heads and updates nodes only, and beside `whole-graph`,
which adds to each of two such layers a feed-forward block on all nodes at once
({{src}}`nasrepro/diffusion/denoiser.py#GraphBlock`).""", reading="""\
A block on all nodes gives up what attention is for: it knows graphs of one largest size, and each node by its place. In
return it tells a cell from all others by its operations together. That matters little where the wanted cells have
something in common, as here, where its best validation accuracy is {whole-graph.best_valid:.3f} % against
{default.best_valid:.3f} % of the `default`. It matters much where they are a list without a rule, as under the latency
bounds of [Table 4](../table_4.ipynb): among its trials at Raspi4, 6 ms, with 50 steps at scale 1.5, the share of
feasible samples of the `whole-graph` network ({bounded.feasibility:.1%} after 60 epochs) is
{bounded.feasibility.stands:above} that of the `default` ({bounded.other.feasibility:.1%} after 90). On NAS-Bench-301,
where the point is to go beyond the cells that were shown, the same block draws closer to them and finds less: the
{open.best_valid:.2f} % of its trial in [Table 3](../table_3.ipynb) are {open.best_valid.stands:below} the
{open.other.best_valid:.2f} % there.""", column="Denoiser", beside={
        "bounded": ("dinas.table4.trials.2", "dinas.table4.trials.8"),
        "open": ("dinas.table3.nb301.trials.1", "dinas.table3.nb301"),
    }),
    "public-code": Ablation("Choices of the public code",
        ("denoiser", "residual", "linear_inputs", "first_time", "noise_schedule", "train_share"),
        text="""\
The public code of DiNAS makes choices that its text does not mention ([where the two differ](../table_2.ipynb)). A run
as printed makes them all. Here each is made alone, with everything else as behind [Table 2](../table_2.ipynb). Three
are made with our `default` network: times of training from 0, the schedule on T + 2 points, and one cell in a hundred
held out. Two are made with a small DiGress network (`matrix-channels`), as only such networks have them: the noisy cell
added to the output, and one-hot inputs with the diagonal and the null token as the zero vector. The row of Table 2 has
{base.trainings} trainings, each other row one.""", reading="""\
None of these choices decides what is found on this benchmark: the lowest mean, {lowest.best_valid:.3f} %, is
{lowest.best_valid.stands:level with} that of Table 2.""", column="What is as in the public code"),
    "share": Ablation("Share of the wanted class in training", ("wanted_share",), text="""\
The wanted class is rare: 5 % of the cells of NAS-Bench-201, 1 % of NAS-Bench-101, a few dozen cells under a tight
latency bound. Trained on cells as they come, the network sees few of the cells that sampling is for. `wanted_share`
draws this share of the conditional training cells from the wanted class ({{src}}`nasrepro/diffusion/train.py#favour`).
What is to be learnt stays the same: the conditional distribution of a class is learnt from cells of that class, however
often they are shown, and the unconditional one from cells as they come. This is ours, not the paper's; [Table
4](../table_4.ipynb) depends on it.""", reading="""\
With half of them drawn from the wanted class, the number of distinct valid cells is {0.5.distinct_valid.stands:above}
that without ({0.5.distinct_valid:.0f} against {0.distinct_valid:.0f}), and the best validation accuracy is
{0.5.best_valid.stands:level with} that without.""", column="Share drawn from the wanted class"),
    "labels": Ablation("Number of labels", ("labelled", "epochs", "wanted_share"), text="""\
DiNAS reads the accuracy of all 15,625 cells before its first query, and the best of what it read is the best of the
benchmark. What if labels had to be paid for? Here a training reads the labels of *m* random cells only. Its wanted
class is the best 5 % of these, its noise the marginals of these. The last column counts the *m* labels and the distinct
queries.""", reading="""\
For comparison, at the same kind of budget: the Gaussian process of [Table 2](../table_2.ipynb) has found the best cell
of all, in half of its runs, after {gp.median_labels_to_optimum:.0f} labels in all, and regularised evolution with a
budget of {gp.labels:.0f} is at {evolution.best_valid:.3f} %.

The fifteen thousand labels are not needed, then. From a few hundred the generator gets next to the best cell: with
500 labels it is at {500.best_valid:.3f} %, against {all 15,625.best_valid:.3f} % with all of them. It is
{beside its draw.best_valid.stands:above} the best cells that it was shown (the row of the uniform draw), so it does
generalise from the labels of some cells to cells that nobody labelled. But few labels are saved: 150 with the
queries after them, {150.labels:.0f} in all, are {150 beside gp.labels.stands:level with} the whole search of the
Gaussian process ({gp.labels:.0f}), and 500 with theirs, {500.labels:.0f} in all, are
{500 beside gp.labels.stands:above} it.""", column="Labels read in training", beside={
        "gp": ("dinas.table2.cifar10.searches gp", "dinas.table2.cifar10"),
        "evolution": ("dinas.table2.cifar10.searches evolution", "dinas.table2.cifar10"),
        "beside its draw": ("dinas.ablations.labels.500-200", "dinas.ablations.labels.500-200 top_class"),
        "150 beside gp": ("dinas.ablations.labels.150-300", "dinas.table2.cifar10.searches gp"),
        "500 beside gp": ("dinas.ablations.labels.500-200", "dinas.table2.cifar10.searches gp"),
    }),
    "classes": Ablation("Number of classes", ("lower_percentiles",), column="Classes d"),
}
# fmt: on
