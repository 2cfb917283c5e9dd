"""How new and how varied generated architectures are (DiNAS, section 5.3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence


def novelty(drawn: Sequence[str], known: Collection[str]) -> float | None:
    """Return the share of the generated architectures that are absent from the training data, None of none.

    Args:
        drawn: names of the valid generations, repeated ones too. What counts as the same has the same name: the native
            string for exact equality, the key for isomorphism.
        known: names of the training data.
    """
    known = set(known)
    return sum(name not in known for name in drawn) / len(drawn) if drawn else None


def uniqueness(drawn: Sequence[str]) -> float | None:
    """Return the number of names that were generated just once, as a share of all generations; None of none.

    This is the paper's wording. A name generated twice counts for nothing, so it is less than the share of distinct
    names.
    """
    return sum(count == 1 for count in Counter(drawn).values()) / len(drawn) if drawn else None
