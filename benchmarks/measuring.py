"""What the benchmarks measure with: processor seconds of whole processes, programs in terminals, stores to open.

Processor time is user and system time of the process and all its threads. The clock on the wall is told beside it where
a person waits; on a machine with other work it says little.
"""

from __future__ import annotations

import compileall
import fcntl
import os
import pty
import select
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

QUIET = 0.5
"""Seconds without a byte after which a screen counts as drawn."""
PATIENCE = 30.0
LIVE = b"\x1b[?1003h"
"""What the toolkit writes when it takes the terminal over (mouse movements); its first paint comes after it."""


@dataclass(frozen=True)
class Row:
    """One line of the table: what was measured, the figure, what it is compared with, and the bar it must not exceed."""

    name: str
    value: float
    unit: str = "ms"
    beside: str = ""
    other: float = 0.0
    bar: float = 0.0
    """The most that `value` may be, in the same unit; 0 where there is no bar."""

    @property
    def held(self) -> bool:
        """Whether the bar is held, or there is none."""
        return not self.bar or self.value <= self.bar

    def cells(self) -> tuple[str, ...]:
        """Return the line's words."""
        beside = f"{self.beside} {self.other:,.1f}" if self.beside else ""
        ratio = f"{self.value / self.other:.2f}x" if self.other else ""
        bar = f"{self.bar:,.1f}" if self.bar else ""
        verdict = ("held" if self.held else "MISSED") if self.bar else ""
        return self.name, f"{self.value:,.1f} {self.unit}", beside, ratio, bar, verdict


def table(rows: Sequence[Row]) -> str:
    """Return the rows as an aligned table."""
    lines = [("what", "median", "beside it", "ratio", "bar", ""), *(row.cells() for row in rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(6)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def environment(**more: str) -> dict[str, str]:
    """Return the environment the programs run in: compiled modules are used and kept, nobody's own settings interfere."""
    dropped = (
        "PYTHONDONTWRITEBYTECODE",
        "NO_COLOR",
        "CARNET_ME",
        "CARNET_STORE",
        "CARNET_CONFIG",
        "CARNET_GLYPHS",
        "CI",
    )
    environ = {name: value for name, value in os.environ.items() if name not in dropped}
    return environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"} | more


def compile_everything() -> None:
    """Compile what is going to be imported, so that nobody measures the compiler."""
    import carnet_store
    import carnet_tui

    for package in (carnet_store, carnet_tui):
        compileall.compile_dir(str(Path(package.__path__[0])), quiet=2)


def carnet() -> str:
    """Return the installed command."""
    beside = Path(sys.executable).with_name("carnet")
    found = str(beside) if beside.is_file() else shutil.which("carnet")
    if not found:
        raise SystemExit("carnet is not installed beside this Python")
    return found


def cpu_of(argv: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> float:
    """Run a program to its end; return its processor time in ms."""
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=cwd,
        env=env or environment(),
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 3):  # 3: a gate that is not passed
        raise SystemExit(f"{' '.join(argv)} ended with code {process.returncode}")
    return (usage.ru_utime + usage.ru_stime) * 1000


def medians(measures: Mapping[str, Callable[[], float]], times: int) -> dict[str, float]:
    """Return the median of each measure; they take turns, so that a busy minute hits all alike."""
    taken: dict[str, list[float]] = {name: [] for name in measures}
    for measure in measures.values():
        measure()  # warm: files are in memory, modules are compiled
    for _ in range(times):
        for name, measure in measures.items():
            taken[name].append(measure())
    return {name: statistics.median(values) for name, values in taken.items()}


class Screen:
    """A program in a terminal of its own. Use it in a `with`; it is ended at the end."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        cols: int = 80,
        rows: int = 24,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.raw = b""
        self.began = time.perf_counter()
        self.pid, self.keyboard = pty.fork()
        if self.pid == 0:
            try:
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
                if cwd is not None:
                    os.chdir(cwd)
                os.execvpe(argv[0], list(argv), dict(env or environment()))
            finally:
                os._exit(127)

    def __enter__(self) -> Screen:
        return self

    def __exit__(self, *_: object) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.keyboard)

    def cpu(self) -> float:
        """Return the processor time until now, all threads, in ms."""
        return (
            time.clock_gettime((~self.pid << 3) | 2) * 1000
        )  # the clock id of another process, as clock_getcpuclockid makes it

    def memory(self) -> float:
        """Return the memory it holds now, in MiB."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
        return 0.0

    def send(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self.keyboard, keys)

    def read(self, seconds: float) -> bytes:
        """Return what it writes next, empty after `seconds` without a byte."""
        ready, _, _ = select.select([self.keyboard], [], [], seconds)
        if not ready:
            return b""
        try:
            data = os.read(self.keyboard, 65536)
        except OSError:
            raise SystemExit(f"the program ended; it wrote {self.raw[-2000:]!r}") from None
        self.raw += data
        if b"\x1b[?2026$p" in data:  # what a modern terminal answers
            os.write(self.keyboard, b"\x1b[?2026;2$y")
        return data

    def until(self, wanted: bytes) -> float:
        """Wait until it has written these bytes; return the processor time at that moment, in ms."""
        end = time.monotonic() + PATIENCE
        while wanted not in self.raw:
            self.read(0.05)
            if time.monotonic() > end:
                raise SystemExit(f"{wanted!r} never came; there was {self.raw[-2000:]!r}")
        return self.cpu()

    def settle(self, quiet: float = QUIET) -> float:
        """Wait until it is drawn; return the processor time until then, in ms."""
        while self.read(quiet):
            pass
        return self.cpu()


def small_store(folder: Path) -> tuple[Path, dict[str, str]]:
    """Make a store of some 140 events with three handoffs, one of 88 items; return where it lies and the environment to use it.

    It is the sample's, without the mark that makes a demo of it.
    """
    place = folder / "small"
    subprocess.run(
        [carnet(), "demo", "--to", str(place), "--no-tui"], check=True, capture_output=True, env=environment()
    )
    (place / ".carnet" / "demo.json").unlink()
    env = environment(CARNET_CONFIG=str(place / "keys"), CARNET_ME="Tomasz Wilk")
    subprocess.run([carnet(), "status"], check=True, capture_output=True, cwd=place, env=env)
    return place, env
