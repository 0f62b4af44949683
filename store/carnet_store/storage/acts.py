"""What a person does: each method is one act, one event, durable when it returns; screens and commands call the same.

Answering, asking and linking are signed by the store's chain key alone. What decides is signed by the person's own key inside, which may ask
for a passphrase. Every act returns what was written and, for a handoff, what it unblocked.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from carnet_store.core import canonical, keys
from carnet_store.core import event as events
from carnet_store.core.event import Draft
from carnet_store.core.fold import Change, Counts
from carnet_store.core.keys import Signer
from carnet_store.core.kind import ACT, KINDS
from carnet_store.domain import package
from carnet_store.domain.decisions import is_empty_reason
from carnet_store.domain.erasure import is_erasable
from carnet_store.domain.gate import DAY, GateStatus, item_digest, verifier_of
from carnet_store.domain.handoff import DECISIONS, SIGNOFF_PREDICATE, STATEMENT, STATEMENT_TYPE
from carnet_store.domain.people import (
    DELEGATION,
    GENESIS,
    LEDGER_FORMAT,
    ROSTER,
    ROSTER_FORMAT,
    Person,
    Roster,
    roster_bytes,
    roster_digest,
)
from carnet_store.domain.template import Pack
from carnet_store.errors import Invalid, NotFound, Refused, Usage
from carnet_store.storage.project import Look, Project

MIN_REASON: Final = 10


class Named(Protocol):
    """A person by name, mail, id and public key."""

    @property
    def name(self) -> str:
        """The name."""

    @property
    def mail(self) -> str:
        """The mail address, or empty."""

    @property
    def person(self) -> str:
        """The person id, 64 hex."""

    @property
    def public(self) -> bytes:
        """The raw public key, 32 bytes."""


class Me(Named, Protocol):
    """Who acts: a person's keys and this store's chain key."""

    def signer(self) -> Signer:
        """Return the person's own key; raises where a passphrase is needed."""

    def chain(self) -> Signer:
        """Return the key of this person's chain on this store, made silently at the first call."""

    def device(self) -> str:
        """Return an id of this machine that says nothing about it."""

    def continues(self) -> Sequence[tuple[str, int, str]]:
        """Return (chain, seq, event id) of retired chains that this one goes on from."""


class LoadedPack(Protocol):
    """A template with its raw bytes and their SHA-256."""

    @property
    def pack(self) -> Pack:
        """The pack."""

    @property
    def raw(self) -> bytes:
        """The bytes it was read from."""

    @property
    def sha256(self) -> str:
        """Their SHA-256."""


@dataclass(frozen=True, slots=True)
class Written:
    """What an act wrote.

    Attributes:
        sentence: what was written, for people.
        changes: the ids of its changes.
        entity: the entity it is about.
        unblocked: what it set in motion, in words; empty where nothing.
        next: the command that comes next, or empty.
        counts: why it does not count yet, or empty.
    """

    sentence: str
    changes: tuple[str, ...]
    entity: str
    unblocked: tuple[str, ...] = ()
    next: str = ""
    counts: str = ""


