"""The Gaussian process against its closed forms."""

import math

import numpy as np
import pytest
from scipy.optimize import check_grad

from nasrepro.predictors.gaussian_process import GaussianProcess
from nasrepro.search.gaussian_process import spread_out


def _kernel(a: np.ndarray, b: np.ndarray, scales: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * np.square((a[:, None] - b[None]) / scales).sum(2))


@pytest.fixture
def data() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """40 labels of a function of the first two of five features, and 30 other points."""
    rng = np.random.default_rng(0)
    x = rng.random((70, 5)).astype(np.float32)
    y = np.sin(6 * x[:40, 0]) + x[:40, 1]
    return x[:40], (y - y.mean()) / y.std(), x[40:]


def test_the_posterior_is_that_of_the_closed_form(data):
    x, y, new = data
    model = GaussianProcess(5)
    model.log_scales, model.log_noise = np.log([0.3, 0.5, 1.0, 2.0, 4.0]), math.log(0.02)
    model.fit(x, y, steps=0)
    scales = np.exp(model.log_scales)
    inverse = np.linalg.inv(_kernel(x, x, scales) + 0.02 * np.eye(40))
    cross = _kernel(new, x, scales)
    covariance = _kernel(new, new, scales) - cross @ inverse @ cross.T
    mean, deviation = model.predict(new)
    np.testing.assert_allclose(mean, cross @ inverse @ y, atol=1e-4)
    np.testing.assert_allclose(deviation, np.sqrt(np.diag(covariance)), atol=1e-4)
    np.testing.assert_allclose(model.covariance(new), covariance, atol=1e-4)


def test_the_gradient_is_that_of_the_loss(data):
    x, y, _ = data
    model = GaussianProcess(5)
    for seed in range(5):
        parameters = np.random.default_rng(seed).normal([0.0] * 5 + [-3.0])
        error = check_grad(lambda p: model.loss(p, x, y)[0], lambda p: model.loss(p, x, y)[1], parameters)
        assert error < 1e-4 * np.linalg.norm(model.loss(parameters, x, y)[1])


def test_the_loss_is_the_negative_log_density_up_to_a_constant(data):
    from scipy import stats

    x, y, _ = data
    model = GaussianProcess(5)

    def density(parameters: np.ndarray) -> float:
        scales, noise = np.exp(parameters[:-1]), math.exp(parameters[-1])
        labels = stats.multivariate_normal(np.zeros(40), _kernel(x, x, scales) + noise * np.eye(40)).logpdf(y)
        prior = stats.lognorm(math.sqrt(3), scale=math.exp(math.sqrt(2) + math.log(5) / 2)).logpdf(scales).sum()
        return labels + prior + stats.lognorm(1.0, scale=math.exp(-4)).logpdf(noise)

    rng = np.random.default_rng(0)
    points = [rng.normal([0.0] * 5 + [-3.0]) for _ in range(4)]
    sums = [model.loss(p, x, y)[0] + density(p) for p in points]
    np.testing.assert_allclose(sums, sums[0], rtol=1e-6)


def test_a_fit_finds_the_features_that_matter(data):
    x, y, new = data
    model = GaussianProcess(5)
    model.fit(x, y, steps=100)
    assert max(model.log_scales[:2]) + 0.5 < min(model.log_scales[2:])
    truth = np.sin(6 * new[:, 0]) + new[:, 1]
    assert np.corrcoef(model.predict(new)[0], truth)[0, 1] > 0.99
    assert np.abs(model.predict(x)[0] - y).max() < 0.1


def test_a_batch_is_chosen_as_if_every_choice_was_observed_at_its_mean(data):
    x, y, new = data
    model = GaussianProcess(5)
    model.log_scales[:] = math.log(0.4)
    model.fit(x, y, steps=0)
    noise = math.exp(model.log_noise)
    batch = spread_out(model.predict(new)[0], model.covariance(new), noise, 2.0, 8)
    expected: list[int] = []
    for _ in range(8):
        fantasy = GaussianProcess(5)
        fantasy.log_scales[:] = math.log(0.4)
        labels = np.concatenate([y, model.predict(new[expected])[0]])
        fantasy.fit(np.concatenate([x, new[expected]]), labels, steps=0)
        mean, deviation = fantasy.predict(new)
        bound = mean + 2.0 * deviation
        bound[expected] = -np.inf
        expected.append(int(bound.argmax()))
    assert batch == expected
    top = np.argsort(-(model.predict(new)[0] + 2.0 * model.predict(new)[1]))[:8]
    assert set(batch) != set(top.tolist())  # the shrinking variances change the choice
    assert len(spread_out(np.zeros(3), np.eye(3), 0.1, 1.0, 8)) == 3
