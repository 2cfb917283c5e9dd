"""Training networks on images: data, recipe, errors, checkpoints, several processes."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import tarfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import torch.distributed as dist
from PIL import Image
from scipy import stats
from torch import nn

from nasrepro.classification import folder, images, job, train
from nasrepro.classification.folder import FolderImages
from nasrepro.classification.images import CIFAR10_ARCHIVE, CIFAR10_JPEG, MemoryImages, balanced, cifar10, generated
from nasrepro.classification.job import Data, Job, carry_out
from nasrepro.classification.recipe import (
    MOBILE_LIMIT,
    Objective,
    Recipe,
    check_side,
    topk_wrong,
)
from nasrepro.classification.train import Processes, errors, prefetched
from nasrepro.errors import CorruptData, MissingData, NasreproError, ParameterError, StorageError, TrainingDiverged
from nasrepro.files.tensors import read_tensors, write_tensors
from nasrepro.proxies import complexity
from nasrepro.proxies.networks import build
from nasrepro.proxies.networks.darts import DARTSNetwork
from nasrepro.spaces.darts.genotype import DARTS_V2
from nasrepro.spaces.darts.space import NB301
from nasrepro.training import warm_cosine

TINY = Recipe(
    channels=4, n_cells=3, stem="cifar", epochs=3, batch_size=32, learning_rate=0.1, warmup_epochs=1,
    label_smoothing=0.0, auxiliary_weight=0.0, drop_path=0.2,
)  # fmt: skip
MADE_UP = Data("generated", 8, 320, 200)


def darts(**options: Any) -> DARTSNetwork:
    network = build("nb301", DARTS_V2, torch.Generator().manual_seed(0), **options)
    assert isinstance(network, DARTSNetwork)
    return network


# Networks for ImageNet


def test_the_published_cell_on_imagenet_has_the_published_size():
    """The authors' log says 4.718752 million parameters; the paper says below 600 million multiply-adds."""
    network = build("nb301", DARTS_V2, channels=48, n_cells=14, n_classes=1000, stem="imagenet")
    assert complexity.parameters(network) == 4_718_752
    assert 500_000_000 < complexity.flops(network, 224) < MOBILE_LIMIT


@pytest.mark.parametrize(("stem", "side", "last"), [("cifar", 32, 8), ("imagenet", 224, 7)])
def test_output_shapes_and_an_auxiliary_head_that_is_for_training_alone(stem: Any, side: int, last: int):
    network = darts(channels=4, n_cells=3, n_classes=7, stem=stem, auxiliary=True)
    x = torch.randn(2, 3, side, side)
    assert network.features(x).shape == (2, 64, last, last)
    logits, auxiliary = network.forward_with_auxiliary(x)
    assert logits.shape == auxiliary.shape == network(x).shape == (2, 7)
    without = darts(channels=4, n_cells=3, n_classes=7, stem=stem)
    assert complexity.flops(network, side) == complexity.flops(without, side)
    network.eval()
    network.auxiliary = None  # what is tested does not need it
    assert network(x).shape == (2, 7)


def test_the_auxiliary_head_is_in_the_loss_with_its_weight():
    network = darts(channels=4, n_cells=3, auxiliary=True)
    x, y = torch.randn(4, 3, 32, 32), torch.tensor([0, 1, 2, 3])
    network.eval()  # so that all passes agree
    both = network.forward_with_auxiliary(x)
    own, other = (nn.functional.cross_entropy(out, y, label_smoothing=0.1) for out in both)
    for weight in (0.4, 1.0):
        recipe = replace(TINY, auxiliary_weight=weight, label_smoothing=0.1)
        torch.testing.assert_close(Objective(network, recipe)(x, y), own + weight * other)
    torch.testing.assert_close(Objective(network, replace(TINY, label_smoothing=0.1))(x, y), own)
    with pytest.raises(ParameterError, match="32 x 32, not 16 x 16"):
        check_side(replace(TINY, auxiliary_weight=0.4), 16)


