"""Read a bundle's zip as hostile input: every rule of docs/format.md section 10 before a byte is inflated.

Rules:
- The comment's digest comes first, then names, order, sizes, flags and places of all entries, each against its own header.
- Entries follow each other without a gap; nothing stands before, between or after them.
- What is inflated is bounded by what was declared, and its checksum must hold.
- Nothing is ever extracted under a name that an archive gives.
"""

from __future__ import annotations

import hashlib
import re
import stat
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final

from carnet_store.core.event import MAX_LINE
from carnet_store.errors import Invalid, NotFound, Untrusted

MIB: Final = 1 << 20
GIB: Final = 1 << 30
MAX_ENTRIES: Final = 200_000
MAX_RATIO: Final = 200
RATIO_FREE: Final = 64 * 1024  # bytes that may be inflated beyond the ratio: small files compress well
MAX_SMALL: Final = 16 * MIB  # the manifest and every derived file
MAX_DIRECTORY_ROW: Final = 200  # 46 bytes, the longest name, one zip64 field

COMMENT_MARK: Final = b"carnet-bundle/1 sha256:"
COMMENT_BYTES: Final = len(COMMENT_MARK) + 64
END: Final = struct.Struct("<4s4H2LH")
END64: Final = struct.Struct("<4sQ2H2L4Q")
LOCATOR: Final = struct.Struct("<4sLQL")
CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
LOCAL: Final = struct.Struct("<4s5H3L2H")
STAMP: Final = (0, 33)  # time and date of 1980-01-01 00:00 as DOS writes them
MODE: Final = stat.S_IFREG | 0o644
STORED: Final = 0
DEFLATED: Final = 8
WIDE: Final = 0xFFFFFFFF
MANY: Final = 0xFFFF

_COMMENT: Final = re.compile(rb"carnet-bundle/1 sha256:([0-9a-f]{64})\Z")
_PLACE: Final = r"(?:0|[1-9][0-9]{0,9})"
_NAME: Final = re.compile(
    r"(?:carnet\.json(?:\.sig)?|README\.html|ro-crate-metadata\.json|verify\.py"
    rf"|ledger/[0-9a-f]{{64}}(?:~[0-9a-f]{{16}})?/{_PLACE}-{_PLACE}\.jsonl"
    r"|objects/sha256/([0-9a-f]{2})/\1[0-9a-f]{62}"
    r"|attestations/[0-9a-f]{64}(?:\.[1-9][0-9]{0,2})?\.intoto\.jsonl)\Z",
    re.ASCII,
)
_HINT: Final = "ask its sender for the bundle again; nothing was written"


def is_name(name: str) -> bool:
    """Say whether an entry of that name may stand in a bundle."""
    return _NAME.match(name) is not None


def is_small(name: str) -> bool:
    """Say whether the limit of 16 MiB holds for an entry of that name."""
    return not name.startswith(("ledger/", "objects/"))


@dataclass(frozen=True, slots=True)
class Member:
    """One entry: where its bytes begin in the file, its two sizes, its checksum, whether it is deflated."""

    name: str
    start: int
    packed: int
    size: int
    crc: int
    deflated: bool


