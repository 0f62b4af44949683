"""Who is who and whose acts count: the genesis, chains and their delegations, rosters, joining, revocations, forks.

Rules (docs/format.md sections 5, 7, 9):
- The roster is folded first, from its own changes only. Each names its parents and is signed by the parents' threshold of admins.
- Concurrent rosters: a person or role stands only where all agree; every removal takes effect; roles whose holders differ are disputed.
- A change is judged against the roster in its causal past. A newcomer's acts count from the acceptance on, once a roster names it.
- A revocation lists last good places; what is beyond, or in a chain not listed, does not count until adopted.
- After a fork no event of any branch counts from the fork on, until the person's key adopts branches by head.
- Nothing here depends on the order in which events arrived.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from carnet_store.core import canonical, keys
from carnet_store.core.fold import Counts
from carnet_store.core.kind import ACT, kind
from carnet_store.errors import CarnetError, Invalid

GENESIS = "application/vnd.carnet.genesis+json"
DELEGATION = "application/vnd.carnet.delegation+json"
ROSTER = "application/vnd.carnet.roster+json"
LEDGER_FORMAT = "carnet-ledger/1"
ROSTER_FORMAT = "carnet-roster/1"

Place = tuple[int, int]
"""(local number of the chain or branch, seq)."""
Past = Mapping[int, int]
"""For each local chain number the last seq that lies in the causal past."""


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A person's row in a roster. `keys` are public keys in hex, the first one first."""

    name: str
    keys: tuple[str, ...]
    roles: tuple[str, ...]
    mail: str = ""
    team: str = ""
    kind: str = "human"
    status: str = "active"
    joined: str = ""


class Roster(msgspec.Struct, frozen=True, kw_only=True):
    """One version of who belongs to the project and in which roles."""

    admins: tuple[str, ...]
    format: str
    ledger: str
    parents: tuple[str, ...]
    people: dict[str, Person]
    purpose: str
    recovery: tuple[str, ...]
    threshold: int
    version: int


@kind("ledger.founded", on=("ledger",), rule="nobody", signed=GENESIS, about_people=True, critical=True)
class Genesis(msgspec.Struct, frozen=True, kw_only=True):
    """The ledger's first act: its bytes' SHA-256 is the ledger id."""

    continues: str
    format: str
    founder: str
    nonce: str
    project: str
    purpose: str
    recovery: tuple[str, ...]
    roster: Roster


class Continued(msgspec.Struct, frozen=True):
    """A chain that another goes on from."""

    chain: str
    seq: int
    hash: str


@kind("chain.opened", on=("person",), rule="nobody", signed=DELEGATION, about_people=True, critical=True)
class Delegation(msgspec.Struct, frozen=True, kw_only=True):
    """A person's key lets a chain key sign on one store."""

    chain: str
    device: str
    key: str
    ledger: str
    person: str
    purpose: str
    t: int
    continues: tuple[Continued, ...] = ()


@kind("roster.set", on=("ledger",), rule="nobody", signed=ROSTER, about_people=True, critical=True)
class RosterSet(Roster, frozen=True, kw_only=True):
    """A later version of the roster."""


@kind("person.key_added", on=("person",), rule="nobody", signed=ACT, about_people=True)
class KeyAdded(msgspec.Struct, frozen=True, kw_only=True):
    """A person's further key, signed by an older one."""

    ledger: str
    purpose: str
    person: str
    key: str


@kind("invite.made", on=("invitation",), birth=True, role="admin", about_people=True)
class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """An admin asks somebody to join; it expires (`expires`, ms) and names the roles that will be granted."""

    name: str
    mail: str
    roles: tuple[str, ...]
    team: str = ""
    expires: int = 0


@kind("invite.accepted", on=("person",), about_people=True)
class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """The newcomer's acceptance; stands in event 0 of the newcomer's first chain."""

    name: str
    mail: str
    invitation: str
    key: str
    team: str = ""


@kind("join.requested", on=("person",), about_people=True)
class JoinRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who was not invited asks to join, naming the roles asked for."""

    name: str
    mail: str
    key: str
    roles: tuple[str, ...] = ()
    team: str = ""


@kind("person.revoked", on=("person",), rule="nobody", signed=ACT, about_people=True, critical=True)
class Revocation(msgspec.Struct, frozen=True, kw_only=True):
    """A person's keys end: `last` maps each chain to its last good `seq:event id`."""

    ledger: str
    purpose: str
    person: str
    last: dict[str, str]
    reason: str
    why: str


