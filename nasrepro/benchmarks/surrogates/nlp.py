"""Our surrogate of NAS-Bench-NLP: the Penn Treebank test loss of any cell, and how likely its training diverges.

NAS-Bench-X11, with which DiNAS and AG-Net score this space, is not public; this is not it, and its values must not be
compared with theirs. Two forests (see `forest`) on `nlp_features`:

- the loss, fitted to the mean finite loss of every cell that has one: what a training ends with *if* it does not
diverge;
- the share of trainings that diverge, fitted to all cells with a logged training.

So a diverging cell is not given a made-up loss: it has a prediction of the first and a large one of the second. The
loss forest is grown on log(loss - 4.2), as losses crowd at the good end. Both are fitted to cells of all sizes, also of
more operations than the space has. XGBoost's trees of the loss (`boosted`) are judged on the same folds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property

import numpy as np
import pandas as pd

from nasrepro.benchmarks.surrogates import boosting, forest, nlp_features
from nasrepro.benchmarks.surrogates import nb301 as surrogate
from nasrepro.benchmarks.surrogates.boosting import Boosted
from nasrepro.benchmarks.surrogates.forest import Forest
from nasrepro.benchmarks.surrogates.validation import CrossValidation, Predict, figures, out_of_fold
from nasrepro.files.cached_tables import cached_table, fingerprint
from nasrepro.spaces.nlp.cell import Cell

_VERSION = 1
_FLOOR = 4.2  # below every loss of the benchmark
_RIDGE = 10.0  # penalty of the baseline, in units of one label
# A Gaussian process predicts worse here than the forest; of this one only the distance from its training data is used.
_DISTANCE = surrogate.Kernel(1.0, 1.0, 0.5)


class NLPSurrogate:
    """The surrogate, fitted once and kept in the cache.

    Args:
        cells: those with a logged training.
        loss: their mean finite losses (NaN where all trainings diverged).
        diverged: their shares of diverged trainings.
        made_of: checksums of the raw files.
    """

    def __init__(
        self, cells: Sequence[Cell], loss: np.ndarray, diverged: np.ndarray, made_of: Sequence[object]
    ) -> None:
        self._cells = list(cells)
        self._loss = loss
        self._diverged = diverged
        self._made_of = fingerprint([_VERSION, nlp_features.VERSION, *made_of])

    def loss(self, cells: Sequence[Cell]) -> np.ndarray:
        """Return predicted losses (float64, B) in nats per word."""
        return _loss(self._forests[0].predict(nlp_features.features(cells)))

    def std(self, cells: Sequence[Cell]) -> np.ndarray:
        """Return the standard deviations of losses about their predictions (float64, B): half the width of the interval
        of one standard deviation, from the spread of the trees, scaled to what held-out cells showed."""
        features = nlp_features.features(cells)
        centre, spread = self._forests[0].predict(features), self._scale * self._forests[0].spread(features)
        return (_loss(centre + spread) - _loss(centre - spread)) / 2

    def diverged(self, cells: Sequence[Cell]) -> np.ndarray:
        """Return predicted shares of diverging trainings (float64, B)."""
        return self._forests[1].predict(nlp_features.features(cells))

    def distance(self, cells: Sequence[Cell]) -> np.ndarray:
        """Return the distances from the training cells (float64, B), by the features of structure; beyond 1 a
        prediction is an extrapolation (see `surrogate.Surrogate.distance`)."""
        return self._domain.distance(_structure(nlp_features.features(cells)))

    @property
    def figures(self) -> dict[str, CrossValidation]:
        """What the surrogate is worth on cells that it has not seen: `loss` of the predicted loss, `diverged` of the
        predicted share of diverging trainings, `one_hot_ridge` of a ridge regression of log(loss - 4.2) on the one-hot
        graph, on the same folds: what a plain model reaches."""
        rows = self._validated.to_dict("index")
        return {of: CrossValidation.of(rows[of]) for of in ("loss", "diverged", "one_hot_ridge")}

    @property
    def _scale(self) -> float:
        return float(self._validated["scale"].to_numpy()[0])  # the same in each row

    @cached_property
    def _features(self) -> np.ndarray:
        return nlp_features.features(self._cells)

    @cached_property
    def _finite(self) -> np.ndarray:
        return np.isfinite(self._loss)

    @cached_property
    def _forests(self) -> tuple[Forest, Forest]:
        def grown() -> pd.DataFrame:
            forests = (
                forest.grow(self._features[self._finite], _target(self._loss[self._finite])),
                forest.grow(self._features, self._diverged),
            )
            return pd.concat([f.to_frame().assign(of=of) for f, of in zip(forests, ("loss", "diverged"), strict=True)])

        nodes = cached_table("nlp-surrogate", self._made_of, grown)
        loss, diverged = (Forest.from_frame(nodes[nodes["of"] == of]) for of in ("loss", "diverged"))
        return loss, diverged

    @cached_property
    def _domain(self) -> surrogate.Surrogate:
        finite = self._finite
        features = _structure(self._features[finite])
        return surrogate.Surrogate(features, self._loss[finite], nlp_features.GROUPS[:1], _DISTANCE)

    @cached_property
    def _validated(self) -> pd.DataFrame:
        return cached_table("nlp-surrogate-figures", self._made_of, self._validate).set_index("of")

    def _validate(self) -> pd.DataFrame:
        finite, x = self._finite, self._features
        loss, target = self._loss[finite], _target(self._loss[finite])
        of_loss, of_all = forest.fold_of_rows(len(loss)), forest.fold_of_rows(len(x))
        predicted, spread = out_of_fold(forest.grower(), x[finite], target, of_loss)
        covered = forest.coverage(predicted - target, spread, of_loss)
        share, _ = out_of_fold(forest.grower(), x, self._diverged, of_all)
        ridge = out_of_fold(_ridge, self._one_hot(), target, of_loss)
        found = {
            "loss": figures(loss, [(of_loss, _loss(predicted))], covered),
            "one_hot_ridge": figures(loss, [(of_loss, _loss(ridge))]),
            "diverged": figures(self._diverged, [(of_all, share)]),
        }
        scale = forest.calibration(predicted - target, spread)
        return pd.DataFrame([{"of": of, "scale": scale, **asdict(validated)} for of, validated in found.items()])

    def _one_hot(self) -> np.ndarray:
        """Return the one-hot graphs of the cells with a finite loss."""
        cells = [cell for cell, wanted in zip(self._cells, self._finite, strict=True) if wanted]
        return nlp_features.one_hot(cells, max(len(cell.operations) for cell in cells))

    @cached_property
    def boosted(self) -> Boosted:
        """Boosted trees of log(loss - 4.2), with the features and on the folds of the forest."""
        loss = self._loss[self._finite]
        folds = [forest.fold_of_rows(len(loss))]
        return boosting.fitted("nlp", [self._made_of], self._features[self._finite], _target(loss), folds, _loss)


def _target(loss: np.ndarray) -> np.ndarray:
    target: np.ndarray = np.log(loss - _FLOOR)
    return target


def _loss(target: np.ndarray) -> np.ndarray:
    loss: np.ndarray = np.exp(target) + _FLOOR
    return loss


def _structure(features: np.ndarray) -> np.ndarray:
    return features[:, : nlp_features.GROUPS[0]]


def _ridge(features: np.ndarray, targets: np.ndarray) -> Predict:
    from sklearn.linear_model import Ridge

    fitted: Predict = Ridge(_RIDGE).fit(features, targets).predict
    return fitted
