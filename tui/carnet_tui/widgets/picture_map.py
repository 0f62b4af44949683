"""A drawn neighbourhood as a widget: a window on the picture that follows the cursor; arrows walk along edges, Enter opens.

Where the picture is larger than the window, the last line says how much of it lies beyond, and where.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.geometry import Offset, Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from carnet_tui import actions, theme
from carnet_tui.glyphs import Glyphs
from carnet_tui.graph_layout import Spot
from carnet_tui.layers import Layers
from carnet_tui.layers_picture import Picture
from carnet_tui.text import Line, fit_line, width

EMPTY = Picture(Layers(0, [], [], [], [], [], []), ())
SIDES = (("above", "up arrow"), ("below", "down arrow"), ("left", "left arrow"), ("right", "right arrow"))
"""Where a picture goes on: word, name of the sign."""


def beyond_line(counts: Sequence[int], cells: int, glyphs: Glyphs) -> Line:
    """Return what lies beyond a window, at the right: `3 above ↑   12 below ↓`; `counts` are in the order of `SIDES`."""
    some = [(count, *side) for count, side in zip(counts, SIDES, strict=True) if count]
    for text in (
        "   ".join(f"{count:,} {word} {glyphs[sign]}" for count, word, sign in some),
        "  ".join(f"{count:,} {word}" for count, word, _ in some),
    ):
        if width(text) < cells:
            break
    return [(f"{text:>{cells - 1}} ", "dim")]


class PictureMap(Widget, can_focus=True):
    """A picture of at most a few hundred boxes. `room` gives the lines it may take; less is taken where the picture is lower."""

    DEFAULT_CSS = "PictureMap { height: auto; width: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        *actions.move_bindings("up", "down", "left", "right", "page_up", "page_down", "first", "last"),
        actions.binding("open", "open"),
    ]

    class Moved(Message):
        """The cursor came to stand on another box."""

    class Opened(Message):
        """Enter, or a click on the chosen box."""

    class Paged(Message):
        """A page key where the picture fits: it is for the text beside it. `verb` is `page_up` or `page_down`."""

        def __init__(self, verb: str) -> None:
            super().__init__()
            self.verb = verb

    def __init__(self, glyphs: Glyphs, room: Callable[[], int], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.glyphs = glyphs
        self._room = room
        self._picture = EMPTY
        self._near: dict[str, tuple[list[str], list[str]]] = {}
        self._chosen = ""
        self._corner = (-1, -1)
        """Where the window begins; -1, -1 before the first look."""

    def show(self, picture: Picture, edges: Sequence[tuple[str, str]], chosen: str = "") -> None:
        """Show a picture; `edges` are (key, key) from left to right, `chosen` is the key of the box to stand on."""
        self._picture = picture
        self._near = {spot.key: ([], []) for spot in picture.spots}
        for first, last in edges:
            self._near[last][0].append(first)
            self._near[first][1].append(last)
        first_key = next((spot.key for spot in picture.spots), "")
        self._chosen = chosen if picture.spot(chosen) is not None else first_key
        self._corner = (-1, -1)
        self.refresh(layout=True)
        self.call_after_refresh(self._follow)

    @property
    def chosen(self) -> str:
        """Key of the box the cursor stands on, empty where there is none."""
        return self._chosen

    def choose(self, key: str) -> bool:
        """Put the cursor on a box; False when there is none."""
        if self._picture.spot(key) is None:
            return False
        self._go(key)
        return True

    # Painting

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the lines of the picture, one more where it is too wide, at most the room there is."""
        return max(1, min(self._picture.height + self._is_wider(width), self._room()))

    def _is_wider(self, cells: int) -> bool:
        return self._picture.width - 1 > cells  # a blank stands behind the last names

    @property
    def window(self) -> tuple[int, int]:
        """Cells and lines of the window: a line less than there are where something lies beyond it."""
        cells, lines = self.size
        beyond = self._is_wider(cells) or self._picture.height > lines
        return cells, lines - 1 if beyond and lines > 1 else lines

    def _follow(self) -> None:
        """Move the window as little as shows the cursor's box, at first to where it is in the middle; the terminal's own cursor goes onto it."""
        cells, lines = self.window
        spot = self._picture.spot(self._chosen)
        if not cells or not lines or spot is None:
            return
        before = self._corner
        if before == (-1, -1):
            self._corner = (spot.column - max(0, cells - spot.cells) // 2, spot.row - lines // 2)
        self._corner = self._picture.window(self._chosen, cells, lines, *self._corner)
        if self._corner != before:
            self.refresh()
        if self.has_focus:
            x, y = self._corner
            at = Offset(max(0, spot.column - x), max(0, spot.row - y))
            self.app.cursor_position = Offset(self.content_region.x + at.x, self.content_region.y + at.y)

    def render_line(self, y: int) -> Strip:
        """Paint one line of the window."""
        cells, lines = self.window
        left, top = max(0, self._corner[0]), max(0, self._corner[1])
        line: Line = []
        if y < lines and top + y < self._picture.height:
            (line,) = self._picture.frame(left, top + y, cells, 1, chosen=self._chosen, focused=self.has_focus)
        elif y == lines < self.size.height:
            line = beyond_line(self._picture.beyond(left, top, cells, lines), cells, self.glyphs)
        return theme.strip(self.app, fit_line(line, cells, self.glyphs.ellipsis), self.rich_style)

    def on_resize(self, event: events.Resize) -> None:
        """Keep the cursor's box in the window."""
        self._follow()

    def on_focus(self) -> None:
        """Show the chosen box as the object of every key."""
        self._follow()
        self.refresh()

    def on_blur(self) -> None:
        """Show that keys go elsewhere."""
        self.refresh()

    # Keys and mouse

    def _go(self, key: str) -> None:
        if key != self._chosen:
            self._chosen = key
            self._follow()
            self.refresh()
            self.post_message(self.Moved())

    def action_move(self, name: str) -> None:
        """Walk: left and right along the edges, up and down within the column, pages by the height of the window."""
        spot = self._picture.spot(self._chosen)
        if spot is None:
            return
        if name in ("page_up", "page_down") and self._picture.height <= self.window[1]:
            self.post_message(self.Paged(name))
            return
        if name in ("left", "right"):
            self._along(spot, name)
            return
        column = sorted((one for one in self._picture.spots if one.column == spot.column), key=lambda one: one.row)
        steps = {"up": -1, "down": 1}
        if name in steps:
            at = column.index(spot) + steps[name]
        elif name in ("page_up", "page_down"):
            goal = spot.row + (self.window[1] - 1) * (1 if name == "page_down" else -1)
            at = column.index(min(column, key=lambda one: abs(one.row - goal)))
        else:
            at = 0 if name == "first" else len(column) - 1
        self._go(column[max(0, min(at, len(column) - 1))].key)

    def _along(self, spot: Spot, name: str) -> None:
        """Follow an edge to the nearest of its other ends; there may be none."""
        ends = self._near[spot.key][0 if name == "left" else 1]
        spots = [one for one in map(self._picture.spot, ends) if one is not None]
        if not spots:
            return
        self._go(min(spots, key=lambda one: (abs(one.row - spot.row), abs(one.column - spot.column))).key)

    def action_open(self) -> None:
        """Open the chosen box."""
        if self._chosen:
            self.post_message(self.Opened())

    def on_click(self, event: events.Click) -> None:
        """Choose the box under the pointer; open it when it is chosen already."""
        if event.y >= self.window[1]:
            return
        x, y = event.x + max(0, self._corner[0]), event.y + max(0, self._corner[1])
        for spot in self._picture.spots:
            if spot.row == y and spot.column <= x < spot.column + spot.cells:
                event.stop()
                if spot.key == self._chosen:
                    self.action_open()
                else:
                    self._go(spot.key)
                return
