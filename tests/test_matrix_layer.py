"""The DiGress layer: its tiled attention against the formula, its dropout, and the whole network against what the
public code of DiNAS computes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nasrepro.diffusion import matrix_layer
from nasrepro.diffusion.denoiser import Denoiser, OneHotNetwork
from nasrepro.diffusion.denoiser_config import PAPER, PUBLIC_CODE
from nasrepro.diffusion.matrix_layer import ChannelAttention, Dropout
from nasrepro.diffusion.noise import public_code_schedule
from nasrepro.graphs import Graphs

B, N, C = 5, 4, 6


def _plain(q: Tensor, k: Tensor, v: Tensor, pairs: Tensor, film: Tensor, blocked: Tensor | None):
    """The formula as it is written, in one piece."""
    m, a = pairs.chunk(2, -1)
    scores = q[:, :, None] * k[:, None] * (1 + m) + a
    weights = (scores if blocked is None else scores + blocked).softmax(2)
    shift, gain = (z[:, None, None] for z in film.chunk(2, -1))
    return (weights * v[:, None]).sum(2), shift + scores * (1 + gain)


def _inputs(padded: bool) -> tuple[list[Tensor], Tensor | None]:
    g = torch.Generator().manual_seed(1)
    shapes = [(B, N, C)] * 3 + [(B, N, N, 2 * C), (B, 2 * C)]
    inputs = [torch.randn(s, generator=g, dtype=torch.float64).requires_grad_() for s in shapes]
    sizes = torch.tensor([4, 3, 2, 4, 1])
    blocked = torch.where(torch.arange(N) < sizes[:, None], 0.0, -1e9).double()[:, None, :, None]
    return inputs, blocked if padded else None


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("tile", [1, 2 * N * N * C, 10**6])
def test_tiled_attention_is_the_formula_forwards_and_backwards(monkeypatch, padded: bool, tile: int):
    monkeypatch.setattr(matrix_layer, "_tile", tile)
    results = []
    for function in (ChannelAttention.apply, _plain):
        inputs, blocked = _inputs(padded)
        mixed, f = function(*inputs, blocked)
        (mixed.sin().sum() + f.cos().sum()).backward()
        results.append([mixed, f, *(z.grad for z in inputs)])
    for mine, formula in zip(*results, strict=True):
        torch.testing.assert_close(mine, formula)


def _dropped_by_lane(y: Tensor) -> Tensor:
    """Return the share dropped by each of the four decisions of a random number, which runs on over the rows."""
    return (y == 0).view(-1)[: y.numel() // 4 * 4].view(-1, 4).double().mean(0)


def test_a_lane_that_drops_more_often_than_the_others_is_noticed():
    """Its columns do not tell it, as rows of 1,001 elements mix the lanes."""
    shares = torch.tensor([0.25, 0.05, 0.05, 0.05]).repeat(400 * 1001 // 4)
    y = (torch.rand(shares.shape, generator=torch.Generator().manual_seed(0)) >= shares).view(400, 1001)
    assert abs((y == 0).double().mean() - 0.1) < 0.01
    columns = (y == 0).double().mean(0).view(-1)[:1000].view(-1, 4).mean(0)
    assert (columns - 0.1).abs().max() < 5 * (0.1 * 0.9 / 100_000) ** 0.5
    assert (_dropped_by_lane(y) - 0.1).abs().max() > 0.1


def test_dropout_drops_as_often_as_asked_scales_what_is_left_and_does_nothing_in_evaluation():
    torch.manual_seed(0)
    layer, x = Dropout(0.1), torch.ones(400, 1001, requires_grad=True)
    y = layer(x)
    y.sum().backward()
    dropped = (y == 0).double().mean()
    assert abs(dropped - 0.1) < 4 * (0.1 * 0.9 / y.numel()) ** 0.5
    assert torch.equal(y.unique(), torch.tensor([0.0, 1 / (1 - 6554 / 2**16)]))
    assert torch.equal(x.grad, y.detach())
    lanes = _dropped_by_lane(y)
    assert (lanes - 0.1).abs().max() < 5 * (0.1 * 0.9 / 100_000) ** 0.5
    assert torch.equal(layer.eval()(x), x)
    assert not torch.equal(layer.train()(x), layer(x))


@torch.no_grad()
def test_one_hot_inputs_are_a_network_of_one_hot_vectors_and_of_the_zero_vector():
    network = OneHotNetwork(5, 8, 3, rectified=True)
    vectors = torch.cat([torch.eye(5), torch.zeros(1, 5)])
    wanted = F.relu(network.second(F.relu(network.first(vectors))))
    torch.testing.assert_close(network(torch.arange(6)), wanted)


SMALL = replace(PUBLIC_CODE, layers=2, heads=2, node_dim=16, pair_dim=8, node_hidden=16, pair_hidden=8)


def _graphs(b: int = 3, n: int = 5) -> Graphs:
    g = torch.Generator().manual_seed(0)
    nodes, pairs = torch.randint(4, (b, n), generator=g), torch.randint(2, (b, n * (n - 1) // 2), generator=g)
    return Graphs(nodes, pairs, torch.ones(b, n, dtype=torch.bool))


@torch.no_grad()
def test_the_residual_adds_the_noisy_graph_to_the_logits():
    graphs, t, classes = _graphs(), torch.zeros(3), torch.ones(3, 1, dtype=torch.long)
    with_residual = Denoiser(SMALL, 4, (2,)).eval()
    without = Denoiser(replace(SMALL, residual=False), 4, (2,)).eval()
    without.load_state_dict(with_residual.state_dict())
    a, b = with_residual(graphs, t, classes), without(graphs, t, classes)
    torch.testing.assert_close(a.nodes - b.nodes, F.one_hot(graphs.nodes, 4).float())
    torch.testing.assert_close(a.pairs - b.pairs, F.one_hot(graphs.pairs, 2).float())


@torch.no_grad()
def test_the_diagonal_has_the_features_of_the_zero_vector_and_they_matter():
    network, graphs = Denoiser(SMALL, 4, (2,)).eval(), _graphs()
    before = network(graphs, torch.zeros(3), torch.zeros(3, 1, dtype=torch.long)).nodes
    seen = []
    network.core.layers[0].register_forward_pre_hook(lambda _, args: seen.append(args[1]))
    network(graphs, torch.zeros(3), torch.zeros(3, 1, dtype=torch.long))
    zero = network.pair_in(torch.tensor([2]))[0]
    diagonal = seen[0][..., : SMALL.pair_dim].diagonal(dim1=1, dim2=2)
    torch.testing.assert_close(diagonal, zero[:, None].expand_as(diagonal))
    network.pair_in.first.bias += 0.5  # moves the diagonal, and every other pair
    assert not torch.allclose(before, network(graphs, torch.zeros(3), torch.zeros(3, 1, dtype=torch.long)).nodes)


@pytest.mark.parametrize("total", [10, 500])
def test_the_schedule_of_the_public_code_is_that_of_its_formula(total: int):
    """Written out as the formula, step by step, in numpy."""
    x = np.linspace(0, total + 2, total + 2)
    f = np.cos(np.pi / 2 * (x / (total + 2) + 0.008) / 1.008) ** 2
    beta = np.minimum(1 - f[1:] / f[:-1], 0.9999)
    expected = [np.prod(1 - beta[: t + 1]) for t in range(total + 1)]
    np.testing.assert_allclose(public_code_schedule(total).numpy(), expected, atol=1e-12)


class _Lookup(nn.Module):
    """Features by class, as they are given."""

    def __init__(self, table: np.ndarray) -> None:
        super().__init__()
        self.table = torch.from_numpy(table)

    def forward(self, classes: Tensor) -> Tensor:
        return F.embedding(classes.squeeze(-1) if classes.shape[-1] == 1 else classes, self.table)


def _features(data, name: str) -> np.ndarray:
    second = torch.from_numpy(data[f"{name}.second.weight"]), torch.from_numpy(data[f"{name}.second.bias"])
    return F.relu(F.linear(F.relu(torch.from_numpy(data[f"{name}.first"])), *second)).numpy()


@pytest.fixture(scope="module")
def public_code(parity: Path) -> dict[str, np.ndarray]:
    """What the public modules compute on fixed inputs; the file lies outside the project."""
    return dict(np.load(parity / "dinas_public_code.npz"))


@torch.no_grad()
def test_the_network_computes_what_the_public_code_computes(public_code):
    config = replace(
        PUBLIC_CODE, layers=2, heads=4, node_dim=32, pair_dim=16, node_hidden=48, pair_hidden=24, dropout=0.0
    )
    network = Denoiser(config, 7, (2,)).eval()
    core = {k.removeprefix("core."): torch.from_numpy(v) for k, v in public_code.items() if k.startswith("core.")}
    network.core.load_state_dict({k.replace("linear0", "0").replace("linear1", "2"): v for k, v in core.items()})
    network.node_in = _Lookup(_features(public_code, "node_in"))
    diagonal = public_code["pair_in.diagonal"][None]
    network.pair_in = _Lookup(np.concatenate([_features(public_code, "pair_in"), diagonal]))
    network.condition = _Lookup(public_code["condition.table"])
    graphs = Graphs(*(torch.from_numpy(public_code[name]) for name in ("nodes", "pairs", "mask")))
    for condition in range(3):
        logits = network(graphs, torch.zeros(6), torch.full((6, 1), condition))
        for mine, name, mask in (
            (logits.nodes, "logits_nodes", graphs.mask),
            (logits.pairs, "logits_pairs", graphs.pair_mask),
        ):
            theirs = torch.from_numpy(public_code[name][condition])
            assert (mine - theirs)[mask].abs().max() < 1e-5, name


@pytest.mark.parametrize("total", [10, 500])
def test_the_schedule_is_that_which_the_public_code_computes(public_code, total: int):
    np.testing.assert_allclose(public_code_schedule(total).numpy(), public_code[f"abar_T{total}"], atol=1e-5)


def test_the_public_code_is_the_paper_network_with_two_choices_more():
    assert replace(PUBLIC_CODE, residual=False, linear_inputs=False) == PAPER