@kind("fork.adopted", on=("person",), rule="nobody", signed=ACT, about_people=True, critical=True)
class ForkAdopted(msgspec.Struct, frozen=True, kw_only=True):
    """A forked chain's owner says which branches stand, by the event ids of their heads."""

    ledger: str
    purpose: str
    chain: str
    heads: tuple[str, ...]


@kind("event.adopted", on=("ledger",), rule="nobody", signed=ACT, about_people=True, critical=True)
class EventAdopted(msgspec.Struct, frozen=True, kw_only=True):
    """Admins let single events count that lie beyond a revocation."""

    ledger: str
    purpose: str
    events: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Fact:
    """One change about people, as storage hands it over. `past` includes the change's own place."""

    id: str
    event: str
    entity: str
    kind: str
    raw: bytes
    chain: str
    place: Place
    past: Past
    t: int


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain or a branch of one. `parent` and `start`: for a branch, the chain it left and its first seq there."""

    no: int
    key: str
    parent: int = 0
    start: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """What an author was at one place: a member or why not, the roles held, and whether the roster was disputed."""

    counts: Counts
    roles: frozenset[str]
    admin: bool = False


@dataclass(frozen=True, slots=True)
class Members:
    """The roster in force, possibly merged from concurrent heads."""

    heads: tuple[str, ...]
    people: Mapping[str, Person]
    admins: frozenset[str]
    threshold: int
    recovery: frozenset[str]
    disputed: frozenset[str] = frozenset()

    def holders(self, role: str) -> list[str]:
        """Return the ids of the active persons who hold `role`, sorted by name."""
        found = [p for p, row in self.people.items() if row.status == "active" and role in row.roles]
        return sorted(found, key=lambda p: (self.people[p].name, p))


@dataclass(frozen=True, slots=True)
class Opening:
    """A chain and the person who delegated it."""

    chain: str
    person: str
    key: str
    change: str
    delegation: Delegation


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Somebody whose joining waits for an admin."""

    person: str
    name: str
    mail: str
    team: str
    key: str
    roles: tuple[str, ...]
    invitation: str
    change: str
    t: int


NOBODY = Members((), {}, frozenset(), 1, frozenset())


def roster_digest(roster: Roster) -> str:
    """Return the SHA-256 of a roster's canonical bytes."""
    return canonical.sha256_hex(roster_bytes(roster))


def roster_bytes(roster: Roster) -> bytes:
    """Return a roster's canonical bytes: the payload that admins sign."""
    return canonical.encode(msgspec.to_builtins(roster))


@functools.lru_cache(maxsize=4096)
def _envelope_holds(payload_type: str, payload: bytes, signature: bytes, public: bytes) -> bool:
    return keys.verify(public, signature, keys.pae(payload_type, payload))


def read_signed(raw: bytes, payload_type: str) -> tuple[bytes, list[keys.Envelope]]:
    """Return payload and envelopes of a person-signed value, unverified.

    Raises:
        Invalid: not `{"dsse": [envelope, ...]}` with one payload of the right type.

    """
    value = canonical.decode(raw)
    if (
        not isinstance(value, dict)
        or set(value) != {"dsse"}
        or not isinstance(value["dsse"], list)
        or not value["dsse"]
    ):
        raise Invalid("a person-signed value is {dsse: [envelope, ...]}")
    if len(value["dsse"]) > 64:
        raise Invalid("more than 64 envelopes")
    envelopes = [keys.envelope_from_value(one) for one in value["dsse"]]
    payload = envelopes[0].payload
    if any(one.payload != payload or one.payload_type != payload_type for one in envelopes):
        raise Invalid("the envelopes of one act carry one payload of one type")
    canonical.decode(payload)
    return payload, envelopes


