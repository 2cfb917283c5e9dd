"""The raw files of NAS-Bench-101, each turned into a frame with the column `row` (rows of the space) and its fields."""

from __future__ import annotations

import base64
import gzip
import json
from functools import lru_cache
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nasrepro.benchmarks.raw import safe_pickle
from nasrepro.benchmarks.raw.reading import holds, json_files
from nasrepro.benchmarks.raw.tfrecord import protobuf_fields, records
from nasrepro.errors import CorruptData, InvalidArchitecture
from nasrepro.spaces.naslib import from_naslib
from nasrepro.spaces.nb101.enumeration import OPERATIONS, edge_bit, rows_of, used_vertices
from nasrepro.spaces.nb101.parameters import trainable_parameters
from nasrepro.spaces.nb101.space import NB101

EPOCHS = 108
SEEDS = (0, 1, 2)
SPLITS = ("train", "valid", "test")
PROXIES = ("epe_nas", "fisher", "flops", "grad_norm", "grasp", "jacov", "l2_norm", "params", "plain", "snip", "synflow")

_SAME = 1e-12  # means of the same three accuracies differ by rounding alone


def counted_table() -> pd.DataFrame:
    """Count the trainable parameters (M) of every network, from its cell alone. Field: parameters."""
    rows = np.arange(NB101.size)
    return pd.DataFrame({"row": rows, "parameters": trainable_parameters(rows) / 1e6})


def test_table(path: Path) -> pd.DataFrame:
    """Parse the mean test accuracies (%), listed in ascending order of the official hash. Field: accuracy."""
    return pd.DataFrame({"row": np.arange(NB101.size), "accuracy": 100 * _test_means(path)})


def one_shot_table(path1: Path, path2: Path, test_path: Path) -> pd.DataFrame:
    """Parse the tables of the cells of NAS-Bench-1Shot1, spaces 1 and 2. Fields: `valid0` to `test2`, `valid`, %.

    The first file holds only the first row of each adjacency matrix. A cell is found as the one of space 1 that has
    this row, these operations and exactly this mean test accuracy; where two have, the entry is left out.
    """
    means = _test_means(test_path)
    rows, parts = [], []
    for path in (path1, path2):
        frame = safe_pickle.load_frame(path)
        with holds(path, "a table of NAS-Bench-1Shot1"):
            errors = {
                f"{split}{seed}": frame[f"{name}{seed + 1}"].astype(np.float64)
                for split, name in (("valid", "val"), ("test", "test"))
                for seed in SEEDS
            }
            mean = 1 - np.mean([errors[f"test{seed}"] for seed in SEEDS], axis=0)
            found = [
                _candidates(text, [frame[f"node{v}"][k] for v in range(1, 6)])
                for k, text in enumerate(frame["adj_matrix"])
            ]
        found = [near[np.abs(means[near] - value) < _SAME] for near, value in zip(found, mean, strict=True)]
        if not all(map(len, found)):
            raise CorruptData(f"{path} and {test_path} disagree on the test accuracy of a cell.")
        clear = [len(near) == 1 for near in found]
        rows += [int(near[0]) for near in found if len(near) == 1]
        parts.append(pd.DataFrame({name: 100 * (1 - values[clear]) for name, values in errors.items()}))
    table = pd.concat(parts, ignore_index=True).assign(row=rows).drop_duplicates(ignore_index=True)
    return _with_means(table, ("valid",))


def official_table(path: Path, test_path: Path) -> pd.DataFrame:
    """Parse the official TFRecord file of 108 epochs.

    Fields: `train0` to `test2` and their means (%), `time0` to `time2` and `time` (seconds of training). The three
    trainings of a cell are numbered in the order of the file. Checked: every checksum, that each cell of the space is
    there with three trainings, and that the mean test accuracies are those of the other source.
    """
    values = np.full((NB101.size, len(SPLITS) + 1, len(SEEDS)), np.nan)
    trained = np.zeros(NB101.size, dtype=np.int64)
    order: dict[str, int] = {}  # official hash -> place of the cell in the file
    for number, record in enumerate(records(path)):
        with holds(path, f"NAS-Bench-101: record {number}"):
            key, epochs, _, _, metrics = json.loads(record)
            if epochs == EPOCHS:
                place = order.setdefault(key, len(order))
                values[place, :, trained[place]] = _final(base64.b64decode(metrics))
                trained[place] += 1
    if (trained != len(SEEDS)).any():
        raise CorruptData(
            f"{path} does not hold three trainings of {EPOCHS} epochs of each of the {NB101.size:,} cells of "
            f"NAS-Bench-101, but {trained.sum():,} trainings of {len(order):,} cells."
        )
    try:
        rows = NB101.rows_of_keys(list(order))
    except InvalidArchitecture as error:
        raise CorruptData(f"{path} does not hold NAS-Bench-101: {error}") from error
    values[:, :-1] *= 100
    fields = [f"{name}{seed}" for name in (*SPLITS, "time") for seed in SEEDS]
    frame = pd.DataFrame(values.reshape(NB101.size, -1), columns=fields).assign(row=rows)
    frame = _with_means(frame, (*SPLITS, "time"))
    if not np.allclose(frame["test"], 100 * _test_means(test_path)[rows], rtol=0, atol=1e-6):
        raise CorruptData(f"{path} and {test_path} disagree on the mean test accuracy of a cell.")
    return frame


