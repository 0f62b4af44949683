"""A real pseudo-terminal: a program runs in it, keys go in, a terminal emulator says what a person would see."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyte
import pytest

PATIENCE = 60.0
"""Seconds until a screen that never comes is a failure; a busy machine is no failure."""

# pyte prints these instead of ignoring them: private modes, mode requests, device control strings.
_UNKNOWN_TO_PYTE = re.compile(rb"\x1b\[[<>=][0-9;]*[a-zA-Z]|\x1b\[\?[0-9;]*\$p|\x1bP.*?\x1b\\", re.DOTALL)
# Every escape sequence the app itself may write: CSI, the toolkit's pointer shape, and what `y` copies (but for the copy of
# "evil", which the hostile texts try). No other OSC, no DCS, APC, PM.
_OWN = re.compile(rb"\x1b\[[0-9;?<>=$]*[A-Za-z]|\x1b\]22;[a-z-]*\x07|\x1b\]52;c;(?!ZXZpbA==)[A-Za-z0-9+/]*={0,2}\x07")
# The begin of one of these, where what was read last ends within it.
_BEGUN = re.compile(rb"\x1b(\[[0-9;?<>=$]*|\](22?;?[a-z-]*|52?;?c?;?[A-Za-z0-9+/=]*)?)?\Z")
_FOREIGN = re.compile(
    rb"[\x00-\x09\x0b-\x1f\x7f].{0,12}|\xc2[\x80-\x9f]|\xe2\x80[\x8b-\x8f\xa8-\xae]|\xe2\x81[\xa6-\xa9]|\xef\xbb\xbf"
)
KEYS = {
    "enter": b"\r",
    "escape": b"\x1b",
    "tab": b"\t",
    "up": b"\x1b[A",
    "down": b"\x1b[B",
    "right": b"\x1b[C",
    "left": b"\x1b[D",
    "pageup": b"\x1b[5~",
    "pagedown": b"\x1b[6~",
    "home": b"\x1b[H",
    "end": b"\x1b[F",
    "backspace": b"\x7f",
}


class Terminal:
    """A program in a terminal of its own."""

    def __init__(self, argv: Sequence[str], cols: int, rows: int, env: Mapping[str, str], cwd: Path | None) -> None:
        self.cols, self.rows = cols, rows
        self.raw = b""
        """Everything the program wrote, byte by byte."""
        self._emulator = pyte.Screen(cols, rows)
        self._stream = pyte.ByteStream(self._emulator)
        self._pending = b""
        environ = {
            name: value
            for name, value in os.environ.items()
            if name
            not in (
                "NO_COLOR",
                "CI",
                "PYTHONDONTWRITEBYTECODE",
                "CARNET_GLYPHS",
                "VISUAL",
                "EDITOR",
                "TMUX",
                "COLUMNS",
                "LINES",
            )
        }
        environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
        environ |= env
        self._keyboard, inner = pty.openpty()
        self._inner = inner  # kept open here, so that the modes can be read after the program has ended
        self.resize(cols, rows)
        self.modes_before = termios.tcgetattr(inner)
        self.pid = os.fork()
        if self.pid == 0:  # pragma: no cover  the child
            try:
                os.setsid()
                fcntl.ioctl(inner, termios.TIOCSCTTY, 0)
                for number in (0, 1, 2):
                    os.dup2(inner, number)
                os.closerange(3, 64)
                if cwd is not None:
                    os.chdir(cwd)
                os.execvpe(argv[0], list(argv), environ)
            finally:
                os._exit(127)
        self._code: int | None = None

    def resize(self, cols: int, rows: int) -> None:
        """Give the terminal another size, as a window manager does."""
        fcntl.ioctl(self._inner, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
        if (cols, rows) != (self.cols, self.rows):
            self.cols, self.rows = cols, rows
            self._emulator.resize(rows, cols)
            os.kill(self.pid, signal.SIGWINCH)

    def send(self, *keys: str) -> None:
        """Press keys: names of `KEYS`, `ctrl+x`, or text typed as it stands."""
        for key in keys:
            if key in KEYS:
                data = KEYS[key]
            elif key.startswith("ctrl+"):
                data = bytes([ord(key[5]) & 31])
            else:
                data = key.encode()
            os.write(self._keyboard, data)

    def pump(self, seconds: float = 0.05) -> bool:
        """Read what the program writes within `seconds`; return whether there was anything."""
        ready, _, _ = select.select([self._keyboard], [], [], seconds)
        if not ready:
            return False
        try:
            data = os.read(self._keyboard, 65536)
        except OSError:
            return False
        self.raw += data
        if b"\x1b[?2026$p" in data:  # what a modern terminal answers
            os.write(self._keyboard, b"\x1b[?2026;2$y")
        self._pending += data
        # A sequence may be cut in two by the read: keep an unfinished end for the next one.
        cut = self._pending.rfind(b"\x1b")
        keep = (
            b""
            if cut < 0 or len(self._pending) - cut > 32 or self._pending[cut:][-1:].isalpha()
            else self._pending[cut:]
        )
        whole = self._pending[: len(self._pending) - len(keep)]
        self._pending = keep
        self._stream.feed(_UNKNOWN_TO_PYTE.sub(b"", whole))
        return True

    def foreign(self) -> list[bytes]:
        """Return what it wrote that steers, hides or reorders and is none of the app's own sequences."""
        left = _OWN.sub(b"", _BEGUN.sub(b"", self.raw)).replace(b"\x1b[?2026$p", b"").replace(b"\r", b"")
        return _FOREIGN.findall(left)

    def until(self, wanted: str | Callable[[Terminal], bool], patience: float = PATIENCE) -> Terminal:
        """Wait until the screen shows a text, or a condition holds."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            if wanted in self.text if isinstance(wanted, str) else wanted(self):
                return self
            self.pump()
            if self._ended() and not self.pump(0):
                break
        if wanted in self.text if isinstance(wanted, str) else wanted(self):
            return self
        raise AssertionError(f"the screen never showed {wanted!r}; it shows:\n{self.text}")

    def settle(self, quiet: float = 0.3, patience: float = PATIENCE) -> Terminal:
        """Wait until the program has written nothing for `quiet` seconds."""
        end = time.monotonic() + patience
        last = time.monotonic()
        while time.monotonic() < end and time.monotonic() - last < quiet:
            if self.pump(0.02):
                last = time.monotonic()
        return self

    @property
    def text(self) -> str:
        """The screen as text, blanks at line ends left out."""
        return "\n".join(line.rstrip() for line in self.lines)

    @property
    def lines(self) -> list[str]:
        """The lines of the screen. The second cell of a wide character is empty, also while its first is being overwritten."""
        buffer = self._emulator.buffer
        return ["".join(buffer[row][col].data for col in range(self.cols)) for row in range(self.rows)]

    @property
    def cursor(self) -> tuple[int, int]:
        """Column and line of the cursor, from 0."""
        return self._emulator.cursor.x, self._emulator.cursor.y

    @property
    def cursor_hidden(self) -> bool:
        """Whether the program has hidden the cursor."""
        return bool(self._emulator.cursor.hidden)

    def cells(self) -> list[list[tuple[Any, ...]]]:
        """Every cell: character, foreground, background, bold, underlined, reversed."""
        buffer = self._emulator.buffer
        return [
            [
                (cell.data, cell.fg, cell.bg, cell.bold, cell.underscore, cell.reverse)
                for cell in (buffer[row][col] for col in range(self.cols))
            ]
            for row in range(self.rows)
        ]

    def _ended(self) -> bool:
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._code = os.waitstatus_to_exitcode(status)
        return self._code is not None

    def wait(self, patience: float = PATIENCE) -> int:
        """Wait for the end of the program; return its exit code (negative: a signal)."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            if self._ended():
                while self.pump(0.02):
                    pass
                assert self._code is not None
                return self._code
            self.pump()
        raise AssertionError(f"the program never ended; its screen:\n{self.text}")

    def kill(self, number: int = signal.SIGTERM) -> None:
        """Send a signal to the program."""
        os.kill(self.pid, number)

    @property
    def modes(self) -> list[Any]:
        """The terminal's modes now."""
        return termios.tcgetattr(self._inner)

    def assert_given_back(self) -> None:
        """Assert that the terminal is as it was before: modes, main screen, cursor, mouse, paste, keyboard protocol."""
        assert self.modes == self.modes_before
        for mode in (b"1049", b"1000", b"1003", b"1006", b"2004", b"1004"):
            on, off = self.raw.rfind(b"\x1b[?" + mode + b"h"), self.raw.rfind(b"\x1b[?" + mode + b"l")
            assert off >= on, f"mode {mode.decode()} was left on"
        assert self.raw.rfind(b"\x1b[?25h") >= self.raw.rfind(b"\x1b[?25l"), "the cursor was left hidden"
        assert self.raw.rfind(b"\x1b[<u") >= self.raw.rfind(b"\x1b[>"), "the keyboard protocol was left on"

    def close(self) -> None:
        """End the program."""
        if not self._ended():
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._keyboard)
        os.close(self._inner)


Spawn = Callable[..., Terminal]


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Start programs in terminals: `spawn([argv], cols=80, rows=24, env={}, cwd=None)`; all are ended after the test."""
    started: list[Terminal] = []

    def start(
        argv: Sequence[str],
        *,
        cols: int = 80,
        rows: int = 24,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Terminal:
        made = Terminal(argv, cols, rows, env or {}, cwd)
        started.append(made)
        return made

    yield start
    for one in started:
        one.close()


@pytest.fixture
def demo(spawn: Spawn) -> Callable[..., Terminal]:
    """Start the kit's demo app: `demo("--hostile", cols=80)`."""
    program = Path(__file__).parent.parent / "tui" / "kit_demo.py"

    def start(*args: str, **how: Any) -> Terminal:
        return spawn([sys.executable, str(program), *args], **how)

    return start
