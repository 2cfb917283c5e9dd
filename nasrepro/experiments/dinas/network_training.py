"""Cells trained as image classifiers (DiNAS, Table 5): chosen cells against random ones and DARTS-V2.

`laptop` trains small networks on CIFAR-10, enough of them for an interval of the difference; `full` is the recipe of
Table 5, one network on ImageNet; `smoke` trains on made-up images. Every trained network is kept, so that a run with
other cells trains only what is new.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import kendalltau

from nasrepro.benchmarks import registry
from nasrepro.benchmarks.nb301 import SURROGATE_ACCURACY, NB301Benchmark
from nasrepro.classification import folder, images
from nasrepro.classification.job import Data, Job, Trained, carry_out, in_processes, network_of, trained_from
from nasrepro.classification.recipe import MOBILE_LIMIT, Recipe
from nasrepro.classification.train import Epoch
from nasrepro.errors import ParameterError
from nasrepro.experiments.dinas import chosen_cells
from nasrepro.experiments.dinas.chosen_cells import RECORD, SURROGATE
from nasrepro.files.storage import write_atomically
from nasrepro.parameters.dinas import NetworkTrainingParameters
from nasrepro.proxies import complexity
from nasrepro.runs import progress, provenance
from nasrepro.runs.records import run_key
from nasrepro.runs.run import Experiment, Outcome, RunContext
from nasrepro.runs.statistics import mean_difference, permutation, summarise
from nasrepro.seeding import derive, numpy_stream
from nasrepro.spaces.darts.genotype import DARTS_V2, Pair
from nasrepro.spaces.darts.space import NB301
from nasrepro.training import remove_checkpoint

log = logging.getLogger(__name__)
CHOSEN, RANDOM, DARTS = "chosen", "random", "darts-v2"  # groups of networks
_N_CLASSES = {"cifar10": 10, "imagenet": 1000, "generated": 10}
_VERSION = 1  # of trained networks, raised by hand whenever they would come out differently


def execute(p: NetworkTrainingParameters, context: RunContext) -> Outcome:
    """Choose cells, train every network, compare the groups."""
    recipe = _recipe(p)
    rng = numpy_stream(p.seed, "random cells")
    groups = {CHOSEN: _chosen(p, recipe, context), RANDOM: [NB301.sample(rng) for _ in range(p.random_cells)]}
    groups[DARTS] = [DARTS_V2] * p.darts_v2
    predicted = _predicted(p, [cell for cells in groups.values() for cell in cells], context)
    checksums = _image_checksums(p)
    rows, curves = [], []
    for group, cells in groups.items():
        for k, cell in enumerate(cells):
            training = k if group == DARTS else 0
            job = Job(NB301.to_string(cell), _data(p), recipe, derive(p.seed, "training", training))
            found = _trained(context, job, checksums, p.processes, f"{group} {k + 1} of {len(cells)}")
            place: dict[str, Any] = {"group": group, "cell": k, "training": training}
            of_cell = {"genotype": job.genotype, "predicted": predicted.get(cell, np.nan)}
            sizes = {"parameters": found.parameters, "multiply_adds": found.multiply_adds}
            curve = pd.DataFrame(map(asdict, found.history))
            errors = curve[["top1_error", "top5_error"]]
            rows.append(place | of_cell | sizes | dict(errors.iloc[-1]) | dict(errors.min().add_prefix("best_")))
            curves.append(curve.assign(**place)[[*place, *curve.columns]])
    networks = pd.DataFrame(rows)
    metrics: dict[str, Any] = {
        "rows": _summaries(networks),
        "differences": _differences(networks),
        "surrogate_rank": _surrogate_rank(networks),
        "images": images.cifar10_file() if p.data == "cifar10" else p.data,
        "chance_top1_error": 100 * (1 - 1 / _N_CLASSES[p.data]),
        "speed": {"seconds_per_network": context.stages.get("training", 0.0) / len(networks)},
    }
    return Outcome(metrics, {"networks": networks, "curves": pd.concat(curves, ignore_index=True)}, {"master": p.seed})


def _recipe(p: NetworkTrainingParameters) -> Recipe:
    names = Recipe.__dataclass_fields__
    given = {name: value for name, value in p.model_dump().items() if name in names}
    return Recipe(stem="imagenet" if p.data == "imagenet" else "cifar", **given)


def _data(p: NetworkTrainingParameters) -> Data:
    return Data(p.data, p.side, p.training_images or None, p.test_images or None, p.cutout)


def _chosen(p: NetworkTrainingParameters, recipe: Recipe, context: RunContext) -> list[Pair]:
    """Return the chosen cells, on ImageNet only such as keep within the mobile setting."""
    if p.cells == SURROGATE:
        found = chosen_cells.best_by_surrogate(p.pool, numpy_stream(p.seed, "pool"), context)
    elif p.cells.startswith(RECORD):
        found = chosen_cells.of_record(p.cells.removeprefix(RECORD))
    else:
        found = chosen_cells.parse_cells(p.cells)
    if p.data == "imagenet":
        jobs = [Job(NB301.to_string(cell), _data(p), recipe, 0) for cell in found]
        costs = [complexity.flops(network_of(job, _N_CLASSES[p.data]), p.side) for job in jobs]
        found = [cell for cell, cost in zip(found, costs, strict=True) if cost < MOBILE_LIMIT]
        if not found:
            raise ParameterError(f"None of the cells keeps within {MOBILE_LIMIT:,} multiply-adds. Lower channels.")
    if len(found) < p.chosen_cells:
        log.warning("There are only %d cells to choose, not %d.", len(found), p.chosen_cells)
    return found[: p.chosen_cells]


def _predicted(p: NetworkTrainingParameters, cells: list[Pair], context: RunContext) -> dict[Pair, float]:
    """Return what our surrogate says of the cells, for the record only; nothing where the run does without it."""
    if not _with_surrogate(p):
        return {}
    cells = list(dict.fromkeys(cells))
    values = context.ledger.open(NB301Benchmark(), SURROGATE_ACCURACY, "book").read(cells, "report")
    return dict(zip(cells, values.tolist(), strict=True))


def _with_surrogate(p: NetworkTrainingParameters) -> bool:
    return p.data == "cifar10" or p.cells == SURROGATE


def _trained(context: RunContext, job: Job, checksums: Mapping[str, str], processes: int, name: str) -> Trained:
    """Return a trained network's result, from disk if an earlier run trained it; its cost counts either way."""
    place = {"device": context.device.partition(":")[0], "processes": str(processes)}
    key = run_key("network", _VERSION, asdict(job), {**checksums, **place})
    result, weights = context.models / f"{key}.network.json", context.models / f"{key}.safetensors"
    kept = _read(result)
    if kept is None:
        checkpoint, clock = context.models / f"{key}.checkpoint", context.models / f"{key}.seconds.json"
        with provenance.stopwatch(clock) as watch, progress.task(name, job.recipe.epochs) as advance:

            def on_epoch(epoch: Epoch) -> None:
                advance(epoch.number)
                watch.keep()

            how: dict[str, Any] = {"device": context.device, "checkpoint": checkpoint}
            how["checkpoint_every_s"] = context.checkpoint_every_s
            if processes > 1:
                context.whole = False  # they run in processes of their own, whose seconds die with them
                found = in_processes(job, weights, processes, **how)
            else:
                found = carry_out(job, weights, **how, on_epoch=on_epoch)
        kept = {"result": asdict(found), "wall_s": watch.wall_s, "cpu_s": watch.cpu_s}
        write_atomically(result, json.dumps(kept).encode())
        remove_checkpoint(checkpoint)
        clock.unlink(missing_ok=True)
        log.info("%s: top-1 error %.2f %% after %.0f s", name, found.history[-1].top1_error, watch.wall_s)
    context.spent("training", kept["wall_s"], kept["cpu_s"])
    return trained_from(kept["result"])


