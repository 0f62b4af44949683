"""Take a bundle in: see what it would do, then accept it.

Rules:
- Inspecting and accepting are one engine: everything is verified inside a transaction, which is undone or committed.
- Objects are checked beside the store's own and move in before the commit; interrupted anywhere, the old state stays.
- Derived files (README.html, ro-crate-metadata.json, verify.py, attestations/) are never read, only their digests are checked.
- What a bundle brings may make things stale, contested or erased; none of that is an error, all of it is in the plan.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from carnet_store.core import event as events
from carnet_store.core.event import parse_place
from carnet_store.errors import Invalid, Refused, Untrusted, Usage
from carnet_store.exchange.bundle import Bundle, Progress, erased_objects
from carnet_store.exchange.manifest import Segment
from carnet_store.exchange.plan import Before, Judge, Plan, count_control, make_plan
from carnet_store.exchange.safezip import Archive
from carnet_store.storage import ledger as store
from carnet_store.storage.ledger import Ledger
from carnet_store.storage.objects import Objects, sync_folder
from carnet_store.storage.schema import SEQ_BITS


@dataclass(frozen=True, slots=True)
class Accepted:
    """What accepting did: the plan as it was carried out, and how many objects were new here."""

    plan: Plan
    objects: int


def inspect(
    bundle: Bundle,
    ledger: Ledger | None,
    objects: Objects | None = None,
    *,
    judge: Judge | None = None,
    consent: bool = False,
    progress: Progress | None = None,
) -> Plan:
    """Verify everything and say what accepting would do; nothing stays. `ledger` is None where the project is new here.

    Raises:
        Refused: it is so large that somebody must agree (`consent`).
        Invalid, Untrusted, TooNew: what is wrong with it, and what to do next.
    """
    _ask(bundle, consent=consent)
    for row in bundle.manifest.objects:
        if bundle.archive.sha256(row.path) != row.sha256:
            raise Untrusted(f"{bundle.path.name}: {row.path} has not the digest that its name says")
    if ledger is not None:
        return _take(bundle, ledger, objects, judge=judge, commit=False, progress=progress)
    with tempfile.TemporaryDirectory(prefix="carnet-") as folder:
        empty = Ledger(Path(folder) / "new.db", create=True, ledger=bundle.ledger)
        try:
            return _take(bundle, empty, objects, judge=judge, commit=False, progress=progress)
        finally:
            empty.close()


def accept(
    bundle: Bundle,
    ledger: Ledger,
    objects: Objects,
    plan: Plan,
    *,
    judge: Judge | None = None,
    consent: bool = False,
    progress: Progress | None = None,
) -> Accepted:
    """Take a bundle in, as the plan of its inspection said; all in one transaction.

    Raises:
        Usage: the plan is another bundle's.
        Refused, Invalid, Untrusted, TooNew, Busy: as `inspect`; nothing was written.
    """
    if (plan.bundle, plan.ledger) != (bundle.identity, ledger.id):
        raise Usage("the plan is of another bundle or another project", "inspect this bundle first")
    _ask(bundle, consent=consent)
    with _staged(bundle, ledger, objects, progress) as move_in:
        done = _take(bundle, ledger, objects, judge=judge, commit=True, progress=progress, before_commit=move_in)
        return Accepted(done, move_in.moved)


def accept_new(  # noqa: D417 (judge, consent, progress: as for `inspect`)
    bundle: Bundle,
    folder: Path,
    objects: Objects,
    *,
    trust: str = "",
    confirmed: str = "",
    judge: Judge | None = None,
    consent: bool = False,
    progress: Progress | None = None,
) -> tuple[Path, Accepted]:
    """Begin to hold a project: its ledger's file `folder/<ledger id>.db` appears once everything was verified.

    Args:
        bundle: a whole one.
        folder: where ledgers lie.
        objects: where objects go.
        trust: the ledger id (64 hex) as known from elsewhere, or
        confirmed: the founder's fingerprint as somebody compared it.

    Raises:
        Refused: neither trust nor confirmation, or the project is here already.
        Untrusted: the project or the founder is another one than named; Invalid, TooNew: as `inspect`.
    """
    _ask(bundle, consent=consent)
    target = folder / f"{bundle.ledger}.db"
    if target.exists():
        raise Refused("this project is here already", "import into it")
    if trust and trust != bundle.ledger:
        raise Untrusted(
            f"the bundle is of the project {bundle.ledger}, not of {trust[:80]}",
            "compare the ledger id with its founder",
        )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = folder / f".{bundle.ledger[:16]}.{secrets.token_hex(4)}.tmp"
    fresh = Ledger(temporary, create=True, ledger=bundle.ledger)
    try:
        with _staged(bundle, fresh, objects, progress) as move_in:

            def agreed(plan: Plan) -> None:
                _check_founder(plan, trust, confirmed)
                move_in(plan)

            done = _take(bundle, fresh, objects, judge=judge, commit=True, progress=progress, before_commit=agreed)
            fresh.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            fresh.close()
            _give_name(temporary, target)
        return target, Accepted(done, move_in.moved)
    finally:
        fresh.close()
        for suffix in ("", "-wal", "-shm", "-journal"):
            temporary.with_name(temporary.name + suffix).unlink(missing_ok=True)


def _check_founder(plan: Plan, trust: str, confirmed: str) -> None:
    if confirmed and confirmed != plan.fingerprint:
        raise Untrusted(
            f"the founder's key is {plan.fingerprint}, not {confirmed[:80]}",
            "compare it with the founder by another way",
        )
    if not trust and not confirmed:
        raise Refused(
            f"the project is new here and its founder's key {plan.fingerprint} is not confirmed",
            f"compare it with {plan.founder} by another way, then repeat with --trust {plan.ledger}",
        )


def _give_name(temporary: Path, target: Path) -> None:
    """Rename without ever replacing a ledger that another process brought meanwhile."""
    with temporary.open("rb") as handle:
        os.fsync(handle.fileno())
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise Refused("this project came to be here meanwhile", "import into it") from None
    except OSError:  # a file system without hard links
        if target.exists():
            raise Refused("this project came to be here meanwhile", "import into it") from None
        temporary.replace(target)
    sync_folder(target.parent)


def _ask(bundle: Bundle, *, consent: bool) -> None:
    if bundle.needs_consent and not consent:
        raise Refused(
            f"{bundle.path.name} is very large: {bundle.needs_consent}",
            "if you expect that from its sender, agree to it",
        )


def _take(
    bundle: Bundle,
    ledger: Ledger,
    objects: Objects | None,
    *,
    judge: Judge | None,
    commit: bool,
    progress: Progress | None,
    before_commit: Callable[[Plan], None] | None = None,
) -> Plan:
    """Take all segments in, describe what that does, and commit or undo it: the one engine."""
    if bundle.ledger != ledger.id:
        raise Untrusted(
            f"{bundle.path.name} is of another project ({bundle.ledger[:16]}…, not {ledger.id[:16]}…)",
            "open it as a project of its own",
        )
    _check_gaps(bundle, ledger)
    _check_derived(bundle)
    before = Before.of(ledger, judge)
    control = 0
    plans: list[Plan] = []

    def counted(lines: Iterator[bytes]) -> Iterator[bytes]:
        nonlocal control
        for line in lines:
            control += count_control(line)
            yield line

    def look(taken: store.Taken) -> None:
        _check_heads(bundle, ledger)
        plan = make_plan(
            ledger, bundle.manifest, bundle.identity, bundle.archive.size, before, taken, judge, objects, control
        )
        _check_time(bundle, ledger)
        plans.append(plan)
        if before_commit is not None:
            before_commit(plan)

    def heard(count: int) -> None:
        if progress is not None:
            progress("events", count, bundle.manifest.events)

    # A branch may stand on one of this bundle, which then begins before it.
    ordered = sorted(bundle.manifest.segments, key=lambda s: (s.key, s.start, s.path))
    segments = ((s.key, counted(_segment_lines(bundle.archive, s))) for s in ordered)
    ledger.take_in(segments, commit=commit, look=look, progress=heard)
    return plans[0]


def _segment_lines(archive: Archive, segment: Segment) -> Iterator[bytes]:
    """Yield a segment's lines and check that they are the ones between its two ends."""
    count = 0
    last = b""
    for line in archive.lines(segment.path, segment.sha256):
        if count == 0 and events.parse(line).header.seq != segment.start:
            raise Invalid(f"{segment.path} does not begin at {segment.start}")
        if count >= segment.count:
            raise Invalid(f"{segment.path} holds more events than it says")
        count += 1
        last = line
        yield line
    if count != segment.count:
        raise Invalid(f"{segment.path} holds {count:,} events, not {segment.count:,}")
    head = events.parse(last)
    if f"{head.header.seq}:{head.id}" != segment.head:
        raise Untrusted(f"{segment.path} ends with another event than the manifest states")


