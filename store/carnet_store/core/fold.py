"""A change as it is read back after folding, why one may not count, and who may replace what (docs/format.md section 5)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import msgspec

from carnet_store.core.kind import KINDS


class Counts(IntEnum):
    """Whether a change acts on state, and if not, why. The numbers are the projection's, not the format's."""

    YES = 0
    WAITING = 1
    UNOPENED = 2
    STRANGER = 3
    PENDING = 4
    REVOKED = 5
    FORKED = 6
    UNKNOWN = 7
    ABSENT = 8
    ERASED = 9
    FORM = 10
    BIRTH = 11
    ROLE = 12
    SIGNATURE = 13
    REPLAY = 14

    @property
    def words(self) -> str:
        """The reason in words for people."""
        return _WORDS[self]


_WORDS = {
    Counts.YES: "counts",
    Counts.WAITING: "waits for events that are not here yet",
    Counts.UNOPENED: "its chain carries no valid delegation by a person",
    Counts.STRANGER: "its author was not a member of the project",
    Counts.PENDING: "counts once its author's joining is confirmed",
    Counts.REVOKED: "lies beyond a revocation of its author's key",
    Counts.FORKED: "lies beyond a fork of its chain",
    Counts.UNKNOWN: "written by a newer Carnet; this one does not know its kind",
    Counts.ABSENT: "its value was not delivered",
    Counts.ERASED: "its value was erased",
    Counts.FORM: "its value has not the form of its kind",
    Counts.BIRTH: "its entity's id was not made from this change",
    Counts.ROLE: "its author did not hold the role that it needs",
    Counts.SIGNATURE: "the person's own signature that it needs does not hold",
    Counts.REPLAY: "repeats a signed act that was already carried",
}


@dataclass(frozen=True, slots=True)
class Change:
    """One change of the ledger as folded.

    Attributes:
        id: change id.
        entity: entity id; `kind`, `field`, `over`, `commitment` as in the shape (`kind` without the critical mark).
        person: id of the chain's person, or empty where the chain was not opened rightly.
        chain: chain id; `seq` and `index` its place.
        t: claimed time in ms since 1970.
        counts: whether it acts on state, and if not, why.
        live: it counts and nothing replaced it.
        roles: the roles that its author held then.
        value: the typed value (a payload where the kind is person-signed), or None where unknown, absent or erased.
        raw: the canonical bytes of the value as carried, or None.
        signers: person ids whose own signature it carries (person-signed kinds only).

    """

    id: str
    entity: str
    kind: str
    field: str
    over: tuple[str, ...]
    commitment: str
    person: str
    chain: str
    seq: int
    index: int
    t: int
    counts: Counts
    live: bool
    roles: frozenset[str]
    value: msgspec.Struct | None
    raw: bytes | None
    signers: tuple[str, ...] = ()


def may_replace(
    kind: str, *, target_person: str, target_role: str, by_kind: str, by_person: str, by_roles: frozenset[str]
) -> bool:
    """Say whether a counting change may replace a target that lies in its past and on the same entity and field.

    Args:
        kind: the target's kind.
        target_person: who wrote the target.
        target_role: for answers, the role it was answered as.
        by_kind: the replacing change's kind.
        by_person: who wrote it.
        by_roles: the roles that person held then.

    """
    rule = KINDS[kind].rule
    if rule == "nobody":
        return False
    if rule == "closing":
        return by_kind == KINDS[kind].closed_by
    if rule == "answer" and target_role and target_role in by_roles and by_kind == kind:
        return True
    return bool(by_person) and by_person == target_person


def state_digest_line(change_id: str, commitment: str) -> bytes:
    """Return the line of one live change in a state digest."""
    return f"{change_id} {commitment}\n".encode()
