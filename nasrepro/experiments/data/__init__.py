"""Experiments on the benchmarks themselves."""