def _check_gaps(bundle: Bundle, ledger: Ledger) -> None:
    """Say at once which bundle is lacking where this one goes on from events that are not here."""
    ours: dict[str, int] = {}
    for head in ledger.heads():
        ours[head.key] = max(head.seq, ours.get(head.key, -1))
    lacking = []
    for segment in sorted(bundle.manifest.segments, key=lambda s: (s.key, s.start)):
        held = ours.get(segment.key, -1)
        if segment.start > held + 1:
            lacking.append(f"chain {segment.key[:16]}…: it begins at {segment.start}, this store has it to {held}")
        ours[segment.key] = max(held, segment.end)
    if lacking:
        whole = "a whole bundle" if not ledger.heads() else "a bundle that goes on from yours, or a whole one"
        raise Invalid(
            f"{bundle.path.name} is an increment and goes on from events that are not here",
            f"import the earlier bundle first, or ask its sender for {whole}",
            lacking[:20],
        )


def _check_derived(bundle: Bundle) -> None:
    for name, digest in bundle.manifest.derived.items():
        if bundle.archive.sha256(name) != digest:
            raise Untrusted(f"{bundle.path.name}: {name} has not the digest that the manifest states")


def _check_heads(bundle: Bundle, ledger: Ledger) -> None:
    """Check that every segment's last event is held now in its own chain."""
    for segment in bundle.manifest.segments:
        digest = parse_place(segment.head)[1]
        row = ledger.db.execute(
            f"SELECT c.key FROM event v JOIN chain c ON c.no = v.id >> {SEQ_BITS} WHERE v.hash = ?",  # noqa: S608
            (bytes.fromhex(digest),),
        ).fetchall()
        if (segment.key,) not in row:
            raise Untrusted(f"{segment.path} did not bring chain {segment.key[:16]}… to its head")


