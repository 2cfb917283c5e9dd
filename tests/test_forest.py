"""Forests as arrays: they predict as scikit-learn does, are read back as they were, and their figures are right."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau
from sklearn.ensemble import ExtraTreesRegressor

from nasrepro.benchmarks.surrogates import forest
from nasrepro.benchmarks.surrogates.validation import figures, out_of_fold
from nasrepro.seeding import derive


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 5, size=(300, 12)).astype(float)
    x[:, 3] = 2  # a constant feature
    return x, np.sin(x[:, 0]) + x[:, 1] * x[:, 2] / 5 + rng.normal(0, 0.1, 300)


@pytest.fixture(scope="module")
def grown(data: tuple[np.ndarray, np.ndarray]) -> forest.Forest:
    return forest.grow(*data)


def test_a_forest_predicts_what_scikit_learn_predicts(data, grown: forest.Forest):
    x, y = data
    used = np.delete(np.arange(12), 3)
    reference = ExtraTreesRegressor(
        forest.TREES, min_samples_leaf=2, max_features=forest.SHARE, random_state=derive(0, "forest") % 2**32
    ).fit(x[:, used], y)
    new = np.random.default_rng(1).normal(2, 3, size=(500, 12))
    trees = np.stack([tree.predict(new[:, used]) for tree in reference.estimators_], axis=1)
    np.testing.assert_allclose(grown.by_tree(new), trees, rtol=1e-12)
    np.testing.assert_allclose(grown.predict(new), reference.predict(new[:, used]), rtol=1e-12)
    np.testing.assert_allclose(grown.spread(new), trees.std(axis=1), rtol=1e-9)


def test_rows_do_not_depend_on_the_batch(grown: forest.Forest, monkeypatch: pytest.MonkeyPatch):
    new = np.random.default_rng(2).normal(2, 3, size=(30, 12))
    together = grown.predict(new)
    monkeypatch.setattr(forest, "_CHUNK", 7)
    np.testing.assert_array_equal(grown.predict(new), together)
    assert grown.predict(new[:0]).shape == grown.spread(new[:0]).shape == (0,)


def test_a_forest_is_read_back_as_it_was(grown: forest.Forest):
    buffer = io.BytesIO()
    grown.to_frame().to_parquet(buffer)
    back = forest.Forest.from_frame(pd.read_parquet(buffer))
    new = np.random.default_rng(3).normal(2, 3, size=(50, 12))
    np.testing.assert_array_equal(back.by_tree(new), grown.by_tree(new))


def test_rows_are_predicted_by_forests_that_have_not_seen_them(data):
    x, _ = data
    noise = np.random.default_rng(4).normal(size=len(x))  # nothing to learn
    folds = forest.fold_of_rows(len(x))
    predicted, spread = out_of_fold(forest.grower(), x, noise, folds)
    assert np.bincount(folds).tolist() == [60] * forest.FOLDS and (spread > 0).all()
    seen = forest.grow(x, noise).predict(x)
    assert np.corrcoef(seen, noise)[0, 1] > 0.6 > 0.3 > np.corrcoef(predicted, noise)[0, 1]


def test_figures_by_hand(data):
    _, y = data
    folds = forest.fold_of_rows(len(y), seed=3)
    assert not np.array_equal(folds, forest.fold_of_rows(len(y), seed=4))
    guess = y + np.random.default_rng(5).normal(0, 0.3, len(y))
    found = figures(y, [(folds, guess)], coverage=0.9)
    parts = [(guess[folds == k], y[folds == k]) for k in range(5)]
    assert found.kendall_tau == pytest.approx(np.mean([kendalltau(g, t).statistic for g, t in parts]))
    assert found.r2 == pytest.approx(
        np.mean([1 - ((g - t) ** 2).sum() / ((t - t.mean()) ** 2).sum() for g, t in parts])
    )
    assert found.rmse == pytest.approx(np.sqrt(((guess - y) ** 2).mean()))
    assert (found.coverage, found.folds, found.repeats, found.labels) == (0.9, 5, 1, 300)


def test_calibrated_spreads_cover_95_per_cent():
    rng = np.random.default_rng(6)
    spreads = rng.uniform(0.5, 2, 4_000)
    errors = 3 * spreads * rng.normal(size=4_000)
    assert forest.calibration(errors, spreads) == pytest.approx(3, rel=0.05)
    folds = forest.fold_of_rows(4_000)
    assert abs(forest.coverage(errors, spreads, folds) - 0.95) < 0.0114  # 3.3 standard errors: p = 0.001
    assert forest.coverage(np.where(folds == 0, 100, 1) * errors, spreads, folds) < 0.9  # no fold calibrates itself
