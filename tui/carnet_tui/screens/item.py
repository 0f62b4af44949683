"""One item on a whole screen: what is asked, the answer and what it rests on, who verified it, what is said about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.widget import Widget

from carnet_tui import frame_text
from carnet_tui.answer_dialogs import names_of
from carnet_tui.handoff_verbs import HandoffVerbs
from carnet_tui.screen import Route
from carnet_tui.text import Line, clean
from carnet_tui.views import handoff_view, item_view, words
from carnet_tui.widgets.dialogs import MessageBox
from carnet_tui.widgets.lines import TextBlock, TextView

if TYPE_CHECKING:
    from carnet_store import ItemStatus


class ItemScreen(HandoffVerbs):
    """One item of a handoff; left and right go to the neighbours."""

    CONTEXTS: ClassVar[tuple[str, ...]] = ("item",)
    PLACE = "inbox"

    def __init__(self, handoff: str, item: str) -> None:
        super().__init__(handoff)
        self.item = item
        self.looked = 0

    @property
    def current(self) -> ItemStatus | None:
        """The item shown."""
        return self.look.status.item(self.item) if self.look else None

    def crumb(self) -> str:
        """Return project, model version and item."""
        return f"{super().crumb()} / {clean(self.item)}"

    def refresh_data(self) -> None:
        """Show what is true now."""
        self.read()
        self.show_heard()

    def show_heard(self) -> None:
        """Paint the item, with what the record says to it; what one reads stays where it is."""
        for block in self.query("#head").results(TextBlock):
            block.show(layout=False)
        for view in self.query(TextView):
            at = view.scroll_offset.y
            view.show(self.body_lines)
            view.scroll_to(y=at, animate=False, force=True)
        self.refresh_chrome()

    def compose_content(self) -> Iterable[Widget]:
        """Yield head and body."""
        self.read()
        yield TextBlock(self.head_lines, id="head")
        yield TextView(self.body_lines, id="body")

    def head_lines(self, cells: int) -> list[Line]:
        """Return what the item is and how it stands."""
        one = self.current
        if one is None:
            return [[(" This handoff does not ask that item.", "bad")]]
        lines = item_view.head_lines(self.facts_of(one), cells, self.glyphs)
        return lines[:1] if frame_text.compact(*self.app.size) else lines

    def body_lines(self, cells: int) -> list[Line]:
        """Return all about the item."""
        one = self.current
        if one is None:
            return []
        return item_view.body_lines(self.facts_of(one), cells, self.project.now(), names_of(self), self.glyphs)

    def on_mount(self) -> None:
        """Read by the arrows at once; note that I looked."""
        self.query_one(TextView).focus()
        if self.look is not None and self.me:
            self.looked = self.acts().looked(f"{self.entity} {self.item}")

    def _move(self, name: str) -> None:
        """Left and right go to the neighbours."""
        if name in ("left", "right"):
            self.neighbour(-1 if name == "left" else 1)
        else:
            super()._move(name)

    def neighbour(self, step: int) -> None:
        """Go to the item before or after; `[` comes back."""
        look = self.look
        if look is None:
            return
        ids = [item.id for item in look.checklist.items]
        at = ids.index(self.item) + step if self.item in ids else -1
        if 0 <= at < len(ids):
            self.base.visit((*self.base.path[:-1], Route("item", (self.entity, ids[at]))))
        else:
            self.base.say("That was the last item." if step > 0 else "This is the first item.")

    def first_hints(self) -> Sequence[str]:
        """Return what is asked of me first."""
        one = self.current
        first = {"answered": "verify", "conflict": "settle"}.get(one.state, "answer") if one else "answer"
        order = (first, "answer", "verify", "evidence", "question", "comment", "waive", "difference", "timeline")
        # What cannot be done now stands behind what can.
        return tuple(sorted(dict.fromkeys(order), key=lambda name: self.available(name) is not None))

    def hints(self) -> list[frame_text.Hint]:
        """Return the footer; Enter does what the item waits for."""
        found = super().hints()
        return self.with_enter(found) if self.next_act() else [hint for hint in found if hint[1] != "open"]

    def available(self, action_id: str) -> str | None:
        """Return why an action cannot be done on this item."""
        if action_id == "open":
            return None if self.next_act() else "the item waits for nothing of yours"
        return super().available(action_id)

    async def do_open(self) -> None:
        """Do what the item waits for."""
        await self.action_act(self.next_act())

    def do_difference(self) -> None:
        """Show what happened to this item since my last look, and before."""
        one = self.current
        if one is None:
            return
        viewer, now = self.viewer, self.project.now()
        changes = [c for c in self.project.changes(self.entity) if c.field == self.item]
        lines = [
            f"{'* ' if t > self.looked else '  '}{words.minute(t)}  {who} {what}"
            for t, who, what in handoff_view.lately(changes, viewer.name, most=200)
        ]
        head = (
            f"New since you looked {words.since(self.looked, now)} is marked *."
            if self.looked
            else "You look for the first time."
        )
        self.flow(self._message(f"History of {clean(self.item)}", [head, "", *lines]))

    async def _message(self, title: str, lines: Sequence[str]) -> None:
        await self.ask(MessageBox(title, lines or ["Nothing happened yet."], glyphs=self.glyphs))

    def copies(self) -> Sequence[tuple[str, str]]:
        """Return what can be copied of the item."""
        one = self.current
        if one is None:
            return ()
        offers = [("code", f"{self.named()}#{clean(self.item)}"), ("digest", f"sha256:{one.digest}")]
        if one.answer is not None:
            offers.append(("change", one.answer.id))
        return (*offers, ("command", f"carnet answer {self.named()} {clean(self.item)} VALUE"))
