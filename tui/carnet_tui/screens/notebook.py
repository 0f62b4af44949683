"""A notebook cell by cell, with the annotations that hang on its cells: write one, reply, resolve; find text; go to another capture of the file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual import events
from textual.containers import Container
from textual.widget import Widget

from carnet_tui import frame_text
from carnet_tui.frame_text import Hint
from carnet_tui.screen import Route
from carnet_tui.screens.annotating import Annotating, CopyCell
from carnet_tui.text import Line, clean, clean_lines, pad
from carnet_tui.views import notebook_view
from carnet_tui.views.notebook_reading import Book, read
from carnet_tui.views.notebook_view import CellRows, Row
from carnet_tui.widgets.chained import Chained
from carnet_tui.widgets.line_list import LineList, Rows, RowSource
from carnet_tui.widgets.lines import TextBlock, TextView
from carnet_tui.widgets.sheet import Finder

STYLE = """
NotebookScreen #panes { height: 1fr; layout: vertical; }
NotebookScreen #between, NotebookScreen #detail { display: none; }
NotebookScreen.-thread #between { display: block; }
NotebookScreen.-thread #detail { display: block; height: 40%; }
NotebookScreen.-compact.-thread #detail { height: 70%; }
NotebookScreen.-w120 #panes { layout: horizontal; }
NotebookScreen.-w120 #between { display: none; }
NotebookScreen.-w120 #list { width: 2fr; }
NotebookScreen.-w120 #detail { display: block; width: 1fr; height: 1fr; padding-left: 2; }
"""
WIDE = 120
"""Cells from which on the thread stands beside the notebook, always."""
NO_CELL, NO_MARK = "no cell is under the cursor", "no annotation hangs here"
LAID_OUT_AT_ONCE = 500
"""Cells that are laid out on the loop; more go to the store's thread."""


