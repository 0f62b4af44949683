"""Sign-offs leave the ledger as DSSE envelopes and in-toto statements that other people's verifiers accept."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from google.protobuf import json_format  # type: ignore[import-untyped]
from in_toto_attestation.v1.statement import Statement  # type: ignore[import-untyped]
from in_toto_attestation.v1.statement_pb2 import Statement as StatementMessage  # type: ignore[import-untyped]
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]

if TYPE_CHECKING:
    from tests.conftest import World
    from tests.exchange.conftest import Post


def statements(path: Path) -> dict[str, list[dict[str, Any]]]:
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.startswith("attestations/")]
        return {name: [json.loads(line) for line in archive.read(name).splitlines()] for name in names}


def peer_key(public: bytes) -> SSlibKey:
    """Return the key as securesystemslib has it, named as Carnet names it: SHA-256 of its SPKI."""
    key = Ed25519PublicKey.from_public_bytes(public)
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return SSlibKey.from_crypto(key, keyid=hashlib.sha256(der).hexdigest())


def test_peers_verify_every_sign_off(world: World, post: Post) -> None:
    """One envelope a signer and a line; replaced sign-offs are there too; both peers accept them."""
    ana = world.found("ana", ben=("ml_engineer",))
    ben = world.replica("ben")
    handoff = ana.handoff()
    first = ana.sign_off(handoff)
    second = ana.sign_off(handoff, "refuse", over=[first])
    ben.pull(ana)
    both = ben.sign_off(handoff, role="ml_engineer", by=["ben", "ana"])
    found = statements(post.send(ben).path)
    assert set(found) == {f"attestations/{change}.intoto.jsonl" for change in (first, second, both)}
    for name, lines in found.items():
        signers = ["ben", "ana"] if both in name else ["ana"]
        assert len(lines) == len(signers)
        for line, signer in zip(lines, signers, strict=True):
            envelope = Envelope.from_dict(line)
            key = peer_key(world.key(signer).public)
            assert envelope.verify([key], 1) == {key.keyid: key}
            with pytest.raises(VerificationError):
                envelope.verify([peer_key(world.key("eve").public)], 1)
            statement = json.loads(envelope.payload)
            Statement.copy_from_pb(json_format.Parse(envelope.payload, StatementMessage())).validate()
            assert statement["predicate"]["handoff"] == handoff


def test_a_sign_off_that_does_not_count_is_not_exported(world: World, post: Post) -> None:
    """THREATS 33: a statement signed by another than its author's person key is no attestation."""
    ana = world.found("ana", ben=("ml_engineer",))
    handoff = ana.handoff()
    stolen = ana.sign_off(handoff, by=["ben"])
    assert ana.why(stolen) == "SIGNATURE"
    assert statements(post.send(ana).path) == {}
