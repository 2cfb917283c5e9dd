"""Cells as torch networks (parameters, multiply-adds, forward passes) and Zen-score."""

from __future__ import annotations

import ast
import json
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from nasrepro.benchmarks.base import MEAN, Column
from nasrepro.benchmarks.nb201 import NB201Benchmark
from nasrepro.errors import InvalidArchitecture, UnknownQuery
from nasrepro.proxies import complexity
from nasrepro.proxies.networks import NETWORKS, build, initialise
from nasrepro.proxies.networks.darts import DARTSNetwork, drop_path
from nasrepro.proxies.networks.nb101 import NB101Cell
from nasrepro.proxies.networks.operations import CellNetwork, DenseCell, FactorizedReduce
from nasrepro.proxies.zen import zen
from nasrepro.spaces.darts import genotype as darts_genotype
from nasrepro.spaces.darts.space import NB301
from nasrepro.spaces.nb101.space import Cell
from nasrepro.spaces.nb201 import NB201
from nasrepro.spaces.transnas import TNB101_MACRO, TNB101_MICRO

INPUT, POOL, CONV1, CONV3, OUTPUT = range(5)  # node classes of NAS-Bench-101
DARTS_V2 = (
    "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), "
    "('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5], "
    "reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0), "
    "('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], reduce_concat=[2, 3, 4, 5])"
)
DEAD = (0, 3, 2, 0, 0, 0)  # nothing reaches the output


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """Small convolutions gain nothing from more."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def small(arch: tuple[int, ...] = (3, 1, 4, 2, 0, 3), seed: int = 0) -> CellNetwork:
    return build("nb201", arch, seeded(seed), channels=4, n_cells=1)


SAMPLES: dict[
    str, tuple[Any, dict[str, int], int]
] = {  # space: architecture, options, channels of the last feature map
    "nb101": (Cell((INPUT, CONV3, POOL, OUTPUT), ((0, 1), (0, 2), (1, 2), (1, 3), (2, 3))), {"channels": 8}, 32),
    "nb201": ((3, 1, 4, 2, 0, 3), {"channels": 4, "n_cells": 1}, 16),
    "tnb101-micro": ((3, 1, 0, 2, 1, 3), {"channels": 4}, 32),
    "tnb101-macro": ((1, 2, 3, 4), {"channels": 4}, 16),
    "nb301": (darts_genotype.read_pair(DARTS_V2), {"channels": 4, "n_cells": 5}, 64),
}


# Networks


@pytest.mark.parametrize("space", NETWORKS)
def test_features_and_logits_have_their_shapes_and_gradients_reach_every_parameter(space: str):
    arch, options, channels = SAMPLES[space]
    network = build(space, arch, seeded(), n_classes=7, **options)
    images = torch.randn(2, 3, 32, 32, generator=seeded(1))
    features = network.features(images)
    assert features.shape[:2] == (2, channels)
    assert features.shape[2] == {"tnb101-micro": 1, "tnb101-macro": 2}.get(space, 8)
    logits = network.eval()(images)
    torch.testing.assert_close(logits, network.head(network.features(images).mean((2, 3))))
    assert logits.shape == (2, 7)
    network(images).square().sum().backward()
    assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize("space", NETWORKS)
def test_weights_depend_on_the_generator_alone_and_leave_the_global_state(space: str):
    arch, options, _ = SAMPLES[space]
    before = torch.random.get_rng_state()
    one, same, other = (build(space, arch, seeded(s), **options).state_dict() for s in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(one[k], same[k]) for k in one)
    assert not torch.equal(one["head.weight"], other["head.weight"])
    assert all(torch.isfinite(v).all() for v in one.values())
    assert all(p.is_meta for p in build(space, arch, **options).parameters())


def test_initial_weights_are_distributed_as_pytorch_draws_them():
    layer = nn.Conv2d(8, 300, 3)
    reference = layer.weight.detach().flatten().numpy().copy()
    initialise(layer, seeded())
    assert stats.ks_2samp(layer.weight.detach().flatten().numpy(), reference).pvalue > 1e-3
    assert layer.bias is not None and 0.9 < layer.bias.abs().max() * math.sqrt(72) <= 1
    initialise(layer, seeded(), gaussian=True)
    assert stats.kstest(layer.weight.detach().flatten().numpy(), "norm").pvalue > 1e-3
    assert not layer.bias.any()


def test_a_space_without_networks_and_a_cell_outside_its_space_are_refused():
    with pytest.raises(UnknownQuery, match="Did you mean `nb201`"):
        build("nb211", (0,) * 6)
    for space in NETWORKS:
        with pytest.raises(InvalidArchitecture):
            build(space, (9,) * 6)


class Scale(nn.Module):
    def __init__(self, factor: float):
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x


def test_a_dense_cell_sums_over_all_paths():
    a, b, c, d, e, f = factors = (2.0, 3.0, 5.0, 7.0, 11.0, 13.0)  # edges 01, 02, 12, 03, 13, 23
    x = torch.randn(2, 3, 4, 4, generator=seeded())
    paths = d + a * e + b * f + a * c * f
    torch.testing.assert_close(DenseCell([Scale(k) for k in factors])(x), paths * x)


def test_cells_of_skip_connections_or_poolings_multiply_by_four_and_a_dead_cell_gives_zero():
    x = torch.randn(1, 4, 8, 8, generator=seeded())
    body = small((1,) * 6).body
    assert isinstance(body, nn.Sequential)
    torch.testing.assert_close(body[1](x), 4 * x)
    body = small((4,) * 6).body  # pooling leaves the padding out of the mean
    assert isinstance(body, nn.Sequential)
    torch.testing.assert_close(body[1](torch.ones_like(x)), 4 * torch.ones_like(x))
    body = small(DEAD).body
    assert isinstance(body, nn.Sequential) and not body[1](x).any()


def test_factorized_reduce_sees_even_places_and_odd_places():
    reduce = FactorizedReduce(1, 2).eval()
    x = torch.arange(1.0, 17).reshape(1, 1, 4, 4)
    for convolution in (reduce.even, reduce.odd):
        nn.init.ones_(convolution.weight)
    expected = torch.stack([x[0, 0, ::2, ::2], x[0, 0, 1::2, 1::2]])[None] / math.sqrt(1 + 1e-5)
    torch.testing.assert_close(reduce(x), expected)
    assert FactorizedReduce(1, 2)(torch.ones(1, 1, 5, 5)).shape == (1, 2, 3, 3)


def test_a_nb101_cell_worked_out_by_hand():
    """Vertex 1 (convolution) and 2 (pooling) lead to the output, which has five channels: they have three and two."""
    cell = NB101Cell(SAMPLES["nb101"][0], 4, 5).eval()
    x = torch.randn(2, 4, 6, 6, generator=seeded())
    one = cell.operations[0](cell.projections["1"](x))
    two = nn.functional.max_pool2d(one[:, :2] + cell.projections["2"](x), 3, 1, 1)
    assert one.shape[1] == 3 and set(cell.projections) == {"1", "2"}
    torch.testing.assert_close(cell(x), torch.cat([one, two], 1))
    joined = NB101Cell(Cell((INPUT, CONV1, OUTPUT), ((0, 1), (0, 2), (1, 2))), 4, 5).eval()
    inner = joined.operations[0](joined.projections["1"](x))
    torch.testing.assert_close(joined(x), inner + joined.projections["2"](x))
    plain = NB101Cell(Cell((INPUT, OUTPUT), ((0, 1),)), 4, 5).eval()
    torch.testing.assert_close(plain(x), plain.projections["1"](x))


def test_drop_path_drops_whole_samples_and_keeps_the_mean():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        out = drop_path(torch.ones(4000, 2, 3, 3), 0.3)
    dropped = int((out.flatten(1).sum(1) == 0).sum())
    assert stats.binomtest(dropped, 4000, 0.3).pvalue > 1e-3
    assert torch.equal(out.flatten(1).amin(1), out.flatten(1).amax(1))  # a sample is dropped as a whole
    torch.testing.assert_close(out.max(), torch.tensor(1 / 0.7))


def test_darts_networks_drop_paths_only_while_training_and_have_an_auxiliary_head():
    arch, options, _ = SAMPLES["nb301"]
    network = build("nb301", arch, seeded(), auxiliary=True, **options)
    assert isinstance(network, DARTSNetwork)
    images = torch.randn(3, 3, 32, 32, generator=seeded(1))
    logits, auxiliary = network.forward_with_auxiliary(images)
    assert logits.shape == auxiliary.shape == (3, 10)
    torch.testing.assert_close(logits, network(images))
    network.drop_path = 0.9
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        assert not torch.allclose(network(images), logits, atol=1e-4)
    network.eval()
    torch.testing.assert_close(network(images), network(images), rtol=0, atol=0)
    without = build("nb301", arch, **options)
    assert isinstance(without, DARTSNetwork)
    with pytest.raises(ValueError, match="auxiliary"):
        without.forward_with_auxiliary(images)
    head = sum(p.numel() for p in network.auxiliary.parameters())  # type: ignore[union-attr]
    assert complexity.parameters(network) == complexity.parameters(without) + head


# Parameters and multiply-adds


@pytest.mark.parametrize(("dataset", "classes"), [("cifar10", 10), ("cifar100", 100), ("imagenet16-120", 120)])
def test_parameters_of_nb201_are_those_of_the_benchmark(dataset: str, classes: int):
    rows = np.random.default_rng(0).integers(NB201.size, size=25)
    millions = NB201Benchmark().query_many(rows, Column(dataset, "published_parameters", "model", 0, MEAN))
    counted = [
        complexity.parameters(build("nb201", NB201.from_index(int(row)), n_classes=classes)) for row in rows.tolist()
    ]
    np.testing.assert_allclose(np.array(counted) / 1e6, millions, atol=5e-7)


def test_multiply_adds_of_nb201_are_those_of_the_published_formula():
    rng = np.random.default_rng(0)
    for row in [0, NB201.size - 1, *rng.integers(NB201.size, size=4)]:
        arch = NB201.from_index(int(row))
        network = build("nb201", arch)
        assert complexity.flops(network) == 7_783_050 + 3_932_160 * arch.count(2) + 35_389_440 * arch.count(3)
        assert complexity.flops(network, 16) < complexity.flops(network) / 3.9


@pytest.mark.parametrize(
    ("operations", "edges", "count"),
    [
        ((CONV3, POOL, CONV3, CONV3, CONV1), "01 04 05 12 23 26 35 45 56", 8_555_530),  # the first official hash
        ((CONV1, CONV1, CONV3, CONV1, CONV3), "01 12 23 34 35 36 45 56", 5_878_154),  # the second
        ((), "01", 882_570),
    ],
)
def test_parameters_of_nb101_are_those_of_the_benchmark(operations: tuple[int, ...], edges: str, count: int):
    cell = Cell((INPUT, *operations, OUTPUT), tuple((int(a), int(b)) for a, b in edges.split()))
    assert complexity.parameters(build("nb101", cell)) == count


def _edges(adjacency: np.ndarray) -> tuple[tuple[int, int], ...]:
    return tuple((int(i), int(j)) for i, j in np.argwhere(adjacency))


@pytest.mark.mirror
def test_parameters_of_nb101_are_those_of_an_independent_table(oracle: Path):
    table = pd.read_parquet(oracle / "nb101.parquet")
    classes = {"3": CONV3, "1": CONV1, "p": POOL}
    sample = pd.concat([table[table["n_nodes"] < 4], table.sample(30, random_state=0)])
    for cell in sample.itertuples():
        size = math.isqrt(len(cell.adj))
        adjacency = np.array(list(cell.adj), dtype=int).reshape(size, size)[: cell.n_nodes, : cell.n_nodes]
        nodes = (INPUT, *(classes[op] for op in cell.ops), OUTPUT)
        assert complexity.parameters(build("nb101", Cell(nodes, _edges(adjacency)))) == cell.trainable_params


def test_parameters_of_the_published_darts_network():
    """The authors' log of DARTS (second order) says 3.349342 million, without the auxiliary head."""
    assert complexity.parameters(build("nb301", NB301.from_string(DARTS_V2))) == 3_349_342


