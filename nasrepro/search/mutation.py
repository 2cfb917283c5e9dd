"""Mutants: cells a few random edits away from others; one random edit is `mutate` of the space."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

import numpy as np

from nasrepro.spaces.base import SearchSpace
from nasrepro.spaces.fixed_code import changed_fields, fixed_code

A = TypeVar("A")
_AT_ONCE = 16  # mutants drawn at a time, of which the first that is a cell is taken


def field_mutation(space: Any, rng: np.random.Generator) -> Callable[[A], A]:
    """Return what draws a mutant of a cell: each field of its fixed-length code changes by chance, again until the code
    is a cell. It may be the cell itself. `UnknownQuery` where the space has no such code."""
    code = fixed_code(space)

    def mutate(arch: A) -> A:
        codes = code.of_rows(np.repeat(space.rows([arch]), _AT_ONCE))
        while True:
            rows = code.to_rows(changed_fields(code, codes, rng))
            if (valid := rows[rows >= 0]).size:
                found: A = space.from_index(int(valid[0]))
                return found

    return mutate


def new_mutants(
    space: SearchSpace[A],
    parents: Sequence[A],
    rng: np.random.Generator,
    count: int,
    known: Collection[str],
    edits: float = 1.0,
) -> list[A]:
    """Mutate the parents in turn, `count` times each, until `count` mutants are there whose keys are not `known`; fewer
    where the parents do not have so many. A mutant is a Poisson number of mean `edits` away, but at least one."""
    found: dict[str, A] = {}
    for parent in parents:
        if len(found) >= count:
            break
        neighbours = space.neighbours(parent)  # once, for the first edit of all mutants
        if not neighbours:  # in a sparse list of cells
            continue
        for further in rng.poisson(edits, count):
            child = neighbours[int(rng.integers(len(neighbours)))]
            for _ in range(1, further):
                child = space.mutate(child, rng)
            key = space.key(child)
            if key not in known:
                found.setdefault(key, child)
    return list(found.values())
