"""Parts of a batch on threads: the same gradients, the same training on one core and on two."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from nasrepro.diffusion.denoiser import Denoiser
from nasrepro.diffusion.denoiser_config import DEFAULT, PAPER, DenoiserConfig
from nasrepro.diffusion.guidance import Guided
from nasrepro.diffusion.threads import InParts, on_threads
from nasrepro.diffusion.train import TrainingConfig, train
from nasrepro.graphs import Graphs

SMALL = {"layers": 2, "heads": 2, "node_dim": 8, "pair_dim": 4, "node_hidden": 8, "pair_hidden": 4}
NETWORKS = [replace(DEFAULT, **SMALL), replace(PAPER, **SMALL, dropout=0.0)]


@pytest.fixture
def threads() -> Iterator[None]:
    kept = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(kept)


def _data(b: int = 11) -> tuple[Graphs, torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(0)
    graphs = Graphs(
        torch.randint(4, (b, 5), generator=g), torch.randint(2, (b, 10), generator=g), torch.ones(b, 5).bool()
    )
    return graphs, torch.rand(b, generator=g), torch.randint(3, (b, 1), generator=g)


def _gradients(config: DenoiserConfig, parts: int) -> list[torch.Tensor]:
    torch.manual_seed(0)
    network = Denoiser(config, 4, (2,))
    logits = InParts(network, parts)(*_data())
    (logits.nodes.logsumexp(-1).square().mean() + logits.pairs.sigmoid().square().mean()).backward()
    return [p.grad for p in network.parameters() if p.grad is not None]


@pytest.mark.parametrize("config", NETWORKS)
@pytest.mark.parametrize("parts", [2, 3, 20])
def test_parts_have_the_gradients_of_the_whole_batch(config: DenoiserConfig, parts: int, threads: None):
    whole, cut = _gradients(config, 1), _gradients(config, parts)
    assert len(whole) == len(cut) > 10
    for a, b in zip(whole, cut, strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-4)


def _trained(parts: int, on: int) -> torch.Tensor:
    graphs, _, classes = _data(40)
    torch.set_num_threads(on)
    config = TrainingConfig(epochs=3, batch_size=16, learning_rate=1e-2, diffusion_steps=10, parts=parts)
    model, _ = train(
        graphs, classes.clamp(max=1), node_classes=4, condition_classes=(2,), denoiser=replace(PAPER, **SMALL),
        config=config, seed=1,
    )  # fmt: skip
    return torch.cat([p.flatten() for p in model.denoiser.state_dict().values()])


def test_a_training_with_dropout_is_the_same_on_one_thread_and_on_two(threads: None):
    assert torch.equal(_trained(2, on=1), _trained(2, on=2))
    assert not torch.equal(_trained(1, on=1), _trained(2, on=1))  # other masks of dropout


def test_samples_are_the_same_on_one_thread_and_on_two(threads: None, monkeypatch: pytest.MonkeyPatch):
    torch.manual_seed(0)
    guided, (graphs, t, _) = Guided(Denoiser(NETWORKS[1], 4, (2,)).eval(), [1], 2.0), _data(70)
    with torch.inference_mode():
        two = guided(graphs, t)
        torch.set_num_threads(1)
        one = guided(graphs, t)
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    assert two[0].is_inference()


def test_tasks_come_back_in_their_order_and_their_errors_reach_the_caller(threads: None):
    assert on_threads([lambda k=k: k * k for k in range(7)]) == [k * k for k in range(7)]

    def fail() -> int:
        raise ValueError("a task")

    with pytest.raises(ValueError, match="a task"):
        on_threads([lambda: 1, fail])
    assert torch.get_num_threads() == 2
