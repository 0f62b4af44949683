"""Text as cells: what may be shown, how wide it is, how it is cut.

Everything that comes from a ledger, a bundle or a file passes `clean` before a screen sees it. After `clean` a text
holds no character that could steer a terminal, hide, or change the order of its neighbours, and `width` is exact.
Nothing here imports the UI toolkit: the first frame is painted with these functions before the toolkit is loaded.
"""

from __future__ import annotations

from unicodedata import category, east_asian_width

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

Span = tuple[str, str]
"""A piece of a line: text and style name (see `glyphs.STYLES`)."""
Line = list[Span]

ELLIPSIS = "…"
UNSHOWN = "�"
DELETE_SIGN = "␡"
MARKS_AT_MOST = 3
"""Combining marks kept on one character; a taller pile paints over its neighbours."""

# Blank letters: they look like nothing and so hide a difference between two names.
_BLANK_LETTERS = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5\u180b\u180c\u180d\u180f")
_HIDDEN_KINDS = frozenset(("Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"))
_SELECTORS = ((0xFE00, 0xFE0F), (0xE0100, 0xE01EF))
# Conjoining jamo and skin tones have no cells of their own; older Unicode data call them letters and signs.
_JOINING = ((0x1160, 0x11FF), (0xD7B0, 0xD7FF), (0x1F3FB, 0x1F3FF))
# Signs that Unicode 16 made wide; Pythons with older data say narrow.
_WIDE_SINCE_16 = ((0x2630, 0x2637), (0x268A, 0x268F), (0x4DC0, 0x4DFF), (0x1D300, 0x1D356), (0x1D360, 0x1D376))

_signs: dict[str, str] = {}
_cells: dict[str, int] = {}


def clean(text: str) -> str:
    """Return `text` with every character that is not plain, visible text replaced by a visible sign.

    Control characters become their control pictures, DEL `␡`, everything else that hides or steers (C1, direction
    marks, zero width characters, variation selectors, line separators, lone surrogates, unassigned code points) `�`.
    The result is one line.
    """
    if text.isascii() and text.isprintable():
        return text
    out: list[str] = []
    marks = MARKS_AT_MOST  # a mark at the very start has nothing to sit on
    for char in text:
        sign = _signs.get(char) or _sign(char)
        if width(sign) == 0:
            marks += 1
            if marks > MARKS_AT_MOST:
                sign = UNSHOWN
                marks = MARKS_AT_MOST
        else:
            marks = 0
        out.append(sign)
    return "".join(out)


def _sign(char: str) -> str:
    code = ord(char)
    kind = category(char)
    if code < 32:
        sign = chr(0x2400 + code)
    elif code == 127:
        sign = DELETE_SIGN
    elif kind == "Zs":
        sign = " "
    elif kind in _HIDDEN_KINDS or char in _BLANK_LETTERS or _within(code, _SELECTORS):
        sign = UNSHOWN
    else:
        sign = char
    if len(_signs) < 8192:
        _signs[char] = sign
    return sign


def clean_lines(text: str) -> list[str]:
    """Return the lines of a longer text, each cleaned; a tab is two spaces, a line ends at LF or CR LF only."""
    return [clean(line.removesuffix("\r").replace("\t", "  ")) for line in text.split("\n")]


def width(text: str) -> int:
    """Return the number of terminal cells of a cleaned text."""
    if text.isascii():
        return len(text)
    return sum(_cells.get(char) or _cell(char) for char in text)


def _cell(char: str) -> int:
    code = ord(char)
    if code < 0x300:
        cells = 1
    elif category(char) in ("Mn", "Me", "Mc") or _within(code, _JOINING):
        cells = 0
    elif east_asian_width(char) in ("W", "F") or _within(code, _WIDE_SINCE_16):
        cells = 2
    else:
        cells = 1
    if len(_cells) < 8192:
        _cells[char] = cells
    return cells


