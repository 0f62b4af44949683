"""Acts about a handoff: open, answer, verify, waive, seal, sign, return, custody."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from carnet_store.core import canonical
from carnet_store.core.event import Draft
from carnet_store.core.kind import ACT
from carnet_store.domain import package
from carnet_store.domain.decisions import is_empty_reason
from carnet_store.domain.gate import DAY, item_digest, verifier_of
from carnet_store.domain.handoff import DECISIONS, SIGNOFF_PREDICATE, STATEMENT, STATEMENT_TYPE
from carnet_store.errors import Invalid, NotFound, Refused, Usage
from carnet_store.storage.acting import MIN_REASON, Acting, LoadedPack, Written
from carnet_store.storage.project import Look


class HandoffActs(Acting):
    """A model version crossing a gate."""

    def open_handoff(
        self, model: str, packs: Sequence[LoadedPack], *, tier: str = "B", facts: Mapping[str, Any] | None = None, due: str = "",
        criteria: str = "", entities: Sequence[str] = (), previous: str = "",
    ) -> Written:  # fmt: skip
        """Open a handoff for a model version (an entity id); the packs' bytes become objects.

        `packs` holds the gate first, then its rubrics; `due` is `YYYY-MM-DD`; `criteria` and `entities` are entity ids;
        `previous` an earlier handoff of this model line, whose answers may be offered.
        """
        if not model.startswith("model:"):
            raise Usage("a handoff is opened for a model version", "carnet add model NAME --version 1")
        for loaded in packs:
            self.project.objects.put(loaded.raw)
        gate = packs[0].pack
        value: dict[str, Any] = {
            "model": model,
            "packs": [self._pack_ref(p) for p in packs],
            "tier": tier,
            "from_stage": gate.from_stage,
            "to_stage": gate.to_stage,
        }
        for key, given in (("facts", dict(facts or {})), ("due", due), ("criteria", criteria), ("previous", previous)):
            if given:
                value[key] = given
        entity, draft = self._birth("handoff", "handoff.opened", value)
        drafts = [draft, *(self._draft(entity, "handoff.linked", e, {"entity": e}) for e in sorted(set(entities)))]
        title = self.project.title(model)
        written = self._write(
            drafts,
            f"opened a handoff of {title}: {gate.title}",
            entity=entity,
            next_=f"carnet answer {shlex.quote(title)} ITEM VALUE",
        )
        own = [p.pack.id for p in packs if self.project.is_modified_pack(p.pack.id, p.sha256)]
        return replace(written, unblocked=tuple(f"{pack} is your own version, not the shipped one" for pack in own))

    def repack(
        self, handoff: str, packs: Sequence[LoadedPack], tier: str, facts: Mapping[str, Any], reason: str
    ) -> Written:
        """Move a handoff to other packs, tier or facts; answers stay where the items are the same."""
        self._reason(reason)
        for loaded in packs:
            self.project.objects.put(loaded.raw)
        value = {"packs": [self._pack_ref(p) for p in packs], "tier": tier, "facts": dict(facts), "reason": reason}
        over = self._live(handoff, "handoff.repacked", "")
        draft = self._draft(handoff, "handoff.repacked", "", value, over)
        return self._act(handoff, [draft], f"moved to {packs[0].pack.id} at tier {tier}")

    @staticmethod
    def _pack_ref(loaded: LoadedPack) -> dict[str, str]:
        return {"id": loaded.pack.id, "sha256": loaded.sha256, "version": loaded.pack.version}

    def assign(self, handoff: str, target: str, person: str, due: str = "", reason: str = "") -> Written:
        """Ask a person to act on an item (`target`: its id) or in a role (`role:<role>`)."""
        value = {"person": person, **({"due": due} if due else {}), **({"reason": reason} if reason else {})}
        over = self._own_live(handoff, "handoff.assigned", target)
        name = self.project.person_name(person)
        return self._act(handoff, [self._draft(handoff, "handoff.assigned", target, value, over)], f"{target}: {name}")

    def include(self, handoff: str, entity: str) -> Written:
        """Let an entity belong to what crosses."""
        draft = self._draft(handoff, "handoff.linked", entity, {"entity": entity})
        return self._act(handoff, [draft], f"linked {self.project.title(entity)}")

    def file(self, handoff: str, path: Path, name: str = "") -> Written:
        """Let a file belong to what crosses; its bytes become an object."""
        digest, size = self.project.objects.put_file(path)
        value = {"file": {"path": name or path.name, "sha256": digest, "size": size}}
        return self._act(handoff, [self._draft(handoff, "handoff.filed", digest, value)], f"added {name or path.name}")

    def answer(self, handoff: str, answers: Mapping[str, Mapping[str, Any]], *, carried: str = "") -> Written:
        """Answer items (item id to answer value, `domain.answer`) as one event, over what I have seen and may replace.

        Raises:
            NotFound: the handoff does not ask such an item.
        """
        look = self.project.look(handoff)
        drafts = self._answer_drafts(look, answers, carried)
        words = next(iter(answers)) if len(answers) == 1 else f"{len(answers)} items"
        return self._act(handoff, drafts, f"answered {words}", before=look)

    def _answer_drafts(self, look: Look, answers: Mapping[str, Mapping[str, Any]], carried: str = "") -> list[Draft]:
        handoff, drafts = look.handoff.id, []
        for item_id, value in answers.items():
            item = look.checklist.item(item_id)
            if item is None:
                raise NotFound(f"this handoff does not ask {item_id}", "`carnet handoff show` lists its items")
            given = {"role": item.answers, "answer": dict(value)}
            if look.status.package:
                given["package"] = look.status.package
            if carried:
                given["carried"] = carried
            drafts.append(
                self._draft(handoff, "item.answered", item_id, given, self._replaceable(look, item_id, item.answers))
            )
        return drafts

    def submit(
        self, handoff: str, answers: Mapping[str, Mapping[str, Any]], verdicts: Mapping[str, tuple[bool, str]]
    ) -> Written:
        """Write what a review came to as one event: answers, and per item whether I agree and why not.

        Raises:
            NotFound, Refused: as `answer` and `verify`; then nothing of it is written.
        """
        look = self.project.look(handoff)
        drafts = self._answer_drafts(look, answers)
        drafts += [self._verify_draft(look, i, agree, reason) for i, (agree, reason) in verdicts.items()]
        if not drafts:
            raise Usage("there is nothing to submit")
        parts = [f"answered {len(answers)}"] if answers else []
        parts += [f"verified {len(verdicts)}"] if verdicts else []
        count = len(answers) + len(verdicts)
        return self._act(handoff, drafts, f"{' and '.join(parts)} item{'' if count == 1 else 's'}", before=look)

    def settle(self, handoff: str, item_id: str, keep: str) -> Written:
        """Settle a conflict: the answer of change `keep` stands, over all live answers of the item."""
        look = self.project.look(handoff)
        chosen = next((c for c in look.handoff.answers.get(item_id, ()) if c.id == keep), None)
        if chosen is None:
            raise NotFound("that answer is not among those in conflict")
        role = getattr(chosen.value, "role", "")
        my_roles = self._my_roles()
        others = [c for c in look.handoff.answers[item_id] if c.person != self.me.person]
        if others and role not in my_roles:
            raise Refused(f"only a {role.replace('_', ' ')} settles this item", "ask one of them, or comment")
        value = {"role": role, "answer": dict(getattr(chosen.value, "answer", {}))}
        over = tuple(c.id for c in look.handoff.answers[item_id])
        return self._act(
            handoff, [self._draft(handoff, "item.answered", item_id, value, over)], f"settled {item_id}", before=look
        )

    def confirm_spoken(self, handoff: str, answer: str) -> Written:
        """Confirm with my own chain that an answer typed by another in my name is mine."""
        draft = self._draft(handoff, "answer.confirmed", "", {"answer": answer})
        return self._act(handoff, [draft], "confirmed the answer")

    def verify(self, handoff: str, item_id: str, *, agree: bool, reason: str = "") -> Written:
        """Agree or disagree with an item's answer, in its verifying role.

        A read-back and a blocker's *not applicable* are signed with my own key, because they decide.

        Raises:
            Refused: it is my own answer, there is none, or two in conflict; or I disagree without a reason.
        """
        look = self.project.look(handoff)
        draft = self._verify_draft(look, item_id, agree, reason)
        word = "agreed with" if agree else "disagreed with"
        return self._act(handoff, [draft], f"{word} {item_id}", before=look)

    def _verify_draft(self, look: Look, item_id: str, agree: bool, reason: str) -> Draft:
        handoff, status = look.handoff.id, look.status.item(item_id)
        if status is None:
            raise NotFound(f"this handoff does not ask {item_id}")
        answer = status.answer
        if answer is None:
            waiting = [
                c for c in look.handoff.uncounted if c.kind == "item.answered" and c.field == item_id and not c.over
            ]
            if waiting and not status.answers:
                who = self.project.person_name(waiting[-1].person)
                raise Refused(
                    f"{item_id} was answered by {who}; that answer {waiting[-1].counts.words}",
                    "carnet people admit NAME",
                )
            raise Refused(f"{item_id} has {'two answers in conflict' if status.answers else 'no answer yet'}")
        if self.me.person in (answer.person, (status.value or {}).get("spoken_by")):
            raise Refused("nobody verifies an answer of their own", "another person in the verifying role does it")
        role = verifier_of(status.item, look.checklist)
        if role and role not in self._my_roles():
            raise Refused(
                f"{item_id} is verified by a {role.replace('_', ' ')}, which you are not",
                ", ".join(self.project.person_name(p) for p in self.project.members().holders(role)),
            )
        if not agree:
            self._reason(reason)
        is_na = bool(status.value and status.value.get("state") == "na")
        if status.item.type == "readback" and not is_na:
            payload = self._payload(
                "readback.confirmed", handoff=handoff, t=self._clock(), item=item_id, answer=answer.id, agree=agree,
                reason=reason, role=role,
            )  # fmt: skip
            over = self._own_live(handoff, "readback.confirmed", item_id)
            return self._draft(handoff, "readback.confirmed", item_id, self._signed(ACT, payload), over)
        if is_na and agree and status.item.blocks:
            payload = self._payload(
                "na.confirmed", handoff=handoff, t=self._clock(), item=item_id, answer=answer.id, role=role
            )
            return self._draft(handoff, "na.confirmed", item_id, self._signed(ACT, payload))
        value = {"answer": answer.id, "role": role, "agree": agree, **({"reason": reason} if reason else {})}
        over = self._own_live(handoff, "item.verified", item_id)
        return self._draft(handoff, "item.verified", item_id, value, over)

    def raise_finding(self, handoff: str, item_id: str, text: str, severity: str = "major") -> Written:
        """Write down something found wrong with an item."""
        self._reason(text)
        draft = self._draft(handoff, "finding.raised", item_id, {"text": text, "severity": severity})
        return self._act(handoff, [draft], f"finding on {item_id}")

    def close_finding(self, handoff: str, change: str, text: str) -> Written:
        """Settle a finding, and say how."""
        found = self._change(change)
        draft = self._draft(handoff, "finding.closed", found.field, {"text": text}, (change,))
        return self._act(handoff, [draft], f"closed a finding on {found.field}")

    def waive(self, handoff: str, item_id: str, reason: str, mitigation: str, days: int) -> Written:
        """Let an item stay as it is for some days, by my own key.

        Raises:
            Refused: the item cannot be waived, not for so long, or not by me.
        """
        self._reason(reason)
        look = self.project.look(handoff)
        item = look.checklist.item(item_id)
        if item is None:
            raise NotFound(f"this handoff does not ask {item_id}")
        if item.waiver_days <= 0:
            raise Refused(f"{item_id} cannot be waived", "answer it, or return the package")
        if not 0 < days <= item.waiver_days:
            raise Refused(f"{item_id} may be waived for at most {item.waiver_days} days")
        if item.waiver_by and item.waiver_by not in self._my_roles():
            raise Refused(
                f"{item_id} is waived by a {item.waiver_by.replace('_', ' ')}, which you are not",
                ", ".join(self.project.person_name(p) for p in self.project.members().holders(item.waiver_by)),
            )
        now = self._clock()
        payload = self._payload(
            "waiver.granted", handoff=handoff, t=now, item=item_id, reason=reason, mitigation=mitigation,
            expires=now + days * DAY, role=item.waiver_by,
        )  # fmt: skip
        draft = self._draft(handoff, "waiver.granted", item_id, self._signed(ACT, payload))
        return self._act(handoff, [draft], f"waived {item_id} for {days} days", before=look)

    def end_waiver(self, handoff: str, change: str, reason: str) -> Written:
        """End a waiver before its time."""
        self._reason(reason)
        found = self._change(change)
        draft = self._draft(handoff, "waiver.withdrawn", found.field, {"reason": reason}, (change,))
        return self._act(handoff, [draft], f"ended the waiver of {found.field}")

    def seal(self, handoff: str) -> Written:
        """Seal the package as the record stands: from here on everybody means the same bytes. It begins a new round."""
        look = self.project.look(handoff)
        round_ = look.handoff.round + 1
        manifest = self.project.manifest(look.handoff, round_)
        if len(canonical.encode(manifest)) > 900_000:
            raise Invalid("the package's manifest is too large for one event", "link fewer files; use an archive")
        over = tuple(c.id for c in look.handoff.seals if c.person == self.me.person)
        draft = self._draft(handoff, "package.sealed", "package", {"manifest": manifest}, over)
        digest = package.digest(manifest)
        return self._act(handoff, [draft], f"sealed package {digest[:4]} {digest[4:8]} (round {round_})", before=look)

    def sign(
        self, handoff: str, role: str, reason: str, *, decision: str = "approve", meaning: str = "", days: int = 0
    ) -> Written:
        """Sign off as `role` what stands now: package, answers, verifications, waivers, by my own key.

        Raises:
            Refused: the gate asks no such signature, I do not hold the role, nothing is sealed, or no reason is given.
        """
        look = self.project.look(handoff)
        payload = self.signoff_payload(look, role, reason, decision=decision, meaning=meaning, days=days)
        field_ = f"{role}:{msgspec.json.decode(payload)['predicate']['meaning']}"
        over = self._own_live(handoff, "gate.signed", field_)
        draft = self._draft(handoff, "gate.signed", field_, self._signed(STATEMENT, payload), over)
        verb = {"approve": "approved", "refuse": "refused"}.get(decision, "approved with conditions")
        return self._act(handoff, [draft], f"{verb} as {role.replace('_', ' ')}", before=look)

    def signoff_payload(
        self, look: Look, role: str, reason: str, *, decision: str = "approve", meaning: str = "", days: int = 0
    ) -> bytes:
        """Return the exact bytes that `sign` would sign; raises as it does."""
        status = look.status
        rows = [r.row for r in status.rows if r.row.role == role and meaning in ("", r.row.meaning)]
        if decision not in DECISIONS:
            raise Usage(f"{decision!r} is no decision", ", ".join(DECISIONS))
        if not rows:
            wanted = ", ".join(r.row.role for r in status.rows)
            raise Refused(f"this gate asks no signature of a {role.replace('_', ' ')}", f"it asks: {wanted}")
        if role not in self._my_roles():
            raise Refused(
                f"{self.me.name} is not {role.replace('_', ' ')} in {self.project.name}", "carnet people list"
            )
        if not status.package:
            raise Refused("nothing is sealed yet", "carnet handoff seal")
        if decision == "refuse" and is_empty_reason(reason, MIN_REASON):
            raise Refused("a refusal needs a reason that says something")
        row = rows[0]
        bound = sorted(
            {part for i in row.covers if (item := look.checklist.item(i)) for part in item.binds if part != "package"}
        )
        parts = package.parts(look.manifest)
        frontier = {h.name: h.place for h in self.project.ledger.heads()}
        predicate = {
            "bound": {part: parts[part] for part in bound},
            "covers": list(row.covers),
            "decision": decision,
            "expires": self._clock() + days * DAY if days else 0,
            "frontier": frontier,
            "gate": look.handoff.gate.id,
            "handoff": look.handoff.id,
            "ledger": self.project.id,
            "meaning": row.meaning,
            "package": status.package,
            "purpose": "gate.signed",
            "reason": reason,
            "role": role,
            "roster": list(self.project.members().heads),
            "round": status.round,
            "seen": {i: item_digest(look.handoff, i) for i in row.covers},
            "t": self._clock(),
            "template": package.template_digest(look.handoff),
        }
        return canonical.encode(
            {
                "_type": STATEMENT_TYPE,
                "predicate": predicate,
                "predicateType": SIGNOFF_PREDICATE,
                "subject": [{"digest": {"sha256": status.package}, "name": "package"}],
            }
        )

    def give_back(self, handoff: str, reason: str, items: Mapping[str, str] | None = None) -> Written:
        """Return the package to its giver, with a reason for each item named; by my own key."""
        self._reason(reason)
        look = self.project.look(handoff)
        for item_id in items or {}:
            if look.checklist.item(item_id) is None:
                raise NotFound(f"this handoff does not ask {item_id}")
        payload = self._payload(
            "handoff.returned", handoff=handoff, t=self._clock(), round=look.handoff.round, package=look.status.package,
            items=dict(items or {}), reason=reason,
        )  # fmt: skip
        draft = self._draft(handoff, "handoff.returned", "", self._signed(ACT, payload))
        return self._act(handoff, [draft], "returned the package", before=look)

    def abandon(self, handoff: str, reason: str) -> Written:
        """End a handoff without a result."""
        self._reason(reason)
        return self._act(handoff, [self._draft(handoff, "handoff.abandoned", "", {"reason": reason})], "abandoned it")

    def override(self, handoff: str, reason: str, days: int) -> Written:
        """Let the crossing happen although the gate is shut: loud, by my own key, expiring."""
        self._reason(reason)
        look = self.project.look(handoff)
        limit = look.checklist.policy.override_days
        if not 0 < days <= limit:
            raise Refused(f"an override lasts 1 to {limit} days here")
        now = self._clock()
        payload = self._payload(
            "gate.overridden", handoff=handoff, t=now, round=look.handoff.round, package=look.status.package,
            reason=reason, expires=now + days * DAY,
        )  # fmt: skip
        draft = self._draft(handoff, "gate.overridden", "", self._signed(ACT, payload))
        return self._act(handoff, [draft], f"overrode the gate for {days} days", before=look)

    def custody(self, handoff: str, what: str, to_team: str = "", reason: str = "") -> Written:
        """Offer, accept or refuse custody of the model version (`what`: offered, accepted, refused); by my own key."""
        if what not in ("offered", "accepted", "refused"):
            raise Usage(f"{what!r} is no step of custody", "offered, accepted or refused")
        look = self.project.look(handoff)
        mine = self.project.members().people.get(self.me.person)
        offers = [s for s in look.handoff.custody if s.what == "offered"]
        if what != "offered" and not offers:
            raise Refused("nobody has offered custody yet")
        from_team = (mine.team if mine else "") if what == "offered" else offers[-1].from_team
        payload = self._payload(
            f"custody.{what}", handoff=handoff, t=self._clock(), model=look.handoff.opened.model,
            round=look.handoff.round, package=look.status.package, from_team=from_team,
            to_team=to_team if what == "offered" else offers[-1].to_team, reason=reason,
        )  # fmt: skip
        draft = self._draft(handoff, f"custody.{what}", "", self._signed(ACT, payload))
        return self._act(handoff, [draft], f"custody {what}", before=look)
