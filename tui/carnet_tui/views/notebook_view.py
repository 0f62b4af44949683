"""A notebook as rows: each line of each cell, annotated cells marked, orphaned annotations and other captures in sections of their own at the end.

Rules: source is plain text with its comments dim; Markdown is plain text; an image is named. What is wrong with a cell (failed, out of order, moved) is
said in words beside any colour. A cell is laid out when it comes into view; only how high it is, is known before.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from carnet_tui.glyphs import Glyphs
from carnet_tui.text import Line, both_ends, clean, clean_lines, cut, digest, fit_line, plural, width, wrap
from carnet_tui.views import words
from carnet_tui.views.fields import field, one_line, section
from carnet_tui.views.notebook_reading import Book, Capture, Mark, facts_of
from carnet_tui.widgets.chained import Chained
from carnet_tui.widgets.line_list import Rows, RowSource

if TYPE_CHECKING:
    from carnet_store.exchange.importers.notebook import Cell

LEAD, LEAD_WHEN_NARROW = 10, 4
NARROW: Final = 59
LINES_AT_MOST: Final = 5_000
"""Lines of one source or output that are shown; the rest is counted."""
LONGEST: Final = 20_000
"""Characters of one line that are shown; the rest is counted."""
KEPT: Final = 64
"""Cells whose layout is kept."""
_COMMENT: Final = ("#", "//", "--")
_HEADS: Final = ("def ", "class ", "async def ", "import ", "from ", "@", "%", "!")


@dataclass(frozen=True, slots=True)
class Row:
    """A line on the screen. `key` is None where no cursor stands.

    Attributes:
        what: `head`, `source`, `out`, `error` of a cell; `mark` (an orphaned thread), `capture`, `newer`, `title`, `text`, `gap`.
        lead: what stands before the text: the label of an output.
        cell: index of the cell, -1 where it is of none.
        mark: the thread of a `mark`.
        capture: the capture that Enter opens.
    """

    key: str | None
    what: str
    text: str = ""
    style: str = ""
    lead: str = ""
    cell: int = -1
    mark: Mark | None = None
    capture: Capture | None = None


def lead_of(cells: int) -> int:
    """Return the cells before the text in a list so wide."""
    return LEAD if cells > NARROW else LEAD_WHEN_NARROW


# -- the rows of a cell ------------------------------------------------------------------------------------------------


def lines_of(text: str) -> Iterator[str]:
    """Yield the lines of a text, each cleaned, a tab as two blanks; what is too long or too many is counted instead."""
    rows = text.rstrip("\n").split("\n")
    for row in rows[:LINES_AT_MOST]:
        line = row.removesuffix("\r").replace("\t", "  ")
        if len(line) > LONGEST:
            yield f"{clean(line[:LONGEST])} [{len(line) - LONGEST:,} characters more]"
        else:
            yield clean(line)
    if len(rows) > LINES_AT_MOST:
        yield f"[{len(rows) - LINES_AT_MOST:,} lines more]"


def broken(line: str, room: int) -> list[str]:
    """Break a cleaned line of code or output where the room ends, at any character: its blanks mean something."""
    if width(line) <= room:
        return [line]
    found = []
    while line:
        piece = cut(line, room) or line[0]  # a wide sign in one cell of room: better too wide than for ever
        found.append(piece)
        line = line[len(piece) :]
    return found


def flowed(line: str, room: int) -> list[str]:
    """Break a cleaned line of Markdown at blanks; what it is indented by stands before each piece."""
    if width(line) <= room:
        return [line]
    bare = line.lstrip(" ")
    indent = min(len(line) - len(bare), room // 2)
    return [" " * indent + part for part in wrap(bare, room - indent)]


def code_style(line: str) -> str:
    """Return the style of a line of code: comments dim; what names something bold."""
    bare = line.lstrip()
    if bare.startswith(_COMMENT):
        return "dim"
    return "bold" if bare.startswith(_HEADS) else ""


def cell_rows(cell: Cell, at: int, cells: int) -> list[Row]:
    """Return a cell as rows for a list `cells` wide: its head, its source, its outputs, how it failed, a blank line."""
    narrow = cells <= NARROW
    room = max(8, cells - lead_of(cells))
    rows = [Row(f"{at}.h", "head", cell=at)]
    for number, line in enumerate(lines_of(cell.source) if cell.source.strip() else ()):
        if cell.kind == "markdown":
            style = "bold" if line.lstrip().startswith("#") else ""
            parts = flowed(line, room)
        else:
            style = code_style(line) if cell.kind == "code" else "dim"
            parts = broken(line, room)
        rows += [Row(f"{at}.s{number}.{piece}", "source", part, style, cell=at) for piece, part in enumerate(parts)]
    number = 0
    for output in cell.outputs:
        for line in lines_of(output):
            for piece, part in enumerate(broken(line, room)):
                rows.append(
                    Row(f"{at}.o{number}.{piece}", "out", part, "dim" if part.startswith("[image/") else "", cell=at)
                )
            number += 1
    if number:
        label = "Out" if narrow else f"Out [{cell.count}]" if cell.count is not None else "Out"
        first = next(index for index, row in enumerate(rows) if row.what == "out")
        one = rows[first]
        rows[first] = Row(one.key, one.what, one.text, one.style, label, at)
    if cell.error is not None:
        for piece, part in enumerate(wrap(failure(cell), room)):
            rows.append(
                Row(f"{at}.e.{piece}", "error", part, "bad", ("err" if narrow else "failed") if piece == 0 else "", at)
            )
    if not narrow:
        rows.append(Row(None, "gap", cell=at))
    return rows


def cell_height(cell: Cell, cells: int) -> int:
    """Return how many rows `cell_rows` makes of a cell, without making them."""
    narrow = cells <= NARROW
    room = max(8, cells - lead_of(cells))
    words_ = cell.kind == "markdown"

    def pieces(line: str, prose: bool) -> int:
        if len(line) <= room and line.isascii():
            return 1
        return len(flowed(line, room) if prose else broken(line, room))

    count = 1 if narrow else 2  # its head, and the blank line after it
    count += sum(pieces(line, words_) for line in lines_of(cell.source)) if cell.source.strip() else 0
    count += sum(pieces(line, False) for output in cell.outputs for line in lines_of(output))
    return count + (len(wrap(failure(cell), room)) if cell.error is not None else 0)


def failure(cell: Cell) -> str:
    """Return how a cell failed, in a line, cleaned; empty where it did not."""
    if cell.error is None:
        return ""
    said = f"{cell.error.ename}: {cell.error.evalue}" if cell.error.evalue else cell.error.ename
    return one_line(said) or "it failed"


class CellRows:
    """The cells as rows; each is laid out when it comes into view."""

    def __init__(self, cells: Sequence[Cell], wide: int) -> None:
        """Lay out for a list `wide` cells wide; only the height of each cell is counted now, 25 µs for one of 25 lines."""
        self._cells = cells
        self.wide = wide
        self.starts = [0, *accumulate(cell_height(cell, wide) for cell in cells)]
        """Row of each cell's head, and the end of all."""
        self._kept: OrderedDict[int, list[Row]] = OrderedDict()

    def rows(self, at: int) -> list[Row]:
        """Return a cell's rows."""
        found = self._kept.get(at)
        if found is None:
            found = self._kept[at] = cell_rows(self._cells[at], at, self.wide)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(at)
        return found

    def count(self) -> int:
        """Return how many rows there are."""
        return self.starts[-1]

    def page(self, start: int, length: int) -> Sequence[Row]:
        """Return a page."""
        from bisect import bisect_right

        found: list[Row] = []
        at = max(0, bisect_right(self.starts, start) - 1)
        while at < len(self._cells) and self.starts[at] < start + length:
            first = self.starts[at]
            found += self.rows(at)[max(0, start - first) : start + length - first]
            at += 1
        return found

    def find(self, key: str) -> int | None:
        """Return where a row stands; one whose piece is gone, as on a wider screen, where its line begins."""
        number, dot, part = key.partition(".")
        if not dot or not number.isdigit() or int(number) >= len(self._cells):
            return None
        at = int(number)
        keys = [row.key for row in self.rows(at)]
        line = f"{number}.{part.partition('.')[0]}"
        index = next((i for wanted in (key, f"{line}.0") for i, one in enumerate(keys) if one == wanted), 0)
        return self.starts[at] + index


