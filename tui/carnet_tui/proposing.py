"""What the record says to the items of a handoff: heard off the loop, kept while the record stays as it is, taken after a look.

Nothing here is an answer before somebody who holds the answering role took it. What was shown is what is written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from carnet_store.domain.filling import Proposal
from carnet_store.errors import CarnetError
from carnet_tui.answer_dialogs import names_of
from carnet_tui.handoff_desk import HandoffDesk
from carnet_tui.screen import still_here
from carnet_tui.text import clean, plural
from carnet_tui.views import item_view, proposal_view, words

if TYPE_CHECKING:
    from carnet_store import ItemStatus
    from carnet_tui.widgets.lines import Builder

KEPT = 16
"""Handoffs of which is kept what the record says to them."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What the record says to a handoff's items, answered ones too, when it had `at` events."""

    at: int
    says: Mapping[str, Proposal] = field(default_factory=dict)


class RecordSays(HandoffDesk):
    """A screen about a handoff that knows what the record answers to its items."""

    def __init__(self, handoff: str) -> None:
        super().__init__(handoff)
        self.heard: Heard | None = None
        """What was heard last; None while nothing was heard yet."""
        self._asked = -1
        self._asking = 0
        self._told = asyncio.Event()

    # Hearing

    def read(self) -> None:
        """Look at the handoff anew, and hear off the loop what the record says to it now."""
        super().read()
        look = self.look
        if look is None or not any(item.fills for item in look.checklist.items):
            self.heard = Heard(0)
            return
        at = self.project.ledger.count()
        kept = self.carnet.heard.get(self._place)
        if kept is not None:  # what was said before stands until the new is heard: nothing flickers
            self.heard = kept
        if (kept is None or kept.at != at) and self._asked != at:
            self._asked = at
            self._asking += 1
            self._told.clear()
            self.run_worker(self._hear(), group="hearing")

    @property
    def _place(self) -> str:
        """Where this handoff is kept: replicas of one project may be at different points."""
        return f"{self.desk.store.root}\x1f{self.entity}"

    async def _hear(self) -> None:
        ledger, handoff = self.project.id, self.entity

        def call() -> Heard:
            from carnet_store.starting import proposals

            try:
                with self.desk.clone() as desk:
                    project = desk.store.project(ledger)
                    at = project.ledger.count()
                    return Heard(at, proposals(project, project.look(handoff), answered=True))
            except CarnetError:
                # A pack that is not here, a busy store: nothing is proposed, and the screen says the rest.
                return Heard(-1)

        heard = await self.aside(call)
        before, self.heard = self.heard, heard
        kept = self.carnet.heard
        kept.pop(self._place, None)
        kept[self._place] = heard
        while len(kept) > KEPT:
            kept.pop(next(iter(kept)))
        self._asking -= 1
        if not self._asking:
            self._asked = -1
            self._told.set()
        if still_here(self) and (before is None or before.says != heard.says):
            self.show_heard()

    def show_heard(self) -> None:
        """Paint what the record says."""
        self.refresh_chrome()

    # What it says

    def proposed(self) -> dict[str, Proposal]:
        """Return what the record answers to items that nobody answered yet, by item, in the checklist's order."""
        if self.heard is None or self.look is None:
            return {}
        says = self.heard.says
        return {
            one.item.id: says[one.item.id] for one in self.look.status.items if one.item.id in says and not one.answers
        }

    def proposed_to_me(self) -> dict[str, Proposal]:
        """Return those of them whose item I answer, and did not begin to answer otherwise."""
        roles, drafted = self.my_roles(), self.drafted()
        asked = {item.id: item.answers for item in self.the_look().checklist.items} if self.look else {}
        return {item: one for item, one in self.proposed().items() if asked[item] in roles and item not in drafted}

    async def proposal_to(self, one: ItemStatus) -> Proposal | None:
        """Return what the record says to an item that nobody answered, once it was heard."""
        if not one.item.fills or one.answers:
            return None
        if self._asking:
            await self._told.wait()
        return self.proposed().get(one.item.id)

    def facts_of(self, one: ItemStatus) -> item_view.ItemFacts:
        """Return all that is said about an item, by the record too."""
        return replace(super().facts_of(one), says=self.says_of(one))

    def says_of(self, one: ItemStatus) -> item_view.Says | None:
        """Return what the record says to an item that is open, or whose answer was taken from it."""
        found = self.heard.says.get(one.item.id) if self.heard is not None else None
        if one.answers:
            known = self.heard is not None and self.heard.at >= 0 and bool(one.item.fills)
            taken = one.value is not None and bool(one.value.get("filled"))
            return item_view.Says(found, known=known) if taken else None
        return item_view.Says(found, mine=one.item.answers in self.my_roles()) if found is not None else None

    # Taking

    def available(self, action_id: str) -> str | None:
        """Return why an action cannot be done now."""
        if action_id == "take_proposals" and self.look is not None:
            return self.why_not_take()
        return super().available(action_id)

    def why_not_take(self) -> str | None:
        """Return why nothing can be taken now."""
        if self._asking and self.heard is None:
            return "what the record says is being read"
        if self.proposed_to_me():
            return None
        others = self.proposed()
        if not others:
            return "the record answers no open item"
        drafted = self.drafted() & set(others)
        return "you have drafts of what it answers" if drafted else "what it answers is not yours to answer"

    def do_take_proposals(self) -> None:
        """Show what the record answers of mine, and write it as one record on Enter."""
        self.flow(self._take_all())

    async def _take_all(self) -> None:
        if self._asking:  # what is shown is what the record says now
            await self._told.wait()
        why_not = self.why_not_take()
        if why_not is not None:
            self.base.say(f"Nothing was written: {why_not}.")
            return
        found = self.proposed_to_me()
        after = "Recorded, not signed: another person verifies each. u on an item takes it back until it was exported."
        title = f"Answer {plural(len(found), 'item')} by what the record says"
        if await self.preview(title, self.taking(), verb="take them", after=after):
            values = {item: dict(one.value) for item, one in found.items()}
            if await self.write(lambda acts: acts.answer(self.entity, values)) is not None:
                self.refresh_data()
        else:
            self.base.say("Nothing was written.")

    def taking(self) -> Builder:
        """Return a builder of what would be written where all that is mine is taken."""
        look = self.the_look()
        rows = [(look.checklist.item(item), one) for item, one in self.proposed_to_me().items()]
        return proposal_view.taking(rows, names_of(self), clean(self.desk.i().name), self.left_out())

    def left_out(self) -> list[str]:
        """Return in words what the record answers and I do not take: other roles', and what I have a draft of."""
        look, mine, drafted = self.the_look(), self.proposed_to_me(), self.drafted()
        left = []
        for item in self.proposed():
            asked = look.checklist.item(item)
            if item in mine or asked is None:
                continue
            why = (
                "you have a draft"
                if item in drafted and asked.answers in self.my_roles()
                else words.role(asked.answers)
            )
            left.append(f"{clean(item)} ({why})")
        return left
