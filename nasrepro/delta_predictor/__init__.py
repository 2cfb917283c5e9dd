"""Difference predictors F(a, b): how much more accurate b is than a (Delta-NAS, sections 4.1 and 4.2).

`MLPDifference` is the paper's: a small network on the encoded pair. `AdditiveDifference` is f(b) - f(a) with a
potential f, e.g. a Gaussian process on differences (`gp_difference`, for pairs of any scheme), or the strongest here
(`strong_difference`, for all pairs of labelled cells). All take `delta_data.DifferenceData` and answer `gain`.
"""

from nasrepro.delta_predictor.additive import (
    AdditiveDifference,
    Features,
    GPPotential,
    NormalScores,
    Potential,
    TreePotential,
    gp_difference,
    strong_difference,
)
from nasrepro.delta_predictor.base import DifferencePredictor
from nasrepro.delta_predictor.code_means import AdditiveCode, CodeMeans
from nasrepro.delta_predictor.network import MLPConfig, MLPDifference, NetworkPotential

__all__ = [
    "AdditiveCode",
    "AdditiveDifference",
    "CodeMeans",
    "DifferencePredictor",
    "Features",
    "GPPotential",
    "MLPConfig",
    "MLPDifference",
    "NetworkPotential",
    "NormalScores",
    "Potential",
    "TreePotential",
    "gp_difference",
    "strong_difference",
]
