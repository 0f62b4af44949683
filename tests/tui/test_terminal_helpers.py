"""The line filters, the clipboard and the editor, each by itself."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.segment import ControlType, Segment
from rich.style import Style
from textual.color import Color

from carnet_tui import terminal, theme
from carnet_tui.glyphs import STYLES

BLACK = Color(0, 0, 0)


@given(st.lists(st.text(st.characters(exclude_categories=()), max_size=20), max_size=5))
def test_filter_lets_nothing_through_that_steers(texts: list[str]) -> None:
    """Any text on its way to the terminal: no control character, no direction mark, no zero width."""
    out = theme.Sanitize().apply([Segment(text) for text in texts], BLACK)
    for segment in out:
        for char in segment.text:
            code = ord(char)
            assert code >= 32 and not 127 <= code < 160
            assert not (0x200B <= code <= 0x200F or 0x2028 <= code <= 0x202E or 0x2060 <= code <= 0x206F)
            assert not 0xD800 <= code < 0xE000


def test_filter_leaves_the_toolkits_own_controls() -> None:
    """Control segments are the toolkit's; harmless lines are passed on as they are."""
    own = Segment("\x1b[H", None, [(ControlType.HOME,)])
    assert theme.Sanitize().apply([own, Segment("a\x1b")], BLACK) == [own, Segment("a�")]
    line = [Segment("plain", Style(bold=True))]
    assert theme.Sanitize().apply(line, BLACK) is line


def test_no_colour_keeps_attributes() -> None:
    """Every style without its colours."""
    for name in STYLES:
        style = theme.terminal_style(name)
        [segment] = theme.NoColour().apply([Segment("x", style)], BLACK)
        assert segment.style is not None
        assert segment.style.color is None and segment.style.bgcolor is None
        assert (segment.style.bold, segment.style.reverse) == (style.bold, style.reverse)


class Sleeper:
    """As much of an app as editor and clipboard need."""

    def __init__(self) -> None:
        self.copied = ""
        self.slept = 0

    def copy_to_clipboard(self, text: str) -> None:
        self.copied = text

    @contextmanager
    def suspend(self) -> Any:
        self.slept += 1
        yield


def program(path: Path, code: str) -> Path:
    path.write_text(f"#!{sys.executable}\n{code}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_copy_uses_the_terminal_and_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OSC 52 always; xclip only in an X session; a program that fails is not named."""
    got = tmp_path / "got"
    program(tmp_path / "xclip", f"import sys, pathlib; pathlib.Path({str(got)!r}).write_text(sys.stdin.read())")
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    app: Any = Sleeper()
    assert terminal.copy(app, "one") == "the terminal"
    assert app.copied == "one" and not got.exists()
    monkeypatch.setenv("DISPLAY", ":0")
    assert terminal.copy(app, "two") == "the terminal and xclip"
    assert got.read_text() == "two"
    program(tmp_path / "xclip", "raise SystemExit(1)")
    assert terminal.copy(app, "three") == "the terminal"


def test_editor_is_the_persons(monkeypatch: pytest.MonkeyPatch) -> None:
    """`$VISUAL`, then `$EDITOR`, with their arguments."""
    assert terminal.editor_command({"VISUAL": "code -w", "EDITOR": "vi"}) == ["code", "-w"]
    assert terminal.editor_command({"VISUAL": "", "EDITOR": "vi"}) == ["vi"]
    assert len(terminal.editor_command({})) == 1


@pytest.mark.parametrize(
    ("code", "text", "problem"),
    [
        ("import sys, pathlib; pathlib.Path(sys.argv[1]).write_text('new')", "new", ""),
        ("import sys, pathlib; pathlib.Path(sys.argv[1]).write_text('x'); raise SystemExit(3)", "old", "code 3"),
        ("import sys, pathlib; pathlib.Path(sys.argv[1]).write_bytes(b'\\xff')", "old", "not UTF-8"),
    ],
)
def test_editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, text: str, problem: str) -> None:
    """What it wrote comes back; when it fails the text is as it was, and one is told."""
    monkeypatch.setenv("VISUAL", str(program(tmp_path / "editor", code)))
    app: Any = Sleeper()
    made, said = terminal.edit(app, "old")
    assert made == text and problem in said and bool(said) == bool(problem)
    assert app.slept == 1


def test_editor_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is no program: said, nothing lost."""
    monkeypatch.setenv("VISUAL", os.devnull + "/no-editor")
    app: Any = Sleeper()
    made, said = terminal.edit(app, "old")
    assert made == "old" and "could not be started" in said