# -- the whole ---------------------------------------------------------------------------------------------------------


def rows_of(book: Book, cells: CellRows) -> Chained[Row]:
    """Return the notebook as rows: what is newer or missing first, the cells, orphaned annotations, the other captures."""
    parts: list[RowSource[Row]] = []

    def add(*rows: Row) -> None:
        parts.append(Rows(rows, lambda row: row.key))

    if book.newer is not None:
        said = f"A newer capture of this file is here, of {words.day(book.newer.row.t)}: Enter opens it."
        add(Row("newer", "newer", said, "warn", capture=book.newer), Row(None, "gap"))
    if book.unread:
        said = f"{plural(book.unread, 'cell')} of the file cannot be read and {'is' if book.unread == 1 else 'are'} not shown."
        add(*(Row(f"unread {at}", "text", part, "warn") for at, part in enumerate(_wrapped([said], cells.wide))))
    if book.trouble:
        add(*(Row(f"trouble {at}", "text", part, "warn") for at, part in enumerate(_wrapped(book.trouble, cells.wide))),
            *_recorded(book, cells.wide))  # fmt: skip
    parts.append(cells)
    if book.orphans:
        said = (
            "ANNOTATIONS, their cells are not here"
            if book.trouble
            else "ORPHANED ANNOTATIONS, their cells are not in this capture"
        )
        add(Row(None, "title", said), *(Row(f"mark {one.thread.id}", "mark", mark=one) for one in book.orphans))
    if len(book.captures) > 1:
        head = Row(None, "title", "CAPTURES OF THIS FILE, newest first")
        add(head, *(Row(f"capture {one.row.id}", "capture", capture=one) for one in book.captures))
    return Chained(parts)


