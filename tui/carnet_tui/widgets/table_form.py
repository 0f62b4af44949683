"""A small table one fills: cells by column, rows added and taken away, rows pasted as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widget import Widget
from textual.widgets import Input

from carnet_tui import actions
from carnet_tui.frame_text import Hint
from carnet_tui.glyphs import Glyphs
from carnet_tui.text import Line, clean, pad
from carnet_tui.widgets.lines import TextBlock
from carnet_tui.widgets.sheet import Field, Sheet

ROWS_AT_MOST = 500
"""Rows a form holds; longer tables come from a file."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, and what its cells may hold."""

    name: str
    required: bool = True
    number: bool = False
    choices: tuple[str, ...] = ()

    def wrong(self, cell: str) -> str:
        """Return what is wrong with a cell, or nothing."""
        if not cell:
            return f"{self.name} is empty" if self.required else ""
        if self.number:
            try:
                float(cell)
            except ValueError:
                return f"{self.name} needs a number, not {clean(cell)!r}"
        if self.choices and cell not in self.choices:
            return f"{self.name} is one of {', '.join(self.choices)}, not {clean(cell)!r}"
        return ""


def read_rows(pasted: str, columns: Sequence[Column]) -> list[list[str]]:
    """Return the rows of pasted CSV (comma, semicolon or tab), as wide as the table, without a row of column names."""
    head = pasted.partition("\n")[0]
    mark = max(("\t", ";", ","), key=head.count)
    names = [column.name.casefold() for column in columns]
    out = []
    for number, cells in enumerate(csv.reader(io.StringIO(pasted), delimiter=mark)):
        row = [cell.strip() for cell in cells]
        if not any(row) or (number == 0 and [cell.casefold() for cell in row] == names):
            continue
        out.append([*row, *[""] * len(columns)][: len(columns)])
    return out


class Cell(Field):
    """One cell. A paste of several cells goes to the form instead."""

    def on_paste(self, event: events.Paste) -> None:
        """Give a pasted table to the form."""
        if "\n" in event.text.strip() or "\t" in event.text:
            event.prevent_default()
            event.stop()
            form = self.screen
            if isinstance(form, TableForm):
                form.paste(event.text)


class TableForm(Sheet[list[list[str]]]):
    """Rows of cells. Tab goes from cell to cell, ctrl+d ends it; the result is the rows, empty ones left out."""

    TALL = True
    BINDINGS: ClassVar[list[BindingType]] = [
        actions.binding("done", "done", priority=True),
        actions.binding("row_add", "add", priority=True),
        actions.binding("row_remove", "remove", priority=True),
    ]

    def __init__(
        self, title: str, columns: Sequence[Column], rows: Sequence[Sequence[str]], *, glyphs: Glyphs, note: str = ""
    ) -> None:
        super().__init__(title, glyphs=glyphs, note=note)
        self._columns = tuple(columns)
        self._start = [list(row) for row in rows] or [[""] * len(columns)]

    def compose_sheet(self) -> Iterable[Widget]:
        """Yield the heads and the rows."""
        yield TextBlock(self._heads)
        with VerticalScroll(id="rows"):
            for row in self._start:
                yield self._row(row)

    def _heads(self, cells: int) -> list[Line]:
        each = cells // len(self._columns)
        return [[(pad(f" {column.name}", each), "title") for column in self._columns]]

    def _row(self, row: Sequence[str]) -> Horizontal:
        cells = [Cell(cell, placeholder=self.glyphs["between"]) for cell in row]
        return Horizontal(*cells, classes="row cells")

    def hints(self) -> Sequence[Hint]:
        """Return the keys of the form."""
        return [
            ("ctrl+d", "done", ""),
            ("tab", "next cell", ""),
            ("ctrl+n", "add row", ""),
            ("ctrl+r", "remove row", ""),
            ("paste", "CSV", ""),
            ("esc", "leave", ""),
        ]

    def on_mount(self) -> None:
        """Type at once."""
        self.query(Cell).first().focus()

    @property
    def rows(self) -> list[list[str]]:
        """The rows as typed, empty ones left out."""
        all_rows = [[cell.value.strip() for cell in row.query(Cell)] for row in self.query(".cells")]
        return [row for row in all_rows if any(row)]

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go to the next cell; from the last one to a new row."""
        event.stop()
        if event.input is self.query(Cell).last():
            self.call_later(self.action_add)
        else:
            self.focus_next(Cell)

    async def action_add(self) -> None:
        """Add an empty row and go there."""
        await self._add([[""] * len(self._columns)])

    async def _add(self, rows: Sequence[Sequence[str]]) -> None:
        room = ROWS_AT_MOST - len(self.query(".cells"))
        if len(rows) > room:
            self.complain(f"A form holds {ROWS_AT_MOST} rows; a longer table comes from a file (carnet answer --from).")
            rows = rows[: max(room, 0)]
        made = [self._row(row) for row in rows]
        if made:
            await self.query_one("#rows").mount(*made)
            made[-1].query(Cell).first().focus()

    async def action_remove(self) -> None:
        """Take the row away that one is in."""
        row = self.focused.parent if self.focused is not None else None
        if isinstance(row, Horizontal):
            lone = len(self.query(".cells")) == 1
            self.focus_previous(Cell)
            await row.remove()
            if lone:
                await self.action_add()

    def paste(self, text: str) -> None:
        """Take pasted rows in; an untouched empty row makes room for them."""

        async def take() -> None:
            found = read_rows(text, self._columns)
            for row in list(self.query(".cells")):
                if not any(cell.value.strip() for cell in row.query(Cell)):
                    await row.remove()
            await self._add(found)
            self.complain(f"{len(found)} rows pasted.")

        self.call_later(take)

    def action_done(self) -> None:
        """Leave with the rows, unless a cell is wrong."""
        for row in self.query(".cells"):
            cells = list(row.query(Cell))
            if not any(cell.value.strip() for cell in cells):
                continue
            for column, cell in zip(self._columns, cells, strict=True):
                wrong = column.wrong(cell.value.strip())
                if wrong:
                    cell.focus()
                    self.complain(f"{wrong}.")
                    return
        self.dismiss(self.rows)
