"""The raw files of NAS-Bench-301, turned into frames with the column `row` (rows of the listed cells) and fields."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nasrepro.benchmarks.raw.reading import holds, json_files, number
from nasrepro.benchmarks.surrogates import nb301_yahpo as yahpo
from nasrepro.errors import CorruptData
from nasrepro.spaces.darts.genotype import N_INPUTS, N_NODES, N_SLOTS, OPERATIONS, Pair
from nasrepro.spaces.darts.space import NB301
from nasrepro.spaces.naslib import from_naslib

N_LISTED = 12_439  # cells with a label or a proxy
DATASET = "cifar10"
PROXIES = (
    *("epe_nas", "fisher", "flops", "grad_norm", "grasp", "jacov", "l2_norm", "nwot", "params", "plain", "snip"),
    *("synflow", "zen"),
)


def labels_table(*paths: Path) -> pd.DataFrame:
    """Parse the three sets of predictions, then the archive of Zen-scores.

    Fields: cells (see `read_cells`), accuracy (%), proxies. Where sets share a cell (all of the second, seven of the
    third), a value is that of the first that has it; the third has other values, of the same noisy predictions and of
    proxies at another random initialisation.
    """
    *sets, zen = paths
    cells: dict[str, dict[str, Any]] = {}
    for path in sets:
        with holds(path, "predictions of NAS-Bench-301"):
            for text, scores in _entries(path):
                arch = from_naslib("nb301", text)
                cell = cells.setdefault(NB301.key(arch), {"cells": _digits(arch)})
                cell.setdefault("accuracy", float(scores["val_accuracy"]))
                for proxy in PROXIES:
                    if proxy in scores:
                        cell.setdefault(proxy, number(scores[proxy]))
    with holds(zen, "Zen-scores of the DARTS space"):
        for _, entries in json_files(zen):
            for entry in entries:
                arch = from_naslib("nb301", entry["arch"])
                cell = cells.setdefault(NB301.key(arch), {"cells": _digits(arch)})
                cell["zen"] = float(entry["zen"]["score"])
    if len(cells) != N_LISTED:
        raise CorruptData(f"The files of NAS-Bench-301 list {len(cells):,} cells, not {N_LISTED:,}.")
    columns = ["cells", "accuracy", *PROXIES]
    return pd.DataFrame(list(cells.values()), columns=columns).assign(row=np.arange(N_LISTED))


def read_cells(frame: pd.DataFrame) -> list[Pair]:
    """Return the architectures of a table: its column `cells` has the slots of both cells as digits, quick to read."""
    archs: list[Pair] = []
    for text in frame["cells"]:
        digits = map(int, text)
        slots = list(zip(digits, digits, strict=True))
        archs.append((tuple(slots[:N_SLOTS]), tuple(slots[N_SLOTS:])))
    return archs


def _digits(arch: Pair) -> str:
    return "".join(f"{source}{operation}" for cell in arch for source, operation in cell)


def _entries(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    content = json.loads(path.read_text(encoding="utf-8"))
    yield from content.get("nasbench301", content)[DATASET].items()


def training_table(*paths: Path) -> pd.DataFrame:
    """Return what our surrogate is fitted to: `accuracy` and the features of the cells that have one, from the files of
    `labels_table` and YAHPO's network."""
    labels = labels_table(*paths[:-1]).dropna(subset="accuracy")
    found = features(read_cells(labels), paths[-1])
    columns = {f"feature {k}": found[:, k] for k in range(found.shape[1])}
    return pd.DataFrame({"row": labels["row"].to_numpy(), **columns, "accuracy": labels["accuracy"].to_numpy()})


FEATURE_GROUPS = (2 * (4 * len(OPERATIONS) + 2), 2)  # of the cells, of YAHPO's answers


def features(archs: list[Pair], network: Path) -> np.ndarray:
    """Return the features (float64, B x 62) of our surrogate; isomorphic cells have the same.

    Of each cell: how many operations of each kind read c_{k-2}, c_{k-1} and an intermediate node; how many of each are
    on a random path (backwards from a random node, at each node one of its two operations at random); how many
    operations read each input. Then the answers of YAHPO's network, as `nb301_yahpo.mean_logits` has them.
    """
    slots = np.array(archs, dtype=np.int64).reshape(-1, 2, N_SLOTS, 2)
    cells = [_cell_features(slots[:, cell]) for cell in range(2)]
    return np.concatenate([*cells, yahpo.mean_logits(yahpo.read_weights(network), archs)], axis=1)


def _cell_features(slots: np.ndarray) -> np.ndarray:
    sources, operations = slots[..., 0], np.eye(len(OPERATIONS))[slots[..., 1]]  # B x 8, B x 8 x 7
    kinds = [sources == 0, sources == 1, sources >= N_INPUTS]
    counts = [(operations * kind[..., None]).sum(1) for kind in kinds]
    on_path = np.zeros((len(slots), N_INPUTS + N_NODES, len(OPERATIONS)))
    for slot in range(N_SLOTS):
        before = np.take_along_axis(on_path, sources[:, slot, None, None], axis=1)[:, 0]
        on_path[:, N_INPUTS + slot // 2] += (before + operations[:, slot]) / 2
    reads = np.stack([kind.sum(1) for kind in kinds[:N_INPUTS]], axis=1)
    return np.concatenate([*counts, on_path[:, N_INPUTS:].mean(1), reads], axis=1)
