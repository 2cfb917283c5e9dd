"""The exact denoiser: Bayes' rule slot by slot, against brute force and against what sampling must give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from nasrepro import experiments
from nasrepro.benchmarks.hw_nb201 import HWNB201Benchmark, device_column
from nasrepro.benchmarks.nb201 import NB201Benchmark
from nasrepro.diffusion.exact import ExactDenoiser
from nasrepro.diffusion.model import NoiseModel
from nasrepro.diffusion.noise import diffuse, transition
from nasrepro.diffusion.sample import sample
from nasrepro.experiments.dinas import exact_denoiser, hw, nb201
from nasrepro.graphs import Graphs
from nasrepro.report.dinas import exact_denoiser as exact_table
from nasrepro.runs.plan import Shown
from nasrepro.runs.records import Record, Run
from nasrepro.runs.run import RunContext, run

K, T = 3, 100


@pytest.fixture
def clean() -> Graphs:
    """Eight graphs of three or four nodes, some alike but for one slot."""
    generator = torch.Generator().manual_seed(3)
    mask = torch.ones(8, 4, dtype=torch.bool)
    mask[5:, 3] = False
    nodes = torch.randint(K, (8, 4), generator=generator) * mask
    graphs = Graphs(nodes, torch.randint(2, (8, 6), generator=generator), mask)
    return Graphs(graphs.nodes, graphs.pairs * graphs.pair_mask, mask)


def noisy_of(clean: Graphs, noise: NoiseModel, time: int, which: torch.Tensor, seed: int = 0) -> Graphs:
    generator, part = torch.Generator().manual_seed(seed), clean[which]
    keep = noise.keep[time].float().expand(len(which))
    return Graphs(
        diffuse(part.nodes, keep, noise.node_marginal, generator) * part.mask,
        diffuse(part.pairs, keep, noise.pair_marginal, generator) * part.pair_mask,
        part.mask,
    )


@pytest.mark.parametrize("time", [1, 20, 60, 99])
def test_weights_are_bayes_rule_over_all_slots(clean: Graphs, time: int):
    noise = NoiseModel.fit(clean, K, T)
    noisy = noisy_of(clean, noise, time, torch.arange(8).repeat(4), seed=time)
    keep = float(noise.keep[time])
    nodes, pairs = (transition(keep, m.double()) for m in (noise.node_marginal, noise.pair_marginal))
    expected = np.zeros((len(noisy), 8))
    for b in range(len(noisy)):
        for w in range(8):
            if noisy.mask[b].sum() != clean.mask[w].sum():
                continue
            likelihood = 1.0
            for s in torch.flatten(noisy.mask[b].nonzero()).tolist():
                likelihood *= float(nodes[clean.nodes[w, s], noisy.nodes[b, s]])
            for s in torch.flatten(noisy.pair_mask[b].nonzero()).tolist():
                likelihood *= float(pairs[clean.pairs[w, s], noisy.pairs[b, s]])
            expected[b, w] = likelihood
    expected /= expected.sum(1, keepdims=True)
    found = ExactDenoiser(clean, noise).weights(noisy, time).numpy()
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_predictions_are_probabilities_and_certain_without_noise(clean: Graphs):
    noise = NoiseModel.fit(clean, K, T)
    denoiser = ExactDenoiser(clean, noise)
    for time in (0, 50):
        nodes, pairs = denoiser(noisy_of(clean, noise, time, torch.arange(8)), torch.full((8,), time / T))
        torch.testing.assert_close(nodes.sum(-1), torch.ones(8, 4))
        torch.testing.assert_close(pairs.sum(-1), torch.ones(8, 6))
    nodes, pairs = denoiser(clean, torch.zeros(8))
    assert torch.equal(nodes.argmax(-1), clean.nodes)
    assert torch.equal(pairs.argmax(-1), clean.pairs)


def test_the_mean_prediction_is_the_share_of_each_class(clean: Graphs):
    """E[p(x_0 | x_t)] = p(x_0): over many noisy graphs at any time, within four standard errors."""
    same_size = clean[:5]
    noise = NoiseModel.fit(same_size, K, T)
    which = torch.arange(5).repeat(800)
    nodes, _ = ExactDenoiser(same_size, noise)(noisy_of(same_size, noise, 60, which), torch.full((4000,), 0.6))
    expected = torch.nn.functional.one_hot(same_size.nodes, K).float().mean(0)
    error = nodes.std(0) / 4000**0.5
    assert ((nodes.mean(0) - expected).abs() <= 4 * error + 1e-6).all()


def test_many_steps_draw_every_graph_of_the_list_equally_often_and_nothing_else(clean: Graphs):
    """Chi-squared test of uniformity; two steps, from the same numbers, leave the list."""
    same_size = clean[:5]
    noise = NoiseModel.fit(same_size, K, T)
    denoiser = ExactDenoiser(same_size, noise)

    def counts(steps: int) -> np.ndarray:
        drawn = sample(denoiser, noise, range(1_000), seed=1, steps=steps)
        same = (drawn.nodes[:, None] == same_size.nodes).all(-1) & (drawn.pairs[:, None] == same_size.pairs).all(-1)
        return same.sum(0).numpy()

    many = counts(T)
    assert many.sum() >= 990
    assert stats.chisquare(many * 1000 / many.sum()).pvalue > 0.001
    assert counts(2).sum() < many.sum()


def test_an_empty_list_is_refused(clean: Graphs):
    with pytest.raises(ValueError, match="at least one"):
        ExactDenoiser(clean[:0], NoiseModel.fit(clean, K, T))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run on NAS-Bench-201, whose labels come with the installation."""
    root = tmp_path_factory.mktemp("exact")
    return run(experiments.load("exact_denoiser"), {}, profile="smoke", root=root, device="cpu")


