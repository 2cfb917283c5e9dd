"""Gradient-boosted trees (XGBoost: Chen and Guestrin, KDD 2016) beside our surrogates, judged on the same folds.

NAS-Bench-301 is such a model, so it is the natural rival of the process and the forest that are used here. It is kept
as XGBoost's own JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from nasrepro.benchmarks.surrogates.validation import CrossValidation, figures, out_of_fold
from nasrepro.errors import MissingData
from nasrepro.files.cached_tables import cached_table, fingerprint

if TYPE_CHECKING:
    from xgboost import Booster

INSTALL = "pip install 'xgboost-cpu<3.1'"
ROUNDS = 600
PARAMETERS = {  # one thread: sums in another order would have other last digits
    "eta": 0.03,
    "max_depth": 5,
    "subsample": 0.7,
    "colsample_bytree": 0.3,
    "nthread": 1,
    "seed": 0,
}


@dataclass(frozen=True)
class Boosted:
    """Boosted trees fitted to all labels, and what such trees are worth on labels that they have not seen."""

    model: Booster
    figures: CrossValidation

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return the predictions (float64, B) of architectures with these features (B x D)."""
        return _predict(self.model, features)


def xgboost() -> Any:
    """Return the library; raise `MissingData` with the command that installs it where it is not."""
    try:
        import xgboost
    except ModuleNotFoundError as error:
        raise MissingData(f"This model needs XGBoost. Run `{INSTALL}`.") from error
    return xgboost


def fitted(
    name: str,
    made_of: Sequence[object],
    features: np.ndarray,
    targets: np.ndarray,
    folds: Sequence[np.ndarray],
    unit: Callable[[np.ndarray], np.ndarray] = np.asarray,
) -> Boosted:
    """Return boosted trees and their cross-validated figures, which are found once and kept in the cache.

    Args:
        name: readable beginning of the name of the cached table.
        made_of: everything that features and labels depend on: checksums of raw files, versions of code.
        features: n x D.
        targets: labels, n.
        folds: of each repetition the fold of each row, int, n: those by which the rival was judged.
        unit: turns targets and predictions into what the figures are of.
    """
    library = xgboost()

    def grown() -> pd.DataFrame:
        def fit(x: np.ndarray, y: np.ndarray) -> Any:
            model = _grow(x, y)
            return lambda new: _predict(model, new)

        predicted = [(fold, unit(out_of_fold(fit, features, targets, fold))) for fold in folds]
        found = figures(unit(targets), predicted)
        return pd.DataFrame([{"json": _grow(features, targets).save_raw("json").decode(), **asdict(found)}])

    made = fingerprint([*PARAMETERS.items(), ROUNDS, library.__version__, *made_of])
    row = cached_table(f"{name}-xgboost", made, grown).to_dict("records")[0]
    model = library.Booster()
    model.load_model(bytearray(row["json"].encode()))
    return Boosted(model, CrossValidation.of(row))


def _grow(features: np.ndarray, targets: np.ndarray) -> Booster:
    model: Booster = xgboost().train(PARAMETERS, xgboost().DMatrix(features, targets), ROUNDS)
    return model


def _predict(model: Booster, features: np.ndarray) -> np.ndarray:
    return model.predict(xgboost().DMatrix(features)).astype(np.float64)
