"""Surrogates: the Gaussian process against closed forms and scikit-learn, cross-validation, distance, cache."""

from __future__ import annotations

import sys
from dataclasses import asdict

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import multivariate_normal

from nasrepro.benchmarks.surrogates import boosting
from nasrepro.benchmarks.surrogates import nb301 as surrogate
from nasrepro.benchmarks.surrogates.nb301 import (
    Kernel,
    Surrogate,
    choose_kernel,
    cross_validate,
    fitted,
    folds_of_rows,
)
from nasrepro.benchmarks.surrogates.validation import CrossValidation
from nasrepro.errors import MissingData

KERNEL = Kernel(length=1.5, linear=0.3, noise=0.05)


def _data(n: int = 150, noise: float = 0.1, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 4))
    y = 93 + x[:, 0] - 0.5 * x[:, 1] + np.sin(2 * x[:, 2]) + noise * rng.normal(size=n)
    return x, y


def test_predictions_are_those_of_the_closed_form():
    x, y = _data(60)
    new = np.random.default_rng(1).normal(size=(7, 4))
    groups = [3, 1]
    found = Surrogate(x, y, groups, KERNEL)
    weight = 1 / np.sqrt([3, 3, 3, 1])
    a, b = ((z - x.mean(0)) / x.std(0) * weight for z in (x, new))

    def k(p: np.ndarray, q: np.ndarray) -> np.ndarray:
        return np.exp(-(cdist(p, q) ** 2) / (2 * 1.5**2)) + 0.3 * p @ q.T

    inverse = np.linalg.inv(k(a, a) + 0.05 * np.eye(60))
    labels = (y - y.mean()) / y.std()
    np.testing.assert_allclose(found.predict(new), y.mean() + y.std() * k(b, a) @ inverse @ labels)
    amplitude = labels @ inverse @ labels / 60
    variance = amplitude * (np.diag(k(b, b)) + 0.05 - np.einsum("ij,jk,ik->i", k(b, a), inverse, k(b, a)))
    np.testing.assert_allclose(found.std(new), y.std() * np.sqrt(variance))
    assert found.predict(new[:0]).shape == found.std(new[:0]).shape == found.distance(new[:0]).shape == (0,)


def test_predictions_are_those_of_scikit_learn():
    process = pytest.importorskip("sklearn.gaussian_process")
    kernels = pytest.importorskip("sklearn.gaussian_process.kernels")
    x, y = _data(80)
    found = Surrogate(x, y, [4], KERNEL)
    scaled, labels = (x - x.mean(0)) / x.std(0) / 2, (y - y.mean()) / y.std()
    a = found._amplitude
    kernel = (
        a * kernels.RBF(1.5) + 0.3 * a * kernels.DotProduct(sigma_0=0, sigma_0_bounds="fixed")
        + kernels.WhiteKernel(0.05 * a)
    )  # fmt: skip
    theirs = process.GaussianProcessRegressor(kernel, alpha=0, optimizer=None).fit(scaled, labels)
    mean, std = theirs.predict(scaled[:9] + 0.1, return_std=True)
    features = (scaled[:9] + 0.1) * 2 * x.std(0) + x.mean(0)
    np.testing.assert_allclose(found.predict(features), y.mean() + y.std() * mean)
    np.testing.assert_allclose(found.std(features), y.std() * std, rtol=1e-6)


