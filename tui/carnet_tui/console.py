"""What commands say: data to stdout, talk to stderr, as tables or as JSON; nothing from elsewhere steers the terminal.

Text passes `text.clean`, JSON is plain ASCII with escapes, so that both are safe to print whatever a bundle brought.
"""

from __future__ import annotations

import io
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from carnet_tui.text import clean, clean_lines, pad, width, wrap

PATIENCE: Final = 0.5
"""Seconds of silent work before progress is told."""
_REDRAW: Final = 0.1
_LINE_EVERY: Final = 5.0


def out(line: str = "") -> None:
    """Write a line of data to stdout, cleaned."""
    sys.stdout.write(clean(line) + "\n")


def talk(line: str) -> None:
    """Write a line of talk to stderr, cleaned. Where nobody can hear it, what was done stands all the same, and so does its exit code."""
    sys.stdout.flush()
    try:
        sys.stderr.write(clean(line) + "\n")
        sys.stderr.flush()
    except (
        OSError,
        ValueError,
    ):  # the terminal is gone, the disk is full: what waits in that stream would fail us again at the end
        sys.stderr = io.StringIO()


def raw(text: str) -> None:
    """Write a text of our own to stdout as it is (a script, a template, a document)."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")
    sys.stdout.flush()


def document(text: str) -> None:
    """Write a document of somebody's making to stdout, each line cleaned."""
    raw("\n".join(clean_lines(text)))


def out_json(value: object) -> None:
    """Write a value to stdout as JSON."""
    raw(json.dumps(plain(value), indent=2))


def plain(value: object) -> Any:
    """Return a value as JSON has it: dataclasses and structs as objects, sets sorted, paths as text, bytes as hex."""
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, set | frozenset):
        return sorted(plain(part) for part in value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Path):
        return str(value)
    if value is None or isinstance(value, str | int | bool | float):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    fields = getattr(value, "__struct_fields__", None)
    return {name: plain(getattr(value, name)) for name in fields} if fields else str(value)


def table(rows: Sequence[Sequence[str]], heads: Sequence[str] = (), indent: str = "") -> None:
    """Write rows in columns as wide as their cells; heads only to a terminal, where long lines are cut to its width."""
    cells = [[clean(cell) for cell in row] for row in rows]
    on_terminal = sys.stdout.isatty()
    if heads and on_terminal and cells:
        cells.insert(0, [head.upper() for head in heads])
    if not cells:
        return
    widths = [max(width(row[at]) for row in cells) for at in range(len(cells[0]))]
    room = shutil.get_terminal_size((100, 24)).columns - len(indent) if on_terminal else 0
    for row in cells:
        line = "  ".join(pad(cell, wide) for cell, wide in zip(row, widths, strict=True)).rstrip()
        if room and width(line) > room:
            line = pad(line, room)
        sys.stdout.write(f"{indent}{line}\n")
    sys.stdout.flush()


def paragraph(text: str, indent: str = "") -> None:
    """Write a longer text broken at blanks."""
    room = min(shutil.get_terminal_size((100, 24)).columns, 100) - len(indent)
    for line in clean_lines(text):
        for part in wrap(line, max(20, room)):
            sys.stdout.write(f"{indent}{part}\n")
    sys.stdout.flush()


def moment(t: int) -> str:
    """Return a time in ms as `2026-04-14 09:30` UTC, the same on every machine."""
    try:
        return datetime.fromtimestamp(t / 1000, UTC).strftime("%Y-%m-%d %H:%M") if t else ""
    except (ValueError, OverflowError, OSError):
        return f"{t} ms"


def day(t: int) -> str:
    """Return a time in ms as a day in UTC."""
    return moment(t)[:10]


def size(count: int) -> str:
    """Return bytes for people: `812 B`, `1.4 MiB`."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024:
            return f"{count} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"


Progress = Callable[[str, int, int], None]


@contextmanager
def progress(verb: str, clock: Callable[[], float] = time.monotonic) -> Iterator[Progress]:
    """Give a function (what, done, total) that tells on stderr how far a work is, once it takes over half a second."""
    began = clock()
    told = 0.0
    shown = False
    stages: dict[str, float] = {}

    def hear(what: str, done: int, total: int) -> None:
        nonlocal told, shown
        now = clock()
        stages.setdefault(what, now)
        live = sys.stderr.isatty()
        if now - began < PATIENCE or now - told < (_REDRAW if live else _LINE_EVERY):
            return
        told = now
        count = f"{done:,} of {total:,}" if total else f"{done:,}"
        spent = now - stages[what]
        left = f", about {_seconds(spent * (total - done) / done)} still" if 0 < done < total and spent > 0 else ""
        line = clean(f"{verb}: {count} {what}{left}")
        shown = live
        sys.stderr.write(f"\r\x1b[K{line}" if live else f"{line}\n")
        sys.stderr.flush()

    try:
        yield hear
    finally:
        if shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def _seconds(amount: float) -> str:
    whole = max(1, round(amount))
    return f"{whole} s" if whole < 90 else f"{whole // 60} min"