class NotebookScreen(Annotating):
    """One capture of a notebook."""

    CONTEXTS: ClassVar[tuple[str, ...]] = ("notebook", "entity")
    PLACE: ClassVar[str] = "lineage"
    AUTO_FOCUS: ClassVar[str | None] = "LineList"
    CSS = STYLE

    def __init__(self, entity: str) -> None:
        super().__init__()
        self.entity = entity
        self._cells = CellRows((), 80)
        self._rows: Chained[Row] = Chained([])
        self._laying = 0

    # What is shown

    def compose_content(self) -> Iterable[Widget]:
        """Yield headline, cells, and what is said about the cell under the cursor."""
        yield TextBlock(self._head, id="head")
        yield TextBlock(lambda cells: [frame_text.rule(cells, self.glyphs)], classes="roomy")
        with Container(id="panes"):
            yield LineList(self._rows, self._line, lambda row: row.key, glyphs=self.glyphs, empty="", id="list")
            yield TextBlock(lambda cells: [frame_text.rule(cells, self.glyphs)], id="between")
            yield TextView(self._pane, id="detail")

    def on_mount(self) -> None:
        """Read the notebook."""
        self.refresh_data()

    def crumb(self) -> str:
        """Return the project and the notebook."""
        return f"{super().crumb()} / {self.subject()}" if self.has_project else super().crumb()

    def subject(self) -> str:
        """Return what the screen is about, cleaned."""
        return self.book.name if self.book is not None else clean(self.project.row(self.entity).title)

    def _head(self, cells: int) -> list[Line]:
        return notebook_view.head_lines(self.book, self.subject(), cells, self.glyphs) if self.has_project else []

    def _line(self, row: Row, cells: int) -> Line:
        if self.book is None:
            return []
        return notebook_view.row_line(row, self.book, cells, self.project.now(), self.glyphs)

    def _pane(self, cells: int) -> Sequence[Line]:
        if self.book is None:
            return []
        return notebook_view.pane_lines(self.book, self.chosen, cells, self.app.size.width >= WIDE)

    def refresh_data(self) -> None:
        """Read the notebook anew, off the loop."""
        if not self.has_project:
            return
        ledger, entity = self.project.id, self.entity

        def call() -> Book:
            with self.desk.clone() as desk:
                return read(desk.store.project(ledger), entity)

        self.work(call, self._show, saying="Reading the notebook")

    def _show(self, book: Book) -> None:
        before, self.book = self.book, book
        self.query_one("#head", TextBlock).show(layout=False)
        same = before is not None and (before.digest, len(before.cells)) == (book.digest, len(book.cells))
        if same and self._cells.wide == self._wide():
            self._refill()
        else:
            self._lay_out()

    def _wide(self) -> int:
        return max(20, self.query_one("#list", LineList).size.width - 1)

    def _lay_out(self) -> None:
        """Lay the cells out for the list as wide as it is now."""
        if self.book is None:
            return
        cells, wide = self.book.cells, self._wide()
        if len(cells) <= LAID_OUT_AT_ONCE:
            self._laid_out(CellRows(cells, wide))
            return
        self._laying = wide
        self.work(lambda: CellRows(cells, wide), self._laid_out, saying="Laying the cells out")

    def _laid_out(self, cells: CellRows) -> None:
        self._cells = cells
        self._refill()
        self._again()  # the terminal may have been made wider meanwhile

    def _refill(self) -> None:
        if self.book is None:
            return
        first = self._rows.count() == 0
        self._rows = notebook_view.rows_of(self.book, self._cells)
        rows = self.query_one("#list", LineList)
        rows.refill(self._rows)
        if first:
            rows.action_move("first")
        self._show_chosen()
        self.refresh_chrome()

    def on_resize(self, event: events.Resize) -> None:
        """Lay the cells out anew where the list became wider or narrower."""
        self.call_after_refresh(self._again)  # the toolkit calls the handler of the class above by itself

    def _again(self) -> None:
        if self.book is not None and self._wide() not in (self._cells.wide, self._laying):
            self._lay_out()

    def _show_chosen(self) -> None:
        if self.thread_shown:
            self.query_one("#detail", TextView).show(self._pane)

    @property
    def thread_shown(self) -> bool:
        """Whether the thread of the cursor's cell is in view."""
        return self.app.size.width >= WIDE or self.has_class("-thread")

    def _move(self, name: str) -> None:
        """Left and right go to the cell before and after."""
        row = self.chosen
        if name not in ("left", "right") or self.book is None:
            super()._move(name)
            return
        if row is None or row.cell < 0:
            at = 0 if row is None or row.what in ("newer", "text") else len(self.book.cells) - 1
        elif name == "left" and row.what != "head":
            at = row.cell
        else:
            at = row.cell + (1 if name == "right" else -1)
        if not 0 <= at < len(self.book.cells):
            self.base.say("That was the last cell." if name == "right" else "This is the first cell.")
            return
        rows = self.query_one("#list", LineList)
        last = next(row.key for row in reversed(self._cells.rows(at)) if row.key is not None)
        rows.choose(str(last))  # first its end, then its head: so the whole cell comes into view where it has room
        rows.choose(f"{at}.h")

    # Keys

    def first_hints(self) -> Sequence[str]:
        """Return the footer's order."""
        return ("open", "comment", "find", "question", "timeline", "graph")

    def hints(self) -> list[Hint]:
        """Return the footer, without the keys that need a cell while the cursor is on none."""
        return [hint for hint in super().hints() if hint[2] not in (NO_CELL, NO_MARK)]

    def say_enter(self) -> str:
        """Return what Enter does on the row of the cursor."""
        row = self.chosen if self.is_mounted else None
        if row is None:
            return ""
        if row.capture is not None:
            return "open"
        if not self.marks:
            return "annotate" if row.cell >= 0 else ""
        return "reply or resolve" if self.thread_shown else "thread"

    def available(self, action_id: str) -> str | None:
        """Say why a verb cannot be done now."""
        row = self.chosen
        if action_id in ("comment", "question", "reply", "resolve"):
            reason = self.may_write()
            if reason:
                return reason
        if self.book is None and action_id in (
            "open",
            "find",
            "comment",
            "question",
            "reply",
            "resolve",
            "timeline",
            "graph",
        ):
            return "it is being read" if self.has_project else "no project yet"
        if action_id == "comment" and (row is None or row.cell < 0):
            return NO_CELL
        if action_id in ("reply", "resolve") and not self.marks:
            return NO_MARK
        if action_id == "resolve" and not any(one.open for one in self.marks):
            return "it is resolved already"
        if action_id == "open" and not (row is not None and (row.capture is not None or self.marks or row.cell >= 0)):
            return "nothing is to be opened here"
        return super().available(action_id)

    def copies(self) -> Sequence[tuple[str, str]]:
        """Return what can be copied: the cell, its digest, the notebook's digest and id."""
        book, row = self.book, self.chosen
        if book is None:
            return ()
        offers: list[tuple[str, str]] = []
        if row is not None and row.cell >= 0:
            cell = book.cells[row.cell]
            offers = [
                ("cell", "\n".join(clean_lines(cell.source))),
                ("line", row.text.strip()),
                ("digest", f"sha256:{cell.digest}"),
            ]
        if self.marks:
            offers.append(("annotation", self.marks[0].thread.id))
        if book.digest:
            offers.append(("notebook", f"sha256:{book.digest}"))
        return [(name, text) for name, text in (*offers, ("id", book.entity)) if text]

    def do_copy(self) -> None:
        """Offer what can be copied of the cell under the cursor; a cell is copied with its line ends."""
        offers = self.copies()
        if not offers:
            self.base.say("There is nothing to copy here.")
            return
        self.app.push_screen(
            CopyCell(offers, glyphs=self.glyphs), lambda said: self.base.say(said) if said else None
        )  # fmt: skip

    def on_line_list_selected(self, event: LineList.Selected) -> None:
        """Do what Enter says."""
        event.stop()
        self.call_later(self.action_act, "open")

    def do_open(self) -> None:
        """Open another capture; show the thread of the cell; in view already, reply or resolve; where none is, annotate."""
        row = self.chosen
        if row is None:
            return
        if row.capture is not None:
            if row.capture.row.id == self.entity:
                self.base.say("This capture is the one shown.")
            else:
                self.base.visit((*self.base.path[:-1], Route("notebook", (row.capture.row.id,))))
        elif not self.marks:
            if row.cell >= 0:
                self.call_later(self.action_act, "comment")
        elif not self.thread_shown:
            self.add_class("-thread")
            self._show_chosen()
            self.refresh_chrome()
            self.call_after_refresh(self.query_one("#list", LineList).refill)
        else:
            self.flow(self._thread())

    def do_leave(self) -> None:
        """Close the thread; else leave."""
        if self.has_class("-thread"):
            self.remove_class("-thread")
            self.refresh_chrome()
        else:
            self.base.do_leave()

    def do_comment(self) -> None:
        """Annotate the cell under the cursor."""
        row = self.chosen
        if row is not None and row.cell >= 0:
            self.flow(self._annotate(row.cell))

    def do_question(self) -> None:
        """Ask about the notebook; the cell under the cursor stands in the title."""
        row, name = self.chosen, self.subject()
        title = (
            f"{name}, cell {self.book.cells[row.cell].index}"
            if self.book and row is not None and row.cell >= 0
            else name
        )
        self.flow(self.ask_question([self.entity], title))

    def do_find(self) -> None:
        """Find text in the notebook; before anything is typed, its annotations and headings."""
        self.flow(self._find())

    async def _find(self) -> None:
        book = self.book
        if book is None:
            return
        start = notebook_view.places(book)

        def source(typed: str) -> RowSource[Row]:
            return Rows(notebook_view.matches(book, typed) if typed else start, lambda row: row.key)

        def line(row: Row, cells: int) -> Line:
            at = f"cell {book.cells[row.cell].index}" if row.cell >= 0 else "orphaned"
            return [(pad(at, 10) + " ", "dim"), (row.text, row.style)]

        chosen = await self.ask(
            Finder[Row, Row](f"Find in {book.name}", source, line, lambda row: row.key, glyphs=self.glyphs, verb="go there",
                             note="annotations and headings first", empty="No line holds that.")
        )  # fmt: skip
        if chosen is not None and chosen.key is not None:
            self.query_one("#list", LineList).choose(chosen.key)
            self._show_chosen()

    def do_graph(self) -> None:
        """Show the notebook in the lineage."""
        self.graph_of(self.entity)

    def do_timeline(self) -> None:
        """Show what happened to it."""
        self.timeline_of(self.entity)
