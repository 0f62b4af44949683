"""Text as cells: nothing steers, everything shown has a known width, cuts fall between characters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from carnet_tui.text import (
    age,
    both_ends,
    clean,
    clean_lines,
    cut,
    digest,
    fit,
    fit_line,
    line_width,
    pad,
    plural,
    width,
    wrap,
)

ANY = st.text(st.characters(exclude_categories=()), max_size=40)
"""Any text, lone surrogates too."""
LINES = st.lists(st.tuples(ANY.map(clean), st.just("")), max_size=5)


@given(ANY)
def test_cleaned_text_is_harmless_and_one_line(text: str) -> None:
    """C0, C1, DEL, direction marks, zero width, separators and surrogates are gone; cleaning again changes nothing."""
    shown = clean(text)
    assert shown.isprintable()
    assert not {"\u200d", "\ufe0f", "\u3164"} & set(shown)
    assert clean(shown) == shown
    shown.encode()  # no surrogate is left


@given(ANY)
def test_width_is_the_toolkits(text: str) -> None:
    """What we count is what the toolkit counts, for every text that we show."""
    shown = clean(text)
    assert width(shown) == cell_len(shown)


def test_every_single_character_is_counted_as_the_toolkit_does() -> None:
    """All of Unicode, one by one, after a letter (a mark needs one)."""
    for code in range(0x110000):
        shown = clean("a" + chr(code))
        assert width(shown) == cell_len(shown), hex(code)


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("a\x1b[31mb", "a␛[31mb"),
        ("a\x07\x00", "a␇␀"),
        ("a\x7f", "a␡"),
        ("a\x9b2J", "a�2J"),
        ("\u202eabc\u202c", "�abc�"),
        ("ad\u200bmin", "ad�min"),
        ("a\u2028b\nc", "a�b␊c"),
        ("a\udc80", "a�"),
        ("a\u00a0b\u3000c", "a b c"),
        ("x" + "\u0301" * 9, "x" + "\u0301" * 3 + "�" * 6),
        ("\u0301x", "�x"),
        ("plain é 価格", "plain é 価格"),
    ],
)
def test_what_becomes_of(hostile: str, shown: str) -> None:
    """Each kind of hostile character becomes a visible sign."""
    assert clean(hostile) == shown


@given(ANY.map(clean), st.integers(0, 30))
def test_cuts(text: str, cells: int) -> None:
    """`cut` and `fit` never exceed the room, `pad` fills it exactly."""
    assert text.startswith(cut(text, cells))
    assert width(cut(text, cells)) <= cells
    assert width(fit(text, cells)) <= cells
    assert width(fit(text, cells, "...")) <= cells
    assert width(pad(text, cells)) == cells
    assert width(pad(text, cells, ">")) == cells
    if width(text) <= cells:
        assert fit(text, cells) == text


@given(LINES, LINES, st.integers(0, 60))
def test_lines_fill_their_room(left: list[tuple[str, str]], right: list[tuple[str, str]], cells: int) -> None:
    """A styled line has exactly the cells it was given."""
    assert line_width(fit_line(left, cells)) == cells
    assert line_width(both_ends(left, right, cells)) == cells


@given(ANY.map(clean), st.integers(2, 30))
def test_wrapped_lines_fit_and_lose_nothing(text: str, cells: int) -> None:
    """Every line fits; what is written is all there."""
    lines = wrap(text, cells)
    assert all(width(line) <= cells for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_cut_text_says_so() -> None:
    """An ellipsis tells that something was cut off."""
    assert fit("churn-model", 8) == "churn-m…"
    assert fit("価格弾力性", 8) == "価格弾…"
    assert fit_line([("abc", "x"), ("defgh", "y")], 6) == [("abc", "x"), ("de…", "y")]
    assert fit_line([("abc", "x"), ("def", "y")], 3) == [("ab…", "x")]


NOW = datetime(2026, 11, 14, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ago", "words"),
    [
        (timedelta(seconds=20), "now"),
        (timedelta(minutes=5), "5min"),
        (timedelta(hours=2, minutes=59), "2h"),
        (timedelta(days=3), "3d"),
        (timedelta(days=800), "2y"),
        (-timedelta(seconds=30), "now"),
        (-timedelta(hours=1), "ahead"),
    ],
)
def test_ages(ago: timedelta, words: str) -> None:
    """Short ages; a clock that runs ahead is told, not hidden."""
    assert age(NOW - ago, NOW) == words


def test_small_words() -> None:
    """Digests in groups of four, numbers with their noun, lines of longer texts."""
    assert digest("sha256:7f3a91c20be744d0aabb") == "7f3a 91c2 0be7 44d0"
    assert digest("7f3a91", groups=1) == "7f3a"
    assert (plural(1, "item"), plural(0, "item"), plural(1204, "reply", "replies")) == (
        "1 item",
        "0 items",
        "1,204 replies",
    )
    assert clean_lines("a\tb\r\nc\rd\n") == ["a  b", "c␍d", ""]
