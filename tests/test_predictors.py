"""Predictors rank what they have not seen; an ensemble is the same as its members trained alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import kendalltau, norm, rankdata

from nasrepro.errors import ParameterError
from nasrepro.predictors import Predictor
from nasrepro.predictors.ranking_networks import MLP, RankingConfig, RankingEnsemble
from nasrepro.predictors.regressors import BoostedTrees, GPPredictor, XGBoost
from nasrepro.predictors.scaling import normal_scores, standardised, unit_variance

FAST = RankingConfig(epochs=30)


class Ranking:
    """A `Predictor` of one ranking network."""

    def __init__(self, config: RankingConfig = FAST) -> None:
        self._config = config

    def fit(self, features: np.ndarray, targets: np.ndarray, groups: np.ndarray | None = None) -> None:
        self._ensemble = RankingEnsemble(lambda: MLP(features.shape[1]), self._config)
        self._ensemble.fit([torch.from_numpy(features)], np.arange(len(targets))[None], targets[None], [1])

    def predict(self, features: np.ndarray) -> np.ndarray:
        return self._ensemble.predict([torch.from_numpy(features)], np.arange(len(features))[None])[0]


def example(n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Return features and labels with a long lower tail."""
    rng = np.random.default_rng(0)
    x = rng.random((n, 6)).astype(np.float32)
    return x, -np.exp(3 * x[:, 0] - 2 * x[:, 1] * x[:, 2])


@pytest.mark.parametrize(
    "predictor",
    [
        *(Ranking(), Ranking(RankingConfig("mse", epochs=30)), GPPredictor(), GPPredictor(fit_on=60, seed=1)),
        *(BoostedTrees(1, trees=100), XGBoost(1)),
    ],
)
def test_a_predictor_ranks_unseen_cells_and_repeats_itself(predictor: Predictor):
    x, y = example()
    targets = unit_variance(normal_scores(y[:100]))
    predictor.fit(x[:100], targets)
    first = predictor.predict(x[100:])
    assert kendalltau(first, y[100:]).statistic > 0.7
    predictor.fit(x[:100], targets)
    np.testing.assert_array_equal(first, predictor.predict(x[100:]))


def test_the_members_of_xgboost_agree_where_they_know_and_differ_where_they_do_not():
    x, y = example()
    targets = unit_variance(normal_scores(y[:100]))
    model = XGBoost(members=4)
    model.fit(x[:100], targets)
    members = model.predict_members(x)
    assert members.shape == (4, 300)
    np.testing.assert_array_equal(model.predict(x), members.mean(0))
    spread = members.std(0)
    assert 0 < spread[:100].mean() < spread[100:].mean()


def test_trees_know_labels_and_not_differences():
    for model in (BoostedTrees(), XGBoost()):
        with pytest.raises(ParameterError, match="fitted to labels, not to differences"):
            model.fit(np.zeros((2, 1)), np.zeros(2), np.array([0, 1]))


def test_shuffled_labels_teach_nothing():
    x, y = example()
    predictor = Ranking()
    predictor.fit(x[:100], np.random.default_rng(1).permutation(y[:100]))
    assert abs(kendalltau(predictor.predict(x[100:]), y[100:]).statistic) < 0.3


def test_members_of_an_ensemble_do_not_know_each_other():
    x, y = example()
    inputs, cells = [torch.from_numpy(x)], np.stack([np.arange(40), np.arange(40, 80)])
    judged = np.stack([np.arange(200, 300)] * 2)
    config = RankingConfig(epochs=5, batch_size=8)  # all pairs of a batch, so that no draw is shared
    both = RankingEnsemble(lambda: MLP(6, (16,)), config)
    both.fit(inputs, cells, y[cells], [3, 4])
    for k, seed in enumerate((3, 4)):
        alone = RankingEnsemble(lambda: MLP(6, (16,)), config)
        alone.fit(inputs, cells[k : k + 1], y[cells[k : k + 1]], [seed])
        np.testing.assert_allclose(both.predict(inputs, judged)[k], alone.predict(inputs, judged[:1])[0], atol=1e-5)


def test_the_hinge_loss_is_that_of_its_formula():
    ensemble = RankingEnsemble(lambda: MLP(1), RankingConfig(margin=0.1))
    scores, labels = torch.tensor([[0.0, 0.05, -1.0, 2.0]]), torch.tensor([[1.0, 2.0, 2.0, 0.0]])
    expected = []
    for i in range(4):
        for j in range(i + 1, 4):
            sign = float(torch.sign(labels[0, i] - labels[0, j]))
            expected.append(max(0.0, 0.1 - sign * float(scores[0, i] - scores[0, j])) if sign else 0.0)
    loss = ensemble._loss(scores, labels, np.random.default_rng(0))
    assert float(loss) == pytest.approx(np.mean(expected))
    assert float(ensemble._loss(labels, labels, np.random.default_rng(0))) == 0  # in order, further apart than 0.1


def test_training_leaves_the_global_random_state_alone():
    x, y = example(40)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    Ranking(RankingConfig(epochs=1)).fit(x, y)
    assert torch.equal(before, torch.get_rng_state())


def test_normal_scores_keep_the_order_and_have_variance_one():
    y = np.array([3.0, -1e8, 3.0, 5.0])
    scores = unit_variance(normal_scores(y))
    assert scores[0] == scores[2] and scores[1] < scores[0] < scores[3]
    assert scores.std() == pytest.approx(1)
    assert (normal_scores(np.zeros(3)) == 0).all()


def test_scaling_is_bit_for_bit_what_its_users_computed_before():
    rng = np.random.default_rng(0)
    for n in (2, 3, 50, 1_001):
        values = np.round(rng.normal(90, 5, n), 1)
        scores = norm.ppf((rankdata(values) - 0.5) / n)
        np.testing.assert_array_equal(normal_scores(list(values)), scores)
        np.testing.assert_array_equal(unit_variance(scores), scores / float(scores.std()))
        centred = values - np.mean(values)
        np.testing.assert_array_equal(standardised(list(values)), centred / float(centred.std()))
        rows = rng.normal(90, 5, (4, n))
        centred = rows - rows.mean(1, keepdims=True)
        np.testing.assert_array_equal(standardised(rows), centred / centred.std(1, keepdims=True))
