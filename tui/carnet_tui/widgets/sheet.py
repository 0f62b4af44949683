"""The ground of every dialog: a sheet at the foot of the screen, a rule above it, its keys at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, Generic, TypeVar, cast

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Input

from carnet_tui import actions, frame_text
from carnet_tui.frame_text import Hint
from carnet_tui.glyphs import Glyphs
from carnet_tui.text import Line, both_ends, fit_line
from carnet_tui.widgets.line_list import LineList, Rows, RowSource
from carnet_tui.widgets.lines import TextBlock, TextView

Result = TypeVar("Result")
Row = TypeVar("Row")


TEXT_LINES = 8
"""Lines of a field for a longer text, where there is room."""


class Field(Input):
    """A field of one line whose cursor does not blink."""

    def __init__(self, value: str = "", *, placeholder: str = "", max_length: int = 0, suggested: bool = False) -> None:
        """Take a text to go on with, or with `suggested` one that the first letter typed replaces."""
        super().__init__(value, placeholder=placeholder, max_length=max_length, select_on_focus=suggested)
        self.cursor_blink = False


class About(TextView):
    """What a sheet is about: as high as it is, and it scrolls where the sheet has no room for all of it."""

    can_focus = False


class Sheet(ModalScreen[Result]):
    """A dialog; `esc` leaves it with None and nothing written."""

    BINDINGS: ClassVar[list[BindingType]] = [
        actions.binding("leave", "leave"),
        actions.binding("quit", "app.quit"),
        Binding("pageup", "about('page_up')", show=False),
        Binding("pagedown", "about('page_down')", show=False),
    ]
    TALL: ClassVar[bool] = False

    def __init__(self, title: str, *, glyphs: Glyphs, note: str = "") -> None:
        super().__init__(classes="tall" if self.TALL else None)
        self.heading = title
        """What the sheet is about. Cleaned text."""
        self.note = note
        """Right end of the heading: `nothing written yet`."""
        self.glyphs = glyphs
        self.problem = ""
        """A sentence on what is wrong with what was typed."""
        self.cut = False
        """Whether what the sheet is about has more lines than room."""

    def compose_sheet(self) -> Iterable[Widget]:
        """Yield what stands between heading and keys."""
        return ()

    def hints(self) -> Sequence[Hint]:
        """Return the keys of this sheet; `esc` stands last."""
        return [("esc", "leave", "")]

    def compose(self) -> ComposeResult:
        """Yield rule, heading, content, keys."""
        with Vertical(classes="sheet"):
            yield TextBlock(self._head)
            yield from self.compose_sheet()
            yield TextBlock(self._foot, id="foot")

    def _head(self, cells: int) -> list[Line]:
        head = both_ends([(f" {self.heading}", "title")], [(f"  {self.note} ", "dim")] if self.note else [], cells)
        return [frame_text.rule(cells, self.glyphs), head, []]

    def _foot(self, cells: int) -> list[Line]:
        said: Line = [(" " + self.problem, "warn")] if self.problem else []
        hints = list(self.hints())
        if self.cut:
            hints.insert(1, (actions.shown_key("pagedown"), "read on", ""))
        return [fit_line(said, cells), frame_text.footer(hints, cells, self.glyphs)]

    def on_resize(self, event: events.Resize) -> None:
        """Give the part that scrolls what the others leave, so that field and keys are always in view."""
        blocks = sum(len(block.lines(event.size.width)) for block in self.query(TextBlock))
        left = max(1, event.size.height - blocks - len(self.query(Input)))
        parts = self.query("TextView, TextArea, LineList")
        for about in self.query(About):
            room = left if len(parts) == 1 else max(1, left // 2, left - TEXT_LINES)
            about.styles.max_height, about.styles.min_height = room, 1
            needed = about.get_content_height(event.size, event.size, event.size.width)
            self.cut, left = needed > room + 1, max(1, left - min(room, needed))  # its last line is blank
        for part in parts:
            if isinstance(part, About):
                continue
            part.styles.max_height = (
                left if not isinstance(part, TextView) else min(left, 16 if not self.TALL else left)
            )
            part.styles.min_height = 1
        self.query_one("#foot", TextBlock).show(layout=False)

    def action_about(self, name: str) -> None:
        """Scroll what the sheet is about."""
        for about in self.query(About):
            about.action_move(name)

    def complain(self, sentence: str) -> None:
        """Say what is wrong, above the keys; an empty text takes it back."""
        self.problem = sentence
        self.query_one("#foot", TextBlock).show(layout=False)

    def action_leave(self) -> None:
        """Leave; nothing is written."""
        self.dismiss(None)


class Finder(Sheet[Result], Generic[Row, Result]):
    """A list that is filtered while one types; Enter takes the chosen row."""

    TALL = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "list('up')", show=False),
        Binding("down", "list('down')", show=False),
        Binding("pageup", "list('page_up')", show=False),
        Binding("pagedown", "list('page_down')", show=False),
    ]

    def __init__(
        self,
        title: str,
        source: Callable[[str], RowSource[Row]],
        line: Callable[[Row, int], Line],
        key: Callable[[Row], str | None],
        *,
        glyphs: Glyphs,
        verb: str = "take",
        empty: str = "Nothing like that.",
        note: str = "",
    ) -> None:
        super().__init__(title, glyphs=glyphs, note=note)
        self._source = source
        self._line = line
        self._key = key
        self._verb = verb
        self._empty = empty

    def compose_sheet(self) -> Iterable[Widget]:
        """Yield the field and the list."""
        yield Field(placeholder="type to filter")
        found: LineList[Row] = LineList(
            self._source(""), self._line, self._key, glyphs=self.glyphs, empty=self._empty, lit=True
        )
        found.can_focus = False
        yield found

    def hints(self) -> Sequence[Hint]:
        """Return Enter and the arrows."""
        return [("⏎", self._verb, ""), ("↑↓", "choose", ""), ("esc", "leave", "")]

    @property
    def found(self) -> LineList[Row]:
        """The list."""
        return self.query_one(LineList)

    def on_mount(self) -> None:
        """Type at once."""
        self.query_one(Input).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter."""
        event.stop()
        self.found.refill(self._source(event.value.strip()))
        self.found.action_move("first")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take the chosen row."""
        event.stop()
        self.take(self.found.chosen)

    def on_line_list_selected(self, event: LineList.Selected) -> None:
        """Take the clicked row."""
        event.stop()
        self.take(event.row)

    def take(self, row: Row | None) -> None:
        """Leave with what this row stands for; a subclass may refuse and `complain`."""
        if row is not None:
            self.dismiss(cast(Result, row))

    def action_list(self, name: str) -> None:
        """Move in the list while the field keeps the focus."""
        self.found.action_move(name)


def matching(rows: Sequence[Row], key: Callable[[Row], str | None], words: Callable[[Row], str]) -> Any:
    """Return a source function for `Finder` over rows in memory: every typed word must occur in `words(row)`."""

    def source(typed: str) -> RowSource[Row]:
        wanted = typed.casefold().split()
        return Rows([row for row in rows if all(word in words(row).casefold() for word in wanted)], key)

    return source


def on_letter(event: events.Key) -> str:
    """Return the printable character of a key press, or an empty text."""
    return event.character if event.character and event.is_printable else ""
