"""Write a bundle's zip so that the same content gives the same bytes: sorted names, one time stamp, one mode, no extra fields.

It comes to be under a temporary name beside its place, is made durable and then renamed: under its own name it is whole or not there.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, Final

from carnet_store.errors import CarnetError, Invalid, NotFound, Refused, Untrusted
from carnet_store.exchange.safezip import (
    CENTRAL,
    COMMENT_BYTES,
    COMMENT_MARK,
    DEFLATED,
    END,
    END64,
    LOCAL,
    LOCATOR,
    MANY,
    MAX_ENTRIES,
    MAX_RATIO,
    MAX_SMALL,
    MIB,
    MODE,
    RATIO_FREE,
    STAMP,
    STORED,
    WIDE,
    is_name,
    is_small,
)
from carnet_store.storage.objects import sync_folder

_MEMORY: Final = 8 * MIB  # packed bytes held in memory before they go to a temporary file
_WORTH: Final = 0.9  # an object is deflated only where that leaves at most this share
_VERSION: Final = (20, 45)  # of the zip format: plain, and with 64-bit sizes


@dataclass(frozen=True, slots=True)
class Packed:
    """An entry's bytes ready to be written: digest and size of the plain bytes, and a way to yield the packed ones."""

    sha256: str
    size: int
    crc: int
    packed: int
    method: int
    pieces: Callable[[], Iterator[bytes]]
    lines: int = 0


def pack_bytes(data: bytes) -> Packed:
    """Pack a small file, deflated where that helps at all."""
    return _pack_memory(data, 6, 1.0)


def pack_lines(lines: Iterable[bytes], folder: Path) -> Packed:
    """Pack lines, a line feed after each, deflated at level 1; what does not fit in memory goes to a file in `folder`."""
    spool: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_MEMORY, dir=str(folder))  # noqa: SIM115 (lives until written)
    deflate = zlib.compressobj(1, zlib.DEFLATED, -15)
    total, crc, size, packed, count = hashlib.sha256(), 0, 0, 0, 0
    batch: list[bytes] = []
    pending = 0

    def flush() -> None:
        nonlocal crc, size, packed, pending
        data = b"".join(batch)
        total.update(data)
        crc = zlib.crc32(data, crc)
        size += len(data)
        packed += spool.write(deflate.compress(data))
        batch.clear()
        pending = 0

    for line in lines:
        batch += (line, b"\n")
        pending += len(line) + 1
        count += 1
        if pending >= MIB:
            flush()
    flush()
    packed += spool.write(deflate.flush())
    return Packed(total.hexdigest(), size, crc, packed, DEFLATED, lambda: _rewound(spool), count)


def pack_object(path: Path, sha256: str, folder: Path) -> Packed:
    """Pack an object's file, stored unless deflating saves a tenth, its digest checked on the way.

    Raises:
        Untrusted: the bytes on disk have another digest. NotFound: it is not there.
    """
    altered = Untrusted(
        f"the object sha256:{sha256[:16]}… was altered on disk",
        "import a bundle that has it, or export without objects",
    )
    try:
        with path.open("rb") as source:
            first = source.read(MIB)
            if len(first) < MIB:
                whole = _pack_memory(first, 1, _WORTH)
                if whole.sha256 != sha256:
                    raise altered
                return whole
            source.seek(0)
            found = _pack_large(source, path, folder, try_deflate=len(zlib.compress(first, 1)) <= _WORTH * len(first))
    except FileNotFoundError:
        raise NotFound(f"the object sha256:{sha256[:16]}… is gone from the store") from None
    if found.sha256 != sha256:
        raise altered
    return found


def _pack_memory(data: bytes, level: int, worth: float) -> Packed:
    deflate = zlib.compressobj(level, zlib.DEFLATED, -15)
    short = deflate.compress(data) + deflate.flush()
    use = len(short) <= worth * len(data) and _ratio_holds(len(data), len(short))
    held = short if use else data
    method = DEFLATED if use else STORED
    return Packed(
        hashlib.sha256(data).hexdigest(), len(data), zlib.crc32(data), len(held), method, lambda: iter([held])
    )


def _pack_large(source: BinaryIO, path: Path, folder: Path, *, try_deflate: bool) -> Packed:
    spool: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_MEMORY, dir=str(folder))  # noqa: SIM115 (lives until written)
    deflate = zlib.compressobj(1, zlib.DEFLATED, -15)
    total, crc, size, packed = hashlib.sha256(), 0, 0, 0
    while data := source.read(MIB):
        total.update(data)
        crc = zlib.crc32(data, crc)
        size += len(data)
        if try_deflate:
            packed += spool.write(deflate.compress(data))
    packed += spool.write(deflate.flush())
    if try_deflate and packed <= _WORTH * size and _ratio_holds(size, packed):
        return Packed(total.hexdigest(), size, crc, packed, DEFLATED, lambda: _rewound(spool))
    spool.close()
    return Packed(total.hexdigest(), size, crc, size, STORED, lambda: _file_pieces(path, size, crc))


def _ratio_holds(size: int, packed: int) -> bool:
    return size <= MAX_RATIO * packed + RATIO_FREE


