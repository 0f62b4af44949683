"""Checking a ledger's file wholly, as read back: nothing that was kept in memory or noted beside it is believed."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from carnet_store.core import event as events
from carnet_store.core import keys
from carnet_store.errors import CarnetError, Untrusted
from carnet_store.storage.projection import Projection, event_number
from carnet_store.storage.reading import SEQ_MASK
from carnet_store.storage.schema import Rollback, transaction

_SIGNATURES_AT_ONCE: Final = 2048
_ALTERED = "the derived tables were altered; `carnet verify --rebuild` makes them anew"
_DIFFER = "the derived tables differ from the events; `carnet verify --rebuild` mends it"


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that `verify` found: in which chain, at which place (-1 for the whole), and what."""

    chain: str
    seq: int
    what: str


def find_faults(
    db: sqlite3.Connection, path: Path, ledger: str, projection: Projection, progress: Callable[[int], None] | None,
    *, tables: bool = True,
) -> list[Fault]:  # fmt: skip
    """Check every event as read back: form, links, heads, every signature; then fold anew and compare the tables.

    Args:
        db: the ledger's file, open; nothing is written that stays.
        path: where it lies.
        ledger: the ledger id.
        projection: the tables to compare.
        progress: hears after each chain the number of events read.
        tables: compare the derived tables, too.

    """
    faults: list[Fault] = []
    read = 0
    try:
        for no, key, parent, start, seq, digest in db.execute(
            "SELECT no, key, parent, start, seq, hash FROM chain ORDER BY key, branch"
        ).fetchall():
            chain = _Checked(key, start, seq, digest, projection.event_at(parent, start - 1) if start else ledger)
            rows = db.execute(
                "SELECT id, hash, t, line FROM event WHERE id BETWEEN ? AND ? ORDER BY id",
                (event_number(no, 0), event_number(no, SEQ_MASK)),
            )
            read += chain.check(rows, faults)
            if progress is not None:
                progress(read)
        held = db.execute("SELECT count(*) FROM event").fetchone()[0]
        if held != read and not faults:
            faults.append(Fault("", -1, f"{held} events are stored, {read} belong to a chain"))
        return faults or (_check_tables(db, path, projection) if tables else [])
    except sqlite3.DatabaseError as error:
        return [*faults, Fault("", -1, f"the file cannot be read: {error}")]


@dataclass(slots=True)
class _Checked:
    """A chain or branch under check: what is kept of it, and the event that its first one must follow."""

    key: str
    start: int
    last: int
    hash: str
    prev: str

    def check(self, rows: sqlite3.Cursor, faults: list[Fault]) -> int:
        """Check its events in order up to the first fault; return how many were read."""
        prev, want, t, read = self.prev, self.start, 0, 0
        signed: list[keys.Signed] = []
        broken = ""
        for number, held, held_t, line in rows:
            read += 1
            try:
                event = events.parse(bytes(line))
                if number & SEQ_MASK != want or event.header.seq != want:
                    raise Untrusted(f"event {want} is missing")
                if event.header.prev != prev:
                    raise Untrusted("it does not follow the event before it")
                if event.id != held.hex() or event.header.t != held_t or event.header.t < t:
                    raise Untrusted("it is not the event it was stored as")
            except CarnetError as error:
                broken = error.message
                break
            signed.append((bytes.fromhex(self.key), event.signature_bytes, event.signed_bytes))
            prev, t, want = event.id, event.header.t, want + 1
            if len(signed) == _SIGNATURES_AT_ONCE and self._unsigned(faults, want, signed):
                return read
        if self._unsigned(faults, want, signed):
            return read
        if broken:
            faults.append(Fault(self.key, want, broken))
        elif want - 1 != self.last or prev != (self.hash if self.last >= self.start else prev):
            faults.append(Fault(self.key, want, f"the head is kept as {self.last}, the last event is {want - 1}"))
        return read

    def _unsigned(self, faults: list[Fault], want: int, signed: list[keys.Signed]) -> bool:
        """Check the signatures of the events before `want`; note the first that does not hold."""
        bad = keys.verify_many(signed)
        if bad is not None:
            faults.append(Fault(self.key, want - len(signed) + bad, "its signature does not hold"))
        signed.clear()
        return bad is not None


def _check_tables(db: sqlite3.Connection, path: Path, projection: Projection) -> list[Fault]:
    before = projection.full_digest()
    if projection.kept_sum() != projection.table_sum():
        return [Fault("", -1, _ALTERED)]
    after = ""
    try:
        with transaction(db, path):
            projection.refold()
            after = projection.full_digest()
            raise Rollback
    except Rollback:
        projection.forget_cache()
    return [Fault("", -1, _DIFFER)] if after != before else []
