"""Canonical bytes: one text of a value, the same that the standard library writes (docs/format.md section 2)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carnet_store.core import canonical
from carnet_store.errors import Invalid

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
KEYS = st.text(st.characters(max_codepoint=127))
LEAVES = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=30)


@given(VALUES)
def test_bytes_are_those_of_the_standard_library_and_come_back(value: Any) -> None:
    """A verifier needs no Carnet."""
    raw = canonical.encode(value)
    assert raw == json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    assert canonical.decode(raw) == value


@given(st.characters(max_codepoint=0x2FFF, exclude_categories=["Cs"]))
def test_every_character_is_escaped_as_the_format_says(char: str) -> None:
    raw = canonical.encode(char)
    short = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    want = short.get(char, f"\\u{ord(char):04x}" if char < " " else char)
    assert raw == f'"{want}"'.encode()


@given(VALUES, st.data())
def test_another_spelling_is_refused(value: Any, data: st.DataObject) -> None:
    """White space, another order, another escape: only one text of a value is accepted."""
    raw = canonical.encode(value)
    at = data.draw(st.integers(0, len(raw)))
    spaced = raw[:at] + b" " + raw[at:]
    try:
        again = canonical.decode(spaced)
    except Invalid:
        return
    assert canonical.encode(again) == spaced  # the space fell inside a text


@pytest.mark.parametrize(
    "raw",
    [
        b'{"b":1,"a":2}', b'{"a":1,"a":1}', b"1.0", b"1e3", b"-0", b"NaN", b"Infinity", b"9007199254740992", b"01", b"+1",
        b'"\\u0041"', b'"\\/"', b'"\\u001F"', b'"\\ud800"', b"\xef\xbb\xbf1", b"[1,]", b"1 ", b" 1", b"", b"[", b'"\xff"',
        b"{'a':1}", b'{"\xc3\xa4":1}', b"[" * 33 + b"]" * 33, b"[" * 100_000, b"18446744073709551616", b"null\n", b"truex",
    ],
)  # fmt: skip
def test_what_is_not_canonical_is_refused(raw: bytes) -> None:
    with pytest.raises(Invalid):
        canonical.decode(raw)


@pytest.mark.parametrize(
    "value", [1.5, float("nan"), {1: 2}, {"ä": 1}, 2**53, -(2**53), "\ud800", b"x", {1, 2}, object()]
)
def test_what_cannot_be_written_is_refused(value: object) -> None:
    with pytest.raises(Invalid):
        canonical.encode(value)


def test_depth_is_limited_on_both_sides() -> None:
    deep: Any = 1
    for _ in range(32):
        deep = [deep]
    assert canonical.decode(canonical.encode(deep)) == deep
    with pytest.raises(Invalid, match="deeper"):
        canonical.encode([deep])


def test_commitment_is_of_salt_and_bytes() -> None:
    assert canonical.commitment("00" * 16, b"1") == canonical.sha256_hex(b"\0" * 16 + b"1")
    assert canonical.commitment("00" * 16, b"1") != canonical.commitment("01" * 16, b"1")
