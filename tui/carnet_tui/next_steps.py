"""What an error says to do next, on a screen: the store advises commands, and here a key does the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ON_SCREEN: Final[Mapping[str, str]] = {
    "`carnet list` shows what there is": "/ in the lineage finds whatever there is",
    "`carnet handoff show` lists its items": "the handoff lists its items",
    "carnet recall shows what is": "status:recalled, after / in the lineage, lists what is",
    "carnet people list": "people, in the palette (:), shows who belongs to the project",
    "carnet people list shows those that are open": "people, in the palette (:), shows those that are open",
    "carnet people admit NAME": "admit, in the palette (:), does it",
    "carnet handoff seal": "seal, in the palette (:) of the handoff, does it",
    "carnet find WORD ...": "type a word",
}
"""A hint of the store -> what one presses instead. What no key does stays the command that does it."""


def on_screen(hint: str) -> str:
    """Return what to do next, as a screen says it."""
    return ON_SCREEN.get(hint, hint)