def test_the_kernel_is_that_of_the_largest_marginal_likelihood(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(surrogate, "LENGTHS", (0.7, 2.2))
    monkeypatch.setattr(surrogate, "LINEAR_WEIGHTS", (0.0, 1.0))
    for seed, noise in ((0, 0.05), (1, 0.5), (2, 3.0)):
        x, y = _data(50, noise, seed)
        x, y = (x - x.mean(0)) / x.std(0) / 2, (y - y.mean()) / y.std()

        def likelihood(kernel: Kernel, x: np.ndarray = x, y: np.ndarray = y) -> float:
            covariance = kernel(x, x) + kernel.noise * np.eye(50)
            amplitude = y @ np.linalg.solve(covariance, y) / 50  # where the likelihood is largest
            return multivariate_normal(np.zeros(50), amplitude * covariance).logpdf(y)

        grid = [Kernel(le, li, float(v)) for le in (0.7, 2.2) for li in (0.0, 1.0) for v in surrogate.NOISES]
        assert choose_kernel(x, y) == max(grid, key=likelihood)


def test_the_kernel_adapts_to_linear_and_to_noisy_labels():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3))
    linear = Surrogate(x, x @ [1.0, 2.0, 3.0], [3])
    assert linear.kernel.linear > 0 and linear.kernel.noise == surrogate.NOISES.min()
    far = np.full((1, 3), 10.0)
    assert linear.predict(far)[0] == pytest.approx(60, rel=0.05)  # a trend goes on beyond the data
    assert Surrogate(x, rng.normal(size=200), [3]).kernel.noise == surrogate.NOISES.max()


def test_a_constant_feature_and_the_scale_of_a_feature_do_not_matter():
    x, y = _data()
    new = x[:5] + 0.3
    expected = Surrogate(x, y, [4], KERNEL)
    scaled = Surrogate(x * [1, 10, 100, 0.1] + 5, y, [4], KERNEL)
    np.testing.assert_allclose(scaled.predict(new * [1, 10, 100, 0.1] + 5), expected.predict(new))
    padded = Surrogate(np.hstack([x, np.full((len(x), 1), 7.0)]), y, [4, 1], KERNEL)
    np.testing.assert_allclose(padded.predict(np.hstack([new, np.zeros((5, 1))])), expected.predict(new))


def test_the_order_of_rows_and_their_number_at_a_time_do_not_matter(monkeypatch: pytest.MonkeyPatch):
    x, y = _data()
    new = np.random.default_rng(1).normal(size=(23, 4))
    found = Surrogate(x, y, [4], KERNEL)
    expected = [f(new) for f in (found.predict, found.std, found.distance)]
    monkeypatch.setattr(surrogate, "_CHUNK", 5)
    backwards = Surrogate(x[::-1], y[::-1], [4], KERNEL)
    for f, values in zip((backwards.predict, backwards.std, backwards.distance), expected, strict=True):
        np.testing.assert_allclose(f(new), values)


def test_standard_deviations_cover_labels_and_grow_away_from_the_data():
    x, y = _data(400)
    found = Surrogate(x[:200], y[:200], [4])
    error = np.abs(found.predict(x[200:]) - y[200:])
    assert 0.90 <= (error < 1.96 * found.std(x[200:])).mean() <= 0.99
    assert (found.std(x[:5] + 8) > 2 * found.std(x[:5])).all()


def test_the_distance_is_one_where_training_rows_are_usually_and_more_far_away():
    x, y = _data(500)
    found = Surrogate(x, y, [4], KERNEL)
    held_out = found.distance(np.random.default_rng(9).normal(size=(2_000, 4)))
    assert 0.002 < (held_out > 1).mean() < 0.03
    assert found.distance(np.full((1, 4), 6.0))[0] > 3
    # brute force, in the space where each feature has variance 1/4
    scaled = x / x.std(0) / 2
    own = np.sort(cdist(scaled, scaled), axis=1)[:, 1:6].mean(1)  # without the distance to itself
    new = np.sort(cdist((x[:3] + 1) / x.std(0) / 2, scaled), axis=1)[:, :5].mean(1)
    np.testing.assert_allclose(found.distance(x[:3] + 1), new / np.quantile(own, 0.99))


