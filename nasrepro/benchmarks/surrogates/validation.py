"""Cross-validation: what a surrogate is worth on labels that it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

Predict = Callable[[np.ndarray], np.ndarray]  # features B x D -> predictions ... x B


@dataclass(frozen=True)
class CrossValidation:
    """What a surrogate is worth on labels that it has not seen.

    Means over all folds of all repetitions; `_sd` is the standard deviation over folds. Everything, the kernel too, is
    chosen on the training part of each fold.

    Attributes:
        kendall_tau: rank correlation of predictions and labels.
        r2: share of the variance that is explained.
        rmse: root mean squared error, in the unit of the labels.
        coverage: share of the labels within 1.96 standard deviations of their predictions (0.95 if those are right);
            NaN for a model without.
        folds, repeats, labels: protocol, and number of labels in all.
    """

    kendall_tau: float
    kendall_tau_sd: float
    r2: float
    r2_sd: float
    rmse: float
    coverage: float
    folds: int
    repeats: int
    labels: int

    @classmethod
    def of(cls, row: Mapping[Any, Any]) -> CrossValidation:
        """Return the figures that a row of a table has among others."""
        return cls(**{field.name: row[field.name] for field in fields(cls)})


def out_of_fold(
    fit: Callable[[np.ndarray, np.ndarray], Predict], features: np.ndarray, targets: np.ndarray, fold: np.ndarray
) -> np.ndarray:
    """Return what is predicted for each row (... x n) by a model that is fitted to the rows of the other folds."""
    tests = [fold == k for k in np.unique(fold)]
    parts = [fit(features[~test], targets[~test])(features[test]) for test in tests]
    found = np.empty((*parts[0].shape[:-1], len(targets)))
    for test, predicted in zip(tests, parts, strict=True):
        found[..., test] = predicted
    return found


def figures(
    targets: np.ndarray, repeats: Sequence[tuple[np.ndarray, np.ndarray]], coverage: float = np.nan
) -> CrossValidation:
    """Return the figures of predictions out of fold.

    Args:
        targets: labels, n.
        repeats: of each repetition the fold of each row (int, n) and the predictions (n).
        coverage: see `CrossValidation`.
    """
    from scipy.stats import kendalltau  # takes half a second to import

    parts = [(predicted[fold == k], targets[fold == k]) for fold, predicted in repeats for k in np.unique(fold)]
    taus = [kendalltau(predicted, labels).statistic for predicted, labels in parts]
    r2s = [1 - ((predicted - labels) ** 2).mean() / labels.var() for predicted, labels in parts]
    errors = np.stack([predicted - targets for _, predicted in repeats])
    return CrossValidation(
        kendall_tau=float(np.mean(taus)),
        kendall_tau_sd=float(np.std(taus)),
        r2=float(np.mean(r2s)),
        r2_sd=float(np.std(r2s)),
        rmse=float(np.sqrt((errors**2).mean())),
        coverage=float(coverage),
        folds=len(parts) // len(repeats),
        repeats=len(repeats),
        labels=len(targets),
    )