@dataclass(slots=True)
class People:
    """Everything about who counts, derived from the facts alone. Build it anew when a fact is added: there are few."""

    ledger: str
    genesis: Genesis | None = None
    openings: dict[str, Opening] = field(default_factory=dict)
    rosters: dict[str, Roster] = field(default_factory=dict)
    newcomers: dict[str, Newcomer] = field(default_factory=dict)
    invitations: dict[str, tuple[Invitation, str, int]] = field(default_factory=dict)
    revocations: list[Revocation] = field(default_factory=list)
    verdicts: dict[str, Counts] = field(default_factory=dict)
    signers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _places: dict[str, Place] = field(default_factory=dict)
    _keys: dict[str, bytes] = field(default_factory=dict)
    _owner: dict[str, str] = field(default_factory=dict)
    _joined: dict[str, tuple[Place, str]] = field(default_factory=dict)
    _adopted: set[str] = field(default_factory=set)
    _forks: dict[str, int] = field(default_factory=dict)
    _good_branches: dict[int, int] = field(default_factory=dict)
    _limits: dict[str, list[dict[str, tuple[int, str]]]] = field(default_factory=dict)
    _members: dict[frozenset[str], Members] = field(default_factory=dict)
    _event_at: Any = None

    # -- building ------------------------------------------------------------------------------------------------------

    @classmethod
    def build(cls, ledger: str, facts: Sequence[Fact], chains: Sequence[Chain], event_at: Any = None) -> People:
        """Judge all facts about people.

        Args:
            ledger: the ledger id (64 hex).
            facts: every change of a kind that is about people, in an order in which causes come first.
            chains: all chains and branches held.
            event_at: `(chain no, seq) -> event id | None`, asked only about forks and revocations.

        """
        self = cls(ledger, _event_at=event_at or (lambda no, seq: None))
        for fact in facts:
            self._open(fact)
        for fact in facts:
            self._judge(fact)
        for fact in facts:
            self._cut(fact, facts)
        self._fork(chains, facts)
        return self

    def _learn(self, key: str, person: str) -> None:
        public = bytes.fromhex(key)
        self._keys[keys.key_id(public)] = public
        self._owner.setdefault(key, person)

    def _open(self, fact: Fact) -> None:
        """Learn keys from genesis, delegations and further keys; open chains."""
        try:
            if fact.kind == "ledger.founded":
                payload, envelopes = read_signed(fact.raw, GENESIS)
                genesis = msgspec.json.decode(payload, type=Genesis)
                if canonical.sha256_hex(payload) != self.ledger or genesis.format != LEDGER_FORMAT:
                    raise Invalid("not this ledger's genesis")
                founder = bytes.fromhex(genesis.founder)
                if not _envelope_holds(GENESIS, payload, envelopes[0].signature, founder):
                    raise Invalid("the founder's signature does not hold")
                self.genesis = genesis
                self._learn(genesis.founder, keys.person_id(founder))
                for key in genesis.recovery:
                    self._learn(key, f"recovery:{key}")
                digest = roster_digest(genesis.roster)
                self.rosters[digest], self._places[digest] = genesis.roster, fact.place
                self.signers[fact.id] = (keys.person_id(founder),)
            elif fact.kind == "chain.opened":
                payload, envelopes = read_signed(fact.raw, DELEGATION)
                given = msgspec.json.decode(payload, type=Delegation)
                public = bytes.fromhex(given.key)
                known = keys.person_id(public) == given.person or self._owner.get(given.key) == given.person
                entity = f"person:{given.person[:32]}"
                if (
                    given.chain != fact.chain
                    or given.ledger != self.ledger
                    or given.purpose != fact.kind
                    or fact.place[1] != 0
                    or not known
                    or fact.entity != entity
                    or not _envelope_holds(DELEGATION, payload, envelopes[0].signature, public)
                ):
                    raise Invalid("the delegation does not hold")
                self._learn(given.key, given.person)
                self.openings[fact.chain] = Opening(fact.chain, given.person, given.key, fact.id, given)
                self.signers[fact.id] = (given.person,)
            elif fact.kind == "person.key_added":
                payload, signers = self._signed(fact)
                added = msgspec.json.decode(payload, type=KeyAdded)
                if added.ledger != self.ledger or added.purpose != fact.kind or added.person not in signers:
                    raise Invalid("a further key is signed by an older one of the same person")
                self._learn(added.key, added.person)
                self.signers[fact.id] = (added.person,)
        except (CarnetError, msgspec.MsgspecError, ValueError) as _:
            self.verdicts[fact.id] = Counts.SIGNATURE

    def _signed(self, fact: Fact) -> tuple[bytes, list[str]]:
        """Return payload and the persons whose signature over it holds."""
        from carnet_store.core.kind import KINDS

        payload, envelopes = read_signed(fact.raw, KINDS[fact.kind].payload_type)
        return payload, self.verified_signers(payload, envelopes)

    def verified_signers(self, payload: bytes, envelopes: Sequence[keys.Envelope]) -> list[str]:
        """Return the ids of the persons (or `recovery:<key>`) whose signatures hold, sorted and unique."""
        found: set[str] = set()
        for envelope in envelopes:
            public = self._keys.get(envelope.keyid)
            if public is not None and _envelope_holds(envelope.payload_type, payload, envelope.signature, public):
                found.add(self._owner[public.hex()])
        return sorted(found)

    def _judge(self, fact: Fact) -> None:
        """Take in rosters, invitations, acceptances, in causal order."""
        if fact.id in self.verdicts:
            return
        try:
            if fact.kind == "roster.set":
                self._judge_roster(fact)
            elif fact.kind == "invite.made":
                made = msgspec.json.decode(fact.raw, type=Invitation)
                opening = self.openings.get(fact.chain)
                if opening and opening.person in self.members(fact.past).admins:
                    self.invitations[fact.entity] = (made, opening.person, fact.t)
            elif fact.kind in ("invite.accepted", "join.requested"):
                self._judge_newcomer(fact)
        except (CarnetError, msgspec.MsgspecError, ValueError) as _:
            self.verdicts[fact.id] = Counts.FORM

    def _judge_newcomer(self, fact: Fact) -> None:
        opening = self.openings.get(fact.chain)
        if opening is None or fact.place[1] != 0:
            return
        roles: tuple[str, ...]
        if fact.kind == "invite.accepted":
            accepted = msgspec.json.decode(fact.raw, type=Accepted)
            invitation = self.invitations.get(accepted.invitation)
            roles = invitation[0].roles if invitation else ()
            name, mail, team, key, of = accepted.name, accepted.mail, accepted.team, accepted.key, accepted.invitation
        else:
            asked = msgspec.json.decode(fact.raw, type=JoinRequest)
            roles, name, mail, team, key, of = asked.roles, asked.name, asked.mail, asked.team, asked.key, ""
        if key == opening.key and keys.person_id(bytes.fromhex(key)) == opening.person:
            self.newcomers[opening.person] = Newcomer(opening.person, name, mail, team, key, roles, of, fact.id, fact.t)
            self._joined[opening.person] = (fact.place, fact.id)

    def _judge_roster(self, fact: Fact) -> None:
        payload, signers = self._signed(fact)
        roster = msgspec.json.decode(payload, type=RosterSet)
        plain = msgspec.convert(msgspec.to_builtins(roster), type=Roster)
        if roster.ledger != self.ledger or roster.purpose != fact.kind or roster.format != ROSTER_FORMAT:
            raise Invalid("a roster of another ledger or purpose")
        if roster_bytes(plain) != payload:
            raise Invalid("a roster with words that this Carnet does not know")
        parents = [self.rosters.get(digest) for digest in roster.parents]
        reasons = [
            not roster.parents,
            any(parent is None for parent in parents),
            any(not self._seen(self._places[d], fact.past) for d in roster.parents if d in self._places),
            roster.version != 1 + max((p.version for p in parents if p), default=-1),
            any(not person.keys for person in roster.people.values()),
            any(admin not in roster.people for admin in roster.admins) or not roster.admins,
            not 1 <= roster.threshold <= max(1, len(roster.admins)),
        ]
        if any(reasons) or not all(_enough(parent, roster, signers) for parent in parents if parent):
            self.verdicts[fact.id] = Counts.SIGNATURE
            return
        digest = canonical.sha256_hex(payload)
        self.rosters[digest], self._places[digest] = plain, fact.place
        self.signers[fact.id] = tuple(signers)
        for person, row in roster.people.items():
            for key in row.keys:
                if keys.person_id(bytes.fromhex(key)) == person:
                    self._learn(key, person)

    def _cut(self, fact: Fact, facts: Sequence[Fact]) -> None:
        """Take in revocations and single adopted events."""
        if fact.kind not in ("person.revoked", "event.adopted"):
            return
        try:
            payload, signers = self._signed(fact)
            members = self.members(fact.past)
            already = {
                msgspec.json.decode(read_signed(f.raw, ACT)[0], type=Revocation).person
                for f in facts
                if f.kind == "person.revoked"
                and f.id != fact.id
                and f.id in self.signers
                and self._seen(f.place, fact.past)
            }
            admins = [s for s in signers if (s in members.admins and s not in already) or s[9:] in members.recovery]
            if fact.kind == "person.revoked":
                revocation = msgspec.json.decode(payload, type=Revocation)
                right = revocation.ledger == self.ledger and revocation.purpose == fact.kind
                if not right or (len(admins) < members.threshold and revocation.person not in signers):
                    raise Invalid("a revocation needs the admins' threshold or the person")
                self.revocations.append(revocation)
                listed = {}
                for chain, place in revocation.last.items():
                    seq, event = place.split(":")
                    listed[chain] = (int(seq), event)
                self._limits.setdefault(revocation.person, []).append(listed)
            else:
                adopted = msgspec.json.decode(payload, type=EventAdopted)
                right = adopted.ledger == self.ledger and adopted.purpose == fact.kind
                if not right or len(admins) < members.threshold:
                    raise Invalid("adopting events needs the admins' threshold")
                self._adopted.update(adopted.events)
            self.signers[fact.id] = tuple(signers)
        except (CarnetError, msgspec.MsgspecError, ValueError) as _:
            self.verdicts[fact.id] = Counts.SIGNATURE

    def _fork(self, chains: Sequence[Chain], facts: Sequence[Fact]) -> None:
        for chain in chains:
            if chain.parent:
                self._forks[chain.key] = min(chain.start, self._forks.get(chain.key, chain.start))
        if not self._forks:
            return
        by_no = {chain.no: chain for chain in chains}
        for fact in facts:
            if fact.kind != "fork.adopted":
                continue
            try:
                payload, signers = self._signed(fact)
                adopted = msgspec.json.decode(payload, type=ForkAdopted)
                opening = self.openings.get(adopted.chain)
                if (
                    adopted.ledger != self.ledger
                    or adopted.purpose != fact.kind
                    or opening is None
                    or opening.person not in signers
                ):
                    raise Invalid("a fork is adopted by the person whose chain it is")
                self.signers[fact.id] = tuple(signers)
            except (CarnetError, msgspec.MsgspecError, ValueError) as _:
                self.verdicts[fact.id] = Counts.SIGNATURE
                continue
            wanted = set(adopted.heads)
            for chain in chains:
                if chain.key != adopted.chain:
                    continue
                # A head names its branch and how far along it the adoption reaches; what it stands on is adopted with it.
                seq = self._find_head(chain, wanted)
                step: Chain | None = chain if seq is not None else None
                while step is not None and seq is not None:
                    self._good_branches[step.no] = max(seq, self._good_branches.get(step.no, -1))
                    seq, step = step.start - 1, by_no.get(step.parent)

    def _find_head(self, chain: Chain, wanted: set[str]) -> int | None:
        seq, found = chain.start, None
        while (event := self._event_at(chain.no, seq)) is not None:
            if event in wanted:
                found = seq
            seq += 1
        return found

    # -- asking --------------------------------------------------------------------------------------------------------

    @staticmethod
    def _seen(place: Place, past: Past) -> bool:
        return past.get(place[0], -1) >= place[1]

    def members(self, past: Past | None = None) -> Members:
        """Return the roster in force in a causal past; of everything held where `past` is None."""
        visible = frozenset(digest for digest, place in self._places.items() if past is None or self._seen(place, past))
        found = self._members.get(visible)
        if found is None:
            found = self._members[visible] = _merge({d: self.rosters[d] for d in visible})
        return found

    def person_of(self, chain_key: str) -> str:
        """Return the id of the person who delegated a chain, or the empty text."""
        opening = self.openings.get(chain_key)
        return opening.person if opening else ""

    def name(self, person: str) -> str:
        """Return a person's name in the newest roster that has one, or the start of the id."""
        row = self.members().people.get(person)
        if row is None:
            for roster in sorted(self.rosters.values(), key=lambda r: -r.version):
                if person in roster.people:
                    row = roster.people[person]
                    break
        if row is not None:
            return row.name
        newcomer = self.newcomers.get(person)
        return newcomer.name if newcomer else person[:8]

    def standing(self, chain: Chain, seq: int, event: str, past: Past) -> Standing:
        """Say whether the event at a place counts by its author, and which roles the author held."""
        person = self.person_of(chain.key)
        if not person:
            return Standing(Counts.UNOPENED, frozenset())
        fork = self._forks.get(chain.key)
        if fork is not None and seq >= fork and seq > self._good_branches.get(chain.no, -1):
            return Standing(Counts.FORKED, frozenset())
        for listed in self._limits.get(person, ()):
            if seq > listed.get(chain.key, (-1, ""))[0] and event not in self._adopted:
                return Standing(Counts.REVOKED, frozenset())
        members = self.members(past)
        row = members.people.get(person)
        if row is not None and row.status == "active":
            return Standing(Counts.YES, frozenset(row.roles), person in members.admins)
        if row is not None:
            return Standing(Counts.STRANGER, frozenset())
        joined = self._joined.get(person)
        if joined is None:
            return Standing(Counts.STRANGER, frozenset())
        place, change = joined
        first = self._first_roster_with(person, change)
        if first is None:
            return Standing(Counts.PENDING, frozenset())
        if self._seen(place, past):
            return Standing(Counts.YES, frozenset(first.roles))
        return Standing(Counts.STRANGER, frozenset())

    def _first_roster_with(self, person: str, joined: str) -> Person | None:
        rows = [
            (roster.version, digest, roster.people[person])
            for digest, roster in self.rosters.items()
            if person in roster.people and roster.people[person].joined == joined
        ]
        return min(rows, key=lambda r: r[:2])[2] if rows else None

    def is_forked(self, chain_key: str) -> bool:
        """Say whether two different events at one place of this chain are held."""
        return chain_key in self._forks

    def waiting_newcomers(self) -> list[Newcomer]:
        """Return those who accepted or asked and whom no roster names yet, oldest first."""
        held = self.members().people
        return sorted((n for n in self.newcomers.values() if n.person not in held), key=lambda n: (n.t, n.person))


