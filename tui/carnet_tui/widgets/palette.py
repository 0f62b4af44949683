"""The command palette (`:`): every action, place and code by name."""

from __future__ import annotations

from dataclasses import dataclass

from carnet_tui import actions
from carnet_tui.screen import CarnetScreen, Path, Route
from carnet_tui.text import Line, clean, fit_line, pad
from carnet_tui.widgets.line_list import Rows, RowSource
from carnet_tui.widgets.sheet import Finder

CODES_AT_MOST = 50
SEARCH = "search"


@dataclass(frozen=True, slots=True)
class Offer:
    """Something the palette can do: an action by id, going to `path`, or looking for what was `sought`."""

    key: str
    name: str
    note: str
    shown_keys: str = ""
    reason: str = ""
    path: Path = ()
    sought: str = ""


@dataclass(frozen=True, slots=True)
class Sought:
    """A text to look for in all that is recorded."""

    text: str


class Palette(Finder[Offer, str | Path | Sought]):
    """The palette; its result is the id of an action, a path to go to, or what to look for everywhere."""

    def __init__(self, screen: CarnetScreen) -> None:
        glyphs = screen.base.glyphs
        offers = list_offers(screen)

        def source(typed: str) -> RowSource[Offer]:
            wanted = typed.casefold().split()
            found = [o for o in offers if all(word in f"{o.name} {o.note}".casefold() for word in wanted)]
            # A name that starts as typed stands before a sentence that merely holds the word.
            found.sort(key=lambda offer: not offer.name.casefold().startswith(typed.casefold()))
            if typed:
                codes = screen.base.codes(typed)[:CODES_AT_MOST]
                found += [Offer(f"code {code}", clean(code), clean(title), path=path) for code, title, path in codes]
                if typed.strip() and screen.base.can_search:
                    said = f"In everything that was said and recorded: {clean(typed.strip())}"
                    found.append(Offer(SEARCH, "find everywhere", said, sought=typed.strip()))
            return Rows(found, lambda offer: offer.key)

        def line(offer: Offer, cells: int) -> Line:
            note = f"not now: {offer.reason}" if offer.reason else offer.note
            return fit_line(
                [
                    (pad(offer.name, 18, "<", glyphs.ellipsis) + " ", "bold"),
                    (pad(offer.shown_keys, 7) + " ", "key"),
                    (note, "warn" if offer.reason else "dim"),
                ],
                cells,
                glyphs.ellipsis,
            )

        super().__init__(
            "Command", source, line, lambda offer: offer.key, glyphs=glyphs, verb="do it",
            empty="No action, place or code is called that.",
        )  # fmt: skip

    def take(self, row: Offer | None) -> None:
        """Leave with what was chosen, unless it cannot be done now."""
        if row is None:
            return
        if row.reason:
            self.complain(f"Cannot {row.name} now: {row.reason}.")
        else:
            self.dismiss(Sought(row.sought) if row.sought else row.path or row.key)


def list_offers(screen: CarnetScreen) -> list[Offer]:
    """Return the actions of this screen, then the places."""
    keymap = screen.base.keymap
    offers = []
    for action in screen.actions_here():
        if action.id in ("palette", "leave") or action.group == "move":
            continue
        key = actions.shown_key(keymap.first(action.id), screen.base.glyphs["enter"])
        offers.append(Offer(action.id, action.verb, action.help, key, screen.available(action.id) or ""))
    for place in actions.PLACES:
        offers.append(
            Offer(f"place {place.id}", place.title, f"Go to {place.title}.", place.key, path=(Route(place.id),))
        )
    return offers