def test_dropped_paths_leave_the_mean_of_a_node_as_it_is():
    """A cell of two sums is linear in what drop path scales, so its mean over draws is its value without dropping."""
    cell = darts(channels=4, n_cells=3).cells[0].eval()
    x = torch.randn(1, 12, 4, 4, generator=torch.Generator().manual_seed(1)).expand(4000, -1, -1, -1)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        dropped, kept = cell(x, x, 0.3)[:, :4], cell(x[:1], x[:1], 0.0)[:, :4]  # the first node
    z = (dropped.mean(0) - kept[0]) / (dropped.std(0) / math.sqrt(len(x)) + 1e-9)
    assert z.abs().max() < 4  # two drops decide all places, so these are few independent numbers
    values = dropped[:, 0, 0, 0].unique()
    assert len(values) == 4  # both operations, either, none


# Recipe


def test_the_schedule_in_closed_form():
    recipe = Recipe()
    rates = np.array([warm_cosine(recipe.learning_rate, step, 50, 2500) for step in range(2500)])
    np.testing.assert_allclose(rates[:50], 0.5 * np.arange(1, 51) / 50)
    np.testing.assert_allclose(rates[50:], 0.5 * np.cos(np.pi / 2 * np.arange(2450) / 2450) ** 2, atol=1e-12)
    assert rates.max() == rates[49] == rates[50] == 0.5
    assert warm_cosine(0.5, 0, 0, 2500) == 0.5


def test_the_stated_recipe_is_the_default():
    """250 epochs, 0.5, cosine after 5 epochs, 1,024 images, 0.9, 3e-5, smoothing 0.1, auxiliary 0.4, no drop path."""
    r = Recipe()
    assert (r.epochs, r.learning_rate, r.warmup_epochs, r.batch_size) == (250, 0.5, 5, 1024)
    assert (r.momentum, r.weight_decay, r.label_smoothing) == (0.9, 3e-5, 0.1)
    assert (r.auxiliary_weight, r.drop_path) == (0.4, 0.0)


@pytest.mark.parametrize("k", [1, 5])
def test_top_k_error_against_sorting(k: int):
    generator = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(500, 12, generator=generator), torch.randint(12, (500,), generator=generator)
    expected = [label not in row.argsort(descending=True)[:k] for row, label in zip(logits, labels, strict=True)]
    assert topk_wrong(logits, labels, k).tolist() == expected
    assert 0 < sum(expected) < 500


def test_an_answer_that_cannot_choose_is_wrong():
    assert topk_wrong(torch.zeros(1, 8), torch.tensor([3]), 5).item()
    assert topk_wrong(torch.full((1, 8), torch.nan), torch.tensor([3]), 5).item()
    assert not topk_wrong(torch.tensor([[1.0, 0, 0, 0, 0, 0]]), torch.tensor([0]), 1).item()


# Images


def test_a_batch_is_the_same_whoever_makes_which_part_of_it():
    data = generated("train", 40, 16, cutout=6)
    data.padding = 3
    whole = data.batch(torch.arange(40), 7)
    parts = [generated("train", 40, 16, cutout=6), data]
    parts[0].padding = 3
    for rank, part in enumerate(parts):
        share = Processes(rank, 2).part(torch.arange(40))
        torch.testing.assert_close(part.batch(share, 7), whole[rank::2], rtol=0, atol=0)
    assert not torch.equal(whole, data.batch(torch.arange(40), 8))
    torch.testing.assert_close(data.batch(torch.arange(40)), data.batch(torch.arange(40)), rtol=0, atol=0)