def _within(code: int, ranges: Sequence[tuple[int, int]]) -> bool:
    return any(first <= code <= last for first, last in ranges)


def cut(text: str, cells: int) -> str:
    """Return the longest start of `text` that takes at most `cells` cells, never half of a wide character."""
    if text.isascii():
        return text[: max(cells, 0)]
    used = 0
    for index, char in enumerate(text):
        used += width(char)
        if used > cells:
            return text[:index]
    return text


def fit(text: str, cells: int, ellipsis: str = ELLIPSIS) -> str:
    """Return `text` in at most `cells` cells; what had to be cut off is announced by `ellipsis`."""
    if width(text) <= cells:
        return text
    if cells <= width(ellipsis):
        return cut(text, cells)
    return cut(text, cells - width(ellipsis)) + ellipsis


def pad(text: str, cells: int, align: str = "<", ellipsis: str = ELLIPSIS) -> str:
    """Return `text` in exactly `cells` cells, cut or filled with blanks; `align` is `<` or `>`."""
    text = fit(text, cells, ellipsis)
    blank = " " * (cells - width(text))
    return blank + text if align == ">" else text + blank


def wrap(text: str, cells: int) -> list[str]:
    """Break one cleaned paragraph into lines of at most `cells` cells, at blanks where there are any."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        while width(word) > cells:  # a word longer than a line breaks anywhere
            room = cells - width(line) - 1 if line else cells
            head = cut(word, room) if room > 0 else ""
            if not head and not line:
                head = word[0]  # a wide sign in a one-cell column: better too wide than for ever
            if head:
                line = f"{line} {head}" if line else head
                word = word[len(head) :]
            lines.append(line)
            line = ""
        if not line:
            line = word
        elif width(line) + 1 + width(word) <= cells:
            line = f"{line} {word}"
        else:
            lines.append(line)
            line = word
    return [*lines, line]


def line_width(line: Sequence[Span]) -> int:
    """Return the cells of a styled line."""
    return sum(width(text) for text, _ in line)


def fit_line(line: Sequence[Span], cells: int, ellipsis: str = ELLIPSIS, style: str = "") -> Line:
    """Return a styled line of exactly `cells` cells; `style` is that of the blanks after it."""
    out: Line = []
    left = cells
    for index, (text, name) in enumerate(line):
        taken = width(text)
        if taken > left or (taken == left and line_width(line[index + 1 :]) > 0):
            out.append((pad(text if taken > left else text + " ", left, "<", ellipsis), name))
            return out
        out.append((text, name))
        left -= taken
    if left > 0:
        out.append((" " * left, style))
    return out


def both_ends(left: Sequence[Span], right: Sequence[Span], cells: int, ellipsis: str = ELLIPSIS) -> Line:
    """Return one line of `cells` cells: `left` at the start (cut when it must be), `right` at the end while it fits."""
    taken = line_width(right)
    if taken == 0 or taken + 8 > cells:
        return fit_line(left, cells, ellipsis)
    return [*fit_line(left, cells - taken, ellipsis), *right]


AGES = ((31_557_600, "y"), (86_400, "d"), (3_600, "h"), (60, "min"))


def age(then: datetime, now: datetime) -> str:
    """Return how long ago `then` was: `now`, `5min`, `2h`, `3d`, `2y`; `ahead` for an instant ahead of the clock."""
    seconds = int((now - then).total_seconds())
    if seconds < -60:
        return "ahead"
    for size, unit in AGES:
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return "now"


def digest(value: str, groups: int = 4) -> str:
    """Return the first `groups` groups of four of a digest, without its algorithm's name: `7f3a 91c2 0be7 44d0`."""
    bare = value.rpartition(":")[2]
    return " ".join(bare[at : at + 4] for at in range(0, min(len(bare), groups * 4), 4))


def plural(count: int, one: str, many: str = "") -> str:
    """Return `1 item`, `2 items`, `1,204 events`; `many` where adding an s is wrong."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