@pytest.mark.mirror
def test_parameters_of_nb301_are_those_of_naslib_but_for_its_untrained_scales(mirror: Path):
    """NASLib's normalisations inside cells have no trainable scale and offset; those of the benchmark have."""
    published = json.loads((mirror / "nb301_xgb_c.json").read_text())["nasbench301"]["cifar10"]
    for text, values in list(published.items())[::25]:
        pair = tuple(tuple(map(tuple, cell)) for cell in ast.literal_eval(text))
        network = build("nb301", pair, channels=32, n_cells=8)
        assert isinstance(network, DARTSNetwork)
        affine = sum(
            complexity.parameters(module)
            for cell in network.cells
            for module in cell.operations.modules()  # type: ignore[union-attr, operator]
            if isinstance(module, nn.BatchNorm2d)
        )
        assert complexity.parameters(network) - affine == round(values["params"] * 1e6)


@pytest.mark.mirror
@pytest.mark.parametrize(("task", "classes"), [("class_object", 100), ("class_scene", 63)])
def test_parameters_of_tnb101_are_those_of_naslib(oracle: Path, task: str, classes: int):
    for space in (TNB101_MICRO, TNB101_MACRO):
        table = pd.read_parquet(oracle / f"{space.name.replace('-', '_')}.parquet")
        sample = table[table[f"{task}_zc_params"].notna()].sample(25, random_state=0)
        for text, millions in zip(sample["arch"], sample[f"{task}_zc_params"], strict=True):
            network = build(space.name, space.from_string(text), n_classes=classes)
            assert complexity.parameters(network) == round(millions * 1e6), text


