"""What one does on a handoff and its items, the same on every screen: answer, verify, waive, seal, sign, return, undo."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from carnet_store.domain.gate import verifier_of
from carnet_store.domain.judging import judge, problems
from carnet_tui.answer_dialogs import Answering, draft_key, names_of, verdict_key
from carnet_tui.answer_recorded import AnsweringAsRecorded
from carnet_tui.handoff_item import ItemVerbs
from carnet_tui.screen import Route
from carnet_tui.text import clean
from carnet_tui.views import item_view, words
from carnet_tui.widgets.dialogs import DigestDialog, Picker, Prompt, Reason
from carnet_tui.widgets.lines import paragraphs

if TYPE_CHECKING:
    from carnet_store import Change, ItemStatus

RETRACTABLE = ("item.answered", "item.verified", "comment.added")
"""Kinds that `u` takes back. A finding is closed instead."""


class HandoffVerbs(ItemVerbs):
    """A screen about a handoff on which one acts."""

    # Answering

    def do_answer(self) -> None:
        """Answer the item under the cursor."""
        one = self.current
        if one is not None:
            self.flow(self.answer_item(one))

    async def answer_item(self, one: ItemStatus) -> None:
        """Ask for the answer, keep it as a draft, show the record, write it."""
        value = await (await self.answering(one)).ask()
        if value is None:
            self.refresh_data()  # what was typed is a draft now
        else:
            await self.record_answer(one, value)

    async def answering(self, one: ItemStatus) -> Answering:
        """Return what asks for the answer to an item; where the record answers it, it begins with that."""
        proposal = await self.proposal_to(one)
        return (
            Answering(self, self.the_look(), one)
            if proposal is None
            else AnsweringAsRecorded(self, self.the_look(), one, proposal)
        )

    async def record_answer(self, one: ItemStatus, value: Mapping[str, object]) -> None:
        """Keep an answer as a draft, show what would be written, and write it on Enter."""
        subject = draft_key(self.entity, one.item.id)
        self.acts().keep_draft(subject, {"value": dict(value)})
        after = "Written, it is a record others will see; u takes it back until it was exported."
        if await self.preview("Write this answer", paragraphs(self.answer_words(one, value)), after=after):
            if await self.write(lambda acts: acts.answer(self.entity, {one.item.id: value})) is not None:
                self.drop_drafts(one.item.id)
                self.refresh_data()
        else:
            self.refresh_data()
            self.base.say("Kept as a draft of yours: a goes on with it, u drops it.")

    def answer_words(self, one: ItemStatus, value: Mapping[str, object]) -> list[str]:
        """Return an answer as it would be written, with what it still lacks and what the machine will say."""
        look = self.the_look()
        lookups = self.project.lookups(look)
        lines = [f"{clean(one.item.id)}  {clean(one.item.title)}", ""]
        lines += item_view.value_lines(one.item, value, names_of(self), self.size.width - 2)
        me, spoken = clean(self.desk.i().name), str(value.get("spoken_by", ""))
        if spoken and spoken != self.me:
            speaker = names_of(self).person(spoken)
            typed = f"typed by {me} as {words.role(one.item.answers)}"
            lines += ["", f"spoken by {speaker}, {typed}; counts when {speaker} confirms"]
        else:
            lines += ["", f"by {me} as {words.role(one.item.answers)}"]
        found = problems(one.item, value, lookups, look.checklist.placeholder_words)
        lines += [f"still incomplete: {clean(one.text)}" for one in found]
        verdict = judge(one.item, value, lookups)
        if verdict is not None:
            word = {"holds": "it holds", "fails": "it fails"}.get(verdict.state, "the machine cannot tell yet")
            lines.append(f"{word}: {'; '.join(clean(reason) for reason in verdict.reasons)}")
        verifier = verifier_of(one.item, look.checklist)
        if verifier and not found:
            who = [clean(self.project.person_name(p)) for p in self.holders(verifier) if p != self.me]
            lines.append(f"then {words.listed(who) or words.role(verifier)} verifies it")
        return lines

    def drop_drafts(self, item: str) -> None:
        """Forget my drafts of an item."""
        acts = self.acts()
        for subject in (*acts.drafts(draft_key(self.entity, item)), verdict_key(self.entity, item)):
            if subject.split(" ")[-1].partition("/")[0] == item:
                acts.drop_draft(subject)

    def do_edit(self) -> None:
        """Write the text in one's own editor."""
        one = self.current
        if one is not None:
            self.flow(self._edit(one))

    async def _edit(self, one: ItemStatus) -> None:
        from carnet_tui import terminal

        answering = await self.answering(one)
        kept = str(answering.drafts.get(f"{answering.key}/text", {}).get("text", ""))
        text, problem = terminal.edit(self.app, kept or str(answering.before.get("text", "")))
        if problem:
            self.base.say(problem)
        if text.strip() and not problem:
            answering.keep_text(text)
            value = answering.said(answering.as_taken(answering.read({"state": "given", "text": text.strip()})))
            await self.record_answer(one, value)

    # Verifying

    def do_verify(self) -> None:
        """Agree or disagree with the answer."""
        one = self.current
        if one is not None:
            self.flow(self._verify(one))

    async def _verify(self, one: ItemStatus) -> None:
        verdict = await self.ask_verdict(one)
        if verdict is None:
            return
        agree, reason = verdict
        lines = [f"{clean(one.item.id)}  {clean(one.item.title)}", ""]
        lines.append("you agree with the answer" if agree else f"you disagree: {clean(reason)}")
        lines += [
            "",
            f"by {clean(self.desk.i().name)} as {words.role(verifier_of(one.item, self.the_look().checklist))}",
        ]
        na = bool(one.value and one.value.get("state") == "na")
        if one.item.type == "readback" or (na and agree and one.item.blocks):
            lines.append("signed with your own key, because it decides")
        if await self.preview("Write this verification", paragraphs(lines)):
            await self.write(lambda acts: acts.verify(self.entity, one.item.id, agree=agree, reason=reason))
            self.drop_drafts(one.item.id)
            self.refresh_data()

    def do_confirm(self) -> None:
        """Confirm an answer that another typed in my name."""
        one = self.current
        if one is not None and one.answer is not None:
            self.flow(self._confirm(one, one.answer))

    async def _confirm(self, one: ItemStatus, answer: Change) -> None:
        lines = [f"{clean(one.item.id)}  {clean(one.item.title)}", ""]
        lines += item_view.value_lines(one.item, one.value or {}, names_of(self), self.size.width - 2)
        lines += ["", f"typed by {clean(self.project.person_name(answer.person))}; you confirm that you said so"]
        if await self.preview("Confirm this answer", paragraphs(lines)):
            await self.write(lambda acts: acts.confirm_spoken(self.entity, answer.id))

    # Waiving, settling, asking

    def do_waive(self) -> None:
        """Waive the item until a day."""
        one = self.current
        if one is not None:
            self.flow(self._waive(one))

    async def _waive(self, one: ItemStatus) -> None:
        title, limit = f"Waive {clean(one.item.id)}", one.item.waiver_days
        about = [clean(one.item.title), *(clean(reason) for reason in one.reasons)]
        reason = await self.ask(Reason(title, glyphs=self.glyphs, about=about, verb="go on"))
        if reason is None:
            return
        mitigation = await self.ask(
            Prompt(title, glyphs=self.glyphs, about=["What is done meanwhile so that it does no harm?"],
                   check=lambda t: "" if len(t.strip()) > 3 else "Say what is done meanwhile.")
        )  # fmt: skip
        if mitigation is None:
            return

        def wrong(text: str) -> str:
            good = text.strip().isdigit() and 0 < int(text) <= limit
            return "" if good else f"A number of days from 1 to {limit}."

        days = await self.ask(
            Prompt(
                title,
                glyphs=self.glyphs,
                value=str(min(14, limit)),
                about=[f"For how many days, at most {limit}?"],
                check=wrong,
            )
        )
        if days is None:
            return
        lines = [*about, "", f"because {clean(reason.strip())}", f"meanwhile {clean(mitigation.strip())}",
                 f"for {words.count(int(days), 'day')}; the failure stays shown, and the gate is conditional at best"]  # fmt: skip
        if await self.ask(DigestDialog(title, paragraphs(lines), one.digest, glyphs=self.glyphs, verb="waive")):
            await self.write(
                lambda acts: acts.waive(self.entity, one.item.id, reason.strip(), mitigation.strip(), int(days))
            )

    def do_settle(self) -> None:
        """Settle the conflict side by side."""
        one = self.current
        if one is not None:
            self.base.enter(Route("conflict", (self.entity, one.item.id)))

    def do_question(self) -> None:
        """Ask about the item, or the handoff."""
        item = self.current.item.id if self.current else ""
        title = f"{self.named()} {clean(item)}".strip()
        self.flow(self.ask_question((self.entity,), title, item=item))

    def do_comment(self) -> None:
        """Comment on the item, or the handoff."""
        item = self.current.item.id if self.current else ""
        self.flow(self.write_comment(self.entity, f"{self.named()} {clean(item)}".strip(), item=item))

    def do_assign(self) -> None:
        """Ask somebody to act on the item."""
        one = self.current
        if one is not None:
            self.flow(self._assign(one))

    async def _assign(self, one: ItemStatus) -> None:
        role = one.turn or one.item.answers
        rows = [(p, clean(self.project.person_name(p)), words.role(role)) for p in self.holders(role)]
        chosen = await self.ask(Picker(f"Who acts on {clean(one.item.id)}?", rows, glyphs=self.glyphs))
        if chosen is not None and await self.preview(
            "Ask this person", paragraphs([f"{chosen[1]}: {clean(one.item.id)}"])
        ):
            await self.write(lambda acts: acts.assign(self.entity, one.item.id, chosen[0]))

    # Signing, sealing, review, all at once

    def do_sign(self) -> None:
        """Sign the package off as it stands; the giver seals it first where that is due."""
        from carnet_tui.screens.sign import sign_flow

        self.flow(sign_flow(self, self.entity))

    def do_seal(self) -> None:
        """Seal the package."""
        self.flow(self._seal())

    async def _seal(self) -> None:
        from carnet_tui.screens.sign import seal

        await seal(self, self.the_look())

    def do_review(self) -> None:
        """Go through what needs me."""
        self.base.enter(Route("review", (self.entity,)))

    def do_edit_all(self) -> None:
        """Answer in one document in the editor."""
        from carnet_tui.screens.sheet_edit import edit_all

        self.flow(edit_all(self))

    # Taking back

    def do_undo(self) -> None:
        """Drop my draft of the item, or take back my last record on it."""
        self.flow(self._undo())

    async def _undo(self) -> None:
        one = self.current
        if one is not None and one.item.id in self.drafted():
            self.drop_drafts(one.item.id)
            self.refresh_data()
            self.base.say(f"The draft of {clean(one.item.id)} is gone; nothing had been written.")
            return
        own = [
            change
            for change in self.project.changes(self.entity)
            if change.live and change.person == self.me and change.kind in RETRACTABLE
            and (one is None or change.field == one.item.id)
        ]  # fmt: skip
        if not own:
            found = one is not None and self.own_findings(one)
            more = "; a finding is closed instead, from the palette (:)" if found else "; signed acts stay"
            self.base.say(f"There is nothing of yours here to take back{more}.")
            return
        last = max(own, key=lambda change: (change.t, change.seq, change.index))
        what = {
            "item.answered": "your answer to",
            "item.verified": "your verification of",
            "comment.added": "your comment on",
        }
        said = f"{what.get(last.kind, 'your record on')} {clean(last.field) or self.named()}"
        now = self.project.now()
        if await self.preview("Take this back", paragraphs([said, f"written {words.since(last.t, now)}", "",
                              "The record keeps both; what others have seen stays seen."]), verb="take back"):  # fmt: skip
            await self.write(lambda acts: acts.retract(last.id))
            self.refresh_data()
