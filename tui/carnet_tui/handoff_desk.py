"""What one does on a handoff and its items, the same on every screen that shows one: answer, verify, waive, seal, undo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from carnet_store.domain.gate import verifier_of
from carnet_store.domain.judging import judge, problems
from carnet_store.errors import CarnetError
from carnet_tui.answer_dialogs import Answering, draft_key, names_of, verdict_key
from carnet_tui.desk_screen import DeskScreen, missing
from carnet_tui.frame_text import Hint
from carnet_tui.screen import Route
from carnet_tui.text import clean
from carnet_tui.views import item_view, words
from carnet_tui.views.handoff_view import Viewer, act_word, is_mine
from carnet_tui.widgets.dialogs import VERDICTS, Choice, MessageBox, Picker, Prompt, Reason
from carnet_tui.widgets.lines import paragraphs

if TYPE_CHECKING:
    from carnet_store import Change, ItemStatus, Look

RETRACTABLE = ("item.answered", "item.verified", "comment.added", "finding.raised")
NO_ITEM = "no item is chosen"
SHOWN_AT_MOST = 64 * 1024
"""Bytes of an object shown as text."""


class HandoffDesk(DeskScreen):
    """A screen about a handoff: `look` is what is shown, `current` the item that keys act on."""

    look: Look | None = None

    def __init__(self, handoff: str) -> None:
        super().__init__()
        self.entity = handoff
        self.holders_cache: dict[str, list[str]] = {}

    # Reading

    def read(self) -> None:
        """Look at the handoff anew; an error leaves nothing to show and is said."""
        try:
            self.look = self.project.look(self.entity)
        except CarnetError as error:
            self.look = None
            self.leave_missing(error)
        self.holders_cache = {}

    def the_look(self) -> Look:
        """Return the handoff as shown.

        Raises:
            NotFound: it could not be read.
        """
        if self.look is None:
            raise missing("that handoff")
        return self.look

    @property
    def current(self) -> ItemStatus | None:
        """The item that keys act on; a subclass knows its cursor."""
        return None

    @property
    def viewer(self) -> Viewer:
        """Who looks."""
        return Viewer(self.me, self.my_roles(), lambda person: clean(self.project.person_name(person)))

    def holders(self, role: str) -> list[str]:
        """Return who holds a role."""
        if role not in self.holders_cache:
            self.holders_cache[role] = self.project.members().holders(role)
        return self.holders_cache[role]

    def named(self) -> str:
        """Return the model version that crosses, cleaned."""
        return clean(self.look.model.title) if self.look else "handoff"

    def crumb(self) -> str:
        """Return project and model version."""
        return f"{super().crumb()} / {self.named()}"

    def draft_of(self, item: str) -> str:
        """Return a draft of an item in words, empty where there is none."""
        if not self.me:
            return ""
        acts = self.acts()
        kept = acts.drafts(draft_key(self.entity, item))
        one = self.look.status.item(item) if self.look else None
        value = kept.get(draft_key(self.entity, item), {}).get("value")
        if isinstance(value, Mapping) and one is not None:
            return "answer: " + "; ".join(item_view.value_lines(one.item, value, names_of(self))[:2])
        verdict = acts.drafts(verdict_key(self.entity, item)).get(verdict_key(self.entity, item))
        if verdict:
            return "you agree" if verdict.get("agree") else f"you disagree: {clean(str(verdict.get('reason', '')))}"
        text = kept.get(f"{draft_key(self.entity, item)}/text", {}).get("text")
        return f"begun: {clean(str(text))[:60]}" if text else ""

    def drafted(self) -> frozenset[str]:
        """Return the items that have a draft."""
        if not self.me or self.look is None:
            return frozenset()
        kept = [*self.acts().drafts(f"answer {self.entity}"), *self.acts().drafts(f"verdict {self.entity}")]
        return frozenset(subject.split(" ")[2].partition("/")[0] for subject in kept)

    def facts_of(self, one: ItemStatus) -> item_view.ItemFacts:
        """Return all that is said about an item."""
        look, project = self.the_look(), self.project
        handoff, viewer = look.handoff, self.viewer
        ids = [item.id for item in look.checklist.items]
        comments = [
            (viewer.name(c.person), c.t, clean(str(getattr(c.value, "text", ""))))
            for c in handoff.comments
            if getattr(c.value, "item", "") == one.item.id
        ]
        questions = [
            (project.code(q.id), clean(q.question.text), q.state)
            for q in look.status.questions
            if q.question.item == one.item.id
        ]
        findings = [
            (viewer.name(c.person), clean(str(getattr(c.value, "text", ""))))
            for c in handoff.findings.get(one.item.id, ())
        ]
        asked = handoff.assigned.get(one.item.id)
        return item_view.ItemFacts(
            status=one,
            place=f"{ids.index(one.item.id) + 1} of {len(ids)}",
            verifier=verifier_of(one.item, look.checklist),
            yours=self.next_key(one) if is_mine(one, viewer, handoff.assigned) else "",
            draft=self.draft_of(one.item.id),
            comments=comments,
            questions=questions,
            findings=findings,
            asked=f"of {viewer.name(getattr(asked.value, 'person', ''))}" if asked else "",
        )

    def next_key(self, one: ItemStatus) -> str:
        """Return what is asked of me here, with its key."""
        key = {"answered": "v", "conflict": "x"}.get(one.state, "a")
        if one.item.machine:
            return "the product looks itself: declare what is missing (3 lineage, n), then it holds by itself"
        if one.state == "unconfirmed":
            return "it was typed in your name: confirm it from the palette (:)"
        return f"it is yours to {act_word(one)}: {key}"

    # What can be done now

    def hints(self) -> list[Hint]:
        """Return the footer, without the keys that need an item while the cursor is on none."""
        return [hint for hint in super().hints() if hint[2] != NO_ITEM]

    def available(self, action_id: str) -> str | None:
        """Return why something cannot be done on the item under the cursor."""
        if action_id in ("answer", "verify", "waive", "settle", "evidence", "edit", "confirm", "link", "assign"):
            one = self.current
            if self.look is None or one is None:
                return NO_ITEM
            return getattr(self, f"_why_not_{action_id}", lambda one: None)(one)
        if self.look is None:
            return None if action_id in ("leave", "help", "palette", "copy", "identity") else "it cannot be read"
        if action_id == "sign":
            return self.why_not_sign()
        if action_id == "review" and not self.review_items():
            return "nothing here waits for you"
        if action_id == "seal" and self.look.status.verdict in ("passed", "abandoned"):
            return f"the gate is {self.look.status.verdict}"
        return None

    def _why_not_answer(self, one: ItemStatus) -> str | None:
        if one.item.machine and not verifier_of(one.item, self.the_look().checklist):
            return "the product judges it itself"
        if one.item.type == "signoff":
            return "signing the gate answers it, s"
        if one.state == "conflict":
            return "two answers are in conflict, x settles"
        if one.item.answers not in self.my_roles():
            who = ", ".join(clean(self.project.person_name(p)) for p in self.holders(one.item.answers))
            return f"{who or words.role(one.item.answers)} answers it"
        return None

    def _why_not_edit(self, one: ItemStatus) -> str | None:
        return self._why_not_answer(one) or (
            None if one.item.type in ("text", "readback") else "it takes no text, a answers"
        )

    def _why_not_verify(self, one: ItemStatus) -> str | None:
        verifier = verifier_of(one.item, self.the_look().checklist)
        if not verifier:
            return "the product judges it itself"
        if one.answer is None:
            return "two answers are in conflict, x settles" if one.answers else "there is no answer yet"
        if one.answer.person == self.me:
            return "it is your own answer; another verifies"
        if verifier not in self.my_roles():
            who = ", ".join(clean(self.project.person_name(p)) for p in self.holders(verifier))
            return f"{who or words.role(verifier)} verifies it"
        if one.state in ("incomplete", "unknown", "unconfirmed"):
            return f"the answer is {words.ITEM_STATES[one.state][1]}"
        return None

    def _why_not_waive(self, one: ItemStatus) -> str | None:
        if one.item.waiver_days <= 0:
            return "this item cannot be waived"
        if one.settled:
            return "it is in order"
        if one.item.waiver_by and one.item.waiver_by not in self.my_roles():
            who = ", ".join(clean(self.project.person_name(p)) for p in self.holders(one.item.waiver_by))
            return f"{who or words.role(one.item.waiver_by)} waives it"
        return None

    def _why_not_settle(self, one: ItemStatus) -> str | None:
        return None if one.state == "conflict" else "there is one answer, no conflict"

    def _why_not_confirm(self, one: ItemStatus) -> str | None:
        mine = one.state == "unconfirmed" and one.value is not None and one.value.get("spoken_by") == self.me
        return None if mine else "nothing here was typed in your name"

    def _why_not_evidence(self, one: ItemStatus) -> str | None:
        return None if self.evidence_of(one) else "nothing is attached"

    def why_not_sign(self) -> str | None:
        """Return why I cannot sign now, and the key that unblocks it."""
        look = self.the_look()
        status = look.status
        if status.verdict in ("abandoned", "passed"):
            return f"the gate is {status.verdict}"
        mine = [row for row in status.rows if row.missing and self.me in row.could]
        if not mine:
            held = [row for row in status.rows if row.row.role in self.my_roles()]
            return "you have signed" if held else "no sign-off here is yours"
        giver = look.checklist.signoffs[0].role if look.checklist.signoffs else ""
        codes = {reason.code for reason in status.reasons}
        if codes & {"unsealed", "changed"} and giver not in self.my_roles():
            who = ", ".join(clean(self.project.person_name(p)) for p in self.holders(giver))
            return f"{who or words.role(giver)} seals the package first"
        conflicts = sum(one.state == "conflict" for one in status.items)
        return f"{words.count(conflicts, 'conflict')}, x settles" if conflicts else None

    def review_items(self) -> list[ItemStatus]:
        """Return the items that need me, to go through."""
        look, viewer = self.the_look(), self.viewer
        return [one for one in look.status.items if is_mine(one, viewer, look.handoff.assigned)]

    # Answering

    def do_answer(self) -> None:
        """Answer the item under the cursor."""
        one = self.current
        if one is not None:
            self.flow(self.answer_item(one))

    async def answer_item(self, one: ItemStatus) -> None:
        """Ask for the answer, keep it as a draft, show the record, write it."""
        value = await Answering(self, self.the_look(), one).ask()
        if value is None:
            self.refresh_data()  # what was typed is a draft now
        else:
            await self.record_answer(one, value)

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
        lines += item_view.value_lines(one.item, value, names_of(self))
        lines += ["", f"by {clean(self.desk.i().name)} as {words.role(one.item.answers)}"]
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

        answering = Answering(self, self.the_look(), one)
        kept = str(answering.drafts.get(f"{answering.key}/text", {}).get("text", ""))
        text, problem = terminal.edit(self.app, kept or str(answering.before.get("text", "")))
        if problem:
            self.base.say(problem)
        if text.strip() and not problem:
            self.acts().keep_draft(f"{answering.key}/text", {"text": text})
            await self.record_answer(one, answering.read({"state": "given", "text": text.strip()}))

    # Verifying

    def do_verify(self) -> None:
        """Agree or disagree with the answer."""
        one = self.current
        if one is not None:
            self.flow(self._verify(one))

    async def ask_verdict(self, one: ItemStatus) -> tuple[bool, str] | None:
        """Ask whether I agree, and why not."""
        title = f"{clean(one.item.id)}  {clean(one.item.title)}"
        about = item_view.value_lines(one.item, one.value or {}, names_of(self))[:8]
        way = await self.ask(Choice(title, VERDICTS, glyphs=self.glyphs, about=about, note="verify the answer"))
        if way is None:
            return None
        if way == "agree":
            return True, ""
        reason = await self.ask(
            Reason(title, glyphs=self.glyphs, about=["You disagree with this answer."], verb="go on")
        )
        return None if reason is None else (False, reason.strip())

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
        lines += item_view.value_lines(one.item, one.value or {}, names_of(self))
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
        from carnet_tui.widgets.dialogs import DigestDialog

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

    # Looking

    def evidence_of(self, one: ItemStatus) -> list[tuple[str, str, str]]:
        """Return what an item's answers rest on: (entity id or `sha256:…`, name, kind)."""
        names, rows = names_of(self), []
        for change in one.answers:
            value: Mapping[str, Any] = getattr(change.value, "answer", {})
            from carnet_store.domain.answer import linked_entities

            rows += [(e, names.entity(e), clean(e.partition(":")[0])) for e in linked_entities(value)]
            for part in value.get("files", ()) if isinstance(value.get("files"), list | tuple) else ():
                rows.append((f"sha256:{part['sha256']}", clean(str(part["path"])), item_view.size_words(part["size"])))
            result = value.get("result")
            if isinstance(result, Mapping):
                rows.append(
                    (f"sha256:{result['output']['sha256']}", f"output of {clean(str(result['command']))}", "output")
                )
        return list(dict.fromkeys(rows))

    def do_evidence(self) -> None:
        """Open what the item rests on."""
        one = self.current
        if one is not None:
            self.flow(self._evidence(one))

    async def _evidence(self, one: ItemStatus) -> None:
        rows = self.evidence_of(one)
        chosen: tuple[str, str, str] | None = rows[0]
        if len(rows) > 1:
            chosen = await self.ask(Picker("Evidence", rows, glyphs=self.glyphs, verb="open"))
        if chosen is None:
            return
        key = chosen[0]
        if key.startswith("sha256:"):
            await self.ask(MessageBox(chosen[1], self.object_lines(key.removeprefix("sha256:")), glyphs=self.glyphs))
        elif key.partition(":")[0] in ("decision", "question"):
            self.base.enter(Route(key.partition(":")[0], (key,)))
        else:
            self.base.enter(Route("lineage", (key,)))

    def object_lines(self, sha256: str) -> list[str]:
        """Return an object's beginning as cleaned lines."""
        from carnet_tui.text import clean_lines, digest

        data = self.project.objects.get(sha256)
        head = f"sha256 {digest(sha256, 4)}, {item_view.size_words(len(data))}"
        try:
            text = data[:SHOWN_AT_MOST].decode("utf-8")
        except UnicodeDecodeError:
            return [head, "", "This is no text; carnet export carries it whole."]
        more = ["", f"… cut after {item_view.size_words(SHOWN_AT_MOST)}"] if len(data) > SHOWN_AT_MOST else []
        return [head, "", *clean_lines(text), *more]

    def do_graph(self) -> None:
        """Show where the model came from."""
        self.base.enter(Route("lineage", (self.the_look().handoff.opened.model,)))

    def do_timeline(self) -> None:
        """Show what happened to the handoff."""
        self.base.enter(Route("timeline", (self.entity,)))

    def do_difference(self) -> None:
        """Show what changed since my last signature."""
        from carnet_tui.views.sign_view import since_lines

        lines = since_lines(self.the_look(), self.me, names_of(self), self.project.now())
        self.flow(self._show("Since your last signature", lines))

    async def _show(self, title: str, lines: Sequence[str]) -> None:
        await self.ask(MessageBox(title, lines, glyphs=self.glyphs))

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
            self.base.say("There is nothing of yours here to take back; signed acts stay.")
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
