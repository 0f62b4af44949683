"""The kit in a real terminal: what reaches it, what it is left like, what a person sees first."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Demo = Callable[..., Any]

DIALOGS = ("s", "r", "q", "c", "x", "!", "/", "E", "d", "?", ":", "y")


@pytest.mark.parametrize("key", DIALOGS)
def test_hostile_text_sends_no_escape_of_its_own(demo: Demo, key: str) -> None:
    """THREATS: text of another team, shown in a list, header, detail, status and each dialog, steers nothing."""
    app = demo("--hostile", "--demo").until("NEEDS YOU").settle()
    app.send("j")
    app.settle(0.1)
    app.send(key)
    app.settle(0.4)
    assert app.foreign() == []
    if key not in "?:":  # these show our own words only, and cover the rest
        assert "evil" in app.text or "]52;c" in app.text  # it was shown, not dropped
    app.send("escape")
    app.settle()
    assert app.foreign() == []


def test_filter_catches_what_the_view_model_missed(demo: Demo) -> None:
    """The last border: raw text given to a widget of the toolkit reaches no terminal either."""
    app = demo("--raw-widget").until("NEEDS YOU").settle()
    assert app.foreign() == []
    assert "raw:" in app.text


@pytest.mark.parametrize("first", [(), ("--first-frame",)])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_killed_app_gives_the_terminal_back(demo: Demo, number: int, first: tuple[str, ...]) -> None:
    """SIGTERM and SIGHUP: screen, modes, mouse and cursor are as before, the exit code says which signal."""
    app = demo(*first).until("NEEDS YOU").settle()
    app.kill(number)
    # Before the live app has taken over, the process ends by the signal itself; a shell shows 128 + number either way.
    assert app.wait() in (128 + number, -number)
    app.assert_given_back()


def test_signal_between_first_frame_and_live_app(demo: Demo) -> None:
    """A signal while only the first frame stands ends the program by that signal, terminal given back."""
    app = demo("--only-frame").until("NEEDS YOU").settle()
    app.kill(signal.SIGTERM)
    assert app.wait() == -signal.SIGTERM
    app.assert_given_back()


def test_interrupt_while_the_first_frame_stands(demo: Demo) -> None:
    """ctrl+c works before the live app does."""
    app = demo("--only-frame").until("NEEDS YOU").settle()
    app.send("ctrl+c")
    app.wait()
    app.assert_given_back()


@pytest.mark.parametrize("key", ["escape", "ctrl+c"])
def test_leaving_gives_the_terminal_back(demo: Demo, key: str) -> None:
    """A normal end leaves nothing turned on."""
    app = demo("--first-frame").until("NEEDS YOU").settle()
    app.send(key)
    # On a slow machine ctrl+c may come while the program still loads; then it ends by that signal.
    assert app.wait() in ((0, -signal.SIGINT) if key == "ctrl+c" else (0,))
    app.assert_given_back()


def test_crash_gives_the_terminal_back_and_says_so(demo: Demo) -> None:
    """A bug ends with a traceback on the ordinary screen and a code that is not 0."""
    app = demo("--crash", "--first-frame").until("NEEDS YOU").settle()
    app.send("g")
    assert app.wait() != 0
    app.assert_given_back()
    assert b"a bug, on purpose" in app.raw[app.raw.rfind(b"\x1b[?1049l") :]


def test_crash_before_the_app_gives_the_terminal_back(demo: Demo) -> None:
    """A bug between first frame and live app can be read."""
    app = demo("--first-frame", "--boom")
    assert app.wait() == 1
    app.assert_given_back()
    assert b"a bug before the app" in app.raw[app.raw.rfind(b"\x1b[?1049l") :]


def test_interrupt_in_a_dialog(demo: Demo) -> None:
    """ctrl+c quits from anywhere but a text field, where esc leaves."""
    app = demo().until("NEEDS YOU").settle()
    app.send("r")
    app.until("not applicable")
    app.send("ctrl+c")
    assert app.wait() == 0
    app.assert_given_back()


@pytest.mark.parametrize("size", [(40, 12), (80, 24), (160, 48)])
@pytest.mark.parametrize("env", [{}, {"CARNET_GLYPHS": "ascii"}, {"NO_COLOR": "1"}], ids=["", "ascii", "no colour"])
def test_first_frame_equals_the_live_one(demo: Demo, size: tuple[int, int], env: dict[str, str]) -> None:
    """TUI.md 7.1: cell by cell, characters and styles, and the cursor too."""
    cols, rows = size
    early = demo("--only-frame", "--plain-hints", cols=cols, rows=rows, env=env).until("NEEDS YOU").settle()
    live = demo("--plain-hints", cols=cols, rows=rows, env=env).until("NEEDS YOU").settle()
    for number, (one, other) in enumerate(zip(early.cells(), live.cells(), strict=True)):
        assert one == other, f"line {number}: {early.lines[number]!r} and {live.lines[number]!r}"
    assert early.cursor == live.cursor
    assert not early.cursor_hidden and not live.cursor_hidden


def test_no_blank_between_first_frame_and_live_app(demo: Demo) -> None:
    """From the first frame on the first row never leaves the screen."""
    app = demo("--first-frame").until("churn-v7")
    seen = []
    for _ in range(80):
        app.pump(0.02)
        seen.append("2 conflicts from ops-eu" in app.text)
    assert all(seen)
    app.send("j")
    app.until(lambda one: one.lines[6].startswith("▌"))


def test_keys_typed_before_the_app_lives_are_obeyed(demo: Demo) -> None:
    """Type-ahead: two `j` and Enter while the first frame stands go to the list, in order, unechoed."""
    app = demo("--first-frame").until("NEEDS YOU")
    app.send("j", "j", "enter")
    app.until("acme-risk / ltv-uplift")
    assert b"jj" not in app.raw


def test_no_color_sends_no_colour(demo: Demo) -> None:
    """NO_COLOR: not one colour in what is sent, and the chosen row is still to be seen."""
    app = demo("--first-frame", "--demo", env={"NO_COLOR": "1"}).until("NEEDS YOU").settle()
    app.send("j", "?")
    app.settle()
    for codes in re.findall(rb"\x1b\[([0-9;]*)m", app.raw):
        for code in codes.split(b";"):
            assert not code or int(code) < 30 or int(code) in (39, 49), codes
    assert any(cell[5] for line in app.cells() for cell in line)


def test_sixteen_colours_by_default(demo: Demo) -> None:
    """The terminal's own palette: no 256-colour or truecolor sequence without a theme by choice."""
    app = demo().until("NEEDS YOU").settle()
    assert not re.search(rb"\x1b\[[0-9;]*[34]8;[25];", app.raw)
    assert re.search(rb"\x1b\[[0-9;]*3[0-7]m", app.raw)


