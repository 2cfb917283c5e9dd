"""The raw files of NAS-Bench-NLP, each turned into a frame with the column `row` (rows of `listing`) and its fields."""

from __future__ import annotations

import csv
import re
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from nasrepro.benchmarks.raw.reading import csv_lines, holds, json_files
from nasrepro.benchmarks.tabular import Listing
from nasrepro.errors import InvalidArchitecture
from nasrepro.spaces.nlp.cell import Cell
from nasrepro.spaces.nlp.recipes import N_RUNS, locate, published_recipes
from nasrepro.spaces.nlp.space import NLPSpace

ALL_RECIPES = NLPSpace(max_operations=17)  # the sampler adds 16 operations, or 17 if the last two are a linear's
SEEDS = tuple(range(N_RUNS))
EPOCHS = 50
SPLITS = ("train", "valid", "test")
PROXIES = {
    "activation_distance": "Activation Distance",
    "synaptic_saliency": "Synaptic Saliency",
    "jacobian_covariance": "Jacobian Covariance",
    "jacobian_cosine": "Jacobian Cosine",
    "large_noise_jacobian": "Large Noise Jacobian",
    "large_noise_jacobian_cosine": "Large Noise Jacobian Cosine",
    "more_noised_jacobian": "More Noised Jacobian",
    "more_noised_jacobian_cosine": "More Noised Jacobian Cosine",
    "hidden_synaptic_saliency": "Hidden Synaptic Saliency",
    "layer_1_hidden_covariance": "Layer 1 Hidden Covariance",
    "layer_2_hidden_covariance": "Layer 2 Hidden Covariance",
    "layer_3_hidden_covariance": "Layer 3 Hidden Covariance",
}
_LOG = re.compile(r"log_stats_model_(\d+)_.*\.json")


@lru_cache(maxsize=1)
def listing() -> Listing[Cell]:
    """Return the 3,762 cells of the 4,735 published recipes, in the order of their first ids."""
    return Listing(ALL_RECIPES, _cells_of_recipes())


@lru_cache(maxsize=1)
def row_of_recipe() -> np.ndarray:
    """Return the row in `listing` of each row of `published_recipes`, int64."""
    return listing().rows(_cells_of_recipes())


@lru_cache(maxsize=1)
def _cells_of_recipes() -> tuple[Cell, ...]:
    return tuple(map(ALL_RECIPES.from_string, published_recipes()["recipe"]))


def trainings(path: Path) -> pd.DataFrame:
    """Return the logged trainings, one row each: `recipe` (row of `published_recipes`), `run` (0, 1, 2), final `loss`
    (NaN where the training diverged) and `parameters`.

    The file lists some trainings again, without values, after headers in its midst; one line has no end. A training
    that is listed more than once has the values of the line that has them; one that was started twice is one training.
    """
    found: dict[int, tuple[float, float]] = {}
    with holds(path, "the trainings of NAS-Bench-NLP"):
        with path.open(newline="", encoding="utf-8-sig") as stream:
            for line in csv.reader(stream):
                if match := _LOG.fullmatch(line[0]):
                    model, loss, parameters = int(match[1]), float(line[1]), float(line[5].removesuffix("log name"))
                    if model not in found or np.isnan(found[model]).sum() > np.isnan([loss, parameters]).sum():
                        found[model] = (loss, parameters)
        recipes, runs = locate(np.array(list(found), dtype=np.int64))
        if not found or (recipes < 0).any():
            raise ValueError("model ids that the published sampler does not have")
    values = np.array(list(found.values()))
    return pd.DataFrame({"recipe": recipes, "run": runs, "loss": values[:, 0], "parameters": values[:, 1]})


def penn_treebank_table(path: Path) -> pd.DataFrame:
    """Fields: loss and perplexity by seed (`loss0`, ...) and over all trainings (`loss`), `n_finite`, `n_logged`, and
    `diverged`, the share of the logged trainings that ended without a finite loss."""
    logged = trainings(path)
    logged["row"] = row_of_recipe()[logged["recipe"]]
    logged["perplexity"] = np.exp(logged["loss"])
    by_row = logged.groupby("row")
    table = by_row[["loss", "perplexity"]].mean()
    table["n_finite"], table["n_logged"] = by_row["loss"].count(), by_row.size()
    table["diverged"] = 1 - table["n_finite"] / table["n_logged"]
    for seed in SEEDS:
        of_seed = logged[logged["run"] == seed].groupby("row")
        for metric in ("loss", "perplexity"):
            table[f"{metric}{seed}"] = of_seed[metric].mean()
        table[f"n_finite{seed}"] = of_seed["loss"].count()
    return table.reset_index()


def proxies_table(path: Path) -> pd.DataFrame:
    """Fields: the twelve zero-cost metrics, mean over the logs of a cell (nearly always equal)."""
    with holds(path, "the zero-cost metrics of NAS-Bench-NLP"):
        lines = csv_lines(path)
        models = np.array([int(_LOG.fullmatch(line["log name"])[1]) for line in lines])  # type: ignore[index]
        recipes, _ = locate(models)
        if (recipes < 0).any():
            raise ValueError("model ids that the published sampler does not have")
        table = pd.DataFrame({name: [float(line[column]) for line in lines] for name, column in PROXIES.items()})
    return table.groupby(row_of_recipe()[recipes]).mean().rename_axis("row").reset_index()


def wikitext_table(path: Path) -> pd.DataFrame:
    """Fields: `train1` to `test50` (losses after each epoch), `time1` to `time50` (seconds until then), `n1` to `n50`,
    `valid_perplexity` and `test_perplexity` of the last epoch.

    Mean over the logs of a cell that got so far. A GRU and an LSTM of the archive are no recipes of the sampler and
    are left out.
    """
    records = []
    with holds(path, "the WikiText-2 logs of NAS-Bench-NLP"):
        for _, log in json_files(path):
            try:
                row = listing().index(ALL_RECIPES.from_string(log["recepie"]))
            except InvalidArchitecture:
                continue
            record: dict[str, float] = {"row": row}
            curves = [log[f"{split.removesuffix('id')}_losses"] for split in SPLITS]
            for epoch, losses in enumerate(zip(*curves, strict=True), start=1):
                if np.isfinite(losses).all():
                    record |= {f"{split}{epoch}": loss for split, loss in zip(SPLITS, losses, strict=True)}
                    record[f"time{epoch}"] = float(np.sum(log["wall_times"][:epoch]))
            for split in ("valid", "test"):
                record[f"{split}_perplexity"] = float(np.exp(record.get(f"{split}{EPOCHS}", np.nan)))
            records.append(record)
    by_row = pd.DataFrame([r for r in records if r["row"] >= 0]).groupby("row")
    counts = by_row[[f"test{epoch}" for epoch in range(1, EPOCHS + 1)]].count()
    counts.columns = [f"n{epoch}" for epoch in range(1, EPOCHS + 1)]
    return pd.concat([by_row.mean(), counts], axis=1).reset_index()
