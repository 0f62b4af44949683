"""What still waits, in words: for whom, for what, in which order; and items in a narrow pane beside others."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from carnet_tui.glyphs import Glyphs
from carnet_tui.text import line_width
from carnet_tui.views import handoff_view
from carnet_tui.views.handoff_view import Row
from carnet_tui.views.sign_view import still_waits

HOLDERS = {
    "maker": ["ana"],
    "checker": ["tom", "ana"],
    "owner": ["grace", "bea"],
    "many": ["a", "b", "c"],
    "nobody": [],
}


def one(item: str, state: str, turn: str, author: str = "ana", severity: str = "blocker", **value: str) -> Any:
    answer = SimpleNamespace(person=author) if state in ("answered", "unconfirmed") else None
    return SimpleNamespace(
        item=SimpleNamespace(id=item, severity=severity, answers=turn, machine=False), state=state, turn=turn,
        answer=answer, value=value, settled=state == "ok",
    )  # fmt: skip


def said(*items: Any, covers: str = "abcdefgh", me: str = "me") -> str:
    look: Any = SimpleNamespace(status=SimpleNamespace(items=items))
    return still_waits(look, set(covers), me, str.capitalize, lambda role: HOLDERS[role])


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([one("a", "ok", "")], ""),
        ([one("a", "open", "maker", severity="minor")], ""),
        ([one("z", "open", "maker")], ""),
        ([one("a", "answered", "checker")], "1 item waits for Tom to verify; a signature now would turn stale when it is verified"),
        ([one("a", "answered", "checker"), one("b", "answered", "checker")],
         "2 items wait for Tom to verify; a signature now would turn stale when they are verified"),
        ([one("a", "open", "owner"), one("b", "answered", "checker")],
         "1 item waits for Tom to verify, 1 for Grace or Bea to answer; a signature now would turn stale when that is done"),
        ([one("a", "unconfirmed", "maker", spoken_by="grace")],
         "1 item waits for Grace to confirm; a signature now would turn stale when that is done"),
        ([one("a", "conflict", "many")], "1 item waits for the many to settle; a signature now would turn stale when that is done"),
        ([one("a", "open", "nobody")], "1 item waits for the nobody to answer; a signature now would turn stale when that is done"),
    ],
)  # fmt: skip
def test_what_waits(items: list[Any], expected: str) -> None:
    """Who acts next is named, an answer's author never as its verifier; what keeps no gate shut is left out."""
    assert said(*items) == expected


def test_oneself_is_you_and_many_are_counted() -> None:
    """I am `you`; after three groups the rest is a number."""
    items = [one("a", "answered", "checker", author="tom"), one("b", "open", "owner"), one("c", "open", "many"),
             one("d", "open", "nobody"), one("e", "disagreed", "maker")]  # fmt: skip
    text = said(*items, me="ana")
    assert text.startswith("1 item waits for you to verify, ") and ", 2 for others; " in text


@pytest.mark.parametrize("cells", [24, 40, 47, 48, 60, 63, 64, 80, 140])
def test_a_row_is_as_wide_as_its_pane(cells: int) -> None:
    """From 48 cells on the title stands between name and turn; every row fills its pane, wide characters too."""
    row = Row(
        "item",
        "item:a.b",
        "·",
        "",
        "approach.evaluation",
        "価格弾力性データ and more words",
        "open",
        "you answer",
        "a.b",
    )
    line = handoff_view.row_line(row, cells, Glyphs(plain=False))
    text = "".join(part for part, _ in line)
    assert line_width(line) == cells
    assert ("価格" in text) == (cells >= 48)
    assert "answer" in text or cells < 30
