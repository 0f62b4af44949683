"""Events: what is built is read back; what the format does not allow is refused, and by no traceback."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carnet_store.core import canonical
from carnet_store.core import event as events
from carnet_store.core.event import Draft, Event
from carnet_store.core.keys import Signer, verify
from carnet_store.errors import Invalid, TooNew

SIGNER = Signer(b"\x07" * 32)
LEDGER = "a" * 64
ENTITY = "dataset:" + "0" * 32
DRAFT = Draft(ENTITY, "comment.added", "field", {"text": "hello"}, "1" * 32)


def build(*drafts: Draft, **changed: Any) -> Event:
    given = {"seq": 1, "prev": "b" * 64, "t": 1000, "see": {}, "sign": SIGNER.sign, **changed}
    return events.build(drafts=drafts or (DRAFT,), **given)


def test_built_event_is_read_back() -> None:
    event = build(see={"c" * 64: "5:" + "d" * 64})
    again = events.parse(event.line)
    assert again == event
    assert verify(SIGNER.public, event.signature_bytes, event.signed_bytes)
    assert event.id == canonical.sha256_hex(event.header_bytes)
    assert event.values[0] is not None and event.values[0].commitment == event.shapes[0].commitment
    assert (event.change_id(0), event.change_id(3)) == (event.id, f"{event.id}.3")
    assert json.loads(event.line)[1]["see"] == {"c" * 64: "5:" + "d" * 64}


def test_see_is_left_out_when_empty_and_sorted_otherwise() -> None:
    assert b'"see"' not in build().header_bytes
    event = build(see={"c" * 64: "5:" + "d" * 64, "b" * 64: "0:" + "d" * 64})
    assert list(event.header.see) == ["b" * 64, "c" * 64]


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=60), st.integers(0, 2**53 - 1), st.integers(0, 2**32 - 1)
)
def test_any_value_and_place_comes_back(text: str, t: int, seq: int) -> None:
    event = build(Draft(ENTITY, "comment.added", "", {"text": text}, "2" * 32), t=t, seq=seq)
    value = event.values[0]
    assert value is not None and json.loads(value.raw) == {"text": text}
    assert (event.header.t, event.header.seq) == (t, seq)


def test_erased_value_leaves_the_same_event() -> None:
    event = build(DRAFT, DRAFT)
    short = events.parse(events.without_values(event, {0}))
    assert short.id == event.id
    assert short.values == (None, event.values[1])
    assert events.with_values(short, event.values, set()) == event.line


def relined(event: Event, **parts: bytes) -> bytes:
    """Return the event's line with some of its four parts exchanged, nothing signed anew."""
    found = json.loads(event.line)
    text = {name: json.dumps(found[n], separators=(",", ":"), ensure_ascii=False).encode() for n, name in enumerate(
        ("signature", "header", "shape", "values"))} | parts  # fmt: skip
    return b"[%b,%b,%b,%b]" % tuple(text[n] for n in ("signature", "header", "shape", "values"))


def test_spare_bits_of_the_signatures_base64_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """THREATS 43: one text of a signature; without the rule two lines of one event would differ."""
    event = build()
    assert event.signature.endswith("==")
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    spare = letters[letters.index(event.signature[-3]) ^ 1]
    other = event.signature[:-3] + spare + "=="
    assert base64.b64decode(other) == event.signature_bytes
    bad = relined(event, signature=f'"{other}"'.encode())
    with pytest.raises(Invalid, match="canonical base64"):
        events.parse(bad)
    monkeypatch.setattr(events, "_canonical_base64", lambda text, length: True)
    assert events.parse(bad).id == event.id


@pytest.mark.parametrize(
    "signature", ['""', '"AA=="', '"' + "A" * 88 + '"', '"\\u0041' + "A" * 85 + '=="', "7", "null"]
)
def test_other_signature_texts_are_refused(signature: str) -> None:
    with pytest.raises(Invalid):
        events.parse(relined(build(), signature=signature.encode()))


@pytest.mark.parametrize(
    "change",
    [
        {"seq": -1}, {"seq": 2**32}, {"t": -1}, {"t": 2**53}, {"n": 0}, {"n": 2}, {"size": 0}, {"shape": "0" * 64},
        {"prev": "B" * 64}, {"prev": ""}, {"see": {"x": "0:" + "d" * 64}}, {"see": {"c" * 64: "00:" + "d" * 64}},
        {"see": {"c" * 64: "1_0:" + "d" * 64}}, {"see": {}}, {"more": 1}, {"seq": True}, {"t": "1"},
        {"see": {f"{n:064x}": "0:" + "d" * 64 for n in range(1025)}},
    ],
)  # fmt: skip
def test_headers_that_the_format_does_not_allow(change: dict[str, Any]) -> None:
    event = build()
    header = json.loads(event.header_bytes) | change
    with pytest.raises(Invalid):
        events.parse(relined(event, header=json.dumps(header, separators=(",", ":")).encode()))


