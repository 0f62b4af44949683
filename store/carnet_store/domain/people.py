"""Who is who and whose acts count: the genesis, chains and their delegations, rosters, joining, revocations, forks.

Rules (docs/format.md sections 5, 7, 9):
- The roster is folded first, from its own changes only. Each names its parents and is signed by the parents' threshold of admins.
- A change is judged against the roster in its causal past. A newcomer's acts count from the acceptance on, once a roster names it.
- A revocation lists last good places; what is beyond, or in a chain not listed, does not count until adopted. Whether a revocation holds is
  judged by its own causal past alone, so two admins who revoke each other apart both end. Rosters beyond a revocation are void.
- After a fork no event of any branch counts from the fork on, until the person's key adopts branches by head. What persons signed about
  people stands all the same: a copied chain key must not undo a removal.
- Nothing here depends on the order in which events arrived: every judgement looks at the fact's own past, or at the set of all facts.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from carnet_store.core import canonical, keys
from carnet_store.core.event import birth_entity, parse_place
from carnet_store.core.fold import Counts
from carnet_store.core.kind import KINDS
from carnet_store.domain.roster import (
    DELEGATION,
    GENESIS,
    LEDGER_FORMAT,
    NOBODY,
    ROSTER,
    ROSTER_FORMAT,
    Accepted,
    Continued,
    Delegation,
    EventAdopted,
    ForkAdopted,
    Genesis,
    Invitation,
    JoinRequest,
    KeyAdded,
    Members,
    Person,
    Revocation,
    Roster,
    RosterSet,
    is_sound,
    merge,
    roster_bytes,
    roster_digest,
    signatures_needed,
)
from carnet_store.errors import CarnetError, Invalid

__all__ = [
    "DELEGATION", "GENESIS", "LEDGER_FORMAT", "NOBODY", "ROSTER", "ROSTER_FORMAT", "Accepted", "Chain", "Continued",
    "Delegation", "EventAdopted", "Fact", "ForkAdopted", "Genesis", "Invitation", "JoinRequest", "KeyAdded", "Members",
    "Newcomer", "Opening", "Past", "People", "Person", "Place", "Revocation", "Roster", "RosterSet", "Standing",
    "read_signed", "roster_bytes", "roster_digest",
]  # fmt: skip

Place = tuple[int, int]
"""(local number of the chain or branch, seq)."""
Past = Mapping[int, int]
"""For each local chain number the last seq that lies in the causal past."""
S = TypeVar("S", bound=msgspec.Struct)

_HEX64 = re.compile(r"[0-9a-f]{64}\Z", re.ASCII)
_MAX_ENVELOPES = 64
_SIGNED_BY_ADMINS = ("roster.set", "person.revoked", "event.adopted")


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
    commitment: str = ""


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain or a branch of one. `parent` and `start`: for a branch, the chain it left and its first seq there."""

    no: int
    key: str
    parent: int = 0
    start: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """What an author was at one place: a member or why not, the roles held, and whether an admin."""

    counts: Counts
    roles: frozenset[str]
    admin: bool = False


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


@functools.lru_cache(maxsize=4096)
def _envelope_holds(payload_type: str, payload: bytes, signature: bytes, public: bytes) -> bool:
    return keys.verify(public, signature, keys.pae(payload_type, payload))


def read_signed(raw: bytes, payload_type: str) -> tuple[bytes, list[keys.Envelope]]:
    """Return payload and envelopes of a person-signed value, unverified.

    Raises:
        Invalid: not `{"dsse": [envelope, ...]}` with one payload of the right type.

    """
    match canonical.decode(raw):
        case {"dsse": [_, *_] as rows, **more} if not more and len(rows) <= _MAX_ENVELOPES:
            envelopes = [keys.envelope_from_value(one) for one in rows]
        case _:
            raise Invalid(f"a person-signed value is {{dsse: [1 to {_MAX_ENVELOPES} envelopes]}}")
    payload = envelopes[0].payload
    if any(one.payload != payload or one.payload_type != payload_type for one in envelopes):
        raise Invalid("the envelopes of one act carry one payload of one type")
    canonical.decode(payload)
    return payload, envelopes


