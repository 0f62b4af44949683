"""The first screen, painted before the UI toolkit is imported.

`show` turns a real terminal into the state the live app wants (alternate screen, no echo, byte by byte input,
bracketed paste) and writes the inbox as `frame_text` builds it. Keys typed from then on wait in the terminal for the
app. Whatever happens, `close` runs once and gives the terminal back: on a return, on an exception, at interpreter
exit, on SIGTERM and SIGHUP.
"""

from __future__ import annotations

import atexit
import os
import sys

from carnet_tui import frame_text
from carnet_tui.glyphs import Glyphs, sgr
from carnet_tui.text import Line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType, TracebackType
    from typing import Any

ENTER = "\x1b[?1049h\x1b[?2004h\x1b[?7l"
LEAVE = "\x1b[0m\x1b[?7h\x1b[?2004l\x1b[?1004l\x1b[?1000l\x1b[?1003l\x1b[?1006l\x1b[<u\x1b[?1049l\x1b[?25h"
"""Undoes whatever this module or the live app may have turned on; harmless where it was not."""


class FirstFrame:
    """A painted first screen. `close` gives the terminal back; it may be called any number of times."""

    def __init__(self, keyboard: int, screen: int, before: list[Any]) -> None:
        self._keyboard = keyboard
        self._screen = screen
        self.before = before
        self.open = True
        self._hook = sys.excepthook
        self.handed_over = False
        """Whether the live app has taken the screen over and will leave it by itself."""

    def close(self, *, leave_screen: bool = True) -> None:
        """Restore the terminal's modes, and its screen unless the live app has done that already."""
        if not self.open:
            return
        self.open = False
        atexit.unregister(self.close)
        if sys.excepthook == self._report:
            sys.excepthook = self._hook
        import termios

        try:
            if leave_screen:
                _write(self._screen, LEAVE)
            termios.tcsetattr(self._keyboard, termios.TCSANOW, self.before)
        except (OSError, termios.error):
            pass  # the terminal is gone; there is nothing to restore

    def _report(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """Leave the screen before a traceback is printed, so that it can be read."""
        hook = self._hook
        self.close(leave_screen=not self.handed_over)
        hook(kind, error, trace)

    def guard(self) -> None:
        """Give the terminal back when a signal or a bug ends the program before the live app takes over."""
        import signal

        self._hook = sys.excepthook
        sys.excepthook = self._report

        def end(number: int, _frame: FrameType | None) -> None:
            self.close()
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, end)


def show(
    chrome: frame_text.Chrome, inbox: frame_text.Inbox, glyphs: Glyphs, *, keyboard: int = 0, screen: int = 2
) -> FirstFrame | None:
    """Paint the inbox now; return the handle, or None where there is no terminal to paint on.

    `keyboard` and `screen` are file descriptors. Colours are left out under `NO_COLOR`.
    """
    try:
        import termios
    except ImportError:  # no POSIX terminal here: the live app paints first
        return None
    if os.environ.get("TERM", "dumb") == "dumb":
        return None
    try:
        before = termios.tcgetattr(keyboard)
        cells, lines = os.get_terminal_size(screen)
    except (OSError, termios.error):
        return None
    if cells < 1 or lines < 1:
        return None
    frame = FirstFrame(keyboard, screen, before)
    atexit.register(frame.close)
    try:
        raw = termios.tcgetattr(keyboard)
        raw[0] &= ~(termios.IXON | termios.IXOFF | termios.ICRNL | termios.INLCR | termios.IGNCR)
        raw[3] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN)  # signals stay: ctrl+c must work while loading
        raw[6][termios.VMIN] = 1
        frame.guard()  # before anything is changed: a signal may come at any moment
        termios.tcsetattr(keyboard, termios.TCSANOW, raw)
        drawn, cursor = frame_text.inbox_frame(chrome, inbox, cells, lines, glyphs)
        _write(screen, ENTER + paint(drawn[:lines], cursor, colour="NO_COLOR" not in os.environ))
    except BaseException:
        frame.close()
        raise
    return frame


def paint(lines: Sequence[Line], cursor: int, *, colour: bool) -> str:
    """Return what draws `lines` from the top left corner and leaves the cursor at the start of line `cursor`."""
    out = ["\x1b[?25l"]
    for number, line in enumerate(lines, 1):
        out.append(f"\x1b[{number};1H")
        for text, style in line:
            start = sgr(style, colour)
            out.append(f"{start}{text}\x1b[0m" if start else text)
    out.append(f"\x1b[{cursor + 1};1H\x1b[?25h")
    return "".join(out)


def _write(screen: int, text: str) -> None:
    data = text.encode("utf-8", "replace")
    while data:
        data = data[os.write(screen, data) :]
