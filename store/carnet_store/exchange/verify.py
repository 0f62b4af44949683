"""Verify a Carnet bundle with nothing but Python 3.9 or newer: no Carnet, no packages, no network, nothing written.

    python3 verify.py NAME.carnet.zip --trust LEDGER_ID     (get the 64 hex characters from the project, not from the bundle)
    python3 verify.py NAME.carnet.zip --integrity-only      (are the bytes whole and consistent? nothing about by whom)
    python3 verify.py NAME.carnet.zip --json

What is printed comes from signed events alone; README.html and everything else derived is not looked at as evidence.
The copy inside a bundle is a convenience: whoever doubts the bundle runs a copy from a release.

Exit: 0 everything holds and the founder is the one named; 3 consistent, but not enough to say so (no --trust, an
increment, something absent); 4 not a bundle, or malformed; 5 a digest, chain or signature does not hold, or another
ledger than the one trusted; 6 written by a newer Carnet; 2 wrong call.

One file on purpose, in reading order: 1 Ed25519, 2 texts, 3 zip, 4 bundle, 5 events, 6 people, 7 changes, 8 report.
The format is docs/format.md; a section sign (§) below refers to it.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import json
import re
import struct
import sys
import time
import unicodedata
import zlib
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

MALFORMED, BROKEN, TOO_NEW, INSUFFICIENT = 4, 5, 6, 3
MIB = 1 << 20


class Refusal(Exception):
    """Why the bundle is refused: the exit code, where, and what is wrong there."""

    def __init__(self, code: int, where: str, what: str) -> None:
        super().__init__(f"{where}: {what}")
        self.code, self.where, self.what = code, where, what


class Malformed(ValueError):
    """A text or value has not the form it must have; whoever knows the place turns it into a Refusal."""


# --- 1. Ed25519 (§6): the strict rule, fast enough in pure Python through tables of multiples --------------------------

P = 2**255 - 19  # the field
L = 2**252 + 27742317777372353535851937790883648493  # the prime order of the base point
D = -121665 * pow(121666, -1, P) % P  # the curve: -x² + y² = 1 + D x² y²
SQRT_MINUS_1 = pow(2, (P - 1) // 4, P)

Point = tuple[int, int, int, int]  # extended: x = X/Z, y = Y/Z, T = XY/Z
IDENTITY: Point = (0, 1, 1, 0)
IDENTITY_BYTES = b"\1" + bytes(31)


def decode_point(data: bytes) -> tuple[int, int] | None:
    """Return (x, y) of a canonical encoding of a point on the curve, or None."""
    number = int.from_bytes(data, "little")
    odd, y = number >> 255, number & ((1 << 255) - 1)
    if len(data) != 32 or y >= P:
        return None
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * v**3 * pow(u * v**7, (P - 5) // 8, P) % P
    if v * x * x % P != u:
        x = x * SQRT_MINUS_1 % P
    if v * x * x % P != u or (x == 0 and odd):
        return None
    return (P - x if x & 1 != odd else x), y


def encode_point(point: Point) -> bytes:
    """Return the 32 bytes of a point."""
    x, y, z, _ = point
    inverse = pow(z, -1, P)
    return (y * inverse % P | (x * inverse % P & 1) << 255).to_bytes(32, "little")


class Comb:
    """Multiples of one point, so that k times it is a sum of one table entry for each `width` bits of k."""

    def __init__(self, x: int, y: int, width: int) -> None:
        self.width, size = width, 1 << width
        step: Point = (x, y, 1, x * y % P)
        multiples: list[Point] = []
        for _ in range(-(-253 // width)):
            one, running = step, step
            for _ in range(size - 1):
                multiples.append(running)
                running = add_points(running, one)
            step = running  # 2^width times the last one
        entries = table_entries(multiples)
        self.rows = [[None, *entries[i : i + size - 1]] for i in range(0, len(entries), size - 1)]

    def add(self, start: Point, k: int) -> Point:
        """Return start + k times the point, for 0 <= k < 2^253."""
        x, y, z, t = start
        mask, width = (1 << self.width) - 1, self.width
        for row in self.rows:
            entry = row[k & mask]
            k >>= width
            if entry is not None:
                minus, plus, t2d = entry
                a, b, c, d = (y - x) * minus % P, (y + x) * plus % P, t * t2d % P, z + z
                e, f, g, h = b - a, d - c, d + c, b + a
                x, y, z, t = e * f % P, g * h % P, f * g % P, e * h % P
        return x, y, z, t


def add_points(p: Point, q: Point) -> Point:
    """Return p + q (complete: right for every pair of points)."""
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * D * p[3] % P * q[3] % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def table_entries(points: list[Point]) -> list[tuple[int, int, int]]:
    """Return (y - x, y + x, 2 D x y) of each point, with one inversion for all (Montgomery's trick)."""
    before, product = [], 1
    for point in points:
        before.append(product)
        product = product * point[2] % P
    inverse, entries = pow(product, -1, P), []
    for point, earlier in zip(reversed(points), reversed(before)):  # noqa: B905 (strict= came with Python 3.10)
        one = inverse * earlier % P
        inverse = inverse * point[2] % P
        x, y = point[0] * one % P, point[1] * one % P
        entries.append(((y - x) % P, (y + x) % P, 2 * D * x % P * y % P))
    entries.reverse()
    return entries


class Multiplier:
    """A point with its comb: a narrow one first, a wide one (dear to make, twice as fast) for a point used often."""

    NARROW, WIDE, OFTEN = 4, 7, 256

    def __init__(self, x: int, y: int) -> None:
        self.x, self.y, self.uses = x, y, 0
        self.comb = Comb(x, y, self.NARROW)

    def add(self, start: Point, k: int) -> Point:
        """Return start + k times the point."""
        self.uses += 1
        if self.uses == self.OFTEN:
            self.comb = Comb(self.x, self.y, self.WIDE)
        return self.comb.add(start, k)


class Ed25519:
    """Verifies signatures, remembering the tables of the keys it met."""

    KEYS_HELD = 128

    def __init__(self) -> None:
        x_y = decode_point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))
        assert x_y is not None  # noqa: S101 (the base point is a constant)
        self.base = Multiplier(*x_y)
        self.minus: dict[bytes, Multiplier | None] = {}

    def key(self, public: bytes) -> Multiplier | None:
        """Return the table of -A; None unless A is canonical, of prime order and not the identity."""
        if public not in self.minus:
            if len(self.minus) >= self.KEYS_HELD:
                self.minus.clear()
            x_y = decode_point(public)
            found = Multiplier(P - x_y[0], x_y[1]) if x_y and public != IDENTITY_BYTES else None
            if found and encode_point(found.add(IDENTITY, L)) != IDENTITY_BYTES:
                found = None
            self.minus[public] = found
        return self.minus[public]

    def verify(self, public: bytes, signature: bytes, message: bytes) -> bool:
        """Say whether the signature holds: the encoding of S·B - h·A is R byte for byte, S < L, R not the identity."""
        if len(signature) != 64 or len(public) != 32:
            return False
        r, s = signature[:32], int.from_bytes(signature[32:], "little")
        if s >= L or r == IDENTITY_BYTES:  # with A of prime order the identity is the only small-order R that can fit
            return False
        minus_a = self.key(public)
        if minus_a is None:
            return False
        h = int.from_bytes(hashlib.sha512(r + public + message).digest(), "little") % L
        return encode_point(minus_a.add(self.base.add(IDENTITY, s), h)) == r


# --- 2. Texts: canonical JSON (§2), base64, DSSE envelopes (§6), and what may be shown in a terminal -------------------


def no_float(text: str) -> Any:
    """Refuse a number with a fraction."""
    raise Malformed(f"a number that is not a whole one: {text[:20]}")


def small_int(text: str) -> int:
    """Read a whole number below 2^53."""
    if len(text) > 17 or not -(2**53) < int(text) < 2**53:
        raise Malformed("a number of 2^53 or more")
    return int(text)


DECODER = json.JSONDecoder(parse_float=no_float, parse_int=small_int, parse_constant=no_float)


def parse_json(data: bytes) -> Any:
    """Return the value of a JSON text. Raises Malformed."""
    try:
        return DECODER.decode(data.decode("utf-8"))
    except Malformed:
        raise
    except (ValueError, RecursionError) as error:
        raise Malformed(f"not JSON ({type(error).__name__})") from None


