"""Text that is painted line by line: a block of fixed height and a view that scrolls."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual import events
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from carnet_tui import actions, theme
from carnet_tui.text import Line, fit_line, line_width, wrap

Builder = Callable[[int], Sequence[Line]]
"""Builds the lines for a width in cells."""


def paragraphs(texts: Sequence[str], style: str = "", margin: int = 1) -> Builder:
    """Return a builder that wraps cleaned texts, one or more lines each, with `margin` blanks at both sides."""

    def build(cells: int) -> list[Line]:
        room = max(8, cells - 2 * margin)
        return [[(" " * margin, ""), (line, style)] for text in texts for line in wrap(text, room)]

    return build


class TextBlock(Widget):
    """Lines that are built anew for each width. Height is the number of lines unless the style sheet says otherwise."""

    def __init__(self, build: Builder, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._build = build
        self._lines: list[Line] | None = None
        self._cells = -1

    def show(self, build: Builder | None = None, *, layout: bool = True) -> None:
        """Build the lines anew, by another builder if one is given; `layout=False` when the height stays.

        Lines that turn out as they were are not painted again.
        """
        if build is not None:
            self._build = build
        before, self._lines = self._lines, None
        if layout or before is None or self.lines(self._cells) != before:
            self.refresh(layout=layout)

    def lines(self, cells: int) -> list[Line]:
        """Return the lines for this width."""
        if self._lines is None or self._cells != cells:
            self._lines, self._cells = list(self._build(cells)), cells
        return self._lines

    def get_content_width(self, container: Size, viewport: Size) -> int:
        """Return the width of the widest line, for blocks with `width: auto`."""
        return max((line_width(line) for line in self.lines(container.width)), default=0)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the number of lines at this width."""
        return len(self.lines(width))

    def render_line(self, y: int) -> Strip:
        """Paint one line."""
        lines = self.lines(self.size.width)
        line = lines[y] if y < len(lines) else []
        return theme.strip(self.app, fit_line(line, self.size.width, theme.ellipsis(self.app)), self.rich_style)


class TextView(ScrollView, can_focus=True):
    """Long text that scrolls by the moving keys and the wheel."""

    BINDINGS = actions.move_bindings("up", "down", "page_up", "page_down", "first", "last")

    def __init__(self, build: Builder, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._build = build
        self._lines: list[Line] = []

    def show(self, build: Builder) -> None:
        """Show another text from its beginning."""
        self._build = build
        self._again()
        self.scroll_to(y=0, animate=False, force=True)
        self.refresh(layout=True)

    def _again(self) -> None:
        self._lines = list(self._build(self.size.width or 80))
        self.virtual_size = Size(self.size.width, len(self._lines))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the number of lines at this width."""
        return len(self._build(width or 80))

    def on_resize(self, event: events.Resize) -> None:
        """Wrap anew."""
        self._again()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Paint one line of what is in view."""
        at = y + self.scroll_offset.y
        line = self._lines[at] if at < len(self._lines) else []
        return theme.strip(self.app, fit_line(line, self.size.width, theme.ellipsis(self.app)), self.rich_style)

    def action_move(self, name: str) -> None:
        """Scroll by one of the moving verbs."""
        page = max(1, self.size.height - 1)
        top = self.scroll_offset.y
        ends = {"first": 0, "last": len(self._lines)}
        steps = {"up": -1, "down": 1, "page_up": -page, "page_down": page}
        target = ends[name] if name in ends else top + steps[name]
        self.scroll_to(y=max(0, min(target, len(self._lines) - self.size.height)), animate=False, force=True)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll three lines down."""
        event.stop()
        self.scroll_to(y=self.scroll_offset.y + 3, animate=False, force=True)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll three lines up."""
        event.stop()
        self.scroll_to(y=self.scroll_offset.y - 3, animate=False, force=True)