def _wrapped(texts: Sequence[str], cells: int) -> list[str]:
    return [line for text in texts for line in wrap(text, max(8, cells - 2))]


def _recorded(book: Book, cells: int) -> list[Row]:
    """Return what the record itself holds of a notebook whose bytes are not here: counts, order, notes."""
    facts = facts_of(book)
    said = []
    if facts.get("cells"):
        said.append(f"{one_line(str(facts['cells']))} cells, {one_line(str(facts.get('code_cells', 0)))} of them code")
    if facts.get("order"):
        said.append(f"run {one_line(str(facts['order']))}")
    notes = facts.get("notes")
    lines = [
        *([", ".join(said)] if said else []),
        *(lines_of(notes) if isinstance(notes, str) and notes.strip() else ()),
    ]
    if not lines:
        return []
    rows = [Row(None, "gap"), Row(None, "title", "WHAT THE RECORD HOLDS OF IT")]
    return [*rows, *(Row(f"note {at}", "text", part) for at, part in enumerate(_wrapped(lines, cells)))]


def label_of(cell: Cell) -> str:
    """Return what a cell is called: `In [3]`, `In [ ]`, `Markdown`, `Raw`."""
    if cell.kind == "code":
        return f"In [{cell.count if cell.count is not None else ' '}]"
    return "Markdown" if cell.kind == "markdown" else "Raw"


def flags_of(cell: Cell, ran: bool) -> list[tuple[str, str]]:
    """Return what is to be said of a cell as (words, style); `ran` whether any cell of the notebook was run."""
    found = []
    if cell.error is not None:
        found.append(("failed", "bad"))
    if cell.out_of_order:
        found.append(("out of order: run before what stands above", "warn"))
    if ran and cell.kind == "code" and cell.count is None and cell.source.strip():
        found.append(("not run", "warn"))
    if cell.tags:
        found.append((f"tagged {clean(', '.join(cell.tags[:4]))}", "dim"))
    return found


def marks_words(marks: Sequence[Mark]) -> str:
    """Return how many annotations hang on a cell: `2 annotations, 1 open`."""
    opened = sum(one.open for one in marks)
    rest = "" if opened == len(marks) else ", resolved" if not opened else f", {opened} open"
    return plural(len(marks), "annotation") + rest


def row_line(row: Row, book: Book, cells: int, now: int, glyphs: Glyphs) -> Line:
    """Return a row as a line."""
    dots = glyphs.ellipsis
    if row.what == "head":
        return _head_line(row, book, cells, glyphs)
    if row.what in ("source", "out", "error"):
        lead = lead_of(cells)
        gap = f"{row.lead:>{lead - 1}} " if row.lead and len(row.lead) < lead else f"{row.lead:<{lead}}"
        return [(gap, "dim" if row.what == "out" else row.style if row.lead else ""), (row.text, row.style)]
    if row.what == "title":
        return fit_line([(row.text, "title")], cells, dots)
    if row.what == "newer":
        sign, _, style = glyphs.state("stale")
        return fit_line([(f"{sign} ", style), (row.text, style)], cells, dots)
    if row.what == "mark" and row.mark is not None:
        return _mark_line(row.mark, book, cells, now, glyphs)
    if row.what == "capture" and row.capture is not None:
        return _capture_line(row.capture, book, cells, glyphs)
    return fit_line([(" ", ""), (row.text, row.style)], cells, dots) if row.text else []


