"""The words about people: the kinds of changes that say who belongs, rosters, and how concurrent rosters are read together.

A roster names its parents and is signed by their threshold of admins (docs/format.md section 7). Of concurrent ones a person or role stands only
where all agree, every removal takes effect, and roles whose holders differ are disputed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from carnet_store.core import canonical
from carnet_store.core.kind import ACT, kind

GENESIS = "application/vnd.carnet.genesis+json"
DELEGATION = "application/vnd.carnet.delegation+json"
ROSTER = "application/vnd.carnet.roster+json"
LEDGER_FORMAT = "carnet-ledger/1"
ROSTER_FORMAT = "carnet-roster/1"


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


NOBODY = Members((), {}, frozenset(), 1, frozenset())


def roster_bytes(roster: Roster) -> bytes:
    """Return a roster's canonical bytes: the payload that admins sign."""
    return canonical.encode(msgspec.to_builtins(roster))


def roster_digest(roster: Roster) -> str:
    """Return the SHA-256 of a roster's canonical bytes."""
    return canonical.sha256_hex(roster_bytes(roster))


def is_sound(roster: Roster) -> bool:
    """Say whether a roster can be in force at all: everybody has keys, its admins are active in it, its threshold can be met."""
    people = roster.people
    return (
        all(person.keys for person in people.values())
        and bool(roster.admins)
        and all(admin in people and people[admin].status == "active" for admin in roster.admins)
        and 1 <= roster.threshold <= len(set(roster.admins))
    )


def signatures_needed(parent: Roster, child: Roster) -> int:
    """Return how many of the parent's admins (or recovery keys) must sign the child."""
    before = (set(parent.admins), parent.threshold, set(parent.recovery))
    touches = before != (set(child.admins), child.threshold, set(child.recovery))
    return max(parent.threshold, 2) if touches and len(set(parent.admins)) >= 2 else parent.threshold


def merge(visible: Mapping[str, Roster]) -> Members:
    """Return who belongs by these rosters: the one head, or what all concurrent heads agree on."""
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
    admins = frozenset(a for a in first.admins if all(a in r.admins for r in rosters) and people[a].status == "active")
    recovery = frozenset.intersection(*(frozenset(r.recovery) for r in rosters))
    return Members(tuple(heads), people, admins, max(r.threshold for r in rosters), recovery, frozenset(disputed))
