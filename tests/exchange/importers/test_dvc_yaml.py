"""YAML as DVC reads it: typed under version 1.2, bounded, without objects."""

from __future__ import annotations

import math

import pytest

from carnet_store.exchange.importers.dvc_yaml import DEEPEST, load, typed
from carnet_store.exchange.importers.files import Unreadable

# What ruamel.yaml 0.19.1 (the reader in DVC 3.67.1) makes of `k: <text>`.
AS_DVC = [
    ("1e-05", 1e-05), ("1e5", 100000.0), ("1E5", 100000.0), ("1.5e3", 1500.0), ("1.", 1.0), (".5", 0.5), ("-.5", -0.5), ("+.5", 0.5),
    ("+12", 12), ("-0", 0), ("017", 17), ("0o17", 15), ("0x1F", 31), ("0b101", 5), ("1_000", 1000), ("1_0.5", 10.5), ("_1", "_1"),
    ("1__0", 10), ("on", "on"), ("Off", "Off"), ("yes", "yes"), ("y", "y"), ("N", "N"), ("true", True), ("True", True), ("TRUE", True),
    ("tRue", "tRue"), ("false", False), ("~", None), ("null", None), ("Null", None), ("NULL", None), ("nULL", "nULL"), ("", None),
    (".inf", math.inf), ("-.inf", -math.inf), ("+.Inf", math.inf), ("-.nan", "-.nan"), ("1:30", "1:30"), ("0x", "0x"), ("0o8", "0o8"),
    ("08", 8), ("09.5", 9.5), ("1e", "1e"), ("e5", "e5"), ("1e+5", 100000.0), (".", "."), ("+", "+"), ("..5", "..5"), ("1.2.3", "1.2.3"),
    ("0.1e-3", 0.0001), (".e5", ".e5"), ("123456789012345678901234567890", 123456789012345678901234567890), ("-0x1f", -31), ("0o_7", 7),
    ("1e400", math.inf), ("-0.0", -0.0),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), AS_DVC)
def test_scalars_are_typed_as_dvc_types_them(text: str, value: object) -> None:
    """Each scalar has the value and the type that DVC's own reader gives it."""
    for found in (typed(text), load(f"k: {text}\n".encode(), "f")["k"]):
        assert (type(found), found) == (type(value), value)


def test_what_is_no_plain_scalar() -> None:
    """NaN is a number; quoted text, a date and the words of YAML 1.1 stay text; a date is text because DVC refuses it as a parameter."""
    assert math.isnan(typed(".NaN"))
    assert load(b"a: '1e-05'\nb: \"7\"\nc: 2026-01-02\nd: |\n  7\ne: =\n", "f") == {
        "a": "1e-05", "b": "7", "c": "2026-01-02", "d": "7\n", "e": "=",
    }  # fmt: skip
    assert typed("9" * 5_000) == "9" * 5_000
    assert load(b"a: !!str 7\nb: !!float 3\nc: !!map {x: !!seq [1]}\nd: ! 7\ne: ! '7'", "f") == {
        "a": "7",
        "b": 3.0,
        "c": {"x": [1]},
        "d": 7,
        "e": "7",
    }


def test_anchors_and_merges_are_read() -> None:
    """People share settings by anchors; what is written out wins over what is merged."""
    text = b"base: &b {lr: 0.1, seed: 7}\nother: &o {seed: 8}\nrun: {<<: *b, lr: 0.2}\ntwo: {<<: [*o, *b]}\n'<<': 1\n"
    assert load(text, "f") == {
        "base": {"lr": 0.1, "seed": 7}, "other": {"seed": 8}, "run": {"lr": 0.2, "seed": 7}, "two": {"lr": 0.1, "seed": 8}, "<<": 1,
    }  # fmt: skip
    assert load(b"", "f") is None
    assert load("﻿größe: ä\n".encode(), "f") == {"größe": "ä"}


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        (b"a: 1\nb: 2\na: 3", "f:3", "the key 'a' stands twice"),
        (b"a: {x: 1,\n x: 2}", "f:2", "the key 'x' stands twice"),
        (b"a: !!python/object/apply:os.system [id]", "f:1", "is not read"),
        (b"a: !custom 1", "f:1", "the tag '!custom' is not read"),
        (b"a: !!int x", "f:1", "is not read here"),
        (b"a: !!binary aGk=", "f:1", "is not read here"),
        (b"? [1]\n: 2", "f:1", "stands where a key belongs"),
        (b"a: &x 1\n*x : 2", "f:2", "stands where a key belongs"),
        (b"a: *x", "f:1", "the alias *x names nothing"),
        (b"a: &x [*x]", "f:1", "the alias *x names nothing"),
        (b"a: 1\n---\nb: 2", "f:2", "a second document begins"),
        (b"a: [1,", "f:1", "is not YAML"),
        (b"a: b: c", "f:1", "is not YAML"),
        (b"\ta: 1", "f:1", "is not YAML"),
        (b"a: 1\nb: \x07", "f:2", "a character that YAML does not allow"),
        (b"a: 1\nb: \xff", "f:2", "is not UTF-8"),
        (b"a: {<<: 7}", "f:1", "merges something that is no set of keys"),
        (b"[" * 200, "f:1", f"is nested deeper than {DEEPEST}"),
        (b"a:\n" + b"".join(b" " * n + b"- \n" for n in range(1, 100)), "f:65", "is nested deeper"),
    ],
)
def test_what_is_refused(text: bytes, place: str, words: str) -> None:
    """Each refusal names the line; nothing is guessed."""
    with pytest.raises(Unreadable) as refused:
        load(text, "f")
    assert (refused.value.where, words in refused.value.why) == (place, True), (refused.value.where, refused.value.why)


def test_aliases_do_not_explode() -> None:
    """Ten levels of ten aliases, a billion values unfolded, are refused before they are made; many honest aliases are read."""
    bomb = b"a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + b"".join(
        b"a%d: &a%d [%s]\n" % (n, n, b",".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 10)
    )
    with pytest.raises(Unreadable, match="unfold to more than anybody wrote"):
        load(bomb, "f")
    honest = b"base: &b {x: 1, y: 2}\n" + b"".join(b"k%d: *b\n" % n for n in range(10_000))
    assert len(load(honest, "f")) == 10_001


def test_a_large_file_is_read_and_a_larger_one_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten thousand keys are no trouble; the limit in bytes is said."""
    assert len(load(b"".join(b"k%d: {a: 1, b: [1, 2]}\n" % n for n in range(10_000)), "f")) == 10_000
    monkeypatch.setattr("carnet_store.exchange.importers.dvc_yaml.MOST", 10)
    with pytest.raises(Unreadable, match="larger than"):
        load(b"a: 12345678901", "f")


def test_lines_count_from_where_the_text_begins() -> None:
    """A part of a file names the file's own lines."""
    with pytest.raises(Unreadable) as refused:
        load(b"a: 1\na: 2\n", "f", before=40)
    assert refused.value.where == "f:42"
