"""Mutants: cells a few random edits away from others."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TypeVar

import numpy as np

from nasrepro.search.defaults import MutationConfig
from nasrepro.spaces.base import SearchSpace

A = TypeVar("A")


def mutant(space: SearchSpace[A], arch: A, rng: np.random.Generator, edits: float | None = None) -> A:
    """Return a cell some random edits away from `arch`: one, or a Poisson number of mean `edits`, but at least one."""
    for _ in range(1 if edits is None else max(1, int(rng.poisson(edits)))):
        arch = space.mutate(arch, rng)
    return arch


def new_mutants(
    space: SearchSpace[A],
    parents: Sequence[A],
    rng: np.random.Generator,
    config: MutationConfig,
    known: Collection[str],
) -> list[A]:
    """Mutate the parents in turn, `count` times each, until `count` mutants are there whose keys are not `known`; fewer
    where the parents do not have so many."""
    found: dict[str, A] = {}
    for parent in parents:
        if len(found) >= config.count:
            break
        neighbours = space.neighbours(parent)  # once, for the first edit of all mutants
        for edits in rng.poisson(config.edits, config.count):
            child = neighbours[int(rng.integers(len(neighbours)))]
            for _ in range(1, edits):
                child = space.mutate(child, rng)
            key = space.key(child)
            if key not in known:
                found.setdefault(key, child)
    return list(found.values())
