"""Sign-offs as others read them: in-toto statements in DSSE envelopes, one signer each, a line each.

The bytes are those of the ledger: nothing is signed anew, so any verifier of DSSE judges the very signature that the person gave.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from carnet_store.core import keys
from carnet_store.core.fold import Change
from carnet_store.domain.handoff import SignoffPredicate, Statement
from carnet_store.storage.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Attestation:
    """One sign-off: the change that carries it, what it states, whether it still stands, and its envelopes' lines."""

    change: Change
    statement: Statement
    lines: bytes

    @property
    def predicate(self) -> SignoffPredicate:
        """What the sign-off says."""
        return self.statement.predicate

    @property
    def path(self) -> str:
        """Where it lies in a bundle."""
        return f"attestations/{self.change.id}.intoto.jsonl"


def attestations(ledger: Ledger) -> Iterator[Attestation]:
    """Yield every sign-off that counts, the replaced ones too, in the order of their ids."""
    found = ledger.projection.select(
        "WHERE c.counts = 0 AND c.kind IN (SELECT no FROM word WHERE text IN ('gate.signed', 'gate.signed!'))"
    )
    for change in sorted(found, key=lambda c: c.id):
        if isinstance(change.value, Statement) and change.raw is not None:
            envelopes = [keys.envelope_from_value(one) for one in json.loads(change.raw)["dsse"]]
            yield Attestation(change, change.value, b"".join(one.encode() + b"\n" for one in envelopes))
