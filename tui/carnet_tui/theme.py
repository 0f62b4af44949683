"""How the screens look, in the terminal's own sixteen colours or a truecolor theme; and the last border for text.

`Sanitize` is the second wall against hostile text (the first is `text.clean`): it sees every line on its way to the
terminal and takes out whatever could steer it. `NoColour` leaves attributes and drops colours.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from rich.segment import Segment
from rich.style import Style
from textual.app import App
from textual.color import Color
from textual.filter import LineFilter
from textual.strip import Strip

from carnet_tui.glyphs import STYLES, Glyphs
from carnet_tui.text import ELLIPSIS, UNSHOWN, Line

TERMINAL_THEME = "ansi-dark"
"""Its backgrounds and foregrounds are the terminal's own, so it is right on light terminals too."""

# Everything that moves a cursor, hides, or turns the direction of writing; joiners do not occur, `clean` shows them.
_STEERING = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
_ANSI = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
_VARIABLES = {1: "error", 2: "success", 3: "warning", 4: "primary", 5: "secondary", 6: "accent"}


class Sanitize(LineFilter):
    """Replace each control character of a line by a sign of one cell."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the line without anything that steers a terminal; control segments of the toolkit itself pass."""
        if not any(_STEERING.search(segment.text) for segment in segments if not segment.control):
            return segments
        return [
            segment if segment.control else Segment(_STEERING.sub(UNSHOWN, segment.text), segment.style, None)
            for segment in segments
        ]


class NoColour(LineFilter):
    """Drop every colour; bold, dim, underline and reverse stay."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the line in the terminal's default colours."""
        return [Segment(text, style and _colourless(style), control) for text, style, control in segments]


@cache
def _colourless(style: Style) -> Style:
    return style.without_color


@cache
def terminal_style(name: str) -> Style:
    """Return the style of a name of `glyphs.STYLES` in the terminal's own colours."""
    attributes, index = STYLES[name]
    return _style(attributes, None if index is None else _ANSI[index])


def _style(attributes: str, colour: str | None) -> Style:
    codes = attributes.split(";") if attributes else []
    return Style(
        color=colour,
        bold="1" in codes or None,
        dim="2" in codes or None,
        underline="4" in codes or None,
        reverse="7" in codes or None,
    )


def named_style(app: App[Any], name: str) -> Style:
    """Return the style of a name of `glyphs.STYLES` in the theme in force."""
    if app.native_ansi_color:
        return terminal_style(name)
    attributes, index = STYLES[name]
    if index is None:
        return _style(attributes, None)
    colour = Color.parse(app.theme_variables[_VARIABLES.get(index, "foreground")])
    return _style(attributes, colour.hex6)


def ellipsis(app: App[Any]) -> str:
    """Return the sign for what was cut off, in the app's set of signs."""
    known = getattr(app, "glyphs", None)
    return known.ellipsis if isinstance(known, Glyphs) else ELLIPSIS


def strip(app: App[Any], line: Line, under: Style) -> Strip:
    """Return a styled line as the toolkit paints it; `under` is the widget's own style, used by truecolor themes."""
    segments = [Segment(text, named_style(app, name)) for text, name in line]
    made = Strip(segments)
    return made if app.native_ansi_color else made.apply_style(under)


def filters(present: Sequence[LineFilter], *, colour: bool) -> list[LineFilter]:
    """Return the filters of the app: the toolkit's own, then ours, `Sanitize` last."""
    return [*present, *(() if colour else (NoColour(),)), Sanitize()]
