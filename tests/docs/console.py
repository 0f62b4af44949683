"""Runs what a page of the documentation shows: its ```console blocks, in order, as a reader would type them.

`$ command` lines run in a terminal 100 columns wide, one after another in one temporary home; what a command prints must be
what stands below it. `…` stands for any text within a line (digests, times, paths), a line that is `…` for any lines. A
block whose info string names a file (```python train.py) is written to that file. Questions are answered as the page tells
the reader to: by what stands on the screen. A ```keys block is played in the terminal UI, opened where the shell stands: each line
has the keys to press and, after two blanks, what then stands on the screen.

`python tests/docs/console.py docs/tutorial.md` prints the page with the real outputs filled in, for whoever writes it.
"""

from __future__ import annotations

import difflib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PATIENCE: Final = 120.0
"""Seconds until a command that does not end is a failure."""
COLUMNS: Final = 100
_FENCE: Final = re.compile(r"^```(\S*)[ ]*(.*)$")
_REDRAWN: Final = re.compile(r"\r\x1b\[K[^\r\n]*(?=\r\x1b\[K)")
_QUESTIONS: Final = (
    (re.compile(r"characters of the digest to sign: $"), re.compile(r"package\s+([0-9a-f]{4})")),
    (re.compile(r"six characters after SHA256: to trust it: $"), re.compile(r"way: SHA256:(\S{6})")),
    (re.compile(r"\[y/N\] $"), None),
)
"""What is asked, and where on the screen the answer stands (None: yes)."""

_VARYING: Final = tuple(
    map(
        re.compile,
        (
            r"\b[0-9a-f]{32,64}\b", r"\b[0-9a-f]{12}…", r"(?<=SHA256:)[\w+/]+…?", r"\d{4}-\d\d-\d\d \d\d:\d\d", r"[\d.]+(?= KiB)",
            r"(?<=package )[ ]*[0-9a-f]{4}( [0-9a-f]{4})+( …)?", r"(?<=to sign: )[0-9a-f]+$", r"(?<=to trust it: )\S+$",
        ),
    )
)  # fmt: skip
"""What differs from run to run: ids, digests, times, sizes, what was typed from the screen."""


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a page: its language, the rest of its info string, its lines, its first line's number."""

    language: str
    info: str
    lines: tuple[str, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Step:
    """A command of a page with what it prints, a file to save (`name`), or keys to press with what they show (`keys`)."""

    line: int
    command: str
    shown: tuple[str, ...]
    name: str = ""
    keys: bool = False


def blocks(text: str) -> Iterator[Block]:
    """Give the fenced blocks of a Markdown text."""
    fence, begun, kept = None, 0, list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        found = _FENCE.match(line)
        if fence is None and found:
            fence, begun, kept = found, number + 1, []
        elif fence is not None and line == "```":
            yield Block(fence[1], fence[2].strip(), tuple(kept), begun)
            fence = None
        elif fence is not None:
            kept.append(line)
    assert fence is None, f"the block that begins above line {begun} has no end"


def steps(text: str) -> Iterator[Step]:
    """Give what a reader of the page does, in order."""
    for block in blocks(text):
        if block.language == "console":
            yield from _typed(block)
        elif block.language == "keys":
            yield Step(block.line, "carnet", block.lines, keys=True)
        elif block.language != "screen" and re.fullmatch(r"[\w./-]+", block.info):
            yield Step(block.line, "", block.lines, block.info)


def _typed(block: Block) -> Iterator[Step]:
    command, begun, shown = "", 0, list[str]()
    for number, line in enumerate(block.lines, block.line):
        if line.startswith("$ "):
            if command:
                yield Step(begun, command, tuple(shown))
            command, begun, shown = line[2:], number, []
        elif command.endswith("\\") and line.startswith("> "):
            command = f"{command}\n{line[2:]}"
        else:
            assert command, f"line {number}: a console block begins with `$ command`"
            shown.append(line)
    if command:
        yield Step(begun, command, tuple(shown))


def differs(shown: Sequence[str], real: Sequence[str]) -> str:
    """Return how what was printed differs from what is shown; empty where it does not."""
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == "…" else ".*?".join(map(re.escape, line.rstrip().split("…"))) + r"\n"
        for line in shown
    )
    text = "".join(f"{line}\n" for line in real)
    if re.fullmatch(pattern, text):
        return ""
    return "\n".join(
        difflib.unified_diff([s.rstrip() for s in shown], list(real), "the page", "really", lineterm="", n=20)
    )


