"""The raw files of NAS-Bench-201, each turned into a frame with the column `row` (rows of the space) and its fields."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nasrepro.benchmarks.raw import safe_pickle
from nasrepro.benchmarks.raw.reading import cells_table, csv_lines, holds, scores_table
from nasrepro.benchmarks.tabular import complete
from nasrepro.errors import CorruptData
from nasrepro.spaces.nb201 import NB201

SEEDS = (0, 1, 2)
PROXIES = (
    *("epe_nas", "fisher", "flops", "grad_norm", "grasp", "jacov", "l2_norm", "nwot", "params", "plain"),
    *("snip", "synflow", "zen"),
)
_MINI_NAMES = {"cifar10": "cifar10", "cifar100": "cifar100", "imagenet16-120": "imagenet"}
_ZEN_NAMES = {"cifar10": "cifar10", "cifar100": "cifar100", "ImageNet16-120": "imagenet16-120"}


def valid_table(path: Path) -> pd.DataFrame:
    """Parse the package's pickle, a dict from six digits to lists of floats, in the order of the published index.

    Fields: seed0..2, mean, n_seeds, train_time (s), parameters (M), latency (s).
    """
    content: Any = safe_pickle.load(path)
    with holds(path, "the NAS-Bench-201 validation table"):
        accuracies = [cell["val_acc"] for cell in content.values()]
        values = np.array([(*seeds, *[np.nan] * (3 - len(seeds))) for seeds in accuracies], dtype=np.float64)
        columns: dict[str, Any] = {"row": NB201.rows([NB201.from_key(key) for key in content])}
        columns |= {f"seed{k}": values[:, k] for k in SEEDS}
        columns |= {
            "mean": [float(np.mean(seeds)) for seeds in accuracies],
            "n_seeds": [len(seeds) for seeds in accuracies],
        }
        for field, upstream in (("train_time", "train_time"), ("parameters", "model_size"), ("latency", "latency")):
            columns[field] = [float(cell[upstream][0]) for cell in content.values()]
        return complete(pd.DataFrame(columns), NB201, path)


def test_table(path: Path, valid_path: Path) -> pd.DataFrame:
    """Parse a CSV of published index and mean test accuracy; the index is that of the validation table."""
    with holds(path, "NAS-Bench-201 test accuracies"):
        lines = csv_lines(path)
        index = [int(line["index"]) for line in lines]
        accuracy = np.array([float(line["accuracy"]) for line in lines])
    if index != list(range(NB201.size)):
        raise CorruptData(f"{path} does not list the indices 0 to {NB201.size - 1} in order.")
    return pd.DataFrame({"row": valid_table(valid_path)["row"], "accuracy": accuracy})


def twelve_epochs_table(path: Path) -> pd.DataFrame:
    """Parse the pickled frame of 12-epoch accuracies. Fields: `<data set> valid` and `<data set> test`."""
    frame = safe_pickle.load_frame(path)
    with holds(path, "12-epoch accuracies of NAS-Bench-201"):
        columns: dict[str, Any] = {"row": NB201.rows([NB201.from_string(text) for text in frame["cellstr"]])}
        for dataset, upstream in _MINI_NAMES.items():
            for split, suffix in (("valid", "val"), ("test", "test")):
                columns[f"{dataset} {split}"] = np.asarray(frame[f"{upstream}-{suffix}"], dtype=np.float64)
        return complete(pd.DataFrame(columns), NB201, path)


def proxies_table(path: Path) -> pd.DataFrame:
    """Parse a CSV of zero-cost proxies by NASLib tuple; cells without an entry are left out."""
    return cells_table(path, "zero-cost proxies of NAS-Bench-201", NB201, {proxy: proxy for proxy in PROXIES})


def zen_table(path: Path) -> pd.DataFrame:
    """Parse the archive of Zen-scores, one list of cells per file; a field per data set."""
    return scores_table(path, NB201, "nb201", "nasbench201", {(d, "zen"): field for d, field in _ZEN_NAMES.items()})


def arch2vec_table(path: Path) -> pd.DataFrame:
    """Parse the published arch2vec embeddings; fields `arch2vec_0` to `arch2vec_15`."""
    columns = {f"arch2vec_{k}": f"embeddings_{k}" for k in range(16)}
    return cells_table(path, "arch2vec embeddings of NAS-Bench-201", NB201, columns)


def counted_table() -> pd.DataFrame:
    """Count what a network costs, from its operations alone.

    Fields: flops (multiply-adds of a CIFAR-10 image, M) and, per data set, trainable parameters (M), of which only the
    classifier depends on the data set.
    """
    operations = np.arange(NB201.size)[:, None] // 5 ** np.arange(6) % 5
    ones, threes = (operations == 2).sum(1), (operations == 3).sum(1)
    columns = {"row": np.arange(NB201.size), "flops": 7.78305 + 3.93216 * ones + 35.38944 * threes}
    for dataset, classes in (("cifar10", 10), ("cifar100", 100), ("imagenet16-120", 120)):
        columns[dataset] = (72_656 + 65 * classes + 28_000 * ones + 243_040 * threes) / 1e6
    return pd.DataFrame(columns)
