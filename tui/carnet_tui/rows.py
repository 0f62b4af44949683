"""A row of the inbox, as cells.

One formatter serves the first frame, which is painted before the UI toolkit is loaded, and the live list; so the two
are equal cell by cell. Plain classes and no imports: every millisecond here stands between a person and the first
row.
"""

from __future__ import annotations

from carnet_tui.glyphs import Glyphs
from carnet_tui.text import Line, fit, fit_line, pad

HEADS = {"needs": "NEEDS YOU", "waiting": "WAITING ON OTHERS", "recent": "RECENT"}
"""Sections of the inbox, in order, and their heads."""


NARROWEST, WIDEST = 24, 118
"""Cells that the columns of a row need at least, and fill at most."""


class InboxRow:
    """What needs somebody: one line of the inbox. All texts are cleaned already."""

    __slots__ = ("age", "checks", "gate", "key", "section", "state", "subject", "what")

    def __init__(
        self, *, state: str, subject: str, what: str, gate: str, checks: str, age: str, section: str, key: str
    ) -> None:
        self.state = state
        """A state of `glyphs.STATES`."""
        self.subject = subject
        """The model version it is about."""
        self.what = what
        """The reason it stands here, a few plain words."""
        self.gate = gate
        """The crossing, short: `res > eng`; empty where there is none."""
        self.checks = checks
        """`14/18`, or empty."""
        self.age = age
        """As `text.age` writes it."""
        self.section = section
        """A key of `HEADS`."""
        self.key = key
        """What identifies the row across refreshes."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, InboxRow) and all(
            getattr(self, name) == getattr(other, name) for name in self.__slots__
        )

    def __hash__(self) -> int:
        return hash((self.key, self.section))


class HeadRow:
    """The head of a section; no cursor ever stands on it."""

    __slots__ = ("first", "section")

    def __init__(self, section: str, first: bool = False) -> None:
        self.section = section
        self.first = first
        """The topmost head also names the columns."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HeadRow) and (self.section, self.first) == (other.section, other.first)

    def __hash__(self) -> int:
        return hash((self.section, self.first))


def with_heads(rows: list[InboxRow]) -> list[InboxRow | HeadRow]:
    """Return the rows grouped by section, each group under its head; the order within a section is kept."""
    out: list[InboxRow | HeadRow] = []
    for section in HEADS:
        group = [row for row in rows if row.section == section]
        if group:
            out.append(HeadRow(section, first=not out))
            out.extend(group)
    return out


def columns(cells: int) -> tuple[int, int, int, int, int]:
    """Return the widths of subject, what, gate, checks and age in a row of `cells` cells; 0 where a column is left out.

    A row is: sign, blank, then the columns, each followed by two blanks but the last, then one blank.
    """
    if cells < 75:  # five columns would leave too little of the reason
        age = 5
        subject = max(8, min(14 if cells < 60 else 18, cells // 3))
        return subject, max(4, cells - 2 - subject - 2 - age - 2 - 1), 0, 0, age
    gate, checks, age = (18, 8, 5) if cells >= 120 else (11, 6, 5)
    subject = 16 if cells < 120 else 26
    return subject, cells - 2 - subject - 2 - gate - 2 - checks - 2 - age - 2 - 1, gate, checks, age


def inbox_line(row: InboxRow | HeadRow, cells: int, glyphs: Glyphs) -> Line:
    """Return a row as a line of exactly `cells` cells; the cell of the cursor mark is not part of it."""
    if cells > WIDEST:  # on a wide screen the eye must not travel from the reason to its gate
        return [*inbox_line(row, WIDEST, glyphs), (" " * (cells - WIDEST), "")]
    if cells < NARROWEST:
        return fit_line(inbox_line(row, NARROWEST, glyphs), cells, glyphs.ellipsis)
    subject, what, gate, checks, age = columns(cells)
    dots = glyphs.ellipsis
    if isinstance(row, HeadRow):
        head = fit(HEADS[row.section], cells, dots)
        if not (row.first and gate):
            return [(pad(head, cells, "<", dots), "title")]
        names = f"{pad('gate', gate)}  {pad('checks', checks)}  {pad('age', age, '>')} "
        return [(pad(head, 2 + subject + 2 + what + 2), "title"), (names, "dim")]
    sign, _, style = glyphs.state(row.state)
    line: Line = [
        (f"{sign} ", style),
        (pad(row.subject, subject, "<", dots) + "  ", "bold" if row.section == "needs" else ""),
        (pad(row.what, what, "<", dots) + "  ", style if row.state == "recalled" else ""),
    ]
    if gate:
        line.append((f"{pad(row.gate, gate, '<', dots)}  {pad(row.checks, checks, '>', dots)}  ", "dim"))
    line.append((pad(row.age, age, ">", dots) + " ", "dim"))
    return line
