"""Furniture and inbox as pure lines; the first frame's imports and manners."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carnet_tui import first_frame, frame_text
from carnet_tui.frame_text import Chrome, Inbox
from carnet_tui.glyphs import Glyphs
from carnet_tui.rows import HeadRow, InboxRow, columns, inbox_line, with_heads
from carnet_tui.text import clean, line_width

ANY = st.text(st.characters(exclude_categories=()), max_size=30).map(clean)
ROWS = st.builds(
    InboxRow,
    state=st.sampled_from(["conflict", "stale", "sign", "done", "frozen"]),
    subject=ANY,
    what=ANY,
    gate=ANY,
    checks=ANY,
    age=ANY,
    section=st.sampled_from(["needs", "waiting", "recent"]),
    key=ANY,
)
CHROMES = st.builds(
    Chrome,
    crumb=ANY,
    who=ANY,
    trust=st.sampled_from(["", "verified", "unverified"]),
    place=st.sampled_from(["inbox", "exchange", "nowhere"]),
    status=ANY,
    demo=ANY,
    steps=st.lists(st.tuples(ANY, st.sampled_from(["done", "ready", "open"])), max_size=5),
)
HINTS = st.lists(st.tuples(st.sampled_from(["⏎", "a", "esc"]), ANY, ANY), max_size=12)


@given(st.lists(ROWS, max_size=12), CHROMES, HINTS, st.integers(1, 200), st.integers(1, 60), st.booleans())
def test_every_line_of_a_frame_fills_the_screen(
    rows: list[InboxRow], chrome: Chrome, hints: list[tuple[str, str, str]], cells: int, lines: int, plain: bool
) -> None:
    """Any texts, any size, both sets of signs: each line has exactly the cells of the screen."""
    glyphs = Glyphs(plain)
    inbox = Inbox(with_heads(rows), title="a", summary="b", detail=[[("x" * 300, "")]], hints=hints)
    drawn, cursor = frame_text.inbox_frame(chrome, inbox, cells, lines, glyphs)
    assert {line_width(line) for line in drawn} == {cells}
    assert 0 <= cursor < len(drawn)
    if lines >= 3:
        assert len(drawn) == lines


@pytest.mark.parametrize(("cells", "lines", "content"), [(80, 24, 18), (120, 40, 34), (160, 48, 42), (40, 12, 10)])
def test_content_keeps_its_lines(cells: int, lines: int, content: int) -> None:
    """80x24 keeps at least 18 lines for content."""
    assert frame_text.content_lines(cells, lines) == content


@given(ROWS, st.integers(20, 200), st.booleans())
def test_rows_fill_their_cells(row: InboxRow, cells: int, plain: bool) -> None:
    """A row takes what it is given, whatever its texts."""
    assert line_width(inbox_line(row, cells, Glyphs(plain))) == cells
    assert line_width(inbox_line(HeadRow("needs", first=True), cells, Glyphs(plain))) == cells


def test_reason_keeps_room() -> None:
    """At any width from 40 the reason has at least 14 cells, and the columns never need more than there is."""
    for cells in range(39, 119):
        subject, what, gate, checks, age = columns(cells)
        assert what >= 14, cells
        assert min(subject, age) > 0
        assert (gate == 0) == (checks == 0)


def test_sections_have_heads_in_order() -> None:
    """Rows are grouped; an empty section has no head; the topmost names the columns."""

    def row(section: str, key: str) -> InboxRow:
        return InboxRow(state="sign", subject=key, what="", gate="", checks="", age="", section=section, key=key)

    listed = with_heads([row("recent", "a"), row("needs", "b"), row("recent", "c")])
    assert listed == [
        HeadRow("needs", first=True), row("needs", "b"), HeadRow("recent"), row("recent", "a"), row("recent", "c"),
    ]  # fmt: skip


def text(line: list[tuple[str, str]]) -> str:
    return "".join(piece for piece, _ in line)


def test_footer_cuts_whole_keys_and_keeps_help() -> None:
    """What does not fit is left out whole; help stays; a blocked key says why while there is room."""
    glyphs = Glyphs(False)
    hints = [("⏎", "open", ""), ("s", "sign", "2 conflicts"), ("r", "review", ""), ("?", "help", "")]
    assert text(frame_text.footer(hints, 60, glyphs)).rstrip() == " ⏎ open  s sign [2 conflicts]  r review  ? help"
    assert text(frame_text.footer(hints, 40, glyphs)).rstrip() == " ⏎ open  s sign [2 conflicts]  ? help"
    assert text(frame_text.footer(hints, 30, glyphs)).rstrip() == " ⏎ open  r review  ? help"
    assert text(frame_text.footer(hints, 80, glyphs, most=3)).rstrip() == " ⏎ open  s sign [2 conflicts]  ? help"
    assert text(frame_text.footer(hints, 60, Glyphs(True))).startswith(" enter open")


def test_demo_line_keeps_the_strip() -> None:
    """DEMO, as whom, on which day; the five steps with words, with the current word, by width."""
    steps = [("conflict", "done"), ("review", "ready"), ("sign", "open"), ("send", "open"), ("verify", "open")]
    chrome = Chrome(demo="ana@research, 14 Nov 2026", steps=steps)
    wide, narrow = (text(frame_text.lower_rule(chrome, cells, Glyphs(False))) for cells in (120, 80))
    assert " DEMO  ana@research, 14 Nov 2026 " in wide and "✓ conflict ◆ review · sign · send · verify" in wide
    assert " DEMO  ana@research, 14 Nov 2026 " in narrow and "✓ ◆ review · · · ──" in narrow
    assert "DEMO" not in text(frame_text.lower_rule(Chrome(), 80, Glyphs(False)))


def test_a_long_crumb_does_not_touch_the_name_beside_it() -> None:
    """Where one is is cut; two blanks stand before who one is."""
    chrome = Chrome(crumb="churn / " + "x" * 210, who="Ana@research")
    for cells in (40, 80, 160):
        assert text(frame_text.header(chrome, cells, Glyphs(False))).endswith("x…  Ana@research ")


def test_tabs_shrink_to_digits() -> None:
    """Where the titles find no room the current place keeps its own."""
    assert text(frame_text.tabs("models", 62, Glyphs(False))).rstrip() == " 1  2 Models  3  4  5  6"


@pytest.mark.parametrize("module", ["first_frame", "frame_text", "rows", "glyphs", "text"])
def test_first_frame_imports_no_toolkit(module: str) -> None:
    """Nothing heavy stands between a person and the first row."""
    code = f"import sys, carnet_tui.{module}; print(*sorted(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    # site-packages may load some of these at start-up; what counts is what the module adds.
    before = subprocess.run(
        [sys.executable, "-c", "import sys, carnet_tui; print(*sorted(sys.modules))"],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    added = set(out) - set(before)
    heavy = {
        "textual",
        "rich",
        "dataclasses",
        "typing",
        "inspect",
        "asyncio",
        "yaml",
        "sqlite_utils",
        "re",
        "signal",
        "enum",
    }
    assert added & heavy == set()


def test_kit_loads_no_heavy_widget() -> None:
    """Long texts and their highlighter are loaded when somebody writes one, not at the start."""
    code = (
        "import sys, carnet_tui.base, carnet_tui.widgets.dialogs, carnet_tui.widgets.help, carnet_tui.widgets.palette;"
        "print(*sorted(sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    roots = {name.partition(".")[0] for name in out}
    assert roots & {"pygments", "markdown_it", "tree_sitter", "sqlite_utils", "yaml"} == set()
    assert "textual.widgets._text_area" not in out


def test_without_a_terminal_nothing_is_painted(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No tty, or a dumb one: no first frame, no byte written."""
    import os

    reader, writer = os.pipe()
    try:
        monkeypatch.setenv("TERM", "xterm")
        assert first_frame.show(Chrome(), Inbox([]), Glyphs(False), keyboard=reader, screen=writer) is None
        monkeypatch.setenv("TERM", "dumb")
        assert first_frame.show(Chrome(), Inbox([]), Glyphs(False)) is None
    finally:
        os.close(reader)
        os.close(writer)
    assert capfd.readouterr() == ("", "")


SIZES = [(40, 12), (80, 24), (120, 40), (160, 48)]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_golden_first_frame(kit: object, golden: Callable[[str, str], None], size: tuple[int, int]) -> None:
    """The inbox at four sizes, as text."""
    cells, lines = size
    rows = kit.rows(30, False)  # type: ignore[attr-defined]
    facts = kit.chrome_facts(kit.parse(["--demo"]))  # type: ignore[attr-defined]
    inbox = Inbox(rows, title="owner:me status:open", summary="7 of 41 need you", detail=kit.detail(rows[1]))  # type: ignore[attr-defined]
    drawn, _ = frame_text.inbox_frame(Chrome(**facts), inbox, cells, lines, Glyphs(False))
    golden(f"first_frame_{cells}x{lines}", "\n".join(text(line).rstrip() for line in drawn) + "\n")
