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

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from carnet_store.core import canonical, keys
from carnet_store.core.event import birth_entity, parse_place
from carnet_store.core.fold import Counts
from carnet_store.domain.facts import (
    Chain,
    Fact,
    Newcomer,
    Opening,
    Past,
    Place,
    Standing,
    plain_roster,
    read_fact,
    read_signed,
    value_of,
)
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
    roster_bytes,
    roster_digest,
    signatures_needed,
)
from carnet_store.domain.standing import Standings
from carnet_store.errors import CarnetError, Invalid

__all__ = [
    "DELEGATION", "GENESIS", "LEDGER_FORMAT", "NOBODY", "ROSTER", "ROSTER_FORMAT", "Accepted", "Chain", "Continued",
    "Delegation", "EventAdopted", "Fact", "ForkAdopted", "Genesis", "Invitation", "JoinRequest", "KeyAdded", "Members",
    "Newcomer", "Opening", "Past", "People", "Person", "Place", "Revocation", "Roster", "RosterSet", "Standing",
    "read_signed", "roster_bytes", "roster_digest",
]  # fmt: skip

_HEX64 = re.compile(r"[0-9a-f]{64}\Z", re.ASCII)
_SIGNED_BY_ADMINS = ("roster.set", "person.revoked", "event.adopted")


@dataclass(slots=True)
class People(Standings):
    """Everything about who counts, derived from the facts alone. Build it anew when a fact is added: there are few."""

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
            if read_fact(fact.kind, fact.raw) is None:
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
        value = value_of(fact, msgspec.Struct)
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
        given = value_of(fact, Delegation)
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
        added = value_of(fact, KeyAdded)
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
        genesis = value_of(fact, Genesis)
        opening = self._opened.get(fact.place[0])
        found = read_fact(fact.kind, fact.raw)
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
        given = value_of(fact, RosterSet)
        self._check_act(given, fact)
        roster = plain_roster(fact.raw)
        if roster is None or roster.format != ROSTER_FORMAT or not is_sound(roster):
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
        given = value_of(fact, Revocation)
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
        given = value_of(fact, EventAdopted)
        self._check_act(given, fact)
        self._check_carrier(fact)
        if not self._by_admins(fact):
            raise Invalid("adopting events needs the admins' threshold")
        for event in given.events:
            self._adopted.setdefault(event, []).append(fact.place)

    def _adopt_fork(self, fact: Fact) -> None:
        given = value_of(fact, ForkAdopted)
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
            self.invitations[fact.entity] = (value_of(fact, Invitation), opening.person, fact.t)

    def _join(self, fact: Fact) -> None:
        opening = self._opened.get(self._root(fact.place[0]))
        if opening is None:
            raise _DoesNotCount(Counts.UNOPENED)
        value = value_of(fact, msgspec.Struct)
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

    def _reach(self, at: Place, into: dict[int, int]) -> None:
        """Let `into` reach to a place along its branch and what that stands on."""
        no, seq = at
        while no:
            into[no] = max(seq, into.get(no, -1))
            no, seq = self._chains[no].parent, self._chains[no].start - 1

    def _keys_that_signed(self, fact: Fact) -> list[str]:
        found = read_fact(fact.kind, fact.raw)
        return self._verified(found[1], found[2]) if found else []

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


class _DoesNotCount(Exception):
    """A fact does not count, for a reason other than its signatures."""

    def __init__(self, counts: Counts) -> None:
        super().__init__(counts.words)
        self.counts = counts