def test_augmentation_is_a_crop_a_mirror_image_and_a_hole():
    """Each pixel holds its own place, so that where it went can be read."""
    side, n, pad = 8, 2000, 2
    places = torch.stack(torch.meshgrid(torch.arange(1, 9), torch.arange(1, 9), indexing="ij"), -1).byte()
    pixels = torch.cat([places, torch.full((side, side, 1), 255, dtype=torch.uint8)], -1).expand(n, -1, -1, -1)
    data = MemoryImages(pixels, torch.zeros(n, dtype=torch.long), ["x"], (0, 0, 0), (1, 1, 1), pad)
    out = (data.batch(torch.arange(n), 3) * 255).round().long()
    whole = out[:, 2] > 0
    row, column = out[:, 0], out[:, 1]
    shift = (row - torch.arange(1, 9)[:, None])[whole]
    assert set(shift.unique().tolist()) == {-2, -1, 0, 1, 2}
    step = (column[:, 4, 4] - column[:, 4, 3]).numpy()
    assert set(step) == {-1, 1}  # mirrored or not; the middle is never outside
    assert stats.binomtest(int((step == -1).sum()), n, 0.5).pvalue > 1e-3
    moved = (row[:, 4, 4] - 5).numpy()
    assert stats.chisquare(np.bincount(moved + pad, minlength=5)).pvalue > 1e-3
    data.cutout, data.padding = 3, 0
    hole = (data.batch(torch.arange(n), 3)[:, 2] == 0).numpy()
    assert hole.any((1, 2)).all() and hole.sum((1, 2)).max() == 9
    assert set(np.unique(hole.sum((1, 2)))) == {4, 6, 9}  # cut off at the border


def test_the_first_of_each_class_are_taken():
    labels = np.array([0, 0, 0, 1, 2, 1, 2, 2])
    assert balanced(labels, 3).tolist() == [0, 3, 4] and balanced(labels, 6).tolist() == [0, 1, 3, 4, 5, 6]
    assert balanced(labels, None).tolist() == balanced(labels, 99).tolist() == list(range(8))


def test_the_published_archive_of_cifar_10_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 256, (60, 3073), dtype=np.uint8)
    rows[:, 0] = np.arange(60) % 10
    path = tmp_path / CIFAR10_ARCHIVE
    with tarfile.open(path, "w:gz") as archive:
        for k, name in enumerate([*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]):
            file = tmp_path / f"{name}.bin"
            file.write_bytes(rows[10 * k : 10 * k + 10].tobytes())
            archive.add(file, f"cifar-10-batches-bin/{name}.bin")
    monkeypatch.setattr(images.registry, "locate", lambda name: path if name == CIFAR10_ARCHIVE else None)
    monkeypatch.setattr(images.registry, "use", lambda name: path)
    data = cifar10("train")
    assert len(data.labels) == 50 and data.labels.tolist() == [k % 10 for k in range(50)]
    assert data.pixels[7, 3, 5, 2] == rows[7, 1 + 2 * 1024 + 3 * 32 + 5]
    assert len(cifar10("test").labels) == 10 and cifar10("train", 20, 16).pixels.shape == (20, 16, 16, 3)
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(CorruptData, match="no archive of CIFAR-10"):
        cifar10("test")


def test_without_cifar_10_the_error_says_how_to_get_it(no_mirror: Path):
    with pytest.raises(MissingData, match="nasrepro data fetch cifar10`, or point NASREPRO_MIRROR"):
        cifar10("train")


@pytest.mark.mirror
def test_the_jpeg_copies_of_cifar_10(mirror: Path):
    if images.registry.locate(CIFAR10_JPEG) is None:
        pytest.skip(f"no {CIFAR10_JPEG} in NASREPRO_MIRROR")
    test = cifar10("test", 1000)
    assert test.pixels.shape == (1000, 32, 32, 3) and np.bincount(test.labels).tolist() == [100] * 10
    mean = test.pixels.double().mean((0, 1, 2)) / 255
    np.testing.assert_allclose(mean, images.CIFAR10_MEAN, atol=0.02)
    small = cifar10("test", 1000, 16)
    exact = test.pixels.double().reshape(1000, 16, 2, 16, 2, 3).mean((2, 4))
    assert (small.pixels.double() - exact).abs().max() <= 0.5


def test_a_damaged_image_in_a_table_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / CIFAR10_JPEG
    frame = {"split": ["train"] * 2, "label": [0, 1], "name": ["a.jpg", "b.jpg"], "jpeg": [b"\xff\xd8\xffno", b"x"]}
    pd.DataFrame(frame).to_parquet(path)
    monkeypatch.setattr(images.registry, "locate", lambda name: path if name == CIFAR10_JPEG else None)
    monkeypatch.setattr(images.registry, "use", lambda name: path)
    with pytest.raises(CorruptData, match=r"a\.jpg in .* cannot be decoded"):
        cifar10("train")


