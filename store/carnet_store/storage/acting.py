"""What every act shares: who acts, how a change is drafted, signed and written, and the closing line of what it set in motion."""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from carnet_store.core import canonical, keys
from carnet_store.core import event as events
from carnet_store.core.event import Draft
from carnet_store.core.fold import Change, Counts
from carnet_store.core.keys import Signer
from carnet_store.core.kind import KINDS
from carnet_store.domain.decisions import is_empty_reason
from carnet_store.domain.gate import GateStatus
from carnet_store.domain.people import (
    DELEGATION,
)
from carnet_store.domain.template import Pack
from carnet_store.errors import Invalid, NotFound, Refused
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


class Acting:
    """One person acting on one project; the subjects' acts stand in the classes that build on it."""

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

    @property
    def _ledger_entity(self) -> str:
        return f"ledger:{self.project.id[:32]}"

    def _clock(self) -> int:
        return self.project.clock()

    def roles(self) -> frozenset[str]:
        """Return the roles that I hold in this project, also those that count once my joining is confirmed."""
        return self._my_roles()

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
            next=self._next(after, written.counts),
        )

    def _next(self, look: Look, counts: str) -> str:
        """Return the command that comes next for me: what is mine to answer, verify, seal or sign; else where to look."""
        status = look.status
        name = self.project.handoff_name(look.handoff)
        bundle = shlex.quote(f"{name.replace('@', '-').replace('/', '-')}.carnet.zip")
        name = shlex.quote(name)  # names may come from elsewhere, and people paste this into a shell
        if status.verdict == "passed" or counts:
            return f"carnet export {bundle}"
        roles = self._my_roles()
        giver = look.checklist.signoffs[0].role if look.checklist.signoffs else ""
        for reason in (r for r in status.reasons if r.item and r.role in roles):
            one = status.item(reason.item)
            if reason.code != "answered":
                return f"carnet answer {name} {reason.item} VALUE"
            if one is not None and one.answer is not None and one.answer.person != self.me.person:
                return f"carnet verify-item {name} {reason.item} --agree"
        if giver in roles and any(r.code in ("unsealed", "changed") for r in status.reasons):
            return f"carnet handoff seal {name}"
        if all(r.code in ("unsigned", "stale") for r in status.reasons):
            for reason in status.reasons:
                if reason.role in roles and self.me.person in reason.persons:
                    return f"carnet sign {name} --as {reason.role} --reason TEXT"
        return "carnet status"


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