class Acts:
    """The acts of one person on one project."""

    def __init__(
        self,
        project: Project,
        me: Me,
        *,
        entropy: Callable[[int], bytes] = secrets.token_bytes,
        on_written: Callable[[Project, set[str]], None] | None = None,
    ) -> None:
        """Write to `project` as `me`; `entropy` gives random bytes, `on_written` hears which entities changed."""
        self.project = project
        self.me = me
        self._entropy = entropy
        self._on_written = on_written

    # -- founding, joining ---------------------------------------------------------------------------------------------

    @staticmethod
    def genesis(
        me: Named,
        project: str,
        roles: Sequence[str],
        team: str,
        entropy: Callable[[int], bytes],
        recovery: Sequence[str] = (),
    ) -> tuple[str, bytes]:
        """Return ledger id and genesis payload for a new project founded by `me`.

        Raises:
            Invalid: the project has no name.
        """
        if not project.strip():
            raise Invalid("a project needs a name", "carnet init --project NAME")
        founder = Person(
            name=me.name, mail=me.mail, keys=(me.public.hex(),), roles=tuple(sorted(set(roles))), team=team
        )
        roster = Roster(
            admins=(me.person,), format=ROSTER_FORMAT, ledger="", parents=(), people={me.person: founder},
            purpose="roster.set", recovery=tuple(recovery), threshold=1, version=0,
        )  # fmt: skip
        payload = canonical.encode(
            {
                "continues": "",
                "format": LEDGER_FORMAT,
                "founder": me.public.hex(),
                "nonce": entropy(16).hex(),
                "project": project.strip(),
                "purpose": "ledger.founded",
                "recovery": list(recovery),
                "roster": msgspec.to_builtins(roster),
            }
        )
        return canonical.sha256_hex(payload), payload

    def found(self, payload: bytes) -> Written:
        """Write the first event of a new ledger: its genesis and the opening of the founder's chain."""
        genesis = self._draft(self._ledger_entity, "ledger.founded", "", self._signed(GENESIS, payload))
        name = msgspec.json.decode(payload)["project"]
        return self._write(
            [genesis],
            f"founded {name}",
            entity=self._ledger_entity,
            opening=True,
            next_="carnet add model NAME --version 1",
        )

    def invite(self, name: str, mail: str, roles: Sequence[str], team: str = "", days: int = 30) -> Written:
        """Ask somebody to join with these roles; the invitation travels in the next bundle (admins only)."""
        self._only_admin("invite people")
        if not roles:
            raise Usage("an invitation names at least one role", "--role ml_engineer")
        entity, draft = self._birth(
            "invitation",
            "invite.made",
            {
                "expires": self._clock() + days * DAY,
                "mail": mail,
                "name": name,
                "roles": sorted(set(roles)),
                "team": team,
            },
        )
        return self._write(
            [draft], f"invited {name} as {', '.join(roles)}", entity=entity, next_="carnet export FILE.carnet.zip"
        )

    def invitations(self) -> list[tuple[str, str, str, tuple[str, ...]]]:
        """Return open invitations as (id, name, mail, roles), those that name me first."""
        people = self.project.people
        used = {n.invitation for n in people.newcomers.values()} | {p for p in people.invitations if self._is_taken(p)}
        now = self._clock()
        rows = [
            (entity, made.name, made.mail, made.roles)
            for entity, (made, _, _) in people.invitations.items()
            if entity not in used and (not made.expires or made.expires > now)
        ]
        return sorted(rows, key=lambda r: (r[2] != self.me.mail, r[1] != self.me.name, r[0]))

    def _is_taken(self, invitation: str) -> bool:
        mail = self.project.people.invitations[invitation][0].mail
        return any(mail and row.mail == mail for row in self.project.members().people.values())

    def join(self, invitation: str = "", roles: Sequence[str] = (), team: str = "") -> Written:
        """Accept an invitation, or ask to join; acts count at once for me and for all once an admin confirms.

        Raises:
            Refused: I am a member already, or have asked before.
        """
        if self.me.person in self.project.members().people:
            raise Refused(f"{self.me.name} is a member of {self.project.name} already")
        if self.me.person in self.project.people.newcomers:
            raise Refused(f"{self.me.name} has joined already; it waits for an admin to confirm")
        entity = f"person:{self.me.person[:32]}"
        common = {"key": self.me.public.hex(), "mail": self.me.mail, "name": self.me.name, "team": team}
        if invitation:
            made = self.project.people.invitations.get(invitation)
            if made is None:
                raise NotFound("there is no such invitation here", "carnet people list shows those that are open")
            value = {**common, "invitation": invitation, "team": team or made[0].team}
            drafts = [self._draft(entity, "invite.accepted", "", value)]
            word = f"accepted the invitation as {', '.join(made[0].roles)}"
        else:
            drafts = [self._draft(entity, "join.requested", "", {**common, "roles": sorted(set(roles))})]
            word = "asked to join"
        return self._write(drafts, word, entity=entity, opening=True, next_="carnet export FILE.carnet.zip")

    def admit(self, person: str, roles: Sequence[str] | None = None, team: str | None = None) -> Written:
        """Confirm a newcomer: from the acceptance on, that person's acts count (admins only)."""
        newcomer = next((n for n in self.project.people.waiting_newcomers() if n.person == person), None)
        if newcomer is None:
            raise NotFound("nobody of that name waits to join", "carnet people list")
        granted = tuple(sorted(set(roles if roles is not None else newcomer.roles)))
        row = Person(
            name=newcomer.name, mail=newcomer.mail, keys=(newcomer.key,), roles=granted,
            team=newcomer.team if team is None else team, joined=newcomer.change,
        )  # fmt: skip
        return self._set_people({person: row}, f"admitted {newcomer.name} as {', '.join(granted) or 'member'}")

    def set_roles(self, person: str, roles: Sequence[str], team: str | None = None) -> Written:
        """Give a member exactly these roles (admins only)."""
        row = self._member(person)
        row = msgspec.structs.replace(row, roles=tuple(sorted(set(roles))), team=row.team if team is None else team)
        return self._set_people({person: row}, f"{row.name} is now {', '.join(row.roles) or 'without a role'}")

    def set_admins(self, admins: Sequence[str], threshold: int = 1, also: Sequence[Me] = ()) -> Written:
        """Name the admins; with two or more before, a second admin (`also`) signs too."""
        return self._set_people(
            {}, "named the admins", admins=tuple(sorted(set(admins))), threshold=threshold, also=also
        )

    def leave(self, person: str) -> Written:
        """End a membership: what was signed before stays valid; later acts do not count (admins only)."""
        row = msgspec.structs.replace(self._member(person), status="left", roles=())
        admins = tuple(a for a in sorted(self.project.members().admins) if a != person)
        return self._set_people({person: row}, f"{row.name} left the project", admins=admins or None)

    def revoke(
        self, person: str, why: str, *, compromised: bool = False, last: Mapping[str, str] | None = None
    ) -> Written:
        """Revoke a person's keys: beyond the last good places (default: all that is held now) nothing counts."""
        self._reason(why)
        row = self.project.members().people.get(person)
        chains = {h.key: h.place for h in self.project.ledger.heads() if self.project.people.person_of(h.key) == person}
        payload = self._payload(
            "person.revoked",
            last=dict(chains if last is None else last),
            person=person,
            reason="compromised" if compromised else "left",
            why=why,
        )
        draft = self._draft(f"person:{person[:32]}", "person.revoked", "", self._signed(ACT, payload))
        return self._write([draft], f"revoked {row.name if row else person[:8]}'s keys", entity=f"person:{person[:32]}")

    def adopt_fork(self, chain: str, heads: Sequence[str]) -> Written:
        """Let branches of my own forked chain count up to these heads."""
        payload = self._payload("fork.adopted", chain=chain, heads=sorted(heads))
        entity = f"person:{self.me.person[:32]}"
        return self._write(
            [self._draft(entity, "fork.adopted", "", self._signed(ACT, payload))], "adopted the branches"
        )

    def _set_people(
        self, rows: Mapping[str, Person], sentence: str, *, admins: Sequence[str] | None = None, threshold: int | None = None,
        also: Sequence[Me] = (),
    ) -> Written:  # fmt: skip
        self._only_admin("change the roster")
        people, members = self.project.people, self.project.members()
        heads = [people.rosters[d] for d in members.heads]
        roster = Roster(
            admins=tuple(admins if admins is not None else sorted(members.admins)),
            format=ROSTER_FORMAT,
            ledger=self.project.id,
            parents=tuple(sorted(roster_digest(h) for h in heads)),
            people={**members.people, **rows},
            purpose="roster.set",
            recovery=tuple(sorted(members.recovery)),
            threshold=members.threshold if threshold is None else threshold,
            version=1 + max(h.version for h in heads),
        )
        payload = roster_bytes(roster)
        value = self._signed(ROSTER, payload, also)
        written = self._write([self._draft(self._ledger_entity, "roster.set", "roster", value)], sentence)
        if roster_digest(roster) not in self.project.people.rosters:
            raise Refused(
                "the new roster is written, and does not count yet: it needs another admin's signature",
                "a change of admins needs two of them once there are two",
            )
        return written

    def _member(self, person: str) -> Person:
        row = self.project.members().people.get(person)
        if row is None:
            raise NotFound("that person is not a member", "carnet people list")
        return row

    def _only_admin(self, what: str) -> None:
        if self.me.person not in self.project.members().admins:
            admins = ", ".join(self.project.person_name(a) for a in sorted(self.project.members().admins))
            raise Refused(f"only an admin may {what}", f"ask {admins}")

    # -- lineage -------------------------------------------------------------------------------------------------------

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
        """Set an attribute of an entity, over what I or all that I have seen said before."""
        over = self._own_live(entity, "entity.described", attribute)
        draft = self._draft(entity, "entity.described", attribute, {"value": value}, over)
        return self._write([draft], f"{self.project.title(entity)}: {attribute} set", entity=entity)

    def link(self, entity: str, relation: str, to: str) -> Written:
        """Add an edge: `entity` used, made, or comes from `to`."""
        if relation not in ("used", "made", "from"):
            raise Usage(f"there is no relation {relation!r}", "used, made or from")
        words = f"{self.project.title(entity)} {relation} {self.project.title(to)}"
        return self._write([self._edge(entity, relation, to)], words, entity=entity)

    def set_criteria(self, model_name: str, rows: Sequence[Mapping[str, Any]], entity: str = "") -> Written:
        """Set the criteria of a model line, whole; with `entity` a new version of those."""
        drafts = []
        if not entity:
            entity, birth = self._birth("criteria", "entity.declared", {"name": model_name})
            drafts.append(birth)
        over = self._own_live(entity, "criteria.set", "") if len(drafts) == 0 else ()
        drafts.append(self._draft(entity, "criteria.set", "", {"rows": [dict(r) for r in rows]}, over))
        return self._write(drafts, f"{len(rows)} criteria for {model_name}", entity=entity)

    def _edge(self, entity: str, relation: str, to: str) -> Draft:
        return self._draft(entity, "edge.linked", f"{relation}:{to}", {"relation": relation, "to": to})

    # -- decisions, questions, comments --------------------------------------------------------------------------------

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

    # -- handoff -------------------------------------------------------------------------------------------------------

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
        return self._write(
            drafts,
            f"opened a handoff of {title}: {gate.title}",
            entity=entity,
            next_=f"carnet answer {title} ITEM VALUE",
        )

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
        drafts = []
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
        words = next(iter(answers)) if len(answers) == 1 else f"{len(answers)} items"
        return self._act(handoff, drafts, f"answered {words}", before=look)

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
        status = look.status.item(item_id)
        if status is None:
            raise NotFound(f"this handoff does not ask {item_id}")
        answer = status.answer
        if answer is None:
            raise Refused(f"{item_id} has {'two answers in conflict' if status.answers else 'no answer yet'}")
        if answer.person == self.me.person:
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
            draft = self._draft(handoff, "readback.confirmed", item_id, self._signed(ACT, payload), over)
        elif is_na and agree and status.item.blocks:
            payload = self._payload(
                "na.confirmed", handoff=handoff, t=self._clock(), item=item_id, answer=answer.id, role=role
            )
            draft = self._draft(handoff, "na.confirmed", item_id, self._signed(ACT, payload))
        else:
            value = {"answer": answer.id, "role": role, "agree": agree, **({"reason": reason} if reason else {})}
            over = self._own_live(handoff, "item.verified", item_id)
            draft = self._draft(handoff, "item.verified", item_id, value, over)
        word = "agreed with" if agree else "disagreed with"
        return self._act(handoff, [draft], f"{word} {item_id}", before=look)

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

    # -- taking back, forgetting ---------------------------------------------------------------------------------------

    def retract(self, change: str, reason: str = "") -> Written:
        """Take back my own record (an answer, a comment ...), where nothing of it left in a bundle.

        Raises:
            Refused: another wrote it, or it was exported already, or it is a signed act.
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
        return written

    # -- drafts (private, undoable) ------------------------------------------------------------------------------------

    def keep_draft(self, subject: str, value: Mapping[str, Any]) -> None:
        """Keep something typed and not written yet, for me alone (`subject`: e.g. handoff and item)."""
        self.project.ledger.db.execute(
            "INSERT OR REPLACE INTO draft VALUES(?, ?, ?, ?)",
            (self.me.person, subject, canonical.encode(dict(value)).decode(), self._clock()),
        )

    def drafts(self, prefix: str = "") -> dict[str, dict[str, Any]]:
        """Return my drafts by subject."""
        rows = self.project.ledger.db.execute(
            "SELECT subject, value FROM draft WHERE person = ? AND substr(subject, 1, ?) = ? ORDER BY subject",
            (self.me.person, len(prefix), prefix),
        )
        return {subject: msgspec.json.decode(value) for subject, value in rows}

    def drop_draft(self, subject: str) -> None:
        """Forget a draft."""
        self.project.ledger.db.execute("DELETE FROM draft WHERE person = ? AND subject = ?", (self.me.person, subject))

    def looked(self, subject: str) -> int:
        """Return when I last looked at something, ms, and remember that I look now."""
        db = self.project.ledger.db
        row = db.execute("SELECT at FROM looked WHERE person = ? AND subject = ?", (self.me.person, subject)).fetchone()
        db.execute("INSERT OR REPLACE INTO looked VALUES(?, ?, ?)", (self.me.person, subject, self._clock()))
        return int(row[0]) if row else 0

    # -- small things --------------------------------------------------------------------------------------------------

    @property
    def _ledger_entity(self) -> str:
        return f"ledger:{self.project.id[:32]}"

    def _clock(self) -> int:
        return self.project.clock()

    def _my_roles(self) -> frozenset[str]:
        row = self.project.members().people.get(self.me.person)
        if row is not None:
            return frozenset(row.roles) if row.status == "active" else frozenset()
        newcomer = self.project.people.newcomers.get(self.me.person)
        return frozenset(newcomer.roles) if newcomer else frozenset()

    @staticmethod
    def _reason(text: str) -> None:
        if is_empty_reason(text, MIN_REASON):
            raise Invalid("give a reason that says something", f"at least {MIN_REASON} characters, no placeholder")

    def _change(self, change: str) -> Change:
        found = self.project.ledger.projection.change(change)
        if found is None:
            raise NotFound(f"there is no change {change[:16]}…")
        return found

    def _live(self, entity: str, kind: str, field_: str) -> tuple[str, ...]:
        return tuple(c.id for c in self.project.changes(entity) if c.live and c.kind == kind and c.field == field_)

    def _own_live(self, entity: str, kind: str, field_: str) -> tuple[str, ...]:
        return tuple(
            c.id
            for c in self.project.changes(entity)
            if c.live and c.kind == kind and c.field == field_ and c.person == self.me.person
        )

    def _replaceable(self, look: Look, item_id: str, role: str) -> tuple[str, ...]:
        mine = role in self._my_roles()
        return tuple(c.id for c in look.handoff.answers.get(item_id, ()) if mine or c.person == self.me.person)

    def _salt(self) -> str:
        return self._entropy(16).hex()

    def _draft(self, entity: str, kind: str, field_: str, value: Mapping[str, Any], over: Sequence[str] = ()) -> Draft:
        name = kind + ("!" if KINDS[kind].critical else "")
        return Draft(entity, name, field_, dict(value), self._salt(), tuple(over))

    def _birth(self, entity_kind: str, kind: str, value: Mapping[str, Any]) -> tuple[str, Draft]:
        salt = self._salt()
        commitment = canonical.commitment(salt, canonical.encode(dict(value)))
        entity = events.birth_entity(entity_kind, self.me.chain().public.hex(), commitment)
        return entity, Draft(entity, kind + ("!" if KINDS[kind].critical else ""), "", dict(value), salt)

    def _payload(self, purpose: str, **fields: Any) -> bytes:
        return canonical.encode({"ledger": self.project.id, "purpose": purpose, **fields})

    def _signed(self, payload_type: str, payload: bytes, also: Sequence[Me] = ()) -> dict[str, Any]:
        signers = [self.me.signer(), *(other.signer() for other in also)]
        return {"dsse": [keys.sign_envelope(signer, payload_type, payload).value() for signer in signers]}

    def _opening(self) -> Draft:
        chain = self.me.chain()
        payload = canonical.encode(
            {
                "chain": chain.public.hex(),
                "continues": [{"chain": c, "hash": h, "seq": s} for c, s, h in self.me.continues()],
                "device": self.me.device(),
                "key": self.me.public.hex(),
                "ledger": self.project.id,
                "person": self.me.person,
                "purpose": "chain.opened",
                "t": self._clock(),
            }
        )
        return self._draft(f"person:{self.me.person[:32]}", "chain.opened", "", self._signed(DELEGATION, payload))

    def _write(
        self, drafts: Sequence[Draft], sentence: str, *, entity: str = "", opening: bool = False, next_: str = ""
    ) -> Written:
        chain = self.me.chain()
        drafts = list(drafts)
        if self.project.ledger.head(chain.public.hex()) is None:
            stranger = (
                not opening
                and self.me.person not in self.project.members().people
                and self.me.person not in self.project.people.newcomers
            )
            if stranger:
                raise Refused(
                    f"{self.me.name} is not a member of {self.project.name}",
                    "carnet people join, then send the bundle to an admin",
                )
            at = 1 if drafts and drafts[0].kind.startswith("ledger.founded") else 0
            drafts.insert(at, self._opening())
        event, touched = self.project.ledger.append(chain, drafts, self._clock())
        if self._on_written is not None:
            self._on_written(self.project, touched.entities)
        first = self.project.ledger.projection.change(event.change_id(len(drafts) - 1))
        counts = "" if first is None or first.counts is Counts.YES else first.counts.words
        ids = tuple(event.change_id(i) for i in range(len(drafts)))
        return Written(sentence, ids, entity or drafts[-1].entity, (), next_, counts)

    def _act(self, handoff: str, drafts: Sequence[Draft], sentence: str, before: Look | None = None) -> Written:
        before = before or self.project.look(handoff)
        written = self._write(drafts, sentence, entity=handoff)
        after = self.project.look(handoff)
        title = self.project.title(after.handoff.opened.model)
        return replace(
            written,
            sentence=f"{title}: {written.sentence}",
            unblocked=_unblocked(before.status, after.status),
            next=_next(after, title),
        )


def _unblocked(before: GateStatus, after: GateStatus) -> tuple[str, ...]:
    found = []
    was = {i.item.id for i in before.items if i.settled}
    now = [i.item.id for i in after.items if i.settled and i.item.id not in was]
    if now:
        found.append(f"in order now: {', '.join(now[:20])}")
    gone = [i.item.id for i in after.items if not i.settled and i.item.id in was]
    if gone:
        found.append(f"open again: {', '.join(gone[:20])}")
    stale = {s.change.id for s in after.signoffs if not s.fresh} - {s.change.id for s in before.signoffs if not s.fresh}
    if stale:
        found.append(
            f"{len(stale)} sign-off turned stale" if len(stale) == 1 else f"{len(stale)} sign-offs turned stale"
        )
    if before.verdict != after.verdict:
        found.append(f"the gate is {after.verdict} now")
    return tuple(found)


def _next(look: Look, title: str) -> str:
    status = look.status
    if status.verdict == "passed":
        return f"carnet export {title.replace('@', '-')}.carnet.zip"
    if not status.reasons:
        return f"carnet handoff show {title}"
    reason = status.reasons[0]
    if reason.code == "unsealed" or reason.code == "changed":
        return f"carnet handoff seal {title}"
    if reason.code in ("unsigned", "stale"):
        return f"carnet sign {title} --as {reason.role} --reason TEXT"
    if reason.code == "answered":
        return f"carnet verify-item {title} {reason.item} --agree"
    if reason.item:
        return f"carnet answer {title} {reason.item} VALUE"
    return f"carnet handoff show {title}"
