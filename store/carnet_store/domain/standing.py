"""Whose acts count, once the facts are judged: rosters in force, standing at a place, who signed what."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from carnet_store.core import keys
from carnet_store.core.fold import Counts
from carnet_store.domain.facts import Chain, Fact, Newcomer, Opening, Past, Place, Standing, envelope_holds
from carnet_store.domain.roster import Genesis, Invitation, Members, Person, Revocation, Roster, merge


@dataclass(slots=True)
class Standings:
    """Everything about who counts, as `People.build` derives it from the facts alone.

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

    def _root(self, no: int) -> int:
        """Return the chain or branch that holds event 0 of what this one stands on."""
        while (chain := self._chains.get(no)) is not None and chain.parent and chain.start > 0:
            no = chain.parent
        return no

    def _verified(self, payload: bytes, envelopes: Sequence[keys.Envelope]) -> list[str]:
        good = set()
        for envelope in envelopes:
            public = self._keys.get(envelope.keyid)
            if public is not None and envelope_holds(envelope.payload_type, payload, envelope.signature, public):
                good.add(public.hex())
        return sorted(good)

    def _owners(self, key: str) -> set[str]:
        return {keys.person_id(bytes.fromhex(key)), *self._added.get(key, ())}

    def _shown_owners(self, key: str) -> set[str]:
        shown = set(self._added.get(key, ())) or {keys.person_id(bytes.fromhex(key))}
        return shown | ({f"recovery:{key}"} if key in self._recovery else set())

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

    def judges_alike(self, before: Standings, known: Sequence[Fact]) -> bool:
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
