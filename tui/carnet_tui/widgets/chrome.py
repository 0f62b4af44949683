"""The furniture around every screen: header and tabs above, rule, status and keys below.

Both paint what `frame_text` builds, so the first frame and the live screen cannot differ. Tabs and keys answer the
mouse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual import events
from textual.message import Message

from carnet_tui import frame_text
from carnet_tui.frame_text import Chrome, Hint
from carnet_tui.glyphs import Glyphs
from carnet_tui.text import Line, width
from carnet_tui.widgets.lines import TextBlock


class Pressed(Message):
    """Something in the furniture was clicked: a place's id, or the key and verb of a hint."""

    def __init__(self, place: str = "", hint: Hint | None = None) -> None:
        super().__init__()
        self.place = place
        self.hint = hint


class Top(TextBlock):
    """Header, tabs and a rule; the header alone on a small terminal."""

    def __init__(self, chrome: Callable[[], Chrome], glyphs: Glyphs) -> None:
        super().__init__(self._lines_now)
        self._chrome = chrome
        self._glyphs = glyphs

    def _lines_now(self, cells: int) -> list[Line]:
        chrome = self._chrome()
        small = frame_text.compact(*self.app.size)
        return [
            frame_text.header(chrome, cells, self._glyphs, small),
            frame_text.tabs(chrome.place, cells, self._glyphs),
            frame_text.rule(cells, self._glyphs),
        ]

    def on_click(self, event: events.Click) -> None:
        """Go to the place under the pointer."""
        if event.y == 1:
            word = _at(self.lines(self.size.width)[1], event.x)
            for name, key, title in frame_text.PLACES:
                if word in (key, title, f"{key} {title}"):
                    self.post_message(Pressed(place=name))


class Bottom(TextBlock):
    """A rule (which says DEMO in a demo store), the status line, and the keys that work here.

    On a small terminal there is one line: the keys, or the last result until the next key is pressed.
    """

    def __init__(self, chrome: Callable[[], Chrome], hints: Callable[[], Sequence[Hint]], glyphs: Glyphs) -> None:
        super().__init__(self._lines_now)
        self._chrome = chrome
        self._hints = hints
        self._glyphs = glyphs
        self.fresh = False
        """Whether the status sentence has not been seen yet."""

    def _lines_now(self, cells: int) -> list[Line]:
        chrome, hints = self._chrome(), self._hints()
        if frame_text.compact(*self.app.size):
            if (self.fresh or chrome.working) and chrome.status:
                return [frame_text.status(chrome, cells, self._glyphs)]
            return [frame_text.footer(hints, cells, self._glyphs, frame_text.KEYS_WHEN_COMPACT)]
        return [
            frame_text.lower_rule(chrome, cells, self._glyphs),
            frame_text.status(chrome, cells, self._glyphs),
            frame_text.footer(hints, cells, self._glyphs),
        ]

    def on_click(self, event: events.Click) -> None:
        """Do what the hint under the pointer says."""
        lines = self.lines(self.size.width)
        if event.y != len(lines) - 1:
            return
        word = _at(lines[-1], event.x)
        for hint in self._hints():
            key = self._glyphs.shown(hint[0])
            if word and (word in (key, hint[1]) or word.startswith(f"{key} {hint[1]} [")):
                self.post_message(Pressed(hint=hint))
                return


def _at(line: Line, x: int) -> str:
    for text, _ in line:
        x -= width(text)
        if x < 0:
            return text.strip()
    return ""
