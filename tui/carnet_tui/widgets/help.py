"""Help (`?`): the keys of this screen, filtered while one types, done by Enter; what does not work now says why."""

from __future__ import annotations

from dataclasses import dataclass

from carnet_tui import actions
from carnet_tui.actions import Action
from carnet_tui.screen import CarnetScreen
from carnet_tui.text import Line, fit_line, pad
from carnet_tui.widgets.sheet import Finder, matching

WEIGHTS = {
    "none": "",
    "draft": "draft",
    "record": "record",
    "signoff": "digest",
}
HEADS = {
    "act": "DO",
    "look": "LOOK",
    "go": "GO",
    "app": "CARNET",
    "place": "PLACES",
    "move": "MOVE",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of help: an action with its keys and why it does not work now, or a head (`action` None)."""

    action: Action | None
    head: str = ""
    keys: str = ""
    reason: str = ""


class Help(Finder[Entry, str]):
    """The help sheet; its result is the id of the action to do."""

    def __init__(self, screen: CarnetScreen) -> None:
        glyphs = screen.base.glyphs
        entries = list_actions(screen)

        def key(entry: Entry) -> str | None:
            return entry.action.id if entry.action is not None else None

        def words(entry: Entry) -> str:
            one = entry.action
            return f"{entry.keys} {one.verb} {one.help} {one.id}" if one is not None else ""

        def line(entry: Entry, cells: int) -> Line:
            return entry_line(entry, cells, glyphs.ellipsis)

        super().__init__(
            "Keys that work here", matching(entries, key, words), line, key, glyphs=glyphs, verb="do it",
            empty="No key does that here. : does anything by name.",
        )  # fmt: skip

    def take(self, row: Entry | None) -> None:
        """Leave with the action, unless it cannot be done now."""
        if row is None or row.action is None:
            return
        if row.reason:
            self.complain(f"Cannot {row.action.verb} now: {row.reason}.")
        else:
            self.dismiss(row.action.id)


def list_actions(screen: CarnetScreen) -> list[Entry]:
    """Return what works on a screen, grouped under heads."""
    keymap = screen.base.keymap
    here = [*screen.actions_here(), *(a for a in actions.ACTIONS if a.group in ("place", "move"))]
    out: list[Entry] = []
    for group, head in HEADS.items():
        some = [action for action in here if action.group == group]
        if some:
            out.append(Entry(None, head))
        for action in some:
            keys = " ".join(actions.shown_key(key, screen.base.glyphs["enter"]) for key in keymap.of(action.id))
            out.append(Entry(action, keys=keys, reason=screen.available(action.id) or ""))
    return out


def entry_line(entry: Entry, cells: int, ellipsis: str) -> Line:
    """Return a line of help."""
    action = entry.action
    if action is None:
        what = "   draft: private, undoable   record: shown first, Enter writes   digest: typed to sign"
        return fit_line([(entry.head, "title"), (what if entry.head == HEADS["act"] else "", "dim")], cells, ellipsis)
    line: Line = [
        (pad(entry.keys, 10, "<", ellipsis) + " ", "key"),
        (pad(action.verb, 13, "<", ellipsis) + " ", ""),
        (pad(WEIGHTS[action.weight], 6) + " ", "info" if action.weight == "signoff" else "dim"),
    ]
    if entry.reason:
        line.append((f"not now: {entry.reason}", "warn"))
    else:
        line.append((action.help, "dim"))
    return fit_line(line, cells, ellipsis)