def zen_table(path: Path) -> pd.DataFrame:
    """Parse the archive of Zen-scores. Field: zen."""
    with holds(path, "Zen-scores of NAS-Bench-101"):
        entries = [entry for _, content in json_files(path) for entry in content]
        rows = [NB101.index(from_naslib("nb101", entry["arch"])) for entry in entries]
        return pd.DataFrame({"row": rows, "zen": [float(entry["zen"]["score"]) for entry in entries]})


def proxies_table(path: Path) -> pd.DataFrame:
    """Parse the sample of zero-cost proxies. Fields: the proxies, and `n`, the number of entries of a cell.

    The 500 entries are matrices as drawn, 292 cells; the value of a cell is the mean over its entries.
    """
    with holds(path, "zero-cost proxies of NAS-Bench-101"):
        entries: dict[str, Any] = json.loads(path.read_bytes())["nasbench101"]["cifar10"]
        frame = pd.DataFrame({proxy: [float(entry[proxy]) for entry in entries.values()] for proxy in PROXIES})
        by_cell = frame.groupby(np.array([NB101.index(from_naslib("nb101", text)) for text in entries]))
    return by_cell.mean().assign(n=by_cell.size()).rename_axis("row").reset_index()


def _test_means(path: Path) -> np.ndarray:
    """Return the mean test accuracy (0 to 1) of each row."""
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError) as error:
        raise CorruptData(f"{path} is not a whole gzip file: {error}. Delete it and fetch it again.") from error
    frame = safe_pickle.load_frame(content)
    if not np.array_equal(frame.get("index", []), np.arange(NB101.size)) or "accuracy" not in frame:
        raise CorruptData(f"{path} does not list the accuracies of the {NB101.size:,} cells of NAS-Bench-101.")
    return np.asarray(frame["accuracy"], dtype=np.float64)


def _candidates(text: str, operations: list[str]) -> np.ndarray:
    """Return the rows that an entry of NAS-Bench-1Shot1 may mean; `text` is its matrix, or only the first row of it."""
    bits = [int(float(number)) for number in text.strip("[]").split()]
    if len(bits) == 49:
        raws = [sum(bits[7 * i + j] << edge_bit(i, j) for i, j in combinations(range(7), 2))]
    else:
        raws = _space1()[tuple(bits)]
    labels = np.array([[OPERATIONS.index(name) for name in operations]] * len(raws))
    rows = rows_of(np.array(raws), labels)
    return np.unique(rows[rows >= 0])


@lru_cache(maxsize=1)
def _space1() -> dict[tuple[int, ...], list[int]]:
    """Return the adjacencies (raw forms) of space 1 of NAS-Bench-1Shot1 by their first row after pruning.

    Of its four interior vertices the first has one parent and the others two, as has the output (Zela et al. 2020).
    """
    found: dict[tuple[int, ...], list[int]] = {}
    for p3, p4, p6 in product(*(list(combinations(range(n), 2)) for n in (3, 4, 5))):
        parents = {1: (0,), 2: (0, 1), 3: p3, 4: p4, 6: p6}
        raw = sum(1 << edge_bit(i, j) for j, sources in parents.items() for i in sources)
        used = int(used_vertices(np.array([raw]), 7)[0])
        first = tuple(int(0 in parents.get(j, ()) and used >> j & 1) for j in range(7))
        found.setdefault(first, []).append(raw)
    return found


def _final(metrics: bytes) -> tuple[float, ...]:
    """Return training, validation and test accuracy (0 to 1) and training time (s) after the last epoch of a training:
    a `ModelMetrics` message, whose field 1 is one evaluation (epoch 1, time 2, accuracies 3 to 5)."""
    evaluations = [dict(protobuf_fields(e)) for k, e in protobuf_fields(metrics) if k == 1 and isinstance(e, bytes)]
    last = max(evaluations, key=lambda evaluation: evaluation.get(1, 0.0))
    if last.get(1) != EPOCHS:
        raise ValueError(f"no evaluation after {EPOCHS} epochs")
    return float(last[3]), float(last[4]), float(last[5]), float(last[2])


def _with_means(frame: pd.DataFrame, names: tuple[str, ...]) -> pd.DataFrame:
    """Add the mean over seeds of each name."""
    return frame.assign(**{name: frame[[f"{name}{seed}" for seed in SEEDS]].mean(axis=1) for name in names})
