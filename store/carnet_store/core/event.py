"""An event: one signed line of one chain (docs/format.md section 4). The bytes that were signed are the bytes kept.

`parse` accepts exactly the lines that the format allows and nothing else; whether the signature holds and whether the event counts are the
caller's questions (`core.keys`, `domain.people`). `build` writes such a line.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from carnet_store.core import canonical
from carnet_store.core.canonical import sha256_hex
from carnet_store.errors import Invalid, TooNew

PAYLOAD_TYPE: Final = b"application/vnd.carnet.event+json"
MAX_LINE: Final = 1 << 20
MAX_CHANGES: Final = 1000
MAX_OVER: Final = 256
MAX_SEE: Final = 1024
MAX_SEQ: Final = 2**32 - 1

_HEX64 = re.compile(r"[0-9a-f]{64}\Z", re.ASCII)
_SALT = re.compile(r"[0-9a-f]{32}\Z", re.ASCII)
_ENTITY = re.compile(r"[a-z][a-z_]{0,31}:[0-9a-f]{32}\Z", re.ASCII)
_KIND = re.compile(r"(?=.{3,65}\Z)[a-z][a-z_]*\.[a-z][a-z_]*!?\Z", re.ASCII)
_FIELD = re.compile(r"[A-Za-z0-9_.:@/-]{0,128}\Z", re.ASCII)
_CHANGE_ID = re.compile(r"[0-9a-f]{64}(\.[1-9][0-9]{0,2})?\Z", re.ASCII)
_PLACE = re.compile(r"(0|[1-9][0-9]{0,9}):[0-9a-f]{64}\Z", re.ASCII)


class Header(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True, gc=False):
    """The signed part of a line; its fields in this order are the bytes."""

    v: int
    seq: int
    prev: str
    t: int
    n: int
    size: int
    shape: str
    see: dict[str, str] = {}


class _Version(msgspec.Struct):
    v: int


@dataclass(frozen=True, slots=True)
class Shape:
    """What one change is about, without its value: never erasable."""

    entity: str
    kind: str
    field: str
    over: tuple[str, ...]
    commitment: str


@dataclass(frozen=True, slots=True)
class Value:
    """One change's value: its salt (32 hex) and its canonical bytes."""

    salt: str
    raw: bytes

    @property
    def commitment(self) -> str:
        """The 64 hex to which a shape commits."""
        return canonical.commitment(self.salt, self.raw)


@dataclass(frozen=True, slots=True)
class Event:
    """A parsed line. `values[i]` is `None` where it was erased or withheld."""

    id: str
    header: Header
    header_bytes: bytes
    signature: str
    shapes: tuple[Shape, ...]
    values: tuple[Value | None, ...]
    line: bytes

    def change_id(self, index: int) -> str:
        """Return the id of change number `index`."""
        return self.id if index == 0 else f"{self.id}.{index}"

    @property
    def signed_bytes(self) -> bytes:
        """The DSSE pre-authentication encoding that the chain's key signed."""
        return signed_bytes(self.header_bytes)

    @property
    def signature_bytes(self) -> bytes:
        """The 64 raw bytes of the signature."""
        return binascii.a2b_base64(self.signature)


@dataclass(frozen=True, slots=True)
class Draft:
    """A change before it is written: `value` becomes canonical bytes, `salt` is 32 hex."""

    entity: str
    kind: str
    field: str
    value: object
    salt: str
    over: tuple[str, ...] = ()


_header_encode = msgspec.json.Encoder(order="deterministic").encode
_header_decode = msgspec.json.Decoder(Header).decode
_line_decode = msgspec.json.Decoder(tuple[str, msgspec.Raw, msgspec.Raw, msgspec.Raw]).decode
_shape_decode = msgspec.json.Decoder(list[tuple[str, str, str, list[str], str]]).decode
_values_decode = msgspec.json.Decoder(list[tuple[str, msgspec.Raw] | None]).decode
_encode = msgspec.json.Encoder().encode


