"""The flat denoiser: what never occurs in a slot is given, the rest is learnt; files, padding, gradients, its worth."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from nasrepro.diffusion.denoiser_config import FLAT
from nasrepro.diffusion.flat import FlatDenoiser, Support
from nasrepro.diffusion.guidance import Guided
from nasrepro.diffusion.model import DiffusionModel
from nasrepro.diffusion.sample import sample
from nasrepro.diffusion.train import TrainingConfig, train
from nasrepro.errors import ParameterError
from nasrepro.graphs import Graphs, pair_indices
from nasrepro.parameters.base import resolve
from nasrepro.parameters.dinas import NB201Parameters
from nasrepro.spaces.nb101.space import NB101
from nasrepro.spaces.nb201 import NB201

SMALL = replace(FLAT, layers=1, node_dim=8, pair_dim=4, graph_hidden=16)
K = 4


def _mixed_sizes(b: int = 200) -> Graphs:
    """Graphs of 3 to 5 nodes: node 0 is always of class 0, node 1 never of class 3, the pair 0-1 always an edge."""
    g = torch.Generator().manual_seed(0)
    nodes, pairs = torch.randint(K, (b, 5), generator=g), torch.randint(2, (b, 10), generator=g)
    nodes[:, 0], nodes[:, 1], pairs[:, 0] = 0, nodes[:, 1] % 3, 1
    mask = torch.arange(5) < torch.randint(3, 6, (b, 1), generator=g)
    graphs = Graphs(nodes, pairs, mask)
    return Graphs(nodes * mask, pairs * graphs.pair_mask, mask)


def _network(graphs: Graphs, conditions: tuple[int, ...] = (2, 3)) -> FlatDenoiser:
    torch.manual_seed(0)
    return FlatDenoiser(SMALL, conditions, Support.of(graphs, K)).eval()


def test_the_support_is_what_occurs_in_each_slot():
    graphs = _mixed_sizes()
    found = Support.of(graphs, K)
    for slot in range(5):
        here = graphs.nodes[graphs.mask[:, slot], slot].tolist()
        absent = not bool(graphs.mask[:, slot].all())
        assert found.nodes[slot].tolist() == [*(k in here for k in range(K)), absent]
    for slot in range(10):
        here = graphs.pairs[graphs.pair_mask[:, slot], slot].tolist()
        assert found.pairs[slot, :2].tolist() == [0 in here, 1 in here]
    assert found.nodes[0].tolist() == [True, False, False, False, False]
    assert not found.nodes[1, 3]


@torch.no_grad()
def test_what_never_occurs_has_no_probability_and_what_always_does_is_certain():
    graphs = _mixed_sizes()
    logits = _network(graphs)(graphs, torch.zeros(len(graphs)), torch.ones(len(graphs), 2, dtype=torch.long))
    nodes, pairs = logits.nodes.softmax(-1), logits.pairs.softmax(-1)
    support = Support.of(graphs, K)
    assert torch.equal(nodes[:, ~support.nodes[:, :-1]], torch.zeros_like(nodes[:, ~support.nodes[:, :-1]]))
    assert torch.equal(nodes[:, 0, 0], torch.ones(len(graphs)))
    assert torch.equal(pairs[:, 0, 1], torch.ones(len(graphs)))
    assert (nodes[:, 2] > 0).all()


@torch.no_grad()
def test_what_lies_in_the_padding_changes_nothing():
    graphs = _mixed_sizes()
    network, t = _network(graphs), torch.zeros(len(graphs))
    rubbish = Graphs(
        torch.where(graphs.mask, graphs.nodes, 3), torch.where(graphs.pair_mask, graphs.pairs, 1), graphs.mask
    )
    classes = torch.zeros(len(graphs), 2, dtype=torch.long)
    a, b = network(graphs, t, classes), network(rubbish, t, classes)
    assert torch.equal(a.nodes, b.nodes) and torch.equal(a.pairs, b.pairs)


@torch.no_grad()
def test_prediction_depends_on_every_slot_that_varies_and_on_no_other():
    graphs = _mixed_sizes()[:1]
    graphs = Graphs(graphs.nodes, graphs.pairs, torch.ones(1, 5, dtype=torch.bool))
    network, t, classes = _network(_mixed_sizes()), torch.zeros(1), torch.zeros(1, 2, dtype=torch.long)
    before = network(graphs, t, classes)
    for slot in range(5):
        nodes = graphs.nodes.clone()
        nodes[0, slot] = (nodes[0, slot] + 1) % 3
        after = network(Graphs(nodes, graphs.pairs, graphs.mask), t, classes)
        assert torch.equal(before.nodes, after.nodes) == (slot == 0)


@pytest.mark.parametrize("time_input", [False, True])
def test_every_weight_receives_a_gradient(time_input: bool):
    graphs = _mixed_sizes()
    network = FlatDenoiser(replace(SMALL, time_input=time_input), (2, 3), Support.of(graphs, K))
    b = len(graphs)
    classes = torch.stack([torch.arange(b) % 3, torch.arange(b) % 4], 1)
    logits = network(graphs, torch.linspace(0, 1, b), classes)
    (logits.nodes[graphs.mask].logsumexp(-1).square().sum() + logits.pairs.sigmoid().square().sum()).backward()
    for name, weight in network.named_parameters():
        assert weight.grad is not None and weight.grad.abs().sum() > 0, name


def _trained(graphs: Graphs, classes: torch.Tensor, k: int, **options) -> DiffusionModel:
    config = TrainingConfig(**({"epochs": 4, "batch_size": 64, "learning_rate": 5e-3, "diffusion_steps": 50} | options))
    return train(
        graphs, classes, node_classes=k, condition_classes=(2,), denoiser=SMALL, config=config, seed=1
    )[0]  # fmt: skip


def test_a_saved_model_predicts_what_it_did(tmp_path: Path):
    graphs = _mixed_sizes()
    model = _trained(graphs, (graphs.nodes[:, 1:2] == 2).long(), K, ema_decay=0.9)
    model.save(tmp_path / "model.safetensors")
    again = DiffusionModel.load(tmp_path / "model.safetensors")
    a, b = (sample(Guided(m.denoiser, [1], 2.0), m.noise, range(50), seed=3, steps=5) for m in (model, again))
    assert torch.equal(a.nodes, b.nodes) and torch.equal(a.pairs, b.pairs) and torch.equal(a.mask, b.mask)


def test_where_the_space_fixes_the_edges_every_sample_is_a_cell_even_of_an_untrained_network():
    graphs = NB201.encode_rows(np.arange(0, NB201.size, 50))
    classes = torch.zeros(len(graphs), 1, dtype=torch.long)
    model = _trained(graphs, classes, int(graphs.nodes.max()) + 1, epochs=1)
    drawn = sample(Guided(model.denoiser, [1], 3.0), model.noise, range(300), seed=0, steps=4)
    assert all(arch is not None for arch in NB201.decode_with_reasons(drawn)[0])


def test_guided_samples_lie_in_the_wanted_class_more_often_than_cells_do():
    """Cells of NAS-Bench-101 with a convolution 3x3 after the input: a rule over nodes and edges."""
    rows = np.random.default_rng(0).choice(NB101.size, 3_000, replace=False)
    graphs = NB101.encode_rows(rows)
    first, _ = pair_indices(graphs.n_nodes)
    wanted = ((graphs.nodes[:, 1] == graphs.nodes[0, 1]) & (graphs.pairs[:, first == 0].sum(1) == 1)).long()
    model = _trained(graphs, wanted[:, None], int(graphs.nodes.max()) + 1, epochs=20)
    drawn = sample(Guided(model.denoiser, [1], 1.0), model.noise, range(400), seed=0, steps=10)
    hits = (drawn.nodes[:, 1] == graphs.nodes[0, 1]) & (drawn.pairs[:, first == 0].sum(1) == 1)
    base = float(wanted.float().mean())
    assert stats.binomtest(int(hits.sum()), 400, min(1.0, 2 * base), alternative="greater").pvalue < 1e-6


@pytest.mark.parametrize("given", [{"residual": True}, {"positions": False}])
def test_choices_that_a_flat_network_does_not_have_are_refused(given: dict[str, bool]):
    with pytest.raises(ParameterError, match="refused with denoiser=flat"):
        resolve(NB201Parameters, {"denoiser": "flat", **given}, "laptop")
    with pytest.raises(ValueError, match="flat network"):
        FlatDenoiser(replace(SMALL, **given), (2,), Support.of(_mixed_sizes(), K))
