"""A bundle: events and objects of one project in one file. Write one, open one; `intake` takes one in.

A bundle is written from one read snapshot and gets its name only when it is whole. A large one is never held in memory.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

from carnet_store.core.event import parse_place
from carnet_store.core.keys import Signer
from carnet_store.domain.erasure import Erased
from carnet_store.errors import Invalid, Refused, Untrusted
from carnet_store.exchange import manifest as manifests
from carnet_store.exchange.derived import make_derived
from carnet_store.exchange.manifest import FORMAT, MANIFEST, PURPOSE, SIGNATURE, Manifest, ObjectRow, Segment
from carnet_store.exchange.plan import Judge
from carnet_store.exchange.references import References
from carnet_store.exchange.safezip import GIB, Archive
from carnet_store.exchange.zipwriter import Packed, ZipWriter, pack_bytes, pack_lines, pack_object, writing
from carnet_store.storage.ledger import Head, Ledger
from carnet_store.storage.objects import Objects
from carnet_store.storage.schema import SEQ_BITS

ASK_EVENTS: Final = 100_000
ASK_BYTES: Final = GIB

Progress = Callable[[str, int, int], None]
"""Hears what is being done, how much of it is done and of how much (0 where that is not known)."""


@dataclass(frozen=True, slots=True)
class Written:
    """A bundle that was written: its identity (SHA-256 of the manifest), how much is in it, and the heads it brings one to."""

    path: Path
    identity: str
    ledger: str
    events: int
    objects: int
    missing: int
    size: int
    heads: Mapping[str, str]
    base: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle's file, open: the zip's structure, the manifest's form and its signature hold; content is checked when taken in."""

    path: Path
    archive: Archive
    manifest: Manifest
    identity: str

    def __enter__(self) -> Bundle:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self.archive.close()

    @property
    def ledger(self) -> str:
        """The id of the project's ledger."""
        return self.manifest.ledger

    @property
    def plain_size(self) -> int:
        """Bytes of all entries once inflated."""
        return sum(member.size for member in self.archive.members.values())

    @property
    def needs_consent(self) -> str:
        """Say in words why somebody must agree before it is taken in; empty where nobody must."""
        if self.manifest.events > ASK_EVENTS or self.plain_size > ASK_BYTES:
            return f"it holds {self.manifest.events:,} events and {self.plain_size / 2**20:,.0f} MiB"
        return ""


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a bundle would hold: events and the bytes of their lines, objects that go along and their bytes, objects that do not."""

    events: int
    event_bytes: int
    objects: int
    object_bytes: int
    missing: int


# --- writing ----------------------------------------------------------------------------------------------------------


def write(
    ledger: Ledger,
    objects: Objects,
    path: Path,
    *,
    chain: Signer,
    base: Mapping[str, str] | None = None,
    with_objects: bool = True,
    judge: Judge | None = None,
    progress: Progress | None = None,
) -> Written:
    """Write a bundle of what somebody who holds `base` lacks; of everything where `base` is empty.

    Args:
        ledger: read in one snapshot.
        objects: where the objects lie that the events refer to.
        path: the bundle's file; replaced where it exists.
        chain: the exporter's chain key; its chain must be opened in the ledger.
        base: `{chain or branch name: "seq:event id"}` assumed at the receiver; what is not held here is left out of account.
        with_objects: without, all objects are listed as missing.
        judge: says the verdicts that README.html shows.
        progress: hears of events and objects.

    Raises:
        Refused: the chain was never opened, or a limit of the format would be broken.
        Untrusted: an object was altered on disk. Invalid: the file cannot be written.
    """
    with _snapshot(ledger), contextlib.ExitStack() as stack:
        if not ledger.projection.people.person_of(chain.public.hex()):
            raise Refused(
                "this store has no chain of yours in the project yet", "open it first: any act of yours does so"
            )
        try:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=".carnet-export-", dir=path.parent)))
        except OSError as error:
            raise Invalid(
                f"{path} cannot be written: {error.strerror}", "choose a folder that exists and that you may write to"
            ) from None
        found = References()
        used, starts = _starts(ledger, base or {})
        packed: dict[str, Packed] = {}
        segments: list[Segment] = []
        heads = ledger.heads()
        total = sum(head.seq - starts.get(head.no, head.start) + 1 for head in heads)
        done = 0
        for head in heads:
            start = starts.get(head.no, head.start)
            if start > head.seq:
                continue
            entry = pack_lines(found.watch(ledger.lines(head.no, start, head.seq)), folder)
            if entry.lines != head.seq - start + 1:
                raise Untrusted(f"chain {head.name[:16]}… has a gap in this store", "run `carnet verify`")
            segment = _segment(head, start, entry)
            segments.append(segment)
            packed[segment.path] = entry
            done += entry.lines
            if progress:
                progress("events", done, total)
        rows, missing = _objects_to_send(ledger, objects, found, with_objects=with_objects)
        segments.sort(key=lambda s: s.path)
        derived = make_derived(ledger, segments, rows, missing, base=used, exporter=chain.public.hex(), judge=judge)
        packed |= {name: pack_bytes(data) for name, data in derived.items()}
        manifest = Manifest(
            base=used,
            derived={name: packed[name].sha256 for name in sorted(derived)},
            events=total,
            exporter=chain.public.hex(),
            format=FORMAT,
            heads=ledger.places(),
            ledger=ledger.id,
            missing=tuple(missing),
            objects=tuple(rows),
            purpose=PURPOSE,
            segments=tuple(segments),
            t=max(head.t for head in heads),
        )
        raw, envelope = manifests.sign(manifest, chain)
        packed[MANIFEST], packed[SIGNATURE] = pack_bytes(raw), pack_bytes(envelope)
        by_path = {row.path: row for row in rows}

        def fill(out: ZipWriter) -> None:
            sent = 0
            for name in sorted({*packed, *by_path}):
                row = by_path.get(name)
                out.add(name, pack_object(objects.path(row.sha256), row.sha256, folder) if row else packed[name])
                sent += row is not None
                if progress and row:
                    progress("objects", sent, len(by_path))

        size = writing(path, fill)
    return Written(path, packed[MANIFEST].sha256, ledger.id, total, len(rows), len(missing), size, manifest.heads, used)


def foresee(
    ledger: Ledger,
    objects: Objects,
    *,
    base: Mapping[str, str] | None = None,
    with_objects: bool = True,
    progress: Progress | None = None,
) -> Foreseen:
    """Say what `write` would put into a bundle as the record stands; nothing is written, no object is read."""
    found, total, size, done = References(), 0, 0, 0
    with _snapshot(ledger):
        _, starts = _starts(ledger, base or {})
        heads = [(head, starts.get(head.no, head.start)) for head in ledger.heads()]
        total = sum(head.seq - start + 1 for head, start in heads if start <= head.seq)
        for head, start in heads:
            if start > head.seq:
                continue
            size += sum(len(line) + 1 for line in found.watch(ledger.lines(head.no, start, head.seq)))
            done += head.seq - start + 1
            if progress:
                progress("events", done, total)
        rows, missing = _objects_to_send(ledger, objects, found, with_objects=with_objects)
    return Foreseen(total, size, len(rows), sum(row.size for row in rows), len(missing))


@contextlib.contextmanager
def _snapshot(ledger: Ledger) -> Iterator[None]:
    """Hold one state of the ledger while it is read."""
    ledger.db.execute("BEGIN")
    try:
        yield
    finally:
        if ledger.db.in_transaction:
            ledger.db.execute("COMMIT")


def _segment(head: Head, start: int, entry: Packed) -> Segment:
    return Segment(
        chain=head.name, start=start, end=head.seq, head=head.place, sha256=entry.sha256, size=entry.size,
        path=manifests.segment_path(head.name, start, head.seq),
    )  # fmt: skip


def _starts(ledger: Ledger, base: Mapping[str, str]) -> tuple[dict[str, str], dict[int, int]]:
    """Return the part of `base` that is held here, and the first seq to send by chain number.

    Places are compared by event, not by name: which branch of a fork is the first differs from store to store.
    """
    lines = {no: (parent, start) for no, parent, start in ledger.db.execute("SELECT no, parent, start FROM chain")}
    used: dict[str, str] = {}
    starts: dict[int, int] = {}
    for name, place in sorted(base.items()):
        seq, digest = parse_place(place)
        row = ledger.db.execute("SELECT id FROM event WHERE hash = ?", (bytes.fromhex(digest),)).fetchone()
        if row is None:
            continue
        used[name] = place
        no = row[0] >> SEQ_BITS
        while no:
            starts[no] = max(starts.get(no, 0), seq + 1)
            parent, start = lines[no]
            no, seq = parent, start - 1
    return used, starts


def _objects_to_send(
    ledger: Ledger, objects: Objects, found: References, *, with_objects: bool
) -> tuple[list[ObjectRow], list[ObjectRow]]:
    """Return the objects that go along and those that are referred to and do not."""
    erased = erased_objects(ledger)
    rows, missing = [], []
    for digest in sorted({*found.firm, *found.loose}):
        size = objects.size(digest)
        if digest in erased or size < 0 or not with_objects:
            if digest in found.firm or size >= 0:
                missing.append(ObjectRow(digest, max(size, found.firm.get(digest, 0))))
        else:
            rows.append(ObjectRow(digest, size))
    return rows, missing


def erased_objects(ledger: Ledger) -> set[str]:
    """Return the objects whose bytes a tombstone that counts has told to go."""
    changes = ledger.projection.select(
        "WHERE c.live = 1 AND c.kind IN (SELECT no FROM word WHERE text LIKE 'value.erased%')"
    )
    return {digest for change in changes if isinstance(change.value, Erased) for digest in change.value.objects}


# --- reading ----------------------------------------------------------------------------------------------------------


def open_bundle(path: Path) -> Bundle:
    """Open a bundle's file and check the zip, the manifest and its signature; nothing else is inflated.

    Raises:
        NotFound, Invalid, Untrusted, TooNew: what is wrong; the file is closed again.
    """
    archive = Archive(path)
    try:
        for name in (MANIFEST, SIGNATURE):
            if name not in archive.members:
                raise Invalid(f"{path.name} is not a bundle: it has no {name}", "ask its sender for the bundle again")
        signed = manifests.read(archive.read(MANIFEST), archive.read(SIGNATURE), archive.members)
        sizes = {s.path: s.size for s in signed.manifest.segments} | {o.path: o.size for o in signed.manifest.objects}
        for name, size in sizes.items():
            if archive.members[name].size != size:
                raise Untrusted(f"{path.name}: {name} has not the size that the manifest states")
    except BaseException:
        archive.close()
        raise
    return Bundle(path, archive, signed.manifest, signed.identity)
