"""What one does on one item beside answering it: its next act by Enter, the verdict asked for, findings raised and closed.

A finding is something wrong with an item, of a severity. It keeps no gate shut by itself, but it belongs to what a sign-off
covers: raising or closing one turns sign-offs on the item stale. Its author closes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from carnet_tui import actions
from carnet_tui.answer_dialogs import names_of
from carnet_tui.proposing import RecordSays
from carnet_tui.text import clean, fit
from carnet_tui.views import item_view, words
from carnet_tui.views.handoff_view import is_mine
from carnet_tui.widgets.chrome import Pressed
from carnet_tui.widgets.dialogs import VERDICTS, Choice, LongPrompt, Picker, Reason
from carnet_tui.widgets.lines import paragraphs

if TYPE_CHECKING:
    from carnet_store import Change, ItemStatus
    from carnet_tui.frame_text import Hint

NEXT_ACT = {"answered": "verify", "conflict": "settle", "unconfirmed": "confirm"}
"""State of an item -> the action that brings it on; in every other state it is answered."""
SEVERITIES = (
    ("major", "major", "has to be mended, or accepted by somebody"),
    ("blocker", "blocker", "must not cross like this"),
    ("minor", "minor", "worth knowing"),
)
"""Severity of a finding as recorded, its word, what it says. The usual one stands first."""
FINDING = ("", "raise a finding", "finding")
"""The way of the verdict's menu that says more than agree or disagree."""


class ItemVerbs(RecordSays):
    """A screen about a handoff that knows what comes next on an item."""

    # The next act

    def next_act(self) -> str:
        """Return the action that is asked of me on the item under the cursor; empty where none is, or it cannot be done."""
        one = self.current
        if one is None or self.look is None or not is_mine(one, self.viewer, self.look.handoff.assigned):
            return ""
        name = NEXT_ACT.get(one.state, "answer")
        return "" if self.available(name) else name

    def enter_hint(self) -> Hint:
        """Return what Enter does on the item: its next act, named with that act's own key; else `open`."""
        keymap, name = self.base.keymap, self.next_act() or "open"
        keys = dict.fromkeys((keymap.first("open"), keymap.first(name)))
        return " ".join(actions.shown_key(key) for key in keys if key), actions.BY_ID[name].verb, ""

    def with_enter(self, found: list[Hint]) -> list[Hint]:
        """Return a footer that begins with Enter, and says nothing twice."""
        first = self.enter_hint()
        return [first, *(hint for hint in found if hint[1] not in (first[1], actions.BY_ID["open"].verb))]

    def on_pressed(self, message: Pressed) -> None:
        """Do what was clicked; Enter may stand beside the key of what it does."""
        enter = actions.shown_key(self.base.keymap.first("open"))
        if message.hint is not None and enter and message.hint[0].startswith(enter):
            message.stop()
            self.call_later(self.action_act, "open")
        else:
            super().on_pressed(message)

    # The verdict

    async def ask_verdict(self, one: ItemStatus) -> tuple[bool, str] | None:
        """Ask whether I agree, and why not; None where I left, or wrote a finding instead."""
        title = f"{clean(one.item.id)}  {clean(one.item.title)}"
        about = item_view.value_lines(one.item, one.value or {}, names_of(self), self.size.width - 2)[:8]
        ways = [*VERDICTS, FINDING]
        way = await self.ask(Choice(title, ways, glyphs=self.glyphs, about=about, note="verify the answer"))
        if way == "finding":
            await self._finding(one)
        if way is None or way == "finding":
            return None
        if way == "agree":
            return True, ""
        reason = await self.ask(
            Reason(title, glyphs=self.glyphs, about=["You disagree with this answer."], verb="go on")
        )
        return None if reason is None else (False, reason.strip())

    # Findings

    def own_findings(self, one: ItemStatus) -> list[Change]:
        """Return my open findings on an item, newest first."""
        found = self.the_look().handoff.findings.get(one.item.id, ())
        return sorted((c for c in found if c.person == self.me), key=lambda c: -c.t)

    def _why_not_close_finding(self, one: ItemStatus) -> str | None:
        found = self.the_look().handoff.findings.get(one.item.id, ())
        if self.own_findings(one):
            return None
        who = list(dict.fromkeys(self.viewer.name(c.person) for c in found))
        return f"{words.listed(who)} closes it" if who else "no finding is open here"

    def do_finding(self) -> None:
        """Raise a finding on the item under the cursor."""
        one = self.current
        if one is not None:
            self.flow(self._finding(one))

    async def _finding(self, one: ItemStatus) -> None:
        title = f"A finding on {clean(one.item.id)}"
        text = await self.ask(
            LongPrompt(title, glyphs=self.glyphs, about=[clean(one.item.title), "What did you find wrong with it?"],
                       verb="go on", check=lambda t: "" if t.strip() else "It needs a text: what is wrong, and where.")
        )  # fmt: skip
        if text is None:
            return
        severity = await self.ask(Picker("How bad is it?", SEVERITIES, glyphs=self.glyphs))
        if severity is None:
            return
        first, *rest = (clean(line) for line in text.strip().split("\n"))
        lines = [f"{clean(one.item.id)}  {clean(one.item.title)}", "", f"{severity[1]}: {first}", *rest]
        lines += ["", f"by {clean(self.desk.i().name)}", self._stale_words(one)]
        after = "It keeps no gate shut by itself: disagree, or return the package, for that. You close it."
        if await self.preview("Write this finding", paragraphs(lines), after=after):
            await self.write(lambda acts: acts.raise_finding(self.entity, one.item.id, text.strip(), severity[0]))
            self.refresh_data()

    def do_close_finding(self) -> None:
        """Close a finding of mine on the item under the cursor."""
        one = self.current
        if one is not None:
            self.flow(self._close_finding(one))

    async def _close_finding(self, one: ItemStatus) -> None:
        found = self.own_findings(one)
        change = found[0]
        if len(found) > 1:
            rows = [
                (c.id, _said(c), f"{getattr(c.value, 'severity', '')}, {words.ago(c.t, self.project.now())}")
                for c in found
            ]
            chosen = await self.ask(Picker("Close which finding?", rows, glyphs=self.glyphs))
            if chosen is None:
                return
            change = next(c for c in found if c.id == chosen[0])
        title = f"Close a finding on {clean(one.item.id)}"
        text = await self.ask(
            LongPrompt(title, glyphs=self.glyphs, about=[fit(_said(change), 300, self.glyphs.ellipsis), "How was it settled?"],
                       verb="go on", check=lambda t: "" if t.strip() else "Say how it was settled.")
        )  # fmt: skip
        if text is None:
            return
        lines = [f"{clean(one.item.id)}  {clean(one.item.title)}", "", f"found: {_said(change)}"]
        lines += [f"settled: {clean(text.strip())}", "", self._stale_words(one)]
        if await self.preview("Close this finding", paragraphs(lines), verb="close it"):
            await self.write(lambda acts: acts.close_finding(self.entity, change.id, text.strip()))
            self.refresh_data()

    def _stale_words(self, one: ItemStatus) -> str:
        """Return whose sign-offs a finding here turns stale."""
        fresh = [s for s in self.the_look().status.signoffs if s.fresh and one.item.id in s.predicate.covers]
        who = [self.viewer.name(s.change.person) for s in fresh]
        return (
            f"turns stale: the sign-off of {words.listed(list(dict.fromkeys(who)))}"
            if who
            else "no sign-off that stands covers it"
        )


def _said(change: Change) -> str:
    return clean(" ".join(str(getattr(change.value, "text", "")).split()))