def signed_bytes(header: bytes) -> bytes:
    """Return the DSSE pre-authentication encoding of a header's bytes."""
    return b"DSSEv1 %d %b %d %b" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE, len(header), header)


def birth_entity(kind: str, chain: str, commitment: str) -> str:
    """Return the id of the entity that a person declares in `chain` by a change with `commitment`."""
    return f"{kind}:{sha256_hex(f'carnet-entity/1 {kind} {chain} {commitment}'.encode())[:32]}"


def source_entity(kind: str, system: str, stable_id: str) -> str:
    """Return the id of the entity that `system` knows as `stable_id`; two imports of one thing meet on it."""
    return f"{kind}:{sha256_hex(canonical.encode(['carnet-entity/1', kind, system, stable_id]))[:32]}"


def parse_place(place: str) -> tuple[int, str]:
    """Split `seq:event id`.

    Raises:
        Invalid: it is not of that form.

    """
    if not _PLACE.match(place):
        raise Invalid(f"not a place in a chain: {place!r:.80}")
    seq, event = place.split(":")
    return int(seq), event


def build(
    *,
    seq: int,
    prev: str,
    t: int,
    see: dict[str, str],
    drafts: Sequence[Draft],
    sign: Callable[[bytes], bytes],
) -> Event:
    """Write and sign one event.

    Args:
        seq: its place in the chain.
        prev: event id of the event before, or the ledger id at seq 0.
        t: claimed time in ms since 1970.
        see: places of the other chains' heads that moved, at most 1,024.
        drafts: 1 to 1,000 changes.
        sign: the chain key's signature over the given bytes (64 bytes).

    Raises:
        Invalid: a limit of the format is broken.

    """
    values = [Value(draft.salt, canonical.encode(draft.value)) for draft in drafts]
    shapes = [
        [draft.entity, draft.kind, draft.field, sorted(set(draft.over)), value.commitment]
        for draft, value in zip(drafts, values, strict=True)
    ]
    shape_bytes = _encode(shapes)
    header_bytes = _header_encode(
        Header(1, seq, prev, t, len(drafts), len(shape_bytes), sha256_hex(shape_bytes), dict(sorted(see.items())))
    )
    signature = binascii.b2a_base64(sign(signed_bytes(header_bytes)), newline=False)
    value_bytes = b",".join(b'["%b",%b]' % (value.salt.encode(), value.raw) for value in values)
    return parse(b'["%b",%b,%b,[%b]]' % (signature, header_bytes, shape_bytes, value_bytes))


def without_values(event: Event, indexes: set[int]) -> bytes:
    """Return the event's line with the values at `indexes` erased; the same event, by its header."""
    return with_values(event, event.values, indexes)


def with_values(event: Event, values: Sequence[Value | None], erased: set[int]) -> bytes:
    """Return the event's line with these values, those at `erased` left out; the same event, by its header."""
    parts = [
        b"null" if value is None or index in erased else b'["%b",%b]' % (value.salt.encode(), value.raw)
        for index, value in enumerate(values)
    ]
    shape_bytes = _encode([[s.entity, s.kind, s.field, s.over, s.commitment] for s in event.shapes])
    return b'["%b",%b,%b,[%b]]' % (event.signature.encode(), event.header_bytes, shape_bytes, b",".join(parts))


def parse(line: bytes) -> Event:
    """Read one line, accepting exactly what the format allows. The signature is not checked here.

    Raises:
        Invalid: the line breaks a rule of the format; the message says which.
        TooNew: the header's `v` is not 1.

    """
    if len(line) > MAX_LINE:
        raise Invalid(f"a line of {len(line):,} bytes; at most {MAX_LINE:,} are allowed")
    try:
        signature, header_raw, shape_raw, values_raw = _line_decode(line)
        header_bytes, shape_bytes, value_bytes = bytes(header_raw), bytes(shape_raw), bytes(values_raw)
        if len(line) != len(signature) + len(header_bytes) + len(shape_bytes) + len(value_bytes) + 7:
            raise Invalid("white space or escapes where the format has none")
        header = _read_header(header_bytes)
        shapes = _read_shapes(shape_bytes, header)
        values = _read_values(value_bytes, shapes)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Invalid(f"not an event: {error}") from None
    if not _canonical_base64(signature, 64):
        raise Invalid("the signature is not 64 bytes in canonical base64")
    return Event(sha256_hex(header_bytes), header, header_bytes, signature, shapes, values, line)


