"""Reading pickles of others through an allow-list.

A pickle is a program: `pickle.load` calls whatever it names. Here every global outside a short list is refused before
it is looked up, and the list maps names to harmless stand-ins wherever the real thing is not needed.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nasrepro.errors import CorruptData

Allowed = Mapping[tuple[str, str], object]
NOTHING: Allowed = {}  # enough for dicts, lists, strings and numbers


class _Unpickler(pickle.Unpickler):
    def __init__(self, stream: io.BytesIO, allowed: Allowed, source: str) -> None:
        super().__init__(stream)
        self._allowed = allowed
        self._source = source

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._allowed[module, name]
        except KeyError:
            raise CorruptData(
                f"{self._source} is a pickle that asks for `{module}.{name}`, which the published file does not need; "
                "nothing of it was run. Delete the file and fetch it again from its source."
            ) from None

    def persistent_load(self, pid: Any) -> Any:
        raise CorruptData(
            f"{self._source} is a pickle with outside references, which the published file does not have."
        )


def load(source: Path | bytes, allowed: Allowed = NOTHING) -> Any:
    """Unpickle a file or bytes with no globals but the `allowed` ones, (module, name) -> object.

    Raise `CorruptData` naming the first other global, or saying that the pickle is truncated or malformed.
    """
    name = str(source) if isinstance(source, Path) else "This data"
    content = source.read_bytes() if isinstance(source, Path) else source
    try:
        return _Unpickler(io.BytesIO(content), allowed, name).load()
    except CorruptData:
        raise
    except Exception as error:  # a malformed pickle can raise nearly anything
        raise CorruptData(f"{name} is not a whole pickle: {error}. Delete it and fetch it again.") from error


class _Inert:
    """Stands in for a class: keeps what the pickle says of an object, and does nothing."""

    arguments: tuple[Any, ...]
    state: Any = None

    def __new__(cls, *args: Any, **_: Any) -> _Inert:
        self = super().__new__(cls)
        self.arguments = args
        return self

    def __setstate__(self, state: Any) -> None:
        self.state = state


def _new_index(_: type, fields: dict[str, Any]) -> Any:
    return fields.get("data")


def _new_block(values: np.ndarray, where: slice, **_: Any) -> tuple[np.ndarray, slice]:
    return values, where


def _reconstruct(_: object, shape: tuple[int, ...], kind: object) -> np.ndarray:
    return np.empty(0, dtype=np.int8)  # the state that follows brings shape, type and content


def _from_buffer(content: bytes, dtype: np.dtype, shape: tuple[int, ...], order: Any) -> np.ndarray:
    return np.frombuffer(content, dtype).reshape(shape, order=order)


_FRAME_GLOBALS: dict[tuple[str, str], Callable[..., Any]] = {
    ("pandas.core.frame", "DataFrame"): _Inert,
    ("pandas.core.internals.managers", "BlockManager"): _Inert,
    ("pandas.core.internals.blocks", "new_block"): _new_block,
    ("functools", "partial"): partial,
    ("pandas.core.indexes.base", "_new_Index"): _new_index,
    ("pandas.core.indexes.base", "Index"): object,
    ("pandas.core.indexes.range", "RangeIndex"): object,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy.core.numeric", "_frombuffer"): _from_buffer,
    ("numpy", "ndarray"): object,
    ("numpy", "dtype"): np.dtype,
    ("builtins", "slice"): slice,
}


def load_frame(source: Path | bytes) -> dict[str, np.ndarray]:
    """Return the columns of a pickled pandas DataFrame, name -> array of its rows, without running any pandas code.

    Raise `CorruptData` when the pickle is not a plain DataFrame of blocks.
    """
    frame = load(source, _FRAME_GLOBALS)
    try:
        state = frame.state
        manager = state["_data"] if "_data" in state else state["_mgr"]
        if manager.state is None:  # pandas 1.3 and later: the blocks and axes are the manager's arguments
            blocks, (names, _) = manager.arguments
        else:
            description = manager.state[-1]["0.14.1"]
            names = description["axes"][0]
            blocks = [(block["values"], block["mgr_locs"]) for block in description["blocks"]]
        columns: dict[str, np.ndarray] = {}
        for block, where in blocks:
            for place, values in zip(np.arange(len(names))[where], block, strict=True):
                columns[str(names[place])] = values
    except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
        raise CorruptData(
            f"{source if isinstance(source, Path) else 'This data'} is not a pickled table: {error!r}."
        ) from error
    return {str(name): columns[str(name)] for name in names}
