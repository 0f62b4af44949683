"""A list of any length, painted line by line out of pages that are fetched when they come into view."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from textual import events
from textual.binding import BindingType
from textual.geometry import Offset, Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from carnet_tui import actions, frame_text, theme
from carnet_tui.glyphs import Glyphs
from carnet_tui.text import Line, fit_line

PAGE = 256
PAGES_KEPT = 32

Row = TypeVar("Row")
RowOut = TypeVar("RowOut", covariant=True)


class RowSource(Protocol[RowOut]):
    """Where the rows of a list come from; asked on the UI thread, so each call must be quick (a page: under 5 ms)."""

    def count(self) -> int:
        """Return how many rows there are."""

    def page(self, start: int, length: int) -> Sequence[RowOut]:
        """Return rows `start` to `start + length`, fewer at the end."""

    def find(self, key: str) -> int | None:
        """Return where the row with this key stands now, or None when it is gone."""


class Rows(Generic[Row]):
    """A source out of rows that are in memory."""

    def __init__(self, rows: Sequence[Row], key: Callable[[Row], str | None]) -> None:
        self._rows = rows
        self._key = key

    def count(self) -> int:
        """Return how many rows there are."""
        return len(self._rows)

    def page(self, start: int, length: int) -> Sequence[Row]:
        """Return a slice of the rows."""
        return self._rows[start : start + length]

    def find(self, key: str) -> int | None:
        """Return where the row with this key stands."""
        return next((at for at, row in enumerate(self._rows) if self._key(row) == key), None)


class LineList(ScrollView, Generic[Row], can_focus=True):
    """Rows of one line, one of them chosen.

    `line(row, cells)` formats a row; `key(row)` identifies it, None for a head, which the cursor skips. The chosen
    row keeps its key across `refill`; when it is gone, the row now at its place is chosen. The terminal's real cursor
    stands on the chosen row.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        *actions.move_bindings("up", "down", "page_up", "page_down", "first", "last"),
        actions.binding("open", "open"),
    ]

    class Highlighted(Message):
        """The cursor came to stand on another row."""

        def __init__(self, sender: LineList[Any], row: Any) -> None:
            super().__init__()
            self.list = sender
            self.row = row

        @property
        def control(self) -> LineList[Any]:
            """The list this came from."""
            return self.list

    class Selected(Highlighted):
        """The row under the cursor was opened: Enter, or a click on the chosen row."""

    def __init__(
        self,
        source: RowSource[Row],
        line: Callable[[Row, int], Line],
        key: Callable[[Row], str | None],
        *,
        glyphs: Glyphs,
        empty: str = "Nothing here.",
        lit: bool = False,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.glyphs = glyphs
        self.empty = empty
        """The sentence that stands where there are no rows."""
        self.lit = lit
        """Whether the chosen row is reversed also while something else has the focus."""
        self._source = source
        self._line = line
        self._key = key
        self._pages: OrderedDict[int, Sequence[Row]] = OrderedDict()
        self._count = source.count()
        self._at = -1
        self._chosen_key: str | None = None
        self._place(0, 1)

    # What is chosen

    @property
    def row_count(self) -> int:
        """Number of rows, heads counted."""
        return self._count

    @property
    def index(self) -> int:
        """Number of the chosen row, -1 where there is none."""
        return self._at

    @property
    def chosen(self) -> Row | None:
        """The chosen row."""
        return self.row(self._at) if self._at >= 0 else None

    def row(self, index: int) -> Row | None:
        """Return a row, fetching its page when needed; None beyond the end."""
        if not 0 <= index < self._count:
            return None
        number, offset = divmod(index, PAGE)
        page = self._pages.get(number)
        if page is None:
            page = self._pages[number] = self._source.page(number * PAGE, PAGE)
            if len(self._pages) > PAGES_KEPT:
                self._pages.popitem(last=False)
        else:
            self._pages.move_to_end(number)
        return page[offset] if offset < len(page) else None

    def choose(self, key: str) -> bool:
        """Put the cursor on the row with this key; False when there is none."""
        at = self._source.find(key)
        if at is None:
            return False
        self._go(at, 1)
        return True

    def refill(self, source: RowSource[Row] | None = None) -> None:
        """Read the rows anew, from another source if one is given; the cursor stays on its row."""
        if source is not None:
            self._source = source
        before, key = self._at, self._chosen_key
        self._pages.clear()
        self._count = self._source.count()
        self._at = -1
        found = self._source.find(key) if key is not None else None
        self._place(found if found is not None else max(before, 0), 1)
        self.virtual_size = Size(self.size.width, self._count)
        self._into_view()
        self.refresh()
        if self._chosen_key != key:
            self._tell()

    def _place(self, index: int, step: int) -> bool:
        """Choose the nearest row a cursor may stand on, first along `step`, then back; return whether it moved."""
        before = self._at
        index = max(0, min(index, self._count - 1))
        for way in (step, -step):
            at = index
            while 0 <= at < self._count:
                row = self.row(at)
                key = self._key(row) if row is not None else None
                if key is not None:
                    self._at, self._chosen_key = at, key
                    return at != before
                at += way
        self._at, self._chosen_key = -1, None
        return before != -1

    def _go(self, index: int, step: int) -> None:
        before, top = self._at, self.scroll_offset.y
        if not self._place(index, step):
            self._into_view()
            return
        self._into_view()
        if self.scroll_offset.y == top:  # else the whole list is painted anyway
            width = self.size.width
            self.refresh(Region(0, before - top, width, 1), Region(0, self._at - top, width, 1))
        self._tell()

    def _tell(self) -> None:
        row = self.chosen
        if row is not None:
            self.post_message(self.Highlighted(self, row))

    def _into_view(self) -> None:
        height, top = self.size.height, self.scroll_offset.y
        if height <= 0:
            return
        if self._at < top:
            # The head above the first row of a section comes into view with it.
            above = self.row(self._at - 1) if self._at > 0 else None
            top = self._at - 1 if above is not None and self._key(above) is None and height > 1 else max(self._at, 0)
        elif self._at >= top + height:
            top = self._at - height + 1
        top = max(0, min(top, max(0, self._count - height)))
        if top != self.scroll_offset.y:
            self.scroll_to(y=top, animate=False, force=True)
        self._point()

    def _point(self) -> None:
        """Put the terminal's own cursor on the chosen row, where magnifiers and braille displays look for it."""
        if self.has_focus and self._at >= 0:
            line = self._at - self.scroll_offset.y
            if 0 <= line < self.size.height:
                self.app.cursor_position = Offset(self.content_region.x, self.content_region.y + line)

    # Painting

    def render_line(self, y: int) -> Strip:
        """Paint one line of what is in view."""
        cells, at = self.size.width, y + self.scroll_offset.y
        if self._count == 0 and y == 0:
            return theme.strip(self.app, fit_line([(" " + self.empty, "dim")], cells), self.rich_style)
        row = self.row(at)
        if row is None:
            return theme.strip(self.app, [(" " * cells, "")], self.rich_style)
        line = self._line(row, max(1, cells - 1))
        shown = frame_text.marked(line, self.glyphs, chosen=at == self._at, focused=self.has_focus or self.lit)
        return theme.strip(self.app, fit_line(shown, cells, self.glyphs.ellipsis), self.rich_style)

    def on_mount(self) -> None:
        """Tell which row is chosen at first."""
        self.virtual_size = Size(self.size.width, self._count)
        self._tell()

    def on_resize(self, event: events.Resize) -> None:
        """Keep the chosen row in view."""
        self.virtual_size = Size(self.size.width, self._count)
        self._into_view()

    def on_focus(self) -> None:
        """Show the chosen row as the object of every key."""
        self._point()
        self.refresh()

    def on_blur(self) -> None:
        """Show that keys go elsewhere."""
        self.refresh()

    # Keys and mouse

    def action_move(self, name: str) -> None:
        """Move by one of the moving verbs."""
        page = max(1, self.size.height - 1)
        if name in ("up", "down"):
            step = -1 if name == "up" else 1
            self._step(step)
        elif name in ("page_up", "page_down"):
            step = -1 if name == "page_up" else 1
            self._go(self._at + step * page, step)
        else:
            self._go(0 if name == "first" else self._count - 1, 1 if name == "first" else -1)

    def _step(self, step: int) -> None:
        at = self._at + step
        while 0 <= at < self._count:
            row = self.row(at)
            if row is not None and self._key(row) is not None:
                self._go(at, step)
                return
            at += step
        if step < 0 and self._at >= 0:  # already on the first row: its head comes into view
            self.scroll_to(y=0, animate=False, force=True)
            self._point()

    def action_open(self) -> None:
        """Open the chosen row."""
        row = self.chosen
        if row is not None:
            self.post_message(self.Selected(self, row))

    def on_click(self, event: events.Click) -> None:
        """Choose the row under the pointer; open it when it is chosen already."""
        at = event.y + self.scroll_offset.y
        row = self.row(at)
        if row is None or self._key(row) is None:
            return
        event.stop()
        if at == self._at:
            self.action_open()
        else:
            self._go(at, 1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll by three lines; the cursor comes along so that it stays in view."""
        event.stop()
        self._wheel(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll by three lines; the cursor comes along so that it stays in view."""
        event.stop()
        self._wheel(-3)

    def _wheel(self, lines: int) -> None:
        height = self.size.height
        top = max(0, min(self.scroll_offset.y + lines, self._count - height))
        if top == self.scroll_offset.y:
            return
        self.scroll_to(y=top, animate=False, force=True)
        if not top <= self._at < top + height:
            self._go(top if lines > 0 else top + height - 1, 1 if lines > 0 else -1)
        self._point()
