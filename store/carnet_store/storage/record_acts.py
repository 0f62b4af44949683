"""Acts about the record: entities and edges, criteria, decisions, questions, comments, taking back, forgetting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from carnet_store.core import event as events
from carnet_store.core.event import Draft
from carnet_store.core.kind import ACT, KINDS
from carnet_store.domain.erasure import is_erasable
from carnet_store.errors import Busy, Invalid, NotFound, Refused, Usage
from carnet_store.storage.acting import Acting, Me, Written


class RecordActs(Acting):
    """What is known and why."""

    def declare(
        self, kind: str, name: str, *, version: str = "", attrs: Mapping[str, Any] | None = None,
        digests: Mapping[str, str] | None = None, params: Mapping[str, str] | None = None,
        metrics: Sequence[Mapping[str, Any]] = (), source: tuple[str, str] | None = None, at: int = 0,
        edges: Sequence[tuple[str, str]] = (),
    ) -> Written:  # fmt: skip
        """Declare an entity or run, with edges (relation, entity id) from it, as one event.

        Raises:
            Invalid: no name, an unknown kind, or a value that cannot stand in a ledger.
        """
        if kind not in KINDS["entity.declared"].on:
            raise Usage(f"there is no kind {kind!r}", f"kinds: {', '.join(sorted(KINDS['entity.declared'].on))}")
        if not name.strip():
            raise Invalid(f"a {kind} needs a name")
        value: dict[str, Any] = {"name": name}
        for key, given in (
            ("version", version), ("attrs", dict(attrs or {})), ("digests", dict(digests or {})),
            ("params", dict(params or {})), ("metrics", [dict(m) for m in metrics]), ("at", at),
        ):  # fmt: skip
            if given:
                value[key] = given
        if source is not None:
            value["source"] = list(source)
            entity = events.source_entity(kind, *source)
            draft = self._draft(entity, "entity.declared", "", value)
        else:
            entity, draft = self._birth(kind, "entity.declared", value)
        drafts = [draft, *(self._edge(entity, relation, to) for relation, to in edges)]
        title = f"{name}@{version}" if version else name
        return self._write(drafts, f"declared {kind} {title}", entity=entity)

    def describe(self, entity: str, attribute: str, value: Any) -> Written:
        """Set an attribute of an entity, over all that anybody said of it before, as far as this store has seen it: that settles a conflict."""
        over = self._live(entity, "entity.described", attribute)[: events.MAX_OVER]
        draft = self._draft(entity, "entity.described", attribute, {"value": value}, over)
        return self._write([draft], f"{self.project.title(entity)}: {attribute} set", entity=entity)

    def link(self, entity: str, relation: str, to: str) -> Written:
        """Add an edge: `entity` used, made, or comes from `to`."""
        if relation not in ("used", "made", "from"):
            raise Usage(f"there is no relation {relation!r}", "used, made or from")
        words = f"{self.project.title(entity)} {relation} {self.project.title(to)}"
        return self._write([self._edge(entity, relation, to)], words, entity=entity)

    def set_criteria(self, model_name: str, rows: Sequence[Mapping[str, Any]], entity: str = "") -> Written:
        """Set the criteria of a model line, whole; with `entity` a new version of those, over all that were set and seen here."""
        drafts = []
        if not entity:
            entity, birth = self._birth("criteria", "entity.declared", {"name": model_name})
            drafts.append(birth)
        over = self._live(entity, "criteria.set", "")[: events.MAX_OVER] if len(drafts) == 0 else ()
        drafts.append(self._draft(entity, "criteria.set", "", {"rows": [dict(r) for r in rows]}, over))
        return self._write(drafts, f"{len(rows)} criteria for {model_name}", entity=entity)

    def _edge(self, entity: str, relation: str, to: str) -> Draft:
        return self._draft(entity, "edge.linked", f"{relation}:{to}", {"relation": relation, "to": to})

    def decide(
        self, question: str, choice: str, reason: str, *, options: Sequence[Mapping[str, str]] = (),
        constraints: Sequence[str] = (), deciders: Sequence[str] = (), consulted: Sequence[str] = (), context: str = "",
        consequences: str = "", about: Sequence[str] = (), revisit: str = "", replaces: str = "", outcome: str = "accepted",
    ) -> Written:  # fmt: skip
        """Record a decision; I am its decider where none is named.

        Raises:
            Invalid: no question or choice, or a reason that says nothing.
        """
        if not question.strip() or not choice.strip():
            raise Invalid("a decision needs a question and a choice")
        self._reason(reason)
        value: dict[str, Any] = {"question": question, "choice": choice, "reason": reason}
        value["deciders"] = list(deciders) or [self.me.person]
        for key, given in (
            ("options", [dict(o) for o in options]), ("constraints", list(constraints)), ("consulted", list(consulted)),
            ("context", context), ("consequences", consequences), ("about", list(about)), ("revisit", revisit),
            ("replaces", replaces), ("outcome", "" if outcome == "accepted" else outcome),
        ):  # fmt: skip
            if given:
                value[key] = given
        entity, draft = self._birth("decision", "decision.recorded", value)
        return self._write([draft], f"decided: {choice}", entity=entity)

    def confirm_decision(self, entity: str) -> Written:
        """Confirm, as a decider whose decision another typed, that it is so."""
        found = self.project.decision(entity)
        if found is None:
            raise NotFound("there is no such decision")
        if self.me.person not in found.decision.deciders:
            raise Refused("only a decider named in it confirms a decision")
        draft = self._draft(entity, "decision.confirmed", "", {"decision": found.change})
        return self._write([draft], "confirmed the decision", entity=entity)

    def ask(
        self, text: str, *, about: Sequence[str] = (), item: str = "", to_role: str = "", to_team: str = "",
        to_person: str = "", blocking: bool = False, due: str = "",
    ) -> Written:  # fmt: skip
        """Ask a role, team or person; quiet unless `blocking`.

        Raises:
            Invalid: an empty question.
        """
        if len(text.strip()) < 3:
            raise Invalid("a question needs a text")
        value: dict[str, Any] = {"text": text}
        for key, given in (
            ("about", list(about)), ("item", item), ("to_role", to_role), ("to_team", to_team), ("to_person", to_person),
            ("blocking", blocking), ("due", due),
        ):  # fmt: skip
            if given:
                value[key] = given
        entity, draft = self._birth("question", "question.asked", value)
        return self._write([draft], f"asked: {text[:60]}", entity=entity)

    def reply(self, question: str, text: str) -> Written:
        """Reply to a question."""
        if not text.strip():
            raise Invalid("a reply needs a text")
        return self._write([self._draft(question, "question.replied", "", {"text": text})], "replied", entity=question)

    def close_question(self, question: str, note: str = "", *, accepted: bool = True) -> Written:
        """Close my question: the replies answer it, or I withdraw it.

        Raises:
            Refused: somebody else asked it.
        """
        found = self.project.question(question)
        if found is None:
            raise NotFound("there is no such question")
        if found.person != self.me.person:
            raise Refused(f"only {self.project.person_name(found.person)}, who asked, closes this question")
        value = {"accepted": accepted, **({"note": note} if note else {})}
        return self._write(
            [self._draft(question, "question.closed", "", value)], "closed the question", entity=question
        )

    def comment(self, entity: str, text: str, item: str = "") -> Written:
        """Remark on an entity or an item; no signature is touched by it."""
        if not text.strip():
            raise Invalid("a comment needs a text")
        value = {"text": text, **({"item": item} if item else {})}
        return self._write([self._draft(entity, "comment.added", item, value)], "commented", entity=entity)

    def retract(self, change: str, reason: str = "") -> Written:
        """Take back my own record (an answer, a comment ...); what left in a bundle stays known there until the next one.

        Raises:
            Refused: another wrote it, or it is a signed act.
        """
        found = self._change(change)
        if found.person != self.me.person:
            raise Refused("only its author takes a record back")
        if (
            KINDS.get(found.kind) is None
            or KINDS[found.kind].payload_type
            or KINDS[found.kind].rule not in ("self", "answer")
        ):
            raise Refused(f"a {found.kind} cannot be taken back", "say the contrary by a new act")
        value = {"reason": reason} if reason else {}
        draft = self._draft(found.entity, "change.retracted", found.field, value, (change,))
        return self._write([draft], f"took back {found.kind}", entity=found.entity)

    def _search_is_clear(self) -> bool:
        """Take what was erased out of the index; False where traces are left because another program holds it."""
        try:
            return self.project.searching.follow(self.project, 0)
        except Busy:
            return False

    def erase(
        self, changes: Sequence[str], reason: str, objects: Sequence[str] = (), also: Sequence[Me] = ()
    ) -> Written:
        """Shred values for ever by a signed tombstone (role eraser); the chain still verifies.

        Raises:
            Refused: I am no eraser, or a change is of a kind that cannot be erased.
        """
        self._reason(reason)
        if "eraser" not in self._my_roles():
            raise Refused("only an eraser shreds values", "an admin grants the role: carnet people role NAME eraser")
        for change in changes:
            if not is_erasable(self._change(change).kind):
                raise Refused(f"a {self._change(change).kind} cannot be erased: it tells who counts or what was signed")
        payload = self._payload(
            "value.erased", targets=sorted(set(changes)), objects=sorted(set(objects)), reason=reason, t=self._clock()
        )
        draft = self._draft(self._ledger_entity, "value.erased", "", self._signed(ACT, payload, also))
        written = self._write([draft], f"erased {len(changes)} values and {len(objects)} objects")
        for digest in objects:
            self.project.objects.forget(digest)
        if not (self.project.ledger.scrub() and self._search_is_clear()):
            left = "another program has the store open: end it, then carnet verify --rebuild clears the last traces"
            written = replace(written, unblocked=(*written.unblocked, left))
        return written
