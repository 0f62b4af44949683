"""Answers of every type as lines: cleaned, told row by row where a table finds no room, nothing invented."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carnet_store.domain.template import Column, Item, Option
from carnet_tui.text import width
from carnet_tui.views.item_view import Names, block, size_words, told_lines, value_lines

NAMES = Names(lambda person: f"person {person}", lambda entity: f"<{entity}>")
RUN = "run:" + "0" * 32


def item(type_: Any, **more: Any) -> Item:
    return Item(
        id="x.y", type=type_, title="t", pack="p", section="s", severity="blocker", answers="a", verifies="b", help="",
        why="", source=(), req=(), **more,
    )  # fmt: skip


TABLE = item(
    "table", columns=(Column("what", "text", "What"), Column("limit", "number", "Limit"), Column("due", "date", "Due"))
)


@pytest.mark.parametrize(
    ("one", "value", "expected"),
    [
        (item("confirm"), {"state": "yes"}, ["yes"]),
        (item("confirm"), {"state": "na", "reason": "no \x1b data"}, ["not applicable: no ␛ data"]),
        (item("text"), {"state": "given", "text": "a\nb\x07"}, ["a", "b␇"]),
        (item("choice", options=(Option("daily", "each night"),)), {"state": "given", "choice": ["daily"]}, ["daily: each night"]),
        (item("number"), {"state": "given", "metric": {"entity": RUN, "name": "auc", "value": "0.84", "unit": ""}},
         [f"0.84  auc of <{RUN}>"]),
        (item("number"), {"state": "given", "literal": {"value": "99", "unit": "ms"}}, ["99 ms  typed, no run behind it"]),
        (item("link"), {"state": "given", "links": [RUN]}, [f"<{RUN}>"]),
        (item("file"), {"state": "given", "files": [{"path": "uv.lock", "sha256": "ab" * 32, "size": 2048}]},
         ["uv.lock  2.0 KiB  sha256 abab abab"]),
        (item("command"), {"state": "given", "result": {"command": "make", "exit_code": 2, "output": {"sha256": "cd" * 32, "size": 3}}},
         ["$ make", "exit code 2, output 3 B  sha256 cdcd cdcd"]),
        (TABLE, {"state": "given", "rows": [{"what": "up", "limit": "99.5"}]}, ["What  Limit", "up    99.5"]),
        (item("confirm"), {"state": "unknown", "note": "ask Tom"}, ["unknown: ask Tom"]),
        (item("text"), {"state": "from a newer Carnet"}, ["an answer of a form this Carnet does not know"]),
        (item("confirm"), {"state": "yes", "links": [RUN], "urls": ["https://e.org"], "note": "n"},
         ["yes", f"linked: <{RUN}>", "address: https://e.org", "note: n"]),
    ],
)  # fmt: skip
def test_every_type(one: Item, value: dict[str, Any], expected: list[str]) -> None:
    """What was given, in words, and nothing else."""
    assert value_lines(one, value, NAMES) == expected


def test_a_wide_table_is_told() -> None:
    """Where columns find no room each row is a sentence that names its cells."""
    rows = [{"what": "a" * 30, "limit": "5", "due": "2026-03-01"}]
    assert value_lines(TABLE, {"state": "given", "rows": rows}, NAMES, 20) == [
        "1. " + "a" * 30 + ": Limit 5; Due 2026-03-01"
    ]
    assert told_lines(TABLE, [{}], NAMES) == ["1."]


@given(st.text(max_size=80), st.integers(26, 120))
def test_blocks_keep_their_width(text: str, cells: int) -> None:
    """Whatever is said stays within its width."""
    from carnet_tui.text import clean

    for line in block("LABEL", [(clean(text), "")], cells):
        assert sum(width(part) for part, _ in line) <= cells + 1  # a wide sign at the very edge


def test_sizes() -> None:
    """Bytes as people read them; what is no size is nothing."""
    assert [size_words(n) for n in (0, 999, 2048, 5 * 1024**2, "x")] == ["0 B", "999 B", "2.0 KiB", "5.0 MiB", "0 B"]