class Archive:
    """A bundle's zip, open for reading. Made only when every structural rule holds.

    Raises:
        NotFound: there is no such file.
        Invalid: not a zip, or one that breaks a rule.
        Untrusted: the file's bytes have not the digest that its comment states.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            if not path.is_file():
                raise (Invalid if path.exists() else NotFound)(f"there is no bundle {path}", "check the file's name")
            self._file: BinaryIO = path.open("rb")
        except OSError as error:
            raise Invalid(f"{path} cannot be read: {error.strerror}") from None
        try:
            self.size = self._file.seek(0, 2)
            count, offset, length = self._end()
            self.members = self._directory(self._at(offset, length), count, offset)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    # -- structure -----------------------------------------------------------------------------------------------------

    def _wrong(self, what: str) -> Invalid:
        return Invalid(f"{self.path.name} is not a bundle: {what}", _HINT)

    def _entry(self, name: str, what: str) -> Invalid:
        return Invalid(f"{self.path.name}: the entry {name[:120]!r} {what}", _HINT)

    def _at(self, start: int, size: int) -> bytes:
        self._file.seek(start)
        data = self._file.read(size)
        if len(data) != size:
            raise self._wrong("it is cut short")
        return data

    def _end(self) -> tuple[int, int, int]:
        """Check the end record and the comment's digest; return entries, place and bytes of the directory."""
        end = self.size - COMMENT_BYTES - END.size
        record = self._at(end, END.size + COMMENT_BYTES) if end >= 0 else b""
        if not record.startswith(b"PK\5\6"):
            begins = self.size >= 4 and self._at(0, 4) == b"PK\3\4"
            raise self._wrong(
                "no end record where a bundle has it: cut short or appended to" if begins else "not a zip"
            )
        _, disk, first, here, count, length, offset, comment = END.unpack_from(record)
        stated = _COMMENT.match(record[END.size :])
        if comment != COMMENT_BYTES or stated is None:
            raise self._wrong("its comment is not that of a bundle of format 1")
        self._check_digest(stated.group(1).decode())
        directory_end = end
        if MANY in (here, count) or WIDE in (length, offset):
            here, count, length, offset, directory_end = self._end64(end)
        if disk or first or here != count or offset + length != directory_end:
            raise self._wrong("its end record contradicts the file")
        if not 0 < count <= MAX_ENTRIES:
            raise self._wrong(f"{count:,} entries; 1 to {MAX_ENTRIES:,} are allowed")
        if length > count * MAX_DIRECTORY_ROW:
            raise self._wrong("its directory is too large")
        return count, offset, length

    def _end64(self, end: int) -> tuple[int, int, int, int, int]:
        start = end - LOCATOR.size - END64.size
        if start < 0:
            raise self._wrong("its end record contradicts the file")
        mark, disk, where, disks = LOCATOR.unpack(self._at(end - LOCATOR.size, LOCATOR.size))
        record = END64.unpack(self._at(start, END64.size))
        if (mark, disk, where, disks, *record[:2], *record[4:6]) != (b"PK\6\7", 0, start, 1, b"PK\6\6", 44, 0, 0):
            raise self._wrong("its end record contradicts the file")
        return record[6], record[7], record[8], record[9], start

    def _check_digest(self, stated: str) -> None:
        total, left = hashlib.sha256(), self.size - COMMENT_BYTES
        self._file.seek(0)
        while left > 0:
            data = self._file.read(min(MIB, left))
            if not data:
                raise self._wrong("it is cut short")
            total.update(data)
            left -= len(data)
        if total.hexdigest() != stated:
            raise Untrusted(
                f"{self.path.name} was altered: its bytes have not the digest that its comment states", _HINT
            )

    def _directory(self, data: bytes, count: int, end: int) -> dict[str, Member]:
        found: dict[str, Member] = {}
        row, position, last = 0, 0, ""
        for _ in range(count):
            if len(data) - row < CENTRAL.size:
                raise self._wrong("its directory is cut short")
            mark, made, _needed, flags, method, time, date, crc, packed, size, names, extras, notes, disk, _kind, mode, offset = (
                CENTRAL.unpack_from(data, row)
            )  # fmt: skip
            raw = data[row + CENTRAL.size : row + CENTRAL.size + names]
            extra = data[row + CENTRAL.size + names : row + CENTRAL.size + names + extras]
            name = raw.decode("ascii", "replace")
            if mark != b"PK\1\2" or not is_name(name):
                raise self._entry(name, "has a name that no bundle holds")
            if name <= last:
                raise self._entry(name, "is there twice" if name in found else "is not in sorted order")
            if flags & 1:
                raise self._entry(name, "is encrypted")
            if flags or method not in (STORED, DEFLATED) or notes or disk:
                raise self._entry(name, "was made with options that a bundle has not")
            if made >> 8 != 3 or mode >> 16 not in (MODE, 0o644):
                raise self._entry(name, "is a link, a folder, or has another mode than 0644")
            if (time, date) != STAMP:
                raise self._entry(name, "has another time stamp than 1980-01-01")
            size, packed, offset = self._wide(name, extra, size, packed, offset)
            if offset != position:
                raise self._entry(name, "overlaps another, or something lies before it")
            if method == STORED and packed != size:
                raise self._entry(name, "has two sizes though it is stored")
            if size > MAX_RATIO * packed + RATIO_FREE:
                raise self._entry(name, f"declares {size:,} bytes in {packed:,}: more than {MAX_RATIO} to one")
            if is_small(name) and size > MAX_SMALL:
                raise self._entry(name, f"declares {size:,} bytes; at most {MAX_SMALL:,} are allowed")
            start = self._local(name, raw, offset, (flags, method, time, date, crc, packed, size), end)
            found[name] = Member(name, start, packed, size, crc, method == DEFLATED)
            position, last = start + packed, name
            row += CENTRAL.size + names + extras
        if row != len(data) or position != end:
            raise self._wrong("there are bytes between or after its entries")
        return found

    def _wide(self, name: str, extra: bytes, *values: int) -> list[int]:
        """Replace sizes of 4 GiB and more by their wider fields; no other extra field is allowed."""
        large = values.count(WIDE)
        if len(extra) != (4 + 8 * large if large else 0) or (large and extra[:4] != struct.pack("<2H", 1, 8 * large)):
            raise self._entry(name, "has extra fields")
        wide = iter(struct.unpack(f"<{large}Q", extra[4:]))
        return [next(wide) if value == WIDE else value for value in values]

    def _local(self, name: str, raw: bytes, offset: int, said: tuple[int, ...], end: int) -> int:
        """Check that an entry's own header says what the directory says; return where its bytes begin."""
        if offset + LOCAL.size + len(raw) > end:
            raise self._entry(name, "lies outside the file")
        mark, _needed, flags, method, time, date, crc, packed, size, names, extras = LOCAL.unpack(
            self._at(offset, LOCAL.size)
        )
        start: int = offset + LOCAL.size + len(raw) + extras
        if start + said[5] > end:
            raise self._entry(name, "lies outside the file")
        if mark != b"PK\3\4" or names != len(raw) or self._at(offset + LOCAL.size, len(raw)) != raw:
            raise self._entry(name, "has another name in its own header")
        extra = self._at(offset + LOCAL.size + len(raw), extras)
        if extra[:4] == struct.pack("<2H", 1, 16) and len(extra) == 20 and packed == size == WIDE:
            size, packed = struct.unpack("<2Q", extra[4:])
        elif extra:
            raise self._entry(name, "has extra fields")
        if (flags, method, time, date, crc, packed, size) != said:
            raise self._entry(name, "has a header that contradicts the directory")
        return start

    # -- content -------------------------------------------------------------------------------------------------------

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield an entry's bytes in pieces of at most 1 MiB, never more than it declares.

        Raises:
            Invalid: there is no such entry.
            Untrusted: it cannot be inflated, or does not hold what it declares.
        """
        member = self.members.get(name)
        if member is None:
            raise self._wrong(f"{name} is missing")
        broken = Untrusted(f"{self.path.name}: the entry {name!r} does not hold what it declares", _HINT)
        inflate = zlib.decompressobj(-15) if member.deflated else None
        place, end, given, crc, rest = member.start, member.start + member.packed, 0, 0, b""
        while True:
            if inflate is None:
                data = self._at(place, min(MIB, end - place))
                place += len(data)
            else:
                if not rest and place < end:
                    rest = self._at(place, min(RATIO_FREE, end - place))
                    place += len(rest)
                try:
                    data = inflate.decompress(rest, MIB)
                except zlib.error:
                    raise broken from None
                rest = inflate.unconsumed_tail
            given += len(data)
            crc = zlib.crc32(data, crc)
            if given > member.size:
                raise broken
            if data:
                yield data
            elif place >= end and not rest:
                break
        if given != member.size or crc != member.crc or (inflate and (not inflate.eof or inflate.unused_data)):
            raise broken

    def read(self, name: str) -> bytes:
        """Return the bytes of an entry of at most 16 MiB. Raises as `chunks`."""
        member = self.members.get(name)
        if member is not None and member.size > MAX_SMALL:
            raise self._entry(name, f"is larger than {MAX_SMALL:,} bytes")
        return b"".join(self.chunks(name))

    def sha256(self, name: str) -> str:
        """Return the SHA-256 of an entry's bytes, inflating them piece by piece. Raises as `chunks`."""
        total = hashlib.sha256()
        for data in self.chunks(name):
            total.update(data)
        return total.hexdigest()

    def lines(self, name: str, digest: str) -> Iterator[bytes]:
        """Yield an entry's lines without their line feeds, and check at the end that its bytes have this digest.

        Raises:
            Invalid: a line longer than 1 MiB, or the last without a line feed.
            Untrusted: as `chunks`, or the digest is another.
        """
        total, rest = hashlib.sha256(), b""
        for data in self.chunks(name):
            total.update(data)
            parts = data.split(b"\n")
            parts[0] = rest + parts[0]
            rest = parts.pop()
            if len(rest) > MAX_LINE or any(len(part) > MAX_LINE for part in parts):
                raise self._entry(name, f"has a line longer than {MAX_LINE:,} bytes")
            yield from parts
        if rest:
            raise self._entry(name, "does not end with a line feed")
        if total.hexdigest() != digest:
            raise Untrusted(f"{self.path.name}: the entry {name!r} has not the digest that the manifest states", _HINT)

    def open(self, name: str) -> MemberStream:
        """Return an entry's bytes as a stream to read from."""
        return MemberStream(self.chunks(name))


class MemberStream:
    """The bytes of an entry, read in pieces: what `Objects.put_stream` asks for."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks

    def read(self, size: int = -1) -> bytes:
        """Return the next piece, at most 1 MiB whatever `size` says; empty at the end."""
        return next(self._chunks, b"")