def dumps(value: Any, sort: bool = True) -> bytes:
    """Return the canonical bytes of a value. Raises Malformed for a lone surrogate."""
    try:
        return json.dumps(value, sort_keys=sort, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    except UnicodeEncodeError:
        raise Malformed("a lone surrogate") from None


def check_value(value: Any, depth: int = 0) -> None:
    """Refuse what canonical JSON has not: keys outside ASCII, nesting above 32."""
    if isinstance(value, (dict, list)):
        if depth >= 32:
            raise Malformed("nested deeper than 32")
        if isinstance(value, dict):
            if not all(key.isascii() for key in value):
                raise Malformed("a key that is not ASCII")
            value = list(value.values())
        for inner in value:
            check_value(inner, depth + 1)


def parse_canonical(data: bytes) -> Any:
    """Return the value whose canonical text this is. Raises Malformed."""
    value = parse_json(data)
    check_value(value)
    if dumps(value) != data:
        raise Malformed("not canonical: it differs from its own re-encoding")
    return value


def fits(value: Any, form: Any) -> bool:
    """Say whether a value has a form: a type; `[form]` for a list; `{name: form}` for an object; `{"*": form}` for a mapping.

    In an object `(form,)` is a field that may be left out, and names that the form does not know are let be; `object` is anything.
    """
    if isinstance(form, list):
        return type(value) is list and all(fits(one, form[0]) for one in value)
    if not isinstance(form, dict):
        return form is object or type(value) is form
    if type(value) is not dict:
        return False
    if "*" in form:
        return all(fits(one, form["*"]) for one in value.values())
    for name, inner in form.items():
        optional = isinstance(inner, tuple)
        if name not in value and optional:
            continue
        if name not in value or not fits(value[name], inner[0] if optional else inner):
            return False
    return True


def take(value: Any, /, **form: Any) -> Any:
    """Return `value` if it is an object of this form. Raises Malformed otherwise, naming the first field that is wrong."""
    if type(value) is not dict:
        raise Malformed("an object is missing")
    for name, inner in form.items():
        if not fits(value, {name: inner}):
            raise Malformed(f"{name} is missing or of the wrong form")
    return value


def unbase64(text: str) -> bytes:
    """Return the bytes of base64 in its one canonical spelling. Raises Malformed."""
    try:
        data = binascii.a2b_base64(text.encode("ascii"))
    except (binascii.Error, UnicodeEncodeError):
        raise Malformed("not base64") from None
    if base64.b64encode(data).decode() != text:
        raise Malformed("base64 in another spelling than its canonical one")
    return data


HEX64 = re.compile(r"[0-9a-f]{64}\Z")


def public_bytes(text: Any) -> bytes:
    """Return the bytes of a key written as 64 hex characters. Raises Malformed."""
    if not isinstance(text, str) or not HEX64.match(text):
        raise Malformed("a key that is not 64 hex characters")
    return bytes.fromhex(text)


def sha256(data: bytes) -> str:
    """Return a SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()


def key_id(public: bytes) -> str:
    """Return the DSSE keyid: SHA-256 of the key's SubjectPublicKeyInfo."""
    return sha256(bytes.fromhex("302a300506032b6570032100") + public)


def fingerprint(public: bytes) -> str:
    """Return a key as ssh-keygen -l shows it."""
    blob = b"".join(len(part).to_bytes(4, "big") + part for part in (b"ssh-ed25519", public))
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def pae(kind: bytes, payload: bytes) -> bytes:
    """Return the bytes that DSSE signs."""
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


class Envelope(NamedTuple):
    """A DSSE envelope of one signer, as read; nothing verified."""

    kind: str
    payload: bytes
    keyid: str
    signature: bytes


def read_envelope(value: Any) -> Envelope:
    """Read an envelope from JSON values of exactly that form. Raises Malformed."""
    take(value, payload=str, payloadType=str, signatures=[dict])
    if len(value) != 3 or len(value["signatures"]) != 1:
        raise Malformed("an envelope has payload, payloadType and one signature")
    one = take(value["signatures"][0], keyid=str, sig=str)
    signature = unbase64(one["sig"])
    if len(one) != 2 or not HEX64.match(one["keyid"]) or len(signature) != 64:
        raise Malformed("a signature has keyid and sig")
    return Envelope(value["payloadType"], unbase64(value["payload"]), one["keyid"], signature)


def show(text: Any, limit: int = 120) -> str:
    """Return text from elsewhere on one line, with everything that could steer a terminal made visible."""
    seen = "".join(
        "�" if unicodedata.category(char)[0] == "C" or unicodedata.category(char) in ("Zl", "Zp") else char
        for char in str(text)[: limit + 1]
    )
    return seen if len(seen) <= limit else seen[:limit] + "…"


def many(number: int, word: str) -> str:
    """Return a number with its word, in the plural where it must be."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def when(t: int) -> str:
    """Return a claimed time in ms as UTC."""
    try:
        start = datetime(1970, 1, 1, tzinfo=timezone.utc)  # noqa: UP017 (datetime.UTC came with Python 3.11)
        return (start + timedelta(milliseconds=t)).strftime("%Y-%m-%d %H:%M UTC")
    except OverflowError:
        return f"t={t}"


# --- 3. The zip (§10): only what a Carnet bundle is allowed to be, read by its own directory and nothing else -----------

NAME = re.compile(
    r"(?:carnet\.json(?:\.sig)?|README\.html|ro-crate-metadata\.json|verify\.py"
    r"|ledger/[0-9a-f]{64}(?:~[0-9a-f]{16})?/(?:0|[1-9][0-9]{0,9})-(?:0|[1-9][0-9]{0,9})\.jsonl"
    r"|objects/sha256/([0-9a-f]{2})/\1[0-9a-f]{62}"
    r"|attestations/[0-9a-f]{64}(?:\.[1-9][0-9]{0,2})?\.intoto\.jsonl)\Z"
)
COMMENT = re.compile(rb"carnet-bundle/1 sha256:([0-9a-f]{64})\Z")
COMMENT_SIZE = 87
MAX_ENTRIES, MAX_RATIO, MAX_SMALL = 200_000, 200, 16 * MIB
STAMP = (33 << 16) | 0  # 1980-01-01 00:00 in the format of DOS


class Member(NamedTuple):
    """One file of the zip: where its bytes begin, and what the directory says of them."""

    name: str
    start: int
    packed: int
    size: int
    crc: int
    deflated: bool


class Archive:
    """A bundle's file, opened for reading; every structural rule is checked before a byte is inflated."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.length = file.seek(0, 2)
        end = self.length - COMMENT_SIZE - 22
        record = self.at(end, 22 + COMMENT_SIZE) if end >= 0 else b""
        if not record.startswith(b"PK\5\6"):
            if self.length >= 4 and self.at(0, 4) == b"PK\3\4":
                raise self.wrong("no end record where a bundle has it: cut short, appended to, or another kind of zip")
            raise self.wrong("not a zip file")
        _, disk, disk_too, here, count, size, offset, comment = struct.unpack("<4s4H2LH", record[:22])
        stated = COMMENT.match(record[22:])
        if comment != COMMENT_SIZE or not stated:
            raise self.wrong("the zip's comment is not that of a bundle of format 1")
        self.stated_digest = stated.group(1).decode()
        directory_end = end
        if 0xFFFF in (here, count) or 0xFFFFFFFF in (size, offset):
            here, count, size, offset, directory_end = self.zip64(end)
        if disk or disk_too or here != count or offset + size != directory_end or not 0 < count <= MAX_ENTRIES:
            raise self.wrong("its end record contradicts the file")
        if size > count * 200 + 64:  # no entry of ours needs more: 46 bytes, the longest name, one zip64 field
            raise self.wrong("its directory is too large")
        self.members = self.directory(self.at(offset, size), count, offset)

    @staticmethod
    def wrong(what: str) -> Refusal:
        """Return the refusal of the whole file."""
        return Refusal(MALFORMED, "the zip", what)

    def at(self, start: int, size: int) -> bytes:
        """Read `size` bytes at `start`, all of them."""
        self.file.seek(start)
        data = self.file.read(size)
        if len(data) != size:
            raise self.wrong("cut short")
        return data

    def zip64(self, end: int) -> tuple[int, int, int, int, int]:
        """Read the larger end record of a bundle with many or large entries."""
        if end < 76:
            raise self.wrong("its end record contradicts the file")
        mark, disk, where, disks = struct.unpack("<4sLQL", self.at(end - 20, 20))
        record = struct.unpack("<4sQ2H2L4Q", self.at(end - 76, 56))
        if (mark, disk, where, disks, record[0], record[1]) != (b"PK\6\7", 0, end - 76, 1, b"PK\6\6", 44):
            raise self.wrong("its end record contradicts the file")
        return record[6], record[7], record[8], record[9], end - 76

    def directory(self, data: bytes, count: int, end: int) -> dict[str, Member]:
        """Read the directory; entries must follow each other without a gap, sorted, and agree with their own headers."""
        found: dict[str, Member] = {}
        place, position, last = 0, 0, ""
        for _ in range(count):
            if len(data) - place < 46:
                raise self.wrong("its directory is cut short")
            fields = struct.unpack("<4s4B4HL2L5H2L", data[place : place + 46])
            mark, system, flags, method = fields[0], fields[2], fields[5], fields[6]
            stamp, crc, packed, size = fields[8] << 16 | fields[7], fields[9], fields[10], fields[11]
            name_size, extra_size, note_size, disk, mode, offset = (*fields[12:16], fields[17] >> 16, fields[18])
            raw = data[place + 46 : place + 46 + name_size]
            extra = data[place + 46 + name_size : place + 46 + name_size + extra_size]
            name = raw.decode("ascii", "replace")
            where = f"entry {show(name)}"
            if mark != b"PK\1\2" or not NAME.match(name):
                raise Refusal(MALFORMED, where, "its name is not one that a bundle may hold")
            if name <= last:
                raise Refusal(MALFORMED, where, "there twice" if name in found else "not in sorted order")
            size, packed, offset = self.zip64_fields(where, extra, size, packed, offset)
            if flags or method not in (0, 8) or note_size or disk or system != 3 or mode & 0o7777 != 0o644:
                raise Refusal(MALFORMED, where, "encrypted, a link, or made with options that a bundle must not have")
            if mode >> 12 not in (0, 8):
                raise Refusal(MALFORMED, where, "not a regular file")
            if stamp != STAMP:
                raise Refusal(MALFORMED, where, "its time stamp is not 1980-01-01")
            if offset != position or (method == 0 and packed != size) or size > MAX_RATIO * packed + 64 * 1024:
                raise Refusal(MALFORMED, where, "its place or its size cannot be right")
            if size > MAX_SMALL and not name.startswith(("ledger/", "objects/")):
                raise Refusal(MALFORMED, where, f"larger than {MAX_SMALL // MIB} MiB")
            start = self.local_header(where, offset, raw, (flags, method, stamp, crc, packed, size), end)
            found[name] = Member(name, start, packed, size, crc, method == 8)
            position, last = start + packed, name
            place += 46 + name_size + extra_size
        if place != len(data) or position != end:
            raise self.wrong("there are bytes between its entries")
        return found

    def zip64_fields(self, where: str, extra: bytes, *values: int) -> list[int]:
        """Replace sizes of 4 GiB and more by their larger fields; no other extra field is allowed."""
        large = [value for value in values if value == 0xFFFFFFFF]
        if len(extra) != (4 + 8 * len(large) if large else 0) or (
            large and extra[:4] != struct.pack("<2H", 1, 8 * len(large))
        ):
            raise Refusal(MALFORMED, where, "extra fields, which a bundle must not have")
        wide = iter(struct.unpack(f"<{len(large)}Q", extra[4:]))
        return [next(wide) if value == 0xFFFFFFFF else value for value in values]

    def local_header(self, where: str, offset: int, raw: bytes, said: tuple[int, ...], end: int) -> int:
        """Check that an entry's own header says what the directory says; return where its bytes begin."""
        if offset + 30 + len(raw) > end:
            raise Refusal(MALFORMED, where, "it lies outside the file")
        fields: tuple[Any, ...] = struct.unpack("<4s5H3L2H", self.at(offset, 30))
        extra = self.at(offset + 30 + len(raw), fields[10]) if offset + 30 + len(raw) + fields[10] <= end else b""
        packed, size = fields[7], fields[8]
        if extra and len(extra) == fields[10] == 20 and extra[:4] == struct.pack("<2H", 1, 16):
            if (packed, size) != (0xFFFFFFFF, 0xFFFFFFFF):
                raise Refusal(MALFORMED, where, "extra fields, which a bundle must not have")
            size, packed = struct.unpack("<2Q", extra[4:])
        elif fields[10]:
            raise Refusal(MALFORMED, where, "extra fields, which a bundle must not have")
        mine = (fields[2], fields[3], fields[5] << 16 | fields[4], fields[6], packed, size)
        if fields[0] != b"PK\3\4" or mine != said or self.at(offset + 30, len(raw)) != raw or fields[9] != len(raw):
            raise Refusal(MALFORMED, where, "its own header and the directory disagree")
        start = offset + 30 + len(raw) + len(extra)
        if start + packed > end:
            raise Refusal(MALFORMED, where, "it lies outside the file")
        return start

    def digest(self) -> str:
        """Return the SHA-256 of every byte before the comment."""
        total, left = hashlib.sha256(), self.length - COMMENT_SIZE
        self.file.seek(0)
        while left > 0:
            data = self.file.read(min(MIB, left))
            if not data:
                raise self.wrong("cut short")
            total.update(data)
            left -= len(data)
        return total.hexdigest()

    def chunks(self, member: Member) -> Iterator[bytes]:
        """Yield an entry's bytes, at most a MiB at a time and never more than it declares."""
        inflate = zlib.decompressobj(-15) if member.deflated else None
        place, end, given, crc = member.start, member.start + member.packed, 0, 0
        rest = b""
        while True:
            if inflate is None:
                data = self.at(place, min(MIB, end - place))
                place += len(data)
            else:
                if not rest and place < end:
                    rest = self.at(place, min(64 * 1024, end - place))
                    place += len(rest)
                try:
                    data = inflate.decompress(rest, MIB)
                except zlib.error:
                    raise Refusal(BROKEN, member.name, "cannot be inflated") from None
                rest = inflate.unconsumed_tail
            given += len(data)
            crc = zlib.crc32(data, crc)
            if given > member.size:
                raise Refusal(BROKEN, member.name, "holds more than it declares")
            if data:
                yield data
            elif place >= end and not rest:
                break
        if given != member.size or crc != member.crc or (inflate and (not inflate.eof or inflate.unused_data)):
            raise Refusal(BROKEN, member.name, "does not hold what it declares")

    def read(self, name: str) -> bytes:
        """Return a small entry's bytes. Raises Refusal where it is absent."""
        if name not in self.members:
            raise Refusal(MALFORMED, name, "is missing")
        return b"".join(self.chunks(self.members[name]))

    def read_digest(self, name: str) -> str:
        """Return the SHA-256 of an entry's bytes."""
        total = hashlib.sha256()
        for data in self.chunks(self.members[name]):
            total.update(data)
        return total.hexdigest()

    def lines(self, name: str) -> Iterator[bytes]:
        """Yield an entry's lines, each ended by a line feed and at most a MiB long."""
        rest, number = b"", 0
        for data in self.chunks(self.members[name]):
            parts = (rest + data).split(b"\n")
            rest = parts.pop()
            if len(rest) > MIB or any(len(part) > MIB for part in parts):
                raise Refusal(MALFORMED, name, "a line longer than 1 MiB")
            for part in parts:
                number += 1
                yield part
        if rest or not number:
            raise Refusal(MALFORMED, name, "does not end with a line feed")


# --- 4. The bundle (§10): manifest, its signature, and what it says of every entry --------------------------------------

PLACE = re.compile(r"(0|[1-9][0-9]{0,9}):([0-9a-f]{64})\Z")
LABEL = re.compile(r"[0-9a-f]{64}(~[0-9a-f]{16})?\Z")
MANIFEST_FIELDS = {
    "base", "derived", "events", "exporter", "format", "heads", "ledger", "missing", "objects", "purpose", "segments", "t",
}  # fmt: skip


def read_place(text: Any) -> tuple[int, str]:
    """Return (seq, event id) of `seq:event id`. Raises Malformed."""
    match = PLACE.match(text) if isinstance(text, str) else None
    if not match:
        raise Malformed("a place that is not seq:event id")
    return int(match.group(1)), match.group(2)


class Manifest:
    """`carnet.json`, checked for form."""

    def __init__(self, data: bytes) -> None:
        self.digest = sha256(data)
        value = parse_canonical(data)
        take(value, format=str)
        if value["format"] != "carnet-bundle/1":
            raise Refusal(
                TOO_NEW, "carnet.json", f"of format {show(value['format'])}; this script knows carnet-bundle/1"
            )
        take(value, ledger=str, exporter=str, purpose=str, t=int, events=int, base=dict, heads=dict, derived=dict)
        take(value, segments=[dict], objects=[dict], missing=[dict])
        if set(value) != MANIFEST_FIELDS or value["purpose"] != "bundle":
            raise Malformed("it has not the fields of a manifest")
        self.ledger: str = value["ledger"]
        self.exporter: str = value["exporter"]
        public_bytes(self.ledger), public_bytes(self.exporter)
        self.t: int = value["t"]
        self.events: int = value["events"]
        self.base = self.places(value["base"])
        self.heads = self.places(value["heads"])
        self.segments: list[dict[str, Any]] = []
        self.entries: dict[str, tuple[str, int | None]] = {}  # what each entry must be: digest, and size where stated
        for segment in value["segments"]:
            take(segment, chain=str, head=str, path=str, sha256=str, size=int, **{"from": int, "to": int})
            path = f"ledger/{segment['chain']}/{segment['from']}-{segment['to']}.jsonl"
            if len(segment) != 7 or not LABEL.match(segment["chain"]) or segment["path"] != path:
                raise Malformed("a segment whose path is not that of its chain and place")
            if read_place(segment["head"])[0] != segment["to"] or segment["chain"] not in self.heads:
                raise Malformed("a segment that does not end at a head")
            self.segments.append(segment)
            self.list_entry(path, segment["sha256"], segment["size"])
        for one in value["objects"]:
            take(one, sha256=str, size=int)
            self.list_entry(f"objects/sha256/{one['sha256'][:2]}/{one['sha256']}", one["sha256"], one["size"])
        for path, digest in value["derived"].items():
            self.list_entry(path, digest, None)
        self.missing: list[dict[str, Any]] = [take(one, sha256=str, size=int) for one in value["missing"]]
        for names in ([one["path"] for one in self.segments], [one["sha256"] for one in value["objects"]],
                      [one["sha256"] for one in self.missing]):  # fmt: skip
            if names != sorted(set(names)):
                raise Malformed("segments and objects are not sorted and unique")
        if self.events != sum(one["to"] - one["from"] + 1 for one in self.segments):
            raise Malformed("its number of events is not that of its segments")

    @staticmethod
    def places(value: dict[str, Any]) -> dict[str, tuple[int, str]]:
        """Read a mapping of chains to places."""
        if not all(LABEL.match(label) for label in value):
            raise Malformed("a head of something that is not a chain")
        return {label: read_place(place) for label, place in value.items()}

    def list_entry(self, path: str, digest: Any, size: int | None) -> None:
        """Take in one entry; none may be there twice."""
        public_bytes(digest)
        if path in self.entries:
            raise Malformed(f"{show(path)} is listed twice")
        self.entries[path] = (digest, size)


class Progress:
    """Says on the error stream how far a long check is, from the second second on."""

    def __init__(self, quiet: bool) -> None:
        self.quiet, self.began, self.said = quiet, time.monotonic(), time.monotonic() + 0.8

    def tell(self, what: str, done: int, total: int) -> None:
        """Print a line at most twice a second (every ten seconds where nobody watches a terminal)."""
        now = time.monotonic()
        terminal = sys.stderr.isatty()
        if self.quiet or now - self.said < (0.5 if terminal else 10):
            return
        self.said = now
        left = (now - self.began) * (total - done) / done if done else 0
        text = f"checking {what}: {done:,} of {total:,}, about {left:.0f} s more"
        sys.stderr.write(f"\r\x1b[K{text}" if terminal else f"{text}\n")
        sys.stderr.flush()

    def done(self) -> None:
        """Clear the line."""
        if not self.quiet and sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")


# --- 5. Events (§4): lines, chains, their links and signatures, and what each had seen ----------------------------------

HEADER_FIELDS = ["v", "seq", "prev", "t", "n", "size", "shape", "see"]
EVENT_TYPE = b"application/vnd.carnet.event+json"
ENTITY = re.compile(r"[a-z][a-z_]{0,31}:[0-9a-f]{32}\Z")
KIND = re.compile(r"(?=.{3,65}\Z)[a-z][a-z_]*\.[a-z][a-z_]*!?\Z")
FIELD = re.compile(r"[A-Za-z0-9_.:@/-]{0,128}\Z")
CHANGE_ID = re.compile(r"[0-9a-f]{64}(\.[1-9][0-9]{0,2})?\Z")
SALT = re.compile(r"[0-9a-f]{32}\Z")
MISSING = object()


class Change:
    """One change of an event. `value` is MISSING where it was erased or not carried."""

    __slots__ = (
        "admin", "commitment", "counts", "entity", "envelopes", "event", "field", "id", "kind", "live", "name", "over", "payload",
        "person", "raw", "roles", "signers", "value",
    )  # fmt: skip

    def __init__(self, event: Event, index: int, row: list[Any], value: Any) -> None:
        self.event = event
        self.id = event.id if index == 0 else f"{event.id}.{index}"
        self.entity, self.kind, self.field, self.over, self.commitment = row
        self.name = self.kind.rstrip("!")
        self.value = value
        self.payload: Any = None  # the signed payload, where the kind is signed by persons
        self.counts, self.live, self.person = "", False, ""
        self.roles: frozenset[str] = frozenset()
        self.admin = False
        self.signers: list[str] = []
        self.raw = b""  # the payload's bytes, where persons signed it, and their envelopes
        self.envelopes: list[Envelope] = []


class Event:
    """One line of a chain."""

    __slots__ = ("changes", "id", "kept", "label", "n", "prev", "see", "seq", "t")
    id: str
    label: str
    seq: int
    prev: str
    t: int
    n: int
    see: dict[str, tuple[int, str]]  # chain -> seq, event id
    changes: list[Change]
    kept: tuple[bytes, bytes]  # signature and what it signs, until it is checked

    def __init__(self, label: str, line: bytes) -> None:
        """Read a line, accepting exactly what the format allows. Raises Malformed, or Refusal when too new."""
        parts = parse_json(line)
        if not (isinstance(parts, list) and [type(part) for part in parts] == [str, dict, list, list]):
            raise Malformed("a line is [signature, header, shape, values]")
        signature, header, shape, values = parts
        self.read_header(header)
        header_bytes, shape_bytes = dumps(header, sort=False), dumps(shape)
        texts = [self.read_value(one) for one in values]
        if line != b'["%b",%b,%b,[%b]]' % (
            signature.encode(),
            header_bytes,
            shape_bytes,
            b",".join(t for t, _ in texts),
        ):
            raise Malformed("it differs from its own re-encoding")
        if header["size"] != len(shape_bytes) or header["shape"] != sha256(shape_bytes):
            raise Malformed("its shape is not the one that its header commits to")
        if not 1 <= header["n"] <= 1000 or not header["n"] == len(shape) == len(values):
            raise Malformed("it has not as many changes as it declares")
        self.label, self.id = label, sha256(header_bytes)
        self.seq, self.prev, self.t, self.n = header["seq"], header["prev"], header["t"], header["n"]
        self.see = {chain: read_place(place) for chain, place in header.get("see", {}).items()}
        self.changes = [self.read_change(i, row, texts[i][1], values[i]) for i, row in enumerate(shape)]
        self.kept = (unbase64(signature), pae(EVENT_TYPE, header_bytes))

    @staticmethod
    def read_header(header: dict[str, Any]) -> None:
        """Check the header's fields, their order and limits."""
        take(header, v=int)
        if header["v"] != 1:
            raise Refusal(TOO_NEW, "an event", f"of format {header['v']}; this script knows 1")
        take(header, seq=int, prev=str, t=int, n=int, size=int, shape=str)
        see = header.get("see", {})
        if list(header) != (HEADER_FIELDS if see else HEADER_FIELDS[:-1]) or type(see) is not dict:
            raise Malformed("its header has not the fields of one, in their order")
        if not (0 <= header["seq"] < 2**32 and header["t"] >= 0 and HEX64.match(header["prev"])):
            raise Malformed("its place, its time or its predecessor is out of range")
        if len(see) > 1024 or list(see) != sorted(see) or not all(HEX64.match(chain) for chain in see):
            raise Malformed("what it has seen is not a sorted list of chains")

    @staticmethod
    def read_value(one: Any) -> tuple[bytes, str]:
        """Return a value's text in the line and its commitment; `null` is a value that is not here."""
        if one is None:
            return b"null", ""
        if type(one) is not list or len(one) != 2 or type(one[0]) is not str or not SALT.match(one[0]):
            raise Malformed("a value is [salt, value]")
        check_value(one[1])
        raw = dumps(one[1])
        return b'["%b",%b]' % (one[0].encode(), raw), sha256(bytes.fromhex(one[0]) + raw)

    def read_change(self, index: int, row: Any, commitment: str, value: Any) -> Change:
        """Check one row of the shape, and that its value is the one it commits to."""
        if type(row) is not list or [type(part) for part in row] != [str, str, str, list, str]:
            raise Malformed("a change is [entity, kind, field, over, commitment]")
        entity, kind, field, over, committed = row
        if not (ENTITY.match(entity) and KIND.match(kind) and FIELD.match(field) and HEX64.match(committed)):
            raise Malformed(f"change {index} has not the form of one")
        if len(over) > 256 or not all(type(o) is str and CHANGE_ID.match(o) for o in over) or sorted(set(over)) != over:
            raise Malformed(f"change {index} does not say properly what it replaces")
        if value is not None and commitment != committed:
            raise Malformed(f"the value of change {index} is not the one that was committed to")
        return Change(self, index, row, MISSING if value is None else value[1])


class Chains:
    """All chains and branches of a bundle, and the causal past of every place in them."""

    def __init__(self, ledger: str) -> None:
        self.ledger = ledger
        self.events: dict[str, list[Event]] = {}  # label -> events in order; a branch's label is `chain~16 hex`
        self.parent: dict[str, str] = {}  # of a branch: the label it left
        self.children: dict[str, list[str]] = {}
        self.sees: dict[str, dict[str, tuple[list[int], list[int]]]] = {}
        self.waiting: dict[str, tuple[int, str, int | None]] = {}  # label -> first waiting seq; for whom, to where
        self.by_key: dict[str, list[str]] = {}
        self.by_id: dict[str, Event] = {}

    def start(self, label: str) -> int:
        """Return the first seq of a chain or branch here."""
        return self.events[label][0].seq

    def get(self, label: str, seq: int) -> Event | None:
        """Return the event at a place, if it is here."""
        found = self.events.get(label)
        index = seq - found[0].seq if found else -1
        return found[index] if found and 0 <= index < len(found) else None

    def labels_of(self, key: str) -> list[str]:
        """Return the labels of a chain and its branches."""
        return self.by_key.get(key, [])

    def link(self, base: dict[str, tuple[int, str]]) -> None:
        """Find what each branch left, and check that chains begin where they may."""
        for label in self.events:
            self.by_key.setdefault(label[:64], []).append(label)
        reached: dict[str, int] = {}
        for label, (seq, _) in base.items():
            reached[label[:64]] = max(seq, reached.get(label[:64], -1))
        for label, events in self.events.items():
            first, key = events[0], label[:64]
            where = f"chain {label[:16]}… at {first.seq}"
            if first.seq == 0 and first.prev != self.ledger:
                raise Refusal(BROKEN, where, "belongs to another ledger")
            stem = next((o for o in self.by_key[key] if o != label and self.holds(o, first.seq - 1, first.prev)), None)
            if first.seq == 0 and label != key and key in self.events:
                stem = key
            if stem is not None:
                self.parent[label] = stem
                self.children.setdefault(stem, []).append(label)
            elif first.seq > reached.get(key, -1) + 1:
                raise Refusal(MALFORMED, where, "begins in the middle, with nothing here that it goes on from")
            elif first.seq > 0 and (first.seq - 1, first.prev) not in base.values() and first.seq > reached[key]:
                raise Refusal(BROKEN, where, "does not follow what the bundle says the receiver holds")
            if label != key and key not in reached and label[65:] != first.id[:16]:
                raise Refusal(MALFORMED, where, "a branch is named by its first event")

    def holds(self, label: str, seq: int, event: str) -> bool:
        """Say whether this very event is here, at this place."""
        found = self.get(label, seq)
        return found is not None and found.id == event

    def root(self, label: str) -> str:
        """Return the label that holds event 0 of what this branch stands on."""
        while label in self.parent and self.start(label) > 0:
            label = self.parent[label]
        return label

    def find(self, event_id: str) -> Event | None:
        """Return the event of this id, if it is here."""
        if not self.by_id:
            self.by_id = {event.id: event for events in self.events.values() for event in events}
        return self.by_id.get(event_id)

    def in_causal_order(self) -> list[Event]:
        """Return the events whose causes are all here, causes first; note which chains wait, and for what."""
        order: list[Event] = []
        done = {label: self.start(label) - 1 for label in self.events}
        blocked: dict[str, list[str]] = {}
        ready = deque(sorted(self.events))
        while ready:
            label = ready.popleft()
            events, before = self.events[label], done[label]
            while done[label] - events[0].seq + 1 < len(events):
                event = events[done[label] - events[0].seq + 1]
                obstacle = self.obstacle(label, event, done)
                if obstacle is not None:
                    blocked.setdefault(obstacle, []).append(label)
                    break
                order.append(event)
                done[label] = event.seq
            if done[label] != before:
                ready.extend(blocked.pop(label, []))
        for obstacle, labels in blocked.items():
            for label in labels:
                first = self.events[label][done[label] - self.start(label) + 1]
                self.waiting.setdefault(label, (first.seq, obstacle, None))
        return order

    def obstacle(self, label: str, event: Event, done: dict[str, int]) -> str | None:
        """Return the label (or, where it is not here, the chain) that must come first; note what the event has seen."""
        stem = self.parent.get(label)
        if stem is not None and event.seq == self.start(label) and event.seq > 0 and done[stem] < event.seq - 1:
            return stem
        seen: dict[str, int] = {}
        for key, (seq, event_id) in event.see.items():
            other = next((o for o in self.labels_of(key) if self.holds(o, seq, event_id)), None)
            if other is None:
                self.waiting[label] = (event.seq, key, seq)
                return f"absent {key}"
            if done[other] < seq:
                return other
            seen[other] = seq
        table = self.sees.setdefault(label, {})
        for other, seq in seen.items():
            at, upto = table.setdefault(other, ([], []))
            if not upto or seq > upto[-1]:
                at.append(event.seq)
                upto.append(seq)
        return None

    def reach(self, label: str, seq: int, other: str) -> int:
        """Return how far `other` lies in the past of a place, itself included; -1 for not at all."""
        best, here, at = -1, label, seq
        while here:
            if here == other:
                best = max(best, at)
            at_upto = self.sees.get(here, {}).get(other)
            if at_upto:
                index = bisect_right(at_upto[0], at) - 1
                best = max(best, at_upto[1][index]) if index >= 0 else best
            at, here = self.start(here) - 1, self.parent.get(here, "")
        return best

    def in_past(self, event: Event, cause: Event) -> bool:
        """Say whether `cause` lies in the causal past of `event`, or is it."""
        if self.reach(event.label, event.seq, cause.label) >= cause.seq:
            return True
        branches = [b for b in self.children.get(cause.label, []) if self.start(b) > cause.seq]
        return any(self.in_past(event, self.events[b][0]) for b in branches)


# --- 6. People (§7, §9): who founded, who belonged and in which roles, whose chains and events count --------------------

GENESIS = "application/vnd.carnet.genesis+json"
DELEGATION = "application/vnd.carnet.delegation+json"
ROSTER = "application/vnd.carnet.roster+json"
STATEMENT = "application/vnd.in-toto+json"
ACT = "application/vnd.carnet.act+json"

# Why a change does not count; "" is the one that does.
YES, UNOPENED, STRANGER, PENDING = "", "unopened", "stranger", "pending"
REVOKED, FORKED, UNKNOWN, ABSENT = "revoked", "forked", "unknown", "absent"
ERASED, FORM, BIRTH, ROLE, SIGNATURE, REPLAY = "erased", "form", "birth", "role", "signature", "replay"
REASONS = {
    UNOPENED: "its chain carries no valid delegation by a person",
    STRANGER: "its author was not a member of the project",
    PENDING: "counts once its author's joining is confirmed",
    REVOKED: "lies beyond a revocation of its author's key",
    FORKED: "lies beyond a fork of its chain",
    UNKNOWN: "written by a newer Carnet; this script does not know its kind",
    ABSENT: "its value is not in this bundle",
    ERASED: "its value was erased",
    FORM: "its value has not the form of its kind",
    BIRTH: "its entity's id was not made from this change",
    ROLE: "its author did not hold the role that it needs",
    SIGNATURE: "the person's own signature that it needs does not hold",
    REPLAY: "repeats a signed act that was already carried",
}


class Rules(NamedTuple):
    """What the format says of a kind of change: whom it may be replaced by, and what it needs."""

    on: str = ""  # the kinds of entity it may stand on; empty for any
    rule: str = "self"
    closed_by: str = ""
    signed: str = ""
    role: str = ""


NODES = "dataset run code environment document model feature criteria check review drill deployment incident glossary"
KINDS: dict[str, Rules] = {
    "ledger.founded": Rules("ledger", "nobody", signed=GENESIS),
    "chain.opened": Rules("person", "nobody", signed=DELEGATION),
    "roster.set": Rules("ledger", "nobody", signed=ROSTER),
    "person.key_added": Rules("person", "nobody", signed=ACT),
    "invite.made": Rules("invitation", role="admin"),
    "invite.accepted": Rules("person"),
    "join.requested": Rules("person"),
    "person.revoked": Rules("person", "nobody", signed=ACT),
    "fork.adopted": Rules("person", "nobody", signed=ACT),
    "event.adopted": Rules("ledger", "nobody", signed=ACT),
    "value.erased": Rules("ledger", "nobody", signed=ACT, role="eraser"),
    "handoff.opened": Rules("handoff"),
    "handoff.repacked": Rules("handoff"),
    "handoff.assigned": Rules("handoff"),
    "handoff.linked": Rules("handoff"),
    "handoff.filed": Rules("handoff"),
    "package.sealed": Rules("handoff"),
    "item.answered": Rules("handoff", "answer"),
    "answer.confirmed": Rules("handoff"),
    "item.verified": Rules("handoff"),
    "finding.raised": Rules("handoff", "closing", "finding.closed"),
    "finding.closed": Rules("handoff"),
    "waiver.granted": Rules("handoff", "closing", "waiver.withdrawn", ACT),
    "waiver.withdrawn": Rules("handoff"),
    "na.confirmed": Rules("handoff", signed=ACT),
    "readback.confirmed": Rules("handoff", signed=ACT),
    "gate.signed": Rules("handoff", signed=STATEMENT),
    "gate.overridden": Rules("handoff", "nobody", signed=ACT),
    "handoff.returned": Rules("handoff", "nobody", signed=ACT),
    "handoff.abandoned": Rules("handoff"),
    "handoff.recalled": Rules("handoff", "nobody"),
    "custody.offered": Rules("handoff", "nobody", signed=ACT),
    "custody.accepted": Rules("handoff", "nobody", signed=ACT),
    "custody.refused": Rules("handoff", "nobody", signed=ACT),
    "entity.declared": Rules(NODES),
    "entity.described": Rules(NODES),
    "edge.linked": Rules(NODES),
    "criteria.set": Rules("criteria"),
    "recall.declared": Rules(NODES, "closing", "recall.lifted"),
    "recall.lifted": Rules(NODES, "nobody", signed=ACT),
    "change.retracted": Rules(),
    "comment.added": Rules(),
}
TEXTS = {"*": str}
ACT_FORM = {"ledger": str, "purpose": str}
HANDOFF_FORM = {**ACT_FORM, "handoff": str, "t": int}
CUSTODY_FORM = {
    **HANDOFF_FORM,
    "model": str,
    "round": int,
    "package": str,
    "from_team": str,
    "to_team": str,
    "reason": str,
}
PERSON_FORM = {"name": str, "keys": [str], "roles": [str], "mail": (str,), "team": (str,), "kind": (str,), "status": (str,),
               "joined": (str,)}  # fmt: skip
ROSTER_FORM = {"admins": [str], "format": str, "ledger": str, "parents": [str], "people": {"*": PERSON_FORM}, "purpose": str,
               "recovery": [str], "threshold": int, "version": int}  # fmt: skip
PACKS_FORM = {"packs": [{"id": str, "version": str, "sha256": str}], "tier": str, "facts": ({"*": object},)}
METRIC_FORM = {"name": str, "value": str, "unit": (str,), "split": (str,), "slice": (str,), "step": (int,)}
CRITERION_FORM = {"id": str, "metric": str, "name": str, "op": str, "value": str, "unit": (str,), "split": (str,),
                  "slice": (str,)}  # fmt: skip
FORMS: dict[str, dict[str, Any]] = {  # of the value, or of the payload where persons sign it
    "ledger.founded": {"continues": str, "format": str, "founder": str, "nonce": str, "project": str, "purpose": str,
                       "recovery": [str], "roster": ROSTER_FORM},
    "chain.opened": {**ACT_FORM, "chain": str, "device": str, "key": str, "person": str, "t": int,
                     "continues": ([{"chain": str, "seq": int, "hash": str}],)},
    "roster.set": ROSTER_FORM,
    "person.key_added": {**ACT_FORM, "person": str, "key": str},
    "invite.made": {"name": str, "mail": str, "roles": [str], "team": (str,), "expires": (int,)},
    "invite.accepted": {"name": str, "mail": str, "invitation": str, "key": str, "team": (str,)},
    "join.requested": {"name": str, "mail": str, "key": str, "roles": ([str],), "team": (str,)},
    "person.revoked": {**ACT_FORM, "person": str, "last": TEXTS, "reason": str, "why": str},
    "fork.adopted": {**ACT_FORM, "chain": str, "heads": [str]},
    "event.adopted": {**ACT_FORM, "events": [str], "why": str},
    "value.erased": {**ACT_FORM, "targets": [str], "objects": [str], "reason": str, "t": int},
    "handoff.opened": {**PACKS_FORM, "model": str, "from_stage": (str,), "to_stage": (str,), "due": (str,), "criteria": (str,),
                       "previous": (str,)},
    "handoff.repacked": {**PACKS_FORM, "reason": str},
    "handoff.assigned": {"person": str, "due": (str,), "reason": (str,)},
    "handoff.linked": {"entity": str, "note": (str,)},
    "handoff.filed": {"file": {"path": str, "sha256": str, "size": int}, "note": (str,)},
    "package.sealed": {"manifest": {"*": object}},
    "item.answered": {"role": str, "answer": {"*": object}, "package": (str,), "carried": (str,)},
    "answer.confirmed": {"answer": str},
    "item.verified": {"answer": str, "role": str, "agree": bool, "reason": (str,)},
    "finding.raised": {"text": str, "severity": (str,)},
    "finding.closed": {"text": str},
    "waiver.granted": {**HANDOFF_FORM, "item": str, "reason": str, "mitigation": str, "expires": int, "role": str},
    "waiver.withdrawn": {"reason": str},
    "na.confirmed": {**HANDOFF_FORM, "item": str, "answer": str, "role": str},
    "readback.confirmed": {**HANDOFF_FORM, "item": str, "answer": str, "agree": bool, "reason": str, "role": str},
    "gate.signed": {
        "_type": str, "subject": [{"name": str, "digest": TEXTS}], "predicateType": str,
        "predicate": {
            **HANDOFF_FORM, "bound": TEXTS, "covers": [str], "decision": str, "expires": int, "frontier": TEXTS, "gate": str,
            "meaning": str, "package": str, "reason": str, "role": str, "roster": [str], "round": int, "seen": TEXTS,
            "template": str,
        },
    },
    "gate.overridden": {**HANDOFF_FORM, "round": int, "package": str, "reason": str, "expires": int},
    "handoff.returned": {**HANDOFF_FORM, "round": int, "package": str, "items": TEXTS, "reason": str},
    "handoff.abandoned": {"reason": str},
    "handoff.recalled": {"entity": str, "round": int, "reason": str},
    "custody.offered": CUSTODY_FORM,
    "custody.accepted": CUSTODY_FORM,
    "custody.refused": CUSTODY_FORM,
    "entity.declared": {"name": str, "version": (str,), "attrs": ({"*": object},), "digests": (TEXTS,), "params": (TEXTS,),
                        "metrics": ([METRIC_FORM],), "source": (object,), "at": (int,)},
    "entity.described": {"value": object},
    "edge.linked": {"to": str, "relation": str, "note": (str,)},
    "criteria.set": {"rows": [CRITERION_FORM]},
    "recall.declared": {"reason": str},
    "recall.lifted": {**ACT_FORM, "entity": str, "reason": str, "t": int},
    "change.retracted": {"reason": (str,)},
    "comment.added": {"text": str, "item": (str,)},
}  # fmt: skip
ABOUT_PEOPLE = [name for name, rules in KINDS.items() if rules.on in ("ledger", "person", "invitation")]
ABOUT_PEOPLE.remove("value.erased")


def read_signed(value: Any, kind: str) -> tuple[bytes, Any, list[Envelope]]:
    """Return payload bytes, payload and envelopes of a value that persons signed; nothing verified. Raises Malformed."""
    take(value, dsse=[dict])
    envelopes = [read_envelope(one) for one in value["dsse"]]
    if len(value) != 1 or not 1 <= len(envelopes) <= 64:
        raise Malformed("a signed act is {dsse: [envelope, …]}")
    payload = envelopes[0].payload
    if any(one.payload != payload or one.kind != kind for one in envelopes):
        raise Malformed("the envelopes of one act carry one payload of one type")
    return payload, parse_canonical(payload), envelopes


class Roster:
    """One version of who belongs to the project; `people` maps person ids to rows."""

    def __init__(self, value: Any) -> None:
        self.people: dict[str, dict[str, Any]] = {}
        for person, row in value["people"].items():
            full = {"mail": "", "team": "", "kind": "human", "status": "active", "joined": "", **row}
            self.people[person] = {name: full[name] for name in PERSON_FORM}
        names = ("admins", "format", "ledger", "parents", "purpose", "recovery", "threshold", "version")
        self.raw = dumps({**{name: value[name] for name in names}, "people": self.people})
        self.admins, self.recovery = set(value["admins"]), set(value["recovery"])
        self.parents: list[str] = value["parents"]
        self.threshold: int = value["threshold"]
        self.version: int = value["version"]
        self.format, self.ledger, self.purpose = value["format"], value["ledger"], value["purpose"]

    def is_sound(self) -> bool:
        """Say whether it can be in force at all: everybody has keys, its admins are active, its threshold can be met."""
        active = {person for person, row in self.people.items() if row["status"] == "active"}
        return all(row["keys"] for row in self.people.values()) and 1 <= self.threshold <= len(
            self.admins & active
        ) == len(self.admins)

    def signatures_needed(self, child: Roster) -> int:
        """Return how many of its admins (or recovery keys) must sign a roster that follows it."""
        control = (self.admins, self.threshold, self.recovery)
        two = control != (child.admins, child.threshold, child.recovery) and len(self.admins) >= 2
        return max(self.threshold, 2 if two else 0)


class Members(NamedTuple):
    """The roster in force in some past, possibly merged from concurrent heads."""

    heads: list[str]
    people: dict[str, dict[str, Any]]
    admins: set[str]
    threshold: int
    recovery: set[str]


class Standing(NamedTuple):
    """Why an author's event does not count ("" if it does), who it is, and what it was then."""

    why_not: str
    person: str
    roles: frozenset[str] = frozenset()
    admin: bool = False


def merge_rosters(names: list[str], heads: list[Roster]) -> Members:
    """Merge concurrent rosters: all removals, grants only where all agree."""
    if len(heads) < 2:
        return (
            Members(names, heads[0].people, heads[0].admins, heads[0].threshold, heads[0].recovery)
            if heads
            else Members([], {}, set(), 1, set())
        )
    people: dict[str, dict[str, Any]] = {}
    for person in sorted(set().union(*(set(roster.people) for roster in heads))):
        rows = [roster.people[person] for roster in heads if person in roster.people]
        active = len(rows) == len(heads) and all(row["status"] == "active" for row in rows)
        roles = set(rows[0]["roles"]).intersection(*(set(row["roles"]) for row in rows)) if active else set()
        people[person] = {**rows[0], "roles": sorted(roles), "status": "active" if active else "left"}
    admins = {
        one
        for one in heads[0].admins.intersection(*(roster.admins for roster in heads))
        if people[one]["status"] == "active"
    }
    recovery = heads[0].recovery.intersection(*(roster.recovery for roster in heads))
    return Members(names, people, admins, max(roster.threshold for roster in heads), recovery)


class People:
    """Everything about who counts, derived from the changes about people alone; the order of arrival has no part in it."""

    def __init__(self, ledger: str, chains: Chains, facts: list[Change], check: Ed25519) -> None:
        self.ledger, self.chains, self.check = ledger, chains, check
        self.founder = b""
        self.project = ""
        self.continues = ""
        self.keys: dict[str, bytes] = {}  # keyid -> public key; a key by itself belongs to the person of its SHA-256
        self.added: dict[str, set[str]] = {}  # key in hex -> persons who took it as a further one
        self.recovery: set[str] = set()
        self.openings: dict[str, tuple[str, str]] = {}  # label that holds event 0 -> person, key in hex
        self.rosters: dict[str, Roster] = {}
        self.places: dict[str, list[Event]] = {}  # roster -> where it stands
        self.newcomers: dict[str, str] = {}  # person -> name
        self.joined: dict[str, dict[str, Event]] = {}  # person -> acceptance -> where
        self.ends: dict[str, list[tuple[Event, dict[str, int]]]] = {}  # person -> revocation, label -> last good seq
        self.all_ends_known = False
        self.adopted: dict[str, list[Event]] = {}  # event id -> where it was adopted
        self.forks: dict[str, int] = {}
        self.good: dict[str, int] = {}  # label -> last seq adopted after a fork
        self.signatures = 0
        self.holds: dict[tuple[str, bytes, bytes, bytes], bool] = {}
        self.merged: dict[frozenset[str], Members] = {}
        for label in chains.parent:
            self.forks[label[:64]] = min(chains.start(label), self.forks.get(label[:64], chains.start(label)))
        self.build([fact for fact in facts if self.read(fact)])

    def build(self, facts: list[Change]) -> None:
        """Judge all facts that have their form."""
        for fact in facts:
            self.learn(fact)
        self.open_all([fact for fact in facts if fact.name in ("chain.opened", "person.key_added")])
        for fact in facts:
            self.attempt(fact, {"ledger.founded": self.found, "roster.set": self.set_roster, "person.revoked": self.revoke,
                                "event.adopted": self.adopt}.get(fact.name))  # fmt: skip
        self.all_ends_known = True
        if self.ends:  # once more: a roster beyond an end is void, and what stands on it
            self.rosters = {digest: roster for digest, roster in self.rosters.items() if not roster.parents}
            self.places = {digest: self.places[digest] for digest in self.rosters}
            self.merged.clear()
            for fact in facts:
                self.attempt(fact, self.set_roster if fact.name == "roster.set" else None)
        for fact in facts:
            self.attempt(fact, {"fork.adopted": self.adopt_fork, "invite.made": self.invite}.get(fact.name))
        for fact in facts:
            self.attempt(fact, self.join if fact.name in ("invite.accepted", "join.requested") else None)

    def read(self, fact: Change) -> bool:
        """Read a fact's value, and its payload where persons sign it; say whether it has its form."""
        if fact.value is MISSING:
            return False
        try:
            fact.payload = fact.value
            if KINDS[fact.name].signed:
                fact.raw, fact.payload, fact.envelopes = read_signed(fact.value, KINDS[fact.name].signed)
            take(fact.payload, **FORMS[fact.name])
            if fact.name == "roster.set":
                fact.payload = {**fact.payload, "roster": Roster(fact.payload)}
            elif fact.name == "ledger.founded":
                fact.payload = {**fact.payload, "roster": Roster(fact.payload["roster"])}
        except Malformed:
            fact.counts = FORM
        return not fact.counts

    @staticmethod
    def attempt(fact: Change, judge: Callable[[Change], str | None] | None) -> None:
        """Let a fact be judged; what a judge returns or raises is why it does not count."""
        if judge is not None:
            try:
                fact.counts = judge(fact) or YES
            except Malformed:
                fact.counts = SIGNATURE

    # Keys, chains

    def learn(self, fact: Change) -> None:
        """Remember the public keys that a fact names."""
        payload = fact.payload
        roster = payload.get("roster")
        found = [payload.get(name) for name in ("founder", "key")] + (payload.get("recovery") or [])
        if isinstance(roster, Roster):
            found += [key for row in roster.people.values() for key in row["keys"]] + sorted(roster.recovery)
            self.recovery |= roster.recovery
        for key in found:
            if isinstance(key, str) and HEX64.match(key):
                self.keys[key_id(bytes.fromhex(key))] = bytes.fromhex(key)

    def owners(self, key: str) -> set[str]:
        """Return the persons to whom a key belongs."""
        return {sha256(bytes.fromhex(key)), *self.added.get(key, ())}

    def keys_that_signed(self, envelopes: list[Envelope]) -> list[str]:
        """Return the known keys, in hex, whose signatures hold."""
        found = set()
        for one in envelopes:
            public = self.keys.get(one.keyid)
            if public is None:
                continue
            known = (one.kind, one.payload, one.signature, public)
            if known not in self.holds:
                self.holds[known] = self.check.verify(public, one.signature, pae(one.kind.encode(), one.payload))
                self.signatures += self.holds[known]
            if self.holds[known]:
                found.add(public.hex())
        return sorted(found)

    def signers(self, envelopes: list[Envelope]) -> list[str]:
        """Return the persons (or `recovery:<key>`) whose signatures hold, sorted."""
        found: set[str] = set()
        for key in self.keys_that_signed(envelopes):
            found |= self.added.get(key) or {sha256(bytes.fromhex(key))}
            found |= {f"recovery:{key}"} & {f"recovery:{one}" for one in self.recovery}
        return sorted(found)

    def open_all(self, facts: list[Change]) -> None:
        """Open chains and add further keys until nothing more follows."""
        valid: dict[str, list[tuple[int, Change]]] = {}
        waiting = facts
        while waiting:
            left = []
            for fact in waiting:
                carriers = {one.payload["person"] for _, one in valid.get(self.chains.root(fact.event.label), [])}
                good = self.opens(fact) if fact.name == "chain.opened" else self.adds_key(fact, carriers)
                if not good:
                    left.append(fact)
                elif fact.name == "chain.opened":
                    index = int(fact.id.partition(".")[2] or 0)
                    valid.setdefault(fact.event.label, []).append((index, fact))
            if len(left) == len(waiting):
                break
            waiting = left
        for fact in waiting:
            fact.counts = SIGNATURE
        for label, found in valid.items():
            first = min(found, key=lambda pair: pair[0])[1]
            self.openings[label] = (first.payload["person"], first.payload["key"])

    def opens(self, fact: Change) -> bool:
        """Say whether a delegation opens the chain it stands in."""
        said = fact.payload
        fact.signers = [said["person"]]
        return (
            (said["chain"], said["ledger"], said["purpose"]) == (fact.event.label[:64], self.ledger, fact.name)
            and fact.event.seq == 0
            and fact.entity == f"person:{said['person'][:32]}"
            and said["key"] in self.keys_that_signed(fact.envelopes)
            and said["person"] in self.owners(said["key"])
        )

    def adds_key(self, fact: Change, carriers: set[str]) -> bool:
        """Take in a further key: an older one and the new one must both have signed, in a chain of that person."""
        said, signed = fact.payload, self.keys_that_signed(fact.envelopes)
        person, key = said["person"], said["key"]
        older = any(person in self.owners(one) for one in signed if one != key)
        if not self.is_act(fact) or not older or key not in signed or person not in carriers:
            return False
        self.added.setdefault(key, set()).add(person)
        fact.signers = [person]
        return True

    # The founding, rosters, revocations, each by the fact's own causal past

    def is_act(self, fact: Change) -> bool:
        """Say whether an act is of this ledger and purpose, and on the entity it is about."""
        said = fact.payload
        person = said.get("person") or (self.author(fact.event.label) if fact.name == "fork.adopted" else "")
        entity = f"person:{person[:32]}" if person else f"ledger:{self.ledger[:32]}"
        return (said["ledger"], said["purpose"], fact.entity) == (self.ledger, fact.name, entity)

    def carried(self, fact: Change) -> str:
        """Return why a signed act does not stand where it is carried; note its signers."""
        if not self.is_act(fact):
            return SIGNATURE
        carrier = self.author(fact.event.label)
        if not carrier:
            return UNOPENED
        fact.signers = self.signers(fact.envelopes)
        if carrier not in {person for key in self.keys_that_signed(fact.envelopes) for person in self.owners(key)}:
            return SIGNATURE
        # Whether an end, an adoption or a roster holds is a matter of its past; a roster is void beyond any end at all.
        everything = self.all_ends_known and fact.name == "roster.set"
        return REVOKED if self.is_beyond(carrier, fact.event, None if everything else fact.event) else YES

    def found(self, fact: Change) -> str:
        """Take in the genesis."""
        said, roster = fact.payload, fact.payload["roster"]
        right = (
            sha256(fact.raw) == self.ledger
            and (said["format"], said["purpose"]) == ("carnet-ledger/1", fact.name)
            and roster.is_sound()
            and (fact.event.seq, fact.entity) == (0, f"ledger:{self.ledger[:32]}")
            and said["founder"] in self.keys_that_signed(fact.envelopes)
            and self.author(fact.event.label) in self.owners(said["founder"])
        )
        if not right:
            return SIGNATURE
        self.founder, self.project = public_bytes(said["founder"]), said["project"]
        self.continues = said["continues"] if HEX64.match(said["continues"]) else ""
        fact.signers = [sha256(self.founder)]
        self.keep_roster(roster, fact.event)
        return YES

    def keep_roster(self, roster: Roster, event: Event) -> None:
        """Take a roster as one that holds."""
        self.rosters[sha256(roster.raw)] = roster
        self.places.setdefault(sha256(roster.raw), []).append(event)

    def set_roster(self, fact: Change) -> str:
        """Take in a later roster, where enough admins of each parent signed it."""
        roster = fact.payload["roster"]
        if (
            not self.is_act(fact)
            or roster.raw != fact.raw
            or roster.format != "carnet-roster/1"
            or not roster.is_sound()
        ):
            return SIGNATURE
        parents = [self.rosters[digest] for digest in roster.parents if self.sees_roster(fact.event, digest)]
        if (
            not parents
            or len(parents) < len(roster.parents)
            or roster.version != 1 + max(one.version for one in parents)
        ):
            return SIGNATURE
        why_not = self.carried(fact)
        if why_not:
            return why_not
        for parent in parents:
            if len(self.authorities(fact, parent.admins, parent.recovery)) < parent.signatures_needed(roster):
                return SIGNATURE
        self.keep_roster(roster, fact.event)
        return YES

    def authorities(self, fact: Change, admins: set[str], recovery: set[str]) -> set[str]:
        """Return the admins and recovery keys that signed a fact and had not ended in its past; a key stands for one."""
        ended = {person for person, ends in self.ends.items() if any(self.was_before(at, fact.event) for at, _ in ends)}
        found = set()
        for key in self.keys_that_signed(fact.envelopes):
            persons = sorted(person for person in self.owners(key) if person in admins and person not in ended)
            if persons:
                found.add(persons[0])
            elif key in recovery:
                found.add(f"recovery:{key}")
        return found

    def by_admins(self, fact: Change) -> bool:
        """Say whether the threshold of the admins in force signed a fact."""
        members = self.members(fact.event)
        return len(self.authorities(fact, members.admins, members.recovery)) >= members.threshold

    def revoke(self, fact: Change) -> str:
        """Take in a revocation: by the admins' threshold, or by the person."""
        person = fact.payload["person"]
        why_not = self.carried(fact)
        if why_not or (person not in fact.signers and not self.by_admins(fact)):
            return why_not or SIGNATURE
        limit: dict[str, int] = {}
        for chain, place in fact.payload["last"].items():
            seq, event_id = read_place(place)
            at = self.chains.find(event_id)
            if at is not None and at.label[:64] == chain:
                self.reach(at.label, at.seq, limit)
            else:
                limit.update(dict.fromkeys(self.chains.labels_of(chain), seq))
        self.ends.setdefault(person, []).append((fact.event, limit))
        return YES

    def adopt(self, fact: Change) -> str:
        """Take in single events that admins let count in spite of a revocation."""
        why_not = self.carried(fact)
        if why_not or not self.by_admins(fact):
            return why_not or SIGNATURE
        for event_id in fact.payload["events"]:
            self.adopted.setdefault(event_id, []).append(fact.event)
        return YES

    def adopt_fork(self, fact: Change) -> str:
        """Take in which branches of a forked chain its person lets stand."""
        why_not = self.carried(fact)
        for event_id in [] if why_not else fact.payload["heads"]:
            at = self.chains.find(event_id)
            if at is None:
                continue
            if at.label[:64] != fact.payload["chain"] or self.author(at.label) not in fact.signers:
                return SIGNATURE
            self.reach(at.label, at.seq, self.good)
        return why_not

    def reach(self, label: str, seq: int, into: dict[str, int]) -> None:
        """Let `into` reach to a place along its branch and what that stands on."""
        while label:
            into[label] = max(seq, into.get(label, -1))
            seq, label = self.chains.start(label) - 1, self.chains.parent.get(label, "")

    def invite(self, fact: Change) -> str:
        """Judge an invitation's id; who may invite is judged like any other change."""
        made = f"carnet-entity/1 invitation {fact.event.label[:64]} {fact.commitment}".encode()
        return YES if fact.entity == f"invitation:{sha256(made)[:32]}" else BIRTH

    def join(self, fact: Change) -> str:
        """Take in an acceptance or a request, in event 0 of a chain that its own person opened."""
        person, key = self.openings.get(self.chains.root(fact.event.label), ("", ""))
        if not person:
            return UNOPENED
        own = sha256(public_bytes(key)) == person and fact.payload["key"] == key
        if fact.event.seq or not own or fact.entity != f"person:{person[:32]}":
            return SIGNATURE
        self.newcomers[person] = fact.payload["name"]
        self.joined.setdefault(person, {})[fact.id] = fact.event
        return YES

    # Asking

    def sees_roster(self, event: Event, digest: str) -> bool:
        """Say whether a roster lies in an event's past."""
        return any(self.chains.in_past(event, place) for place in self.places.get(digest, ()))

    def members(self, event: Event) -> Members:
        """Return the roster in force in an event's past."""
        visible = frozenset(digest for digest in self.places if self.sees_roster(event, digest))
        if visible not in self.merged:
            parents = {parent for digest in visible for parent in self.rosters[digest].parents}
            heads = sorted(visible - parents)
            self.merged[visible] = merge_rosters(heads, [self.rosters[digest] for digest in heads])
        return self.merged[visible]

    def author(self, label: str) -> str:
        """Return the person who delegated a chain or branch, or the empty text."""
        return self.openings.get(self.chains.root(label), ("", ""))[0]

    def was_before(self, cause: Event, event: Event) -> bool:
        """Say whether one event lies in the past of another, and is not the same."""
        return cause is not event and self.chains.in_past(event, cause)

    def is_beyond(self, person: str, event: Event, past: Event | None) -> bool:
        """Say whether an event lies beyond an end of its person, unadopted; by what lies in the past of `past` if given."""
        ends = (limit for at, limit in self.ends.get(person, ()) if past is None or self.was_before(at, past))
        if not any(event.seq > limit.get(event.label, -1) for limit in ends):
            return False
        return not any(past is None or self.chains.in_past(past, at) for at in self.adopted.get(event.id, ()))

    def standing(self, event: Event) -> Standing:
        """Say of an event's author whether the event counts by it, and which roles it held."""
        person = self.author(event.label)
        if not person:
            return Standing(UNOPENED, person)
        fork = self.forks.get(event.label[:64])
        if fork is not None and event.seq >= fork and event.seq > self.good.get(event.label, -1):
            return Standing(FORKED, person)
        if self.is_beyond(person, event, None):
            return Standing(REVOKED, person)
        members = self.members(event)
        row = members.people.get(person)
        if row is not None and row["status"] == "active":
            return Standing(YES, person, frozenset(row["roles"]), person in members.admins)
        if self.was_removed(person, members):
            return Standing(STRANGER, person)
        held = sorted(change for change, at in self.joined.get(person, {}).items() if self.chains.in_past(event, at))
        for change in held:
            first = self.admitted(person, change)
            if first is not None:
                return Standing(YES, person, frozenset(row["roles"] if row is not None else first["roles"]))
        return Standing(PENDING if held else STRANGER, person)

    def was_removed(self, person: str, members: Members) -> bool:
        """Say whether a head took out a person whom a roster before it had."""
        for head in members.heads:
            row = self.rosters[head].people.get(person)
            if row is not None and row["status"] != "active":
                return True
            before, todo = set(), [head]
            while todo and row is None:
                for parent in self.rosters[todo.pop()].parents:
                    if person in self.rosters[parent].people:
                        return True
                    if parent not in before:
                        before.add(parent)
                        todo.append(parent)
        return False

    def admitted(self, person: str, joined: str) -> dict[str, Any] | None:
        """Return a person's row in the first roster that names this acceptance."""
        rows = [
            (roster.version, digest)
            for digest, roster in self.rosters.items()
            if person in roster.people and roster.people[person]["joined"] == joined
        ]
        return self.rosters[min(rows)[1]].people[person] if rows else None

    def name(self, person: str) -> str:
        """Return a person's name as the newest roster has it, or the start of the id."""
        for _, roster in sorted(self.rosters.items(), key=lambda pair: (-pair[1].version, pair[0])):
            if person in roster.people:
                return show(roster.people[person]["name"], 60)
        return show(self.newcomers.get(person, person[:16] + "…"), 60)


# --- 7. Changes (§5, §8): what counts, what was replaced or erased, and what each sign-off says -------------------------

SEEN = ("item.answered", "item.verified", "waiver.granted", "finding.raised", "na.confirmed", "readback.confirmed")
PARTS = {"code": "code", "data": "dataset", "features": "feature", "env": "environment", "model": "model"}
BIRTHS = ("handoff.opened", "entity.declared")
PROTECTED = {*ABOUT_PEOPLE, "value.erased", "gate.signed", "recall.declared", "recall.lifted", "handoff.recalled"}


class Record:
    """The changes that this script looks at, folded: those about people, about handoffs, and tombstones."""

    def __init__(self, ledger: str, chains: Chains, order: list[Event], people: People) -> None:
        self.ledger, self.chains, self.people = ledger, chains, people
        self.by_id: dict[str, Change] = {}
        self.payloads: dict[str, list[Change]] = {}
        self.handoffs: dict[str, list[Change]] = {}
        self.uncounted: Counter[str] = Counter()
        self.erased_by: dict[str, Change] = {}
        self.sealed: dict[str, list[Change]] = {}  # entity -> sealings that refer to it
        self.nodes: dict[str, list[Change]] = {}
        self.makers: dict[str, list[str]] = {}
        self.newer: dict[str, set[str]] = {}  # entity -> critical kinds that this script does not know
        for event in order:
            standing = people.standing(event)
            if standing.why_not:
                self.uncounted[standing.why_not] += event.n
            for change in event.changes:
                self.take(change, standing)
        self.makers = {made: [run for run in runs if any(e["to"] == made and e["relation"] == "made" for e in self.edges(run))]
                       for made, runs in self.makers.items()}  # fmt: skip

    def take(self, change: Change, standing: Standing) -> None:
        """Judge one change, and let it replace or erase what it may."""
        why_not = standing.why_not
        change.person, change.roles, change.admin = standing.person, standing.roles, standing.admin
        about_people = change.name in ABOUT_PEOPLE
        if not about_people:
            change.counts = why_not or self.judge(change)
        elif not change.counts:
            change.counts = self.judge_fact(change, why_not)
        change.live = not change.counts
        self.by_id[change.id] = change
        if change.counts and not why_not:
            self.uncounted[change.counts] += 1
        if change.counts == UNKNOWN and change.kind.endswith("!"):
            self.newer.setdefault(change.entity, set()).add(change.name)
        if change.entity.startswith("handoff:"):
            self.handoffs.setdefault(change.entity, []).append(change)
        elif not about_people:
            self.nodes.setdefault(change.entity, []).append(change)
        if change.live and change.name == "edge.linked" and change.payload["relation"] == "made":
            self.makers.setdefault(change.payload["to"], []).append(change.entity)
        if not change.live:
            return
        self.replace(change)
        if change.name == "value.erased":
            self.erase(change)
        elif change.name == "package.sealed":
            rows = change.payload["manifest"].get("entities")
            ids = [row.get("id") for row in rows if type(row) is dict] if type(rows) is list else []
            for entity in {change.entity, *(one for one in ids if type(one) is str)}:
                self.sealed.setdefault(entity, []).append(change)

    @staticmethod
    def judge_fact(change: Change, why_not: str) -> str:
        """Return why a change about people, which holds by itself, does not count where it stands."""
        rules = KINDS[change.name]
        if change.value is MISSING:
            return ABSENT
        if change.entity.partition(":")[0] != rules.on:
            return FORM
        joins = change.name in ("invite.accepted", "join.requested") and why_not in (PENDING, STRANGER)
        if rules.signed or joins:
            return YES
        return why_not or (ROLE if rules.role == "admin" and not change.admin else YES)

    def judge(self, change: Change) -> str:
        """Return why a change by a member does not count, or the empty text."""
        rules = KINDS.get(change.name)
        if rules is None:
            return UNKNOWN
        if rules.on and change.entity.partition(":")[0] not in rules.on.split():
            return FORM
        if rules.role and not (change.admin if rules.role == "admin" else rules.role in change.roles):
            return ROLE
        if change.value is MISSING:
            return ABSENT
        try:
            change.payload = change.value
            if rules.signed:
                why_not = self.judge_signed(change, rules)
                if why_not:
                    return why_not
            else:
                take(change.value, **FORMS[change.name])
            wrong_birth = change.name in BIRTHS and change.entity != self.born_as(change)
        except Malformed:
            return FORM
        return BIRTH if wrong_birth else YES

    @staticmethod
    def born_as(change: Change) -> str:
        """Return the id that an entity must have when this change brings it to life (§3)."""
        kind = change.entity.partition(":")[0]
        source = change.payload.get("source")
        if source is not None:
            if type(source) is not list or [type(part) for part in source] != [str, str]:
                raise Malformed("source is not [system, stable id]")
            made = dumps(["carnet-entity/1", kind, *source])
        else:
            made = f"carnet-entity/1 {kind} {change.event.label[:64]} {change.commitment}".encode()
        return f"{kind}:{sha256(made)[:32]}"

    def judge_signed(self, change: Change, rules: Rules) -> str:
        """Check a person's own signature and what it is for. Raises Malformed."""
        raw, change.payload, envelopes = read_signed(change.value, rules.signed)
        change.signers = self.people.signers(envelopes)
        if change.person not in change.signers:
            return SIGNATURE
        act = take(change.payload, **FORMS[change.name])
        if rules.signed == STATEMENT:
            act = act["predicate"]
        if (act["ledger"], act["purpose"], act.get("handoff", act.get("entity", change.entity))) != (
            self.ledger,
            change.name,
            change.entity,
        ):
            return SIGNATURE
        earlier = self.payloads.setdefault(sha256(raw), [])
        replayed = any(self.chains.in_past(change.event, one.event) for one in earlier)
        earlier.append(change)
        return REPLAY if replayed else YES

    def replace(self, change: Change) -> None:
        """Let a change take the place of those that it names, where their kind allows it."""
        for target in (self.by_id.get(one) for one in change.over):
            if target is None or not target.live or (target.entity, target.field) != (change.entity, change.field):
                continue
            rules = KINDS.get(target.name)
            if rules is None or rules.rule == "nobody" or not self.chains.in_past(change.event, target.event):
                continue
            if rules.rule == "closing":
                target.live = change.name != rules.closed_by
                continue
            role = target.value.get("role") if rules.rule == "answer" and type(target.value) is dict else ""
            settles = bool(role) and role in change.roles and change.name == target.name
            target.live = not (settles or change.person == target.person)

    def erase(self, tombstone: Change) -> None:
        """Let a tombstone take its targets' values away; two persons sign where a sealed package refers to them."""
        members = self.people.members(tombstone.event).people
        two = sum(members.get(one, {}).get("status") == "active" for one in tombstone.signers) >= 2
        for target_id in tombstone.payload["targets"]:
            target = self.by_id.get(target_id)
            if target is None:  # not looked at here; if its value is gone, this is why
                self.erased_by.setdefault(target_id, tombstone)
                continue
            sealed = any(self.chains.in_past(tombstone.event, one.event) for one in self.sealed.get(target.entity, ()))
            if target.name in PROTECTED or target.name not in KINDS or (sealed and not two):
                continue
            if not self.chains.in_past(tombstone.event, target.event):
                continue
            if target.value is MISSING and target.counts not in (YES, ABSENT):
                continue
            self.erased_by.setdefault(target_id, tombstone)
            judged = target.counts in (YES, ABSENT, FORM, BIRTH, SIGNATURE, REPLAY)
            target.live, target.value = False, MISSING
            if judged:  # what it says it replaced stays replaced, whether its value can still be judged or not
                target.counts = ERASED
                rules = KINDS[target.name]
                if not rules.on or target.entity.partition(":")[0] in rules.on.split():
                    self.replace(target)

    def seen_digests(self, handoff: str) -> dict[str, str]:
        """Return, for each item of a handoff, the digest of what a sign-off of now would have seen."""
        items: dict[str, list[list[str]]] = {}
        for change in self.handoffs[handoff]:
            if change.live and change.name in SEEN:
                items.setdefault(change.field, []).append([change.id, change.commitment])
        return {item: sha256(dumps(sorted(rows))) for item, rows in items.items()}

    def live(self, handoff: str, name: str) -> list[Change]:
        """Return a handoff's live changes of a kind."""
        return [change for change in self.handoffs[handoff] if change.live and change.name == name]

    def seal(self, handoff: str) -> tuple[int, set[str]]:
        """Return the newest round and the digests of the packages sealed in it (more than one: a conflict)."""
        rounds: dict[int, set[str]] = {}
        for change in self.live(handoff, "package.sealed"):
            number = change.payload["manifest"].get("round")
            if type(number) is int:
                rounds.setdefault(number, set()).add(sha256(dumps(change.payload["manifest"])))
        return max(rounds.items(), default=(0, set()))

    def state_of(self, signoff: Change) -> tuple[str, str]:
        """Return (state, why) of a sign-off: fresh, stale, replaced, or void."""
        if signoff.counts:
            return "void", REASONS[signoff.counts]
        said, handoff = signoff.payload["predicate"], signoff.entity
        if {"sha256": said["package"]} not in [one.get("digest") for one in signoff.payload["subject"]]:
            return "void", "its subject is not the package it names"
        if said["role"] not in signoff.roles:
            return "void", "its signer did not hold the role then"
        if not signoff.live:
            return "replaced", "its signer signed anew or withdrew it"
        number, packages = self.seal(handoff)
        if (said["round"], {said["package"]}) != (number, packages):
            return "stale", f"it signed the package of round {said['round']}; round {number} was sealed since"
        if any(one.payload["round"] >= number for one in self.live(handoff, "handoff.returned")):
            return "stale", "the package was returned"
        if any(one.payload["round"] >= number for one in self.live(handoff, "handoff.recalled")):
            return "stale", "the model or what it came from was recalled"
        seen, now = self.seen_digests(handoff), self.package_now(handoff)
        nothing = sha256(b"[]")
        moved = [item for item in said["covers"] if said["seen"].get(item) != seen.get(item, nothing)]
        parts = self.parts(now)
        moved += sorted(part for part, was in said["bound"].items() if parts.get(part, was) != was)
        if said["template"] != sha256(dumps(now["template"])):
            moved.append("the checklist's template")
        return ("stale", f"changed since: {', '.join(show(one, 60) for one in moved[:12])}") if moved else ("fresh", "")

    # The package as the record stands now (§8.1), to tell which parts changed since a sign-off

    def package_now(self, handoff: str) -> dict[str, Any]:
        """Return the manifest that a sealing of now would have, as far as the parts of a package need it."""
        said = dict(self.live(handoff, "handoff.opened")[0].payload) if self.live(handoff, "handoff.opened") else {}
        moves = sorted(
            self.live(handoff, "handoff.repacked"), key=lambda c: (c.event.t, c.event.label, c.event.seq, c.id)
        )
        said.update(moves[-1].payload if moves else {})
        ids = {said.get("model", ""), *(change.payload["entity"] for change in self.live(handoff, "handoff.linked"))}
        criteria = said.get("criteria") or max((i for i in ids if i.startswith("criteria:")), default="")
        ids.update(edge["to"] for entity in sorted(ids) for edge in self.edges(entity))
        ids.update(self.makers.get(said.get("model", ""), ()))
        ids.update(edge["to"] for run in sorted(ids) if run.startswith("run:")
                   for edge in self.edges(run) if edge["relation"] != "made")  # fmt: skip
        entities = [entity for entity in map(self.entity, sorted(ids)) if entity is not None]
        sealed = [change.payload["manifest"] for change in self.live(handoff, "package.sealed")]
        named = [one["criteria"].get("id") for one in sealed if type(one.get("criteria")) is dict]
        criteria = criteria or next((one for one in reversed(named) if type(one) is str), "")
        found = self.entity(criteria)
        files = {
            (f["path"], f["sha256"], f["size"])
            for f in (c.payload["file"] for c in self.live(handoff, "handoff.filed"))
        }
        return {
            "criteria": {"id": found["id"], "state": found["state"]} if found else None,
            "entities": [entity for entity in entities if entity["id"] != criteria],
            "facts": said.get("facts", {}),
            "files": [{"path": path, "sha256": digest, "size": size} for path, digest, size in sorted(files)],
            "format": "carnet-package/1",
            "handoff": handoff,
            "ledger": self.ledger,
            "model": said.get("model", ""),
            "template": [
                {name: one.get(name) for name in ("id", "sha256", "version")} for one in said.get("packs", [])
            ],
            "tier": said.get("tier", ""),
        }

    def entity(self, entity: str) -> dict[str, Any] | None:
        """Return an entity's row in a package manifest; None where nobody declared it."""
        live = [change for change in self.nodes.get(entity, []) if change.live]
        births = [change for change in live if change.name == "entity.declared"]
        if not births:
            return None
        born = min(births, key=lambda change: change.id)
        lines = sorted(f"{c.id} {c.commitment}\n".encode() for c in live if c.name != "comment.added")
        kind, digests = entity.partition(":")[0], born.payload.get("digests", {})
        return {"digests": digests, "id": entity, "kind": kind, "state": sha256(b"".join(lines))}

    def edges(self, entity: str) -> list[dict[str, Any]]:
        """Return the live edges of a declared entity."""
        if self.entity(entity) is None:
            return []
        return [change.payload for change in self.nodes[entity] if change.live and change.name == "edge.linked"]

    @staticmethod
    def parts(manifest: dict[str, Any]) -> dict[str, str]:
        """Return the digest of each part of a package that items can bind."""
        entities = manifest["entities"]
        found = {part: sha256(dumps([e for e in entities if e["kind"] == kind])) for part, kind in PARTS.items()}
        found["config"] = sha256(dumps(manifest["files"]))
        found["criteria"] = sha256(dumps(manifest["criteria"]))
        found["package"] = sha256(dumps({key: value for key, value in manifest.items() if key != "round"}))
        return found


# --- 8. The check as a whole, what it says, and the command -------------------------------------------------------------

NOT_PROVEN = (
    "that this is the newest state: a bundle can be older than what its sender holds",
    "that no chain was withheld which nobody in this bundle had seen",
    "that nothing was rewritten before it was first given to another",
    "that what people wrote is true, or that claimed times are right",
    "that two persons of the roster are two human beings",
)


def is_kept(change: Change) -> bool:
    """Say whether the report needs this change; of the others only the digests are checked."""
    kind = change.entity.partition(":")[0]
    return kind == "handoff" or kind in NODES.split() or change.name in ABOUT_PEOPLE or change.name == "value.erased"


class Check:
    """One bundle, checked. Raises Refusal at the first thing that does not hold."""

    def __init__(self, file: BinaryIO, progress: Progress) -> None:
        self.progress = progress
        self.ed25519 = Ed25519()
        self.archive = Archive(file)
        whole = self.archive.digest() == self.archive.stated_digest
        try:
            self.read_manifest()
            self.check_entries()
            self.absent: set[str] = set()
            self.chains = Chains(self.manifest.ledger)
            self.read_segments()
            self.chains.link(self.manifest.base)
        except Refusal as refusal:
            if not whole and refusal.code == MALFORMED:
                raise Refusal(BROKEN, refusal.where, f"{refusal.what}; the file's bytes were changed") from None
            raise
        if not whole:
            raise Refusal(BROKEN, "the zip", "its bytes are not those that its comment names; no entry differs")
        self.order = self.chains.in_causal_order()
        facts = [change for event in self.order for change in event.changes if change.name in ABOUT_PEOPLE]
        self.people = People(self.manifest.ledger, self.chains, facts, self.ed25519)
        self.increment = bool(self.manifest.base)
        if not self.increment:
            self.check_founding()
        self.record = Record(self.manifest.ledger, self.chains, self.order, self.people)
        self.check_attestations()
        self.progress.done()

    def read_manifest(self) -> None:
        """Read `carnet.json` and the signature over it."""
        data = self.archive.read("carnet.json")
        try:
            self.manifest = Manifest(data)
        except Malformed as error:
            raise Refusal(MALFORMED, "carnet.json", str(error)) from None
        try:
            envelope = read_envelope(parse_canonical(self.archive.read("carnet.json.sig")))
        except Malformed as error:
            raise Refusal(MALFORMED, "carnet.json.sig", str(error)) from None
        public = bytes.fromhex(self.manifest.exporter)
        if envelope.kind != "application/vnd.carnet.bundle+json" or envelope.payload != data:
            raise Refusal(BROKEN, "carnet.json.sig", "signs something else than carnet.json")
        signed = pae(envelope.kind.encode(), data)
        if envelope.keyid != key_id(public) or not self.ed25519.verify(public, envelope.signature, signed):
            raise Refusal(BROKEN, "carnet.json.sig", "the exporter's signature does not hold")

    def check_entries(self) -> None:
        """Compare the zip with the manifest: the same entries, sizes and digests."""
        members, listed = self.archive.members, self.manifest.entries
        for name in sorted(set(listed) - set(members)):
            raise Refusal(MALFORMED, show(name), "the manifest lists it, the zip does not hold it")
        for name in sorted(set(members) - set(listed) - {"carnet.json", "carnet.json.sig"}):
            raise Refusal(MALFORMED, name, "the zip holds it, the manifest does not list it")
        total, done = sum(member.size for member in members.values()), 0
        for name, (digest, size) in sorted(listed.items()):
            if (size is None) != (not name.startswith(("ledger/", "objects/"))):
                raise Refusal(MALFORMED, name, "the manifest lists it as what it cannot be")
            if size is not None and size != members[name].size:
                raise Refusal(BROKEN, name, "it has another size than the manifest says")
            if self.archive.read_digest(name) != digest:
                raise Refusal(BROKEN, name, "it has another digest than the manifest says")
            done += members[name].size
            self.progress.tell("bytes", done, total)

    def read_segments(self) -> None:
        """Read every line of every chain: its form, its place, its predecessor, its signature."""
        count = 0
        segments = sorted(self.manifest.segments, key=lambda one: (one["chain"], one["from"]))
        for segment in segments:
            label, path, expected = segment["chain"], segment["path"], segment["from"]
            events = self.chains.events.setdefault(label, [])
            if events and events[-1].seq + 1 != expected:
                raise Refusal(MALFORMED, path, "does not go on from the segment before it")
            for number, line in enumerate(self.archive.lines(path), 1):
                where = f"{path} line {number}"
                self.read_event(where, label, line, expected, events)
                expected += 1
                count += 1
                self.progress.tell("events", count, self.manifest.events)
            if expected != segment["to"] + 1:
                raise Refusal(MALFORMED, path, "does not hold as many events as it says")
            if read_place(segment["head"]) != (events[-1].seq, events[-1].id):
                raise Refusal(BROKEN, path, "ends with another event than the manifest says")
        for label, events in self.chains.events.items():
            if self.manifest.heads.get(label) != (events[-1].seq, events[-1].id):
                raise Refusal(BROKEN, f"chain {label[:16]}…", "ends elsewhere than at the head that the manifest names")
        newest = max((event.t for events in self.chains.events.values() for event in events), default=0)
        if not self.manifest.base and newest != self.manifest.t:
            raise Refusal(BROKEN, "carnet.json", "its time is not that of the newest event")

    def read_event(self, where: str, label: str, line: bytes, expected: int, events: list[Event]) -> None:
        """Read one line and append it to its chain."""
        try:
            event = Event(label, line)
        except Malformed as error:
            raise Refusal(MALFORMED, where, str(error)) from None
        except Refusal as refusal:
            raise Refusal(refusal.code, where, refusal.what) from None
        if event.seq != expected:
            raise Refusal(BROKEN, where, f"is event {event.seq} of its chain, where {expected} belongs")
        if events and (event.prev != events[-1].id or event.t < events[-1].t):
            raise Refusal(BROKEN, where, "does not follow the event before it")
        if label[:64] in event.see:
            raise Refusal(MALFORMED, where, "names its own chain as another")
        signature, signed = event.kept
        if not self.ed25519.verify(bytes.fromhex(label[:64]), signature, signed):
            raise Refusal(BROKEN, where, "the chain's signature does not hold")
        event.kept = (b"", b"")
        self.absent.update(change.id for change in event.changes if change.value is MISSING)
        event.changes = [change for change in event.changes if is_kept(change)]
        events.append(event)

    def check_founding(self) -> None:
        """Demand the ledger's genesis of a full bundle, and an exporter whose chain a person delegated."""
        if not self.people.founder:
            raise Refusal(BROKEN, "the ledger", "no genesis whose digest is the ledger's id, signed by its founder")
        if not self.people.author(self.manifest.exporter):
            raise Refusal(BROKEN, "carnet.json.sig", "signed by a chain that no person delegated")

    def check_attestations(self) -> None:
        """Compare the derived attestations with the sign-offs they were made from."""
        for name in self.archive.members:
            if not name.startswith("attestations/"):
                continue
            change = self.record.by_id.get(name[13 : -len(".intoto.jsonl")])
            if change is None and self.increment:
                continue
            value = None if change is None or change.value is MISSING else change.value
            lines = (
                [dumps(one) for one in value["dsse"]] if type(value) is dict and type(value.get("dsse")) is list else []
            )
            if list(self.archive.lines(name)) != lines:
                raise Refusal(BROKEN, name, "is not the signed sign-off that its name says")

    # What it says

    def person(self, person: str) -> dict[str, str]:
        """Return who somebody is: id, name, key."""
        first = next((public for public in self.people.keys.values() if sha256(public) == person), b"")
        return {"id": person, "name": self.people.name(person), "key": fingerprint(first) if first else ""}

    def incomplete(self) -> list[str]:
        """Return what is named and not here."""
        found = []
        for label, (seq, event_id) in sorted(self.manifest.heads.items()):
            if label not in self.chains.events and (seq, event_id) not in self.manifest.base.values():
                found.append(f"the sender holds chain {label[:16]}… to {seq}; nothing of it is here")
        for label, (seq, absent, upto) in sorted(self.chains.waiting.items()):
            waits = sum(1 for event in self.chains.events[label] if event.seq >= seq)
            name = absent.split(" ")[-1][:16]
            held = f"to {upto}" if upto is not None else "further than here"
            found.append(
                f"{waits} events of chain {label[:16]}… from {seq} on had seen chain {name}… {held}: they count for nothing yet"
            )
        return found

    def signoff(self, change: Change) -> dict[str, Any]:
        """Return what an auditor asks of one sign-off."""
        state, why = self.record.state_of(change)
        said = change.payload.get("predicate", {}) if type(change.payload) is dict else {}
        if type(said) is not dict or change.counts == FORM:
            said = {}
        role = str(said.get("role", ""))
        return {
            "change": change.id,
            "person": self.person(change.person),
            "role": role,
            "held": role in change.roles,
            "roles_then": sorted(change.roles),
            "meaning": str(said.get("meaning", "")),
            "decision": str(said.get("decision", "")),
            "claimed": change.event.t,
            "package": str(said.get("package", "")),
            "round": said.get("round", 0),
            "covers": len(said.get("covers", [])),
            "expires": said.get("expires", 0),
            "state": state,
            "why": why,
        }

    def title(self, entity: str) -> str:
        """Return a node as people call it: `churn@7`, or its id where nobody declared it."""
        names = [c for c in self.record.nodes.get(entity, []) if c.name == "entity.declared" and c.live]
        said = min(names, key=lambda change: change.id).payload if names else {}
        return f"{said['name']}@{said.get('version', '')}".rstrip("@") if said else entity

    def recalled(self) -> list[dict[str, Any]]:
        """Return the recalls that stand, in the order of their claimed times."""
        found = [
            c
            for changes in self.record.nodes.values()
            for c in changes
            if c.name == "recall.declared" and c.live and not c.counts
        ]
        return [
            {"entity": one.entity, "kind": one.entity.partition(":")[0], "title": self.title(one.entity),
             "by": self.person(one.person), "claimed": one.event.t, "reason": one.payload["reason"]}
            for one in sorted(found, key=lambda change: (change.event.t, change.id))
        ]  # fmt: skip

    def handoff(self, entity: str) -> dict[str, Any]:
        """Return what an auditor asks of one handoff."""
        opened = self.record.live(entity, "handoff.opened")
        model = str(opened[0].payload["model"]) if opened else ""
        number, packages = self.record.seal(entity)
        givers = sorted({change.person for change in self.record.live(entity, "package.sealed")
                         if change.payload["manifest"].get("round") == number})  # fmt: skip
        signed = [change for change in self.record.handoffs[entity] if change.name == "gate.signed"]
        signoffs = [self.signoff(change) for change in signed]
        approving = {
            one["person"]["id"] for one in signoffs if one["state"] == "fresh" and one["decision"].startswith("approve")
        }
        overrides = self.record.live(entity, "gate.overridden")
        returns = self.record.live(entity, "handoff.returned")
        packs = opened[0].payload["packs"] if opened else []
        return {
            "handoff": entity,
            "counts": bool(opened),
            "model": self.title(model),
            "round": number,
            "packages": sorted(packages),
            "givers": [self.person(person) for person in givers],
            "approved_by_others": sorted(approving - set(givers)),
            "differs": bool(approving - set(givers)) if approving else None,
            "signoffs": signoffs,
            "gate": packs[0]["id"] if packs else "",
            "opened": opened[0].event.t if opened else 0,
            "returns": [
                {"by": self.person(one.person), "round": one.payload["round"], "reason": one.payload["reason"]}
                for one in returns
            ],
            "overridden_by": [self.person(change.person) for change in overrides],
            "recalls": [
                {
                    "by": self.person(one.person),
                    "round": one.payload["round"],
                    "entity": one.payload["entity"],
                    "title": self.title(one.payload["entity"]),
                    "reason": one.payload["reason"],
                }
                for one in self.record.live(entity, "handoff.recalled")
            ],
            "newer": sorted(self.record.newer.get(entity, ())),
        }

    def handoffs(self) -> list[dict[str, Any]]:
        """Return all handoffs, in the order of their claimed opening."""
        found = [self.handoff(entity) for entity in self.record.handoffs]
        return sorted(found, key=lambda one: (one["opened"], one["handoff"]))

    def report(self, trust: str | None) -> dict[str, Any]:
        """Return everything that the report says, as JSON values."""
        manifest, people = self.manifest, self.people
        events = sum(len(found) for found in self.chains.events.values())
        incomplete = self.incomplete()
        founder = people.founder
        erased = Counter(self.record.erased_by[one].id for one in self.absent if one in self.record.erased_by)
        tombstones = [(self.record.by_id[one], count) for one, count in erased.items()]
        if self.increment:
            attribution = "not judged: an increment; who belonged and what counts stands in the bundles before it"
        elif trust is None:
            attribution = (
                "consistent, founder not identified: compare the ledger id with the project's own, or give --trust"
            )
        else:
            attribution = (
                "holds: founded by the key behind the ledger id you named, each chain delegated by a person's key"
            )
        complete = not incomplete and not self.increment
        return {
            "bundle": manifest.digest,
            "ledger": manifest.ledger,
            "project": people.project,
            "founder": self.person(sha256(founder)) if founder else None,
            "continues": people.continues,
            "exporter": self.person(people.openings[manifest.exporter][0]) if manifest.exporter in people.openings else None,
            "exporter_chain": manifest.exporter,
            "increment": self.increment,
            "newest": manifest.t,
            "counts": {
                "chains": len(self.chains.events),
                "events": events,
                "objects": sum(path.startswith("objects/") for path in manifest.entries),
                "signatures_of_chains": events + 1,
                "signatures_of_persons": people.signatures,
            },
            "verdicts": {
                "integrity": "holds",
                "attribution": attribution,
                "completeness": "holds: all that is named by anybody here is here" if complete else
                "an increment: not the whole record" if self.increment and not incomplete else "something named is not here",
                "not_proven": list(NOT_PROVEN),
            },
            "incomplete": incomplete,
            "uncounted": {reason: {"changes": count, "why": REASONS[reason]} for reason, count in sorted(self.record.uncounted.items())},
            "forks": sorted(people.forks),
            "handoffs": [] if self.increment else self.handoffs(),
            "recalled": [] if self.increment else self.recalled(),
            "erased": [
                {"by": self.person(tombstone.person), "why": tombstone.payload["reason"], "values": count}
                for tombstone, count in sorted(tombstones, key=lambda pair: pair[0].id)
            ],
            "absent_values": len(self.absent) - sum(erased.values()),
            "absent_objects": [one["sha256"] for one in manifest.missing],
            "exit": 0 if trust is not None and complete else INSUFFICIENT,
        }  # fmt: skip


def render(report: dict[str, Any], name: str) -> list[str]:
    """Return the report as lines for a terminal; every text from the bundle passes through `show`."""

    def who(person: dict[str, str] | None) -> str:
        return f"{show(person['name'], 60)} ({person['key'] or person['id'][:16]})" if person else "not in this bundle"

    counts, verdicts = report["counts"], report["verdicts"]
    lines = [
        f"Bundle   {show(name)}  sha256:{report['bundle']}",
        f"Ledger   {report['ledger']}",
        f"Project  {show(report['project'])}, founded by {who(report['founder'])}",
        *(
            [f"         it continues ledger {report['continues']}, whose record stands for itself"]
            if report["continues"]
            else []
        ),
        f"Sent by  {who(report['exporter'])}, newest event {when(report['newest'])} (claimed)",
        f"Carries  {', '.join(many(counts[name], name[:-1]) for name in ('chains', 'events', 'objects'))}"
        + ("; an INCREMENT, so not the whole record" if report["increment"] else "; the whole record of its sender"),
        "",
        f"1 Integrity     holds: every byte and link, {many(counts['signatures_of_chains'], 'signature')} by chains,"
        f" {counts['signatures_of_persons']:,} by persons",
        f"2 Attribution   {verdicts['attribution']}",
        f"3 Completeness  {verdicts['completeness']}",
        *(f"                - {show(one, 200)}" for one in report["incomplete"]),
        "4 Not proven    by any bundle:",
        *(f"                - {one}" for one in verdicts["not_proven"]),
    ]
    for handoff in report["handoffs"]:
        lines += ["", f"Handoff of {show(handoff['model'])} by {show(handoff['gate'])}, round {handoff['round']}",
                  f"  {handoff['handoff']}"]  # fmt: skip
        if not handoff["counts"]:
            lines.append("  its opening does not count, so neither does anything below")
        lines += [f"  needs a newer Carnet to be judged: {show(kind)}" for kind in handoff["newer"]]
        lines += [
            f"  returned in round {one['round']} by {who(one['by'])}: {show(one['reason'])}"
            for one in handoff["returns"]
        ]
        lines += [f"  OVERRIDDEN by {who(person)}" for person in handoff["overridden_by"]]
        lines += [
            f"  recalled in round {one['round']} by {who(one['by'])}, for {show(one['title'], 80)}: {show(one['reason'])}"
            for one in handoff["recalls"]
        ]
        lines += [f"  package sha256:{package}" for package in handoff["packages"]] or ["  no package was sealed"]
        for one in handoff["signoffs"]:
            held = "held then" if one["held"] else "NOT held then"
            lines.append(
                f"  {one['state'].upper():8}  {who(one['person'])}: {show(one['decision'], 40)} as {show(one['role'], 40)} ({held})"
            )
            lines.append(
                f"            “{show(one['meaning'])}”, {when(one['claimed'])} (claimed), package {show(one['package'], 12)}"
                + (f", until {when(one['expires'])}" if type(one["expires"]) is int and one["expires"] else "")
            )
            lines += [f"            {show(one['why'], 300)}"] if one["why"] else []
        if handoff["signoffs"] and handoff["differs"] is not None:
            givers = ", ".join(show(person["name"], 60) for person in handoff["givers"])
            lines.append(
                f"  giver ({givers}) and receiver differ: {many(len(handoff['approved_by_others']), 'other person')} approved"
                if handoff["differs"]
                else f"  giver and receiver do NOT differ: only {givers} approved"
            )
    if report["increment"]:
        lines += ["", "Sign-offs are not judged from an increment; verify a full bundle."]
    if report["recalled"]:
        lines += ["", "RECALLED, and not lifted; what came of it is tainted"]
        lines += [
            f"  {one['kind']} {show(one['title'], 80)} by {who(one['by'])}, {when(one['claimed'])} (claimed): {show(one['reason'])}"
            for one in report["recalled"]
        ]
    lines += ["", "Absent or erased"]
    lines += [
        f"  {many(one['values'], 'value')} erased by {who(one['by'])}: {show(one['why'])}" for one in report["erased"]
    ]
    lines += [f"  {many(report['absent_values'], 'value')} not carried"] if report["absent_values"] else []
    lines += [f"  {many(len(report['absent_objects']), 'object')} not carried"] if report["absent_objects"] else []
    if not (report["erased"] or report["absent_values"] or report["absent_objects"]):
        lines.append("  nothing")
    if report["uncounted"] or report["forks"]:
        lines += ["", "Does not count"]
        lines += [f"  {many(one['changes'], 'change')}: {one['why']}" for one in report["uncounted"].values()]
        lines += [f"  chain {chain[:16]}… is forked" for chain in report["forks"]]
    return lines


def main(arguments: list[str] | None = None) -> int:
    """Check the bundle named on the command line, print what was found, return the exit code."""
    parser = argparse.ArgumentParser(
        prog="verify.py",
        description="Verify a Carnet bundle without Carnet.",
        epilog="Exit codes: see the head of this file.",
    )
    parser.add_argument("bundle", type=Path, help="NAME.carnet.zip")
    parser.add_argument(
        "--trust", metavar="LEDGER_ID", help="the project's ledger id, 64 hex, from elsewhere than the bundle"
    )
    parser.add_argument("--integrity-only", action="store_true", help="exit 0 although the founder is not identified")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--quiet", action="store_true", help="no progress on the error stream")
    options = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    if options.trust is not None and not HEX64.match(options.trust):
        parser.error("--trust needs all 64 hex characters of a ledger id")
    try:
        with options.bundle.open("rb") as file:
            check = Check(file, Progress(options.quiet or options.json))
            if options.trust is not None and options.trust != check.manifest.ledger:
                raise Refusal(BROKEN, "the ledger", f"this is ledger {check.manifest.ledger}, not the one you trust")
            report = check.report(options.trust)
    except Refusal as refusal:
        return failed(options, refusal)
    except OSError as error:
        sys.stderr.write(f"{show(options.bundle)}: {show(error.strerror or error)}\n")
        return 2
    except (RecursionError, MemoryError):
        return failed(options, Refusal(MALFORMED, "the bundle", "it asks for more than this machine can give"))
    if options.integrity_only:
        report["exit"] = 0
    if options.json:
        sys.stdout.write(json.dumps(report, indent=1) + "\n")
    else:
        sys.stdout.write("\n".join(render(report, options.bundle.name)) + "\n")
    return int(report["exit"])


def failed(options: argparse.Namespace, refusal: Refusal) -> int:
    """Say where and why the bundle is refused."""
    words = {MALFORMED: "MALFORMED", BROKEN: "DOES NOT HOLD", TOO_NEW: "TOO NEW"}[refusal.code]
    where, what = show(refusal.where, 200), show(refusal.what, 300)
    if options.json:
        sys.stdout.write(json.dumps({"exit": refusal.code, "refused": {"where": where, "what": what}}, indent=1) + "\n")
    else:
        sys.stdout.write(f"{words}  {show(options.bundle.name)}\n  {where}\n  {what}\n")
    return refusal.code


if __name__ == "__main__":
    sys.exit(main())