def _canonical_base64(text: str, length: int) -> bool:
    try:
        raw = binascii.a2b_base64(text)
    except (binascii.Error, ValueError):
        return False
    return len(raw) == length and binascii.b2a_base64(raw, newline=False).decode() == text


def _read_header(raw: bytes) -> Header:
    try:
        header = _header_decode(raw)
    except msgspec.MsgspecError:
        version = msgspec.json.decode(raw, type=_Version).v
        if version != 1:
            raise TooNew(f"an event of format {version}", "install a newer Carnet to read it") from None
        raise
    if header.v != 1:
        raise TooNew(f"an event of format {header.v}", "install a newer Carnet to read it")
    if _header_encode(header) != raw:
        raise Invalid("the header differs from its own re-encoding")
    if not 0 <= header.seq <= MAX_SEQ or not 0 <= header.t < canonical.MAX_INT:
        raise Invalid("a place or a time out of range")
    if not _HEX64.match(header.prev) or not _HEX64.match(header.shape):
        raise Invalid("a digest that is not 64 hex characters")
    if len(header.see) > MAX_SEE:
        raise Invalid(f"an event that sees {len(header.see)} chains; at most {MAX_SEE} are allowed")
    for chain, place in header.see.items():
        if not _HEX64.match(chain) or not _PLACE.match(place):
            raise Invalid("a `see` that is not chain to place")
    return header


def _read_shapes(raw: bytes, header: Header) -> tuple[Shape, ...]:
    if len(raw) != header.size or sha256_hex(raw) != header.shape:
        raise Invalid("the shape is not the one that the header commits to")
    rows = _shape_decode(raw)
    if not 1 <= len(rows) <= MAX_CHANGES or len(rows) != header.n:
        raise Invalid(f"an event of {len(rows)} changes; 1 to {MAX_CHANGES} as declared are allowed")
    if _encode(rows) != raw:
        raise Invalid("the shape differs from its own re-encoding")
    for entity, kind, field, over, digest in rows:
        if not _ENTITY.match(entity) or not _KIND.match(kind) or not _FIELD.match(field) or not _HEX64.match(digest):
            raise Invalid(f"a change that is not of the format: {entity!r:.50} {kind!r:.50} {field!r:.50}")
        if over and (len(over) > MAX_OVER or not all(map(_CHANGE_ID.match, over)) or sorted(set(over)) != over):
            raise Invalid("an `over` that is not a sorted list of at most 256 change ids")
    return tuple(Shape(entity, kind, field, tuple(over), digest) for entity, kind, field, over, digest in rows)


def _read_values(raw: bytes, shapes: tuple[Shape, ...]) -> tuple[Value | None, ...]:
    rows = _values_decode(raw)
    if len(rows) != len(shapes):
        raise Invalid("the values are not as many as the changes")
    if _encode(rows) != raw:
        raise Invalid("the values differ from their own re-encoding")
    values: list[Value | None] = []
    for row, shape in zip(rows, shapes, strict=True):
        if row is None:
            values.append(None)
            continue
        if not _SALT.match(row[0]):
            raise Invalid("a salt that is not 32 hex characters")
        value = Value(row[0], bytes(row[1]))
        if value.commitment != shape.commitment:
            raise Invalid(f"the value of {shape.kind} is not the one that was committed to")
        canonical.decode(value.raw)
        values.append(value)
    return tuple(values)