def _check_time(bundle: Bundle, ledger: Ledger) -> None:
    """Check that the manifest's time is that of the newest event its sender held."""
    digests = [bytes.fromhex(parse_place(place)[1]) for place in bundle.manifest.heads.values()]
    times = [ledger.db.execute("SELECT t FROM event WHERE hash = ?", (digest,)).fetchone() for digest in digests]
    newest = max((row[0] for row in times if row), default=0)
    if newest > bundle.manifest.t or (all(times) and newest != bundle.manifest.t):
        raise Untrusted(f"{bundle.path.name}: its manifest's time is not that of its newest event")


class _MoveIn:
    """Moves staged objects into the store; called inside the transaction, last."""

    def __init__(self, staging: Objects, objects: Objects, ledger: Ledger) -> None:
        self._staging, self._objects, self._ledger = staging, objects, ledger
        self.moved = 0

    def __call__(self, _plan: Plan) -> None:
        erased = erased_objects(self._ledger)
        folders = set()
        for digest in self._staging.all():
            target = self._objects.path(digest)
            if digest in erased or target.exists():
                continue
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._staging.path(digest).replace(target)
            folders.add(target.parent)
            self.moved += 1
        for folder in sorted(folders):
            sync_folder(folder)


@contextlib.contextmanager
def _staged(bundle: Bundle, ledger: Ledger, objects: Objects, progress: Progress | None) -> Iterator[_MoveIn]:
    """Copy the bundle's objects beside the store's, each checked against its name while it is copied."""
    staging = Objects(objects.root / "tmp" / f"import-{secrets.token_hex(8)}")
    try:
        wanted = [row for row in bundle.manifest.objects if not objects.check(row.sha256)]
        for index, row in enumerate(wanted):
            stream = cast(BinaryIO, bundle.archive.open(row.path))
            staging.put_stream(stream, expect=row.sha256, limit=row.size)
            if progress is not None:
                progress("objects", index + 1, len(wanted))
        yield _MoveIn(staging, objects, ledger)
    except OSError as error:
        raise Invalid(
            f"the objects of {bundle.path.name} were not written: {error.strerror or error}",
            "free some space and repeat",
        ) from None
    finally:
        shutil.rmtree(staging.root, ignore_errors=True)