def test_header_with_its_fields_in_another_order_is_refused() -> None:
    event = build()
    header = dict(reversed(json.loads(event.header_bytes).items()))
    with pytest.raises(Invalid):
        events.parse(relined(event, header=json.dumps(header, separators=(",", ":")).encode()))


@pytest.mark.parametrize("header", [b'{"v":2,"anything":[1]}', b'{"v":0}'])
def test_unknown_version_is_too_new_whatever_else_it_holds(header: bytes) -> None:
    with pytest.raises(TooNew):
        events.parse(relined(build(), header=header))


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (0, "Dataset:" + "0" * 32), (0, "dataset:" + "0" * 31), (0, "dataset:" + "0" * 32 + "\n"), (0, "person:Ana"),
        (1, "comment"), (1, "comment.added!!"), (1, "a." + "b" * 64), (1, "Comment.added"),
        (2, "a b"), (2, "x" * 129), (2, "ä"),
        (3, ["x"]), (3, ["e" * 64 + ".0"]), (3, ["f" * 64, "e" * 64]), (3, ["e" * 64, "e" * 64]), (3, ["e" * 64 + ".1000"]),
        (3, [f"{n:064x}" for n in range(257)]), (4, "0" * 63),
    ],
)  # fmt: skip
def test_shapes_that_the_format_does_not_allow(place: int, text: Any) -> None:
    """Signed by the right key and hashed rightly, and still refused."""
    event = build()
    shape = json.loads(relined(event))[2]
    shape[0][place] = text
    raw = json.dumps(shape, separators=(",", ":"), ensure_ascii=False).encode()
    header = json.loads(event.header_bytes) | {"size": len(raw), "shape": canonical.sha256_hex(raw)}
    line = relined(event, header=json.dumps(header, separators=(",", ":")).encode(), shape=raw)
    with pytest.raises(Invalid):
        events.parse(line)


@pytest.mark.parametrize(
    "values",
    [
        b"[]", b"[null,null]", b'[["' + b"1" * 32 + b'",{"text":"hullo"}]]', b'[["' + b"2" * 32 + b'",{"text":"hello"}]]',
        b'[["1",1]]', b'[["' + b"1" * 32 + b'",{"text": "hello"}]]', b"[7]", b"null",
    ],
)  # fmt: skip
def test_values_that_are_not_those_committed_to(values: bytes) -> None:
    with pytest.raises(Invalid):
        events.parse(relined(build(), values=values))


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"{}", b"null", b"[1,2,3,4]", b"\xff", b"[" * 5000, b" " * 10, b'["",{},[],[],[]]']
)
def test_what_is_no_event_at_all(raw: bytes) -> None:
    with pytest.raises((Invalid, TooNew)):
        events.parse(raw)


@given(st.binary(max_size=300))
def test_no_bytes_make_anything_but_a_refusal(raw: bytes) -> None:
    with pytest.raises((Invalid, TooNew)):
        events.parse(raw)


@given(st.data())
def test_altered_line_is_refused_or_the_same_event(data: st.DataObject) -> None:
    event = build(DRAFT, DRAFT)
    line = bytearray(event.line)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(line) - 1))
        line[at] = data.draw(st.integers(0, 255))
    try:
        found = events.parse(bytes(line))
    except (Invalid, TooNew):
        return
    if bytes(line) != event.line:
        assert not verify(SIGNER.public, found.signature_bytes, found.signed_bytes)


def test_limits_of_a_line() -> None:
    thousand = [Draft(ENTITY, "comment.added", "", {"text": str(n)}, f"{n:032x}") for n in range(1000)]
    assert len(build(*thousand).shapes) == 1000
    with pytest.raises(Invalid):
        build(*thousand, DRAFT)
    with pytest.raises(Invalid, match="bytes"):
        build(Draft(ENTITY, "comment.added", "", {"text": "x" * (1 << 20)}, "1" * 32))


def test_entities_are_named_by_who_made_them_or_where_they_come_from() -> None:
    one, other = events.birth_entity("run", "a" * 64, "b" * 64), events.birth_entity("run", "c" * 64, "b" * 64)
    assert one != other
    assert events.source_entity("run", "mlflow", "1") == events.source_entity("run", "mlflow", "1")
    assert events.source_entity("run", "a", "bc") != events.source_entity("run", "ab", "c")


@pytest.mark.parametrize(
    "place",
    ["", "1", "1:", ":" + "a" * 64, "01:" + "a" * 64, "-1:" + "a" * 64, "1:" + "A" * 64, "1:" + "a" * 64 + "\n"],
)
def test_places_have_one_spelling(place: str) -> None:
    assert events.parse_place("17:" + "a" * 64) == (17, "a" * 64)
    with pytest.raises(Invalid):
        events.parse_place(place)
