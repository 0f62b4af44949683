"""The one-hop map as a widget: arrows walk its nodes, Enter opens the one the cursor stands on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.geometry import Offset, Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from carnet_tui import actions, graph_layout, theme
from carnet_tui.glyphs import Glyphs
from carnet_tui.graph_layout import THIS, Leaf, Map, Spot
from carnet_tui.text import fit_line


class FocusMap(Widget, can_focus=True):
    """A node with what it came from and what uses it. `room` gives the lines it may take."""

    DEFAULT_CSS = "FocusMap { height: auto; width: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        *actions.move_bindings("up", "down", "left", "right", "page_up", "page_down", "first", "last"),
        actions.binding("open", "open"),
    ]

    class Moved(Message):
        """The cursor came to stand on another spot."""

    class Opened(Message):
        """Enter, or a click on the chosen spot."""

    class Paged(Message):
        """A page key: siblings fit the map, so it is for the text beside it. `verb` is `page_up` or `page_down`."""

        def __init__(self, verb: str) -> None:
            super().__init__()
            self.verb = verb

    def __init__(self, glyphs: Glyphs, room: Callable[[], int], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.glyphs = glyphs
        self._room = room
        self._this = Leaf("", "", "")
        self._ups: Sequence[Leaf] = ()
        self._downs: Sequence[Leaf] = ()
        self._totals = (0, 0)
        self._folds: Mapping[str, Mapping[str, int]] = {}
        self._bad: Mapping[str, Mapping[str, int]] = {}
        self._chosen = THIS
        self._back = {"up": "", "down": ""}
        self._drawn: tuple[tuple[object, ...], Map] | None = None

    def show(
        self, this: Leaf, ups: Sequence[Leaf], downs: Sequence[Leaf], totals: tuple[int, int], chosen: str = THIS,
        folds: Mapping[str, Mapping[str, int]] | None = None, bad: Mapping[str, Mapping[str, int]] | None = None,
    ) -> None:  # fmt: skip
        """Show a node with its neighbours; `totals` are how many there are in all, `folds` tell by side and kind what is not at hand."""
        self._this, self._ups, self._downs, self._totals = this, ups, downs, totals
        self._folds, self._bad = folds or {}, bad or {}
        self._chosen, self._drawn, self._back = chosen, None, {"up": "", "down": ""}
        self.refresh(layout=True)
        self.call_after_refresh(self._point)

    @property
    def chosen(self) -> str:
        """Key of the spot the cursor stands on: a neighbour's, `graph_layout.THIS`, or a fold's."""
        return self._chosen

    def drawn(self, cells: int) -> Map:
        """Return the map for a width."""
        state = (cells, self._room(), self._chosen, self.has_focus)
        if self._drawn is None or self._drawn[0] != state:
            made = graph_layout.draw(
                self._this, self._ups, self._downs, cells=cells, rows=self._room(), chosen=self._chosen,
                ups_total=self._totals[0], downs_total=self._totals[1], plain=self.glyphs.plain,
                ellipsis=self.glyphs.ellipsis, focused=self.has_focus, folds=self._folds, bad=self._bad,
            )  # fmt: skip
            if made.spot(self._chosen) is None:  # folded away in this size
                self._chosen = THIS
                return self.drawn(cells)
            self._drawn = (state, made)
        return self._drawn[1]

    def hidden(self, side: str) -> dict[str, int]:
        """Return what the fold of a side stands for: how many of which kind; the empty kind where they were not told apart."""
        drawn = {spot.key for spot in self.drawn(self.size.width).spots}
        found = Counter(one.kind for one in (self._ups if side == "up" else self._downs) if one.key not in drawn)
        for kind, count in self._folds.get(side, {}).items():
            found[kind] += count
        return dict(found)

    def leaf(self, key: str) -> Leaf | None:
        """Return a neighbour by its key."""
        return next((one for one in (*self._ups, *self._downs) if one.key == key), None)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the lines of the map."""
        return len(self.drawn(width or 80).lines)

    def render_line(self, y: int) -> Strip:
        """Paint one line of the map."""
        cells = self.size.width
        lines = self.drawn(cells).lines
        line = lines[y] if y < len(lines) else []
        return theme.strip(self.app, fit_line(line, cells, self.glyphs.ellipsis), self.rich_style)

    def on_focus(self) -> None:
        """Show the chosen node as the object of every key."""
        self._point()
        self.refresh()

    def on_blur(self) -> None:
        """Show that keys go elsewhere."""
        self.refresh()

    def _point(self) -> None:
        spot = self.drawn(self.size.width).spot(self._chosen) if self.size.width else None
        if spot is not None and self.has_focus:
            self.app.cursor_position = Offset(self.content_region.x + spot.column, self.content_region.y + spot.row)

    def _choose(self, spot: Spot) -> None:
        if spot.key != self._chosen:
            if spot.side in self._back:
                self._back[spot.side] = spot.key
            self._chosen = spot.key
            self.refresh()
            self._point()
            self.post_message(self.Moved())

    def action_move(self, name: str) -> None:
        """Walk: left to where it came from, right to what uses it, up and down among siblings."""
        if name in ("page_up", "page_down"):
            self.post_message(self.Paged(name))
            return
        made = self.drawn(self.size.width)
        at = made.spot(self._chosen)
        if at is None:
            return
        beside = self.size.width >= graph_layout.COLUMNS_FROM
        if name in ("left", "right") and beside:
            order = ("up", THIS, "down")
            place = order.index(at.side) + (1 if name == "right" else -1)
            if 0 <= place < 3:
                self._enter(made, order[place], at.row)
            return
        row = made.side(at.side) if beside else list(made.spots)
        where = row.index(at)
        steps = {"up": -1, "down": 1, "left": -1, "right": 1}
        target = where + steps[name] if name in steps else 0 if name == "first" else len(row) - 1
        self._choose(row[max(0, min(target, len(row) - 1))])

    def _enter(self, made: Map, side: str, row: int) -> None:
        spots = made.side(side)
        if not spots:
            return
        before = made.spot(self._back.get(side, "")) if side in self._back else None
        self._choose(before if before is not None else min(spots, key=lambda one: abs(one.row - row)))

    def action_open(self) -> None:
        """Open the chosen node."""
        self.post_message(self.Opened())

    def on_click(self, event: events.Click) -> None:
        """Choose the node under the pointer; open it when it is chosen already."""
        for spot in self.drawn(self.size.width).spots:
            if spot.row == event.y and spot.column <= event.x < spot.column + spot.cells:
                event.stop()
                if spot.key == self._chosen:
                    self.action_open()
                else:
                    self._choose(spot)
                return
