"""The `.wandb` file: a header, then 32 KiB blocks as LevelDB's log has them, whose records are protobuf messages.

Each piece of a block is `crc32 u32, length u16, type u8, data` (little-endian); the checksum is zlib's, unmasked, over type and data. What is
damaged costs the rest of its block; reading goes on at the next one, and what lay between is reported with its bytes. Nothing here knows W&B's
messages but by the field numbers that its callers ask for.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from carnet_store.errors import Invalid

BLOCK: Final = 32 * 1024
MAGIC: Final = b":W&B"
LONGEST_RECORD: Final = 64 * 1024 * 1024
"""Bytes of one record; a longer one is reported, not read."""

_HEADER = struct.Struct("<4sHB")
_PIECE = struct.Struct("<IHB")
_MARK: Final = 0xBEE1
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_VARINT_BYTES: Final = 10


class Record(NamedTuple):
    """A whole record and the byte of the file where it begins."""

    offset: int
    data: bytes


class Torn(NamedTuple):
    """Bytes that hold no readable record: from, up to (the file's length where it is torn off), and why."""

    start: int
    end: int
    why: str


class Damaged(ValueError):
    """A message that is no protobuf; the text says why."""


def records(path: Path) -> Iterator[Record | Torn]:
    """Yield the records of a file in order, one block in memory at a time, and the places that hold none.

    Raises:
        Invalid: it is no `.wandb` file, or one of a newer format.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_HEADER.size)
        if not head:
            raise Invalid(f"{path} is empty: the run ended before it wrote anything")
        if len(head) < _HEADER.size or head[:4] != MAGIC or _HEADER.unpack(head)[1] != _MARK:
            raise Invalid(f"{path} is no .wandb file: it does not begin with {MAGIC.decode()}")
        if head[6] != 0:
            raise Invalid(f"{path} has version {head[6]} of the .wandb format; version 0 can be read")
        yield from _records(file)


def _records(file: BinaryIO) -> Iterator[Record | Torn]:
    base, place = 0, _HEADER.size
    file.seek(0)
    block = file.read(BLOCK)
    whole = bytearray()  # of the record that is being put together, from `began` on; -1 where none is
    began = -1
    bad: tuple[int, str] | None = None
    while block:
        while len(block) - place >= _PIECE.size:
            crc, size, kind = _PIECE.unpack_from(block, place)
            end = place + _PIECE.size + size
            why = ""
            if not (crc or size or kind):
                why = "there are zeros"
            elif end > len(block):
                why = "it is torn off" if len(block) < BLOCK else "a length reaches over its block"
            elif zlib.crc32(memoryview(block)[place + 6 : end]) != crc:
                why = "its checksum is wrong"
            elif not _FULL <= kind <= _LAST:
                why = f"a piece is of the unknown type {kind}"
            if why:
                bad = bad or (base + place if began < 0 else began, why)
                began, place = -1, len(block)
                break
            if kind in (_FULL, _FIRST):
                if began >= 0:
                    bad = bad or (began, "a record has no end")
                if bad is not None:
                    yield Torn(bad[0], base + place, bad[1])
                    bad = None
                began, whole = base + place, bytearray()
            elif began < 0 and bad is None:
                bad = (base + place, "a record has no beginning")
            if began >= 0:
                whole += memoryview(block)[place + _PIECE.size : end]
                if len(whole) > LONGEST_RECORD:
                    bad, began = (began, f"a record is longer than {LONGEST_RECORD:,} bytes"), -1
                elif kind in (_FULL, _LAST):
                    yield Record(began, bytes(whole))
                    began = -1
            place = end
        rest = block[place:]
        if bad is None and began < 0 and len(block) < BLOCK and rest.strip(b"\0"):
            bad = (base + place, "it is torn off")
        base += len(block)
        block, place = file.read(BLOCK), 0
    if bad is None and began >= 0:
        bad = (began, "it is torn off")
    if bad is not None:
        yield Torn(bad[0], base, bad[1])


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield (field number, value) of a message: an int of a varint, the raw bytes of any other (8, 4 or as many as it says).

    Raises:
        Damaged: it is no protobuf message.
    """
    place, size = 0, len(message)
    while place < size:
        key, place = _varint(message, place)
        wire = key & 7
        if wire == 0:
            number, place = _varint(message, place)
            yield key >> 3, number
            continue
        if wire == 2:
            length, place = _varint(message, place)
        elif wire in (1, 5):
            length = 8 if wire == 1 else 4
        else:
            raise Damaged(f"a field has the unknown form {wire}")
        if length > size - place:
            raise Damaged("a field is longer than its message")
        yield key >> 3, message[place : place + length]
        place += length


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    for at in range(place, min(place + _VARINT_BYTES, len(message))):
        byte = message[at]
        value |= (byte & 127) << shift
        if byte < 128:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at + 1
        shift += 7
    raise Damaged("a number has no end")


def text(value: int | bytes) -> str:
    """Return a field as text; what is no UTF-8 in it stands as `U+FFFD`."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def message(value: int | bytes) -> bytes:
    """Return a field as a message of its own.

    Raises:
        Damaged: it is a number.
    """
    if isinstance(value, int):
        raise Damaged("a number stands where a message should")
    return value


def signed(value: int | bytes) -> int:
    """Return an int32 or int64 field as it was written: two's complement over 64 bits."""
    if isinstance(value, bytes):
        raise Damaged("bytes stand where a number should")
    return value - 2**64 if value >= 2**63 else value


def zigzag(value: int | bytes) -> int:
    """Return a sint64 field as it was written: the sign in the lowest bit."""
    plain = value if isinstance(value, int) else 0
    return (plain >> 1) ^ -(plain & 1)


def double(value: int | bytes) -> float:
    """Return a double field.

    Raises:
        Damaged: it has not eight bytes.
    """
    if not isinstance(value, bytes) or len(value) != 8:
        raise Damaged("a double has not eight bytes")
    return float(struct.unpack("<d", value)[0])