def _head_line(row: Row, book: Book, cells: int, glyphs: Glyphs) -> Line:
    cell, marks = book.cells[row.cell], book.marks.get(row.cell, ())
    sign, style = ("", "")
    if marks:
        sign, _, style = glyphs.state("question" if any(one.open for one in marks) else "done")
    narrow = cells <= NARROW
    lead = f"{len(marks) if marks else '':>2}{sign or ' '}" if not narrow else f"{sign or ' '}"
    left: Line = [(lead, style), (f"{cell.index:>{6 if not narrow else 4}} ", "dim"), (label_of(cell), "bold")]
    for said, name in flags_of(cell, book.order not in ("never run", "no code")):
        left.append((f"  {said}", name))
    right: Line = []
    if marks and not narrow:
        moved = next((one.where for one in marks if one.where), "")
        right = [
            (
                f"  {marks_words(marks)}{', moved' if moved.startswith('moved') else ', changed since' if moved else ''} ",
                "info",
            )
        ]
    return both_ends(left, right, cells, glyphs.ellipsis)


def _mark_line(mark: Mark, book: Book, cells: int, now: int, glyphs: Glyphs) -> Line:
    sign, _, style = glyphs.state("question" if mark.open else "done")
    said = one_line(mark.thread.annotation.text)
    who = book.names.get(mark.thread.person, "")
    right: Line = [(f"  {who}, {words.since(mark.thread.t, now)} ", "dim")] if cells > NARROW else []
    state = "" if mark.open else "resolved: "
    return both_ends([(f" {sign} ", style), (state, "dim"), (said, "")], right, cells, glyphs.ellipsis)


def _capture_line(one: Capture, book: Book, cells: int, glyphs: Glyphs) -> Line:
    ids = [capture.row.id for capture in book.captures]
    mine, at = ids.index(book.entity), ids.index(one.row.id)
    place = "this one" if at == mine else "newer" if at < mine else "older"
    left: Line = [
        (f" {place:<9} ", "bold" if at == mine else "dim"),
        (words.minute(one.row.t), ""),
        (f"  {digest(one.digest, 2)}", "dim"),
    ]
    right: Line = [(f"  {plural(one.threads, 'annotation')} ", "dim")] if one.threads else []
    return both_ends(left, right, cells, glyphs.ellipsis)


def head_lines(book: Book | None, name: str, cells: int, glyphs: Glyphs) -> list[Line]:
    """Return what stands above the cells: how many, in which order they were run, how much is said."""
    if book is None:
        return [fit_line([(" ", ""), (name, "bold")], cells, glyphs.ellipsis)]
    narrow = cells <= NARROW
    code = sum(cell.kind == "code" for cell in book.cells)
    left: Line = [(" ", ""), ("" if narrow else "notebook ", "dim"), (book.name, "bold")]
    if book.cells:
        counted = plural(len(book.cells), "cell") + (f", {code} code" if cells >= 100 else "")
        left.append((f"  {counted}", "dim"))
        left.append(
            (
                f"  {book.order if book.order != 'in order' else 'run in order'}",
                "dim" if book.order in ("in order", "no code") else "warn",
            )
        )
    marks = book.all_marks()
    opened = sum(one.open for one in marks)
    said = f"{opened} open" if narrow else f"{opened} of {plural(len(marks), 'annotation')} open"
    right: Line = [(f"  {said} ", "info" if opened else "dim")] if marks else []
    return [both_ends(left, right, cells, glyphs.ellipsis)]


# -- threads -----------------------------------------------------------------------------------------------------------