def test_multiply_adds_worked_out_by_hand():
    network = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(512, 5))
    assert complexity.flops(network, 16) == 8 * 8 * 8 * (27 + 1) + 5 * (512 + 1)
    assert not network[0].weight.is_meta  # the network itself stays where it was


# Zen-score


class Untrained(CellNetwork):
    def __init__(self, *body: nn.Module):
        super().__init__()
        self.body = nn.Sequential(*body)


def test_zen_of_the_identity_is_the_logarithm_of_the_mean_change():
    score = zen(Untrained(), seeded(), batch_size=64, resolution=32)
    assert score == pytest.approx(math.log(0.01 * math.sqrt(2 / math.pi) * 3 * 32**2), abs=0.01)


def test_zen_adds_what_normalisation_takes_away_as_far_as_the_running_variance_says():
    identity = zen(Untrained(), seeded(), batch_size=64)
    for factor in (1, 10, 100):
        score = zen(Untrained(Scale(factor), nn.BatchNorm2d(3)), seeded(), batch_size=64)
        assert score == pytest.approx(identity + math.log(0.81 + 0.19 * factor**2) / 2, abs=0.01)


def test_zen_leaves_the_network_and_the_global_state_and_depends_on_the_generator_alone():
    network = small()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    state = torch.random.get_rng_state()
    generator = seeded()
    first, second = (zen(network, generator, batch_size=2, resolution=16) for _ in range(2))
    assert first != second
    assert zen(small(seed=5).eval(), seeded(), batch_size=2, resolution=16) == first
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())
    assert torch.equal(torch.random.get_rng_state(), state)


