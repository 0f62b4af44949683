"""The files of a bundle that are made from the record for people and other tools. An import never reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from carnet_store.core.canonical import sha256_hex
from carnet_store.domain.lineage import Node
from carnet_store.exchange.attestation import Attestation, attestations
from carnet_store.exchange.manifest import MANIFEST, SIGNATURE, ObjectRow, Segment
from carnet_store.exchange.plan import Judge
from carnet_store.exchange.readme import Story, render
from carnet_store.exchange.rocrate import CrateFile, describe
from carnet_store.exchange.story import read_nodes, tell
from carnet_store.storage.ledger import Ledger

_NAMES: Final[Mapping[str, str]] = {"verify.py": "Verifier", "README.html": "The record as a page"}


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
    nodes, count = read_nodes(ledger)
    story = tell(ledger, segments, objects, missing, signed, nodes, count, base=base, exporter=exporter, judge=judge)
    files = {one.path: one.lines for one in signed}
    files["verify.py"] = verify_script()
    files["README.html"] = render(story)
    files["ro-crate-metadata.json"] = _crate(ledger, story, files, segments, objects, signed, nodes)
    return files


def _crate(
    ledger: Ledger,
    story: Story,
    files: Mapping[str, bytes],
    segments: Sequence[Segment],
    objects: Sequence[ObjectRow],
    signed: Sequence[Attestation],
    nodes: Sequence[Node],
) -> bytes:
    people = ledger.projection.people
    called = {node.digests["sha256"]: node.title for node in nodes if "sha256" in node.digests}
    listed = [CrateFile(MANIFEST, "", 0, "Bundle manifest"), CrateFile(SIGNATURE, "", 0, "Signature of the manifest")]
    listed += [
        CrateFile(name, sha256_hex(data), len(data), _NAMES.get(name, "Sign-off"))
        for name, data in sorted(files.items())
    ]
    listed += [
        CrateFile(s.path, s.sha256, s.size, f"Events of {people.name(people.person_of(s.key))}") for s in segments
    ]
    listed += [CrateFile(row.path, row.sha256, row.size, called.get(row.sha256, "")) for row in objects]
    persons = {one.change.person for one in signed} | {node.person for node in nodes}
    return describe(story, listed, nodes, signed, {person: people.name(person) for person in persons})