def _rewound(spool: IO[bytes]) -> Iterator[bytes]:
    with spool:
        spool.seek(0)
        while data := spool.read(MIB):
            yield data


def _file_pieces(path: Path, size: int, crc: int) -> Iterator[bytes]:
    given, found = 0, 0
    with path.open("rb") as source:
        while data := source.read(MIB):
            given, found = given + len(data), zlib.crc32(data, found)
            yield data
    if (given, found) != (size, crc):
        raise Untrusted(f"{path.name[:16]}… changed while the bundle was written", "export again")


class ZipWriter:
    """A bundle's zip as it comes to be. Add entries in the order of their names, then `finish`; else `discard`."""

    def __init__(self, path: Path) -> None:
        """Begin a temporary file beside `path`. Raises Invalid where that cannot be written."""
        self.path = path
        self.temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
        try:
            handle = os.open(self.temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        except OSError as error:
            raise Invalid(
                f"{path} cannot be written: {error.strerror}", "choose a folder that you may write to"
            ) from None
        self._file = os.fdopen(handle, "wb", buffering=MIB)
        self._total = hashlib.sha256()
        self._place = 0
        self._rows: list[bytes] = []
        self._last = ""

    def add(self, name: str, entry: Packed) -> None:
        """Write one entry.

        Raises:
            ValueError: the name is not one of a bundle's, or not after the last.
            Refused: the entry breaks a limit of the format.
        """
        if not is_name(name) or name <= self._last:
            raise ValueError(f"not the next name of a bundle: {name}")
        if is_small(name) and entry.size > MAX_SMALL:
            raise Refused(
                f"{name} would have {entry.size:,} bytes; a bundle's limit is {MAX_SMALL:,}", "send an increment"
            )
        if not _ratio_holds(entry.size, entry.packed):
            raise Refused(f"{name} would be packed more than {MAX_RATIO} to one, which no reader accepts")
        raw, offset = name.encode(), self._place
        wide = entry.size >= WIDE or entry.packed >= WIDE
        extra = struct.pack("<2H2Q", 1, 16, entry.size, entry.packed) if wide else b""
        packed, size = (WIDE, WIDE) if wide else (entry.packed, entry.size)
        needed = _VERSION[wide or offset >= WIDE]
        head = (needed, 0, entry.method, *STAMP, entry.crc, packed, size, len(raw), len(extra))
        self._write(LOCAL.pack(b"PK\3\4", *head) + raw + extra)
        begun = self._place
        for piece in entry.pieces():
            self._write(piece)
        if self._place - begun != entry.packed:
            raise Untrusted(f"{name} changed while the bundle was written", "export again")
        large = [value for value in (entry.size, entry.packed, offset) if value >= WIDE]
        row_extra = struct.pack(f"<2H{len(large)}Q", 1, 8 * len(large), *large) if large else b""
        self._rows.append(
            CENTRAL.pack(
                b"PK\1\2", 3 << 8 | needed, needed, 0, entry.method, *STAMP, entry.crc, min(entry.packed, WIDE),
                min(entry.size, WIDE), len(raw), len(row_extra), 0, 0, 0, MODE << 16, min(offset, WIDE),
            ) + raw + row_extra
        )  # fmt: skip
        self._last = name

    def finish(self) -> int:
        """Write the directory and the comment, make all durable, give the file its name; return its size in bytes."""
        count, start = len(self._rows), self._place
        if count > MAX_ENTRIES:
            raise Refused(f"{count:,} entries; a bundle holds at most {MAX_ENTRIES:,}", "send an increment")
        for row in self._rows:
            self._write(row)
        length = self._place - start
        if count >= MANY or length >= WIDE or start >= WIDE:
            record = self._place
            self._write(END64.pack(b"PK\6\6", 44, 3 << 8 | 45, 45, 0, 0, count, count, length, start))
            self._write(LOCATOR.pack(b"PK\6\7", 0, record, 1))
        many = min(count, MANY)
        self._write(END.pack(b"PK\5\6", 0, 0, many, many, min(length, WIDE), min(start, WIDE), COMMENT_BYTES))
        self._file.write(COMMENT_MARK + self._total.hexdigest().encode())
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self.temporary.replace(self.path)
        sync_folder(self.path.parent)
        return self._place + COMMENT_BYTES

    def discard(self) -> None:
        """Remove the temporary file; harmless after `finish`."""
        self._file.close()
        self.temporary.unlink(missing_ok=True)

    def _write(self, data: bytes) -> None:
        self._total.update(data)
        self._place += len(data)
        self._file.write(data)


def writing(path: Path, fill: Callable[[ZipWriter], None]) -> int:
    """Write a bundle's file through `fill`: whole under its name, or not at all; return its size in bytes.

    Raises:
        Invalid: it cannot be written (no space, no permission); what `fill` raises.
    """
    writer = ZipWriter(path)
    try:
        fill(writer)
        return writer.finish()
    except CarnetError:
        raise
    except OSError as error:
        raise Invalid(
            f"{path} was not written: {error.strerror or error}", "free some space and export again"
        ) from None
    finally:
        writer.discard()