def _read(path: Path) -> dict[str, Any] | None:
    try:
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        trained_from(kept["result"])
        return kept
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        log.warning("The result %s is damaged (%s); the network is trained again.", path.name, error)
        return None


def _summaries(networks: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a row per group, after the last epoch and at the best one (as Table 5 reports)."""
    rows = []
    names = ("top1_error", "top5_error", "parameters", "multiply_adds")
    for group, part in networks.groupby("group", sort=False):
        best = part.assign(top1_error=part["best_top1_error"], top5_error=part["best_top5_error"])
        for protocol, of in (("last", part), ("best_epoch", best)):
            figures = {name: summarise(of[name]).as_dict() for name in names}
            rows.append({"searcher": group, "protocol": protocol, "networks": len(of), **figures})
    return rows


def _differences(networks: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the differences in error after the last epoch between the chosen cells and the others."""
    errors = {str(group): part for group, part in networks.groupby("group", sort=False)}
    return [
        {"of": CHOSEN, "minus": other, "field": field, **mean_difference(a, b).as_dict(), "p": permutation(a, b)}
        for other in (RANDOM, DARTS)
        if other in errors
        for field in ("top1_error", "top5_error")
        for a, b in [(errors[CHOSEN][field], errors[other][field])]
    ]


def _surrogate_rank(networks: pd.DataFrame) -> dict[str, Any] | None:
    """Return Kendall's tau between what our surrogate predicts and what was measured, over the random cells."""
    part = networks[(networks["group"] == RANDOM) & networks["predicted"].notna()]
    if len(part) < 3:
        return None
    found = kendalltau(part["predicted"], -part["top1_error"])
    return {"kendall_tau": float(found.statistic), "p": float(found.pvalue), "n": len(part)}


def _image_checksums(p: NetworkTrainingParameters) -> dict[str, str]:
    if p.data == "imagenet":
        root = folder.imagenet_folder()
        return {f"imagenet {part} (names)": folder.fingerprint(root / part) for part in ("train", "val")}
    return {name: registry.checksum(name) for name in [images.cifar10_file()]} if p.data == "cifar10" else {}


def _checksums(p: NetworkTrainingParameters) -> dict[str, str]:
    found = _image_checksums(p)
    if _with_surrogate(p):
        found |= NB301Benchmark().checksums([SURROGATE_ACCURACY])
    if p.data == "generated" and 0 in (p.training_images, p.test_images):
        raise ParameterError("Generated images are made to order: training_images and test_images must not be 0.")
    if p.cells.startswith(RECORD):
        found |= chosen_cells.record_file(p.cells.removeprefix(RECORD))
    elif p.cells != SURROGATE:
        chosen_cells.parse_cells(p.cells)
    return found


EXPERIMENT = Experiment("network_training", 1, NetworkTrainingParameters, _checksums, execute)