def _enough(parent: Roster, child: Roster, signers: Sequence[str]) -> bool:
    admins = {s for s in signers if s in parent.admins or s[9:] in parent.recovery}
    needed = parent.threshold
    touches = (set(parent.admins), parent.threshold, set(parent.recovery)) != (
        set(child.admins),
        child.threshold,
        set(child.recovery),
    )
    if touches and len(parent.admins) >= 2:
        needed = max(needed, 2)
    return len(admins) >= needed


def _merge(visible: Mapping[str, Roster]) -> Members:
    if not visible:
        return NOBODY
    parents = {p for roster in visible.values() for p in roster.parents}
    heads = sorted(d for d in visible if d not in parents)
    rosters = [visible[d] for d in heads]
    first = rosters[0]
    if len(rosters) == 1:
        return Members(tuple(heads), first.people, frozenset(first.admins), first.threshold, frozenset(first.recovery))
    everyone = set.union(*(set(r.people) for r in rosters))
    people: dict[str, Person] = {}
    disputed: set[str] = set()
    for person in sorted(everyone):
        rows = [r.people[person] for r in rosters if person in r.people]
        roles = set.intersection(*(set(row.roles) if row.status == "active" else set() for row in rows))
        if len(rows) < len(rosters):
            roles = set()
        disputed |= set.union(*(set(row.roles) for row in rows)) - roles
        active = len(rows) == len(rosters) and all(row.status == "active" for row in rows)
        people[person] = msgspec.structs.replace(
            rows[0], roles=tuple(sorted(roles)), status="active" if active else "left"
        )
    admins = frozenset.intersection(*(frozenset(r.admins) for r in rosters))
    recovery = frozenset.intersection(*(frozenset(r.recovery) for r in rosters))
    return Members(tuple(heads), people, admins, max(r.threshold for r in rosters), recovery, frozenset(disputed))
