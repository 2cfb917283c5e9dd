"""TFRecord files: checksums, damage anywhere, protobuf messages."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from nasrepro.benchmarks.raw import tfrecord
from nasrepro.benchmarks.raw.tfrecord import crc32c, masked, protobuf_fields, records
from nasrepro.errors import CorruptData


def bitwise_crc32c(data: bytes) -> int:
    """CRC-32C bit by bit, by its definition: the reflected polynomial 0x1EDC6F41."""
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0x82F63B78 if register & 1 else 0)
    return register ^ 0xFFFFFFFF


def framed(content: bytes) -> bytes:
    """Return a record as it stands in a file."""

    def check(data: bytes) -> bytes:
        crc = bitwise_crc32c(data)
        return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)

    length = struct.pack("<Q", len(content))
    return length + check(length) + content + check(content)


CONTENTS = [b"first", b"", b"the third record", bytes(range(256)), b"last"]
STARTS = np.cumsum([0, *(len(c) + 16 for c in CONTENTS)]).tolist()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.tfrecord"
    path.write_bytes(b"".join(map(framed, CONTENTS)))
    return path


def test_checksums_of_the_standard():
    assert bitwise_crc32c(b"123456789") == 0xE3069283  # the check value of CRC-32C
    pieces = [b"123456789", b"", bytes(32), b"\xff" * 32, bytes(range(32))]
    content = np.frombuffer(b"".join(pieces), dtype=np.uint8)
    lengths = np.array(list(map(len, pieces)))
    found = crc32c(content, np.cumsum(lengths) - lengths, lengths)
    assert found.tolist() == [0xE3069283, 0, 0x8A9136AA, 0x62A8AB43, 0x46DD794E]  # RFC 3720, B.4
    rng = np.random.default_rng(0)
    pieces = [rng.bytes(int(n)) for n in rng.integers(0, 300, size=60)]
    lengths = np.array(list(map(len, pieces)))
    found = crc32c(np.frombuffer(b"".join(pieces), dtype=np.uint8), np.cumsum(lengths) - lengths, lengths)
    assert found.tolist() == list(map(bitwise_crc32c, pieces))
    assert len(crc32c(content, np.array([], dtype=int), np.array([], dtype=int))) == 0
    assert masked(np.array([0], dtype=np.uint32)).tolist() == [0xA282EAD8]


@pytest.mark.parametrize("batch", [1, 2, 5, 100])
def test_records_come_back_in_order(path: Path, monkeypatch: pytest.MonkeyPatch, batch: int):
    monkeypatch.setattr(tfrecord, "_BATCH", batch)
    assert list(records(path)) == CONTENTS


def test_an_empty_file_has_no_records(tmp_path: Path):
    (tmp_path / "empty").touch()
    assert list(records(tmp_path / "empty")) == []


def test_any_flipped_bit_is_noticed_and_placed(path: Path):
    intact = path.read_bytes()
    for position in range(0, len(intact), 3):
        damaged = bytearray(intact)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        number = int(np.searchsorted(STARTS, position, side="right")) - 1
        where = rf"record {number} \(from byte {STARTS[number]}\): the checksum of its "
        inside = position - STARTS[number]
        with pytest.raises(CorruptData, match=where + ("length" if inside < 12 else "content")):
            list(records(path))


def test_the_middle_record_damaged_in_a_later_batch(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tfrecord, "_BATCH", 1)
    damaged = bytearray(path.read_bytes())
    damaged[STARTS[2] + 13] ^= 0xFF
    path.write_bytes(damaged)
    before = records(path)
    assert [next(before), next(before)] == CONTENTS[:2]
    with pytest.raises(CorruptData, match=rf"{path}.*record 2 \(from byte {STARTS[2]}\).*Delete the file and fetch"):
        next(before)


def test_a_truncated_file_is_noticed_wherever_it_ends(path: Path):
    intact = path.read_bytes()
    for end in range(1, len(intact)):
        path.write_bytes(intact[:end])
        if end in STARTS:
            assert len(list(records(path))) == STARTS.index(end)  # whole records; their number is for the reader
            continue
        number = int(np.searchsorted(STARTS, end, side="right")) - 1
        with pytest.raises(CorruptData, match=rf"record {number} \(from byte {STARTS[number]}\): the file ends within"):
            list(records(path))


def test_a_length_beyond_the_file_that_has_a_right_checksum_is_a_truncation(tmp_path: Path):
    path = tmp_path / "long"
    path.write_bytes(framed(b"x" * 100)[:12])
    with pytest.raises(CorruptData, match="the file ends within it, after 12 bytes"):
        list(records(path))


def test_protobuf_fields_of_every_kind():
    message = (
        b"\x08\x96\x01"  # field 1, varint 150: the example of the protobuf documentation
        + b"\x11"
        + struct.pack("<d", 0.25)  # field 2, double
        + b"\x1a\x07testing"  # field 3, string
        + b"\x25\x00\x00\x00\x00"  # field 4, 32 bits, skipped
        + b"\xf8\x01\x00"  # field 31, varint 0
        + b"\x08\xff\xff\xff\xff\x0f"
    )
    expected = [(1, 150), (2, 0.25), (3, b"testing"), (31, 0), (1, 2**32 - 1)]
    assert list(protobuf_fields(message)) == expected
    ends = {3, 12, 21, 26, 29, len(message)}
    for end in range(1, len(message)):
        if end not in ends:
            with pytest.raises(ValueError, match="cut off"):
                list(protobuf_fields(message[:end]))
    with pytest.raises(ValueError, match="kind 3"):
        list(protobuf_fields(b"\x0b"))
