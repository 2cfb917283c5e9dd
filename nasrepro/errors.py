"""The errors that a user can mend.

Each message says what was asked, what exists, and what to do next. The command line prints the message alone, without
a traceback; anything that is not a `NasreproError` is a defect of the package and keeps its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class NasreproError(Exception):
    """Base of every error that a user can mend."""


class ParameterError(NasreproError):
    """A parameter of a run is unknown, has the wrong type or lies outside its range."""


class InvalidArchitecture(NasreproError):
    """A graph or string does not describe an architecture of the space; the message is the reason.

    Attributes:
        kind: one word for the reason, by which records count invalid samples (e.g. `edges`, `operations`).
    """

    def __init__(self, message: str, kind: str = "other") -> None:
        super().__init__(message)
        self.kind = kind


class UnknownQuery(NasreproError):
    """A benchmark has no such data set, metric, split, epoch budget or seed."""


class MissingData(NasreproError):
    """A benchmark file is not on this machine; the message names the command that fetches it."""


class CorruptData(NasreproError):
    """A file does not have the content that it should (truncated, altered, swapped or hostile)."""


class TrainingDiverged(NasreproError):
    """The loss of a training became infinite or not a number."""


class StorageError(NasreproError):
    """A file could not be written or read (read-only folder, full disk)."""


class Interrupted(BaseException):
    """Ctrl-C or a polite kill. No `Exception`: what a reader says of a damaged file must not swallow it.

    Attributes:
        status: of the process that ends by it.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__("Interrupted. What was finished is kept: repeat the command to go on.")
        self.status = 128 + signal_number


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ' Did you mean `x`?' for the closest known word, or the empty string."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" Did you mean `{close[0]}`?" if close else ""
