"""Permutation behaviour, masking and read-out of the denoiser."""

from dataclasses import replace
from itertools import product

import pytest
import torch

from nasrepro.diffusion.denoiser import Denoiser
from nasrepro.diffusion.denoiser_config import CONFIGS as NAMED
from nasrepro.diffusion.denoiser_config import DEFAULT, PAPER, WHOLE_GRAPH, DenoiserConfig
from nasrepro.errors import ParameterError
from nasrepro.experiments.dinas.generation import denoiser_config
from nasrepro.graphs import Graphs, pair_indices
from nasrepro.parameters.base import resolve
from nasrepro.parameters.dinas import MATRIX_DENOISERS, NB201Parameters

SMALL = {"layers": 2, "heads": 2, "node_dim": 16, "pair_dim": 8, "node_hidden": 16, "pair_hidden": 8}
CONFIGS = {
    "paper": replace(PAPER, **SMALL),
    "paper with head attention": replace(PAPER, attention="head", **SMALL),
    "default": replace(DEFAULT, **SMALL),
    "default with time": replace(DEFAULT, time_input=True, **SMALL),
    "whole graph": replace(WHOLE_GRAPH, graph_hidden=16, **SMALL),
}
K = 5


def _random_graphs(b: int, n: int, seed: int = 0) -> Graphs:
    g = torch.Generator().manual_seed(seed)
    return Graphs(
        torch.randint(K, (b, n), generator=g),
        torch.randint(2, (b, n * (n - 1) // 2), generator=g),
        torch.ones(b, n, dtype=torch.bool),
    )


def _permuted(graphs: Graphs, order: list[int]) -> Graphs:
    """Renumber the nodes; an undirected pair keeps its edge class whichever end comes first."""
    matrix = graphs.adjacency()
    matrix = (matrix + matrix.transpose(1, 2))[:, order][:, :, order]
    rows, columns = pair_indices(graphs.n_nodes)
    return Graphs(graphs.nodes[:, order], matrix[:, rows, columns], graphs.mask[:, order])


def _pair_matrix(pairs: torch.Tensor, n: int) -> torch.Tensor:
    matrix = torch.zeros(pairs.shape[0], n, n, 2)
    rows, columns = pair_indices(n)
    matrix[:, rows, columns] = pairs
    matrix[:, columns, rows] = pairs
    return matrix


def _network(config: DenoiserConfig) -> Denoiser:
    torch.manual_seed(0)
    return Denoiser(config, K, (2, 3), 7).eval()


@pytest.mark.parametrize("name", ["paper", "paper with head attention"])
@torch.no_grad()
def test_without_positions_a_digress_network_is_equivariant_and_with_them_it_is_not(name: str):
    graphs, order, classes = _random_graphs(3, 6), [3, 0, 5, 1, 4, 2], torch.tensor([[0, 2]]).expand(3, -1)
    for positions in (False, True):
        network = _network(replace(CONFIGS[name], positions=positions))
        before = network(graphs, torch.zeros(3), classes)
        after = network(_permuted(graphs, order), torch.zeros(3), classes)
        moved = _pair_matrix(before.pairs, 6)[:, order][:, :, order]
        same_nodes = torch.allclose(before.nodes[:, order], after.nodes, atol=1e-5)
        same_pairs = torch.allclose(moved, _pair_matrix(after.pairs, 6), atol=1e-5)
        assert (same_nodes, same_pairs) == ((True, True) if not positions else (False, False))


@torch.no_grad()
def test_the_default_network_is_equivariant_in_its_nodes_and_reads_pairs_in_node_order():
    """Its pair read-out tells the earlier from the later end, which is how a directed edge is told from its reverse."""
    graphs, order, classes = _random_graphs(3, 6), [3, 0, 5, 1, 4, 2], torch.tensor([[0, 2]]).expand(3, -1)
    network = _network(replace(CONFIGS["default"], positions=False))
    before, after = (network(g, torch.zeros(3), classes) for g in (graphs, _permuted(graphs, order)))
    assert torch.allclose(before.nodes[:, order], after.nodes, atol=1e-5)
    kept = [(i, j) for i in range(6) for j in range(i + 1, 6) if order[i] < order[j]]
    assert len(kept) == 8
    old, new = _pair_matrix(before.pairs, 6), _pair_matrix(after.pairs, 6)
    for i, j in kept:
        assert torch.allclose(old[:, order[i], order[j]], new[:, i, j], atol=1e-5)


@torch.no_grad()
def test_a_whole_graph_network_knows_nodes_by_their_place_even_without_positions():
    graphs, order, classes = _random_graphs(3, 6), [3, 0, 5, 1, 4, 2], torch.tensor([[0, 2]]).expand(3, -1)
    network = _network(replace(CONFIGS["whole graph"], positions=False))
    before, after = (network(g, torch.zeros(3), classes) for g in (graphs, _permuted(graphs, order)))
    assert not torch.allclose(before.nodes[:, order], after.nodes, atol=1e-3)


def test_a_whole_graph_network_has_to_know_the_size_of_the_largest_graph():
    with pytest.raises(ValueError, match="most_nodes"):
        Denoiser(CONFIGS["whole graph"], K, (2,))


@pytest.mark.parametrize("name", CONFIGS)
@torch.no_grad()
def test_padding_changes_nothing(name: str):
    network, small = _network(CONFIGS[name]), _random_graphs(4, 5)
    rows, columns = pair_indices(7)
    adjacency = torch.full((4, 7, 7), 1).triu(1)  # rubbish in the padding
    adjacency[:, :5, :5] = small.adjacency()
    nodes = torch.full((4, 7), K - 1)
    nodes[:, :5] = small.nodes
    padded = Graphs(nodes, adjacency[:, rows, columns], torch.arange(7).expand(4, -1) < 5)
    classes, t = torch.tensor([[1, 0]]).expand(4, -1), torch.full((4,), 0.3)
    a, b = network(small, t, classes), network(padded, t, classes)
    assert torch.allclose(a.nodes, b.nodes[:, :5], atol=1e-5)
    assert torch.allclose(_pair_matrix(a.pairs, 5), _pair_matrix(b.pairs, 7)[:, :5, :5], atol=1e-5)


@pytest.mark.parametrize("name", CONFIGS)
def test_every_weight_receives_a_gradient(name: str):
    """The public code carries 33 million parameters that never do."""
    network, graphs = _network(CONFIGS[name]), _random_graphs(16, 6)
    classes = torch.stack([torch.arange(16) % 3, torch.arange(16) % 4], 1)
    logits = network(graphs, torch.rand(16), classes)
    (logits.nodes.square().sum() + logits.pairs.square().sum()).backward()
    # the last layer of a DiGress network updates pairs from scores and nodes from values: both reach the read-out
    unused = [n for n, p in network.named_parameters() if p.grad is None]
    assert unused == []


@torch.no_grad()
def test_each_condition_matters_and_time_only_where_it_is_an_input():
    graphs, t = _random_graphs(2, 6), torch.tensor([0.1, 0.1])
    for name, config in CONFIGS.items():
        network = _network(config)
        base = network(graphs, t, torch.tensor([[0, 0]]).expand(2, -1)).nodes
        for other in ([1, 0], [0, 1], [2, 3]):
            assert not torch.allclose(base, network(graphs, t, torch.tensor([other]).expand(2, -1)).nodes)
        later = network(graphs, t + 0.5, torch.tensor([[0, 0]]).expand(2, -1)).nodes
        assert torch.equal(base, later) != ("time" in name)


def test_the_paper_configuration_has_the_published_size():
    """9.16 M parameters of the public code receive a gradient; ours leaves out its unused global-feature updates."""
    network = Denoiser(PAPER, 7, (2,))
    assert network.core.layers[0].qkv.in_features == 512
    assert 8.0e6 < sum(p.numel() for p in network.parameters()) < 9.2e6


SWITCHES = ("positions", "time_input", "residual", "linear_inputs")


@pytest.mark.parametrize("name", [name for name in NAMED if name != "flat"])  # which has no switches
@torch.no_grad()
def test_each_denoiser_runs_with_each_set_of_switches_that_it_may_have_and_refuses_the_others(name: str):
    graphs, classes = _random_graphs(3, 6), torch.tensor([[0, 2]]).expand(3, -1)
    for values in product((False, True), repeat=len(SWITCHES)):
        given = dict(zip(SWITCHES, values, strict=True))
        asked = resolve(NB201Parameters, {"denoiser": name} | (given | {"linear_inputs": False}), "laptop")
        config = denoiser_config(asked.model_copy(update=given))
        assert {s: getattr(config, s) for s in SWITCHES} == given
        if given["linear_inputs"] and config.pairs == "upper":
            with pytest.raises(ValueError, match="linear_inputs"):
                _network(config)
            with pytest.raises(ParameterError, match=r"Take denoiser=paper or matrix-channels or matrix-heads, or"):
                resolve(NB201Parameters, {"denoiser": name} | given, "laptop")
            continue
        assert resolve(NB201Parameters, {"denoiser": name} | given, "laptop") == asked.model_copy(update=given)
        logits = _network(config)(graphs, torch.full((3,), 0.5), classes)
        assert logits.nodes.shape == (3, 6, K) and logits.pairs.shape == (3, 15, 2)
        assert logits.nodes.isfinite().all() and logits.pairs.isfinite().all()


def test_the_parameters_know_which_denoisers_have_full_pairs():
    assert {name for name, config in NAMED.items() if config.pairs == "full"} == set(MATRIX_DENOISERS)