def test_theme_by_choice_paints_every_cell(demo: Demo) -> None:
    """A truecolor theme has one ground everywhere, in lists, furniture and dialogs."""
    app = demo("--theme", "nord", "--demo").until("NEEDS YOU").settle()
    app.send("j", "s")
    app.until("Sign off").settle()
    grounds = [cell[2] for line in app.cells() for cell in line if not cell[5]]
    assert len([ground for ground in grounds if ground != "2e3440"]) == 1  # the cursor of the field


def test_wide_characters_keep_the_columns(demo: Demo) -> None:
    """A row of two-cell characters ends where the others end."""
    app = demo().until("NEEDS YOU").settle()
    cells = app.cells()
    [wide] = [at for at, line in enumerate(app.lines) if "価格" in line]
    narrow = next(at for at, line in enumerate(app.lines) if "geo-eta" in line)
    column = next(x for x in range(80) if "".join(cell[0] for cell in cells[narrow][x : x + 9]) == "eng > ops")
    assert "".join(cell[0] for cell in cells[wide][column : column + 9]) == "res > eng"


def test_real_cursor_follows_the_row(demo: Demo) -> None:
    """Braille displays and magnifiers find the chosen row."""
    app = demo().until("NEEDS YOU").settle()
    assert app.cursor == (0, 5)
    app.send("j", "j")
    app.until(lambda one: one.cursor == (0, 7))
    app.send("k")
    app.until(lambda one: one.cursor == (0, 6))


def test_resize(demo: Demo) -> None:
    """Small and large again: always a list and keys, never a wall, never an overlong line."""
    app = demo().until("NEEDS YOU").settle()
    app.resize(40, 12)
    app.until(lambda one: "? help" in one.lines[11] and "1 Inbox" not in one.text)
    app.resize(160, 48)
    app.until(lambda one: "1 Inbox" in one.lines[1] and "? help" in one.lines[47])


def test_editor_opens_and_what_it_wrote_comes_back(demo: Demo, tmp_path: Path) -> None:
    """`ctrl+g` in a text: the editor has the terminal in its ordinary modes, its text comes back."""
    editor = tmp_path / "editor.py"
    editor.write_text(
        "import sys, termios, pathlib\n"
        "lines = termios.tcgetattr(0)[3] & (termios.ECHO | termios.ICANON)\n"
        "pathlib.Path(sys.argv[1]).write_text('from the editor ' + str(lines == termios.ECHO | termios.ICANON))\n"
    )
    app = demo("--first-frame", env={"EDITOR": f"{sys.executable} {editor}"}).until("NEEDS YOU").settle()
    app.send("q")
    app.until("Ask about churn-v7")
    app.send("ctrl+g")
    app.until("from the editor True")
    app.send("enter")
    app.until("Asked: from the editor True")


def test_pasted_text_runs_no_keys(demo: Demo) -> None:
    """Bracketed paste: `s` and Enter in a pasted text sign nothing."""
    app = demo().until("NEEDS YOU").settle()
    app.send("\x1b[200~sj\rq\x1b[201~")
    app.settle()
    assert "Sign off" not in app.text and "Ask about" not in app.text
    assert app.cursor == (0, 5)


def test_mouse(demo: Demo) -> None:
    """A click chooses, a second click opens, the wheel scrolls, a tab goes to its place."""
    app = demo("--rows", "200").until("NEEDS YOU").settle()
    click = "\x1b[<0;{0};{1}M\x1b[<0;{0};{1}m"
    app.send(click.format(10, 8))
    app.until(lambda one: one.lines[7].startswith("▌"))
    app.send("\x1b[<65;10;10M")
    app.until(lambda one: "NEEDS YOU" not in one.text)
    app.send("<")
    app.until("NEEDS YOU")
    app.settle(0.6)
    app.send(click.format(10, 6))
    app.until("acme-risk / churn-v7")
    app.settle(0.6)
    app.send(click.format(14, 2))
    app.until("models 3")