def test_zen_of_a_dead_cell_is_minus_infinity():
    assert zen(small(DEAD), seeded(), batch_size=2, resolution=16) == -math.inf


def _rank_correlation(a: list[float], b: list[float]) -> float:
    return float(stats.spearmanr(a, b).statistic)


@pytest.mark.mirror
def test_zen_ranks_nb201_cells_as_published(mirror: Path):
    rows = np.random.default_rng(1).integers(NB201.size, size=28)
    rows[:2] = NB201.rows([DEAD, (0,) * 6])
    generator = seeded()
    ours = [zen(build("nb201", NB201.from_index(r), generator), generator, batch_size=2) for r in rows.tolist()]
    for dataset in ("cifar10", "cifar100", "imagenet16-120"):
        published = NB201Benchmark().query_many(rows, Column(dataset, "zen", "proxy", 0, MEAN))
        np.testing.assert_array_equal(np.isinf(ours), published == -1e8)  # what stands there for dead cells
        assert _rank_correlation(ours, published.tolist()) > 0.98


def _published(path: Path, part: str) -> list[dict[str, Any]]:
    with zipfile.ZipFile(path) as archive:
        name = next(name for name in sorted(archive.namelist()) if part in name)
        entries: list[dict[str, Any]] = json.loads(archive.read(name))
    return entries


def _from_naslib(numbers: tuple[int, ...]) -> Cell:
    """Return the cell of NASLib's tuple as it stands; `NB101.from_naslib` would enumerate the space first."""
    size = math.isqrt(len(numbers))  # n x n + n numbers
    nodes = tuple((INPUT, OUTPUT, POOL, CONV1, CONV3)[i] for i in numbers[size**2 :])
    return Cell(nodes, _edges(np.array(numbers[: size**2]).reshape(size, size)))


@pytest.mark.mirror
def test_zen_ranks_tnb101_and_nb101_cells_as_published(mirror: Path):
    entries = _published(mirror / "tnb101_micro_final_zen.zip", "class_object--1000")[::70]
    generator = seeded()
    ours = [
        zen(build("tnb101-micro", ast.literal_eval(e["arch"]), generator), generator, batch_size=2) for e in entries
    ]
    published = [e["zen"]["score"] for e in entries]
    np.testing.assert_array_equal(np.isinf(ours), np.array(published) == -1e8)
    assert _rank_correlation(ours, published) > 0.98

    entries = _published(mirror / "nb101_zen.zip", "cifar10--5250")[::20]
    cells = [_from_naslib(ast.literal_eval(e["arch"])) for e in entries]
    ours = [zen(build("nb101", c, generator), generator, batch_size=2, resolution=16) for c in cells]
    assert _rank_correlation(ours, [e["zen"]["score"] for e in entries]) > 0.97
