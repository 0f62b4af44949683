"""What the kit asks of the terminal beyond the toolkit: a visible cursor, the clipboard, an editor.

The toolkit hides the real cursor; ours follows the chosen row, where magnifiers and braille displays look for it.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from textual.app import App, SuspendNotSupported
from textual.driver import Driver

from carnet_tui.first_frame import FirstFrame

HIDE_CURSOR = "\x1b[?25l"
ENTER_SCREEN = "\x1b[?1049h"
CLIPBOARD_WAIT = 0.5
"""Seconds given to a clipboard program."""


def driver_class(frame: FirstFrame | None) -> type[Driver] | None:
    """Return the driver for this terminal, None where the toolkit's own choice is right (Windows).

    After a first frame the driver takes over its alternate screen without entering it again, and gives back at the
    end the modes that the terminal had before the first frame.
    """
    try:
        from textual.drivers.linux_driver import LinuxDriver
    except ImportError:  # no POSIX terminal
        return None

    class CarnetDriver(LinuxDriver):
        """The toolkit's driver; it leaves the cursor visible and knows of the first frame."""

        taken_over = frame

        def write(self, data: str) -> None:
            """Write to the terminal, but for the wishes to hide the cursor and to enter a screen we are in."""
            if data == HIDE_CURSOR or (data == ENTER_SCREEN and type(self).taken_over is not None):
                return
            super().write(data)

        def start_application_mode(self) -> None:
            """Start, the first time from where the first frame left the terminal."""
            super().start_application_mode()  # type: ignore[no-untyped-call]
            painted = type(self).taken_over
            if painted is not None:
                self.attrs_before = painted.before
                painted.handed_over = True
                type(self).taken_over = None
            self.write("\x1b[?25h")

    return CarnetDriver


def clipboard_programs(environ: Mapping[str, str]) -> list[list[str]]:
    """Return the clipboard commands that could work here, by what the session offers."""
    found = []
    if environ.get("WAYLAND_DISPLAY") and shutil.which("wl-copy"):
        found.append(["wl-copy"])
    if environ.get("DISPLAY") and shutil.which("xclip"):
        found.append(["xclip", "-selection", "clipboard"])
    if shutil.which("pbcopy"):
        found.append(["pbcopy"])
    return found


def copy(app: App[Any], text: str) -> str:
    """Put `text` on the clipboard by the terminal (OSC 52) and by a program if one is there; return by which ways."""
    app.copy_to_clipboard(text)
    ways = ["the terminal"]
    for command in clipboard_programs(os.environ):
        try:
            done = subprocess.run(  # noqa: S603  a fixed command; the text goes by standard input
                command,
                input=text.encode(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=CLIPBOARD_WAIT,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        if done.returncode == 0:
            ways.append(command[0])
            break
    return " and ".join(ways)


def editor_command(environ: Mapping[str, str]) -> list[str]:
    """Return the command of the person's editor: `$VISUAL`, `$EDITOR`, else what is there."""
    for name in ("VISUAL", "EDITOR"):
        words = shlex.split(environ.get(name, ""))
        if words:
            return words
    return [next((name for name in ("nano", "vim", "vi") if shutil.which(name)), "vi")]


def edit(app: App[Any], text: str, *, name: str = "text.md") -> tuple[str, str]:
    """Open `text` in the person's editor while the app sleeps; return the new text, and what went wrong or nothing.

    The old text comes back when the editor cannot be started or ends with an error.
    """
    command = editor_command(os.environ)
    with tempfile.TemporaryDirectory(prefix="carnet-") as folder:
        path = Path(folder) / name
        path.write_text(text, encoding="utf-8")
        try:
            with app.suspend():
                code = subprocess.call([*command, str(path)])  # noqa: S603  the person's own editor
            written = path.read_bytes()
        except SuspendNotSupported:
            return text, "This terminal cannot open an editor from here."
        except OSError as error:
            return text, f"{command[0]} could not be started: {error.strerror}."
    if code != 0:
        return text, f"{command[0]} ended with code {code}; the text is as it was."
    try:
        return written.decode("utf-8"), ""
    except UnicodeDecodeError:
        return text, "What the editor wrote is not UTF-8; the text is as it was."
