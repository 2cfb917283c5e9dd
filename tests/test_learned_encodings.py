"""arch2vec, CATE, FLAN, zero-cost proxies: symmetries, what they must and must not depend on, and what they learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import kendalltau
from torch import Tensor
from torch.nn.functional import leaky_relu, one_hot
from torch_geometric.data import Batch
from torch_geometric.nn import MessagePassing
from torch_geometric.utils import softmax

from nasrepro.encodings import arch2vec, cate
from nasrepro.encodings.cells import cell_graphs
from nasrepro.encodings.flan import FLAN, FLANConfig, GraphLayer
from nasrepro.encodings.path import path_encoding
from nasrepro.encodings.tabular import tabular_features
from nasrepro.encodings.zero_cost import zero_cost
from nasrepro.graphs import Graphs
from nasrepro.spaces.darts.space import DARTS_CELL, NB301
from nasrepro.spaces.nb101.space import NB101
from nasrepro.spaces.nb201 import NB201

ROWS = np.random.default_rng(0).permutation(NB201.size)[:400]
CELLS = NB201.encode_rows(ROWS)
K = len(NB201.node_classes)


def random_cells(n: int) -> Graphs:
    """Return cells of NAS-Bench-101 with two to seven nodes."""
    rng = np.random.default_rng(1)
    return NB101.encode([NB101.sample(rng) for _ in range(n)])


def padded(graphs: Graphs, extra: int) -> Graphs:
    """Return the same cells with more padding."""
    n, size = graphs.n_nodes, graphs.n_nodes + extra
    nodes, mask = torch.zeros(len(graphs), size, dtype=torch.long), torch.zeros(len(graphs), size, dtype=torch.bool)
    adjacency = torch.zeros(len(graphs), size, size, dtype=torch.long)
    nodes[:, :n], mask[:, :n], adjacency[:, :n, :n] = graphs.nodes, graphs.mask, graphs.adjacency()
    return Graphs.from_adjacency(nodes, adjacency, mask)


def test_arch2vec_learns_to_restore_cells_and_ignores_padding():
    config = arch2vec.Arch2VecConfig(latent=8, hidden=32, epochs=1, batch_size=32)
    start, trained = (
        arch2vec.pretrain(CELLS, K, arch2vec.Arch2VecConfig(8, 32, epochs=e, batch_size=16, learning_rate=3e-3), 0)
        for e in (0, 15)
    )
    start.eval(), trained.eval()
    assert trained.loss(CELLS).item() < 0.7 * start.loss(CELLS).item()
    model = arch2vec.pretrain(random_cells(100), len(NB101.node_classes), config, 0)
    cells = random_cells(20)
    np.testing.assert_allclose(model.embed(cells), model.embed(padded(cells, 2)), atol=1e-5)
    assert len(np.unique(trained.embed(CELLS).round(5), axis=0)) > 300  # of 400 different cells


def test_messages_of_arch2vec_are_products_with_the_adjacency_matrix_bit_for_bit():
    cells = random_cells(50)
    torch.manual_seed(0)
    model = arch2vec.Arch2Vec(len(NB101.node_classes), arch2vec.Arch2VecConfig()).eval()
    adjacency, keep = (cells.adjacency() + cells.adjacency().transpose(1, 2)).float(), cells.mask[..., None]
    x = one_hot(cells.nodes, model.node_classes).float() * keep
    for layer, (mlp, norm) in enumerate(zip(model.mlps, model.norms, strict=True)):
        y = (1 + model.eps[layer]) * x + adjacency @ x
        x = norm(mlp(y.flatten(0, 1))).relu().view(*y.shape[:2], -1) * keep
    for found, expected in zip(model.encode(cells), (model.mean(x), model.log_deviation(x)), strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_cate_restores_operations_better_than_their_frequencies_and_ignores_padding():
    config = cate.CATEConfig(width=16, layers=2, cross_layers=1, epochs=12, batch_size=32, learning_rate=3e-3)
    model = cate.pretrain(CELLS, NB201.node_classes, config, 0).eval()
    share = torch.bincount(CELLS.nodes.flatten(), minlength=K) / CELLS.nodes.numel()
    torch.manual_seed(0)
    assert model.loss(CELLS, CELLS).item() < -(share * share.log()).nansum().item()
    cells = random_cells(20)
    model = cate.CATE(len(NB101.node_classes), 9, config)
    np.testing.assert_allclose(model.embed(cells), model.embed(padded(cells, 2)), atol=1e-5)


def test_a_node_of_cate_reads_what_it_depends_on_and_nothing_else():
    chain = Graphs.from_adjacency(torch.zeros(1, 4, dtype=torch.long), torch.diag(torch.ones(3), 1)[None].long())
    assert torch.equal(~cate._forbidden(chain)[0], torch.ones(4, 4, dtype=torch.bool).tril())


def test_partners_are_similar_and_not_the_cell_itself():
    complexity = cate.complexity(CELLS, NB201.node_classes)
    config = cate.CATEConfig(similar=0.1)
    pairs = cate.similar_pairs(complexity, config, np.random.default_rng(0))
    gaps = complexity[pairs[:, 0]] - complexity[pairs[:, 1]]
    assert len(pairs) > 300 and (pairs[:, 0] != pairs[:, 1]).all()
    assert gaps.min() >= 0 and gaps.max() <= 0.1 * complexity.max() + 1e-6
    chain = NB201.from_string("|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|none~0|none~1|nor_conv_3x3~2|")
    assert cate.complexity(NB201.encode([chain]), NB201.node_classes) == 9 + 1 + 9


def inputs(*parts: Graphs) -> list[torch.Tensor]:
    return [
        torch.stack([g.nodes for g in parts], dim=1),
        torch.stack([g.adjacency() for g in parts], dim=1).float(),
        torch.stack([g.mask for g in parts], dim=1).float(),
    ]


def test_flan_depends_on_the_graph_not_on_the_numbering_of_its_nodes():
    torch.manual_seed(0)
    network = FLAN(("input", "conv1x1-bn-relu", "conv3x3-bn-relu", "output"), FLANConfig()).eval()
    adjacency = torch.zeros(2, 4, 4, dtype=torch.long)
    adjacency[:, 0, 1] = adjacency[:, 0, 2] = adjacency[:, 1, 3] = adjacency[:, 2, 3] = 1
    cells = Graphs.from_adjacency(torch.tensor([[0, 1, 2, 3], [0, 2, 1, 3]]), adjacency)
    a, b = network(*inputs(cells))
    assert a.item() == pytest.approx(b.item(), abs=1e-6)
    other = Graphs.from_adjacency(torch.tensor([[0, 1, 1, 3]]), adjacency[:1])
    assert abs((network(*inputs(other)) - a).item()) > 1e-6


class PassedOn(MessagePassing):
    """The graph layer of FLAN as torch-geometric has graphs: nodes of all cells in one list, and edges."""

    def __init__(self, layer: GraphLayer) -> None:
        super().__init__(aggr="sum")
        self.layer = layer

    def forward(self, x: Tensor, edges: Tensor, pairs: Tensor, operations: Tensor) -> Tensor:
        layer, flow, value = self.layer, self.layer.flow(x), self.layer.value(x)
        flowed = layer.flow_gate(operations).sigmoid() * self.propagate(edges, x=flow, share=None) + flow + layer.bias
        sender, receiver = pairs
        logits = leaky_relu((value[receiver] * layer.attention.weight[0] * value[sender]).sum(-1))
        fed = (edges[0] * len(x) + edges[1])[None] == (sender * len(x) + receiver)[:, None]
        shares = softmax(logits * fed.any(1), receiver)
        attended = self.propagate(pairs, x=value, share=shares[:, None])
        return (flowed + layer.norm(layer.value_gate(operations).sigmoid() * attended)) / 2

    def message(self, x_j: Tensor, share: Tensor | None) -> Tensor:
        return x_j if share is None else share * x_j


def test_a_layer_of_flan_is_message_passing_over_the_edges_of_torch_geometric():
    """Float32 sums in another order; the differences stay below 1e-6 of features of size one."""
    cells = CELLS[:20]
    torch.manual_seed(0)
    layer, size = GraphLayer(16, 24, 8), cells.n_nodes
    x, operations = torch.randn(20, size, 16), torch.randn(20, size, 8)
    dense = layer(x, cells.adjacency().float().transpose(1, 2), operations)
    edges = Batch.from_data_list(cells.to_pyg()).edge_index
    pairs = torch.cat([k * size + torch.cartesian_prod(*[torch.arange(size)] * 2).T for k in range(20)], dim=1)
    passed = PassedOn(layer)(x.flatten(0, 1), edges, pairs, operations.flatten(0, 1))
    torch.testing.assert_close(passed, dense.flatten(0, 1), rtol=0, atol=2e-6)


def test_the_backward_pass_of_flan_matters_and_its_proxies_are_read():
    torch.manual_seed(0)
    network = FLAN(NB201.node_classes, FLANConfig(steps=2), proxies=3).eval()
    scores = network(*inputs(CELLS), torch.zeros(len(CELLS), 3))
    assert not torch.allclose(scores, network(*inputs(CELLS), torch.ones(len(CELLS), 3)))
    with torch.no_grad():
        network.update[-1].weight.zero_()
        network.update[-1].bias.zero_()
    assert not torch.allclose(scores, network(*inputs(CELLS), torch.zeros(len(CELLS), 3)), atol=1e-7)


def test_both_cells_of_a_pair_are_read():
    rng = np.random.default_rng(0)
    pairs = [NB301.sample(rng) for _ in range(30)]
    normal, reduction = cell_graphs(NB301, NB301.encode(pairs))
    for part, which in ((normal, 0), (reduction, 1)):
        alone = DARTS_CELL.encode([pair[which] for pair in pairs])
        assert torch.equal(part.nodes, alone.nodes) and torch.equal(part.pairs, alone.pairs)
    torch.manual_seed(0)
    network = FLAN(NB301.node_classes, FLANConfig(), cells=2).eval()
    changed = inputs(normal, reduction[torch.arange(29, -1, -1)])
    assert not torch.allclose(network(*inputs(normal, reduction)), network(*changed))


def test_the_truncated_path_encoding_keeps_the_most_frequent_paths():
    full, cut = path_encoding(CELLS, NB201.node_classes), path_encoding(CELLS, NB201.node_classes, 20)
    assert cut.shape == (400, 20) and full.shape[1] > 20
    assert sorted(cut.sum(0)) == sorted(np.sort(full.sum(0))[-20:])


def test_imputed_proxies_rank_cells_as_the_published_ones(mirror: Path):
    from nasrepro.benchmarks.nb201 import NB201Benchmark

    benchmark, table = NB201Benchmark(), tabular_features(NB201).table
    assert table is not None
    rows = np.arange(NB201.size)
    scores, found = zero_cost(benchmark, "cifar10", rows[::10], table[::10], rows, table)
    every = np.stack(list(scores.values()))
    assert len(scores) == 13 and np.isfinite(every).all()
    assert every.min() > -0.3 and every.max() < 1.3
    coverage = found["zen"]
    assert coverage.known == coverage.cells and coverage.tau is None
    synflow = found["synflow"]
    assert 0 < synflow.known < synflow.cells and synflow.tau is not None and synflow.tau > 0.7
    published = benchmark.query_many(rows[::10], next(c for c in benchmark.columns() if c.metric == "synflow"))
    have = np.isfinite(published)
    ours = scores["synflow"][have]
    assert kendalltau(ours, published[have]).statistic == pytest.approx(1, abs=0.01)