# Folders


@pytest.fixture(scope="module")
def imagenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six classes of plain colours, three images each, of different sizes."""
    root = tmp_path_factory.mktemp("imagenet")
    for split in ("train", "val"):
        for c in range(6):
            (root / split / f"n{c}").mkdir(parents=True)
            for k in range(3):
                image = Image.new("RGB", (40 + 10 * k, 50), (40 * c, 0, 255 - 40 * c))
                image.save(root / split / f"n{c}" / f"{k}.JPEG", quality=95)
    return root


def test_a_folder_per_class(imagenet: Path):
    data = FolderImages(imagenet / "train", 32)
    assert list(data.classes) == [f"n{c}" for c in range(6)] and data.labels.tolist() == [
        c for c in range(6) for _ in range(3)
    ]
    batch = data.batch(torch.arange(18))
    assert batch.shape == (18, 3, 32, 32)
    red = batch[:, 0].mean((1, 2)) * folder.STD[0] + folder.MEAN[0]
    np.testing.assert_allclose(red, np.repeat(40 * np.arange(6) / 255, 3), atol=0.02)
    torch.testing.assert_close(data.batch(torch.tensor([5]), 3), data.batch(torch.arange(18), 3)[5:6], rtol=0, atol=0)
    assert not torch.equal(data.batch(torch.tensor([5]), 3), data.batch(torch.tensor([5]), 4))


def test_the_centre_of_an_image_is_tested(tmp_path: Path):
    """A white square of 9/10 of the shorter side in the middle of a black image fills what is tested, 7/8 of it."""
    for c in range(6):
        (tmp_path / str(c)).mkdir()
        image = Image.new("RGB", (160, 80))
        image.paste((255, 255, 255), (44, 4, 116, 76))
        image.save(tmp_path / str(c) / "x.png")
    white = FolderImages(tmp_path, 14).batch(torch.tensor([0]))
    assert (white[0, 0] * folder.STD[0] + folder.MEAN[0]).min() > 0.9


def test_random_crops_have_the_stated_areas_and_shapes():
    rng = np.random.default_rng(0)
    boxes = np.array([folder._random_box(500, 400, rng) for _ in range(3000)])
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    assert boxes.min() >= 0 and boxes[:, 2].max() <= 500 + 1e-9 and boxes[:, 3].max() <= 400 + 1e-9
    area, ratio = width * height / 200_000, width / height
    assert 0.079 < area.min() < 0.1 and area.max() > 0.9
    assert 0.74 < ratio.min() < 0.8 and 1.3 < ratio.max() < 1.34
    thin = folder._random_box(1000, 10, np.random.default_rng(0))
    assert thin == (495, 0, 505, 10)  # no crop of these shapes fits


def test_folders_that_cannot_be_used_are_refused(imagenet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(MissingData, match="NASREPRO_IMAGENET"):
        FolderImages(tmp_path / "nothing")
    for c in range(5):
        (tmp_path / "few" / str(c)).mkdir(parents=True)
    with pytest.raises(CorruptData, match=r"has 5 folders.*needs 6"):
        FolderImages(tmp_path / "few")
    (tmp_path / "few" / "5").mkdir()
    with pytest.raises(CorruptData, match="have no images"):
        FolderImages(tmp_path / "few")
    monkeypatch.delenv(folder.VARIABLE, raising=False)
    with pytest.raises(MissingData, match="set NASREPRO_IMAGENET"):
        job.load(Data("imagenet", 32))
    monkeypatch.setenv(folder.VARIABLE, str(imagenet))
    assert len(job.load(Data("imagenet", 32))[1].labels) == 18
    assert folder.fingerprint(imagenet / "train") == folder.fingerprint(imagenet / "val")


def test_a_damaged_file_stops_a_training_with_its_name(tmp_path: Path, imagenet: Path, monkeypatch: pytest.MonkeyPatch):
    for split in ("train", "val"):
        for path in (imagenet / split).rglob("*.JPEG"):
            target = tmp_path / path.relative_to(imagenet)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    damaged = tmp_path / "train" / "n3" / "1.JPEG"
    damaged.write_bytes(damaged.read_bytes()[:200])
    monkeypatch.setenv(folder.VARIABLE, str(tmp_path))
    recipe = replace(TINY, batch_size=18, epochs=1)
    with pytest.raises(CorruptData, match=r"n3/1\.JPEG cannot be decoded.*Restore or delete"):
        carry_out(Job(NB301.to_string(DARTS_V2), Data("imagenet", 16), recipe, 0))


def test_batches_come_in_order_whatever_is_made_ahead():
    data = generated("train", 30, 8)
    order = torch.randperm(30, generator=torch.Generator().manual_seed(0)).split(7)
    got = list(prefetched(data, order, None))
    assert [labels.tolist() for _, labels in got] == [data.labels[part].tolist() for part in order]
    torch.testing.assert_close(torch.cat([x for x, _ in got]), data.batch(torch.cat(order)))


# Training


@pytest.fixture(scope="module")
def whole() -> tuple[dict[str, torch.Tensor], list[train.Epoch]]:
    """An uninterrupted training."""
    return _train()


def _train(**options: Any) -> tuple[dict[str, torch.Tensor], list[train.Epoch]]:
    training, test = job.load(MADE_UP)
    network = job.network_of(Job(NB301.to_string(DARTS_V2), MADE_UP, TINY, 0), 10)
    history = train.train(network, training, test, TINY, 0, **options)
    return network.state_dict(), history


def test_the_probability_of_dropping_a_path_grows_linearly_with_the_epoch():
    training, test = job.load(MADE_UP)
    network, seen = job.network_of(Job(NB301.to_string(DARTS_V2), MADE_UP, TINY, 0), 10), []
    train.train(network, training, test, TINY, 0, on_epoch=lambda _: seen.append(network.drop_path))
    np.testing.assert_allclose(seen, [0, 0.2 / 3, 0.4 / 3])


def test_training_beats_chance_on_images_that_can_be_told_apart(whole: Any):
    history = whole[1]
    right = round(200 * (1 - history[-1].top1_error / 100))
    assert stats.binomtest(right, 200, 0.1, alternative="greater").pvalue < 1e-6
    assert history[-1].top5_error < history[-1].top1_error and [e.number for e in history] == [1, 2, 3]
    assert history[-1].loss < history[0].loss


def test_a_training_that_is_killed_and_resumed_ends_as_one_that_was_not(
    whole: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for died_at in (7, 10, 25):  # within an epoch, at the end of one, after another kill
        honest = train._State.update

        def dies(self: Any, loss: Any, at: int = died_at, honest: Any = honest) -> None:
            if self.step == at:
                raise KeyboardInterrupt
            honest(self, loss)

        with monkeypatch.context() as patch:
            patch.setattr(train._State, "update", dies)
            with pytest.raises(KeyboardInterrupt):
                _train(checkpoint=tmp_path / "checkpoint", checkpoint_every_s=0)
    weights, history = _train(checkpoint=tmp_path / "checkpoint", checkpoint_every_s=0)
    assert history == whole[1]
    for name, value in whole[0].items():
        torch.testing.assert_close(weights[name], value, rtol=0, atol=0, msg=name)


def test_a_damaged_or_foreign_checkpoint_costs_the_training_and_nothing_else(
    whole: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    path = tmp_path / "checkpoint"
    path.write_bytes(b"nonsense")
    assert _train(checkpoint=path, checkpoint_every_s=1e9)[1] == whole[1]
    assert "damaged" in caplog.text and "Going on from the checkpoint before it, or the start" in caplog.text
    training, test = job.load(MADE_UP)
    other = replace(TINY, epochs=1)
    network = job.network_of(Job(NB301.to_string(DARTS_V2), MADE_UP, other, 0), 10)
    train.train(network, training, test, other, 0, checkpoint=path, checkpoint_every_s=0)
    assert _train(checkpoint=path, checkpoint_every_s=1e9)[1] == whole[1]
    assert "belongs to another training" in caplog.text


def test_what_cannot_be_trained_is_refused(tmp_path: Path):
    training, test = job.load(MADE_UP)
    network = darts(channels=4, n_cells=3)
    with pytest.raises(ParameterError, match="does not fit 320 training images"):
        train.train(network, training, test, replace(TINY, batch_size=321), 0)
    with pytest.raises(TrainingDiverged, match="Lower learning_rate"):
        train.train(network, training, test, replace(TINY, learning_rate=1e30, clip_norm=0.0, warmup_epochs=0), 0)
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="Free some space"):  # as on a full disk
        _train(checkpoint=tmp_path / "file" / "checkpoint", checkpoint_every_s=0)


def test_errors_of_a_network_are_counted_over_all_images():
    class Constant(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.arange(10.0).expand(len(x), -1)

    assert errors(Constant(), generated("test", 1230)) == (90.0, 50.0)


def test_global_random_numbers_are_left_alone(whole: Any):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    training, test = job.load(MADE_UP)
    train.train(darts(channels=4, n_cells=3), training, test, replace(TINY, epochs=1), 0)
    torch.testing.assert_close(torch.rand(1), expected)


# Several processes


class Plain(nn.Module):
    """A network without normalisation, whose statistics are those of a process."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.head = nn.Conv2d(3, 4, 3), nn.Linear(144, 10)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            for parameter in self.parameters():
                nn.init.normal_(parameter, std=0.1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.convolution(x).relu().flatten(1))


