"""Difference predictors F(a, b): how much more accurate b is than a (Delta-NAS, sections 4.1 and 4.2).

`MLPDifference` is the paper's: a small network on the encoded pair. `AdditiveDifference` is f(b) - f(a) with a
potential f, e.g. a Gaussian process on differences (`gp_difference`, for pairs of any scheme), or the strongest here
(`strong_difference`, for all pairs of labelled cells). All take `pairs.DifferenceData` and answer `gain_cells`.
"""
