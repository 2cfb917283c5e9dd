"""The recipes of NAS-Bench-NLP, drawn again from its published sampler.

The logs of NAS-Bench-NLP (Klyuchnikov et al., IEEE Access 2022) name their networks by numbers. What the numbers stand
for follows from the published sampler: seed it with 0, 1, 2, ..., keep the valid recipes, number them in that order.

A recipe says how a recurrent cell computes its H new hidden states `h_new_0`, ... (the first is also the output of the
layer) from the word `x` and the H previous ones `h_prev_0`, ...: name of a node -> operation and ordered inputs. A
`blend` of a, b, c is a b + (1 - a) c, so the order of its inputs matters to the network.

The sampler adds operations until it has 13 + H or one more:

- `linear` (probability 1/2): 2 or 3 different inputs (probability 4/5 and 1/5) out of the word, the hidden states and
  the activations so far, as many as there are; it is followed by one activation (tanh, sigmoid or leaky ReLU);
- `blend` of 3, `elementwise_prod` and `elementwise_sum` of 2 different inputs (1/6 each) out of the hidden states and
  all nodes so far; skipped while there are not enough.

Then H nodes become the new hidden states, and what they do not need is dropped. The recipe is valid when the word and
every previous hidden state are needed and no new hidden state reads a previous one directly.
"""

from __future__ import annotations

import json
from typing import Any, Protocol

import numpy as np
import pandas as pd

from nasrepro.files.cached_tables import cached_table, fingerprint

Recipe = dict[str, dict[str, Any]]  # name of a node -> {"op": operation, "input": names}

OPERATIONS = ("linear", "blend", "elementwise_prod", "elementwise_sum")
ACTIVATIONS = ("activation_tanh", "activation_sigm", "activation_leaky_relu")
ARITY = {"blend": 3, "elementwise_prod": 2, "elementwise_sum": 2}
HIDDEN_SIZES = (1, 2, 3)  # H
N_RUNS = 3  # the list of an H was trained three times over, each time under new numbers
FIRST_ID = {1: 1_000_003, 2: 1_006_003, 3: 1_012_003}
N_RECIPES = {1: 2_000, 2: 2_000, 3: 735}

_VERSION = 1
_SEEDS = 10_000  # seeds tried for an H
_NODES = 13  # plus H
# The published code offers the hidden states to all but `linear` in the order in which it iterated over a set.
_HIDDEN_ORDER = {1: (0,), 2: (1, 0), 3: (1, 0, 2)}


class _Random(Protocol):
    """What `numpy.random.Generator` and the legacy `RandomState` have in common."""

    def random(self) -> float: ...

    def permutation(self, x: int, /) -> np.ndarray: ...


def draw_recipe(rng: _Random, hidden: int) -> Recipe | None:
    """Draw one recipe with `hidden` hidden states from the published sampler; None when it is not valid.

    With `np.random.RandomState(seed)` it is the recipe of the published code for that seed.
    """
    states = [f"h_prev_{i}" for i in range(hidden)]
    states_as_offered = [states[i] for i in _HIDDEN_ORDER[hidden]]
    operations: dict[str, str] = {}
    inputs: dict[str, list[str]] = {}
    activations: list[str] = []

    def choose(offered: list[str], count: int) -> list[str]:
        return [offered[i] for i in rng.permutation(len(offered))[:count]]

    def add(operation: str, which: list[str]) -> str:
        name = f"node_{len(operations)}"
        operations[name], inputs[name] = operation, which
        return name

    while len(operations) < _NODES + hidden:
        operation = OPERATIONS[int(np.searchsorted(_OPERATION_LAW, rng.random(), side="right"))]
        if operation == "linear":
            count = 2 if rng.random() < _TWO_INPUTS else 3
            node = add(operation, choose(["x", *states, *activations], count))
            activation = ACTIVATIONS[int(np.searchsorted(_ACTIVATION_LAW, rng.random(), side="right"))]
            activations.append(add(activation, [node]))
        else:
            offered = [*states_as_offered, *operations]
            if len(offered) >= ARITY[operation]:
                add(operation, choose(offered, ARITY[operation]))

    new = {name: f"h_new_{i}" for i, name in enumerate(choose(list(operations), hidden))}
    needed = set(new)
    for name in reversed(operations):  # readers come after what they read
        if name in needed:
            needed.update(inputs[name])
    if not needed.issuperset(["x", *states]) or any(i.startswith("h_prev") for name in new for i in inputs[name]):
        return None
    inner = [name for name in operations if name in needed and name not in new]
    return {
        new.get(name, name): {"op": operations[name], "input": [new.get(i, i) for i in inputs[name]]}
        for name in [*inner, *new]
    }


def published_recipes() -> pd.DataFrame:
    """Return the 4,735 recipes, one row each: `model_id` of the first of the three runs, `hidden` (H), `seed` of the
    sampler, `recipe` (JSON as in the logs). Some recipes occur more than once; 4,319 are distinct.

    They are drawn once (some seconds) and kept in the cache.
    """
    return cached_table("nlp_recipes", fingerprint([_VERSION]), _draw_all)


def locate(model_ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the row of `published_recipes` (-1 where there is none) and the run (0, 1, 2) of model ids; int64 each."""
    rows, runs = np.full(len(model_ids), -1), np.zeros(len(model_ids), dtype=np.int64)
    before = 0
    for hidden in HIDDEN_SIZES:
        place = np.asarray(model_ids) - FIRST_ID[hidden]
        count = N_RECIPES[hidden]
        inside = (place >= 0) & (place < N_RUNS * count)
        rows[inside] = before + place[inside] % count
        runs[inside] = place[inside] // count
        before += count
    return rows, runs


def _draw_all() -> pd.DataFrame:
    rows = []
    rng = np.random.RandomState()
    for hidden in HIDDEN_SIZES:
        found = 0
        for seed in range(_SEEDS):
            rng.seed(seed)
            recipe = draw_recipe(rng, hidden)
            if recipe is not None:
                rows.append((FIRST_ID[hidden] + found, hidden, seed, json.dumps(recipe)))
                found += 1
                if found == N_RECIPES[hidden]:
                    break
    return pd.DataFrame(rows, columns=["model_id", "hidden", "seed", "recipe"])


def _law(weights: list[float]) -> np.ndarray:
    """Return cumulative probabilities with the rounding of `RandomState.choice`."""
    cumulative = (np.array(weights) / np.sum(weights)).cumsum()
    return cumulative / cumulative[-1]


_OPERATION_LAW = _law([3, 1, 1, 1])
_ACTIVATION_LAW = _law([1, 1, 1])
_TWO_INPUTS = float(_law([4, 1])[0])
