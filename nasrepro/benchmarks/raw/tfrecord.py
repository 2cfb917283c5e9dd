"""TFRecord files and protobuf messages, read without TensorFlow.

A TFRecord file is a row of records, each framed as: length (uint64), checksum of those 8 bytes (uint32), content,
checksum of the content (uint32), all little-endian. A checksum is the CRC-32C, rotated by 15 bits, plus a constant.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np

from nasrepro.errors import CorruptData

_HEADER = struct.Struct("<QI")
_CHECKSUM = struct.Struct("<I")
_FIXED_BYTES = {1: 8, 5: 4}  # kind of protobuf field -> bytes
_BATCH = 16_384  # records whose contents are checked together


def records(path: Path) -> Iterator[bytes]:
    """Yield the content of each record of a TFRecord file; every checksum, of lengths and of contents, is verified.

    Raise `CorruptData` with the number of the record (from 0) and the byte at which it begins where a checksum is wrong
    or the file ends within a record; the intact records before it may have been yielded.
    """
    with path.open("rb") as stream:
        if not path.stat().st_size:
            return
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            starts: list[int] = []
            lengths: list[int] = []
            position = number = 0
            while position < len(content):
                length = _length(path, content, number + len(starts), position)
                starts.append(position + _HEADER.size)
                lengths.append(length)
                position = starts[-1] + length + _CHECKSUM.size
                if len(starts) == _BATCH or position == len(content):
                    yield from _checked(path, content, number, starts, lengths)
                    number += len(starts)
                    starts, lengths = [], []


def _length(path: Path, content: mmap.mmap, number: int, position: int) -> int:
    """Return the length of the record that begins at a byte, after checking that it is what was written and fits."""
    length, checksum = 0, 0
    whole = position + _HEADER.size <= len(content)
    if whole:
        length, checksum = _HEADER.unpack_from(content, position)
        if _checksum_of_length(length) != checksum:
            raise _damaged(path, number, position, "the checksum of its length is wrong")
    if not whole or position + _HEADER.size + length + _CHECKSUM.size > len(content):
        raise _damaged(path, number, position, f"the file ends within it, after {len(content):,} bytes")
    return length


def _checked(path: Path, content: mmap.mmap, number: int, starts: list[int], lengths: list[int]) -> Iterator[bytes]:
    # A copy: a view would keep the map from being closed while an error is on its way.
    batch = np.frombuffer(content[starts[0] : starts[-1] + lengths[-1]], dtype=np.uint8)
    found = masked(crc32c(batch, np.array(starts) - starts[0], np.array(lengths)))
    expected = [
        _CHECKSUM.unpack_from(content, start + length)[0] for start, length in zip(starts, lengths, strict=True)
    ]
    wrong = np.flatnonzero(found != np.array(expected, dtype=np.uint32))
    if len(wrong):
        first = int(wrong[0])
        raise _damaged(path, number + first, starts[first] - _HEADER.size, "the checksum of its content is wrong")
    for start, length in zip(starts, lengths, strict=True):
        yield content[start : start + length]


def _damaged(path: Path, number: int, position: int, what: str) -> CorruptData:
    return CorruptData(
        f"{path} is damaged: record {number} (from byte {position:,}): {what}. Delete the file and fetch it again."
    )


def crc32c(content: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return the CRC-32C (Castagnoli) of many pieces of a byte array, uint32, B: all pieces go forward byte by byte."""
    table = _crc_table()
    order = np.argsort(-lengths, kind="stable")  # at any byte, the pieces that have it come first
    starts, ascending = starts[order], np.sort(lengths)
    state = np.full(len(starts), 0xFFFFFFFF, dtype=np.uint32)
    for k in range(int(ascending[-1]) if len(ascending) else 0):
        n = len(ascending) - int(np.searchsorted(ascending, k, side="right"))
        state[:n] = table[(state[:n] ^ content[starts[:n] + k]) & 0xFF] ^ (state[:n] >> 8)
    found = np.empty_like(state)
    found[order] = ~state
    return found


def masked(crc: np.ndarray) -> np.ndarray:
    """Return CRCs as TFRecord stores them."""
    return (crc >> 15 | crc << 17) + np.uint32(0xA282EAD8)


@lru_cache(maxsize=1)
def _crc_table() -> np.ndarray:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, table >> 1 ^ 0x82F63B78, table >> 1).astype(np.uint32)
    return table


@lru_cache(maxsize=4096)
def _checksum_of_length(length: int) -> int:
    written = np.frombuffer(length.to_bytes(8, "little"), dtype=np.uint8)
    return int(masked(crc32c(written, np.array([0]), np.array([8])))[0])


def protobuf_fields(message: bytes) -> Iterator[tuple[int, int | float | bytes]]:
    """Yield (field number, value) of a protobuf message in the order in which they are written.

    A varint is an int, 64 fixed bits are read as a double, a string or nested message is bytes; fields of 32 fixed bits
    are skipped. Raise `ValueError` when the message is cut off or has another kind of field.
    """
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value, position = _varint(message, position)
            yield number, value
            continue
        if kind == 2:
            length, position = _varint(message, position)
        elif kind in _FIXED_BYTES:
            length = _FIXED_BYTES[kind]
        else:
            raise ValueError(f"unknown kind {kind} of protobuf field {number}")
        content = message[position : position + length]
        position += length
        if position > len(message):
            raise ValueError("cut off within a protobuf field")
        if kind == 1:
            yield number, struct.unpack("<d", content)[0]
        elif kind == 2:
            yield number, content


def _varint(message: bytes, position: int) -> tuple[int, int]:
    """Return the varint at a position, and the position after it."""
    value = shift = 0
    while True:
        if position == len(message):
            raise ValueError("cut off within a protobuf number")
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
