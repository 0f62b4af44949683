"""Longer facts as lines: a label in a column of its own, its text wrapped beside it; heads and bullets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from carnet_tui.text import Line, clean, clean_lines, pad, wrap

LABEL_CELLS = 11


def one_line(text: str) -> str:
    """Return a foreign text cleaned, its line breaks and runs of blanks as one blank."""
    return clean(" ".join(text.split()))


def field(label: str, text: str, cells: int, style: str = "") -> list[Line]:
    """Return a cleaned text wrapped beside its label."""
    room = max(12, cells - LABEL_CELLS - 3)
    out: list[Line] = []
    for at, line in enumerate(wrap(text, room)):
        out.append([(f" {pad(label if at == 0 else '', LABEL_CELLS)} ", "dim"), (line, style)])
    return out


def prose(label: str, text: str, cells: int) -> list[Line]:
    """Return a foreign text of several lines beside its label, its own line breaks kept; blank lines at its ends dropped."""
    lines = clean_lines(text.strip("\n\r "))
    out: list[Line] = []
    for at, line in enumerate(lines):
        out += field(label if at == 0 else "", line, cells)
    return out


def bullets(label: str, texts: Iterable[str], cells: int, sign: str = "-", style: str = "") -> list[Line]:
    """Return cleaned texts, one to a bullet, beside one label."""
    out: list[Line] = []
    room = max(12, cells - LABEL_CELLS - 5)
    for text in texts:
        for at, line in enumerate(wrap(text, room)):
            head = f" {pad(label if not out else '', LABEL_CELLS)} "
            out.append([(head, "dim"), (f"{sign} " if at == 0 else "  ", "dim"), (line, style)])
    return out


def section(*parts: Sequence[Line]) -> list[Line]:
    """Return groups of lines with one blank line between those that are not empty."""
    out: list[Line] = []
    for part in parts:
        if part:
            out += [*([[]] if out else []), *part]
    return out
