"""A sheet of styled lines to read; nothing is written by it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from carnet_tui.frame_text import Hint
from carnet_tui.glyphs import Glyphs
from carnet_tui.widgets.lines import Builder, TextView
from carnet_tui.widgets.sheet import Sheet


class ReadSheet(Sheet[None]):
    """Lines that scroll; Enter or esc closes."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "leave", show=False, priority=True)]

    def __init__(self, title: str, build: Builder, *, glyphs: Glyphs, note: str = "") -> None:
        super().__init__(title, glyphs=glyphs, note=note)
        self._build = build

    def compose_sheet(self) -> Iterable[Widget]:
        """Yield the lines."""
        yield TextView(self._build)

    def hints(self) -> Sequence[Hint]:
        """Return how to scroll and to leave."""
        return [("↑↓", "scroll", ""), ("⏎", "close", ""), ("esc", "close", "")]
