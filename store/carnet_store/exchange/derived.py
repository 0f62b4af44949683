"""The files of a bundle that are made from the record for people and other tools. An import never reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from carnet_store.exchange.attestation import attestations
from carnet_store.exchange.manifest import ObjectRow, Segment
from carnet_store.exchange.plan import Judge
from carnet_store.storage.ledger import Ledger


def verify_script() -> bytes:
    """Return the verifier that every bundle carries, byte for byte as released."""
    return Path(__file__).with_name("verify.py").read_bytes()


def make_derived(
    ledger: Ledger,
    segments: Sequence[Segment],
    objects: Sequence[ObjectRow],
    missing: Sequence[ObjectRow],
    *,
    base: Mapping[str, str],
    exporter: str,
    judge: Judge | None,
) -> dict[str, bytes]:
    """Return the derived files by name."""
    signed = list(attestations(ledger))
    files = {one.path: one.lines for one in signed}
    files["verify.py"] = verify_script()
    return files