def thread_lines(book: Book, mark: Mark, cells: int, number: str = "") -> list[Line]:
    """Return a thread in full: where it hangs, what was said, each reply, how it was settled."""
    thread, room = mark.thread, max(8, cells - 4)

    def said(head: str, person: str, t: int, text: str) -> list[Line]:
        who = f"{book.names.get(person, 'somebody')}{head}, {words.minute(t)}"
        told = [part for line in clean_lines(text.strip()) for part in wrap(line, room)] if text.strip() else []
        return [[(f" {line}", "dim")] for line in wrap(who, max(8, cells - 2))] + [
            [("   ", ""), (part, "")] for part in told
        ]

    head: list[Line] = [
        [(" ", ""), (f"{number}{'open' if mark.open else 'resolved'}", "title" if mark.open else "dim")]
    ]
    if mark.where:
        head += [[(" ", ""), (part, "warn")] for part in wrap(mark.where, max(8, cells - 2))]
    if thread.annotation.excerpt and (mark.at is None or mark.where.startswith(("cell", "the cell"))):
        held = [part for line in clean_lines(thread.annotation.excerpt.strip()) for part in wrap(line, room)]
        head += [[(" the cell began", "dim")], *([("   ", ""), (part, "dim")] for part in held)]
    body = said("", thread.person, thread.t, thread.annotation.text)
    for reply in thread.replies:
        body += said(" replied", reply.person, reply.t, reply.text)
    if thread.resolved is not None:
        body += said(" resolved it", thread.resolved.person, thread.resolved.t, thread.resolved.text)
    return [*head, *body]


def pane_lines(book: Book, row: Row | None, cells: int, titled: bool = True) -> list[Line]:
    """Return what is said about the cell (or the orphaned annotation) under the cursor; facts of a cell nobody annotated.

    `titled` says which cell it is: needed where the pane does not stand right under it.
    """
    if row is None:
        return []
    if row.mark is not None:
        return thread_lines(book, row.mark, cells)
    if row.cell < 0:
        return []
    cell, marks = book.cells[row.cell], book.marks.get(row.cell, ())
    title: Line = [(f" cell {cell.index}  ", "bold"), (label_of(cell), "")]
    if not marks:
        facts = [
            *field("sha256", digest(cell.digest), cells),
            *field("lines", f"{cell.source.count(chr(10)) + 1:,}", cells),
        ]
        for said, style in flags_of(cell, True):
            facts += field("", said, cells, style)
        return section([title], facts, field("", "No annotation: c writes one.", cells, "dim"))
    parts = [
        thread_lines(book, one, cells, f"{at} of {len(marks)}, " if len(marks) > 1 else "") for at, one in enumerate(marks, 1)
    ]  # fmt: skip
    return section([title] if titled else [], *parts)


# -- finding -----------------------------------------------------------------------------------------------------------


def places(book: Book) -> list[Row]:
    """Return where one may want to go in a notebook before anything is typed: annotations, then headings."""
    found = []
    for one in book.all_marks():
        at = one.at if one.at is not None else -1
        key = f"{at}.h" if at >= 0 else f"mark {one.thread.id}"
        state = "annotation" if one.open else "resolved annotation"
        found.append(Row(key, "find", f"{state}: {one_line(one.thread.annotation.text)}", cell=at))
    for at, cell in enumerate(book.cells):
        if cell.kind == "markdown":
            found += [
                Row(f"{at}.s{number}.0", "find", line, "bold", cell=at)
                for number, line in enumerate(lines_of(cell.source))
                if line.lstrip().startswith("#")
            ]
    return found


def matches(book: Book, typed: str, most: int = 2_000) -> list[Row]:
    """Return the lines of source and output, and the annotations, that hold a text; upper and lower case are alike."""
    wanted = typed.casefold()
    found = [
        row for row in places(book) if row.text.startswith(("annotation", "resolved")) and wanted in row.text.casefold()
    ]
    for at, cell in enumerate(book.cells):
        if wanted in cell.source.casefold():
            found += _matching(cell.source, wanted, at, "s", 0)
        number = 0
        for output in cell.outputs:
            if wanted in output.casefold():
                found += _matching(output, wanted, at, "o", number)
            number += min(output.rstrip("\n").count("\n") + 1, LINES_AT_MOST + 1)
        if len(found) >= most:
            break
    return found[:most]


def _matching(text: str, wanted: str, at: int, part: str, first: int) -> list[Row]:
    return [
        Row(f"{at}.{part}{first + number}.0", "find", line.strip(), cell=at)
        for number, line in enumerate(lines_of(text))
        if wanted in line.casefold()
    ]
