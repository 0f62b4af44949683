"""Canonical bytes: the one text of a value that is hashed, signed and compared (docs/format.md section 2).

Rules: keys ASCII and sorted, no white space, no floats, integers below 2^53, nesting at most 32. `json.dumps(value, sort_keys=True,
ensure_ascii=False, separators=(",", ":"))` writes the same bytes (a property test holds it to that), so a verifier needs no Carnet.
"""

from __future__ import annotations

import hashlib
from typing import TypeAlias

import msgspec

from carnet_store.errors import Invalid

Json: TypeAlias = "bool | int | str | list[Json] | dict[str, Json] | None"
"""A value as it may stand in a ledger: no floats."""

MAX_DEPTH = 32
MAX_INT = 2**53

_encode = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.Decoder().decode


def sha256_hex(data: bytes) -> str:
    """Return the SHA-256 of `data` as 64 lower-case hex characters."""
    return hashlib.sha256(data).hexdigest()


def encode(value: object) -> bytes:
    """Return the canonical bytes of `value`.

    Raises:
        Invalid: a float, a key that is not ASCII text, an integer of 2^53 or more, a lone surrogate, or nesting above 32.

    """
    _check(value, 0)
    try:
        return _encode(value)
    except (UnicodeEncodeError, msgspec.MsgspecError) as error:
        raise Invalid(f"a value cannot be written as canonical JSON: {error}") from None


def decode(raw: bytes) -> Json:
    """Return the value whose canonical text `raw` is.

    Raises:
        Invalid: `raw` is not JSON, or not in canonical form.

    """
    try:
        value = _decode(raw)
        _check(value, 0)
        again = _encode(value)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Invalid(f"not canonical JSON: {error}") from None
    if again != raw:
        raise Invalid("not canonical JSON: it differs from its own re-encoding")
    return value  # type: ignore[no-any-return]


def commitment(salt: str, raw: bytes) -> str:
    """Return the salted commitment (64 hex) to the canonical bytes `raw`; `salt` is 32 hex characters."""
    return hashlib.sha256(bytes.fromhex(salt) + raw).hexdigest()


def _check(value: object, depth: int) -> None:
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return
    if kind is int:
        if not -MAX_INT < value < MAX_INT:  # type: ignore[operator]
            raise Invalid("an integer of 2^53 or more cannot stand in a ledger; write it as text")
        return
    if depth >= MAX_DEPTH:
        raise Invalid(f"nested deeper than {MAX_DEPTH}")
    if kind is dict:
        for key, inner in value.items():  # type: ignore[attr-defined]
            if type(key) is not str or not key.isascii():
                raise Invalid(f"a key must be ASCII text, not {key!r:.60}")
            _check(inner, depth + 1)
    elif kind is list or kind is tuple:
        for inner in value:  # type: ignore[attr-defined]
            _check(inner, depth + 1)
    else:
        raise Invalid(f"a {kind.__name__} cannot stand in a ledger (numbers with a fraction are written as text)")
