"""Discretised conditions, the null token, and the algebra of classifier-free guidance."""

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from nasrepro.diffusion.denoiser import Denoiser, Logits
from nasrepro.diffusion.denoiser_config import DEFAULT
from nasrepro.diffusion.guidance import Discretiser, Guided, percentile_discretiser, read_classes, threshold_discretiser
from nasrepro.diffusion.train import drop_conditions, favour
from nasrepro.graphs import Graphs


class _Labels:
    def __init__(self, values: np.ndarray) -> None:
        self.values, self.reads = values, []

    def read(self, rows: np.ndarray, purpose: str) -> np.ndarray:
        self.reads.append((len(rows), purpose))
        return self.values[rows]


def test_percentile_classes_read_every_label_and_hold_the_asked_shares():
    labels = _Labels(np.random.default_rng(0).permutation(1000) / 10)
    cut = percentile_discretiser(labels, np.arange(1000), [80, 95])
    assert labels.reads == [(1000, "threshold")]
    assert cut.n_classes == 3
    assert np.bincount(cut(labels.values)).tolist() == [800, 150, 50]


def test_a_budget_belongs_to_the_class_within_it_and_missing_values_to_the_null_token():
    within = threshold_discretiser(4.0)
    assert within(np.array([3.0, 4.0, 4.0001, np.nan])).tolist() == [0, 0, 1, 2]
    with pytest.raises(ValueError, match="increase"):
        Discretiser((2.0, 1.0))


def test_classes_of_several_conditions_are_read_column_by_column():
    accuracy, latency = _Labels(np.array([90.0, 80.0, np.nan])), _Labels(np.array([5.0, 3.0, 3.0]))
    cuts = [Discretiser((85.0,)), threshold_discretiser(4.0)]
    classes = read_classes([accuracy, latency], cuts, np.array([2, 0, 1]), "train")
    assert classes.dtype == np.int64 and classes.tolist() == [[2, 0], [1, 1], [0, 0]]
    assert accuracy.reads == latency.reads == [(3, "train")]
    with pytest.raises(ValueError, match="zip"):
        read_classes([accuracy], cuts, np.array([0]), "train")


def test_joint_dropout_drops_all_conditions_or_none_and_independent_dropout_rarely_all():
    classes = torch.zeros(20_000, 2, dtype=torch.long)
    null = torch.tensor([2, 3])
    generator = torch.Generator().manual_seed(0)
    joint = (drop_conditions(classes, (2, 3), 0.1, True, generator) == null).float()
    single = (drop_conditions(classes, (2, 3), 0.1, False, generator) == null).float()
    assert torch.equal(joint[:, 0], joint[:, 1]) and joint.mean().item() == pytest.approx(0.1, abs=0.01)
    assert single.mean().item() == pytest.approx(0.1, abs=0.01)
    assert single.prod(1).mean().item() == pytest.approx(0.01, abs=0.004)


def _fixture() -> tuple[Denoiser, Graphs, torch.Tensor]:
    torch.manual_seed(0)
    network = Denoiser(DEFAULT, 7, (2, 2)).eval()
    graphs = Graphs(torch.randint(7, (5, 6)), torch.randint(2, (5, 15)), torch.ones(5, 6, dtype=torch.bool))
    return network, graphs, torch.full((5,), 0.5)


@torch.no_grad()
def test_scale_0_is_the_unconditional_and_scale_1_the_conditional_model():
    network, graphs, t = _fixture()
    for scale, classes in ((0, [2, 2]), (1, [1, 0])):
        expected: Logits = network(graphs, t, torch.tensor([classes]).expand(5, -1))
        for near in (0.0, 1e-7):  # the short cut and the two-pass path agree
            nodes, pairs = Guided(network, [1, 0], scale + near)(graphs, t)
            assert torch.allclose(nodes, expected.nodes.softmax(-1), atol=1e-5)
            assert torch.allclose(pairs, expected.pairs.softmax(-1), atol=1e-5)


@torch.no_grad()
def test_guidance_on_logits_is_a_power_of_the_likelihood_ratio():
    """p_guided ~ p_null (p_cond / p_null)^gamma, Eq. 5 with discrete classes."""
    network, graphs, t = _fixture()
    null = Guided(network, [1, 0], 0)(graphs, t)[0]
    conditional = Guided(network, [1, 0], 1)(graphs, t)[0]
    expected = null * (conditional / null) ** 3
    expected /= expected.sum(-1, keepdim=True)
    assert torch.allclose(Guided(network, [1, 0], 3)(graphs, t)[0], expected, atol=1e-5)


@torch.no_grad()
def test_guidance_on_probabilities_is_linear_where_it_stays_in_the_simplex():
    network, graphs, t = _fixture()
    null, conditional = (Guided(network, [1, 0], s, "probabilities")(graphs, t)[0] for s in (0, 1))
    half = Guided(network, [1, 0], 0.5, "probabilities")(graphs, t)[0]
    assert torch.allclose(half, (null + conditional) / 2, atol=1e-6)
    assert (Guided(network, [1, 0], 50, "probabilities")(graphs, t)[0] >= 0).all()


def test_the_number_of_conditions_must_match():
    network, _, _ = _fixture()
    with pytest.raises(ValueError, match="2 conditions, not 1"):
        Guided(network, [1], 3)


def test_favouring_the_wanted_class_leaves_graphs_with_a_dropped_condition_alone():
    classes = (torch.arange(1000) < 10).long()[:, None]  # ten wanted graphs in a thousand
    generator = torch.Generator().manual_seed(0)
    batch = torch.randint(1000, (40_000,), generator=generator)
    condition = drop_conditions(classes[batch], (2,), 0.2, True, generator)
    drawn = favour(batch, condition, torch.tensor([2]), torch.arange(10), 0.5, generator)
    dropped = condition[:, 0] == 2
    assert torch.equal(drawn[dropped], batch[dropped])
    kept = drawn[~dropped]
    assert (kept < 10).float().mean().item() == pytest.approx(0.5 + 0.5 * 0.01, abs=0.01)
    for group, size in ((kept[kept < 10], 10), (kept[kept >= 10] - 10, 990)):
        assert chisquare(torch.bincount(group, minlength=size).numpy()).pvalue > 1e-3