class Shell:
    """A reader's shell: the folder and the variables of one command are those of the next."""

    def __init__(self, home: Path, folder: Path | None = None) -> None:
        """Begin in `folder`, or in `work` below a home folder in which git knows Ana Ruiz and nothing else is."""
        self.home = home
        self.folder = folder or home / "work"
        (home / "work").mkdir(parents=True)
        (home / ".gitconfig").write_text("[user]\n  name = Ana Ruiz\n  email = ana@example.org\n", encoding="utf-8")
        self._kept = home / ".shell"
        self._kept.mkdir()
        (self._kept / "variables").touch()
        (self._kept / "folder").write_text(f"{self.folder}\n", encoding="utf-8")
        own = f"{Path(sys.executable).parent}{os.pathsep}/usr/local/bin{os.pathsep}/usr/bin{os.pathsep}/bin"
        self.environ = {
            "HOME": str(home), "PATH": own, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TERM": "xterm-256color", "TZ": "UTC",
            "CARNET_CONFIG": str(home / "keys"), "COLUMNS": str(COLUMNS), "LINES": "40",
        }  # fmt: skip

    @property
    def place(self) -> Path:
        """Where the shell stands."""
        return Path((self._kept / "folder").read_text(encoding="utf-8").strip())

    def variables(self) -> dict[str, str]:
        """Return the shell's variables as a program started from it has them."""
        self.run("env -0 > ~/.shell/environ")
        pairs = (self._kept / "environ").read_text(encoding="utf-8").split("\0")
        return dict(pair.split("=", 1) for pair in pairs if "=" in pair)

    def save(self, name: str, lines: Sequence[str]) -> None:
        """Save a file where the shell stands, as the page asks the reader to."""
        folder = self.place
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    def run(self, command: str) -> tuple[int, list[str]]:
        """Run a command in a terminal; return its exit code and the lines that stand on the screen."""
        script = (
            f'. {self._kept}/variables; cd "$(cat {self._kept}/folder)"; '
            f"trap 'export -p > {self._kept}/variables; pwd > {self._kept}/folder' EXIT\n{command}\n"
        )
        outer, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
        child = subprocess.Popen(
            ["bash", "-c", script], stdin=inner, stdout=inner, stderr=inner, env=self.environ, start_new_session=True,
            cwd=self.home,
        )  # fmt: skip
        os.close(inner)
        try:
            text = _heard(outer, child, command)
        finally:
            child.kill()
            code = child.wait()
            os.close(outer)
        text = _REDRAWN.sub("", text.replace("\r\n", "\n")).replace("\r\x1b[K", "")
        return code, [line.rstrip() for line in text.splitlines()]


def _heard(outer: int, child: subprocess.Popen[bytes], command: str) -> str:
    """Return what a command prints until it ends, its questions answered."""
    said, answered, end = b"", 0, time.monotonic() + PATIENCE
    while time.monotonic() < end:
        ready, _, _ = select.select([outer], [], [], 0.05)
        if ready:
            try:
                chunk = os.read(outer, 65536)
            except OSError:  # the other end was closed: the command has ended
                chunk = b""
            if not chunk:
                child.wait(PATIENCE)
                return said.decode("utf-8", "replace")
            said += chunk
            answer = _answer(said[answered:].decode("utf-8", "replace"))
            if answer:
                answered = len(said)
                os.write(outer, f"{answer}\n".encode())
        elif child.poll() is not None and not select.select([outer], [], [], 0)[0]:
            return said.decode("utf-8", "replace")
    raise AssertionError(f"`{command}` never ended; it said:\n{said.decode('utf-8', 'replace')}")


def _answer(screen: str) -> str:
    for question, place in _QUESTIONS:
        if question.search(screen):
            found = place.search(screen) if place else None
            return found[1] if found else "y"
    return ""


Press = Callable[[Step, Mapping[str, str], Path], None]
"""Plays a block of keys, with the shell's variables, in its folder."""


def play(text: str, shell: Shell, press: Press | None = None) -> Iterator[tuple[Step, int, list[str]]]:
    """Do what a page says, and give what came of each of its commands; keys are left out where nobody presses them."""
    for step in steps(text):
        if step.name:
            shell.save(step.name, step.shown)
        elif step.keys:
            if press is not None:
                press(step, shell.variables(), shell.place)
        else:
            yield step, *shell.run(step.command)


def filled(text: str, shell: Shell) -> str:
    """Return a page with the real output below each of its commands, `…` for what differs from run to run."""
    lines = text.splitlines()
    for step, code, real in reversed(list(play(text, shell))):
        first = step.line + step.command.count("\n")
        ended = [f"[exit code {code}]"] if code else []
        lines[first : first + len(step.shown)] = [*(_masked(line, shell.home) for line in real), *ended]
    return "\n".join(lines) + "\n"


def _masked(line: str, home: Path) -> str:
    line = line.replace(str(home), "…")
    for pattern in _VARYING:
        line = pattern.sub("…", line)
    return line


def beginning(page: Path) -> Path | None:
    """Return the folder that a reader of a page begins in: the checkout for its README, else an empty one."""
    return page.resolve().parent if page.name == "README.md" else None


def main() -> None:
    """Print pages with the real outputs filled in."""
    for page in map(Path, sys.argv[1:]):
        with tempfile.TemporaryDirectory() as home:
            print(filled(page.read_text(encoding="utf-8"), Shell(Path(home), beginning(page))), end="")


if __name__ == "__main__":
    main()