def test_cross_validation_tells_a_learnable_label_from_noise():
    x, y = _data(300)
    folds = folds_of_rows(300, repeats=2)
    good = cross_validate(x, y, [4], folds)
    assert good.kendall_tau > 0.85 and good.r2 > 0.95 and 0.9 < good.coverage < 0.99
    assert (good.folds, good.repeats, good.labels) == (3, 2, 300) and 0.1 < good.rmse < 0.3
    assert good == cross_validate(x, y, [4], folds) != cross_validate(x, y, [4], folds_of_rows(300, repeats=2, seed=1))
    noise = cross_validate(x, np.random.default_rng(0).normal(size=300), [4], folds)
    assert abs(noise.kendall_tau) < 0.15 and noise.r2 < 0.05 and 0.9 < noise.coverage < 0.99


def test_no_fold_sees_its_test_labels(monkeypatch: pytest.MonkeyPatch):
    x, y = _data(61)
    seen: list[tuple[set[float], set[float]]] = []

    class Spy(Surrogate):
        def __init__(self, features: np.ndarray, targets: np.ndarray, *args: object, **kwargs: object) -> None:
            seen.append((set(targets), set()))
            super().__init__(features, targets, *args, **kwargs)  # type: ignore[arg-type]

        def predict(self, features: np.ndarray) -> np.ndarray:
            rows = [int(np.flatnonzero((x == f).all(1))[0]) for f in features]
            seen[-1][1].update(y[rows])
            return super().predict(features)

    monkeypatch.setattr(surrogate, "Surrogate", Spy)
    cross_validate(x, y, [4], folds_of_rows(61, folds=3, repeats=2))
    assert len(seen) == 6
    for trained, tested in seen:
        assert not trained & tested and trained | tested == set(y)
    for repeat in (seen[:3], seen[3:]):
        assert sum(len(tested) for _, tested in repeat) == 61
    assert seen[0][1] != seen[3][1]


def test_a_fitted_surrogate_is_found_once_and_read_again(no_mirror, monkeypatch: pytest.MonkeyPatch):
    x, y = _data(90)
    first, figures = fitted("toy", ["bytes"], x, y, [4])
    assert isinstance(figures, CrossValidation) and isinstance(figures.folds, int) and figures.repeats == 5
    for name in ("cross_validate", "choose_kernel"):
        monkeypatch.setattr(surrogate, name, lambda *args, **kwargs: pytest.fail("found again"))
    second, again = fitted("toy", ["bytes"], x, y, [4])
    assert again == figures and second.kernel == first.kernel
    np.testing.assert_array_equal(second.predict(x[:5]), first.predict(x[:5]))
    with pytest.raises(pytest.fail.Exception, match="found again"):
        fitted("toy", ["other bytes"], x, y, [4])


def test_boosted_trees_are_kept_as_json_and_judged_on_the_folds_of_their_rival(no_mirror, monkeypatch):
    x, y = _data(120)
    monkeypatch.setattr(boosting, "ROUNDS", 60)
    folds = folds_of_rows(120, repeats=2)
    found = boosting.fitted("toy", ["bytes"], x, y, folds)
    assert (found.figures.folds, found.figures.repeats, found.figures.labels) == (3, 2, 120)
    assert found.figures.kendall_tau > 0.4 and np.isnan(found.figures.coverage)
    in_sample = found.predict(x) - y
    assert np.sqrt((in_sample**2).mean()) < found.figures.rmse
    monkeypatch.setattr(boosting, "_grow", lambda *args: pytest.fail("grown again"))
    again = boosting.fitted("toy", ["bytes"], x, y, folds)
    np.testing.assert_array_equal(again.predict(x[:9]), found.predict(x[:9]))
    assert asdict(again.figures) | {"coverage": 0} == asdict(found.figures) | {"coverage": 0}
    with pytest.raises(pytest.fail.Exception, match="grown again"):
        boosting.fitted("toy", ["other bytes"], x, y, folds)


def test_without_xgboost_the_message_names_the_command(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "xgboost", None)
    with pytest.raises(MissingData, match="pip install 'xgboost-cpu"):
        boosting.xgboost()