def learn() -> tuple[dict[str, torch.Tensor], list[train.Epoch]]:
    """Train `Plain` for eight steps, this process' share of each."""
    recipe = Recipe(epochs=2, batch_size=16, learning_rate=0.05, warmup_epochs=1, auxiliary_weight=0.0)
    network: Any = Plain()
    history = train.train(network, generated("train", 64), generated("test", 50), recipe, 0)
    return network.state_dict(), history


def test_two_processes_learn_what_one_does_with_the_whole_batch(tmp_path: Path):
    """Eight steps with averaged gradients of half batches end where eight steps with whole batches do."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    out = tmp_path / "two.safetensors"
    done = subprocess.run([*command, __file__, str(out)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    weights, history = learn()
    two, meta = read_tensors(out)
    start = Plain().state_dict()
    for name, value in weights.items():
        torch.testing.assert_close(two[name], value, msg=name)
        assert not torch.allclose(value, start[name], atol=1e-3)
    assert [e["top1_error"] for e in meta["history"]] == [e.top1_error for e in history]


def test_a_job_in_other_processes_gives_the_same_and_hands_back_its_errors(tmp_path: Path):
    asked = Job(NB301.to_string(DARTS_V2), Data("generated", 8, 64, 50), replace(TINY, epochs=1), 0)
    files: dict[str, Any] = {"weights": tmp_path / "a.safetensors", "checkpoint": tmp_path / "a.checkpoint"}
    assert job.in_processes(asked, n=1, **files) == carry_out(asked)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.safetensors"]
    impossible = replace(asked, recipe=replace(asked.recipe, batch_size=65))
    with pytest.raises(ParameterError, match="does not fit 64 training images"):
        job.in_processes(impossible, n=2, **files)


def dies(rank: int, *_: Any) -> None:
    os._exit(9)


def test_a_training_process_that_dies_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(job, "_share", dies)
    asked = Job(NB301.to_string(DARTS_V2), MADE_UP, TINY, 0)
    with pytest.raises(NasreproError, match="goes on from the last checkpoint"):
        job.in_processes(asked, tmp_path / "a.safetensors", 2, checkpoint=tmp_path / "a.checkpoint")


if __name__ == "__main__":  # one of two processes, started by torchrun
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    learned, epochs = learn()
    if dist.get_rank() == 0:
        write_tensors(Path(sys.argv[1]), learned, {"history": [asdict(epoch) for epoch in epochs]})
    dist.destroy_process_group()