@pytest.fixture(scope="module")
def record(made: Run) -> Record:
    return made[1]


def test_more_steps_leave_the_wanted_class_less_often(record: Record):
    two, ten = record.metrics["by_steps"]
    assert (two["steps"], ten["steps"]) == (2, 10)
    drawn = record.parameters["samples"]
    counts = [[x["wanted"] * drawn, (1 - x["wanted"]) * drawn] for x in (two, ten)]
    assert two["wanted"] < ten["wanted"]
    assert stats.fisher_exact(np.round(counts).astype(int)).pvalue < 1e-6
    assert ten["distinct_wanted"] <= record.metrics["distinct_wanted"] == 782
    assert ten["feasible"] is None


@pytest.mark.mirror
@pytest.mark.parametrize("name", ["nb201", "hw-nb201"])
def test_the_wanted_class_begins_above_the_percentile(name: str, mirror: Path, tmp_path: Path):
    """Three quarters of an interval between 4 k + 1 cells end exactly at one of them, which is not wanted."""
    labels = NB201Benchmark()
    rows, accuracy = np.arange(15_625), nb201.column("cifar10", "valid")
    latency, given = np.zeros(15_625), {"benchmark": name, "percentile": 75}
    if name == "hw-nb201":
        accuracy = hw.ACCURACY
        latency = HWNB201Benchmark().query_many(rows, device_column("imagenet16-120", "raspi4_latency"))
        given["latency"] = np.sort(latency)[4_000]
    p = exact_denoiser.ExactParameters.model_validate(given)
    wanted = exact_denoiser.wanted_class(p, RunContext(tmp_path, tmp_path, "cpu"))
    values = labels.query_many(rows, accuracy)[latency <= given.get("latency", 0)]
    cut = np.sort(values)[3 * (len(values) - 1) // 4]
    assert len(values) % 4 == 1 and len(wanted.keys) == len(wanted.graphs) == (values > cut).sum()


def test_every_label_behind_the_threshold_is_accounted_for(record: Record):
    assert {(entry.reader, entry.purpose, entry.distinct) for entry in record.labels} == {
        ("exact", "threshold", 15_625)
    }


def test_the_table_has_a_row_for_each_number_of_steps(made: Run):
    table = exact_table.exact_table(Shown([], made))
    assert [row.cells[3] for row in table.rows] == ["2", "10"]