@functools.lru_cache(maxsize=4096)
def _read(kind: str, raw: bytes) -> tuple[msgspec.Struct, bytes, tuple[keys.Envelope, ...]] | None:
    """Return a people change's value (or its signed payload's), the payload and its envelopes; None where it has not the form."""
    known = KINDS[kind]
    try:
        if not known.payload_type:
            return msgspec.json.decode(raw, type=known.type), b"", ()
        payload, envelopes = read_signed(raw, known.payload_type)
        return msgspec.json.decode(payload, type=known.type), payload, tuple(envelopes)
    except (CarnetError, msgspec.MsgspecError, UnicodeError):
        return None


def _value(fact: Fact, form: type[S]) -> S:
    found = _read(fact.kind, fact.raw)
    if found is None or not isinstance(found[0], form):
        raise Invalid("the value has not the form of its kind")
    return found[0]


@dataclass(slots=True)
class People:
    """Everything about who counts, derived from the facts alone. Build it anew when a fact is added: there are few.

    Attributes:
        openings: by chain id, who delegated it.
        rosters: by digest, those that hold.
        newcomers: by person id, the newest acceptance or request.
        invitations: by entity id, (invitation, inviter's person id, time).
        revocations: those that hold.
        verdicts: by change id, why a fact does not count; those that count are absent.
        signers: by change id, who signed it.
        awaited: event ids that a revocation or an adoption names and that are not held.

    """

    ledger: str
    genesis: Genesis | None = None
    openings: dict[str, Opening] = field(default_factory=dict)
    rosters: dict[str, Roster] = field(default_factory=dict)
    newcomers: dict[str, Newcomer] = field(default_factory=dict)
    invitations: dict[str, tuple[Invitation, str, int]] = field(default_factory=dict)
    revocations: list[Revocation] = field(default_factory=list)
    verdicts: dict[str, Counts] = field(default_factory=dict)
    signers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    awaited: set[str] = field(default_factory=set)
    _chains: dict[int, Chain] = field(default_factory=dict)
    _opened: dict[int, Opening] = field(default_factory=dict)
    _places: dict[str, list[Place]] = field(default_factory=dict)
    _keys: dict[str, bytes] = field(default_factory=dict)
    _added: dict[str, set[str]] = field(default_factory=dict)
    _recovery: set[str] = field(default_factory=set)
    _joined: dict[str, dict[str, Place]] = field(default_factory=dict)
    _adopted: dict[str, list[Place]] = field(default_factory=dict)
    _forks: dict[str, int] = field(default_factory=dict)
    _good: dict[int, int] = field(default_factory=dict)
    _ends: dict[str, list[tuple[Place, dict[int, int]]]] = field(default_factory=dict)
    _all_ends_known: bool = False
    _members: dict[frozenset[str], Members] = field(default_factory=dict)
    _firsts: dict[tuple[str, str], Person | None] = field(default_factory=dict)
    _place_of: Callable[[str], Place | None] = field(default=lambda _: None)

    # -- building ------------------------------------------------------------------------------------------------------

    @classmethod
    def build(
        cls, ledger: str, facts: Sequence[Fact], chains: Sequence[Chain],
        place_of: Callable[[str], Place | None] = lambda _: None,
    ) -> People:  # fmt: skip
        """Judge all facts about people.

        Args:
            ledger: the ledger id (64 hex).
            facts: every change of a kind that is about people, in an order in which causes come first.
            chains: all chains and branches held.
            place_of: where an event id is held, asked only about forks and revocations.

        """
        self = cls(ledger, _chains={chain.no: chain for chain in chains}, _place_of=place_of)
        for chain in chains:
            if chain.parent:
                self._forks[chain.key] = min(chain.start, self._forks.get(chain.key, chain.start))
        for fact in facts:
            if _read(fact.kind, fact.raw) is None:
                self.verdicts[fact.id] = Counts.FORM
        facts = [fact for fact in facts if fact.id not in self.verdicts]
        for fact in facts:
            self._learn(fact)
        self._open_all([fact for fact in facts if fact.kind in ("chain.opened", "person.key_added")])
        for fact in facts:
            self._decide(fact)
        self._all_ends_known = True
        if self._ends:  # rosters once more: one beyond an end is void, and what stands on it
            self.rosters = {d: r for d, r in self.rosters.items() if not r.parents}
            self._places = {d: self._places[d] for d in self.rosters}
            self._members.clear()
            for fact in facts:
                if fact.kind == "roster.set":
                    self._attempt(fact, self._set_roster)
        for judge, kinds in (
            (self._adopt_fork, ("fork.adopted",)),
            (self._invite, ("invite.made",)),
            (self._join, ("invite.accepted", "join.requested")),
        ):
            for fact in facts:
                if fact.kind in kinds:
                    self._attempt(fact, judge)
        return self

    def _attempt(self, fact: Fact, judge: Callable[[Fact], None]) -> None:
        self.verdicts.pop(fact.id, None)
        try:
            judge(fact)
        except (CarnetError, ValueError):
            self.verdicts[fact.id] = Counts.SIGNATURE
        except _DoesNotCount as reason:
            self.verdicts[fact.id] = reason.counts

    def _learn(self, fact: Fact) -> None:
        """Remember the public keys that facts name: a key belongs by itself to the person whose id is its SHA-256."""
        value = _value(fact, msgspec.Struct)
        found: list[str] = []
        rosters: list[Roster] = []
        if isinstance(value, Genesis):
            found += [value.founder, *value.recovery]
            rosters = [value.roster]
        elif isinstance(value, Roster):
            rosters = [value]
        elif isinstance(value, Delegation | KeyAdded | Accepted | JoinRequest):
            found.append(value.key)
        for roster in rosters:
            found += [key for person in roster.people.values() for key in person.keys]
            found += roster.recovery
            self._recovery.update(roster.recovery)
        for key in found:
            if _HEX64.match(key):
                public = bytes.fromhex(key)
                self._keys[keys.key_id(public)] = public

    def _open_all(self, facts: Sequence[Fact]) -> None:
        """Open chains and add further keys until nothing more follows; the outcome has no order in it."""
        valid: dict[int, list[tuple[int, Opening]]] = {}
        waiting = list(facts)
        while waiting:
            left = []
            for fact in waiting:
                try:
                    if fact.kind == "chain.opened":
                        index = int(fact.id.partition(".")[2] or 0)
                        valid.setdefault(fact.place[0], []).append((index, self._opening(fact)))
                    else:
                        self._add_key(fact, {one.person for _, one in valid.get(self._root(fact.place[0]), ())})
                except (CarnetError, ValueError):
                    left.append(fact)
            if len(left) == len(waiting):
                break
            waiting = left
        self.verdicts |= dict.fromkeys((fact.id for fact in waiting), Counts.SIGNATURE)
        for no, openings in valid.items():
            opening = min(openings, key=lambda pair: pair[0])[1]
            self._opened[no] = opening
            held = self.openings.get(opening.chain)
            if held is None or opening.change < held.change:
                self.openings[opening.chain] = opening

    def _opening(self, fact: Fact) -> Opening:
        given = _value(fact, Delegation)
        signed = self._keys_that_signed(fact)
        right = (
            given.chain == fact.chain and given.ledger == self.ledger and given.purpose == fact.kind
            and fact.place[1] == 0 and fact.entity == f"person:{given.person[:32]}"
            and given.key in signed and given.person in self._owners(given.key)
        )  # fmt: skip
        if not right:
            raise Invalid("the delegation does not hold")
        self.signers[fact.id] = (given.person,)
        return Opening(fact.chain, given.person, given.key, fact.id, given)

    def _add_key(self, fact: Fact, carriers: set[str]) -> None:
        """Both the older key and the new one sign: nobody can take the key of somebody else as an own one."""
        added = _value(fact, KeyAdded)
        self._check_act(added, fact)
        signed = self._keys_that_signed(fact)
        older = any(added.person in self._owners(key) for key in signed if key != added.key)
        if not older or added.key not in signed or added.person not in carriers:
            raise Invalid("a further key is signed by an older one of the same person and by itself")
        self._added.setdefault(added.key, set()).add(added.person)
        self.signers[fact.id] = (added.person,)

    def _decide(self, fact: Fact) -> None:
        """Judge what founds the ledger and what admins sign, by the fact's own causal past."""
        if fact.kind == "ledger.founded":
            self._attempt(fact, self._found)
        elif fact.kind in _SIGNED_BY_ADMINS:
            self._attempt(
                fact, {"roster.set": self._set_roster, "person.revoked": self._revoke}.get(fact.kind, self._adopt)
            )

    def _found(self, fact: Fact) -> None:
        genesis = _value(fact, Genesis)
        opening = self._opened.get(fact.place[0])
        found = _read(fact.kind, fact.raw)
        right = (
            found is not None and canonical.sha256_hex(found[1]) == self.ledger
            and genesis.format == LEDGER_FORMAT and genesis.purpose == fact.kind and is_sound(genesis.roster)
            and fact.place[1] == 0 and fact.entity == f"ledger:{self.ledger[:32]}"
            and genesis.founder in self._keys_that_signed(fact)
            and opening is not None and opening.person in self._owners(genesis.founder)
        )  # fmt: skip
        if not right:
            raise Invalid("not this ledger's genesis")
        self.genesis = genesis
        self._keep_roster(genesis.roster, fact)
        self.signers[fact.id] = (keys.person_id(bytes.fromhex(genesis.founder)),)

    def _set_roster(self, fact: Fact) -> None:
        given = _value(fact, RosterSet)
        self._check_act(given, fact)
        roster = msgspec.convert(msgspec.to_builtins(given), type=Roster)
        found = _read(fact.kind, fact.raw)
        if found is None or roster_bytes(roster) != found[1] or roster.format != ROSTER_FORMAT or not is_sound(roster):
            raise Invalid("a roster of another form")
        parents = [self.rosters[digest] for digest in roster.parents if self._sees_roster(digest, fact.past)]
        if not parents or len(parents) < len(roster.parents) or roster.version != 1 + max(p.version for p in parents):
            raise Invalid("a roster whose parents do not hold or were not seen")
        self._check_carrier(fact)
        for parent in parents:
            if len(self._authorities(fact, parent.admins, parent.recovery)) < signatures_needed(parent, roster):
                raise Invalid("a roster that too few admins signed")
        self._keep_roster(roster, fact)

    def _keep_roster(self, roster: Roster, fact: Fact) -> None:
        digest = roster_digest(roster)
        self.rosters[digest] = roster
        self._places.setdefault(digest, []).append(fact.place)

    def _revoke(self, fact: Fact) -> None:
        given = _value(fact, Revocation)
        self._check_act(given, fact)
        self._check_carrier(fact)
        if given.person not in self.signers[fact.id] and not self._by_admins(fact):
            raise Invalid("a revocation needs the admins' threshold or the person")
        last = {chain: parse_place(place) for chain, place in given.last.items()}
        limit: dict[int, int] = {}
        for key, (seq, event) in last.items():
            at = self._place_of(event)
            if at is None or self._chains[at[0]].key != key:
                self.awaited.add(event)
                limit |= {no: seq for no, chain in self._chains.items() if chain.key == key}
            else:
                self._reach(at, limit)
        self._ends.setdefault(given.person, []).append((fact.place, limit))
        self.revocations.append(given)

    def _adopt(self, fact: Fact) -> None:
        given = _value(fact, EventAdopted)
        self._check_act(given, fact)
        self._check_carrier(fact)
        if not self._by_admins(fact):
            raise Invalid("adopting events needs the admins' threshold")
        for event in given.events:
            self._adopted.setdefault(event, []).append(fact.place)

    def _adopt_fork(self, fact: Fact) -> None:
        given = _value(fact, ForkAdopted)
        self._check_act(given, fact)
        self._check_carrier(fact)
        for event in given.heads:
            at = self._place_of(event)
            if at is None:
                self.awaited.add(event)
                continue
            opening = self._opened.get(self._root(at[0]))
            if self._chains[at[0]].key != given.chain or opening is None or opening.person not in self.signers[fact.id]:
                raise Invalid("a fork is adopted by the person whose chain it is")
            self._reach(at, self._good)

    def _invite(self, fact: Fact) -> None:
        opening = self._opened.get(self._root(fact.place[0]))
        if fact.entity != birth_entity("invitation", fact.chain, fact.commitment):
            raise _DoesNotCount(Counts.BIRTH)
        if opening and opening.person in self.members(fact.past).admins and self.fits(fact) is Counts.YES:
            self.invitations[fact.entity] = (_value(fact, Invitation), opening.person, fact.t)

    def _join(self, fact: Fact) -> None:
        opening = self._opened.get(self._root(fact.place[0]))
        if opening is None:
            raise _DoesNotCount(Counts.UNOPENED)
        value = _value(fact, msgspec.Struct)
        roles: tuple[str, ...] = ()
        invitation = ""
        if isinstance(value, Accepted):
            invitation = value.invitation
            roles = self.invitations[invitation][0].roles if invitation in self.invitations else ()
        elif isinstance(value, JoinRequest):
            roles = value.roles
        else:  # pragma: no cover - the registry has these two kinds alone here
            return
        own = keys.person_id(bytes.fromhex(value.key)) == opening.person
        if fact.place[1] != 0 or value.key != opening.key or not own or fact.entity != f"person:{opening.person[:32]}":
            raise Invalid("an acceptance stands in event 0 of a chain that its own person opened")
        new = Newcomer(
            opening.person, value.name, value.mail, value.team, value.key, roles, invitation, fact.id, fact.t
        )  # fmt: skip
        held = self.newcomers.get(opening.person)
        if held is None or (held.t, held.change) < (new.t, new.change):
            self.newcomers[opening.person] = new
        self._joined.setdefault(opening.person, {})[fact.id] = fact.place

    # -- small judgements ----------------------------------------------------------------------------------------------

    def _check_act(self, act: Any, fact: Fact) -> None:
        person = getattr(act, "person", "") or (self.author(fact.place[0]) if isinstance(act, ForkAdopted) else "")
        entity = f"person:{person[:32]}" if person else f"ledger:{self.ledger[:32]}"
        if act.ledger != self.ledger or act.purpose != fact.kind or fact.entity != entity:
            raise Invalid("an act of another ledger, purpose or person")

    def _check_carrier(self, fact: Fact) -> None:
        """Demand that a signed act stands in a chain of a signer, not beyond an end of that person; then its signers are known."""
        carrier = self._opened.get(self._root(fact.place[0]))
        if carrier is None:
            raise _DoesNotCount(Counts.UNOPENED)
        self.signers[fact.id] = tuple(
            sorted({p for key in self._keys_that_signed(fact) for p in self._shown_owners(key)})
        )
        if carrier.person not in {p for key in self._keys_that_signed(fact) for p in self._owners(key)}:
            raise Invalid("a signed act is carried in a chain of a signer")
        # Whether an end, an adoption or a roster holds is a matter of its past; a roster is void beyond any end at all.
        past = None if self._all_ends_known and fact.kind == "roster.set" else fact.past
        if self._is_beyond(carrier.person, fact.place, fact.event, past):
            raise _DoesNotCount(Counts.REVOKED)

    def _is_beyond(self, person: str, place: Place, event: str, past: Past | None) -> bool:
        """Say whether a place lies beyond an end of its person; only ends and adoptions within `past` where it is given."""
        no, seq = place
        if not any(
            seq > limit.get(no, -1)
            for at, limit in self._ends.get(person, ())
            if past is None or (at != place and self._seen(at, past))
        ):
            return False
        return not any(past is None or self._seen(at, past) for at in self._adopted.get(event, ()))

    def _reach(self, at: Place, into: dict[int, int]) -> None:
        """Let `into` reach to a place along its branch and what that stands on."""
        no, seq = at
        while no:
            into[no] = max(seq, into.get(no, -1))
            no, seq = self._chains[no].parent, self._chains[no].start - 1

    def _root(self, no: int) -> int:
        """Return the chain or branch that holds event 0 of what this one stands on."""
        while (chain := self._chains.get(no)) is not None and chain.parent and chain.start > 0:
            no = chain.parent
        return no

    def _keys_that_signed(self, fact: Fact) -> list[str]:
        found = _read(fact.kind, fact.raw)
        return self._verified(found[1], found[2]) if found else []

    def _verified(self, payload: bytes, envelopes: Sequence[keys.Envelope]) -> list[str]:
        good = set()
        for envelope in envelopes:
            public = self._keys.get(envelope.keyid)
            if public is not None and _envelope_holds(envelope.payload_type, payload, envelope.signature, public):
                good.add(public.hex())
        return sorted(good)

    def _owners(self, key: str) -> set[str]:
        return {keys.person_id(bytes.fromhex(key)), *self._added.get(key, ())}

    def _shown_owners(self, key: str) -> set[str]:
        shown = set(self._added.get(key, ())) or {keys.person_id(bytes.fromhex(key))}
        return shown | ({f"recovery:{key}"} if key in self._recovery else set())

    def _authorities(
        self, fact: Fact, admins: Sequence[str] | frozenset[str], recovery: Sequence[str] | frozenset[str]
    ) -> set[str]:
        """Return the admins and recovery keys that signed a fact and had not ended in its past; a key stands for one."""
        ended = {
            p for p, ends in self._ends.items() if any(self._seen(at, fact.past) and at != fact.place for at, _ in ends)
        }
        found = set()
        for key in self._keys_that_signed(fact):
            persons = sorted(p for p in self._owners(key) if p in admins and p not in ended)
            if persons:
                found.add(persons[0])
            elif key in recovery:
                found.add(f"recovery:{key}")
        return found

    def _by_admins(self, fact: Fact) -> bool:
        members = self.members(fact.past)
        return len(self._authorities(fact, members.admins, members.recovery)) >= members.threshold

    @staticmethod
    def _seen(place: Place, past: Past) -> bool:
        return past.get(place[0], -1) >= place[1]

    def _sees_roster(self, digest: str, past: Past) -> bool:
        return any(self._seen(place, past) for place in self._places.get(digest, ()))

    # -- asking --------------------------------------------------------------------------------------------------------

    def verified_signers(self, payload: bytes, envelopes: Sequence[keys.Envelope]) -> list[str]:
        """Return the ids of the persons (or `recovery:<key>`) whose signatures hold, sorted and unique."""
        return sorted({person for key in self._verified(payload, envelopes) for person in self._shown_owners(key)})

    def knows_key(self, keyid: str) -> bool:
        """Say whether the public key of a DSSE key id is known."""
        return keyid in self._keys

    def members(self, past: Past | None = None) -> Members:
        """Return the roster in force in a causal past; of everything held where `past` is None."""
        visible = frozenset(d for d in self._places if past is None or self._sees_roster(d, past))
        found = self._members.get(visible)
        if found is None:
            found = self._members[visible] = merge({d: self.rosters[d] for d in visible})
        return found

    def person_of(self, chain_key: str) -> str:
        """Return the id of the person who delegated a chain, or the empty text."""
        opening = self.openings.get(chain_key)
        return opening.person if opening else ""

    def author(self, no: int) -> str:
        """Return the id of the person who delegated a chain or branch by its local number, or the empty text."""
        opening = self._opened.get(self._root(no))
        return opening.person if opening else ""

    def name(self, person: str) -> str:
        """Return a person's name in the newest roster that has one, or the start of the id."""
        row = self.members().people.get(person)
        if row is None:
            for digest in sorted(self.rosters, key=lambda d: (-self.rosters[d].version, d)):
                if person in self.rosters[digest].people:
                    row = self.rosters[digest].people[person]
                    break
        if row is not None:
            return row.name
        newcomer = self.newcomers.get(person)
        return newcomer.name if newcomer else person[:8]

    def fits(self, fact: Fact) -> Counts:
        """Say whether a fact's place is opened, not beyond a fork or an end."""
        return self._place_counts(fact.place[0], fact.chain, fact.place[1], fact.event)

    def _place_counts(self, no: int, key: str, seq: int, event: str) -> Counts:
        person = self.author(no)
        if not person:
            return Counts.UNOPENED
        fork = self._forks.get(key)
        if fork is not None and seq >= fork and seq > self._good.get(no, -1):
            return Counts.FORKED
        if person in self._ends and self._is_beyond(person, (no, seq), event, None):
            return Counts.REVOKED
        return Counts.YES

    def standing(self, chain: Chain, seq: int, event: str, past: Past, members: Members | None = None) -> Standing:
        """Say whether the event at a place counts by its author, and which roles the author held.

        `members` may be given where `members(past)` is known already.
        """
        counts = self._place_counts(chain.no, chain.key, seq, event)
        if counts is not Counts.YES:
            return Standing(counts, frozenset())
        person = self.author(chain.no)
        if members is None:
            members = self.members(past)
        row = members.people.get(person)
        if row is not None and row.status == "active":
            return Standing(Counts.YES, frozenset(row.roles), person in members.admins)
        if self._was_removed(person, members, past):
            return Standing(Counts.STRANGER, frozenset())
        held = sorted(change for change, place in self._joined.get(person, {}).items() if self._seen(place, past))
        for change in held:
            first = self.admitted(person, change)
            if first is not None:
                return Standing(Counts.YES, frozenset(row.roles if row is not None else first.roles))
        return Standing(Counts.PENDING if held else Counts.STRANGER, frozenset())

    def _was_removed(self, person: str, members: Members, past: Past) -> bool:
        """Say whether a head in this past took out a person whom a roster before it had."""
        for head in members.heads:
            row = self.rosters[head].people.get(person)
            if row is not None and row.status != "active":
                return True
            if row is None and any(person in self.rosters[d].people for d in self._before(head)):
                return True
        return False

    def _before(self, head: str) -> set[str]:
        found: set[str] = set()
        todo = [head]
        while todo:
            for parent in self.rosters[todo.pop()].parents:
                if parent not in found:
                    found.add(parent)
                    todo.append(parent)
        return found

    def admitted(self, person: str, joined: str) -> Person | None:
        """Return a person's row in the first roster that names this acceptance; None where none does."""
        if (person, joined) not in self._firsts:
            rows = [
                (roster.version, digest, roster.people[person])
                for digest, roster in self.rosters.items()
                if person in roster.people and roster.people[person].joined == joined
            ]
            self._firsts[person, joined] = min(rows, key=lambda r: r[:2])[2] if rows else None
        return self._firsts[person, joined]

    def admissions(self) -> dict[tuple[str, str], Person | None]:
        """Return for every (person, acceptance) held the row that admitted it, None while it waits."""
        return {(p, change): self.admitted(p, change) for p, held in self._joined.items() for change in held}

    def judges_alike(self, before: People, known: Sequence[Fact]) -> bool:
        """Say whether everything judged by `before`, when `known` were the facts, is judged the same now (admissions apart)."""
        return (
            all(
                self.verdicts.get(f.id) == before.verdicts.get(f.id)
                and self.signers.get(f.id) == before.signers.get(f.id)
                for f in known
            )
            and all(self._opened.get(no) == opening for no, opening in before._opened.items())
            and (self._ends, self._adopted, self._forks, self._good, self._added)
            == (before._ends, before._adopted, before._forks, before._good, before._added)
        )

    def is_forked(self, chain_key: str) -> bool:
        """Say whether two different events at one place of this chain are held."""
        return chain_key in self._forks

    def waiting_newcomers(self) -> list[Newcomer]:
        """Return those who accepted or asked and whom no roster names yet, oldest first."""
        held = self.members().people
        return sorted((n for n in self.newcomers.values() if n.person not in held), key=lambda n: (n.t, n.person))


class _DoesNotCount(Exception):
    """A fact does not count, for a reason other than its signatures."""

    def __init__(self, counts: Counts) -> None:
        super().__init__(counts.words)
        self.counts = counts
