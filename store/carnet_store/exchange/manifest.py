"""A bundle's manifest: what it holds, from where, assumed at whom; canonical, and signed by the exporter's chain key.

Its bytes' SHA-256 is the bundle's identity. Every entry of the zip is named in it once, with its digest (docs/format.md section 10).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from carnet_store.core import canonical, keys
from carnet_store.core.event import parse_place
from carnet_store.core.keys import Signer
from carnet_store.errors import CarnetError, Invalid, TooNew, Untrusted

FORMAT: Final = "carnet-bundle/1"
PURPOSE: Final = "bundle"
PAYLOAD_TYPE: Final = "application/vnd.carnet.bundle+json"
MANIFEST: Final = "carnet.json"
SIGNATURE: Final = "carnet.json.sig"
DERIVED: Final = ("README.html", "ro-crate-metadata.json", "verify.py")
"""Files made from the record for people and tools; an import never reads them. Sign-offs under `attestations/` are derived, too."""

_HEX64: Final = re.compile(r"[0-9a-f]{64}\Z", re.ASCII)
_CHAIN: Final = re.compile(r"[0-9a-f]{64}(?:~[0-9a-f]{16})?\Z", re.ASCII)
_PLACE: Final = re.compile(r"(?:0|[1-9][0-9]{0,9}):[0-9a-f]{64}\Z", re.ASCII)


class Segment(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"start": "from", "end": "to"}
):
    """Lines of one chain or branch (`chain` is its name, `~` and the mark included) from `start` to `end`."""

    chain: str
    start: int
    end: int
    head: str
    path: str
    sha256: str
    size: int

    @property
    def key(self) -> str:
        """The chain id alone."""
        return self.chain.partition("~")[0]

    @property
    def count(self) -> int:
        """How many events it holds."""
        return self.end - self.start + 1


class ObjectRow(msgspec.Struct, frozen=True, order=True, forbid_unknown_fields=True):
    """An object by digest; its size is 0 where the record does not say it."""

    sha256: str
    size: int

    @property
    def path(self) -> str:
        """Where it lies in a bundle."""
        return f"objects/sha256/{self.sha256[:2]}/{self.sha256}"


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that a bundle holds; see docs/format.md section 10 for the words."""

    base: dict[str, str]
    derived: dict[str, str]
    events: int
    exporter: str
    format: str
    heads: dict[str, str]
    ledger: str
    missing: tuple[ObjectRow, ...]
    objects: tuple[ObjectRow, ...]
    purpose: str
    segments: tuple[Segment, ...]
    t: int

    def encode(self) -> bytes:
        """Return its canonical bytes."""
        return canonical.encode(msgspec.to_builtins(self))


class _Format(msgspec.Struct):
    format: str


@dataclass(frozen=True, slots=True)
class Signed:
    """A manifest whose signature holds by the key of the chain that it names, its bytes and their SHA-256."""

    manifest: Manifest
    raw: bytes
    identity: str


def segment_path(chain: str, start: int, end: int) -> str:
    """Return where a segment lies in a bundle."""
    return f"ledger/{chain}/{start}-{end}.jsonl"


def sign(manifest: Manifest, chain: Signer) -> tuple[bytes, bytes]:
    """Return the manifest's bytes and its envelope's bytes."""
    raw = manifest.encode()
    return raw, keys.sign_envelope(chain, PAYLOAD_TYPE, raw).encode()


def read(raw: bytes, envelope: bytes, names: Iterable[str]) -> Signed:
    """Check a manifest against its form, its signature and the names of the zip's entries.

    Raises:
        Invalid: not of the form, or it names other entries than there are. TooNew: of another format.
        Untrusted: the signature does not hold.
    """
    try:
        value = canonical.decode(raw)
        form = msgspec.convert(value, type=_Format).format
        if form != FORMAT:
            raise TooNew(f"a bundle of format {form[:40]!r}", "install a newer Carnet to read it")
        manifest = msgspec.convert(value, type=Manifest)
        _check(manifest)
        _check_names(manifest, set(names))
        opened = keys.envelope_from_value(json.loads(envelope))
        if opened.encode() != envelope or opened.payload != raw:
            raise Invalid("carnet.json.sig is not one canonical envelope over carnet.json")
    except CarnetError as error:
        raise type(error)(f"the bundle's manifest: {error.message}", error.hint) from None
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Invalid(f"the bundle's manifest has not its form: {error}") from None
    try:
        keys.open_envelope(opened, PAYLOAD_TYPE, bytes.fromhex(manifest.exporter))
    except Untrusted as error:
        raise Untrusted(f"the bundle's manifest is not signed by its exporter: {error.message}") from None
    return Signed(manifest, raw, canonical.sha256_hex(raw))


def _check(manifest: Manifest) -> None:
    if not all(name in DERIVED or name.startswith("attestations/") for name in manifest.derived):
        raise Invalid("it calls a file derived that is none")
    if manifest.purpose != PURPOSE:
        raise Invalid(f"its purpose is {manifest.purpose[:40]!r}, not {PURPOSE!r}")
    for text in (manifest.ledger, manifest.exporter, *manifest.derived.values()):
        if not _HEX64.match(text):
            raise Invalid("a digest or an id that is not 64 hex characters")
    for places in (manifest.base, manifest.heads):
        _check_places(places)
    for row in (*manifest.objects, *manifest.missing):
        if not _HEX64.match(row.sha256) or row.size < 0:
            raise Invalid("an object without digest or size")
    for rows in (manifest.objects, manifest.missing):
        if [row.sha256 for row in rows] != sorted({row.sha256 for row in rows}):
            raise Invalid("objects that are not sorted and unique")
    if [s.path for s in manifest.segments] != sorted({s.path for s in manifest.segments}):
        raise Invalid("segments that are not sorted and unique")
    for segment in manifest.segments:
        if (
            not _CHAIN.match(segment.chain)
            or not 0 <= segment.start <= segment.end
            or not _HEX64.match(segment.sha256)
            or segment.size < 0
            or segment.path != segment_path(segment.chain, segment.start, segment.end)
            or not _PLACE.match(segment.head)
            or parse_place(segment.head)[0] != segment.end
        ):
            raise Invalid(f"a segment that contradicts itself: {segment.path[:120]!r}")
        if segment.chain not in manifest.heads:
            raise Invalid(f"a segment of a chain whose head it does not name: {segment.chain[:16]}…")
    if manifest.events != sum(segment.count for segment in manifest.segments) or manifest.t < 0:
        raise Invalid("its number of events is not that of its segments")


def _check_places(places: Mapping[str, str]) -> None:
    for chain, place in places.items():
        if not _CHAIN.match(chain) or not _PLACE.match(place):
            raise Invalid("a head that is not chain to place")


def _check_names(manifest: Manifest, names: set[str]) -> None:
    declared = {MANIFEST, SIGNATURE, *manifest.derived}
    declared |= {segment.path for segment in manifest.segments} | {row.path for row in manifest.objects}
    if lacking := sorted(declared - names):
        raise Invalid(f"it names {len(lacking):,} entries that the file has not, first {lacking[0][:120]!r}")
    if extra := sorted(names - declared):
        raise Invalid(f"the file has {len(extra):,} entries that it does not name, first {extra[0][:120]!r}")
