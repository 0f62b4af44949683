"""Facts about people as storage hands them over, and how their signed values are read. Nothing is judged here but signatures."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from carnet_store.core import canonical, keys
from carnet_store.core.fold import Counts
from carnet_store.core.kind import KINDS
from carnet_store.domain.roster import Delegation, Roster, roster_bytes
from carnet_store.errors import CarnetError, Invalid

S = TypeVar("S", bound=msgspec.Struct)
_MAX_ENVELOPES = 64

Place = tuple[int, int]
"""(local number of the chain or branch, seq)."""
Past = Mapping[int, int]
"""For each local chain number the last seq that lies in the causal past."""


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
def envelope_holds(payload_type: str, payload: bytes, signature: bytes, public: bytes) -> bool:
    """Say whether one envelope's signature over its payload holds (remembered: facts are judged again and again)."""
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
def read_fact(kind: str, raw: bytes) -> tuple[msgspec.Struct, bytes, tuple[keys.Envelope, ...]] | None:
    """Return a people change's value (or its signed payload's), the payload and its envelopes; None where it has not the form."""
    known = KINDS[kind]
    try:
        if not known.payload_type:
            return msgspec.json.decode(raw, type=known.type), b"", ()
        payload, envelopes = read_signed(raw, known.payload_type)
        return msgspec.json.decode(payload, type=known.type), payload, tuple(envelopes)
    except (CarnetError, msgspec.MsgspecError, UnicodeError):
        return None


def value_of(fact: Fact, form: type[S]) -> S:
    """Return a fact's value, or its signed payload's. Raises Invalid where it has not the form."""
    found = read_fact(fact.kind, fact.raw)
    if found is None or not isinstance(found[0], form):
        raise Invalid("the value has not the form of its kind")
    return found[0]


@functools.lru_cache(maxsize=1024)
def plain_roster(raw: bytes) -> Roster | None:
    """Return the roster that a `roster.set` carries; None where it holds words that this Carnet does not know."""
    found = read_fact("roster.set", raw)
    if found is None:
        return None
    roster = msgspec.convert(msgspec.to_builtins(found[0]), type=Roster)
    return roster if roster_bytes(roster) == found[1] else None
