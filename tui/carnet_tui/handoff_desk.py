"""What one does on a handoff and its items, the same on every screen that shows one: answer, verify, waive, seal, undo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from carnet_store.domain.gate import verifier_of
from carnet_store.domain.lineage import NODES
from carnet_store.domain.selection import around
from carnet_store.errors import CarnetError
from carnet_tui import actions
from carnet_tui.answer_dialogs import draft_key, names_of, verdict_key
from carnet_tui.desk_screen import DeskScreen, missing
from carnet_tui.frame_text import Hint
from carnet_tui.screen import Route
from carnet_tui.text import clean
from carnet_tui.views import item_view, words
from carnet_tui.views.handoff_view import Viewer, act_word, is_mine
from carnet_tui.widgets.dialogs import MessageBox, Picker

if TYPE_CHECKING:
    from carnet_store import ItemStatus, Look

ON_AN_ITEM = (
    "answer", "verify", "waive", "settle", "evidence", "edit", "confirm", "link", "assign", "finding", "close_finding",
)  # fmt: skip
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
            (viewer.name(c.person), c.t, clean(str(getattr(c.value, "severity", ""))), clean(str(getattr(c.value, "text", ""))),
             c.person == self.me)
            for c in handoff.findings.get(one.item.id, ())
        ]  # fmt: skip
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
            confirmed=handoff.confirmations,
            asked=f"of {viewer.name(getattr(asked.value, 'person', ''))}" if asked else "",
        )

    def next_key(self, one: ItemStatus) -> str:
        """Return what is asked of me here, with its key."""
        key = {"answered": "v", "conflict": "x"}.get(one.state, "a")
        if one.item.machine:
            return "nobody answers it: it holds by itself once what its reasons name is recorded (g goes there; Enter, e fills an entry)"
        if one.state == "unconfirmed":
            key = actions.shown_key(self.base.keymap.first("open"), self.glyphs["enter"])
            return f"it was typed in your name and counts once you confirm it: {key}"
        return f"it is yours to {act_word(one)}: {key}"

    # What can be done now

    def hints(self) -> list[Hint]:
        """Return the footer, without the keys that need an item while the cursor is on none."""
        return [hint for hint in super().hints() if hint[2] != NO_ITEM]

    def available(self, action_id: str) -> str | None:
        """Return why something cannot be done on the item under the cursor."""
        if action_id in ON_AN_ITEM:
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
        signed = any(s.change.person == self.me for row in status.rows for s in row.signed)
        if status.verdict in ("abandoned", "passed"):
            more = "; withdraw in the palette (:) takes yours back" if signed and status.verdict == "passed" else ""
            return f"the gate is {status.verdict}{more}"
        giver = look.checklist.signoffs[0].role if look.checklist.signoffs else ""
        loose = {reason.code for reason in status.reasons} & {"unsealed", "changed"}
        mine = [row for row in status.rows if row.missing and self.me in row.could]
        if not mine and not (loose and giver in self.my_roles()):
            held = [row for row in status.rows if row.row.role in self.my_roles()]
            if signed:
                return "you have signed; withdraw in the palette (:) takes it back"
            return "another signed in your role" if held else "no sign-off here is yours"
        if loose and giver not in self.my_roles():
            who = ", ".join(clean(self.project.person_name(p)) for p in self.holders(giver))
            return f"{who or words.role(giver)} seals the package first"
        conflicts = sum(one.state == "conflict" for one in status.items)
        return f"{words.count(conflicts, 'conflict')}, x settles" if conflicts else None

    def review_items(self) -> list[ItemStatus]:
        """Return the items that need me, to go through."""
        look, viewer = self.the_look(), self.viewer
        return [one for one in look.status.items if is_mine(one, viewer, look.handoff.assigned)]

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
            from carnet_tui.screens import opening

            self.base.enter(opening.route(self.project, key))

    def object_lines(self, sha256: str) -> list[str]:
        """Return an object's beginning as cleaned lines."""
        from carnet_tui.text import clean_lines, digest

        data = self.project.objects.get(sha256)
        head = f"sha256 {digest(sha256, 4)}, {item_view.size_words(len(data))}"
        try:
            text = data[:SHOWN_AT_MOST].decode("utf-8")
        except UnicodeDecodeError:
            return [head, "", "This is no text; carnet export carries it whole."]
        more = (
            ["", f"{self.glyphs.ellipsis} cut after {item_view.size_words(SHOWN_AT_MOST)}"]
            if len(data) > SHOWN_AT_MOST
            else []
        )
        return [head, "", *clean_lines(text), *more]

    def do_graph(self) -> None:
        """Show in the lineage what the item rests on; where that is nothing, or no item is chosen, the model."""
        one = self.current
        nodes = [row for row in self.evidence_of(one) if row[2] in NODES] if one is not None else []
        if nodes:
            self.flow(self._graph(nodes))
        else:
            self.base.enter(Route("lineage", (self.the_look().handoff.opened.model,)))

    async def _graph(self, nodes: Sequence[tuple[str, str, str]]) -> None:
        chosen: tuple[str, str, str] | None = nodes[0]
        if len(nodes) > 1:
            whole = [("", "all of these", "as a list")]
            chosen = await self.ask(Picker("Which in the lineage?", [*nodes, *whole], glyphs=self.glyphs, verb="show"))
        if chosen is None:
            return
        text = " ".join(around(entity) for entity, _, _ in nodes)
        self.base.enter(Route("lineage", (chosen[0],) if chosen[0] else ("", text)))

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
