"""The steps of Delta-NAS that its pages show: each a few lines that call the package, and the table that they give.

A page shows the lines of a function as they stand here. So each can be read alone, and reads top to bottom.
"""

from __future__ import annotations

from itertools import islice

import numpy as np
import pandas as pd
from scipy.stats import kendalltau

from nasrepro.benchmarks.ledger import Ledger
from nasrepro.benchmarks.nb201 import NB201Benchmark
from nasrepro.delta.code_means import AdditiveCode
from nasrepro.delta.encoding import code_numbers, signed_difference
from nasrepro.delta.pairs import draw_edits, draw_pairs, label
from nasrepro.delta.search import DeltaNAS
from nasrepro.delta.theory import NB201_FORM, codes, neighbours, pairs
from nasrepro.encodings.aligned_form import fixed_form
from nasrepro.experiments.method.dinas_steps import ACCURACY, READER
from nasrepro.predictors.regressors import GPPredictor
from nasrepro.predictors.scaling import normal_scores, unit_variance
from nasrepro.search.crossover import path_children, standard_children
from nasrepro.search.defaults import DeltaConfig
from nasrepro.spaces.nb101.space import NB101
from nasrepro.spaces.nb201 import NB201, OPERATIONS


def count(seed: int, ledger: Ledger) -> pd.DataFrame:
    """Count the differences of cells k edits apart by the formula, and those among 100,000 random pairs."""
    rng, rows = np.random.default_rng(seed), []
    for k in (1, 2, 3):
        base, other = draw_edits(NB201, rng.integers(NB201.size, size=100_000), k, rng)
        met = code_numbers(signed_difference(NB201, base, other)).max() + 1
        rows.append((k, neighbours(NB201_FORM, k), pairs(NB201_FORM, k), codes(NB201_FORM, k), met))
    return pd.DataFrame(rows, columns=["k", "neighbours", "pairs", "differences", "met"])


def encode(seed: int, ledger: Ledger) -> pd.DataFrame:
    """Predict accuracy from the one-hot encoding of a cell, with 1 % and with 10 % of the labels."""
    accuracy, rows = ledger.open(NB201Benchmark(), ACCURACY, READER), []
    cells = np.random.default_rng(seed).permutation(NB201.size)
    vectors, test = fixed_form(NB201).vectors(cells), slice(2000, 3000)
    for labels in (156, 1563):
        predictor, known = GPPredictor(seed=seed), accuracy.read(cells[:labels], "train")
        predictor.fit(vectors[:labels], unit_variance(normal_scores(known)))
        tau = kendalltau(predictor.predict(vectors[test]), accuracy.read(cells[test], "report")).statistic
        rows.append((labels, tau))
    return pd.DataFrame(rows, columns=["labels", "tau"])


def difference(seed: int, ledger: Ledger) -> pd.DataFrame:
    """Take the signed difference of two neighbours, and read from it what was changed."""
    rng = np.random.default_rng(seed)
    base, other = draw_edits(NB201, rng.integers(NB201.size, size=1), 1, rng)
    code, form = signed_difference(NB201, base, other)[0], fixed_form(NB201)
    accuracy = ledger.open(NB201Benchmark(), ACCURACY, READER)
    rows = []
    for sign, cell in ((-1, base), (1, other)):
        entry = int(np.flatnonzero(code == sign)[0])
        operation = OPERATIONS[entry % len(OPERATIONS)]
        rows.append((sign, entry, form.places[entry], operation, accuracy.read(cell, "report")[0]))
    return pd.DataFrame(rows, columns=["sign", "entry", "edge", "operation", "accuracy"])


def distance(seed: int, ledger: Ledger) -> pd.DataFrame:
    """Edit cells k times, and see how far their accuracies are from those of the cells before."""
    accuracy, rng, rows = ledger.open(NB201Benchmark(), ACCURACY, READER), np.random.default_rng(seed), []
    for k in (1, 2, 4, 6):
        base, other = draw_edits(NB201, rng.integers(NB201.size, size=1000), k, rng)
        before, after = accuracy.read(base, "report"), accuracy.read(other, "report")
        rows.append((k, np.abs(after - before).mean(), kendalltau(before, after).statistic))
    return pd.DataFrame(rows, columns=["edits", "change", "tau"])


def cross(seed: int, ledger: Ledger) -> pd.DataFrame:
    """Cross two cells along a shortest edit path, and by the toss of a coin for each field."""
    rng = np.random.default_rng(seed)
    a, b = NB101.sample(rng), NB101.sample(rng)
    kinds = {"edit path": path_children(NB101, a, b, 0.5, rng), "standard": standard_children(NB101, a, b, rng)}
    rows = []
    for name, children in kinds.items():
        cells = [child for child in islice(children, 100) if child is not None]
        ways = [[NB101.graph_edit_distance(a, child), NB101.graph_edit_distance(child, b)] for child in cells]
        rows.append((name, len(cells), *np.mean(ways, axis=0), NB101.graph_edit_distance(a, b)))
    return pd.DataFrame(rows, columns=["crossover", "cells", "from a", "to b", "a to b"])


def move(seed: int, ledger: Ledger) -> pd.DataFrame:
    """Learn from 100 labels, and move a population along the largest predicted gains (Algorithm 2)."""
    accuracy, rng = ledger.open(NB201Benchmark(), ACCURACY, READER), np.random.default_rng(seed)
    data = label(draw_pairs(NB201, rng.permutation(NB201.size), 100, rng, scheme="subset"), accuracy)
    predictor = AdditiveCode(NB201)
    predictor.fit(data)
    search, rows = DeltaNAS(NB201, predictor, rng, DeltaConfig(population=100)), [("random", data.labels)]
    for step in (1, 2, 3):
        population = NB201.rows([member.arch for member in search.ask(100) if member.arch is not None])
        rows.append((f"step {step}", accuracy.read(population, "select")))
    return pd.DataFrame(
        [(name, labels.mean(), labels.max(), len(np.unique(labels))) for name, labels in rows],
        columns=["population", "mean", "best", "different"],
    )


STEPS = (count, encode, difference, distance, cross, move)
