"""TransNAS-Bench-101 (Duan et al., CVPR 2021): each network trained once on each of seven vision tasks.

A task is a data set here, and each has its own metric:

=============== ============== ====== ==================================================
task            metric         epochs what
=============== ============== ====== ==================================================
class_scene     accuracy       25     top-1, 47 classes of scenes
class_object    accuracy       25     top-1, 75 classes of objects
room_layout     neg_loss       25     minus the mean squared error of nine numbers
jigsaw          accuracy       10     top-1, 1,000 permutations of nine tiles
segmentsemantic pixel_accuracy 30     share of pixels labelled rightly, 17 classes
normal          ssim           30     similarity of the surface normals to the true ones
autoencoder     ssim           30     similarity of the image to its reconstruction
=============== ============== ====== ==================================================

Epochs and classes are those of the authors' training configurations (yawen-d/TransNASBench). The values are of the
validation images after the last epoch. The public files have no test values and no training times. Many micro cells
that compute the same function share all seven values: the 4,096 cells have 2,994 distinct rows of them.

Micro, 711 cells only: `best_epoch_accuracy`, `best_epoch_neg_loss` and so on are the best of all epochs of the same
trainings. They are at least as high, by up to 6.7 points (class_scene): never compare them with values of the last
epoch.

Zero-cost proxies (NAS-Bench-Suite-Zero): `zen` on all tasks, `synflow` on four, and ten more for the 711 micro cells.
`zen` and `jacov` are -1e8, as published, for cells without a path from input to output.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nasrepro.benchmarks.base import MEAN, Column, Metric, by_name
from nasrepro.benchmarks.raw.reading import holds, number, scores_table
from nasrepro.benchmarks.tabular import Field, Source, TabularBenchmark
from nasrepro.spaces.edge_cell import Arch
from nasrepro.spaces.naslib import from_naslib
from nasrepro.spaces.transnas import TNB101_MACRO, TNB101_MICRO

TASKS = {  # task -> metric and epochs
    "class_scene": ("accuracy", 25),
    "class_object": ("accuracy", 25),
    "room_layout": ("neg_loss", 25),
    "jigsaw": ("accuracy", 10),
    "segmentsemantic": ("pixel_accuracy", 30),
    "normal": ("ssim", 30),
    "autoencoder": ("ssim", 30),
}
SYNFLOW_TASKS = ("class_scene", "class_object", "room_layout", "jigsaw")
# The sample lists an eleventh, epe_nas, which failed on six of the seven tasks.
SAMPLE_PROXIES = ("fisher", "flops", "grad_norm", "grasp", "jacov", "l2_norm", "nwot", "params", "plain", "snip")

_BEST = "best_epoch_"
_TRAINED = (
    Metric("accuracy", "%", True, "share of images classified rightly (top-1)"),
    Metric("neg_loss", "-MSE", True, "minus the mean squared error"),
    Metric("pixel_accuracy", "%", True, "share of pixels labelled rightly"),
    Metric("ssim", "SSIM", True, "structural similarity to the target image, at most 1"),
)
METRICS = by_name(
    (
        *_TRAINED,
        *(Metric(_BEST + m.name, m.unit, True, f"{m.what}, the best of all epochs") for m in _TRAINED),
        *(
            Metric(name, "score", True, "zero-cost proxy of NAS-Bench-Suite-Zero")
            for name in sorted((*SAMPLE_PROXIES, "synflow", "zen"))
        ),
    )
)


def archive_table(path: Path, space: str, proxy: str) -> pd.DataFrame:
    """Parse an archive of lists of networks of a space, each with a proxy and the value of the last epoch.

    Fields: the name of each task (its metric) and `<task> <proxy>`.
    """
    form = f"{space}:string" if space == TNB101_MICRO.name else space  # the files are made of NASLib's queries
    tasks = SYNFLOW_TASKS if proxy == "synflow" else TASKS
    fields = {(task, "val_accuracy"): task for task in tasks} | {(task, proxy): f"{task} {proxy}" for task in tasks}
    prefix = f"transbench101_{space.removeprefix('tnb101-')}"
    return scores_table(path, {s.name: s for s in (TNB101_MICRO, TNB101_MACRO)}[space], form, prefix, fields)


def sample_table(path: Path) -> pd.DataFrame:
    """Parse the JSON file of 711 micro cells. Fields: `<task> best` and `<task> <proxy>`."""
    with holds(path, "the sample of TransNAS-Bench-101 micro cells"):
        content: Any = json.loads(path.read_bytes())
        cells = list(content[next(iter(TASKS))])
        columns: dict[str, Any] = {
            "row": TNB101_MICRO.rows([from_naslib("tnb101-micro:string", cell) for cell in cells])
        }
        for task in TASKS:
            entries = [content[task][cell] for cell in cells]
            columns[f"{task} best"] = np.array([float(entry["val_accuracy"]) for entry in entries])
            for proxy in SAMPLE_PROXIES:
                columns[f"{task} {proxy}"] = np.array([number(entry[proxy]) for entry in entries])
        return pd.DataFrame(columns)


MICRO_FINAL, MACRO_FINAL = (
    Source((f"tnb101_{which}_final_zen.zip",), archive_table, arguments=(f"tnb101-{which}", "zen"))
    for which in ("micro", "macro")
)
MICRO_SYNFLOW, MACRO_SYNFLOW = (
    Source(("tnb101_synflow.zip",), archive_table, arguments=(f"tnb101-{which}", "synflow"))
    for which in ("micro", "macro")
)
SAMPLE = Source(("tnb101_micro_zc_sample.json",), sample_table)


def _fields(final: Source, synflow: Source) -> Iterator[Field]:
    """Yield what both spaces have: values of the last epoch, `zen` and `synflow`."""
    for task, (metric, epochs) in TASKS.items():
        yield Field(Column(task, metric, "valid", epochs, MEAN), final, task)
    for task in TASKS:
        yield Field(Column(task, "zen", "proxy", 0, MEAN), final, f"{task} zen")
    for task in SYNFLOW_TASKS:
        yield Field(Column(task, "synflow", "proxy", 0, MEAN), synflow, f"{task} synflow")


def _sample_fields() -> Iterator[Field]:
    for task, (metric, epochs) in TASKS.items():
        yield Field(Column(task, _BEST + metric, "valid", epochs, MEAN), SAMPLE, f"{task} best")
        for proxy in SAMPLE_PROXIES:
            yield Field(Column(task, proxy, "proxy", 0, MEAN), SAMPLE, f"{task} {proxy}")


_CANNOT_ANSWER = (
    "Test values and training times: not in the public files.",
    "Spread over trainings: each network was trained once.",
)


class TNB101MicroBenchmark(TabularBenchmark[Arch]):
    """The micro space of TransNAS-Bench-101 behind the contract of `benchmarks.base`; see the module."""

    name = "tnb101-micro"
    title = TNB101_MICRO.title
    space = TNB101_MICRO
    metrics = METRICS
    fields = (*_fields(MICRO_FINAL, MICRO_SYNFLOW), *_sample_fields())
    defects = (
        "Many cells that compute the same function share all seven values: the 4,096 cells have 2,994 different rows.",
        "The values of the best epoch exist for 711 cells only, and are higher than those of the last epoch, by up to "
        "6.7 points.",
        "`zen` and `jacov` are -1e8 for cells without a path from input to output.",
    )
    cannot_answer = _CANNOT_ANSWER


class TNB101MacroBenchmark(TabularBenchmark[Arch]):
    """The macro space of TransNAS-Bench-101 behind the contract of `benchmarks.base`; see the module."""

    name = "tnb101-macro"
    title = TNB101_MACRO.title
    space = TNB101_MACRO
    metrics = by_name(m for m in METRICS.values() if not m.name.startswith(_BEST) and m.name not in SAMPLE_PROXIES)
    fields = tuple(_fields(MACRO_FINAL, MACRO_SYNFLOW))
    cannot_answer = _CANNOT_ANSWER
