"""Seeds: every stream of random numbers is named, and derived from one master seed.

A named stream does not depend on what was drawn before it, so a resumed, re-batched or re-ordered run draws the same
numbers.
"""

from __future__ import annotations

import hashlib

import numpy as np


def derive(seed: int, *name: int | str) -> int:
    """Return the 63-bit seed of the stream `name` under a master seed."""
    text = ":".join(str(part) for part in (seed, *name))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def numpy_stream(seed: int, *name: int | str) -> np.random.Generator:
    """Return a numpy generator on the stream `name`."""
    return np.random.default_rng(derive(seed, *name))
